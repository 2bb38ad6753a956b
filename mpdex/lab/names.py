"""Which of the bot's orders is meant on a venue that takes no client ids.

A request that names no order is taken for the one of its side and size that was meant just now and
has not come yet. Whatever the venue makes of it while it acts is that order, though it may bear an
id of somebody else's there.
"""

from __future__ import annotations

from decimal import Decimal

from mpdex.lab.trail import Intent, Trail
from mpdex.sim.host import VenueHost
from mpdex.sim.records import SimOrder
from mpdex.sim.venue import SimRequest

_JUST_NOW_NS = 1_000_000_000  # within which requests come in the order in which they were meant


class Names:
    """Names requests and orders of one venue; `Trail.intent_of` then finds what they were."""

    def __init__(self, trail: Trail, role: str, host: VenueHost) -> None:
        self._trail = trail
        self._role = role
        self._host = host
        self._came: set[str] = set()
        self._named: dict[int, tuple[SimRequest, str]] = {}  # kept: an id is of what lives
        host.arrivals.append(self._arrived)
        host.whose = self._whose
        host.exchange.order_hooks.append(self._placed)

    def _arrived(self, _: str, op: str, request: SimRequest) -> None:
        said = self._host.venue.describe(request)
        if op != "place" or said.get("client_id"):
            return
        self._trail.read()
        intent = self._meant(said.get("side", ""), Decimal(said.get("size") or 0))
        if intent is not None:
            self._came.add(intent.client_id)
            self._named[id(request)] = request, intent.client_id

    def _meant(self, side: str, size: Decimal) -> Intent | None:
        """What never came is older than that: the newest then."""
        alike = [
            intent
            for intent in self._trail.intents.values()
            if (intent.role, intent.side, intent.size) == (self._role, side, size)
            and intent.client_id not in self._came
        ]
        now = self._host.exchange.clock.now_ns()
        fresh = [intent for intent in alike if now - intent.at_ns < _JUST_NOW_NS]
        return fresh[0] if fresh else next(reversed(alike), None)

    def _whose(self, request: SimRequest) -> str:
        return self._named[id(request)][1] if id(request) in self._named else ""

    def _placed(self, order: SimOrder) -> None:
        acting = self._host.acting
        if acting is not None and self._whose(acting):
            self._trail.aliases.setdefault(order.client_id, self._whose(acting))

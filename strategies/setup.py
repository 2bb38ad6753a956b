"""What was found out before the first order, and does not change while the run lasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from mpdex.types import Fees, Market
from strategies.config import HedgeConfig
from strategies.words import Event, Role


def _never(role: Role, client_id: str | None, at_ms: int) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What was found out before the first order.

    Attributes:
        bounds: seconds after which a venue refuses a late order request.
        taker_bounds: the same for an order that must trade at once, where that is shorter.
        acks: seconds after which a missing answer means "not known".
        baseline: signed positions that were there before and are no part of the run.
        held: signed positions as they were found, whosever they are.
        started, started_ms: the same moment, monotonic and since the epoch.
        session_ms: when the session began whose fills are ours; None: it begins now.
        fees: what each venue charges, where it tells.
        weak: venues without an order that cannot fill; silent: whose private stream does not tell
            of an immediate order that found nothing.
        fences: venues that can use up the nonce of an order; polled: without a stream of own
            orders; market_only: without immediate limit orders.
        is_lost: whether a fill (role, client id, time) is of an order of ours whose intent a power
            cut may have taken.
        readings: what was asked already of what the gates ask for.
        notes: for the log.
        objections: why no pair may be opened, once what an earlier run left is neutral.
    """

    config: HedgeConfig
    markets: dict[Role, Market]
    bounds: Mapping[Role, float]
    acks: Mapping[Role, float]
    baseline: Mapping[Role, Decimal]
    new_id: Mapping[Role, Callable[[], str]]
    started: float
    started_ms: int
    session_ms: int | None = None
    held: Mapping[Role, Decimal] = field(default_factory=dict)
    fees: Mapping[Role, Fees | None] = field(default_factory=dict)
    taker_bounds: Mapping[Role, float] = field(default_factory=dict)
    weak: frozenset[Role] = frozenset()
    silent: frozenset[Role] = frozenset()
    fences: frozenset[Role] = frozenset()
    polled: frozenset[Role] = frozenset()
    market_only: frozenset[Role] = frozenset()
    is_lost: Callable[[Role, str | None, int], bool] = _never
    readings: tuple[Event, ...] = ()
    notes: tuple[str, ...] = ()
    objections: tuple[str, ...] = ()

    def bound(self, role: Role, *, immediate: bool) -> float:
        """Seconds after which a request can no longer become an order."""
        bound = self.bounds[role]
        return min(bound, self.taker_bounds.get(role, bound)) if immediate else bound

    @property
    def began_ms(self) -> int:
        """No fill before this is ours."""
        return self.started_ms if self.session_ms is None else self.session_ms

    def wall_ms(self, now: float) -> int:
        return self.started_ms + int((now - self.started) * 1000)

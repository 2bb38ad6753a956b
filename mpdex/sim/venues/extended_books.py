"""The full books of the simulated Extended, as everybody is told them.

Every minute a snapshot replaces the book; between two of them changes are told ten times a second.
Who comes in between gets the last snapshot and all changes since. Where nothing has changed for a
while, or nothing since the last change when a snapshot is due, an empty change is told.

Source: api.docs.extended.exchange, "Order book stream", and live frames; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from mpdex.sim.book_room import BookRoom
from mpdex.sim.exchange import SimExchange
from mpdex.sim.models import Timers
from mpdex.sim.records import ZERO, BookChanged, Level
from mpdex.sim.venues.extended_render import render_book, render_change, render_levels
from mpdex.types import Json

PACE = 0.1  # seconds
BEAT_MS = 10_000  # between looks at a quiet book; UNVERIFIED: how often heartbeats come
EARLY_MS = 50  # by which a look may be early
MINUTE_MS = 60_000
Publish = Callable[[str, dict[str, Json]], None]


class BookTape:
    """One market: what was told since its last snapshot, while anybody listens.

    Args:
        publish: tells (symbol, data of a frame) to everybody.
    """

    def __init__(
        self, exchange: SimExchange, timers: Timers, symbol: str, publish: Publish
    ) -> None:
        self._exchange = exchange
        self._timers = timers
        self._market = exchange.markets[symbol]
        self._publish = publish
        self._room = BookRoom(
            exchange, timers, (symbol, PACE), lambda change, _: self._tell(change)
        )
        self._sizes: dict[str, dict[Decimal, Decimal]] = {}
        self._told: list[dict[str, Json]] = []
        self._quiet = True
        self._listeners = 0
        self._run = 0

    def enter(self) -> list[dict[str, Json]]:
        """One listener more.

        Returns: what it has to be told first.
        """
        self._listeners += 1
        self._room.enter()
        if self._listeners == 1:
            self._run += 1
            self._keep()
            self._beat_later(self._run)
        return list(self._told)

    def leave(self) -> None:
        self._listeners -= 1
        self._room.leave()
        if not self._listeners:
            self._run += 1

    def _keep(self) -> dict[str, Json]:
        """A new snapshot, from which changes are counted."""
        bids, asks, _ = self._exchange.book(self._market.symbol)
        self._sizes = {"b": dict(bids), "a": dict(asks)}
        snapshot = render_book(
            "SNAPSHOT", self._market.symbol, render_levels(bids), render_levels(asks)
        )
        self._told = [snapshot]
        return snapshot

    def _tell(self, change: BookChanged | None) -> None:
        """A change of the book; None: there is none, and that is told."""
        self._quiet = False
        bids = self._changes("b", change.bids if change else ())
        asks = self._changes("a", change.asks if change else ())
        data = render_book("DELTA", self._market.symbol, bids, asks)
        self._told.append(data)
        self._publish(self._market.symbol, data)

    def _changes(self, side: str, levels: Iterable[Level]) -> list[dict[str, str]]:
        sizes, told = self._sizes[side], []
        for price, size in levels:
            before = sizes.pop(price, ZERO)
            if size:
                sizes[price] = size
            if size != before:
                told.append(render_change((price, size), before, self._market))
        return told

    # ---------------------------------------------------------------- time

    def _beat_later(self, run: int) -> None:
        since = (self._exchange.clock.now_ms() + EARLY_MS) % BEAT_MS
        self._timers.after((BEAT_MS - since + EARLY_MS) / 1000, lambda: self._beat(run))

    def _beat(self, run: int) -> None:
        if run != self._run:
            return
        self._room.flush()
        if self._quiet:
            self._tell(None)
        if self._minute_is_over():
            self._publish(self._market.symbol, self._keep())
        self._quiet = True
        self._beat_later(run)

    def _minute_is_over(self) -> bool:
        return (self._exchange.clock.now_ms() + EARLY_MS) % MINUTE_MS < BEAT_MS

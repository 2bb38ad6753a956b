"""One market of a simulated venue: the engine, its scales, and what changed in its book.

Sources speak in integers of 1e-8 (`UNIT`); levels are snapped onto the market's grid here, those
that fall together are added up: bids round down, asks up, so that a snapped book cannot cross.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import NamedTuple, Self

from mpdex.sim.engine import OTHER, Levels, Match, MatchingEngine
from mpdex.sim.records import ZERO, BookChanged, Level, SimMarket
from mpdex.types import Side

UNIT = 10**8  # prices and sizes of market sources are integers of 1e-8


class Quote(NamedTuple):
    """Outside levels from a source, in units of 1e-8; `full` replaces the book, else best only."""

    bids: Sequence[tuple[int, int]]
    asks: Sequence[tuple[int, int]]
    full: bool


class Board:
    """One market of an exchange: engine, scales, mark, and how it is bent."""

    def __init__(
        self, market: SimMarket, on_match: Callable[[Match], None], now_ns: Callable[[], int]
    ) -> None:
        self.adopt(market)
        self.engine = MatchingEngine(on_match)
        self.now_ns = now_ns
        self.seq = 1
        self.mark = ZERO
        self.mark_ns = 0
        self.funding_rate = Decimal("0.0001")  # the usual base rate of an interval
        self.shift_ppm = 0
        self.depth_cap: dict[Side, int | None] = {"buy": None, "sell": None}  # lots of a side
        self.last = Quote((), (), True)

    def adopt(self, market: SimMarket) -> None:
        """Take the market's facts, at the start or when they change."""
        self.market = market
        self.tick_units = int(market.tick * UNIT)
        self.step_units = int(market.step * UNIT)

    def price(self, ticks: int) -> Decimal:
        return ticks * self.market.tick

    def size(self, lots: int) -> Decimal:
        return lots * self.market.step

    def ticks(self, price: Decimal) -> int:
        return int(price / self.market.tick)

    def lots(self, size: Decimal) -> int:
        return int(size / self.market.step)

    def told(self, side: Side, keys: Iterable[int]) -> list[Level]:
        half = self.engine.halves[side]
        return [(self.price(abs(key)), self.size(half.total(key))) for key in keys]

    # ---------------------------------------------------------------- from the source

    def apply(self, quote: Quote) -> None:
        self.last = quote
        bids = self._snap(quote.bids, "buy", not quote.full)
        asks = self._snap(quote.asks, "sell", not quote.full)
        if quote.full:
            self.engine.set_book(bids, asks)
            return
        for ticks, lots in bids.items():
            self.engine.set_best("buy", ticks, lots)
        for ticks, lots in asks.items():
            self.engine.set_best("sell", ticks, lots)

    def snap_trade(self, price: int, size: int, taker: Side) -> tuple[int, int]:
        """A trade on this grid: a sale lands on a bid level, so it rounds as bids do."""
        return self._snap_price(price, OTHER[taker]), max(size // self.step_units, 1)

    def _snap(self, levels: Iterable[tuple[int, int]], side: Side, best_only: bool) -> Levels:
        """Levels on this market's grid, those that fall together added up."""
        snapped: Levels = {}
        left = self.depth_cap[side]
        for price, size in levels:
            lots = size // self.step_units
            if best_only:
                lots = max(lots, 1)  # the best level exists, however small
            if left is not None:
                lots = min(lots, left)
                left -= lots
            if lots:
                ticks = self._snap_price(price, side)
                snapped[ticks] = snapped.get(ticks, 0) + lots
        return snapped

    def _snap_price(self, price: int, side: Side) -> int:
        if self.shift_ppm:
            price = price * (1_000_000 + self.shift_ppm) // 1_000_000
        unit = self._grid(price)
        snapped = price // unit if side == "buy" else -(-price // unit)
        return snapped * unit // self.tick_units

    def _grid(self, price: int) -> int:
        """Distance of two prices near this one, in units."""
        if self.market.significant is None:
            return self.tick_units
        coarse: int = 10 ** max(len(str(price)) - self.market.significant, 0)
        return max(self.tick_units, min(coarse, UNIT))

    def mid(self) -> Decimal | None:
        bid, ask = self.engine.best_outside("buy"), self.engine.best_outside("sell")
        if bid is None or ask is None:
            return None
        return (bid + ask) * self.market.tick / 2


class Touched(set[int]):
    """Keys of levels that changed; says when it is no longer empty."""

    def __init__(self, wake: Callable[[], None]) -> None:
        super().__init__()
        self._wake = wake

    def add(self, key: int) -> None:
        if not self:
            self._wake()
        super().add(key)

    def __ior__(self, keys: AbstractSet[int]) -> Self:  # type: ignore[override, misc]
        if keys and not self:
            self._wake()
        self.update(keys)
        return self


class BookFeed:
    """What changed in one book since it was last asked; as many feeds as there are readers.

    Attributes:
        on_change: called when something has changed for the first time since then.
    """

    def __init__(self, board: Board) -> None:
        self.on_change: Callable[[], None] | None = None
        self._board = board
        self._seq = board.seq
        self._bids: set[int] = Touched(self._wake)
        self._asks: set[int] = Touched(self._wake)
        board.engine.halves["buy"].touched.append(self._bids)
        board.engine.halves["sell"].touched.append(self._asks)

    @property
    def changed(self) -> bool:
        return bool(self._bids or self._asks)

    def _wake(self) -> None:
        if self.on_change is not None and not self.changed:
            self.on_change()

    def take(self) -> BookChanged | None:
        """Everything changed since the last call as one update; None if nothing did."""
        if not self._bids and not self._asks:
            return None
        board = self._board
        board.seq += 1
        change = BookChanged(
            board.market.symbol,
            board.told("buy", sorted(self._bids)),
            board.told("sell", sorted(self._asks)),
            board.seq,
            self._seq,
            board.now_ns(),
        )
        self._seq = board.seq
        self._bids.clear()
        self._asks.clear()
        return change

    def close(self) -> None:
        for side, keys in (("buy", self._bids), ("sell", self._asks)):
            half = self._board.engine.halves[side]  # type: ignore[index]
            half.touched = [feed for feed in half.touched if feed is not keys]

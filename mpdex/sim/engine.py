"""Price-time matching of our orders inside a market made by others.

Prices are ticks and sizes are lots, both integers. The *outside* book is what a tape or a walk
says; orders of our accounts stand in it. Rules, in one place because results depend on them:

- A resting order joins behind everything outside at its price (`ahead`).
- A public trade at its price consumes `ahead` first, then the order; a trade through its price
  fills it at its own price.
- When the outside level shrinks without a trade, the leavers are spread evenly along the queue:
  `ahead` shrinks in proportion.
- When the outside book crosses the order (the other side's best reaches its price), the order
  fills up to what crosses, and eats it.
- An order of ours that takes eats the levels in order; what it ate is gone until that level's
  next outside update.
- Where it meets an order of its own account it stops, unless the venue takes that one away.

The key of a level is ticks for asks and minus ticks for bids: the smaller key is always better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mpdex.types import Side

SIGN: dict[Side, int] = {"buy": -1, "sell": 1}
OTHER: dict[Side, Side] = {"buy": "sell", "sell": "buy"}
Levels = dict[int, int]


@dataclass(slots=True, eq=False)
class Resting:
    """An order inside the book. `lots` is what remains; `ahead` what must trade before it."""

    id: str
    account: str
    side: Side
    ticks: int
    lots: int
    ahead: int = 0

    @property
    def key(self) -> int:
        return self.ticks * SIGN[self.side]


class Match(NamedTuple):
    """One execution; None stands for the outside market."""

    maker: Resting | None
    taker: Resting | None
    ticks: int
    lots: int


class Half:
    """One side of the book: outside levels by key, and our orders in priority."""

    __slots__ = ("orders", "outside", "own", "sign", "touched")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.outside: Levels = {}
        self.own: Levels = {}
        self.orders: list[Resting] = []
        self.touched: list[set[int]] = []  # of every feed: keys that changed

    def touch(self, key: int) -> None:
        for feed in self.touched:
            feed.add(key)

    def best_outside(self) -> int | None:
        return min(self.outside) if self.outside else None

    def best(self) -> int | None:
        """Key of the best level, ours included."""
        outside = self.best_outside()
        if not self.orders:
            return outside
        ours = self.orders[0].key
        return ours if outside is None or ours < outside else outside

    def total(self, key: int) -> int:
        return self.outside.get(key, 0) + self.own.get(key, 0)

    def keys(self) -> list[int]:
        """Keys of all levels, best first."""
        return sorted(self.outside.keys() | self.own.keys()) if self.own else sorted(self.outside)

    def take_outside(self, key: int, lots: int) -> None:
        left = self.outside.get(key, 0) - lots
        if left > 0:
            self.outside[key] = left
        else:
            self.outside.pop(key, None)
        self.touch(key)

    def add(self, order: Resting) -> None:
        key = order.key
        order.ahead = self.outside.get(key, 0)
        at = next((i for i, o in enumerate(self.orders) if o.key > key), len(self.orders))
        self.orders.insert(at, order)
        self.own[key] = self.own.get(key, 0) + order.lots
        self.touch(key)

    def reduce(self, order: Resting, lots: int) -> None:
        """Take lots off an order of ours; it leaves when nothing remains."""
        key = order.key
        order.lots -= lots
        self.own[key] -= lots
        if not self.own[key]:
            del self.own[key]
        if not order.lots:
            self.orders.remove(order)
        self.touch(key)

    def replace(self, levels: Levels) -> None:
        """A new outside book of this side; queues shrink where their level shrank."""
        for order in self.orders:
            self._requeue(order, levels.get(order.key, 0), levels)
        if self.touched:
            changed = {key for key, _ in self.outside.items() ^ levels.items()}
            for feed in self.touched:
                feed |= changed
        self.outside = levels

    def set_best(self, key: int, lots: int) -> None:
        """The best level is this one: better ones are gone, worse ones unchanged."""
        for better in [k for k in self.outside if k < key]:
            del self.outside[better]
            self.touch(better)
        for order in self.orders:
            if order.key < key:
                order.ahead = 0
            elif order.key == key:
                self._shrink(order, self.outside.get(key, 0), lots)
        if self.outside.get(key) != lots:
            self.outside[key] = lots
            self.touch(key)

    def clear_through(self, key: int) -> None:
        """Drop outside levels at least as good as `key` (the other side has moved there)."""
        for crossed in [k for k in self.outside if k <= key]:
            del self.outside[crossed]
            self.touch(crossed)

    def _requeue(self, order: Resting, now: int, levels: Levels) -> None:
        if now or not levels or order.key <= max(levels):
            self._shrink(order, self.outside.get(order.key, 0), now)
        # else: deeper than the levels that are told; nothing is known, the queue stays

    @staticmethod
    def _shrink(order: Resting, before: int, now: int) -> None:
        if now < before:
            order.ahead = min(order.ahead * now // before, now)
        elif not now:
            order.ahead = 0


class MatchingEngine:
    """One market: two halves and the rules above.

    Args:
        on_match: called for each execution, in order, while it happens.

    Attributes:
        on_own: told of a resting order that meets a taker of its own account; True: it took it
            out of the book, and the taker goes on.
    """

    def __init__(self, on_match: Callable[[Match], None]) -> None:
        self.halves: dict[Side, Half] = {"buy": Half(-1), "sell": Half(1)}
        self.on_own: Callable[[Resting], bool] = lambda _: False
        self._on_match = on_match

    # ---------------------------------------------------------------- the market of the others

    def set_book(self, bids: Levels, asks: Levels) -> None:
        """Replace the outside book; both sides are level -> lots, keyed by ticks."""
        self.halves["buy"].replace({-ticks: lots for ticks, lots in bids.items()})
        self.halves["sell"].replace(asks)
        self._fill_crossed()

    def set_best(self, side: Side, ticks: int, lots: int) -> None:
        """The outside best of one side is now this."""
        half = self.halves[side]
        half.set_best(ticks * half.sign, lots)
        self.halves[OTHER[side]].clear_through(-ticks * half.sign)
        self._fill_crossed()

    def trade(self, ticks: int, lots: int, taker: Side) -> None:
        """A public trade between others: it eats the queue at its price, then our orders."""
        half = self.halves[OTHER[taker]]
        key, left, eaten = ticks * half.sign, lots, 0
        for order in list(half.orders):
            if order.key > key:
                break
            if order.key == key:
                passed = min(max(order.ahead - eaten, 0), left)
                eaten, left = eaten + passed, left - passed
                order.ahead = max(order.ahead - eaten, 0)
            left -= self._fill(order, left)
        self._trade_outside(half, key, eaten + left)

    @staticmethod
    def _trade_outside(half: Half, key: int, lots: int) -> None:
        """Others trade among themselves; of their last known level a lot stays.

        Sources tell a few levels only: an empty side would mean that nobody is behind them.
        """
        if len(half.outside) == 1:
            lots = min(lots, half.outside.get(key, 1) - 1)
        if lots and key in half.outside:
            half.take_outside(key, lots)

    def _fill_crossed(self) -> None:
        """Fill our orders that the outside book of the other side has reached."""
        for side, half in self.halves.items():
            if half.orders:
                self._fill_half(half, self.halves[OTHER[side]])

    def _fill_half(self, half: Half, facing: Half) -> None:
        for order in list(half.orders):
            best = facing.best_outside()
            if best is None or best > -order.key:
                break
            for key in [k for k in sorted(facing.outside) if k <= -order.key]:
                facing.take_outside(key, self._fill(order, facing.outside[key]))

    def _fill(self, order: Resting, lots: int) -> int:
        done = min(order.lots, lots)
        if done > 0:
            self.halves[order.side].reduce(order, done)
            self._on_match(Match(order, None, order.ticks, done))
        return max(done, 0)

    # ---------------------------------------------------------------- our orders

    def crosses(self, side: Side, ticks: int) -> bool:
        """Whether an order would take at once."""
        best = self.halves[OTHER[side]].best()
        return best is not None and best <= -ticks * SIGN[side]

    def available(self, side: Side, ticks: int | None) -> int:
        """Lots that a taker could get up to a limit."""
        half = self.halves[OTHER[side]]
        return sum(half.total(key) for key in self._reach(half, side, ticks))

    def take(self, order: Resting, limit: int | None) -> bool:
        """Execute against what is there, best first.

        Returns: False when it met an order of its own account and stopped there (see `on_own`).
        """
        half = self.halves[OTHER[order.side]]
        for key in self._reach(half, order.side, limit):
            if not self._take_level(half, key, order):
                return False
            if not order.lots:
                break
        return True

    def _take_level(self, half: Half, key: int, taker: Resting) -> bool:
        eaten = 0
        for maker in [o for o in half.orders if o.key == key]:
            eaten += self._take_outside(half, key, taker, min(maker.ahead - eaten, taker.lots))
            maker.ahead = max(maker.ahead - eaten, 0)
            if not taker.lots:
                return True
            if not maker.lots:
                continue  # ended while we were matching
            if maker.account == taker.account:
                if not self.on_own(maker):
                    return False
                continue
            self._cross(half, maker, taker)
        self._take_outside(half, key, taker, min(half.outside.get(key, 0), taker.lots))
        return True

    def _take_outside(self, half: Half, key: int, taker: Resting, lots: int) -> int:
        lots = min(lots, half.outside.get(key, 0))
        if lots <= 0:
            return 0
        half.take_outside(key, lots)
        taker.lots -= lots
        self._on_match(Match(None, taker, abs(key), lots))
        return lots

    def _cross(self, half: Half, maker: Resting, taker: Resting) -> None:
        lots = min(maker.lots, taker.lots)
        half.reduce(maker, lots)
        taker.lots -= lots
        self._on_match(Match(maker, taker, maker.ticks, lots))

    @staticmethod
    def _reach(half: Half, side: Side, limit: int | None) -> list[int]:
        keys = half.keys()
        if limit is None:
            return keys
        worst = -limit * SIGN[side]
        return [key for key in keys if key <= worst]

    def rest(self, order: Resting) -> None:
        """Put what remains of an order into the book."""
        self.halves[order.side].add(order)

    def remove(self, order: Resting) -> bool:
        """Take an order out; False if it is not in."""
        half = self.halves[order.side]
        if order not in half.orders:
            return False
        half.reduce(order, order.lots)
        return True

    def shrink(self, order: Resting, lots: int) -> None:
        """Leave at most so many lots of a resting order."""
        if order.lots > lots:
            self.halves[order.side].reduce(order, order.lots - lots)

    def hit(self, order: Resting, lots: int) -> int:
        """Fill a resting order out of turn (a fault, a hidden counterparty)."""
        return self._fill(order, lots)

    # ---------------------------------------------------------------- reading

    def best(self, side: Side) -> int | None:
        """Best price in ticks, ours included."""
        key = self.halves[side].best()
        return None if key is None else abs(key)

    def best_outside(self, side: Side) -> int | None:
        """Best price in ticks of the others."""
        key = self.halves[side].best_outside()
        return None if key is None else abs(key)

    def levels(self, side: Side, depth: int | None) -> Iterator[tuple[int, int]]:
        """(ticks, lots) best first, ours included."""
        half = self.halves[side]
        for key in half.keys()[:depth]:
            yield abs(key), half.total(key)

"""What the books have shown over time: which of them is to be believed, and how far they are apart.

One update says little about a book. A price that leaps is believed when a second update repeats it;
a crossed book is taken for a passing one for a moment; a book that is silent while the other
venue's price moves on is not the market any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from mpdex.types import Side
from strategies.basis import Basis, gap_bps
from strategies.limits import Limits
from strategies.words import BookTick, Level, Role

_BPS = Decimal(10_000)


class Own(NamedTuple):
    """A quote of ours that the book may show."""

    side: Side
    price: Decimal
    size: Decimal


class Best(NamedTuple):
    """The best prices of a book."""

    bid: Decimal
    ask: Decimal

    @property
    def spread_bps(self) -> Decimal:
        return (self.ask - self.bid) / self.bid * _BPS


@dataclass(slots=True)
class Books:
    """Memory of both books.

    Attributes:
        basis: how far the mids are apart; our own quote is no part of a mid.
        best: the last believed bid and ask of each, without our own quote.
        mids: their middle.
        suspects: mid of a single update that leapt.
        crossed_since: since when a book has been crossed or locked.
        hollow: venues where nobody but us is on one of the sides.
        anchors: mid of the other venue when each spoke last.
    """

    limits: Limits
    basis: Basis
    best: dict[Role, Best] = field(default_factory=dict)
    mids: dict[Role, Decimal] = field(default_factory=dict)
    suspects: dict[Role, Decimal] = field(default_factory=dict)
    crossed_since: dict[Role, float] = field(default_factory=dict)
    hollow: set[Role] = field(default_factory=set)
    anchors: dict[Role, Decimal] = field(default_factory=dict)

    @classmethod
    def by(cls, limits: Limits) -> Books:
        return cls(limits, Basis(limits))

    def see(self, tick: BookTick, own: Own | None = None) -> bool:
        """Takes one update; False where it is not to be believed yet."""
        role = tick.role
        best = best_of_others(tick, own)
        if best is None:
            self.hollow.add(role)
            return True
        self.hollow.discard(role)
        if crossed(tick):
            self.crossed_since.setdefault(role, tick.at)
            return True
        self.crossed_since.pop(role, None)
        mid = (best.bid + best.ask) / 2
        if self._leaps(role, mid):
            self.suspects[role] = mid
            return False
        self.suspects.pop(role, None)
        self.best[role], self.mids[role] = best, mid
        self._compare(role, tick.at)
        return True

    def forget(self, role: Role) -> None:
        """Its stream was lost: whatever comes next is news, not a leap."""
        self.mids.pop(role, None)
        self.suspects.pop(role, None)
        self.crossed_since.pop(role, None)

    def _leaps(self, role: Role, mid: Decimal) -> bool:
        """Far from what was believed, and from what the update before said."""
        known = self.mids.get(role)
        if known is None or not self._far(mid, known):
            return False
        suspect = self.suspects.get(role)
        return suspect is None or self._far(mid, suspect)

    def _far(self, mid: Decimal, other: Decimal) -> bool:
        return abs(mid - other) * _BPS > other * self.limits.outlier_bps

    def _compare(self, role: Role, now: float) -> None:
        here, there = self.mids.get("primary"), self.mids.get("hedge")
        other = there if role == "primary" else here
        if other is not None:
            self.anchors[role] = other
        if here is not None and there is not None:
            self.basis.learn(here, there, now)

    @property
    def gap(self) -> Decimal | None:
        """The basis of now, in bps."""
        here, there = self.mids.get("primary"), self.mids.get("hedge")
        return None if here is None or there is None else gap_bps(here, there)

    @property
    def usual_difference(self) -> Decimal | None:
        """How much dearer the primary usually is, as a price; None: not known yet."""
        price = self.mids.get("primary") or self.mids.get("hedge")
        if price is None or not self.basis.guessed:
            return None
        return self.basis.median * price / _BPS

    def frozen(self, role: Role, silent: float) -> str:
        """Why a book that is silent for so long is not the market; "" if it may be."""
        other: Role = "hedge" if role == "primary" else "primary"
        before, now = self.anchors.get(role), self.mids.get(other)
        if silent <= self.limits.frozen_after or before is None or now is None:
            return ""
        moved = abs(now - before) / before * _BPS
        if moved <= self.limits.frozen_bps:
            return ""
        return f"{role} book is silent while the {other} moved {moved:.1f} bps"


def crossed(tick: BookTick) -> bool:
    """No market: somebody would buy for more than somebody sells for, or for as much."""
    return bool(tick.bids and tick.asks) and tick.bids[0][0] >= tick.asks[0][0]


def best_of_others(tick: BookTick, own: Own | None = None) -> Best | None:
    """What a stranger would see; None where a side is empty."""
    bid = _best(tick.bids, own if own is not None and own.side == "buy" else None)
    ask = _best(tick.asks, own if own is not None and own.side == "sell" else None)
    return None if bid is None or ask is None else Best(bid, ask)


def _best(levels: tuple[Level, ...], own: Own | None) -> Decimal | None:
    for price, size in levels:
        if own is None or price != own.price or size > own.size:
            return price
    return None

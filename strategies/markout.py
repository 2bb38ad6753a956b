"""Whether quotes are hit by those who know more: the price a while after each fill of a quote.

A mark-out is what the fill gained by then, in bps of its price: a purchase gains when the mid
rises. A mean of the last twenty below the limit makes quotes keep a step away from the best price;
twenty more below it, a pause.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from mpdex.types import Side
from strategies.limits import Limits

_BPS = Decimal(10_000)
# A first look, for the report only.
_SOON = 1.0


@dataclass(frozen=True, slots=True)
class _Mark:
    due: float
    side: Side
    price: Decimal

    def gain(self, mid: Decimal) -> Decimal:
        sign = 1 if self.side == "buy" else -1
        return sign * (mid - self.price) / self.price * _BPS


@dataclass(slots=True)
class Markouts:
    """The last fills and what became of them.

    Attributes:
        wide: quotes keep a step away.
        paused_until: monotonic; no quotes before.
    """

    limits: Limits
    wide: bool = False
    paused_until: float = 0.0
    soon: deque[Decimal] = field(default_factory=lambda: deque(maxlen=1000))
    late: deque[Decimal] = field(default_factory=lambda: deque(maxlen=1000))
    _recent: list[Decimal] = field(default_factory=list)
    _soon_due: deque[_Mark] = field(default_factory=deque)
    _late_due: deque[_Mark] = field(default_factory=deque)

    def filled(self, side: Side, price: Decimal, now: float) -> None:
        """A quote traded."""
        self._soon_due.append(_Mark(now + _SOON, side, price))
        self._late_due.append(_Mark(now + self.limits.markout_after, side, price))

    def learn(self, mid: Decimal, now: float) -> None:
        """The primary's mid is this now."""
        while self._soon_due and self._soon_due[0].due <= now:
            self.soon.append(self._soon_due.popleft().gain(mid))
        while self._late_due and self._late_due[0].due <= now:
            self._judge(self._late_due.popleft().gain(mid), now)

    def _judge(self, gain: Decimal, now: float) -> None:
        self.late.append(gain)
        self._recent.append(gain)
        if len(self._recent) < self.limits.markout_fills:
            return
        toxic = _mean(self._recent) < self.limits.markout_bps
        if not toxic:
            self.wide = False
            del self._recent[0]
            return
        if self.wide:
            self.paused_until = now + self.limits.markout_pause
        self.wide = True
        self._recent.clear()

    def summary(self) -> dict[str, str | None]:
        """Means over the run, in bps."""
        return {
            "markout_1s_bps": _text(self.soon),
            f"markout_{self.limits.markout_after:g}s_bps": _text(self.late),
        }


def _mean(gains: list[Decimal] | deque[Decimal]) -> Decimal:
    return sum(gains, Decimal(0)) / len(gains)


def _text(gains: deque[Decimal]) -> str | None:
    return str(_mean(gains).quantize(Decimal("0.0001"))) if gains else None

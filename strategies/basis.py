"""How far apart the two venues' prices usually are: a rolling median, and how much it scatters.

The basis is `mid_P - mid_H`, kept in bps of `mid_P`, so that it stays true while the price moves.
It is sampled at most every quarter of a second over five minutes. Samples are kept in order of
size beside their order in time: a new one costs two bisections, the median is in the middle, and
the median deviation is found by one more bisection. Nothing is computed between two samples.

How much it is to be trusted:

    below `basis_first` samples (2 s)     not known: no quote that needs it.
    below `basis_samples` samples (15 s)  young: the median counts, and whoever quotes by it leaves
                                          a margin of one deviation. Waiting longer would protect
                                          from nothing that the gates do not see anyway.
    from there on                         known: and only now can a price be called unusual.

Both times are over before the first quote of a run, whose preflight watches the books longer.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from strategies.limits import Limits

BPS = Decimal(10_000)
_PLACES = Decimal("0.0001")
# Samples written down for a restart: enough to be known at once, few enough for a journal line.
_KEPT = 240

State: TypeAlias = dict[str, Any]


def gap_bps(here: Decimal, there: Decimal) -> Decimal:
    """The basis of one moment. `here`, `there`: mids of the primary and of the hedge venue."""
    return ((here - there) / here * BPS).quantize(_PLACES)


class Basis:
    """The rolling model.

    Attributes:
        median, mad: in bps; zero until there is a sample.
    """

    __slots__ = ("_limits", "_samples", "_sorted", "mad", "median")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._samples: deque[tuple[float, Decimal]] = deque()
        self._sorted: list[Decimal] = []
        self.median = self.mad = Decimal(0)

    def learn(self, here: Decimal, there: Decimal, now: float) -> None:
        """Takes the two mids of now, unless the last sample is too young."""
        if self._samples and now - self._samples[-1][0] < self._limits.basis_interval:
            return
        self._forget(now - self._limits.basis_window)
        self._add(now, gap_bps(here, there))
        self._sum_up()

    @property
    def count(self) -> int:
        return len(self._samples)

    @property
    def guessed(self) -> bool:
        """Whether there is anything to go by."""
        return self.count >= self._limits.basis_first

    @property
    def known(self) -> bool:
        return self.count >= self._limits.basis_samples

    @property
    def spread(self) -> Decimal:
        """The usual deviation, and never less than what rounding to ticks makes."""
        return max(self.mad, self._limits.basis_floor_bps)

    @property
    def margin(self) -> Decimal:
        """What a young median may be wrong by."""
        return Decimal(0) if self.known else self.spread

    def unusual(self, gap: Decimal) -> str:
        """Why nobody should quote by this basis; "" if one may, or if it is too early to tell."""
        limits = self._limits
        if not self.known:
            return ""
        if self.mad > limits.basis_mad_bps:
            return f"the basis scatters by {self.mad:.1f} bps"
        away = abs(gap - self.median)
        if away > limits.basis_mads * self.spread:
            return f"the basis is {gap:.1f} bps, usually {self.median:.1f}"
        return ""

    # ----------------------------------------------------------------- a restart

    def dump(self, now: float) -> State:
        """The model as plain data: ages in seconds, oldest first, and bps as text."""
        thinned = list(self._samples)[:: -(-len(self._samples) // _KEPT) or 1]
        return {
            "ages": [round(now - at, 2) for at, _ in thinned],
            "bps": [str(gap) for _, gap in thinned],
        }

    def restore(self, state: Mapping[str, Any], now: float, elapsed: float) -> None:
        """Goes on from a dump that was made `elapsed` seconds ago."""
        self._samples.clear()
        self._sorted.clear()
        for age, gap in zip(state["ages"], state["bps"], strict=True):
            self._add(now - elapsed - float(age), Decimal(gap))  # seconds
        self._forget(now - self._limits.basis_window)
        self._sum_up()

    # ----------------------------------------------------------------- arithmetic

    def _add(self, at: float, gap: Decimal) -> None:
        self._samples.append((at, gap))
        insort(self._sorted, gap)

    def _forget(self, before: float) -> None:
        while self._samples and self._samples[0][0] < before:
            _, gap = self._samples.popleft()
            del self._sorted[bisect_left(self._sorted, gap)]

    def _sum_up(self) -> None:
        if self._sorted:
            self.median = median_of(self._sorted)
            self.mad = deviation_of(self._sorted, self.median)


def median_of(ordered: Sequence[Decimal]) -> Decimal:
    """The middle of numbers in order."""
    high = len(ordered) // 2
    return ordered[high] if len(ordered) % 2 else (ordered[high - 1] + ordered[high]) / 2


def deviation_of(ordered: Sequence[Decimal], center: Decimal) -> Decimal:
    """The middle of the distances from `center` (median absolute deviation)."""
    high = len(ordered) // 2
    upper = _nth_distance(ordered, center, high)
    return upper if len(ordered) % 2 else (_nth_distance(ordered, center, high - 1) + upper) / 2


def _nth_distance(ordered: Sequence[Decimal], center: Decimal, nth: int) -> Decimal:
    """Distances grow from the center to both ends; `below` of the nearest nth + 1 lie below it."""
    pivot, wanted = bisect_left(ordered, center), nth + 1
    low, high = max(0, wanted - (len(ordered) - pivot)), min(wanted, pivot)
    while low < high:
        below = (low + high) // 2
        if center - ordered[pivot - below - 1] < ordered[pivot + wanted - below - 1] - center:
            low = below + 1
        else:
            high = below
    left = center - ordered[pivot - low] if low else Decimal(0)
    right = ordered[pivot + wanted - low - 1] - center if wanted > low else Decimal(0)
    return max(left, right)

"""Venue limits, kept before they are hit, with the urgent served first.

One weighted bucket for each scope a venue meters. A unit comes back one whole window after it was
spent, so that no window, rolling or fixed, ever holds more than the venue's count; a bucket that
refills steadily could hold nearly twice as much. Of the count, a reserve is for cancels and hedges
alone. Waiters go by lane, then first come first served; nobody overtakes a waiter of equal or
greater urgency, and no lane ever waits for a less urgent one.

aiolimiter and pyrate-limiter do not fit: neither orders its waiters by lane nor keeps part of a
bucket back for some of them.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count

from mpdex.types import Lane, Limit
from mpdex.utils.clock import Clock

# A request sent late may overtake nothing but can arrive early in its window: round trips to
# a venue vary by tens of milliseconds, so a unit is held back this much longer.
_SLACK = 0.1
# Spends this close together (as a share of the window) are remembered as one.
_GRAIN = 0.01
# Timers fire up to one clock resolution early; a little more keeps a waiter from waking in vain.
_LATE = 1e-5

_UNLIMITED = Limit(0, 0.0)

_hurry: ContextVar[Lane | None] = ContextVar("hurry", default=None)


@contextmanager
def hurried(lane: Lane) -> Iterator[None]:
    """What is asked of a venue inside is at least as urgent as that, whatever it is usually."""
    token = _hurry.set(lane)
    try:
        yield
    finally:
        _hurry.reset(token)


class Throttle:
    """Buckets by scope; a scope without a limit is only counted and frozen.

    Args:
        reserve: part of each count that is for cancels and hedges alone.
        share: part of each count that is ours, where others use the same key or address.

    Attributes:
        spent: units taken so far, by (scope, lane).
    """

    def __init__(
        self,
        limits: Mapping[str, Limit],
        *,
        clock: Clock,
        reserve: float = 0.3,
        share: float = 1.0,
    ) -> None:
        self.spent: Counter[tuple[str, Lane]] = Counter()
        self._clock = clock
        self._reserve = reserve
        self._buckets = {
            scope: _Bucket(_part(limit, share), reserve, clock) for scope, limit in limits.items()
        }

    def try_acquire(self, scope: str, weight: int = 1, lane: Lane = Lane.QUERY) -> bool:
        """Takes `weight` now, or nothing."""
        lane = _urgency(lane)
        if not self._bucket(scope).take(weight, lane):
            return False
        self.spent[scope, lane] += weight
        return True

    async def acquire(self, scope: str, weight: int = 1, lane: Lane = Lane.QUERY) -> None:
        """Takes `weight` as soon as the limit and the more urgent allow."""
        lane = _urgency(lane)
        if not self.try_acquire(scope, weight, lane):
            await self._bucket(scope).wait_turn(weight, lane)
            self.spent[scope, lane] += weight

    def penalize(self, scope: str, lane: Lane, seconds: float) -> None:
        """The venue said "too many": nothing of this urgency or less for `seconds`."""
        self._bucket(scope).freeze(lane, seconds)

    def observe(self, scope: str, left: int) -> None:
        """The venue says how many units are left: somebody else may use them, too."""
        self._bucket(scope).observe(left)

    def _bucket(self, scope: str) -> _Bucket:
        bucket = self._buckets.get(scope)
        if bucket is None:
            bucket = self._buckets[scope] = _Bucket(_UNLIMITED, self._reserve, self._clock)
        return bucket


def _urgency(lane: Lane) -> Lane:
    hurry = _hurry.get()
    return lane if hurry is None else min(lane, hurry)


def _part(limit: Limit, share: float) -> Limit:
    return Limit(max(int(limit.count * share), 1), limit.seconds)


class _Bucket:
    def __init__(self, limit: Limit, reserve: float, clock: Clock) -> None:
        self._clock = clock
        self._unlimited = limit is _UNLIMITED
        self._count = limit.count
        self._open = limit.count - int(limit.count * reserve)
        self._grain = limit.seconds * _GRAIN
        self._hold = limit.seconds + self._grain + _SLACK
        self._used = 0
        self._slots: deque[list[float | int]] = deque()  # [time of first spend, units]
        self._frozen_until = dict.fromkeys(Lane, 0.0)
        self._waiters: list[tuple[Lane, int, int, asyncio.Future[None]]] = []
        self._arrivals = count()
        self._timer: asyncio.TimerHandle | None = None

    def take(self, weight: int, lane: Lane) -> bool:
        if self._waiters and self._waiters[0][0] <= lane:
            return False
        return self._take(weight, lane, self._clock.monotonic())

    async def wait_turn(self, weight: int, lane: Lane) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, (lane, next(self._arrivals), weight, turn))
        self._serve()
        try:
            await turn
        finally:
            if turn.cancelled():
                self._serve()  # whoever stood behind may be able to go now

    def freeze(self, lane: Lane, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        for held in Lane:
            if held >= lane:
                self._frozen_until[held] = max(self._frozen_until[held], until)

    def observe(self, left: int) -> None:
        """What is missing beyond our own use was taken by others, and comes back as ours does."""
        if self._unlimited:
            return
        now = self._clock.monotonic()
        self._return_units(now)
        others = self._count - self._used - left
        if others > 0:
            self._remember(others, now)

    def _take(self, weight: int, lane: Lane, now: float) -> bool:
        if now < self._frozen_until[lane]:
            return False
        if self._unlimited:
            return True
        self._return_units(now)
        if self._used and self._used + weight > self._bound(lane):
            return False  # an empty bucket serves even a weight above its count
        self._remember(weight, now)
        return True

    def _bound(self, lane: Lane) -> int:
        return self._count if lane <= Lane.HEDGE else self._open

    def _remember(self, weight: int, now: float) -> None:
        self._used += weight
        if self._slots and now - self._slots[-1][0] < self._grain:
            self._slots[-1][1] += weight
        else:
            self._slots.append([now, weight])

    def _return_units(self, now: float) -> None:
        while self._slots and self._slots[0][0] + self._hold <= now:
            self._used -= int(self._slots.popleft()[1])

    def _serve(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._clock.monotonic()
        while self._waiters:
            lane, _, weight, turn = self._waiters[0]
            if not turn.done() and not self._take(weight, lane, now):
                self._serve_later(weight, lane, now)
                return
            heapq.heappop(self._waiters)
            if not turn.done():
                turn.set_result(None)

    def _serve_later(self, weight: int, lane: Lane, now: float) -> None:
        wait = max(self._frozen_until[lane], self._free_at(weight, lane), now) - now
        self._timer = asyncio.get_running_loop().call_later(wait + _LATE, self._serve)

    def _free_at(self, weight: int, lane: Lane) -> float:
        """When enough units will have come back."""
        missing, free_at = self._used + weight - self._bound(lane), 0.0
        for spent_at, units in self._slots:
            if missing <= 0:
                break
            missing -= int(units)
            free_at = spent_at + self._hold
        return free_at

"""Time comes from here and from nowhere else.

`SystemClock` is the machine's. `LoopClock` reads any loop's time and pins it to a wall-clock epoch,
so that an hour of a `VirtualLoop` is an hour for signatures, expiries and journals too.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio


class Clock(Protocol):
    """What the rest of the code may know about time."""

    def monotonic(self) -> float:
        """Seconds that only grow; for ages and deadlines."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch; for signatures and records."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        return time.monotonic()  # noqa: TID251  (the one place)

    def now_ns(self) -> int:
        return time.time_ns()  # noqa: TID251  (the one place)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000  # noqa: TID251  (the one place)


# A smaller difference harms nobody, and the way of the answer that tells it is no shorter.
_FAR_MS = 500.0


class VenueClock:
    """A venue's time: the machine's, and corrected where that is far off.

    Every proof carries the time, and a venue refuses one of another hour; what has to be sent must
    not depend on what somebody does to the machine's clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_ns = 0

    def correct(self, skew_ms: float) -> None:
        """Takes note of how far the venue's clock is ahead of the machine's."""
        self._ahead_ns = int(skew_ms * 1e6) if abs(skew_ms) > _FAR_MS else 0

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def now_ns(self) -> int:
        return self._clock.now_ns() + self._ahead_ns

    def now_ms(self) -> int:
        return self.now_ns() // 1_000_000


class LoopClock:
    """A loop's time, pinned to an epoch; skew and steps can be injected.

    Args:
        loop: whose `time()` is read.
        epoch_ns: wall time at loop time 0.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, epoch_ns: int) -> None:
        self._loop = loop
        self.epoch_ns = epoch_ns
        self.skew_ns = 0

    def monotonic(self) -> float:
        return self._loop.time()

    def now_ns(self) -> int:
        return self.epoch_ns + self.skew_ns + int(self._loop.time() * 1e9)

    def now_ms(self) -> int:
        return self.now_ns() // 1_000_000

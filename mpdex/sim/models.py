"""What the simulated world costs: time on the way, and fees; and the timers that make it wait.

Assumed values, stated here because a result depends on them: 10 ms each way with up to 5 ms of
jitter is a server in the venue's region.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from mpdex.types import Liquidity

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyModel:
    """Seconds on the way, one way each.

    Attributes:
        request, response: of a REST call or of a call over a socket.
        stream: of a pushed frame.
        jitter: upper end of a uniform addition to each of the three.
        taker_delay: the venue holds an order that may take for so long before it matches.
    """

    request: float = 0.010
    response: float = 0.010
    stream: float = 0.010
    jitter: float = 0.005
    taker_delay: float = 0.0

    def draw(self, base: float, rng: random.Random) -> float:
        return base + rng.random() * self.jitter


NO_LATENCY = LatencyModel(request=0.0, response=0.0, stream=0.0, jitter=0.0)


@dataclass(frozen=True, slots=True)
class FeeModel:
    """Fractions of notional; negative: received."""

    maker: Decimal = Decimal("0.0002")
    taker: Decimal = Decimal("0.0005")

    def fee(self, notional: Decimal, liquidity: Liquidity) -> Decimal:
        return notional * (self.maker if liquidity == "maker" else self.taker)


class Timers:
    """Calls for later that can all be taken back. No tasks: only the loop's own timers."""

    def __init__(self) -> None:
        self._handles: set[asyncio.TimerHandle] = set()
        self._closed = False

    def after(self, seconds: float, call: Callable[[], object]) -> None:
        """Call once, `seconds` from now; never after `close`."""
        if self._closed:
            return
        handle: asyncio.TimerHandle

        def fire() -> None:
            self._handles.discard(handle)
            call()

        handle = asyncio.get_running_loop().call_later(max(seconds, 0.0), fire)
        self._handles.add(handle)

    def close(self) -> None:
        self._closed = True
        for handle in self._handles:
            handle.cancel()
        self._handles.clear()


class Pipe(Generic[T]):
    """A line that delays and never overtakes."""

    def __init__(self, deliver: Callable[[T], None]) -> None:
        self._deliver = deliver
        self._waiting: deque[tuple[float, T]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def push(self, item: T, seconds: float) -> None:
        """Deliver after a while, but not before what was pushed earlier."""
        due = asyncio.get_running_loop().time() + seconds
        if self._waiting:
            due = max(due, self._waiting[-1][0])
        self._waiting.append((due, item))
        self._arm()

    def close(self) -> None:
        """Forget what is under way."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        if self._timer is None and self._waiting:
            self._timer = asyncio.get_running_loop().call_at(self._waiting[0][0], self._flush)

    def _flush(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time() + 1e-6  # a timer may be a hair early
        try:
            while self._waiting and self._waiting[0][0] <= now:
                self._deliver(self._waiting.popleft()[1])
        finally:
            self._arm()

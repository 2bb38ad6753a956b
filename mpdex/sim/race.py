"""Frames about an account against the answers that caused them: in order, sometimes held back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mpdex.sim.models import Timers
from mpdex.utils.clock import Clock


class Race:
    """Sends in order, now or after a lag; never past what is still held."""

    def __init__(self, clock: Clock, timers: Timers) -> None:
        self._clock = clock
        self._timers = timers
        self._held: deque[Callable[[], None]] = deque()
        self._due = 0.0
        self._lag = 0.0

    @contextmanager
    def held_for(self, seconds: float) -> Iterator[None]:
        """What is pushed inside goes out so much later."""
        self._lag = seconds
        try:
            yield
        finally:
            self._lag = 0.0

    def push(self, send: Callable[[], None]) -> None:
        now = self._clock.monotonic()
        self._due = max(self._due, now + self._lag)
        if self._due <= now and not self._held:
            send()
            return
        self._held.append(send)
        self._timers.after(self._due - now, lambda: self._held.popleft()())

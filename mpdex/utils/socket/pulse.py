"""Whether a connection still lives: a timer for silence and one for our own pings.

A frame stores the time and nothing else; the timers compare when they fire. (A timer re-armed, or
a `wait_for`, on every frame costs more than reading the frame.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Pulse:
    """Life signs of one connection.

    Args:
        silence: seconds without any frame after which the connection is dead; None: never.
        interval: seconds between our pings; None: no ping is ever sent.
        misses: pings in a row that may go without any frame before the connection is dead.
        ping: sends one.
        dead: told once, with the reason.
    """

    def __init__(
        self,
        *,
        silence: float | None,
        interval: float | None,
        misses: int,
        ping: Callable[[], None],
        dead: Callable[[str], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._silence = silence
        self._interval = interval
        self._misses = misses
        self._ping = ping
        self._dead = dead
        self._heard_at = self._loop.time()
        self._pinged_at: float | None = None
        self._missed = 0
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def start(self) -> None:
        self.heard()
        if self._silence is not None:
            self._timers["silence"] = self._loop.call_later(self._silence, self._listen)
        if self._interval is not None:
            self._timers["ping"] = self._loop.call_later(self._interval, self._beat)

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def heard(self) -> None:
        """Any frame, control frames included, is a sign of life."""
        self._heard_at = self._loop.time()

    def _listen(self) -> None:
        assert self._silence is not None
        left = self._heard_at + self._silence - self._loop.time()
        if left > 0:
            self._timers["silence"] = self._loop.call_later(left, self._listen)
        else:
            self._end(f"nothing received for {self._silence:g} s")

    def _beat(self) -> None:
        assert self._interval is not None
        unanswered = self._pinged_at is not None and self._heard_at < self._pinged_at
        self._missed = self._missed + 1 if unanswered else 0
        if self._missed >= self._misses:
            self._end(f"{self._missed} pings without an answer")
            return
        self._pinged_at = self._loop.time()
        self._timers["ping"] = self._loop.call_later(self._interval, self._beat)
        self._ping()

    def _end(self, reason: str) -> None:
        self.stop()
        self._dead(reason)

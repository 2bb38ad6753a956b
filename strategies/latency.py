"""How long hedges take, and when that is too long to go on quoting."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import ceil

from strategies.limits import Limits

_SHARE = 0.95


@dataclass(slots=True)
class Latencies:
    """The last hedges, in seconds from the order to its fill, by our own clock.

    Hedges that have not been made yet count as quick, so one slow hedge is an accident and two of
    twenty are a state. After the pause that follows, counting begins anew: nothing but another
    hedge can show that the venue is well again.

    Attributes:
        paused_until: monotonic; no quotes before.
    """

    limits: Limits
    paused_until: float = 0.0
    recent: deque[float] = field(default_factory=deque)

    def learn(self, seconds: float, now: float) -> None:
        """A hedge was filled."""
        limits = self.limits
        self.recent.append(seconds)
        if len(self.recent) > limits.hedge_latencies:
            self.recent.popleft()
        slow = sum(1 for taken in self.recent if taken > limits.hedge_latency)
        if slow > limits.hedge_latencies - ceil(_SHARE * limits.hedge_latencies):
            self.paused_until = now + limits.hedge_pause
            self.recent.clear()

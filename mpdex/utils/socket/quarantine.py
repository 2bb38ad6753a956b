"""What happens to a frame that cannot be handled: set aside and counted, never hidden, never fatal.

One bad frame must not end a connection, and a stream of them must not look like a live one.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable
from types import TracebackType

from mpdex.utils.clock import Clock

log = logging.getLogger(__name__)

# So many within so many seconds: the stream is not to be trusted (rule WS-11 of the fault list).
LIMIT = 3
WINDOW_SECONDS = 10.0


class Quarantine:
    """`with quarantine:` around the handling of one frame, at the edge of the event loop.

    Args:
        name: of the connection, for the log.
        overflow: told when LIMIT is reached within WINDOW_SECONDS.

    Attributes:
        counts: kind of failure -> how often; each kind is logged once.
    """

    def __init__(self, name: str, clock: Clock, overflow: Callable[[str], None]) -> None:
        self.counts: Counter[str] = Counter()
        self._name = name
        self._clock = clock
        self._overflow = overflow
        self._recent: deque[float] = deque(maxlen=LIMIT)

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self._add(error, traceback)
        return True

    def _add(self, error: Exception, traceback: TracebackType | None) -> None:
        kind = f"{type(error).__name__} in {_place(traceback)}"
        self.counts[kind] += 1
        if self.counts[kind] == 1:
            log.error("%s: a frame was set aside: %s: %s", self._name, kind, error)
        now = self._clock.monotonic()
        self._recent.append(now)
        if len(self._recent) == LIMIT and now - self._recent[0] <= WINDOW_SECONDS:
            self._recent.clear()
            self._overflow(f"{LIMIT} frames in {WINDOW_SECONDS:g} s could not be handled")


def _place(traceback: TracebackType | None) -> str:
    """The function that raised."""
    name = "?"
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_qualname
        traceback = traceback.tb_next
    return name

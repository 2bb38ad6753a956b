"""An event loop whose time jumps to the next timer as soon as nothing is ready.

Sockets stay real (loopback); waiting costs nothing.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

# A jump longer than this first gives the kernel one real millisecond to deliver bytes in flight.
# Loopback delivery is synchronous in practice (0 late in 200,000); a short jump does no harm even
# if it were not, a long one could fire a time-out that never was, and none is shorter than this.
_SETTLE_ABOVE = 0.25
_SETTLE_SECONDS = 0.001


class _JumpSelector(selectors.BaseSelector):
    """Never waits for a timer: it moves the time instead."""

    def __init__(self, real: selectors.BaseSelector) -> None:
        self._real = real
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            return self._real.select(None)
        if timeout > _SETTLE_ABOVE:
            ready = self._real.select(_SETTLE_SECONDS)
            if ready:
                return ready
        self.now += max(timeout, 0.0)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Any:
        return self._real.get_map()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits for time. Everything in it must live in this one process."""

    def __init__(self) -> None:
        self._jump = _JumpSelector(selectors.DefaultSelector())
        super().__init__(self._jump)
        # Two float ulps at a year of virtual seconds; the default (1 ns) would spin.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._jump.now


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on a `VirtualLoop`."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)

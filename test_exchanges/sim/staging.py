"""Tests that play on a stage: a simulated venue without a server, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from mpdex.utils.virtual_loop import VirtualLoop, run_virtual

S = TypeVar("S")
Test = Callable[[S], Coroutine[Any, Any, None]]


def stager(make: Callable[[VirtualLoop], AbstractContextManager[S]]) -> Any:
    """A decorator: the test gets a stage of its own."""

    def staged(test: Test[S]) -> Callable[[], None]:
        async def play() -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            with make(loop) as stage:
                await test(stage)

        def run() -> None:
            run_virtual(play())

        run.__name__, run.__doc__ = test.__name__, test.__doc__
        return run

    return staged

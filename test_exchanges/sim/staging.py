"""Tests that play on a stage of a simulated venue, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any, Self, TypeVar

from mpdex.sim.board import UNIT, Quote
from mpdex.sim.exchange import SimExchange
from mpdex.sim.models import Timers
from mpdex.utils.virtual_loop import VirtualLoop, run_virtual

S = TypeVar("S")
Test = Callable[[S], Coroutine[Any, Any, None]]


class Closing:
    """A stage that takes its timers back."""

    timers: Timers
    exchange: SimExchange

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.timers.close()
        self.exchange.close()


def ladder(bid: str, ask: str, size: str, apart: int = UNIT // 100) -> Quote:
    """A book of ten levels a side, so many units apart."""
    lots = int(Decimal(size) * UNIT)
    best = (int(Decimal(bid) * UNIT), -apart), (int(Decimal(ask) * UNIT), apart)
    bids, asks = ([(price + i * step, lots) for i in range(10)] for price, step in best)
    return Quote(bids, asks, True)


def stager(
    stage_of: Callable[[VirtualLoop], AbstractContextManager[S]],
) -> Callable[[Test[S]], Callable[[], None]]:
    """Makes the decorator of such tests: each gets a stage of its own."""

    def staged(test: Test[S]) -> Callable[[], None]:
        async def play() -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            with stage_of(loop) as stage:
                await test(stage)

        def run() -> None:
            run_virtual(play())

        run.__name__, run.__doc__ = test.__name__, test.__doc__
        return run

    return staged

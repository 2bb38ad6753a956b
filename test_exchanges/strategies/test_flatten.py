"""Closing without the core: what is waited for when nobody knows what became of an order."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import run_virtual
from strategies.flatten import Hands
from test_exchanges.strategies.fake_dex import FakeDex, Plan


@pytest.mark.parametrize(("fences", "least", "most"), [(False, 600.0, 605.0), (True, 0.0, 5.0)])
def test_a_lost_order_is_outlived_or_fenced(fences: bool, least: float, most: float) -> None:
    """Its request is valid for ten minutes."""

    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        clock = LoopClock(loop, 0)
        dex = FakeDex("p", clock, bound_ms=600_000, can_fence=fences)
        dex.plans = [Plan(land=False)]
        began = loop.time()
        hands = Hands(dex, dex.market, clock)  # type: ignore[arg-type]
        assert await hands.take(Decimal(1), Decimal(20))
        assert not dex.orders
        return loop.time() - began

    assert least <= run_virtual(scenario()) <= most

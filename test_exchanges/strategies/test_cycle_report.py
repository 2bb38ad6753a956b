"""The record of a cycle: signs of spread and cost, outcomes, and waiting for true fills."""

from __future__ import annotations

from decimal import Decimal

import pytest

from test_exchanges.strategies.test_maker import Rig

D = Decimal


def test_a_filled_cycle() -> None:
    rig = Rig(gate="off")
    rig.quote()
    rig.fill()
    rig.pass_time(1, lambda: rig.done)
    done = rig.done[0]
    assert (done.outcome, done.direction, done.closing) == ("filled", "buy", False)
    assert done.filled == done.hedged == done.size == D("0.1")
    assert done.primary_price == done.hedge_price == 2000
    assert done.raw_spread_bps == done.cost_bps == 0
    assert done.max_exposure == D("0.1")


def test_an_unfilled_cycle_has_no_prices() -> None:
    rig = Rig(fill_timeout=1.0)
    rig.quote()
    rig.pass_time(10, lambda: rig.done)
    done = rig.done[0]
    assert (done.outcome, done.reason, done.filled) == ("unfilled", "fill timeout", D(0))
    assert done.primary_price is done.hedge_price is done.cost_bps is done.raw_spread_bps is None


def test_a_part_of_the_clip_is_partial() -> None:
    rig = Rig(fill_timeout=1.0)
    rig.quote()
    rig.fill("0.04")
    rig.pass_time(10, lambda: rig.done)
    assert (rig.done[0].outcome, rig.done[0].filled) == ("partial", D("0.04"))


@pytest.mark.parametrize("requotes", [0, 2])
def test_requotes_and_time_to_the_fill(requotes: int) -> None:
    rig = Rig()
    rig.quote()
    began = rig.now
    rig.pass_time(9, lambda: len(rig.quotes) > requotes)
    rig.fill()
    rig.pass_time(1, lambda: rig.done)
    assert rig.done[0].requotes == requotes
    assert rig.done[0].time_to_fill_ms == pytest.approx((rig.now - began) * 1000, abs=110)

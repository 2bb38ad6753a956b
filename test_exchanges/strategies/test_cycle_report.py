"""The record of a cycle: signs of spread and cost, outcomes, and waiting for true fills."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from strategies.words import FillSeen
from test_exchanges.strategies.test_hedging import Watched, owing
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


def untold(*, polled: bool) -> Watched:
    """A hedge that filled, as its order's report says; no stream tells the fill."""
    world, hedge = owing()
    world.desk.setup = replace(world.desk.setup, polled=frozenset(("hedge",) if polled else ()))
    world.land(hedge, 10)
    world.mail = [event for event in world.mail if not isinstance(event, FillSeen)]
    return world


@pytest.mark.parametrize("polled", [False, True])
def test_fills_are_asked_for_where_no_stream_will_tell(polled: bool) -> None:
    """So a cycle is reported with what its hedge paid; elsewhere the grace is waited for."""
    world = untold(polled=polled)
    world.wait(2)
    told = [trade for trade in world.trades if trade.role == "hedge"]
    assert [trade.fee for trade in told] == [D(0)] * polled
    world.wait(world.desk.config.settle_grace)
    (trade,) = [trade for trade in world.trades if trade.role == "hedge" and trade.cycle == 1]
    assert (trade.fee is None) is not polled

"""What a definite "no" means, by class of refusal and kind of order."""

from __future__ import annotations

import pytest

from strategies.words import Kind, Read, Refusal
from test_exchanges.strategies.core_world import World
from test_exchanges.strategies.test_hedge_core import quoting_world
from test_exchanges.strategies.test_hedging import Watched, made, newest, owing


def refused_hedge(refusal: Refusal, times: int) -> Watched:
    """So many hedges in a row meet this refusal."""
    world, _ = owing()
    for _ in range(times):
        world.refuse(newest(world, Kind.HEDGE), refusal)
        world.wait(0.6)
    return world


@pytest.mark.parametrize(
    ("refusal", "hedges"),
    [
        (Refusal.SYMBOL, 1),
        (Refusal.PERMISSION, 1),
        (Refusal.MARGIN, 1),
        (Refusal.LIMIT, 1),
        (Refusal.VENUE_MODE, 1),
        (Refusal.SESSION, 2),
        (Refusal.PRECISION, 2),
        (Refusal.NONCE, 3),
        (Refusal.PRICE_BAND, 3),
        (Refusal.NO_MATCH, 5),
        (Refusal.OTHER, 5),
    ],
)
def test_so_many_hedges_are_tried_before_it_is_unwound(refusal: Refusal, hedges: int) -> None:
    world = refused_hedge(refusal, hedges)
    assert len(made(world, Kind.HEDGE)) == hedges
    assert len(made(world, Kind.UNWIND)) == 1


@pytest.mark.parametrize(
    "refusal", [Refusal.SYMBOL, Refusal.PERMISSION, Refusal.MARGIN, Refusal.LIMIT]
)
def test_what_no_time_cures_ends_the_run(refusal: Refusal) -> None:
    world = refused_hedge(refusal, 1)
    world.land(newest(world, Kind.UNWIND), 10)
    world.wait(3.0)
    assert world.desk.exit_code == 4


def test_a_hedge_without_a_connection_is_unwound_after_two_seconds() -> None:
    world, _ = owing()
    began = world.now
    while not made(world, Kind.UNWIND):
        world.refuse(newest(world, Kind.HEDGE), Refusal.NOT_SENT)
        world.wait(0.3)
        assert world.now < began + 3.0
    assert world.now > began + 2.0


def test_a_full_limit_is_waited_for_if_that_is_soon() -> None:
    world, hedge = owing()
    world.refuse(hedge, Refusal.RATE)
    world.wait(0.9)
    assert made(world, Kind.HEDGE) == [hedge]
    world.wait(0.2)
    assert len(made(world, Kind.HEDGE)) == 2


def test_a_size_off_the_grid_asks_for_the_market_anew() -> None:
    world, hedge = owing()
    world.reads.clear()
    world.refuse(hedge, Refusal.PRECISION)
    assert world.reads == [Read("hedge", "market")]


def test_a_refused_reduce_only_reads_the_venue_before_the_next_order() -> None:
    world, hedge = owing()
    world.refuse(hedge, Refusal.MARGIN)
    world.wait(0.1)
    unwind = newest(world, Kind.UNWIND)
    assert unwind.request.reduce_only
    world.refuse(unwind, Refusal.REDUCE_ONLY)
    assert not world.desk.live["primary"]
    world.wait(0.5)
    again = newest(world, Kind.UNWIND)
    assert again is not unwind
    assert not again.request.reduce_only
    assert again.request.size == unwind.request.size


def test_an_unwind_outside_the_band_comes_nearer_instead_of_further() -> None:
    world, hedge = owing()
    world.refuse(hedge, Refusal.MARGIN)
    world.wait(0.1)
    first = newest(world, Kind.UNWIND)
    world.refuse(first, Refusal.PRICE_BAND)
    world.wait(0.5)
    second = newest(world, Kind.UNWIND)
    assert first.request.price is not None
    assert second.request.price is not None
    assert world.desk.episode.band_refusals["primary"] == 1
    # 10 bps, then half of 30: sells, so the further one is lower.
    assert first.request.price > second.request.price > first.request.price - 1


def refused_quote(refusal: Refusal) -> World:
    world, quote = quoting_world()
    world.refuse(quote, refusal)
    return world


@pytest.mark.parametrize("refusal", [Refusal.SYMBOL, Refusal.PERMISSION])
def test_a_primary_that_takes_no_orders_ends_the_run(refusal: Refusal) -> None:
    assert refused_quote(refusal).desk.exit_code == 4


@pytest.mark.parametrize("refusal", [Refusal.MARGIN, Refusal.VENUE_MODE, Refusal.OTHER])
def test_what_time_may_cure_pauses_the_quotes(refusal: Refusal) -> None:
    desk = refused_quote(refusal).desk
    assert desk.quote_after >= desk.now + 5.0
    assert desk.exit_code == 0


def test_a_quote_that_would_have_crossed_waits_for_a_newer_book() -> None:
    world = refused_quote(Refusal.POST_ONLY)
    assert len(world.desk.rejects) == 1
    assert len(made(world, Kind.MAKER)) == 1

"""A hedge venue that failed proves itself with an order that cannot fill."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from strategies.words import Kind, Refusal
from test_exchanges.strategies.test_hedging import Watched, made, newest, owing

D = Decimal


def unwound(refusal: Refusal = Refusal.VENUE_MODE) -> Watched:
    """The hedge was refused, and the fill was unwound."""
    world, hedge = owing()
    world.refuse(hedge, refusal)
    world.wait(0.1)
    world.land(newest(world, Kind.UNWIND), 10)
    world.wait(0.2)
    return world


def quotes_since(world: Watched) -> int:
    return len(made(world, Kind.MAKER)) - 1


def test_the_probe_is_far_from_the_market() -> None:
    world = unwound()
    probe = newest(world, Kind.CANARY).request
    assert probe.side == "buy"
    assert probe.price == D("94.99")
    assert probe.size == world.desk.setup.markets["hedge"]["min_size"]


def test_one_that_ends_unfilled_brings_the_quotes_back() -> None:
    world = unwound()
    world.land(newest(world, Kind.CANARY), 0)
    world.wait(5.5)
    assert world.desk.barred == ""
    assert quotes_since(world) == 1


def test_one_that_is_refused_is_sent_again_after_a_while() -> None:
    world = unwound()
    world.refuse(newest(world, Kind.CANARY), Refusal.VENUE_MODE)
    world.wait(4.5)
    assert len(made(world, Kind.CANARY)) == 1
    world.wait(1.0)
    assert len(made(world, Kind.CANARY)) == 2
    assert quotes_since(world) == 0


def test_one_that_is_never_seen_again_proves_nothing() -> None:
    world = unwound()
    world.acknowledge(newest(world, Kind.CANARY), known=False)
    world.wait(5.0)
    assert not world.desk.active
    assert world.desk.barred
    assert quotes_since(world) == 0


def test_no_match_is_what_some_venues_call_it() -> None:
    world = unwound()
    world.refuse(newest(world, Kind.CANARY), Refusal.NO_MATCH)
    world.wait(1.0)
    assert world.desk.barred == ""


def test_a_venue_without_such_an_order_is_believed_by_its_book() -> None:
    world, hedge = owing()
    world.desk.setup = replace(world.desk.setup, weak=frozenset({"hedge"}))
    world.refuse(hedge, Refusal.VENUE_MODE)
    world.wait(0.1)
    world.land(newest(world, Kind.UNWIND), 10)
    world.wait(0.3)
    assert made(world, Kind.CANARY) == []
    assert world.desk.barred == ""

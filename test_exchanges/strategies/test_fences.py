"""Nonce fences: doubt about an order ends in a round trip."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mpdex.types import OrderStatus
from strategies.words import (
    ROLES,
    Answered,
    Fence,
    Fenced,
    OrderSeen,
    OutcomeNotKnown,
    Settled,
    StreamBack,
    Timer,
)
from test_exchanges.strategies.core_world import BOUND, Truth, World


class Fencing(World):
    """Both venues can fence; what is asked of them is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.desk.setup = replace(self.desk.setup, fences=frozenset(ROLES))
        self.fences: list[Fence] = []
        self.settled: list[Settled] = []

    def perform(self, command: object, before: bool) -> None:
        if isinstance(command, Fence):
            self.fences.append(command)
        if isinstance(command, Settled):
            self.settled.append(command)
        super().perform(command, before)

    def doubt(self) -> Truth:
        """A quote was sent, and no answer came."""
        self.tick()
        for role in ROLES:
            self.feed(StreamBack(role))
        while self.mail:
            self.deliver(0)
        self.feed(Timer())
        (quote,) = self.orders.values()
        self.feed(OutcomeNotKnown("primary", quote.request.client_id))
        return quote


def test_an_order_in_doubt_is_fenced_at_once_and_once() -> None:
    world = Fencing()
    quote = world.doubt()
    assert world.fences == [Fence("primary", quote.request.client_id)]
    world.now += 1
    world.feed(Timer())
    assert len(world.fences) == 1, "the answer is still on its way"


def test_a_nonce_that_was_free_proves_that_the_order_never_landed() -> None:
    world = Fencing()
    quote = world.doubt()
    quote.refused = True
    world.feed(Fenced("primary", quote.request.client_id, never=True))
    assert world.now < BOUND
    assert [s.client_id for s in world.settled] == [quote.request.client_id]
    assert quote.request.client_id not in {o.client_id for o in world.desk.active.values()}


def test_a_nonce_that_was_used_makes_absence_count_at_once() -> None:
    world = Fencing()
    quote = world.doubt()
    began, quote.refused = world.now, True
    world.feed(Fenced("primary", quote.request.client_id, never=False))
    assert not world.settled, "it may have landed"
    world.now += 0.55
    for _ in range(3):
        world.feed(Answered("primary", quote.request.client_id, None))
        world.now += 0.35
    assert [s.client_id for s in world.settled] == [quote.request.client_id]
    assert world.now - began < BOUND


def test_a_nonce_that_was_used_by_the_order_itself_is_no_end() -> None:
    world = Fencing()
    quote = world.doubt()
    quote.landed = True
    world.feed(Fenced("primary", quote.request.client_id, never=False))
    told = {**world.render(quote), "status": OrderStatus.OPEN}
    world.feed(Answered("primary", quote.request.client_id, told))  # type: ignore[arg-type]
    assert world.desk.slot is not None
    assert world.desk.slot.id == quote.id


def test_a_fence_without_an_answer_is_tried_again() -> None:
    world = Fencing()
    quote = world.doubt()
    world.feed(Fenced("primary", quote.request.client_id, never=None))
    assert len(world.fences) == 1
    world.now += 0.6
    world.feed(Timer())
    assert len(world.fences) == 2


@pytest.mark.parametrize("heard", [True, False])
def test_what_the_venue_has_told_of_is_not_fenced(heard: bool) -> None:
    world = Fencing()
    quote = world.doubt()
    quote.landed = True
    if heard:
        world.feed(OrderSeen("primary", world.render(quote)))
    world.feed(Fenced("primary", quote.request.client_id, never=None))
    world.now += 0.6
    world.feed(Timer())
    assert len(world.fences) == (1 if heard else 2)


def test_without_the_means_nothing_is_fenced() -> None:
    world = Fencing()
    world.desk.setup = replace(world.desk.setup, fences=frozenset())
    world.doubt()
    assert world.fences == []

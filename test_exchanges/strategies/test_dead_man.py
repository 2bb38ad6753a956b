"""The dead man's switch: armed while a quote rests, moved on, and switched off after it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mpdex.errors import UsageError
from mpdex.types import OrderStatus
from strategies.words import ROLES, Arm, ArmFailed, OrderSeen, StreamBack, Timer
from test_exchanges.strategies.core_world import Truth, World


class Armed(World):
    """The operator wants the switch; what is asked of the venue is kept."""

    def __init__(self, seconds: float | None = 30.0) -> None:
        super().__init__()
        setup = self.desk.setup
        self.desk.setup = replace(setup, config=replace(setup.config, dead_man=seconds))
        self.asked: list[Arm] = []

    def perform(self, command: object, before: bool) -> None:
        if isinstance(command, Arm):
            self.asked.append(command)
        super().perform(command, before)

    def quote(self) -> Truth:
        self.tick()
        for role in ROLES:
            self.feed(StreamBack(role))
        while self.mail:
            self.deliver(0)
        self.feed(Timer())
        (quote,) = self.orders.values()
        quote.landed = True
        self.tell(quote)
        return quote

    def tell(self, quote: Truth, **changes: Any) -> None:
        self.feed(OrderSeen("primary", {**self.render(quote), **changes}))  # type: ignore[typeddict-item]


def test_it_is_armed_with_the_quote_and_moved_on_at_half_of_its_life() -> None:
    world = Armed()
    world.quote()
    assert world.asked == [Arm("primary", 30.0)]
    world.now += 14
    world.feed(Timer())
    assert len(world.asked) == 1
    world.now += 1.5
    world.feed(Timer())
    assert world.asked == [Arm("primary", 30.0)] * 2


def test_it_is_switched_off_when_nothing_rests() -> None:
    world = Armed()
    quote = world.quote()
    quote.over = True
    world.tell(quote, status=OrderStatus.CANCELED)
    assert world.asked[:2] == [Arm("primary", 30.0), Arm("primary", None)]


def test_a_venue_that_does_not_grant_it_is_asked_once() -> None:
    world = Armed()
    world.quote()
    world.feed(ArmFailed("primary", "needs more volume"))
    world.now += 60
    world.feed(Timer())
    assert len(world.asked) == 1


def test_nobody_is_asked_without_the_option() -> None:
    world = Armed(None)
    world.quote()
    assert world.asked == []


def test_seconds_too_few_are_refused() -> None:
    with pytest.raises(UsageError, match="dead man"):
        Armed(2.0)

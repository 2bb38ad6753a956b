"""What a venue made of an order: `strategies.alterations`."""

from __future__ import annotations

from decimal import Decimal

from mpdex.types import Order, OrderStatus
from strategies.alterations import believe, is_copy
from strategies.tracking import Tracked
from strategies.words import ROLES, Cancel, Note, Read, Recover, StreamBack, Timer
from test_exchanges.strategies.core_world import SIZE, World

D = Decimal


def quoted() -> tuple[World, Tracked]:
    """A world whose quote is on its way, with nothing left to say."""
    world = World()
    world.tick()
    for role in ROLES:
        world.feed(StreamBack(role))
    while world.mail:
        world.deliver(0)
    world.feed(Timer())
    slot = world.desk.slot
    assert slot is not None
    assert not world.desk.commands
    return world, slot


def shown(
    order: Tracked,
    *,
    size: Decimal = SIZE,
    price: Decimal | None = None,
    status: OrderStatus = OrderStatus.OPEN,
) -> Order:
    return Order(
        id="1",
        client_order_id=order.client_id,
        symbol=order.symbol,
        side=order.side,
        type="limit",
        price=order.price if price is None else price,
        size=size,
        filled=D(0),
        average_price=None,
        status=status,
        time_in_force="GTC",
        post_only=True,
        reduce_only=False,
        reason="",
        timestamp_ms=0,
        raw=None,
    )


def heard(size: Decimal, price_step: int = 0, status: OrderStatus = OrderStatus.OPEN):
    world, order = quoted()
    believe(
        world.desk, order, shown(order, size=size, price=order.price + price_step, status=status)
    )
    return order, world.desk.commands, world.desk.records


def test_what_is_as_it_was_sent_says_nothing() -> None:
    order, commands, records = heard(SIZE)
    assert order.size == SIZE
    assert not commands
    assert not records


def test_less_is_believed_at_the_end_only() -> None:
    assert heard(SIZE - 3)[0].size == SIZE
    order, commands, records = heard(SIZE - 3, status=OrderStatus.FILLED)
    assert order.size == SIZE - 3
    assert commands == [Read("primary", "market")]
    assert isinstance(records[0], Note)


def test_one_lot_less_is_no_reason_to_read_the_market() -> None:
    order, commands, _ = heard(SIZE - 1, status=OrderStatus.CANCELED)
    assert order.size == SIZE - 1
    assert not commands


def test_a_quote_that_became_larger_is_taken_back_at_once() -> None:
    order, commands, _ = heard(SIZE + 5)
    assert order.size == SIZE + 5
    assert [type(command) for command in commands] == [Read, Cancel]


def test_a_quote_that_rests_elsewhere_is_taken_back() -> None:
    order, commands, records = heard(SIZE, -1)
    assert [type(command) for command in commands] == [Cancel]
    assert "price" in records[0].text
    assert order.canceling


def test_a_report_without_a_size_changes_nothing() -> None:
    assert heard(D(0))[0].size == SIZE


def test_both_of_two_copies_are_taken_back_and_the_venue_is_read() -> None:
    world, order = quoted()
    assert not is_copy(world.desk, order, shown(order))
    order.id = "7"
    assert is_copy(world.desk, order, shown(order))
    copy, original, read = world.desk.commands
    assert copy == Cancel("primary", "", "1")
    assert original == Cancel("primary", order.client_id, "7")
    assert isinstance(read, Recover)


def test_a_copy_that_has_ended_is_left_alone() -> None:
    world, order = quoted()
    order.id = "7"
    assert is_copy(world.desk, order, shown(order, status=OrderStatus.CANCELED))
    assert not world.desk.commands

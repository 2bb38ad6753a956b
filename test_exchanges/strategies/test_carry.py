"""Funding that falls due on an open leg is booked once, by what was told before."""

from __future__ import annotations

from decimal import Decimal

from strategies.carry import book_carry
from strategies.desk import Desk
from strategies.words import Carry, FundingRead
from test_exchanges.strategies.test_hedging import owing

D = Decimal


def held(position: str) -> Desk:
    """A desk that is long or short on the hedge venue, where longs pay ten basis points soon."""
    desk = owing()[0].desk
    desk.ledger.accounts["hedge"].position = D(position)
    desk.last_mid["hedge"] = (D(100), desk.now)
    desk.records.clear()
    desk.funding = {"hedge": FundingRead("hedge", D("0.001"), desk.setup.wall_ms(desk.now) + 1000)}
    return desk


def booked(desk: Desk) -> list[Decimal]:
    return [record.amount for record in desk.records if isinstance(record, Carry)]


def test_nothing_is_booked_before_it_is_due() -> None:
    desk = held("-2")
    desk.wake_at = None
    book_carry(desk)
    assert booked(desk) == []
    assert desk.wake_at == desk.now + 1


def test_a_short_receives_what_a_long_pays_and_once_only() -> None:
    for position, amount in (("-2", D("0.2")), ("2", D("-0.2"))):
        desk = held(position)
        before = desk.worth
        desk.now += 1
        book_carry(desk)
        book_carry(desk)
        assert booked(desk) == [amount]
        assert desk.worth - before == amount
        assert desk.read_due["hedge", "funding"] > desk.now


def test_without_a_position_nothing_is_paid_and_the_next_rate_is_asked_for() -> None:
    desk = held("0")
    desk.now += 1
    book_carry(desk)
    assert booked(desk) == []
    assert desk.funding["hedge"].due_ms is None
    assert desk.read_due["hedge", "funding"] > desk.now


def test_a_venue_that_tells_no_time_is_left_alone() -> None:
    desk = held("2")
    desk.funding = {"hedge": FundingRead("hedge", D("0.001"), None)}
    desk.now += 1_000_000
    book_carry(desk)
    assert booked(desk) == []

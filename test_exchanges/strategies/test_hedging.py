"""What is owed is sent: bands, venues in turn, and when help is called for."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mpdex.types import Lane, Order, OrderStatus
from mpdex.utils.orders import State
from strategies.desk import Desk
from strategies.hedging import reference_price
from strategies.quoting import through
from strategies.words import (
    ROLES,
    Alarm,
    Answered,
    BookTick,
    Kind,
    OutcomeNotKnown,
    PlaceAcked,
    Query,
    Read,
    Refusal,
    StreamBack,
    StreamLost,
    Timer,
)
from test_exchanges.strategies.core_world import SIZE, Truth, World

D = Decimal


class Watched(World):
    """Keeps what was said to the operator, and what was asked for beside orders."""

    def __init__(self) -> None:
        super().__init__()
        self.alarms: list[Alarm] = []
        self.reads: list[Read] = []
        self.asked: list[Query] = []

    def perform(self, command: object, before: bool) -> None:
        if isinstance(command, Alarm):
            self.alarms.append(command)
        if isinstance(command, Read):
            self.reads.append(command)
        if isinstance(command, Query):
            self.asked.append(command)
        super().perform(command, before)

    @property
    def topics(self) -> list[str]:
        return [alarm.topic for alarm in self.alarms]

    def wait(self, seconds: float, *, books: bool = True, answers: bool = True) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.05
            if books:
                self.tick()
            while self.mail and answers:
                self.deliver(0)
            self.feed(Timer())


def owing() -> tuple[Watched, Truth]:
    """The first quote is filled, and its hedge is on its way."""
    world = Watched()
    world.tick()
    for role in ROLES:
        world.feed(StreamBack(role))
    while world.mail:
        world.deliver(0)
    world.feed(Timer())
    (quote,) = world.orders.values()
    world.land(quote, 0)
    world.execute(quote, SIZE)
    while world.mail:
        world.deliver(0)
    return world, newest(world, Kind.HEDGE)


def newest(world: World, kind: Kind) -> Truth:
    return [order for order in world.orders.values() if order.kind is kind][-1]


def made(world: World, kind: Kind) -> list[Truth]:
    return [order for order in world.orders.values() if order.kind is kind]


def best(desk: Desk, hedge: Truth) -> Decimal:
    reference, sound = reference_price(desk, "hedge", hedge.request.side)
    assert sound
    assert reference is not None
    return reference


def at_band(world: World, hedge: Truth, bps: str) -> Decimal:
    market = world.desk.setup.markets["hedge"]
    return through(best(world.desk, hedge), hedge.request.side, D(bps), market)


def test_each_attempt_that_found_nothing_goes_further() -> None:
    world, hedge = owing()
    prices = []
    for _ in range(3):
        prices.append(newest(world, Kind.HEDGE).request.price)
        world.land(newest(world, Kind.HEDGE), 0)
        world.wait(0.3)
    assert prices == [at_band(world, hedge, bps) for bps in ("20", "50", "100")]


def test_a_question_that_gets_no_answer_is_asked_more_urgently_once_we_are_exposed_for_long() -> (
    None
):
    world, hedge = owing()
    world.feed(OutcomeNotKnown("hedge", hedge.request.client_id, "no answer"))
    world.wait(2.5, answers=False)
    asked = [q.lane for q in world.asked if q.client_id == hedge.request.client_id]
    assert asked == [Lane.QUERY]
    world.wait(3.0, answers=False)
    asked = [q.lane for q in world.asked if q.client_id == hedge.request.client_id]
    assert asked == [Lane.QUERY, Lane.HEDGE], "once more, and no more often"


def taken_in(*, polled: bool) -> tuple[Watched, Truth]:
    """The venue has given the hedge a name, and no more; `polled`: it has no stream of orders."""
    world, hedge = owing()
    without = frozenset(ROLES[1:] if polled else ())
    world.desk.setup = replace(world.desk.setup, polled=without)
    world.feed(PlaceAcked("hedge", hedge.request.client_id, taken(world, hedge)))
    return world, hedge


def taken(world: World, order: Truth) -> Order:
    return {**world.render(order), "status": OrderStatus.PENDING}


@pytest.mark.parametrize("polled", [False, True])
def test_what_becomes_of_an_order_is_asked_where_no_stream_will_tell(polled: bool) -> None:
    world, hedge = taken_in(polled=polled)
    world.wait(0.3, answers=False)
    assert [q.client_id for q in world.asked] == [hedge.request.client_id] * polled


def test_an_order_that_is_asked_about_in_vain_is_unknown_in_time() -> None:
    world, hedge = taken_in(polled=True)
    order = world.desk.active["hedge", hedge.request.client_id]
    states = []
    for _ in range(12):  # an answer takes 0.5 s in this world
        world.wait(0.05, answers=False)
        world.mail.clear()
        states.append(order.state)
        if not order.asking:
            continue
        world.feed(Answered("hedge", order.client_id, taken(world, hedge), (), None))
    assert world.asked
    assert (states[8], states[-1]) == (State.SENT, State.UNKNOWN)


def test_an_order_that_never_arrived_changes_no_band() -> None:
    world, hedge = owing()
    world.acknowledge(hedge, known=False)
    world.wait(6.0)
    again = newest(world, Kind.HEDGE)
    assert again is not hedge
    assert again.request.price == hedge.request.price == at_band(world, hedge, "20")


def test_a_refused_price_comes_half_as_near() -> None:
    world, hedge = owing()
    world.refuse(hedge, Refusal.PRICE_BAND)
    world.wait(0.1)
    assert newest(world, Kind.HEDGE).request.price == at_band(world, hedge, "10")


def test_no_limit_is_beyond_what_the_venue_allows() -> None:
    world, hedge = owing()
    world.desk.setup.markets["hedge"]["price_band"] = D("0.001")
    world.land(hedge, 0)
    world.wait(0.3)
    price, mid = newest(world, Kind.HEDGE).request.price, D(100)
    assert price is not None
    assert abs(price - mid) / mid <= D("0.0009")


def test_without_a_book_the_price_is_an_estimate_and_somebody_is_told_once() -> None:
    world, hedge = owing()
    world.feed(BookTick("hedge", (), (), world.now))
    for _ in range(2):
        world.land(newest(world, Kind.HEDGE), 0)
        world.wait(0.3, books=False)
    assert len(made(world, Kind.HEDGE)) == 3
    assert newest(world, Kind.HEDGE).request.price == through(
        D(100), hedge.request.side, D(100), world.desk.setup.markets["hedge"]
    )
    assert world.topics.count("book") == 1


def test_five_attempts_are_followed_by_an_unwind() -> None:
    world, _ = owing()
    for _ in range(5):
        world.land(newest(world, Kind.HEDGE), 0)
        world.wait(0.3)
    assert len(made(world, Kind.HEDGE)) == 5
    unwind = newest(world, Kind.UNWIND)
    assert unwind.role == "primary"
    assert unwind.request.size == SIZE
    assert unwind.request.reduce_only


def test_an_unwind_makes_the_hedge_venue_prove_itself() -> None:
    world, hedge = owing()
    world.refuse(hedge, Refusal.VENUE_MODE)
    world.wait(0.1)
    world.land(newest(world, Kind.UNWIND), 10)
    world.wait(10.0)
    assert world.exposure == 0
    assert made(world, Kind.MAKER)[1:] == []
    world.land(newest(world, Kind.CANARY), 0)
    world.wait(4.0)
    assert len(made(world, Kind.MAKER)) == 2


def test_exposed_with_both_venues_dark_calls_for_help() -> None:
    world, hedge = owing()
    for role in ROLES:
        world.feed(StreamLost(role))
        world.up[role] = False
    world.acknowledge(hedge, known=False)
    world.wait(7.0, answers=False)
    assert "exposed" not in world.topics
    world.wait(2.0, answers=False)
    assert "exposed" in world.topics
    assert world.alarms[world.topics.index("exposed")].page
    assert made(world, Kind.HEDGE) == [hedge]  # it may have arrived: nothing is sent on a guess


def test_no_connection_for_an_unwind_is_no_attempt_but_calls_for_help_when_it_lasts() -> None:
    world, hedge = owing()
    world.refuse(hedge, Refusal.MARGIN)
    world.wait(0.1)
    for _ in range(6):
        world.refuse(newest(world, Kind.UNWIND), Refusal.NOT_SENT)
        world.wait(0.3)
    assert "exposed" not in world.topics
    assert world.desk.episode.unwinds <= 1
    for _ in range(4):
        world.refuse(newest(world, Kind.UNWIND), Refusal.NOT_SENT)
        world.wait(0.3)
    assert "exposed" in world.topics


@pytest.mark.parametrize("refusal", [Refusal.SYMBOL, Refusal.PERMISSION, Refusal.MARGIN])
def test_what_time_cannot_cure_is_unwound_at_once_and_ends_the_run(refusal: Refusal) -> None:
    world, hedge = owing()
    world.refuse(hedge, refusal)
    world.wait(0.1)
    world.land(newest(world, Kind.UNWIND), 10)
    world.wait(3.0)
    assert made(world, Kind.HEDGE) == [hedge]
    assert world.exposure == 0
    assert world.desk.exit_code == 4

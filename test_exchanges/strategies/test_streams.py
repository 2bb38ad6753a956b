"""Streams that are silent, or about to end; and what the public book says of our quote."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from mpdex.types import OrderStatus
from strategies.desk import Cycle, Desk
from strategies.ledger import Exposure
from strategies.streams import in_book, renew_in_time
from strategies.words import (
    ROLES,
    Answered,
    BookTick,
    Kind,
    OrderSeen,
    PlaceAcked,
    PositionSeen,
    Query,
    Renew,
    Role,
    StreamBack,
    StreamLost,
    Timer,
)
from test_exchanges.strategies.core_world import Truth, World

D = Decimal


class Heard(World):
    """Keeps which streams were to be renewed, and what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.renewed: list[Renew] = []
        self.asked: list[Query] = []

    def perform(self, command: object, before: bool) -> None:
        if isinstance(command, Renew):
            self.renewed.append(command)
        elif isinstance(command, Query):
            self.asked.append(command)
        else:
            super().perform(command, before)

    def begin(self) -> Truth:
        """Both venues are read, and a quote was sent."""
        self.tick()
        for role in ROLES:
            self.feed(StreamBack(role))
        while self.mail:
            self.deliver(0)
        self.feed(Timer())
        (quote,) = self.orders.values()
        return quote

    def wait(self, seconds: float, book: BookTick | None = None) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.25
            if book is None:
                self.tick()
            else:
                self.feed(replace(book, at=self.now))
            self.feed(Timer())

    def tell(self, quote: Truth, **changes: Any) -> None:
        self.feed(OrderSeen("primary", {**self.render(quote), **changes}))  # type: ignore[typeddict-item]


def rests(world: Heard, quote: Truth) -> None:
    """The answer says that it rests."""
    quote.landed = quote.answered = True
    world.feed(PlaceAcked("primary", quote.request.client_id, world.render(quote)))


def test_what_was_answered_must_be_told_by_the_stream_too() -> None:
    world = Heard()
    quote = world.begin()
    rests(world, quote)
    world.wait(2.75)
    assert world.renewed == []
    world.wait(0.5)
    assert [command.role for command in world.renewed] == ["primary"]
    assert not world.desk.live["primary"], "read again before anything is quoted"
    world.wait(10.0)
    assert len(world.renewed) == 1, "once"


def test_a_stream_that_tells_is_left_alone() -> None:
    world = Heard()
    quote = world.begin()
    rests(world, quote)
    world.wait(1.0)
    world.tell(quote)
    world.wait(5.0)
    assert world.renewed == []


def test_what_only_a_query_knows_to_have_traded_is_missing_on_the_stream() -> None:
    world = Heard()
    quote = world.begin()
    rests(world, quote)
    world.tell(quote)
    quote.filled = quote.request.size
    told = {**world.render(quote), "status": OrderStatus.FILLED}
    world.feed(Answered("primary", quote.request.client_id, told))  # type: ignore[arg-type]
    world.wait(3.5)
    assert [command.role for command in world.renewed] == ["primary"]


def test_nothing_is_expected_of_a_stream_that_was_lost_meanwhile() -> None:
    world = Heard()
    quote = world.begin()
    rests(world, quote)
    world.feed(StreamLost("primary", "gone"))
    world.feed(StreamBack("primary"))
    world.wait(5.0)
    assert world.renewed == []


def test_a_canary_that_no_stream_shows_is_the_canarys_own_affair() -> None:
    world = Heard()
    quote = world.begin()
    order = world.desk.slot
    assert order is not None
    order.kind = Kind.CANARY
    rests(world, quote)
    world.wait(5.0)
    assert world.renewed == []


def at_rest(seconds_left: float) -> Desk:
    """Nothing is under way on streams of a day, so long before their end."""
    world = Heard()
    world.begin()
    desk = world.desk
    desk.active.clear()
    desk.cycle = None
    desk.commands.clear()
    desk.stream_ends["primary"] = desk.now + seconds_left
    desk.up_since["primary"] = desk.now + seconds_left - 86_400
    return desk


def renewed(desk: Desk) -> list[Role]:
    renew_in_time(desk)
    return [command.role for command in desk.commands if isinstance(command, Renew)]


def test_an_end_that_comes_is_met_when_nothing_is_open() -> None:
    assert renewed(at_rest(901)) == []
    assert renewed(at_rest(900)) == ["primary"]
    busy = at_rest(900)
    busy.cycle = Cycle(1, Kind.MAKER, "buy", False, D(1), 0.0, 0.0, Exposure())
    assert renewed(busy) == [], "something is under way"


def test_with_a_pair_open_it_is_put_off_but_not_for_ever() -> None:
    for seconds, wanted in ((900, []), (180, ["primary"])):
        desk = at_rest(seconds)
        desk.ledger.accounts["primary"].position = D(10)
        desk.ledger.accounts["hedge"].position = D(-10)
        assert renewed(desk) == wanted


def test_short_lives_are_not_spent_on_renewals() -> None:
    desk = at_rest(290)
    desk.up_since["primary"] = desk.now - 10
    assert renewed(desk) == []
    desk.up_since["primary"] = desk.now - 10 * 290
    assert renewed(desk) == ["primary"]


def level(role: Role, bid: str, size: str) -> BookTick:
    bids = ((D(bid), D(size)), (D("99.98"), D(50)))
    return BookTick(role, bids, ((D("100.01"), D(50)),), 0.0, D("100.01"), D("99.99"))


def test_a_quote_that_the_book_does_not_show_any_more_is_asked_about() -> None:
    world = Heard()
    quote = world.begin()
    rests(world, quote)
    world.tell(quote)
    price, size = str(quote.request.price), str(quote.request.size)
    world.wait(1.0, level("primary", price, size))
    assert world.asked == []
    world.wait(0.75, level("primary", price, "1"))
    assert world.asked == [], "the news of it may be on the way"
    world.wait(0.75, level("primary", price, "1"))
    assert [query.client_id for query in world.asked] == [quote.request.client_id]


def resting_for(seconds: float, *, position: str | None = None) -> list[str]:
    """What is asked about a quote of which nothing was told for so long."""
    world = Heard()
    patient = replace(world.desk.config, fill_timeout=100.0)
    world.desk.setup = replace(world.desk.setup, config=patient)
    quote = world.begin()
    rests(world, quote)
    world.tell(quote)
    world.wait(2.0)
    if position is not None:
        world.feed(PositionSeen("primary", D(position)))
    world.wait(seconds - 2.0)
    return [query.client_id for query in world.asked]


def test_a_quote_of_which_nothing_is_heard_is_asked_about_now_and_then() -> None:
    assert resting_for(14.75) == []
    assert resting_for(15.5) == ["c1"]


def test_a_position_as_our_fills_have_it_says_that_nothing_of_it_traded() -> None:
    assert resting_for(16.5, position="0") == []
    assert resting_for(17.5, position="0") == ["c1"]


def test_a_quote_that_the_book_never_showed_proves_nothing() -> None:
    world = Heard()
    quote = world.begin()
    rests(world, quote)
    world.tell(quote)
    order = world.desk.slot
    assert order is not None
    order.in_book = False
    world.wait(1.75, level("primary", str(order.price), "1"))
    assert world.asked == []


def test_the_book_speaks_only_as_far_as_it_reaches() -> None:
    world = Heard()
    quote = world.begin()
    rests(world, quote)
    order = world.desk.slot
    assert order is not None
    price = str(order.price)
    assert in_book(level("primary", price, "1000"), order) is True
    assert in_book(level("primary", price, "1"), order) is False
    assert in_book(level("primary", "99.98", "1000"), order) is False
    far = BookTick("primary", ((D("99.995"), D(9)),), (), 0.0)
    assert in_book(far, order) is None
    assert in_book(BookTick("primary", (), (), 0.0), order) is None

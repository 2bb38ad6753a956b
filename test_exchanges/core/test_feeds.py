"""What streams have said: books, quotes, marks, the account, callbacks, iterators."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from mpdex.errors import NotSynced, TransportError, VenueError
from mpdex.types import (
    BboUpdate,
    BookUpdate,
    Event,
    Fill,
    FillUpdate,
    MarkUpdate,
    Order,
    OrderStatus,
    OrderUpdate,
    Position,
    PositionUpdate,
    StreamDown,
    StreamUp,
    TimeInForce,
    Topic,
)
from mpdex.utils.feeds import Feeds
from mpdex.utils.virtual_loop import run_virtual

D = Decimal
T = TypeVar("T")
ETH = "ETH-PERP"
BOOK, BBO, MARK = Topic("book", ETH), Topic("bbo", ETH), Topic("mark", ETH)
ORDERS, FILLS, POSITIONS = Topic("orders"), Topic("fills"), Topic("positions")
NOW_MS = 1_767_225_600_000


class Time:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now_ns(self) -> int:
        return self.now_ms() * 1_000_000

    def now_ms(self) -> int:
        return NOW_MS + int(self.seconds * 1000)


class Line:
    """A connection without a socket; a book begins with its snapshot unless that is `silent`."""

    def __init__(self, *, silent: bool = False) -> None:
        self.silent = silent
        self.listeners: list[Callable[[Event], None]] = []
        self.calls: list[tuple[str, Topic]] = []
        self.works: list[Coroutine[Any, Any, None]] = []
        self.refuses: Exception | None = None

    async def subscribe(self, topic: Topic) -> None:
        self.calls.append(("subscribe", topic))
        if self.refuses is not None:
            raise self.refuses
        if topic.channel == "book" and not self.silent:
            self.say(book(0, snapshot=True)._replace(symbol=topic.symbol))

    async def unsubscribe(self, topic: Topic) -> None:
        self.calls.append(("unsubscribe", topic))

    def resubscribe(self, topic: Topic) -> None:
        self.calls.append(("resubscribe", topic))

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.works.append(work)

    async def do_works(self) -> None:
        works, self.works = self.works, []
        for work in works:
            await work

    def say(self, *events: Event) -> None:
        for event in events:
            for listener in tuple(self.listeners):
                listener(event)


class World:
    """Feeds on two lines, and what the venue would answer by REST."""

    def __init__(self, *, rest_books: bool = False) -> None:
        self.clock = Time()
        self.public, self.private = Line(silent=rest_books), Line()
        self.answer: tuple[list[Position], list[Order], list[Fill]] = ([], [], [])
        self.asked: list[int | None] = []
        self.snapshots: list[BookUpdate | Exception] = []
        self.feeds = Feeds(
            "acme",
            stream_for=self.stream_for,
            fetch_book=self.fetch_book if rest_books else None,
            fetch_account=self.fetch_account,
            clock=self.clock,
        )

    async def stream_for(self, topic: Topic) -> Line:
        private = topic.channel in ("orders", "fills", "positions")
        return self.private if private else self.public

    async def fetch_book(self, symbol: str) -> BookUpdate:
        found = self.snapshots.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    async def fetch_account(
        self, since_ms: int | None
    ) -> tuple[list[Position], list[Order], list[Fill]]:
        self.asked.append(since_ms)
        return self.answer

    def hear(self, kind: str, symbol: str = "") -> list[Any]:
        heard: list[Any] = []
        self.feeds.on(kind, symbol, heard.append)
        return heard


@pytest.fixture
def world() -> World:
    return World()


def book(
    number: int, price: str = "3000", size: str = "1", *, snapshot: bool = False
) -> BookUpdate:
    asks = [("3001", "2")] if snapshot else []
    return BookUpdate(ETH, [(price, "1")], asks, number, number, snapshot, NOW_MS)


def fill(id: str, at_ms: int = NOW_MS) -> FillUpdate:
    told = Fill(
        id=id,
        order_id="1",
        client_order_id=None,
        symbol=ETH,
        side="buy",
        price=D(3000),
        size=D(1),
        fee=None,
        fee_asset="USD",
        liquidity="maker",
        timestamp_ms=at_ms,
        raw={},
    )
    return FillUpdate(told)


def order(status: OrderStatus, filled: int = 0) -> OrderUpdate:
    told = Order(
        id="1",
        client_order_id="7",
        symbol=ETH,
        side="buy",
        type="limit",
        price=D(3000),
        size=D(2),
        filled=D(filled),
        average_price=None,
        status=status,
        time_in_force=TimeInForce.GTC,
        post_only=True,
        reduce_only=False,
        reason="",
        timestamp_ms=NOW_MS,
        raw={},
    )
    return OrderUpdate(told)


def position(size: int) -> PositionUpdate:
    told = Position(
        symbol=ETH,
        side="long",
        size=D(size),
        entry_price=D(3000),
        mark_price=None,
        unrealized_pnl=None,
        liquidation_price=None,
        leverage=None,
        raw={},
    )
    return PositionUpdate(ETH, D(size), told if size else None, NOW_MS)


async def first(iterator: AsyncIterator[T], count: int = 1) -> list[T]:
    async with aclosing(iterator) as values:  # type: ignore[type-var]
        return [await anext(values) for _ in range(count)]


# --------------------------------------------------------------------------- starting, stopping


async def test_each_topic_is_asked_for_once(world: World) -> None:
    await world.feeds.start([BOOK, BBO, ORDERS])
    await world.feeds.start([BOOK, FILLS])
    assert world.public.calls == [("subscribe", BOOK), ("subscribe", BBO)]
    assert world.private.calls == [("subscribe", ORDERS), ("subscribe", FILLS)]
    assert len(world.public.listeners) == len(world.private.listeners) == 1
    assert world.feeds.live(BOOK)
    assert not world.feeds.live(MARK)


async def test_stopping_gives_everything_back(world: World) -> None:
    await world.feeds.start([BOOK, FILLS])
    fills = world.hear("fills")
    await world.feeds.stop()
    await world.feeds.stop()
    assert world.public.calls[1:] == [("unsubscribe", BOOK)]
    assert world.private.calls[1:] == [("unsubscribe", FILLS)]
    assert world.public.listeners == world.private.listeners == []
    world.private.say(fill("1"))
    assert fills == []
    assert not world.feeds.live(BOOK)


async def test_a_refused_topic_is_not_live_and_can_be_asked_for_again(world: World) -> None:
    world.public.refuses = VenueError("no such topic", venue="acme")
    with pytest.raises(VenueError):
        await world.feeds.start([BOOK])
    assert not world.feeds.live(BOOK)
    world.public.refuses = None
    await world.feeds.start([BOOK])
    assert world.feeds.live(BOOK)
    await world.feeds.stop()
    assert [call for call, _ in world.public.calls] == ["subscribe", "subscribe", "unsubscribe"]


# --------------------------------------------------------------------------- market data


async def test_a_book_is_kept_and_told(world: World) -> None:
    books, all_books = world.hear("book", ETH), world.hear("book")
    await world.feeds.start([BOOK])
    world.public.say(book(1, "3000.5"))
    kept = world.feeds.books[ETH]
    assert kept.bbo()["bid"] == D("3000.5")
    assert books == all_books == [kept, kept]


async def test_a_book_of_another_market_is_left_alone(world: World) -> None:
    await world.feeds.start([BOOK])
    world.public.say(book(0, "2000", snapshot=True)._replace(symbol="BTC-PERP"))
    assert set(world.feeds.books) == {ETH}
    assert world.feeds.books[ETH].bbo()["bid"] == D(3000)


def test_a_book_without_a_snapshot_is_not_waited_for_for_ever(world: World) -> None:
    world.public.silent = True
    with pytest.raises(NotSynced, match=ETH):
        run_virtual(world.feeds.start([BOOK]))
    assert not world.feeds.live(BOOK)
    assert world.public.calls[-1] == ("unsubscribe", BOOK)


async def test_a_gap_asks_the_stream_again_once_and_is_told_as_one(world: World) -> None:
    await world.feeds.start([BOOK])
    world.public.say(book(1))
    books, gaps = world.hear("book", ETH), world.hear("gap", ETH)
    world.public.say(book(3), book(4))
    assert world.feeds.books[ETH].stale
    assert world.public.calls[1:] == [("resubscribe", BOOK)]
    assert books == []
    assert len(gaps) == 1
    world.public.say(book(0, snapshot=True))
    assert not world.feeds.books[ETH].stale
    assert len(books) == 1


async def test_a_book_from_rest_is_laid_under_what_the_stream_said() -> None:
    world = World(rest_books=True)
    world.snapshots = [book(10, snapshot=True)]
    books = world.hear("book", ETH)
    await world.feeds.start([BOOK])
    assert len(books) == 1
    world.public.say(book(11, "3000.7"), book(13))
    assert world.feeds.books[ETH].stale
    world.snapshots = [book(13, "3000.9", snapshot=True)]
    await world.public.do_works()
    assert world.feeds.books[ETH].bbo()["bid"] == D("3000.9")
    assert world.public.calls == [("subscribe", BOOK)], "the stream was asked again for nothing"


async def test_a_snapshot_that_fails_is_asked_for_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(rest_books=True)
    away = TransportError("away", venue="acme")
    world.snapshots = [away, away, book(10, snapshot=True)]
    with caplog.at_level(logging.WARNING):
        await world.feeds.start([BOOK])
    assert not world.feeds.books[ETH].stale
    assert len(caplog.records) == 2
    world.snapshots = [away] * 5
    world.public.say(book(15))
    with pytest.raises(NotSynced, match=ETH):
        await world.public.do_works()


async def test_quotes_keep_what_a_change_leaves_out(world: World) -> None:
    quotes = world.hear("bbo", ETH)
    await world.feeds.start([BBO])
    world.public.say(BboUpdate(ETH, "3000", "1", "3001", "2", NOW_MS))
    world.public.say(BboUpdate(ETH, "3000.5", None, None, None, NOW_MS + 1))
    world.public.say(BboUpdate(ETH, None, None, "", "", NOW_MS + 2))
    bids = [(q["bid"], q["bid_size"], q["ask"], q["ask_size"]) for q in quotes]
    assert bids == [
        (D("3000"), D(1), D("3001"), D(2)),
        (D("3000.5"), D(1), D("3001"), D(2)),
        (D("3000.5"), D(1), None, None),
    ]
    assert [q["timestamp_ms"] for q in quotes] == [NOW_MS, NOW_MS + 1, NOW_MS + 2]


async def test_marks_have_an_age(world: World) -> None:
    await world.feeds.start([MARK])
    world.clock.seconds = 7.0
    world.public.say(MarkUpdate(ETH, D(3000), None, NOW_MS))
    assert world.feeds.marks[ETH] == (D(3000), 7.0)


# --------------------------------------------------------------------------- account


async def test_the_account_is_known_after_the_first_snapshot(world: World) -> None:
    held, resting = position(2).position, order(OrderStatus.OPEN).order
    assert held is not None
    world.answer = ([held], [resting], [])
    assert not world.feeds.account.synced
    await world.feeds.start([ORDERS, FILLS, POSITIONS])
    assert world.asked == [None], "one snapshot, without fills of the past"
    assert world.feeds.account.position(ETH) == held
    assert world.feeds.account.open_orders() == [resting]


async def test_market_data_alone_asks_nothing_of_the_account(world: World) -> None:
    await world.feeds.start([BOOK, BBO, MARK])
    assert world.asked == []


async def test_fills_orders_and_positions_are_told_once(world: World) -> None:
    await world.feeds.start([ORDERS, FILLS, POSITIONS])
    fills, orders, positions = (world.hear(kind) for kind in ("fills", "orders", "positions"))
    ended, held = order(OrderStatus.FILLED, 2), position(2)
    world.private.say(fill("1"), fill("1"), fill("2"), ended, ended, held)
    world.private.say(order(OrderStatus.OPEN, 1))
    assert [f["id"] for f in fills] == ["1", "2"]
    assert [o["status"] for o in orders] == [OrderStatus.FILLED]
    assert positions == [held]


async def test_callbacks_choose_by_symbol_and_stop(world: World) -> None:
    await world.feeds.start([FILLS])
    here, everywhere, elsewhere = (world.hear("fills", s) for s in (ETH, "", "BTC-PERP"))
    stopped: list[Fill] = []
    stop = world.feeds.on("fills", "", stopped.append)
    world.private.say(fill("1"))
    stop()
    world.private.say(fill("2"))
    assert len(here) == len(everywhere) == 2
    assert elsewhere == []
    assert len(stopped) == 1


async def test_a_callback_may_stop_itself(world: World) -> None:
    await world.feeds.start([FILLS])
    once: list[Fill] = []

    def hear(told: Fill) -> None:
        once.append(told)
        stop()

    stop = world.feeds.on("fills", "", hear)
    after = world.hear("fills")
    world.private.say(fill("1"), fill("2"))
    assert len(once) == 1
    assert len(after) == 2


# --------------------------------------------------------------------------- drops


async def test_after_a_drop_nothing_is_known_until_it_was_read_back(world: World) -> None:
    await world.feeds.start([ORDERS, FILLS, POSITIONS])
    told, fills = world.hear("stream"), world.hear("fills")
    world.clock.seconds = 10.0
    world.private.say(fill("1"), StreamDown("gone"))
    with pytest.raises(NotSynced):
        world.feeds.account.position(ETH)
    world.answer = ([], [], [fill("1").fill, fill("2", NOW_MS + 9_000).fill])
    world.clock.seconds = 14.0
    world.private.say(StreamUp(2))
    assert told == [StreamDown("gone")], "back, but nothing is known yet"
    await world.private.do_works()
    assert told == [StreamDown("gone"), StreamUp(2)]
    assert world.asked == [None, NOW_MS + 10_000]
    assert [f["id"] for f in fills] == ["1", "2"]
    assert world.feeds.account.position(ETH) is None


async def test_fills_of_an_earlier_time_are_not_told(world: World) -> None:
    await world.feeds.start([FILLS])
    fills = world.hear("fills")
    world.answer = ([], [], [fill("old", NOW_MS - 30_000).fill, fill("new", NOW_MS + 1).fill])
    world.private.say(StreamDown("gone"), StreamUp(2))
    await world.private.do_works()
    assert [f["id"] for f in fills] == ["new"]


async def test_a_drop_while_reading_back_is_read_back_as_a_whole(world: World) -> None:
    await world.feeds.start([FILLS])
    told = world.hear("stream")
    world.clock.seconds = 10.0
    world.private.say(StreamDown("one"), StreamUp(2))
    [reading] = world.private.works
    world.private.works = []
    fetch = world.feeds._fetch_account

    async def dropped(since_ms: int | None) -> Any:
        world.clock.seconds = 11.0
        world.private.say(StreamDown("two"))
        return await fetch(since_ms)

    world.feeds._fetch_account = dropped
    await reading
    world.feeds._fetch_account = fetch
    assert not world.feeds.account.synced
    world.private.say(StreamUp(3))
    await world.private.do_works()
    assert world.asked[-1] == NOW_MS + 10_000, "read back from the first drop on"
    assert world.feeds.account.synced
    assert told == [StreamDown("one"), StreamUp(3)], "as often lost as back"


async def test_what_a_lost_market_stream_said_is_forgotten(world: World) -> None:
    await world.feeds.start([BOOK, BBO, MARK, FILLS])
    world.public.say(
        book(0, snapshot=True),
        BboUpdate(ETH, "3000", "1", "3001", "2", NOW_MS),
        MarkUpdate(ETH, D(3000), None, NOW_MS),
    )
    told = world.hear("stream")
    world.public.say(StreamDown("gone"))
    assert world.feeds.books[ETH].stale
    assert world.feeds.bbos == {}
    assert world.feeds.marks == {}
    assert world.feeds.account.synced, "the account has a line of its own"
    world.public.say(StreamUp(2))
    assert told == [StreamDown("gone"), StreamUp(2)]
    assert world.asked == [None]


async def test_a_book_from_rest_is_asked_for_after_a_drop() -> None:
    world = World(rest_books=True)
    world.snapshots = [book(10, snapshot=True), book(90, snapshot=True)]
    await world.feeds.start([BOOK])
    world.public.say(StreamDown("gone"))
    assert world.feeds.books[ETH].stale
    world.public.say(StreamUp(2))
    await world.public.do_works()
    assert not world.feeds.books[ETH].stale


# --------------------------------------------------------------------------- iterating


async def test_every_event_is_given_in_order(world: World) -> None:
    await world.feeds.start([FILLS])
    watching = asyncio.gather(first(world.feeds.every(Topic("fills", ETH)), 3), _after(world))
    found, _ = await watching
    assert [f["id"] for f in found] == ["1", "2", "3"]
    assert world.private.calls == [("subscribe", FILLS)]


async def _after(world: World) -> None:
    await asyncio.sleep(0)
    world.private.say(fill("1"), fill("2"))
    await asyncio.sleep(0)
    world.private.say(fill("3"))


async def test_a_reader_too_far_behind_is_told_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mpdex.utils.feeds._QUEUE", 3)
    await world.feeds.start([FILLS])

    async def say() -> None:
        await asyncio.sleep(0)
        world.private.say(*(fill(str(number)) for number in range(4)))

    with pytest.raises(NotSynced, match="4 fills events were not read in time"):
        await asyncio.gather(first(world.feeds.every(FILLS)), say())


async def test_the_latest_value_is_given_and_those_between_are_merged(world: World) -> None:
    await world.feeds.start([BOOK])
    world.public.say(book(0, snapshot=True))
    books = world.feeds.latest(
        BOOK,
        lambda: world.feeds.books[ETH].bbo()["bid"],
        ready=lambda: not world.feeds.books[ETH].stale,
    )
    assert await anext(books) == D(3000), "what is known is given at once"
    world.public.say(book(1, "3000.1"), book(2, "3000.2"))
    assert await anext(books) == D("3000.2")
    world.public.say(book(3, "3000.3"), StreamDown("gone"))
    later = asyncio.gather(anext(books), _renew(world))
    assert (await later)[0] == D("3000.8"), "a stale book was given"
    await books.aclose()  # type: ignore[attr-defined]
    assert world.feeds._callbacks["book", ETH] == []


async def _renew(world: World) -> None:
    await asyncio.sleep(0)
    world.public.say(StreamUp(2), book(0, "3000.8", snapshot=True))

"""wrappers.book_poller: books that are asked for, heard like those of a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from core.ws_double import virtually

from mpdex.errors import ProtocolError, TransportError
from mpdex.types import BookUpdate, Event, StreamDown, StreamUp, Topic
from mpdex.utils.clock import LoopClock
from wrappers.book_poller import BookPoller

ETH, BTC = Topic("book", "ETH"), Topic("book", "BTC")


class Venue:
    """Answers after a while, or not at all; keeps when it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, str]] = []
        self.error: Exception | None = None
        self.latency = 0.1
        self.heard: list[Event] = []
        loop = asyncio.get_running_loop()
        self.poller = BookPoller(self._answer, name="acme", clock=LoopClock(loop, 0))
        self.poller.listeners.append(self.heard.append)

    async def _answer(self, symbol: str) -> BookUpdate:
        self.asked.append((asyncio.get_running_loop().time(), symbol))
        await asyncio.sleep(self.latency)
        if self.error is not None:
            raise self.error
        return BookUpdate(symbol, [("1", "1")], [("2", "1")], 0, 0, True, None)

    def times(self, symbol: str = "ETH") -> list[float]:
        return [round(at, 2) for at, asked in self.asked if asked == symbol]

    def books(self) -> list[str]:
        return [event.symbol for event in self.heard if isinstance(event, BookUpdate)]

    def life(self) -> list[type]:
        return [type(e) for e in self.heard if isinstance(e, StreamUp | StreamDown)]


def with_venue(test: Callable[[Venue], Any]) -> Callable[[], None]:
    async def play() -> None:
        before = asyncio.all_tasks()
        venue = Venue()
        await venue.poller.connect()
        try:
            await test(venue)
        finally:
            await venue.poller.close()
        assert asyncio.all_tasks() == before
        asked = len(venue.asked)
        await asyncio.sleep(5)
        assert len(venue.asked) == asked, "asked for after it was closed"

    return virtually(play)


@with_venue
async def test_a_book_is_read_at_once_and_then_every_second(venue: Venue) -> None:
    await asyncio.sleep(0.3)
    await venue.poller.subscribe(ETH)
    await asyncio.sleep(3.5)
    assert venue.times() == [0.3, 1.0, 2.0, 3.0]
    assert venue.books() == ["ETH"] * 4
    assert venue.life() == [StreamUp]


@with_venue
async def test_what_nobody_wants_any_more_is_not_read(venue: Venue) -> None:
    await venue.poller.subscribe(ETH)
    await venue.poller.subscribe(ETH)
    await venue.poller.subscribe(BTC)
    await asyncio.sleep(1.5)
    await venue.poller.unsubscribe(ETH)
    await venue.poller.unsubscribe(BTC)
    heard = len(venue.books())
    await asyncio.sleep(2)
    assert set(venue.books()[heard:]) == {"ETH"}
    await venue.poller.unsubscribe(ETH)
    asked = len(venue.asked)
    await asyncio.sleep(3)
    assert len(venue.asked) == asked


@with_venue
async def test_a_slow_answer_delays_the_next_question_and_no_more(venue: Venue) -> None:
    venue.latency = 1.4
    await venue.poller.subscribe(ETH)
    await asyncio.sleep(6)
    assert len(venue.asked) == 5
    gaps = [b - a for a, b in zip(venue.times(), venue.times()[1:], strict=False)]
    assert min(gaps) > 1.39, "asked again before the answer"


@with_venue
async def test_a_book_can_be_asked_for_out_of_turn(venue: Venue) -> None:
    await venue.poller.subscribe(ETH)
    await asyncio.sleep(0.5)
    venue.poller.resubscribe(ETH)
    await asyncio.sleep(0.2)
    assert venue.times() == [0.0, 0.5]


@with_venue
async def test_a_book_that_cannot_be_read_is_a_loss_and_comes_back(venue: Venue) -> None:
    await venue.poller.subscribe(ETH)
    await asyncio.sleep(1.5)
    venue.error = TransportError("no answer", venue="acme")
    await asyncio.sleep(10)
    assert venue.life() == [StreamUp, StreamDown]
    assert not venue.poller.connected
    asked = len(venue.asked)
    assert asked < 9, "it is not hurried while it is down"
    venue.error = None
    await asyncio.sleep(10)
    assert venue.life() == [StreamUp, StreamDown, StreamUp]
    assert isinstance(venue.heard[-1], BookUpdate)


@with_venue
async def test_a_book_comes_before_the_connection_is_called_good(venue: Venue) -> None:
    await venue.poller.subscribe(ETH)
    await asyncio.sleep(0.5)
    venue.heard.clear()
    assert venue.poller.renew("try it")
    await asyncio.sleep(0.5)
    assert [type(event) for event in venue.heard] == [StreamDown, BookUpdate, StreamUp]


@with_venue
async def test_a_listener_that_breaks_ends_nothing(venue: Venue) -> None:
    def broken(event: Event) -> None:
        raise ProtocolError("not a book")

    venue.poller.listeners.insert(0, broken)
    await venue.poller.subscribe(ETH)
    await asyncio.sleep(1.5)
    assert len(venue.books()) == 2
    assert sum(venue.poller.quarantine.counts.values()) >= 2


@virtually
async def test_what_no_retry_can_mend_is_told_at_once() -> None:
    venue = Venue()
    venue.error = ProtocolError("the page has changed")
    await venue.poller.subscribe(ETH)
    with pytest.raises(ProtocolError):
        await venue.poller.connect()
    await venue.poller.close()

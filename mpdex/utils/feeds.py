"""What the streams of one account have said so far, and who wants to hear it.

Frames arrive synchronously from the connection; books, marks and the account are brought up to
date and every callback runs before the next frame is read. The asynchronous iterators are queues
behind such callbacks.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from mpdex.errors import MpdexError, NotSynced, ProtocolError
from mpdex.types import (
    BBO,
    BboUpdate,
    BookUpdate,
    Event,
    Fill,
    FillUpdate,
    MarkUpdate,
    Order,
    OrderUpdate,
    Position,
    PositionUpdate,
    StreamDown,
    StreamUp,
    Topic,
)
from mpdex.utils.account import Account
from mpdex.utils.clock import Clock
from mpdex.utils.orderbook import Book

log = logging.getLogger("mpdex.feeds")
T = TypeVar("T")
Stop = Callable[[], None]

PRIVATE = frozenset({"orders", "fills", "positions"})
# A consumer this far behind is told so instead of being fed old news (FAULTS WS-12).
_QUEUE = 10_000
# A snapshot that was too old for the buffered changes is asked for again this often.
_SNAPSHOT_TRIES = 5
# As long as a subscription may take to be confirmed; the snapshot comes with it or right after.
_FIRST_BOOK_SECONDS = 10.0
# A book that is crossed for so long has levels in it that are gone; and one that nobody can read is
# asked for again after so long, since the answer with its snapshot may have been lost.
_CROSSED_SECONDS, _RENEW_SECONDS = 1.0, 5.0
# Fills read back are ours to tell from this long before the first subscription on: clocks differ,
# though not by more, or the venue would refuse what we sign.
_SKEW_MS = 5_000


class Stream(Protocol):
    """What a venue's connection offers; see wrappers.venue_stream."""

    listeners: list[Callable[[Event], None]]

    async def subscribe(self, topic: Topic) -> None: ...
    async def unsubscribe(self, topic: Topic) -> None: ...
    def resubscribe(self, topic: Topic) -> None: ...
    def run(self, work: Coroutine[Any, Any, None]) -> None: ...


class AccountSnapshot(Protocol):
    """Asks the venue for positions and open orders, and for fills since a time."""

    async def __call__(
        self, since_ms: int | None
    ) -> tuple[list[Position], list[Order], list[Fill]]: ...


class Feeds:
    """Books, marks, account state and callbacks of one exchange object.

    Args:
        venue: for messages.
        stream_for: the connection that serves a topic, leased on first use.
        fetch_book: a REST snapshot to lay under buffered changes; None where the stream begins
            with one.
        fetch_account: see `AccountSnapshot`.
        indicative: what is called a book is a quote for a size.
    """

    def __init__(
        self,
        venue: str,
        *,
        stream_for: Callable[[Topic], Awaitable[Stream]],
        fetch_book: Callable[[str], Awaitable[BookUpdate]] | None,
        fetch_account: AccountSnapshot,
        clock: Clock,
        indicative: bool = False,
    ) -> None:
        self.account = Account(venue)
        self.books: dict[str, Book] = {}
        self.bbos: dict[str, BBO] = {}
        self.marks: dict[str, tuple[Decimal, float]] = {}
        self._venue = venue
        self._stream_for = stream_for
        self._fetch_book = fetch_book
        self._fetch_account = fetch_account
        self._clock = clock
        self._indicative = indicative
        self._starting = asyncio.Lock()  # whoever asks for a topic gets it live, not under way
        self._topics: dict[Topic, Stream] = {}
        self._streams: dict[Stream, Callable[[Event], None]] = {}
        self._overheard: list[tuple[Stream, Callable[[Event], None]]] = []
        self._callbacks: dict[tuple[str, str], list[Callable[[Any], None]]] = defaultdict(list)
        self._began_ms: int | None = None  # when the account was first listened to
        self._down_ms: int | None = None
        self._crossed: dict[str, float] = {}  # since when a book has been
        self._renewed: dict[str, float] = {}  # when a book was asked for anew
        self._lost: set[Stream] = set()  # told to be down, and not to be back
        self._handlers: dict[type, Callable[[Any], None]] = {
            BookUpdate: self._on_book,
            BboUpdate: self._on_bbo,
            MarkUpdate: self._on_mark,
            OrderUpdate: self._on_order,
            FillUpdate: self._on_fill,
            PositionUpdate: self._on_position,
        }

    # ----------------------------------------------------------------- starting and stopping

    async def start(self, topics: Iterable[Topic]) -> None:
        """Subscribes; returns when every topic is live and has its first snapshot.

        Raises: TransportError; VenueError where the venue refuses a topic.
        """
        async with self._starting:
            await self._start([topic for topic in topics if topic not in self._topics])

    async def _start(self, fresh: Sequence[Topic]) -> None:
        if self._began_ms is None and any(topic.channel in PRIVATE for topic in fresh):
            self._began_ms = self._clock.now_ms()
        for topic in fresh:
            stream = await self._stream_for(topic)
            if topic.channel == "book":
                book = Book(topic.symbol, indicative=self._indicative)
                self.books.setdefault(topic.symbol, book)
            self._attach(stream)
            self._topics[topic] = stream
            try:
                await stream.subscribe(topic)
            except BaseException:
                del self._topics[topic]  # not subscribed, so not to be given back either
                raise
        try:
            await self._first_snapshots(fresh)
        except BaseException:
            for topic in fresh:  # live without a snapshot is not live, and nobody would ask again
                if topic in self._topics:
                    await self._topics.pop(topic).unsubscribe(topic)
            raise

    async def _first_snapshots(self, fresh: Sequence[Topic]) -> None:
        for topic in fresh:
            if topic.channel != "book":
                continue
            if self._fetch_book is not None:
                await self._snapshot_book(topic.symbol)
            else:
                await self._first_book(topic.symbol)
        if any(topic.channel in PRIVATE for topic in fresh):
            await self._snapshot_account(None)

    async def stop(self) -> None:
        """Unsubscribes from everything; the connections stay with whoever else leases them."""
        topics, self._topics = self._topics, {}
        for stream, listener in self._streams.items():
            stream.listeners.remove(listener)
        self._streams.clear()
        while self._overheard:
            stream, listener = self._overheard.pop()
            stream.listeners.remove(listener)
        for topic, stream in topics.items():
            await stream.unsubscribe(topic)

    def overhear(self, stream: Stream) -> None:
        """Hears of own orders on a connection without topics; its drops say nothing about them."""

        def listener(event: Event) -> None:
            if isinstance(event, OrderUpdate):
                self._on_order(event)

        self._overheard.append((stream, listener))
        stream.listeners.append(listener)

    def live(self, topic: Topic) -> bool:
        """Whether a topic is subscribed (its state may still be stale after a drop)."""
        return topic in self._topics

    def on(self, kind: str, symbol: str, callback: Callable[[Any], None]) -> Stop:
        """Calls back synchronously on every event of a kind; returns how to stop it."""
        wanted = self._callbacks[kind, symbol]
        wanted.append(callback)
        return lambda: wanted.remove(callback)

    # ----------------------------------------------------------------- iterating

    async def latest(
        self, topic: Topic, read: Callable[[], T], *, ready: Callable[[], bool]
    ) -> AsyncIterator[T]:
        """The current value, then the newest after each change; those in between are merged."""
        changed = asyncio.Event()
        stop = self.on(topic.channel, topic.symbol, lambda _: changed.set())
        try:
            await self.start([topic])
            if ready():
                changed.set()
            while True:
                await changed.wait()
                changed.clear()
                if ready():
                    yield read()
        finally:
            stop()

    async def every(self, topic: Topic) -> AsyncIterator[Any]:
        """Each event, none left out. Raises: NotSynced if the consumer falls too far behind."""
        waiting: deque[Any] = deque()
        arrived = asyncio.Event()

        def put(item: Any) -> None:
            waiting.append(item)
            arrived.set()

        stop = self.on(topic.channel, topic.symbol, put)
        try:
            await self.start([Topic(topic.channel)] if topic.channel in PRIVATE else [topic])
            while True:
                await arrived.wait()
                arrived.clear()
                if len(waiting) > _QUEUE:
                    raise NotSynced(
                        f"{len(waiting)} {topic.channel} events were not read in time",
                        venue=self._venue,
                    )
                while waiting:
                    yield waiting.popleft()
        finally:
            stop()

    # ----------------------------------------------------------------- events

    def _attach(self, stream: Stream) -> None:
        if stream in self._streams:
            return

        def listener(event: Event) -> None:
            handler = self._handlers.get(type(event))
            if handler is not None:
                handler(event)
            elif isinstance(event, StreamDown):
                self._on_down(stream, event)
            elif isinstance(event, StreamUp):
                self._on_up(stream, event)

        self._streams[stream] = listener
        stream.listeners.append(listener)

    def _tell(self, kind: str, symbol: str, item: object) -> None:
        for callback in tuple(self._callbacks.get((kind, symbol), ())):
            callback(item)
        if symbol:
            for callback in tuple(self._callbacks.get((kind, ""), ())):
                callback(item)

    def _on_book(self, update: BookUpdate) -> None:
        book = self.books.get(update.symbol)
        if book is None:
            return
        was_stale = book.stale
        try:
            good = book.apply(update, self._clock.monotonic())
        except ProtocolError:
            self._lose_book(book)
            raise
        if good:
            self._tell("book", update.symbol, book)
            if book.crossed or self._crossed:
                self._mind_crossing(book)
        elif book.stale and not was_stale:
            self._lose_book(book)
        elif book.stale and self._clock.monotonic() >= self._due_again(update.symbol):
            self._renew_book(update.symbol)

    def _lose_book(self, book: Book) -> None:
        self._tell("gap", book.symbol, book)
        self._renew_book(book.symbol)

    def _mind_crossing(self, book: Book) -> None:
        """Sides are told one after the other; one that stays crossed is not the venue's book."""
        now = self._clock.monotonic()
        if not book.crossed:
            self._crossed.pop(book.symbol, None)
            return
        since = self._crossed.setdefault(book.symbol, now)
        if now - since >= _CROSSED_SECONDS and now >= self._due_again(book.symbol):
            del self._crossed[book.symbol]
            log.warning("%s: the book of %s stays crossed", self._venue, book.symbol)
            book.reset()
            self._lose_book(book)

    def _due_again(self, symbol: str) -> float:
        return self._renewed.get(symbol, -_RENEW_SECONDS) + _RENEW_SECONDS

    def _on_bbo(self, update: BboUpdate) -> None:
        bbo = self.bbos.get(update.symbol)
        if bbo is None:
            bbo = BBO(
                symbol=update.symbol,
                bid=None,
                bid_size=None,
                ask=None,
                ask_size=None,
                timestamp_ms=None,
            )
        bbo = BBO(
            symbol=update.symbol,
            bid=_merged(update.bid, bbo["bid"]),
            bid_size=_merged(update.bid_size, bbo["bid_size"]),
            ask=_merged(update.ask, bbo["ask"]),
            ask_size=_merged(update.ask_size, bbo["ask_size"]),
            timestamp_ms=update.timestamp_ms,
        )
        self.bbos[update.symbol] = bbo
        self._tell("bbo", update.symbol, bbo)

    def _on_mark(self, update: MarkUpdate) -> None:
        self.marks[update.symbol] = (update.mark_price, self._clock.monotonic())
        self._tell("mark", update.symbol, update)

    def _on_order(self, update: OrderUpdate) -> None:
        if self.account.apply(update) is not None:
            self._tell("orders", update.order["symbol"], update.order)

    def _on_fill(self, update: FillUpdate) -> None:
        if self.account.apply(update) is not None:
            self._tell("fills", update.fill["symbol"], update.fill)

    def _on_position(self, update: PositionUpdate) -> None:
        if self.account.apply(update) is not None:
            self._tell("positions", update.symbol, update)

    # ----------------------------------------------------------------- losing and regaining

    def _on_down(self, stream: Stream, event: StreamDown) -> None:
        for topic in self._of(stream):
            if topic.channel == "book":
                self.books[topic.symbol].reset()
            elif topic.channel == "bbo":
                self.bbos.pop(topic.symbol, None)
            elif topic.channel == "mark":
                self.marks.pop(topic.symbol, None)
        if self._serves_account(stream):
            self.account.apply(event)
            if self._down_ms is None:
                self._down_ms = self._clock.now_ms()
        if stream not in self._lost:  # lost again before its gap was read: nobody thinks it is back
            self._lost.add(stream)
            self._tell("stream", "", event)

    def _on_up(self, stream: Stream, event: StreamUp) -> None:
        for topic in self._of(stream):
            if topic.channel == "book" and self._fetch_book is not None:
                self._renew_book(topic.symbol)
        if self._serves_account(stream) and self._down_ms is not None:
            stream.run(self._resync(stream, event))
        else:
            self._tell_back(stream, event)

    async def _resync(self, stream: Stream, event: StreamUp) -> None:
        """The account after a drop: nothing is live before the gap has been read."""
        if await self._snapshot_account(self._down_ms):
            self._down_ms = None
            self._tell_back(stream, event)

    def _tell_back(self, stream: Stream, event: StreamUp) -> None:
        self._lost.discard(stream)
        self._tell("stream", "", event)

    def _renew_book(self, symbol: str) -> None:
        topic = Topic("book", symbol)
        stream = self._topics.get(topic)
        if stream is None:
            return
        self._renewed[symbol] = self._clock.monotonic()
        if self._fetch_book is None:
            stream.resubscribe(topic)
        else:
            stream.run(self._snapshot_book(symbol))

    async def _snapshot_book(self, symbol: str) -> None:
        assert self._fetch_book is not None
        book = self.books[symbol]
        for _ in range(_SNAPSHOT_TRIES):
            try:
                update = await self._fetch_book(symbol)
            except MpdexError as error:
                log.warning("%s: no snapshot of %s: %s", self._venue, symbol, error)
                continue
            if book.apply(update, self._clock.monotonic()):
                self._tell("book", symbol, book)
                return
        raise NotSynced(f"no usable snapshot of {symbol}", venue=self._venue)

    async def _first_book(self, symbol: str) -> None:
        """Waits for the snapshot that the stream begins with."""
        if not self.books[symbol].stale:
            return
        arrived = asyncio.Event()
        stop = self.on("book", symbol, lambda _: arrived.set())
        try:
            async with asyncio.timeout(_FIRST_BOOK_SECONDS):
                await arrived.wait()
        except TimeoutError:
            raise NotSynced(f"no snapshot of {symbol} came", venue=self._venue) from None
        finally:
            stop()

    async def _snapshot_account(self, since_ms: int | None) -> bool:
        """False: the stream dropped meanwhile, and its return will ask again."""
        asked = self.account.revision
        positions, orders, fills = await self._fetch_account(since_ms)
        began = (self._began_ms or 0) - _SKEW_MS
        for fill in fills:
            if fill["timestamp_ms"] >= began:
                self._on_fill(FillUpdate(fill))
        return self.account.load(positions, orders, asked)

    def _of(self, stream: Stream) -> list[Topic]:
        return [topic for topic, owner in self._topics.items() if owner is stream]

    def _serves_account(self, stream: Stream) -> bool:
        return any(topic.channel in PRIVATE for topic in self._of(stream))


def _merged(text: str | None, old: Decimal | None) -> Decimal | None:
    if text is None:
        return old
    return Decimal(text) if text else None

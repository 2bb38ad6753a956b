"""GRVT, streams: market data without credentials, and the trading socket with calls and own events.

Both speak JSON-RPC for calls and subscriptions; feeds are frames of their own, routed by stream and
selector. Each stream and selector counts its frames; only snapshots carry 0. A gap in a book makes
that book stale. A gap in anything else ends the connection: an order, a fill or the half of a quote
is missing, and only a new start with snapshots can tell which.

Sources: api-docs.grvt.io, "Market Data Streams", "Trading Streams", "Websocket"; frames recorded
live in January 2026; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from mpdex.errors import Unsupported
from mpdex.types import (
    BboUpdate,
    Event,
    Json,
    MarkUpdate,
    Reply,
    Request,
    Subscribed,
    Topic,
)
from mpdex.utils.frames import Frame, book_update
from wrappers.grvt_auth import VENUE
from wrappers.grvt_wire import error_of, fill_update, order_update, position_update
from wrappers.venue_stream import VenueStream

# Topic -> stream and rate in milliseconds. The fastest of each that the venue documents; a mark
# price needs no more than two a second, and comes whole each time, apart from the quotes.
MARKET_STREAMS: Final = {
    "book": ("v1.book.d", "@50"),
    "bbo": ("v1.mini.d", "@0"),
    "mark": ("v1.mini.s", "@500"),
}
ACCOUNT_STREAMS: Final = {"orders": "v1.order", "fills": "v1.fill", "positions": "v1.position"}
COMMANDS: Final = frozenset({"v1/create_order", "v1/cancel_order", "v1/cancel_all_orders"})
SEEN, ASTRAY = -1, -2
_FEED: Final = b'{"stream":"'
_BOOK_FEED: Final = b'{"stream":"v1.book.d"'
_NAME_AT: Final = len(_FEED)


# --------------------------------------------------------------------------- frames


class _Level(Frame):
    price: str
    size: str


class _Book(Frame):
    instrument: str
    bids: list[_Level]
    asks: list[_Level]
    event_time: int | None = None


class _Mini(Frame):
    """What changed; "" is null. The whole state in a snapshot."""

    instrument: str
    event_time: int | None = None
    mark_price: str | None = None
    index_price: str | None = None
    best_bid_price: str | None = None
    best_bid_size: str | None = None
    best_ask_price: str | None = None
    best_ask_size: str | None = None


class _Feed(Frame):
    stream: str
    selector: str
    sequence_number: int


class _BookFrame(_Feed):
    feed: _Book


class _MiniFrame(_Feed):
    feed: _Mini


class _AccountFrame(_Feed):
    feed: Json


class _Message(Frame):
    """A feed in unusual spelling, or a reply: one of selector, result and error is set."""

    stream: str = ""
    selector: str | None = None
    result: Json = None
    error: Json = None
    id: int = 0
    method: str = ""


# Lax: counters and times are numbers in quotes on the wire, and were documented without.
_book = msgspec.json.Decoder(_BookFrame, strict=False).decode
_mini = msgspec.json.Decoder(_MiniFrame, strict=False).decode
_account = msgspec.json.Decoder(_AccountFrame, strict=False, float_hook=Decimal).decode
_message = msgspec.json.Decoder(_Message, strict=False, float_hook=Decimal).decode


def _ms(nanoseconds: int | None) -> int | None:
    return None if nanoseconds is None else nanoseconds // 1_000_000


class _Sequences:
    """Where each stream and selector of one connection stands."""

    def __init__(self) -> None:
        self._next: dict[tuple[str, str], int] = {}
        self._begin: dict[tuple[str, str], int] = {}  # what the venue said a count begins with

    def clear(self) -> None:
        """Nothing is known of a new connection; its counters may belong to another gateway."""
        self._next.clear()
        self._begin.clear()

    def begin(self, stream: str, selector: str, first: int) -> None:
        """A confirmed subscription counts from `first`, unless its frames overtook that answer."""
        key = stream, selector
        if self._next.get(key, 0) <= first:
            self._next[key] = self._begin[key] = first

    def follow(self, frame: _Feed) -> int:
        """How many frames are missing before this one, or why it is not news.

        SEEN: it was here already. ASTRAY: it does not continue the count at all; the gateway is
        not the one it was.
        """
        key, number = (frame.stream, frame.selector), frame.sequence_number
        expected = self._next.get(key)
        if number == expected:
            self._next[key] = number + 1
            return 0
        return 0 if number == 0 else self._unexpected(key, number, expected)

    def _unexpected(self, key: tuple[str, str], number: int, expected: int | None) -> int:
        if expected is None:
            self._next[key] = number + 1
            return 0
        if self._begin.pop(key, None) == expected:
            return SEEN if number < expected else ASTRAY  # nothing may come before the first
        self._next[key] = number + 1
        if number == expected - 1:
            return SEEN
        return number - expected if number > expected else ASTRAY


class GrvtStream(VenueStream):
    """What both sockets share: subscriptions, replies, counters."""

    # The venue's idle time-out is not documented; its SDKs keep their library's 20 s pings.
    PING_INTERVAL = 20.0
    RECV_TIMEOUT = 60.0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._sequences = _Sequences()

    def stream_of(self, topic: Topic) -> tuple[str, str]:
        """Stream and selector; a feed repeats the selector as it was asked for."""
        raise Unsupported(f"no stream of {topic.channel}", venue=VENUE)

    def wire_topic(self, topic: Topic) -> str:
        return "/".join(self.stream_of(topic))

    def encode_subscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return self._frames("subscribe", topics, self.request_id)

    def encode_unsubscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return self._frames("unsubscribe", topics, lambda _: self.request_id())

    def _frames(
        self, method: str, topics: Sequence[Topic], new_id: Callable[[list[Topic]], int]
    ) -> list[bytes]:
        """One frame for each stream, with all its selectors."""
        by_stream: dict[str, list[Topic]] = defaultdict(list)
        for topic in topics:
            by_stream[self.stream_of(topic)[0]].append(topic)
        frames = []
        for stream, asked in by_stream.items():
            selectors = [self.stream_of(topic)[1] for topic in asked]
            params = msgspec.json.encode({"stream": stream, "selectors": selectors})
            frames.append(encode_frame(method, params, new_id(asked)))
        return frames

    def decode(self, frame: bytes) -> Iterable[Event]:
        """Events of one frame; streams never asked for say nothing.

        Raises: msgspec's errors or ProtocolError for a frame that is not as documented.
        """
        if frame.startswith(_FEED):
            return self.decode_feed(frame[_NAME_AT : frame.find(b'"', _NAME_AT)], frame)
        message = _message(frame)
        if message.selector is not None:
            return self.decode_feed(message.stream.encode(), frame)
        return self._decode_reply(message)

    def decode_feed(self, stream: bytes, frame: bytes) -> Iterable[Event]:
        """The events of a feed frame of this stream."""
        return ()

    def follow(self, frame: _Feed) -> bool:
        """Whether a frame is news. Ends the connection when one before it is missing."""
        missing = self._sequences.follow(frame)
        if missing and missing != SEEN:
            self._drop(f"{frame.stream} {frame.selector} has a gap at {frame.sequence_number}")
        return missing == 0

    def _decode_reply(self, message: _Message) -> Iterable[Event]:
        if message.error is not None:
            # A reply that does not name its call may be to a command.
            command = not message.method or message.method in COMMANDS
            refused = error_of(message.error, 0, message.method, command=command)
            return (Reply(message.id, error=refused),)
        result = message.result
        if isinstance(result, dict) and "stream" in result:
            return self._subscribed(result)
        return () if result is None else (Reply(message.id, body=result),)

    def _subscribed(self, result: dict[str, Json]) -> Iterable[Event]:
        stream, selectors = result["stream"], result.get("subs") or ()
        # Absent for streams that have nothing to count.
        for selector, first in zip(
            selectors, result.get("first_sequence_number") or (), strict=False
        ):
            self._sequences.begin(stream, selector, int(first))
        return [Subscribed(f"{stream}/{selector}") for selector in selectors]

    def _on_down(self, reason: str, *, was_open: bool) -> None:
        self._sequences.clear()
        super()._on_down(reason, was_open=was_open)


class GrvtMarketStream(GrvtStream):
    """Books, quotes and marks."""

    WS_URL = "wss://market-data.grvt.io/ws/full"
    HOST = "market_ws"
    CHANNELS = frozenset(MARKET_STREAMS)
    PRIVATE = False

    def stream_of(self, topic: Topic) -> tuple[str, str]:
        stream, rate = MARKET_STREAMS[topic.channel]
        return stream, topic.symbol + rate

    def decode(self, frame: bytes) -> Iterable[Event]:
        """Books first: nine frames of ten are theirs."""
        if frame.startswith(_BOOK_FEED):
            return self._book(_book(frame))
        return super().decode(frame)

    def decode_feed(self, stream: bytes, frame: bytes) -> Iterable[Event]:
        match stream:
            case b"v1.book.d":
                return self._book(_book(frame))
            case b"v1.mini.d":
                return self._bbo(_mini(frame))
            case b"v1.mini.s":
                return _mark(_mini(frame).feed)
        return ()

    def _book(self, frame: _BookFrame) -> Iterable[Event]:
        """A gap inside the count is the book's to find; a count that is another one ends it all."""
        missing = self._sequences.follow(frame)
        if missing < 0:
            if missing == ASTRAY:
                self._drop(f"{frame.stream} {frame.selector} is astray at {frame.sequence_number}")
            return ()
        book, number, time_ns = frame.feed, frame.sequence_number, frame.feed.event_time
        bids = [(level.price, level.size) for level in book.bids]
        asks = [(level.price, level.size) for level in book.asks]
        time_ms = time_ns and time_ns // 1_000_000
        return (book_update((book.instrument, bids, asks, number, number, number == 0, time_ms)),)

    def _bbo(self, frame: _MiniFrame) -> Iterable[Event]:
        if not self.follow(frame):
            return ()
        mini = frame.feed
        bid, bid_size = mini.best_bid_price, mini.best_bid_size
        ask, ask_size = mini.best_ask_price, mini.best_ask_size
        if frame.sequence_number == 0:  # a snapshot leaves out what is not there
            bid, bid_size, ask, ask_size = bid or "", bid_size or "", ask or "", ask_size or ""
        elif bid is bid_size is ask is ask_size is None:
            return ()
        return (BboUpdate(mini.instrument, bid, bid_size, ask, ask_size, _ms(mini.event_time)),)


def _mark(mini: _Mini) -> Iterable[Event]:
    if not mini.mark_price:
        return ()
    index = Decimal(mini.index_price) if mini.index_price else None
    return (MarkUpdate(mini.instrument, Decimal(mini.mark_price), index, _ms(mini.event_time)),)


_ACCOUNT_EVENTS: Final[dict[bytes, Callable[[Json], Event]]] = {
    b"v1.order": order_update,
    b"v1.fill": fill_update,
    b"v1.position": position_update,
}


class GrvtTradeStream(GrvtStream):
    """Order entry, own orders, fills and positions of one trading account.

    The session is in the handshake and lasts as long as the socket. An unauthenticated handshake
    is accepted too; every call on it is then refused with code 1000.
    """

    WS_URL = "wss://trades.grvt.io/ws/full"
    HOST = "trade_ws"
    CHANNELS = frozenset(ACCOUNT_STREAMS)
    PRIVATE = True

    def stream_of(self, topic: Topic) -> tuple[str, str]:
        account = self.keys["sub_account_id"]
        selector = f"{account}-{topic.symbol}" if topic.symbol else account
        return ACCOUNT_STREAMS[topic.channel], selector

    def encode_call(self, request: Request, id: int) -> bytes:
        params = request.body or msgspec.json.encode(request.json)
        return encode_frame(request.call, params, id)

    def decode_feed(self, stream: bytes, frame: bytes) -> Iterable[Event]:
        event = _ACCOUNT_EVENTS.get(stream)
        if event is None:
            return ()
        data = _account(frame)
        return (event(data.feed),) if self.follow(data) else ()


def encode_frame(method: str, params: bytes, id: int) -> bytes:
    """A JSON-RPC frame around a body that is encoded already."""
    return b'{"jsonrpc":"2.0","method":"%b","params":%b,"id":%d}' % (method.encode(), params, id)


GrvtWSClient = GrvtTradeStream  # the name that direct imports of a venue's client have

"""EdgeX, streams: market data, and the account, which is told without being asked for.

The server pings with a message of its own and drops whoever leaves five of them unanswered. The
private socket begins with a snapshot on every connection; nothing of an earlier one is resumed, so
its topics count as subscribed once that has come.

A book begins with a snapshot; sizes in changes are absolute. Changes overlap by one number on v2
(each starts with the last one of the change before) and not on v1, so that the first two of a
connection that follow each other tell how the server counts. Until then a hole of one number cannot
be told from none.

Sources: edgex-1.gitbook.io, "WebSocket API" (v1 of 2026-04-09, v2 of 2026-03-17); frames of v2 of
2026-09-11; edgex-python-sdk 2.0.1; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from mpdex.errors import TransportError
from mpdex.types import (
    BboUpdate,
    BookUpdate,
    Event,
    FillUpdate,
    Json,
    MarkUpdate,
    OrderUpdate,
    PositionUpdate,
    Reply,
    Request,
    Subscribed,
    Topic,
)
from mpdex.utils.socket import Socket
from wrappers.edgex_auth import PRIVATE_SOCKET, auth_of
from wrappers.edgex_wire import decode_fill, decode_order, decode_position, error_of, time_ms
from wrappers.venue_stream import VenueStream

if TYPE_CHECKING:
    from wrappers.base_ws_client import Link
    from wrappers.venue_stream import _Subscription

# 200 levels: of the smaller book the ones that slide out of its window are never deleted.
# UNVERIFIED on v2: `bookTicker`.
_CHANNELS: Final = {"book": "depth.{}.200", "bbo": "bookTicker.{}", "mark": "ticker.{}"}
_ACCOUNT: Final = "account"
_SNAPSHOT: Final = "Snapshot"
_WHOLE: Final = frozenset((_SNAPSHOT, _SNAPSHOT.upper()))
_BOOK: Final = b'{"type":"quote-event","channel":"depth.'
_NO_PRICE: Final = frozenset(("", "0"))
_ZERO: Final = Decimal(0)
_GATEWAY: Final = Request("GET", PRIVATE_SOCKET)
# Past the argument handling of a NamedTuple's constructor: books are most of what comes.
_book_update: Final[Callable[[tuple[Any, ...]], BookUpdate]] = partial(tuple.__new__, BookUpdate)


# --------------------------------------------------------------------------- frames


class _Frame(msgspec.Struct, gc=False, rename="camel"):
    """Frames hold no reference cycles, so the collector need not look at them."""


class _Head(_Frame):
    """Any message. `time` comes as text, where it matters."""

    type: str = ""
    channel: str | None = None
    time: Json = None
    content: msgspec.Raw = msgspec.Raw(b"null")


class _Level(_Frame):
    price: str
    size: str


class _Book(_Frame):
    start_version: int
    end_version: int
    contract_id: str
    bids: list[_Level]
    asks: list[_Level]
    depth_type: str = ""


class _Books(_Frame):
    data: list[_Book]


class _BookFrame(_Frame):
    content: _Books


class _Quote(_Frame):
    contract_id: str
    best_bid_price: str = ""
    best_bid_size: str = ""
    best_ask_price: str = ""
    best_ask_size: str = ""


class _Quotes(_Frame):
    data: list[_Quote]


class _Ticker(_Frame):
    """v1 told no mark price in 2024; it is the oracle's."""

    contract_id: str
    mark_price: Decimal | None = None
    oracle_price: Decimal | None = None
    index_price: Decimal | None = None


class _Tickers(_Frame):
    data: list[_Ticker]


class _Told(_Frame):
    event: str = ""
    data: dict[str, Json] = {}


_head = msgspec.json.Decoder(_Head).decode
_book_frame = msgspec.json.Decoder(_BookFrame, strict=False).decode
_books = msgspec.json.Decoder(_Books, strict=False).decode
_quotes = msgspec.json.Decoder(_Quotes).decode
_tickers = msgspec.json.Decoder(_Tickers).decode
_told = msgspec.json.Decoder(_Told, float_hook=Decimal).decode
_any = msgspec.json.Decoder(float_hook=Decimal).decode


# --------------------------------------------------------------------------- streams


class EdgexStream(VenueStream):
    """What both sockets share: the pongs, and messages that are about the connection."""

    WS_URL = "wss://edgex-quote-prod-v2.edgex.exchange"
    HOST = "ws"
    PING_INTERVAL = None
    RECV_TIMEOUT = 60.0

    PATH: ClassVar[str]

    @classmethod
    def path_of(cls, topic: Topic) -> str:
        return cls.PATH

    def decode(self, frame: bytes) -> Iterable[Event]:
        """Events of one frame; channels never asked for say nothing.

        Raises: ProtocolError, or msgspec's own, for a frame that is not what it should be.
        """
        head = _head(frame)
        match head.type:
            case "ping":
                self._pong(head.time)
            case "connected" | "pong" | "unsubscribed":
                return ()
            case "subscribed":
                return (Subscribed(head.channel or ""),)
            case "error":
                return (Reply(0, error=_refusal(_any(head.content))),)
        return self.decode_data(head)

    def decode_data(self, head: _Head) -> Iterable[Event]:
        """Events of a message that has content."""
        return ()

    def _pong(self, time: Json) -> None:
        """With the ping's time. A connection that is gone needs none."""
        with suppress(TransportError):
            self.send(msgspec.json.encode({"type": "pong", "time": time}))


def _refusal(content: Json) -> Exception:
    return error_of(content, 200, _GATEWAY)


class EdgexWSClient(EdgexStream):
    """Books, best prices and marks."""

    CHANNELS = frozenset(_CHANNELS)
    PRIVATE = False
    PATH = "/api/v1/public/ws"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._overlap = False  # whether changes start with the last number of the one before
        self._last: dict[str, int] = {}  # by contract, until that is known

    def wire_topic(self, topic: Topic) -> str:
        return _CHANNELS[topic.channel].format(self.markets.wire_of(topic.symbol))

    def encode_subscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return [_frame("subscribe", self.wire_topic(topic)) for topic in topics]

    def encode_unsubscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return [_frame("unsubscribe", self.wire_topic(topic)) for topic in topics]

    def decode(self, frame: bytes) -> Iterable[Event]:
        if frame.startswith(_BOOK):
            return [self._book(book) for book in _book_frame(frame).content.data]
        return super().decode(frame)

    def decode_data(self, head: _Head) -> Iterable[Event]:
        """By channel: the type of such messages has changed, "payload" to "quote-event"."""
        match (head.channel or "").partition(".")[0]:
            case "depth":
                return [self._book(book) for book in _books(head.content).data]
            case "bookTicker":
                return [self._best(quote) for quote in _quotes(head.content).data]
            case "ticker":
                return [*self._marks(_tickers(head.content).data)]
        return ()

    def _book(self, book: _Book) -> BookUpdate:
        """Its first number is the first that is new in it."""
        contract, first, last = book.contract_id, book.start_version, book.end_version
        whole = book.depth_type in _WHOLE
        if whole:
            self._last[contract] = last
        elif self._overlap or self._overlaps(contract, first, last):
            first += first < last
        bids = [(level.price, level.size) for level in book.bids]
        asks = [(level.price, level.size) for level in book.asks]
        symbol = self.markets.symbol_of(contract)
        return _book_update((symbol, bids, asks, first, last, whole, None))

    def _overlaps(self, contract: str, first: int, last: int) -> bool:
        """Whether this change tells that the server counts so."""
        self._overlap = first == self._last.get(contract) and first < last
        self._last[contract] = last
        return self._overlap

    def _best(self, quote: _Quote) -> BboUpdate:
        """A side without orders has the price 0, or none."""
        no_bid, no_ask = quote.best_bid_price in _NO_PRICE, quote.best_ask_price in _NO_PRICE
        return BboUpdate(
            self.markets.symbol_of(quote.contract_id),
            "" if no_bid else quote.best_bid_price,
            "" if no_bid else quote.best_bid_size,
            "" if no_ask else quote.best_ask_price,
            "" if no_ask else quote.best_ask_size,
            None,
        )

    def _marks(self, tickers: Iterable[_Ticker]) -> Iterator[Event]:
        for ticker in tickers:
            mark = ticker.mark_price or ticker.oracle_price
            if mark:
                symbol = self.markets.symbol_of(ticker.contract_id)
                yield MarkUpdate(symbol, mark, ticker.index_price, None)

    def _on_down(self, reason: str, *, was_open: bool) -> None:
        self._overlap = False
        self._last.clear()
        super()._on_down(reason, was_open=was_open)


def _frame(what: str, channel: str) -> bytes:
    return msgspec.json.encode({"type": what, "channel": channel})


class EdgexAccountClient(EdgexStream):
    """Own orders, fills and positions.

    The same fill may be told twice, and an order FILLED twice; whoever listens tells them by their
    ids. Numbers of messages (`version`) count what happens in the account and not messages.
    """

    CHANNELS = frozenset({"orders", "fills", "positions"})
    PRIVATE = True
    PATH = PRIVATE_SOCKET

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._place = self._url
        self._proof: dict[str, str] = {}
        self._whole = False  # whether this connection's snapshot has come

    def handshake_headers(self) -> dict[str, str]:
        return dict(self._proof)

    async def _enter(self, link: Link) -> Socket:
        """Address and headers tell the same time, so they are made together."""
        query, self._proof = auth_of(self.keys).handshake(self.clock.now_ms())
        self._url = f"{self._place}?{query}"
        return await super()._enter(link)

    def wire_topic(self, topic: Topic) -> str:
        return _ACCOUNT

    def encode_subscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        """Nothing: everything comes unasked."""
        return []

    def encode_unsubscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return []

    def _ask(self, entries: Sequence[_Subscription]) -> None:
        super()._ask(entries)
        if self._whole:
            self._confirm(_ACCOUNT)

    def decode_data(self, head: _Head) -> Iterable[Event]:
        if head.type != "trade-event":
            return ()
        told = _told(head.content)
        events = list(self._events(told.data))
        if told.event != _SNAPSHOT:
            return events
        self._whole = True
        return [*events, Subscribed(_ACCOUNT)]

    def _events(self, data: dict[str, Json]) -> Iterator[Event]:
        markets = self.markets
        for entry in data.get("orderFillTransaction") or ():
            yield FillUpdate(decode_fill(entry, markets))
        for entry in data.get("order") or ():
            yield OrderUpdate(decode_order(entry, markets))
        for entry in data.get("position") or ():
            symbol, size = markets.symbol_of(entry["contractId"]), Decimal(entry["openSize"])
            position = decode_position(entry, markets, {})
            yield PositionUpdate(symbol, size, position, time_ms(entry))

    def _on_down(self, reason: str, *, was_open: bool) -> None:
        self._whole = False
        super()._on_down(reason, was_open=was_open)

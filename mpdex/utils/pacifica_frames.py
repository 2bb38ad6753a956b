"""Pacifica, stream: what its frames say, and how topics are asked for. No socket is here.

One kind of socket serves everything and asks for no proof: an account's channels are open to
whoever knows its address. Every book and every list of positions is whole, so nothing has to be
pieced together; a frame with a lower `li` (a number that grows over the whole venue) is older and
is dropped. Orders and fills come as changes, without a snapshot.

Sources: docs.pacifica.fi, "Websocket", "Subscriptions", "Trading operations"; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from mpdex.errors import AuthError, RateLimited, VenueError
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
    Subscribed,
    Topic,
)
from mpdex.utils.frames import Frame, book_update
from mpdex.utils.markets import MarketList
from mpdex.utils.pacifica_wire import (
    config_headers,
    decode_order_update,
    decode_position_update,
    decode_trade_update,
    is_perp,
)

MARKET_SOURCES: Final = {"book": "book", "bbo": "bbo", "mark": "prices"}
ACCOUNT_SOURCES: Final = {
    "orders": "account_order_updates",
    "fills": "account_trades",
    "positions": "account_positions",
}
FINEST: Final = 1  # agg_level: levels as they are
_BOOK: Final = b'{"channel":"book"'
_PING: Final = b'{"method":"ping"}'
_ZERO: Final = Decimal(0)


class _Level(Frame):
    p: str
    a: str


class _Book(Frame):
    s: str
    l: tuple[list[_Level], list[_Level]]  # noqa: E741  (the venue's name)
    t: int
    li: int = 0


class _BookFrame(Frame):
    data: _Book


class _Bbo(Frame):
    s: str
    t: int
    b: str | None = None
    B: str | None = None
    a: str | None = None
    A: str | None = None


class _Price(Frame):
    symbol: str
    mark: Decimal
    timestamp: int
    oracle: Decimal | None = None


class _Source(Frame):
    """What a subscription was for."""

    source: str
    symbol: str = ""
    account: str = ""


class _Message(Frame):
    """A frame of a channel, or an answer to a call (`code`, `err`, `rl` and perhaps `id`)."""

    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    li: int = 0
    id: str | None = None
    code: int = 0
    err: str | None = None
    rl: dict[str, int] | None = None


# Lax: times and numbers have been stored as text by those who recorded them.
_book = msgspec.json.Decoder(_BookFrame, strict=False).decode
_book_data = msgspec.json.Decoder(_Book, strict=False).decode
_bbo = msgspec.json.Decoder(_Bbo, strict=False).decode
_prices = msgspec.json.Decoder(list[_Price], strict=False).decode
_source = msgspec.json.Decoder(_Source).decode
_message = msgspec.json.Decoder(_Message, strict=False).decode
_any = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder().encode


class PacificaFrames:
    """The words of a Pacifica socket; put before `VenueStream` among the bases of a client.

    A client needs the key `account` for an account's channels. `api_config_key` raises its limits.
    """

    # The venue closes what has not sent anything for 60 s, whatever it hears. The guide's 50 s
    # would leave 10 s for a late timer or a slow way; twice in each minute leaves a second try.
    PING_INTERVAL: float | None = 25.0
    RECV_TIMEOUT: float | None = 60.0
    MAX_AGE: float | None = 24 * 3600.0

    keys: Mapping[str, str]
    markets: MarketList
    name: str

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._positions_li = 0
        self._open: set[str] = set()  # symbols of the last list of positions
        self._decoders: dict[str, Callable[[_Message], Iterable[Event]]] = {
            "book": lambda message: (self._book(_book_data(message.data)),),
            "bbo": self._bbo,
            "prices": self._prices,
            "account_order_updates": self._orders,
            "account_trades": self._fills,
            "account_positions": self._positions,
            "subscribe": self._subscribed,
            "": self._answer,
        }

    def handshake_headers(self) -> dict[str, str]:
        return config_headers(self.keys)

    # ----------------------------------------------------------------- topics

    def wire_topic(self, topic: Topic) -> str:
        """The source and what it is of; marks of all markets are one source."""
        params = self.params_of(topic)
        return _topic_text(msgspec.convert(params, _Source))

    def params_of(self, topic: Topic) -> dict[str, Json]:
        """What a topic is asked for with."""
        if topic.channel in ACCOUNT_SOURCES:
            return {"source": ACCOUNT_SOURCES[topic.channel], "account": self.keys["account"]}
        source = MARKET_SOURCES[topic.channel]
        if source == "prices":
            return {"source": source}
        params = {"source": source, "symbol": self.markets.wire_of(topic.symbol)}
        return {**params, "agg_level": FINEST} if source == "book" else params

    def encode_subscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return self._frames("subscribe", topics)

    def encode_unsubscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return self._frames("unsubscribe", topics)

    def _frames(self, method: str, topics: Sequence[Topic]) -> list[bytes]:
        """One for each topic: the venue takes no lists."""
        asked = (self.params_of(topic) for topic in topics)
        return [_encode({"method": method, "params": params}) for params in asked]

    def encode_ping(self) -> bytes:
        return _PING

    # ----------------------------------------------------------------- frames

    def decode(self, frame: bytes) -> Iterable[Event]:
        """Events of one frame; a channel never asked for says nothing.

        Raises: msgspec's errors or ProtocolError for a frame that is not as documented.
        """
        if frame.startswith(_BOOK):
            return (self._book(_book(frame).data),)
        message = _message(frame)
        decoder = self._decoders.get(message.channel)
        return decoder(message) if decoder else ()

    def _book(self, data: _Book) -> BookUpdate:
        """Whole each time. Its number makes an older one known as such."""
        bids, asks = data.l
        symbol = self.markets.symbol_of(data.s)
        levels = [(level.p, level.a) for level in bids], [(level.p, level.a) for level in asks]
        return book_update((symbol, *levels, data.li, data.li, True, data.t))

    def _bbo(self, message: _Message) -> Iterable[Event]:
        data = _bbo(message.data)
        symbol = self.markets.symbol_of(data.s)
        texts = data.b or "", data.B or "", data.a or "", data.A or ""
        return (BboUpdate(symbol, *texts, data.t),)

    def _prices(self, message: _Message) -> Iterator[Event]:
        for price in _prices(message.data):
            if is_perp(price.symbol):
                symbol = self.markets.symbol_of(price.symbol)
                yield MarkUpdate(symbol, price.mark, price.oracle, price.timestamp)

    def _orders(self, message: _Message) -> Iterator[Event]:
        for symbol, data in self._perps(message):
            yield OrderUpdate(decode_order_update(data, symbol))

    def _fills(self, message: _Message) -> Iterator[Event]:
        for symbol, data in self._perps(message):
            yield FillUpdate(decode_trade_update(data, symbol))

    def _positions(self, message: _Message) -> Iterator[Event]:
        """Every open position each time: one that is missing has been closed."""
        if message.li and message.li < self._positions_li:
            return
        self._positions_li = message.li or self._positions_li
        entries = list(self._perps(message))
        closed = self._open - {symbol for symbol, _ in entries}
        self._open = {symbol for symbol, _ in entries}
        for symbol in sorted(closed):
            yield PositionUpdate(symbol, _ZERO, None, None)
        for symbol, data in entries:
            position = decode_position_update(data, symbol)
            size = position["size"] if position["side"] == "long" else -position["size"]
            yield PositionUpdate(symbol, size, position if size else None, int(data["t"]))

    def _perps(self, message: _Message) -> Iterator[tuple[str, Json]]:
        for data in _any(message.data):
            if is_perp(data["s"]):
                yield self.markets.symbol_of(data["s"]), data

    def _subscribed(self, message: _Message) -> Iterable[Event]:
        """The venue repeats what it was asked. A list of positions then begins anew."""
        source = _source(message.data)
        if source.source == ACCOUNT_SOURCES["positions"]:
            self._positions_li = 0
        return (Subscribed(_topic_text(source)),)

    def _answer(self, message: _Message) -> Iterable[Event]:
        """To a call of ours, or, where it names none, to something that was not understood."""
        if not message.code:
            return ()
        number = number_of(message.id or "")
        if number:
            return (Reply(number, body=_as_rest(message)),)
        return () if message.code == 200 else (Reply(0, error=self._refusal(message)),)

    def _refusal(self, message: _Message) -> VenueError:
        kind = _REFUSALS.get(message.code, VenueError)
        return kind(str(message.err), venue=self.name, code=str(message.code), request="SUBSCRIBE")


_REFUSALS: Final[Mapping[int, type[VenueError]]] = {
    401: AuthError,
    402: AuthError,
    403: AuthError,
    429: RateLimited,
}


def _topic_text(source: _Source) -> str:
    return " ".join(filter(None, (source.source, source.symbol, source.account)))


def _as_rest(message: _Message) -> Json:
    """The answer to a call as the same call by REST is answered."""
    if message.code != 200:
        refused = {"success": False, "data": None, "error": message.err, "code": message.code}
        return {**refused, "rl": message.rl} if message.rl else refused
    data = _any(message.data)
    if isinstance(data, dict) and "i" in data:
        data = {**data, "order_id": data["i"]}
    return {"success": True, "data": data, "error": None, "code": None}


def call_id(number: int) -> str:
    """A call is named by a UUID; ours holds its number."""
    return f"00000000-0000-4000-8000-{number:012x}"


def number_of(id: str) -> int:
    """The number of a call; 0 for an id that is not one of ours."""
    prefix, _, digits = id.rpartition("-")
    try:
        return int(digits, 16) if prefix == "00000000-0000-4000-8000" else 0
    except ValueError:
        return 0

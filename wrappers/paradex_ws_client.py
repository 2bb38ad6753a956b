"""Paradex, streams: market data, and the private socket with own events and order entry.

Requests and their answers are JSON-RPC in text frames. Data comes in binary frames (SBE), which the
venue asks for at the handshake, by schema version: it refuses one that it does not have, so the
newest is tried first and the last one that was good is kept. Private channels, and servers without
SBE, speak JSON; both are taken as they come.

A book is whole in every frame: the numbers of the channel with changes count what happened in the
book, not frames, so that a missing one could not be noticed there. The token is told once and holds
for as long as the connection does.

Sources: docs.paradex.trade, "WebSocket API" and "Binary Encoding (SBE)"; openrpc 1.3.1 and
asyncapi of tradeparadex/paradex-docs 9b82a75a; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import unquote

import msgspec

from mpdex.errors import AuthError, SessionEnded
from mpdex.types import (
    BboUpdate,
    BookUpdate,
    Event,
    FillUpdate,
    Json,
    MarkUpdate,
    OrderUpdate,
    Reply,
    Request,
    Subscribed,
    Topic,
)
from mpdex.utils.socket import HandshakeRefused, Socket
from wrappers import paradex_sbe as sbe
from wrappers.paradex_auth import VENUE
from wrappers.paradex_wire import decode_fill, decode_order, error_of, position_update
from wrappers.venue_stream import VenueStream

if TYPE_CHECKING:
    from wrappers.base_ws_client import Link

# The best 15 levels a side, every 50 ms: the fastest that is offered.
_MARKET_CHANNELS: Final = {
    "book": "order_book.{}.snapshot@15@50ms",
    "bbo": "bbo.{}",
    "mark": "markets_summary.{}",
}
_ACCOUNT_CHANNELS: Final = {"orders": "orders.{}", "fills": "fills.{}", "positions": "positions"}
_ALL: Final = "ALL"
# Newest first; without one where a server still speaks JSON alone.
_HANDSHAKES: Final = (
    *(f"?sbeSchemaId={sbe.SCHEMA}&sbeSchemaVersion={version}" for version in (3, 2, 1)),
    "",
)
_BAD_REQUEST: Final = 400
_AUTH: Final = "auth"
_AUTH_ID: Final = 0  # ids of all other requests begin with 1
_SUBSCRIBING: Final = Request("WS", "subscribe")
_BRACE: Final = 0x7B
_BLANK: Final = 0x20
# Second bytes that follow a brace in JSON, and never in a binary frame: its first two bytes are the
# length of its block, and none is longer than 0x97B.
_CONTROLS: Final = frozenset((0x09, 0x0A, 0x0D))
_BY_CLIENT_ID: Final = "by_client_id"

Data = Mapping[str, Json]
Decode = Callable[[Data], Event]


class _Frame(msgspec.Struct, gc=False):
    """Frames hold no reference cycles, so the collector need not look at them."""


class _Params(_Frame):
    channel: str = ""
    data: Json = None


class _Message(_Frame):
    """Data of a channel, or a reply: one of params, result and error is set."""

    method: str = ""
    params: _Params | None = None
    result: Json = None
    error: Json = None
    id: int | None = None


_message = msgspec.json.Decoder(_Message, float_hook=Decimal).decode


def is_text(frame: bytes) -> bool:
    """Whether a frame is JSON, or too short for anything else; see above for why two bytes tell."""
    if len(frame) < 2:
        return True
    return frame[0] == _BRACE and (frame[1] >= _BLANK or frame[1] in _CONTROLS)


class ParadexStream(VenueStream):
    """What both sockets share: the handshake, subscriptions, replies, the two encodings."""

    # The server pings every 55 s and wants its pong within 5 s; the official client pings every
    # 20 s besides.
    PING_INTERVAL = 20.0
    RECV_TIMEOUT = 60.0
    ENDS_WITH_SESSION = False
    NAMES: ClassVar[Mapping[str, str]] = {}
    BINARY: ClassVar[Mapping[int, Callable[[bytes], Event]]] = {}
    JSON: ClassVar[Mapping[str, Decode]] = {}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._place = self._url
        self._handshakes = _HANDSHAKES

    async def _enter(self, link: Link) -> Socket:
        for query in self._handshakes:
            self._url = self._place + query
            try:
                socket = await super()._enter(link)
            except HandshakeRefused as error:
                if error.status != _BAD_REQUEST or query == self._handshakes[-1]:
                    raise
            else:
                others = (other for other in _HANDSHAKES if other != query)
                self._handshakes = (query, *others)
                return socket
        raise AssertionError("the last handshake ends the loop")

    def wire_topic(self, topic: Topic) -> str:
        return self.NAMES[topic.channel].format(topic.symbol or _ALL)

    def encode_subscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return [self._asked("subscribe", topic, self.request_id([topic])) for topic in topics]

    def encode_unsubscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return [self._asked("unsubscribe", topic, self.request_id()) for topic in topics]

    def _asked(self, method: str, topic: Topic, id: int) -> bytes:
        params = msgspec.json.encode({"channel": self.wire_topic(topic)})
        return encode_frame(method, params, id)

    def decode(self, frame: bytes) -> Iterable[Event]:
        """Events of one frame; channels never asked for say nothing.

        Raises: ProtocolError, or msgspec's own, for a frame that is not what it should be.
        """
        if not is_text(frame):
            decode = self.BINARY.get(sbe.template_of(frame))
            return () if decode is None else (decode(frame),)
        message = _message(frame)
        if message.params is not None:
            told = self.JSON.get(message.params.channel.partition(".")[0])
            return () if told is None else (told(message.params.data),)
        return self._decode_reply(message)

    def _decode_reply(self, message: _Message) -> Iterable[Event]:
        id = message.id or 0
        if message.error is not None:
            return (self._refused(id, {"error": message.error}),)
        if message.id is None:
            return ()
        if id in self._calls:
            return (Reply(id, body=_answer(message.result)),)
        return (Subscribed(_AUTH),) if id == _AUTH_ID else (Reply(id, body=message.result),)

    def _refused(self, id: int, answer: Json) -> Reply:
        """Calls are judged as answers of the REST API are, but for a token that holds no more: that
        ends the connection."""
        call = self._calls.get(id)
        error = error_of(answer, 0, _SUBSCRIBING if call is None else call.request)
        if call is None or isinstance(error, SessionEnded):
            return Reply(id, error=error)
        return Reply(id, body=answer)


# --------------------------------------------------------------------------- market data


def decode_book(frame: bytes) -> Event:
    market, number, snapshot, bids, asks, time_ms = sbe.decode_book(frame)
    return BookUpdate(market, bids, asks, number, number, snapshot, time_ms)


def decode_quote(frame: bytes) -> Event:
    return BboUpdate(*sbe.decode_bbo(frame))


def decode_summary(frame: bytes) -> Event:
    _, data = sbe.decode(frame)
    mark, index = Decimal(data["mark_price"]), Decimal(data["index_price"])
    return MarkUpdate(data["market"], mark, index, data["timestamp"])


def book_of(data: Data) -> Event:
    """Levels that appear, change and go, each with its side."""
    levels: dict[str, list[tuple[str, str]]] = {"BUY": [], "SELL": []}
    for entry in (*data["inserts"], *data["updates"]):
        levels[entry["side"]].append((entry["price"], entry["size"]))
    for entry in data["deletes"]:
        levels[entry["side"]].append((entry["price"], "0"))
    number, snapshot = data["seq_no"], data["update_type"] == "s"
    sides, time_ms = (levels["BUY"], levels["SELL"]), data["last_updated_at"]
    return BookUpdate(data["market"], *sides, number, number, snapshot, time_ms)


def quote_of(data: Data) -> Event:
    bid, bid_size = data["bid"] or "", data["bid_size"] or ""
    ask, ask_size = data["ask"] or "", data["ask_size"] or ""
    return BboUpdate(data["market"], bid, bid_size, ask, ask_size, data["last_updated_at"])


def mark_of(data: Data) -> Event:
    index = data.get("underlying_price")
    mark, index_price = Decimal(data["mark_price"]), Decimal(index) if index else None
    return MarkUpdate(data["symbol"], mark, index_price, data["created_at"])


class ParadexMarketStream(ParadexStream):
    """Books, quotes and marks."""

    WS_URL = "wss://ws-public.api.prod.paradex.trade/v1"
    HOST = "ws_public"
    CHANNELS = frozenset(_MARKET_CHANNELS)
    PRIVATE = False
    NAMES = _MARKET_CHANNELS
    BINARY: ClassVar[Mapping[int, Callable[[bytes], Event]]] = {
        sbe.BOOK: decode_book,
        sbe.BBO: decode_quote,
        sbe.SUMMARY: decode_summary,
    }
    JSON: ClassVar[Mapping[str, Decode]] = {
        "order_book": book_of,
        "bbo": quote_of,
        "markets_summary": mark_of,
    }


# --------------------------------------------------------------------------- account

# What a binary frame calls otherwise than JSON does.
_JSON_NAMES: Final = {
    "order_id": "id",
    "client_order_id": "client_id",
    "order_type": "type",
    "time_in_force": "instruction",
    "size_open": "remaining_size",
    "updated_at": "last_updated_at",
    "avg_entry_price": "average_entry_price",
}
_FILL_NAMES: Final = {"fill_id": "id", "client_order_id": "client_id"}


def renamed(names: Mapping[str, str], decode: Decode) -> Callable[[bytes], Event]:
    """The decoder of a binary frame: that of JSON, once the fields have its names."""

    def decoded(frame: bytes) -> Event:
        _, data = sbe.decode(frame)
        return decode({names.get(name, name): value for name, value in data.items()})

    return decoded


def order_update(data: Data) -> Event:
    return OrderUpdate(decode_order(data))


def fill_update(data: Data) -> Event:
    return FillUpdate(decode_fill(data))


class ParadexAccountStream(ParadexStream):
    """Own orders, fills and positions, and order entry, which needs no subscription.

    Nothing is told of what was before a subscription: whoever subscribes reads the account.
    """

    WS_URL = "wss://ws.api.prod.paradex.trade/v1"
    HOST = "ws"
    CHANNELS = frozenset(_ACCOUNT_CHANNELS)
    PRIVATE = True
    AUTH_TOPIC = _AUTH
    NAMES = _ACCOUNT_CHANNELS
    BINARY: ClassVar[Mapping[int, Callable[[bytes], Event]]] = {
        sbe.ORDER: renamed(_JSON_NAMES, order_update),
        sbe.FILL: renamed(_FILL_NAMES, fill_update),
        sbe.POSITION: renamed(_JSON_NAMES, position_update),
    }
    JSON: ClassVar[Mapping[str, Decode]] = {
        "orders": order_update,
        "fills": fill_update,
        "positions": position_update,
    }

    def encode_auth(self) -> list[bytes]:
        """Raises: AuthError: there is no session."""
        session = None if self._link is None else self._link.session
        if session is None:
            raise AuthError("the private socket needs a token", venue=VENUE)
        token = session.headers["Authorization"].removeprefix("Bearer ")
        return [encode_frame("auth", msgspec.json.encode({"bearer": token}), _AUTH_ID)]

    def encode_call(self, request: Request, id: int) -> bytes:
        params = request.body or msgspec.json.encode(call_params(request))
        return encode_frame(request.call, params, id)


def _answer(result: Json) -> Json:
    """An order comes with the times of the call around it; REST answers with the order."""
    return result.get("order", result) if isinstance(result, dict) else result


def call_params(request: Request) -> dict[str, str]:
    """What the path of a cancel says, as parameters."""
    _, *names = request.path.strip("/").split("/")
    query = dict(request.query or {})
    if not names:
        return query
    field = "client_id" if names[0] == _BY_CLIENT_ID else "id"
    return {field: unquote(names[-1]), **query}


def encode_frame(method: str, params: bytes, id: int) -> bytes:
    """A JSON-RPC request around parameters that are encoded already."""
    return b'{"jsonrpc":"2.0","id":%d,"method":"%b","params":%b}' % (id, method.encode(), params)


ParadexWSClient = ParadexAccountStream  # the name that direct imports of a venue's client have

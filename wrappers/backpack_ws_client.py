"""Backpack, stream. No order entry, no answer to a subscription, no snapshot of a book.

The server pings every 60 s and closes after 120 s without a pong, so the client never pings and
takes 90 s of silence for a dead connection. Engine times are microseconds.

Source: docs.backpack.exchange, "Streams"; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Final

import msgspec

from mpdex.errors import AuthError, MissingCredentials, ProtocolError, VenueError
from mpdex.types import (
    BboUpdate,
    Event,
    Fill,
    FillUpdate,
    Json,
    MarkUpdate,
    Order,
    OrderUpdate,
    Position,
    PositionUpdate,
    Reply,
    TimeInForce,
    Topic,
)
from mpdex.utils.frames import Frame, book_update
from mpdex.utils.wire_words import known, outcome
from wrappers.backpack_auth import VENUE, BackpackAuth
from wrappers.backpack_wire import SIDES, STATUSES, average
from wrappers.venue_stream import VenueStream

_CHANNELS: Final = {
    "book": "depth",
    "bbo": "bookTicker",
    "mark": "markPrice",
    "orders": "account.orderUpdate",
    "fills": "account.orderUpdate",
    "positions": "account.positionUpdate",
}
_PRIVATE_PREFIX: Final = "account."
_PROOF_WORDS: Final = ("signature", "auth", "timestamp", "expired", "window", "key")
# A frame is told by the stream's name in it, a depth frame by one look from its end.
_DEPTH: Final = b'"stream":"depth.'
_STREAM: Final = b'"stream":"'


class _Depth(Frame):
    s: str
    U: int
    u: int
    E: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class _Ticker(Frame):
    s: str
    E: int
    b: str | None = None
    B: str | None = None
    a: str | None = None
    A: str | None = None


class _Mark(Frame):
    s: str
    p: Decimal
    E: int
    i: Decimal | None = None


class _OrderEvent(Frame):
    """Names as the venue has them: `q` size, `p` price, `z`/`Z` executed base/quote so far;
    `l`, `L`, `n`, `N`, `m`, `t` size, price, fee, fee asset, maker, id of one fill."""

    e: str
    i: str
    s: str
    S: str
    X: str
    o: str
    E: int
    f: str = "GTC"
    q: Decimal | None = None
    p: Decimal | None = None
    z: Decimal = Decimal(0)
    Z: Decimal = Decimal(0)
    c: int | str | None = None
    r: bool | None = None
    y: bool | None = None
    R: str | None = None
    l: Decimal | None = None  # noqa: E741  (the venue's name)
    L: Decimal | None = None
    n: Decimal | None = None
    N: str | None = None
    m: bool | None = None
    t: int | str | None = None


class _PositionEvent(Frame):
    s: str
    q: Decimal
    E: int
    B: Decimal | None = None
    M: Decimal | None = None
    P: Decimal | None = None


class _DepthFrame(Frame):
    data: _Depth


class _TickerFrame(Frame):
    data: _Ticker


class _MarkFrame(Frame):
    data: _Mark


class _Head(Frame):
    """What every frame may say about itself."""

    error: Json = None


# Lax: `u`, `E` and position ids have been seen as numbers and as text.
_depth = msgspec.json.Decoder(_DepthFrame, strict=False).decode
_ticker = msgspec.json.Decoder(_TickerFrame, strict=False).decode
_mark = msgspec.json.Decoder(_MarkFrame, strict=False).decode
_head = msgspec.json.Decoder(_Head).decode
_any = msgspec.json.Decoder(float_hook=Decimal).decode


def decode_ticker(frame: bytes) -> tuple[Event, ...]:
    data = _ticker(frame).data
    return (
        BboUpdate(data.s, data.b or "", data.B or "", data.a or "", data.A or "", data.E // 1000),
    )


def decode_mark(frame: bytes) -> tuple[Event, ...]:
    data = _mark(frame).data
    return (MarkUpdate(data.s, data.p, data.i, data.E // 1000),)


def decode_account(frame: bytes) -> tuple[Event, ...]:
    """Order and position streams; which one, the stream's name says."""
    message = _any(frame)
    stream, raw = message["stream"], message["data"]
    if stream.startswith("account.orderUpdate"):
        return _order_events(msgspec.convert(raw, _OrderEvent, strict=False), raw)
    if stream.startswith("account.positionUpdate"):
        return (_position_event(msgspec.convert(raw, _PositionEvent, strict=False), raw),)
    return ()


def _order_events(data: _OrderEvent, raw: Json) -> tuple[Event, ...]:
    order = OrderUpdate(_order(data, raw))
    return (FillUpdate(_fill(data, raw)), order) if data.e == "orderFill" else (order,)


def _order(data: _OrderEvent, raw: Json) -> Order:
    size = data.q or Decimal(0)
    market = data.o == "MARKET"
    return Order(
        id=data.i,
        client_order_id=None if data.c is None else str(data.c),
        symbol=data.s,
        side=known(SIDES, data.S, "side", VENUE),
        type="market" if market else "limit",
        price=None if market else data.p,
        size=size,
        filled=data.z,
        average_price=average(data.z, data.Z),
        status=outcome(known(STATUSES, data.X, "order status", VENUE), size, data.z),
        time_in_force=TimeInForce(data.f),
        post_only=bool(data.y),
        reduce_only=bool(data.r),
        reason=data.R or "",
        timestamp_ms=data.E // 1000,
        raw=raw,
    )


def _fill(data: _OrderEvent, raw: Json) -> Fill:
    if data.t is None or data.l is None or data.L is None:
        raise ProtocolError("a fill without id, size or price", venue=VENUE, raw=raw)
    return Fill(
        id=str(data.t),
        order_id=data.i,
        client_order_id=None if data.c is None else str(data.c),
        symbol=data.s,
        side=known(SIDES, data.S, "side", VENUE),
        price=data.L,
        size=data.l,
        fee=data.n,
        fee_asset=data.N or "",
        liquidity="maker" if data.m else "taker",
        timestamp_ms=data.E // 1000,
        raw=raw,
    )


def _position_event(data: _PositionEvent, raw: Json) -> PositionUpdate:
    """Open positions come without `e` right after subscribing; that means the same."""
    position = None
    if data.q:
        position = Position(
            symbol=data.s,
            side="long" if data.q > 0 else "short",
            size=abs(data.q),
            entry_price=data.B or Decimal(0),
            mark_price=data.M,
            unrealized_pnl=data.P,
            liquidation_price=None,  # `l` is a placeholder since 2025-09-01
            leverage=None,
            raw=raw,
        )
    return PositionUpdate(data.s, data.q, position, data.E // 1000)


_DECODERS: Final[dict[bytes, Callable[[bytes], tuple[Event, ...]]]] = {
    b"bookTicker": decode_ticker,
    b"markPrice": decode_mark,
    b"account": decode_account,
}


class BackpackWSClient(VenueStream):
    """Any stream of Backpack; `keys` are needed for private ones alone."""

    WS_URL = "wss://ws.backpack.exchange"
    HOST = "ws"
    CHANNELS = frozenset({"book", "bbo", "mark"})
    PRIVATE = False
    ACKS_SUBSCRIBE = False
    PING_INTERVAL = None
    RECV_TIMEOUT = 90.0

    @cached_property
    def auth(self) -> BackpackAuth:
        """Signs subscriptions to private streams. Raises: MissingCredentials, UsageError."""
        try:
            return BackpackAuth(self.keys["api_key"], self.keys["secret_key"])
        except KeyError as error:
            raise MissingCredentials(
                f"{error.args[0]} missing; keys/copy.pk_backpack.py shows what is needed",
                venue=VENUE,
            ) from None

    def wire_topic(self, topic: Topic) -> str:
        """The venue's name of a stream; orders and fills share one."""
        channel = _CHANNELS[topic.channel]
        return f"{channel}.{topic.symbol}" if topic.symbol else channel

    def encode_subscribe(self, topics: Sequence[Topic]) -> bytes:
        names = self._names(topics)
        return self.subscribe_frame(names, self.clock.now_ms())

    def encode_unsubscribe(self, topics: Sequence[Topic]) -> bytes:
        return msgspec.json.encode({"method": "UNSUBSCRIBE", "params": self._names(topics)})

    def subscribe_frame(self, names: Sequence[str], now_ms: int) -> bytes:
        """One frame for any mix of streams; signed as soon as one of them is private."""
        frame: dict[str, Json] = {"method": "SUBSCRIBE", "params": list(names)}
        if any(name.startswith(_PRIVATE_PREFIX) for name in names):
            frame["signature"] = self.auth.subscription(now_ms)
        return msgspec.json.encode(frame)

    def decode(self, frame: bytes) -> Iterable[Event]:
        """Events of one frame; a stream never asked for says nothing.

        Raises: ProtocolError, or msgspec's own, for a frame that is not what it should be.
        """
        if frame.rfind(_DEPTH) >= 0:
            data = _depth(frame).data
            update = (data.s, data.b, data.a, data.U, data.u, False, data.E // 1000)
            return (book_update(update),)
        at = frame.rfind(_STREAM) + len(_STREAM)
        decoder = _DECODERS.get(frame[at : frame.find(b".", at)])
        return decoder(frame) if decoder else self._decode_other(frame)

    def _decode_other(self, frame: bytes) -> Iterable[Event]:
        """Errors, answers to subscriptions, streams that are not ours, unusual white space."""
        head = _head(frame)
        if head.error is not None:
            return (Reply(0, error=_refusal(head.error)),)
        compact = msgspec.json.format(frame, indent=-1)
        return () if compact == frame else self.decode(compact)

    def _names(self, topics: Sequence[Topic]) -> list[str]:
        return list(dict.fromkeys(map(self.wire_topic, topics)))


class BackpackAccountClient(BackpackWSClient):
    """The same socket, kept apart for private streams: a flood of books cannot take it down."""

    CHANNELS = frozenset({"orders", "fills", "positions"})
    PRIVATE = True


def _refusal(error: Json) -> VenueError:
    """UNVERIFIED: how a refused signature is worded; read widely, as it leaves us deaf."""
    code, message = str(error.get("code", "")), str(error.get("message", error))
    refused = any(word in message.lower() for word in _PROOF_WORDS)
    kind = AuthError if refused else VenueError
    return kind(message, venue=VENUE, raw=error, code=code, request="SUBSCRIBE")

"""Lighter, stream: books, quotes, marks, own orders, fills and positions, and order entry.

A subscription is confirmed by its snapshot. Snapshots of account channels are left unread: whoever
subscribes reads the account right after, trades of before would be told as news, and the channel
repeats neither. A book's change names the number that it follows.

Keep-alive, both rules: the server closes after two minutes without a frame of ours (2026), so we
ping; older servers ping and close without a pong, so a ping is always answered.

An answer to an order names it, but a refusal may not. Such a one is kept until as many orders wait
for an answer as refusals are kept: then it is certain whose they are, whatever their order. Where
that does not come soon, an answer was lost, and the connection is made anew: orders without an
answer are in doubt then, and no others.

Sources: apidocs.lighter.xyz, WebSocket reference; captures of 2026; lighter-sdk 1.1.8, ws_client;
read 2026-11-21.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from mpdex.errors import AuthError, ProtocolError, SessionEnded
from mpdex.types import (
    BboUpdate,
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
from mpdex.utils.frames import Frame, book_update
from wrappers.lighter_signer import VENUE
from wrappers.lighter_wire import decode_fills, decode_order, decode_position, error_of
from wrappers.venue_stream import VenueStream

_MARKET_CHANNELS: Final = {"book": "order_book", "bbo": "ticker", "mark": "market_stats"}
_SPOT_MARK: Final = "spot_market_stats"
_ACCOUNT_CHANNELS: Final = {
    "orders": "account_all_orders",
    "fills": "account_all_trades",
    "positions": "account_all_positions",
}
_ACCOUNT: Final = frozenset({*_ACCOUNT_CHANNELS.values(), "account_orders"})
# Channels that nobody here asks for. Any other name is a damaged one, or of a later version.
_UNREAD: Final = frozenset(
    [
        "trade",
        "candle",
        "mark_price_candle",
        "height",
        "account_all",
        "account_all_assets",
        "account_market",
        "account_tx",
        "notification",
        "user_stats",
    ]
)
_CALL: Final = "jsonapi/sendtx"
_PING, _PONG = b'{"type":"ping"}', b'{"type":"pong"}'
_BOOK: Final = b'{"channel":"order_book:'
# Seconds until a refusal must be known to belong to somebody: answers come within one round trip.
_PATIENCE: Final = 1.0
# Refusals of a subscription: 30002 is of an unsubscription that was not needed.
_SUBSCRIPTION: Final = range(30000, 31000)
_NOT_SUBSCRIBED, _ALREADY_SUBSCRIBED = 30002, 30003


# --------------------------------------------------------------------------- frames


class _Level(Frame):
    price: str
    size: str


class _Book(Frame):
    """`begin_nonce` is the `nonce` of the change before; servers of 2025 did not tell it."""

    bids: list[_Level]
    asks: list[_Level]
    nonce: int
    begin_nonce: int | None = None


class _BookFrame(Frame):
    channel: str
    order_book: _Book
    type: str
    timestamp: int | None = None


class _Quote(Frame):
    """Best bid and offer; "" on both for an empty side."""

    a: _Level
    b: _Level


class _QuoteFrame(Frame):
    channel: str
    ticker: _Quote
    timestamp: int | None = None


class _Stats(Frame):
    """A spot market has no mark price."""

    market_id: int
    last_trade_price: Decimal
    index_price: Decimal | None = None
    mark_price: Decimal | None = None
    mid_price: Decimal | None = None


class _Head(Frame):
    """What any frame may say about itself."""

    type: str = ""
    channel: str = ""
    code: int = 0
    error: Json = None
    id: str = ""


_book = msgspec.json.Decoder(_BookFrame).decode
_quote = msgspec.json.Decoder(_QuoteFrame).decode
_head = msgspec.json.Decoder(_Head, strict=False).decode
_any = msgspec.json.Decoder(float_hook=Decimal).decode


class LighterWSClient(VenueStream):
    """Market data; what both sockets share."""

    WS_URL = "wss://mainnet.zklighter.elliot.ai/stream"
    HOST = "ws"
    CHANNELS = frozenset(_MARKET_CHANNELS)
    PRIVATE = False
    PING_INTERVAL = 30.0
    RECV_TIMEOUT = 60.0

    def wire_topic(self, topic: Topic) -> str:
        """As the server's frames name it; what we send has a slash for the colon."""
        name = _MARKET_CHANNELS[topic.channel]
        if topic.channel == "mark" and self.markets[topic.symbol]["kind"] == "spot":
            name = _SPOT_MARK
        return f"{name}:{self.markets.wire_of(topic.symbol)}"

    def encode_subscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return [self._request("subscribe", topic) for topic in topics]

    def encode_unsubscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return [self._request("unsubscribe", topic) for topic in topics]

    def _request(self, kind: str, topic: Topic) -> bytes:
        channel = self.wire_topic(topic).replace(":", "/")
        return msgspec.json.encode({"type": kind, "channel": channel, **self.proof(kind)})

    def proof(self, kind: str) -> dict[str, str]:
        """What a request of a private channel has besides."""
        return {}

    def encode_ping(self) -> bytes:
        return _PING

    def handshake_headers(self) -> dict[str, str]:
        """The token goes into the subscriptions."""
        return {}

    def decode(self, frame: bytes) -> Iterable[Event]:
        """Events of one frame; channels that are not read say nothing.

        Raises: ProtocolError, or msgspec's own, for a frame that is not what it should be.
        """
        if frame.startswith(_BOOK):
            return self._decode_book(frame)
        head = _head(frame)
        kind, _, name = head.type.partition("/")
        if kind in ("update", "subscribed"):
            return self._decode_channel(kind == "subscribed", name, head.channel, frame)
        return self._decode_other(head, frame)

    def _decode_channel(
        self, snapshot: bool, name: str, channel: str, frame: bytes
    ) -> Iterable[Event]:
        confirmed: tuple[Event, ...] = (Subscribed(channel),) if snapshot else ()
        match name:
            case "order_book":
                return self._decode_book(frame)
            case "ticker":
                return *confirmed, self._decode_quote(frame)
            case "market_stats" | "spot_market_stats":
                return *confirmed, *self._decode_stats(name, frame)
        if name in _UNREAD:
            return confirmed
        if name not in _ACCOUNT:
            raise ProtocolError(f"a frame of an unknown channel {name!r}", venue=VENUE)
        return confirmed if snapshot else self.decode_account(name, frame)

    def decode_account(self, name: str, frame: bytes) -> Iterable[Event]:
        """Events of an account channel's update."""
        return ()

    def _decode_book(self, frame: bytes) -> Iterable[Event]:
        data = _book(frame)
        channel, book = data.channel, data.order_book
        snapshot = data.type == "subscribed/order_book"
        last, before = book.nonce, book.begin_nonce
        # Without a word about what it follows, a change counts as one that follows nothing known.
        first = last if before is None or before >= last else before + 1
        symbol = self.markets.symbol_of(channel.partition(":")[2])
        bids = [(level.price, level.size) for level in book.bids]
        asks = [(level.price, level.size) for level in book.asks]
        update = book_update((symbol, bids, asks, first, last, snapshot, data.timestamp))
        return (Subscribed(channel), update) if snapshot else (update,)

    def _decode_quote(self, frame: bytes) -> Event:
        data = _quote(frame)
        bid, ask = data.ticker.b, data.ticker.a
        symbol = self.markets.symbol_of(data.channel.partition(":")[2])
        return BboUpdate(symbol, bid.price, bid.size, ask.price, ask.size, data.timestamp)

    def _decode_stats(self, name: str, frame: bytes) -> Iterator[Event]:
        """One market's, or a map of all; a spot market's mid price stands in for its mark."""
        message = _any(frame)
        told = message[name]
        for entry in [told] if "market_id" in told else told.values():
            stats = msgspec.convert(entry, _Stats, strict=False)
            mark = stats.mark_price or stats.mid_price or stats.last_trade_price
            symbol = self.markets.symbol_of(str(stats.market_id))
            yield MarkUpdate(symbol, mark, stats.index_price, message.get("timestamp"))

    # ------------------------------------------------------------------ everything else

    def _decode_other(self, head: _Head, frame: bytes) -> Iterable[Event]:
        match head.type:
            case "ping":
                self.send(_PONG)
            case "shutdown":
                self._drop("the venue is about to shut down")
            case "connected" | "pong" | "unsubscribed":
                pass
            case _:
                return self._decode_answer(head, frame)
        return ()

    def _decode_answer(self, head: _Head, frame: bytes) -> Iterable[Event]:
        """An answer to a call, or a refusal of whatever was asked, in one of its three forms."""
        body = _any(frame)
        if head.type == _CALL and head.id.isdecimal():
            return self.answered(int(head.id), body)
        refusal = body if head.error is None else body["error"]
        code = refusal.get("code") if isinstance(refusal, dict) else None
        if code is None or (head.error is None and head.type not in (_CALL, "error")):
            raise ProtocolError(f"a frame of no known kind: {str(body)[:200]}", venue=VENUE)
        return self._refused(head, int(code), refusal)

    def _refused(self, head: _Head, code: int, refusal: Json) -> Iterable[Event]:
        if code == _NOT_SUBSCRIBED:
            return ()
        error = error_of(400, refusal, head.type or "subscribe")
        if code == _ALREADY_SUBSCRIBED:
            return (Subscribed(str(refusal.get("message", "")).partition(" : ")[2]),)
        if head.type != _CALL and (code in _SUBSCRIPTION or isinstance(error, SessionEnded)):
            return (Reply(0, error=error),)
        settled = self.strayed(refusal)
        return (Reply(0, error=error),) if settled is None else settled

    def answered(self, id: int, body: Json) -> Iterable[Event]:
        """The answer to a call."""
        return ()

    def strayed(self, refusal: Json) -> Iterable[Event] | None:
        """A refusal that names no call; None: no call waits."""
        return None


class LighterAccountClient(LighterWSClient):
    """Own orders, fills and positions, and order entry, which needs no subscription."""

    CHANNELS = frozenset(_ACCOUNT_CHANNELS)
    PRIVATE = True
    RENEW_AHEAD = 50.0  # less than the minute for which an ending token is still handed out

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._asked: dict[int, None] = {}  # calls on this connection without an answer
        self._strays: deque[Json] = deque()  # refusals that name none of them
        self._patience: asyncio.TimerHandle | None = None

    def wire_topic(self, topic: Topic) -> str:
        return f"{_ACCOUNT_CHANNELS[topic.channel]}:{self.keys['account_index']}"

    def proof(self, kind: str) -> dict[str, str]:
        """Raises: AuthError: there is no session."""
        if kind != "subscribe":
            return {}
        session = None if self._link is None else self._link.session
        if session is None:
            raise AuthError("a private channel needs a token", venue=VENUE)
        return {"auth": session.headers["authorization"]}

    def decode_account(self, name: str, frame: bytes) -> Iterable[Event]:
        match name:
            case "account_all_orders" | "account_orders":
                entries = _listed(_any(frame)["orders"])
                return [OrderUpdate(decode_order(entry, self.markets)) for entry in entries]
            case "account_all_trades":
                account = int(self.keys["account_index"])
                entries = _listed(_any(frame)["trades"])
                fills = (decode_fills(entry, account, self.markets) for entry in entries)
                return [FillUpdate(fill) for found in fills for fill in found]
            case "account_all_positions":
                message = _any(frame)
                time_ms = message.get("timestamp")
                entries = message["positions"].values()
                return [self._position(entry, time_ms) for entry in entries]
        return ()

    def _position(self, entry: Json, time_ms: int | None) -> Event:
        position = decode_position(entry, self.markets)
        symbol = self.markets.symbol_of(str(entry["market_id"]))
        if position is None:
            return PositionUpdate(symbol, Decimal(0), None, time_ms)
        signed = position["size"] if position["side"] == "long" else -position["size"]
        return PositionUpdate(symbol, signed, position, time_ms)

    # ------------------------------------------------------------------ order entry

    def encode_call(self, request: Request, id: int) -> bytes:
        """`request.json` is the form that goes by REST; here the transaction is an object."""
        self._asked[id] = None
        form = request.json
        transaction = (form["tx_type"], form["tx_info"].encode())
        return b'{"type":"jsonapi/sendtx","data":{"id":"%d","tx_type":%d,"tx_info":%b}}' % (
            id,
            *transaction,
        )

    def answered(self, id: int, body: Json) -> Iterable[Event]:
        self._asked.pop(id, None)
        return Reply(id, body=body), *self._attributed()

    def strayed(self, refusal: Json) -> Iterable[Event] | None:
        if not self._asked:
            return None
        self._strays.append(refusal)
        if self._patience is None and len(self._strays) < len(self._asked):
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(_PATIENCE, self._drop, "a refusal names no order")
        return self._attributed()

    def _attributed(self) -> tuple[Event, ...]:
        """All that wait were refused, or nobody knows yet which."""
        if not self._strays or len(self._strays) < len(self._asked):
            return ()
        settled = tuple(
            Reply(id, body=refusal) for id, refusal in zip(self._asked, self._strays, strict=False)
        )
        self._forget()
        return settled

    def _forget(self) -> None:
        self._asked.clear()
        self._strays.clear()
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _on_down(self, reason: str, *, was_open: bool) -> None:
        self._forget()
        super()._on_down(reason, was_open=was_open)


def _listed(groups: Json) -> list[Json]:
    """Lists by market in one; an empty answer may be a list itself."""
    if isinstance(groups, list):
        return groups
    return [entry for group in groups.values() for entry in group]

"""StandX, streams: market data, the account, and orders with their results on an endpoint of their
own.

Market data and the account come from one endpoint (Market Stream), on a socket each, so that a
flood of books cannot take down what the account says. Nothing there is confirmed but the sign-in;
data simply starts. Books are whole each time and in no order. The account's channels tell changes
only: whoever listens reads the account first.

A command on the third socket (Order Response Stream) is answered twice: "accepted" says that it
waits, the second frame what became of it. The second is the answer here. Where it does not come in
time the first one is, and a refusal after that is told as the order's end.

No socket is ever pinged, and none has to say anything: the server's own pings, one every ten
seconds, tell that it lives.

Sources: docs.standx.com, "Perps WebSocket API" (page of 2026-08-11); frames as bots report them
(wjllance/StandX-CLI e465359, naplesblue/standx-bot); read 2026-11-21.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import msgspec

from mpdex.errors import MpdexError, RateLimited, SessionEnded, VenueError
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
    Session,
    Subscribed,
    Topic,
)
from mpdex.utils.client_ids import uuid_text
from wrappers.standx_auth import REQUEST_ID, SIGNATURE, TIMESTAMP, VENUE, token_of
from wrappers.standx_wire import (
    NEW,
    decode_fill,
    decode_order,
    decode_position,
    error_of,
    refused_order,
    time_ms,
)
from wrappers.venue_stream import VenueStream

_MARKET_CHANNELS: Final = {"book": "depth_book", "bbo": "price", "mark": "price"}
_ACCOUNT_CHANNELS: Final = {"orders": "order", "fills": "trade", "positions": "position"}
_AUTH: Final = "auth"
_LOGIN: Final = "auth:login"
_ACCEPTED: Final = "accepted"
_DEPTH: Final = b'"channel":"depth_book"'
_HEAD: Final = 64  # bytes of a frame in which it says what it is
_NO_PONG: Final = 408  # the server is about to close
_GRANTED: Final = (0, 200)  # live, and as documented
_REMEMBERED: Final = 1000  # commands whose second answer may still come
_SIGN_IN: Final = Request("WS", "auth")
_SUBSCRIBE: Final = Request("WS", "subscribe")


class _Frame(msgspec.Struct, gc=False):
    """Frames hold no reference cycles, so the collector need not look at them."""


class _Depth(_Frame):
    symbol: str
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class _DepthFrame(_Frame):
    data: _Depth
    seq: int = 0


class _Price(_Frame):
    mark_price: Decimal
    index_price: Decimal | None = None
    spread: tuple[str | None, str | None] = (None, None)
    time: str | None = None


class _Verdict(_Frame):
    """What was said to a sign-in."""

    code: int
    message: str = ""
    msg: str = ""


class _Head(_Frame):
    """Any frame of the Market Stream; one without a channel is a complaint."""

    channel: str = ""
    symbol: str = ""
    seq: int = 0
    data: msgspec.Raw = msgspec.Raw(b"null")
    code: int = 0
    message: str = ""


class _Answer(_Frame):
    """A frame of the Order Response Stream."""

    code: int = 0
    message: str = ""
    status: str = ""
    request_id: str = ""


_depth = msgspec.json.Decoder(_DepthFrame).decode
_head = msgspec.json.Decoder(_Head).decode
_price = msgspec.json.Decoder(_Price, strict=False).decode
_verdict = msgspec.json.Decoder(_Verdict).decode
_answer = msgspec.json.Decoder(_Answer).decode
_any = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder().encode


class StandxStream(VenueStream):
    """What the three have in common."""

    PING_INTERVAL = None
    RECV_TIMEOUT = None
    SERVER_PINGS = 10.0
    MAX_AGE = 24 * 3600.0
    RENEW_AHEAD = 50.0  # less than the minute for which an ending session is still handed out
    FOLLOWS_SESSION = True
    ACKS_SUBSCRIBE = False

    def handshake_headers(self) -> dict[str, str]:
        """The token goes into a frame."""
        return {}

    @property
    def pair(self) -> Session | None:
        """Token and key of this connection, which belong together; None: there is none."""
        return None if self._link is None else self._link.session

    def token(self) -> str:
        """Raises: SessionEnded: there is no session."""
        pair = self.pair
        if pair is None:
            raise SessionEnded("this stream needs a sign-in", venue=VENUE, code="session")
        return token_of(pair)

    def complain(self, code: int, message: str) -> Iterable[Event]:
        """What the server says about the connection, or about nothing that it names."""
        if code == _NO_PONG:
            self._drop(message)
            return ()
        error = error_of(200, {"code": code, "message": message}, _SUBSCRIBE)
        return () if error is None else (Reply(0, error=error),)


class StandxWSClient(StandxStream):
    """Books, quotes and marks.

    Quotes are those of the price channel, without sizes: the venue has no channel for them, and to
    look for the best of an unordered book in every frame would cost every book.
    """

    WS_URL = "wss://perps.standx.com/ws-stream/v1"
    HOST = "ws"
    CHANNELS = frozenset(_MARKET_CHANNELS)
    PRIVATE = False

    def wire_topic(self, topic: Topic) -> str:
        return f"{_MARKET_CHANNELS[topic.channel]} {topic.symbol}"

    def encode_subscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return self._frames("subscribe", topics)

    def encode_unsubscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        """UNVERIFIED: one client sends it; the documents do not have it."""
        return self._frames("unsubscribe", topics)

    def _frames(self, verb: str, topics: Sequence[Topic]) -> list[bytes]:
        return [_encode({verb: self.fields_of(topic)}) for topic in topics]

    def fields_of(self, topic: Topic) -> dict[str, str]:
        """What a topic is asked for with."""
        channel, _, symbol = self.wire_topic(topic).partition(" ")
        return {"channel": channel, "symbol": symbol} if symbol else {"channel": channel}

    def decode(self, frame: bytes) -> Iterable[Event]:
        """Events of one frame; a channel never asked for says nothing.

        Raises: ProtocolError, or msgspec's own, for a frame that is not what it should be.
        """
        if frame.find(_DEPTH, 0, _HEAD) >= 0:
            return (_book(frame),)
        head = _head(frame)
        if not head.channel:
            return self.complain(head.code, head.message)
        return self.decode_channel(head, frame)

    def decode_channel(self, head: _Head, frame: bytes) -> Iterable[Event]:
        match head.channel:
            case "depth_book":
                return (_book(frame),)
            case "price":
                return _prices(head)
        return ()


class StandxAccountClient(StandxWSClient):
    """Own orders, fills and positions: the same endpoint, after a sign-in."""

    CHANNELS = frozenset(_ACCOUNT_CHANNELS)
    PRIVATE = True
    AUTH_TOPIC = _AUTH

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._position_seq = 0

    def wire_topic(self, topic: Topic) -> str:
        return _ACCOUNT_CHANNELS[topic.channel]

    def encode_auth(self) -> list[bytes]:
        self._position_seq = 0
        return [_encode({"auth": {"token": self.token()}})]

    def decode_channel(self, head: _Head, frame: bytes) -> Iterable[Event]:
        match head.channel:
            case "auth":
                said = _verdict(head.data)
                if said.code in _GRANTED:
                    return (Subscribed(_AUTH),)
                return (_not_let_in(said.code, said.message or said.msg),)
            case "order":
                return (OrderUpdate(decode_order(_any(head.data))),)
            case "trade":
                return (FillUpdate(decode_fill(_any(head.data), self.markets)),)
            case "position":
                return self._position(head)
        return ()

    def _position(self, head: _Head) -> Iterable[Event]:
        """`seq` rises within a channel, so that an older state is known as such."""
        if 0 < head.seq <= self._position_seq:
            return ()
        self._position_seq = head.seq
        data = _any(head.data)
        size = Decimal(data["qty"])
        position = decode_position(data) if size else None
        at_ms = time_ms(data["updated_at"])
        return (PositionUpdate(data["symbol"], size, position, at_ms),)


# --------------------------------------------------------------------------- orders


@dataclass(slots=True)
class _Asked:
    """A command on its way: `due` once it was accepted, `told` once its caller has an answer."""

    id: int
    request: Request
    due: float | None = None
    told: bool = False


class StandxOrdersClient(StandxStream):
    """Order entry and its results."""

    WS_URL = "wss://perps.standx.com/ws-api/v1"
    HOST = "ws_orders"
    CHANNELS = frozenset({"commands"})
    PRIVATE = True
    AUTH_TOPIC = _LOGIN
    RESULT_WITHIN = 3.0  # seconds from "accepted" to what became of it; both come within one, live

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._session_id = self._login_id = ""
        self._asked: dict[str, _Asked] = {}
        self._timer: asyncio.TimerHandle | None = None

    def wire_topic(self, topic: Topic) -> str:
        """There are none."""
        return topic.channel

    def encode_subscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return []

    def encode_unsubscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return []

    def encode_auth(self) -> list[bytes]:
        """One session id for as long as the connection lasts."""
        self._session_id, self._login_id = self._new_id(), self._new_id()
        params = _encode({"token": self.token()})
        return [command_frame(self._session_id, self._login_id, _LOGIN, params)]

    def encode_call(self, request: Request, id: int) -> bytes:
        """The body of the REST call, as text in a field; answers name it by its request id."""
        headers = request.headers
        name = headers[REQUEST_ID]
        if len(self._asked) >= _REMEMBERED:
            del self._asked[next(iter(self._asked))]
        self._asked[name] = _Asked(id, request)
        header = {key: headers[key] for key in (REQUEST_ID, TIMESTAMP, SIGNATURE)}
        return command_frame(self._session_id, name, request.call, request.body, header)

    def decode(self, frame: bytes) -> Iterable[Event]:
        answer = _answer(frame)
        asked = self._asked.get(answer.request_id)
        if asked is None:
            return self._decode_other(answer)
        if answer.code == 0 and _ACCEPTED in f"{answer.status} {answer.message}".lower():
            self._wait_for_result(asked)
            return ()
        del self._asked[answer.request_id]
        return self._result(asked, answer)

    def _result(self, asked: _Asked, answer: _Answer) -> Iterable[Event]:
        if not asked.told and asked.id in self._calls:
            body = {"code": answer.code, "message": answer.message}
            error = error_of(200, body, asked.request)
            if isinstance(error, SessionEnded):
                return (Reply(asked.id, error=error),)
            return (Reply(asked.id, body={**body, "request_id": answer.request_id}),)
        if answer.code and asked.request.path == NEW:
            return (OrderUpdate(refused_order(asked.request.json, answer.message)),)
        return ()

    def _decode_other(self, answer: _Answer) -> Iterable[Event]:
        """The sign-in, or what was forgotten meanwhile."""
        if answer.request_id and answer.request_id == self._login_id:
            if answer.code in _GRANTED:
                return (Subscribed(_LOGIN),)
            return (_not_let_in(answer.code, answer.message),)
        if answer.code and not answer.request_id:
            return self.complain(answer.code, answer.message)
        return ()

    # ------------------------------------------------------------------ the second answer

    def _wait_for_result(self, asked: _Asked) -> None:
        loop = asyncio.get_running_loop()
        asked.due = loop.time() + self.RESULT_WITHIN
        if self._timer is None:
            self._timer = loop.call_at(asked.due, self._tell_accepted)

    def _tell_accepted(self) -> None:
        """The one timer: what is overdue is answered with what is known, then the next."""
        loop = asyncio.get_running_loop()
        waiting = [a for a in self._asked.values() if a.due is not None and not a.told]
        for asked in waiting:
            asked.told = asked.due is not None and asked.due <= loop.time()
            if asked.told:
                self._settle(Reply(asked.id, body={"code": 0, "message": _ACCEPTED}))
        due = [asked.due for asked in waiting if asked.due is not None and not asked.told]
        self._timer = loop.call_at(min(due), self._tell_accepted) if due else None

    def _on_down(self, reason: str, *, was_open: bool) -> None:
        self._asked.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super()._on_down(reason, was_open=was_open)

    def _new_id(self) -> str:
        return uuid_text(self._rng.getrandbits(128))


def command_frame(
    session_id: str,
    request_id: str,
    method: str,
    params: bytes,
    header: Mapping[str, str] | None = None,
) -> bytes:
    """A request of the Order Response Stream; `params` travel as text, byte for byte as signed."""
    frame: dict[str, Json] = {"session_id": session_id, "request_id": request_id, "method": method}
    if header is not None:
        frame["header"] = header
    return _encode({**frame, "params": params.decode()})


# --------------------------------------------------------------------------- frames


def _book(frame: bytes) -> BookUpdate:
    message = _depth(frame)
    data, seq = message.data, message.seq
    return BookUpdate(data.symbol, data.bids, data.asks, seq, seq, True, None)


def _prices(head: _Head) -> Iterable[Event]:
    data = _price(head.data)
    bid, ask = data.spread
    time = None if data.time is None else time_ms(data.time)
    return (
        MarkUpdate(head.symbol, data.mark_price, data.index_price, time),
        BboUpdate(head.symbol, bid or "", None, ask or "", None, time),
    )


def _not_let_in(code: int, message: str) -> Reply:
    """A new sign-in mends it, unless the server says that it is the server."""
    error: MpdexError | None = error_of(200, {"code": code, "message": message}, _SIGN_IN)
    if isinstance(error, VenueError) and not isinstance(error, RateLimited):
        error = SessionEnded(message, venue=VENUE, code=str(code), request=str(_SIGN_IN))
    return Reply(0, error=error)

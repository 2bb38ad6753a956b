"""The simulated Lighter's socket: subscriptions, transactions, and how long a silent one lives.

A refused transaction is answered in one of three forms, of which only the first names the call; a
coin decides, as no source says when which is used.

Source: apidocs.lighter.xyz, "WebSocket reference"; how nautechsystems/nautilus_trader @ a95c804
and ccxt 4.5.90 read its answers; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from urllib.parse import urlencode

import msgspec

from mpdex.sim.models import Timers
from mpdex.sim.venue import SimConnection, SimReply, SimRequest
from mpdex.sim.venues.lighter_keys import KeyRing
from mpdex.sim.venues.lighter_streams import PRIVATE, Streams
from mpdex.sim.venues.lighter_wire import LARGEST_SOCKET_BATCH, Refusal
from mpdex.types import Json
from mpdex.utils.clock import Clock

CALLS = {"jsonapi/sendtx": "sendTx", "jsonapi/sendtxbatch": "sendTxBatch"}
PATIENCE = 120.0  # seconds of silence
PING_EVERY, PONG_WITHIN = 30.0, 30.0  # UNVERIFIED: of servers that ping
SILENT, NO_PONG = 1000, 1008  # UNVERIFIED: the first one's code
MOST_MESSAGES, MINUTE = 200, 60.0


class Socket:
    """Answers the text frames of every socket.

    Args:
        transact: executes a request made of a call, and answers as REST does.
    """

    def __init__(
        self,
        streams: Streams,
        keys: KeyRing,
        clock: Clock,
        timers: Timers,
        rng: random.Random,
        transact: Callable[[SimRequest], SimReply],
    ) -> None:
        self._streams = streams
        self._keys = keys
        self._clock = clock
        self._timers = timers
        self._rng = rng
        self._transact = transact

    def open(self, conn: SimConnection, *, pings: bool) -> None:
        """A new connection: greeted, and watched."""
        conn.state["heard"] = self._clock.monotonic()
        conn.state["sent"] = deque()
        session = f"{self._rng.getrandbits(128):032x}"
        cut = (8, 12, 16, 20, 32)
        parts = [session[a:b] for a, b in zip((0, *cut), cut, strict=False)]
        conn.send({"session_id": "-".join(parts), "type": "connected"}, "ack")
        self._timers.after(PATIENCE, lambda: self._watch(conn))
        if pings:
            self._timers.after(PING_EVERY, lambda: self._ping(conn))

    def _watch(self, conn: SimConnection) -> None:
        if not conn.open:
            return
        left = PATIENCE - (self._clock.monotonic() - conn.state["heard"])
        if left > 0:
            self._timers.after(left, lambda: self._watch(conn))
        else:
            conn.close(SILENT)

    def _ping(self, conn: SimConnection) -> None:
        if conn.open:
            conn.state["pinged"] = True
            conn.send({"type": "ping"})
            self._timers.after(PONG_WITHIN, lambda: self._expect_pong(conn))

    def _expect_pong(self, conn: SimConnection) -> None:
        if conn.state["pinged"]:
            conn.close(NO_PONG, "no pong")
        else:
            self._ping(conn)

    # ---------------------------------------------------------------- frames

    def accept(self, conn: SimConnection, text: str) -> Json | None:
        """One frame.

        Returns: the direct answer; None where it was pushed, or there is none.
        """
        conn.state["heard"] = self._clock.monotonic()
        message = _decoded(text)
        if message is None:
            return _error(30000, "Invalid Json")
        kind = message.get("type")
        if kind in CALLS:
            return self._call(conn, text)
        if self._too_many(conn):
            return _error(30009, "Too Many Websocket Messages!")
        match kind:
            case "ping":
                return {"type": "pong"}
            case "pong":
                conn.state["pinged"] = False
                return None
            case "subscribe":
                return self._subscribe(conn, str(message.get("channel")), message.get("auth"))
            case "unsubscribe":
                return self._unsubscribe(conn, str(message.get("channel")))
            case _:
                return _error(30001, "Invalid Type")

    def _too_many(self, conn: SimConnection) -> bool:
        """Whether a frame is one too many in the last minute; transactions are not counted."""
        now, sent = self._clock.monotonic(), conn.state["sent"]
        while sent and sent[0] <= now - MINUTE:
            sent.popleft()
        sent.append(now)
        return len(sent) > MOST_MESSAGES

    def _subscribe(self, conn: SimConnection, text: str, auth: Json) -> Json | None:
        channel = self._streams.channel(text)
        if channel is None:
            return _error(30005, "Invalid Channel:  (marketId)")
        if channel.echo in conn.topics:
            return _error(30003, f"Already Subscribed to : {channel.echo}")
        if channel.account:
            try:
                self._authorize(channel.name, channel.account, channel.echo, auth)
            except Refusal as refusal:
                return _error(refusal.code, refusal.message)
            conn.account, conn.private = channel.account, True
        self._streams.subscribe(conn, channel)
        return None

    def _authorize(self, name: str, account: str, echo: str, auth: Json) -> None:
        """A token is checked wherever there is one, and needed where the channel is private."""
        if not auth:
            if name in PRIVATE:
                raise Refusal(20001, f": auth field is required: {echo}")
        elif self._keys.account_of(str(auth)) != account:
            raise Refusal(20013, ": another account")

    def _unsubscribe(self, conn: SimConnection, text: str) -> Json:
        channel = self._streams.channel(text)
        echo = channel.echo if channel else text.replace("/", ":")
        if channel is None or not self._streams.unsubscribe(conn, channel):
            return _error(30002, f"Not Subscribed to : {echo}")
        return {"type": "unsubscribed", "channel": echo}

    # ---------------------------------------------------------------- transactions

    def request_of(self, text: str) -> SimRequest | None:
        """The REST request that a call stands for; None for anything but a call."""
        message = _decoded(text) or {}
        name = CALLS.get(str(message.get("type")))
        if name is None:
            return None
        data = message.get("data")
        fields = data if isinstance(data, dict) else {}
        form = {k: _text(v) for k, v in fields.items() if k != "id"}
        return SimRequest("POST", f"/api/v1/{name}", body=urlencode(form).encode())

    def _call(self, conn: SimConnection, text: str) -> Json:
        request = self.request_of(text)
        assert request is not None
        conn.private = True
        return self.wrap(text, self._transact(request))

    def wrap(self, text: str, reply: SimReply) -> Json:
        """A REST answer as the answer to a call."""
        message = _decoded(text) or {}
        data, kind = message.get("data"), message.get("type")
        known = {"id": data["id"]} if isinstance(data, dict) and "id" in data else {}
        body: dict[str, Json] = (
            reply.body if isinstance(reply.body, dict) else {"code": 29500, "message": ""}
        )
        if reply.status == 200:
            told = {k: v for k, v in body.items() if k in ("code", "tx_hash", _WHEN)}
            return {**told, **known, "type": kind}
        code = body.get("code", 29500)
        error = {"code": code, "message": body.get("message", "")}
        form = self._rng.randrange(3) if 21000 <= code <= 21999 else 0
        if form == 0:
            return {"type": kind, **error, **known}
        return {"type": "error", **error} if form == 1 else {"error": error}


_WHEN = "predicted_execution_time_ms"


def socket_batch_is_too_long(request: SimRequest, count: int) -> bool:
    """Calls over a socket have a smaller limit than those by REST."""
    return "content-type" not in request.headers and count > LARGEST_SOCKET_BATCH


def _text(value: Json) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _decoded(text: str) -> dict[str, Json] | None:
    try:
        message = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return message if isinstance(message, dict) else None


def _error(code: int, message: str) -> Json:
    return {"error": {"code": code, "message": message}}

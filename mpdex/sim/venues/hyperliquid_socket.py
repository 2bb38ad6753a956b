"""The simulated Hyperliquid's WebSocket: subscriptions, pings, and requests sent as `post`.

Source: hyperliquid.gitbook.io, "WebSocket", "Post requests"; live error frames; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import msgspec

from mpdex.sim.venue import SimConnection, SimReply, SimRequest
from mpdex.sim.venues.hyperliquid_streams import Streams
from mpdex.sim.venues.hyperliquid_topics import key_of, parse_subscription
from mpdex.sim.venues.hyperliquid_wire import Malformed
from mpdex.types import Json

MOST_TOPICS = 1000
MOST_USERS = 15  # the text of the live error says so, the documentation says 10
PATHS = {"info": "/info", "action": "/exchange"}
JSON_HEADERS = {"content-type": "application/json", "via": "websocket"}
_decode = msgspec.json.Decoder(float_hook=str).decode


class Socket:
    """Answers the text frames of every socket.

    Args:
        answer: of the two REST calls.
    """

    def __init__(self, streams: Streams, answer: Callable[[SimRequest], SimReply]) -> None:
        self._streams = streams
        self._answer = answer

    def accept(self, conn: SimConnection, text: str) -> Json | None:
        """One frame.

        Returns: the direct answer; None where it was pushed, ahead of snapshots.
        """
        self._streams.heard(conn)
        message = _message(conn, text)
        request = self.request_of(conn, text)
        if request is not None:
            return self.wrap(conn, text, self._answer(request))
        if message.get("method") == "ping":
            return {"channel": "pong"}
        asked = message.get("subscription")
        if message.get("method") not in ("subscribe", "unsubscribe") or asked is None:
            return _error(f"Error parsing JSON into valid websocket request: {text}")
        return self._listen(conn, str(message["method"]), asked)

    def _listen(self, conn: SimConnection, method: str, asked: Json) -> Json | None:
        try:
            topic = parse_subscription(asked)
            self._streams.check(topic)
        except Malformed:
            return _error(f"Invalid subscription {_text(asked)}")
        key = key_of(**topic)
        if method == "unsubscribe" and key not in conn.topics:
            return _error(f"Already unsubscribed: {key}")
        if method == "subscribe" and key in conn.topics:
            return _error(f"Already subscribed: {key}")
        if method == "subscribe" and self._too_many(conn, topic):
            return _error(self._too_many(conn, topic))
        ack = {"method": method, "subscription": topic}
        self._streams.send(conn, {"channel": "subscriptionResponse", "data": ack}, "ack")
        if method == "subscribe":
            self._streams.subscribe(conn, topic)
        else:
            self._streams.unsubscribe(conn, key)
        return None

    def _too_many(self, conn: SimConnection, topic: dict[str, Json]) -> str:
        """Of one address of the internet: here everybody has the same."""
        users = self._streams.users() | ({topic["user"]} if "user" in topic else set())
        if len(users) > MOST_USERS:
            return f"Cannot track more than {MOST_USERS} total users."
        if len(conn.topics) >= MOST_TOPICS:  # UNVERIFIED text
            return f"Cannot subscribe to more than {MOST_TOPICS} channels."
        return ""

    def request_of(self, conn: SimConnection, text: str) -> SimRequest | None:
        """The REST request that a post stands for; None for anything else."""
        message = _message(conn, text)
        asked = message.get("request")
        if message.get("method") != "post" or not isinstance(asked, dict):
            return None
        path = PATHS.get(str(asked.get("type")))
        if path is None or not isinstance(message.get("id"), int):
            return None
        body = msgspec.json.encode(asked.get("payload"))
        return SimRequest("POST", path, headers=JSON_HEADERS, body=body)

    def wrap(self, conn: SimConnection, text: str, reply: SimReply) -> Json:
        """A REST answer as the answer to a post."""
        message = _message(conn, text)
        kind, asked = message["request"]["type"], message["request"].get("payload")
        if reply.status != 200:
            response: dict[str, Json] = {"type": "error", "payload": _failure(reply)}
        elif kind == "info":
            data = _decode(reply.body) if isinstance(reply.body, bytes) else reply.body
            payload = {"type": asked.get("type"), "data": data}
            response = {"type": "info", "payload": payload}
        else:
            response = {"type": "action", "payload": reply.body}
        return {"channel": "post", "data": {"id": message["id"], "response": response}}


def _failure(reply: SimReply) -> str:
    """UNVERIFIED form: the status as HTTP has it, and the text of the body."""
    body = reply.encode()[0].decode()
    return f"{reply.status} {HTTPStatus(reply.status).phrase}: {body}"


def _error(text: str) -> Json:
    return {"channel": "error", "data": text}


def _text(value: Json) -> str:
    return msgspec.json.encode(value).decode()


def _message(conn: SimConnection, text: str) -> dict[str, Json]:
    """A text frame decoded, once for the several questions asked about it; {} if unreadable."""
    last = conn.state.get("message")
    if last is None or last[0] != text:
        last = conn.state["message"] = (text, _object(text))
    decoded: dict[str, Json] = last[1]
    return decoded


def _object(text: str) -> dict[str, Json]:
    try:
        message = _decode(text)
    except msgspec.DecodeError:
        return {}
    return message if isinstance(message, dict) else {}

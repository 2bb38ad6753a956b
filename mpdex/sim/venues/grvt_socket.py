"""The simulated GRVT's WebSocket: JSON-RPC on `/ws/full`, the older subscribe format on `/ws`.

A socket keeps the session it was opened with; a call without one is answered 1000. What cannot be
parsed is answered with id 0 and an empty method, also the text `ping` of the venue's own client.

Source: api-docs.grvt.io, "WebSocket"; live replies; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mpdex.sim.messages import message_of
from mpdex.sim.venue import SimConnection, SimReply, SimRequest
from mpdex.sim.venues.grvt_streams import Streams
from mpdex.sim.venues.grvt_wire import Refusal, render_error
from mpdex.types import Json

Private = Callable[[str, dict[str, Json]], Json]
Public = Callable[[dict[str, Json]], Json]


class RpcSocket:
    """Answers the text frames of every socket.

    Args:
        private, public: calls of the two hosts, by name.
        account_of: the account that headers and a body entitle to. Raises: Refusal.
    """

    def __init__(
        self,
        streams: Streams,
        private: Mapping[str, Private],
        public: Mapping[str, Public],
        account_of: Callable[[Mapping[str, str], dict[str, Json]], str],
    ) -> None:
        self._streams = streams
        self._private = private
        self._public = public
        self._account_of = account_of

    def accept(self, conn: SimConnection, text: str) -> Json | None:
        """One frame.

        Returns: the direct answer; None where it was pushed, ahead of snapshots.
        """
        message = message_of(conn, text)
        if not conn.path.endswith("/full"):
            return self._accept_old(conn, message)
        id, method = _envelope(message)
        try:
            if method in ("subscribe", "unsubscribe"):
                self._listen(conn, id, method, message.get("params"))
                return None
            result = self._call(conn, method, message.get("params"))
        except Refusal as refusal:
            return _rpc_error(id, method, render_error(refusal.code)[0])
        return {"jsonrpc": "2.0", "result": result, "id": id, "method": method}

    def request_of(self, conn: SimConnection, text: str) -> SimRequest | None:
        """The REST request that a call stands for; None for anything but a call."""
        message = message_of(conn, text)
        version, slash, name = _envelope(message)[1].partition("/")
        if not slash:
            return None
        host = conn.path.partition("/ws")[0]
        body = msgspec.json.encode(message.get("params"))
        return SimRequest("POST", f"{host}/full/{version}/{name}", headers=conn.headers, body=body)

    def wrap(self, conn: SimConnection, text: str, reply: SimReply) -> Json:
        """A REST answer as the answer to a call."""
        id, method = _envelope(message_of(conn, text))
        if reply.status == 200:
            return {"jsonrpc": "2.0", "result": reply.body, "id": id, "method": method}
        body = reply.body
        if not isinstance(body, dict) or not body.keys() >= {"code", "message"}:
            body = render_error(1002)[0]
        return _rpc_error(id, method, body)

    def _call(self, conn: SimConnection, method: str, params: Json) -> Json:
        version, _, name = method.partition("/")
        known: Mapping[str, Any] = self._private if conn.private else self._public
        expected = "v2" if name == "bulk_orders" else "v1"
        if name not in known or version != expected or not isinstance(params, dict):
            raise Refusal(1003)
        if conn.private:
            return self._private[name](self._account_of(conn.headers, params), params)
        return self._public[name](params)

    # ---------------------------------------------------------------- subscriptions

    def _listen(self, conn: SimConnection, id: int, method: str, params: Json) -> None:
        """The confirmation goes out in one line with the snapshots, ahead of them."""
        if not isinstance(params, dict):
            raise Refusal(1003)
        name, selectors = params.get("stream"), params.get("selectors")
        result, frames = self._listened(conn, method, name, selectors)
        ack = {"jsonrpc": "2.0", "result": result, "id": id, "method": method}
        _send_all(conn, ack, frames)

    def _listened(
        self, conn: SimConnection, method: str, name: Json, selectors: Json
    ) -> tuple[dict[str, Json], list[bytes]]:
        if not isinstance(name, str) or not isinstance(selectors, list):
            raise Refusal(1003)
        if conn.private:
            self._account_of(conn.headers, {})
        if method == "unsubscribe":
            gone = [s for s in selectors if self._streams.unsubscribe(conn, name, str(s))]
            return {"stream": name, "unsubs": gone}, []
        told = [self._streams.subscribe(conn, name, str(selector)) for selector in selectors]
        numbered = [] if name == "v1.cancel" else told
        result = {
            "stream": name,
            "subs": selectors,
            "unsubs": [],
            "num_snapshots": [len(frames) for _, frames in told],
            "first_sequence_number": [str(first) for first, _ in numbered],
            "latest_sequence_number": [str(first - 1) for first, _ in numbered],
        }
        return result, [frame for _, frames in told for frame in frames]

    def _accept_old(self, conn: SimConnection, message: dict[str, Json]) -> Json | None:
        """Subscriptions only, long names only; sequence numbers are JSON numbers here."""
        id, method = message.get("request_id", 0), message.get("method")
        try:
            if method not in ("subscribe", "unsubscribe") or not message.get("is_full", True):
                raise Refusal(1003)
            told, frames = self._listened(conn, method, message.get("stream"), message.get("feed"))
        except Refusal as refusal:
            return {"request_id": id, **render_error(refusal.code)[0]}
        told.pop("latest_sequence_number", None)
        if "first_sequence_number" in told:
            told["first_sequence_number"] = [*map(int, told["first_sequence_number"])]
        _send_all(conn, {"request_id": id, **told}, frames)
        return None


def _send_all(conn: SimConnection, ack: Json, frames: list[bytes]) -> None:
    conn.send(ack, "ack")
    for frame in frames:
        conn.send(frame, "snapshot")


def _rpc_error(id: int, method: str, body: Mapping[str, Json]) -> Json:
    """An error over the socket has no `status`."""
    error = {"code": body["code"], "message": body["message"]}
    return {"jsonrpc": "2.0", "error": error, "id": id, "method": method}


def _envelope(message: dict[str, Json]) -> tuple[int, str]:
    id, method = message.get("id"), message.get("method")
    return (id if isinstance(id, int) else 0), (method if isinstance(method, str) else "")

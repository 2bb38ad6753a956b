"""The simulated Paradex's WebSocket: JSON-RPC for everything that a client says.

A connection that has authenticated stays so for its life, also when the token has ended. Ids are
the client's, of any size. UNVERIFIED: which of the error codes carries a refused order; here it is
100, with the venue's own code as data.

Source: docs.paradex.trade, "WebSocket API", "JSON-RPC order entry"; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import msgspec

from mpdex.sim.messages import message_of
from mpdex.sim.venue import SimConnection, SimReply, SimRequest
from mpdex.sim.venues import paradex_wire as wire
from mpdex.sim.venues.paradex_login import KeyRing
from mpdex.sim.venues.paradex_orders import QUEUED, OrderDesk, parse_ids
from mpdex.sim.venues.paradex_streams import Streams
from mpdex.sim.venues.paradex_wire import Refusal
from mpdex.types import Json
from mpdex.utils.clock import Clock

GENERIC, DENIED, OVER_LIMIT = 100, 40300, 42901
MALFORMED_BEARER, INVALID_BEARER = 40110, 40111
PARSE, INVALID, NO_METHOD, PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603
MESSAGES = {
    PARSE: "parse error",
    INVALID: "invalid request",
    NO_METHOD: "method does not exist",
    PARAMS: "Invalid parameters",
    INTERNAL: "internal error",
    MALFORMED_BEARER: "Malformed Bearer Token",
    INVALID_BEARER: "Invalid Bearer Token",
    DENIED: "permission denied",
    OVER_LIMIT: "rate limit exceeded",
}


class RpcError(Exception):
    """A call is answered with an error."""

    def __init__(self, code: int, message: str = "", data: Json = None) -> None:
        self.code, self.message, self.data = code, message or MESSAGES[code], data
        super().__init__(f"{code} {self.message}")


class RpcSocket:
    """Answers the text frames of every socket.

    Args:
        orders_on: whether a path takes orders.
    """

    def __init__(
        self,
        clock: Clock,
        keys: KeyRing,
        streams: Streams,
        desk: OrderDesk,
        orders_on: Callable[[str], bool],
    ) -> None:
        self._clock = clock
        self._keys = keys
        self._streams = streams
        self._desk = desk
        self._orders_on = orders_on
        self._calls: dict[str, Callable[[SimConnection, dict[str, Json]], Json]] = {
            "auth": self._auth,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "order.cancel_on_disconnect": self._cancel_on_disconnect,
        }
        self._orders: dict[str, Callable[[str, Json], Json]] = {
            "order.create": desk.create,
            "order.create_batch": lambda account, params: desk.create_batch(
                account, orders_of(params)
            ),
            "order.modify": lambda account, params: desk.modify(
                account, wire.parse_text(wire.parse_object(params), "id"), params
            ),
            "order.cancel": self._cancel,
            "order.cancel_batch": desk.cancel_batch,
            "order.cancel_all": lambda account, params: desk.cancel_all(
                account, wire.parse_text(wire.parse_object(params or {}), "market")
            ),
        }

    def accept(self, conn: SimConnection, text: str) -> Json | None:
        """One frame.

        Returns: the direct answer; None where it was pushed, ahead of data.
        """
        message = message_of(conn, text)
        method, params = message.get("method"), message.get("params")
        try:
            if message.get("jsonrpc") != "2.0" or not isinstance(method, str):
                raise RpcError(INVALID if message else PARSE)
            if method in self._orders:
                return self._answer(message, self._order(conn, method, params))
            if method not in self._calls:
                raise RpcError(NO_METHOD)
            if not isinstance(params, dict):
                raise RpcError(PARAMS)
            result = self._calls[method](conn, params)
        except RpcError as error:
            return self._error(message, error)
        if method != "subscribe":
            return self._answer(message, result)
        self._subscribed(conn, message, result)
        return None

    # ---------------------------------------------------------------- calls

    def _auth(self, conn: SimConnection, params: dict[str, Json]) -> Json:
        bearer = params.get("bearer")
        if not isinstance(bearer, str) or bearer.count(".") != 2:
            raise RpcError(MALFORMED_BEARER)
        try:
            conn.account = self._keys.account_of(bearer)
        except Refusal as refusal:
            raise RpcError(INVALID_BEARER) from refusal
        conn.private = True
        conn.state["token"] = bearer
        return {"node_id": f"sim{conn.id:013x}"}

    def _subscribe(self, conn: SimConnection, params: dict[str, Json]) -> Json:
        name = params.get("channel")
        channel = self._streams.parse(name) if isinstance(name, str) else None
        if channel is None:
            raise RpcError(INVALID, "invalid subscribe request", "invalid channel")
        if name in conn.topics:
            raise RpcError(INVALID, "invalid subscribe request", "already subscribed")
        if channel.private and not conn.account:
            raise RpcError(DENIED)
        return {"channel": name}

    def _subscribed(self, conn: SimConnection, message: dict[str, Json], result: Json) -> None:
        """The confirmation goes out in one line with the data, ahead of it."""
        conn.send(self._answer(message, result), "ack")
        channel = self._streams.parse(result["channel"])
        if channel is not None:
            self._streams.subscribe(conn, channel)

    def _unsubscribe(self, conn: SimConnection, params: dict[str, Json]) -> Json:
        name = params.get("channel")
        if not isinstance(name, str) or not self._streams.unsubscribe(conn, name):
            raise RpcError(INVALID, "invalid unsubscribe request", "not subscribed")
        return {"channel": name}

    def _cancel_on_disconnect(self, conn: SimConnection, params: dict[str, Json]) -> Json:
        self._check_access(conn)
        conn.state["cancels"] = params.get("enabled") is True
        return {"enabled": conn.state["cancels"]}

    def _check_access(self, conn: SimConnection) -> None:
        if not conn.account or not self._orders_on(conn.path):
            raise RpcError(DENIED)

    # ---------------------------------------------------------------- order entry

    def _order(self, conn: SimConnection, method: str, params: Json) -> Json:
        self._check_access(conn)
        try:
            return self._dressed(method, params, self._orders[method](conn.account, params))
        except Refusal as refusal:
            raise RpcError(GENERIC, refusal.message, refusal.code) from refusal

    def _cancel(self, account: str, params: Json) -> Json:
        order_id, client_id, market = parse_ids(wire.parse_object(params))
        if order_id:
            return self._desk.cancel(account, order_id)
        return self._desk.cancel_by_client_id(account, client_id, market)

    def _dressed(self, method: str, params: Json, body: Json) -> Json:
        """A REST answer as the result of the call. Two clocks: milliseconds and nanoseconds."""
        match method:
            case "order.create" | "order.modify":
                now = self._clock.now_ns()
                return {"order": body, "created_at": now // 1_000_000, "received_at": now}
            case "order.create_batch":
                pairs = zip(body["orders"], body["errors"], strict=True)
                return {"results": [{"error": e} if e else {"order": o} for o, e in pairs]}
            case "order.cancel":
                named = params.get("id", "") if isinstance(params, dict) else ""
                return {"order_id": body or named, "status": QUEUED}
            case "order.cancel_all":
                return {"status": "ok"}
            case _:
                return body

    def request_of(self, conn: SimConnection, text: str) -> SimRequest | None:
        """The REST request that a call stands for; None for anything but order entry."""
        message = message_of(conn, text)
        method, params = message.get("method"), message.get("params")
        if method not in self._orders:
            return None
        said = params if isinstance(params, dict) else {}
        verb, path, query = _rest_of(method, said)
        headers = {**conn.headers, "authorization": f"Bearer {conn.state.get('token', '')}"}
        body = orders_of(params) if method == "order.create_batch" else params
        return SimRequest(verb, f"/v1{path}", query, headers, msgspec.json.encode(body))

    def wrap(self, conn: SimConnection, text: str, reply: SimReply) -> Json:
        """A REST answer as the answer to a call."""
        message, body = message_of(conn, text), reply.body
        method = str(message.get("method"))
        if reply.status < 300:
            known = isinstance(body, dict) or body is None
            dressed = self._dressed(method, message.get("params"), body) if known else body
            return self._answer(message, dressed)
        if reply.status == 429:
            return self._error(message, RpcError(OVER_LIMIT))
        if isinstance(body, dict) and "error" in body:
            error = RpcError(GENERIC, body["message"], body["error"])
            return self._error(message, error)
        return self._error(message, RpcError(INTERNAL))

    # ---------------------------------------------------------------- envelopes

    def _answer(self, message: Mapping[str, Json], result: Json) -> dict[str, Json]:
        return {"jsonrpc": "2.0", "result": result, **self._times(), "id": message.get("id", 0)}

    def _error(self, message: Mapping[str, Json], error: RpcError) -> dict[str, Json]:
        told: dict[str, Json] = {"code": error.code, "message": error.message}
        if error.data is not None:
            told["data"] = error.data
        return {"jsonrpc": "2.0", "id": message.get("id", 0), "error": told, **self._times()}

    def _times(self) -> dict[str, Json]:
        now = self._clock.now_ns() // 1000
        return {"usIn": now, "usDiff": 0, "usOut": now}


def orders_of(params: Json) -> Json:
    """The orders of a batch: the bare list, or the one inside an object; clients send both."""
    return params.get("orders") if isinstance(params, dict) else params


def _rest_of(method: str, said: Mapping[str, Json]) -> tuple[str, str, str]:
    """(method, path, query) of the REST request that does the same."""
    market = {"market": str(said["market"])} if said.get("market") else {}
    match method:
        case "order.create":
            return "POST", "/orders", ""
        case "order.create_batch":
            return "POST", "/orders/batch", ""
        case "order.modify":
            return "PUT", f"/orders/{said.get('id', '')}", ""
        case "order.cancel" if said.get("id"):
            return "DELETE", f"/orders/{said['id']}", ""
        case "order.cancel":
            path = f"/orders/by_client_id/{said.get('client_id', '')}"
            return "DELETE", path, urlencode(market)
        case "order.cancel_batch":
            return "DELETE", "/orders/batch", ""
        case _:
            return "DELETE", "/orders", urlencode(market)

"""Which topic a socket of the simulated Extended is about, and the calls of its second generation.

Source: api.docs.extended.exchange, "Public" and "Private WebSocket streams"; the calls are those of
x10-python-trading-starknet 2.6.0 and live answers; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from mpdex.sim.venue import SimConnection
from mpdex.sim.venues.extended_streams import (
    ACCOUNT,
    BEST,
    BOOK,
    INDEXES,
    MARKS,
    RATES,
    RFQ,
    TRADES,
    Streams,
    Topic,
)
from mpdex.sim.venues.extended_truth import MARKETS
from mpdex.types import Json

ROOT = "/stream.extended.exchange"
FIRST, SECOND = f"{ROOT}/v1", f"{ROOT}/v2/rpc"
SCOPES: Mapping[str, str] = {
    "/orderbooks": BOOK,
    "/orderbooks/rfq": RFQ,
    "/publicTrades": TRADES,
    "/prices/mark": MARKS,
    "/prices/index": INDEXES,
    "/funding": RATES,
}
PRICES = {"mark": MARKS, "index": INDEXES}
NOT_JSON, NO_CALL, NO_METHOD, NO_PARAMS, STRANGER = -32700, -32600, -32601, -32602, -32001


def paths() -> Iterator[str]:
    """Every address that a socket may have."""
    yield SECOND
    yield f"{FIRST}/account"
    for path in SCOPES:
        yield FIRST + path
        yield from (f"{FIRST}{path}/{market.symbol}" for market in MARKETS)


def topic_of(path: str, query: Mapping[str, str]) -> Topic:
    """Of a public socket of the first generation; its address is one of `paths`."""
    path = path.removeprefix(FIRST)
    if path not in SCOPES:
        path, _, symbol = path.rpartition("/")
    else:
        symbol = ""
    best = path == "/orderbooks" and query.get("depth") == "1"
    return Topic(BEST if best else SCOPES[path], symbol)


class Calls:
    """The calls that a socket of the second generation takes.

    Args:
        account_of: the account behind an API key; "" for none.
    """

    def __init__(
        self, streams: Streams, symbols: Mapping[str, object], account_of: Callable[[str], str]
    ) -> None:
        self._streams = streams
        self._symbols = symbols
        self._account_of = account_of

    def answer(self, conn: SimConnection, text: str) -> None:
        """Answer a call; a selector that cannot be read is not answered at all."""
        try:
            call = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return self._refuse(conn, None, NOT_JSON, "Parse error")
        if not isinstance(call, dict) or not isinstance(call.get("method"), str):
            return self._refuse(conn, None, NO_CALL, "Invalid request")
        number, method = call.get("id"), call["method"]
        match method:
            case "ping":
                return self._confirm(conn, number, {"method": method, "status": "OK"})
            case "list-subscriptions":
                told = {"method": method, "status": "OK", "subscriptions": sorted(conn.topics)}
                return self._confirm(conn, number, told)
            case "subscribe" | "unsubscribe" if isinstance(call.get("params"), dict):
                return self._listen(conn, number, method, call["params"])
            case "subscribe" | "unsubscribe":
                return self._refuse(conn, number, NO_PARAMS, "Invalid params")
        return self._refuse(conn, number, NO_METHOD, "Method not found")

    def _listen(
        self, conn: SimConnection, number: Json, method: str, params: Mapping[str, Json]
    ) -> None:
        topic = self._topic(params)
        if topic is None:
            return
        if topic.scope == ACCOUNT and self._account_of(str(params.get("apiKey"))) != topic.key:
            self._refuse(conn, number, STRANGER, "Unauthorized")
            return
        told = {"method": method, "status": "OK", "subscription": topic.address}
        self._confirm(conn, number, told)
        if method == "unsubscribe":
            self._streams.drop(conn, topic)
            return
        if topic.scope == ACCOUNT:
            conn.account, conn.private = topic.key, True
        self._streams.listen(conn, topic)

    def _topic(self, params: Mapping[str, Json]) -> Topic | None:
        scope, selector = params.get("scope"), params.get("selector")
        if not isinstance(selector, dict):
            return None
        if scope == "account":
            return Topic(ACCOUNT, str(selector.get("account")))
        market = selector.get("market") or ""
        if market and market not in self._symbols:
            return None
        found = _scope(scope, selector)
        return Topic(found, market) if found else None

    def _confirm(self, conn: SimConnection, number: Json, result: Json) -> None:
        conn.send({"id": number, "result": result, "jsonrpc": "2.0"}, "ack")

    def _refuse(self, conn: SimConnection, number: Json, code: int, message: str) -> None:
        error = {"code": code, "message": message, "data": None}
        conn.send({"id": number, "error": error, "jsonrpc": "2.0"}, "ack")


def _scope(scope: Json, selector: Mapping[str, Json]) -> str:
    """Name of a stream of market data; "" where there is none."""
    match scope:
        case "orderbooks":
            if selector.get("depth") == "1":
                return BEST
            return RFQ if selector.get("rfqOnly") else BOOK
        case "prices":
            return PRICES.get(str(selector.get("type")), "")
        case "trades" | "funding-rates":
            return str(scope)
    return ""

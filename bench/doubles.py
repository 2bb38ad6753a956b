"""Doubles of GRVT and Backpack for latency: canned answers, and fills 1-3 ms apart.

A simulated venue does real work between two frames and would be measured with the client. These
say only what a hedge needs to hear: a quote is taken, it fills at once and whole, the hedge is
filled in its answer. Venues that sign on another curve are in `stark_doubles`; all run side by side
here. In the same process are the two ends of the floor, a raw relay.

The clock is one: `sent` when the fill's frame is written, `came` when the order's bytes arrive.

Sources of the formats: api-docs.grvt.io, trading streams; docs.backpack.exchange; read 2026-11-21.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from bench.double_parts import (
    BEST_ASK,
    BEST_BID,
    ORDER_LINES,
    HedgeDouble,
    Stopwatch,
    decode,
    encode,
    now_ms,
)
from bench.double_parts import send as _send
from bench.parties import ACCOUNT, INSTRUMENT, LISTING, SYMBOLS
from bench.servers import request_length
from bench.stark_doubles import ExtendedDouble, ParadexDouble
from bench.workers import questions, say

GRVT, BACKPACK = SYMBOLS["grvt"], SYMBOLS["backpack"]
BOOK_SECONDS = 0.25
GAP = (0.001, 0.003)  # seconds between one event and the next
RELAYED = b"x" * 420  # an order's length


class World:
    """All venues: what they were told, and whom they tell.

    Attributes:
        others: venues that hedge and are doubles of their own, by name.
    """

    def __init__(self, watch: Stopwatch) -> None:
        self.watch = watch
        self._rng = random.Random(5)
        self._trades = 0
        self._numbers: dict[tuple[str, str], int] = defaultdict(lambda: 1)
        self._grvt: dict[str, WSTransport] = {}  # wire topic -> who hears it
        self._backpack: dict[str, WSTransport] = {}
        self._quote: dict[str, Any] = {}  # the one that rests
        self._filled: dict[str, Any] = {}  # the last one that filled
        self._positions: dict[str, Decimal] = {GRVT: Decimal(0), BACKPACK: Decimal(0)}
        self.others: dict[str, HedgeDouble] = {
            "extended": ExtendedDouble(self),
            "paradex": ParadexDouble(self),
        }

    def later(self, call: Callable[..., object], *arguments: Any) -> None:
        asyncio.get_running_loop().call_later(self._rng.uniform(*GAP), call, *arguments)

    # ------------------------------------------------------------------ REST

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes, bytes]:
        """Status, more headers, body; a path that begins with a venue's name is that one's."""
        name, _, rest = path[1:].partition("/")
        if name in self.others:
            status, told = self.others[name].answer(method, f"/{rest}", decode(body or b"null"))
            return status, b"", encode(told)
        if path == "/auth/api_key/login":
            headers = b"Set-Cookie: gravity=bench; Max-Age=86400\r\nX-Grvt-Account-Id: bench\r\n"
            return 200, headers, b'{"status":"success"}'
        if method == "POST" and path == "/api/v1/order":
            return 200, b"", encode(self._hedge(decode(body)))
        found = self._read(path)
        return (200, b"", encode(found)) if found is not None else (404, b"", b'{"code":1004}')

    def _read(self, path: str) -> Any:
        match path:
            case "/full/v1/positions":
                size = self._positions[GRVT]
                entry = {"instrument": GRVT, "size": str(size), "entry_price": BEST_BID}
                return {"result": [entry] if size else []}
            case "/api/v1/position":
                size = self._positions[BACKPACK]
                entry = {
                    "symbol": BACKPACK, "netQuantity": str(size), "entryPrice": BEST_BID,
                    "markPrice": BEST_BID, "pnlUnrealized": "0", "estLiquidationPrice": "0",
                }  # fmt: skip
                return [entry] if size else []
            case "/time":
                return {"server_time": now_ms()}
            case "/api/v1/time":
                return now_ms()
            case "/api/v1/depth":
                return {**_DEPTH, "lastUpdateId": str(self._numbers["depth", ""])}
        return _READS.get(path)

    def _hedge(self, order: dict[str, Any]) -> dict[str, Any]:
        self._trades += 1
        quantity = order["quantity"]
        price = BEST_ASK if order["side"] == "Bid" else BEST_BID
        quote = str(Decimal(quantity) * Decimal(price))
        self._positions[BACKPACK] += Decimal(quantity) * (1 if order["side"] == "Bid" else -1)
        self.later(self._after_hedge, order, str(self._trades), price, quote)
        return {
            "id": str(self._trades),
            "clientId": order["clientId"],
            "symbol": order["symbol"],
            "side": order["side"],
            "orderType": order["orderType"],
            "price": price,
            "quantity": quantity,
            "executedQuantity": quantity,
            "executedQuoteQuantity": quote,
            "status": "Filled",
            "timeInForce": order["timeInForce"],
            "reduceOnly": order.get("reduceOnly", False),
            "postOnly": False,
            "createdAt": now_ms(),
        }

    def _after_hedge(self, order: dict[str, Any], id: str, price: str, quote: str) -> None:
        """What both streams say of it afterwards."""
        stamp = time.time_ns() // 1000  # noqa: TID251
        event = {
            "e": "orderFill", "E": stamp, "T": stamp, "s": order["symbol"], "c": order["clientId"],
            "S": order["side"], "o": "LIMIT", "f": "IOC", "q": order["quantity"],
            "p": order["price"], "X": "Filled", "i": id, "z": order["quantity"], "Z": quote,
            "l": order["quantity"], "L": price, "n": "0.06", "N": "USDC", "m": False,
            "t": int(id), "V": "RejectTaker", "y": False, "r": order.get("reduceOnly", False),
        }  # fmt: skip
        self._tell_backpack("account.orderUpdate", event)
        self.hedged()

    def hedged(self) -> None:
        """What the quote's venue says last; the fill came before."""
        self._tell_grvt("v1.order", self._order("FILLED", self._filled))

    # ------------------------------------------------------------------ GRVT's sockets

    def grvt_message(self, transport: WSTransport, message: dict[str, Any]) -> None:
        method, params, id = message["method"], message["params"], message["id"]
        if method == "v1/create_order":
            self._quote = order = params["order"]
            _send(transport, _result(id, method, {"result": self._order("PENDING", order)}))
            self.later(self._open)
        elif method == "subscribe":
            stream, selectors = params["stream"], params["selectors"]
            first = [str(self._numbers[stream, selector]) for selector in selectors]
            told = {"stream": stream, "subs": selectors, "first_sequence_number": first}
            _send(transport, _result(id, method, told))
            for selector in selectors:
                self._grvt[f"{stream}/{selector}"] = transport
                if stream == "v1.book.d":
                    _send(transport, _feed(stream, selector, 0, _levels()))
        else:
            _send(transport, _result(id, method, {"ack": True, "result": {"ack": True}}))

    def _open(self) -> None:
        self._tell_grvt("v1.order", self._order("OPEN", self._quote))
        self.later(self._fill)

    def _fill(self) -> None:
        """The frame that the hedge is waited for."""
        self._trades += 1
        self._filled = self._quote
        leg, stamp = self._quote["legs"][0], time.time_ns()  # noqa: TID251
        self._positions[GRVT] += Decimal(leg["size"]) * (1 if leg["is_buying_asset"] else -1)
        frame = self._frame(
            "v1.fill",
            ACCOUNT,
            {
                "event_time": str(stamp), "sub_account_id": ACCOUNT, "instrument": GRVT,
                "is_buyer": leg["is_buying_asset"], "is_taker": False, "size": leg["size"],
                "price": leg["limit_price"], "mark_price": "3000.0", "index_price": "3000.0",
                "interest_rate": "0.0", "forward_price": "0.0", "realized_pnl": "0.0",
                "fee": "-0.01", "fee_rate": "-0.01", "trade_id": f"{self._trades}-1",
                "order_id": "0x01", "venue": "ORDERBOOK", "is_liquidation": False,
                "client_order_id": self._quote["metadata"]["client_order_id"], "signer": "0x00",
                "broker": "UNSPECIFIED", "fee_currency": "USDT",
            },
        )  # fmt: skip
        self.watch.sent()
        _send(self._grvt[f"v1.fill/{ACCOUNT}"], frame)

    def _order(self, status: str, order: dict[str, Any]) -> dict[str, Any]:
        size, stamp = order["legs"][0]["size"], str(time.time_ns())  # noqa: TID251
        traded = size if status == "FILLED" else "0.0"
        return {
            **order,
            "order_id": "0x00" if status == "PENDING" else f"0x{order['signature']['r'][2:34]}",
            "state": {
                "status": status, "reject_reason": "UNSPECIFIED", "book_size": ["0.0"],
                "traded_size": [traded], "update_time": stamp,
                "avg_fill_price": [order["legs"][0]["limit_price"]],
            },
        }  # fmt: skip

    def _tell_grvt(self, stream: str, feed: dict[str, Any]) -> None:
        transport = self._grvt.get(f"{stream}/{ACCOUNT}")
        if transport is not None:
            _send(transport, self._frame(stream, ACCOUNT, feed))

    def _frame(self, stream: str, selector: str, feed: dict[str, Any]) -> dict[str, Any]:
        number = self._numbers[stream, selector]
        self._numbers[stream, selector] = number + 1
        return _feed(stream, selector, number, feed)

    # ------------------------------------------------------------------ Backpack's socket

    def backpack_message(self, transport: WSTransport, message: dict[str, Any]) -> None:
        for name in message["params"]:
            if message["method"] == "SUBSCRIBE":
                self._backpack[name] = transport
            else:
                self._backpack.pop(name, None)

    def _tell_backpack(self, stream: str, data: dict[str, Any]) -> None:
        transport = self._backpack.get(stream)
        if transport is not None:
            _send(transport, {"stream": stream, "data": data})

    # ------------------------------------------------------------------ books

    def publish(self) -> None:
        """All books say that they are as they were, so that nobody thinks them old."""
        self._trades += 1
        bid, ask = [[BEST_BID, "5.0"]], [[BEST_ASK, "5.0"]]
        stamp, number = time.time_ns() // 1000, self._numbers["depth", ""] + 1  # noqa: TID251
        self._numbers["depth", ""] = number
        self._tell_backpack(
            f"depth.{BACKPACK}",
            {"e": "depth", "E": stamp, "T": stamp, "s": BACKPACK, "b": bid, "a": ask,
             "U": number, "u": number},
        )  # fmt: skip
        selector = f"{GRVT}@50"
        transport = self._grvt.get(f"v1.book.d/{selector}")
        if transport is not None:
            _send(transport, self._frame("v1.book.d", selector, _levels()))
        for other in self.others.values():
            other.publish()
        asyncio.get_running_loop().call_later(BOOK_SECONDS, self.publish)

    def gone(self, transport: WSTransport) -> None:
        """A client that left hears nothing any more."""
        for other in self.others.values():
            other.gone(transport)
        for heard in (self._grvt, self._backpack):
            for topic in [topic for topic, who in heard.items() if who is transport]:
                del heard[topic]


_DEPTH: dict[str, Any] = {
    "bids": [[f"{2999.99 - 0.01 * i:.2f}", "5.0"] for i in range(10)][::-1],
    "asks": [[f"{3000.01 + 0.01 * i:.2f}", "5.0"] for i in range(10)],
    "timestamp": 1_790_000_000_000_000,
}
# fmt: off
_READS: dict[str, Any] = {
    "/full/v1/instruments": {"result": [INSTRUMENT]},
    "/full/v1/margin_rules": {"risk_brackets": [{"max_leverage": "50"}]},
    "/full/v1/open_orders": {"result": []},
    "/full/v1/fill_history": {"result": [], "next": ""},
    "/api/v1/markets": [LISTING],
    "/full/v1/account_summary": {
        "result": {
            "total_equity": "1000000", "available_balance": "1000000", "unrealized_pnl": "0",
            "settle_currency": "USDT",
        }
    },
    "/full/v1/get_all_initial_leverage": {
        "results": [
            {
                "instrument": GRVT, "leverage": "10", "max_leverage": "50",
                "margin_type": "CROSS",
            }
        ]
    },
    "/full/v1/funding_account_summary": {
        "result": {}, "tier": {"futures_maker_fee": -1, "futures_taker_fee": 450}
    },
    "/api/v1/capital/collateral": {
        "netEquity": "1000000", "netEquityAvailable": "1000000", "pnlUnrealized": "0"
    },
    "/api/v1/account": {
        "leverageLimit": "10", "futuresMakerFee": "2", "futuresTakerFee": "5",
    },
    "/api/v1/orders": [],
    "/wapi/v1/history/fills": [],
    "/wapi/v1/history/orders": [],
}
# fmt: on


def _levels() -> dict[str, Any]:
    return {
        "event_time": str(time.time_ns()),  # noqa: TID251
        "instrument": GRVT,
        "bids": [
            {"price": f"{2999.99 - 0.01 * i:.2f}", "size": "5.0", "num_orders": 3}
            for i in range(10)
        ],
        "asks": [
            {"price": f"{3000.01 + 0.01 * i:.2f}", "size": "5.0", "num_orders": 3}
            for i in range(10)
        ],
    }


def _feed(stream: str, selector: str, number: int, feed: dict[str, Any]) -> dict[str, Any]:
    return {
        "stream": stream,
        "selector": selector,
        "sequence_number": str(number),
        "feed": feed,
        "prev_sequence_number": str(max(number - 1, 0)),
    }


def _result(id: int, method: str, result: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "result": result, "id": id, "method": method}


# --------------------------------------------------------------------------- sockets


class Listener(WSListener):
    """One client of any venue; `opened` is told at once, where a venue wants to know."""

    def __init__(
        self,
        world: World,
        hear: Callable[[WSTransport, dict[str, Any]], None],
        opened: Callable[[WSTransport], None] | None = None,
    ) -> None:
        self._world = world
        self._hear = hear
        self._opened = opened

    def on_ws_connected(self, transport: WSTransport) -> None:
        if self._opened is not None:
            self._opened(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), b"")
            transport.disconnect()
        elif frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
            self._hear(transport, decode(frame.get_payload_as_bytes()))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._world.gone(transport)


class Http(asyncio.Protocol):
    """Stamps an order as soon as its first bytes are here."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if data.startswith(ORDER_LINES):
            self._world.watch.came()
        self._buffer += data
        while (whole := request_length(self._buffer)) and len(self._buffer) >= whole:
            request, self._buffer = self._buffer[:whole], self._buffer[whole:]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        status, headers, answer = self._world.answer(method, target.partition("?")[0], body)
        if method == "HEAD":
            answer = b""
        self._transport.write(
            b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b"
            % (status, headers, len(answer), answer)
        )


class RelayFeed(asyncio.Protocol):
    """The floor's first end: asked for a frame, it sends one after a while."""

    def __init__(self, world: World) -> None:
        self._world = world

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._world.later(self._fill)

    def _fill(self) -> None:
        self._world.watch.sent()
        self._transport.write(RELAYED)


class RelayOrders(asyncio.Protocol):
    """The floor's other end."""

    def __init__(self, world: World) -> None:
        self._world = world

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._world.watch.came()
        self._transport.write(b"taken")


def serve() -> None:
    """The worker. It says its URLs; each question is answered with the times since the last."""
    asyncio.run(_serve())


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    world = World(Stopwatch())

    def greet(request: WSUpgradeRequest) -> Listener:
        path, _, _ = request.path.decode().partition("?")
        name, _, topic = path[1:].partition("/")
        if name in world.others:
            venue = world.others[name]
            return Listener(world, venue.hear, lambda client: venue.opened(client, f"/{topic}"))
        return Listener(world, world.grvt_message if name == "grvt" else world.backpack_message)

    sockets = await ws_create_server(greet, "127.0.0.1", 0, enable_auto_pong=False)
    servers = [
        await loop.create_server(lambda make=make: make(world), "127.0.0.1", 0)  # type: ignore[misc]
        for make in (Http, RelayFeed, RelayOrders)
    ]
    http, feed, orders = (server.sockets[0].getsockname()[1] for server in servers)
    rest = f"http://127.0.0.1:{http}"
    socket = f"ws://127.0.0.1:{sockets.sockets[0].getsockname()[1]}"
    grvt = dict.fromkeys(("edge", "trade", "market"), rest)
    grvt |= dict.fromkeys(("trade_ws", "market_ws"), f"{socket}/grvt")
    urls = {"grvt": grvt, "backpack": {"rest": rest, "ws": f"{socket}/backpack"}}
    for name in world.others:
        place = f"{socket}/{name}"
        urls[name] = {"rest": f"{rest}/{name}", "ws": place, "ws_public": place}
    world.publish()
    say({"urls": urls, "relay": [feed, orders]})
    asked = iter(questions())
    while await loop.run_in_executor(None, next, asked, None) is not None:
        say(world.watch.take())

"""A simulated Backpack without a server: signed requests go straight to its handlers."""

from __future__ import annotations

import base64
import json
import random
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from nacl.signing import SigningKey
from sim.grvt_stage import Wire
from sim.staging import Closing, ladder, stager

from mpdex.sim.models import NO_LATENCY, Timers
from mpdex.sim.run import EPOCH_NS
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues.backpack import BackpackSim
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import VirtualLoop

ETH, SPOT = "ETH_USDC_PERP", "ETH_USDC"
UNIT = 10**8
INSTRUCTIONS = {
    "POST /api/v1/order": "orderExecute",
    "POST /api/v1/orders": "orderExecute",
    "DELETE /api/v1/order": "orderCancel",
    "DELETE /api/v1/orders": "orderCancelAll",
    "GET /api/v1/order": "orderQuery",
    "GET /api/v1/orders": "orderQueryAll",
    "GET /wapi/v1/history/orders": "orderHistoryQueryAll",
    "GET /wapi/v1/history/fills": "fillHistoryQueryAll",
    "GET /wapi/v1/history/funding": "fundingHistoryQueryAll",
    "GET /api/v1/position": "positionQuery",
    "GET /api/v1/capital": "balanceQuery",
    "GET /api/v1/capital/collateral": "collateralQuery",
    "GET /api/v1/account": "accountQuery",
    "PATCH /api/v1/account": "accountUpdate",
    "GET /api/v1/account/limits/order": "maxOrderQuantity",
}


class Signer:
    """A client's half: the text as documented, and a signature of PyNaCl's own signing key."""

    def __init__(self, api_key: str, secret_key: str) -> None:
        self.api_key = api_key
        self._key = SigningKey(base64.b64decode(secret_key))

    def sign(self, text: str) -> str:
        return base64.b64encode(self._key.sign(text.encode()).signature).decode()

    def headers(self, call: str, fields: Any, now_ms: int, window: int = 5000) -> dict[str, str]:
        pieces = []
        for part in fields if isinstance(fields, list) else [fields or {}]:
            said = [f"{k}={_text(v)}" for k, v in sorted(part.items()) if v is not None]
            pieces.append("&".join([f"instruction={INSTRUCTIONS[call]}", *said]))
        text = f"{'&'.join(pieces)}&timestamp={now_ms}&window={window}"
        return {
            "x-api-key": self.api_key,
            "x-signature": self.sign(text),
            "x-timestamp": str(now_ms),
            "x-window": str(window),
        }

    def proof(self, now_ms: int) -> list[str]:
        text = f"instruction=subscribe&timestamp={now_ms}&window=5000"
        return [self.api_key, self.sign(text), str(now_ms), "5000"]


class Stage(Closing):
    """The venue, a clock, a market of ETH around 3000, and a client that signs."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = LoopClock(loop, EPOCH_NS)
        rng, self.timers = random.Random(7), Timers()
        self.exchange = BackpackSim.make_exchange(self.clock, rng, NO_LATENCY)
        world: Any = {"clock": self.clock, "latency": NO_LATENCY, "timers": self.timers}
        self.venue = BackpackSim(self.exchange, rng=rng, **world)
        self.account = next(iter(self.exchange.accounts))
        self.signer = Signer(**self.venue.credentials())
        self.routes = {f"{method} {path}": call for method, path, call in self.venue.routes()}
        self._sockets = iter(range(1, 1000))
        self.quote("2999.99", "3000.00")

    def quote(self, bid: str, ask: str, size: str = "5", symbols: Any = (ETH, SPOT)) -> None:
        """Books of ten levels a side, a tick apart."""
        for symbol in symbols:
            self.exchange.on_quote(symbol, ladder(bid, ask, size))

    def trade(self, price: str, size: str, taker: Any, symbol: str = ETH) -> None:
        units = (int(Decimal(text) * UNIT) for text in (price, size))
        self.exchange.on_trade(symbol, *units, taker)

    def ask(self, call: str, fields: Any = None, **headers: str | None) -> SimReply:
        """One request, signed where it has to be; headers laid over it, None takes one away."""
        method, path = call.split()
        heads: dict[str, Any] = {}
        if call in INSTRUCTIONS:
            heads = self.signer.headers(call, fields, self.clock.now_ms())
        heads |= {f"x-{name}": value for name, value in headers.items()}
        heads = {name: value for name, value in heads.items() if value is not None}
        query = urlencode(fields or {}) if method == "GET" else ""
        body = b"" if method == "GET" else json.dumps(fields or {}).encode()
        return self.routes[call](SimRequest(method, path, query, heads, body))

    def get(self, call: str, **query: Any) -> Any:
        """The body of a GET that must succeed, as it arrives."""
        reply = self.ask(f"GET {call}", query)
        assert reply.status == 200, reply.body
        return reply.body if isinstance(reply.body, str) else json.loads(reply.encode()[0])

    def place(self, side: str = "Bid", quantity: str = "0.1", **fields: Any) -> Any:
        """A post-only order at 2990 that must succeed, unless changed."""
        return self.done("POST /api/v1/order", order(side, quantity, **fields))

    def done(self, call: str, fields: Any) -> Any:
        reply = self.ask(call, fields)
        assert reply.status == 200, reply.body
        return json.loads(reply.encode()[0])

    def connect(self) -> Wire:
        wire = Wire(next(self._sockets), "/", {})
        assert self.venue.accept_ws(wire) is None
        return wire

    def say(self, wire: Wire, method: str, *names: str, **more: Any) -> Any:
        message = {"method": method, "params": list(names), **more}
        return self.venue.accept_message(wire, json.dumps(message))

    def listen(self, *names: str) -> Wire:
        """A socket with these streams; subscribing is not answered."""
        wire = self.connect()
        proof = self.signer.proof(self.clock.now_ms())
        assert self.say(wire, "SUBSCRIBE", *names, signature=proof) is None
        return wire


def order(side: str = "Bid", quantity: str | None = "0.1", **fields: Any) -> dict[str, Any]:
    """A post-only limit order at 2990; None takes a field away."""
    sent = {
        "symbol": ETH,
        "side": side,
        "orderType": "Limit",
        "quantity": quantity,
        "price": "2990",
        "postOnly": True,
        **fields,
    }
    return {name: value for name, value in sent.items() if value is not None}


def taker(side: str = "Bid", quantity: str = "0.1", **fields: Any) -> dict[str, Any]:
    """An immediate-or-cancel order that crosses."""
    price = "3010" if side == "Bid" else "2980"
    return order(
        side, quantity, **{"price": price, "postOnly": None, "timeInForce": "IOC", **fields}
    )


def market_order(side: str = "Bid", quantity: str | None = "0.1", **fields: Any) -> dict[str, Any]:
    return order(side, quantity, orderType="Market", price=None, postOnly=None, **fields)


staged = stager(Stage)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

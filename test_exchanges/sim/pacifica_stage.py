"""A simulated Pacifica without a server: signed requests go straight to its handlers."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, Self
from urllib.parse import urlencode

import base58
from nacl.signing import SigningKey
from sim.grvt_stage import Wire

from mpdex.sim.board import Quote
from mpdex.sim.models import NO_LATENCY, Timers
from mpdex.sim.run import EPOCH_NS
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues.pacifica import PacificaSim
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import VirtualLoop, run_virtual

ETH, SPOT = "ETH", "ETH-USDC"
UNIT = 10**8
BUMP = 0.2
UUID = "12345678-1234-4234-8234-{:012x}"
CALL_ID = "660065de-8f32-46ad-ba1e-83c93d3e3966"
OPERATIONS = {
    "/orders/create": "create_order",
    "/orders/create_market": "create_market_order",
    "/orders/cancel": "cancel_order",
    "/orders/cancel_all": "cancel_all_orders",
    "/orders/edit": "edit_order",
    "/account/leverage": "update_leverage",
    "/account/margin": "update_margin_mode",
    "/agent/bind": "bind_agent_wallet",
    "/agent/revoke": "revoke_agent_wallet",
    "/agent/list": "list_agent_wallets",
    "/account/api_keys": "list_api_keys",
    "/account/api_keys/create": "create_api_key",
    "/account/api_keys/revoke": "revoke_api_key",
}
CALLS = {operation: path for path, operation in OPERATIONS.items() if path.startswith("/orders")}
ACTIONS = {
    "Create": "create_order",
    "Cancel": "cancel_order",
    "CreateMarket": "create_market_order",
}


class Signer:
    """A client's half: the message as documented, and a signature of PyNaCl's own signing key."""

    def __init__(self, account: str, private_key: str) -> None:
        self.account = account
        self._key = SigningKey(base58.b58decode(private_key)[:32])
        self.address = base58.b58encode(self._key.verify_key.encode()).decode()

    def body(self, operation: str, fields: Any, now_ms: int, window: int = 5000) -> dict[str, Any]:
        header = {"timestamp": now_ms, "expiry_window": window}
        whole = {**header, "type": operation, "data": fields}
        message = json.dumps(whole, sort_keys=True, separators=(",", ":"))
        signature = base58.b58encode(self._key.sign(message.encode()).signature).decode()
        agent = {"agent_wallet": self.address} if self.address != self.account else {}
        return {"account": self.account, **agent, "signature": signature, **header, **fields}


class Stage:
    """The venue, a clock, a market of ETH around 3000, an agent that signs, and the owner."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = LoopClock(loop, EPOCH_NS)
        rng, self.timers = random.Random(7), Timers()
        self.exchange = PacificaSim.make_exchange(self.clock, rng, NO_LATENCY)
        world: Any = {"clock": self.clock, "latency": NO_LATENCY, "timers": self.timers}
        self.venue = PacificaSim(self.exchange, rng=rng, **world)
        self.account = next(iter(self.exchange.accounts))
        self.agent = Signer(self.account, self.venue.agent(self.account).private_key)
        self.owner = Signer(self.account, self.exchange.owners[self.account].private_key)
        self.routes = {f"{method} {path}": call for method, path, call in self.venue.routes()}
        self._sockets = iter(range(1, 1000))
        self.quote("2999.9", "3000")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.timers.close()
        self.exchange.close()

    def quote(self, bid: str, ask: str, size: str = "5", symbols: Any = (ETH, SPOT)) -> None:
        """Books of ten levels a side, a tick apart."""
        lots, tick = int(Decimal(size) * UNIT), UNIT // 10
        bids = [(int(Decimal(bid) * UNIT) - i * tick, lots) for i in range(10)]
        asks = [(int(Decimal(ask) * UNIT) + i * tick, lots) for i in range(10)]
        for symbol in symbols:
            self.exchange.on_quote(symbol, Quote(bids, asks, True))

    def trade(self, price: str, size: str, taker: Any, symbol: str = ETH) -> None:
        units = (int(Decimal(text) * UNIT) for text in (price, size))
        self.exchange.on_trade(symbol, *units, taker)

    # ---------------------------------------------------------------- REST

    def read(self, path: str, **query: Any) -> SimReply:
        request = SimRequest("GET", f"/api/v1{path}", urlencode(query))
        return self.routes[f"GET /api/v1{path}"](request)

    def get(self, path: str, **query: Any) -> Any:
        """The body of a GET that must succeed, as it arrives; of the account by default."""
        reply = self.read(path, **query)
        assert reply.status == 200, reply.body
        return json.loads(reply.encode()[0])

    def mine(self, path: str, **query: Any) -> Any:
        """The data of a read of the account."""
        return self.get(path, account=self.account, **query)["data"]

    def signed(self, path: str, fields: Any, signer: Signer | None = None) -> dict[str, Any]:
        signer = signer or self.agent
        return signer.body(OPERATIONS[path], fields, self.clock.now_ms())

    def post(self, path: str, body: Any) -> SimReply:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.routes[f"POST /api/v1{path}"](SimRequest("POST", f"/api/v1{path}", body=raw))

    def ask(self, path: str, fields: Any, signer: Signer | None = None, **over: Any) -> SimReply:
        """One signed request; what is in `over` is laid over the body after signing."""
        return self.post(path, {**self.signed(path, fields, signer), **over})

    def done(self, path: str, fields: Any, signer: Signer | None = None) -> Any:
        reply = self.ask(path, fields, signer)
        assert reply.status == 200, reply.body
        return json.loads(reply.encode()[0])

    def place(self, side: str = "bid", amount: str = "0.1", **fields: Any) -> int:
        """A post-only order at 2990 that must be taken, unless changed; its number."""
        number = self.done("/orders/create", order(side, amount, **fields))["data"]["order_id"]
        assert isinstance(number, int)
        return number

    async def take(self, side: str = "bid", amount: str = "0.1", **fields: Any) -> int:
        """An immediate order that crosses; returns when the speed bump is over."""
        number = self.place(**taker(side, amount, **fields))
        await asyncio.sleep(2 * BUMP)
        return number

    def batch(self, *actions: tuple[str, Any]) -> dict[str, Any]:
        now = self.clock.now_ms()
        made = [(kind, self.agent.body(ACTIONS[kind], data, now)) for kind, data in actions]
        return {"actions": [{"type": kind, "data": body} for kind, body in made]}

    # ---------------------------------------------------------------- sockets

    def connect(self, **headers: str) -> Wire:
        wire = Wire(next(self._sockets), "/ws", headers)
        assert self.venue.accept_ws(wire) is None
        return wire

    def say(self, wire: Wire, message: Any) -> Any:
        return self.venue.accept_message(wire, json.dumps(message))

    def call(self, wire: Wire, name: str, fields: Any, id: Any = CALL_ID) -> Any:
        """Order entry over the socket."""
        body = fields if name == "batch_orders" else self.signed(CALLS[name], fields)
        return self.say(wire, {"id": id, "params": {name: body}})

    def subscribe(self, wire: Wire, source: str, **params: Any) -> Any:
        if source.startswith("account_"):
            params.setdefault("account", self.account)
        return self.say(wire, {"method": "subscribe", "params": {"source": source, **params}})

    def listen(self, *sources: str, **params: Any) -> Wire:
        """A socket with these channels; acknowledgements and snapshots are taken off."""
        wire = self.connect()
        for source in sources:
            assert self.subscribe(wire, source, **params) is None
        wire.take()
        return wire


def cid(number: int) -> str:
    return UUID.format(number)


def order(side: str = "bid", amount: str = "0.1", **fields: Any) -> dict[str, Any]:
    """A post-only limit order at 2990; None takes a field away."""
    sent = {
        "symbol": ETH,
        "price": "2990",
        "amount": amount,
        "side": side,
        "tif": "ALO",
        "reduce_only": False,
        **fields,
    }
    return {name: value for name, value in sent.items() if value is not None}


def taker(side: str = "bid", amount: str = "0.1", **fields: Any) -> dict[str, Any]:
    """An immediate-or-cancel order that crosses."""
    price = "3010" if side == "bid" else "2980"
    return order(side, amount, **{"price": price, "tif": "IOC", **fields})


def market_order(side: str = "bid", amount: str = "0.1", **fields: Any) -> dict[str, Any]:
    sent = order(side, amount, price=None, tif=None)
    return {**sent, "slippage_percent": "0.5", **fields}


def staged(test: Callable[[Stage], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on a stage, in virtual time."""

    async def play() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        with Stage(loop) as stage:
            await test(stage)

    def run() -> None:
        run_virtual(play())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run

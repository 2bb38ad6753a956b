"""A simulated Extended without a server: signed requests go straight to its handlers.

The client's half hashes and signs with fast-stark-crypto, which the simulator does not know.
"""

from __future__ import annotations

import asyncio
import json
import random
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from itertools import count
from typing import Any, Self

from fast_stark_crypto import get_order_msg_hash
from fast_stark_crypto import sign as stark_sign
from sim.grvt_stage import Wire
from sim.staging import stager

from mpdex.sim.board import Quote
from mpdex.sim.models import NO_LATENCY, Timers
from mpdex.sim.run import EPOCH_NS
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues.extended import ExtendedSim
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import VirtualLoop

ETH = "ETH-USD"
UNIT = 10**8
TICK = 10**7  # of ETH, in units
STREAM = "/stream.extended.exchange"
ENGINE, READ_BACK = 0.03, 0.2  # seconds after which the engine has acted, and REST tells of it
L2 = {"id": 0x4554482D3500000000000000000000, "resolution": 10**5, "collateral": 10**6}


class Signer:
    """A client's half, by its credentials."""

    def __init__(self, api_key: str, private_key: str, public_key: str, vault: str) -> None:
        self.api_key, self.vault = api_key, int(vault)
        self.public_key, self._private_key = int(public_key, 16), int(private_key, 16)

    def settle(self, body: dict[str, Any]) -> dict[str, Any]:
        """The settlement of an order, from its own fields."""
        size, price = Decimal(str(body["qty"])), Decimal(str(body["price"]))
        fee = Decimal(str(body["fee"])) + Decimal(str(body.get("builderFee", 0)))
        buying = body["side"] == "BUY"
        rounding, sign = (ROUND_UP, 1) if buying else (ROUND_DOWN, -1)
        hashed = get_order_msg_hash(
            position_id=self.vault,
            base_asset_id=L2["id"],
            base_amount=sign * _whole(size * L2["resolution"], rounding),
            quote_asset_id=1,
            quote_amount=-sign * _whole(size * price * L2["collateral"], rounding),
            fee_asset_id=1,
            fee_amount=_whole(fee * size * price * L2["collateral"], ROUND_UP),
            expiration=-(-body["expiryEpochMillis"] // 1000) + 14 * 86_400,
            salt=int(body["nonce"]),
            user_public_key=self.public_key,
            domain_name="Perpetuals",
            domain_version="v0",
            domain_chain_id="SN_MAIN",
            domain_revision="1",
        )
        r, s = stark_sign(private_key=self._private_key, msg_hash=hashed)
        return {
            "signature": {"r": hex(r), "s": hex(s)},
            "starkKey": hex(self.public_key),
            "collateralPosition": str(self.vault),
        }


def _whole(amount: Decimal, rounding: str) -> int:
    return int(amount.to_integral_value(rounding))


class Stage:
    """The venue, a clock, a market of ETH around 3000, and a client that signs."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = LoopClock(loop, EPOCH_NS)
        rng, self.timers = random.Random(7), Timers()
        self.exchange = ExtendedSim.make_exchange(self.clock, rng, NO_LATENCY)
        world: Any = {"clock": self.clock, "latency": NO_LATENCY, "timers": self.timers}
        self.venue = ExtendedSim(self.exchange, rng=rng, **world)
        self.account = next(iter(self.exchange.accounts))
        self.signer = Signer(**self.venue.credentials())
        self.routes = {(method, path): call for method, path, call in self.venue.routes()}
        self._numbers = count(1)
        self.quote("2999.9", "3000")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.timers.close()
        self.exchange.close()

    def quote(self, bid: str, ask: str, size: str = "5") -> None:
        """A book of ten levels a side, a tick apart."""
        lots = int(Decimal(size) * UNIT)
        bids = [(int(Decimal(bid) * UNIT) - i * TICK, lots) for i in range(10)]
        asks = [(int(Decimal(ask) * UNIT) + i * TICK, lots) for i in range(10)]
        self.exchange.on_quote(ETH, Quote(bids, asks, True))

    def trade(self, price: str, size: str, taker: Any) -> None:
        units = (int(Decimal(text) * UNIT) for text in (price, size))
        self.exchange.on_trade(ETH, *units, taker)

    # ---------------------------------------------------------------- REST

    def ask(self, call: str, body: Any = None, **headers: str | None) -> SimReply:
        """One request ("GET /user/orders?side=BUY"); headers over the usual ones, None: without."""
        method, _, rest = call.partition(" ")
        path, _, query = f"/api/v1{rest}".partition("?")
        heads = {"user_agent": "stage", "x_api_key": self.signer.api_key, **headers}
        sent = {name.replace("_", "-"): value for name, value in heads.items() if value is not None}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        request = SimRequest(method, path, query, sent, raw)
        last_open = path.rpartition("/")[0] + "/*"
        found = [self.routes.get((method, way)) for way in (path, last_open)]
        return next(filter(None, found), self.venue.render_not_found)(request)

    def done(self, call: str, body: Any = None) -> Any:
        """The data of an answer that must be good."""
        reply = self.ask(call, body)
        assert reply.status == 200, reply.body
        answer = json.loads(reply.encode()[0])
        assert answer["status"] == "OK"
        return answer["data"]

    def order(self, side: str = "BUY", qty: str = "0.1", **fields: Any) -> dict[str, Any]:
        """A post-only limit order at 2990, signed as it is; None takes a field away."""
        number = next(self._numbers)
        body = {
            "id": f"order-{number}",
            "market": ETH,
            "type": "LIMIT",
            "side": side,
            "qty": qty,
            "price": "2990" if side == "BUY" else "3010",
            "reduceOnly": False,
            "postOnly": True,
            "timeInForce": "GTT",
            "expiryEpochMillis": self.clock.now_ms() + 3_600_000,
            "fee": "0",
            "nonce": str(number),
            "selfTradeProtectionLevel": "ACCOUNT",
        }
        body = {name: value for name, value in {**body, **fields}.items() if value is not None}
        return {**body, "settlement": fields.get("settlement") or self.signer.settle(body)}

    def taker(self, side: str = "BUY", qty: str = "0.1", **fields: Any) -> dict[str, Any]:
        """An immediate-or-cancel order that crosses."""
        crossing = {
            "price": "3010" if side == "BUY" else "2990",
            "postOnly": False,
            "timeInForce": "IOC",
            "fee": "0.0005",
        }
        return self.order(side, qty, **{**crossing, **fields})

    async def place(self, body: dict[str, Any] | None = None) -> Any:
        """Place an order and wait until the engine has judged it.

        Returns: the truth of it.
        """
        placed = self.done("POST /user/order", body or self.order())
        await asyncio.sleep(ENGINE)
        return self.exchange.orders[str(placed["id"])]

    # ---------------------------------------------------------------- sockets

    def connect(self, path: str, query: Any = None, **headers: str | None) -> Wire | SimReply:
        """A socket, or what its handshake is answered."""
        heads = {"user_agent": "stage", **headers}
        sent = {name.replace("_", "-"): value for name, value in heads.items() if value is not None}
        wire = Wire(next(self._numbers), f"{STREAM}{path}", sent)
        wire.query = query or {}
        refused = self.venue.accept_ws(wire)
        return wire if refused is None else refused

    def listen(self, path: str, **query: str) -> Wire:
        """A socket of the first generation; the account's shows its key."""
        key = self.signer.api_key if path == "/account" else None
        wire = self.connect(f"/v1{path}", query, x_api_key=key)
        assert isinstance(wire, Wire)
        return wire

    def call(self, wire: Wire, method: str, **params: Any) -> None:
        """A call of the second generation, numbered 7; it is answered by a frame."""
        said = {"jsonrpc": "2.0", "id": "7", "method": method}
        self.venue.accept_message(wire, json.dumps({**said, "params": params} if params else said))

    def rpc(self) -> Wire:
        wire = self.connect("/v2/rpc")
        assert isinstance(wire, Wire)
        return wire


staged = stager(Stage)

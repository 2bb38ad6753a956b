"""A simulated GRVT without a server: requests go straight to its handlers, frames into a list."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import coincurve

from mpdex.sim import evm
from mpdex.sim.board import Quote
from mpdex.sim.models import NO_LATENCY, Timers
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues import grvt_crypto as crypto
from mpdex.sim.venues.grvt import GrvtSim
from mpdex.utils.clock import LoopClock

EPOCH_NS = 1_790_000_000 * 10**9
UNIT = 10**8
ETH = "ETH_USDT_Perp"
DAY_NS = 86_400 * 10**9


class Wire:
    """Takes the frames of one socket."""

    def __init__(self, number: int, path: str, headers: Mapping[str, str]) -> None:
        self.id = number
        self.path = path
        self.headers = headers
        self.private = False
        self.account = ""
        self.topics: dict[str, Any] = {}
        self.state: dict[str, Any] = {}
        self.open = True
        self.frames: list[Any] = []

    def send(self, frame: Any, kind: str = "") -> None:
        raw = frame if isinstance(frame, bytes | str) else json.dumps(frame)
        self.frames.append(json.loads(raw))

    def ping(self, payload: bytes = b"") -> None:
        raise AssertionError("GRVT's server is not known to ping")

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.open = False

    def take(self, stream: str = "") -> list[Any]:
        """The frames since the last call, of one stream or all."""
        frames, self.frames = self.frames, []
        return [f for f in frames if not stream or f.get("stream") == stream]


class Stage:
    """The venue, a clock, a market of ETH around 3000, and a client that signs."""

    def __init__(self) -> None:
        self.clock = LoopClock(asyncio.get_running_loop(), EPOCH_NS)
        rng = random.Random(7)
        self.timers = Timers()
        self.exchange = GrvtSim.make_exchange(self.clock, rng, NO_LATENCY)
        self.venue = GrvtSim(
            self.exchange, clock=self.clock, rng=rng, latency=NO_LATENCY, timers=self.timers
        )
        self.routes = {(method, path): call for method, path, call in self.venue.routes()}
        keys = self.venue.credentials()
        self.account, self.api_key = keys["sub_account_id"], keys["api_key"]
        self.private_key = keys["private_key"]
        self.headers: dict[str, str] = {}
        self._numbers = iter(range(1, 1000))
        self.quote("2999.99", "3000.00")
        self.login()

    def quote(self, bid: str, ask: str, size: str = "5") -> None:
        """A book of ten levels a side, a tick apart."""
        lots = int(Decimal(size) * UNIT)
        bids = [(int(Decimal(bid) * UNIT) - i * 10**6, lots) for i in range(10)]
        asks = [(int(Decimal(ask) * UNIT) + i * 10**6, lots) for i in range(10)]
        self.exchange.on_quote(ETH, Quote(bids, asks, True))

    def trade(self, price: str, size: str, taker: Any) -> None:
        price_units, size_units = (int(Decimal(text) * UNIT) for text in (price, size))
        self.exchange.on_trade(ETH, price_units, size_units, taker)

    # ---------------------------------------------------------------- the client

    def login(self) -> SimReply:
        reply = self.post("/edge/auth/api_key/login", {"api_key": self.api_key})
        cookie = reply.headers["Set-Cookie"].partition(";")[0]
        account = reply.headers["X-Grvt-Account-Id"]
        self.headers = {"cookie": cookie, "x-grvt-account-id": account}
        return reply

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> SimReply:
        data = b"" if body is None else json.dumps(body).encode()
        heads = self.headers if headers is None else headers
        return self.routes["POST", path](SimRequest("POST", path, headers=heads, body=data))

    def trades(self, name: str, **body: Any) -> Any:
        """A private call that must succeed; the sub-account is filled in."""
        reply = self.post(f"/trades/full/v1/{name}", {"sub_account_id": self.account, **body})
        assert reply.status == 200, reply.body
        return reply.body

    def market(self, name: str, **body: Any) -> Any:
        reply = self.post(f"/market-data/full/v1/{name}", body, {})
        assert reply.status == 200, reply.body
        return reply.body

    def connect(self, path: str = "/trades/ws/full", *, logged_in: bool = True) -> Wire:
        wire = Wire(next(self._numbers), path, self.headers if logged_in else {})
        assert self.venue.accept_ws(wire) is None
        return wire

    def call(self, wire: Wire, method: str, params: Any, id: int = 1) -> Any:
        """A JSON-RPC frame; the direct answer, None where there is none."""
        text = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": id})
        return self.venue.accept_message(wire, text)

    def listen(self, wire: Wire, stream: str, selector: str) -> Any:
        """Subscribe; gives the confirmation's result and leaves the snapshots in the wire."""
        wire.take()
        error = self.call(wire, "subscribe", {"stream": stream, "selectors": [selector]})
        assert error is None, error
        return wire.frames.pop(0)["result"]

    def order(self, side: str = "buy", size: str = "0.1", **changes: Any) -> dict[str, Any]:
        """A signed order: post-only at 2990 unless changed. `key`, `signed` change the signing."""
        number = next(self._numbers)
        price = changes.pop("price", "2990.0")
        order: dict[str, Any] = {
            "sub_account_id": self.account,
            "is_market": False,
            "time_in_force": "GOOD_TILL_TIME",
            "post_only": True,
            "reduce_only": False,
            "legs": [
                {
                    "instrument": ETH,
                    "size": size,
                    "limit_price": price,
                    "is_buying_asset": side == "buy",
                }
            ],
            "metadata": {"client_order_id": str(2**63 + number)},
        }
        key = changes.pop("key", self.private_key)
        expiration = changes.pop("expiration", self.clock.now_ns() + DAY_NS)
        chain_id = changes.pop("chain_id", 325)
        order.update(changes)
        order["signature"] = sign_order(order, key, number, expiration, chain_id)
        return order

    def taker(self, side: str = "buy", size: str = "0.1", **changes: Any) -> dict[str, Any]:
        """An immediate-or-cancel limit order that crosses."""
        price = "3010.0" if side == "buy" else "2980.0"
        terms = {"time_in_force": "IMMEDIATE_OR_CANCEL", "post_only": False, "price": price}
        return self.order(side, size, **{**terms, **changes})

    def create(self, order: dict[str, Any]) -> SimReply:
        return self.post("/trades/full/v1/create_order", {"order": order})

    def state(self, order: dict[str, Any]) -> tuple[str, str]:
        """Status and reason by query."""
        id = order["metadata"]["client_order_id"]
        state = self.trades("order", client_order_id=id)["result"]["state"]
        return state["status"], state["reject_reason"]


def sign_order(
    order: dict[str, Any], key: str, nonce: int, expiration: int, chain_id: int
) -> dict[str, Any]:
    """Signs with the venue's own digest; that this is the right one, the vectors show."""
    leg = order["legs"][0]
    assets = {"BTC_USDT_Perp": 0x030501, ETH: 0x030401, "SOL_USDT_Perp": 0x030601}
    size, price = Decimal(leg["size"]), Decimal(leg.get("limit_price") or 0)
    digest = crypto.order_digest(
        chain_id=chain_id,
        sub_account_id=int(order["sub_account_id"]),
        is_market=order["is_market"],
        time_in_force=crypto.TIME_IN_FORCE.get(order["time_in_force"], 0),
        post_only=bool(order["post_only"]),
        reduce_only=order["reduce_only"],
        legs=[
            (
                assets.get(leg["instrument"], 0),
                int(size.scaleb(9)),
                int(price.scaleb(9)),
                leg["is_buying_asset"],
            )
        ],
        nonce=nonce,
        expiration=expiration,
    )
    return {**sign(digest, key), "expiration": str(expiration), "nonce": nonce}


def sign(digest: bytes, key: str) -> dict[str, Any]:
    """r, s, v and signer in the venue's spelling."""
    secret = coincurve.PrivateKey(int(key, 16).to_bytes(32, "big"))
    signed = secret.sign_recoverable(digest, hasher=None)
    return {
        "signer": evm.address_of(int(key, 16)),
        "r": "0x" + signed[:32].hex(),
        "s": "0x" + signed[32:64].hex(),
        "v": 27 + signed[64],
    }

"""A simulated Variational without a server: requests go straight to its handlers."""

from __future__ import annotations

import asyncio
import json
import random
from decimal import Decimal
from typing import Any, Self
from urllib.parse import urlencode

from sim.grvt_stage import Wire as PlainWire
from sim.staging import stager
from sim.standx_stage import Wallet

from mpdex.sim.board import Quote
from mpdex.sim.models import NO_LATENCY, Timers
from mpdex.sim.run import EPOCH_NS
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues.variational import VariationalSim
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import VirtualLoop

ETH, BTC = "ETH", "BTC"
UNIT = 10**8
BROWSER = {"user-agent": "Mozilla/5.0 Chrome/150", "accept": "*/*"}
INSTRUMENT = {
    "underlying": ETH,
    "instrument_type": "perpetual_future",
    "settlement_asset": "USDC",
    "funding_interval_s": 3600,
}
KEY = "P-ETH-USDC-3600"


class Wire(PlainWire):
    """A socket on which some frames are plain text."""

    def send(self, frame: Any, kind: str = "") -> None:
        self.frames.append(frame if isinstance(frame, str) else json.loads(json.dumps(frame)))


class Stage:
    """The venue, a clock, a market of ETH around 3000, and a wallet that has signed in."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = LoopClock(loop, EPOCH_NS)
        rng, self.timers = random.Random(7), Timers()
        self.truth = VariationalSim.make_exchange(self.clock, rng, NO_LATENCY)
        world: Any = {"clock": self.clock, "latency": NO_LATENCY, "timers": self.timers}
        self.venue = VariationalSim(self.truth, rng=rng, **world)
        self.routes = {f"{method} {path}": call for method, path, call in self.venue.routes()}
        keys = self.venue.credentials()
        self.account = keys["wallet_address"]
        self.wallet = Wallet(keys["wallet_private_key"])
        self._sockets = iter(range(1, 1000))
        self.quote("2999.99", "3000.00")
        self.token = self.sign_in()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.timers.close()
        self.truth.close()

    # ---------------------------------------------------------------- the market

    def quote(self, bid: str, ask: str, size: str = "5", symbols: Any = (ETH, BTC)) -> None:
        """Books of ten levels a side, a tick apart."""
        lots = int(Decimal(size) * UNIT)
        bids = [(int(Decimal(bid) * UNIT) - i * 10**6, lots) for i in range(10)]
        asks = [(int(Decimal(ask) * UNIT) + i * 10**6, lots) for i in range(10)]
        for symbol in symbols:
            self.truth.on_quote(symbol, Quote(bids, asks, True))

    # ---------------------------------------------------------------- requests

    def send(self, method: str, path: str, body: Any = None, **headers: str | None) -> SimReply:
        """As a browser that is signed in; headers laid over that, None takes one away."""
        path, _, query = path.partition("?")
        given: dict[str, Any] = {
            **BROWSER,
            "cookie": f"vr-token={self.token}" if getattr(self, "token", "") else "",
            "vr-connected-address": self.wallet.address,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        kept = {name: value for name, value in given.items() if value is not None}
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        request = SimRequest(method, f"/api{path}", query, kept, raw)
        return self.routes[f"{method} /api{path}"](request)

    def get(self, path: str, **query: Any) -> Any:
        """The body of a GET that must succeed, as it arrives."""
        return done(self.send("GET", f"{path}?{urlencode(query)}" if query else path))

    def post(self, path: str, body: Any) -> Any:
        return done(self.send("POST", path, body))

    def sign_in(self, wallet: Wallet | None = None, captcha: str | None = None) -> str:
        wallet = wallet or self.wallet
        text = self.send("POST", "/auth/generate_signing_data", {"address": wallet.address}).body
        fields = {"address": wallet.address, "signed_message": wallet.sign(text)[2:]}
        reply = self.send("POST", "/auth/login", fields, cf_turnstile_token=captcha)
        assert reply.status == 200, reply.body
        return str(reply.body["token"])

    # ---------------------------------------------------------------- orders

    def quoted(self, qty: str = "0.1", **changes: Any) -> Any:
        instrument = {**INSTRUMENT, **changes}
        return self.post("/quotes/indicative", {"instrument": instrument, "qty": qty})

    def accept(self, side: str = "buy", qty: str = "0.1", **fields: Any) -> SimReply:
        body = {
            "quote_id": self.quoted(qty)["quote_id"],
            "side": side,
            "max_slippage": 0.005,
            "is_reduce_only": False,
            **fields,
        }
        return self.send("POST", "/orders/new/market", body)

    async def trade(self, side: str = "buy", qty: str = "0.1", **fields: Any) -> Any:
        """A market order; its row, once it is cleared or not."""
        number = done(self.accept(side, qty, **fields))["rfq_id"]
        await asyncio.sleep(0.5)
        return self.row(number)

    def rest(self, **fields: Any) -> str:
        """A limit order; its id."""
        return str(self.post("/orders/new/limit", limit(**fields))["rfq_id"])

    def row(self, number: str) -> Any:
        rows = self.get("/orders/v2", limit=100)["result"]
        return next(row for row in rows if row["rfq_id"] == number)

    # ---------------------------------------------------------------- sockets

    def connect(self, path: str) -> Wire:
        wire = Wire(next(self._sockets), path, {})
        assert self.venue.accept_ws(wire) is None
        return wire

    def say(self, wire: Wire, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        assert self.venue.accept_message(wire, text) is None


def done(reply: SimReply) -> Any:
    assert reply.status == 200, reply.body
    return json.loads(reply.encode()[0])


def limit(side: str = "buy", **fields: Any) -> dict[str, Any]:
    """At 2990, or 3010 for a sale; None takes a field away."""
    sent = {
        "order_type": "limit",
        "limit_price": "2990" if side == "buy" else "3010",
        "side": side,
        "instrument": INSTRUMENT,
        "qty": "0.1",
        "slippage_limit": "0.005",
        "is_auto_resize": False,
        "use_mark_price": False,
        "is_reduce_only": False,
        **fields,
    }
    return {name: value for name, value in sent.items() if value is not None}


def refusal(reply: SimReply) -> tuple[int, str]:
    """Status and words of an error answer."""
    assert reply.status >= 400, reply.body
    return reply.status, str(reply.body["message"])


staged = stager(Stage)

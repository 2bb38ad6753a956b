"""A simulated TreadFi without a server, and a browser or a program in front of it."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any, Self
from urllib.parse import urlencode

from mpdex.sim import evm
from mpdex.sim.board import Quote
from mpdex.sim.models import NO_LATENCY, Timers
from mpdex.sim.run import EPOCH_NS
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues.treadfi_front import TreadfiFront
from mpdex.sim.venues.treadfi_hl import TreadfiHlSim
from mpdex.sim.venues.treadfi_pc import TreadfiPcSim
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import VirtualLoop

ORIGIN = "https://app.tread.fi"
PAIR = "ETH:PERP-USDC"
LIMIT = "c94f84c7-72ef-4bc6-b13c-d2ff10bbd8eb"
MARKET = "847de9f1-8310-4a79-b76e-8559cdfe7b81"
UNIT = 10**8
PAGE = {"origin": ORIGIN, "referer": f"{ORIGIN}/"}


class Stage:
    """The venue, a clock that can be moved, and a market of ETH around 3000.

    Attributes:
        cookies: of the browser, once it has logged in.
        token: shown in their place where it is set.
    """

    def __init__(self, loop: VirtualLoop, kind: type[TreadfiFront]) -> None:
        self.clock = LoopClock(loop, EPOCH_NS)
        rng, self.timers = random.Random(7), Timers()
        self.exchange = kind.make_exchange(self.clock, rng, NO_LATENCY)
        world: Any = {"clock": self.clock, "latency": NO_LATENCY, "timers": self.timers}
        self.venue = kind(self.exchange, rng=rng, **world)
        self.keys = self.venue.credentials()
        self.cookies: dict[str, str] = {}
        self.token = ""
        self._routes = {(method, path): call for method, path, call in self.venue.routes()}
        self.quote("2999.9", "3000.1")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.timers.close()
        self.exchange.close()

    @property
    def account(self) -> str:
        """Name of the truth's account."""
        return next(iter(self.exchange.accounts))

    def quote(self, bid: str, ask: str, size: int = 5) -> None:
        prices = (int(Decimal(text) * 10) * UNIT // 10 for text in (bid, ask))
        bids, asks = ([(price, size * UNIT)] for price in prices)
        self.exchange.on_quote("ETH", Quote(bids, asks, True))

    # ---------------------------------------------------------------- requests

    def ask(
        self, method: str, path: str, body: Any = None, query: str = "", **headers: str
    ) -> SimReply:
        """What a browser sends, or with a token a program; `headers` go over that."""
        sent = {**self.identity(), **headers}
        data = b"" if body is None else json.dumps(body).encode()
        request = SimRequest(method, path, query, {k: v for k, v in sent.items() if v}, data)
        return self._routes.get((method, path), self.venue.render_not_found)(request)

    def identity(self) -> dict[str, str]:
        if self.token:
            return {"authorization": f"Token {self.token}"}
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        csrf = self.cookies.get("csrftoken", "")
        return {**PAGE, "cookie": cookie, "x-csrftoken": csrf}

    def done(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """The body of what must succeed, as it arrives."""
        reply = self.ask(method, path, body, urlencode(query))
        assert reply.status == 200, reply.body
        return json.loads(reply.encode()[0])

    # ---------------------------------------------------------------- login

    def nonce(self) -> str:
        told: str = self.done("GET", "/internal/account/get_nonce/")["nonce"]
        return told

    def proof(self, nonce: str, key: int | None = None, prefix: str = "0x") -> dict[str, str]:
        """What a wallet makes of a nonce."""
        secret = int(self.keys["login_private_key"], 16) if key is None else key
        text = f"Sign in to Tread with nonce: {nonce}".encode()
        r, s, v = evm.sign(secret, evm.personal_digest(text))
        signature = f"{prefix}{r:064x}{s:064x}{v:02x}"
        address = evm.address_of(secret)
        return {"address": address, "signature": signature, "nonce": nonce, "wallet_type": "evm"}

    def login(self, **over: str) -> SimReply:
        body = {**self.proof(self.nonce()), **over}
        reply = self.ask("POST", "/internal/account/wallet_auth/", body)
        words = (cookie.partition(";")[0].partition("=") for cookie in reply.cookies)
        self.cookies |= {name: value for name, _, value in words}
        return reply

    # ---------------------------------------------------------------- orders

    def order(self, **over: Any) -> dict[str, Any]:
        """As the page sends a limit order that rests; None leaves a field out."""
        body = {
            "accounts": [self.keys["account_name"]],
            "base_asset_qty": "0.1",
            "pair": PAIR,
            "side": "buy",
            "strategy": LIMIT,
            "strategy_params": {"reduce_only": False, "ool_pause": True, "entry": False},
            "duration": 86400,
            "engine_passiveness": 0.02,
            "schedule_discretion": 0.06,
            "order_slices": 2,
            "alpha_tilt": 0,
            "limit_price": "2900",
            **over,
        }
        return {name: value for name, value in body.items() if value is not None}

    def place(self, **over: Any) -> Any:
        return self.done("POST", "/api/orders/", self.order(**over))

    def take(self, side: str = "buy", size: str = "0.1", **over: Any) -> Any:
        body = {"strategy": MARKET, "limit_price": None, "side": side, "base_asset_qty": size}
        return self.place(**{**body, **over})

    def refusal(self, **over: Any) -> tuple[int, Any]:
        """Status and body of an order that must not be taken."""
        before = len(self.exchange.orders)
        reply = self.ask("POST", "/api/orders/", self.order(**over))
        assert len(self.exchange.orders) == before, "an order was placed"
        return reply.status, reply.body


def on_hyperliquid(loop: VirtualLoop) -> Stage:
    return Stage(loop, TreadfiHlSim)


def on_pacifica(loop: VirtualLoop) -> Stage:
    return Stage(loop, TreadfiPcSim)

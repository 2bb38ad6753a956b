"""A simulated StandX without a server: signed requests go straight to its handlers."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, Self
from urllib.parse import urlencode

import base58
import coincurve
from nacl.signing import SigningKey
from sim.grvt_stage import Wire

from mpdex.sim import evm
from mpdex.sim.board import Quote
from mpdex.sim.models import NO_LATENCY, Timers
from mpdex.sim.run import EPOCH_NS
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues.standx import StandxSim
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import VirtualLoop, run_virtual

ETH, BTC, SOL = "ETH-USD", "BTC-USD", "SOL-USD"
UNIT = 10**8
STREAM, ORDERS = "/ws-stream/v1", "/ws-api/v1"
PREPARE, LOGIN = "/signin/v1/offchain/prepare-signin", "/signin/v1/offchain/login"
PUBLIC = ("query_symbol", "query_depth", "query_recent", "query_funding_rates", "query_market")
SESSION = "11111111-1111-4111-8111-111111111111"


class Wallet:
    """An EVM wallet of coincurve's."""

    def __init__(self, private_key: str) -> None:
        self._key = coincurve.PrivateKey(bytes.fromhex(private_key.removeprefix("0x")))
        public = self._key.public_key.format(compressed=False)[1:]
        self.address = checksummed("0x" + evm.keccak(public)[-20:].hex())

    def sign(self, message: str) -> str:
        raw = message.encode()
        hashed = evm.keccak(b"\x19Ethereum Signed Message:\n%d" % len(raw) + raw)
        signed = self._key.sign_recoverable(hashed, hasher=None)
        return "0x" + signed[:64].hex() + f"{signed[64] + 27:02x}"


def checksummed(address: str) -> str:
    """The address with the capital letters of EIP-55."""
    letters = address[2:].lower()
    marks = evm.keccak(letters.encode()).hex()
    pairs = zip(letters, marks, strict=False)
    return "0x" + "".join(c.upper() if int(mark, 16) > 7 else c for c, mark in pairs)


def request_key(number: int) -> SigningKey:
    """A key that follows from a number."""
    return SigningKey(number.to_bytes(32, "big"))


class Session:
    """A token, and the key it is paired with."""

    def __init__(self, token: str, key: SigningKey) -> None:
        self.token = token
        self.key = key

    def sign(self, number: str, stamp: str, body: bytes) -> str:
        message = f"v1,{number},{stamp},".encode() + body
        return base64.b64encode(self.key.sign(message).signature).decode()

    def headers(self, body: bytes, now_ms: int, number: str = "a-1") -> dict[str, str]:
        return {
            "authorization": f"Bearer {self.token}",
            "x-request-sign-version": "v1",
            "x-request-id": number,
            "x-request-timestamp": str(now_ms),
            "x-request-signature": self.sign(number, str(now_ms), body),
        }

    def envelope(
        self, method: str, fields: Any, now_ms: int, number: str = "r-1", session: str = SESSION
    ) -> dict[str, Any]:
        """A call over the order socket; a login is not signed."""
        params = json.dumps(fields, separators=(",", ":"))
        envelope = {"session_id": session, "request_id": number, "method": method}
        if method != "auth:login":
            proof = self.headers(params.encode(), now_ms, f"x-{number}")
            names = ("x-request-id", "x-request-timestamp", "x-request-signature")
            envelope["header"] = {name: proof[name] for name in names}  # type: ignore[assignment]
        return {**envelope, "params": params}

    @property
    def request_id(self) -> str:
        return base58.b58encode(bytes(self.key.verify_key)).decode()


def claims_of(token: str) -> dict[str, Any]:
    middle = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))))


class Stage:
    """The venue, a clock, a market of ETH around 3000, and a client that has signed in."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = LoopClock(loop, EPOCH_NS)
        rng, self.timers = random.Random(7), Timers()
        self.exchange = StandxSim.make_exchange(self.clock, rng, NO_LATENCY)
        world: Any = {"clock": self.clock, "latency": NO_LATENCY, "timers": self.timers}
        self.venue = StandxSim(self.exchange, rng=rng, **world)
        self.account = next(iter(self.exchange.accounts))
        self.routes = {f"{method} {path}": call for method, path, call in self.venue.routes()}
        self.wallet = Wallet(self.venue.credentials()["wallet_private_key"])
        self._sockets = iter(range(1, 1000))
        self._numbers = iter(range(1, 1000))
        self.session = self.sign_in()
        self.quote("2999.99", "3000.00")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.timers.close()
        self.exchange.close()

    # ---------------------------------------------------------------- the market

    def quote(self, bid: str, ask: str, size: str = "5", symbols: Any = (ETH,)) -> None:
        """Books of ten levels a side, a tick apart."""
        lots = int(Decimal(size) * UNIT)
        bids = [(int(Decimal(bid) * UNIT) - i * 10**6, lots) for i in range(10)]
        asks = [(int(Decimal(ask) * UNIT) + i * 10**6, lots) for i in range(10)]
        for symbol in symbols:
            self.exchange.on_quote(symbol, Quote(bids, asks, True))

    def trade(self, price: str, size: str, taker: Any, symbol: str = ETH) -> None:
        units = (int(Decimal(text) * UNIT) for text in (price, size))
        self.exchange.on_trade(symbol, *units, taker)

    # ---------------------------------------------------------------- REST

    def send(self, method: str, path: str, body: bytes = b"", **more: Any) -> SimReply:
        path, _, query = path.partition("?")
        return self.routes[f"{method} {path}"](
            SimRequest(method, path, query, more.get("headers", {}), body)
        )

    def prepare(
        self, address: str, request_id: str, chain: str = "bsc", path: str = PREPARE
    ) -> SimReply:
        body = json.dumps({"address": address, "requestId": request_id}).encode()
        return self.send("POST", f"{path}?chain={chain}", body)

    def sign_in(
        self, wallet: Wallet | None = None, key: SigningKey | None = None, **more: Any
    ) -> Session:
        """The wallet route, from a fresh key to a session."""
        wallet, session = (
            wallet or self.wallet,
            Session("", key or request_key(next(self._numbers))),
        )
        token = self.prepare(wallet.address, session.request_id).body["signedData"]
        signature = wallet.sign(claims_of(token)["message"])
        reply = self.login(signature, token, **more)
        assert reply.status == 200, reply.body
        session.token = reply.body["token"]
        return session

    def login(
        self, signature: str, token: str, chain: str = "bsc", seconds: int | None = None
    ) -> SimReply:
        fields = {"signature": signature, "signedData": token, "expiresSeconds": seconds}
        body = json.dumps({name: value for name, value in fields.items() if value is not None})
        return self.send("POST", f"{LOGIN}?chain={chain}", body.encode())

    def read(self, name: str, **query: Any) -> SimReply:
        """A GET; private ones with the token."""
        headers = {"authorization": f"Bearer {self.session.token}"}
        open_to_all = name.startswith((*PUBLIC, "kline", "health"))
        path = f"/api/{name}" + (f"?{urlencode(query)}" if query else "")
        return self.send("GET", path, headers={} if open_to_all else headers)

    def get(self, name: str, **query: Any) -> Any:
        """The body of a GET that must succeed, as it arrives."""
        reply = self.read(name, **query)
        assert reply.status == 200, reply.body
        return reply.body if isinstance(reply.body, str) else json.loads(reply.encode()[0])

    def post(self, name: str, fields: Any, **headers: str | None) -> SimReply:
        """A signed POST; headers laid over it, None takes one away."""
        body = json.dumps(fields).encode()
        heads: dict[str, Any] = self.session.headers(body, self.clock.now_ms())
        heads |= {key.replace("_", "-"): value for key, value in headers.items()}
        kept = {key: value for key, value in heads.items() if value is not None}
        return self.send("POST", f"/api/{name}", body, headers=kept)

    def done(self, name: str, fields: Any, **headers: str | None) -> Any:
        reply = self.post(name, fields, **headers)
        assert reply.status == 200, reply.body
        assert (reply.body["code"], reply.body["message"]) == (0, "success")
        return reply.body

    async def place(self, side: str = "buy", qty: str = "0.1", **fields: Any) -> Any:
        """A post-only order at 2990 unless changed.

        Returns: its row, once queries know of it.
        """
        own: dict[str, Any] = {"cl_ord_id": f"c-{next(self._numbers)}"}
        if fields.get("order_type") == "market":
            own["price"] = None
        sent = order(side, qty, **{**own, **fields})
        self.done("new_order", sent)
        await asyncio.sleep(1)
        return self.get("query_order", cl_ord_id=sent["cl_ord_id"])

    # ---------------------------------------------------------------- sockets

    def connect(self, path: str = STREAM) -> Wire:
        wire = Wire(next(self._sockets), path, {})
        assert self.venue.accept_ws(wire) is None
        return wire

    def say(self, wire: Wire, message: Any) -> Any:
        return self.venue.accept_message(wire, json.dumps(message))

    def listen(self, *channels: str, symbol: str = "") -> Wire:
        """A stream, signed in unless a market is named; without what was told at once."""
        wire = self.connect()
        if not symbol:
            assert self.say(wire, {"auth": {"token": self.session.token}}) is None
        for channel in channels:
            topic = {"channel": channel, **({"symbol": symbol} if symbol else {})}
            assert self.say(wire, {"subscribe": topic}) is None
        wire.take()
        return wire

    def order_socket(self, session: str = SESSION) -> Wire:
        """An order socket that is signed in."""
        wire = self.connect(ORDERS)
        reply = self.call(wire, "auth:login", {"token": self.session.token}, session=session)
        assert reply == {"code": 0, "message": "success", "request_id": "r-1"}
        return wire

    def call(self, wire: Wire, method: str, fields: Any, **more: Any) -> Any:
        """The direct answer to a call."""
        return self.say(wire, self.session.envelope(method, fields, self.clock.now_ms(), **more))


def order(side: str = "buy", qty: Any = "0.1", **fields: Any) -> dict[str, Any]:
    """A post-only limit order at 2990; None takes a field away."""
    sent = {
        "symbol": ETH,
        "side": side,
        "order_type": "limit",
        "qty": qty,
        "price": "2990" if side == "buy" else "3010",
        "time_in_force": "alo",
        "reduce_only": False,
        **fields,
    }
    return {name: value for name, value in sent.items() if value is not None}


def taker(side: str = "buy", qty: str = "0.1", **fields: Any) -> dict[str, Any]:
    """An immediate-or-cancel order that crosses."""
    price = "3010" if side == "buy" else "2980"
    return order(side, qty, **{"price": price, "time_in_force": "ioc", **fields})


def market_order(side: str = "buy", qty: str = "0.1", **fields: Any) -> dict[str, Any]:
    return order(side, qty, order_type="market", price=None, time_in_force="ioc", **fields)


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

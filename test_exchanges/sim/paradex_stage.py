"""A simulated Paradex without a server: signed requests go straight to its handlers."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, Self
from urllib.parse import urlencode

from sim.grvt_stage import Wire

from mpdex.sim import stark
from mpdex.sim.board import Quote
from mpdex.sim.models import NO_LATENCY, Timers
from mpdex.sim.run import EPOCH_NS
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues import paradex_crypto as crypto
from mpdex.sim.venues.paradex import DIRECT, ParadexSim
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import VirtualLoop, run_virtual

ETH, BTC = "ETH-USD-PERP", "BTC-USD-PERP"
UNIT = 10**8
SOON = 0.05  # seconds: whatever was queued has happened
LARGE_ID = 1_790_000_000_000_123_456


class Signer:
    """A client's half: what the documentation wants signed, by one key of an account."""

    def __init__(self, account: str, private_key: int) -> None:
        self.account = account
        self.private_key = private_key
        self.public_key = stark.public_key_of(private_key)

    def sign(self, struct: list[int]) -> str:
        hashed = crypto.message_hash(int(self.account, 16), struct)
        r, s = stark.sign(self.private_key, hashed)
        return f'["{r}","{s}"]'

    def order(self, body: dict[str, Any], order_id: str = "") -> str:
        market = body["type"] == "MARKET"
        return self.sign(
            crypto.order_struct(
                timestamp_ms=body["signature_timestamp"],
                market=body["market"],
                buying=body["side"] == "BUY",
                kind=body["type"],
                size=Decimal(body["size"]),
                price=Decimal(0) if market else Decimal(body["price"]),
                order_id=int(order_id) if order_id else None,
            )
        )

    def login(self, now: int, expiration: int) -> dict[str, str]:
        return {
            "paradex-starknet-account": self.account,
            "paradex-starknet-signature": self.sign(crypto.login_struct(now, expiration)),
            "paradex-timestamp": str(now),
            "paradex-signature-expiration": str(expiration),
        }


class Socket(Wire):
    """A socket whose frames are kept as they go out: JSON decoded, binary ones as bytes."""

    def __init__(self, number: int, path: str, query: dict[str, str]) -> None:
        super().__init__(number, path, {})
        self.query = query
        self.pack: Callable[[bytes], bytes | None] | None = None

    def send(self, frame: Any, kind: str = "") -> None:
        raw = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
        packed = self.pack(raw) if self.pack else None
        self.frames.append(json.loads(raw) if packed is None else packed)


class Stage:
    """The venue, a clock, a market of ETH around 3000, and a subkey that is logged in."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = LoopClock(loop, EPOCH_NS)
        rng, self.timers = random.Random(7), Timers()
        self.exchange = ParadexSim.make_exchange(self.clock, rng, NO_LATENCY)
        world: Any = {"clock": self.clock, "latency": NO_LATENCY, "timers": self.timers}
        self.venue = ParadexSim(self.exchange, rng=rng, **world)
        keys = self.venue.credentials()
        self.account = keys["account_address"]
        self.subkey = Signer(self.account, int(keys["private_key"], 16))
        main = self.venue.keys.keys[self.account][0]
        self.owner = Signer(self.account, self.venue.keys.private[main])
        self.routes = {(method, path): call for method, path, call in self.venue.routes()}
        self._sockets = iter(range(1, 1000))
        self.token = ""
        self.quote("2999.99", "3000")
        self.log_in()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.timers.close()
        self.exchange.close()

    def quote(self, bid: str, ask: str, size: str = "5", symbol: str = ETH) -> None:
        """A book of twenty levels a side, a cent apart."""
        lots, tick = int(Decimal(size) * UNIT), UNIT // 100
        bids = [(int(Decimal(bid) * UNIT) - i * tick, lots) for i in range(20)]
        asks = [(int(Decimal(ask) * UNIT) + i * tick, lots) for i in range(20)]
        self.exchange.on_quote(symbol, Quote(bids, asks, True))

    def trade(self, price: str, size: str, taker: Any, symbol: str = ETH) -> None:
        units = (int(Decimal(text) * UNIT) for text in (price, size))
        self.exchange.on_trade(symbol, *units, taker)

    # ---------------------------------------------------------------- REST

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> SimReply:
        """One request, with the token unless it brings headers of its own."""
        if headers is None:
            headers = {"authorization": f"Bearer {self.token}"}
        raw = b"" if body is None else json.dumps(body).encode()
        request = SimRequest(method, f"/v1{path}", urlencode(query), headers, raw)
        open_path = request.path.rpartition("/")[0] + "/*"
        found = self.routes.get((method, request.path)) or self.routes.get((method, open_path))
        return (found or self.venue.render_not_found)(request)

    def get(self, path: str, **query: Any) -> Any:
        """The body of a GET that must succeed, as it arrives."""
        reply = self.request("GET", path, **query)
        assert reply.status == 200, reply.body
        return json.loads(reply.encode()[0])

    def refused(self, reply: SimReply) -> str:
        assert reply.status >= 400, reply.body
        code: str = reply.body["error"]
        return code

    def now(self) -> int:
        return self.clock.now_ms() // 1000

    def log_in(self, signer: Signer | None = None) -> None:
        signer = signer or self.subkey
        headers = signer.login(self.now(), self.now() + 1800)
        reply = self.request("POST", f"/auth/{signer.public_key:#x}", headers=headers)
        assert reply.status == 200, reply.body
        self.token = reply.body["jwt_token"]

    def order(self, side: str = "BUY", size: str = "0.1", **fields: Any) -> dict[str, Any]:
        """A signed post-only order at 2990; None takes a field away."""
        sent = {
            "market": ETH,
            "side": side,
            "type": "LIMIT",
            "size": size,
            "price": "2990",
            "instruction": "POST_ONLY",
            "signature_timestamp": self.clock.now_ms(),
            **fields,
        }
        body = {name: value for name, value in sent.items() if value is not None}
        if "signature" not in body:
            body["signature"] = self.subkey.order(body)
        return body

    def taker(self, side: str = "BUY", size: str = "0.1", **fields: Any) -> dict[str, Any]:
        """An immediate order that crosses."""
        price = "3010" if side == "BUY" else "2990"
        return self.order(side, size, **{"price": price, "instruction": "IOC", **fields})

    def place(self, body: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        """The order as answered."""
        reply = self.request("POST", "/orders", body or self.order(**fields))
        assert reply.status == 201, reply.body
        answered: dict[str, Any] = json.loads(reply.encode()[0])
        return answered

    async def settled(self, body: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        """The order as it is when the risk engine has looked at it."""
        placed = self.place(body, **fields)
        await asyncio.sleep(SOON)
        found: dict[str, Any] = self.get(f"/orders/{placed['id']}")
        return found

    def change(self, order: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """The signed change of an order."""
        kept = {name: order[name] for name in ("market", "side", "type", "size", "price")}
        body = {**kept, "id": order["id"], "signature_timestamp": self.clock.now_ms(), **fields}
        return {**body, "signature": self.subkey.order(body, order["id"])}

    # ---------------------------------------------------------------- sockets

    def connect(self, path: str = DIRECT, version: int | None = None) -> Socket:
        """A socket of JSON frames, or of binary ones."""
        query = {"sbeSchemaId": "1", "sbeSchemaVersion": str(version)}
        socket = Socket(next(self._sockets), path, {} if version is None else query)
        self.venue.offers_json = version is None
        assert self.venue.accept_ws(socket) is None
        return socket

    def say(self, socket: Socket, method: str, params: Any = None, **over: Any) -> Any:
        message = {"jsonrpc": "2.0", "id": LARGE_ID, "method": method, "params": params, **over}
        return self.venue.accept_message(socket, json.dumps(message))

    def authenticated(self, version: int | None = None, path: str = DIRECT) -> Socket:
        socket = self.connect(path, version)
        answer = self.say(socket, "auth", {"bearer": self.token})
        assert "result" in answer, answer
        return socket

    def listen(self, *channels: str, version: int | None = None) -> Socket:
        """A socket with these channels; acknowledgements and snapshots are taken off."""
        socket = self.authenticated(version)
        for channel in channels:
            assert self.say(socket, "subscribe", {"channel": channel}) is None
        socket.take()
        return socket


def data(frames: list[Any], topic: str = "") -> list[Any]:
    """What JSON frames say, of one topic or of all."""
    told = [frame["params"] for frame in frames if "params" in frame]
    return [one["data"] for one in told if one["channel"].startswith(topic)]


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

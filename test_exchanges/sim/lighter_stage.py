"""A simulated Lighter without a server: signed transactions go straight to its handlers."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import msgspec
from sim.grvt_stage import Wire as PlainWire
from sim.staging import Closing, ladder, stager

from mpdex.sim.models import NO_LATENCY, Timers
from mpdex.sim.run import EPOCH_NS
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues import lighter_crypto as crypto
from mpdex.sim.venues.lighter import API_KEY, CHAIN_ID, LighterSim
from mpdex.sim.venues.lighter_hash import digest, from_bytes, to_bytes
from mpdex.sim.venues.lighter_wire import parse_transaction
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import VirtualLoop

ETH, BTC, SOL, SPOT = 0, 1, 2, 2048
UNIT = 10**8
DAY_MS = 86_400_000
FORM = {"content-type": "application/x-www-form-urlencoded"}
CREATE, CANCEL, CANCEL_ALL, MODIFY, LEVERAGE, GROUP, MARGIN = 14, 15, 16, 17, 20, 28, 29
UNSIGNED = base64.b64encode(bytes(80)).decode()


class Wire(PlainWire):
    """Takes the frames of one socket; raw ones are bytes."""

    def __init__(self, number: int, query: Mapping[str, str]) -> None:
        super().__init__(number, "/stream", {})
        self.query = query
        self.closed: tuple[int, str] | None = None

    def close(self, code: int = 1000, reason: str = "") -> None:
        super().close(code, reason)
        self.closed = (code, reason)

    def take(self, kind: str = "") -> list[Any]:
        """The frames since the last call whose type ends so."""
        return [f for f in super().take() if f.get("type", "").endswith(kind)]


class Signer:
    """A client's half: hash as documented, and a Schnorr signature with a nonce of its own."""

    def __init__(self, private_key: str) -> None:
        self._secret = int.from_bytes(bytes.fromhex(private_key), "little")
        self._random = random.Random(5)

    def sign(self, message: bytes) -> bytes:
        k = self._random.randrange(1, crypto.ORDER)
        e = crypto.challenge(crypto.combined((k, crypto.GENERATOR)), message)
        s = (k - e * self._secret) % crypto.ORDER
        return s.to_bytes(40, "little") + e.to_bytes(40, "little")

    def transaction(self, kind: int, info: dict[str, Any], chain: int = CHAIN_ID) -> str:
        bare = parse_transaction(kind, json.dumps({**info, "Sig": UNSIGNED}))
        return json.dumps({**info, "Sig": base64.b64encode(self.sign(bare.hash(chain))).decode()})

    def token(self, deadline: int, account: str, key: int = API_KEY) -> str:
        said = f"{deadline}:{account}:{key}"
        return f"{said}:{self.sign(to_bytes(digest(from_bytes(said.encode())))).hex()}"


class Stage(Closing):
    """The venue, a clock, a market of ETH around 3000, and a client that signs."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = LoopClock(loop, EPOCH_NS)
        rng, self.timers = random.Random(7), Timers()
        self.exchange = LighterSim.make_exchange(self.clock, rng, NO_LATENCY)
        world: Any = {"clock": self.clock, "latency": NO_LATENCY, "timers": self.timers}
        self.venue = LighterSim(self.exchange, rng=rng, **world)
        keys = self.venue.credentials()
        self.account = keys["account_index"]
        self.signer = Signer(keys["private_key"])
        self.routes = {f"{method} {path}": call for method, path, call in self.venue.routes()}
        self.nonce = self.get("/api/v1/nextNonce", account_index=self.account, api_key_index=5)[
            "nonce"
        ]
        self._sockets = iter(range(1, 1000))
        self.quote("2999.99", "3000.00")

    # ---------------------------------------------------------------- the market

    def quote(
        self, bid: str, ask: str, size: str = "5", symbols: Any = ("ETH", "ETH/USDC")
    ) -> None:
        """Books of ten levels a side, a tick apart."""
        for symbol in symbols:
            self.exchange.on_quote(symbol, ladder(bid, ask, size))

    def trade(self, price: str, size: str, taker: Any, symbol: str = "ETH") -> None:
        units = (int(Decimal(text) * UNIT) for text in (price, size))
        self.exchange.on_trade(symbol, *units, taker)

    # ---------------------------------------------------------------- the client

    def token(self, seconds: int = 600) -> str:
        return self.signer.token(self.clock.now_ms() // 1000 + seconds, self.account)

    def ask(self, path: str, *, token: str | None = None, **query: Any) -> SimReply:
        request = SimRequest(
            "GET", path, urlencode(query), {} if token is None else {"authorization": token}
        )
        return self.routes[f"GET {path}"](request)

    def get(self, path: str, **query: Any) -> Any:
        """The body of a GET that must succeed, as it arrives."""
        reply = self.ask(path, **query)
        assert reply.status == 200, reply.body
        return json.loads(reply.encode()[0])

    def own(self, path: str, **query: Any) -> Any:
        """The same with a token, of the account."""
        return self.get(f"/api/v1/{path}", token=self.token(), account_index=self.account, **query)

    def info(self, kind: int, fields: dict[str, Any], **more: Any) -> str:
        """A signed transaction with the next nonce."""
        head = {
            "AccountIndex": int(self.account),
            "ApiKeyIndex": API_KEY,
            **fields,
            "ExpiredAt": self.clock.now_ms() + 599_000,
            "Nonce": self.nonce,
            "L2TxAttributes": None,
            **more,
        }
        return self.signer.transaction(kind, head)

    def send(self, kind: int, fields: dict[str, Any], **more: Any) -> SimReply:
        """One transaction by REST; the nonce goes on if it was taken."""
        reply = self.post(tx_type=kind, tx_info=self.info(kind, fields, **more))
        self.nonce += reply.status == 200
        return reply

    def post(self, path: str = "/api/v1/sendTx", **form: Any) -> SimReply:
        body = urlencode(form).encode()
        return self.routes[f"POST {path}"](SimRequest("POST", path, headers=FORM, body=body))

    def done(self, kind: int, fields: dict[str, Any], **more: Any) -> Any:
        reply = self.send(kind, fields, **more)
        assert reply.status == 200, reply.body
        return reply.body

    def place(self, **fields: Any) -> Any:
        """A post-only order at 2990 that must be accepted, unless changed."""
        return self.done(CREATE, self.order(**fields))

    def order(self, **fields: Any) -> dict[str, Any]:
        sent = {
            "MarketIndex": ETH,
            "ClientOrderIndex": 77,
            "BaseAmount": 1000,
            "Price": 299_000,
            "IsAsk": 0,
            "Type": 0,
            "TimeInForce": 2,
            "ReduceOnly": 0,
            "TriggerPrice": 0,
            "OrderExpiry": self.clock.now_ms() + 28 * DAY_MS,
        }
        return {**sent, **fields}

    def taker(self, **fields: Any) -> dict[str, Any]:
        """An immediate-or-cancel order that crosses."""
        price = 298_000 if fields.get("IsAsk") else 301_000
        return self.order(**{"Price": price, "TimeInForce": 0, "OrderExpiry": 0, **fields})

    async def sequenced(self) -> None:
        """Wait until the sequencer has come to everything."""
        await asyncio.sleep(LighterSim.delay * 2)

    # ---------------------------------------------------------------- sockets

    def connect(self, **query: str) -> Wire:
        wire = Wire(next(self._sockets), query)
        assert self.venue.accept_ws(wire) is None
        return wire

    def say(self, wire: Wire, **message: Any) -> Any:
        answer = self.venue.accept_message(wire, json.dumps(message))
        return None if answer is None else json.loads(msgspec.json.encode(answer))

    def listen(self, *channels: str) -> Wire:
        """A socket with these channels, snapshots still in it."""
        wire = self.connect()
        wire.take()
        for channel in channels:
            answer = self.say(wire, type="subscribe", channel=channel, auth=self.token())
            assert answer is None, answer
        return wire

    def mine(self, name: str) -> str:
        return f"{name}/{self.account}"


staged = stager(Stage)

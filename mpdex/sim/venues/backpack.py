"""The simulated Backpack: signed REST and one WebSocket, on one loopback port.

Orders are `backpack_orders`, market data `backpack_market`, what an account asks
`backpack_account`, streams `backpack_streams`. Not simulated: trigger orders, lending, requests
for quotes, and the streams `ticker`, `kline`, `openInterest` and `liquidation`.

Source: docs.backpack.exchange and what its SDK sends; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from itertools import count
from typing import ClassVar

import msgspec

from mpdex.sim.exchange import SimExchange
from mpdex.sim.models import FeeModel, LatencyModel
from mpdex.sim.records import PositionChanged, SimEvent, Traded
from mpdex.sim.venue import Handler, SimConnection, SimReply, SimRequest, SimVenue
from mpdex.sim.venues import backpack_crypto as crypto
from mpdex.sim.venues.backpack_account import FIRST_LEVERAGE, AccountData
from mpdex.sim.venues.backpack_market import MARKETS, MarketData
from mpdex.sim.venues.backpack_orders import OrderDesk
from mpdex.sim.venues.backpack_streams import INTERESTS, PRIVATE, Streams
from mpdex.sim.venues.backpack_wire import (
    BAD_SIGNATURE,
    EXPIRED,
    FAR_CLOCK,
    OVER_LIMIT,
    REJECTS,
    SIDES,
    Refusal,
    malformed,
)
from mpdex.types import Json, Limit
from mpdex.utils.clock import Clock

BALANCE = Decimal(100_000)
DEFAULT_WINDOW, LONGEST_WINDOW_MS = "5000", 60_000
FAR_CLOCK_MS = 600_000
INVALID_STREAM = 4006
INVALID_PROOF = 4007  # UNVERIFIED: the venue has an error frame for it, its number is not known
INVALID_MESSAGE = 4000  # UNVERIFIED, likewise
METHODS = ("SUBSCRIBE", "UNSUBSCRIBE")
HISTORICAL = ("/api/v1/klines", "/api/v1/trades/history", "/api/v1/fundingRates")

# Fault op of each private call; what is not here cannot be bent.
OPS = {
    ("POST", "/api/v1/order"): "place",
    ("POST", "/api/v1/orders"): "place",
    ("DELETE", "/api/v1/order"): "cancel",
    ("DELETE", "/api/v1/orders"): "cancel",
    ("GET", "/api/v1/order"): "query_order",
    ("GET", "/wapi/v1/history/orders"): "query_order",
    ("GET", "/api/v1/orders"): "query_open",
    ("GET", "/wapi/v1/history/fills"): "query_fills",
    ("GET", "/api/v1/position"): "query_positions",
    ("GET", "/api/v1/capital"): "query_balance",
    ("GET", "/api/v1/capital/collateral"): "query_balance",
    ("GET", "/api/v1/account"): "query_leverage",
    ("PATCH", "/api/v1/account"): "leverage",
}


class BackpackSim(SimVenue):
    """Backpack's wire over the truth of one exchange. Accounts are user numbers."""

    name = "backpack"
    ws_paths = ("/",)
    interests = INTERESTS
    ping_every = 60.0
    pong_within = 120.0
    takes_ids_twice = True
    # Support FAQ: a minute's requests of an account, and those for historical market data.
    limits: ClassVar[Mapping[str, Limit]] = {
        "requests": Limit(2000, 60.0),
        "history": Limit(30, 60.0),
    }
    fields: ClassVar[Mapping[str, str]] = {
        "cid": "c",
        "price": "p",
        "size": "q",
        "fee": "n",
        "side": "S",
        "status": "X",
        "bid": "b",
        "ask": "a",
        "bids": "b",
        "asks": "a",
        "ts": "E",
    }
    answer_fields: ClassVar[Mapping[str, str]] = {
        "cid": "clientId",
        "price": "price",
        "size": "quantity",
        "fee": "fee",
        "side": "side",
        "status": "status",
        "ts": "timestamp",
        "bids": "bids",
        "asks": "asks",
        "position": "netQuantity",
        "liquidation": "estLiquidationPrice",
        "leverage": "leverageLimit",
        "tick": "tickSize",
        "step": "stepSize",
        "min_size": "minQuantity",
        "free": "netEquityAvailable",
        "equity": "netEquity",
    }

    # ---------------------------------------------------------------- what it is

    @classmethod
    def make_exchange(cls, clock: Clock, rng: random.Random, latency: LatencyModel) -> SimExchange:
        """One account of 100,000 USDC; futures fees of tier 1; orders are matched at once."""
        exchange = SimExchange(
            cls.name,
            clock=clock,
            markets=MARKETS,
            fees=FeeModel(maker=Decimal("0.0002"), taker=Decimal("0.0005")),
            latency=replace(latency, taker_delay=0.0),
            rng=rng,
            order_ids=map(str, count(rng.randrange(4 * 10**9, 9 * 10**9))).__next__,
        )
        exchange.add_account(str(rng.randrange(10**6, 10**7)), BALANCE, FIRST_LEVERAGE)
        return exchange

    @cached_property
    def market(self) -> MarketData:
        return MarketData(self.exchange, lambda symbol: self.streams.flush(symbol))

    @cached_property
    def desk(self) -> OrderDesk:
        return OrderDesk(self.exchange, self.market)

    @cached_property
    def accounts(self) -> AccountData:
        return AccountData(self.exchange, self.market, self.desk)

    @cached_property
    def streams(self) -> Streams:
        return Streams(self.exchange, self.timers, self.rng, self.market, self.accounts)

    @cached_property
    def _holders(self) -> dict[str, str]:
        """API key -> account."""
        return {crypto.throwaway_keys(name).api_key: name for name in self.exchange.accounts}

    def endpoints(self, port: int) -> dict[str, str]:
        return {"rest": f"http://127.0.0.1:{port}", "ws": f"ws://127.0.0.1:{port}"}

    def credentials(self) -> dict[str, str]:
        return crypto.throwaway_keys(next(iter(self.exchange.accounts)))._asdict()

    def routes(self) -> Iterable[tuple[str, str, Handler]]:
        for path in self.market.answers:
            yield "GET", path, self._answer_public
        for method, path in self.accounts.answers:
            yield method, path, self._answer_private
        yield "POST", "/api/v1/order", self._command(self._place)
        yield "POST", "/api/v1/orders", self._command(self.desk.place_batch)
        yield "DELETE", "/api/v1/order", self._command(self.desk.cancel)
        yield "DELETE", "/api/v1/orders", self._command(self.desk.cancel_all)

    def op_of(self, request: SimRequest) -> str:
        if request.path in self.market.answers:
            return "meta"
        return OPS.get((request.method, request.path), "")

    def scope_of(self, request: SimRequest) -> tuple[str, str, int]:
        """By key where there is one; historical market data has a bucket of its own."""
        whose = request.headers.get("x-api-key") or request.remote
        return ("history" if request.path in HISTORICAL else "requests"), whose, 1

    def describe(self, request: SimRequest) -> Mapping[str, str]:
        fields = _first(request)
        flags = {"reduce_only": "reduceOnly", "post_only": "postOnly"}
        words = {
            "symbol": "symbol",
            "size": "quantity",
            "price": "price",
            "client_id": "clientId",
            "order_id": "orderId",
        }
        return {
            "side": SIDES.get(str(fields.get("side")), ""),
            **{name: str(fields[key]) for name, key in words.items() if fields.get(key)},
            **{name: str(bool(fields.get(key))).lower() for name, key in flags.items()},
        }

    # ---------------------------------------------------------------- who asks

    def verify(self, request: SimRequest, fields: Json) -> str:
        """The account that signed a request.

        Raises: Refusal.
        """
        headers = request.headers
        key, stamp = headers.get("x-api-key", ""), headers.get("x-timestamp", "")
        signature, window = headers.get("x-signature", ""), headers.get("x-window", DEFAULT_WINDOW)
        instruction = crypto.INSTRUCTIONS[request.method, request.path]
        return self._proven(instruction, fields, (key, signature, stamp, window))

    def _proven(self, instruction: str, fields: Json, proof: tuple[str, str, str, str]) -> str:
        key, signature, stamp, window = proof
        if not (key and signature and stamp):
            raise malformed("Missing X-API-Key, X-Signature or X-Timestamp")
        account = self._holders.get(key)
        if account is None:
            raise Refusal("UNAUTHORIZED", "Unauthorized")
        self._check_time(stamp, window)
        if not crypto.verify(
            key, signature, crypto.signed_text(instruction, fields, stamp, window)
        ):
            raise Refusal(*BAD_SIGNATURE)
        return account

    def _check_time(self, stamp: str, window: str) -> None:
        if not (_whole(window) and 0 < int(window) <= LONGEST_WINDOW_MS):
            raise malformed("Invalid window")
        if not _whole(stamp):
            raise Refusal(*FAR_CLOCK)
        away = abs(self.clock.now_ms() - int(stamp))
        if away > FAR_CLOCK_MS:
            raise Refusal(*FAR_CLOCK)
        if away > int(window):
            raise Refusal(*EXPIRED)

    # ---------------------------------------------------------------- REST

    def _answer_public(self, request: SimRequest) -> SimReply:
        return _guarded(lambda: self.market.answers[request.path](request.query))

    def _answer_private(self, request: SimRequest) -> SimReply:
        def answer() -> Json:
            fields = _fields(request)
            account = self.verify(request, fields)
            if not isinstance(fields, dict):
                raise malformed("Invalid request")
            return self.accounts.answers[request.method, request.path](account, fields)

        return _guarded(answer)

    def _command(self, act: Callable[[str, Json], Json]) -> Handler:
        """What changes orders; the frames it causes race its answer."""

        def handle(request: SimRequest) -> SimReply:
            def answer() -> Json:
                fields = _fields(request)
                account = self.verify(request, fields)
                with self.streams.racing():
                    return act(account, fields)

            return _guarded(answer)

        return handle

    def _place(self, account: str, fields: Json) -> Json:
        if isinstance(fields, list):
            raise malformed("Invalid order")
        return self.desk.place(account, fields)

    def render_reject(self, request: SimRequest, kind: str, code: str) -> SimReply:
        known, message = REJECTS.get(kind, ("SERVER_ERROR", "Internal server error"))
        return _render_refusal(Refusal(code or known, message))

    def render_rate_limited(self, request: SimRequest, retry_after: float) -> SimReply:
        """No Retry-After: nobody has told of one."""
        return _render_refusal(Refusal(*OVER_LIMIT))

    def render_not_found(self, request: SimRequest) -> SimReply:
        return _render_refusal(Refusal("RESOURCE_NOT_FOUND", "Not Found"))

    # ---------------------------------------------------------------- sockets

    def close_ws(self, conn: SimConnection) -> None:
        self.streams.forget(conn)

    def accept_message(self, conn: SimConnection, text: str) -> Json | None:
        """SUBSCRIBE or UNSUBSCRIBE. Success is not answered; an error changes nothing."""
        try:
            message = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return _error(INVALID_MESSAGE, "Invalid message")
        params = message.get("params") if isinstance(message, dict) else None
        if not isinstance(params, list) or message.get("method") not in METHODS:
            return _error(INVALID_MESSAGE, "Invalid message")
        if not all(isinstance(name, str) and self.streams.knows(name) for name in params):
            return _error(INVALID_STREAM, "Invalid stream")
        if message["method"] == "UNSUBSCRIBE":
            for name in params:
                self.streams.unsubscribe(conn, name)
            return None
        return self._subscribe(conn, params, message.get("signature"))

    def _subscribe(self, conn: SimConnection, names: list[str], proof: Json) -> Json | None:
        if any(name.startswith(PRIVATE) for name in names):
            try:
                account = self._prove_socket(proof)
            except Refusal as refusal:
                return _error(INVALID_PROOF, refusal.message)
            if conn.account not in ("", account):
                return _error(INVALID_PROOF, "Another account")
            conn.account, conn.private = account, True
        for name in names:
            self.streams.subscribe(conn, name)
        return None

    def _prove_socket(self, proof: Json) -> str:
        """Four texts: key, signature, time, window. They do not name the streams."""
        if not isinstance(proof, list) or len(proof) != 4:
            raise malformed("Missing signature")
        key, signature, stamp, window = map(str, proof)
        return self._proven(crypto.SUBSCRIBE, {}, (key, signature, stamp, window))

    def render_event(self, event: SimEvent) -> None:
        self.market.recent.note(event)
        match event:
            case Traded(fill):
                self.accounts.note_fill(fill)
            case PositionChanged(position):
                self.accounts.note_position(position)
        self.streams.render(event)


def _guarded(answer: Callable[[], Json]) -> SimReply:
    try:
        return SimReply(answer())
    except Refusal as refusal:
        return _render_refusal(refusal)


def _render_refusal(refusal: Refusal) -> SimReply:
    return SimReply({"code": refusal.code, "message": refusal.message}, refusal.status)


def _error(code: int, message: str) -> Json:
    return {"id": None, "error": {"code": code, "message": message}}


def _fields(request: SimRequest) -> Json:
    """What is signed: the query of a GET, the body of anything else.

    Raises: Refusal for a body that is not JSON, or neither an object nor a list of objects.
    """
    if request.method == "GET":
        return request.query
    try:
        fields = request.json
    except msgspec.DecodeError as error:
        raise malformed("Invalid JSON") from error
    fields = {} if fields is None else fields
    every = fields if isinstance(fields, list) else [fields]
    if not all(isinstance(one, dict) for one in every):
        raise malformed("Invalid request")
    return fields


def _first(request: SimRequest) -> Mapping[str, Json]:
    """Fields of a request, of the first order where there are several; {} where unreadable."""
    try:
        fields = _fields(request)
    except Refusal:
        return {}
    if isinstance(fields, list):
        return fields[0] if fields else {}
    return dict(fields)


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19

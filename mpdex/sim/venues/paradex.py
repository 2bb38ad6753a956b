"""The simulated Paradex: REST under `/v1` and its two WebSocket hosts, on one loopback port.

The hosts are two paths: `/ws/v1` takes orders besides everything else, `/ws-public/v1` does not.
Orders are `paradex_orders`, market data `paradex_market`, what an account asks `paradex_account`,
who it is `paradex_login`, channels `paradex_streams`, their binary form `paradex_sbe`. Not
simulated: spot, options, trigger and algorithmic orders, RPI, EVM logins, retail tokens' limits.

Source: docs.paradex.trade, API 1.132.1; what its official SDK sends; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from math import ceil
from typing import Any, ClassVar

import msgspec

from mpdex.sim.models import LatencyModel
from mpdex.sim.records import SimEvent
from mpdex.sim.venue import Handler, SimConnection, SimReply, SimRequest, SimVenue
from mpdex.sim.venues import paradex_sbe as sbe
from mpdex.sim.venues import paradex_wire as wire
from mpdex.sim.venues.paradex_account import AccountData
from mpdex.sim.venues.paradex_login import KeyRing
from mpdex.sim.venues.paradex_market import MarketData
from mpdex.sim.venues.paradex_orders import OrderDesk
from mpdex.sim.venues.paradex_socket import RpcSocket
from mpdex.sim.venues.paradex_streams import INTERESTS, Streams
from mpdex.sim.venues.paradex_truth import ParadexTruth
from mpdex.sim.venues.paradex_wire import Refusal
from mpdex.types import Json, Limit
from mpdex.utils.clock import Clock

ROOT = "/v1"
DIRECT, PUBLIC = "/ws/v1", "/ws-public/v1"
CONNECTS = 20  # a second

# Fault op of each private read; commands and single orders are told by their paths.
OPS = {
    "/orders": "query_open",
    "/orders-history": "query_order",
    "/fills": "query_fills",
    "/positions": "query_positions",
    "/account": "query_balance",
    "/balance": "query_balance",
    "/account/margin": "query_leverage",
}
COMMANDS = {"POST": "place", "PUT": "amend", "DELETE": "cancel", "GET": "query_order"}
# What the venue does not refuse at once: the risk engine's reason for a class.
LATER = {
    "POST_ONLY": "post_only",
    "MARGIN": "margin",
    "REDUCE_ONLY": "reduce_only",
    "PRICE_BAND": "band",
    "OI_CAP": "limit",
}


class ParadexSim(SimVenue):
    """Paradex's wire over the truth of one exchange. Accounts are addresses.

    Attributes:
        offers_json: a socket without SBE parameters is accepted, as before September 2026.
        highest_version: of the SBE schema; a client that asks for more is refused.
        packs_private: private frames are binary, too. The documentation says they stay JSON, two
            clients decode binary ones (UNVERIFIED which it is).
    """

    name = "paradex"
    ws_paths = (DIRECT, PUBLIC)
    interests = INTERESTS
    ping_every = 55.0
    pong_within = 60.0  # looked at with each ping: five seconds are allowed, a minute is noticed
    offers_json = False
    highest_version = sbe.HIGHEST_VERSION
    packs_private = True
    fields: ClassVar[Mapping[str, str]] = {
        "cid": "client_id",
        "price": "price",
        "size": "size",
        "fee": "fee",
        "side": "side",
        "status": "status",
        "bid": "bid",
        "ask": "ask",
        "bids": "bids",
        "asks": "asks",
        "ts": "last_updated_at",
        "position": "size",
        "liquidation": "liquidation_price",
        "leverage": "leverage",
        "tick": "price_tick_size",
        "step": "order_size_increment",
        "min_size": "order_size_increment",
        "free": "free_collateral",
        "equity": "account_value",
    }
    # Of two limits of one scope the one that a steady client meets first.
    limits: ClassVar[Mapping[str, Limit]] = {
        "public": Limit(1500, 60.0),
        "auth": Limit(600, 60.0),
        "orders": Limit(800, 1.0),
        "private": Limit(600, 60.0),
    }
    exchange: ParadexTruth

    def __init__(self, exchange: ParadexTruth, **world: Any) -> None:
        super().__init__(exchange, **world)
        self.keys = KeyRing(exchange, self.rng)
        self.account = self.keys.make_account()
        self.market = MarketData(exchange)
        self.desk = OrderDesk(exchange, self.timers, self.market, self.keys)
        self.accounts = AccountData(exchange, self.market, self.keys)
        self.streams = Streams(exchange, self.timers, self.market, self.accounts)
        self.socket = RpcSocket(
            self.clock, self.keys, self.streams, self.desk, lambda path: path == DIRECT
        )
        self._connects: deque[float] = deque(maxlen=CONNECTS)

    # ---------------------------------------------------------------- what it is

    @classmethod
    def make_exchange(cls, clock: Clock, rng: random.Random, latency: LatencyModel) -> ParadexTruth:
        """Accounts come with their keys, when the venue is made."""
        return ParadexTruth(cls.name, clock=clock, rng=rng, latency=latency)

    def endpoints(self, port: int) -> dict[str, str]:
        socket = f"ws://127.0.0.1:{port}"
        return {
            "rest": f"http://127.0.0.1:{port}{ROOT}",
            "ws": socket + DIRECT,
            "ws_public": socket + PUBLIC,
        }

    def credentials(self) -> dict[str, str]:
        """The address, and the key of a subkey, which can trade and not withdraw."""
        subkey = self.keys.keys[self.account][1]
        return {"account_address": self.account, "private_key": hex(self.keys.private[subkey])}

    def routes(self) -> Iterable[tuple[str, str, Handler]]:
        for path in self.market.answers:
            yield "GET", ROOT + path, self._answer_public
        for path in self.market.of_market:
            yield "GET", f"{ROOT}{path}/*", self._answer_market
        for path in self.accounts.answers:
            yield "GET", ROOT + path, self._answer_read
        yield "GET", f"{ROOT}/onboarding", self._describe_account
        yield "POST", f"{ROOT}/onboarding", self._onboard
        for path in ("/auth", "/auth/*"):
            yield "POST", ROOT + path, self._login
        yield "POST", f"{ROOT}/account/margin/*", self._set_margin
        yield "POST", f"{ROOT}/orders", self._create
        yield "DELETE", f"{ROOT}/orders", self._cancel_all
        yield "POST", f"{ROOT}/orders/batch", self._create_batch
        yield "DELETE", f"{ROOT}/orders/batch", self._cancel_batch
        yield "GET", f"{ROOT}/orders/*", self._find
        yield "PUT", f"{ROOT}/orders/*", self._modify
        yield "DELETE", f"{ROOT}/orders/*", self._cancel
        yield "GET", f"{ROOT}/orders/by_client_id/*", self._find_by_client_id
        yield "DELETE", f"{ROOT}/orders/by_client_id/*", self._cancel_by_client_id

    def op_of(self, request: SimRequest) -> str:
        path = _short(request)
        if path.startswith(("/auth", "/onboarding")):
            return "auth"
        if path.startswith("/account/margin/"):
            return "leverage"
        if path.startswith("/orders/") or (path == "/orders" and request.method != "GET"):
            return COMMANDS.get(request.method, "")
        return OPS.get(path, "") or ("meta" if self._is_public(path) else "")

    def _is_public(self, path: str) -> bool:
        return path in self.market.answers or path.startswith(tuple(self.market.of_market))

    def scope_of(self, request: SimRequest) -> tuple[str, str, int]:
        """Private limits are the account's, the others the address's."""
        path = _short(request)
        account = self.keys.owner(_bearer(request))
        if path.startswith(("/auth", "/onboarding")):
            return "auth", request.remote, 1
        if self._is_public(path) or not account:
            return "public", request.remote, 1
        command = path.startswith("/orders") and request.method != "GET"
        return "orders" if command else "private", account, 1

    def describe(self, request: SimRequest) -> Mapping[str, str]:
        sent, path = _first(request), _short(request)
        words = {"symbol": "market", "size": "size", "price": "price", "client_id": "client_id"}
        told = {name: str(sent[key]) for name, key in words.items() if sent.get(key)}
        if path.startswith("/orders/by_client_id/"):
            told["client_id"] = _last(request)
        elif path.startswith("/orders/") and path != "/orders/batch":
            told["order_id"] = _last(request)
        return {
            "side": wire.SIDES.get(str(sent.get("side")), ""),
            **told,
            "reduce_only": str("REDUCE_ONLY" in (sent.get("flags") or ())).lower(),
            "post_only": str(sent.get("instruction") == "POST_ONLY").lower(),
        }

    # ---------------------------------------------------------------- sessions

    def _login(self, request: SimRequest) -> SimReply:
        key = _last(request) if _short(request) != "/auth" else ""
        return self._guarded(lambda: {"jwt_token": self.keys.login(request.headers, key)})

    def _onboard(self, request: SimRequest) -> SimReply:
        def answer() -> Json:
            self.keys.onboard(request.headers, _body(request))
            return {}

        return self._guarded(answer)

    def _describe_account(self, request: SimRequest) -> SimReply:
        return self._guarded(lambda: self.keys.describe(request.query.get("public_key", "")))

    def _account(self, request: SimRequest) -> str:
        """The account that a request's token stands for. Raises: Refusal."""
        bearer = _bearer(request)
        if not bearer:
            raise Refusal("UNAUTHORIZED_ERROR")
        return self.keys.account_of(bearer)

    def issued(self) -> Iterable[str]:
        return self.keys.issued()

    def expire_sessions(self) -> None:
        """Every token ends now. Sockets that have authenticated stay so, but for one refusal."""
        self.keys.expire()
        super().expire_sessions()

    # ---------------------------------------------------------------- reads

    def _answer_public(self, request: SimRequest) -> SimReply:
        return self._guarded(lambda: self.market.answers[_short(request)](request.query))

    def _answer_market(self, request: SimRequest) -> SimReply:
        def answer() -> Json:
            kind, _, symbol = _short(request).rpartition("/")
            return self.market.of_market[kind](self.market.market(symbol), request.query)

        return self._guarded(answer)

    def _answer_read(self, request: SimRequest) -> SimReply:
        def answer() -> Json:
            account = self._account(request)
            return self.accounts.answers[_short(request)](account, request.query)

        return self._guarded(answer)

    def _find(self, request: SimRequest) -> SimReply:
        def answer() -> Json:
            return self.desk.show(self.desk.find(self._account(request), _last(request)))

        return self._guarded(answer)

    def _find_by_client_id(self, request: SimRequest) -> SimReply:
        """Only as long as the order lives."""

        def answer() -> Json:
            order = self.desk.find(self._account(request), client_id=_last(request))
            if not order.live:
                raise Refusal("CLIENT_ORDER_ID_NOT_FOUND")
            return self.desk.show(order)

        return self._guarded(answer)

    # ---------------------------------------------------------------- commands

    def _set_margin(self, request: SimRequest) -> SimReply:
        def answer() -> Json:
            account = self._account(request)
            return self.accounts.set_margin(account, _last(request), _body(request))

        return self._guarded(answer)

    def _create(self, request: SimRequest) -> SimReply:
        return self._commanded(request, self.desk.create, 201)

    def _create_batch(self, request: SimRequest) -> SimReply:
        return self._commanded(request, self.desk.create_batch, 201)

    def _cancel_batch(self, request: SimRequest) -> SimReply:
        return self._commanded(request, self.desk.cancel_batch)

    def _modify(self, request: SimRequest) -> SimReply:
        return self._commanded(
            request, lambda account, body: self.desk.modify(account, _last(request), body)
        )

    def _commanded(
        self, request: SimRequest, command: Callable[[str, Json], Json], status: int = 200
    ) -> SimReply:
        def answer() -> Json:
            return command(self._account(request), _body(request))

        return self._guarded(answer, status)

    def _cancel(self, request: SimRequest) -> SimReply:
        return self._queued(request, lambda account: self.desk.cancel(account, _last(request)))

    def _cancel_by_client_id(self, request: SimRequest) -> SimReply:
        def cancel(account: str) -> object:
            market = request.query.get("market", "")
            return self.desk.cancel_by_client_id(account, _last(request), market)

        return self._queued(request, cancel)

    def _cancel_all(self, request: SimRequest) -> SimReply:
        def answer() -> Json:
            self.desk.cancel_all(self._account(request), request.query.get("market", ""))
            return {}

        return self._guarded(answer)

    def _queued(self, request: SimRequest, cancel: Callable[[str], object]) -> SimReply:
        """An empty answer: the cancel is queued."""

        def answer() -> Json:
            cancel(self._account(request))
            return ""

        return self._guarded(answer, 204)

    # ---------------------------------------------------------------- answers

    def _guarded(self, answer: Callable[[], Json], status: int = 200) -> SimReply:
        try:
            return SimReply(answer(), status, self._headers())
        except Refusal as refusal:
            return self._refused(refusal)

    def _refused(self, refusal: Refusal) -> SimReply:
        return SimReply(refusal.body, refusal.status, self._headers())

    def _headers(self) -> dict[str, str]:
        """What is left of the limit that the request counted against."""
        if self.budget is None:
            return {}
        left, limit = self.budget
        return {
            "x-ratelimit-limit": str(limit.count),
            "x-ratelimit-remaining": str(left),
            "x-ratelimit-reset": str(self.clock.now_ms() // 1000 + ceil(limit.seconds)),
            "x-ratelimit-window": str(ceil(limit.seconds)),
        }

    def render_reject(self, request: SimRequest, kind: str, code: str) -> SimReply:
        """What only the risk engine refuses is taken, and closed afterwards."""
        path = _short(request)
        if kind in LATER and not code and (request.method, path) == ("POST", "/orders"):
            self.exchange.verdict = LATER[kind]
            try:
                return self._create(request)
            finally:
                self.exchange.verdict = ""
        if kind == "NOT_FOUND" and not code:
            return self._not_found(path)
        return self._refused(Refusal(code or wire.REJECTS.get(kind, "VALIDATION_ERROR")))

    def _not_found(self, path: str) -> SimReply:
        """A history knows of nothing; single orders are refused by the id that was used."""
        if path == "/orders-history":
            return SimReply({"next": None, "prev": None, "results": []})
        by_client = path.startswith("/orders/by_client_id/")
        return self._refused(
            Refusal("CLIENT_ORDER_ID_NOT_FOUND" if by_client else "ORDER_ID_NOT_FOUND")
        )

    def render_rate_limited(self, request: SimRequest, retry_after: float) -> SimReply:
        refusal = Refusal("TOO_MANY_REQUESTS")
        headers = {**self._headers(), "Retry-After": str(ceil(retry_after))}
        return SimReply(refusal.body, refusal.status, headers)

    def render_not_found(self, request: SimRequest) -> SimReply:
        return self._refused(Refusal("NOT_FOUND"))

    # ---------------------------------------------------------------- sockets

    def accept_ws(self, conn: SimConnection) -> SimReply | None:
        """UNVERIFIED: the bodies of refused handshakes."""
        now = self.clock.monotonic()
        if len(self._connects) == CONNECTS and now - self._connects[0] < 1.0:
            return self._refused(Refusal("TOO_MANY_REQUESTS"))
        self._connects.append(now)
        conn.private = conn.path == DIRECT
        wanted = (conn.query.get("sbeSchemaId"), conn.query.get("sbeSchemaVersion"))
        if wanted == (None, None) and self.offers_json:
            return None
        version = self._version(*wanted)
        if version is None:
            return self._refused(Refusal("INVALID_REQUEST_PARAMETER", "unsupported SBE schema"))
        conn.pack = sbe.Packer(version, private=self.packs_private).pack
        return None

    def _version(self, schema: str | None, version: str | None) -> int | None:
        """The version of the schema that was asked for; None where it is not served."""
        if schema != str(sbe.SCHEMA) or version is None or not version.isdigit():
            return None
        return int(version) if int(version) <= self.highest_version else None

    def close_ws(self, conn: SimConnection) -> None:
        self.streams.forget(conn)
        if conn.state.get("cancels"):
            self.desk.disconnected(conn.account)

    def accept_message(self, conn: SimConnection, text: str) -> Json | None:
        return self.socket.accept(conn, text)

    def request_of_message(self, conn: SimConnection, text: str) -> SimRequest | None:
        return self.socket.request_of(conn, text)

    def wrap_reply(self, conn: SimConnection, text: str, reply: SimReply) -> Json:
        return self.socket.wrap(conn, text, reply)

    def render_event(self, event: SimEvent) -> None:
        self.market.recent.note(event)
        self.streams.render(event)


# --------------------------------------------------------------------------- helpers


def _short(request: SimRequest) -> str:
    """The path as the documentation has it."""
    return request.path.removeprefix(ROOT)


def _last(request: SimRequest) -> str:
    return request.path.rpartition("/")[2]


def _bearer(request: SimRequest) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token if kind == "Bearer" else ""


def _body(request: SimRequest) -> Json:
    """Raises: Refusal BINDING_ERROR where it is no JSON."""
    try:
        return request.json
    except msgspec.DecodeError as error:
        raise Refusal("BINDING_ERROR") from error


def _first(request: SimRequest) -> Mapping[str, Json]:
    """The body of a command, of the first order of a batch; {} where unreadable."""
    if request.method == "GET":
        return {}
    try:
        body = _body(request)
    except Refusal:
        return {}
    if isinstance(body, list) and body:
        body = body[0]
    return body if isinstance(body, dict) else {}

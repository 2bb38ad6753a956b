"""The simulated StandX: sign-in, REST and two WebSockets, on one loopback port.

The venue's three hosts share the port: sign-in is under `/signin`, server time under `/geo`, so
that a call to the wrong host fails as it would live. Orders are `standx_orders`, market data
`standx_market`, what an account asks `standx_account`, sessions `standx_login`, the sockets
`standx_streams` and `standx_calls`. Not simulated: take-profit and stop-loss orders, vaults,
isolated margin in truth (modes are labels), klines on the socket, bridge and withdrawals.

Source: docs.standx.com, "Perps Authentication" (2026-08-11), "Perps HTTP API" (2026-05-19), "Perps
WebSocket API" (2026-08-11), "Rate Limits" (2026-03-01), and what public bots saw live; read
2026-11-21.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from mpdex.sim.models import LatencyModel
from mpdex.sim.records import OrderChanged, PositionChanged, SimEvent
from mpdex.sim.venue import Handler, SimConnection, SimReply, SimRequest, SimVenue
from mpdex.sim.venues import standx_calls as calls
from mpdex.sim.venues import standx_crypto as crypto
from mpdex.sim.venues import standx_wire as wire
from mpdex.sim.venues.standx_account import AccountData
from mpdex.sim.venues.standx_calls import Calls, read_message
from mpdex.sim.venues.standx_login import Logins
from mpdex.sim.venues.standx_market import MarketData
from mpdex.sim.venues.standx_orders import OrderDesk, Taken
from mpdex.sim.venues.standx_streams import INTERESTS, PATH, Streams
from mpdex.sim.venues.standx_truth import StandxTruth
from mpdex.sim.venues.standx_wire import Fault, Refusal
from mpdex.types import Json, Limit
from mpdex.utils.clock import Clock

SIGNIN, GEO = "/signin", "/geo"
LIFETIME = 86_400.0  # seconds of a socket
MOST_SOCKETS, MOST_NEW = 10, 30  # of an IP: open, and opened within a minute
REQUEST_CREDITS = 45
POLICY_CLOSE, NORMAL_CLOSE = 1008, 1000  # UNVERIFIED: the codes of both closes
PINGS = frozenset({"ping", "pong"})

# Fault op of each private call; what is not here cannot be bent.
OPS = {
    "/api/new_order": "place",
    "/api/cancel_order": "cancel",
    "/api/cancel_orders": "cancel",
    "/api/query_order": "query_order",
    "/api/query_orders": "query_order",
    "/api/query_open_orders": "query_open",
    "/api/query_trades": "query_fills",
    "/api/query_positions": "query_positions",
    "/api/query_balance": "query_balance",
    "/api/query_position_config": "query_leverage",
    "/api/change_leverage": "leverage",
    f"{SIGNIN}/v1/offchain/login": "auth",  # the half of a sign-in that opens a session
    calls.PATH: "auth",
    PATH: "auth",
}


class StandxSim(SimVenue):
    """StandX's wire over the truth of one exchange. Accounts are chain and address of a wallet."""

    name = "standx"
    ws_paths = (PATH, calls.PATH)
    interests = INTERESTS
    ping_every = 10.0
    pong_within = 300.0
    takes_ids_twice = True  # UNVERIFIED; the worse case
    dates_books = False
    # 1000 credits a second up to 900, of which a request takes 45; and requests of an IP.
    limits: ClassVar[Mapping[str, Limit]] = {"account": Limit(900, 0.9), "ip": Limit(50, 1.0)}
    fields: ClassVar[Mapping[str, str]] = {
        "cid": "cl_ord_id",
        "price": "price",
        "size": "qty",
        "fee": "fee_qty",
        "side": "side",
        "status": "status",
        "bid": "spread_bid",
        "ask": "spread_ask",
        "bids": "bids",
        "asks": "asks",
        "ts": "updated_at",
        "position": "qty",
        "liquidation": "liq_price",
        "leverage": "leverage",
        "tick": "price_tick_decimals",
        "step": "qty_tick_decimals",
        "min_size": "min_order_qty",
        "free": "cross_available",
        "equity": "equity",
    }
    exchange: StandxTruth

    def __init__(self, exchange: StandxTruth, **world: Any) -> None:
        super().__init__(exchange, **world)
        self.market = MarketData(exchange, self.rng)
        self.logins = Logins(exchange)
        self.desk = OrderDesk(exchange, self.rng)
        self.accounts = AccountData(exchange, self.desk)
        self.streams = Streams(
            exchange, self.timers, self.market, self.logins, self.watch_book, self.unwatch_book
        )
        self.calls = Calls(self.timers, self.logins)
        self._sockets: set[int] = set()
        self._opened: deque[float] = deque(maxlen=MOST_NEW)
        self._commands: dict[str, Callable[[str, Mapping[str, Json]], Taken]] = {
            "/api/new_order": self.desk.place,
            "/api/cancel_order": self.desk.cancel,
            "/api/cancel_orders": self.desk.cancel_many,
            **self.accounts.settings,
        }

    # ---------------------------------------------------------------- what it is

    @classmethod
    def make_exchange(cls, clock: Clock, rng: random.Random, latency: LatencyModel) -> StandxTruth:
        """One wallet of BNB Chain with 100,000 DUSD; fees of every symbol; matched at once."""
        at_once = replace(latency, taker_delay=0.0)
        exchange = StandxTruth(cls.name, clock=clock, rng=rng, latency=at_once)
        exchange.open_wallet(rng.randrange(10**9))
        return exchange

    def endpoints(self, port: int) -> dict[str, str]:
        rest, socket = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
        return {
            "login": rest + SIGNIN,
            "rest": rest,
            "ws": socket + PATH,
            "ws_orders": socket + calls.PATH,
            "time": rest + GEO,
        }

    def credentials(self) -> dict[str, str]:
        """The wallet route: its key alone."""
        return {"wallet_private_key": f"0x{next(iter(self.exchange.wallets.values())):064x}"}

    def premade_credentials(self) -> dict[str, str]:
        """The other route: a session and the key that signs its bodies, without a wallet."""
        token, key = self._premade
        return {"token": token, "request_private_key": key.private_text}

    def other_credentials(self) -> Iterable[dict[str, str]]:
        return (self.premade_credentials(),)

    @cached_property
    def _premade(self) -> tuple[str, crypto.RequestKey]:
        account = next(iter(self.exchange.wallets))
        key = crypto.throwaway_request_key(account)
        return self.logins.open_session(account, key.public), key

    def routes(self) -> Iterable[tuple[str, str, Handler]]:
        yield "GET", f"{GEO}/v1/region", self._answer_region
        yield "GET", f"{SIGNIN}/v1/offchain/certs", self.logins.answer_certs
        yield "POST", f"{SIGNIN}/v1/offchain/prepare-signin", _guarded(self.logins.answer_prepare)
        yield "POST", f"{SIGNIN}/v1/offchain/login", _guarded(self.logins.answer_login)
        for path in self.market.answers:
            yield "GET", path, _guarded(self._answer_public)
        for path in self.accounts.answers:
            yield "GET", path, _guarded(self._answer_private)
        for path in self._commands:
            yield "POST", path, _guarded(self._command)

    def op_of(self, request: SimRequest) -> str:
        return "meta" if request.path in self.market.answers else OPS.get(request.path, "")

    def scope_of(self, request: SimRequest) -> tuple[str, str, int]:
        """Of the account where there is one. UNVERIFIED: that calls on the socket count too."""
        if not request.path.startswith("/api/") or request.path in self.market.answers:
            return "ip", request.remote, 1
        return "account", self.logins.holder(request.headers) or request.remote, REQUEST_CREDITS

    def describe(self, request: SimRequest) -> Mapping[str, str]:
        words = {
            "side": "side",
            "symbol": "symbol",
            "size": "qty",
            "price": "price",
            "client_id": "cl_ord_id",
            "order_id": "order_id",
        }
        fields: Mapping[str, Json] = _first(request)
        return {
            **{name: str(fields[key]) for name, key in words.items() if fields.get(key)},
            "reduce_only": str(fields.get("reduce_only") is True).lower(),
            "post_only": str(fields.get("time_in_force") == "alo").lower(),
        }

    # ---------------------------------------------------------------- sessions

    def issued(self) -> Iterable[str]:
        return self.logins.issued()

    def expire_sessions(self) -> None:
        """Every token ends; sockets stay open, and what they call is refused."""
        self.logins.expire()

    # ---------------------------------------------------------------- REST

    def _answer_region(self, _: SimRequest) -> SimReply:
        return SimReply({"systemTime": self.clock.now_ms(), "region": "jp"})

    def _answer_public(self, request: SimRequest) -> SimReply:
        return SimReply(self.market.answers[request.path](request.query))

    def _answer_private(self, request: SimRequest) -> SimReply:
        session = self.logins.identify(request.headers)
        return SimReply(self.accounts.answers[request.path](session.account, request.query))

    def _command(self, request: SimRequest) -> SimReply:
        """A signed body. The answer says that it was taken; what came of it is told later."""
        versioned = calls.ENVELOPE not in request.headers
        session = self.logins.verify(request, versioned=versioned)
        fields = wire.read_object(request.body)
        with self.streams.racing():
            taken = self._commands[request.path](session.account, fields)
        return self._acknowledge(request, session.account, taken)

    def _acknowledge(self, request: SimRequest, account: str, taken: Taken) -> SimReply:
        number = request.headers.get(calls.ENVELOPE) or f"{self.rng.getrandbits(128):032x}"
        self.calls.tell(request, account, number, taken)
        return SimReply({"code": 0, "message": "success", "request_id": number})

    def render_reject(self, request: SimRequest, kind: str, code: str) -> SimReply:
        """What matching refuses is acknowledged first; without a session nobody hears of it."""
        reason = wire.LATE_REJECTS.get(kind, "")
        if reason and self.op_of(request) == "place":
            fault = Fault(400, wire.REJECTED[reason])
            return _guarded(lambda sent: self._refuse_later(sent, fault))(request)
        fault = wire.REJECTS.get(kind) or Fault(400, wire.REJECTED.get(reason, "invalid request"))
        return _render(fault._replace(status=int(code)) if code.isdigit() else fault)

    def _refuse_later(self, request: SimRequest, fault: Fault) -> SimReply:
        account = self.logins.identify(request.headers).account
        return self._acknowledge(request, account, Taken(fault=fault))

    def render_rate_limited(self, request: SimRequest, retry_after: float) -> SimReply:
        """No Retry-After: nobody has told of one."""
        return _render(wire.OVER_LIMIT)

    def render_not_found(self, request: SimRequest) -> SimReply:
        return _render(wire.NOT_FOUND)

    # ---------------------------------------------------------------- sockets

    def is_mixed(self, path: str) -> bool:
        """Market data and an account share the first socket; the second is private."""
        return path == PATH

    def accept_ws(self, conn: SimConnection) -> SimReply | None:
        """So many at once and so many a minute; each lives a day."""
        now = self.clock.monotonic()
        hurried = len(self._opened) == MOST_NEW and now - self._opened[0] < 60
        if hurried or len(self._sockets) >= MOST_SOCKETS:
            return _render(wire.OVER_LIMIT)
        self._opened.append(now)
        self._sockets.add(conn.id)
        conn.private = conn.path == calls.PATH
        self.timers.after(LIFETIME, lambda: conn.close(NORMAL_CLOSE))
        return None

    def close_ws(self, conn: SimConnection) -> None:
        self._sockets.discard(conn.id)
        self.streams.forget(conn)
        self.calls.forget(conn)

    def render_silence(self, conn: SimConnection) -> Json:
        return wire.SILENT.body

    def request_of_message(self, conn: SimConnection, text: str) -> SimRequest | None:
        """A call, or a sign-in on either socket."""
        if conn.path == calls.PATH:
            return self.calls.request_of(conn, text)
        asked = isinstance(read_message(text).get("auth"), dict)
        return SimRequest("POST", PATH, body=text.encode()) if asked else None

    def accept_message(self, conn: SimConnection, text: str) -> Json | None:
        """A ping in a text is what this venue does not forgive."""
        message = read_message(text)
        if _is_ping(text, message):
            conn.close(POLICY_CLOSE)
            return None
        if conn.path == PATH:
            return self.streams.accept(conn, message)
        return self._call(conn, text)

    def _call(self, conn: SimConnection, text: str) -> Json:
        request = self.calls.request_of(conn, text)
        if request is None:
            return calls.named(read_message(text), wire.MALFORMED.body)
        if request.path == calls.PATH:
            return self.calls.login(conn, text)
        return self.calls.wrap(text, _guarded(self._command)(request))

    def wrap_reply(self, conn: SimConnection, text: str, reply: SimReply) -> Json:
        """A refusal on the first socket has neither channel nor id."""
        answer = self.calls.wrap(text, reply)
        if conn.path == PATH:
            answer.pop("request_id")
        return answer

    def hush(self, conn: SimConnection, text: str) -> None:
        self.calls.hush(text)

    def render_event(self, event: SimEvent) -> None:
        self.market.recent.note(event)
        match event:
            case OrderChanged():
                self.desk.note(event)
                self.calls.note(event)
            case PositionChanged(position):
                self.accounts.note_position(position)
        self.streams.render(event)


def _guarded(answer: Handler) -> Handler:
    def handle(request: SimRequest) -> SimReply:
        try:
            return answer(request)
        except Refusal as refusal:
            return _render(refusal.fault)

    return handle


def _render(fault: Fault) -> SimReply:
    return SimReply(fault.body, fault.status)


def _first(request: SimRequest) -> Mapping[str, Json]:
    """Fields of a request, of the first id where it names several; {} where unreadable."""
    if request.method == "GET":
        return request.query
    fields = read_message(request.body.decode(errors="replace"))
    for name in ("order_id", "cl_ord_id"):
        several = fields.get(f"{name}_list")
        if isinstance(several, list) and several:
            return {name: several[0]}
    return fields


def _is_ping(text: str, message: Mapping[str, Json]) -> bool:
    """`ping` alone, as a key, or as the value of whatever says what a frame is."""
    said = {text.strip().lower(), *message}
    said |= {str(message.get(key)).lower() for key in ("op", "method", "type", "event")}
    return not PINGS.isdisjoint(said)

"""The simulated GRVT: sessions, REST and both forms of its WebSocket, on one loopback port.

The venue's three hosts are three path prefixes, so that a call to the wrong host fails as it would
live. Orders are `grvt_orders`, market data `grvt_market`, streams `grvt_streams`.

Source: api-docs.grvt.io and what its official SDK sends; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from email.utils import formatdate
from typing import Any, ClassVar, NamedTuple

import msgspec

from mpdex.sim import evm
from mpdex.sim.exchange import SimExchange, Twist
from mpdex.sim.messages import decode_object
from mpdex.sim.models import FeeModel, LatencyModel
from mpdex.sim.records import (
    MarkChanged,
    OrderChanged,
    PositionChanged,
    PublicTrade,
    SimEvent,
    SimMarket,
    SimOrder,
    Traded,
)
from mpdex.sim.venue import CallingVenue, SimConnection, SimReply, SimRequest
from mpdex.sim.venues import grvt_render as render
from mpdex.sim.venues.grvt_account import AccountData
from mpdex.sim.venues.grvt_market import MarketData
from mpdex.sim.venues.grvt_orders import OrderDesk
from mpdex.sim.venues.grvt_socket import RpcSocket
from mpdex.sim.venues.grvt_streams import Streams
from mpdex.sim.venues.grvt_wire import REJECTS, Refusal, parse_order, render_error
from mpdex.types import Json, Limit, OrderStatus
from mpdex.utils.clock import Clock

EDGE, TRADES, MARKET = "/edge", "/trades", "/market-data"
SESSION_SECONDS = 86_400
BALANCE = Decimal(100_000)
SPEED_BUMP = 0.025  # seconds, for everything but post-only
BAND = Decimal("0.03")  # 2 to 3 % was measured
_decode = msgspec.json.Decoder(float_hook=str).decode


def _perp(coin: str, code: str, tick: str, step: str, notional: int) -> SimMarket:
    return SimMarket(
        symbol=f"{coin}_USDT_Perp",
        coin=coin,
        quote="USDT",
        tick=Decimal(tick),
        step=Decimal(step),
        min_size=Decimal(step),
        min_notional=Decimal(notional),
        max_size=Decimal(1000) if coin != "SOL" else Decimal(100_000),
        max_leverage=Decimal(50),
        maintenance=Decimal("0.01"),
        band=BAND,
        info={"instrument_hash": f"0x03{code}01", "base_decimals": 9},
    )


# BTC as captured live in January 2026; the others' grid is like it, their hashes are assumed.
MARKETS = (
    _perp("BTC", "05", "0.1", "0.001", 100),
    _perp("ETH", "04", "0.01", "0.01", 5),
    _perp("SOL", "06", "0.01", "0.1", 5),
)

# Fault op of each private call; what is not here cannot be bent.
OPS = {
    "create_order": "place",
    "bulk_orders": "place",
    "cancel_order": "cancel",
    "cancel_all_orders": "cancel",
    "order": "query_order",
    "order_history": "query_order",
    "open_orders": "query_open",
    "fill_history": "query_fills",
    "positions": "query_positions",
    "account_summary": "query_balance",
    "funding_account_summary": "query_balance",
    "get_all_initial_leverage": "query_leverage",
    "set_initial_leverage": "leverage",
    "set_position_config": "leverage",
}
_FEW, _SOME, _MANY = Limit(5, 2.0), Limit(8, 1.0), Limit(25, 1.0)


class Login(NamedTuple):
    """One session. `account` is the trading account, `main` the account of the header."""

    account: str
    main: str
    expires_ns: int


class GrvtSim(CallingVenue):
    """GRVT's wire over the truth of one exchange. Each account has one API key and one signer."""

    name = "grvt"
    ws_paths = (f"{TRADES}/ws/full", f"{MARKET}/ws/full", f"{TRADES}/ws", f"{MARKET}/ws")
    interests = (OrderChanged, Traded, PositionChanged, MarkChanged, PublicTrade)
    fields: ClassVar[Mapping[str, str]] = {
        "cid": "client_order_id",
        "price": "price",
        "size": "size",
        "fee": "fee",
        "side": "is_buyer",
        "status": "status",
        "bid": "best_bid_price",
        "ask": "best_ask_price",
        "bids": "bids",
        "asks": "asks",
        "ts": "event_time",
        "position": "size",
        "liquidation": "est_liquidation_price",
        "leverage": "leverage",
        "tick": "tick_size",
        "step": "min_size",
        "min_size": "min_size",
        "free": "available_balance",
        "equity": "total_equity",
    }
    # Help article 9636566, lowest tier, as an independent client read it; per endpoint.
    limits: ClassVar[Mapping[str, Limit]] = {
        "login": Limit(1, 1.0),
        "create_order": Limit(20, 1.0),
        "cancel_order": Limit(20, 1.0),
        "cancel_all_orders": Limit(2, 1.0),
        **dict.fromkeys(("order", "open_orders", "order_history", "fill_history"), Limit(5, 1.0)),
        **dict.fromkeys(("positions", "funding_payment_history"), Limit(5, 1.0)),
        **dict.fromkeys(("account_summary", "funding_account_summary", "get_sub_accounts"), _FEW),
        **dict.fromkeys(("aggregated_account_summary", "cancel_on_disconnect"), _FEW),
        **dict.fromkeys(("get_all_initial_leverage", "set_initial_leverage"), _FEW),
        "set_position_config": _FEW,
        **dict.fromkeys(("all_instruments", "instruments", "instrument", "currency"), _MANY),
        **dict.fromkeys(("margin_rules", "mini", "ticker"), _MANY),
        **dict.fromkeys(("book", "trade", "trade_history", "funding"), _SOME),
    }

    def __init__(self, exchange: SimExchange, **world: Any) -> None:
        rng, timers = world["rng"], world["timers"]
        self._keys = {name: _secret(rng) for name in exchange.accounts}
        self._api_keys = {f"sim{rng.getrandbits(128):032x}": name for name in exchange.accounts}
        self._mains = {name: f"0x{rng.getrandbits(160):040x}" for name in exchange.accounts}
        self._sessions: dict[str, Login] = {}
        self._issued: list[str] = []
        self.market = MarketData(exchange)
        self.streams = Streams(exchange, self.market, timers)
        self.desk = OrderDesk(
            exchange,
            timers,
            {name: frozenset({evm.address_of(key)}) for name, key in self._keys.items()},
            on_missed=self._push_missed,
            on_dropped=self._push_order,
        )
        self.accounts = AccountData(exchange, self.market, self.streams, self.desk, self._mains)
        private: dict[str, Callable[[str, dict[str, Json]], Json]] = {
            "create_order": self._create,
            "cancel_order": self._cancel,
            "cancel_all_orders": self._cancel_all,
            "cancel_on_disconnect": self._cancel_on_disconnect,
            "bulk_orders": self._bulk,
            **self.accounts.answers,
        }
        self._private = private
        self.socket = RpcSocket(self.streams, private, self.market.answers, self._account)
        super().__init__(exchange, **world)

    # ---------------------------------------------------------------- what it is

    @classmethod
    def make_exchange(cls, clock: Clock, rng: random.Random, latency: LatencyModel) -> SimExchange:
        """One account of 100,000 USDT; fees of tier 1 (help.grvt.io, read 2026-10-22)."""
        fees = FeeModel(maker=Decimal("-0.000001"), taker=Decimal("0.00045"))
        bumped = replace(latency, taker_delay=SPEED_BUMP)
        exchange = SimExchange(
            cls.name, clock=clock, markets=MARKETS, fees=fees, latency=bumped, rng=rng
        )
        exchange.add_account(str(rng.randrange(10**15, 10**16)), BALANCE)
        return exchange

    def endpoints(self, port: int) -> dict[str, str]:
        rest, socket = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
        return {
            "edge": rest + EDGE,
            "trade": rest + TRADES,
            "market": rest + MARKET,
            "trade_ws": f"{socket}{TRADES}/ws/full",
            "market_ws": f"{socket}{MARKET}/ws/full",
        }

    def credentials(self) -> dict[str, str]:
        api_key, account = next(iter(self._api_keys.items()))
        return {
            "api_key": api_key,
            "private_key": f"0x{self._keys[account]:064x}",
            "sub_account_id": account,
        }

    def routes(self) -> Iterable[tuple[str, str, Callable[[SimRequest], SimReply]]]:
        yield "POST", f"{EDGE}/auth/api_key/login", self.login
        yield "GET", f"{MARKET}/time", self._time
        for name in self.market.answers:
            yield "POST", f"{MARKET}/full/v1/{name}", self._answer_public
        for name in self._private:
            version = "v2" if name == "bulk_orders" else "v1"
            yield "POST", f"{TRADES}/full/{version}/{name}", self._answer_private

    def op_of(self, request: SimRequest) -> str:
        if request.path.startswith(EDGE):
            return "auth"
        name = _name(request)
        if request.path.startswith(MARKET):
            return "meta" if name in self.market.answers else ""
        return OPS.get(name, "")

    def scope_of(self, request: SimRequest) -> tuple[str, str, int]:
        """Each endpoint has a bucket of its own; a bulk request pays for each order it creates."""
        name = _name(request)
        session = self._session(request.headers)
        whose = session.account if session else request.remote
        if name == "bulk_orders":
            orders = len(decode_object(request.body).get("orders") or ())
            return ("create_order", whose, orders) if orders else ("cancel_order", whose, 1)
        return (name if name in self.limits else ""), whose, 1

    def describe(self, request: SimRequest) -> Mapping[str, str]:
        body = decode_object(request.body)
        ids = {
            "order_id": str(body.get("order_id") or ""),
            "client_id": str(body.get("client_order_id") or ""),
        }
        try:
            wire = parse_order(body.get("order"))
        except Refusal:
            return ids
        return {
            "side": "buy" if wire.buying else "sell",
            "symbol": wire.instrument,
            "size": str(wire.size),
            "price": str(wire.price) if wire.price else "",
            "client_id": wire.client_id,
            "reduce_only": str(wire.reduce_only).lower(),
            "post_only": str(wire.post_only).lower(),
        }

    # ---------------------------------------------------------------- sessions

    def login(self, request: SimRequest) -> SimReply:
        """A wrong key is refused with status 200 and `"status": "failure"`, as live."""
        account = self._api_keys.get(str(decode_object(request.body).get("api_key")))
        if account is None:
            message = "API key is invalid"
            return SimReply({"location": "", "status": "failure", "message": message})
        token = f"{self.rng.getrandbits(256):064x}"
        expires_ns = self.clock.now_ns() + SESSION_SECONDS * 10**9
        self._issued.append(token)
        self._sessions[token] = Login(account, self._mains[account], expires_ns)
        expires = formatdate(expires_ns // 10**9, usegmt=True)
        cookie = f"gravity={token}; Path=/; Expires={expires}; Max-Age={SESSION_SECONDS}; HttpOnly"
        return SimReply(
            {
                "location": "",
                "status": "success",
                "funding_account_address": self._mains[account],
                "sub_account_id": account,
            },
            headers={"Set-Cookie": cookie, "X-Grvt-Account-Id": self._mains[account]},
        )

    def issued(self) -> Iterable[str]:
        return self._issued

    def expire_sessions(self) -> None:
        """Every session ends now; sockets stay open, and their calls are answered 1000."""
        self._sessions.clear()

    def restart_gateway(self) -> None:
        """Stream counters begin again; connections are the server's to close."""
        self.streams.restart()

    def _session(self, headers: Mapping[str, str]) -> Login | None:
        """The session that the two headers name, if it is alive."""
        session = self._sessions.get(_cookie(headers.get("cookie", ""), "gravity"))
        if session is None or session.expires_ns <= self.clock.now_ns():
            return None
        return session if headers.get("x-grvt-account-id") == session.main else None

    def _account(self, headers: Mapping[str, str], body: dict[str, Json]) -> str:
        """The trading account a private call is for.

        Raises: Refusal 1000 without a session, 1001 for somebody else's account.
        """
        session = self._session(headers)
        if session is None:
            raise Refusal(1000)
        if str(body.get("sub_account_id") or session.account) != session.account:
            raise Refusal(1001)
        return session.account

    # ---------------------------------------------------------------- REST

    def _time(self, _: SimRequest) -> SimReply:
        return SimReply({"server_time": self.clock.now_ms()})

    def _answer_public(self, request: SimRequest) -> SimReply:
        return _guarded(lambda: self.market.answers[_name(request)](_checked_body(request)))

    def _answer_private(self, request: SimRequest) -> SimReply:
        def answer() -> Json:
            if self._session(request.headers) is None:
                raise Refusal(1000)
            body = _checked_body(request)
            account = self._account(request.headers, body)
            return self._private[_name(request)](account, body)

        return _guarded(answer)

    def render_reject(self, request: SimRequest, kind: str, code: str) -> SimReply:
        """A post-only refusal is no answer: the create is PENDING and the stream says no."""
        if kind == "POST_ONLY" and not code and _name(request) == "create_order":
            before = self.exchange.twist
            self.exchange.twist = Twist(fate=(OrderStatus.REJECTED, 0.0))
            try:
                return self._answer_private(request)
            finally:
                self.exchange.twist = before
        body, status = render_error(int(code) if code.isdigit() else REJECTS.get(kind, 1002))
        return SimReply(body, status)

    def render_rate_limited(self, request: SimRequest, retry_after: float) -> SimReply:
        """No Retry-After: nobody has seen GRVT send one."""
        body, status = render_error(1006)
        return SimReply(body, status)

    def render_not_found(self, request: SimRequest) -> SimReply:
        return SimReply("404 page not found", 404)

    # ---------------------------------------------------------------- commands

    def _create(self, account: str, body: dict[str, Json]) -> Json:
        with self.streams.after_the_answer():
            return {"result": self.desk.create(account, body.get("order"))}

    def _bulk(self, account: str, body: dict[str, Json]) -> Json:
        with self.streams.after_the_answer():
            return self.desk.bulk(account, body)

    def _cancel(self, account: str, body: dict[str, Json]) -> Json:
        self.desk.cancel(account, body)
        return {"result": {"ack": True}}

    def _cancel_all(self, account: str, body: dict[str, Json]) -> Json:
        self.desk.cancel_all(account, body)
        return {"result": {"ack": True}}

    def _cancel_on_disconnect(self, account: str, body: dict[str, Json]) -> Json:
        self.desk.arm(account, body)
        return {"result": {"ack": True}}

    # ---------------------------------------------------------------- sockets

    def ends(self) -> tuple[RpcSocket, Streams]:
        return self.socket, self.streams

    def accept_ws(self, conn: SimConnection) -> SimReply | None:
        """Any handshake is accepted; without a session every private call is answered 1000."""
        conn.private = conn.path.startswith(TRADES)
        session = self._session(conn.headers) if conn.private else None
        conn.account = session.account if session else ""
        return None

    # ---------------------------------------------------------------- pushes

    def render_event(self, event: SimEvent) -> None:
        self.market.note(event)
        match event:
            case OrderChanged(order):
                self._push_order(order)
            case Traded(fill):
                account, symbol = fill.order.account, fill.order.symbol
                body = self.accounts.note_fill(fill)
                self.streams.push_account("v1.fill", account, symbol, body)
            case PositionChanged(position):
                self.accounts.note_position(position)
                self.streams.push_account(
                    "v1.position",
                    position.account,
                    position.symbol,
                    lambda: self.streams.position(position),
                )
            case PublicTrade():
                self.streams.push_trade(event.symbol)

    def _push_order(self, order: SimOrder) -> None:
        account, symbol = order.account, order.symbol
        push = self.streams.push_account
        push("v1.state", account, symbol, lambda: render.render_state_frame(order))
        push(
            "v1.order",
            account,
            symbol,
            lambda: render.render_order(order, render.render_state(order)),
        )

    def _push_missed(self, account: str, client_id: str, order_id: str) -> None:
        now = self.clock.now_ns()
        self.streams.push_account(
            "v1.cancel",
            account,
            "",
            lambda: render.render_missed_cancel(account, client_id, order_id, now),
        )


# --------------------------------------------------------------------------- helpers


def _guarded(answer: Callable[[], Json]) -> SimReply:
    try:
        return SimReply(answer())
    except Refusal as refusal:
        body, status = render_error(refusal.code)
        return SimReply(body, status)


def _name(request: SimRequest) -> str:
    return request.path.rpartition("/")[2]


def _secret(rng: random.Random) -> int:
    return rng.randrange(1, evm.N)


def _cookie(header: str, name: str) -> str:
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


def _checked_body(request: SimRequest) -> dict[str, Json]:
    """Raises: Refusal 1003 for another content type, an empty body, or no object."""
    if not request.headers.get("content-type", "application/json").startswith("application/json"):
        raise Refusal(1003)
    try:
        body = _decode(request.body)
    except msgspec.DecodeError as error:
        raise Refusal(1003) from error
    if not isinstance(body, dict):
        raise Refusal(1003)
    return body

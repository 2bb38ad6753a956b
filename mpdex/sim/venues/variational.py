"""The simulated Variational (Omni): the calls of its web page, and its sockets, on one port.

The wall in front is simulated as far as plain HTTP shows it: a client must look like a browser.
Quotes and orders are `variational_orders`, what everybody may read `variational_market`, sessions
`variational_login`, sockets `variational_streams`. Not simulated: triggers (take-profit,
stop-loss), candles, transfers, conversions between sub-accounts, the captcha of new accounts.

Source: Magicianhax/variational-trading-api, `docs/API.md` (635b894), `docs/AUTH.md`,
`docs/ACCESS.md` (92bf303); journeyanhk/grid-bot-wg 08c5bab (captures of 2026-09-08);
NA-DEGEN-GIRL/multi-perp-dex 0a105d0; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from mpdex.sim.models import LatencyModel
from mpdex.sim.records import SimEvent, SimOrder
from mpdex.sim.venue import Handler, SimConnection, SimReply, SimRequest, SimVenue
from mpdex.sim.venues import variational_render as render
from mpdex.sim.venues import variational_wire as wire
from mpdex.sim.venues.variational_login import Logins
from mpdex.sim.venues.variational_market import MarketData
from mpdex.sim.venues.variational_orders import OrderDesk
from mpdex.sim.venues.variational_streams import INTERESTS, PATHS, Streams
from mpdex.sim.venues.variational_truth import VariationalTruth
from mpdex.sim.venues.variational_wire import Refusal
from mpdex.sim.venues.variational_wire import render as refused
from mpdex.types import Json, Limit
from mpdex.utils.clock import Clock

API = "/api"
STATS = "/metadata/stats"
Answer = Callable[[str, Mapping[str, Any]], Json]
# Fault op of each call; the metadata and quotes are "meta", what is not here cannot be bent.
OPS = {
    "/orders/new/market": "place",
    "/orders/new/limit": "place",
    "/orders/close_all": "place",
    "/quotes/accept": "place",
    "/orders/cancel": "cancel",
    "/orders/v2": "query_order",
    "/trades": "query_fills",
    "/positions": "query_positions",
    "/portfolio": "query_balance",
    "/settlement_pools/details": "query_balance",
    "/settlement_pools/leverage": "query_leverage",
    "/settlement_pools/set_leverage": "leverage",
    "/auth/generate_signing_data": "auth",
    "/auth/login": "auth",
    "/me": "auth",
}
# Which budget a call draws from, by its fault op. Nothing is published: twice what a careful client
# allows itself (UNVERIFIED).
SCOPES = {"place": "orders", "cancel": "orders", "leverage": "orders", "auth": "metadata"}


class VariationalSim(SimVenue):
    """Variational's wire over the truth of one exchange."""

    name = "variational"
    ws_paths = PATHS
    interests = INTERESTS
    limits: ClassVar[Mapping[str, Limit]] = {
        "orders": Limit(12, 10.0),
        "reads": Limit(40, 10.0),
        "quotes": Limit(60, 10.0),
        "metadata": Limit(12, 60.0),
    }
    fields: ClassVar[Mapping[str, str]] = {
        "price": "price",
        "size": "qty",
        "side": "side",
        "status": "status",
        "bid": "bid",
        "ask": "ask",
        "ts": "timestamp",
        "position": "qty",
        "liquidation": "estimated_liquidation_price",
        "leverage": "current",
        "step": "min_qty_tick",
        "min_size": "min_qty",
        "free": "cross_available",
        "equity": "balance",
    }
    exchange: VariationalTruth

    def __init__(self, exchange: VariationalTruth, **world: Any) -> None:
        super().__init__(exchange, **world)
        self.market = MarketData(exchange)
        self.logins = Logins(exchange)
        self.desk = OrderDesk(exchange)
        self.streams = Streams(exchange, self.timers, self.logins)

    # ---------------------------------------------------------------- what it is

    @classmethod
    def make_exchange(
        cls, clock: Clock, rng: random.Random, latency: LatencyModel
    ) -> VariationalTruth:
        """One wallet with 100,000 USDC and no fees."""
        exchange = VariationalTruth(cls.name, clock=clock, rng=rng, latency=latency)
        exchange.open_wallet(rng.randrange(10**9))
        return exchange

    def endpoints(self, port: int) -> dict[str, str]:
        host = f"http://127.0.0.1:{port}"
        return {"rest": host + API, "stats": host}

    def credentials(self) -> dict[str, str]:
        """The wallet and its key."""
        address, key = next(iter(self.exchange.wallets.items()))
        return {"wallet_address": address, "wallet_private_key": f"0x{key:064x}"}

    def token_credentials(self) -> dict[str, str]:
        """The other way in: the cookie of a browser that is signed in, and no key."""
        address = next(iter(self.exchange.wallets))
        return {"wallet_address": address, "vr_token": self.logins.open_session(address)}

    def other_credentials(self) -> Iterable[dict[str, str]]:
        return (self.token_credentials(),)

    def routes(self) -> Iterable[tuple[str, str, Handler]]:
        yield "GET", STATS, lambda request: SimReply(self.market.answer_stats(request))
        for method, path, answer in self._calls():
            yield method, API + path, _guarded(answer)

    def _calls(self) -> Iterable[tuple[str, str, Handler]]:
        market = self.market
        yield "POST", "/auth/generate_signing_data", self.logins.answer_text
        yield "POST", "/auth/login", self.logins.answer_login
        yield "POST", "/auth/logout", self.logins.answer_logout
        yield "GET", "/me", self.logins.answer_me
        for path, public in (
            ("/metadata/supported_assets", market.assets),
            ("/metadata/config", market.config),
            ("/metadata/tiers", market.tiers),
            ("/metadata/v2/risk_limits", market.risk_limits),
            ("/metadata/v2/open_interest", market.open_interest),
            ("/funding/v2", market.funding),
            ("/ff", market.flags),
        ):
            yield "GET", path, _public(public)
        yield "POST", "/quotes/simple", self._quote
        yield "POST", "/quotes/indicative", self._private(self._indicative)
        yield "POST", "/quotes/accept", self._private(self._market_order)
        yield "POST", "/orders/new/market", self._private(self._market_order)
        yield "POST", "/orders/new/limit", self._private(self._limit_order)
        yield "POST", "/orders/cancel", self._private(self.desk.cancel)
        yield "POST", "/orders/close_all", self._private(self._close_all)
        yield "GET", "/orders/v2", self._private(self.desk.answer_orders)
        yield "GET", "/trades", self._private(self.desk.answer_trades)
        yield "GET", "/positions", self._private(self._positions)
        yield "GET", "/portfolio", self._private(self._portfolio)
        yield "GET", "/settlement_pools/details", self._private(self._pool)
        yield "POST", "/settlement_pools/leverage", self._private(self._leverage)
        yield "POST", "/settlement_pools/set_leverage", self._private(self._set_leverage)
        yield "POST", "/sub_accounts/isolate", self._private(self._isolate)
        yield "POST", "/sub_accounts/deisolate", self._private(self._deisolate)

    def op_of(self, request: SimRequest) -> str:
        path = request.path.removeprefix(API)
        if path == "/orders/v2" and request.query.get("status") == "pending":
            return "query_open"
        if path.startswith(("/metadata/", "/funding/", "/quotes/")) and path not in OPS:
            return "meta"
        return OPS.get(path, "")

    def scope_of(self, request: SimRequest) -> tuple[str, str, int]:
        """Of an address: nothing says that it is of an account."""
        path, op = request.path.removeprefix(API), self.op_of(request)
        if path in ("/quotes/simple", "/quotes/indicative"):
            return "quotes", request.remote, 1
        if op == "meta":
            return "metadata", request.remote, 1
        return SCOPES.get(op, "reads"), request.remote, 1

    def describe(self, request: SimRequest) -> Mapping[str, str]:
        op = self.op_of(request)
        if op not in ("place", "cancel"):
            return {}
        try:
            fields = wire.read_object(request)
        except Refusal:
            return {}
        quote = self.desk.quotes.get(str(fields.get("quote_id")))
        instrument = fields.get("instrument")
        named = instrument.get("underlying") if isinstance(instrument, dict) else ""
        return {
            "side": str(fields.get("side", "")),
            "symbol": quote.market.symbol if quote else str(named),
            "size": wire.plain(quote.size) if quote else str(fields.get("qty", "")),
            "price": str(fields.get("limit_price") or ""),
            "order_id": str(fields.get("rfq_id", "")),
            "reduce_only": str(fields.get("is_reduce_only") is True).lower(),
            "post_only": "false",
        }

    # ---------------------------------------------------------------- sessions

    def issued(self) -> Iterable[str]:
        return self.logins.issued()

    def expire_sessions(self) -> None:
        self.logins.expire()

    def _private(self, answer: Answer) -> Handler:
        """Bodies of POSTs, queries of anything else."""

        def handle(request: SimRequest) -> SimReply:
            account = self.logins.identify(request)
            asks = request.query if request.method == "GET" else wire.read_object(request)
            body = answer(account, asks)
            return SimReply(b"null") if body is None else SimReply(body)

        return handle

    # ---------------------------------------------------------------- orders

    def _quote(self, request: SimRequest) -> SimReply:
        quote = self.desk.quote(wire.read_object(request), "")
        return SimReply(self.market.quote(quote))

    def _indicative(self, account: str, fields: Mapping[str, Any]) -> Json:
        return self.market.indicative(self.desk.quote(fields, account))

    def _market_order(self, account: str, fields: Mapping[str, Any]) -> Json:
        return _acknowledged(self.desk.accept(account, fields))

    def _limit_order(self, account: str, fields: Mapping[str, Any]) -> Json:
        return _acknowledged(self.desk.place_limit(account, fields))

    def _close_all(self, account: str, fields: Mapping[str, Any]) -> Json:
        """UNVERIFIED: its answer."""
        placed = self.desk.close_all(account, fields)
        return _acknowledged(placed[0]) if placed else None

    # ---------------------------------------------------------------- account

    def _positions(self, account: str, _: Mapping[str, Any]) -> Json:
        truth = self.exchange
        return [render.render_position(held, truth) for held in truth.positions(account)]

    def _portfolio(self, account: str, _: Mapping[str, Any]) -> Json:
        return render.render_portfolio(account, self.exchange)

    def _pool(self, account: str, _: Mapping[str, Any]) -> Json:
        """An older call. UNVERIFIED: that it is still there."""
        told = render.render_portfolio(account, self.exchange)
        free = told["sub_accounts"]["cross_available"]
        return {"balance": told["balance"], "max_withdrawable_amount": free}

    def _leverage(self, account: str, fields: Mapping[str, Any]) -> Json:
        """UNVERIFIED: that there are several steps, each with a larger margin."""
        assets = fields.get("assets")
        if not isinstance(assets, list) or not all(a in self.exchange.markets for a in assets):
            raise Refusal(wire.MALFORMED)
        return {asset: self._leverage_of(account, asset) for asset in assets}

    def _leverage_of(self, account: str, asset: str) -> Json:
        least = wire.plain(1 / self.exchange.markets[asset].max_leverage)
        steps = [
            {"notional_lower_bound": "0", "min_im": least},
            {"notional_lower_bound": "10000000", "min_im": "0.1"},
        ]
        current = self.exchange.ledger.leverage(account, asset)
        return {"current": wire.plain(current), "limits": steps}

    def _set_leverage(self, account: str, fields: Mapping[str, Any]) -> Json:
        market = self.exchange.markets.get(str(fields.get("asset")))
        wanted = wire.read_amount(fields, "leverage")
        if market is None or not 1 <= wanted <= market.max_leverage:
            raise Refusal(wire.MALFORMED)
        self.exchange.set_leverage(account, market.symbol, wanted)
        now = self.exchange.ledger.leverage(account, market.symbol)
        return {"current": wire.plain(now), "max": int(market.max_leverage)}

    def _isolate(self, account: str, fields: Mapping[str, Any]) -> Json:
        market = wire.read_instrument(fields, self.exchange.markets)
        self.exchange.isolated.add((account, market.symbol))
        return None

    def _deisolate(self, account: str, fields: Mapping[str, Any]) -> Json:
        market = wire.read_instrument(fields, self.exchange.markets)
        self.exchange.isolated.discard((account, market.symbol))
        return None

    # ---------------------------------------------------------------- refusals

    def render_reject(self, request: SimRequest, kind: str, code: str) -> SimReply:
        """What clearing refuses is acknowledged first."""
        if kind == "RATE":
            return wire.over_limit(0, orders=self.op_of(request) == "place")
        reason = wire.LATE_REJECTS.get(kind, "")
        if reason and self.op_of(request) == "place":
            return _guarded(self._private(lambda a, f: self._refuse_later(a, f, reason)))(request)
        fault = wire.REJECTS.get(kind, wire.MALFORMED)
        return refused(fault._replace(status=int(code)) if code.isdigit() else fault)

    def _refuse_later(self, account: str, fields: Mapping[str, Any], reason: str) -> Json:
        return {"rfq_id": self.desk.refuse_later(account, fields, reason)}

    def render_rate_limited(self, request: SimRequest, retry_after: float) -> SimReply:
        return wire.over_limit(retry_after, orders=self.scope_of(request)[0] == "orders")

    def render_not_found(self, request: SimRequest) -> SimReply:
        return refused(wire.NOT_FOUND)

    # ---------------------------------------------------------------- sockets

    def accept_ws(self, conn: SimConnection) -> SimReply | None:
        self.streams.open(conn)
        return None

    def accept_message(self, conn: SimConnection, text: str) -> Json | None:
        self.streams.accept(conn, text)
        return None

    def close_ws(self, conn: SimConnection) -> None:
        self.streams.forget(conn)

    def render_event(self, event: SimEvent) -> None:
        self.streams.render(event)


def _acknowledged(order: SimOrder) -> Json:
    """Of every order; whether it is cleared, is told later."""
    return {"rfq_id": order.order_id}


def _public(answer: Callable[[Mapping[str, str]], Json]) -> Handler:
    return lambda request: SimReply(answer(request.query))


def _guarded(answer: Handler) -> Handler:
    """Behind the wall, and with refusals as answers."""

    def handle(request: SimRequest) -> SimReply:
        wall = wire.challenge(request)
        if wall is not None:
            return wall
        try:
            return answer(request)
        except Refusal as refusal:
            return refused(refusal.fault)

    return handle

"""Sockets of the simulated Variational: prices for all, events and the portfolio of one account.

Nothing is confirmed, and whatever is wrong is said in plain text before the close. There are no
protocol pings; a heartbeat comes every five seconds.

Source: Magicianhax/variational-trading-api, `docs/API.md` (635b894), `src/ws/*.ts`,
`test/ws.test.ts` (c1f63b9, live 2026-08-13); read 2026-11-21. UNVERIFIED: the members of `/events`
frames, which come from the page's own handlers; what `/market_status` says. Not simulated: that an
unknown path opens before it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mpdex.sim.models import Timers
from mpdex.sim.records import MarkChanged, OrderChanged, PositionChanged, SimEvent, Traded
from mpdex.sim.venue import SimConnection
from mpdex.sim.venues import variational_render as render
from mpdex.sim.venues import variational_wire as wire
from mpdex.sim.venues.variational_login import Logins
from mpdex.sim.venues.variational_truth import VariationalTruth
from mpdex.types import Json

PRICES, EVENTS, PORTFOLIO = "/prices", "/events", "/portfolio"
PATHS = (PRICES, EVENTS, PORTFOLIO, "/market_status")
INTERESTS = (OrderChanged, Traded, PositionChanged, MarkChanged)
HEARTBEAT, PATIENCE, EVERY = 5.0, 2.5, 0.25  # seconds
_PRIVATE = (EVENTS, PORTFOLIO)
_ENDED = ("ended", "rejected")
LATE_CLAIMS = "Token timeout: Unauthorized"
BAD_CLAIMS = "Token format incorrect, could not deserialize"


class Streams:
    """Every open socket."""

    def __init__(self, truth: VariationalTruth, timers: Timers, logins: Logins) -> None:
        self._truth = truth
        self._timers = timers
        self._logins = logins
        self._open: dict[int, SimConnection] = {}

    # ---------------------------------------------------------------- connections

    def open(self, conn: SimConnection) -> None:
        self._open[conn.id] = conn
        conn.private = conn.path in _PRIVATE
        self._beat(conn)
        if conn.private:
            self._timers.after(PATIENCE, lambda: self._expect_token(conn))

    def forget(self, conn: SimConnection) -> None:
        self._open.pop(conn.id, None)

    def _refuse(self, conn: SimConnection, text: str) -> None:
        conn.send(text, "ack")
        conn.close()

    def _beat(self, conn: SimConnection) -> None:
        if conn.id in self._open:
            conn.send({"type": "heartbeat", "timestamp": wire.stamp(self._truth.clock.now_ns())})
            self._timers.after(HEARTBEAT, lambda: self._beat(conn))

    def _expect_token(self, conn: SimConnection) -> None:
        if conn.id in self._open and not conn.account:
            self._refuse(conn, LATE_CLAIMS)

    # ---------------------------------------------------------------- what clients say

    def accept(self, conn: SimConnection, text: str) -> None:
        message = _read(text)
        if conn.private and not conn.account:
            self._greet(conn, message)
        elif conn.path == PRICES and isinstance(message, dict):
            self._change(conn, message)

    def _greet(self, conn: SimConnection, message: Json) -> None:
        claims = message.get("claims") if isinstance(message, dict) else None
        account = self._logins.holder(claims) if isinstance(claims, str) else ""
        if not account:
            self._refuse(conn, BAD_CLAIMS)
            return
        conn.account = account
        if conn.path == PORTFOLIO:
            self._tell_portfolio(conn)

    def _change(self, conn: SimConnection, message: Mapping[str, Any]) -> None:
        """Without an answer; dropping the last instrument ends the connection."""
        for given in message.get("instruments") or ():
            try:
                market = wire.read_instrument({"instrument": given}, self._truth.markets)
            except wire.Refusal:
                name = given.get("underlying") if isinstance(given, dict) else given
                self._refuse(conn, f"unsupported instrument: P-{name}-USDC-3600")
                return
            if message.get("action") == "subscribe":
                conn.topics[market.symbol] = True
                self._tell_price(conn, market.symbol)
            else:
                conn.topics.pop(market.symbol, None)
        if message.get("action") == "unsubscribe" and not conn.topics:
            conn.close()

    # ---------------------------------------------------------------- what is told

    def render(self, event: SimEvent) -> None:
        match event:
            case MarkChanged(symbol):
                for conn in self._at(PRICES):
                    if symbol in conn.topics:
                        self._tell_price(conn, symbol)
            case Traded(fill):
                row = render.render_trade(fill, self._truth.markets[fill.order.symbol])
                self._tell_event(fill.order.account, "trade", row, "fill")
            case OrderChanged(order, cause) if cause in _ENDED:
                row = render.render_order(order, self._truth.markets[order.symbol])
                if row["status"] == "canceled":
                    named = {"order_id": order.order_id, "rfq_id": order.order_id}
                    self._tell_event(order.account, "canceled_order", named, "order")
                else:
                    names = ("rfq_id", "clearing_status", "failed_risk_checks")
                    cleared = {name: row[name] for name in names}
                    self._tell_event(order.account, "clearing_event", cleared, "order")

    def _tell_event(self, account: str, kind: str, data: Json, frame: str) -> None:
        for conn in self._at(EVENTS):
            if conn.account == account:
                conn.send({"type": kind, "data": data}, frame)

    def _tell_price(self, conn: SimConnection, symbol: str) -> None:
        """The mark, rounded for display."""
        market, mark = self._truth.markets[symbol], self._truth.mark(symbol)
        pricing = {
            "price": render.cents(mark),
            "native_price": "0.9995",
            "delta": "1",
            **dict.fromkeys(("gamma", "theta", "vega", "rho", "iv"), "0"),
            "underlying_price": render.cents(mark),
            "interest_rate": "0.0000606999999999999982061225",
            "timestamp": wire.stamp(self._truth.clock.now_ns())[:26] + "Z",
        }
        channel = f"instrument_price:{wire.instrument_key(market)}"
        conn.send({"channel": channel, "pricing": pricing}, "mark")

    def _tell_portfolio(self, conn: SimConnection) -> None:
        """Four times a second."""
        if conn.id not in self._open:
            return
        truth, account = self._truth, conn.account
        held = [render.render_position(position, truth) for position in truth.positions(account)]
        portfolio = render.render_portfolio(account, truth)
        conn.send({"pool_portfolio_result": portfolio, "positions": held}, "position")
        self._timers.after(EVERY, lambda: self._tell_portfolio(conn))

    def _at(self, path: str) -> list[SimConnection]:
        return [conn for conn in self._open.values() if conn.path == path]


def _read(text: str) -> Json:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None

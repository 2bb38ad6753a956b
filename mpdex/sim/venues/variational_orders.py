"""Quotes and orders of the simulated Variational.

A quote is for one size and both sides, lives for a while and is accepted once; the order that
accepts it is acknowledged at once and cleared, or not, a moment later. UNVERIFIED: how long a quote
lives, that it can be accepted once only, and that one without a session cannot be.

Source: Magicianhax/variational-trading-api, `docs/API.md` (635b894), `src/schemas.ts` (c1f63b9);
read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mpdex.sim.records import SimFill, SimMarket, SimOrder
from mpdex.sim.venues import variational_render as render
from mpdex.sim.venues import variational_wire as wire
from mpdex.sim.venues.variational_truth import LEAST_VALUE, VariationalTruth
from mpdex.sim.venues.variational_wire import Refusal
from mpdex.types import Json, Side, TimeInForce

QUOTE_SECONDS = 2.0
MOST_QUOTES = 10_000
SLIPPAGE = Decimal("0.005")  # of a limit order that names none
FAR = Decimal(10)  # times the price, or a tenth of it: no such limit. UNVERIFIED


@dataclass(slots=True)
class Quote:
    """What the provider would trade for. `account`: "" where nobody was signed in."""

    id: str
    account: str
    market: SimMarket
    size: Decimal
    bid: Decimal
    ask: Decimal
    at_ns: int


class OrderDesk:
    """Quotes and orders of all accounts.

    Attributes:
        quote_seconds: how long a quote may be accepted.
        once: a quote can be accepted once only.

    Raises: Refusal.
    """

    def __init__(self, truth: VariationalTruth) -> None:
        self.quote_seconds = QUOTE_SECONDS
        self.once = True
        self.quotes: dict[str, Quote] = {}
        self._truth = truth

    # ---------------------------------------------------------------- quotes

    def quote(self, fields: Mapping[str, Json], account: str) -> Quote:
        """A new one."""
        truth = self._truth
        market = wire.read_instrument(fields, truth.markets)
        size = wire.read_amount(fields, "qty")
        wire.check_size(market, size, None)
        if size * truth.mark(market.symbol) < LEAST_VALUE:
            raise Refusal(wire.TOO_SMALL)
        bid = truth.price_of(market.symbol, "sell", size)
        ask = truth.price_of(market.symbol, "buy", size)
        if bid is None or ask is None or truth.halted == "down":
            raise Refusal(wire.NO_QUOTE)
        quote = Quote(truth.new_id(), account, market, size, bid, ask, truth.clock.now_ns())
        self.quotes[quote.id] = quote
        if len(self.quotes) > MOST_QUOTES:
            del self.quotes[next(iter(self.quotes))]
        return quote

    def _accepted(self, fields: Mapping[str, Json], account: str) -> Quote:
        quote = self.quotes.get(str(fields.get("quote_id")))
        if quote is None or quote.account != account:
            raise Refusal(wire.QUOTE_UNKNOWN)
        if self._truth.clock.now_ns() - quote.at_ns > int(self.quote_seconds * 1e9):
            raise Refusal(wire.QUOTE_EXPIRED)
        if self.once:
            del self.quotes[quote.id]
        return quote

    # ---------------------------------------------------------------- orders

    def accept(self, account: str, fields: Mapping[str, Json]) -> SimOrder:
        """A market order: size and market are those of the quote."""
        side = wire.read_side(fields)
        slippage = wire.read_slippage(fields.get("max_slippage"))
        reduces = wire.read_flag(fields, "is_reduce_only")
        quote = self._accepted(fields, account)
        price = quote.ask if side == "buy" else quote.bid
        worst = price * (1 + slippage if side == "buy" else 1 - slippage)
        order = self._order(account, quote.market, side, quote.size, reduces)
        order.tif = TimeInForce.FOK
        order.raw |= {"worst": worst, "slippage": slippage, "type": "market"}
        return self._truth.place(self._checked(order))

    def place_limit(self, account: str, fields: Mapping[str, Json]) -> SimOrder:
        """Waits until the provider's price is as good. Triggers are not simulated."""
        market = wire.read_instrument(fields, self._truth.markets)
        if fields.get("order_type") in ("take_profit", "stop_loss"):
            raise Refusal(wire.NOT_SIMULATED)
        if fields.get("order_type") != "limit":
            raise Refusal(wire.MALFORMED)
        side, reduces = wire.read_side(fields), wire.read_flag(fields, "is_reduce_only")
        resizes, by_mark = (wire.read_flag(fields, f) for f in ("is_auto_resize", "use_mark_price"))
        if by_mark:
            raise Refusal(wire.NOT_SIMULATED)
        size, price = (wire.read_amount(fields, name) for name in ("qty", "limit_price"))
        slippage = SLIPPAGE
        if fields.get("slippage_limit") is not None:
            slippage = wire.read_amount(fields, "slippage_limit")
        wire.check_size(market, size, price)
        order = self._order(account, market, side, size, reduces)
        order.price = price
        order.raw |= {"slippage": slippage, "type": "limit", "resizes": resizes}
        return self._truth.place(self._checked(order))

    def close_all(self, account: str, fields: Mapping[str, Json]) -> list[SimOrder]:
        """A reduce-only market order against each position."""
        slippage = wire.read_amount(fields, "slippage_percent")
        placed = []
        for position in self._truth.positions(account):
            side: Side = "sell" if position.size > 0 else "buy"
            size, market = abs(position.size), self._truth.markets[position.symbol]
            price = self._truth.price_of(position.symbol, side, size) or position.mark
            order = self._order(account, market, side, size, True)
            order.tif = TimeInForce.FOK
            worst = price * (1 + slippage if side == "buy" else 1 - slippage)
            order.raw |= {"worst": worst, "slippage": slippage, "type": "market"}
            placed.append(self._truth.place(order))
        return placed

    def cancel(self, account: str, fields: Mapping[str, Json]) -> None:
        """UNVERIFIED: what is said of an order that has ended."""
        number = fields.get("rfq_id")
        if not isinstance(number, str):
            raise Refusal(wire.MALFORMED)
        if self._truth.cancel(account, order_id=number) is None:
            raise Refusal(wire.NO_ORDER)

    def refuse_later(self, account: str, fields: Mapping[str, Json], reason: str) -> str:
        """An order that is acknowledged, and not cleared: its id."""
        quote = self.quotes.get(str(fields.get("quote_id")))
        if quote is None:
            order = self._order_of(account, fields)
        else:
            side = wire.read_side(fields)
            order = self._order(account, quote.market, side, quote.size, False)
            order.raw |= {"slippage": SLIPPAGE, "type": "market"}
        self._truth.refuse(order, reason)
        return order.order_id

    def _order_of(self, account: str, fields: Mapping[str, Json]) -> SimOrder:
        market = wire.read_instrument(fields, self._truth.markets)
        size = wire.read_amount(fields, "qty")
        order = self._order(account, market, wire.read_side(fields), size, False)
        order.price = wire.read_amount(fields, "limit_price")
        order.raw |= {"slippage": SLIPPAGE, "type": "limit"}
        return order

    def _order(
        self, account: str, market: SimMarket, side: Side, size: Decimal, reduces: bool
    ) -> SimOrder:
        """A client cannot name it: its one id is its name."""
        raw: dict[str, Any] = {"resizes": False}
        number = self._truth.new_id()
        return SimOrder(
            order_id=number,
            client_id=number,
            account=account,
            symbol=market.symbol,
            side=side,
            size=size,
            reduce_only=reduces,
            raw=raw,
        )

    def _checked(self, order: SimOrder) -> SimOrder:
        mark = self._truth.mark(order.symbol)
        if self._truth.halted or self._truth.markets[order.symbol].info["closing"]:
            if not order.reduce_only:
                raise Refusal(wire.CLOSE_ONLY)
        elif order.price is not None and not mark / FAR <= order.price <= mark * FAR:
            raise Refusal(wire.TOO_FAR)
        return order

    # ---------------------------------------------------------------- lists

    def answer_orders(self, account: str, query: Mapping[str, str]) -> Json:
        """Of the states that are asked for, and of one instrument if it is named by its key."""
        page = wire.read_page(query)
        wanted = set(query.get("status", ",".join(wire.STATUSES)).split(","))
        if not wanted <= wire.STATUSES:
            raise Refusal(wire.MALFORMED)
        rows = [
            render.render_order(order, self._truth.markets[order.symbol])
            for order in self._truth.order_history(account)
            if page.since_ns <= order.created_ns <= page.until_ns and self._named(page, order)
        ]
        rows = [row for row in rows if row["status"] in wanted]
        return page.cut(rows, self._truth.twist.page)

    def answer_trades(self, account: str, query: Mapping[str, str]) -> Json:
        page = wire.read_page(query)
        rows = [
            render.render_trade(fill, self._truth.markets[fill.order.symbol])
            for fill in self._truth.fills(account, page.since_ns)
            if fill.time_ns <= page.until_ns and self._named(page, fill)
        ]
        return page.cut(rows, self._truth.twist.page)

    def _named(self, page: wire.Page, what: SimOrder | SimFill) -> bool:
        order = what.order if isinstance(what, SimFill) else what
        key = wire.instrument_key(self._truth.markets[order.symbol])
        return page.key in (None, key) and order.reason != "dropped"

"""Order entry of the simulated Backpack: checks, one answer that is final for its moment, cancels.

A refused order never existed: no id, no event, no trace in the history. An order that the engine
ends after taking it (immediate-or-cancel remainder, price impact, self-trade) is answered 200 as
Expired with what it executed.

Source: docs.backpack.exchange, "Order", market filters; error texts as clients report them; read
2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, Decimal

from mpdex.sim.exchange import SimExchange
from mpdex.sim.records import ZERO, Level, SimMarket, SimOrder
from mpdex.sim.venues import backpack_render as render
from mpdex.sim.venues import backpack_wire as wire
from mpdex.sim.venues.backpack_market import MarketData
from mpdex.sim.venues.backpack_wire import Refusal, WireOrder, malformed, parse_order, parse_which
from mpdex.types import Json, OrderStatus, TimeInForce

LONGEST_BATCH = 50  # UNVERIFIED: the venue does not say
CENT = Decimal("0.01")
PROBLEMS = {
    "size": wire.SMALL_QUANTITY,
    "max_size": wire.LARGE_QUANTITY,
    "step": wire.LONG_QUANTITY,
    "price": wire.TOO_FAR,
    "tick": wire.LONG_PRICE,
}
REFUSED = {
    "post_only": wire.TAKES,
    "margin": wire.NO_MARGIN,
    "reduce_only": wire.REDUCES_NOT,
    "market": wire.PAUSED,
    "band": wire.TOO_FAR,
}


class OrderDesk:
    """Takes orders and cancels for the accounts of one venue."""

    def __init__(self, exchange: SimExchange, market: MarketData) -> None:
        self._exchange = exchange
        self._market = market

    # ---------------------------------------------------------------- place

    def place(self, account: str, fields: Json) -> dict[str, Json]:
        """Check and match one order.

        Returns: the order after matching.
        Raises: Refusal; nothing has been placed then.
        """
        sent = parse_order(fields)
        market = self._market.market({"symbol": sent.symbol})
        order = self._make(account, sent, market)
        self._exchange.place(order)
        if order.status is OrderStatus.REJECTED:
            spot = market.kind == "spot" and order.reason == "margin"
            raise Refusal(*(wire.NO_FUNDS if spot else REFUSED[order.reason]))
        return render.render_order(order)

    def place_batch(self, account: str, orders: Json) -> list[dict[str, Json]]:
        """Each order by itself; a refused one does not hold up the others."""
        if not isinstance(orders, list) or not 0 < len(orders) <= LONGEST_BATCH:
            raise malformed("Invalid batch")
        return [self._place_one(account, fields) for fields in orders]

    def _place_one(self, account: str, fields: Json) -> dict[str, Json]:
        try:
            return {"operation": "Ok", **self.place(account, fields)}
        except Refusal as refusal:
            return {"operation": "Err", "code": refusal.code, "message": refusal.message}

    def _make(self, account: str, sent: WireOrder, market: SimMarket) -> SimOrder:
        if sent.reduce_only and market.kind == "spot":
            raise Refusal("INVALID_ORDER", "Reduce only is for futures")
        opposite = self._opposite(sent)
        size = sent.quantity if sent.quantity is not None else _coins(sent.quote, opposite, market)
        problem = market.problem(size, sent.price)
        if problem:
            raise Refusal(*PROBLEMS[problem])
        if sent.price is not None:
            self._check_bands(market, sent.price)
        best = opposite[0][0] if opposite else ZERO
        order = SimOrder(
            account=account,
            symbol=market.symbol,
            side=sent.side,
            size=size,
            price=sent.price,
            client_id=sent.client_id,
            tif=sent.tif,
            post_only=sent.post_only,
            reduce_only=sent.reduce_only,
        )
        if sent.is_market:
            _bound(order, sent, market, best)
        return order

    def _opposite(self, sent: WireOrder) -> list[Level]:
        """What a market order looks at; a limit order does not need it."""
        if not sent.is_market:
            return []
        bids, asks, _ = self._exchange.book(sent.symbol)
        return asks if sent.side == "buy" else bids

    def _check_bands(self, market: SimMarket, price: Decimal) -> None:
        info, mark = market.info, self._exchange.mark(market.symbol)
        last = self._market.last_price(market.symbol)
        if last and not info["lowest"] * last <= price <= info["highest"] * last:
            raise Refusal(*wire.TOO_FAR)
        if mark and info["mean_band"]:
            low, high = info["mean_band"]
            if not low * mark <= price <= high * mark:
                raise Refusal(*wire.TOO_FAR)

    # ---------------------------------------------------------------- cancel and find

    def cancel(self, account: str, fields: Json) -> dict[str, Json]:
        """End one resting order.

        Returns: the order as Cancelled, also where a fault keeps it alive.
        """
        order = self.find(account, fields)
        self._exchange.cancel(account, order_id=order.order_id)
        return render.render_order(order, "Cancelled")

    def cancel_all(self, account: str, fields: Json) -> list[dict[str, Json]]:
        """End every resting order of a market; trigger orders there are none."""
        if not isinstance(fields, dict):
            raise malformed("Missing `symbol`")
        symbol = self._market.market(fields).symbol
        kind = fields.get("orderType", "RestingLimitOrder")
        if kind not in ("RestingLimitOrder", "ConditionalOrder", None):
            raise malformed("Invalid orderType")
        if kind == "ConditionalOrder":
            return []
        canceled = self._exchange.cancel_all(account, symbol)
        return [render.render_order(order, "Cancelled") for order in canceled]

    def find(self, account: str, fields: Json) -> SimOrder:
        """The resting order that exactly one id names; ended ones are not found."""
        which = parse_which(fields)
        self._market.market({"symbol": which.symbol})
        order = self._exchange.order(
            account, order_id=which.order_id or None, client_id=which.client_id or None
        )
        if order is None or not order.live or order.symbol != which.symbol:
            raise Refusal(*wire.NOT_FOUND)
        return order


def _bound(order: SimOrder, sent: WireOrder, market: SimMarket, best: Decimal) -> None:
    """A market order is an immediate limit order at the worst price the venue lets it eat to."""
    away = market.info["impact"] * best
    if sent.slippage is not None:
        slip = sent.slippage * (market.tick if sent.slippage_in_ticks else best / 100)
        away = min(away, slip)
    order.raw.update(
        market=True,
        slippage=sent.slippage is not None,
        quote_sized=sent.quantity is None,
        quote=sent.quote or (order.size * best).quantize(CENT, ROUND_CEILING),
    )
    if best:
        worst = best + away if order.side == "buy" else best - away
        order.price = worst // market.tick * market.tick
        order.tif = TimeInForce.FOK if sent.tif is TimeInForce.FOK else TimeInForce.IOC


def _coins(quote: Decimal | None, levels: Iterable[Level], market: SimMarket) -> Decimal:
    """Coins that so much quote currency buys or needs sold, on the grid."""
    left, coins = quote or ZERO, ZERO
    for price, size in levels:
        taken = min(size, left / price)
        coins += taken
        left -= taken * price
        if left <= 0:
            break
    return coins // market.step * market.step

"""Order entry of the simulated Hyperliquid: checks, one status an order, cancels, modifications.

What is wrong with an order as such is refused before it exists, and takes its whole batch with it;
what the state of the venue refuses has an id, a record and a place on the stream. Not simulated:
trigger orders, groups of them, TWAPs, and priority rates.

Source: hyperliquid.gitbook.io, "Exchange endpoint", "Error responses", and live answers; read
2026-11-21.
"""

from __future__ import annotations

from decimal import Decimal

from mpdex.sim.records import ZERO, SimMarket, SimOrder
from mpdex.sim.venues import hyperliquid_render as render
from mpdex.sim.venues import hyperliquid_wire as wire
from mpdex.sim.venues.hyperliquid_exchange import HyperliquidExchange
from mpdex.sim.venues.hyperliquid_gate import Gate
from mpdex.sim.venues.hyperliquid_market import MarketData
from mpdex.sim.venues.hyperliquid_wire import Refused
from mpdex.types import Json, OrderStatus, TimeInForce

FAR = Decimal("0.95")  # of the mark
TENTH_BP = Decimal("0.00001")
MOST_BUILDER_FEE = {"perp": 100, "spot": 1000}  # tenths of a basis point
# Greatest leverage of a market -> largest value of an immediate order; tenfold for others.
LARGEST = ((25, 30_000_000), (20, 5_000_000), (10, 2_000_000), (0, 500_000))
IMMEDIATE = ("Ioc", "FrontendMarket", "LiquidationMarket")


class Unacceptable(Exception):
    """An order that is refused before it exists, with its whole batch."""


class OrderDesk:
    """Takes orders, cancels and modifications for addresses of one venue."""

    def __init__(self, exchange: HyperliquidExchange, market: MarketData, gate: Gate) -> None:
        self._exchange = exchange
        self._market = market
        self._gate = gate

    # ---------------------------------------------------------------- place

    def place(
        self, address: str, orders: list[dict[str, Json]], builder: dict[str, Json] | None = None
    ) -> list[Json]:
        """Check and match orders in the venue's own form.

        Returns: a status each; only one where none of them came to exist.
        Raises: Refused for the whole action.
        """
        if not orders:
            raise Refused("Orders are empty.")
        try:
            made = [self.make(address, order) for order in orders]
        except Unacceptable as problem:
            return [{"error": str(problem)}]
        if builder is not None:
            rate = self._builder_rate(address, builder, made)
            for order in made:
                order.raw["builder_rate"] = rate
        return [self._enter(order) for order in made]

    def make(self, address: str, sent: dict[str, Json]) -> SimOrder:
        """An order, not placed.

        Raises: Unacceptable.
        """
        market = self._asset(sent["a"])
        if "trigger" in sent["t"]:
            raise Unacceptable(f"Trigger orders are not simulated. asset={sent['a']}")
        tif, price, size = sent["t"]["limit"]["tif"], Decimal(sent["p"]), Decimal(sent["s"])
        self._check(market, size, price, tif in IMMEDIATE)
        order = SimOrder(
            account=self._exchange.pool(address, market),
            symbol=market.symbol,
            side="buy" if sent["b"] else "sell",
            size=size,
            price=price,
            client_id=sent.get("c", ""),
            tif=TimeInForce.IOC if tif in IMMEDIATE else TimeInForce.GTC,
            post_only=tif == "Alo",
            reduce_only=sent["r"],
        )
        order.raw["tif"] = tif
        return order

    def _asset(self, asset: int) -> SimMarket:
        market = self._market.by_asset(asset)
        if market is None:
            raise Unacceptable(wire.NO_ASSET.format(asset=asset))
        return market

    def _check(self, market: SimMarket, size: Decimal, price: Decimal, immediate: bool) -> None:
        problem, mark = market.problem(size, price), self._exchange.mark(market.symbol)
        if not size:
            raise Unacceptable("Order has zero size.")
        if problem in ("size", "step"):
            raise Unacceptable("Order has invalid size.")
        if problem == "price":
            raise Unacceptable("Order has invalid price.")
        if mark and abs(price / mark - 1) > FAR:
            raise Unacceptable(wire.FAR_PRICE)
        largest = next(value for least, value in LARGEST if market.max_leverage >= least)
        largest *= 1 if immediate else 10
        if market.kind == "perp" and size * price > largest:
            raise Unacceptable(f"Order value too large. Max is ${largest}.")

    def _builder_rate(
        self, address: str, builder: dict[str, Json], orders: list[SimOrder]
    ) -> Decimal:
        """Fraction of notional that the builder gets."""
        fee, name = builder["f"], builder["b"]
        kinds = {self._exchange.markets[order.symbol].kind for order in orders}
        if fee > min(MOST_BUILDER_FEE[kind] for kind in kinds):
            raise Refused("Builder fee is too high.")  # UNVERIFIED text
        if fee > self._gate.builders.get((address, name), 0):
            raise Refused("Builder fee has not been approved.")
        return int(fee) * TENTH_BP

    def _enter(self, order: SimOrder) -> Json:
        bid, ask = self._exchange.best(order.symbol)
        if order.reduce_only:
            self._cap(order)
        self._exchange.place(order)
        if order.status is OrderStatus.REJECTED:
            text = wire.REFUSALS[order.reason][0].format(bid=_price(bid), ask=_price(ask))
            return {"error": self.about(text, order.symbol)}
        if order.live or order.reason == "dropped":
            return render.render_resting(order)
        if order.filled:
            return render.render_filled(order)
        return {"error": self.about(wire.REFUSALS["ioc"][0], order.symbol)}

    def _cap(self, order: SimOrder) -> None:
        """An order that only reduces is no larger than what there is to reduce."""
        held = self._exchange.accounts[order.account].size(order.symbol)
        reducible = -held if order.side == "buy" else held
        if reducible > 0:
            order.size = min(order.size, reducible)

    def about(self, text: str, symbol: str) -> str:
        """A refusal as it is told live, with the asset's id."""
        return f"{text} asset={self._exchange.markets[symbol].info['asset']}"

    # ---------------------------------------------------------------- cancel

    def cancel(self, address: str, asset: int, which: int | str) -> Json:
        """End a live order by its id, or by its client's.

        Returns: "success", also where a fault keeps it alive; else an error.
        """
        market = self._market.by_asset(asset)
        order = self.find(address, which)
        if market is None or order is None or not order.live or order.symbol != market.symbol:
            return {"error": f"{wire.GONE} asset={asset}"}
        self._exchange.cancel(order.account, order_id=order.order_id)
        return "success"

    def find(self, address: str, which: int | str) -> SimOrder | None:
        """An order of an address, live or not: by number, or by client id (of those the newest)."""
        found = []
        for account in self._exchange.pools_of(address):
            if isinstance(which, int):
                found.append(self._exchange.order(account, order_id=str(which)))
            else:
                found.append(self._exchange.order(account, client_id=which))
        orders = [order for order in found if order is not None]
        return max(orders, key=lambda order: order.created_ns, default=None)

    def live(self, address: str) -> list[SimOrder]:
        """Open orders of all pools."""
        accounts = self._exchange.pools_of(address)
        return [order for name in accounts for order in self._exchange.open_orders(name)]

    def end_all(self, address: str, reason: str) -> None:
        for name in self._exchange.pools_of(address):
            self._exchange.cancel_all(name, reason=reason)

    # ---------------------------------------------------------------- modify

    def modify(
        self, address: str, which: int | str, sent: dict[str, Json], *, always: bool
    ) -> Json:
        """Cancel and replace: a new id. The old order is gone even if the new one is refused.

        Args:
            always: take any new order; else a resting one only, which is made post-only.
        """
        old = self.find(address, which)
        if old is None or not old.live:
            return {"error": wire.MODIFY_GONE}
        try:
            new = self.make(address, sent)
        except Unacceptable:
            return {"error": wire.MODIFY_BAD}
        if new.symbol != old.symbol or (not always and new.raw["tif"] not in ("Alo", "Gtc")):
            return {"error": wire.MODIFY_BAD}
        new.post_only = new.post_only or not always
        self._exchange.cancel(old.account, order_id=old.order_id)
        status = self._enter(new)
        if isinstance(status, dict) and "error" in status:
            return {"error": f"Error placing new order during modify: {status['error']}"}
        return status


def _price(value: Decimal | None) -> str:
    """As in the text of a refused post-only order; UNVERIFIED where a side is empty."""
    return wire.text_of(value or ZERO)

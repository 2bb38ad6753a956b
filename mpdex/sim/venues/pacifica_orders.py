"""Order entry of the simulated Pacifica: what may be placed, changed and canceled.

The methods here know an account and the fields of an operation; who signed them is checked before.
A post-only order that would take is acknowledged with a number and rejected afterwards, `TOB` is
repriced instead. An order that may take waits for the speed bump; meanwhile it is open and can be
canceled (UNVERIFIED). Of a batch each order waits by itself; the venue holds all of a batch.

Source: docs.pacifica.fi, "Create limit order" ... "Batch order", "Order types"; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from mpdex.sim.records import SimMarket, SimOrder
from mpdex.sim.venues import pacifica_wire as wire
from mpdex.sim.venues.pacifica_market import MarketData
from mpdex.sim.venues.pacifica_truth import HIGHEST_PRICE, LEAST, MOST, PacificaTruth
from mpdex.sim.venues.pacifica_wire import Fault, Refusal, WireOrder
from mpdex.types import Json, OrderStatus, TimeInForce

REFUSED: Mapping[str, Fault] = {
    "margin": wire.NO_BALANCE,
    "market": wire.TRADING_DISABLED,
    "band": wire.TOO_FAR,
}


class Done(NamedTuple):
    """What an operation did, in the words of its answer.

    Attributes:
        order: that was placed; None for a cancel.
        client_id, order_id: as the answer names the order.
        canceled: how many; None for an operation on one.
    """

    symbol: str = ""
    order_id: int | None = None
    client_id: str | None = None
    canceled: int | None = None
    order: SimOrder | None = None

    @property
    def rest(self) -> Json:
        """The data of a REST answer; None where it has none."""
        if self.canceled is not None:
            return {"cancelled_count": self.canceled}
        return {"order_id": self.order_id} if self.order is not None else None

    @property
    def stream(self) -> Json:
        """The data of the answer to a socket call."""
        if self.canceled is not None:
            return {"cancelled_count": self.canceled}
        return {"I": self.client_id, "i": self.order_id, "s": self.symbol}


class OrderDesk:
    """Takes orders and cancels for the accounts of one venue.

    Raises: Refusal from every operation; nothing has happened then.
    """

    def __init__(self, exchange: PacificaTruth, market: MarketData) -> None:
        self._exchange = exchange
        self._market = market

    # ---------------------------------------------------------------- place

    def create(self, account: str, fields: Mapping[str, Json]) -> Done:
        return self._place(account, wire.parse_order(fields, is_market=False))

    def create_market(self, account: str, fields: Mapping[str, Json]) -> Done:
        return self._place(account, wire.parse_order(fields, is_market=True))

    def _place(self, account: str, sent: WireOrder) -> Done:
        market = self._market.market(sent.symbol)
        self._check_client_id(account, sent.client_id)
        self._check(account, sent, market)
        return self._enter(self._make(account, sent, market))

    def _enter(self, order: SimOrder) -> Done:
        self._exchange.place(order)
        if order.status is OrderStatus.REJECTED and order.reason != "post_only":
            raise Refusal(self._refused(order))
        number, client_id = int(order.order_id), order.client_id or None
        return Done(order.symbol, number, client_id, order=order)

    def _refused(self, order: SimOrder) -> Fault:
        spot = self._exchange.markets[order.symbol].kind == "spot"
        if order.reason == "reduce_only":
            held = self._exchange.accounts[order.account].size(order.symbol)
            return wire.REDUCES_WRONG_SIDE if held else wire.NOTHING_TO_REDUCE
        if order.reason == "margin" and spot and order.side == "sell":
            return wire.NO_COINS
        return REFUSED[order.reason]

    def _check_client_id(self, account: str, client_id: str) -> None:
        """UNVERIFIED: an id is taken as long as its order lives."""
        known = self._exchange.order(account, client_id=client_id) if client_id else None
        if known is not None and known.live:
            raise Refusal(wire.DUPLICATE)

    def _check(self, account: str, sent: WireOrder, market: SimMarket) -> None:
        """The rules of the market. To reduce, less than the minimum is allowed (UNVERIFIED)."""
        if sent.reduce_only and market.kind == "spot":
            raise Refusal(wire.SPOT_REDUCES)
        self._check_grid(sent.amount, sent.price, market)
        notional = sent.amount * (sent.price or self._mark(market))
        if notional < LEAST and not sent.reduce_only:
            raise wire.too_low(account, notional, LEAST)
        if notional > MOST:
            raise Refusal(wire.TOO_HIGH)

    @staticmethod
    def _check_grid(amount: Decimal, price: Decimal | None, market: SimMarket) -> None:
        if not amount or amount % market.step:
            raise Refusal(wire.BAD_PRECISION)
        if price is not None and (price % market.tick or not 0 < price <= HIGHEST_PRICE):
            raise Refusal(wire.BAD_PRECISION)

    def _mark(self, market: SimMarket) -> Decimal:
        mark = self._exchange.mark(market.symbol)
        if not mark:
            raise Refusal(wire.NO_MARK)
        return mark

    def _make(self, account: str, sent: WireOrder, market: SimMarket) -> SimOrder:
        return SimOrder(
            account=account,
            symbol=market.symbol,
            side=sent.side,
            size=sent.amount,
            price=self._price(sent, market),
            client_id=sent.client_id,
            tif=TimeInForce.IOC if sent.tif == "IOC" else TimeInForce.GTC,
            post_only=sent.tif in ("ALO", "TOB"),
            reduce_only=sent.reduce_only,
            raw={"market": sent.slippage is not None},
        )

    def _price(self, sent: WireOrder, market: SimMarket) -> Decimal | None:
        """As sent; the bound of a market order; the best that does not take for `TOB`."""
        if sent.slippage is not None:
            return self._bound(sent, market)
        if sent.tif != "TOB" or sent.price is None:
            return sent.price
        bid, ask = self._exchange.best(market.symbol)
        if sent.side == "buy":
            return sent.price if ask is None else min(sent.price, ask - market.tick)
        return sent.price if bid is None else max(sent.price, bid + market.tick)

    def _bound(self, sent: WireOrder, market: SimMarket) -> Decimal:
        """The mark, worse by the slippage (UNVERIFIED: it may be the middle of the book)."""
        slip = (sent.slippage or 0) / Decimal(100)
        buys = sent.side == "buy"
        worst = self._mark(market) * (1 + slip if buys else 1 - slip)
        ticks = (worst / market.tick).to_integral_value(ROUND_FLOOR if buys else ROUND_CEILING)
        return max(ticks, Decimal(1)) * market.tick

    # ---------------------------------------------------------------- change and cancel

    def edit(self, account: str, fields: Mapping[str, Json]) -> Done:
        """Cancel and create again, post-only, with another number and the same client id."""
        order = self.find(account, fields, wire.ORDER_NOT_FOUND)
        market, price = self._market.market(order.symbol), wire.parse_amount(fields, "price")
        amount = order.remaining  # UNVERIFIED: what an edit without an amount keeps
        if fields.get("amount") is not None:
            amount = wire.parse_amount(fields, "amount")
        self._check_grid(amount, price, market)
        if amount * price < LEAST and not order.reduce_only:
            raise wire.too_low(account, amount * price, LEAST)
        self._exchange.cancel(account, order_id=order.order_id)
        return self._enter(
            SimOrder(
                account=account,
                symbol=order.symbol,
                side=order.side,
                size=amount,
                price=price,
                client_id=order.client_id,
                post_only=True,
                reduce_only=order.reduce_only,
            )
        )

    def cancel(self, account: str, fields: Mapping[str, Json]) -> Done:
        """End one order; the answer names it by the id that was sent."""
        which = wire.parse_which(fields)
        order = self.find(account, fields, wire.CANCEL_FAILED)
        self._exchange.cancel(account, order_id=order.order_id)
        return Done(which.symbol, which.order_id, which.client_id or None)

    def cancel_all(self, account: str, fields: Mapping[str, Json]) -> Done:
        every = wire.parse_flag(fields, "all_symbols")
        spares = wire.parse_flag(fields, "exclude_reduce_only")
        symbol = None if every else self._market.market(fields.get("symbol")).symbol
        chosen = [
            order
            for order in self._exchange.open_orders(account, symbol)
            if not (spares and order.reduce_only)
        ]
        for order in chosen:
            self._exchange.cancel(account, order_id=order.order_id)
        return Done(symbol or "", canceled=len(chosen))

    def find(self, account: str, fields: Mapping[str, Json], otherwise: Fault) -> SimOrder:
        """The live order that exactly one id names.

        Raises: Refusal, `otherwise` where there is no such order.
        """
        which = wire.parse_which(fields)
        order = self._exchange.order(
            account,
            order_id=None if which.order_id is None else str(which.order_id),
            client_id=which.client_id or None,
        )
        if order is None or not order.live or order.symbol != which.symbol:
            raise Refusal(otherwise)
        return order

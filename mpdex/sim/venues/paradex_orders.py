"""Order entry of the simulated Paradex: what is checked at once, and what is only queued.

A create is answered with the order, NEW; what the risk engine says comes later (`paradex_truth`).
Cancels and changes are queued as well: the answer says no more than that.

Source: docs.paradex.trade, "Orders", "Receive window", "Order signing"; order of checks assumed;
read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from mpdex.sim.models import Timers
from mpdex.sim.records import SimMarket, SimOrder
from mpdex.sim.venues import paradex_crypto as crypto
from mpdex.sim.venues import paradex_render as render
from mpdex.sim.venues import paradex_wire as wire
from mpdex.sim.venues.paradex_login import KeyRing
from mpdex.sim.venues.paradex_market import MarketData
from mpdex.sim.venues.paradex_truth import RISK_CHECK, ParadexTruth
from mpdex.sim.venues.paradex_wire import Refusal, WireOrder
from mpdex.types import Json, OrderStatus, TimeInForce

AHEAD_MS = 300_000  # UNVERIFIED: how far in the future an order may be signed
QUEUE = RISK_CHECK  # seconds that a cancel or a change waits
BATCH = 10
QUEUED, CLOSED, UNKNOWN = "QUEUED_FOR_CANCELLATION", "ALREADY_CLOSED", "NOT_FOUND"
# UNVERIFIED: the words behind VALIDATION_ERROR.
PROBLEMS = {
    "step": "size: not a multiple of order_size_increment",
    "tick": "price: not a multiple of price_tick_size",
    "price": "price: required",
    "notional": "size: notional is below min_notional",
}


class OrderDesk:
    """Takes orders, changes and cancels for the accounts of one venue.

    Raises: Refusal from every operation; nothing has happened then.
    """

    def __init__(
        self, exchange: ParadexTruth, timers: Timers, market: MarketData, keys: KeyRing
    ) -> None:
        self._exchange = exchange
        self._timers = timers
        self._market = market
        self._keys = keys
        self._requests = iter(range(1, 1 << 62))

    def show(self, order: SimOrder) -> dict[str, Json]:
        return render.render_order(order, self._exchange.clock.now_ms())

    # ---------------------------------------------------------------- create

    def create(self, account: str, body: Json) -> dict[str, Json]:
        """Returns: the order as answered, NEW."""
        sent = wire.parse_order(body)
        market = self._check(account, sent)
        return self._enter(account, sent, market)

    def create_batch(self, account: str, body: Json) -> dict[str, Json]:
        """Each order by itself; both lists have an entry for each, null where there is none."""
        orders: list[Json] = []
        errors: list[Json] = []
        for one in _batch(body):
            try:
                orders.append(self.create(account, one))
                errors.append(None)
            except Refusal as refusal:
                orders.append(None)
                errors.append({"error": refusal.code, "message": refusal.message})
        return {"orders": orders, "errors": errors}

    def _enter(self, account: str, sent: WireOrder, market: SimMarket) -> dict[str, Json]:
        order = SimOrder(
            account=account,
            symbol=market.symbol,
            side=sent.side,
            size=sent.size,
            price=None if sent.is_market else sent.price,
            client_id=sent.client_id,
            tif=TimeInForce.IOC if sent.is_market or sent.instruction == "IOC" else TimeInForce.GTC,
            post_only=sent.instruction == "POST_ONLY",
            reduce_only=sent.reduce_only,
            raw={
                "kind": sent.kind,
                "flags": sent.flags,
                "stp": sent.stp,
                "timestamp": sent.timestamp_ms,
            },
        )
        return self.show(self._exchange.place(order))

    # ---------------------------------------------------------------- checks

    def _check(self, account: str, sent: WireOrder) -> SimMarket:
        market = self._check_terms(account, sent)
        self._check_signature(account, sent)
        self._check_state(sent)
        return market

    def _check_terms(self, account: str, sent: WireOrder) -> SimMarket:
        market = self._market.market(sent.market)
        if sent.kind in wire.TRIGGERED:
            raise Refusal("VALIDATION_ERROR", "type: trigger orders are not simulated")
        if sent.instruction == "RPI":
            raise Refusal("RPI_ACCOUNT_NOT_WHITELISTED")
        if sent.is_market and sent.instruction == "POST_ONLY":
            raise Refusal("VALIDATION_ERROR", "instruction: a market order cannot be POST_ONLY")
        self._check_grid(account, sent, market)
        if not sent.order_id:
            self._check_room(account, sent.client_id, market)
        return market

    def _check_room(self, account: str, client_id: str, market: SimMarket) -> None:
        """For one more order, and for its client id, which is free again when its order ends
        (UNVERIFIED)."""
        known = self._exchange.order(account, client_id=client_id) if client_id else None
        if known is not None and known.live:
            raise Refusal("DUPLICATED_CLIENT_ID")
        most: int = market.info["max_open_orders"]
        if len(self._exchange.open_orders(account, market.symbol)) >= most:
            raise Refusal("VALIDATION_ERROR", "max open orders reached")  # UNVERIFIED

    def _check_grid(self, account: str, sent: WireOrder, market: SimMarket) -> None:
        """Size, then price, then the notional at the mark."""
        problem = market.problem(sent.size, None if sent.is_market else sent.price)
        if problem in ("size", "max_size"):
            raise Refusal("INVALID_ORDER_SIZE")
        mark = self._exchange.mark(market.symbol)
        if problem in ("step", "price", "tick"):
            raise Refusal("VALIDATION_ERROR", PROBLEMS[problem])
        if sent.size * mark < (market.min_notional or 0) and not self._closes(account, sent):
            raise Refusal("VALIDATION_ERROR", PROBLEMS["notional"])

    def _closes(self, account: str, sent: WireOrder) -> bool:
        """Whether it only reduces, and the whole position."""
        held = self._exchange.accounts[account].size(sent.market)
        return sent.reduce_only and sent.size == (held if sent.side == "sell" else -held)

    def _check_signature(self, account: str, sent: WireOrder) -> None:
        """Who signed, and when."""
        struct = crypto.order_struct(
            timestamp_ms=sent.timestamp_ms,
            market=sent.market,
            buying=sent.side == "buy",
            kind=sent.kind,
            size=sent.size,
            price=Decimal(0) if sent.is_market else sent.price,
            order_id=int(sent.order_id) if sent.order_id else None,
        )
        if not self._keys.signed(account, sent.signature, struct):
            raise Refusal("INVALID_ORDER_SIGNATURE")
        age = self._exchange.clock.now_ms() - sent.timestamp_ms
        if not -AHEAD_MS <= age <= sent.window_ms:
            raise Refusal("INVALID_TIMESTAMP")

    def _check_state(self, sent: WireOrder) -> None:
        match self._exchange.halted:
            case "post_only" if sent.instruction != "POST_ONLY":
                raise Refusal("SYSTEM_STATUS_POST_ONLY")
            case "cancel_only":
                raise Refusal("SYSTEM_STATUS_CANCEL_ONLY")
            case "reduce_only" if not sent.reduce_only:
                raise Refusal("MARKET_MARGIN_RESTRICTED")
            case "market":
                raise Refusal("MARKET_NOT_OPEN")

    # ---------------------------------------------------------------- change

    def modify(self, account: str, order_id: str, body: Json) -> dict[str, Json]:
        """Queue another size and price under the same id; how it went is told with the order."""
        sent = wire.parse_order({**wire.parse_object(body), "id": order_id})
        order = self.find(account, order_id)
        if not order.live:
            raise Refusal("ORDER_IS_CLOSED")
        if (sent.market, sent.side, sent.is_market) != (order.symbol, order.side, False):
            raise Refusal("VALIDATION_ERROR", "only size and price can be changed")
        if sent.size <= order.filled:
            raise Refusal("INVALID_ORDER_SIZE")
        self._check(account, sent)
        request = {
            "id": str(next(self._requests)),
            "message": "",
            "request_type": "MODIFY_ORDER",
            "status": "PENDING",
        }
        self._timers.after(QUEUE, lambda: self._modify(order, sent, request))
        return {**self.show(order), "request_info": request}

    def _modify(self, order: SimOrder, sent: WireOrder, request: dict[str, Json]) -> None:
        """A change that fails leaves the order as it was."""
        exchange = self._exchange
        problem = "" if order.status is OrderStatus.OPEN else "ORDER_IS_NOT_OPEN"
        if order.post_only and exchange.crosses(order.symbol, order.side, sent.price):
            problem = problem or render.REASONS["post_only"]
        order.raw["request"] = {
            **request,
            "message": problem,
            "status": "REJECTED" if problem else "SUCCESS",
        }
        if problem:
            exchange.tell(order)
        else:
            exchange.amend(order, sent.size, sent.price)
        del order.raw["request"]

    # ---------------------------------------------------------------- cancel

    def find(self, account: str, order_id: str = "", client_id: str = "") -> SimOrder:
        """An order by either id, closed ones included; by client id the newest.

        Raises: Refusal.
        """
        order = self._exchange.order(account, order_id=order_id, client_id=client_id)
        if order is None or order.reason == "dropped":
            raise Refusal("ORDER_ID_NOT_FOUND" if order_id else "CLIENT_ORDER_ID_NOT_FOUND")
        return order

    def cancel(self, account: str, order_id: str) -> str:
        """Queue the end of an order. Returns: its id."""
        order = self.find(account, order_id)
        if not order.live:
            raise Refusal("ORDER_IS_CLOSED")
        self._queue(order)
        return order.order_id

    def cancel_by_client_id(self, account: str, client_id: str, market: str = "") -> str:
        """Raises: Refusal CLIENT_ORDER_ID_NOT_FOUND where no live order has it."""
        order = self.find(account, client_id=client_id)
        if not order.live or market not in ("", order.symbol):
            raise Refusal("CLIENT_ORDER_ID_NOT_FOUND")
        self._queue(order)
        return order.order_id

    def cancel_all(self, account: str, market: str = "") -> None:
        symbol = self._market.market(market).symbol if market else None
        for order in self._exchange.open_orders(account, symbol):
            self._queue(order)

    def cancel_batch(self, account: str, body: Json) -> dict[str, Json]:
        """One result for each id, those of orders first."""
        sent = wire.parse_object(body)
        ids, client_ids = (
            wire.parse_list(sent, "order_ids"),
            wire.parse_list(sent, "client_order_ids"),
        )
        if not 0 < len(ids) + len(client_ids) <= BATCH:
            raise Refusal("BATCH_SIZE_OUT_OF_RANGE")
        by_id = [self._cancel_one(account, "id", one) for one in ids]
        return {"results": by_id + [self._cancel_one(account, "client_id", c) for c in client_ids]}

    def _cancel_one(self, account: str, key: str, value: str) -> dict[str, Json]:
        ids = {"order_id" if key == "id" else key: value}
        try:
            order = self.find(account, **ids)
        except Refusal:
            return {key: value, "status": UNKNOWN}
        if order.live:
            self._queue(order)
        return {
            "id": order.order_id,
            "client_id": order.client_id,
            "account": account,
            "market": order.symbol,
            "status": QUEUED if order.live else CLOSED,
        }

    def _queue(self, order: SimOrder, reason: str = "client") -> None:
        if self._exchange.twist.keep_on_cancel:
            return
        self._timers.after(
            QUEUE,
            lambda: self._exchange.cancel(order.account, order_id=order.order_id, reason=reason),
        )

    def disconnected(self, account: str) -> None:
        """A connection that had asked for it is gone."""
        for order in self._exchange.open_orders(account):
            self._queue(order, "disconnect")


def _batch(body: Json) -> list[Json]:
    """The orders of a batch. Raises: Refusal."""
    if not isinstance(body, list):
        raise Refusal("BINDING_ERROR")
    if not 0 < len(body) <= BATCH:
        raise Refusal("BATCH_SIZE_OUT_OF_RANGE")
    return body


def parse_ids(params: Mapping[str, Json]) -> tuple[str, str, str]:
    """(order id, client id, market) of a cancel over the socket."""
    order_id, client_id = wire.parse_text(params, "id"), wire.parse_text(params, "client_id")
    if not order_id and not client_id:
        raise Refusal("VALIDATION_ERROR", "id or client_id: required")
    return order_id, client_id, wire.parse_text(params, "market")

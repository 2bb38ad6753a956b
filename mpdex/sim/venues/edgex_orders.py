"""Order entry of the simulated EdgeX: what the gateway checks, and what it leaves to the engine.

What is signed is read off the body: sizes and values are what it says, the nonce follows from the
client's id (in v2; v1's own web page signs another), the key must be the account's.

Source: edgex-1.gitbook.io, "Order API", "L2 Signature"; edgex-python-sdk 2.0.1, 0.3.0; read
2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal

from mpdex.sim.records import Halt, SimMarket, SimOrder
from mpdex.sim.venues import edgex_crypto as crypto
from mpdex.sim.venues import edgex_truth as truth
from mpdex.sim.venues import edgex_wire as wire
from mpdex.sim.venues.edgex_generations import COLLATERAL_ID, Generation
from mpdex.sim.venues.edgex_market import STARK_COLLATERAL, MarketData
from mpdex.sim.venues.edgex_truth import EdgexTruth
from mpdex.sim.venues.edgex_wire import Refusal, WireOrder
from mpdex.types import Json, OrderStatus

CLOSED: tuple[Halt, ...] = ("cancel_only", "market")


class OrderDesk:
    """Takes orders and cancels for the accounts of one venue."""

    def __init__(self, exchange: EdgexTruth, market: MarketData) -> None:
        self._exchange = exchange
        self._market = market

    # ---------------------------------------------------------------- place

    def place(self, account: str, value: Json) -> Json:
        """Check an order and send it to the engine.

        Raises: Refusal; nothing has been placed then.
        """
        generation = self._exchange.generations[account]
        sent = wire.parse_order(wire.parse_object(value), text_flags=generation.stark)
        market = self._market.market(generation, sent.contract_id)
        self._check_state(sent)
        self._check_amounts(sent, market)
        self._check_terms(account, sent)
        self._check_signature(account, generation, sent, market)
        order = self._make(account, sent, market)
        self._check_account(order, market)
        self._exchange.place(order)
        return {"orderId": order.order_id}

    def place_and_refuse(self, account: str, value: Json) -> Json:
        """The same, for an order that the engine will find crossing and cancel."""
        twist = self._exchange.twist
        self._exchange.twist = replace(twist, fate=(OrderStatus.CANCELED, truth.ENGINE_BEHIND))
        try:
            return self.place(account, value)
        finally:
            self._exchange.twist = twist

    def _check_state(self, sent: WireOrder) -> None:
        halted = self._exchange.halted
        if halted in CLOSED or (halted == "post_only" and not sent.post_only):
            raise Refusal("CONTRACT_TRADE_DISABLED")
        if halted == "reduce_only" and not sent.reduce_only:
            raise Refusal("CONTRACT_OPEN_POSITION_DISABLED")

    def _check_amounts(self, sent: WireOrder, market: SimMarket) -> None:
        problem = market.problem(sent.size, sent.price)
        if problem:
            raise Refusal(wire.PROBLEMS[problem])
        mark = self._exchange.mark(market.symbol)
        if sent.price is None:
            self._check_market_value(sent, mark)
            return
        if sent.value != sent.price * sent.size:
            raise Refusal("INVALID_L2_VALUE")
        away = sent.price - mark if sent.side == "BUY" else mark - sent.price
        if not sent.reduce_only and away > truth.MOST_AWAY * mark:
            raise Refusal("ORDER_PRICE_OUT_OF_RANGE")

    @staticmethod
    def _check_market_value(sent: WireOrder, mark: Decimal) -> None:
        """What is signed of a market order must let it be matched."""
        worth = sent.size * mark
        if not sent.value or (sent.value < worth) == (sent.side == "BUY"):
            raise Refusal("INVALID_L2_VALUE")

    def _check_terms(self, account: str, sent: WireOrder) -> None:
        now = self._exchange.clock.now_ms()
        if not now < sent.expires_ms < sent.settles_ms:
            raise Refusal("INVALID_EXPIRE_TIME")
        if self._exchange.order(account, client_id=sent.client_id) is not None:
            raise Refusal("DUPLICATE_CLIENT_ORDER_ID")
        if sent.limit_fee < (sent.value * self._exchange.fees.taker).quantize(Decimal("1e-6")):
            raise Refusal("INVALID_L2_LIMIT_FEE")

    def _check_signature(
        self, account: str, generation: Generation, sent: WireOrder, market: SimMarket
    ) -> None:
        amounts = crypto.Amounts(
            int(sent.size * 10 ** market.info["digits"]),
            int(sent.value * truth.COLLATERAL_SCALE),
            int(sent.limit_fee * truth.COLLATERAL_SCALE),
        )
        if max(amounts) >= 2**63:
            raise Refusal("INVALID_L2_VALUE", "amount does not fit in 64 bits")
        buying = sent.side == "BUY"
        signer, stark_key = crypto.public_keys(account)
        if generation.stark:
            hours = sent.settles_ms // crypto.HOUR_MS
            order = crypto.Order(int(account), sent.nonce, buying, amounts, hours)
            hashed = crypto.stark_hash(order, market.info["synthetic"], STARK_COLLATERAL)
            good = crypto.stark_signed(stark_key, hashed, sent.signature)
        else:
            if sent.nonce != crypto.nonce_of(sent.client_id):
                raise Refusal("INVALID_L2_NONCE")
            seconds = sent.expires_ms // 1000
            order = crypto.Order(int(account), sent.nonce, buying, amounts, seconds)
            contract_id, collateral_id = int(sent.contract_id), int(COLLATERAL_ID)
            digest = crypto.order_digest(order, signer, contract_id, collateral_id)
            good = crypto.signer_of(digest, sent.signature) == signer
        if not good:
            raise Refusal("INVALID_L2_SIGNATURE")

    def _make(self, account: str, sent: WireOrder, market: SimMarket) -> SimOrder:
        return SimOrder(
            account=account,
            symbol=market.symbol,
            side=wire.SIDES[sent.side],
            size=sent.size,
            price=sent.price,
            client_id=sent.client_id,
            tif=wire.TIFS[sent.tif],
            post_only=sent.post_only,
            reduce_only=sent.reduce_only,
            expires_ns=sent.expires_ms * 1_000_000,
            raw={"sent": sent},
        )

    def _check_account(self, order: SimOrder, market: SimMarket) -> None:
        """What the account can bear; whether there is anything to reduce is the engine's."""
        if order.reduce_only:
            return
        held = self._exchange.accounts[order.account].size(order.symbol)
        after = held + (order.size if order.side == "buy" else -order.size)
        if abs(after) > market.info["max_position"]:
            raise Refusal("EXCEED_MAX_POSITION_SIZE")
        if self._exchange.cost(order) > max(self._exchange.free(order.account), Decimal(0)):
            raise Refusal("INSUFFICIENT_MARGIN")

    # ---------------------------------------------------------------- cancel

    def cancel(self, account: str, value: Json) -> Json:
        ids = wire.parse_names(wire.parse_object(value), "orderIdList")
        known = self._exchange.order
        return self._cancel_each(ids, lambda name: known(account, order_id=name))

    def cancel_named(self, account: str, value: Json) -> Json:
        ids = wire.parse_names(wire.parse_object(value), "clientOrderIdList")
        known = self._exchange.order
        return self._cancel_each(ids, lambda name: known(account, client_id=name))

    def cancel_all(self, account: str, value: Json) -> Json:
        """Every live order that the filters let through; keyed by its id."""
        body, generation = wire.parse_object(value), self._exchange.generations[account]
        contracts = wire.parse_names(body, "filterContractIdList")
        symbols = {market.symbol for market in self._market.chosen(generation, contracts)}
        orders = [o for o in self._exchange.open_orders(account) if o.symbol in symbols]
        return {"cancelResultMap": {order.order_id: self._cancel(order) for order in orders}}

    def _cancel_each(self, ids: Iterable[str], known: Callable[[str], SimOrder | None]) -> Json:
        if not ids:
            raise Refusal("INVALID_PARAMETER", "no order is named")
        return {"cancelResultMap": {name: self._cancel(known(name)) for name in ids}}

    def _cancel(self, order: SimOrder | None) -> str:
        """Send the cancel to the engine.

        Returns: what the venue says of it; SUCCESS only that it is on its way.
        """
        if order is None:
            return "FAILED_ORDER_NOT_FOUND"
        if order.status is OrderStatus.FILLED:
            return "FAILED_ORDER_FILLED"
        if not order.live:
            return "SUCCESS_ORDER_CANCELED"
        again = order.raw.get("canceling") or order.status is OrderStatus.PENDING
        if not order.raw.get("canceling"):
            self._exchange.cancel_soon(order)
        return "SUCCESS_ORDER_CANCELING" if again else "SUCCESS"

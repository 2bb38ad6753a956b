"""Order entry of the simulated Extended: what REST checks, and what it leaves to the engine.

An order that passes has an id at once, and no place in the book. What REST refuses never existed
and leaves its id free. The signature is checked against the hash of what the body says.

Source: api.docs.extended.exchange, "Order management", "Error responses"; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from mpdex.sim.records import ZERO, Halt, SimMarket, SimOrder
from mpdex.sim.venues import extended_crypto as crypto
from mpdex.sim.venues import extended_truth as truth
from mpdex.sim.venues.extended_market import MarketData
from mpdex.sim.venues.extended_render import ok
from mpdex.sim.venues.extended_truth import ExtendedTruth
from mpdex.sim.venues.extended_wire import (
    TIFS,
    Query,
    Refusal,
    WireOrder,
    parse_names,
    parse_object,
    parse_order,
)
from mpdex.types import Json, OrderStatus

LONGEST_MS = 90 * 86_400_000  # between now and the end of an order
PROBLEMS = {"size": 1120, "step": 1121, "price": 1141, "tick": 1124}
HALTS: Mapping[Halt, int] = {
    "cancel_only": 1010,
    "market": 1002,
    "post_only": 1011,
    "reduce_only": 1012,
}


class OrderDesk:
    """Takes orders and cancels for the accounts of one venue."""

    def __init__(self, exchange: ExtendedTruth, market: MarketData) -> None:
        self._exchange = exchange
        self._market = market
        self._hashes: set[int] = set()
        self._alarms: dict[str, int] = defaultdict(int)

    # ---------------------------------------------------------------- place

    def place(self, account: str, body: Json) -> Json:
        """Check an order and send it to the engine.

        Returns: its ids, before it is in the book.
        Raises: Refusal; nothing has been placed then.
        """
        sent = parse_order(body)
        market = self._market.market(sent.market)
        self._check_state(sent)
        self._check_amounts(sent, market)
        self._check_terms(account, sent)
        hashed = self._check_settlement(account, sent, market)
        order = self._make(account, sent)
        self._check_account(order, market)
        self._hashes.add(hashed)
        self._exchange.place(order)
        return ok({"id": int(order.order_id), "externalId": sent.client_id})

    def place_and_refuse(self, account: str, body: Json) -> Json:
        """The same, for an order that the engine will find crossing and refuse."""
        twist = self._exchange.twist
        self._exchange.twist = replace(twist, fate=(OrderStatus.REJECTED, truth.ENGINE_BEHIND))
        try:
            return self.place(account, body)
        finally:
            self._exchange.twist = twist

    def _check_state(self, sent: WireOrder) -> None:
        halted = self._exchange.halted
        allowed = (halted == "post_only" and sent.post_only) or (
            halted == "reduce_only" and sent.reduce_only
        )
        if halted in HALTS and not allowed:
            raise Refusal(HALTS[halted])

    def _check_amounts(self, sent: WireOrder, market: SimMarket) -> None:
        price, mark = sent.price or ZERO, self._exchange.mark(market.symbol)
        problem = market.problem(sent.size, price)
        if problem:
            raise Refusal(PROBLEMS[problem])
        buying = sent.side == "buy"
        away = (price - mark) if buying else (mark - price)
        if away > truth.MOST_AWAY * mark:
            raise Refusal(1141, f"Order price = {price}, mark price = {mark}")
        at_market = sent.kind == "MARKET"
        if sent.size * price > (truth.MOST_MARKET_VALUE if at_market else truth.MOST_LIMIT_VALUE):
            raise Refusal(1122)

    def _check_terms(self, account: str, sent: WireOrder) -> None:
        now, fees = self._exchange.clock.now_ms(), self._exchange.fees
        if not now < sent.expiry_ms <= now + LONGEST_MS:
            raise Refusal(1135)
        if sent.fee < (fees.maker if sent.post_only else fees.taker):
            raise Refusal(1128)
        if self._exchange.order(account, client_id=sent.client_id) is not None:
            raise Refusal(1134)

    def _check_settlement(self, account: str, sent: WireOrder, market: SimMarket) -> int:
        """Whether the account's key signed what the body says.

        Returns: the hash that it signed.
        """
        keys, settlement = crypto.throwaway_keys(account), sent.settlement
        if settlement.public_key != int(keys.public_key, 16):
            raise Refusal(1100)
        if settlement.vault != int(keys.vault):
            raise Refusal(1102)
        l2: crypto.L2Config = market.info["l2"]
        rate = sent.fee + sent.builder_fee
        moved = crypto.amounts(sent.side == "buy", sent.size, sent.price or ZERO, rate, l2)
        if not moved.fit:
            raise Refusal(1133, "Amounts do not fit in 64 bits")
        hashed = crypto.order_hash(
            moved,
            l2,
            vault=settlement.vault,
            public_key=settlement.public_key,
            expiration=crypto.settlement_expiry(sent.expiry_ms),
            salt=sent.nonce,
        )
        if not crypto.signed(settlement.public_key, hashed, settlement.signature):
            raise Refusal(1101)
        if hashed in self._hashes:
            raise Refusal(1134)
        return hashed

    def _make(self, account: str, sent: WireOrder) -> SimOrder:
        order = SimOrder(
            account=account,
            symbol=sent.market,
            side=sent.side,
            size=sent.size,
            price=sent.price,
            client_id=sent.client_id,
            tif=TIFS[sent.tif],
            post_only=sent.post_only,
            reduce_only=sent.reduce_only,
            expires_ns=sent.expiry_ms * 1_000_000,
            raw={"kind": sent.kind, "tif": sent.tif, "builder_fee": sent.builder_fee},
        )
        if sent.replaces:
            before = self._exchange.order(account, client_id=sent.replaces)
            if before is None or not before.live or before.symbol != sent.market:
                raise Refusal(1142)
            order.raw["replaces"] = before
        return order

    # ---------------------------------------------------------------- what the account can bear

    def _check_account(self, order: SimOrder, market: SimMarket) -> None:
        held = self._exchange.accounts[order.account].size(order.symbol)
        if order.reduce_only:
            _check_reducing(order, held)
            return
        before: SimOrder | None = order.raw.get("replaces")
        resting = self._exchange.open_orders(order.account, order.symbol)
        if len(resting) - (before is not None) >= truth.MOST_ORDERS:
            raise Refusal(1126)
        price = order.price or ZERO
        after = held + (order.size if order.side == "buy" else -order.size)
        if abs(after) * price > truth.MOST_POSITION_VALUE:
            raise Refusal(1127)
        self._check_cost(order, self._exchange.cost(before) if before else ZERO)

    def _check_cost(self, order: SimOrder, freed: Decimal) -> None:
        cost = self._exchange.cost(order)
        free = max(self._exchange.free(order.account) + freed, ZERO)
        if cost > free:
            mark = self._exchange.mark(order.symbol)
            raise Refusal(
                1140,
                f"Order cost {cost:f} exceeds available for trade {free:f}\n"
                f"Order price = {order.price}, mark price = {mark}",
            )

    # ---------------------------------------------------------------- cancel

    def cancel(self, account: str, *, order_id: str = "", client_id: str = "") -> Json:
        """Send the cancel of a live order to the engine; `OK` only says that it is on its way."""
        order = self._exchange.order(account, order_id=order_id, client_id=client_id)
        if order is None or not order.live:
            raise Refusal(404, "Order not found")  # UNVERIFIED: 404 or 1142
        self._exchange.cancel_soon(order)
        return ok({})

    def cancel_many(self, account: str, value: Json) -> Json:
        """Every live order that is named in any way; unknown ones do not hold up the others."""
        body = parse_object(value)
        ids, names, markets = (
            parse_names(body, key) for key in ("orderIds", "externalOrderIds", "markets")
        )
        everything = body.get("cancelAll") is True
        if not (ids or names or markets or everything):
            raise Refusal(1133, "Nothing to cancel")
        for order in self._exchange.open_orders(account):
            named = order.order_id in ids or order.client_id in names
            if named or order.symbol in markets or (everything and not markets):
                self._exchange.cancel_soon(order)
        return ok({})

    def set_alarm(self, account: str, query: Query) -> Json:
        """Dead man's switch: everything ends unless it is set again in time; 0 takes it back.

        Returns: an empty body.
        """
        seconds = query.count("countdownTime", 0)
        self._alarms[account] += 1
        number = self._alarms[account]
        if seconds:
            self._exchange.timers.after(seconds, lambda: self._ring(account, number))
        return b""

    def _ring(self, account: str, number: int) -> None:
        if self._alarms[account] == number:
            self._exchange.cancel_all(account)


def _check_reducing(order: SimOrder, held: Decimal) -> None:
    if not held:
        raise Refusal(1137)
    if (held > 0) == (order.side == "buy"):
        raise Refusal(1138)
    if order.size > abs(held):
        raise Refusal(1136)

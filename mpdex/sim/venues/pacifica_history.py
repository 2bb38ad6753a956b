"""What the simulated Pacifica remembers of orders and trades: the events it tells and keeps.

An order that the engine refuses outright never existed. One that ends later, and a post-only order
that would take, have a number and a history. An order that takes at once has no `make` event.

Source: docs.pacifica.fi, "Order history by id", "Account order updates", "Account trades"; read
2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict, deque
from decimal import Decimal
from typing import NamedTuple

from mpdex.sim.exchange import SimExchange
from mpdex.sim.payments import FundingTally
from mpdex.sim.records import (
    ZERO,
    OrderChanged,
    PositionChanged,
    SimEvent,
    SimFill,
    SimOrder,
    SimPosition,
    Traded,
)
from mpdex.types import OrderStatus, TimeInForce

# Why an order ended, as events say it; what is not here is plain `cancel`.
ENDINGS = {
    "post_only": "post_only_rejected",
    "self_trade": "self_trade_prevented",
    "expired": "expired",
    "liquidation": "force_cancel",
    "market": "force_cancel",
}
FULFILLED = {"taker": "fulfill_market", "maker": "fulfill_limit"}


class OrderEvent(NamedTuple):
    """One event of an order, with the order as it was then."""

    number: int
    order: SimOrder
    word: str
    status: str
    filled: Decimal
    average: Decimal | None
    last_price: Decimal
    time_ns: int

    @property
    def canceled(self) -> Decimal:
        """What will never execute any more."""
        ended = self.status in ("cancelled", "rejected")
        return max(self.order.size - self.filled, ZERO) if ended else ZERO


class TradeNote(NamedTuple):
    """What a fill did to the position: `open_long` ... `close_short`, and the entry price."""

    word: str
    entry: Decimal


class Payment(NamedTuple):
    """One payment of funding; negative: paid."""

    number: int
    position: SimPosition
    payout: Decimal
    rate: Decimal


class _Held(NamedTuple):
    """A position before its last change, and after."""

    size_before: Decimal = ZERO
    entry_before: Decimal = ZERO
    size: Decimal = ZERO
    entry: Decimal = ZERO
    opened_ns: int = 0

    def moved(self, position: SimPosition) -> _Held:
        same = self.size * position.size > 0
        opened = self.opened_ns if same else position.updated_ns
        return _Held(self.size, self.entry, position.size, position.entry, opened)


class History:
    """Listens to the truth as it happens, however late it is told."""

    def __init__(self, exchange: SimExchange) -> None:
        self._exchange = exchange
        self._numbers = iter(range(641_452_513, 1 << 62))
        self._untold: deque[OrderEvent | None] = deque()
        self._held: dict[tuple[str, str], _Held] = defaultdict(_Held)
        self._notes: dict[int, TradeNote] = {}
        self._funding = FundingTally()
        self.payments: dict[str, list[Payment]] = defaultdict(list)
        exchange.witness(self._note, OrderChanged, Traded, PositionChanged)

    # ---------------------------------------------------------------- read

    def next_event(self) -> OrderEvent | None:
        """Of the order change that is told now; None for what nobody is told."""
        return self._untold.popleft()

    def events(self, order: SimOrder) -> list[OrderEvent]:
        """Oldest first, as far as queries know of them now."""
        told: list[OrderEvent] = order.raw.get("events", [])
        return [event for event in told if self._exchange.tells(event.time_ns)]

    def existed(self, order: SimOrder) -> bool:
        return bool(self.events(order)) or order.live or order.reason == "dropped"

    def trade(self, fill: SimFill) -> TradeNote:
        return self._notes[fill.trade_id]

    def opened_ns(self, account: str, symbol: str) -> int:
        """When the position of now was opened."""
        return self._held[account, symbol].opened_ns

    # ---------------------------------------------------------------- noted

    def _note(self, event: SimEvent) -> None:
        match event:
            case PositionChanged(position):
                key = (position.account, position.symbol)
                self._held[key] = self._held[key].moved(position)
                self._note_funding(position)
            case Traded(fill):
                fill.order.raw["last"] = fill
                self._notes[fill.trade_id] = self._placed(fill)
            case OrderChanged():
                self._note_order(event)

    def _note_order(self, event: OrderChanged) -> None:
        word, order = self._word(event), event.order
        if not word:
            self._untold.append(None)
            return
        last: SimFill | None = order.raw.get("last")
        noted = OrderEvent(
            next(self._numbers),
            order,
            word,
            status_word(order),
            order.filled,
            order.average,
            last.price if last else order.price or ZERO,
            event.time_ns,
        )
        order.raw.setdefault("events", []).append(noted)
        self._untold.append(noted)

    def _word(self, event: OrderChanged) -> str:
        """Of the event; "" for what is neither told nor kept."""
        order = event.order
        match event.cause:
            case "accepted":
                return "make" if self._rests(order) else ""
            case "filled":
                return FULFILLED[order.raw["last"].liquidity]
            case "rejected" if not order.raw.get("events") and order.reason != "post_only":
                return ""
            case _:
                return ENDINGS.get(order.reason, "cancel")

    def _rests(self, order: SimOrder) -> bool:
        if order.price is None or order.tif is not TimeInForce.GTC:
            return False
        return order.post_only or not self._exchange.crosses(order.symbol, order.side, order.price)

    def _placed(self, fill: SimFill) -> TradeNote:
        """Which way a fill moved the position; one that turns it closes the old one."""
        order = fill.order
        if self._exchange.markets[order.symbol].kind == "spot":
            return TradeNote("open_long" if order.side == "buy" else "close_long", fill.price)
        held = self._held[order.account, order.symbol]
        buys = order.side == "buy"
        if held.size_before and (held.size_before < 0) == buys:
            return TradeNote("close_short" if buys else "close_long", held.entry_before)
        return TradeNote("open_long" if buys else "open_short", held.entry)

    def _note_funding(self, position: SimPosition) -> None:
        received = self._funding.take(position)
        if received:
            rate = self._exchange.funding_rate(position.symbol)
            payment = Payment(next(self._numbers), position, received, rate)
            self.payments[position.account].append(payment)


def status_word(order: SimOrder) -> str:
    """open, partially_filled, filled, cancelled or rejected."""
    if order.live or order.reason == "dropped":
        return "partially_filled" if order.filled else "open"
    if order.status is OrderStatus.FILLED:
        return "filled"
    # UNVERIFIED for post-only orders; self-trade prevention is documented as "rejected".
    refused = order.status is OrderStatus.REJECTED or order.reason in ("post_only", "self_trade")
    return "rejected" if refused else "cancelled"


def reason_of(order: SimOrder) -> str | None:
    """Why it ended, where the venue says so."""
    ended = status_word(order) in ("cancelled", "rejected")
    return ENDINGS.get(order.reason, "cancel") if ended else None


def is_market(order: SimOrder) -> bool:
    """The price of a market order is the bound that its slippage sets."""
    return order.price is None or bool(order.raw.get("market"))

"""The markets of the simulated Paradex, and the second look that the venue takes at every order.

An order that the API has taken is NEW. A moment later the risk engine decides: it goes to the book,
or it is closed with a reason (margin, post-only, price band, position limit). Every change of an
order has a number of its own, which is a time in nanoseconds.

Source: docs.paradex.trade, "Order lifecycle", "Self-trade prevention", "Trading Fees v2"; clients
that see NEW for 10 to 100 ms; read 2026-11-21.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Unpack

from mpdex.sim.engine import Resting
from mpdex.sim.exchange import SimExchange
from mpdex.sim.exchange_state import Surroundings
from mpdex.sim.models import FeeModel
from mpdex.sim.records import OrderChanged, SimEvent, SimFill, SimMarket, SimOrder
from mpdex.types import OrderStatus

RISK_CHECK = 0.02  # seconds
BALANCE = Decimal(100_000)
_COUNTED = 10**7  # ids repeat after so many


def _perp(coin: str, tick: str, step: str, most: int) -> SimMarket:
    return SimMarket(
        symbol=f"{coin}-USD-PERP",
        coin=coin,
        quote="USDC",  # what is paid in; prices are called USD
        tick=Decimal(tick),
        step=Decimal(step),
        min_size=Decimal(step),
        min_notional=Decimal(10),
        max_size=Decimal(most),
        max_leverage=Decimal(50),
        maintenance=Decimal("0.01"),
        band=Decimal("0.05"),
        funding_hours=8,
        info={"position_limit": Decimal(most * 20), "max_open_orders": 100},
    )


# Tick, lot and minimum as public clients of 2026 show them; sizes, limits and bands are assumed.
MARKETS = (
    _perp("ETH", "0.01", "0.0001", 1_000),
    _perp("BTC", "0.1", "0.00001", 50),
    _perp("SOL", "0.001", "0.01", 20_000),
)


class ParadexTruth(SimExchange):
    """The truth of Paradex. Accounts are addresses, `0x` and no leading zeros.

    Attributes:
        verdict: why the risk engine will refuse the orders that are placed now, whatever they are
            (a fault); "" lets it judge.
    """

    def __init__(self, name: str, **given: Unpack[Surroundings]) -> None:
        super().__init__(
            name,
            markets=MARKETS,
            fees=FeeModel(maker=Decimal(0), taker=Decimal("0.00045")),
            order_ids=self._next_order_id,
            **given,
        )
        self._orders_made = 0
        self._sequence = 0
        self._taking: SimOrder | None = None
        self.verdict = ""
        for board in self.boards.values():
            board.engine.on_own = self._meets_own

    def next_sequence(self) -> int:
        """A number above all before: now in nanoseconds, where that is one."""
        self._sequence = max(self.clock.now_ns(), self._sequence + 1)
        return self._sequence

    def last_fill(self, account: str) -> SimFill | None:
        """The newest execution of an account; known before the position that it changed is told."""
        fills = self._fills[account]
        return fills[-1] if fills else None

    def tell(self, order: SimOrder) -> None:
        """Say once more how an order is."""
        self._emit(OrderChanged(order, "accepted", self.clock.now_ns()))

    def _next_order_id(self) -> str:
        self._orders_made += 1
        return long_id(self.clock.now_ms(), self._orders_made, 0)

    # ---------------------------------------------------------------- the second look

    def _refusal(self, order: SimOrder) -> str:
        """Nothing is refused at once: the order is taken, and looked at later."""
        return ""

    def _enter(self, order: SimOrder) -> None:
        if order.status is not OrderStatus.PENDING:
            self._take(order)
            return
        self._emit(OrderChanged(order, "accepted", order.updated_ns))
        verdict = self.verdict
        self.timers.after(RISK_CHECK, lambda: self._judge(order, verdict))

    def _judge(self, order: SimOrder, verdict: str) -> None:
        if not order.live:
            return
        reason = verdict or super()._refusal(order) or self._over_limit(order)
        if reason:
            self._end(order, OrderStatus.REJECTED, reason)
        else:
            order.updated_ns = self.clock.now_ns()
            self._take(order)

    def _take(self, order: SimOrder) -> None:
        """Into the book; a market order with the price band as its limit."""
        if order.price is None and self.mark(order.symbol):
            order.price = self._bound(order)
        before, self._taking = self._taking, order
        super()._enter(order)
        self._taking = before

    def _bound(self, order: SimOrder) -> Decimal:
        """Worst price of a market order: the edge of the band, on the grid."""
        market, mark = self.markets[order.symbol], self.mark(order.symbol)
        band = market.band or Decimal(0)
        if order.side == "buy":
            return mark * (1 + band) // market.tick * market.tick
        return -(-mark * (1 - band) // market.tick) * market.tick

    def _affordable(self, order: SimOrder) -> bool:
        """An order that is looked at is live: its margin is already held."""
        return not self._order_margin(order) or self.free(order.account) >= 0

    def _over_limit(self, order: SimOrder) -> str:
        held = -self._reducible(order)
        limit: Decimal = self.markets[order.symbol].info["position_limit"]
        return "limit" if held + order.remaining > limit else ""

    def _meets_own(self, piece: Resting) -> bool:
        """A taker has met an order of its own account; its `stp` says which of the two ends."""
        mode = self._taking.raw.get("stp") if self._taking else ""
        if mode in ("EXPIRE_MAKER", "EXPIRE_BOTH"):
            self._end(self.orders[piece.id], OrderStatus.CANCELED, "self_trade")
        return mode == "EXPIRE_MAKER"

    def _emit(self, event: SimEvent) -> None:
        if isinstance(event, OrderChanged):
            event.order.updated_ns = self.next_sequence()
        super()._emit(event)


def long_id(ms: int, number: int, part: int) -> str:
    """The 28 digits of an id: when, and a number with its part."""
    return f"{ms:013d}2017{number % _COUNTED:07d}{part:04d}"

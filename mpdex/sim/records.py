"""What a simulated venue knows: markets, orders, fills, positions, and the events they make.

Neutral words only. A venue module turns them into its own spelling; nothing here knows a wire.
Prices are quote currency for one coin, sizes are coins, times are nanoseconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypeAlias

from mpdex.types import Liquidity, MarketKind, OrderStatus, Side, TimeInForce

ZERO = Decimal(0)

Cause: TypeAlias = Literal["accepted", "filled", "ended", "rejected"]
Halt: TypeAlias = Literal["", "post_only", "cancel_only", "reduce_only", "market", "down"]
Level: TypeAlias = tuple[Decimal, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimMarket:
    """One market of one simulated venue.

    Attributes:
        significant: most digits of a price that is not whole, leading zeros aside; None: any.
        band: widest distance of a limit price from the mark, as a fraction; None: no band.
        maintenance: maintenance margin as a fraction of notional.
        funding_hours: length of one funding interval.
        info: the venue's own facts about it (hashes, numeric ids), for its renderer.
    """

    symbol: str
    coin: str
    quote: str
    tick: Decimal
    step: Decimal
    min_size: Decimal
    kind: MarketKind = "perp"
    min_notional: Decimal | None = None
    max_size: Decimal | None = None
    max_leverage: Decimal = Decimal(20)
    significant: int | None = None
    band: Decimal | None = None
    maintenance: Decimal = Decimal("0.0125")
    funding_hours: int = 8
    info: dict[str, Any] = field(default_factory=dict)

    def problem(self, size: Decimal, price: Decimal | None) -> str:
        """Which rule of the grid an order breaks, in a word; "" if none.

        Returns: "size" (under the minimum), "max_size", "step", "price", "tick" or "notional".
        """
        if size <= 0 or size < self.min_size:
            return "size"
        if self.max_size is not None and size > self.max_size:
            return "max_size"
        if size % self.step:
            return "step"
        return self._price_problem(size, price) if price is not None else ""

    def grid(self, price: Decimal) -> Decimal:
        """Distance of two prices near this one: the tick, wider where digits are bounded."""
        if self.significant is None:
            return self.tick
        return max(self.tick, Decimal(1).scaleb(min(price.adjusted() + 1 - self.significant, 0)))

    def _price_problem(self, size: Decimal, price: Decimal) -> str:
        if price <= 0:
            return "price"
        if price % self.grid(price):
            return "tick"
        if self.min_notional is not None and size * price < self.min_notional:
            return "notional"
        return ""


@dataclass(slots=True, kw_only=True, eq=False)
class SimOrder:
    """One order as the venue's truth has it; the exchange changes it in place.

    Attributes:
        order_id: "" lets the exchange give the next one.
        price: None for a market order.
        expires_ns: when the venue ends it by itself; None: never.
        reason: why it ended: "post_only", "margin", "reduce_only", "ioc", "fok", "self_trade",
            "band", "client", "expired", "market" (halted, or a market order's rest),
            "liquidation", "adl"; "" while it lives or when it filled.
        raw: scratch of the venue module.
    """

    account: str
    symbol: str
    side: Side
    size: Decimal
    price: Decimal | None = None
    order_id: str = ""
    client_id: str = ""
    tif: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    expires_ns: int | None = None
    filled: Decimal = ZERO
    quote_filled: Decimal = ZERO
    fees: Decimal = ZERO
    status: OrderStatus = OrderStatus.PENDING
    reason: str = ""
    created_ns: int = 0
    updated_ns: int = 0
    raw: dict[str, Any] = field(default_factory=dict)

    @property
    def remaining(self) -> Decimal:
        return self.size - self.filled

    @property
    def average(self) -> Decimal | None:
        return self.quote_filled / self.filled if self.filled else None

    @property
    def live(self) -> bool:
        return not self.status.terminal


class SimFill(NamedTuple):
    """One execution of one order of an account.

    `fee` is in quote currency, positive paid; `closed_pnl` is what the fill realised, before fee.
    """

    trade_id: int
    order: SimOrder
    price: Decimal
    size: Decimal
    fee: Decimal
    liquidity: Liquidity
    time_ns: int
    closed_pnl: Decimal


class SimPosition(NamedTuple):
    """A position now; `size` is signed, 0 when flat."""

    account: str
    symbol: str
    size: Decimal
    entry: Decimal
    mark: Decimal
    unrealized: Decimal
    realized: Decimal
    funding: Decimal
    leverage: Decimal
    liquidation: Decimal | None
    updated_ns: int


# --------------------------------------------------------------------------- events


class OrderChanged(NamedTuple):
    """An order was accepted, filled a part, ended or was rejected."""

    order: SimOrder
    cause: Cause
    time_ns: int


class Traded(NamedTuple):
    """An order of an account executed; follows the position change, precedes `OrderChanged`."""

    fill: SimFill


class PositionChanged(NamedTuple):
    """A position changed by a fill, a liquidation, a leverage setting or funding."""

    position: SimPosition


class BookChanged(NamedTuple):
    """Levels that changed since `prev_seq`; sizes are absolute, 0 removes the level."""

    symbol: str
    bids: list[Level]
    asks: list[Level]
    seq: int
    prev_seq: int
    time_ns: int


class PublicTrade(NamedTuple):
    """A trade everybody sees, ours or not."""

    symbol: str
    price: Decimal
    size: Decimal
    taker_side: Side
    trade_id: int
    time_ns: int


class MarkChanged(NamedTuple):
    """Mark and index price, at most once a second for a market."""

    symbol: str
    mark: Decimal
    index_price: Decimal
    time_ns: int


SimEvent: TypeAlias = (
    OrderChanged | Traded | PositionChanged | BookChanged | PublicTrade | MarkChanged
)
EVENTS: tuple[type, ...] = (
    OrderChanged,
    Traded,
    PositionChanged,
    BookChanged,
    PublicTrade,
    MarkChanged,
)

"""What Backpack writes: every object of its answers and frames, keys in alphabetical order.

Amounts are text without trailing zeros by REST and with the market's decimals on the stream;
times are milliseconds in order answers, text without a zone in histories, microseconds in frames.

Source: docs.backpack.exchange and live payloads; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from mpdex.sim.numerals import milliseconds as milliseconds
from mpdex.sim.numerals import number as number
from mpdex.sim.records import ZERO, Level, PublicTrade, SimFill, SimMarket, SimOrder, SimPosition
from mpdex.types import Json, OrderStatus

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNSET = (  # of trigger and strategy orders, which are not simulated
    "stopLossLimitPrice",
    "stopLossTriggerBy",
    "stopLossTriggerPrice",
    "strategyId",
    "takeProfitLimitPrice",
    "takeProfitTriggerBy",
    "takeProfitTriggerPrice",
    "triggerBy",
    "triggerPrice",
    "triggerQuantity",
)
_FEE_DIGITS = Decimal("0.000000001")

# Why an order ended, in the venue's words.
EXPIRY = {
    "ioc": "ImmediateOrCancel",
    "fok": "FillOrKill",
    "post_only": "PostOnlyTaker",
    "margin": "InsufficientMargin",
    "reduce_only": "ReduceOnlyNotReduced",
    "self_trade": "SelfTradePrevention",
    "band": "PriceOutOfBounds",
    "market": "InsufficientLiquidity",
    "liquidation": "Liquidation",
}
# What the venue does by itself: `systemOrderType` of histories, `O` of frames.
SYSTEM = {
    "liquidation": ("LiquidatePositionOnBook", "LIQUIDATION_AUTOCLOSE"),
    "adl": ("LiquidatePositionOnAdl", "ADL_AUTOCLOSE"),
}
SIDE = {"buy": "Bid", "sell": "Ask"}


def on_grid(value: Decimal, step: Decimal) -> str:
    """With as many decimals as the market's step."""
    return format(value.quantize(step), "f")


def iso(ns: int) -> str:
    """UTC, told without a zone."""
    time = _EPOCH + timedelta(microseconds=ns // 1000)
    return time.replace(tzinfo=None).isoformat(timespec="milliseconds")


def stamp(ns: int) -> dict[str, Json]:
    """The two times of a frame: of the engine, and of the event that told of it."""
    return {"E": ns // 1000 + 1, "T": ns // 1000}


def ordered(fields: dict[str, Json]) -> dict[str, Json]:
    return dict(sorted(fields.items()))


# --------------------------------------------------------------------------- orders


def is_market(order: SimOrder) -> bool:
    """The price of a market order is the bound that the venue sets for it."""
    return order.price is None or bool(order.raw.get("market"))


def status_word(order: SimOrder) -> str:
    """New, PartiallyFilled, Filled, Cancelled (by the user) or Expired (by the engine)."""
    if order.live or order.reason == "dropped":
        return "PartiallyFilled" if order.filled else "New"
    if order.status is OrderStatus.FILLED:
        return "Filled"
    return "Cancelled" if order.reason == "client" else "Expired"


def expiry_reason(order: SimOrder) -> str | None:
    if status_word(order) != "Expired":
        return None
    if is_market(order) and order.reason == "ioc":
        return "SlippageToleranceExceeded" if order.raw.get("slippage") else "PriceImpact"
    return EXPIRY.get(order.reason, "Unknown")


def _quantity(order: SimOrder) -> str | None:
    return None if order.raw.get("quote_sized") else number(order.size)


def _common(order: SimOrder) -> dict[str, Json]:
    """What answers and histories tell alike."""
    market = is_market(order)
    return {
        **dict.fromkeys(_UNSET),
        "clientId": int(order.client_id) if order.client_id else None,
        "executedQuantity": number(order.filled),
        "executedQuoteQuantity": number(order.quote_filled),
        "id": order.order_id,
        "orderType": "Market" if market else "Limit",
        "quantity": _quantity(order),
        "selfTradePrevention": "RejectTaker",
        "side": SIDE[order.side],
        "symbol": order.symbol,
        "timeInForce": "GTC" if market else order.tif.value,
    }


def render_order(order: SimOrder, status: str = "") -> dict[str, Json]:
    """An order as the order endpoints show it; the keys are those of its type."""
    if is_market(order):
        own: dict[str, Json] = {"quoteQuantity": number(order.raw.get("quote", order.quote_filled))}
    else:
        own = {"postOnly": order.post_only, "price": number(order.price or ZERO)}
    return ordered(
        {
            **_common(order),
            **own,
            "createdAt": milliseconds(order.created_ns),
            "reduceOnly": order.reduce_only or None,
            "relatedOrderId": None,
            "status": status or status_word(order),
            "triggeredAt": None,
        }
    )


def render_past_order(order: SimOrder) -> dict[str, Json]:
    """An order as the history shows it."""
    market = is_market(order)
    return ordered(
        {
            **_common(order),
            "createdAt": iso(order.created_ns),
            "expiryReason": expiry_reason(order),
            "postOnly": order.post_only,
            "price": None if market else number(order.price or ZERO),
            "quoteQuantity": number(order.raw.get("quote", ZERO)) if market else None,
            "status": status_word(order),
            "systemOrderType": system_type(order),
        }
    )


def system_type(order: SimOrder) -> str | None:
    return SYSTEM[order.reason][0] if order.reason in SYSTEM and is_market(order) else None


def fee_of(fill: SimFill, market: SimMarket) -> tuple[Decimal, str]:
    """Fee and its asset: who buys spot pays in the coins received."""
    if market.kind == "spot" and fill.order.side == "buy":
        return (fill.fee / fill.price).quantize(_FEE_DIGITS), market.coin
    return fill.fee, market.quote


def render_fill(fill: SimFill, market: SimMarket) -> dict[str, Json]:
    """A fill of the history; the client id is text here."""
    fee, asset = fee_of(fill, market)
    return {
        "clientId": fill.order.client_id or None,
        "fee": number(fee),
        "feeSymbol": asset,
        "isMaker": fill.liquidity == "maker",
        "orderId": fill.order.order_id,
        "price": number(fill.price),
        "quantity": number(fill.size),
        "side": SIDE[fill.order.side],
        "symbol": fill.order.symbol,
        "systemOrderType": system_type(fill.order),
        "timestamp": iso(fill.time_ns),
        "tradeId": fill.trade_id,
    }


def _order_frame(order: SimOrder, market: SimMarket, now_ns: int) -> dict[str, Json]:
    kind = is_market(order)
    fields: dict[str, Json] = {
        **stamp(now_ns),
        "O": SYSTEM[order.reason][1] if system_type(order) else "USER",
        "S": SIDE[order.side],
        "V": "RejectTaker",
        "Z": number(order.quote_filled),
        "f": "GTC" if kind else order.tif.value,
        "i": order.order_id,
        "o": "MARKET" if kind else "LIMIT",
        "r": order.reduce_only,
        "s": order.symbol,
        "t": None,
        "z": number(order.filled),
    }
    if kind:
        fields["Q"] = number(order.raw.get("quote", order.quote_filled))
    else:
        fields["Q"] = number(order.size * (order.price or ZERO))
        fields["p"] = on_grid(order.price or ZERO, market.tick)
        fields["y"] = order.post_only
    if not order.raw.get("quote_sized"):
        fields["q"] = on_grid(order.size, market.step)
    if order.client_id:
        fields["c"] = int(order.client_id)
    return fields


def render_order_event(
    event: str, order: SimOrder, market: SimMarket, now_ns: int
) -> dict[str, Json]:
    """orderAccepted, orderCancelled or orderExpired."""
    fields = {**_order_frame(order, market, now_ns), "X": status_word(order), "e": event}
    if event == "orderExpired":
        fields["R"] = expiry_reason(order)
    return ordered(fields)


def render_fill_event(fill: SimFill, market: SimMarket) -> dict[str, Json]:
    """orderFill: one execution, with what is executed so far."""
    order = fill.order
    fee, asset = fee_of(fill, market)
    return ordered(
        {
            **_order_frame(order, market, fill.time_ns),
            "L": on_grid(fill.price, market.tick),
            "N": asset,
            "X": "PartiallyFilled" if order.remaining > 0 else "Filled",
            "e": "orderFill",
            "l": on_grid(fill.size, market.step),
            "m": fill.liquidity == "maker",
            "n": number(fee),
            "t": fill.trade_id,
        }
    )


# --------------------------------------------------------------------------- positions


class Exposure(NamedTuple):
    """A position with what only the account knows about it."""

    position: SimPosition
    market: SimMarket
    id: int
    user: int
    fees: Decimal
    exposed: Decimal  # coins, open orders included

    @property
    def initial(self) -> Decimal:
        """Initial margin as a fraction of notional."""
        return max(Decimal(self.market.info["imf"]["base"]), 1 / self.position.leverage)

    @property
    def break_even(self) -> Decimal:
        position = self.position
        if not position.size:
            return ZERO
        return position.entry + (self.fees - position.funding) / position.size


def render_position(held: Exposure) -> dict[str, Json]:
    """One element of the list of positions."""
    position, info = held.position, held.market.info
    return {
        "breakEvenPrice": number(held.break_even),
        "cumulativeFundingPayment": number(position.funding),
        "cumulativeInterest": "0",
        "entryPrice": number(position.entry),
        "estLiquidationPrice": number(position.liquidation or ZERO),
        "imf": number(held.initial),
        "imfFunction": info["imf"],
        "markPrice": number(position.mark),
        "mmf": info["mmf"]["base"],
        "mmfFunction": info["mmf"],
        "netCost": number(position.size * position.entry),
        "netExposureNotional": number(held.exposed * position.mark),
        "netExposureQuantity": number(held.exposed),
        "netQuantity": number(position.size),
        "pnlRealized": number(position.realized),
        "pnlUnrealized": number(position.unrealized),
        "positionId": str(held.id),
        "subaccountId": None,
        "symbol": position.symbol,
        "userId": held.user,
    }


def render_position_frame(held: Exposure, event: str, now_ns: int) -> dict[str, Json]:
    """A frame of the position stream; without an event it is a snapshot."""
    position = held.position
    fields: dict[str, Json] = {
        **stamp(now_ns),
        "B": number(position.entry),
        "M": number(position.mark),
        "P": number(position.unrealized),
        "Q": number(held.exposed),
        "b": number(held.break_even),
        "f": number(held.initial),
        "i": held.id,
        "l": "0",
        "m": held.market.info["mmf"]["base"],
        "n": number(held.exposed * position.mark),
        "p": number(position.realized),
        "q": number(position.size),
        "s": position.symbol,
    }
    if event:
        fields["e"] = event
    return ordered(fields)


# --------------------------------------------------------------------------- market data


def render_levels(levels: Iterable[Level], market: SimMarket) -> list[list[str]]:
    return [[on_grid(price, market.tick), on_grid(size, market.step)] for price, size in levels]


def render_trade(trade: PublicTrade) -> dict[str, Json]:
    return {
        "id": trade.trade_id,
        "isBuyerMaker": trade.taker_side == "sell",
        "price": number(trade.price),
        "quantity": number(trade.size),
        "quoteQuantity": number(trade.price * trade.size),
        "timestamp": milliseconds(trade.time_ns),
    }


def render_trade_frame(trade: PublicTrade, market: SimMarket) -> dict[str, Json]:
    """The two order ids are made up: others' orders have none here."""
    return {
        **stamp(trade.time_ns),
        "a": str(9 * 10**9 + 2 * trade.trade_id),
        "b": str(9 * 10**9 + 2 * trade.trade_id + 1),
        "e": "trade",
        "m": trade.taker_side == "sell",
        "p": on_grid(trade.price, market.tick),
        "q": on_grid(trade.size, market.step),
        "s": trade.symbol,
        "t": trade.trade_id,
    }

"""What Paradex writes: every object of its answers and of its JSON frames.

Amounts are text; times are milliseconds; `seq_no` are large numbers. The binary form of frames is
made of these objects in `paradex_sbe`.

Source: docs.paradex.trade, API 1.132.1; live answers of 2024; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from mpdex.sim.numerals import milliseconds, number
from mpdex.sim.records import ZERO, Level, PublicTrade, SimFill, SimMarket, SimOrder, SimPosition
from mpdex.sim.venues.paradex_truth import long_id
from mpdex.types import Json, OrderStatus, Side, TimeInForce

SIDES: dict[Side, str] = {"buy": "BUY", "sell": "SELL"}
SETTLEMENT = "USDC"
OPENED_MS = 1_700_000_000_000  # since when the markets are open
_MONEY = Decimal("0.00000001")

# Why an order was closed. The first three are documented; UNVERIFIED: the words of all others.
REASONS = {
    "client": "USER_CANCELED",
    "post_only": "POST_ONLY_WOULD_CROSS",
    "margin": "NOT_ENOUGH_MARGIN",
    "limit": "ORDER_EXCEEDS_POSITION_LIMIT",
    "reduce_only": "REDUCE_ONLY_WOULD_INCREASE",
    "band": "PRICE_OUT_OF_BAND",
    "ioc": "IOC_NOT_FILLED",
    "self_trade": "SELF_TRADE",
    "disconnect": "CANCEL_ON_DISCONNECT",
    "market": "MARKET_NOT_OPEN",
    "liquidation": "LIQUIDATION",
    "adl": "LIQUIDATION",
    "expired": "EXPIRED",
}
FORCED = ("liquidation", "adl")


def money(value: Decimal) -> str:
    return number(value.quantize(_MONEY))


# --------------------------------------------------------------------------- markets


def render_market(market: SimMarket, maker: Decimal, taker: Decimal) -> dict[str, Json]:
    fee = {"maker_fee": {"fee": number(maker)}, "taker_fee": {"fee": number(taker)}}
    return {
        "symbol": market.symbol,
        "base_currency": market.coin,
        "quote_currency": "USD",
        "settlement_currency": market.quote,
        "order_size_increment": number(market.step),
        "price_tick_size": number(market.tick),
        "min_notional": number(market.min_notional or ZERO),
        "open_at": OPENED_MS,
        "expiry_at": 0,
        "asset_kind": "PERP",
        "market_kind": "cross",
        "position_limit": number(market.info["position_limit"]),
        "price_bands_width": number(market.band or ZERO),
        "max_open_orders": market.info["max_open_orders"],
        "max_funding_rate": "0.05",
        "max_funding_rate_change": "0.0005",
        "max_tob_spread": "0.2",
        "delta1_cross_margin_params": {
            "imf_base": number(1 / market.max_leverage),
            "imf_shift": "0",
            "imf_factor": "0",
            "mmf_factor": number(market.maintenance * market.max_leverage),
        },
        "price_feed_id": f"sim{market.coin}",
        "oracle_ewma_factor": "0.15",
        "max_order_size": number(market.max_size or ZERO),
        "max_slippage": number(market.band or ZERO),
        "interest_rate": "0.0001",
        "clamp_rate": "0.0005",
        "funding_period_hours": market.funding_hours,
        "funding_multiplier": 1,
        "fee_config": {"api_fee": fee, "interactive_fee": fee, "rpi_fee": fee},
    }


def render_book(
    symbol: str, bids: Sequence[Level], asks: Sequence[Level], seq: int, now_ms: int
) -> dict[str, Json]:
    """Of a REST answer; a best level is [price, size]."""
    best_bid, best_ask = (pairs(side[:1]) for side in (bids, asks))
    best = {
        f"best_{name}_{who}": level[0]
        for name, level in (("bid", best_bid), ("ask", best_ask))
        for who in ("api", "interactive")
        if level
    }
    return {
        "market": symbol,
        "seq_no": seq,
        "last_updated_at": now_ms,
        "asks": pairs(asks),
        "bids": pairs(bids),
        **best,
    }


def pairs(levels: Iterable[Level]) -> list[list[str]]:
    return [[number(price), number(size)] for price, size in levels]


def render_bbo(
    symbol: str, bid: Level | None, ask: Level | None, seq: int, now_ms: int
) -> dict[str, Json]:
    """An empty side is empty text."""
    best = {"bid": bid, "ask": ask}
    return {
        "market": symbol,
        "seq_no": seq,
        **{name: number(level[0]) if level else "" for name, level in best.items()},
        **{f"{name}_size": number(level[1]) if level else "" for name, level in best.items()},
        "last_updated_at": now_ms,
    }


def render_trade(trade: PublicTrade) -> dict[str, Json]:
    ms = milliseconds(trade.time_ns)
    return {
        "id": long_id(ms, trade.trade_id, 1),
        "market": trade.symbol,
        "side": SIDES[trade.taker_side],
        "size": number(trade.size),
        "price": number(trade.price),
        "created_at": ms,
        "trade_type": "FILL",
    }


def render_funding(
    market: SimMarket, rate: Decimal, index: Decimal, now_ms: int
) -> dict[str, Json]:
    """`rate` is of one funding interval, 8 hours here."""
    return {
        "market": market.symbol,
        "funding_index": money(index),
        "funding_premium": money(rate * index),
        "funding_rate": number(rate),
        "funding_rate_8h": number(rate * 8 / market.funding_hours),
        "funding_period_hours": market.funding_hours,
        "created_at": now_ms,
    }


# --------------------------------------------------------------------------- orders


def status_of(order: SimOrder) -> str:
    """An order that vanished is as it was before."""
    if order.live or order.reason == "dropped":
        return "NEW" if order.status is OrderStatus.PENDING else "OPEN"
    return "CLOSED"


def reason_of(order: SimOrder) -> str:
    """Why it was closed; "" while it lives, and for what was filled."""
    if status_of(order) != "CLOSED" or order.status is OrderStatus.FILLED:
        return ""
    return REASONS.get(order.reason, order.reason.upper())


def is_market(order: SimOrder) -> bool:
    """The price of a market order is the bound that the band sets."""
    return order.price is None or order.raw.get("kind") == "MARKET"


def instruction_of(order: SimOrder) -> str:
    if order.post_only:
        return "POST_ONLY"
    return "GTC" if order.tif is TimeInForce.GTC else "IOC"


def flags_of(order: SimOrder) -> list[str]:
    sent: tuple[str, ...] = order.raw.get("flags", ())
    others = [flag for flag in sent if flag != "REDUCE_ONLY"]
    return ["REDUCE_ONLY", *others] if order.reduce_only else others


def render_order(order: SimOrder, now_ms: int) -> dict[str, Json]:
    """`now_ms`: when it is told."""
    created, average = milliseconds(order.created_ns), order.average
    told: dict[str, Json] = {
        "account": order.account,
        "avg_fill_price": money(average) if average is not None else "",
        "cancel_reason": reason_of(order),
        "client_id": order.client_id,
        "created_at": created,
        "flags": flags_of(order),
        "id": order.order_id,
        "instruction": instruction_of(order),
        "last_updated_at": milliseconds(order.updated_ns),
        "market": order.symbol,
        "price": "0" if is_market(order) else number(order.price or ZERO),
        "published_at": now_ms,
        "received_at": created,
        "remaining_size": number(max(order.remaining, ZERO)),
        "seq_no": order.updated_ns,
        "side": SIDES[order.side],
        "size": number(order.size),
        "status": status_of(order),
        "stp": order.raw.get("stp", "EXPIRE_TAKER"),
        "timestamp": order.raw.get("timestamp", created),
        "trigger_price": "0",
        "type": "MARKET" if is_market(order) else "LIMIT",
    }
    request: dict[str, Json] | None = order.raw.get("request")
    return {**told, "request_info": request} if request else told


def fill_id(fill: SimFill) -> str:
    return long_id(milliseconds(fill.time_ns), fill.trade_id, 1 + (fill.liquidity == "maker"))


def render_fill(fill: SimFill, remaining: Decimal, underlying: Decimal) -> dict[str, Json]:
    """`remaining`: of the order, after this fill."""
    order = fill.order
    return {
        "id": fill_id(fill),
        "side": SIDES[order.side],
        "liquidity": fill.liquidity.upper(),
        "market": order.symbol,
        "order_id": order.order_id,
        "price": number(fill.price),
        "size": number(fill.size),
        "fee": money(fill.fee),
        "fee_currency": SETTLEMENT,
        "created_at": milliseconds(fill.time_ns),
        "remaining_size": number(max(remaining, ZERO)),
        "client_id": order.client_id,
        "fill_type": "LIQUIDATION" if order.reason in FORCED else "FILL",
        "realized_pnl": money(fill.closed_pnl),
        "realized_funding": "0",
        "account": order.account,
        "underlying_price": number(underlying),
        "flags": [],
    }


# --------------------------------------------------------------------------- money


def render_position(
    position: SimPosition, created_ns: int, last_fill: str, index: Decimal
) -> dict[str, Json]:
    """`size` is signed; a position that is closed has size 0 and keeps its place.

    Args:
        created_ns: when it was opened.
        index: funding index.
    """
    size, entry = position.size, position.entry
    cost = money(abs(size) * entry)
    return {
        "id": f"{position.account}-{position.symbol}",
        "account": position.account,
        "market": position.symbol,
        "status": "OPEN" if size else "CLOSED",
        "side": "SHORT" if size < 0 else "LONG",
        "size": number(size),
        "average_entry_price": money(entry),
        "average_entry_price_usd": money(entry),
        "realized_pnl": money(position.realized),
        "unrealized_pnl": money(position.unrealized),
        "unrealized_funding_pnl": money(position.funding),
        "leverage": number(position.leverage),
        "cost": cost,
        "cost_usd": cost,
        "cached_funding_index": money(index),
        "created_at": milliseconds(created_ns),
        "last_updated_at": milliseconds(position.updated_ns),
        "last_fill_id": last_fill,
        "seq_no": position.updated_ns,
        "liquidation_price": "" if position.liquidation is None else money(position.liquidation),
    }

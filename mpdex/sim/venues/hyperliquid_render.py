"""What Hyperliquid writes: orders, fills, positions, balances, levels.

Amounts are text with at least one decimal, times are milliseconds, a side is "B" or "A".

Source: hyperliquid.gitbook.io, "Info endpoint" and "Subscriptions", and live payloads; read
2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from mpdex.sim.evm import keccak
from mpdex.sim.records import (
    ZERO,
    Level,
    PublicTrade,
    SimFill,
    SimMarket,
    SimOrder,
)
from mpdex.sim.venues.hyperliquid_exchange import signed
from mpdex.sim.venues.hyperliquid_wire import REFUSALS
from mpdex.types import Json, OrderStatus, Side, TimeInForce

SIDE: dict[Side, str] = {"buy": "B", "sell": "A"}
SIDES: dict[str, Side] = {"B": "buy", "A": "sell"}
NOBODY = "0x" + "0" * 40
_TRADE_BITS = 50
_TIFS = {TimeInForce.GTC: "Gtc", TimeInForce.IOC: "Ioc"}

# Why an order that lived has ended -> its status; "client" and what is not here: canceled.
ENDED = {
    "self_trade": "selfTradeCanceled",
    "reduce_only": "reduceOnlyCanceled",
    "liquidation": "liquidatedCanceled",
    "scheduled": "scheduledCancel",
    "market": "internalCancel",
    "ioc": "iocCancelRejected",
}


def number(value: Decimal) -> str:
    """Plain notation with at least one decimal."""
    text = format(value, "f")
    if "." not in text:
        return f"{text}.0"
    text = text.rstrip("0")
    text = f"{text}0" if text.endswith(".") else text
    return "0.0" if text == "-0.0" else text


def money(value: Decimal) -> str:
    """Rounded to millionths."""
    return number(value.quantize(Decimal("0.000001")))


def milliseconds(ns: int) -> int:
    return ns // 1_000_000


def hash_of(*words: object) -> str:
    """A hash that looks like a transaction's."""
    return "0x" + keccak(" ".join(map(str, words)).encode()).hex()


def trade_number(trade_id: int) -> int:
    """`tid` is a 50-bit hash, not a counter."""
    digest = keccak(b"trade %d" % trade_id)
    return int.from_bytes(digest[:8], "big") % (1 << _TRADE_BITS)


# --------------------------------------------------------------------------- orders


def status_word(order: SimOrder) -> str:
    """Status of an order in histories and on the stream."""
    if order.live or order.reason == "dropped":
        return "open"
    if order.status is OrderStatus.FILLED or (order.filled and order.reason == "ioc"):
        return "filled"
    if order.status is OrderStatus.REJECTED:
        return REFUSALS[order.reason][1] if order.reason in REFUSALS else "rejected"
    return ENDED.get(order.reason, "canceled")


def remaining(order: SimOrder) -> Decimal:
    """Size left; nothing of an order that was canceled is taken back."""
    return max(order.remaining, ZERO)


def render_order(order: SimOrder) -> dict[str, Json]:
    """The short form, of open orders and of the stream; the client id only where there is one."""
    fields: dict[str, Json] = {
        "coin": order.symbol,
        "side": SIDE[order.side],
        "limitPx": number(order.price or ZERO),
        "sz": number(remaining(order)),
        "oid": int(order.order_id),
        "timestamp": milliseconds(order.created_ns),
        "origSz": number(order.size),
    }
    if order.client_id:
        fields["cloid"] = order.client_id
    return fields


def render_open_order(order: SimOrder) -> dict[str, Json]:
    """An element of `openOrders`; whether it only reduces is told where it does."""
    fields = render_order(order)
    return {**fields, "reduceOnly": True} if order.reduce_only else fields


def render_full_order(order: SimOrder) -> dict[str, Json]:
    """The long form, of `frontendOpenOrders`, `orderStatus` and `historicalOrders`."""
    fields = render_order(order)
    market = order.price is None or order.raw.get("tif") == "FrontendMarket"
    return {
        "coin": fields["coin"],
        "side": fields["side"],
        "limitPx": fields["limitPx"],
        "sz": fields["sz"],
        "oid": fields["oid"],
        "timestamp": fields["timestamp"],
        "triggerCondition": "N/A",
        "isTrigger": False,
        "triggerPx": "0.0",
        "children": [],
        "isPositionTpsl": False,
        "reduceOnly": order.reduce_only,
        "orderType": "Market" if market else "Limit",
        "origSz": fields["origSz"],
        "tif": order.raw.get("tif", tif_of(order)),
        "cloid": order.client_id or None,
    }


def tif_of(order: SimOrder) -> str:
    """Where nobody said it in the venue's words."""
    return "Alo" if order.post_only else _TIFS.get(order.tif, "Ioc")


def render_status(order: SimOrder) -> dict[str, Json]:
    """An element of `historicalOrders`, and what `orderStatus` wraps."""
    return {"order": render_full_order(order), **_stamp(order)}


def render_update(order: SimOrder, status: str, time_ns: int) -> dict[str, Json]:
    """An element of `orderUpdates`."""
    fields = render_order(order)
    return {"order": fields, "status": status, "statusTimestamp": milliseconds(time_ns)}


def _stamp(order: SimOrder) -> dict[str, Json]:
    return {
        "status": status_word(order),
        "statusTimestamp": milliseconds(order.updated_ns),
    }


def render_filled(order: SimOrder) -> dict[str, Json]:
    """The answer to an order that traded and does not rest."""
    average = (order.average or ZERO).quantize(Decimal("0.00000001"))
    fields: dict[str, Json] = {
        "totalSz": number(order.filled),
        "avgPx": number(average),
        "oid": int(order.order_id),
    }
    if order.client_id:
        fields["cloid"] = order.client_id
    return {"filled": fields}


def render_resting(order: SimOrder) -> dict[str, Json]:
    fields: dict[str, Json] = {"oid": int(order.order_id)}
    if order.client_id:
        fields["cloid"] = order.client_id
    return {"resting": fields}


# --------------------------------------------------------------------------- fills


def direction(fill: SimFill, market: SimMarket, start: Decimal) -> str:
    """`dir`: what the fill did to a position of `start`."""
    if market.kind == "spot":
        return "Buy" if fill.order.side == "buy" else "Sell"
    if fill.order.reason == "adl":
        return "Auto-Deleveraging"
    change, end = signed(fill), start + signed(fill)
    if start * end < 0:
        return "Long > Short" if start > 0 else "Short > Long"
    if start * change >= 0:
        return "Open Long" if change > 0 else "Open Short"
    word = "Long" if start > 0 else "Short"
    return f"Liquidated Cross {word}" if fill.order.reason == "liquidation" else f"Close {word}"


def render_fill(
    fill: SimFill, market: SimMarket, user: str, start: Decimal, builder_fee: Decimal
) -> dict[str, Json]:
    """An execution as histories and streams tell it; who buys spot pays in the coins received."""
    order = fill.order
    in_coins = market.kind == "spot" and order.side == "buy"
    fee = fill.fee / fill.price if in_coins else fill.fee
    fields: dict[str, Json] = {
        "coin": order.symbol,
        "px": number(fill.price),
        "sz": number(fill.size),
        "side": SIDE[order.side],
        "time": milliseconds(fill.time_ns),
        "startPosition": number(start),
        "dir": direction(fill, market, start),
        "closedPnl": money(fill.closed_pnl),
        "hash": hash_of("fill", fill.trade_id),
        "oid": int(order.order_id),
        "crossed": fill.liquidity == "taker",
        "fee": number(fee.quantize(Decimal("0.00000001"))) if in_coins else money(fee),
        "tid": trade_number(fill.trade_id),
    }
    if order.client_id:
        fields["cloid"] = order.client_id
    if builder_fee:
        fields["builderFee"] = money(builder_fee)
    if order.reason == "liquidation":
        fields["liquidation"] = {
            "liquidatedUser": user,
            "markPx": number(fill.price),
            "method": "market",
        }
    return {
        **fields,
        "feeToken": market.info["token"] if in_coins else market.quote,
        "twapId": None,
    }


def render_liquidation(fill: SimFill, user: str, equity: Decimal) -> dict[str, Json]:
    """The event of whom it befell."""
    return {
        "lid": fill.trade_id,
        "liquidator": NOBODY,
        "liquidated_user": user,
        "liquidated_ntl_pos": money(fill.price * fill.size),
        "liquidated_account_value": money(equity),
    }


# --------------------------------------------------------------------------- market data


def render_levels(levels: Iterable[Level]) -> list[Json]:
    """How many orders make a level is not known here: one."""
    return [{"px": number(price), "sz": number(size), "n": 1} for price, size in levels]


def render_trade(trade: PublicTrade) -> dict[str, Json]:
    """The two users are made up: nobody knows the others."""
    buyer, seller = (keccak(b"%s %d" % (w, trade.trade_id))[:20].hex() for w in (b"b", b"s"))
    return {
        "coin": trade.symbol,
        "side": SIDE[trade.taker_side],
        "px": number(trade.price),
        "sz": number(trade.size),
        "time": milliseconds(trade.time_ns),
        "hash": hash_of("fill", trade.trade_id),
        "tid": trade_number(trade.trade_id),
        "users": [f"0x{buyer}", f"0x{seller}"],
    }

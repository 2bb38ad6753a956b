"""What Pacifica writes: every object of its answers and frames.

REST uses long names, the socket one or two letters. Amounts are text without trailing zeros;
ids, times (milliseconds), counts and leverage are JSON numbers.

Source: docs.pacifica.fi, "REST API", "Subscriptions"; answers recorded by two connectors of 2026;
read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from mpdex.sim.numerals import milliseconds, number
from mpdex.sim.records import ZERO, Level, PublicTrade, SimFill, SimMarket, SimOrder, SimPosition
from mpdex.sim.venues.pacifica_history import (
    OrderEvent,
    Payment,
    TradeNote,
    is_market,
    reason_of,
    status_word,
)
from mpdex.sim.venues.pacifica_truth import HIGHEST_PRICE, MOST
from mpdex.types import Json, Side

SIDE: dict[Side, str] = {"buy": "bid", "sell": "ask"}
CAUSES = {"liquidation": "market_liquidation", "adl": "backstop_liquidation"}
MONEY = Decimal("0.000001")  # digits of USDC
LISTED_MS = 1_748_881_333_944  # of BTC, live
DEPTH = 10


def money(value: Decimal) -> str:
    return number(value.quantize(MONEY))


def envelope(data: Json, **more: Json) -> dict[str, Json]:
    return {"success": True, "data": data, "error": None, "code": None, **more}


# --------------------------------------------------------------------------- markets


def render_market(market: SimMarket, rate: Decimal) -> dict[str, Json]:
    """One market of `/info`; the sizes there are USD."""
    perp = market.kind == "perp"
    return {
        "symbol": market.symbol,
        "tick_size": number(market.tick),
        "min_tick": "0",
        "max_tick": number(HIGHEST_PRICE),
        "lot_size": number(market.step),
        "max_leverage": int(market.max_leverage),
        "isolated_only": False,
        "min_order_size": number(market.min_notional or ZERO),
        "max_order_size": number(MOST),
        "funding_rate": number(rate),
        "next_funding_rate": number(rate),
        "created_at": LISTED_MS,
        "instrument_type": "perpetual" if perp else "spot",
        "base_asset": market.coin,
    }


def aggregated(levels: Iterable[Level], step: Decimal, side: Side) -> list[dict[str, Json]]:
    """Up to ten levels on a coarser grid: bids round down, asks up. Counts are made up."""
    rounding = ROUND_FLOOR if side == "buy" else ROUND_CEILING
    sums: dict[Decimal, Decimal] = {}
    for price, size in levels:
        coarse = (price / step).to_integral_value(rounding) * step
        if coarse not in sums and len(sums) == DEPTH:
            break
        sums[coarse] = sums.get(coarse, ZERO) + size
    return [{"p": number(price), "a": number(size), "n": 1} for price, size in sums.items()]


def render_public_trade(trade: PublicTrade) -> dict[str, Json]:
    """Nobody here knows what a stranger's trade did to his position: it opens."""
    return {
        "event_type": "fulfill_taker",
        "price": number(trade.price),
        "amount": number(trade.size),
        "side": _opened(trade),
        "cause": "normal",
        "created_at": milliseconds(trade.time_ns),
    }


def render_trade_frame(trade: PublicTrade, li: int) -> dict[str, Json]:
    return {
        "h": trade.trade_id,
        "s": trade.symbol,
        "a": number(trade.size),
        "p": number(trade.price),
        "d": _opened(trade),
        "tc": "normal",
        "t": milliseconds(trade.time_ns),
        "li": li,
    }


def _opened(trade: PublicTrade) -> str:
    return "open_long" if trade.taker_side == "buy" else "open_short"


# --------------------------------------------------------------------------- orders


def client_id(order: SimOrder) -> str | None:
    return order.client_id or None


def order_type(order: SimOrder) -> str:
    return "market" if is_market(order) else "limit"


def _canceled(order: SimOrder) -> Decimal:
    ended = status_word(order) in ("cancelled", "rejected")
    return max(order.size - order.filled, ZERO) if ended else ZERO


def _name(order: SimOrder) -> dict[str, Json]:
    return {
        "order_id": int(order.order_id),
        "client_order_id": client_id(order),
        "symbol": order.symbol,
        "side": SIDE[order.side],
    }


def _progress(order: SimOrder, filled: Decimal, canceled: Decimal) -> dict[str, Json]:
    return {
        "price": number(order.price or ZERO),
        "initial_amount": number(order.size),
        "filled_amount": number(filled),
        "cancelled_amount": number(canceled),
    }


def render_open_order(order: SimOrder) -> dict[str, Json]:
    return {
        **_name(order),
        **_progress(order, order.filled, _canceled(order)),
        "stop_price": None,
        "order_type": order_type(order),
        "stop_parent_order_id": None,
        "trigger_price_type": None,
        "parent_id": None,
        "reduce_only": order.reduce_only,
        "created_at": milliseconds(order.created_ns),
        "updated_at": milliseconds(order.updated_ns),
    }


def render_past_order(order: SimOrder) -> dict[str, Json]:
    return {
        **_name(order),
        "initial_price": number(order.price or ZERO),
        "average_filled_price": money(order.average or ZERO),
        "amount": number(order.size),
        "filled_amount": number(order.filled),
        "order_status": status_word(order),
        "order_type": order_type(order),
        "stop_price": None,
        "stop_parent_order_id": None,
        "reduce_only": order.reduce_only,
        "reason": reason_of(order),
        "created_at": milliseconds(order.created_ns),
        "updated_at": milliseconds(order.updated_ns),
    }


def render_event(event: OrderEvent) -> dict[str, Json]:
    """One element of the history of an order."""
    order = event.order
    return {
        "history_id": event.number,
        **_name(order),
        **_progress(order, event.filled, event.canceled),
        "event_type": event.word,
        "order_type": order_type(order),
        "order_status": event.status,
        "stop_price": None,
        "stop_parent_order_id": None,
        "reduce_only": order.reduce_only,
        "created_at": milliseconds(event.time_ns),
    }


def render_update(event: OrderEvent, li: int) -> dict[str, Json]:
    """One element of `account_order_updates`."""
    order = event.order
    return {
        "i": int(order.order_id),
        "I": client_id(order),
        "u": order.account,
        "s": order.symbol,
        "d": SIDE[order.side],
        "p": money(event.average or ZERO),
        "ip": number(order.price or ZERO),
        "lp": number(event.last_price),
        "a": number(order.size),
        "f": number(event.filled),
        "oe": event.word,
        "os": event.status,
        "ot": order_type(order),
        "sp": None,
        "si": None,
        "r": order.reduce_only,
        "ct": milliseconds(order.created_ns),
        "ut": milliseconds(event.time_ns),
        "li": li,
    }


def render_order_frame(order: SimOrder) -> dict[str, Json]:
    """One element of `account_orders`."""
    return {
        "i": int(order.order_id),
        "I": client_id(order),
        "s": order.symbol,
        "d": SIDE[order.side],
        "p": number(order.price or ZERO),
        "a": number(order.size),
        "f": number(order.filled),
        "c": "0",
        "t": milliseconds(order.created_ns),
        "st": None,
        "ot": order_type(order),
        "sp": None,
        "ro": order.reduce_only,
    }


# --------------------------------------------------------------------------- fills and funding


def render_fill(fill: SimFill, note: TradeNote) -> dict[str, Json]:
    order = fill.order
    return {
        "history_id": fill.trade_id,
        "order_id": int(order.order_id),
        "client_order_id": client_id(order),
        "symbol": order.symbol,
        "amount": number(fill.size),
        "price": number(fill.price),
        "entry_price": money(note.entry),
        "fee": money(fill.fee),
        "pnl": money(fill.closed_pnl),
        "event_type": f"fulfill_{fill.liquidity}",
        "side": note.word,
        "created_at": milliseconds(fill.time_ns),
        "cause": CAUSES.get(order.reason, "normal"),
    }


def render_fill_frame(fill: SimFill, note: TradeNote, li: int) -> dict[str, Json]:
    order = fill.order
    return {
        "h": fill.trade_id,
        "i": int(order.order_id),
        "I": client_id(order),
        "u": order.account,
        "s": order.symbol,
        "p": number(fill.price),
        "o": money(note.entry),
        "a": number(fill.size),
        "te": f"fulfill_{fill.liquidity}",
        "ts": note.word,
        "tc": CAUSES.get(order.reason, "normal"),
        "f": money(fill.fee),
        "n": money(fill.closed_pnl),
        "t": milliseconds(fill.time_ns),
        "li": li,
    }


def render_payment(payment: Payment) -> dict[str, Json]:
    position = payment.position
    return {
        "history_id": payment.number,
        "symbol": position.symbol,
        "side": _side_of(position),
        "amount": number(abs(position.size)),
        "payout": money(payment.payout),
        "rate": number(payment.rate),
        "created_at": milliseconds(position.updated_ns),
    }


# --------------------------------------------------------------------------- positions


def _side_of(position: SimPosition) -> str:
    return "bid" if position.size > 0 else "ask"


def _liquidation(position: SimPosition) -> str | None:
    return None if position.liquidation is None else money(position.liquidation)


def render_position(position: SimPosition, isolated: bool, opened_ns: int) -> dict[str, Json]:
    return {
        "symbol": position.symbol,
        "side": _side_of(position),
        "amount": number(abs(position.size)),
        "entry_price": money(position.entry),
        "margin": "0",
        "funding": money(position.funding),
        "isolated": isolated,
        "liquidation_price": _liquidation(position),
        "created_at": milliseconds(opened_ns),
        "updated_at": milliseconds(position.updated_ns),
    }


def render_position_frame(position: SimPosition, isolated: bool) -> dict[str, Json]:
    return {
        "s": position.symbol,
        "d": _side_of(position),
        "a": number(abs(position.size)),
        "p": money(position.entry),
        "m": "0",
        "f": money(position.funding),
        "i": isolated,
        "l": _liquidation(position),
        "t": milliseconds(position.updated_ns),
    }

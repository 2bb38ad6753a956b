"""What Lighter writes: orders, trades, positions, assets, as REST and the streams show them alike.

Amounts are text with the market's decimals; identifiers are numbers, most with a twin in text;
times are milliseconds, those called `transaction_time` microseconds.

Source: apidocs.lighter.xyz; live payloads; models of lighter-sdk 1.1.8; read 2026-11-21.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from mpdex.sim.numerals import milliseconds
from mpdex.sim.records import ZERO, Level, PublicTrade, SimFill, SimMarket, SimOrder, SimPosition
from mpdex.types import Json, OrderStatus, Side

USDC = Decimal("0.000001")
PERCENT = Decimal("0.01")
FIRST_ASK, FIRST_BID = 2**48, 2**49  # asks count up, bids down
STRANGER = 281_474_976_639_642  # whoever is on the other side
STRANGERS_FEES = {"maker": 28, "taker": 196}  # of a premium account, in 1e-6
KINDS = ("limit", "market")
TIMES = ("immediate-or-cancel", "good-till-time", "post-only")
# Why an order ended, in the venue's words.
ENDS = {
    "post_only": "canceled-post-only",
    "margin": "canceled-margin-not-allowed",
    "reduce_only": "canceled-reduce-only",
    "self_trade": "canceled-self-trade",
    "expired": "canceled-expired",
    "ioc": "canceled-not-enough-liquidity",
    "liquidation": "canceled-liquidation",
}
TRADE_TYPES = {"liquidation": "liquidation", "adl": "deleverage"}


def on_grid(value: Decimal, step: Decimal) -> str:
    """With as many decimals as a step has."""
    return f"{value.quantize(step):f}"


def usdc(value: Decimal) -> str:
    return on_grid(value, USDC)


def decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(-exponent, 0)


def block_at(ns: int) -> int:
    """Ten blocks a second."""
    return ns // 100_000_000 % 10**9


def nonce_at(seq: int) -> int:
    """Numbers of book changes; the engine's counter is small."""
    return 9_182_390_000 + 11 * seq


def market_id(market: SimMarket) -> int:
    number: int = market.info["id"]
    return number


# --------------------------------------------------------------------------- orders


def status_word(order: SimOrder) -> str:
    if order.live:
        return "in-progress" if order.status is OrderStatus.PENDING else "open"
    if order.status is OrderStatus.FILLED:
        return "filled"
    if order.reason == "ioc" and order.raw.get("type") == "market":
        return "canceled-too-much-slippage"
    if order.reason == "margin" and order.raw.get("spot"):
        return "canceled-invalid-balance"
    return ENDS.get(order.reason, "canceled")


def order_index(order: SimOrder) -> int:
    return int(order.order_id)


def client_index(order: SimOrder) -> int:
    return int(order.client_id or 0)


def kind_word(order: SimOrder) -> str:
    word: str = order.raw.get("type", "liquidation" if order.reason else "market")
    return word


def render_order(order: SimOrder, market: SimMarket) -> dict[str, Json]:
    """An order; `side` is empty, as it often is live."""
    tick, step = market.tick, market.step
    price = order.price if order.price is not None else ZERO
    remaining = order.remaining if order.live else ZERO
    return {
        "order_index": order_index(order),
        "client_order_index": client_index(order),
        "order_id": order.order_id,
        "client_order_id": str(client_index(order)),
        "market_index": market_id(market),
        "owner_account_index": int(order.account),
        "initial_base_amount": on_grid(order.size, step),
        "price": on_grid(price, tick),
        "nonce": order.raw.get("nonce", 0),
        "remaining_base_amount": on_grid(remaining, step),
        "is_ask": order.side == "sell",
        "base_size": int(remaining / step),
        "base_price": int(price / tick),
        "filled_base_amount": on_grid(order.filled, step),
        "filled_quote_amount": usdc(order.quote_filled),
        "side": "",
        "type": kind_word(order),
        "time_in_force": order.raw.get("tif", TIMES[0]),
        "reduce_only": order.reduce_only,
        "trigger_price": on_grid(ZERO, tick),
        "order_expiry": order.raw.get("expiry", 0),
        "status": status_word(order),
        "trigger_status": "na",
        "trigger_time": 0,
        "parent_order_index": 0,
        "parent_order_id": "0",
        "to_trigger_order_id_0": "0",
        "to_trigger_order_id_1": "0",
        "to_cancel_order_id_0": "0",
        "integrator_fee_collector_index": "0",
        "integrator_taker_fee": "0",
        "integrator_maker_fee": "0",
        "order_flags": 0,
        "order_version": order.raw.get("version", 0),
        "market_symbol": market.symbol,
        "market_kind": market.kind,
        "block_height": block_at(order.updated_ns),
        "timestamp": milliseconds(order.created_ns),
        "created_at": milliseconds(order.created_ns),
        "updated_at": milliseconds(order.updated_ns),
        "transaction_time": order.created_ns // 1000,
    }


# --------------------------------------------------------------------------- trades


class Before(NamedTuple):
    """A position as it was before a trade."""

    size: Decimal
    entry: Decimal
    fraction: int  # initial margin, in 1e-4


def fee_ticks(fill: SimFill) -> int:
    """The fee of a fill in 1e-6 of its notional."""
    return int((fill.fee / (fill.price * fill.size) * 1_000_000).to_integral_value())


def render_fill(fill: SimFill, market: SimMarket, before: Before) -> dict[str, Json]:
    """A trade of an account. The other side is made up: nobody else has an account here."""
    order, taking = fill.order, fill.liquidity == "taker"
    own = (order_index(order), client_index(order), int(order.account))
    other = (_other_index(fill.trade_id, order.side), 0, STRANGER)
    ask, bid = (own, other) if order.side == "sell" else (other, own)
    role, others = ("taker", "maker") if taking else ("maker", "taker")
    signed = fill.size if order.side == "buy" else -fill.size
    fees = {f"{role}_fee": fee_ticks(fill), f"{others}_fee": STRANGERS_FEES[others]}
    return {
        **_numbers(fill.trade_id, ask, bid),
        "tx_hash": order.raw.get("hash") or trade_hash(fill.trade_id),
        "type": TRADE_TYPES.get(order.reason, "trade"),
        "market_id": market_id(market),
        "size": on_grid(fill.size, market.step),
        "price": on_grid(fill.price, market.tick),
        "usd_amount": usdc(fill.price * fill.size),
        "is_maker_ask": taking is (order.side == "buy"),
        "block_height": block_at(fill.time_ns),
        "timestamp": milliseconds(fill.time_ns),
        "transaction_time": fill.time_ns // 1000,
        **_then(role, before, before.size + signed, market),
        **_then(others, Before(ZERO, ZERO, 500), -signed, market),
        **{name: fee for name, fee in fees.items() if fee},
    }


def _then(role: str, before: Before, after: Decimal, market: SimMarket) -> dict[str, Json]:
    return {
        f"{role}_position_size_before": on_grid(before.size, market.step),
        f"{role}_entry_quote_before": usdc(abs(before.size) * before.entry),
        f"{role}_initial_margin_fraction_before": before.fraction,
        f"{role}_position_sign_changed": before.size * after <= 0,
    }


def render_trade(trade: PublicTrade, market: SimMarket) -> dict[str, Json]:
    """A trade of others, short as `recentTrades` tells it since October 2026."""
    ask, bid = (
        _other_index(trade.trade_id, "buy"),
        _other_index(trade.trade_id, "sell"),
    )
    return {
        "trade_id": trade.trade_id,
        "type": "trade",
        "market_id": market_id(market),
        "size": on_grid(trade.size, market.step),
        "price": on_grid(trade.price, market.tick),
        "usd_amount": usdc(trade.price * trade.size),
        "ask_id": ask,
        "bid_id": bid,
        "ask_account_id": STRANGER,
        "bid_account_id": STRANGER + 1,
        "is_maker_ask": trade.taker_side == "buy",
        "timestamp": milliseconds(trade.time_ns),
    }


def render_public_trade(trade: PublicTrade, market: SimMarket) -> dict[str, Json]:
    """The same with all that the stream tells."""
    short = render_trade(trade, market)
    ask, bid = (short["ask_id"], 0, STRANGER), (short["bid_id"], 0, STRANGER + 1)
    return {
        **short,
        **_numbers(trade.trade_id, ask, bid),
        "tx_hash": trade_hash(trade.trade_id),
        "block_height": block_at(trade.time_ns),
        **{f"{role}_fee": fee for role, fee in STRANGERS_FEES.items()},
        "transaction_time": trade.time_ns // 1000,
    }


def _numbers(
    trade_id: int, ask: tuple[int, int, int], bid: tuple[int, int, int]
) -> dict[str, Json]:
    numbers: dict[str, int] = {"trade_id": trade_id}
    for name, (index, client, _) in (("ask", ask), ("bid", bid)):
        numbers |= {f"{name}_id": index, f"{name}_client_id": client}
    return {
        **numbers,
        **{f"{name}_str": str(number) for name, number in numbers.items()},
        "ask_account_id": ask[2],
        "bid_account_id": bid[2],
    }


def _other_index(trade_id: int, side: Side) -> int:
    """An order that trades against this side."""
    far = 10**9 + trade_id
    return FIRST_ASK + far if side == "buy" else FIRST_BID - far


def trade_hash(number: int) -> str:
    return hashlib.sha512(b"%d" % number).hexdigest()[:80]


# --------------------------------------------------------------------------- positions, money


def margin_fraction(leverage: Decimal) -> int:
    """Initial margin in 1e-4 of notional."""
    return int((10_000 / leverage).to_integral_value())


class Exposure(NamedTuple):
    """A position with what only the account knows about it."""

    position: SimPosition
    market: SimMarket
    open_orders: int
    isolated: bool
    allocated: Decimal


def render_position(held: Exposure) -> dict[str, Json]:
    """A position; its size has no sign, and a flat one stays listed."""
    position, market = held.position, held.market
    size = abs(position.size)
    return {
        "market_id": market_id(market),
        "symbol": market.symbol,
        "initial_margin_fraction": on_grid(100 / position.leverage, PERCENT),
        "open_order_count": held.open_orders,
        "pending_order_count": 0,
        "position_tied_order_count": 0,
        "sign": -1 if position.size < 0 else 1,
        "position": on_grid(size, market.step),
        "avg_entry_price": on_grid(position.entry, market.tick),
        "position_value": usdc(size * position.mark),
        "unrealized_pnl": usdc(position.unrealized),
        "realized_pnl": usdc(position.realized),
        "liquidation_price": f"{position.liquidation:f}" if position.liquidation else "0",
        "total_funding_paid_out": usdc(-position.funding),
        "margin_mode": int(held.isolated),
        "allocated_margin": usdc(held.allocated),
        "total_discount": usdc(ZERO),
    }


def render_asset(
    symbol: str, number: int, amount: Decimal, locked: Decimal, margin: Decimal
) -> dict[str, Json]:
    digits = USDC if symbol == "USDC" else Decimal("0.00000001")
    return {
        "symbol": symbol,
        "asset_id": number,
        "balance": on_grid(amount, digits),
        "locked_balance": on_grid(locked, digits),
        "margin_mode": "enabled" if margin else "disabled",
        "margin_balance": usdc(margin),
    }


# --------------------------------------------------------------------------- books


def render_levels(levels: Iterable[Level], market: SimMarket) -> list[Json]:
    return [
        {"price": on_grid(price, market.tick), "size": on_grid(size, market.step)}
        for price, size in levels
    ]


def render_best(levels: list[Level], market: SimMarket) -> Json:
    """The first level; an empty side is empty text."""
    return render_levels(levels[:1], market)[0] if levels else {"price": "", "size": ""}

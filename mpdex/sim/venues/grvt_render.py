"""What GRVT writes: the simulator's records as the venue's JSON. Pure functions.

Key sets and JSON types are those of live captures; numbers are plain text with at least one decimal
place, 64-bit integers are text, small integers are JSON numbers, times are nanoseconds.

Source: api-docs.grvt.io, trading_api, market_data_api and streams; read 2026-11-21.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Any

from mpdex.sim.records import Level, PublicTrade, SimFill, SimMarket, SimOrder, SimPosition
from mpdex.sim.venues.grvt_wire import WireOrder, WireSignature
from mpdex.types import Json, OrderStatus

ZERO = Decimal(0)
UNSET = "UNSPECIFIED"
NANO = Decimal("1E-9")
MICRO = Decimal("1E-6")
UNSIGNED = WireSignature("0x00", "0x" + "0" * 64, "0x" + "0" * 64, 27, 0, 0, None, 0)

# Why an order ended, in the exchange's word -> GRVT's.
REASONS = {
    "": UNSET,
    "post_only": "FAIL_POST_ONLY",
    "margin": "BELOW_MARGIN",
    "reduce_only": "FAIL_REDUCE_ONLY",
    "ioc": "IOC_CANCEL",
    "fok": "FOK_CANCEL",
    "self_trade": "SELF_TRADE_PROTECTION",
    "band": "TRADE_PRICE_WORSE_THAN_BANKRUPTCY_PRICE",
    "client": "CLIENT_CANCEL",
    "client_bulk": "CLIENT_BULK_CANCEL",
    "disconnect": "CLIENT_CANCEL_ON_DISCONNECT_TRIGGERED",
    "expired": "EXPIRED",
    "market": "MARKET_CANCEL",
    "liquidation": "LIQUIDATION",
    "adl": "LIQUIDATION",
    "dropped": UNSET,
}
_STATUS = {
    OrderStatus.PENDING: "PENDING",
    OrderStatus.OPEN: "OPEN",
    OrderStatus.FILLED: "FILLED",
    OrderStatus.CANCELED: "CANCELLED",
    OrderStatus.REJECTED: "REJECTED",
    OrderStatus.EXPIRED: "CANCELLED",
}


def number(value: Decimal) -> str:
    """Plain notation, at least one decimal place, no needless zeros: "70000.0", "0.000001"."""
    if not value:
        return "0.0"
    text = format(value, "f")
    if "." not in text:
        return text + ".0"
    text = text.rstrip("0")
    return text + "0" if text[-1] == "." else text


def money(value: Decimal) -> str:
    """A sum of the settlement currency: six decimals."""
    return number(value.quantize(MICRO, ROUND_HALF_EVEN))


def fine(value: Decimal) -> str:
    """A price that is computed (mark, index, average): nine decimals."""
    return number(value.quantize(NANO, ROUND_DOWN))


# --------------------------------------------------------------------------- orders and fills


def render_metadata(client_id: str, created_ns: int) -> dict[str, Json]:
    return {
        "client_order_id": client_id,
        "create_time": str(created_ns),
        "trigger": {
            "trigger_type": UNSET,
            "tpsl": {"trigger_by": UNSET, "trigger_price": "0.0", "close_position": False},
        },
        "broker": UNSET,
        "is_position_transfer": False,
        "allow_crossing": False,
    }


def render_state(order: SimOrder) -> dict[str, Json]:
    """`book_size` is what is left on the book: nothing once the order has ended."""
    left = order.remaining if order.live else ZERO
    return {
        "status": _STATUS[order.status],
        "reject_reason": REASONS[order.reason],
        "book_size": [number(left)],
        "traded_size": [number(order.filled)],
        "update_time": str(order.updated_ns),
        "avg_fill_price": [fine(order.average or ZERO)],
    }


def render_pending(order: SimOrder) -> dict[str, Json]:
    """State of an order as its create is answered, whatever has become of it since."""
    return {
        "status": "PENDING",
        "reject_reason": UNSET,
        "book_size": [number(order.size)],
        "traded_size": ["0.0"],
        "update_time": str(order.raw["taken"]),
        "avg_fill_price": ["0.0"],
    }


def sent(order: SimOrder) -> WireOrder:
    """What the client sent; made up, unsigned, for an order that the venue itself made."""
    wire: WireOrder | None = order.raw.get("wire")
    return wire or WireOrder(
        sub_account_id=int(order.account),
        order_id="",
        is_market=True,
        time_in_force="IMMEDIATE_OR_CANCEL",
        post_only=False,
        reduce_only=False,
        legs=1,
        instrument=order.symbol,
        size=order.size,
        price=ZERO,
        buying=order.side == "buy",
        client_id="",
        slippage_bps=ZERO,
        builder="",
        builder_fee=ZERO,
        signature=UNSIGNED,
    )


def render_order(
    order: SimOrder, state: dict[str, Json], *, order_id: str | None = None
) -> dict[str, Json]:
    """An order as every answer and stream shows it.

    Args:
        order_id: shown instead of the order's own: "0x00" while it is pending.
    """
    wire = sent(order)
    return {
        "order_id": order.order_id if order_id is None else order_id,
        "sub_account_id": order.account,
        "is_market": wire.is_market,
        "time_in_force": wire.time_in_force,
        "post_only": wire.post_only,
        "reduce_only": wire.reduce_only,
        "legs": [
            {
                "instrument": wire.instrument,
                "size": number(order.size),
                "limit_price": number(_limit_price(order, wire)),
                "is_buying_asset": wire.buying,
            }
        ],
        "signature": wire.signature.render(),
        "metadata": render_metadata(
            order.client_id or "0", order.raw.get("taken", order.created_ns)
        ),
        "state": state,
        "builder": wire.builder or "0x00",
        "builder_fee": number(wire.builder_fee),
    }


def _limit_price(order: SimOrder, wire: WireOrder) -> Decimal:
    """As it was sent where a slippage bound narrows it; else as the venue has it."""
    return wire.price if wire.slippage_bps or order.price is None else order.price


def render_fill(fill: SimFill, market: SimMarket, mark: Decimal, index: Decimal) -> dict[str, Json]:
    """`fee_rate` is in percent with four places, so a tiny maker rate shows as "0.0", as live."""
    order = fill.order
    notional = fill.price * fill.size
    rate = (fill.fee / notional * 100).quantize(Decimal("1E-3"), ROUND_DOWN) if notional else ZERO
    return {
        "event_time": str(fill.time_ns),
        "sub_account_id": order.account,
        "instrument": market.symbol,
        "is_buyer": order.side == "buy",
        "is_taker": fill.liquidity == "taker",
        "size": number(fill.size),
        "price": number(fill.price),
        "mark_price": fine(mark),
        "index_price": fine(index),
        "interest_rate": "0.0",
        "forward_price": "0.0",
        "realized_pnl": money(fill.closed_pnl),
        "fee": money(fill.fee),
        "fee_rate": number(rate),
        "trade_id": f"{fill.trade_id}-{1 if fill.liquidity == 'taker' else 2}",
        "order_id": order.order_id,
        "venue": "ORDERBOOK",
        "is_liquidation": order.reason == "liquidation",
        "client_order_id": order.client_id or "0",
        "signer": sent(order).signature.signer,
        "broker": UNSET,
        "is_rpi": False,
        "builder": "0x00",
        "builder_fee_rate": "0.0",
        "builder_fee": "0",
    }


# --------------------------------------------------------------------------- account


def render_position(position: SimPosition, cumulative_fee: Decimal) -> dict[str, Json]:
    """`roi` is in percent of the entry notional; size and notional are negative for a short."""
    size, entry = position.size, position.entry
    cost = abs(size) * entry
    roi = (position.unrealized / cost * 100) if cost else ZERO
    return {
        "event_time": str(position.updated_ns),
        "sub_account_id": position.account,
        "instrument": position.symbol,
        "size": number(size),
        "notional": money(size * position.mark),
        "entry_price": fine(entry),
        "exit_price": "0.0",
        "mark_price": fine(position.mark),
        "unrealized_pnl": money(position.unrealized),
        "realized_pnl": money(position.realized),
        "total_pnl": money(position.unrealized + position.realized),
        "roi": number(roi.quantize(Decimal("1E-4"), ROUND_HALF_EVEN)),
        "quote_index_price": "1.0",
        "est_liquidation_price": fine(position.liquidation or ZERO),
        "leverage": number(position.leverage),
        "cumulative_fee": money(cumulative_fee),
        "cumulative_realized_funding_payment": money(-position.funding),
        "margin_type": "CROSS",
    }


def render_account(
    account: str,
    *,
    now_ns: int,
    equity: Decimal,
    balance: Decimal,
    unrealized: Decimal,
    initial: Decimal,
    maintenance: Decimal,
    free: Decimal,
    positions: list[dict[str, Json]],
) -> dict[str, Json]:
    """The sub-account summary."""
    return {
        "event_time": str(now_ns),
        "sub_account_id": account,
        "margin_type": "SIMPLE_CROSS_MARGIN",
        "settle_currency": "USDT",
        "unrealized_pnl": money(unrealized),
        "total_equity": money(equity),
        "initial_margin": money(initial),
        "maintenance_margin": money(maintenance),
        "available_balance": money(max(free, ZERO)),
        "spot_balances": [render_spot(balance)],
        "positions": positions,
        "settle_index_price": "1.0",
        "derisk_margin": money(maintenance),
        "derisk_to_maintenance_margin_ratio": "1.0",
        "total_cross_equity": money(equity),
        "cross_unrealized_pnl": money(unrealized),
    }


def render_spot(balance: Decimal) -> dict[str, Json]:
    return {"currency": "USDT", "balance": money(balance), "index_price": "1.0"}


# --------------------------------------------------------------------------- market data


def render_instrument(market: SimMarket, created_ns: int) -> dict[str, Json]:
    return {
        "instrument": market.symbol,
        "instrument_hash": market.info["instrument_hash"],
        "base": market.coin,
        "quote": market.quote,
        "kind": "PERPETUAL",
        "venues": ["ORDERBOOK", "RFQ"],
        "settlement_period": "PERPETUAL",
        "base_decimals": market.info["base_decimals"],
        "quote_decimals": 6,
        "tick_size": number(market.tick),
        "min_size": number(market.min_size),
        "create_time": str(created_ns),
        "max_position_size": number(market.max_size or Decimal(1000)),
        "funding_interval_hours": market.funding_hours,
        "adjusted_funding_rate_cap": "0.3",
        "adjusted_funding_rate_floor": "-0.3",
        "min_notional": number(market.min_notional or ZERO),
    }


def render_currency(symbol: str, id: int) -> dict[str, Json]:
    return {
        "id": id,
        "symbol": symbol,
        "balance_decimals": 6,
        "quantity_multiplier": "1000000",
    }


def render_margin_rules(market: SimMarket) -> dict[str, Json]:
    """One bracket. Not wrapped in `result`, as live."""
    return {
        "instrument": market.symbol,
        "max_position_size": number(market.max_size or Decimal(1000)),
        "risk_brackets": [
            {
                "tier": 1,
                "notional_floor": "0",
                "notional_cap": "600000",
                "maintenance_margin_rate": str(market.maintenance),
                "initial_margin_rate": str(1 / market.max_leverage),
                "max_leverage": int(market.max_leverage),
                "cumulative_maintenance_amount": "0",
            }
        ],
    }


def render_levels(levels: list[Level]) -> list[dict[str, Json]]:
    """`num_orders` is 0 for a level that is gone; the simulator does not count orders."""
    return [{"price": number(p), "size": number(s), "num_orders": int(s > 0)} for p, s in levels]


def render_book(symbol: str, bids: list[Level], asks: list[Level], time_ns: int) -> dict[str, Json]:
    return {
        "event_time": str(time_ns),
        "instrument": symbol,
        "bids": render_levels(bids),
        "asks": render_levels(asks),
    }


def render_trade(trade: PublicTrade, mark: Decimal, index: Decimal) -> dict[str, Json]:
    return {
        "event_time": str(trade.time_ns),
        "instrument": trade.symbol,
        "is_taker_buyer": trade.taker_side == "buy",
        "size": number(trade.size),
        "price": number(trade.price),
        "mark_price": fine(mark),
        "index_price": fine(index),
        "interest_rate": "0.0",
        "forward_price": "0.0",
        "trade_id": f"{trade.trade_id}-1",
        "venue": "ORDERBOOK",
        "is_rpi": False,
    }


def render_mini(
    *,
    mark: Decimal,
    index: Decimal,
    last: tuple[Decimal, Decimal] | None,
    bid: Level | None,
    ask: Level | None,
) -> dict[str, str]:
    """The fields of a mini ticker that can change; "" is null: an empty side."""
    last_price, last_size = last or (ZERO, ZERO)
    return {
        "mark_price": fine(mark),
        "index_price": fine(index),
        "last_price": number(last_price),
        "last_size": number(last_size),
        "mid_price": number((bid[0] + ask[0]) / 2) if bid and ask else "",
        "best_bid_price": number(bid[0]) if bid else "",
        "best_bid_size": number(bid[1]) if bid else "",
        "best_ask_price": number(ask[0]) if ask else "",
        "best_ask_size": number(ask[1]) if ask else "",
    }


def render_ticker(
    mini: dict[str, str], funding_rate: Decimal, market: SimMarket, next_funding_ns: int
) -> dict[str, Json]:
    """A mini ticker and what a ticker adds. `funding_rate` is a fraction; the wire has percent."""
    percent = number(funding_rate * 100)
    traded: dict[str, Any] = {
        f"{side}_volume_24h_{unit}": "0.0" for unit in "bq" for side in ("buy", "sell")
    }
    return {
        **mini,
        "funding_rate_8h_curr": percent,
        "funding_rate_8h_avg": percent,
        "interest_rate": "0.0",
        "forward_price": "0.0",
        **traded,
        "high_price": mini["last_price"],
        "low_price": mini["last_price"],
        "open_price": mini["last_price"],
        "open_interest": "0.0",
        "long_short_ratio": "1.0",
        "funding_rate": percent,
        "funding_interval_hours": market.funding_hours,
        "next_funding_time": str(next_funding_ns),
    }


# --------------------------------------------------------------------------- account, the rest


def render_state_frame(order: SimOrder) -> dict[str, Json]:
    """Feed of `v1.state`: no instrument, side or size."""
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_id or "0",
        "order_state": render_state(order),
    }


def render_missed_cancel(
    account: str, client_id: str, order_id: str, now_ns: int
) -> dict[str, Json]:
    """Feed of `v1.cancel`: a cancel waited for an order that did not come."""
    return {
        "sub_account_id": account,
        "client_order_id": client_id,
        "order_id": order_id or "0x00",
        "reason": UNSET,
        "update_time": str(now_ns),
        "cancel_status": "EXPIRED",
    }


def render_funding_payment(
    position: SimPosition, received: Decimal, number_: int
) -> dict[str, Json]:
    """`amount` is positive when paid."""
    return {
        "event_time": str(position.updated_ns),
        "sub_account_id": position.account,
        "instrument": position.symbol,
        "currency": "USDT",
        "amount": money(-received),
        "tx_id": str(number_),
    }


def render_funding_account(
    main_account: str, balance: Decimal, maker: Decimal, taker: Decimal
) -> dict[str, Json]:
    """The main account and its fee tier: fees in millionths of notional, negative received."""
    return {
        "result": {
            "main_account_id": main_account,
            "total_equity": money(balance),
            "spot_balances": [render_spot(balance)],
            "vault_investments": [],
            "total_cash_balance": money(balance),
            "total_spot_asset_balance": "0.0",
        },
        "tier": {
            "tier": 1,
            "futures_taker_fee": int(taker.scaleb(6)),
            "futures_maker_fee": int(maker.scaleb(6)),
            "options_taker_fee": int(taker.scaleb(6)),
            "options_maker_fee": int(maker.scaleb(6)),
        },
    }


def render_leverage(market: SimMarket, leverage: Decimal, margin_type: str) -> dict[str, Json]:
    return {
        "instrument": market.symbol,
        "leverage": number(leverage),
        "min_leverage": "1.0",
        "max_leverage": number(market.max_leverage),
        "margin_type": margin_type,
    }

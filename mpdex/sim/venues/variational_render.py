"""Objects of the simulated Variational, as its answers hold them.

Source: Magicianhax/variational-trading-api, `test/fixtures/*` (c1f63b9; live of 2026-08-13, or the
author's own in the observed shape), `src/schemas.ts`; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from mpdex.sim.records import SimFill, SimMarket, SimOrder, SimPosition
from mpdex.sim.venues import variational_wire as wire
from mpdex.sim.venues.variational_truth import VariationalTruth
from mpdex.sim.venues.variational_wire import plain, stamp
from mpdex.types import Json, OrderStatus

Row = dict[str, Json]
_CENT, _MILLIONTH = Decimal("0.01"), Decimal("0.000001")
PENDING, CLEARED = "pending_clearing", "success_trades_booked_into_pool"
STATUSES = {
    OrderStatus.PENDING: "pending",
    OrderStatus.OPEN: "pending",
    OrderStatus.FILLED: "cleared",
    OrderStatus.CANCELED: "canceled",
    OrderStatus.EXPIRED: "canceled",
    OrderStatus.REJECTED: "rejected",
}
# Why an order was not cleared; anything else is the provider's last look.
REJECTED: Mapping[str, str] = {
    "margin": "rejected_failed_taker_funding",
    "reduce_only": "rejected_failed_reduce_only_check",
    "market": "rejected_failed_risk_checks",
}
CANCELED: Mapping[str, str] = {"client": "user_cancel", "reduce_only": "no_positions"}


def cents(value: Decimal) -> str:
    return plain(value.quantize(_CENT))


def _fine(value: Decimal) -> str:
    return plain(value.quantize(_MILLIONTH))


def render_order(order: SimOrder, market: SimMarket) -> Row:
    """`price` is told of what was cleared."""
    status, slippage = STATUSES[order.status], order.raw.get("slippage")
    kind = order.raw.get("type", "market")
    filled = order.average if status == "cleared" else None
    ended = {
        "pending": PENDING,
        "cleared": CLEARED,
        "canceled": None,
        "rejected": REJECTED.get(order.reason, "rejected_maker_last_look_rejected"),
    }
    checked = status == "rejected" and order.reason == "market"
    return {
        "rfq_id": order.order_id,
        "instrument": wire.instrument(market),
        "side": order.side,
        "qty": plain(order.size),
        "order_type": kind,
        "limit_price": None if order.price is None else plain(order.price),
        "trigger_price": None,
        "price": None if filled is None else plain(filled),
        "status": status,
        "clearing_status": ended[status],
        "cancel_reason": CANCELED.get(order.reason, "admin_cancel")
        if status == "canceled"
        else None,
        "failed_risk_checks": [{"name": "global_configs_check", "passed": False}]
        if checked
        else None,
        "is_reduce_only": order.reduce_only,
        "is_auto_resize": order.raw.get("resizes", False),
        "use_mark_price": False,
        "slippage_limit": None if slippage is None else plain(slippage),
        "tif": "fill_or_kill" if kind == "market" else "good_til_canceled",
        "created_at": stamp(order.created_ns),
    }


def render_trade(fill: SimFill, market: SimMarket) -> Row:
    """UNVERIFIED: that what the owner did by hand names its request, too."""
    kind = "liquidation" if fill.order.reason == "liquidation" else "trade"
    return {
        "id": f"{fill.trade_id:08x}-0000-4000-8000-{fill.trade_id:012x}",
        "source_rfq": fill.order.order_id,
        "instrument": wire.instrument(market),
        "side": fill.order.side,
        "price": plain(fill.price),
        "qty": plain(fill.size),
        "role": fill.liquidity,
        "status": "confirmed",
        "trade_type": kind,
        "created_at": stamp(fill.time_ns),
    }


def render_position(position: SimPosition, truth: VariationalTruth) -> Row:
    """Signed quantity and value. The counts are of triggers, which are not simulated."""
    market, value = truth.markets[position.symbol], position.size * position.mark
    least = position.liquidation
    return {
        "position_info": {
            "instrument": wire.instrument(market),
            "qty": _fine(position.size),
            "avg_entry_price": plain(position.entry),
            "updated_at": stamp(position.updated_ns),
        },
        "price_info": {"price": plain(position.mark)},
        "value": cents(value),
        "upnl": cents(position.unrealized),
        "rpnl": cents(position.realized),
        "cum_funding": cents(position.funding),
        "estimated_liquidation_price": None if least is None else cents(least),
        "initial_margin": cents(abs(value) / position.leverage),
        "maintenance_margin": cents(abs(value) * market.maintenance),
        "pending_order_counts": {"stop_loss": "0", "take_profit": "0"},
    }


def render_portfolio(account: str, truth: VariationalTruth) -> Row:
    """What is called isolated has its own balance: the margin it was opened with."""
    upnl, ledger = truth.ledger.unrealized(account), truth.ledger
    balance = truth.equity(account) - upnl
    own = [
        _sub_account(position, truth)
        for position in truth.positions(account)
        if (account, position.symbol) in truth.isolated
    ]
    apart = sum((Decimal(row["balance"]) for row in own), Decimal(0))
    initial, kept = ledger.initial_margin(account), ledger.maintenance_margin(account)
    return {
        "balance": _fine(balance),
        "upnl": _fine(upnl),
        "margin_usage": {"initial_margin": cents(initial), "maintenance_margin": cents(kept)},
        "sub_accounts": {
            "cross": {
                "balance": cents(balance - apart),
                "initial_margin": cents(max(initial - apart, Decimal(0))),
                "maintenance_margin": cents(kept),
            },
            "cross_available": _fine(truth.free(account)),
            "cross_free_to_mm": cents(truth.equity(account) - kept),
            "isolated": own,
        },
    }


def _sub_account(position: SimPosition, truth: VariationalTruth) -> Row:
    market = truth.markets[position.symbol]
    margin = abs(position.size) * position.entry / position.leverage
    kept = abs(position.size) * position.mark * market.maintenance
    return {
        "instrument": wire.instrument(market),
        "balance": cents(margin),
        "allocated_qty": _fine(position.size),
        "initial_margin": cents(margin),
        "maintenance_margin": cents(kept),
        "available": cents(Decimal(0)),
    }

"""What StandX writes: the rows of its answers and frames, keys in alphabetical order.

Amounts are text; times are RFC 3339 with six digits by REST and with nine on a socket.

Source: docs.standx.com, "Perps HTTP API", "Perps WebSocket API", and live rows; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from mpdex.sim.numerals import number as number
from mpdex.sim.records import ZERO, Level, PublicTrade, SimFill, SimMarket, SimOrder, SimPosition
from mpdex.sim.venues.standx_truth import StandxTruth
from mpdex.types import Json, OrderStatus

REST, SOCKET = 6, 9  # digits of a second
QUOTE = Decimal("0.000000001")  # nine decimals, as `quote_decimals` says


def stamp(ns: int, digits: int = REST) -> str:
    whole = datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{f'{ns % 10**9:09d}'[:digits]}Z"


def on_grid(value: Decimal, step: Decimal) -> str:
    """With as many decimals as the market's step."""
    return format(value.quantize(step), "f")


def quote(value: Decimal) -> str:
    return number(value.quantize(QUOTE))


def json_number(value: Decimal) -> Json:
    """A JSON number, where everything else is text."""
    return msgspec.Raw(number(value).encode())


# --------------------------------------------------------------------------- orders


def exists(order: SimOrder) -> bool:
    """Whether there is a row: what matching refused, or has not seen yet, has none."""
    unseen = order.status in (OrderStatus.PENDING, OrderStatus.REJECTED)
    return not unseen and order.reason != "dropped"


def status_word(order: SimOrder, live: str) -> str:
    """There is no word for partly filled."""
    if order.live:
        return live
    return "filled" if order.status is OrderStatus.FILLED else "canceled"


def render_order(
    order: SimOrder, truth: StandxTruth, *, live: str = "open", digits: int = REST
) -> dict[str, Json]:
    """The row of an order.

    Args:
        live: the word for an open one: lists say "new".
    """
    market = truth.markets[order.symbol]
    leverage = truth.ledger.leverage(order.account, order.symbol)
    is_market = order.price is None
    price = order.price if order.price is not None else order.raw.get("price", order.average)
    return {
        "avail_locked": quote(truth.locked(order)),
        "cl_ord_id": order.client_id,
        "closed_block": -1,
        "created_at": stamp(order.created_ns, digits),
        "created_block": -1,
        "fill_avg_price": number(order.average or ZERO),
        "fill_qty": on_grid(order.filled, market.step) if order.filled else "0",
        "id": int(order.order_id),
        "leverage": number(leverage),
        "liq_id": int(order.reason == "liquidation"),
        "margin": quote(order.quote_filled / leverage),
        "order_type": "market" if is_market else "limit",
        "payload": None,
        "position_id": truth.position_id(order.account, order.symbol),
        "price": on_grid(price or ZERO, market.tick),
        "qty": on_grid(order.size, market.step),
        "reduce_only": order.reduce_only,
        "remark": "",
        "side": order.side,
        "source": order.reason if order.reason in ("liquidation", "adl") else "user",
        "status": status_word(order, live),
        "symbol": order.symbol,
        "time_in_force": "ioc" if is_market else _tif(order),
        "updated_at": stamp(order.updated_ns, digits),
        "user": order.account,
    }


def _tif(order: SimOrder) -> str:
    return "alo" if order.post_only else order.tif.value.lower()


def render_fill(fill: SimFill) -> dict[str, Json]:
    """A fill of the list: neither the client's id nor maker or taker."""
    at = stamp(fill.time_ns)
    return {"created_at": at, **_fill(fill), "updated_at": at}


def render_fill_frame(fill: SimFill) -> dict[str, Json]:
    """UNVERIFIED form: nobody has published the frame; it has exactly one time."""
    return {**_fill(fill), "time": stamp(fill.time_ns, SOCKET)}


def _fill(fill: SimFill) -> dict[str, Json]:
    order = fill.order
    return {
        "fee_asset": "DUSD",
        "fee_qty": quote(fill.fee),
        "id": fill.trade_id,
        "order_id": int(order.order_id),
        "pnl": number(fill.closed_pnl),
        "price": number(fill.price),
        "qty": number(fill.size),
        "side": order.side,
        "symbol": order.symbol,
        "user": order.account,
        "value": number(fill.price * fill.size),
    }


# --------------------------------------------------------------------------- positions, money


def render_position_frame(position: SimPosition, truth: StandxTruth) -> dict[str, Json]:
    """A position as the stream tells it: nothing that moves with the mark."""
    account, symbol = position.account, position.symbol
    market, value = truth.markets[symbol], abs(position.size) * position.entry
    at = stamp(position.updated_ns)
    return {
        "created_at": at,
        "entry_price": on_grid(position.entry, market.tick),
        "entry_value": number(value),
        "id": truth.position_id(account, symbol),
        "initial_margin": quote(value / position.leverage),
        "leverage": number(position.leverage),
        "margin_asset": "DUSD",
        "margin_mode": truth.mode(account, symbol),
        "qty": number(position.size),
        "realized_pnl": number(position.realized),
        "status": "open",
        "symbol": symbol,
        "updated_at": at,
        "user": account,
    }


def render_position(position: SimPosition, truth: StandxTruth, now_ns: int) -> dict[str, Json]:
    """A position as the list shows it. `qty` is negative for a short one, "0" for a flat one."""
    account, symbol = position.account, position.symbol
    market, size = truth.markets[symbol], abs(position.size)
    value, isolated = size * position.mark, truth.isolated_margin(account, symbol)
    maintenance = value * market.maintenance
    held = isolated or size * position.entry / position.leverage
    behind = isolated + position.unrealized if isolated else truth.equity(account)
    bankrupt = position.entry - held / position.size if size else ZERO
    liquidation = position.liquidation
    return {
        **render_position_frame(position, truth),
        "bankruptcy_price": on_grid(max(bankrupt, ZERO), market.tick),
        "holding_margin": quote(held),
        "liq_price": None if liquidation is None else on_grid(liquidation, market.tick),
        "maint_margin": number(maintenance),
        "mark_price": number(position.mark),
        "mmr": number(behind / maintenance) if maintenance else None,
        "position_value": number(value),
        "time": stamp(now_ns),
        "upnl": number(position.unrealized),
    }


def render_balance(account: str, truth: StandxTruth) -> dict[str, Json]:
    """Money by margin mode: `cross_available` is what new orders may use."""
    ledger = truth.ledger
    cash = truth.accounts[account].cash
    apart = [s for s in truth.markets if truth.isolated_margin(account, s)]
    isolated = sum((truth.isolated_margin(account, symbol) for symbol in apart), ZERO)
    isolated_upnl = sum((ledger.unrealized(account, symbol) for symbol in apart), ZERO)
    upnl, locked = ledger.unrealized(account), _locked(account, truth)
    margin = sum((_initial(account, s, truth) for s in truth.markets if s not in apart), ZERO)
    available = cash - isolated - margin - locked + upnl - isolated_upnl
    return {
        "isolated_balance": quote(isolated),
        "isolated_upnl": number(isolated_upnl),
        "cross_balance": quote(cash - isolated),
        "cross_margin": quote(margin),
        "cross_upnl": number(upnl - isolated_upnl),
        "locked": format(locked.quantize(QUOTE), "f"),
        "cross_available": quote(available),
        "balance": quote(cash),
        "upnl": number(upnl),
        "equity": quote(cash + upnl),
        "pnl_freeze": "0",
    }


def render_wallet(account: str, truth: StandxTruth, now_ns: int) -> dict[str, Json]:
    """The frame of the balance channel: a wallet's row, neither equity nor margin."""
    cash, locked, at = truth.accounts[account].cash, _locked(account, truth), stamp(now_ns)
    held = sum((truth.isolated_margin(account, symbol) for symbol in truth.markets), ZERO)
    return {
        "account_type": "perps",
        "created_at": at,
        "free": quote(cash - held - locked),
        "id": account,
        "inbound": "0",
        "is_enabled": True,
        "kind": "user",
        "last_tx": "",
        "last_tx_updated_at": 0,
        "locked": format(locked.quantize(QUOTE), "f"),
        "occupied": "0",
        "outbound": "0",
        "ref_id": 0,
        "token": "DUSD",
        "total": quote(cash),
        "updated_at": at,
        "version": 0,
        "wallet_id": account,
    }


def _locked(account: str, truth: StandxTruth) -> Decimal:
    return sum((truth.locked(order) for order in truth.open_orders(account)), ZERO)


def _initial(account: str, symbol: str, truth: StandxTruth) -> Decimal:
    size = abs(truth.accounts[account].size(symbol))
    return size * truth.mark(symbol) / truth.ledger.leverage(account, symbol)


# --------------------------------------------------------------------------- market data


def render_levels(levels: Iterable[Level], market: SimMarket) -> list[list[str]]:
    return [[on_grid(price, market.tick), number(size)] for price, size in levels]


def render_trade(trade: PublicTrade, digits: int = REST) -> dict[str, Json]:
    return {
        "is_buyer_taker": trade.taker_side == "buy",
        "price": number(trade.price),
        "qty": number(trade.size),
        "quote_qty": number(trade.price * trade.size),
        "symbol": trade.symbol,
        "time": stamp(trade.time_ns, digits),
    }

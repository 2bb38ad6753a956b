"""What the command line does with one open venue, as functions that give plain records."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypedDict

from mpdex.errors import BadOrder
from mpdex.types import Collateral, Fill, Order, Position, Symbols
from multi_perp_dex import Exchange

_DAY_MS = 86_400_000


class AccountReport(TypedDict):
    """Collateral and positions of one venue. `unrealized_pnl` is None if a position's is."""

    venue: str
    collateral: Collateral
    positions: list[Position]
    open_orders: list[Order]
    unrealized_pnl: Decimal | None


class PnlReport(TypedDict):
    """What a day's fills came to, by venue."""

    venue: str
    fills: int
    notional: Decimal
    fees: Decimal
    unrealized_pnl: Decimal | None


async def check(dex: Exchange) -> AccountReport:
    """Collateral, positions, open orders and unrealised profit of an account."""
    positions = await dex.get_positions()
    return AccountReport(
        venue=dex.name,
        collateral=await dex.get_collateral(),
        positions=positions,
        open_orders=await dex.get_open_orders(),
        unrealized_pnl=_sum(position["unrealized_pnl"] for position in positions),
    )


async def order(dex: Exchange, coin: str, side: str, size: Decimal, **options: Any) -> Order:
    """One order on the perpetual of a coin; `options` as `create_order` has them."""
    symbol = await dex.find_symbol(coin)
    price = options.pop("price", None)
    return await dex.create_order(
        symbol, side, size, price, "limit" if price is not None else "market", **options
    )


async def close(dex: Exchange, coin: str | None) -> list[Order]:
    """Cancels open orders and closes positions, of one coin or of the account."""
    await cancel(dex, coin)
    symbol = await dex.find_symbol(coin) if coin else None
    orders = []
    for position in await dex.get_positions():
        if symbol in (None, position["symbol"]):
            sent = await dex.close_position(position["symbol"], position)
            if sent is not None:
                orders.append(sent)
    return orders


async def cancel(dex: Exchange, coin: str | None) -> list[Order]:
    """Cancels open orders, of one coin or of the account."""
    symbol = await dex.find_symbol(coin) if coin else None
    open_orders = await dex.get_open_orders(symbol)
    canceled: list[Order] = []
    for market in dict.fromkeys(order["symbol"] for order in open_orders):
        mine = [order for order in open_orders if order["symbol"] == market]
        canceled += await dex.cancel_orders(market, mine)
    return canceled


async def pnl(dex: Exchange, days: int = 1) -> PnlReport:
    """Traded notional and fees of the last days, and what the open positions are worth now."""
    if days < 1:
        raise BadOrder("give 1 day or more")
    fills = await dex.get_fills(since=dex.clock.now_ms() - days * _DAY_MS)
    positions = await dex.get_positions()
    return PnlReport(
        venue=dex.name,
        fills=len(fills),
        notional=sum((_notional(fill) for fill in fills), Decimal(0)),
        fees=sum((fill["fee"] or Decimal(0) for fill in fills), Decimal(0)),
        unrealized_pnl=_sum(position["unrealized_pnl"] for position in positions),
    )


async def symbols(dex: Exchange) -> Symbols:
    """Every symbol the venue trades."""
    return await dex.get_available_symbols()


def _notional(fill: Fill) -> Decimal:
    return fill["price"] * fill["size"]


def _sum(values: Any) -> Decimal | None:
    known = list(values)
    return None if None in known else sum(known, Decimal(0))

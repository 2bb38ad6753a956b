"""What Extended writes: every object of its answers and frames.

Amounts are text. Fills and fees have 16 decimals; ids and times are numbers. What the
documentation and the official SDK name differently (the end of an order, the times of a position)
is sent under both names.

Source: api.docs.extended.exchange, live payloads, models of x10-python-trading-starknet 2.6.0;
read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from mpdex.sim.numerals import milliseconds, number
from mpdex.sim.records import (
    ZERO,
    Halt,
    Level,
    PublicTrade,
    SimFill,
    SimMarket,
    SimOrder,
    SimPosition,
)
from mpdex.sim.venues.extended_positions import Life
from mpdex.sim.venues.extended_truth import FIRST_ID
from mpdex.types import Json, OrderStatus

SIDE = {"buy": "BUY", "sell": "SELL"}
FINEST = Decimal("1e-16")
STATUS = {
    OrderStatus.PENDING: "NEW",
    OrderStatus.OPEN: "NEW",
    OrderStatus.FILLED: "FILLED",
    OrderStatus.CANCELED: "CANCELLED",
    OrderStatus.REJECTED: "REJECTED",
    OrderStatus.EXPIRED: "EXPIRED",
}
# Why an order ended, in the venue's words.
REASONS: Mapping[str, str] = {
    "post_only": "POST_ONLY_FAILED",
    "margin": "NOT_ENOUGH_FUNDS",
    "reduce_only": "REDUCE_ONLY_FAILED",
    "ioc": "NO_LIQUIDITY",
    "self_trade": "SELF_TRADE_PROTECTION",
    "no_previous": "PREV_ORDER_NOT_FOUND",
    "replaced": "ORDER_REPLACED",
    "market": "TRADING_OFF_MODE",
    "liquidation": "ACCOUNT_LIQUIDATION",
}
HALTED: Mapping[Halt, str] = {
    "post_only": "POST_ONLY_MODE",
    "reduce_only": "REDUCE_ONLY_MODE",
    "market": "DISABLED_MARKET",
}
TRADES = {"liquidation": "LIQUIDATION", "adl": "DELEVERAGE"}
EXITS = {"liquidation": "LIQUIDATION", "adl": "ADL"}


def fine(value: Decimal) -> str:
    """With 16 decimals."""
    return format(value.quantize(FINEST, ROUND_HALF_EVEN), "f")


def rounded(value: Decimal) -> str:
    """At most 6 decimals, no trailing zeros."""
    return number(value.quantize(Decimal("1e-6")))


def ok(data: Json) -> dict[str, Json]:
    return {"status": "OK", "data": data}


# --------------------------------------------------------------------------- orders and fills


def render_order(order: SimOrder, halted: Halt = "") -> dict[str, Json]:
    """An order, by REST and on the stream alike."""
    ends = milliseconds(order.expires_ns or 0)
    partly = order.live and order.filled
    gone = ZERO if order.live else order.remaining
    fields: dict[str, Json] = {
        "id": int(order.order_id),
        "accountId": int(order.account),
        "externalId": order.client_id,
        "market": order.symbol,
        "type": order.raw.get("kind", "MARKET"),
        "side": SIDE[order.side],
        "status": "PARTIALLY_FILLED" if partly else STATUS[order.status],
        "statusReason": reason_word(order, halted),
        "price": number(order.price or ZERO),
        "qty": number(order.size),
        "filledQty": number(order.filled),
        "cancelledQty": number(max(gone, ZERO)),
        "payedFee": fine(order.fees),
        "reduceOnly": order.reduce_only,
        "postOnly": order.post_only,
        "createdTime": milliseconds(order.created_ns),
        "updatedTime": milliseconds(order.updated_ns),
        "timeInForce": order.raw.get("tif", "IOC"),
        "expireTime": ends,
        "expiryTime": ends,
    }
    if order.average is not None:
        fields["averagePrice"] = rounded(order.average)
    return fields


def reason_word(order: SimOrder, halted: Halt = "") -> str:
    if order.reason == "market" and order.status is OrderStatus.REJECTED:
        return HALTED.get(halted, REASONS["market"])
    return REASONS.get(order.reason, "NONE")


def fill_id(trade_id: int) -> int:
    return FIRST_ID + trade_id


def render_fill(fill: SimFill, name_of_client_id: str) -> dict[str, Json]:
    """An execution of an account; REST and the stream call the client id differently."""
    order = fill.order
    return {
        "id": fill_id(fill.trade_id),
        "accountId": int(order.account),
        "market": order.symbol,
        "orderId": int(order.order_id),
        name_of_client_id: order.client_id,
        "side": SIDE[order.side],
        "price": fine(fill.price),
        "qty": fine(fill.size),
        "value": fine(fill.price * fill.size),
        "fee": fine(fill.fee),
        "isTaker": fill.liquidity == "taker",
        "tradeType": TRADES.get(order.reason, "TRADE"),
        "createdTime": milliseconds(fill.time_ns),
    }


# --------------------------------------------------------------------------- positions and money


def render_position(position: SimPosition, life: Life) -> dict[str, Json]:
    """A position that is open; the size has no sign."""
    size = abs(position.size)
    value = size * position.mark
    opened, updated = milliseconds(life.opened_ns), milliseconds(position.updated_ns)
    fields: dict[str, Json] = {
        "id": life.id,
        "accountId": int(position.account),
        "market": position.symbol,
        "status": "OPENED",
        "side": "LONG" if position.size > 0 else "SHORT",
        "leverage": number(position.leverage),
        "size": number(size),
        "value": number(value),
        "openPrice": rounded(position.entry),
        "markPrice": number(position.mark),
        "margin": rounded(value / position.leverage),
        "unrealisedPnl": rounded(position.unrealized),
        "realisedPnl": rounded(life.realized),
        "maxPositionSize": number(life.most),
        "adl": 1,
        "createdTime": opened,
        "updatedTime": updated,
        "createdAt": opened,
        "updatedAt": updated,
    }
    if position.liquidation is not None:
        fields["liquidationPrice"] = rounded(position.liquidation)
    return fields


def render_closed(position: SimPosition, life: Life) -> dict[str, Json]:
    """A position that has just gone, as the stream tells it once."""
    gone = {"status": "CLOSED", "side": life.side, "size": "0", "openPrice": rounded(life.entry)}
    return {**render_position(position, life), **gone}


def render_past(life: Life, account: str, symbol: str, leverage: Decimal) -> dict[str, Json]:
    """A position of the history, closed or not."""
    fields: dict[str, Json] = {
        "id": life.id,
        "accountId": int(account),
        "market": symbol,
        "side": life.side,
        "leverage": number(leverage),
        "size": number(life.bought),
        "maxPositionSize": number(life.most),
        "openPrice": rounded(life.entry),
        "realisedPnl": rounded(life.realized),
        "realisedPnlBreakdown": {
            "tradePnl": rounded(life.traded),
            "fundingFees": rounded(life.funding),
            "openFees": rounded(-life.open_fees),
            "closeFees": rounded(-life.close_fees),
        },
        "createdTime": milliseconds(life.opened_ns),
    }
    if life.exit_price is not None:
        fields["exitPrice"] = rounded(life.exit_price)
    if life.closed_ns:
        fields["exitType"] = EXITS.get(life.exit_reason, "TRADE")
        fields["closedTime"] = milliseconds(life.closed_ns)
    return fields


class Purse(NamedTuple):
    """What an account is worth."""

    cash: Decimal
    unrealized: Decimal
    held: Decimal  # initial margin, open orders included
    needed: Decimal  # maintenance margin
    exposure: Decimal
    updated_ns: int

    @property
    def equity(self) -> Decimal:
        return self.cash + self.unrealized

    def share(self, part: Decimal) -> Decimal:
        return part / self.equity if self.equity else ZERO


def render_balance(purse: Purse) -> dict[str, Json]:
    free = max(purse.equity - purse.held, ZERO)
    payable = max(purse.cash + min(purse.unrealized, ZERO) - purse.held, ZERO)
    return {
        "collateralName": "USD",
        "balance": rounded(purse.cash),
        "equity": rounded(purse.equity),
        "availableForTrade": rounded(free),
        "availableForWithdrawal": rounded(payable),
        "unrealisedPnl": rounded(purse.unrealized),
        "initialMargin": rounded(purse.held),
        "marginRatio": rounded(purse.share(purse.needed)),
        "exposure": rounded(purse.exposure),
        "leverage": rounded(purse.share(purse.exposure)),
        "updatedTime": milliseconds(purse.updated_ns),
    }


def render_asset(account: str, balance: Mapping[str, Json]) -> dict[str, Json]:
    """The collateral among the assets of an account."""
    amount = balance["balance"]
    return {
        "accountId": int(account),
        "asset": balance["collateralName"],
        "balance": amount,
        "indexPrice": "1",
        "notionalValue": amount,
        "contributionFactor": "1",
        "equityContribution": amount,
        "availableToWithdraw": balance["availableForWithdrawal"],
        "updatedAt": balance["updatedTime"],
    }


# --------------------------------------------------------------------------- market data


def render_levels(levels: Iterable[Level]) -> list[dict[str, str]]:
    """Of a snapshot: sizes as they are."""
    return [{"q": number(size), "p": number(price)} for price, size in levels]


def render_change(level: Level, before: Decimal, market: SimMarket) -> dict[str, str]:
    """Of a delta: `q` by how much the level has changed, `c` what it is now."""
    price, size = level
    return {
        "q": _on_grid(size - before, market.step),
        "p": _on_grid(price, market.tick),
        "c": _on_grid(size, market.step) if size else "0",
    }


def _on_grid(value: Decimal, step: Decimal) -> str:
    return format(value.quantize(step), "f")


def render_book(
    kind: str, symbol: str, bids: list[dict[str, str]], asks: list[dict[str, str]], depth: str = "f"
) -> dict[str, Json]:
    """The data of a book frame; `depth` is "f" or "1"."""
    return {"t": kind, "m": symbol, "b": bids, "a": asks, "d": depth}


def render_trade(trade: PublicTrade) -> dict[str, Json]:
    return {
        "i": fill_id(trade.trade_id),
        "m": trade.symbol,
        "S": SIDE[trade.taker_side],
        "tT": "TRADE",
        "T": milliseconds(trade.time_ns),
        "p": number(trade.price),
        "q": number(trade.size),
    }


def render_rate(symbol: str, rate: Decimal, now_ms: int) -> dict[str, Json]:
    return {"m": symbol, "f": number(rate), "T": now_ms}

"""Pacifica, words: statuses, sides, and the objects that its answers and frames hold.

For every venue whose account is kept there. The caller says which symbol a record is about, since a
venue may spell markets in its own way.

Sources: docs.pacifica.fi, "Get open orders", "Get order history", "Get trade history", "Get
positions", "Account order updates", "Account trades"; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from mpdex.errors import (
    OrderRejected,
    PostOnlyWouldCross,
)
from mpdex.types import (
    Fill,
    Json,
    Liquidity,
    Market,
    Order,
    OrderStatus,
    Position,
    Side,
    TimeInForce,
)
from mpdex.utils.wire_words import known

FAMILY: Final = "pacifica"
QUOTE: Final = "USDC"

CREATE: Final = "/orders/create"
CREATE_MARKET: Final = "/orders/create_market"
CANCEL: Final = "/orders/cancel"
CANCEL_ALL: Final = "/orders/cancel_all"
OPEN_ORDERS: Final = "/orders"
ORDERS: Final = "/orders/history"
ORDER_EVENTS: Final = "/orders/history_by_id"
TRADES: Final = "/trades/history"
LEVERAGE: Final = "/account/leverage"

SIDES: Final[Mapping[str, Side]] = {
    "bid": "buy",
    "ask": "sell",
    # As executions have it.
    "open_long": "buy",
    "close_short": "buy",
    "open_short": "sell",
    "close_long": "sell",
}
STATUSES: Final = {
    "open": OrderStatus.OPEN,
    "partially_filled": OrderStatus.OPEN,
    "filled": OrderStatus.FILLED,
    "cancelled": OrderStatus.CANCELED,
    "rejected": OrderStatus.REJECTED,
}
LIQUIDITY: Final[Mapping[str, Liquidity]] = {"fulfill_maker": "maker", "fulfill_taker": "taker"}
# Why an order ended, in history and stream. UNVERIFIED: whether a post-only order that would cross
# ends as "rejected" or as "cancelled"; here it is a refusal either way.
POST_ONLY: Final = "post_only_rejected"
REASONS: Final = frozenset({"cancel", "force_cancel", "expired", POST_ONLY, "self_trade_prevented"})
REFUSALS: Final[Mapping[str, type[Exception]]] = {
    POST_ONLY: PostOnlyWouldCross,
    "self_trade_prevented": OrderRejected,
}


def config_headers(keys: Mapping[str, str]) -> dict[str, str]:
    """The key that raises limits, and nothing else; on each request and each handshake."""
    key = keys.get("api_config_key")
    return {"PF-API-KEY": key} if key else {}


def is_perp(symbol: str) -> bool:
    """Spot instruments, which are not offered here, are written with a dash: SOL-USDC."""
    return "-" not in symbol


def status_of(word: str, reason: str, size: Decimal, filled: Decimal) -> OrderStatus:
    """Our status for the venue's word. What was executed outranks how the end is called.

    Raises: ProtocolError for a word that is not known.
    """
    status = known(STATUSES, word, "order status", FAMILY)
    if not status.terminal:
        return status
    if 0 < size <= filled:
        return OrderStatus.FILLED
    return OrderStatus.REJECTED if reason == POST_ONLY else status


# --------------------------------------------------------------------------- objects


def decode_market(entry: Json, symbol: str) -> Market:
    """`min_order_size` is a value in USD, not a size; `max_order_size`, too, so it bounds nothing
    here. UNVERIFIED: whether the least value holds for reduce-only orders.
    """
    coin, multiplier = coin_of(entry.get("base_asset") or entry["symbol"])
    return Market(
        symbol=symbol,
        coin=coin,
        quote=QUOTE,
        kind="perp",
        tick=Decimal(entry["tick_size"]),
        step=Decimal(entry["lot_size"]),
        min_size=Decimal(entry["lot_size"]),
        min_notional=Decimal(entry["min_order_size"]),
        max_size=None,
        multiplier=multiplier,
        max_leverage=Decimal(entry["max_leverage"]),
        significant_figures=None,
        price_band=None,  # there is one around the mark; its width is not told
        active=True,
        raw=entry,
    )


def coin_of(base: str) -> tuple[str, Decimal]:
    """Small coins are traded by the thousand and written with a small k: kBONK, kPEPE."""
    if base[:1] == "k" and base[1:2].isupper():
        return base[1:], Decimal(1000)
    return base, Decimal(1)


def decode_order(entry: Json, symbol: str) -> Order:
    """One order, of the open ones or of the history.

    Neither tells how long the order may live nor whether it is post-only.
    """
    reason = entry.get("reason") or ""
    return _order(
        entry,
        symbol=symbol,
        side=entry["side"],
        kind=entry["order_type"],
        price=entry.get("initial_price") or entry.get("price"),
        size=entry["amount"] if "amount" in entry else entry["initial_amount"],
        filled=entry["filled_amount"],
        average=entry.get("average_filled_price"),
        word=entry.get("order_status", "open"),
        reason=reason,
    )


def decode_order_events(events: list[Json], symbol: str) -> Order:
    """One order from its own history: the newest event tells its state, the first its price.

    UNVERIFIED: that `filled_amount` of an event is what was filled up to it.
    """
    by_age = sorted(events, key=lambda event: int(event["history_id"]))
    newest, event = by_age[-1], by_age[-1]["event_type"]
    state = {**newest, "reason": event if event in REASONS else "", "price": by_age[0]["price"]}
    return {**decode_order(state, symbol), "raw": events}


def decode_order_update(data: Json, symbol: str) -> Order:
    """One entry of the order stream. `p` is the average price, `ip` the one it was given."""
    event = data["oe"]
    entry = {
        "order_id": data["i"],
        "client_order_id": data["I"],
        "reduce_only": data["r"],
        "created_at": data["ct"],
    }
    order = _order(
        entry,
        symbol=symbol,
        side=data["d"],
        kind=data["ot"],
        price=data["ip"],
        size=data["a"],
        filled=data["f"],
        average=data["p"],
        word=data["os"],
        reason=event if event in REASONS else "",
    )
    return {**order, "raw": data}


def _order(
    entry: Json,
    *,
    symbol: str,
    side: str,
    kind: str,
    price: str | None,
    size: str,
    filled: str,
    average: str | None,
    word: str,
    reason: str,
) -> Order:
    market = kind.endswith("market")
    amount, done = Decimal(size), Decimal(filled)
    status = status_of(word, reason, amount, done)
    ended_early = status.terminal and status is not OrderStatus.FILLED
    return Order(
        id=str(int(entry["order_id"])),
        client_order_id=entry.get("client_order_id"),
        symbol=symbol,
        side=known(SIDES, side, "side", FAMILY),
        type="market" if market else "limit",
        price=None if market or price is None else Decimal(price),
        size=amount,
        filled=done,
        average_price=Decimal(average) if average and done else None,
        status=status,
        time_in_force=TimeInForce.IOC if market else TimeInForce.GTC,
        post_only=False,
        reduce_only=bool(entry.get("reduce_only")),
        reason=reason if ended_early else "",
        timestamp_ms=int(entry["created_at"]),
        raw=entry,
    )


def decode_fill(entry: Json, symbol: str) -> Fill:
    """One entry of the trade history. Fees are paid in USDC."""
    return Fill(
        id=str(int(entry["history_id"])),
        order_id=str(int(entry["order_id"])),
        client_order_id=entry.get("client_order_id"),
        symbol=symbol,
        side=known(SIDES, entry["side"], "side", FAMILY),
        price=Decimal(entry["price"]),
        size=Decimal(entry["amount"]),
        fee=Decimal(entry["fee"]),
        fee_asset=QUOTE,
        liquidity=LIQUIDITY[entry["event_type"]],
        timestamp_ms=int(entry["created_at"]),
        raw=entry,
    )


def decode_trade_update(data: Json, symbol: str) -> Fill:
    """One entry of the trade stream; `h` is the `history_id` of the trade history."""
    entry = {
        "history_id": data["h"],
        "order_id": data["i"],
        "client_order_id": data["I"],
        "side": data["ts"],
        "price": data["p"],
        "amount": data["a"],
        "fee": data["f"],
        "event_type": data["te"],
        "created_at": data["t"],
    }
    return {**decode_fill(entry, symbol), "raw": data}


def decode_position(entry: Json, symbol: str) -> Position:
    """One open position. The venue computes neither its mark nor its profit."""
    return _position(
        entry,
        symbol,
        entry["side"],
        entry["amount"],
        entry["entry_price"],
        entry.get("liquidation_price"),
    )


def decode_position_update(data: Json, symbol: str) -> Position:
    """One entry of the position stream."""
    return _position(data, symbol, data["d"], data["a"], data["p"], data.get("l"))


def _position(
    raw: Json, symbol: str, side: str, size: str, entry_price: str, liquidation: str | None
) -> Position:
    """A liquidation price that no market can reach is told as a negative number."""
    bound = Decimal(liquidation or 0)
    return Position(
        symbol=symbol,
        side="long" if known(SIDES, side, "side", FAMILY) == "buy" else "short",
        size=Decimal(size),
        entry_price=Decimal(entry_price),
        mark_price=None,
        unrealized_pnl=None,
        liquidation_price=bound if bound > 0 else None,
        leverage=None,
        raw=raw,
    )

"""Backpack, words: statuses, sides and errors, and the objects that its answers hold.

Source: docs.backpack.exchange, "Orders", "Streams"; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from mpdex.errors import (
    AuthError,
    DuplicateClientId,
    InsufficientMargin,
    LimitReached,
    MarketUnavailable,
    MpdexError,
    NonceRefused,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    PostOnlyWouldCross,
    PrecisionRefused,
    PriceOutOfBand,
    RateLimited,
    ReduceOnlyRefused,
    SymbolRefused,
    TransportError,
    VenueError,
)
from mpdex.types import (
    Fill,
    Json,
    Market,
    MarketKind,
    Order,
    OrderStatus,
    Position,
    Request,
    Side,
    TimeInForce,
)
from mpdex.utils.wire_words import known, outcome
from wrappers.backpack_auth import VENUE

SIDES: Final[dict[str, Side]] = {"Bid": "buy", "Ask": "sell"}
STATUSES: Final = {
    "New": OrderStatus.OPEN,
    "PartiallyFilled": OrderStatus.OPEN,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELED,
    "Expired": OrderStatus.EXPIRED,
    "TriggerPending": OrderStatus.PENDING,
    "TriggerFailed": OrderStatus.REJECTED,
}
KINDS: Final[Mapping[str, MarketKind]] = {"PERP": "perp", "SPOT": "spot"}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def average(filled: Decimal, quote_filled: Decimal) -> Decimal | None:
    """Average price of what was executed, None if nothing was."""
    return quote_filled / filled if filled else None


# --------------------------------------------------------------------------- objects


def decode_order(answer: Json) -> Order:
    """One order, from an answer of the book or of the history."""
    filled = Decimal(answer["executedQuantity"])
    size = _size(answer, filled)
    price = answer.get("price")
    market = answer["orderType"] == "Market"
    return Order(
        id=str(answer["id"]),
        client_order_id=_text(answer.get("clientId")),
        symbol=answer["symbol"],
        side=known(SIDES, answer["side"], "side", VENUE),
        type="market" if market else "limit",
        price=None if market or price is None else Decimal(price),
        size=size,
        filled=filled,
        average_price=average(filled, Decimal(answer["executedQuoteQuantity"])),
        status=outcome(known(STATUSES, answer["status"], "order status", VENUE), size, filled),
        time_in_force=TimeInForce(answer["timeInForce"]),
        post_only=bool(answer.get("postOnly")),
        reduce_only=bool(answer.get("reduceOnly")),
        reason=answer.get("expiryReason") or "",
        timestamp_ms=_time_ms(answer["createdAt"]),
        raw=answer,
    )


def decode_market(entry: Json) -> Market:
    price, quantity = entry["filters"]["price"], entry["filters"]["quantity"]
    largest = quantity.get("maxQuantity")
    coin, multiplier = _coin(entry["baseSymbol"])
    margin = entry.get("imfFunction") or {}
    return Market(
        symbol=entry["symbol"],
        coin=coin,
        quote=entry["quoteSymbol"],
        kind=KINDS[entry["marketType"]],
        tick=Decimal(price["tickSize"]),
        step=Decimal(quantity["stepSize"]),
        min_size=Decimal(quantity["minQuantity"]),
        min_notional=None,
        max_size=None if largest is None else Decimal(largest),
        multiplier=multiplier,
        max_leverage=1 / Decimal(margin["base"]) if margin else None,
        significant_figures=None,
        price_band=_band(price),
        active=entry["orderBookState"] == "Open" and entry.get("visible", True),
        raw=entry,
    )


def _band(price: Json) -> Decimal | None:
    """The narrowest: around the last price, and on futures around the mean mark."""
    bands = [price, price.get("meanMarkPriceBand") or {}]
    bounds = [band.get(name) for band in bands for name in ("minMultiplier", "maxMultiplier")]
    return min((abs(1 - Decimal(bound)) for bound in bounds if bound is not None), default=None)


def _coin(base: str) -> tuple[str, Decimal]:
    """Small coins are traded by the thousand and written with a small k: kBONK, kPEPE."""
    if base[:1] == "k" and base[1:2].isupper():
        return base[1:], Decimal(1000)
    return base, Decimal(1)


def _size(answer: Json, filled: Decimal) -> Decimal:
    """An untriggered order has its size elsewhere, one sized in quote currency has none."""
    quantity = Decimal(answer.get("quantity") or 0)
    trigger = str(answer.get("triggerQuantity") or 0)
    if quantity or trigger.endswith("%"):
        return quantity or filled
    return Decimal(trigger) or filled


def decode_fill(entry: Json) -> Fill:
    return Fill(
        id=str(entry["tradeId"]),
        order_id=str(entry["orderId"]),
        client_order_id=_text(entry.get("clientId")),
        symbol=entry["symbol"],
        side=known(SIDES, entry["side"], "side", VENUE),
        price=Decimal(entry["price"]),
        size=Decimal(entry["quantity"]),
        fee=Decimal(entry["fee"]),
        fee_asset=entry["feeSymbol"],
        liquidity="maker" if entry["isMaker"] else "taker",
        timestamp_ms=_time_ms(entry["timestamp"]),
        raw=entry,
    )


def decode_position(entry: Json) -> Position:
    size = Decimal(entry["netQuantity"])
    liquidation = Decimal(entry.get("estLiquidationPrice") or 0)
    return Position(
        symbol=entry["symbol"],
        side="long" if size > 0 else "short",
        size=abs(size),
        entry_price=Decimal(entry["entryPrice"]),
        mark_price=Decimal(entry["markPrice"]),
        unrealized_pnl=Decimal(entry["pnlUnrealized"]),
        liquidation_price=liquidation or None,
        leverage=None,
        raw=entry,
    )


def _text(value: Json) -> str | None:
    return None if value is None else str(value)


def _time_ms(value: Json) -> int:
    """A number in the order endpoints, text without a zone (meaning UTC) in the history."""
    text = str(value)
    if text.isdecimal():
        return int(text)
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)


# --------------------------------------------------------------------------- errors

# HTTP status or code -> ours.
ERRORS: Final[Mapping[int | str, type[Exception]]] = {
    401: AuthError,
    403: AuthError,
    429: RateLimited,
    "UNAUTHORIZED": AuthError,
    "FORBIDDEN": AuthError,
    "INVALID_SIGNATURE": AuthError,
    "ACCOUNT_DEACTIVATED": AuthError,
    "TOO_MANY_REQUESTS": RateLimited,
    "RESOURCE_NOT_FOUND": OrderNotFound,
    "INVALID_ORDER": OrderRejected,
    "INVALID_PRICE": PrecisionRefused,
    "INVALID_QUANTITY": PrecisionRefused,
    "ORDER_LIMIT": LimitReached,
    "POSITION_LIMIT": LimitReached,
    "PRECONDITION_FAILED": OrderRejected,
    "INSUFFICIENT_MARGIN": InsufficientMargin,
    "INSUFFICIENT_FUNDS": InsufficientMargin,
    "MAX_LEVERAGE_REACHED": InsufficientMargin,
    "ACCOUNT_LIQUIDATING": MarketUnavailable,
    "INVALID_SYMBOL": SymbolRefused,
    "INVALID_MARKET": SymbolRefused,
    "MAINTENANCE": MarketUnavailable,
    "TRADING_PAUSED": MarketUnavailable,
    "TOO_EARLY": MarketUnavailable,
}

# Said with a 4xx too, and yet nobody knows what became of the command.
_UNDECIDED: Final = frozenset({"SERVICE_UNAVAILABLE", "SERVER_ERROR", "TIMEOUT"})
# One code covers several reasons; the wording may change, so it is matched loosely.
_AMBIGUOUS: Final = frozenset({"INVALID_ORDER", "INVALID_PRICE", "INVALID_CLIENT_REQUEST"})
_BY_MESSAGE: Final[tuple[tuple[str, type[VenueError]], ...]] = (
    ("immediately match", PostOnlyWouldCross),
    ("too far from", PriceOutOfBand),
    ("price band", PriceOutOfBand),
    ("reduce", ReduceOnlyRefused),
    ("duplicate", DuplicateClientId),
    ("signature", AuthError),
)
# The time stamp is what makes a request unique here; one outside the window never acts.
_LATE: Final = ("timestamp", "request has expired")


def error_of(status: int, answer: Json, request: Request, *, an_order: bool) -> MpdexError:
    """The failure that an answer is, by its code first, then its words, then the status."""
    fields = answer if isinstance(answer, dict) else {}
    code = str(fields.get("code", status))
    message = str(fields.get("message") or answer or f"HTTP {status}")[:300]
    if status >= 500 or code in _UNDECIDED:
        unclear = OutcomeUnknown if request.command else TransportError
        return unclear(f"{code}: {message}", venue=VENUE, raw=answer, request=str(request))
    kind = _refusal(status, code, message.lower(), request.command, an_order)
    return kind(message, venue=VENUE, raw=answer, code=code, request=str(request))


def _refusal(
    status: int, code: str, message: str, command: bool, an_order: bool
) -> type[VenueError]:
    if code in _AMBIGUOUS:
        for words, kind in _BY_MESSAGE:
            if words in message:
                return kind
        if any(words in message for words in _LATE):
            return NonceRefused if command else AuthError
    if code == "RESOURCE_NOT_FOUND" and not an_order:
        return VenueError
    known = ERRORS.get(code) or ERRORS.get(status)
    if known is not None and issubclass(known, VenueError):
        return known
    return OrderRejected if command else VenueError

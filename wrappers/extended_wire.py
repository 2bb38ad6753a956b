"""Extended, words: statuses, sides and errors, and the objects that answers and streams share.

Placing and canceling are asynchronous: an order that was taken may still be refused by the engine,
which says so on the account stream (`REJECTED` or `CANCELLED`, with a reason). Lists of before 2026
and the documentation's examples name a few fields otherwise; both spellings are read.

Sources: api.docs.extended.exchange, "Account", "Order management", "Error responses";
x10-python-trading-starknet 2.6.0, models; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from mpdex.errors import (
    AuthError,
    DuplicateClientId,
    InsufficientMargin,
    LimitReached,
    MarketUnavailable,
    MpdexError,
    NoImmediateMatch,
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
    Order,
    OrderStatus,
    Position,
    PositionSide,
    Request,
    Side,
    TimeInForce,
)
from mpdex.utils.markets import coin_of
from mpdex.utils.translation import checked as _checked
from mpdex.utils.wire_words import known, outcome
from wrappers.extended_auth import VENUE

checked = _checked(VENUE)

QUOTE: Final = "USD"  # the venue's name for the collateral, USDC on the chain
ORDER: Final = "/user/order"
BALANCE: Final = "/user/balance"

SIDES: Final[Mapping[str, Side]] = {"BUY": "buy", "SELL": "sell"}
POSITION_SIDES: Final[Mapping[str, PositionSide]] = {"LONG": "long", "SHORT": "short"}
STATUSES: Final[Mapping[str, OrderStatus]] = {
    "NEW": OrderStatus.OPEN,
    "PARTIALLY_FILLED": OrderStatus.OPEN,
    "FILLED": OrderStatus.FILLED,
    "CANCELLED": OrderStatus.CANCELED,
    "EXPIRED": OrderStatus.EXPIRED,
    "REJECTED": OrderStatus.REJECTED,
    "UNTRIGGERED": OrderStatus.PENDING,
    "TRIGGERED": OrderStatus.PENDING,
}
TIMES_IN_FORCE: Final[Mapping[str, TimeInForce]] = {
    "GTT": TimeInForce.GTC,
    "TOB": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
}
_NONE: Final = Decimal(0)


def decimal(value: Json) -> Decimal | None:
    return None if value is None else Decimal(value)


# --------------------------------------------------------------------------- objects


def decode_market(entry: Json, rates: Json) -> Market:
    """`raw` has besides, under "fees", the account's own rates: each order names the most it pays.

    UNVERIFIED: that a perpetual of a thousand coins, 1000PEPE-USD, calls its asset 1000PEPE.
    """
    rules = entry["tradingConfig"]
    coin, multiplier = coin_of(entry["assetName"])
    return Market(
        symbol=entry["name"],
        coin=coin,
        quote=entry["collateralAssetName"],
        kind="perp",
        tick=Decimal(rules["minPriceChange"]),
        step=Decimal(rules["minOrderSizeChange"]),
        min_size=Decimal(rules["minOrderSize"]),
        min_notional=None,
        max_size=None,
        multiplier=multiplier,
        max_leverage=Decimal(rules["maxLeverage"]),
        significant_figures=None,
        price_band=min(Decimal(rules["limitPriceCap"]), Decimal(rules["limitPriceFloor"])),
        active=bool(entry["active"]) and entry["status"] == "ACTIVE",
        raw={**entry, "fees": rates},
    )


def decode_order(entry: Json) -> Order:
    size, filled = Decimal(entry["qty"]), Decimal(entry.get("filledQty") or _NONE)
    status = known(STATUSES, entry["status"], "order status", VENUE)
    price, average = entry.get("price"), entry.get("averagePrice")
    force = entry.get("timeInForce") or "GTT"
    return Order(
        id=str(entry["id"]),
        client_order_id=entry.get("externalId"),
        symbol=entry["market"],
        side=known(SIDES, entry["side"], "side", VENUE),
        type="market" if entry["type"] == "MARKET" else "limit",
        price=decimal(price),
        size=size,
        filled=filled,
        average_price=Decimal(average) if filled and average else None,
        status=outcome(status, size, filled),
        time_in_force=known(TIMES_IN_FORCE, force, "time in force", VENUE),
        post_only=bool(entry.get("postOnly")),
        reduce_only=bool(entry.get("reduceOnly")),
        reason=_reason(entry.get("statusReason")),
        timestamp_ms=entry.get("updatedTime"),
        raw=entry,
    )


def _reason(word: str | None) -> str:
    return "" if word in (None, "NONE") else str(word)


def decode_fill(entry: Json) -> Fill:
    return Fill(
        id=str(entry["id"]),
        order_id=str(entry["orderId"]),
        client_order_id=entry.get("externalOrderId") or entry.get("externalId"),
        symbol=entry["market"],
        side=known(SIDES, entry["side"], "side", VENUE),
        price=Decimal(entry["price"]),
        size=Decimal(entry["qty"]),
        fee=Decimal(entry["fee"]),
        fee_asset=QUOTE,
        liquidity="taker" if entry["isTaker"] else "maker",
        timestamp_ms=int(entry["createdTime"]),
        raw=entry,
    )


def decode_position(entry: Json) -> Position | None:
    """None: it is closed."""
    size = Decimal(entry["size"])
    if not size or entry.get("status") == "CLOSED":
        return None
    return Position(
        symbol=entry["market"],
        side=known(POSITION_SIDES, entry["side"], "position side", VENUE),
        size=abs(size),
        entry_price=Decimal(entry["openPrice"]),
        mark_price=decimal(entry.get("markPrice")),
        unrealized_pnl=decimal(entry.get("unrealisedPnl")),
        liquidation_price=decimal(entry.get("liquidationPrice")) or None,
        leverage=decimal(entry.get("leverage")),
        raw=entry,
    )


# --------------------------------------------------------------------------- errors

# HTTP status or code -> ours.
ERRORS: Final[Mapping[int | str, type[Exception]]] = {
    400: OrderRejected,
    401: AuthError,
    403: AuthError,
    404: OrderNotFound,
    422: OrderRejected,
    429: RateLimited,
    "NOT_FOUND": OrderNotFound,
    **dict.fromkeys(("1004", "1008", "1009", "1100", "1101", "1102", "1500"), AuthError),
    **dict.fromkeys(("1000", "1001", "1003"), SymbolRefused),
    **dict.fromkeys(("1002", "1010", "1011", "1012", "1014", "1145"), MarketUnavailable),
    **dict.fromkeys(("1049", "1050", "1128"), OrderRejected),
    **dict.fromkeys(("1122", "1126", "1127", "10501"), LimitReached),
    **dict.fromkeys(("1053", "1120", "1121", "1123", "1124", "1125"), PrecisionRefused),
    **dict.fromkeys(("1052", "1140", "1147", "1148"), InsufficientMargin),
    **dict.fromkeys(("1129", "1130", "1131", "1132", "1133", "1139"), OrderRejected),
    **dict.fromkeys(("1143", "1144", "1146"), OrderRejected),
    "1134": DuplicateClientId,
    "1135": NonceRefused,  # expired on its way, or a wrong clock: this copy never lands
    **dict.fromkeys(("1136", "1137", "1138"), ReduceOnlyRefused),
    "1141": PriceOutOfBand,
    "1142": OrderNotFound,
}
# Nobody knows what became of it: internal error, unhandled error.
_UNDECIDED: Final = frozenset({"500", "1006"})

# `statusReason` of an order that the engine ended -> ours; the others are ordinary ends.
REASONS: Final[Mapping[str, type[Exception]]] = {
    "UNKNOWN_MARKET": SymbolRefused,
    "DISABLED_MARKET": MarketUnavailable,
    "NOT_ENOUGH_FUNDS": InsufficientMargin,
    "NO_LIQUIDITY": NoImmediateMatch,
    "INVALID_FEE": OrderRejected,
    "INVALID_QTY": PrecisionRefused,
    "INVALID_PRICE": PriceOutOfBand,
    "INVALID_VALUE": LimitReached,
    "UNKNOWN_ACCOUNT": AuthError,
    "SELF_TRADE_PROTECTION": OrderRejected,
    "POST_ONLY_FAILED": PostOnlyWouldCross,
    "REDUCE_ONLY_FAILED": ReduceOnlyRefused,
    "INVALID_EXPIRE_TIME": NonceRefused,
    "POSITION_TPSL_CONFLICT": OrderRejected,
    "INVALID_LEVERAGE": OrderRejected,
    "PREV_ORDER_NOT_FOUND": OrderRejected,
    "PREV_ORDER_TRIGGERED": OrderRejected,
    "PREV_ORDER_CONFLICT": OrderRejected,
    "POST_ONLY_MODE": MarketUnavailable,
    "REDUCE_ONLY_MODE": MarketUnavailable,
    "TRADING_OFF_MODE": MarketUnavailable,
    "NEGATIVE_EQUITY": InsufficientMargin,
    "ACCOUNT_LIQUIDATION": MarketUnavailable,
}


def error_of(status: int, answer: Json, request: Request) -> MpdexError:
    """The failure that an answer is, by its code first, then the status."""
    told = answer.get("error") if isinstance(answer, dict) else None
    fields = told if isinstance(told, dict) else {}
    code = str(fields.get("code", status))
    message = str(fields.get("message") or told or answer or f"HTTP {status}")[:300]
    if status >= 500 or code in _UNDECIDED:
        unclear = OutcomeUnknown if request.command else TransportError
        return unclear(f"{code}: {message}", venue=VENUE, raw=answer, request=str(request))
    kind = _refusal(status, code, request)
    return kind(message, venue=VENUE, raw=answer, code=code, request=str(request))


def _refusal(status: int, code: str, request: Request) -> type[VenueError]:
    general = int(code) if code.isdecimal() else status
    kind = ERRORS.get(code) or ERRORS.get(general) or ERRORS.get(status) or OrderRejected
    assert issubclass(kind, VenueError)
    if issubclass(kind, OrderNotFound) and not _about_an_order(request):
        kind = OrderRejected
    return kind if request.command or not issubclass(kind, OrderRejected) else VenueError


def _about_an_order(request: Request) -> bool:
    """A query or a cancel of one order; an order that is placed cannot be missing."""
    return request.path.startswith(ORDER) and (request.method, request.path) != ("POST", ORDER)

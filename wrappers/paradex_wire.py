"""Paradex's words: statuses, reasons and errors, and the objects that answers and streams share.

An order that was accepted may still be refused: it is then CLOSED with a reason. A reason alone
tells nothing, since an order that is filled may name one too: what was executed comes first.

Sources: docs.paradex.trade, REST reference (API 1.132.1) and WebSocket channels;
tradeparadex/paradex-docs 9b82a75a; read 2026-11-21.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal, TypeAlias

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
    SessionEnded,
    SymbolRefused,
    TransportError,
    VenueError,
)
from mpdex.types import (
    Fill,
    Json,
    Liquidity,
    Market,
    Order,
    OrderStatus,
    Position,
    PositionSide,
    PositionUpdate,
    Request,
    Side,
    TimeInForce,
)
from mpdex.utils.translation import checked as _checked
from mpdex.utils.wire_words import known
from wrappers.paradex_auth import VENUE

MarginMode: TypeAlias = Literal["cross", "isolated"]

checked = _checked(VENUE)

SIDES: Final[Mapping[str, Side]] = {"BUY": "buy", "SELL": "sell"}
POSITION_SIDES: Final[Mapping[str, PositionSide]] = {"LONG": "long", "SHORT": "short"}
LIQUIDITY: Final[Mapping[str, Liquidity]] = {"MAKER": "maker", "TAKER": "taker"}
MARGIN_MODES: Final[Mapping[str, MarginMode]] = {"CROSS": "cross", "ISOLATED": "isolated"}
TIMES_IN_FORCE: Final[Mapping[str, TimeInForce]] = {
    "GTC": TimeInForce.GTC,
    "POST_ONLY": TimeInForce.GTC,
    "RPI": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
}
_PASSIVE: Final = frozenset({"POST_ONLY", "RPI"})
_LIVE: Final[Mapping[str, OrderStatus]] = {
    "NEW": OrderStatus.PENDING,  # accepted; risk checks are still to come
    "UNTRIGGERED": OrderStatus.PENDING,
    "OPEN": OrderStatus.OPEN,  # a partial fill stays OPEN
}
_CLOSED: Final = "CLOSED"
_ONE: Final = Decimal(1)
_NONE: Final = Decimal(0)

# HTTP status, code of the REST API or of the socket -> ours.
ERRORS: Final[Mapping[int | str, type[Exception]]] = {
    401: SessionEnded,
    403: AuthError,
    429: RateLimited,
    **dict.fromkeys(("INVALID_TOKEN", "UNAUTHORIZED_ERROR", "40110", "40111"), SessionEnded),
    **dict.fromkeys(
        (
            "INVALID_TOKEN_SCOPE",
            "IP_NOT_ALLOWED",
            "GEO_IP_BLOCK",
            "40112",
            "40300",
            "NOT_ONBOARDED",
            "NO_ACCESS_TO_MARKET",
            "ACCOUNT_NOT_FOUND",
            "INVALID_SUBKEY",
            "PUBLIC_KEY_INVALID",
            "INVALID_STARKNET_ADDRESS",
            "INVALID_STARKNET_SIGNATURE",
            "STARKNET_SIGNATURE_VERIFICATION_FAILED",
            "INVALID_ORDER_SIGNATURE",
            "REQUEST_NOT_ALLOWED",
        ),
        AuthError,
    ),
    "42901": RateLimited,
    **dict.fromkeys(
        ("ORDER_ID_NOT_FOUND", "CLIENT_ORDER_ID_NOT_FOUND", "ORDER_IS_CLOSED", "ORDER_IS_NOT_OPEN"),
        OrderNotFound,
    ),
    **dict.fromkeys(
        (
            "VALIDATION_ERROR",
            "BINDING_ERROR",
            "INVALID_REQUEST_PARAMETER",
            "BATCH_SIZE_OUT_OF_RANGE",
            "ISOLATED_MARKET_ACCOUNT_MISMATCH",
            "RPI_ACCOUNT_NOT_WHITELISTED",
            "-32700",
            "-32600",
            "-32601",
            "-32602",
        ),
        OrderRejected,
    ),
    "INVALID_ORDER_SIZE": PrecisionRefused,
    "INVALID_TIMESTAMP": NonceRefused,
    "DUPLICATED_CLIENT_ID": DuplicateClientId,
    **dict.fromkeys(("INVALID_SYMBOL", "MARKET_NOT_FOUND"), SymbolRefused),
    # The last two are the release window: weekdays, 04:30 UTC, about a quarter of an hour.
    **dict.fromkeys(
        (
            "MARKET_NOT_OPEN",
            "MARKET_MARGIN_RESTRICTED",
            "SYSTEM_STATUS_CANCEL_ONLY",
            "SYSTEM_STATUS_POST_ONLY",
        ),
        MarketUnavailable,
    ),
}
# Said by the venue too, and yet nobody knows what became of a command.
_UNDECIDED: Final = frozenset({"INTERNAL_ERROR", "SERVICE_UNAVAILABLE", "-32603", "100"})
# What one code covers several reasons with. Wording UNVERIFIED: it is matched loosely.
_AMBIGUOUS: Final = frozenset({"VALIDATION_ERROR", "INVALID_REQUEST_PARAMETER", "-32602", "100"})
_BY_MESSAGE: Final[tuple[tuple[str, type[VenueError]], ...]] = (
    ("cancel only", MarketUnavailable),
    ("post only mode", MarketUnavailable),
    ("would cross", PostOnlyWouldCross),
    ("reduce", ReduceOnlyRefused),
    ("margin", InsufficientMargin),
    ("collateral", InsufficientMargin),
    ("band", PriceOutOfBand),
    ("position limit", LimitReached),
    ("open orders", LimitReached),
    ("recv", NonceRefused),
    ("timestamp", NonceRefused),
    ("tick", PrecisionRefused),
    ("increment", PrecisionRefused),
    ("notional", PrecisionRefused),
    ("multiple", PrecisionRefused),
    ("duplicat", DuplicateClientId),
    ("signature", AuthError),
)
# Why an order was closed, where that is a refusal. The venue's list is open: words decide where
# the whole reason is not known.
REASONS: Final[Mapping[str, type[OrderRejected]]] = {
    "POST_ONLY_WOULD_CROSS": PostOnlyWouldCross,
    "NOT_ENOUGH_MARGIN": InsufficientMargin,
    "ORDER_EXCEEDS_POSITION_LIMIT": LimitReached,
    "SYSTEM_STATUS_POST_ONLY": MarketUnavailable,
    "SYSTEM_STATUS_CANCEL_ONLY": MarketUnavailable,
    "MMP_FROZEN": OrderRejected,
    "MMP_DISABLED": OrderRejected,
    "MMP_GREEKS_UNAVAILABLE": OrderRejected,
    "MMP_NOT_CONFIGURED": OrderRejected,
}
_BY_REASON: Final[tuple[tuple[str, type[OrderRejected]], ...]] = (
    ("WOULD_CROSS", PostOnlyWouldCross),
    ("REDUCE_ONLY", ReduceOnlyRefused),
    ("MARGIN", InsufficientMargin),
    ("BAND", PriceOutOfBand),
    ("POSITION_LIMIT", LimitReached),
    ("OPEN_ORDERS", LimitReached),
)
_CODE: Final = re.compile(r"[A-Z]+(?:_[A-Z]+)+")


# --------------------------------------------------------------------------- errors


def classify_reason(reason: str) -> type[OrderRejected] | None:
    """The refusal that a reason is; None: an ordinary end, or a word that is not known."""
    return REASONS.get(reason) or next((kind for word, kind in _BY_REASON if word in reason), None)


def error_of(answer: Json, status: int, request: Request) -> MpdexError:
    """The failure that an error body is, by its code first, then its words, then the status.

    The socket has numbers of its own and names the code of the REST API, if it does, somewhere in
    its words (UNVERIFIED: no refused order was ever recorded there).
    """
    code, message = _told(answer, status)
    kind = _kind(code, message, status, request)
    if kind is None:
        unclear = OutcomeUnknown if request.command else TransportError
        return unclear(f"{code}: {message}", venue=VENUE, raw=answer, request=str(request))
    return kind(message, venue=VENUE, raw=answer, code=code, request=str(request))


def _told(answer: Json, status: int) -> tuple[str, str]:
    fields = answer if isinstance(answer, dict) else {}
    error = fields.get("error")
    if not isinstance(error, dict):
        return str(error or status), str(fields.get("message") or answer or status)[:300]
    message = " ".join(str(error[key]) for key in ("message", "data") if error.get(key))[:300]
    named = (word for word in _CODE.findall(message) if word in ERRORS or word in _UNDECIDED)
    return next(named, str(error.get("code"))), message


def _kind(code: str, message: str, status: int, request: Request) -> type[VenueError] | None:
    """None: the venue itself does not know."""
    known = ERRORS.get(code)
    if code in _AMBIGUOUS and request.command:
        words = message.lower().replace("_", " ").replace("-", " ")
        known = next((kind for word, kind in _BY_MESSAGE if word in words), known)
    if known is None and (code in _UNDECIDED or status >= 500):
        return None
    if known is NonceRefused and not request.command:
        return AuthError  # a login whose clock is wrong
    known = known or ERRORS.get(status) or (OrderRejected if request.command else VenueError)
    if code == "NOT_FOUND" or status == 404:
        known = OrderNotFound if request.path.startswith("/orders") else VenueError
    return known if issubclass(known, VenueError) else VenueError


# --------------------------------------------------------------------------- values


def decimal(value: Json) -> Decimal | None:
    """Null and "" are None."""
    return None if value is None or value == "" else Decimal(value)


def nonzero(value: Json) -> Decimal | None:
    """As `decimal`, where the venue writes 0 for "none"."""
    return decimal(value) or None


# --------------------------------------------------------------------------- objects


@checked
def decode_order(raw: Json) -> Order:
    """One order, from an answer or a stream."""
    size, average = Decimal(raw["size"]), nonzero(raw.get("avg_fill_price"))
    reason, instruction = raw.get("cancel_reason") or "", raw.get("instruction") or "GTC"
    filled = _filled(raw, size, average, reason)
    market = "MARKET" in raw["type"]
    flags = raw.get("flags") or ()
    return Order(
        id=raw["id"],
        client_order_id=raw.get("client_id") or None,
        symbol=raw["market"],
        side=known(SIDES, raw["side"], "side", VENUE),
        type="market" if market else "limit",
        price=None if market else nonzero(raw.get("price")),
        size=size,
        filled=filled,
        average_price=average,
        status=_status(raw["status"], reason, size, filled),
        time_in_force=known(TIMES_IN_FORCE, instruction, "instruction", VENUE),
        post_only=instruction in _PASSIVE,
        reduce_only="REDUCE_ONLY" in flags,
        reason=reason,
        timestamp_ms=raw.get("last_updated_at"),
        raw=raw,
    )


def _filled(raw: Json, size: Decimal, average: Decimal | None, reason: str) -> Decimal:
    """What is missing from the rest was executed, unless the order was ended before any trade:
    the documentation shows such a one with nothing left and a reason."""
    rest = raw.get("remaining_size")
    untried = rest is None and _LIVE.get(raw["status"]) is OrderStatus.PENDING
    if untried or (reason and average is None):
        return _NONE
    return size - Decimal(rest)


def _status(word: str, reason: str, size: Decimal, filled: Decimal) -> OrderStatus:
    if word != _CLOSED:
        return known(_LIVE, word, "order status", VENUE)
    if filled >= size:
        return OrderStatus.FILLED
    refused = not filled and classify_reason(reason) is not None
    return OrderStatus.REJECTED if refused else OrderStatus.CANCELED


@checked
def decode_fill(raw: Json) -> Fill:
    """One execution, its side that of our own order (UNVERIFIED: the reference says "taker side",
    as it does of public trades). The fee is negative when received."""
    return Fill(
        id=raw["id"],
        order_id=raw["order_id"],
        client_order_id=raw.get("client_id") or None,
        symbol=raw["market"],
        side=known(SIDES, raw["side"], "side", VENUE),
        price=Decimal(raw["price"]),
        size=Decimal(raw["size"]),
        fee=decimal(raw.get("fee")),
        fee_asset=raw.get("fee_currency") or "USDC",  # binary frames named it later
        liquidity=known(LIQUIDITY, raw["liquidity"], "liquidity", VENUE),
        timestamp_ms=int(raw["created_at"]),
        raw=raw,
    )


def is_open(raw: Json) -> bool:
    """Closed positions stay in the list, with a size of zero."""
    return raw["status"] != _CLOSED and bool(Decimal(raw["size"]))


@checked
def decode_position(raw: Json) -> Position:
    """An open position; the size of a short one is negative."""
    return Position(
        symbol=raw["market"],
        side=known(POSITION_SIDES, raw["side"], "position side", VENUE),
        size=abs(Decimal(raw["size"])),
        entry_price=Decimal(raw["average_entry_price"]),
        mark_price=decimal(raw.get("mark_price")),
        unrealized_pnl=decimal(raw.get("unrealized_pnl")),
        liquidation_price=nonzero(raw.get("liquidation_price")),
        leverage=nonzero(raw.get("leverage")),
        raw=raw,
    )


@checked
def position_update(raw: Json) -> PositionUpdate:
    time_ms = raw.get("last_updated_at")
    if not is_open(raw):
        return PositionUpdate(raw["market"], _NONE, None, time_ms)
    position = decode_position(raw)
    size = position["size"] if position["side"] == "long" else -position["size"]
    return PositionUpdate(raw["market"], size, position, time_ms)


def decode_market(raw: Json) -> Market:
    """One perpetual. Its smallest size is its size step. Prices are in USD; what is paid with them,
    fees and profits, is in the currency it is settled in, which counts as its quote."""
    step, coin = Decimal(raw["order_size_increment"]), raw["base_currency"]
    margin = raw.get("delta1_cross_margin_params") or {}
    initial = nonzero(margin.get("imf_base"))
    return Market(
        symbol=raw["symbol"],
        coin=coin,
        quote=raw.get("settlement_currency") or raw["quote_currency"],
        kind="perp",
        tick=Decimal(raw["price_tick_size"]),
        step=step,
        min_size=step,
        min_notional=nonzero(raw.get("min_notional")),
        max_size=nonzero(raw.get("max_order_size")),
        multiplier=_multiplier(coin),
        max_leverage=None if initial is None else _ONE / initial,
        significant_figures=None,
        price_band=nonzero(raw.get("price_bands_width")),
        active=raw.get("trading_mode", "STANDARD") == "STANDARD",
        raw=raw,
    )


def _multiplier(coin: str) -> Decimal:
    """Small coins are traded by the thousand and written with a small k: kBONK, kPEPE."""
    return Decimal(1000) if coin[:1] == "k" and coin[1:2].isupper() else _ONE

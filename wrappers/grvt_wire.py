"""GRVT's words that REST and the sockets share: one order, fill, position, error.

An order, a fill and a position have the same fields in an answer and in a feed, so each has one
decoder. A status, side or time in force that is not known raises; the text of a reject reason is
kept as it is, because that list grows.

Sources: api-docs.grvt.io, "Order", "Fill", "Positions", error codes; gravity-technologies/api-spec
eed18e5; help.grvt.io, fees (read 2026-10-22); read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    FillUpdate,
    Json,
    Market,
    Order,
    OrderStatus,
    OrderUpdate,
    Position,
    PositionUpdate,
    TimeInForce,
)
from mpdex.utils.translation import checked as _checked
from mpdex.utils.wire_words import known
from wrappers.grvt_auth import VENUE

checked = _checked(VENUE)

UNSPECIFIED: Final = "UNSPECIFIED"
# The protection band is not told; a client measured 2 to 3 % (March 2026).
PRICE_BAND: Final = Decimal("0.02")
PLACEHOLDER_IDS: Final = frozenset({"", "0x00", "0x0"})  # until the venue has given the real one

STATUSES: Final[Mapping[str, OrderStatus]] = {
    "PENDING": OrderStatus.PENDING,
    "OPEN": OrderStatus.OPEN,  # a partial fill stays OPEN
    "FILLED": OrderStatus.FILLED,
    "REJECTED": OrderStatus.REJECTED,
    "CANCELLED": OrderStatus.CANCELED,
}
# A cancel that says more than "canceled".
CANCELED_AS: Final[Mapping[str, OrderStatus]] = {
    "EXPIRED": OrderStatus.EXPIRED,
    "FAIL_POST_ONLY": OrderStatus.REJECTED,  # seen under either status
}
# The venue has two more resting kinds than we have words for; `raw` keeps which.
TIMES_IN_FORCE: Final[Mapping[str, TimeInForce]] = {
    "GOOD_TILL_TIME": TimeInForce.GTC,
    "ALL_OR_NONE": TimeInForce.GTC,
    "RETAIL_PRICE_IMPROVEMENT": TimeInForce.GTC,
    "IMMEDIATE_OR_CANCEL": TimeInForce.IOC,
    "FILL_OR_KILL": TimeInForce.FOK,
}

TRADABLE: Final = frozenset({"ACTIVE", "REDUCE_ONLY"})  # of `status`, where an instrument has one
MarginMode: TypeAlias = Literal["cross", "isolated"]
MARGIN_MODES: Final[Mapping[str, MarginMode]] = {"CROSS": "cross", "ISOLATED": "isolated"}

# HTTP status or code -> ours. A code outside this table is a plain VenueError.
ERRORS: Final[Mapping[int | str, type[Exception]]] = {
    401: AuthError,
    403: AuthError,
    429: RateLimited,
    1000: SessionEnded,
    1001: AuthError,
    1002: TransportError,  # internal: nobody knows what became of it
    1004: OrderNotFound,
    1005: TransportError,
    1006: RateLimited,
    1008: AuthError,  # IP not on the key's list
    1009: MarketUnavailable,
    1012: AuthError,
    1015: MarketUnavailable,
    1400: AuthError,
    2000: AuthError,
    2001: NonceRefused,  # signature expired: an immediate order that came too late, or a clock
    **dict.fromkeys(range(2002, 2009), AuthError),  # signature and signer
    2004: SessionEnded,
    **dict.fromkeys((2010, 2011, 2020, 2021, 2030, 2032, 2040, 2042), OrderRejected),
    2012: DuplicateClientId,
    2060: MarketUnavailable,
    2061: SymbolRefused,
    **dict.fromkeys((2062, 2064, 2065, 2066, 2067), PrecisionRefused),  # size, tick, notional
    2080: InsufficientMargin,
    2081: LimitReached,
    2083: LimitReached,
    2090: LimitReached,  # open-order cap; comes with HTTP 429 and is no rate limit
    2300: OrderRejected,
    2301: OrderRejected,
    2400: ReduceOnlyRefused,
    2401: ReduceOnlyRefused,
    2402: ReduceOnlyRefused,
    7201: PriceOutOfBand,
    7304: MarketUnavailable,  # only reducing orders for now
}

# Why an order ended, where that is a refusal; a reason that is not here is no error of ours.
REASONS: Final[Mapping[str, type[OrderRejected] | type[AuthError]]] = {
    "FAIL_POST_ONLY": PostOnlyWouldCross,
    "RESTING_ORDER_WOULD_CROSS": PostOnlyWouldCross,
    "FAIL_REDUCE_ONLY": ReduceOnlyRefused,
    "REDUCE_ONLY_LIMIT": ReduceOnlyRefused,
    "BELOW_MARGIN": InsufficientMargin,
    "BELOW_MARGIN_WITH_PENALTY_DEVIATION": InsufficientMargin,
    "INSUFFICIENT_BALANCE": InsufficientMargin,
    "INSTRUMENT_INVALID": SymbolRefused,
    "INSTRUMENT_DEACTIVATED": MarketUnavailable,
    "MARKET_ORDER_NOT_SUPPORTED": MarketUnavailable,
    "SESSION_CLOSED": MarketUnavailable,
    "SYSTEM_FAILOVER": MarketUnavailable,
    "UNAUTHORISED": AuthError,
    "SESSION_KEY_EXPIRED": AuthError,
    "SUB_ACCOUNT_NOT_FOUND": AuthError,
    "NO_TRADE_PERMISSION": AuthError,
    "INVALID_CHAIN_ID": AuthError,
    "EXCEED_MAX_SIGNATURE_EXPIRATION": AuthError,
    "SELF_TRADE_PROTECTION": OrderRejected,
    "SELF_MATCHED_SUBACCOUNT": OrderRejected,
    "OVERLAPPING_CLIENT_ORDER_ID": DuplicateClientId,
    "UNSUPPORTED_TIME_IN_FORCE": OrderRejected,
    "MARKET_ORDER_WITH_LIMIT_PRICE": OrderRejected,
    "EXCEED_MAX_POSITION_SIZE": LimitReached,
    "TOO_MANY_MAKER_ORDERS": LimitReached,
    "TRADE_PRICE_WORSE_THAN_BANKRUPTCY_PRICE": OrderRejected,
    "MM_PROTECTION": OrderRejected,
}


def classify_reason(reason: str) -> type[OrderRejected] | type[AuthError] | None:
    """The refusal that a reject reason is; None: an ordinary end, or a word not known."""
    return REASONS.get(reason)


def error_of(answer: Json, status: int, request: str, *, command: bool) -> MpdexError:
    """The failure that an error body is, by its code first and the HTTP status second.

    An internal error of the venue says nothing about what became of a command.
    """
    fields = answer if isinstance(answer, dict) else {}
    code, message = fields.get("code"), str(fields.get("message") or f"HTTP {status}")[:300]
    kind = ERRORS.get(_number(code)) or ERRORS.get(status, VenueError)
    if kind is TransportError or (status >= 500 and kind is VenueError):
        unclear = OutcomeUnknown if command else TransportError
        return unclear(message, venue=VENUE, raw=answer, request=request)
    refusal = kind if issubclass(kind, VenueError) else VenueError
    told = str(status if code is None else code)
    return refusal(message, venue=VENUE, raw=answer, code=told, request=request)


def _number(code: Json) -> int:
    return int(code) if isinstance(code, int | str) and str(code).isdecimal() else 0


# --------------------------------------------------------------------------- values


def ms(nanoseconds: Json) -> int | None:
    """Milliseconds of the venue's nanoseconds; some answers leave the time out."""
    return int(nanoseconds) // 1_000_000 if nanoseconds else None


def decimal(value: Json) -> Decimal | None:
    """Of text or number; null and "" are None."""
    return None if value is None or value == "" else Decimal(value)


def nonzero(value: Json) -> Decimal | None:
    """As `decimal`, where the venue writes 0 for "none"."""
    return decimal(value) or None


def _acknowledged(ack: Json) -> bool:
    """Live acks are booleans; the documentation shows text."""
    return ack is True or ack == "true"


# --------------------------------------------------------------------------- objects


@checked
def decode_ack(answer: Json) -> None:
    """Raises: VenueError unless the venue says it took the request."""
    result = answer.get("result", answer)
    if not _acknowledged(result["ack"]):
        raise VenueError("not acknowledged", venue=VENUE, raw=answer)


def status_of(status: str, reason: str) -> OrderStatus:
    """Raises: ProtocolError for a status that is not known."""
    ours = known(STATUSES, status, "order status", VENUE)
    return CANCELED_AS.get(reason, ours) if ours is OrderStatus.CANCELED else ours


@checked
def decode_order(raw: Json) -> Order:
    """One order with one leg, from an answer or a feed."""
    leg, state, meta = raw["legs"][0], raw["state"], raw["metadata"]
    reason = state["reject_reason"]
    market = raw.get("is_market", False)
    averages = state.get("avg_fill_price") or ("0",)
    order_id = raw["order_id"]
    return Order(
        id="" if order_id in PLACEHOLDER_IDS else order_id,
        client_order_id=meta["client_order_id"],
        symbol=leg["instrument"],
        side="buy" if leg["is_buying_asset"] else "sell",
        type="market" if market else "limit",
        price=None if market else Decimal(leg["limit_price"]),
        size=Decimal(leg["size"]),
        filled=Decimal(state["traded_size"][0]),
        average_price=nonzero(averages[0]),
        status=status_of(state["status"], reason),
        time_in_force=known(TIMES_IN_FORCE, raw["time_in_force"], "time in force", VENUE),
        post_only=bool(raw.get("post_only")),
        reduce_only=bool(raw.get("reduce_only")),
        reason="" if reason == UNSPECIFIED else reason,
        timestamp_ms=ms(state.get("update_time")),
        raw=raw,
    )


@checked
def decode_fill(raw: Json) -> Fill:
    """One execution. The fee is in its currency, negative when received; null: told later."""
    symbol = raw["instrument"]
    return Fill(
        id=raw["trade_id"],
        order_id=raw["order_id"],
        client_order_id=raw.get("client_order_id"),
        symbol=symbol,
        side="buy" if raw["is_buyer"] else "sell",
        price=Decimal(raw["price"]),
        size=Decimal(raw["size"]),
        fee=decimal(raw.get("fee")),
        # Older frames do not name the currency; a perpetual settles in its quote.
        fee_asset=raw.get("fee_currency") or symbol.split("_")[1],
        liquidity="taker" if raw["is_taker"] else "maker",
        timestamp_ms=int(raw["event_time"]) // 1_000_000,
        raw=raw,
    )


@checked
def decode_position(raw: Json) -> Position:
    """An open position; the venue's size is signed."""
    size = Decimal(raw["size"])
    return Position(
        symbol=raw["instrument"],
        side="long" if size > 0 else "short",
        size=abs(size),
        entry_price=Decimal(raw["entry_price"]),
        mark_price=decimal(raw.get("mark_price")),
        unrealized_pnl=decimal(raw.get("unrealized_pnl")),
        liquidation_price=nonzero(raw.get("est_liquidation_price")),
        leverage=nonzero(raw.get("leverage")),
        raw=raw,
    )


def order_update(feed: Json) -> OrderUpdate:
    return OrderUpdate(decode_order(feed))


def fill_update(feed: Json) -> FillUpdate:
    return FillUpdate(decode_fill(feed))


@checked
def position_update(feed: Json) -> PositionUpdate:
    """A closed position is a frame with size zero."""
    size = Decimal(feed["size"])
    position = decode_position(feed) if size else None
    return PositionUpdate(feed["instrument"], size, position, ms(feed.get("event_time")))


# --------------------------------------------------------------------------- markets


def decode_market(raw: Json) -> Market:
    """One perpetual. Its `min_size` is also its size step."""
    return Market(
        symbol=raw["instrument"],
        coin=raw["base"],
        quote=raw["quote"],
        kind="perp",
        tick=Decimal(raw["tick_size"]),
        step=Decimal(raw["min_size"]),
        min_size=Decimal(raw["min_size"]),
        min_notional=decimal(raw.get("min_notional")),
        max_size=None,  # max_position_size bounds the position, not the order
        multiplier=Decimal(1),
        max_leverage=None,  # asked for apart: margin_rules
        significant_figures=None,
        price_band=PRICE_BAND,
        active=raw.get("status", "ACTIVE") in TRADABLE,
        raw=raw,
    )


def decode_levels(levels: Sequence[Json]) -> list[tuple[str, str]]:
    return [(level["price"], level["size"]) for level in levels]


def decode_margin_mode(word: str | None) -> MarginMode | None:
    """The documentation has the word in lower case, live answers in upper."""
    return None if word is None else known(MARGIN_MODES, word.upper(), "margin type", VENUE)

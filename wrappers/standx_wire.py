"""StandX, words: statuses, the objects that answers and frames hold, refusals.

An order counts as filled by what it has filled, since there is no word for a part. Numbers come as
text or as numbers, times with six or nine digits of a second.

Sources: docs.standx.com, "Perps HTTP API" (page of 2026-05-19), "API Reference" (2026-03-23);
refusals as bots quote them (your-quantguy/perp-dex-tools 4679a33, zomians/standx_mm_bot d4d35ad,
wjllance/StandX-CLI e465359); read 2026-11-21.
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
    SessionEnded,
    SymbolRefused,
    TransportError,
    UnknownSymbol,
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
    Request,
    Side,
    TimeInForce,
)
from mpdex.utils.markets import MarketList
from mpdex.utils.wire_words import known, outcome
from wrappers.standx_auth import VENUE

QUOTE: Final = "DUSD"
NEW: Final = "/api/new_order"
CANCEL: Final = "/api/cancel_order"
ORDER: Final = "/api/query_order"
BALANCE: Final = "/api/query_balance"
LEVERAGE: Final = "/api/change_leverage"

SIDES: Final[Mapping[str, Side]] = {"buy": "buy", "sell": "sell"}
# "new" is in the samples of lists. UNVERIFIED: "partially_filled" and "expired", which one client
# has in its list of words.
STATUSES: Final = {
    "open": OrderStatus.OPEN,
    "new": OrderStatus.OPEN,
    "partially_filled": OrderStatus.OPEN,
    "untriggered": OrderStatus.PENDING,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "rejected": OrderStatus.REJECTED,
    "expired": OrderStatus.EXPIRED,
}
# UNVERIFIED: "fok", which one client has.
TIMES: Final = {
    "gtc": TimeInForce.GTC,
    "alo": TimeInForce.GTC,
    "ioc": TimeInForce.IOC,
    "fok": TimeInForce.FOK,
}
POST_ONLY: Final = "alo"

_BANDS: Final = ("price_cap_ratio", "price_floor_ratio")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# No fill says on which side it was; its fee tells. Takers pay at least twice what makers do, also
# those of the market makers' programme.
_MAKERS_PAY_UP_TO: Final = Decimal("1.5")


def time_ms(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)


def iso_text(at_ms: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=at_ms)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


# --------------------------------------------------------------------------- objects


def decode_market(entry: Json) -> Market:
    """Live answers have a `status`, which the documents do not.

    UNVERIFIED: that the band counts from the mark price.
    """
    largest, leverage = entry.get("max_order_qty"), entry.get("max_leverage")
    band = [Decimal(entry[name]) for name in _BANDS if name in entry]
    return Market(
        symbol=entry["symbol"],
        coin=entry["base_asset"],
        quote=entry["quote_asset"],
        kind="perp",
        tick=Decimal(1).scaleb(-int(entry["price_tick_decimals"])),
        step=Decimal(1).scaleb(-int(entry["qty_tick_decimals"])),
        min_size=Decimal(entry["min_order_qty"]),
        min_notional=None,
        max_size=None if largest is None else Decimal(largest),
        multiplier=Decimal(1),
        max_leverage=None if leverage is None else Decimal(leverage),
        significant_figures=None,
        price_band=min(band, default=None),
        active=bool(entry.get("enabled", True)) and entry.get("status", "trading") == "trading",
        raw=entry,
    )


def decode_order(entry: Json) -> Order:
    """One order, of a query, a list or the stream. A market order's price is the venue's own."""
    market = entry["order_type"] == "market"
    size, filled = Decimal(entry["qty"]), Decimal(entry["fill_qty"])
    status = outcome(known(STATUSES, entry["status"], "order status", VENUE), size, filled)
    ended_early = status.terminal and status is not OrderStatus.FILLED
    created = entry.get("created_at")
    return Order(
        id=str(entry["id"]),
        client_order_id=entry.get("cl_ord_id") or None,
        symbol=entry["symbol"],
        side=known(SIDES, entry["side"], "side", VENUE),
        type="market" if market else "limit",
        price=None if market else Decimal(entry["price"]),
        size=size,
        filled=filled,
        average_price=Decimal(entry["fill_avg_price"]) if filled else None,
        status=status,
        time_in_force=TIMES[entry["time_in_force"]],
        post_only=entry["time_in_force"] == POST_ONLY,
        reduce_only=bool(entry["reduce_only"]),
        reason=(entry.get("remark") or "") if ended_early else "",
        timestamp_ms=None if created is None else time_ms(created),
        raw=entry,
    )


def refused_order(fields: Json, reason: str) -> Order:
    """An order that was refused after it had been accepted, from what was asked for."""
    ending = {"id": "", "fill_qty": "0", "status": "rejected", "remark": reason}
    return decode_order({**fields, **ending})


def decode_fill(entry: Json, markets: MarketList) -> Fill:
    """One fill, of the history or the stream; it names its order by the venue's id alone.

    UNVERIFIED: the frame, which is published nowhere; it is read as widely as clients read it.
    """
    fee = entry.get("fee_qty")
    price, size = Decimal(entry["price"]), Decimal(entry["qty"])
    paid = None if fee is None else Decimal(fee)
    when = entry.get("time") or entry.get("created_at") or entry["updated_at"]
    return Fill(
        id=str(entry.get("id") or entry["trade_id"]),
        order_id=str(entry["order_id"]),
        client_order_id=None,
        symbol=entry["symbol"],
        side=known(SIDES, entry["side"], "side", VENUE),
        price=price,
        size=size,
        fee=paid,
        fee_asset=entry.get("fee_asset") or QUOTE,
        liquidity=_liquidity(paid, price * size, entry["symbol"], markets),
        timestamp_ms=time_ms(when),
        raw=entry,
    )


def _liquidity(paid: Decimal | None, value: Decimal, symbol: str, markets: MarketList) -> Liquidity:
    """UNVERIFIED: by the fee; without one, the dearer side is assumed."""
    try:
        maker_fee = Decimal(markets[symbol]["raw"]["maker_fee"])
    except UnknownSymbol:
        return "taker"
    if paid is None or paid > value * maker_fee * _MAKERS_PAY_UP_TO:
        return "taker"
    return "maker"


def decode_position(entry: Json) -> Position:
    """A short has a negative quantity. The stream tells neither mark, profit nor liquidation."""
    size = Decimal(entry["qty"])
    return Position(
        symbol=entry["symbol"],
        side="long" if size > 0 else "short",
        size=abs(size),
        entry_price=Decimal(entry["entry_price"]),
        mark_price=_optional(entry.get("mark_price")),
        unrealized_pnl=_optional(entry.get("upnl")),
        liquidation_price=_optional(entry.get("liq_price")) or None,
        leverage=_optional(entry.get("leverage")),
        raw=entry,
    )


def _optional(value: Json) -> Decimal | None:
    return None if value is None else Decimal(value)


# --------------------------------------------------------------------------- refusals

# HTTP status, which is the code of a refusal, too -> ours.
ERRORS: Final[Mapping[int | str, type[Exception]]] = {
    401: SessionEnded,
    403: AuthError,
    404: OrderNotFound,
    429: RateLimited,
}
# The documents have no texts; of these, bots have seen "alo order rejected", "invalid body
# signature", "not follow qty tick", "not follow price tick", "invalid order qty", "balance not
# enough", "order not found" and "user balance not found". UNVERIFIED: the rest.
_BY_WORDS: Final[tuple[tuple[str, type[VenueError]], ...]] = (
    ("alo order", PostOnlyWouldCross),
    ("post only", PostOnlyWouldCross),
    ("post-only", PostOnlyWouldCross),
    ("body signature", SessionEnded),  # the pair is none any more: both halves are made anew
    ("order not found", OrderNotFound),
    ("user balance not found", AuthError),  # any wallet may sign in; this one was never funded
    ("not follow", PrecisionRefused),
    ("invalid order qty", PrecisionRefused),
    ("invalid order price", PrecisionRefused),
    ("reduce", ReduceOnlyRefused),
    ("balance not", InsufficientMargin),
    ("not enough", InsufficientMargin),
    ("insufficient", InsufficientMargin),
    ("duplicate", DuplicateClientId),
    ("already exist", DuplicateClientId),
    ("price cap", PriceOutOfBand),
    ("price floor", PriceOutOfBand),
    ("price limit", PriceOutOfBand),
    ("price band", PriceOutOfBand),
    ("out of range", PriceOutOfBand),
    ("too far", PriceOutOfBand),
    ("max open orders", LimitReached),
    ("max position", LimitReached),
    ("too many open", LimitReached),
    ("not trading", MarketUnavailable),
    ("not enabled", MarketUnavailable),
    ("disabled", MarketUnavailable),
    ("halt", MarketUnavailable),
    ("suspend", MarketUnavailable),
    ("paused", MarketUnavailable),
    ("maintenance", MarketUnavailable),
    ("unavailable", MarketUnavailable),
    ("symbol", SymbolRefused),
)
# The time stamp is what makes a request unique here; one that is over never acts.
_LATE: Final = ("signature has expired", "request expired", "request has expired", "timestamp")
# UNVERIFIED: that setting the leverage that is set is refused in one of these words.
_NO_CHANGE: Final = ("already", "same", "unchanged", "not changed")
_UNDECIDED: Final = 408  # and above 500: nobody knows what became of it


def error_of(status: int, answer: Json, request: Request) -> MpdexError | None:
    """The failure that an answer is, None for a success, which has code 0 or none.

    A code is the HTTP status; any other says that it is a failure, and no more.
    """
    fields = answer if isinstance(answer, dict) else {}
    word = str(fields.get("code") or 0)
    code = int(word) if word.isdecimal() else 1
    if status < 400 and code == 0:
        return None
    tells = code >= 400 and (status < 400 or code < 600)
    status = code if tells else max(status, 400)
    message = str(fields.get("message") or fields.get("msg") or answer or f"HTTP {status}")[:300]
    if request.path == LEVERAGE and any(words in message.lower() for words in _NO_CHANGE):
        return None
    where = str(request)
    if status >= 500 or status == _UNDECIDED:
        unclear = OutcomeUnknown if request.command else TransportError
        return unclear(f"{status}: {message}", venue=VENUE, raw=answer, request=where)
    kind = _kind(status, message.lower(), request)
    return kind(message, venue=VENUE, raw=answer, code=word if code else str(status), request=where)


def reason_of(words: str) -> type[VenueError] | None:
    """What a text says of an order, whatever it came with; None: nothing that is known."""
    lowered = words.lower()
    return next((kind for part, kind in _BY_WORDS if part in lowered), None)


def _kind(status: int, message: str, request: Request) -> type[VenueError]:
    if status in (400, 401, 403) and any(words in message for words in _LATE):
        return NonceRefused if request.command else AuthError
    if status == 429:
        return RateLimited
    if status == 401:
        return SessionEnded
    named = reason_of(message)
    if named is not None:
        return named
    if status == 403:
        return AuthError
    if request.path == CANCEL or (status == 404 and request.path == ORDER):
        return OrderNotFound  # it may have filled just now: to be looked up
    return OrderRejected if request.command else VenueError

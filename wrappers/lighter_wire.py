"""Lighter, words: statuses, reasons and errors, and the objects that its answers hold.

REST and streams write orders, trades and positions alike. Sides are told by `is_ask`, not by the
often empty `side`; times come in seconds, milliseconds or microseconds.

Sources: apidocs.lighter.xyz, error codes and WebSocket reference; lighter-sdk 1.1.8, models; live
captures of May 2026; read 2026-11-21.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from mpdex.errors import (
    AuthError,
    BadOrder,
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
    ProtocolError,
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
    Market,
    MarketKind,
    Order,
    OrderStatus,
    Position,
    Request,
    TimeInForce,
)
from mpdex.utils.markets import MarketList
from wrappers.lighter_signer import VENUE

KINDS: Final[Mapping[str, MarketKind]] = {"perp": "perp", "spot": "spot"}
QUOTE: Final = "USDC"
MOST_SIZE: Final = 2**48 - 1  # of a client id, and of a size in steps
FRACTION: Final = Decimal(10_000)  # margin fractions count ten-thousandths
TICK: Final = Decimal("0.000001")  # fees count millionths of notional

STATUSES: Final = {
    "in-progress": OrderStatus.PENDING,
    "pending": OrderStatus.PENDING,  # waits for its trigger
    "open": OrderStatus.OPEN,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "canceled-expired": OrderStatus.EXPIRED,
}
_CANCELED: Final = "canceled-"
# An acknowledged order may still be refused by the sequencer: it then ends with one of these.
REASONS: Final[Mapping[str, type[Exception]]] = {
    "canceled-post-only": PostOnlyWouldCross,
    "canceled-reduce-only": ReduceOnlyRefused,
    "canceled-position-not-allowed": LimitReached,  # UNVERIFIED: what else it may mean
    "canceled-margin-not-allowed": InsufficientMargin,
    "canceled-invalid-balance": InsufficientMargin,
    "canceled-too-much-slippage": PriceOutOfBand,
    "canceled-not-enough-liquidity": NoImmediateMatch,
}
# These end an order that did nothing wrong.
_ENDED: Final = frozenset({"canceled-too-much-slippage", "canceled-not-enough-liquidity"})
_TIMES_IN_FORCE: Final = {
    "good-till-time": TimeInForce.GTC,
    "immediate-or-cancel": TimeInForce.IOC,
    "post-only": TimeInForce.GTC,
    "Unknown": TimeInForce.GTC,
}
_NONE: Final = frozenset({"", "0", "None"})  # spellings of an id that is not there
_THOUSANDS: Final = re.compile(r"(10{3,})([A-Z].*)")


# --------------------------------------------------------------------------- objects


def decode_market(entry: Json) -> Market:
    """One entry of orderBookDetails, perpetual or spot."""
    symbol, kind = entry["symbol"], KINDS[entry["market_type"]]
    base, _, quote = symbol.partition("/")
    coin, multiplier = _coin(base)
    margin = entry.get("min_initial_margin_fraction")
    return Market(
        symbol=symbol,
        coin=coin,
        quote=quote or QUOTE,
        kind=kind,
        tick=Decimal(1).scaleb(-entry["price_decimals"]),
        step=Decimal(1).scaleb(-entry["size_decimals"]),
        min_size=Decimal(entry["min_base_amount"]),
        min_notional=Decimal(entry["min_quote_amount"]),
        max_size=None,
        multiplier=multiplier,
        max_leverage=FRACTION / margin if margin else None,
        significant_figures=None,
        price_band=None,
        active=entry["status"] == "active" and not _hidden(entry),
        raw=entry,
    )


def _hidden(entry: Json) -> bool:
    return bool((entry.get("market_config") or {}).get("hidden"))


def _coin(base: str) -> tuple[str, Decimal]:
    """Small coins are traded by the thousand and written so: 1000PEPE."""
    small = _THOUSANDS.fullmatch(base)
    return (small[2], Decimal(small[1])) if small else (base, Decimal(1))


def decode_order(entry: Json, markets: MarketList) -> Order:
    """One order, from a read or a stream."""
    size, filled = Decimal(entry["initial_base_amount"]), Decimal(entry["filled_base_amount"])
    word, market = entry["status"], entry["type"] == "market"
    return Order(
        id=str(entry["order_index"]),
        client_order_id=_id(entry.get("client_order_index")),
        symbol=markets.symbol_of(str(entry["market_index"])),
        side="sell" if entry["is_ask"] else "buy",
        type="market" if market else "limit",
        price=None if market else Decimal(entry["price"]),
        size=size,
        filled=filled,
        average_price=Decimal(entry["filled_quote_amount"]) / filled if filled else None,
        status=_status(word, filled),
        time_in_force=_TIMES_IN_FORCE[entry["time_in_force"]],
        post_only=entry["time_in_force"] == "post-only",
        reduce_only=bool(entry["reduce_only"]),
        reason=word if word.startswith(_CANCELED) else "",
        timestamp_ms=time_ms(entry["timestamp"]),
        raw=entry,
    )


def _status(word: str, filled: Decimal) -> OrderStatus:
    """What was executed outranks a refusal. Raises: ProtocolError for a word that is not known."""
    status = STATUSES.get(word)
    if status is not None:
        return status
    if not word.startswith(_CANCELED):
        raise ProtocolError(f"unknown order status {word!r}", venue=VENUE)
    refused = word in REASONS and word not in _ENDED and not filled
    return OrderStatus.REJECTED if refused else OrderStatus.CANCELED


def decode_fills(entry: Json, account: int, markets: MarketList) -> Iterator[Fill]:
    """Our side of a trade, or both: two orders of one account may meet."""
    asked = entry["is_maker_ask"]
    for side in ("ask", "bid"):
        if entry[f"{side}_account_id"] != account:
            continue
        maker = bool(asked) == (side == "ask")
        ticks = entry.get("maker_fee" if maker else "taker_fee", 0)  # left out where it is none
        price, size = Decimal(entry["price"]), Decimal(entry["size"])
        yield Fill(
            id=str(entry["trade_id"]),
            order_id=str(entry[f"{side}_id"]),
            client_order_id=_id(entry.get(f"{side}_client_id")),
            symbol=markets.symbol_of(str(entry["market_id"])),
            side="sell" if side == "ask" else "buy",
            price=price,
            size=size,
            fee=None if ticks is None else (price * size * ticks * TICK).quantize(TICK),
            fee_asset=QUOTE,  # UNVERIFIED for spot
            liquidity="maker" if maker else "taker",
            timestamp_ms=time_ms(entry["timestamp"]),
            raw=entry,
        )


def decode_position(entry: Json, markets: MarketList) -> Position | None:
    """None: closed; such a one stays listed."""
    size = abs(Decimal(entry["position"]))
    if not size:
        return None
    liquidation = Decimal(entry.get("liquidation_price") or 0)
    return Position(
        symbol=markets.symbol_of(str(entry["market_id"])),
        side="long" if entry["sign"] > 0 else "short",
        size=size,
        entry_price=Decimal(entry["avg_entry_price"]),
        mark_price=None,
        unrealized_pnl=Decimal(entry["unrealized_pnl"]),
        liquidation_price=liquidation if liquidation > 0 else None,
        leverage=leverage_of(margin_fraction(entry)),
        raw=entry,
    )


def margin_fraction(entry: Json) -> int:
    """A position's initial margin in ten-thousandths.

    The account answers in percent ("5.00"). UNVERIFIED: a documented stream frame has the plain
    fraction ("0.0500"); no market asks for less than one percent, so the two can be told apart.
    """
    told = Decimal(entry["initial_margin_fraction"])
    return int(told * (FRACTION if told < 1 else 100))


def leverage_of(fraction: int) -> Decimal | None:
    """The whole leverage that is set as this fraction, or else the exact one.

    A leverage is set as 10000 divided by it, cut to a whole number: 3 becomes 3333.
    """
    if fraction <= 0:
        return None
    whole = int(FRACTION // fraction)
    return Decimal(whole) if whole * (fraction + 1) > FRACTION else FRACTION / fraction


def time_ms(value: Json) -> int:
    """Milliseconds from seconds, milliseconds or microseconds, told apart by their size."""
    number = int(value)
    if number < 10**11:
        return number * 1000
    return number if number < 10**14 else number // 1000


def _id(value: Json) -> str | None:
    text = str(value)
    return None if text in _NONE else text


# --------------------------------------------------------------------------- errors

ERRORS: Final[Mapping[int | str, type[Exception]]] = {
    401: AuthError,
    403: AuthError,
    429: RateLimited,
    20001: VenueError,
    21100: AuthError,
    21102: AuthError,
    21104: NonceRefused,
    21105: NonceRefused,
    21108: AuthError,
    21109: AuthError,
    21110: AuthError,
    21111: MarketUnavailable,
    21112: MarketUnavailable,
    21120: AuthError,
    21136: AuthError,
    21301: InsufficientMargin,
    21506: LimitReached,
    21507: InsufficientMargin,
    21508: InsufficientMargin,
    21600: OrderNotFound,
    21601: LimitReached,
    21602: SymbolRefused,
    21605: MarketUnavailable,
    21700: OrderNotFound,
    21701: PrecisionRefused,
    21702: PrecisionRefused,
    21706: PrecisionRefused,
    21707: OrderNotFound,
    21709: OrderNotFound,
    21715: OrderNotFound,
    21717: LimitReached,
    21718: LimitReached,
    21719: LimitReached,
    21720: LimitReached,
    21728: DuplicateClientId,
    21732: ReduceOnlyRefused,
    21733: PriceOutOfBand,
    21734: PriceOutOfBand,
    21735: PriceOutOfBand,
    21738: ReduceOnlyRefused,
    21739: InsufficientMargin,
    21740: ReduceOnlyRefused,
    23000: RateLimited,
    30009: RateLimited,
    30010: RateLimited,
}
# Some errors have come with the code 400 and their meaning in the text alone.
_BY_MESSAGE: Final[tuple[tuple[str, type[VenueError]], ...]] = (
    ("nonce", NonceRefused),
    ("signature", AuthError),
    ("too many requests", RateLimited),
    ("not enough margin", InsufficientMargin),
    ("not enough collateral", InsufficientMargin),
    ("reduce only", ReduceOnlyRefused),
    ("accidental price", PriceOutOfBand),
    ("too far from", PriceOutOfBand),
    ("base or quote amount", PrecisionRefused),
    ("already exists", DuplicateClientId),
)
_OK: Final = frozenset({0, 200})
# Nobody knows what became of a command that the venue itself could not handle.
_INTERNAL: Final = range(29500, 29600)


def error_of(status: int, answer: Json, request: Request | str) -> MpdexError | None:
    """The failure that an answer is; its own code counts more than the HTTP status.

    A refusal of a command is always definite: the venue's front answers before it takes anything.
    """
    fields = answer if isinstance(answer, dict) else {}
    code = int(fields.get("code") or (0 if status < 400 else status))
    if code in _OK:
        return None
    command = isinstance(request, Request) and request.command
    message = str(fields.get("message") or answer)[:300]
    if code in _INTERNAL:
        unclear = OutcomeUnknown if command else TransportError
        return unclear(f"{code}: {message}", venue=VENUE, raw=answer, request=str(request))
    kind = _kind(code, message.lower(), command)
    return kind(message, venue=VENUE, raw=answer, code=str(code), request=str(request))


def _kind(code: int, message: str, command: bool) -> type[VenueError]:
    known = ERRORS.get(code)
    if known is not None and issubclass(known, VenueError) and known is not VenueError:
        return SessionEnded if known is AuthError and _is_token(message) else known
    for words, kind in _BY_MESSAGE:
        if words in message:
            return kind
    # UNVERIFIED: how a token that is bad or over is answered.
    if not command and _is_token(message):
        return SessionEnded
    return OrderRejected if command else VenueError


def _is_token(message: str) -> bool:
    return "auth" in message and "api key" not in message


# --------------------------------------------------------------------------- numbers


def units(value: Decimal, decimals: int, most: int, what: str) -> int:
    """`value` in units of 10**-decimals, exactly. Raises: BadOrder."""
    scaled = value.scaleb(decimals)
    if scaled != int(scaled):
        raise BadOrder(f"{what} {value} has more than {decimals} decimals", venue=VENUE)
    if not 0 < scaled <= most:
        raise BadOrder(f"{what} {value} is out of the venue's range", venue=VENUE)
    return int(scaled)


def market_index(market: Market) -> int:
    found: int = market["raw"]["market_id"]
    return found


def client_index(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) <= MOST_SIZE):
        raise BadOrder(f"client id {text!r} is not a number up to {MOST_SIZE}", venue=VENUE)
    return int(text)

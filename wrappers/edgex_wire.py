"""EdgeX, words: statuses, reasons and errors, and the objects that answers and streams share.

Every answer has a `code`; with any but SUCCESS the call was refused, behind HTTP 200 as well. The
venue publishes no list of its codes, so that they are told apart by the words they are made of
(UNVERIFIED, but for INVALID_CONTRACT_ID). A cancel has an answer for each order besides.

An order counts as executed by what was matched (`cumMatchSize`); what passes the venue's later
check, `cumFillSize`, comes after it. OPEN covers partly filled orders.

Sources: edgex-1.gitbook.io, "Private API" (v1 of 2026-04-09, v2 of 2026-03-17);
edgex-golang-sdk 5a8c861, openapi.yaml; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from mpdex.utils.markets import MarketList, coin_of
from mpdex.utils.translation import checked as _checked
from mpdex.utils.wire_words import known
from wrappers.edgex_auth import VENUE

checked = _checked(VENUE)

SUCCESS: Final = "SUCCESS"
POST_ONLY: Final = "POST_ONLY"

SIDES: Final[Mapping[str, Side]] = {"BUY": "buy", "SELL": "sell"}
LIQUIDITY: Final[Mapping[str, Liquidity]] = {"MAKER": "maker", "TAKER": "taker"}
TIMES_IN_FORCE: Final[Mapping[str, TimeInForce]] = {
    "GOOD_TIL_CANCEL": TimeInForce.GTC,
    POST_ONLY: TimeInForce.GTC,
    "IMMEDIATE_OR_CANCEL": TimeInForce.IOC,
    "FILL_OR_KILL": TimeInForce.FOK,
}
# The last four are in one page of the documentation of v2 only.
STATUSES: Final[Mapping[str, OrderStatus]] = {
    "PENDING": OrderStatus.PENDING,
    "UNTRIGGERED": OrderStatus.PENDING,
    "OPEN": OrderStatus.OPEN,
    "CANCELING": OrderStatus.OPEN,  # it may still be filled
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELED,
    "PARTIALLY_FILLED": OrderStatus.OPEN,
    "CANCELLED": OrderStatus.CANCELED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
}
_NO_REASON: Final = "UNKNOWN_ORDER_CANCEL_REASON"
_EXPIRED: Final = "EXPIRE_CANCELED"
_UNFILLED: Final = "COULD_NOT_FILL"
# Of a post-only order the same word means that it would have crossed (UNVERIFIED).
_CROSSED: Final = f"{_UNFILLED} ({POST_ONLY})"
# Why an order ended, where that is a refusal -> ours; the others are ordinary ends.
REASONS: Final[Mapping[str, type[OrderRejected]]] = {
    _CROSSED: PostOnlyWouldCross,
    "REDUCE_ONLY_CANCELED": ReduceOnlyRefused,
    "MARGIN_NOT_ENOUGH": InsufficientMargin,
    "SYSTEM_LIMIT_EVICTED": LimitReached,
    "INTERNAL_FAILED": OrderRejected,
}
_NONE: Final = Decimal(0)
_QUOTES: Final = ("USDC", "USDT", "USD")
SYMBOL_QUOTE: Final = "USD"  # as symbols are spelled here, whatever the collateral is called


def nonzero(value: Json) -> Decimal | None:
    """None for what is absent, "" or 0, which all mean that there is none."""
    return Decimal(value or 0) or None


# --------------------------------------------------------------------------- markets


def decode_market(entry: Json, coins: Mapping[str, Json], settings: Json) -> Market:
    """One contract. `raw` has besides what orders are signed with: its quote coin under
    "quoteCoin", the venue's settings under "global".

    UNVERIFIED: that a contract of a thousand coins, 1000PEPE, calls its coin so.
    """
    quote = coins[entry["quoteCoinId"]]
    base = _base_of(entry["contractName"], quote["coinName"])
    coin, multiplier = coin_of(coins.get(entry["baseCoinId"], {}).get("coinName") or base)
    bands = (entry.get("maxOrderBuyPriceRatio"), entry.get("minOrderSellPriceRatio"))
    return Market(
        symbol=base + SYMBOL_QUOTE,
        coin=coin,
        quote=quote["coinName"],
        kind="perp",
        tick=Decimal(entry["tickSize"]),
        step=Decimal(entry["stepSize"]),
        min_size=Decimal(entry["minOrderSize"]),
        min_notional=None,
        max_size=nonzero(entry.get("maxOrderSize")),
        multiplier=multiplier,
        max_leverage=nonzero(entry.get("displayMaxLeverage")),
        significant_figures=None,
        price_band=min((Decimal(band) for band in bands if band), default=None),
        active=bool(entry["enableTrade"] and entry.get("enableOpenPosition", True)),
        raw={**entry, "quoteCoin": quote, "global": settings},
    )


def _base_of(name: str, quote: str) -> str:
    """BTCUSDC is BTC, and so is BTCUSD, whatever the collateral is called."""
    suffix = next((word for word in (quote, *_QUOTES) if name.endswith(word)), "")
    return name.removesuffix(suffix) or name


def is_test(entry: Json) -> bool:
    return "TEMP" in entry["contractName"]


def unlike(markets: Iterable[Market]) -> list[Market]:
    """Each with a symbol of its own: of two for one coin the one that trades comes first, and the
    other is called as the venue calls it."""
    found: dict[str, Market] = {}
    for market in sorted(markets, key=lambda market: not market["active"]):
        names = (market["symbol"], market["raw"]["contractName"], market["raw"]["contractId"])
        symbol = next(name for name in names if name not in found)
        found[symbol] = Market(**{**market, "symbol": symbol})
    return list(found.values())


# --------------------------------------------------------------------------- orders and fills


def decode_order(entry: Json, markets: MarketList) -> Order:
    """What was executed outranks how the end is called."""
    size, filled = Decimal(entry["size"]), Decimal(entry.get("cumMatchSize") or 0)
    force, reason = entry["timeInForce"], _reason(entry)
    at_market = "MARKET" in entry["type"]
    return Order(
        id=str(entry["id"]),
        client_order_id=entry.get("clientOrderId") or None,
        symbol=markets.symbol_of(entry["contractId"]),
        side=known(SIDES, entry["side"], "side", VENUE),
        type="market" if at_market else "limit",
        price=None if at_market else Decimal(entry["price"]),
        size=size,
        filled=filled,
        average_price=Decimal(entry["cumMatchValue"]) / filled if filled else None,
        status=_status(entry["status"], reason, size, filled),
        time_in_force=known(TIMES_IN_FORCE, force, "time in force", VENUE),
        post_only=force == POST_ONLY,
        reduce_only=bool(entry.get("reduceOnly")),
        reason=reason,
        timestamp_ms=time_ms(entry),
        raw=entry,
    )


def _reason(entry: Json) -> str:
    reason = entry.get("cancelReason") or _NO_REASON
    if reason == _UNFILLED and entry["timeInForce"] == POST_ONLY:
        return _CROSSED
    return "" if reason == _NO_REASON else str(reason)


def _status(word: str, reason: str, size: Decimal, filled: Decimal) -> OrderStatus:
    status = known(STATUSES, word, "order status", VENUE)
    if not status.terminal:
        return status
    if 0 < size <= filled:
        return OrderStatus.FILLED
    if reason == _EXPIRED:
        return OrderStatus.EXPIRED
    return OrderStatus.REJECTED if not filled and reason in REASONS else status


def time_ms(entry: Json) -> int | None:
    """When it changed last."""
    told = entry.get("updatedTime")
    return int(told) if told else None


def decode_fill(entry: Json, markets: MarketList) -> Fill:
    """One execution. Its fee is positive when paid."""
    symbol = markets.symbol_of(entry["contractId"])
    return Fill(
        id=str(entry["id"]),
        order_id=str(entry["orderId"]),
        client_order_id=None,
        symbol=symbol,
        side=known(SIDES, entry["orderSide"], "side", VENUE),
        price=Decimal(entry["fillPrice"]),
        size=Decimal(entry["fillSize"]),
        fee=Decimal(entry["fillFee"]),
        fee_asset=_quote_of(symbol, markets),
        liquidity=known(LIQUIDITY, entry["direction"], "liquidity", VENUE),
        timestamp_ms=int(entry["matchTime"]),
        raw=entry,
    )


def _quote_of(symbol: str, markets: MarketList) -> str:
    """ "" for a market that is not listed any more."""
    try:
        return markets[symbol]["quote"]
    except UnknownSymbol:
        return ""


# --------------------------------------------------------------------------- the account


def decode_positions(account: Json, markets: MarketList) -> list[Position]:
    """The open ones of an account with all its assets."""
    assets = {entry["contractId"]: entry for entry in account.get("positionAssetList") or ()}
    decoded = (
        decode_position(entry, markets, assets.get(entry["contractId"], {}))
        for entry in account["positionList"]
    )
    return [position for position in decoded if position is not None]


def decode_position(entry: Json, markets: MarketList, asset: Json) -> Position | None:
    """None: it is closed. `asset`: its worth, which streams do not tell."""
    size = Decimal(entry["openSize"])
    if not size:
        return None
    entry_price = nonzero(asset.get("avgEntryPrice"))
    worth = nonzero(asset.get("positionValue"))
    pnl = asset.get("unrealizePnl")
    return Position(
        symbol=markets.symbol_of(entry["contractId"]),
        side="long" if size > 0 else "short",
        size=abs(size),
        entry_price=abs(Decimal(entry["openValue"]) / size) if entry_price is None else entry_price,
        mark_price=None if worth is None else abs(worth / size),
        unrealized_pnl=None if pnl is None else Decimal(pnl),
        liquidation_price=nonzero(asset.get("liquidatePrice")),
        leverage=nonzero(asset.get("maxLeverage")),
        raw={**asset, **entry},
    )


def settings_of(account: Json, market: Market, switch: str) -> tuple[Json, ...]:
    """Trade settings that are in force for a market, its own before the account's.

    Args:
        switch: the field that says whether a setting is set.
    """
    own = (account.get("contractIdToTradeSetting") or {}).get(market["raw"]["contractId"])
    both: Sequence[Json] = (own, account.get("defaultTradeSetting"))
    return tuple(setting for setting in both if setting and setting.get(switch))


# --------------------------------------------------------------------------- errors

# HTTP status, or the code -> ours.
ERRORS: Final[Mapping[int | str, type[Exception]]] = {
    401: AuthError,
    403: AuthError,
    429: RateLimited,
    "INVALID_CONTRACT_ID": SymbolRefused,
    # What became of an order that was to be canceled.
    "FAILED_ORDER_NOT_FOUND": OrderNotFound,
    "FAILED_ORDER_FILLED": OrderNotFound,
}
# Words of codes and sentences. The first that fits counts, so the narrow ones come first.
_BY_WORD: Final[tuple[tuple[str, type[VenueError]], ...]] = (
    ("RATE LIMIT", RateLimited),
    ("TOO MANY REQ", RateLimited),
    ("TOO FREQUENT", RateLimited),
    ("FREQUENCY", RateLimited),
    ("PER MINUTE", RateLimited),
    ("SIGNATURE", AuthError),
    ("API KEY", AuthError),
    ("APIKEY", AuthError),
    ("PASSPHRASE", AuthError),
    ("TIMESTAMP", AuthError),
    ("SIGNER", AuthError),
    ("AUTH", AuthError),
    ("PERMISSION", AuthError),
    ("FORBIDDEN", AuthError),
    ("ACCESS DENIED", AuthError),
    ("WHITELIST", AuthError),
    ("NOT LOGIN", AuthError),
    ("DUPLICATE", DuplicateClientId),
    ("ALREADY EXIST", DuplicateClientId),
    ("NONCE", NonceRefused),
    ("POST ONLY", PostOnlyWouldCross),
    ("REDUCE", ReduceOnlyRefused),
    ("MAX POSITION", LimitReached),
    ("POSITION SIZE", LimitReached),
    ("POSITION LIMIT", LimitReached),
    ("RISK LIMIT", LimitReached),
    ("OPEN INTEREST", LimitReached),
    ("MAX ORDER SIZE", LimitReached),
    ("MAX ORDER NUM", LimitReached),
    ("ORDER COUNT", LimitReached),
    ("TOO LARGE", LimitReached),
    ("TOO MANY", LimitReached),
    ("MARGIN", InsufficientMargin),
    ("COLLATERAL", InsufficientMargin),
    ("BALANCE", InsufficientMargin),
    ("NOT ENOUGH", InsufficientMargin),
    ("INSUFFICIENT", InsufficientMargin),
    ("PRICE RATIO", PriceOutOfBand),
    ("PRICE LIMIT", PriceOutOfBand),
    ("PRICE RANGE", PriceOutOfBand),
    ("PRICE OUT", PriceOutOfBand),
    ("BUY PRICE", PriceOutOfBand),
    ("SELL PRICE", PriceOutOfBand),
    ("ORACLE", PriceOutOfBand),
    ("DEVIAT", PriceOutOfBand),
    ("BAND", PriceOutOfBand),
    ("PRICE TOO", PriceOutOfBand),
    ("TICK", PrecisionRefused),
    ("STEP", PrecisionRefused),
    ("PRECISION", PrecisionRefused),
    ("MULTIPLE", PrecisionRefused),
    ("MIN ORDER SIZE", PrecisionRefused),
    ("MINIMUM", PrecisionRefused),
    ("TOO SMALL", PrecisionRefused),
    ("ORDER SIZE", PrecisionRefused),
    ("INVALID SIZE", PrecisionRefused),
    ("INVALID PRICE", PrecisionRefused),
    ("DISABLED", MarketUnavailable),
    ("NOT ENABLE", MarketUnavailable),
    ("ENABLE TRADE", MarketUnavailable),
    ("ENABLE OPEN", MarketUnavailable),
    ("NOT TRADABLE", MarketUnavailable),
    ("SUSPEND", MarketUnavailable),
    ("PAUSE", MarketUnavailable),
    ("HALT", MarketUnavailable),
    ("MAINTENANCE", MarketUnavailable),
    ("CLOSED", MarketUnavailable),
    ("NOT OPEN", MarketUnavailable),
    ("CONTRACT", SymbolRefused),
)
# Said by the venue, and yet nobody knows what became of it.
_UNDECIDED: Final = ("INTERNAL", "SYSTEM ERROR", "SYSTEM BUSY", "TIMEOUT", "TIME OUT", "UNKNOWN")
_MISSING: Final = ("ORDER NOT FOUND", "ORDER NOT EXIST", "ORDER ID NOT")


def error_of(answer: Json, status: int, request: Request) -> MpdexError:
    """The failure that an answer is, by its code, then its sentence, then the status."""
    fields = answer if isinstance(answer, dict) else {}
    told = fields.get("code")
    code, message = str(told or status), str(fields.get("msg") or told or answer)[:300]
    says = isinstance(told, str) and told  # a number is no code of the venue's
    kind = _kind(code, message, status, request) if says or status >= 400 else None
    if kind is None:
        unclear = OutcomeUnknown if request.command else TransportError
        return unclear(f"{code}: {message}", venue=VENUE, raw=answer, request=str(request))
    return kind(message, venue=VENUE, raw=answer, code=code, request=str(request))


def cancel_error(answer: Json, request: Request) -> MpdexError | None:
    """What the answer says of the one order that was to be canceled; None: it will be, or is."""
    return _of_cancel(next(iter(_canceled(answer)), "no result"), answer, request)


def cancel_all_error(answer: Json, request: Request) -> MpdexError | None:
    """The first order of which nobody knows what became; None: none is left open."""
    errors = (_of_cancel(result, answer, request) for result in _canceled(answer))
    return next((error for error in errors if isinstance(error, OutcomeUnknown)), None)


def _canceled(answer: Json) -> list[str]:
    data = answer.get("data")
    results = data.get("cancelResultMap") if isinstance(data, dict) else None
    return [str(result) for result in results.values()] if isinstance(results, dict) else []


def _of_cancel(result: str, answer: Json, request: Request) -> MpdexError | None:
    if result.startswith(SUCCESS):
        return None
    if ERRORS.get(result) is OrderNotFound:
        sentence = "it is not open"
        return OrderNotFound(sentence, venue=VENUE, raw=answer, code=result, request=str(request))
    return OutcomeUnknown(result, venue=VENUE, raw=answer, request=str(request))


def _kind(code: str, message: str, status: int, request: Request) -> type[VenueError] | None:
    """None: the venue itself does not know."""
    known_kind = ERRORS.get(code)
    if known_kind is None:
        words = [text.upper().replace("_", " ") for text in (code, message)]
        if any(word in words[0] for word in _UNDECIDED):
            return None
        known_kind = next((kind for text in words for kind in _worded(text)), None)
    known_kind = known_kind or ERRORS.get(status)
    if known_kind is None or not issubclass(known_kind, VenueError):
        known_kind = OrderRejected
    if known_kind is OrderRejected and status == 404 and not request.command:
        return OrderNotFound
    if request.command or not issubclass(known_kind, OrderRejected):
        return known_kind
    return VenueError


def _worded(text: str) -> tuple[type[VenueError], ...]:
    if any(word in text for word in _MISSING):
        return (OrderNotFound,)
    return tuple(kind for word, kind in _BY_WORD if word in text)[:1]

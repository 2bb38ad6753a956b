"""TreadFi's words: the calls of its page and of its API, its parent orders, and what it refuses.

An order given to TreadFi is a parent: it stands in TreadFi's own table under a UUID, and its engine
sends children to the venue beneath, under ids of its own. Two ways lead in. A browser's session
speaks as the web page does, which is nowhere documented; a token speaks to the documented API. Both
place orders by the same call and read the same table.

Sources: docs.tread.fi, "Core Order API", "Simple Orders", "Type Reference"; taas-api-client 1.2.9;
the web page's calls as public clients of February 2026 make them; read 2026-11-21. UNVERIFIED, as
no live answer is public: that rows of the page's order table have the fields of the documented
order object (`status`, `executed_qty`), and that a session may read what the API documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

import msgspec

from mpdex.errors import (
    AuthError,
    InsufficientMargin,
    LimitReached,
    MarketUnavailable,
    MpdexError,
    OrderNotFound,
    OrderRejected,
    PrecisionRefused,
    PriceOutOfBand,
    ProtocolError,
    RateLimited,
    ReduceOnlyRefused,
    SessionEnded,
    SymbolRefused,
    Unsupported,
    VenueError,
)
from mpdex.types import (
    Fill,
    Json,
    Lane,
    Limit,
    Order,
    OrderRequest,
    OrderStatus,
    Request,
    Side,
    TimeInForce,
)
from mpdex.utils.precision import plain
from mpdex.utils.translation import checked
from mpdex.utils.wire_words import known

FAMILY: Final = "treadfi"
APP: Final = "app"  # key of its endpoint, and scope of its limit
ORIGIN: Final = "https://app.tread.fi"
# A wall in front of the page looks for a browser.
BROWSER: Final[Mapping[str, str]] = {
    "Origin": ORIGIN,
    "Referer": f"{ORIGIN}/",
    "User-Agent": "Mozilla/5.0",
}
# No limit is documented. UNVERIFIED: that three a second are always let through. They may come at
# once, as a hedge needs an order for each part of a fill, and answers about it.
LIMITS: Final[Mapping[str, Limit]] = {APP: Limit(15, 5.0)}

NONCE: Final = "/internal/account/get_nonce/"
AUTH: Final = "/internal/account/wallet_auth/"
METADATA: Final = "/internal/account/user_metadata/"
BALANCE: Final = "/internal/sor/get_cached_account_balance"
ORDERS: Final = "/api/orders/"
SUMMARY: Final = "/api/order_summary/"
TABLE: Final = "/internal/ems/get_order_table_rows"

LIMIT_STRATEGY: Final = "c94f84c7-72ef-4bc6-b13c-d2ff10bbd8eb"
MARKET_STRATEGY: Final = "847de9f1-8310-4a79-b76e-8559cdfe7b81"
_STRATEGY_IDS: Final = {"Limit": LIMIT_STRATEGY, "Market": MARKET_STRATEGY}
DAY: Final = 86_400  # seconds that a parent is worked at most
PAGE: Final = 100  # rows asked for
LIVE: Final = "SCHEDULED,ACTIVE,FINISHER,PAUSED"
ENDED: Final = "COMPLETE,CANCELED"

Number = Callable[[Decimal], Json]  # how a venue's page writes a quantity or a price
checked_here = checked(FAMILY)


def as_number(value: Decimal) -> Json:
    """A JSON number with exactly these digits."""
    return msgspec.Raw(plain(value).encode())


# --------------------------------------------------------------------------- two ways in


class Route(Protocol):
    """What differs between the page and the API."""

    def order(self, order: OrderRequest) -> Json: ...

    def cancel(self, order_id: str) -> Request: ...

    def open_orders(self, pair: str) -> Request: ...

    def account(self) -> Request: ...

    def leverage(self, account_id: str, pair: str, leverage: int, mode: str) -> Request: ...


class SessionRoute:
    """As the page does it.

    Args:
        account: its name at TreadFi.
        number: the page of one venue sends JSON numbers, that of another text.
        named: strategies that it takes by their names, besides limit and market orders by ids.
    """

    def __init__(self, account: str, number: Number, named: frozenset[str] = frozenset()) -> None:
        self._account = account
        self._number = number
        self._named = named

    def order(self, order: OrderRequest) -> Json:
        """Raises: Unsupported for a strategy that it does not take."""
        strategy = strategy_of(order)
        if strategy not in _STRATEGY_IDS and strategy not in self._named:
            raise Unsupported(f"{strategy.lower()} is not offered here", venue=FAMILY)
        body: dict[str, Json] = {
            "accounts": [self._account],
            "base_asset_qty": self._number(order.size),
            "pair": order.symbol,
            "side": order.side,
            "strategy": _STRATEGY_IDS.get(strategy, strategy),
            "strategy_params": {
                "reduce_only": order.reduce_only,
                "ool_pause": strategy == "Limit",
                "entry": False,
                "max_clip_size": None,
            },
            "duration": DAY,
            "engine_passiveness": 0.02,
            "schedule_discretion": 0.06,
            "order_slices": 2,
            "alpha_tilt": 0,
        }
        if order.price is not None:
            body["limit_price"] = self._number(order.price)
        return body

    def cancel(self, order_id: str) -> Request:
        return command("POST", f"/internal/oms/cancel_order/{order_id}", {}, Lane.CANCEL)

    def open_orders(self, pair: str, page_size: int = PAGE) -> Request:
        query = {
            "status": "ACTIVE",
            "type": "",
            "page_size": str(page_size),
            "market_type": "spot,perp,future",
            "market_type_filter_exception": "true",
        }
        return read(TABLE, {**query, "pair": pair} if pair else query)

    def account(self) -> Request:
        return read(BALANCE, {"account_names": in_query(self._account)})

    def leverage(self, account_id: str, pair: str, leverage: int, mode: str) -> Request:
        body = {
            "account_ids": [account_id],
            "margin_mode": mode.upper(),
            "pair": pair,
            "leverage": leverage,
        }
        return command("POST", "/internal/sor/set_leverage", body)


class TokenRoute:
    """As the documented API has it: strategies by name, and a client id."""

    def __init__(self, account: str) -> None:
        self._account = account

    def order(self, order: OrderRequest, duration: int = DAY) -> Json:
        body: dict[str, Json] = {
            "accounts": [self._account],
            "pair": order.symbol,
            "side": order.side,
            "strategy": strategy_of(order),
            "duration": duration,
            "base_asset_qty": as_number(order.size),
            "strategy_params": {"reduce_only": order.reduce_only},
        }
        if order.price is not None:
            body["limit_price"] = as_number(order.price)
        if order.client_id:
            body["custom_order_id"] = order.client_id
        return body

    def cancel(self, order_id: str) -> Request:
        return command("DELETE", f"/api/order/{order_id}", None, Lane.CANCEL)

    def open_orders(self, pair: str) -> Request:
        """Of every pair: there is no filter."""
        return listed(self._account, statuses=LIVE)

    def account(self) -> Request:
        return read("/api/accounts/", {})

    def leverage(self, account_id: str, pair: str, leverage: int, mode: str) -> Request:
        body = {"account_ids": [account_id], "pair": pair, "leverage": str(leverage)}
        return command("POST", "/api/set_leverage/", body)


def strategy_of(order: OrderRequest) -> str:
    """Its name in the documentation."""
    if order.price is None:
        return "Market"
    return "IOC" if order.time_in_force is TimeInForce.IOC else "Limit"


# --------------------------------------------------------------------------- requests


def read(path: str, query: Mapping[str, str]) -> Request:
    return Request("GET", path, query=query or None, host=APP, signed=True, scope=APP)


def command(method: str, path: str, body: Json, lane: Lane = Lane.QUERY) -> Request:
    return Request(
        method, path, json=body, host=APP, signed=True, scope=APP, lane=lane, command=True
    )


def listed(account: str, **query: str) -> Request:
    """A page of the account's parents."""
    cut = {"page": "1", "page_size": str(PAGE)}
    return read(ORDERS, {"account_names": in_query(account), **cut, **query})


def iso(time_ms: int) -> str:
    """As times are written there, ready for a query."""
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return text.replace(":", "%3A")


def in_query(text: str) -> str:
    """As a query has a user's own words."""
    from urllib.parse import quote  # here: it is slow to import, and most of this needs it not

    return quote(text, safe="")


# --------------------------------------------------------------------------- orders

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STATUSES: Final[Mapping[str, OrderStatus]] = {
    "SUBMITTED": OrderStatus.PENDING,
    "SCHEDULED": OrderStatus.PENDING,
    "ACTIVE": OrderStatus.OPEN,
    "FINISHER": OrderStatus.OPEN,  # its last part is being executed
    "PAUSED": OrderStatus.OPEN,
    "COMPLETE": OrderStatus.FILLED,
    "COMPLETED": OrderStatus.FILLED,  # an example of the docs spells it so
    "CANCELED": OrderStatus.CANCELED,
}
_SIDES: Final[Mapping[str, Side]] = {"buy": "buy", "sell": "sell"}
_AT_ONCE: Final = frozenset({"Market", "IOC", MARKET_STRATEGY})


@checked_here
def decode_order(row: Json, client_id: str | None) -> Order:
    """A parent. Its filled size is what TreadFi has counted of its children so far.

    Args:
        client_id: ours, where the row does not have it.

    Raises: ProtocolError for a status that is not known, or without an executed size.
    """
    size, filled = Decimal(row["target_order_qty"]), Decimal(row["executed_qty"])
    price = amount(row.get("limit_price"))
    reason = row.get("failure_reason") or ""
    strategy = str(row.get("super_strategy") or row.get("strategy") or "")
    return Order(
        id=row["id"],
        client_order_id=row.get("custom_order_id") or client_id,
        symbol=row["pair"],
        side=_SIDES[row["side"]],
        type="market" if price is None else "limit",
        price=price,
        size=size,
        filled=filled,
        average_price=average_of(row) if filled else None,
        status=status_of(row["status"], size, filled, reason),
        time_in_force=TimeInForce.IOC if price is None or strategy in _AT_ONCE else TimeInForce.GTC,
        post_only=False,
        reduce_only=bool((row.get("strategy_params") or {}).get("reduce_only")),
        reason=reason,
        timestamp_ms=created_ms(row),
        raw=row,
    )


def status_of(word: str, size: Decimal, filled: Decimal, reason: str = "") -> OrderStatus:
    """Ours for TreadFi's word; of an ended parent the executed size says what became of it.

    Raises: ProtocolError for a word that is not known.
    """
    status = known(_STATUSES, word, "order status", FAMILY)
    if not status.terminal:
        return status
    if filled >= size > 0:
        return OrderStatus.FILLED
    return OrderStatus.REJECTED if reason and not filled else OrderStatus.CANCELED


def decode_fill(row: Json, client_id: str | None) -> Fill:
    """All that an ended parent executed, as one fill at its average price.

    The children's own executions bear ids that name no parent. As its time stands when the row was
    last changed, where that is told. UNVERIFIED: that `total_fee` is in the quote currency and
    positive when paid. It may have made some of it; it is called taker, the dearer of the two.
    """
    order = decode_order(row, client_id)
    average = order["average_price"]
    if average is None:
        raise ProtocolError("an execution without a price", venue=FAMILY, raw=row)
    return Fill(
        id=order["id"],
        order_id=order["id"],
        client_order_id=order["client_order_id"],
        symbol=order["symbol"],
        side=order["side"],
        price=average,
        size=order["filled"],
        fee=amount(row.get("total_fee")),
        fee_asset=order["symbol"].rpartition("-")[2],
        liquidity="taker",
        timestamp_ms=_ms(row.get("updated_at") or row["created_at"]),
        raw=row,
    )


def rows_of(answer: Json, account: str) -> list[Json]:
    """The account's rows of a list; accounts are named where one may see several."""
    return [row for row in answer["orders"] if account in row.get("account_names", (account,))]


def amount(value: Json) -> Decimal | None:
    """A number that may be absent, which is also written -1."""
    if value is None or value == "":
        return None
    number = Decimal(value)
    return None if number < 0 else number


def average_of(row: Json) -> Decimal | None:
    """By its new name or by the one of 2023."""
    return amount(row.get("average_executed_price")) or amount(row.get("executed_price"))


def created_ms(row: Json) -> int | None:
    text = row.get("created_at") or row.get("time_start")
    return None if text is None else _ms(text)


def _ms(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)


# --------------------------------------------------------------------------- refusals

CANCELED: Final = "Successfully canceled order."
LEVERAGE_SET: Final = "Leverage changed successfully."
# Exactly these are successes; anything else in their place is a failure text.
_SAID: Final = (("/cancel_order/", CANCELED), ("/internal/sor/set_leverage", LEVERAGE_SET))
_CSRF: Final = "CSRF verification failed"
ERRORS: Final[Mapping[int | str, type[Exception]]] = {
    401: SessionEnded,
    403: SessionEnded,
    404: OrderNotFound,
    429: RateLimited,
}
# No list of texts is public: these are words that Django, TreadFi or the venue beneath would have
# to use to say it. UNVERIFIED, each of them.
_BY_WORDS: Final[tuple[tuple[str, type[VenueError]], ...]] = (
    ("throttled", RateLimited),
    ("too many requests", RateLimited),
    ("insufficient", InsufficientMargin),
    ("margin", InsufficientMargin),
    ("reduce", ReduceOnlyRefused),
    ("too far", PriceOutOfBand),
    ("away from", PriceOutOfBand),
    ("outside", PriceOutOfBand),
    ("minimum", PrecisionRefused),
    ("too small", PrecisionRefused),
    ("too low", PrecisionRefused),
    ("precision", PrecisionRefused),
    ("decimal", PrecisionRefused),
    ("tick", PrecisionRefused),
    ("step", PrecisionRefused),
    ("lot size", PrecisionRefused),
    ("open interest", LimitReached),
    ("maximum", LimitReached),
    ("exceed", LimitReached),
    ("pair", SymbolRefused),
    ("symbol", SymbolRefused),
    ("halt", MarketUnavailable),
    ("suspended", MarketUnavailable),
    ("maintenance", MarketUnavailable),
    ("not available", MarketUnavailable),
)
# Django's words to somebody whom it knows.
_FORBIDDEN: Final = "do not have permission"
_GONE: Final = ("not found", "already", "not active", "does not exist")


def failure_of(
    status: int, answer: Json, request: Request, venue: str, *, renews: bool = True
) -> MpdexError | None:
    """The failure that an answer is; a refusal of the page may hide in a 200.

    Args:
        renews: a session that has ended can be had anew; a token cannot.
    """
    text = text_of(answer)
    if status < 400 and not _failed(answer, text, request):
        return None
    kind = _kind(status, text.lower(), request)
    if kind is SessionEnded and not renews:
        kind = AuthError
    detail = text[:300] or f"HTTP {status}"
    return kind(detail, venue=venue, raw=answer, code=str(status), request=str(request))


def page_failure(status: int, text: str, request: Request, venue: str) -> MpdexError | None:
    """Django refuses a session without its proof by a page."""
    if status == 403 and _CSRF in text:
        return SessionEnded(_CSRF, venue=venue, raw=_CSRF, code="403", request=str(request))
    return None


def classify_reason(reason: str) -> type[VenueError] | None:
    """The refusal that a `failure_reason` tells of; None: an ordinary end, or unknown words."""
    words = reason.lower()
    return next((kind for word, kind in _BY_WORDS if word in words), None)


def text_of(answer: Json) -> str:
    """What an answer says, in the order in which the page looks for it."""
    match answer:
        case str():
            return answer
        case {"error": said} | {"message": said} | {"detail": said} if said:
            return str(said)
        case {"errors": [*several]} if several:
            return "; ".join(map(str, several))
        case dict():
            told = {name: value for name, value in answer.items() if isinstance(value, list)}
            return "; ".join(f"{name}: {value[0]}" for name, value in told.items() if value)
    return ""


def _failed(answer: Json, text: str, request: Request) -> bool:
    for part, success in _SAID:
        if part in request.path:
            return text != success
    return isinstance(answer, dict) and bool(answer.get("error") or answer.get("errors"))


def _kind(status: int, words: str, request: Request) -> type[VenueError]:
    known = ERRORS.get(status)
    if status == 403 and _FORBIDDEN in words:
        return AuthError
    if status in (401, 403, 429) and known is not None:
        assert issubclass(known, VenueError)
        return known
    if request.lane is Lane.CANCEL:
        gone = status == 404 or any(word in words for word in _GONE)
        return OrderNotFound if gone else VenueError
    if status == 404:
        return OrderNotFound
    if request.path != ORDERS or not request.command:
        return VenueError
    return next((kind for word, kind in _BY_WORDS if word in words), OrderRejected)

"""Backpack, REST: perpetuals and spot of one account, all settled in USDC.

The answer to an order is synchronous and final for its moment. An ended order is in the history
only, which may lag behind the book and cannot be filtered by client id.

Source: docs.backpack.exchange (API of 2025-11-12); read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mpdex.errors import (
    AuthError,
    BadOrder,
    InsufficientMargin,
    MarketUnavailable,
    MissingCredentials,
    MpdexError,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    PostOnlyWouldCross,
    PriceOutOfBand,
    RateLimited,
    ReduceOnlyRefused,
    TransportError,
    Unsupported,
    VenueError,
)
from mpdex.types import (
    BookUpdate,
    CancelRequest,
    ClientIdForm,
    Collateral,
    Fees,
    Fill,
    FundingRate,
    Json,
    Lane,
    LeverageInfo,
    Limit,
    Market,
    MarketKind,
    Order,
    OrderRequest,
    Position,
    Request,
    TimeInForce,
    VenueSpec,
)
from mpdex.utils.precision import plain
from mpdex.utils.translation import FillPage
from mpdex.utils.translation import checked as _checked
from multi_perp_dex import MultiPerpDex, MultiPerpDexMixin
from wrappers.backpack_auth import VENUE, WINDOW_MS, BackpackAuth
from wrappers.backpack_wire import average, side_of, status_of

if TYPE_CHECKING:
    from wrappers.venue_stream import VenueStream

checked = _checked(VENUE)

_ORDER: Final = "/api/v1/order"
_ORDERS: Final = "/api/v1/orders"
_POSITION: Final = "/api/v1/position"
_ACCOUNT: Final = "/api/v1/account"
_HISTORY: Final = "/wapi/v1/history/orders"
_FILLS: Final = "/wapi/v1/history/fills"

_KINDS: Final[Mapping[str, MarketKind]] = {"PERP": "perp", "SPOT": "spot"}
_DEPTHS: Final = (5, 10, 20, 50, 100, 500, 1000)
_PAGE: Final = 1000  # the most that one page of history may hold
_RECENT: Final = 100  # where an order without an id is looked for: the venue's default page
_BASIS_POINT: Final = Decimal("0.0001")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# Said with a 4xx too, and yet nobody knows what became of the command.
_UNDECIDED: Final = frozenset({"SERVICE_UNAVAILABLE", "SERVER_ERROR", "TIMEOUT"})
# One code covers several reasons; the wording may change, so it is matched loosely.
_AMBIGUOUS: Final = frozenset({"INVALID_ORDER", "INVALID_PRICE", "INVALID_CLIENT_REQUEST"})
_BY_MESSAGE: Final[tuple[tuple[str, type[VenueError]], ...]] = (
    ("immediately match", PostOnlyWouldCross),
    ("too far from", PriceOutOfBand),
    ("price band", PriceOutOfBand),
    ("reduce", ReduceOnlyRefused),
    ("signature", AuthError),
    ("timestamp", AuthError),
    ("request has expired", AuthError),
)


class BackpackExchange(MultiPerpDexMixin, MultiPerpDex):
    """Backpack, perpetuals and spot.

    Args:
        window_ms: how long after its time stamp the venue still takes a request; an order command
            keeps to SPEC.request_bound_ms if that is shorter.
        options: those of `MultiPerpDexMixin`, `api_key` and `secret_key` among them.

    Raises: UsageError if the keys are malformed or do not belong together.
    """

    SPEC = VenueSpec(
        name=VENUE,
        endpoints={"rest": "https://api.backpack.exchange", "ws": "wss://ws.backpack.exchange"},
        credentials=("api_key", "secret_key"),
        supports=frozenset(
            {
                "post_only",
                "reduce_only",
                "market",
                "ioc",
                "fok",
                "slippage_bps",
                "spot",
                "client_order_id",
            }
        ),
        limits={"default": Limit(2000, 60.0)},  # support FAQ, per account
        errors={
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
            "INVALID_PRICE": OrderRejected,
            "INVALID_QUANTITY": OrderRejected,
            "ORDER_LIMIT": OrderRejected,
            "POSITION_LIMIT": OrderRejected,
            "PRECONDITION_FAILED": OrderRejected,
            "INSUFFICIENT_MARGIN": InsufficientMargin,
            "INSUFFICIENT_FUNDS": InsufficientMargin,
            "MAX_LEVERAGE_REACHED": InsufficientMargin,
            "ACCOUNT_LIQUIDATING": MarketUnavailable,
            "INVALID_SYMBOL": MarketUnavailable,
            "INVALID_MARKET": MarketUnavailable,
            "MAINTENANCE": MarketUnavailable,
            "TRADING_PAUSED": MarketUnavailable,
            "TOO_EARLY": MarketUnavailable,
        },
        order_route="rest",
        client_id=ClientIdForm(1, 2**32 - 1),
        request_bound_ms=WINDOW_MS,
    )
    BOOK_SNAPSHOT = "rest"

    @classmethod
    def streams(cls) -> tuple[type[VenueStream], ...]:
        from wrappers.backpack_ws_client import BackpackAccountClient, BackpackWSClient

        return BackpackWSClient, BackpackAccountClient

    def __init__(self, *, window_ms: int = WINDOW_MS, **options: Any) -> None:
        super().__init__(**options)
        self._auth: BackpackAuth | None = None
        if not self.read_only:
            api_key, secret_key = self.keys["api_key"], self.keys["secret_key"]
            self._auth = BackpackAuth(api_key, secret_key, window_ms)
            bounded = min(window_ms, self.SPEC.request_bound_ms or window_ms)
            self._order_auth = BackpackAuth(api_key, secret_key, bounded)

    # ----------------------------------------------------------------- identity and errors

    def sign(self, request: Request, now_ms: int) -> Request:
        if not request.signed:
            return request
        if self._auth is None:
            raise MissingCredentials(f"{request} needs keys; opened read-only", venue=VENUE)
        auth = self._order_auth if request.command else self._auth
        return auth.sign(request, now_ms)

    def decode_error(self, status: int, answer: Json, request: Request) -> MpdexError | None:
        if status < 400 or _is_flat(status, request):
            return None
        fields = answer if isinstance(answer, dict) else {}
        code = str(fields.get("code", status))
        message = str(fields.get("message") or answer or f"HTTP {status}")[:300]
        if status >= 500 or code in _UNDECIDED:
            unclear = OutcomeUnknown if request.command else TransportError
            return unclear(f"{code}: {message}", venue=VENUE, raw=answer, request=str(request))
        kind = self._refusal(status, code, message.lower(), request)
        return kind(message, venue=VENUE, raw=answer, code=code, request=str(request))

    def _refusal(self, status: int, code: str, message: str, request: Request) -> type[VenueError]:
        if code in _AMBIGUOUS:
            for words, kind in _BY_MESSAGE:
                if words in message:
                    return kind
        if code == "RESOURCE_NOT_FOUND" and request.path != _ORDER:
            return VenueError
        known = self.SPEC.errors.get(code) or self.SPEC.errors.get(status)
        if known is not None and issubclass(known, VenueError):
            return known
        return OrderRejected if request.command else VenueError

    # ----------------------------------------------------------------- markets

    def encode_markets(self) -> list[Request]:
        return [Request("GET", "/api/v1/markets")]

    @checked
    def decode_markets(self, answers: Sequence[Json]) -> list[Market]:
        """Perpetuals and spot; other kinds (predictions, dated futures) are left out."""
        return [_market(entry) for entry in answers[0] if entry["marketType"] in _KINDS]

    def encode_mark(self, market: Market) -> Request:
        """A spot market has no mark price; its last trade stands in."""
        path = "/api/v1/markPrices" if market["kind"] == "perp" else "/api/v1/ticker"
        return Request("GET", path, query={"symbol": market["symbol"]})

    @checked
    def decode_mark(self, answer: Json, market: Market) -> Decimal:
        if market["kind"] == "spot":
            return Decimal(answer["lastPrice"])
        return Decimal(_of_symbol(answer, market)["markPrice"])

    def encode_book(self, market: Market, depth: int) -> Request:
        limit = next((offered for offered in _DEPTHS if offered >= depth), _DEPTHS[-1])
        query = {"symbol": market["symbol"], "limit": str(limit)}
        return Request("GET", "/api/v1/depth", query=query)

    @checked
    def decode_book(self, answer: Json, market: Market) -> BookUpdate:
        """Both sides ascend on the wire, so the best bid comes last there and first here."""
        last = int(answer["lastUpdateId"])  # seen as text and as number
        bids = [(price, size) for price, size in reversed(answer["bids"])]
        asks = [(price, size) for price, size in answer["asks"]]
        time_ms = int(answer["timestamp"]) // 1000  # microseconds
        return BookUpdate(market["symbol"], bids, asks, last, last, True, time_ms)

    def encode_funding_rate(self, market: Market) -> Request:
        _need_perp(market, "get_funding_rate")
        return self.encode_mark(market)

    @checked
    def decode_funding_rate(self, answer: Json, market: Market) -> FundingRate:
        entry = _of_symbol(answer, market)
        interval = market["raw"].get("fundingInterval")
        return FundingRate(
            symbol=market["symbol"],
            rate=Decimal(entry["fundingRate"]),
            interval_hours=None if interval is None else Decimal(interval) / 3_600_000,
            next_funding_ms=int(entry["nextFundingTimestamp"]),
            raw=entry,
        )

    # ----------------------------------------------------------------- orders

    def encode_order(self, order: OrderRequest, market: Market, now_ns: int) -> Request:
        """Raises: Unsupported, BadOrder for flags that the venue does not take together."""
        _check_flags(order, market)
        fields: dict[str, Json] = {}  # in the order of the signing text
        if order.client_id:
            fields["clientId"] = _client_id(order.client_id)
        fields["orderType"] = "Market" if order.price is None else "Limit"
        if order.post_only:
            fields["postOnly"] = True
        if order.price is not None:
            fields["price"] = plain(order.price)
        fields["quantity"] = plain(order.size)
        if order.reduce_only:
            fields["reduceOnly"] = True
        fields["side"] = "Bid" if order.side == "buy" else "Ask"
        if order.slippage_bps is not None:
            # UNVERIFIED: that "Percent" takes 0.5 for half a percent.
            fields["slippageTolerance"] = plain(order.slippage_bps.scaleb(-2))
            fields["slippageToleranceType"] = "Percent"
        fields["symbol"] = order.symbol
        if order.price is not None and not order.post_only:
            fields["timeInForce"] = order.time_in_force.value
        lane = Lane.QUOTE if order.time_in_force is TimeInForce.GTC else Lane.HEDGE
        return _command("POST", _ORDER, fields, lane)

    @checked
    def decode_order(self, answer: Json) -> Order:
        filled = Decimal(answer["executedQuantity"])
        size = _size(answer, filled)
        price = answer.get("price")
        market = answer["orderType"] == "Market"
        return Order(
            id=str(answer["id"]),
            client_order_id=_text(answer.get("clientId")),
            symbol=answer["symbol"],
            side=side_of(answer["side"]),
            type="market" if market else "limit",
            price=None if market or price is None else Decimal(price),
            size=size,
            filled=filled,
            average_price=average(filled, Decimal(answer["executedQuoteQuantity"])),
            status=status_of(answer["status"], size, filled),
            time_in_force=TimeInForce(answer["timeInForce"]),
            post_only=bool(answer.get("postOnly")),
            reduce_only=bool(answer.get("reduceOnly")),
            reason=answer.get("expiryReason") or "",
            timestamp_ms=_time_ms(answer["createdAt"]),
            raw=answer,
        )

    def encode_cancel(self, cancel: CancelRequest, market: Market) -> Request:
        return _command("DELETE", _ORDER, _which(cancel), Lane.CANCEL)

    def decode_cancel(self, answer: Json) -> Order | None:
        """None where the venue took the cancel (202) but has not done it yet."""
        if not isinstance(answer, dict) or "id" not in answer:
            return None
        order = self.decode_order(answer)
        return order if order["status"].terminal else None

    def encode_cancel_all(self, market: Market) -> Request:
        return _command("DELETE", _ORDERS, {"symbol": market["symbol"]}, Lane.CANCEL)

    def encode_order_queries(self, query: CancelRequest, market: Market) -> list[Request]:
        """The book shows an order only while it rests; then the history has it, after a while."""
        resting = {name: str(value) for name, value in _which(query).items()}
        return [
            _private(_ORDER, resting),
            self.encode_order_history(market, query.order_id, limit=_RECENT),
        ]

    def encode_order_history(
        self, market: Market | None, order_id: str = "", *, limit: int = _PAGE, offset: int = 0
    ) -> Request:
        """Orders that have ended, newest first; there is no filter by client id."""
        query = {"limit": str(limit), "offset": str(offset)}
        if market is not None:
            query["symbol"] = market["symbol"]
        if order_id:
            query["orderId"] = order_id
        return _private(_HISTORY, query)

    def decode_order_query(self, answer: Json, query: CancelRequest) -> Order | None:
        if not isinstance(answer, list):
            return self.decode_order(answer)
        return next((o for o in self.decode_orders(answer) if _matches(o, query)), None)

    def encode_open_orders(self, market: Market | None) -> Request:
        return _private(_ORDERS, _symbol_query(market))

    @checked
    def decode_orders(self, answer: Json) -> list[Order]:
        return [self.decode_order(entry) for entry in answer]

    def encode_fills(self, market: Market | None, since_ms: int, cursor: str | None) -> Request:
        """System fills (liquidation, ADL) included: they move the position like any other."""
        query = {"limit": str(_PAGE), "offset": cursor or "0", **_symbol_query(market)}
        if since_ms > 0:
            query["from"] = str(since_ms)
        return _private(_FILLS, query)

    @checked
    def decode_fills(self, answer: Json, cursor: str | None) -> FillPage:
        """A new fill in between shifts the pages, so that one may come twice, never be missed."""
        fills = [_fill(entry) for entry in answer]
        more = len(fills) >= _PAGE
        return FillPage(fills, str(int(cursor or 0) + len(fills)) if more else None)

    # ----------------------------------------------------------------- account

    def encode_positions(self, market: Market | None) -> Request:
        return _private(_POSITION, _symbol_query(market))

    @checked
    def decode_positions(self, answer: Json) -> list[Position]:
        if isinstance(answer, dict):  # 404 of a market without a position
            return []
        return [_position(entry) for entry in answer if Decimal(entry["netQuantity"])]

    def encode_collateral(self) -> Request:
        return _private("/api/v1/capital/collateral", {})

    @checked
    def decode_collateral(self, answer: Json) -> Collateral:
        pnl = answer.get("pnlUnrealized")
        return Collateral(
            total=Decimal(answer["netEquity"]),
            available=Decimal(answer["netEquityAvailable"]),
            unrealized_pnl=None if pnl is None else Decimal(pnl),
            currency="USDC",
            raw=answer,
        )

    def encode_balances(self) -> Request:
        return _private("/api/v1/capital", {})

    @checked
    def decode_balances(self, answer: Json) -> dict[str, Decimal]:
        """Asset -> what can be spent; lent or staked amounts are not in it."""
        return {asset: Decimal(entry["available"]) for asset, entry in answer.items()}

    def encode_leverage_info(self, market: Market) -> Request:
        _need_perp(market, "get_leverage_info")
        return _private(_ACCOUNT, {})

    @checked
    def decode_leverage_info(self, answer: Json, market: Market) -> LeverageInfo:
        """The limit of the account, which a market's own bound may cut further."""
        return LeverageInfo(
            symbol=market["symbol"],
            leverage=Decimal(answer["leverageLimit"]),
            max_leverage=market["max_leverage"],
            margin_mode="cross",
            raw=answer,
        )

    def encode_leverage(self, market: Market, leverage: Decimal, now_ns: int) -> Request:
        """Sets the limit of the whole account: the venue has none for one market."""
        _need_perp(market, "update_leverage")
        fields = {"leverageLimit": plain(leverage)}
        body = msgspec.json.encode(fields)
        return Request("PATCH", _ACCOUNT, json=fields, signed=True, body=body)

    def encode_fees(self, market: Market) -> Request:
        return _private(_ACCOUNT, {})

    @checked
    def decode_fees(self, answer: Json, market: Market) -> Fees:
        prefix = "futures" if market["kind"] == "perp" else "spot"
        return Fees(
            symbol=market["symbol"],
            maker=Decimal(answer[f"{prefix}MakerFee"]) * _BASIS_POINT,
            taker=Decimal(answer[f"{prefix}TakerFee"]) * _BASIS_POINT,
            assumed=False,
            raw=answer,
        )


def _private(path: str, query: dict[str, str]) -> Request:
    return Request("GET", path, query=query, signed=True)


def _command(method: str, path: str, fields: dict[str, Json], lane: Lane) -> Request:
    return Request(
        method,
        path,
        json=fields,
        signed=True,
        lane=lane,
        command=True,
        body=msgspec.json.encode(fields),
    )


def _symbol_query(market: Market | None) -> dict[str, str]:
    return {} if market is None else {"symbol": market["symbol"]}


def _which(order: CancelRequest) -> dict[str, Json]:
    """Exactly one of the two ids; the venue's own is preferred."""
    if order.order_id:
        return {"orderId": order.order_id, "symbol": order.symbol}
    return {"clientId": _client_id(order.client_id), "symbol": order.symbol}


def _matches(order: Order, query: CancelRequest) -> bool:
    if query.order_id:
        return order["id"] == query.order_id
    return order["client_order_id"] == query.client_id


def _client_id(text: str) -> int:
    form = BackpackExchange.SPEC.client_id
    if not (text.isdecimal() and form.low <= int(text) <= form.high):
        raise BadOrder(f"client id {text!r} is not a number up to {form.high}", venue=VENUE)
    return int(text)


def _check_flags(order: OrderRequest, market: Market) -> None:
    if order.post_only and (order.price is None or order.time_in_force is not TimeInForce.GTC):
        raise BadOrder("a post-only order is a GTC limit order", venue=VENUE)
    if order.reduce_only and market["kind"] != "perp":
        raise Unsupported("reduce_only exists for perpetuals only", venue=VENUE)
    if order.price is None and order.time_in_force is TimeInForce.FOK:
        raise Unsupported("a market order cannot be FOK; use a limit order", venue=VENUE)
    if order.price is not None and order.slippage_bps is not None:
        raise Unsupported("slippage_bps bounds market orders only", venue=VENUE)


def _need_perp(market: Market, call: str) -> None:
    if market["kind"] != "perp":
        raise Unsupported(f"{call}: {market['symbol']} is not a perpetual", venue=VENUE)


def _is_flat(status: int, request: Request) -> bool:
    return status == 404 and request.method == "GET" and request.path == _POSITION


def _market(entry: Json) -> Market:
    price, quantity = entry["filters"]["price"], entry["filters"]["quantity"]
    largest = quantity.get("maxQuantity")
    coin, multiplier = _coin(entry["baseSymbol"])
    margin = entry.get("imfFunction") or {}
    return Market(
        symbol=entry["symbol"],
        coin=coin,
        quote=entry["quoteSymbol"],
        kind=_KINDS[entry["marketType"]],
        tick=Decimal(price["tickSize"]),
        step=Decimal(quantity["stepSize"]),
        min_size=Decimal(quantity["minQuantity"]),
        min_notional=None,
        max_size=None if largest is None else Decimal(largest),
        multiplier=multiplier,
        max_leverage=1 / Decimal(margin["base"]) if margin else None,
        significant_figures=None,
        active=entry["orderBookState"] == "Open" and entry.get("visible", True),
        raw=entry,
    )


def _coin(base: str) -> tuple[str, Decimal]:
    """Small coins are traded by the thousand and written with a small k: kBONK, kPEPE."""
    if base[:1] == "k" and base[1:2].isupper():
        return base[1:], Decimal(1000)
    return base, Decimal(1)


def _of_symbol(answer: Json, market: Market) -> Json:
    return next(entry for entry in answer if entry["symbol"] == market["symbol"])


def _size(answer: Json, filled: Decimal) -> Decimal:
    """An untriggered order has its size elsewhere, one sized in quote currency has none."""
    quantity = Decimal(answer.get("quantity") or 0)
    trigger = str(answer.get("triggerQuantity") or 0)
    if quantity or trigger.endswith("%"):
        return quantity or filled
    return Decimal(trigger) or filled


def _fill(entry: Json) -> Fill:
    return Fill(
        id=str(entry["tradeId"]),
        order_id=str(entry["orderId"]),
        client_order_id=_text(entry.get("clientId")),
        symbol=entry["symbol"],
        side=side_of(entry["side"]),
        price=Decimal(entry["price"]),
        size=Decimal(entry["quantity"]),
        fee=Decimal(entry["fee"]),
        fee_asset=entry["feeSymbol"],
        liquidity="maker" if entry["isMaker"] else "taker",
        timestamp_ms=_time_ms(entry["timestamp"]),
        raw=entry,
    )


def _position(entry: Json) -> Position:
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

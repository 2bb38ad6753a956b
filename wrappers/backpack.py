"""Backpack, REST: perpetuals and spot of one account, all settled in USDC.

The answer to an order is synchronous and final for its moment. An ended order is in the history
only, which may lag behind the book and cannot be filtered by client id.

Source: docs.backpack.exchange (API of 2025-11-12); read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mpdex.errors import (
    BadOrder,
    MissingCredentials,
    MpdexError,
    Unsupported,
)
from mpdex.types import (
    BookUpdate,
    CancelRequest,
    ClientIdForm,
    Collateral,
    Fees,
    FundingRate,
    Json,
    Lane,
    LeverageInfo,
    Limit,
    Market,
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
from wrappers.backpack_wire import (
    ERRORS,
    KINDS,
    decode_fill,
    decode_market,
    decode_order,
    decode_position,
    error_of,
)

if TYPE_CHECKING:
    from wrappers.venue_stream import VenueStream

checked = _checked(VENUE)

_ORDER: Final = "/api/v1/order"
_ORDERS: Final = "/api/v1/orders"
_POSITION: Final = "/api/v1/position"
_ACCOUNT: Final = "/api/v1/account"
_HISTORY: Final = "/wapi/v1/history/orders"
_FILLS: Final = "/wapi/v1/history/fills"

_DEPTHS: Final = (5, 10, 20, 50, 100, 500, 1000)
_PAGE: Final = 1000  # the most that one page of history may hold
_RECENT: Final = 100  # where an order without an id is looked for: the venue's default page
_BASIS_POINT: Final = Decimal("0.0001")


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
        errors=ERRORS,
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
        return error_of(status, answer, request, an_order=request.path == _ORDER)

    # ----------------------------------------------------------------- markets

    def encode_markets(self) -> list[Request]:
        return [Request("GET", "/api/v1/markets")]

    @checked
    def decode_markets(self, answers: Sequence[Json]) -> list[Market]:
        """Perpetuals and spot; other kinds (predictions, dated futures) are left out."""
        return [decode_market(entry) for entry in answers[0] if entry["marketType"] in KINDS]

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

    def encode_server_time(self) -> Request:
        return Request("GET", "/api/v1/time")

    @checked
    def decode_server_time(self, answer: Json) -> int:
        """Plain text, a number of milliseconds."""
        return int(answer)

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
        return decode_order(answer)

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
        """The history's "open" is no news: the book, asked before, does not have the order."""
        if not isinstance(answer, list):
            return self.decode_order(answer)
        found = (o for o in self.decode_orders(answer) if _matches(o, query))
        return next((order for order in found if order["status"].terminal), None)

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
        """A new fill in between shifts the pages, so that one may come twice, never be missed.

        Only an empty page is the end: one shorter than asked for may have been cut.
        """
        fills = [decode_fill(entry) for entry in answer]
        return FillPage(fills, str(int(cursor or 0) + len(fills)) if fills else None)

    # ----------------------------------------------------------------- account

    def encode_positions(self, market: Market | None) -> Request:
        return _private(_POSITION, _symbol_query(market))

    @checked
    def decode_positions(self, answer: Json) -> list[Position]:
        if isinstance(answer, dict):  # 404 of a market without a position
            return []
        return [decode_position(entry) for entry in answer if Decimal(entry["netQuantity"])]

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
            position_mode="one-way",  # the venue has no other
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


def _of_symbol(answer: Json, market: Market) -> Json:
    return next(entry for entry in answer if entry["symbol"] == market["symbol"])

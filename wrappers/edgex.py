"""EdgeX: perpetuals of one account, settled in one collateral coin.

Two generations run side by side, with hosts, accounts and contracts of their own and the same words
otherwise: v2 (collateral USDC), and v1, which the venue has deprecated. The credentials tell which.

The answer to an order has its id and decides nothing: it is PENDING. An order that the engine does
not take, such as a post-only order that would cross, shows as CANCELED a moment later, on the
stream and in a query; a cancel that was accepted may still lose against a fill.

A request is good for a minute after its time stamp, which bounds how late an order may come. Its
own expiry is no such bound: a v2 order is settled under it, so that it has to be far away.

Sources: edgex-1.gitbook.io, "Public API", "Private API" (v1 of 2026-04-09, v2 of 2026-03-17);
edgex-python-sdk 2.0.1 and 0.3.0; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from mpdex.errors import AuthError, BadOrder, MissingCredentials, MpdexError, RateLimited
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
    Market,
    Order,
    OrderRequest,
    Position,
    Request,
    TimeInForce,
    VenueSpec,
)
from mpdex.utils.precision import plain
from mpdex.utils.translation import FillPage, acknowledged
from multi_perp_dex import MultiPerpDex, MultiPerpDexMixin
from wrappers.edgex_auth import (
    ACCOUNT,
    API_V1,
    API_V2,
    V1_KEY,
    V2_KEYS,
    VENUE,
    Draft,
    EdgexAuth,
    auth_of,
    is_v1,
    rate_of,
    worst_price,
)
from wrappers.edgex_wire import (
    ERRORS,
    REASONS,
    SUCCESS,
    cancel_all_error,
    cancel_error,
    checked,
    decode_fill,
    decode_market,
    decode_order,
    decode_positions,
    error_of,
    is_test,
    nonzero,
    settings_of,
    unlike,
)

if TYPE_CHECKING:
    from wrappers.venue_stream import VenueStream

ACCOUNT_FIELD: Final = "accountId"
WINDOW_MS: Final = 60_000  # UNVERIFIED for v1, whose documentation names none
DEPTHS: Final = (15, 200)
PAGE: Final = 100  # of history
OPEN_PAGE: Final = 200

SIDES: Final = {"buy": "BUY", "sell": "SELL"}
FORCES: Final = {
    TimeInForce.GTC: "GOOD_TIL_CANCEL",
    TimeInForce.IOC: "IMMEDIATE_OR_CANCEL",
    TimeInForce.FOK: "FILL_OR_KILL",
}
_CANCELS: Final = ("cancelOrderById", "cancelOrderByClientOrderId")
_CANCEL_ALL: Final = "cancelAllOrder"
_MINUTE_MS: Final = 60_000
_NONE: Final = Decimal(0)


class EdgexExchange(MultiPerpDexMixin, MultiPerpDex):
    """EdgeX perpetuals.

    Args:
        options: those of `MultiPerpDexMixin`; the keys are `account_id` and, for an account of v2,
            `api_key`, `passphrase`, `secret` and `signer_private_key`, for one of v1
            `stark_private_key`.

    Raises: MissingCredentials, UsageError for keys of neither or of both, or malformed ones.
    """

    SPEC = VenueSpec(
        name=VENUE,
        endpoints={
            "rest": "https://edgex-prod-v2.edgex.exchange",
            "ws": "wss://edgex-quote-prod-v2.edgex.exchange",
            "rest_v1": "https://pro.edgex.exchange",
            "ws_v1": "wss://quote.edgex.exchange",
        },
        credentials=(ACCOUNT,),
        optional_credentials=(*V2_KEYS, V1_KEY),
        key_choices=(V2_KEYS, (V1_KEY,)),
        account=ACCOUNT,
        supports=frozenset({"post_only", "reduce_only", "market", "ioc", "fok", "client_order_id"}),
        limits={},  # the venue publishes none
        errors=ERRORS,
        order_route="rest",
        client_id=ClientIdForm(1, 2**63 - 1),  # any text. UNVERIFIED: of which length
        market_signs_mark=True,
        no_spot="the venue trades spot on another host, which its API does not offer",
        request_bound_ms=WINDOW_MS,
        # UNVERIFIED: that the end of an immediate order which found nothing is told like any other.
        reports_unfilled_ioc=True,
    )
    BOOK_SNAPSHOT = "stream"

    @classmethod
    def streams(cls) -> tuple[type[VenueStream], ...]:
        from wrappers.edgex_ws_client import EdgexAccountClient, EdgexWSClient

        return EdgexWSClient, EdgexAccountClient

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        v1 = is_v1(self.keys)
        hosts = {"rest": "rest_v1", "ws": "ws_v1"} if v1 else {"rest": "rest", "ws": "ws"}
        self.endpoints = {name: self.endpoints[host] for name, host in hosts.items()}
        self._api = API_V1 if v1 else API_V2
        self._auth: EdgexAuth | None = None if self.read_only else auth_of(self.keys)

    # ----------------------------------------------------------------- identity and errors

    def sign(self, request: Request, now_ms: int) -> Request:
        """An order is signed when it is encoded, since it carries its own expiry."""
        return self._proof(request).sign(request, now_ms)

    def _proof(self, what: object) -> EdgexAuth:
        if self._auth is None:
            raise MissingCredentials(f"{what} needs keys; opened read-only", venue=VENUE)
        return self._auth

    def decode_error(self, status: int, answer: Json, request: Request) -> MpdexError | None:
        """A refusal may hide behind HTTP 200, and one of a single cancel behind SUCCESS."""
        good = status < 400 and isinstance(answer, dict) and answer.get("code") == SUCCESS
        if not good:
            return error_of(answer, status, request)
        if request.path.endswith(_CANCELS):
            return cancel_error(answer, request)
        return cancel_all_error(answer, request) if request.path.endswith(_CANCEL_ALL) else None

    def decode_page(self, status: int, text: str, request: Request) -> MpdexError | None:
        """A door that refuses without JSON has not let anything in."""
        if status not in (401, 403):
            return None
        error = error_of(text or f"HTTP {status}", status, request)
        return error if isinstance(error, AuthError | RateLimited) else None

    def decode_reason(self, reason: str) -> type[Exception] | None:
        return REASONS.get(reason)

    # ----------------------------------------------------------------- markets

    def wire_name(self, market: Market) -> str:
        """The number of the contract."""
        return str(market["raw"]["contractId"])

    def encode_markets(self) -> list[Request]:
        return [self._public_request("meta/getMetaData")]

    @checked
    def decode_markets(self, answers: Sequence[Json]) -> list[Market]:
        data = _data(answers[0])
        coins = {coin["coinId"]: coin for coin in data["coinList"]}
        return unlike(
            decode_market(entry, coins, data["global"])
            for entry in data["contractList"]
            if not is_test(entry)
        )

    def encode_mark(self, market: Market) -> Request:
        return self._public_request("quote/getTicker", contractId=self.wire_name(market))

    @checked
    def decode_mark(self, answer: Json, market: Market) -> Decimal:
        """The oracle's price; v2 repeats it as mark price."""
        ticker = _data(answer)[0]
        return Decimal(ticker.get("markPrice") or ticker["oraclePrice"])

    def encode_book(self, market: Market, depth: int) -> Request:
        level = next((offered for offered in DEPTHS if offered >= depth), DEPTHS[-1])
        return self._public_request(
            "quote/getDepth", contractId=self.wire_name(market), level=str(level)
        )

    @checked
    def decode_book(self, answer: Json, market: Market) -> BookUpdate:
        book = _data(answer)[0]
        bids, asks = (
            [(level["price"], level["size"]) for level in book[side]] for side in ("bids", "asks")
        )
        first, last = int(book["startVersion"]), int(book["endVersion"])
        return BookUpdate(market["symbol"], bids, asks, first, last, True, None)

    def encode_server_time(self) -> Request:
        return self._public_request("meta/getServerTime")

    @checked
    def decode_server_time(self, answer: Json) -> int:
        return int(_data(answer)["timeMillis"])

    def encode_funding_rate(self, market: Market) -> Request:
        return self._public_request(
            "funding/getLatestFundingRate", contractId=self.wire_name(market)
        )

    @checked
    def decode_funding_rate(self, answer: Json, market: Market) -> FundingRate:
        """The rate that was fixed at `fundingTime` is paid when its interval is over."""
        row = _data(answer)[0]
        minutes, fixed_ms = int(row["fundingRateIntervalMin"]), int(row.get("fundingTime") or 0)
        return FundingRate(
            symbol=market["symbol"],
            rate=Decimal(row["fundingRate"]),
            interval_hours=Decimal(minutes) / 60,
            next_funding_ms=fixed_ms + minutes * _MINUTE_MS if fixed_ms else None,
            raw=row,
        )

    # ----------------------------------------------------------------- orders

    def encode_order(self, order: OrderRequest, market: Market, now_ns: int) -> Request:
        """Signed here: its expiry counts from now.

        Raises: BadOrder: a market order without the mark price that its signature is made with; a
            client id with a comma, by which the venue would look for two orders.
        """
        if "," in order.client_id:
            raise BadOrder(f"client_order_id {order.client_id!r}: no comma here", venue=VENUE)
        at_market = order.price is None
        draft = Draft(
            kind="MARKET" if at_market else "LIMIT",
            side=SIDES[order.side],
            size=order.size,
            price=order.price,
            worst=_worst(order, market),
            time_in_force=_force(order),
            reduce_only=order.reduce_only,
            client_id=order.client_id,
            now_ms=now_ns // 1_000_000,
        )
        fields = self._proof("an order").order_fields(draft, market["raw"])
        resting = not at_market and order.time_in_force is TimeInForce.GTC
        return self._order_command("createOrder", Lane.QUOTE if resting else Lane.HEDGE, fields)

    @checked
    def decode_order(self, answer: Json) -> Order:
        return decode_order(_data(answer)[0], self._markets)

    @checked
    def decode_placement(self, answer: Json, order: OrderRequest) -> Order:
        """It has an id, and nothing is decided yet."""
        return acknowledged(order, answer, id=str(_data(answer)["orderId"]))

    def encode_cancel(self, cancel: CancelRequest, market: Market) -> Request:
        if cancel.order_id:
            return self._order_command(_CANCELS[0], Lane.CANCEL, {"orderIdList": [cancel.order_id]})
        return self._order_command(
            _CANCELS[1], Lane.CANCEL, {"clientOrderIdList": [cancel.client_id]}
        )

    def decode_cancel(self, answer: Json) -> Order | None:
        """Always None: the engine has been asked, and fills may still come."""
        return None

    def encode_cancel_all(self, market: Market) -> Request:
        fields = {"filterContractIdList": [self.wire_name(market)]}
        return self._order_command(_CANCEL_ALL, Lane.CANCEL, fields)

    def encode_order_queries(self, query: CancelRequest, market: Market) -> list[Request]:
        """The live place, then the newest of the history (which knows no filter by our id)."""
        history = self._private_request(
            "order/getHistoryOrderPage",
            filterContractIdList=self.wire_name(market),
            size=str(PAGE),
        )
        if query.order_id:
            return [
                self._private_request("order/getOrderById", orderIdList=query.order_id),
                history,
            ]
        wanted = quote(query.client_id, safe="")
        live = self._private_request("order/getOrderByClientOrderId", clientOrderIdList=wanted)
        return [live, history]

    @checked
    def decode_order_query(self, answer: Json, query: CancelRequest) -> Order | None:
        """The newest of that id."""
        told = _data(answer) or []
        entries = told if isinstance(told, list) else told["dataList"]
        field, wanted = (
            ("id", query.order_id) if query.order_id else ("clientOrderId", query.client_id)
        )
        found = [entry for entry in entries if str(entry[field]) == wanted]
        if not found:
            return None
        return decode_order(max(found, key=lambda entry: int(entry["id"])), self._markets)

    def encode_open_orders(self, market: Market | None) -> Request:
        return self._private_request("order/getActiveOrderPage", **self._page(market, OPEN_PAGE))

    @checked
    def decode_orders(self, answer: Json) -> list[Order]:
        return [decode_order(entry, self._markets) for entry in _data(answer)["dataList"]]

    @checked
    def encode_orders_after(self, answer: Json, market: Market | None) -> Request | None:
        cursor = _data(answer).get("nextPageOffsetData")
        if not cursor:
            return None
        page = self._page(market, OPEN_PAGE, cursor)
        return self._private_request("order/getActiveOrderPage", **page)

    def encode_fills(self, market: Market | None, since_ms: int, cursor: str | None) -> Request:
        """Liquidations and deleveraging are in it."""
        query = self._page(market, PAGE, cursor or "")
        if since_ms > 0:
            query["filterStartCreatedTimeInclusive"] = str(since_ms)
        return self._private_request("order/getHistoryOrderFillTransactionPage", **query)

    @checked
    def decode_fills(self, answer: Json, cursor: str | None) -> FillPage:
        data = _data(answer)
        fills = [decode_fill(entry, self._markets) for entry in data["dataList"]]
        return FillPage(fills, data.get("nextPageOffsetData") or None)

    # ----------------------------------------------------------------- account

    def _assets(self) -> Request:
        """Everything about the account in one answer."""
        return self._private_request("account/getAccountAsset")

    def encode_positions(self, market: Market | None) -> Request:
        return self._assets()

    @checked
    def decode_positions(self, answer: Json) -> list[Position]:
        return decode_positions(_data(answer), self._markets)

    def encode_collateral(self) -> Request:
        return self._assets()

    @checked
    def decode_collateral(self, answer: Json) -> Collateral:
        """An account that never had money has no asset. There is one collateral coin."""
        data = _data(answer)
        model: Json = next(iter(data.get("collateralAssetModelList") or ()), {})
        positions = data.get("positionAssetList") or ()
        return Collateral(
            total=Decimal(model.get("totalEquity", 0)),
            available=Decimal(model.get("availableAmount", 0)),
            unrealized_pnl=sum((Decimal(p.get("unrealizePnl") or 0) for p in positions), _NONE),
            currency=self._coin_name(model.get("coinId", "")),
            raw=data,
        )

    def _coin_name(self, coin_id: str) -> str:
        """Contracts are quoted in the collateral, so that one of them tells its name."""
        quotes = (self._markets[symbol]["raw"] for symbol in self._markets.symbols("perp"))
        coins = {raw["quoteCoinId"]: raw["quoteCoin"]["coinName"] for raw in quotes}
        return coins.get(coin_id) or next(iter(coins.values()), coin_id)

    def encode_leverage_info(self, market: Market) -> Request:
        return self._assets()

    @checked
    def decode_leverage_info(self, answer: Json, market: Market) -> LeverageInfo:
        """The account's own setting, else what the market begins with.

        UNVERIFIED: which margin mode an account has; v2 can set one and does not tell it.
        """
        account = _data(answer)["account"]
        settings = settings_of(account, market, "isSetMaxLeverage")
        told = settings[0]["maxLeverage"] if settings else market["raw"].get("defaultLeverage")
        return LeverageInfo(
            symbol=market["symbol"],
            leverage=nonzero(told),
            max_leverage=market["max_leverage"],
            margin_mode=None,
            position_mode="one-way",  # the venue has no other
            raw=account,
        )

    def encode_leverage(self, market: Market, leverage: Decimal, now_ns: int) -> Request:
        fields = {
            "accountId": self.account_key,
            "contractId": self.wire_name(market),
            "leverage": plain(leverage),
        }
        path = f"{self._api}/private/account/updateLeverageSetting"
        return Request("POST", path, json=fields, signed=True)

    def encode_fees(self, market: Market) -> Request:
        return self._assets()

    @checked
    def decode_fees(self, answer: Json, market: Market) -> Fees:
        """The account's own rates; without them the market's, which are those of a beginner."""
        account = _data(answer)["account"]
        settings = settings_of(account, market, "isSetFeeRate")
        raw = market["raw"]
        own = settings[0] if settings else {}
        return Fees(
            symbol=market["symbol"],
            maker=rate_of(own.get("makerFeeRate") or raw.get("defaultMakerFeeRate")),
            taker=rate_of(own.get("takerFeeRate") or raw.get("defaultTakerFeeRate")),
            assumed=not settings,
            raw=account,
        )

    # ----------------------------------------------------------------- requests

    def _public_request(self, path: str, **query: str) -> Request:
        return Request("GET", f"{self._api}/public/{path}", query=query)

    def _private_request(self, path: str, **query: str) -> Request:
        own = {ACCOUNT_FIELD: self.account_key, **query}
        return Request("GET", f"{self._api}/private/{path}", query=own, signed=True)

    def _order_command(self, name: str, lane: Lane, fields: dict[str, Json]) -> Request:
        body = {ACCOUNT_FIELD: self.account_key, **fields}
        return Request(
            "POST",
            f"{self._api}/private/order/{name}",
            json=body,
            body=msgspec.json.encode(body),
            signed=True,
            lane=lane,
            command=True,
        )

    def _page(self, market: Market | None, size: int, cursor: str = "") -> dict[str, str]:
        query = {"size": str(size)}
        if market is not None:
            query["filterContractIdList"] = self.wire_name(market)
        if cursor:
            query["offsetData"] = quote(cursor, safe="")
        return query


# --------------------------------------------------------------------------- orders


def _worst(order: OrderRequest, market: Market) -> Decimal:
    if order.price is not None:
        return order.price
    if order.mark is None:
        raise BadOrder(
            "a market order is signed with the mark price, which create_order asks for",
            venue=VENUE,
        )
    return worst_price(order.side, order.mark, market["tick"])


def _force(order: OrderRequest) -> str:
    """A market order does not rest; whether it may be filled in part is the caller's word."""
    if order.price is None and order.time_in_force is TimeInForce.GTC:
        return FORCES[TimeInForce.IOC]
    return "POST_ONLY" if order.post_only else FORCES[order.time_in_force]


def _data(answer: Json) -> Json:
    return answer["data"]

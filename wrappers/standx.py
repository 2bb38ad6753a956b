"""StandX, REST: perpetuals of one account, settled in DUSD.

Order entry is asynchronous: the answer to an order says that the gateway took it, or, on the
socket, what matching did with it; an order counts when the account's stream or a query says so. The
answer has no id of the venue's, so every order is known by ours.

What was just done shows late. A new order may be unknown to queries for seconds, so that "not
found" proves nothing then, and the list of open orders may hold a canceled one for longer. The
query of one order is right first.

Sources: docs.standx.com, "Perps HTTP API" (page of 2026-05-19), "Rate Limits" (2026-03-01),
"Perps Authentication" (2026-08-11); delays as wjllance/StandX-CLI e465359 and
londonpotato1/standx-maker-bot saw them; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mpdex.errors import (
    AuthError,
    BadOrder,
    MissingCredentials,
    MpdexError,
    ProtocolError,
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
    Session,
    TimeInForce,
    VenueSpec,
)
from mpdex.utils.login_answers import granted
from mpdex.utils.precision import plain
from mpdex.utils.translation import FillPage, acknowledged
from mpdex.utils.translation import checked as _checked
from multi_perp_dex import MultiPerpDex, MultiPerpDexMixin
from wrappers.standx_auth import (
    AUTHORIZATION,
    PREPARE,
    SESSION_SECONDS,
    VENUE,
    RequestIds,
    SignIn,
    StandxAuth,
    proof,
    session_of,
)
from wrappers.standx_wire import (
    BALANCE,
    CANCEL,
    ERRORS,
    LEVERAGE,
    NEW,
    ORDER,
    POST_ONLY,
    QUOTE,
    decode_fill,
    decode_market,
    decode_order,
    decode_position,
    error_of,
    iso_text,
    reason_of,
    time_ms,
)

if TYPE_CHECKING:
    from mpdex.utils.rest import Answer
    from wrappers.venue_stream import VenueStream

checked = _checked(VENUE)

# A bucket of 900 credits that fills by 1000 a second, for the account, whatever the request. What
# goes without a sign-in counts for the address alone, which may send 50 requests a second with
# those of the account. UNVERIFIED: that orders by socket are counted, too.
CREDITS: Final = 45
_ACCOUNT_LIMIT: Final = Limit(900, 0.9)
_PUBLIC_LIMIT: Final = Limit(25, 1.0)

_OPEN_ORDERS: Final = "/api/query_open_orders"
_MOST_OPEN: Final = 1200
_PAGE: Final = 500
_METHODS: Final = {NEW: "order:new", CANCEL: "order:cancel"}


class StandxExchange(MultiPerpDexMixin, MultiPerpDex):
    """StandX, perpetuals.

    Args:
        options: those of `MultiPerpDexMixin`, and the keys: `wallet_private_key` and perhaps
            `chain` ("bsc" if left out, or "solana"), or `token` and `request_private_key`.

    Raises: MissingCredentials, UsageError for keys that are neither; see `StandxAuth`.
    """

    SPEC = VenueSpec(
        name=VENUE,
        endpoints={
            "login": "https://api.standx.com",
            "rest": "https://perps.standx.com",
            "ws": "wss://perps.standx.com/ws-stream/v1",
            "ws_orders": "wss://perps.standx.com/ws-api/v1",
            "time": "https://geo.standx.com",
        },
        credentials=(),
        optional_credentials=("wallet_private_key", "chain", "token", "request_private_key"),
        key_choices=(("wallet_private_key",), ("token", "request_private_key")),
        supports=frozenset({"post_only", "reduce_only", "market", "ioc", "client_order_id"}),
        limits={"default": _ACCOUNT_LIMIT, "public": _PUBLIC_LIMIT},
        errors=ERRORS,
        order_route="ws",
        # UUIDs are used live. UNVERIFIED: what else is taken, and that an id is refused a second
        # time.
        client_id=ClientIdForm(0, 2**128 - 1, "uuid"),
        request_bound_ms=None,  # a late request is refused, but nobody says after how long
        # UNVERIFIED: that the end of an immediate order which found nothing is told like any other.
        reports_unfilled_ioc=True,
        reports_dropped=False,  # a refused order is told on the order socket, and in no query
        reads_lag_ms=3_000,
        lists_ended=True,
    )
    BOOK_SNAPSHOT = "stream"

    @classmethod
    def streams(cls) -> tuple[type[VenueStream], ...]:
        from wrappers.standx_ws_client import (
            StandxAccountClient,
            StandxOrdersClient,
            StandxWSClient,
        )

        return StandxWSClient, StandxAccountClient, StandxOrdersClient

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._auth = None if self.read_only else StandxAuth(self.keys)
        self._request_ids = RequestIds()
        self._pair: Session | None = None  # the newest: what REST is signed with

    @property
    def account_key(self) -> str:
        return "" if self._auth is None else self._auth.account

    # ----------------------------------------------------------------- identity and errors

    def encode_login(self) -> Request | None:
        return None if self._auth is None else self._auth.begin()

    def make_session(self, now_ms: int) -> Session | None:
        """The pair that the user gave. Raises: AuthError: it is over."""
        pair = None if self._auth is None else self._auth.given(now_ms)
        self._pair = pair or self._pair
        return pair

    @checked
    def continue_login(self, answer: Answer, request: Request, now_ms: int) -> Request | Session:
        """What the wallet has to sign, then the token; with the key that both are about."""
        if not isinstance(request, SignIn) or request.signer is None or self._auth is None:
            raise AuthError(f"{request} is no sign-in", venue=VENUE, code="login")
        body = granted(answer, VENUE)
        if request.path == PREPARE:
            if not body["success"]:
                raise AuthError(f"sign-in refused: {body!s:.200}", venue=VENUE, code="success")
            return self._auth.answer(body["signedData"], request.signer)
        ends_ms = now_ms + SESSION_SECONDS * 1000
        self._pair = session_of(body["token"], request.signer, ends_ms)
        return self._pair

    def sign(self, request: Request, now_ms: int) -> Request:
        """Reads carry the token alone; whatever has a body is signed, token and key of one pair."""
        if not request.signed or request.method == "GET":
            return request
        pair = self._pair_of(request)
        proved = proof(pair.key, request.body, self._request_ids.new(), now_ms)
        return request.proved(request.body, {**request.headers, **pair.headers, **proved})

    def _pair_of(self, request: Request) -> Session:
        """By REST the newest, over the socket that which the socket was opened with."""
        if self._auth is None:
            raise MissingCredentials(f"{request} needs keys; opened read-only", venue=VENUE)
        stream = None
        if AUTHORIZATION not in request.headers and self._leases:
            stream = self._command_stream()
        pair = self._pair if stream is None else stream.pair
        return pair or self._auth.trial

    def decode_error(self, status: int, answer: Json, request: Request) -> MpdexError | None:
        return error_of(status, answer, request)

    def decode_page(self, status: int, text: str, request: Request) -> MpdexError | None:
        """Refusals that are said in plain text; a page of somebody else's says nothing."""
        known = reason_of(text) is not None and not text.lstrip().startswith("<")
        return error_of(status, {"message": text}, request) if known else None

    def decode_reason(self, reason: str) -> type[Exception] | None:
        return reason_of(reason)

    # ----------------------------------------------------------------- markets

    def encode_markets(self) -> list[Request]:
        return [_public("/api/query_symbol_info")]

    @checked
    def decode_markets(self, answers: Sequence[Json]) -> list[Market]:
        return [decode_market(entry) for entry in answers[0]]

    def encode_mark(self, market: Market) -> Request:
        return _public("/api/query_symbol_price", market)

    @checked
    def decode_mark(self, answer: Json, market: Market) -> Decimal:
        return Decimal(answer["mark_price"])

    def encode_book(self, market: Market, depth: int) -> Request:
        """As deep as the venue gives it."""
        return _public("/api/query_depth_book", market)

    @checked
    def decode_book(self, answer: Json, market: Market) -> BookUpdate:
        """In no order; the book sorts."""
        bids, asks = ([(price, size) for price, size in answer[side]] for side in ("bids", "asks"))
        return BookUpdate(market["symbol"], bids, asks, 0, 0, True, None)

    def encode_server_time(self) -> Request:
        return Request("GET", "/v1/region", host="time", scope="public")

    @checked
    def decode_server_time(self, answer: Json) -> int:
        return int(answer["systemTime"])

    def encode_funding_rate(self, market: Market) -> Request:
        return _public("/api/query_symbol_market", market)

    @checked
    def decode_funding_rate(self, answer: Json, market: Market) -> FundingRate:
        """UNVERIFIED: that the rate is that of one hour, as the payments are."""
        return FundingRate(
            symbol=market["symbol"],
            rate=Decimal(answer["funding_rate"]),
            interval_hours=Decimal(1),
            next_funding_ms=time_ms(answer["next_funding_time"]),
            raw=answer,
        )

    # ----------------------------------------------------------------- orders

    def encode_order(self, order: OrderRequest, market: Market, now_ns: int) -> Request:
        """Raises: Unsupported, BadOrder for flags that the venue does not take together."""
        _check_flags(order)
        fields: dict[str, Json] = {
            "symbol": order.symbol,
            "side": order.side,
            "order_type": "market" if order.price is None else "limit",
            "qty": plain(order.size),
        }
        if order.price is not None:
            fields["price"] = plain(order.price)
        fields["time_in_force"] = POST_ONLY if order.post_only else _time_in_force(order)
        fields["reduce_only"] = order.reduce_only
        if order.client_id:
            fields["cl_ord_id"] = order.client_id
        lane = Lane.QUOTE if order.time_in_force is TimeInForce.GTC else Lane.HEDGE
        return _command(NEW, fields, lane)

    @checked
    def decode_order(self, answer: Json) -> Order:
        return decode_order(answer)

    @checked
    def decode_placement(self, answer: Json, order: OrderRequest) -> Order:
        """Taken; what became of it is told by the account's stream."""
        _check_success(answer)
        return acknowledged(order, answer)

    def encode_cancel(self, cancel: CancelRequest, market: Market) -> Request:
        return _command(CANCEL, _which(cancel), Lane.CANCEL)

    @checked
    def decode_cancel(self, answer: Json) -> Order | None:
        _check_success(answer)
        return None

    def encode_order_queries(self, query: CancelRequest, market: Market) -> list[Request]:
        """One place for open and ended ones alike; a refused order is in none."""
        return [_private(ORDER, **{name: str(value) for name, value in _which(query).items()})]

    def encode_open_orders(self, market: Market | None) -> Request:
        return _private(_OPEN_ORDERS, limit=str(_MOST_OPEN), **_of(market))

    @checked
    def decode_orders(self, answer: Json) -> list[Order]:
        orders = [decode_order(entry) for entry in _listed(answer)]
        return [order for order in orders if not order["status"].terminal]

    def encode_fills(self, market: Market | None, since_ms: int, cursor: str | None) -> Request:
        query = {"limit": str(_PAGE), **_of(market)}
        if since_ms > 0:
            query["start"] = iso_text(since_ms)
        if cursor is not None:
            query["last_id"] = cursor
        return _private("/api/query_trades", **query)

    @checked
    def decode_fills(self, answer: Json, cursor: str | None) -> FillPage:
        """UNVERIFIED: that `last_id` is the last one of the page before, and the newest come first.

        Only an empty page is the end: one shorter than asked for may have been cut. A page that
        ends as the one before it did is the same again, and ends the search, too.
        """
        entries = _listed(answer)
        fills = [decode_fill(entry, self._markets) for entry in entries]
        last = fills[-1]["id"] if fills else None
        newest_first = len(fills) > 1 and fills[0]["timestamp_ms"] > fills[-1]["timestamp_ms"]
        return FillPage(fills, None if last == cursor else last, newest_first)

    # ----------------------------------------------------------------- account

    def encode_positions(self, market: Market | None) -> Request:
        return _private("/api/query_positions", **_of(market))

    @checked
    def decode_positions(self, answer: Json) -> list[Position]:
        """Flat rows come back, too, and count as open there."""
        return [decode_position(entry) for entry in answer if Decimal(entry["qty"])]

    def encode_collateral(self) -> Request:
        return _private(BALANCE)

    @checked
    def decode_collateral(self, answer: Json) -> Collateral:
        """What is free is that of the cross wallet."""
        return Collateral(
            total=Decimal(answer["equity"]),
            available=Decimal(answer["cross_available"]),
            unrealized_pnl=Decimal(answer["upnl"]),
            currency=QUOTE,
            raw=answer,
        )

    def encode_leverage_info(self, market: Market) -> Request:
        return _private("/api/query_position_config", **_of(market))

    @checked
    def decode_leverage_info(self, answer: Json, market: Market) -> LeverageInfo:
        mode = answer["margin_mode"]
        return LeverageInfo(
            symbol=market["symbol"],
            leverage=Decimal(answer["leverage"]),
            max_leverage=market["max_leverage"],
            margin_mode=mode if mode in ("cross", "isolated") else None,
            position_mode="one-way",  # the venue has no other
            raw=answer,
        )

    def encode_leverage(self, market: Market, leverage: Decimal, now_ns: int) -> Request:
        """Whole numbers only."""
        if leverage != int(leverage):
            raise Unsupported(f"leverage {plain(leverage)} is not a whole number", venue=VENUE)
        fields = {"symbol": market["symbol"], "leverage": int(leverage)}
        return Request("POST", LEVERAGE, json=fields, signed=True, weight=CREDITS)

    def encode_fees(self, market: Market) -> Request:
        return _public("/api/query_symbol_info", market)

    @checked
    def decode_fees(self, answer: Json, market: Market) -> Fees:
        """Those of the market: an account of the market makers' programme pays less."""
        [entry] = (entry for entry in answer if entry["symbol"] == market["symbol"])
        return Fees(
            symbol=market["symbol"],
            maker=Decimal(entry["maker_fee"]),
            taker=Decimal(entry["taker_fee"]),
            assumed=False,
            raw=entry,
        )


def _public(path: str, market: Market | None = None) -> Request:
    return Request("GET", path, query=_of(market) or None, scope="public")


def _private(path: str, **query: str) -> Request:
    return Request("GET", path, query=query or None, signed=True, weight=CREDITS)


def _command(path: str, fields: dict[str, Json], lane: Lane) -> Request:
    return Request(
        "POST",
        path,
        json=fields,
        signed=True,
        weight=CREDITS,
        lane=lane,
        command=True,
        call=_METHODS[path],
        body=msgspec.json.encode(fields),
    )


def _of(market: Market | None) -> dict[str, str]:
    return {} if market is None else {"symbol": market["symbol"]}


def _listed(answer: Json) -> list[Json]:
    """Rows in an envelope, as lists come; a bare list means the same."""
    rows: list[Json] = answer if isinstance(answer, list) else answer["result"]
    return rows


def _which(cancel: CancelRequest) -> dict[str, Json]:
    """An id of the venue's is a number."""
    if not cancel.order_id:
        return {"cl_ord_id": cancel.client_id}
    if not cancel.order_id.isdecimal():
        raise BadOrder(f"order id {cancel.order_id!r} is not a number", venue=VENUE)
    return {"order_id": int(cancel.order_id)}


def _time_in_force(order: OrderRequest) -> str:
    return "ioc" if order.price is None else order.time_in_force.value.lower()


def _check_success(answer: Json) -> None:
    if not isinstance(answer, dict) or answer.get("code") != 0:
        raise ProtocolError(f"a command was answered with {answer!s:.100}", venue=VENUE)


def _check_flags(order: OrderRequest) -> None:
    if order.time_in_force is TimeInForce.FOK:
        raise Unsupported("fok is not offered here", venue=VENUE)
    if order.post_only and (order.price is None or order.time_in_force is not TimeInForce.GTC):
        raise BadOrder("a post-only order is a GTC limit order", venue=VENUE)
    if order.slippage_bps is not None:
        raise Unsupported("slippage_bps is not offered here; use a limit order", venue=VENUE)

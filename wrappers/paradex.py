"""Paradex: perpetuals of one account, quoted in USD, settled in USDC.

The answer to an order says that the API took it: it is PENDING. Margin, post-only and price band
are judged later, and an order that fails is CLOSED with a reason, so its fate is on the order
stream or in a query. Orders travel on the private socket, with the fields of the REST call.

A request is as good as its time stamp: an order that comes later than its `recv_window` is refused.
Signatures name the chain, which `GET /system/config` tells with the markets.

Sources: docs.paradex.trade; tradeparadex/paradex-docs 9b82a75a (API 1.132.1); paradex-py 0.8.2;
read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from mpdex.errors import BadOrder, MpdexError, SessionEnded
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
from mpdex.utils.precision import plain
from mpdex.utils.translation import FillPage
from mpdex.utils.wire_words import known
from multi_perp_dex import MultiPerpDex, MultiPerpDexMixin
from wrappers.paradex_auth import VENUE, ParadexAuth, quantums, signature_text
from wrappers.paradex_wire import (
    ERRORS,
    MARGIN_MODES,
    checked,
    classify_reason,
    decimal,
    decode_fill,
    decode_market,
    decode_order,
    decode_position,
    error_of,
    is_open,
)

if TYPE_CHECKING:
    from mpdex.utils.rest import Answer
    from wrappers.venue_stream import VenueStream

# Without a window of its own an order is good for five minutes; 10 ms is the least.
WINDOW_MS: Final = 5_000
IMMEDIATE_WINDOW_MS: Final = 2_000  # of an order that must trade at once
TOKEN_MS: Final = 300_000  # life of a token that does not say when it ends

CREATE: Final = "order.create"
CANCEL: Final = "order.cancel"
CANCEL_ALL: Final = "order.cancel_all"
BY_CLIENT_ID: Final = "/orders/by_client_id/"
SIDES: Final = {"buy": "BUY", "sell": "SELL"}
PAGE: Final = 1000  # of history; 5000 is the most
NO_PRICE: Final = Decimal(0)  # of a market order, sent and signed


class ParadexExchange(MultiPerpDexMixin, MultiPerpDex):
    """Paradex perpetuals.

    Args:
        options: those of `MultiPerpDexMixin`; the keys are `account_address` (of the main account,
            for a subkey too) and `private_key` (the account's own, or a subkey's, which cannot
            withdraw).

    Raises: UsageError if the address or the key is malformed.
    """

    SPEC = VenueSpec(
        name=VENUE,
        endpoints={
            "rest": "https://api.prod.paradex.trade/v1",
            "ws": "wss://ws.api.prod.paradex.trade/v1",
            "ws_public": "wss://ws-public.api.prod.paradex.trade/v1",
        },
        credentials=("account_address", "private_key"),
        supports=frozenset({"post_only", "reduce_only", "market", "ioc", "client_order_id"}),
        # Private calls: 600 reads a minute (120 a second), 800 orders a second, and 1500 of both
        # a minute for one address, of which the reads leave 900.
        limits={
            "auth": Limit(600, 60.0),
            "public": Limit(1500, 60.0),
            "account": Limit(100, 10.0),
            "orders": Limit(150, 10.0),
        },
        errors=ERRORS,
        order_route="ws",
        client_id=ClientIdForm(1, 2**63 - 1),  # any text of up to 64 characters
        request_bound_ms=WINDOW_MS,
        immediate_bound_ms=IMMEDIATE_WINDOW_MS,
        reads_lag_ms=200,  # clients see NEW for up to 100 ms after the acknowledgement
        silent_methods=frozenset({"DELETE"}),
    )
    BOOK_SNAPSHOT = "stream"

    @classmethod
    def streams(cls) -> tuple[type[VenueStream], ...]:
        from wrappers.paradex_ws_client import ParadexAccountStream, ParadexMarketStream

        return ParadexMarketStream, ParadexAccountStream

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if not self.read_only:
            self._auth = ParadexAuth(self.keys["account_address"], self.keys["private_key"])

    # ----------------------------------------------------------------- identity and errors

    def sign(self, request: Request, now_ms: int) -> Request:
        """A login and an order carry a signature; everything else the token alone."""
        if request.call == CREATE:
            return request.proved(self._signed_body(request, now_ms))
        if request.scope == "auth":
            return request.with_headers(**self._auth.login_headers(now_ms))
        return request

    def _signed_body(self, request: Request, now_ms: int) -> bytes:
        order = request.json
        price, size = Decimal(order["price"]), Decimal(order["size"])
        message = self._auth.hash_order(
            now_ms, order["market"], order["side"], order["type"], size, price
        )
        signature = signature_text(*self._auth.sign(message)).replace('"', '\\"').encode()
        return b'%b,"signature":"%b","signature_timestamp":%d}' % (
            request.body[:-1],
            signature,
            now_ms,
        )

    def decode_error(self, status: int, answer: Json, request: Request) -> MpdexError | None:
        if status < 400 and not (isinstance(answer, dict) and "error" in answer):
            return None
        return error_of(answer, status, request)

    def decode_page(self, status: int, text: str, request: Request) -> MpdexError | None:
        """UNVERIFIED: how a token that has ended is refused, in JSON or in words."""
        if status != 401:
            return None
        return SessionEnded(
            text[:200], venue=VENUE, raw=text[:200], code="401", request=str(request)
        )

    def decode_reason(self, reason: str) -> type[Exception] | None:
        return classify_reason(reason)

    def encode_login(self) -> Request | None:
        """Of the account's key or the subkey's: whose signature it is, the path says."""
        return Request("POST", f"/auth/{self._auth.public_key}", signed=True, scope="auth")

    @checked
    def decode_login(self, answer: Answer, now_ms: int) -> Session:
        """Raises: AuthError; TransportError where not the venue but its front door refused."""
        from mpdex.utils.login_answers import granted, token_expires_ms

        token = granted(answer, VENUE)["jwt_token"]
        expires_ms = token_expires_ms(token) or now_ms + TOKEN_MS
        return Session({"Authorization": f"Bearer {token}"}, expires_ms)

    # ----------------------------------------------------------------- markets

    def encode_markets(self) -> list[Request]:
        """With the chain that signatures are made for."""
        return [_public("/system/config"), _public("/markets")]

    @checked
    def decode_markets(self, answers: Sequence[Json]) -> list[Market]:
        config, listing = answers
        if not self.read_only:
            self._auth.join(config["starknet_chain_id"])
        return [decode_market(entry) for entry in listing["results"] if _is_perpetual(entry)]

    def encode_mark(self, market: Market) -> Request:
        return _public("/markets/summary", {"market": market["symbol"]})

    @checked
    def decode_mark(self, answer: Json, market: Market) -> Decimal:
        return Decimal(_row(answer, "symbol", market)["mark_price"])

    def encode_book(self, market: Market, depth: int) -> Request:
        return _public(f"/orderbook/{market['symbol']}", {"depth": str(depth)})

    @checked
    def decode_book(self, answer: Json, market: Market) -> BookUpdate:
        """Its number is of another count than the stream's; it does not continue there."""
        bids, asks = ([(price, size) for price, size in answer[side]] for side in ("bids", "asks"))
        return BookUpdate(market["symbol"], bids, asks, 0, 0, True, answer.get("last_updated_at"))

    def encode_server_time(self) -> Request:
        return _public("/system/time")

    @checked
    def decode_server_time(self, answer: Json) -> int:
        return int(answer["server_time"])

    def encode_funding_rate(self, market: Market) -> Request:
        return self.encode_mark(market)

    @checked
    def decode_funding_rate(self, answer: Json, market: Market) -> FundingRate:
        """The rate of the market's own period; it is charged all the time, at no set hour."""
        row = _row(answer, "symbol", market)
        return FundingRate(
            symbol=market["symbol"],
            rate=Decimal(row["funding_rate"]),
            interval_hours=decimal(market["raw"].get("funding_period_hours")),
            next_funding_ms=None,
            raw=row,
        )

    # ----------------------------------------------------------------- orders

    def encode_order(self, order: OrderRequest, market: Market, now_ns: int) -> Request:
        """Signed when it leaves, so that its window begins then.

        Raises: BadOrder: a number that the signature cannot hold.
        """
        immediate = order.price is None or order.time_in_force is TimeInForce.IOC
        price = NO_PRICE if order.price is None else order.price
        quantums(order.size), quantums(price)
        fields: dict[str, Json] = {
            "market": market["symbol"],
            "side": SIDES[order.side],
            "type": "MARKET" if order.price is None else "LIMIT",
            "size": plain(order.size),
            "price": plain(price),
            "client_id": order.client_id,
            "instruction": _instruction(order, immediate=immediate),
            "recv_window": IMMEDIATE_WINDOW_MS if immediate else WINDOW_MS,
        }
        if order.reduce_only:
            fields["flags"] = ["REDUCE_ONLY"]
        lane = Lane.HEDGE if immediate else Lane.QUOTE
        body = msgspec.json.encode(fields)
        return _command("POST", "/orders", CREATE, lane, json=fields, body=body)

    def decode_order(self, answer: Json) -> Order:
        return decode_order(answer)

    def encode_cancel(self, cancel: CancelRequest, market: Market) -> Request:
        """By the venue's own id where it is known: by ours it takes longer."""
        if cancel.order_id:
            return _command("DELETE", f"/orders/{cancel.order_id}", CANCEL, Lane.CANCEL)
        path = BY_CLIENT_ID + quote(cancel.client_id, safe="")
        return _command("DELETE", path, CANCEL, Lane.CANCEL, query={"market": market["symbol"]})

    def decode_cancel(self, answer: Json) -> Order | None:
        """Always None: the venue has only put it in its queue."""
        return None

    def encode_cancel_all(self, market: Market) -> Request | None:
        query = {"market": market["symbol"]}
        return _command("DELETE", "/orders", CANCEL_ALL, Lane.CANCEL, query=query)

    def encode_order_queries(self, query: CancelRequest, market: Market) -> list[Request]:
        """The live place, which has open orders only, then the history."""
        filters = {"market": market["symbol"], "page_size": str(PAGE)}
        if query.order_id:
            return [_private(f"/orders/{query.order_id}"), _private("/orders-history", filters)]
        wanted = quote(query.client_id, safe="")
        history = {**filters, "client_id": wanted}
        return [_private(BY_CLIENT_ID + wanted), _private("/orders-history", history)]

    @checked
    def decode_order_query(self, answer: Json, query: CancelRequest) -> Order | None:
        """History: the newest of that id."""
        if "results" not in answer:
            return decode_order(answer)
        field, wanted = ("id", query.order_id) if query.order_id else ("client_id", query.client_id)
        found = [entry for entry in answer["results"] if entry[field] == wanted]
        return decode_order(max(found, key=lambda entry: entry["created_at"])) if found else None

    def encode_open_orders(self, market: Market | None) -> Request:
        return _private("/orders", _filter(market))

    @checked
    def decode_orders(self, answer: Json) -> list[Order]:
        return [decode_order(entry) for entry in answer["results"]]

    def encode_fills(self, market: Market | None, since_ms: int, cursor: str | None) -> Request:
        query = {**_filter(market), "start_at": str(since_ms), "page_size": str(PAGE)}
        if cursor:
            query["cursor"] = quote(cursor, safe="")
        return _private("/fills", query)

    @checked
    def decode_fills(self, answer: Json, cursor: str | None) -> FillPage:
        return FillPage(
            [decode_fill(entry) for entry in answer["results"]], answer.get("next") or None
        )

    # ----------------------------------------------------------------- account

    def encode_positions(self, market: Market | None) -> Request:
        """There is no filter."""
        return _private("/positions")

    @checked
    def decode_positions(self, answer: Json) -> list[Position]:
        return [decode_position(entry) for entry in answer["results"] if is_open(entry)]

    def encode_collateral(self) -> Request:
        return _private("/account")

    @checked
    def decode_collateral(self, answer: Json) -> Collateral:
        return Collateral(
            total=Decimal(answer["account_value"]),
            available=Decimal(answer["free_collateral"]),
            unrealized_pnl=None,
            currency=answer["settlement_asset"],
            raw=answer,
        )

    def encode_leverage_info(self, market: Market) -> Request:
        return _private("/account/margin", {"market": market["symbol"]})

    @checked
    def decode_leverage_info(self, answer: Json, market: Market) -> LeverageInfo:
        entries = {entry["market"]: entry for entry in answer["configs"]}
        entry = entries.get(market["symbol"], {})
        mode = entry.get("margin_type")
        return LeverageInfo(
            symbol=market["symbol"],
            leverage=decimal(entry.get("leverage")),
            max_leverage=market["max_leverage"],
            margin_mode=None if mode is None else known(MARGIN_MODES, mode, "margin type", VENUE),
            position_mode="one-way",  # the venue has no other
            raw=entry,
        )

    def encode_leverage(self, market: Market, leverage: Decimal, now_ns: int) -> Request:
        """Sets the leverage and, because the venue sets both together, cross margin.

        Raises: BadOrder: it is not a whole number.
        """
        if leverage != int(leverage):
            raise BadOrder(f"leverage {plain(leverage)}: whole numbers only", venue=VENUE)
        return Request(
            "POST",
            f"/account/margin/{market['symbol']}",
            json={"leverage": int(leverage), "margin_type": "CROSS"},
            signed=True,
            scope="account",
            command=True,
        )

    def encode_fees(self, market: Market) -> Request:
        return _private("/account/info")

    @checked
    def decode_fees(self, answer: Json, market: Market) -> Fees:
        """The account's own rates. A market's `fee_config` is that of nobody in particular
        (UNVERIFIED: whether it comes before these)."""
        (account,) = (row for row in answer["results"] if self._is_ours(row))
        told = account["fees"]
        maker, taker = Decimal(told["maker_rate"]), Decimal(told["taker_rate"])
        return Fees(symbol=market["symbol"], maker=maker, taker=taker, assumed=False, raw=account)

    def _is_ours(self, row: Json) -> bool:
        """The list has subaccounts too."""
        return self.read_only or int(row["account"], 16) == int(self._auth.account, 16)


# --------------------------------------------------------------------------- requests


def _public(path: str, query: Mapping[str, str] | None = None) -> Request:
    return Request("GET", path, query=query, scope="public")


def _private(path: str, query: Mapping[str, str] | None = None) -> Request:
    return Request("GET", path, query=query, signed=True, scope="account")


def _command(method: str, path: str, call: str, lane: Lane, **content: Any) -> Request:
    return Request(
        method, path, signed=True, scope="orders", lane=lane, command=True, call=call, **content
    )


def _filter(market: Market | None) -> dict[str, str]:
    return {} if market is None else {"market": market["symbol"]}


def _row(answer: Json, name: str, market: Market) -> Json:
    return {row[name]: row for row in answer["results"]}[market["symbol"]]


def _is_perpetual(entry: Json) -> bool:
    return bool(entry["asset_kind"] == "PERP")


def _instruction(order: OrderRequest, *, immediate: bool) -> str:
    if immediate:
        return "IOC"
    return "POST_ONLY" if order.post_only else "GTC"


__all__ = ["ParadexExchange"]

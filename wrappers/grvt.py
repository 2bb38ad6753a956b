"""GRVT, REST: perpetuals of one trading account, settled in USDT.

The answer to an order says that it passed validation, not that it is on the book: it is PENDING and
has no id yet. What became of it, a post-only refusal included, comes on the order stream or from
the order query, so everything goes by client id. Orders travel on the trading socket; the body of
the REST call is the `params` of that call, byte for byte.

Sources: api-docs.grvt.io; gravity-technologies/api-spec eed18e5; help.grvt.io articles on fees
(read 2026-10-22) and rate limits 9636566; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mpdex.errors import (
    MpdexError,
    RateLimited,
    TransportError,
    Unsupported,
    UsageError,
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
    Order,
    OrderRequest,
    Position,
    Request,
    Session,
    TimeInForce,
    VenueSpec,
)
from mpdex.utils.translation import FillPage
from multi_perp_dex import MultiPerpDex, MultiPerpDexMixin
from wrappers.grvt_auth import (
    VENUE,
    Draft,
    Instrument,
    Leg,
    chain_id_of,
    encode_position_config,
    encode_signed_order,
    instrument,
    nonce_of,
    session_from,
    signer,
)
from wrappers.grvt_wire import (
    ERRORS,
    checked,
    classify_reason,
    decimal,
    decode_ack,
    decode_fill,
    decode_levels,
    decode_margin_mode,
    decode_market,
    decode_order,
    decode_position,
    error_of,
    ms,
)

if TYPE_CHECKING:
    from mpdex.utils.rest import Answer
    from wrappers.venue_stream import VenueStream

# A resting order lives exactly as long as its signature: 24 hours, the official SDK's default
# (the venue's bound is 30 days).
RESTING_NS: Final = 24 * 3600 * 10**9
# An order that must trade at once needs its signature until it reaches the engine and no longer,
# so that a late one is refused (code 2001) instead of filled. 5 s leaves room for a skewed clock.
IMMEDIATE_NS: Final = 5 * 10**9
# Of other signed requests; only the moment of arrival counts.
SETTING_NS: Final = 60 * 10**9
# A cancel waits this long for its order to appear and kills it then (bounds: 100 to 5000 ms).
CANCEL_TTL_MS: Final = 500

TIMES_IN_FORCE: Final[Mapping[TimeInForce, str]] = {
    TimeInForce.GTC: "GOOD_TILL_TIME",
    TimeInForce.IOC: "IMMEDIATE_OR_CANCEL",
    TimeInForce.FOK: "FILL_OR_KILL",
}
DEPTHS: Final = (10, 50, 100, 500)  # any other is error 3031
PAGE: Final = 1000  # the most that one page of history may hold
NO_PRICE: Final = Decimal(0)  # of a market order, sent and signed
MILLIONTH: Final = Decimal("0.000001")
PERCENT: Final = Decimal("0.01")
# Tier 1 of the venue's help pages, for an account summary that names no rates.
TIER_1: Final = (Decimal("-0.000001"), Decimal("0.00045"))


class GrvtExchange(MultiPerpDexMixin, MultiPerpDex):
    """GRVT perpetuals.

    Args:
        options: those of `MultiPerpDexMixin`; the keys are `api_key`, `private_key` (of the
            address registered with that API key) and `sub_account_id` (the trading account id).

    Raises: UsageError if the private key or the trading account id is malformed.
    """

    SPEC = VenueSpec(
        name=VENUE,
        endpoints={
            "edge": "https://edge.grvt.io",
            "trade": "https://trades.grvt.io",
            "market": "https://market-data.grvt.io",
            "trade_ws": "wss://trades.grvt.io/ws/full",
            "market_ws": "wss://market-data.grvt.io/ws/full",
        },
        credentials=("api_key", "private_key", "sub_account_id"),
        account="sub_account_id",
        supports=frozenset(
            {"post_only", "reduce_only", "market", "ioc", "fok", "slippage_bps", "client_order_id"}
        ),
        # Lowest tier, an independent client's reading of the help article. UNVERIFIED.
        limits={
            "login": Limit(1, 1.0),
            "create": Limit(20, 1.0),
            "cancel": Limit(20, 1.0),
            "cancel_all": Limit(2, 1.0),
            "query": Limit(5, 1.0),
            "account": Limit(5, 2.0),
            "instrument": Limit(25, 1.0),
            "book": Limit(8, 1.0),
        },
        errors=ERRORS,
        order_route="ws",
        client_id=ClientIdForm(2**63, 2**64 - 1),  # the web page uses the lower half
        # A resting order is as good as its signature; one that must trade at once expires with it.
        request_bound_ms=None,
        immediate_bound_ms=IMMEDIATE_NS // 1_000_000,
    )
    BOOK_SNAPSHOT = "stream"

    @classmethod
    def streams(cls) -> tuple[type[VenueStream], ...]:
        from wrappers.grvt_ws_client import GrvtMarketStream, GrvtTradeStream

        return GrvtMarketStream, GrvtTradeStream

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._account = 0
        if not self.read_only:
            self._account = _account_number(self.keys["sub_account_id"])
            chain_id = chain_id_of(self.endpoints["edge"])
            self._signer = signer(self.keys["private_key"], chain_id)

    # ----------------------------------------------------------------- identity and errors

    def decode_error(self, status: int, answer: Json, request: Request) -> MpdexError | None:
        if status < 400 and not (isinstance(answer, dict) and "code" in answer):
            return None
        return error_of(answer, status, str(request), command=request.command)

    def decode_reason(self, reason: str) -> type[Exception] | None:
        """The refusal that `Order["reason"]` is; None for an ordinary end or an unknown word."""
        return classify_reason(reason)

    def encode_login(self) -> Request | None:
        body = {"api_key": self.keys["api_key"]}
        return Request("POST", "/auth/api_key/login", json=body, host="edge", scope="login")

    def decode_login(self, answer: Answer, now_ms: int) -> Session:
        """Raises: AuthError; TransportError where not the venue but its front door refused."""
        body = _json_or_none(answer.body)
        if answer.status == 429:
            raise RateLimited("login", venue=VENUE, code="429")
        if answer.status >= 500 or (answer.status >= 400 and body is None):
            raise TransportError(f"login: HTTP {answer.status} without a reason", venue=VENUE)
        return session_from(answer.headers, body, now_ms)

    # ----------------------------------------------------------------- markets

    def encode_markets(self) -> list[Request]:
        fields = {"kind": ["PERPETUAL"], "is_active": True, "limit": PAGE}
        return [_market_data("instruments", fields, "instrument")]

    @checked
    def decode_markets(self, answers: Sequence[Json]) -> list[Market]:
        return [
            decode_market(entry) for entry in answers[0]["result"] if entry["kind"] == "PERPETUAL"
        ]

    def encode_market_details(self, market: Market) -> Request | None:
        return _market_data("margin_rules", {"instrument": market["symbol"]}, "instrument")

    @checked
    def decode_market_details(self, answer: Json, market: Market) -> Market:
        """The leverage bound is that of the smallest positions: the first bracket's."""
        brackets = answer["risk_brackets"]
        leverage = max(Decimal(bracket["max_leverage"]) for bracket in brackets)
        return {**market, "max_leverage": leverage}

    def encode_mark(self, market: Market) -> Request:
        return _market_data("mini", {"instrument": market["symbol"]}, "instrument")

    @checked
    def decode_mark(self, answer: Json, market: Market) -> Decimal:
        return Decimal(answer["result"]["mark_price"])

    def encode_book(self, market: Market, depth: int) -> Request:
        offered = next((size for size in DEPTHS if size >= depth), DEPTHS[-1])
        return _market_data("book", {"instrument": market["symbol"], "depth": offered}, "book")

    @checked
    def decode_book(self, answer: Json, market: Market) -> BookUpdate:
        """Has no sequence number; it does not continue in the stream."""
        book = answer["result"]
        bids, asks = decode_levels(book["bids"]), decode_levels(book["asks"])
        return BookUpdate(market["symbol"], bids, asks, 0, 0, True, ms(book.get("event_time")))

    def encode_server_time(self) -> Request:
        """The one GET of the venue, and the one time in milliseconds."""
        return Request("GET", "/time", host="market", scope="instrument")

    @checked
    def decode_server_time(self, answer: Json) -> int:
        return int(answer["server_time"])

    def encode_funding_rate(self, market: Market) -> Request:
        return _market_data("ticker", {"instrument": market["symbol"]}, "instrument")

    @checked
    def decode_funding_rate(self, answer: Json, market: Market) -> FundingRate:
        """The venue's rate is in percent for one interval."""
        ticker = answer["result"]
        hours = ticker.get("funding_interval_hours", market["raw"].get("funding_interval_hours"))
        return FundingRate(
            symbol=market["symbol"],
            rate=Decimal(ticker["funding_rate"]) * PERCENT,
            interval_hours=decimal(hours),
            next_funding_ms=ms(ticker.get("next_funding_time")),
            raw=ticker,
        )

    # ----------------------------------------------------------------- orders

    def encode_order(self, order: OrderRequest, market: Market, now_ns: int) -> Request:
        """Raises: Unsupported for a slippage bound on anything but an immediate limit order."""
        immediate = order.price is None or order.time_in_force is not TimeInForce.GTC
        _check_slippage(order)
        draft = Draft(
            self._account,
            order.price is None,
            _time_in_force(order),
            order.post_only,
            order.reduce_only,
            (_leg(order, market),),
            nonce_of(int(order.client_id), now_ns),
            now_ns + (IMMEDIATE_NS if immediate else RESTING_NS),
            order.client_id,
            order.slippage_bps,
        )
        body = encode_signed_order(draft, self._signer)
        return _command("create_order", body, "create", Lane.HEDGE if immediate else Lane.QUOTE)

    @checked
    def decode_order(self, answer: Json) -> Order:
        return decode_order(answer["result"])

    def encode_cancel(self, cancel: CancelRequest, market: Market) -> Request:
        """By client id where there is one: only then a create that is still on its way dies too."""
        which = _which(cancel)
        if cancel.client_id:
            which["time_to_live_ms"] = str(CANCEL_TTL_MS)
        body = msgspec.json.encode(self._of_account(which))
        return _command("cancel_order", body, "cancel", Lane.CANCEL)

    def decode_cancel(self, answer: Json) -> Order | None:
        """Always None: the venue acknowledges cancels of unknown and ended orders too."""
        return decode_ack(answer)

    def encode_cancel_all(self, market: Market) -> Request | None:
        body = msgspec.json.encode(self._of_account(_filter(market)))
        return _command("cancel_all_orders", body, "cancel_all", Lane.CANCEL)

    def encode_order_queries(self, query: CancelRequest, market: Market) -> list[Request]:
        return [self._private_read("order", _which(query), "query")]

    def encode_open_orders(self, market: Market | None) -> Request:
        return self._private_read("open_orders", _filter(market), "query")

    @checked
    def decode_orders(self, answer: Json) -> list[Order]:
        return [decode_order(entry) for entry in answer["result"]]

    def encode_fills(self, market: Market | None, since_ms: int, cursor: str | None) -> Request:
        fields = {**_filter(market), "start_time": str(since_ms * 1_000_000), "limit": PAGE}
        if cursor:
            fields["cursor"] = cursor
        return self._private_read("fill_history", fields, "query")

    @checked
    def decode_fills(self, answer: Json, cursor: str | None) -> FillPage:
        fills: list[Fill] = [decode_fill(entry) for entry in answer["result"]]
        return FillPage(fills, answer.get("next") or None)

    # ----------------------------------------------------------------- account

    def encode_positions(self, market: Market | None) -> Request:
        return self._private_read("positions", _filter(market), "query")

    @checked
    def decode_positions(self, answer: Json) -> list[Position]:
        return [decode_position(entry) for entry in answer["result"] if Decimal(entry["size"])]

    def encode_collateral(self) -> Request:
        return self._private_read("account_summary", {}, "account")

    @checked
    def decode_collateral(self, answer: Json) -> Collateral:
        summary = answer["result"]
        return Collateral(
            total=Decimal(summary["total_equity"]),
            available=Decimal(summary["available_balance"]),
            unrealized_pnl=decimal(summary.get("unrealized_pnl")),
            currency=summary["settle_currency"],
            raw=summary,
        )

    def encode_leverage_info(self, market: Market) -> Request:
        return self._private_read("get_all_initial_leverage", {}, "account")

    @checked
    def decode_leverage_info(self, answer: Json, market: Market) -> LeverageInfo:
        entries = {entry["instrument"]: entry for entry in answer["results"]}
        entry = entries.get(market["symbol"], {})
        return LeverageInfo(
            symbol=market["symbol"],
            leverage=decimal(entry.get("leverage")),
            max_leverage=decimal(entry.get("max_leverage")),
            margin_mode=decode_margin_mode(entry.get("margin_type")),
            position_mode="one-way",  # the venue has no other
            raw=entry,
        )

    def encode_leverage(self, market: Market, leverage: Decimal, now_ns: int) -> Request:
        """Sets the leverage and, because the venue sets both together, cross margin.

        The venue refuses to change the mode while there is a position (2102) or an order (2103).
        """
        body = encode_position_config(
            self._signer,
            self._account,
            _instrument(market),
            "CROSS",
            leverage,
            nonce_of(0, now_ns),
            now_ns + SETTING_NS,
        )
        return Request(
            "POST",
            "/full/v1/set_position_config",
            json=body,
            host="trade",
            signed=True,
            scope="account",
            command=True,
        )

    def encode_fees(self, market: Market) -> Request:
        return _private("funding_account_summary", {}, "account")

    @checked
    def decode_fees(self, answer: Json, market: Market) -> Fees:
        """The account's own rates are millionths of notional, negative for a rebate."""
        tier: dict[str, Any] = answer.get("tier") or {}
        told: list[Json] = [tier.get("futures_maker_fee"), tier.get("futures_taker_fee")]
        symbol = market["symbol"]
        if None in told:
            return Fees(symbol=symbol, maker=TIER_1[0], taker=TIER_1[1], assumed=True, raw=tier)
        maker, taker = (Decimal(rate) * MILLIONTH for rate in told)
        return Fees(symbol=symbol, maker=maker, taker=taker, assumed=False, raw=tier)

    # ----------------------------------------------------------------- helpers

    def _of_account(self, fields: Mapping[str, Json]) -> dict[str, Json]:
        return {"sub_account_id": str(self._account), **fields}

    def _private_read(self, name: str, fields: Mapping[str, Json], scope: str) -> Request:
        return _private(name, self._of_account(fields), scope)


# --------------------------------------------------------------------------- requests


def _market_data(name: str, fields: Mapping[str, Json], scope: str) -> Request:
    return Request("POST", f"/full/v1/{name}", json=fields, host="market", scope=scope)


def _private(name: str, fields: Mapping[str, Json], scope: str) -> Request:
    return Request("POST", f"/full/v1/{name}", json=fields, host="trade", signed=True, scope=scope)


def _command(name: str, body: bytes, scope: str, lane: Lane) -> Request:
    return Request(
        "POST",
        f"/full/v1/{name}",
        host="trade",
        signed=True,
        scope=scope,
        lane=lane,
        command=True,
        call=f"v1/{name}",
        body=body,
    )


def _filter(market: Market | None) -> dict[str, Json]:
    """There is no filter by instrument; kind, base and quote name one perpetual."""
    if market is None:
        return {"kind": ["PERPETUAL"]}
    return {"kind": ["PERPETUAL"], "base": [market["coin"]], "quote": [market["quote"]]}


def _which(order: CancelRequest) -> dict[str, Json]:
    if order.client_id:
        return {"client_order_id": order.client_id}
    return {"order_id": order.order_id}


def _check_slippage(order: OrderRequest) -> None:
    if order.slippage_bps is None:
        return
    if order.price is None or order.time_in_force is not TimeInForce.IOC:
        raise Unsupported(
            "slippage_bps bounds an IOC limit order only; give a price and time_in_force IOC",
            venue=VENUE,
        )


def _time_in_force(order: OrderRequest) -> str:
    """A market order that may rest does not exist."""
    if order.price is None and order.time_in_force is TimeInForce.GTC:
        return TIMES_IN_FORCE[TimeInForce.IOC]
    return TIMES_IN_FORCE[order.time_in_force]


def _leg(order: OrderRequest, market: Market) -> Leg:
    price = NO_PRICE if order.price is None else order.price
    return Leg(_instrument(market), order.size, price, order.side == "buy")


def _instrument(market: Market) -> Instrument:
    raw = market["raw"]
    return instrument(market["symbol"], raw["instrument_hash"], raw["base_decimals"])


def _account_number(text: str) -> int:
    if not text.isdecimal():
        raise UsageError(
            "sub_account_id is the trading account id, digits only, e.g. 2147050003876484",
            venue=VENUE,
        )
    return int(text)


def _json_or_none(body: bytes) -> Json:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None


__all__ = ["GrvtExchange"]

"""What VariationalExchange says and understands, without a venue: requests, errors, sessions."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from mpdex.dex.requests import sealed
from mpdex.errors import (
    AuthError,
    InsufficientMargin,
    LimitReached,
    MarketUnavailable,
    MissingCredentials,
    MpdexError,
    NoImmediateMatch,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    PrecisionRefused,
    PriceOutOfBand,
    ProtocolError,
    RateLimited,
    ReduceOnlyRefused,
    SessionEnded,
    SymbolRefused,
    TransportError,
    Unsupported,
    UsageError,
    VenueError,
)
from mpdex.types import (
    CancelRequest,
    Json,
    Lane,
    Market,
    OrderRequest,
    OrderStatus,
    Request,
    Session,
    TimeInForce,
    WalletProof,
)
from mpdex.utils.client_ids import ClientIds
from mpdex.utils.clock import SystemClock
from mpdex.utils.transport import Answer
from wrappers.variational import VariationalExchange
from wrappers.variational_calls import QuotedOrder
from wrappers.variational_wire import lot_of, next_offset, time_ms

D = Decimal
ADDRESS = "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1"
SECRET = "0x" + "01" * 32
NUMBER = "11111111-2222-3333-4444-555555555555"
QUOTE_ID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
CONFIG = {
    "min_order_notional": "0.1",
    "futures_taker_fee": "0.0",
    "default_precision_requirements": {
        "min_decimal_figures": 2,
        "max_decimal_only_figures": 4,
        "max_significant_figures": 6,
    },
}
INSTRUMENT = {
    "underlying": "ETH",
    "instrument_type": "perpetual_future",
    "settlement_asset": "USDC",
    "funding_interval_s": 3600,
}
PAGE_OF_THE_WALL = "<!DOCTYPE html><html><title>Just a moment...</title></html>"
PLACE = Request("POST", "/orders/new/limit", signed=True, command=True)
CANCEL = Request("POST", "/orders/cancel", signed=True, command=True)
READ = Request("GET", "/positions", signed=True)


def row(asset: str = "ETH", **changes: Any) -> dict[str, Any]:
    return {
        "asset": asset,
        "is_dex": False,
        "price": "1884.97",
        "is_close_only_mode": False,
        "has_perp": True,
        "instrument_type": "perpetual_future",
        "asset_class": None,
        **changes,
    }


def with_markets(dex: VariationalExchange, *rows: dict[str, Any]) -> VariationalExchange:
    assets = {one["asset"]: [one] for one in (rows or (row(),))}
    dex._markets.replace(dex.decode_markets([assets, CONFIG]))
    return dex


def keyed(**keys: str) -> VariationalExchange:
    return VariationalExchange(wallet_address=ADDRESS.lower(), **keys)


@pytest.fixture
def dex() -> VariationalExchange:
    return with_markets(keyed(wallet_private_key=SECRET))


@pytest.fixture
def eth(dex: VariationalExchange) -> Market:
    return dex._markets["ETH"]


def order(price: str | None = None, **changes: Any) -> OrderRequest:
    return OrderRequest(
        symbol="ETH",
        side=changes.pop("side", "buy"),
        size=D("0.500"),
        price=None if price is None else D(price),
        **changes,
    )


def quoted(**changes: Any) -> dict[str, Any]:
    return {
        "instrument": INSTRUMENT,
        "qty": "0.5",
        "bid": "1884.00",
        "ask": "1886.00",
        "mark_price": "1885",
        "quote_id": QUOTE_ID,
        **changes,
    }


def body_of(request: Request) -> Json:
    return msgspec.json.Decoder(float_hook=D).decode(sealed(request).body)


def token(expires: int | None) -> str:
    """A JSON Web Token that nobody has signed."""
    claims = {} if expires is None else {"exp": expires}
    parts = [msgspec.json.encode(part) for part in ({"alg": "none"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(p).rstrip(b"=").decode() for p in parts), "x"])


# --------------------------------------------------------------------------- markets


def test_kinds_that_are_not_known_are_left_out_and_the_others_kept() -> None:
    rows = (
        row(),
        row("GOLD", instrument_type="perpetual_rwa_future", asset_class="commodity"),
        row("TSLA", instrument_type="perpetual_rwa_future", asset_class="bond"),
        row("CFD", instrument_type="perpetual_cfd", asset_class="index"),
        row("NEW", instrument_type="swap"),
        row("WIF", is_dex=True),
        row("FREE", price="0"),
        row("OLD", is_close_only_mode=True),
    )
    dex = with_markets(VariationalExchange(read_only=True), *rows)
    assert dex._markets.symbols("perp") == ["ETH", "GOLD"]
    assert not dex._markets["OLD"]["active"]
    assert dex._markets["GOLD"]["raw"]["instrument"] == {
        "underlying": "GOLD",
        "instrument_type": "perpetual_rwa_future",
        "settlement_asset": "USDC",
        "kind": "commodity",
    }


def test_the_key_of_a_real_world_asset_is_spelled_for_an_address() -> None:
    share = row("SHAZ", instrument_type="perpetual_rwa_future", asset_class="equity")
    dex = with_markets(keyed(wallet_private_key=SECRET), share)
    market = dex._markets["SHAZ"]
    asked = dex.encode_open_orders(market)
    assert (asked.query or {})["instrument"] == "P-RWA%2FEQY-SHAZ-USDC"
    funding = dex.encode_funding_rate(market)
    assert funding.query == {
        "underlying": "SHAZ",
        "instrument_type": "perpetual_rwa_future",
        "asset_class": "equity",
    }
    listed = [{**order_row(), "instrument": market["raw"]["instrument"]}]
    assert dex.decode_orders(listed)[0]["symbol"] == "SHAZ"


@pytest.mark.parametrize(
    ("price", "tick", "step", "least"),
    [
        ("64000", "0.01", "0.000001", "0.000002"),
        ("1885", "0.01", "0.00001", "0.00006"),
        ("140.5", "0.001", "0.0001", "0.0008"),
        ("9.99", "0.00001", "0.01", "0.02"),
        ("0.1234", "0.0001", "0.1", "0.9"),
        ("0.0000123", "0.00000001", "1", "8131"),
    ],
)
def test_grids_follow_from_the_price(price: str, tick: str, step: str, least: str) -> None:
    dex = with_markets(VariationalExchange(read_only=True), row("X", price=price))
    market = dex._markets["X"]
    grid = (market["tick"], market["step"], market["min_size"])
    assert grid == (D(tick), D(step), D(least))
    asked = dex.encode_market_details(market).json["qty"]
    assert D(asked) % market["step"] == 0, "a size in one digit is on the grid"
    assert D(asked) * D(price) >= market["min_notional"]


def test_a_book_is_asked_for_the_size_that_was_named(dex: VariationalExchange, eth: Market) -> None:
    assert dex.encode_book(eth, 1000).json["qty"] == "0.6"  # about 1000 USDC
    dex.size_book("ETH", "0.0210009")
    request = dex.encode_book(eth, 1)
    assert request.json == {"instrument": INSTRUMENT, "qty": "0.021"}
    assert (request.path, request.signed, request.scope) == ("/quotes/simple", False, "quotes")
    dex.size_book("ETH", "0.00000001")
    assert D(dex.encode_book(eth, 1).json["qty"]) == eth["min_size"]


def test_a_side_that_is_not_quoted_is_no_level(dex: VariationalExchange, eth: Market) -> None:
    answer = quoted(bid=None, timestamp="2026-08-13T16:01:55.905123456Z")
    book = dex.decode_book(answer, eth)
    assert (book.bids, book.asks) == ([], [("1886.00", "0.5")])
    assert book.timestamp_ms == time_ms("2026-08-13T16:01:55.905Z")


@pytest.mark.parametrize(
    ("price", "lot"), [("63346.75", "0.000001"), ("0.1", "1"), ("0.0001", "1"), ("0", "1")]
)
def test_a_step_of_sizes_is_one_coin_at_most_also_without_a_price(price: str, lot: str) -> None:
    assert lot_of(D("0.1"), D(price)) == D(lot)


# --------------------------------------------------------------------------- orders


@pytest.mark.parametrize(("bps", "told"), [(None, "0.005"), (D(25), "0.0025"), (D(100), "0.01")])
def test_a_market_order_accepts_the_quote(
    dex: VariationalExchange, eth: Market, bps: Decimal | None, told: str
) -> None:
    request = dex.encode_order(order(slippage_bps=bps), eth, 0)
    assert isinstance(request, QuotedOrder)
    question = dex.encode_countersign(request, 0)
    assert question is not None
    assert (question.path, question.signed, question.command) == ("/quotes/indicative", True, False)
    assert question.json == {"instrument": INSTRUMENT, "qty": "0.5"}
    sent = dex.decode_countersign(quoted(bid="1885", ask="1885"), request)
    assert (sent.method, sent.path, sent.command) == ("POST", "/orders/new/market", True)
    assert (sent.scope, sent.lane, sent.signed) == ("orders", Lane.HEDGE, True)
    assert body_of(sent) == {
        "quote_id": QUOTE_ID,
        "side": "buy",
        "max_slippage": D(told),
        "is_reduce_only": False,
    }


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_what_a_quote_is_away_from_the_mark_counts(
    dex: VariationalExchange, eth: Market, side: Any
) -> None:
    request = dex.encode_order(order(side=side, slippage_bps=D(10)), eth, 0)
    sent = dex.decode_countersign(quoted(), request)
    left = D("0.001") - D(1) / 1885
    assert body_of(sent)["max_slippage"].quantize(D("1e-20")) == left.quantize(D("1e-20"))
    better = dex.decode_countersign(quoted(bid="1890", ask="1880"), request)
    assert body_of(better)["max_slippage"] == D("0.001")
    with pytest.raises(NoImmediateMatch, match="from the mark of 1885"):
        dex.decode_countersign(quoted(bid="1880", ask="1890"), request)


@pytest.mark.parametrize(
    "wrong",
    [
        {"qty": "0.4"},
        {"instrument": {**INSTRUMENT, "underlying": "BTC"}},
        {"quote_id": None, "mark_price": "x"},
        {"ask": None},
    ],
    ids=str,
)
def test_another_quote_than_was_asked_for_is_not_accepted(
    dex: VariationalExchange, eth: Market, wrong: dict[str, Any]
) -> None:
    request = dex.encode_order(order(), eth, 0)
    with pytest.raises(ProtocolError):
        dex.decode_countersign(quoted(**wrong), request)


def test_nothing_but_a_market_order_lacks_a_quote(dex: VariationalExchange, eth: Market) -> None:
    cancel = CancelRequest(symbol="ETH", order_id=NUMBER)
    for request in (
        dex.encode_order(order("1800"), eth, 0),
        dex.encode_cancel(cancel, eth),
        dex.encode_leverage(eth, D(5), 0),
    ):
        assert dex.encode_countersign(request, 0) is None


def test_a_limit_order_says_everything(dex: VariationalExchange, eth: Market) -> None:
    request = dex.encode_order(order("1800.50", reduce_only=True, slippage_bps=D(20)), eth, 0)
    assert (request.path, request.lane, request.command) == (
        "/orders/new/limit",
        Lane.QUOTE,
        True,
    )
    assert body_of(request) == {
        "order_type": "limit",
        "limit_price": "1800.5",
        "side": "buy",
        "instrument": INSTRUMENT,
        "qty": "0.5",
        "slippage_limit": "0.002",
        "is_auto_resize": False,
        "use_mark_price": False,
        "is_reduce_only": True,
    }


@pytest.mark.parametrize(
    "flags",
    [
        {"post_only": True},
        {"time_in_force": TimeInForce.IOC},
        {"time_in_force": TimeInForce.FOK},
    ],
    ids=str,
)
def test_what_no_order_can_be_is_refused_by_the_encoder(
    dex: VariationalExchange, eth: Market, flags: dict[str, Any]
) -> None:
    with pytest.raises(Unsupported):
        dex.encode_order(order("1800", **flags), eth, 0)


def test_an_acknowledgement_is_no_fill(dex: VariationalExchange) -> None:
    placed = dex.decode_placement({"rfq_id": NUMBER}, order(client_id="c"))
    assert (placed["id"], placed["status"], placed["filled"]) == (NUMBER, OrderStatus.PENDING, 0)
    for answer in ({}, {"rfq_id": ""}, {"rfq_id": 7}, None):
        with pytest.raises(ProtocolError):
            dex.decode_placement(answer, order())


def test_a_cancel_needs_the_venues_id(dex: VariationalExchange, eth: Market) -> None:
    request = dex.encode_cancel(CancelRequest(symbol="ETH", order_id=NUMBER), eth)
    assert (request.path, request.json) == ("/orders/cancel", {"rfq_id": NUMBER})
    assert (request.lane, request.command) == (Lane.CANCEL, True)
    assert dex.decode_cancel(None) is None
    with pytest.raises(OrderNotFound):
        dex.encode_cancel(CancelRequest(symbol="ETH", client_id=dex.new_client_id()), eth)


# --------------------------------------------------------------------------- order rows


def order_row(**changes: Any) -> dict[str, Any]:
    return {
        "rfq_id": NUMBER,
        "instrument": INSTRUMENT,
        "side": "sell",
        "qty": "0.5",
        "order_type": "limit",
        "limit_price": "1900.5",
        "price": None,
        "status": "pending",
        "clearing_status": "pending_clearing",
        "cancel_reason": None,
        "failed_risk_checks": None,
        "is_reduce_only": False,
        "tif": "good_til_canceled",
        "created_at": "2026-08-13T15:42:00.123456789Z",
        **changes,
    }


MARKET_ROW = {"order_type": "market", "limit_price": None, "tif": "fill_or_kill"}
ROWS: list[tuple[dict[str, Any], OrderStatus, str, str]] = [
    ({}, OrderStatus.OPEN, "0", ""),
    (MARKET_ROW, OrderStatus.PENDING, "0", ""),
    ({"status": "cleared", "price": "1901"}, OrderStatus.FILLED, "0.5", ""),
    (
        {**MARKET_ROW, "status": "rejected", "clearing_status": "rejected_failed_taker_funding"},
        OrderStatus.REJECTED,
        "0",
        "rejected_failed_taker_funding",
    ),
    (
        {
            "status": "rejected",
            "clearing_status": "rejected_failed_risk_checks",
            "failed_risk_checks": [{"name": "oi_limit_exceeded"}],
        },
        OrderStatus.REJECTED,
        "0",
        "rejected_failed_risk_checks oi_limit_exceeded",
    ),
    (
        {"status": "canceled", "clearing_status": None, "cancel_reason": "user_cancel"},
        OrderStatus.CANCELED,
        "0",
        "user_cancel",
    ),
]


@pytest.mark.parametrize(("changes", "status", "filled", "reason"), ROWS, ids=str)
def test_an_order_is_filled_whole_or_not(
    dex: VariationalExchange,
    changes: dict[str, Any],
    status: OrderStatus,
    filled: str,
    reason: str,
) -> None:
    told = dex.decode_order(order_row(**changes))
    assert (told["status"], told["filled"], told["reason"]) == (status, D(filled), reason)
    assert told["average_price"] == (D(1901) if status is OrderStatus.FILLED else None)
    assert told["price"] == (None if "order_type" in changes else D("1900.5"))
    assert told["timestamp_ms"] == time_ms("2026-08-13T15:42:00.123Z")


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "cleared"},
        {"status": "settling"},
        {"side": "short"},
        {"order_type": "twap"},
        {"instrument": None},
    ],
    ids=str,
)
def test_a_row_that_is_not_understood_is_no_order(
    dex: VariationalExchange, changes: dict[str, Any]
) -> None:
    with pytest.raises(ProtocolError):
        dex.decode_order(order_row(**changes))


def test_a_trigger_without_a_size_closes_whatever_there_is(dex: VariationalExchange) -> None:
    told = dex.decode_order(order_row(order_type="take_profit", qty=None, is_reduce_only=True))
    assert (told["size"], told["type"], told["reduce_only"]) == (0, "market", True)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("rejected_failed_taker_funding", InsufficientMargin),
        ("rejected_clearing_failed_taker_funding", InsufficientMargin),
        ("rejected_failed_reduce_only_check", ReduceOnlyRefused),
        ("no_positions_for_side", ReduceOnlyRefused),
        ("order_size_exceeds_position", ReduceOnlyRefused),
        ("rejected_maker_last_look_rejected", NoImmediateMatch),
        ("rejected_maker_last_look_expired", NoImmediateMatch),
        ("rejected_failed_risk_checks oi_limit_exceeded", LimitReached),
        ("rejected_failed_risk_checks global_configs_check", MarketUnavailable),
        ("rejected_clearing_failed_maker_funding", OrderRejected),
        ("market_delisted", MarketUnavailable),
        ("user_cancel", None),
        ("", None),
    ],
)
def test_reasons_are_refusals(
    dex: VariationalExchange, reason: str, kind: type[Exception] | None
) -> None:
    assert dex.decode_reason(reason) is kind


# --------------------------------------------------------------------------- lists


def page(rows: list[Any], following: int | None) -> dict[str, Any]:
    after = None if following is None else {"limit": "100", "offset": str(following)}
    return {"result": rows, "pagination": {"next_page": after, "object_count": len(rows)}}


def test_pages_go_on_until_there_is_none(dex: VariationalExchange, eth: Market) -> None:
    first = dex.encode_open_orders(eth)
    assert first.query == {
        "status": "pending",
        "instrument": "P-ETH-USDC-3600",
        "order_by": "created_at",
        "order": "desc",
        "limit": "100",
        "offset": "0",
    }
    after = dex.encode_orders_after(page([order_row()], 100), eth)
    assert after is not None
    assert after.query == {**first.query, "offset": "100"}
    assert dex.encode_orders_after(page([order_row()], None), eth) is None
    assert dex.encode_orders_after([order_row()] * 99, eth) is None
    with pytest.raises(ProtocolError, match="more open orders"):
        dex.encode_orders_after([order_row()] * 100, eth)


@pytest.mark.parametrize(
    ("answer", "offset", "following"),
    [
        (page([], None), 0, None),
        (page([1], 300), 200, 300),
        ([1] * 100, 200, 300),
        ([1] * 99, 200, None),
        ({"result": [1] * 100, "pagination": {"object_count": 100}}, 0, 100),
        ({"result": [1], "pagination": None}, 0, None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_where_the_next_page_begins(answer: Any, offset: int, following: int | None) -> None:
    assert next_offset(answer, offset) == following


def test_an_order_is_looked_for_at_the_time_it_was_sent(
    dex: VariationalExchange, eth: Market
) -> None:
    own = dex.new_client_id()
    made = dex.client_ids.made_ms(own)
    assert made is not None
    [asked] = dex.encode_order_queries(CancelRequest(symbol="ETH", client_id=own), eth)
    query = asked.query or {}
    assert query["status"] == "canceled,cleared,pending,rejected"
    since, until = time_ms(query["created_at_gte"]), time_ms(query["created_at_lte"])
    assert since <= made <= until
    by_id = CancelRequest(symbol="ETH", order_id=NUMBER)
    [asked] = dex.encode_order_queries(by_id, eth)
    assert "created_at_gte" not in (asked.query or {})
    strange = CancelRequest(symbol="ETH", client_id="00000000-0000-0000-0000-000000000001")
    assert dex.encode_order_queries(strange, eth) == []


def test_a_list_that_was_cut_proves_no_absence(dex: VariationalExchange) -> None:
    by_id = CancelRequest(symbol="ETH", order_id="somebody else's")
    assert dex.decode_order_query(page([order_row()], None), by_id) is None
    with pytest.raises(ProtocolError, match="longer than a page"):
        dex.decode_order_query(page([order_row()], 100), by_id)
    found = replace(by_id, order_id=NUMBER)
    told = dex.decode_order_query(page([order_row()], 100), found)
    assert told is not None
    assert told["id"] == NUMBER


def trade(**changes: Any) -> dict[str, Any]:
    return {
        "id": "t1",
        "source_rfq": NUMBER,
        "instrument": INSTRUMENT,
        "side": "buy",
        "price": "1885.5",
        "qty": "0.5",
        "role": "taker",
        "status": "confirmed",
        "trade_type": "trade",
        "created_at": "2026-08-13T15:42:00Z",
        **changes,
    }


def test_fills_are_trades_that_have_happened(dex: VariationalExchange, eth: Market) -> None:
    rows = [
        trade(),
        trade(id="t2", trade_type="liquidation", source_rfq=None, status=None),
        trade(id="t3", status="failed"),
        trade(id="t4", trade_type="settlement"),
        trade(id="t5", status="pending"),
    ]
    told = dex.decode_fills(page(rows, 100), "0")
    assert [fill["id"] for fill in told.fills] == ["t1", "t2"]
    assert [fill["order_id"] for fill in told.fills] == [NUMBER, ""]
    assert (told.cursor, told.backwards) == ("100", False)
    asked = dex.encode_fills(eth, 1_786_635_720_000, "100").query or {}
    assert (asked["created_at_gte"], asked["order"]) == ("2026-08-13T15:42:00.000Z", "asc")
    assert asked["offset"] == "100"
    assert "created_at_gte" not in (dex.encode_fills(None, 0, None).query or {})
    with pytest.raises(ProtocolError):
        dex.decode_fills([trade(status="reversed")], None)


# --------------------------------------------------------------------------- refusals

CHECK = {
    "name": "x",
    "passed": False,
    "limit": "1",
    "result": "2",
    "message": "Validation error: x",
}


@pytest.mark.parametrize(
    ("status", "answer", "request_", "kind"),
    [
        (422, {**CHECK, "error_code": "user_net_notional_limit_risk_check"}, PLACE, LimitReached),
        (422, {**CHECK, "error_code": "oi_limit_exceeded"}, PLACE, LimitReached),
        (422, {**CHECK, "error_code": "skew_as_percent_of_fdv_limit"}, PLACE, LimitReached),
        (422, {**CHECK, "error_code": "olp_net_notional_risk_check"}, PLACE, LimitReached),
        (422, {**CHECK, "error_code": "olp_risk_checks"}, PLACE, NoImmediateMatch),
        (422, {**CHECK, "error_code": "global_configs_check"}, PLACE, MarketUnavailable),
        (422, {**CHECK, "error_code": "user_risk_checks"}, PLACE, OrderRejected),
        (422, {**CHECK, "error_code": "internal"}, PLACE, VenueError),
        (400, {"error_message": "Insufficient margin"}, PLACE, InsufficientMargin),
        (400, {"message": "qty has too many decimals"}, PLACE, PrecisionRefused),
        (400, {"message": "limit price too far from mark"}, PLACE, PriceOutOfBand),
        (400, {"message": "unsupported instrument"}, PLACE, SymbolRefused),
        (400, {"message": "Quote has expired"}, PLACE, NoImmediateMatch),
        (400, {"message": "something new"}, PLACE, OrderRejected),
        (400, {"message": "something new"}, READ, VenueError),
        (400, {"message": "something new"}, CANCEL, OrderNotFound),
        (404, {"message": "RFQ not found"}, CANCEL, OrderNotFound),
        (404, {"message": "not there"}, READ, VenueError),
        (401, {"message": "no"}, READ, AuthError),
        (403, {"message": "no"}, PLACE, AuthError),
        (429, {"wait_until_seconds": 7}, READ, RateLimited),
        (418, {"message": "banned", "wait_until_seconds": 60}, PLACE, RateLimited),
        (408, {"message": "timeout"}, PLACE, OutcomeUnknown),
        (408, {"message": "timeout"}, READ, TransportError),
    ],
    ids=lambda value: str(value)[:60],
)
def test_every_refusal_has_its_class(
    dex: VariationalExchange, status: int, answer: Any, request_: Request, kind: type[MpdexError]
) -> None:
    error = dex.decode_error(status, answer, request_)
    assert type(error) is kind
    assert "Validation error" not in str(error)


def test_a_success_is_no_refusal(dex: VariationalExchange) -> None:
    for answer in (None, {"rfq_id": NUMBER}, [], "text"):
        assert dex.decode_error(200, answer, PLACE) is None


def test_a_ban_says_how_long(dex: VariationalExchange) -> None:
    error = dex.decode_error(418, {"wait_until_seconds": 60}, PLACE)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 60
    error = dex.decode_headers(418, {"x-rate-limit-resets-in-ms": "2500"}, PLACE)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 2.5
    assert dex.decode_headers(200, {"x-rate-limit-resets-in-ms": "2500"}, PLACE) is None
    assert dex.decode_headers(418, {"x-rate-limit-resets-in-ms": "soon"}, PLACE) is None
    assert type(dex.decode_page(418, "temporarily banned from orders", PLACE)) is RateLimited


@pytest.mark.parametrize("status", [403, 503])
def test_a_challenge_is_no_auth_error(dex: VariationalExchange, status: int) -> None:
    for request in (PLACE, READ):
        error = dex.decode_headers(status, {"cf-mitigated": "challenge"}, request)
        assert type(error) is TransportError
        assert "not a refusal of your keys" in str(error)
    page_error = dex.decode_page(403, PAGE_OF_THE_WALL, READ)
    assert type(page_error) is TransportError
    line_error = dex.decode_page(403, "error code: 1020", READ)
    assert type(line_error) is TransportError
    assert dex.decode_headers(status, {}, READ) is None


def test_only_a_stamped_401_is_the_end_of_a_session(dex: VariationalExchange) -> None:
    assert type(dex.decode_headers(401, {"x-omni-auth": "r"}, READ)) is SessionEnded
    assert dex.decode_headers(401, {}, READ) is None
    assert dex.decode_headers(400, {"x-omni-auth": "r"}, READ) is None
    assert type(dex.decode_page(401, "Unauthorized", READ)) is AuthError
    assert dex.decode_page(400, "<html>who knows</html>", PLACE) is None
    assert dex.decode_page(400, "who knows", PLACE) is None
    assert type(dex.decode_page(400, "Quote not found", PLACE)) is NoImmediateMatch


# --------------------------------------------------------------------------- sessions


def answer(status: int, body: Any, **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    spelled: Mapping[str, str] = {name.replace("_", "-"): v for name, v in headers.items()}
    return Answer(status, spelled, raw)


def signed_in(dex: VariationalExchange, login: Answer, now_ms: int = 0) -> Session:
    begun = dex.encode_login()
    assert begun is not None
    step = dex.continue_login(answer(200, b"sign this"), begun, now_ms)
    assert isinstance(step, Request)
    session = dex.continue_login(login, step, now_ms)
    assert isinstance(session, Session)
    return session


def test_a_session_is_the_cookie_and_ends_as_it_says(dex: VariationalExchange) -> None:
    given = token(1_800_000_000)
    session = signed_in(dex, answer(200, {"token": given}))
    assert session.headers == {"Cookie": f"vr-token={given}"}
    assert session.expires_ms == 1_800_000_000_000
    assert given not in repr(session)
    other = token(None)
    cookie = f"vr-token={other}; Path=/; Max-Age=60, __cf_bm=x; Path=/"
    session = signed_in(dex, answer(200, {"token": given}, **{"Set-Cookie": cookie}), 1000)
    assert session.headers == {"Cookie": f"vr-token={other}"}, "and no other cookie"
    assert session.expires_ms == 61_000
    session = signed_in(dex, answer(200, {"token": other}), 1000)
    assert session.expires_ms == 604_801_000


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(401, {"message": "Invalid signature"}), AuthError),
        (answer(403, {"message": "Captcha token is required"}), AuthError),
        (answer(403, PAGE_OF_THE_WALL.encode()), TransportError),
        (answer(503, b"", **{"cf-mitigated": "challenge"}), TransportError),
        (answer(403, b"error code: 1020"), TransportError),
        (answer(404, {"message": "not there"}), ProtocolError),
        (answer(502, b"<html>"), TransportError),
        (answer(429, {}), RateLimited),
        (answer(200, {"jwt": "x"}), ProtocolError),
    ],
    ids=str,
)
def test_a_login_that_fails(dex: VariationalExchange, reply: Answer, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        signed_in(dex, reply)
    assert type(caught.value) is kind


def test_the_text_must_be_one(dex: VariationalExchange) -> None:
    begun = dex.encode_login()
    assert begun is not None
    for body in ({"message": "sign this"}, ["sign this"], b"  "):
        with pytest.raises(MpdexError):
            dex.continue_login(answer(200, body), begun, 0)


def test_a_token_is_tried_first_and_gives_way_to_the_key() -> None:
    given = token(1_800_000_000)
    dex = keyed(vr_token=given, wallet_private_key=SECRET)
    probe = dex.encode_login()
    assert probe is not None
    assert (probe.method, probe.path, probe.headers["Cookie"]) == (
        "GET",
        "/me",
        f"vr-token={given}",
    )
    good = dex.continue_login(answer(200, {"token": given}), probe, 0)
    assert good == Session({"Cookie": f"vr-token={given}"}, 1_800_000_000_000)
    for dead in (answer(200, {"token": ""}), answer(401, {})):
        again = dex.continue_login(dead, probe, 0)
        assert isinstance(again, Request)
        assert again.path == "/auth/generate_signing_data"
        alone = keyed(vr_token=given)
        with pytest.raises(SessionEnded, match="copy the cookie again"):
            alone.continue_login(dead, probe, 0)
    with pytest.raises(TransportError):
        dex.continue_login(answer(500, {}), probe, 0)


def test_addresses_are_spelled_as_the_venue_wants_them(dex: VariationalExchange) -> None:
    begun = dex.encode_login()
    assert begun is not None
    assert begun.json == {"address": ADDRESS}
    assert begun.headers["vr-connected-address"] == ADDRESS
    signed = dex.sign(READ, 0)
    assert signed.headers["vr-connected-address"] == ADDRESS
    proof = dex.encode_proof(dex.decode_challenge(answer(200, b"x")), WalletProof(ADDRESS, "0xab"))
    assert proof.json == {"address": ADDRESS, "signed_message": "ab"}
    for wrong in ("1a642f", ADDRESS + "00", "0x" + "g" * 40):
        with pytest.raises(UsageError, match="wallet_address"):
            VariationalExchange(wallet_address=wrong)


def test_keys_are_checked_before_anything_is_sent() -> None:
    with pytest.raises(MissingCredentials, match="wallet_address"):
        VariationalExchange(wallet_private_key=SECRET)
    wrong = keyed(wallet_private_key="0x" + "zz" * 32)
    begun = wrong.encode_login()
    assert begun is not None
    with pytest.raises(UsageError, match="wallet_private_key is wrong") as caught:
        wrong.continue_login(answer(200, b"sign this"), begun, 0)
    assert "zz" not in str(caught.value)
    for broken in ("two\nlines", "two\r\nlines", "two words", "one;more", "not-ascii-é"):
        with pytest.raises(UsageError, match="vr_token has letters that no key has") as caught:
            keyed(vr_token=broken)
        assert broken not in str(caught.value)
    assert SECRET[2:] not in repr(keyed(wallet_private_key=SECRET)._auth)


def test_headers_ask_for_no_json_and_come_from_the_page(
    dex: VariationalExchange, eth: Market
) -> None:
    for request in (dex.encode_positions(eth), dex.encode_book(eth, 1), *dex.encode_markets()):
        assert isinstance(request, Request)
        assert request.headers["Accept"] == "*/*"
        assert request.headers["Origin"] == "https://omni.variational.io"
    asked = dex.encode_positions(eth)
    assert isinstance(asked, Request)
    assert asked.headers["Referer"] == "https://omni.variational.io/perpetual/ETH"


# --------------------------------------------------------------------------- what it declares


def test_it_is_the_taker_of_a_hedge_and_nothing_else() -> None:
    spec = VariationalExchange.SPEC
    assert spec.fragile
    assert spec.keeps_session, "a person signs in, once a week"
    assert spec.indicative_books
    assert spec.canary == "weak"
    assert spec.impersonates == "chrome"
    assert not spec.supports & {"post_only", "ioc", "client_order_id", "spot"}
    assert VariationalExchange.streams() == ()


def test_client_ids_are_made_although_the_venue_takes_none() -> None:
    ids = ClientIds(VariationalExchange.SPEC.client_id, SystemClock())
    made = ids.new()
    assert ids.ours(made)
    assert ids.made_ms(made) is not None


def test_it_is_opened_without_its_library() -> None:
    """The library is imported with the first request, and named where it is not there."""

    async def play() -> None:
        dex = VariationalExchange(read_only=True)
        assert dex._transport_class().__name__ == "CurlTransport"
        await dex.close()

    asyncio.run(play())

"""Paradex's translations: what an order becomes, what an answer means, how a socket is entered."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from base64 import urlsafe_b64encode
from decimal import Decimal
from struct import pack
from typing import Any

import fast_stark_crypto
import pytest
from core.ws_double import PING, PONG, TEXT, Peer, Server, until, virtually
from msgspec import DecodeError

from mpdex.dex.requests import sealed
from mpdex.errors import (
    AuthError,
    BadOrder,
    DuplicateClientId,
    InsufficientMargin,
    LimitReached,
    MarketUnavailable,
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
    UsageError,
    VenueError,
)
from mpdex.types import (
    BboUpdate,
    BookUpdate,
    CancelRequest,
    FillUpdate,
    Lane,
    Market,
    MarkUpdate,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Reply,
    Request,
    Session,
    Subscribed,
    TimeInForce,
    Topic,
)
from mpdex.utils.clock import LoopClock
from mpdex.utils.rest import Answer
from mpdex.utils.session import SessionKeeper
from mpdex.utils.signing.stark import starknet_keccak
from mpdex.utils.socket import HandshakeRefused
from wrappers import paradex_auth as auth
from wrappers import paradex_sbe as sbe
from wrappers.paradex import IMMEDIATE_WINDOW_MS, WINDOW_MS, ParadexExchange
from wrappers.paradex_wire import classify_reason
from wrappers.paradex_ws_client import (
    ParadexAccountStream,
    ParadexMarketStream,
    ParadexWSClient,
    call_params,
    is_text,
)
from wrappers.venue_stream import _Call

D = Decimal
ETH = "ETH-USD-PERP"
MAIN, SUBKEY = 0x101010101010101, 0x202020202020202
ADDRESS = "0x129c135ed63df9353885e292be4426b8ed6122b13c6c0e1bb787288a1f5adfa"
CHAIN = {"starknet_chain_id": "PRIVATE_SN_PARACLEAR_MAINNET"}
NOW_MS = 1_790_000_000_000
PLACE = Request("POST", "/orders", signed=True, command=True, call="order.create")
CANCEL = Request("DELETE", "/orders/7", signed=True, command=True, call="order.cancel")
READ = Request("GET", "/orders/7", signed=True)


def listed(**changes: Any) -> dict[str, Any]:
    entry = {
        "symbol": ETH,
        "base_currency": "ETH",
        "quote_currency": "USD",
        "settlement_currency": "USDC",
        "asset_kind": "PERP",
        "order_size_increment": "0.001",
        "price_tick_size": "0.01",
        "min_notional": "10",
        "max_order_size": "100",
        "price_bands_width": "0.05",
        "delta1_cross_margin_params": {"imf_base": "0.02"},
        "funding_period_hours": 8,
    }
    return {**entry, **changes}


def opened(key: int = MAIN) -> ParadexExchange:
    venue = ParadexExchange(account_address=ADDRESS, private_key=hex(key))
    venue._markets.replace(venue.decode_markets([CHAIN, {"results": [listed()]}]))
    return venue


VENUE = opened()
PERP: Market = VENUE._markets[ETH]


def order(**changes: Any) -> OrderRequest:
    given = {"symbol": ETH, "side": "buy", "size": D("0.50"), "client_id": "7"}
    return OrderRequest(**{**given, **changes})


def encoded(asked: OrderRequest) -> Request:
    return VENUE.encode_order(asked, PERP, NOW_MS * 10**6)


RAW = {
    "id": "17",
    "client_id": "7",
    "market": ETH,
    "side": "SELL",
    "type": "LIMIT",
    "instruction": "GTC",
    "price": "3000",
    "size": "0.5",
    "remaining_size": "0.5",
    "avg_fill_price": "",
    "status": "OPEN",
    "cancel_reason": "",
    "flags": [],
    "created_at": NOW_MS,
    "last_updated_at": NOW_MS + 1,
}

# --------------------------------------------------------------------------- orders out


def test_a_limit_order() -> None:
    request = encoded(order(price=D("3000.10"), reduce_only=True, post_only=True))
    assert request.json == {
        "market": ETH,
        "side": "BUY",
        "type": "LIMIT",
        "size": "0.50",
        "price": "3000.10",
        "client_id": "7",
        "instruction": "POST_ONLY",
        "recv_window": WINDOW_MS,
        "flags": ["REDUCE_ONLY"],
    }
    assert (request.command, request.signed, request.lane) == (True, True, Lane.QUOTE)
    assert (str(request), request.call) == ("POST /orders", "order.create")


def test_an_order_that_must_trade_at_once_has_the_shorter_window() -> None:
    at_market = encoded(order())
    assert (at_market.json["type"], at_market.json["price"]) == ("MARKET", "0")
    bounded = encoded(order(price=D(3000), time_in_force=TimeInForce.IOC))
    for request in (at_market, bounded):
        assert request.json["instruction"] == "IOC"
        assert request.json["recv_window"] == IMMEDIATE_WINDOW_MS
        assert request.lane is Lane.HEDGE
    assert VENUE.SPEC.request_bound_ms == WINDOW_MS
    assert VENUE.SPEC.immediate_bound_ms == IMMEDIATE_WINDOW_MS


def test_a_small_number_has_no_exponent() -> None:
    request = encoded(order(price=D("1E-7"), size=D("1E+3")))
    assert (request.json["price"], request.json["size"]) == ("0.0000001", "1000")


@pytest.mark.parametrize("changes", [{"size": D("0.000000001")}, {"price": D("1.000000001")}])
def test_what_the_signature_cannot_hold_is_not_sent(changes: dict[str, Any]) -> None:
    with pytest.raises(BadOrder, match="8 decimals"):
        encoded(order(**changes))


@pytest.mark.parametrize("key", [MAIN, SUBKEY], ids=["main key", "subkey"])
def test_the_signature_is_of_the_key_for_the_main_account(key: int) -> None:
    venue = opened(key)
    request = venue.encode_order(order(price=D(3000)), PERP, 0)
    body = json.loads(venue.sign(sealed(request), NOW_MS).body)
    assert body["signature_timestamp"] == NOW_MS, "the window begins when it leaves"
    account = auth.ParadexAuth(ADDRESS, hex(MAIN))
    account.join(CHAIN["starknet_chain_id"])
    hashed = account.hash_order(NOW_MS, ETH, "BUY", "LIMIT", D("0.5"), D(3000))
    r, s = map(int, json.loads(body["signature"]))
    public = fast_stark_crypto.get_public_key(key)
    assert fast_stark_crypto.verify(public, hashed, r, s)
    assert {name: body[name] for name in request.json} == request.json


def test_another_chain_is_another_signature() -> None:
    elsewhere = opened()
    elsewhere.decode_markets([{"starknet_chain_id": "PRIVATE_SN_POTC_SEPOLIA"}, {"results": []}])
    request = sealed(encoded(order()))
    assert VENUE.sign(request, NOW_MS).body != elsewhere.sign(request, NOW_MS).body


def test_nothing_is_signed_before_the_chain_is_known() -> None:
    venue = ParadexExchange(account_address=ADDRESS, private_key=hex(MAIN))
    with pytest.raises(UsageError, match=r"init\(\)"):
        venue.sign(sealed(encoded(order())), NOW_MS)


def test_the_type_hashes_are_those_of_their_texts() -> None:
    assert {starknet_keccak(text): text for text in auth.TYPES.values()} == auth.TYPES


def test_an_order_costs_nine_hashes_and_a_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    library, calls = fast_stark_crypto, []
    signed = library.sign
    for name in ("pedersen_hash", "get_public_key"):
        real = getattr(library, name)
        monkeypatch.setattr(
            library, name, lambda *a, real=real, name=name: (calls.append(name), real(*a))[1]
        )
    monkeypatch.setattr(library, "sign", lambda *a: (calls.append("sign"), signed(*a))[1])
    venue = opened()
    calls.clear()
    venue.sign(sealed(venue.encode_order(order(price=D(3000)), PERP, 0)), NOW_MS)
    assert calls == ["pedersen_hash"] * 9 + ["sign"]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"account_address": "main"}, "account_address"),
        ({"account_address": "0x0"}, "account_address"),
        ({"private_key": "0x0"}, "subkey"),
        ({"private_key": "very secret"}, "subkey"),
    ],
)
def test_malformed_keys(keys: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        ParadexExchange(**{"account_address": ADDRESS, "private_key": hex(MAIN), **keys})
    assert "very secret" not in str(caught.value)


def test_nothing_secret_is_shown() -> None:
    assert f"{MAIN:x}" not in repr(VENUE._auth)
    assert ADDRESS in repr(VENUE._auth)


# --------------------------------------------------------------------------- other commands


def test_a_cancel_by_either_id() -> None:
    by_id = VENUE.encode_cancel(CancelRequest(symbol=ETH, order_id="17", client_id="7"), PERP)
    assert (str(by_id), by_id.query, by_id.call) == ("DELETE /orders/17", None, "order.cancel")
    assert call_params(by_id) == {"id": "17"}
    ours = VENUE.encode_cancel(CancelRequest(symbol=ETH, client_id="a/b"), PERP)
    assert (str(ours), ours.query) == ("DELETE /orders/by_client_id/a%2Fb", {"market": ETH})
    assert call_params(ours) == {"client_id": "a/b", "market": ETH}
    everything = VENUE.encode_cancel_all(PERP)
    assert everything is not None
    assert (str(everything), everything.query) == ("DELETE /orders", {"market": ETH})
    assert (call_params(everything), everything.call) == ({"market": ETH}, "order.cancel_all")
    for request in (by_id, ours, everything):
        assert (request.lane, request.command, request.json) == (Lane.CANCEL, True, None)
        assert VENUE.sign(request, NOW_MS) is request, "only orders are signed"


@pytest.mark.parametrize("answer", [None, {"order_id": "17", "status": "QUEUED_FOR_CANCELLATION"}])
def test_a_cancel_is_only_queued(answer: Any) -> None:
    assert VENUE.decode_error(200, answer, CANCEL) is None
    assert VENUE.decode_cancel(answer) is None


def test_leverage_is_a_whole_number_and_cross() -> None:
    request = VENUE.encode_leverage(PERP, D(10), 0)
    assert (str(request), request.command) == (f"POST /account/margin/{ETH}", True)
    assert request.json == {"leverage": 10, "margin_type": "CROSS"}
    with pytest.raises(BadOrder, match="whole"):
        VENUE.encode_leverage(PERP, D("2.5"), 0)


# --------------------------------------------------------------------------- orders back


@pytest.mark.parametrize(
    ("changes", "status", "filled"),
    [
        ({"status": "NEW"}, OrderStatus.PENDING, "0"),
        ({"status": "NEW", "remaining_size": None}, OrderStatus.PENDING, "0"),
        ({"status": "UNTRIGGERED"}, OrderStatus.PENDING, "0"),
        ({}, OrderStatus.OPEN, "0"),
        ({"remaining_size": "0.2", "avg_fill_price": "3000"}, OrderStatus.OPEN, "0.3"),
        (
            {"status": "CLOSED", "remaining_size": "0", "avg_fill_price": "3000"},
            OrderStatus.FILLED,
            "0.5",
        ),
        (
            {
                "status": "CLOSED",
                "remaining_size": "0",
                "avg_fill_price": "3000",
                "cancel_reason": "FILLED",
            },
            OrderStatus.FILLED,
            "0.5",
        ),
        ({"status": "CLOSED", "cancel_reason": "USER_CANCELED"}, OrderStatus.CANCELED, "0"),
        (
            {"status": "CLOSED", "cancel_reason": "POST_ONLY_WOULD_CROSS"},
            OrderStatus.REJECTED,
            "0",
        ),
        (
            {"status": "CLOSED", "cancel_reason": "NOT_ENOUGH_MARGIN", "remaining_size": "0"},
            OrderStatus.REJECTED,
            "0",
        ),
        (
            {
                "status": "CLOSED",
                "remaining_size": "0.2",
                "avg_fill_price": "3000",
                "cancel_reason": "NOT_ENOUGH_MARGIN",
            },
            OrderStatus.CANCELED,
            "0.3",
        ),
        ({"status": "CLOSED", "cancel_reason": "A_NEW_WORD"}, OrderStatus.CANCELED, "0"),
    ],
)
def test_what_was_executed_decides(
    changes: dict[str, Any], status: OrderStatus, filled: str
) -> None:
    found = VENUE.decode_order({**RAW, **changes})
    assert (found["status"], found["filled"]) == (status, D(filled))


@pytest.mark.parametrize(
    "broken",
    [
        {**RAW, "status": "SLEEPING"},
        {**RAW, "side": "BOTH"},
        {**RAW, "instruction": "FOK"},
        {**RAW, "size": "much"},
        {**RAW, "remaining_size": None},
        {**RAW, "remaining_size": None, "status": "CLOSED"},
        {key: value for key, value in RAW.items() if key != "id"},
        "text",
        None,
    ],
)
def test_an_answer_not_understood_is_never_guessed(broken: Any) -> None:
    with pytest.raises(ProtocolError):
        VENUE.decode_order(broken)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("POST_ONLY_WOULD_CROSS", PostOnlyWouldCross),
        ("NOT_ENOUGH_MARGIN", InsufficientMargin),
        ("ORDER_EXCEEDS_POSITION_LIMIT", LimitReached),
        ("SYSTEM_STATUS_POST_ONLY", MarketUnavailable),
        ("PRICE_OUTSIDE_BAND", PriceOutOfBand),
        ("REDUCE_ONLY_WOULD_INCREASE", ReduceOnlyRefused),
        ("MMP_FROZEN", OrderRejected),
        ("USER_CANCELED", None),
        ("MARKET_NOT_OPEN", None),
        ("NO_LIQUIDITY", None),
        ("", None),
    ],
)
def test_late_refusals(reason: str, kind: type[OrderRejected] | None) -> None:
    assert classify_reason(reason) is VENUE.decode_reason(reason) is kind


def test_an_order_is_looked_for_where_it_lives_then_in_the_history() -> None:
    live, ended = VENUE.encode_order_queries(CancelRequest(symbol=ETH, client_id="7"), PERP)
    assert str(live) == "GET /orders/by_client_id/7"
    filters = {"market": ETH, "page_size": "1000"}
    assert (str(ended), ended.query) == ("GET /orders-history", {**filters, "client_id": "7"})
    query = CancelRequest(symbol=ETH, order_id="17")
    live, ended = VENUE.encode_order_queries(query, PERP)
    assert str(live) == "GET /orders/17"
    assert ended.query == filters
    again = {**RAW, "client_id": "7", "id": "18", "created_at": NOW_MS + 5}
    history = {"next": None, "results": [RAW, again]}
    found = VENUE.decode_order_query(history, CancelRequest(symbol=ETH, client_id="7"))
    assert found is not None
    assert found["id"] == "18", "of two with one client id the newer"
    found = VENUE.decode_order_query(history, query)
    assert found is not None
    assert found["id"] == "17"
    assert VENUE.decode_order_query({"results": []}, query) is None


def test_fills_are_read_page_by_page() -> None:
    request = VENUE.encode_fills(PERP, NOW_MS, None)
    assert request.query == {"market": ETH, "start_at": str(NOW_MS), "page_size": "1000"}
    following = VENUE.encode_fills(None, NOW_MS, "a+b=")
    assert (following.query or {})["cursor"] == "a%2Bb%3D"
    assert VENUE.decode_fills({"next": "a+b=", "results": []}, None).cursor == "a+b="
    assert VENUE.decode_fills({"next": "", "results": []}, None).cursor is None


# --------------------------------------------------------------------------- errors


def test_a_fee_is_of_the_currency_that_it_names() -> None:
    row = {
        "id": "1",
        "order_id": "2",
        "client_id": "7",
        "market": ETH,
        "side": "BUY",
        "price": "3000",
        "size": "0.5",
        "fee": "0.1",
        "fee_currency": "DIME",
        "liquidity": "MAKER",
        "created_at": NOW_MS,
    }
    [fill] = VENUE.decode_fills({"results": [row], "next": None}, None).fills
    assert (fill["fee"], fill["fee_asset"], fill["client_order_id"]) == (D("0.1"), "DIME", "7")


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (400, "INVALID_ORDER_SIGNATURE", "", AuthError),
        (400, "INVALID_TIMESTAMP", "order arrived after recv_window", NonceRefused),
        (400, "INVALID_ORDER_SIZE", "", PrecisionRefused),
        (400, "VALIDATION_ERROR", "price is not a multiple of the tick size", PrecisionRefused),
        (400, "VALIDATION_ERROR", "notional is below the minimum", PrecisionRefused),
        (400, "VALIDATION_ERROR", "reduce-only order would increase", ReduceOnlyRefused),
        (400, "VALIDATION_ERROR", "margin requirement is not met", InsufficientMargin),
        (400, "VALIDATION_ERROR", "price is outside the price band", PriceOutOfBand),
        (400, "VALIDATION_ERROR", "too many open orders", LimitReached),
        (400, "VALIDATION_ERROR", "client_id is a duplicate", DuplicateClientId),
        (400, "VALIDATION_ERROR", "client_id is too long", OrderRejected),
        (400, "VALIDATION_ERROR", "", OrderRejected),
        (400, "DUPLICATED_CLIENT_ID", "", DuplicateClientId),
        (400, "MARKET_NOT_FOUND", "", SymbolRefused),
        (400, "MARKET_NOT_OPEN", "", MarketUnavailable),
        (400, "NO_ACCESS_TO_MARKET", "", AuthError),
        (400, "GEO_IP_BLOCK", "", AuthError),
        (400, "IP_NOT_ALLOWED", "", AuthError),
        (400, "INVALID_SUBKEY", "", AuthError),
        (400, "INVALID_TOKEN_SCOPE", "", AuthError),
        (400, "MARKET_MARGIN_RESTRICTED", "", MarketUnavailable),
        (400, "ORDER_ID_NOT_FOUND", "", OrderNotFound),
        (400, "ORDER_IS_NOT_OPEN", "", OrderNotFound),
        (400, "INVALID_TOKEN", "", SessionEnded),
        (400, "UNAUTHORIZED_ERROR", "", SessionEnded),
        (400, "SYSTEM_STATUS_CANCEL_ONLY", "", MarketUnavailable),
        (400, "SYSTEM_STATUS_POST_ONLY", "", MarketUnavailable),
        (400, "CLIENT_ORDER_ID_NOT_FOUND", "", OrderNotFound),
        (400, "ORDER_IS_CLOSED", "", OrderNotFound),
        (404, "NOT_FOUND", "", OrderNotFound),
        (401, "INVALID_TOKEN", "", SessionEnded),
        (401, "SOMETHING_NEW", "missing or malformed jwt", SessionEnded),
        (403, "GEO_IP_BLOCK", "", AuthError),
        (429, "TOO_MANY_REQUESTS", "", RateLimited),
        (400, "SOMETHING_NEW", "", OrderRejected),
        (400, "SERVICE_UNAVAILABLE", "", OutcomeUnknown),
        (400, "INTERNAL_ERROR", "", OutcomeUnknown),
    ],
)
def test_errors_of_an_order(status: int, code: str, message: str, kind: type[VenueError]) -> None:
    answer = {"error": code, "message": message, "data": None}
    error = VENUE.decode_error(status, answer, PLACE)
    assert type(error) is kind
    assert "POST /orders" in str(error)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 100, "message": "method error", "data": "INVALID_ORDER_SIGNATURE"}, AuthError),
        ({"code": -32602, "message": "VALIDATION_ERROR: bad tick size"}, PrecisionRefused),
        ({"code": -32602, "message": "Invalid parameters"}, OrderRejected),
        ({"code": 42901, "message": "Rate limit exceeded"}, RateLimited),
        ({"code": 40110, "message": "Malformed Bearer Token"}, SessionEnded),
        ({"code": 40111, "message": "Invalid Bearer Token"}, SessionEnded),
        ({"code": -32602, "message": "refused", "data": "INTERNAL_ERROR"}, OutcomeUnknown),
        ({"code": 100, "message": "x", "data": "DUPLICATED_CLIENT_ID"}, DuplicateClientId),
        ({"code": 40300, "message": "Permission denied"}, AuthError),
        ({"code": 100, "message": "order is not a multiple of the increment"}, PrecisionRefused),
        ({"code": 100, "message": "method error"}, OutcomeUnknown),
        ({"code": -32603, "message": "Internal error"}, OutcomeUnknown),
        ({"code": 100, "message": "x", "data": {"error": "MARKET_NOT_OPEN"}}, MarketUnavailable),
    ],
)
def test_errors_of_an_order_over_the_socket(error: dict[str, Any], kind: type[VenueError]) -> None:
    assert type(VENUE.decode_error(200, {"error": error}, PLACE)) is kind


def test_errors_without_the_venues_form() -> None:
    assert type(VENUE.decode_error(429, None, READ)) is RateLimited
    assert type(VENUE.decode_error(403, "denied", READ)) is AuthError
    assert type(VENUE.decode_error(418, "teapot", READ)) is VenueError
    assert type(VENUE.decode_error(400, {"error": "INTERNAL_ERROR"}, READ)) is TransportError
    late = {"error": "INVALID_TIMESTAMP", "message": "clock"}
    assert type(VENUE.decode_error(400, late, READ)) is AuthError
    assert VENUE.decode_error(200, {"results": []}, READ) is None
    assert type(VENUE.decode_page(401, "missing or malformed jwt", READ)) is SessionEnded
    assert VENUE.decode_page(404, "not here", READ) is None


# --------------------------------------------------------------------------- login


def test_a_login_names_key_and_account() -> None:
    venue = opened(SUBKEY)
    request = venue.encode_login()
    public = fast_stark_crypto.get_public_key(SUBKEY)
    assert request is not None
    assert str(request) == f"POST /auth/{public:#x}"
    headers = venue.sign(request, NOW_MS + 999).headers
    assert headers["PARADEX-STARKNET-ACCOUNT"] == ADDRESS
    now, end = (
        int(headers[name]) for name in ("PARADEX-TIMESTAMP", "PARADEX-SIGNATURE-EXPIRATION")
    )
    assert (now, end - now) == (NOW_MS // 1000, auth.LOGIN_SECONDS)
    fields = (int.from_bytes(b"POST"), int.from_bytes(b"/v1/auth"), 0, now, end)
    hashed = venue._auth.message_hash(auth.struct_hash(auth.LOGIN_TYPE, fields))
    r, s = map(int, json.loads(headers["PARADEX-STARKNET-SIGNATURE"]))
    assert fast_stark_crypto.verify(public, hashed, r, s)


def test_a_token_holds_until_it_says_or_for_five_minutes() -> None:
    claims = urlsafe_b64encode(b'{"exp":1790000290}').decode().rstrip("=")
    for token, expires_ms in ((f"e30.{claims}.c2ln", 1790000290_000), ("opaque", NOW_MS + 300_000)):
        answer = Answer(200, {}, json.dumps({"jwt_token": token}).encode())
        session = VENUE.decode_login(answer, NOW_MS)
        assert session == Session({"Authorization": f"Bearer {token}"}, expires_ms)
        assert token not in repr(session)


def test_an_account_that_is_not_known() -> None:
    with pytest.raises(AuthError, match="NOT_ONBOARDED"):
        VENUE.decode_login(Answer(400, {}, b'{"error":"NOT_ONBOARDED"}'), NOW_MS)
    with pytest.raises(ProtocolError):
        VENUE.decode_login(Answer(200, {}, b"{}"), NOW_MS)


def test_reading_needs_no_keys() -> None:
    venue = ParadexExchange(read_only=True)
    assert venue.decode_markets([CHAIN, {"results": [listed()]}]) == [PERP]


# --------------------------------------------------------------------------- markets, account


def test_a_market() -> None:
    assert (PERP["tick"], PERP["step"], PERP["min_size"]) == (D("0.01"), D("0.001"), D("0.001"))
    assert (PERP["max_leverage"], PERP["price_band"], PERP["active"]) == (D(50), D("0.05"), True)
    assert PERP["quote"] == "USDC", "what fees are paid in, so that they count in sums"


def test_a_market_of_thousands() -> None:
    entry = listed(symbol="kBONK-USD-PERP", base_currency="kBONK")
    (bonk,) = VENUE.decode_markets([CHAIN, {"results": [entry]}])
    assert (bonk["coin"], bonk["multiplier"]) == ("kBONK", D(1000))


def test_other_kinds_of_market_are_left_out() -> None:
    kinds = ("PERP", "SPOT", "PERP_OPTION", "OPTION", "FUTURE")
    entries = [listed(asset_kind=kind, symbol=kind) for kind in kinds]
    assert [m["symbol"] for m in VENUE.decode_markets([CHAIN, {"results": entries}])] == ["PERP"]


def test_a_market_without_a_book_does_not_trade() -> None:
    (market,) = VENUE.decode_markets([CHAIN, {"results": [listed(trading_mode="RFQ_ONLY")]}])
    assert not market["active"]


def test_positions_by_side_whatever_the_sign() -> None:
    row = {"market": ETH, "status": "OPEN", "average_entry_price": "3000", "leverage": "5"}
    rows = [
        {**row, "side": "SHORT", "size": "-0.5", "liquidation_price": "4000"},
        {**row, "side": "LONG", "size": "0.5", "liquidation_price": ""},
        {**row, "side": "LONG", "size": "0"},
        {**row, "side": "LONG", "size": "1", "status": "CLOSED"},
    ]
    short, long = VENUE.decode_positions({"results": rows})
    assert (short["side"], short["size"], short["liquidation_price"]) == (
        "short",
        D("0.5"),
        D(4000),
    )
    assert (long["side"], long["size"], long["liquidation_price"]) == ("long", D("0.5"), None)


@pytest.mark.parametrize("mode", ["cross", "isolated"])
def test_a_margin_mode(mode: str) -> None:
    config = {"market": ETH, "leverage": 20, "margin_type": mode.upper()}
    info = VENUE.decode_leverage_info({"account": ADDRESS, "configs": [config]}, PERP)
    assert (info["margin_mode"], info["leverage"]) == (mode, D(20))


def test_the_accounts_own_fees() -> None:
    rates = {"maker_rate": "-0.00005", "taker_rate": "0.0002"}
    rows = [
        {"account": "0x77", "fees": {"maker_rate": "1", "taker_rate": "1"}},
        {"account": ADDRESS.upper().replace("0X", "0x0"), "fees": rates},
    ]
    fees = VENUE.decode_fees({"results": rows}, PERP)
    assert (fees["maker"], fees["taker"], fees["assumed"]) == (D("-0.00005"), D("0.0002"), False)
    with pytest.raises(ProtocolError):
        VENUE.decode_fees({"results": rows[:1]}, PERP)


# --------------------------------------------------------------------------- binary frames


def header(block: int, template: int, *, schema: int = 1, version: int = 2) -> bytes:
    return pack("<HHHH", block, template, schema, version)


def text(word: str) -> bytes:
    return bytes((len(word),)) + word.encode()


def book_frame(*, block: int = 89, entry: int = 16, kind: int = 0) -> bytes:
    fixed = pack("<qqB9q", NOW_MS * 1000, 46, kind, *[0] * 9).ljust(block, b"\0")
    bids = pack("<HH", entry, 1) + pack("<qq", 300_000_000_000, 50_000_000).ljust(entry, b"\0")
    asks = pack("<HH", entry, 0)
    return header(block, sbe.BOOK) + fixed + bids + asks + text(ETH)


@pytest.mark.parametrize(("block", "entry"), [(89, 16), (97, 16), (89, 24)])
def test_a_book_of_any_version(block: int, entry: int) -> None:
    (update,) = ParadexMarketStream().decode(book_frame(block=block, entry=entry))
    bids = [("3000.00000000", "0.50000000")]
    assert update == BookUpdate(ETH, bids, [], 46, 46, True, NOW_MS)


def test_a_change_of_a_book_is_none_of_all_of_it() -> None:
    (update,) = ParadexMarketStream().decode(book_frame(kind=1))
    assert isinstance(update, BookUpdate)
    assert not update.snapshot


def test_a_quote_with_an_empty_side() -> None:
    null = -(2**63)
    fixed = pack("<qqqqqq", NOW_MS * 1000, 1, 299_999_000_000, 10**8, null, null)
    (update,) = ParadexMarketStream().decode(header(48, sbe.BBO) + fixed + text(ETH))
    assert update == BboUpdate(ETH, "2999.99000000", "1.00000000", "", "", NOW_MS)


def test_a_summary_of_the_oldest_version() -> None:
    values = [NOW_MS * 1000, 1, 300_000_000_000, 300_100_000_000, *[0] * 23]
    frame = header(216, sbe.SUMMARY, version=0) + pack("<27q", *values) + text(ETH)
    (update,) = ParadexMarketStream().decode(frame)
    assert update == MarkUpdate(ETH, D(3000), D(3001), NOW_MS)


@pytest.mark.parametrize(
    "frame",
    [
        b"\x59\x00",
        header(89, sbe.BOOK),
        book_frame()[:-1],
        book_frame()[:110],
        header(48, sbe.BBO, schema=2),
        header(200, sbe.SUMMARY) + bytes(100),
        header(48, sbe.BBO) + bytes(48),
        header(48, sbe.BBO) + bytes(48) + b"\x02\xff\xff",
    ],
)
def test_a_frame_that_is_cut_short_is_said_to_be(frame: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(ParadexMarketStream().decode(frame))


@pytest.mark.parametrize("template", [1, 5, 6, 23, 40, 41, 99])
def test_a_template_never_asked_for_says_nothing(template: int) -> None:
    assert ParadexMarketStream().decode(header(16, template) + bytes(16)) == ()


def test_negative_numbers_of_any_size() -> None:
    assert [sbe.fixed(units) for units in (0, 1, -1, -(10**8), -150_000_000)] == [
        "0.00000000",
        "0.00000001",
        "-0.00000001",
        "-1.00000000",
        "-1.50000000",
    ]


def test_two_bytes_tell_text_from_binary() -> None:
    assert is_text(b'{"id":1}')
    assert is_text(b'{\n  "id": 1}')
    assert is_text(b"{}")
    for length in (48, 50, 58, 66, 89, 107, 116, 123, 126, 128, 154, 216, 240, 248, 0x17B, 0x87B):
        assert not is_text(header(length, sbe.BOOK)), length
    assert sbe.decode(header(16, 40) + bytes(16)) == ("", {})


@pytest.mark.parametrize("side", [1, 2])
def test_own_events_in_binary_are_those_of_json(side: int) -> None:
    account = int(ADDRESS, 16).to_bytes(32, "big")
    us = NOW_MS * 1000
    fixed = pack(
        "<qqBBBB7q32sqqBB",
        *(us, 1, 3, side, 1, 3, 3000 * 10**8, -(2**63), 5 * 10**7, 2 * 10**7, 2999 * 10**8),
        *(us, us + 1000, account, us, us, 2, 1),
    )
    names = b"".join(map(text, ("17", "7", ETH, "")))
    (update,) = ParadexAccountStream().decode(header(126, sbe.ORDER, version=1) + fixed + names)
    assert isinstance(update, OrderUpdate)
    found = update.order
    assert (found["id"], found["client_order_id"], found["symbol"]) == ("17", "7", ETH)
    assert found["side"] == {1: "buy", 2: "sell"}[side]
    assert (found["size"], found["filled"], found["average_price"]) == (D("0.5"), D("0.3"), D(2999))
    assert (found["status"], found["post_only"], found["reduce_only"]) == (
        OrderStatus.OPEN,
        True,
        True,
    )
    assert found["timestamp_ms"] == NOW_MS + 1
    fixed = pack(
        "<qqB8q32s5qB",
        *(us, 1, side, 5 * 10**7, 3000 * 10**8, -(10**8), 0, -(2**63), 0, 5 * 10**8, us),
        *(account, 0, 0, 0, 0, 0, 1),
    )
    frame = header(154, sbe.POSITION) + fixed + text(ETH) + text("9")
    (told,) = ParadexAccountStream().decode(frame)
    assert isinstance(told, PositionUpdate)
    assert told.size == {1: D("0.5"), 2: D("-0.5")}[side]
    assert told.position is not None
    assert (told.position["entry_price"], told.position["leverage"]) == (D(3000), D(5))
    assert told.position["mark_price"] is None


def test_a_fill_in_binary_of_the_version_without_a_currency() -> None:
    us = NOW_MS * 1000
    fixed = pack(
        "<qqBBB5q32sqq",
        *(us, -(2**63), 1, 2, 1, 3000 * 10**8, 10**7, -(10**6), 0, us),
        *(bytes(32), 0, 0),
    )
    names = b"".join(map(text, ("9", "17", "", "8", ETH)))
    (update,) = ParadexAccountStream().decode(header(107, sbe.FILL, version=1) + fixed + names)
    assert isinstance(update, FillUpdate)
    fill = update.fill
    assert (fill["id"], fill["order_id"], fill["client_order_id"]) == ("9", "17", None)
    assert (fill["side"], fill["liquidity"], fill["fee"]) == ("sell", "maker", D("-0.01"))
    assert (fill["fee_asset"], fill["timestamp_ms"]) == ("USDC", NOW_MS)
    names = b"".join(map(text, ("9", "17", "7", "8", ETH, "DIME")))
    frame = header(116, sbe.FILL) + fixed + pack("<BQ", 0, 1) + names
    (update,) = ParadexAccountStream().decode(frame)
    assert isinstance(update, FillUpdate)
    assert (update.fill["client_order_id"], update.fill["fee_asset"]) == ("7", "DIME")


@pytest.mark.parametrize(
    ("side", "units", "size"),
    [
        (2, 0, "0.00000000"),
        (2, 1, "-0.00000001"),
        (2, -1, "-0.00000001"),
        (1, 0, "0.00000000"),
        (254, 7, "0.00000007"),
    ],
)
def test_only_a_short_position_that_holds_something_is_signed(
    side: int, units: int, size: str
) -> None:
    fixed = pack("<qqB8q32s5qB", 1, 1, side, units, *[0] * 7, bytes(32), *[0] * 5, 3)
    told = sbe.decode(header(154, sbe.POSITION) + fixed + text(ETH) + text(""))[1]
    assert (told["size"], told["status"]) == (size, "UNSPECIFIED")


def test_flags_of_a_fill_are_told_by_name() -> None:
    fixed = pack("<qqBBB5q32sqqBQ", 1, 1, *[1] * 3, *[0] * 5, bytes(32), 0, 0, 0b1111_1101, 7)
    told = sbe.decode(header(116, sbe.FILL) + fixed + b"".join(map(text, "abcde")))[1]
    assert told["flags"] == ["INTERACTIVE", "FASTFILL", "UNKNOWN"]
    assert (told["orderbook_seq_no"], told["fee_currency"]) == (7, None)


@pytest.mark.parametrize(
    ("codes", "texts", "expected"),
    [
        ((0, 0), ("", ""), None),
        ((), (), None),
        ((3, 1), ("9", "late"), ("9", "REJECTED", "MODIFY_ORDER", "late")),
        ((1, 0), ("9",), ("9", "PENDING", "UNSPECIFIED", "")),
        ((254, 254), (), ("", None, None, "")),
    ],
)
def test_what_became_of_a_change_is_told_where_the_frame_is_about_one(
    codes: tuple[int, ...], texts: tuple[str, ...], expected: tuple[str | None, ...] | None
) -> None:
    fixed = pack("<qqBBBB7q32sqqBB", 1, 1, *[1] * 4, *[0] * 7, bytes(32), 0, 0, 0, 0)
    tail = b"".join(map(text, ("17", "7", ETH, "", *texts)))
    told = sbe.decode(header(126 + len(codes), sbe.ORDER) + fixed + bytes(codes) + tail)[1]
    names = ("id", "status", "request_type", "message")
    assert told["request_info"] == (expected and dict(zip(names, expected, strict=True)))


def test_an_account_and_funding_in_binary() -> None:
    us = NOW_MS * 1000
    fixed = pack("<9q32sqBq", us, 1, *[10**8] * 6, us, bytes(32), 0, 1, us)
    kind, told = sbe.decode(header(121, 23) + fixed + text("USDC"))
    assert (kind, told["last_seen_notification"]) == ("account", NOW_MS)
    fixed = pack("<7qh", us, 1, 10**4, -(10**8), us, 0, 1, 8)
    kind, told = sbe.decode(header(58, 5, version=0) + fixed + text(ETH))
    assert (kind, told["funding_rate"], told["funding_index"]) == (
        "funding_data",
        "0.00010000",
        "-1.00000000",
    )
    assert (told["funding_period_hours"], told["impact_premium_rate"]) == (8, None)
    kind, told = sbe.decode(header(26, 6) + pack("<qqqBB", us, us, -1, 1, 8) + text(ETH))
    assert (kind, told["hourly_funding_rate"]) == ("funding_rate_comparison", "-0.000000000001")
    assert (told["asset_kind"], told["source"]) == ("ASSET_KIND_PERPETUAL_FUTURE", "SOURCE_LIGHTER")


# --------------------------------------------------------------------------- text frames


def said(**message: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")).encode()


def channel(name: str, **data: Any) -> bytes:
    return said(method="subscription", params={"channel": name, "data": data})


def test_a_quote_and_a_change_of_a_book_in_json() -> None:
    stream = ParadexMarketStream()
    quote = {"market": ETH, "seq_no": 1, "bid": "1", "bid_size": "2", "last_updated_at": NOW_MS}
    (update,) = stream.decode(channel(f"bbo.{ETH}", **quote, ask="", ask_size=""))
    assert update == BboUpdate(ETH, "1", "2", "", "", NOW_MS)
    level = {"side": "BUY", "price": "1", "size": "2"}
    change = {
        "market": ETH,
        "seq_no": 5,
        "last_updated_at": NOW_MS,
        "update_type": "d",
        "inserts": [level],
        "updates": [{**level, "side": "SELL", "price": "3"}],
        "deletes": [{**level, "price": "0.5"}],
    }
    (update,) = stream.decode(channel(f"order_book.{ETH}.deltas", **change))
    bids, asks = [("1", "2"), ("0.5", "0")], [("3", "2")]
    assert update == BookUpdate(ETH, bids, asks, 5, 5, False, NOW_MS)


def test_topics() -> None:
    market, account = ParadexMarketStream(), ParadexAccountStream()
    assert market.wire_topic(Topic("book", ETH)) == f"order_book.{ETH}.snapshot@15@50ms"
    assert market.wire_topic(Topic("bbo", ETH)) == f"bbo.{ETH}"
    assert market.wire_topic(Topic("mark", ETH)) == f"markets_summary.{ETH}"
    assert account.wire_topic(Topic("orders")) == "orders.ALL"
    assert account.wire_topic(Topic("fills", ETH)) == f"fills.{ETH}"
    assert account.wire_topic(Topic("positions", ETH)) == "positions"
    assert ParadexWSClient is ParadexAccountStream


def test_a_call_has_the_body_that_was_signed() -> None:
    request = VENUE.sign(sealed(encoded(order(price=D(3000)))), NOW_MS)
    frame = ParadexAccountStream().encode_call(request, 7)
    message = json.loads(frame)
    assert (message["method"], message["id"]) == ("order.create", 7)
    assert request.body in frame
    canceled = VENUE.encode_cancel(CancelRequest(symbol=ETH, order_id="17"), PERP)
    message = json.loads(ParadexAccountStream().encode_call(canceled, 8))
    assert (message["method"], message["params"]) == ("order.cancel", {"id": "17"})


def test_the_answer_to_an_order_holds_the_order() -> None:
    stream = ParadexAccountStream()
    stream._calls[7] = _Call(None, PLACE, 0.0)  # type: ignore[arg-type]
    created = {"order": RAW, "created_at": NOW_MS, "received_at": NOW_MS * 10**6}
    (reply,) = stream.decode(said(id=7, result=created))
    assert reply == Reply(7, body=RAW)
    (reply,) = stream.decode(said(id=7, error={"code": 42901, "message": "Rate limit exceeded"}))
    assert isinstance(reply, Reply)
    assert type(VENUE.decode_error(200, reply.body, PLACE)) is RateLimited
    (reply,) = stream.decode(said(id=7, error={"code": 40111, "message": "Invalid Bearer Token"}))
    assert isinstance(reply, Reply)
    assert type(reply.error) is SessionEnded
    assert "POST /orders" in str(reply.error)


@pytest.mark.parametrize("message", [{}, {"method": "notice"}, {"result": {}}, {"id": None}])
def test_a_message_that_answers_nothing_confirms_nothing(message: dict[str, Any]) -> None:
    assert ParadexAccountStream().decode(said(**message)) == ()
    assert ParadexAccountStream().decode(said(id=0, result={})) == (Subscribed("auth"),)


@pytest.mark.parametrize("frame", [b"", b"{", b"\0"])
def test_a_frame_of_next_to_nothing_is_not_understood(frame: bytes) -> None:
    with pytest.raises((ProtocolError, DecodeError)):
        list(ParadexMarketStream().decode(frame))


def test_a_socket_without_a_token_is_not_entered() -> None:
    with pytest.raises(AuthError):
        ParadexAccountStream().encode_auth()


# --------------------------------------------------------------------------- entering


REFUSED = (400, {}, '{"error":"UNSUPPORTED_SCHEMA_VERSION"}')


async def listens(peer: Peer) -> None:
    await peer.gone()


@pytest.mark.parametrize(
    ("refused", "entered"),
    [
        (0, "?sbeSchemaId=1&sbeSchemaVersion=3"),
        (1, "?sbeSchemaId=1&sbeSchemaVersion=2"),
        (2, "?sbeSchemaId=1&sbeSchemaVersion=1"),
        (3, ""),
    ],
)
def test_the_newest_schema_that_the_server_has(refused: int, entered: str) -> None:
    @virtually
    async def run() -> None:
        async with Server(listens) as server:
            server.refusals = [REFUSED] * refused
            stream = ParadexMarketStream(url=server.url, rng=random.Random(1))
            await stream.connect()
            assert server.accepted[0].path == f"/stream{entered}"
            assert len(server.peers) == refused + 1
            stream.renew("to see what is asked for then")
            await until(lambda: len(server.accepted) == 2)
            assert server.accepted[1].path == f"/stream{entered}"
            assert len(server.peers) == refused + 2, "what was good is tried first"
            await stream.close()

    run()


@virtually
async def test_a_server_that_has_none_is_said_to_refuse() -> None:
    async with Server(listens) as server:
        server.refusals = [REFUSED] * 100
        stream = ParadexMarketStream(url=server.url, rng=random.Random(1))
        stream.CONNECT_MAX_ATTEMPTS = 1
        with pytest.raises(HandshakeRefused):
            await stream.connect()
        assert len(server.peers) == 4
        await stream.close()


@virtually
async def test_the_token_is_told_first_and_the_socket_outlives_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logins = 0

    async def login() -> Session:
        nonlocal logins
        logins += 1
        return Session({"Authorization": f"Bearer token-{logins}"}, clock.now_ms() + 300_000)

    heard: list[dict[str, Any]] = []

    async def talks(peer: Peer) -> None:
        while True:
            kind, payload = await peer.receive()
            if kind == PING:
                peer.send(payload, PONG)
            if kind != TEXT:
                continue
            message = json.loads(payload)
            heard.append(message)
            result = {"node_id": "n"} if message["method"] == "auth" else message["params"]
            peer.send(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}))

    clock = LoopClock(asyncio.get_running_loop(), NOW_MS * 10**6)
    caplog.set_level(logging.DEBUG)
    async with Server(talks) as server:
        keeper = SessionKeeper(login, clock=clock)
        stream = ParadexAccountStream(
            url=server.url, session=keeper, clock=clock, rng=random.Random(1)
        )
        await stream.connect()
        await stream.subscribe(Topic("orders"))
        await asyncio.sleep(50)
        assert stream.ends_at is None, "who has been let in may stay"
        stream.renew("to see which token is told")
        await asyncio.sleep(400)
        stream.renew("again, the token being over")
        await asyncio.sleep(10)
        assert stream.connected
        await stream.close()
    told = [message["params"]["bearer"] for message in heard if message["method"] == "auth"]
    assert told == ["token-1", "token-1", "token-2"]
    asked = [message["params"] for message in heard if message["method"] == "subscribe"]
    assert asked == [{"channel": "orders.ALL"}] * 3
    assert "token-" not in caplog.text

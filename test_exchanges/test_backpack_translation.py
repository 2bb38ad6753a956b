"""Backpack: what is refused before sending, what errors become, what recordings do not show."""

from __future__ import annotations

import base64
import json
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest
from nacl.signing import SigningKey

from mpdex.errors import (
    AuthError,
    BadOrder,
    InsufficientMargin,
    MarketUnavailable,
    MissingCredentials,
    MpdexError,
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
    SymbolRefused,
    TransportError,
    Unsupported,
    UsageError,
    VenueError,
)
from mpdex.types import (
    CancelRequest,
    FillUpdate,
    Lane,
    Market,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Reply,
    Request,
    TimeInForce,
    Topic,
)
from wrappers.backpack import BackpackExchange
from wrappers.backpack_auth import BackpackAuth
from wrappers.backpack_ws_client import BackpackAccountClient, BackpackWSClient

D = Decimal
SEED = bytes(range(32))
API_KEY = base64.b64encode(bytes(SigningKey(SEED).verify_key)).decode()
SECRET = base64.b64encode(SEED).decode()
VENUE = BackpackExchange(read_only=True)
NOW_MS = 1_764_000_000_000
PLACE = Request("POST", "/api/v1/order", signed=True, command=True)
CANCEL = Request("DELETE", "/api/v1/order", signed=True, command=True)
READ = Request("GET", "/api/v1/orders", signed=True)

ORDER = {
    "id": "1",
    "clientId": 7,
    "createdAt": NOW_MS,
    "symbol": "ETH_USDC_PERP",
    "side": "Ask",
    "orderType": "Limit",
    "timeInForce": "IOC",
    "price": "3000",
    "quantity": "0.5",
    "executedQuantity": "0.2",
    "executedQuoteQuantity": "600.2",
    "status": "Expired",
}


def listed(**changes: Any) -> dict[str, Any]:
    entry = {
        "symbol": "ETH_USDC_PERP",
        "baseSymbol": "ETH",
        "quoteSymbol": "USDC",
        "marketType": "PERP",
        "orderBookState": "Open",
        "fundingInterval": 3_600_000,
        "imfFunction": {"base": "0.02"},
        "filters": {
            "price": {"tickSize": "0.01"},
            "quantity": {"stepSize": "0.0001", "minQuantity": "0.0001", "maxQuantity": "100"},
        },
    }
    return {**entry, **changes}


def market(**changes: Any) -> Market:
    return VENUE.decode_markets([[listed(**changes)]])[0]


PERP = market()
SPOT = market(symbol="ETH_USDC", marketType="SPOT", imfFunction=None)


def order(**changes: Any) -> OrderRequest:
    given = {"symbol": "ETH_USDC_PERP", "side": "buy", "size": D("0.50"), "client_id": "7"}
    return OrderRequest(**{**given, **changes})


def encoded(asked: OrderRequest, on: Market = PERP) -> Request:
    return VENUE.encode_order(asked, on, NOW_MS * 10**6)


# --------------------------------------------------------------------------- orders out


def test_the_fields_stand_in_the_order_of_the_signing_text() -> None:
    request = encoded(order(price=D("3000.10"), time_in_force=TimeInForce.IOC, reduce_only=True))
    assert list(request.json) == sorted(request.json)
    assert request.json == {
        "clientId": 7,
        "orderType": "Limit",
        "price": "3000.10",
        "quantity": "0.50",
        "reduceOnly": True,
        "side": "Bid",
        "symbol": "ETH_USDC_PERP",
        "timeInForce": "IOC",
    }
    assert json.loads(request.body) == request.json
    assert (request.command, request.signed, request.lane) == (True, True, Lane.HEDGE)


def test_a_small_number_has_no_exponent() -> None:
    request = encoded(order(price=D("1E-7"), size=D("1E+3")))
    assert (request.json["price"], request.json["quantity"]) == ("0.0000001", "1000")


def test_a_market_order_with_a_bound() -> None:
    request = encoded(order(slippage_bps=D(50)))
    assert request.json["slippageTolerance"] == "0.50"
    assert request.json["slippageToleranceType"] == "Percent"
    assert "timeInForce" not in request.json


@pytest.mark.parametrize(
    ("asked", "on", "error"),
    [
        (order(price=D(1), post_only=True, time_in_force=TimeInForce.IOC), PERP, BadOrder),
        (order(price=D(1), post_only=True, time_in_force=TimeInForce.FOK), PERP, BadOrder),
        (order(post_only=True), PERP, BadOrder),
        (order(reduce_only=True), SPOT, Unsupported),
        (order(time_in_force=TimeInForce.FOK), PERP, Unsupported),
        (order(price=D(1), slippage_bps=D(5)), PERP, Unsupported),
        (order(client_id="4294967296"), PERP, BadOrder),
        (order(client_id="0"), PERP, BadOrder),
        (order(client_id="abc"), PERP, BadOrder),
    ],
)
def test_refused_before_sending(asked: OrderRequest, on: Market, error: type[UsageError]) -> None:
    with pytest.raises(error, match="backpack"):
        encoded(asked, on)


def test_leverage_belongs_to_the_account() -> None:
    request = VENUE.encode_leverage(PERP, D(10), 0)
    assert (request.method, request.json) == ("PATCH", {"leverageLimit": "10"})
    for encode in (VENUE.encode_leverage_info, VENUE.encode_funding_rate):
        with pytest.raises(Unsupported):
            encode(SPOT)


# --------------------------------------------------------------------------- orders back


@pytest.mark.parametrize(
    ("status", "executed", "expected"),
    [
        ("Expired", "0.2", OrderStatus.EXPIRED),
        ("Expired", "0.5", OrderStatus.FILLED),
        ("Cancelled", "0.5", OrderStatus.FILLED),
        ("Cancelled", "0", OrderStatus.CANCELED),
        ("PartiallyFilled", "0.2", OrderStatus.OPEN),
        ("TriggerFailed", "0", OrderStatus.REJECTED),
    ],
)
def test_what_was_executed_decides(status: str, executed: str, expected: OrderStatus) -> None:
    answer = {**ORDER, "status": status, "executedQuantity": executed}
    found = VENUE.decode_order(answer)
    assert (found["status"], found["filled"]) == (expected, D(executed))


@pytest.mark.parametrize(
    "broken",
    [
        {**ORDER, "status": "Sleeping"},
        {**ORDER, "side": "Both"},
        {**ORDER, "timeInForce": "GTD"},
        {**ORDER, "executedQuantity": "much"},
        {key: value for key, value in ORDER.items() if key != "id"},
        "text",
        None,
    ],
)
def test_an_answer_not_understood_is_never_guessed(broken: Any) -> None:
    with pytest.raises(ProtocolError):
        VENUE.decode_order(broken)


@pytest.mark.parametrize("answer", ["", None, [], {**ORDER, "status": "New"}])
def test_a_cancel_taken_but_not_done(answer: Any) -> None:
    assert VENUE.decode_cancel(answer) is None


def test_an_order_is_looked_for_on_the_book_then_in_the_history() -> None:
    query = CancelRequest(symbol="ETH_USDC_PERP", client_id="7")
    resting, ended = VENUE.encode_order_queries(query, PERP)
    assert (resting.path, resting.query) == (
        "/api/v1/order",
        {"clientId": "7", "symbol": "ETH_USDC_PERP"},
    )
    assert ended.path == "/wapi/v1/history/orders"
    assert "clientId" not in (ended.query or {})
    others = [{**ORDER, "id": "2", "clientId": None}, {**ORDER, "id": "3", "clientId": 8}]
    assert VENUE.decode_order_query(others, query) is None
    found = VENUE.decode_order_query([*others, ORDER], query)
    assert found is not None
    assert found["id"] == "1"
    by_id = CancelRequest(symbol="ETH_USDC_PERP", order_id="3")
    assert (VENUE.encode_order_queries(by_id, PERP)[1].query or {})["orderId"] == "3"
    assert VENUE.decode_order_query(others, by_id) is not None


def test_fills_are_read_page_by_page() -> None:
    fill = {
        "tradeId": 1,
        "orderId": "1",
        "clientId": "7",
        "symbol": "ETH_USDC_PERP",
        "side": "Bid",
        "price": "3000",
        "quantity": "0.1",
        "fee": "-0.01",
        "feeSymbol": "USDC",
        "isMaker": True,
        "timestamp": "2025-07-27T17:39:00",
    }
    first = VENUE.encode_fills(PERP, NOW_MS, None)
    assert first.query == {
        "limit": "1000",
        "offset": "0",
        "symbol": "ETH_USDC_PERP",
        "from": str(NOW_MS),
    }
    page = VENUE.decode_fills([fill] * 1000, None)
    assert page.cursor == "1000"
    assert VENUE.decode_fills([fill] * 1000, "1000").cursor == "2000"
    last = VENUE.decode_fills([fill], "2000")
    assert last.cursor == "2001", "a short page may have been cut"
    assert VENUE.decode_fills([], "2001").cursor is None
    assert last.fills[0]["client_order_id"] == "7"
    assert last.fills[0]["fee"] == D("-0.01")
    assert last.fills[0]["liquidity"] == "maker"
    assert last.fills[0]["timestamp_ms"] == 1753637940000


# --------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (400, "INVALID_ORDER", "Order would immediately match and take.", PostOnlyWouldCross),
        (400, "INVALID_ORDER", "Reduce only order not reduced", ReduceOnlyRefused),
        (400, "INVALID_ORDER", "Invalid order", OrderRejected),
        (400, "INVALID_PRICE", "Price is too far from the last active price", PriceOutOfBand),
        (400, "INVALID_PRICE", "Price decimal too long", PrecisionRefused),
        (400, "INVALID_QUANTITY", "Quantity decimal too long", PrecisionRefused),
        (400, "INSUFFICIENT_MARGIN", "", InsufficientMargin),
        (400, "INSUFFICIENT_FUNDS", "", InsufficientMargin),
        (400, "INVALID_SYMBOL", "", SymbolRefused),
        (400, "INVALID_CLIENT_REQUEST", "Invalid signature", AuthError),
        (
            400,
            "INVALID_CLIENT_REQUEST",
            "Invalid timestamp: must be within 10 minutes",
            NonceRefused,
        ),
        (400, "INVALID_CLIENT_REQUEST", "Request has expired", NonceRefused),
        (400, "INVALID_CLIENT_REQUEST", "Must specify symbol", OrderRejected),
        (400, "SOMETHING_NEW", "", OrderRejected),
        (401, "UNAUTHORIZED", "", AuthError),
        (403, "FORBIDDEN", "", AuthError),
        (404, "RESOURCE_NOT_FOUND", "Not Found", OrderNotFound),
        (400, "RESOURCE_NOT_FOUND", "Not Found", OrderNotFound),
        (429, "TOO_MANY_REQUESTS", "", RateLimited),
        (400, "TRADING_PAUSED", "", MarketUnavailable),
        (400, "TIMEOUT", "", OutcomeUnknown),
        (503, "SERVICE_UNAVAILABLE", "Unknown error, please check", OutcomeUnknown),
        (503, "MAINTENANCE", "", OutcomeUnknown),
    ],
)
def test_errors_of_an_order(status: int, code: str, message: str, kind: type[MpdexError]) -> None:
    error = VENUE.decode_error(status, {"code": code, "message": message}, PLACE)
    assert type(error) is kind
    assert "POST /api/v1/order" in str(error)


def test_errors_without_the_venues_form() -> None:
    assert type(VENUE.decode_error(403, "<html>denied</html>", READ)) is AuthError
    assert type(VENUE.decode_error(429, None, READ)) is RateLimited
    assert type(VENUE.decode_error(502, "<html>", READ)) is TransportError
    assert type(VENUE.decode_error(418, "teapot", READ)) is VenueError
    assert VENUE.decode_error(200, [], READ) is None
    assert VENUE.decode_error(202, "", CANCEL) is None


def test_no_position_of_one_market_is_no_error() -> None:
    answer = {"code": "RESOURCE_NOT_FOUND", "message": "Not Found"}
    request = VENUE.encode_positions(PERP)
    assert VENUE.decode_error(404, answer, request) is None
    assert VENUE.decode_positions(answer) == []
    assert type(VENUE.decode_error(404, answer, READ)) is VenueError


# --------------------------------------------------------------------------- markets, account


def test_a_market_of_thousands() -> None:
    bonk = market(symbol="kBONK_USDC_PERP", baseSymbol="kBONK")
    assert (bonk["symbol"], bonk["coin"]) == ("kBONK_USDC_PERP", "BONK")
    assert bonk["multiplier"] == D(1000)
    assert market(baseSymbol="kmno")["multiplier"] == D(1)


@pytest.mark.parametrize(
    "changes", [{"orderBookState": "PostOnly"}, {"orderBookState": "New word"}, {"visible": False}]
)
def test_a_market_that_does_not_trade(changes: dict[str, Any]) -> None:
    assert not market(**changes)["active"]


def test_other_kinds_of_market_are_left_out() -> None:
    entries = [listed(marketType=kind) for kind in ("PERP", "PREDICTION", "DATED", "SPOT")]
    assert [entry["kind"] for entry in VENUE.decode_markets([entries])] == ["perp", "spot"]


@pytest.mark.parametrize(
    ("depth", "limit"), [(1, "5"), (10, "10"), (21, "50"), (1000, "1000"), (5000, "1000")]
)
def test_depth_is_rounded_up_to_what_is_offered(depth: int, limit: str) -> None:
    assert (VENUE.encode_book(PERP, depth).query or {})["limit"] == limit


def test_fees_are_basis_points_of_the_market_kind() -> None:
    answer = {
        "futuresMakerFee": "-0.5",
        "futuresTakerFee": "5",
        "spotMakerFee": "8",
        "spotTakerFee": "10",
    }
    perp, spot = VENUE.decode_fees(answer, PERP), VENUE.decode_fees(answer, SPOT)
    assert (perp["maker"], perp["taker"]) == (D("-0.00005"), D("0.0005"))
    assert (spot["maker"], spot["taker"]) == (D("0.0008"), D("0.001"))


def test_collateral_and_leverage() -> None:
    answer = {"netEquity": "120.5", "netEquityAvailable": "100", "pnlUnrealized": "-1"}
    collateral = VENUE.decode_collateral(answer)
    assert (collateral["total"], collateral["available"]) == (D("120.5"), D(100))
    info = VENUE.decode_leverage_info({"leverageLimit": "10"}, PERP)
    assert (info["leverage"], info["max_leverage"], info["margin_mode"]) == (D(10), D(50), "cross")


@pytest.mark.parametrize("answer", [1761587499447, "1761587499447"])
def test_the_venues_clock_is_a_bare_number(answer: object) -> None:
    assert VENUE.decode_server_time(answer) == 1761587499447
    assert str(VENUE.encode_server_time()) == "GET /api/v1/time"
    with pytest.raises(ProtocolError):
        VENUE.decode_server_time({"error": "busy"})


@pytest.mark.parametrize(
    ("filters", "band"),
    [
        ({"minMultiplier": "0.25", "maxMultiplier": "2"}, D("0.75")),
        ({"minMultiplier": "0.25", "maxMultiplier": None}, D("0.75")),
        ({"meanMarkPriceBand": {"minMultiplier": "0.9", "maxMultiplier": "1.1"}}, D("0.1")),
        ({"meanMarkPriceBand": None}, None),
    ],
)
def test_the_narrowest_price_band_counts(filters: dict[str, Any], band: D | None) -> None:
    raw = PERP["raw"]
    entry = {**raw, "filters": {**raw["filters"], "price": {"tickSize": "0.01", **filters}}}
    (market,) = VENUE.decode_markets([[entry]])
    assert market["price_band"] == band


# --------------------------------------------------------------------------- keys and proofs


def test_a_secret_of_seed_and_public_key_signs_the_same() -> None:
    both = base64.b64encode(SEED + base64.b64decode(API_KEY)).decode()
    texts = {
        BackpackAuth(API_KEY, secret).sign(PLACE, NOW_MS).headers["X-Signature"]
        for secret in (SECRET, both)
    }
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("api_key", "secret", "window_ms", "words"),
    [
        (API_KEY, "not base64!", 5000, "secret_key"),
        (API_KEY, base64.b64encode(b"short").decode(), 5000, "secret_key"),
        (base64.b64encode(bytes(32)).decode(), SECRET, 5000, "api_key"),
        (API_KEY, SECRET, 60_001, "window_ms"),
        (API_KEY, SECRET, 0, "window_ms"),
    ],
)
def test_keys_that_cannot_be_right(api_key: str, secret: str, window_ms: int, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        BackpackAuth(api_key, secret, window_ms)
    assert secret not in str(caught.value)


def test_the_secret_is_not_shown() -> None:
    auth = BackpackAuth(API_KEY, SECRET)
    assert SECRET not in repr(auth)
    assert SEED.hex() not in repr(auth)


def test_a_signature_can_be_checked_with_the_public_key() -> None:
    auth = BackpackAuth(API_KEY, SECRET)
    request = encoded(order(price=D(3000), post_only=True))
    signed = auth.sign(request, NOW_MS)
    signature = base64.b64decode(signed.headers["X-Signature"])
    text = auth.signing_text(request, NOW_MS)
    SigningKey(SEED).verify_key.verify(text.encode(), signature)
    assert signed.body is request.body


def test_a_signature_changes_nothing_but_the_headers() -> None:
    request = Request(
        "DELETE",
        "/api/v1/order",
        json={"symbol": "A"},
        query={},
        host="other",
        signed=True,
        scope="orders",
        weight=3,
        lane=Lane.CANCEL,
        command=True,
        call="c",
        body=b"b",
        headers={"X-Broker-Id": "1"},
        nonce=1,
        client_id="1",
    )
    defaults = Request("GET", "/")
    names = [field.name for field in fields(Request)]
    assert all(getattr(request, name) != getattr(defaults, name) for name in names)
    signed = BackpackAuth(API_KEY, SECRET).sign(request, NOW_MS)
    assert signed.headers["X-Broker-Id"] == "1"
    assert signed.headers["X-Timestamp"] == str(NOW_MS)
    assert replace(signed, headers=request.headers) == request


def test_an_order_keeps_its_short_window() -> None:
    dex = BackpackExchange(api_key=API_KEY, secret_key=SECRET, window_ms=60_000)
    assert dex.sign(PLACE, NOW_MS).headers["X-Window"] == "5000"
    assert dex.sign(READ, NOW_MS).headers["X-Window"] == "60000"


def test_reading_only_signs_nothing() -> None:
    public = VENUE.encode_markets()[0]
    assert VENUE.sign(public, NOW_MS) is public
    with pytest.raises(MissingCredentials):
        VENUE.sign(READ, NOW_MS)


def test_a_request_without_an_instruction_is_not_signed() -> None:
    with pytest.raises(UsageError, match="GET /api/v1/time"):
        BackpackAuth(API_KEY, SECRET).sign(Request("GET", "/api/v1/time", signed=True), NOW_MS)


# --------------------------------------------------------------------------- streams


def test_orders_and_fills_share_one_stream() -> None:
    stream = BackpackAccountClient(keys={"api_key": API_KEY, "secret_key": SECRET})
    frame = json.loads(stream.encode_subscribe([Topic("orders"), Topic("fills")]))
    assert frame["params"] == ["account.orderUpdate"]
    api_key, _, stamp, window = frame["signature"]
    assert (api_key, window) == (API_KEY, "5000")
    assert stamp.isdecimal()
    symbol = stream.wire_topic(Topic("positions", "ETH_USDC_PERP"))
    assert symbol == "account.positionUpdate.ETH_USDC_PERP"


def test_public_streams_are_not_signed() -> None:
    stream = BackpackWSClient(keys={})
    topics = [Topic("book", "A"), Topic("bbo", "A"), Topic("mark", "A")]
    frame = json.loads(stream.encode_subscribe(topics))
    params = ["depth.A", "bookTicker.A", "markPrice.A"]
    assert frame == {"method": "SUBSCRIBE", "params": params}
    frame = json.loads(stream.encode_unsubscribe(topics[:1]))
    assert frame == {"method": "UNSUBSCRIBE", "params": ["depth.A"]}
    with pytest.raises(MissingCredentials, match="api_key"):
        stream.encode_subscribe([Topic("orders")])


def account_frame(stream: str, **data: Any) -> bytes:
    return json.dumps({"data": data, "stream": f"account.{stream}"}).encode()


EVENT = {
    "E": NOW_MS * 1000,
    "S": "Ask",
    "X": "PartiallyFilled",
    "Z": "600.2",
    "c": 7,
    "e": "orderFill",
    "f": "IOC",
    "i": "1",
    "o": "LIMIT",
    "p": "3000",
    "q": "0.5",
    "s": "ETH_USDC_PERP",
    "t": 9,
    "l": "0.2",
    "L": "3001",
    "n": "-0.01",
    "N": "USDC",
    "m": True,
    "z": "0.2",
}


def test_a_partial_fill_then_the_end_of_the_rest() -> None:
    stream = BackpackAccountClient(keys={})
    fill, update = stream.decode(account_frame("orderUpdate.ETH_USDC_PERP", **EVENT))
    assert isinstance(fill, FillUpdate)
    assert (fill.fill["size"], fill.fill["fee"], fill.fill["liquidity"]) == (
        D("0.2"),
        D("-0.01"),
        "maker",
    )
    assert fill.fill["client_order_id"] == "7"
    assert isinstance(update, OrderUpdate)
    assert (update.order["status"], update.order["filled"]) == (OrderStatus.OPEN, D("0.2"))
    end = {**EVENT, "e": "orderExpired", "X": "Expired", "R": "ImmediateOrCancel", "t": None}
    (update,) = stream.decode(account_frame("orderUpdate", **end))
    assert isinstance(update, OrderUpdate)
    assert update.order["status"] is OrderStatus.EXPIRED
    assert (update.order["reason"], update.order["filled"]) == ("ImmediateOrCancel", D("0.2"))


@pytest.mark.parametrize("broken", [{"X": "Sleeping"}, {"S": "Both"}, {"t": None}])
def test_an_event_not_understood_raises(broken: dict[str, Any]) -> None:
    stream = BackpackAccountClient(keys={})
    with pytest.raises(ProtocolError):
        stream.decode(account_frame("orderUpdate", **{**EVENT, **broken}))


def test_a_closed_position() -> None:
    stream = BackpackAccountClient(keys={})
    frame = account_frame("positionUpdate", s="ETH_USDC_PERP", q="0.0", E=1000, e="positionClosed")
    assert list(stream.decode(frame)) == [PositionUpdate("ETH_USDC_PERP", D(0), None, 1)]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Invalid signature", AuthError),
        ("Unauthorized", AuthError),
        ("Request has expired", AuthError),
        ("Invalid stream", VenueError),
    ],
)
def test_a_refused_subscription(message: str, kind: type[VenueError]) -> None:
    frame = json.dumps({"id": None, "error": {"code": 4001, "message": message}}).encode()
    (reply,) = BackpackAccountClient(keys={}).decode(frame)
    assert isinstance(reply, Reply)
    assert reply.id == 0
    assert type(reply.error) is kind

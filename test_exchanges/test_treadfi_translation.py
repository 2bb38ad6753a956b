"""TreadFi's words by themselves: requests, rows, refusals, the login's steps, and what is kept of
orders. What passes between wrapper and venue, the conformance suites show."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mpdex.errors import (
    AuthError,
    BadOrder,
    InsufficientMargin,
    MarketUnavailable,
    MissingCredentials,
    OrderNotFound,
    OrderRejected,
    PrecisionRefused,
    ProtocolError,
    RateLimited,
    ReduceOnlyRefused,
    SessionEnded,
    SymbolRefused,
    TransportError,
    Unsupported,
    VenueError,
)
from mpdex.types import (
    CancelRequest,
    Lane,
    Market,
    OrderRequest,
    OrderStatus,
    Request,
    Session,
    TimeInForce,
)
from mpdex.utils.common_treadfi import (
    MARKET_STRATEGY,
    PAGE,
    classify_reason,
    decode_fill,
    decode_order,
    iso,
    status_of,
    text_of,
)
from mpdex.utils.rest import Answer
from mpdex.utils.treadfi_base import LoginStep, whole_leverage
from wrappers.treadfi_hl import TreadfiHlExchange
from wrappers.treadfi_hl_ws_client import TreadfiHlMarketClient, TreadfiHlPositionClient
from wrappers.treadfi_pc import TreadfiPcExchange

D = Decimal
PAIR = "ETH:PERP-USDC"
NOW_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
ADDRESS = "0x" + "11" * 20
KEY = "0x" + "01" * 32
PLACE = Request("POST", "/api/orders/", host="app", command=True)
ROW = {
    "id": "6debb950-614a-4366-b73b-7d7574fd9e15",
    "custom_order_id": "",
    "created_at": "2026-01-01T00:00:00.000000Z",
    "updated_at": "2026-01-01T00:00:02.500000Z",
    "pair": PAIR,
    "side": "buy",
    "account_names": ["mine"],
    "target_order_qty": "2.00000000000000000000",
    "executed_qty": "0.50000000000000000000",
    "average_executed_price": "3000.5",
    "limit_price": "3001",
    "total_fee": "0.7",
    "super_strategy": "Limit",
    "strategy_params": {"reduce_only": True},
    "status": "ACTIVE",
    "failure_reason": "",
}


@pytest.fixture
def hl() -> TreadfiHlExchange:
    return TreadfiHlExchange(account_name="mine", account_address=ADDRESS, login_private_key=KEY)


@pytest.fixture
def pc() -> TreadfiPcExchange:
    return TreadfiPcExchange(account_name="my account", account="1" * 32, token="t" * 40)


@pytest.fixture
def market() -> Market:
    return Market(
        symbol=PAIR,
        coin="ETH",
        quote="USDC",
        kind="perp",
        tick=D("0.1"),
        step=D("0.0001"),
        min_size=D("0.0001"),
        min_notional=D(10),
        max_size=None,
        multiplier=D(1),
        max_leverage=D(50),
        significant_figures=None,
        price_band=None,
        active=True,
        raw={"symbol": "ETH", "wire": "ETH", "dex": "", "asset": 1},
    )


def meant(**over: Any) -> OrderRequest:
    given: dict[str, Any] = {"side": "buy", "size": D("0.5"), "client_id": "c", **over}
    return OrderRequest(symbol=PAIR, **given)


def answer(body: Any, status: int = 200, **headers: str) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, headers, data)


# --------------------------------------------------------------------------- orders out


def test_the_page_of_one_venue_has_numbers_that_of_the_other_text(
    hl: TreadfiHlExchange, market: Market
) -> None:
    pc = TreadfiPcExchange(account_name="mine", account="1" * 32)
    order = meant(price=D("3000.10"), size=D("0.000100"))
    bodies = [
        json.dumps(json.loads(dex_body(dex, order, market)), sort_keys=True) for dex in (hl, pc)
    ]
    assert '"base_asset_qty": 0.0001' in bodies[0]
    assert '"limit_price": 3000.1' in bodies[0]
    assert '"base_asset_qty": "0.000100"' in bodies[1]


def dex_body(dex: Any, order: OrderRequest, market: Market) -> bytes:
    from mpdex.dex.requests import sealed

    return sealed(dex.encode_order(order, market, 0)).body


def test_no_number_has_an_exponent(hl: TreadfiHlExchange, market: Market) -> None:
    body = dex_body(hl, meant(size=D("1E+3"), price=D("1E-7")), market)
    assert b'"base_asset_qty":1000,' in body
    assert b'"limit_price":0.0000001}' in body


def test_lanes_follow_urgency(pc: TreadfiPcExchange, market: Market) -> None:
    urgent = [meant(), meant(price=D(1), time_in_force=TimeInForce.IOC)]
    assert [pc.encode_order(one, market, 0).lane for one in urgent] == [Lane.HEDGE] * 2
    assert pc.encode_order(meant(price=D(1)), market, 0).lane is Lane.QUOTE
    assert pc.route.cancel("x").lane is Lane.CANCEL


def test_the_api_names_strategies_and_clients_ids(pc: TreadfiPcExchange, market: Market) -> None:
    orders = [meant(), meant(price=D(1)), meant(price=D(1), time_in_force=TimeInForce.IOC)]
    bodies = [json.loads(dex_body(pc, one, market)) for one in orders]
    assert [body["strategy"] for body in bodies] == ["Market", "Limit", "IOC"]
    assert {body["custom_order_id"] for body in bodies} == {"c"}


@pytest.mark.parametrize(
    "over",
    [
        {"price": D(1), "post_only": True},
        {"price": D(1), "time_in_force": TimeInForce.FOK},
        {"slippage_bps": D(5)},
    ],
    ids=str,
)
def test_what_no_way_takes_is_refused(
    over: dict[str, Any], hl: TreadfiHlExchange, pc: TreadfiPcExchange, market: Market
) -> None:
    for dex in (hl, pc):
        with pytest.raises(Unsupported):
            dex.encode_order(meant(**over), market, 0)


def test_an_immediate_limit_is_taken_by_name_where_names_are(
    hl: TreadfiHlExchange, market: Market
) -> None:
    order = meant(price=D(1), time_in_force=TimeInForce.IOC)
    with pytest.raises(Unsupported, match="ioc"):
        hl.encode_order(order, market, 0)
    pc = TreadfiPcExchange(account_name="mine", account="1" * 32)
    body = json.loads(dex_body(pc, order, market))
    assert (body["strategy"], body["strategy_params"]["ool_pause"]) == ("IOC", False)


def test_names_are_written_as_an_address_has_them(pc: TreadfiPcExchange) -> None:
    query = pc.encode_fills(None, NOW_MS + 86_400_000, "3").query or {}
    assert query["account_names"] == "my%20account"
    assert query["page"] == "3"
    assert query["after"] == iso(NOW_MS) == "2026-01-01T00%3A00%3A00.000Z"
    assert "after" not in (pc.encode_fills(None, 0, None).query or {})


def test_a_cancel_of_an_order_that_treadfi_has_not_named_is_not_found(
    hl: TreadfiHlExchange, market: Market
) -> None:
    with pytest.raises(OrderNotFound):
        hl.encode_cancel(CancelRequest(symbol=PAIR, client_id="c"), market)


def test_without_keys_the_account_is_asked_for(market: Market) -> None:
    for dex in (TreadfiHlExchange(read_only=True), TreadfiPcExchange(read_only=True)):
        for encode in (dex.encode_collateral, lambda dex=dex: dex.encode_open_orders(None)):
            with pytest.raises(MissingCredentials):
                encode()


def test_leverage_is_a_whole_number() -> None:
    assert whole_leverage(D("5.0"), "v") == 5
    for wrong in (D("2.5"), D(0), D(-1)):
        with pytest.raises(BadOrder):
            whole_leverage(wrong, "v")


# --------------------------------------------------------------------------- proof


def test_a_command_carries_the_cookies_forgery_token(hl: TreadfiHlExchange) -> None:
    cookie = {"Cookie": "csrftoken=abc; sessionid=def"}
    command = Request("POST", "/api/orders/", host="app", signed=True, headers=cookie)
    balance = Request("GET", "/internal/sor/get_cached_account_balance", host="app", signed=True)
    listing = Request("GET", "/api/orders/", host="app", signed=True, headers=cookie)
    assert hl.sign(command, 0).headers["X-CSRFToken"] == "abc"
    assert hl.sign(replace(balance, headers=cookie), 0).headers["X-CSRFToken"] == "abc"
    assert "X-CSRFToken" not in hl.sign(listing, 0).headers
    for request in (command, balance, listing):
        signed = hl.sign(request, 0).headers
        assert signed["Origin"] == "https://app.tread.fi"
        assert signed["Referer"] == "https://app.tread.fi/"
        assert "Mozilla" in signed["User-Agent"]


def test_what_goes_beneath_is_left_as_it_is(hl: TreadfiHlExchange, pc: TreadfiPcExchange) -> None:
    for dex in (hl, pc):
        request = Request("POST", "/info", signed=True)
        assert dex.sign(request, 0) == request


def test_a_token_is_shown_in_place_of_cookies(pc: TreadfiPcExchange) -> None:
    request = Request("POST", "/api/orders/", host="app", signed=True)
    headers = pc.sign(request, 0).headers
    assert headers["Authorization"] == "Token " + "t" * 40
    assert "X-CSRFToken" not in headers
    assert pc.encode_login() is None


# --------------------------------------------------------------------------- login


def test_the_login_step_by_step(hl: TreadfiHlExchange) -> None:
    first = hl.encode_login()
    assert first is not None
    assert (first.method, first.path) == ("GET", "/internal/account/get_nonce/")
    second = hl.continue_login(answer({"nonce": "abc123"}), first, NOW_MS)
    assert isinstance(second, Request)
    assert second.json["wallet_type"] == "evm"
    cookies = "csrftoken=c1; Max-Age=99, sessionid=s1; Max-Age=60; HttpOnly"
    third = hl.continue_login(answer({}, 200, **{"Set-Cookie": cookies}), second, NOW_MS)
    assert isinstance(third, Request)
    assert third.headers["Cookie"] == "csrftoken=c1; sessionid=s1"
    session = hl.continue_login(answer({"is_authenticated": True}), third, NOW_MS)
    assert session == Session({"Cookie": "csrftoken=c1; sessionid=s1"}, NOW_MS + 60_000)
    assert "s1" not in repr(session)


def test_cookies_are_collected_on_the_way(hl: TreadfiHlExchange) -> None:
    auth = LoginStep("POST", "/internal/account/wallet_auth/", host="app")
    moved = {"Set-Cookie": "csrftoken=c1; Path=/", "Location": "/welcome"}
    hop = hl.continue_login(answer(b"", 302, **moved), auth, NOW_MS)
    assert isinstance(hop, LoginStep)
    assert (hop.method, hop.path, hop.host) == ("GET", "/welcome", "app")
    assert hop.headers["Cookie"] == "csrftoken=c1"
    last = hl.continue_login(answer({}, **{"Set-Cookie": "sessionid=s1"}), hop, NOW_MS)
    assert isinstance(last, LoginStep)
    assert last.headers["Cookie"] == "csrftoken=c1; sessionid=s1"
    assert "s1" not in repr(last.cookies) or "cookies" not in repr(last)


@pytest.mark.parametrize("where", ["https://evil.example/x", "//evil.example/x", "relative", ""])
def test_cookies_go_nowhere_else(hl: TreadfiHlExchange, where: str) -> None:
    auth = LoginStep("POST", "/internal/account/wallet_auth/", host="app")
    with pytest.raises(AuthError, match="elsewhere"):
        hl.continue_login(answer(b"", 302, Location=where), auth, NOW_MS)


def test_a_login_that_fails_says_why(hl: TreadfiHlExchange) -> None:
    auth = LoginStep("POST", "/internal/account/wallet_auth/", host="app")
    cases: list[tuple[Answer, type[Exception], str]] = [
        (answer({"error": "Invalid signature."}, 400), AuthError, "Invalid signature"),
        (answer(b"<html>no</html>", 403), AuthError, "HTTP 403"),
        (answer({}, 502), TransportError, "HTTP 502"),
        (answer({}, 429), TransportError, "HTTP 429"),
        (answer({}), AuthError, "both cookies"),
        (answer({}, **{"Set-Cookie": "sessionid=s1"}), AuthError, "both cookies"),
    ]
    for told, kind, words in cases:
        with pytest.raises(kind, match=words):
            hl.continue_login(told, auth, NOW_MS)
    with pytest.raises(ProtocolError):
        hl.decode_challenge(answer({"nonce": ""}))


def test_a_session_check_tells_yes_no_or_nothing(hl: TreadfiHlExchange) -> None:
    request = hl.encode_session_check(Session({"Cookie": "a=b"}))
    assert (request.path, request.headers["Cookie"]) == (
        "/internal/account/user_metadata/",
        "a=b",
    )
    yes, no = answer({"is_authenticated": True}), answer({"is_authenticated": False})
    assert hl.decode_session_check(yes) is True
    for told in (no, answer({}), answer(b"", 302), answer({}, 401), answer({}, 403)):
        assert hl.decode_session_check(told) is False
    with pytest.raises(TransportError):
        hl.decode_session_check(answer(b"", 503))


# --------------------------------------------------------------------------- rows in


def test_a_row_is_an_order() -> None:
    order = decode_order(ROW, "c")
    assert (order["id"], order["client_order_id"]) == (ROW["id"], "c")
    assert (order["symbol"], order["side"], order["type"]) == (PAIR, "buy", "limit")
    assert (order["size"], order["filled"]) == (2, D("0.5"))
    assert (order["price"], order["average_price"]) == (3001, D("3000.5"))
    assert order["status"] is OrderStatus.OPEN
    assert (order["reduce_only"], order["timestamp_ms"]) == (True, NOW_MS)
    assert decode_order({**ROW, "custom_order_id": "d"}, None)["client_order_id"] == "d"


@pytest.mark.parametrize("price", [None, "-1.00000000000000000000", "", -1])
def test_no_price_is_a_market_order(price: Any) -> None:
    order = decode_order({**ROW, "limit_price": price, "strategy": MARKET_STRATEGY}, None)
    assert (order["type"], order["price"]) == ("market", None)
    assert order["time_in_force"] is TimeInForce.IOC


@pytest.mark.parametrize(
    ("word", "filled", "reason", "status"),
    [
        ("SUBMITTED", "0", "", OrderStatus.PENDING),
        ("SCHEDULED", "0", "", OrderStatus.PENDING),
        ("ACTIVE", "2", "", OrderStatus.OPEN),
        ("FINISHER", "1", "", OrderStatus.OPEN),
        ("PAUSED", "1", "", OrderStatus.OPEN),
        ("COMPLETE", "2", "", OrderStatus.FILLED),
        ("COMPLETED", "2", "", OrderStatus.FILLED),
        ("COMPLETE", "1", "", OrderStatus.CANCELED),
        ("CANCELED", "0", "", OrderStatus.CANCELED),
        ("CANCELED", "1", "Insufficient margin", OrderStatus.CANCELED),
        ("CANCELED", "0", "Insufficient margin", OrderStatus.REJECTED),
        ("CANCELED", "2", "", OrderStatus.FILLED),
    ],
)
def test_an_order_has_ended_when_treadfi_says_so(
    word: str, filled: str, reason: str, status: OrderStatus
) -> None:
    assert status_of(word, D(2), D(filled), reason) is status


@pytest.mark.parametrize(
    "missing", ["id", "pair", "side", "status", "executed_qty", "target_order_qty"]
)
def test_a_row_without_what_it_must_have_is_not_understood(missing: str) -> None:
    row = {name: value for name, value in ROW.items() if name != missing}
    with pytest.raises(ProtocolError):
        decode_order(row, None)


@pytest.mark.parametrize("over", [{"status": "DONE"}, {"side": "long"}, {"executed_qty": "much"}])
def test_a_row_with_a_strange_word_is_not_understood(over: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        decode_order({**ROW, **over}, None)


def test_an_ended_parent_is_one_fill() -> None:
    fill = decode_fill({**ROW, "status": "CANCELED"}, "c")
    assert (fill["id"], fill["order_id"]) == (ROW["id"], ROW["id"])
    assert (fill["client_order_id"], fill["liquidity"]) == ("c", "taker")
    assert (fill["price"], fill["size"]) == (D("3000.5"), D("0.5"))
    assert (fill["fee"], fill["fee_asset"]) == (D("0.7"), "USDC")
    assert fill["timestamp_ms"] == NOW_MS + 2500
    with pytest.raises(ProtocolError, match="without a price"):
        decode_fill({**ROW, "average_executed_price": None}, None)


def test_fills_are_of_this_account_and_have_pages(pc: TreadfiPcExchange) -> None:
    mine = {**ROW, "status": "COMPLETE", "account_names": ["my account"]}
    rows = [mine, {**ROW, "status": "COMPLETE"}, {**mine, "executed_qty": "0"}]
    page = pc.decode_fills({"orders": rows}, None)
    assert [fill["id"] for fill in page.fills] == [ROW["id"]]
    assert page.cursor is None
    assert pc.decode_fills({"orders": [mine] * PAGE}, None).cursor == "2"
    assert pc.decode_fills({"orders": [mine] * PAGE}, "2").cursor == "3"


def test_open_orders_that_do_not_fit_a_page_are_not_known(hl: TreadfiHlExchange) -> None:
    assert len(hl.decode_orders({"orders": [ROW] * (PAGE - 1)})) == PAGE - 1
    with pytest.raises(ProtocolError, match="more open orders"):
        hl.decode_orders({"orders": [ROW] * PAGE})


def test_an_account_is_found_by_its_name_alone(hl: TreadfiHlExchange) -> None:
    entries = [{"account_name": "mine too", "account_id": "a"}]
    with pytest.raises(AuthError, match="'mine'"):
        hl.decode_linked({"balances": entries})
    entries.append({"account_name": "mine", "account_id": "b"})
    assert hl.decode_linked({"balances": entries}) == "b"
    assert hl.decode_linked([{"name": "mine", "id": "c"}]) == "c"
    assert hl.decode_linked({"results": [{"name": "mine", "id": "c"}]}) == "c"
    with pytest.raises(ProtocolError):
        hl.decode_linked({"balances": [{"account_name": "mine"}]})


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("said", "said"),
        ({"error": "said", "message": "also"}, "said"),
        ({"message": "said"}, "said"),
        ({"errors": ["one", "two"]}, "one; two"),
        ({"detail": "said"}, "said"),
        ({"pair": ["Unknown pair."]}, "pair: Unknown pair."),
        ({}, ""),
        (None, ""),
    ],
)
def test_refusals_have_several_forms(body: Any, text: str) -> None:
    assert text_of(body) == text


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "Insufficient margin to place the order"}, InsufficientMargin),
        (400, {"error": "Reduce only order would not reduce"}, ReduceOnlyRefused),
        (400, {"error": "Order is below the minimum quantity"}, PrecisionRefused),
        (400, {"pair": ["Unknown."]}, SymbolRefused),
        (400, {"error": "Market is halted"}, MarketUnavailable),
        (400, {"error": "what nobody knows"}, OrderRejected),
        (200, {"error": "Insufficient margin"}, InsufficientMargin),
        (401, {"detail": "Invalid token."}, SessionEnded),
        (403, {"detail": "Authentication credentials were not provided."}, SessionEnded),
        (403, {"detail": "You do not have permission to perform this action."}, AuthError),
        (429, {"detail": "Request was throttled."}, RateLimited),
    ],
)
def test_an_orders_refusal_has_its_class(
    hl: TreadfiHlExchange, status: int, body: Any, kind: type[Exception]
) -> None:
    error = hl.decode_error(status, body, PLACE)
    assert type(error) is kind
    assert isinstance(error, VenueError)
    assert (error.code, error.venue) == (str(status), "treadfi.hyperliquid")
    assert hl.decode_error(200, ROW, PLACE) is None


def test_a_token_that_is_refused_is_not_renewed(
    hl: TreadfiHlExchange, pc: TreadfiPcExchange
) -> None:
    told = {"detail": "Invalid token."}
    assert type(hl.decode_error(401, told, PLACE)) is SessionEnded
    assert type(pc.decode_error(401, told, PLACE)) is AuthError


def test_a_cancel_succeeds_with_exactly_one_sentence(hl: TreadfiHlExchange) -> None:
    cancel = hl.route.cancel("x")
    assert hl.decode_error(200, {"message": "Successfully canceled order."}, cancel) is None
    for status, text in ((200, "Order is not active."), (400, "Order already ended"), (404, "")):
        error = hl.decode_error(status, {"message": text}, cancel)
        assert type(error) is OrderNotFound
    error = hl.decode_error(200, {"message": "Something else"}, cancel)
    assert type(error) is VenueError
    assert hl.decode_cancel({"message": "Successfully canceled order."}) is None


def test_leverage_is_set_with_exactly_one_sentence(hl: TreadfiHlExchange) -> None:
    request = hl.route.leverage("id", PAIR, 5, "cross")
    assert hl.decode_error(200, {"message": "Leverage changed successfully."}, request) is None
    assert type(hl.decode_error(200, {"message": "Too high"}, request)) is VenueError


def test_djangos_page_is_an_ended_session_and_any_other_page_is_not(
    hl: TreadfiHlExchange,
) -> None:
    page = "<html><h1>Forbidden</h1>CSRF verification failed. Request aborted.</html>"
    assert type(hl.decode_page(403, page, PLACE)) is SessionEnded
    assert hl.decode_page(403, "<html>Just a moment...</html>", PLACE) is None
    assert hl.decode_page(404, page, PLACE) is None


def test_what_is_beneath_is_judged_by_its_own_words(
    hl: TreadfiHlExchange, pc: TreadfiPcExchange
) -> None:
    beneath = Request("POST", "/info")
    assert type(hl.decode_error(429, None, beneath)) is RateLimited
    envelope = {"success": False, "error": "Agent not authorized for account", "code": 400}
    assert type(pc.decode_error(200, envelope, Request("GET", "/account"))) is AuthError
    assert pc.decode_error(200, {"success": True, "data": []}, Request("GET", "/x")) is None


def test_a_late_refusal_has_its_class() -> None:
    assert classify_reason("Insufficient margin to place the order") is InsufficientMargin
    assert classify_reason("") is classify_reason("user asked") is None


# --------------------------------------------------------------------------- markets


def test_pairs_are_spelled_as_the_page_does(hl: TreadfiHlExchange, pc: TreadfiPcExchange) -> None:
    assert hl.market_symbol("xyz:XYZ100", "USDC", "perp") == "xyz_XYZ100:PERP-USDC"
    assert hl.market_symbol("hyna:A_B", "USDE", "perp") == "hyna_A_B:PERP-USDE"
    assert pc.spell("kBONK") == "kBONK:PERP-USDC"


def test_spot_is_left_out(hl: TreadfiHlExchange) -> None:
    meta = {"universe": [{"name": "ETH", "szDecimals": 4, "maxLeverage": 25}]}
    tokens = [
        {"name": "USDC", "szDecimals": 8, "index": 0},
        {"name": "PURR", "szDecimals": 0, "index": 1},
    ]
    spot = {"tokens": tokens, "universe": [{"name": "PURR/USDC", "tokens": [1, 0], "index": 0}]}
    [found] = hl.decode_markets([meta, spot])
    assert (found["symbol"], hl.wire_name(found)) == (PAIR, "ETH")


def test_streams_are_the_market_and_positions(hl: TreadfiHlExchange) -> None:
    assert hl.streams() == (TreadfiHlMarketClient, TreadfiHlPositionClient)
    assert hl.stream_channels == {"book", "bbo", "mark", "positions"}


def test_a_full_page_proves_an_absence_only_where_it_reaches_back(
    hl: TreadfiHlExchange,
) -> None:
    hl._unnamed.note(meant(price=D(3001)), NOW_MS)
    query = CancelRequest(symbol=PAIR, client_id="c")
    other = {**ROW, "side": "sell"}

    def page(*seconds: int) -> Any:
        times = [iso_text(NOW_MS + second * 1000) for second in seconds]
        return {"orders": [{**other, "created_at": text} for text in times]}

    assert hl.decode_order_query(page(9, 8), query) is None
    full = [200 - number for number in range(PAGE)]
    with pytest.raises(ProtocolError, match="cut"):
        hl.decode_order_query(page(*full), query)
    assert hl.decode_order_query(page(*full[:-1], -10), query) is None
    with pytest.raises(ProtocolError, match="cut"):
        hl.decode_order_query(page(-10, *full[1:]), query)


def iso_text(time_ms: int) -> str:
    return iso(time_ms).replace("%3A", ":")


def test_an_id_that_nobody_here_made_is_not_asked_for(
    hl: TreadfiHlExchange, pc: TreadfiPcExchange, market: Market
) -> None:
    query = CancelRequest(symbol=PAIR, client_id="somebody's")
    assert hl.encode_order_queries(query, market) == []
    [first, second] = pc.encode_order_queries(query, market)
    assert (first.query or {})["custom_order_ids"] == "somebody's"
    assert "statuses" not in (first.query or {})
    assert (second.query or {})["statuses"] == "COMPLETE,CANCELED"
    by_id = replace(query, order_id="x")
    assert [one.path for one in hl.encode_order_queries(by_id, market)] == ["/api/order_summary/x"]


def test_a_list_by_a_clients_id_is_looked_through_all_the_same(pc: TreadfiPcExchange) -> None:
    rows = [{**ROW, "account_names": ["my account"], "custom_order_id": one} for one in "ab"]
    query = CancelRequest(symbol=PAIR, client_id="b")
    found = pc.decode_order_query({"orders": rows}, query)
    assert found is not None
    assert found["client_order_id"] == "b"
    assert pc.decode_order_query({"orders": rows[:1]}, query) is None

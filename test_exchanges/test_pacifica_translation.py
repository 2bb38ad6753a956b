"""Pacifica: what is refused before sending, what errors become, what recordings do not show."""

from __future__ import annotations

import json
import random
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest
from base58 import b58decode, b58encode
from nacl.signing import SigningKey, VerifyKey

from mpdex.errors import (
    AuthError,
    BadOrder,
    DuplicateClientId,
    InsufficientMargin,
    LimitReached,
    MarketUnavailable,
    MissingCredentials,
    MpdexError,
    NoImmediateMatch,
    NonceRefused,
    NotSynced,
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
    Limit,
    MarkUpdate,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Reply,
    Request,
    Subscribed,
    TimeInForce,
    Topic,
)
from mpdex.utils.pacifica_frames import call_id, number_of
from mpdex.utils.signing.base58 import encode_base58
from wrappers.pacifica import PacificaExchange
from wrappers.pacifica_auth import PacificaAuth
from wrappers.pacifica_ws_client import PacificaAccountClient, PacificaWSClient

D = Decimal
NOW_MS = 1_790_000_000_000
OWNER, AGENT = SigningKey(bytes(range(32))), SigningKey(bytes(range(1, 33)))
ACCOUNT = b58encode(bytes(OWNER.verify_key)).decode()
AGENT_ADDRESS = b58encode(bytes(AGENT.verify_key)).decode()
OWNER_KEY = b58encode(bytes(OWNER) + bytes(OWNER.verify_key)).decode()
AGENT_KEY = b58encode(bytes(AGENT) + bytes(AGENT.verify_key)).decode()
OWN_ID = "b0000000-0000-0000-0000-000000000007"
VENUE = PacificaExchange(account=ACCOUNT, private_key=OWNER_KEY)
PLACE = Request("POST", "/orders/create", signed=True, command=True)
CANCEL = Request("POST", "/orders/cancel", signed=True, command=True)
READ = Request("GET", "/orders")


def listed(**changes: Any) -> dict[str, Any]:
    entry = {
        "symbol": "ETH",
        "tick_size": "0.1",
        "lot_size": "0.0001",
        "max_leverage": 50,
        "min_order_size": "10",
        "instrument_type": "perpetual",
    }
    return {**entry, **changes}


def answered(data: Any, **more: Any) -> dict[str, Any]:
    return {"success": True, "data": data, "error": None, "code": None, **more}


MARKET = VENUE.decode_markets([answered([listed()])])[0]


def order(**changes: Any) -> OrderRequest:
    given = {"symbol": "ETH", "side": "buy", "size": D("0.50"), "client_id": OWN_ID}
    return OrderRequest(**{**given, **changes})


def encoded(**changes: Any) -> Request:
    return VENUE.encode_order(order(**changes), MARKET, NOW_MS * 10**6)


def update(**changes: Any) -> dict[str, Any]:
    entry = {
        "i": 7,
        "I": OWN_ID,
        "s": "ETH",
        "d": "ask",
        "p": "3000.5",
        "ip": "3000",
        "a": "0.5",
        "f": "0.2",
        "oe": "cancel",
        "os": "cancelled",
        "ot": "limit",
        "r": True,
        "ct": NOW_MS,
    }
    return {**entry, **changes}


def frame(channel: str, data: Any, **more: Any) -> bytes:
    return json.dumps({"channel": channel, "data": data, **more}).encode()


@pytest.fixture
def stream() -> PacificaAccountClient:
    return PacificaAccountClient(keys={"account": ACCOUNT})


# --------------------------------------------------------------------------- orders out


def test_a_limit_order() -> None:
    request = encoded(price=D("3000.10"), time_in_force=TimeInForce.IOC, reduce_only=True)
    assert (request.path, request.call) == ("/orders/create", "create_order")
    assert request.json == {
        "symbol": "ETH",
        "price": "3000.10",
        "amount": "0.50",
        "side": "bid",
        "tif": "IOC",
        "reduce_only": True,
        "client_order_id": OWN_ID,
    }
    assert (request.command, request.signed, request.lane) == (True, True, Lane.HEDGE)
    assert (request.weight, request.scope) == (10, "default")


def test_post_only_is_a_time_in_force_here() -> None:
    assert encoded(price=D(3000), post_only=True).json["tif"] == "ALO"
    assert encoded(price=D(3000)).json["tif"] == "GTC"


@pytest.mark.parametrize(
    ("bps", "percent"), [(None, "5"), (D(50), "0.5"), (D(100), "1"), (D("12.5"), "0.125")]
)
def test_a_market_order_always_has_a_bound(bps: D | None, percent: str) -> None:
    request = encoded(side="sell", slippage_bps=bps)
    assert (request.path, request.call) == ("/orders/create_market", "create_market_order")
    assert (request.json["slippage_percent"], request.json["side"]) == (percent, "ask")
    assert not {"price", "tif"} & set(request.json)


def test_a_small_number_has_no_exponent() -> None:
    request = encoded(price=D("1E-7"), size=D("1E+3"))
    assert (request.json["price"], request.json["amount"]) == ("0.0000001", "1000")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"price": D(1), "post_only": True, "time_in_force": TimeInForce.IOC}, BadOrder),
        ({"post_only": True}, BadOrder),
        ({"price": D(1), "time_in_force": TimeInForce.FOK}, Unsupported),
        ({"price": D(1), "slippage_bps": D(5)}, Unsupported),
        ({"client_id": "7"}, BadOrder),
        ({"client_id": OWN_ID.upper()}, BadOrder),
        ({"client_id": OWN_ID.replace("-", "")}, BadOrder),
    ],
)
def test_refused_before_sending(changes: dict[str, Any], error: type[UsageError]) -> None:
    with pytest.raises(error, match="pacifica"):
        encoded(**changes)


def test_cancels_cost_half_a_credit_and_name_one_id() -> None:
    by_id = VENUE.encode_cancel(CancelRequest(symbol="ETH", order_id="42"), MARKET)
    assert by_id.json == {"symbol": "ETH", "order_id": 42}
    by_client = VENUE.encode_cancel(CancelRequest(symbol="ETH", client_id=OWN_ID), MARKET)
    assert by_client.json == {"symbol": "ETH", "client_order_id": OWN_ID}
    of_market = VENUE.encode_cancel_all(MARKET)
    assert of_market.json == {"all_symbols": False, "exclude_reduce_only": False, "symbol": "ETH"}
    for request in (by_id, by_client, of_market):
        assert (request.weight, request.lane, request.command) == (5, Lane.CANCEL, True)
    with pytest.raises(BadOrder):
        VENUE.encode_cancel(CancelRequest(symbol="ETH", order_id="x42"), MARKET)


def test_leverage_is_a_whole_number_and_may_be_asked_for_again() -> None:
    request = VENUE.encode_leverage(MARKET, D("10.0"), 0)
    assert (request.json, request.command, request.call) == (
        {"symbol": "ETH", "leverage": 10},
        False,
        "",
    )
    with pytest.raises(Unsupported, match=r"2\.5"):
        VENUE.encode_leverage(MARKET, D("2.5"), 0)


# --------------------------------------------------------------------------- orders back


@pytest.mark.parametrize("answer", [answered({"order_id": 12345}), {"order_id": "12345"}])
def test_an_order_taken_in_both_forms(answer: Any) -> None:
    placed = VENUE.decode_placement(answer, order(price=D(3000), post_only=True))
    assert (placed["id"], placed["status"]) == ("12345", OrderStatus.PENDING)
    assert (placed["client_order_id"], placed["post_only"]) == (OWN_ID, True)


@pytest.mark.parametrize("answer", [answered(None), answered({}), {}, None, []])
def test_an_answer_without_an_id_is_no_answer(answer: Any) -> None:
    with pytest.raises(ProtocolError):
        VENUE.decode_placement(answer, order())


@pytest.mark.parametrize("answer", [answered(None), {"success": True}])
def test_a_cancel_acknowledged_in_both_forms(answer: Any) -> None:
    assert VENUE.decode_cancel(answer) is None


@pytest.mark.parametrize("answer", [None, [], {}, {"success": None}])
def test_a_cancel_not_acknowledged(answer: Any) -> None:
    with pytest.raises(ProtocolError):
        VENUE.decode_cancel(answer)


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({}, OrderStatus.CANCELED, "cancel"),
        ({"f": "0.5"}, OrderStatus.FILLED, ""),
        ({"os": "partially_filled", "oe": "fulfill_limit"}, OrderStatus.OPEN, ""),
        ({"os": "open", "oe": "make", "f": "0"}, OrderStatus.OPEN, ""),
        ({"os": "open", "oe": "adjust"}, OrderStatus.OPEN, ""),
        ({"oe": "post_only_rejected", "f": "0"}, OrderStatus.REJECTED, "post_only_rejected"),
        (
            {"os": "rejected", "oe": "post_only_rejected"},
            OrderStatus.REJECTED,
            "post_only_rejected",
        ),
        (
            {"os": "rejected", "oe": "self_trade_prevented"},
            OrderStatus.REJECTED,
            "self_trade_prevented",
        ),
        ({"oe": "force_cancel"}, OrderStatus.CANCELED, "force_cancel"),
    ],
)
def test_how_an_order_ends(
    stream: PacificaAccountClient, changes: dict[str, Any], status: OrderStatus, reason: str
) -> None:
    (event,) = stream.decode(frame("account_order_updates", [update(**changes)]))
    assert isinstance(event, OrderUpdate)
    assert (event.order["status"], event.order["reason"]) == (status, reason)
    filled = D(changes.get("f", "0.2"))
    assert event.order["filled"] == filled
    assert event.order["average_price"] == (D("3000.5") if filled else None)


def test_a_refusal_that_comes_late_has_its_class() -> None:
    assert VENUE.decode_reason("post_only_rejected") is PostOnlyWouldCross
    assert VENUE.decode_reason("self_trade_prevented") is OrderRejected
    for ordinary in ("cancel", "force_cancel", "expired", ""):
        assert VENUE.decode_reason(ordinary) is None


@pytest.mark.parametrize("broken", [{"os": "sleeping"}, {"d": "both"}, {"f": "much"}, {"i": None}])
def test_a_report_not_understood_is_never_guessed(
    stream: PacificaAccountClient, broken: dict[str, Any]
) -> None:
    good, bad = update(i=1), update(**broken)
    events = iter(stream.decode(frame("account_order_updates", [good, bad])))
    assert isinstance(next(events), OrderUpdate), "what came before is told"
    with pytest.raises((ProtocolError, ArithmeticError, TypeError)):
        next(events)


# --------------------------------------------------------------------------- unknown orders

HISTORY = {
    "order_id": 7,
    "client_order_id": OWN_ID,
    "symbol": "ETH",
    "side": "bid",
    "initial_price": "3000",
    "average_filled_price": "2999.5",
    "amount": "0.5",
    "filled_amount": "0.5",
    "order_status": "filled",
    "order_type": "limit",
    "reduce_only": False,
    "reason": None,
    "created_at": NOW_MS,
}
TRADE = {
    "history_id": 3,
    "order_id": 7,
    "client_order_id": OWN_ID,
    "symbol": "ETH",
    "side": "close_short",
    "price": "2999.5",
    "amount": "0.5",
    "fee": "-0.01",
    "event_type": "fulfill_taker",
    "created_at": NOW_MS,
}


def test_an_order_is_looked_for_by_client_id_in_three_places() -> None:
    query = CancelRequest(symbol="ETH", client_id=OWN_ID)
    resting, ended, traded = VENUE.encode_order_queries(query, MARKET)
    assert [r.path for r in (resting, ended, traded)] == [
        "/orders",
        "/orders/history",
        "/trades/history",
    ]
    assert (ended.query or {})["account"] == ACCOUNT
    assert (traded.query or {})["symbol"] == "ETH"
    assert (resting.weight, ended.weight, traded.weight) == (10, 30, 30)
    others = [{**HISTORY, "order_id": 1, "client_order_id": None}]
    assert VENUE.decode_order_query(answered(others), query) is None
    found = VENUE.decode_order_query(answered([*others, HISTORY]), query)
    assert found is not None
    assert (found["id"], found["average_price"]) == ("7", D("2999.5"))
    resting_there = [{**HISTORY, "order_status": "open", "filled_amount": "0"}]
    assert VENUE.decode_order_query(answered(resting_there), query) is None, "it would be open"


def test_a_trade_proves_that_an_order_arrived_and_nothing_more() -> None:
    query = CancelRequest(symbol="ETH", client_id=OWN_ID)
    assert VENUE.decode_order_query(answered([]), query) is None
    assert VENUE.decode_order_query(answered([{**TRADE, "client_order_id": None}]), query) is None
    with pytest.raises(NotSynced, match="has traded"):
        VENUE.decode_order_query(answered([TRADE]), query)


def test_an_order_is_looked_for_by_id_in_two_places() -> None:
    query = CancelRequest(symbol="ETH", order_id="7")
    resting, events = VENUE.encode_order_queries(query, MARKET)
    assert (resting.path, events.path) == ("/orders", "/orders/history_by_id")
    assert events.query == {"order_id": "7"}
    event = {**HISTORY, "initial_amount": "0.5", "price": "3000"}
    told = [
        {**event, "history_id": 2, "event_type": "fulfill_market", "price": "2999"},
        {**event, "history_id": 1, "event_type": "make", "order_status": "open"},
    ]
    found = VENUE.decode_order_query(answered(told), query)
    assert found is not None
    assert (found["status"], found["reason"]) == (OrderStatus.FILLED, "")
    assert found["price"] == D(3000), "as it was given, not as it was filled"


def test_fills_are_read_page_by_page() -> None:
    first = VENUE.encode_fills(MARKET, NOW_MS, None)
    assert first.query == {
        "account": ACCOUNT,
        "limit": "100",
        "symbol": "ETH",
        "start_time": str(NOW_MS),
    }
    assert (VENUE.encode_fills(None, 0, "next").query or {})["cursor"] == "next"
    page = VENUE.decode_fills(answered([TRADE], next_cursor="next", has_more=True), None)
    assert page.cursor == "next"
    assert VENUE.decode_fills(answered([], next_cursor="x", has_more=False), None).cursor is None
    (fill,) = page.fills
    assert (fill["side"], fill["fee"], fill["liquidity"]) == ("buy", D("-0.01"), "taker")


def test_what_is_spot_is_left_out_everywhere(stream: PacificaAccountClient) -> None:
    spot = {"symbol": "SOL-USDC"}
    assert VENUE.decode_markets([answered([listed(**spot, instrument_type="spot")])]) == []
    assert VENUE.decode_markets([answered([listed(instrument_type="option")])]) == []
    assert VENUE.decode_orders(answered([{**HISTORY, **spot}])) == []
    assert VENUE.decode_fills(answered([{**TRADE, **spot, "side": "buy"}]), None).fills == []
    entries = [update(s="SOL-USDC", d="?"), update()]
    assert len(list(stream.decode(frame("account_order_updates", entries)))) == 1


# --------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (5, "Insufficient balance", InsufficientMargin),
        (4, "Insufficient balance for order", InsufficientMargin),  # the old number
        (5, "", InsufficientMargin),
        (3, "Book not found", SymbolRefused),
        (2, "Book not found", SymbolRefused),  # the old number
        (7, "Order amount too low for X: 7.8 < 10", PrecisionRefused),
        (8, "Order amount too high", LimitReached),
        (10, "Open order limit reached", LimitReached),
        (21, "Invalid reduce only order side", ReduceOnlyRefused),
        (22, "", ReduceOnlyRefused),
        (23, "No position for reduce only order", ReduceOnlyRefused),
        (25, "No reasonable price", NoImmediateMatch),
        (28, "Immediate liquidation", InsufficientMargin),
        (30, "Price too far from mark", PriceOutOfBand),
        (36, "Duplicate client order id", DuplicateClientId),
        (38, "Trading disabled", MarketUnavailable),
        (41, "Open interest limit exceeded", LimitReached),
        (52, "Invalid tick size", PrecisionRefused),
        (59, "Invalid amount", PrecisionRefused),
        (63, "Missing mark price", MarketUnavailable),
        (20, "Invalid order type", OrderRejected),
        (77, "Something new", OrderRejected),
        (420, "Something new", OrderRejected),
        (400, "Bad Request", PrecisionRefused),
        (400, "Invalid message", NonceRefused),
        (401, "", AuthError),
        (402, "", AuthError),
        (403, "", AuthError),
        (429, "", RateLimited),
        (500, "", OutcomeUnknown),
        (420, "Internal server error", OutcomeUnknown),
        (0, "Unknown error", OutcomeUnknown),
        (14, "Database error", OutcomeUnknown),
        (27, "Response dropped", OutcomeUnknown),
    ],
)
def test_refusals_of_an_order(code: int, message: str, kind: type[MpdexError]) -> None:
    """The same by REST and by socket, where the envelope comes with a 200."""
    answer = {"success": False, "data": None, "error": message, "code": code}
    for status in (422, 200):
        error = VENUE.decode_error(status, answer, PLACE)
        assert type(error) is kind
        assert "POST /orders/create" in str(error)
        assert str(code) in str(error)


def test_an_error_id_goes_before_everything() -> None:
    answer = {"success": False, "error": "?", "code": 0, "error_id": "invalid_amount"}
    assert type(VENUE.decode_error(422, answer, PLACE)) is PrecisionRefused


@pytest.mark.parametrize("code", [5, 6])
def test_a_cancel_that_finds_nothing_in_either_numbering(code: int) -> None:
    answer = {"success": False, "error": "?", "code": code}
    assert type(VENUE.decode_error(422, answer, CANCEL)) is OrderNotFound


def test_errors_without_the_venues_form() -> None:
    assert type(VENUE.decode_error(403, "<html>denied</html>", READ)) is AuthError
    assert type(VENUE.decode_error(429, None, READ)) is RateLimited
    assert type(VENUE.decode_error(418, "teapot", READ)) is VenueError
    assert type(VENUE.decode_error(502, "bad gateway", READ)) is TransportError
    assert type(VENUE.decode_error(404, "Not Found", CANCEL)) is OrderNotFound
    assert type(VENUE.decode_error(404, "Not Found", PLACE)) is OrderRejected
    assert VENUE.decode_error(200, [], READ) is None
    assert VENUE.decode_error(200, None, CANCEL) is None


def test_a_read_is_no_order_that_was_refused() -> None:
    answer = {"success": False, "error": "Invalid tick level", "code": 4}
    assert type(VENUE.decode_error(422, answer, READ)) is VenueError
    late = {"success": False, "error": "Invalid message", "code": 400}
    leverage = VENUE.encode_leverage(MARKET, D(2), 0)
    assert type(VENUE.decode_error(400, late, leverage)) is AuthError


# --------------------------------------------------------------------------- markets, account


def test_case_matters_and_small_coins_come_by_the_thousand() -> None:
    (bonk,) = VENUE.decode_markets([answered([listed(symbol="kBONK", base_asset="kBONK")])])
    assert (bonk["symbol"], bonk["coin"], bonk["multiplier"]) == ("kBONK", "BONK", D(1000))
    assert VENUE.wire_name(bonk) == "kBONK"
    older = listed()
    del older["instrument_type"]
    assert len(VENUE.decode_markets([answered([older])])) == 1


def test_a_market_without_settings_is_cross_at_its_maximum() -> None:
    for data in ([], {"margin_settings": [], "spot_settings": []}):
        info = VENUE.decode_leverage_info(answered(data), MARKET)
        assert (info["leverage"], info["margin_mode"]) == (D(50), "cross")
    own = {"symbol": "ETH", "isolated": True, "leverage": 3}
    info = VENUE.decode_leverage_info(answered({"margin_settings": [own]}), MARKET)
    assert (info["leverage"], info["margin_mode"]) == (D(3), "isolated")


def test_an_account_is_read_by_its_address_alone() -> None:
    watcher = PacificaExchange(read_only=True, account=ACCOUNT)
    request = watcher.encode_collateral()
    assert (request.query, request.signed) == ({"account": ACCOUNT}, False)
    with pytest.raises(MissingCredentials, match="account"):
        PacificaExchange(read_only=True).encode_collateral()


def test_what_it_may_spend_depends_on_who_asks() -> None:
    keys = {"account": ACCOUNT, "private_key": OWNER_KEY}
    assert VENUE.limits == {"default": Limit(1000, 60.0)}
    known = PacificaExchange(**keys, api_config_key="AbCdEfGh_2mT8x")
    assert known.limits == {"default": Limit(3000, 60.0)}
    assert PacificaExchange(**keys, credits=600).limits == {"default": Limit(6000, 60.0)}
    assert known.encode_markets()[0].headers == {"PF-API-KEY": "AbCdEfGh_2mT8x"}
    assert known.encode_cancel_all(MARKET).headers == {"PF-API-KEY": "AbCdEfGh_2mT8x"}
    assert known.encode_fills(None, 0, None).weight == 10
    assert VENUE.encode_markets()[0].headers == {}
    assert PacificaWSClient(keys=known.keys).handshake_headers() == {"PF-API-KEY": "AbCdEfGh_2mT8x"}
    assert PacificaWSClient(keys=keys).handshake_headers() == {}


# --------------------------------------------------------------------------- keys and proofs


def verified(body: bytes, by: VerifyKey, operation: str) -> dict[str, Any]:
    """The body, whose signature is good over the message that the venue rebuilds from it."""
    sent = json.loads(body)
    proof = {"account", "agent_wallet", "signature", "timestamp", "expiry_window"}
    message = {
        "data": {name: value for name, value in sent.items() if name not in proof},
        "expiry_window": sent["expiry_window"],
        "timestamp": sent["timestamp"],
        "type": operation,
    }
    text = json.dumps(message, sort_keys=True, separators=(",", ":"))
    by.verify(text.encode(), b58decode(sent["signature"]))
    return sent  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("changes", "operation", "window_ms"),
    [
        ({"price": D(3000)}, "create_order", 5000),
        ({"price": D(3000), "post_only": True}, "create_order", 5000),
        ({"price": D(3000), "time_in_force": TimeInForce.IOC}, "create_order", 2000),
        ({}, "create_market_order", 2000),
    ],
)
def test_what_must_trade_at_once_is_good_for_a_shorter_time(
    changes: dict[str, Any], operation: str, window_ms: int
) -> None:
    signed = VENUE.sign(encoded(**changes), NOW_MS)
    sent = verified(signed.body, OWNER.verify_key, operation)
    assert (sent["timestamp"], sent["expiry_window"]) == (NOW_MS, window_ms)
    assert window_ms in (VENUE.SPEC.request_bound_ms, VENUE.SPEC.immediate_bound_ms)


def test_an_agent_is_named_beside_the_account() -> None:
    dex = PacificaExchange(account=ACCOUNT, private_key=AGENT_KEY)
    request = VENUE.encode_cancel_all(MARKET)
    sent = verified(dex.sign(request, NOW_MS).body, AGENT.verify_key, "cancel_all_orders")
    assert (sent["account"], sent["agent_wallet"]) == (ACCOUNT, AGENT_ADDRESS)
    own = verified(VENUE.sign(request, NOW_MS).body, OWNER.verify_key, "cancel_all_orders")
    assert "agent_wallet" not in own
    leverage = dex.sign(VENUE.encode_leverage(MARKET, D(3), 0), NOW_MS)
    verified(leverage.body, AGENT.verify_key, "update_leverage")


def test_signing_changes_nothing_but_the_body() -> None:
    request = replace(encoded(price=D(1)), headers={"X": "1"}, weight=3)
    signed = VENUE.sign(request, NOW_MS)
    kept = [field.name for field in fields(Request) if field.name != "body"]
    assert all(getattr(signed, name) == getattr(request, name) for name in kept)
    assert VENUE.sign(READ, NOW_MS) is READ


@pytest.mark.parametrize(
    ("account", "key", "words"),
    [
        (ACCOUNT, "0OIl", "private_key"),
        (ACCOUNT, b58encode(b"short").decode(), "private_key"),
        (ACCOUNT, b58encode(bytes(OWNER) + bytes(AGENT.verify_key)).decode(), "private_key"),
        (ACCOUNT[:-4], OWNER_KEY, "account"),
        ("me", OWNER_KEY, "account"),
    ],
)
def test_keys_that_cannot_be(account: str, key: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        PacificaAuth(account, key)
    assert key not in str(caught.value)
    assert key not in repr(caught.value.__cause__)


def test_nothing_is_signed_without_keys_or_that_is_no_operation() -> None:
    with pytest.raises(MissingCredentials):
        PacificaExchange(read_only=True).sign(encoded(price=D(1)), NOW_MS)
    with pytest.raises(UsageError):
        VENUE.sign(Request("POST", "/account/withdraw", json={}, signed=True), NOW_MS)


def test_no_key_is_shown() -> None:
    auth = PacificaAuth(ACCOUNT, AGENT_KEY)
    assert AGENT_KEY not in repr(auth)
    assert AGENT_ADDRESS[:6] in repr(auth)
    assert "agent" not in repr(PacificaAuth(ACCOUNT, OWNER_KEY))


def test_base58_is_that_of_the_library() -> None:
    rng = random.Random(1)
    samples = [b"", b"\0", b"\0\0\1", b"\1", bytes(64), b"\xff" * 64]
    samples += [rng.randbytes(rng.randrange(1, 70)) for _ in range(500)]
    samples += [rng.randbytes(64) for _ in range(500)]
    for data in samples:
        assert encode_base58(data) == b58encode(data)


# --------------------------------------------------------------------------- streams


def test_topics_and_their_confirmations(stream: PacificaAccountClient) -> None:
    market = PacificaWSClient(keys={})
    for client, topic in (
        (market, Topic("book", "kBONK")),
        (market, Topic("bbo", "ETH")),
        (market, Topic("mark", "ETH")),
        (stream, Topic("orders")),
        (stream, Topic("fills")),
        (stream, Topic("positions")),
    ):
        (asked,) = client.encode_subscribe([topic])
        request = json.loads(asked)
        assert request["method"] == "subscribe"
        echo = {**request["params"], "full": False}
        echo.pop("agg_level", None)  # may be left out
        (confirmed,) = client.decode(frame("subscribe", echo))
        assert confirmed == Subscribed(client.wire_topic(topic))
        (ended,) = client.encode_unsubscribe([topic])
        assert json.loads(ended) == {"method": "unsubscribe", "params": request["params"]}
    assert market.wire_topic(Topic("mark", "ETH")) == market.wire_topic(Topic("mark", "BTC"))
    assert len(market.encode_subscribe([Topic("book", "ETH"), Topic("bbo", "ETH")])) == 2


def test_the_client_pings_in_time(stream: PacificaAccountClient) -> None:
    assert stream.encode_ping() == b'{"method":"ping"}'
    assert stream.PING_INTERVAL is not None
    assert stream.PING_INTERVAL * 2 < 60
    assert list(stream.decode(b'{"channel":"pong"}')) == []
    assert stream.MAX_AGE == 86_400


def test_a_call_is_named_by_a_uuid_and_found_again(stream: PacificaAccountClient) -> None:
    signed = VENUE.sign(encoded(price=D(1)), NOW_MS)
    sent = json.loads(stream.encode_call(signed, 258))
    assert sent == {"id": call_id(258), "params": {"create_order": json.loads(signed.body)}}
    assert (len(call_id(258)), number_of(call_id(258))) == (36, 258)
    for stranger in ("", "660065de-8f32-46ad-ba1e-83c93d3e3966", "00000000-0000-4000-8000-x"):
        assert number_of(stranger) == 0


def test_a_call_over_the_limit_says_for_how_long(stream: PacificaAccountClient) -> None:
    told = {"id": call_id(3), "code": 429, "err": "Rate limit exceeded", "rl": {"r": 0, "t": 32}}
    (reply,) = stream.decode(json.dumps(told).encode())
    assert isinstance(reply, Reply)
    error = VENUE.decode_error(200, reply.body, PLACE)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 32


@pytest.mark.parametrize(
    ("code", "kind"), [(400, VenueError), (401, AuthError), (403, AuthError), (429, RateLimited)]
)
def test_a_refusal_that_names_no_call(
    stream: PacificaAccountClient, code: int, kind: type[VenueError]
) -> None:
    told = {"id": None, "code": code, "err": "Invalid request", "t": NOW_MS}
    (reply,) = stream.decode(json.dumps(told).encode())
    assert isinstance(reply, Reply)
    assert (reply.id, type(reply.error)) == (0, kind)
    assert reply.error.venue == stream.name
    assert list(stream.decode(b'{"code":200,"t":1}')) == []


def position(symbol: str, size: str = "2", **changes: Any) -> dict[str, Any]:
    entry = {"s": symbol, "d": "ask", "a": size, "p": "3000", "l": "4000", "t": NOW_MS}
    return {**entry, **changes}


def test_positions_that_are_missing_are_closed(stream: PacificaAccountClient) -> None:
    def told(entries: list[Any], li: int) -> list[Any]:
        return list(stream.decode(frame("account_positions", entries, li=li)))

    both = told([position("ETH"), position("BTC", d="bid")], 10)
    assert [(u.symbol, u.size) for u in both] == [("ETH", D(-2)), ("BTC", D(2))]
    assert both[0].position["liquidation_price"] == D(4000)
    one = told([position("BTC", d="bid")], 11)
    assert [(u.symbol, u.size) for u in one] == [("ETH", D(0)), ("BTC", D(2))]
    assert one[0] == PositionUpdate("ETH", D(0), None, None)
    assert told([position("ETH")], 9) == [], "an older list"
    assert [u.symbol for u in told([position("ETH")], 11)] == ["BTC", "ETH"]
    assert [u.size for u in told([], 12)] == [D(0)]
    assert told([], 13) == []


def test_after_a_new_subscription_numbers_may_begin_anew(stream: PacificaAccountClient) -> None:
    list(stream.decode(frame("account_positions", [position("ETH")], li=10)))
    list(stream.decode(frame("subscribe", {"source": "account_positions", "account": ACCOUNT})))
    events = list(stream.decode(frame("account_positions", [], li=2)))
    assert events == [PositionUpdate("ETH", D(0), None, None)]


def test_lists_without_a_number_are_taken(stream: PacificaAccountClient) -> None:
    """Snapshots of a fresh account may lack it."""
    for size in ("1", "2"):
        (event,) = stream.decode(frame("account_positions", [position("ETH", size)]))
        assert isinstance(event, PositionUpdate)
        assert event.size == -D(size)


def test_empty_sides_and_many_marks(stream: PacificaAccountClient) -> None:
    (quote,) = stream.decode(frame("bbo", {"s": "ETH", "t": 1, "b": "1", "B": "2"}))
    assert tuple(quote)[1:5] == ("1", "2", "", "")
    prices = [
        {"symbol": "ETH", "mark": "3000", "oracle": "3001", "timestamp": 1},
        {"symbol": "SOL-USDC", "mark": "100", "timestamp": 1},
        {"symbol": "BTC", "mark": "100000", "timestamp": 2},
    ]
    events = list(stream.decode(frame("prices", prices)))
    assert events == [
        MarkUpdate("ETH", D(3000), D(3001), 1),
        MarkUpdate("BTC", D(100000), None, 2),
    ]


def test_a_fill_of_the_stream_is_the_fill_of_the_history(stream: PacificaAccountClient) -> None:
    told = {
        "h": 3,
        "i": 7,
        "I": OWN_ID,
        "s": "ETH",
        "p": "2999.5",
        "a": "0.5",
        "te": "fulfill_taker",
        "ts": "close_short",
        "f": "-0.01",
        "t": NOW_MS,
    }
    (event,) = stream.decode(frame("account_trades", [told]))
    assert isinstance(event, FillUpdate)
    [read] = VENUE.decode_fills(answered([TRADE]), None).fills
    assert {**event.fill, "raw": None} == {**read, "raw": None}

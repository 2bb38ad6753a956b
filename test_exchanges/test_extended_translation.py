"""Extended: what is refused before sending, what errors become, what its streams do."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from core.ws_double import Peer, Server, until, virtually

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
    UsageError,
    VenueError,
)
from mpdex.sim.run import start
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
    TimeInForce,
    Topic,
)
from mpdex.utils.clock import SystemClock
from mpdex.utils.orderbook import Book
from mpdex.utils.signing.stark import poseidon_many, short_string, starknet_keccak
from mpdex.utils.throttle import Throttle
from wrappers.extended import IMMEDIATE_MS, RESTING_MS, ExtendedExchange, fee_cap
from wrappers.extended_auth import (
    MAINNET,
    NONCES,
    TESTNET,
    Draft,
    ExtendedAuth,
    amounts_of,
    assets_of,
    chain_of,
    nonce_of,
)
from wrappers.extended_ws_client import ExtendedAccountClient, ExtendedWSClient

D = Decimal
KEYS = {
    "api_key": "0123456789abcdef",
    "private_key": "0x101010101010101010101010101010101010101010101010101010101010101",
    "public_key": "0x697e33d2b86a47567de8efb17c1bf83b735fea5e769df38a44600f186a3f366",
    "vault": "10001",
}
READER = ExtendedExchange(read_only=True)
VENUE = ExtendedExchange(**KEYS)
NOW_MS = 1_790_000_000_000
PLACE = Request("POST", "/user/order", signed=True, command=True)
CANCEL = Request("DELETE", "/user/order/1", signed=True, command=True)
QUERY = Request("GET", "/user/orders/1", signed=True)
LEVERAGE = Request("PATCH", "/user/leverage", signed=True)

ORDER = {
    "id": 1791389621914243072,
    "externalId": "7",
    "accountId": 1,
    "market": "ETH-USD",
    "type": "LIMIT",
    "side": "SELL",
    "status": "CANCELLED",
    "statusReason": "NO_LIQUIDITY",
    "price": "3000.0",
    "averagePrice": "3001",
    "qty": "0.5",
    "filledQty": "0.2",
    "payedFee": "0.15",
    "reduceOnly": True,
    "postOnly": False,
    "timeInForce": "IOC",
    "createdTime": NOW_MS - 5,
    "updatedTime": NOW_MS,
}
FILL = {
    "id": 1784963886257016832,
    "orderId": 1791389621914243072,
    "externalOrderId": "7",
    "market": "ETH-USD",
    "side": "BUY",
    "price": "3000.0000000000000000",
    "qty": "0.1000000000000000",
    "fee": "0.0750000000000000",
    "isTaker": True,
    "tradeType": "TRADE",
    "createdTime": NOW_MS,
}
POSITION = {
    "market": "ETH-USD",
    "status": "OPENED",
    "side": "SHORT",
    "leverage": "10",
    "size": "0.3",
    "openPrice": "3000",
    "markPrice": "3001",
    "unrealisedPnl": "-0.3",
    "updatedAt": NOW_MS,
}
RATES = {"market": "ETH-USD", "makerFeeRate": "-0.00002", "takerFeeRate": "0.00025"}


def listed(**changes: Any) -> dict[str, Any]:
    entry = {
        "name": "ETH-USD",
        "type": "PERPETUAL",
        "assetName": "ETH",
        "collateralAssetName": "USD",
        "active": True,
        "isRfq": False,
        "status": "ACTIVE",
        "tradingConfig": {
            "minOrderSize": "0.01",
            "minOrderSizeChange": "0.001",
            "minPriceChange": "0.1",
            "maxLeverage": "50.00",
            "limitPriceCap": "0.05",
            "limitPriceFloor": "0.04",
        },
        "l2Config": {
            "type": "STARKX",
            "collateralId": "0x1",
            "syntheticId": "0x4554482d3800000000000000000000",
            "syntheticResolution": 100_000_000,
            "collateralResolution": 1_000_000,
        },
    }
    return {**entry, **changes}


def markets(*entries: dict[str, Any], rates: Any = (RATES,)) -> list[Market]:
    return VENUE.decode_markets([{"status": "OK", "data": list(entries)}, ok(list(rates))])


def ok(data: Any) -> dict[str, Any]:
    return {"status": "OK", "data": data}


ETH = markets(listed())[0]


def order(**changes: Any) -> OrderRequest:
    given = {"symbol": "ETH-USD", "side": "buy", "size": D("0.50"), "price": D("3000.1")}
    return OrderRequest(**{**given, "client_id": "7", **changes})


def encoded(asked: OrderRequest, on: Market = ETH) -> Request:
    return VENUE.encode_order(asked, on, NOW_MS * 10**6)


# --------------------------------------------------------------------------- orders out


def test_an_order_that_rests() -> None:
    request = encoded(order(post_only=True))
    fields = json.loads(request.body)
    settlement = fields.pop("settlement")
    assert fields == {
        "id": "7",
        "market": "ETH-USD",
        "type": "LIMIT",
        "side": "BUY",
        "qty": "0.50",
        "price": "3000.1",
        "reduceOnly": False,
        "postOnly": True,
        "timeInForce": "GTT",
        "expiryEpochMillis": NOW_MS + RESTING_MS,
        "fee": "0",
        "nonce": str(nonce_of("7", NOW_MS * 10**6)),
        "selfTradeProtectionLevel": "ACCOUNT",
    }
    assert settlement["starkKey"] == KEYS["public_key"]
    assert settlement["collateralPosition"] == KEYS["vault"]
    assert (request.method, request.path, request.lane) == ("POST", "/user/order", Lane.QUOTE)
    assert (request.command, request.signed) == (True, True)


def test_an_order_that_must_trade_expires_soon_and_pays_the_takers_rate() -> None:
    asked = order(side="sell", time_in_force=TimeInForce.IOC, reduce_only=True, size=D("1E+1"))
    request = encoded(asked)
    fields = json.loads(request.body)
    assert (fields["timeInForce"], fields["expiryEpochMillis"]) == ("IOC", NOW_MS + IMMEDIATE_MS)
    assert (fields["side"], fields["reduceOnly"], fields["postOnly"]) == ("SELL", True, False)
    assert (fields["qty"], fields["fee"]) == ("10", "0.00025")
    assert request.lane is Lane.HEDGE
    assert VENUE.SPEC.immediate_bound_ms == IMMEDIATE_MS


def test_the_signature_is_of_the_documented_hash() -> None:
    """By our own Poseidon, from the texts that the venue's documentation gives."""
    sent = json.loads(encoded(order(side="sell")).body)
    order_type = starknet_keccak(
        '"Order"("position_id":"felt","base_asset_id":"AssetId","base_amount":"i64",'
        '"quote_asset_id":"AssetId","quote_amount":"i64","fee_asset_id":"AssetId",'
        '"fee_amount":"u64","expiration":"Timestamp","salt":"felt")"PositionId"("value":"u32")'
        '"AssetId"("value":"felt")"Timestamp"("seconds":"u64")'
    )
    domain_type = starknet_keccak(
        '"StarknetDomain"("name":"shortstring","version":"shortstring","chainId":"shortstring",'
        '"revision":"shortstring")'
    )
    coin = int(ETH["raw"]["l2Config"]["syntheticId"], 16)
    field = 2**251 + 17 * 2**192 + 1
    amounts = 10001, coin, field - 50_000_000, 1, 1_500_050_000, 1, 375_013
    until_s = (NOW_MS + RESTING_MS) // 1000 + 14 * 86_400
    hashed = poseidon_many([order_type, *amounts, until_s, int(sent["nonce"])])
    domain = ("Perpetuals", "v0", "SN_MAIN")
    domain_hash = poseidon_many([domain_type, *map(short_string, domain), 1])
    key = int(KEYS["public_key"], 16)
    message = poseidon_many([short_string("StarkNet Message"), domain_hash, key, hashed])
    r, s = VENUE._auth._signer.sign(message)  # type: ignore[union-attr]
    assert sent["settlement"]["signature"] == {"r": hex(r), "s": hex(s)}


@pytest.mark.parametrize(
    ("side", "size", "expected"),
    [
        ("buy", "0.123456789", (12_345_679, -426_764_083, 106_692)),
        ("sell", "0.123456789", (-12_345_678, 426_764_082, 106_692)),
        ("buy", "1", (100_000_000, -3_456_789_100, 864_198)),
        ("sell", "1", (-100_000_000, 3_456_789_100, 864_198)),
    ],
)
def test_settlement_rounds_for_the_signer_and_the_fee_up(
    side: Any, size: str, expected: tuple[int, int, int]
) -> None:
    assert amounts_of(draft(side=side, size=D(size), price=D("3456.7891"))) == expected


def draft(**changes: Any) -> Draft:
    given = {
        "market": "ETH-USD",
        "assets": assets_of(ETH["raw"]["l2Config"]),
        "kind": "LIMIT",
        "side": "buy",
        "size": D(1),
        "price": D(3000),
        "time_in_force": "GTT",
        "post_only": False,
        "reduce_only": False,
        "expires_ms": NOW_MS,
        "fee": D("0.00025"),
        "nonce": 1,
    }
    return Draft(**{**given, **changes})


def test_an_amount_that_the_chain_cannot_hold_is_refused() -> None:
    with pytest.raises(BadOrder, match="extended: 10000000000000 is more"):
        amounts_of(draft(size=D(10_000_000_000_000), price=D(1)))


def test_a_nonce_is_another_for_each_order_and_in_range() -> None:
    drawn = {nonce_of(str(number), NOW_MS) for number in range(1000)}
    assert len(drawn) > 990
    assert all(1 <= nonce <= NONCES for nonce in drawn)
    assert nonce_of("7", 1) != nonce_of("7", 2)


def test_an_order_without_a_name_is_named_by_its_hash() -> None:
    sent = json.loads(encoded(order(client_id="")).body)
    again = json.loads(encoded(order(client_id="")).body)
    assert sent["id"] == again["id"]
    assert len(sent["id"]) > 70


def test_a_price_is_always_needed() -> None:
    with pytest.raises(BadOrder, match="worst price"):
        encoded(order(price=None))
    with pytest.raises(MissingCredentials):
        READER.encode_order(order(), ETH, 0)
    assert VENUE.SPEC.market_bound_bps is not None
    assert VENUE.SPEC.market_bound_bps.scaleb(-4) < ETH["price_band"]  # type: ignore[operator]
    assert "fok" not in VENUE.SPEC.supports


def test_the_fee_cap_is_the_accounts_own() -> None:
    assert fee_cap(ETH, post_only=False) == D("0.00025")
    assert fee_cap(ETH, post_only=True) == 0, "a rebate needs no cap below nothing"
    (untold,) = markets(listed(), rates=())
    assert fee_cap(untold, post_only=True) == D("0.0005")


def test_cancels() -> None:
    by_ours = VENUE.encode_cancel(CancelRequest(symbol="ETH-USD", order_id="9", client_id="7"), ETH)
    assert (by_ours.path, by_ours.query) == ("/user/order", {"externalId": "7"})
    by_theirs = VENUE.encode_cancel(CancelRequest(symbol="ETH-USD", order_id="9"), ETH)
    assert (by_theirs.path, by_theirs.query) == ("/user/order/9", None)
    strange = VENUE.encode_cancel(CancelRequest(symbol="ETH-USD", client_id="a&b/ü"), ETH)
    assert strange.query == {"externalId": "a%26b%2F%C3%BC"}
    for request in (by_ours, by_theirs):
        assert (request.method, request.command, request.lane) == ("DELETE", True, Lane.CANCEL)
    everything = VENUE.encode_cancel_all(ETH)
    assert (everything.path, json.loads(everything.body)) == (
        "/user/order/massCancel",
        {"markets": ["ETH-USD"]},
    )
    for answer in ({"status": "OK"}, {"status": "OK", "data": {}}):
        assert VENUE.decode_cancel(answer) is None


def test_the_switch_counts_seconds() -> None:
    now_ms = VENUE.venue_clock.now_ms()
    request = VENUE.encode_schedule_cancel(now_ms + 60_500)
    assert (request.method, request.path) == ("POST", "/user/deadmanswitch")
    assert (request.query or {})["countdownTime"] in ("60", "61")
    assert not request.command, "saying it twice does no harm, and an empty answer says all"
    assert VENUE.encode_schedule_cancel(None).query == {"countdownTime": "0"}
    late = VENUE.encode_schedule_cancel(now_ms - 5000).query
    assert late == {"countdownTime": "1"}, "0 would take the switch back"


# --------------------------------------------------------------------------- orders back


def test_an_order_that_was_taken_is_pending() -> None:
    answer = ok({"id": 1791389621914243072, "externalId": "7"})
    placed = VENUE.decode_placement(answer, order())
    assert (placed["id"], placed["status"]) == ("1791389621914243072", OrderStatus.PENDING)
    assert (placed["client_order_id"], placed["filled"]) == ("7", 0)
    with pytest.raises(ProtocolError):
        VENUE.decode_placement({"status": "OK"}, order())


@pytest.mark.parametrize(
    ("status", "filled", "expected"),
    [
        ("NEW", "0", OrderStatus.OPEN),
        ("PARTIALLY_FILLED", "0.2", OrderStatus.OPEN),
        ("FILLED", "0.5", OrderStatus.FILLED),
        ("CANCELLED", "0.2", OrderStatus.CANCELED),
        ("CANCELLED", "0.5", OrderStatus.FILLED),
        ("EXPIRED", "0", OrderStatus.EXPIRED),
        ("REJECTED", None, OrderStatus.REJECTED),
        ("UNTRIGGERED", "0", OrderStatus.PENDING),
    ],
)
def test_what_was_executed_decides(status: str, filled: str | None, expected: OrderStatus) -> None:
    found = VENUE.decode_order(ok({**ORDER, "status": status, "filledQty": filled}))
    assert (found["status"], found["filled"]) == (expected, D(filled or 0))


def test_an_order_with_all_that_is_told() -> None:
    found = VENUE.decode_order(ok(ORDER))
    assert (found["id"], found["client_order_id"]) == ("1791389621914243072", "7")
    assert (found["side"], found["price"], found["average_price"]) == ("sell", 3000, D(3001))
    assert (found["reduce_only"], found["post_only"]) == (True, False)
    assert (found["time_in_force"], found["reason"]) == (TimeInForce.IOC, "NO_LIQUIDITY")
    assert found["timestamp_ms"] == NOW_MS
    little = VENUE.decode_order(ok({**ORDER, "filledQty": "0", "statusReason": "NONE"}))
    assert (little["average_price"], little["reason"]) == (None, "")


@pytest.mark.parametrize(
    "broken",
    [
        {**ORDER, "status": "UNKNOWN"},
        {**ORDER, "status": "CANCELED"},
        {**ORDER, "side": "LONG"},
        {**ORDER, "timeInForce": "DAY"},
        {**ORDER, "filledQty": "much"},
        {name: value for name, value in ORDER.items() if name != "id"},
        [],
        None,
    ],
)
def test_an_answer_not_understood_is_never_guessed(broken: Any) -> None:
    with pytest.raises(ProtocolError):
        VENUE.decode_order(ok(broken))


def test_an_order_is_found_by_either_id() -> None:
    ours = CancelRequest(symbol="ETH-USD", client_id="7")
    (request,) = VENUE.encode_order_queries(ours, ETH)
    assert (request.path, request.command) == ("/user/orders/external/7", False)
    assert VENUE.decode_order_query(ok([]), ours) is None
    older = {**ORDER, "id": 5, "status": "REJECTED"}
    elsewhere = {**ORDER, "id": 2**62, "market": "BTC-USD"}
    found = VENUE.decode_order_query(ok([older, ORDER, elsewhere]), ours)
    assert found is not None
    assert found["id"] == str(ORDER["id"])
    theirs = CancelRequest(symbol="ETH-USD", order_id="9")
    (request,) = VENUE.encode_order_queries(theirs, ETH)
    assert request.path == "/user/orders/9"
    assert VENUE.decode_order_query(ok(ORDER), theirs) is not None


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("POST_ONLY_FAILED", PostOnlyWouldCross),
        ("REDUCE_ONLY_FAILED", ReduceOnlyRefused),
        ("NOT_ENOUGH_FUNDS", InsufficientMargin),
        ("NO_LIQUIDITY", NoImmediateMatch),
        ("TRADING_OFF_MODE", MarketUnavailable),
        ("INVALID_EXPIRE_TIME", NonceRefused),
        ("ORDER_REPLACED", None),
        ("A_NEW_WORD", None),
        ("", None),
    ],
)
def test_late_refusals(word: str, kind: type[Exception] | None) -> None:
    assert VENUE.decode_reason(word) is kind


def test_fills_are_read_back_page_by_page() -> None:
    first = VENUE.encode_fills(ETH, NOW_MS, None)
    assert (first.path, first.query) == ("/user/trades", {"market": "ETH-USD", "limit": "1000"})
    answer = {**ok([FILL]), "pagination": {"cursor": 1784963886257016832, "count": 1}}
    page = VENUE.decode_fills(answer, None)
    assert (page.cursor, page.backwards) == ("1784963886257016832", True)
    [fill] = page.fills
    assert (fill["id"], fill["order_id"]) == ("1784963886257016832", "1791389621914243072")
    assert (fill["client_order_id"], fill["fee"], fill["fee_asset"]) == ("7", D("0.075"), "USD")
    assert (fill["price"], fill["size"], fill["liquidity"]) == (3000, D("0.1"), "taker")
    assert (VENUE.encode_fills(None, 0, page.cursor).query or {})["cursor"] == page.cursor
    assert VENUE.decode_fills(answer, page.cursor).cursor is None, "a cursor that stays is the end"
    assert VENUE.decode_fills(ok([]), page.cursor).cursor is None
    assert VENUE.decode_fills({**ok([FILL]), "pagination": None}, None).cursor is None
    documented = {**FILL, "externalOrderId": None, "externalId": "8", "isTaker": False}
    [fill] = VENUE.decode_fills(ok([documented]), None).fills
    assert (fill["client_order_id"], fill["liquidity"]) == ("8", "maker")


# --------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, 1001, SymbolRefused),
        (400, 1002, MarketUnavailable),
        (400, 1010, MarketUnavailable),
        (400, 1014, MarketUnavailable),
        (400, 1101, AuthError),
        (400, 1102, AuthError),
        (400, 1120, PrecisionRefused),
        (400, 1124, PrecisionRefused),
        (400, 1126, LimitReached),
        (400, 1127, LimitReached),
        (400, 1128, OrderRejected),
        (400, 1134, DuplicateClientId),
        (400, 1135, NonceRefused),
        (400, 1137, ReduceOnlyRefused),
        (400, 1140, InsufficientMargin),
        (400, 1141, PriceOutOfBand),
        (400, 1145, MarketUnavailable),
        (422, 1999, OrderRejected),
        (400, 400, OrderRejected),
        (401, 401, AuthError),
        (403, 403, AuthError),
        (429, 429, RateLimited),
        (400, 500, OutcomeUnknown),
        (400, 1006, OutcomeUnknown),
        (404, 404, OrderRejected),
        (404, "NOT_FOUND", OrderRejected),
    ],
)
def test_errors_of_an_order(status: int, code: object, kind: type[MpdexError]) -> None:
    answer = {"status": "ERROR", "error": {"code": code, "message": "no", "debugInfo": "why"}}
    error = VENUE.decode_error(status, answer, PLACE)
    assert type(error) is kind
    assert "POST /user/order" in str(error)
    if isinstance(error, VenueError):
        assert error.code == str(code)


@pytest.mark.parametrize(
    ("status", "answer", "request_", "kind"),
    [
        (404, {"status": "ERROR", "error": {"code": 404, "message": ""}}, CANCEL, OrderNotFound),
        (404, {"status": "ERROR", "error": {"code": "NOT_FOUND"}}, QUERY, OrderNotFound),
        (400, {"status": "ERROR", "error": {"code": 1142}}, CANCEL, OrderNotFound),
        (200, {"status": "ERROR", "error": {"code": 1142}}, CANCEL, OrderNotFound),
        (400, {"status": "ERROR", "error": {"code": 1050}}, LEVERAGE, VenueError),
        (404, {"status": "ERROR", "error": {"code": 404}}, LEVERAGE, VenueError),
        (403, "<html>", QUERY, AuthError),
        (429, None, QUERY, RateLimited),
        (502, "<html>", QUERY, TransportError),
        (502, "<html>", CANCEL, OutcomeUnknown),
    ],
)
def test_other_errors(status: int, answer: Any, request_: Request, kind: type[MpdexError]) -> None:
    assert type(VENUE.decode_error(status, answer, request_)) is kind


def test_a_door_that_answers_without_json() -> None:
    assert type(VENUE.decode_page(403, "Forbidden", PLACE)) is AuthError
    assert type(VENUE.decode_page(401, "", PLACE)) is AuthError
    assert type(VENUE.decode_page(404, "", QUERY)) is OrderNotFound
    assert VENUE.decode_page(404, "no such page", PLACE) is None, "nobody knows"
    assert VENUE.decode_page(413, "", PLACE) is None


def test_an_account_without_money_has_no_balance() -> None:
    request = VENUE.encode_collateral()
    assert isinstance(request, Request)
    answer = {"status": "ERROR", "error": {"code": 404, "message": "Balance not found"}}
    assert VENUE.decode_error(404, answer, request) is None
    empty = VENUE.decode_collateral(answer)
    assert (empty["total"], empty["available"], empty["currency"]) == (0, 0, "USD")


# --------------------------------------------------------------------------- markets, account


def test_a_market() -> None:
    assert (ETH["symbol"], ETH["coin"], ETH["quote"], ETH["kind"]) == (
        "ETH-USD",
        "ETH",
        "USD",
        "perp",
    )
    assert (ETH["tick"], ETH["step"], ETH["min_size"]) == (D("0.1"), D("0.001"), D("0.01"))
    assert (ETH["max_leverage"], ETH["price_band"], ETH["active"]) == (50, D("0.04"), True)
    assert ETH["raw"]["fees"] == RATES


def test_what_is_left_out_and_what_does_not_trade() -> None:
    listing = [listed(type="SPOT"), listed(isRfq=True), listed()]
    assert [market["symbol"] for market in markets(*listing)] == ["ETH-USD"]
    for changes in ({"active": False}, {"status": "REDUCE_ONLY"}, {"status": "A_NEW_WORD"}):
        assert not markets(listed(**changes))[0]["active"]
    (pepe,) = markets(listed(name="1000PEPE-USD", assetName="1000PEPE"))
    assert (pepe["coin"], pepe["multiplier"]) == ("PEPE", 1000)


def test_the_rates_come_with_the_markets_where_there_are_keys() -> None:
    assert [str(request) for request in VENUE.encode_markets()] == [
        "GET /info/markets",
        "GET /user/fees",
    ]
    (public,) = READER.encode_markets()
    assert not public.signed
    assert READER.decode_markets([ok([listed()])])[0]["raw"]["fees"] is None


def test_fees_and_leverage() -> None:
    fees = VENUE.decode_fees(ok([RATES]), ETH)
    assert (fees["maker"], fees["taker"], fees["assumed"]) == (D("-0.00002"), D("0.00025"), False)
    with pytest.raises(ProtocolError):
        VENUE.decode_fees(ok([]), ETH)
    info = VENUE.decode_leverage_info(ok([{"market": "ETH-USD", "leverage": "10"}]), ETH)
    assert (info["leverage"], info["max_leverage"], info["margin_mode"]) == (10, 50, "cross")
    assert VENUE.decode_leverage_info(ok([]), ETH)["leverage"] is None
    request = VENUE.encode_leverage(ETH, D("1E+1"), 0)
    assert (request.method, request.json) == ("PATCH", {"market": "ETH-USD", "leverage": "10"})


def test_a_closed_position_is_none() -> None:
    closed = [{**POSITION, "status": "CLOSED"}, {**POSITION, "size": "0.0"}]
    (short,) = VENUE.decode_positions(ok([*closed, POSITION]))
    assert (short["side"], short["size"], short["entry_price"]) == ("short", D("0.3"), 3000)
    assert (short["leverage"], short["liquidation_price"]) == (10, None)
    with pytest.raises(ProtocolError):
        VENUE.decode_positions(ok([{**POSITION, "side": "BOTH"}]))


# --------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"public_key": "0x1"}, "not that of private_key"),
        ({"public_key": "key"}, "public_key is not a number"),
        ({"private_key": "0xnot-a-key"}, "private_key is wrong"),
        ({"private_key": "0x0"}, "private_key is wrong"),
        ({"vault": "vault"}, "vault is not a number"),
        ({"vault": str(2**32)}, "vault is a number up to"),
        ({"api_key": "a\nb"}, "api_key has letters"),
    ],
)
def test_keys_that_are_none(changes: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        ExtendedExchange(**{**KEYS, **changes})
    assert changes.get("private_key", "none given") not in str(caught.value)


def test_the_api_key_is_on_what_is_private_and_in_no_text() -> None:
    request = VENUE.sign(QUERY, NOW_MS)
    assert request.headers == {"X-Api-Key": KEYS["api_key"]}
    assert KEYS["api_key"] not in f"{VENUE!r} {VENUE._auth!r}"
    assert KEYS["private_key"][2:] not in f"{VENUE!r} {VENUE._auth!r}"
    assert not any(
        request.signed for request in (VENUE.encode_mark(ETH), VENUE.encode_book(ETH, 1))
    )
    with pytest.raises(MissingCredentials):
        READER.sign(QUERY, NOW_MS)


@pytest.mark.parametrize(
    ("url", "chain"),
    [
        ("https://api.starknet.extended.exchange/api/v1", MAINNET),
        ("https://api.starknet.sepolia.extended.exchange/api/v1", TESTNET),
        ("http://127.0.0.1:8080/api/v1", MAINNET),
    ],
)
def test_the_chain_is_that_of_the_address(url: str, chain: str) -> None:
    assert chain_of(url) == chain
    auth = ExtendedExchange(**KEYS, endpoints={"rest": url})._auth
    assert isinstance(auth, ExtendedAuth)
    assert auth.chain == chain


# --------------------------------------------------------------------------- frames


def market_frame(kind: str, seq: int, bids: Any = (), asks: Any = (), depth: str = "f") -> bytes:
    sides = {"t": kind, "m": "ETH-USD", "b": list(bids), "a": list(asks), "d": depth}
    message = {"type": kind, "data": sides, "ts": NOW_MS, "seq": seq}
    return json.dumps(message, separators=(",", ":")).encode()


def snapshot(seq: int) -> bytes:
    return market_frame("SNAPSHOT", seq, [{"p": "2999", "q": "1"}], [{"p": "3001", "q": "2"}])


def account_frame(seq: int, kind: str = "ORDER", **sections: Any) -> bytes:
    return json.dumps({"type": kind, "data": sections, "ts": NOW_MS, "seq": seq}).encode()


def test_a_book_follows_its_own_numbers() -> None:
    stream, book = ExtendedWSClient(keys={}), Book("ETH-USD")

    def hear(frame: bytes) -> bool:
        (update,) = stream.decode(frame)
        assert isinstance(update, BookUpdate)
        return book.apply(update)

    assert hear(snapshot(1))
    change = {"p": "2999.0", "q": "-0.25", "c": "0.75"}
    gone, new = {"p": "3001", "q": "-2", "c": "0"}, {"p": "3002", "q": "5", "c": "5"}
    assert hear(market_frame("DELTA", 2, [change], [gone, new]))
    levels = book.levels()
    assert levels["bids"] == [(D(2999), D("0.75"))], "the size after the change, not the change"
    assert levels["asks"] == [(D(3002), D(5))]
    assert hear(market_frame("DELTA", 3)), "a change without content counts, too"
    assert hear(snapshot(4)), "and so does the snapshot of each minute"
    assert book.levels()["asks"] == [(D(3001), D(2))]
    assert hear(market_frame("DELTA", 5))
    assert not hear(market_frame("DELTA", 7)), "number 6 is missing"
    assert book.gaps == 1


def test_changes_without_sizes_are_added_up() -> None:
    """As the documentation had it until 2025: from the next snapshot on."""
    stream = ExtendedWSClient(keys={})
    change = market_frame("DELTA", 2, [{"p": "2999.0", "q": "-0.25"}], [{"p": "3001", "q": "-2"}])
    assert list(stream.decode(change)) == []
    assert len(list(stream.decode(snapshot(1)))) == 1
    (update,) = stream.decode(change)
    assert isinstance(update, BookUpdate)
    assert (update.bids, update.asks) == ([("2999.0", "0.75")], [("3001", "0")])
    told = market_frame("DELTA", 3, [{"p": "2999", "q": "1", "c": "9"}, {"p": "2998", "q": "1"}])
    (update,) = stream.decode(told)
    assert isinstance(update, BookUpdate)
    assert update.bids == [("2999", "9"), ("2998", "1")]


def test_best_prices_and_marks() -> None:
    stream = ExtendedWSClient(keys={})
    frame = market_frame("SNAPSHOT", 9, [{"p": "2999", "q": "1"}], [], depth="1")
    assert list(stream.decode(frame)) == [BboUpdate("ETH-USD", "2999", "1", "", "", NOW_MS)]
    data = {"m": "ETH-USD", "p": "2999.5", "ts": 0}
    frame = json.dumps({"seq": 1, "ts": NOW_MS, "type": "MP", "data": data}).encode()
    assert list(stream.decode(frame)) == [MarkUpdate("ETH-USD", D("2999.5"), None, NOW_MS)]


def test_sections_of_an_account_message() -> None:
    stream = ExtendedAccountClient(keys=KEYS)
    frame = account_frame(1, orders=[ORDER], trades=[FILL], positions=[POSITION], balance=None)
    fill, update, position = stream.decode(frame)
    assert isinstance(fill, FillUpdate)
    assert (fill.fill["id"], fill.fill["client_order_id"]) == ("1784963886257016832", "7")
    assert isinstance(update, OrderUpdate)
    assert (update.order["status"], update.order["reason"]) == (
        OrderStatus.CANCELED,
        "NO_LIQUIDITY",
    )
    assert isinstance(position, PositionUpdate)
    assert (position.size, position.timestamp_ms) == (D("-0.3"), NOW_MS)
    frame = account_frame(2, "POSITION", positions=[{**POSITION, "status": "CLOSED"}])
    assert list(stream.decode(frame)) == [PositionUpdate("ETH-USD", D(0), None, NOW_MS)]
    assert list(stream.decode(account_frame(3, "BALANCE", balance={"equity": "1"}))) == []
    assert list(stream.decode(account_frame(4, "SPOT_BALANCE", orders=None))) == []
    with pytest.raises(ProtocolError):
        stream.decode(account_frame(5, orders=[{**ORDER, "status": "SLEEPING"}]))


def test_account_messages_count() -> None:
    stream = ExtendedAccountClient(keys=KEYS)
    assert len(list(stream.decode(account_frame(3, orders=[ORDER])))) == 1
    assert list(stream.decode(account_frame(3, orders=[ORDER]))) == [], "said already"
    assert len(list(stream.decode(account_frame(4, orders=[ORDER])))) == 1
    assert list(stream.decode(account_frame(6, orders=[ORDER]))) == [], "number 5 is missing"


@pytest.mark.parametrize(
    ("words", "kind"), [("Invalid API key", AuthError), ("Market not found", VenueError)]
)
def test_a_stream_that_complains(words: str, kind: type[VenueError]) -> None:
    frame = json.dumps({"error": words, "ts": NOW_MS, "seq": 1}).encode()
    for client in (ExtendedWSClient(keys={}), ExtendedAccountClient(keys=KEYS)):
        (reply,) = client.decode(frame)
        assert isinstance(reply, Reply)
        assert type(reply.error) is kind


# --------------------------------------------------------------------------- sockets


BOOK_PATH = "/stream/orderbooks/ETH-USD"
MARK_PATH = "/stream/prices/mark/ETH-USD"
ACCOUNT_PATH = "/stream/account"


class Streams:
    """The other end: sends what a topic's address begins with, and then what it is told to."""

    def __init__(self) -> None:
        self.peers: dict[str, list[Peer]] = {}

    async def __call__(self, peer: Peer) -> None:
        self.peers.setdefault(peer.path, []).append(peer)
        if peer.path.startswith(BOOK_PATH):
            peer.send(snapshot(1))
        await peer.gone()

    def newest(self, path: str) -> Peer:
        return self.peers[path][-1]


def client_of(server: Server, **options: Any) -> ExtendedExchange:
    dex = ExtendedExchange(endpoints={"ws": server.url}, **{**KEYS, **options})
    dex._markets.replace([ETH])
    return dex


@virtually
async def test_each_topic_has_a_socket_of_its_own() -> None:
    venue = Streams()
    async with Server(venue) as server:
        dex = client_of(server, read_only=True)
        topics = [Topic(channel, "ETH-USD") for channel in ("book", "bbo", "mark")]
        await dex.start_streams(topics)
        assert set(venue.peers) == {BOOK_PATH, f"{BOOK_PATH}?depth=1", MARK_PATH}
        assert dex.book("ETH-USD").best() == ("2999", "1", "3001", "2")
        for peers in venue.peers.values():
            assert peers[0].headers["user-agent"] == "mpdex"
            assert "x-api-key" not in peers[0].headers
        await dex.close()


@pytest.mark.parametrize("engine", ["picows", "websockets"])
@virtually
async def test_everything_names_a_user_agent(engine: str) -> None:
    """The venue refuses whoever does not, keys or none, by REST and by either engine's upgrade."""
    async with await start(["extended"], coins=("ETH",)) as world:
        told: list[dict[str, str]] = []
        told_by = world.server.hosts["extended"].arrivals
        told_by.append(lambda _venue, _op, request: told.append(dict(request.headers)))
        keys = world.credentials["extended"]
        for options in ({"read_only": True}, keys):
            dex = ExtendedExchange(
                endpoints=world.endpoints["extended"], clock=world.clock, engine=engine, **options
            )
            await dex.init()
            await dex.get_mark_price("ETH-USD")
            await dex.get_funding_rate("ETH-USD")
            await dex.start_streams([Topic("book", "ETH-USD"), Topic("mark", "ETH-USD")])
            if not dex.read_only:
                await dex.start_streams([Topic("orders")])
                await dex.create_order("ETH-USD", "buy", "0.1", "2500", "limit")
                await dex.cancel_orders("ETH-USD")
                await dex.update_leverage("ETH-USD", 5)
            await dex.close()
        assert len(told) > 8
        assert {headers.get("user-agent") for headers in told} == {"mpdex"}


def test_an_address_has_a_thousand_requests_a_minute() -> None:
    for request in (QUERY, VENUE.encode_mark(ETH), VENUE.encode_cancel_all(ETH)):
        throttle = Throttle(ExtendedExchange.SPEC.limits, clock=SystemClock())
        asked = (
            throttle.try_acquire(request.scope, request.weight, Lane.HEDGE) for _ in range(2000)
        )
        assert sum(asked) == 1000


@virtually
async def test_what_comes_before_anybody_listens_is_heard_later() -> None:
    async with Server(Streams()) as server:
        topic = Topic("book", "ETH-USD")
        stream = ExtendedWSClient(url=server.url + ExtendedWSClient.path_of(topic))
        await stream.connect()
        await asyncio.sleep(1)
        heard: list[object] = []
        stream.listeners.append(heard.append)
        await stream.subscribe(topic)
        (first,) = heard
        assert isinstance(first, BookUpdate)
        assert (first.snapshot, first.last) == (True, 1)
        await stream.close()


@virtually
async def test_a_gap_makes_one_socket_anew() -> None:
    venue = Streams()
    async with Server(venue) as server:
        dex = client_of(server, read_only=True)
        await dex.start_streams([Topic("book", "ETH-USD"), Topic("mark", "ETH-USD")])
        book = dex.book("ETH-USD")
        gaps: list[Book] = []
        dex.on_gap("ETH-USD", gaps.append)
        venue.newest(BOOK_PATH).send(market_frame("DELTA", 3))
        await until(lambda: book.stale)
        await until(lambda: not book.stale)
        assert gaps == [book]
        assert {path: len(peers) for path, peers in venue.peers.items()} == {
            BOOK_PATH: 2,
            MARK_PATH: 1,
        }
        venue.newest(BOOK_PATH).send(market_frame("DELTA", 2, [{"p": "2999", "q": "1", "c": "2"}]))
        await until(lambda: book.best()[1] == "2")
        await dex.close()


@virtually
async def test_a_market_that_is_silent_is_alive_while_the_server_pings() -> None:
    venue = Streams()
    async with Server(venue) as server:
        dex = client_of(server, read_only=True)
        await dex.start_streams([Topic("mark", "ETH-USD")])
        down: list[object] = []
        dex.on_stream(down.append)
        (peer,) = venue.peers[MARK_PATH]
        for _ in range(20):
            peer.send(b"", 9)
            await asyncio.sleep(15)
        assert down == []
        await until(lambda: down)
        await dex.close()


@virtually
async def test_a_gap_in_the_account_reads_it_again() -> None:
    venue = Streams()
    async with Server(venue) as server:
        dex = client_of(server)
        asked: list[int | None] = []

        async def read(since_ms: int | None) -> tuple[list[Any], list[Any], list[Any]]:
            asked.append(since_ms)
            return [], [], []

        dex.feeds._fetch_account = read  # type: ignore[assignment]
        await dex.start_streams([Topic("orders"), Topic("fills"), Topic("positions")])
        (peer,) = venue.peers[ACCOUNT_PATH]
        assert peer.headers["x-api-key"] == KEYS["api_key"]
        assert peer.headers["user-agent"] == "mpdex"
        peer.send(account_frame(1, orders=[{**ORDER, "status": "NEW"}]))
        await until(lambda: dex.feeds.account.open_orders())
        peer.send(account_frame(3, orders=[]))
        await until(lambda: len(asked) > 1 and dex.feeds.account.synced)
        assert len(venue.peers[ACCOUNT_PATH]) == 2
        assert asked[0] is None
        assert asked[-1] is not None, "fills are read back from before the drop"
        await dex.close()

"""EdgeX: which generation, what is refused before sending, what errors become, what streams do."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from base64 import b64encode
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import fast_stark_crypto
import pytest
from core.ws_double import Peer, Server, until, virtually

from exchange_factory import symbol_create
from mpdex.dex.requests import sealed
from mpdex.errors import (
    AuthError,
    BadOrder,
    DuplicateClientId,
    InsufficientMargin,
    LimitReached,
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
    UnknownSymbol,
    Unsupported,
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
    Subscribed,
    TimeInForce,
    Topic,
)
from mpdex.utils.orderbook import Book
from mpdex.utils.signing.eip712 import keccak256
from mpdex.utils.signing.stark import ORDER as CURVE
from wrappers.edgex import WINDOW_MS, EdgexExchange
from wrappers.edgex_auth import (
    DAY_MS,
    EdgexAuth,
    nonce_of,
    number_of,
    rate_of,
    text_of,
    worst_price,
)
from wrappers.edgex_v1 import EdgexV1Auth
from wrappers.edgex_v2 import EdgexV2Auth
from wrappers.edgex_ws_client import EdgexAccountClient, EdgexWSClient

D = Decimal
ACCOUNT = "543429922991899150"
KEYS = {
    "account_id": ACCOUNT,
    "api_key": "11111111-1111-1111-1111-111111111111",
    "passphrase": "throwaway-passphrase",
    "secret": "throwaway-secret",
    "signer_private_key": "0x" + "01" * 32,
}
V1_KEYS = {"account_id": ACCOUNT, "stark_private_key": "0x" + "01" * 32}
NOW_MS = 1_790_000_000_000
ETH_ID = "30000002"

COINS = [
    {"coinId": "1000", "coinName": "USDC", "resolution": "1000000"},
    {"coinId": "1002", "coinName": "ETH", "resolution": None},
]
SETTINGS = {
    "nativeChainId": "3343",
    "chainId": "1",
    "contractAddress": "0x" + "11" * 20,
    "starkExCollateralCoin": {"starkExAssetId": "0x29", "starkExResolution": "0xf4240"},
}
ORDER = {
    "id": "736936291735699983",
    "accountId": ACCOUNT,
    "contractId": ETH_ID,
    "side": "SELL",
    "price": "3000.0",
    "size": "0.50",
    "clientOrderId": "7",
    "type": "LIMIT",
    "timeInForce": "IMMEDIATE_OR_CANCEL",
    "reduceOnly": True,
    "status": "CANCELED",
    "cancelReason": "COULD_NOT_FILL",
    "cumMatchSize": "0.20",
    "cumMatchValue": "600.2",
    "cumFillSize": "0.10",
    "createdTime": str(NOW_MS - 5),
    "updatedTime": str(NOW_MS),
}
FILL = {
    "id": "564815957260763406",
    "contractId": ETH_ID,
    "orderId": "736936291735699983",
    "orderSide": "SELL",
    "fillSize": "0.20",
    "fillPrice": "3001",
    "fillFee": "0.24",
    "direction": "TAKER",
    "matchTime": str(NOW_MS),
    "createdTime": str(NOW_MS + 2),
}
POSITION = {"contractId": ETH_ID, "openSize": "-0.3", "openValue": "-900", "updatedTime": "5"}
ASSET = {
    "contractId": ETH_ID,
    "positionValue": "-903",
    "maxLeverage": "20",
    "avgEntryPrice": "3000",
    "liquidatePrice": "0",
    "unrealizePnl": "-3",
}
ACCOUNT_ASSET = {
    "account": {
        "id": ACCOUNT,
        "defaultTradeSetting": {"isSetFeeRate": False, "isSetMaxLeverage": False},
        "contractIdToTradeSetting": {},
    },
    "collateralList": [],
    "positionList": [POSITION],
    "positionAssetList": [ASSET],
    "collateralAssetModelList": [
        {"coinId": "1000", "totalEquity": "100.5", "availableAmount": "55"}
    ],
}


def listed(**changes: Any) -> dict[str, Any]:
    entry = {
        "contractId": ETH_ID,
        "contractName": "ETHUSDC",
        "baseCoinId": "1002",
        "quoteCoinId": "1000",
        "tickSize": "0.01",
        "stepSize": "0.01",
        "minOrderSize": "0.02",
        "maxOrderSize": "500.00",
        "maxOrderBuyPriceRatio": "0.05",
        "minOrderSellPriceRatio": "0.04",
        "defaultTakerFeeRate": "0.00038",
        "defaultMakerFeeRate": "0.00018",
        "defaultLeverage": "20",
        "displayMaxLeverage": "100",
        "enableTrade": True,
        "enableOpenPosition": True,
        "resolution": "0x3b9aca00",
        "starkExSyntheticAssetId": "0x4554482d39",
        "starkExResolution": "0x3b9aca00",
    }
    return {**entry, **changes}


def ok(data: Any) -> dict[str, Any]:
    return {"code": "SUCCESS", "data": data, "msg": None, "errorParam": None}


def no(code: str, message: str | None = None) -> dict[str, Any]:
    return {"code": code, "data": None, "msg": message, "errorParam": None}


def metadata(*entries: dict[str, Any]) -> dict[str, Any]:
    return ok({"global": SETTINGS, "coinList": COINS, "contractList": list(entries)})


def opened(**options: Any) -> EdgexExchange:
    dex = EdgexExchange(**options)
    dex._markets.replace(dex.decode_markets([metadata(listed())]))
    return dex


VENUE, OLD, READER = opened(**KEYS), opened(**V1_KEYS), opened(read_only=True)
ETH = VENUE._markets["ETHUSD"]
PLACE = Request("POST", "/api/v2/private/order/createOrder", signed=True, command=True)
CANCEL = Request("POST", "/api/v2/private/order/cancelOrderById", signed=True, command=True)
QUERY = Request("GET", "/api/v2/private/order/getOrderById", signed=True)


def order(**changes: Any) -> OrderRequest:
    given = {"symbol": "ETHUSD", "side": "buy", "size": D("0.50"), "price": D("3000.10")}
    return OrderRequest(**{**given, "client_id": "7", **changes})


def encoded(asked: OrderRequest, dex: EdgexExchange = VENUE) -> Request:
    return dex.encode_order(asked, dex._markets["ETHUSD"], NOW_MS * 10**6)


# --------------------------------------------------------------------------- which generation


def test_the_credentials_tell_the_generation() -> None:
    assert isinstance(VENUE._auth, EdgexV2Auth)
    assert VENUE.endpoints == {
        "rest": "https://edgex-prod-v2.edgex.exchange",
        "ws": "wss://edgex-quote-prod-v2.edgex.exchange",
    }
    assert isinstance(OLD._auth, EdgexV1Auth)
    assert OLD.endpoints == {
        "rest": "https://pro.edgex.exchange",
        "ws": "wss://quote.edgex.exchange",
    }
    assert VENUE.account_id != OLD.account_id, "one number, two accounts"
    for dex, prefix in ((VENUE, "/api/v2"), (OLD, "/api/v1"), (READER, "/api/v2")):
        (asked,) = dex.encode_markets()
        assert asked.path == f"{prefix}/public/meta/getMetaData"
        assert dex.encode_cancel_all(ETH).path == f"{prefix}/private/order/cancelAllOrder"


def test_own_addresses_are_those_of_the_generation() -> None:
    own = {"rest": "http://a", "ws": "ws://a", "rest_v1": "http://b", "ws_v1": "ws://b"}
    assert EdgexExchange(**KEYS, endpoints=own).endpoints == {"rest": "http://a", "ws": "ws://a"}
    assert EdgexExchange(**V1_KEYS, endpoints=own).endpoints == {"rest": "http://b", "ws": "ws://b"}


@pytest.mark.parametrize(
    ("keys", "kind", "words"),
    [
        ({**KEYS, **V1_KEYS}, UsageError, "stark_private_key is of a v1 account and api_key"),
        ({**V1_KEYS, "secret": "s"}, UsageError, "secret of a v2 account; give one set"),
        ({"account_id": "1"}, MissingCredentials, "or stark_private_key for a v1 account"),
        ({**KEYS, "secret": ""}, MissingCredentials, "secret missing; keys/copy.pk_edgex.py"),
        ({**KEYS, "account_id": ""}, MissingCredentials, "account_id missing"),
        ({**KEYS, "account_id": "main"}, UsageError, "account_id is a number"),
        ({**KEYS, "account_id": str(2**64)}, UsageError, "account_id is a number"),
        ({**KEYS, "signer_private_key": "0xabcd"}, UsageError, "signer_private_key is wrong"),
        ({**KEYS, "signer_private_key": "00" * 32}, UsageError, "signer_private_key is wrong"),
        ({**KEYS, "passphrase": "a\nb"}, UsageError, "passphrase has letters"),
        ({**V1_KEYS, "stark_private_key": "0xnone"}, UsageError, "stark_private_key is wrong"),
    ],
)
def test_keys_that_are_none(keys: dict[str, str], kind: type[MpdexError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        EdgexExchange(**keys)
    for name in ("signer_private_key", "stark_private_key"):
        assert len(keys.get(name, "")) < 8 or keys[name] not in str(caught.value)


def test_no_text_shows_a_key() -> None:
    for dex, keys in ((VENUE, KEYS), (OLD, V1_KEYS)):
        for name in set(keys) - {"account_id"}:
            assert keys[name].removeprefix("0x") not in f"{dex!r} {dex._auth!r}"


# --------------------------------------------------------------------------- requests


def headers_of(request: Request, dex: EdgexExchange = VENUE) -> dict[str, str]:
    return dict(dex.sign(sealed(request), NOW_MS).headers)


def test_a_v2_request_is_proved_with_the_text_of_the_secret() -> None:
    """The HMAC's key is base64 text, which is not decoded."""
    told = headers_of(VENUE.encode_collateral())  # type: ignore[arg-type]
    text = f"{NOW_MS}GET/api/v2/private/account/getAccountAssetaccountId={ACCOUNT}"
    key = b64encode(KEYS["secret"].encode())
    assert told == {
        "X-edgeX-Api-Key": KEYS["api_key"],
        "X-edgeX-Passphrase": KEYS["passphrase"],
        "X-edgeX-Signature": hmac.new(key, text.encode(), hashlib.sha256).hexdigest(),
        "X-edgeX-Timestamp": str(NOW_MS),
    }


def test_what_was_copied_with_keys_is_left_out() -> None:
    blanks = {name: f" {text}\n" for name, text in KEYS.items() if name != "account_id"}
    request = Request("GET", "/api/v2/private/order/getOrderById", query={}, signed=True)
    assert headers_of(request, opened(**{**KEYS, **blanks})) == headers_of(request)


def test_a_v1_request_is_proved_with_the_stark_key() -> None:
    told = headers_of(OLD.encode_collateral(), OLD)  # type: ignore[arg-type]
    assert set(told) == {"X-edgeX-Api-Timestamp", "X-edgeX-Api-Signature"}
    text = f"{NOW_MS}GET/api/v1/private/account/getAccountAssetaccountId={ACCOUNT}"
    check_stark(int.from_bytes(keccak256(text.encode())) % CURVE, told["X-edgeX-Api-Signature"])


def check_stark(message: int, signature: str) -> None:
    assert len(signature) == 128
    r, s = int(signature[:64], 16), int(signature[64:], 16)
    assert isinstance(OLD._auth, EdgexV1Auth)
    assert fast_stark_crypto.verify(OLD._auth.public_key, message, r, s)


def test_parameters_are_signed_as_they_are_meant() -> None:
    """Sorted, without brackets and quotes; what the address escapes is not escaped there."""
    assert text_of({"b": [1, "x"], "a": None, "c": {"z": True, "y": False}}) == (
        "a=&b=1&x&c=y=false&z=true"
    )
    strange = CancelRequest(symbol="ETHUSD", client_id="a,b&ü")
    live, _ = VENUE.encode_order_queries(strange, ETH)
    assert (live.query or {})["clientOrderIdList"] == "a%2Cb%26%C3%BC"
    text = f"{NOW_MS}GET{live.path}accountId={ACCOUNT}&clientOrderIdList=a,b&ü"
    key = b64encode(KEYS["secret"].encode())
    wanted = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    assert headers_of(live)["X-edgeX-Signature"] == wanted


@pytest.mark.parametrize(
    ("now_ms", "expires_ms"),
    [
        (1_790_002_799_999, 1_791_212_400_000),
        (1_790_002_800_000, 1_791_212_400_000),
        (1_790_002_800_001, 1_791_216_000_000),
    ],
)
def test_a_margin_mode_settles_from_the_hour_that_begins_next(now_ms: int, expires_ms: int) -> None:
    """Which is this one at its very beginning."""
    assert isinstance(VENUE._auth, EdgexV2Auth)
    told = VENUE._auth.margin_fields(ETH["raw"], 1, "mm", now_ms)
    assert told["l2ExpireTime"] == str(expires_ms)


def test_without_keys_nothing_is_proved() -> None:
    with pytest.raises(MissingCredentials):
        READER.sign(QUERY, NOW_MS)
    with pytest.raises(MissingCredentials):
        encoded(order(), READER)
    assert not any(
        request.signed  # type: ignore[union-attr]
        for request in (VENUE.encode_mark(ETH), VENUE.encode_book(ETH, 1))
    )


# --------------------------------------------------------------------------- orders out


def test_an_order_that_rests() -> None:
    request = encoded(order(post_only=True))
    fields = json.loads(request.body)
    assert len(fields.pop("l2Signature")) == 130
    unused = {name: fields.pop(name) for name in sorted(fields) if name[:4] in ("open", "isSe")}
    assert unused == {
        "isSetOpenSl": False,
        "isSetOpenTp": False,
        "openSl": None,
        "openTp": None,
        "openTpslParentOrderId": "",
    }
    assert fields == {
        "accountId": ACCOUNT,
        "contractId": ETH_ID,
        "price": "3000.10",
        "size": "0.50",
        "type": "LIMIT",
        "side": "BUY",
        "timeInForce": "POST_ONLY",
        "clientOrderId": "7",
        "expireTime": str(NOW_MS + 22 * DAY_MS),
        "l2ExpireTime": str(NOW_MS + 30 * DAY_MS),
        "l2Nonce": str(nonce_of("7")),
        "l2Value": "1500.0500",
        "l2Size": "0.50",
        "l2LimitFee": "1",
        "reduceOnly": False,
        "triggerPrice": "",
        "triggerPriceType": "",
        "sourceKey": "",
        "isPositionTpsl": False,
        "extraType": "",
        "extraDataJson": "",
    }
    assert json.loads(request.body) == request.json
    assert (request.lane, request.command, request.signed) == (Lane.QUOTE, True, True)


@pytest.mark.parametrize(
    ("changes", "kind", "force"),
    [
        ({}, "LIMIT", "GOOD_TIL_CANCEL"),
        ({"time_in_force": TimeInForce.IOC}, "LIMIT", "IMMEDIATE_OR_CANCEL"),
        ({"time_in_force": TimeInForce.FOK}, "LIMIT", "FILL_OR_KILL"),
        ({"price": None, "mark": D(3000)}, "MARKET", "IMMEDIATE_OR_CANCEL"),
        (
            {"price": None, "mark": D(3000), "time_in_force": TimeInForce.FOK},
            "MARKET",
            "FILL_OR_KILL",
        ),
    ],
)
def test_flags(changes: dict[str, Any], kind: str, force: str) -> None:
    for dex in (VENUE, OLD):
        request = encoded(order(side="sell", reduce_only=True, **changes), dex)
        fields = json.loads(request.body)
        assert (fields["type"], fields["timeInForce"], fields["side"]) == (kind, force, "SELL")
        assert fields["reduceOnly"] is True, "a text was taken from old clients only"
        assert request.lane is (Lane.QUOTE if changes == {} else Lane.HEDGE)


def test_market_orders_are_signed_with_the_oracles_price() -> None:
    """A buy with ten times as much, on the grid; a sell with one tick."""
    mark = D("3000.123456")
    for side, worst in (("buy", D("30001.24")), ("sell", D("0.01"))):
        asked = order(side=side, price=None, mark=mark)
        fields = json.loads(encoded(asked).body)
        assert fields["price"] == "0"
        assert (
            D(fields["l2Value"])
            == worst * asked.size
            == worst_price(asked.side, mark, ETH["tick"]) * asked.size
        )
    with pytest.raises(BadOrder, match="signed with the mark price"):
        encoded(order(price=None))


@virtually
async def test_create_order_asks_for_the_oracles_price() -> None:
    dex = opened(**KEYS)
    sent: list[Request] = []

    async def answer(request: Request) -> Any:
        sent.append(request)
        return ok([{"oraclePrice": "3000"}] if request.method == "GET" else {"orderId": "9"})

    dex._rest.send = answer  # type: ignore[method-assign]
    placed = await dex.create_order("ETHUSD", "buy", "0.5")
    assert (placed["id"], placed["type"], placed["price"]) == ("9", "market", None)
    asked, command = sent
    assert (asked.path, asked.query) == ("/api/v2/public/quote/getTicker", {"contractId": ETH_ID})
    assert (command.json["type"], command.json["l2Value"]) == ("MARKET", "15000.00")
    sent.clear()
    for refused in ({"amount": "0.001"}, {"amount": 1, "slippage_bps": 50}):
        with pytest.raises((BadOrder, Unsupported)):
            await dex.create_order("ETHUSD", "buy", **refused)  # type: ignore[arg-type]
    await dex.create_order("ETHUSD", "buy", 1, 3000)
    assert [request.path for request in sent] == [PLACE.path], "nothing was asked for in vain"
    await dex.close()


def test_a_v1_order() -> None:
    fields = json.loads(encoded(order(), OLD).body)
    assert set(fields) == {
        *("accountId", "contractId", "price", "size", "type", "side", "timeInForce"),
        *("clientOrderId", "expireTime", "l2Nonce", "l2Signature", "l2ExpireTime", "l2Value"),
        *("l2Size", "l2LimitFee", "reduceOnly"),
    }
    assert (fields["expireTime"], fields["l2ExpireTime"]) == (
        str(NOW_MS + 4 * DAY_MS),
        str(NOW_MS + 14 * DAY_MS),
    )
    assert len(fields["l2Signature"]) == 128


def test_amounts_are_cut_and_the_fee_is_rounded_up() -> None:
    fields = json.loads(encoded(order(size=D("3.33"), price=D("3000.07"))).body)
    assert fields["l2Value"] == "9990.2331"
    assert fields["l2LimitFee"] == "4", "9990.2331 x 0.00038 is 3.796"
    assert rate_of("") == rate_of(None) == D("0.001")
    assert (number_of("0x3b9aca00"), number_of("42")) == (10**9, 42)


def test_an_amount_that_no_signature_holds_is_refused() -> None:
    for dex, size in ((OLD, D(2**64)), (VENUE, D(2**250))):
        with pytest.raises(BadOrder, match="an order can be of"):
            encoded(order(size=size), dex)


def test_a_client_id_that_the_venue_would_take_for_two_is_refused() -> None:
    """It asks for orders by a list with commas, so that this one would never be found."""
    with pytest.raises(BadOrder, match="comma"):
        encoded(order(price=D(3000), client_id="a,b"))


def test_cancels() -> None:
    both = VENUE.encode_cancel(CancelRequest(symbol="ETHUSD", order_id="9", client_id="7"), ETH)
    assert (both.path, both.json) == (CANCEL.path, {"accountId": ACCOUNT, "orderIdList": ["9"]})
    ours = VENUE.encode_cancel(CancelRequest(symbol="ETHUSD", client_id="7"), ETH)
    assert ours.path.endswith("/cancelOrderByClientOrderId")
    assert ours.json["clientOrderIdList"] == ["7"]
    everything = VENUE.encode_cancel_all(ETH)
    assert everything.json == {"accountId": ACCOUNT, "filterContractIdList": [ETH_ID]}
    for request in (both, ours, everything):
        assert (request.method, request.command, request.lane) == ("POST", True, Lane.CANCEL)
        assert json.loads(request.body) == request.json


def test_what_bounds_a_request_is_its_time_stamp() -> None:
    spec = VENUE.SPEC
    assert (spec.request_bound_ms, spec.immediate_bound_ms) == (WINDOW_MS, None)
    assert spec.market_bound_bps is None
    for asked in (order(), order(time_in_force=TimeInForce.IOC)):
        assert int(encoded(asked).json["expireTime"]) == NOW_MS + 22 * DAY_MS


# --------------------------------------------------------------------------- orders back


def test_an_order_that_was_taken_is_pending() -> None:
    placed = VENUE.decode_placement(ok({"orderId": "564814927928230158"}), order())
    assert (placed["id"], placed["status"]) == ("564814927928230158", OrderStatus.PENDING)
    assert (placed["client_order_id"], placed["filled"]) == ("7", 0)
    for broken in ({}, None, {"orderID": "1"}):
        with pytest.raises(ProtocolError):
            VENUE.decode_placement(ok(broken), order())


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status": "PENDING", "cumMatchSize": "0"}, OrderStatus.PENDING),
        ({"status": "UNTRIGGERED", "cumMatchSize": "0"}, OrderStatus.PENDING),
        ({"status": "OPEN"}, OrderStatus.OPEN),
        ({"status": "CANCELING"}, OrderStatus.OPEN),
        ({"status": "PARTIALLY_FILLED"}, OrderStatus.OPEN),
        ({"status": "FILLED", "cumMatchSize": "0.5"}, OrderStatus.FILLED),
        ({"status": "CANCELED"}, OrderStatus.CANCELED),
        ({"status": "CANCELED", "cumMatchSize": "0.5"}, OrderStatus.FILLED),
        ({"status": "CANCELED", "cumMatchSize": "0"}, OrderStatus.CANCELED),
        ({"cancelReason": "USER_CANCELED", "cumMatchSize": "0"}, OrderStatus.CANCELED),
        ({"cancelReason": "EXPIRE_CANCELED"}, OrderStatus.EXPIRED),
        ({"cancelReason": "MARGIN_NOT_ENOUGH", "cumMatchSize": "0"}, OrderStatus.REJECTED),
        ({"cancelReason": "MARGIN_NOT_ENOUGH"}, OrderStatus.CANCELED),
        ({"timeInForce": "POST_ONLY", "cumMatchSize": "0"}, OrderStatus.REJECTED),
        ({"timeInForce": "POST_ONLY"}, OrderStatus.CANCELED),
    ],
)
def test_what_was_matched_decides(changes: dict[str, str], status: OrderStatus) -> None:
    told = {**ORDER, **changes}
    found = VENUE.decode_order(ok([told]))
    assert found["status"] is status
    assert found["filled"] == D(told["cumMatchSize"])


def test_an_order_with_all_that_is_told() -> None:
    found = VENUE.decode_order(ok([ORDER]))
    assert (found["id"], found["client_order_id"]) == ("736936291735699983", "7")
    assert (found["symbol"], found["side"], found["type"]) == ("ETHUSD", "sell", "limit")
    assert (found["price"], found["average_price"]) == (3000, D(3001)), "of what was matched"
    assert (found["reduce_only"], found["post_only"]) == (True, False)
    assert (found["time_in_force"], found["reason"]) == (TimeInForce.IOC, "COULD_NOT_FILL")
    assert found["timestamp_ms"] == NOW_MS
    bare = {name: text for name, text in ORDER.items() if name[:3] not in ("cum", "upd", "can")}
    found = VENUE.decode_order(ok([{**bare, "type": "MARKET", "status": "PENDING"}]))
    assert (found["price"], found["filled"], found["reason"]) == (None, 0, "")


@pytest.mark.parametrize(
    "broken",
    [
        {**ORDER, "status": "UNKNOWN_ORDER_STATUS"},
        {**ORDER, "status": "UNRECOGNIZED"},
        {**ORDER, "side": "LONG"},
        {**ORDER, "timeInForce": "DAY"},
        {**ORDER, "cumMatchSize": "much"},
        {name: value for name, value in ORDER.items() if name != "id"},
        [],
        None,
    ],
)
def test_an_answer_not_understood_is_never_guessed(broken: Any) -> None:
    with pytest.raises(ProtocolError):
        VENUE.decode_order(ok([broken]))


def test_an_order_is_found_by_either_id() -> None:
    ours = CancelRequest(symbol="ETHUSD", client_id="7")
    live, history = VENUE.encode_order_queries(ours, ETH)
    assert live.query == {"accountId": ACCOUNT, "clientOrderIdList": "7"}
    assert history.path.endswith("/getHistoryOrderPage")
    assert (history.query or {})["filterContractIdList"] == ETH_ID
    for nothing in ([], None, {"dataList": [], "nextPageOffsetData": ""}):
        assert VENUE.decode_order_query(ok(nothing), ours) is None
    older, other = {**ORDER, "id": "99"}, {**ORDER, "clientOrderId": "8", "id": str(2**62)}
    for told in ([older, ORDER, other], {"dataList": [other, older, ORDER]}):
        found = VENUE.decode_order_query(ok(told), ours)
        assert found is not None
        assert found["id"] == ORDER["id"]
    theirs = CancelRequest(symbol="ETHUSD", order_id=str(ORDER["id"]), client_id="1")
    live, _ = VENUE.encode_order_queries(theirs, ETH)
    assert (live.path, live.query) == (
        QUERY.path,
        {"accountId": ACCOUNT, "orderIdList": ORDER["id"]},
    )
    assert VENUE.decode_order_query(ok([ORDER]), theirs) is not None


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"timeInForce": "POST_ONLY"}, PostOnlyWouldCross),
        ({"cancelReason": "REDUCE_ONLY_CANCELED"}, ReduceOnlyRefused),
        ({"cancelReason": "MARGIN_NOT_ENOUGH"}, InsufficientMargin),
        ({"cancelReason": "SYSTEM_LIMIT_EVICTED"}, LimitReached),
        ({"cancelReason": "INTERNAL_FAILED"}, OrderRejected),
        ({}, None),
        ({"cancelReason": "USER_CANCELED"}, None),
        ({"cancelReason": "UNKNOWN_ORDER_CANCEL_REASON"}, None),
        ({"cancelReason": "A_NEW_WORD"}, None),
    ],
)
def test_late_refusals(told: dict[str, str], kind: type[Exception] | None) -> None:
    """An immediate order that found nothing ends ordinarily, by the same word."""
    found = VENUE.decode_order(ok([{**ORDER, "cumMatchSize": "0", **told}]))
    assert VENUE.decode_reason(found["reason"]) is kind


def test_open_orders_come_in_pages() -> None:
    first = VENUE.encode_open_orders(None)
    assert first.query == {"accountId": ACCOUNT, "size": "200"}
    of_one = VENUE.encode_open_orders(ETH)
    assert of_one.query == {**first.query, "filterContractIdList": ETH_ID}
    answer = ok({"dataList": [{**ORDER, "status": "OPEN"}], "nextPageOffsetData": "a/b="})
    more = VENUE.encode_orders_after(answer, ETH)
    assert more is not None
    assert more.query == {**of_one.query, "offsetData": "a%2Fb%3D"}
    for end in ("", None):
        last = ok({"dataList": [], "nextPageOffsetData": end})
        assert VENUE.encode_orders_after(last, ETH) is None


@virtually
async def test_every_page_of_open_orders_is_read() -> None:
    dex = opened(**KEYS)
    pages = {"": ("1", "2"), "2": ("2", "3"), "3": ("3", "")}

    async def answer(request: Request) -> Any:
        id, following = pages[(request.query or {}).get("offsetData", "")]
        one = {**ORDER, "id": id, "status": "OPEN"}
        return ok({"dataList": [one], "nextPageOffsetData": following})

    dex._rest.send = answer  # type: ignore[method-assign]
    assert [found["id"] for found in await dex.get_open_orders()] == ["1", "2", "3"]
    await dex.close()


def test_fills_are_read_back_page_by_page() -> None:
    first = VENUE.encode_fills(ETH, NOW_MS, None)
    assert first.path.endswith("/getHistoryOrderFillTransactionPage")
    assert first.query == {
        "accountId": ACCOUNT,
        "size": "100",
        "filterContractIdList": ETH_ID,
        "filterStartCreatedTimeInclusive": str(NOW_MS),
    }
    page = VENUE.decode_fills(ok({"dataList": [FILL], "nextPageOffsetData": "x"}), None)
    (fill,) = page.fills
    assert (fill["id"], fill["order_id"]) == (FILL["id"], FILL["orderId"])
    assert (fill["side"], fill["liquidity"], fill["fee_asset"]) == ("sell", "taker", "USDC")
    assert (fill["price"], fill["size"], fill["fee"]) == (3001, D("0.2"), D("0.24"))
    assert (fill["timestamp_ms"], page.cursor) == (NOW_MS, "x")
    assert VENUE.encode_fills(None, 0, "x").query == {
        "accountId": ACCOUNT,
        "size": "100",
        "offsetData": "x",
    }
    assert VENUE.decode_fills(ok({"dataList": [], "nextPageOffsetData": ""}), "x").cursor is None
    gone = VENUE.decode_fills(ok({"dataList": [{**FILL, "contractId": "9"}]}), None).fills[0]
    assert (gone["symbol"], gone["fee_asset"]) == ("9", ""), "a market that is not listed any more"


# --------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("INVALID_CONTRACT_ID", "invalid contractId:100000001", SymbolRefused),
        ("INVALID_L2_SIGNATURE", None, AuthError),
        ("INVALID_TIMESTAMP", "", AuthError),
        ("API_KEY_NOT_FOUND", "", AuthError),
        ("ORDER_MARGIN_NOT_ENOUGH", "", InsufficientMargin),
        ("INSUFFICIENT_BALANCE", "", InsufficientMargin),
        ("DUPLICATE_CLIENT_ORDER_ID", "", DuplicateClientId),
        ("INVALID_L2_NONCE", "", NonceRefused),
        ("ORDER_SIZE_TOO_SMALL", "", PrecisionRefused),
        ("ORDER_SIZE_TOO_LARGE", "", LimitReached),
        ("ORDER_PRICE_OUT_OF_RANGE", "", PriceOutOfBand),
        ("INVALID_ORDER_PRICE", "price is not a multiple of tickSize", PrecisionRefused),
        ("ORDER_PRICE_INVALID", "buy price exceeds the oracle price ratio", PriceOutOfBand),
        ("REDUCE_ONLY_NOT_ALLOWED", "", ReduceOnlyRefused),
        ("CONTRACT_TRADE_DISABLED", "", MarketUnavailable),
        ("MAX_POSITION_SIZE", "", LimitReached),
        ("TOO_MANY_REQUESTS", "", RateLimited),
        ("ORDER_RATE_LIMIT", "", RateLimited),
        ("A_NEW_CODE", "something else", OrderRejected),
        ("INTERNAL_ERROR", "margin service", OutcomeUnknown),
        ("SYSTEM_BUSY", "", OutcomeUnknown),
    ],
)
def test_refusals_of_an_order(code: str, message: str | None, kind: type[MpdexError]) -> None:
    """Behind HTTP 200, as the venue does it."""
    error = VENUE.decode_error(200, no(code, message), PLACE)
    assert type(error) is kind
    assert "createOrder" in str(error)
    if isinstance(error, VenueError):
        assert error.code == code


@pytest.mark.parametrize(
    ("status", "answer", "request_", "kind"),
    [
        (200, no("INSUFFICIENT_BALANCE"), QUERY, VenueError),
        (200, no("SYSTEM_BUSY"), QUERY, TransportError),
        (200, {"data": []}, QUERY, TransportError),
        (200, {"data": []}, PLACE, OutcomeUnknown),
        (200, {"code": 1002, "message": "internal"}, PLACE, OutcomeUnknown),
        (200, [], PLACE, OutcomeUnknown),
        (401, no("WHO"), QUERY, AuthError),
        (403, no("WHO"), PLACE, AuthError),
        (429, no("WAIT"), PLACE, RateLimited),
        (404, no("NO"), QUERY, OrderNotFound),
        (400, no("ORDER_NOT_FOUND"), CANCEL, OrderNotFound),
        (400, {"error": "no"}, PLACE, OrderRejected),
        (200, ok(None), QUERY, None),
    ],
)
def test_other_answers(
    status: int, answer: Any, request_: Request, kind: type[MpdexError] | None
) -> None:
    error = VENUE.decode_error(status, answer, request_)
    assert type(error) is (kind or type(None))


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        ("SUCCESS", None),
        ("SUCCESS_ORDER_CANCELING", None),
        ("SUCCESS_ORDER_CANCELED", None),
        ("FAILED_ORDER_NOT_FOUND", OrderNotFound),
        ("FAILED_ORDER_FILLED", OrderNotFound),
        ("FAILED_ORDER_UNKNOWN_STATUS", OutcomeUnknown),
        ("UNKNOWN_ORDER_CANCEL_RESULT", OutcomeUnknown),
    ],
)
def test_a_cancel_is_answered_order_by_order(result: str, kind: type[MpdexError] | None) -> None:
    answer = ok({"cancelResultMap": {"9": result}})
    by_ours = replace(CANCEL, path=CANCEL.path.replace("ById", "ByClientOrderId"))
    for request in (CANCEL, by_ours):
        assert type(VENUE.decode_error(200, answer, request)) is (kind or type(None))
    assert VENUE.decode_cancel(answer) is None, "fills may still come"


def test_a_cancel_that_nothing_is_said_of_is_not_known() -> None:
    maps: tuple[Any, ...] = ({}, [], None, {"1": None}, {"1": 7})
    for empty in (*({"cancelResultMap": results} for results in maps), {}, [], None):
        assert type(VENUE.decode_error(200, ok(empty), CANCEL)) is OutcomeUnknown
    assert type(VENUE.decode_error(200, {"code": "SUCCESS"}, CANCEL)) is OutcomeUnknown


@pytest.mark.parametrize(
    ("results", "kind"),
    [
        ({}, None),
        ({"1": "SUCCESS", "2": "SUCCESS_ORDER_CANCELING"}, None),
        ({"1": "FAILED_ORDER_FILLED", "2": "FAILED_ORDER_NOT_FOUND"}, None),
        ({"1": "SUCCESS", "2": "FAILED_ORDER_UNKNOWN_STATUS"}, OutcomeUnknown),
        ({"1": "FAILED_ORDER_FILLED", "2": None}, OutcomeUnknown),
    ],
)
def test_a_cancel_of_all_is_answered_order_by_order_too(
    results: dict[str, Any], kind: type[MpdexError] | None
) -> None:
    """What had ended before is no failure; what nobody knows of is told."""
    request = VENUE.encode_cancel_all(ETH)
    error = VENUE.decode_error(200, ok({"cancelResultMap": results}), request)
    assert (None if error is None else type(error)) is kind


def test_a_door_that_answers_without_json() -> None:
    assert type(VENUE.decode_page(403, "<html>Forbidden</html>", PLACE)) is AuthError
    assert type(VENUE.decode_page(401, "", PLACE)) is AuthError
    assert VENUE.decode_page(404, "no such page", PLACE) is None, "nobody knows"


# --------------------------------------------------------------------------- markets, account


def test_a_market() -> None:
    assert (ETH["symbol"], ETH["coin"], ETH["quote"], ETH["kind"]) == (
        *("ETHUSD", "ETH", "USDC", "perp"),
    )
    assert (ETH["tick"], ETH["step"]) == (D("0.01"), D("0.01"))
    assert (ETH["min_size"], ETH["max_size"]) == (D("0.02"), 500)
    assert (ETH["max_leverage"], ETH["price_band"]) == (100, D("0.04"))
    assert (ETH["active"], ETH["multiplier"], ETH["min_notional"]) == (True, 1, None)
    assert VENUE.wire_name(ETH) == ETH_ID
    assert symbol_create("edgex", "ETH") == "ETHUSD"


@pytest.mark.parametrize(
    ("name", "symbol"),
    [("ETHUSDC", "ETHUSD"), ("ETHUSD", "ETHUSD"), ("ETHUSDT", "ETHUSD"), ("USDC", "USDCUSD")],
)
def test_one_spelling_for_both_generations(name: str, symbol: str) -> None:
    (market,) = VENUE.decode_markets([metadata(listed(contractName=name))])
    assert market["symbol"] == symbol


def test_what_is_left_out_and_what_does_not_trade() -> None:
    listing = metadata(
        listed(contractName="TEMP1USDC"),
        listed(contractName="1000PEPEUSDC", baseCoinId="9", contractId="3"),
        listed(enableTrade=False),
        listed(contractName="SOLUSDC", contractId="4", enableOpenPosition=False),
    )
    pepe, second, closed = VENUE.decode_markets([listing])
    assert (pepe["coin"], pepe["multiplier"], pepe["symbol"]) == ("PEPE", 1000, "1000PEPEUSD")
    assert (second["symbol"], second["active"]) == ("ETHUSD", False)
    assert (closed["symbol"], closed["active"]) == ("SOLUSD", False)


def test_a_second_contract_of_one_coin_keeps_its_own_name() -> None:
    """And the one that trades has the usual name."""
    listing = metadata(
        listed(enableTrade=False),
        listed(contractName="ETHUSDT", contractId="4"),
        listed(contractName="ETHUSD", contractId="5"),
    )
    markets = {market["symbol"]: market for market in VENUE.decode_markets([listing])}
    ids = {symbol: VENUE.wire_name(market) for symbol, market in markets.items()}
    assert ids == {"ETHUSD": "4", "5": "5", "ETHUSDC": ETH_ID}


@virtually
async def test_spot_is_refused_with_the_reason() -> None:
    spelled = symbol_create("edgex", "BTC", is_spot=True)
    assert spelled == "BTC/USDC"
    dex = opened(**KEYS)
    for call in (
        dex.get_market(spelled),
        dex.create_order(spelled, "buy", 1, 1),
        dex.find_symbol("BTC", "spot"),
    ):
        with pytest.raises(Unsupported, match="trades spot on another host"):
            await call
    with pytest.raises(UnknownSymbol, match="ETHUSD"):
        await dex.get_market("ETHUSDX")
    assert not dex.has_spot
    await dex.close()


def test_marks_books_and_time() -> None:
    request = VENUE.encode_mark(ETH)
    assert isinstance(request, Request)
    assert request.query == {"contractId": ETH_ID}
    assert VENUE.decode_mark(ok([{"oraclePrice": "1", "markPrice": "2"}]), ETH) == 2
    for depth, level in ((1, "15"), (15, "15"), (16, "200"), (1000, "200")):
        assert (VENUE.encode_book(ETH, depth).query or {})["level"] == level
    with pytest.raises(ProtocolError):
        VENUE.decode_mark(ok([]), ETH)
    assert VENUE.decode_server_time(ok({"timeMillis": str(NOW_MS)})) == NOW_MS


def test_funding() -> None:
    row = {"fundingRate": "-0.0001", "fundingRateIntervalMin": "60", "fundingTime": str(NOW_MS)}
    told = VENUE.decode_funding_rate(ok([row]), ETH)
    assert (told["rate"], told["interval_hours"]) == (D("-0.0001"), 1)
    assert told["next_funding_ms"] == NOW_MS + 3_600_000
    unset = VENUE.decode_funding_rate(ok([{**row, "fundingTime": "0"}]), ETH)
    assert unset["next_funding_ms"] is None


def test_positions() -> None:
    flat = {**POSITION, "contractId": "9", "openSize": "0"}
    answer = {**ACCOUNT_ASSET, "positionList": [flat, POSITION]}
    (short,) = VENUE.decode_positions(ok(answer))
    assert (short["symbol"], short["side"], short["size"]) == ("ETHUSD", "short", D("0.3"))
    assert (short["entry_price"], short["mark_price"]) == (3000, 3010)
    assert (short["unrealized_pnl"], short["leverage"]) == (-3, 20)
    assert short["liquidation_price"] is None, "0 means none"
    (bare,) = VENUE.decode_positions(ok({"positionList": [POSITION]}))
    assert (bare["entry_price"], bare["mark_price"]) == (3000, None)
    with pytest.raises(ProtocolError):
        VENUE.decode_positions(ok({}))


def test_collateral_is_equity_and_no_ledger_number() -> None:
    told = VENUE.decode_collateral(ok(ACCOUNT_ASSET))
    assert (told["total"], told["available"], told["currency"]) == (D("100.5"), 55, "USDC")
    assert told["unrealized_pnl"] == -3
    empty = VENUE.decode_collateral(ok({"positionList": [], "collateralAssetModelList": []}))
    assert (empty["total"], empty["available"], empty["currency"]) == (0, 0, "USDC")


def settings(own: dict[str, Any] | None, general: dict[str, Any] | None) -> dict[str, Any]:
    account = {
        "defaultTradeSetting": general,
        "contractIdToTradeSetting": {ETH_ID: own} if own else None,
    }
    return ok({"account": account})


def test_fees_and_leverage() -> None:
    """A market's own setting, else the account's, else what the market begins with."""
    own = {"isSetFeeRate": True, "makerFeeRate": "-0.00001", "takerFeeRate": "0.0002"}
    general = {"isSetFeeRate": True, "makerFeeRate": "0.0001", "takerFeeRate": "0.0003"}
    unset = {"isSetFeeRate": False, "makerFeeRate": "", "takerFeeRate": ""}
    for told, maker, taker, assumed in (
        (settings(own, general), "-0.00001", "0.0002", False),
        (settings(unset, general), "0.0001", "0.0003", False),
        (settings(None, unset), "0.00018", "0.00038", True),
    ):
        fees = VENUE.decode_fees(told, ETH)
        assert (fees["maker"], fees["taker"], fees["assumed"]) == (D(maker), D(taker), assumed)
    high = {"isSetMaxLeverage": True, "maxLeverage": "50"}
    none = {"isSetMaxLeverage": False, "maxLeverage": "0"}
    for told, leverage in (
        (settings(high, none), 50),
        (settings(none, high), 50),
        (settings(none, none), 20),
    ):
        info = VENUE.decode_leverage_info(told, ETH)
        assert (info["leverage"], info["max_leverage"]) == (leverage, 100)
    request = VENUE.encode_leverage(ETH, D("1E+1"), 0)
    assert request.path.endswith("/private/account/updateLeverageSetting")
    assert request.json == {"accountId": ACCOUNT, "contractId": ETH_ID, "leverage": "10"}


# --------------------------------------------------------------------------- frames


def quote_event(channel: str, *records: Any, type: str = "quote-event") -> bytes:
    content = {"channel": channel, "dataType": "changed", "data": list(records)}
    message = {"type": type, "channel": channel, "content": content}
    return json.dumps(message, separators=(",", ":")).encode()


def book_frame(
    first: int,
    last: int,
    bids: Any = (),
    asks: Any = (),
    kind: str = "CHANGED",
    type: str = "quote-event",
) -> bytes:
    record = {
        "startVersion": str(first),
        "endVersion": str(last),
        "level": 200,
        "contractId": ETH_ID,
        "contractName": "ETHUSDC",
        "asks": [{"price": price, "size": size} for price, size in asks],
        "bids": [{"price": price, "size": size} for price, size in bids],
        "depthType": kind,
    }
    return quote_event(f"depth.{ETH_ID}.200", record, type=type)


def snapshot(last: int) -> bytes:
    return book_frame(last - 20, last, [("2999", "1")], [("3001", "2")], "Snapshot")


def trade_event(event: str, **data: Any) -> bytes:
    told = {"event": event, "version": 7, "data": data, "time": NOW_MS, "accountId": 0}
    return json.dumps({"type": "trade-event", "content": told}).encode()


def market_stream() -> EdgexWSClient:
    return EdgexWSClient(keys={}, markets=VENUE._markets)


def account_stream() -> EdgexAccountClient:
    return EdgexAccountClient(keys=KEYS, markets=VENUE._markets)


class Listener:
    """A book that hears frames."""

    def __init__(self) -> None:
        self.stream, self.book = market_stream(), Book("ETHUSD")

    def __call__(self, frame: bytes) -> bool:
        (update,) = self.stream.decode(frame)
        assert isinstance(update, BookUpdate)
        assert update.symbol == "ETHUSD"
        return self.book.apply(update)


def test_sizes_are_absolute() -> None:
    hear = Listener()
    assert hear(snapshot(100))
    assert hear(book_frame(100, 120, [("2999.0", "0.75")], [("3001", "0"), ("3002", "5")]))
    levels = hear.book.levels()
    assert (levels["bids"], levels["asks"]) == ([(D(2999), D("0.75"))], [(D(3002), D(5))])


@pytest.mark.parametrize("step", [0, 1])
def test_a_book_follows_either_way_of_counting(step: int) -> None:
    """v2 starts a change with the last number of the one before, v1 with the next."""
    hear = Listener()
    assert hear(snapshot(100))
    for last in (120, 121, 140):
        assert hear(book_frame(hear.book.sequence + step, last))  # type: ignore[operator]
    assert hear(book_frame(139, 140)), "said already"
    assert not hear(book_frame(141 + step, 160)), "one number is missing"
    assert hear.book.gaps == 1
    assert hear(snapshot(170))
    assert hear(book_frame(170 + step, 171))


def test_a_lost_change_of_one_number_is_noticed_where_changes_overlap() -> None:
    hear = Listener()
    assert hear(snapshot(100))
    assert hear(book_frame(100, 101))
    assert not hear(book_frame(102, 103)), "101 to 102 is missing"


def test_a_new_connection_may_count_in_another_way() -> None:
    hear = Listener()
    assert hear(snapshot(100))
    assert hear(book_frame(100, 101))
    hear.stream._on_down("gone", was_open=False)
    hear.book.reset()
    assert hear(snapshot(200))
    assert hear(book_frame(201, 205))


def test_a_change_said_twice_does_not_look_like_an_overlap() -> None:
    hear = Listener()
    assert hear(snapshot(100))
    for first in (101, 101, 102, 103):
        assert hear(book_frame(first, first))
    assert hear.book.gaps == 0


def test_older_messages_and_other_orders_of_fields() -> None:
    (update,) = market_stream().decode(book_frame(1, 2, type="payload"))
    assert isinstance(update, BookUpdate)
    turned = json.dumps(dict(reversed(list(json.loads(book_frame(1, 2)).items())))).encode()
    assert len(list(market_stream().decode(turned))) == 1


def test_best_prices_and_marks() -> None:
    stream = market_stream()
    best = {"contractId": ETH_ID, "bestBidPrice": "2999", "bestBidSize": "1"}
    for none in ({}, {"bestAskPrice": "0", "bestAskSize": "0"}, {"bestAskPrice": ""}):
        frame = quote_event(f"bookTicker.{ETH_ID}", {**best, **none})
        assert list(stream.decode(frame)) == [BboUpdate("ETHUSD", "2999", "1", "", "", None)]
    ticker = {"contractId": ETH_ID, "oraclePrice": "3000", "indexPrice": "3001"}
    for told, mark in (({}, D(3000)), ({"markPrice": "3002"}, D(3002))):
        frame = quote_event(f"ticker.{ETH_ID}", {**ticker, **told})
        assert list(stream.decode(frame)) == [MarkUpdate("ETHUSD", mark, D(3001), None)]
    assert list(stream.decode(quote_event("ticker.9", {"contractId": "9", "markPrice": "0"}))) == []


def test_sections_of_an_account_message() -> None:
    frame = trade_event(
        "ORDER_UPDATE", order=[ORDER], orderFillTransaction=[FILL], position=[POSITION], account=[]
    )
    fill, update, position = account_stream().decode(frame)
    assert isinstance(fill, FillUpdate)
    assert (fill.fill["id"], fill.fill["symbol"]) == (FILL["id"], "ETHUSD")
    assert isinstance(update, OrderUpdate)
    assert update.order["filled"] == D("0.2")
    assert isinstance(position, PositionUpdate)
    assert (position.symbol, position.size, position.timestamp_ms) == ("ETHUSD", D("-0.3"), 5)
    assert position.position is not None
    assert position.position["entry_price"] == 3000
    frame = trade_event("ORDER_UPDATE", position=[{**POSITION, "openSize": "0"}], order=None)
    assert list(account_stream().decode(frame)) == [PositionUpdate("ETHUSD", D(0), None, 5)]
    with pytest.raises(ProtocolError):
        account_stream().decode(trade_event("ORDER_UPDATE", order=[{**ORDER, "status": "ASLEEP"}]))


def test_a_snapshot_tells_and_confirms() -> None:
    frame = trade_event("Snapshot", order=[{**ORDER, "status": "OPEN"}], position=[])
    update, confirmed = account_stream().decode(frame)
    assert isinstance(update, OrderUpdate)
    assert confirmed == Subscribed("account")


@pytest.mark.parametrize(
    "message",
    [
        {"type": "connected", "sid": "e8"},
        {"type": "connected", "sid": "e8", "channel": None, "content": None, "time": None},
        {"type": "pong", "time": "1"},
        {"type": "ping", "time": "1"},
        {"type": "unsubscribed", "channel": f"depth.{ETH_ID}.200"},
        {"type": "assets-event", "content": {"anything": 1}},
        {"type": "a-new-type", "channel": "a.new.one", "content": []},
        {},
    ],
)
def test_what_says_nothing(message: dict[str, Any]) -> None:
    for stream in (market_stream(), account_stream()):
        assert list(stream.decode(json.dumps(message).encode())) == []


def test_a_stream_that_complains() -> None:
    message = {"type": "error", "content": {"code": "INVALID_CONTRACT_ID", "msg": "no such"}}
    for stream in (market_stream(), account_stream()):
        (reply,) = stream.decode(json.dumps(message).encode())
        assert isinstance(reply, Reply)
        assert isinstance(reply.error, VenueError)
        assert (reply.id, reply.error.code) == (0, "INVALID_CONTRACT_ID")
    message["content"] = {"code": "UNAUTHORIZED", "msg": ""}
    (reply,) = account_stream().decode(json.dumps(message).encode())
    assert isinstance(reply, Reply)
    assert type(reply.error) is AuthError


# --------------------------------------------------------------------------- sockets


class Streams:
    """The other end: confirms topics, begins each account with a snapshot, keeps what it hears."""

    def __init__(self, *, whole: bool = True) -> None:
        self.peers: list[Peer] = []
        self.heard: list[dict[str, Any]] = []
        self.whole = whole

    async def __call__(self, peer: Peer) -> None:
        self.peers.append(peer)
        peer.send(json.dumps({"sid": "1", "type": "connected"}))
        if "private" in peer.path and self.whole:
            peer.send(trade_event("Snapshot", order=[], position=[]))
        while True:
            message = json.loads(await peer.text())
            self.heard.append(message)
            channel = message.get("channel", "")
            if message["type"] == "subscribe":
                told = {"type": "subscribed", "channel": channel, "request": "{}"}
                peer.send(json.dumps(told))
                if channel.startswith("depth"):
                    peer.send(snapshot(100 * len(self.heard)))

    def asked(self) -> list[tuple[str, str]]:
        return [(message["type"], message.get("channel", "")) for message in self.heard]


def client_of(server: Server, keys: dict[str, str] = KEYS, **options: Any) -> EdgexExchange:
    hosts = {"ws": server.url, "ws_v1": server.url}
    return opened(**keys, endpoints=hosts, **options)


def without_rest(dex: EdgexExchange) -> list[int | None]:
    """Reads of the account, which are given nothing."""
    asked: list[int | None] = []

    async def read(since_ms: int | None) -> tuple[list[Any], list[Any], list[Any]]:
        asked.append(since_ms)
        return [], [], []

    dex.feeds._fetch_account = read  # type: ignore[assignment]
    return asked


@virtually
async def test_the_servers_pings_are_answered() -> None:
    venue = Streams()
    async with Server(venue) as server:
        dex = client_of(server)
        without_rest(dex)
        await dex.start_streams([Topic("mark", "ETHUSD"), Topic("orders")])
        down: list[object] = []
        dex.on_stream(down.append)
        for number in range(10):
            for peer in venue.peers:
                peer.send(json.dumps({"type": "ping", "time": str(NOW_MS + number)}))
            await asyncio.sleep(30)
        pongs = [message for message in venue.heard if message["type"] == "pong"]
        assert len(pongs) == 20
        assert {message["time"] for message in pongs} == {str(NOW_MS + n) for n in range(10)}
        assert down == [], "nothing but pings, and alive"
        await until(lambda: down)
        await dex.close()


@virtually
async def test_each_topic_is_asked_for_by_its_contract() -> None:
    venue = Streams()
    async with Server(venue) as server:
        dex = client_of(server)
        await dex.start_streams([Topic(channel, "ETHUSD") for channel in ("book", "bbo", "mark")])
        (peer,) = venue.peers
        assert peer.path == "/stream/api/v1/public/ws"
        assert venue.asked() == [
            ("subscribe", f"depth.{ETH_ID}.200"),
            ("subscribe", f"bookTicker.{ETH_ID}"),
            ("subscribe", f"ticker.{ETH_ID}"),
        ]
        assert dex.book("ETHUSD").best() == ("2999", "1", "3001", "2")
        await dex.close()


@virtually
async def test_after_a_gap_the_book_is_asked_for_anew() -> None:
    venue = Streams()
    async with Server(venue) as server:
        dex = client_of(server)
        await dex.start_streams([Topic("book", "ETHUSD")])
        book, channel = dex.book("ETHUSD"), f"depth.{ETH_ID}.200"
        (peer,) = venue.peers
        peer.send(book_frame(100, 110))
        peer.send(book_frame(120, 130))
        await until(lambda: book.gaps == 1 and not book.stale)
        assert venue.asked() == [
            ("subscribe", channel),
            ("unsubscribe", channel),
            ("subscribe", channel),
        ]
        assert len(venue.peers) == 1
        await dex.close()


@pytest.mark.parametrize("keys", [KEYS, V1_KEYS], ids=["v2", "v1"])
@virtually
async def test_the_private_socket_proves_itself_each_time(keys: dict[str, str]) -> None:
    venue = Streams()
    async with Server(venue) as server:
        dex = client_of(server, keys)
        asked = without_rest(dex)
        await dex.start_streams([Topic("orders"), Topic("fills"), Topic("positions")])
        await asyncio.sleep(1)
        venue.peers[0].cut()
        await until(lambda: len(venue.peers) == 2 and dex.feeds.account.synced)
        stamps = [check_handshake(peer, dex._auth) for peer in venue.peers]
        assert stamps[0] < stamps[1], "made anew"
        assert asked[0] is None
        assert asked[-1] is not None, "fills are read back from before the drop"
        assert [kind for kind, _ in venue.asked()] == [], "nothing is subscribed to"
        await dex.close()


def check_handshake(peer: Peer, auth: EdgexAuth | None) -> int:
    """Headers over the very query that was sent; the time of the proof."""
    path, _, query = peer.path.partition("?")
    assert path == "/stream/api/v1/private/ws"
    names = ("x-edgex-timestamp", "x-edgex-api-timestamp")
    stamp = next(peer.headers[name] for name in names if name in peer.headers)
    assert auth is not None
    assert query == auth.socket_query(stamp)
    assert dict(parse_qsl(query))["accountId"] == ACCOUNT
    wanted = auth.headers(stamp, f"{stamp}GET/api/v1/private/ws{query}")
    assert {name: peer.headers[name.lower()] for name in wanted} == wanted
    return int(stamp)


@virtually
async def test_a_connection_without_its_snapshot_is_not_live() -> None:
    venue = Streams(whole=False)
    async with Server(venue) as server:
        dex = client_of(server)
        without_rest(dex)
        with pytest.raises(TransportError, match="no confirmation"):
            await dex.start_streams([Topic("orders")])
        venue.peers[0].send(trade_event("Snapshot", order=[], position=[]))
        await dex.start_streams([Topic("orders"), Topic("fills")])
        await dex.close()


@virtually
async def test_a_fill_that_is_told_twice_counts_once() -> None:
    venue = Streams()
    async with Server(venue) as server:
        dex = client_of(server)
        without_rest(dex)
        orders: list[Any] = []
        fills: list[Any] = []
        dex.on_orders(orders.append)
        dex.on_fills(fills.append)
        await dex.start_streams([Topic("orders"), Topic("fills"), Topic("positions")])
        filled = {**ORDER, "status": "FILLED", "cumMatchSize": "0.5", "cumMatchValue": "1500"}
        (peer,) = venue.peers
        peer.send(trade_event("ORDER_UPDATE", order=[filled], orderFillTransaction=[FILL]))
        peer.send(
            trade_event(
                "ORDER_UPDATE", order=[filled], orderFillTransaction=[FILL], collateral=[{}]
            )
        )
        peer.send(trade_event("ACCOUNT_UPDATE", position=[POSITION]))
        await until(lambda: dex.feeds.account.positions())
        assert len(orders) == len(fills) == 1
        await dex.close()


@virtually
async def test_a_refused_handshake_says_why() -> None:
    async with Server(Streams()) as server:
        server.refusals += [(401, {}, "no")] * 20
        dex = client_of(server)
        with pytest.raises(MpdexError, match="401") as caught:
            await dex.start_streams([Topic("orders")])
        assert KEYS["passphrase"] not in str(caught.value)
        await dex.close()


def test_the_market_list_is_the_one_of_the_interface() -> None:
    """Two readers of one frame name the market alike."""
    market: Market = VENUE._markets["ETHUSD"]
    assert market_stream().wire_topic(Topic("book", market["symbol"])) == f"depth.{ETH_ID}.200"
    with pytest.raises(UnknownSymbol):
        market_stream().wire_topic(Topic("book", "ETHUSDC"))

"""The simulated EdgeX against the venue's rules: proofs, order life, queries, sockets, faults."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sim.edgex_stage import BOOKED, ENGINE, ETH, Signer, Stage, staged

from mpdex.sim import run
from mpdex.sim.exchange import Twist
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues import edgex_crypto as crypto
from mpdex.sim.venues import load_venue
from mpdex.sim.venues.edgex import EdgexSim
from mpdex.types import OrderStatus
from mpdex.utils.virtual_loop import run_virtual

D = Decimal
VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "edgex.json"
CASES = json.loads(VECTORS.read_text())["cases"]
PLACE, CANCEL = "POST /order/createOrder", "POST /order/cancelOrderById"
NAMED = "POST /order/cancelOrderByClientOrderId"


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [case for case in CASES if case["kind"] in kinds]


def by_name(case: dict[str, Any]) -> str:
    return str(case["name"])


def code(reply: SimReply) -> str:
    """Code of a refusal; its envelope is that of every answer."""
    answer = reply.body
    assert answer["data"] is None
    assert answer["msg"]
    assert {"errorParam", "requestTime", "responseTime", "traceId"} <= answer.keys()
    return str(answer["code"])


def events(wire: Any) -> list[dict[str, Any]]:
    """What a private socket has been told since."""
    return [frame["content"] for frame in wire.take() if frame["type"] == "trade-event"]


def rows(told: list[dict[str, Any]], group: str = "order") -> list[dict[str, Any]]:
    return [row for content in told for row in content["data"][group]]


def both(stage: Stage) -> tuple[Signer, Signer]:
    return stage.v2, stage.v1


def number_of(text: str) -> int:
    return int(text, 16) if text.startswith("0x") else int(text)


# --------------------------------------------------------------------------- proofs


def domain_of(case: dict[str, Any]) -> tuple[int, int]:
    settings = case["input"]["global"]
    return int(settings["nativeChainId"]), int(settings["contractAddress"], 16)


@pytest.mark.parametrize("case", of_kind("v2_create_order"), ids=by_name)
def test_orders_of_the_sdk_of_v2_are_accepted(case: dict[str, Any]) -> None:
    given, expected = case["input"], case["expected"]
    body = expected["request"]["body"]
    scales = (
        number_of(given["contract"]["resolution"]),
        number_of(given["quote_coin"]["resolution"]),
    )
    amounts = crypto.Amounts(
        int(D(body["l2Size"]) * scales[0]),
        int(D(body["l2Value"]) * scales[1]),
        int(D(body["l2LimitFee"]) * scales[1]),
    )
    nonce, expires = crypto.nonce_of(body["clientOrderId"]), int(body["expireTime"]) // 1000
    buying, signer = body["side"] == "BUY", expected["eip712"]["signer"].lower()
    order = crypto.Order(given["account_id"], nonce, buying, amounts, expires)
    digest = crypto.order_digest(order, signer, int(body["contractId"]), 1000, domain_of(case))
    assert f"0x{digest.hex()}" == expected["eip712"]["digest"]
    assert nonce == int(body["l2Nonce"])
    assert crypto.signer_of(digest, body["l2Signature"]) == signer
    assert crypto.signer_of(digest[::-1], body["l2Signature"]) != signer


@pytest.mark.parametrize("case", of_kind("v2_create_order", "v2_request"), ids=by_name)
def test_requests_of_the_sdk_of_v2_are_accepted(case: dict[str, Any]) -> None:
    asked, secret = case["expected"]["request"], case["input"]["api_secret"]
    params = crypto.signed_text(asked["body"] or asked["query"])
    text = f"{case['input']['now_ms']}{asked['method']}{asked['path']}{params}"
    assert text == asked["signed_text"]
    signature = asked["headers"]["X-edgeX-Signature"]
    assert crypto.is_hmac_of(secret, text, signature)
    assert not crypto.is_hmac_of(secret + "=", text, signature)
    assert not crypto.is_hmac_of(secret, text + "&", signature)


def test_the_margin_mode_of_the_sdk_is_accepted() -> None:
    [case] = [case for case in CASES if case["name"] == "set_margin_mode"]
    said = case["expected"]["eip712"]["message"]
    numbers = (int(said[name]) for name in ("accountId", "assetId", "marginMode", "nonce"))
    digest = crypto.margin_digest(*numbers, said["signer"], domain_of(case))
    assert f"0x{digest.hex()}" == case["expected"]["eip712"]["digest"]


@pytest.mark.parametrize("case", of_kind("v1_create_order"), ids=by_name)
def test_orders_and_requests_of_the_sdk_of_v1_are_accepted(case: dict[str, Any]) -> None:
    given, expected = case["input"], case["expected"]
    amounts = crypto.Amounts(
        *(expected[f"amount_{name}"] for name in ("synthetic", "collateral", "fee"))
    )
    nonce, hours = expected["l2_nonce"], expected["expiration_hours"]
    order = crypto.Order(given["account_id"], nonce, given["side"] == "BUY", amounts, hours)
    synthetic = int(given["contract"]["starkExSyntheticAssetId"], 16)
    collateral = int(given["collateral_coin"]["starkExAssetId"], 16)
    hashed, key = crypto.stark_hash(order, synthetic, collateral), int(expected["public_key_x"], 16)
    assert hashed == int(expected["order_hash"], 16)
    assert crypto.stark_signed(key, hashed, expected["body"]["l2Signature"])
    text, signature = expected["signed_text"], expected["headers"]["X-edgeX-Api-Signature"]
    assert crypto.signed_text(expected["body"]) in text
    for tail in ("", "5" * 64):  # some clients append the key's y
        assert crypto.is_stark_of(key, text, signature + tail)
    assert not crypto.is_stark_of(key, text + " ", signature)
    assert not crypto.is_stark_of(key, text, signature[:-1])


def test_parameters_are_texts_without_brackets() -> None:
    value = {"b": [True, {"z": 1, "a": "x y"}], "a": None, "c": "1.50", "d": []}
    assert crypto.signed_text(value) == "a=&b=true&a=x y&z=1&c=1.50&d="


def test_the_table_finds_it_and_keys_are_the_same_for_the_same_seed() -> None:
    assert load_venue("edgex") is EdgexSim

    async def keys(seed: int) -> list[dict[str, str]]:
        async with await run.start(["edgex"], seed=seed) as running:
            endpoints = running.endpoints["edgex"]
            assert endpoints.keys() == {"rest", "ws", "rest_v1", "ws_v1"}
            venue: Any = running.venues["edgex"]
            return [running.credentials["edgex"], venue.credentials_v1()]

    v2, v1 = run_virtual(keys(3))
    assert [v2, v1] == run_virtual(keys(3))
    assert v2 != run_virtual(keys(4))[0]
    assert v2.keys() == {"account_id", "api_key", "passphrase", "secret", "signer_private_key"}
    assert v1.keys() == {"account_id", "stark_private_key"}
    assert v1["account_id"] != v2["account_id"]


WRONG_HEADERS: list[tuple[dict[str, str | None], str]] = [
    ({"x-edgex-api-key": "another"}, "INVALID_API_KEY"),
    ({"x-edgex-api-key": None}, "INVALID_API_KEY"),
    ({"x-edgex-passphrase": "another"}, "INVALID_API_KEY"),
    ({"x-edgex-signature": "0" * 64}, "INVALID_SIGNATURE"),
    ({"x-edgex-signature": None}, "INVALID_SIGNATURE"),
    ({"x-edgex-signature": "\u00e9"}, "INVALID_SIGNATURE"),
    ({"x-edgex-timestamp": None}, "INVALID_TIMESTAMP"),
    ({"x-edgex-timestamp": "soon"}, "INVALID_TIMESTAMP"),
]


@pytest.mark.parametrize(("changed", "expected"), WRONG_HEADERS)
def test_private_calls_are_proved(changed: dict[str, str | None], expected: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        for call, body in (("GET /account/getAccountAsset", None), (PLACE, stage.order())):
            reply = stage.ask(call, body, changed=changed)
            assert (reply.status, code(reply)) == (401, expected)
        assert stage.exchange.orders == {}

    check()


@staged
async def test_a_request_is_good_for_a_minute(stage: Stage) -> None:
    now = stage.clock.now_ms()
    for by in both(stage):
        for away, good in ((0, True), (-60_000, True), (60_000, True), (-60_001, False)):
            reply = stage.ask("GET /account/getAccountById", by=by, stamp=str(now + away))
            assert (reply.body["code"] == "SUCCESS") is good
        late = stage.ask("GET /account/getAccountById", by=by, stamp=str(now + 60_001))
        assert code(late) == "INVALID_TIMESTAMP"


@staged
async def test_what_is_sent_is_what_is_proved(stage: Stage) -> None:
    for by in both(stage):
        sent = stage.request(CANCEL, {"orderIdList": ["1", "2"]}, by=by)
        bent = sent.body.replace(b'"2"', b'"3"')
        other = SimRequest(sent.method, sent.path, "", sent.headers, bent)
        assert code(stage.send(other)) == "INVALID_SIGNATURE"
        asked = stage.request("GET /order/getOrderById", by=by, orderIdList="1,2")
        assert "%2C" in asked.query_text  # a comma is signed as a comma
        assert stage.send(asked).body["data"] == []
        other = SimRequest(asked.method, asked.path, asked.query_text + "3", asked.headers)
        assert code(stage.send(other)) == "INVALID_SIGNATURE"


@staged
async def test_an_account_is_only_its_owners(stage: Stage) -> None:
    for by, other in ((stage.v2, stage.v1), (stage.v1, stage.v2)):
        stranger = {"accountId": other.account_id}
        reply = stage.ask("GET /account/getAccountById", by=by, **stranger)
        assert code(reply) == "ACCOUNT_NO_PERMISSION"
        reply = stage.ask(CANCEL, {**stranger, "orderIdList": ["1"]}, by=by)
        assert code(reply) == "ACCOUNT_NO_PERMISSION"


@staged
async def test_neither_generation_takes_the_keys_of_the_other(stage: Stage) -> None:
    for by, other in ((stage.v2, stage.v1), (stage.v1, stage.v2)):
        sent = stage.request("GET /account/getAccountById", by=by)
        path = sent.path.replace(by.root, other.root)
        reply = stage.send(SimRequest("GET", path, sent.query_text, sent.headers))
        assert reply.status == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"size": "0.11", "l2Size": "0.11", "l2Value": "331.1"},
        {"price": "3011", "l2Value": "301.1"},
        {"side": "BUY"},
        {"l2LimitFee": "2"},
        {"contractId": "of SOL"},
        {"l2Signature": "ab" * 65},
        {"l2Signature": "0x" + "ab" * 65},
        {"l2Signature": "none"},
    ],
)
def test_what_is_signed_is_what_is_ordered(changed: dict[str, str]) -> None:
    @staged
    async def check(stage: Stage) -> None:
        for by in both(stage):
            bent = {**stage.order("SELL", by=by), **changed}
            if "contractId" in changed:
                bent["contractId"] = by.contract[:-1] + "3"
            assert code(stage.ask(PLACE, bent, by=by)) == "INVALID_L2_SIGNATURE"
        assert stage.exchange.orders == {}

    check()


@staged
async def test_which_time_is_signed(stage: Stage) -> None:
    """v2 the order's own in seconds, v1 the settlement's in hours."""
    body = stage.order()
    settled_later = {**body, "l2ExpireTime": str(int(body["l2ExpireTime"]) + 10**7)}
    stage.place(settled_later)
    body = stage.order()
    ends_later = {**body, "expireTime": str(int(body["expireTime"]) + 1000)}
    assert code(stage.ask(PLACE, ends_later)) == "INVALID_L2_SIGNATURE"
    body = stage.order(by=stage.v1)
    stage.place({**body, "expireTime": str(int(body["expireTime"]) + 1000)}, by=stage.v1)
    body = stage.order(by=stage.v1)
    settled_later = {**body, "l2ExpireTime": str(int(body["l2ExpireTime"]) + 3_600_000)}
    assert code(stage.ask(PLACE, settled_later, by=stage.v1)) == "INVALID_L2_SIGNATURE"


@staged
async def test_the_nonce_follows_from_the_clients_id_in_v2(stage: Stage) -> None:
    assert code(stage.ask(PLACE, stage.order(l2Nonce="808219"))) == "INVALID_L2_NONCE"
    stage.place(stage.order(by=stage.v1, l2Nonce="808219"), by=stage.v1)
    too_long = stage.order(by=stage.v1, l2Nonce=str(2**32))
    assert code(stage.ask(PLACE, too_long, by=stage.v1)) == "INVALID_L2_NONCE"


@staged
async def test_the_fee_that_is_signed_may_be_a_fraction_and_must_be_enough(stage: Stage) -> None:
    stage.place(stage.order(l2LimitFee="0.113620"))
    assert code(stage.ask(PLACE, stage.order(l2LimitFee="0.1136"))) == "INVALID_L2_LIMIT_FEE"


# --------------------------------------------------------------------------- what is refused


MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"price": None}, "INVALID_PARAMETER"),
    ({"size": None}, "INVALID_PARAMETER"),
    ({"size": "much"}, "INVALID_PARAMETER"),
    ({"size": True}, "INVALID_PARAMETER"),
    ({"size": "-0.1"}, "INVALID_PARAMETER"),
    ({"size": "NaN"}, "INVALID_PARAMETER"),
    ({"l2Size": "0.2"}, "INVALID_PARAMETER"),
    ({"clientOrderId": None}, "INVALID_PARAMETER"),
    ({"clientOrderId": ""}, "INVALID_PARAMETER"),
    ({"clientOrderId": 7}, "INVALID_PARAMETER"),
    ({"expireTime": "soon"}, "INVALID_PARAMETER"),
    ({"l2Nonce": "-1"}, "INVALID_PARAMETER"),
    ({"l2Signature": None}, "INVALID_PARAMETER"),
    ({"type": "STOP_LIMIT"}, "INVALID_PARAMETER"),
    ({"type": "Limit"}, "INVALID_PARAMETER"),
    ({"type": "MARKET"}, "INVALID_PARAMETER"),
    ({"type": "MARKET", "price": "0"}, "INVALID_PARAMETER"),
    ({"timeInForce": "GTC"}, "INVALID_PARAMETER"),
    ({"side": "buy"}, "INVALID_PARAMETER"),
    ({"reduceOnly": "false"}, "INVALID_PARAMETER"),
    ({"isSetOpenTp": True}, "INVALID_PARAMETER"),
    ({"contractId": "10000002"}, "INVALID_CONTRACT_ID"),
    ({"contractId": None}, "INVALID_PARAMETER"),
]
FORBIDDEN: list[tuple[dict[str, Any], str]] = [
    ({"size": "0"}, "ORDER_SIZE_TOO_SMALL"),
    ({"size": "0.001"}, "ORDER_SIZE_TOO_SMALL"),
    ({"size": "500.01"}, "ORDER_SIZE_TOO_LARGE"),
    ({"size": "0.015"}, "INVALID_STEP_SIZE"),
    ({"price": "2990.001"}, "INVALID_TICK_SIZE"),
    ({"price": "0", "l2Value": "0"}, "INVALID_TICK_SIZE"),
    ({"price": "3150", "timeInForce": "GOOD_TIL_CANCEL"}, "ORDER_PRICE_OUT_OF_RANGE"),
    ({"side": "SELL", "price": "2849.9"}, "ORDER_PRICE_OUT_OF_RANGE"),
    ({"l2Value": "298.99"}, "INVALID_L2_VALUE"),
    ({"expireTime": "1"}, "INVALID_EXPIRE_TIME"),
    ({"expireTime": "9767225600000"}, "INVALID_EXPIRE_TIME"),
]


@pytest.mark.parametrize(("changes", "expected"), MALFORMED + FORBIDDEN)
def test_refused_orders_leave_no_trace(changes: dict[str, Any], expected: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        signable = (changes, expected) in FORBIDDEN
        if signable and "size" in changes:
            changes["l2Size"] = changes["size"]
        side, size = changes.get("side", "BUY"), changes.get("size", "0.1")
        rest = {name: v for name, v in changes.items() if name not in ("side", "size")}
        body = stage.order(side, size, **rest) if signable else {**stage.order(), **changes}
        sent = {name: value for name, value in body.items() if value is not None}
        socket = stage.listen()
        socket.take()
        reply = stage.ask(PLACE, sent)
        assert (reply.status, code(reply)) == (200, expected)
        await asyncio.sleep(1)
        assert socket.take() == []
        assert stage.exchange.orders == {}

    check()


@staged
async def test_the_words_for_a_contract_that_there_is_not(stage: Stage) -> None:
    reply = stage.send(SimRequest("GET", "/api/v2/public/quote/getTicker", "contractId=7"))
    assert code(reply) == "INVALID_CONTRACT_ID"
    assert reply.body["msg"] == "invalid contractId:7"
    assert reply.body["errorParam"] == {"contractId": "7"}


@staged
async def test_a_body_that_is_no_json_or_no_object_is_refused(stage: Stage) -> None:
    for body in (b"{", b"7", b"[1]", b""):
        sent = stage.request(PLACE, stage.order())
        reply = stage.send(SimRequest("POST", sent.path, "", sent.headers, body))
        assert code(reply) in ("INVALID_PARAMETER", "INVALID_SIGNATURE")
    reply = stage.send(SimRequest("GET", "/api/v3/public/meta/getMetaData"))
    assert (reply.status, code(reply)) == (404, "NOT_FOUND")


@staged
async def test_flags_of_v1_may_be_texts(stage: Stage) -> None:
    order = stage.place(stage.order(by=stage.v1, reduceOnly="false"), by=stage.v1)
    assert order.reduce_only is False


@staged
async def test_a_clients_id_is_good_once_and_lost_by_no_refusal(stage: Stage) -> None:
    body = stage.order()
    stage.place(body)
    again = stage.order(clientOrderId=body["clientOrderId"], price="2980")
    assert code(stage.ask(PLACE, again)) == "DUPLICATE_CLIENT_ORDER_ID"
    await asyncio.sleep(ENGINE)
    stage.done(CANCEL, {"orderIdList": [*stage.exchange.orders]})
    await asyncio.sleep(ENGINE)
    assert code(stage.ask(PLACE, again)) == "DUPLICATE_CLIENT_ORDER_ID"
    small = stage.order(size="0.001", l2Size="0.001")
    assert code(stage.ask(PLACE, small)) == "ORDER_SIZE_TOO_SMALL"
    stage.place(stage.order(clientOrderId=small["clientOrderId"]))
    mine = stage.order(by=stage.v1, clientOrderId=body["clientOrderId"])
    stage.place(mine, by=stage.v1)  # another account's ids are its own


@staged
async def test_margin_goes_by_leverage(stage: Stage) -> None:
    stage.exchange.accounts[stage.account].cash = D(1000)
    stage.place(stage.order(size="10"))  # 29,900 at 50 times
    poor = stage.order(size="10")
    assert code(stage.ask(PLACE, poor)) == "INSUFFICIENT_MARGIN"
    leverage = {"contractId": stage.v2.contract, "leverage": "10"}
    stage.done("POST /account/updateLeverageSetting", leverage)
    assert code(stage.ask(PLACE, stage.order(size="0.1"))) == "INSUFFICIENT_MARGIN"


@staged
async def test_a_position_has_a_greatest_size(stage: Stage) -> None:
    stage.exchange.accounts[stage.account].cash = D(10**8)
    stage.exchange.manual_trade(stage.account, ETH, D(590))
    stage.place(stage.order(size="10"))
    assert code(stage.ask(PLACE, stage.order(size="11"))) == "EXCEED_MAX_POSITION_SIZE"


@pytest.mark.parametrize(
    ("mode", "expected", "flag"),
    [
        ("post_only", "CONTRACT_TRADE_DISABLED", None),
        ("reduce_only", "CONTRACT_OPEN_POSITION_DISABLED", "enableOpenPosition"),
        ("cancel_only", "CONTRACT_TRADE_DISABLED", "enableTrade"),
        ("market", "CONTRACT_TRADE_DISABLED", "enableTrade"),
    ],
)
def test_a_halted_venue_says_how(mode: Any, expected: str, flag: str | None) -> None:
    @staged
    async def check(stage: Stage) -> None:
        resting = stage.place()
        await asyncio.sleep(ENGINE)
        stage.exchange.halt(mode)
        assert code(stage.ask(PLACE, stage.taker())) == expected
        reply = stage.ask(PLACE, stage.order())
        assert (reply.body["code"] == "SUCCESS") is (mode == "post_only")
        contract = stage.public("/api/v2", "/meta/getMetaData")["contractList"][0]
        closed = [name for name in ("enableTrade", "enableOpenPosition") if not contract[name]]
        assert closed == ([flag] if flag else [])
        stage.done(CANCEL, {"orderIdList": [resting.order_id]})
        await asyncio.sleep(ENGINE)
        assert resting.status is OrderStatus.CANCELED

    check()


# --------------------------------------------------------------------------- the life of an order


@staged
async def test_an_order_is_pending_then_open(stage: Stage) -> None:
    for by in both(stage):
        socket = stage.listen(by)
        socket.take()
        order = stage.place(by=by)
        assert int(order.order_id) > 2**53
        assert rows(events(socket))[0]["status"] == "PENDING"
        [told] = stage.done("GET /order/getOrderById", by=by, orderIdList=order.order_id)
        assert told["status"] == "PENDING"
        await asyncio.sleep(ENGINE)
        [told] = rows(events(socket))
        assert (told["status"], told["cancelReason"]) == ("OPEN", "UNKNOWN_ORDER_CANCEL_REASON")
        assert stage.done("GET /order/getActiveOrderPage", by=by)["dataList"] == [told]


@staged
async def test_an_order_as_it_is_told(stage: Stage) -> None:
    body = stage.order()
    order = stage.place(body)
    await asyncio.sleep(ENGINE)
    query = {"clientOrderIdList": f"{body['clientOrderId']},nobody"}
    [told] = stage.done("GET /order/getOrderByClientOrderId", **query)
    wanted = {
        "id": order.order_id,
        "accountId": stage.account,
        "coinId": "1000",
        "contractId": "30000002",
        "side": "BUY",
        "price": "2990.00",
        "size": "0.10",
        "clientOrderId": body["clientOrderId"],
        "type": "LIMIT",
        "timeInForce": "POST_ONLY",
        "reduceOnly": False,
        "expireTime": body["expireTime"],
        "maxLeverage": "50",
        "takerFeeRate": "0.000380",
        "makerFeeRate": "0.000180",
        "l2Nonce": body["l2Nonce"],
        "l2Value": "299.000000",
        "l2Size": "0.1",
        "l2LimitFee": "1",
        "l2ExpireTime": body["l2ExpireTime"],
        "l2Signature": body["l2Signature"],
        "status": "OPEN",
        "cumMatchSize": "0",
        "cumFillSize": "0",
        "createdTime": str(order.created_ns // 10**6),
    }
    assert {name: told[name] for name in wanted} == wanted


@staged
async def test_v1_takes_a_signature_apart(stage: Stage) -> None:
    body = stage.order(by=stage.v1)
    order = stage.place(body, by=stage.v1)
    [told] = stage.done("GET /order/getOrderById", by=stage.v1, orderIdList=order.order_id)
    signature = body["l2Signature"]
    assert told["l2Signature"] == {"r": f"0x{signature[:64]}", "s": f"0x{signature[64:]}", "v": ""}


@staged
async def test_a_crossing_post_only_order_is_taken_and_canceled(stage: Stage) -> None:
    socket = stage.listen()
    socket.take()
    order = stage.place(stage.order(price="3000"))
    await asyncio.sleep(ENGINE)
    assert [row["status"] for row in rows(events(socket))] == ["PENDING", "CANCELED"]
    [told] = stage.done("GET /order/getOrderById", orderIdList=order.order_id)
    assert (told["status"], told["cancelReason"]) == ("CANCELED", "COULD_NOT_FILL")
    assert told["cumMatchSize"] == "0"


@staged
async def test_what_the_engine_does_not_let_in(stage: Stage) -> None:
    nothing_to_reduce = stage.place(stage.order(reduceOnly=True))
    poor = stage.place(stage.order(size="50"))
    stage.exchange.accounts[stage.account].cash = D(100)
    await asyncio.sleep(ENGINE)
    ids = f"{nothing_to_reduce.order_id},{poor.order_id}"
    told = stage.done("GET /order/getOrderById", orderIdList=ids)
    assert [row["status"] for row in told] == ["CANCELED"] * 2
    reasons = [row["cancelReason"] for row in told]
    assert reasons == ["REDUCE_ONLY_CANCELED", "MARGIN_NOT_ENOUGH"]


@staged
async def test_a_fill_is_told_twice(stage: Stage) -> None:
    socket = stage.listen()
    socket.take()
    order = stage.place(stage.taker())
    await asyncio.sleep(BOOKED)
    told = events(socket)
    assert [content["event"] for content in told] == ["ORDER_UPDATE"] * 4
    assert [row["status"] for row in rows(told)] == ["PENDING", "OPEN", "FILLED", "FILLED"]
    matched, booked = told[2]["data"], told[3]["data"]
    assert matched["order"][0]["cumMatchSize"] == booked["order"][0]["cumMatchSize"] == "0.1"
    assert (matched["order"][0]["cumFillSize"], matched["collateral"]) == ("0", [])
    assert booked["order"][0]["cumFillSize"] == "0.1"
    [fill] = booked["orderFillTransaction"]
    assert (fill["orderId"], fill["fillSize"], fill["fillPrice"]) == (
        *(order.order_id, "0.10", "3000.00"),
    )
    assert (fill["direction"], fill["fillFee"]) == ("TAKER", "0.114000")
    assert booked["position"][0]["openSize"] == "0.10"
    assert booked["collateral"][0]["legacyAmount"] == "99999.886000"
    assert stage.done("GET /order/getHistoryOrderFillTransactionPage")["dataList"] == [fill]


@staged
async def test_a_partial_fill_stays_open(stage: Stage) -> None:
    order = stage.place()
    await asyncio.sleep(ENGINE)
    stage.exchange.fill(order, D("0.04"))
    [told] = stage.done("GET /order/getActiveOrderPage")["dataList"]
    assert (told["status"], told["cumMatchSize"], told["cumFillSize"]) == ("OPEN", "0.04", "0")
    assert stage.done("GET /order/getHistoryOrderFillTransactionPage")["dataList"] == []
    await asyncio.sleep(BOOKED)
    [told] = stage.done("GET /order/getActiveOrderPage")["dataList"]
    assert (told["cumFillSize"], told["cumFillFee"]) == ("0.04", "0.021528")
    assert (told["maxFillPrice"], told["minFillPrice"]) == ("2990.00", "2990.00")


@staged
async def test_immediate_and_complete_orders(stage: Stage) -> None:
    part = stage.place(stage.taker(size="12", price="3000.01"))
    await asyncio.sleep(BOOKED)
    none = stage.place(stage.taker(size="80", timeInForce="FILL_OR_KILL"))
    await asyncio.sleep(BOOKED)
    told = stage.done("GET /order/getHistoryOrderPage")["dataList"]
    assert [row["id"] for row in told] == [none.order_id, part.order_id]
    assert [row["cancelReason"] for row in told] == ["COULD_NOT_FILL"] * 2
    assert [row["cumMatchSize"] for row in told] == ["0", "10"]


@staged
async def test_market_orders_sign_the_worst_price(stage: Stage) -> None:
    market = {"type": "MARKET", "price": "0"}
    for by in both(stage):
        bought = stage.place(stage.taker(by=by, **market, l2Value="2999.995"), by=by)
        sold = stage.place(stage.taker("SELL", by=by, **market, l2Value="0.001"), by=by)
        await asyncio.sleep(BOOKED)
        for order in (bought, sold):
            assert order.status is OrderStatus.FILLED
        told = stage.done("GET /order/getOrderById", by=by, orderIdList=bought.order_id)[0]
        assert (told["type"], told["price"], told["marketLimitValue"]) == (
            *("MARKET", "0.00", "2999.995000"),
        )
    for side, value in (("BUY", "299"), ("SELL", "301"), ("BUY", "0")):
        body = stage.taker(side, **market, l2Value=value)
        assert code(stage.ask(PLACE, body)) == "INVALID_L2_VALUE"


@staged
async def test_an_order_expires(stage: Stage) -> None:
    order = stage.place(stage.order(expireTime=str(stage.clock.now_ms() + 2000)))
    await asyncio.sleep(2.1)
    assert stage.done("GET /order/getActiveOrderPage")["dataList"] == []
    [told] = stage.done("GET /order/getOrderById", orderIdList=order.order_id)
    assert (told["status"], told["cancelReason"]) == ("CANCELED", "EXPIRE_CANCELED")


# --------------------------------------------------------------------------- cancels


@staged
async def test_a_cancel_is_answered_before_it_is_done(stage: Stage) -> None:
    order = stage.place()
    await asyncio.sleep(ENGINE)
    socket = stage.listen()
    socket.take()
    body = {"orderIdList": [order.order_id, "7"]}
    results = stage.done(CANCEL, body)["cancelResultMap"]
    assert results == {order.order_id: "SUCCESS", "7": "FAILED_ORDER_NOT_FOUND"}
    assert rows(events(socket))[0]["status"] == "CANCELING"
    again = stage.done(CANCEL, body)["cancelResultMap"]
    assert again[order.order_id] == "SUCCESS_ORDER_CANCELING"
    stage.exchange.fill(order, D("0.03"))  # fills still arrive
    await asyncio.sleep(BOOKED)
    told = rows(events(socket))
    assert [row["status"] for row in told] == ["CANCELING", "CANCELING", "CANCELED"]
    assert (told[-1]["cancelReason"], told[-1]["cumFillSize"]) == ("USER_CANCELED", "0.03")
    late = stage.done(CANCEL, body)["cancelResultMap"]
    assert late[order.order_id] == "SUCCESS_ORDER_CANCELED"


@staged
async def test_a_filled_order_cannot_be_canceled(stage: Stage) -> None:
    order = stage.place(stage.taker())
    await asyncio.sleep(ENGINE)
    name = order.client_id
    results = stage.done(NAMED, {"clientOrderIdList": [name]})["cancelResultMap"]
    assert results == {name: "FAILED_ORDER_FILLED"}


@staged
async def test_a_cancel_may_come_before_the_order_is_in_the_book(stage: Stage) -> None:
    order = stage.place()
    name = order.client_id
    results = stage.done(NAMED, {"clientOrderIdList": [name]})["cancelResultMap"]
    assert results == {name: "SUCCESS_ORDER_CANCELING"}
    await asyncio.sleep(BOOKED)
    assert (order.status, order.filled) == (OrderStatus.CANCELED, 0)


@staged
async def test_all_are_canceled_of_all_contracts_or_some(stage: Stage) -> None:
    for _ in range(2):
        stage.place()
    other = stage.place(stage.order("SELL", price="3100"))
    other.symbol = "SOLUSDC"
    await asyncio.sleep(ENGINE)
    some = {"filterContractIdList": [stage.v2.contract]}
    assert len(stage.done("POST /order/cancelAllOrder", some)["cancelResultMap"]) == 2
    await asyncio.sleep(ENGINE)
    rest = stage.done("POST /order/cancelAllOrder")["cancelResultMap"]
    assert rest == {other.order_id: "SUCCESS"}
    assert stage.done("POST /order/cancelAllOrder")["cancelResultMap"] == {
        other.order_id: "SUCCESS_ORDER_CANCELING"
    }
    unknown = stage.ask("POST /order/cancelAllOrder", {"filterContractIdList": ["7"]})
    assert code(unknown) == "INVALID_CONTRACT_ID"


@staged
async def test_a_cancel_that_names_nothing_is_refused(stage: Stage) -> None:
    for call in (CANCEL, NAMED):
        assert code(stage.ask(call)) == "INVALID_PARAMETER"
        for wrong in ("7", [7]):
            body = {"orderIdList": wrong, "clientOrderIdList": wrong}
            assert code(stage.ask(call, body)) == "INVALID_PARAMETER"


# --------------------------------------------------------------------------- the account


@staged
async def test_the_account_tells_everything_at_once(stage: Stage) -> None:
    stage.place(stage.taker("SELL", "0.2"))
    stage.place(stage.order("BUY", "0.3", price="2980"))
    await asyncio.sleep(BOOKED)
    told = stage.done("GET /account/getAccountAsset")
    [position], [worth] = told["positionList"], told["positionAssetList"]
    assert (position["openSize"], position["openValue"]) == ("-0.20", "-599.998000")
    assert (worth["avgEntryPrice"], worth["maxLeverage"]) == ("2999.99", "50")
    [money], [ledger] = told["collateralAssetModelList"], told["collateralList"]
    assert money["totalPositionValueAbs"] == "599.999"
    assert money["initialMarginRequirement"] == "11.99998"
    assert money["orderFrozenAmount"] == "5.96"  # of what is more than the position
    equity = D(money["totalEquity"])
    assert equity == stage.exchange.equity(stage.account)
    free = equity - D("11.99998") - D("5.96")
    assert abs(D(money["availableAmount"]) - free) < D("0.000001")
    assert D(ledger["amount"]) == D(ledger["legacyAmount"]) + D("599.998")
    assert ledger["cumPositionSellAmount"] == "599.998"
    query = {"contractIdList": f"{stage.v2.contract},30000001"}
    assert stage.done("GET /account/getPositionByContractId", **query) == [position]
    assert stage.done("GET /account/getCollateralByCoinId", coinIdList="1000") == [ledger]
    assert stage.done("GET /account/getAccountById") == told["account"]


@staged
async def test_the_accounts_do_not_see_each_other(stage: Stage) -> None:
    stage.place(stage.taker())
    await asyncio.sleep(BOOKED)
    assert stage.done("GET /account/getAccountAsset", by=stage.v1)["positionList"] == []
    assert stage.done("GET /order/getHistoryOrderPage", by=stage.v1)["dataList"] == []


@staged
async def test_terms_of_positions_are_counted(stage: Stage) -> None:
    socket = stage.listen()
    for side, size in (("BUY", "0.3"), ("SELL", "0.1"), ("SELL", "0.4")):
        stage.place(stage.taker(side, size))
        await asyncio.sleep(BOOKED)
    told = rows(events(socket), "position")[-1]
    assert told["openSize"] == "-0.20"
    assert (told["longTermCount"], told["shortTermCount"]) == (1, 1)
    assert told["longTermStat"]["cumOpenSize"] == "0"  # it is over
    long, short = told["longTotalStat"], told["shortTotalStat"]
    assert (long["cumOpenSize"], long["cumCloseSize"]) == ("0.3", "-0.3")
    assert (long["cumOpenValue"], long["cumCloseValue"]) == ("900.000000", "-899.997000")
    assert (short["cumOpenSize"], short["cumCloseSize"]) == ("-0.2", "0")
    assert told["openFee"] == short["cumOpenFee"] == "-0.227999"


@staged
async def test_a_position_that_goes_is_told_with_nothing_open(stage: Stage) -> None:
    socket = stage.listen()
    for side in ("BUY", "SELL"):
        stage.place(stage.taker(side))
        await asyncio.sleep(BOOKED)
    told = rows(events(socket), "position")
    assert [row["openSize"] for row in told] == ["0.10", "0"]
    assert stage.done("GET /account/getAccountAsset")["positionList"] == []


@staged
async def test_funding_is_paid_told_and_remembered(stage: Stage) -> None:
    stage.place(stage.taker(size="2"))
    await asyncio.sleep(BOOKED)
    socket = stage.listen()
    stage.exchange.fund(D("0.0001"), ETH)
    [content] = [c for c in events(socket) if c["event"] == "FUNDING_SETTLEMENT"]
    [paid], [moved] = (content["data"][f"{name}Transaction"] for name in ("position", "collateral"))
    assert (paid["type"], paid["deltaFundingFee"]) == ("SETTLE_FUNDING_FEE", "-0.599999")
    assert (moved["type"], moved["deltaAmount"]) == ("POSITION_FUNDING", "-0.599999")
    [position] = content["data"]["position"]
    assert position["fundingFee"] == "-0.599999"
    page = stage.done("GET /account/getPositionTransactionPage")
    assert page["dataList"] == [paid]
    other = {"filterTypeList": "BUY_POSITION"}
    assert stage.done("GET /account/getPositionTransactionPage", **other)["dataList"] == []


@staged
async def test_what_the_venue_closes_is_marked(stage: Stage) -> None:
    stage.place(stage.taker())
    await asyncio.sleep(BOOKED)
    socket = stage.listen()
    stage.exchange.liquidate(stage.account, ETH)
    await asyncio.sleep(BOOKED)
    told = events(socket)
    assert rows(told)[-1]["isLiquidate"] is True
    assert rows(told)[-1]["clientOrderId"] == ""
    [fill] = rows(told, "orderFillTransaction")
    assert (fill["isLiquidate"], fill["fillPrice"]) == (True, "2999.995")


@staged
async def test_pages_follow_each_other(stage: Stage) -> None:
    names = [stage.place().client_id for _ in range(5)]
    await asyncio.sleep(ENGINE)
    seen: list[str] = []
    cursor, pages = "", 0
    while pages == 0 or cursor:
        query = {"size": "2", "offsetData": cursor}
        page = stage.done("GET /order/getActiveOrderPage", **query)
        seen += [row["clientOrderId"] for row in page["dataList"]]
        cursor, pages = page["nextPageOffsetData"], pages + 1
    assert (seen, pages) == (names[::-1], 3)
    for wrong in ({"offsetData": "there"}, {"size": "two"}):
        assert code(stage.ask("GET /order/getActiveOrderPage", **wrong)) == "INVALID_PARAMETER"


@staged
async def test_lists_can_be_filtered(stage: Stage) -> None:
    order = stage.place(stage.taker())
    await asyncio.sleep(BOOKED)
    path = "GET /order/getHistoryOrderFillTransactionPage"
    for query, count in (
        ({"filterOrderIdList": f"1,{order.order_id}"}, 1),
        ({"filterOrderIdList": "1"}, 0),
        ({"filterContractIdList": "30000001,30000002"}, 1),
        ({"filterContractIdList": "30000001"}, 0),
    ):
        assert len(stage.done(path, **query)["dataList"]) == count
    for status, count in (("FILLED", 1), ("CANCELED", 0)):
        page = stage.done("GET /order/getHistoryOrderPage", filterStatusList=status)
        assert len(page["dataList"]) == count
    assert code(stage.ask("GET /order/getOrderById")) == "INVALID_PARAMETER"


@staged
async def test_leverage_is_set_told_and_bounded(stage: Stage) -> None:
    socket, path = stage.listen(), "POST /account/updateLeverageSetting"
    socket.take()
    setting = {"contractId": stage.v2.contract, "leverage": "20"}
    assert stage.done(path, setting) is None
    [content] = events(socket)
    assert content["event"] == "ACCOUNT_UPDATE"
    own = content["data"]["account"][0]["contractIdToTradeSetting"]
    assert own[stage.v2.contract]["maxLeverage"] == "20"
    for wrong in ("0", "51", "2.5"):
        reply = stage.ask(path, {**setting, "leverage": wrong})
        assert code(reply) == "INVALID_LEVERAGE"
    stage.exchange.manual_trade(stage.account, ETH, D(100))
    assert code(stage.ask(path, {**setting, "leverage": "2"})) == "INSUFFICIENT_MARGIN"
    assert code(stage.ask(path, {**setting, "contractId": "7"})) == "INVALID_CONTRACT_ID"


@staged
async def test_a_margin_mode_is_signed(stage: Stage) -> None:
    message = {
        "accountId": int(stage.account),
        "assetId": int(stage.v2.contract),
        "marginMode": 1,
        "nonce": 7,
        "signer": stage.v2.signer,
    }
    body = {
        "contractId": stage.v2.contract,
        "marginMode": "1",
        "l2Nonce": "7",
        "l2ExpireTime": "1791212400000",
        "signer": stage.v2.signer,
        "l2Signature": stage.v2.typed("SetMarginPreferenceParams", message),
    }
    path = "POST /account/setMarginMode"
    assert stage.done(path, body) is None
    assert stage.exchange.modes == {(stage.account, ETH): "1"}
    for bent in ({"marginMode": "2"}, {"l2Nonce": "8"}, {"signer": "0x" + "1" * 40}):
        assert code(stage.ask(path, {**body, **bent})) == "INVALID_L2_SIGNATURE"


@staged
async def test_the_largest_order(stage: Stage) -> None:
    stage.exchange.accounts[stage.account].cash = D(600)
    path, body = "POST /order/getMaxCreateOrderSize", {"contractId": stage.v2.contract}
    told = stage.done(path, {**body, "price": "3,000.0"})
    assert told == {
        "maxBuySize": "10",
        "maxSellSize": "10",
        "ask1Price": "3000",
        "bid1Price": "2999.99",
    }
    for wrong in ("0", "", None):
        assert code(stage.ask(path, {**body, "price": wrong})) == "INVALID_PARAMETER"


# --------------------------------------------------------------------------- market data


@staged
async def test_metadata_has_what_each_generation_signs_with(stage: Stage) -> None:
    v2, v1 = (stage.public(root, "/meta/getMetaData") for root in ("/api/v2", "/api/v1"))
    names = [[row["contractName"] for row in told["contractList"]] for told in (v2, v1)]
    assert names == [["ETHUSDC", "BTCUSDC", "SOLUSDC"], ["ETHUSD", "BTCUSD", "SOLUSD"]]
    assert v2["global"].keys() >= {"chainId", "nativeChainId", "contractAddress"}
    btc = v2["contractList"][1]
    assert (btc["contractId"], btc["resolution"]) == ("30000001", "10000000000")
    assert (btc["tickSize"], btc["stepSize"], btc["minOrderSize"]) == ("0.1", "0.001", "0.001")
    old = v1["contractList"][1]
    assert (old["contractId"], old["starkExResolution"]) == ("10000001", "0x2540be400")
    assert old["starkExSyntheticAssetId"] == "0x4254432d3130000000000000000000"
    assert "resolution" not in old
    assert "starkExResolution" not in btc
    quote = next(coin for coin in v2["coinList"] if coin["coinId"] == btc["quoteCoinId"])
    assert number_of(quote["resolution"]) == 10**6


@staged
async def test_tickers_books_and_rates_by_rest(stage: Stage) -> None:
    stage.trade("3000", "0.5", "buy")
    [ticker] = stage.public("/api/v2", "/quote/getTicker", contractId="30000002")
    assert (ticker["lastPrice"], ticker["markPrice"]) == ("3000", "2999.995")
    assert (ticker["bestBidPrice"], ticker["bestAskPrice"]) == ("2999.99", "3000")
    [quiet] = stage.public("/api/v2", "/quote/getTicker", contractId="30000003")
    assert quiet["lastPrice"] == "0"
    assert "bestBidPrice" not in quiet
    assert len(stage.public("/api/v2", "/quote/getTicker")) == 3
    [book] = stage.public("/api/v2", "/quote/getDepth", contractId="30000002", level="15")
    assert (book["level"], len(book["bids"]), len(book["asks"])) == (15, 10, 10)
    assert book["asks"][0] == {"price": "3000", "size": "4.5"}
    reply = stage.send(
        SimRequest("GET", "/api/v2/public/quote/getDepth", "contractId=30000002&level=5")
    )
    assert code(reply) == "INVALID_PARAMETER"
    [rate] = stage.public("/api/v2", "/funding/getLatestFundingRate", contractId="30000002")
    assert (rate["fundingRate"], rate["fundingRateIntervalMin"]) == ("0.00005000", "240")
    told = stage.public("/api/v1", "/meta/getServerTime")
    assert told == {"timeMillis": str(stage.clock.now_ms())}


# --------------------------------------------------------------------------- public channels


def records(wire: Any, channel: str) -> list[tuple[str, dict[str, Any]]]:
    """(kind, record) of everything that a channel has told."""
    return [
        (frame["content"]["dataType"], record)
        for frame in wire.take()
        if frame["type"] == "quote-event" and frame["channel"] == channel
        for record in frame["content"]["data"]
    ]


async def wander(stage: Stage, steps: int) -> None:
    """A market that moves, by up to twice the small window."""
    for step in range(steps):
        middle = D(3000) + D((step * 7) % 31) / 100
        stage.quote(str(middle - D("0.01")), str(middle), str(1 + step % 3), levels=40)
        await asyncio.sleep(0.15)


def kept(told: list[tuple[str, dict[str, Any]]], level: int) -> dict[str, dict[str, str]]:
    """The book that a client has which cuts it to the window."""
    book: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
    for _, record in told:
        for side, levels in book.items():
            for entry in record[side]:
                levels[entry["price"]] = entry["size"]
                if entry["size"] == "0":
                    del levels[entry["price"]]
            ranked = sorted(levels, key=D, reverse=side == "bids")
            book[side] = {price: levels[price] for price in ranked[:level]}
    return book


@pytest.mark.parametrize(("contract", "gap"), [("30000002", 0), ("10000002", 1)])
@pytest.mark.parametrize("level", [15, 200])
def test_a_book_is_a_snapshot_and_changes(contract: str, gap: int, level: int) -> None:
    @staged
    async def check(stage: Stage) -> None:
        stage.quote("2999.99", "3000", levels=40)
        channel = f"depth.{contract}.{level}"
        wire = stage.watch(channel)
        await wander(stage, 40)
        told = records(wire, channel)
        assert [kind for kind, _ in told] == ["Snapshot"] + ["changed"] * (len(told) - 1)
        assert [r["depthType"] for _, r in told[:2]] == ["SNAPSHOT", "CHANGED"]
        for (_, before), (_, after) in pairwise(told):
            assert int(after["startVersion"]) == int(before["endVersion"]) + gap
            assert int(after["endVersion"]) > int(before["endVersion"]) + 1
        bids, asks, _ = stage.exchange.book(ETH, level)
        book = kept(told, level)
        for side, truth in (("bids", bids), ("asks", asks)):
            assert {D(p): D(s) for p, s in book[side].items()} == dict(truth)

    check()


@staged
async def test_levels_that_leave_the_small_window_are_not_taken_away(stage: Stage) -> None:
    stage.quote("2999.99", "3000", levels=20)
    wire = stage.watch("depth.30000002.15")
    stage.quote("3000.04", "3000.05", levels=20)
    await asyncio.sleep(0.2)
    _, (_, change) = records(wire, "depth.30000002.15")
    gone = [entry["price"] for entry in change["bids"] if entry["size"] == "0"]
    assert gone == []  # five bids were pushed out, and still are in the book
    assert len([entry for entry in change["asks"] if entry["size"] == "0"]) == 5


@staged
async def test_who_comes_late_gets_a_snapshot_that_changes_follow(stage: Stage) -> None:
    channel = "depth.30000002.15"
    first = stage.watch(channel)
    await wander(stage, 3)
    stage.quote("3000.40", "3000.41", levels=40)
    second = stage.watch(channel)
    await wander(stage, 3)
    late, early = records(second, channel), records(first, channel)
    assert late[0][1]["depthType"] == "SNAPSHOT"
    assert late[1:] == early[-len(late[1:]) :]
    stage.say(first, type="unsubscribe", channel=channel)
    stage.say(second, type="unsubscribe", channel=channel)
    await wander(stage, 2)
    assert records(first, channel) == records(second, channel) == []


@staged
async def test_channels_are_acknowledged_and_left(stage: Stage) -> None:
    wire = stage.watch()
    assert wire.take()[0].keys() == {"sid", "type"}
    channel = "ticker.30000002"
    assert stage.say(wire, type="subscribe", channel=channel) is None
    told = wire.take()
    assert told[0] == {"type": "subscribed", "channel": channel, "request": "{}"}
    assert told[1]["content"]["dataType"] == "Snapshot"
    stage.say(wire, type="subscribe", channel=channel)  # again: told anew, and not twice after
    await asyncio.sleep(1.5)
    wire.take()
    stage.quote("3001", "3001.01")
    [(kind, record)] = records(wire, channel)
    assert (kind, record["markPrice"]) == ("changed", "3001.005")
    left = stage.say(wire, type="unsubscribe", channel=channel)
    assert (left["type"], left["channel"]) == ("unsubscribed", channel)
    await asyncio.sleep(1.5)
    stage.quote("3002", "3002.01")
    assert wire.take() == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "subscribe", "channel": "ticker.100000001"}, "INVALID_CONTRACT_ID"),
        ({"type": "subscribe", "channel": "depth.30000002.20"}, "INVALID_CHANNEL"),
        ({"type": "subscribe", "channel": "depth.30000002"}, "INVALID_CHANNEL"),
        ({"type": "subscribe", "channel": "weather"}, "INVALID_CHANNEL"),
        ({"type": "subscribe"}, "INVALID_CHANNEL"),
        ({"type": "hello"}, "GATEWAY_UNRECOGNIZED_MESSAGE"),
        ([], "GATEWAY_UNRECOGNIZED_MESSAGE"),
    ],
)
def test_messages_that_are_wrong(message: Any, expected: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        wire = stage.watch()
        told = stage.venue.accept_message(wire, json.dumps(message))
        assert (told["type"], told["content"]["code"]) == ("error", expected)
        assert stage.venue.accept_message(wire, "{")["type"] == "error"

    check()


@staged
async def test_best_prices_trades_and_rates_are_told(stage: Stage) -> None:
    best, all_best = "bookTicker.10000002", "bookTicker.all"
    wire = stage.watch(best, all_best, "trades.10000002", "fundingRate.30000002", "metadata")
    told = wire.take()
    metadata = next(f for f in told if f.get("channel") == "metadata" and "content" in f)
    assert metadata["content"]["data"][0]["contractList"][0]["contractName"] == "ETHUSDC"
    stage.trade("3000", "0.5", "buy")
    stage.trade("2999.99", "0.25", "sell")
    stage.quote("3001", "3001.01")
    await asyncio.sleep(61)
    stage.quote("3001.1", "3001.11")
    await asyncio.sleep(1)
    frames = wire.take()

    def of(channel: str) -> list[dict[str, Any]]:
        return [f["content"]["data"][0] for f in frames if f.get("channel") == channel]

    assert [row["bestBidPrice"] for row in of(best)] == ["3001", "3001.1"]
    assert [row["contractName"] for row in of(all_best)] == ["ETHUSDC"] * 2
    assert [row["isBuyerMaker"] for row in of("trades.10000002")] == [False, True]
    assert [row["fundingRate"] for row in of("fundingRate.30000002")][-1] == "0.00005000"
    again = stage.watch("trades.10000002")
    assert [record["price"] for _, record in records(again, "trades.10000002")] == [
        *("3000", "2999.99"),
    ]


# --------------------------------------------------------------------------- private sockets


@staged
async def test_a_private_socket_begins_with_everything(stage: Stage) -> None:
    order = stage.place()
    stage.place(stage.taker())
    await asyncio.sleep(BOOKED)
    wire = stage.listen()
    hello, snapshot = wire.take()
    assert hello.keys() == {"sid", "type", "time"}
    content = snapshot["content"]
    assert (content["event"], content["accountId"]) == ("Snapshot", 0)
    data = content["data"]
    assert [row["id"] for row in data["order"]] == [order.order_id]
    assert [row["openSize"] for row in data["position"]] == ["0.10"]
    assert data["account"][0]["id"] == stage.account
    assert data["orderFillTransaction"] == []
    version = content["version"]
    stage.place()
    assert [c["version"] for c in events(wire)] == [version + 1]
    assert stage.done("GET /account/getAccountAsset")["version"] == str(version + 1)
    assert events(stage.listen(stage.v1))[0]["data"]["order"] == []


@staged
async def test_private_sockets_are_proved_at_the_door(stage: Stage) -> None:
    path, now = "/api/v1/private/ws", str(stage.clock.now_ms())
    query = stage.v2.socket_query(now)
    text = f"{now}GET{path}accountId={stage.account}&timestamp={now}"
    good = stage.v2.headers(now, text)
    assert not isinstance(stage.connect(path, good, query), SimReply)
    backwards = dict(reversed(query.items()))
    assert not isinstance(stage.connect(path, good, backwards), SimReply)
    for headers, asked in (
        ({}, query),
        ({**good, "x-edgex-signature": "0" * 64}, query),
        (good, {**query, "accountId": stage.v1.account_id}),
        (good, {"accountId": stage.account}),
        (stage.v1.headers(now, text), query),
    ):
        refused = stage.connect(path, headers, asked)
        assert isinstance(refused, SimReply)
        assert refused.status in (401, 403)
    assert stage.exchange.accounts.keys() == {stage.account, stage.v1.account_id}


@staged
async def test_private_sockets_take_no_subscriptions(stage: Stage) -> None:
    wire = stage.listen()
    told = stage.say(wire, type="subscribe", channel="ticker.30000002")
    assert told["content"]["code"] == "GATEWAY_UNRECOGNIZED_MESSAGE"


@staged
async def test_a_clients_ping_is_answered(stage: Stage) -> None:
    for wire in (stage.watch(), stage.listen()):
        told = stage.say(wire, type="ping", time="1693208170000")
        assert told == {"type": "pong", "time": "1693208170000"}


@staged
async def test_five_unanswered_pings_close_a_socket(stage: Stage) -> None:
    silent, wrong, alive = stage.watch(), stage.watch(), stage.listen()
    pings = 0
    for _ in range(120):
        await asyncio.sleep(1)
        for frame in alive.take():
            if frame["type"] == "ping":
                pings += 1
                stage.say(alive, type="pong", time=frame["time"])
                stage.say(wrong, type="pong", time="1")
    assert pings >= 11
    assert (silent.open, wrong.open, alive.open) == (False, False, True)
    assert len([f for f in silent.take() if f["type"] == "ping"]) == 5


@staged
async def test_a_socket_that_has_gone_is_told_nothing(stage: Stage) -> None:
    wire, public = stage.listen(), stage.watch("ticker.30000002", "depth.30000002.15")
    for gone in (wire, public):
        gone.take()
        stage.venue.close_ws(gone)
    stage.place(stage.taker())
    await wander(stage, 10)
    assert wire.take() == public.take() == []


# --------------------------------------------------------------------------- faults


@staged
async def test_faults_know_what_is_asked(stage: Stage) -> None:
    venue = stage.venue
    body = stage.order("SELL", "0.2", reduceOnly=True)
    for by in both(stage):
        placing = stage.request(PLACE, {**body, "contractId": by.contract}, by=by)
        assert venue.op_of(placing) == "place"
        assert venue.describe(placing) == {
            "side": "sell",
            "symbol": ETH,
            "size": "0.2",
            "price": "3010",
            "client_id": body["clientOrderId"],
            "reduce_only": "true",
            "post_only": "true",
        }
    for call, content, op, said in (
        (CANCEL, {"orderIdList": ["5"]}, "cancel", {"order_id": "5"}),
        (NAMED, {"clientOrderIdList": ["a"]}, "cancel", {"client_id": "a"}),
        (CANCEL, {"orderIdList": ["5", "6"]}, "cancel", {}),
        ("POST /order/cancelAllOrder", {}, "cancel", {}),
    ):
        request = stage.request(call, content)
        assert (venue.op_of(request), venue.describe(request)) == (op, said)
    for call, query, op, said in (
        ("GET /order/getOrderById", {"orderIdList": "5"}, "query_order", {"order_id": "5"}),
        ("GET /order/getOrderByClientOrderId", {"clientOrderIdList": "a"}, "query_order",
         {"client_id": "a"}),
        ("GET /order/getActiveOrderPage", {}, "query_open", {}),
        ("GET /order/getHistoryOrderFillTransactionPage", {}, "query_fills", {}),
        ("GET /account/getAccountAsset", {}, "query_positions", {}),
        ("GET /nowhere", {}, "", {}),
    ):  # fmt: skip
        request = stage.request(call, **query)
        assert (venue.op_of(request), venue.describe(request)) == (op, said)
    public = SimRequest("GET", "/api/v1/public/meta/getMetaData")
    assert venue.op_of(public) == "meta"
    assert venue.scope_of(public) == ("public", "127.0.0.1", 1)
    assert venue.scope_of(stage.request(PLACE, body)) == ("private", stage.account, 1)
    broken = SimRequest("POST", "/api/v2/private/order/createOrder", body=b"{")
    assert (venue.describe(broken), venue.scope_of(broken)[1]) == ({}, "127.0.0.1")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("MARGIN", "INSUFFICIENT_MARGIN"),
        ("DUPLICATE_CID", "DUPLICATE_CLIENT_ORDER_ID"),
        ("PRECISION", "INVALID_TICK_SIZE"),
        ("SYMBOL", "INVALID_CONTRACT_ID"),
        ("RATE", "TOO_MANY_REQUESTS"),
    ],
)
def test_rejections_speak_the_venues_language(kind: str, expected: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        request = stage.request(PLACE, stage.order())
        assert code(stage.venue.render_reject(request, kind, "")) == expected
        assert code(stage.venue.render_reject(request, kind, "OTHER_CODE")) == "OTHER_CODE"
        assert stage.exchange.orders == {}

    check()


@staged
async def test_a_post_only_order_rejected_by_a_fault_is_taken_first(stage: Stage) -> None:
    request = stage.request(PLACE, stage.order())
    number = stage.venue.render_reject(request, "POST_ONLY", "").body["data"]["orderId"]
    await asyncio.sleep(ENGINE)
    [told] = stage.done("GET /order/getOrderById", orderIdList=number)
    assert (told["status"], told["cancelReason"]) == ("CANCELED", "COULD_NOT_FILL")


@staged
async def test_not_found_has_no_code(stage: Stage) -> None:
    query = stage.request("GET /order/getOrderByClientOrderId", clientOrderIdList="a")
    assert stage.venue.render_reject(query, "NOT_FOUND", "").body["data"] == []
    cancel = stage.request(CANCEL, {"orderIdList": ["5"]})
    told = stage.venue.render_reject(cancel, "NOT_FOUND", "").body
    assert (told["code"], told["data"]) == (
        *("SUCCESS", {"cancelResultMap": {"5": "FAILED_ORDER_NOT_FOUND"}}),
    )


@staged
async def test_twists_reach_the_venue(stage: Stage) -> None:
    kept_open = stage.place()
    await asyncio.sleep(ENGINE)
    stage.exchange.twist = Twist(keep_on_cancel=True)
    results = stage.done(CANCEL, {"orderIdList": [kept_open.order_id]})["cancelResultMap"]
    assert results[kept_open.order_id] == "SUCCESS"
    stage.exchange.twist = Twist(lose_order=True)
    lost = stage.place()
    stage.exchange.twist = Twist()
    await asyncio.sleep(BOOKED)
    assert kept_open.status is OrderStatus.OPEN
    assert stage.done("GET /order/getOrderById", orderIdList=lost.order_id) == []
    for _ in range(2):
        stage.place()
    await asyncio.sleep(ENGINE)
    stage.exchange.twist = Twist(page=1)
    page = stage.done("GET /order/getActiveOrderPage")
    assert (len(page["dataList"]), bool(page["nextPageOffsetData"])) == (1, True)
    stage.exchange.twist = Twist(as_of_ns=0)
    assert stage.done("GET /order/getActiveOrderPage")["dataList"] == []
    assert stage.done("GET /account/getAccountAsset")["positionList"] == []


# --------------------------------------------------------------------------- over a wire


def test_both_generations_over_a_wire() -> None:
    async def play() -> None:
        async with await run.start(["edgex"]) as running:
            endpoints = running.endpoints["edgex"]
            async with aiohttp.ClientSession() as session:
                for key, version in (("rest", "v2"), ("rest_v1", "v1")):
                    url = f"{endpoints[key]}/api/{version}/public/meta/getServerTime"
                    async with session.get(url) as answer:
                        assert answer.content_type == "application/json"
                        assert (await answer.json())["code"] == "SUCCESS"
                async with session.get(f"{endpoints['rest']}/api/v2/private/x") as answer:
                    assert answer.status == 404
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await session.ws_connect(f"{endpoints['ws']}/api/v1/private/ws?accountId=1")
                assert refused.value.status == 401
                public = f"{endpoints['ws']}/api/v1/public/ws?timestamp=1"
                async with session.ws_connect(public, protocols=["abc"]) as socket:
                    assert socket.protocol == "abc"  # the SDK's library insists on it
                    assert (await socket.receive_json())["type"] == "connected"
                    await socket.send_json({"type": "subscribe", "channel": "depth.30000002.15"})
                    assert (await socket.receive_json())["type"] == "subscribed"
                    told = await socket.receive_json()
                    assert told["content"]["data"][0]["contractName"] == "ETHUSDC"

    run_virtual(play())


def test_a_limit_is_told_in_the_venues_words() -> None:
    async def play() -> None:
        async with await run.start(["edgex"]) as running:
            url = f"{running.endpoints['edgex']['rest']}/api/v2/public/meta/getServerTime"
            running.server.hosts["edgex"].limit(3, 60.0)
            async with aiohttp.ClientSession() as session:
                answers = []
                for _ in range(4):
                    async with session.get(url) as answer:
                        answers.append((answer.status, (await answer.json())["code"]))
        assert answers == [(200, "SUCCESS")] * 3 + [(429, "TOO_MANY_REQUESTS")]

    run_virtual(play())

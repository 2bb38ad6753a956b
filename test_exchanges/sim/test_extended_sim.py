"""The simulated Extended against the venue's rules: signature, order life, queries, streams."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sim.extended_stage import ENGINE, ETH, READ_BACK, Signer, Stage, staged

from mpdex.sim import run
from mpdex.sim.exchange import Twist
from mpdex.sim.stark import P
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues import extended_crypto as crypto
from mpdex.sim.venues import load_venue
from mpdex.sim.venues.extended import ExtendedSim
from mpdex.types import OrderStatus
from mpdex.utils.virtual_loop import run_virtual

D = Decimal
VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "extended.json"
ORDERS = [case for case in json.loads(VECTORS.read_text())["cases"] if case["kind"] == "order"]
PLACE = "POST /user/order"


def code(reply: Any) -> int:
    """Code of an error answer."""
    assert reply.body["status"] == "ERROR"
    assert reply.body["error"]["message"]
    assert reply.status >= 400
    return int(reply.body["error"]["code"])


def tell(frames: list[Any], kind: str, name: str) -> list[dict[str, Any]]:
    """Everything that account messages of one kind tell."""
    return [row for frame in frames if frame["type"] == kind for row in frame["data"][name]]


# --------------------------------------------------------------------------- hash and signature


@pytest.mark.parametrize("case", ORDERS, ids=lambda case: case["name"])
def test_the_sdks_hashes_and_signatures_are_accepted(case: dict[str, Any]) -> None:
    given, expected = case["input"], case["expected"]
    scales = given["l2Config"]
    l2 = crypto.L2Config(
        int(scales["syntheticId"], 16),
        scales["syntheticResolution"],
        int(scales["collateralId"], 16),
        scales["collateralResolution"],
    )
    fee = D(given["fee"]) + D(given["builderFee"] or 0)
    moved = crypto.amounts(given["side"] == "BUY", D(given["qty"]), D(given["price"]), fee, l2)
    assert moved == tuple(expected[f"{name}_amount"] for name in ("synthetic", "collateral", "fee"))
    public_key = int(expected["public_key"], 16)
    hashed = crypto.order_hash(
        moved,
        l2,
        vault=given["vault"],
        public_key=public_key,
        expiration=crypto.settlement_expiry(given["expiryEpochMillis"]),
        salt=given["nonce"],
        chain_id=given["domain"]["chain_id"],
    )
    assert hashed == int(expected["order_hash"], 16)
    r, s = (int(expected["signature"][name], 16) for name in "rs")
    assert crypto.signed(public_key, hashed, (r, s))
    assert not crypto.signed(public_key, hashed + 1, (r, s))


def test_the_domains_are_those_of_the_venue() -> None:
    assert hex(crypto.domain_hash("SN_MAIN")).startswith("0x38d7910d4785470e")
    assert hex(crypto.domain_hash("SN_SEPOLIA")).startswith("0x62a6f0272bbf7ebb")
    assert crypto.domain_hash("SN_MAIN") < P


def test_the_table_finds_it_and_keys_are_the_same_for_the_same_seed() -> None:
    assert load_venue("extended") is ExtendedSim

    async def keys(seed: int) -> dict[str, str]:
        async with await run.start(["extended"], seed=seed) as running:
            assert running.endpoints["extended"].keys() == {"rest", "ws"}
            return running.credentials["extended"]

    first = run_virtual(keys(3))
    assert first == run_virtual(keys(3)) != run_virtual(keys(4))
    assert first.keys() == {"api_key", "private_key", "public_key", "vault"}


@staged
async def test_everybody_says_who_they_are(stage: Stage) -> None:
    calls = ("GET /info/markets", "GET /user/balance", PLACE, "GET /nowhere")
    for call in calls:
        assert stage.ask(call, user_agent=None).status == 403
    for path in ("/v1/orderbooks", "/v1/account", "/v2/rpc"):
        refused = stage.connect(path, user_agent=None, x_api_key=stage.signer.api_key)
        assert code(refused) == 403


@staged
async def test_private_calls_need_a_known_key(stage: Stage) -> None:
    for key in (None, "", "somebody else's"):
        assert code(stage.ask("GET /user/balance", x_api_key=key)) == 401
        assert code(stage.ask(PLACE, stage.order(), x_api_key=key)) == 401
        assert code(stage.connect("/v1/account", x_api_key=key)) == 401
    assert stage.ask("GET /info/markets", x_api_key=None).status == 200


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"qty": "0.11"}, 1101),
        ({"price": "2989"}, 1101),
        ({"fee": "0.0001"}, 1101),
        ({"builderFee": "0.0001", "builderId": 5}, 1101),
        ({"nonce": "99"}, 1101),
        ({"side": "SELL", "price": "3010"}, 1101),
        ({"starkKey": "0x1"}, 1100),
        ({"collateralPosition": "7"}, 1102),
        ({"collateralPosition": "7.5"}, 1133),
        ({"r": "0x1"}, 1101),
        ({"r": "1"}, 1133),
        ({"s": "0x"}, 1133),
        ({"settlement": {}}, 1133),
        ({"settlement": None}, 1133),
    ],
)
def test_what_is_signed_is_what_is_sent(changed: dict[str, Any], expected: int) -> None:
    @staged
    async def check(stage: Stage) -> None:
        body = stage.order()
        settlement = body["settlement"]
        for name, value in changed.items():
            if name in settlement:
                settlement[name] = value
            elif name in settlement["signature"]:
                settlement["signature"][name] = value
            else:
                body[name] = value
        assert code(stage.ask(PLACE, body)) == expected

    check()


@staged
async def test_an_expiry_of_another_second_is_not_what_was_signed(stage: Stage) -> None:
    body = stage.order(expiryEpochMillis=stage.clock.now_ms() // 1000 * 1000 + 60_000)
    later = {**body, "expiryEpochMillis": body["expiryEpochMillis"] + 1}
    assert code(stage.ask(PLACE, later)) == 1101
    earlier = {**body, "expiryEpochMillis": body["expiryEpochMillis"] - 999}
    assert stage.ask(PLACE, earlier).status == 200


@staged
async def test_amounts_are_text_in_any_notation_or_numbers(stage: Stage) -> None:
    body = stage.order(qty="1E-1", price="2.99E+3", fee="0E-9")
    order = await stage.place(body)
    assert (order.size, order.price) == (D("0.1"), D(2990))
    plain = stage.order(qty="0.2")
    numbers = {**plain, "qty": 0.2, "price": 2990, "nonce": int(plain["nonce"])}
    numbers["settlement"]["collateralPosition"] = stage.signer.vault
    assert (await stage.place(numbers)).size == D("0.2")


# --------------------------------------------------------------------------- what REST refuses


MALFORMED: list[tuple[dict[str, Any], int]] = [
    ({"price": None}, 1130),
    ({"expiryEpochMillis": None}, 1133),
    ({"fee": None}, 1133),
    ({"builderFee": "0.0001"}, 1133),
    ({"type": "MARKET"}, 1139),
    ({"type": "CONDITIONAL"}, 1132),
    ({"takeProfit": {"triggerPrice": "3100"}}, 1132),
    ({"type": "STOP"}, 1133),
    ({"timeInForce": "FOK"}, 1133),
    ({"timeInForce": "IOC"}, 1133),
    ({"timeInForce": "TOB", "postOnly": False}, 1133),
    ({"side": "Buy"}, 1133),
    ({"postOnly": "yes"}, 1133),
    ({"selfTradeProtectionLevel": "NONE"}, 1133),
    ({"nonce": "4294967296"}, 1133),
    ({"nonce": "-1"}, 1133),
    ({"id": None}, 1133),
    ({"id": 5}, 1133),
    ({"qty": "much"}, 1133),
    ({"qty": [1]}, 1133),
]
FORBIDDEN: list[tuple[dict[str, Any], int]] = [
    ({"market": "DOGE-USD"}, 1001),
    ({"market": "eth-usd"}, 1001),
    ({"qty": "0.009"}, 1120),
    ({"qty": "0"}, 1120),
    ({"qty": "0.0105"}, 1121),
    ({"price": "2990.05"}, 1124),
    ({"price": "0"}, 1141),
    ({"price": "3150", "postOnly": False, "fee": "0.0005"}, 1141),
    ({"side": "SELL", "price": "2849.9", "postOnly": False, "fee": "0.0005"}, 1141),
    ({"qty": "5017"}, 1122),
    ({"qty": "2000"}, 1140),
    ({"expiryEpochMillis": 1}, 1135),
    ({"expiryEpochMillis": 2**45}, 1135),
    ({"postOnly": False, "fee": "0.0002"}, 1128),
    ({"reduceOnly": True}, 1137),
    ({"cancelId": "nobody"}, 1142),
]


@pytest.mark.parametrize(("changes", "expected"), MALFORMED + FORBIDDEN)
def test_refused_orders_leave_no_trace(changes: dict[str, Any], expected: int) -> None:
    @staged
    async def check(stage: Stage) -> None:
        signable = (changes, expected) in FORBIDDEN
        body = stage.order(**changes) if signable else {**stage.order(), **changes}
        socket = stage.listen("/account")
        socket.take()
        assert code(stage.ask(PLACE, body)) == expected
        await asyncio.sleep(1)
        assert socket.take() == []
        assert stage.exchange.orders == {}

    check()


@staged
async def test_a_body_that_is_no_json_or_no_object_is_refused(stage: Stage) -> None:
    for body in (b"{", b"7", b"[1]", b'"text"', None):
        assert code(stage.ask(PLACE, body)) == 400


@staged
async def test_amounts_must_fit_where_they_are_settled(stage: Stage) -> None:
    market = stage.exchange.markets[ETH]
    market.info["l2"] = market.info["l2"]._replace(synthetic_resolution=10**20)
    try:
        assert code(stage.ask(PLACE, stage.order())) == 1133
    finally:
        market.info["l2"] = market.info["l2"]._replace(synthetic_resolution=10**5)


@staged
async def test_too_costly_says_by_how_much(stage: Stage) -> None:
    reply = stage.ask(PLACE, stage.order(qty="2000"))
    assert reply.body["error"] == {
        "code": 1140,
        "message": "New order cost exceeds available balance",
        "debugInfo": "Order cost 119600 exceeds available for trade 100000\n"
        "Order price = 2990, mark price = 2999.95",
    }


@staged
async def test_an_id_and_a_hash_are_good_once(stage: Stage) -> None:
    body = stage.order()
    await stage.place(body)
    assert code(stage.ask(PLACE, {**stage.order(), "id": body["id"]})) == 1134
    assert code(stage.ask(PLACE, {**body, "id": "another"})) == 1134
    refused = stage.order(qty="2000")
    assert code(stage.ask(PLACE, refused)) == 1140
    assert stage.ask(PLACE, {**stage.order(), "id": refused["id"]}).status == 200


@staged
async def test_reduce_only_orders_reduce(stage: Stage) -> None:
    await stage.place(stage.taker(qty="0.5"))
    reducing: Any = {"reduceOnly": True}
    assert code(stage.ask(PLACE, stage.order(**reducing))) == 1138
    assert code(stage.ask(PLACE, stage.order("SELL", "0.6", **reducing))) == 1136
    order = await stage.place(stage.order("SELL", "0.5", **reducing))
    assert order.status is OrderStatus.OPEN
    await stage.place(stage.taker("SELL", "0.5"))
    assert (order.status, order.reason) == (OrderStatus.CANCELED, "reduce_only")


@staged
async def test_a_market_has_200_open_orders_at_most(stage: Stage) -> None:
    first = await stage.place(stage.order(qty="0.01"))
    for _ in range(199):
        assert stage.ask(PLACE, stage.order(qty="0.01")).status == 200
    assert code(stage.ask(PLACE, stage.order(qty="0.01"))) == 1126
    change = stage.order(qty="0.02", cancelId=first.client_id)
    assert stage.ask(PLACE, change).status == 200


@staged
async def test_a_position_has_a_greatest_value(stage: Stage) -> None:
    stage.exchange.accounts[stage.account].cash = D(10**8)
    for _ in range(4):
        assert stage.ask(PLACE, stage.order(qty="4900")).status == 200
    stage.exchange.manual_trade(stage.account, ETH, D(19_000))
    assert code(stage.ask(PLACE, stage.order(qty="2000"))) == 1127


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("post_only", 1011), ("reduce_only", 1012), ("cancel_only", 1010), ("market", 1002)],
)
def test_a_halted_venue_says_how(mode: Any, expected: int) -> None:
    @staged
    async def check(stage: Stage) -> None:
        resting = await stage.place()
        stage.exchange.halt(mode)
        assert code(stage.ask(PLACE, stage.taker())) == expected
        assert stage.ask(PLACE, stage.order()).status == (200 if mode == "post_only" else 400)
        stage.done(f"DELETE /user/order/{resting.order_id}")
        await asyncio.sleep(ENGINE)
        assert resting.status is OrderStatus.CANCELED

    check()


# --------------------------------------------------------------------------- what the engine does


@staged
async def test_an_order_is_taken_before_it_is_anywhere(stage: Stage) -> None:
    socket = stage.listen("/account")
    socket.take()
    body = stage.order()
    placed = stage.done(PLACE, body)
    assert placed == {"id": placed["id"], "externalId": body["id"]}
    assert placed["id"] > 2**53
    by_id, by_name = f"/user/orders/{placed['id']}", f"/user/orders/external/{body['id']}"
    assert stage.ask(f"GET {by_id}").status == 404
    assert stage.done(f"GET {by_name}") == stage.done("GET /user/orders") == socket.take() == []
    await asyncio.sleep(ENGINE)
    [told] = tell(socket.take(), "ORDER", "orders")
    assert (told["status"], told["statusReason"], told["id"]) == ("NEW", "NONE", placed["id"])
    assert stage.ask(f"GET {by_id}").status == 404  # REST is behind the stream
    await asyncio.sleep(READ_BACK)
    assert stage.done(f"GET {by_id}") == told
    assert stage.done(f"GET {by_name}") == stage.done("GET /user/orders") == [told]


@staged
async def test_an_order_as_it_is_told(stage: Stage) -> None:
    body = stage.order(timeInForce="TOB")
    order = await stage.place(body)
    await asyncio.sleep(READ_BACK)
    [told] = stage.done("GET /user/orders")
    ends = body["expiryEpochMillis"]
    assert told == {
        "id": int(order.order_id),
        "accountId": int(stage.account),
        "externalId": body["id"],
        "market": ETH,
        "type": "LIMIT",
        "side": "BUY",
        "status": "NEW",
        "statusReason": "NONE",
        "price": "2990",
        "qty": "0.1",
        "filledQty": "0",
        "cancelledQty": "0",
        "payedFee": "0.0000000000000000",
        "reduceOnly": False,
        "postOnly": True,
        "createdTime": order.created_ns // 10**6,
        "updatedTime": order.updated_ns // 10**6,
        "timeInForce": "TOB",
        "expireTime": ends,
        "expiryTime": ends,
    }


@staged
async def test_a_post_only_order_that_would_take_is_refused_by_the_engine_alone(
    stage: Stage,
) -> None:
    socket = stage.listen("/account")
    socket.take()
    order = await stage.place(stage.order(price="3000"))
    [told] = tell(socket.take(), "ORDER", "orders")
    assert (told["status"], told["statusReason"]) == ("REJECTED", "POST_ONLY_FAILED")
    assert (told["filledQty"], told["cancelledQty"]) == ("0", "0.1")
    await asyncio.sleep(READ_BACK)
    assert stage.done("GET /user/orders") == []
    assert [row["id"] for row in stage.done("GET /user/orders/history")] == [int(order.order_id)]


@staged
async def test_money_that_is_gone_when_the_engine_looks(stage: Stage) -> None:
    socket = stage.listen("/account")
    stage.done(PLACE, stage.order(qty="100"))
    stage.exchange.accounts[stage.account].cash = D(100)
    await asyncio.sleep(ENGINE)
    [told] = tell(socket.take(), "ORDER", "orders")
    assert (told["status"], told["statusReason"]) == ("REJECTED", "NOT_ENOUGH_FUNDS")


@staged
async def test_a_halt_between_rest_and_engine(stage: Stage) -> None:
    socket = stage.listen("/account")
    stage.done(PLACE, stage.taker())
    stage.exchange.halt("post_only")
    await asyncio.sleep(ENGINE)
    [told] = tell(socket.take(), "ORDER", "orders")
    assert (told["status"], told["statusReason"]) == ("REJECTED", "POST_ONLY_MODE")


@staged
async def test_an_immediate_order_is_new_filled_in_parts_and_ended(stage: Stage) -> None:
    socket = stage.listen("/account")
    socket.take()
    body = stage.taker(qty="12", price="3000.1")
    order = await stage.place(body)
    await asyncio.sleep(1)
    frames = socket.take()
    assert [frame["seq"] for frame in frames] == list(range(4, 4 + len(frames)))
    told = tell(frames, "ORDER", "orders")
    assert [row["status"] for row in told] == [
        *("NEW", "PARTIALLY_FILLED", "PARTIALLY_FILLED", "CANCELLED"),
    ]
    assert told[-1]["statusReason"] == "NO_LIQUIDITY"
    assert (told[-1]["filledQty"], told[-1]["cancelledQty"]) == ("10", "2")
    assert told[-1]["averagePrice"] == "3000.05"
    assert D(told[-1]["payedFee"]) == D("30000.5") * D("0.00025")
    first, second = tell(frames, "TRADE", "trades")
    assert (first["price"], first["qty"]) == ("3000.0000000000000000", "5.0000000000000000")
    assert (first["externalOrderId"], first["orderId"]) == (body["id"], int(order.order_id))
    assert (second["isTaker"], second["tradeType"]) == (True, "TRADE")
    moved = [frame["data"] for frame in frames if frame["type"] == "POSITION"]
    assert len(moved) == 1  # once, after all fills, and with the balance
    assert (moved[0]["positions"][0]["size"], moved[0]["positions"][0]["side"]) == ("10", "LONG")
    assert D(moved[0]["balance"]["balance"]) == 100_000 - D("7.500125")


@staged
async def test_a_market_order_is_an_immediate_one_with_a_worst_price(stage: Stage) -> None:
    order = await stage.place(stage.taker(type="MARKET", price="3000"))
    assert (order.status, order.average) == (OrderStatus.FILLED, D(3000))
    await asyncio.sleep(READ_BACK)
    [told] = stage.done("GET /user/orders/history?type=MARKET")
    assert (told["type"], told["status"], told["price"]) == ("MARKET", "FILLED", "3000")


@staged
async def test_a_builder_is_paid_beside_the_venue(stage: Stage) -> None:
    order = await stage.place(stage.taker(builderFee="0.0001", builderId=2017))
    assert order.fees == 300 * D("0.00035")


@staged
async def test_a_newcomer_stops_at_an_order_of_its_own_account(stage: Stage) -> None:
    stage.exchange.thin(D(0), "sell")
    await stage.place(stage.order("SELL", price="3000"))
    order = await stage.place(stage.taker(price="3000"))
    assert (order.status, order.reason, order.filled) == (OrderStatus.CANCELED, "self_trade", 0)


@staged
async def test_an_order_expires(stage: Stage) -> None:
    socket = stage.listen("/account")
    order = await stage.place(stage.order(expiryEpochMillis=stage.clock.now_ms() + 5000))
    await asyncio.sleep(6)
    stage.quote("2999.9", "3000")
    assert order.status is OrderStatus.EXPIRED
    assert tell(socket.take(), "ORDER", "orders")[-1]["status"] == "EXPIRED"


# --------------------------------------------------------------------------- cancel and replace


@staged
async def test_a_cancel_is_answered_before_it_is_done(stage: Stage) -> None:
    order = await stage.place()
    await asyncio.sleep(READ_BACK)
    socket = stage.listen("/account")
    socket.take()
    assert stage.done(f"DELETE /user/order/{order.order_id}") == {}
    assert order.live
    stage.exchange.fill(order, D("0.04"))
    await asyncio.sleep(ENGINE)
    told = tell(socket.take(), "ORDER", "orders")
    assert [row["status"] for row in told] == ["PARTIALLY_FILLED", "CANCELLED"]
    assert (told[-1]["filledQty"], told[-1]["cancelledQty"]) == ("0.04", "0.06")
    assert stage.done("GET /user/orders") != []  # REST is behind
    await asyncio.sleep(READ_BACK)
    assert stage.done("GET /user/orders") == []
    for call in (f"/{order.order_id}", f"?externalId={order.client_id}", "/5", "?externalId=no"):
        assert code(stage.ask(f"DELETE /user/order{call}")) == 404


@staged
async def test_a_cancel_may_come_before_the_order_is_in_the_book(stage: Stage) -> None:
    body = stage.order()
    placed = stage.done(PLACE, body)
    stage.done(f"DELETE /user/order?externalId={body['id']}")
    await asyncio.sleep(ENGINE)
    assert stage.exchange.orders[str(placed["id"])].status is OrderStatus.CANCELED


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ({"cancelAll": True}, []),
        ({"markets": [ETH]}, []),
        ({"markets": [ETH], "cancelAll": True}, []),
        ({"markets": ["BTC-USD"], "cancelAll": True}, ["a", "b", "c"]),
        ({"externalOrderIds": ["a", "nobody"]}, ["b", "c"]),
        ({"orderIds": ["c"], "externalOrderIds": ["a"]}, ["b"]),
    ],
)
def test_many_are_canceled_at_once(body: dict[str, Any], left: list[str]) -> None:
    @staged
    async def check(stage: Stage) -> None:
        ids = {name: await stage.place(stage.order(id=name)) for name in "abc"}
        named = {**body}
        if "orderIds" in named:
            named["orderIds"] = [int(ids[name].order_id) for name in body["orderIds"]]
        assert stage.done("POST /user/order/massCancel", named) == {}
        await asyncio.sleep(ENGINE)
        assert [order.client_id for order in stage.exchange.open_orders(stage.account)] == left

    check()


@staged
async def test_a_mass_cancel_says_what(stage: Stage) -> None:
    for body in ({"cancelAll": False}, {"orderIds": []}, {"orderIds": 5}):
        assert code(stage.ask("POST /user/order/massCancel", body)) == 1133


@staged
async def test_an_order_takes_the_place_of_another(stage: Stage) -> None:
    first = await stage.place(stage.order(qty="1500"))
    second = await stage.place(stage.order(qty="1600", cancelId=first.client_id))
    assert (first.status, first.reason) == (OrderStatus.CANCELED, "replaced")
    assert second.status is OrderStatus.OPEN
    refused = stage.order(qty="1800", price="2991.05", cancelId=second.client_id)
    assert code(stage.ask(PLACE, refused)) == 1124
    assert second.live
    third = await stage.place(stage.order(price="3000", cancelId=second.client_id))
    assert (third.status, third.reason) == (OrderStatus.REJECTED, "post_only")
    assert second.status is OrderStatus.CANCELED  # both are gone


@staged
async def test_an_order_that_has_gone_in_the_meantime_is_not_replaced(stage: Stage) -> None:
    socket = stage.listen("/account")
    first = await stage.place()
    placed = stage.done(PLACE, stage.order(cancelId=first.client_id))
    stage.exchange.fill(first, first.size)
    await asyncio.sleep(ENGINE)
    told = tell(socket.take(), "ORDER", "orders")[-1]
    assert told["id"] == placed["id"]
    assert (told["status"], told["statusReason"]) == ("REJECTED", "PREV_ORDER_NOT_FOUND")


@staged
async def test_the_dead_mans_switch(stage: Stage) -> None:
    order = await stage.place()
    switch = "POST /user/deadmanswitch?countdownTime"
    assert stage.ask(f"{switch}=10").encode()[0] == b""
    await asyncio.sleep(8)
    stage.ask(f"{switch}=10")
    await asyncio.sleep(8)
    assert order.live
    await asyncio.sleep(3)
    assert order.status is OrderStatus.CANCELED
    other = await stage.place()
    stage.ask(f"{switch}=5")
    stage.ask(f"{switch}=0")
    await asyncio.sleep(10)
    assert other.live
    assert code(stage.ask(f"{switch}=soon")) == 400


# --------------------------------------------------------------------------- the account


@staged
async def test_an_account_with_nothing_has_no_balance(stage: Stage) -> None:
    assert stage.done("GET /user/balance")["balance"] == "100000"
    stage.exchange.accounts[stage.account].cash = D(0)
    assert code(stage.ask("GET /user/balance")) == 404
    kinds = [frame["type"] for frame in stage.listen("/account").take()]
    assert kinds == ["POSITION", "ORDER"]


@staged
async def test_the_balance_of_a_position_and_an_order(stage: Stage) -> None:
    await stage.place(stage.taker(qty="10", price="3000.1"))
    await stage.place(stage.order(qty="1", price="2850"))
    await asyncio.sleep(1)
    stage.quote("2899.9", "2900")
    balance = stage.done("GET /user/balance")
    cash = 100_000 - D("7.500125")
    loss = 10 * (D("2899.95") - D("3000.05"))
    held = (D("28999.5") + 2850) / 50
    assert D(balance["balance"]) == cash.quantize(D("1e-6"))
    assert D(balance["unrealisedPnl"]) == loss
    assert D(balance["equity"]) == (cash + loss).quantize(D("1e-6"))
    assert D(balance["initialMargin"]) == held
    assert D(balance["availableForTrade"]) == (cash + loss - held).quantize(D("1e-6"))
    assert balance["availableForWithdrawal"] == balance["availableForTrade"]
    assert balance["exposure"] == "28999.5"
    assert D(balance["marginRatio"]) == (D("289.995") / (cash + loss)).quantize(D("1e-6"))


@staged
async def test_positions_live_and_have_a_past(stage: Stage) -> None:
    await stage.place(stage.taker(qty="0.2"))
    await stage.place(stage.taker("SELL", "0.3"))
    [held] = stage.done("GET /user/positions")
    assert (held["side"], held["size"], held["status"]) == ("SHORT", "0.1", "OPENED")
    assert held["openPrice"] == "2999.9"
    assert held["createdAt"] == held["createdTime"]
    assert stage.done("GET /user/positions?side=LONG") == []
    assert stage.done(f"GET /user/positions?market=BTC-USD&market={ETH}") == [held]
    newest, first = stage.done("GET /user/positions/history")
    assert (newest["id"], newest["side"]) == (held["id"], "SHORT")
    assert (first["side"], first["size"], first["exitPrice"]) == ("LONG", "0.2", "2999.9")
    parts = first["realisedPnlBreakdown"]
    assert D(parts["tradePnl"]) == D("-0.02")
    assert D(parts["openFees"]) == D("-0.15")
    assert D(parts["closeFees"]) == D("-0.149995")
    assert D(first["realisedPnl"]) == sum(D(part) for part in parts.values())


@staged
async def test_a_position_that_goes_is_told_once(stage: Stage) -> None:
    await stage.place(stage.taker())
    socket = stage.listen("/account")
    socket.take()
    await stage.place(stage.taker("SELL"))
    await asyncio.sleep(1)
    [gone] = tell(socket.take(), "POSITION", "positions")
    assert (gone["status"], gone["size"], gone["side"]) == ("CLOSED", "0", "LONG")
    assert stage.done("GET /user/positions") == []
    await stage.place()
    await asyncio.sleep(1)
    assert {frame["type"] for frame in socket.take()} == {"ORDER", "BALANCE"}


@staged
async def test_funding_is_paid_and_remembered(stage: Stage) -> None:
    await stage.place(stage.taker(qty="1"))
    stage.exchange.fund(D("0.0001"), ETH)
    [paid] = stage.done("GET /user/funding/history?fromTime=0")
    assert (paid["side"], paid["size"], paid["fundingRate"]) == ("LONG", "1", "0.0001")
    assert D(paid["fundingFee"]) == D("-0.299995")
    [held] = stage.done("GET /user/positions")
    assert paid["positionId"] == held["id"]
    assert D(held["realisedPnl"]) == D("-0.299995") - D("0.75")
    assert stage.done(f"GET /user/funding/history?fromTime={paid['paidTime'] + 1}") == []


@staged
async def test_what_the_venue_closes_is_marked(stage: Stage) -> None:
    await stage.place(stage.taker(qty="0.2"))
    stage.exchange.adl(stage.account, ETH, D("0.2"))
    assert stage.done("GET /user/trades")[0]["tradeType"] == "DELEVERAGE"
    assert stage.done("GET /user/positions/history")[0]["exitType"] == "ADL"


@staged
async def test_pages_follow_each_other(stage: Stage) -> None:
    for _ in range(5):
        await stage.place(stage.taker(qty="0.01"))
    everything = stage.ask("GET /user/trades").body
    assert everything["pagination"] == {"cursor": everything["data"][-1]["id"], "count": 5}
    rows, cursor = [], ""
    while True:
        page = stage.ask(f"GET /user/trades?limit=2{cursor}").body
        rows += page["data"]
        if not page["data"]:
            break
        cursor = f"&cursor={page['pagination']['cursor']}"
    assert rows == everything["data"]
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)
    assert "externalOrderId" not in rows[0]
    stage.exchange.twist = Twist(page=1)
    assert stage.ask("GET /user/trades").body["pagination"]["count"] == 1


@staged
async def test_leverage_is_asked_and_set(stage: Stage) -> None:
    assert {"market": ETH, "leverage": "50"} in stage.done("GET /user/leverage")
    assert stage.done("PATCH /user/leverage", {"market": ETH, "leverage": "10"})["leverage"] == "10"
    assert stage.done(f"GET /user/leverage?market={ETH}") == [{"market": ETH, "leverage": "10"}]
    for leverage, expected in (("0.5", 1049), ("51", 1050), ("10.005", 1053)):
        body = {"market": ETH, "leverage": leverage}
        assert code(stage.ask("PATCH /user/leverage", body)) == expected
    assert code(stage.ask("PATCH /user/leverage", {"market": "X", "leverage": "5"})) == 1001


@staged
async def test_leverage_must_suit_the_position(stage: Stage) -> None:
    stage.exchange.manual_trade(stage.account, ETH, D(1500))
    body = {"market": ETH, "leverage": "10"}
    assert code(stage.ask("PATCH /user/leverage", body)) == 1052
    stage.exchange.accounts[stage.account].cash = D(10**7)
    stage.done("PATCH /user/leverage", body)
    body["leverage"] = "40"
    assert code(stage.ask("PATCH /user/leverage", body)) == 10501


@staged
async def test_fees_and_who_one_is(stage: Stage) -> None:
    [fees] = stage.done(f"GET /user/fees?market={ETH}")
    assert (fees["makerFeeRate"], fees["takerFeeRate"]) == ("0.00000", "0.00025")
    account = stage.done("GET /user/account/info")
    assert account["l2Vault"] == stage.signer.vault
    assert int(account["l2Key"], 16) == stage.signer.public_key
    assert stage.done("GET /user/accounts") == [account]
    assert code(stage.ask("GET /user/fees?market=NO-USD")) == 1001


# --------------------------------------------------------------------------- market data by REST


@staged
async def test_markets_are_listed_all_or_some(stage: Stage) -> None:
    assert len(stage.done("GET /info/markets")) == 3
    btc, eth = stage.done("GET /info/markets?market=BTC-USD&market=ETH-USD")
    assert (btc["tradingConfig"]["minPriceChange"], eth["assetPrecision"]) == ("1", 3)
    assert btc["l2Config"]["syntheticId"] == "0x4254432d3600000000000000000000"
    assert code(stage.ask("GET /info/markets?market=NO-USD")) == 1001
    assert code(stage.ask("GET /info/markets/NO-USD/stats")) == 1001
    assert code(stage.ask("GET /nowhere")) == 404
    stage.exchange.halt("market")
    assert stage.done(f"GET /info/markets?market={ETH}")[0]["status"] == "DISABLED"


@staged
async def test_book_trades_and_rates_by_rest(stage: Stage) -> None:
    stage.trade("3000", "0.5", "buy")
    book = stage.done(f"GET /info/markets/{ETH}/orderbook")
    assert (book["bid"][0], len(book["ask"])) == ({"qty": "5", "price": "2999.9"}, 10)
    assert book["ask"][0] == {"qty": "4.5", "price": "3000"}
    [trade] = stage.done(f"GET /info/markets/{ETH}/trades")
    assert (trade["S"], trade["p"], trade["q"]) == ("BUY", "3000", "0.5")
    assert stage.done(f"GET /info/markets/{ETH}/stats")["lastPrice"] == "3000"
    assert len(stage.done(f"GET /info/{ETH}/funding?startTime=0&endTime={2**45}")) == 1
    assert stage.done(f"GET /info/{ETH}/funding?startTime={2**45}&endTime={2**46}") == []
    assert stage.done("GET /info/starknet")["chainId"] == "SN_MAIN"


# --------------------------------------------------------------------------- books on the stream


class Book:
    """A client's book: snapshots replace it, a change's `c` is what a level is now."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[Decimal, Decimal]] = {"b": {}, "a": {}}
        self.kinds: list[str] = []

    def take(self, frames: list[Any]) -> None:
        for frame in frames:
            data = frame["data"]
            self.kinds.append(data["t"])
            for side, levels in self.sides.items():
                if data["t"] == "SNAPSHOT":
                    levels.clear()
                for level in data[side]:
                    self._set(levels, level)

    def _set(self, levels: dict[Decimal, Decimal], level: dict[str, str]) -> None:
        price, size = D(level["p"]), D(level["q"])
        if "c" in level:
            assert levels.get(price, D(0)) + size == D(level["c"]) >= 0  # `q` is the change
            size = D(level["c"])
        levels.pop(price, None)
        if size:
            levels[price] = size


def true_book(stage: Stage) -> dict[str, dict[Decimal, Decimal]]:
    bids, asks, _ = stage.exchange.book(ETH)
    return {"b": dict(bids), "a": dict(asks)}


async def wander(stage: Stage, seconds: int) -> None:
    """A market that moves, a step a second."""
    for step in range(seconds):
        bid = D("2999.9") + D("0.1") * (step % 7)
        stage.quote(str(bid), str(bid + D("0.1")), str(5 + step % 3))
        await asyncio.sleep(1)


@staged
async def test_a_book_is_a_snapshot_and_changes_with_a_snapshot_every_minute(
    stage: Stage,
) -> None:
    socket, book = stage.listen(f"/orderbooks/{ETH}"), Book()
    await wander(stage, 130)
    frames = socket.take()
    assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))
    assert {frame["type"] for frame in frames} == {"SNAPSHOT", "DELTA"}
    assert all("c" not in level for level in frames[0]["data"]["b"])
    book.take(frames)
    assert book.sides == true_book(stage)
    times = [f["ts"] for f in frames if f["type"] == "SNAPSHOT"]
    assert len(times) == 3
    assert all(59_000 < later - before < 61_000 for before, later in pairwise(times[1:]))


@staged
async def test_who_comes_late_gets_the_last_snapshot_and_what_came_since(stage: Stage) -> None:
    first = stage.listen(f"/orderbooks/{ETH}")
    await wander(stage, 75)
    late, book = stage.listen(f"/orderbooks/{ETH}"), Book()
    frames = late.take()
    assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))
    book.take(frames)
    assert book.kinds[:2] == ["SNAPSHOT", "DELTA"]
    assert book.kinds.count("SNAPSHOT") == 1
    assert book.sides == true_book(stage)
    await wander(stage, 5)
    book.take(late.take())
    assert book.sides == true_book(stage)
    stage.venue.close_ws(late)
    first.take()
    await wander(stage, 3)
    assert late.take() == []
    assert first.take() != []


@staged
async def test_a_quiet_book_is_told_to_be_quiet(stage: Stage) -> None:
    socket = stage.listen(f"/orderbooks/{ETH}")
    await asyncio.sleep(65)
    frames = socket.take()
    assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))
    empty = [frame["data"] for frame in frames if frame["type"] == "DELTA"]
    assert {"t": "DELTA", "m": ETH, "b": [], "a": [], "d": "f"} in empty
    assert len(frames) == len(empty) + 2
    assert frames[-1]["ts"] == frames[-2]["ts"]  # a change just before the snapshot, empty


@staged
async def test_the_last_one_out_stops_a_book(stage: Stage) -> None:
    socket = stage.listen(f"/orderbooks/{ETH}")
    stage.venue.close_ws(socket)
    socket.take()
    await wander(stage, 70)
    assert socket.take() == []
    again, book = stage.listen(f"/orderbooks/{ETH}"), Book()
    book.take(again.take())
    assert book.sides == true_book(stage)


@staged
async def test_the_best_level_is_always_a_snapshot(stage: Stage) -> None:
    socket = stage.listen(f"/orderbooks/{ETH}", depth="1")
    stage.quote("2999.8", "3000")
    await asyncio.sleep(1)
    first, second = socket.take()
    assert first["data"]["b"] == [{"q": "5", "p": "2999.9"}]
    assert (first["type"], first["data"]["d"]) == (second["type"], "1") == ("SNAPSHOT", "1")
    assert second["data"]["b"] == [{"q": "5", "p": "2999.8"}]
    stage.quote("2999.8", "3000")
    await asyncio.sleep(1)
    assert socket.take() == []


@staged
async def test_a_socket_without_a_market_has_all(stage: Stage) -> None:
    socket = stage.listen("/orderbooks")
    assert {frame["data"]["m"] for frame in socket.take()} == {"ETH-USD", "BTC-USD", "SOL-USD"}
    [quotes] = stage.listen(f"/orderbooks/rfq/{ETH}").take()
    assert (quotes["data"]["b"], quotes["data"]["a"]) == ([], [])


@staged
async def test_prices_trades_and_rates_are_told(stage: Stage) -> None:
    paths = ("/prices/mark", "/prices/index", "/publicTrades", "/funding")
    marks, indexes, trades, rates = (stage.listen(f"{path}/{ETH}") for path in paths)
    await asyncio.sleep(2)
    stage.quote("3010", "3010.2")
    stage.trade("3010", "0.5", "sell")
    await asyncio.sleep(60)
    [mark], [index] = marks.take(), indexes.take()
    assert (mark["type"], mark["data"]) == ("MP", {"m": ETH, "p": "3010.1", "ts": 0})
    assert (index["type"], index["data"]["ts"] % 1000) == ("IP", 0)
    [trade] = trades.take()
    assert trade.keys() == {"data", "ts", "seq"}
    assert (trade["data"][0]["p"], trade["data"][0]["S"]) == ("3010", "SELL")
    [rate] = rates.take()
    assert rate["data"] == {"m": ETH, "f": "0.000013", "T": rate["ts"]}


# --------------------------------------------------------------------------- second generation


def subscribe(stage: Stage, wire: Any, scope: str, selector: Any, **more: Any) -> list[Any]:
    """Everything that subscribing brings at once."""
    stage.call(wire, "subscribe", scope=scope, selector=selector, **more)
    return wire.take()


@staged
async def test_one_socket_has_many_topics_and_one_count(stage: Stage) -> None:
    stage.trade("3000", "0.5", "buy")
    wire = stage.rpc()
    ack, book = subscribe(stage, wire, "orderbooks", {"market": ETH, "depth": "full"})
    assert ack == {
        "id": "7",
        "result": {"method": "subscribe", "status": "OK", "subscription": f"orderbooks.{ETH}"},
        "jsonrpc": "2.0",
    }
    assert (book["type"], book["seq"]) == ("ORDERBOOKS.SNAPSHOT", 0)
    _, replayed = subscribe(stage, wire, "trades", {"market": ETH})
    assert (replayed["type"], replayed["seq"], len(replayed["data"])) == ("TRADES", 1, 1)
    subscribe(stage, wire, "prices", {"type": "mark", "market": ETH})
    subscribe(stage, wire, "prices", {"type": "index", "market": None})
    subscribe(stage, wire, "orderbooks", {"market": ETH, "depth": "1"})
    subscribe(stage, wire, "funding-rates", {"market": ETH})
    stage.call(wire, "list-subscriptions")
    [listed] = wire.take()
    assert listed["result"]["subscriptions"] == [
        *(f"funding-rates.{ETH}", f"orderbooks.1.{ETH}", f"orderbooks.{ETH}"),
        *("prices.index.all", f"prices.mark.{ETH}", f"trades.{ETH}"),
    ]
    await wander(stage, 5)
    frames = wire.take()
    assert [frame["seq"] for frame in frames] == list(range(3, 3 + len(frames)))
    kinds = {frame["type"] for frame in frames}
    assert {"ORDERBOOKS.DELTA", "ORDERBOOKS.SNAPSHOT", "PRICES.MP", "PRICES.IP"} <= kinds


@staged
async def test_a_topic_again_is_told_anew_and_one_left_is_silent(stage: Stage) -> None:
    wire = stage.rpc()
    selector = {"market": ETH, "depth": "full", "rfqOnly": False}
    subscribe(stage, wire, "orderbooks", selector)
    _, again = subscribe(stage, wire, "orderbooks", selector)
    assert (again["type"], again["seq"]) == ("ORDERBOOKS.SNAPSHOT", 1)
    stage.call(wire, "unsubscribe", scope="orderbooks", selector=selector)
    assert wire.take()[0]["result"]["method"] == "unsubscribe"
    await wander(stage, 3)
    assert wire.take() == []


@staged
async def test_calls_that_are_wrong(stage: Stage) -> None:
    wire = stage.rpc()
    for text, expected in (("{", -32700), ("7", -32600), ("{}", -32600)):
        stage.venue.accept_message(wire, text)
        assert wire.take()[0]["error"]["code"] == expected
    stage.call(wire, "dance")
    stage.call(wire, "subscribe")
    assert [f["error"]["code"] for f in wire.take()] == [-32601, -32602]
    for selector in (None, {"market": "NO-USD"}, {"market": ETH, "type": "last"}):
        assert subscribe(stage, wire, "prices", selector) == []  # no answer at all
    assert subscribe(stage, wire, "weather", {"market": ETH}) == []
    stage.call(wire, "ping")
    assert wire.take()[0]["result"] == {"method": "ping", "status": "OK"}
    old = stage.listen(f"/publicTrades/{ETH}")
    stage.call(old, "ping")
    assert old.take() == []  # the first generation does not listen


@staged
async def test_an_account_on_the_second_generation(stage: Stage) -> None:
    await stage.place()
    wire, selector = stage.rpc(), {"account": stage.account}
    [refused] = subscribe(stage, wire, "account", selector, apiKey="wrong")
    assert refused["error"]["code"] == -32001
    key = stage.signer.api_key
    ack, *state = subscribe(stage, wire, "account", selector, apiKey=key)
    assert ack["result"]["subscription"] == f"account.{stage.account}"
    assert wire.private
    kinds = [(frame["type"], frame["data"]["isSnapshot"]) for frame in state]
    assert kinds == [
        ("ACCOUNT.BALANCE", True),
        ("ACCOUNT.POSITION", True),
        ("ACCOUNT.ORDER", True),
    ]
    await stage.place(stage.taker())
    await asyncio.sleep(1)
    told = [(frame["type"], frame["data"]["isSnapshot"]) for frame in wire.take()]
    assert told == [
        *(("ACCOUNT.ORDER", False), ("ACCOUNT.TRADE", False), ("ACCOUNT.ORDER", False)),
        *(("ACCOUNT.POSITION", False), ("ACCOUNT.BALANCE", False)),
    ]


@staged
async def test_an_account_stream_begins_with_everything(stage: Stage) -> None:
    order = await stage.place()
    await stage.place(stage.taker())
    stage.done(PLACE, stage.order(price="2980"))  # not in the book yet
    balance, positions, orders = stage.listen("/account").take()
    assert [frame["seq"] for frame in (balance, positions, orders)] == [1, 2, 3]
    assert balance["data"]["balance"] == stage.done("GET /user/balance")
    assert positions["data"]["positions"] == stage.done("GET /user/positions")
    assert [row["id"] for row in orders["data"]["orders"]] == [int(order.order_id)]


# --------------------------------------------------------------------------- faults


@staged
async def test_refusals_of_every_class_are_the_venues_own(stage: Stage) -> None:
    request = SimRequest("POST", "/api/v1/user/order", body=json.dumps(stage.order()).encode())
    kinds = "MARGIN REDUCE_ONLY PRICE_BAND NOT_FOUND NONCE DUPLICATE_CID PERMISSION SYMBOL"
    for kind in f"{kinds} PRECISION AUTH OI_CAP MARKET_STATE RATE".split():
        assert code(stage.venue.render_reject(request, kind, "")) != 400
    assert code(stage.venue.render_reject(request, "MARGIN", "1147")) == 1147
    assert code(stage.venue.render_rate_limited(request, 1.0)) == 429
    named = SimRequest("GET", "/api/v1/user/orders/external/a")
    assert stage.venue.render_reject(named, "NOT_FOUND", "").body == {"status": "OK", "data": []}


@staged
async def test_a_post_only_refusal_comes_later(stage: Stage) -> None:
    socket = stage.listen("/account")
    socket.take()
    heads = {"user-agent": "stage", "x-api-key": stage.signer.api_key}
    raw = json.dumps(stage.order()).encode()
    request = SimRequest("POST", "/api/v1/user/order", headers=heads, body=raw)
    reply: SimReply = stage.venue.render_reject(request, "POST_ONLY", "")
    assert reply.status == 200
    await asyncio.sleep(ENGINE)
    [told] = tell(socket.take(), "ORDER", "orders")
    assert (told["id"], told["statusReason"]) == (reply.body["data"]["id"], "POST_ONLY_FAILED")
    assert stage.exchange.twist == Twist()


@staged
async def test_requests_say_what_they_are_about(stage: Stage) -> None:
    body = stage.order(reduceOnly=True)
    asked = SimRequest("POST", "/api/v1/user/order", body=json.dumps(body).encode())
    assert stage.venue.describe(asked) == {
        "symbol": ETH,
        "side": "buy",
        "size": "0.1",
        "price": "2990",
        "client_id": body["id"],
        "reduce_only": "true",
        "post_only": "true",
    }
    ops = {
        "POST /user/order": "place",
        "POST /user/order/massCancel": "cancel",
        "DELETE /user/order/5": "cancel",
        "GET /user/orders/5": "query_order",
        "GET /user/orders/external/a": "query_order",
        "GET /user/orders": "query_open",
        "GET /info/markets": "meta",
        f"GET /info/markets/{ETH}/stats": "meta",
        "GET /user/fees": "",
    }
    for call, op in ops.items():
        method, _, path = call.partition(" ")
        assert stage.venue.op_of(SimRequest(method, f"/api/v1{path}")) == op
    which = [
        ("DELETE", "/user/order/5", "", {"order_id": "5"}),
        ("DELETE", "/user/order", "externalId=a", {"client_id": "a"}),
        ("GET", "/user/orders/external/a", "", {"client_id": "a"}),
        ("GET", "/user/orders/history", "", {}),
    ]
    for method, path, query, said in which:
        assert stage.venue.describe(SimRequest(method, f"/api/v1{path}", query)) == said
    broken = SimRequest("POST", "/api/v1/user/order", body=b"{")
    assert stage.venue.describe(broken) == {}


@staged
async def test_an_order_that_vanishes_is_known_to_nobody(stage: Stage) -> None:
    order = await stage.place()
    await asyncio.sleep(READ_BACK)
    stage.exchange.drop_order(order)
    assert stage.ask(f"GET /user/orders/{order.order_id}").status == 404
    assert stage.done(f"GET /user/orders/external/{order.client_id}") == []
    assert stage.done("GET /user/orders") == stage.done("GET /user/orders/history") == []


@staged
async def test_a_cancel_that_only_seems_to_work(stage: Stage) -> None:
    order = await stage.place()
    stage.exchange.twist = Twist(keep_on_cancel=True)
    stage.done(f"DELETE /user/order/{order.order_id}")
    stage.exchange.twist = Twist()
    await asyncio.sleep(ENGINE)
    assert order.live


# --------------------------------------------------------------------------- over the wire


async def test_over_the_wire() -> None:
    """REST, both generations of sockets, pings, limits, as a client without an SDK sees them."""
    async with await run.start(["extended"]) as running:
        endpoints, keys = running.endpoints["extended"], running.credentials["extended"]
        heads = {"User-Agent": "test", "X-Api-Key": keys["api_key"]}
        signer = Signer(**keys)
        async with aiohttp.ClientSession(headers=heads) as session:
            async with session.get(f"{endpoints['rest']}/user/orders/5") as answer:
                assert answer.status == 404
            bare = {"User-Agent": ""}
            async with session.get(f"{endpoints['rest']}/info/markets", headers=bare) as answer:
                assert answer.status == 403
            async with session.ws_connect(f"{endpoints['ws']}/account") as socket:
                state = [json.loads(await socket.receive_str()) for _ in range(3)]
                assert [frame["type"] for frame in state] == ["BALANCE", "POSITION", "ORDER"]
                body = _order(running.clock.now_ms())
                body["settlement"] = signer.settle(body)
                async with session.post(f"{endpoints['rest']}/user/order", json=body) as answer:
                    placed = (await answer.json())["data"]
                told = json.loads(await socket.receive_str())["data"]["orders"][0]
                assert (told["id"], told["status"]) == (placed["id"], "NEW")
            host = endpoints["ws"].removesuffix("/v1")
            async with session.ws_connect(f"{host}/v2/rpc") as socket:
                await socket.send_str('{"id": "1", "method": "ping"}')
                assert json.loads(await socket.receive_str())["result"]["status"] == "OK"
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"{endpoints['ws']}/weather")
            assert refused.value.status == 404


def _order(now_ms: int) -> dict[str, Any]:
    return {
        "id": "wire-1",
        "market": ETH,
        "type": "LIMIT",
        "side": "BUY",
        "qty": "0.05",
        "price": "2900",
        "postOnly": True,
        "timeInForce": "GTT",
        "expiryEpochMillis": now_ms + 60_000,
        "fee": "0",
        "nonce": "5",
    }


def test_who_does_not_answer_pings_is_put_out() -> None:
    async def play() -> None:
        async with await run.start(["extended"]) as running:
            url = f"{running.endpoints['extended']['ws']}/funding/{ETH}"
            async with (
                aiohttp.ClientSession(headers={"User-Agent": "test"}) as session,
                session.ws_connect(url, autoping=False) as socket,
            ):
                first = await socket.receive()
                assert first.type is aiohttp.WSMsgType.PING
                assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE

    run_virtual(play())


def test_the_thousand_and_first_request_of_a_minute_is_one_too_many() -> None:
    async def play() -> None:
        async with await run.start(["extended"]) as running:
            url = f"{running.endpoints['extended']['rest']}/info/starknet"
            async with aiohttp.ClientSession(headers={"User-Agent": "test"}) as session:
                statuses = []
                running.server.hosts["extended"].limit(3, 60.0)
                for _ in range(4):
                    async with session.get(url) as answer:
                        statuses.append((answer.status, (await answer.json()).get("error")))
                assert statuses[:3] == [(200, None)] * 3
                assert statuses[3] == (429, {"code": 429, "message": "Too many requests"})

    run_virtual(play())
    assert ExtendedSim.limits["requests"].count == 1000

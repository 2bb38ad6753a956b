"""The simulated Paradex by the venue's rules: proof, order life, reads, both forms of frames."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sim.paradex_stage import BTC, ETH, LARGE_ID, SOON, UNIT, Signer, Socket, Stage, data, staged
from sim.sbe_reader import read_frame

from mpdex.sim import run, stark
from mpdex.sim.board import Quote
from mpdex.sim.exchange import Twist
from mpdex.sim.models import NO_LATENCY
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues import load_venue
from mpdex.sim.venues import paradex_crypto as crypto
from mpdex.sim.venues import paradex_sbe as sbe
from mpdex.sim.venues.paradex import DIRECT, PUBLIC, ParadexSim
from mpdex.types import OrderStatus
from mpdex.utils.virtual_loop import run_virtual

D = Decimal
VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "paradex.json"
CASES = json.loads(VECTORS.read_text())["cases"]
FRAMES = [case for case in CASES if case["kind"] == "sbe_decode"]
DELTAS = f"order_book.{ETH}.deltas@15@50ms"


def of_kind(*kinds: str) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in CASES if case["kind"] in kinds]


def served(
    check: Callable[[run.Running, aiohttp.ClientSession], Awaitable[None]], **how: Any
) -> None:
    """Run a check against the venue behind its port, in virtual time."""

    async def main() -> None:
        given = {"latency": NO_LATENCY, **how}
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            await run.start(["paradex"], **given) as running,
            aiohttp.ClientSession(timeout=timeout) as session,
        ):
            await check(running, session)

    run_virtual(main())


# --------------------------------------------------------------------------- proof of who asks


@pytest.mark.parametrize("case", of_kind("order", "modify_order"))
def test_the_clients_order_signatures_are_accepted(case: dict[str, Any]) -> None:
    given, made = case["input"], case["expected"]
    struct = crypto.order_struct(
        timestamp_ms=given["signature_timestamp"],
        market=given["market"],
        buying=given["side"] == "BUY",
        kind=given["type"],
        size=D(given["size"]),
        price=D(given["price"]),
        order_id=int(given["order_id"]) if given["order_id"] else None,
    )
    hashed = crypto.message_hash(
        int(given["account_address"], 16), struct, given["starknet_chain_id"]
    )
    assert hashed == int(made["message_hash"], 16)
    numbers = crypto.parse_signature(made["signature"])
    assert numbers is not None
    assert stark.verify(int(made["l2_public_key"], 16), hashed, *numbers)


@pytest.mark.parametrize("case", of_kind("auth", "onboarding"))
def test_logins_and_onboardings_are_accepted(case: dict[str, Any]) -> None:
    given, made = case["input"], case["expected"]
    login = case["kind"] == "auth"
    struct = (
        crypto.login_struct(given["timestamp"], given["expiration"])
        if login
        else crypto.onboarding_struct()
    )
    account = int(given["account_address"], 16)
    hashed = crypto.message_hash(account, struct, given["starknet_chain_id"])
    assert hashed == int(made["message_hash"], 16)
    numbers = crypto.parse_signature(made["headers"]["PARADEX-STARKNET-SIGNATURE"])
    assert numbers is not None
    assert stark.verify(int(made["l2_public_key"], 16), hashed, *numbers)


@pytest.mark.parametrize("case", of_kind("address", "l2_key_from_l1_key"))
def test_a_key_opens_the_account_that_the_venue_says(case: dict[str, Any]) -> None:
    made = case["expected"]
    private = case["input"].get("l2_private_key") or made["l2_private_key"]
    public = stark.public_key_of(int(private, 16))
    assert public == int(made["l2_public_key"], 16)
    assert hex(crypto.address_of(public)) == made["account_address"]


def test_signatures_come_in_two_spellings() -> None:
    assert crypto.parse_signature('["12","0"]') == (12, 0)
    assert crypto.parse_signature('["0xa", "0x0B"]') == (10, 11)
    for text in ("", "[]", "[1,2]", '["1"]', '["1","2","3"]', '["x","2"]', '["-1","2"]'):
        assert crypto.parse_signature(text) is None


def test_the_table_finds_it_and_keys_are_the_same_for_the_same_seed() -> None:
    assert load_venue("paradex") is ParadexSim

    async def keys(seed: int) -> dict[str, str]:
        async with await run.start(["paradex"], seed=seed, coins=()) as running:
            assert running.endpoints["paradex"].keys() == {"rest", "ws", "ws_public"}
            return running.credentials["paradex"]

    first = run_virtual(keys(3))
    assert first == run_virtual(keys(3)) != run_virtual(keys(4))
    assert first.keys() == {"account_address", "private_key"}
    public = stark.public_key_of(int(first["private_key"], 16))
    assert hex(crypto.address_of(public)) != first["account_address"], "the key is a subkey"


@staged
async def test_a_token_says_when_it_ends_and_ends_then(stage: Stage) -> None:
    claims = json.loads(base64.urlsafe_b64decode(stage.token.split(".")[1] + "=="))
    assert claims["exp"] == stage.now() + 300
    await asyncio.sleep(299)
    assert stage.get("/account")["status"] == "ACTIVE"
    await asyncio.sleep(1)
    reply = stage.request("GET", "/account")
    assert (reply.status, stage.refused(reply)) == (401, "INVALID_TOKEN")
    stage.log_in()
    stage.get("/account")
    assert stage.token in stage.venue.issued()
    stage.venue.expire_sessions()
    assert stage.refused(stage.request("GET", "/account")) == "INVALID_TOKEN"


@staged
async def test_both_keys_log_in_and_the_main_one_without_naming_itself(stage: Stage) -> None:
    for signer in (stage.owner, stage.subkey):
        stage.log_in(signer)
        assert stage.get("/account")["account"] == stage.account
    for signer, status in ((stage.owner, 200), (stage.subkey, 400)):
        headers = signer.login(stage.now(), stage.now() + 60)
        assert stage.request("POST", "/auth", headers=headers).status == status


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"paradex-starknet-account": "0x5"}, "NOT_ONBOARDED"),
        ({"paradex-starknet-account": "five"}, "INVALID_STARKNET_ADDRESS"),
        ({"paradex-starknet-signature": "[1,2]"}, "INVALID_STARKNET_SIGNATURE"),
        ({"paradex-starknet-signature": '["1","2"]'}, "STARKNET_SIGNATURE_VERIFICATION_FAILED"),
        ({"paradex-signature-expiration": "1"}, "INVALID_TIMESTAMP"),
        ({"paradex-signature-expiration": "1767830401"}, "INVALID_TIMESTAMP"),
        ({"paradex-timestamp": "1767225000"}, "INVALID_TIMESTAMP"),
        ({"paradex-timestamp": ""}, "INVALID_TIMESTAMP"),
    ],
)
def test_logins_that_are_refused(change: dict[str, str], code: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        headers = stage.subkey.login(stage.now(), stage.now() + 1800)
        path = f"/auth/{stage.subkey.public_key:#x}"
        assert stage.refused(stage.request("POST", path, headers={**headers, **change})) == code

    check()


@staged
async def test_a_key_of_somebody_else_does_not_log_in(stage: Stage) -> None:
    stranger = Signer(stage.account, 7)
    headers = stranger.login(stage.now(), stage.now() + 60)
    reply = stage.request("POST", f"/auth/{stranger.public_key:#x}", headers=headers)
    assert (reply.status, stage.refused(reply)) == (401, "UNAUTHORIZED_ERROR")
    reply = stage.request("POST", "/auth/nonsense", headers=headers)
    assert stage.refused(reply) == "PUBLIC_KEY_INVALID"
    assert stage.refused(stage.request("GET", "/account", headers={})) == "UNAUTHORIZED_ERROR"


@staged
async def test_a_new_key_is_onboarded_and_trades(stage: Stage) -> None:
    public = stark.public_key_of(77)
    account = hex(crypto.address_of(public))
    known = stage.get("/onboarding", public_key=hex(public), account_signer_type="starknet")
    assert (known["address"], known["exists"]) == (account, False)
    newcomer = Signer(account, 77)
    login = newcomer.login(stage.now(), stage.now() + 60)
    path = f"/auth/{public:#x}"
    assert stage.refused(stage.request("POST", path, headers=login)) == "NOT_ONBOARDED"
    headers = {
        "paradex-ethereum-account": "0x1",
        "paradex-starknet-account": account,
        "paradex-starknet-signature": newcomer.sign(crypto.onboarding_struct()),
    }
    body = {"public_key": hex(public)}
    other = {**headers, "paradex-starknet-account": stage.account}
    refused = stage.request("POST", "/onboarding", body, other)
    assert stage.refused(refused) == "INVALID_STARKNET_ADDRESS"
    for _ in range(2):
        assert stage.request("POST", "/onboarding", body, headers).status == 200
    assert stage.get("/onboarding", public_key=hex(public))["exists"]
    stage.subkey = newcomer
    stage.log_in()
    assert (await stage.settled(stage.taker()))["status"] == "CLOSED"
    assert stage.get("/account")["account"] == account


# --------------------------------------------------------------------------- placing


@staged
async def test_an_order_is_new_then_open_then_canceled(stage: Stage) -> None:
    socket = stage.listen("orders.ALL")
    placed = stage.place(client_id="cid-1")
    assert (placed["status"], placed["client_id"], placed["remaining_size"]) == (
        "NEW",
        "cid-1",
        "0.1",
    )
    assert len(placed["id"]) == 28
    assert placed["id"].isdigit()
    assert stage.get("/orders/by_client_id/cid-1")["status"] == "NEW"
    await asyncio.sleep(SOON)
    assert [order["id"] for order in stage.get("/orders")["results"]] == [placed["id"]]
    reply = stage.request("DELETE", f"/orders/{placed['id']}")
    assert (reply.status, reply.encode()[0]) == (204, b"")
    assert stage.get(f"/orders/{placed['id']}")["status"] == "OPEN", "the cancel is queued"
    await asyncio.sleep(SOON)
    ended = stage.get(f"/orders/{placed['id']}")
    assert (ended["status"], ended["cancel_reason"]) == ("CLOSED", "USER_CANCELED")
    told = data(socket.take())
    assert [order["status"] for order in told] == ["NEW", "OPEN", "CLOSED"]
    assert all(one["seq_no"] < later["seq_no"] for one, later in pairwise(told))
    assert stage.get("/orders")["results"] == []
    gone = stage.request("GET", "/orders/by_client_id/cid-1")
    assert (gone.status, stage.refused(gone)) == (400, "CLIENT_ORDER_ID_NOT_FOUND")
    assert stage.get("/orders-history", client_id="cid-1")["results"][0]["id"] == placed["id"]


@staged
async def test_a_taker_fills_and_everybody_is_told(stage: Stage) -> None:
    socket = stage.listen("orders.ALL", f"fills.{ETH}", "positions", "account")
    ended = await stage.settled(stage.taker("SELL", "0.2", client_id="h"))
    assert (ended["status"], ended["cancel_reason"]) == ("CLOSED", "")
    assert (ended["remaining_size"], ended["avg_fill_price"]) == ("0", "2999.99")
    frames = socket.take()
    [fill] = data(frames, "fills")
    assert (fill["side"], fill["liquidity"], fill["size"]) == ("SELL", "TAKER", "0.2")
    assert (fill["client_id"], fill["remaining_size"], fill["fee"]) == ("h", "0", "0.2699991")
    [position] = data(frames, "positions")
    assert (position["side"], position["size"], position["status"]) == ("SHORT", "-0.2", "OPEN")
    assert position["last_fill_id"] == fill["id"]
    [account] = data(frames, "account")
    assert D(account["account_value"]) < 100_000
    assert [order["status"] for order in data(frames, "orders")] == ["NEW", "OPEN", "CLOSED"]
    assert stage.get("/fills")["results"] == [fill]
    [held] = stage.get("/positions")["results"]
    assert (held["size"], held["last_fill_id"]) == ("-0.2", fill["id"])


@staged
async def test_an_immediate_order_that_finds_too_little_is_closed_with_a_reason(
    stage: Stage,
) -> None:
    stage.quote("2999", "3000", size="0.004")
    ended = await stage.settled(stage.taker(size="1"))
    assert (ended["status"], ended["cancel_reason"]) == ("CLOSED", "IOC_NOT_FILLED")
    assert D(ended["remaining_size"]) == D("1") - D("0.08")


@staged
async def test_a_market_order_stops_at_the_band(stage: Stage) -> None:
    bids, asks = [(2999, 1)], [(3000, 1), (3149, 1), (3151, 1)]
    levels = ([(price * UNIT, size * UNIT) for price, size in side] for side in (bids, asks))
    stage.exchange.on_quote(ETH, Quote(*levels, True))
    body = stage.order("BUY", "3", type="MARKET", instruction="IOC", price=None)
    ended = await stage.settled(body)
    assert (ended["type"], ended["price"], ended["remaining_size"]) == ("MARKET", "0", "1")
    assert ended["status"] == "CLOSED"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"price": "3001"}, "POST_ONLY_WOULD_CROSS"),
        ({"size": "900"}, "NOT_ENOUGH_MARGIN"),
        ({"price": "3200", "instruction": "GTC"}, "PRICE_OUT_OF_BAND"),
        ({"flags": ["REDUCE_ONLY"]}, "REDUCE_ONLY_WOULD_INCREASE"),
    ],
)
def test_what_the_risk_engine_refuses_is_taken_first(fields: dict[str, Any], reason: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        if reason == "NOT_ENOUGH_MARGIN":
            stage.exchange.accounts[stage.account].cash = D(1000)
        socket = stage.listen("orders.ALL")
        placed = stage.place(**fields)
        assert (placed["status"], placed["cancel_reason"]) == ("NEW", "")
        await asyncio.sleep(SOON)
        told = data(socket.take())
        assert [(o["status"], o["cancel_reason"]) for o in told] == [
            ("NEW", ""),
            ("CLOSED", reason),
        ]
        assert told[-1]["remaining_size"] == told[-1]["size"]
        assert stage.get("/fills")["results"] == []

    check()


@staged
async def test_a_position_has_a_limit(stage: Stage) -> None:
    stage.exchange.markets[ETH].info["position_limit"] = D("0.15")
    try:
        await stage.settled(stage.taker())
        ended = await stage.settled(stage.taker())
        assert ended["cancel_reason"] == "ORDER_EXCEEDS_POSITION_LIMIT"
        assert (await stage.settled(stage.taker("SELL")))["cancel_reason"] == ""
    finally:
        stage.exchange.markets[ETH].info["position_limit"] = D(20_000)


@staged
async def test_passive_prices_far_outside_the_band_rest(stage: Stage) -> None:
    assert (await stage.settled(price="1000"))["status"] == "OPEN"


@staged
async def test_whom_self_trade_prevention_ends(stage: Stage) -> None:
    stage.quote("2999", "3001")
    for mode, taker_reason, maker_status in (
        ("EXPIRE_TAKER", "SELF_TRADE", "OPEN"),
        ("EXPIRE_BOTH", "SELF_TRADE", "CLOSED"),
        ("EXPIRE_MAKER", "IOC_NOT_FILLED", "CLOSED"),
    ):
        maker = await stage.settled(side="SELL", price="3000")
        taker = await stage.settled(stage.taker(price="3000", stp=mode))
        assert (taker["cancel_reason"], taker["stp"]) == (taker_reason, mode)
        assert stage.get(f"/orders/{maker['id']}")["status"] == maker_status
        stage.request("DELETE", "/orders")
        await asyncio.sleep(SOON)
    assert stage.get("/fills")["results"] == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"market": "DOGE-USD-PERP"}, "MARKET_NOT_FOUND"),
        ({"size": "0"}, "INVALID_ORDER_SIZE"),
        ({"size": "0.00005"}, "INVALID_ORDER_SIZE"),
        ({"size": "5000"}, "INVALID_ORDER_SIZE"),
        ({"size": "0.10005"}, "VALIDATION_ERROR"),
        ({"price": "2990.001"}, "VALIDATION_ERROR"),
        ({"price": "0"}, "VALIDATION_ERROR"),
        ({"size": "0.001"}, "VALIDATION_ERROR"),
        ({"type": "STOP_LIMIT"}, "VALIDATION_ERROR"),
        ({"type": "MARKET"}, "VALIDATION_ERROR"),
        ({"instruction": "FOK"}, "VALIDATION_ERROR"),
        ({"instruction": "RPI"}, "RPI_ACCOUNT_NOT_WHITELISTED"),
        ({"flags": ["MAGIC"]}, "VALIDATION_ERROR"),
        ({"stp": "NOBODY"}, "VALIDATION_ERROR"),
        ({"recv_window": 9}, "VALIDATION_ERROR"),
        ({"client_id": "x" * 65}, "VALIDATION_ERROR"),
        ({"side": "HOLD", "signature": "x"}, "VALIDATION_ERROR"),
        ({"size": "much", "signature": "x"}, "VALIDATION_ERROR"),
        ({"signature": "x"}, "INVALID_ORDER_SIGNATURE"),
        ({"signature": '["1","2"]'}, "INVALID_ORDER_SIGNATURE"),
        ({"signature": None}, "INVALID_ORDER_SIGNATURE"),
    ],
)
def test_what_is_refused_at_once(fields: dict[str, Any], code: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        body = stage.order(**{**fields, "signature": fields.get("signature", "") or None})
        reply = stage.request("POST", "/orders", {**body, **fields})
        assert (reply.status, stage.refused(reply)) == (400, code)
        assert reply.body.keys() == {"error", "message", "data"}
        assert stage.exchange.orders == {}

    check()


@pytest.mark.parametrize(
    "field", ["market", "side", "size", "price", "signature_timestamp", "type"]
)
def test_every_signed_field_is_checked(field: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        stage.quote("2999.9", "3000", symbol=BTC)
        changed = {
            "market": BTC,
            "side": "SELL",
            "size": "0.2",
            "price": "2980",
            "signature_timestamp": stage.clock.now_ms() + 1,
            "type": "MARKET",
        }
        body = {**stage.order(instruction="GTC"), field: changed[field]}
        reply = stage.request("POST", "/orders", body)
        assert stage.refused(reply) == "INVALID_ORDER_SIGNATURE"

    check()


@staged
async def test_what_is_not_signed_may_be_anything(stage: Stage) -> None:
    body = stage.order()
    more = {"client_id": "", "recv_window": None, "stp": None, "instruction": "GTC", "flags": None}
    assert stage.request("POST", "/orders", {**body, **more}).status == 201


@staged
async def test_an_order_signed_for_somebody_else_is_refused(stage: Stage) -> None:
    stranger = Signer(hex(5), stage.subkey.private_key)
    body = stage.order()
    reply = stage.request("POST", "/orders", {**body, "signature": stranger.order(body)})
    assert stage.refused(reply) == "INVALID_ORDER_SIGNATURE"


@staged
async def test_an_order_has_a_window(stage: Stage) -> None:
    short, usual = stage.order(recv_window=5000), stage.order()
    await asyncio.sleep(5.001)
    late = stage.request("POST", "/orders", short)
    assert (late.status, stage.refused(late)) == (400, "INVALID_TIMESTAMP")
    await asyncio.sleep(294)
    stage.log_in()
    assert stage.request("POST", "/orders", usual).status == 201
    await asyncio.sleep(1)
    assert stage.refused(stage.request("POST", "/orders", usual)) == "INVALID_TIMESTAMP"
    ahead = stage.order(signature_timestamp=stage.clock.now_ms() + 300_001)
    assert stage.refused(stage.request("POST", "/orders", ahead)) == "INVALID_TIMESTAMP"


@staged
async def test_a_client_id_is_taken_while_its_order_lives(stage: Stage) -> None:
    stage.place(client_id="one")
    again = stage.request("POST", "/orders", stage.order(client_id="one"))
    assert (again.status, stage.refused(again)) == (400, "DUPLICATED_CLIENT_ID")
    await asyncio.sleep(SOON)
    assert stage.request("DELETE", "/orders/by_client_id/one", market=ETH).status == 204
    await asyncio.sleep(SOON)
    assert stage.request("POST", "/orders", stage.order(client_id="one")).status == 201


@staged
async def test_a_small_order_may_close_the_whole_position(stage: Stage) -> None:
    await stage.settled(stage.taker(size="0.004"))
    await asyncio.sleep(1)
    stage.quote("1500", "1501")
    small = stage.taker("SELL", "0.003", price="1500", flags=["REDUCE_ONLY"])
    assert stage.refused(stage.request("POST", "/orders", small)) == "VALIDATION_ERROR"
    body = stage.taker("SELL", "0.004", price="1500", flags=["REDUCE_ONLY"])
    assert (await stage.settled(body))["remaining_size"] == "0"
    [position] = stage.get("/positions")["results"]
    assert (position["status"], position["size"]) == ("CLOSED", "0")


@staged
async def test_a_market_holds_a_hundred_orders(stage: Stage) -> None:
    for _ in range(100):
        stage.place(size="0.01")
    refused = stage.request("POST", "/orders", stage.order())
    assert (stage.refused(refused), refused.body["message"]) == (
        "VALIDATION_ERROR",
        "max open orders reached",
    )


@pytest.mark.parametrize(
    ("mode", "passes", "code", "state"),
    [
        ("post_only", {"instruction": "POST_ONLY"}, "SYSTEM_STATUS_POST_ONLY", "post_only"),
        ("cancel_only", None, "SYSTEM_STATUS_CANCEL_ONLY", "cancel_only"),
        ("reduce_only", {"flags": ["REDUCE_ONLY"]}, "MARKET_MARGIN_RESTRICTED", "maintenance"),
        ("market", None, "MARKET_NOT_OPEN", "maintenance"),
    ],
)
def test_states_of_the_system(mode: Any, passes: Any, code: str, state: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        assert stage.get("/system/state") == {"status": "ok"}
        placed = await stage.settled()
        stage.exchange.halt(mode)
        assert stage.get("/system/state") == {"status": state}
        assert stage.refused(stage.request("POST", "/orders", stage.taker())) == code
        if passes:
            assert stage.request("POST", "/orders", stage.order(**passes)).status == 201
        assert stage.request("DELETE", f"/orders/{placed['id']}").status == 204

    check()


# --------------------------------------------------------------------------- batches, changes


@staged
async def test_a_batch_answers_for_each_order(stage: Stage) -> None:
    bodies = [stage.order(client_id="a"), stage.order(size="0"), stage.order(client_id="a")]
    reply = stage.request("POST", "/orders/batch", bodies)
    assert reply.status == 201
    assert [order and order["status"] for order in reply.body["orders"]] == ["NEW", None, None]
    errors = [error and error["error"] for error in reply.body["errors"]]
    assert errors == [None, "INVALID_ORDER_SIZE", "DUPLICATED_CLIENT_ID"]
    for sent, code in (([], "BATCH_SIZE_OUT_OF_RANGE"), ({}, "BINDING_ERROR")):
        assert stage.refused(stage.request("POST", "/orders/batch", sent)) == code
    eleven = stage.request("POST", "/orders/batch", bodies[:1] * 11)
    assert stage.refused(eleven) == "BATCH_SIZE_OUT_OF_RANGE"


@staged
async def test_a_batch_of_cancels_says_what_became_of_each(stage: Stage) -> None:
    live, dead = await stage.settled(client_id="live"), await stage.settled(stage.taker())
    body = {"order_ids": [dead["id"], "1"], "client_order_ids": ["live", "none"]}
    rows = stage.request("DELETE", "/orders/batch", body).body["results"]
    assert [row["status"] for row in rows] == [
        "ALREADY_CLOSED",
        "NOT_FOUND",
        "QUEUED_FOR_CANCELLATION",
        "NOT_FOUND",
    ]
    assert (rows[2]["id"], rows[2]["market"]) == (live["id"], ETH)
    assert rows[3] == {"client_id": "none", "status": "NOT_FOUND"}
    await asyncio.sleep(SOON)
    assert stage.get("/orders")["results"] == []
    refused = stage.request("DELETE", "/orders/batch", {})
    assert stage.refused(refused) == "BATCH_SIZE_OUT_OF_RANGE"


@staged
async def test_cancels_that_find_nothing(stage: Stage) -> None:
    dead = await stage.settled(stage.taker(client_id="dead"))
    for path, code in (
        (f"/orders/{dead['id']}", "ORDER_IS_CLOSED"),
        ("/orders/5", "ORDER_ID_NOT_FOUND"),
        ("/orders/by_client_id/dead", "CLIENT_ORDER_ID_NOT_FOUND"),
        ("/orders/by_client_id/none", "CLIENT_ORDER_ID_NOT_FOUND"),
    ):
        reply = stage.request("DELETE", path)
        assert (reply.status, stage.refused(reply)) == (400, code)
    await stage.settled(client_id="eth")
    elsewhere = stage.request("DELETE", "/orders/by_client_id/eth", market=BTC)
    assert stage.refused(elsewhere) == "CLIENT_ORDER_ID_NOT_FOUND"
    assert stage.refused(stage.request("GET", "/orders/5")) == "ORDER_ID_NOT_FOUND"


@staged
async def test_all_orders_of_a_market_or_of_all(stage: Stage) -> None:
    stage.quote("59999", "60000", symbol=BTC)
    for _ in range(2):
        stage.place()
        stage.place(market=BTC, price="59000")
    await asyncio.sleep(SOON)
    for query, left in (({"market": BTC}, 2), ({}, 0)):
        assert stage.request("DELETE", "/orders", **query).status == 200
        await asyncio.sleep(SOON)
        assert len(stage.get("/orders")["results"]) == left
    assert stage.refused(stage.request("DELETE", "/orders", market="X")) == "MARKET_NOT_FOUND"


@staged
async def test_a_change_keeps_the_id_and_says_how_it_went(stage: Stage) -> None:
    socket = stage.listen("orders.ALL")
    order = await stage.settled()
    socket.take()
    body = stage.change(order, size="0.3", price="2991")
    answered = stage.request("PUT", f"/orders/{order['id']}", body).body
    assert answered["request_info"]["request_type"] == "MODIFY_ORDER"
    assert (answered["request_info"]["status"], answered["price"]) == ("PENDING", "2990")
    await asyncio.sleep(SOON)
    [told] = data(socket.take())
    assert (told["id"], told["size"], told["price"]) == (order["id"], "0.3", "2991")
    assert told["request_info"]["status"] == "SUCCESS"
    assert "request_info" not in stage.get(f"/orders/{order['id']}")
    crossing = stage.change(order, size="0.3", price="3005")
    assert stage.request("PUT", f"/orders/{order['id']}", crossing).status == 200
    await asyncio.sleep(SOON)
    [told] = data(socket.take())
    assert (told["price"], told["request_info"]["status"]) == ("2991", "REJECTED")
    assert told["request_info"]["message"] == "POST_ONLY_WOULD_CROSS"


@staged
async def test_changes_that_are_refused(stage: Stage) -> None:
    order = await stage.settled(client_id="m")
    path = f"/orders/{order['id']}"
    unsigned = {**stage.change(order), "size": "0.4"}
    assert stage.refused(stage.request("PUT", path, unsigned)) == "INVALID_ORDER_SIGNATURE"
    other = stage.change(order, side="SELL")
    assert stage.refused(stage.request("PUT", path, other)) == "VALIDATION_ERROR"
    stage.request("DELETE", path)
    pending = stage.request("PUT", path, stage.change(order, price="2980"))
    assert pending.status == 200
    await asyncio.sleep(SOON)
    closed = stage.request("PUT", path, stage.change(order, price="2980"))
    assert stage.refused(closed) == "ORDER_IS_CLOSED"
    gone = {**order, "id": "5"}
    missing = stage.request("PUT", "/orders/5", stage.change(gone))
    assert stage.refused(missing) == "ORDER_ID_NOT_FOUND"


# --------------------------------------------------------------------------- reads


@staged
async def test_markets_are_listed_with_their_rules(stage: Stage) -> None:
    markets = stage.get("/markets")["results"]
    assert [row["symbol"] for row in markets] == [ETH, BTC, "SOL-USD-PERP"]
    [row] = stage.get("/markets", market=BTC)["results"]
    assert (row["price_tick_size"], row["order_size_increment"]) == ("0.1", "0.00001")
    assert (row["min_notional"], row["asset_kind"]) == ("10", "PERP")
    assert row["delta1_cross_margin_params"]["imf_base"] == "0.02"
    assert stage.refused(stage.request("GET", "/markets", market="X")) == "MARKET_NOT_FOUND"


@staged
async def test_prices_of_one_market_or_of_all(stage: Stage) -> None:
    stage.trade("3000", "0.5", "buy")
    [row] = stage.get("/markets/summary", market=ETH)["results"]
    assert (row["bid"], row["ask"], row["last_traded_price"]) == ("2999.99", "3000", "3000")
    assert D(row["mark_price"]) == D("2999.995")
    assert len(stage.get("/markets/summary", market="ALL")["results"]) == 3
    missing = stage.request("GET", "/markets/summary")
    assert stage.refused(missing) == "INVALID_REQUEST_PARAMETER"
    [trade] = stage.get("/trades", market=ETH)["results"]
    assert (trade["side"], trade["size"], trade["trade_type"]) == ("BUY", "0.5", "FILL")
    [funding] = stage.get("/funding/data", market=ETH)["results"]
    assert (funding["funding_rate"], funding["funding_period_hours"]) == ("0.0001", 8)
    bbo = stage.get(f"/bbo/{ETH}")
    assert (bbo["bid"], bbo["bid_size"], bbo["ask"]) == ("2999.99", "5", "3000")


@staged
async def test_a_book_is_as_deep_as_asked(stage: Stage) -> None:
    book = stage.get(f"/orderbook/{ETH}", depth="3")
    assert book["asks"][0] == ["3000", "5"] == book["best_ask_api"]
    assert (len(book["bids"]), len(stage.get(f"/orderbook/{ETH}")["bids"])) == (3, 20)
    wrong = stage.request("GET", f"/orderbook/{ETH}", depth="none")
    assert stage.refused(wrong) == "INVALID_REQUEST_PARAMETER"
    assert stage.refused(stage.request("GET", "/orderbook/X")) == "MARKET_NOT_FOUND"


@staged
async def test_money_and_margin(stage: Stage) -> None:
    before = stage.get("/account")
    assert (before["account_value"], before["free_collateral"]) == ("100000", "100000")
    await stage.settled(stage.taker(size="1"))
    stage.place(size="1")
    after = stage.get("/account")
    assert D(after["account_value"]) == D("100000") - D("1.35") - D("0.005")
    used = D("2999.995") / 50 + D("2990") / 50
    assert D(after["initial_margin_requirement"]) == used
    assert D(after["free_collateral"]) == D(after["account_value"]) - used
    assert D(after["margin_cushion"]) == D(after["account_value"]) - D("29.99995")
    [balance] = stage.get("/balance")["results"]
    assert (balance["token"], balance["size"]) == ("USDC", "99998.65")
    fees = stage.get("/account/info")["fees"]
    assert (fees["maker_rate"], fees["taker_rate"]) == ("0", "0.00045")
    [subkey] = stage.get("/account/keys/subkeys")["results"]
    assert subkey["public_key"] == hex(stage.subkey.public_key)


@staged
async def test_leverage_is_set_and_told(stage: Stage) -> None:
    rows = stage.get("/account/margin")["configs"]
    assert [(row["leverage"], row["margin_type"]) for row in rows] == [(50, "CROSS")] * 3
    for mode in ("ISOLATED", "CROSS"):
        body = {"leverage": 10, "margin_type": mode}
        done = stage.request("POST", f"/account/margin/{ETH}", body).body
        assert (done["leverage"], done["margin_type"]) == (10, mode)
        [row] = stage.get("/account/margin", market=ETH)["configs"]
        assert (row["leverage"], "isolated_margin_leverage" in row) == (10, mode == "ISOLATED")
    for leverage in (0, 51, "5", None):
        refused = stage.request("POST", f"/account/margin/{ETH}", {"leverage": leverage})
        assert stage.refused(refused) == "VALIDATION_ERROR"
    stage.exchange.twist = Twist(keep_leverage=True)
    stage.request("POST", f"/account/margin/{ETH}", {"leverage": 5})
    assert stage.get("/account/margin", market=ETH)["configs"][0]["leverage"] == 10


@staged
async def test_histories_come_in_pages(stage: Stage) -> None:
    ids = []
    for _ in range(5):
        ids.append((await stage.settled(stage.taker(size="0.01")))["id"])
    first = stage.get("/orders-history", page_size=2)
    second = stage.get("/orders-history", page_size=2, cursor=first["next"])
    stage.place()
    third = stage.get("/orders-history", page_size=2, cursor=second["next"])
    rows = [row["id"] for page in (first, second, third) for row in page["results"]]
    assert (rows, first["prev"], third["next"]) == (ids[::-1], None, None)
    assert stage.get("/fills", page_size=1)["next"]
    assert [fill["order_id"] for fill in stage.get("/fills")["results"]] == ids[::-1]
    start = stage.get("/fills")["results"][1]["created_at"]
    assert len(stage.get("/fills", start_at=start)["results"]) == 2
    assert len(stage.get("/fills", end_at=start)["results"]) == 4
    assert stage.get("/fills", market=BTC)["results"] == []
    for query in ({"cursor": "?"}, {"page_size": "x"}, {"start_at": "-1"}):
        wrong = stage.request("GET", "/fills", **query)
        assert stage.refused(wrong) == "INVALID_REQUEST_PARAMETER"


@staged
async def test_funding_is_paid_and_told(stage: Stage) -> None:
    await stage.settled(stage.taker())
    socket = stage.listen("funding_payments.ALL", "positions")
    stage.exchange.fund(D("0.0001"), ETH)
    [payment] = stage.get("/funding/payments")["results"]
    assert (payment["market"], payment["payment"]) == (ETH, "-0.02999995")
    frames = socket.take()
    assert data(frames, "funding_payments") == [payment]
    assert data(frames, "positions")[0]["unrealized_funding_pnl"] == "-0.02999995"


@staged
async def test_an_order_that_vanished_is_unknown(stage: Stage) -> None:
    stage.exchange.twist = Twist(lose_order=True)
    placed = stage.place(client_id="lost")
    stage.exchange.twist = Twist()
    assert placed["status"] == "OPEN"
    for path, code in (
        (f"/orders/{placed['id']}", "ORDER_ID_NOT_FOUND"),
        ("/orders/by_client_id/lost", "CLIENT_ORDER_ID_NOT_FOUND"),
    ):
        assert stage.refused(stage.request("GET", path)) == code
    assert stage.get("/orders-history", client_id="lost")["results"] == []


# --------------------------------------------------------------------------- sockets


@staged
async def test_large_ids_are_echoed_and_times_told(stage: Stage) -> None:
    socket = stage.connect()
    answer = stage.say(socket, "auth", {"bearer": stage.token})
    assert (answer["id"], answer["jsonrpc"]) == (LARGE_ID, "2.0")
    assert answer["result"].keys() == {"node_id"}
    assert answer["usOut"] >= answer["usIn"] > 10**15
    assert stage.say(socket, "subscribe", {"channel": f"bbo.{ETH}"}) is None
    ack, first = socket.take()
    assert (ack["id"], ack["result"]) == (LARGE_ID, {"channel": f"bbo.{ETH}"})
    assert first["params"]["channel"] == f"bbo.{ETH}"
    done = stage.say(socket, "unsubscribe", {"channel": f"bbo.{ETH}"})
    assert done["result"] == {"channel": f"bbo.{ETH}"}
    stage.quote("2998", "2999")
    await asyncio.sleep(1)
    assert socket.take() == []


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("subscribe", {"channel": "bbo.X"}, -32600),
        ("subscribe", {"channel": "nothing"}, -32600),
        ("subscribe", {"channel": "order_book.X.snapshot@15@50ms"}, -32600),
        ("subscribe", {"channel": f"order_book.{ETH}.snapshot@15@70ms"}, -32600),
        ("subscribe", {"channel": "orders.ALL"}, 40300),
        ("subscribe", {"channel": "account"}, 40300),
        ("subscribe", {"channel": 5}, -32600),
        ("subscribe", "all", -32602),
        ("unsubscribe", {"channel": f"bbo.{ETH}"}, -32600),
        ("auth", {"bearer": "five"}, 40110),
        ("auth", {"bearer": "a.b.c"}, 40111),
        ("guess", {}, -32601),
        (5, {}, -32600),
        ("order.create", {}, 40300),
        ("order.cancel_on_disconnect", {"enabled": True}, 40300),
    ],
)
def test_errors_on_the_socket(method: Any, params: Any, code: int) -> None:
    @staged
    async def check(stage: Stage) -> None:
        answer = stage.say(stage.connect(), method, params)
        assert (answer["id"], answer["error"]["code"]) == (LARGE_ID, code)

    check()


@staged
async def test_what_is_no_json_and_what_is_said_twice(stage: Stage) -> None:
    socket = stage.connect()
    answer = stage.venue.accept_message(socket, "hello")
    assert answer is not None
    assert (answer["id"], answer["error"]["code"]) == (0, -32700)
    stage.say(socket, "subscribe", {"channel": "bbo.ALL"})
    again = stage.say(socket, "subscribe", {"channel": "bbo.ALL"})
    assert again["error"]["data"] == "already subscribed"


@staged
async def test_a_socket_stays_authenticated_when_its_token_ends(stage: Stage) -> None:
    socket = stage.listen("orders.ALL")
    await asyncio.sleep(301)
    stage.log_in()
    await stage.settled()
    assert [order["status"] for order in data(socket.take())] == ["NEW", "OPEN"]
    sent = stage.order()
    assert stage.say(socket, "order.create", sent)["result"]["order"]["status"] == "NEW"


@staged
async def test_an_account_hears_only_of_itself(stage: Stage) -> None:
    other = stage.venue.keys.make_account()
    key = stage.venue.keys.keys[other][0]
    theirs = Signer(other, stage.venue.keys.private[key])
    socket = stage.listen("orders.ALL", "fills.ALL", "positions", "account")
    stage.subkey = theirs
    stage.log_in()
    await stage.settled(stage.taker())
    assert len(stage.get("/fills")["results"]) == 1
    assert socket.take() == []


@staged
async def test_which_handshakes_are_refused(stage: Stage) -> None:
    def shake(path: str = DIRECT, **query: str) -> SimReply | None:
        await_none = Socket(1, path, query)
        return stage.venue.accept_ws(await_none)

    assert stage.venue.offers_json is False
    for query in (
        {},
        {"sbeSchemaId": "1"},
        {"sbeSchemaId": "2", "sbeSchemaVersion": "1"},
        {"sbeSchemaId": "1", "sbeSchemaVersion": "4"},
        {"sbeSchemaId": "1", "sbeSchemaVersion": "new"},
    ):
        refused = shake(**query)
        assert refused is not None
        assert refused.status == 400
    stage.venue.highest_version = 2
    for version, accepted in (("3", False), ("2", True), ("0", True)):
        reply = shake(PUBLIC, sbeSchemaId="1", sbeSchemaVersion=version)
        assert (reply is None) == accepted
    stage.venue.offers_json = True
    assert shake() is None


@staged
async def test_twenty_connections_a_second(stage: Stage) -> None:
    for _ in range(20):
        stage.connect()
    refused = stage.venue.accept_ws(Socket(99, DIRECT, {}))
    assert refused is not None
    assert refused.status == 429
    await asyncio.sleep(1)
    stage.connect()


@staged
async def test_deltas_of_a_book_rebuild_it(stage: Stage) -> None:
    socket = stage.listen()
    stage.say(socket, "subscribe", {"channel": DELTAS})
    for place in range(5):
        stage.quote(str(2999 + place), str(3000 + place), size=str(5 + place))
        await asyncio.sleep(0.06)
    first, *rest = data(socket.take(), "order_book")
    assert (first["update_type"], first["updates"], first["deletes"]) == ("s", [], [])
    book = {(row["side"], row["price"]): row["size"] for row in first["inserts"]}
    assert len(book) == 30
    assert rest
    for frame in rest:
        assert frame["update_type"] == "d"
        for row in frame["deletes"]:
            del book[row["side"], row["price"]]
        for row in frame["updates"]:
            assert (row["side"], row["price"]) in book
        for row in frame["inserts"]:
            assert (row["side"], row["price"]) not in book
        changed = [*frame["updates"], *frame["inserts"]]
        book |= {(row["side"], row["price"]): row["size"] for row in changed}
    shown = stage.get(f"/orderbook/{ETH}", depth="15")
    wanted = {("BUY", price): size for price, size in shown["bids"]}
    assert book == wanted | {("SELL", price): size for price, size in shown["asks"]}


@staged
async def test_snapshots_are_whole_each_time(stage: Stage) -> None:
    socket = stage.listen()
    for pace in ("50", "100"):
        stage.say(socket, "subscribe", {"channel": f"order_book.{ETH}.snapshot@15@{pace}ms"})
    socket.take()
    for _ in range(4):
        stage.quote("2990", "2991")
        await asyncio.sleep(0.05)
        stage.quote("2991", "2992")
        await asyncio.sleep(0.05)
    frames = [frame["params"] for frame in socket.take()]
    by_pace = [sum(f["channel"].endswith(f"@{pace}ms") for f in frames) for pace in (50, 100)]
    assert by_pace[0] > by_pace[1] > 0
    for frame in frames:
        assert frame["data"]["update_type"] == "s"
        assert len(frame["data"]["inserts"]) == 30


@staged
async def test_public_channels_tell_of_one_market_or_of_all(stage: Stage) -> None:
    channels = ("bbo.ALL", f"bbo.{ETH}", "trades.ALL", "markets_summary", f"funding_data.{ETH}")
    socket = stage.listen(*channels)
    await asyncio.sleep(2)
    stage.quote("2990", "2991")
    stage.quote("59990", "59991", symbol=BTC)
    stage.trade("2991", "0.5", "buy")
    await asyncio.sleep(0.1)
    told = [frame["params"] for frame in socket.take()]
    markets = [(one["channel"], one["data"].get("market") or one["data"]["symbol"]) for one in told]
    for wanted in (
        ("bbo.ALL", ETH),
        ("bbo.ALL", BTC),
        (f"bbo.{ETH}", ETH),
        ("trades.ALL", ETH),
        ("markets_summary", ETH),
        ("markets_summary", BTC),
        (f"funding_data.{ETH}", ETH),
    ):
        assert wanted in markets
    assert (f"funding_data.{ETH}", BTC) not in markets
    stage.venue.close_ws(socket)
    stage.quote("2980", "2981")
    await asyncio.sleep(2)
    assert socket.take() == []


@staged
async def test_quiet_channels_can_be_had(stage: Stage) -> None:
    names = ["transfers", "tradebusts", "markets", "funding_rate_comparison.ALL@500ms"]
    assert stage.listen(*names).take() == []


# --------------------------------------------------------------------------- orders by socket


@staged
async def test_orders_over_the_socket(stage: Stage) -> None:
    socket = stage.authenticated()
    made = stage.say(socket, "order.create", stage.order(client_id="s"))["result"]
    assert (made["order"]["status"], made["order"]["client_id"]) == ("NEW", "s")
    assert made["received_at"] // 1_000_000 == made["created_at"]
    await asyncio.sleep(SOON)
    changed = stage.change(made["order"], price="2991")
    told = stage.say(socket, "order.modify", changed)["result"]["order"]
    assert told["request_info"]["status"] == "PENDING"
    await asyncio.sleep(SOON)
    number = made["order"]["id"]
    assert stage.get(f"/orders/{number}")["price"] == "2991"
    done = stage.say(socket, "order.cancel", {"client_id": "s", "market": ETH})["result"]
    assert done == {"order_id": number, "status": "QUEUED_FOR_CANCELLATION"}
    await asyncio.sleep(SOON)
    again = stage.say(socket, "order.cancel", {"id": number})["error"]
    assert (again["code"], again["data"]) == (100, "ORDER_IS_CLOSED")
    assert stage.say(socket, "order.cancel", {})["error"]["data"] == "VALIDATION_ERROR"
    assert stage.say(socket, "order.cancel_all", {"market": ETH})["result"] == {"status": "ok"}


@staged
async def test_batches_over_the_socket_in_both_forms(stage: Stage) -> None:
    socket = stage.authenticated()
    good, bad = stage.order(), stage.order(size="0")
    for params in ([good, bad], {"orders": [good, bad]}):
        rows = stage.say(socket, "order.create_batch", params)["result"]["results"]
        assert rows[0]["order"]["status"] == "NEW"
        assert rows[1]["error"]["error"] == "INVALID_ORDER_SIZE"
    ids = [order["id"] for order in stage.get("/orders")["results"]]
    rows = stage.say(socket, "order.cancel_batch", {"order_ids": ids})["result"]["results"]
    assert [row["status"] for row in rows] == ["QUEUED_FOR_CANCELLATION"] * 2


@staged
async def test_the_public_host_takes_no_orders(stage: Stage) -> None:
    socket = stage.authenticated(path=PUBLIC)
    assert stage.say(socket, "order.create", stage.order())["error"]["code"] == 40300
    assert stage.say(socket, "subscribe", {"channel": "orders.ALL"}) is None


@staged
async def test_orders_end_with_the_connection_that_asked_for_it(stage: Stage) -> None:
    socket = stage.authenticated()
    await stage.settled()
    told = stage.say(socket, "order.cancel_on_disconnect", {"enabled": True})
    assert told["result"] == {"enabled": True}
    stage.venue.close_ws(stage.authenticated())
    assert len(stage.get("/orders")["results"]) == 1
    stage.venue.close_ws(socket)
    await asyncio.sleep(SOON)
    assert stage.get("/orders")["results"] == []


@staged
async def test_a_call_stands_for_a_request(stage: Stage) -> None:
    socket = stage.authenticated()

    def stands(method: str, params: Any) -> SimRequest:
        text = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        request = stage.venue.request_of_message(socket, text)
        assert request is not None
        return request

    for method, params, verb, path, op in (
        ("order.create", stage.order(), "POST", "/v1/orders", "place"),
        ("order.create_batch", [stage.order()], "POST", "/v1/orders/batch", "place"),
        ("order.modify", {"id": "5"}, "PUT", "/v1/orders/5", "amend"),
        ("order.cancel", {"id": "5"}, "DELETE", "/v1/orders/5", "cancel"),
        ("order.cancel", {"client_id": "c"}, "DELETE", "/v1/orders/by_client_id/c", "cancel"),
        ("order.cancel_batch", {}, "DELETE", "/v1/orders/batch", "cancel"),
        ("order.cancel_all", {"market": ETH}, "DELETE", "/v1/orders", "cancel"),
    ):
        request = stands(method, params)
        assert (request.method, request.path, stage.venue.op_of(request)) == (verb, path, op)
        assert stage.venue.scope_of(request) == ("orders", stage.account, 1)
    said = stage.venue.describe(stands("order.create", stage.order(client_id="c")))
    assert said == {
        "side": "buy",
        "symbol": ETH,
        "size": "0.1",
        "price": "2990",
        "client_id": "c",
        "reduce_only": "false",
        "post_only": "true",
    }
    assert stage.venue.describe(stands("order.cancel", {"id": "5"}))["order_id"] == "5"
    assert stage.venue.request_of_message(socket, '{"method": "auth"}') is None
    text = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "order.create", "params": {}})
    request = stands("order.create", {})
    for reply, code in (
        (stage.venue.render_rate_limited(request, 2.0), 42901),
        (stage.venue.render_reject(request, "SYMBOL", ""), 100),
        (SimReply("<html>", 502), -32603),
    ):
        wrapped = stage.venue.wrap_reply(socket, text, reply)
        assert (wrapped["id"], wrapped["error"]["code"]) == (7, code)


# --------------------------------------------------------------------------- binary frames

JSON_NAMES = {
    "bid_price": "bid",
    "ask_price": "ask",
    "index_price": "underlying_price",
    "last_price": "last_traded_price",
    "volume_usd24h": "volume_24h",
    "price_change_rate24h": "price_change_rate_24h",
    "order_type": "type",
    "time_in_force": "instruction",
    "size_open": "remaining_size",
    "order_id": "id",
    "client_order_id": "client_id",
    "avg_entry_price": "average_entry_price",
    "avg_entry_price_usd": "average_entry_price_usd",
    "initial_margin_req": "initial_margin_requirement",
    "maintenance_margin_req": "maintenance_margin_requirement",
}


def as_json(channel: str, told: dict[str, Any]) -> dict[str, Any]:
    """The JSON frame that says what a decoded binary one does."""
    topic = channel.partition(".")[0]
    made = {JSON_NAMES.get(name, name): value for name, value in told.items()}
    when = told["timestamp"]
    more: dict[str, Any] = {
        "trades": {"id": told.get("trade_id_str") or str(told.get("trade_id"))},
        "bbo": {"last_updated_at": when},
        "order_book": {
            "last_updated_at": when,
            "update_type": "s" if told.get("pkg_type") == "SNAPSHOT" else "d",
        },
        "markets_summary": {"symbol": told.get("market"), "created_at": when},
        "orders": {"last_updated_at": told.get("updated_at")},
        "fills": {"id": told.get("fill_id"), "order_id": told.get("order_id")},
        "positions": {"last_updated_at": told.get("updated_at")},
        "account": {},
    }
    return {**made, **more[topic]}


@pytest.mark.parametrize("case", FRAMES, ids=lambda case: case["name"])
def test_a_frame_says_what_the_published_layout_says(case: dict[str, Any]) -> None:
    frame, told = bytes.fromhex(case["input"]["frame_hex"]), case["expected"]["data"]
    template, version, wanted = read_frame(frame)
    message = {
        "method": "subscription",
        "params": {
            "channel": case["expected"]["channel"],
            "data": as_json(case["expected"]["channel"], told),
        },
    }
    packed = sbe.Packer(version, private=True).pack(json.dumps(message).encode())
    assert packed is not None
    made = read_frame(packed)
    assert made[:2] == (template, version)
    # Its own time, ids of trades, the sum of an account, finer rates: not said apart here.
    left_out = {"timestamp", "trade_id", "orderbook_seq_no", "funding_rate_precise"}
    left_out |= {23: {"unrealized_pnl"}, 4: {"settlement_twap_estimate"}}.get(template, set())
    same = {name: value for name, value in wanted.items() if name not in left_out}
    assert {name: made[2][name] for name in same} == same


@staged
async def test_both_forms_tell_the_same(stage: Stage) -> None:
    channels = ["orders.ALL", "fills.ALL", "positions", "account", f"bbo.{ETH}", "trades.ALL"]
    plain, packed = stage.listen(*channels), stage.listen(*channels, version=3)
    await stage.settled(stage.taker("SELL", "0.2", client_id="both"))
    read = [read_frame(frame) for frame in packed.take() if isinstance(frame, bytes)]
    by_template = {template: told for template, _, told in read}
    frames = plain.take()
    topics = {20: "orders", 21: "fills", 22: "positions", 23: "account", 2: "bbo", 1: "trades"}
    assert by_template.keys() == topics.keys()
    for template, topic in topics.items():
        told = data(frames, topic)[-1]
        for name, value in by_template[template].items():
            twin = told.get(JSON_NAMES.get(name, name))
            if isinstance(value, Decimal) and twin not in (None, "") and template != 22:
                assert D(twin) == value, (topic, name)
    [position] = data(frames, "positions")
    assert (position["size"], by_template[22]["size"], by_template[22]["side"]) == (
        "-0.2",
        D("0.2"),
        2,
    )
    [fill] = data(frames, "fills")
    assert by_template[21]["client_order_id"] == fill["client_id"] == "both"
    assert by_template[20]["cancel_reason"] == ""
    assert (by_template[20]["status"], by_template[20]["time_in_force"]) == (4, 2)


@staged
async def test_binary_deltas_have_absolute_sizes_and_zero_removes(stage: Stage) -> None:
    socket = stage.authenticated(3)
    stage.say(socket, "subscribe", {"channel": DELTAS})
    stage.quote("2999", "3001", size="4")
    await asyncio.sleep(0.06)
    _, first, second = socket.take()
    (_, _, whole), (_, _, change) = read_frame(first), read_frame(second)
    assert (whole["pkg_type"], change["pkg_type"]) == (0, 1)
    bids = dict(whole["bids"]) | dict(change["bids"])
    shown = stage.get(f"/orderbook/{ETH}", depth="15")["bids"]
    left = {price: size for price, size in bids.items() if size}
    assert left == {D(price): D(size) for price, size in shown}
    assert change["best_bid_api_price"] == D(2999)


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_every_version_of_the_schema_is_served(version: int) -> None:
    @staged
    async def check(stage: Stage) -> None:
        socket = stage.listen(
            "orders.ALL",
            "fills.ALL",
            "account",
            "markets_summary",
            f"funding_data.{ETH}",
            "trades.ALL",
            version=version,
        )
        await asyncio.sleep(1)
        stage.quote("2990", "2991")
        await stage.settled(stage.taker())
        read = [read_frame(frame) for frame in socket.take()]
        assert {template for template, _, _ in read} == {1, 4, 5, 20, 21, 23}
        assert {told_version for _, told_version, _ in read} == {version}

    check()


@staged
async def test_a_change_is_told_in_binary_frames_from_version_two(stage: Stage) -> None:
    for version, names in ((1, ()), (3, ("request_status", "request_message"))):
        socket = stage.listen("orders.ALL", version=version)
        order = await stage.settled(price="2990")
        stage.request("PUT", f"/orders/{order['id']}", stage.change(order, price="3005"))
        await asyncio.sleep(SOON)
        _, _, told = read_frame(socket.take()[-1])
        said = tuple(told[name] for name in names)
        assert said == ((3, "POST_ONLY_WOULD_CROSS") if names else ())


@staged
async def test_private_frames_may_stay_text(stage: Stage) -> None:
    stage.venue.packs_private = False
    socket = stage.listen("orders.ALL", f"bbo.{ETH}", version=2)
    await stage.settled(stage.taker(size="5"))
    frames = socket.take()
    assert [order["status"] for order in data([f for f in frames if isinstance(f, dict)])] == [
        "NEW",
        "OPEN",
        "CLOSED",
    ]
    assert [read_frame(f)[0] for f in frames if isinstance(f, bytes)] == [2]


def test_what_is_no_data_stays_text() -> None:
    packer = sbe.Packer(3, private=True)
    for message in (
        {"id": 1, "result": {}},
        [1],
        {"method": "subscription", "params": {"channel": "mmp", "data": {}}},
    ):
        assert packer.pack(json.dumps(message).encode()) is None
    assert packer.pack(b'{"method": "subscr') == b'{"method": "subscr'


def test_nulls_and_unknown_words_have_their_marks() -> None:
    case = next(case for case in FRAMES if case["name"] == "sbe_order_open")
    told = {**as_json("orders.X", case["expected"]["data"]), "price": None, "status": "LOST"}
    message = {"method": "subscription", "params": {"channel": "orders.ALL", "data": told}}
    packed = sbe.Packer(3, private=True).pack(json.dumps(message).encode())
    assert packed is not None
    _, _, read = read_frame(packed)
    assert (read["price"], read["status"]) == (None, 254)


# --------------------------------------------------------------------------- behind the port


def test_limits_are_told_and_kept() -> None:
    async def check(running: run.Running, session: aiohttp.ClientSession) -> None:
        url = running.endpoints["paradex"]["rest"] + "/system/time"
        statuses, last = [], None
        for _ in range(1501):
            async with session.get(url) as answer:
                statuses.append(answer.status)
                last = answer.headers
        assert statuses == [200] * 1500 + [429]
        assert last is not None
        assert int(last["Retry-After"]) >= 1
        told = [last[f"x-ratelimit-{name}"] for name in ("limit", "remaining", "window")]
        assert told == ["1500", "0", "60"]
        assert int(last["x-ratelimit-reset"]) > running.clock.now_ms() // 1000
        await asyncio.sleep(1)
        async with session.get(url) as answer:
            assert answer.status == 200

    served(check, coins=())


def test_the_server_pings_and_leaves_who_does_not_answer() -> None:
    async def check(running: run.Running, session: aiohttp.ClientSession) -> None:
        url = running.endpoints["paradex"]["ws"] + "?sbeSchemaId=1&sbeSchemaVersion=2"
        async with session.ws_connect(url, autoping=False) as socket:
            first = await socket.receive()
            assert (first.type, running.clock.monotonic()) == (
                aiohttp.WSMsgType.PING,
                pytest.approx(55, abs=1),
            )
            await socket.pong(first.data)
            assert (await socket.receive()).type is aiohttp.WSMsgType.PING
            closed = await socket.receive()
            assert closed.type is aiohttp.WSMsgType.CLOSE

    served(check, coins=())


def test_a_socket_without_sbe_is_refused_as_live() -> None:
    async def check(running: run.Running, session: aiohttp.ClientSession) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(running.endpoints["paradex"]["ws"])
        assert refused.value.status == 400

    served(check, coins=())


def test_faults_refuse_as_the_venue_does() -> None:
    async def check(running: run.Running, session: aiohttp.ClientSession) -> None:
        rest = running.endpoints["paradex"]["rest"]
        venue: Any = running.venues["paradex"]
        signer = Signer(venue.account, int(running.credentials["paradex"]["private_key"], 16))
        now = running.clock.now_ms() // 1000
        login = f"{rest}/auth/{signer.public_key:#x}"
        async with session.post(login, headers=signer.login(now, now + 60)) as answer:
            token = (await answer.json())["jwt_token"]
        headers = {"Authorization": f"Bearer {token}"}

        async def place(fault: str) -> tuple[int, Any]:
            running.faults.clear()
            running.faults.add(fault)
            bid, _ = running.exchanges["paradex"].best(ETH)
            body = {
                "market": ETH,
                "side": "BUY",
                "type": "LIMIT",
                "size": "0.1",
                "price": str((bid or D(0)) - 10),
                "instruction": "POST_ONLY",
                "signature_timestamp": running.clock.now_ms(),
            }
            body["signature"] = signer.order(body)
            async with session.post(f"{rest}/orders", json=body, headers=headers) as answer:
                return answer.status, await answer.json(content_type=None)

        for kind, status, code in (
            ("SYMBOL", 400, "MARKET_NOT_FOUND"),
            ("DUPLICATE_CID", 400, "DUPLICATED_CLIENT_ID"),
            ("NONCE", 400, "INVALID_TIMESTAMP"),
            ("AUTH", 401, "INVALID_TOKEN"),
            ("RATE", 429, "TOO_MANY_REQUESTS"),
            ("PRECISION, INVALID_ORDER_SIZE", 400, "INVALID_ORDER_SIZE"),
        ):
            got, body = await place(f"P.place -> reject({kind})")
            assert (got, body["error"]) == (status, code)
        for kind, reason in (
            ("MARGIN", "NOT_ENOUGH_MARGIN"),
            ("POST_ONLY", "POST_ONLY_WOULD_CROSS"),
            ("OI_CAP", "ORDER_EXCEEDS_POSITION_LIMIT"),
        ):
            got, body = await place(f"P.place -> reject({kind})")
            assert (got, body["status"]) == (201, "NEW")
            await asyncio.sleep(SOON)
            path = f"{rest}/orders/{body['id']}"
            async with session.get(path, headers=headers) as answer:
                assert (await answer.json())["cancel_reason"] == reason
        got, body = await place("P.place -> ack_then(REJECTED, 300)")
        await asyncio.sleep(0.2)
        assert venue.exchange.orders[body["id"]].status is OrderStatus.PENDING
        await asyncio.sleep(0.2)
        assert venue.exchange.orders[body["id"]].status is OrderStatus.REJECTED
        running.faults.clear()
        running.faults.add("P.query_order -> not_found")
        for path, status, error in (
            ("orders/by_client_id/x", 400, "CLIENT_ORDER_ID_NOT_FOUND"),
            ("orders/5", 400, "ORDER_ID_NOT_FOUND"),
            ("orders-history", 200, None),
        ):
            async with session.get(f"{rest}/{path}", headers=headers) as answer:
                assert (answer.status, (await answer.json()).get("error")) == (status, error)

    served(check)


def test_what_faults_bend_in_binary_frames() -> None:
    async def check(running: run.Running, session: aiohttp.ClientSession) -> None:
        url = running.endpoints["paradex"]["ws"] + "?sbeSchemaId=1&sbeSchemaVersion=3"
        running.faults.add("P.ws_public.book -> mutate(bid>=ask)")
        async with session.ws_connect(url) as socket:
            params = {"channel": f"order_book.{ETH}.snapshot@15@100ms"}
            message = {"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": params}
            await socket.send_json(message)
            while True:
                frame = await socket.receive()
                if frame.type is not aiohttp.WSMsgType.BINARY:
                    continue
                _, _, told = read_frame(frame.data)
                if told["bids"][0][0] > told["asks"][0][0]:
                    break

    served(check)


@staged
async def test_unknown_paths_have_the_venues_body(stage: Stage) -> None:
    reply = stage.request("GET", "/nowhere")
    assert (reply.status, stage.refused(reply)) == (404, "NOT_FOUND")
    broken = SimRequest("POST", "/v1/orders", headers={"authorization": f"Bearer {stage.token}"})
    reply = stage.routes["POST", "/v1/orders"](SimRequest(**{**vars(broken), "body": b"{"}))
    assert stage.refused(reply) == "BINDING_ERROR"

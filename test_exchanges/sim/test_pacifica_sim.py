"""The simulated Pacifica against the venue's rules: proof, order life, reads, streams, limits."""

from __future__ import annotations

import asyncio
import json
import random
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sim.pacifica_stage import (
    BUMP,
    CALL_ID,
    ETH,
    SPOT,
    Signer,
    Stage,
    cid,
    market_order,
    order,
    staged,
    taker,
)

from mpdex.sim import run
from mpdex.sim.exchange import Twist
from mpdex.sim.models import NO_LATENCY, LatencyModel
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues import load_venue
from mpdex.sim.venues import pacifica_crypto as crypto
from mpdex.sim.venues.pacifica import PacificaSim
from mpdex.types import OrderStatus
from mpdex.utils.virtual_loop import run_virtual

D = Decimal
VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "pacifica.json"
CASES = json.loads(VECTORS.read_text())["cases"]
SIGNED = [case for case in CASES if "message" in case["expected"]]
UPDATES, TRADES, POSITIONS = "account_order_updates", "account_trades", "account_positions"
PLACE, CANCEL, EDIT = "/orders/create", "/orders/cancel", "/orders/edit"
SIGNATURE = "Verification failed: signature does not match signer and canonical payload."


def refusal(reply: SimReply) -> tuple[int, int, str]:
    """Status, code and message of an error answer."""
    assert (reply.body["success"], reply.body["data"]) == (False, None), reply.body
    return reply.status, reply.body["code"], reply.body["error"]


def code(reply: SimReply) -> int:
    return refusal(reply)[1]


def told(frames: list[Any], channel: str) -> list[Any]:
    """Elements of all frames of a channel that tells changes."""
    return [row for frame in frames if frame["channel"] == channel for row in frame["data"]]


def words(frames: list[Any]) -> list[tuple[str, str, str]]:
    """(event, status, filled) of every update."""
    return [(row["oe"], row["os"], row["f"]) for row in told(frames, UPDATES)]


# --------------------------------------------------------------------------- proof of who asks


@pytest.mark.parametrize("case", SIGNED, ids=lambda case: case["name"])
def test_the_clients_signatures_are_accepted(case: dict[str, Any]) -> None:
    given, expected = case["input"], case["expected"]
    body = crypto.read_body(json.dumps(expected["request_body"]).encode())
    payload = crypto.payload_of(body, given["operation_type"])
    stamp, window = given["timestamp"], given["expiry_window"]
    message = crypto.signed_message(given["operation_type"], payload, stamp, window)
    assert message.decode() == expected["message"]
    public = crypto.parse_address(expected["signer_public_key"])
    proof = crypto.decode_base58(expected["signature"], 64)
    assert public is not None
    assert proof is not None
    assert crypto.verify(public, proof, message)
    assert not crypto.verify(public, proof, message + b" ")


def test_every_action_of_a_batch_is_signed_by_itself() -> None:
    [case] = [case for case in CASES if "messages" in case["expected"]]
    actions = case["expected"]["request_body"]["actions"]
    for told_action, sent, text in zip(
        case["input"]["actions"], actions, case["expected"]["messages"], strict=True
    ):
        operation, body = told_action["operation_type"], sent["data"]
        payload = crypto.payload_of(body, operation)
        message = crypto.signed_message(
            operation, payload, body["timestamp"], body["expiry_window"]
        )
        assert message.decode() == text
        public = crypto.parse_address(body["account"])
        proof = crypto.decode_base58(body["signature"], 64)
        assert public is not None
        assert proof is not None
        assert crypto.verify(public, proof, message)


def test_base58_of_leading_zeros_and_of_nonsense() -> None:
    for data in (b"\0\0\1\2", b"\0" * 4, b"\xff" * 4):
        assert crypto.decode_base58(crypto.encode_base58(data), 4) == data
    for text in ("", "0OIl", "é", "1" * 200, "2"):
        assert crypto.decode_base58(text, 32) is None


def test_the_table_finds_it_and_keys_are_the_same_for_the_same_seed() -> None:
    assert load_venue("pacifica") is PacificaSim

    async def keys(seed: int) -> dict[str, str]:
        async with await run.start(["pacifica"], seed=seed) as running:
            assert running.endpoints["pacifica"].keys() == {"rest", "ws"}
            return running.credentials["pacifica"]

    first = run_virtual(keys(3))
    assert first == run_virtual(keys(3)) != run_virtual(keys(4))
    assert first.keys() == {"account", "private_key", "api_config_key"}
    assert Signer(first["account"], first["private_key"]).address != first["account"], (
        "the keys are an agent's"
    )


@staged
async def test_owner_and_bound_agent_may_both_sign(stage: Stage) -> None:
    for number, signer in enumerate((stage.agent, stage.owner)):
        done = stage.done(PLACE, order(client_order_id=cid(number)), signer)
        assert done == {
            "success": True,
            "data": {"order_id": done["data"]["order_id"]},
            "error": None,
            "code": None,
        }
    nobody = stage.signed(PLACE, order(), stage.owner) | {"agent_wallet": None}
    assert stage.post(PLACE, nobody).status == 200


@staged
async def test_who_may_not_sign(stage: Stage) -> None:
    stranger = crypto.throwaway_keys("stranger")
    other = Signer(stage.account, stranger.private_key)
    assert refusal(stage.ask(PLACE, order(), other)) == (
        400,
        400,
        "Agent not authorized for account",
    )
    alone = Signer(stranger.address, stranger.private_key)
    assert refusal(stage.ask(PLACE, order(), alone)) == (404, 404, "Account not found")
    # a widespread mistake: the agent as the account
    own = Signer(stage.agent.address, stage.venue.agent(stage.account).private_key)
    assert stage.ask(PLACE, order(), own).status == 404
    assert stage.mine("/orders") == []


@staged
async def test_what_was_signed_must_be_what_is_sent(stage: Stage) -> None:
    reply = stage.ask(PLACE, order(), amount="0.2")
    assert reply.body == {
        "success": False,
        "data": None,
        "error": SIGNATURE,
        "code": 400,
        "error_id": "signature_verification_failed",
    }
    for over in (
        {"timestamp": stage.clock.now_ms() + 1},
        {"expiry_window": 5001},
        {"client_order_id": cid(1)},
        {"agent_wallet": None},
    ):
        assert refusal(stage.ask(PLACE, order(), **over)) == (400, 400, SIGNATURE)
    assert stage.post(CANCEL, stage.signed(PLACE, order())).body["error"] == SIGNATURE
    assert stage.mine("/orders") == []


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"signature": "no base58"}, "Invalid signature"),
        ({"signature": "2" * 80}, "Invalid signature"),
        ({"signature": {"type": "hardware", "value": "2"}}, "Invalid signature"),
        ({"account": "0x1234"}, "Invalid public key"),
        ({"agent_wallet": "short"}, "Invalid public key"),
        ({"timestamp": "1"}, "Invalid message"),
        ({"timestamp": None}, "Invalid message"),
        ({"expiry_window": True}, "Invalid message"),
    ],
)
def test_a_malformed_envelope(over: dict[str, Any], message: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        assert refusal(stage.ask(PLACE, order(), **over)) == (400, 400, message)

    check()


@pytest.mark.parametrize(
    ("late_ms", "window", "good"),
    [(0, 5000, True), (4999, 5000, True), (5000, 5000, False), (29_999, 30_000, True)],
)
def test_a_message_expires(late_ms: int, window: int, good: bool) -> None:
    @staged
    async def check(stage: Stage) -> None:
        now = stage.clock.now_ms()
        reply = stage.post(PLACE, stage.agent.body("create_order", order(), now - late_ms, window))
        assert (reply.status == 200) is good
        assert good or refusal(reply) == (400, 400, "Invalid message")

    check()


@staged
async def test_a_window_left_out_is_thirty_seconds(stage: Stage) -> None:
    now = stage.clock.now_ms() - 29_000
    body = stage.agent.body("create_order", order(), now, 30_000)
    del body["expiry_window"]
    assert stage.post(PLACE, body).status == 200


@staged
async def test_a_body_that_is_no_object_is_refused(stage: Stage) -> None:
    for body in (b"{", b"7", b"[1]", b'"text"', b"null"):
        assert refusal(stage.post(PLACE, body))[:2] == (400, 400)


@staged
async def test_only_the_owner_manages_agents(stage: Stage) -> None:
    new = crypto.throwaway_keys("another agent")
    second = Signer(stage.account, new.private_key)
    about = {"agent_wallet": new.address}
    assert stage.ask(PLACE, order(), second).status == 400
    assert stage.ask("/agent/list", {}).status == 403
    assert stage.done("/agent/bind", about, stage.owner) == {"success": True}
    assert stage.ask(PLACE, order(), second).status == 200
    listed = stage.done("/agent/list", {}, stage.owner)["data"]
    assert [row["agent_wallet"] for row in listed] == [stage.agent.address, new.address]
    assert stage.done("/agent/revoke", about, stage.owner) == {"success": True}
    assert stage.ask(PLACE, order(), second).body["error"] == "Agent not authorized for account"
    assert stage.ask("/agent/revoke", about, stage.owner).status == 400


@staged
async def test_api_config_keys_are_made_listed_and_taken_back(stage: Stage) -> None:
    keys = "/account/api_keys"
    assert stage.ask(f"{keys}/create", {}).status == 403, "an agent may not"
    made = [stage.done(f"{keys}/create", {}, stage.owner)["data"]["api_key"] for _ in range(5)]
    assert stage.ask(f"{keys}/create", {}, stage.owner).status == 400
    listed = stage.done(keys, {}, stage.owner)["data"]
    assert listed == {"active_api_keys": made, "api_key_limit": 5}
    assert list(stage.venue.issued()) == made
    assert stage.done(f"{keys}/revoke", {"api_key": made[0]}, stage.owner) == {"success": True}
    assert stage.ask(f"{keys}/revoke", {"api_key": made[0]}, stage.owner).status == 404


# --------------------------------------------------------------------------- placing


@staged
async def test_a_resting_order_is_open_in_every_reading(stage: Stage) -> None:
    number = stage.place(client_order_id=cid(7))
    [opened] = stage.mine("/orders")
    assert (opened["order_id"], opened["client_order_id"]) == (number, cid(7))
    assert (opened["side"], opened["price"], opened["initial_amount"]) == ("bid", "2990", "0.1")
    assert (opened["order_type"], opened["reduce_only"]) == ("limit", False)
    [past] = stage.mine("/orders/history")
    assert (past["order_id"], past["order_status"], past["reason"]) == (number, "open", None)
    [event] = stage.get("/orders/history_by_id", order_id=number)["data"]
    assert (event["event_type"], event["order_status"]) == ("make", "open")
    assert stage.mine("/account")["orders_count"] == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"symbol": "DOGE"}, (422, 3)),
        ({"symbol": "eth"}, (422, 3)),
        ({"price": "2990.05"}, (400, 400)),
        ({"amount": "0.00015"}, (400, 400)),
        ({"amount": "0"}, (400, 400)),
        ({"price": "1000000.1"}, (400, 400)),
        ({"amount": "0.0033"}, (422, 0)),
        ({"amount": "1700"}, (422, 8)),
        ({"symbol": SPOT, "amount": "50"}, (422, 5)),
        ({"symbol": SPOT, "side": "ask", "price": "3010"}, (422, 62)),
        ({"symbol": SPOT, "reduce_only": True}, (422, 106)),
        ({"reduce_only": True}, (422, 23)),
        ({"price": 2990}, (400, 400)),
        ({"amount": "1e-1"}, (400, 400)),
        ({"price": None}, (400, 400)),
        ({"side": "buy"}, (400, 400)),
        ({"tif": "FOK"}, (400, 400)),
        ({"reduce_only": None}, (400, 400)),
        ({"client_order_id": "12345678"}, (400, 400)),
        ({"client_order_id": cid(1).replace("-", "")}, (400, 400)),
        ({"take_profit": {"stop_price": "3300"}}, (422, 51)),
    ],
)
def test_refused_orders_leave_no_trace(changes: dict[str, Any], expected: tuple[int, int]) -> None:
    @staged
    async def check(stage: Stage) -> None:
        socket = stage.listen(UPDATES, TRADES)
        assert refusal(stage.ask(PLACE, order(**changes)))[:2] == expected
        assert stage.mine("/orders") == stage.mine("/orders/history") == []
        await asyncio.sleep(1)
        assert socket.take() == []

    check()


@staged
async def test_margin_is_asked_for_at_the_leverage_in_force(stage: Stage) -> None:
    stage.done("/account/leverage", {"symbol": ETH, "leverage": 2})
    assert refusal(stage.ask(PLACE, order(amount="70")))[:2] == (422, 5)
    assert stage.place(amount="60")
    assert D(stage.mine("/account")["available_to_spend"]) == 100_000 - 60 * 2990 // 2


@staged
async def test_less_than_ten_dollars_is_told_with_the_amount(stage: Stage) -> None:
    reply = stage.ask(PLACE, order(amount="0.0033"))
    assert reply.body == {
        "success": False,
        "data": None,
        "error": f"Order amount too low for {stage.account}: 9.86700 < 10",
        "code": 0,
        "error_id": "invalid_amount",
    }
    await stage.take("bid", "0.01")
    assert stage.place(**taker("ask", "0.001", reduce_only=True)), "dust may be closed"


@staged
async def test_a_client_id_is_taken_as_long_as_its_order_lives(stage: Stage) -> None:
    number = stage.place(client_order_id=cid(1))
    reply = stage.ask(PLACE, order(client_order_id=cid(1), price="2980"))
    assert refusal(reply)[:2] == (422, 36)
    stage.done(CANCEL, {"symbol": ETH, "order_id": number})
    assert stage.place(client_order_id=cid(1)) > number


@staged
async def test_a_post_only_order_that_would_take_is_numbered_and_then_rejected(
    stage: Stage,
) -> None:
    socket = stage.listen(UPDATES)
    number = stage.place(price="3000", client_order_id=cid(1))
    assert stage.mine("/orders") == []
    await asyncio.sleep(0.1)
    assert words(socket.take()) == [("post_only_rejected", "rejected", "0")]
    [past] = stage.mine("/orders/history")
    assert (past["order_id"], past["order_status"]) == (number, "rejected")
    assert past["reason"] == "post_only_rejected"
    [event] = stage.get("/orders/history_by_id", order_id=number)["data"]
    assert (event["event_type"], event["cancelled_amount"]) == ("post_only_rejected", "0.1")


@pytest.mark.parametrize(
    ("side", "price", "rests_at"),
    [("bid", "3005", "2999.9"), ("ask", "2990", "3000"), ("bid", "2990", "2990")],
)
def test_top_of_book_is_repriced_instead(side: str, price: str, rests_at: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        number = stage.place(side, price=price, tif="TOB")
        [opened] = stage.mine("/orders")
        assert (opened["order_id"], opened["price"]) == (number, rests_at)

    check()


@staged
async def test_orders_that_may_take_wait_for_the_speed_bump(stage: Stage) -> None:
    socket = stage.listen(UPDATES)
    stage.place(**taker())
    stage.place(price="2980", tif="GTC", client_order_id=cid(2))
    await asyncio.sleep(BUMP - 0.01)
    assert socket.take() == []
    stage.quote("3004.9", "3005")  # who waits meets another book
    await asyncio.sleep(0.02)
    frames = socket.take()
    assert words(frames) == [("fulfill_market", "filled", "0.1"), ("make", "open", "0")]
    assert told(frames, UPDATES)[0]["p"] == "3005"
    started = stage.clock.monotonic()
    stage.place(price="2970", tif="ALO")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (words(socket.take()), stage.clock.monotonic()) == ([("make", "open", "0")], started)


@staged
async def test_the_speed_bump_can_be_switched_off(stage: Stage) -> None:
    stage.exchange.set_speed_bump(0.0)
    stage.place(**taker())
    assert [row["amount"] for row in stage.mine("/positions")] == ["0.1"]


@staged
async def test_an_order_in_the_bump_can_be_canceled(stage: Stage) -> None:
    number = stage.place(**taker())
    assert stage.done(CANCEL, {"symbol": ETH, "order_id": number}) == {"success": True}
    await asyncio.sleep(1)
    assert stage.mine("/positions") == []


@staged
async def test_an_ioc_remainder_is_canceled(stage: Stage) -> None:
    socket = stage.listen(UPDATES)
    number = await stage.take(amount="6", price="3000")
    assert words(socket.take()) == [
        ("fulfill_market", "partially_filled", "5"),
        ("cancel", "cancelled", "5"),
    ]
    [past] = stage.mine("/orders/history")
    assert (past["order_id"], past["order_status"], past["filled_amount"]) == (
        number,
        "cancelled",
        "5",
    )


@staged
async def test_a_good_till_cancel_order_takes_and_rests(stage: Stage) -> None:
    socket = stage.listen(UPDATES)
    stage.place(amount="6", price="3000", tif="GTC")
    await asyncio.sleep(1)
    assert words(socket.take()) == [("fulfill_market", "partially_filled", "5")]
    [opened] = stage.mine("/orders")
    assert (opened["filled_amount"], opened["cancelled_amount"]) == ("5", "0")


@staged
async def test_a_market_order_has_a_cap(stage: Stage) -> None:
    stage.quote("2999.9", "3000", size="1")
    done = stage.done("/orders/create_market", market_order(amount="5", slippage_percent="0.01"))
    await asyncio.sleep(1)
    [past] = stage.mine("/orders/history")
    assert past["order_id"] == done["data"]["order_id"]
    assert (past["order_type"], past["initial_price"]) == ("market", "3000.2")
    assert (past["filled_amount"], past["order_status"]) == ("3", "cancelled")


@staged
async def test_slippage_may_be_a_number_but_must_be_there(stage: Stage) -> None:
    path = "/orders/create_market"
    for percent in ("0.5", 1, 0.25):
        assert stage.ask(path, market_order(slippage_percent=percent)).status == 200
    for wrong in (None, True, "-1", "much"):
        assert refusal(stage.ask(path, market_order(slippage_percent=wrong)))[0] == 400
    assert refusal(stage.ask(path, market_order(amount="0.001")))[1] == 0
    assert refusal(stage.ask(path, market_order(symbol="SOL")))[1] == 63, "no book, no mark"


@staged
async def test_a_newcomer_ends_the_own_orders_that_it_meets(stage: Stage) -> None:
    socket = stage.listen(UPDATES)
    resting = stage.place("ask", "0.2", price="3000")
    stage.quote("2999.9", "3001")
    await asyncio.sleep(0.1)
    socket.take()
    number = await stage.take("bid", "0.1", price="3001")
    updates = [(row["i"], row["oe"], row["os"]) for row in told(socket.take(), UPDATES)]
    assert updates == [
        (resting, "self_trade_prevented", "rejected"),
        (number, "fulfill_market", "filled"),
    ]
    assert D(stage.mine("/positions")[0]["entry_price"]) == 3001


@staged
async def test_reduce_only_never_opens_nor_turns(stage: Stage) -> None:
    await stage.take("bid", "0.1")
    wrong = stage.ask(PLACE, order("bid", "0.1", reduce_only=True))
    assert refusal(wrong)[:2] == (422, 21)
    await stage.take("ask", "0.3", reduce_only=True)
    assert stage.mine("/positions") == []
    assert stage.exchange.accounts[stage.account].size(ETH) == 0


@pytest.mark.parametrize("mode", ["post_only", "cancel_only", "reduce_only"])
def test_a_halted_venue_refuses(mode: Any) -> None:
    @staged
    async def check(stage: Stage) -> None:
        stage.exchange.halt(mode)
        assert refusal(stage.ask(PLACE, taker()))[:2] == (422, 38)

    check()


# --------------------------------------------------------------------------- cancel, edit, batch


@staged
async def test_an_order_is_canceled_by_either_id(stage: Stage) -> None:
    number = stage.place(client_order_id=cid(1))
    stage.place(client_order_id=cid(2))
    await asyncio.sleep(0.1)
    socket = stage.listen(UPDATES)
    assert stage.done(CANCEL, {"symbol": ETH, "order_id": number}) == {"success": True}
    assert stage.done(CANCEL, {"symbol": ETH, "client_order_id": cid(2)}) == {"success": True}
    await asyncio.sleep(0.1)
    assert words(socket.take()) == [("cancel", "cancelled", "0")] * 2
    assert stage.mine("/orders") == []
    assert [row["reason"] for row in stage.mine("/orders/history")] == ["cancel", "cancel"]


@staged
async def test_what_cannot_be_canceled(stage: Stage) -> None:
    number = stage.place(client_order_id=cid(1))
    gone = {"symbol": ETH, "order_id": number}
    for fields in (
        {"symbol": ETH, "order_id": number + 999},
        {"symbol": "BTC", "order_id": number},
        {"symbol": ETH, "client_order_id": cid(9)},
    ):
        assert refusal(stage.ask(CANCEL, fields)) == (422, 6, "Failed to cancel order")
    for fields in (
        {"symbol": ETH},
        {"symbol": ETH, "order_id": number, "client_order_id": cid(1)},
        {"symbol": ETH, "order_id": str(number)},
        {"order_id": number},
    ):
        assert refusal(stage.ask(CANCEL, fields))[:2] == (400, 400)
    stage.done(CANCEL, gone)
    assert refusal(stage.ask(CANCEL, gone)) == (422, 6, "Failed to cancel order")


@staged
async def test_everything_is_canceled_in_one_market_or_in_all(stage: Stage) -> None:
    await stage.take("bid", "1")
    for number, fields in enumerate(
        ({}, {"symbol": SPOT}, {"side": "ask", "price": "3010", "reduce_only": True})
    ):
        stage.place(**{"client_order_id": cid(number), **fields})
    path, kept = "/orders/cancel_all", {"exclude_reduce_only": True}
    assert code(stage.ask(path, {"all_symbols": False, **kept})) == 3
    done = stage.done(path, {"all_symbols": False, "symbol": ETH, **kept})
    assert done["data"] == {"cancelled_count": 1}
    everything = {"all_symbols": True, "exclude_reduce_only": False}
    assert stage.done(path, everything)["data"] == {"cancelled_count": 2}
    assert stage.mine("/orders") == []


@staged
async def test_an_edit_is_a_new_post_only_order_with_the_old_client_id(stage: Stage) -> None:
    number = stage.place(client_order_id=cid(1), tif="GTC")
    await asyncio.sleep(1)
    change = {"symbol": ETH, "order_id": number, "price": "2991", "amount": "0.2"}
    new = stage.done(EDIT, change)["data"]["order_id"]
    assert new > number
    [opened] = stage.mine("/orders")
    assert (opened["order_id"], opened["client_order_id"]) == (new, cid(1))
    assert (opened["price"], opened["initial_amount"]) == ("2991", "0.2")
    by_client = {"symbol": ETH, "client_order_id": cid(1), "price": "3000"}
    crossing = stage.done(EDIT, by_client)["data"]["order_id"]
    past = {row["order_id"]: row for row in stage.mine("/orders/history")}
    assert past[new]["order_status"] == "cancelled"
    assert (past[crossing]["order_status"], past[crossing]["amount"]) == ("rejected", "0.2")


@staged
async def test_a_wrong_edit_changes_nothing(stage: Stage) -> None:
    number = stage.place()
    which = {"symbol": ETH, "order_id": number}
    for change, expected in (
        ({"price": "2990.05"}, 400),
        ({"price": "2991", "amount": "0.001"}, 0),
        ({"amount": "0.2"}, 400),
    ):
        assert code(stage.ask(EDIT, {**which, **change})) == expected
    missing = {"symbol": ETH, "order_id": number + 999, "price": "2991"}
    assert refusal(stage.ask(EDIT, missing)) == (422, 6, "Order not found")
    assert [row["order_id"] for row in stage.mine("/orders")] == [number]


@staged
async def test_a_batch_goes_on_after_a_failure(stage: Stage) -> None:
    gone = {"symbol": ETH, "order_id": 5}
    body = stage.batch(
        ("Create", order(client_order_id=cid(1))),
        ("Cancel", gone),
        ("Cancel", {"symbol": ETH, "client_order_id": cid(1)}),
        ("CreateMarket", market_order()),
    )
    results = stage.post("/orders/batch", body).body["data"]["results"]
    assert [result["success"] for result in results] == [True, False, True, True]
    assert results[0].keys() == {"success", "order_id", "error"}
    assert results[1] == {"success": False, "order_id": None, "error": "Failed to cancel order"}
    assert results[2] == {"success": True}
    await asyncio.sleep(1)
    assert [row["amount"] for row in stage.mine("/positions")] == ["0.1"]


@staged
async def test_one_bad_signature_refuses_the_whole_batch(stage: Stage) -> None:
    body = stage.batch(("Create", order(client_order_id=cid(1))), ("Create", order()))
    body["actions"][1]["data"]["amount"] = "0.2"
    assert refusal(stage.post("/orders/batch", body)) == (400, 400, SIGNATURE)
    for wrong in ([], [{"type": "create", "data": {}}], body["actions"] * 6, "all"):
        assert refusal(stage.post("/orders/batch", {"actions": wrong}))[0] == 400
    assert stage.mine("/orders") == []


# --------------------------------------------------------------------------- reads


@staged
async def test_anybody_reads_any_account_that_exists(stage: Stage) -> None:
    stranger = crypto.throwaway_keys("stranger").address
    for path in stage.venue.accounts.answers:
        assert stage.read(path, account=stage.account).status == 200
        assert refusal(stage.read(path, account=stranger))[0] == 404
        assert refusal(stage.read(path, account="0x12")) == (400, 400, "Invalid public key")
        assert refusal(stage.read(path)) == (400, 400, "Invalid public key")


@staged
async def test_the_account_counts_fees_profit_and_margin(stage: Stage) -> None:
    await stage.take("bid", "1")
    stage.quote("3010", "3010.2")
    await asyncio.sleep(2)
    stage.quote("3009.9", "3010.1")
    account = stage.mine("/account")
    assert D(account["balance"]) == 100_000 - D("3000") * D("0.0004")
    assert D(account["account_equity"]) == D(account["balance"]) + 10
    assert D(account["total_margin_used"]) == D("3010") / 50
    assert D(account["cross_mmr"]) == D("3010") / 100
    spendable = D(account["account_equity"]) - D(account["total_margin_used"])
    assert D(account["available_to_spend"]) == spendable
    assert (account["positions_count"], account["fee_level"]) == (1, 0)


@staged
async def test_coins_are_told_apart_from_the_balance(stage: Stage) -> None:
    stage.place(**taker("bid", "1", symbol=SPOT))
    await asyncio.sleep(1)
    account = stage.mine("/account")
    [coins] = account["spot_balances"]
    assert (coins["symbol"], coins["amount"]) == ("ETH", "1")
    assert D(account["balance"]) == 97_000 - D("1.2")
    assert D(account["account_equity"]) - D(account["cross_account_equity"]) == D("2999.95")


@staged
async def test_positions_and_fills_say_what_happened(stage: Stage) -> None:
    opened = stage.clock.now_ms() + 200
    await stage.take("ask", "1", client_order_id=cid(1))
    [held] = stage.mine("/positions")
    assert (held["side"], held["amount"], held["entry_price"]) == ("ask", "1", "2999.9")
    assert held["created_at"] == opened
    assert D(held["liquidation_price"]) > 3000
    await stage.take("bid", "1.5")
    [held] = stage.mine("/positions")
    assert (held["side"], held["amount"], held["entry_price"]) == ("bid", "0.5", "3000")
    turned, first = stage.mine("/trades/history")
    assert (first["side"], first["entry_price"], first["pnl"]) == ("open_short", "2999.9", "0")
    assert (turned["side"], turned["entry_price"], turned["pnl"]) == (
        "close_short",
        "2999.9",
        "-0.1",
    )
    assert (first["event_type"], first["client_order_id"]) == ("fulfill_taker", cid(1))
    assert D(first["fee"]) == D("2999.9") * D("0.0004")


@staged
async def test_histories_are_paged_by_cursor_newest_first(stage: Stage) -> None:
    for number in range(7):
        stage.exchange.manual_trade(stage.account, ETH, D(1))
        await asyncio.sleep(0.01)
        assert stage.exchange.fills(stage.account)[-1].trade_id > number
    for path, key in (("/trades/history", "history_id"), ("/orders/history", "order_id")):
        numbers, cursor = [], {}
        for rows in (3, 3, 1):
            page = stage.get(path, account=stage.account, limit=3, **cursor)
            assert len(page["data"]) == rows
            assert page["has_more"] is (rows == 3)
            numbers += [row[key] for row in page["data"]]
            cursor = {"cursor": page["next_cursor"]}
        assert numbers == sorted(set(numbers), reverse=True)
        assert cursor == {"cursor": None}
        assert refusal(stage.read(path, account=stage.account, cursor="0"))[0] == 400
        assert refusal(stage.read(path, account=stage.account, limit="1001"))[0] == 400


@staged
async def test_fills_are_filtered_by_time_and_market(stage: Stage) -> None:
    for _ in range(3):
        stage.exchange.manual_trade(stage.account, ETH, D(1))
        await asyncio.sleep(1)
    times = [row["created_at"] for row in stage.mine("/trades/history")][::-1]
    between = stage.mine("/trades/history", start_time=times[1], end_time=times[1])
    assert [row["created_at"] for row in between] == [times[1]]
    assert stage.mine("/trades/history", symbol="BTC") == []
    assert code(stage.read("/trades/history", account=stage.account, symbol="btc")) == 3


@staged
async def test_the_history_of_an_order_and_of_none(stage: Stage) -> None:
    number = stage.place(amount="1")
    stage.exchange.fill(stage.exchange.orders[str(number)], D("0.4"))
    stage.done(CANCEL, {"symbol": ETH, "order_id": number})
    events = stage.get("/orders/history_by_id", order_id=number)["data"]
    assert [(e["event_type"], e["order_status"], e["cancelled_amount"]) for e in events] == [
        ("cancel", "cancelled", "0.6"),
        ("fulfill_limit", "partially_filled", "0"),
        ("make", "open", "0"),
    ]
    assert [e["filled_amount"] for e in events] == ["0.4", "0.4", "0"]
    reply = stage.read("/orders/history_by_id", order_id=5)
    assert reply.body == {
        "success": False,
        "data": None,
        "error": "Order history not found for order ID: 5",
        "code": 404,
    }


@staged
async def test_stale_and_short_answers(stage: Stage) -> None:
    stage.exchange.remembers = True
    await asyncio.sleep(1)
    before = stage.get("/orders", account=stage.account)["last_order_id"]
    await asyncio.sleep(1)
    for price in ("2990", "2991", "2992"):
        stage.place(price=price)
    stage.exchange.twist = Twist(as_of_ns=stage.clock.now_ns() - 500_000_000)
    late = stage.get("/orders", account=stage.account)
    assert (late["data"], stage.mine("/orders/history")) == ([], [])
    assert late["last_order_id"] < before
    stage.exchange.twist = Twist(page=2)
    page = stage.get("/orders/history", account=stage.account)
    assert (len(page["data"]), page["has_more"]) == (2, True)
    stage.exchange.twist = Twist()


@staged
async def test_leverage_and_margin_mode(stage: Stage) -> None:
    leverage, margin = "/account/leverage", "/account/margin"
    assert stage.mine("/account/settings")["margin_settings"] == []
    assert stage.done(leverage, {"symbol": ETH, "leverage": 10}) == {"success": True}
    assert stage.done(margin, {"symbol": ETH, "is_isolated": True}) == {"success": True}
    [row] = stage.mine("/account/settings")["margin_settings"]
    assert (row["symbol"], row["leverage"], row["isolated"]) == (ETH, 10, True)
    await stage.take("bid", "0.1")
    assert stage.mine("/positions")[0]["isolated"] is True
    assert code(stage.ask(leverage, {"symbol": ETH, "leverage": 5})) == 12, "not downwards"
    assert stage.ask(leverage, {"symbol": ETH, "leverage": 20}).status == 200
    assert code(stage.ask(margin, {"symbol": ETH, "is_isolated": False})) == 12
    for wrong, number in (({"leverage": 51}, 11), ({"leverage": 0}, 11), ({"leverage": "5"}, 400)):
        assert code(stage.ask(leverage, {"symbol": ETH, **wrong})) == number
    assert code(stage.ask(leverage, {"symbol": SPOT, "leverage": 1})) == 109


@staged
async def test_changes_of_settings_are_told(stage: Stage) -> None:
    socket = stage.listen("account_leverage", "account_margin")
    stage.done("/account/leverage", {"symbol": ETH, "leverage": 10})
    stage.done("/account/margin", {"symbol": ETH, "is_isolated": True})
    now = stage.clock.now_ms()
    assert socket.take() == [
        {
            "channel": "account_leverage",
            "data": {"u": stage.account, "s": ETH, "l": 10, "t": now},
        },
        {"channel": "account_margin", "data": {"u": stage.account, "s": ETH, "i": True, "t": now}},
    ]


@staged
async def test_funding_is_paid_and_told(stage: Stage) -> None:
    await stage.take("bid", "1")
    stage.exchange.fund(D("0.0001"), ETH)
    [paid] = stage.mine("/funding/history")
    assert (paid["symbol"], paid["side"], paid["amount"]) == (ETH, "bid", "1")
    assert D(paid["payout"]) == -D("2999.95") * D("0.0001")
    assert D(stage.mine("/positions")[0]["funding"]) == D("-0.299995")


@staged
async def test_the_public_answers(stage: Stage) -> None:
    markets = {row["symbol"]: row for row in stage.get("/info")["data"]}
    assert list(markets) == [ETH, "BTC", "SOL", SPOT]
    assert (markets["BTC"]["tick_size"], markets["BTC"]["lot_size"]) == ("1", "0.00001")
    assert (markets[ETH]["min_order_size"], markets[ETH]["max_leverage"]) == ("10", 50)
    assert (markets[SPOT]["instrument_type"], markets[SPOT]["max_leverage"]) == ("spot", 1)
    [price] = [row for row in stage.get("/info/prices")["data"] if row["symbol"] == ETH]
    assert (price["mark"], price["mid"], price["funding"]) == ("2999.95", "2999.95", "0.0000125")
    stage.trade("3000", "0.5", "buy")
    [trade] = stage.get("/trades", symbol=ETH)["data"]
    assert (trade["price"], trade["amount"], trade["side"]) == ("3000", "0.5", "open_long")
    assert stage.get("/info/fees")["data"][0] == {
        "level": 0,
        "maker_fee_rate": "0.00015",
        "taker_fee_rate": "0.0004",
    }
    [rate] = stage.get("/funding_rate/history", symbol=ETH)["data"]
    assert rate["funding_rate"] == "0.0000125"
    for path in ("/book", "/trades", "/funding_rate/history"):
        assert refusal(stage.read(path, symbol="btc"))[:2] == (422, 3)


@staged
async def test_a_book_has_ten_levels_a_side_and_coarser_grids(stage: Stage) -> None:
    book = stage.get("/book", symbol=ETH)["data"]
    bids, asks = book["l"]
    assert (bids[0], len(bids), len(asks)) == ({"p": "2999.9", "a": "5", "n": 1}, 10, 10)
    [prices] = [[D(level["p"]) for level in side] for side in (bids,)]
    assert prices == sorted(prices, reverse=True)
    bids, asks = stage.get("/book", symbol=ETH, agg_level=10)["data"]["l"]
    assert bids == [{"p": "2999", "a": "50", "n": 1}]
    assert asks == [{"p": "3000", "a": "5", "n": 1}, {"p": "3001", "a": "45", "n": 1}]
    assert code(stage.read("/book", symbol=ETH, agg_level="7")) == 4
    assert code(stage.read("/book", symbol=ETH, agg_level="all")) == 400


# --------------------------------------------------------------------------- sockets: order entry


@staged
async def test_orders_over_the_socket(stage: Stage) -> None:
    wire = stage.connect()
    reply = stage.call(wire, "create_order", order(client_order_id=cid(1)))
    number = reply["data"]["i"]
    assert reply == {
        "code": 200,
        "data": {"I": cid(1), "i": number, "s": ETH},
        "id": CALL_ID,
        "type": "create_order",
        "t": stage.clock.now_ms(),
    }
    edited = stage.call(
        wire, "edit_order", {"symbol": ETH, "order_id": number, "price": "2991", "amount": "0.1"}
    )
    assert (edited["type"], edited["data"]["I"]) == ("edit_order", cid(1))
    by_client = stage.call(wire, "cancel_order", {"symbol": ETH, "client_order_id": cid(1)})
    assert by_client["data"] == {"I": cid(1), "i": None, "s": ETH}
    market = stage.call(wire, "create_market_order", market_order())
    assert (market["code"], market["data"]["I"]) == (200, None)
    batch = stage.call(
        wire,
        "batch_orders",
        stage.batch(
            ("Create", order(client_order_id=cid(2))), ("Cancel", {"symbol": ETH, "order_id": 5})
        ),
    )
    first, second = batch["data"]["results"]
    assert (first["client_order_id"], first["symbol"], second["success"]) == (cid(2), ETH, False)
    everything = {"all_symbols": True, "exclude_reduce_only": False}
    assert stage.call(wire, "cancel_all_orders", everything)["data"] == {"cancelled_count": 2}


@staged
async def test_calls_that_are_refused_have_the_codes_of_the_socket(stage: Stage) -> None:
    wire = stage.connect()
    reply = stage.call(wire, "cancel_order", {"symbol": ETH, "order_id": 5})
    assert reply == {
        "id": CALL_ID,
        "type": "cancel_order",
        "code": 420,
        "err": "Failed to cancel order",
        "t": stage.clock.now_ms(),
    }
    assert stage.call(wire, "create_order", order(), id="7")["code"] == 400
    assert stage.call(wire, "create_order", order(amount="0"))["code"] == 400
    forged = {**stage.signed(PLACE, order()), "amount": "0.2"}
    stranger = Signer(stage.account, crypto.throwaway_keys("stranger").private_key)
    other = stage.signed(PLACE, order(), stranger)
    for body, expected in ((forged, 401), (other, 402)):
        reply = stage.say(wire, {"id": CALL_ID, "params": {"create_order": body}})
        assert reply["code"] == expected
    assert stage.say(wire, {"id": CALL_ID, "params": {"nothing": {}}})["code"] == 400
    assert stage.mine("/orders") == []


@staged
async def test_a_call_stands_for_a_request(stage: Stage) -> None:
    wire = stage.connect(**{"pf-api-key": "key"})
    message = {"id": CALL_ID, "params": {"create_order": stage.signed(PLACE, order())}}
    request = stage.venue.request_of_message(wire, json.dumps(message))
    assert request is not None
    assert (request.method, request.path) == ("POST", "/api/v1/orders/create")
    assert request.headers["pf-api-key"] == "key"
    assert stage.venue.op_of(request) == "place"
    assert stage.routes["POST /api/v1/orders/create"](request).status == 200
    said = stage.venue.describe(request)
    assert (said["side"], said["size"], said["price"]) == ("buy", "0.1", "2990")
    assert said["post_only"] == "true"
    for other in ({"method": "ping"}, {"method": "subscribe", "params": {"source": "prices"}}):
        assert stage.venue.request_of_message(wire, json.dumps(other)) is None


@staged
async def test_refusals_made_for_rest_are_dressed_for_the_socket(stage: Stage) -> None:
    wire = stage.connect()
    text = json.dumps({"id": CALL_ID, "params": {"create_order": stage.signed(PLACE, order())}})
    request = stage.venue.request_of_message(wire, text)
    assert request is not None
    for kind, expected in (("MARGIN", 420), ("AUTH", 401), ("RATE", 429), ("PRECISION", 400)):
        reply = stage.venue.render_reject(request, kind, "")
        wrapped: Any = stage.venue.wrap_reply(wire, text, reply)
        assert (wrapped["id"], wrapped["type"]) == (CALL_ID, "create_order")
        assert (wrapped["code"], wrapped["err"]) == (expected, reply.body["error"])
    outage: Any = stage.venue.wrap_reply(wire, text, SimReply("<html>", 502))
    assert outage["code"] == 502


def test_requests_are_described_for_faults() -> None:
    @staged
    async def check(stage: Stage) -> None:
        ops = {
            "POST /orders/create_market": "place",
            "POST /orders/batch": "place",
            "POST /orders/cancel_all": "cancel",
            "POST /orders/edit": "amend",
            "POST /account/leverage": "leverage",
            "GET /info/prices": "meta",
            "GET /orders": "query_open",
            "GET /orders/history_by_id": "query_order",
            "GET /trades/history": "query_fills",
            "GET /positions": "query_positions",
            "GET /account": "query_balance",
            "GET /elsewhere": "",
        }
        for call, op in ops.items():
            method, path = call.split()
            assert stage.venue.op_of(SimRequest(method, f"/api/v1{path}")) == op
        body = json.dumps(stage.batch(("Create", order("ask", reduce_only=True)))).encode()
        said = stage.venue.describe(SimRequest("POST", "/api/v1/orders/batch", body=body))
        assert (said["side"], said["reduce_only"]) == ("sell", "true")
        for wrong in (b"{", b"7", b'{"actions":[]}', b'{"actions":[7]}'):
            said = stage.venue.describe(SimRequest("POST", "/api/v1/orders/batch", body=wrong))
            assert (said["side"], said["post_only"]) == ("", "false")
        request = SimRequest("POST", "/api/v1/orders/create")
        assert stage.venue.render_reject(request, "MARGIN", "62").body["code"] == 62

    check()


# --------------------------------------------------------------------------- sockets: streams


@staged
async def test_subscriptions_are_acknowledged_before_their_snapshot(stage: Stage) -> None:
    wire = stage.connect()
    for source, params in (("book", {"symbol": ETH, "agg_level": 10}), (POSITIONS, {})):
        assert stage.subscribe(wire, source, **params) is None
        ack, snapshot = wire.take()
        owned = {"account": stage.account} if source == POSITIONS else {}
        assert ack == {"channel": "subscribe", "data": {"source": source, **params, **owned}}
        assert snapshot["channel"] == source
    assert wire.private
    stage.subscribe(wire, "account_info")
    assert wire.take()[0]["data"]["full"] is False
    for quiet in (UPDATES, TRADES, "trades"):
        stage.subscribe(wire, quiet, **({"symbol": ETH} if quiet == "trades" else {}))
        assert len(wire.take()) == 1, "no snapshot"


@staged
async def test_unsubscribing_ends_it(stage: Stage) -> None:
    socket = stage.listen("bbo", symbol=ETH)
    params = {"source": "bbo", "symbol": ETH}
    assert stage.say(socket, {"method": "unsubscribe", "params": params}) is None
    assert socket.take() == [{"channel": "unsubscribe", "data": params}]
    stage.quote("3001", "3001.1")
    await asyncio.sleep(1)
    assert socket.take() == []


@staged
async def test_wrong_frames_are_answered_with_an_error(stage: Stage) -> None:
    wire = stage.connect()
    assert stage.say(wire, {"method": "ping"}) == {"channel": "pong"}
    for wrong in (
        {"op": "ping"},
        {"method": "subscribe", "params": "prices"},
        {"method": "subscribe", "params": {"source": "nothing"}},
        {"method": "subscribe", "params": {"source": "book", "symbol": ETH, "agg_level": True}},
        {"method": "subscribe", "params": {"source": POSITIONS}},
        7,
    ):
        assert stage.say(wire, wrong)["code"] == 400
    assert stage.venue.accept_message(wire, "{")["code"] == 400
    unknown = {"source": "bbo", "symbol": "eth"}
    assert stage.say(wire, {"method": "subscribe", "params": unknown})["code"] == 420
    assert (wire.take(), wire.topics) == ([], {})


@staged
async def test_a_connection_has_twenty_subscriptions_of_a_channel(stage: Stage) -> None:
    for number in range(25):
        stage.exchange.open_owner(f"owner {number} of the crowd")
    accounts = list(stage.exchange.accounts)
    wire = stage.connect()
    for account in accounts[:20]:
        assert stage.subscribe(wire, POSITIONS, account=account) is None
    assert stage.subscribe(wire, POSITIONS, account=accounts[20])["code"] == 400
    assert stage.subscribe(wire, POSITIONS, account=accounts[0]) is None, "it is there already"
    assert stage.subscribe(wire, UPDATES, account=accounts[20]) is None, "another channel"
    stage.say(
        wire,
        {"method": "unsubscribe", "params": {"source": POSITIONS, "account": accounts[0]}},
    )
    assert stage.subscribe(wire, POSITIONS, account=accounts[20]) is None


@staged
async def test_an_address_has_three_hundred_sockets(stage: Stage) -> None:
    wires = [stage.connect() for _ in range(300)]
    reply = stage.venue.accept_ws(wires[0])
    assert reply is not None
    assert reply.status == 429
    stage.venue.close_ws(wires[0])
    assert stage.connect().open


@staged
async def test_a_fill_is_told_in_order_with_rising_numbers(stage: Stage) -> None:
    socket = stage.listen("account_info", POSITIONS, TRADES, UPDATES, "account_orders")
    await stage.take("bid", "5.5", client_order_id=cid(1))
    frames = socket.take()
    assert [frame["channel"] for frame in frames] == [
        UPDATES,
        TRADES,
        UPDATES,
        TRADES,
        POSITIONS,
        "account_orders",
        "account_info",
    ]
    first, last = told(frames, UPDATES)
    assert (first["f"], first["os"], last["f"], last["os"]) == (
        "5",
        "partially_filled",
        "5.5",
        "filled",
    )
    assert (last["I"], last["u"], last["lp"]) == (cid(1), stage.account, "3000.1")
    assert (first["p"], last["p"]) == ("3000", "3000.009091")
    assert [fill["a"] for fill in told(frames, TRADES)] == ["5", "0.5"]
    [position] = frames[4]["data"]
    assert (position["d"], position["a"], position["p"]) == ("bid", "5.5", "3000.009091")
    numbers = [frame.get("li") or frame["data"][0]["li"] for frame in frames[:-1]]
    assert all(later > one for one, later in pairwise(numbers))


@staged
async def test_positions_are_told_as_whole_lists(stage: Stage) -> None:
    socket = stage.listen(POSITIONS)
    await stage.take("bid", "1", symbol=ETH)
    await stage.take("ask", "1")
    assert [[row["a"] for row in frame["data"]] for frame in socket.take()] == [["1"], []]


@staged
async def test_a_maker_fill_is_fulfill_limit_by_stream_and_by_history(stage: Stage) -> None:
    socket = stage.listen(UPDATES, TRADES)
    stage.place("ask", "1", price="3000.5")
    stage.trade("3001", "1", "buy")
    await asyncio.sleep(1)
    frames = socket.take()
    assert words(frames) == [("make", "open", "0"), ("fulfill_limit", "filled", "1")]
    [fill] = told(frames, TRADES)
    assert (fill["te"], fill["ts"], fill["p"]) == ("fulfill_maker", "open_short", "3000.5")
    [past] = stage.mine("/trades/history")
    assert past["history_id"] == fill["h"]


@staged
async def test_a_liquidation_is_told_with_its_cause(stage: Stage) -> None:
    await stage.take("bid", "1")
    socket = stage.listen(TRADES, POSITIONS)
    stage.exchange.liquidate(stage.account, ETH)
    await asyncio.sleep(0.1)
    frames = socket.take()
    [fill] = told(frames, TRADES)
    assert (fill["tc"], fill["ts"]) == ("market_liquidation", "close_long")
    assert frames[-1]["data"] == []


@staged
async def test_an_order_that_ends_after_its_answer(stage: Stage) -> None:
    socket = stage.listen(UPDATES)
    stage.exchange.twist = Twist(fate=(OrderStatus.REJECTED, 0.5))
    stage.place()
    stage.exchange.twist = Twist()
    await asyncio.sleep(1)
    assert words(socket.take()) == [
        ("make", "open", "0"),
        ("post_only_rejected", "rejected", "0"),
    ]


@staged
async def test_late_reports_are_told_as_they_were(stage: Stage) -> None:
    socket = stage.listen(UPDATES, TRADES)
    number = stage.place(amount="1")
    stage.exchange.report_delay = 1.0
    truth = stage.exchange.orders[str(number)]
    for size in ("0.25", "0.75"):
        stage.exchange.fill(truth, D(size))
    stage.exchange.report_delay = 0.0
    await asyncio.sleep(0.5)
    assert words(socket.take()) == [("make", "open", "0")]
    assert len(stage.mine("/trades/history")) == 2
    await asyncio.sleep(1)
    assert words(socket.take()) == [
        ("fulfill_limit", "partially_filled", "0.25"),
        ("fulfill_limit", "filled", "1"),
    ]


@staged
async def test_the_book_comes_whole_at_its_pace(stage: Stage) -> None:
    socket = stage.listen("book", symbol=ETH)
    started = stage.clock.now_ms()
    for _ in range(10):
        stage.quote("2999.8", "3000")
        await asyncio.sleep(0.05)
        stage.quote("2999.9", "3000")
        await asyncio.sleep(0.05)
    frames = [frame["data"] for frame in socket.take()]
    assert all(len(side) == 10 for frame in frames for side in frame["l"])
    assert all(later["li"] > one["li"] for one, later in pairwise(frames))
    paces = [250, 500, 750, 1000]
    for frame, pace in zip(frames, paces, strict=True):
        assert abs(frame["t"] - started - pace) <= 1


@staged
async def test_the_best_level_is_told_when_it_changes(stage: Stage) -> None:
    socket = stage.listen("bbo", symbol=ETH)
    stage.quote("3001", "3001.1", size="3")
    await asyncio.sleep(1)
    [frame] = socket.take()
    best = frame["data"]
    assert (best["b"], best["B"], best["a"], best["A"]) == ("3001", "3", "3001.1", "3")
    assert best["i"] == best["li"]
    stage.exchange.thin(D(0), "sell", ETH)
    await asyncio.sleep(1)
    assert socket.take()[-1]["data"]["a"] == "0"


@staged
async def test_prices_and_trades_are_told(stage: Stage) -> None:
    socket = stage.listen("prices", "trades", symbol=ETH)
    stage.trade("3000", "0.5", "sell")
    await asyncio.sleep(2)
    stage.quote("3001", "3001.1")
    await asyncio.sleep(0.1)
    frames = socket.take()
    [trade] = told(frames, "trades")
    assert (trade["p"], trade["a"], trade["d"], trade["tc"]) == (
        "3000",
        "0.5",
        "open_short",
        "normal",
    )
    prices = [frame["data"] for frame in frames if frame["channel"] == "prices"][-1]
    assert {row["symbol"] for row in prices} == {ETH, "BTC", "SOL", SPOT}
    assert next(row["mark"] for row in prices if row["symbol"] == ETH) == "3001.05"


# --------------------------------------------------------------------------- through the server


def served(test: Any, **options: Any) -> None:
    """Run a test with a venue on a port, a client session, and virtual time."""

    async def play() -> None:
        options.setdefault("latency", NO_LATENCY)
        async with (
            await run.start(["pacifica"], **options) as running,
            aiohttp.ClientSession() as session,
        ):
            await test(running, session)

    run_virtual(play())


def test_answers_say_what_is_left_of_the_credits() -> None:
    async def check(running: run.Running, session: aiohttp.ClientSession) -> None:
        rest = running.endpoints["pacifica"]["rest"]
        async with session.get(f"{rest}/info") as answer:
            assert answer.headers["ratelimit"] == '"credits";r=990;t=1'
            assert answer.headers["ratelimit-policy"] == '"credits";q=1000;w=60'
        account = running.credentials["pacifica"]["account"]
        query = {"account": account, "limit": "1000"}
        async with session.get(f"{rest}/trades/history", params=query) as answer:
            assert answer.headers["ratelimit"].startswith('"credits";r=87')
        async with session.get(f"{rest}/nowhere") as answer:
            assert (answer.status, (await answer.json())["error"]) == (404, "Not Found")
        for _ in range(100):
            async with session.get(f"{rest}/info/prices") as answer:
                body, status, headers = await answer.json(), answer.status, answer.headers
            if status == 429:
                break
        assert (status, body["code"], body["error"]) == (429, 429, "Rate limit exceeded")
        assert headers["ratelimit"].endswith("t=60")
        assert "Retry-After" not in headers
        await asyncio.sleep(1)
        async with session.get(f"{rest}/info") as answer:
            assert answer.status == 200

    served(check)


@staged
async def test_what_requests_cost(stage: Stage) -> None:
    key = stage.done("/account/api_keys/create", {}, stage.owner)["data"]["api_key"]
    history = "/api/v1/orders/history"
    for headers, scope, costs in (
        ({}, ("address", "127.0.0.1"), (10, 5, 30, 120)),
        ({"pf-api-key": key}, ("key", key), (10, 5, 10, 40)),
        ({"pf-api-key": "made up"}, ("address", "127.0.0.1"), (10, 5, 30, 120)),
    ):
        requests = (
            SimRequest("GET", "/api/v1/info", headers=headers),
            SimRequest("POST", "/api/v1/orders/cancel", headers=headers),
            SimRequest("GET", history, headers=headers),
            SimRequest("GET", history, "limit=1000", headers=headers),
        )
        for request, cost in zip(requests, costs, strict=True):
            assert stage.venue.scope_of(request) == (*scope, cost)


def test_a_key_raises_the_limit_and_is_told_on_the_socket() -> None:
    async def check(running: run.Running, session: aiohttp.ClientSession) -> None:
        venue: Any = running.venues["pacifica"]
        account = running.credentials["pacifica"]["account"]
        key = venue.accounts.create_api_key(account, {})["api_key"]
        message = {"id": CALL_ID, "params": {"cancel_order": {}}}
        for headers, left in (({"PF-API-KEY": key}, {"r": 2995, "q": 3000, "t": 1}), ({}, None)):
            url = running.endpoints["pacifica"]["ws"]
            async with session.ws_connect(url, headers=headers) as socket:
                await socket.send_json(message)
                reply = await socket.receive_json()
                assert (reply["code"], reply.get("rl")) == (402, left)

    served(check)


def test_a_silent_client_is_disconnected_after_a_minute_and_any_after_a_day() -> None:
    async def check(running: run.Running, session: aiohttp.ClientSession) -> None:
        url, clock = running.endpoints["pacifica"]["ws"], running.clock
        async with session.ws_connect(url) as socket:
            await asyncio.sleep(30)
            await socket.send_json({"method": "ping"})
            assert await socket.receive_json() == {"channel": "pong"}
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
            assert 89.9 < clock.monotonic() < 91
        begun = clock.monotonic()
        async with session.ws_connect(url) as socket:
            while True:
                await socket.send_json({"method": "ping"})
                message = await socket.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                await asyncio.sleep(50)
            assert 86_400 <= clock.monotonic() - begun < 86_460

    served(check, coins=())


def test_the_answer_comes_before_what_it_causes() -> None:
    async def check(running: run.Running, session: aiohttp.ClientSession) -> None:
        keys = running.credentials["pacifica"]
        signer = Signer(keys["account"], keys["private_key"])
        async with session.ws_connect(running.endpoints["pacifica"]["ws"]) as socket:
            for source in (UPDATES, POSITIONS):
                params = {"source": source, "account": keys["account"]}
                await socket.send_json({"method": "subscribe", "params": params})
            for _ in range(3):
                await socket.receive_json()
            for number, sent in enumerate((order(), market_order())):
                name = "create_market_order" if number else "create_order"
                body = signer.body(name, sent, running.clock.now_ms())
                await socket.send_json({"id": CALL_ID, "params": {name: body}})
                reply, update = [await socket.receive_json() for _ in range(2)]
                assert reply["code"] == 200
                assert update["data"][0]["i"] == reply["data"]["i"]

    served(check, latency=LatencyModel())


def test_a_lost_session_and_refusals_by_fault() -> None:
    async def check(running: run.Running, session: aiohttp.ClientSession) -> None:
        rest = running.endpoints["pacifica"]["rest"]
        keys = running.credentials["pacifica"]
        signer = Signer(keys["account"], keys["private_key"])

        async def place() -> tuple[int, Any]:
            body = signer.body("create_order", order(), running.clock.now_ms())
            async with session.post(f"{rest}{PLACE}", json=body) as answer:
                return answer.status, await answer.json()

        running.faults.add("P.place.nth(1) -> reject(MARGIN)")
        status, refused = await place()
        assert (status, refused["code"], refused["error"]) == (422, 5, "Insufficient balance")
        running.venues["pacifica"].expire_sessions()
        status, refused = await place()
        assert (status, refused["error_id"]) == (400, "signature_verification_failed")
        assert (await place())[0] == 200

    served(check)


def test_the_same_seed_tells_the_same_story() -> None:
    def story(seed: int) -> list[Any]:
        told_frames: list[Any] = []

        async def check(running: run.Running, session: aiohttp.ClientSession) -> None:
            async with session.ws_connect(running.endpoints["pacifica"]["ws"]) as socket:
                params = {"source": "bbo", "symbol": ETH}
                await socket.send_json({"method": "subscribe", "params": params})
                told_frames.extend([await socket.receive_json() for _ in range(20)])

        served(check, seed=seed, latency=LatencyModel())
        return told_frames

    first = story(5)
    assert first == story(5)
    assert first != story(random.Random(5).randrange(10, 100))

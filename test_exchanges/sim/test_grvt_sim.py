"""The simulated GRVT against the venue's rules: checks, order life, queries, streams."""

from __future__ import annotations

import asyncio
import functools
import json
import re
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sim.grvt_stage import DAY_NS, ETH, Stage, sign, sign_order

from mpdex.sim import evm
from mpdex.sim.exchange import Twist
from mpdex.sim.run import Running, start
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues import grvt_crypto as crypto
from mpdex.sim.venues import grvt_render as render
from mpdex.sim.venues import grvt_wire as wire
from mpdex.types import OrderStatus
from mpdex.utils.virtual_loop import run_virtual

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "grvt.json"
CREATES = [
    case
    for case in json.loads(VECTORS.read_text())["cases"]
    if case["input"]["operation"] == "create_order"
]
OTHER_KEY = "0x" + "07" * 32
BUMP = 0.026  # seconds until an order that may take has been decided


def staged(test: Callable[[Stage], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on a stage, in virtual time."""

    async def play() -> None:
        stage = Stage()
        try:
            await test(stage)
        finally:
            stage.timers.close()
            stage.exchange.close()

    @functools.wraps(test)
    def run() -> None:
        run_virtual(play())

    del run.__wrapped__  # type: ignore[attr-defined]  # pytest would see the argument
    return run


def code(reply: SimReply) -> int:
    """Code of an error answer, which has exactly three fields and its own HTTP status."""
    assert set(reply.body) == {"code", "message", "status"}, reply.body
    assert reply.status == reply.body["status"]
    number: int = reply.body["code"]
    return number


# --------------------------------------------------------------------------- signatures


@pytest.mark.parametrize("case", CREATES, ids=lambda case: case["name"])
def test_digest_and_signer_of_the_sdks_vectors(case: dict[str, Any]) -> None:
    expected, message = case["expected"], case["expected"]["message"]
    payload = expected["payload"]
    order = wire.parse_order(payload.get("params", payload)["order"])
    legs = [
        (leg["assetID"], leg["contractSize"], leg["limitPrice"], leg["isBuyingContract"])
        for leg in message["legs"]
    ]
    fee = crypto.scaled(order.builder_fee, 4)
    assert fee is not None
    signature = order.signature
    digest = crypto.order_digest(
        chain_id=case["input"]["chain_id"],
        sub_account_id=order.sub_account_id,
        is_market=order.is_market,
        time_in_force=crypto.TIME_IN_FORCE[order.time_in_force],
        post_only=order.post_only,
        reduce_only=order.reduce_only,
        legs=legs,
        nonce=signature.nonce,
        expiration=signature.expiration,
        builder=(int(order.builder, 16), fee) if order.builder else None,
    )
    assert "0x" + digest.hex() == expected["digest"]
    assert signature.error == 0
    signer = evm.recover(digest, signature.r, signature.s, signature.v)
    assert signer == expected["signature"]["signer"].lower()
    assert evm.address_of(int(case["input"]["private_key"], 16)) == signer


def test_the_curve_computed_here_agrees_with_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    signature = CREATES[0]["expected"]["signature"]
    digest = bytes.fromhex(CREATES[0]["expected"]["digest"][2:])
    r, s, v = int(signature["r"], 16), int(signature["s"], 16), signature["v"]
    by_library = evm.recover(digest, r, s, v)
    monkeypatch.setattr(evm, "coincurve", None)
    assert evm.recover(digest, r, s, v) == by_library == signature["signer"].lower()
    assert evm.recover(digest, r, s, 55 - v) not in (None, by_library)
    assert evm.recover(digest, 0, s, v) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("0E-9", "0"), ("0.010000000", "0.01"), ("1.00E-7", "0.0000001"), (None, "0"), ("", "0")],
)
def test_numbers_are_read_in_any_notation(text: str | None, value: str) -> None:
    assert wire.parse_number(text) == Decimal(value)


@pytest.mark.parametrize("value", ["x", "NaN", "Infinity", True, [], {}])
def test_what_is_no_number_is_malformed(value: Any) -> None:
    with pytest.raises(wire.Refusal) as caught:
        wire.parse_number(value)
    assert caught.value.code == 1003


@pytest.mark.parametrize(
    ("value", "text"),
    [("70000", "70000.0"), ("0.0", "0.0"), ("1E-7", "0.0000001"), ("2.50", "2.5"), ("-3", "-3.0")],
)
def test_numbers_are_written_plainly_with_a_decimal_place(value: str, text: str) -> None:
    assert render.number(Decimal(value)) == text


# --------------------------------------------------------------------------- sessions


@staged
async def test_login_gives_cookie_and_account_header(stage: Stage) -> None:
    reply = stage.login()
    cookie = reply.headers["Set-Cookie"]
    assert reply.body["status"] == "success"
    assert re.search(r"Expires=\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT;", cookie)
    assert cookie.startswith("gravity=")
    assert "Max-Age=86400" in cookie
    assert stage.trades("positions") == {"result": []}


@staged
async def test_a_wrong_api_key_is_a_failure_with_status_200(stage: Stage) -> None:
    reply = stage.post("/edge/auth/api_key/login", {"api_key": "wrong"})
    assert (reply.status, reply.body["status"]) == (200, "failure")
    assert "Set-Cookie" not in reply.headers


@staged
async def test_a_session_needs_both_headers_and_ends(stage: Stage) -> None:
    path, body = "/trades/full/v1/positions", {"sub_account_id": stage.account}
    assert code(stage.post(path, body, {})) == 1000
    assert code(stage.post(path, body, {"cookie": stage.headers["cookie"]})) == 1000
    assert code(stage.post(path, {"sub_account_id": "1"})) == 1001
    await asyncio.sleep(86_401)
    assert code(stage.post(path, body)) == 1000
    stage.login()
    stage.venue.expire_sessions()
    assert code(stage.post(path, body)) == 1000


@staged
async def test_a_socket_keeps_the_session_it_was_opened_with(stage: Stage) -> None:
    socket = stage.connect()
    stage.venue.expire_sessions()
    stage.login()
    answer = stage.call(socket, "v1/positions", {"sub_account_id": stage.account}, id=4)
    assert answer["error"]["code"] == 1000
    assert set(answer["error"]) == {"code", "message"}
    assert (answer["id"], answer["method"]) == (4, "v1/positions")
    assert stage.call(stage.connect(), "v1/positions", {"sub_account_id": stage.account})[
        "result"
    ] == {"result": []}


@staged
async def test_bodies_that_are_no_object_are_malformed(stage: Stage) -> None:
    path = "/trades/full/v1/positions"
    assert code(stage.post(path, None)) == 1003
    assert code(stage.post(path, [])) == 1003
    form = {**stage.headers, "content-type": "application/x-www-form-urlencoded"}
    assert code(stage.post(path, {}, form)) == 1003


# --------------------------------------------------------------------------- checks of an order


CHECKS: list[tuple[str, dict[str, Any], int]] = [
    ("sub-account", {"sub_account_id": "99"}, 2003),
    ("order id", {"order_id": "0x01"}, 2010),
    ("client id missing", {"metadata": {}}, 2011),
    ("post-only with IOC", {"time_in_force": "IMMEDIATE_OR_CANCEL"}, 2032),
    ("unknown time in force", {"time_in_force": "GTC"}, 2030),
    (
        "market with price",
        {"is_market": True, "time_in_force": "FILL_OR_KILL", "post_only": False},
        2020,
    ),
    ("market that rests", {"is_market": True, "post_only": False, "price": "0"}, 2030),
    ("size under minimum", {"size": "0.001"}, 2062),
    ("size granularity", {"size": "0.015"}, 2065),
    ("tick", {"price": "2990.001"}, 2064),
    ("no price", {"price": "0"}, 2021),
    ("notional", {"size": "0.01", "price": "400.0"}, 2066),
    ("expired", {"expiration": 1}, 2001),
    ("too far ahead", {"expiration": 2**62}, 2008),
    ("foreign signer", {"key": OTHER_KEY}, 2000),
    ("other chain signed", {"chain_id": 326}, 2002),
    ("band", {"price": "3200.0"}, 7201),
    ("reduce without position", {"reduce_only": True}, 2400),
    ("flag as text", {"post_only": "true"}, 1003),
]


@pytest.mark.parametrize(
    ("changes", "expected"), [c[1:] for c in CHECKS], ids=[c[0] for c in CHECKS]
)
def test_each_check_has_its_code(changes: dict[str, Any], expected: int) -> None:
    async def check(stage: Stage) -> None:
        reply = stage.create(stage.order(**dict(changes)))
        assert code(reply) == expected

    staged(check)()


@staged
async def test_margin_is_checked(stage: Stage) -> None:
    stage.exchange.set_leverage(stage.account, ETH, Decimal(1))
    assert code(stage.create(stage.order(size="900.0"))) == 2080


def _bend(order: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**order, "signature": {**order["signature"], **changes}}


@staged
async def test_the_form_of_a_signature_is_checked_before_it_is_recovered(stage: Stage) -> None:
    order = stage.order()
    high = evm.N - int(order["signature"]["s"], 16)
    assert code(stage.create(_bend(order, v=0))) == 2005
    assert code(stage.create(_bend(order, r="0x12"))) == 2006
    assert code(stage.create(_bend(order, s=f"0x{high:064x}"))) == 2007
    assert code(stage.create(_bend(order, chain_id="326"))) == 1012
    assert code(stage.create(_bend(order, nonce=order["signature"]["nonce"] + 1))) == 2002
    assert code(stage.create(_bend(order, nonce="1"))) == 1003
    assert code(stage.create(_bend(order, signer="0x" + "11" * 20))) == 2002
    assert stage.create(_bend(order, chain_id="325")).status == 200


@staged
async def test_what_is_signed_is_what_is_sent(stage: Stage) -> None:
    order = stage.order()
    leg = {**order["legs"][0], "limit_price": "2991.0"}
    assert code(stage.create({**order, "legs": [leg]})) == 2002
    assert code(stage.create({**order, "reduce_only": True})) == 2002
    same = {**order["legs"][0], "limit_price": "2990", "size": "0.100000000"}
    assert stage.create({**order, "legs": [same]}).status == 200


@staged
async def test_instrument_and_legs(stage: Stage) -> None:
    order = stage.order()
    leg = order["legs"][0]
    assert code(stage.create({**order, "legs": [{**leg, "instrument": "X_USDT_Perp"}]})) == 2061
    assert code(stage.create({**order, "legs": [leg, leg]})) == 2042
    assert code(stage.create({**order, "legs": []})) == 2040
    assert code(stage.create({**order, "legs": None})) == 1003


@staged
async def test_a_client_id_is_unique_while_its_order_lives(stage: Stage) -> None:
    first = stage.order()
    assert stage.create(first).status == 200
    again = stage.order(metadata=first["metadata"])
    assert code(stage.create(again)) == 2012
    stage.trades("cancel_order", client_order_id=first["metadata"]["client_order_id"])
    assert stage.create(again).status == 200


@staged
async def test_the_same_signed_payload_makes_one_order(stage: Stage) -> None:
    order = stage.order()
    answers = [stage.create(order) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert len(stage.trades("open_orders")["result"]) == 1
    stage.trades("cancel_order", client_order_id=order["metadata"]["client_order_id"])
    assert stage.create(order).status == 200
    assert stage.trades("open_orders")["result"] == []


@staged
async def test_null_is_absent(stage: Stage) -> None:
    order = stage.order(order_id=None, state=None)
    order["metadata"] |= {"create_time": None, "trigger": None, "broker": None}
    assert stage.create(order).status == 200


# --------------------------------------------------------------------------- life of an order


@staged
async def test_a_create_is_answered_pending_before_anything_else(stage: Stage) -> None:
    socket = stage.connect()
    for stream in ("v1.order", "v1.state"):
        stage.listen(socket, stream, stage.account)
    order = stage.order()
    answer = stage.call(socket, "v1/create_order", {"order": order}, id=9)
    shown = answer["result"]["result"]
    assert socket.take() == []
    assert (shown["order_id"], shown["state"]["status"]) == ("0x00", "PENDING")
    assert shown["state"]["book_size"] == ["0.1"]
    await asyncio.sleep(0.001)
    state, whole = socket.take()
    assert state["feed"]["order_state"]["status"] == "OPEN"
    assert whole["feed"]["state"]["status"] == "OPEN"
    assert whole["feed"]["order_id"] == state["feed"]["order_id"] != "0x00"
    assert len(whole["feed"]["order_id"]) == 34
    assert whole["feed"]["metadata"]["create_time"] == shown["metadata"]["create_time"]


@staged
async def test_a_post_only_order_that_crosses_is_rejected_after_the_answer(stage: Stage) -> None:
    socket = stage.connect()
    stage.listen(socket, "v1.order", f"{stage.account}-{ETH}")
    order = stage.order(price="3000.0")
    assert stage.create(order).body["result"]["state"]["status"] == "PENDING"
    await asyncio.sleep(0.001)
    (frame,) = socket.take()
    assert frame["feed"]["state"]["status"] == "REJECTED"
    assert frame["feed"]["state"]["reject_reason"] == "FAIL_POST_ONLY"
    assert stage.state(order) == ("REJECTED", "FAIL_POST_ONLY")
    assert stage.trades("open_orders")["result"] == []


@staged
async def test_only_post_only_orders_skip_the_speed_bump(stage: Stage) -> None:
    resting, crossing = stage.order(), stage.taker()
    stage.create(resting)
    stage.create(crossing)
    assert stage.state(resting)[0] == "OPEN"
    assert stage.state(crossing)[0] == "PENDING"
    await asyncio.sleep(0.024)
    assert stage.state(crossing)[0] == "PENDING"
    await asyncio.sleep(0.002)
    assert stage.state(crossing) == ("FILLED", "UNSPECIFIED")


@pytest.mark.parametrize(
    ("changes", "status", "reason", "filled"),
    [
        ({"size": "8.0", "price": "3000.0"}, "CANCELLED", "IOC_CANCEL", "5.0"),
        (
            {"size": "8.0", "price": "3000.0", "time_in_force": "FILL_OR_KILL"},
            "CANCELLED",
            "FOK_CANCEL",
            "0.0",
        ),
        (
            {"size": "70.0", "is_market": True, "price": "0E-9"},
            "CANCELLED",
            "MARKET_CANCEL",
            "50.0",
        ),
        ({"size": "3.0", "is_market": True, "price": "0"}, "FILLED", "UNSPECIFIED", "3.0"),
        (
            {"size": "8.0", "metadata": {"client_order_id": "5", "slippage_bps": "0.05"}},
            "CANCELLED",
            "IOC_CANCEL",
            "5.0",
        ),
    ],
    ids=["ioc", "fok", "market too large", "market", "slippage cap"],
)
def test_how_taking_orders_end(
    changes: dict[str, Any], status: str, reason: str, filled: str
) -> None:
    async def check(stage: Stage) -> None:
        order = stage.taker(**dict(changes))
        assert stage.create(order).status == 200
        await asyncio.sleep(BUMP)
        assert stage.state(order) == (status, reason)
        id = order["metadata"]["client_order_id"]
        state = stage.trades("order", client_order_id=id)["result"]["state"]
        assert state["traded_size"] == [filled]
        assert state["book_size"] == ["0.0"]

    staged(check)()


@staged
async def test_a_partial_fill_stays_open_and_expiry_ends_it(stage: Stage) -> None:
    socket = stage.connect()
    stage.listen(socket, "v1.state", stage.account)
    order = stage.order(size="1.0", price="2999.99", expiration=stage.clock.now_ns() + 10**10)
    stage.create(order)
    await asyncio.sleep(0.001)
    stage.trade("2999.99", "5.4", "sell")
    states = [frame["feed"]["order_state"] for frame in socket.take()]
    assert [state["status"] for state in states] == ["OPEN", "OPEN"]
    assert (states[1]["traded_size"], states[1]["book_size"]) == (["0.4"], ["0.6"])
    assert states[1]["avg_fill_price"] == ["2999.99"]
    await asyncio.sleep(11)
    assert stage.state(order) == ("CANCELLED", "EXPIRED")


@staged
async def test_every_cancel_is_acknowledged(stage: Stage) -> None:
    socket = stage.connect()
    stage.listen(socket, "v1.state", stage.account)
    stage.listen(socket, "v1.cancel", stage.account)
    order = stage.order()
    stage.create(order)
    id = order["metadata"]["client_order_id"]
    for _ in range(2):
        assert stage.trades("cancel_order", client_order_id=id) == {"result": {"ack": True}}
    assert stage.trades("cancel_order", order_id="0x0101")["result"]["ack"] is True
    assert stage.state(order) == ("CANCELLED", "CLIENT_CANCEL")
    await asyncio.sleep(0.2)
    frames = socket.take()
    assert [f["feed"]["order_state"]["status"] for f in frames if f["stream"] == "v1.state"] == [
        "OPEN",
        "CANCELLED",
    ]
    (missed,) = [frame["feed"] for frame in frames if frame["stream"] == "v1.cancel"]
    assert (missed["client_order_id"], missed["cancel_status"]) == (id, "EXPIRED")


@staged
async def test_a_cancel_waits_for_its_order(stage: Stage) -> None:
    order = stage.order()
    id = order["metadata"]["client_order_id"]
    stage.trades("cancel_order", client_order_id=id, time_to_live_ms="500")
    await asyncio.sleep(0.3)
    assert stage.create(order).status == 200
    assert stage.state(order) == ("CANCELLED", "CLIENT_CANCEL")
    late = stage.order()
    stage.trades("cancel_order", client_order_id=late["metadata"]["client_order_id"])
    await asyncio.sleep(0.15)
    stage.create(late)
    assert stage.state(late)[0] == "OPEN"


@staged
async def test_cancels_that_are_refused(stage: Stage) -> None:
    path, who = "/trades/full/v1/cancel_order", {"sub_account_id": stage.account}
    assert code(stage.post(path, who)) == 3021
    late = {**who, "client_order_id": "1", "time_to_live_ms": "5100"}
    assert code(stage.post(path, late)) == 2301


@staged
async def test_cancel_all_takes_filters(stage: Stage) -> None:
    orders = [stage.order(), stage.order("sell", price="3050.0")]
    for order in orders:
        stage.create(order)
    stage.trades("cancel_all_orders", base=["BTC"])
    assert len(stage.trades("open_orders")["result"]) == 2
    stage.trades("cancel_all_orders", kind=["PERPETUAL"], base=["ETH"], quote=["USDT"])
    assert stage.trades("open_orders")["result"] == []


@staged
async def test_the_dead_man_switch_fires_unless_armed_again(stage: Stage) -> None:
    order = stage.order()
    stage.create(order)
    stage.trades("cancel_on_disconnect", countdown_time="2999")
    await asyncio.sleep(1.5)
    stage.trades("cancel_on_disconnect", countdown_time="2000")
    await asyncio.sleep(1.9)
    assert stage.state(order)[0] == "OPEN"
    await asyncio.sleep(0.2)
    assert stage.state(order) == ("CANCELLED", "CLIENT_CANCEL_ON_DISCONNECT_TRIGGERED")
    second = stage.order()
    stage.create(second)
    stage.trades("cancel_on_disconnect", countdown_time="2000")
    stage.trades("cancel_on_disconnect", countdown_time="0")
    await asyncio.sleep(5)
    assert stage.state(second)[0] == "OPEN"
    body = {"sub_account_id": stage.account, "countdown_time": "300001"}
    assert code(stage.post("/trades/full/v1/cancel_on_disconnect", body)) == 6000


@staged
async def test_bulk_cancels_first_then_creates(stage: Stage) -> None:
    first = stage.order()
    stage.create(first)
    second = stage.order(price="2991.0")
    body = {
        "sub_account_id": stage.account,
        "orders": [second],
        "client_order_i_ds": [first["metadata"]["client_order_id"]],
    }
    path = "/trades/full/v2/bulk_orders"
    answer = stage.post(path, body).body
    assert answer["cancel_acks"] == [{"ack": True}]
    assert answer["orders"][0]["order_id"] == "0x00"
    assert answer["orders"][0]["state"]["book_size"] is None
    assert stage.state(first)[0] == "CANCELLED"
    assert stage.state(second)[0] == "OPEN"
    assert code(stage.post(path, {"orders": []})) == 1001
    both = {**body, "order_i_ds": ["0x01"]}
    assert code(stage.post(path, both)) == 2233


@staged
async def test_the_fault_that_refuses_post_only_speaks_by_the_stream(stage: Stage) -> None:
    order = stage.order()
    path = "/trades/full/v1/create_order"
    request = SimRequest(
        "POST", path, headers=stage.headers, body=json.dumps({"order": order}).encode()
    )
    reply = stage.venue.render_reject(request, "POST_ONLY", "")
    assert reply.body["result"]["state"]["status"] == "PENDING"
    await asyncio.sleep(0.001)
    assert stage.state(order) == ("REJECTED", "FAIL_POST_ONLY")
    assert stage.exchange.twist == Twist()
    assert stage.venue.render_reject(request, "MARGIN", "").body["code"] == 2080
    assert stage.venue.render_reject(request, "MARGIN", "9999").body["code"] == 9999


# --------------------------------------------------------------------------- account


@staged
async def test_a_taken_position_shows_everywhere(stage: Stage) -> None:
    socket = stage.connect()
    stage.listen(socket, "v1.fill", f"{stage.account}-{ETH}")
    stage.listen(socket, "v1.position", stage.account)
    order = stage.taker(size="1.0")
    stage.create(order)
    await asyncio.sleep(BUMP)
    position, fill = (frame["feed"] for frame in socket.take())
    assert (fill["is_buyer"], fill["is_taker"], fill["size"]) == (True, True, "1.0")
    assert (fill["fee"], fill["fee_rate"]) == ("1.35", "0.045")
    assert fill["client_order_id"] == order["metadata"]["client_order_id"]
    assert (position["size"], position["entry_price"]) == ("1.0", "3000.0")
    (held,) = stage.trades("positions", kind=["PERPETUAL"], base=["ETH"])["result"]
    assert held == position
    assert stage.trades("positions", base=["BTC"])["result"] == []
    assert stage.trades("fill_history")["result"] == [fill]
    summary = stage.trades("account_summary")["result"]
    assert summary["spot_balances"][0]["balance"] == "99998.65"
    assert summary["total_equity"] == "99998.645"
    assert summary["positions"] == [position]
    late = stage.connect()
    assert stage.listen(late, "v1.position", stage.account)["num_snapshots"] == [1]
    (snapshot,) = late.take()
    assert (snapshot["sequence_number"], snapshot["feed"]) == ("0", position)


@staged
async def test_a_maker_receives_the_rebate(stage: Stage) -> None:
    stage.create(stage.order(size="1.0", price="2999.99"))
    stage.trade("2999.99", "6", "sell")
    (fill,) = stage.trades("fill_history")["result"]
    assert (fill["is_taker"], fill["fee"], fill["fee_rate"]) == (False, "-0.003", "0.0")
    tier = stage.trades("funding_account_summary")["tier"]
    assert (tier["futures_maker_fee"], tier["futures_taker_fee"]) == (-1, 450)


@staged
async def test_reduce_only_is_checked_against_the_position(stage: Stage) -> None:
    stage.create(stage.taker(size="1.0"))
    await asyncio.sleep(BUMP)
    assert code(stage.create(stage.taker(reduce_only=True))) == 2401
    assert code(stage.create(stage.taker("sell", "1.5", reduce_only=True))) == 2402
    assert stage.create(stage.taker("sell", "1.0", reduce_only=True)).status == 200
    await asyncio.sleep(BUMP)
    assert stage.trades("positions") == {"result": []}


@staged
async def test_a_closed_position_is_a_frame_of_size_zero(stage: Stage) -> None:
    socket = stage.connect()
    stage.listen(socket, "v1.position", stage.account)
    for side in ("buy", "sell"):
        stage.create(stage.taker(side))
        await asyncio.sleep(BUMP)
    assert [frame["feed"]["size"] for frame in socket.take()] == ["0.1", "0.0"]


@staged
async def test_history_is_paged_newest_first(stage: Stage) -> None:
    ids = []
    for _ in range(5):
        order = stage.taker(size="0.1")
        stage.create(order)
        await asyncio.sleep(BUMP)
        ids.append(order["metadata"]["client_order_id"])
    seen, cursor = [], ""
    for name in ("fill_history", "order_history"):
        seen, cursor, pages = [], "", 0
        while not pages or cursor:
            page = stage.trades(name, limit=2, cursor=cursor)
            seen += [
                row.get("client_order_id") or row["metadata"]["client_order_id"]
                for row in page["result"]
            ]
            cursor, pages = page["next"], pages + 1
        assert seen == ids[::-1]
        assert pages == 3
    since = str(stage.clock.now_ns() - int(2.5 * BUMP * 1e9))
    assert len(stage.trades("fill_history", start_time=since)["result"]) == 3
    body = {"sub_account_id": stage.account, "cursor": "???"}
    assert code(stage.post("/trades/full/v1/fill_history", body)) == 1003
    assert code(stage.post("/trades/full/v1/fill_history", {**body, "limit": 1001})) == 1003


@staged
async def test_unknown_orders_and_missing_ids(stage: Stage) -> None:
    path, who = "/trades/full/v1/order", {"sub_account_id": stage.account}
    assert code(stage.post(path, who)) == 3021
    assert code(stage.post(path, {**who, "client_order_id": "77"})) == 1004
    assert code(stage.post(path, {**who, "order_id": "0x77"})) == 1004


@staged
async def test_an_order_is_found_by_either_id(stage: Stage) -> None:
    order = stage.order()
    stage.create(order)
    id = order["metadata"]["client_order_id"]
    shown = stage.trades("order", client_order_id=id)["result"]
    assert stage.trades("order", order_id=shown["order_id"])["result"] == shown
    assert stage.trades("open_orders", base=["ETH"])["result"] == [shown]


@staged
async def test_what_the_venue_does_itself_can_be_shown(stage: Stage) -> None:
    stage.create(stage.taker(size="1.0"))
    await asyncio.sleep(BUMP)
    stage.exchange.liquidate(stage.account, ETH)
    newest = stage.trades("fill_history")["result"][0]
    assert (newest["is_liquidation"], newest["client_order_id"]) == (True, "0")
    history = stage.trades("order_history")["result"]
    assert history[0]["metadata"]["client_order_id"] == "0"
    order = stage.order()
    stage.create(order)
    placed = stage.exchange.newest
    assert placed is not None
    stage.exchange.drop_order(placed)
    assert stage.state(order) == ("CANCELLED", "UNSPECIFIED")


@staged
async def test_funding_payments_are_told(stage: Stage) -> None:
    stage.create(stage.taker(size="1.0"))
    await asyncio.sleep(BUMP)
    stage.exchange.fund(Decimal("0.0001"))
    (payment,) = stage.trades("funding_payment_history")["result"]
    assert (payment["amount"], payment["currency"]) == ("0.3", "USDT")
    (held,) = stage.trades("positions")["result"]
    assert held["cumulative_realized_funding_payment"] == "0.3"


@staged
async def test_leverage_by_both_calls(stage: Stage) -> None:
    assert stage.trades("set_initial_leverage", instrument=ETH, leverage="10") == {"success": True}
    rows = {row["instrument"]: row for row in stage.trades("get_all_initial_leverage")["results"]}
    assert (rows[ETH]["leverage"], rows[ETH]["max_leverage"]) == ("10.0", "50.0")
    body = position_config(stage, "7.5", "ISOLATED")
    path = "/trades/full/v1/set_position_config"
    assert stage.post(path, body).body == {"ack": True}
    rows = {row["instrument"]: row for row in stage.trades("get_all_initial_leverage")["results"]}
    assert (rows[ETH]["leverage"], rows[ETH]["margin_type"]) == ("7.5", "ISOLATED")
    assert code(stage.post(path, {**body, "leverage": "8"})) == 2002
    assert code(stage.post(path, position_config(stage, "51", "CROSS"))) == 2100
    stage.create(stage.order())
    assert code(stage.post(path, position_config(stage, "5", "CROSS"))) == 2103
    stage.create(stage.taker())
    await asyncio.sleep(BUMP)
    assert code(stage.post(path, position_config(stage, "5", "CROSS"))) == 2102


def position_config(stage: Stage, leverage: str, margin_type: str) -> dict[str, Any]:
    expiration = stage.clock.now_ns() + DAY_NS
    digest = crypto.position_config_digest(
        chain_id=325,
        sub_account_id=int(stage.account),
        asset=0x030401,
        margin_type=crypto.MARGIN_TYPES[margin_type],
        leverage=Decimal(leverage),
        nonce=5,
        expiration=expiration,
    )
    return {
        "sub_account_id": stage.account,
        "instrument": ETH,
        "margin_type": margin_type,
        "leverage": leverage,
        "signature": {**sign(digest, stage.private_key), "expiration": str(expiration), "nonce": 5},
    }


def test_position_config_digest_is_the_vectors() -> None:
    cases = json.loads(VECTORS.read_text())["cases"]
    (case,) = [c for c in cases if c["input"]["operation"] == "set_position_config"]
    message = case["expected"]["message"]
    digest = crypto.position_config_digest(
        chain_id=case["input"]["chain_id"],
        sub_account_id=message["subAccountID"]
        if isinstance(message["subAccountID"], int)
        else int(message["subAccountID"]),
        asset=message["asset"],
        margin_type=message["marginType"],
        leverage=Decimal(case["input"]["request"]["leverage"]),
        nonce=message["nonce"],
        expiration=int(message["expiration"]),
    )
    assert "0x" + digest.hex() == case["expected"]["digest"]


# --------------------------------------------------------------------------- market data


@staged
async def test_market_queries(stage: Stage) -> None:
    symbols = [
        row["instrument"] for row in stage.market("all_instruments", is_active=True)["result"]
    ]
    assert symbols == ["BTC_USDT_Perp", ETH, "SOL_USDT_Perp"]
    body = {"kind": ["PERPETUAL"], "base": ["ETH"], "limit": 1000}
    (eth,) = stage.market("instruments", **body)["result"]
    assert stage.market("instrument", instrument=ETH)["result"] == eth
    assert (eth["tick_size"], eth["min_size"], eth["base_decimals"]) == ("0.01", "0.01", 9)
    rules = stage.market("margin_rules", instrument=ETH)
    assert rules["risk_brackets"][0]["max_leverage"] == 50
    book = stage.market("book", instrument=ETH, depth=10)["result"]
    assert book["bids"][0] == {"price": "2999.99", "size": "5.0", "num_orders": 1}
    assert [float(row["price"]) for row in book["asks"]] == sorted(
        float(row["price"]) for row in book["asks"]
    )
    mini = stage.market("mini", instrument=ETH)["result"]
    assert (mini["best_bid_price"], mini["best_ask_price"]) == ("2999.99", "3000.0")
    assert mini["mid_price"] == mini["mark_price"] == "2999.995"
    assert stage.market("ticker", instrument=ETH)["result"]["funding_rate"] == "0.01"
    assert stage.market("funding", instrument=ETH)["next"] == ""
    stage.trade("3000.0", "1", "buy")
    stage.trade("2999.99", "2", "sell")
    trades = stage.market("trade", instrument=ETH, limit=1)["result"]
    assert [(row["price"], row["is_taker_buyer"]) for row in trades] == [("2999.99", False)]


@staged
async def test_market_queries_that_are_refused(stage: Stage) -> None:
    def ask(name: str, **body: Any) -> int:
        return code(stage.post(f"/market-data/full/v1/{name}", body, {}))

    assert ask("book", instrument=ETH, depth=7) == 3031
    assert ask("book", instrument="X", depth=10) == 3000
    assert ask("instrument", instrument=None) == 3000
    assert ask("trade", instrument=ETH, limit=0) == 1003


@staged
async def test_time_is_in_milliseconds(stage: Stage) -> None:
    path = "/market-data/time"
    reply = stage.routes["GET", path](SimRequest("GET", path))
    assert reply.body == {"server_time": stage.clock.now_ms()}


# --------------------------------------------------------------------------- streams


@staged
async def test_book_deltas_rebuild_the_book(stage: Stage) -> None:
    socket = stage.connect("/market-data/ws/full", logged_in=False)
    told = stage.listen(socket, "v1.book.d", f"{ETH}@50")
    assert told["num_snapshots"] == [1]
    (snapshot,) = socket.take()
    assert (snapshot["sequence_number"], snapshot["selector"]) == ("0", f"{ETH}@50")
    sides: dict[str, dict[str, str]] = {}
    apply_levels(sides, snapshot["feed"])
    stage.quote("2999.95", "2999.98", "3")
    await asyncio.sleep(0.06)
    stage.quote("2999.97", "2999.99", "4")
    stage.quote("2999.96", "2999.99", "2")
    await asyncio.sleep(0.06)
    frames = socket.take()
    assert [f["sequence_number"] for f in frames] == [told["first_sequence_number"][0], "2"]
    assert [f["prev_sequence_number"] for f in frames] == [told["latest_sequence_number"][0], "1"]
    for frame in frames:
        apply_levels(sides, frame["feed"])
    book = stage.market("book", instrument=ETH, depth=500)["result"]
    for side in ("bids", "asks"):
        assert sides[side] == {row["price"]: row["size"] for row in book[side]}


def apply_levels(sides: dict[str, dict[str, str]], feed: dict[str, Any]) -> None:
    for side in ("bids", "asks"):
        levels = sides.setdefault(side, {})
        for row in feed[side]:
            levels[row["price"]] = row["size"]
            if Decimal(row["size"]) == 0:
                del levels[row["price"]]


@staged
async def test_quiet_markets_send_nothing_and_frames_keep_to_the_rate(stage: Stage) -> None:
    socket = stage.connect("/market-data/ws/full", logged_in=False)
    stage.listen(socket, "v1.book.s", f"{ETH}@500-10")
    socket.take()
    await asyncio.sleep(2)
    assert socket.take() == []
    for number in range(20):
        stage.quote(f"29{80 + number}.0", "3000.0")
        await asyncio.sleep(0.05)
    frames = socket.take("v1.book.s")
    assert 1 <= len(frames) <= 3
    assert all(len(frame["feed"]["bids"]) == 10 for frame in frames)


@staged
async def test_mini_deltas_hold_only_what_changed(stage: Stage) -> None:
    socket = stage.connect("/market-data/ws/full", logged_in=False)
    stage.listen(socket, "v1.mini.d", f"{ETH}@0")
    (snapshot,) = socket.take()
    assert snapshot["feed"]["best_bid_size"] == "5.0"
    stage.quote("2999.99", "3000.00", "4")
    await asyncio.sleep(0.02)
    (delta,) = socket.take()
    assert set(delta["feed"]) == {"event_time", "instrument", "best_bid_size", "best_ask_size"}
    stage.exchange.thin(Decimal(0), "buy", ETH)
    await asyncio.sleep(0.02)
    (delta,) = socket.take()
    assert delta["feed"]["best_bid_price"] == ""
    assert delta["feed"]["mid_price"] == ""


@staged
async def test_mini_snapshots_and_tickers_are_whole(stage: Stage) -> None:
    socket = stage.connect("/market-data/ws/full", logged_in=False)
    stage.listen(socket, "v1.mini.s", f"{ETH}@200")
    (first,) = socket.take()
    stage.quote("2999.99", "3000.00", "4")
    await asyncio.sleep(0.25)
    (second,) = socket.take()
    assert set(second["feed"]) == set(first["feed"])
    stage.listen(socket, "v1.ticker.s", f"{ETH}@500")
    assert "funding_rate" in socket.take("v1.ticker.s")[0]["feed"]


@staged
async def test_recent_trades_come_first_then_live_ones(stage: Stage) -> None:
    for number in range(3):
        stage.trade("3000.0", str(number + 1), "buy")
    socket = stage.connect("/market-data/ws/full", logged_in=False)
    assert stage.listen(socket, "v1.trade", f"{ETH}@2")["num_snapshots"] == [2]
    assert [frame["feed"]["size"] for frame in socket.take()] == ["2.0", "3.0"]
    stage.trade("2999.99", "0.5", "sell")
    (live,) = socket.take()
    assert (live["feed"]["size"], live["sequence_number"]) == ("0.5", "1")


@staged
async def test_counters_outlive_connections_and_restart_with_the_gateway(stage: Stage) -> None:
    first = stage.connect()
    stage.listen(first, "v1.state", stage.account)
    stage.create(stage.order())
    await asyncio.sleep(0.001)
    assert [frame["sequence_number"] for frame in first.take()] == ["1"]
    stage.venue.close_ws(first)
    stage.create(stage.order(price="2991.0"))
    await asyncio.sleep(0.001)
    second = stage.connect()
    told = stage.listen(second, "v1.state", stage.account)
    assert told["first_sequence_number"] == ["3"]
    stage.create(stage.order(price="2992.0"))
    await asyncio.sleep(0.001)
    assert [frame["sequence_number"] for frame in second.take()] == ["3"]
    assert first.take() == []
    stage.venue.restart_gateway()
    stage.trades("cancel_all_orders")
    assert [frame["sequence_number"] for frame in second.take()] == ["1", "2", "3"]


@staged
async def test_subscribing_again_replaces_the_rate(stage: Stage) -> None:
    socket = stage.connect("/market-data/ws/full", logged_in=False)
    stage.listen(socket, "v1.book.d", f"{ETH}@50")
    stage.listen(socket, "v1.book.d", f"{ETH}@500")
    socket.take()
    stage.quote("2999.95", "2999.98")
    await asyncio.sleep(0.6)
    assert {frame["selector"] for frame in socket.take()} == {f"{ETH}@500"}
    stage.call(socket, "unsubscribe", {"stream": "v1.book.d", "selectors": [f"{ETH}@500"]})
    (gone,) = socket.take()
    assert gone["result"] == {"stream": "v1.book.d", "unsubs": [f"{ETH}@500"]}
    stage.quote("2999.90", "2999.98")
    await asyncio.sleep(1)
    assert socket.take() == []


@pytest.mark.parametrize(
    ("stream", "selector", "expected"),
    [
        ("v1.book.d", "ETH_USDT_Perp", 1101),
        ("v1.book.d", "ETH_USDT_Perp@77", 1103),
        ("v1.book.s", "ETH_USDT_Perp@500", 1103),
        ("v1.book.s", "ETH_USDT_Perp@500-7", 1103),
        ("v1.mini.d", "X_USDT_Perp@50", 3000),
        ("v1.nothing", "ETH_USDT_Perp@50", 3030),
        ("v1.order", "1", 3030),
    ],
)
def test_selectors_that_are_refused(stream: str, selector: str, expected: int) -> None:
    async def check(stage: Stage) -> None:
        socket = stage.connect("/market-data/ws/full", logged_in=False)
        params = {"stream": stream, "selectors": [selector]}
        assert stage.call(socket, "subscribe", params)["error"]["code"] == expected

    staged(check)()


@staged
async def test_account_streams_are_the_accounts_own(stage: Stage) -> None:
    def ask(socket: Any, selector: str) -> int:
        params = {"stream": "v1.order", "selectors": [selector]}
        number: int = stage.call(socket, "subscribe", params)["error"]["code"]
        return number

    assert ask(stage.connect(logged_in=False), stage.account) == 1000
    assert ask(stage.connect(), "12345") == 1001
    assert ask(stage.connect(), f"{stage.account}-X_USDT_Perp") == 3000


@staged
async def test_the_older_format(stage: Stage) -> None:
    socket = stage.connect("/trades/ws")
    frame = {
        "request_id": 3,
        "stream": "v1.order",
        "feed": [f"{stage.account}-{ETH}"],
        "method": "subscribe",
        "is_full": True,
    }
    assert stage.venue.accept_message(socket, json.dumps(frame)) is None
    (told,) = socket.take()
    assert told == {
        "request_id": 3,
        "stream": "v1.order",
        "subs": [f"{stage.account}-{ETH}"],
        "unsubs": [],
        "num_snapshots": [0],
        "first_sequence_number": [1],
    }
    stage.create(stage.order())
    await asyncio.sleep(0.001)
    assert [f["selector"] for f in socket.take()] == [f"{stage.account}-{ETH}"]


@staged
async def test_frames_nobody_can_parse(stage: Stage) -> None:
    answer = stage.venue.accept_message(stage.connect(), "ping")
    assert (answer["id"], answer["method"], answer["error"]["code"]) == (0, "", 1003)
    unknown = stage.call(stage.connect(), "v1/fly", {})
    assert unknown["error"]["code"] == 1003


@staged
async def test_calls_stand_for_requests(stage: Stage) -> None:
    socket = stage.connect()
    text = json.dumps({"method": "v1/create_order", "params": {"order": stage.order()}, "id": 2})
    request = stage.venue.request_of_message(socket, text)
    assert request is not None
    assert stage.venue.op_of(request) == "place"
    assert stage.venue.scope_of(request) == ("create_order", stage.account, 1)
    assert stage.venue.describe(request)["side"] == "buy"
    limited = stage.venue.wrap_reply(socket, text, stage.venue.render_rate_limited(request, 1.0))
    assert limited["error"]["code"] == 1006
    assert limited["id"] == 2
    listen = json.dumps({"method": "subscribe", "params": {}, "id": 1})
    assert stage.venue.request_of_message(socket, listen) is None


@staged
async def test_bulk_pays_for_each_order(stage: Stage) -> None:
    def scope(**body: Any) -> tuple[str, str, int]:
        path = "/trades/full/v2/bulk_orders"
        data = json.dumps(body).encode()
        return stage.venue.scope_of(SimRequest("POST", path, headers=stage.headers, body=data))

    assert scope(orders=[{}, {}]) == ("create_order", stage.account, 2)
    assert scope(client_order_i_ds=["1"]) == ("cancel_order", stage.account, 1)


@staged
async def test_the_fate_of_a_fault_is_obeyed(stage: Stage) -> None:
    order = stage.order()
    stage.exchange.twist = Twist(fate=(OrderStatus.REJECTED, 0.3))
    stage.create(order)
    stage.exchange.twist = Twist()
    await asyncio.sleep(0.2)
    assert stage.state(order)[0] == "PENDING"
    await asyncio.sleep(0.2)
    assert stage.state(order)[0] == "REJECTED"


@staged
async def test_endpoints_and_routes_fit_together(stage: Stage) -> None:
    endpoints = stage.venue.endpoints(1234)
    assert set(endpoints) == {"edge", "trade", "market", "trade_ws", "market_ws"}
    for key, path in (("trade_ws", "/trades/ws/full"), ("market_ws", "/market-data/ws/full")):
        assert endpoints[key] == f"ws://127.0.0.1:1234{path}"
        assert path in stage.venue.ws_paths
    assert ("POST", "/edge/auth/api_key/login") in stage.routes
    scopes = {path.rpartition("/")[2] for _, path in stage.routes} - {"time", "bulk_orders"}
    assert scopes == set(stage.venue.limits)


# --------------------------------------------------------------------------- over the wire


async def served_login(client: aiohttp.ClientSession, running: Running) -> dict[str, str]:
    url = running.endpoints["grvt"]["edge"] + "/auth/api_key/login"
    body = {"api_key": running.credentials["grvt"]["api_key"]}
    async with client.post(url, json=body) as answer:
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return {"Cookie": cookie, "X-Grvt-Account-Id": answer.headers["X-Grvt-Account-Id"]}


async def frames_until(socket: aiohttp.ClientWebSocketResponse, stream: str) -> list[Any]:
    """Frames up to the first one of a stream."""
    frames: list[Any] = []
    while not frames or frames[-1].get("stream") != stream:
        frames.append(json.loads((await socket.receive()).data))
    return frames


def test_on_one_socket_the_answer_comes_before_the_outcome() -> None:
    async def play() -> None:
        async with await start(["grvt"]) as running, aiohttp.ClientSession() as client:
            headers = await served_login(client, running)
            account = running.credentials["grvt"]["sub_account_id"]
            order = order_for(running)
            url = running.endpoints["grvt"]["trade_ws"]
            async with client.ws_connect(url, headers=headers) as socket:
                listen = {"stream": "v1.state", "selectors": [account]}
                await socket.send_json({"id": 1, "method": "subscribe", "params": listen})
                call = {"id": 2, "method": "v1/create_order", "params": {"order": order}}
                await socket.send_json(call)
                told, answer, state = await frames_until(socket, "v1.state")
            assert told["result"]["subs"] == [account]
            assert answer["result"]["result"]["state"]["status"] == "PENDING"
            assert state["feed"]["order_state"]["status"] == "OPEN"
            assert running.counts["grvt", "ws", "place"] == 1

    run_virtual(play())


def test_limits_are_enforced_by_rest_and_by_socket() -> None:
    async def play() -> None:
        async with await start(["grvt"]) as running, aiohttp.ClientSession() as client:
            headers = await served_login(client, running)
            edge = running.endpoints["grvt"]["edge"] + "/auth/api_key/login"
            async with client.post(edge, json={"api_key": "x"}) as answer:
                assert (answer.status, (await answer.json())["code"]) == (429, 1006)
            url = running.endpoints["grvt"]["trade_ws"]
            codes = []
            async with client.ws_connect(url, headers=headers) as socket:
                for id in range(1, 7):
                    await socket.send_json({"id": id, "method": "v1/open_orders", "params": {}})
                for _ in range(6):
                    answer = json.loads((await socket.receive()).data)
                    codes.append(answer.get("error", {}).get("code"))
            assert codes == [None] * 5 + [1006]

    run_virtual(play())


def order_for(running: Running) -> dict[str, Any]:
    """A post-only order, two percent under the market."""
    exchange, keys = running.exchanges["grvt"], running.credentials["grvt"]
    bid, _ = exchange.best(ETH)
    assert bid is not None
    order: dict[str, Any] = {
        "sub_account_id": keys["sub_account_id"],
        "is_market": False,
        "time_in_force": "GOOD_TILL_TIME",
        "post_only": True,
        "reduce_only": False,
        "legs": [
            {
                "instrument": ETH,
                "size": "0.1",
                "limit_price": str((bid * Decimal("0.98")).quantize(Decimal("0.01"))),
                "is_buying_asset": True,
            }
        ],
        "metadata": {"client_order_id": str(2**63)},
    }
    expiration = running.clock.now_ns() + DAY_NS
    order["signature"] = sign_order(order, keys["private_key"], 1, expiration, 325)
    return order

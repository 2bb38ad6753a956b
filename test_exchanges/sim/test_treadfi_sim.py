"""The simulated TreadFi by itself: who may do what, parents and their children, words for each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sim.staging import stager
from sim.treadfi_stage import (
    LIMIT,
    MARKET,
    ORIGIN,
    PAIR,
    Stage,
    on_hyperliquid,
    on_pacifica,
)

from mpdex.sim.exchange import Twist
from mpdex.sim.records import SimOrder
from mpdex.sim.venue import SimRequest
from mpdex.types import OrderStatus, TimeInForce

D = Decimal
hl, pc = stager(on_hyperliquid), stager(on_pacifica)
METADATA = "/internal/account/user_metadata/"
CANCEL = "/internal/oms/cancel_order/"
LEVERAGE = "/internal/sor/set_leverage"


def both(test: Any) -> Any:
    """The same in front of either venue."""

    @pytest.mark.parametrize("staged", [hl, pc], ids=["hyperliquid", "pacifica"])
    def run(staged: Any) -> None:
        staged(test)()

    return run


def child_of(stage: Stage, row: Any) -> SimOrder:
    return stage.venue.app.desk.parents[row["id"]].child


# --------------------------------------------------------------------------- login


def test_a_signed_nonce_gives_both_cookies() -> None:
    async def play(stage: Stage) -> None:
        assert stage.done("GET", METADATA) == {"is_authenticated": False}
        reply = stage.login()
        assert (reply.status, reply.body) == (200, {"user_created": False})
        assert set(stage.cookies) == {"csrftoken", "sessionid"}
        assert "HttpOnly" in reply.cookies[1]
        assert stage.done("GET", METADATA)["is_authenticated"] is True

    hl(play)()


def test_a_signature_may_come_without_its_prefix() -> None:
    async def play(stage: Stage) -> None:
        proof = stage.proof(stage.nonce(), prefix="")
        assert stage.ask("POST", "/internal/account/wallet_auth/", proof).status == 200

    hl(play)()


def test_a_nonce_serves_once_and_must_have_been_given() -> None:
    async def play(stage: Stage) -> None:
        proof = stage.proof(stage.nonce())
        path = "/internal/account/wallet_auth/"
        assert stage.ask("POST", path, proof).status == 200
        again, strange = (
            stage.ask("POST", path, body) for body in (proof, stage.proof("never given"))
        )
        assert [again.status, strange.status] == [400, 400]
        assert again.body == strange.body == {"error": "Invalid nonce."}

    hl(play)()


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"wallet_type": "solana"}, "Unsupported wallet type."),
        ({"address": "0x" + "22" * 20}, "Invalid signature."),
        ({"signature": "0x" + "22" * 65}, "Invalid signature."),
        ({"signature": "no hex"}, "Invalid signature."),
        ({"nonce": "another"}, "Invalid nonce."),
    ],
)
def test_a_wrong_login_is_refused(over: dict[str, str], said: str) -> None:
    async def play(stage: Stage) -> None:
        reply = stage.login(**over)
        assert (reply.status, reply.body) == (400, {"error": said})
        assert stage.cookies == {}

    hl(play)()


def test_a_signature_in_upper_case_of_the_address_is_another_address() -> None:
    async def play(stage: Stage) -> None:
        address = stage.keys["login_address"].upper().replace("0X", "0x")
        assert stage.login(address=address).status == 400

    hl(play)()


def test_a_stranger_may_log_in_and_has_no_account() -> None:
    async def play(stage: Stage) -> None:
        proof = stage.proof(stage.nonce(), key=12345)
        reply = stage.ask("POST", "/internal/account/wallet_auth/", proof)
        assert reply.body == {"user_created": True}
        words = (cookie.partition(";")[0].partition("=") for cookie in reply.cookies)
        stage.cookies = {name: value for name, _, value in words}
        name = stage.keys["account_name"]
        told = stage.done("GET", "/internal/sor/get_cached_account_balance", account_names=name)
        assert told == {"balances": []}
        status, body = stage.refusal()
        assert (status, body) == (400, {"accounts": [f"Account {name} does not exist."]})

    hl(play)()


def test_a_session_ends_after_two_weeks_or_when_it_is_left() -> None:
    async def play(stage: Stage) -> None:
        stage.login()
        await asyncio.sleep(14 * 86_400 - 1)
        assert stage.done("GET", METADATA)["is_authenticated"] is True
        await asyncio.sleep(2)
        assert stage.done("GET", METADATA) == {"is_authenticated": False}
        stage.login()
        reply = stage.ask("POST", "/account/logout/", **{"user-agent": "Mozilla/5.0"})
        assert reply.status == 302
        assert stage.done("GET", METADATA) == {"is_authenticated": False}
        assert "CSRF verification failed" in stage.ask("POST", "/account/logout/").body

    hl(play)()


@pytest.mark.parametrize(
    "broken",
    [
        {"x-csrftoken": ""},
        {"x-csrftoken": "wrong"},
        {"origin": ""},
        {"origin": "https://evil.example"},
        {"referer": ""},
        {"referer": f"{ORIGIN}.evil.example/"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/api/orders/", LEVERAGE, f"{CANCEL}some-id"])
def test_a_forged_command_meets_djangos_page(broken: dict[str, str], path: str) -> None:
    async def play(stage: Stage) -> None:
        stage.login()
        reply = stage.ask("POST", path, stage.order(), **broken)
        assert reply.status == 403
        assert "CSRF verification failed" in reply.body
        assert reply.encode()[1].startswith("text/html")
        assert not stage.exchange.orders

    hl(play)()


def test_without_a_session_nothing_is_told() -> None:
    async def play(stage: Stage) -> None:
        for method, path in (("GET", "/api/orders/"), ("POST", "/api/orders/"), ("POST", LEVERAGE)):
            assert stage.ask(method, path, {}).status == 403

    hl(play)()


# --------------------------------------------------------------------------- tokens


def test_a_token_is_good_for_the_api_and_not_for_the_page() -> None:
    async def play(stage: Stage) -> None:
        stage.token = stage.keys["token"]
        stage.place(strategy="Limit")
        assert len(stage.done("GET", "/api/orders/")["orders"]) == 1
        for path in ("/internal/ems/get_order_table_rows", LEVERAGE):
            assert stage.ask("GET" if "rows" in path else "POST", path, {}).status == 401
        stage.token = "0" * 40
        reply = stage.ask("GET", "/api/orders/")
        assert (reply.status, reply.body) == (401, {"detail": "Invalid token."})

    pc(play)()


def test_hyperliquids_front_knows_no_token() -> None:
    async def play(stage: Stage) -> None:
        stage.token = stage.venue.app.logins.issue_token(stage.venue.user)
        assert stage.ask("GET", "/api/orders/").status == 401
        stage.token = ""
        stage.login()
        assert stage.ask("GET", "/api/balances/").status == 404

    hl(play)()


# --------------------------------------------------------------------------- orders


@both
async def test_a_limit_order_rests_beneath_under_an_id_of_its_own(stage: Stage) -> None:
    stage.login()
    row = stage.place()
    child = child_of(stage, row)
    assert (row["status"], row["pair"], row["side"]) == ("ACTIVE", PAIR, "buy")
    assert D(row["target_order_qty"]) == D(row["target_remaining_qty"]) == D("0.1")
    assert (D(row["limit_price"]), D(row["executed_qty"])) == (2900, 0)
    assert (child.price, child.size, child.tif) == (2900, D("0.1"), TimeInForce.GTC)
    assert child.client_id not in ("", row["id"])
    assert stage.venue.told_id(child) == row["id"] != child.order_id
    [table] = stage.done("GET", "/internal/ems/get_order_table_rows", status="ACTIVE", pair=PAIR)[
        "orders"
    ]
    assert table["id"] == row["id"]
    assert table["account_names"] == [stage.keys["account_name"]]


@both
async def test_a_market_order_takes_and_is_complete(stage: Stage) -> None:
    stage.login()
    row = stage.take("sell")
    await asyncio.sleep(1)
    told = stage.done("GET", f"/api/order_summary/{row['id']}")
    assert told["status"] == "COMPLETE"
    assert D(told["executed_qty"]) == D("0.1")
    assert D(told["average_executed_price"]) == D("2999.9")
    assert D(told["total_fee"]) == child_of(stage, row).fees > 0
    assert stage.exchange.accounts[stage.account].size("ETH") == -D("0.1")
    assert stage.done("GET", "/internal/ems/get_order_table_rows", status="ACTIVE")["orders"] == []


@both
async def test_what_a_market_order_does_not_find_ends_it(stage: Stage) -> None:
    stage.login()
    row = stage.take("buy", "7")
    await asyncio.sleep(1)
    told = stage.done("GET", f"/api/order_summary/{row['id']}")
    assert (told["status"], D(told["executed_qty"])) == ("CANCELED", 5)
    assert told["failure_reason"] == ""


def test_an_immediate_order_is_named_and_bounded() -> None:
    async def play(stage: Stage) -> None:
        stage.login()
        row = stage.place(strategy="IOC", limit_price="3000.1", base_asset_qty="6")
        await asyncio.sleep(1)
        told = stage.done("GET", f"/api/order/{row['id']}")
        assert (told["status"], D(told["executed_qty"])) == ("CANCELED", 5)
        assert told["placements"] == []

    pc(play)()


def test_hyperliquids_page_takes_ids_of_strategies_alone() -> None:
    async def play(stage: Stage) -> None:
        stage.login()
        for name in ("Limit", "IOC", "TWAP", "nonsense"):
            status, body = stage.refusal(strategy=name)
            assert (status, body) == (400, {"strategy": [f"Invalid strategy {name}."]})

    hl(play)()


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"pair": "NONE:PERP-USDC"}, "pair"),
    ({"side": "long"}, "side"),
    ({"accounts": []}, "accounts"),
    ({"accounts": ["nobody"]}, "accounts"),
    ({"base_asset_qty": None}, "error"),
    ({"quote_asset_qty": "100"}, "error"),
    ({"base_asset_qty": "many"}, "base_asset_qty"),
    ({"base_asset_qty": -1}, "base_asset_qty"),
    ({"base_asset_qty": "0.00000001"}, "error"),
    ({"base_asset_qty": "0.001"}, "error"),
    ({"limit_price": None}, "limit_price"),
    ({"limit_price": "2900.123456"}, "error"),
    ({"strategy": MARKET}, "limit_price"),
    ({"custom_order_id": "x" * 65}, "custom_order_id"),
]


@pytest.mark.parametrize(("over", "where"), REFUSALS, ids=str)
def test_what_is_wrong_with_an_order_is_said_at_once(over: dict[str, Any], where: str) -> None:
    async def play(stage: Stage) -> None:
        stage.login()
        status, body = stage.refusal(**over)
        assert status == 400
        assert list(body) == [where]

    hl(play)()


@both
async def test_what_the_venue_beneath_refuses_is_the_parents_end(stage: Stage) -> None:
    stage.login()
    reasons: dict[str, Callable[[], Any]] = {
        "Insufficient margin": lambda: stage.place(base_asset_qty="10000", limit_price="2900"),
        "Reduce only": lambda: stage.place(strategy_params={"reduce_only": True}),
    }
    for words, place in reasons.items():
        row = place()
        assert row["status"] == "CANCELED"
        assert words in row["failure_reason"]
    stage.exchange.halt("market")
    assert stage.place()["failure_reason"] == "Market is halted"


@both
async def test_numbers_may_be_numbers_or_text(stage: Stage) -> None:
    stage.login()
    for size, price in (("0.1", "2900"), (0.1, 2900), (0.1, "2900.0")):
        child = child_of(stage, stage.place(base_asset_qty=size, limit_price=price))
        assert (child.size, child.price) == (D("0.1"), 2900)


@both
async def test_a_size_in_money_becomes_coins(stage: Stage) -> None:
    stage.login()
    row = stage.place(base_asset_qty=None, quote_asset_qty="300")
    assert child_of(stage, row).size == D("0.1")
    coins = {"sell_token_amount": "0.2", "base_asset_qty": None}
    sold = stage.place(**coins, side="sell", limit_price=3100)
    assert child_of(stage, sold).size == D("0.2")


@both
async def test_a_cancel_says_exactly_so_and_once(stage: Stage) -> None:
    stage.login()
    row = stage.place()
    told = stage.done("POST", CANCEL + row["id"], {})
    assert told == {"message": "Successfully canceled order."}
    assert child_of(stage, row).status is OrderStatus.CANCELED
    again = stage.ask("POST", CANCEL + row["id"], {})
    assert (again.status, again.body) == (400, {"message": "Order is not active."})
    assert stage.ask("POST", f"{CANCEL}00000000-0000-4000-8000-000000000000", {}).status == 404


def test_nobody_sees_or_ends_anothers_order() -> None:
    async def play(stage: Stage) -> None:
        stage.login()
        row = stage.place()
        proof = stage.proof(stage.nonce(), key=777)
        reply = stage.ask("POST", "/internal/account/wallet_auth/", proof)
        words = (cookie.partition(";")[0].partition("=") for cookie in reply.cookies)
        stage.cookies = {name: value for name, _, value in words}
        assert stage.ask("POST", CANCEL + row["id"], {}).status == 404
        assert stage.ask("GET", f"/api/order_summary/{row['id']}").status == 404
        assert stage.done("GET", "/api/orders/") == {"orders": []}
        assert child_of(stage, row).live

    hl(play)()


def test_the_list_is_filtered_and_paged_newest_first() -> None:
    async def play(stage: Stage) -> None:
        stage.token = stage.keys["token"]
        rows = []
        for number in range(5):
            rows.append(stage.place(strategy="Limit", custom_order_id=f"mine-{number}"))
            await asyncio.sleep(1)
        stage.done("DELETE", f"/api/order/{rows[0]['id']}")

        def ids(**query: str) -> list[str]:
            found = stage.done("GET", "/api/orders/", **query)["orders"]
            return [row["custom_order_id"] for row in found]

        assert ids() == [f"mine-{number}" for number in (4, 3, 2, 1, 0)]
        assert ids(statuses="CANCELED") == ["mine-0"]
        assert ids(statuses="ACTIVE,PAUSED", page="2", page_size="3") == ["mine-1"]
        assert ids(custom_order_ids="mine-2,mine-3") == ["mine-3", "mine-2"]
        assert ids(after=rows[3]["created_at"]) == ["mine-4", "mine-3"]
        assert ids(before=rows[1]["created_at"]) == ["mine-1", "mine-0"]
        assert ids(account_names="somebody") == []
        for query in ("statuses=DONE", "after=yesterday"):
            assert stage.ask("GET", "/api/orders/", None, query).status == 400

    pc(play)()


def test_a_stale_reader_sees_no_order_that_came_later() -> None:
    async def play(stage: Stage) -> None:
        stage.login()
        stage.exchange.remembers = True
        early = stage.place()
        await asyncio.sleep(1)
        then = stage.clock.now_ns()
        await asyncio.sleep(1)
        later = stage.place(limit_price="2800")
        stage.done("POST", CANCEL + early["id"], {})
        stage.exchange.twist = Twist(as_of_ns=then)
        [row] = stage.done("GET", "/api/orders/")["orders"]
        assert (row["id"], row["status"]) == (early["id"], "ACTIVE")
        assert stage.ask("GET", f"/api/order_summary/{later['id']}").status == 404

    hl(play)()


# --------------------------------------------------------------------------- the API's own calls


def test_an_amended_order_is_worked_anew() -> None:
    async def play(stage: Stage) -> None:
        stage.token = stage.keys["token"]
        row = stage.place(strategy="Limit")
        first = child_of(stage, row)
        body = {"order_id": row["id"], "changes": {"limit_price": "2950", "base_asset_qty": 0.2}}
        told = stage.done("POST", "/api/amend_order/", body)
        child = child_of(stage, row)
        assert (told["id"], D(told["limit_price"])) == (row["id"], 2950)
        assert first.status is OrderStatus.CANCELED
        assert (child.price, child.size) == (2950, D("0.2"))
        stage.done("DELETE", f"/api/order/{row['id']}")
        assert stage.ask("POST", "/api/amend_order/", body).status == 400

    pc(play)()


def test_positions_are_closed_on_demand() -> None:
    async def play(stage: Stage) -> None:
        stage.token = stage.keys["token"]
        stage.take("sell", "0.3", strategy="Market")
        await asyncio.sleep(1)
        name = stage.keys["account_name"]
        assets = stage.done("GET", "/api/balances/")[name]["assets"]
        assert [(row["symbol"], row["size"]) for row in assets[1:]] == [(PAIR, -0.3)]
        stage.done("POST", "/api/close_balances/", {"max_notional": 10_000})
        await asyncio.sleep(1)
        assert stage.exchange.accounts[stage.account].size("ETH") == 0

    pc(play)()


def test_several_orders_at_once_end_at_once() -> None:
    async def play(stage: Stage) -> None:
        stage.token = stage.keys["token"]
        name = stage.keys["account_name"]
        child = {"pair": PAIR, "side": "buy", "account": name, "base_asset_qty": 0.1}
        body = {"duration": 300, "strategy": "Market", "child_orders": [child, child]}
        multi = stage.done("POST", "/api/multi_orders/", body)
        assert (multi["status"], len(multi["child_order_ids"])) == ("SUBMITTED", 2)
        await asyncio.sleep(1)
        assert stage.exchange.accounts[stage.account].size("ETH") == D("0.2")
        stage.done("DELETE", f"/api/multi_order/{multi['id']}")
        assert stage.ask("DELETE", "/api/multi_order/another").status == 404
        assert stage.done("POST", "/api/order_messages/", {"order_ids": []}) == {}

    pc(play)()


# --------------------------------------------------------------------------- account


@both
async def test_leverage_is_set_beneath_with_its_mode(stage: Stage) -> None:
    stage.login()
    name = stage.keys["account_name"]
    balance = "/internal/sor/get_cached_account_balance"
    [row] = stage.done("GET", balance, account_names=name)["balances"]
    assert row["account_name"] == name
    body = {"account_ids": [row["account_id"]], "pair": PAIR, "leverage": 7}
    told = stage.done("POST", LEVERAGE, {**body, "margin_mode": "CROSS"})
    assert told == {"message": "Leverage changed successfully."}
    assert stage.exchange.ledger.leverage(stage.account, "ETH") == 7
    stage.done("POST", LEVERAGE, {**body, "margin_mode": "ISOLATED"})
    for over, key in (
        ({"leverage": 1000}, "message"),
        ({"leverage": "much"}, "message"),
        ({"account_ids": ["another"]}, "message"),
        ({"pair": "NONE:PERP-USDC"}, "pair"),
        ({"margin_mode": "HALF"}, "margin_mode"),
    ):
        reply = stage.ask("POST", LEVERAGE, {**body, "margin_mode": "CROSS", **over})
        assert (reply.status, list(reply.body)) == (400, [key])


@both
async def test_a_mode_is_not_switched_under_a_position(stage: Stage) -> None:
    stage.login()
    stage.take()
    await asyncio.sleep(1)
    [account] = stage.venue.user.accounts
    body = {"account_ids": [account.id], "pair": PAIR, "leverage": 50, "margin_mode": "ISOLATED"}
    body["leverage"] = int(stage.exchange.ledger.leverage(stage.account, "ETH"))
    reply = stage.ask("POST", LEVERAGE, body)
    assert reply.status == 400
    assert "message" in reply.body


# --------------------------------------------------------------------------- faults and the rest


def test_what_is_treadfis_and_what_is_beneath() -> None:
    async def play(stage: Stage) -> None:
        sim = stage.venue
        ops = {
            ("POST", "/api/orders/"): "place",
            ("GET", "/api/orders/"): "query_order",
            ("POST", f"{CANCEL}x"): "cancel",
            ("DELETE", "/api/order/x"): "cancel",
            ("GET", "/api/order_summary/x"): "query_order",
            ("GET", "/internal/ems/get_order_table_rows"): "query_open",
            ("GET", "/internal/account/get_nonce/"): "auth",
            ("POST", LEVERAGE): "leverage",
            ("GET", "/api/v1/positions"): "query_positions",
        }
        assert {key: sim.op_of(SimRequest(*key)) for key in ops} == ops
        listed = {"statuses=ACTIVE,PAUSED": "query_open", "after=x": "query_fills"}
        for query, op in listed.items():
            assert sim.op_of(SimRequest("GET", "/api/orders/", query)) == op
        assert sim.scope_of(SimRequest("GET", "/api/orders/"))[0] == ""
        assert sim.scope_of(SimRequest("GET", "/api/v1/positions"))[0] != ""

    pc(play)()


@both
async def test_faults_know_what_an_order_is_about(stage: Stage) -> None:
    stage.login()
    body = json.dumps(stage.order(custom_order_id="mine", side="sell")).encode()
    said = stage.venue.describe(SimRequest("POST", "/api/orders/", body=body))
    assert said == {
        "side": "sell",
        "symbol": "ETH",
        "size": "0.1",
        "price": "2900",
        "client_id": "mine",
        "reduce_only": "false",
        "post_only": "false",
    }
    row = stage.place()
    told = stage.venue.describe(SimRequest("POST", CANCEL + row["id"]))
    assert told == {"order_id": child_of(stage, row).order_id, "symbol": "ETH"}


@both
async def test_each_kind_of_refusal_has_a_body(stage: Stage) -> None:
    request = SimRequest("POST", "/api/orders/")
    kinds = {"MARGIN": 400, "NOT_FOUND": 404, "AUTH": 403, "RATE": 429, "SYMBOL": 400, "X": 400}
    for kind, status in kinds.items():
        assert stage.venue.render_reject(request, kind, "").status == status
    assert stage.venue.render_reject(request, "MARGIN", "409").status == 409
    assert stage.venue.render_rate_limited(request, 1.0).status == 429
    beneath = SimRequest("POST", "/api/v1/orders/create", body=b"{}")
    assert stage.venue.render_reject(beneath, "MARGIN", "").body != {
        "error": "Insufficient margin to place the order"
    }


def test_no_strategy_of_the_page_is_taken_for_another() -> None:
    async def play(stage: Stage) -> None:
        stage.login()
        assert stage.place(strategy=LIMIT)["super_strategy"] == "Limit"
        assert stage.take(strategy=MARKET)["super_strategy"] == "Market"

    hl(play)()


def test_given_secrets_are_told_as_such() -> None:
    async def play(stage: Stage) -> None:
        stage.login()
        issued = set(stage.venue.issued())
        assert set(stage.cookies.values()) | {stage.keys["token"]} <= issued
        stage.venue.expire_sessions()
        assert stage.ask("GET", "/api/orders/").status == 403

    pc(play)()

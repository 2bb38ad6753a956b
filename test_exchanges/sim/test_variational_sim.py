"""The simulated Variational against the venue's rules: sign-in, wall, quotes, orders, sockets.

There is no SDK to trade on it. Instead the start-up sequences of three public clients are played as
raw requests: multi-perp-dex, Magicianhax/variational-trading-api and journeyanhk/grid-bot-wg; and
the requests that the shared vectors record.
"""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from curl_cffi.requests import AsyncSession
from sim.standx_stage import Wallet
from sim.variational_stage import ETH, INSTRUMENT, KEY, Stage, done, limit, refusal, staged

from mpdex.sim import evm, run
from mpdex.sim.venues import load_venue
from mpdex.sim.venues.variational import VariationalSim
from mpdex.utils.virtual_loop import run_virtual

D = Decimal
VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "variational.json"
CASES = json.loads(VECTORS.read_text())["cases"]
STRANGER = "0x" + "11" * 32


def of_kind(kind: str) -> Any:
    cases = [case for case in CASES if case["kind"] == kind]
    assert cases
    return pytest.mark.parametrize("case", cases, ids=lambda case: case["name"])


# --------------------------------------------------------------------------- vectors


@of_kind("omni_login")
def test_recorded_signatures_are_those_of_the_wallet(case: dict[str, Any]) -> None:
    message, expected = case["input"]["message"], case["expected"]
    assert evm.personal_digest(message.encode()).hex() == expected["eip191_keccak256"]
    signed = expected["signed_message"]
    assert evm.personal_signer(message, signed) == expected["address"].lower()
    assert evm.personal_signer(message + " ", signed) != expected["address"].lower()


@of_kind("omni_request")
def test_recorded_requests_are_taken(case: dict[str, Any]) -> None:
    @staged
    async def check(stage: Stage) -> None:
        quote_id = ""
        for one in case["expected"]["requests"]:
            url, body = urlsplit(one["url"]), one["json"]
            path = url.path.removeprefix("/api") + (f"?{url.query}" if url.query else "")
            if body and "rfq_id" in body:
                body = {"rfq_id": stage.rest()}
            if body and "quote_id" in body:
                body = {**body, "quote_id": quote_id}
            if body and "limit_price" in body:
                body = {**body, "limit_price": "2000.5"}
            names = {name.replace("-", "_"): v for name, v in one["headers"].items()}
            names |= {"vr_connected_address": stage.wallet.address}
            reply = stage.send(one["method"], path, body, **names)
            assert reply.status == 200, reply.body
            told = done(reply)
            quote_id = told.get("quote_id", "") if isinstance(told, dict) else ""

    check()


# --------------------------------------------------------------------------- the wall, sign-in


@staged
async def test_nobody_but_a_browser_gets_through(stage: Stage) -> None:
    for headers in ({"user_agent": "python-httpx/0.28"}, {"accept": "application/json"}):
        for method, path in (("GET", "/metadata/config"), ("GET", "/positions")):
            reply = stage.send(method, path, **headers)
            assert (reply.status, reply.headers["cf-mitigated"]) == (403, "challenge")
            assert "Just a moment" in reply.body
            assert "x-omni-auth" not in reply.headers
    assert stage.get("/ff") == ["WL", "PS", "OR"]


@staged
async def test_a_sign_in_is_a_text_and_its_signature(stage: Stage) -> None:
    asked = {"address": stage.wallet.address}
    text = stage.send("POST", "/auth/generate_signing_data", asked).body
    assert stage.wallet.address in text
    signed = stage.wallet.sign(text)
    for wrong in (signed, stage.wallet.sign(text + " ")[2:], signed[2:-2] + "00", ""):
        stage.send("POST", "/auth/generate_signing_data", asked)
        body = {**asked, "signed_message": wrong}
        assert refusal(stage.send("POST", "/auth/login", body))[0] == 401
    text = stage.send("POST", "/auth/generate_signing_data", asked).body
    body = {**asked, "signed_message": stage.wallet.sign(text)[2:]}
    reply = stage.send("POST", "/auth/login", body)
    [cookie] = reply.cookies
    assert cookie.startswith(f"vr-token={reply.body['token']};")
    assert refusal(stage.send("POST", "/auth/login", body))[0] == 401, "a text is signed once"
    stage.venue.logins.quoted = True
    quoted = stage.send("POST", "/auth/generate_signing_data", asked)
    assert json.loads(quoted.body).startswith("omni.variational.io wants you to sign in")


@staged
async def test_a_wallet_that_nobody_knows_solves_a_captcha(stage: Stage) -> None:
    stranger = Wallet(STRANGER)
    with pytest.raises(AssertionError, match="Captcha"):
        stage.sign_in(stranger)
    assert stage.sign_in(stranger, captcha="x")
    assert stage.truth.equity(stranger.address.lower()) == 0


@staged
async def test_a_session_is_a_cookie_of_a_week(stage: Stage) -> None:
    assert stage.get("/me")["token"] == stage.token
    for cookie in ("", "vr-token=no.such.token"):
        reply = stage.send("GET", "/positions", cookie=cookie)
        assert (reply.status, reply.headers["x-omni-auth"]) == (401, "r")
        assert done(stage.send("GET", "/me", cookie=cookie)) == {"token": ""}
    for address in (None, "0x" + "11" * 20):
        reply = stage.send("GET", "/positions", vr_connected_address=address)
        assert reply.status == 401
        assert "x-omni-auth" not in reply.headers
    assert stage.post("/auth/logout", {"address": stage.wallet.address}) == {"message": "SUCCESS"}
    assert stage.get("/positions") == [], "signing out ends nothing"
    await asyncio.sleep(7 * 86_400 + 1)
    assert stage.send("GET", "/positions").status == 401


@staged
async def test_sessions_can_be_ended(stage: Stage) -> None:
    stage.venue.expire_sessions()
    assert stage.send("GET", "/positions").headers["x-omni-auth"] == "r"
    stage.token = stage.sign_in()
    assert stage.get("/positions") == []
    assert stage.token in stage.venue.issued()


# --------------------------------------------------------------------------- quotes


@staged
async def test_a_quote_is_for_one_size(stage: Stage) -> None:
    small, large = stage.quoted("1"), stage.quoted("20")
    assert (small["bid"], small["ask"]) == ("2999.99", "3000.00")
    assert D(large["bid"]) < D(small["bid"]) < D(small["ask"]) < D(large["ask"])
    assert small["qty_limits"]["ask"] == {
        "min_qty_tick": "0.00001",
        "min_qty": "0.00004",
        "max_qty": "1000000",
    }
    assert "margin_requirements" in small
    simple = stage.post("/quotes/simple", {"instrument": INSTRUMENT, "qty": "1"})
    assert "margin_requirements" not in simple
    assert stage.send("POST", "/quotes/simple", {"instrument": INSTRUMENT, "qty": "1"}, cookie="")
    assert refusal(stage.send("POST", "/quotes/simple", {"instrument": INSTRUMENT, "qty": "999"}))


@pytest.mark.parametrize(
    "change",
    [
        {"funding_interval_s": 28_800},
        {"kind": "equity"},
        {"underlying": "XYZ"},
        {"settlement_asset": "USDT"},
        {"instrument_type": "dated_future"},
    ],
    ids=str,
)
def test_an_instrument_that_is_not_exactly_right_is_refused(change: dict[str, Any]) -> None:
    @staged
    async def check(stage: Stage) -> None:
        body = {"instrument": {**INSTRUMENT, **change}, "qty": "1"}
        status, words = refusal(stage.send("POST", "/quotes/indicative", body))
        assert (status, "unsupported instrument" in words) == (400, True)

    check()


@pytest.mark.parametrize(
    ("qty", "words"),
    [
        ("0.000001", "minimum"),
        ("0.00003", "minimum"),
        ("0.100001", "decimals"),
        ("0.30000000000000004", "decimals"),
        ("2000000", "maximum"),
        (0.1, "malformed"),
        ("1e-1", "malformed"),
        ("-1", "malformed"),
    ],
)
def test_a_size_off_the_grid_or_the_bounds_is_refused(qty: Any, words: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        body = {"instrument": INSTRUMENT, "qty": qty}
        status, said = refusal(stage.send("POST", "/quotes/simple", body))
        assert (status, words in said) == (400, True), said

    check()


# --------------------------------------------------------------------------- market orders


@staged
async def test_an_order_is_acknowledged_and_then_cleared(stage: Stage) -> None:
    acked = done(stage.accept("buy", "0.5"))
    assert list(acked) == ["rfq_id"]
    row = stage.row(acked["rfq_id"])
    assert (row["status"], row["clearing_status"], row["price"]) == (
        "pending",
        "pending_clearing",
        None,
    )
    assert (row["order_type"], row["tif"], row["qty"]) == ("market", "fill_or_kill", "0.5")
    assert stage.get("/positions") == []
    await asyncio.sleep(0.5)
    row = stage.row(acked["rfq_id"])
    assert (row["status"], row["price"]) == ("cleared", "3000.00")
    assert row["clearing_status"] == "success_trades_booked_into_pool"
    [position] = stage.get("/positions")
    assert position["position_info"]["qty"] == "0.500000"
    [trade] = stage.get("/trades")["result"]
    assert (trade["source_rfq"], trade["side"], trade["role"]) == (acked["rfq_id"], "buy", "taker")


@staged
async def test_a_quote_is_accepted_once_in_time_and_by_its_owner(stage: Stage) -> None:
    quote = stage.quoted()["quote_id"]
    assert stage.accept(quote_id=quote).status == 200
    assert refusal(stage.accept(quote_id=quote)) == (400, "Validation error: quote not found")
    old = stage.quoted()["quote_id"]
    await asyncio.sleep(2.1)
    assert refusal(stage.accept(quote_id=old)) == (400, "Validation error: quote has expired")
    simple = stage.post("/quotes/simple", {"instrument": INSTRUMENT, "qty": "1"})["quote_id"]
    assert "not found" in refusal(stage.accept(quote_id=simple))[1]
    stage.venue.desk.once = False
    twice = stage.quoted()["quote_id"]
    assert [stage.accept(quote_id=twice).status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    "fields",
    [
        {"max_slippage": "0.005"},
        {"max_slippage": 1.5},
        {"max_slippage": -0.1},
        {"max_slippage": True},
        {"side": "long"},
        {"is_reduce_only": "false"},
        {"quote_id": 7},
    ],
    ids=str,
)
def test_an_acceptance_with_wrong_types_is_refused(fields: dict[str, Any]) -> None:
    @staged
    async def check(stage: Stage) -> None:
        assert stage.accept(**fields).status == 400
        assert stage.truth.orders == {}

    check()


@staged
async def test_a_price_that_moved_is_within_the_slippage_or_rejected(stage: Stage) -> None:
    for slippage, moved, status in ((0.001, "3002.00", "cleared"), (0.0001, "3004.00", "rejected")):
        number = done(stage.accept("buy", max_slippage=slippage))["rfq_id"]
        stage.quote("3001.99", moved)
        await asyncio.sleep(0.5)
        assert stage.row(number)["status"] == status
    assert stage.row(number)["clearing_status"] == "rejected_maker_last_look_rejected"


@staged
async def test_reduce_only_without_a_position_is_rejected_later(stage: Stage) -> None:
    row = await stage.trade("sell", is_reduce_only=True)
    assert (row["status"], row["clearing_status"]) == (
        "rejected",
        "rejected_failed_reduce_only_check",
    )
    await stage.trade("buy", "0.2")
    assert (await stage.trade("sell", "0.3", is_reduce_only=True))["status"] == "rejected"
    assert (await stage.trade("sell", "0.2", is_reduce_only=True))["status"] == "cleared"
    assert stage.get("/positions") == []


@staged
async def test_thin_margin_is_rejected_later(stage: Stage) -> None:
    stage.quote("2999.99", "3000.00", "1000")
    row = await stage.trade("buy", "400")
    assert (row["status"], row["clearing_status"]) == ("rejected", "rejected_failed_taker_funding")


@staged
async def test_the_page_closes_by_accepting(stage: Stage) -> None:
    await stage.trade("buy", "0.2")
    body = {
        "quote_id": stage.quoted("0.2")["quote_id"],
        "side": "sell",
        "max_slippage": 0.01,
        "is_reduce_only": True,
    }
    assert list(stage.post("/quotes/accept", body)) == ["rfq_id"]
    await asyncio.sleep(0.5)
    assert stage.get("/positions") == []
    await stage.trade("sell", "0.3")
    assert list(stage.post("/orders/close_all", {"slippage_percent": "0.005"})) == ["rfq_id"]
    await asyncio.sleep(0.5)
    assert stage.get("/positions") == []


# --------------------------------------------------------------------------- limit orders


@staged
async def test_a_limit_order_waits_for_the_providers_price(stage: Stage) -> None:
    number = stage.rest()
    await asyncio.sleep(5)
    row = stage.row(number)
    assert (row["status"], row["limit_price"], row["tif"]) == (
        "pending",
        "2990",
        "good_til_canceled",
    )
    assert stage.truth.book(ETH)[0][0] == (D("2999.99"), D(5)), "nothing rests in a book"
    stage.quote("2989.00", "2989.50")
    row = stage.row(number)
    assert (row["status"], row["price"]) == ("cleared", "2989.50")


@staged
async def test_a_cancel_says_nothing_and_is_once(stage: Stage) -> None:
    number = stage.rest()
    assert stage.send("POST", "/orders/cancel", {"rfq_id": number}).body == b"null"
    row = stage.row(number)
    assert (row["status"], row["cancel_reason"]) == ("canceled", "user_cancel")
    for other in (number, "11111111-2222-3333-4444-555555555555"):
        assert refusal(stage.send("POST", "/orders/cancel", {"rfq_id": other}))[0] == 404
    assert stage.send("POST", "/orders/cancel", {"rfq_id": 5}).status == 400


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"limit_price": 2990}, "malformed"),
        ({"limit_price": "2990.005"}, "decimals"),
        ({"limit_price": "100"}, "too far"),
        ({"qty": "0.00001"}, "minimum"),
        ({"is_auto_resize": None}, "malformed"),
        ({"order_type": "market"}, "malformed"),
        ({"order_type": "stop_loss"}, "not simulated"),
        ({"use_mark_price": True}, "not simulated"),
        ({"slippage_limit": 0.005}, "malformed"),
    ],
    ids=str,
)
def test_limit_orders_that_are_refused(fields: dict[str, Any], words: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        reply = stage.send("POST", "/orders/new/limit", limit(**fields))
        assert words in refusal(reply)[1]
        assert stage.truth.orders == {}

    check()


@staged
async def test_an_older_client_names_no_slippage(stage: Stage) -> None:
    assert stage.rest(slippage_limit=None)


# --------------------------------------------------------------------------- lists


@staged
async def test_lists_are_filtered_sorted_and_paged(stage: Stage) -> None:
    numbers = []
    for _ in range(5):
        numbers.append(stage.rest())
        await asyncio.sleep(1)
    stage.post("/orders/cancel", {"rfq_id": numbers[0]})
    page = stage.get("/orders/v2", status="pending", limit=2, offset=1)
    assert [row["rfq_id"] for row in page["result"]] == [numbers[3], numbers[2]]
    assert page["pagination"]["next_page"] == {"limit": "2", "offset": "3"}
    assert page["pagination"]["object_count"] == 4
    last = stage.get("/orders/v2", status="pending", limit=2, offset=3)
    assert last["pagination"]["next_page"] is None
    oldest = stage.get("/orders/v2", order="asc")["result"]
    assert [row["rfq_id"] for row in oldest] == numbers
    since = oldest[2]["created_at"]
    assert len(stage.get("/orders/v2", created_at_gte=since)["result"]) == 3
    assert len(stage.get("/orders/v2", created_at_lte=since)["result"]) == 3
    assert len(stage.get("/orders/v2", instrument=KEY)["result"]) == 5
    assert stage.get("/orders/v2", instrument="P-BTC-USDC-3600")["result"] == []
    assert stage.get("/orders/v2", instrument=json.dumps(INSTRUMENT))["result"] == []
    for query in (
        "status=open",
        "limit=x",
        "created_at_gte=yesterday",
        "created_at_gte=2026-01-01",
    ):
        assert stage.send("GET", f"/orders/v2?{query}").status == 400


@staged
async def test_accounts_see_their_own_orders_only(stage: Stage) -> None:
    stage.rest()
    stranger = Wallet(STRANGER)
    own, stage.token = stage.token, stage.sign_in(stranger, captcha="x")
    reply = stage.send("GET", "/orders/v2", vr_connected_address=stranger.address)
    assert done(reply)["result"] == []
    stage.token = own
    assert len(stage.get("/orders/v2")["result"]) == 1


# --------------------------------------------------------------------------- account


@staged
async def test_money_adds_up(stage: Stage) -> None:
    await stage.trade("buy", "2")
    stage.quote("3010.00", "3010.01")
    await asyncio.sleep(1)
    stage.quote("3010.00", "3010.01")
    told = stage.get("/portfolio", compute_margin="true")
    assert D(told["balance"]) + D(told["upnl"]) == stage.truth.equity(stage.account)
    assert D(told["sub_accounts"]["cross_available"]) < D(told["balance"])
    pool = stage.get("/settlement_pools/details")
    assert pool["balance"] == told["balance"]
    [position] = stage.get("/positions")
    assert D(position["upnl"]) > 0


@staged
async def test_leverage_is_set_for_an_asset(stage: Stage) -> None:
    asked = {"assets": [ETH]}
    assert stage.post("/settlement_pools/leverage", asked)[ETH]["current"] == "10"
    told = stage.post("/settlement_pools/set_leverage", {"asset": ETH, "leverage": "25"})
    assert told == {"current": "25", "max": 50}
    assert stage.post("/settlement_pools/leverage", asked)[ETH]["current"] == "25"
    for wrong in ("51", "0", 20):
        body = {"asset": ETH, "leverage": wrong}
        assert stage.send("POST", "/settlement_pools/set_leverage", body).status == 400


@staged
async def test_a_position_can_be_called_isolated(stage: Stage) -> None:
    await stage.trade("buy", "0.5")
    assert stage.get("/portfolio")["sub_accounts"]["isolated"] == []
    stage.post("/sub_accounts/isolate", {"instrument": INSTRUMENT})
    [own] = stage.get("/portfolio")["sub_accounts"]["isolated"]
    assert (own["instrument"]["underlying"], own["balance"]) == (ETH, "150.00")
    stage.post("/sub_accounts/deisolate", {"instrument": INSTRUMENT})
    assert stage.get("/portfolio")["sub_accounts"]["isolated"] == []


# --------------------------------------------------------------------------- metadata


@staged
async def test_rates_are_told_for_a_year_and_contracts_named_by_the_hour(stage: Stage) -> None:
    stage.truth.fund(D("0.0001"), ETH)
    query = {"underlying": ETH, "instrument_type": "perpetual_future"}
    told = stage.get("/funding/v2", **query)
    assert (told["predicted_funding_rate"], told["funding_interval_s"]) == ("0.1095", 28_800)
    row = stage.get("/metadata/supported_assets", cex_asset=ETH)[ETH][0]
    assert (row["funding_rate"], row["funding_interval_s"]) == ("0.1095", 28_800)
    assert stage.get("/metadata/v2/open_interest", **query)["instrument"] == INSTRUMENT
    limits = stage.get("/metadata/v2/risk_limits", **query)
    assert isinstance(limits["mark_price"], float)
    assert stage.send("GET", "/funding/v2?underlying=ETH").status == 400


@staged
async def test_a_market_that_closes_takes_reduce_only(stage: Stage) -> None:
    await stage.trade("buy")
    stage.truth.markets[ETH].info["closing"] = True
    try:
        assert stage.get("/metadata/supported_assets")[ETH][0]["is_close_only_mode"]
        reply = stage.accept("buy")
        assert (reply.status, reply.body["error_code"]) == (422, "global_configs_check")
        assert (await stage.trade("sell", is_reduce_only=True))["status"] == "cleared"
    finally:
        stage.truth.markets[ETH].info["closing"] = False


# --------------------------------------------------------------------------- sockets


@staged
async def test_prices_are_told_to_whoever_asks(stage: Stage) -> None:
    wire = stage.connect("/prices")
    stage.say(wire, {"action": "subscribe", "instruments": [INSTRUMENT]})
    beat, price = wire.take()
    assert beat["type"] == "heartbeat"
    assert price["channel"] == f"instrument_price:{KEY}"
    await asyncio.sleep(1)
    stage.quote("3001.00", "3001.01")
    assert wire.take()[0]["pricing"]["price"].startswith("3001.0")
    stage.say(wire, {"action": "unsubscribe", "instruments": [INSTRUMENT]})
    assert not wire.open, "without an instrument it ends"
    other = stage.connect("/prices")
    stage.say(other, {"action": "subscribe", "instruments": [{**INSTRUMENT, "kind": "equity"}]})
    assert other.take()[-1] == "unsupported instrument: P-ETH-USDC-3600"
    assert not other.open


@staged
async def test_private_sockets_want_claims_in_time(stage: Stage) -> None:
    late, wrong = stage.connect("/events"), stage.connect("/portfolio")
    stage.say(wrong, {"claims": "no"})
    assert wrong.take()[-1] == "Token format incorrect, could not deserialize"
    await asyncio.sleep(3)
    assert late.take()[-1] == "Token timeout: Unauthorized"
    assert not late.open
    assert not wrong.open


@staged
async def test_events_are_told_of_orders(stage: Stage) -> None:
    events, portfolio = stage.connect("/events"), stage.connect("/portfolio")
    for wire in (events, portfolio):
        stage.say(wire, {"claims": stage.token})
    row = await stage.trade("buy")
    [trade] = [f for f in events.take() if f.get("type") == "trade"]
    assert trade["data"]["source_rfq"] == row["rfq_id"]
    await stage.trade("buy", is_reduce_only=True)
    [cleared] = [f for f in events.take() if f.get("type") == "clearing_event"]
    assert cleared["data"]["clearing_status"] == "rejected_failed_reduce_only_check"
    number = stage.rest()
    await asyncio.sleep(0.5)
    stage.post("/orders/cancel", {"rfq_id": number})
    [canceled] = [f for f in events.take() if f.get("type") == "canceled_order"]
    assert canceled["data"]["rfq_id"] == number
    told = [frame for frame in portfolio.take() if "positions" in frame]
    assert told[-1]["positions"][0]["position_info"]["qty"] == "0.100000"
    assert "sub_accounts" in told[-1]["pool_portfolio_result"]


# --------------------------------------------------------------------------- served


def test_it_is_found_by_its_name() -> None:
    assert load_venue("variational") is VariationalSim


def test_the_start_of_public_clients_over_http() -> None:
    """As three of them begin, by curl_cffi, with whatever else a browser sends."""

    async def play() -> None:
        async with await run.start(["variational"]) as world:
            await asyncio.sleep(1)
            rest, keys = world.endpoints["variational"], world.credentials["variational"]
            wallet = Wallet(keys["wallet_private_key"])
            headers = {"accept": "*/*", "vr-connected-address": wallet.address}
            async with AsyncSession(impersonate="chrome", timeout=None) as client:

                async def call(method: Any, path: str, body: Any = None, **cookies: str) -> Any:
                    url = rest["stats" if path == "/metadata/stats" else "rest"] + path
                    return await client.request(
                        method,
                        url,
                        json=body,
                        headers=headers,
                        cookies=cookies,
                        discard_cookies=True,
                        http_version="v1",
                    )

                probe = await call("GET", "/settlement_pools/details")
                assert probe.status_code == 401
                address = {"address": wallet.address}
                text = (await call("POST", "/auth/generate_signing_data", address)).text
                signed = {**address, "signed_message": wallet.sign(text)[2:]}
                answer = await call("POST", "/auth/login", signed)
                token = {"vr-token": answer.json()["token"]}
                assert answer.cookies["vr-token"] == token["vr-token"]
                assert (await call("GET", "/me", **token)).json()["token"] == token["vr-token"]
                for path in (
                    "/metadata/config",
                    "/metadata/supported_assets?cex_asset=ETH",
                    "/portfolio",
                    f"/orders/v2?status=pending&instrument={KEY}&limit=1",
                    "/settlement_pools/details",
                    "/metadata/stats",
                ):
                    assert (await call("GET", path, **token)).status_code == 200, path
                body = {"instrument": INSTRUMENT, "qty": "0.001"}
                quote = (await call("POST", "/quotes/indicative", body, **token)).json()
                order = {
                    "quote_id": quote["quote_id"],
                    "side": "buy",
                    "max_slippage": 0.01,
                    "is_reduce_only": False,
                }
                acked = await call("POST", "/orders/new/market", order, **token)
                assert list(acked.json()) == ["rfq_id"]

    run_virtual(play())


def test_limits_are_kept_and_told() -> None:
    async def play() -> None:
        async with await run.start(["variational"]) as world:
            rest = world.endpoints["variational"]["rest"]
            async with AsyncSession(impersonate="chrome", timeout=None) as client:
                answers = [
                    await client.get(f"{rest}/metadata/config", headers={"accept": "*/*"})
                    for _ in range(14)
                ]
            refused = answers[-1]
            assert [a.status_code for a in answers].count(200) == 12
            assert refused.status_code == 429
            assert refused.json()["wait_until_seconds"] >= 1
            assert int(refused.headers["x-rate-limit-resets-in-ms"]) >= 1000

    run_virtual(play())

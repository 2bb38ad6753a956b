"""The simulated StandX against the venue's rules: sign-in, signed bodies, orders, queries, sockets.

There is no SDK to trade on it. Instead the start-up sequences of three public clients are played as
raw requests: multi-perp-dex, perp-dex-tools and the Rust SDK of wjllance/StandX-CLI.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import base58
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from nacl.signing import SigningKey
from sim.standx_stage import (
    BTC,
    ETH,
    LOGIN,
    ORDERS,
    PREPARE,
    SESSION,
    SOL,
    STREAM,
    Session,
    Stage,
    Wallet,
    claims_of,
    market_order,
    order,
    request_key,
    staged,
    taker,
)

from mpdex.sim import run
from mpdex.sim.exchange import Twist
from mpdex.sim.models import NO_LATENCY, LatencyModel
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues import load_venue
from mpdex.sim.venues import standx_crypto as crypto
from mpdex.sim.venues.standx import StandxSim
from mpdex.types import OrderStatus
from mpdex.utils.virtual_loop import run_virtual

D = Decimal
VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "standx.json"
CASES = json.loads(VECTORS.read_text())["cases"]
STRANGER = "0x" + "11" * 32


def of_kind(*kinds: str) -> Any:
    cases = [case for case in CASES if case["kind"] in kinds]
    assert cases
    return pytest.mark.parametrize("case", cases, ids=lambda case: case["name"])


def refusal(reply: SimReply) -> tuple[int, str]:
    """Status and message of an error answer, which has exactly two fields."""
    assert set(reply.body) == {"code", "message"}, reply.body
    assert reply.body["code"] == reply.status
    return reply.status, reply.body["message"]


# --------------------------------------------------------------------------- vectors


@of_kind("rest_body_signature")
def test_signatures_of_bodies_are_accepted(case: dict[str, Any]) -> None:
    given, expected = case["input"], case["expected"]
    stamp, body = str(given["timestamp_ms"]), given["body"].encode()
    text = crypto.body_text(given["x_request_id"], stamp, body)
    public = bytes.fromhex(expected["public_key_hex"])
    assert text.decode() == expected["message"]
    assert crypto.verify_body(public, expected["signature_base64"], text)
    assert not crypto.verify_body(public, expected["signature_base64"], text + b" ")


@of_kind("ws_command")
def test_signatures_of_calls_are_accepted(case: dict[str, Any]) -> None:
    given, expected = case["input"], case["expected"]
    if given["method"] == "auth:login":
        assert "header" not in expected["frame"]
        return
    frame = expected["frame"]
    stamp = frame["header"]["x-request-timestamp"]
    number = frame["header"]["x-request-id"]
    text = crypto.body_text(number, stamp, frame["params"].encode())
    public = bytes.fromhex(expected["public_key_hex"])
    assert crypto.verify_body(public, expected["signature_base64"], text)


@of_kind("must_be_rejected")
def test_what_was_not_signed_is_refused(case: dict[str, Any]) -> None:
    given = case["input"]
    text = crypto.body_text(
        given["x_request_id"], str(given["timestamp_ms"]), given["body"].encode()
    )
    public = bytes.fromhex(given["public_key_hex"])
    assert not crypto.verify_body(public, given["signature_base64"], text)


@of_kind("evm_login", "solana_login")
def test_signatures_of_wallets_are_accepted(case: dict[str, Any]) -> None:
    given, expected = case["input"], case["expected"]
    claims = crypto.read_claims(given["signed_data_jwt"])
    assert claims == given["signed_data_payload"]
    chain, address = given["chain"], expected["address"]
    assert crypto.verify_wallet(chain, address, claims, expected["signature"])
    changed = {**claims, "message": claims["message"] + " "}
    assert not crypto.verify_wallet(chain, address, changed, expected["signature"])


@pytest.mark.parametrize("signature", ["", "0x", "0xzz", "AAAA", "é" * 88, "A" * 88])
def test_what_is_no_signature_is_not_accepted(signature: str) -> None:
    key = crypto.throwaway_request_key("somebody")
    assert not crypto.verify_body(key.public, signature, b"v1,1,1,")
    for chain, address in (("bsc", "0x" + "1" * 40), ("solana", base58.b58encode(key.public))):
        assert not crypto.verify_wallet(chain, str(address), {"message": "x"}, signature)


# --------------------------------------------------------------------------- sign-in


def test_the_table_finds_it_and_keys_are_the_same_for_the_same_seed() -> None:
    assert load_venue("standx") is StandxSim

    async def keys(seed: int) -> dict[str, str]:
        async with await run.start(["standx"], seed=seed) as running:
            names = {"login", "rest", "ws", "ws_orders", "time"}
            assert running.endpoints["standx"].keys() == names
            return running.credentials["standx"]

    first = run_virtual(keys(3))
    assert first == run_virtual(keys(3)) != run_virtual(keys(4))
    assert first.keys() == {"wallet_private_key"}


@staged
async def test_the_token_to_sign_is_es256_and_its_key_is_published(stage: Stage) -> None:
    request_id = stage.session.request_id
    prepared = stage.prepare(stage.wallet.address, request_id).body
    assert prepared["success"] is True
    head, claims, seal = prepared["signedData"].split(".")
    assert json.loads(unpadded(head)) == {"alg": "ES256", "typ": "JWT"}
    [jwk] = stage.send("GET", "/signin/v1/offchain/certs").body["keys"]
    x, y, r, s = (
        int.from_bytes(half, "big")
        for half in (
            *(unpadded(jwk[name]) for name in "xy"),
            *(unpadded(seal)[:32], unpadded(seal)[32:]),
        )
    )
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    key.verify(encode_dss_signature(r, s), f"{head}.{claims}".encode(), ec.ECDSA(SHA256()))
    told = claims_of(prepared["signedData"])
    assert (told["address"], told["requestId"]) == (stage.wallet.address, request_id)
    assert told["exp"] - told["iat"] == 180
    assert stage.wallet.address in told["message"]


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@staged
async def test_a_sign_in_gives_a_token_that_says_when_it_ends(stage: Stage) -> None:
    claims = claims_of(stage.session.token)
    assert claims["exp"] == stage.clock.now_ns() // 10**9 + 604_800
    hour = stage.sign_in(seconds=3600)
    assert claims_of(hour.token)["exp"] - claims["exp"] == 3600 - 604_800
    assert stage.get("query_balance")["equity"] == "100000"
    await asyncio.sleep(3600)
    stage.session, kept = hour, stage.session
    assert refusal(stage.read("query_balance")) == (401, "unauthorized")
    stage.session = kept
    assert stage.read("query_balance").status == 200


@staged
async def test_a_sign_in_must_be_finished_within_three_minutes(stage: Stage) -> None:
    token = stage.prepare(stage.wallet.address, stage.session.request_id).body["signedData"]
    signature = stage.wallet.sign(claims_of(token)["message"])
    await asyncio.sleep(179)
    assert stage.login(signature, token).status == 200
    await asyncio.sleep(1)
    assert refusal(stage.login(signature, token)) == (400, "signed data has expired")


@staged
async def test_a_sign_in_that_is_not_right_is_refused(stage: Stage) -> None:
    token = stage.prepare(stage.wallet.address, stage.session.request_id).body["signedData"]
    message = claims_of(token)["message"]
    good = stage.wallet.sign(message)
    wrong = (400, "invalid signature")
    assert refusal(stage.login(Wallet(STRANGER).sign(message), token)) == wrong
    assert refusal(stage.login(stage.wallet.sign(message + "\n"), token)) == wrong
    assert refusal(stage.login(good.removeprefix("0x"), token)) == wrong
    assert refusal(stage.login(good, token[:-4] + "AAAA")) == wrong
    assert refusal(stage.login(good, "no.token.at-all")) == wrong
    assert refusal(stage.login(good, stage.session.token)) == wrong
    assert refusal(stage.login(good, token, chain="solana")) == wrong
    assert refusal(stage.login(good, token, chain="ton")) == (400, "invalid request")
    assert stage.login(good, token).status == 200


@pytest.mark.parametrize(
    ("address", "request_id", "chain"),
    [
        ("0x12", "good", "bsc"),
        ("good", "0OIl", "bsc"),
        ("good", "abc", "bsc"),
        ("good", "good", "solana"),
        ("good", "good", ""),
    ],
)
def test_a_sign_in_needs_an_address_and_a_key(address: str, request_id: str, chain: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        said = (
            stage.wallet.address if address == "good" else address,
            stage.session.request_id if request_id == "good" else request_id,
        )
        assert refusal(stage.prepare(*said, chain=chain)) == (400, "invalid request")

    check()


@staged
async def test_a_wallet_that_nobody_knows_was_never_funded(stage: Stage) -> None:
    stage.session = stage.sign_in(Wallet(STRANGER))
    assert refusal(stage.read("query_balance")) == (404, "user balance not found")
    assert stage.get("query_positions") == []
    assert stage.get("query_open_orders")["result"] == []
    socket = stage.order_socket()
    stage.call(socket, "order:new", order())
    await asyncio.sleep(1)
    assert [frame["message"] for frame in socket.take()] == ["balance not enough"]


@staged
async def test_a_solana_wallet_may_sign_in(stage: Stage) -> None:
    wallet, session = request_key(1), Session("", request_key(2))
    public = bytes(wallet.verify_key)
    address = base58.b58encode(public).decode()
    token = stage.prepare(address, session.request_id, chain="solana").body["signedData"]
    claims = claims_of(token)
    signed = claims["message"].encode()
    answer = {
        "input": claims,
        "output": {
            "signedMessage": list(signed),
            "signature": list(wallet.sign(signed).signature),
            "account": {"publicKey": list(public)},
        },
    }
    proof = base64.b64encode(json.dumps(answer).encode()).decode()
    reply = stage.login(proof, token, chain="solana")
    assert (reply.body["chain"], reply.body["address"]) == ("solana", address)
    answer["input"] = {**claims, "nonce": "another"}
    other = base64.b64encode(json.dumps(answer).encode()).decode()
    assert refusal(stage.login(other, token, chain="solana")) == (400, "invalid signature")


@staged
async def test_the_premade_pair_needs_no_wallet(stage: Stage) -> None:
    pair = stage.venue.premade_credentials()
    assert pair == stage.venue.premade_credentials()
    key = SigningKey(base58.b58decode(pair["request_private_key"]))
    stage.session = Session(pair["token"], key)
    assert (await stage.place())["user"] == stage.account
    assert pair["token"] in stage.venue.issued()


@staged
async def test_token_and_key_are_a_pair(stage: Stage) -> None:
    """A new sign-in makes a new pair; half of each is refused."""
    first, second = stage.session, stage.sign_in()
    for mixed in (Session(first.token, second.key), Session(second.token, first.key)):
        stage.session = mixed
        assert refusal(stage.post("new_order", order())) == (403, "invalid body signature")
        assert stage.read("query_balance").status == 200  # a GET is not signed
    for pair in (first, second):
        stage.session = pair
        assert stage.post("new_order", order()).status == 200


@staged
async def test_every_session_can_end_at_once(stage: Stage) -> None:
    socket = stage.order_socket()
    stage.venue.expire_sessions()
    assert refusal(stage.read("query_balance")) == (401, "unauthorized")
    assert refusal(stage.post("new_order", order())) == (401, "unauthorized")
    reply = stage.call(socket, "order:new", order())
    assert reply == {"code": 401, "message": "unauthorized", "request_id": "r-1"}
    answer = stage.say(stage.connect(), {"auth": {"token": stage.session.token}})
    assert answer == {"code": 401, "message": "unauthorized"}
    stage.session = stage.sign_in()
    assert stage.read("query_balance").status == 200


# --------------------------------------------------------------------------- signed bodies


@staged
async def test_the_exact_bytes_are_signed(stage: Stage) -> None:
    now = stage.clock.now_ms()
    compact = json.dumps(order(), separators=(",", ":")).encode()
    spaced = json.dumps(order()).encode()
    heads = stage.session.headers(compact, now)
    refused = stage.send("POST", "/api/new_order", spaced, headers=heads)
    assert refusal(refused) == (403, "invalid body signature")
    assert stage.send("POST", "/api/new_order", compact, headers=heads).status == 200
    sorted_keys = json.dumps(order(), sort_keys=True).encode()
    heads = stage.session.headers(sorted_keys, now)
    assert stage.send("POST", "/api/new_order", sorted_keys, headers=heads).status == 200


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"authorization": None}, (401, "unauthorized")),
        ({"authorization": "Basic x"}, (401, "unauthorized")),
        ({"authorization": "Bearer a.b.c"}, (401, "unauthorized")),
        ({"x_request_signature": None}, (403, "invalid body signature")),
        ({"x_request_signature": "AAAA"}, (403, "invalid body signature")),
        ({"x_request_id": "another"}, (403, "invalid body signature")),
        ({"x_request_id": None}, (403, "invalid body signature")),
        ({"x_request_timestamp": "1"}, (403, "invalid body signature")),
        ({"x_request_timestamp": None}, (403, "invalid body signature")),
        ({"x_request_sign_version": "v2"}, (403, "invalid body signature")),
        ({"x_request_sign_version": None}, (403, "invalid body signature")),
        ({"x_impersonate": "cv_1"}, (403, "permission denied")),
    ],
)
@pytest.mark.parametrize("name", ["new_order", "cancel_order", "cancel_orders", "change_leverage"])
def test_every_post_has_to_be_proven(
    name: str, changed: dict[str, str | None], expected: tuple[int, str]
) -> None:
    @staged
    async def check(stage: Stage) -> None:
        assert refusal(stage.post(name, order(), **changed)) == expected
        assert stage.exchange.order_history(stage.account) == []

    check()


@pytest.mark.parametrize(
    ("late_ms", "window_ms", "good"),
    [
        *((0, 10_000, True), (10_000, 10_000, True), (10_001, 10_000, False)),
        *((-10_001, 10_000, False), (1_001, 1_000, False), (59_000, 60_000, True)),
    ],
)
def test_the_time_of_a_signature(late_ms: int, window_ms: int, good: bool) -> None:
    @staged
    async def check(stage: Stage) -> None:
        stage.venue.logins.window_ms = window_ms
        body = json.dumps(order()).encode()
        heads = stage.session.headers(body, stage.clock.now_ms() - late_ms)
        reply = stage.send("POST", "/api/new_order", body, headers=heads)
        if good:
            assert reply.body["code"] == 0
        else:
            assert refusal(reply) == (403, "signature has expired")

    check()


# --------------------------------------------------------------------------- placing


@staged
async def test_an_answer_says_that_an_order_was_taken_and_no_more(stage: Stage) -> None:
    answer = stage.done("new_order", order(cl_ord_id="mine"))
    assert answer.keys() == {"code", "message", "request_id"}
    await asyncio.sleep(1)
    row = stage.get("query_order", cl_ord_id="mine")
    assert (row["status"], row["fill_qty"], row["time_in_force"]) == ("open", "0", "alo")
    assert (row["price"], row["qty"], row["leverage"]) == ("2990.00", "0.1000", "10")
    assert row["id"] > 2**33
    assert stage.get("query_order", order_id=row["id"]) == row
    [listed] = stage.get("query_open_orders")["result"]
    assert listed == {**row, "status": "new"}


@staged
async def test_the_server_makes_an_id_where_the_client_has_none(stage: Stage) -> None:
    stage.done("new_order", order())
    await asyncio.sleep(1)
    [row] = stage.get("query_open_orders")["result"]
    assert len(row["cl_ord_id"]) == 26
    assert row["cl_ord_id"].isalnum()
    assert row["cl_ord_id"].startswith("01K")


@staged
async def test_an_id_that_is_used_twice_makes_two_orders_and_means_the_newer(stage: Stage) -> None:
    older = await stage.place(cl_ord_id="mine")
    newer = await stage.place(cl_ord_id="mine", price="2980")
    assert newer["id"] > older["id"]
    ids = [row["cl_ord_id"] for row in stage.get("query_open_orders")["result"]]
    assert ids == ["mine", "mine"]


@staged
async def test_a_new_order_is_unknown_for_a_while(stage: Stage) -> None:
    stage.venue.desk.new_order_lag = 3.0
    unknown = []
    for number in range(10):
        name = f"late-{number}"
        stage.done("new_order", order(cl_ord_id=name))
        if stage.read("query_order", cl_ord_id=name).status == 404:
            unknown.append(name)
    assert len(unknown) > 5
    missed = stage.read("query_order", cl_ord_id=unknown[0])
    assert refusal(missed) == (404, "order not found")
    listed = {row["cl_ord_id"] for row in stage.get("query_open_orders")["result"]}
    assert not listed & set(unknown)
    await asyncio.sleep(3)
    for name in unknown:
        assert stage.get("query_order", cl_ord_id=name)["status"] == "open"
    assert len(stage.get("query_open_orders")["result"]) == 10


@staged
async def test_the_open_list_shows_for_a_while_what_has_ended(stage: Stage) -> None:
    stage.venue.desk.open_list_lag = 15.0
    row = await stage.place()
    stage.done("cancel_order", {"order_id": row["id"]})
    assert stage.get("query_order", order_id=row["id"])["status"] == "canceled"
    await asyncio.sleep(14.9)
    [listed] = stage.get("query_open_orders", symbol=ETH)["result"]
    assert (listed["id"], listed["status"]) == (row["id"], "new")
    assert stage.get("query_open_orders", symbol=BTC)["result"] == []
    await asyncio.sleep(0.1)
    assert stage.get("query_open_orders")["result"] == []


@staged
async def test_both_lags_are_there_by_default_and_can_be_none(stage: Stage) -> None:
    desk = stage.venue.desk
    assert 0 < desk.new_order_lag < 3
    assert 0 < desk.open_list_lag < 15
    desk.new_order_lag = desk.open_list_lag = 0.0
    stage.done("new_order", order(cl_ord_id="now"))
    assert stage.get("query_order", cl_ord_id="now")["status"] == "open"
    stage.done("cancel_order", {"cl_ord_id": "now"})
    assert stage.get("query_open_orders")["result"] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"qty": "0.10001"}, "invalid order qty: not follow qty tick"),
        ({"qty": "0.00019999999999999998"}, "invalid order qty"),
        ({"qty": "0.0009"}, "invalid order qty"),
        ({"qty": "1001"}, "invalid order qty"),
        ({"qty": "0"}, "invalid order qty"),
        ({"qty": "-1"}, "invalid order qty"),
        ({"qty": 0.1}, "invalid order qty"),
        ({"qty": "1e-1"}, "invalid order qty"),
        ({"symbol": SOL, "qty": "0.09"}, "invalid order qty"),
        ({"price": "2990.001"}, "invalid order price: not follow price tick"),
        ({"price": "0"}, "invalid order price"),
        ({"price": 2990}, "invalid order price"),
        ({"price": None}, "invalid order price"),
        ({"symbol": "DOGE-USD"}, "invalid symbol"),
        ({"symbol": None}, "invalid symbol"),
        ({"side": "Buy"}, "invalid request"),
        ({"order_type": "stop"}, "invalid request"),
        ({"time_in_force": "GTC"}, "invalid request"),
        ({"time_in_force": "fok"}, "invalid request"),
        ({"time_in_force": None}, "invalid request"),
        ({"order_type": "market"}, "invalid request"),
        ({"order_type": "market", "time_in_force": "ioc"}, "invalid request"),
        ({"reduce_only": None}, "invalid request"),
        ({"reduce_only": "false"}, "invalid request"),
        ({"cl_ord_id": 7}, "invalid request"),
        ({"cl_ord_id": "x" * 65}, "invalid request"),
        ({"leverage": 5}, "invalid request"),
        ({"leverage": "10"}, "invalid request"),
        ({"margin_mode": "isolated"}, "invalid request"),
        ({"margin_mode": "both"}, "invalid request"),
        ({"tp_price": "3100"}, "tp_price and sl_price are not simulated"),
    ],
)
def test_what_the_gateway_refuses(changes: dict[str, Any], message: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        assert refusal(stage.post("new_order", order(**changes))) == (400, message)
        socket = stage.order_socket()
        reply = stage.call(socket, "order:new", order(**changes))
        assert reply == {"code": 400, "message": message, "request_id": "r-1"}
        await asyncio.sleep(1)
        assert socket.take() == []
        assert stage.exchange.order_history(stage.account) == []

    check()


@staged
async def test_leverage_and_mode_of_an_order_may_be_said_where_they_are_in_force(
    stage: Stage,
) -> None:
    row = await stage.place(leverage=10, margin_mode="cross")
    assert row["leverage"] == "10"


@staged
async def test_a_body_that_is_no_object_is_refused(stage: Stage) -> None:
    for body in (b"{", b"7", b"[1]", b""):
        heads = stage.session.headers(body, stage.clock.now_ms())
        reply = stage.send("POST", "/api/new_order", body, headers=heads)
        assert refusal(reply) == (400, "invalid request")


REFUSED_BY_MATCHING = {
    "post_only": (order(price="3000.00"), "alo order rejected"),
    "margin": (order(qty="340"), "balance not enough"),
    "nothing to reduce": (order(reduce_only=True), "reduce only order rejected"),
    "band": (taker(price="3950"), "order price out of range"),
}


@pytest.mark.parametrize("name", REFUSED_BY_MATCHING)
def test_what_matching_refuses_is_acknowledged_first(name: str) -> None:
    sent, message = REFUSED_BY_MATCHING[name]

    @staged
    async def check(stage: Stage) -> None:
        stream, socket = stage.listen("order", "trade", "position"), stage.order_socket()
        taken = stage.call(socket, "order:new", {**sent, "cl_ord_id": "mine"})
        assert taken == {"code": 0, "status": "accepted", "request_id": "r-1"}
        assert socket.take() == []
        await asyncio.sleep(5)
        assert socket.take() == [{"code": 400, "message": message, "request_id": "r-1"}]
        assert stream.take() == []
        missed = stage.read("query_order", cl_ord_id="mine")
        assert refusal(missed) == (404, "order not found")
        assert stage.get("query_orders")["result"] == []
        gone = stage.post("cancel_order", {"cl_ord_id": "mine"})
        assert refusal(gone) == (404, "order not found")

    check()


@staged
async def test_without_a_session_only_the_missing_order_tells_of_a_refusal(stage: Stage) -> None:
    socket = stage.order_socket()
    stage.done("new_order", order(price="3000.00", cl_ord_id="mine"))
    await asyncio.sleep(20)
    assert socket.take() == []
    assert stage.read("query_order", cl_ord_id="mine").status == 404


@staged
async def test_fills_of_an_order_that_takes(stage: Stage) -> None:
    done = await stage.place(**taker(qty="6", price="3000.00"))
    assert (done["status"], done["fill_qty"], done["qty"]) == ("canceled", "5.0000", "6.0000")
    assert done["fill_avg_price"] == "3000"
    whole = await stage.place(**taker(side="sell"))
    assert (whole["status"], whole["avail_locked"]) == ("filled", "0")
    assert D(whole["margin"]) == D("0.1") * D("2999.99") / 10


@staged
async def test_a_part_of_a_resting_order_fills(stage: Stage) -> None:
    row = await stage.place(price="2999.99", time_in_force="gtc")
    stage.exchange.fill(stage.exchange.orders[str(row["id"])], D("0.04"))
    told = stage.get("query_order", order_id=row["id"])
    assert (told["status"], told["fill_qty"]) == ("open", "0.0400")
    stage.done("cancel_order", {"order_id": row["id"]})
    told = stage.get("query_order", order_id=row["id"])
    assert (told["status"], told["fill_qty"]) == ("canceled", "0.0400")


@staged
async def test_a_market_order_has_a_price_of_the_venues(stage: Stage) -> None:
    row = await stage.place(**market_order(qty="7"))
    assert (row["status"], row["order_type"], row["time_in_force"]) == ("filled", "market", "ioc")
    assert (row["price"], row["fill_avg_price"][:8]) == ("3000.00", "3000.002")


@staged
async def test_reduce_only_is_for_no_more_than_is_left_to_reduce(stage: Stage) -> None:
    await stage.place(**taker(qty="0.5"))
    socket = stage.order_socket()

    async def verdict(qty: str) -> str:
        stage.call(socket, "order:new", order("sell", qty, reduce_only=True))
        await asyncio.sleep(1)
        [frame] = socket.take()
        return str(frame["message"])

    assert await verdict("0.6") == "reduce only order rejected"
    assert await verdict("0.3") == "success"
    assert await verdict("0.3") == "reduce only order rejected"
    assert await verdict("0.2") == "success"


@staged
async def test_so_many_open_orders_and_so_large_a_position(stage: Stage) -> None:
    stage.exchange.accounts[stage.account].cash = D(10**9)
    socket = stage.order_socket()
    for number in range(100):
        stage.done("new_order", order(qty="0.001", cl_ord_id=f"n-{number}"))
    stage.call(socket, "order:new", order())
    await asyncio.sleep(1)
    assert socket.take()[0]["message"] == "max open orders exceeded"
    stage.exchange.cancel_all(stage.account)
    stage.exchange.manual_trade(stage.account, ETH, D("9999.5"))
    for qty, message in (("0.6", "max position size exceeded"), ("0.5", "success")):
        stage.call(socket, "order:new", order(qty=qty))
        await asyncio.sleep(1)
        assert socket.take()[0]["message"] == message


@staged
async def test_a_halted_market_says_so(stage: Stage) -> None:
    stage.exchange.halt("cancel_only")
    states = {(m["status"], m["enabled"]) for m in stage.get("query_symbol_info")}
    assert states == {("halted", False)}
    socket = stage.order_socket()
    stage.call(socket, "order:new", order())
    await asyncio.sleep(1)
    assert socket.take()[0]["message"] == "symbol is not trading"


# --------------------------------------------------------------------------- canceling


@staged
async def test_a_cancel_is_acknowledged_and_then_done(stage: Stage) -> None:
    row, socket = await stage.place(cl_ord_id="mine"), stage.order_socket()
    taken = stage.call(socket, "order:cancel", {"cl_ord_id": "mine"})
    assert taken == {"code": 0, "status": "accepted", "request_id": "r-1"}
    await asyncio.sleep(1)
    assert socket.take() == [{"code": 0, "message": "success", "request_id": "r-1"}]
    assert stage.get("query_order", order_id=row["id"])["status"] == "canceled"


@staged
async def test_the_number_of_an_order_is_a_json_integer(stage: Stage) -> None:
    row = await stage.place()
    for wrong in (str(row["id"]), True, row["id"] + 0.5, None):
        reply = stage.post("cancel_order", {"order_id": wrong})
        assert refusal(reply) == (400, "invalid request")
    assert refusal(stage.post("cancel_order", {})) == (400, "invalid request")
    assert refusal(stage.post("cancel_order", {"order_id": 5})) == (404, "order not found")
    stage.done("cancel_order", {"order_id": row["id"]})


@staged
async def test_a_cancel_that_comes_too_late(stage: Stage) -> None:
    """Just after the end it is taken and refused; later the order is not found."""
    socket = stage.order_socket()
    stage.done("new_order", taker(cl_ord_id="mine"))
    taken = stage.call(socket, "order:cancel", {"cl_ord_id": "mine"})
    assert taken["status"] == "accepted"
    await asyncio.sleep(1)
    [verdict] = socket.take()
    assert (verdict["code"], verdict["message"]) == (400, "order not found")
    await asyncio.sleep(2)
    late = stage.call(socket, "order:cancel", {"cl_ord_id": "mine"})
    assert (late["code"], late["message"]) == (404, "order not found")


@staged
async def test_many_orders_are_canceled_by_both_kinds_of_id(stage: Stage) -> None:
    rows = [await stage.place() for _ in range(3)]
    ids = {"order_id_list": [rows[0]["id"], 5], "cl_ord_id_list": [rows[1]["cl_ord_id"]]}
    stage.done("cancel_orders", ids)
    await asyncio.sleep(1)
    left = [row["id"] for row in stage.get("query_open_orders")["result"]]
    assert left == [rows[2]["id"]]
    for wrong in ({}, {"order_id_list": []}, {"order_id_list": 5}, {"order_id_list": ["5"]}):
        assert refusal(stage.post("cancel_orders", wrong)) == (400, "invalid request")


# --------------------------------------------------------------------------- faults of the truth


@staged
async def test_a_cancel_that_a_fault_ignores_is_a_success(stage: Stage) -> None:
    row, socket = await stage.place(), stage.order_socket()
    stage.exchange.twist = Twist(keep_on_cancel=True)
    stage.call(socket, "order:cancel", {"order_id": row["id"]})
    stage.exchange.twist = Twist()
    await asyncio.sleep(1)
    assert socket.take()[0]["message"] == "success"
    assert stage.get("query_order", order_id=row["id"])["status"] == "open"


@staged
async def test_of_an_order_that_a_fault_loses_nothing_is_heard_again(stage: Stage) -> None:
    socket, stream = stage.order_socket(), stage.listen("order")
    stage.exchange.twist = Twist(lose_order=True)
    assert stage.call(socket, "order:new", order(cl_ord_id="mine"))["code"] == 0
    stage.exchange.twist = Twist()
    await asyncio.sleep(60)
    assert (socket.take(), stream.take()) == ([], [])
    assert stage.read("query_order", cl_ord_id="mine").status == 404


@pytest.mark.parametrize(
    ("status", "verdict", "word"),
    [(OrderStatus.REJECTED, 400, ""), (OrderStatus.CANCELED, 0, "canceled")],
)
def test_an_order_that_is_decided_late(status: OrderStatus, verdict: int, word: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        socket = stage.order_socket()
        stage.exchange.twist = Twist(fate=(status, 3.0))
        assert stage.call(socket, "order:new", order(cl_ord_id="mine"))["code"] == 0
        stage.exchange.twist = Twist()
        await asyncio.sleep(2.9)
        assert socket.take() == []
        assert stage.read("query_order", cl_ord_id="mine").status == 404
        await asyncio.sleep(0.5)
        assert [frame["code"] for frame in socket.take()] == [verdict]
        reply = stage.read("query_order", cl_ord_id="mine")
        assert reply.body.get("status", "") == word

    check()


@staged
async def test_a_stale_open_list_shows_how_it_was(stage: Stage) -> None:
    stage.exchange.remembers = True
    row = await stage.place()
    stage.done("cancel_order", {"order_id": row["id"]})
    await asyncio.sleep(10)
    stage.exchange.twist = Twist(as_of_ns=stage.clock.now_ns() - 10_500_000_000)
    assert [one["id"] for one in stage.get("query_open_orders")["result"]] == [row["id"]]
    stage.exchange.twist = Twist(as_of_ns=0)
    assert stage.get("query_open_orders")["result"] == []


# --------------------------------------------------------------------------- what an account asks


@staged
async def test_lists_have_an_envelope_and_pages(stage: Stage) -> None:
    rows = [await stage.place() for _ in range(3)]
    answer = stage.get("query_open_orders", limit=2)
    assert (answer["code"], answer["message"]) == (0, "success")
    assert (answer["page_size"], answer["total"]) == (2, 3)
    assert [row["id"] for row in answer["result"]] == [rows[2]["id"], rows[1]["id"]]
    rest = stage.get("query_orders", last_id=rows[1]["id"])
    assert [row["id"] for row in rest["result"]] == [rows[0]["id"]]
    stage.exchange.twist = Twist(page=1)
    assert len(stage.get("query_orders")["result"]) == 1
    assert refusal(stage.read("query_orders", limit="x")) == (400, "invalid request")
    assert refusal(stage.read("query_orders", symbol="DOGE-USD")) == (400, "invalid symbol")


@staged
async def test_the_history_is_filtered(stage: Stage) -> None:
    resting = await stage.place()
    await asyncio.sleep(10)
    filled = await stage.place(**market_order())

    def found(**query: Any) -> list[int]:
        return [row["id"] for row in stage.get("query_orders", **query)["result"]]

    assert found() == [filled["id"], resting["id"]]
    assert found(status="open") == found(status="new") == [resting["id"]]
    assert found(status="filled") == found(order_type="market") == [filled["id"]]
    assert found(start="2026-01-01T00:00:05Z") == [filled["id"]]
    assert found(end="2026-01-01T00:00:05.000001") == [resting["id"]]
    assert found(symbol=BTC) == []
    assert refusal(stage.read("query_orders", start="yesterday")) == (400, "invalid request")


@staged
async def test_an_order_is_asked_for_by_one_id_at_least(stage: Stage) -> None:
    assert refusal(stage.read("query_order")) == (400, "invalid request")
    assert refusal(stage.read("query_order", order_id="x")) == (400, "invalid request")
    assert refusal(stage.read("query_order", order_id=5)) == (404, "order not found")


@staged
async def test_fills_name_their_order_by_number(stage: Stage) -> None:
    bought = await stage.place(**taker())
    await asyncio.sleep(10)
    sold = await stage.place(**taker("sell"))
    newest, oldest = stage.get("query_trades")["result"]
    assert (newest["order_id"], oldest["order_id"]) == (sold["id"], bought["id"])
    assert (oldest["price"], oldest["qty"], oldest["value"]) == ("3000", "0.1", "300")
    assert (oldest["fee_qty"], oldest["fee_asset"]) == ("0.12", "DUSD")
    assert D(newest["pnl"]) == D("0.1") * D("-0.01")
    assert not {"cl_ord_id", "time"} & newest.keys()
    assert stage.get("query_trades", side="buy")["result"] == [oldest]
    assert stage.get("query_trades", start="2026-01-01T00:00:05Z")["result"] == [newest]


@staged
async def test_a_maker_pays_less(stage: Stage) -> None:
    row = await stage.place(price="2999.99")
    stage.trade("2999.98", "50", "sell")
    assert stage.get("query_order", order_id=row["id"])["status"] == "filled"
    [fill] = stage.get("query_trades")["result"]
    assert D(fill["fee_qty"]) == D("299.999") * D("0.0001")


@staged
async def test_quantities_of_positions_are_signed_and_flat_ones_stay(stage: Stage) -> None:
    assert stage.get("query_positions") == []
    await stage.place(**taker("sell", "0.2"))
    [held] = stage.get("query_positions")
    assert (held["qty"], held["entry_price"], held["status"]) == ("-0.2", "2999.99", "open")
    assert (held["entry_value"], held["initial_margin"]) == ("599.998", "59.9998")
    assert D(held["maint_margin"]) == D("0.2") * D(held["mark_price"]) * D("0.0125")
    assert D(held["liq_price"]) > 3000
    assert stage.get("query_positions", symbol=BTC) == []
    await stage.place(**taker("buy", "0.2"))
    [flat] = stage.get("query_positions", symbol=ETH)
    assert (flat["qty"], flat["status"], flat["id"]) == ("0", "open", held["id"])
    assert (flat["liq_price"], flat["mmr"]) == (None, None)
    assert D(flat["realized_pnl"]) == D("0.2") * D("-0.01")


@staged
async def test_money_adds_up(stage: Stage) -> None:
    await stage.place(**taker(qty="2"))
    await stage.place(qty="1")
    told = {name: D(value) for name, value in stage.get("query_balance").items()}
    assert told["equity"] == stage.exchange.equity(stage.account) == told["balance"] + told["upnl"]
    assert told["locked"] == D("299")
    assert told["cross_available"] == stage.exchange.free(stage.account)
    parts = told["cross_balance"] - told["cross_margin"] - told["locked"] + told["cross_upnl"]
    assert told["cross_available"] == parts


@staged
async def test_isolated_is_told_apart(stage: Stage) -> None:
    stage.done("change_margin_mode", {"symbol": ETH, "margin_mode": "isolated"})
    await stage.place(**taker(qty="1"))
    stage.done("transfer_margin", {"symbol": ETH, "amount_in": "100.5"})
    stage.done("transfer_margin", {"symbol": ETH, "amount_in": "-0.5"})
    [held] = stage.get("query_positions")
    assert (held["margin_mode"], held["holding_margin"]) == ("isolated", "400")
    told = {name: D(value) for name, value in stage.get("query_balance").items()}
    assert (told["isolated_balance"], told["cross_margin"]) == (400, 0)
    assert told["balance"] == told["isolated_balance"] + told["cross_balance"]
    for wrong in ({"symbol": BTC, "amount_in": "1"}, {"symbol": ETH, "amount_in": 1}):
        assert refusal(stage.post("transfer_margin", wrong)) == (400, "invalid request")
    reply = stage.post("change_margin_mode", {"symbol": ETH, "margin_mode": "both"})
    assert refusal(reply) == (400, "invalid request")


@staged
async def test_leverage_of_a_market(stage: Stage) -> None:
    config = stage.get("query_position_config", symbol=ETH)
    assert config == {"symbol": ETH, "leverage": "10", "margin_mode": "cross"}
    stage.done("change_leverage", {"symbol": ETH, "leverage": 25})
    assert stage.get("query_position_config", symbol=ETH)["leverage"] == "25"
    assert stage.get("query_position_config", symbol=BTC)["leverage"] == "10"
    for wrong in (0, 41, "10", 1.5, True):
        reply = stage.post("change_leverage", {"symbol": ETH, "leverage": wrong})
        assert refusal(reply) == (400, "invalid request")
    stage.exchange.twist = Twist(keep_leverage=True)
    stage.done("change_leverage", {"symbol": ETH, "leverage": 5})
    stage.done("change_margin_mode", {"symbol": ETH, "margin_mode": "isolated"})
    kept = stage.get("query_position_config", symbol=ETH)
    assert (kept["leverage"], kept["margin_mode"]) == ("25", "cross")


@staged
async def test_funding_is_a_payment(stage: Stage) -> None:
    await stage.place(**taker(qty="1"))
    await asyncio.sleep(60)
    stage.exchange.fund(D("0.0001"), ETH)
    [paid] = stage.get("query_funding_history", symbol=ETH)
    assert D(paid["qty"]) == -stage.exchange.mark(ETH) * D("0.0001")
    assert (paid["txn_type"], paid["user"]) == ("funding_fee", stage.account)
    assert stage.get("query_funding_history", end="2026-01-01T00:00:30Z") == []
    assert stage.get("query_funding_history", symbol=BTC) == []
    assert stage.get("query_funding_history", last_id=paid["id"]) == []


# --------------------------------------------------------------------------- market data


@staged
async def test_market_facts(stage: Stage) -> None:
    facts = {m["symbol"]: m for m in stage.get("query_symbol_info")}
    assert facts.keys() == {ETH, BTC, SOL}
    btc, sol = facts[BTC], facts[SOL]
    assert (btc["price_tick_decimals"], btc["qty_tick_decimals"]) == (2, 4)
    assert (btc["min_order_qty"], btc["max_leverage"], btc["status"]) == (
        "0.0001",
        "40",
        "trading",
    )
    assert D(sol["min_order_qty"]) > D(10) ** -sol["qty_tick_decimals"]
    assert stage.get("query_symbol_info", symbol=BTC) == [btc]
    assert refusal(stage.read("query_symbol_info", symbol="X")) == (400, "invalid symbol")


@staged
async def test_levels_of_a_book_are_in_no_order(stage: Stage) -> None:
    book = stage.get("query_depth_book", symbol=ETH)
    for side, best in (("bids", max), ("asks", min)):
        prices = [D(price) for price, _ in book[side]]
        assert len(prices) == len(set(prices)) == 10
        assert prices[0] != best(prices)
        assert prices not in (sorted(prices), sorted(prices, reverse=True))
    assert max(D(price) for price, _ in book["bids"]) == D("2999.99")


@staged
async def test_prices_and_an_empty_side(stage: Stage) -> None:
    told = stage.get("query_symbol_price", symbol=ETH)
    assert (told["spread_bid"], told["spread_ask"]) == ("2999.99", "3000.00")
    assert told["mid_price"] == "2999.9950"
    stage.exchange.thin(D(0), "sell", ETH)
    told = stage.get("query_symbol_price", symbol=ETH)
    assert (told["spread_ask"], told["mid_price"]) == (None, None)


@staged
async def test_what_is_told_of_a_day(stage: Stage) -> None:
    stage.trade("3000.50", "0.5", "buy")
    stage.trade("2999.50", "0.25", "sell")
    day = stage.get("query_symbol_market", symbol=ETH)
    assert (day["high_price_24h"], day["low_price_24h"], day["volume_24h"]) == (
        3000.5,
        2999.5,
        0.75,
    )
    assert (day["next_funding_time"], day["funding_rate"]) == ("2026-01-01T01:00:00Z", "0.00001250")
    newest, oldest = stage.get("query_recent_trades", symbol=ETH)
    assert (newest["is_buyer_taker"], oldest["is_buyer_taker"]) == (False, True)
    overview = stage.get("query_market_overview")
    assert overview["summary"]["symbol_count"] == 3
    assert overview["symbols"][0]["volume_24h"] == "0.75"


@staged
async def test_klines_are_columns_and_few_unless_counted(stage: Stage) -> None:
    for number in range(8):
        stage.trade(f"300{number}", "0.5", "buy")
        stage.trade(f"300{number}.50", "0.5", "buy")
        await asyncio.sleep(60)
    ask = {"symbol": ETH, "from": 0, "to": 2_000_000_000, "resolution": "1"}
    few = stage.get("kline/history", **ask)
    assert (few["s"], len(few["t"])) == ("ok", 5)
    bars = stage.get("kline/history", **ask, countback=7)
    assert len(bars["c"]) == 7
    assert [bars[name][-1] for name in "ohlcv"] == [3007, 3007.5, 3007, 3007.5, 1]
    late = stage.get("kline/history", **{**ask, "from": bars["t"][-1]}, countback=7)
    assert late["t"] == bars["t"][-1:]
    for wrong in ({**ask, "resolution": "2"}, {"symbol": ETH, "resolution": "1"}):
        assert refusal(stage.read("kline/history", **wrong)) == (400, "invalid request")


@staged
async def test_funding_rates_of_a_span(stage: Stage) -> None:
    await asyncio.sleep(3700)
    now = stage.clock.now_ms()
    span = {"symbol": ETH, "start_time": now - 3_600_000, "end_time": now}
    [row] = stage.get("query_funding_rates", **span)
    assert (row["time"], row["funding_rate"]) == ("2026-01-01T01:00:00.000000Z", "0.0000125")
    assert stage.get("query_funding_rates", **{**span, "start_time": now}) == []
    assert refusal(stage.read("query_funding_rates", symbol=ETH)) == (400, "invalid request")


@staged
async def test_time_and_health(stage: Stage) -> None:
    assert stage.get("health") == "OK"
    assert stage.get("kline/time") == stage.clock.now_ns() // 10**9
    region = stage.send("GET", "/geo/v1/region").body
    assert region == {"systemTime": stage.clock.now_ms(), "region": "jp"}


# --------------------------------------------------------------------------- streams


@staged
async def test_market_channels_start_at_once_and_go_on(stage: Stage) -> None:
    socket = stage.connect()
    for channel in ("depth_book", "price", "public_trade"):
        topic = {"channel": channel, "symbol": ETH}
        assert stage.say(socket, {"subscribe": topic}) is None
    first = socket.take()
    assert [frame["channel"] for frame in first] == ["depth_book", "price"]
    assert [frame["seq"] for frame in first] == [1, 2]
    assert first[1]["data"]["spread"] == ["2999.99", "3000.00"]
    await asyncio.sleep(2)
    stage.quote("3001.00", "3001.01")
    stage.trade("3001.01", "0.5", "buy")
    await asyncio.sleep(1)
    frames = socket.take()
    book = next(frame for frame in frames if frame["channel"] == "depth_book")
    assert (book["symbol"], book["data"]["symbol"]) == (ETH, ETH)
    assert len(book["data"]["bids"]) == 10
    assert max(D(price) for price, _ in book["data"]["bids"]) == D("3001.00")
    assert {frame["channel"] for frame in frames} == {"depth_book", "price", "public_trade"}
    numbers = [frame["seq"] for frame in frames]
    assert numbers == list(range(3, 3 + len(frames)))


@staged
async def test_a_channel_can_be_left(stage: Stage) -> None:
    socket = stage.listen("depth_book", "public_trade", symbol=ETH)
    topic = {"channel": "depth_book", "symbol": ETH}
    assert stage.say(socket, {"subscribe": topic}) is None  # again: nothing more
    assert socket.take() == []
    assert stage.say(socket, {"unsubscribe": topic}) is None
    assert stage.say(socket, {"unsubscribe": topic}) is None
    stage.quote("3001.00", "3001.01")
    stage.trade("3001.01", "0.5", "buy")
    await asyncio.sleep(1)
    assert [frame["channel"] for frame in socket.take()] == ["public_trade"]
    stage.venue.close_ws(socket)
    stage.trade("3001.01", "0.5", "buy")
    assert socket.take() == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"subscribe": {"channel": "price", "symbol": "X"}}, (400, "invalid symbol")),
        ({"subscribe": {"channel": "price"}}, (400, "invalid symbol")),
        ({"subscribe": {"channel": "kline", "symbol": ETH}}, (400, "invalid request")),
        ({"subscribe": {"channel": "order"}}, (401, "unauthorized")),
        ({"subscribe": "order"}, (400, "invalid request")),
        ({"auth": {"token": "a.b.c"}}, (401, "unauthorized")),
        ({"auth": {}}, (401, "unauthorized")),
        ({"auth": {"token": "a.b.c", "impersonate": "cv_1"}}, (403, "permission denied")),
        ({"hello": 1}, (400, "invalid request")),
        ([1], (400, "invalid request")),
    ],
)
def test_frames_that_are_refused(message: Any, expected: tuple[int, str]) -> None:
    @staged
    async def check(stage: Stage) -> None:
        socket = stage.connect()
        answer = stage.say(socket, message)
        assert answer == {"code": expected[0], "message": expected[1]}
        assert socket.open
        assert not socket.private

    check()


@staged
async def test_channels_come_with_the_sign_in_or_after(stage: Stage) -> None:
    socket = stage.connect()
    streams = [{"channel": "order"}, {"channel": "balance"}]
    message = {"auth": {"token": stage.session.token, "streams": streams}}
    assert stage.say(socket, message) is None
    assert socket.take() == [
        {"seq": 1, "channel": "auth", "data": {"code": 0, "message": "success"}}
    ]
    assert (socket.account, socket.private) == (stage.account, True)
    stage.say(socket, {"subscribe": {"channel": "position"}})
    assert socket.take() == []  # changes only: nothing is told at the start
    await stage.place(**taker())
    told = {frame["channel"] for frame in socket.take()}
    assert told == {"order", "balance", "position"}


@staged
async def test_one_fill_is_an_order_and_a_trade_in_either_order(stage: Stage) -> None:
    socket = stage.listen("order", "trade")
    seen = set()
    for _ in range(12):
        await stage.place(**taker())
        frames = socket.take()
        words = [(f["channel"], f["data"].get("status", "")) for f in frames]
        assert words[0] == ("order", "open")
        assert sorted(words[1:]) == [("order", "filled"), ("trade", "")]
        seen.add(words[1][0])
        [trade] = [frame["data"] for frame in frames if frame["channel"] == "trade"]
        assert (trade["order_id"], trade["qty"]) == (frames[0]["data"]["id"], "0.1")
        assert "time" in trade
        assert not {"created_at", "updated_at"} & trade.keys()
    assert seen == {"order", "trade"}


@staged
async def test_what_an_account_is_told_of_a_position(stage: Stage) -> None:
    socket = stage.listen("position", "balance")
    await stage.place(**taker("sell", "0.3"))
    position, balance = socket.take()
    assert (position["data"]["qty"], position["data"]["symbol"]) == ("-0.3", ETH)
    assert not {"mark_price", "upnl", "liq_price"} & position["data"].keys()
    assert D(balance["data"]["total"]) == stage.exchange.accounts[stage.account].cash
    stage.exchange.liquidate(stage.account, ETH)
    closed, _ = socket.take()
    assert closed["data"]["qty"] == "0"


@staged
async def test_canceled_orders_are_told(stage: Stage) -> None:
    socket = stage.listen("order")
    row = await stage.place()
    stage.done("cancel_order", {"order_id": row["id"]})
    await asyncio.sleep(1)
    assert [frame["data"]["status"] for frame in socket.take()] == ["open", "canceled"]


# --------------------------------------------------------------------------- the order socket


@staged
async def test_a_call_needs_a_login_and_a_signature(stage: Stage) -> None:
    socket = stage.connect(ORDERS)
    assert socket.private
    assert stage.call(socket, "order:new", order())["code"] == 401
    wrong = stage.call(socket, "auth:login", {"token": "a.b.c"})
    assert wrong == {"code": 401, "message": "unauthorized", "request_id": "r-1"}
    assert stage.call(socket, "auth:login", {"token": stage.session.token})["code"] == 0
    now = stage.clock.now_ms()
    envelope = stage.session.envelope("order:new", order(), now)
    respaced = {**envelope, "params": json.dumps(order())}
    unsigned = {name: value for name, value in envelope.items() if name != "header"}
    for bad in (respaced, unsigned, {**envelope, "header": None}):
        reply = stage.say(socket, bad)
        assert (reply["code"], reply["message"]) == (403, "invalid body signature")
    stale = stage.session.envelope("order:new", order(), now - 60_000)
    assert stage.say(socket, stale)["message"] == "signature has expired"
    for head in ({}, {"x-request-sign-version": "v1"}):  # the version may be said
        good = {**envelope, "header": {**envelope["header"], **head}}
        assert stage.say(socket, good)["status"] == "accepted"


@pytest.mark.parametrize(
    "message",
    [
        {"request_id": "r-1", "method": "order:amend", "params": "{}"},
        {"request_id": "r-1", "method": "order:new", "params": {}},
        {"request_id": "r-1", "method": "order:new"},
        {"request_id": "r-1"},
    ],
)
def test_what_is_no_call(message: dict[str, Any]) -> None:
    @staged
    async def check(stage: Stage) -> None:
        socket = stage.order_socket()
        assert stage.venue.request_of_message(socket, json.dumps(message)) is None
        expected = {"code": 400, "message": "invalid request", "request_id": "r-1"}
        assert stage.say(socket, message) == expected

    check()


@staged
async def test_an_order_is_answered_twice_under_the_envelopes_id(stage: Stage) -> None:
    socket = stage.order_socket()
    for number in ("one", "two"):
        taken = stage.call(socket, "order:new", order(), number=number)
        assert taken == {"code": 0, "status": "accepted", "request_id": number}
    assert socket.take() == []
    await asyncio.sleep(stage.venue.calls.result_after)
    await asyncio.sleep(0)
    results = [{"code": 0, "message": "success", "request_id": n} for n in ("one", "two")]
    assert socket.take() == results


@staged
async def test_the_time_between_the_two_answers_can_be_set(stage: Stage) -> None:
    stage.venue.calls.result_after = 5.0
    socket = stage.order_socket()
    stage.call(socket, "order:new", order())
    await asyncio.sleep(4.9)
    assert socket.take() == []
    await asyncio.sleep(0.2)
    assert len(socket.take()) == 1


@staged
async def test_rest_commands_that_name_a_session_are_told_of_there(stage: Stage) -> None:
    socket, other = stage.order_socket(), stage.order_socket("another")
    taken = stage.done("new_order", order(price="3000.00"), x_session_id=SESSION)
    accepted = {"code": 0, "status": "accepted", "request_id": taken["request_id"]}
    await asyncio.sleep(1)
    rejected = {"code": 400, "message": "alo order rejected", "request_id": taken["request_id"]}
    assert socket.take() == [accepted, rejected]
    row = await stage.place()
    assert socket.take() == []
    taken = stage.done("cancel_order", {"order_id": row["id"]}, x_session_id=SESSION)
    await asyncio.sleep(1)
    assert [frame["request_id"] for frame in socket.take()] == [taken["request_id"]] * 2
    assert other.take() == []


@staged
async def test_the_session_of_somebody_else_is_told_nothing(stage: Stage) -> None:
    socket, own = stage.order_socket(), stage.session
    stage.session = stage.sign_in(Wallet(STRANGER))
    stage.done("new_order", order(), x_session_id=SESSION)
    await asyncio.sleep(1)
    assert socket.take() == []
    stage.session = own
    stage.venue.close_ws(socket)
    stage.done("new_order", order(), x_session_id=SESSION)
    await asyncio.sleep(1)
    assert socket.take() == []


@staged
async def test_frames_of_an_order_come_before_between_and_after_its_answers(stage: Stage) -> None:
    socket = stage.order_socket()
    places = set()
    for number in range(20):
        stream = stage.listen("order")
        stage.call(socket, "order:new", order(cl_ord_id=f"race-{number}"))
        told_at_once = bool(stream.take())
        await asyncio.sleep(stage.venue.calls.result_after)
        await asyncio.sleep(0)
        assert socket.take()[0]["message"] == "success"
        told_between = bool(stream.take())
        await asyncio.sleep(1)
        told_after = bool(stream.take())
        assert [told_at_once, told_between, told_after].count(True) == 1
        places.add((told_at_once, told_between, told_after).index(True))
        stage.venue.close_ws(stream)
    assert places == {0, 1, 2}


@pytest.mark.parametrize(
    ("text", "dies"),
    [
        ("ping", True),
        ('"ping"', False),
        ('{"ping":"pong"}', True),
        ('{"op":"ping"}', True),
        ('{"method":"ping"}', True),
        ('{"type":"pong"}', True),
        ('{"subscribe":{"channel":"price","symbol":"ETH-USD"}}', False),
        ("{", False),
    ],
)
def test_a_ping_in_a_text_ends_the_connection(text: str, dies: bool) -> None:
    @staged
    async def check(stage: Stage) -> None:
        for path in (STREAM, ORDERS):
            socket = stage.connect(path)
            stage.venue.accept_message(socket, text)
            assert socket.open is not dies

    check()


# --------------------------------------------------------------------------- on a server


class Client:
    """Raw requests and sockets of a client that has signed in, over the loopback."""

    def __init__(self, running: run.Running, http: aiohttp.ClientSession) -> None:
        self.running = running
        self.http = http
        self.urls = running.endpoints["standx"]
        self.wallet = Wallet(running.credentials["standx"]["wallet_private_key"])
        self.session = Session("", request_key(3))

    @property
    def now_ms(self) -> int:
        return self.running.clock.now_ms()

    async def fetch(self, method: str, url: str, **more: Any) -> tuple[int, Any]:
        async with self.http.request(method, url, **more) as answer:
            return answer.status, await answer.json(content_type=None)

    async def sign_in(self) -> dict[str, Any]:
        base = f"{self.urls['login']}/v1/offchain"
        about = {"address": self.wallet.address, "requestId": self.session.request_id}
        _, prepared = await self.fetch("POST", f"{base}/prepare-signin?chain=bsc", json=about)
        assert prepared["success"]
        signature = self.wallet.sign(claims_of(prepared["signedData"])["message"])
        proof = {
            "signature": signature,
            "signedData": prepared["signedData"],
            "expiresSeconds": 604_800,
        }
        _, session = await self.fetch("POST", f"{base}/login?chain=bsc", json=proof)
        self.session.token = session["token"]
        return dict(session)

    async def get(self, name: str, **query: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.session.token}"}
        url = f"{self.urls['rest']}/api/{name}"
        return await self.fetch("GET", url, params=query, headers=headers)

    async def post(self, name: str, fields: Any, **more: str) -> tuple[int, Any]:
        body = json.dumps(fields).encode()
        headers = {**self.session.headers(body, self.now_ms), **more}
        headers["content-type"] = "application/json"
        url = f"{self.urls['rest']}/api/{name}"
        return await self.fetch("POST", url, data=body, headers=headers)

    async def call(self, socket: Any, method: str, fields: Any, number: str) -> None:
        await socket.send_json(self.session.envelope(method, fields, self.now_ms, number))


def served(test: Callable[[Client], Awaitable[None]], **world: Any) -> None:
    """Run a test with a client of a served venue."""

    async def play() -> None:
        world.setdefault("latency", NO_LATENCY)
        async with (
            await run.start(["standx"], seed=5, **world) as running,
            aiohttp.ClientSession() as http,
        ):
            await test(Client(running, http))

    run_virtual(play())


def test_multi_perp_dex_starts() -> None:
    async def start(client: Client) -> None:
        session = await client.sign_in()
        assert {"token", "address"} <= session.keys()
        _, markets = await client.get("query_symbol_info")
        assert [m for m in markets if m["symbol"] == ETH and m["status"] == "trading"]
        async with (
            client.http.ws_connect(client.urls["ws"]) as stream,
            client.http.ws_connect(client.urls["ws_orders"]) as orders,
        ):
            streams = [{"channel": "balance"}]
            await stream.send_json({"auth": {"token": session["token"], "streams": streams}})
            told = await stream.receive_json()
            assert (told["channel"], told["data"]["code"]) == ("auth", 0)
            await client.call(orders, "auth:login", {"token": session["token"]}, "login")
            reply = await orders.receive_json()
            assert (reply["code"], reply["request_id"]) == (0, "login")
            assert "success" in reply["message"]
            for channel in ("position", "order"):
                await stream.send_json({"subscribe": {"channel": channel}})
            assert (await client.get("query_positions", symbol=ETH))[1] == []
            assert (await client.get("query_open_orders"))[1]["result"] == []
            assert D((await client.get("query_balance"))[1]["equity"]) == 100_000
            sent = market_order(qty="0.1", cl_ord_id="mpd-1")
            await client.call(orders, "order:new", sent, "first")
            replies = [await orders.receive_json() for _ in range(2)]
            assert [one.get("status", one.get("message")) for one in replies] == [
                "accepted",
                "success",
            ]
            channels = {(await stream.receive_json())["channel"] for _ in range(3)}
            assert channels >= {"order", "position"}
        _, [held] = await client.get("query_positions", symbol=ETH)
        assert held["qty"] == "0.1"

    served(start, latency=LatencyModel())


def test_perp_dex_tools_starts() -> None:
    async def start(client: Client) -> None:
        session = await client.sign_in()
        async with client.http.ws_connect(client.urls["ws"]) as stream:
            streams = [{"channel": "order"}]
            await stream.send_json({"auth": {"token": session["token"], "streams": streams}})
            for channel in ("depth_book", "price"):
                await stream.send_json({"subscribe": {"channel": channel, "symbol": ETH}})
            channels = [(await stream.receive_json())["channel"] for _ in range(3)]
            assert channels == ["auth", "depth_book", "price"]
            _, [market] = await client.get("query_symbol_info", symbol=ETH)
            assert market["min_order_qty"] == "0.001"
            _, book = await client.get("query_depth_book", symbol=ETH)
            bid = max(D(price) for price, _ in book["bids"])
            for price, status in ((bid - 10, 200), (bid + 50, 404)):
                name = f"pdt-{status}"
                sent = order(price=str(price), cl_ord_id=name)
                answer = await client.post("new_order", sent)
                assert (answer[0], answer[1]["code"]) == (200, 0)
                await asyncio.sleep(1)
                assert (await client.get("query_order", cl_ord_id=name))[0] == status
            _, row = await client.get("query_order", cl_ord_id="pdt-200")
            assert (await client.post("cancel_order", {"order_id": row["id"]}))[1]["code"] == 0
            assert (await client.get("query_order", order_id=row["id"]))[1]["status"] == "canceled"

    served(start)


def test_the_rust_sdk_starts() -> None:
    async def start(client: Client) -> None:
        """Both sockets are at the REST address; an order goes by REST, its result to a socket."""
        await client.sign_in()
        assert (await client.http.get(f"{client.urls['rest']}/api/health")).status == 200
        socket = "ws" + client.urls["rest"].removeprefix("http")
        async with (
            client.http.ws_connect(f"{socket}/ws-stream/v1") as stream,
            client.http.ws_connect(f"{socket}/ws-api/v1") as orders,
        ):
            await client.call(orders, "auth:login", {"token": client.session.token}, "login")
            assert (await orders.receive_json())["code"] == 0
            await stream.send_json({"auth": {"token": client.session.token}})
            assert isinstance((await stream.receive_json())["data"]["code"], int)
            for channel in ("order", "trade"):
                await stream.send_json({"subscribe": {"channel": channel}})
            sent = taker(price="3300", cl_ord_id="rs-1")
            headers = {"x-session-id": SESSION}
            status, answer = await client.post("new_order", sent, **headers)
            assert status == 200
            frames = [await orders.receive_json() for _ in range(2)]
            assert {frame["request_id"] for frame in frames} == {answer["request_id"]}
            assert [frame["code"] for frame in frames] == [0, 0]
            told = [await stream.receive_json() for _ in range(3)]
            assert sorted(f["channel"] for f in told) == ["order", "order", "trade"]
            assert [f["seq"] for f in told] == [2, 3, 4]

    served(start)


def test_the_server_pings_every_ten_seconds_and_says_goodbye_after_five_minutes() -> None:
    async def silent(client: Client) -> None:
        url = client.urls["ws"]
        async with client.http.ws_connect(url, autoping=False) as socket:
            pings, message = 0, await socket.receive()
            while message.type is aiohttp.WSMsgType.PING:
                pings += 1
                message = await socket.receive()
        assert pings == 30
        words = "disconnecting due to not receive Pong within 5 minute period"
        assert json.loads(message.data) == {"code": 408, "message": words}

    served(silent, coins=())


def test_a_socket_lives_a_day_if_its_pings_are_answered() -> None:
    async def patient(client: Client) -> None:
        begun = client.running.clock.monotonic()
        async with client.http.ws_connect(client.urls["ws_orders"]) as socket:
            await socket.ping()  # a protocol ping is allowed, and answered
            message = await socket.receive()
            assert message.type is aiohttp.WSMsgType.CLOSE
        assert 86_400 <= client.running.clock.monotonic() - begun < 86_401

    served(patient, coins=())


def test_a_text_ping_is_not_forgiven() -> None:
    async def talkative(client: Client) -> None:
        async with client.http.ws_connect(client.urls["ws"]) as socket:
            await socket.send_json({"ping": "pong"})
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE

    served(talkative)


async def refused_handshake(client: Client) -> int:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.http.ws_connect(client.urls["ws"])
    return refused.value.status


def test_ten_sockets_at_once_and_thirty_a_minute() -> None:
    async def greedy(client: Client) -> None:
        open_now = [await client.http.ws_connect(client.urls["ws"]) for _ in range(10)]
        assert await refused_handshake(client) == 429
        for socket in open_now:
            await socket.close()
        for _ in range(20):
            await (await client.http.ws_connect(client.urls["ws"])).close()
        assert await refused_handshake(client) == 429
        await asyncio.sleep(60)
        await (await client.http.ws_connect(client.urls["ws"])).close()

    served(greedy)


def test_an_account_has_twenty_requests_at_once_and_22_a_second() -> None:
    async def hurried(client: Client) -> None:
        await client.sign_in()
        statuses = [(await client.get("query_positions"))[0] for _ in range(21)]
        assert statuses == [200] * 20 + [429]
        await client.sign_in()  # of another bucket, and the same account
        assert (await client.get("query_positions"))[1] == {
            "code": 429,
            "message": "too many requests",
        }
        assert (await client.get("query_symbol_info"))[0] == 200  # of another bucket, too
        await asyncio.sleep(0.5)
        statuses = [(await client.get("query_positions"))[0] for _ in range(12)]
        assert statuses.count(200) == 11
        await asyncio.sleep(5)
        async with client.http.ws_connect(client.urls["ws_orders"]) as orders:
            await client.call(orders, "auth:login", {"token": client.session.token}, "login")
            assert (await orders.receive_json())["code"] == 0
            for number in range(21):
                sent = {"order_id": number + 1}
                await client.call(orders, "order:cancel", sent, str(number))
            codes = [(await orders.receive_json())["code"] for _ in range(21)]
            assert codes == [404] * 20 + [429]

    served(hurried)


def test_an_ip_has_fifty_public_requests_a_second() -> None:
    async def hurried(client: Client) -> None:
        statuses = [(await client.get("query_symbol_info"))[0] for _ in range(51)]
        assert statuses == [200] * 50 + [429]

    served(hurried)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("POST_ONLY", "alo order rejected"),
        ("MARGIN", "balance not enough"),
        ("REDUCE_ONLY", "reduce only order rejected"),
        ("PRICE_BAND", "order price out of range"),
        ("OI_CAP", "max position size exceeded"),
        ("MARKET_STATE", "symbol is not trading"),
    ],
)
def test_faults_of_matching_are_told_late(kind: str, message: str) -> None:
    async def place(client: Client) -> None:
        await client.sign_in()
        async with client.http.ws_connect(client.urls["ws_orders"]) as orders:
            await client.call(orders, "auth:login", {"token": client.session.token}, "login")
            await orders.receive_json()
            await client.call(orders, "order:new", order(cl_ord_id="mine"), "one")
            replies = [await orders.receive_json() for _ in range(2)]
            assert replies[0] == {"code": 0, "status": "accepted", "request_id": "one"}
            assert replies[1] == {"code": 400, "message": message, "request_id": "one"}
            assert (await client.post("new_order", order()))[1]["code"] == 0
        await asyncio.sleep(5)
        assert (await client.get("query_orders"))[1]["result"] == []

    served(place, faults=f"P.place -> reject({kind})")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("NOT_FOUND", (404, "order not found")),
        ("NONCE", (403, "signature has expired")),
        ("DUPLICATE_CID", (400, "duplicate cl_ord_id")),
        ("PERMISSION", (403, "permission denied")),
        ("SYMBOL", (400, "invalid symbol")),
        ("PRECISION", (400, "invalid order price: not follow price tick")),
        ("AUTH", (401, "unauthorized")),
        ("RATE", (429, "too many requests")),
    ],
)
def test_other_faults_are_told_at_once(kind: str, expected: tuple[int, str]) -> None:
    async def place(client: Client) -> None:
        await client.sign_in()
        status, body = await client.post("new_order", order())
        assert (status, body) == (
            expected[0],
            {"code": expected[0], "message": expected[1]},
        )
        async with client.http.ws_connect(client.urls["ws_orders"]) as orders:
            await client.call(orders, "auth:login", {"token": client.session.token}, "login")
            await orders.receive_json()
            await client.call(orders, "order:new", order(), "one")
            reply = await orders.receive_json()
            assert reply == {"code": expected[0], "message": expected[1], "request_id": "one"}

    served(place, faults=f"P.place -> reject({kind})")


def test_faults_see_orders_and_count_operations() -> None:
    async def place(client: Client) -> None:
        await client.sign_in()
        assert (await client.post("new_order", order("sell")))[0] == 403
        assert (await client.post("new_order", order("buy")))[0] == 200
        counts = client.running.counts
        assert counts["standx", "rest", "place"] == 2
        assert counts["standx", "rest", "auth"] == 1

    served(place, faults="P.place.side(sell) -> reject(PERMISSION)")


def test_a_sign_in_on_a_socket_can_be_refused_once() -> None:
    async def connect(client: Client) -> None:
        pair = client.running.venues["standx"].premade_credentials()  # type: ignore[attr-defined]
        async with client.http.ws_connect(client.urls["ws"]) as stream:
            message = {"auth": {"token": pair["token"]}}
            await stream.send_json(message)
            assert (await stream.receive_json())["code"] == 401
            await stream.send_json(message)
            assert (await stream.receive_json())["data"]["code"] == 0

    served(connect, faults="P.auth.nth(1) -> http(401)")


def test_faults_reach_the_streams() -> None:
    async def listen(client: Client) -> None:
        await client.sign_in()
        async with client.http.ws_connect(client.urls["ws"]) as stream:
            streams = [{"channel": "order"}]
            auth = {"token": client.session.token, "streams": streams}
            await stream.send_json({"auth": auth})
            assert (await stream.receive_json())["channel"] == "auth"
            await client.post("new_order", order(price="2900", cl_ord_id="mine"))
            first, second = [await stream.receive_json() for _ in range(2)]
            assert first["data"] == second["data"]
            assert first["data"]["cl_ord_id"] == "mine"

    served(listen, faults="P.ws_private -> duplicate")


DESCRIBED = {
    "POST /api/new_order": (
        "place",
        taker(cl_ord_id="mine", reduce_only=True),
        {"side": "buy", "symbol": ETH, "size": "0.1", "price": "3010", "client_id": "mine"},
    ),
    "POST /api/cancel_order": ("cancel", {"order_id": 5}, {"order_id": "5"}),
    "POST /api/cancel_orders": ("cancel", {"order_id_list": [5, 6]}, {"order_id": "5"}),
    "GET /api/query_order": ("query_order", {"cl_ord_id": "mine"}, {"client_id": "mine"}),
    "GET /api/query_open_orders": ("query_open", {"symbol": ETH}, {"symbol": ETH}),
    "GET /api/query_trades": ("query_fills", {}, {}),
    "GET /api/query_positions": ("query_positions", {}, {}),
    "GET /api/query_balance": ("query_balance", {}, {}),
    "GET /api/query_position_config": ("query_leverage", {}, {}),
    "POST /api/change_leverage": ("leverage", {"symbol": ETH, "leverage": 5}, {"symbol": ETH}),
    "GET /api/query_symbol_info": ("meta", {}, {}),
    f"POST {PREPARE}": ("", {}, {}),
    f"POST {LOGIN}": ("auth", {}, {}),
    "GET /geo/v1/region": ("", {}, {}),
}


@pytest.mark.parametrize("call", DESCRIBED)
def test_what_faults_may_choose_a_request_by(call: str) -> None:
    op, fields, words = DESCRIBED[call]

    @staged
    async def check(stage: Stage) -> None:
        method, path = call.split()
        query = "&".join(f"{k}={v}" for k, v in fields.items()) if method == "GET" else ""
        body = b"" if method == "GET" else json.dumps(fields).encode()
        request = SimRequest(method, path, query, {}, body)
        assert stage.venue.op_of(request) == op
        said = dict(stage.venue.describe(request))
        flags = said.pop("reduce_only"), said.pop("post_only")
        assert said == words
        assert flags == (str(op == "place").lower(), "false")
        assert call in stage.routes

    check()


@staged
async def test_a_post_only_order_is_described_as_one(stage: Stage) -> None:
    body = json.dumps(order()).encode()
    said = stage.venue.describe(SimRequest("POST", "/api/new_order", body=body))
    assert said["post_only"] == "true"
    assert stage.venue.describe(SimRequest("POST", "/api/new_order", body=b"{")) == {
        "reduce_only": "false",
        "post_only": "false",
    }


@staged
async def test_a_path_nobody_serves(stage: Stage) -> None:
    assert refusal(stage.venue.render_not_found(SimRequest("GET", "/"))) == (404, "not found")

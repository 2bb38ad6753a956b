"""The simulated Lighter against the venue's rules: proof, nonces, order life, queries, streams."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from sim.lighter_stage import (
    BTC,
    CANCEL,
    CANCEL_ALL,
    CREATE,
    DAY_MS,
    ETH,
    FORM,
    GROUP,
    LEVERAGE,
    MARGIN,
    MODIFY,
    SPOT,
    UNSIGNED,
    Signer,
    Stage,
    Wire,
    staged,
)

from mpdex.sim import run
from mpdex.sim.exchange import Twist
from mpdex.sim.models import NO_LATENCY, LatencyModel
from mpdex.sim.records import SimOrder
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues import lighter_crypto as crypto
from mpdex.sim.venues import lighter_field as field
from mpdex.sim.venues import lighter_hash as hashes
from mpdex.sim.venues import load_venue
from mpdex.sim.venues.lighter import API_KEY, CHAIN_ID, LighterSim
from mpdex.sim.venues.lighter_account import STANDARD
from mpdex.sim.venues.lighter_wire import parse_token, parse_transaction, read_form
from mpdex.types import OrderStatus
from mpdex.utils.virtual_loop import run_virtual

D = Decimal
VECTORS = json.loads(
    (Path(__file__).resolve().parent.parent / "vectors" / "lighter.json").read_text()
)
CASES = VECTORS["cases"]
TRANSACTIONS = [case for case in CASES if "tx_type" in case["expected"]]
TOKENS = [case for case in CASES if "token" in case["expected"]]
ORDERS, TRADES, POSITIONS = "account_all_orders", "account_all_trades", "account_all_positions"


def refusal(reply: SimReply) -> tuple[int, int, str]:
    """Status, code and message of an error answer, which has exactly two fields."""
    assert set(reply.body) == {"code", "message"}, reply.body
    return reply.status, reply.body["code"], reply.body["message"]


def code(reply: SimReply) -> int:
    return refusal(reply)[1]


def told(wire: Wire, kind: str = ORDERS) -> list[dict[str, Any]]:
    """Every order, trade or position in the frames since the last look."""
    name = kind.rpartition("_")[2]
    rows: list[Any] = []
    for frame in wire.take(f"update/{kind}"):
        for inside in frame[name].values():
            rows += inside if isinstance(inside, list) else [inside]
    return rows


# --------------------------------------------------------------------------- mathematics


def test_poseidon_is_the_venues() -> None:
    given = VECTORS["poseidon2_goldilocks_width12"]
    assert int(given["modulus"]) == hashes.P
    assert [str(x) for x in hashes.permute(range(12))] == given["permute_0_to_11"]
    for elements, name in (([1, 2, 3], "1_2_3"), (list(range(17)), "0_to_16"), ([], "empty")):
        assert hashes.to_bytes(hashes.digest(elements)).hex() == given[f"hash5_of_{name}"]


def test_the_group_is_the_venues() -> None:
    given = VECTORS["ecgfp5"]
    assert int(given["scalar_order"]) == crypto.ORDER
    assert given["generator_encoded"] == crypto.GENERATOR.hex()
    for scalar in (1, 2):
        encoded = crypto.combined((scalar, crypto.GENERATOR)).hex()
        assert encoded == given[f"public_key_of_scalar_{scalar}"]


def test_multiples_add_up() -> None:
    rng = random.Random(3)
    for _ in range(3):
        a, b = rng.randrange(crypto.ORDER), rng.randrange(crypto.ORDER)
        both = crypto.combined((a, crypto.GENERATOR), (b, crypto.GENERATOR))
        assert both == crypto.combined((a + b, crypto.GENERATOR))
    assert crypto.combined((crypto.ORDER, crypto.GENERATOR)) == bytes(40)
    assert crypto.combined((5, crypto.GENERATOR), (-5, crypto.GENERATOR)) == bytes(40)
    assert crypto.combined((9, bytes(40))) == bytes(40)


def test_adding_has_no_exceptions() -> None:
    x, u = crypto.decode(crypto.GENERATOR)
    one = (x, field.ONE, u, field.ONE)
    two = crypto.add(one, one)
    opposite = (x, field.ONE, field.negative(u), field.ONE)
    assert crypto.encode(two) == crypto.encode(crypto.add_affine(one, (x, u)))
    assert crypto.encode(crypto.add(one, opposite)) == bytes(40)
    assert crypto.encode(crypto.add(one, crypto.NEUTRAL)) == crypto.GENERATOR
    assert crypto.encode(crypto.add_affine(crypto.NEUTRAL, (x, u))) == crypto.GENERATOR


def test_the_fields_inverse_and_roots() -> None:
    rng = random.Random(4)
    for _ in range(5):
        element = field.pack(rng.randrange(hashes.P) for _ in range(5))
        assert field.unpack(field.multiply(element, field.invert(element))) == [1, 0, 0, 0, 0]
        square = field.multiply(element, element)
        root = field.square_root(square)
        assert root is not None
        assert field.unpack(field.multiply(root, root)) == field.unpack(square)
        assert field.is_square(square)
        other = field.multiply(square, 7)  # no square modulo p, nor in an odd extension
        assert field.square_root(other) is None
        assert not field.is_square(other)
    assert field.invert(0) == 0
    assert field.square_root(0) == 0


def test_loose_coefficients_multiply_right_up_to_the_bound() -> None:
    rng = random.Random(5)
    for _ in range(50):
        a = [rng.randrange(1 << 66) for _ in range(5)]
        b = [(1 << 80) - 1 - rng.randrange(1 << 60) for _ in range(5)]
        product = field.unpack(field.multiply(field.pack(a), field.pack(b)))
        slow = [0] * 9
        for i in range(5):
            for j in range(5):
                slow[i + j] += a[i] * b[j]
        assert product == [
            (slow[i] + 3 * (slow[i + 5] if i < 4 else 0)) % hashes.P for i in range(5)
        ]


@pytest.mark.parametrize("case", TRANSACTIONS, ids=lambda case: case["name"])
def test_the_sdks_transactions_are_accepted(case: dict[str, Any]) -> None:
    given, expected = case["input"], case["expected"]
    sent = parse_transaction(expected["tx_type"], expected["tx_info"])
    hashed = sent.hash(given["chain_id"])
    assert hashed.hex() == expected["tx_hash"]
    public = crypto.public_key(given["private_key"])
    assert public.hex() == expected["public_key"]
    assert crypto.verify(public, hashed, sent.signature)
    assert not crypto.verify(public, hashed[:-1] + b"\0", sent.signature)
    other = base64.b64decode(expected["valid_signature_base64"])
    assert crypto.verify(public, hashed, other)


@pytest.mark.parametrize("case", TOKENS, ids=lambda case: case["name"])
def test_the_sdks_tokens_are_accepted(case: dict[str, Any]) -> None:
    expected = case["expected"]
    token = parse_token(expected["token"])
    assert token.said == expected["message"]
    assert token.hash().hex() == expected["message_hash"]
    assert crypto.verify(bytes.fromhex(expected["public_key"]), token.hash(), token.signature)


def test_a_signature_with_a_known_nonce() -> None:
    given = VECTORS["model_signature_with_fixed_k"]
    message = bytes.fromhex(given["message_hash"])
    e = crypto.challenge(crypto.combined((int(given["k"]), crypto.GENERATOR)), message)
    secret = int.from_bytes(bytes.fromhex(given["private_key"]), "little")
    s = (int(given["k"]) - e * secret) % crypto.ORDER
    assert (s.to_bytes(40, "little") + e.to_bytes(40, "little")).hex() == given["signature_hex"]


def test_what_is_no_signature_is_not_accepted() -> None:
    public, message = crypto.public_key("01" * 40), bytes(40)
    for wrong in (b"", bytes(79), bytes(80), bytes(81), b"\xff" * 80):
        assert not crypto.verify(public, message, wrong)
    for no_key in (b"", b"\xff" * 40, bytes([1, *[0] * 39]), bytes(39)):
        assert not crypto.verify(no_key, message, bytes(80))


# --------------------------------------------------------------------------- keys and nonces


def test_the_table_finds_it_and_keys_are_the_same_for_the_same_seed() -> None:
    assert load_venue("lighter") is LighterSim

    async def keys(seed: int) -> dict[str, str]:
        async with await run.start(["lighter"], seed=seed) as running:
            assert running.endpoints["lighter"].keys() == {"rest", "ws"}
            return running.credentials["lighter"]

    first = run_virtual(keys(3))
    assert first == run_virtual(keys(3)) != run_virtual(keys(4))
    assert first.keys() >= {"account_index", "api_key_index", "private_key"}


@staged
async def test_the_key_is_listed_with_its_public_half(stage: Stage) -> None:
    [key] = stage.get("/api/v1/apikeys", account_index=stage.account)["api_keys"]
    assert key["public_key"] == crypto.public_key(crypto.throwaway_key(stage.account)).hex()
    assert (key["api_key_index"], key["nonce"]) == (API_KEY, stage.nonce)
    assert code(stage.ask("/api/v1/apikeys", account_index=stage.account, api_key_index=9)) == 21109
    assert code(stage.ask("/api/v1/apikeys", account_index=1)) == 21100
    assert code(stage.ask("/api/v1/nextNonce", account_index=stage.account)) == 20001


@staged
async def test_a_wrong_signature_is_refused_and_spares_the_nonce(stage: Stage) -> None:
    info = json.loads(stage.info(CREATE, stage.order()))
    for changes in ({"Price": 299_001}, {"Nonce": stage.nonce, "OrderExpiry": 1}):
        reply = stage.post(tx_type=CREATE, tx_info=json.dumps({**info, **changes}))
        assert refusal(reply) == (400, 21120, "invalid signature")
    for wrong in ("", "not base64!", "AAAA", UNSIGNED):
        reply = stage.post(tx_type=CREATE, tx_info=json.dumps({**info, "Sig": wrong}))
        assert code(reply) == 21120
    stage.place()
    await stage.sequenced()
    assert len(stage.own("accountActiveOrders")["orders"]) == 1


@staged
async def test_the_chain_is_signed(stage: Stage) -> None:
    bare = json.loads(stage.info(CREATE, stage.order()))
    other = stage.signer.transaction(CREATE, bare, chain=300)
    assert code(stage.post(tx_type=CREATE, tx_info=other)) == 21120
    again = stage.signer.transaction(CREATE, bare, chain=CHAIN_ID)
    assert stage.post(tx_type=CREATE, tx_info=again).status == 200


@staged
async def test_nonces_follow_each_other(stage: Stage) -> None:
    for wrong in (stage.nonce - 1, stage.nonce + 1):
        reply = stage.send(CREATE, stage.order(), Nonce=wrong)
        assert refusal(reply) == (400, 21104, "invalid nonce")
    stage.place()
    assert (
        code(stage.send(CREATE, stage.order(ClientOrderIndex=78), Nonce=stage.nonce - 1)) == 21104
    )
    assert stage.place(ClientOrderIndex=78)["code"] == 200


@staged
async def test_the_next_nonce_is_told_when_the_sequencer_has_come_to_it(stage: Stage) -> None:
    ask = {"account_index": stage.account, "api_key_index": API_KEY}
    first = stage.nonce
    stage.place()
    assert stage.get("/api/v1/nextNonce", **ask)["nonce"] == first
    await stage.sequenced()
    assert stage.get("/api/v1/nextNonce", **ask) == {"code": 200, "nonce": first + 1}


@staged
async def test_nonces_may_be_skipped_where_the_transaction_says_so(stage: Stage) -> None:
    skipping = {"L2TxAttributes": {"4": 1}}
    far = stage.clock.now_ms()
    stage.done(CREATE, stage.order(), Nonce=far, **skipping)
    assert code(stage.send(CREATE, stage.order(ClientOrderIndex=1), Nonce=far, **skipping)) == 21104
    stage.nonce = far + 1
    assert stage.place(ClientOrderIndex=2)["code"] == 200
    late = {"Nonce": 2**47, **skipping}
    assert code(stage.send(CREATE, stage.order(ClientOrderIndex=3), **late)) == 21104


@pytest.mark.parametrize(("ahead_ms", "accepted"), [(1, 1), (0, 0), (600_000, 1), (600_001, 0)])
def test_a_transaction_has_a_deadline(ahead_ms: int, accepted: int) -> None:
    @staged
    async def check(stage: Stage) -> None:
        until = stage.clock.now_ms() + ahead_ms
        reply = stage.send(CREATE, stage.order(), ExpiredAt=until)
        assert (reply.status == 200) is bool(accepted)
        if not accepted:
            assert code(reply) == 21711

    check()


@staged
async def test_accounts_and_keys_must_exist(stage: Stage) -> None:
    assert code(stage.send(CREATE, stage.order(), AccountIndex=1)) == 21100
    assert code(stage.send(CREATE, stage.order(), ApiKeyIndex=6)) == 21109


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, 20001),
        ({"tx_type": "x", "tx_info": "{}"}, 20001),
        ({"tx_type": 12, "tx_info": "{}"}, 21505),
        ({"tx_type": CREATE, "tx_info": "{"}, 21501),
        ({"tx_type": CREATE, "tx_info": "[]"}, 21501),
        ({"tx_type": CREATE, "tx_info": "{}"}, 21501),
    ],
)
def test_what_is_no_transaction_is_refused(form: dict[str, Any], expected: int) -> None:
    @staged
    async def check(stage: Stage) -> None:
        assert code(stage.post(**form)) == expected

    check()


@staged
async def test_a_form_of_several_parts_is_read(stage: Stage) -> None:
    parts = {"tx_type": str(CREATE), "tx_info": stage.info(CREATE, stage.order())}
    body = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in parts.items()
    )
    heads = {"content-type": "multipart/form-data; boundary=x"}
    request = SimRequest("POST", "/api/v1/sendTx", headers=heads, body=f"{body}--x--".encode())
    assert read_form(request) == parts
    assert stage.routes["POST /api/v1/sendTx"](request).status == 200


def test_hashes_alone_can_be_checked_for_load_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPDEX_LIGHTER_HASH_ONLY", "1")

    @staged
    async def check(stage: Stage) -> None:
        info = json.loads(stage.info(CREATE, stage.order()))
        scalar = base64.b64encode(b"\1" + bytes(79)).decode()
        done = stage.post(tx_type=CREATE, tx_info=json.dumps({**info, "Sig": scalar}))
        hashed = parse_transaction(CREATE, json.dumps(info)).hash(CHAIN_ID)
        assert done.body["tx_hash"] == hashed.hex()
        stage.nonce += 1
        more = json.loads(stage.info(CREATE, stage.order(ClientOrderIndex=2)))
        assert (
            code(stage.post(tx_type=CREATE, tx_info=json.dumps({**more, "Sig": "AAAA"}))) == 21120
        )

    check()


# --------------------------------------------------------------------------- tokens


@staged
async def test_a_token_goes_in_the_header_or_in_the_query(stage: Stage) -> None:
    path, token = "/api/v1/accountLimits", stage.token()
    assert stage.get(path, token=token, account_index=stage.account)["user_tier"] == "premium"
    assert stage.get(path, auth=token)["current_taker_fee_tick"] == 280
    assert code(stage.ask(path, account_index=stage.account)) == 20001
    assert code(stage.ask(path, token=token, account_index=1)) == 20013


@pytest.mark.parametrize(("seconds", "status"), [(1, 200), (0, 400), (28_800, 200), (28_801, 400)])
def test_a_token_lives_eight_hours_at_most(seconds: int, status: int) -> None:
    @staged
    async def check(stage: Stage) -> None:
        reply = stage.ask("/api/v1/accountLimits", token=stage.token(seconds))
        assert reply.status == status
        if status != 200:
            assert (code(reply), "auth" in reply.body["message"]) == (20013, True)

    check()


@staged
async def test_a_token_is_proven(stage: Stage) -> None:
    deadline = stage.clock.now_ms() // 1000 + 60
    stranger = Signer("02" * 40)
    for wrong in (
        stranger.token(deadline, stage.account),
        stage.signer.token(deadline, stage.account, key=6),
        stage.token()[:-2] + "00",
        "1:2:3",
        "x:y:z:00",
        f"{deadline}:{stage.account}:5:zz",
    ):
        assert code(stage.ask("/api/v1/accountLimits", token=wrong)) == 20013


@staged
async def test_expired_sessions_are_tokens_used_so_far(stage: Stage) -> None:
    token = stage.token()
    assert stage.ask("/api/v1/accountLimits", token=token).status == 200
    assert list(stage.venue.issued()) == [token]
    stage.venue.expire_sessions()
    assert code(stage.ask("/api/v1/accountLimits", token=token)) == 20013
    assert stage.ask("/api/v1/accountLimits", token=stage.token()).status == 200


# --------------------------------------------------------------------------- placing


@staged
async def test_the_answer_is_a_hash_and_the_order_comes_later(stage: Stage) -> None:
    socket = stage.listen(stage.mine(ORDERS))
    socket.take()
    answer = stage.place()
    assert (answer["code"], len(answer["tx_hash"])) == (200, 80)
    assert answer["predicted_execution_time_ms"] == stage.clock.now_ms() + 50
    assert "order_index" not in answer
    ask = {"client_order_indexes": "77"}
    assert stage.own("accountOrders", **ask)["orders"] == []
    assert (stage.own("accountActiveOrders")["orders"], socket.take()) == ([], [])
    await stage.sequenced()
    [order] = told(socket)
    assert (order["status"], order["client_order_index"]) == ("open", 77)
    assert (order["price"], order["initial_base_amount"]) == ("2990.00", "0.1000")
    assert (order["is_ask"], order["side"]) == (False, "")
    assert stage.own("accountOrders", **ask)["orders"] == [order]
    assert stage.own("accountActiveOrders", market_id=ETH)["orders"] == [order]
    assert stage.own("accountActiveOrders", market_id=BTC)["orders"] == []
    assert stage.own("accountInactiveOrders", limit=10)["orders"] == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"MarketIndex": 77}, 21602),
        ({"ClientOrderIndex": 2**48}, 21727),
        ({"BaseAmount": 2**48}, 21701),
        ({"BaseAmount": 0}, 21701),
        ({"BaseAmount": 49}, 21706),
        ({"BaseAmount": 50, "Price": 19_999}, 21706),
        ({"Price": 0}, 21702),
        ({"Price": 2**32}, 21702),
        ({"IsAsk": 2}, 21703),
        ({"Type": 7}, 21704),
        ({"Type": 2, "TriggerPrice": 1, "TimeInForce": 0}, 21710),
        ({"Type": 6, "TimeInForce": 1}, 21710),
        ({"TimeInForce": 3}, 21705),
        ({"Type": 1}, 21705),
        ({"TriggerPrice": 1}, 21729),
        ({"ReduceOnly": 2}, 21740),
        ({"MarketIndex": SPOT, "ReduceOnly": 1}, 21740),
        ({"OrderExpiry": 0}, 21711),
        ({"TimeInForce": 0}, 21711),
        ({"Price": 450_000}, 21733),
        ({"Price": 149_000, "IsAsk": 1}, 21733),
    ],
)
def test_the_front_refuses_what_it_can_see(changes: dict[str, Any], expected: int) -> None:
    @staged
    async def check(stage: Stage) -> None:
        socket = stage.listen(stage.mine(ORDERS))
        reply = stage.send(CREATE, stage.order(**changes))
        assert refusal(reply)[:2] == (400, expected)
        assert stage.send(CREATE, stage.order(), Nonce=stage.nonce + 1).body["code"] == 21104
        await stage.sequenced()
        assert told(socket) == stage.own("accountInactiveOrders")["orders"] == []

    check()


@pytest.mark.parametrize(
    ("ahead_ms", "status"),
    [(300_000, 200), (299_999, 400), (30 * DAY_MS, 200), (30 * DAY_MS + 1, 400)],
)
def test_an_orders_own_expiry_is_bounded(ahead_ms: int, status: int) -> None:
    @staged
    async def check(stage: Stage) -> None:
        until = stage.clock.now_ms() + ahead_ms
        assert stage.send(CREATE, stage.order(OrderExpiry=until)).status == status

    check()


@staged
async def test_an_order_expires(stage: Stage) -> None:
    stage.place(OrderExpiry=stage.clock.now_ms() + 300_000)
    await asyncio.sleep(301)
    [order] = stage.own("accountInactiveOrders")["orders"]
    assert order["status"] == "canceled-expired"


@staged
async def test_prices_far_off_pass_without_protection(stage: Stage) -> None:
    info = stage.info(CREATE, stage.order(Price=100, BaseAmount=200_000))
    assert stage.post(tx_type=CREATE, tx_info=info).body["code"] == 200
    stage.nonce += 1
    far = stage.taker(ClientOrderIndex=2, IsAsk=1, Price=100, BaseAmount=200_000)
    info = stage.info(CREATE, far)
    assert code(stage.post(tx_type=CREATE, tx_info=info)) == 21733
    assert stage.post(tx_type=CREATE, tx_info=info, price_protection="false").status == 200


@staged
async def test_a_client_index_is_used_once_over_all_markets(stage: Stage) -> None:
    stage.place()
    for market in (ETH, SPOT):
        reply = stage.send(CREATE, stage.order(MarketIndex=market))
        assert refusal(reply) == (400, 21728, "client order index already exists")
    stage.done(CANCEL, {"MarketIndex": ETH, "Index": 77})
    assert code(stage.send(CREATE, stage.order())) == 21728
    stage.place(ClientOrderIndex=0)
    stage.place(ClientOrderIndex=0, Price=298_000)


@staged
async def test_a_post_only_order_that_would_take_is_taken_and_ends_so(stage: Stage) -> None:
    socket = stage.listen(stage.mine(ORDERS))
    stage.place(Price=300_000)
    await stage.sequenced()
    [order] = told(socket)
    assert (order["status"], order["filled_base_amount"]) == ("canceled-post-only", "0.0000")
    assert stage.own("accountInactiveOrders")["orders"] == [order]


@staged
async def test_a_lack_of_margin_is_told_later(stage: Stage) -> None:
    socket = stage.listen(stage.mine(ORDERS))
    stage.place(BaseAmount=50_000_000)
    stage.place(ClientOrderIndex=78, BaseAmount=500_000, MarketIndex=SPOT, Price=299_900)
    await stage.sequenced()
    ends = [order["status"] for order in told(socket)]
    assert ends == ["canceled-margin-not-allowed", "canceled-invalid-balance"]


@staged
async def test_a_reduce_only_order_without_a_position_vanishes(stage: Stage) -> None:
    socket = stage.listen(stage.mine(ORDERS), stage.mine("account_tx"))
    socket.take()
    answer = stage.place(ReduceOnly=1)
    await stage.sequenced()
    [frame] = socket.take()
    [failed] = frame["txs"]
    assert (failed["hash"], failed["status"]) == (answer["tx_hash"], 0)
    assert json.loads(failed["event_info"]) == {"ae": "AppErrInvalidReduceOnlyDirection"}
    assert stage.own("accountOrders", client_order_indexes="77")["orders"] == []
    assert stage.own("accountInactiveOrders")["orders"] == []
    ask = {"account_index": stage.account, "api_key_index": API_KEY}
    assert stage.get("/api/v1/nextNonce", **ask)["nonce"] == stage.nonce


@staged
async def test_an_ioc_order_fills_and_its_rest_ends(stage: Stage) -> None:
    socket = stage.listen(stage.mine(ORDERS), stage.mine(TRADES))
    stage.done(CREATE, stage.taker(BaseAmount=60_000, Price=300_000))
    await stage.sequenced()
    frames = socket.take("update/account_all_orders")
    ends = [frame["orders"]["0"][0] for frame in frames][-1]
    assert (ends["status"], ends["filled_base_amount"]) == (
        "canceled-not-enough-liquidity",
        "5.0000",
    )
    assert D(ends["filled_quote_amount"]) == 15_000


@staged
async def test_a_market_order_has_a_worst_price(stage: Stage) -> None:
    stage.done(CREATE, stage.taker(Type=1))
    stage.done(CREATE, stage.taker(Type=1, ClientOrderIndex=2, Price=299_000))
    await stage.sequenced()
    slipped, filled = stage.own("accountInactiveOrders")["orders"]
    assert (filled["type"], filled["status"]) == ("market", "filled")
    assert slipped["status"] == "canceled-too-much-slippage"


@staged
async def test_orders_that_may_take_wait_for_the_sequencer(stage: Stage) -> None:
    stage.done(CREATE, stage.taker(Price=300_000))
    stage.quote("3001.00", "3001.01")
    await stage.sequenced()
    [order] = stage.own("accountInactiveOrders")["orders"]
    assert (order["status"], order["filled_base_amount"]) == (
        "canceled-not-enough-liquidity",
        "0.0000",
    )


@staged
async def test_no_amount_means_the_whole_position(stage: Stage) -> None:
    stage.done(CREATE, stage.taker())
    await stage.sequenced()
    closing = stage.taker(ClientOrderIndex=2, IsAsk=1, BaseAmount=0, Type=1, ReduceOnly=1)
    stage.done(CREATE, closing)
    await stage.sequenced()
    assert stage.exchange.accounts[stage.account].size("ETH") == 0


@staged
async def test_the_number_of_orders_is_bounded(stage: Stage) -> None:
    def rest(count: int, symbol: str) -> None:
        price = D(2900) if symbol == "ETH" else D(80)
        for _ in range(count):
            stage.exchange.place(
                SimOrder(
                    account=stage.account,
                    symbol=symbol,
                    side="buy",
                    size=D("0.05"),
                    price=price,
                    post_only=True,
                )
            )

    rest(1000, "ETH")
    assert code(stage.send(CREATE, stage.order())) == 21718
    stage.place(MarketIndex=SPOT)
    rest(499, "SOL")
    assert code(stage.send(CREATE, stage.order(MarketIndex=SPOT, ClientOrderIndex=2))) == 21717


@staged
async def test_a_halted_market_is_refused_by_the_front(stage: Stage) -> None:
    stage.exchange.halt("cancel_only")
    assert code(stage.send(CREATE, stage.order())) == 21605
    stage.exchange.halt("")
    stage.place()


# --------------------------------------------------------------------------- meeting oneself


@pytest.mark.parametrize(
    ("mode", "maker", "taker"),
    [
        (0, "canceled-self-trade", "filled"),
        (1, "open", "canceled-self-trade"),
        (2, "canceled-self-trade", "canceled-self-trade"),
    ],
)
def test_self_trades_expire_whom_the_taker_says(mode: int, maker: str, taker: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        stage.quote("2990.00", "3000.00")
        stage.place(Price=299_900)
        more = {"L2TxAttributes": {"6": mode}} if mode else {}
        stage.done(CREATE, stage.taker(ClientOrderIndex=2, IsAsk=1), **more)
        await stage.sequenced()
        found = stage.own("accountOrders", client_order_indexes="77,2")["orders"]
        assert [order["status"] for order in found] == [maker, taker]
        trades = stage.own("trades")["trades"]
        assert [trade["price"] for trade in trades] == (["2990.00"] if mode == 0 else [])

    check()


@staged
async def test_what_is_not_simulated_is_refused(stage: Stage) -> None:
    assert code(stage.send(CREATE, stage.order(), L2TxAttributes={"6": 3})) == 20001
    for wrong in ({"9": 1}, {"1": "x"}, dict.fromkeys("12345", 1)):
        info = json.loads(stage.info(CREATE, stage.order()))
        reply = stage.post(tx_type=CREATE, tx_info=json.dumps({**info, "L2TxAttributes": wrong}))
        assert code(reply) == 21501
    bare = stage.order(ClientOrderIndex=0)
    group = {"GroupingType": 2, "Orders": [bare, bare]}
    assert code(stage.send(GROUP, group)) == 21710


# --------------------------------------------------------------------------- cancel, modify


@pytest.mark.parametrize("by", ["client", "order"])
def test_either_index_cancels(by: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        socket = stage.listen(stage.mine(ORDERS))
        stage.place()
        await stage.sequenced()
        [order] = told(socket)
        index = 77 if by == "client" else order["order_index"]
        answer = stage.done(CANCEL, {"MarketIndex": ETH, "Index": index})
        assert "didn't use volume quota" in answer["message"]
        assert told(socket) == []
        await stage.sequenced()
        [ended] = told(socket)
        assert (ended["status"], ended["remaining_base_amount"]) == ("canceled", "0.0000")

    check()


@staged
async def test_an_unknown_or_dead_order_cannot_be_canceled(stage: Stage) -> None:
    cancel = {"MarketIndex": ETH, "Index": 77}
    assert code(stage.send(CANCEL, cancel)) == 21700
    assert code(stage.send(CANCEL, {"MarketIndex": ETH, "Index": 0})) == 21700
    stage.place()
    assert code(stage.send(CANCEL, {"MarketIndex": BTC, "Index": 77})) == 21700
    stage.done(CANCEL, cancel)
    assert refusal(stage.send(CANCEL, cancel))[1:] == (
        21600,
        "given order is not an active limit order",
    )


@staged
async def test_a_modified_order_keeps_its_index(stage: Stage) -> None:
    socket = stage.listen(stage.mine(ORDERS))
    stage.place()
    change = {"MarketIndex": ETH, "Index": 77, "Price": 299_500, "TriggerPrice": 0}
    stage.done(MODIFY, {**change, "BaseAmount": 1500})
    stage.done(MODIFY, {**change, "BaseAmount": 0, "Price": 299_600}, L2TxAttributes={"8": 1})
    assert code(stage.send(MODIFY, {**change, "BaseAmount": 1}, L2TxAttributes={"8": 1})) == 21737
    assert code(stage.send(MODIFY, {**change, "BaseAmount": 1})) == 21706
    assert code(stage.send(MODIFY, {**change, "Price": 0, "BaseAmount": 0})) == 21702
    await stage.sequenced()
    first, second, third = told(socket)
    assert first["order_index"] == second["order_index"] == third["order_index"]
    assert [o["order_version"] for o in (first, second, third)] == [0, 1, 2]
    assert (third["price"], third["initial_base_amount"]) == ("2996.00", "0.1500")
    bids, _, _ = stage.exchange.book("ETH")
    assert (D("2996.00"), D("0.15")) in bids
    assert all(price != D(2990) for price, _ in bids)


@staged
async def test_all_orders_or_those_of_one_market_are_canceled(stage: Stage) -> None:
    stage.place()
    stage.place(ClientOrderIndex=2, MarketIndex=SPOT)
    stage.done(CANCEL_ALL, {"TimeInForce": 0, "Time": 0}, L2TxAttributes={"5": SPOT})
    assert [o.symbol for o in stage.exchange.open_orders(stage.account)] == ["ETH"]
    stage.done(CANCEL_ALL, {"TimeInForce": 0, "Time": 0})
    assert stage.exchange.open_orders(stage.account) == []


@staged
async def test_a_scheduled_cancel_strikes_unless_it_is_aborted(stage: Stage) -> None:
    stage.place()
    for aborted in (True, False):
        at = stage.clock.now_ms() + 400_000
        stage.done(CANCEL_ALL, {"TimeInForce": 1, "Time": at})
        [account] = stage.get("/api/v1/account", by="index", value=stage.account)["accounts"]
        assert account["cancel_all_time"] == at
        if aborted:
            stage.done(CANCEL_ALL, {"TimeInForce": 2, "Time": 0})
        await asyncio.sleep(401)
        assert bool(stage.exchange.open_orders(stage.account)) is aborted


@pytest.mark.parametrize(
    ("when", "ahead_ms", "expected"),
    [(3, 0, 21713), (0, 400_000, 21714), (1, 0, 21714), (1, 299_000, 21714), (2, 1, 21714)],
)
def test_wrong_times_of_a_cancel_all(when: int, ahead_ms: int, expected: int) -> None:
    @staged
    async def check(stage: Stage) -> None:
        time = stage.clock.now_ms() + ahead_ms if ahead_ms else 0
        assert code(stage.send(CANCEL_ALL, {"TimeInForce": when, "Time": time})) == expected

    check()


# --------------------------------------------------------------------------- leverage


@staged
async def test_leverage_is_a_margin_fraction(stage: Stage) -> None:
    stage.done(LEVERAGE, {"MarketIndex": ETH, "InitialMarginFraction": 3333, "MarginMode": 0})
    stage.done(CREATE, stage.taker())
    await stage.sequenced()
    [account] = stage.get("/api/v1/account", by="index", value=stage.account)["accounts"]
    [position] = account["positions"]
    assert (position["initial_margin_fraction"], position["margin_mode"]) == ("33.33", 0)
    wrong = {"MarketIndex": ETH, "MarginMode": 0}
    for fraction in (199, 10_001):
        assert code(stage.send(LEVERAGE, {**wrong, "InitialMarginFraction": fraction})) == 21113
    isolated = {"MarketIndex": ETH, "InitialMarginFraction": 500, "MarginMode": 1}
    assert code(stage.send(LEVERAGE, isolated)) == 21132
    assert code(stage.send(LEVERAGE, {**isolated, "MarginMode": 2})) == 21613
    assert code(stage.send(LEVERAGE, {**isolated, "MarketIndex": SPOT})) == 21602


@staged
async def test_isolated_margin_is_moved_for_a_position(stage: Stage) -> None:
    add = {"MarketIndex": ETH, "USDCAmount": 5_000_000_000, "Direction": 1}
    assert code(stage.send(MARGIN, add)) == 21614
    stage.done(LEVERAGE, {"MarketIndex": ETH, "InitialMarginFraction": 500, "MarginMode": 1})
    stage.done(CREATE, stage.taker())
    await stage.sequenced()
    stage.done(MARGIN, add)
    stage.done(MARGIN, {**add, "USDCAmount": 1_000_000, "Direction": 0})
    assert code(stage.send(MARGIN, {**add, "Direction": 2})) == 21615
    [account] = stage.get("/api/v1/account", by="index", value=stage.account)["accounts"]
    [position] = account["positions"]
    assert (position["margin_mode"], position["allocated_margin"]) == (1, "4999.000000")


# --------------------------------------------------------------------------- batches


def batch(stage: Stage, *orders: dict[str, Any], kind: int = CREATE) -> list[str]:
    infos = []
    for order in orders:
        infos.append(stage.info(kind, order))
        stage.nonce += 1
    return infos


@staged
async def test_a_batch_is_executed_one_by_one(stage: Stage) -> None:
    infos = batch(stage, stage.order(), stage.order(), stage.order(ClientOrderIndex=78))
    infos += batch(stage, {"MarketIndex": ETH, "Index": 77}, kind=CANCEL)
    types = json.dumps([CREATE, CREATE, CREATE, CANCEL])
    reply = stage.post("/api/v1/sendTxBatch", tx_types=types, tx_infos=json.dumps(infos))
    assert (reply.status, len(reply.body["tx_hash"])) == (200, 4)
    await stage.sequenced()
    found = stage.own("accountOrders", client_order_indexes="77,78")["orders"]
    assert [order["status"] for order in found] == ["canceled", "open"]
    stage.place(ClientOrderIndex=79)


@staged
async def test_wrong_batches(stage: Stage) -> None:
    path, one = "/api/v1/sendTxBatch", batch(stage, stage.order())
    stage.nonce -= 1
    assert code(stage.post(path, tx_types="[14", tx_infos="[]")) == 20001
    assert code(stage.post(path, tx_types="[14,14]", tx_infos=json.dumps(one))) == 21513
    assert code(stage.post(path, tx_types="[]", tx_infos="[]")) == 21513
    many = json.dumps(one * 51)
    assert code(stage.post(path, tx_types=json.dumps([14] * 51), tx_infos=many)) == 21514
    twice = json.dumps(one * 2)
    assert code(stage.post(path, tx_types="[14,14]", tx_infos=twice)) == 21105
    other = stage.info(CREATE, stage.order(ClientOrderIndex=2), ApiKeyIndex=6)
    mixed = json.dumps([*one, other])
    assert code(stage.post(path, tx_types="[14,14]", tx_infos=mixed)) == 21121
    assert stage.own("accountActiveOrders")["orders"] == []


# --------------------------------------------------------------------------- queries


@staged
async def test_trades_tell_which_side_was_ours(stage: Stage) -> None:
    stage.done(CREATE, stage.taker())
    await stage.sequenced()
    stage.place(ClientOrderIndex=78, IsAsk=1, Price=300_100, BaseAmount=500)
    stage.trade("3001.00", "20", "buy")
    made, taken = stage.own("trades", sort_by="timestamp", limit=100)["trades"]
    own = int(stage.account)
    assert (taken["bid_account_id"], taken["bid_client_id"]) == (own, 77)
    assert (taken["is_maker_ask"], taken["taker_fee"]) == (True, 280)
    assert (made["ask_account_id"], made["ask_client_id"]) == (own, 78)
    assert (made["is_maker_ask"], made["maker_fee"]) == (True, 40)
    assert taken["ask_account_id"] != own != made["bid_account_id"]
    assert D(taken["usd_amount"]) == D(taken["price"]) * D(taken["size"])
    before = (taken["taker_position_size_before"], made["maker_position_size_before"])
    assert before == ("0.0000", "0.1000")
    assert (taken["taker_position_sign_changed"], made["maker_position_sign_changed"]) == (
        True,
        False,
    )
    index = str(made["ask_id"])
    assert stage.own("trades", order_index=index)["trades"] == [made]
    assert stage.own("trades", market_id=BTC)["trades"] == []


@staged
async def test_pages_have_cursors(stage: Stage) -> None:
    for number in range(1, 6):
        stage.place(ClientOrderIndex=number, Price=300_000)
    await stage.sequenced()
    first = stage.own("accountInactiveOrders", limit=2)
    assert [o["client_order_index"] for o in first["orders"]] == [5, 4]
    more = stage.own("accountInactiveOrders", limit=100, cursor=first["next_cursor"])
    assert [o["client_order_index"] for o in more["orders"]] == [3, 2, 1]
    assert "next_cursor" not in more
    reply = stage.ask("/api/v1/accountInactiveOrders", token=stage.token(), limit=101)
    assert code(reply) == 20001


@staged
async def test_at_most_twenty_orders_are_asked_for_by_id(stage: Stage) -> None:
    path = "/api/v1/accountOrders"
    for wrong in (",".join(map(str, range(21))), "x", ""):
        reply = stage.ask(path, token=stage.token(), client_order_indexes=wrong)
        assert code(reply) == 20001


@staged
async def test_the_account_is_public(stage: Stage) -> None:
    stage.done(CREATE, stage.taker(IsAsk=1))
    await stage.sequenced()
    answer = stage.get("/api/v1/account", by="index", value=stage.account)
    [account] = answer["accounts"]
    [position] = account["positions"]
    assert (position["sign"], position["position"]) == (-1, "0.1000")
    assert (position["symbol"], position["initial_margin_fraction"]) == ("ETH", "5.00")
    equity = stage.exchange.equity(stage.account)
    assert D(account["total_asset_value"]) == equity.quantize(D("0.000001"))
    assert D(account["available_balance"]) < D(account["total_asset_value"])
    address = account["l1_address"]
    assert stage.get("/api/v1/account", by="l1_address", value=address) == answer
    owned = stage.get("/api/v1/accountsByL1Address", l1_address=address)
    assert [a["index"] for a in owned["sub_accounts"]] == [int(stage.account)]
    for wrong in ({"by": "index", "value": "1"}, {"by": "l1_address", "value": "0x1"}):
        assert code(stage.ask("/api/v1/account", **wrong)) == 21100
    assert code(stage.ask("/api/v1/account", by="name")) == 20001
    assert code(stage.ask("/api/v1/accountsByL1Address", l1_address="0x1")) == 21100


@staged
async def test_a_closed_position_stays_listed_with_no_size(stage: Stage) -> None:
    stage.done(CREATE, stage.taker())
    await stage.sequenced()
    stage.done(CREATE, stage.taker(ClientOrderIndex=2, IsAsk=1))
    await stage.sequenced()
    [account] = stage.get("/api/v1/account", by="index", value=stage.account)["accounts"]
    assert [p["position"] for p in account["positions"]] == ["0.0000"]
    asked = {"by": "index", "value": stage.account, "active_only": "true"}
    [account] = stage.get("/api/v1/account", **asked)["accounts"]
    assert account["positions"] == []


@staged
async def test_coins_of_the_spot_market_are_assets(stage: Stage) -> None:
    stage.done(CREATE, stage.taker(MarketIndex=SPOT))
    stage.place(ClientOrderIndex=2, MarketIndex=SPOT, Price=200_000)
    await stage.sequenced()
    [account] = stage.get("/api/v1/account", by="index", value=stage.account)["accounts"]
    held = {asset["symbol"]: asset for asset in account["assets"]}
    assert D(held["ETH"]["balance"]) == D("0.1")
    assert D(held["USDC"]["locked_balance"]) == D(200)
    assert D(held["USDC"]["balance"]) == stage.exchange.accounts[stage.account].cash


@staged
async def test_funding_payments_are_remembered(stage: Stage) -> None:
    stage.done(CREATE, stage.taker())
    await stage.sequenced()
    stage.exchange.fund(D("0.0001"), "ETH")
    [paid] = stage.own("positionFunding")["position_fundings"]
    assert (paid["position_side"], paid["position_size"]) == ("long", "0.1000")
    assert D(paid["change"]) == D("-0.030000")
    assert stage.own("positionFunding", market_id=BTC)["position_fundings"] == []


@staged
async def test_markets_are_described(stage: Stage) -> None:
    details = stage.get("/api/v1/orderBookDetails")
    [eth, btc, sol] = details["order_book_details"]
    assert [m["symbol"] for m in (eth, btc, sol)] == ["ETH", "BTC", "SOL"]
    assert (eth["price_decimals"], eth["size_decimals"]) == (2, 4)
    assert (eth["min_base_amount"], eth["min_quote_amount"]) == ("0.0050", "10.000000")
    assert (eth["min_initial_margin_fraction"], eth["status"]) == (200, "active")
    assert [m["symbol"] for m in details["spot_order_book_details"]] == ["ETH/USDC"]
    assert stage.get("/api/v1/orderBookDetails", filter="spot")["order_book_details"] == []
    only = stage.get("/api/v1/orderBookDetails", market_id=BTC)["order_book_details"]
    assert only == [btc]
    short = stage.get("/api/v1/orderBooks")["order_books"]
    assert [m["market_id"] for m in short] == [0, 1, 2, 2048]
    assert code(stage.ask("/api/v1/orderBookDetails", market_id=9)) == 21602


@staged
async def test_the_book_is_told_best_first(stage: Stage) -> None:
    book = stage.get("/api/v1/orderBookOrders", market_id=ETH, limit=2)
    assert [(o["price"], o["remaining_base_amount"]) for o in book["asks"]] == [
        ("3000.00", "5.0000"),
        ("3000.01", "5.0000"),
    ]
    assert [o["price"] for o in book["bids"]] == ["2999.99", "2999.98"]
    assert book["asks"][0]["order_index"] < 2**49 - 2**40 < book["bids"][0]["order_index"]
    for wrong in (0, 251, "x"):
        assert code(stage.ask("/api/v1/orderBookOrders", market_id=ETH, limit=wrong)) == 20001


@staged
async def test_public_trades_rates_and_status(stage: Stage) -> None:
    stage.trade("3000.00", "1", "buy")
    stage.trade("2999.99", "2", "sell")
    newest, first = stage.get("/api/v1/recentTrades", market_id=ETH, limit=10)["trades"]
    assert (newest["is_maker_ask"], first["is_maker_ask"]) == (False, True)
    assert "tx_hash" not in newest
    rates = stage.get("/api/v1/funding-rates")["funding_rates"]
    assert (rates[0]["symbol"], rates[0]["rate"]) == ("ETH", 0.0008)
    [paid] = stage.get("/api/v1/fundings", market_id=ETH, resolution="1h")["fundings"]
    assert (paid["rate"], paid["direction"]) == ("0.0100", "long")
    assert stage.get("/")["status"] == 200
    assert stage.get("/info")["contract_address"].startswith("0x")
    assert [a["symbol"] for a in stage.get("/api/v1/assetDetails")["asset_details"]] == [
        "ETH",
        "USDC",
    ]


@staged
async def test_a_transaction_can_be_asked_for(stage: Stage) -> None:
    name = stage.place()["tx_hash"]
    assert stage.get("/api/v1/tx", by="hash", value=name)["status"] == 1
    await stage.sequenced()
    found = stage.get("/api/v1/tx", by="hash", value=name)
    assert (found["status"], found["nonce"]) == (2, stage.nonce - 1)
    assert code(stage.ask("/api/v1/tx", by="hash", value="00")) == 21500
    assert code(stage.ask("/api/v1/tx", by="height", value="1")) == 20001


# --------------------------------------------------------------------------- streams


@staged
async def test_the_first_frame_greets(stage: Stage) -> None:
    [frame] = stage.connect().take()
    assert frame["type"] == "connected"
    assert [len(part) for part in frame["session_id"].split("-")] == [8, 4, 4, 4, 12]


@staged
async def test_errors_of_the_socket(stage: Stage) -> None:
    wire = stage.listen("market_stats/all")
    asked = {"type": "subscribe", "channel": "market_stats/all"}
    assert stage.say(wire, **asked)["error"] == {
        "code": 30003,
        "message": "Already Subscribed to : market_stats:all",
    }
    gone = {"type": "unsubscribe", "channel": "order_book/0"}
    assert stage.say(wire, **gone)["error"]["message"] == "Not Subscribed to : order_book:0"
    for channel in ("order_book/9", "nothing/0", "order_book", "account_all/1", "candle/0/1m"):
        answer = stage.say(wire, type="subscribe", channel=channel)
        assert answer["error"]["code"] == 30005, channel
    assert stage.say(wire, type="nonsense")["error"]["code"] == 30001
    assert stage.venue.accept_message(wire, "{") == {
        "error": {"code": 30000, "message": "Invalid Json"}
    }
    assert stage.say(wire, type="ping") == {"type": "pong"}


@staged
async def test_private_channels_need_a_token(stage: Stage) -> None:
    wire = stage.connect()
    for name in (ORDERS, "account_tx", "account_all_assets"):
        answer = stage.say(wire, type="subscribe", channel=stage.mine(name))
        assert answer["error"] == {
            "code": 20001,
            "message": f"invalid param : auth field is required: {name}:{stage.account}",
        }
    for name in ("account_all", TRADES, "user_stats"):
        assert stage.say(wire, type="subscribe", channel=stage.mine(name)) is None
    bad = {"type": "subscribe", "channel": stage.mine(POSITIONS), "auth": stage.token(-5)}
    assert stage.say(wire, **bad)["error"]["code"] == 20013
    assert wire.private
    assert wire.account == stage.account


@staged
async def test_an_unsubscribed_channel_is_silent(stage: Stage) -> None:
    wire = stage.listen(stage.mine(ORDERS), "order_book/0")
    for channel in (stage.mine(ORDERS), "order_book/0"):
        answer = stage.say(wire, type="unsubscribe", channel=channel)
        assert answer == {"type": "unsubscribed", "channel": channel.replace("/", ":")}
    wire.take()
    stage.place()
    await asyncio.sleep(1)
    assert wire.take() == []


@staged
async def test_book_changes_are_chained_and_absolute(stage: Stage) -> None:
    wire = stage.listen("order_book/0")
    for step in range(5):
        stage.quote(f"2999.9{step}", f"3000.1{step}", size=str(step + 1))
        await asyncio.sleep(0.08)
    late = stage.listen("order_book/0")
    stage.quote("2999.00", "3000.00")
    await asyncio.sleep(0.08)
    for socket in (wire, late):
        first, *later = [frame["order_book"] for frame in socket.take("order_book")]
        assert first["begin_nonce"] == 0
        assert later
        assert all(b["begin_nonce"] == a["nonce"] for a, b in pairwise([first, *later]))
        sides: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
        for change in (first, *later):
            for name, side in sides.items():
                side.update({level["price"]: level["size"] for level in change[name]})
        bids, asks, _ = stage.exchange.book("ETH")
        for side, truth in ((sides["bids"], bids), (sides["asks"], asks)):
            left = {D(price): D(size) for price, size in side.items() if D(size)}
            assert left == dict(truth)


@staged
async def test_a_gone_level_has_size_zero(stage: Stage) -> None:
    wire = stage.listen("order_book/0")
    stage.exchange.thin(D(5), "sell", "ETH")
    await asyncio.sleep(0.1)
    update = wire.take("update/order_book")[0]["order_book"]
    assert {level["size"] for level in update["asks"]} == {"0.0000"}


@staged
async def test_the_ticker_is_told_when_it_changes(stage: Stage) -> None:
    wire = stage.listen("ticker/0")
    stage.place()
    await asyncio.sleep(0.1)
    stage.quote("2998.00", "2998.01")
    await asyncio.sleep(0.1)
    first, moved = wire.take("ticker")
    assert first["ticker"]["b"] == {"price": "2999.99", "size": "5.0000"}
    assert moved["ticker"]["a"]["price"] == "2998.01"
    empty = stage.listen("ticker/1").take("ticker")
    assert empty[0]["ticker"]["a"] == {"price": "", "size": ""}


@staged
async def test_statistics_and_trades_of_everybody(stage: Stage) -> None:
    wire = stage.listen("market_stats/0", "market_stats/all", "spot_market_stats/2048", "trade/0")
    wire.take()
    stage.trade("3000.00", "1", "buy")
    await asyncio.sleep(1.5)
    stage.quote("2998.00", "2998.02")
    one, every, spot = (
        next(f for f in frames if f["channel"] == channel)
        for frames in [wire.frames]
        for channel in ("market_stats:0", "market_stats:all", "spot_market_stats:2048")
    )
    assert one["market_stats"]["mark_price"] == "2998.01"
    assert one["market_stats"]["current_funding_rate"] == "0.0100"
    assert every["market_stats"] == {"0": one["market_stats"]}
    assert "mark_price" not in spot["spot_market_stats"]
    [traded] = wire.take("update/trade")
    assert traded["trades"][0]["price"] == "3000.00"
    assert traded["liquidation_trades"] == []


@staged
async def test_fills_are_told_on_both_streams_and_move_positions(stage: Stage) -> None:
    wire = stage.listen(*map(stage.mine, (ORDERS, TRADES, POSITIONS, "user_stats", "account_all")))
    wire.take()
    stage.place(BaseAmount=2000, Price=299_999)
    await stage.sequenced()
    stage.trade("2999.99", "5.05", "sell")
    stage.trade("2999.99", "1", "sell")
    await asyncio.sleep(0.01)
    frames = list(wire.frames)
    orders = told(wire)
    assert [(o["status"], o["filled_base_amount"]) for o in orders] == [
        ("open", "0.0000"),
        ("open", "0.0500"),
        ("filled", "0.2000"),
    ]
    trades = [f["trades"]["0"][0] for f in frames if f["type"].endswith("account_all_trades")]
    assert [t["size"] for t in trades] == ["0.0500", "0.1500"]
    moved = [f["positions"]["0"] for f in frames if f["type"].endswith("all_positions")]
    assert [p["position"] for p in moved] == ["0.0500", "0.2000"]
    assert any(f["type"] == "update/user_stats" for f in frames)
    assert any(f["type"] == "update/account_all" and f["trades"] for f in frames)


@staged
async def test_snapshots_begin_a_subscription(stage: Stage) -> None:
    empty = stage.listen(*map(stage.mine, (ORDERS, TRADES, POSITIONS))).take()
    assert [frame["type"].partition("/")[0] for frame in empty] == ["subscribed"] * 3
    assert (empty[0]["orders"], empty[1]["trades"], empty[2]["positions"]) == ({}, [], {})
    stage.place()
    stage.done(CREATE, stage.taker(ClientOrderIndex=2))
    await stage.sequenced()
    one_market = f"account_orders/0/{stage.account}"
    channels = (*map(stage.mine, (ORDERS, TRADES, POSITIONS)), one_market)
    orders, trades, positions, own = stage.listen(*channels).take()
    assert [o["client_order_index"] for o in orders["orders"]["0"]] == [77]
    assert [t["bid_client_id"] for t in trades["trades"]["0"]] == [2]
    assert positions["positions"]["0"]["position"] == "0.1000"
    assert (own["channel"], own["account"]) == ("account_orders:0", int(stage.account))
    assert own["orders"] == orders["orders"]


@staged
async def test_silent_clients_are_put_out(stage: Stage) -> None:
    talking, silent = stage.connect(), stage.connect()
    for _ in range(3):
        await asyncio.sleep(59)
        stage.say(talking, type="ping")
    assert (talking.open, silent.open) == (True, False)
    await asyncio.sleep(121)
    assert not talking.open


@staged
async def test_a_server_that_pings_wants_pongs(stage: Stage) -> None:
    wire = stage.connect(server_pings="true")
    for _ in range(3):
        await asyncio.sleep(31)
        assert wire.take("ping")
        stage.say(wire, type="pong")
    assert wire.open
    await asyncio.sleep(120)
    assert wire.closed == (1008, "no pong")


@staged
async def test_messages_are_limited_but_transactions_are_not(stage: Stage) -> None:
    wire = stage.connect()
    answers = [stage.say(wire, type="ping") for _ in range(201)]
    assert answers[199] == {"type": "pong"}
    assert answers[200]["error"]["code"] == 30009
    info = json.loads(stage.info(CREATE, stage.order()))
    sent = {"id": "1", "tx_type": CREATE, "tx_info": info}
    assert stage.say(wire, type="jsonapi/sendtx", data=sent)["code"] == 200
    await asyncio.sleep(61)
    assert stage.say(wire, type="ping") == {"type": "pong"}


# --------------------------------------------------------------------------- calls over the socket


@staged
async def test_a_transaction_over_the_socket(stage: Stage) -> None:
    wire = stage.connect()
    info = json.loads(stage.info(CREATE, stage.order()))
    data = {"id": "17", "tx_type": CREATE, "tx_info": info}
    text = json.dumps({"type": "jsonapi/sendtx", "data": data})
    request = stage.venue.request_of_message(wire, text)
    assert request is not None
    assert (request.path, stage.venue.op_of(request)) == ("/api/v1/sendTx", "place")
    assert stage.venue.describe(request) == {
        "side": "buy",
        "symbol": "ETH",
        "size": "0.1000",
        "price": "2990.00",
        "client_id": "77",
        "reduce_only": "false",
        "post_only": "true",
    }
    answer = stage.venue.accept_message(wire, text)
    assert isinstance(answer, dict)
    assert set(answer) == {"code", "id", "predicted_execution_time_ms", "tx_hash", "type"}
    assert (answer["code"], answer["id"], answer["type"]) == (200, "17", "jsonapi/sendtx")
    assert stage.venue.request_of_message(wire, '{"type":"ping"}') is None


@staged
async def test_refusals_over_the_socket_have_three_forms(stage: Stage) -> None:
    wire, forms = stage.connect(), set()
    info = json.loads(stage.info(CREATE, stage.order(BaseAmount=1)))
    for number in range(20):
        data = {"id": str(number), "tx_type": CREATE, "tx_info": info}
        answer = stage.say(wire, type="jsonapi/sendtx", data=data)
        forms.add(tuple(sorted(answer)))
        inner = answer.get("error", answer)
        assert (inner["code"], inner["message"]) == (21706, "invalid order base or quote amount")
        assert answer.get("id", str(number)) == str(number)
    assert forms == {("error",), ("code", "message", "type"), ("code", "id", "message", "type")}


@staged
async def test_a_batch_over_the_socket_is_shorter(stage: Stage) -> None:
    wire = stage.connect()
    infos = batch(stage, *(stage.order(ClientOrderIndex=n) for n in range(1, 17)))
    for count, expected in ((16, 20001), (15, 200)):
        data = {
            "id": "1",
            "tx_types": json.dumps([CREATE] * count),
            "tx_infos": json.dumps(infos[:count]),
        }
        answer = stage.say(wire, type="jsonapi/sendtxbatch", data=data)
        assert answer["code"] == expected
    assert len(answer["tx_hash"]) == 15


# --------------------------------------------------------------------------- faults, limits


def test_faults_find_calls_and_orders() -> None:
    @staged
    async def check(stage: Stage) -> None:
        venue = stage.venue
        ops = {
            "accountOrders": "query_order",
            "accountActiveOrders": "query_open",
            "trades": "query_fills",
            "account": "query_balance",
            "orderBookDetails": "meta",
            "nextNonce": "",
        }
        for name, op in ops.items():
            assert venue.op_of(SimRequest("GET", f"/api/v1/{name}")) == op
        positions = SimRequest("GET", "/api/v1/account", "active_only=true")
        assert venue.op_of(positions) == "query_positions"
        asked = SimRequest("GET", "/api/v1/accountOrders", "client_order_indexes=5")
        assert venue.describe(asked) == {"client_id": "5"}
        far = {"MarketIndex": ETH, "Index": 2**48 + 1}
        body = {"tx_type": CANCEL, "tx_info": stage.info(CANCEL, far)}

        cancel = SimRequest("POST", "/api/v1/sendTx", headers=FORM, body=urlencode(body).encode())
        assert venue.describe(cancel) == {"order_id": str(2**48 + 1)}
        assert venue.op_of(cancel) == "cancel"
        assert venue.op_of(SimRequest("POST", "/api/v1/sendTx", body=b"x")) == ""

    check()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        *(("MARGIN", 21739), ("REDUCE_ONLY", 21732), ("PRICE_BAND", 21733), ("NONCE", 21104)),
        *(("DUPLICATE_CID", 21728), ("PERMISSION", 21109), ("SYMBOL", 21602), ("AUTH", 21120)),
        *(("PRECISION", 21706), ("OI_CAP", 21612), ("MARKET_STATE", 21605), ("RATE", 23000)),
    ],
)
def test_refusals_of_a_class_are_the_venues_own(kind: str, expected: int) -> None:
    @staged
    async def check(stage: Stage) -> None:
        request = SimRequest("POST", "/api/v1/sendTx")
        assert refusal(stage.venue.render_reject(request, kind, ""))[1] == expected
        assert refusal(stage.venue.render_reject(request, kind, "21999"))[1] == 21999

    check()


@staged
async def test_a_post_only_refusal_comes_by_the_stream(stage: Stage) -> None:

    wire = stage.listen(stage.mine(ORDERS))
    body = urlencode({"tx_type": CREATE, "tx_info": stage.info(CREATE, stage.order())}).encode()
    request = SimRequest("POST", "/api/v1/sendTx", headers=FORM, body=body)
    assert stage.venue.render_reject(request, "POST_ONLY", "").status == 200
    await stage.sequenced()
    assert [order["status"] for order in told(wire)] == ["canceled-post-only"]
    assert stage.exchange.twist == Twist()


@staged
async def test_a_query_that_finds_nothing_is_no_error(stage: Stage) -> None:
    request = SimRequest("GET", "/api/v1/accountOrders")
    answer = stage.venue.render_reject(request, "NOT_FOUND", "")
    assert (answer.status, answer.body["orders"]) == (200, [])
    assert code(stage.venue.render_not_found(request)) == 29404
    assert refusal(stage.venue.render_rate_limited(request, 1.0)) == (
        429,
        23000,
        "Too Many Requests!",
    )


@staged
async def test_a_lost_order_is_never_seen(stage: Stage) -> None:
    wire = stage.listen(stage.mine(ORDERS))
    stage.exchange.twist = Twist(lose_order=True)
    stage.place()
    stage.exchange.twist = Twist(fate=(OrderStatus.REJECTED, 0.5))
    stage.place(ClientOrderIndex=78)
    stage.exchange.twist = Twist()
    await asyncio.sleep(1)
    assert [(o["client_order_index"], o["status"]) for o in told(wire)] == [
        (78, "canceled-post-only")
    ]
    assert stage.own("accountOrders", client_order_indexes="77")["orders"] == []


def test_requests_weigh_and_are_limited_by_account() -> None:
    @staged
    async def check(stage: Stage) -> None:
        token = {"authorization": stage.token()}
        scope = stage.venue.scope_of
        assert scope(SimRequest("GET", "/api/v1/trades", headers=token)) == (
            "premium",
            stage.account,
            600,
        )
        assert scope(SimRequest("GET", "/api/v1/nextNonce", remote="9")) == ("premium", "9", 6)
        assert scope(SimRequest("GET", "/api/v1/orderBooks", remote="9")) == ("premium", "9", 300)

    check()


class StandardLighter(LighterSim):
    """An account of the tier that everybody begins with."""

    name = "lighter"
    tier = STANDARD


def test_a_standard_account_has_sixty_requests_a_minute() -> None:
    async def ask() -> list[int]:
        async with (
            await run.start([StandardLighter], latency=NO_LATENCY) as running,
            aiohttp.ClientSession() as session,
        ):
            url = running.endpoints["lighter"]["rest"] + "/api/v1/orderBooks"
            codes = []
            for _ in range(61):
                async with session.get(url) as answer:
                    codes.append((await answer.json())["code"])
            return codes

    assert run_virtual(ask()) == [200] * 60 + [23000]


def test_it_trades_over_loopback_by_rest_and_by_socket() -> None:
    async def trade() -> None:
        async with (
            await run.start(["lighter"], latency=LatencyModel()) as running,
            aiohttp.ClientSession() as session,
        ):
            keys, ends = running.credentials["lighter"], running.endpoints["lighter"]
            signer, account = Signer(keys["private_key"]), keys["account_index"]
            asked = f"?account_index={account}&api_key_index={API_KEY}"
            async with session.get(f"{ends['rest']}/api/v1/nextNonce{asked}") as answer:
                nonce = (await answer.json())["nonce"]
            now = running.clock.now_ms()
            async with session.ws_connect(ends["ws"]) as socket:
                assert (await socket.receive_json())["type"] == "connected"
                token = signer.token(now // 1000 + 60, account)
                channel = f"account_all_orders/{account}"
                await socket.send_json({"type": "subscribe", "channel": channel, "auth": token})
                assert (await socket.receive_json())["type"] == "subscribed/account_all_orders"
                info = {
                    "AccountIndex": int(account),
                    "ApiKeyIndex": API_KEY,
                    "MarketIndex": 0,
                    "ClientOrderIndex": 9,
                    "BaseAmount": 100,
                    "Price": 250_000,
                    "IsAsk": 0,
                    "Type": 0,
                    "TimeInForce": 1,
                    "ReduceOnly": 0,
                    "TriggerPrice": 0,
                    "OrderExpiry": now + DAY_MS,
                    "ExpiredAt": now + 599_000,
                    "Nonce": nonce,
                    "L2TxAttributes": None,
                }
                signed = json.loads(signer.transaction(CREATE, info))
                data = {"id": "1", "tx_type": CREATE, "tx_info": signed}
                await socket.send_json({"type": "jsonapi/sendtx", "data": data})
                assert (await socket.receive_json())["code"] == 200
                frame = await socket.receive_json()
                assert frame["orders"]["0"][0]["status"] == "open"
                cancel = {
                    "AccountIndex": int(account),
                    "ApiKeyIndex": API_KEY,
                    "MarketIndex": 0,
                    "Index": 9,
                    "ExpiredAt": now + 599_000,
                    "Nonce": nonce + 1,
                    "L2TxAttributes": None,
                }
                form = {"tx_type": CANCEL, "tx_info": signer.transaction(CANCEL, cancel)}
                async with session.post(f"{ends['rest']}/api/v1/sendTx", data=form) as answer:
                    assert (await answer.json())["code"] == 200
                frame = await socket.receive_json()
                assert frame["orders"]["0"][0]["status"] == "canceled"

    run_virtual(trade())

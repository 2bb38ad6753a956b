"""The simulated Hyperliquid against the venue's rules: proof, nonces, orders, money, streams."""

from __future__ import annotations

import asyncio
import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sim.hyperliquid_stage import (
    ASSETS,
    ETH,
    SPOT,
    STRANGER,
    XYZ,
    Signer,
    Stage,
    order,
    placing,
    staged,
    taker,
)

from mpdex.sim import run
from mpdex.sim.board import UNIT, Quote
from mpdex.sim.exchange import Twist
from mpdex.sim.models import NO_LATENCY
from mpdex.sim.venue import SimRequest
from mpdex.sim.venues import hyperliquid_crypto as crypto
from mpdex.sim.venues import load_venue
from mpdex.sim.venues.hyperliquid import HyperliquidSim
from mpdex.sim.venues.hyperliquid_gate import NonceSet
from mpdex.sim.venues.hyperliquid_wire import (
    VAULTLESS,
    Malformed,
    Refused,
    amount,
    parse_envelope,
)
from mpdex.types import OrderStatus
from mpdex.utils.virtual_loop import run_virtual

D = Decimal
VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "hyperliquid.json"
CASES = [
    case for case in json.loads(VECTORS.read_text())["cases"] if "http_body" in case["expected"]
]
CLOID = "0x" + "ab" * 16
DAY_MS = 86_400_000
NEW_KEY = "0x" + "11" * 32
BUILDER = "0x" + "b1" * 20


def digest_of(body: dict[str, Any], source: str) -> bytes:
    sent = parse_envelope(body)
    if sent.kind in crypto.USER_SIGNED:
        return crypto.user_digest(sent.action)
    vault = None if sent.kind in VAULTLESS else sent.vault
    hashed = crypto.action_hash(sent.action, sent.nonce, vault, sent.expires_after)
    return crypto.l1_digest(hashed, source)


# --------------------------------------------------------------------------- proof of who asks


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_sdks_signatures_lead_to_their_signers(case: dict[str, Any]) -> None:
    expected = case["expected"]
    source = expected.get("phantom_agent", {}).get("source", "a")
    digest = digest_of(expected["http_body"], source)
    assert "0x" + digest.hex() == expected["digest"]
    signature = parse_envelope(expected["http_body"]).signature
    assert signature.signer(digest) == expected["signer"].lower()


@pytest.mark.parametrize("case", CASES[:20], ids=lambda case: case["name"])
def test_another_order_of_keys_and_padding_is_the_same_action(case: dict[str, Any]) -> None:
    body = case["expected"]["http_body"]
    action = dict(reversed(body["action"].items()))
    if action["type"] == "order":
        action["orders"] = [
            {**dict(reversed(o.items())), "p": o["p"] + ("00" if "." in o["p"] else ".0")}
            for o in action["orders"]
        ]
    assert parse_envelope({**body, "action": action}).action == parse_envelope(body).action


def test_upper_case_ids_are_canonical_in_lower_case() -> None:
    case = next(c for c in CASES if c["name"] == "ioc_reduce_only_cloid")
    body = case["expected"]["http_body"]
    [one] = body["action"]["orders"]
    loud = {**one, "c": "0x" + one["c"][2:].upper()}
    action = {**body["action"], "orders": [loud]}
    digest = digest_of({**body, "action": action}, "a")
    assert "0x" + digest.hex() == case["expected"]["digest"]


@pytest.mark.parametrize("text", ["", "-1", "1e5", "1.", ".5", "0.123456789", 1.5, 3, None])
def test_amounts_that_are_none(text: Any) -> None:
    with pytest.raises(Malformed):
        amount(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("1.50", "1.5"), ("100", "100"), ("0.10000000000", "0.1"), ("0.0", "0"), ("010", "10")],
)
def test_amounts_lose_their_padding(text: str, canonical: str) -> None:
    assert amount(text) == canonical


def test_the_table_finds_it_and_keys_are_the_same_for_the_same_seed() -> None:
    assert load_venue("hyperliquid") is HyperliquidSim

    async def keys(seed: int) -> dict[str, str]:
        async with await run.start(["hyperliquid"], seed=seed) as running:
            assert running.endpoints["hyperliquid"].keys() == {"rest", "ws"}
            return running.credentials["hyperliquid"]

    first = run_virtual(keys(3))
    assert first == run_virtual(keys(3))
    assert first != run_virtual(keys(4))
    assert first.keys() == {"private_key", "account_address", "wallet_private_key"}


@staged
async def test_an_agent_trades_for_its_master_and_may_not_move_money(stage: Stage) -> None:
    stage.rest()
    [resting] = stage.mine("openOrders")
    assert (resting["coin"], resting["side"], resting["limitPx"]) == (ETH, "B", "2990.0")
    send = {"type": "usdSend", "destination": STRANGER, "amount": "1"}
    text = stage.refused(send, by=stage.agent)
    assert text == f"Must deposit before performing actions. User: {stage.agent.address}"
    assert stage.done(send) == {"type": "default"}


@staged
async def test_both_networks_signatures_are_accepted_unless_told_otherwise(stage: Stage) -> None:
    testnet = Signer(stage.venue.credentials()["private_key"], "b")
    assert "resting" in stage.place(by=testnet)
    stage.venue.gate.sources = ("a",)
    assert "does not exist" in stage.refused(placing(order()), by=testnet)
    strict = {"type": "usdSend", "destination": STRANGER, "amount": "1"}
    text = stage.refused({**strict, "hyperliquidChain": "Testnet"})
    assert text == "Mainnet and testnet require different signature."


@staged
async def test_a_stranger_is_named_in_the_refusal(stage: Stage) -> None:
    nobody = Signer(NEW_KEY)
    text = stage.refused(placing(order()), by=nobody)
    assert text == f"User or API Wallet {nobody.address} does not exist."


@staged
async def test_what_was_not_hashed_canonically_belongs_to_somebody_else(stage: Stage) -> None:
    one = placing(order())
    for hashed in (
        dict(reversed(one.items())),
        placing(order(price="2990.0")),
        {**one, "builder": None},
    ):
        text = stage.refused(one, hashed=hashed)
        assert text.endswith("does not exist.")
        assert stage.agent.address not in text
    flagged = {"type": "cancel", "cancels": [{"a": 1, "o": 1}], "f": False}
    assert "does not exist" in stage.refused(flagged)
    flagged["f"] = True
    [status] = stage.statuses(flagged)
    assert "never placed" in status["error"]


@staged
async def test_signatures_that_nobody_can_have_made(stage: Stage) -> None:
    body = stage.body(placing(order()))
    for bent in ({"v": 29}, {"r": "0x0"}, {"s": "0x" + "ff" * 32}):
        reply = stage.call("/exchange", {**body, "signature": {**body["signature"], **bent}})
        assert reply.body == {"status": "err", "response": "Unable to recover signer."}


@staged
async def test_bodies_that_cannot_be_read(stage: Stage) -> None:
    good = stage.body(placing(order()))
    unshaped = "Failed to deserialize the JSON body into the target type"
    bad: list[Any] = [
        [],
        {},
        {**good, "action": {"type": "fly"}},
        {**good, "action": placing({**order(), "p": 2990})},
        {**good, "action": placing({**order(), "a": "ETH"})},
        {**good, "action": placing(order(tif="Fok"))},
        {**good, "nonce": "1"},
        {**good, "signature": "0x"},
        {**good, "vaultAddress": "me"},
    ]
    for path, body in [("/info", {"type": "nothing"}), *(("/exchange", one) for one in bad)]:
        reply = stage.call(path, body)
        assert (reply.status, reply.body) == (422, unshaped), body
    reply = stage.call("/exchange", b"{")
    assert (reply.status, reply.body) == (400, "Failed to parse the request body as JSON")
    assert stage.call("/info", {"type": "meta"}, **{"content-type": "text/plain"}).status == 415
    assert stage.exchange.orders == {}


# --------------------------------------------------------------------------- nonces and expiry


def test_the_hundred_highest_nonces_are_kept() -> None:
    kept, now = NonceSet(), 1_800_000_000_000
    for nonce in range(now, now + 150):
        kept.take(nonce, now)
    with pytest.raises(Refused, match=f"duplicate nonce {now + 149}"):
        kept.take(now + 149, now)
    with pytest.raises(Refused, match=f"nonce too low {now + 49} < {now + 50}"):
        kept.take(now + 49, now)
    kept.take(now + 200, now)
    kept.take(now + 160, now)  # out of order, above the lowest
    with pytest.raises(Refused, match="duplicate"):
        kept.take(now + 160, now)


@pytest.mark.parametrize(
    ("away", "said"),
    [
        (-2 * DAY_MS + 60_000, "nonce too low"),
        (DAY_MS - 60_000, "nonce too high"),
        (-DAY_MS, ""),
        (DAY_MS // 2, ""),
    ],
)
def test_nonces_are_times(away: int, said: str) -> None:
    now = 1_800_000_000_000
    if not said:
        NonceSet().take(now + away, now)
        return
    with pytest.raises(Refused, match=f"Invalid nonce: {said} {now + away}"):
        NonceSet().take(now + away, now)


@staged
async def test_a_nonce_serves_once_a_signer(stage: Stage) -> None:
    now = stage.clock.now_ms()
    stage.place(nonce=now)
    assert stage.refused(placing(order()), nonce=now) == f"Invalid nonce: duplicate nonce {now}"
    assert "resting" in stage.place(nonce=now, by=stage.master)
    assert "error" in stage.place(size="0.001", nonce=now + 1)
    assert "duplicate" in stage.refused(placing(order()), nonce=now + 1)


@staged
async def test_a_fence_beats_the_order_that_comes_later(stage: Stage) -> None:
    now = stage.clock.now_ms()
    assert stage.done({"type": "noop"}, nonce=now) == {"type": "default"}
    assert "duplicate nonce" in stage.refused(placing(order()), nonce=now)
    assert stage.exchange.orders == {}


@staged
async def test_an_action_that_comes_too_late(stage: Stage) -> None:
    now = stage.clock.now_ms()
    used = stage.mine("userRateLimit")["nRequestsUsed"]
    late = stage.body(placing(order()), nonce=now, expires=now - 1)
    assert stage.call("/exchange", late).body["response"] == "Action already expired"
    assert "duplicate" in stage.refused(placing(order()), nonce=now)
    assert stage.mine("userRateLimit")["nRequestsUsed"] == used + 5
    assert "resting" in stage.place(expires=now + 5)


@staged
async def test_the_inner_nonce_is_the_outer_one(stage: Stage) -> None:
    body = stage.body({"type": "usdSend", "destination": STRANGER, "amount": "1"})
    reply = stage.call("/exchange", {**body, "nonce": body["nonce"] + 1})
    assert reply.body["response"] == "Nonce mismatch."


# --------------------------------------------------------------------------- agents and vaults


@staged
async def test_agents_come_and_go(stage: Stage) -> None:
    agent = Signer(NEW_KEY)
    until = stage.clock.now_ms() + 10_000
    stage.done(
        {
            "type": "approveAgent",
            "agentAddress": agent.address,
            "agentName": f"bot valid_until {until}",
        }
    )
    assert stage.mine("extraAgents") == [
        {"name": "bot", "address": agent.address, "validUntil": until}
    ]
    role = stage.info("userRole", user=agent.address)
    assert role == {"role": "agent", "data": {"user": stage.me}}
    assert "resting" in stage.place(by=agent)
    await asyncio.sleep(11)
    assert "does not exist" in stage.refused(placing(order()), by=agent)
    assert stage.info("userRole", user=agent.address) == {"role": "missing"}


@staged
async def test_a_new_agent_of_a_name_replaces_the_old_one(stage: Stage) -> None:
    agent = Signer(NEW_KEY)
    unnamed = {"type": "approveAgent", "agentAddress": agent.address}
    assert "resting" in stage.place(by=stage.agent)
    stage.done(unnamed)
    assert "resting" in stage.place(by=agent)
    assert stage.mine("extraAgents") == []
    assert "does not exist" in stage.refused(placing(order()), by=stage.agent)
    again = {**unnamed, "agentAddress": stage.agent.address}
    assert stage.done(again) == {"type": "default"}
    assert "already used" in stage.refused(again)


@staged
async def test_three_agents_have_names(stage: Stage) -> None:
    approve = {"type": "approveAgent"}
    for number in range(3):
        stage.done({**approve, "agentAddress": f"0x{number:040x}", "agentName": f"n{number}"})
    fourth = {**approve, "agentAddress": STRANGER, "agentName": "n3"}
    assert stage.refused(fourth) == "Too many extra agents."
    for name in ("a" * 17, f"x valid_until {stage.clock.now_ms() + 181 * DAY_MS}"):
        assert stage.refused({**fourth, "agentName": name}) == "Invalid agent name"


@staged
async def test_vaults_and_sub_accounts_trade_through_their_leader(stage: Stage) -> None:
    for address in (
        stage.venue.open_sub_account("s", D(1000)),
        stage.venue.open_vault(balance=D(1000)),
    ):
        assert "resting" in stage.place(vault=address)
        assert [o["coin"] for o in stage.info("openOrders", user=address)] == [ETH]
    assert stage.mine("openOrders") == []
    assert stage.refused(placing(order()), vault=STRANGER) == f"Vault not registered: {STRANGER}"
    forgotten = stage.body(placing(order()), vault=STRANGER)
    text = stage.call("/exchange", {**forgotten, "vaultAddress": None}).body["response"]
    assert text.endswith("does not exist.")
    assert stage.agent.address not in text


@staged
async def test_roles(stage: Stage) -> None:
    sub, vault = stage.venue.open_sub_account(), stage.venue.open_vault()
    roles = [
        (stage.me, {"role": "user"}),
        (stage.agent.address, {"role": "agent", "data": {"user": stage.me}}),
        (sub, {"role": "subAccount", "data": {"master": stage.me}}),
        (vault, {"role": "vault"}),
        (STRANGER, {"role": "missing"}),
    ]
    for address, role in roles:
        assert stage.info("userRole", user=address) == role
    [told] = stage.mine("subAccounts")
    assert (told["subAccountUser"], told["master"], told["name"]) == (sub, stage.me, "sub")
    assert stage.info("subAccounts", user=STRANGER) is None


@staged
async def test_reading_with_the_agents_address_shows_an_empty_account(stage: Stage) -> None:
    stage.rest()
    agent = stage.agent.address
    state = stage.info("clearinghouseState", user=agent)
    assert state["marginSummary"]["accountValue"] == "0.0"
    for kind in ("openOrders", "userFills", "historicalOrders", "frontendOpenOrders"):
        assert stage.info(kind, user=agent) == []
    assert stage.info("spotClearinghouseState", user=agent) == {"balances": []}


# --------------------------------------------------------------------------- markets


@staged
async def test_asset_ids_are_positions_delisted_ones_included(stage: Stage) -> None:
    universe = stage.info("meta")["universe"]
    assert [asset["name"] for asset in universe] == ["BTC", "ETH", "ATOM", "MATIC", "DYDX", "SOL"]
    assert [a["name"] for a in universe if a.get("isDelisted")] == ["ATOM", "MATIC", "DYDX"]
    assert stage.info("perpDexs")[0] is None
    assert [dex["name"] for dex in stage.info("perpDexs")[1:]] == ["xyz"]
    [asset] = stage.info("meta", dex="xyz")["universe"]
    assert (asset["name"], asset["onlyIsolated"]) == (XYZ, True)
    spot = stage.info("spotMeta")
    tokens = {token["index"]: token["name"] for token in spot["tokens"]}
    pairs = {m["name"]: (m["index"], [tokens[t] for t in m["tokens"]]) for m in spot["universe"]}
    assert pairs == {"PURR/USDC": (0, ["PURR", "USDC"]), SPOT: (151, ["UETH", "USDC"])}
    assert [meta["universe"][0]["name"] for meta in stage.info("allPerpMetas")] == ["BTC", XYZ]
    metas, contexts = stage.info("metaAndAssetCtxs")
    assert len(contexts) == len(metas["universe"])
    for coin in (ETH, XYZ, SPOT):
        assert "resting" in stage.place(coin=coin)
        assert stage.mine("historicalOrders")[0]["order"]["coin"] == coin


@staged
async def test_contexts_without_a_book_are_null(stage: Stage) -> None:
    metas, contexts = stage.info("metaAndAssetCtxs")
    found = dict(zip([asset["name"] for asset in metas["universe"]], contexts, strict=True))
    assert found[ETH]["midPx"] == "3000.0"
    assert found[ETH]["impactPxs"] == ["2999.9", "3000.1"]
    assert [found["SOL"][name] for name in ("midPx", "premium", "impactPxs")] == [None] * 3
    assert stage.info("allMids") == {ETH: "3000.0", SPOT: "3000.0"}
    assert stage.info("allMids", dex="xyz") == {XYZ: "3000.0"}
    assert stage.call("/info", {"type": "allMids", "dex": "abc"}).status == 422


@staged
async def test_the_book_by_query(stage: Stage) -> None:
    book = stage.info("l2Book", coin=ETH)
    bids, asks = book["levels"]
    assert bids[0] == {"px": "2999.9", "sz": "5.0", "n": 1}
    assert (len(bids), len(asks), asks[0]["px"]) == (10, 10, "3000.1")
    assert stage.call("/info", {"type": "l2Book", "coin": "eth"}).status == 422
    coarse = stage.info("l2Book", coin=ETH, nSigFigs=4)
    assert [level["px"] for level in coarse["levels"][0]] == ["2999.0"]
    assert coarse["levels"][0][0]["sz"] == "50.0"
    assert [level["px"] for level in coarse["levels"][1]] == ["3001.0"]
    assert coarse["spread"] == "0.2"


@staged
async def test_trades_and_candles(stage: Stage) -> None:
    stage.trade("3000.1", "0.5", "buy")
    await asyncio.sleep(61)
    stage.trade("2999.9", "0.25", "sell")
    newest, oldest = stage.info("recentTrades", coin=ETH)
    assert (newest["side"], newest["px"], oldest["side"]) == ("A", "2999.9", "B")
    assert newest["tid"] < 2**50
    asked = {"coin": ETH, "interval": "1m", "startTime": 0, "endTime": stage.clock.now_ms()}
    first, second = stage.info("candleSnapshot", req=asked)
    assert (first["o"], first["v"], first["n"], second["c"]) == ("3000.1", "0.5", 1, "2999.9")
    assert first["T"] == first["t"] + 59_999


@staged
async def test_funding_rates_and_times(stage: Stage) -> None:
    now = stage.clock.now_ms()
    [row] = stage.info("fundingHistory", coin=ETH, startTime=now - DAY_MS)
    assert (row["coin"], row["fundingRate"]) == (ETH, "0.0000125")
    [[_, venues]] = [r for r in stage.info("predictedFundings") if r[0] == ETH]
    assert venues[0][1]["nextFundingTime"] == row["time"] + 3_600_000 > now
    assert stage.info("exchangeStatus")["time"] == now
    assert stage.call("/info", {"type": "fundingHistory", "coin": ETH}).status == 422


# --------------------------------------------------------------------------- orders


@staged
async def test_the_happy_path(stage: Stage) -> None:
    heard = stage.follow("orderUpdates", "userFills", "userEvents")
    status = stage.place("buy", "0.1", "2999.9", cloid=CLOID)
    oid = status["resting"]["oid"]
    assert status == {"resting": {"oid": oid, "cloid": CLOID}}
    await asyncio.sleep(0.1)
    [[told]] = heard.take("orderUpdates")
    assert (told["status"], told["order"]["oid"], told["order"]["cloid"]) == ("open", oid, CLOID)
    stage.exchange.fill(stage.exchange.orders[str(oid)], D("0.05"))
    await asyncio.sleep(0.1)
    half = heard.take()
    assert [frame["channel"] for frame in half] == ["userFills", "user"]
    [fill] = half[0]["data"]["fills"]
    assert (fill["crossed"], fill["sz"], fill["dir"]) == (False, "0.05", "Open Long")
    assert half[1]["data"] == {"fills": [fill]}
    assert "isSnapshot" not in half[0]["data"]
    assert stage.mine("openOrders")[0]["sz"] == "0.05"
    stage.exchange.fill(stage.exchange.orders[str(oid)], D("0.05"))
    await asyncio.sleep(0.1)
    updates, fills, _ = heard.take()
    assert updates["data"][0]["status"] == "filled"
    assert updates["data"][0]["order"]["sz"] == "0.0"
    assert fills["data"]["fills"][0]["startPosition"] == "0.05"
    assert stage.cancel(oid)["error"].startswith("Order was never placed")
    found = stage.mine("orderStatus", oid=CLOID)
    assert found["order"]["status"] == "filled"
    assert found["order"]["order"]["origSz"] == "0.1"


@staged
async def test_an_immediate_order(stage: Stage) -> None:
    [status] = stage.statuses(placing(taker("buy", "0.1", cloid=CLOID)))
    assert status["filled"] == {
        "totalSz": "0.1",
        "avgPx": "3000.1",
        "oid": status["filled"]["oid"],
        "cloid": CLOID,
    }
    [partly] = stage.statuses(placing(taker("buy", "9", price="3000.1")))
    assert partly["filled"]["totalSz"] == "4.9"
    oid = partly["filled"]["oid"]
    found = stage.mine("orderStatus", oid=oid)["order"]
    assert (found["status"], found["order"]["sz"], found["order"]["tif"]) == (
        "filled",
        "4.1",
        "Ioc",
    )


@staged
async def test_a_market_order_of_the_web_app(stage: Stage) -> None:
    [status] = stage.statuses(placing(taker(tif="FrontendMarket")))
    found = stage.mine("orderStatus", oid=status["filled"]["oid"])["order"]["order"]
    assert (found["orderType"], found["tif"]) == ("Market", "FrontendMarket")


REFUSED = [
    (
        order(price="3000.1"),
        "Post only order would have immediately matched, bbo was 2999.9@3000.1. asset=1",
        "badAloPxRejected",
    ),
    (order(size="0.0033"), "Order must have minimum value of $10. asset=1", "minTradeNtlRejected"),
    (
        order(price="2990.12"),
        "Price must be divisible by tick size. asset=1",
        "tickRejected",
    ),
    (
        order(size="900", price="2900"),
        "Insufficient margin to place order. asset=1",
        "perpMarginRejected",
    ),
    (
        order(reduce_only=True),
        "Reduce only order would increase position. asset=1",
        "reduceOnlyRejected",
    ),
    (
        taker(price="2990"),
        "Order could not immediately match against any resting orders. asset=1",
        "iocCancelRejected",
    ),
    (
        order(coin=SPOT, size="0.003"),
        "Order must have minimum value of 10 USDC. asset=10151",
        "minTradeSpotNtlRejected",
    ),
    (
        order("sell", coin=SPOT, price="3010"),
        "Insufficient spot balance asset=10151",
        "insufficientSpotBalanceRejected",
    ),
    (
        order(size="7", coin=SPOT),
        "Insufficient spot balance asset=10151",
        "insufficientSpotBalanceRejected",
    ),
]


@pytest.mark.parametrize(("sent", "text", "word"), REFUSED, ids=lambda v: v if v else "")
def test_what_the_engine_refuses_has_a_record_and_an_update(
    sent: dict[str, Any], text: str, word: str
) -> None:
    @staged
    async def check(stage: Stage) -> None:
        heard = stage.follow("orderUpdates")
        assert stage.statuses(placing({**sent, "c": CLOID})) == [{"error": text}]
        await asyncio.sleep(0.1)
        [[told]] = heard.take("orderUpdates")
        assert (told["status"], told["order"]["cloid"]) == (word, CLOID)
        assert stage.mine("orderStatus", oid=CLOID)["order"]["status"] == word
        assert [row["status"] for row in stage.mine("historicalOrders")] == [word]

    check()


BAD = [
    (order(size="0"), "Order has zero size."),
    (order(size="0.00001"), "Order has invalid size."),
    (order(size="0.10001"), "Order has invalid size."),
    (order(price="0"), "Order has invalid price."),
    (order(price="5860"), "Order price cannot be more than 95% away from the reference price"),
    (order(price="100"), "Order price cannot be more than 95% away from the reference price"),
    (taker(size="11000"), "Order value too large. Max is $30000000."),
    (order(size="110000"), "Order value too large. Max is $300000000."),
    ({**order(), "a": 77}, "Invalid asset 77"),
    ({**order(), "a": 3}, "Invalid asset 3"),
]


@pytest.mark.parametrize(("sent", "text"), BAD, ids=lambda v: v if isinstance(v, str) else "")
def test_what_is_no_order_never_existed_and_takes_its_batch_with_it(
    sent: dict[str, Any], text: str
) -> None:
    @staged
    async def check(stage: Stage) -> None:
        heard = stage.follow("orderUpdates")
        asked = placing(order(), {**sent, "c": CLOID})
        assert stage.statuses(asked) == [{"error": text}]
        assert stage.mine("orderStatus", oid=CLOID) == {"status": "unknownOid"}
        await asyncio.sleep(0.1)
        assert heard.take() == []
        assert stage.mine("openOrders") == []

    if sent["s"] == "110000":
        sent["p"] = "2999"
    check()


@staged
async def test_an_empty_batch(stage: Stage) -> None:
    assert stage.refused(placing()) == "Orders are empty."


@staged
async def test_prices_of_five_figures_or_whole(stage: Stage) -> None:
    stage.quote("123456", "123457", symbols=["BTC"])
    for price, fine in (("120000", True), ("123455", True), ("120000.5", False)):
        status = stage.place("buy", "0.001", price, coin="BTC")
        assert ("resting" in status) is fine, price
    stage.quote("1.2345", "1.2346", size="100", symbols=["SOL"])
    for price, fine in (("1.2344", True), ("1.23441", False), ("0.9123", True)):
        status = stage.place("buy", "20", price, coin="SOL")
        assert ("resting" in status) is fine, price


@staged
async def test_a_batch_has_a_status_each(stage: Stage) -> None:
    statuses = stage.statuses(placing(order(), order(price="3000.1"), taker()))
    assert [next(iter(status)) for status in statuses] == ["resting", "error", "filled"]
    assert stage.mine("userRateLimit")["nRequestsUsed"] == 2503


@staged
async def test_cancels_by_number_and_by_client_id(stage: Stage) -> None:
    first, second = stage.rest(), stage.rest(cloid=CLOID)
    statuses = stage.statuses(
        {"type": "cancel", "cancels": [{"a": 1, "o": first}, {"a": 0, "o": second}], "f": True}
    )
    assert statuses[0] == "success"
    assert statuses[1]["error"].endswith("asset=0")
    by_cloid = {"type": "cancelByCloid", "cancels": [{"asset": 1, "cloid": CLOID}]}
    assert stage.statuses(by_cloid) == ["success"]
    [status] = stage.statuses(by_cloid)
    gone = "Order was never placed, already canceled, or filled. asset=1"
    assert status == {"error": gone}
    assert stage.mine("openOrders") == []
    assert stage.mine("orderStatus", oid=first)["order"]["status"] == "canceled"


@staged
async def test_nobody_cancels_what_is_anothers(stage: Stage) -> None:
    sub = stage.venue.open_sub_account(balance=D(1000))
    oid = stage.rest()
    asked = {"type": "cancel", "cancels": [{"a": 1, "o": oid}]}
    assert "error" in stage.statuses(asked, vault=sub)[0]
    assert stage.info("orderStatus", user=sub, oid=oid) == {"status": "unknownOid"}
    assert stage.cancel(oid) == "success"


@staged
async def test_a_client_id_may_be_used_again(stage: Stage) -> None:
    first = stage.rest(cloid=CLOID)
    stage.cancel(first)
    second = stage.rest(cloid=CLOID)
    assert stage.mine("orderStatus", oid=CLOID)["order"]["order"]["oid"] == second > first


@staged
async def test_reduce_only_is_capped_and_ends_with_the_position(stage: Stage) -> None:
    stage.statuses(placing(taker("buy", "0.1")))
    oid = stage.rest("sell", "0.5", "3010", reduce_only=True)
    assert stage.mine("openOrders")[0]["origSz"] == "0.1"
    assert stage.mine("openOrders")[0]["reduceOnly"] is True
    await asyncio.sleep(0.1)
    heard = stage.follow("orderUpdates", "userEvents")
    [status] = stage.statuses(placing(taker("sell", "7", reduce_only=True)))
    assert status["filled"]["totalSz"] == "0.1"
    await asyncio.sleep(0.1)
    frames = heard.take()
    words = [one["status"] for f in frames if f["channel"] == "orderUpdates" for one in f["data"]]
    assert words == ["open", "filled", "reduceOnlyCanceled"]
    assert {"nonUserCancel": [{"coin": ETH, "oid": oid}]} in [f["data"] for f in frames]


@staged
async def test_closing_a_small_position_needs_no_ten_dollars(stage: Stage) -> None:
    stage.statuses(placing(taker("buy", "0.0034")))
    stage.quote("2800", "2800.1")
    closing = taker("sell", "0.0034", price="2790", reduce_only=True)
    [status] = stage.statuses(placing({**closing, "s": "0.0033"}))
    assert "minimum value" in status["error"]
    assert stage.statuses(placing(closing))[0]["filled"]["totalSz"] == "0.0034"


@staged
async def test_a_taker_ends_its_own_resting_order_and_goes_on(stage: Stage) -> None:
    own = stage.rest("sell", "0.1", "3000")
    await asyncio.sleep(0.1)
    heard = stage.follow("orderUpdates")
    [status] = stage.statuses(placing(taker("buy", "0.2")))
    assert status["filled"]["avgPx"] == "3000.1"
    await asyncio.sleep(0.1)
    [told] = heard.take("orderUpdates")
    words = {one["order"]["oid"]: one["status"] for one in told}
    assert words[own] == "selfTradeCanceled"
    assert words[status["filled"]["oid"]] == "filled"


@staged
async def test_trigger_orders_are_refused_as_not_simulated(stage: Stage) -> None:
    stop = {"trigger": {"isMarket": True, "triggerPx": "2900", "tpsl": "sl"}}
    [status] = stage.statuses(placing({**order("sell"), "t": stop}))
    assert "not simulated" in status["error"]


# --------------------------------------------------------------------------- modifications


@staged
async def test_a_modified_order_is_a_new_one(stage: Stage) -> None:
    old = stage.rest(cloid=CLOID)
    await asyncio.sleep(0.1)
    heard = stage.follow("orderUpdates")
    change = {"oid": CLOID, "order": order(price="2991", cloid=CLOID)}
    [status] = stage.statuses({"type": "batchModify", "modifies": [change]})
    new = status["resting"]["oid"]
    assert new != old
    await asyncio.sleep(0.1)
    [told] = heard.take("orderUpdates")
    assert [(one["order"]["oid"], one["status"]) for one in told] == [
        (old, "canceled"),
        (new, "open"),
    ]
    single = {"type": "modify", "oid": new, "order": order(price="2992")}
    assert stage.done(single) == {"type": "default"}
    assert [row["limitPx"] for row in stage.mine("openOrders")] == ["2992.0"]
    assert stage.refused(single) == "Cannot modify canceled or filled order"


@staged
async def test_a_replacement_that_is_refused_leaves_nothing(stage: Stage) -> None:
    oid = stage.rest()
    bad = {"oid": oid, "order": taker()}
    modify = {"type": "batchModify", "modifies": [bad]}
    assert stage.statuses(modify) == [{"error": "Attempted to modify to invalid new order"}]
    assert len(stage.mine("openOrders")) == 1
    crossing = {"oid": oid, "order": order(price="3005", tif="Gtc")}
    [status] = stage.statuses({"type": "batchModify", "modifies": [crossing]})
    assert status["error"].startswith("Error placing new order during modify: Post only")
    assert stage.mine("openOrders") == []
    oid = stage.rest()
    always = {"type": "batchModify", "modifies": [{**crossing, "oid": oid}], "a": True}
    assert "filled" in stage.statuses(always)[0]


# --------------------------------------------------------------------------- scheduled cancel


@staged
async def test_the_dead_mans_switch(stage: Stage) -> None:
    now = stage.clock.now_ms()
    assert "too early" in stage.refused({"type": "scheduleCancel", "time": now + 4000})
    stage.done({"type": "scheduleCancel", "time": now + 6000})
    stage.done({"type": "scheduleCancel", "time": now + 8000})
    oid = stage.rest()
    await asyncio.sleep(7)
    assert stage.mine("orderStatus", oid=oid)["order"]["status"] == "open"
    await asyncio.sleep(2)
    assert stage.mine("orderStatus", oid=oid)["order"]["status"] == "scheduledCancel"
    stage.done({"type": "scheduleCancel", "time": stage.clock.now_ms() + 6000})
    stage.done({"type": "scheduleCancel"})
    oid = stage.rest()
    await asyncio.sleep(10)
    assert stage.cancel(oid) == "success"


@staged
async def test_the_switch_works_ten_times_a_day_and_wants_volume(stage: Stage) -> None:
    for _ in range(10):
        stage.done({"type": "scheduleCancel", "time": stage.clock.now_ms() + 6000})
        await asyncio.sleep(7)
    oid = stage.rest()
    stage.done({"type": "scheduleCancel", "time": stage.clock.now_ms() + 6000})
    await asyncio.sleep(7)
    assert stage.cancel(oid) == "success"
    stage.venue.gate.allowances[stage.me].volume = D(1000)
    later = {"type": "scheduleCancel", "time": stage.clock.now_ms() + 6000}
    assert "Required: $1000000. Traded: $1000.00" in stage.refused(later)


# --------------------------------------------------------------------------- leverage


@staged
async def test_leverage_and_margin_mode(stage: Stage) -> None:
    update = {"type": "updateLeverage", "asset": 1, "isCross": True, "leverage": 7}
    stage.done(update)
    asked = stage.mine("activeAssetData", coin=ETH)
    assert asked["leverage"] == {"type": "cross", "value": 7}
    assert asked["maxTradeSzs"] == ["233.3333", "233.3333"]
    assert "Invalid leverage" in stage.refused({**update, "leverage": 26})
    stage.statuses(placing(taker()))
    switch = {**update, "isCross": False}
    assert stage.refused(switch) == "Cannot switch leverage type with open position."
    margin = {"type": "updateIsolatedMargin", "asset": 1, "isBuy": True, "ntli": 12_500_000}
    assert stage.refused(margin) == "Position does not use isolated margin."
    stage.statuses(placing(taker("sell")))
    stage.done(switch)
    stage.statuses(placing(taker()))
    stage.done(margin)
    [held] = stage.mine("clearinghouseState")["assetPositions"]
    assert held["position"]["leverage"]["type"] == "isolated"
    raw = D(held["position"]["leverage"]["rawUsd"])
    assert raw == (D("300.01") / 7 + D("12.5") - D("300.01")).quantize(D("0.000001"))


@staged
async def test_a_builder_dex_is_isolated_and_has_its_own_money(stage: Stage) -> None:
    cross = {"type": "updateLeverage", "asset": ASSETS[XYZ], "isCross": True, "leverage": 5}
    assert "Cross margin is not allowed" in stage.refused(cross)
    stage.done({**cross, "isCross": False})
    stage.statuses(placing(taker(coin=XYZ)))
    [held] = stage.mine("clearinghouseState", dex="xyz")["assetPositions"]
    assert (held["position"]["coin"], held["position"]["leverage"]["value"]) == (XYZ, 5)
    main = stage.mine("clearinghouseState")
    assert (main["assetPositions"], main["withdrawable"]) == ([], "100000.0")
    [fill] = stage.mine("userFills")
    assert (fill["coin"], fill["fee"]) == (XYZ, "0.027001")  # twice the fee, growth mode a tenth
    assert stage.mine("openOrders", dex="xyz") == []


# --------------------------------------------------------------------------- fees and builders


@staged
async def test_fees_of_perps_and_spot(stage: Stage) -> None:
    stage.statuses(placing(taker("buy", "0.1")), by=stage.agent)
    oid = stage.rest("sell", "0.1", "3000.1")
    stage.exchange.fill(stage.exchange.orders[str(oid)], D("0.1"))
    stage.statuses(placing(taker("buy", "0.1", coin=SPOT)))
    stage.statuses(placing(taker("sell", "0.05", coin=SPOT)))
    sold, bought, made, took = stage.mine("userFills")
    assert (took["fee"], made["fee"], took["crossed"], made["crossed"]) == (
        "0.135005",
        "0.045002",
        True,
        False,
    )
    assert (bought["feeToken"], bought["fee"], bought["dir"]) == ("UETH", "0.00007", "Buy")
    assert (sold["feeToken"], sold["dir"]) == ("USDC", "Sell")
    assert D(sold["startPosition"]) == D("0.1") - D(bought["fee"])
    balances = {row["coin"]: row for row in stage.mine("spotClearinghouseState")["balances"]}
    assert D(balances["UETH"]["total"]) == D("0.04993")
    assert D(balances["USDC"]["total"]) == 20_000 - D("300.01") + D("149.995") - D("0.104997")
    fees = stage.mine("userFees")
    assert (fees["userCrossRate"], fees["userAddRate"]) == ("0.00045", "0.00015")


@staged
async def test_spot_orders_hold_what_they_need(stage: Stage) -> None:
    stage.rest("buy", "0.1", "2900", coin=SPOT)
    [usdc] = stage.mine("spotClearinghouseState")["balances"]
    assert (usdc["coin"], usdc["hold"], usdc["total"]) == ("USDC", "290.0", "20000.0")
    assert stage.mine("clearinghouseState")["withdrawable"] == "100000.0"
    [row] = stage.mine("openOrders")
    assert row["coin"] == SPOT


@staged
async def test_a_builder_is_paid_once_the_user_has_approved(stage: Stage) -> None:
    builder = {"b": BUILDER, "f": 10}
    assert stage.refused(placing(taker(), builder=builder)) == "Builder fee has not been approved."
    stage.done({"type": "approveBuilderFee", "maxFeeRate": "0.01%", "builder": BUILDER})
    assert stage.mine("maxBuilderFee", builder=BUILDER) == 10
    assert stage.mine("approvedBuilders") == [BUILDER]
    stage.statuses(placing(taker(), builder=builder))
    [fill] = stage.mine("userFills")
    assert (fill["builderFee"], fill["fee"]) == ("0.030001", "0.165006")
    assert "has not been approved" in stage.refused(placing(taker(), builder={**builder, "f": 11}))
    assert "too high" in stage.refused(placing(taker(), builder={**builder, "f": 101}))
    loud = placing(taker(), builder={**builder, "b": BUILDER.upper().replace("X", "x")})
    assert "does not exist" in stage.refused(loud)


# --------------------------------------------------------------------------- money


def usdc(stage: Stage, address: str = "") -> tuple[str, str, str]:
    """Main dex, spot and builder dex."""
    user = address or stage.me
    spot = stage.info("spotClearinghouseState", user=user)["balances"]
    perps = [stage.info("clearinghouseState", user=user, dex=dex) for dex in ("", "xyz")]
    main, xyz = (state["marginSummary"]["accountValue"] for state in perps)
    return main, spot[0]["total"], xyz


@staged
async def test_money_moves(stage: Stage) -> None:
    heard = stage.follow("userNonFundingLedgerUpdates")
    stage.done({"type": "usdClassTransfer", "amount": "1000.5", "toPerp": False})
    assert usdc(stage) == ("98999.5", "21000.5", "20000.0")
    send = {"destination": stage.me, "token": "USDC", "fromSubAccount": "", "type": "sendAsset"}
    stage.done({**send, "sourceDex": "", "destinationDex": "xyz", "amount": "999.5"})
    assert usdc(stage) == ("98000.0", "21000.5", "20999.5")
    stage.done({**send, "sourceDex": "xyz", "destinationDex": "spot", "amount": "999.5"})
    stage.done({"type": "usdSend", "destination": STRANGER, "amount": "500"})
    stage.done({"type": "spotSend", "destination": STRANGER, "token": "USDC", "amount": "7"})
    stage.done({"type": "withdraw3", "destination": STRANGER, "amount": "100"})
    assert usdc(stage) == ("97400.0", "21993.0", "20000.0")
    assert usdc(stage, STRANGER) == ("500.0", "7.0", "0.0")
    rows = stage.mine("userNonFundingLedgerUpdates", startTime=0)
    kinds = [row["delta"]["type"] for row in rows]
    assert kinds == [
        "accountClassTransfer",
        "send",
        "send",
        "internalTransfer",
        "spotTransfer",
        "withdraw",
    ]
    await asyncio.sleep(0.1)
    [told] = heard.take("userNonFundingLedgerUpdates")
    assert told["nonFundingLedgerUpdates"] == rows


@pytest.mark.parametrize(
    "action",
    [
        {"type": "usdSend", "destination": STRANGER, "amount": "100001"},
        {"type": "usdClassTransfer", "amount": "20001", "toPerp": True},
        {"type": "withdraw3", "destination": STRANGER, "amount": "1"},
        {"type": "spotSend", "destination": STRANGER, "token": "UETH:0x1", "amount": "1"},
        {"type": "usdSend", "destination": STRANGER, "amount": "1.0000001"},
        {"type": "usdSend", "destination": STRANGER, "amount": "-1"},
        {"type": "usdSend", "destination": "nowhere", "amount": "1"},
        {"type": "spotSend", "destination": STRANGER, "token": "GOLD", "amount": "1"},
        {
            "type": "sendAsset",
            "destination": STRANGER,
            "sourceDex": "",
            "amount": "1",
            "destinationDex": "abc",
            "token": "USDC",
            "fromSubAccount": "",
        },
        {"type": "tokenDelegate", "validator": STRANGER, "wei": 1, "isUndelegate": False},
    ],
    ids=lambda action: f"{action['type']} {action.get('amount')}",
)
def test_money_that_cannot_move(action: dict[str, Any]) -> None:
    @staged
    async def check(stage: Stage) -> None:
        text = stage.refused(action)
        assert text.startswith(("Insufficient", "Invalid send")), text
        assert usdc(stage) == ("100000.0", "20000.0", "20000.0")

    check()


@staged
async def test_sub_accounts_and_vaults_get_money(stage: Stage) -> None:
    made = stage.done({"type": "createSubAccount", "name": "second"})
    sub, vault = made["data"], stage.venue.open_vault()
    stage.done(
        {"type": "subAccountTransfer", "subAccountUser": sub, "isDeposit": True, "usd": 25_000_000}
    )
    stage.done(
        {
            "type": "subAccountSpotTransfer",
            "subAccountUser": sub,
            "isDeposit": True,
            "token": "USDC",
            "amount": "5",
        }
    )
    stage.done(
        {"type": "vaultTransfer", "vaultAddress": vault, "isDeposit": True, "usd": 3_000_000}
    )
    assert usdc(stage, sub) == ("25.0", "5.0", "0.0")
    assert usdc(stage, vault)[0] == "3.0"
    stage.done({"type": "usdClassTransfer", "amount": f"5 subaccount:{sub}", "toPerp": True})
    assert usdc(stage, sub) == ("30.0", "0.0", "0.0")
    stage.venue.gate.allowances[stage.me].volume = D(0)
    assert "volume" in stage.refused({"type": "createSubAccount", "name": "third"})


@staged
async def test_a_unified_account_is_one_pool(stage: Stage) -> None:
    assert stage.mine("userAbstraction") == "default"
    mode = {"type": "userSetAbstraction", "user": stage.me, "abstraction": "unifiedAccount"}
    oid = stage.rest()
    assert "open orders" in stage.refused(mode)
    stage.cancel(oid)
    stage.done(mode)
    assert stage.mine("userAbstraction") == "unifiedAccount"
    state = stage.mine("clearinghouseState")
    assert (state["withdrawable"], state["marginSummary"]["accountValue"]) == ("0.0", "0.0")
    [pool] = stage.mine("spotClearinghouseState")["balances"]
    assert (pool["total"], pool["hold"]) == ("140000.0", "0.0")
    text = stage.refused({"type": "usdClassTransfer", "amount": "1", "toPerp": True})
    assert text == "Action disabled when unified account is active"
    stage.statuses(placing(taker(), taker(coin=XYZ), taker(coin=SPOT)))
    assert len(stage.mine("clearinghouseState", dex="xyz")["assetPositions"]) == 1
    assert len(stage.mine("clearinghouseState")["assetPositions"]) == 1
    pool, coins = stage.mine("spotClearinghouseState")["balances"]
    assert D(pool["hold"]) == D("600") / 20  # margin of two positions
    assert D(pool["total"]) < 140_000 - D("300.01")  # the coins are paid
    assert coins["coin"] == "UETH"
    assert len(stage.mine("userFills")) == 3


@staged
async def test_an_agent_sets_the_mode_too(stage: Stage) -> None:
    for letter, word in (("u", "unifiedAccount"), ("i", "disabled"), ("p", "portfolioMargin")):
        stage.done({"type": "agentSetAbstraction", "abstraction": letter})
        assert stage.mine("userAbstraction") == word
    dex = {"type": "userDexAbstraction", "user": stage.me, "enabled": True}
    stage.done(dex)
    assert stage.mine("userDexAbstraction") is True


# --------------------------------------------------------------------------- positions and funding


@staged
async def test_a_position_in_full(stage: Stage) -> None:
    stage.statuses(placing(taker("sell", "2")))
    stage.quote("3009.9", "3010.1")
    state = stage.mine("clearinghouseState")
    [held] = state["assetPositions"]
    position = held["position"]
    assert (held["type"], position["szi"], position["entryPx"]) == ("oneWay", "-2.0", "2999.9")
    assert D(position["positionValue"]) in (D(6000), D(6020))
    assert position["maxLeverage"] == 25
    assert D(state["marginSummary"]["totalNtlPos"]) == D(position["positionValue"])
    value, raw = (D(state["marginSummary"][n]) for n in ("accountValue", "totalRawUsd"))
    assert raw == value + D(position["positionValue"])
    assert D(state["withdrawable"]) == value - D(position["marginUsed"])


@staged
async def test_funding_is_told_and_summed_up(stage: Stage) -> None:
    stage.statuses(placing(taker("buy", "1")))
    await asyncio.sleep(0.1)
    heard = stage.follow("userEvents", "userFundings")
    stage.exchange.fund(D("0.0001"), ETH)
    await asyncio.sleep(0.1)
    event, row = heard.take()
    assert event["data"]["funding"]["usdc"] == "-0.3"
    assert row["data"]["fundings"] == [event["data"]["funding"]]
    [paid] = stage.mine("userFunding", startTime=0)
    assert (paid["delta"]["type"], paid["delta"]["coin"]) == ("funding", ETH)
    [held] = stage.mine("clearinghouseState")["assetPositions"]
    assert held["position"]["cumFunding"] == {
        "allTime": "0.3",
        "sinceOpen": "0.3",
        "sinceChange": "0.3",
    }
    stage.statuses(placing(taker("buy", "1")))
    [held] = stage.mine("clearinghouseState")["assetPositions"]
    assert held["position"]["cumFunding"]["sinceChange"] == "0.0"


@staged
async def test_directions_and_closed_profit(stage: Stage) -> None:
    for side, size in (("buy", "0.1"), ("sell", "0.3"), ("buy", "0.1"), ("buy", "0.2")):
        stage.statuses(placing(taker(side, size)))
    fills = stage.mine("userFills")[::-1]
    assert [fill["dir"] for fill in fills] == [
        "Open Long",
        "Long > Short",
        "Close Short",
        "Short > Long",
    ]
    assert [fill["startPosition"] for fill in fills] == ["0.0", "0.1", "-0.2", "-0.1"]
    assert fills[1]["closedPnl"] == "-0.02"
    by_time = stage.mine("userFillsByTime", startTime=0)
    assert [row["tid"] for row in by_time] == [row["tid"] for row in fills]
    assert len({row["tid"] for row in fills}) == 4


@staged
async def test_a_liquidation_is_told(stage: Stage) -> None:
    stage.statuses(placing(taker("buy", "1")))
    await asyncio.sleep(0.1)
    heard = stage.follow("userEvents")
    stage.exchange.liquidate(stage.me, ETH)
    await asyncio.sleep(0.1)
    fills, event = (frame["data"] for frame in heard.take())
    [fill] = fills["fills"]
    assert fill["dir"] == "Liquidated Cross Long"
    assert fill["liquidation"]["liquidatedUser"] == stage.me
    assert event["liquidation"]["liquidated_user"] == stage.me


# --------------------------------------------------------------------------- allowances and limits


@staged
async def test_the_allowance_of_an_address(stage: Stage) -> None:
    assert stage.mine("userRateLimit") == {
        "cumVlm": "2854574.593578",
        "nRequestsUsed": 2500,
        "nRequestsCap": 2_864_574,
        "nRequestsSurplus": 0,
    }
    kept = stage.venue.gate.allowances[stage.me]
    kept.volume, kept.used = D("437.92"), 10_437
    assert "resting" in stage.place()  # one action every ten seconds
    text = stage.refused(placing(order()))
    assert text.startswith("Too many cumulative requests sent (10439 > 10437)")
    assert "for cumulative volume traded $437.92." in text
    [row] = stage.mine("openOrders")
    assert stage.cancel(row["oid"]) == "success"  # cancels may go further
    await asyncio.sleep(10)
    assert "resting" in stage.place()
    stage.done({"type": "reserveRequestWeight", "weight": 100})
    assert "resting" in stage.place()
    assert stage.mine("userRateLimit")["nRequestsSurplus"] == 100


@staged
async def test_weights(stage: Stage) -> None:
    def weight(path: str, body: Any, **headers: str) -> tuple[str, int]:
        data = json.dumps(body).encode()
        scope, _, units = stage.venue.scope_of(SimRequest("POST", path, "", headers, data))
        return scope, units

    assert weight("/info", {"type": "l2Book"}) == ("rest", 2)
    assert weight("/info", {"type": "meta"}) == ("rest", 20)
    assert weight("/info", {"type": "userRole"}) == ("rest", 60)
    for count, units in ((1, 1), (39, 1), (40, 2), (80, 3)):
        action = placing(*[order()] * count)
        assert weight("/exchange", {"action": action}) == ("rest", units)
    assert weight("/exchange", {}, via="websocket") == ("messages", 1)


@staged
async def test_what_the_faults_ask_about_requests(stage: Stage) -> None:
    def request(action: Any) -> SimRequest:
        return SimRequest("POST", "/exchange", "", {}, json.dumps({"action": action}).encode())

    placed = request(placing(order("sell", cloid=CLOID)))
    assert stage.venue.op_of(placed) == "place"
    assert stage.venue.describe(placed) == {
        "side": "sell",
        "symbol": ETH,
        "size": "0.1",
        "price": "2990",
        "client_id": CLOID,
        "reduce_only": "false",
        "post_only": "true",
    }
    canceled = request({"type": "cancel", "cancels": [{"a": 1, "o": 7}]})
    assert (stage.venue.op_of(canceled), stage.venue.describe(canceled)) == (
        "cancel",
        {"order_id": "7"},
    )
    asked = SimRequest("POST", "/info", "", {}, b'{"type": "orderStatus", "oid": "0xAB"}')
    assert (stage.venue.op_of(asked), stage.venue.describe(asked)) == (
        "query_order",
        {"client_id": "0xab"},
    )
    assert stage.venue.op_of(SimRequest("POST", "/info", "", {}, b'{"type": "meta"}')) == "meta"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("POST_ONLY", "Post only order would have immediately matched, bbo was 2999.9@3000.1."),
        ("MARGIN", "Insufficient margin to place order. asset=1"),
        ("PRICE_BAND", "Order price cannot be more than 95% away from the reference price"),
        ("NONCE", "Invalid nonce: duplicate nonce 5"),
        ("AUTH", "User or API Wallet"),
        ("RATE", "Too many cumulative requests sent"),
        ("PERMISSION", "Must deposit before performing actions"),
        ("SYMBOL", "Invalid asset 1"),
        ("OI_CAP", "Order would increase open interest while open interest is capped. asset=1"),
    ],
)
def test_refusals_that_faults_ask_for(kind: str, text: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        data = json.dumps({"action": placing(order()), "nonce": 5}).encode()
        body = stage.venue.render_reject(SimRequest("POST", "/exchange", body=data), kind, "").body
        if body["status"] == "ok":
            [status] = body["response"]["data"]["statuses"]
            assert status["error"].startswith(text)
        else:
            assert body["response"].startswith(text)

    check()


# --------------------------------------------------------------------------- bent truth


@staged
async def test_orders_that_a_fault_has_bent(stage: Stage) -> None:
    stage.exchange.twist = Twist(lose_order=True)
    lost = stage.rest(cloid=CLOID)
    stage.exchange.twist = Twist(fate=(OrderStatus.REJECTED, 0.5))
    doomed = stage.rest()
    stage.exchange.twist = Twist()
    assert stage.mine("orderStatus", oid=lost) == {"status": "unknownOid"}
    await asyncio.sleep(1)
    assert stage.mine("orderStatus", oid=doomed)["order"]["status"] == "badAloPxRejected"
    kept = stage.rest()
    stage.exchange.twist = Twist(keep_on_cancel=True)
    assert stage.cancel(kept) == "success"
    stage.exchange.twist = Twist()
    assert [row["oid"] for row in stage.mine("openOrders")] == [kept]


@staged
async def test_pages_and_stale_answers(stage: Stage) -> None:
    stage.exchange.remembers = True
    for _ in range(3):
        stage.statuses(placing(taker("buy", "0.01")))
    stage.exchange.twist = Twist(page=1)
    assert len(stage.mine("userFills")) == len(stage.mine("historicalOrders")) == 1
    stage.exchange.twist = Twist(as_of_ns=0)
    assert stage.mine("userFills") == stage.mine("openOrders") == []
    assert stage.mine("clearinghouseState")["assetPositions"] == []


@staged
async def test_a_halted_venue(stage: Stage) -> None:
    stage.exchange.halt("post_only")
    assert "resting" in stage.place()
    assert stage.place(tif="Gtc")["error"].startswith("Trading is halted.")


@staged
async def test_trading_for_an_address_without_a_signature(stage: Stage) -> None:
    placed = stage.venue.place_for(stage.me, order(cloid=CLOID))
    oid = placed["resting"]["oid"]
    assert stage.mine("orderStatus", oid=CLOID)["order"]["order"]["oid"] == oid
    assert stage.venue.cancel_for(stage.me, 1, CLOID) == "success"
    assert "error" in stage.venue.cancel_for(stage.me, 1, oid)
    with pytest.raises(Malformed):
        stage.venue.place_for(stage.me, {"a": 1})


# --------------------------------------------------------------------------- the socket


@staged
async def test_confirmations_are_normalised(stage: Stage) -> None:
    wire = stage.connect()
    loud = stage.me.upper().replace("X", "x")
    for asked, told in (
        ({"type": "l2Book", "coin": ETH}, {"nSigFigs": None, "mantissa": None, "fast": False}),
        ({"type": "userFills", "user": loud}, {"aggregateByTime": False, "user": stage.me}),
        ({"type": "clearinghouseState", "user": loud}, {"dex": "", "user": stage.me}),
        ({"type": "spotState", "user": stage.me}, {"ignorePortfolioMargin": False}),
        ({"type": "openOrders", "user": stage.me, "dex": "xyz"}, {}),
        ({"type": "orderUpdates", "user": stage.me}, {}),
        ({"type": "allMids"}, {}),
    ):
        assert stage.say(wire, {"method": "subscribe", "subscription": asked}) is None
        ack = wire.take("subscriptionResponse")[0]
        assert ack == {"method": "subscribe", "subscription": {**asked, **told}}
    assert wire.private


@staged
async def test_what_the_socket_does_not_take(stage: Stage) -> None:
    wire = stage.listen("bbo", coin=ETH)
    bbo = {"type": "bbo", "coin": ETH}
    error = stage.say(wire, {"method": "subscribe", "subscription": bbo})
    assert error == {
        "channel": "error",
        "data": 'Already subscribed: {"type":"bbo","coin":"ETH"}',
    }
    assert stage.say(wire, {"method": "unsubscribe", "subscription": bbo}) is None
    error = stage.say(wire, {"method": "unsubscribe", "subscription": bbo})
    assert error["data"] == 'Already unsubscribed: {"type":"bbo","coin":"ETH"}'
    text = '{"method":"subscribe","xsubscription":{"type":"bbo","coin":"SOL"}}'
    error = stage.say(wire, text)
    assert error["data"] == f"Error parsing JSON into valid websocket request: {text}"
    assert stage.say(wire, "hello")["data"].endswith("request: hello")
    for bad in (
        {"type": "bbo", "coin": "eth"},
        {"type": "webData2", "user": stage.me},
        {"type": "l2Book", "coin": ETH, "nSigFigs": 7},
        {"type": "userFills", "user": "me"},
        {"type": "activeAssetData", "user": stage.me, "coin": SPOT},
        5,
    ):
        error = stage.say(wire, {"method": "subscribe", "subscription": bad})
        assert error["data"].startswith("Invalid subscription"), bad


@staged
async def test_fifteen_users_can_be_followed(stage: Stage) -> None:
    wire = stage.connect()
    for number in range(15):
        stage.listen("orderUpdates", wire=wire, user=f"0x{number:040x}")
    sixteenth = {"type": "orderUpdates", "user": f"0x{16:040x}"}
    error = stage.say(wire, {"method": "subscribe", "subscription": sixteenth})
    assert error == {"channel": "error", "data": "Cannot track more than 15 total users."}


@staged
async def test_a_socket_that_is_told_nothing_is_closed(stage: Stage) -> None:
    quiet, pinged = stage.connect(), stage.connect()
    await asyncio.sleep(50)
    assert stage.say(pinged, {"method": "ping"}) == {"channel": "pong"}
    await asyncio.sleep(11)
    assert (quiet.open, pinged.open) == (False, True)
    await asyncio.sleep(50)
    assert not pinged.open


@staged
async def test_first_frames(stage: Stage) -> None:
    stage.trade("3000.1", "0.5", "buy")
    stage.statuses(placing(taker()))
    await asyncio.sleep(0.1)
    wire = stage.listen("bbo", "l2Book", "trades", "activeAssetCtx", coin=ETH)
    told = {f["channel"]: f["data"] for f in wire.take()}
    assert told["bbo"]["bbo"][0] == {"px": "2999.9", "sz": "5.0", "n": 1}
    assert len(told["l2Book"]["levels"][0]) == 10
    assert [trade["sz"] for trade in told["trades"]] == ["0.5", "0.1"]
    assert told["activeAssetCtx"]["ctx"]["markPx"] == "3000.0"
    wire = stage.listen("orderUpdates", "userEvents", user=stage.me)
    assert {f["channel"] for f in wire.take()} == {"subscriptionResponse"}
    kinds = ("userFills", "userFundings", "userNonFundingLedgerUpdates")
    wire = stage.listen(*kinds, user=stage.me)
    for frame in wire.take():
        if frame["channel"] != "subscriptionResponse":
            assert frame["data"]["isSnapshot"] is True
    wire = stage.listen("userFills", user=stage.me)
    [fills] = wire.take("userFills")
    assert len(fills["fills"]) == 1
    assert wire.kinds == ["ack", "snapshot"]


@staged
async def test_books_on_the_stream(stage: Stage) -> None:
    wire = stage.listen("bbo", coin=ETH)
    stage.listen("l2Book", wire=wire, coin=ETH)
    stage.listen("l2Book", wire=wire, coin=ETH, fast=True)
    wire.frames.clear()
    stage.quote("2999.8", "3000.1")
    stage.quote("2999.7", "3000.1")
    await asyncio.sleep(0.2)
    [best] = wire.take("bbo")
    assert best["bbo"][0]["px"] == "2999.7"
    await asyncio.sleep(0.5)
    slow, fast = sorted(wire.take("l2Book"), key=lambda data: -len(data["levels"][0]))
    assert slow["levels"][0][0]["px"] == "2999.7"
    assert (len(fast["levels"][0]), fast["fast"], "fast" in slow) == (5, True, False)
    stage.exchange.on_quote(ETH, Quote([], [(3000 * UNIT, UNIT)], True))
    await asyncio.sleep(0.2)
    [best] = wire.take("bbo")
    assert best["bbo"][0] is None
    unwatch = {"type": "bbo", "coin": ETH}
    stage.say(wire, {"method": "unsubscribe", "subscription": unwatch})
    wire.frames.clear()
    stage.quote("2990", "2991")
    await asyncio.sleep(0.3)
    assert wire.take("bbo") == []


@staged
async def test_states_are_repeated_in_full(stage: Stage) -> None:
    kinds = ("clearinghouseState", "allDexsClearinghouseState", "openOrders", "spotState")
    wire = stage.follow(*kinds, "webData3")
    stage.follow("activeAssetData", wire=wire, coin=ETH)
    wire.frames.clear()
    oid = stage.rest()
    stage.statuses(placing(taker()))
    await asyncio.sleep(0.1)
    told = {f["channel"]: f["data"] for f in wire.take()}
    assert [row["oid"] for row in told["openOrders"]["orders"]] == [oid]
    held = told["clearinghouseState"]["clearinghouseState"]["assetPositions"]
    assert held[0]["position"]["szi"] == "0.1"
    (dex, state), (other, empty) = told["allDexsClearinghouseState"]["clearinghouseStates"]
    assert (dex, other, empty["assetPositions"]) == ("", "xyz", [])
    assert state["assetPositions"] == held
    assert told["spotState"]["spotState"]["tokenToAvailableAfterMaintenance"] == [[0, "20000.0"]]
    assert told["webData3"]["userState"]["agentAddress"] == stage.agent.address
    assert told["activeAssetData"]["leverage"]["value"] == 20


@staged
async def test_marks_on_the_stream(stage: Stage) -> None:
    wire = stage.listen("activeAssetCtx", coin=ETH)
    stage.listen("activeAssetCtx", wire=wire, coin=SPOT)
    stage.listen("allMids", "allDexsAssetCtxs", wire=wire)
    wire.frames.clear()
    await asyncio.sleep(1)
    stage.quote("3099.9", "3100.1")
    await asyncio.sleep(1.5)
    told = {f["channel"]: f["data"] for f in wire.take()}
    assert told["activeAssetCtx"]["ctx"]["markPx"] == "3100.0"
    assert told["activeSpotAssetCtx"]["coin"] == SPOT
    assert told["allMids"]["mids"] == {ETH: "3100.0", SPOT: "3100.0"}
    assert [dex for dex, _ in told["allDexsAssetCtxs"]["ctxs"]] == ["", "xyz"]


@staged
async def test_everybody_hears_of_a_trade(stage: Stage) -> None:
    wire = stage.listen("trades", coin=ETH)
    wire.frames.clear()
    stage.trade("3000.1", "0.5", "buy")
    [[trade]] = wire.take("trades")
    assert (trade["side"], trade["px"], len(trade["users"])) == ("B", "3000.1", 2)


@staged
async def test_an_open_and_a_fill_are_one_message(stage: Stage) -> None:
    heard = stage.follow("orderUpdates")
    stage.statuses(placing(taker(cloid=CLOID)))
    await asyncio.sleep(0.1)
    [told] = heard.take("orderUpdates")
    assert [one["status"] for one in told] == ["open", "filled"]
    assert [one["order"]["sz"] for one in told] == ["0.1", "0.0"]


# --------------------------------------------------------------------------- posts


def post(stage: Stage, id: int, kind: str, payload: Any) -> dict[str, Any]:
    request = {"type": kind, "payload": payload}
    return {"method": "post", "id": id, "request": request}


@staged
async def test_orders_and_questions_over_the_socket(stage: Stage) -> None:
    wire = stage.connect()
    body = stage.body(placing(order(cloid=CLOID)))
    answer = stage.say(wire, post(stage, 7, "action", body))
    response = answer["data"]["response"]
    assert (answer["channel"], answer["data"]["id"], response["type"]) == ("post", 7, "action")
    [status] = response["payload"]["response"]["data"]["statuses"]
    assert status["resting"]["cloid"] == CLOID
    again = stage.say(wire, post(stage, 8, "action", body))
    assert again["data"]["response"]["payload"]["status"] == "err"
    question = {"type": "userAbstraction", "user": stage.me}
    answer = stage.say(wire, post(stage, 9, "info", question))
    payload = answer["data"]["response"]["payload"]
    assert payload == {"type": "userAbstraction", "data": "default"}
    wrong = stage.say(wire, post(stage, 10, "info", {"type": "nothing"}))
    assert wrong["data"]["response"]["type"] == "error"
    assert wrong["data"]["response"]["payload"].startswith("422 ")
    unread = {"method": "post", "id": 11, "request": {"type": "fly"}}
    assert stage.say(wire, unread)["channel"] == "error"


@staged
async def test_posts_stand_for_requests(stage: Stage) -> None:
    wire = stage.connect()
    text = json.dumps(post(stage, 1, "action", stage.body(placing(order()))))
    request = stage.venue.request_of_message(wire, text)
    assert request is not None
    assert (request.path, stage.venue.op_of(request)) == ("/exchange", "place")
    limited = stage.venue.wrap_reply(wire, text, stage.venue.render_rate_limited(request, 1.0))
    payload = limited["data"]["response"]["payload"]
    assert payload == "429 Too Many Requests: null"
    assert stage.venue.request_of_message(wire, '{"method": "ping"}') is None


def test_over_a_real_socket() -> None:
    async def check() -> None:
        async with (
            await run.start(["hyperliquid"], latency=NO_LATENCY) as running,
            aiohttp.ClientSession() as session,
            session.ws_connect(running.endpoints["hyperliquid"]["ws"]) as socket,
        ):
            await socket.send_json({"method": "ping"})
            assert await socket.receive_json() == {"channel": "pong"}
            asked = {"type": "l2Book", "coin": ETH}
            await socket.send_json({"method": "subscribe", "subscription": asked})
            assert (await socket.receive_json())["channel"] == "subscriptionResponse"
            book = (await socket.receive_json())["data"]
            for bid in book["levels"][0]:
                assert len(bid["px"].replace(".", "").strip("0")) <= 5
            rest = running.endpoints["hyperliquid"]["rest"]
            async with session.post(f"{rest}/info", json={"type": "exchangeStatus"}) as reply:
                assert (await reply.json())["specialStatuses"] is None
            async with session.post(f"{rest}/other") as reply:
                assert reply.status == 404

    run_virtual(check())


def test_a_coin_decides_who_is_first() -> None:
    waits = set()

    async def play(stage: Stage) -> None:
        stage.venue.rng.seed(random.Random(len(waits)).random())
        for _ in range(12):
            heard = stage.follow("orderUpdates")
            stage.rest()
            await asyncio.sleep(0.001)
            waits.add(bool(heard.take()))
            await asyncio.sleep(0.1)

    staged(play)()
    assert waits == {True, False}

"""The simulated Superstack: who may have what signed, and that Hyperliquid takes it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.sim import evm
from mpdex.sim.board import Quote
from mpdex.sim.models import NO_LATENCY, Timers
from mpdex.sim.run import EPOCH_NS
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues import hyperliquid_crypto as crypto
from mpdex.sim.venues import load_venue
from mpdex.sim.venues.hyperliquid_wire import parse_envelope
from mpdex.sim.venues.superstack import SOURCE, SuperstackSim
from mpdex.sim.venues.superstack_wallet import TRADING, TRANSFER, VIEW
from mpdex.utils.clock import LoopClock

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "superstack.json"
CASES = [case for case in json.loads(VECTORS.read_text())["cases"] if "call" in case["input"]]
CLOID = "0x" + "12" * 16
ETH_ID = 1
STRANGER = "0x" + "5e" * 20
LEVERAGE = {"type": "updateLeverage", "asset": ETH_ID, "isCross": True, "leverage": 5}
SEND = {"type": "usdSend", "destination": STRANGER, "amount": "5"}


class _StoppedLoop(asyncio.AbstractEventLoop):
    """Time stands still, but for what a test adds."""

    def time(self) -> float:
        return 0.0


class Stage:
    """The venue without a server, a market of ETH around 3000, and a client with an API key."""

    def __init__(self) -> None:
        self.clock = LoopClock(_StoppedLoop(), EPOCH_NS)
        rng, self.timers = random.Random(7), Timers()
        self.exchange: Any = SuperstackSim.make_exchange(self.clock, rng, NO_LATENCY)
        world: Any = {"clock": self.clock, "latency": NO_LATENCY, "timers": self.timers}
        self.sim = SuperstackSim(self.exchange, rng=rng, **world)
        [self.api_key] = self.sim.credentials().values()
        self.account = self.sim.address
        self.handlers = {(m, path): handle for m, path, handle in self.sim.routes()}
        units = 10**8
        bid, ask, size = 29999 * units // 10, 30001 * units // 10, 5 * units
        self.exchange.on_quote("ETH", Quote([(bid, size)], [(ask, size)], True))

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> SimReply:
        text = b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", **headers}
        return self.handlers[method, path](SimRequest(method, path, "", headers, text))

    def ask(self, action: Any, *, key: str | None = None, **more: Any) -> SimReply:
        """The first hop."""
        bearer = f"Bearer {self.api_key if key is None else key}"
        return self.call("POST", "/api/exchange", {"action": action, **more}, authorization=bearer)

    def payload(self, action: Any, **more: Any) -> Any:
        reply = self.ask(action, **more)
        assert reply.status == 200, reply.body
        assert set(reply.body) == {"payload"}
        return reply.body["payload"]

    def send(self, payload: Any) -> Any:
        """The second hop."""
        reply = self.call("POST", "/exchange", payload)
        assert reply.status == 200, reply.body
        return reply.body

    def info(self, key: str | None = None) -> SimReply:
        bearer = f"Bearer {self.api_key if key is None else key}"
        return self.call("GET", "/api/info", authorization=bearer)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    yield made
    made.timers.close()
    made.exchange.close()


def order(**changes: Any) -> dict[str, Any]:
    fields = {
        "a": ETH_ID,
        "b": True,
        "p": "2900",
        "s": "0.1",
        "r": False,
        "t": {"limit": {"tif": "Gtc"}},
        "c": CLOID,
        **changes,
    }
    return {"type": "order", "orders": [fields], "grouping": "na"}


def refusal(reply: SimReply) -> tuple[int, str]:
    """Status and text of an error, which has exactly one field."""
    assert set(reply.body) == {"error"}, reply.body
    return reply.status, reply.body["error"]


def rejected(answer: Any) -> str:
    assert answer["status"] == "err", answer
    return str(answer["response"])


# --------------------------------------------------------------------------- who may


@pytest.mark.parametrize("key", ["", "nobody's"])
async def test_a_key_that_is_not_known(stage: Stage, key: str) -> None:
    wanted = (401, "Authentication failed, invalid API key")
    assert refusal(stage.ask(order(), key=key)) == refusal(stage.info(key)) == wanted
    assert refusal(stage.call("GET", "/api/info")) == wanted
    assert refusal(stage.call("GET", "/api/info", authorization=stage.api_key)) == wanted


@pytest.mark.parametrize(
    ("permissions", "action", "missing"),
    [
        (VIEW, order(), "trading"),
        (TRANSFER | VIEW, LEVERAGE, "trading"),
        (VIEW | TRADING, SEND, "transfer"),
    ],
)
async def test_a_key_may_do_what_its_bits_say(
    stage: Stage, permissions: int, action: Any, missing: str
) -> None:
    stage.sim.wallet.allow(stage.account, permissions, only_from=None)
    denied = (403, f"API key does not have {missing} permission")
    assert refusal(stage.ask(action)) == denied
    assert stage.info().status == 200


async def test_information_needs_the_right_to_view(stage: Stage) -> None:
    stage.sim.wallet.allow(stage.account, TRADING, only_from=None)
    assert refusal(stage.info()) == (403, "API key does not have view permission")
    assert stage.ask(order()).status == 200


async def test_a_key_may_be_bound_to_addresses(stage: Stage) -> None:
    stage.sim.wallet.allow(stage.account, VIEW | TRADING, only_from=("10.0.0.1",))
    assert refusal(stage.ask(order()))[0] == refusal(stage.info())[0] == 403
    stage.sim.wallet.allow(stage.account, VIEW | TRADING, only_from=("127.0.0.1",))
    assert stage.ask(order()).status == 200
    assert stage.info().body["api_info"]["ip_whitelist"] == ("127.0.0.1",)


async def test_only_the_main_wallet_on_ethereum_is_the_account(stage: Stage) -> None:
    told = stage.info().body
    main = [
        wallet["address"]
        for wallet in told["user_info"]["wallets"]
        if (wallet["network"], wallet["wallet_set"]) == ("Ethereum", "Main")
    ]
    assert main == [stage.account]
    assert len(told["user_info"]["wallets"]) > 1
    assert told["api_info"]["permissions"] == VIEW | TRADING
    assert told["api_info"]["created_at"] == stage.clock.now_ms() // 1000


# --------------------------------------------------------------------------- what is signed


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
async def test_what_is_signed_is_what_the_reference_signs(
    stage: Stage, case: dict[str, Any]
) -> None:
    """The same digest by the same key; the signature itself may be another of that digest."""
    given, expected = case["input"], case["expected"]["service"]
    key = int(given["service_wallet_private_key"], 16)
    address = evm.address_of(key)
    assert address == expected["signer"].lower()
    stage.exchange.wallets[stage.account] = key
    stage.sim.wallet.allow(stage.account, VIEW | TRADING | TRANSFER, only_from=None)
    stage.clock.epoch_ns = given["service_nonce"] * 10**6
    asked = case["expected"]["request"]["body"]
    payload = stage.payload(**asked)
    wanted = expected["payload"]
    assert payload["nonce"] == wanted["nonce"]
    assert {**payload, "signature": None} == {**wanted, "signature": None}
    envelope = parse_envelope(payload)
    assert envelope.signature.signer(bytes.fromhex(expected["digest"][2:])) == address


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"action": {"type": "noop"}}, "Unsupported action"),
        ({"action": {"type": "withdraw3", "destination": STRANGER}}, "Unsupported action"),
        ({"action": None}, "Unsupported action"),
        ({"action": {"type": "cancel"}}, "missing field `cancels`"),
        ({"action": {**LEVERAGE, "nonce": 1}}, "unknown field `nonce`"),
        ({"action": order(p=2900)}, "Invalid action"),
        ({"action": order(p="2.9e3")}, "Invalid action"),
        ({"action": order(), "nonce": 1}, "unknown field `nonce`"),
        ({"action": order(), "signature": {}}, "unknown field `signature`"),
    ],
)
async def test_what_cannot_be_signed_is_refused(
    stage: Stage, changes: dict[str, Any], text: str
) -> None:
    assert refusal(stage.ask(**changes)) == (400, text)


async def test_a_body_that_cannot_be_read_is_refused(stage: Stage) -> None:
    bearer = {"authorization": f"Bearer {stage.api_key}"}
    for body in (b"{", b"[]", b""):
        request = SimRequest("POST", "/api/exchange", "", bearer, body)
        assert refusal(stage.handlers["POST", "/api/exchange"](request))[0] == 400


async def test_each_signature_has_a_nonce_of_its_own(stage: Stage) -> None:
    nonces = [stage.payload(LEVERAGE)["nonce"] for _ in range(5)]
    assert nonces == sorted(set(nonces))


async def test_questions_and_answers_are_no_business_of_hyperliquids_limits(stage: Stage) -> None:
    for method, path in (("POST", "/api/exchange"), ("GET", "/api/info")):
        request = SimRequest(method, path)
        assert stage.sim.scope_of(request)[0] == ""
        assert stage.sim.op_of(request) == "auth"
        assert stage.sim.describe(request) == {}
        assert refusal(stage.sim.render_reject(request, "AUTH", ""))[0] == 401
        assert refusal(stage.sim.render_reject(request, "PERMISSION", ""))[0] == 403
        assert refusal(stage.sim.render_reject(request, "MARGIN", "418"))[0] == 418
        assert refusal(stage.sim.render_rate_limited(request, 1.0))[0] == 429


# --------------------------------------------------------------------------- both hops


async def test_a_payload_sent_on_rests_fills_and_ends(stage: Stage) -> None:
    payload = stage.payload(order(), expiresAfter=stage.clock.now_ms() + 5000)
    assert stage.exchange.open_orders(stage.account) == [], "nothing happens before the second hop"
    [status] = stage.send(payload)["response"]["data"]["statuses"]
    assert status["resting"]["cloid"] == CLOID
    [resting] = stage.exchange.open_orders(stage.account)
    assert resting.price == Decimal(2900)
    cancel = {"type": "cancelByCloid", "cancels": [{"asset": ETH_ID, "cloid": CLOID}]}
    assert stage.send(stage.payload(cancel))["response"]["data"]["statuses"] == ["success"]
    taking = order(p="3010", t={"limit": {"tif": "Ioc"}})
    [status] = stage.send(stage.payload(taking))["response"]["data"]["statuses"]
    assert status["filled"]["totalSz"] == "0.1"
    assert stage.send(stage.payload(LEVERAGE)) == {"status": "ok", "response": {"type": "default"}}


async def test_a_payload_counts_once(stage: Stage) -> None:
    payload = stage.payload(order())
    stage.send(payload)
    assert rejected(stage.send(payload)) == f"Invalid nonce: duplicate nonce {payload['nonce']}"


@pytest.mark.parametrize("text", ["0.2", "0.1000001"])
async def test_a_payload_that_was_changed_is_somebody_elses(stage: Stage, text: str) -> None:
    payload = stage.payload(order())
    payload["action"]["orders"][0]["s"] = text
    assert rejected(stage.send(payload)).endswith("does not exist.")
    assert stage.exchange.open_orders(stage.account) == []


async def test_a_vault_is_part_of_what_is_signed(stage: Stage) -> None:
    vault = stage.sim.open_vault(balance=Decimal(1000))
    payload = stage.payload(order(), vaultAddress=vault.upper().replace("X", "x"))
    assert payload["vaultAddress"].lower() == vault
    assert "resting" in json.dumps(stage.send(payload))
    assert [o.account for o in stage.exchange.open_orders(vault)] == [vault]
    late = stage.payload(order())
    assert rejected(stage.send({**late, "vaultAddress": vault})).endswith("does not exist.")


async def test_a_payload_that_comes_too_late_is_refused(stage: Stage) -> None:
    payload = stage.payload(order(), expiresAfter=stage.clock.now_ms() + 1000)
    stage.clock.skew_ns += 2 * 10**9
    assert rejected(stage.send(payload)) == "Action already expired"


async def test_money_moves_with_the_right_to_transfer(stage: Stage) -> None:
    stage.sim.wallet.allow(stage.account, VIEW | TRANSFER, only_from=None)
    move = {"type": "usdClassTransfer", "amount": "5", "toPerp": False}
    payload = stage.payload(move)
    assert payload["action"]["nonce"] == payload["nonce"]
    assert payload["action"]["hyperliquidChain"] == crypto.SOURCES[SOURCE]
    before = stage.exchange.accounts[stage.account].cash
    assert stage.send(payload)["status"] == "ok"
    assert stage.exchange.accounts[stage.account].cash == before - 5


async def test_it_is_found_by_name_and_has_an_endpoint_for_each_hop(stage: Stage) -> None:
    assert load_venue("superstack") is SuperstackSim
    assert stage.sim.endpoints(5000) == {
        "wallet": "http://127.0.0.1:5000",
        "rest": "http://127.0.0.1:5000",
        "ws": "ws://127.0.0.1:5000/ws",
    }
    assert set(stage.sim.credentials()) == {"api_key"}, "no key of a wallet is given away"

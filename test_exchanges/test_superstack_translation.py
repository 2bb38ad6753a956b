"""Superstack: what is asked of the wallet API, what its answers become, and whose account it is."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mpdex.errors import (
    AuthError,
    MissingCredentials,
    OrderRejected,
    ProtocolError,
    RateLimited,
    UsageError,
    VenueError,
)
from mpdex.types import CancelRequest, Lane, Market, OrderRequest, Request, TimeInForce, Topic
from wrappers.superstack import IMMEDIATE_BOUND_MS, REQUEST_BOUND_MS, SuperstackExchange
from wrappers.superstack_ws_client import SuperstackAccountClient

D = Decimal
ADDRESS, VAULT = "0x" + "a1" * 20, "0x" + "B2" * 20
CLOID = "0x" + "12" * 16
NOW_MS = 1_785_000_000_000
SIGN = Request("POST", "/api/exchange", host="wallet", signed=True, command=True)
INFO = Request("GET", "/api/info", host="wallet", signed=True)
META = {"universe": [{"name": "BTC", "szDecimals": 5, "maxLeverage": 40}]}
SPOT = {"tokens": [{"name": "USDC", "index": 0, "szDecimals": 8}], "universe": []}
SIGNATURE = {"r": "0x1", "s": "0x2", "v": 27}


def venue(**keys: str) -> SuperstackExchange:
    keys = {"api_key": "word", "account_address": ADDRESS, **keys}
    made = SuperstackExchange(**keys)  # type: ignore[arg-type]
    made._markets.replace(made.decode_markets([META, SPOT]))
    return made


def market(dex: SuperstackExchange) -> Market:
    return dex._markets["BTC"]


def order(**changes: Any) -> OrderRequest:
    basis = OrderRequest(
        symbol="BTC", side="buy", size=D("0.001"), price=D(63250), client_id=CLOID, post_only=True
    )
    return replace(basis, **changes)


def placed(dex: SuperstackExchange, **changes: Any) -> tuple[Request, Request]:
    """The command, and the question that it becomes."""
    request = dex.encode_order(order(**changes), market(dex), NOW_MS * 10**6)
    return request, dex.encode_countersign(request, NOW_MS)


def payload(hop: Request, **changes: Any) -> dict[str, Any]:
    return {**hop.json, "nonce": NOW_MS, "signature": SIGNATURE, **changes}


# --------------------------------------------------------------------------- the question


def test_an_order_asks_for_a_signature_and_sends_no_nonce() -> None:
    dex = venue()
    request, hop = placed(dex)
    assert hop.json == {"action": request.json, "expiresAfter": NOW_MS + REQUEST_BOUND_MS}
    assert (hop.method, hop.path, hop.host, hop.lane) == (
        "POST",
        "/api/exchange",
        "wallet",
        Lane.QUOTE,
    )
    assert dex.sign(hop, NOW_MS).headers == {"Authorization": "Bearer word"}
    assert dex.make_nonces() is None


def test_an_immediate_order_expires_sooner() -> None:
    changes = {"post_only": False, "time_in_force": TimeInForce.IOC}
    _, hop = placed(venue(), **changes)
    assert hop.json["expiresAfter"] == NOW_MS + IMMEDIATE_BOUND_MS
    assert hop.lane is Lane.HEDGE
    spec = SuperstackExchange.SPEC
    assert (spec.request_bound_ms, spec.immediate_bound_ms) == (
        REQUEST_BOUND_MS,
        IMMEDIATE_BOUND_MS,
    )


def test_a_cancel_is_right_whenever_it_arrives() -> None:
    dex = venue(vault_address=VAULT)
    request = dex.encode_cancel(CancelRequest(symbol="BTC", client_id=CLOID), market(dex))
    hop = dex.encode_countersign(request, NOW_MS)
    action = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}]}
    assert hop.json == {"action": action, "vaultAddress": VAULT.lower()}
    assert hop.lane is Lane.CANCEL


def test_the_bearer_key_goes_to_the_wallet_api_alone() -> None:
    dex = venue()
    request, _ = placed(dex)
    for other in (request, dex.encode_positions(None)[0], dex.encode_markets()[0]):
        assert dex.sign(other, NOW_MS) == other
    assert dex.sign(INFO, NOW_MS).headers == {"Authorization": "Bearer word"}


def test_a_builder_is_named_with_its_fee_or_not_at_all() -> None:
    builder = "0x" + "C3" * 20
    request, _ = placed(venue(builder=builder, builder_fee="4"))
    assert request.json["builder"] == {"b": builder.lower(), "f": 4}
    assert list(request.json)[-1] == "builder"
    assert "builder" not in placed(venue())[0].json
    for half in ({"builder": builder}, {"builder_fee": "4"}):
        with pytest.raises(UsageError, match="builder"):
            venue(**half)


# --------------------------------------------------------------------------- the answer


def test_the_payload_is_sent_on_unchanged() -> None:
    dex = venue(vault_address=VAULT)
    request, hop = placed(dex)
    told = payload(hop, vaultAddress=VAULT)
    sent = dex.decode_countersign({"payload": told, "more": 1}, request)
    assert sent.body == json.dumps(told, separators=(",", ":")).encode()
    assert (sent.host, sent.path, sent.call) == ("rest", "/exchange", "post")
    assert (sent.signed, sent.command, sent.lane) == (False, True, request.lane)
    frame = json.loads(SuperstackAccountClient().encode_call(sent, 7))
    assert frame == {
        "method": "post",
        "id": 7,
        "request": {"type": "action", "payload": told},
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"action": {"type": "noop"}}, "another action"),
        ({"vaultAddress": VAULT}, "another account"),
        ({"expiresAfter": None}, "expiry"),
    ],
)
def test_what_was_not_asked_for_is_not_sent(changes: dict[str, Any], words: str) -> None:
    dex = venue()
    request, hop = placed(dex)
    with pytest.raises(ProtocolError, match=words):
        dex.decode_countersign({"payload": payload(hop, **changes)}, request)


def test_an_order_with_another_size_or_a_stranger_in_it_is_not_sent() -> None:
    dex = venue()
    request, hop = placed(dex)
    [fields] = request.json["orders"]
    for action in (
        {**request.json, "orders": [{**fields, "s": "0.1"}]},
        {**request.json, "builder": {"b": ADDRESS, "f": 100}},
    ):
        with pytest.raises(ProtocolError, match="another action"):
            dex.decode_countersign({"payload": payload(hop, action=action)}, request)


@pytest.mark.parametrize("answer", [{}, None, "signed", {"payload": None}, {"payload": {}}])
def test_an_answer_without_a_payload_is_not_understood(answer: Any) -> None:
    dex = venue()
    with pytest.raises(ProtocolError):
        dex.decode_countersign(answer, placed(dex)[0])


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (401, "Authentication failed, invalid API key", AuthError),
        (403, "API key does not have trading permission", AuthError),
        (429, "Too many requests", RateLimited),
        (400, "missing field `orders`", OrderRejected),
        (422, "invalid", OrderRejected),
    ],
)
def test_a_refusal_of_the_first_hop_is_definite(
    status: int, told: str, kind: type[VenueError]
) -> None:
    dex = venue()
    for error in (
        dex.decode_error(status, {"error": told}, SIGN),
        dex.decode_page(status, told, SIGN),
    ):
        assert type(error) is kind
        assert isinstance(error, VenueError)
        assert error.code == str(status)
        assert told in error.detail
    read = dex.decode_error(status, {"error": told}, INFO)
    assert isinstance(read, VenueError)
    assert not isinstance(read, OrderRejected)


def test_what_is_no_refusal_is_none() -> None:
    assert venue().decode_error(200, {"payload": {}}, SIGN) is None


def test_the_second_hop_is_judged_as_hyperliquid_judges() -> None:
    dex = venue()
    text = "Insufficient margin to place order. asset=0"
    refused = {
        "status": "ok",
        "response": {"type": "order", "data": {"statuses": [{"error": text}]}},
    }
    error = dex.decode_error(200, refused, placed(dex)[0])
    assert type(error).__name__ == "InsufficientMargin"
    unknown = "User or API Wallet 0x00 does not exist."
    error = dex.decode_error(200, {"status": "err", "response": unknown}, placed(dex)[0])
    assert isinstance(error, AuthError)


# --------------------------------------------------------------------------- whose account


def test_the_account_is_asked_for_where_it_is_not_told() -> None:
    asked = venue(account_address="").encode_account()
    assert (asked.method, asked.path, asked.host, asked.signed) == (
        "GET",
        "/api/info",
        "wallet",
        True,
    )


@pytest.mark.parametrize(
    ("keys", "address", "account"),
    [
        ({}, ADDRESS, ADDRESS),
        ({"vault_address": VAULT}, VAULT.lower(), ADDRESS),
        ({"account_address": "", "vault_address": VAULT}, VAULT.lower(), ""),
    ],
)
def test_an_address_that_was_told_must_have_an_account(
    keys: dict[str, str], address: str, account: str
) -> None:
    dex = venue(**keys)
    asked = dex.encode_account()
    assert (asked.path, asked.json) == ("/info", {"type": "userRole", "user": address})
    assert dex.decode_account({"role": "user"}) == account
    with pytest.raises(AuthError, match="deposit"):
        dex.decode_account({"role": "missing"})
    with pytest.raises(AuthError, match=f"set account_address to {VAULT}"):
        dex.decode_account({"role": "agent", "data": {"user": VAULT}})


def wallets(*found: tuple[str, Any]) -> dict[str, Any]:
    listed = [{"address": ADDRESS, "network": n, "wallet_set": s} for n, s in found]
    return {"user_info": {"id": "", "wallets": listed}}


def test_only_the_main_wallet_on_ethereum_trades() -> None:
    found = wallets(("Solana", "Main"), ("Ethereum", {"Secondary": 1}), ("Ethereum", "Main"))
    found["user_info"]["wallets"][-1]["address"] = VAULT
    dex = venue(account_address="")
    assert dex.decode_account(found) == VAULT.lower()
    with pytest.raises(ProtocolError):
        dex.decode_account(wallets(("Solana", "Main"), ("Ethereum", {"Forward": 2})))


def test_reads_are_of_the_vault_else_of_the_account() -> None:
    for dex, address in ((venue(), ADDRESS), (venue(vault_address=VAULT), VAULT)):
        assert dex.encode_positions(None)[0].json["user"] == address.lower()
        stream = SuperstackAccountClient(keys=dex.keys)
        [frame] = stream.encode_subscribe([Topic("fills")])
        assert json.loads(frame)["subscription"]["user"] == address.lower()


def test_vaults_of_one_key_are_accounts_of_their_own() -> None:
    one, other = venue(), venue(vault_address=VAULT)
    assert one.account_id != other.account_id
    assert one.account_id == venue(api_key="another").account_id, "the key is not the account"


def test_without_an_address_nothing_is_read() -> None:
    dex = SuperstackExchange(read_only=True)
    with pytest.raises(MissingCredentials, match="account_address"):
        dex.encode_positions(None)

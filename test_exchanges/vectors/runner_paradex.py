"""Runs a vector of Paradex through our own encoder, signer and frame decoder.

The venue takes any valid signature, and the client that made these draws another k than we do: its
own is checked against the same hash and key, and ours likewise. That client sends null for what is
unset and leaves the price of a market order out, where we leave out null and send 0. Messages that
our interface does not have (a changed order, an onboarding, an address, a key from a wallet) are
made from our hashes and signers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import fast_stark_crypto

from mpdex.dex.requests import sealed
from mpdex.types import Market, OrderRequest, Request, TimeInForce
from mpdex.utils.signing.eip712 import EvmSigner, StructType, digest, domain_separator, string_word
from mpdex.utils.signing.stark import (
    ORDER,
    StarkSigner,
    pedersen_many,
    short_string,
    starknet_keccak,
)
from wrappers import paradex_auth as auth
from wrappers import paradex_sbe as sbe
from wrappers.paradex import ParadexExchange

Fields = Mapping[str, Any]
NOW_NS = 1_764_000_000_000_000_000  # no encoder of this venue looks at it
OWN = ("recv_window", "price")  # ours where the client says nothing
SIGNED = ("signature", "signature_timestamp")


def check(case: Mapping[str, Any]) -> None:
    """Raises AssertionError unless hashes, requests and decoded frames are as expected."""
    CHECKS[case["kind"]](case["input"], case["expected"])


# --------------------------------------------------------------------------- orders


def _order(given: Fields, expected: Fields) -> None:
    venue, request = _request(given, expected["body"])
    signed = venue.sign(sealed(request), given["signature_timestamp"])
    body = json.loads(signed.body)
    assert (signed.method, signed.path, signed.call) == ("POST", "/orders", "order.create")
    assert {name: body[name] for name in SIGNED if name != "signature"} == {
        name: expected["body"][name] for name in SIGNED if name != "signature"
    }
    assert _sent(body) == _sent(expected["body"])
    sizes = (auth.quantums(Decimal(body[name])) for name in ("size", "price"))
    assert tuple(map(str, sizes)) == (expected["chain_size"], expected["chain_price"])
    message = venue._auth.hash_order(
        given["signature_timestamp"],
        *(body[name] for name in ("market", "side", "type")),
        Decimal(body["size"]),
        Decimal(body["price"]),
    )
    _check_proof(expected, message, body["signature"], expected["signature"])


def _request(given: Fields, body: Fields) -> tuple[ParadexExchange, Request]:
    """Our order, with the client's further fields laid over it in the venue's spelling.

    A triggered market order is signed with a price that is not sent.
    """
    venue = _venue(given)
    at_market = given["type"] == "MARKET"
    order = OrderRequest(
        symbol=given["market"],
        side="buy" if given["side"] == "BUY" else "sell",
        size=Decimal(given["size"]),
        price=None if at_market else Decimal(given["price"]),
        client_id=body["client_id"],
        post_only=given["instruction"] == "POST_ONLY",
        reduce_only=given.get("reduce_only", False),
        time_in_force=TimeInForce(given["instruction"] if given["instruction"] == "IOC" else "GTC"),
    )
    request = venue.encode_order(order, _market(given["market"]), NOW_NS)
    extra = {name: body[name] for name in body if body[name] is not None and name not in SIGNED}
    return venue, replace(request, json={**request.json, **extra}, body=b"")


def _modify_order(given: Fields, expected: Fields) -> None:
    struct = auth.struct_hash(
        int(expected["type_hash"], 16),
        (
            given["signature_timestamp"],
            short_string(given["market"]),
            auth.SIDES[given["side"]],
            short_string(given["type"]),
            auth.quantums(Decimal(given["size"])),
            auth.quantums(Decimal(given["price"])),
            int(given["order_id"]),
        ),
    )
    _check_message(given, expected, struct, expected["signature"])


# --------------------------------------------------------------------------- accounts


def _auth(given: Fields, expected: Fields) -> None:
    venue = _venue(given)
    request = venue.encode_login()
    assert f"/v1{request.path}" == expected["request_path"]
    with patch.object(auth, "LOGIN_SECONDS", given["expiration"] - given["timestamp"]):
        headers = venue.sign(request, given["timestamp"] * 1000).headers
    name = "PARADEX-STARKNET-SIGNATURE"
    assert {**headers, name: ""} == {**expected["headers"], name: ""}
    fields = (*auth._LOGIN_CALL, given["timestamp"], given["expiration"])
    message = venue._auth.message_hash(auth.struct_hash(auth.LOGIN_TYPE, fields))
    _check_proof(expected, message, headers[name], expected["headers"][name])


def _onboarding(given: Fields, expected: Fields) -> None:
    struct = auth.struct_hash(int(expected["type_hash"], 16), (short_string("Onboarding"),))
    _check_message(given, expected, struct, expected["headers"]["PARADEX-STARKNET-SIGNATURE"])
    assert _venue(given)._auth.public_key == expected["body"]["public_key"]


def _address(given: Fields, expected: Fields) -> None:
    public = StarkSigner(given["l2_private_key"]).public_key
    assert hex(public) == expected["l2_public_key"]
    assert _address_of(public, given) == expected["account_address"]


def _key_of_wallet(given: Fields, expected: Fields) -> None:
    """The wallet signs a constant; r, hashed until it fits evenly, is the key."""
    wallet = EvmSigner(given["l1_private_key"])
    assert wallet.address == expected["l1_address"]
    constant = StructType("Constant(string action)").hash(string_word("STARK Key"))
    domain = domain_separator("Paradex", "1", int(given["l1_chain_id"]))
    key = _ground(wallet.sign(digest(domain, constant)).r)
    public = StarkSigner(key).public_key
    assert (hex(key), hex(public)) == (expected["l2_private_key"], expected["l2_public_key"])
    assert _address_of(public, given) == expected["account_address"]


def _ground(seed: bytes) -> int:
    fair = 2**256 - 2**256 % ORDER
    tries = (hashlib.sha256(seed + bytes((index,))).digest() for index in range(256))
    return next(n for n in (int.from_bytes(made, "big") for made in tries) if n < fair) % ORDER


def _address_of(public: int, given: Fields) -> str:
    """Of a contract that a proxy makes without a deployer. Source: docs.starknet.io, "Contract
    address"; read 2026-11-21."""
    proxy, inside = (int(given[f"{name}_class_hash"], 16) for name in ("proxy", "account"))
    call = pedersen_many([inside, starknet_keccak("initialize"), 2, public, 0])
    parts = [short_string("STARKNET_CONTRACT_ADDRESS"), 0, public, proxy, call]
    return hex(pedersen_many(parts) % (2**251 - 256))


# --------------------------------------------------------------------------- frames


def _frame(given: Fields, expected: Fields) -> None:
    frame = bytes.fromhex(given["frame_hex"])
    kind, data = sbe.decode(frame)
    told = json.loads(json.dumps(data))
    assert (kind, told) == (expected["channel"].partition(".")[0], expected["data"])
    if kind == "order_book":
        book = sbe.decode_book(frame)
        assert (book.bids, book.asks) == (data["bids"], data["asks"])
        assert (book.number, book.snapshot) == (data["seq_no"], data["pkg_type"] == "SNAPSHOT")


CHECKS: dict[str, Callable[[Fields, Fields], None]] = {
    "order": _order,
    "modify_order": _modify_order,
    "auth": _auth,
    "onboarding": _onboarding,
    "address": _address,
    "l2_key_from_l1_key": _key_of_wallet,
    "sbe_decode": _frame,
}


# --------------------------------------------------------------------------- helpers


def _venue(given: Fields) -> ParadexExchange:
    keys = {"account_address": given["account_address"], "private_key": given["l2_private_key"]}
    venue = ParadexExchange(**keys)
    venue.decode_markets([{"starknet_chain_id": given["starknet_chain_id"]}, {"results": []}])
    return venue


def _check_message(given: Fields, expected: Fields, struct: int, theirs: str) -> None:
    venue = _venue(given)
    message = venue._auth.message_hash(struct)
    assert struct == int(expected["struct_hash"], 16)
    assert auth.domain_hash(given["starknet_chain_id"]) == int(expected["domain_hash"], 16)
    ours = auth.signature_text(*venue._auth.sign(message))
    _check_proof(expected, message, ours, theirs)


def _check_proof(expected: Fields, message: int, *signatures: str) -> None:
    assert message == int(expected["message_hash"], 16)
    public = int(expected["l2_public_key"], 16)
    for signature in signatures:
        r, s = (int(part) for part in json.loads(signature))
        assert fast_stark_crypto.verify(public, message, r, s)


def _sent(body: Fields) -> dict[str, Any]:
    return {
        name: value
        for name, value in body.items()
        if value is not None and name not in (*SIGNED, *OWN)
    }


def _market(symbol: str) -> Market:
    coin = symbol.partition("-")[0]
    entry = {
        "symbol": symbol,
        "base_currency": coin,
        "quote_currency": "USD",
        "order_size_increment": "0.00000001",
        "price_tick_size": "0.00000001",
        "asset_kind": "PERP",
    }
    config = {"starknet_chain_id": ""}
    return ParadexExchange(read_only=True).decode_markets([config, {"results": [entry]}])[0]

"""Runs one case of TreadFi on Hyperliquid through the encoders and signers that are used live."""

from __future__ import annotations

import json
from decimal import Decimal

from vectors.treadfi import (
    Case,
    check_login,
    check_request,
    market_of,
    order_of,
    proven,
    same,
)

from mpdex.utils.common_hyperliquid import checked_address
from mpdex.utils.hyperliquid_signing import wallet_digest
from mpdex.utils.signing.eip712 import EvmSigner
from wrappers.treadfi_hl import TreadfiHlExchange

ADDRESS = "0x" + "11" * 20


def check(case: Case) -> None:
    """Raises: AssertionError naming what differs."""
    given, expected = case["input"], case["expected"]
    kind = case["name"].partition("_")[0]
    match kind:
        case "login":
            dex = opened(login_private_key=given["private_key"])
            check_login(dex, given, expected, expected["digest"].removeprefix("0x"))
            preimage = bytes.fromhex(expected["eip191_preimage_hex"])
            assert preimage.endswith(expected["message"].encode())
        case "order":
            order(given, expected)
        case "leverage":
            settings = (given["pair"], given["leverage"], given["margin_mode"])
            request = opened().route.leverage(given["account_id"], *settings)
            check_request(proven(opened(), request, cookies_in(expected)), expected)
        case "cancel":
            request = opened().route.cancel(given["order_id"])
            check_request(proven(opened(), request, cookies_in(expected)), expected)
        case "transfer":
            transfer(given, expected)
        case "symbols":
            symbols(expected)
        case _:
            raise AssertionError(f"unknown case {case['name']}")


def opened(**keys: str) -> TreadfiHlExchange:
    return TreadfiHlExchange(**{"account_name": "my_hl", "account_address": ADDRESS, **keys})


def cookies_in(expected: Case) -> dict[str, str]:
    words = expected["request"]["headers"]["Cookie"].split("; ")
    return dict(word.split("=", 1) for word in words)


def order(given: Case, expected: Case) -> None:
    dex = opened(account_name=given["account_name"])
    market = market_of(given["pair"], "0.00001", "0.1")
    meant = order_of(given, market, size=given["qty"], price=given["limit_price"])
    request = dex.encode_order(meant, market, 0)
    cookies = {name: given[name] for name in ("csrftoken", "sessionid")}
    check_request(proven(dex, request, cookies), expected)


def transfer(given: Case, expected: Case) -> None:
    signer = EvmSigner(given["private_key"])
    same("signer", signer.address, expected["signer"])
    account = given["sub_account"] or signer.address
    dex = opened(
        account_address=checked_address(account, "account_address", "treadfi.hyperliquid"),
        wallet_private_key=given["private_key"],
    )
    request = dex.encode_transfer(Decimal(given["amount"]), given["to_perp"], given["nonce"])
    body = {name: value for name, value in json.loads(request.body).items() if value is not None}
    theirs = expected["hyperliquid_exchange_body"]
    same("digest", "0x" + wallet_digest(body["action"]).hex(), expected["digest"])
    same("signature", numbers(body.pop("signature")), numbers(theirs["signature"]))
    same("body", body, {name: theirs[name] for name in ("action", "nonce")})


def numbers(signature: Case) -> tuple[int, int, int]:
    """The SDK leaves leading zeros out."""
    return int(signature["r"], 16), int(signature["s"], 16), signature["v"]


def symbols(expected: Case) -> None:
    dex = opened()
    for row in expected["rows"]:
        name, slash, _ = row["hyperliquid"].partition("/")
        kind = "spot" if slash else "perp"
        same("pair", dex.market_symbol(name, "USDC", kind), row["tread"])

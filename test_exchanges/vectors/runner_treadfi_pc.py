"""Runs one case of TreadFi on Pacifica through the encoders and signers that are used live.

Calls that the interface does not have (balances, the heavy form of an order, a Solana login) are
made of the same parts.
"""

from __future__ import annotations

from decimal import Decimal

from vectors.treadfi import (
    Case,
    answer,
    check_login,
    check_request,
    market_of,
    order_of,
    proven,
    same,
)

from mpdex.types import Request
from mpdex.utils.common_treadfi import DAY, ORDERS, SessionRoute, TokenRoute, listed, read
from mpdex.utils.precision import plain
from mpdex.utils.signing.ed25519 import Ed25519Signer
from wrappers.treadfi_pc import TreadfiPcExchange

COOKIES = {"csrftoken": "CSRF", "sessionid": "SESS"}
FINE = "0.00001"


def check(case: Case) -> None:
    """Raises: AssertionError naming what differs."""
    given, expected = case["input"], case["expected"]
    name = case["name"]
    if name.startswith("login_solana"):
        solana(given, expected)
    elif name.startswith("login"):
        login(given, expected)
    elif name.startswith("session"):
        dex = opened(given.get("account_name", "pac"))
        check_request(proven(dex, session(name, given, dex), COOKIES), expected)
    else:
        dex = opened("pac", token=given["api_token"])
        check_request(proven(dex, token(given), {}), expected)


def opened(account: str = "pac", **keys: str) -> TreadfiPcExchange:
    return TreadfiPcExchange(account_name=account, account="1" * 32, **keys)


def login(given: Case, expected: Case) -> None:
    dex = opened(login_private_key=given["private_key"])
    check_login(dex, given, expected, expected["eip191_hash"])
    wrapper = expected["signature_as_reference_wrapper_sends_it"]
    same("0x", expected["signature_as_browser_sends_it"], f"0x{wrapper}")


def solana(given: Case, expected: Case) -> None:
    signer = Ed25519Signer(bytes.fromhex(given["seed_hex"]))
    text = opened().decode_challenge(answer({"nonce": given["nonce"]})).text
    same("message", text, expected["message"])
    same("public key", signer.public_key.hex(), expected["public_key_hex"])
    same("signature", signer.sign(text.encode()).hex(), expected["signature_hex_no_0x"])


def session(name: str, given: Case, dex: TreadfiPcExchange) -> Request:
    route = dex.route
    assert isinstance(route, SessionRoute)
    match name:
        case "session_open_orders":
            return route.open_orders(given["pair"], 10)
        case "session_cancel":
            return route.cancel(given["order_id"])
        case "session_set_leverage":
            settings = (given["pair"], given["leverage"], given["margin_mode"])
            return route.leverage(given["account_id"], *settings)
        case "session_account_id":
            return route.account()
    market = market_of(given["pair"], given["lot_size"], given["tick_size"] or FINE)
    meant = order_of(given, market, size=given["amount"], price=given["price"])
    return dex.encode_order(meant, market, 0)


def token(given: Case) -> Request:
    route, arguments = TokenRoute("pac"), given.get("sdk_arguments", {})
    match given["sdk_call"]:
        case "place_order":
            return place(route, arguments)
        case "get_order":
            return read(f"/api/order/{given['order_id']}", {})
        case "cancel_order":
            return route.cancel(given["order_id"])
        case "get_all_orders":
            words = {name: str(value) for name, value in arguments.items()}
            return listed(words.pop("account_names"), **words)
        case "set_leverage":
            [account], leverage = arguments["account_ids"], int(arguments["leverage"])
            return route.leverage(account, arguments["pair"], leverage, "cross")
        case "get_balances":
            return read("/api/balances/", {"account_names": ",".join(given["account_names"])})
    raise AssertionError(f"unknown call {given['sdk_call']}")


def place(route: TokenRoute, arguments: Case) -> Request:
    market = market_of(arguments["pair"], FINE, "1")
    reduces = arguments["strategy_params"]["reduce_only"]
    meant = order_of(
        {**arguments, "reduce_only": reduces},
        market,
        size=plain(Decimal(str(arguments["base_asset_qty"]))),
        price=arguments.get("limit_price"),
    )
    body = route.order(meant, arguments.get("duration", DAY))
    return Request("POST", ORDERS, json=body, host="app", signed=True, command=True)

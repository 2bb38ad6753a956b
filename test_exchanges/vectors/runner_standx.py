"""Runs a signing vector of StandX through our own encoders and signers.

What our interface does not have (take profit, margin, cancels of several orders) and other
spellings of a body go through the signer alone, byte for byte as given.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from mpdex.dex.requests import sealed
from mpdex.types import CancelRequest, Market, OrderRequest, Request, TimeInForce
from mpdex.utils.login_answers import token_claims
from mpdex.utils.signing.base58 import encode_base58
from mpdex.utils.signing.ed25519 import Ed25519Signer
from mpdex.utils.signing.eip712 import personal_digest
from wrappers.standx import StandxExchange
from wrappers.standx_auth import StandxAuth, proof, session_of, signing_text
from wrappers.standx_wire import decode_market
from wrappers.standx_ws_client import command_frame

Fields = dict[str, Any]
VENUE = StandxExchange(read_only=True)
# What every signed request of ours has besides its session.
_OURS = {"x-request-sign-version", "x-request-id", "x-request-timestamp", "x-request-signature"}


def check(case: Mapping[str, Any]) -> None:
    """Raises AssertionError unless bodies, messages, signatures and frames are as expected."""
    CHECKS[case["kind"]](case["input"], case["expected"])


def _check_rest(given: Fields, expected: Fields) -> None:
    body = given["body"].encode()
    if given["serialisation"] == "compact" and given["path"] in ENCODERS:
        assert _encoded(given["path"], given["payload"]).body == body
    signer = _signer(given, expected)
    stamp, name = given["timestamp_ms"], given["x_request_id"]
    _check_message(signing_text(body, name, str(stamp)), expected)
    headers = proof(signer, body, name, stamp)
    assert headers["x-request-signature"] == expected["signature_base64"]
    assert set(headers) == _OURS
    pair = session_of(given["token"], signer)
    session = {"x-session-id": given["session_id"]} if given["session_id"] else {}
    sent = {"Content-Type": "application/json", **pair.headers, **headers, **session}
    assert sent == expected["headers"]


def _check_socket(given: Fields, expected: Fields) -> None:
    params, name = given["params"].encode(), given["x_request_id"]
    wanted, header = expected["frame"], None
    if "header" in wanted:
        signer = _signer(given, expected)
        proved = proof(signer, params, name, given["timestamp_ms"])
        header = {key: proved[key] for key in wanted["header"]}
        _check_message(signing_text(params, name, str(given["timestamp_ms"])), expected)
        assert proved["x-request-signature"] == expected["signature_base64"]
        path = {"order:new": "/api/new_order", "order:cancel": "/api/cancel_order"}[given["method"]]
        request = _encoded(path, given["payload"])
        assert (request.call, request.json) == (given["method"], given["payload"])
    ids = given["session_id"], given["envelope_request_id"]
    frame = command_frame(*ids, given["method"], params, header)
    assert json.loads(frame) == wanted
    assert frame.decode() == expected.get("frame_text_compact", frame.decode())


def _check_login(given: Fields, expected: Fields) -> None:
    """Of a wallet of either chain; only the spelling of the key and of the proof differ."""
    secret = given.get("wallet_private_key") or _base58(given["wallet_ed25519_seed_hex"])
    auth = StandxAuth({"wallet_private_key": secret, "chain": given["chain"]})
    assert auth.account == f"{given['chain']}_{expected['address']}"
    begun = auth.begin()
    assert begun is not None
    assert begun.json["address"] == expected["address"]
    assert (begun.path, begun.query) == ("/v1/offchain/prepare-signin", {"chain": given["chain"]})
    signer = Ed25519Signer(bytes.fromhex(given["ed25519_seed_hex"]))
    assert encode_base58(signer.public_key).decode() == expected["request_id_base58"]
    claims = token_claims(given["signed_data_jwt"])
    assert claims == given["signed_data_payload"]
    if "eip191_keccak256" in expected:
        assert personal_digest(claims["message"]).hex() == expected["eip191_keccak256"]
    login = auth.answer(given["signed_data_jwt"], signer)
    assert login.json["signature"] == expected["signature"]
    assert {**login.json, "expiresSeconds": given["expires_seconds"]} == expected["login_body"]
    assert (login.path, login.host) == ("/v1/offchain/login", "login")


def _check_refusal(given: Fields, expected: Fields) -> None:
    """The signing text of the changed request is not what was signed."""
    text = signing_text(given["body"].encode(), given["x_request_id"], str(given["timestamp_ms"]))
    key = VerifyKey(bytes.fromhex(given["public_key_hex"]))
    try:
        key.verify(text, b64decode(given["signature_base64"], validate=True))
        valid = True
    except (BadSignatureError, ValueError):  # the latter where it is no signature at all
        valid = False
    assert valid is expected["signature_valid"]


def _check_message(message: bytes, expected: Fields) -> None:
    assert message.decode() == expected["message"]
    assert hashlib.sha256(message).hexdigest() == expected["message_sha256"]


def _signer(given: Fields, expected: Fields) -> Ed25519Signer:
    signer = Ed25519Signer(bytes.fromhex(given["ed25519_seed_hex"]))
    assert signer.public_key.hex() == expected["public_key_hex"]
    return signer


def _base58(seed_hex: str) -> str:
    return encode_base58(bytes.fromhex(seed_hex)).decode()


# --------------------------------------------------------------------------- our encoders


def _encoded(path: str, payload: Fields) -> Request:
    """With the fields that our interface does not have, in the order of that client."""
    request = ENCODERS[path](payload)
    assert set(request.json) <= set(payload)
    body = {key: request.json.get(key, value) for key, value in payload.items()}
    return sealed(replace(request, json=body, body=b""))


def _order(payload: Fields) -> Request:
    price, tif = payload.get("price"), payload["time_in_force"]
    order = OrderRequest(
        symbol=payload["symbol"],
        side=payload["side"],
        size=Decimal(payload["qty"]),
        price=None if price is None else Decimal(price),
        client_id=payload.get("cl_ord_id", ""),
        post_only=tif == "alo",
        reduce_only=payload["reduce_only"],
        time_in_force=TimeInForce.IOC if tif == "ioc" else TimeInForce.GTC,
    )
    return VENUE.encode_order(order, _market(payload["symbol"]), 0)


def _cancel(payload: Fields) -> Request:
    ids = str(payload.get("order_id", "")), payload.get("cl_ord_id", "")
    cancel = CancelRequest(symbol="BTC-USD", order_id=ids[0], client_id=ids[1])
    return VENUE.encode_cancel(cancel, _market("BTC-USD"))


def _leverage(payload: Fields) -> Request:
    leverage = Decimal(payload["leverage"])
    return VENUE.encode_leverage(_market(payload["symbol"]), leverage, 0)


def _market(symbol: str) -> Market:
    return decode_market(
        {
            "symbol": symbol,
            "base_asset": symbol.removesuffix("-USD"),
            "quote_asset": "DUSD",
            "price_tick_decimals": 2,
            "qty_tick_decimals": 4,
            "min_order_qty": "0.0001",
        }
    )


ENCODERS: dict[str, Callable[[Fields], Request]] = {
    "/api/new_order": _order,
    "/api/cancel_order": _cancel,
    "/api/change_leverage": _leverage,
}
CHECKS: dict[str, Callable[[Fields, Fields], None]] = {
    "rest_body_signature": _check_rest,
    "ws_command": _check_socket,
    "evm_login": _check_login,
    "solana_login": _check_login,
    "must_be_rejected": _check_refusal,
}

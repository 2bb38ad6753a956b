"""Runs a signing vector of Pacifica through our own encoders and signer.

The encoder of an operation gives the request; fields that our interface does not have (take profit,
builder codes, top-of-book) are laid over it in the venue's spelling. Operations that it does not
have at all go through the signer alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
from base58 import b58encode

from mpdex.types import CancelRequest, Market, OrderRequest, Request, TimeInForce
from mpdex.utils.pacifica_wire import decode_market
from wrappers.pacifica import PacificaExchange
from wrappers.pacifica_auth import OPERATIONS, PacificaAuth, signing_text
from wrappers.pacifica_ws_client import PacificaAccountClient

Fields = dict[str, Any]
PATHS = {operation: path for path, operation in OPERATIONS.items()}
VENUE = PacificaExchange(read_only=True)


def check(case: Mapping[str, Any]) -> None:
    """Raises AssertionError unless message, signature, body and frame are as expected."""
    given, expected = case["input"], case["expected"]
    if "actions" in given:
        _check_batch(given, expected)
        return
    operation, payload = given["operation_type"], given["payload"]
    request = _request(operation, payload)
    assert given["rest_path"] in (request.path, None)
    assert request.json == payload
    times = given["timestamp"], given["expiry_window"]
    message = signing_text(operation, payload, *times)
    assert message.decode() == expected["message"]
    assert message.hex() == expected["message_hex"]
    auth = _auth(given)
    assert (auth.agent or auth.account) == expected["signer_public_key"]
    signed = auth.sign(request, *times)
    body = json.loads(signed.body)
    assert body["signature"] == expected["signature"]
    assert body == expected["request_body"]
    if "ws_message" in expected:
        _check_frame(signed, expected["ws_message"])


def _check_batch(given: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Each action is signed by itself; nothing is signed as a whole."""
    auth, times = _auth(given), (given["timestamp"], given["expiry_window"])
    signed = []
    for action, message in zip(given["actions"], expected["messages"], strict=True):
        operation, payload = action["operation_type"], action["payload"]
        assert signing_text(operation, payload, *times).decode() == message
        body = auth.sign(_request(operation, payload), *times).body
        signed.append({"type": action["type"], "data": json.loads(body)})
    assert {"actions": signed} == expected["request_body"]


def _check_frame(signed: Request, expected: Mapping[str, Any]) -> None:
    """The frame is the body under the operation's name; only the id of the call is ours."""
    frame = json.loads(PacificaAccountClient(keys={}).encode_call(signed, 7))
    assert len(frame["id"]) == len(expected["id"]) == 36
    assert frame["params"] == expected["params"]


def _auth(given: Mapping[str, Any]) -> PacificaAuth:
    key = given.get("agent_private_key_base58") or given["private_key_base58"]
    seed = bytes.fromhex(given.get("agent_seed_hex") or given["seed_hex"])
    auth = PacificaAuth(given["account"], key)
    from_seed = PacificaAuth(given["account"], b58encode(seed).decode())
    assert auth.agent == from_seed.agent, "the seed alone is the same key"
    return auth


def _request(operation: str, payload: Fields) -> Request:
    encode = ENCODERS.get(operation)
    if encode is None:
        return Request("POST", PATHS[operation], json=payload, signed=True)
    request = encode(payload)
    fields = {**request.json, **{k: v for k, v in payload.items() if k not in request.json}}
    return replace(request, json=fields, body=msgspec.json.encode(fields))


def _order(payload: Fields) -> Request:
    price, tif = payload.get("price"), payload.get("tif")
    slippage = payload.get("slippage_percent")
    order = OrderRequest(
        symbol=payload["symbol"],
        side={"bid": "buy", "ask": "sell"}[payload["side"]],
        size=Decimal(payload["amount"]),
        price=None if price is None else Decimal(price),
        client_id=payload.get("client_order_id", ""),
        post_only=tif == "ALO",
        reduce_only=payload["reduce_only"],
        time_in_force=TimeInForce.IOC if tif == "IOC" else TimeInForce.GTC,
        slippage_bps=None if slippage is None else Decimal(slippage) * 100,
    )
    request = VENUE.encode_order(order, _market(payload["symbol"]), 0)
    if tif != "TOB":
        return request
    return replace(request, json={**request.json, "tif": tif})  # repriced post-only: not offered


def _cancel(payload: Fields) -> Request:
    cancel = CancelRequest(
        symbol=payload["symbol"],
        order_id=str(payload.get("order_id", "")),
        client_id=payload.get("client_order_id", ""),
    )
    return VENUE.encode_cancel(cancel, _market(payload["symbol"]))


def _cancel_all(payload: Fields) -> Request:
    request = VENUE.encode_cancel_all(_market(payload.get("symbol", "BTC")))
    if payload["all_symbols"]:
        return replace(request, json=dict(payload))  # of one market at a time, here
    return replace(request, json={**request.json, **payload})


def _leverage(payload: Fields) -> Request:
    leverage = Decimal(payload["leverage"])
    return VENUE.encode_leverage(_market(payload["symbol"]), leverage, 0)


ENCODERS: dict[str, Callable[[Fields], Request]] = {
    "create_order": _order,
    "create_market_order": _order,
    "cancel_order": _cancel,
    "cancel_all_orders": _cancel_all,
    "update_leverage": _leverage,
}


def _market(symbol: str) -> Market:
    entry = {
        "symbol": symbol,
        "tick_size": "0.000001",
        "lot_size": "0.00001",
        "min_order_size": "10",
        "max_leverage": 50,
    }
    return decode_market(entry, symbol)

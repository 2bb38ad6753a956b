"""Runs a signing vector of Lighter through our own signer and, for calls we have, our encoders.

A signature is made with a random number, and the signer stamps the deadline itself, so neither can
be repeated. Compared is everything else: the fields of the transaction with the vector's; the hash
with one computed by the venue's rules from the vector's elements and our deadline, after those
rules gave the vector's own hash; and the signature is verified with the vector's public key. That
mathematics is the simulated venue's, which has nothing in common with the signer.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from mpdex.sim.venues.lighter_crypto import verify
from mpdex.sim.venues.lighter_hash import digest, to_bytes
from mpdex.types import CancelRequest, Market, OrderRequest, Request, TimeInForce
from mpdex.utils.clock import SystemClock
from wrappers.lighter import LighterExchange
from wrappers.lighter_signer import (
    CANCEL_ALL,
    CANCEL_ORDER,
    CREATE_ORDER,
    GROUPED_ORDERS,
    LIFE_MS,
    MODIFY_ORDER,
    UPDATE_LEVERAGE,
    UPDATE_MARGIN,
    LighterSigner,
)

# The SDK's names of arguments -> the transaction's fields.
FIELDS = {
    "market_index": "MarketIndex",
    "client_order_index": "ClientOrderIndex",
    "base_amount": "BaseAmount",
    "price": "Price",
    "is_ask": "IsAsk",
    "order_type": "Type",
    "time_in_force": "TimeInForce",
    "reduce_only": "ReduceOnly",
    "trigger_price": "TriggerPrice",
    "order_expiry": "OrderExpiry",
    "order_index": "Index",
    "timestamp_ms": "Time",
    "cancel_all_market_index": "CancelAllMarketIndex",
    "order_version": "OrderVersion",
    "fraction": "InitialMarginFraction",
    "margin_mode": "MarginMode",
    "usdc_amount": "USDCAmount",
    "direction": "Direction",
    "grouping_type": "GroupingType",
    "orders": "Orders",
    "skip_nonce": "SkipNonce",
    "integrator_account_index": "IntegratorAccountIndex",
    "integrator_taker_fee": "IntegratorTakerFee",
    "integrator_maker_fee": "IntegratorMakerFee",
    "self_trade_behavior_mode": "SelfTradeBehaviorMode",
    "self_trade_equality_mode": "SelfTradeEqualityMode",
}
TYPES = {
    "sign_create_order": CREATE_ORDER,
    "sign_cancel_order": CANCEL_ORDER,
    "sign_cancel_all_orders": CANCEL_ALL,
    "sign_modify_order": MODIFY_ORDER,
    "sign_update_leverage": UPDATE_LEVERAGE,
    "sign_update_margin": UPDATE_MARGIN,
    "sign_create_grouped_orders": GROUPED_ORDERS,
}


def check(case: Mapping[str, Any]) -> None:
    """Raises AssertionError unless transaction, hash and signature are as expected."""
    given, expected = case["input"], case["expected"]
    if given["sdk_method"].startswith("create_auth_token"):
        _check_token(given, expected)
        return
    tx_type, wanted = expected["tx_type"], json.loads(expected["tx_info"])
    arguments = dict(given["sdk_arguments"])
    nonce = arguments.pop("nonce")
    fields = {FIELDS[name]: value for name, value in arguments.items()}
    if fields.get("OrderExpiry") == -1:  # the SDK's default: 28 days, as our encoder writes
        fields["OrderExpiry"] = wanted["OrderExpiry"]
    assert tx_type == TYPES[given["sdk_method"]]
    assert _hash(expected["hash_elements"], wanted, given["chain_id"]) == expected["tx_hash"]
    signed = _signer(given).sign(tx_type, fields, nonce)
    ours = json.loads(signed.tx_info)
    assert signed.tx_type == tx_type
    assert _told(ours) == _told(wanted)
    deadline = ours["ExpiredAt"] - SystemClock().now_ms()
    assert abs(deadline - LIFE_MS) < 60_000, "the signer stamps another deadline"
    elements = [*expected["hash_elements"]]
    elements[3] = str(ours["ExpiredAt"])
    assert signed.tx_hash == _hash(elements, ours, given["chain_id"])
    _check_proof(expected, signed.tx_hash, base64.b64decode(ours["Sig"]))
    request = _encoded(given, fields, wanted)
    if request is not None:
        assert request.json["tx_type"] == tx_type
        assert request.json["fields"] == _numbers(fields)


def _check_token(given: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    token = _signer(given).auth_token(given["deadline_unix_s"])
    message, _, proof = token.rpartition(":")
    assert message == expected["message"]
    assert (
        to_bytes(digest([int(element) for element in expected["hash_elements"]])).hex()
        == expected["message_hash"]
    )
    _check_proof(expected, expected["message_hash"], bytes.fromhex(proof))


def _check_proof(expected: Mapping[str, Any], message: str, proof: bytes) -> None:
    """By the simulated venue's own mathematics; a signature of another text must not pass."""
    key = bytes.fromhex(expected["public_key"])
    assert verify(key, bytes.fromhex(message), proof)
    assert not verify(key, bytes(40), proof)


def _signer(given: Mapping[str, Any]) -> LighterSigner:
    return LighterSigner(
        given["private_key"],
        account_index=given["account_index"],
        api_key_index=given["api_key_index"],
        chain_id=given.get("chain_id", 304),
    )


def _told(tx_info: Mapping[str, Any]) -> dict[str, Any]:
    """All but what differs each time."""
    return {name: value for name, value in tx_info.items() if name not in ("Sig", "ExpiredAt")}


def _numbers(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: int(value) for name, value in fields.items()}


def _hash(elements: Sequence[str], tx_info: Mapping[str, Any], chain_id: int) -> str:
    """Of the fields, and of the attributes laid over it."""
    assert elements[0] == str(chain_id)
    found = digest([int(element) for element in elements])
    attributes = tx_info["L2TxAttributes"]
    if attributes:
        pairs = [int(number) for pair in sorted(attributes.items(), key=_number) for number in pair]
        found = digest([*found, *digest([*pairs, *[0] * (8 - len(pairs))])])
    return to_bytes(found).hex()


def _number(attribute: tuple[str, int]) -> int:
    return int(attribute[0])


# --------------------------------------------------------------------------- our encoders

_SIZE_DECIMALS = _PRICE_DECIMALS = 2
# Of an order, what our interface does not have.
EXTRAS = {
    "SkipNonce",
    "SelfTradeBehaviorMode",
    "SelfTradeEqualityMode",
    "IntegratorAccountIndex",
    "IntegratorTakerFee",
    "IntegratorMakerFee",
}


def _encoded(
    given: Mapping[str, Any], fields: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Request | None:
    """The same by our encoders; None where our interface does not have it."""
    venue = LighterExchange(read_only=True, exclusive=True)
    match TYPES[given["sdk_method"]]:
        case 14 if fields["Type"] == 0 and not fields.keys() & EXTRAS:
            return _order(venue, fields, wanted)
        case 15 if "SkipNonce" not in fields:
            return venue.encode_cancel(_by_index(fields["Index"]), _market(fields))
        case 16 if fields["TimeInForce"] == 0 and "CancelAllMarketIndex" in fields:
            return venue.encode_cancel_all(_market({"MarketIndex": fields["CancelAllMarketIndex"]}))
        case 16 if fields["TimeInForce"]:
            return venue.encode_schedule_cancel(fields["Time"] or None)
        case 20 if fields["MarginMode"] == 0:
            leverage = Decimal(10_000) / fields["InitialMarginFraction"]
            return venue.encode_leverage(_market(fields), leverage, 0)
    return None


def _order(venue: LighterExchange, fields: Mapping[str, Any], wanted: Mapping[str, Any]) -> Request:
    """At the moment from which its expiry is 28 days away."""
    order = OrderRequest(
        symbol="X",
        side="sell" if fields["IsAsk"] else "buy",
        size=Decimal(fields["BaseAmount"]).scaleb(-_SIZE_DECIMALS),
        price=Decimal(fields["Price"]).scaleb(-_PRICE_DECIMALS),
        client_id=str(fields["ClientOrderIndex"] or ""),
        post_only=fields["TimeInForce"] == 2,
        reduce_only=bool(fields["ReduceOnly"]),
        time_in_force=TimeInForce.GTC if fields["TimeInForce"] else TimeInForce.IOC,
    )
    now_ms = wanted["OrderExpiry"] - 28 * 86_400_000
    return venue.encode_order(order, _market(fields), now_ms * 1_000_000)


def _by_index(index: int) -> CancelRequest:
    if index >= 2**48:
        return CancelRequest(symbol="X", order_id=str(index))
    return CancelRequest(symbol="X", client_id=str(index))


def _market(fields: Mapping[str, Any]) -> Market:
    return Market(
        symbol="X",
        coin="X",
        quote="USDC",
        kind="perp",
        tick=Decimal("0.01"),
        step=Decimal("0.01"),
        min_size=Decimal("0.01"),
        min_notional=None,
        max_size=None,
        multiplier=Decimal(1),
        max_leverage=None,
        significant_figures=None,
        price_band=None,
        active=True,
        raw={
            "market_id": fields["MarketIndex"],
            "size_decimals": _SIZE_DECIMALS,
            "price_decimals": _PRICE_DECIMALS,
        },
    )

"""Runs a vector of Extended through our own encoder and signer.

What our interface does not have (a replaced order, a builder's part, legs of take profit and stop
loss, another time in force or self-trade rule) is laid over the order or, where it is signed, made
from our amounts and signer. The client that made these sends amounts for debugging besides, and
numbers as it prints them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from unittest.mock import patch

from mpdex.types import Market, OrderRequest, TimeInForce
from mpdex.utils.signing.stark import StarkSigner, pedersen
from wrappers import extended
from wrappers.extended_auth import (
    TESTNET,
    Draft,
    ExtendedAuth,
    amounts_of,
    assets_of,
    private_key_from,
    settlement_expires_s,
)

Fields = Mapping[str, Any]
NUMBERS = ("qty", "price", "fee", "builderFee", "triggerPrice")
TESTNET_URL = "https://api.starknet.sepolia.extended.exchange/api/v1"


def check(case: Fields) -> None:
    """Raises AssertionError unless amounts, hash, signature and body are as expected."""
    CHECKS[case["kind"]](case["input"], case["expected"])


# --------------------------------------------------------------------------- orders


def _order(given: Fields, expected: Fields) -> None:
    keys = _keys(given, expected)
    auth = ExtendedAuth(**keys, chain=given["domain"]["chain_id"])
    draft = _draft(given)
    amounts = amounts_of(draft)
    assert amounts.coin == expected["synthetic_amount"]
    assert amounts.collateral == expected["collateral_amount"]
    assert amounts.fee == expected["fee_amount"]
    assert settlement_expires_s(draft.expires_ms) == expected["settlement_expiration"]
    assert hex(auth.order_hash(draft)) == expected["order_hash"]
    fields = auth.order_fields(draft)
    assert fields["settlement"]["signature"] == expected["signature"]
    assert _comparable({**fields, **_laid_over(given, auth, draft)}) == _comparable(
        expected["body"]
    )
    if not draft.builder_fee:
        assert _encoded(given, keys) == {**fields, **_as_ours(fields)}


def _draft(given: Fields) -> Draft:
    return Draft(
        market=given["market"],
        assets=assets_of(given["l2Config"]),
        kind=given["type"],
        side="buy" if given["side"] == "BUY" else "sell",
        size=Decimal(given["qty"]),
        price=Decimal(given["price"]),
        time_in_force=given["timeInForce"],
        post_only=given["postOnly"],
        reduce_only=given["reduceOnly"],
        expires_ms=given["expiryEpochMillis"],
        fee=Decimal(given["fee"]),
        nonce=given["nonce"],
        client_id=given["externalId"] or "",
        builder_fee=Decimal(given["builderFee"] or 0),
    )


def _laid_over(given: Fields, auth: ExtendedAuth, draft: Draft) -> dict[str, Any]:
    """What that client sends besides."""
    extra: dict[str, Any] = {
        "debuggingAmounts": _amounts(draft),
        "selfTradeProtectionLevel": given["selfTradeProtectionLevel"],
    }
    for name in ("cancelId", "builderFee", "builderId"):
        if given[name] is not None:
            extra[name] = given[name]
    for name in ("takeProfit", "stopLoss"):
        if given[name] is not None:
            extra["tpSlType"] = "ORDER"
            extra[name] = _leg(given[name], auth, draft)
    return extra


def _leg(trigger: Fields, auth: ExtendedAuth, order: Draft) -> dict[str, Any]:
    """It closes what the order opens, and is signed for itself."""
    side = "sell" if order.side == "buy" else "buy"
    leg = order._replace(side=side, price=Decimal(trigger["price"]))
    return {
        "triggerPrice": trigger["trigger"],
        "triggerPriceType": "LAST",
        "price": trigger["price"],
        "priceType": "LIMIT",
        "settlement": auth.settlement(auth.order_hash(leg)),
        "debuggingAmounts": _amounts(leg),
    }


def _amounts(draft: Draft) -> dict[str, str]:
    coin, collateral, fee = map(str, amounts_of(draft))
    return {"collateralAmount": collateral, "feeAmount": fee, "syntheticAmount": coin}


def _comparable(body: Fields) -> dict[str, Any]:
    """Numbers as numbers, in the legs, too."""
    return {name: _value(name, value) for name, value in body.items()}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _comparable(value)
    return Decimal(value) if name in NUMBERS else value


# --------------------------------------------------------------------------- our encoder


def _encoded(given: Fields, keys: Mapping[str, str]) -> Any:
    """The body as our interface makes it, at a time that gives this expiry, with this nonce."""
    testnet = given["domain"]["chain_id"] == TESTNET
    venue = extended.ExtendedExchange(**keys, endpoints={"rest": TESTNET_URL} if testnet else None)
    immediate = given["timeInForce"] == "IOC"
    order = OrderRequest(
        symbol=given["market"],
        side="buy" if given["side"] == "BUY" else "sell",
        size=Decimal(given["qty"]),
        price=Decimal(given["price"]),
        client_id=given["externalId"] or "",
        post_only=given["postOnly"],
        reduce_only=given["reduceOnly"],
        time_in_force=TimeInForce.IOC if immediate else TimeInForce.GTC,
    )
    life_ms = extended.IMMEDIATE_MS if immediate else extended.RESTING_MS
    now_ns = (given["expiryEpochMillis"] - life_ms) * 1_000_000
    with patch.object(extended, "nonce_of", return_value=given["nonce"]):
        request = venue.encode_order(order, _market(given), now_ns)
    assert (request.method, request.path, request.command) == ("POST", "/user/order", True)
    return json.loads(request.body)


def _as_ours(fields: Fields) -> dict[str, str]:
    """Market orders are immediate limit orders here, and nobody rests at the top of the book."""
    force = "GTT" if fields["timeInForce"] == "TOB" else fields["timeInForce"]
    return {"type": "LIMIT", "timeInForce": force}


def _market(given: Fields) -> Market:
    rates = {"makerFeeRate": given["fee"], "takerFeeRate": given["fee"]}
    return Market(
        symbol=given["market"],
        coin=given["market"].partition("-")[0],
        quote="USD",
        kind="perp",
        tick=Decimal("0.0001"),
        step=Decimal("0.0001"),
        min_size=Decimal("0.0001"),
        min_notional=None,
        max_size=None,
        multiplier=Decimal(1),
        max_leverage=None,
        significant_figures=None,
        price_band=None,
        active=True,
        raw={"l2Config": given["l2Config"], "fees": rates},
    )


def _keys(given: Fields, expected: Fields) -> dict[str, str]:
    return {
        "api_key": "key",
        "private_key": given["private_key"],
        "public_key": expected["public_key"],
        "vault": str(given["vault"]),
    }


# --------------------------------------------------------------------------- the curve


def _raw_sign(given: Fields, expected: Fields) -> None:
    signer = StarkSigner(given["private_key"])
    assert hex(signer.public_key) == expected["public_key"]
    r, s = signer.sign(int(given["msg_hash"], 16))
    assert (hex(r), hex(s)) == (expected["r"], expected["s"])


def _pedersen(given: Fields, expected: Fields) -> None:
    assert hex(pedersen(int(given["a"], 16), int(given["b"], 16))) == expected["hash"]


def _key_from_wallet(given: Fields, expected: Fields) -> None:
    key = private_key_from(bytes.fromhex(given["eth_signature"][2:]))
    assert hex(key) == expected["l2_private_key"]
    assert hex(StarkSigner(key).public_key) == expected["l2_public_key"]


CHECKS: Mapping[str, Callable[[Fields, Fields], None]] = {
    "order": _order,
    "raw_sign": _raw_sign,
    "pedersen": _pedersen,
    "l2_key_from_l1_signature": _key_from_wallet,
}

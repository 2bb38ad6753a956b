"""Runs one GRVT signing case through the encoders and signers that orders and settings go through.

A case has `input` (what the user means, nonce and expiration included) and `expected` (the venue's
own SDK's hashes, signature and request body). Bodies are compared as values: `"65000.000000000"`
is 65000, an address has no case, and `chain_id`, which the venue takes as optional, is compared
where the case has it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from mpdex.utils.signing.eip712 import digest, type_hash
from wrappers import grvt_auth as auth
from wrappers.grvt_ws_client import encode_frame

Case = dict[str, Any]
Outcome = tuple[bytes, auth.Proof, Any]  # struct hash, proof, request body


def check(case: Case) -> None:
    """Raises: AssertionError naming what differs."""
    given, expected = case["input"], case["expected"]
    struct_hash, proof, body = RUNNERS[given["operation"]](given)
    domain = auth.domain(given["chain_id"])
    _same(
        "type hash", _hex(type_hash(ENCODED_TYPES[expected["primary_type"]])), expected["type_hash"]
    )
    _same("domain separator", _hex(domain), expected["domain_separator"])
    _same("struct hash", _hex(struct_hash), expected["struct_hash"])
    _same("digest", _hex(digest(domain, struct_hash)), expected["digest"])
    _same_signature(proof._asdict(), expected["signature"])
    _same_body(body, expected["payload"])


# --------------------------------------------------------------------------- operations


def order(given: Case) -> Outcome:
    draft = _draft(given, _order_in(given), _instruments(given))
    key = _key(given)
    body = json.loads(auth.encode_signed_order(draft, key))
    struct_hash = auth.hash_order(draft)
    proof = key.prove(struct_hash, draft.nonce, draft.expiration_ns)
    if given.get("rpc_id") is not None:
        body = _over_socket(body, given["rpc_id"])
    return struct_hash, proof, body


def position_config(given: Case) -> Outcome:
    wanted, market = given["request"], _only_instrument(given)
    terms = (int(wanted["sub_account_id"]), market.asset, wanted["margin_type"])
    leverage, stamp = Decimal(wanted["leverage"]), _stamp(given)
    key, account = _key(given), int(wanted["sub_account_id"])
    struct_hash = auth.hash_position_config(*terms, leverage, *stamp)
    body = auth.encode_position_config(
        key, account, market, wanted["margin_type"], leverage, *stamp
    )
    return struct_hash, auth.Proof(**body["signature"]), body


def isolated_margin(given: Case) -> Outcome:
    wanted, market = given["request"], _only_instrument(given)
    decimals = next(f["balance_decimals"] for f in given["facts"] if "balance_decimals" in f)
    account, amount, stamp = int(wanted["sub_account_id"]), Decimal(wanted["amount"]), _stamp(given)
    struct_hash = auth.hash_isolated_margin(account, market.asset, amount, decimals, *stamp)
    proof = auth.sign_isolated_margin(_key(given), account, market, amount, decimals, *stamp)
    return struct_hash, proof, wanted | {"signature": proof._asdict()}


def derisk_ratio(given: Case) -> Outcome:
    account, ratio, stamp = int(given["sub_account_id"]), Decimal(given["ratio"]), _stamp(given)
    proof = auth.sign_derisk_ratio(_key(given), account, ratio, *stamp)
    body = {"sub_account_id": str(account), "ratio": str(ratio), "signature": proof._asdict()}
    return auth.hash_derisk_ratio(account, ratio, *stamp), proof, body


def transfer(given: Case) -> Outcome:
    terms = auth.Transfer(
        given["from_account_id"],
        int(given["from_sub_account_id"]),
        given["to_account_id"],
        int(given["to_sub_account_id"]),
        given["currency_id"],
        Decimal(given["num_tokens"]),
        6,
    )
    proof = auth.sign_transfer(_key(given), terms, *_stamp(given))
    names = ("from_account_id", "from_sub_account_id", "to_account_id", "to_sub_account_id")
    body = {name: given[name] for name in (*names, "currency", "num_tokens")}
    body |= {"transfer_type": "STANDARD", "transfer_metadata": "", "signature": proof._asdict()}
    return auth.hash_transfer(terms, *_stamp(given)), proof, body


RUNNERS: dict[str, Callable[[Case], Outcome]] = {
    "create_order": order,
    "set_position_config": position_config,
    "add_position_margin": isolated_margin,
    "set_derisk_mm_ratio": derisk_ratio,
    "transfer": transfer,
}
ENCODED_TYPES = {
    "Order": auth.ORDER_TYPE,
    "OrderWithBuilderFee": auth.BUILDER_ORDER_TYPE,
    "SetSubAccountPositionMarginConfig": auth.POSITION_CONFIG_TYPE,
    "AddIsolatedPositionMargin": auth.ISOLATED_MARGIN_TYPE,
    "SetDeriskToMaintenanceMarginRatio": auth.DERISK_RATIO_TYPE,
    "Transfer": auth.TRANSFER_TYPE,
}


# --------------------------------------------------------------------------- reading a case


def _key(given: Case) -> auth.GrvtSigner:
    return auth.signer(given["private_key"], given["chain_id"])


def _stamp(given: Case) -> tuple[int, int]:
    return given["nonce"], int(given["expiration"])


def _order_in(given: Case) -> Case:
    """The order as the venue's fields, whichever of its SDK's calls made the case."""
    if "symbol" in given:
        return _order_of_call(given)
    found: Case = given["order"] if "order" in given else given["request"]
    return found


def _order_of_call(given: Case) -> Case:
    leg = {
        "instrument": given["symbol"],
        "size": given["amount"],
        "limit_price": given["price"],
        "is_buying_asset": given["side"] == "buy",
    }
    params = given["params"]
    return {
        "sub_account_id": given["sub_account_id"],
        "is_market": given["order_type"] == "market",
        "time_in_force": params.get("time_in_force", "GOOD_TILL_TIME"),
        "post_only": params.get("post_only", False),
        "reduce_only": params.get("reduce_only", False),
        "legs": [leg],
        "metadata": {"client_order_id": params["client_order_id"]},
    }


def _instruments(given: Case) -> dict[str, auth.Instrument]:
    listed = given["instruments"] if "instruments" in given else given["facts"][0]
    return {
        symbol: auth.instrument(symbol, facts["instrument_hash"], facts["base_decimals"])
        for symbol, facts in listed.items()
    }


def _only_instrument(given: Case) -> auth.Instrument:
    facts = given["facts"][0]
    symbol = given["request"]["instrument"]
    return auth.instrument(symbol, facts["instrument_hash"], facts["base_decimals"])


def _draft(given: Case, wanted: Case, markets: dict[str, auth.Instrument]) -> auth.Draft:
    builder = wanted.get("builder")
    nonce, expiration_ns = _stamp(given)
    return auth.Draft(
        sub_account_id=int(wanted["sub_account_id"]),
        is_market=wanted["is_market"],
        time_in_force=wanted["time_in_force"],
        post_only=wanted["post_only"],
        reduce_only=wanted["reduce_only"],
        legs=tuple(_leg(leg, markets) for leg in wanted["legs"]),
        nonce=nonce,
        expiration_ns=expiration_ns,
        client_id=wanted["metadata"]["client_order_id"],
        builder=auth.Builder(builder, Decimal(wanted["builder_fee"])) if builder else None,
    )


def _leg(leg: Case, markets: dict[str, auth.Instrument]) -> auth.Leg:
    return auth.Leg(
        markets[leg["instrument"]],
        Decimal(leg["size"]),
        Decimal(leg["limit_price"] or 0),
        leg["is_buying_asset"],
    )


def _over_socket(body: Case, call_id: int) -> Case:
    frame: Case = json.loads(encode_frame("v1/create_order", json.dumps(body).encode(), call_id))
    return frame


# --------------------------------------------------------------------------- comparing


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()


def _same(what: str, ours: object, theirs: object) -> None:
    assert ours == theirs, f"{what}: {ours} is not {theirs}"


def _same_signature(ours: Case, theirs: Case) -> None:
    """r and s as numbers: one of the SDK's calls leaves leading zeros out."""
    for part in ("r", "s"):
        _same(part, int(ours[part], 16), int(theirs[part], 16))
        assert len(ours[part]) == 66, f"{part} is not 0x and 64 digits"
    for part in theirs.keys() - {"r", "s", "signer"}:
        _same(part, ours[part], theirs[part])
    _same("signer", ours["signer"].lower(), theirs["signer"].lower())


def _same_body(ours: Any, theirs: Any, where: str = "body") -> None:
    if where.endswith(".signature"):
        _same_signature(ours, theirs)
    elif isinstance(theirs, dict):
        _same(f"keys of {where}", set(ours), set(theirs))
        for name in theirs:
            _same_body(ours[name], theirs[name], f"{where}.{name}")
    elif isinstance(theirs, list):
        _same(f"length of {where}", len(ours), len(theirs))
        for index, item in enumerate(theirs):
            _same_body(ours[index], item, f"{where}[{index}]")
    elif where.endswith((".size", ".limit_price")):
        _same(where, Decimal(ours), Decimal(theirs))
        assert "E" not in ours.upper(), f"{where} has an exponent: {ours}"
    else:
        _same(where, ours, theirs)

"""Runs a signing vector of Hyperliquid through our own encoders and signer.

An order, a cancel, a leverage goes through the encoder of the interface; what the interface does
not have (triggers, brackets, batches, vault deposits) is put together from the same parts and
signed by the same signer. Two habits of the client that made the vectors are allowed for: it cuts
leading zeros off r and s (we do not; the venue takes both), and writes -0.0 as "-0" where the
documentation has "0".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from mpdex.dex.requests import sealed
from mpdex.errors import BadOrder
from mpdex.types import CancelRequest, Market, OrderRequest, Request, Side, TimeInForce
from mpdex.utils.common_hyperliquid import decode_perps, decode_spots, micros, number_text
from mpdex.utils.hyperliquid_signing import (
    completed,
    exchange_digest,
    hash_action,
    pack,
    vault_bytes,
    wallet_digest,
)
from mpdex.utils.precision import snap_price
from mpdex.utils.signing.eip712 import EvmSigner
from wrappers.hyperliquid import HyperliquidExchange
from wrappers.hyperliquid_auth import HyperliquidAuth

Arguments = Mapping[str, Any]
TIMES = {"Gtc": TimeInForce.GTC, "Alo": TimeInForce.GTC, "Ioc": TimeInForce.IOC}


def check(case: Mapping[str, Any]) -> None:
    """Raises AssertionError unless action, hashes, signature and body are as expected."""
    given, expected = case["input"], case["expected"]
    if "function" in given:
        ROWS[given["function"]](expected["rows"])
    elif expected["kind"] == "l1":
        _check_exchange(given, expected)
    else:
        _check_wallet(given, expected)


# --------------------------------------------------------------------------- the exchange


def _check_exchange(given: Arguments, expected: Arguments) -> None:
    testnet, nonce, expires = _is_testnet(given), given["nonce"], given["expires_after"]
    vault = given["vault_address"] or ""
    action = _action(given, vault)
    packed = pack(action)
    assert packed.hex() == expected["msgpack_hex"]
    hashed = hash_action(packed, nonce, vault_bytes(expected["vault_in_hash"]), expires)
    assert f"0x{hashed.hex()}" == expected["action_hash"]
    assert f"0x{exchange_digest(hashed, testnet=testnet).hex()}" == expected["digest"]
    auth = HyperliquidAuth(given["private_key"], vault=vault, testnet=testnet)
    assert auth.address == expected["signer"].lower()
    body = auth.body(action, msgspec.json.encode(action), nonce, expires)
    _check_body(json.loads(body), expected)
    if expires is None:
        request = Request("POST", "/exchange", json=action, nonce=nonce)
        assert auth.sign(sealed(request), 1).body == body


def _check_body(body: Any, expected: Arguments) -> None:
    told = expected["http_body"]
    assert body["signature"] == expected["signature_padded"]
    assert {**body, "signature": None} == {**told, "signature": None}
    assert list(body["action"]) == list(told["action"])


def _action(given: Arguments, vault: str) -> dict[str, Any]:
    venue = HyperliquidExchange(
        private_key=given["private_key"],
        **({"vault_address": vault} if vault else {}),
        **_builder(given["args"]),
    )
    return ACTIONS[given["call"]](venue, given["args"], given.get("asset_ids", {}))


def _builder(arguments: Arguments) -> dict[str, str]:
    builder = arguments.get("builder")
    return {"builder": builder["b"], "builder_fee": str(builder["f"])} if builder else {}


def _orders(
    venue: HyperliquidExchange, arguments: Arguments, assets: Mapping[str, int]
) -> dict[str, Any]:
    fields = [_order(venue, order, assets) for order in arguments["orders"]]
    first = next(order for order in arguments["orders"] if "tif" in order or "trigger" in order)
    action = venue.encode_order(_request(first), _market(first["coin"], assets), 0).json
    if len(fields) == 1 and "trigger" not in first:
        assert action["orders"] == fields
    grouping = arguments.get("grouping", "na")
    return {**action, "orders": fields, "grouping": grouping}


def _order(
    venue: HyperliquidExchange, order: Arguments, assets: Mapping[str, int]
) -> dict[str, Any]:
    fields = venue.encode_order_fields(_request(order), _market(order["coin"], assets))
    if "trigger" in order:
        trigger = order["trigger"]
        price = number_text(Decimal(trigger["triggerPx"]))
        kind = {"isMarket": trigger["isMarket"], "triggerPx": price, "tpsl": trigger["tpsl"]}
        fields["t"] = {"trigger": kind}
    return fields


def _request(order: Arguments) -> OrderRequest:
    force = order.get("tif", "Gtc")
    return OrderRequest(
        symbol=order["coin"],
        side="buy" if order["is_buy"] else "sell",
        size=Decimal(order["size"]),
        price=Decimal(order["price"]),
        client_id=order.get("cloid", ""),
        post_only=force == "Alo",
        reduce_only=order.get("reduce_only", False),
        time_in_force=TIMES[force],
    )


def _cancels(
    venue: HyperliquidExchange, arguments: Arguments, assets: Mapping[str, int]
) -> dict[str, Any]:
    actions = [
        venue.encode_cancel(
            CancelRequest(
                symbol=cancel["coin"],
                order_id=str(cancel.get("oid", "")),
                client_id=cancel.get("cloid", ""),
            ),
            _market(cancel["coin"], assets),
        ).json
        for cancel in arguments["cancels"]
    ]
    return {**actions[0], "cancels": [cancel for each in actions for cancel in each["cancels"]]}


def _modifies(
    venue: HyperliquidExchange, arguments: Arguments, assets: Mapping[str, int]
) -> dict[str, Any]:
    modifies = [
        {"oid": each["oid"], "order": _order(venue, each["order"], assets)}
        for each in arguments["modifies"]
    ]
    return {"type": "batchModify", "modifies": modifies}


def _schedule(
    venue: HyperliquidExchange, arguments: Arguments, _: Mapping[str, int]
) -> dict[str, Any]:
    action: dict[str, Any] = venue.encode_schedule_cancel(arguments["time"]).json
    return action


def _leverage(
    venue: HyperliquidExchange, arguments: Arguments, assets: Mapping[str, int]
) -> dict[str, Any]:
    market = _market(arguments["coin"], assets)
    market["raw"]["onlyIsolated"] = not arguments["is_cross"]
    leverage = Decimal(arguments["leverage"])
    action: dict[str, Any] = venue.encode_leverage(market, leverage, 0).json
    return action


def _isolated_margin(
    venue: HyperliquidExchange, arguments: Arguments, assets: Mapping[str, int]
) -> dict[str, Any]:
    asset = _market(arguments["coin"], assets)["raw"]["asset"]
    ntli = micros(Decimal(arguments["usd"]))
    return {"type": "updateIsolatedMargin", "asset": asset, "isBuy": True, "ntli": ntli}


def _noop(venue: HyperliquidExchange, _: Arguments, __: Mapping[str, int]) -> dict[str, Any]:
    fence = venue.encode_fence(7, _market("BTC", {"BTC": 0}))
    assert fence.nonce == 7
    action: dict[str, Any] = fence.json
    return action


def _raw(_: HyperliquidExchange, arguments: Arguments, __: Mapping[str, int]) -> dict[str, Any]:
    action: dict[str, Any] = arguments["action"]
    return action


def _of(kind: str, *names: tuple[str, str]) -> Callable[..., dict[str, Any]]:
    """An action that our interface does not offer; the signer takes it as it is."""

    def action(_: HyperliquidExchange, arguments: Arguments, __: Any) -> dict[str, Any]:
        return {"type": kind, **{sent: arguments[name] for name, sent in names}}

    return action


ACTIONS: dict[str, Callable[..., dict[str, Any]]] = {
    "vaultTransfer": _of(
        "vaultTransfer", ("vault", "vaultAddress"), ("is_deposit", "isDeposit"), ("usd", "usd")
    ),
    "subAccountTransfer": _of(
        "subAccountTransfer",
        ("sub_account", "subAccountUser"),
        ("is_deposit", "isDeposit"),
        ("usd", "usd"),
    ),
    "agentSetAbstraction": _of("agentSetAbstraction", ("abstraction", "abstraction")),
    "reserveRequestWeight": _of("reserveRequestWeight", ("weight", "weight")),
    "order": _orders,
    "cancel": _cancels,
    "cancelByCloid": _cancels,
    "batchModify": _modifies,
    "raw_l1": _raw,
    "scheduleCancel": _schedule,
    "updateLeverage": _leverage,
    "updateIsolatedMargin": _isolated_margin,
    "noop": _noop,
}


# --------------------------------------------------------------------------- the wallet


class Captured(HyperliquidExchange):
    """Keeps what would have been sent."""

    async def _by_wallet(self, action: dict[str, Any]) -> None:
        self.captured = self.encode_wallet_action(action)


def _check_wallet(given: Arguments, expected: Arguments) -> None:
    testnet, nonce, vault = _is_testnet(given), given["nonce"], given["vault_address"]
    keys = {"private_key": given["private_key"], **({"vault_address": vault} if vault else {})}
    venue = Captured(testnet=testnet, **keys)
    _run(WALLET[given["call"]](venue, {**given["args"], **given}))
    request = replace(sealed(venue.captured), nonce=nonce)
    whole = completed(request.json, nonce, testnet=testnet)
    assert f"0x{wallet_digest(whole).hex()}" == expected["digest"]
    body = json.loads(venue.sign(request, 1).body)
    assert body["signature"] == expected["signature_padded"]
    told = expected["http_body"]
    assert _lower(body["action"]) == _lower(told["action"])
    assert [body[name] for name in BESIDE] == [told[name] for name in BESIDE]


BESIDE = ("nonce", "vaultAddress", "expiresAfter")


def _run(call: Coroutine[Any, Any, None]) -> None:
    """Nothing is waited for."""
    with suppress(StopIteration):
        call.send(None)


def _lower(action: Arguments) -> dict[str, Any]:
    """Addresses are spelled in lower case here; as words of the hash they are the same."""
    return {name: text.lower() if isinstance(text, str) else text for name, text in action.items()}


def _agent(arguments: Arguments) -> str:
    return EvmSigner(arguments["agent_private_key"]).address


WALLET: dict[str, Callable[[Captured, Arguments], Coroutine[Any, Any, None]]] = {
    "usdSend": lambda venue, a: venue.send_usd(a["destination"], a["amount"]),
    "spotSend": lambda venue, a: venue.send_spot(a["destination"], a["token"], a["amount"]),
    "withdraw3": lambda venue, a: venue.withdraw(a["destination"], a["amount"]),
    "usdClassTransfer": lambda venue, a: venue.transfer_usd(a["amount"], to_perp=a["to_perp"]),
    "sendAsset": lambda venue, a: venue.send_asset(
        a["destination"],
        a["token"],
        a["amount"],
        source_dex=a["source_dex"],
        destination_dex=a["destination_dex"],
    ),
    "approveAgent": lambda venue, a: venue.approve_agent(_agent(a), a["name"] or ""),
    "approveBuilderFee": lambda venue, a: venue.approve_builder(a["builder"], a["max_fee_rate"]),
    "userSetAbstraction": lambda venue, a: venue.set_account_mode(a["abstraction"], a["user"]),
}


# --------------------------------------------------------------------------- numbers


def _numbers(rows: Sequence[Arguments]) -> None:
    for row in rows:
        value = Decimal(row["value"])
        if "error" in row:
            with pytest.raises(BadOrder):
                number_text(value)
        else:
            assert number_text(value) == row["wire"].replace("-0", "0")


def _micros(rows: Sequence[Arguments]) -> None:
    for row in rows:
        value = Decimal(row["value"])
        if "error" in row:
            with pytest.raises(BadOrder):
                micros(value)
        else:
            assert micros(value) == row["int"]


def _market_prices(rows: Sequence[Arguments]) -> None:
    """The client rounds to the nearest price, we to the one that does not go beyond the bound: at
    most one step of the price apart, and on the grid."""
    for row in rows:
        market = _market(row["coin"], {row["coin"]: row["asset_id"]}, row["sz_decimals"])
        side: Side = "buy" if row["is_buy"] else "sell"
        slippage = Decimal(str(row["slippage"]))
        worst = Decimal(row["mid"]) * (1 + slippage if row["is_buy"] else 1 - slippage)
        ours = snap_price(worst, market, side)
        theirs = Decimal(row["wire"])
        assert snap_price(theirs, market, side) == theirs
        assert theirs in (ours, snap_price(worst, market, side, toward=True))


ROWS: dict[str, Callable[[Sequence[Arguments]], None]] = {
    "float_to_wire": _numbers,
    "float_to_usd_int": _micros,
    "slippage price of market_open": _market_prices,
}


# --------------------------------------------------------------------------- markets


def _is_testnet(given: Arguments) -> bool:
    return bool(given["network"] == "testnet")


def _market(coin: str, assets: Mapping[str, int], decimals: int = 5) -> Market:
    """A market of the vector's made-up universe, listed as the venue lists it."""
    asset = assets[coin]
    entry = {"szDecimals": decimals, "name": coin, "maxLeverage": 50}
    if coin.startswith("@"):
        tokens = [{"index": 0, "name": "USDC"}, {"index": 1, "name": "T", "szDecimals": decimals}]
        listed = {"name": coin, "tokens": [1, 0], "index": asset - 10_000}
        [market] = decode_spots({"tokens": tokens, "universe": [listed]}, "{}/{}".format)
    else:
        place, index = divmod(asset - 100_000, 10_000) if asset >= 100_000 else (0, asset)
        others = [{**entry, "name": "OTHER"}] * index
        meta = {"universe": [*others, entry]}
        *_, market = decode_perps(
            meta, lambda name, _: name, {0: "USDC"}, dex=coin.rpartition(":")[0], position=place
        )
    assert market["raw"]["asset"] == asset
    return market

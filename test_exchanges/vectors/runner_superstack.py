"""Runs a vector of Superstack through our own encoders: what is asked of the wallet API, and that
what it answers is sent on unchanged.

Orders and cancels come from the encoders of our interface; what that does not have (batches,
triggers, modifications, transfers) is one of its actions, laid out here. Our orders always have an
expiry: where a vector has none, it is taken off the question and put into the answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from mpdex.errors import BadOrder
from mpdex.types import CancelRequest, Json, Lane, Market, OrderRequest, Request, TimeInForce
from mpdex.utils.common_hyperliquid import number_text
from wrappers.superstack import IMMEDIATE_BOUND_MS, REQUEST_BOUND_MS, SuperstackExchange

Arguments = dict[str, Any]
ADDRESS = "0x" + "a7" * 20
NOW_NS = 1_785_000_000_000_000_000  # no encoder of this venue looks at it


def check(case: Mapping[str, Any]) -> None:
    """Raises AssertionError unless question and forwarded body are as expected."""
    given, expected = case["input"], case["expected"]
    if "function" in given:
        _check_numbers(expected["rows"])
        return
    venue = _venue(given)
    request = ENCODERS[given["call"]](venue, given["args"])
    expiry = given["expires_after"]
    now_ms = given["service_nonce"] if expiry is None else expiry - _bound_ms(given)
    hop = venue.sign(venue.encode_countersign(request, now_ms), now_ms)
    payload = expected["service"]["payload"]
    _check_question(hop, expected["request"], request, expiry)
    if "expiresAfter" in hop.json:
        payload = {**payload, "expiresAfter": hop.json["expiresAfter"]}
    sent = venue.decode_countersign({"payload": payload}, request)
    assert json.loads(sent.body) == payload
    assert list(json.loads(sent.body)["action"]) == list(payload["action"])
    assert (sent.path, sent.signed, sent.command) == ("/exchange", False, True)
    assert sent.headers == {}, "the bearer key is for the wallet API alone"


def _check_numbers(rows: list[dict[str, str]]) -> None:
    """The published client rounds at 8 decimals without a word; we refuse what would be rounded."""
    for row in rows:
        value, text = Decimal(row["value"]), row["text"]
        if value == Decimal(text):
            assert number_text(value) == text
        else:
            with pytest.raises(BadOrder, match="decimals"):
                number_text(value)


def _check_question(
    hop: Request, expected: Mapping[str, Any], request: Request, expiry: int | None
) -> None:
    asked = dict(hop.json)
    if expiry is None and "expiresAfter" in asked:
        assert asked.pop("expiresAfter") > 0
    assert (hop.method, hop.path, hop.host) == (expected["method"], expected["path"], "wallet")
    assert {**hop.headers, "Content-Type": "application/json"} == expected["headers"]
    assert asked == expected["body"]
    assert json.dumps(asked["action"]) == json.dumps(expected["body"]["action"]), "key order"


def _venue(given: Mapping[str, Any]) -> SuperstackExchange:
    keys = {"api_key": given["api_key"], "account_address": ADDRESS}
    if given["vault_address"]:
        keys["vault_address"] = given["vault_address"]
    builder = given["args"].get("builder")
    if builder:
        keys |= {"builder": builder["b"], "builder_fee": str(builder["f"])}
    return SuperstackExchange(**keys)  # type: ignore[arg-type]


def _bound_ms(given: Mapping[str, Any]) -> int:
    forces = {order.get("tif") for order in given["args"].get("orders", [])}
    return IMMEDIATE_BOUND_MS if forces == {"Ioc"} else REQUEST_BOUND_MS


def _order(venue: SuperstackExchange, arguments: Arguments) -> Request:
    """One by one through our encoder; several become one action."""
    fields = [_fields(venue, order) for order in arguments["orders"]]
    first = arguments["orders"][0]
    request = venue.encode_order(_request(first), _market(first), NOW_NS)
    action: dict[str, Json] = {**request.json, "orders": fields}
    return venue.encode_action(action, lane=request.lane)


def _fields(venue: SuperstackExchange, order: Arguments) -> Json:
    fields = venue.encode_order_fields(_request(order), _market(order))
    if trigger := order.get("trigger"):
        price = number_text(Decimal(trigger["triggerPx"]))
        fields["t"] = {"trigger": {**trigger, "triggerPx": price}}
    return fields


def _request(order: Arguments) -> OrderRequest:
    force = order.get("tif")
    return OrderRequest(
        symbol="ANY",
        side="buy" if order["is_buy"] else "sell",
        size=Decimal(order["size"]),
        price=Decimal(order["price"]),
        client_id=order.get("cloid", ""),
        post_only=force == "Alo",
        reduce_only=order.get("reduce_only", False),
        time_in_force=TimeInForce.IOC if force == "Ioc" else TimeInForce.GTC,
    )


def _market(order: Arguments) -> Market:
    """What the encoders read of a market: its number."""
    raw = {"asset": order["asset"]}
    market: Json = {"symbol": "ANY", "kind": "perp", "raw": raw, "max_leverage": Decimal(40)}
    found: Market = market
    return found


def _cancel(venue: SuperstackExchange, arguments: Arguments) -> Request:
    [cancel] = arguments["cancels"]
    which = CancelRequest(symbol="ANY", order_id=str(cancel["o"]))
    return venue.encode_cancel(which, _market({"asset": cancel["a"]}))


def _cancel_by_id(venue: SuperstackExchange, arguments: Arguments) -> Request:
    [cancel] = arguments["cancels"]
    which = CancelRequest(symbol="ANY", client_id=cancel["cloid"])
    return venue.encode_cancel(which, _market(cancel))


def _schedule_cancel(venue: SuperstackExchange, arguments: Arguments) -> Request:
    return venue.encode_schedule_cancel(arguments["time"])


def _modify(venue: SuperstackExchange, arguments: Arguments) -> Request:
    modifies = [
        {"oid": one["oid"], "order": _fields(venue, one["order"])} for one in arguments["modifies"]
    ]
    return venue.encode_action({"type": "batchModify", "modifies": modifies}, lane=Lane.QUOTE)


def _leverage(venue: SuperstackExchange, arguments: Arguments) -> Request:
    market = _market(arguments)
    market["raw"]["onlyIsolated"] = not arguments["isCross"]
    return venue.encode_leverage(market, Decimal(arguments["leverage"]), NOW_NS)


def _action(kind: str) -> Callable[[SuperstackExchange, Arguments], Request]:
    """An action that our interface does not offer."""
    return lambda venue, arguments: venue.encode_action({"type": kind, **arguments})


ENCODERS: dict[str, Callable[[SuperstackExchange, Arguments], Request]] = {
    "order": _order,
    "cancel": _cancel,
    "cancelByCloid": _cancel_by_id,
    "scheduleCancel": _schedule_cancel,
    "batchModify": _modify,
    "updateLeverage": _leverage,
    **{
        kind: _action(kind)
        for kind in ("updateIsolatedMargin", "usdSend", "spotSend", "usdClassTransfer")
    },
}

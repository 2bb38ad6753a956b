"""Runs a signing vector of Backpack through our own encoders and signer.

The encoder of a call gives the request; arguments that our interface does not have (auto-lend,
self-trade prevention, paging) are laid over it in the venue's spelling. Two habits of the client
that made the vectors are allowed for: it leaves out false flags and a client id of 0, and it writes
the client id of a cancel as text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec

from mpdex.types import CancelRequest, Market, OrderRequest, Request, TimeInForce
from wrappers.backpack import BackpackExchange
from wrappers.backpack_auth import BackpackAuth
from wrappers.backpack_ws_client import BackpackWSClient

Arguments = dict[str, Any]
NOW_NS = 1_764_000_000_000_000_000  # no encoder of this venue looks at it


def check(case: Mapping[str, Any]) -> None:
    """Raises AssertionError unless request, signed text and headers are as expected."""
    given, expected = case["input"], case["expected"]
    auth = BackpackAuth(given["api_key_base64"], given["secret_key_base64"], given["window"])
    if given["call"] == "ws_subscribe":
        _check_frame(given, expected, auth)
        return
    request = _request(given["call"], _sent(given.get("arguments") or {}))
    assert (request.method, request.path) == (expected["method"], expected["path"])
    assert _fields(request.query) == _fields(expected["query"])
    assert _fields(request.json) == _fields(expected["body"])
    if request.json is not None:
        assert json.loads(request.body) == request.json
    assert auth.signing_text(request, given["timestamp"]) == expected["signing_string"]
    signed = auth.sign(request, given["timestamp"])
    assert signed.headers == expected["headers"]
    assert signed.headers["X-Signature"] == expected["signature"]
    assert (signed.body, signed.query) == (request.body, request.query)


def _check_frame(given: Mapping[str, Any], expected: Mapping[str, Any], auth: BackpackAuth) -> None:
    streams = given["arguments"]["streams"]
    keys = {"api_key": given["api_key_base64"], "secret_key": given["secret_key_base64"]}
    client = BackpackWSClient(keys=keys)
    client.__dict__["auth"] = auth  # the vector's window, where the client has the default
    frame = json.loads(client.subscribe_frame(streams, given["timestamp"]))
    assert frame == expected["frame"]
    assert frame["signature"][1] == expected["signature"]


def _request(call: str, arguments: Arguments) -> Request:
    if call == "batch_orders":
        return _batch(arguments["orders"])
    venue = BackpackExchange(read_only=True)
    encode = ENCODERS.get(call)
    assert encode is not None, f"no encoder for {call}"
    request = encode(venue, arguments)
    if request.method == "GET":
        return replace(request, query=_laid_over(request.query or {}, arguments, text=True))
    fields = _laid_over(request.json, arguments, text=False)
    return replace(request, json=fields, body=msgspec.json.encode(fields))


def _order(venue: BackpackExchange, arguments: Arguments) -> Request:
    price = arguments.get("price")
    order = OrderRequest(
        symbol=arguments["symbol"],
        side={"Bid": "buy", "Ask": "sell"}[arguments["side"]],
        size=Decimal(arguments.get("quantity", "1")),
        price=None if price is None else Decimal(price),
        client_id=str(arguments.get("client_id", "")),
        post_only=arguments.get("post_only", False),
        reduce_only=arguments.get("reduce_only", False),
        time_in_force=_time_in_force(arguments),
    )
    request = venue.encode_order(order, _market(arguments["symbol"]), NOW_NS)
    fields = dict(request.json)
    if "time_in_force" not in arguments:
        fields.pop("timeInForce", None)  # we say GTC where the client leaves the default out
    if "quantity" not in arguments:
        del fields["quantity"]  # sized in quote currency, which our interface does not offer
    return replace(request, json=fields)


def _time_in_force(arguments: Arguments) -> TimeInForce:
    return TimeInForce(arguments.get("time_in_force", "GTC"))


def _cancel(venue: BackpackExchange, arguments: Arguments) -> Request:
    return venue.encode_cancel(_by_id(arguments), _market(arguments["symbol"]))


def _cancel_all(venue: BackpackExchange, arguments: Arguments) -> Request:
    return venue.encode_cancel_all(_market(arguments["symbol"]))


def _open_order(venue: BackpackExchange, arguments: Arguments) -> Request:
    return venue.encode_order_queries(_by_id(arguments), _market(arguments["symbol"]))[0]


def _open_orders(venue: BackpackExchange, arguments: Arguments) -> Request:
    return venue.encode_open_orders(_market_of(arguments))


def _positions(venue: BackpackExchange, arguments: Arguments) -> Request:
    return venue.encode_positions(_market_of(arguments))


def _balances(venue: BackpackExchange, _: Arguments) -> Request:
    return venue.encode_balances()


def _collateral(venue: BackpackExchange, _: Arguments) -> Request:
    return venue.encode_collateral()


def _account(venue: BackpackExchange, _: Arguments) -> Request:
    return venue.encode_fees(_market("SOL_USDC_PERP"))


def _update_account(venue: BackpackExchange, arguments: Arguments) -> Request:
    leverage = Decimal(arguments.get("leverage_limit", "1"))
    request = venue.encode_leverage(_market("SOL_USDC_PERP"), leverage, NOW_NS)
    return request if "leverage_limit" in arguments else replace(request, json={})


def _fills(venue: BackpackExchange, arguments: Arguments) -> Request:
    since, offset = arguments.get("from_", 0), str(arguments.get("offset", "0"))
    request = venue.encode_fills(_market_of(arguments), since, offset)
    return _without_paging(request, arguments)


def _order_history(venue: BackpackExchange, arguments: Arguments) -> Request:
    order_id = str(arguments.get("order_id", ""))
    return _without_paging(venue.encode_order_history(_market_of(arguments), order_id), arguments)


def _get(path: str) -> Callable[[BackpackExchange, Arguments], Request]:
    """A signed read that our interface does not offer; the signer knows its instruction."""
    return lambda _venue, _arguments: Request("GET", path, query={}, signed=True)


ENCODERS: dict[str, Callable[[BackpackExchange, Arguments], Request]] = {
    "execute_order": _order,
    "cancel_order": _cancel,
    "cancel_all_orders": _cancel_all,
    "get_open_order": _open_order,
    "get_open_orders": _open_orders,
    "get_open_positions": _positions,
    "get_balances": _balances,
    "get_collateral": _collateral,
    "get_account": _account,
    "update_account": _update_account,
    "get_fill_history": _fills,
    "get_order_history": _order_history,
    "get_funding_payments": _get("/wapi/v1/history/funding"),
    "get_max_order_quantity": _get("/api/v1/account/limits/order"),
}


def _batch(orders: list[Arguments]) -> Request:
    """Orders in the venue's spelling, through our encoder one by one."""
    venue = BackpackExchange(read_only=True)
    fields = []
    for order in orders:
        arguments = {_snake(name): value for name, value in order.items()}
        fields.append(_laid_over(_order(venue, arguments).json, arguments, text=False))
    body = msgspec.json.encode(fields)
    return Request("POST", "/api/v1/orders", json=fields, signed=True, command=True, body=body)


def _by_id(arguments: Arguments) -> CancelRequest:
    return CancelRequest(
        symbol=arguments["symbol"],
        order_id=str(arguments.get("order_id", "")),
        client_id=str(arguments.get("client_id", "")),
    )


def _without_paging(request: Request, arguments: Arguments) -> Request:
    """Our own page size gives way to the vector's, or to none."""
    query = {k: v for k, v in (request.query or {}).items() if k not in ("limit", "offset")}
    return replace(request, query=query)


def _sent(arguments: Arguments) -> Arguments:
    """What the client sends of its arguments: no None, no false flag, no client id of 0."""
    return {
        name: value
        for name, value in arguments.items()
        if value is not None and value is not False and not (name == "client_id" and not value)
    }


def _laid_over(fields: Mapping[str, Any], arguments: Arguments, *, text: bool) -> dict[str, Any]:
    """Our fields with the arguments that our interface does not have, in the venue's spelling."""
    extra = {_camel(name): value for name, value in arguments.items()}
    missing = {name: value for name, value in extra.items() if name not in fields}
    return {**fields, **({k: _as_text(v) for k, v in missing.items()} if text else missing)}


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _camel(name: str) -> str:
    first, *rest = name.strip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _fields(fields: Any) -> Any:
    """Comparable fields: numbers of a client id as text, no difference between none and empty."""
    if isinstance(fields, list):
        return [_fields(entry) for entry in fields]
    return {
        name: value if isinstance(value, bool) else str(value)
        for name, value in (fields or {}).items()
    }


def _market_of(arguments: Arguments) -> Market | None:
    return _market(arguments["symbol"]) if "symbol" in arguments else None


def _market(symbol: str) -> Market:
    base, quote, *perp = symbol.split("_")
    return Market(
        symbol=symbol,
        coin=base,
        quote=quote,
        kind="perp" if perp else "spot",
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
        raw={},
    )

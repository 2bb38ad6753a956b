"""Runs a vector of Variational through our own encoders and signers.

The partner API, whose keys are not given out, is no part of the wrapper: its requests are signed
here with the signer that other venues use. The older call for the balance is a read like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from mpdex.dex.requests import sealed
from mpdex.types import CancelRequest, Json, Market, OrderRequest, Request
from mpdex.utils.signing.eip712 import personal_digest
from mpdex.utils.signing.hmac import hmac_sha256_hex
from mpdex.utils.transport import Answer
from wrappers.variational import VariationalExchange
from wrappers.variational_auth import VariationalAuth, cookie_header
from wrappers.variational_calls import QuotedOrder, read
from wrappers.variational_wire import decode_market, instrument_key, lot_of, price_step

Fields = dict[str, Any]
CONFIG = {
    "min_order_notional": "0.1",
    "default_precision_requirements": {
        "min_decimal_figures": 2,
        "max_decimal_only_figures": 4,
        "max_significant_figures": 6,
    },
}
# What that client leaves out, and newer ones do not.
NEWER = {"slippage_limit": "0.005"}
PAGES = {"order_by": "created_at", "order": "desc", "limit": "100", "offset": "0"}


def check(case: Mapping[str, Any]) -> None:
    """Raises AssertionError unless texts, signatures and requests are as expected."""
    CHECKS[case["kind"]](case["input"], case["expected"])


def _check_partner(given: Fields, expected: Fields) -> None:
    """Joined by pipes; without a body there is none at the end."""
    parts = [given["key"], str(given["timestamp_ms"]), given["http_method"], given["path_url"]]
    parts += [given["body"]] if given["body"] is not None else []
    message = "|".join(parts)
    assert message == expected["message"]
    assert hashlib.sha256(message.encode()).hexdigest() == expected["message_sha256"]
    signature = hmac_sha256_hex(bytes.fromhex(given["secret_hex"]), message.encode())
    assert expected["headers"] == {
        "X-Request-Timestamp-Ms": parts[1],
        "X-Variational-Key": given["key"],
        "X-Variational-Signature": signature,
    }


def _check_rounding(given: Fields, expected: Fields) -> None:
    least, price = Decimal(given["min_order_notional"]), Decimal(given["price"])
    assert lot_of(least, price) == Decimal(expected["default_min_qty_tick"])
    for text in given["values"]:
        value = Decimal(text)
        step = price_step(value, given["precision_requirements"])
        rounded = (value / step).to_integral_value(ROUND_HALF_UP) * step
        assert rounded == Decimal(expected["rounded_half_up"][text]), text


def _check_key(given: Fields, expected: Fields) -> None:
    key = instrument_key(given["instrument"])
    assert key == expected["key"]
    assert f"instrument_price:{key}" == expected["ws_price_channel"]


def _check_login(given: Fields, expected: Fields) -> None:
    """The text as it came, plain or in quotes; then the signature of it, without 0x."""
    message, address = given["message"], expected["address"]
    assert len(message.encode()) == expected["message_utf8_length"]
    assert personal_digest(message).hex() == expected["eip191_keccak256"]
    keys = {"wallet_address": address.lower(), "wallet_private_key": given["wallet_private_key"]}
    auth = VariationalAuth(keys)
    asked, login = expected["requests"]
    begun = auth.begin()
    _check_request(begun, asked)
    for body in (message.encode(), msgspec.json.encode(message)):
        step = auth.go_on(Answer(200, {}, body), begun, 0)
        assert isinstance(step, Request)
        assert step.json == expected["login_body"]
        assert step.json["signed_message"] == expected["signed_message"]
        _check_request(step, login)


def _check_requests(given: Fields, expected: Fields) -> None:
    dex = VariationalExchange(wallet_address=given["address"], vr_token=given["vr_token"])
    wanted = expected["requests"]
    arguments = {**given["arguments"], **_page(wanted)}
    made = CALLS[given["client_call"]](dex, arguments, given["quote_id_returned"])
    cookie = cookie_header(given["vr_token"])
    if arguments.get("price") is not None:
        wanted = wanted[1:]  # that client asks for a quote before a limit order, too
    assert len(made) == len(wanted)
    for request, one in zip(made, wanted, strict=True):
        ready = dex.sign(replace(sealed(request), headers={**cookie, **request.headers}), 0)
        assert one["cookies"] == {"vr-token": given["vr_token"]}
        _check_request(ready, {**one, "headers": {**one["headers"], **cookie}})


def _page(requests: list[Fields]) -> dict[str, str]:
    """The market whose page that client was on last, which it names in every call."""
    if not requests:
        return {}
    return {"symbol": requests[0]["headers"]["referer"].rpartition("/")[2]}


def _check_request(request: Request, wanted: Fields) -> None:
    """Header names in any case; of the page of a list only what that client names."""
    path, _, query = wanted["url"].removeprefix("https://omni.variational.io/api").partition("?")
    asked = dict(pair.split("=") for pair in query.split("&")) if query else {}
    mine = {name: v for name, v in (request.query or {}).items() if (name, v) not in PAGES.items()}
    assert (request.method, request.path, mine) == (wanted["method"], path, asked)
    sent = {name.lower(): value for name, value in request.headers.items()}
    assert sent == {name.lower(): value for name, value in wanted["headers"].items()}
    assert _without_newer(request) == _trimmed(wanted["json"])


def _trimmed(body: Json) -> Json:
    """That client leaves zeros at the end, which we cut off, since digits are counted."""
    texts = {name: body[name] for name in ("qty", "limit_price") if name in (body or {})}
    short = {name: format(Decimal(text).normalize(), "f") for name, text in texts.items()}
    return {**body, **short} if short else body


def _without_newer(request: Request) -> Json:
    if request.json is None:
        return None
    body = msgspec.json.decode(sealed(request).body)
    return {name: v for name, v in body.items() if (name, v) not in NEWER.items()}


# --------------------------------------------------------------------------- our encoders


def _orders(dex: VariationalExchange, arguments: Fields, quote_id: str) -> list[Request]:
    market = _market(arguments["symbol"])
    price = arguments.get("price")
    order = OrderRequest(
        symbol=market["symbol"],
        side=arguments["side"],
        size=Decimal(arguments["amount"]),
        price=None if price is None else Decimal(price),
        slippage_bps=Decimal(100) if price is None else None,
    )
    request = dex.encode_order(order, market, 0)
    if not isinstance(request, QuotedOrder):
        return [request]
    question = dex.encode_countersign(request, 0)
    assert question is not None
    quoted = {**question.json, "quote_id": quote_id, "mark_price": "1", "bid": "1", "ask": "1"}
    return [question, dex.decode_countersign(quoted, request)]


def _cancels(dex: VariationalExchange, arguments: Fields, _: str) -> list[Request]:
    market = _market(arguments["symbol"])
    return [
        dex.encode_cancel(CancelRequest(symbol=market["symbol"], order_id=one["rfq_id"]), market)
        for one in arguments["open_orders"]
    ]


def _market(coin: str) -> Market:
    instrument = {
        "underlying": coin,
        "instrument_type": "perpetual_future",
        "settlement_asset": "USDC",
        "funding_interval_s": 3600,
    }
    row = {"asset": coin, "price": "1000", "has_perp": True, "is_close_only_mode": False}
    return decode_market(row, instrument, CONFIG)


CALLS: dict[str, Callable[[VariationalExchange, Fields, str], list[Request]]] = {
    "create_order": _orders,
    "cancel_orders": _cancels,
    "get_position": lambda dex, a, _: [dex.encode_positions(_market(a["symbol"]))],
    "get_open_orders": lambda dex, a, _: [dex.encode_open_orders(None)],
    "get_collateral": lambda dex, a, _: [read("/settlement_pools/details")],
}
CHECKS: dict[str, Callable[[Fields, Fields], None]] = {
    "hmac_request": _check_partner,
    "rounding": _check_rounding,
    "omni_login": _check_login,
    "omni_request": _check_requests,
    "instrument_key": _check_key,
}

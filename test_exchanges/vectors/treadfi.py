"""What the vectors of both venues behind TreadFi have in common.

Bodies are compared as values: a number is a number, however it is written, and what TreadFi takes
as text is text here, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from mpdex.dex.requests import sealed
from mpdex.types import Market, OrderRequest, Request, Session, Side
from mpdex.utils.precision import snap_price, snap_size
from mpdex.utils.rest import Answer
from mpdex.utils.signing.eip712 import EvmSigner, personal_digest
from mpdex.utils.treadfi_base import TreadfiBase

Case = dict[str, Any]
_NUMBERS = ("base_asset_qty", "limit_price")
_JSON = {"Content-Type": "application/json"}


def answer(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, headers, json.dumps(body).encode())


def check_login(dex: TreadfiBase, given: Case, expected: Case, digest: str) -> None:
    """From the nonce to the request with its signature."""
    nonce = answer({"nonce": given["nonce"]})
    challenge = dex.decode_challenge(nonce)
    same("message", challenge.text, expected["message"])
    same("digest", personal_digest(challenge.text).hex(), digest)
    same("address", EvmSigner(given["private_key"]).address, expected["address"])
    request = dex.continue_login(nonce, dex.encode_challenge(), 0)
    assert not isinstance(request, Session)
    check_request(replace(sealed(request), headers={**_JSON, **request.headers}), expected)


def proven(dex: TreadfiBase, request: Request, cookies: Mapping[str, str]) -> Request:
    """As it leaves: with its bytes, the session and what a browser adds."""
    ready = sealed(request)
    given = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    headers = {**(_JSON if ready.body else {}), **(given if cookies else {}), **ready.headers}
    return dex.sign(replace(ready, headers=headers), 0)


def order_of(given: Case, market: Market, *, size: Any, price: Any) -> OrderRequest:
    """What the user means, on the grid."""
    side: Side = given["side"]
    limit = None if price is None else snap_price(Decimal(str(price)), market, side)
    return OrderRequest(
        symbol=market["symbol"],
        side=side,
        size=snap_size(Decimal(str(size)), market["step"]),
        price=limit,
        client_id=given.get("custom_order_id", ""),
        reduce_only=given.get("reduce_only", False),
    )


def market_of(pair: str, step: str, tick: str) -> Market:
    return Market(
        symbol=pair,
        coin=pair.partition(":")[0],
        quote="USDC",
        kind="perp",
        tick=Decimal(tick),
        step=Decimal(step),
        min_size=Decimal(step),
        min_notional=None,
        max_size=None,
        multiplier=Decimal(1),
        max_leverage=None,
        significant_figures=None,
        price_band=None,
        active=True,
        raw={},
    )


def check_request(request: Request, expected: Case) -> None:
    """Method, address, headers and body of what the case has of them."""
    theirs = expected["request"]
    same("method", request.method, theirs["method"])
    parts = urlsplit(theirs["path"])
    same("path", request.path, parts.path)
    ours = "&".join(f"{name}={value}" for name, value in (request.query or {}).items())
    same("query", dict(parse_qsl(ours, True)), dict(parse_qsl(parts.query, True)))
    for name, value in theirs.get("headers", {}).items():
        same(name, request.headers.get(name), value)
    if "authorization" in theirs:
        same("Authorization", request.headers.get("Authorization"), theirs["authorization"])
        same("type", request.headers.get("Content-Type"), theirs["content_type"])
    body = json.loads(request.body, parse_float=Decimal) if request.body else None
    same("body", valued(body), valued(theirs["body"]))


def valued(body: Any) -> Any:
    """A body whose quantities are numbers; whether they are text stays to be seen."""
    if not isinstance(body, dict):
        return body
    kinds = {name: isinstance(body[name], str) for name in _NUMBERS if name in body}
    numbers = {name: Decimal(str(body[name])) for name in kinds}
    return {**body, **numbers, "text": kinds} | {
        name: Decimal(str(value)) for name, value in body.items() if isinstance(value, float)
    }


def same(what: str, ours: object, theirs: object) -> None:
    assert ours == theirs, f"{what}: {ours} is not {theirs}"

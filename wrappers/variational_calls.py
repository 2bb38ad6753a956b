"""Variational, calls: what each request of the page looks like.

Sources: those of `wrappers.variational_wire`; headers as NA-DEGEN-GIRL/multi-perp-dex 0a105d0 sends
them; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final
from urllib.parse import quote

import msgspec

from mpdex.errors import Unsupported
from mpdex.types import Json, Lane, Market, OrderRequest, Request, TimeInForce
from mpdex.utils.precision import plain
from wrappers.variational_auth import BROWSER, ORIGIN, VENUE
from wrappers.variational_wire import LIMIT, MARKET, PAGE, instrument_key

HOME: Final = "BTC"  # whose page account-wide requests come from
SIMPLE, INDICATIVE = "/quotes/simple", "/quotes/indicative"


@dataclass(frozen=True, slots=True)
class QuotedOrder(Request):
    """A market order that lacks its quote: what is to be quoted, and how much worse it may get."""

    instrument: Mapping[str, Json] = field(default_factory=dict)
    qty: str = ""
    slippage: Decimal = Decimal(0)

    @property
    def question(self) -> Request:
        """For the quote."""
        body = {"instrument": self.instrument, "qty": self.qty}
        return Request(
            "POST",
            INDICATIVE,
            json=body,
            signed=True,
            scope="quotes",
            lane=self.lane,
            headers=self.headers,
        )

    def answered(self, quote_id: str, slippage: Decimal) -> Request:
        """With the quote that it accepts."""
        side, reduces = self.json["side"], self.json["is_reduce_only"]
        return replace(self, json=_acceptance(quote_id, side, slippage, reduces), body=b"")


def market_order(order: OrderRequest, market: Market, slippage: Decimal) -> QuotedOrder:
    return QuotedOrder(
        "POST",
        MARKET,
        json=_acceptance("", order.side, slippage, order.reduce_only),
        signed=True,
        scope="orders",
        lane=Lane.HEDGE,
        command=True,
        headers=from_page(market),
        instrument=market["raw"]["instrument"],
        qty=amount(order.size),
        slippage=slippage,
    )


def limit_order(order: OrderRequest, market: Market, slippage: Decimal) -> Request:
    """Good until canceled. It is filled against the provider when its quote gets there.

    Raises: Unsupported.
    """
    if order.time_in_force is not TimeInForce.GTC:
        raise Unsupported(f"{order.time_in_force.lower()} is not offered here", venue=VENUE)
    assert order.price is not None, "a limit order has a price"
    body = {
        "order_type": "limit",
        "limit_price": amount(order.price),
        "side": order.side,
        "instrument": market["raw"]["instrument"],
        "qty": amount(order.size),
        "slippage_limit": amount(slippage),
        "is_auto_resize": False,
        "use_mark_price": False,
        "is_reduce_only": order.reduce_only,
    }
    return command(LIMIT, body, market, Lane.QUOTE)


def from_page(market: Market | None = None) -> dict[str, str]:
    """Headers of a call that the page of a market makes."""
    coin = HOME if market is None else market["coin"]
    return {**BROWSER, "Origin": ORIGIN, "Referer": f"{ORIGIN}/perpetual/{coin}"}


def metadata(path: str, query: Mapping[str, str] | None = None) -> Request:
    """Open to all."""
    return Request("GET", path, query=query, scope="metadata", headers=from_page())


def read(
    path: str, query: Mapping[str, str] | None = None, market: Market | None = None
) -> Request:
    spelled = {name: quote(value, safe=",:") for name, value in (query or {}).items()} or None
    headers = from_page(market)
    return Request("GET", path, query=spelled, signed=True, scope="reads", headers=headers)


def listed(
    path: str,
    market: Market | None,
    query: Mapping[str, str],
    *,
    offset: int = 0,
    order: str = "desc",
) -> Request:
    """A page of a list, by time."""
    wanted = dict(query)
    if market is not None:
        wanted["instrument"] = instrument_key(market["raw"]["instrument"])
    pages = {"order_by": "created_at", "order": order, "limit": str(PAGE), "offset": str(offset)}
    return read(path, {**wanted, **pages}, market)


def asked(path: str, body: Json, market: Market, scope: str = "reads") -> Request:
    """A POST that changes nothing, or may be said twice."""
    headers = from_page(market)
    return Request("POST", path, json=body, signed=True, scope=scope, headers=headers)


def command(path: str, body: Json, market: Market, lane: Lane) -> Request:
    return replace(asked(path, body, market, "orders"), lane=lane, command=True)


def simple_quote(market: Market, size: Decimal) -> Request:
    """Open to all."""
    body = {"instrument": market["raw"]["instrument"], "qty": amount(size)}
    return Request("POST", SIMPLE, json=body, scope="quotes", headers=from_page(market))


def amount(value: Decimal) -> str:
    """Without zeros at its end: where digits are counted, those count too."""
    return plain(value.normalize())


def _acceptance(quote_id: str, side: str, slippage: Decimal, reduces: bool) -> dict[str, Json]:
    """The slippage is the one number among texts, with exactly these digits."""
    return {
        "quote_id": quote_id,
        "side": side,
        "max_slippage": msgspec.Raw(amount(slippage).encode()),
        "is_reduce_only": reduces,
    }

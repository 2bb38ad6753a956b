"""What StandX reads, from the venue's end: its refusals and the parsing of what clients send.

Amounts are text in plain notation, order ids and leverage JSON integers, `reduce_only` a bool.

Source: docs.standx.com, "Perps HTTP API", "Perps Authentication"; refusals as public bots quote
them; read 2026-11-21.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec

from mpdex.sim.records import SimMarket
from mpdex.types import Json, Side, TimeInForce

_PLAIN = re.compile(r"\d{1,20}(\.\d{1,20})?")
LONGEST_CLIENT_ID = 64  # UNVERIFIED: no source says how long one may be
SIDES: Mapping[str, Side] = {"buy": "buy", "sell": "sell"}
TIFS = {"gtc": TimeInForce.GTC, "ioc": TimeInForce.IOC, "alo": TimeInForce.GTC}
MODES = ("cross", "isolated")


class Fault(NamedTuple):
    """A refusal: its HTTP status, which is the code in its body too, and its text."""

    status: int
    message: str

    @property
    def body(self) -> dict[str, Json]:
        return {"code": self.status, "message": self.message}


# Live, or as the code of live bots matches them.
BAD_SIGNATURE = Fault(403, "invalid body signature")
EXPIRED_SIGNATURE = Fault(403, "signature has expired")
LOT = Fault(400, "invalid order qty: not follow qty tick")
QUANTITY = Fault(400, "invalid order qty")
TICK = Fault(400, "invalid order price: not follow price tick")
NO_ORDER = Fault(404, "order not found")
NO_BALANCE = Fault(404, "user balance not found")
SILENT = Fault(408, "disconnecting due to not receive Pong within 5 minute period")
# UNVERIFIED texts: the documentation gives the status alone, or not even that.
UNAUTHORIZED = Fault(401, "unauthorized")
NO_VAULT = Fault(403, "permission denied")
MALFORMED = Fault(400, "invalid request")
BAD_SYMBOL = Fault(400, "invalid symbol")
BAD_PRICE = Fault(400, "invalid order price")
DUPLICATE = Fault(400, "duplicate cl_ord_id")
NOT_SIMULATED = Fault(400, "tp_price and sl_price are not simulated")
OVER_LIMIT = Fault(429, "too many requests")
NOT_FOUND = Fault(404, "not found")
SIGNIN_EXPIRED = Fault(400, "signed data has expired")
SIGNIN_WRONG = Fault(400, "invalid signature")

# What matching says after the gateway has taken an order, by why the truth refuses it.
REJECTED: Mapping[str, str] = {
    "post_only": "alo order rejected",
    "margin": "balance not enough",
    "reduce_only": "reduce only order rejected",  # UNVERIFIED, like the rest
    "band": "order price out of range",
    "market": "symbol is not trading",
    "cap": "max position size exceeded",
    "open_orders": "max open orders exceeded",
}
PROBLEMS = {
    "size": QUANTITY,
    "max_size": QUANTITY,
    "step": LOT,
    "price": BAD_PRICE,
    "tick": TICK,
}

# Neutral refusal class -> StandX's own, for the fault `reject`: those told at once,
# and the ones that matching tells later.
REJECTS = {
    "NOT_FOUND": NO_ORDER,
    "NONCE": EXPIRED_SIGNATURE,
    "DUPLICATE_CID": DUPLICATE,
    "PERMISSION": NO_VAULT,
    "SYMBOL": BAD_SYMBOL,
    "PRECISION": TICK,
    "AUTH": UNAUTHORIZED,
    "RATE": OVER_LIMIT,
}
LATE_REJECTS = {
    "POST_ONLY": "post_only",
    "MARGIN": "margin",
    "REDUCE_ONLY": "reduce_only",
    "PRICE_BAND": "band",
    "OI_CAP": "cap",
    "MARKET_STATE": "market",
}


class Refusal(Exception):
    """The venue says no."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(f"{fault.status} {fault.message}")


# --------------------------------------------------------------------------- single values


def read_object(body: bytes | str) -> dict[str, Json]:
    """A JSON object.

    Raises: Refusal.
    """
    try:
        fields = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Refusal(MALFORMED) from error
    if not isinstance(fields, dict):
        raise Refusal(MALFORMED)
    return fields


def read_symbol(fields: Mapping[str, Json], markets: Mapping[str, SimMarket]) -> SimMarket:
    market = markets.get(str(fields.get("symbol")))
    if market is None:
        raise Refusal(BAD_SYMBOL)
    return market


def read_amount(fields: Mapping[str, Json], key: str, fault: Fault = MALFORMED) -> Decimal:
    """Decimal text in plain notation; numbers and exponents are refused."""
    value = fields.get(key)
    if not isinstance(value, str) or not _PLAIN.fullmatch(value):
        raise Refusal(fault)
    return Decimal(value)


def read_whole(fields: Mapping[str, Json], key: str) -> int:
    """A JSON integer."""
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refusal(MALFORMED)
    return value


def read_count(query: Mapping[str, str], key: str, default: int, most: int) -> int:
    """A whole number of a query, cut to the most that there can be."""
    text = query.get(key, str(default))
    if not (text.isascii() and text.isdigit()):
        raise Refusal(MALFORMED)
    return min(int(text), most)


def read_time(query: Mapping[str, str], key: str, default: int) -> int:
    """Nanoseconds of an ISO 8601 time of a query."""
    text = query.get(key)
    if not text:
        return default
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refusal(MALFORMED) from error
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return int(time.timestamp() * 1_000_000) * 1000


# --------------------------------------------------------------------------- what clients send


@dataclass(frozen=True, slots=True)
class WireOrder:
    """An order as sent; `price` is None for a market order."""

    symbol: str
    side: Side
    qty: Decimal
    price: Decimal | None
    tif: TimeInForce
    post_only: bool
    reduce_only: bool
    client_id: str
    leverage: int | None
    margin_mode: str | None


def parse_order(fields: Mapping[str, Json]) -> WireOrder:
    """The body of a new order.

    Raises: Refusal.
    """
    kind, tif = fields.get("order_type"), str(fields.get("time_in_force"))
    side = SIDES.get(str(fields.get("side")))
    reduces = fields.get("reduce_only")
    if kind not in ("limit", "market") or side is None or not isinstance(reduces, bool):
        raise Refusal(MALFORMED)
    if tif not in TIFS or (kind == "market" and tif != "ioc"):
        raise Refusal(MALFORMED)
    if any(fields.get(name) is not None for name in ("tp_price", "sl_price")):
        raise Refusal(NOT_SIMULATED)
    if kind == "market" and fields.get("price") is not None:
        raise Refusal(MALFORMED)  # UNVERIFIED: it may be ignored
    return WireOrder(
        symbol=str(fields.get("symbol")),
        side=side,
        qty=read_amount(fields, "qty", QUANTITY),
        price=read_amount(fields, "price", BAD_PRICE) if kind == "limit" else None,
        tif=TIFS[tif],
        post_only=tif == "alo",
        reduce_only=reduces,
        client_id=_client_id(fields.get("cl_ord_id")),
        leverage=None if fields.get("leverage") is None else read_whole(fields, "leverage"),
        margin_mode=_mode(fields),
    )


def _client_id(value: Json) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_CLIENT_ID:
        raise Refusal(MALFORMED)
    return value


def _mode(fields: Mapping[str, Json]) -> str | None:
    mode = fields.get("margin_mode")
    if mode is not None and mode not in MODES:
        raise Refusal(MALFORMED)
    return None if mode is None else str(mode)


@dataclass(frozen=True, slots=True)
class Which:
    """The order that a cancel or a query names: by number, by the client's id, or by both."""

    order_id: str = ""
    client_id: str = ""


def parse_which(fields: Mapping[str, Json]) -> Which:
    """Of a body: the number must be a JSON integer."""
    number = fields.get("order_id")
    which = Which(
        "" if number is None else str(read_whole(fields, "order_id")),
        _client_id(fields.get("cl_ord_id")),
    )
    if which == Which():
        raise Refusal(MALFORMED)
    return which


def parse_many(fields: Mapping[str, Json]) -> list[Which]:
    """Of a body that names several, by both kinds of id."""
    numbers, texts = (fields.get(f"{key}_list") or [] for key in ("order_id", "cl_ord_id"))
    if not isinstance(numbers, list) or not isinstance(texts, list):
        raise Refusal(MALFORMED)
    named = [parse_which({"order_id": number}) for number in numbers]
    named += [parse_which({"cl_ord_id": text}) for text in texts]
    if not named:
        raise Refusal(MALFORMED)
    return named


def parse_query(query: Mapping[str, str]) -> Which:
    """Of the query of a GET, where a number is digits."""
    number = query.get("order_id", "")
    if number and not (number.isascii() and number.isdigit()):
        raise Refusal(MALFORMED)
    which = Which(number, query.get("cl_ord_id", ""))
    if which == Which():
        raise Refusal(MALFORMED)
    return which

"""What Backpack reads, from the venue's end: its error table and the parsing of what clients send.

Prices and sizes are text in plain notation, numbers are refused; a client id may be a number or
text. Null is taken as absent.

Source: docs.backpack.exchange, "Order", "History"; error texts as clients report them; read
2026-11-21.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from mpdex.types import Json, Side, TimeInForce

_PLAIN = re.compile(r"\d{1,20}(\.\d{1,20})?")
LARGEST_CLIENT_ID = 2**32 - 1
LONGEST_PAGE = 1000
SIDES: Mapping[str, Side] = {"Bid": "buy", "Ask": "sell"}

STATUSES = {
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "RESOURCE_NOT_FOUND": 404,
    "TOO_MANY_REQUESTS": 429,
    "SERVER_ERROR": 500,
    "SERVICE_UNAVAILABLE": 503,
    "MAINTENANCE": 503,
}
TAKES = ("INVALID_ORDER", "Order would immediately match and take.")
REDUCES_NOT = ("INVALID_ORDER", "Reduce only order would not reduce the position")
TOO_FAR = ("INVALID_PRICE", "Price is too far from the last active price")
LONG_PRICE = ("INVALID_PRICE", "Price decimal too long")
LONG_QUANTITY = ("INVALID_QUANTITY", "Quantity decimal too long")
SMALL_QUANTITY = ("INVALID_QUANTITY", "Quantity is below the minimum")
LARGE_QUANTITY = ("INVALID_QUANTITY", "Quantity is above the maximum")
NO_MARGIN = ("INSUFFICIENT_MARGIN", "Insufficient margin")
NO_FUNDS = ("INSUFFICIENT_FUNDS", "Insufficient funds")
NOT_FOUND = ("RESOURCE_NOT_FOUND", "Not Found")
BAD_SYMBOL = ("INVALID_SYMBOL", "Invalid symbol")
PAUSED = ("TRADING_PAUSED", "Order book does not accept this order now")
BAD_SIGNATURE = ("INVALID_CLIENT_REQUEST", "Invalid signature")
EXPIRED = ("INVALID_CLIENT_REQUEST", "Request has expired")
FAR_CLOCK = (
    "INVALID_CLIENT_REQUEST",
    "Invalid timestamp: must be within 10 minutes of current time",
)
OVER_LIMIT = ("TOO_MANY_REQUESTS", "Rate limit exceeded")

# Neutral refusal class -> Backpack's own, for the fault `reject`.
REJECTS = {
    "POST_ONLY": TAKES,
    "MARGIN": NO_MARGIN,
    "REDUCE_ONLY": REDUCES_NOT,
    "PRICE_BAND": TOO_FAR,
    "NOT_FOUND": NOT_FOUND,
    "NONCE": EXPIRED,
    "DUPLICATE_CID": ("INVALID_ORDER", "Duplicate client order id"),
    "PERMISSION": ("FORBIDDEN", "Forbidden"),
    "SYMBOL": BAD_SYMBOL,
    "PRECISION": LONG_PRICE,
    "AUTH": BAD_SIGNATURE,
    "OI_CAP": ("POSITION_LIMIT", "Position limit reached"),
    "MARKET_STATE": PAUSED,
    "RATE": OVER_LIMIT,
}


class Refusal(Exception):
    """The venue says no."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code} {message}")

    @property
    def status(self) -> int:
        return STATUSES.get(self.code, 400)


def malformed(message: str) -> Refusal:
    return Refusal("INVALID_CLIENT_REQUEST", message)


# --------------------------------------------------------------------------- single values


def parse_amount(fields: Mapping[str, Json], key: str) -> Decimal | None:
    """Decimal text in plain notation; None where it is absent.

    Raises: Refusal for anything else, numbers and exponents included.
    """
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not _PLAIN.fullmatch(value):
        raise malformed(f"Invalid {key}")
    return Decimal(value)


def parse_client_id(value: Json) -> str:
    """A number or text up to 2**32 - 1; "" where it is absent."""
    if value is None:
        return ""
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,10}", str(value)):
        raise malformed("Invalid clientId")
    if int(value) > LARGEST_CLIENT_ID:
        raise malformed("Invalid clientId")
    return str(int(value))


def parse_count(fields: Mapping[str, Json], key: str, default: int, most: int) -> int:
    """A whole number of a query, in text."""
    text = str(fields.get(key, default))
    if not re.fullmatch(r"\d{1,18}", text) or int(text) > most:
        raise malformed(f"Invalid {key}")
    return int(text)


def parse_word(fields: Mapping[str, Json], key: str, known: Mapping[str, Side]) -> Side:
    value = fields.get(key)
    if not isinstance(value, str) or value not in known:
        raise malformed(f"Invalid {key}")
    return known[value]


def parse_flag(fields: Mapping[str, Json], key: str) -> bool:
    """A JSON boolean, or its text in a query; false where it is absent."""
    value = fields.get(key)
    if value not in (None, True, False, "true", "false"):
        raise malformed(f"Invalid {key}")
    return value in (True, "true")


# --------------------------------------------------------------------------- what clients send


@dataclass(frozen=True, slots=True)
class WireOrder:
    """An order as sent. `quantity` is None where `quote` says how much to spend."""

    symbol: str
    side: Side
    is_market: bool
    quantity: Decimal | None
    quote: Decimal | None
    price: Decimal | None
    tif: TimeInForce
    post_only: bool
    reduce_only: bool
    client_id: str
    slippage: Decimal | None
    slippage_in_ticks: bool


@dataclass(frozen=True, slots=True)
class WhichOrder:
    """Exactly one of the two ids is set."""

    symbol: str
    order_id: str
    client_id: str


def parse_order(fields: Json) -> WireOrder:
    """One order of a place request.

    Raises: Refusal where the shape is wrong, or where it asks for what is not simulated (trigger
        orders, self-trade prevention other than RejectTaker).
    """
    if not isinstance(fields, dict):
        raise malformed("Invalid order")
    kind = fields.get("orderType")
    if kind not in ("Limit", "Market"):
        raise malformed("Invalid orderType")
    _check_simulated(fields)
    order = WireOrder(
        symbol=str(fields.get("symbol")),
        side=parse_word(fields, "side", SIDES),
        is_market=kind == "Market",
        quantity=parse_amount(fields, "quantity"),
        quote=parse_amount(fields, "quoteQuantity"),
        price=parse_amount(fields, "price"),
        tif=_time_in_force(fields),
        post_only=parse_flag(fields, "postOnly"),
        reduce_only=parse_flag(fields, "reduceOnly"),
        client_id=parse_client_id(fields.get("clientId")),
        slippage=parse_amount(fields, "slippageTolerance"),
        slippage_in_ticks=fields.get("slippageToleranceType") == "TickSize",
    )
    _check_kind(order)
    return order


def _check_simulated(fields: Mapping[str, Json]) -> None:
    trigger = [fields.get(key) is not None for key in ("triggerPrice", "triggerQuantity")]
    if any(trigger) and not all(trigger):
        raise malformed("Must specify both `triggerPrice` and `triggerQuantity` or neither")
    attached = any(
        fields.get(f"{which}TriggerPrice") is not None for which in ("stopLoss", "takeProfit")
    )
    if any(trigger) or attached:
        raise Refusal("NOT_IMPLEMENTED", "Trigger orders are not simulated")
    if fields.get("selfTradePrevention", "RejectTaker") not in (None, "RejectTaker"):
        raise Refusal("NOT_IMPLEMENTED", "Only RejectTaker is simulated")


def _check_kind(order: WireOrder) -> None:
    """Which amounts go with which type of order."""
    if order.is_market:
        if (order.quantity is None) == (order.quote is None):
            raise malformed("Must specify either `quantity` or `quoteQuantity`")
        if order.price is not None:
            raise malformed("Market order must not have a `price`")
    elif order.quantity is None or order.price is None or order.quote is not None:
        raise malformed("Limit order must have `price` and `quantity`")
    if order.post_only and (order.is_market or order.tif is not TimeInForce.GTC):
        raise Refusal("INVALID_ORDER", "Invalid order")


def _time_in_force(fields: Mapping[str, Json]) -> TimeInForce:
    try:
        return TimeInForce(fields.get("timeInForce") or "GTC")
    except ValueError as error:
        raise malformed("Invalid timeInForce") from error


def parse_which(fields: Json) -> WhichOrder:
    """The order that a cancel or a query is about."""
    if not isinstance(fields, dict) or not fields.get("symbol"):
        raise malformed("Missing `symbol`")
    order_id, client_id = fields.get("orderId"), parse_client_id(fields.get("clientId"))
    if (order_id is None) == (not client_id):
        raise malformed("Must specify exactly one of `orderId` and `clientId`")
    return WhichOrder(fields["symbol"], str(order_id or ""), client_id)

"""What Extended reads, from the venue's end: its error table and the parsing of what clients send.

Amounts are text, in any notation (the official SDK prints `1E-7`), or JSON numbers; null is taken
as absent.

Source: api.docs.extended.exchange, "Create or edit order", "Error responses"; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TypeVar
from urllib.parse import parse_qs

from mpdex.types import Json, Side, TimeInForce

T = TypeVar("T")
LARGEST_NONCE = 2**32 - 1  # the widest range of any client
SIDES: Mapping[str, Side] = {"BUY": "buy", "SELL": "sell"}
TIFS: Mapping[str, TimeInForce] = {
    "GTT": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "TOB": TimeInForce.GTC,  # UNVERIFIED: taken for an ordinary post-only order
}
KINDS = ("LIMIT", "MARKET", "CONDITIONAL", "TPSL", "TWAP")
PROTECTION = ("DISABLED", "ACCOUNT", "CLIENT")
LEGS = ("trigger", "takeProfit", "stopLoss", "tpSlType")

MESSAGES: Mapping[int, str] = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    422: "Unprocessable entity",
    429: "Too many requests",
    500: "Internal server error",
    1001: "Market not found",
    1002: "Market is disabled",
    1010: "Maintenance mode",
    1011: "Post only mode",
    1012: "Reduce only mode",
    1014: "Market is in reduce only mode, non-reduce only orders are not allowed",
    1049: "Leverage below min leverage",
    1050: "Leverage exceeds max leverage",
    10501: "Max position value exceeded for new leverage",
    1052: "Insufficient margin for new leverage",
    1053: "Leverage has invalid precision",
    1100: "Invalid Starknet public key",
    1101: "Invalid Starknet signature",
    1102: "Invalid Starknet vault",
    1120: "Order quantity less than min trade size",
    1121: "Invalid quantity due to the wrong size increment",
    1122: "Order value exceeds max order value",
    1124: "Invalid price due to wrong price movement",
    1126: "Max open orders number exceeded",
    1127: "Max position value exceeded",
    1128: "Trading fees are invalid",
    1130: "Order price is missing",
    1132: "Order type is not allowed",
    1133: "Invalid order parameters",
    1134: "Duplicate Order",
    1135: "Invalid order expiration date",
    1136: "Reduce-only order size exceeds open position size",
    1137: "Position is missing for a reduce-only order",
    1138: "Position is the same side as a reduce-only order",
    1139: "Market order must have time in force IOC",
    1140: "New order cost exceeds available balance",
    1141: "Invalid price value",
    1142: "Edit order not found",
}
STATUSES = {401: 401, 403: 403, 404: 404, 422: 422, 429: 429, 500: 500, 1001: 404}

# Neutral refusal class -> Extended's code, for the fault `reject`. A post-only order that would
# take is never refused by REST.
REJECTS = {
    "MARGIN": 1140,
    "REDUCE_ONLY": 1137,
    "PRICE_BAND": 1141,
    "NOT_FOUND": 404,
    "NONCE": 1135,
    "DUPLICATE_CID": 1134,
    "PERMISSION": 403,
    "SYMBOL": 1001,
    "PRECISION": 1124,
    "AUTH": 401,
    "OI_CAP": 1127,
    "MARKET_STATE": 1002,
    "RATE": 429,
}


class Refusal(Exception):
    """The venue says no; `code` is Extended's.

    Args:
        debug: what the venue adds for people.
    """

    def __init__(self, code: int, debug: str = "") -> None:
        self.code, self.debug = code, debug
        super().__init__(f"{code} {MESSAGES.get(code, '')} {debug}")

    @property
    def status(self) -> int:
        return STATUSES.get(self.code, 400)

    @property
    def body(self) -> dict[str, Json]:
        error = {"code": self.code, "message": MESSAGES.get(self.code, "Request refused")}
        if self.debug:
            error["debugInfo"] = self.debug
        return {"status": "ERROR", "error": error}


# --------------------------------------------------------------------------- single values


def parse_amount(body: Mapping[str, Json], key: str) -> Decimal | None:
    """An amount that is not negative; None where it is absent.

    Raises: Refusal 1133.
    """
    value = body.get(key)
    if value is None:
        return None
    try:
        parsed = None if isinstance(value, bool) else Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        parsed = None
    if parsed is None or not parsed.is_finite() or parsed < 0:
        raise Refusal(1133, f"Invalid {key}")
    return parsed


def parse_whole(body: Mapping[str, Json], key: str) -> int:
    """A whole number, as such or in text. Raises: Refusal 1133 also where it is absent."""
    parsed = parse_amount(body, key)
    if parsed is None or parsed != parsed.to_integral_value():
        raise Refusal(1133, f"Invalid {key}")
    return int(parsed)


def parse_word(body: Mapping[str, Json], key: str, known: Mapping[str, T], usual: str = "") -> T:
    """One of the known words. Raises: Refusal 1133."""
    value = body.get(key) or usual
    if not isinstance(value, str) or value not in known:
        raise Refusal(1133, f"Invalid {key}")
    return known[value]


def parse_flag(body: Mapping[str, Json], key: str) -> bool:
    value = body.get(key)
    if value not in (None, True, False):
        raise Refusal(1133, f"Invalid {key}")
    return value is True


def parse_text(body: Mapping[str, Json], key: str) -> str:
    """A text; "" where it is absent. Raises: Refusal 1133 for anything else."""
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise Refusal(1133, f"Invalid {key}")
    return value or ""


def parse_hex(body: Mapping[str, Json], key: str) -> int:
    """A number as `0x` and hexadecimal digits. Raises: Refusal 1133."""
    text = parse_text(body, key)
    try:
        return int(text, 16) if text.startswith("0x") else int("", 16)
    except ValueError as error:
        raise Refusal(1133, f"Invalid {key}") from error


def parse_names(body: Mapping[str, Json], key: str) -> set[str]:
    """A list of ids or names, empty where it is absent. Raises: Refusal 1133."""
    value = body.get(key)
    if value is not None and not isinstance(value, list):
        raise Refusal(1133, f"Invalid {key}")
    return {str(one) for one in value or ()}


def parse_object(value: Json) -> dict[str, Json]:
    """Raises: Refusal 400 for anything but an object."""
    if not isinstance(value, dict):
        raise Refusal(400)
    return value


class Query:
    """The part of an address after `?`; names may be repeated."""

    def __init__(self, text: str) -> None:
        self._values = parse_qs(text, keep_blank_values=True)

    def every(self, key: str) -> list[str]:
        return self._values.get(key, [])

    def one(self, key: str) -> str:
        """The first value; "" where there is none."""
        return next(iter(self.every(key)), "")

    def count(self, key: str, usual: int) -> int:
        """A whole number. Raises: Refusal 400."""
        text = self.one(key) or str(usual)
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise Refusal(400, f"Invalid {key}")
        return int(text)


# --------------------------------------------------------------------------- orders


@dataclass(frozen=True, slots=True)
class Settlement:
    """Who signed for an order, and the signature."""

    public_key: int
    vault: int
    signature: tuple[int, int]


@dataclass(frozen=True, slots=True)
class WireOrder:
    """An order as sent.

    Attributes:
        price: None where it is missing.
        fee, builder_fee: the highest rates that the account pays.
        replaces: client id of the order that this one takes the place of; "" for none.
    """

    client_id: str
    market: str
    kind: str
    side: Side
    size: Decimal
    price: Decimal | None
    reduce_only: bool
    post_only: bool
    tif: str
    expiry_ms: int
    fee: Decimal
    builder_fee: Decimal
    nonce: int
    replaces: str
    settlement: Settlement


def parse_order(value: Json) -> WireOrder:
    """An order of a request.

    Raises: Refusal, also for what is not simulated (orders with triggers, and TWAP).
    """
    body = parse_object(value)
    kind = parse_word(body, "type", {name: name for name in KINDS})
    if kind not in ("LIMIT", "MARKET") or any(body.get(leg) is not None for leg in LEGS):
        raise Refusal(1132, "Orders with triggers are not simulated")
    parse_word(body, "selfTradeProtectionLevel", dict.fromkeys(PROTECTION), "ACCOUNT")
    fee, builder_fee = parse_amount(body, "fee"), parse_amount(body, "builderFee")
    if fee is None or (builder_fee is not None and body.get("builderId") is None):
        raise Refusal(1133, "fee is required, and builderId beside builderFee")
    order = WireOrder(
        client_id=parse_text(body, "id"),
        market=parse_text(body, "market"),
        kind=kind,
        side=parse_word(body, "side", SIDES),
        size=parse_amount(body, "qty") or Decimal(0),
        price=parse_amount(body, "price"),
        reduce_only=parse_flag(body, "reduceOnly"),
        post_only=parse_flag(body, "postOnly"),
        tif=parse_word(body, "timeInForce", {name: name for name in TIFS}),
        expiry_ms=parse_whole(body, "expiryEpochMillis"),
        fee=fee,
        builder_fee=builder_fee or Decimal(0),
        nonce=parse_whole(body, "nonce"),
        replaces=parse_text(body, "cancelId"),
        settlement=_parse_settlement(body.get("settlement")),
    )
    _check_kind(order)
    return order


def _parse_settlement(value: Json) -> Settlement:
    if not isinstance(value, dict) or not isinstance(value.get("signature"), dict):
        raise Refusal(1133, "Missing settlement")
    signature = value["signature"]
    return Settlement(
        parse_hex(value, "starkKey"),
        parse_whole(value, "collateralPosition"),
        (parse_hex(signature, "r"), parse_hex(signature, "s")),
    )


def _check_kind(order: WireOrder) -> None:
    """What goes with what."""
    if not order.client_id:
        raise Refusal(1133, "Missing id")
    if order.price is None:
        raise Refusal(1130)
    if order.kind == "MARKET" and order.tif != "IOC":
        raise Refusal(1139)
    if order.post_only and order.tif == "IOC":
        raise Refusal(1133, "An order that is IOC cannot be post-only")
    if order.tif == "TOB" and not order.post_only:
        raise Refusal(1133, "TOB goes with postOnly")
    if order.nonce > LARGEST_NONCE:
        raise Refusal(1133, "Invalid nonce")

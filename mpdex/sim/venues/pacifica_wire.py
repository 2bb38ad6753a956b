"""What Pacifica reads, from the venue's end: its error table and the parsing of what clients send.

Prices and amounts are text in plain notation, ids and leverage are JSON numbers. A definite refusal
by the engine is HTTP 422 with a business code, a malformed or badly signed request 400 with the
status as its code. The codes are those of 2026; the texts of most of them are not public
(UNVERIFIED), those that clients have quoted are marked.

Source: docs.pacifica.fi, "Error codes", "Create limit order"; bodies quoted by two connectors of
2026; read 2026-11-21.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from mpdex.types import Json, Side

_PLAIN = re.compile(r"\d{1,20}(\.\d{1,20})?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
LONGEST_PAGE, USUAL_PAGE = 1000, 100
SIDES: Mapping[str, Side] = {"bid": "buy", "ask": "sell"}
TIFS = ("GTC", "IOC", "ALO", "TOB")


class Fault(NamedTuple):
    """One row of the error table. `stream` is the code that a socket call is answered with."""

    message: str
    code: int
    status: int = 422
    error_id: str = "unspecified"  # quoted for one business code; of the others UNVERIFIED
    stream: int = 420

    @property
    def body(self) -> dict[str, Json]:
        """The envelope; what is no business of the engine has no `error_id`, but for signatures."""
        said: dict[str, Json] = {
            "success": False,
            "data": None,
            "error": self.message,
            "code": self.code,
        }
        return {**said, "error_id": self.error_id} if self.error_id else said


def _plain(message: str, status: int, stream: int = 0, error_id: str = "") -> Fault:
    return Fault(message, status, status, error_id, stream or status)


BAD_SIGNATURE = _plain(  # quoted
    "Verification failed: signature does not match signer and canonical payload.",
    400,
    401,
    "signature_verification_failed",
)
NO_SIGNATURE = _plain("Invalid signature", 400, 401)
NO_KEY = _plain("Invalid public key", 400, 402)
NO_AGENT = _plain("Agent not authorized for account", 400, 402)  # quoted
INVALID_MESSAGE = _plain("Invalid message", 400)
BAD_REQUEST = _plain("Bad Request", 400)
NOT_OWNER = _plain("Unauthorized", 403)
NO_ACCESS = _plain("Beta access required. Signer must redeem a valid beta code.", 403)  # quoted
NOT_FOUND = _plain("Not Found", 404)
NO_ACCOUNT = _plain("Account not found", 404)
OVER_LIMIT = _plain("Rate limit exceeded", 429)

BOOK_NOT_FOUND = Fault("Book not found", 3)
BAD_TICK_LEVEL = Fault("Invalid tick level", 4)
NO_BALANCE = Fault("Insufficient balance", 5)
CANCEL_FAILED = Fault("Failed to cancel order", 6)  # quoted, with 5 of the numbers before
ORDER_NOT_FOUND = Fault("Order not found", 6)
TOO_HIGH = Fault("Order amount too high", 8)
BAD_LEVERAGE = Fault("Invalid leverage", 11)
MARGIN_FIXED = Fault("Cannot update margin", 12)
REDUCES_WRONG_SIDE = Fault("Invalid reduce only order side", 21)
NOTHING_TO_REDUCE = Fault("No position for reduce only order", 23)
TOO_FAR = Fault("Price too far from mark", 30)
DUPLICATE = Fault("Duplicate client order id", 36)
TRADING_DISABLED = Fault("Trading disabled", 38)
OPEN_INTEREST = Fault("Open interest limit exceeded", 41)
UNSUPPORTED = Fault("Unsupported operation", 51)
BAD_PRECISION = BAD_REQUEST
NO_COINS = Fault("Insufficient spot balance", 62)
NO_MARK = Fault("Missing mark price", 63)
SPOT_REDUCES = Fault("Reduce only not supported for spot", 106)
SPOT_MARGIN = Fault("Margin settings not applicable for spot", 109)
TAKES = Fault("Post only order would take", 20)  # only said by faults: see the order desk

# Neutral refusal class -> Pacifica's own, for the fault `reject`.
REJECTS = {
    "POST_ONLY": TAKES,
    "MARGIN": NO_BALANCE,
    "REDUCE_ONLY": NOTHING_TO_REDUCE,
    "PRICE_BAND": TOO_FAR,
    "NOT_FOUND": CANCEL_FAILED,
    "NONCE": INVALID_MESSAGE,
    "DUPLICATE_CID": DUPLICATE,
    "PERMISSION": NO_ACCESS,
    "SYMBOL": BOOK_NOT_FOUND,
    "PRECISION": BAD_PRECISION,
    "AUTH": BAD_SIGNATURE,
    "OI_CAP": OPEN_INTEREST,
    "MARKET_STATE": TRADING_DISABLED,
    "RATE": OVER_LIMIT,
}


class Refusal(Exception):
    """The venue says no."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(f"{fault.code} {fault.message}")


def too_low(account: str, notional: Decimal, least: Decimal) -> Refusal:
    """Quoted: five decimals, code 0."""
    text = f"Order amount too low for {account}: {notional:.5f} < {least}"
    return Refusal(Fault(text, 0, error_id="invalid_amount"))


# --------------------------------------------------------------------------- single values


def parse_amount(fields: Mapping[str, Json], key: str) -> Decimal:
    """Decimal text in plain notation; numbers and exponents are refused."""
    value = fields.get(key)
    if not isinstance(value, str) or not _PLAIN.fullmatch(value):
        raise Refusal(BAD_REQUEST)
    return Decimal(value)


def parse_percent(fields: Mapping[str, Json], key: str) -> Decimal:
    """Text, or the number that an official sample sends."""
    value = fields.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Refusal(BAD_REQUEST)
    return parse_amount({key: str(value)}, key)


def parse_side(fields: Mapping[str, Json]) -> Side:
    side = fields.get("side")
    if not isinstance(side, str) or side not in SIDES:
        raise Refusal(BAD_REQUEST)
    return SIDES[side]


def parse_flag(fields: Mapping[str, Json], key: str, default: bool | None = None) -> bool:
    """A JSON boolean; one without a default must be there."""
    value = fields.get(key, default)
    if not isinstance(value, bool):
        raise Refusal(BAD_REQUEST)
    return value


def parse_number(fields: Mapping[str, Json], key: str) -> int:
    """A whole JSON number."""
    value = fields.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise Refusal(BAD_REQUEST)
    return value


def parse_client_id(value: Json) -> str:
    """A full UUID; "" where it is absent."""
    if value is None:
        return ""
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise Refusal(BAD_REQUEST)
    return value


def parse_count(query: Mapping[str, str], key: str, default: int, most: int) -> int:
    """A whole number of a query."""
    text = query.get(key, str(default))
    if not re.fullmatch(r"\d{1,18}", text) or int(text) > most:
        raise Refusal(BAD_REQUEST)
    return int(text)


def is_uuid(value: Json) -> bool:
    return isinstance(value, str) and bool(_UUID.fullmatch(value))


# --------------------------------------------------------------------------- what clients send


@dataclass(frozen=True, slots=True)
class WireOrder:
    """An order as sent. A market order has a slippage in percent instead of a price."""

    symbol: str
    side: Side
    amount: Decimal
    price: Decimal | None
    slippage: Decimal | None
    tif: str
    reduce_only: bool
    client_id: str


@dataclass(frozen=True, slots=True)
class WhichOrder:
    """Exactly one of the two ids is set."""

    symbol: str
    order_id: int | None
    client_id: str


def parse_order(fields: Mapping[str, Json], *, is_market: bool) -> WireOrder:
    """A create request.

    Raises: Refusal where the shape is wrong, or where it asks for take-profit and stop-loss
        orders, which are not simulated.
    """
    if any(fields.get(name) is not None for name in ("take_profit", "stop_loss")):
        raise Refusal(UNSUPPORTED)
    tif = "IOC" if is_market else fields.get("tif")
    if tif not in TIFS:
        raise Refusal(BAD_REQUEST)
    return WireOrder(
        symbol=parse_symbol(fields),
        side=parse_side(fields),
        amount=parse_amount(fields, "amount"),
        price=None if is_market else parse_amount(fields, "price"),
        slippage=parse_percent(fields, "slippage_percent") if is_market else None,
        tif=tif,
        reduce_only=parse_flag(fields, "reduce_only"),
        client_id=parse_client_id(fields.get("client_order_id")),
    )


def parse_symbol(fields: Mapping[str, Json]) -> str:
    symbol = fields.get("symbol")
    if not isinstance(symbol, str):
        raise Refusal(BAD_REQUEST)
    return symbol


def parse_which(fields: Mapping[str, Json]) -> WhichOrder:
    """The order that a cancel or an edit is about."""
    client_id = parse_client_id(fields.get("client_order_id"))
    number = parse_number(fields, "order_id") if fields.get("order_id") is not None else None
    if (number is None) == (not client_id):
        raise Refusal(BAD_REQUEST)
    return WhichOrder(parse_symbol(fields), number, client_id)

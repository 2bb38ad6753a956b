"""What EdgeX reads, from the venue's end: codes of refusals and the parsing of what clients send.

No list of codes is published. But for INVALID_CONTRACT_ID, and the results of cancels, the codes
and sentences here are made up in the same style (UNVERIFIED), as are the HTTP statuses other than
200: 401 where nobody knows who asks, 403 for somebody else's account, 404 for a path that is not
there, 429 over a limit.

Source: edgex-1.gitbook.io, "Order API"; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from mpdex.types import Json, Side, TimeInForce

SIDES: Mapping[str, Side] = {"BUY": "buy", "SELL": "sell"}
POST_ONLY = "POST_ONLY"
TIFS: Mapping[str, TimeInForce] = {
    "GOOD_TIL_CANCEL": TimeInForce.GTC,
    "IMMEDIATE_OR_CANCEL": TimeInForce.IOC,
    "FILL_OR_KILL": TimeInForce.FOK,
    POST_ONLY: TimeInForce.GTC,
}
LARGEST_NONCE = 2**32 - 1

STRANGER = "INVALID_API_KEY"
STATUSES = {
    STRANGER: 401,
    "INVALID_SIGNATURE": 401,
    "INVALID_TIMESTAMP": 401,
    "ACCOUNT_NO_PERMISSION": 403,
    "NOT_FOUND": 404,
    "TOO_MANY_REQUESTS": 429,
}
MESSAGES: Mapping[str, str] = {
    STRANGER: "api key or passphrase is invalid",
    "INVALID_SIGNATURE": "signature is invalid",
    "INVALID_TIMESTAMP": "timestamp is expired",
    "ACCOUNT_NO_PERMISSION": "account has no permission",
    "INVALID_PARAMETER": "parameter is invalid",
    "INVALID_L2_SIGNATURE": "l2 signature is invalid",
    "INVALID_L2_NONCE": "l2 nonce is invalid",
    "INVALID_L2_VALUE": "l2 value does not match the order",
    "INVALID_L2_LIMIT_FEE": "l2 limit fee is less than the fee",
    "INVALID_EXPIRE_TIME": "expire time is invalid",
    "INVALID_TICK_SIZE": "price is not a multiple of tick size",
    "INVALID_STEP_SIZE": "size is not a multiple of step size",
    "ORDER_SIZE_TOO_SMALL": "size is less than min order size",
    "ORDER_SIZE_TOO_LARGE": "size is greater than max order size",
    "ORDER_PRICE_OUT_OF_RANGE": "price is out of range",
    "DUPLICATE_CLIENT_ORDER_ID": "client order id is duplicated",
    "INSUFFICIENT_MARGIN": "available margin is not enough",
    "EXCEED_MAX_POSITION_SIZE": "max position size is exceeded",
    "REDUCE_ONLY_REJECTED": "reduce only order does not reduce a position",
    "CONTRACT_TRADE_DISABLED": "trading of the contract is disabled",
    "CONTRACT_OPEN_POSITION_DISABLED": "open position of the contract is disabled",
    "ORDER_NOT_FOUND": "order is not found",
    "INVALID_LEVERAGE": "leverage is invalid",
    "TOO_MANY_REQUESTS": "too many requests",
    "NOT_FOUND": "path is not found",
}
PROBLEMS = {
    "size": "ORDER_SIZE_TOO_SMALL",
    "max_size": "ORDER_SIZE_TOO_LARGE",
    "step": "INVALID_STEP_SIZE",
    "price": "INVALID_TICK_SIZE",
    "tick": "INVALID_TICK_SIZE",
}
# Neutral refusal class -> EdgeX's code, for the fault `reject`. A post-only order that would take
# is taken by the gateway, and canceled.
REJECTS = {
    "MARGIN": "INSUFFICIENT_MARGIN",
    "REDUCE_ONLY": "REDUCE_ONLY_REJECTED",
    "PRICE_BAND": "ORDER_PRICE_OUT_OF_RANGE",
    "NOT_FOUND": "ORDER_NOT_FOUND",
    "NONCE": "INVALID_L2_NONCE",
    "DUPLICATE_CID": "DUPLICATE_CLIENT_ORDER_ID",
    "PERMISSION": "ACCOUNT_NO_PERMISSION",
    "SYMBOL": "INVALID_CONTRACT_ID",
    "PRECISION": "INVALID_TICK_SIZE",
    "AUTH": "INVALID_SIGNATURE",
    "OI_CAP": "EXCEED_MAX_POSITION_SIZE",
    "MARKET_STATE": "CONTRACT_TRADE_DISABLED",
    "RATE": "TOO_MANY_REQUESTS",
}


class Refusal(Exception):
    """The venue says no.

    Args:
        params: what the refusal is about, by name.
    """

    def __init__(self, code: str, message: str = "", **params: str) -> None:
        self.code, self.params = code, params
        self.message = message or MESSAGES.get(code, "request is refused")
        super().__init__(f"{code}: {self.message}")

    @property
    def status(self) -> int:
        return STATUSES.get(self.code, 200)


def no_contract(text: str) -> Refusal:
    """The one refusal whose words are documented."""
    return Refusal("INVALID_CONTRACT_ID", f"invalid contractId:{text}", contractId=text)


# --------------------------------------------------------------------------- single values


def parse_object(value: Json) -> dict[str, Any]:
    """Raises: Refusal, as everything here."""
    if not isinstance(value, dict):
        raise Refusal("INVALID_PARAMETER", "body is not an object")
    return value


def parse_text(body: Mapping[str, Json], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise _malformed(key)
    return value


def parse_word(body: Mapping[str, Json], key: str, words: Mapping[str, Any]) -> str:
    value = body.get(key)
    if value not in words:
        raise _malformed(key)
    return str(value)


def parse_amount(body: Mapping[str, Json], key: str) -> Decimal:
    """Text, or a JSON number; not negative."""
    value = body.get(key)
    try:
        amount = Decimal("" if isinstance(value, bool) else str(value))
    except InvalidOperation:
        raise _malformed(key) from None
    if not amount.is_finite() or amount < 0:
        raise _malformed(key)
    return amount


def parse_whole(body: Mapping[str, Json], key: str) -> int:
    value = body.get(key)
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit()):
        raise _malformed(key)
    return int(text)


def parse_flag(body: Mapping[str, Json], key: str, *, text_too: bool) -> bool:
    """A JSON boolean; v1 takes its text, too. Absent: false."""
    value = body.get(key)
    if text_too and value in ("true", "false"):
        return bool(value == "true")
    if value is not None and not isinstance(value, bool):
        raise _malformed(key)
    return bool(value)


def parse_names(body: Mapping[str, Json], key: str) -> list[str]:
    """A list of ids; [] where it is absent."""
    value = body.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _malformed(key)
    return value


def names_of(query: Mapping[str, str], key: str) -> list[str]:
    """Comma-joined ids of a query; [] where it is absent."""
    return [name for name in query.get(key, "").split(",") if name]


def count_of(query: Mapping[str, str], key: str, default: int, most: int) -> int:
    text = query.get(key) or str(default)
    if not (text.isascii() and text.isdigit()):
        raise _malformed(key)
    return min(int(text), most)


def _malformed(key: str) -> Refusal:
    return Refusal("INVALID_PARAMETER", f"invalid {key}", name=key)


# --------------------------------------------------------------------------- orders


@dataclass(frozen=True, slots=True, kw_only=True)
class WireOrder:
    """An order as it was sent.

    Attributes:
        price: None of a market order.
        value, limit_fee: what is signed, in the collateral.
    """

    contract_id: str
    client_id: str
    kind: str
    side: str
    tif: str
    size: Decimal
    price: Decimal | None
    reduce_only: bool
    expires_ms: int
    nonce: int
    settles_ms: int
    value: Decimal
    limit_fee: Decimal
    signature: str

    @property
    def post_only(self) -> bool:
        return self.tif == POST_ONLY


def parse_order(body: Mapping[str, Json], *, text_flags: bool) -> WireOrder:
    """Raises: Refusal for what is no order, or one of a kind that is not simulated."""
    kind = parse_word(body, "type", {"LIMIT": 1, "MARKET": 1})
    price = parse_amount(body, "price")
    size = parse_amount(body, "size")
    sent = WireOrder(
        contract_id=parse_text(body, "contractId"),
        client_id=parse_text(body, "clientOrderId"),
        kind=kind,
        side=parse_word(body, "side", SIDES),
        tif=parse_word(body, "timeInForce", TIFS),
        size=size,
        price=price if kind == "LIMIT" else None,
        reduce_only=parse_flag(body, "reduceOnly", text_too=text_flags),
        expires_ms=parse_whole(body, "expireTime"),
        nonce=parse_whole(body, "l2Nonce"),
        settles_ms=parse_whole(body, "l2ExpireTime"),
        value=parse_amount(body, "l2Value"),
        limit_fee=parse_amount(body, "l2LimitFee"),
        signature=parse_text(body, "l2Signature"),
    )
    if parse_amount(body, "l2Size") != size:
        raise _malformed("l2Size")
    if sent.nonce > LARGEST_NONCE:
        raise Refusal("INVALID_L2_NONCE")
    _check_kind(sent, price)
    for leg in ("isSetOpenTp", "isSetOpenSl", "isPositionTpsl"):
        if parse_flag(body, leg, text_too=text_flags):
            raise _malformed(leg)
    return sent


def _check_kind(sent: WireOrder, price: Decimal) -> None:
    if sent.kind == "MARKET" and (price or sent.tif in ("GOOD_TIL_CANCEL", POST_ONLY)):
        raise _malformed("price" if price else "timeInForce")

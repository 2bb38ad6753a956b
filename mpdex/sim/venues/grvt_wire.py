"""What GRVT reads, from the venue's end: its error table and the parsing of what clients send.

Null is taken as absent: the official SDK spells every unset field out. Numbers may come in any
notation (`0E-9`); integers above 32 bits come as text.

Source: api-docs.grvt.io, trading_api, market_data_api and streams; read 2026-11-21.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from mpdex.sim.evm import N
from mpdex.types import Json

ZERO = Decimal(0)

ERRORS: dict[int, tuple[int, str]] = {
    1000: (401, "You need to authenticate prior to using this functionality"),
    1001: (403, "You are not authorized to access this functionality"),
    1002: (500, "Internal Server Error"),
    1003: (400, "Request could not be processed due to malformed syntax"),
    1004: (404, "Data Not Found"),
    1006: (429, "You have surpassed the allocated rate limit for your tier"),
    1009: (503, "We are temporarily deactivating this API endpoint, please try again later"),
    1012: (400, "Invalid signature chain ID"),
    1101: (400, "Feed Format must be in the format of <primary>@<secondary>"),
    1102: (400, "Wrong number of primary selectors"),
    1103: (400, "Wrong number of secondary selectors"),
    1400: (403, "Signer does not have trade permission"),
    2000: (403, "Signature is from an unauthorized signer"),
    2001: (403, "Signature has expired"),
    2002: (403, "Signature does not match payload"),
    2003: (403, "Order sub account does not match logged in user"),
    2005: (403, "Signature V should be 27 or 28"),
    2006: (403, "Signature R/S must have exactly 64 characters long without 0x prefix"),
    2007: (403, "Signature S must be in the lower half of the curve"),
    2008: (403, "Signature exceeds maximum allowed duration"),
    2010: (400, "Order ID should be empty when creating an order"),
    2011: (400, "Client Order ID should be supplied when creating an order"),
    2012: (400, "Client Order ID overlaps with existing active order"),
    2020: (400, "Market Order must always be supplied without a limit price"),
    2021: (400, "Limit Order must always be supplied with a limit price"),
    2030: (400, "Orderbook Orders must have a TimeInForce of GTT/IOC/FOK"),
    2032: (400, "Post Only can only be set to true for GTT/AON orders"),
    2040: (400, "Order must contain at least one leg"),
    2042: (400, "Orderbook Orders must contain only one leg"),
    2061: (400, "Unsupported Instrument Requested"),
    2062: (400, "Order size smaller than instrument's minimum size"),
    2064: (400, "Invalid limit price tick"),
    2065: (400, "Order size too granular"),
    2066: (400, "Order below minimum notional"),
    2080: (400, "Insufficient margin to create order"),
    2081: (400, "Order would exceed maximum position size"),
    2100: (400, "Invalid initial leverage"),
    2102: (400, "Margin type cannot be changed with an open position"),
    2103: (400, "Margin type cannot be changed with open orders"),
    2233: (400, "Bulk request is too large or mixes instruments or kinds of id"),
    2301: (400, "Cancel time to live is too long"),
    2400: (400, "Reduce only order with no position"),
    2401: (400, "Reduce only order must not increase position size"),
    2402: (400, "Reduce only order size exceeds the position"),
    3000: (400, "Instrument is invalid"),
    3021: (400, "Either order ID or client order ID must be supplied"),
    3030: (400, "Feed selector is invalid"),
    3031: (400, "Depth is invalid"),
    6000: (400, "Cancel on disconnect countdown is too long"),
    7201: (400, "Order price is out of the price protection band"),
    7304: (400, "Only reducing orders are allowed at the moment"),
}

# Neutral refusal class -> GRVT's code, for the fault `reject`.
REJECTS = {
    "POST_ONLY": 2032,
    "MARGIN": 2080,
    "REDUCE_ONLY": 2400,
    "PRICE_BAND": 7201,
    "NOT_FOUND": 1004,
    "NONCE": 2001,
    "DUPLICATE_CID": 2012,
    "PERMISSION": 1400,
    "SYMBOL": 2061,
    "PRECISION": 2064,
    "AUTH": 1000,
    "OI_CAP": 2081,
    "MARKET_STATE": 7304,
    "RATE": 1006,
}


class Refusal(Exception):
    """The venue says no; `code` is GRVT's."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"{code} {ERRORS[code][1]}")


def render_error(code: int) -> tuple[dict[str, Json], int]:
    """A REST error body and its HTTP status. Exactly three fields: the SDK's parser takes no more.

    A code that the table does not know (a fault may name any) goes out as a plain refusal.
    """
    status, message = ERRORS.get(code, (400, "Request refused"))
    return {"code": code, "message": message, "status": status}, status


# --------------------------------------------------------------------------- numbers


def parse_number(value: Json) -> Decimal:
    """A price or size as clients spell it, `0E-9` included; absent, null and "" are 0.

    Raises: Refusal 1003 for anything else.
    """
    if value is None or value == "":
        return ZERO
    try:
        parsed = Decimal(value) if isinstance(value, str | int) else None
    except InvalidOperation:
        parsed = None
    if parsed is None or not parsed.is_finite() or isinstance(value, bool):
        raise Refusal(1003)
    return parsed


def parse_integer(value: Json, bits: int, default: int | None = None) -> int:
    """A whole number in text or JSON form, below `2**bits`.

    Raises: Refusal 1003.
    """
    if value is None or value == "":
        if default is None:
            raise Refusal(1003)
        return default
    digits = str(value)
    if isinstance(value, bool) or not digits.isascii() or not digits.isdigit():
        raise Refusal(1003)
    if (whole := int(digits)) >= 1 << bits:
        raise Refusal(1003)
    return whole


# --------------------------------------------------------------------------- what clients send


@dataclass(frozen=True, slots=True)
class WireSignature:
    """As sent; `error` is the first rule of form it breaks, 0 if none."""

    signer: str
    r_text: str
    s_text: str
    v: int
    expiration: int
    nonce: int
    chain_id: int | None
    error: int

    @property
    def r(self) -> int:
        return int(self.r_text, 16)

    @property
    def s(self) -> int:
        return int(self.s_text, 16)

    def render(self) -> dict[str, Json]:
        return {
            "signer": self.signer,
            "r": self.r_text,
            "s": self.s_text,
            "v": self.v,
            "expiration": str(self.expiration),
            "nonce": self.nonce,
            "chain_id": str(self.chain_id or 0),
        }


@dataclass(frozen=True, slots=True)
class WireOrder:
    """An order as sent, numbers parsed. `legs` counts all of them; the rest is the first one's."""

    sub_account_id: int
    order_id: str
    is_market: bool
    time_in_force: str
    post_only: bool
    reduce_only: bool
    legs: int
    instrument: str
    size: Decimal
    price: Decimal
    buying: bool
    client_id: str
    slippage_bps: Decimal
    builder: str
    builder_fee: Decimal
    signature: WireSignature


def parse_signature(value: Json) -> WireSignature:
    """Raises: Refusal 1003 where the shape is wrong; wrong contents are in `error`."""
    if not isinstance(value, dict):
        raise Refusal(1003)
    r, s, v = value.get("r"), value.get("s"), value.get("v")
    signer = value.get("signer")
    if not isinstance(r, str) or not isinstance(s, str) or not isinstance(signer, str):
        raise Refusal(1003)
    if not isinstance(v, int) or isinstance(v, bool) or not isinstance(value.get("nonce"), int):
        raise Refusal(1003)
    chain = value.get("chain_id")
    return WireSignature(
        signer=signer.lower(),
        r_text=r.lower(),
        s_text=s.lower(),
        v=v,
        expiration=parse_integer(value.get("expiration"), 63),
        nonce=parse_integer(value.get("nonce"), 32),
        chain_id=None if chain is None else parse_integer(chain, 63),
        error=_signature_error(r, s, v),
    )


def _signature_error(r: str, s: str, v: int) -> int:
    if v not in (27, 28):
        return 2005
    if not (_hex64(r) and _hex64(s)):
        return 2006
    return 2007 if int(s, 16) > N // 2 else 0


def _hex64(text: str) -> bool:
    digits = text[2:].lower()
    return text[:2] == "0x" and len(digits) == 64 and not digits.strip("0123456789abcdef")


def parse_order(value: Json) -> WireOrder:
    """One order of a create or bulk request. Null is taken as absent.

    Raises: Refusal 1003 where the shape is wrong, 2040 without a leg.
    """
    if not isinstance(value, dict):
        raise Refusal(1003)
    legs = value.get("legs")
    if not isinstance(legs, list):
        raise Refusal(1003)
    if not legs:
        raise Refusal(2040)
    leg, metadata = legs[0], value.get("metadata") or {}
    if not isinstance(leg, dict) or not isinstance(metadata, dict):
        raise Refusal(1003)
    return WireOrder(
        sub_account_id=parse_integer(value.get("sub_account_id"), 64),
        order_id=_text(value, "order_id"),
        is_market=_flag(value, "is_market"),
        time_in_force=_text(value, "time_in_force"),
        post_only=_flag(value, "post_only"),
        reduce_only=_flag(value, "reduce_only"),
        legs=len(legs),
        instrument=_text(leg, "instrument"),
        size=parse_number(leg.get("size")),
        price=parse_number(leg.get("limit_price")),
        buying=_flag(leg, "is_buying_asset"),
        client_id=_client_id(metadata),
        slippage_bps=parse_number(metadata.get("slippage_bps")),
        builder=_text(value, "builder"),
        builder_fee=parse_number(value.get("builder_fee")),
        signature=parse_signature(value.get("signature")),
    )


def _client_id(metadata: dict[str, Json]) -> str:
    value = metadata.get("client_order_id")
    return "" if value in (None, "") else str(parse_integer(value, 64))


def _flag(value: dict[str, Json], key: str) -> bool:
    flag = value.get(key)
    if flag is not None and not isinstance(flag, bool):
        raise Refusal(1003)
    return bool(flag)


def _text(value: dict[str, Json], key: str) -> str:
    text = value.get(key)
    if text is not None and not isinstance(text, str):
        raise Refusal(1003)
    return text or ""

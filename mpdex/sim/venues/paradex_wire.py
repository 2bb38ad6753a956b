"""What Paradex reads, from the venue's end: its error table and the parsing of what clients send.

Null is taken as absent: the official SDK spells unset fields out. Numbers may come as text in any
notation (`1E-7`).

Source: docs.paradex.trade, "Orders", "Error codes" (API 1.132.1); read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from mpdex.types import Json, Side

LONGEST_CLIENT_ID = 64
SHORTEST_WINDOW_MS, USUAL_WINDOW_MS = 10, 300_000
SIDES: Mapping[str, Side] = {"BUY": "buy", "SELL": "sell"}
TRIGGERED = frozenset(
    f"{kind}_{form}"
    for kind in ("STOP", "TAKE_PROFIT", "STOP_LOSS")
    for form in ("LIMIT", "MARKET")
)
INSTRUCTIONS = frozenset({"GTC", "IOC", "POST_ONLY", "RPI"})
FLAGS = frozenset(
    {
        "REDUCE_ONLY",
        "MMP",
        "STOP_CONDITION_BELOW_TRIGGER",
        "STOP_CONDITION_ABOVE_TRIGGER",
        "TARGET_STRATEGY_VWAP",
    }
)
STP = frozenset({"EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"})

# Code -> status and message. The codes are documented, the messages but for the first few are not.
ERRORS: Mapping[str, tuple[int, str]] = {
    "NOT_ONBOARDED": (400, "User has never called /onboarding endpoint"),
    "VALIDATION_ERROR": (400, "invalid request"),
    "BINDING_ERROR": (400, "request body cannot be parsed"),
    "INVALID_REQUEST_PARAMETER": (400, "invalid parameter"),
    "INVALID_ORDER_SIZE": (400, "invalid order size"),
    "INVALID_ORDER_SIGNATURE": (400, "invalid order signature"),
    "INVALID_STARKNET_SIGNATURE": (400, "invalid starknet signature"),
    "INVALID_STARKNET_ADDRESS": (400, "invalid starknet address"),
    "STARKNET_SIGNATURE_VERIFICATION_FAILED": (400, "starknet signature verification failed"),
    "PUBLIC_KEY_INVALID": (400, "invalid public key"),
    "INVALID_TIMESTAMP": (400, "timestamp is out of range"),
    "ORDER_ID_NOT_FOUND": (400, "order id not found"),
    "CLIENT_ORDER_ID_NOT_FOUND": (400, "client order id not found"),
    "ORDER_IS_CLOSED": (400, "order is closed"),
    "ORDER_IS_NOT_OPEN": (400, "order is not open"),
    "DUPLICATED_CLIENT_ID": (400, "client id is in use"),
    "BATCH_SIZE_OUT_OF_RANGE": (400, "batch size is out of range"),
    "MARKET_NOT_FOUND": (400, "market not found"),
    "MARKET_NOT_OPEN": (400, "market is not open"),
    "NO_ACCESS_TO_MARKET": (400, "no access to this market"),
    "MARKET_MARGIN_RESTRICTED": (400, "margin is restricted in this market"),
    "SYSTEM_STATUS_POST_ONLY": (400, "system is in post only mode"),
    "SYSTEM_STATUS_CANCEL_ONLY": (400, "system is in cancel only mode"),
    "RPI_ACCOUNT_NOT_WHITELISTED": (400, "account may not place RPI orders"),
    "NOT_FOUND": (404, "not found"),
    "UNAUTHORIZED_ERROR": (401, "missing or malformed jwt"),
    "INVALID_TOKEN": (401, "invalid or expired jwt"),
    "INVALID_TOKEN_SCOPE": (403, "token may not do this"),
    "SERVICE_UNAVAILABLE": (503, "service unavailable"),
    "TOO_MANY_REQUESTS": (429, "rate limit exceeded"),  # UNVERIFIED: no source shows this body
}

# Neutral refusal class -> Paradex's code, for the fault `reject`. What the venue never refuses at
# once (a post-only order that would take, missing margin, the band) has no code.
REJECTS = {
    "NOT_FOUND": "ORDER_ID_NOT_FOUND",
    "NONCE": "INVALID_TIMESTAMP",
    "DUPLICATE_CID": "DUPLICATED_CLIENT_ID",
    "PERMISSION": "NO_ACCESS_TO_MARKET",
    "SYMBOL": "MARKET_NOT_FOUND",
    "PRECISION": "VALIDATION_ERROR",
    "AUTH": "INVALID_TOKEN",
    "MARKET_STATE": "SYSTEM_STATUS_CANCEL_ONLY",
    "RATE": "TOO_MANY_REQUESTS",
}


class Refusal(Exception):
    """The venue says no; `code` is Paradex's.

    Args:
        message: instead of the usual one of the code.
    """

    def __init__(self, code: str, message: str = "") -> None:
        self.status, usual = ERRORS.get(code, (400, "request refused"))
        self.code, self.message = code, message or usual
        super().__init__(f"{code} {self.message}")

    @property
    def body(self) -> dict[str, Json]:
        return {"error": self.code, "message": self.message, "data": None}


# --------------------------------------------------------------------------- values


def parse_number(body: Mapping[str, Json], key: str) -> Decimal | None:
    """A price or size in any notation; None where absent.

    Raises: Refusal VALIDATION_ERROR for anything else, and for what is negative.
    """
    value = body.get(key)
    if value is None or value == "":
        return None
    try:
        parsed = Decimal(value) if isinstance(value, str | int) else None
    except InvalidOperation:
        parsed = None
    if parsed is None or isinstance(value, bool) or not parsed.is_finite() or parsed < 0:
        raise Refusal("VALIDATION_ERROR", f"{key}: invalid value")
    return parsed


def parse_integer(body: Mapping[str, Json], key: str) -> int | None:
    """A JSON number without a fraction; None where absent.

    Raises: Refusal VALIDATION_ERROR.
    """
    value = body.get(key)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise Refusal("VALIDATION_ERROR", f"{key}: invalid value")
    return value


def parse_text(body: Mapping[str, Json], key: str, among: frozenset[str] | None = None) -> str:
    """A text, "" where absent; one of `among` if given.

    Raises: Refusal VALIDATION_ERROR.
    """
    value = body.get(key)
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or (among is not None and value not in among):
        raise Refusal("VALIDATION_ERROR", f"{key}: invalid value")
    return value


def parse_list(body: Mapping[str, Json], key: str) -> list[str]:
    """A list of texts, empty where absent. Raises: Refusal VALIDATION_ERROR."""
    value = body.get(key) or []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Refusal("VALIDATION_ERROR", f"{key}: invalid value")
    return value


def parse_object(value: Json) -> dict[str, Json]:
    """Raises: Refusal BINDING_ERROR for anything but an object."""
    if not isinstance(value, dict):
        raise Refusal("BINDING_ERROR")
    return value


# --------------------------------------------------------------------------- orders


@dataclass(frozen=True, slots=True)
class WireOrder:
    """An order, or the change of one, as sent.

    Attributes:
        price: 0 for a market order.
        order_id: of the order to change; "" for a new one.
    """

    market: str
    side: Side
    kind: str
    size: Decimal
    price: Decimal
    client_id: str
    instruction: str
    reduce_only: bool
    flags: tuple[str, ...]
    stp: str
    window_ms: int
    timestamp_ms: int
    signature: str
    order_id: str

    @property
    def is_market(self) -> bool:
        return self.kind == "MARKET"


def parse_order(value: Json) -> WireOrder:
    """One order of a request. Raises: Refusal."""
    body = parse_object(value)
    side = parse_text(body, "side", frozenset(SIDES))
    kind = parse_text(body, "type", TRIGGERED | {"LIMIT", "MARKET"})
    size, price = parse_number(body, "size"), parse_number(body, "price")
    timestamp = parse_integer(body, "signature_timestamp")
    if not side or not kind or size is None or timestamp is None:
        raise Refusal("VALIDATION_ERROR", "side, type, size and signature_timestamp are required")
    flags = tuple(parse_list(body, "flags"))
    if set(flags) - FLAGS:
        raise Refusal("VALIDATION_ERROR", "flags: invalid value")
    return WireOrder(
        market=parse_text(body, "market"),
        side=SIDES[side],
        kind=kind,
        size=size,
        price=price or Decimal(0),
        client_id=_client_id(body),
        instruction=parse_text(body, "instruction", INSTRUCTIONS) or "GTC",
        reduce_only="REDUCE_ONLY" in flags,
        flags=flags,
        stp=parse_text(body, "stp", STP) or "EXPIRE_TAKER",
        window_ms=_window_ms(body),
        timestamp_ms=timestamp,
        signature=parse_text(body, "signature"),
        order_id=parse_text(body, "id"),
    )


def _client_id(body: Mapping[str, Json]) -> str:
    text = parse_text(body, "client_id")
    if len(text) > LONGEST_CLIENT_ID:
        raise Refusal("VALIDATION_ERROR", "client_id: too long")
    return text


def _window_ms(body: Mapping[str, Json]) -> int:
    window = parse_integer(body, "recv_window")
    if window is not None and window < SHORTEST_WINDOW_MS:
        raise Refusal("VALIDATION_ERROR", f"recv_window: must be at least {SHORTEST_WINDOW_MS}")
    return USUAL_WINDOW_MS if window is None else window

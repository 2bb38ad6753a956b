"""What Lighter reads, from the venue's end: its error table and the transactions that clients send.

A transaction is a number of its type and a JSON object of integers. Its hash covers the chain, the
type, nonce, deadline, account, key and the type's own fields in a fixed order; attributes, where
there are any, are hashed apart and joined to it.

Source: apidocs.lighter.xyz, "Data structures, constants and errors"; elliottech/lighter-go
@ 17f2d60, types/txtypes; read 2026-11-21.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

import msgspec

from mpdex.sim.venue import SimRequest
from mpdex.sim.venues.lighter_hash import digest, from_bytes, to_bytes
from mpdex.types import Json

CREATE, CANCEL, CANCEL_ALL, MODIFY, LEVERAGE, GROUP, MARGIN = 14, 15, 16, 17, 20, 28, 29
SKIP_NONCE, ONE_MARKET, SELF_TRADE, VERSION = 4, 5, 6, 8  # attributes
MOST_ATTRIBUTES = 4
LARGEST_REST_BATCH, LARGEST_SOCKET_BATCH = 50, 15
ORDER = (
    *("MarketIndex", "ClientOrderIndex", "BaseAmount", "Price", "IsAsk", "Type"),
    *("TimeInForce", "ReduceOnly", "TriggerPrice", "OrderExpiry"),
)
FIELDS: Mapping[int, tuple[str, ...]] = {
    CREATE: ORDER,
    CANCEL: ("MarketIndex", "Index"),
    CANCEL_ALL: ("TimeInForce", "Time"),
    MODIFY: ("MarketIndex", "Index", "BaseAmount", "Price", "TriggerPrice"),
    LEVERAGE: ("MarketIndex", "InitialMarginFraction", "MarginMode"),
    GROUP: ("GroupingType",),
    MARGIN: ("MarketIndex", "USDCAmount", "Direction"),
}
ERRORS: Mapping[int, str] = {
    20001: "invalid param ",
    20013: "invalid auth",  # UNVERIFIED: only "auth" in the text is known
    21100: "account not found",
    21104: "invalid nonce",
    21105: "batch transaction nonce is not increasing",
    21109: "api key not found",
    21113: "invalid initial margin fraction",
    21120: "invalid signature",
    21121: "all transactions in the batch must have use same account and apikey",
    21132: "margin mode change on a market with position or open order is not allowed",
    21149: "integrator is not approved",
    21500: "transaction not found",
    21501: "invalid tx info",
    21505: "unsupported tx type",
    21513: "TxInfos and TxTypes should have the same length",
    21514: "maximum 50 transactions allowed per batch",
    21600: "given order is not an active limit order",
    21602: "invalid market index",
    21605: "invalid market status",
    21612: "invalid open interest",
    21613: "invalid margin mode",
    21614: "no position found",
    21615: "invalid update margin direction",
    21700: "invalid order index",
    21701: "invalid base amount",
    21702: "invalid price",
    21703: "invalid isAsk",
    21704: "invalid OrderType",
    21705: "invalid OrderTimeInForce",
    21706: "invalid order base or quote amount",
    21710: "unsupported order type",
    21711: "invalid expiry",
    21713: "invalid cancel all time in force",
    21714: "invalid cancel all time",
    21717: "maximum active limit order count reached",
    21718: "maximum active limit order count per market reached",
    21727: "invalid client order index",
    21728: "client order index already exists",
    21729: "invalid order trigger price",
    21732: "reduce only increases position",
    21733: "order price flagged as an accidental price",
    21737: "invalid order status",
    21739: "not enough margin to create the order",
    21740: "invalid reduce only mode",
    23000: "Too Many Requests!",
    29404: "not found",
    29500: "internal server error",
}
# Neutral refusal class -> Lighter's code, for the fault `reject`.
REJECTS: Mapping[str, int] = {
    "POST_ONLY": 21705,  # the venue takes it and ends it as canceled-post-only
    "MARGIN": 21739,
    "REDUCE_ONLY": 21732,
    "PRICE_BAND": 21733,
    "NOT_FOUND": 21600,
    "NONCE": 21104,
    "DUPLICATE_CID": 21728,
    "PERMISSION": 21109,
    "SYMBOL": 21602,
    "PRECISION": 21706,
    "AUTH": 21120,
    "OI_CAP": 21612,
    "MARKET_STATE": 21605,
    "RATE": 23000,
}


class Refusal(Exception):
    """The venue says no, before anything has happened."""

    def __init__(self, code: int, more: str = "") -> None:
        self.code = code
        self.message = ERRORS.get(code, "error") + more
        super().__init__(f"{code} {self.message}")


def invalid(what: str) -> Refusal:
    return Refusal(20001, f": {what}")


# --------------------------------------------------------------------------- transactions


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction as signed.

    Attributes:
        values: the type's own fields.
        orders: those of a group.
        expires_ms: the deadline of the transaction itself.
        text: as it was sent.
    """

    kind: int
    values: Mapping[str, int]
    orders: tuple[Mapping[str, int], ...]
    account: int
    key: int
    nonce: int
    expires_ms: int
    attributes: Mapping[int, int]
    signature: bytes
    text: str

    def hash(self, chain: int) -> bytes:
        """What the signature covers; also the transaction's name."""
        head = [chain, self.kind, self.nonce, self.expires_ms, self.account, self.key]
        hashed = digest([*head, *self._elements()])
        if self.attributes:
            pairs = [part for pair in sorted(self.attributes.items()) for part in pair]
            padding = [0] * (2 * MOST_ATTRIBUTES - len(pairs))
            hashed = digest([*hashed, *digest([*pairs, *padding])])
        return to_bytes(hashed)

    def _elements(self) -> list[int]:
        values = list(self.values.values())
        if self.kind == MARGIN:
            market, amount, direction = values
            return [market, amount & 0xFFFFFFFF, amount >> 32, direction]
        if self.kind == GROUP:
            return [*values, *_joined(self.orders)]
        return values


def _joined(orders: tuple[Mapping[str, int], ...]) -> list[int]:
    total: list[int] = []
    for order in orders:
        total = digest([*total, *digest(list(order.values()), 4)], 4) if total else _short(order)
    return total


def _short(order: Mapping[str, int]) -> list[int]:
    return digest(list(order.values()), 4)


def parse_transaction(kind: Json, text: str) -> Transaction:
    """Raises: Refusal where a field is missing, or is no integer of the field's range."""
    if kind not in FIELDS:
        raise Refusal(21505)
    try:
        info = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise Refusal(21501) from error
    if not isinstance(info, dict):
        raise Refusal(21501)
    head = _integers(info, ("AccountIndex", "ApiKeyIndex", "Nonce", "ExpiredAt"))
    return Transaction(
        kind=kind,
        values=_integers(info, FIELDS[kind]),
        orders=_orders(info.get("Orders")) if kind == GROUP else (),
        account=head["AccountIndex"],
        key=head["ApiKeyIndex"],
        nonce=head["Nonce"],
        expires_ms=head["ExpiredAt"],
        attributes=_attributes(info.get("L2TxAttributes")),
        signature=_signature(info.get("Sig")),
        text=text,
    )


def _integers(info: Mapping[str, Json], names: tuple[str, ...]) -> dict[str, int]:
    values: dict[str, Json] = {name: info.get(name) for name in names}
    if not all(type(v) is int and 0 <= v < 1 << 63 for v in values.values()):
        raise Refusal(21501)
    return values


def _orders(orders: Json) -> tuple[Mapping[str, int], ...]:
    if not isinstance(orders, list) or not 2 <= len(orders) <= 3:
        raise Refusal(21501)
    return tuple(_integers(order, ORDER) for order in orders)


def _attributes(sent: Json) -> dict[int, int]:
    if sent is None:
        return {}
    known = isinstance(sent, dict) and len(sent) <= MOST_ATTRIBUTES
    if not known or not all(name in "12345678" and type(v) is int for name, v in sent.items()):
        raise Refusal(21501)
    return {int(name): value for name, value in sent.items()}


def _signature(sent: Json) -> bytes:
    try:
        return base64.b64decode(str(sent), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal(21120) from error


# --------------------------------------------------------------------------- how they arrive


class Sent(NamedTuple):
    """Transactions of one request. `protected`: prices far off are to be refused."""

    transactions: tuple[Transaction, ...]
    protected: bool


class Accepted(NamedTuple):
    """A transaction whose signature and nonce are right. `hash` in hex."""

    sent: Transaction
    hash: str
    protected: bool


def read_form(request: SimRequest) -> dict[str, str]:
    """Fields of a form, of either encoding."""
    kind = request.headers.get("content-type", "")
    _, found, boundary = kind.partition("boundary=")
    if found:
        return dict(_parts(request.body, boundary.strip('"')))
    return dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))


def _parts(body: bytes, boundary: str) -> list[tuple[str, str]]:
    parts = []
    for part in body.decode(errors="replace").split(f"--{boundary}"):
        head, _, value = part.partition("\r\n\r\n")
        _, found, name = head.partition('name="')
        if found:
            parts.append((name.partition('"')[0], value.removesuffix("\r\n")))
    return parts


def read_sent(request: SimRequest) -> Sent:
    """The transactions of a `sendTx` or `sendTxBatch`.

    Raises: Refusal.
    """
    form = read_form(request)
    protected = form.get("price_protection", "true").lower() != "false"
    if request.path.endswith("Batch"):
        return Sent(_batch(form.get("tx_types", ""), form.get("tx_infos", "")), protected)
    kind = form.get("tx_type", "")
    if not kind.isdigit():
        raise invalid("tx_type")
    return Sent((_parsed(int(kind), form.get("tx_info", "")),), protected)


def _batch(types: str, infos: str) -> tuple[Transaction, ...]:
    try:
        kinds = msgspec.json.decode(types, type=list[int])
        texts = msgspec.json.decode(infos, type=list[str])
    except msgspec.DecodeError as error:
        raise invalid("tx_types and tx_infos") from error
    if len(kinds) != len(texts) or not kinds:
        raise Refusal(21513)
    if len(kinds) > LARGEST_REST_BATCH:
        raise Refusal(21514)
    return tuple(map(_parsed, kinds, texts))


# The same request is read for its limit, for the faults and for the venue itself.
_parsed = lru_cache(maxsize=256)(parse_transaction)


# --------------------------------------------------------------------------- tokens


class Token(NamedTuple):
    """`deadline:account:key:signature`; the deadline in seconds."""

    deadline: int
    account: str
    key: int
    signature: bytes
    said: str

    def hash(self) -> bytes:
        return to_bytes(digest(from_bytes(self.said.encode())))


def parse_token(text: str) -> Token:
    """Raises: Refusal."""
    said, _, proof = text.rpartition(":")
    parts = said.split(":")
    if len(parts) != 3 or not all(part.isdigit() and part.isascii() for part in parts):
        raise Refusal(20013, ": malformed token")
    try:
        signature = bytes.fromhex(proof)
    except ValueError as error:
        raise Refusal(20013, ": malformed token") from error
    return Token(int(parts[0]), parts[1], int(parts[2]), signature, said)

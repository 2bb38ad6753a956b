"""EdgeX, proof: who asks, and who orders. Two generations of accounts, told apart by their keys.

Either way a request is proved over its time, method, path and parameters, and an order over whole
numbers of the assets' smallest units, cut towards zero. The fee that is signed is the most that the
account pays, rounded up to whole units of the collateral, and not what it is charged.

Sources: edgex-1.gitbook.io, "Authentication" and "L2 Signature" of both generations;
edgex-python-sdk 2.0.1 (v2) and 0.3.0 (v1); read 2026-11-21.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from hashlib import sha256
from typing import ClassVar, Final, NamedTuple
from urllib.parse import unquote

from mpdex.errors import MissingCredentials, UsageError
from mpdex.types import Json, Request, Side
from mpdex.utils.precision import plain

VENUE: Final = "edgex"
ACCOUNT: Final = "account_id"
V2_KEYS: Final = ("api_key", "passphrase", "secret", "signer_private_key")
V1_KEY: Final = "stark_private_key"
TEMPLATE: Final = "keys/copy.pk_edgex.py"
# What the paths of REST calls begin with; those of sockets have not changed.
API_V2: Final = "/api/v2"
API_V1: Final = "/api/v1"
PRIVATE_SOCKET: Final = "/api/v1/private/ws"

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
UINT64: Final = 2**64 - 1
# What the venue's own client takes for rates that the market does not tell.
_USUAL_RATE: Final = Decimal("0.001")
# The worst price of a market order: a buy ten times the oracle's, a sell one tick.
_MARKET_REACH: Final = 10


class Draft(NamedTuple):
    """An order before it is signed.

    Attributes:
        kind, side, time_in_force: the venue's words.
        price: None for a market order.
        worst: the price that is signed; see `worst_price`.
        expires_ms: None: as late as the venue's own client has it.
    """

    kind: str
    side: str
    size: Decimal
    price: Decimal | None
    worst: Decimal
    time_in_force: str
    reduce_only: bool
    client_id: str
    now_ms: int
    expires_ms: int | None = None


class Amounts(NamedTuple):
    """What is signed, in smallest units, and the two that are told in collateral besides."""

    coin: int
    collateral: int
    fee: int
    value: Decimal
    limit_fee: Decimal


def worst_price(side: Side, mark: Decimal, tick: Decimal) -> Decimal:
    """What the signature of a market order names; the venue bounds the fill by itself."""
    if side == "sell":
        return tick
    return (mark * _MARKET_REACH / tick).to_integral_value(ROUND_CEILING) * tick


def amounts_of(draft: Draft, units: int, collateral_units: int, rate: Decimal) -> Amounts:
    value = draft.worst * draft.size
    limit_fee = (value * rate).to_integral_value(ROUND_CEILING)
    return Amounts(
        int(draft.size * units),
        int(value * collateral_units),
        int(limit_fee * collateral_units),
        value,
        limit_fee,
    )


def nonce_of(client_id: str) -> int:
    """Follows from the client order id: the first 32 bits of its SHA-256."""
    return int.from_bytes(sha256(client_id.encode()).digest()[:4], "big")


def rate_of(text: str | None) -> Decimal:
    """A fee rate as the market tells it; "" where it does not."""
    return Decimal(text) if text else _USUAL_RATE


def number_of(text: str) -> int:
    """Resolutions, asset and chain ids come in decimal or with 0x."""
    return int(text, 16) if text[:2] in ("0x", "0X") else int(text)


# --------------------------------------------------------------------------- requests


def params_of(request: Request) -> str:
    """The parameters as they are signed: sorted, and nothing percent-encoded."""
    if request.json is not None:
        return text_of(request.json)
    pairs = sorted((request.query or {}).items())
    return "&".join(f"{name}={unquote(value)}" for name, value in pairs)


def text_of(value: Json) -> str:
    """A JSON value as it is signed: keys sorted, no brackets, no quotes, null is nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "&".join([f"{name}={text_of(inner)}" for name, inner in sorted(value.items())])
    if isinstance(value, list | tuple):
        return "&".join([text_of(inner) for inner in value])
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


class EdgexAuth(ABC):
    """What both generations share.

    Attributes:
        LIFE_MS: how long an order may rest.
        SETTLES_MS: what its settlement gets on top.
    """

    LIFE_MS: ClassVar[int]
    SETTLES_MS: ClassVar[int]

    def __init__(self, account_id: str) -> None:
        if not account_id.isdecimal() or int(account_id) > UINT64:
            raise UsageError("account_id is a number", venue=VENUE)
        self.account_id = account_id
        self._account = int(account_id)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.account_id})"

    @abstractmethod
    def headers(self, stamp: str, text: str) -> dict[str, str]:
        """Those that prove a text made at a time."""

    @abstractmethod
    def socket_query(self, stamp: str) -> str:
        """What follows the private socket's path."""

    @abstractmethod
    def sign_order(
        self, draft: Draft, raw: Json, nonce: int, expires_ms: int
    ) -> tuple[Amounts, str]:
        """Its amounts and its signature. `raw`: of the market."""

    def sign(self, request: Request, now_ms: int) -> Request:
        """With its headers; body and query stay as they are."""
        stamp = str(now_ms)
        text = f"{stamp}{request.method}{request.path}{params_of(request)}"
        return request.proved(request.body, {**request.headers, **self.headers(stamp, text)})

    def handshake(self, now_ms: int) -> tuple[str, dict[str, str]]:
        """Query and headers of the private socket."""
        stamp = str(now_ms)
        query = self.socket_query(stamp)
        return query, self.headers(stamp, f"{stamp}GET{PRIVATE_SOCKET}{query}")

    def order_fields(self, draft: Draft, raw: Json) -> dict[str, Json]:
        """An order as it is sent, signed.

        Raises: BadOrder: no signature has room for such an amount.
        """
        nonce = nonce_of(draft.client_id)
        expires_ms = draft.expires_ms or draft.now_ms + self.LIFE_MS
        amounts, signature = self.sign_order(draft, raw, nonce, expires_ms)
        size = plain(draft.size)
        return {
            "accountId": self.account_id,
            "contractId": raw["contractId"],
            "price": "0" if draft.price is None else plain(draft.price),
            "size": size,
            "type": draft.kind,
            "side": draft.side,
            "timeInForce": draft.time_in_force,
            "clientOrderId": draft.client_id,
            "expireTime": str(expires_ms),
            "l2Nonce": str(nonce),
            "l2Signature": signature,
            "l2ExpireTime": str(expires_ms + self.SETTLES_MS),
            "l2Value": plain(amounts.value),
            "l2Size": size,
            "l2LimitFee": plain(amounts.limit_fee),
            "reduceOnly": draft.reduce_only,
        }


# --------------------------------------------------------------------------- which generation


def is_v1(keys: Mapping[str, str]) -> bool:
    """By the credentials that are given; without any it is v2.

    Raises: UsageError for those of both.
    """
    own = [name for name in V2_KEYS if keys.get(name)]
    if keys.get(V1_KEY) and own:
        raise UsageError(
            f"{V1_KEY} is of a v1 account and {', '.join(own)} of a v2 account; give one set",
            venue=VENUE,
        )
    return bool(keys.get(V1_KEY))


def auth_of(keys: Mapping[str, str]) -> EdgexAuth:
    """Raises: MissingCredentials; UsageError for keys of both generations, or malformed ones."""
    if is_v1(keys):
        from wrappers.edgex_v1 import EdgexV1Auth

        return EdgexV1Auth(keys[ACCOUNT], keys[V1_KEY])
    missing = [name for name in V2_KEYS if not keys.get(name)]
    if missing:
        either = f", or {V1_KEY} for a v1 account" if len(missing) == len(V2_KEYS) else ""
        raise MissingCredentials(
            f"{', '.join(missing)} missing{either}; {TEMPLATE} shows what is needed", venue=VENUE
        )
    from wrappers.edgex_v2 import EdgexV2Auth

    return EdgexV2Auth(keys[ACCOUNT], *(keys[name] for name in V2_KEYS))

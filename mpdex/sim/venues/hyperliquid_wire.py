"""What Hyperliquid reads: the shapes of actions, in the order in which their keys are hashed.

Reading a JSON object by its shape gives the canonical form: known keys in order, amounts without
padding, addresses in lower case, flags that are false left out. Whoever hashed anything else has
signed something else, and is taken for somebody else.

Source: hyperliquid.gitbook.io, "Exchange endpoint", and measured behaviour; read 2026-11-21.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from mpdex.sim.venues.hyperliquid_crypto import SOURCES, USER_SIGNED, Signature
from mpdex.types import Json

Shape: TypeAlias = Callable[[Json], Json]
_ABSENT = object()
_AMOUNT = re.compile(r"\d+(\.\d{1,8}0*)?")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_CLOID = re.compile(r"0x[0-9a-fA-F]{32}")
_WORD256 = re.compile(r"0x[0-9a-fA-F]{1,64}")


class Malformed(Exception):
    """The body does not have the venue's shape: HTTP 422, in plain text."""


class Refused(Exception):
    """The whole action is refused: status "err" and this text."""


# --------------------------------------------------------------------------- shapes


def _matching(pattern: re.Pattern[str]) -> Shape:
    def read(value: Json) -> Json:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise Malformed
        return value.lower()

    return read


address, cloid = _matching(_ADDRESS), _matching(_CLOID)


def word(value: Json) -> Json:
    if not isinstance(value, str):
        raise Malformed
    return value


def amount(value: Json) -> Json:
    """A number as text, at most 8 decimals that count; padding goes."""
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise Malformed
    return text_of(Decimal(value))


def whole(value: Json) -> Json:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Malformed
    return value


def signed_whole(value: Json) -> Json:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Malformed
    return value


def flag(value: Json) -> Json:
    if not isinstance(value, bool):
        raise Malformed
    return value


def only_true(value: Json) -> Json:
    """A flag that is not hashed unless it is set."""
    if value not in (None, True, False):
        raise Malformed
    return value or _ABSENT


def optional(shape: Shape) -> Shape:
    return lambda value: _ABSENT if value is None else shape(value)


def one_of(*texts: str) -> Shape:
    def read(value: Json) -> Json:
        if value not in texts:
            raise Malformed
        return value

    return read


def either(first: Shape, second: Shape) -> Shape:
    def read(value: Json) -> Json:
        try:
            return first(value)
        except Malformed:
            return second(value)

    return read


def list_of(shape: Shape) -> Shape:
    def read(value: Json) -> Json:
        if not isinstance(value, list):
            raise Malformed
        return [shape(one) for one in value]

    return read


def record(**members: Shape) -> Shape:
    """An object; keys that are not members are dropped."""

    def read(value: Json) -> Json:
        if not isinstance(value, dict):
            raise Malformed
        said = ((name, shape(value.get(name))) for name, shape in members.items())
        return {name: one for name, one in said if one is not _ABSENT}

    return read


def text_of(value: Decimal) -> str:
    """Plain notation without padding, as it is hashed."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


# --------------------------------------------------------------------------- actions

TIFS = ("Alo", "Ioc", "Gtc", "FrontendMarket", "LiquidationMarket")
_LIMIT = record(limit=record(tif=one_of(*TIFS)))
_TRIGGER = record(
    trigger=record(isMarket=flag, triggerPx=amount, tpsl=one_of("tp", "sl")),
)
ORDER = record(
    a=whole,
    b=flag,
    p=amount,
    s=amount,
    r=flag,
    t=either(_LIMIT, _TRIGGER),
    c=optional(cloid),
)
_WHICH = either(whole, cloid)
_MODIFY = record(oid=_WHICH, order=ORDER)

# L1 actions without their `type`, which is hashed first.
ACTIONS: Mapping[str, dict[str, Shape]] = {
    "order": {
        "orders": list_of(ORDER),
        "grouping": either(one_of("na", "normalTpsl", "positionTpsl"), record(p=whole)),
        "builder": optional(record(b=address, f=whole)),
    },
    "cancel": {"cancels": list_of(record(a=whole, o=whole)), "f": only_true},
    "cancelByCloid": {"cancels": list_of(record(asset=whole, cloid=cloid)), "f": only_true},
    "modify": {"oid": _WHICH, "order": ORDER, "a": only_true},
    "batchModify": {"modifies": list_of(_MODIFY), "a": only_true},
    "scheduleCancel": {"time": optional(whole)},
    "updateLeverage": {"asset": whole, "isCross": flag, "leverage": whole},
    "updateIsolatedMargin": {"asset": whole, "isBuy": flag, "ntli": signed_whole},
    "noop": {},
    "setReferrer": {"code": word},
    "createSubAccount": {"name": word},
    "subAccountTransfer": {"subAccountUser": address, "isDeposit": flag, "usd": whole},
    "subAccountSpotTransfer": {
        "subAccountUser": address,
        "isDeposit": flag,
        "token": word,
        "amount": amount,
    },
    "vaultTransfer": {"vaultAddress": address, "isDeposit": flag, "usd": whole},
    "reserveRequestWeight": {"weight": whole, "destination": optional(address)},
    "agentSetAbstraction": {"abstraction": one_of("u", "p", "i")},
    "agentEnableDexAbstraction": {},
}
# Signed without the vault, although the body may name one.
VAULTLESS = frozenset(
    {
        *("setReferrer", "createSubAccount", "subAccountTransfer", "subAccountSpotTransfer"),
        "vaultTransfer",
    }
)
_KINDS: Mapping[str, Shape] = {"string": word, "uint64": whole, "bool": flag, "address": address}


def parse_action(raw: Json) -> dict[str, Json]:
    """The canonical form of an action of either scheme.

    Raises: Malformed.
    """
    kind = str(raw.get("type")) if isinstance(raw, dict) else ""
    if kind in ACTIONS:
        read: dict[str, Json] = record(type=word, **ACTIONS[kind])(raw)
        return read
    if kind in USER_SIGNED:
        return _parse_user_signed(raw)
    raise Malformed


def _parse_user_signed(raw: dict[str, Json]) -> dict[str, Json]:
    """Its texts are signed as they stand; only what is missing is filled in."""
    members = (member.split() for member in USER_SIGNED[raw["type"]][1].split(","))
    shapes = {name: _KINDS[kind] for kind, name in members}
    said = {**raw, "agentName": raw.get("agentName") or ""}
    action: dict[str, Json] = record(
        type=word,
        signatureChainId=_matching(_WORD256),
        hyperliquidChain=one_of(*SOURCES.values()),
        **shapes,
    )(said)
    return action


@dataclass(frozen=True, slots=True)
class Envelope:
    """A body of /exchange.

    Attributes:
        action: canonical.
        vault: the account to act for, in lower case; None: the signer's own.
    """

    action: dict[str, Json]
    nonce: int
    signature: Signature
    vault: str | None
    expires_after: int | None

    @property
    def kind(self) -> str:
        return str(self.action["type"])

    @property
    def count(self) -> int:
        """How many requests it is, by the rules of the limits."""
        for name in ("orders", "cancels", "modifies"):
            if name in self.action:
                return len(self.action[name])
        return 1


_SIGNATURE = record(r=_matching(_WORD256), s=_matching(_WORD256), v=whole)
_BODY = record(
    action=parse_action,
    nonce=whole,
    signature=_SIGNATURE,
    vaultAddress=optional(address),
    expiresAfter=optional(whole),
)


def parse_envelope(raw: Json) -> Envelope:
    """Raises: Malformed."""
    body = _BODY(raw)
    sent = body["signature"]
    signature = Signature(int(sent["r"], 16), int(sent["s"], 16), sent["v"])
    vault, expires = body.get("vaultAddress"), body.get("expiresAfter")
    return Envelope(body["action"], body["nonce"], signature, vault, expires)


# --------------------------------------------------------------------------- refusals of orders

# Why the venue's state refuses an order -> (its text, its status in the history); texts end in
# ` asset=N` live. An order that a fault has refused late has no text of its own.
REFUSALS: Mapping[str, tuple[str, str]] = {
    "post_only": (
        "Post only order would have immediately matched, bbo was {bid}@{ask}.",
        "badAloPxRejected",
    ),
    "margin": ("Insufficient margin to place order.", "perpMarginRejected"),
    "funds": ("Insufficient spot balance", "insufficientSpotBalanceRejected"),
    "reduce_only": ("Reduce only order would increase position.", "reduceOnlyRejected"),
    "tick": ("Price must be divisible by tick size.", "tickRejected"),
    "notional": ("Order must have minimum value of $10.", "minTradeNtlRejected"),
    "spot_notional": ("Order must have minimum value of 10 USDC.", "minTradeSpotNtlRejected"),
    "ioc": (
        "Order could not immediately match against any resting orders.",
        "iocCancelRejected",
    ),
    "band": ("Price too far from oracle", "oracleRejected"),
    # UNVERIFIED: no capture of an order to a venue or market that does not trade.
    "market": ("Trading is halted.", "rejected"),
}
GONE = "Order was never placed, already canceled, or filled."
MODIFY_GONE = "Cannot modify canceled or filled order"
MODIFY_BAD = "Attempted to modify to invalid new order"
FAR_PRICE = "Order price cannot be more than 95% away from the reference price"
UNKNOWN_WALLET = "User or API Wallet {address} does not exist."
NO_DEPOSIT = "Must deposit before performing actions. User: {address}"
NO_SIGNER = "Unable to recover signer."
UNIFIED = "Action disabled when unified account is active"
# UNVERIFIED: no capture names an asset that does not exist.
NO_ASSET = "Invalid asset {asset}"

# Neutral refusal class -> text of one order's status, for the fault `reject`.
REJECTS: Mapping[str, str] = {
    "POST_ONLY": REFUSALS["post_only"][0],
    "MARGIN": REFUSALS["margin"][0],
    "REDUCE_ONLY": REFUSALS["reduce_only"][0],
    "PRICE_BAND": FAR_PRICE,
    "NOT_FOUND": GONE,
    "PRECISION": REFUSALS["tick"][0],
    "OI_CAP": "Order would increase open interest while open interest is capped.",
    "MARKET_STATE": REFUSALS["market"][0],
    # UNVERIFIED: what the venue does with a cloid that is already open is not known.
    "DUPLICATE_CID": "Duplicate cloid.",
}

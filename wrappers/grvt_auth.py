"""What GRVT wants proved: the login, and the EIP-712 payloads behind orders and settings.

Every struct is one fixed layout, packed in one call. An order costs four hashes (leg, legs, order,
digest) and one curve operation; everything that does not change is hashed once.

Sources: api-docs.grvt.io, "Create Order" and "API Setup"; gravity-technologies/api-spec eed18e5;
grvt-pysdk 0.2.1 `grvt_raw_signing.py`; typed-grvt 0.2.0 `core/signing.py`; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from mpdex.errors import AuthError, BadOrder, ProtocolError
from mpdex.types import Json, Session
from mpdex.utils.cookies import find_cookies
from mpdex.utils.precision import plain
from mpdex.utils.signing import own_signer
from mpdex.utils.signing.eip712 import EvmSigner, digest, domain_separator, keccak256, type_hash

VENUE = "grvt"
_OWN = "private_key, that of the API key's signer (keys/copy.pk_grvt.py),"
PRICE_DECIMALS = 9  # of a signed limit price
_SPREAD = 0x9E3779B1  # odd, near 2**32 / golden ratio: consecutive ids land far apart
RATIO_DECIMALS = 6  # of a signed leverage or ratio
BUILDER_FEE_DECIMALS = 4  # of a builder fee in percent

TIME_IN_FORCE: Mapping[str, int] = {
    "GOOD_TILL_TIME": 1,
    "ALL_OR_NONE": 2,
    "IMMEDIATE_OR_CANCEL": 3,
    "FILL_OR_KILL": 4,
    "RETAIL_PRICE_IMPROVEMENT": 5,
}
MARGIN_TYPE: Mapping[str, int] = {"ISOLATED": 1, "CROSS": 2}

LEG_TYPE = "OrderLeg(uint256 assetID,uint64 contractSize,uint64 limitPrice,bool isBuyingContract)"
_ORDER_HEAD = (
    "(uint64 subAccountID,bool isMarket,uint8 timeInForce,bool postOnly,bool reduceOnly,"
    "OrderLeg[] legs,"
)
ORDER_TYPE = f"Order{_ORDER_HEAD}uint32 nonce,int64 expiration){LEG_TYPE}"
BUILDER_ORDER_TYPE = (
    f"OrderWithBuilderFee{_ORDER_HEAD}address builder,uint32 builderFee,"
    f"uint32 nonce,int64 expiration){LEG_TYPE}"
)
POSITION_CONFIG_TYPE = (
    "SetSubAccountPositionMarginConfig(uint64 subAccountID,uint256 asset,uint8 marginType,"
    "int32 leverage,uint32 nonce,int64 expiration)"
)
ISOLATED_MARGIN_TYPE = (
    "AddIsolatedPositionMargin(uint64 subAccountID,uint256 asset,int64 amount,"
    "uint32 nonce,int64 expiration)"
)
DERISK_RATIO_TYPE = (
    "SetDeriskToMaintenanceMarginRatio(uint64 subAccountID,"
    "uint32 deriskToMaintenanceMarginRatio,uint32 nonce,int64 expiration)"
)
TRANSFER_TYPE = (
    "Transfer(address fromAccount,uint64 fromSubAccount,address toAccount,uint64 toSubAccount,"
    "uint8 tokenCurrency,uint64 numTokens,uint32 nonce,int64 expiration)"
)

# One 32-byte word a member: x is padding, the number before it how many zero bytes stand in front.
_UINT64, _UINT32, _UINT8, _BOOL, _BYTES32 = "24xQ", "28xI", "31xB", "31x?", "32s"
_INT64 = _UINT64  # an expiration is never negative
_ADDRESS = "12x20s"

_LEG = Struct(f">{_BYTES32}{_BYTES32}{_UINT64}{_UINT64}{_BOOL}").pack
_ORDER_START = f">{_BYTES32}{_UINT64}{_BOOL}{_UINT8}{_BOOL}{_BOOL}{_BYTES32}"
_ORDER = Struct(f"{_ORDER_START}{_UINT32}{_INT64}").pack
_BUILDER_ORDER = Struct(f"{_ORDER_START}{_ADDRESS}{_UINT32}{_UINT32}{_INT64}").pack
_POSITION_CONFIG = Struct(f">{_BYTES32}{_UINT64}{_BYTES32}{_UINT8}{_UINT32}{_UINT32}{_INT64}").pack
_ISOLATED_MARGIN = Struct(f">{_BYTES32}{_UINT64}{_BYTES32}{_BYTES32}{_UINT32}{_INT64}").pack
_DERISK_RATIO = Struct(f">{_BYTES32}{_UINT64}{_UINT32}{_UINT32}{_INT64}").pack
_TRANSFER = Struct(
    f">{_BYTES32}{_ADDRESS}{_UINT64}{_ADDRESS}{_UINT64}{_UINT8}{_UINT64}{_UINT32}{_INT64}"
).pack

_LEG_HASH = type_hash(LEG_TYPE)
_ORDER_HASH = type_hash(ORDER_TYPE)
_BUILDER_ORDER_HASH = type_hash(BUILDER_ORDER_TYPE)
_POSITION_CONFIG_HASH = type_hash(POSITION_CONFIG_TYPE)
_ISOLATED_MARGIN_HASH = type_hash(ISOLATED_MARGIN_TYPE)
_DERISK_RATIO_HASH = type_hash(DERISK_RATIO_TYPE)
_TRANSFER_HASH = type_hash(TRANSFER_TYPE)


# --------------------------------------------------------------------------- what is signed


class Instrument(NamedTuple):
    """What signing needs of a market: `asset` is `instrument_hash` as one word."""

    symbol: str
    asset: bytes
    base_decimals: int


class Leg(NamedTuple):
    """One side of an order. `price` is 0 in a market order."""

    instrument: Instrument
    size: Decimal
    price: Decimal
    buying: bool


class Builder(NamedTuple):
    """Who gets a share of the fee; `fee` in percent of notional."""

    address: str
    fee: Decimal


class Draft(NamedTuple):
    """An order before its signature. `time_in_force` in the venue's word."""

    sub_account_id: int
    is_market: bool
    time_in_force: str
    post_only: bool
    reduce_only: bool
    legs: tuple[Leg, ...]
    nonce: int
    expiration_ns: int
    client_id: str
    slippage_bps: Decimal | None = None
    builder: Builder | None = None


class Proof(NamedTuple):
    """A signature in the venue's spelling: r and s with 64 digits, v 27 or 28."""

    signer: str
    r: str
    s: str
    v: int
    expiration: str
    nonce: int
    chain_id: str


@lru_cache(maxsize=4096)
def instrument(symbol: str, instrument_hash: str, base_decimals: int) -> Instrument:
    """The signing facts of one market, from its listing."""
    return Instrument(symbol, int(instrument_hash, 16).to_bytes(32, "big"), base_decimals)


def units(value: Decimal, decimals: int) -> int:
    """`value` in units of 10**-decimals, exactly.

    Raises: BadOrder: it does not fit; what is signed would not equal what is sent (code 2002).
    """
    scaled = value.scaleb(decimals)
    whole = int(scaled)
    if whole != scaled:
        raise BadOrder(f"{value} has more than {decimals} decimals", venue=VENUE)
    return whole


def hash_leg(leg: Leg) -> bytes:
    _, asset, decimals = leg.instrument
    size, price = units(leg.size, decimals), units(leg.price, PRICE_DECIMALS)
    return keccak256(_LEG(_LEG_HASH, asset, size, price, leg.buying))


def hash_order(draft: Draft) -> bytes:
    """The struct hash of an order; client id and slippage are not part of it."""
    account, market, force, post_only, reduce_only, legs, nonce, expiration, *_ = draft
    hashes = hash_leg(legs[0]) if len(legs) == 1 else b"".join(map(hash_leg, legs))
    head = (account, market, TIME_IN_FORCE[force], post_only, reduce_only, keccak256(hashes))
    if draft.builder is None:
        return keccak256(_ORDER(_ORDER_HASH, *head, nonce, expiration))
    who, fee = _address(draft.builder.address), units(draft.builder.fee, BUILDER_FEE_DECIMALS)
    return keccak256(_BUILDER_ORDER(_BUILDER_ORDER_HASH, *head, who, fee, nonce, expiration))


def hash_position_config(
    sub_account_id: int,
    asset: bytes,
    margin_type: str,
    leverage: Decimal,
    nonce: int,
    expiration_ns: int,
) -> bytes:
    packed = _POSITION_CONFIG(
        _POSITION_CONFIG_HASH,
        sub_account_id,
        asset,
        MARGIN_TYPE[margin_type],
        units(leverage, RATIO_DECIMALS),
        nonce,
        expiration_ns,
    )
    return keccak256(packed)


def hash_isolated_margin(
    sub_account_id: int,
    asset: bytes,
    amount: Decimal,
    quote_decimals: int,
    nonce: int,
    expiration_ns: int,
) -> bytes:
    """A negative `amount` takes margin out."""
    word = units(amount, quote_decimals).to_bytes(32, "big", signed=True)
    return keccak256(
        _ISOLATED_MARGIN(_ISOLATED_MARGIN_HASH, sub_account_id, asset, word, nonce, expiration_ns)
    )


def hash_derisk_ratio(sub_account_id: int, ratio: Decimal, nonce: int, expiration_ns: int) -> bytes:
    scaled = units(ratio, RATIO_DECIMALS)
    return keccak256(
        _DERISK_RATIO(_DERISK_RATIO_HASH, sub_account_id, scaled, nonce, expiration_ns)
    )


class Transfer(NamedTuple):
    """Money from one (account, sub-account) to another; sub-account 0 is the funding account."""

    from_account: str
    from_sub_account: int
    to_account: str
    to_sub_account: int
    currency_id: int
    amount: Decimal
    currency_decimals: int


def hash_transfer(transfer: Transfer, nonce: int, expiration_ns: int) -> bytes:
    packed = _TRANSFER(
        _TRANSFER_HASH,
        _address(transfer.from_account),
        transfer.from_sub_account,
        _address(transfer.to_account),
        transfer.to_sub_account,
        transfer.currency_id,
        units(transfer.amount, transfer.currency_decimals),
        nonce,
        expiration_ns,
    )
    return keccak256(packed)


def _address(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


# --------------------------------------------------------------------------- signing


@lru_cache(maxsize=8)
def domain(chain_id: int) -> bytes:
    """Separator of "GRVT Exchange" version "0": no contract, no salt."""
    return domain_separator("GRVT Exchange", "0", chain_id)


def chain_id_of(edge_url: str) -> int:
    """Chain of the environment a host belongs to: production unless the name says otherwise.

    Source: grvt-pysdk 0.2.1, `grvt_ccxt_env.py`, read 2026-11-21.
    """
    host = edge_url.partition("://")[2].partition("/")[0].partition(":")[0].lower()
    if host.endswith(".testnet.grvt.io"):
        return 326
    return 327 if host.endswith(".gravitymarkets.io") else 325


class GrvtSigner:
    """One key on one chain. Its repr shows the address alone."""

    __slots__ = ("_domain", "_key", "address", "chain_id")

    def __init__(self, private_key: str, chain_id: int) -> None:
        self._key = EvmSigner(private_key)
        self._domain = domain(chain_id)
        self.address = self._key.address
        self.chain_id = str(chain_id)

    def __repr__(self) -> str:
        return f"GrvtSigner({self.address}, chain {self.chain_id})"

    def prove(self, struct_hash: bytes, nonce: int, expiration_ns: int) -> Proof:
        """Signs one struct hash; nonce and expiration are repeated beside the signature."""
        r, s, v = self._key.sign(digest(self._domain, struct_hash))
        expiration = str(expiration_ns)
        return Proof(
            self.address, f"0x{r.hex()}", f"0x{s.hex()}", v, expiration, nonce, self.chain_id
        )


@lru_cache(maxsize=8)
def signer(private_key: str, chain_id: int) -> GrvtSigner:
    """The prepared signer of a key, made once. Raises: UsageError, without the key in it."""
    return own_signer(lambda key: GrvtSigner(key, chain_id), private_key, _OWN, VENUE)


def nonce_of(client_id: int, now_ns: int) -> int:
    """A uint32 for one signature, with no counter to keep.

    The venue takes a payload it has already seen, nonce included, for the same order and drops it.
    The expiration, which carries `now_ns`, tells two orders apart; the nonce differs as well, by
    the id at one instant and by the time for one id. The id is spread over all bits first because
    ids may themselves count nanoseconds, and would cancel the time out.
    """
    return (client_id * _SPREAD ^ now_ns) & 0xFFFFFFFF


def encode_signed_order(draft: Draft, key: GrvtSigner) -> bytes:
    """The body of create_order, and the `params` of the same call on the socket.

    Joined by hand because every value is plain: ids and numbers are digits, names come from
    closed sets or the venue's own listing.
    """
    proof = key.prove(hash_order(draft), draft.nonce, draft.expiration_ns)
    legs = ",".join(map(_leg_text, draft.legs))
    return (
        f'{{"order":{{"sub_account_id":"{draft.sub_account_id}",'
        f'"is_market":{_bool(draft.is_market)},"time_in_force":"{draft.time_in_force}",'
        f'"post_only":{_bool(draft.post_only)},"reduce_only":{_bool(draft.reduce_only)},'
        f'"legs":[{legs}],{_builder_text(draft.builder)}"signature":{_proof_text(proof)},'
        f'"metadata":{{"client_order_id":"{draft.client_id}"{_slippage_text(draft.slippage_bps)}}}'
        "}}"
    ).encode()


def _leg_text(leg: Leg) -> str:
    return (
        f'{{"instrument":"{leg.instrument.symbol}","size":"{plain(leg.size)}",'
        f'"limit_price":"{plain(leg.price)}","is_buying_asset":{_bool(leg.buying)}}}'
    )


def _proof_text(proof: Proof) -> str:
    return (
        f'{{"signer":"{proof.signer}","r":"{proof.r}","s":"{proof.s}","v":{proof.v},'
        f'"expiration":"{proof.expiration}","nonce":{proof.nonce},"chain_id":"{proof.chain_id}"}}'
    )


def _builder_text(builder: Builder | None) -> str:
    if builder is None:
        return ""
    return f'"builder":"{builder.address}","builder_fee":"{plain(builder.fee)}",'


def _slippage_text(slippage_bps: Decimal | None) -> str:
    """A JSON number of whole basis points."""
    return "" if slippage_bps is None else f',"slippage_bps":{units(slippage_bps, 0)}'


def _bool(value: bool) -> str:
    return "true" if value else "false"


def encode_position_config(
    key: GrvtSigner,
    sub_account_id: int,
    market: Instrument,
    margin_type: str,
    leverage: Decimal,
    nonce: int,
    expiration_ns: int,
) -> dict[str, Json]:
    """The body of set_position_config: leverage and margin mode of one market."""
    hashed = hash_position_config(
        sub_account_id, market.asset, margin_type, leverage, nonce, expiration_ns
    )
    return {
        "sub_account_id": str(sub_account_id),
        "instrument": market.symbol,
        "margin_type": margin_type,
        "leverage": plain(leverage),
        "signature": key.prove(hashed, nonce, expiration_ns)._asdict(),
    }


def sign_transfer(key: GrvtSigner, transfer: Transfer, nonce: int, expiration_ns: int) -> Proof:
    return key.prove(hash_transfer(transfer, nonce, expiration_ns), nonce, expiration_ns)


def sign_derisk_ratio(
    key: GrvtSigner, sub_account_id: int, ratio: Decimal, nonce: int, expiration_ns: int
) -> Proof:
    hashed = hash_derisk_ratio(sub_account_id, ratio, nonce, expiration_ns)
    return key.prove(hashed, nonce, expiration_ns)


def sign_isolated_margin(
    key: GrvtSigner,
    sub_account_id: int,
    market: Instrument,
    amount: Decimal,
    quote_decimals: int,
    nonce: int,
    expiration_ns: int,
) -> Proof:
    hashed = hash_isolated_margin(
        sub_account_id, market.asset, amount, quote_decimals, nonce, expiration_ns
    )
    return key.prove(hashed, nonce, expiration_ns)


# --------------------------------------------------------------------------- session

ACCOUNT_HEADER = "X-Grvt-Account-Id"


def session_from(headers: Mapping[str, str], body: Json, now_ms: int) -> Session:
    """The session in a login's answer. A refusal may hide behind HTTP 200.

    Raises: AuthError: the key was refused. ProtocolError: accepted, but without cookie or account.
    """
    if not isinstance(body, dict) or body.get("status") != "success":
        raise AuthError(f"login refused: {_refusal(body)}", venue=VENUE)
    lower = {name.lower(): text for name, text in headers.items()}
    token = find_cookies(lower.get("set-cookie", ""), now_ms).get("gravity")
    account = lower.get(ACCOUNT_HEADER.lower())
    if token is None or not account:
        raise ProtocolError("login without session cookie or account id", venue=VENUE)
    return Session(
        headers={"Cookie": f"gravity={token.value}", ACCOUNT_HEADER: account},
        expires_ms=token.expires_ms,
    )


def _refusal(body: Json) -> str:
    """The venue's own words, and only those fields that are words."""
    if not isinstance(body, dict):
        return "no JSON object in the answer"
    told = (str(body[key]) for key in ("code", "message", "error") if body.get(key))
    return " ".join(told)[:200] or "no reason given"

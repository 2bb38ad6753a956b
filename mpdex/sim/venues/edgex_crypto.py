"""EdgeX's proofs, checked from the venue's end: who asks, and who orders, in both generations.

v2 proves a request with an HMAC whose key is the base64 text of the secret, and an order with an
EIP-712 signature; v1 signs both on the Stark curve.

Source: edgex-1.gitbook.io, "Authentication" and "L2 Signature"; edgex-python-sdk 2.0.1 and 0.3.0;
read 2026-11-21.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from functools import cache, lru_cache
from typing import NamedTuple

from mpdex.sim import evm, stark
from mpdex.types import Json

CHAIN_ID = 3343  # made up, like the address: no recording of v2's metadata has either
CONTRACT = 0x2C5D0EAB0B2F5C6E2F4B1A9F0D7C3E8A6B4F1D29
HOUR_MS = 3_600_000
_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_BASE_TYPE = b"OrderBase(uint256 nonce,address signer,uint64 accountId,uint256 expirationTimestamp)"
_ORDER_TYPE = (
    b"LimitOrderParams(OrderBase base,int256 amountSynthetic,int256 amountCollateral,"
    b"uint256 amountFee,uint64 assetIdSynthetic,uint64 assetIdCollateral,bool isBuyingSynthetic,"
    b"bytes32 parentOrderHash,uint256 subOrderIndex)"
) + _BASE_TYPE
_MARGIN_TYPE = (
    b"SetMarginPreferenceParams(uint64 accountId,uint64 assetId,uint8 marginMode,uint256 nonce,"
    b"address signer)"
)
_LIMIT_ORDER_WITH_FEES = 3
_SIGNATURE = re.compile(r"[0-9a-fA-F]{130}")
_STARK_SIGNATURE = re.compile(r"([0-9a-fA-F]{64}){2,3}")


class Keys(NamedTuple):
    """Everything that one account was given, of both generations."""

    api_key: str
    passphrase: str
    secret: str
    signer_private_key: str
    stark_private_key: str

    @property
    def signer(self) -> str:
        """Address (lower case) of the key registered for orders."""
        return evm.address_of(int(self.signer_private_key, 16))

    @property
    def stark_key(self) -> int:
        return stark.public_key_of(int(self.stark_private_key, 16))


@lru_cache(maxsize=16)
def throwaway_keys(account: str) -> Keys:
    """Keys made from an account's number: the same ones every time, and no secret."""
    api_key, passphrase, secret, signer, private = (
        hashlib.sha256(f"edgex {account} {purpose}".encode()).hexdigest() for purpose in range(5)
    )
    dashed = re.sub(r"(.{8})(.{4})(.{4})(.{4})(.{12}).*", r"\1-\2-\3-\4-\5", api_key)
    stark_key = int(private, 16) % 2**250 + 1
    return Keys(dashed, passphrase[:24], secret, signer, f"{stark_key:064x}")


@lru_cache(maxsize=16)
def public_keys(account: str) -> tuple[str, int]:
    """(address of the signer, x of the Stark key)."""
    keys = throwaway_keys(account)
    return keys.signer, keys.stark_key


# --------------------------------------------------------------------------- requests


def signed_text(value: Json) -> str:
    """A JSON value as it is proved: keys sorted, no brackets, no quotes, null is nothing."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case dict():
            return "&".join(f"{name}={signed_text(value[name])}" for name in sorted(value))
        case list():
            return "&".join(map(signed_text, value))
        case _:
            return str(value)


def is_hmac_of(secret: str, text: str, signature: str) -> bool:
    """Whether a request of v2 is its owner's. The key is text: nothing is decoded."""
    key = base64.b64encode(secret.encode())
    expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


def is_stark_of(public_key: int, text: str, signature: str) -> bool:
    """Whether a request of v1 is its owner's: r and s, and in some clients the key's y."""
    hashed = int.from_bytes(evm.keccak(text.encode()), "big") % stark.N
    return stark_signed(public_key, hashed, signature)


def stark_signed(public_key: int, hashed: int, signature: str) -> bool:
    if not _STARK_SIGNATURE.fullmatch(signature):
        return False
    r, s = int(signature[:64], 16), int(signature[64:128], 16)
    return stark.verify(public_key, hashed, r, s)


# --------------------------------------------------------------------------- orders


class Amounts(NamedTuple):
    """What changes hands at most, in smallest units; positive for both sides."""

    synthetic: int
    collateral: int
    fee: int


class Order(NamedTuple):
    """What is signed of an order, as both generations call it.

    Attributes:
        expires: seconds in v2, hours of the settlement's end in v1.
    """

    account: int
    nonce: int
    buying: bool
    amounts: Amounts
    expires: int


def nonce_of(client_id: str) -> int:
    return int(hashlib.sha256(client_id.encode()).hexdigest()[:8], 16)


@cache
def _domain(chain_id: int, contract: int) -> bytes:
    name, version = evm.keccak(b"EdgeX"), evm.keccak(b"1")
    return evm.keccak(evm.keccak(_DOMAIN_TYPE) + name + version + evm.words(chain_id, contract))


def order_digest(
    order: Order,
    signer: str,
    synthetic_id: int,
    collateral_id: int,
    domain: tuple[int, int] = (CHAIN_ID, CONTRACT),
) -> bytes:
    """EIP-712 digest of an order of v2; it has no parent order."""
    base = evm.keccak(
        evm.keccak(_BASE_TYPE)
        + evm.words(order.nonce, int(signer, 16), order.account, order.expires)
    )
    struct = (
        evm.keccak(_ORDER_TYPE)
        + base
        + evm.words(*order.amounts, synthetic_id, collateral_id, order.buying, 0, 0)
    )
    return evm.typed_digest(_domain(*domain), struct)


def margin_digest(
    account: int,
    contract_id: int,
    mode: int,
    nonce: int,
    signer: str,
    domain: tuple[int, int] = (CHAIN_ID, CONTRACT),
) -> bytes:
    """EIP-712 digest of a choice of margin mode."""
    members = evm.words(account, contract_id, mode, nonce, int(signer, 16))
    return evm.typed_digest(_domain(*domain), evm.keccak(_MARGIN_TYPE) + members)


def signer_of(digest: bytes, signature: str) -> str | None:
    """Address (lower case) of the key behind r, s and v; None where there can be none."""
    if not _SIGNATURE.fullmatch(signature):
        return None
    r, s, v = (int(part, 16) for part in (signature[:64], signature[64:128], signature[128:]))
    return evm.recover(digest, r, s, v) if v in (27, 28) else None


def stark_hash(order: Order, synthetic_id: int, collateral_id: int) -> int:
    """What is signed for an order of v1: StarkEx's limit order with fees, fee in the collateral."""
    sides = [(collateral_id, order.amounts.collateral), (synthetic_id, order.amounts.synthetic)]
    (sells, sold), (buys, bought) = sides if order.buying else sides[::-1]
    hashed = stark.pedersen(stark.pedersen(sells, buys), collateral_id)
    amounts = sold << 160 | bought << 96 | order.amounts.fee << 32 | order.nonce
    position = order.account << 160 | order.account << 96 | order.account << 32
    terms = (_LIMIT_ORDER_WITH_FEES << 224 | position | order.expires) << 17
    return stark.pedersen(stark.pedersen(hashed, amounts), terms)

"""What a client of Extended signs, rebuilt from the body of an order: SNIP-12 revision 1, Poseidon.

Selectors hash the quoted text of a type, as the venue's own contracts do; a negative amount enters
as `P` minus its size.

Source: api.docs.extended.exchange, "Order management"; x10-python-trading-starknet 2.6.0; SNIP-12;
read 2026-11-21.
"""

from __future__ import annotations

import hashlib
import zlib
from decimal import ROUND_DOWN, ROUND_UP, Context, Decimal
from functools import lru_cache
from typing import NamedTuple

from mpdex.sim.stark import P, poseidon_many, public_key_of, short_string, starknet_keccak, verify

DOMAIN = {"name": "Perpetuals", "version": "v0", "chainId": "SN_MAIN", "revision": 1}
SETTLED_LATER = 14 * 86_400  # seconds between the end of an order and that of its settlement
LARGEST_AMOUNT = 2**63 - 1

_DOMAIN_TYPE = starknet_keccak(
    b'"StarknetDomain"("name":"shortstring","version":"shortstring","chainId":"shortstring",'
    b'"revision":"shortstring")'
)
_ORDER_TYPE = starknet_keccak(
    b'"Order"("position_id":"felt","base_asset_id":"AssetId","base_amount":"i64",'
    b'"quote_asset_id":"AssetId","quote_amount":"i64","fee_asset_id":"AssetId","fee_amount":"u64",'
    b'"expiration":"Timestamp","salt":"felt")"PositionId"("value":"u32")"AssetId"("value":"felt")'
    b'"Timestamp"("seconds":"u64")'
)
_EXACT = Context(prec=80)  # products are taken before anything is rounded


class L2Config(NamedTuple):
    """How a market is called and scaled where it is settled."""

    synthetic_id: int
    synthetic_resolution: int
    collateral_id: int = 1
    collateral_resolution: int = 10**6


class Amounts(NamedTuple):
    """What an order moves at most, in units of the chain; signed as the account sees it."""

    synthetic: int
    collateral: int
    fee: int

    @property
    def fit(self) -> bool:
        return max(map(abs, self)) <= LARGEST_AMOUNT


class Keys(NamedTuple):
    """Credentials of an account, by the names a client takes."""

    api_key: str
    private_key: str
    public_key: str
    vault: str


def amounts(
    buying: bool, size: Decimal, price: Decimal, fee_rate: Decimal, l2: L2Config
) -> Amounts:
    """Rounded against the account: a buyer's up, a seller's down, the fee always up."""
    rounding = ROUND_UP if buying else ROUND_DOWN
    value = _EXACT.multiply(size, price)
    synthetic = _units(size, l2.synthetic_resolution, rounding)
    collateral = _units(value, l2.collateral_resolution, rounding)
    fee = _units(_EXACT.multiply(value, fee_rate), l2.collateral_resolution, ROUND_UP)
    sign = 1 if buying else -1
    return Amounts(sign * synthetic, -sign * collateral, fee)


def _units(amount: Decimal, resolution: int, rounding: str) -> int:
    return int(_EXACT.multiply(amount, resolution).to_integral_value(rounding))


def settlement_expiry(expiry_ms: int) -> int:
    """Seconds, from the milliseconds at which the order ends."""
    return -(-expiry_ms // 1000) + SETTLED_LATER


@lru_cache(maxsize=4)
def domain_hash(chain_id: str) -> int:
    """A revision of SNIP-12 domains is hashed as the number 1, though it is called a text."""
    name, version = short_string("Perpetuals"), short_string("v0")
    return poseidon_many([_DOMAIN_TYPE, name, version, short_string(chain_id), 1])


def order_hash(
    moved: Amounts,
    l2: L2Config,
    *,
    vault: int,
    public_key: int,
    expiration: int,
    salt: int,
    chain_id: str = "SN_MAIN",
) -> int:
    """What is signed for an order; `expiration` in seconds, `salt` is the order's nonce."""
    order = poseidon_many(
        [
            _ORDER_TYPE,
            vault,
            l2.synthetic_id,
            moved.synthetic % P,
            l2.collateral_id,
            moved.collateral % P,
            l2.collateral_id,
            moved.fee,
            expiration,
            salt,
        ]
    )
    header = [short_string("StarkNet Message"), domain_hash(chain_id), public_key]
    return poseidon_many([*header, order])


def signed(public_key: int, hashed: int, signature: tuple[int, int]) -> bool:
    """Whether the key signed."""
    return verify(public_key, hashed, *signature)


@lru_cache(maxsize=16)
def throwaway_keys(purpose: str) -> Keys:
    """Keys made from a purpose: the same ones every time, and no secret."""
    digest = hashlib.sha256(f"extended {purpose}".encode()).digest()
    private = int.from_bytes(digest, "big") % 2**250 + 1
    vault = 10_000 + zlib.crc32(purpose.encode()) % 10**6
    return Keys(
        api_key=hashlib.sha256(digest).hexdigest()[:32],
        private_key=hex(private),
        public_key=hex(public_key_of(private)),
        vault=str(vault),
    )

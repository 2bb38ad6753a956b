"""What the simulated GRVT checks signatures with: EIP-712 digests and key recovery of its own.

Nothing here is shared with the code that signs for a client.

Source: api-docs.grvt.io, "Signing"; struct order as recovered from live orders; read 2026-11-21.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from mpdex.sim.evm import keccak, typed_digest, words

PRICE_SCALE = 9
TIME_IN_FORCE = {
    "GOOD_TILL_TIME": 1,
    "ALL_OR_NONE": 2,
    "IMMEDIATE_OR_CANCEL": 3,
    "FILL_OR_KILL": 4,
    "RETAIL_PRICE_IMPROVEMENT": 5,
}
MARGIN_TYPES = {"ISOLATED": 1, "CROSS": 2}

_LEG = "OrderLeg(uint256 assetID,uint64 contractSize,uint64 limitPrice,bool isBuyingContract)"
_HEAD = (
    "uint64 subAccountID,bool isMarket,uint8 timeInForce,bool postOnly,bool reduceOnly,"
    "OrderLeg[] legs"
)
_TAIL = "uint32 nonce,int64 expiration)"

LEG_TYPE = keccak(_LEG.encode())
ORDER_TYPE = keccak(f"Order({_HEAD},{_TAIL}{_LEG}".encode())
BUILDER_ORDER_TYPE = keccak(
    f"OrderWithBuilderFee({_HEAD},address builder,uint32 builderFee,{_TAIL}{_LEG}".encode()
)
POSITION_CONFIG_TYPE = keccak(
    b"SetSubAccountPositionMarginConfig(uint64 subAccountID,uint256 asset,uint8 marginType,"
    b"int32 leverage,uint32 nonce,int64 expiration)"
)
_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId)")


@lru_cache(maxsize=8)
def domain_separator(chain_id: int) -> bytes:
    """Of the one domain GRVT signs in; no contract, no salt."""
    return keccak(_DOMAIN_TYPE + keccak(b"GRVT Exchange") + keccak(b"0") + words(chain_id))


def digest(chain_id: int, struct: bytes) -> bytes:
    """What is signed: `struct` is the type hash and the encoded members."""
    return typed_digest(domain_separator(chain_id), struct)


def scaled(value: Decimal, decimals: int) -> int | None:
    """`value * 10**decimals` if that is a whole number, else None."""
    number = value.scaleb(decimals)
    whole = int(number)
    return whole if whole == number else None


def order_digest(
    *,
    chain_id: int,
    sub_account_id: int,
    is_market: bool,
    time_in_force: int,
    post_only: bool,
    reduce_only: bool,
    legs: list[tuple[int, int, int, bool]],
    nonce: int,
    expiration: int,
    builder: tuple[int, int] | None = None,
) -> bytes:
    """Digest of an order.

    Args:
        legs: (asset id, scaled size, scaled price, buying) each.
        builder: address as a number and fee in hundredths of a basis point, where one is named.
    """
    hashed = keccak(b"".join(keccak(LEG_TYPE + words(*leg)) for leg in legs))
    head = words(sub_account_id, is_market, time_in_force, post_only, reduce_only) + hashed
    tail = words(nonce, expiration)
    if builder is None:
        return digest(chain_id, ORDER_TYPE + head + tail)
    return digest(chain_id, BUILDER_ORDER_TYPE + head + words(*builder) + tail)


def position_config_digest(
    *,
    chain_id: int,
    sub_account_id: int,
    asset: int,
    margin_type: int,
    leverage: Decimal,
    nonce: int,
    expiration: int,
) -> bytes:
    """Digest of a change of leverage or margin mode; leverage is signed in millionths."""
    members = (sub_account_id, asset, margin_type, int(leverage.scaleb(6)), nonce, expiration)
    return digest(chain_id, POSITION_CONFIG_TYPE + words(*members))

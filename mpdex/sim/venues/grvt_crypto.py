"""What the simulated GRVT checks signatures with: EIP-712 digests and key recovery of its own.

Nothing here is shared with the code that signs for a client; only keccak and the curve come from
libraries, and where no curve library is installed the curve is computed here, in the open.

Source: api-docs.grvt.io, "Signing"; struct order as recovered from live orders; read 2026-11-21.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from Crypto.Hash import keccak as _keccak

try:
    import coincurve
except (
    ImportError
):  # no wheel for this Python: the arithmetic below, a few milliseconds a signature
    coincurve = None  # type: ignore[assignment, unused-ignore]

P = 2**256 - 2**32 - 977  # field of secp256k1 (SEC 2, section 2.4.1)
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
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
Point = tuple[int, int]


def _words(*numbers: int) -> bytes:
    """Each number as the 32 bytes EIP-712 encodes it in; negative ones in two's complement."""
    return b"".join(int(n).to_bytes(32, "big", signed=n < 0) for n in numbers)


def keccak(data: bytes) -> bytes:
    return _keccak.new(digest_bits=256, data=data).digest()


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
    return keccak(_DOMAIN_TYPE + keccak(b"GRVT Exchange") + keccak(b"0") + _words(chain_id))


def digest(chain_id: int, struct: bytes) -> bytes:
    """What is signed: `struct` is the type hash and the encoded members."""
    return keccak(b"\x19\x01" + domain_separator(chain_id) + keccak(struct))


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
    hashed = keccak(b"".join(keccak(LEG_TYPE + _words(*leg)) for leg in legs))
    head = _words(sub_account_id, is_market, time_in_force, post_only, reduce_only) + hashed
    tail = _words(nonce, expiration)
    if builder is None:
        return digest(chain_id, ORDER_TYPE + head + tail)
    return digest(chain_id, BUILDER_ORDER_TYPE + head + _words(*builder) + tail)


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
    return digest(chain_id, POSITION_CONFIG_TYPE + _words(*members))


def recover(hashed: bytes, r: int, s: int, v: int) -> str | None:
    """Address (lower case) of the key that signed, or None where no key can have."""
    if not (0 < r < N and 0 < s < N):
        return None
    if coincurve is None:
        point = recover_point(hashed, r, s, v)
        return _address(_words(*point)) if point else None
    compact = _words(r, s) + bytes([v - 27])
    try:
        key = coincurve.PublicKey.from_signature_and_message(compact, hashed, hasher=None)
    except ValueError:
        return None
    return _address(key.format(compressed=False)[1:])


def address_of(private_key: int) -> str:
    """Address (lower case) of a private key."""
    point = _multiply(private_key, G)
    assert point is not None, "a private key is below the order of the curve"
    return _address(_words(*point))


@lru_cache(maxsize=64)
def _address(public_key: bytes) -> str:
    return "0x" + keccak(public_key)[-20:].hex()


def recover_point(hashed: bytes, r: int, s: int, v: int) -> Point | None:
    """Public key behind a signature: `(s*R - z*G) / r`. Source: SEC 1, section 4.1.6."""
    y = pow(pow(r, 3, P) + 7, (P + 1) // 4, P)
    if y * y % P != (pow(r, 3, P) + 7) % P:
        return None
    if y % 2 != v - 27:
        y = P - y
    inverse = pow(r, -1, N)
    z = int.from_bytes(hashed, "big")
    return _add(_multiply(s * inverse % N, (r, y)), _multiply(-z * inverse % N, G))


def _multiply(factor: int, point: Point) -> Point | None:
    total: Point | None = None
    term: Point | None = point
    while factor:
        if factor & 1:
            total = _add(total, term)
        term = _add(term, term)
        factor >>= 1
    return total


def _add(a: Point | None, b: Point | None) -> Point | None:
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P

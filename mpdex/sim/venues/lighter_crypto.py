"""What the simulated Lighter checks with: the group ECgFp5 and Schnorr signatures in it.

The curve is y^2 = x(x^2 + 2x + 263z) over GF(p^5). A group element is a point of odd order, kept as
the point shifted by (0, 0): x = X/Z and u = x/y = U/T, for which one addition formula has no
exceptions. It is written as w = 1/u; the neutral element as 0.

Multiples of the generator and of each public key come from tables of all small multiples of every
32nd power, so that a check is 128 additions and no doubling: about 2 ms in plain Python, and twenty
once for a new key.

Nothing here is shared with the code that signs for a client.

Source: T. Pornin, "EcGFp5", eprint 2022/274, section 3; elliottech/poseidon_crypto @ 315971c,
signature/schnorr; read 2026-11-21.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

from mpdex.sim.venues.lighter_field import (
    ONE,
    SPARE,
    invert,
    invert_all,
    is_square,
    multiply,
    negative,
    pack,
    square_root,
    times_z,
    unpack,
)
from mpdex.sim.venues.lighter_hash import P, digest, from_bytes, to_bytes

ORDER = int(
    "1067993516717146951041484916571792702745057740581727230159139685185762082554198619328292418486241"
)
SIZE = 40  # bytes of a scalar, of a group element, of a hash
_WINDOW = 5
_WINDOWS = 64
_HALF = 1 << _WINDOW - 1

Point: TypeAlias = tuple[int, int, int, int]  # X, Z, U, T
Affine: TypeAlias = tuple[int, int]  # x, u
Table: TypeAlias = list[list[Affine]]

NEUTRAL: Point = (0, ONE, 0, ONE)
_FOUR_B = times_z(4 * 263)
GENERATOR = (4).to_bytes(SIZE, "little")


class InvalidKey(ValueError):
    """Bytes that are no group element."""


# --------------------------------------------------------------------------- the group


def add(p: Point, q: Point) -> Point:
    """The sum, ten products; also of a point with itself, its negative or the neutral one."""
    (x1, z1, u1, t1), (x2, z2, u2, t2) = p, q
    xx, zz, uu, tt = multiply(x1, x2), multiply(z1, z2), multiply(u1, u2), multiply(t1, t2)
    xz = multiply(x1 + z1, x2 + z2) - (xx + zz) + SPARE
    ut = multiply(u1 + t1, u2 + t2) - (uu + tt) + SPARE
    return _summed(xx, zz, uu, tt, (xz, ut))


def add_affine(p: Point, q: Affine) -> Point:
    """The same with Z = T = 1, eight products."""
    (x1, z1, u1, t1), (x2, u2) = p, q
    xz, ut = x1 + multiply(z1, x2), u1 + multiply(t1, u2)
    return _summed(multiply(x1, x2), z1, multiply(u1, u2), t1, (xz, ut))


def _summed(xx: int, zz: int, uu: int, tt: int, mixed: tuple[int, int]) -> Point:
    xz, ut = mixed
    bzz = times_z(263 * zz)
    total = xx + bzz
    left = multiply(tt, total)
    right = multiply(uu, times_z(526 * xz) + 2 * total)
    x = multiply(tt + 2 * uu, xz + total) - left + SPARE
    u = multiply(ut, bzz - xx + SPARE)
    return multiply(times_z(263), x), left - right + SPARE, u, left + right


def encode(point: Point) -> bytes:
    _, _, u, t = point
    return to_bytes(unpack(multiply(t, invert(u))))


def decode(data: bytes) -> Affine:
    """The point of an encoded group element.

    Raises: InvalidKey.
    """
    words = from_bytes(data)
    if len(data) != SIZE or any(word >= P for word in words):
        raise InvalidKey("not five elements of the field")
    w = pack(words)
    if not w:
        return 0, 0
    e = multiply(w, w) + pack([P - 2])
    e = pack(unpack(e))
    root = square_root(multiply(e, e) + negative(_FOUR_B))
    if root is None:
        raise InvalidKey("not a group element")
    half = pack([(P + 1) // 2])
    x = multiply(e + root, half)
    if is_square(x):
        x = multiply(e + negative(root), half)
    return x, invert(w)


# --------------------------------------------------------------------------- multiples


@lru_cache(maxsize=32)
def _table(encoded: bytes) -> Table:
    """For each window the multiples 0 to 16 of its unit, then -15 to -1, so that a negative index
    finds them.

    Raises: InvalidKey.
    """
    x, u = decode(encoded)
    unit: Point = (x, ONE, u, ONE)
    points: list[Point] = []
    for _ in range(_WINDOWS):
        multiple = unit
        points.append(multiple)
        for _ in range(_HALF - 1):
            multiple = add(multiple, unit)
            points.append(multiple)
        unit = add(multiple, multiple)
    every = _affine(points)
    return [_row(every[at : at + _HALF]) for at in range(0, len(every), _HALF)]


def _row(multiples: list[Affine]) -> list[Affine]:
    negatives = [(x, negative(u)) for x, u in reversed(multiples[:-1])]
    return [(0, 0), *multiples, *negatives]


def _affine(points: list[Point]) -> list[Affine]:
    inverses = invert_all([part for _, z, _, t in points for part in (z, t)])
    pairs = zip(points, inverses[::2], inverses[1::2], strict=True)
    return [(multiply(x, iz), multiply(u, it)) for (x, _, u, _), iz, it in pairs]


def _digits(scalar: int) -> Iterable[int]:
    """In base 32, from -15 to 16, the lowest first."""
    carry = 0
    for at in range(_WINDOWS):
        digit = (scalar >> _WINDOW * at & 2 * _HALF - 1) + carry
        carry = int(digit > _HALF)
        yield digit - (carry << _WINDOW)


def combined(*terms: tuple[int, bytes]) -> bytes:
    """The encoded sum of multiples of encoded group elements.

    Raises: InvalidKey.
    """
    total = NEUTRAL
    for scalar, encoded in terms:
        for row, digit in zip(_table(encoded), _digits(scalar % ORDER), strict=True):
            if digit:
                total = add_affine(total, row[digit])
    return encode(total)


# --------------------------------------------------------------------------- signatures


def public_key(private_key: str) -> bytes:
    """Of a private key in hex, a scalar in little-endian bytes."""
    scalar = int.from_bytes(bytes.fromhex(private_key), "little")
    return combined((scalar, GENERATOR))


@lru_cache(maxsize=1024)
def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the holder of a public key signed the 40 bytes of a hash."""
    if not well_formed(signature):
        return False
    s, e = (int.from_bytes(part, "little") for part in (signature[:SIZE], signature[SIZE:]))
    try:
        commitment = combined((s, GENERATOR), (e, key))
    except InvalidKey:
        return False
    return challenge(commitment, message) == e


def well_formed(signature: bytes) -> bool:
    """Two scalars below the order of the group."""
    parts = (signature[:SIZE], signature[SIZE:])
    return len(signature) == 2 * SIZE and all(int.from_bytes(p, "little") < ORDER for p in parts)


def challenge(commitment: bytes, message: bytes) -> int:
    """Hash of an encoded group element and a message, as a scalar."""
    hashed = digest([*from_bytes(commitment), *from_bytes(message)])
    return int.from_bytes(to_bytes(hashed), "little") % ORDER


def throwaway_key(account: str) -> str:
    """The private key behind the API key of a simulated account; it guards nothing."""
    return hashlib.sha512(f"simulated lighter {account}".encode()).hexdigest()[: 2 * SIZE]

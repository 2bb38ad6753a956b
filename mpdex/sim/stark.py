"""Stark hashes and signatures for simulated venues: Pedersen, Poseidon, ECDSA on the Stark curve.

All arithmetic is done here, in the open, and shares nothing with the code that signs for a client.
Numbers are field elements ("felts"), below `P`; a public key is the x of its point.

Source: docs.starknet.io, "Hash functions" and "STARK curve"; SNIP-12; docs.starkware.co, "Pedersen
hash function"; github.com/starkware-industries/poseidon; read 2026-11-21.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache, lru_cache

from mpdex.sim.evm import keccak
from mpdex.sim.stark_curve import (
    G,
    Multiples,
    N,
    P,
    Point,
    Sum,
    affine,
    is_x,
    opposite,
    point_of,
)

__all__ = [
    "N",
    "P",
    "pedersen",
    "pedersen_many",
    "poseidon",
    "poseidon_many",
    "public_key_of",
    "short_string",
    "sign",
    "starknet_keccak",
    "verify",
]

SHIFT: Point = (  # Pedersen's five points, from digits of pi
    0x49EE3EBA8C1600700EE1B87EB599F16716B0B1022947733551FDE4050CA6804,
    0x3CA0CFE4B3BC6DDF346D49D06EA0ED34E621062C0E056C1D0405D266E10268A,
)
_LOW_A: Point = (
    0x234287DCBAFFE7F969C748655FCA9E58FA8120B6D56EB0C1080D17957EBE47B,
    0x3B056F100F96FB21E889527D41F4E39940135DD7A6C94CC6ED0268EE89E5615,
)
_HIGH_A: Point = (
    0x4FA56F376C83DB33F9DAB2656558F3399099EC1DE5E3018B7A6932DBA8AA378,
    0x3FA0984C931C9E38113E0C0E47E4401562761F92A7A23B45168F4E80FF5B54D,
)
_LOW_B: Point = (
    0x4BA4CC166BE8DEC764910F75B45F74B40C690C74709E90F3AA372F0BD2D6997,
    0x40301CF5C1751F4B971E46C4EDE85FCAC5C59A5CE5AE7C48151F27B24B219C,
)
_HIGH_B: Point = (
    0x54302DCB0E6CC1C6E44CCA8F61A63BB2CA65048D53FB325D36FF12C49A58202,
    0x1B77B3E37D13504B348046268D8AE25CE98AD783C25561A879DCC77E99C2426,
)
_LOW_BITS = 248
_FULL_ROUNDS, _PARTIAL_ROUNDS = 8, 83


def short_string(text: str) -> int:
    """At most 31 ASCII characters as one felt."""
    data = text.encode("ascii")
    if len(data) > 31:
        raise ValueError("a short string has at most 31 characters")
    return int.from_bytes(data, "big")


def starknet_keccak(data: bytes) -> int:
    """Keccak-256, of which a felt has room for the low 250 bits."""
    return int.from_bytes(keccak(data), "big") & (2**250 - 1)


@lru_cache(maxsize=1024)
def pedersen(a: int, b: int) -> int:
    """`x(SHIFT + low(a) A1 + high(a) A2 + low(b) B1 + high(b) B2)`; the high part is four bits."""
    total: Sum | None = (*SHIFT, 1)
    for number, (low, high) in zip((a, b), _pedersen_tables(), strict=True):
        total = low.add(total, number & (2**_LOW_BITS - 1))
        total = high.add(total, number >> _LOW_BITS)
    return affine(total)[0]


def pedersen_many(elements: Sequence[int]) -> int:
    """Hash of a list as SNIP-12 revision 0 has it: folded from 0, its length last."""
    total = 0
    for element in (*elements, len(elements)):
        total = pedersen(total, element)
    return total


def poseidon(a: int, b: int) -> int:
    """Hash of exactly two felts."""
    return _permuted(a, b, 2)[0]


def poseidon_many(elements: Sequence[int]) -> int:
    """Hash of a list: two felts a step, a 1 (and a 0 where needed) after the last."""
    padded = [*elements, 1, *[0] * ((len(elements) + 1) % 2)]
    state = (0, 0, 0)
    for first, second in zip(padded[::2], padded[1::2], strict=True):
        state = _permuted(state[0] + first, state[1] + second, state[2])
    return state[0]


def public_key_of(private_key: int) -> int:
    return affine(_base().add(None, private_key))[0]


def sign(private_key: int, hashed: int) -> tuple[int, int]:
    """(r, s) by a throwaway key of a simulated account; not made to keep a real key safe."""
    seed = private_key.to_bytes(32, "big") + hashed.to_bytes(32, "big")
    while True:
        seed = hashlib.sha256(seed).digest()
        nonce = int.from_bytes(seed, "big") % (N - 1) + 1
        r = affine(_base().add(None, nonce))[0]
        s = pow(nonce, -1, N) * (hashed + r * private_key) % N
        if r < 2**251 and s and pow(s, -1, N) < 2**251:
            return r, s


def verify(public_key: int, hashed: int, r: int, s: int) -> bool:
    """Whether the key (the x of its point) signed `hashed`.

    `r`, the hash and the inverse of `s` are below 2**251, as Starkware's own verifier wants them.
    """
    if not (0 < r < 2**251 and 0 < s < N and 0 <= hashed < 2**251):
        return False
    inverse = pow(s, -1, N)
    key = _key(public_key)
    if key is None or inverse >= 2**251:
        return False
    by_key = key.add(None, r * inverse % N)
    ours, theirs = _base().add(by_key, hashed * inverse % N), opposite(by_key)
    return is_x(ours, r) or is_x(_base().add(theirs, hashed * inverse % N), r)


@cache
def _base() -> Multiples:
    return Multiples(G)


@cache
def _pedersen_tables() -> tuple[tuple[Multiples, Multiples], tuple[Multiples, Multiples]]:
    return (
        (Multiples(_LOW_A, _LOW_BITS, 8), Multiples(_HIGH_A, 4)),
        (Multiples(_LOW_B, _LOW_BITS, 8), Multiples(_HIGH_B, 4)),
    )


@lru_cache(maxsize=64)
def _key(public_key: int) -> Multiples | None:
    """Multiples of a public key: about 10 ms the first time, nothing afterwards."""
    point = point_of(public_key) if 0 < public_key < P else None
    return None if point is None else Multiples(point)


@cache
def _round_constants() -> tuple[tuple[int, int, int], ...]:
    """Three felts a round: SHA-256 of "Hades0", "Hades1" and so on."""
    words = [
        int.from_bytes(hashlib.sha256(b"Hades%d" % number).digest(), "big") % P
        for number in range(3 * (_FULL_ROUNDS + _PARTIAL_ROUNDS))
    ]
    return tuple(zip(words[::3], words[1::3], words[2::3], strict=True))


def _permuted(a: int, b: int, c: int) -> tuple[int, int, int]:
    """Hades over three felts: four full rounds, 83 that cube only the last felt, four full ones."""
    half = _FULL_ROUNDS // 2
    for number, (to_a, to_b, to_c) in enumerate(_round_constants()):
        a, b, c = a + to_a, b + to_b, pow(c + to_c, 3, P)
        if not half <= number < half + _PARTIAL_ROUNDS:
            a, b = pow(a, 3, P), pow(b, 3, P)
        total = a + b + c
        a, b, c = (total + 2 * a) % P, (total - 2 * b) % P, (total - 3 * c) % P
    return a, b, c

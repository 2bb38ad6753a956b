"""Poseidon2 as the simulated Lighter computes it: over the Goldilocks field, width 12, rate 8.

The sponge overwrites: a block of up to eight elements replaces the first elements of the state, and
there is no padding. Elements are printed as eight little-endian bytes each.

Source: elliottech/poseidon_crypto @ 315971c; elliottech/lighter-go @ 17f2d60; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mpdex.sim.venues.lighter_constants import DIAGONAL, EXTERNAL, INTERNAL

P = 2**64 - 2**32 + 1
RATE = 8
WIDTH = 12


def permute(state: Sequence[int]) -> list[int]:
    """Poseidon2: four external rounds, twenty-two internal ones, four external ones."""
    state = _mixed(state)
    for constants in EXTERNAL[:4]:
        state = _external(state, constants)
    for constant in INTERNAL:
        state = _internal(state, constant)
    for constants in EXTERNAL[4:]:
        state = _external(state, constants)
    return [value % P for value in state]


def digest(elements: Sequence[int], size: int = 5) -> list[int]:
    """The first elements of the state after all blocks; zeros for no input."""
    state = [0] * WIDTH
    for start in range(0, len(elements), RATE):
        block = elements[start : start + RATE]
        state = permute([*block, *state[len(block) :]])
    return state[:size]


def to_bytes(elements: Iterable[int]) -> bytes:
    return b"".join(element.to_bytes(8, "little") for element in elements)


def from_bytes(data: bytes) -> list[int]:
    """Elements of a text of any length; zeros fill the last one."""
    return [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]


def _external(state: Sequence[int], constants: Sequence[int]) -> list[int]:
    return _mixed([_seventh(v + c) for v, c in zip(state, constants, strict=True)])


def _internal(state: Sequence[int], constant: int) -> list[int]:
    state = [_seventh(state[0] + constant), *state[1:]]
    total = sum(state)
    return [(total + d * value) % P for d, value in zip(DIAGONAL, state, strict=True)]


def _seventh(value: int) -> int:
    value %= P
    square = value * value % P
    return square * square % P * (square * value % P) % P


def _mixed(state: Sequence[int]) -> list[int]:
    """Each group of four through circ(2, 3, 1, 1), then the groups added to each other."""
    mixed: list[int] = []
    for at in (0, 4, 8):
        a, b, c, d = state[at : at + 4]
        every = a + b + c + d
        mixed += (every + a + 2 * b, every + b + 2 * c, every + c + 2 * d, every + d + 2 * a)
    columns = [mixed[i] + mixed[i + 4] + mixed[i + 8] for i in range(4)]
    return [value + columns[i & 3] for i, value in enumerate(mixed)]

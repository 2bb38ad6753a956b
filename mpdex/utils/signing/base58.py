"""Bytes as Base58 text, and back: the library takes as long for a signature as for signing it.

Ten digits at a time are cut off the number, and those are read as pairs from a table; a big number
is then divided nine times and not eighty-eight.

Source: Bitcoin's alphabet, draft-msporny-base58-03; read 2026-11-21.
"""

from __future__ import annotations

from typing import Final

# From "1" to "z": digits and letters, less those that look alike.
_ALPHABET: Final = bytes(c for c in range(49, 123) if chr(c).isalnum() and c not in b"OIl")
_PAIRS: Final = [bytes((high, low)) for high in _ALPHABET for low in _ALPHABET]
_VALUES: Final = {digit: value for value, digit in enumerate(_ALPHABET)}
_TWO, _FOUR, _SIX, _EIGHT, _TEN = (58**digits for digits in (2, 4, 6, 8, 10))


def encode_base58(data: bytes) -> bytes:
    """Each leading zero byte is a "1"."""
    parts: list[bytes] = []
    number = int.from_bytes(data, "big")
    while number:
        number, ten = divmod(number, _TEN)
        parts += (
            _PAIRS[ten % _TWO],
            _PAIRS[ten // _TWO % _TWO],
            _PAIRS[ten // _FOUR % _TWO],
            _PAIRS[ten // _SIX % _TWO],
            _PAIRS[ten // _EIGHT],
        )
    parts.reverse()
    zeros = len(data) - len(data.lstrip(b"\0"))
    return b"1" * zeros + b"".join(parts).lstrip(b"1")


def decode_base58(text: str) -> bytes:
    """Not meant for speed. Raises: ValueError, without the text."""
    number = 0
    for digit in text.encode():
        if digit not in _VALUES:
            raise ValueError("not a digit of Base58")
        number = number * 58 + _VALUES[digit]
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")

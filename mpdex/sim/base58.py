"""Base58 with bitcoin's alphabet, for simulated venues; nothing of it is shared with a client.

Source: bitcoin's src/base58.cpp, in effect: one leading "1" for each leading zero byte; read
2026-11-21.
"""

from __future__ import annotations

from string import ascii_letters, digits

# Digits and letters, less those that look alike.
_ALPHABET = "".join(sorted(set(digits + ascii_letters) - set("0OIl")))
_DIGITS = {letter: value for value, letter in enumerate(_ALPHABET)}


def encode_base58(data: bytes) -> str:
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def decode_base58(text: str, size: int) -> bytes | None:
    """The bytes of a text; None where it is not base58 of so many bytes."""
    if not text or len(text) > 2 * size or not all(letter in _DIGITS for letter in text):
        return None
    number = 0
    for letter in text:
        number = number * 58 + _DIGITS[letter]
    zeros = len(text) - len(text.lstrip("1"))
    data = b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
    return data if len(data) == size else None

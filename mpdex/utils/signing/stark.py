"""The Stark curve: Pedersen and Poseidon hashes, and signatures; integers in, integers out.

Pedersen and signatures are fast-stark-crypto's (one Rust call each: 0.05 ms and 0.26 ms), imported
with the first use; Poseidon is arithmetic of our own. Signatures are deterministic (RFC 6979 with
SHA-256 and no extra entropy, as cairo-lang signs without a seed); whoever verifies takes any k.

Sources: docs.starkware.co, "STARK curve" and "Pedersen hash function"; docs.starknet.io, "Hash
functions"; SNIP-12. Read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from types import ModuleType
from typing import Final

from mpdex.errors import MissingDependency, UsageError

P: Final = 2**251 + 17 * 2**192 + 1  # field
ORDER: Final = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F  # curve

_HASH_LIMIT: Final = 2**251  # what a signature can be made of
_KECCAK_MASK: Final = 2**250 - 1
_SHORT: Final = 31


# --------------------------------------------------------------------------- hashes


def pedersen(a: int, b: int) -> int:
    """Raises: UsageError for what is not a field element."""
    hashed: int = _library().pedersen_hash(_felt(a), _felt(b))
    return hashed


def pedersen_fold(state: int, values: Iterable[int]) -> int:
    """`state` with each value hashed into it: a list whose start never changes starts later."""
    for value in values:
        state = pedersen(state, value)
    return state


def pedersen_many(values: Sequence[int]) -> int:
    """Of a list: every element folded into 0, and its length at the end."""
    return pedersen(pedersen_fold(0, values), len(values))


def poseidon_many(values: Sequence[int]) -> int:
    """Of a list. Raises: UsageError for what is not a field element."""
    from mpdex.utils.signing.poseidon import poseidon_of

    return poseidon_of([_felt(value) for value in values])


def starknet_keccak(text: str) -> int:
    """Low 250 bits of the Keccak-256: type hashes and selectors."""
    from mpdex.utils.signing.eip712 import keccak256

    return int.from_bytes(keccak256(text.encode()), "big") & _KECCAK_MASK


def short_string(text: str) -> int:
    """At most 31 ASCII characters as one number. Raises: UsageError."""
    if len(text) > _SHORT or not text.isascii():
        raise UsageError(f"not a short string (31 ASCII characters at most): {text!r}")
    return int.from_bytes(text.encode(), "big")


# --------------------------------------------------------------------------- signatures


class StarkSigner:
    """Signs hashes with one private key.

    Args:
        private_key: a number, or its hex digits, 0x or not.

    Attributes:
        public_key: x of the public point.

    Raises:
        UsageError: not a private key (its text is not repeated).
        MissingDependency: fast-stark-crypto is not installed.
    """

    __slots__ = ("_key", "_sign", "public_key")

    def __init__(self, private_key: int | str) -> None:
        library = _library()
        self._key = _private_key(private_key)
        self._sign = library.sign
        self.public_key: int = library.get_public_key(self._key)

    def sign(self, message_hash: int) -> tuple[int, int]:
        """r and s. Raises: UsageError for what is not a message hash (below 2**251)."""
        if not 0 <= message_hash < _HASH_LIMIT:
            raise UsageError("a message hash is below 2**251")
        r, s = self._sign(self._key, message_hash)
        return r, s

    def __repr__(self) -> str:
        return f"StarkSigner({self.public_key:#x})"


# --------------------------------------------------------------------------- helpers


@cache
def _library() -> ModuleType:
    try:
        import fast_stark_crypto
    except ImportError as error:
        raise MissingDependency(
            "no Stark curve here: pip install fast-stark-crypto (it is ready-made for Python 3.11 "
            "to 3.13, but for macOS on Intel; elsewhere it takes a Rust compiler)"
        ) from error
    return fast_stark_crypto


def _felt(value: int) -> int:
    if not 0 <= value < P:
        raise UsageError("a field element is at least 0 and below 2**251 + 17 * 2**192 + 1")
    return value


def _private_key(given: int | str) -> int:
    try:
        key = int(given, 16) if isinstance(given, str) else given
    except ValueError:
        key = 0  # the error would repeat the text
    if not 0 < key < ORDER:
        raise UsageError("not a Stark private key (a number in hex, above 0 and below the order)")
    return key

"""Ed25519 signatures; bytes in, 64 bytes out. Deterministic.

Source: RFC 8032, section 5.1 (seed of 32 bytes; the signing key is seed and public key).
"""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

from mpdex.errors import MissingDependency, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    from nacl import bindings
except ImportError as error:
    raise MissingDependency("no Ed25519 here: pip install PyNaCl") from error

SEED_BYTES = 32
SIGNATURE_BYTES = 64


class Ed25519Signer:
    """Signs with one key, prepared once.

    Args:
        secret: the seed (32 bytes), or seed and public key (64 bytes).

    Attributes:
        public_key: 32 bytes.

    Raises:
        UsageError: wrong length, or a public key that is not the seed's: signing with it would
            give the seed away.
    """

    __slots__ = ("_key", "_sign", "public_key")

    def __init__(self, secret: bytes) -> None:
        if len(secret) not in (SEED_BYTES, 2 * SEED_BYTES):
            raise UsageError("an Ed25519 secret is 32 bytes (seed) or 64 (seed and public key)")
        public_key, key = bindings.crypto_sign_seed_keypair(secret[:SEED_BYTES])
        if len(secret) == 2 * SEED_BYTES and secret != key:
            raise UsageError("the second half of the Ed25519 secret is not its public key")
        self.public_key: bytes = public_key
        self._key: bytes = key
        self._sign: Callable[[bytes, bytes], bytes] = bindings.crypto_sign

    @classmethod
    def from_base64(cls, text: str) -> Ed25519Signer:
        """Raises: UsageError, without the text."""
        try:
            secret = b64decode(text, validate=True)
        except ValueError:
            secret = b""
        return cls(secret)

    def sign(self, message: bytes) -> bytes:
        return self._sign(message, self._key)[:SIGNATURE_BYTES]

    def __repr__(self) -> str:
        return f"Ed25519Signer({self.public_key.hex()})"

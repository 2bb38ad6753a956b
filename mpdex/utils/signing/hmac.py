"""HMAC-SHA256 in the two spellings venues ask for. Source: RFC 2104."""

from __future__ import annotations

import hmac
from base64 import b64encode


def hmac_sha256(secret: bytes, message: bytes) -> bytes:
    """32 bytes."""
    return hmac.digest(secret, message, "sha256")


def hmac_sha256_hex(secret: bytes, message: bytes) -> str:
    """64 lower-case digits."""
    return hmac_sha256(secret, message).hex()


def hmac_sha256_base64(secret: bytes, message: bytes) -> str:
    """44 characters, standard alphabet, padded."""
    return b64encode(hmac_sha256(secret, message)).decode()

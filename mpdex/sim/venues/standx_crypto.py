"""What the simulated StandX checks requests and sign-ins with, and the tokens it gives out.

Nothing here is shared with the code that signs for a client. A token that is to be signed by the
wallet is ES256; the one that opens a session is HS256; bodies are signed with Ed25519.

Source: docs.standx.com, "Perps Authentication"; RFC 7515, 7517, 7518 (JWS, JWK, ES256, HS256);
EIP-191; read 2026-11-21.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC
from Crypto.Signature import DSS
from nacl.bindings import crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from mpdex.sim import evm
from mpdex.sim.base58 import decode_base58, encode_base58
from mpdex.types import Json

CURVE = "P-256"


class RequestKey(NamedTuple):
    """An Ed25519 pair that signs bodies: the seed, and the public half that a sign-in names."""

    seed: bytes
    public: bytes

    @property
    def private_text(self) -> str:
        return encode_base58(self.seed)


def throwaway_wallet(number: int) -> int:
    """A private key of an EVM wallet that follows from a number; it guards nothing."""
    return int.from_bytes(evm.keccak(b"simulated standx %d" % number), "big") % evm.N


def throwaway_request_key(account: str) -> RequestKey:
    seed = hashlib.sha256(f"simulated standx {account}".encode()).digest()
    return RequestKey(seed, crypto_sign_seed_keypair(seed)[0])


# --------------------------------------------------------------------------- bodies


def body_text(request_id: str, timestamp: str, body: bytes) -> bytes:
    """What a client has to sign: the exact bytes of the body, and neither method nor path."""
    return f"v1,{request_id},{timestamp},".encode() + body


def verify_ed25519(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        crypto_sign_open(signature + message, public)
    except (BadSignatureError, ValueError):
        return False
    return len(signature) == 64


def verify_body(public: bytes, signature: str, message: bytes) -> bool:
    """Whether the holder of the key signed the message; the signature is padded base64."""
    proof = _unbase64(signature)
    return proof is not None and verify_ed25519(public, proof, message)


# --------------------------------------------------------------------------- tokens


class TokenMaker:
    """Makes both kinds of token, and knows its own again.

    Args:
        secret: 64 bytes of which both keys are made.
    """

    def __init__(self, secret: bytes) -> None:
        self._hs_key = secret[:32]
        scalar = int.from_bytes(secret[32:], "big") % (2**255) + 1
        self._es_key = ECC.construct(curve=CURVE, d=scalar)

    def certs(self) -> dict[str, Json]:
        """The public half as a set of JWK. UNVERIFIED: nobody has published the real form."""
        point = self._es_key.pointQ
        x, y = (_b64(int(half).to_bytes(32, "big")) for half in (point.x, point.y))
        key = {"kty": "EC", "crv": CURVE, "x": x, "y": y, "alg": "ES256", "use": "sig"}
        return {"keys": [key]}

    def signin_token(self, claims: Mapping[str, Json]) -> str:
        """What the wallet has to sign a message of."""
        text = _unsigned("ES256", claims)
        signer = DSS.new(self._es_key, "deterministic-rfc6979")
        return f"{text}.{_b64(signer.sign(SHA256.new(text.encode())))}"

    def session_token(self, claims: Mapping[str, Json]) -> str:
        text = _unsigned("HS256", claims)
        return f"{text}.{_b64(self._seal(text))}"

    def read_signin(self, token: str) -> dict[str, Json] | None:
        """Claims of a token that was made here; None for any other."""
        text, _, seal = token.rpartition(".")
        checker = DSS.new(self._es_key.public_key(), "fips-186-3")
        try:
            checker.verify(SHA256.new(text.encode()), _unb64(seal) or b"")
        except ValueError:
            return None
        return read_claims(token)

    def read_session(self, token: str) -> dict[str, Json] | None:
        text, _, seal = token.rpartition(".")
        if not hmac.compare_digest(_unb64(seal) or b"", self._seal(text)):
            return None
        return read_claims(token)

    def _seal(self, text: str) -> bytes:
        return hmac.new(self._hs_key, text.encode(), hashlib.sha256).digest()


def read_claims(token: str) -> dict[str, Json] | None:
    """The middle part of a token, whoever made it; None where it has none."""
    parts = token.split(".")
    data = _unb64(parts[1]) if len(parts) == 3 else None
    try:
        claims = msgspec.json.decode(data or b"")
    except msgspec.DecodeError:
        return None
    return claims if isinstance(claims, dict) else None


def _unsigned(algorithm: str, claims: Mapping[str, Json]) -> str:
    header = {"alg": algorithm, "typ": "JWT"}
    return ".".join(_b64(msgspec.json.encode(part)) for part in (header, dict(claims)))


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unb64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def _unbase64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


# --------------------------------------------------------------------------- wallets


def verify_wallet(chain: str, address: str, claims: Mapping[str, Json], signature: str) -> bool:
    """Whether the wallet signed the message of a sign-in."""
    message = str(claims.get("message"))
    if chain == "solana":
        return _verify_solana(address, claims, message.encode(), signature)
    return _signer(message, signature) == address.lower()


def _signer(message: str, signature: str) -> str | None:
    """Address (lower case) behind `0x` and 65 bytes; None where it is not that."""
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        return None
    if not signature.startswith("0x") or len(raw) != 65 or raw[64] not in (27, 28):
        return None
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big")
    return evm.recover(evm.personal_digest(message.encode()), r, s, raw[64])


def _verify_solana(
    address: str, claims: Mapping[str, Json], message: bytes, signature: str
) -> bool:
    """Base64 of the JSON that a Solana wallet answers a sign-in with."""
    public = decode_base58(address, 32)
    try:
        said = msgspec.json.decode(_unbase64(signature) or b"", type=_SolanaSignIn)
        key, proof, signed = (
            bytes(part)
            for part in (
                said.output.account["publicKey"],
                said.output.signature,
                said.output.signedMessage,
            )
        )
    except (msgspec.DecodeError, KeyError, ValueError):
        return False
    same = said.input == claims and signed == message and key == public
    return same and public is not None and verify_ed25519(public, proof, message)


class _SolanaOutput(msgspec.Struct):
    signedMessage: list[int]
    signature: list[int]
    account: dict[str, list[int]]


class _SolanaSignIn(msgspec.Struct):
    input: dict[str, Json]
    output: _SolanaOutput

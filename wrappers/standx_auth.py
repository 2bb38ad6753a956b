"""StandX, proof of who asks: a wallet signs in, a key of the session's own signs each request.

A sign-in gives a token for the public half of a fresh Ed25519 key. The two are a pair: the venue
refuses a request that one token carries and another's key has signed. So both are kept in one
`Session`, the private half in its `key`, in memory alone, and replaced together. Until the sign-in
is over the key travels in its requests, whose `signer` is never sent.

A request is signed over the bytes that are sent; neither path nor method is part of it.

Sources: docs.standx.com, "Perps Authentication" (page of 2026-08-11); NA-DEGEN-GIRL/multi-perp-dex
0a105d0, mpdex/exchanges/standx_auth.py; EIP-191; read 2026-11-21.
"""

from __future__ import annotations

import binascii
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Final, Protocol

import msgspec

from mpdex.errors import AuthError, MissingCredentials, UsageError
from mpdex.types import Json, Request, Session
from mpdex.utils.client_ids import uuid_text
from mpdex.utils.login_answers import token_claims, token_expires_ms
from mpdex.utils.signing import own_header, own_signer
from mpdex.utils.signing.base58 import decode_base58, encode_base58
from mpdex.utils.signing.ed25519 import SEED_BYTES, Ed25519Signer

VENUE: Final = "standx"
TEMPLATE: Final = "keys/copy.pk_standx.py"
AUTHORIZATION: Final = "Authorization"
REQUEST_ID: Final = "x-request-id"
TIMESTAMP: Final = "x-request-timestamp"
SIGNATURE: Final = "x-request-signature"
VERSION: Final = "x-request-sign-version"
_BEARER: Final = "Bearer "
_V1: Final = "v1"

PREPARE: Final = "/v1/offchain/prepare-signin"
LOGIN: Final = "/v1/offchain/login"
CHAINS: Final = ("bsc", "solana")
SESSION_SECONDS: Final = 604_800  # a week, the venue's own default


# --------------------------------------------------------------------------- requests


class RequestIds:
    """Names of requests: version 4 UUIDs, random in front and counted behind, so never the same."""

    def __init__(self) -> None:
        random = int.from_bytes(os.urandom(8), "big")
        self._front = (random & ~0xF000 | 0x4000) << 64 | 0x8 << 60
        self._counted = count()

    def new(self) -> str:
        return uuid_text(self._front | next(self._counted))


def proof(signer: Ed25519Signer, body: bytes, request_id: str, now_ms: int) -> dict[str, str]:
    """The four headers of a signed request; base64 with its padding."""
    stamp = str(now_ms)
    signature = signer.sign(signing_text(body, request_id, stamp))
    return {
        VERSION: _V1,
        REQUEST_ID: request_id,
        TIMESTAMP: stamp,
        SIGNATURE: binascii.b2a_base64(signature, newline=False).decode(),
    }


def signing_text(body: bytes, request_id: str, stamp: str) -> bytes:
    """What is signed; after the last comma come the very bytes that are sent."""
    return b"%b,%b,%b,%b" % (_V1.encode(), request_id.encode(), stamp.encode(), body)


# --------------------------------------------------------------------------- sessions


def session_of(token: str, signer: Ed25519Signer, expires_ms: int | None = None) -> Session:
    """The pair.

    Args:
        expires_ms: where the token does not say when it ends.
    """
    ends_ms = token_expires_ms(token) or expires_ms
    return Session({AUTHORIZATION: _BEARER + token}, ends_ms, key=signer)


def token_of(session: Session) -> str:
    return session.headers[AUTHORIZATION].removeprefix(_BEARER)


def given_session(token: str, private_key: str, now_ms: int) -> Session:
    """The pair that a user made on the venue's page.

    Raises: UsageError; AuthError: it is over, and nothing here can make another.
    """
    session = session_of(token, request_signer(private_key))
    if session.expires_ms is not None and session.expires_ms <= now_ms:
        raise AuthError(
            "the token is over: make a new one, with its key, at standx.com/user/session",
            venue=VENUE,
            code="expired",
        )
    return session


def request_signer(text: str) -> Ed25519Signer:
    """Of a private key as the venue's page shows it: base58, hex or base64 of 32 bytes.

    Raises: UsageError, without the text.
    """
    return own_signer(Ed25519Signer, _secret(text.strip()), "request_private_key", VENUE)


def new_signer() -> Ed25519Signer:
    """A fresh one, for one sign-in."""
    return Ed25519Signer(os.urandom(SEED_BYTES))


def _secret(text: str) -> bytes:
    """Told apart by length and padding: 64 digits are hex, and base58 has no "="."""
    try:
        bare = text.removeprefix("0x")
        if len(bare) == 2 * SEED_BYTES:
            return bytes.fromhex(bare)
        if text.endswith("="):
            return binascii.a2b_base64(text, strict_mode=True)
        return decode_base58(text)
    except ValueError:
        return b""


# --------------------------------------------------------------------------- signing in


class Wallet(Protocol):
    """Whoever signs in: `address` as the venue takes it, and what proves it."""

    address: str

    def prove(self, payload: Json) -> str:
        """The `signature` of a login, for what the venue gave to be signed."""
        ...


class EvmWallet:
    """A key of BNB Chain. Raises: UsageError, without the key in it; MissingDependency."""

    def __init__(self, private_key: str) -> None:
        from mpdex.utils.signing.eip712 import EvmSigner, personal_digest

        self._digest = personal_digest
        self._signer = EvmSigner(private_key)
        self.address = self._signer.address

    def prove(self, payload: Json) -> str:
        return self._signer.sign(self._digest(payload["message"])).hex

    def __repr__(self) -> str:
        return f"EvmWallet({self.address})"


class SolanaWallet:
    """A key of Solana, base58 of 64 bytes or of the seed. Raises: UsageError, without the key."""

    def __init__(self, private_key: str) -> None:
        self._signer = Ed25519Signer(_secret(private_key.strip()))
        self.address = encode_base58(self._signer.public_key).decode()

    def prove(self, payload: Json) -> str:
        """What was signed, with what and by whom, as a browser's wallet would tell it."""
        message = payload["message"].encode()
        output = {
            "signedMessage": list(message),
            "signature": list(self._signer.sign(message)),
            "account": {"publicKey": list(self._signer.public_key)},
        }
        text = msgspec.json.encode({"input": payload, "output": output})
        return binascii.b2a_base64(text, newline=False).decode()

    def __repr__(self) -> str:
        return f"SolanaWallet({self.address})"


@dataclass(frozen=True, slots=True)
class SignIn(Request):
    """A request of a sign-in, with the key that it is about."""

    signer: Ed25519Signer | None = field(default=None, repr=False, compare=False)


class StandxAuth:
    """One user of the venue, known by a wallet or by a pair that was made beforehand.

    Args:
        keys: `wallet_private_key` and perhaps `chain`, or `token` and `request_private_key`.

    Attributes:
        account: what the venue knows the user by, as far as it can be told without asking.

    Raises: MissingCredentials, UsageError: neither of the two, both, half of one, or not a key.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._given = _given_pair(keys)
        self._chain = keys.get("chain") or CHAINS[0]
        self._wallet: Wallet | None = None
        if self._given is None:
            self._wallet = _wallet(keys, self._chain)
            self.account = f"{self._chain}_{self._wallet.address}"
        else:
            token, private_key = self._given
            self.account = _name_in(token)
            request_signer(private_key)

    def __repr__(self) -> str:
        return f"StandxAuth({'token' if self._given else self.account})"

    def given(self, now_ms: int) -> Session | None:
        """None: the user has a wallet here. Raises: AuthError."""
        return given_session(*self._given, now_ms) if self._given else None

    @cached_property
    def trial(self) -> Session:
        """No session at all, with a key that nobody knows: to prove that signing works."""
        return Session({}, key=new_signer())

    def begin(self) -> SignIn | None:
        """The first request of a sign-in, with a fresh key; None: the user has no wallet here."""
        if self._wallet is None:
            return None
        signer = new_signer()
        body = {"address": self._wallet.address, "requestId": _name_of(signer)}
        return self._step(PREPARE, body, signer)

    def answer(self, signed_data: str, signer: Ed25519Signer) -> SignIn:
        """The second one: the wallet's proof of the message, exactly as it was received.

        Raises: AuthError: the message is about somebody else, so it is not signed.
        """
        payload = token_claims(signed_data) or {}
        wallet = self._wallet
        assert wallet is not None, "only a wallet begins a sign-in"
        named = str(payload.get("address", "")).lower(), payload.get("requestId")
        if named != (wallet.address.lower(), _name_of(signer)) or "message" not in payload:
            raise AuthError(
                "the message to be signed is not about this wallet and this key; nothing signed",
                venue=VENUE,
                code="signedData",
            )
        body = {
            "signature": wallet.prove(payload),
            "signedData": signed_data,
            "expiresSeconds": SESSION_SECONDS,
        }
        return self._step(LOGIN, body, signer)

    def _step(self, path: str, body: Json, signer: Ed25519Signer) -> SignIn:
        query = {"chain": self._chain}
        return SignIn(
            "POST", path, json=body, query=query, host="login", scope="public", signer=signer
        )


def _given_pair(keys: Mapping[str, str]) -> tuple[str, str] | None:
    token, private_key = keys.get("token", ""), keys.get("request_private_key", "")
    if not (token or private_key):
        return None
    if keys.get("wallet_private_key"):
        raise UsageError(
            "give wallet_private_key, or token and request_private_key, not both", venue=VENUE
        )
    if not (token and private_key):
        missing = "request_private_key" if token else "token"
        raise MissingCredentials(f"{missing} missing: they are a pair; {TEMPLATE}", venue=VENUE)
    return own_header(token, "token", VENUE), private_key


def _wallet(keys: Mapping[str, str], chain: str) -> Wallet:
    private_key = keys.get("wallet_private_key")
    if not private_key:
        raise MissingCredentials(
            "wallet_private_key, or token and request_private_key, missing; "
            f"{TEMPLATE} shows what is needed",
            venue=VENUE,
        )
    if chain not in CHAINS:
        raise UsageError(f"chain is {' or '.join(CHAINS)}, not {chain!r}", venue=VENUE)
    kind: Callable[[str], Wallet] = EvmWallet if chain == "bsc" else SolanaWallet
    return own_signer(kind, private_key, "wallet_private_key", VENUE)


def _name_of(signer: Ed25519Signer) -> str:
    """The `requestId` of a sign-in."""
    return encode_base58(signer.public_key).decode()


def _name_in(token: str) -> str:
    """UNVERIFIED: that a token holds the user's address; the token itself is the name without."""
    claims = token_claims(token) or {}
    return str(claims.get("address") or token)

"""Who may do what on the simulated Paradex: accounts and their keys, onboarding, tokens.

An account is the address that its main key opens; it may have subkeys besides. A login is signed by
one of its keys and gives a token (JWT) for five minutes that cannot be extended.

Source: docs.paradex.trade, "Authentication", "Onboarding"; what its official SDK sends; read
2026-11-21.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from mpdex.sim import stark
from mpdex.sim.venues import paradex_crypto as crypto
from mpdex.sim.venues.paradex_truth import BALANCE, ParadexTruth
from mpdex.sim.venues.paradex_wire import Refusal, parse_object, parse_text
from mpdex.types import Json

TOKEN_SECONDS = 300
SKEW_SECONDS = 300  # UNVERIFIED: how far a login's time may be from the server's
LONGEST_LOGIN = 7 * 86_400  # seconds
USUAL_LOGIN = 30 * 60


class Token(NamedTuple):
    """A token that was given out, and whose it is."""

    account: str
    expires: int  # seconds


class KeyRing:
    """Accounts with their keys, and the tokens given for them.

    Attributes:
        keys: account -> public keys that may sign for it; the main one first.
        private: private keys that this venue made up, by public key.
    """

    def __init__(self, exchange: ParadexTruth, rng: random.Random) -> None:
        self._exchange = exchange
        self._rng = rng
        self._secret = rng.randbytes(32)
        self._tokens: dict[str, Token] = {}
        self.keys: dict[str, list[int]] = {}
        self.private: dict[int, int] = {}

    # ---------------------------------------------------------------- accounts

    def make_account(self) -> str:
        """A funded account whose main key and subkey are made up here."""
        main, subkey = self._make_key(), self._make_key()
        account = self._open(main)
        self.keys[account].append(subkey)
        return account

    def _make_key(self) -> int:
        private = self._rng.randrange(1, stark.N)
        public = stark.public_key_of(private)
        self.private[public] = private
        return public

    def _open(self, public_key: int) -> str:
        account = hex(crypto.address_of(public_key))
        self.keys[account] = [public_key]
        self._exchange.add_account(account, BALANCE)
        return account

    def onboard(self, headers: Mapping[str, str], body: Json) -> None:
        """Open the account of a new key; it is given money to try with. Again: nothing happens.

        Raises: Refusal.
        """
        key = _public_key(parse_text(parse_object(body), "public_key"))
        account = _address(headers)
        if account != hex(crypto.address_of(key)):
            raise Refusal("INVALID_STARKNET_ADDRESS")
        if not headers.get("paradex-ethereum-account"):
            raise Refusal("VALIDATION_ERROR", "PARADEX-ETHEREUM-ACCOUNT: required")
        _verify(headers, key, account, crypto.onboarding_struct())
        if account not in self.keys:
            self._open(key)

    def describe(self, text: str) -> dict[str, Json]:
        """The account that a key would open, before anybody does."""
        account = hex(crypto.address_of(_public_key(text)))
        return {
            "account_signer_type": "starknet",
            "address": account,
            "exists": account in self.keys,
            "derivation_info": {
                "class_hash": hex(crypto.ACCOUNT_CLASS),
                "proxy_class_hash": hex(crypto.PROXY_CLASS),
            },
        }

    # ---------------------------------------------------------------- tokens

    def login(self, headers: Mapping[str, str], public_key: str) -> str:
        """A token for the account of the headers.

        Args:
            public_key: of the URL; "" where the URL names none: the main key signs.

        Raises: Refusal.
        """
        account = _address(headers)
        keys = self.keys.get(account)
        if keys is None:
            raise Refusal("NOT_ONBOARDED")
        key = _public_key(public_key) if public_key else keys[0]
        if key not in keys:
            raise Refusal("UNAUTHORIZED_ERROR", "key does not belong to the account")
        timestamp, expiration = self._times(headers)
        _verify(headers, key, account, crypto.login_struct(timestamp, expiration))
        return self._issue(account)

    def _times(self, headers: Mapping[str, str]) -> tuple[int, int]:
        now = self._exchange.clock.now_ms() // 1000
        timestamp = _seconds(headers.get("paradex-timestamp"))
        expiration = timestamp + USUAL_LOGIN
        if "paradex-signature-expiration" in headers:
            expiration = _seconds(headers["paradex-signature-expiration"])
        if abs(timestamp - now) > SKEW_SECONDS:
            raise Refusal("INVALID_TIMESTAMP")
        if not now < expiration <= timestamp + LONGEST_LOGIN:
            raise Refusal("INVALID_TIMESTAMP", "expiration is out of range")
        return timestamp, expiration

    def _issue(self, account: str) -> str:
        now = self._exchange.clock.now_ms() // 1000
        expires = now + TOKEN_SECONDS
        claims = {"typ": "at+JWT", "exp": expires, "iat": now, "iss": "Paradex", "sub": account}
        claims["jti"] = f"{self._rng.getrandbits(64):016x}"
        head = _base64(msgspec.json.encode({"typ": "JWT", "alg": "HS256"}))
        signed = f"{head}.{_base64(msgspec.json.encode(claims))}"
        proof = hmac.digest(self._secret, signed.encode(), hashlib.sha256)
        token = f"{signed}.{_base64(proof)}"
        self._tokens[token] = Token(account, expires)
        return token

    def account_of(self, token: str) -> str:
        """The account that a token stands for. Raises: Refusal INVALID_TOKEN."""
        known = self._tokens.get(token)
        if known is None or known.expires * 1000 <= self._exchange.clock.now_ms():
            raise Refusal("INVALID_TOKEN")
        return known.account

    def owner(self, token: str) -> str:
        """Whose token it is or was; "" for none that was given out."""
        known = self._tokens.get(token)
        return known.account if known else ""

    def issued(self) -> list[str]:
        return [*self._tokens]

    def expire(self) -> None:
        """Every token ends now."""
        self._tokens = {token: Token(known.account, 0) for token, known in self._tokens.items()}

    # ---------------------------------------------------------------- signatures of orders

    def signed(self, account: str, signature: str, struct: list[int]) -> bool:
        """Whether any key of the account has signed.

        Raises: Refusal INVALID_ORDER_SIGNATURE where the text is no signature at all.
        """
        numbers = crypto.parse_signature(signature)
        if numbers is None:
            raise Refusal("INVALID_ORDER_SIGNATURE")
        hashed = crypto.message_hash(int(account, 16), struct)
        return any(stark.verify(key, hashed, *numbers) for key in self.keys[account])


# --------------------------------------------------------------------------- helpers


def _verify(headers: Mapping[str, str], key: int, account: str, struct: list[int]) -> None:
    numbers = crypto.parse_signature(headers.get("paradex-starknet-signature", ""))
    if numbers is None:
        raise Refusal("INVALID_STARKNET_SIGNATURE")
    if not stark.verify(key, crypto.message_hash(int(account, 16), struct), *numbers):
        raise Refusal("STARKNET_SIGNATURE_VERIFICATION_FAILED")


def _address(headers: Mapping[str, str]) -> str:
    """The account of the headers, without leading zeros."""
    number = crypto.parse_felt(headers.get("paradex-starknet-account", ""))
    if number is None:
        raise Refusal("INVALID_STARKNET_ADDRESS")
    return hex(number)


def _public_key(text: str) -> int:
    number = crypto.parse_felt(text)
    if number is None or number >= stark.P:
        raise Refusal("PUBLIC_KEY_INVALID")
    return number


def _seconds(text: str | None) -> int:
    if text is None or not text.isascii() or not text.isdigit():
        raise Refusal("INVALID_TIMESTAMP")
    return int(text)


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

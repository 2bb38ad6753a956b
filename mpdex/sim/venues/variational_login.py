"""Who is signed in at the simulated Variational: texts to sign, tokens, cookies.

A wallet that nobody knows has to solve a captcha (any answer is right here), and becomes a user who
was never funded. A token lasts seven days and cannot be renewed; signing out does not end it.

Source: Magicianhax/variational-trading-api, `docs/AUTH.md` (92bf303); NA-DEGEN-GIRL/multi-perp-dex
0a105d0, `variational_auth.py`; EIP-191; RFC 7519; read 2026-11-21.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from mpdex.sim import evm
from mpdex.sim.cookies import cookie
from mpdex.sim.records import ZERO
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues import variational_wire as wire
from mpdex.sim.venues.variational_truth import FIRST_LEVERAGE, VariationalTruth
from mpdex.sim.venues.variational_wire import Refusal

LIFE = 604_800  # seconds
COOKIE, ADDRESS = "vr-token", "vr-connected-address"
CAPTCHA = "cf-turnstile-token"
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_SIGNATURE = re.compile(r"[0-9a-f]{130}")


class Logins:
    """Texts that wait for a signature, and tokens.

    Attributes:
        quoted: the text to sign comes as a JSON string; plain text otherwise. Both were seen.

    Raises: Refusal from everything but `answer_me`.
    """

    def __init__(self, exchange: VariationalTruth) -> None:
        self.quoted = False
        self._exchange = exchange
        self._secret = exchange.rng.randbytes(32)
        self._asked: dict[str, str] = {}  # text by address
        self._alive: dict[str, str] = {}  # account by token
        self._issued: list[str] = []

    # ---------------------------------------------------------------- signing in

    def answer_text(self, request: SimRequest) -> SimReply:
        """A bare string."""
        address = _address(wire.read_object(request))
        nonce = f"{self._exchange.rng.getrandbits(64):016x}"
        text = (
            "omni.variational.io wants you to sign in with your Ethereum account:\n"
            f"{address}\n\nSign in to Variational\n\nURI: https://omni.variational.io\nVersion: 1\n"
            f"Chain ID: 42161\nNonce: {nonce}\n"
            f"Issued At: {wire.stamp(self._exchange.clock.now_ns())}"
        )
        self._asked[address.lower()] = text
        return SimReply(msgspec.json.encode(text) if self.quoted else text)

    def answer_login(self, request: SimRequest) -> SimReply:
        fields = wire.read_object(request)
        account = _address(fields).lower()
        text, signed = self._asked.pop(account, None), str(fields.get("signed_message"))
        if text is None or not _SIGNATURE.fullmatch(signed):  # not even with 0x before it
            raise Refusal(wire.WRONG_SIGNATURE)
        if evm.personal_signer(text, signed) != account:
            raise Refusal(wire.WRONG_SIGNATURE)
        if account not in self._exchange.accounts:
            if CAPTCHA not in request.headers:
                raise Refusal(wire.CAPTCHA)
            self._exchange.add_account(account, ZERO, FIRST_LEVERAGE)
        token = self.open_session(account)
        cookie = f"{COOKIE}={token}; Path=/; Max-Age={LIFE}; HttpOnly; Secure; SameSite=Lax"
        return SimReply({"token": token, "intercomUserJwt": None}, cookies=(cookie,))

    def answer_me(self, request: SimRequest) -> SimReply:
        """Empty for whoever is not signed in."""
        token = cookie(request.headers, COOKIE)
        return SimReply({"token": token if self.holder(token) else ""})

    def answer_logout(self, request: SimRequest) -> SimReply:
        """The token goes on."""
        wire.read_object(request)
        return SimReply({"message": "SUCCESS"})

    # ---------------------------------------------------------------- sessions

    def open_session(self, account: str) -> str:
        """A token for an account. UNVERIFIED: its claims beside `exp`."""
        now = self._exchange.clock.now_ns() // 10**9
        claims = {"address": account, "iat": now, "exp": now + LIFE, "jti": self._exchange.new_id()}
        token = self._signed(claims)
        self._alive[token] = account
        self._issued.append(token)
        return token

    def issued(self) -> list[str]:
        return self._issued

    def expire(self) -> None:
        self._alive.clear()

    def identify(self, request: SimRequest) -> str:
        """Whose session a request shows. UNVERIFIED: that the address has to be there."""
        account = self.holder(cookie(request.headers, COOKIE))
        if not account:
            raise Refusal(wire.SESSION_OVER)
        if request.headers.get(ADDRESS, "").lower() != account:
            raise Refusal(wire.WRONG_ADDRESS)
        return account

    def holder(self, token: str) -> str:
        """ "" for none that was made here, and for one that is over."""
        account = self._alive.get(token, "")
        if not account:
            return ""
        claims: dict[str, Any] = msgspec.json.decode(_decoded(token.split(".")[1]))
        return account if claims["exp"] * 10**9 > self._exchange.clock.now_ns() else ""

    def _signed(self, claims: Mapping[str, Any]) -> str:
        head = _encoded(msgspec.json.encode({"alg": "HS256", "typ": "JWT"}))
        text = f"{head}.{_encoded(msgspec.json.encode(claims))}"
        proof = hmac.digest(self._secret, text.encode(), hashlib.sha256)
        return f"{text}.{_encoded(proof)}"


def _address(fields: Mapping[str, Any]) -> str:
    address = str(fields.get("address"))
    if not _ADDRESS.fullmatch(address):
        raise Refusal(wire.MALFORMED)
    return address


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

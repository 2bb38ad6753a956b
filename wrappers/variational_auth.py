"""Variational, proof of who asks: a cookie, and the wallet's signature that gives it.

The cookie `vr-token` is a JSON Web Token of about seven days. A user copies it out of a browser
that is signed in, or has the wallet sign a text of the venue's, which gives a new one. It cannot be
renewed, and it is the only credential: no request is signed.

In front of everything stands Cloudflare, which may ask for a real browser. That is no word of the
venue's about keys or sessions, and must not lead to another sign-in.

Sources: Magicianhax/variational-trading-api, `docs/AUTH.md`, `docs/ACCESS.md` (92bf303),
`src/siwe.ts`, `src/http.ts` (c1f63b9); NA-DEGEN-GIRL/multi-perp-dex 0a105d0,
`variational_auth.py`; EIP-55, EIP-191; read 2026-11-21.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mpdex.errors import (
    AuthError,
    MissingCredentials,
    ProtocolError,
    SessionEnded,
    TransportError,
    UsageError,
)
from mpdex.types import Challenge, Request, Session, WalletProof
from mpdex.utils.cookies import find_cookies
from mpdex.utils.login_answers import granted, token_expires_ms
from mpdex.utils.signing import own_header, own_signer

if TYPE_CHECKING:
    from mpdex.utils.signing.eip712 import EvmSigner
    from mpdex.utils.transport import Answer

VENUE: Final = "variational"
ORIGIN: Final = "https://omni.variational.io"
COOKIE: Final = "vr-token"
ADDRESS: Final = "vr-connected-address"
ME, TEXT, LOGIN = "/me", "/auth/generate_signing_data", "/auth/login"
# What the page's own calls say beside what any browser says. `accept` must not ask for JSON.
BROWSER: Final[Mapping[str, str]] = {"Accept": "*/*", "Content-Type": "application/json"}

_LIFE_MS = 604_800_000
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
GONE: Final = (404, 405, 410)  # statuses that say that a call is not there any more
_MITIGATED, _CHALLENGED = "cf-mitigated", (403, 503)
# Pages, and the one line that Cloudflare has instead of a page (UNVERIFIED: seen elsewhere, not
# here).
_OF_THE_WALL = ("<!doctype", "<html", "error code: 1")
_WALL = (
    "Cloudflare asks for a browser (a challenge, not a refusal of your keys); it does so to "
    "addresses of data centers: use another network, or --proxy"
)


class VariationalAuth:
    """One wallet, and how it gets a cookie.

    Args:
        keys: `wallet_address`, and perhaps `vr_token` or `wallet_private_key`.

    Raises: UsageError: not an address, or a token that no header can carry.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._given = keys["wallet_address"].strip()
        self._token = own_header(keys.get("vr_token") or "", "vr_token", VENUE)
        self._secret = keys.get("wallet_private_key")
        if not _ADDRESS.fullmatch(self._given):
            raise UsageError("wallet_address is not 0x and 40 hexadecimal digits", venue=VENUE)

    def __repr__(self) -> str:
        return f"VariationalAuth({self._given})"

    @cached_property
    def address(self) -> str:
        """With the capital letters of EIP-55, as the venue wants it."""
        from mpdex.utils.signing.eip712 import checksum_address

        return checksum_address(bytes.fromhex(self._given[2:]))

    @property
    def headers(self) -> dict[str, str]:
        """Of a request that belongs to no page."""
        return {**BROWSER, ADDRESS: self.address}

    # ----------------------------------------------------------------- signing in

    def begin(self) -> Request:
        """A cookie that was given is tried first."""
        return self.probe(cookie_header(self._token)) if self._token else self.ask()

    def ask(self) -> Request:
        """For the text to be signed."""
        body = {"address": self.address}
        return Request("POST", TEXT, json=body, scope="auth", headers=self.headers)

    def probe(self, headers: Mapping[str, str]) -> Request:
        """Whether a session still holds."""
        return Request("GET", ME, scope="auth", headers={**self.headers, **headers})

    def go_on(self, answer: Answer, request: Request, now_ms: int) -> Request | Session:
        """What follows an answer: the next request, or the session.

        Raises: AuthError; MissingCredentials where a person has to sign; TransportError;
            ProtocolError: there is no such call any more.
        """
        check_wall(answer.status, answer.headers, answer.body, request)
        if answer.status in GONE:
            raise ProtocolError(f"HTTP {answer.status}", venue=VENUE, request=str(request))
        if request.path == ME:
            return self._proven(answer)
        if request.path == TEXT:
            return self.prove(self._signed(challenge_of(answer, self.address)))
        return session_of(granted(answer, VENUE)["token"], answer, now_ms)

    def prove(self, proof: WalletProof) -> Request:
        """The login; without 0x, which is refused."""
        body = {"address": proof.address, "signed_message": proof.signature.removeprefix("0x")}
        return Request("POST", LOGIN, json=body, scope="auth", headers=self.headers)

    def _signed(self, challenge: Challenge) -> WalletProof:
        """Raises: MissingCredentials; UsageError for a key that is not the wallet's."""
        if not self._secret:
            raise MissingCredentials(
                f"nobody is signed in: run mpdex login {VENUE}, or give vr_token or "
                "wallet_private_key",
                venue=VENUE,
            )
        from mpdex.utils.signing.eip712 import personal_digest

        signature = self._signer.sign(personal_digest(challenge.text)).hex
        return WalletProof(self._signer.address, signature)

    @cached_property
    def _signer(self) -> EvmSigner:
        from mpdex.utils.signing.eip712 import EvmSigner

        assert self._secret, "asked for by whoever has seen it"
        signer = own_signer(EvmSigner, self._secret, "wallet_private_key", VENUE)
        if signer.address != self.address:
            raise UsageError(
                f"wallet_private_key is that of {signer.address}, not of wallet_address",
                venue=VENUE,
            )
        return signer

    def _proven(self, answer: Answer) -> Request | Session:
        """The cookie holds, or the key gives another."""
        if holds(answer):
            return Session(cookie_header(self._token), token_expires_ms(self._token))
        if self._secret:
            return self.ask()
        raise SessionEnded(
            "vr_token is over: sign in with a browser and copy the cookie again, or run "
            f"mpdex login {VENUE}",
            venue=VENUE,
            code="vr-token",
        )


def challenge_of(answer: Answer, address: str) -> Challenge:
    """The text to be signed: plain, or as a JSON string. Raises: AuthError, TransportError."""
    text: Any = answer.body.decode(errors="replace")
    if answer.status != 200 or text.lstrip()[:1] in ('"', "{", "["):
        text = granted(answer, VENUE)
    if not isinstance(text, str) or not text.strip():
        raise AuthError("no text to sign in with", venue=VENUE, code="signing data")
    return Challenge(text, "", address)


def session_of(token: str, answer: Answer, now_ms: int) -> Session:
    """It ends when the token says so, or the cookie; after a week if neither does."""
    cookie = find_cookies(answer.headers.get("Set-Cookie", ""), now_ms).get(COOKIE)
    value = token if cookie is None else cookie.value
    ends_ms = token_expires_ms(value) or (cookie and cookie.expires_ms) or now_ms + _LIFE_MS
    return Session(cookie_header(value), ends_ms)


def cookie_header(token: str) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={token}"}


def holds(answer: Answer) -> bool:
    """Whether `/me` knows somebody. Raises: TransportError where that cannot be told."""
    if answer.status in (401, 403):
        return False
    if answer.status != 200:
        raise TransportError(f"session: HTTP {answer.status}", venue=VENUE)
    return bool(answer.json().get("token"))


def check_wall(status: int, headers: Mapping[str, str], body: bytes, request: Request) -> None:
    """Raises: TransportError where not the venue has answered, but the wall in front of it."""
    if walled(status, headers) or (status in _CHALLENGED and is_page(body)):
        raise challenged(request)


def walled(status: int, headers: Mapping[str, str]) -> bool:
    return status in _CHALLENGED and _MITIGATED in headers


def is_page(body: bytes | str) -> bool:
    start = body[:200] if isinstance(body, str) else body[:200].decode(errors="replace")
    return start.lstrip().lower().startswith(_OF_THE_WALL)


def challenged(request: Request) -> TransportError:
    """The venue has heard of nothing."""
    return TransportError(_WALL, venue=VENUE, request=str(request))

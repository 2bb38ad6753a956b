"""Who is logged in at the simulated TreadFi: nonces, signatures, cookies, tokens.

Any wallet may log in: one that nobody knows becomes a new user, to whom no account is linked. What
changes something must come from the page itself, with the token of its cookie (Django's protection
against forged requests).

Sources: the calls of the web page as public clients make them; EIP-191; docs.djangoproject.com,
"Cross Site Request Forgery protection"; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from mpdex.sim import evm
from mpdex.sim.cookies import cookie
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.utils.clock import Clock

ORIGIN = "https://app.tread.fi"
LIFE = 1_209_600  # seconds of a session: Django's default, two weeks. UNVERIFIED that it is kept.
MESSAGE = "Sign in to Tread with nonce: {nonce}"
_FORGED = (
    '<!DOCTYPE html>\n<html lang="en">\n<head><title>403 Forbidden</title></head>\n'
    "<body><h1>Forbidden <span>(403)</span></h1>\n"
    "<p>CSRF verification failed. Request aborted.</p></body>\n</html>\n"
)


@dataclass(frozen=True, slots=True)
class Account:
    """One linked account: its name at TreadFi, its id there, and what it trades as beneath."""

    name: str
    id: str
    beneath: str


@dataclass(slots=True)
class User:
    """Somebody who has logged in once, or has a token."""

    address: str
    accounts: list[Account] = field(default_factory=list)


class Logins:
    """Sessions and tokens of all users.

    Attributes:
        users: by address of their login wallet.
        tokens: of the API, who they are of.
    """

    def __init__(self, clock: Clock, rng: random.Random) -> None:
        self.users: dict[str, User] = {}
        self.tokens: dict[str, User] = {}
        self._clock = clock
        self._rng = rng
        self._nonces: set[str] = set()
        self._sessions: dict[str, tuple[User, str, int]] = {}  # user, forgery token, end in ns
        self._issued: list[str] = []

    # ---------------------------------------------------------------- the page's calls

    def answer_nonce(self, _: SimRequest) -> SimReply:
        nonce = f"{self._rng.getrandbits(128):032x}"
        self._nonces.add(nonce)
        return SimReply({"nonce": nonce})

    def answer_auth(self, request: SimRequest) -> SimReply:
        """A signed nonce, once."""
        if not _from_the_page(request.headers):
            return forged()
        try:
            said = request.json
        except msgspec.DecodeError:
            return SimReply({"detail": "JSON parse error"}, 400)
        problem = self._problem(said) if isinstance(said, dict) else "Invalid data."
        if problem:
            return SimReply({"error": problem}, 400)
        address = said["address"]
        known = address in self.users
        user = self.users.setdefault(address, User(address))
        cookies = self._open(user)
        return SimReply({"user_created": not known}, cookies=cookies)

    def answer_metadata(self, request: SimRequest) -> SimReply:
        session = self._session(request.headers)
        if session is None:
            return SimReply({"is_authenticated": False})
        return SimReply({"is_authenticated": True, "username": session[0].address})

    def answer_logout(self, request: SimRequest) -> SimReply:
        if self._session(request.headers) is None or self._is_forged(request):
            return forged()
        del self._sessions[cookie(request.headers, "sessionid")]
        return SimReply("", 302, {"Location": "/"}, content_type="text/html")

    def _problem(self, said: Mapping[str, object]) -> str:
        """What is wrong with a login; "" for nothing."""
        nonce, address = str(said.get("nonce")), str(said.get("address"))
        if said.get("wallet_type") != "evm":
            return "Unsupported wallet type."
        if nonce not in self._nonces:
            return "Invalid nonce."
        self._nonces.discard(nonce)
        signer = evm.personal_signer(MESSAGE.format(nonce=nonce), str(said.get("signature")))
        return "" if signer is not None and signer == address else "Invalid signature."

    def open_session(self, user: User) -> dict[str, str]:
        """The cookies of somebody who logs in now, as a browser keeps them."""
        pairs = (told.partition(";")[0].partition("=") for told in self._open(user))
        return {name: value for name, _, value in pairs}

    def _open(self, user: User) -> tuple[str, str]:
        csrf, session = (f"{self._rng.getrandbits(160):040x}" for _ in range(2))
        self._issued += [csrf, session]
        self._sessions[session] = (user, csrf, self._clock.now_ns() + LIFE * 10**9)
        return (
            f"csrftoken={csrf}; Max-Age=31449600; Path=/; SameSite=Lax; Secure",
            f"sessionid={session}; HttpOnly; Max-Age={LIFE}; Path=/; SameSite=Lax; Secure",
        )

    # ---------------------------------------------------------------- who asks

    def identify(self, request: SimRequest, *, tokens: bool) -> User | SimReply:
        """Who sent a request, or the refusal of one that nobody may send.

        Args:
            tokens: whether the API's tokens are good for this call.
        """
        authorization = request.headers.get("authorization", "")
        if authorization:
            word, _, token = authorization.partition(" ")
            user = self.tokens.get(token) if word in ("Token", "Bearer") else None
            if user is None or not tokens:
                return SimReply({"detail": "Invalid token."}, 401)
            return user
        session = self._session(request.headers)
        if session is None:
            return denied()
        if request.method != "GET" and self._is_forged(request):
            return forged()
        return session[0]

    def issue_token(self, user: User) -> str:
        token = f"{self._rng.getrandbits(160):040x}"
        self._issued.append(token)
        self.tokens[token] = user
        return token

    def issued(self) -> list[str]:
        return self._issued

    def expire(self) -> None:
        """Every session ends now."""
        self._sessions.clear()

    def _session(self, headers: Mapping[str, str]) -> tuple[User, str, int] | None:
        session = self._sessions.get(cookie(headers, "sessionid"))
        alive = session is not None and session[2] > self._clock.now_ns()
        return session if alive else None

    def _is_forged(self, request: SimRequest) -> bool:
        session = self._session(request.headers)
        sent = request.headers.get("x-csrftoken", "")
        good = session is not None and sent == session[1] == cookie(request.headers, "csrftoken")
        return not (good and _from_the_page(request.headers))


def forged() -> SimReply:
    return SimReply(_FORGED, 403, content_type="text/html; charset=utf-8")


def denied() -> SimReply:
    return SimReply({"detail": "Authentication credentials were not provided."}, 403)


def _from_the_page(headers: Mapping[str, str]) -> bool:
    return headers.get("origin") == ORIGIN and headers.get("referer", "").startswith(f"{ORIGIN}/")

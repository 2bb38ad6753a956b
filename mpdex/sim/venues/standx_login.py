"""Who is signed in at the simulated StandX: sign-in with a wallet, tokens, signed bodies.

A token and the key that its sign-in named are a pair: a body signed with another key is refused.
Any wallet may sign in; one that nobody knows becomes a user who was never funded.

Source: docs.standx.com, "Perps Authentication"; live refusals; read 2026-11-21.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from mpdex.sim.base58 import decode_base58
from mpdex.sim.records import ZERO
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues import standx_crypto as crypto
from mpdex.sim.venues import standx_wire as wire
from mpdex.sim.venues.standx_truth import FIRST_LEVERAGE, StandxTruth
from mpdex.sim.venues.standx_wire import Refusal
from mpdex.types import Json

SIGNIN_SECONDS = 180
SESSION_SECONDS = 604_800  # of a sign-in that does not say
CHAIN_IDS = {"bsc": 56, "solana": 0}  # UNVERIFIED: the number of Solana
WINDOW_MS = 10_000  # UNVERIFIED: how far a timestamp may be off
STATEMENT = "Sign in with Ethereum to access more StandX features."
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


class Session(NamedTuple):
    """What a token stands for: whose it is, and the key that has to sign its bodies."""

    account: str
    public: bytes
    expires: int  # seconds of the epoch


class Logins:
    """Sign-ins and sessions.

    Attributes:
        window_ms: how far the time of a signed body may be from now, either way.

    Raises: Refusal from everything.
    """

    def __init__(self, exchange: StandxTruth) -> None:
        self.window_ms = WINDOW_MS
        self._exchange = exchange
        self._rng = exchange.rng
        self._tokens = crypto.TokenMaker(exchange.rng.randbytes(64))
        self._sessions: dict[str, Session] = {}

    # ---------------------------------------------------------------- signing in

    def answer_certs(self, _: SimRequest) -> SimReply:
        return SimReply(self._tokens.certs())

    def answer_prepare(self, request: SimRequest) -> SimReply:
        """A token whose message the wallet has to sign."""
        fields, chain = wire.read_object(request.body), _chain(request)
        address, request_id = str(fields.get("address")), str(fields.get("requestId"))
        if not _is_address(chain, address) or decode_base58(request_id, 32) is None:
            raise Refusal(wire.MALFORMED)
        claims = self._claims(chain, address, request_id)
        return SimReply({"success": True, "signedData": self._tokens.signin_token(claims)})

    def answer_login(self, request: SimRequest) -> SimReply:
        fields, chain = wire.read_object(request.body), _chain(request)
        claims = self._tokens.read_signin(str(fields.get("signedData")))
        if claims is None or claims["chainId"] != CHAIN_IDS[chain]:
            raise Refusal(wire.SIGNIN_WRONG)
        if claims["exp"] <= self._now():
            raise Refusal(wire.SIGNIN_EXPIRED)
        if not crypto.verify_wallet(chain, claims["address"], claims, str(fields.get("signature"))):
            raise Refusal(wire.SIGNIN_WRONG)
        seconds = SESSION_SECONDS
        if fields.get("expiresSeconds") is not None:
            seconds = wire.read_whole(fields, "expiresSeconds")
        return SimReply(self._opened(chain, claims, seconds))

    def _opened(self, chain: str, claims: Mapping[str, Json], seconds: int) -> dict[str, Json]:
        address = claims["address"]
        name = f"{chain}_{address.lower() if chain == 'bsc' else address}"
        if name not in self._exchange.accounts:
            self._exchange.add_account(name, ZERO, FIRST_LEVERAGE)
        public = decode_base58(claims["requestId"], 32) or b""
        return {
            "token": self.open_session(name, public, seconds),
            "address": address,
            "alias": f"user{address[-4:]}",
            "chain": chain,
            "perpsAlpha": True,
        }

    def _claims(self, chain: str, address: str, request_id: str) -> dict[str, Json]:
        now, nonce = self._now(), f"{self._rng.getrandbits(96):024x}"
        at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        kind = "Ethereum" if chain == "bsc" else "Solana"
        message = (
            f"standx.com wants you to sign in with your {kind} account:\n{address}\n\n{STATEMENT}"
            f"\n\nURI: https://standx.com\nVersion: 1\nChain ID: {CHAIN_IDS[chain]}"
            f"\nNonce: {nonce}\nIssued At: {at}\nRequest ID: {request_id}"
        )
        return {
            "domain": "standx.com",
            "uri": "https://standx.com",
            "statement": STATEMENT,
            "version": "1",
            "chainId": CHAIN_IDS[chain],
            "nonce": nonce,
            "address": address,
            "requestId": request_id,
            "issuedAt": at,
            "message": message,
            "exp": now + SIGNIN_SECONDS,
            "iat": now,
        }

    # ---------------------------------------------------------------- sessions

    def open_session(self, account: str, public: bytes, seconds: int = SESSION_SECONDS) -> str:
        """A token for an account, paired with a key. UNVERIFIED: its claims beside `exp`."""
        now = self._now()
        chain, _, address = account.partition("_")
        claims = {
            "address": address,
            "chain": chain,
            "jti": f"{self._rng.getrandbits(128):032x}",
            "iat": now,
            "exp": now + seconds,
        }
        token = self._tokens.session_token(claims)
        self._sessions[token] = Session(account, public, now + seconds)
        return token

    def issued(self) -> list[str]:
        return list(self._sessions)

    def expire(self) -> None:
        """Every session ends now; its token stays known, and dead."""
        for token, session in self._sessions.items():
            self._sessions[token] = session._replace(expires=0)

    def session(self, token: str) -> Session:
        """Of a token that was made here and is alive."""
        session = self._sessions.get(token)
        if session is None or self._tokens.read_session(token) is None:
            raise Refusal(wire.UNAUTHORIZED)
        if session.expires <= self._now():
            raise Refusal(wire.UNAUTHORIZED)
        return session

    def holder(self, headers: Mapping[str, str]) -> str:
        """Whose token a request shows, alive or not; "" for none that was made here."""
        session = self._sessions.get(headers.get("authorization", "").removeprefix("Bearer "))
        return session.account if session else ""

    def identify(self, headers: Mapping[str, str]) -> Session:
        """Who sent a request. Nobody here owns a vault."""
        word, _, token = headers.get("authorization", "").partition(" ")
        if word != "Bearer":
            raise Refusal(wire.UNAUTHORIZED)
        session = self.session(token)
        if "x-impersonate" in headers:
            raise Refusal(wire.NO_VAULT)
        return session

    def verify(self, request: SimRequest, *, versioned: bool) -> Session:
        """Who signed a body, exactly as it arrived.

        Args:
            versioned: whether the header of the version has to be there.
        """
        headers = request.headers
        session = self.identify(headers)
        version = headers.get("x-request-sign-version", "" if versioned else "v1")
        number, stamp = headers.get("x-request-id", ""), headers.get("x-request-timestamp", "")
        text = crypto.body_text(number, stamp, request.body)
        proof = headers.get("x-request-signature", "")
        signed = crypto.verify_body(session.public, proof, text)
        if version != "v1" or not number or not signed:
            raise Refusal(wire.BAD_SIGNATURE)
        self._check_time(stamp)
        return session

    def _check_time(self, stamp: str) -> None:
        """The signature is good; its time may not be."""
        if not (stamp.isascii() and stamp.isdigit()):
            raise Refusal(wire.BAD_SIGNATURE)
        if abs(self._exchange.clock.now_ms() - int(stamp)) > self.window_ms:
            raise Refusal(wire.EXPIRED_SIGNATURE)

    def _now(self) -> int:
        return self._exchange.clock.now_ns() // 10**9


def _chain(request: SimRequest) -> str:
    chain = request.query.get("chain", "")
    if chain not in CHAIN_IDS:
        raise Refusal(wire.MALFORMED)
    return chain


def _is_address(chain: str, address: str) -> bool:
    if chain == "bsc":
        return _ADDRESS.fullmatch(address) is not None
    return decode_base58(address, 32) is not None

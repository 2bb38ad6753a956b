"""HTTP to one venue, whichever library carries it: limit, prove, send, judge.

Reads may be repeated; a command (`Request.command`) is sent once, and whatever leaves its outcome
open is `OutcomeUnknown`. The body is encoded once: those bytes are signed and those bytes travel.
Cookies are not kept and redirects not followed: a session's cookie is a header like any other.

A subclass brings the library: `mpdex.utils.rest` the usual one, `mpdex.utils.curl_transport` one
that looks like a browser.
"""

from __future__ import annotations

import asyncio
import random
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

import msgspec

from mpdex.errors import (
    AuthError,
    MpdexError,
    OutcomeUnknown,
    ProtocolError,
    RateLimited,
    TransportError,
)
from mpdex.types import Json, Request, Session, VenueSpec
from mpdex.utils.backoff import delays
from mpdex.utils.clock import Clock

if TYPE_CHECKING:
    from mpdex.utils.session import SessionKeeper
    from mpdex.utils.throttle import Throttle

RETRIES = 2  # of a read, after the first attempt
# Venues and their CDNs drop idle connections after one to a few minutes; ours end before, since an
# order on a connection that the other end has dropped is an order whose fate nobody knows.
KEEPALIVE_SECONDS = 50
# More requests at once than this wait for a connection; no venue's limit allows that many.
CONNECTIONS = 64
_JSON_HEADERS = {"Content-Type": "application/json"}
# A read that the venue puts off for longer than this is given back to the caller.
_PATIENCE = 30.0
_EXCERPT = 300
# The usual header of what is left of a limit; a venue without it is only known by our own count.
_LEFT = "X-RateLimit-Remaining"
# Its successor: `RateLimit: "name";r=1200;t=32`, units left and seconds until they are back (IETF
# draft-ietf-httpapi-ratelimit-headers-10).
_LIMIT = "RateLimit"

_encode = msgspec.json.Encoder().encode
_parse = msgspec.json.Decoder(float_hook=Decimal).decode
# Nested deeper, JSON is nobody's answer.
_DEEPEST = 5_000
# Invalid JSON, JSON nested too deep, a number that no Decimal can hold.
_UNREADABLE = (msgspec.MsgspecError, RecursionError, ArithmeticError)


class Sign(Protocol):
    def __call__(self, request: Request, now_ms: int, /) -> Request: ...


class DecodeError(Protocol):
    def __call__(self, status: int, answer: Json, request: Request, /) -> Exception | None: ...


class DecodePage(Protocol):
    def __call__(self, status: int, text: str, request: Request, /) -> Exception | None: ...


class DecodeHeaders(Protocol):
    def __call__(
        self, status: int, headers: Mapping[str, str], request: Request, /
    ) -> Exception | None: ...


class Connections(Protocol):
    """What a library keeps open between requests."""

    async def close(self) -> None: ...


def _unknown_page(status: int, text: str, request: Request) -> Exception | None:
    return None


def _silent_headers(status: int, headers: Mapping[str, str], request: Request) -> Exception | None:
    return None


def _decode(body: bytes) -> Json:
    """Decodes, however deep the nesting is and whatever limit another library has set: a limit
    above what the stack holds would end the process on hostile JSON.
    """
    limit = sys.getrecursionlimit()
    if limit <= _DEEPEST:
        return _parse(body)
    sys.setrecursionlimit(_DEEPEST)
    try:
        return _parse(body)
    finally:
        sys.setrecursionlimit(limit)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, unjudged. `headers` ignores case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> Json:
        """The body, its fractions as `Decimal`. Raises: ProtocolError."""
        try:
            return _decode(self.body)
        except _UNREADABLE as error:
            raise ProtocolError(f"HTTP {self.status} whose body is not JSON") from error


class Transport(ABC):
    """The HTTP side of one account at one venue.

    Attributes:
        counts: requests sent, by (method, path); each attempt counts.
        connections_opened: TCP connections begun so far.

    Args:
        endpoints: host key -> URL.
        sign: adds the venue's proof to a signed request; sees its final bytes.
        decode_error: the failure that an answer is, or None.
        decode_page: the refusal that a 4xx without JSON is, or None.
        decode_headers: the failure that the headers of a 4xx or 5xx tell, or None.
        session: whose headers every signed request carries.
        proxy: http://, socks4:// or socks5:// URL, user and password included.
        timeout: seconds for one attempt, from the connection to the last byte.
    """

    def __init__(
        self,
        spec: VenueSpec,
        endpoints: Mapping[str, str],
        *,
        clock: Clock,
        throttle: Throttle,
        sign: Sign,
        decode_error: DecodeError,
        decode_page: DecodePage = _unknown_page,
        decode_headers: DecodeHeaders = _silent_headers,
        session: SessionKeeper | None = None,
        proxy: str | None = None,
        timeout: float = 10.0,
        rng: random.Random,
    ) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.connections_opened = 0
        self._venue = spec.name
        self._silent = spec.silent_methods
        self._impersonates = spec.impersonates
        self._endpoints = {host: url.rstrip("/") for host, url in endpoints.items()}
        self._clock = clock
        self._throttle = throttle
        self._sign = sign
        self._decode_error = decode_error
        self._decode_page = decode_page
        self._decode_headers = decode_headers
        self._session = session
        self._session_hosts = spec.session_hosts or frozenset(endpoints)
        self._proxy = proxy
        self._timeout = timeout
        self._rng = rng
        self._penalties: dict[str, Iterator[float]] = {}

    # ----------------------------------------------------------------- what a library says

    _http: Connections | None = None
    # What it raises where there is no answer; known once it is imported.
    _foreign: tuple[type[Exception], ...] = (OSError,)

    @abstractmethod
    async def _fetch(self, request: Request) -> Answer:
        """One request over the wire, and its whole answer. Raises: one of `_foreign`."""

    @abstractmethod
    def _unsent(self, error: Exception) -> bool:
        """Whether the request has certainly not left."""

    @abstractmethod
    def _reason(self, error: Exception, request: Request) -> str:
        """What happened, without addresses' queries or proxy passwords."""

    async def close(self) -> None:
        """Closes the connections. The next request opens them again."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    # ----------------------------------------------------------------- requests

    async def send(self, request: Request) -> Json:
        """The venue's answer, decoded; plain text where the venue answers a read with text.

        Raises:
            VenueError: the venue said no.
            TransportError, ProtocolError: a read without an answer that can be used, or a command
                that certainly did not leave.
            OutcomeUnknown: a command that may have arrived.
        """
        if request.command:
            return await self._attempt(request)
        pauses = delays(0.25, 4.0, jitter=0.25, rng=self._rng)
        for _ in range(RETRIES):
            try:
                return await self._attempt(request)
            except RateLimited as error:
                if error.retry_after is not None and error.retry_after > _PATIENCE:
                    raise
            except TransportError:
                await asyncio.sleep(next(pauses))
        return await self._attempt(request)

    async def send_raw(self, request: Request) -> Answer:
        """The answer as it is, whatever its status; for logins. Carries no session.

        Raises: TransportError.
        """
        answer = await self._exchange(await self._prepare(request, None))
        if answer.status == 429:
            self.penalize(request, _retry_after(answer))
        return replace(answer, headers=_joined(answer.headers))

    async def warm(self, host: str = "") -> None:
        """Opens a connection to each endpoint (or to `host`), so that an order finds it open.

        Repeat it before the venue's idle limit. Raises: TransportError.
        """
        for name, url in self._endpoints.items():
            if url.startswith("http") and host in ("", name):
                await self._exchange(Request("HEAD", "/", host=name))

    # ----------------------------------------------------------------- one attempt

    async def _attempt(self, request: Request) -> Json:
        session = await self._session_for(request)
        try:
            return await self._once(request, session)
        except AuthError:
            if self._session is None or session is None:
                raise
            self._session.invalidate(session)
            if request.command:
                raise
        return await self._once(request, await self._session_for(request))

    async def _session_for(self, request: Request) -> Session | None:
        if self._session is None or not request.signed:
            return None
        if request.host not in self._session_hosts:
            return None
        return await self._session.ensure()

    async def _once(self, request: Request, session: Session | None) -> Json:
        ready = await self._prepare(request, session)
        answer = await self._exchange(ready)
        left = answer.headers.get(_LEFT) or _limit_part(answer, "r")
        if left.isdecimal():
            self._throttle.observe(request.scope, int(left))
        return self._judge(answer, ready)

    async def _prepare(self, request: Request, session: Session | None) -> Request:
        """With bytes, session and proof; after all waiting, since proofs carry the time."""
        scope, weight, lane = request.scope, request.weight, request.lane
        if not self._throttle.try_acquire(scope, weight, lane):
            await self._throttle.acquire(scope, weight, lane)
        if request.json is not None or request.body or session is not None:
            request = _sealed(request, session)
        return self._sign(request, self._clock.now_ms()) if request.signed else request

    async def _exchange(self, request: Request) -> Answer:
        self.counts[request.method, request.path] += 1
        try:
            return await self._fetch(request)
        except self._foreign as error:
            # Some libraries write a proxy's URL, password included, into their messages.
            cause = error if self._proxy is None else None
            raise self._unanswered(self._reason(error, request), request, error) from cause

    def _address(self, request: Request) -> str:
        """A query goes out letter by letter as it was signed."""
        address = f"{self._endpoints[request.host]}{request.path}"
        if not request.query:
            return address
        return f"{address}?" + "&".join(f"{name}={value}" for name, value in request.query.items())

    # ----------------------------------------------------------------- what an answer means

    def _judge(self, answer: Answer, request: Request) -> Json:
        status = answer.status
        told = self._decode_headers(status, answer.headers, request) if status >= 400 else None
        if told is not None:
            raise self._refused(told, answer, request)
        if status >= 500:
            raise self._unanswered(f"HTTP {status}", request, raw=_excerpt(answer.body))
        try:
            body = _decode(answer.body)
        except _UNREADABLE as error:
            return self._judge_text(answer, request, error)
        failure = self._decode_error(status, body, request)
        if failure is None and status != 429:
            self._penalties.pop(request.scope, None)
            return body
        raise self._refused(failure, answer, request)

    def _refused(self, failure: Exception | None, answer: Answer, request: Request) -> Exception:
        if failure is not None and not isinstance(failure, RateLimited):
            return failure
        told = _retry_after(answer)
        if failure is not None and failure.retry_after is not None:
            told = failure.retry_after
        self.penalize(request, told)
        if failure is None:
            return self._over_limit(answer, request, told)
        failure.retry_after = told
        return failure

    def _over_limit(self, answer: Answer, request: Request, told: float | None) -> Exception:
        """A 429 that the venue's own words do not explain: a proxy or a wall in front of it.

        A command, too, is refused by that for certain: whoever says so has not let it pass (RFC
        6585, section 4).
        """
        raw = _excerpt(answer.body)
        return RateLimited(
            "HTTP 429", retry_after=told, venue=self._venue, raw=raw, request=str(request)
        )

    def _judge_text(self, answer: Answer, request: Request, error: Exception) -> Json:
        """Not JSON: an acknowledgement without a body, a text that was asked for, or a surprise."""
        status, body = answer.status, answer.body.strip()
        if not body and (status in (202, 204) or (status == 200 and self._needs_no_word(request))):
            return None
        if status == 429:
            raise self._refused(None, answer, request) from error
        text = body.decode(errors="replace")
        refusal = self._decode_page(status, text, request) if 400 <= status < 500 else None
        if refusal is not None:
            raise self._refused(refusal, answer, request) from None
        if status == 200 and body and not request.command and _is_text(answer):
            return text
        detail = f"HTTP {status} with a body that is not JSON"
        kind = OutcomeUnknown if request.command else ProtocolError
        raise kind(detail, venue=self._venue, raw=_excerpt(body), request=str(request)) from error

    def _needs_no_word(self, request: Request) -> bool:
        """Whether an empty 200 says all: of a setting it does, an order has an answer."""
        sets = request.method != "GET" and not request.command
        return sets or request.method in self._silent

    def _unanswered(
        self, detail: str, request: Request, error: Exception | None = None, raw: str | None = None
    ) -> MpdexError:
        unsent = error is not None and self._unsent(error)
        may_have_arrived = request.command and not unsent
        kind = OutcomeUnknown if may_have_arrived else TransportError
        return kind(detail, venue=self._venue, raw=raw, request=str(request))

    def penalize(self, request: Request, seconds: float | None) -> None:
        """The venue said "too many" to this request, by whatever route: hold its kind back.

        Args:
            seconds: for how long; None: longer each time, the venue not telling.
        """
        if seconds is None:
            ladder = self._penalties.get(request.scope)
            if ladder is None:
                ladder = self._penalties[request.scope] = delays(1.0, 30.0, rng=self._rng)
            seconds = next(ladder)
        self._throttle.penalize(request.scope, request.lane, seconds)


def _sealed(request: Request, session: Session | None) -> Request:
    """With its final bytes, and the headers of the session."""
    body = request.body or (b"" if request.json is None else _encode(request.json))
    headers = {
        **(_JSON_HEADERS if body else {}),
        **(session.headers if session is not None else {}),
        **request.headers,
    }
    return replace(request, body=body, headers=headers)


def _limit_part(answer: Answer, name: str) -> str:
    """One number of the header `RateLimit`; "" where it is not there."""
    parts = answer.headers.get(_LIMIT, "").split(";")[1:]
    numbers = (part.partition("=") for part in parts)
    return next((number for key, _, number in numbers if key.strip() == name), "")


def _retry_after(answer: Answer) -> float | None:
    """Seconds the venue asks for; None where it says nothing, or says it as a date."""
    text = answer.headers.get("Retry-After", "").strip() or _limit_part(answer, "t")
    return float(text) if text.replace(".", "", 1).isdecimal() else None  # seconds


def _joined(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Each name once, the values of a repeated one (`Set-Cookie`) separated by commas."""
    from multidict import CIMultiDict

    joined: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _is_text(answer: Answer) -> bool:
    """Meant as plain text: neither a page nor damaged JSON."""
    kind = answer.headers.get("Content-Type", "")
    started = answer.body.lstrip()[:1] in (b"<", b"{", b"[")
    return not (started or "html" in kind or "json" in kind)


def _excerpt(body: bytes) -> str:
    return body[:_EXCERPT].decode(errors="replace")

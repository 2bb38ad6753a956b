"""Requests by REST: the proof each carries, the session it needs, the verdict on its answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from mpdex.dex.core import DexCore
from mpdex.errors import (
    MissingCredentials,
    MpdexError,
    NonceRefused,
    OutcomeUnknown,
    ProtocolError,
)
from mpdex.types import Challenge, Json, Reads, Request, Session, WalletProof
from mpdex.utils.translation import checked

if TYPE_CHECKING:
    from mpdex.utils.session import SessionKeeper
    from mpdex.utils.session_store import SessionStore
    from mpdex.utils.transport import Transport

# Of how many orders the nonce is remembered, for a fence.
_REMEMBERED = 1000


class NotNumbered(NonceRefused):
    """Nothing was sent: while it waited its turn, the next number came into doubt."""


class Requests(DexCore):
    """Asking the venue."""

    @property
    def rest_counts(self) -> Counter[tuple[str, str]]:
        """(method, path) -> requests sent so far."""
        return self._rest.counts

    async def _private(self, reads: Reads) -> Json:
        for request in reads if isinstance(reads, tuple) else (reads,):
            self._need_keys(request)
        return await self._ask(reads)

    async def _ask(self, reads: Reads) -> Json:
        """The answer, or the list of answers where there are several requests."""
        if isinstance(reads, tuple):
            return [await self._rest.send(request) for request in reads]
        return await self._rest.send(reads)

    def _need_keys(self, request: Request) -> None:
        if self.read_only and request.signed:
            raise MissingCredentials(f"{request} needs keys; opened read-only", venue=self.name)

    @cached_property
    def _rest(self) -> Transport:
        return self._transport_class()(
            self.SPEC,
            self.endpoints,
            clock=self.venue_clock,
            throttle=self._throttle,
            sign=self._prove,
            decode_error=self._failure,
            decode_page=self.decode_page,
            decode_headers=self.decode_headers,
            session=self._session,
            proxy=self._proxy,
            rng=self._rng,
        )

    def _transport_class(self) -> type[Transport]:
        if self.SPEC.impersonates:
            from mpdex.utils.curl_transport import CurlTransport

            return CurlTransport
        from mpdex.utils.rest import RestTransport

        return RestTransport

    # ----------------------------------------------------------------- proof and verdict

    def _prove(self, request: Request, now_ms: int) -> Request:
        """The last thing before a request leaves: its nonce, where there is one, and its proof."""
        if request.command and request.nonce is None and self._nonces is not None:
            nonce = self._nonces.take(now_ms)
            if nonce is None:
                raise NotNumbered("the next nonce is not known now", venue=self.name)
            request = replace(request, nonce=nonce)
            if request.client_id:
                self._remember(request.client_id, nonce)
            try:
                return self.sign(request, now_ms)
            except MpdexError:
                self._nonces.spare(nonce)  # what is not signed is not sent
                raise
        return self.sign(request, now_ms)

    def _remember(self, client_id: str, nonce: int) -> None:
        self._sent_nonces[client_id] = nonce
        if len(self._sent_nonces) > _REMEMBERED:
            del self._sent_nonces[next(iter(self._sent_nonces))]

    def _failure(self, status: int, answer: Json, request: Request) -> MpdexError | None:
        error = self._verdict(status, answer, request)
        if request.command:
            self._answered_at = self.clock.monotonic()
        if error is None or self._nonces is None or request.nonce is None:
            return error
        if isinstance(error, NonceRefused):
            self._nonces.doubt()
        elif self.spares_nonce(error):
            self._nonces.spare(request.nonce)
        return error

    def _verdict(self, status: int, answer: Json, request: Request) -> MpdexError | None:
        """What the venue's words mean. Of a form that nobody knows: that it is not known."""
        try:
            return self._decode_error(status, answer, request)
        except ProtocolError as error:
            kind = OutcomeUnknown if request.command else ProtocolError
            return kind(error.detail, venue=self.name, raw=answer, request=str(request))

    @cached_property
    def _decode_error(self) -> Callable[[int, Json, Request], MpdexError | None]:
        return checked(self.SPEC.name)(self.decode_error)

    # ----------------------------------------------------------------- logins

    @property
    def session_expires_ms(self) -> int | None:
        """When the login ends, by the clock; None: there is none, or it never does."""
        keeper = self.__dict__.get("_session")
        session = None if keeper is None else keeper.current
        return None if session is None else session.expires_ms

    async def freshen(self) -> None:
        """Renews the login before its end; to be called now and then.

        Raises: what a login raises; the old one then still holds.
        """
        if self._session is not None:
            await self._session.freshen()

    async def sign_in(self, prove: Callable[[Challenge], Awaitable[WalletProof]]) -> str:
        """Logs in with a signature made elsewhere, in a wallet; the session is kept.

        Returns: where; "" for a simulated venue.
        Raises: Unsupported where the venue has no such login; AuthError; what `prove` raises.
        """
        challenge = self.decode_challenge(await self._rest.send_raw(self.encode_challenge()))
        await self._logged_in(self.encode_proof(challenge, await prove(challenge)))
        return "" if self._kept is None else str(self._kept.path(self.account_id))

    @cached_property
    def _session(self) -> SessionKeeper | None:
        if self.read_only or (self.encode_login() or self._own_session()) is None:
            return None
        from mpdex.utils.session import SessionKeeper

        return SessionKeeper(self._login, clock=self.venue_clock)

    def _session_at(self, host: str) -> SessionKeeper | None:
        """None where an endpoint is not the business of whoever gave the session."""
        hosts = self.SPEC.session_hosts
        return self._session if not hosts or host in hosts else None

    async def _login(self) -> Session:
        try:
            known = self._own_session() or await self._kept_session()
            return known or await self._logged_in(self.encode_login())
        finally:
            if self._closed:  # a shared connection outlives the object that opened it
                await self._rest.close()

    def _own_session(self) -> Session | None:
        return self.make_session(self.venue_clock.now_ms())

    async def _logged_in(self, step: Request | Session | None) -> Session:
        while isinstance(step, Request):
            answer = await self._rest.send_raw(step)
            step = self.continue_login(answer, step, self.venue_clock.now_ms())
        assert step is not None, "only a venue with a login has sessions"
        if self._kept is not None:
            self._kept.save(self.account_id, step)
        return step

    async def _kept_session(self) -> Session | None:
        """That of an earlier login, if the venue says that it still holds."""
        session = None if self._kept is None else self._kept.load(self.account_id)
        if session is None:
            return None
        answer = await self._rest.send_raw(self.encode_session_check(session))
        return session if self.decode_session_check(answer) else None

    @cached_property
    def _kept(self) -> SessionStore | None:
        """None, too, where an endpoint is not encrypted: it is a simulated one."""
        shown_to = self.SPEC.session_hosts or self.endpoints
        encrypted = all(self.endpoints[host].startswith(("https:", "wss:")) for host in shown_to)
        if not (self.SPEC.keeps_session and encrypted):
            return None
        from mpdex.utils.session_store import SessionStore

        return SessionStore(self.SPEC.name)


def sealed(request: Request) -> Request:
    """With the bytes that are signed and sent, made once."""
    if request.body or request.json is None:
        return request
    import msgspec

    return replace(request, body=msgspec.json.encode(request.json))

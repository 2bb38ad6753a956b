"""How a command leaves: by which route, countersigned and numbered where the venue wants that.

It is sent once. Only what certainly did not leave is tried again, here or by whoever decided on it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mpdex.dex.connections import Connections
from mpdex.dex.requests import NotNumbered, sealed
from mpdex.errors import (
    NonceRefused,
    OutcomeUnknown,
    ProtocolError,
    RateLimited,
    TransportError,
    Unsupported,
)
from mpdex.types import Json, Lane, Request

if TYPE_CHECKING:
    import asyncio

# How often a command without effect gets another number.
_AGAIN = 3


class Commands(Connections):
    """Everything that changes something at the venue."""

    def block_orders(self, reason: str) -> None:
        """From now on every command raises `Unsupported` with this reason; nothing is sent."""
        self._orders_blocked = reason

    def _command(self, request: Request) -> Awaitable[Json]:
        if self._orders_blocked:
            raise Unsupported(f"{request} not sent: {self._orders_blocked}", venue=self.name)
        self._need_keys(request)
        if self._nonces is not None:
            return self._numbered(request)
        if self.SPEC.countersigner:
            return self._countersigned(request)
        return self._route(request)

    def _route(self, request: Request) -> Awaitable[Json]:
        if request.call and self.SPEC.order_route == "ws" and not self._must_detour():
            return self._call(request)
        return self._rest.send(request)

    def _must_detour(self) -> bool:
        """While the socket is known to be lost nothing was written there, so nothing is repeated
        by going another way; once something was written, no other way is tried. Where orders have
        a socket of their own, it is as good as lost as soon as another one of the account is.
        """
        if self._command_stream() is None:
            return False
        return not all(stream.connected for stream in self._account_streams())

    # ----------------------------------------------------------------- signed elsewhere

    async def _countersigned(self, request: Request) -> Json:
        """Asks for what the command lacks, then sends it on.

        It waits for the limit before it asks, since what is given grows old. It asks once, as a
        command is sent once: whoever decided on it decides again.
        """
        await self._throttle.acquire(request.scope, request.weight, request.lane)
        asked_ms = self.venue_clock.now_ms()
        hop = self.encode_countersign(request, asked_ms)
        signed = request if hop is None else await self._signed_elsewhere(request, hop)
        bound_ms = self.SPEC.countersign_bound_ms or self.SPEC.request_bound_ms
        spent_ms = self.venue_clock.now_ms() - asked_ms
        if bound_ms is not None and spent_ms >= bound_ms:
            late = f"countersigned after {spent_ms} ms, too late to be sent"
            raise TransportError(late, venue=self.name, request=str(request))
        return await self._route(replace(signed, weight=0))

    async def _signed_elsewhere(self, request: Request, hop: Request) -> Request:
        """Whatever goes wrong here, the venue has not heard of the command."""
        try:
            answer = await self._rest.send(replace(hop, command=True))
            return self.decode_countersign(answer, request)
        except (OutcomeUnknown, ProtocolError) as error:
            raise TransportError(
                f"not countersigned, so not sent: {error.detail}",
                venue=self.name,
                raw=error.raw,
                request=str(hop),
            ) from error

    # ----------------------------------------------------------------- numbered

    def _numbered(self, request: Request) -> Awaitable[Json]:
        """A command that takes a nonce: at once, unless the venue has to be asked for it."""
        assert self._nonces is not None
        if self._nonces.ready:
            return self._watched(self._route(request), request)
        return self._numbered_later(request)

    async def _numbered_later(self, request: Request, again: int = _AGAIN) -> Json:
        assert self._nonces is not None
        if not self._nonces.ready:
            self._nonces.start(await self._next_nonce())
        return await self._watched(self._route(request), request, again)

    async def _watched(
        self, answer: Awaitable[Json], request: Request, again: int = _AGAIN
    ) -> Json:
        """Without a verdict nobody knows which number is next.

        What was not sent for want of a number gets one, and so does a cancel whose number was
        refused; an order that was refused is for whoever decided on it.
        """
        assert self._nonces is not None
        try:
            return await answer
        except (OutcomeUnknown, TransportError):
            self._nonces.doubt()
            raise
        except NonceRefused as error:
            numbered_here = request.nonce is None and request.lane is Lane.CANCEL
            if not again or not (numbered_here or isinstance(error, NotNumbered)):
                raise
        return await self._numbered_later(request, again - 1)

    async def _next_nonce(self) -> int:
        request = self.encode_next_nonce()
        assert request is not None, "an allocator that asks has something to ask"
        return self.decode_next_nonce(await self._private(request))

    # ----------------------------------------------------------------- over the socket

    def _call(self, request: Request) -> Awaitable[Json]:
        stream = self._command_stream()
        if stream is None:
            return self._call_when_connected(request)
        if self._throttle.try_acquire(request.scope, request.weight, request.lane):
            return self._written(stream, request)
        return self._call_when_allowed(stream, request)

    async def _call_when_connected(self, request: Request) -> Json:
        stream = await self._stream_for(self._commands)
        return await self._call_when_allowed(stream, request)

    async def _call_when_allowed(self, stream: Any, request: Request) -> Json:
        await self._throttle.acquire(request.scope, request.weight, request.lane)
        return await self._written(stream, request)

    def _written(self, stream: Any, request: Request) -> Awaitable[Json]:
        if request.signed:
            request = self._prove(sealed(request), self.venue_clock.now_ms())
        return self._judged(stream.call(request), request)

    async def _judged(self, answer: asyncio.Future[Json], request: Request) -> Json:
        """What a call over the socket came to, by the same verdicts as over REST."""
        try:
            body = await answer
            failure = self._failure(200, body, request)
        except RateLimited as error:
            failure = error
        if isinstance(failure, RateLimited):
            self._rest.penalize(request, failure.retry_after)
        if failure is not None:
            raise failure
        return body

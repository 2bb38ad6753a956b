"""One login at a time, and none while the last one still holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mpdex.errors import MpdexError
from mpdex.types import Session
from mpdex.utils.clock import Clock

# Part of its life after which a session is renewed ahead of time.
_OLD = 0.7


class SessionKeeper:
    """Holds the session of one account and renews it when it is about to expire.

    Attributes:
        current: the last session that was not invalidated; None before the first login.
        followers: told of each new session, at once.

    Args:
        login: asks the venue for a session; raises when refused.
        margin_ms: a session that ends sooner than this is not handed out any more: a request may
            wait for a limit and travel, and must arrive before the end.
    """

    def __init__(
        self, login: Callable[[], Awaitable[Session]], *, clock: Clock, margin_ms: int = 60_000
    ) -> None:
        self.current: Session | None = None
        self.followers: list[Callable[[Session], None]] = []
        self._login = login
        self._clock = clock
        self._margin_ms = margin_ms
        self._since_ms = 0  # when the current one began
        self._flight: asyncio.Future[Session] | None = None

    async def ensure(self) -> Session:
        """A session that holds for a while; whoever asks during a login gets its result.

        Raises: whatever the login raises.
        """
        while True:
            session = self.current
            if session is not None and self._holds(session):
                return session
            if self._flight is None:
                return await self._renew()
            flight = self._flight
            await asyncio.wait([flight])
            if not flight.cancelled():  # its leader was canceled: somebody else leads
                return flight.result()

    async def freshen(self) -> None:
        """Renews a session that has lived most of its life, while it still serves everybody else.

        Raises: whatever the login raises.
        """
        session = self.current
        if session is None or session.expires_ms is None or self._flight is not None:
            return
        life = session.expires_ms - self._since_ms
        if self._clock.now_ms() >= self._since_ms + _OLD * life:
            await self._renew()

    def invalidate(self, session: Session) -> None:
        """The venue refused `session`; a newer one is left alone."""
        if self.current is session:
            self.current = None

    def _holds(self, session: Session) -> bool:
        expires = session.expires_ms
        return expires is None or self._clock.now_ms() + self._margin_ms < expires

    async def _renew(self) -> Session:
        flight = self._flight = asyncio.get_running_loop().create_future()
        try:
            began = self._clock.now_ms()
            self.current = session = await self._login()
            self._since_ms = began
            for follow in tuple(self.followers):
                follow(session)
            flight.set_result(session)
        except MpdexError as error:
            flight.set_exception(error)
            flight.exception()  # nobody else may be waiting; that is no reason for a warning
            raise
        finally:
            self._flight = None
            flight.cancel()
        return session

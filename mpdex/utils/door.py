"""One way in to a venue: whoever is turned away there waits, and so does everybody else.

Every channel of a venue has a connection of its own, but the venue counts attempts by address.
After a refusal ("too many", "forbidden") one channel at a time knocks again, each time later; the
first that is let in opens the door for the rest.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Hashable, Iterator
from typing import TypeVar
from weakref import WeakKeyDictionary

from mpdex.utils.backoff import delays
from mpdex.utils.socket import HandshakeRefused

T = TypeVar("T")

# HTTP: forbidden (a wall in front of the venue), teapot (an address that is banned), too many.
_TURNED_AWAY = frozenset({403, 418, 429})
_SOONEST, _LATEST = 1.0, 60.0  # seconds


class Door:
    """Attempts to connect to one venue.

    Attributes:
        knocks: attempts so far, by whatever channel.
    """

    def __init__(self) -> None:
        self.knocks = 0
        self._turn = asyncio.Lock()
        self._waits: Iterator[float] | None = None
        self._opens_at = 0.0

    async def enter(self, connect: Callable[[], Awaitable[T]], rng: random.Random) -> T:
        """Connects, when it is this caller's turn.

        Args:
            rng: jitter, so that two programs do not knock together.

        Raises: what `connect` raises.
        """
        if self._waits is None:
            return await self._knock(connect, rng)
        async with self._turn:
            await asyncio.sleep(max(self._opens_at - asyncio.get_running_loop().time(), 0.0))
            return await self._knock(connect, rng)

    async def _knock(self, connect: Callable[[], Awaitable[T]], rng: random.Random) -> T:
        self.knocks += 1
        try:
            inside = await connect()
        except HandshakeRefused as error:
            if error.status in _TURNED_AWAY:
                self._shut(error.retry_after, rng)
            raise
        self._waits = None
        return inside

    def _shut(self, retry_after: float | None, rng: random.Random) -> None:
        self._waits = self._waits or delays(_SOONEST, _LATEST, rng=rng)
        wait = max(next(self._waits), retry_after or 0.0)
        self._opens_at = asyncio.get_running_loop().time() + wait


_doors: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, Door]] = WeakKeyDictionary()


def door_of_loop(key: Hashable) -> Door:
    """The running loop's door to a venue, as seen from one address."""
    doors = _doors.setdefault(asyncio.get_running_loop(), {})
    return doors.setdefault(key, Door())

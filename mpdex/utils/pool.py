"""Connections that several users share: leased, counted, closed by the last one out.

Acquiring a key that is being opened waits for it, acquiring one that is being closed waits and
opens a new one; two users never open the same key twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary


class Closable(Protocol):
    async def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


class Lease(Generic[C]):
    """One user's share of `client`; give it back once, with `release` or by `async with`."""

    def __init__(self, client: C, give_back: Callable[[], Awaitable[None]]) -> None:
        self.client = client
        self._give_back = give_back
        self._released = False

    async def release(self) -> None:
        """The last release closes the client. A second release of one lease does nothing."""
        if not self._released:
            self._released = True
            await self._give_back()

    async def __aenter__(self) -> C:
        return self.client

    async def __aexit__(self, *_: object) -> None:
        await self.release()


class Pool:
    """Shared clients by key. All calls belong to one event loop."""

    def __init__(self) -> None:
        self._places: dict[Hashable, _Place] = {}

    def __len__(self) -> int:
        return len(self._places)

    async def acquire(self, key: Hashable, factory: Callable[[], Awaitable[C]]) -> Lease[C]:
        """A lease on the client of `key`; `factory` makes one where there is none.

        Raises: what `factory` raises; nothing is left behind then.
        """
        place = self._places.setdefault(key, _Place())
        place.visitors += 1
        try:
            client = await place.enter(factory)
        finally:
            self._leave(key, place)
        return Lease(client, lambda: self._give_back(key, place))

    async def _give_back(self, key: Hashable, place: _Place) -> None:
        place.leases -= 1
        place.visitors += 1
        try:
            await place.close_if_unused()
        finally:
            self._leave(key, place)

    def _leave(self, key: Hashable, place: _Place) -> None:
        place.visitors -= 1
        if not (place.visitors or place.leases) and self._places.get(key) is place:
            del self._places[key]


class _Place:
    """One key: its client while it is open, and the door that one visitor passes at a time."""

    def __init__(self) -> None:
        self.client: Any = None
        self.leases = 0
        self.visitors = 0
        self._door = asyncio.Lock()

    async def enter(self, factory: Callable[[], Awaitable[C]]) -> C:
        async with self._door:
            if self.client is None:
                self.client = await factory()
            self.leases += 1
            client: C = self.client
            return client

    async def close_if_unused(self) -> None:
        async with self._door:
            if self.leases or self.client is None:
                return
            client, self.client = self.client, None
            await client.close()


_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, Pool] = WeakKeyDictionary()


def pool_of_loop() -> Pool:
    """The running loop's pool; connections cannot be shared between loops."""
    return _pools.setdefault(asyncio.get_running_loop(), Pool())

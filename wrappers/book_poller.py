"""Books for a venue that streams none: asked for again and again, and heard like a stream's.

To whoever listens it is a connection like any other. It is up once every book that is wanted has
been read, down when one cannot be read any more, and comes back by itself; `Book.received` says how
old a book is. It is one task of the connection's own, since `BaseWSClient` makes it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Unpack

from mpdex.types import BookUpdate, Event, Json, StreamDown, StreamUp, Topic
from wrappers.base_ws_client import BaseWSClient, ConnectionOptions, Link


class BookPoller(BaseWSClient):
    """Reads the books that are wanted, each once every `EVERY` seconds.

    Args:
        fetch: reads the book of a market. Raises: MpdexError.

    Attributes:
        listeners: called in order with every book, `StreamUp` and `StreamDown`.
    """

    EVERY = 1.0
    CHANNELS = frozenset({"book"})

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[BookUpdate]],
        **options: Unpack[ConnectionOptions],
    ) -> None:
        super().__init__(**options)
        self.listeners: list[Callable[[Event], None]] = []
        self._fetch = fetch
        self._wanted: Counter[str] = Counter()  # users, by symbol
        self._hurry = asyncio.Event()

    # ------------------------------------------------------------------ topics

    async def subscribe(self, topic: Topic) -> None:
        """Its first reading is at once; every `subscribe` is undone by one `unsubscribe`."""
        self._wanted[topic.symbol] += 1
        self._hurry.set()

    async def unsubscribe(self, topic: Topic) -> None:
        self._wanted -= Counter([topic.symbol])

    def resubscribe(self, topic: Topic) -> None:
        """Reads it again now."""
        self._hurry.set()

    # ------------------------------------------------------------------ reading

    async def _do_reconnect(self) -> Link:
        self.generation += 1
        link = self._link = Link(self)
        await self._read_all(link)
        self._come_up()
        self.run(self._go_on(link))
        return link

    async def _go_on(self, link: Link) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self.EVERY
        while link is self._link:
            try:
                async with asyncio.timeout_at(due):
                    await self._hurry.wait()
            except TimeoutError:
                due = loop.time() + self.EVERY
            self._hurry.clear()
            await self._read_all(link)

    async def _read_all(self, link: Link) -> None:
        for symbol in tuple(self._wanted):
            update = await self._fetch(symbol)
            if link is self._link and symbol in self._wanted:
                self._tell(update)

    def _tell(self, event: Event) -> None:
        for listener in tuple(self.listeners):
            with self.quarantine:
                listener(event)

    def _on_up(self) -> None:
        self._tell(StreamUp(self.generation))

    def _on_down(self, reason: str, *, was_open: bool) -> None:
        if was_open:
            self._tell(StreamDown(reason))

    # ------------------------------------------------------------------ there is no socket

    async def _handle_message(self, data: Json) -> None:
        """Nobody sends any."""

    async def _resubscribe(self) -> None:
        """Nobody is to be told."""

    def _build_ping_message(self) -> None:
        return None

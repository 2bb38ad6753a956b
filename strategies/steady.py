"""Waiting until books have been good for a while: one good moment is no market."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from mpdex.types import StreamDown
from mpdex.utils.clock import Clock
from mpdex.utils.orderbook import Book
from strategies.findings import Findings
from strategies.venue import Venue
from strategies.words import Role

# So long in a row; and so long they get for it.
STEADY_SECONDS, _LIMIT = 5.0, 20.0
_LOOK_SECONDS = 0.25


class _Watch:
    """Since when a book has been good without a break; None: it is not."""

    def __init__(self, venue: Venue, book: Book, clock: Clock) -> None:
        self.since: float | None = None
        self._book, self._clock = book, clock
        self._look(book)
        self.stops = (
            venue.on_orderbook(book.symbol, self._look),
            venue.on_stream(self._lose),
        )

    def _look(self, book: Book) -> None:
        bbo = None if book.stale else book.bbo()
        good = bbo is not None and bbo["bid"] and bbo["ask"] and bbo["bid"] < bbo["ask"]
        if not good:
            self.since = None
        elif self.since is None:
            self.since = self._clock.monotonic()

    def _lose(self, event: Any) -> None:
        if isinstance(event, StreamDown):
            self.since = None

    def due(self) -> float | None:
        """When it will have been good for long enough."""
        if self._book.stale:
            self.since = None
        return None if self.since is None else self.since + STEADY_SECONDS


async def wait_steady(
    venues: Mapping[Role, Venue], books: Mapping[Role, Book], clock: Clock, found: Findings
) -> None:
    """Returns when every book has been good for long enough, or time is up."""
    watches = {role: _Watch(venues[role], book, clock) for role, book in books.items()}
    deadline = clock.monotonic() + _LIMIT
    try:
        while (wait := _wait(list(watches.values()), clock.monotonic())) > 0:
            if clock.monotonic() + wait > deadline:
                break
            await asyncio.sleep(wait)
    finally:
        for watch in watches.values():
            for stop in watch.stops:
                stop()
    for role, watch in watches.items():
        due = watch.due()
        steady = due is not None and due <= clock.monotonic()
        bad = "its book was not good for long enough; try again later"
        found.judge("book", [] if steady else [bad], f"good for {STEADY_SECONDS:g} s", role)


def _wait(watches: list[_Watch], now: float) -> float:
    """Seconds until it could be enough."""
    due = [watch.due() for watch in watches]
    if None in due:
        return _LOOK_SECONDS
    return max((at for at in due if at is not None), default=now) - now

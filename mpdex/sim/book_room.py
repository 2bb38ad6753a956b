"""Who watches one book of a simulated venue at one pace: one feed, as long as anybody does."""

from __future__ import annotations

from collections.abc import Callable

from mpdex.sim.board import BookFeed
from mpdex.sim.exchange import SimExchange
from mpdex.sim.models import Timers
from mpdex.sim.records import BookChanged

_HAIR = 1e-6  # seconds by which a timer may be early


class BookRoom:
    """Everybody who watches one book at one pace: one feed, as long as anybody does.

    Args:
        publish: told of each change.
    """

    def __init__(
        self,
        exchange: SimExchange,
        timers: Timers,
        pace: tuple[str, float],
        publish: Callable[[BookChanged, float], None],
    ) -> None:
        self._exchange = exchange
        self._timers = timers
        self._symbol, self._seconds = pace
        self._publish = publish
        self._feed: BookFeed | None = None
        self._entered = 0.0
        self._watchers = 0

    def enter(self) -> None:
        self._watchers += 1
        if self._feed is None:
            feed = self._feed = self._exchange.book_feed(self._symbol)
            self._entered = self._exchange.clock.monotonic()
            feed.on_change = lambda: self._look_later(feed)

    def leave(self) -> None:
        self._watchers -= 1
        if not self._watchers and self._feed is not None:
            self._feed.close()
            self._feed = None

    def flush(self) -> None:
        """Publish what has changed up to now."""
        change = self._feed.take() if self._feed else None
        if change is not None:
            self._publish(change, self._seconds)

    def _look_later(self, feed: BookFeed) -> None:
        """At the next of the steps that the venue takes; nothing happens between changes."""
        since = self._exchange.clock.monotonic() - self._entered
        wait = self._seconds - (since + _HAIR) % self._seconds + _HAIR
        self._timers.after(wait, lambda: self._look(feed))

    def _look(self, feed: BookFeed) -> None:
        if self._feed is feed:  # else: nobody has watched since, or a new run began
            self.flush()

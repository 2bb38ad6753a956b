"""Watching: asynchronous iterators, and their callback twins for latency."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any

from mpdex.dex.commands import Commands
from mpdex.errors import NotSynced
from mpdex.types import BBO, Fill, Number, Order, OrderBook, PositionUpdate, Topic
from mpdex.utils.precision import snap_size, to_decimal

if TYPE_CHECKING:
    from mpdex.utils.feeds import Stop
    from mpdex.utils.orderbook import Book


class StreamMethods(Commands):
    """What changes, as it changes."""

    def watch_orderbook(self, symbol: str, depth: int = 10) -> AsyncIterator[OrderBook]:
        """The book after each change; a slow reader gets the newest only."""
        self._markets[symbol]
        return self.feeds.latest(
            Topic("book", symbol),
            lambda: self.book(symbol).levels(depth),
            ready=lambda: symbol in self.feeds.books and not self.book(symbol).stale,
        )

    def watch_bbo(self, symbol: str) -> AsyncIterator[BBO]:
        """Best bid and offer after each change; a slow reader gets the newest only."""
        self._markets[symbol]
        return self.feeds.latest(
            Topic("bbo", symbol),
            lambda: self.feeds.bbos[symbol],
            ready=lambda: symbol in self.feeds.bbos,
        )

    def watch_orders(self, symbol: str = "") -> AsyncIterator[Order]:
        """Each report on own orders."""
        return self.feeds.every(Topic("orders", symbol))

    def watch_fills(self, symbol: str = "") -> AsyncIterator[Fill]:
        """Each own fill, once; fills during a drop are read back when the connection is."""
        return self.feeds.every(Topic("fills", symbol))

    def watch_positions(self, symbol: str = "") -> AsyncIterator[PositionUpdate]:
        """Each change of a position."""
        return self.feeds.every(Topic("positions", symbol))

    async def start_streams(self, topics: Sequence[Topic]) -> None:
        """Subscribes for the callbacks below; returns when all is live."""
        for topic in topics:
            if topic.symbol:
                self._markets[topic.symbol]
        await self.feeds.start(topics)

    def size_book(self, symbol: str, size: Number) -> None:
        """Where a venue quotes a price for a size, its book is from now on that for so many coins.

        Elsewhere a book is what it is. Raises: UnknownSymbol.
        """
        market = self._markets[symbol]
        self._book_sizes[symbol] = snap_size(to_decimal(size), market["step"])

    def on_orderbook(self, symbol: str, callback: Callable[[Book], None]) -> Stop:
        """Callback twin of `watch_orderbook`: called before the next frame is read."""
        return self.feeds.on("book", symbol, callback)

    def on_gap(self, symbol: str, callback: Callable[[Book], None]) -> Stop:
        """Called when a book cannot be known any more; it is asked for anew by itself."""
        return self.feeds.on("gap", symbol, callback)

    def on_bbo(self, symbol: str, callback: Callable[[BBO], None]) -> Stop:
        """Callback twin of `watch_bbo`."""
        return self.feeds.on("bbo", symbol, callback)

    def on_orders(self, callback: Callable[[Order], None], symbol: str = "") -> Stop:
        """Callback twin of `watch_orders`."""
        return self.feeds.on("orders", symbol, callback)

    def on_fills(self, callback: Callable[[Fill], None], symbol: str = "") -> Stop:
        """Callback twin of `watch_fills`."""
        return self.feeds.on("fills", symbol, callback)

    def on_positions(self, callback: Callable[[PositionUpdate], None], symbol: str = "") -> Stop:
        """Callback twin of `watch_positions`."""
        return self.feeds.on("positions", symbol, callback)

    def on_stream(self, callback: Callable[[Any], None]) -> Stop:
        """StreamDown when a connection is lost, StreamUp when its state is known again."""
        return self.feeds.on("stream", "", callback)

    def book(self, symbol: str) -> Book:
        """The live book of a started topic. Raises: NotSynced."""
        try:
            return self.feeds.books[symbol]
        except KeyError:
            raise NotSynced(f"no book of {symbol} is subscribed", venue=self.name) from None

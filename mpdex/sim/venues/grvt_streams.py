"""The simulated GRVT's streams: who listens to what, frame counters, conflation.

A stream is a name and the full text of a selector. Its counter belongs to the gateway: it goes on
across connections and starts again when the gateway restarts. Snapshot frames have number 0.
Market streams publish on the grid of their rate, and only while somebody listens.

Source: api-docs.grvt.io, market_data_streams and trading_streams, and live frames; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from mpdex.sim.board import BookFeed
from mpdex.sim.exchange import SimExchange
from mpdex.sim.models import Timers
from mpdex.sim.records import SimPosition
from mpdex.sim.venue import SimConnection
from mpdex.sim.venues import grvt_render as render
from mpdex.sim.venues.grvt_market import DEPTHS, MOST, MarketData
from mpdex.sim.venues.grvt_wire import Refusal
from mpdex.types import Json

RAW_MS = 10  # how often a stream of rate 0 looks; the simulated book itself moves less often
RATES: Mapping[str, tuple[int, ...]] = {
    "v1.mini.s": (200, 500, 1000, 5000),
    "v1.mini.d": (0, 50, 100, 200, 500, 1000, 5000),
    "v1.ticker.s": (500, 1000, 5000),
    "v1.ticker.d": (100, 200, 500, 1000, 5000),
    "v1.book.s": (500, 1000),
    "v1.book.d": (50, 100, 500, 1000),
}
ACCOUNT_STREAMS = ("v1.order", "v1.state", "v1.fill", "v1.position", "v1.cancel")
KINDS = {
    "v1.order": "order",
    "v1.state": "order",
    "v1.cancel": "order",
    "v1.fill": "fill",
    "v1.position": "position",
    "v1.trade": "trade",
    "v1.book.s": "book",
    "v1.book.d": "book",
    "v1.mini.s": "bbo",
    "v1.mini.d": "bbo",
    "v1.ticker.s": "mark",
    "v1.ticker.d": "mark",
}
Publisher = Callable[[], Json]


class Selector(NamedTuple):
    """A selector taken apart. `extra` is the depth of a book or the number of trades."""

    primary: str
    rate: int = 0
    extra: int = 0


class Stream:
    """One stream and selector: its listeners and its counter."""

    def __init__(self, name: str, selector: str, parsed: Selector) -> None:
        self.name = name
        self.selector = selector
        self.parsed = parsed
        self.sequence = 0
        self.listeners: dict[int, SimConnection] = {}
        self.feed: BookFeed | None = None
        self.seen: dict[str, Json] = {}

    def frame(self, body: Json, sequence: int) -> bytes:
        return msgspec.json.encode(
            {
                "stream": self.name,
                "selector": self.selector,
                "sequence_number": str(sequence),
                "feed": body,
                "prev_sequence_number": str(max(sequence - 1, 0)),
            }
        )

    def push(self, body: Json) -> None:
        """Count a frame and send it to whoever listens."""
        self.sequence += 1
        if not self.listeners:
            return
        frame = self.frame(body, self.sequence)
        for conn in tuple(self.listeners.values()):
            conn.send(frame, KINDS[self.name])


class Streams:
    """All streams of one gateway."""

    def __init__(self, exchange: SimExchange, market: MarketData, timers: Timers) -> None:
        self._exchange = exchange
        self._market = market
        self._timers = timers
        self._streams: dict[tuple[str, str], Stream] = {}
        self._holding = False
        self._held: list[tuple[Stream, Json]] = []

    # ---------------------------------------------------------------- listening

    def subscribe(self, conn: SimConnection, name: str, selector: str) -> tuple[int, list[bytes]]:
        """Add a listener. The same primary part on the same socket replaces the earlier one.

        Returns: the next sequence number, and the snapshot frames to send first.
        Raises: Refusal.
        """
        stream = self._stream(name, selector, self._parse(conn, name, selector))
        self._drop(conn, f"{name}|{stream.parsed.primary}")
        first = not stream.listeners
        if name in RATES:
            self._start(stream) if first else self._publish(stream)
        bodies = self._snapshots(stream)
        stream.listeners[conn.id] = conn
        conn.topics[f"{name}|{stream.parsed.primary}"] = stream
        return stream.sequence + 1, [stream.frame(body, 0) for body in bodies]

    def unsubscribe(self, conn: SimConnection, name: str, selector: str) -> bool:
        """Take a listener away; False if it was not one."""
        key = f"{name}|{selector.partition('@')[0]}"
        stream: Stream | None = conn.topics.get(key)
        if stream is None or stream.selector != selector:
            return False
        self._drop(conn, key)
        return True

    def forget(self, conn: SimConnection) -> None:
        """The connection is gone."""
        for key in list(conn.topics):
            self._drop(conn, key)

    def restart(self) -> None:
        """The gateway restarts: every counter begins again."""
        for stream in self._streams.values():
            stream.sequence = 0

    def _drop(self, conn: SimConnection, key: str) -> None:
        stream: Stream | None = conn.topics.pop(key, None)
        if stream is None:
            return
        stream.listeners.pop(conn.id, None)
        if not stream.listeners and stream.feed:
            stream.feed.close()
            stream.feed = None

    def _stream(self, name: str, selector: str, parsed: Selector) -> Stream:
        key = (name, selector)
        if key not in self._streams:
            self._streams[key] = Stream(name, selector, parsed)
        return self._streams[key]

    # ---------------------------------------------------------------- selectors

    def _parse(self, conn: SimConnection, name: str, selector: str) -> Selector:
        if name in ACCOUNT_STREAMS and conn.private:
            return self._parse_account(conn, name, selector)
        if conn.private or (name not in RATES and name != "v1.trade"):
            raise Refusal(3030)
        primary, at, secondary = selector.partition("@")
        if not at:
            raise Refusal(1101)
        self._market.market(primary)
        numbers = secondary.split("-")
        if len(numbers) != (2 if name == "v1.book.s" else 1) or not all(map(str.isdigit, numbers)):
            raise Refusal(1103)
        return _checked(name, primary, *map(int, numbers))

    def _parse_account(self, conn: SimConnection, name: str, selector: str) -> Selector:
        if not conn.account:
            raise Refusal(1000)
        account, dash, symbol = selector.partition("-")
        if account != conn.account:
            raise Refusal(1001)
        if dash:
            self._market.market(symbol)
            if name == "v1.cancel":
                raise Refusal(1102)
        return Selector(selector)

    # ---------------------------------------------------------------- publishing

    def push_account(self, name: str, account: str, symbol: str, body: Publisher) -> None:
        """A frame of an account stream, for both forms of selector; rendered if anybody listens."""
        found = [self._streams.get((name, s)) for s in (account, f"{account}-{symbol}")]
        streams = [stream for stream in found if stream]
        rendered = body() if any(stream.listeners for stream in streams) else None
        if self._holding:
            self._held += [(stream, rendered) for stream in streams]
            return
        self._release()
        for stream in streams:
            stream.push(rendered)

    @contextmanager
    def after_the_answer(self) -> Iterator[None]:
        """Account frames made inside wait until the answer that is being made has gone out."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
            self._timers.after(0.0, self._release)

    def _release(self) -> None:
        held, self._held = self._held, []
        for stream, body in held:
            stream.push(body)

    def push_trade(self, symbol: str) -> None:
        """The newest public trade."""
        for (name, _), stream in self._streams.items():
            if name == "v1.trade" and stream.parsed.primary == symbol and stream.listeners:
                stream.push(self._market.trades(symbol, 1)[0])

    def _start(self, stream: Stream) -> None:
        stream.feed = self._exchange.book_feed(stream.parsed.primary)
        stream.seen = self._fields(stream)
        feed = stream.feed
        if stream.name.startswith("v1.book"):
            feed.on_change = lambda: self._tick_later(stream, feed)
        else:
            self._tick_later(stream, feed)

    def _tick_later(self, stream: Stream, feed: BookFeed) -> None:
        """At the next point of the rate's grid, as live frames are (their times are round)."""
        rate_ns = (stream.parsed.rate or RAW_MS) * 1_000_000
        wait = rate_ns - self._exchange.clock.now_ns() % rate_ns
        self._timers.after(wait / 1e9, lambda: self._tick(stream, feed))

    def _tick(self, stream: Stream, feed: BookFeed) -> None:
        if stream.feed is feed:  # else: nobody has listened since, or a new run began
            self._publish(stream)
            if feed.on_change is None:
                self._tick_later(stream, feed)

    def _publish(self, stream: Stream) -> None:
        """Everything that has changed since the last frame, if anything has."""
        change = stream.feed.take() if stream.feed else None
        symbol = stream.parsed.primary
        if stream.name == "v1.book.d":
            if change:
                body = render.render_book(symbol, change.bids, change.asks, change.time_ns)
                stream.push(body)
            return
        if stream.name == "v1.book.s":
            if change:
                stream.push(self._market.book(symbol, stream.parsed.extra))
            return
        fields = self._fields(stream)
        changed = {key: text for key, text in fields.items() if stream.seen.get(key) != text}
        stream.seen = fields
        if changed:
            told = fields if stream.name.endswith(".s") else changed
            stream.push(self._market.stamped(symbol, dict(told)))

    def _fields(self, stream: Stream) -> dict[str, Json]:
        symbol = stream.parsed.primary
        if stream.name.startswith("v1.ticker"):
            return self._market.ticker(symbol)
        return {**self._market.mini(symbol)} if stream.name.startswith("v1.mini") else {}

    def _snapshots(self, stream: Stream) -> list[Json]:
        symbol = stream.parsed.primary
        match stream.name:
            case "v1.book.s" | "v1.book.d":
                return [self._market.book(symbol, stream.parsed.extra or None)]
            case "v1.trade":
                return [*reversed(self._market.trades(symbol, stream.parsed.extra))]
            case "v1.position":
                return self._position_snapshots(symbol)
            case name if name in RATES:
                return [self._market.stamped(symbol, dict(stream.seen))]
            case _:
                return []

    def _position_snapshots(self, selector: str) -> list[Json]:
        account, _, symbol = selector.partition("-")
        return [
            self.position(position)
            for position in self._exchange.positions(account)
            if symbol in ("", position.symbol)
        ]

    def position(self, position: SimPosition) -> dict[str, Json]:
        """A position with the fees its market has cost so far."""
        holding = self._exchange.accounts[position.account].holdings[position.symbol]
        return render.render_position(position, holding.fees)


def _checked(name: str, primary: str, first: int, second: int = 0) -> Selector:
    if name == "v1.trade":
        if not 0 < first <= MOST:
            raise Refusal(1103)
        return Selector(primary, 0, first)
    if first not in RATES[name] or (name == "v1.book.s" and second not in DEPTHS):
        raise Refusal(1103)
    return Selector(primary, first, second)

"""The public channels of the simulated EdgeX: which there are, and what is told on each.

Contract ids say which generation a channel is of; those for all contracts, which have no id, are
v2's. A book is told as its best levels and changes of them: a level that others push out of the
window is not taken away, though the client still has it.

Source: edgex-1.gitbook.io, "WebSocket API"; live v2 frames of September 2026; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from mpdex.sim.book_room import BookRoom
from mpdex.sim.models import Timers
from mpdex.sim.records import BookChanged, Level, MarkChanged, PublicTrade, SimEvent, SimMarket
from mpdex.sim.venue import SimConnection
from mpdex.sim.venues.edgex_generations import GENERATIONS, V2, Generation
from mpdex.sim.venues.edgex_market import DEPTHS, MarketData, render_depth, render_trade, versions
from mpdex.sim.venues.edgex_truth import EdgexTruth
from mpdex.sim.venues.edgex_wire import Refusal, no_contract
from mpdex.types import Json

PACE = 0.1  # seconds between two changes of a book; UNVERIFIED
TICKER, BEST, DEPTH, TRADES, RATE, METADATA = (
    *("ticker", "bookTicker", "depth", "trades", "fundingRate"),
    "metadata",
)
OF_ALL = ("ticker.all", "ticker.all.1s", "bookTicker.all", "bookTicker.all.1s", "fundingRate.all")
KINDS: Mapping[str, str] = {DEPTH: "book", BEST: "bbo", TRADES: "trade", TICKER: "mark"}


class Channel(NamedTuple):
    """What is listened to.

    Attributes:
        text: as the client calls it.
        symbol: "" for all of them.
        level: of a book, else 0.
    """

    text: str
    topic: str
    generation: Generation
    symbol: str = ""
    level: int = 0


def read_channel(text: str, exchange: EdgexTruth) -> Channel:
    """Raises: Refusal."""
    topic, *rest = text.split(".")
    if text == METADATA or text in OF_ALL:
        return Channel(text, topic, V2)
    known = topic in (TICKER, BEST, TRADES, RATE) and len(rest) == 1
    if known or (topic == DEPTH and len(rest) == 2 and rest[1] in map(str, DEPTHS)):
        for generation in GENERATIONS:
            market = exchange.market_of(generation, rest[0])
            if market is not None:
                level = int(rest[1]) if rest[1:] else 0
                return Channel(text, topic, generation, market.symbol, level)
        raise no_contract(rest[0])
    raise Refusal("INVALID_CHANNEL", f"invalid channel:{text}")


class Window:
    """What the listeners of one book have been told: best levels, and up to which version."""

    def __init__(self, exchange: EdgexTruth, channel: Channel) -> None:
        self._exchange = exchange
        self._channel = channel
        bids, asks, self._seq = self._top()
        self._told = (dict(bids), dict(asks))

    def _top(self) -> tuple[list[Level], list[Level], int]:
        return self._exchange.book(self._channel.symbol, self._channel.level)

    def snapshot(self) -> dict[str, Json]:
        bids, asks, seq = self._top()
        return self._render(seq - 1, seq, (bids, asks), "SNAPSHOT")

    def change(self, change: BookChanged) -> dict[str, Json] | None:
        """What to tell of a change; None: nothing in the window is another."""
        bids, asks, _ = self._top()
        moved = (
            _moved(self._told[0], bids, change.bids),
            _moved(self._told[1], asks, change.asks),
        )
        self._told = (dict(bids), dict(asks))
        if not any(moved):
            return None
        before, self._seq = self._seq, change.seq
        return self._render(before, change.seq, moved, "CHANGED")

    def _render(
        self, before: int, seq: int, sides: tuple[list[Level], list[Level]], kind: str
    ) -> dict[str, Json]:
        _, _, generation, symbol, level = self._channel
        market, numbers = self._exchange.markets[symbol], versions(generation, before, seq)
        return render_depth(generation, market, level, numbers, sides, kind)


def _moved(
    told: Mapping[Decimal, Decimal], top: Iterable[Level], changed: Iterable[Level]
) -> list[Level]:
    """Levels of the window with another size, and those that are gone from the book."""
    now = dict(top)
    gone = [(price, size) for price, size in changed if not size and price in told]
    return [*gone, *((p, size) for p, size in now.items() if told.get(p) != size)]


class PublicStreams:
    """Who listens to what, and what they are told."""

    def __init__(self, exchange: EdgexTruth, timers: Timers, market: MarketData) -> None:
        self._exchange = exchange
        self._market = market
        self._listeners: dict[Channel, dict[int, SimConnection]] = defaultdict(dict)
        self._windows: dict[Channel, Window] = {}
        self._best: dict[str, Json] = {}
        self._rated: dict[str, int] = {}
        self._rooms = {
            symbol: BookRoom(exchange, timers, (symbol, PACE), lambda change, _: self._tell(change))
            for symbol in exchange.markets
        }

    # ---------------------------------------------------------------- listening

    def listen(self, conn: SimConnection, text: str) -> None:
        """Add a listener, and tell it what comes first. Raises: Refusal."""
        channel = read_channel(text, self._exchange)
        self.drop(conn, text)
        conn.send({"type": "subscribed", "channel": text, "request": "{}"}, "ack")
        for symbol in self._watched(channel):
            self._rooms[symbol].enter()
            self._rooms[symbol].flush()
        conn.topics[text] = channel
        self._listeners[channel][conn.id] = conn
        self._send(conn, channel, "Snapshot", self._first(channel))

    def drop(self, conn: SimConnection, text: str) -> None:
        """Take a listener away, if there is one."""
        channel = conn.topics.pop(text, None)
        if channel is None:
            return
        del self._listeners[channel][conn.id]
        if not self._listeners[channel]:
            self._windows.pop(channel, None)
        for symbol in self._watched(channel):
            self._rooms[symbol].leave()

    def forget(self, conn: SimConnection) -> None:
        for text in list(conn.topics):
            self.drop(conn, text)

    def _watched(self, channel: Channel) -> list[str]:
        """Books that must be watched for a channel."""
        watches = channel.topic in (DEPTH, BEST)
        return [market.symbol for market in self._of(channel)] if watches else []

    def _of(self, channel: Channel) -> list[SimMarket]:
        markets = self._exchange.markets
        return [markets[channel.symbol]] if channel.symbol else [*markets.values()]

    def _first(self, channel: Channel) -> list[Json]:
        generation, markets, draw = channel.generation, self._of(channel), self._market
        match channel.topic:
            case "metadata":
                return [draw.render_metadata(generation)]
            case "ticker":
                return [draw.render_ticker(generation, market) for market in markets]
            case "bookTicker":
                return [draw.render_best(generation, market) for market in markets]
            case "fundingRate":
                return [draw.render_rate(generation, market) for market in markets]
            case "depth":
                window = self._windows.setdefault(channel, Window(self._exchange, channel))
                return [window.snapshot()]
        return [
            render_trade(generation, market, trade)
            for market in markets
            for trade in draw.recent.trades[market.symbol]
        ]

    # ---------------------------------------------------------------- telling

    def render(self, event: SimEvent) -> None:
        match event:
            case PublicTrade(symbol):
                for channel in self._about(TRADES, symbol):
                    self._publish(
                        channel, render_trade(channel.generation, self._on(symbol), event)
                    )
            case MarkChanged(symbol):
                for channel in self._about(TICKER, symbol):
                    self._publish(
                        channel, self._market.render_ticker(channel.generation, self._on(symbol))
                    )
                self._tell_rate(symbol)

    def _tell_rate(self, symbol: str) -> None:
        """Once a minute."""
        minute = self._exchange.clock.now_ms() // 60_000
        if self._rated.get(symbol) == minute:
            return
        self._rated[symbol] = minute
        for channel in self._about(RATE, symbol):
            self._publish(channel, self._market.render_rate(channel.generation, self._on(symbol)))

    def _tell(self, change: BookChanged) -> None:
        """A book has changed."""
        for channel in self._about(DEPTH, change.symbol):
            record = self._windows[channel].change(change)
            if record is not None:
                self._publish(channel, record)
        for channel in self._about(BEST, change.symbol):
            best = self._market.render_best(channel.generation, self._on(change.symbol))
            if self._best.get(f"{channel.text} {change.symbol}") != best:
                self._best[f"{channel.text} {change.symbol}"] = best
                self._publish(channel, best)

    def _about(self, topic: str, symbol: str) -> list[Channel]:
        """Channels of a market that anybody listens to."""
        return [
            channel
            for channel, conns in self._listeners.items()
            if conns and channel.topic == topic and channel.symbol in ("", symbol)
        ]

    def _on(self, symbol: str) -> SimMarket:
        return self._exchange.markets[symbol]

    def _publish(self, channel: Channel, record: Json) -> None:
        for conn in list(self._listeners[channel].values()):
            self._send(conn, channel, "changed", [record])

    @staticmethod
    def _send(conn: SimConnection, channel: Channel, kind: str, data: list[Json]) -> None:
        content = {"channel": channel.text, "dataType": kind, "data": data}
        frame = {"type": "quote-event", "channel": channel.text, "content": content}
        conn.send(frame, "snapshot" if kind == "Snapshot" else KINDS.get(channel.topic, "mark"))

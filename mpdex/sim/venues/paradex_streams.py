"""The simulated Paradex's channels: who listens to what, and what they are told.

Frames are made in JSON; a connection that asked for SBE has them packed on their way out. Market
data begins with what is there at the moment of the subscription (UNVERIFIED but for books). Private
channels begin with nothing: the state is read by REST.

Source: docs.paradex.trade, "WebSocket channels"; live frames of 2024; read 2026-11-21.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import msgspec

from mpdex.sim.book_room import BookRoom
from mpdex.sim.models import Timers
from mpdex.sim.numerals import number
from mpdex.sim.records import (
    BookChanged,
    Level,
    MarkChanged,
    OrderChanged,
    PositionChanged,
    PublicTrade,
    SimEvent,
    SimPosition,
    Traded,
)
from mpdex.sim.venue import SimConnection
from mpdex.sim.venues import paradex_render as render
from mpdex.sim.venues.paradex_account import AccountData
from mpdex.sim.venues.paradex_market import MarketData
from mpdex.sim.venues.paradex_truth import ParadexTruth
from mpdex.types import Json

INTERESTS = (OrderChanged, Traded, PositionChanged, MarkChanged, PublicTrade)
DEPTH = 15
BEST_PACE = 0.01  # seconds between looks at the best levels; the simulated ones move less often
OF_MARKET = ("bbo", "trades", "markets_summary", "funding_data")
PRIVATE_OF_MARKET = ("orders", "fills", "funding_payments")
# Offered, and silent here: nothing happens that they would tell.
SILENT = ("balance_events", "tradebusts", "transaction", "transfers", "mmp", "block_trades")
PRIVATE = (*PRIVATE_OF_MARKET, "positions", "account", *SILENT)
KINDS = {
    "bbo": "bbo",
    "order_book": "book",
    "trades": "trade",
    "markets_summary": "mark",
    "funding_data": "mark",
    "orders": "order",
    "fills": "fill",
    "positions": "position",
    "account": "balance",
}
_BOOK = re.compile(r"order_book\.([\w-]+)\.(snapshot|deltas|interactive)@15@(50|100)ms")
_COMPARISON = re.compile(r"funding_rate_comparison\.ALL@(500|1000)ms")


class Channel(NamedTuple):
    """A channel taken apart.

    Attributes:
        symbol: "" for all markets, and where there is none.
        feed: "snapshot", "deltas" or "interactive" of a book.
        pace: seconds between frames of a book.
    """

    name: str
    topic: str
    symbol: str = ""
    feed: str = ""
    pace: float = 0.0

    @property
    def private(self) -> bool:
        return self.topic in PRIVATE


class Sides(NamedTuple):
    """The best levels of a book."""

    bids: list[Level]
    asks: list[Level]


class Streams:
    """All channels of one venue."""

    def __init__(
        self, exchange: ParadexTruth, timers: Timers, market: MarketData, accounts: AccountData
    ) -> None:
        self._exchange = exchange
        self._timers = timers
        self._market = market
        self._accounts = accounts
        self._listeners: dict[Channel, dict[int, SimConnection]] = defaultdict(dict)
        self._rooms: dict[tuple[str, float], BookRoom] = {}
        self._best: dict[str, tuple[Level | None, Level | None]] = {}
        self._books: dict[Channel, Sides] = {}

    # ---------------------------------------------------------------- listening

    def parse(self, name: str) -> Channel | None:
        """A channel by its name; None where there is no such channel."""
        book = _BOOK.fullmatch(name)
        if book:
            symbol, feed, pace = book.groups()
            known = symbol in self._exchange.markets
            return Channel(name, "order_book", symbol, feed, int(pace) / 1000) if known else None
        topic, _, symbol = name.partition(".")
        if topic in (*OF_MARKET, *PRIVATE_OF_MARKET):
            bare = topic in ("markets_summary", "funding_data") and not symbol
            if bare or symbol == "ALL":
                return Channel(name, topic)
            return Channel(name, topic, symbol) if symbol in self._exchange.markets else None
        if name in ("positions", "account", "markets", *SILENT) or _COMPARISON.fullmatch(name):
            return Channel(name, topic)
        return None

    def subscribe(self, conn: SimConnection, channel: Channel) -> None:
        """Add a listener; what there is of market data goes out now."""
        conn.topics[channel.name] = channel
        self._listeners[channel][conn.id] = conn
        for room in self._rooms_of(channel):
            room.enter()
        self._tell_snapshot(conn, channel)

    def unsubscribe(self, conn: SimConnection, name: str) -> bool:
        """Take a listener away; False if it was none."""
        channel: Channel | None = conn.topics.pop(name, None)
        if channel is None:
            return False
        self._listeners[channel].pop(conn.id, None)
        for room in self._rooms_of(channel):
            room.leave()
        if not self._listeners[channel]:
            self._books.pop(channel, None)
        return True

    def forget(self, conn: SimConnection) -> None:
        """The connection is gone."""
        for name in list(conn.topics):
            self.unsubscribe(conn, name)

    def _tell_snapshot(self, conn: SimConnection, channel: Channel) -> None:
        chosen = [channel.symbol] if channel.symbol else list(self._exchange.markets)
        match channel.topic:
            case "order_book":
                self._tell_book(conn, channel)
            case "bbo" | "markets_summary" | "funding_data":
                made = self._renderer(channel.topic)
                for symbol in chosen:
                    conn.send(_frame(channel, made(symbol)), "snapshot")

    def _renderer(self, topic: str) -> Callable[[str], dict[str, Json]]:
        return {
            "bbo": self._market.render_bbo,
            "markets_summary": self._market.render_summary,
            "funding_data": self._market.render_funding,
        }[topic]

    # ---------------------------------------------------------------- events

    def render(self, event: SimEvent) -> None:
        """Push an event to whoever asked for it."""
        match event:
            case OrderChanged(order):
                told = partial(self._accounts.render_order, order)
                self._push("orders", order.symbol, told, order.account)
            case Traded(fill):
                told = partial(self._accounts.render_fill, fill)
                self._push("fills", fill.order.symbol, told, fill.order.account)
            case PositionChanged(position):
                self._push_position(position)
            case PublicTrade(symbol):
                seq = self._exchange.next_sequence()
                self._push("trades", symbol, lambda: {**render.render_trade(event), "seq_no": seq})
            case MarkChanged(symbol):
                for topic in ("markets_summary", "funding_data"):
                    self._push(topic, symbol, partial(self._renderer(topic), symbol))
            case BookChanged():
                raise AssertionError("book changes come from the rooms")

    def _push_position(self, position: SimPosition) -> None:
        account, accounts = position.account, self._accounts
        self._push("positions", "", partial(accounts.render_position, position), account)
        self._push("account", "", partial(accounts.render_summary, account), account)
        payment = accounts.take_payment(position)
        if payment:
            self._push("funding_payments", position.symbol, lambda: payment, account)

    def _push(
        self, topic: str, symbol: str, data: Callable[[], Json], account: str | None = None
    ) -> None:
        """To the listeners of the market's channel, and of the one of all; rendered for those.

        Args:
            account: whose it is; None: everybody's.
        """
        for channel, listeners in list(self._listeners.items()):
            if channel.topic != topic or channel.symbol not in ("", symbol) or not listeners:
                continue
            frame = _frame(channel, data())
            for conn in tuple(listeners.values()):
                if account in (None, conn.account):
                    conn.send(frame, KINDS.get(topic, ""))

    # ---------------------------------------------------------------- books

    def _rooms_of(self, channel: Channel) -> list[BookRoom]:
        """Who looks at the books that a channel tells of."""
        if channel.topic not in ("order_book", "bbo"):
            return []
        chosen = [channel.symbol] if channel.symbol else list(self._exchange.markets)
        return [self._room(symbol, channel.pace) for symbol in chosen]

    def _room(self, symbol: str, pace: float) -> BookRoom:
        key = (symbol, pace or BEST_PACE)
        if key not in self._rooms:
            publish = self._publish_book if pace else self._publish_best
            self._rooms[key] = BookRoom(self._exchange, self._timers, key, publish)
        return self._rooms[key]

    def _publish_best(self, change: BookChanged, _: float) -> None:
        symbol, best = change.symbol, self._market.top(change.symbol)
        if self._best.get(symbol) != best:
            self._best[symbol] = best
            self._push("bbo", symbol, lambda: self._market.render_bbo(symbol))

    def _publish_book(self, change: BookChanged, pace: float) -> None:
        for channel, listeners in list(self._listeners.items()):
            if (channel.topic, channel.symbol, channel.pace) != ("order_book", change.symbol, pace):
                continue
            before, now = self._books.get(channel), self._sides(channel)
            if not listeners or before == now:
                continue
            self._books[channel] = now
            told = before if channel.feed == "deltas" else None
            for conn in tuple(listeners.values()):
                conn.send(self._book_frame(conn, channel, told, now), "book")

    def _tell_book(self, conn: SimConnection, channel: Channel) -> None:
        """The first frame of a book. Whoever listens already goes on from the same levels."""
        for room in self._rooms_of(channel):
            room.flush()
        now = self._books.setdefault(channel, self._sides(channel))
        conn.send(self._book_frame(conn, channel, None, now), "snapshot")

    def _sides(self, channel: Channel) -> Sides:
        bids, asks, _ = self._exchange.book(channel.symbol, DEPTH)
        return Sides(bids, asks)

    def _book_frame(
        self, conn: SimConnection, channel: Channel, before: Sides | None, now: Sides
    ) -> bytes:
        """What has changed since `before`; everything where that is None."""
        head = {
            "seq_no": self._exchange.boards[channel.symbol].seq,
            "market": channel.symbol,
            "last_updated_at": self._exchange.clock.now_ms(),
            "update_type": "s" if before is None else "d",
        }
        changes = _levels if conn.pack else _changes
        return _frame(channel, {**head, **changes(before or Sides([], []), now)})


def _best(now: Sides) -> dict[str, Json]:
    """The best levels, which are the same for everybody here."""
    return {
        f"best_{name}_{who}_{part}": number(levels[0][index])
        for name, levels in (("bid", now.bids), ("ask", now.asks))
        for who in ("api", "interactive")
        for index, part in enumerate(("price", "size"))
        if levels
    }


def _levels(before: Sides, now: Sides) -> dict[str, Json]:
    """Changed levels as SBE has them: absolute sizes, 0 where one is gone."""
    levels = {
        name: render.pairs(_changed(old, new))
        for name, old, new in (("bids", before.bids, now.bids), ("asks", before.asks, now.asks))
    }
    return {**levels, **_best(now)}


def _changes(before: Sides, now: Sides) -> dict[str, Json]:
    """Changed levels as JSON has them, by what happened to each."""
    told: dict[str, list[Json]] = {"inserts": [], "updates": [], "deletes": []}
    for side, old, new in (("BUY", before.bids, now.bids), ("SELL", before.asks, now.asks)):
        known = dict(old)
        for price, size in _changed(old, new):
            what = "deletes" if not size else "updates" if price in known else "inserts"
            told[what].append({"side": side, "price": number(price), "size": number(size)})
    return dict(told)


def _changed(old: list[Level], new: list[Level]) -> list[Level]:
    """Levels that are new or of another size, then those that are gone, with size 0."""
    known, kept = dict(old), {price for price, _ in new}
    fresh = [level for level in new if known.get(level[0]) != level[1]]
    return fresh + [(price, size * 0) for price, size in old if price not in kept]


def _frame(channel: Channel, data: Json) -> bytes:
    return msgspec.json.encode(
        {
            "jsonrpc": "2.0",
            "method": "subscription",
            "params": {"channel": channel.name, "data": data},
        }
    )

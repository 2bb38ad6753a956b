"""The simulated Extended's streams, of both generations: a socket for a topic, and one for many.

A first-generation socket has its topic in its address and counts its frames from 1; a second-
generation one subscribes by calls and counts the frames of all its topics together from 0. Calls
and their answers are not counted.

Source: api.docs.extended.exchange, "Public" and "Private WebSocket streams", live frames of both
generations, x10-python-trading-starknet 2.6.0; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from mpdex.sim.book_room import BookRoom
from mpdex.sim.models import Timers
from mpdex.sim.numerals import milliseconds, number
from mpdex.sim.records import (
    BookChanged,
    MarkChanged,
    OrderChanged,
    PositionChanged,
    PublicTrade,
    SimEvent,
    Traded,
)
from mpdex.sim.venue import SimConnection
from mpdex.sim.venues import extended_render as render
from mpdex.sim.venues.extended_account import AccountData
from mpdex.sim.venues.extended_books import BookTape
from mpdex.sim.venues.extended_market import MarketData
from mpdex.sim.venues.extended_truth import ExtendedTruth
from mpdex.types import Json

INTERESTS = (OrderChanged, Traded, PositionChanged, MarkChanged, PublicTrade)
BOOK, BEST, RFQ = "orderbooks", "orderbooks.1", "orderbooks.rfq"
TRADES, MARKS, INDEXES, RATES = "trades", "prices.mark", "prices.index", "funding-rates"
ACCOUNT = "account"
OF_MARKET = (BOOK, BEST, RFQ, TRADES, MARKS, INDEXES, RATES)
BEST_PACE = 0.02  # seconds between looks at the best level; the simulated ones move less often
RATES_EVERY = 60.0  # seconds; UNVERIFIED: when rates are told
REPLAYED = 50  # trades that the second generation tells first

# What a frame of a topic is called in the first generation, and in the second.
CALLED: Mapping[str, tuple[str, str]] = {
    BOOK: ("", "ORDERBOOKS"),
    BEST: ("", "ORDERBOOKS"),
    RFQ: ("", "ORDERBOOKS"),
    TRADES: ("", "TRADES"),
    MARKS: ("MP", "PRICES.MP"),
    INDEXES: ("IP", "PRICES.IP"),
    RATES: ("", "FUNDING_RATES"),
}
KINDS: Mapping[str, str] = {BOOK: "book", BEST: "bbo", RFQ: "book", TRADES: "trade", MARKS: "mark"}
PRIVATE_KINDS = {"ORDER": "order", "TRADE": "fill", "POSITION": "position", "BALANCE": "balance"}


class Topic(NamedTuple):
    """What is listened to; `key` is a market, "" for all of them, or an account."""

    scope: str
    key: str

    @property
    def address(self) -> str:
        """How the second generation calls it."""
        key = self.key or "all"
        return f"{BOOK}.{key}.rfq" if self.scope == RFQ else f"{self.scope}.{key}"


class Streams:
    """All streams of one venue."""

    def __init__(
        self, exchange: ExtendedTruth, timers: Timers, market: MarketData, accounts: AccountData
    ) -> None:
        self._exchange = exchange
        self._timers = timers
        self._market = market
        self._accounts = accounts
        self._listeners: dict[Topic, dict[int, tuple[SimConnection, Topic]]] = defaultdict(dict)
        self._tapes: dict[str, BookTape] = {}
        self._rooms: dict[str, BookRoom] = {}
        self._best: dict[str, Json] = {}
        self._moved: dict[str, set[str]] = defaultdict(set)
        self._rating = False

    # ---------------------------------------------------------------- listening

    def listen(self, conn: SimConnection, topic: Topic) -> None:
        """Add a listener, and tell it what comes first; a second time it is told that again."""
        self.drop(conn, topic)
        conn.topics[topic.address] = topic
        for single in self._singles(topic):
            self._listeners[single][conn.id] = (conn, topic)
            for data in self._first(single, rpc=conn.state["rpc"]):
                self._send(conn, topic, data, "snapshot")
        if topic.scope == ACCOUNT:
            for kind, data in self._accounts.state(topic.key):
                self._send_private(conn, topic, kind, data, first=True)
        elif topic.scope == RATES and not self._rating:
            self._rating = True
            self._timers.after(RATES_EVERY, self._tell_rates)

    def drop(self, conn: SimConnection, topic: Topic) -> bool:
        """Take a listener away; False if there was none."""
        if conn.topics.pop(topic.address, None) is None:
            return False
        for single in self._singles(topic):
            self._listeners[single].pop(conn.id, None)
            if single.scope == BOOK:
                self._tape(single.key).leave()
            elif single.scope == BEST:
                self._room(single.key).leave()
        return True

    def forget(self, conn: SimConnection) -> None:
        """The connection is gone."""
        for topic in list(conn.topics.values()):
            self.drop(conn, topic)

    def _singles(self, topic: Topic) -> list[Topic]:
        """One for each market."""
        if topic.key:
            return [topic]
        return [Topic(topic.scope, symbol) for symbol in self._exchange.markets]

    def _first(self, topic: Topic, *, rpc: bool) -> Iterable[Json]:
        """What somebody who comes now is told before anything changes."""
        match topic.scope:
            case "orderbooks":
                return self._tape(topic.key).enter()
            case "orderbooks.1":
                self._room(topic.key).enter()
                return [self._best_of(topic.key)]
            case "orderbooks.rfq":  # no market here has executable quotes
                return [render.render_book("SNAPSHOT", topic.key, [], [])]
            case "trades" if rpc:
                newest = list(self._market.recent.trades[topic.key])[-REPLAYED:]
                return [[render.render_trade(trade) for trade in newest]] if newest else []
        return []

    # ---------------------------------------------------------------- books

    def _tape(self, symbol: str) -> BookTape:
        if symbol not in self._tapes:
            publish = self._book_teller(BOOK)
            self._tapes[symbol] = BookTape(self._exchange, self._timers, symbol, publish)
        return self._tapes[symbol]

    def _book_teller(self, scope: str) -> Callable[[str, dict[str, Json]], None]:
        return lambda symbol, data: self._push(Topic(scope, symbol), data)

    def _room(self, symbol: str) -> BookRoom:
        if symbol not in self._rooms:
            pace = (symbol, BEST_PACE)
            self._rooms[symbol] = BookRoom(self._exchange, self._timers, pace, self._look_at_best)
        return self._rooms[symbol]

    def _look_at_best(self, change: BookChanged, _: float) -> None:
        """A frame when one of the four numbers has changed."""
        best = self._best_of(change.symbol)
        if best != self._best.get(change.symbol):
            self._best[change.symbol] = best
            self._push(Topic(BEST, change.symbol), best)

    def _best_of(self, symbol: str) -> dict[str, Json]:
        bids, asks, _ = self._exchange.book(symbol, 1)
        sides = render.render_levels(bids), render.render_levels(asks)
        return render.render_book("SNAPSHOT", symbol, *sides, "1")

    # ---------------------------------------------------------------- events

    def render(self, event: SimEvent) -> None:
        """Push an event to whoever asked for it."""
        match event:
            case OrderChanged(order):
                told = render.render_order(order, self._exchange.halted)
                self._tell_account(order.account, "ORDER", {"orders": [told]})
                self._move(order.account, "")
            case Traded(fill):
                told = render.render_fill(fill, "externalOrderId")
                self._tell_account(fill.order.account, "TRADE", {"trades": [told]})
            case PositionChanged(position):
                self._move(position.account, position.symbol)
            case PublicTrade(symbol):
                self._push(Topic(TRADES, symbol), [render.render_trade(event)])
            case MarkChanged(symbol):
                self._tell_prices(event)
            case BookChanged():
                raise AssertionError("book changes come from the rooms")

    def _tell_prices(self, event: MarkChanged) -> None:
        """The time in the data of a mark price is 0, as it is live."""
        at = milliseconds(event.time_ns) // 1000 * 1000
        mark = {"m": event.symbol, "p": number(event.mark), "ts": 0}
        index = {"m": event.symbol, "p": number(event.index_price), "ts": at}
        self._push(Topic(MARKS, event.symbol), mark)
        self._push(Topic(INDEXES, event.symbol), index)

    def _tell_rates(self) -> None:
        now = self._exchange.clock.now_ms()
        for symbol in self._exchange.markets:
            rate = self._exchange.funding_rate(symbol)
            self._push(Topic(RATES, symbol), render.render_rate(symbol, rate, now))
        self._timers.after(RATES_EVERY, self._tell_rates)

    # ---------------------------------------------------------------- accounts

    def _move(self, account: str, symbol: str) -> None:
        """Positions and balance are told once, after what moved them; "": the balance alone."""
        if not self._moved:
            self._timers.after(0.0, self._tell_moved)
        self._moved[account] |= {symbol} - {""}

    def _tell_moved(self) -> None:
        """Where a position has changed, one message holds it and the balance."""
        moved = dict(self._moved)
        self._moved.clear()
        for account, symbols in moved.items():
            positions = self._accounts.moved(account, symbols)
            data: dict[str, Json] = {"positions": positions} if positions else {}
            balance = self._accounts.balance(account)
            if balance:
                data["balance"] = balance
            if data:
                self._tell_account(account, "POSITION" if positions else "BALANCE", data)

    def _tell_account(self, account: str, kind: str, data: dict[str, Json]) -> None:
        for conn, topic in tuple(self._listeners[Topic(ACCOUNT, account)].values()):
            self._send_private(conn, topic, kind, data)

    def _send_private(
        self,
        conn: SimConnection,
        topic: Topic,
        kind: str,
        data: dict[str, Json],
        *,
        first: bool = False,
    ) -> None:
        """The second generation has a message for each section, and says what is a snapshot."""
        told = "snapshot" if first else PRIVATE_KINDS[kind]
        if not conn.state["rpc"]:
            self._frame(conn, {"type": kind, "data": data}, topic, told)
            return
        for name, section in data.items():
            called = f"ACCOUNT.{SECTIONS[name]}"
            body = {"type": called, "data": {"isSnapshot": first, name: section}}
            self._frame(conn, body, topic, told)

    # ---------------------------------------------------------------- sending

    def _push(self, topic: Topic, data: Json) -> None:
        for conn, asked in tuple(self._listeners[topic].values()):
            self._send(conn, asked, data, KINDS.get(topic.scope, ""))

    def _send(self, conn: SimConnection, topic: Topic, data: Json, kind: str) -> None:
        first, second = CALLED[topic.scope]
        of_book = data["t"] if topic.scope in (BOOK, BEST, RFQ) else ""
        if conn.state["rpc"]:
            called = f"{second}.{of_book}" if of_book else second
        else:
            called = of_book or first
        self._frame(conn, {"type": called, "data": data} if called else {"data": data}, topic, kind)

    def _frame(self, conn: SimConnection, body: dict[str, Json], topic: Topic, kind: str) -> None:
        """Numbered, whether or not it arrives."""
        body = {**body, "ts": self._exchange.clock.now_ms(), "seq": conn.state["seq"]}
        conn.state["seq"] += 1
        if conn.state["rpc"]:
            body["subscription"] = topic.address
        conn.send(body, kind)


SECTIONS: Mapping[str, str] = {
    "orders": "ORDER",
    "trades": "TRADE",
    "positions": "POSITION",
    "balance": "BALANCE",
}

"""The simulated Backpack's streams: one socket for public and private ones, names without acks.

Every frame is `{"stream": name, "data": {...}}`. A book event continues where the last one ended
(`U` = last `u` + 1); the counter is the one that REST shows as `lastUpdateId`. Frames about an
order race the answer that placed it: a coin decides whether they are held until after it.

Source: docs.backpack.exchange, "Streams", and live frames; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeAlias

import msgspec

from mpdex.sim.book_room import BookRoom
from mpdex.sim.exchange import SimExchange
from mpdex.sim.models import Timers
from mpdex.sim.race import Race
from mpdex.sim.records import (
    BookChanged,
    MarkChanged,
    OrderChanged,
    PositionChanged,
    PublicTrade,
    SimEvent,
    SimFill,
    SimOrder,
    SimPosition,
    Traded,
)
from mpdex.sim.venue import SimConnection
from mpdex.sim.venues import backpack_render as render
from mpdex.sim.venues.backpack_account import AccountData
from mpdex.sim.venues.backpack_market import MarketData
from mpdex.types import Json

Topic: TypeAlias = tuple[str, str]  # account ("" for public streams), name of the stream
REAL_TIME = 0.02  # seconds between looks at a book; the simulated ones move less often
AFTER_ANSWER = 0.020  # seconds that let an answer overtake
PRIVATE = "account."
ORDERS, POSITIONS = "account.orderUpdate", "account.positionUpdate"
DEPTHS = {
    "depth": REAL_TIME,
    "depth.200ms": 0.2,
    "depth.600ms": 0.6,
    "depth.1000ms": 1.0,
}
INTERESTS = (OrderChanged, Traded, PositionChanged, MarkChanged, PublicTrade)
PLAIN = ("bookTicker", "markPrice", "trade")


class Streams:
    """All streams of one venue.

    Args:
        market: knows what is around a mark price.
        accounts: knows what is around a position.
    """

    def __init__(
        self,
        exchange: SimExchange,
        timers: Timers,
        rng: random.Random,
        market: MarketData,
        accounts: AccountData,
    ) -> None:
        self._exchange = exchange
        self._market = market
        self._accounts = accounts
        self._timers = timers
        self._rng = rng
        self._listeners: dict[Topic, dict[int, SimConnection]] = defaultdict(dict)
        self._rooms: dict[tuple[str, float], BookRoom] = {}
        self._best: dict[str, tuple[Json, ...]] = {}
        self._race = Race(exchange.clock, timers)
        self._moved: dict[tuple[str, str], SimPosition] = {}
        self._told: dict[tuple[str, str], bool] = {}

    # ---------------------------------------------------------------- listening

    def knows(self, name: str) -> bool:
        """Whether there is such a stream."""
        if name in (ORDERS, POSITIONS):
            return True
        kind, _, symbol = name.rpartition(".")
        known = kind in DEPTHS or kind in PLAIN or kind in (ORDERS, POSITIONS)
        return known and symbol in self._exchange.markets

    def subscribe(self, conn: SimConnection, name: str) -> None:
        """Add a listener; open positions are told at once, without an event word."""
        topic = _topic(conn, name)
        if name in conn.topics:
            return
        conn.topics[name] = topic
        self._listeners[topic][conn.id] = conn
        room = self._room_of(name)
        if room:
            room.enter()
        if name.startswith(POSITIONS):
            for position in self._exchange.positions(conn.account):
                if name in (POSITIONS, f"{POSITIONS}.{position.symbol}"):
                    data = self._position_frame(position, "")
                    conn.send(_frame(name, data), "snapshot")

    def unsubscribe(self, conn: SimConnection, name: str) -> None:
        topic = conn.topics.pop(name, None)
        if topic is None:
            return
        self._listeners[topic].pop(conn.id, None)
        room = self._room_of(name)
        if room:
            room.leave()

    def forget(self, conn: SimConnection) -> None:
        """The connection is gone."""
        for name in list(conn.topics):
            self.unsubscribe(conn, name)

    # ---------------------------------------------------------------- events

    def render(self, event: SimEvent) -> None:
        """Push an event to whoever asked for it."""
        match event:
            case OrderChanged():
                self._render_order(event)
            case Traded(fill):
                self._render_fill(fill)
            case PositionChanged(position):
                self._move(position)
            case PublicTrade(symbol):
                market = self._exchange.markets[symbol]
                self._push("trade", symbol, lambda: render.render_trade_frame(event, market))
            case MarkChanged(symbol):
                self._push("markPrice", symbol, lambda: self._market.render_mark_frame(event))
            case BookChanged():
                raise AssertionError("book changes come from the rooms")

    def _render_order(self, event: OrderChanged) -> None:
        order = event.order
        if event.cause == "accepted":
            order.raw["taken"] = True
            self._push_order("orderAccepted", order, event.time_ns)
        elif event.cause != "filled" and order.raw.get("taken"):
            canceled = render.status_word(order) == "Cancelled"
            word = "orderCancelled" if canceled else "orderExpired"
            self._push_order(word, order, event.time_ns)

    def _push_order(self, word: str, order: SimOrder, time_ns: int) -> None:
        market = self._exchange.markets[order.symbol]
        data = render.render_order_event(word, order, market, time_ns)
        self._push_account(ORDERS, order.account, order.symbol, data, "order")

    def _render_fill(self, fill: SimFill) -> None:
        order = fill.order
        data = render.render_fill_event(fill, self._exchange.markets[order.symbol])
        self._push_account(ORDERS, order.account, order.symbol, data, "fill")

    def _move(self, position: SimPosition) -> None:
        """Told once for all fills of an order, after them."""
        if not self._moved:
            self._timers.after(0.0, self._tell_moved)
        self._moved[position.account, position.symbol] = position

    def _tell_moved(self) -> None:
        moved, self._moved = self._moved, {}
        for (account, symbol), position in moved.items():
            held, now_held = self._told.get((account, symbol), False), bool(position.size)
            self._told[account, symbol] = now_held
            if held or now_held:
                word = "Adjusted" if held and now_held else "Opened" if now_held else "Closed"
                data = self._position_frame(position, f"position{word}")
                self._push_account(POSITIONS, account, symbol, data, "position")

    def _position_frame(self, position: SimPosition, word: str) -> dict[str, Json]:
        now = self._exchange.clock.now_ns()
        return render.render_position_frame(self._accounts.exposure(position), word, now)

    # ---------------------------------------------------------------- books

    def flush(self, symbol: str) -> None:
        """Bring the real-time book of a market up to date."""
        room = self._rooms.get((symbol, REAL_TIME))
        if room:
            room.flush()

    def _room_of(self, name: str) -> BookRoom | None:
        kind, _, symbol = name.rpartition(".")
        if kind not in DEPTHS and kind != "bookTicker":
            return None
        pace = (symbol, DEPTHS.get(kind, REAL_TIME))
        if pace not in self._rooms:
            self._rooms[pace] = BookRoom(self._exchange, self._timers, pace, self._publish_book)
        return self._rooms[pace]

    def _publish_book(self, change: BookChanged, pace: float) -> None:
        symbol = change.symbol
        name = next(name for name, seconds in DEPTHS.items() if seconds == pace)
        market = self._exchange.markets[symbol]
        self._push(
            name,
            symbol,
            lambda: {
                **render.stamp(change.time_ns),
                "U": change.prev_seq + 1,
                "a": render.render_levels(change.asks, market),
                "b": render.render_levels(change.bids, market),
                "e": "depth",
                "s": symbol,
                "u": change.seq,
            },
        )
        if pace == REAL_TIME:
            self._publish_best(change)

    def _publish_best(self, change: BookChanged) -> None:
        """A book ticker, when one of its four numbers has changed."""
        symbol, market = change.symbol, self._exchange.markets[change.symbol]
        bids, asks, _ = self._exchange.book(symbol, 1)
        best = tuple(
            render.render_levels(side, market)[0] if side else [None, None] for side in (bids, asks)
        )
        if self._best.get(symbol) == best:
            return
        self._best[symbol] = best
        (bid, bid_size), (ask, ask_size) = best
        own = {"A": ask_size, "B": bid_size, **render.stamp(change.time_ns), "a": ask, "b": bid}
        data = {**own, "e": "bookTicker", "s": symbol, "u": change.seq}
        self._push("bookTicker", symbol, lambda: data)

    # ---------------------------------------------------------------- sending

    def racing(self) -> AbstractContextManager[None]:
        """Account frames made inside go out before the answer, or after it: a coin decides."""
        return self._race.held_for(AFTER_ANSWER if self._rng.random() < 0.5 else 0.0)

    def _push(self, kind: str, symbol: str, body: Callable[[], Json]) -> None:
        name = f"{kind}.{symbol}"
        listeners = self._listeners.get(("", name))
        if listeners:
            frame = _frame(name, body())
            for conn in tuple(listeners.values()):
                conn.send(frame, KINDS[kind])

    def _push_account(self, base: str, account: str, symbol: str, body: Json, kind: str) -> None:
        for name in (base, f"{base}.{symbol}"):
            for conn in tuple(self._listeners.get((account, name), {}).values()):
                self._race.push(partial(conn.send, _frame(name, body), kind))


KINDS: Mapping[str, str] = {
    **dict.fromkeys(DEPTHS, "book"),
    "bookTicker": "bbo",
    "markPrice": "mark",
    "trade": "trade",
}


def _topic(conn: SimConnection, name: str) -> Topic:
    return (conn.account if name.startswith(PRIVATE) else ""), name


def _frame(name: str, data: Json) -> bytes:
    return msgspec.json.encode({"data": data, "stream": name})

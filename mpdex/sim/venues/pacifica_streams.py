"""The simulated Pacifica's streams: one socket, channels without authentication.

Frames are `{"channel": ..., "data": ...}`. An account frame carries `li`, at the top or in each
element: a number of the exchange's one sequence, so that a later frame never has a lower one. What
one command or one trade causes goes out in one go, after the answer: updates and fills as they
happened, then the whole list of positions, the open orders and the account. Account subscriptions
begin with a snapshot, those of updates and fills do not.

Source: docs.pacifica.fi, "Subscriptions", "Changelog"; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

import msgspec

from mpdex.sim.book_room import BookRoom
from mpdex.sim.models import Timers
from mpdex.sim.records import (
    BookChanged,
    MarkChanged,
    OrderChanged,
    PositionChanged,
    PublicTrade,
    SimEvent,
    SimFill,
    Traded,
)
from mpdex.sim.venue import SimConnection
from mpdex.sim.venues import pacifica_render as render
from mpdex.sim.venues import pacifica_wire as wire
from mpdex.sim.venues.pacifica_account import AccountData, open_order_frames
from mpdex.sim.venues.pacifica_history import History, OrderEvent
from mpdex.sim.venues.pacifica_market import MarketData, parse_level
from mpdex.sim.venues.pacifica_truth import PacificaTruth
from mpdex.sim.venues.pacifica_wire import Refusal
from mpdex.types import Json

# source, symbol or account ("" for neither), coarseness of a book (else 0)
Topic: TypeAlias = tuple[str, str, int]
INTERESTS = (OrderChanged, Traded, PositionChanged, MarkChanged, PublicTrade)
OF_MARKET = ("bbo", "book", "trades")
OF_ACCOUNT = (
    "account_info",
    "account_positions",
    "account_orders",
    "account_order_updates",
    "account_trades",
    "account_leverage",
    "account_margin",
)
KINDS: Mapping[str, str] = {
    "bbo": "bbo",
    "book": "book",
    "trades": "trade",
    "prices": "mark",
    "account_positions": "position",
    "account_orders": "order",
    "account_order_updates": "order",
    "account_trades": "fill",
}
MOST_SUBSCRIPTIONS = 20  # of a channel on a connection
BOOK_PACE = 0.25  # seconds, documented for full books
BEST_PACE = 0.02  # seconds between looks at the best level; the simulated ones move less often


class Streams:
    """All channels of one venue."""

    def __init__(
        self,
        exchange: PacificaTruth,
        timers: Timers,
        market: MarketData,
        accounts: AccountData,
        history: History,
    ) -> None:
        self._exchange = exchange
        self._timers = timers
        self._market = market
        self._accounts = accounts
        self._history = history
        self._listeners: dict[Topic, dict[int, SimConnection]] = defaultdict(dict)
        self._rooms: dict[tuple[str, float], BookRoom] = {}
        self._best: dict[str, dict[str, Json]] = {}
        self._fills: list[SimFill] = []
        self._outbox: list[Callable[[], None]] = []
        self._changed: dict[str, set[str]] = defaultdict(set)
        self._marked = False

    # ---------------------------------------------------------------- listening

    def subscribe(self, conn: SimConnection, params: Mapping[str, Json]) -> None:
        """Add a listener: the acknowledgement, then the snapshot, go out here.

        Raises: Refusal.
        """
        topic = self._topic(params)
        mine = [known for known in conn.topics.values() if known[0] == topic[0]]
        if topic not in mine:
            if len(mine) >= MOST_SUBSCRIPTIONS:
                raise Refusal(wire.BAD_REQUEST)
            self._add(conn, topic)
        more = {"full": False} if topic[0] == "account_info" else {}
        conn.send({"channel": "subscribe", "data": {**params, **more}}, "ack")
        self._tell_snapshot(conn, topic)

    def unsubscribe(self, conn: SimConnection, params: Mapping[str, Json]) -> None:
        """Take a listener away; acknowledged even if there was none."""
        self._drop(conn, self._topic(params))
        conn.send({"channel": "unsubscribe", "data": params}, "ack")

    def forget(self, conn: SimConnection) -> None:
        """The connection is gone."""
        for topic in list(conn.topics.values()):
            self._drop(conn, topic)

    def _add(self, conn: SimConnection, topic: Topic) -> None:
        conn.topics[str(topic)] = topic
        self._listeners[topic][conn.id] = conn
        room = self._room_of(topic)
        if room:
            room.enter()

    def _drop(self, conn: SimConnection, topic: Topic) -> None:
        if conn.topics.pop(str(topic), None) is None:
            return
        self._listeners[topic].pop(conn.id, None)
        room = self._room_of(topic)
        if room:
            room.leave()

    def _topic(self, params: Mapping[str, Json]) -> Topic:
        source = params.get("source")
        if source == "prices":
            return "prices", "", 0
        if source in OF_MARKET:
            symbol = self._market.market(params.get("symbol")).symbol
            return source, symbol, parse_level(params.get("agg_level", 1)) * (source == "book")
        if source in OF_ACCOUNT:
            account = params.get("account")
            if not isinstance(account, str):
                raise Refusal(wire.BAD_REQUEST)
            return source, self._accounts.account({"account": account}), 0
        raise Refusal(wire.BAD_REQUEST)

    def _tell_snapshot(self, conn: SimConnection, topic: Topic) -> None:
        source, name, level = topic
        if source.startswith("account_"):
            conn.private, conn.account = True, name
        match source:
            case "account_info" | "account_positions" | "account_orders":
                conn.send(self._account_frame(source, name), "snapshot")
            case "book":
                conn.send(self._book_frame(name, level), "snapshot")
            case "bbo":
                conn.send(self._best_frame(name, self._market.render_best(name)), "snapshot")
            case "prices":
                conn.send(_frame("prices", self._market.render_prices()), "snapshot")

    # ---------------------------------------------------------------- events

    def render(self, event: SimEvent) -> None:
        """Push an event to whoever asked for it."""
        match event:
            case Traded(fill):
                self._fills.append(fill)
            case OrderChanged(order):
                self._queue_update(order.account)
            case PositionChanged(position):
                self._change(position.account, "account_positions", "account_info")
            case PublicTrade(symbol):
                number = self._exchange.next_number()
                frame = _frame("trades", [render.render_trade_frame(event, number)])
                self._push(("trades", symbol, 0), lambda: frame)
            case MarkChanged():
                self._mark()
            case BookChanged():
                raise AssertionError("book changes come from the rooms")

    def _queue_update(self, account: str) -> None:
        """An update of an order, and the fills that it is about."""
        event, fills = self._history.next_event(), self._fills
        if event is None:
            return
        self._fills = []
        self._change(account, "account_orders", "account_info")
        self._outbox.append(partial(self._push_update, account, event))
        self._outbox += [partial(self._push_fill, account, fill) for fill in fills]

    def _push_update(self, account: str, event: OrderEvent) -> None:
        self._push_element(
            "account_order_updates", account, lambda number: render.render_update(event, number)
        )

    def _push_fill(self, account: str, fill: SimFill) -> None:
        note = self._history.trade(fill)
        self._push_element(
            "account_trades", account, lambda number: render.render_fill_frame(fill, note, number)
        )

    def _push_element(self, source: str, account: str, element: Callable[[int], Json]) -> None:
        number = self._exchange.next_number
        self._push((source, account, 0), lambda: _frame(source, [element(number())]))

    def _change(self, account: str, *sources: str) -> None:
        if not self._changed:
            self._timers.after(0.0, self._flush)
        self._changed[account].update(sources)

    def _flush(self) -> None:
        """Everything since the last look, in order; whole lists last."""
        outbox, self._outbox = self._outbox, []
        changed, self._changed = self._changed, defaultdict(set)
        for send in outbox:
            send()
        for account, sources in changed.items():
            for source in ("account_positions", "account_orders", "account_info"):
                if source in sources:
                    self._push_account(source, account)

    def _push_account(self, source: str, account: str) -> None:
        self._push((source, account, 0), lambda: self._account_frame(source, account))

    def _account_frame(self, source: str, account: str) -> bytes:
        match source:
            case "account_positions":
                held = self._accounts.positions(account)
                rows = [
                    render.render_position_frame(p, self._accounts.isolated(account, p.symbol))
                    for p in held
                ]
                return _frame(source, rows, self._exchange.next_number())
            case "account_orders":
                orders = open_order_frames(self._exchange.open_orders(account))
                return _frame(source, orders, self._exchange.next_number())
            case _:
                return _frame(source, self._accounts.render_info(account))

    def tell_setting(self, source: str, account: str, data: dict[str, Json]) -> None:
        """A change of leverage or margin mode."""
        now = self._exchange.clock.now_ms()
        self._push((source, account, 0), lambda: _frame(source, {"u": account, **data, "t": now}))

    def _mark(self) -> None:
        """Marks of all markets that change together are one frame."""
        if not self._marked:
            self._marked = True
            self._timers.after(0.0, self._push_prices)

    def _push_prices(self) -> None:
        self._marked = False
        self._push(("prices", "", 0), lambda: _frame("prices", self._market.render_prices()))

    # ---------------------------------------------------------------- books

    def _room_of(self, topic: Topic) -> BookRoom | None:
        source, symbol, _ = topic
        if source not in ("book", "bbo"):
            return None
        pace = (symbol, BOOK_PACE if source == "book" else BEST_PACE)
        if pace not in self._rooms:
            publish = self._publish_book if source == "book" else self._publish_best
            self._rooms[pace] = BookRoom(self._exchange, self._timers, pace, publish)
        return self._rooms[pace]

    def _publish_book(self, change: BookChanged, _: float) -> None:
        symbol = change.symbol
        for topic in [t for t in self._listeners if t[:2] == ("book", symbol)]:
            self._push(topic, partial(self._book_frame, symbol, topic[2]))

    def _book_frame(self, symbol: str, level: int) -> bytes:
        book = self._market.render_book(self._exchange.markets[symbol], level)
        return _frame("book", {**book, "li": self._exchange.next_number()})

    def _publish_best(self, change: BookChanged, _: float) -> None:
        """Told when one of its four numbers has changed."""
        symbol, best = change.symbol, self._market.render_best(change.symbol)
        if self._best.get(symbol) != best:
            self._best[symbol] = best
            self._push(("bbo", symbol, 0), lambda: self._best_frame(symbol, best))

    def _best_frame(self, symbol: str, best: dict[str, Json]) -> bytes:
        number, now = self._exchange.next_number(), self._exchange.clock.now_ms()
        return _frame("bbo", {"s": symbol, "t": now, **best, "i": number, "li": number})

    # ---------------------------------------------------------------- sending

    def _push(self, topic: Topic, frame: Callable[[], bytes]) -> None:
        """Rendered once, and only if anybody listens."""
        listeners = self._listeners.get(topic)
        if listeners:
            told = frame()
            for conn in tuple(listeners.values()):
                conn.send(told, KINDS.get(topic[0], ""))


def _frame(channel: str, data: Json, li: int | None = None) -> bytes:
    frame = {"channel": channel, "data": data}
    return msgspec.json.encode(frame if li is None else {**frame, "li": li})

"""The simulated Lighter's streams: one socket, channels by name, snapshots and then updates.

A request names `order_book/0`, every frame `order_book:0`. A book change continues where the last
one ended (`begin_nonce` = last `nonce`). What a transaction causes is told when the sequencer's
delay is over, in order and after the answer; what the market causes at once.

Not simulated: candles, `height`, `notification`, `account_market`, pools and requests for quotes.

Source: apidocs.lighter.xyz, "WebSocket reference"; live frames; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from mpdex.sim.book_room import BookRoom
from mpdex.sim.exchange import SimExchange
from mpdex.sim.models import Pipe, Timers
from mpdex.sim.records import (
    BookChanged,
    MarkChanged,
    OrderChanged,
    PositionChanged,
    PublicTrade,
    SimEvent,
    SimFill,
    SimMarket,
    SimOrder,
    Traded,
)
from mpdex.sim.venue import SimConnection
from mpdex.sim.venues import lighter_render as render
from mpdex.sim.venues.lighter_account import AccountData
from mpdex.sim.venues.lighter_market import MarketData
from mpdex.sim.venues.lighter_sequencer import Record
from mpdex.types import Json, OrderStatus

INTERESTS = (OrderChanged, Traded, PositionChanged, MarkChanged, PublicTrade)
PACE = 0.05  # seconds between two frames of a book
RECENT = 50  # trades of a snapshot
OF_BOOK = ("order_book", "ticker")
OF_MARKET = (*OF_BOOK, "trade", "market_stats", "spot_market_stats")
OF_ACCOUNT = (
    "account_all",
    "account_all_assets",
    "account_all_orders",
    "account_all_positions",
    "account_all_trades",
    "account_tx",
    "user_stats",
)
# Sources disagree about the others: they are served without a token.
PRIVATE = ("account_all_assets", "account_all_orders", "account_orders", "account_tx")
KINDS: Mapping[str, str] = {
    "order_book": "book",
    "ticker": "bbo",
    "trade": "trade",
    "market_stats": "mark",
    "spot_market_stats": "mark",
    "account_all_orders": "order",
    "account_orders": "order",
    "account_all_trades": "fill",
    "account_all": "position",
    "account_all_positions": "position",
    "account_all_assets": "balance",
    "user_stats": "balance",
}


class Channel(NamedTuple):
    """A subscription. `symbol` is "" for all markets, `account` "" for none."""

    name: str
    symbol: str
    account: str
    echo: str


class Streams:
    """All channels of one venue."""

    def __init__(
        self,
        exchange: SimExchange,
        timers: Timers,
        market: MarketData,
        accounts: AccountData,
        delay: float,
    ) -> None:
        self._exchange = exchange
        self._timers = timers
        self._market = market
        self._accounts = accounts
        self._delay = delay
        self._listeners: dict[Channel, dict[int, SimConnection]] = defaultdict(dict)
        self._known: dict[tuple[str, str, str], Channel] = {}
        self._rooms: dict[str, BookRoom] = {}
        self._best: dict[str, Json] = {}
        self._out: Pipe[Callable[[], None]] = Pipe(lambda send: send())
        self._lag = 0.0
        self._told = 0
        self._snapshots: Mapping[str, Callable[[Channel], Json]] = {
            "order_book": self._book_snapshot,
            "ticker": self._ticker,
            "trade": self._recent_trades,
            "market_stats": self._stats,
            "spot_market_stats": self._stats,
            "account_all": self._everything,
            "account_all_assets": self._assets,
            "account_all_orders": self._open_orders,
            "account_orders": self._open_orders,
            "account_all_positions": self._positions,
            "account_all_trades": self._own_trades,
            "account_tx": lambda _: {"txs": []},
            "user_stats": lambda channel: {"stats": self._accounts.stats(channel.account)},
        }

    # ---------------------------------------------------------------- listening

    def channel(self, text: str) -> Channel | None:
        """The channel of a name with slashes; None where there is none."""
        name, *places = text.split("/")
        if name == "account_orders" and len(places) == 2:
            symbol = self._symbol(places[0])
            known = symbol is not None and places[1] in self._exchange.accounts
            return Channel(name, symbol or "", places[1], f"{name}:{places[0]}") if known else None
        if len(places) != 1:
            return None
        if name in OF_ACCOUNT and places[0] in self._exchange.accounts:
            return Channel(name, "", places[0], f"{name}:{places[0]}")
        return self._market_channel(name, places[0])

    def _market_channel(self, name: str, place: str) -> Channel | None:
        everywhere = place == "all" and name.endswith("stats")
        symbol = "" if everywhere else self._symbol(place)
        if name not in OF_MARKET or symbol is None:
            return None
        return Channel(name, symbol, "", f"{name}:{place}")

    def _symbol(self, number: str) -> str | None:
        for market in self._exchange.markets.values():
            if str(render.market_id(market)) == number:
                return market.symbol
        return None

    def subscribe(self, conn: SimConnection, channel: Channel) -> None:
        """Add a listener; the snapshot goes out here."""
        if channel.name in OF_BOOK:
            room = self._room(channel.symbol)
            room.flush()
            room.enter()
        conn.topics[channel.echo] = self._known[channel[:3]] = channel
        self._listeners[channel][conn.id] = conn
        body = self._snapshots[channel.name](channel)
        conn.send(self._frame(channel, body, "subscribed"), "snapshot")

    def unsubscribe(self, conn: SimConnection, channel: Channel) -> bool:
        """Returns: False where the connection did not listen."""
        if conn.topics.pop(channel.echo, None) is None:
            return False
        self._listeners[channel].pop(conn.id, None)
        if channel.name in OF_BOOK:
            self._room(channel.symbol).leave()
        return True

    def forget(self, conn: SimConnection) -> None:
        """The connection is gone."""
        for channel in list(conn.topics.values()):
            self.unsubscribe(conn, channel)

    def _room(self, symbol: str) -> BookRoom:
        if symbol not in self._rooms:
            pace = (symbol, PACE)
            self._rooms[symbol] = BookRoom(self._exchange, self._timers, pace, self._publish_book)
        return self._rooms[symbol]

    # ---------------------------------------------------------------- events

    def render(self, event: SimEvent) -> None:
        """Push an event to whoever asked for it."""
        match event:
            case OrderChanged(order):
                self._render_order(order)
            case Traded(fill):
                self._render_fill(fill)
            case PositionChanged(position):
                self._render_position(position.account, position.symbol)
            case PublicTrade(symbol):
                market = self._exchange.markets[symbol]
                self._push("trade", symbol, "", lambda: self._trades([event], market))
            case MarkChanged(symbol):
                self._render_mark(symbol)
            case BookChanged():
                raise AssertionError("book changes come from the rooms")

    def _render_order(self, order: SimOrder) -> None:
        """Nothing is told of an order that is not in the book yet, or that vanished."""
        if order.status is OrderStatus.PENDING or order.reason == "dropped" or _vanishes(order):
            return
        market = self._exchange.markets[order.symbol]
        body = {"orders": {str(render.market_id(market)): [render.render_order(order, market)]}}
        self._push("account_all_orders", "", order.account, lambda: body)
        self._push("account_orders", order.symbol, order.account, lambda: self._numbered(body))
        self._push("user_stats", "", order.account, lambda: self._stats_of(order.account))

    def _numbered(self, body: Mapping[str, Json]) -> Json:
        self._told += 1
        return {**body, "nonce": render.nonce_at(self._told)}

    def _render_fill(self, fill: SimFill) -> None:
        order = fill.order
        number = str(render.market_id(self._exchange.markets[order.symbol]))
        body = {"trades": {number: [self._accounts.render_fill(fill)]}}
        self._push("account_all_trades", "", order.account, lambda: body)
        self._push("account_all", "", order.account, lambda: {**_nothing(order.account), **body})
        self._push(
            "account_all_assets",
            "",
            order.account,
            lambda: self._assets(Channel("", "", order.account, "")),
        )

    def _render_position(self, account: str, symbol: str) -> None:
        held = self._accounts.exposure(self._exchange.position(account, symbol))
        body = {str(render.market_id(held.market)): render.render_position(held)}
        self._push("account_all_positions", "", account, lambda: _positions(body))
        self._push("account_all", "", account, lambda: {**_nothing(account), "positions": body})
        self._push("user_stats", "", account, lambda: self._stats_of(account))

    def _stats_of(self, account: str) -> Json:
        return {"stats": self._accounts.stats(account)}

    def _render_mark(self, symbol: str) -> None:
        market = self._exchange.markets[symbol]
        name = "market_stats" if market.kind == "perp" else "spot_market_stats"
        self._push(name, symbol, "", lambda: self._stats_frame(name, [market], symbol))
        self._push(name, "", "", lambda: self._stats_frame(name, [market], ""))

    def render_transaction(self, record: Record, delay_ms: int) -> None:
        """A transaction has been executed, or has failed."""
        account = str(record.sent.account)
        told = record.rendered(self._accounts.owner(account), delay_ms)
        self._push("account_tx", "", account, lambda: {"txs": [told]})

    # ---------------------------------------------------------------- books

    def _publish_book(self, change: BookChanged, _: float) -> None:
        symbol, market = change.symbol, self._exchange.markets[change.symbol]
        self._push("order_book", symbol, "", lambda: _book(change, market))
        last, best = self._best.get(symbol), self._ticker(Channel("ticker", symbol, "", ""))
        if last is None or _sides(best) != _sides(last):
            self._push("ticker", symbol, "", lambda: best)

    def _book_snapshot(self, channel: Channel) -> Json:
        bids, asks, seq = self._exchange.book(channel.symbol)
        now = self._exchange.clock.now_ns()
        change = BookChanged(channel.symbol, bids, asks, seq, 0, now)
        book = _book(change, self._exchange.markets[channel.symbol])
        book["order_book"]["begin_nonce"] = 0
        return book

    def _ticker(self, channel: Channel) -> Json:
        market = self._exchange.markets[channel.symbol]
        bids, asks, seq = self._exchange.book(channel.symbol, 1)
        now = self._exchange.clock.now_ns() // 1000
        self._best[channel.symbol] = best = {
            "last_updated_at": now,
            "nonce": render.nonce_at(seq),
            "ticker": {
                "s": market.symbol,
                "a": render.render_best(asks, market),
                "b": render.render_best(bids, market),
                "last_updated_at": now,
            },
        }
        return best

    # ---------------------------------------------------------------- snapshots

    def _recent_trades(self, channel: Channel) -> Json:
        market = self._exchange.markets[channel.symbol]
        return self._trades(self._market.newest(channel.symbol, RECENT), market)

    def _trades(self, trades: Iterable[PublicTrade], market: SimMarket) -> Json:
        return {
            "nonce": render.nonce_at(self._exchange.boards[market.symbol].seq),
            "trades": [render.render_public_trade(trade, market) for trade in trades],
            "liquidation_trades": [],
        }

    def _stats(self, channel: Channel) -> Json:
        kind = "spot" if channel.name.startswith("spot") else "perp"
        chosen = [
            market
            for market in self._exchange.markets.values()
            if market.kind == kind and channel.symbol in ("", market.symbol)
        ]
        return self._stats_frame(channel.name, chosen, channel.symbol)

    def _stats_frame(self, name: str, markets: list[SimMarket], symbol: str) -> Json:
        told = {str(render.market_id(m)): self._market.render_stats(m) for m in markets}
        return {name: next(iter(told.values()), {}) if symbol else told}

    def _open_orders(self, channel: Channel) -> Json:
        """By market; an account without orders has an empty map."""
        by_market: dict[str, list[Json]] = defaultdict(list)
        orders = self._accounts.open_orders(channel.account, channel.symbol or None)
        for order in self._accounts.render_orders(orders):
            by_market[str(order["market_index"])].append(order)
        body = {"orders": dict(by_market)}
        return self._numbered(body) if channel.symbol else body

    def _positions(self, channel: Channel) -> Json:
        return _positions(self._held(channel.account))

    def _held(self, account: str) -> dict[str, Json]:
        return {
            str(render.market_id(held.market)): render.render_position(held)
            for held in self._accounts.exposures(account)
        }

    def _assets(self, channel: Channel) -> Json:
        held = self._accounts.assets(channel.account)
        return {"assets": {str(asset["asset_id"]): asset for asset in held}}

    def _own_trades(self, channel: Channel) -> Json:
        """Without any, a flat list."""
        return {"trades": self._by_market(channel.account) or []}

    def _by_market(self, account: str) -> dict[str, list[Json]]:
        by_market: dict[str, list[Json]] = defaultdict(list)
        for fill in self._exchange.fills(account)[-RECENT:]:
            trade = self._accounts.render_fill(fill)
            by_market[str(trade["market_id"])].append(trade)
        return dict(by_market)

    def _everything(self, channel: Channel) -> Json:
        account = channel.account
        return {
            **_nothing(account),
            **self._assets(channel),
            "positions": self._held(account),
            "trades": self._by_market(account),
        }

    # ---------------------------------------------------------------- sending

    @contextmanager
    def sequenced(self) -> Iterator[None]:
        """Account frames made inside are told when the sequencer has come to them."""
        self._lag = self._delay
        try:
            yield
        finally:
            self._lag = 0.0

    def _push(self, name: str, symbol: str, account: str, body: Callable[[], Json]) -> None:
        channel = self._known.get((name, symbol, account))
        listeners = self._listeners[channel] if channel else {}
        if channel and listeners:
            frame = self._frame(channel, body(), "update")
            for conn in tuple(listeners.values()):
                self._send(conn, channel, frame)

    def _send(self, conn: SimConnection, channel: Channel, frame: bytes) -> None:
        kind = KINDS.get(channel.name, "")
        if channel.account:
            self._out.push(lambda: conn.send(frame, kind), self._lag)
        else:
            conn.send(frame, kind)

    def _frame(self, channel: Channel, body: Json, word: str) -> bytes:
        head: dict[str, Json] = {"channel": channel.echo}
        if channel.name == "account_orders":
            head["account"] = int(channel.account)
        tail = {
            "timestamp": self._exchange.clock.now_ms(),
            "type": f"{word}/{channel.name}",
        }
        return msgspec.json.encode({**head, **body, **tail})


def _book(change: BookChanged, market: SimMarket) -> dict[str, Json]:
    updated = change.time_ns // 1000
    book = {
        "code": 0,
        "asks": render.render_levels(change.asks, market),
        "bids": render.render_levels(change.bids, market),
        "offset": change.seq,
        "nonce": render.nonce_at(change.seq),
        "last_updated_at": updated,
        "begin_nonce": render.nonce_at(change.prev_seq),
    }
    return {"last_updated_at": updated, "offset": change.seq, "order_book": book}


def _sides(ticker: Json) -> Json:
    return ticker["ticker"]["a"], ticker["ticker"]["b"]


def _positions(held: Mapping[str, Json]) -> Json:
    rest: dict[str, Json] = {
        "shares": [],
        "last_funding_round": None,
        "last_funding_discount": None,
    }
    return {"positions": held, **rest}


def _nothing(account: str) -> dict[str, Json]:
    """`account_all` with nothing to tell."""
    return {
        "account": int(account),
        "assets": {},
        "funding_histories": {},
        "positions": {},
        "shares": [],
        "trades": {},
    }


def _vanishes(order: SimOrder) -> bool:
    """Refused in a way that leaves no order behind."""
    return order.status is OrderStatus.REJECTED and order.reason in ("market", "reduce_only")

"""The simulated Hyperliquid's streams: one socket, every frame a channel and its data.

What happens to an address goes out in blocks: a block's order updates are one frame, its fills
another, and the states that are repeated in full come after them. The answer that caused it all
races them: a coin decides who is held. A socket that is told nothing for a minute is closed.

Source: hyperliquid.gitbook.io, "WebSocket", and live frames; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

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
from mpdex.sim.venues import hyperliquid_render as render
from mpdex.sim.venues.hyperliquid_account import AccountData
from mpdex.sim.venues.hyperliquid_exchange import DEXS, HyperliquidExchange, owner_of
from mpdex.sim.venues.hyperliquid_market import DEPTH, FAST_DEPTH, MarketData
from mpdex.sim.venues.hyperliquid_topics import key_of
from mpdex.sim.venues.hyperliquid_wire import Malformed
from mpdex.types import Json

INTERESTS = (OrderChanged, Traded, PositionChanged, MarkChanged, PublicTrade)
BLOCK = 0.1  # seconds; a best price is told once a block
BOOK_EVERY = 0.5  # seconds
AFTER_ANSWER = 0.020  # seconds that let an answer overtake
SILENCE = 60.0  # seconds
REPLAYED_TRADES = 30
MIDS_EVERY = 1.0  # seconds
BY_USER = frozenset({"client", "ioc", "post_only", "dropped", "expired"})
Frame = tuple[str, Json, str]  # channel, data, kind for the faults


@dataclass(slots=True)
class Block:
    """What has happened to one address since its last frames."""

    updates: list[Json] = field(default_factory=list)
    fills: list[Json] = field(default_factory=list)
    canceled: list[Json] = field(default_factory=list)
    liquidations: list[Json] = field(default_factory=list)
    fundings: list[Json] = field(default_factory=list)
    entries: list[Json] = field(default_factory=list)


class Streams:
    """All streams of one venue.

    Args:
        web_data: data of `webData3` for an address.
    """

    def __init__(
        self,
        exchange: HyperliquidExchange,
        timers: Timers,
        rng: random.Random,
        market: MarketData,
        accounts: AccountData,
        web_data: Callable[[str], Json],
    ) -> None:
        self._exchange = exchange
        self._timers = timers
        self._rng = rng
        self._market = market
        self._accounts = accounts
        self._web_data = web_data
        self._listeners: dict[str, dict[int, SimConnection]] = defaultdict(dict)
        self._rooms: dict[tuple[str, float], BookRoom] = {}
        self._best: dict[str, Json] = {}
        self._blocks: dict[str, Block] = {}
        self._late = False
        self._mids_due = False

    # ---------------------------------------------------------------- listening

    def check(self, asked: dict[str, Json]) -> None:
        """Raises: Malformed for a coin that there is not."""
        if "coin" in asked:
            market = self._market.market(asked["coin"])
            if asked["type"] == "activeAssetData" and market.kind != "perp":
                raise Malformed

    def users(self) -> set[str]:
        """Every address that anybody listens to."""
        named = (topic.get("user") for topic in self._topics())
        return {user for user in named if user}

    def _topics(self) -> Iterator[dict[str, Json]]:
        for listeners in self._listeners.values():
            for conn in listeners.values():
                yield from conn.topics.values()

    def subscribe(self, conn: SimConnection, asked: dict[str, Json]) -> None:
        """Add a listener; what there is to be told at once is told."""
        key = key_of(**asked)
        conn.topics[key] = asked
        if "user" in asked:
            conn.private = True
        self._listeners[key][conn.id] = conn
        room = self._room_of(asked)
        if room:
            room.enter()
        for channel, data, kind in self._snapshots(asked):
            self.send(conn, {"channel": channel, "data": data}, kind)

    def unsubscribe(self, conn: SimConnection, key: str) -> None:
        asked = conn.topics.pop(key, None)
        if asked is None:
            return
        self._listeners[key].pop(conn.id, None)
        room = self._room_of(asked)
        if room:
            room.leave()

    def forget(self, conn: SimConnection) -> None:
        """The connection is gone."""
        for key in list(conn.topics):
            self.unsubscribe(conn, key)

    def _snapshots(self, asked: dict[str, Json]) -> list[Frame]:
        """First frames. Order updates and events of an account have none."""
        kind, coin, user = asked["type"], str(asked.get("coin")), str(asked.get("user"))
        match kind:
            case "bbo":
                return [("bbo", self._render_best(coin), "bbo")]
            case "l2Book":
                return [("l2Book", self._render_book(asked), "book")]
            case "trades":
                trades = self._market.render_trades(coin, REPLAYED_TRADES)
                return [("trades", trades, "trade")] if trades else []
            case "activeAssetCtx":
                return [(*self._context(coin), "mark")]
            case "allMids" | "allDexsAssetCtxs":
                return [(kind, self._render_all(asked), "mark")]
            case "userFills":
                newest = self._accounts.fills(user)[-2000:]
                fills = [self._accounts.render_fill(fill) for fill in newest]
                return [(kind, {"isSnapshot": True, "user": user, "fills": fills}, "snapshot")]
            case "userFundings":
                paid = list(self._accounts.payments[user])
                return [(kind, {"isSnapshot": True, "user": user, "fundings": paid}, "snapshot")]
            case "userNonFundingLedgerUpdates":
                rows = list(self._accounts.entries[user])
                data = {"isSnapshot": True, "user": user, "nonFundingLedgerUpdates": rows}
                return [(kind, data, "snapshot")]
            case "orderUpdates" | "userEvents":
                return []
            case _:
                return [(kind, self._render_state(asked), "snapshot")]

    # ---------------------------------------------------------------- events

    def render(self, event: SimEvent) -> None:
        """Push an event to whoever asked for it."""
        match event:
            case OrderChanged():
                self._note_order(event)
            case Traded(fill):
                self._note_fill(fill)
            case PositionChanged(position):
                self._block(owner_of(position.account))
            case PublicTrade(symbol):
                data = [render.render_trade(event)]
                self._push("trades", data, "trade", type="trades", coin=symbol)
            case MarkChanged(symbol):
                self._render_mark(symbol)
            case BookChanged():
                raise AssertionError("book changes come from the rooms")

    def _note_order(self, event: OrderChanged) -> None:
        """A partial fill is told as a fill only; UNVERIFIED that nothing else is."""
        order = event.order
        block = self._block(owner_of(order.account))
        if event.cause == "filled" and order.remaining > 0:
            return
        word = "open" if event.cause == "accepted" else render.status_word(order)
        block.updates.append(render.render_update(order, word, event.time_ns))
        if event.cause == "ended" and order.reason not in BY_USER:
            block.canceled.append({"coin": order.symbol, "oid": int(order.order_id)})

    def _note_fill(self, fill: SimFill) -> None:
        address = owner_of(fill.order.account)
        block = self._block(address)
        block.fills.append(self._accounts.render_fill(fill))
        if fill.order.reason == "liquidation":
            equity = self._exchange.equity(fill.order.account)
            block.liquidations.append(render.render_liquidation(fill, address, equity))

    def note_funding(self, address: str, payment: dict[str, Json]) -> None:
        self._block(address).fundings.append(payment)

    def note_entry(self, address: str, entry: dict[str, Json]) -> None:
        self._block(address).entries.append(entry)

    # ---------------------------------------------------------------- blocks of one address

    @contextmanager
    def racing(self) -> Iterator[None]:
        """What an action causes goes out before its answer, or after it: a coin decides."""
        self._late = self._rng.random() < 0.5
        try:
            yield
        finally:
            self._late = False

    def _block(self, address: str) -> Block:
        """The block that is being made; it goes out by itself."""
        if address not in self._blocks:
            self._blocks[address] = Block()
            wait = AFTER_ANSWER if self._late else 0.0
            self._timers.after(wait, lambda: self._flush(address))
        return self._blocks[address]

    def _flush(self, address: str) -> None:
        block = self._blocks.pop(address)
        if block.updates:
            self._push("orderUpdates", block.updates, "order", type="orderUpdates", user=address)
        self._flush_fills(address, block)
        for name, rows in (("liquidation", block.liquidations), ("funding", block.fundings)):
            for row in rows:
                self._push("user", {name: row}, "funding", type="userEvents", user=address)
        self._flush_rows(address, "userFundings", "fundings", block.fundings)
        name = "userNonFundingLedgerUpdates"
        self._flush_rows(address, name, "nonFundingLedgerUpdates", block.entries)
        if block.canceled:
            data = {"nonUserCancel": block.canceled}
            self._push("user", data, "order", type="userEvents", user=address)
        self._repeat_states(address)

    def _flush_fills(self, address: str, block: Block) -> None:
        """Without `isSnapshot`, as measured; the documentation has it false."""
        if not block.fills:
            return
        for together in (False, True):
            self._push(
                "userFills",
                {"user": address, "fills": block.fills},
                "fill",
                type="userFills",
                user=address,
                aggregateByTime=together,
            )
        self._push("user", {"fills": block.fills}, "fill", type="userEvents", user=address)

    def _flush_rows(self, address: str, channel: str, name: str, rows: list[Json]) -> None:
        if rows:
            data = {"user": address, name: rows}
            self._push(channel, data, "funding", type=channel, user=address)

    def _repeat_states(self, address: str) -> None:
        """Everything that is told in full, to whoever listens."""
        seen = set()
        for topic in list(self._topics()):
            key = key_of(**topic)
            kind = KINDS.get(topic["type"])
            if kind and topic.get("user") == address and key not in seen:
                seen.add(key)
                self._push(topic["type"], self._render_state(topic), kind, **topic)

    def _render_state(self, asked: dict[str, Json]) -> Json:
        """Data of a channel that repeats a state in full."""
        accounts, user, dex = self._accounts, asked["user"], asked.get("dex", "")
        match asked["type"]:
            case "clearinghouseState":
                state = accounts.states.render_state(user, dex)
                return {"dex": dex, "user": user, "clearinghouseState": state}
            case "allDexsClearinghouseState":
                states = [[dex, accounts.states.render_state(user, dex)] for dex in DEXS]
                return {"user": user, "clearinghouseStates": states}
            case "openOrders":
                orders = accounts.open_orders(user, dex)
                full = [render.render_full_order(order) for order in orders]
                return {"dex": dex, "user": user, "orders": full}
            case "spotState":
                return {"user": user, "spotState": self._render_spot(user)}
            case "activeAssetData":
                return accounts.states.render_asset(user, self._market.market(asked["coin"]))
            case "twapStates":
                return {"dex": dex, "user": user, "states": []}
            case _:
                return self._web_data(user)

    def _render_spot(self, user: str) -> dict[str, Json]:
        state = self._accounts.states.render_spot(user)
        after = [[b["token"], b["total"]] for b in state["balances"] if not b["token"]]
        return {**state, "tokenToAvailableAfterMaintenance": after}

    # ---------------------------------------------------------------- marks and books

    def _render_mark(self, symbol: str) -> None:
        listened = self._listeners.get(key_of(type="activeAssetCtx", coin=symbol))
        if listened:
            channel, data = self._context(symbol)
            self._push(channel, data, "mark", type="activeAssetCtx", coin=symbol)
        if not self._mids_due:
            self._mids_due = True
            self._timers.after(MIDS_EVERY, self._push_all)
        for name, account in self._exchange.accounts.items():
            if account.size(symbol) and owner_of(name) in self.users():
                self._block(owner_of(name))

    def _push_all(self) -> None:
        """What is told of all markets in one frame."""
        self._mids_due = False
        for topic in [{"type": "allMids"}, *({"type": "allMids", "dex": d} for d in DEXS)]:
            self._push("allMids", self._render_all(topic), "mark", **topic)
        self._push("allDexsAssetCtxs", self._render_all({}), "mark", type="allDexsAssetCtxs")

    def _render_all(self, asked: dict[str, Json]) -> Json:
        if asked.get("type") != "allMids":
            return {"ctxs": [[dex, self._market.render_contexts(dex)] for dex in DEXS]}
        dex = asked.get("dex", "")
        named = {"dex": dex} if dex else {}
        return {**named, "mids": self._market.render_mids(dex)}

    def _context(self, symbol: str) -> tuple[str, Json]:
        market = self._exchange.markets[symbol]
        if market.kind == "spot":
            data = {"coin": symbol, "ctx": self._market.render_spot_context(market)}
            return "activeSpotAssetCtx", data
        return "activeAssetCtx", {"coin": symbol, "ctx": self._market.render_context(market)}

    def _room_of(self, asked: dict[str, Json]) -> BookRoom | None:
        paces = {"bbo": BLOCK, "l2Book": BOOK_EVERY}
        if asked["type"] not in paces:
            return None
        pace = str(asked["coin"]), paces[asked["type"]]
        if pace not in self._rooms:
            self._rooms[pace] = BookRoom(self._exchange, self._timers, pace, self._publish_book)
        return self._rooms[pace]

    def _publish_book(self, change: BookChanged, pace: float) -> None:
        symbol = change.symbol
        if pace == BLOCK:
            self._publish_best(symbol)
            return
        listened = [t for t in self._topics() if t["type"] == "l2Book" and t["coin"] == symbol]
        for key, topic in {key_of(**topic): topic for topic in listened}.items():
            self._push_key(key, "l2Book", self._render_book(topic), "book")

    def _publish_best(self, symbol: str) -> None:
        """When one of its four numbers has changed."""
        data = self._render_best(symbol)
        if self._best.get(symbol) != data["bbo"]:
            self._best[symbol] = data["bbo"]
            self._push("bbo", data, "bbo", type="bbo", coin=symbol)

    def _render_best(self, symbol: str) -> dict[str, Json]:
        book = self._market.render_book(self._exchange.markets[symbol], 1)
        sides = [side[0] if side else None for side in book["levels"]]
        return {"coin": symbol, "time": book["time"], "bbo": sides}

    def _render_book(self, asked: dict[str, Json]) -> Json:
        market = self._exchange.markets[asked["coin"]]
        if asked["fast"]:
            return {**self._market.render_book(market, FAST_DEPTH), "fast": True}
        digits, mantissa = asked["nSigFigs"], asked["mantissa"]
        return self._market.render_book(market, DEPTH, digits, mantissa or 1)

    # ---------------------------------------------------------------- sending

    def _push(self, channel: str, data: Json, kind: str, **topic: Json) -> None:
        self._push_key(key_of(**topic), channel, data, kind)

    def _push_key(self, key: str, channel: str, data: Json, kind: str) -> None:
        listeners = self._listeners.get(key)
        if listeners:
            frame = msgspec.json.encode({"channel": channel, "data": data})
            for conn in tuple(listeners.values()):
                self.send(conn, frame, kind)

    def send(self, conn: SimConnection, frame: Json, kind: str = "") -> None:
        self.heard(conn)
        conn.send(frame, kind)

    def heard(self, conn: SimConnection) -> None:
        """The client is being told something now."""
        conn.state["told"] = self._exchange.clock.monotonic()

    def watch(self, conn: SimConnection) -> None:
        """Close the connection once nothing has been sent on it for a minute."""
        self.heard(conn)
        self._timers.after(SILENCE, lambda: self._check(conn))

    def _check(self, conn: SimConnection) -> None:
        if not conn.open:
            return
        left = SILENCE - (self._exchange.clock.monotonic() - conn.state["told"])
        if left <= 0:
            conn.close(1000, "Inactive")
        else:
            self._timers.after(left, lambda: self._check(conn))


# Channels that repeat a state in full -> kind for the faults.
KINDS = {
    "clearinghouseState": "position",
    "allDexsClearinghouseState": "position",
    "openOrders": "snapshot",
    "spotState": "balance",
    "activeAssetData": "balance",
    "webData3": "balance",
}

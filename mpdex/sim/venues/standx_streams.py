"""The simulated StandX's first socket, `ws-stream`: market data, and changes of an account.

Subscribing is not answered: data simply starts. A book is a whole snapshot every time, in no order.
Channels of an account tell changes only. `seq` counts the frames of a connection. Frames about an
order race the answers to the command that caused them, and an order races its own fill.

Source: docs.standx.com, "Perps WebSocket API", Market Stream; live frames; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial

import msgspec

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
from mpdex.sim.venues import standx_render as render
from mpdex.sim.venues import standx_wire as wire
from mpdex.sim.venues.standx_login import Logins
from mpdex.sim.venues.standx_market import MarketData
from mpdex.sim.venues.standx_truth import StandxTruth
from mpdex.sim.venues.standx_wire import Refusal
from mpdex.types import Json

PATH = "/ws-stream/v1"
INTERESTS = (OrderChanged, Traded, PositionChanged, MarkChanged, PublicTrade)
PUBLIC = {"price": "mark", "depth_book": "book", "public_trade": "trade"}
PRIVATE = {"order": "order", "trade": "fill", "position": "position", "balance": "balance"}
LAGS = (0.0, 0.04, 0.12)  # seconds: before, between and after the two answers to a command


class Streams:
    """All channels of one venue.

    Args:
        watch: told when somebody begins to listen to a book; `unwatch` when he stops.
    """

    def __init__(
        self,
        truth: StandxTruth,
        timers: Timers,
        market: MarketData,
        logins: Logins,
        watch: Callable[[str], None],
        unwatch: Callable[[str], None],
    ) -> None:
        self._truth = truth
        self._market = market
        self._logins = logins
        self._watch = watch
        self._unwatch = unwatch
        self._rng: random.Random = truth.rng
        self._race = Race(truth.clock, timers)
        self._listeners: dict[tuple[str, str], dict[int, SimConnection]] = defaultdict(dict)
        self._fills: dict[str, list[SimFill]] = defaultdict(list)  # told after their order

    # ---------------------------------------------------------------- what clients say

    def accept(self, conn: SimConnection, message: Mapping[str, Json]) -> Json | None:
        """One frame. A refusal has no channel (UNVERIFIED: its text)."""
        try:
            match message:
                case {"auth": dict() as proof}:
                    self._authenticate(conn, proof)
                case {"subscribe": dict() as topic}:
                    self._subscribe(conn, topic)
                case {"unsubscribe": dict() as topic}:  # UNVERIFIED: one live client sends it
                    self._drop(conn, self._key(conn, topic))
                case _:
                    raise Refusal(wire.MALFORMED)
        except Refusal as refusal:
            return refusal.fault.body
        return None

    def _authenticate(self, conn: SimConnection, proof: Mapping[str, Json]) -> None:
        if proof.get("impersonate") is not None:
            raise Refusal(wire.NO_VAULT)
        session = self._logins.session(str(proof.get("token")))
        conn.account, conn.private = session.account, True
        self._send(conn, "auth", "", _raw({"code": 0, "message": "success"}), "ack")
        streams = proof.get("streams") or []
        if not isinstance(streams, list) or not all(isinstance(one, dict) for one in streams):
            raise Refusal(wire.MALFORMED)
        for topic in streams:
            self._subscribe(conn, topic)

    def _subscribe(self, conn: SimConnection, topic: Mapping[str, Json]) -> None:
        """A book and a price are told at once; an account's channels wait for a change."""
        key = self._key(conn, topic)
        if " ".join(key) in conn.topics:
            return
        conn.topics[" ".join(key)] = key
        self._listeners[key][conn.id] = conn
        channel, symbol = key
        if channel == "depth_book":
            self._watch(symbol)
        if channel in ("depth_book", "price"):
            self._send(conn, channel, symbol, self._data(channel, symbol), PUBLIC[channel])

    def _key(self, conn: SimConnection, topic: Mapping[str, Json]) -> tuple[str, str]:
        """Channel, and the market or the account that it is of."""
        channel = str(topic.get("channel"))
        if channel in PUBLIC:
            return channel, wire.read_symbol(topic, self._truth.markets).symbol
        if channel not in PRIVATE:
            raise Refusal(wire.MALFORMED)
        if not conn.account:
            raise Refusal(wire.UNAUTHORIZED)
        return channel, conn.account

    def forget(self, conn: SimConnection) -> None:
        """The connection is gone."""
        for key in list(conn.topics.values()):
            self._drop(conn, key)

    def _drop(self, conn: SimConnection, key: tuple[str, str]) -> None:
        if conn.topics.pop(" ".join(key), None) is None:
            return
        del self._listeners[key][conn.id]
        if key[0] == "depth_book":
            self._unwatch(key[1])

    # ---------------------------------------------------------------- events

    def racing(self) -> AbstractContextManager[None]:
        """Frames about an account that are caused inside go out before, between or after."""
        return self._race.held_for(self._rng.choice(LAGS))

    def render(self, event: SimEvent) -> None:
        """Push an event to whoever asked for it."""
        match event:
            case BookChanged(symbol):
                self._push_market("depth_book", symbol)
            case MarkChanged(symbol):
                self._push_market("price", symbol)
            case PublicTrade(symbol):
                data = partial(render.render_trade, event, render.SOCKET)
                self._push_public("public_trade", symbol, lambda: _raw(data()))
            case OrderChanged(order):
                self._render_order(order)
            case Traded(fill):
                self._render_fill(fill)
            case PositionChanged(position):
                self._render_position(position)

    def _render_order(self, order: SimOrder) -> None:
        """What has no row is not told; fills that lost their race follow."""
        if render.exists(order):
            row = render.render_order(order, self._truth, digits=render.SOCKET)
            self._push_account("order", order.account, row)
        for fill in self._fills.pop(order.order_id, ()):
            self._push_account("trade", order.account, render.render_fill_frame(fill))

    def _render_fill(self, fill: SimFill) -> None:
        """Before its order, or after it: a coin decides."""
        order = fill.order
        if self._rng.random() < 0.5:
            self._fills[order.order_id].append(fill)
        else:
            self._push_account("trade", order.account, render.render_fill_frame(fill))

    def _render_position(self, position: SimPosition) -> None:
        account, now = position.account, self._truth.clock.now_ns()
        row = render.render_position_frame(position, self._truth)
        self._push_account("position", account, row)
        self._push_account("balance", account, render.render_wallet(account, self._truth, now))

    # ---------------------------------------------------------------- sending

    def _data(self, channel: str, symbol: str) -> msgspec.Raw:
        market = self._truth.markets[symbol]
        if channel == "depth_book":
            return _raw(self._market.render_book(market))
        return _raw(self._market.render_prices(market, render.SOCKET))

    def _push_market(self, channel: str, symbol: str) -> None:
        self._push_public(channel, symbol, lambda: self._data(channel, symbol))

    def _push_public(self, channel: str, symbol: str, data: Callable[[], msgspec.Raw]) -> None:
        listeners = self._listeners.get((channel, symbol))
        if listeners:
            raw = data()
            for conn in tuple(listeners.values()):
                self._send(conn, channel, symbol, raw, PUBLIC[channel])

    def _push_account(self, channel: str, account: str, row: dict[str, Json]) -> None:
        listeners = self._listeners.get((channel, account))
        if listeners:
            raw = _raw(row)
            for conn in tuple(listeners.values()):
                self._race.push(
                    partial(self._send, conn, channel, "", raw, PRIVATE[channel]),
                )

    def _send(
        self, conn: SimConnection, channel: str, symbol: str, data: msgspec.Raw, kind: str
    ) -> None:
        number = conn.state["seq"] = conn.state.get("seq", 0) + 1
        about = {"symbol": symbol} if symbol else {}
        conn.send(
            msgspec.json.encode({"seq": number, "channel": channel, **about, "data": data}), kind
        )


def _raw(data: dict[str, Json]) -> msgspec.Raw:
    """Written once for everybody; keys in alphabetical order."""
    return msgspec.Raw(msgspec.json.encode(data, order="sorted"))

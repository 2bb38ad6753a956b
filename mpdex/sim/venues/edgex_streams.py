"""What the simulated EdgeX tells one account, and the pings of all its sockets.

A private socket takes no subscription: a snapshot comes first, and every change after it. One
execution is told twice: as the engine matched it, and with its row, the position and the collateral
once it is booked. The server pings with JSON and closes on who leaves five pings unanswered.

Source: edgex-1.gitbook.io, "WebSocket API"; recorded v1 and v2 frames; read 2026-11-21.
"""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

import msgspec

from mpdex.sim.models import Timers
from mpdex.sim.records import OrderChanged, PositionChanged, SimEvent, SimFill, SimPosition, Traded
from mpdex.sim.venue import SimConnection
from mpdex.sim.venues.edgex_account import AccountData
from mpdex.sim.venues.edgex_channels import PublicStreams
from mpdex.sim.venues.edgex_truth import CENSOR_BEHIND, EdgexTruth
from mpdex.sim.venues.edgex_wire import Refusal
from mpdex.types import Json

PING_EVERY_MS = 10_000  # UNVERIFIED: both recorded pings are of whole tens of seconds
EARLY_MS = 2  # by which a timer may be early
MOST_UNANSWERED = 5
GROUPS = (
    *("account", "collateral", "collateralTransaction", "position", "positionTransaction"),
    *("deposit", "withdraw", "transferIn", "transferOut", "order", "orderFillTransaction"),
)


class PrivateStreams:
    """Everybody who listens to an account."""

    def __init__(self, exchange: EdgexTruth, timers: Timers, accounts: AccountData) -> None:
        self._exchange = exchange
        self._timers = timers
        self._accounts = accounts
        self._listeners: dict[int, SimConnection] = {}
        exchange.settings_hook = self._tell_settings

    def enter(self, conn: SimConnection) -> None:
        """A listener of `conn.account`, told what is so now."""
        self._listeners[conn.id] = conn
        account, accounts = conn.account, self._accounts
        orders = self._exchange.open_orders(account)
        snapshot = self._frame(
            account,
            "Snapshot",
            account=[accounts.render_account(account)],
            collateral=[accounts.render_collateral(account)],
            position=accounts.render_positions(account),
            order=[accounts.render_order(order) for order in orders],
        )
        conn.send(snapshot, "snapshot")

    def leave(self, conn: SimConnection) -> None:
        self._listeners.pop(conn.id, None)

    def render(self, event: SimEvent) -> None:
        match event:
            case OrderChanged(order):
                row = self._accounts.render_order(order)
                self._tell(order.account, "ORDER_UPDATE", "order", order=[row])
            case Traded(fill):
                self._accounts.note_fill(fill)
                self._timers.after(CENSOR_BEHIND, lambda: self._tell_booked(fill))
            case PositionChanged(position):
                if self._accounts.take_payment(position):
                    self._tell_payment(position)

    def _tell_booked(self, fill: SimFill) -> None:
        """The second word of an execution."""
        self._accounts.book(fill)
        account, accounts = fill.order.account, self._accounts
        self._tell(
            account,
            "ORDER_UPDATE",
            "fill",
            collateral=[accounts.render_collateral(account)],
            position=[accounts.render_position(account, fill.order.symbol)],
            order=[accounts.render_order(fill.order)],
            orderFillTransaction=[accounts.render_fill(fill)],
        )

    def _tell_payment(self, position: SimPosition) -> None:
        account, accounts = position.account, self._accounts
        payment = accounts.newest_payment(account)
        self._tell(
            account,
            "FUNDING_SETTLEMENT",
            "position",
            collateral=[accounts.render_collateral(account)],
            collateralTransaction=[payment.collateral],
            position=[accounts.render_position(account, position.symbol)],
            positionTransaction=[payment.position],
        )

    def _tell_settings(self, account: str) -> None:
        row = self._accounts.render_account(account)
        self._tell(account, "ACCOUNT_UPDATE", "position", account=[row])

    def _tell(self, owner: str, event: str, kind: str, **rows: list[dict[str, Json]]) -> None:
        frame = self._frame(owner, event, **rows)
        for conn in list(self._listeners.values()):
            if conn.account == owner:
                conn.send(frame, kind)

    def _frame(self, owner: str, event: str, **rows: list[dict[str, Json]]) -> Json:
        """Groups that were not touched are empty; `accountId` was 0 in every recorded frame."""
        if event != "Snapshot":
            self._accounts.versions[owner] += 1
        content = {
            "event": event,
            "version": self._accounts.versions[owner],
            "data": {group: rows.get(group, []) for group in GROUPS},
            "time": self._exchange.clock.now_ms(),
            "accountId": 0,
        }
        return {"type": "trade-event", "content": content}


class Sockets:
    """What is said on any socket: greetings, pings, subscriptions."""

    def __init__(
        self,
        exchange: EdgexTruth,
        timers: Timers,
        rng: random.Random,
        streams: PublicStreams,
    ) -> None:
        self._clock = exchange.clock
        self._timers = timers
        self._rng = rng
        self._streams = streams

    def greet(self, conn: SimConnection) -> None:
        """A private socket is told the time."""
        words = {"sid": str(UUID(int=self._rng.getrandbits(128))), "type": "connected"}
        told = {"time": str(self._clock.now_ms())} if conn.private else {}
        conn.send({**words, **told}, "ack")
        conn.state["unanswered"] = []
        self._ping_later(conn)

    def _ping_later(self, conn: SimConnection) -> None:
        left = PING_EVERY_MS - (self._clock.now_ms() + EARLY_MS) % PING_EVERY_MS + EARLY_MS
        self._timers.after(left / 1000, lambda: self._ping(conn))

    def _ping(self, conn: SimConnection) -> None:
        if not conn.open:
            return
        if len(conn.state["unanswered"]) >= MOST_UNANSWERED:
            conn.close(1000, "ping timeout")
            return
        now = str(self._clock.now_ms())
        conn.state["unanswered"].append(now)
        conn.send({"type": "ping", "time": now})
        self._ping_later(conn)

    def accept(self, conn: SimConnection, text: str) -> Json | None:
        """One frame.

        Returns: the direct answer; None where it was pushed, or there is none.
        """
        message = _read(text)
        match message.get("type"):
            case "ping":
                return {"type": "pong", "time": message.get("time", "")}
            case "pong":
                if message.get("time") in conn.state["unanswered"]:
                    conn.state["unanswered"].clear()
                return None
            case "subscribe" | "unsubscribe" if not conn.private:
                return self._listen(conn, message)
        return _error("GATEWAY_UNRECOGNIZED_MESSAGE", "unrecognized message")

    def _listen(self, conn: SimConnection, message: dict[str, Any]) -> Json | None:
        channel = str(message.get("channel"))
        if message["type"] == "unsubscribe":
            self._streams.drop(conn, channel)
            return {"type": "unsubscribed", "channel": channel, "request": "{}"}
        try:
            self._streams.listen(conn, channel)
        except Refusal as refusal:
            return _error(refusal.code, refusal.message)
        return None


def _read(text: str) -> dict[str, Any]:
    """{} for what is no message."""
    try:
        message = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return message if isinstance(message, dict) else {}


def _error(code: str, message: str) -> Json:
    return {"type": "error", "content": {"code": code, "msg": message}}

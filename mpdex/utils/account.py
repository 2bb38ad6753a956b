"""What is known of one account: positions and open orders as the venue tells them, fills once each.

Nothing is inferred. A position is what the venue last said, never a sum of fills (a snapshot may
already hold a fill whose event is still to come), and between a drop of the stream and the next
snapshot reads raise. A snapshot asked for by REST may be older than events that came while it was
under way; what those said stays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from mpdex.errors import NotSynced
from mpdex.types import (
    Event,
    Fill,
    FillUpdate,
    Order,
    OrderUpdate,
    Position,
    PositionUpdate,
    StreamDown,
)

# Fills and ended orders that are remembered, oldest out: one a second for 24 hours (86,400), which
# is how long a late or repeated report must still be recognized. Full, the fills take 14 MB.
REMEMBERED = 100_000


class Account:
    """One account of one venue.

    Args:
        venue: for messages.
        remembered: how many fills and ended orders are recognized again.

    Attributes:
        synced: whether positions and open orders are known at this moment.
        revision: grows with every event; read it before asking for a snapshot.
    """

    def __init__(self, venue: str = "", *, remembered: int = REMEMBERED) -> None:
        self.synced = False
        self.revision = 0
        self._venue = venue
        self._fills = _Memory(remembered)
        self._ended = _Memory(2 * remembered)  # by id and by client id
        self._positions: dict[str, Position] = {}
        self._orders: dict[str, Order] = {}  # by id; by client key while it has none
        self._said: dict[str, tuple[int, int | None]] = {}  # symbol -> revision, venue's time
        self._told: dict[str, int] = {}  # key of an open order -> revision
        self._dropped = 0  # revision of the last drop

    # ------------------------------------------------------------------ in

    def apply(self, event: Event) -> Event | None:
        """The event, or None when it is no news.

        No news are a fill known already, a position older than the last one, and a report of an
        order that goes back: open after it ended, or less filled than it was.
        """
        self.revision += 1
        if isinstance(event, FillUpdate):
            return event if self._fills.add(_fill_key(event.fill)) else None
        if isinstance(event, OrderUpdate):
            return event if self._take_order(event.order) else None
        if isinstance(event, PositionUpdate):
            return event if self._take_position(event) else None
        if isinstance(event, StreamDown):
            self.synced = False
            self._dropped = self.revision
        return event

    def load(
        self,
        positions: Iterable[Position],
        orders: Iterable[Order],
        asked: int | None = None,
    ) -> bool:
        """Take a complete snapshot of open positions and open orders.

        Args:
            asked: `revision` as it was before the venue was asked. Symbols and orders of which
                events told later keep what those said. None: nothing came since.

        Returns:
            False when the stream dropped after the question: what came meanwhile may be lost, so
            the snapshot is not taken and has to be asked for again.
        """
        since = self.revision if asked is None else asked
        if self._dropped > since:
            return False
        newer = {symbol for symbol, (said, _) in self._said.items() if said > since}
        kept = {symbol: self._positions[symbol] for symbol in newer if symbol in self._positions}
        fresh = {p["symbol"]: p for p in positions if p["symbol"] not in newer}
        self._positions = fresh | kept
        self._load_orders(orders, since)
        self.synced = True
        return True

    def _load_orders(self, orders: Iterable[Order], since: int) -> None:
        before = self._orders
        newer = {key for key, told in self._told.items() if told > since}
        self._orders = {key: order for key, order in before.items() if key in newer}
        self._told = {key: told for key, told in self._told.items() if key in newer}
        for order in orders:
            key = order["id"]
            if key in newer or key in self._ended:
                continue
            known = before.get(key, order)
            self._orders[key] = known if order["filled"] < known["filled"] else order
            self._told[key] = since

    def _take_position(self, update: PositionUpdate) -> bool:
        _, before = self._said.get(update.symbol, (0, None))
        now = update.timestamp_ms
        if now is not None and before is not None and now < before:
            return False
        self._said[update.symbol] = (self.revision, before if now is None else now)
        if update.position is not None and update.size:
            self._positions[update.symbol] = update.position
        else:
            self._positions.pop(update.symbol, None)
        return True

    def _take_order(self, order: Order) -> bool:
        key = self._key_of(order)
        if key in self._ended:
            return False
        if order["status"].terminal:
            self._forget_order(key)
            self._ended.add(key)
            if order["client_order_id"]:
                self._ended.add(_client_key(order))
            return True
        before = self._orders.get(key)
        if before is not None and order["filled"] < before["filled"]:
            return False
        self._orders[key] = order
        self._told[key] = self.revision
        return True

    def _key_of(self, order: Order) -> str:
        """Its id, and its client key only while no id is known; what is known moves along."""
        client_id, client_key = order["client_order_id"], _client_key(order)
        if order["id"]:
            early = self._forget_order(client_key)
            if early is not None:
                self._orders[order["id"]] = early
            return order["id"]
        same = (o["id"] for o in self._orders.values() if o["client_order_id"] == client_id)
        return next(same, "") or client_key

    def _forget_order(self, key: str) -> Order | None:
        self._told.pop(key, None)
        return self._orders.pop(key, None)

    # ------------------------------------------------------------------ out

    def position(self, symbol: str) -> Position | None:
        """None: flat. Raises: NotSynced."""
        self._check()
        return self._positions.get(symbol)

    def positions(self) -> list[Position]:
        """Every open one. Raises: NotSynced."""
        self._check()
        return list(self._positions.values())

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """Of one market, or of the account. Raises: NotSynced."""
        self._check()
        return [o for o in self._orders.values() if symbol is None or o["symbol"] == symbol]

    def _check(self) -> None:
        if not self.synced:
            raise NotSynced(
                "positions and open orders are not known; wait for the next snapshot",
                venue=self._venue,
            )


class _Memory:
    """The last `limit` different keys."""

    __slots__ = ("_known", "_limit", "_queue")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: set[str] = set()
        self._queue: deque[str] = deque()

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def add(self, key: str) -> bool:
        """Whether it is new."""
        if key in self._known:
            return False
        self._known.add(key)
        self._queue.append(key)
        if len(self._queue) > self._limit:
            self._known.discard(self._queue.popleft())
        return True


def _fill_key(fill: Fill) -> str:
    return f"{fill['order_id']} {fill['id']}"


def _client_key(order: Order) -> str:
    """Apart from ids, which may look the same."""
    return f"client {order['client_order_id']}"

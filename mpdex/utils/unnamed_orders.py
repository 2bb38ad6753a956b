"""What is remembered of orders that a venue knows by its own ids alone.

It takes no client id. Ours names the answer's id for as long as this program runs; an order whose
answer was lost is looked for in the venue's list by what it was: market, side, size, price and the
time it was sent. One row that fits and is nobody else's is the order. More than one, or more than
one order that it could be, and nobody can say: that is told as it is, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mpdex.errors import OutcomeUnknown
from mpdex.types import Order, OrderRequest

# Between our clock and the venue's; between sending and the row, a request being given up after
# 10 s.
BEFORE_MS, AFTER_MS = 5_000, 60_000
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Sent:
    """An order on its way, or acknowledged. `order_id`: "" until it is known."""

    order: OrderRequest
    sent_ms: int
    order_id: str = ""

    def may_be(self, row: Order) -> bool:
        """Whether a row could be this order."""
        order, at = self.order, row["timestamp_ms"]
        same = (row["symbol"], row["side"], row["size"], row["price"])
        if same != (order.symbol, order.side, order.size, order.price):
            return False
        return at is not None and self.since_ms <= at <= self.sent_ms + AFTER_MS

    def rivals(self, other: Sent) -> bool:
        """Whether one row could be either of two orders."""
        mine, its = self.order, other.order
        alike = (mine.symbol, mine.side, mine.size, mine.price)
        near = abs(self.sent_ms - other.sent_ms) <= BEFORE_MS + AFTER_MS
        return near and alike == (its.symbol, its.side, its.size, its.price)

    @property
    def since_ms(self) -> int:
        return self.sent_ms - BEFORE_MS


class UnnamedOrders:
    """The orders of one account that this program has sent.

    Args:
        made_ms: when an id was made, by this program or an earlier run of it; None: by neither.
    """

    def __init__(self, venue: str, made_ms: Callable[[str], int | None]) -> None:
        self._venue = venue
        self._made_ms = made_ms
        self._sent: dict[str, Sent] = {}  # by client id
        self._names: dict[str, str] = {}  # client id, by order id

    def note(self, order: OrderRequest, now_ms: int) -> None:
        """It is about to be sent."""
        self._sent[order.client_id] = Sent(order, now_ms)
        if len(self._sent) > _REMEMBERED:
            oldest = next(iter(self._sent))
            self._names.pop(self._sent.pop(oldest).order_id, None)

    def name(self, client_id: str, order_id: str) -> None:
        """The venue calls it so."""
        sent = self._sent.get(client_id)
        if sent is not None:
            self._sent[client_id] = replace(sent, order_id=order_id)
            self._names[order_id] = client_id

    def forget(self, client_id: str) -> None:
        """It was refused: it never was."""
        self._sent.pop(client_id, None)

    def order_id_of(self, client_id: str) -> str:
        """ "" where it is not known."""
        sent = self._sent.get(client_id)
        return "" if sent is None else sent.order_id

    def client_id_of(self, order_id: str) -> str | None:
        return self._names.get(order_id)

    def since_ms(self, client_id: str) -> int | None:
        """Before which the order is in no row; None: it is of nobody here."""
        sent = self._sent.get(client_id)
        if sent is not None:
            return sent.since_ms
        made_ms = self._made_ms(client_id)
        return None if made_ms is None else made_ms - BEFORE_MS

    def find(self, client_id: str, symbol: str, rows: Sequence[Order]) -> Order | None:
        """The order among all rows since `since_ms`, which is named from now on.

        None: no row is it. Raises: OutcomeUnknown where that cannot be told.
        """
        if client_id in self._sent:
            return self._find(client_id, rows)
        made_ms = self._made_ms(client_id)
        if made_ms is not None:
            self._rule_out(client_id, made_ms, symbol, rows)
        return None

    def _find(self, client_id: str, rows: Sequence[Order]) -> Order | None:
        """The order of this run among rows of the list.

        None: no row is it. Raises: OutcomeUnknown where that cannot be told.
        """
        sent = self._sent[client_id]
        free = [row for row in rows if row["id"] not in self._names and sent.may_be(row)]
        if not free:
            return None
        rivals = [
            other
            for own, other in self._sent.items()
            if own != client_id and not other.order_id and sent.rivals(other)
        ]
        if len(free) > 1 or rivals:
            raise self._undecided(client_id, free)
        [row] = free
        self.name(client_id, row["id"])
        return {**row, "client_order_id": client_id}

    def _rule_out(self, client_id: str, made_ms: int, symbol: str, rows: Sequence[Order]) -> None:
        """An order of an earlier run, of which nothing but its id's time is known, is no row.

        Raises: OutcomeUnknown where one could be it.
        """
        began, ended = made_ms - BEFORE_MS, made_ms + AFTER_MS
        free = [
            row
            for row in rows
            if row["symbol"] == symbol
            and row["id"] not in self._names
            and began <= (row["timestamp_ms"] or began) <= ended
        ]
        if free:
            raise self._undecided(client_id, free)

    def _undecided(self, client_id: str, rows: Sequence[Order]) -> OutcomeUnknown:
        ids = ", ".join(row["id"] for row in rows[:5])
        error = OutcomeUnknown(
            f"order {client_id} may be one of {ids}; look at the venue's page", venue=self._venue
        )
        error.client_order_id = client_id
        return error

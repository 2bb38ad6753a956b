"""What is remembered of orders that a venue knows by its own ids alone.

It takes no client id. Ours names the answer's id, here and in a file for the next run; an order
whose answer was lost is looked for in the venue's list by what it was: market, side, size, price
and the time it was sent. One row that fits and is nobody else's is the order. More than one, or
more than one order that it could be, and nobody can say: that is told as it is, never guessed.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from mpdex.errors import OutcomeUnknown
from mpdex.types import Order, OrderRequest, Side

log = logging.getLogger("mpdex.orders")

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


class _Line(msgspec.Struct, omit_defaults=True):
    """One change in the file: an order about to be sent, or the name that it got.

    `refused`: it never was.
    """

    client_id: str
    symbol: str = ""
    side: Side = "buy"
    size: Decimal = Decimal(0)
    price: Decimal | None = None
    sent_ms: int = 0
    order_id: str = ""
    refused: bool = False


_line: Final = msgspec.json.Decoder(_Line).decode


class UnnamedLog:
    """The file of one account, readable by its owner alone.

    What is written survives the process, and not a power cut: to wait for the disk would make every
    order late. No order waits for a file that cannot be written, either; that is only logged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[_Line]:
        """The newest lines; one that a crash cut short is left out."""
        try:
            with self._path.open("rb") as file:
                newest = deque(file, maxlen=3 * _REMEMBERED)
        except FileNotFoundError:
            return []
        except OSError as error:
            log.warning("%s: orders of earlier runs are not known: %s", self._path.name, error)
            return []
        lines = []
        for text in newest:
            try:
                lines.append(_line(text))
            except msgspec.MsgspecError:
                continue
        return lines

    def add(self, line: _Line) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
            with os.fdopen(os.open(self._path, flags, 0o600), "ab") as file:
                file.write(msgspec.json.encode(line) + b"\n")
        except OSError as error:
            log.warning("%s: not noted for the next run: %s", self._path.name, error)


class UnnamedOrders:
    """The orders of one account that this program has sent.

    Args:
        made_ms: when an id was made, by this program or an earlier run of it; None: by neither.
        log: keeps them for the next run; None: nothing does.
    """

    def __init__(
        self, venue: str, made_ms: Callable[[str], int | None], log: UnnamedLog | None = None
    ) -> None:
        self._venue = venue
        self._made_ms = made_ms
        self._sent: dict[str, Sent] = {}  # by client id
        self._names: dict[str, str] = {}  # client id, by order id
        self._log = log
        self._replay(log.read() if log is not None else ())

    def _replay(self, lines: Iterable[_Line]) -> None:
        for line in lines:
            if line.refused:
                self._sent.pop(line.client_id, None)
            elif line.order_id:
                self._name(line.client_id, line.order_id)
            else:
                order = OrderRequest(
                    symbol=line.symbol,
                    side=line.side,
                    size=line.size,
                    price=line.price,
                    client_id=line.client_id,
                )
                self._note(order, line.sent_ms)

    def note(self, order: OrderRequest, now_ms: int) -> None:
        """It is about to be sent."""
        self._note(order, now_ms)
        what = (order.symbol, order.side, order.size, order.price)
        self._write(_Line(order.client_id, *what, sent_ms=now_ms))

    def name(self, client_id: str, order_id: str) -> None:
        """The venue calls it so."""
        if self._name(client_id, order_id):
            self._write(_Line(client_id, order_id=order_id))

    def forget(self, client_id: str) -> None:
        """It was refused: it never was."""
        self._sent.pop(client_id, None)
        self._write(_Line(client_id, refused=True))

    def _note(self, order: OrderRequest, now_ms: int) -> None:
        self._sent[order.client_id] = Sent(order, now_ms)
        if len(self._sent) > _REMEMBERED:
            oldest = next(iter(self._sent))
            self._names.pop(self._sent.pop(oldest).order_id, None)

    def _name(self, client_id: str, order_id: str) -> bool:
        """Whether that is new."""
        sent = self._sent.get(client_id)
        if sent is None or sent.order_id == order_id:
            return False
        self._sent[client_id] = replace(sent, order_id=order_id)
        self._names[order_id] = client_id
        return True

    def _write(self, line: _Line) -> None:
        if self._log is not None:
            self._log.add(line)

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

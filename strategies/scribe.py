"""What of a run goes into its journal, and when: before it is acted on.

A disk that takes no more lines is told once, and never keeps a hedge from leaving: only an order
that makes exposure waits for its line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from mpdex.types import Fill, Order
from mpdex.utils.journal import Writer
from strategies.desk import NEUTRALIZING, Desk
from strategies.words import (
    ROLES,
    AccountRead,
    Answered,
    BookTick,
    CancelAcked,
    ClockRead,
    Event,
    FillSeen,
    FundingRead,
    JournalFailed,
    Kind,
    MarketRead,
    NotAnswered,
    OrderSeen,
    Place,
    PlaceAcked,
    PlaceRefused,
    PositionSeen,
    Role,
    Snapshot,
    SnapshotFailed,
    Source,
    Timer,
)

# Seen many times a minute, and nothing follows from them after the run.
_PASSING = (
    AccountRead,
    BookTick,
    ClockRead,
    FundingRead,
    JournalFailed,
    MarketRead,
    NotAnswered,
    PositionSeen,
    SnapshotFailed,
    Timer,
)


class Scribe:
    """Writes one run's lines.

    Args:
        failed: called when a line cannot be written, each time.
    """

    def __init__(self, journal: Writer, failed: Callable[[OSError], None]) -> None:
        self._journal = journal
        self._failed = failed
        self._external: Mapping[str, Any] = {}
        self._unsynced = False

    def write(self, kind: str, **fields: Any) -> bool:
        """One line; False if the disk did not take it."""
        try:
            self._journal.write(kind, **fields)
        except OSError as error:
            self._failed(error)
            return False
        self._unsynced = True
        return True

    def sync(self) -> bool:
        """Waits for the disk; False if it does not take it."""
        try:
            self._journal.sync()
        except OSError as error:
            self._failed(error)
            return False
        self._unsynced = False
        return True

    @property
    def behind(self) -> bool:
        """Whether lines were written that a power cut would take."""
        return self._unsynced and self._journal.durable

    def take_synced(self) -> Callable[[], None]:
        """What is to be called, on whatever thread, to put the lines so far on the disk."""
        self._unsynced = False
        return self._journal.sync

    # ----------------------------------------------------------------- what was heard

    def hear(self, event: Event, desk: Desk) -> None:
        """A fill is in the journal before the hedge it causes."""
        match event:
            case FillSeen(role, fill, source):
                self._fill(desk, role, fill, source)
            case OrderSeen(role, order, _):
                self._order(role, order)
            case PlaceAcked(role, client_id, order):
                self._order(role, order, client_id)
            case CancelAcked(role, client_id, order) if order is not None:
                self._order(role, order, client_id)
            case PlaceRefused(role, client_id, refusal, detail):
                self.write(
                    "refused", role=role, client_id=client_id, refusal=refusal, detail=detail
                )
            case Answered(role, client_id, order, fills):
                self._answers(desk, role, {client_id: order}, fills, "query")
            case Snapshot(role, orders, fills, _, strays):
                for stray in strays:
                    self._stray(desk, role, stray)
                self._answers(desk, role, orders, fills, "barrier")
            case event if not isinstance(event, _PASSING):
                self.write("event", what=type(event).__name__, text=str(event))

    def _answers(
        self,
        desk: Desk,
        role: Role,
        orders: Mapping[str, Order | None],
        fills: tuple[Fill, ...],
        source: Source,
    ) -> None:
        for fill in fills:
            if not _known(desk, role, fill):
                self._fill(desk, role, fill, source)
        for client_id, order in orders.items():
            if order is not None:
                self._order(role, order, client_id)

    def _stray(self, desk: Desk, role: Role, order: Order) -> None:
        """An order with our mark whose intent is lost: from now on it has one."""
        client_id = order["client_order_id"]
        if desk.find(role, client_id, order["id"]) is None:
            self._lost(role, Kind.MAKER, client_id or order["id"], order)

    def _fill(self, desk: Desk, role: Role, fill: Fill, source: Source) -> None:
        client_id = fill["client_order_id"]
        known = desk.find(role, client_id, fill["order_id"])
        if known is None and desk.setup.is_lost(role, client_id, fill["timestamp_ms"]):
            kind = Kind.HEDGE if role == "hedge" else Kind.UNWIND
            self._lost(role, kind, client_id or fill["order_id"], fill, cycle=desk.cycles)
        self.write("fill", role=role, source=source, **_bare(fill))

    def _lost(
        self, role: Role, kind: Kind, client_id: str, known: Order | Fill, cycle: int = 0
    ) -> None:
        self.write(
            "intent",
            role=role,
            purpose=kind.value,
            cycle=cycle,
            client_id=client_id,
            symbol=known["symbol"],
            side=known["side"],
            size=known["size"],
            price=known["price"],
            post_only=kind is Kind.MAKER,
            reduce_only=False,
            decision=None,
            attempt=None,
        )

    def _order(self, role: Role, order: Order, client_id: str | None = None) -> None:
        told = _bare(order)
        if client_id is not None:
            told["client_order_id"] = client_id
        self.write("order", role=role, **told)

    # ----------------------------------------------------------------- what was decided

    def intent(self, command: Place, desk: Desk) -> bool:
        """Before the order leaves. False: it must not leave.

        An order that makes exposure waits for the disk itself; one that makes neutral for nothing.
        """
        order, neutral = command.order, command.kind in NEUTRALIZING
        tracked = desk.known.get((command.role, order.client_id))
        written = self.write(
            "intent",
            role=command.role,
            purpose=command.kind.value,
            cycle=command.cycle,
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side,
            size=order.size,
            price=order.price,
            post_only=order.post_only,
            reduce_only=order.reduce_only,
            decision=None if tracked is None else tracked.decision_price,
            attempt=_attempt(command, desk),
        )
        return neutral or (written and self.sync())

    def external(self, desk: Desk) -> None:
        """Positions that changed by no fill of ours, if they did since the last line."""
        told = {
            "baseline": desk.baseline,
            "adopted": {role: _adopted(desk, role) for role in ROLES},
        }
        if told != self._external:
            first, self._external = not self._external, _copied(told)
            if not first:
                self.write("external", **told)


def _attempt(command: Place, desk: Desk) -> dict[str, Any] | None:
    """The cycle that begins with this order, or goes on with it."""
    cycle = desk.cycle
    if cycle is None or command.kind not in (Kind.MAKER, Kind.FLATTEN):
        return None
    return {"closing": cycle.closing, "counts": cycle.counts, "size": cycle.size}


def _adopted(desk: Desk, role: Role) -> tuple[Decimal, Decimal]:
    account = desk.ledger.accounts[role]
    return (account.adopted, account.adopted_cash)


def _copied(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: dict(value) for key, value in told.items()}


def _known(desk: Desk, role: Role, fill: Fill) -> bool:
    order = desk.find(role, fill["client_order_id"], fill["order_id"])
    return order is not None and fill["id"] in order.fills


def _bare(item: Mapping[str, Any]) -> dict[str, Any]:
    """Without the venue's own text, which may be long, and under names of our own."""
    return {key: value for key, value in item.items() if key not in ("raw", "type")}

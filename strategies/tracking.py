"""Our orders: what is known of each, and which of them may still change the position.

    SENT       bytes are out, no answer
    OPEN       the venue knows it
    UNKNOWN    nobody can say: it may live, have filled, or still arrive
    ENDED      the venue says it is over, its executed size is not confirmed
    SETTLED    over, and its executed size is what the ledger has

Only SETTLED frees anything. Terminal never returns to open; the executed size never shrinks.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from mpdex.types import OrderRequest, TimeInForce
from strategies.ledger import ZERO, OrderKey, signed
from strategies.words import Kind, Role


class Life(StrEnum):
    """Where an order is."""

    SENT = "sent"
    OPEN = "open"
    UNKNOWN = "unknown"
    ENDED = "ended"
    SETTLED = "settled"


@dataclass(slots=True)
class Tracked:
    """One order of ours. Times are monotonic seconds unless the name says `_ms`.

    Attributes:
        filled: executed, by fills and reports together.
        bound: the venue refuses the request if it arrives after this.
        unverified: its stream was lost since it was last reported.
        absent: "not found" answers that count as evidence.
        doubted: it was UNKNOWN once; if it turns out to live, it is canceled, never adopted.
        ask_at, cancel_at: when the next query or cancel is due; None: none is.
        barred: its cancel took so long that the whole venue was asked.
        trigger_ms: venue time of the fill that made this hedge necessary.
    """

    role: Role
    kind: Kind
    request: OrderRequest
    cycle: int
    sent: float
    sent_ms: int
    bound: float
    life: Life = Life.SENT
    order_id: str = ""
    filled: Decimal = ZERO
    unverified: bool = False
    doubted: bool = False
    absent: int = 0
    absent_at: float = 0.0
    ask_at: float | None = None
    asked: int = 0
    asking: bool = False
    cancel_at: float | None = None
    cancels: int = 0
    cancel_first: float | None = None
    barred: bool = False
    decision_price: Decimal | None = None
    trigger_ms: int | None = None

    @property
    def key(self) -> OrderKey:
        return (self.role, self.request.client_id)

    @property
    def rest(self) -> Decimal:
        """What it may still execute, never negative."""
        if self.life is Life.SETTLED:
            return ZERO
        return max(self.request.size - self.filled, ZERO)

    @property
    def reserved(self) -> Decimal:
        """The rest, signed, of an order that makes neutral; a quote reserves nothing."""
        if self.kind in (Kind.MAKER, Kind.FLATTEN):
            return ZERO
        return signed(self.request.side, self.rest)

    @property
    def immediate(self) -> bool:
        return self.request.time_in_force is not TimeInForce.GTC

    @property
    def settled(self) -> bool:
        return self.life is Life.SETTLED

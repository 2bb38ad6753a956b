"""Our orders: what the hedge adds to the life of an order (`mpdex.utils.orders`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from mpdex.types import Lane
from mpdex.utils.orders import State, TrackedOrder
from strategies.ledger import ZERO, OrderKey, signed
from strategies.words import Kind, Role, Source

# By so many seconds an answer may be older than what was told before it.
_STALE = 5.0


@dataclass(slots=True, kw_only=True)
class Tracked(TrackedOrder):
    """One order of ours. Times are monotonic seconds unless the name says `_ms`.

    Attributes:
        immediate: it never rests.
        bound: the venue refuses the request if it arrives after this.
        unverified: its stream was lost since it was last reported.
        absent: "not found" answers that count as evidence.
        ask_at, cancel_at: when the next query or cancel is due; None: none is.
        barred: its cancel took so long that the whole venue was asked.
        trigger_ms: venue time of the fill that made this hedge necessary.
        synthetic_price: average of the synthetic part.
        sources: channels by which reports on it have come; an acknowledgement is none.
        named: when the venue's own id was told.
        seen: when the last one came; looked, lane: when it was last asked about, and how urgently.
        doubted_at: since when its fate is not known.
        escalated: that took too long, and more than queries was done about it.
        fencing: its nonce is being used up; fence_at: when that is tried (again); fenced: done.
        refused: class of the refusal that ended it; "" for another end.
        in_book: the public book has shown its size; missing_since: it does not any more.
        ended_at: when it was first told ended, by somebody who did not tell how much was filled.
        told: the synthetic part is recorded as a trade of its own: nobody waits for its fills.
    """

    role: Role
    kind: Kind
    immediate: bool
    cycle: int
    sent: float
    sent_ms: int
    bound: float
    unverified: bool = False
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
    synthetic_price: Decimal = ZERO
    sources: set[Source] = field(default_factory=set)
    seen: float = 0.0
    named: float | None = None
    looked: float = 0.0
    lane: Lane = Lane.QUERY
    in_book: bool = False
    missing_since: float | None = None
    ended_at: float | None = None
    told: bool = False
    doubted_at: float | None = None
    escalated: bool = False
    fencing: bool = False
    fence_at: float = 0.0
    fenced: bool = False
    refused: str = ""
    settled_at: float = 0.0

    @property
    def key(self) -> OrderKey:
        return (self.role, self.client_id)

    def forgive(self, slept: float) -> None:
        """The machine slept: nobody can be blamed for not having answered meanwhile."""
        if self.cancel_first is not None:
            self.cancel_first += slept
        if self.doubted_at is not None:
            self.doubted_at += slept

    @property
    def reserved(self) -> Decimal:
        """The rest, signed, of an order that makes neutral; others reserve nothing."""
        if self.kind in (Kind.HEDGE, Kind.UNWIND):
            return signed(self.side, self.remaining)
        return ZERO

    @property
    def heard(self) -> bool:
        """Whether the venue has ever told of it."""
        return bool(self.id or self.sources)

    @property
    def absent_from(self) -> float:
        """From when "not found" counts: a request may yet come, and what the venue has told of, or
        given a name to, has come; but an answer may be older than that word."""
        told = self.seen if self.sources else self.named
        return self.bound if told is None else min(self.bound, told + _STALE)

    @property
    def doubtful(self) -> bool:
        return self.unverified or self.state is State.UNKNOWN

"""What is not over yet: something owed, a position in doubt, a fill that nobody owns."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from mpdex.types import Fill
from strategies.ledger import ZERO
from strategies.words import ROLES, Role, Source


@dataclass(slots=True)
class Episode:
    """One stretch of time in which something is owed.

    Attributes:
        since: from when on the oldest part that is still owed is so.
        attempts: hedges that left some of what they were sent for, one after another.
    """

    since: float | None = None
    attempts: int = 0
    unwinds: int = 0
    band_refusals: dict[Role, int] = field(default_factory=lambda: dict.fromkeys(ROLES, 0))
    blind: bool = False  # priced without a valid book, and told
    down_since: float | None = None  # the hedge venue, for our orders
    primary_down_since: float | None = None
    not_before: float = 0.0
    fresh_after: float | None = None
    must_unwind: str = ""
    fatal: str = ""
    no_reduce_only: bool = False
    reduce_only: bool = False  # a leg was taken away: the hedge order closes what is left
    repeats: int = 0  # of a hedge that the next request mends
    grid_asked: bool = False  # market facts were asked for
    read_first: Role | None = None  # a venue whose position must be read before the next attempt

    def never_arrived(self) -> None:
        """An order that never reached the venue says nothing about prices there."""
        self.attempts = max(self.attempts - 1, 0)


@dataclass(slots=True)
class Suspicion:
    """A position at a venue that is not what our fills add up to.

    Attributes:
        difference: signed, what is there beyond our fills.
        reads: answers in a row that said so.
        explained: a fill was seen that is not ours.
        theirs: signed, what such fills add up to; lost: what they took of a leg of ours.
    """

    difference: Decimal
    since: float
    reads: int = 1
    explained: bool = False
    theirs: Decimal = ZERO
    lost: Decimal = ZERO


@dataclass(slots=True)
class Orphan:
    """A fill of an order that is not known yet; its acknowledgement may be on the way."""

    role: Role
    fill: Fill
    source: Source
    at: float

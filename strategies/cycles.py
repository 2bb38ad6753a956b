"""One attempt, and what the fills of its orders add up to."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from mpdex.types import Fill, Side
from strategies.ledger import ZERO, Exposure, OrderKey
from strategies.quoting import Rest
from strategies.words import Kind


@dataclass(slots=True)
class Cycle:
    """One attempt: a quote, its requotes, and the hedges of what filled."""

    number: int
    kind: Kind
    side: Side
    closing: bool
    size: Decimal
    started: float
    aged_from: float
    exposure: Exposure
    counts: bool = True  # as an attempt; what only closes the pair at the end does not
    restarted: bool = False
    leads: bool = False  # a tick before the others is enough
    over: bool = False
    requotes: int = 0
    rest: Rest | None = None
    reason: str = ""
    basis_bps: Decimal | None = None
    edge_bps: Decimal | None = None
    keys: list[OrderKey] = field(default_factory=list)
    quotes: list[OrderKey] = field(default_factory=list)
    filled: Decimal = ZERO
    paid: Decimal = ZERO  # traded value of `filled`
    hedged: Decimal = ZERO
    hedge_paid: Decimal = ZERO
    unwound: Decimal = ZERO
    unwind_paid: Decimal = ZERO
    maker_fee: Decimal = ZERO
    taker_fee: Decimal = ZERO
    first_fill: float | None = None
    hedge_latency_ms: int | None = None
    ended: float = 0.0
    outcome: str = ""


def tally(cycle: Cycle, kind: Kind, fill: Fill) -> None:
    """Adds a fill of an order of this cycle."""
    size, paid, fee = fill["size"], fill["size"] * fill["price"], fill["fee"] or ZERO
    match kind:
        case Kind.HEDGE:
            cycle.hedged += size
            cycle.hedge_paid += paid
        case Kind.UNWIND:
            cycle.unwound += size
            cycle.unwind_paid += paid
        case _:
            cycle.filled += size
            cycle.paid += paid
    add_fee(cycle, fill["liquidity"], fee)


def add_fee(cycle: Cycle, liquidity: str, fee: Decimal) -> None:
    if liquidity == "maker":
        cycle.maker_fee += fee
    else:
        cycle.taker_fee += fee

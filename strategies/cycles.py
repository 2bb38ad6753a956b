"""What the fills of one cycle add up to."""

from __future__ import annotations

from decimal import Decimal

from mpdex.types import Fill
from strategies.desk import Cycle
from strategies.ledger import ZERO
from strategies.words import Kind


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

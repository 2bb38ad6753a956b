"""Which side to quote: what is open is closed, and when nothing is, the policy says how to open.

With a position limit above the clip, one direction is gone on with up to the limit, and from there
closed down to nothing; so a pair never goes to and fro in between. What is too small to be closed
is taken along by opening on the other side of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mpdex.types import Side
from strategies.config import Direction
from strategies.ledger import opposite


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the choice depends on. Sizes in coins.

    Attributes:
        position: on the primary, signed.
        smallest: least that can be closed.
        full: no more may be opened before the pair has been closed.
        last_opening: the side that opened last; None: nothing was opened yet.
        edges: of a purchase and of a sale at the best prices now, in bps; None: not known.
        receiving: the side that funding pays; None: neither.
    """

    position: Decimal
    smallest: Decimal
    full: bool = True
    last_opening: Side | None = None
    edges: tuple[Decimal, Decimal] | None = None
    receiving: Side | None = None


def choose(direction: Direction, situation: Situation) -> tuple[Side, bool]:
    """(side, whether it closes)."""
    position = situation.position
    if not position:
        return _opening(direction, situation), False
    against: Side = "sell" if position > 0 else "buy"
    if abs(position) < situation.smallest:
        return against, False
    return (against, True) if situation.full else (opposite(against), False)


def _opening(direction: Direction, situation: Situation) -> Side:
    match direction:
        case "long-first":
            return "buy"
        case "short-first":
            return "sell"
        case "basis" if situation.edges is not None:
            purchase, sale = situation.edges
            return "buy" if purchase >= sale else "sell"
        case "funding" if situation.receiving is not None:
            return situation.receiving
        case _:
            last = situation.last_opening
            return "buy" if last is None else opposite(last)

"""Orders that cannot fill: what a venue must survive before the first quote."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strategies.desk import Desk


@dataclass(slots=True)
class Canary:
    """How far the canaries are."""

    done: bool = False
    failed: str = ""


def prove(desk: Desk) -> None:
    desk.canary.done = True


def hedge_probe_price(desk: Desk) -> tuple[Decimal, Decimal] | None:
    """(size, price) of a hedge order that cannot fill; None without a book."""
    tick = desk.ticks.get("hedge")
    if tick is None or not tick.bids:
        return None
    market = desk.setup.markets["hedge"]
    price = tick.bids[0][0] * Decimal("0.95") // market["tick"] * market["tick"]
    return desk.least("hedge"), price

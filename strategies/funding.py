"""What the next payment of funding brings or costs a pair.

Rates are fractions of one interval; longs pay a positive one. A venue that does not tell its rate,
or when it is due, is left out: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from mpdex.types import Side
from strategies.words import ROLES, FundingRead, Role

_BPS = Decimal(10_000)
# Payments of two venues so close together are one event.
_TOGETHER_MS = 60_000


class Payment(NamedTuple):
    """The next event, for a pair that is long on the primary; a pair the other way round: minus.

    Attributes:
        bps: of the pair's value on one venue; positive is a cost.
        due_ms: since the epoch.
    """

    bps: Decimal
    due_ms: int

    def cost(self, side: Side) -> Decimal:
        """For a pair opened by this side on the primary."""
        return self.bps if side == "buy" else -self.bps


def next_payment(funding: Mapping[Role, FundingRead], now_ms: int) -> Payment | None:
    """None: nothing is told, or nothing is due."""
    due: dict[Role, int] = {}
    for role, told in funding.items():
        if told.due_ms is not None and told.due_ms > now_ms:
            due[role] = told.due_ms
    if not due:
        return None
    first = min(due.values())
    rates = {r: funding[r].rate for r, at in due.items() if at - first <= _TOGETHER_MS}
    signs = dict(zip(ROLES, (1, -1), strict=True))
    bps = sum((signs[role] * rate for role, rate in rates.items()), Decimal(0)) * _BPS
    return Payment(bps, first)


def receiving_side(funding: Mapping[Role, FundingRead], now_ms: int) -> Side | None:
    """Which side on the primary is paid at the next event; None: neither, or nobody tells."""
    payment = next_payment(funding, now_ms)
    if payment is None or not payment.bps:
        return None
    return "sell" if payment.bps > 0 else "buy"

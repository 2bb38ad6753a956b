"""Funding that falls due while a pair is held is booked at once.

By the rate and the time that the venue told before, for no stream tells of payments: the venue's
own figure may differ a little. Fees and prices of a cycle know nothing of it; the profit of the
run, and with it every limit on losses, does.
"""

from __future__ import annotations

from dataclasses import replace

from strategies.desk import Desk
from strategies.words import ROLES, Carry, FundingRead, Role

# After a payment the next one is asked about, once the venue knows of it.
_NEXT = 5.0


def book_carry(desk: Desk) -> None:
    """Books what has fallen due."""
    for role in ROLES:
        told = desk.funding.get(role)
        if told is None or told.due_ms is None:
            continue
        left = (told.due_ms - desk.setup.wall_ms(desk.now)) / 1000
        if left > 0:
            desk.wake(desk.now + left)
        else:
            _book(desk, role, told, told.due_ms)


def _book(desk: Desk, role: Role, told: FundingRead, due_ms: int) -> None:
    desk.funding[role] = replace(told, due_ms=None)
    desk.read_due[role, "funding"] = desk.now + _NEXT
    position, mid = desk.ledger.position(role), desk.last_mid.get(role)
    if not position or mid is None:
        return
    amount = -position * mid[0] * told.rate
    desk.ledger.carry(role, amount)
    desk.records.append(Carry(role, amount, told.rate, position, mid[0], due_ms))

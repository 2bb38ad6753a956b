"""Fees that a venue tells after the fill itself, or not at all.

A hedge never waits for one: the fill is booked without, and marked so; the fee is added when the
same fill is read again with it. Readings of fills reach back to the oldest that has none.
"""

from __future__ import annotations

from mpdex.types import Fill
from strategies.cycles import Cycle, add_fee
from strategies.desk import Desk
from strategies.ledger import counted
from strategies.tracking import Tracked
from strategies.words import FeeTold


def expect(desk: Desk, order: Tracked, fill: Fill) -> None:
    """Remembers a fill that was booked without its fee."""
    if fill["fee"] is None:
        desk.unpaid[order.role, order.client_id, fill["id"]] = fill["timestamp_ms"]


def complete(desk: Desk, order: Tracked, fill: Fill, cycle: Cycle | None) -> None:
    """Adds the fee of a fill that was booked without, if this is it.

    Args:
        cycle: of the order, unless it has been reported.
    """
    key = (order.role, order.client_id, fill["id"])
    if fill["fee"] is None or desk.unpaid.pop(key, None) is None:
        return
    market = desk.setup.markets[order.role]
    fee = counted(fill, market["quote"])["fee"]
    if fee is not None:
        desk.ledger.accounts[order.role].fees += fee
        if cycle is not None:
            add_fee(cycle, fill["liquidity"], fee)
    desk.lessons.fee(order.role, fill, market)
    desk.records.append(
        FeeTold(
            cycle=order.cycle,
            role=order.role,
            purpose=order.kind,
            side=fill["side"],
            price=fill["price"],
            client_id=order.client_id,
            order_id=fill["order_id"],
            trade_id=fill["id"],
            fee=fill["fee"],
            fee_asset=fill["fee_asset"],
            liquidity=fill["liquidity"],
            timestamp_ms=fill["timestamp_ms"],
        )
    )

"""The record of a cycle that is over: what it traded, earned, cost, and how long it took."""

from __future__ import annotations

from decimal import Decimal

from strategies.booking import inferred_trade
from strategies.cycles import Cycle
from strategies.desk import Desk
from strategies.tracking import Tracked
from strategies.words import CycleDone

_BPS = Decimal(10_000)


def report_cycles(desk: Desk) -> None:
    """Reports ended cycles as soon as their true fills are in, or the grace is over."""
    for cycle in tuple(desk.ended):
        waited = desk.now >= cycle.ended + desk.config.settle_grace
        waiting = inferred(desk, cycle)
        if waiting and not waited:
            desk.wake(cycle.ended + desk.config.settle_grace)
            continue
        desk.records += [inferred_trade(desk, order) for order in waiting]
        desk.ended.remove(cycle)
        desk.lessons.costs.end_cycle(cycle.number, desk.config.limits, desk.now)
        desk.records.append(_summed_up(desk, cycle))
    _report_late(desk)


def inferred(desk: Desk, cycle: Cycle) -> list[Tracked]:
    """Its orders that have traded more than their fills tell."""
    orders = [desk.known[key] for key in cycle.keys]
    return [order for order in orders if order.synthetic and not order.told]


def _report_late(desk: Desk) -> None:
    """Records what an order turned out to have traded after its cycle was reported, once no fill
    tells of it."""
    for key, since in tuple(desk.untold.items()):
        order, due = desk.known[key], since + desk.config.settle_grace
        if order.synthetic and not order.told and desk.now < due:
            desk.wake(due)
            continue
        del desk.untold[key]
        if order.synthetic and not order.told:
            desk.records.append(inferred_trade(desk, order))


def _summed_up(desk: Desk, cycle: Cycle) -> CycleDone:
    primary = cycle.paid / cycle.filled if cycle.filled else None
    hedge = cycle.hedge_paid / cycle.hedged if cycle.hedged else None
    spread = _spread_bps(cycle, primary, hedge)
    first = cycle.first_fill
    return CycleDone(
        cycle=cycle.number,
        started_ms=desk.setup.wall_ms(cycle.started),
        ended_ms=desk.setup.wall_ms(cycle.ended),
        direction=cycle.side,
        closing=cycle.closing,
        counts=cycle.counts,
        size=cycle.size,
        filled=cycle.filled,
        hedged=cycle.hedged,
        unwound=cycle.unwound,
        primary_price=primary,
        hedge_price=hedge,
        raw_spread_bps=spread,
        basis_bps=cycle.basis_bps,
        edge_bps=cycle.edge_bps,
        cost_bps=_cost_bps(cycle),
        maker_fee=cycle.maker_fee,
        taker_fee=cycle.taker_fee,
        requotes=cycle.requotes,
        time_to_fill_ms=None if first is None else int((first - cycle.started) * 1000),
        hedge_latency_ms=cycle.hedge_latency_ms,
        max_exposure=cycle.exposure.maximum,
        exposure_seconds=cycle.exposure.seconds,
        outcome=_outcome(cycle),
        reason=cycle.reason,
    )


def _outcome(cycle: Cycle) -> str:
    if cycle.outcome:
        return cycle.outcome
    if not cycle.filled:
        return "unfilled"
    return "filled" if cycle.filled >= cycle.size else "partial"


def _spread_bps(cycle: Cycle, primary: Decimal | None, hedge: Decimal | None) -> Decimal | None:
    """What the two legs earned on price alone: positive is a gain."""
    if primary is None or hedge is None:
        return None
    sign = 1 if cycle.side == "buy" else -1
    return sign * (hedge - primary) / primary * _BPS


def _cost_bps(cycle: Cycle) -> Decimal | None:
    """Price and fees of everything the cycle traded, of the primary's value; positive is a cost."""
    if not cycle.paid:
        return None
    sign = 1 if cycle.side == "buy" else -1
    back = cycle.hedge_paid + cycle.unwind_paid
    fees = cycle.maker_fee + cycle.taker_fee
    return (sign * (cycle.paid - back) + fees) / cycle.paid * _BPS

"""The one maker slot: when to quote, when to hold, when to pull, when a cycle is over.

There is one slot, and only a settled order frees it. A quote is pulled as soon as a guard objects,
and it is placed only when nothing of ours is under way anywhere.
"""

from __future__ import annotations

from decimal import Decimal

from mpdex.types import Side
from mpdex.utils.precision import snap_size
from strategies.desk import Cycle, Desk, Phase
from strategies.guards import first_reason
from strategies.hedging import reference_price
from strategies.intake import inferred_trade
from strategies.ledger import ZERO, Exposure
from strategies.quoting import (
    Move,
    Rest,
    View,
    at_best,
    clip,
    judge,
    look,
    next_side,
    quote_price,
    stage,
    through,
)
from strategies.tracking import Tracked
from strategies.words import CycleDone, Kind

_BPS = Decimal(10_000)
QUOTING = (Phase.RUNNING, Phase.REDUCING)
# A part-filled quote rests while the first hedge of it is under way; a second attempt is a failure.
_HEALTHY_ATTEMPTS = 1
_SECOND, _MINUTE = 1.0, 60.0


# --------------------------------------------------------------------------- pull


def keep_or_pull(desk: Desk) -> None:
    """Pulls the resting quote as soon as anything speaks against it."""
    order = desk.slot
    if order is None or order.immediate:
        return
    reason = _objection(desk, order)
    if reason:
        desk.cancel(order, reason)


def _objection(desk: Desk, order: Tracked) -> str:
    if order.canceling:
        return "again"
    if desk.phase not in QUOTING:
        return f"{desk.phase}"
    if desk.doubtful:
        return "the fate of an order is not known"
    if desk.episode.attempts > _HEALTHY_ATTEMPTS or desk.episode.must_unwind:
        return "the hedge has trouble"
    return first_reason(desk.facts)


# --------------------------------------------------------------------------- quote


def quote(desk: Desk) -> None:
    """Places, moves or leaves the quote."""
    if desk.phase not in QUOTING:
        return
    slot = desk.slot
    if slot is not None:
        _tend(desk, slot)
    elif not desk.active and not desk.owing:
        _open(desk)


def _tend(desk: Desk, order: Tracked) -> None:
    cycle = desk.cycle
    if not order.state.resting or order.immediate:
        return
    if cycle is None or cycle.rest is None:
        return
    view = _view(desk, cycle.side, order)
    if view is None:
        return
    age, timeout = desk.now - cycle.aged_from, desk.config.fill_timeout
    if age >= timeout:
        _grow_old(desk, cycle, order, view)
        return
    move = judge(cycle.rest, view, order.remaining, stage(age, timeout), desk.now)
    if move is not Move.HOLD and _may_requote(desk, cycle, move):
        cycle.requotes += 1
        desk.requotes.append(desk.now)
        desk.cancel(order, move)


def _grow_old(desk: Desk, cycle: Cycle, order: Tracked, view: View) -> None:
    """At the best price the place in the queue is worth one more turn; otherwise it is over."""
    if not cycle.restarted and cycle.rest is not None and at_best(cycle.rest, view):
        cycle.restarted, cycle.aged_from = True, desk.now
        return
    cycle.over, cycle.reason = True, "fill timeout"
    desk.cancel(order, cycle.reason)


def _may_requote(desk: Desk, cycle: Cycle, move: Move) -> bool:
    if move is Move.GATE:
        return True
    if cycle.requotes and cycle.requotes % desk.config.requotes_per_fill == 0:
        last = desk.requotes[-1] if desk.requotes else 0.0
        if desk.now - last < desk.config.requote_pause:
            return False
    recent = sum(1 for at in desk.requotes if desk.now - at < _MINUTE)
    return recent < desk.config.requotes_per_minute


def _open(desk: Desk) -> None:
    reason = _why_not_now(desk)
    desk.waiting_for = reason
    if reason:
        return
    if desk.cycle is None and not _begin(desk):
        return
    cycle = desk.cycle
    if cycle is None or _is_over(desk, cycle):
        return
    view = _view(desk, cycle.side, None)
    if view is None:
        return
    age = desk.now - cycle.aged_from
    at_stage = stage(age, desk.config.fill_timeout)
    size = _left(desk, cycle)
    price = quote_price(view, size, at_stage, shy=_shyness(desk))
    if price is None or price <= 0:
        return
    cycle.rest = Rest(price, at_stage)
    _remember_prices(desk, cycle, price)
    order = desk.place("primary", Kind.MAKER, cycle.side, size, price, decision=price)
    cycle.quotes.append(order.key)


def _why_not_now(desk: Desk) -> str:
    if desk.now < desk.quote_after:
        desk.wake(desk.quote_after)
        return "cool-down"
    if desk.orphans:
        return "a fill nobody owns yet"
    reason = first_reason(desk.facts)
    if reason:
        return reason
    if desk.rejects and desk.ticks["primary"].at <= desk.rejects[-1]:
        return "a newer book after a refusal"
    if _refused_lately(desk) >= desk.config.post_only_rejects_per_second:
        desk.wake(desk.now + _SECOND)
        return "too many refusals"
    return ""


def _refused_lately(desk: Desk) -> int:
    return sum(1 for at in desk.rejects if desk.now - at < _SECOND)


def _shyness(desk: Desk) -> int:
    """One tick away from the market while refusals for crossing keep coming."""
    limit = desk.config.post_only_rejects_per_second
    recent = sum(1 for at in desk.rejects if desk.now - at < 3 * _SECOND)
    return 1 if recent >= limit else 0


def _begin(desk: Desk) -> bool:
    """A new cycle, if there is something to do on either side."""
    position = desk.ledger.position("primary")
    side, closing = next_side(desk.config.direction, position, desk.smallest, desk.last_opening)
    if desk.phase is Phase.REDUCING and not closing and not desk.residue:
        return False
    size = _size(desk, side, closing)
    if size <= 0:
        return False
    if desk.phase is Phase.REDUCING and not closing:
        desk.absorbing += 1
    _start_cycle(desk, Kind.MAKER, side, closing, size)
    return True


def _size(desk: Desk, side: Side, closing: bool) -> Decimal:
    primary, hedge = desk.setup.markets["primary"], desk.setup.markets["hedge"]
    size = clip(desk.config.size, desk.ledger.exposure, side, primary, hedge)
    if closing:
        size = min(size, snap_size(abs(desk.ledger.position("primary")), primary["step"]))
    return size if size >= desk.least("primary") else ZERO


def _start_cycle(desk: Desk, kind: Kind, side: Side, closing: bool, size: Decimal) -> None:
    desk.cycles += 1
    desk.cycle = Cycle(
        number=desk.cycles,
        kind=kind,
        side=side,
        closing=closing,
        size=size,
        started=desk.now,
        aged_from=desk.now,
        exposure=Exposure(now=desk.ledger.exposure, since=desk.now),
    )


def _view(desk: Desk, side: Side, order: Tracked | None) -> View | None:
    tick = desk.ticks.get("primary")
    if tick is None:
        return None
    own = None
    if order is not None and order.price is not None:
        own = (order.price, order.remaining)
    return look(tick, side, desk.setup.markets["primary"], own)


def _remember_prices(desk: Desk, cycle: Cycle, price: Decimal) -> None:
    """Basis and edge at the moment of quoting, for the report: no gate looks at them here."""
    here, hedge = desk.ticks["primary"].mid, desk.ticks["hedge"]
    if here is None or hedge.mid is None:
        return
    cycle.basis_bps = (here - hedge.mid) / here * _BPS
    there = hedge.sell if cycle.side == "buy" else hedge.buy
    if there is not None:
        sign = 1 if cycle.side == "buy" else -1
        cycle.edge_bps = sign * (there - price) / here * _BPS


# --------------------------------------------------------------------------- close by taking


def flatten(desk: Desk) -> None:
    """Closes the pair with takers: an IOC here, and the debt rule does the other side."""
    if desk.active or desk.owing or desk.cycle is not None or _why_not_now(desk):
        return
    position = desk.ledger.position("primary")
    side: Side = "sell" if position > 0 else "buy"
    size = _size(desk, side, closing=desk.pair_open)
    reference, sound = reference_price(desk, "primary", side)
    if size <= 0 or reference is None or not sound:
        return
    _start_cycle(desk, Kind.FLATTEN, side, desk.pair_open, size)
    bands = desk.config.unwind_bands_bps
    band = bands[min(desk.flatten_misses, len(bands) - 1)]
    price = through(reference, side, band, desk.setup.markets["primary"])
    if desk.cycle is not None:
        _remember_prices(desk, desk.cycle, price)
    desk.place("primary", Kind.FLATTEN, side, size, price, decision=reference)


# --------------------------------------------------------------------------- end of a cycle


def finish_cycle(desk: Desk) -> None:
    """A cycle is over when nothing of it is under way and nothing is owed."""
    cycle = desk.cycle
    if cycle is None or desk.active or desk.owing or desk.orphans:
        return
    traded = cycle.first_fill is not None
    if desk.phase is Phase.RECOVERING or not _is_over(desk, cycle):
        return
    desk.cycle = None
    cycle.ended = desk.now
    cycle.exposure.update(desk.ledger.exposure, desk.now)
    desk.ending.append(cycle)
    desk.quote_after = max(desk.quote_after, desk.now + desk.config.cool_down)
    if cycle.kind is Kind.FLATTEN:
        desk.flatten_misses = 0 if traded else desk.flatten_misses + 1
    elif desk.phase is not Phase.REDUCING:
        desk.attempts += 1
        desk.successes += traded and not cycle.outcome
    if traded and not cycle.closing:
        desk.last_opening = cycle.side


def _is_over(desk: Desk, cycle: Cycle) -> bool:
    if cycle.over or cycle.kind is Kind.FLATTEN or desk.phase not in QUOTING:
        return True
    if _left(desk, cycle) < desk.least("primary"):
        return True
    return desk.now >= cycle.started + 2 * desk.config.fill_timeout


def _left(desk: Desk, cycle: Cycle) -> Decimal:
    """What of the clip has not traded yet."""
    return cycle.size - sum((desk.known[key].cum for key in cycle.quotes), ZERO)


def report_cycles(desk: Desk) -> None:
    """Reports ended cycles as soon as their true fills are in, or the grace is over."""
    for cycle in tuple(desk.ending):
        waited = desk.now >= cycle.ended + desk.config.settle_grace
        orders = [desk.known[key] for key in cycle.keys]
        waiting = [order for order in orders if order.synthetic and not order.told]
        if waiting and not waited:
            desk.wake(cycle.ended + desk.config.settle_grace)
            continue
        desk.records += [inferred_trade(desk, order) for order in waiting]
        desk.ending.remove(cycle)
        desk.records.append(_summed_up(desk, cycle))


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

"""The one maker slot: when to quote, when to hold, when to pull, when a cycle is over.

There is one slot, and only a settled order frees it. A quote is pulled as soon as a guard objects,
and it is placed only when nothing of ours is under way anywhere.
"""

from __future__ import annotations

from decimal import Decimal

from mpdex.types import Side
from mpdex.utils.precision import snap_size
from strategies.books import crossed
from strategies.cycles import Cycle
from strategies.desk import Desk, Phase
from strategies.directions import choose
from strategies.guards import BASICS, budget_of, first_reason, funding_bearable
from strategies.hedging import reference_price
from strategies.ledger import ZERO, Exposure, signed
from strategies.pricing import Bound, bound, situation
from strategies.quoting import (
    Mood,
    Move,
    Rest,
    View,
    at_best,
    clip,
    judge,
    look,
    quote_price,
    stage,
    through,
)
from strategies.tracking import Tracked
from strategies.words import Kind

QUOTING = (Phase.RUNNING, Phase.REDUCING)
# Where a cycle may go on: a gate that shut for a moment does not end an attempt.
_UNDER_WAY = (*QUOTING, Phase.PAUSED)
_SECOND, _MINUTE = 1.0, 60.0
# No cycle begins in the step that ended one: it may have been the last.
_BREATH = 0.001


# --------------------------------------------------------------------------- pull


def keep_or_pull(desk: Desk) -> None:
    """Pulls the resting quote as soon as anything speaks against it."""
    order = desk.slot
    if order is None or order.immediate:
        return
    desk.lessons.last_quote, desk.lessons.quoted_at = order, desk.now
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
    if desk.episode.attempts or desk.episode.must_unwind:
        return "the hedge has trouble"
    worst = desk.ledger.exposure + signed(order.side, order.remaining)
    if abs(worst) > desk.config.size + desk.setup.markets["primary"]["step"]:
        return "the exposure would be too large with it"
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
    if not order.state.resting or order.immediate or cycle is None or cycle.rest is None:
        return
    desk.closed_since = None
    view = _view(desk, cycle.side)
    limits = bound(desk, cycle.side, closing=cycle.closing)
    if view is None or limits is None:
        desk.cancel(order, "its cost is not known")
        return
    move = judge(cycle.rest, view, order.remaining, _mood(desk, cycle, limits), desk.now)
    if move is not Move.GATE and desk.now - cycle.aged_from >= desk.config.fill_timeout:
        _grow_old(desk, cycle, order, at_best(cycle.rest, view))
    elif move is not Move.HOLD and _may_requote(desk, move):
        _note_move(desk, cycle)
        cycle.leads = move is Move.ALONE
        desk.cancel(order, move)


def _mood(desk: Desk, cycle: Cycle, limits: Bound) -> Mood:
    age = 0.0 if _static(desk) else desk.now - cycle.aged_from
    return Mood(
        at_stage=stage(age, desk.config.fill_timeout),
        gate=limits.price,
        shy=_shyness(desk),
        wide=desk.lessons.markouts.wide,
        leads=cycle.leads,
    )


def _grow_old(desk: Desk, cycle: Cycle, order: Tracked, best: bool) -> None:
    """At the best price the place in the queue is worth one more turn; otherwise it is over."""
    if best and not cycle.restarted and cycle.rest is not None and not _static(desk):
        cycle.restarted, cycle.aged_from, cycle.rest.at_stage = True, desk.now, 0
        return
    cycle.over, cycle.reason = True, "fill timeout"
    desk.cancel(order, cycle.reason)


def _may_requote(desk: Desk, move: Move) -> bool:
    """A breached gate is no question of budgets; for the rest the quote stays where it is."""
    if move is Move.GATE:
        return True
    return desk.now >= desk.quote_after and not _out_of_moves(desk) and not _static(desk)


def _static(desk: Desk) -> bool:
    return desk.config.quoting == "static"


def _out_of_moves(desk: Desk) -> bool:
    recent = sum(1 for at in desk.requotes if desk.now - at < _MINUTE)
    allowed = desk.config.requotes_per_minute
    account = desk.accounts.get("primary")
    if account is not None and account.requests_left is not None:
        allowed = budget_of(desk.facts, account).requotes(allowed, desk.config.limits)
    return recent >= allowed


def _note_move(desk: Desk, cycle: Cycle) -> None:
    """Counts a requote; too many without a fill lead to a rest."""
    cycle.requotes += 1
    desk.requotes.append(desk.now)
    lessons = desk.lessons
    lessons.moves += 1
    lessons.unfilled_moves += 1
    if lessons.unfilled_moves >= desk.config.requotes_per_fill:
        lessons.unfilled_moves = 0
        desk.quote_after = desk.now + desk.config.requote_pause


def _open(desk: Desk) -> None:
    """A quote, in a new cycle or in the one under way; or why there is none."""
    desk.waiting_for = _why_not_now(desk) or first_reason(desk.facts)
    if desk.waiting_for:
        return
    cycle = desk.cycle or _next_cycle(desk)
    if cycle is not None and not _is_over(desk, cycle):
        desk.waiting_for = _place(desk, cycle)


def _place(desk: Desk, cycle: Cycle) -> str:
    """Sends a quote; why not, where none makes sense. Only a quote begins a cycle."""
    view = _view(desk, cycle.side)
    limits = bound(desk, cycle.side, closing=cycle.closing)
    if view is None or limits is None:
        return "the cost is not known"
    due = funding_bearable(desk.facts.of(cycle.side, opening=not cycle.closing))
    if due:
        return due
    mood, size = _mood(desk, cycle, limits), _left(desk, cycle)
    price = quote_price(view, size, mood)
    if price is None or price <= 0:
        return f"any {cycle.side} near the market costs more than {limits.limit_bps} bps"
    if desk.cycle is None:
        _begin(desk, cycle)
    cycle.rest = Rest(price, mood.at_stage)
    _remember_prices(desk, cycle, limits, price)
    order = desk.place("primary", Kind.MAKER, cycle.side, size, price, decision=price)
    cycle.quotes.append(order.key)
    return ""


def _why_not_now(desk: Desk) -> str:
    """What speaks against any new order that makes exposure, whatever its price."""
    if desk.now < desk.quote_after:
        desk.wake(desk.quote_after)
        return "cool-down"
    if desk.barred:
        return desk.barred
    if desk.orphans:
        return "a fill nobody owns yet"
    odd = [role for role, tick in desk.ticks.items() if crossed(tick)]
    if odd:
        return f"{odd[0]} book is crossed"
    if desk.rejects and "primary" in desk.ticks and _as_old(desk):
        return "a newer book after a refusal"
    if _refused_lately(desk) >= desk.config.post_only_rejects_per_second:
        desk.wake(desk.now + _SECOND)
        return "too many refusals"
    if desk.cycle is not None and desk.cycle.quotes and _out_of_moves(desk):
        return "the budget of requotes is used up"
    return ""


def _as_old(desk: Desk) -> bool:
    return desk.ticks["primary"].at <= desk.rejects[-1]


def _refused_lately(desk: Desk) -> int:
    return sum(1 for at in desk.rejects if desk.now - at < _SECOND)


def _shyness(desk: Desk) -> int:
    """One tick away from the market while refusals for crossing keep coming."""
    limit = desk.config.post_only_rejects_per_second
    recent = sum(1 for at in desk.rejects if desk.now - at < 3 * _SECOND)
    return 1 if recent >= limit else 0


def _next_cycle(desk: Desk) -> Cycle | None:
    """The cycle that would begin now; None: there is nothing to do on either side."""
    side, closing = choose(desk.config.direction, situation(desk))
    if desk.phase is Phase.REDUCING and not closing and not desk.residue:
        return None
    size = _size(desk, side, closing)
    return _cycle(desk, Kind.MAKER, side, closing, size) if size > 0 else None


def _begin(desk: Desk, cycle: Cycle) -> None:
    desk.cycles, desk.cycle = cycle.number, cycle
    if desk.phase is Phase.REDUCING and not cycle.closing:
        desk.absorbing += 1


def _size(desk: Desk, side: Side, closing: bool) -> Decimal:
    primary, hedge = desk.setup.markets["primary"], desk.setup.markets["hedge"]
    size = clip(desk.config.size, desk.ledger.exposure, side, primary, hedge)
    if closing:
        size = min(size, snap_size(abs(desk.ledger.position("primary")), primary["step"]))
    return size if size >= desk.least("primary") else ZERO


def _cycle(desk: Desk, kind: Kind, side: Side, closing: bool, size: Decimal) -> Cycle:
    return Cycle(
        number=desk.cycles + 1,
        kind=kind,
        side=side,
        closing=closing,
        size=size,
        started=desk.now,
        aged_from=desk.now,
        exposure=Exposure(now=desk.ledger.exposure, since=desk.now),
        counts=kind is Kind.MAKER and desk.phase is not Phase.REDUCING,
    )


def _view(desk: Desk, side: Side) -> View | None:
    tick, own = desk.ticks.get("primary"), desk.lessons.own(desk.now)
    if tick is None:
        return None
    mine = (own.price, own.size) if own is not None and own.side == side else None
    return look(tick, side, desk.setup.markets["primary"], mine)


def _remember_prices(desk: Desk, cycle: Cycle, limits: Bound | None, price: Decimal) -> None:
    """The usual basis and the edge of the quote, as the gate saw them."""
    basis = desk.lessons.books.basis
    cycle.basis_bps = basis.median if basis.count else None
    cycle.edge_bps = None if limits is None else limits.edge(cycle.side, price)


# --------------------------------------------------------------------------- close by taking


def flatten(desk: Desk) -> None:
    """Closes the pair with takers: an IOC here, and the debt rule does the other side.

    What only makes a quote unwise does not keep it open: closing reduces what is at risk.
    """
    if desk.active or desk.owing or desk.cycle is not None:
        return
    desk.waiting_for = _why_not_now(desk) or first_reason(desk.facts, BASICS)
    if desk.waiting_for:
        return
    position = desk.ledger.position("primary")
    side: Side = "sell" if position > 0 else "buy"
    size = _size(desk, side, closing=desk.pair_open)
    reference, sound = reference_price(desk, "primary", side)
    if size <= 0 or reference is None or not sound:
        return
    cycle = _cycle(desk, Kind.FLATTEN, side, desk.pair_open, size)
    desk.cycles, desk.cycle = cycle.number, cycle
    bands = desk.config.unwind_bands_bps
    band = bands[min(desk.flatten_misses, len(bands) - 1)]
    price = through(reference, side, band, desk.setup.markets["primary"])
    _remember_prices(desk, cycle, None, price)
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
    desk.ended.append(cycle)
    desk.quote_after = max(desk.quote_after, desk.now + max(desk.config.cool_down, _BREATH))
    if cycle.kind is Kind.FLATTEN:
        desk.flatten_misses = 0 if traded else desk.flatten_misses + 1
    if cycle.counts:
        desk.attempts += 1
        desk.successes += traded and not cycle.outcome
    if traded and not cycle.closing:
        desk.last_opening = cycle.side
    desk.lessons.turn(full=desk.closing, now=desk.now)


def _is_over(desk: Desk, cycle: Cycle) -> bool:
    if cycle.over or cycle.kind is Kind.FLATTEN or desk.phase not in _UNDER_WAY:
        return True
    if _left(desk, cycle) < desk.least("primary"):
        return True
    return desk.now >= cycle.started + 2 * desk.config.fill_timeout


def _left(desk: Desk, cycle: Cycle) -> Decimal:
    """What of the clip has not traded yet."""
    return cycle.size - sum((desk.known[key].cum for key in cycle.quotes), ZERO)

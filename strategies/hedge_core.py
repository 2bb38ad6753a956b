"""The hedge as a table: an event comes in, commands go out. Pure: no await, no clock, no logger.

Rules:

1. What an event teaches and what is done about it are two things. `intake.LEARN` names who learns
   from which event; then the workers of the phase look at all that is known and decide. So an
   event that is lost or comes twice does no harm: the next one, or the timer, finds the same work.
2. Fills make debt, debt makes hedges. Nothing is ever "marked filled".
3. Only a settled order frees what it held: the maker slot, or its share of the debt.
4. UNKNOWN is a state of its own. Such an order is reserved in full, asked about, never sent again.
5. A quote is placed from IDLE only (`desk.MAY_PLACE`). What makes us neutral is never blocked.

    STARTING -> RUNNING -> REDUCING -> DRAINING -> STOPPED
                   |           |          |
                   +-> RECOVERING <-> ... +-> HALTED (exposed) -> DRAINING

STARTING reads both venues; RECOVERING does it again after a lost stream; REDUCING closes an open
pair when the work is done; DRAINING pulls, settles, hedges and verifies by query; HALTED is
exposed and keeps trying.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from mpdex.types import Lane
from mpdex.utils import orders
from strategies.desk import MAY_PLACE, STATES, Cycle, Desk, Phase, Setup, State
from strategies.guards import session_over_limit
from strategies.hedging import expose, work_debt
from strategies.intake import LEARN, hear
from strategies.maker import finish_cycle, flatten, keep_or_pull, quote, report_cycles
from strategies.tracking import Tracked
from strategies.words import ROLES, Command, Event, Finish, Kind, Query, Role, SetTimer

Worker: TypeAlias = Callable[[Desk], None]

# The backstop: a level-triggered worker that missed its wake-up looks again after this.
_TICK = 0.25
# No timer is set nearer: one that fires a rounding error early would be set again for ever.
_SOON = 0.001
_ORPHAN_SECONDS = 2.0
# Two positions that disagree this many times in a row, a second apart and with nothing under way,
# are no fill in transit any more.
_MISMATCHES = 5
_FLATTEN_MISSES = 10
# A residue is taken along by one more cycle, which may leave one again; then it is reported.
_ABSORB_TRIES = 3


def step(desk: Desk, event: Event, now: float) -> tuple[Desk, list[Command]]:
    """Learns from one event and decides. The desk is advanced in place and handed back.

    Commands that reach a venue come first, records of what happened after them.
    """
    desk.now = now
    desk.wake_at = None
    if desk.phase is not Phase.STOPPED:
        LEARN[type(event)](desk, event)
        for work in WORK[desk.phase]:
            work(desk)
    commands = [*desk.commands, *desk.records]
    desk.commands.clear()
    desk.records.clear()
    if desk.phase is not Phase.STOPPED:
        desk.wake(now + _TICK)
    if desk.wake_at is not None:
        commands.append(SetTimer(max(desk.wake_at, now + _SOON)))
    return desk, commands


# --------------------------------------------------------------------------- orders under way


def watch_orders(desk: Desk) -> None:
    """Asks about orders whose fate is due to be known."""
    for order in tuple(desk.active.values()):
        _watch(desk, order)


def _watch(desk: Desk, order: Tracked) -> None:
    _expect_answer(desk, order)
    _expect_cancel(desk, order)
    if order.ask_at is None or order.asking:
        return
    if desk.now < order.ask_at:
        desk.wake(order.ask_at)
        return
    order.asking, order.ask_at = True, None
    since = order.sent_ms - int(desk.config.fill_overlap * 1000)
    desk.say(
        Query(
            order.role,
            order.client_id,
            order.id,
            max(since, desk.setup.started_ms),
            _lane(desk, order),
        )
    )


def _expect_answer(desk: Desk, order: Tracked) -> None:
    """A missing answer, or a taker that rests, is UNKNOWN after the time an answer takes."""
    resting = order.immediate and order.state.resting
    due = order.sent + desk.setup.acks[order.role]
    waiting = resting or order.state is orders.State.SENT
    if not waiting or order.asking or order.ask_at is not None:
        return
    if desk.now < due:
        desk.wake(due)
        return
    hear(desk, order, orders.News.DOUBT, "no answer in time")
    if resting:
        desk.cancel(order, "it should never rest")


def _expect_cancel(desk: Desk, order: Tracked) -> None:
    if order.cancel_first is None:
        return
    desk.cancel(order, "again")
    if order.cancel_at is not None:
        desk.wake(order.cancel_at)
    if order.ask_at is None and not order.asking:
        order.ask_at = max(order.cancel_first + desk.config.cancel_ack, desk.now)
    if desk.now - order.cancel_first > desk.config.cancel_hard and not order.barred:
        order.barred = True
        desk.note(f"{order.kind} does not go away", urgent=True)
        desk.live[order.role] = desk.verified[order.role] = False
        desk.read_barrier(order.role)


def _lane(desk: Desk, order: Tracked) -> Lane:
    """Urgent once it keeps us exposed for long."""
    since = desk.episode.since
    late = since is not None and desk.now - since > desk.config.hedge_soft
    return Lane.HEDGE if late and order.kind is not Kind.MAKER else Lane.QUERY


def settle_orphans(desk: Desk) -> None:
    """A fill that stays nobody's was somebody else's: make ourselves neutral and stop."""
    for orphan in tuple(desk.orphans):
        if desk.now >= orphan.at + _ORPHAN_SECONDS:
            desk.orphans.remove(orphan)
            fill = orphan.fill
            desk.note(f"foreign fill on {orphan.role}: {fill['side']} {fill['size']}", urgent=True)
            desk.stop(4, f"an order that is not ours traded on {orphan.role}")
        else:
            desk.wake(orphan.at + _ORPHAN_SECONDS)


def read_barriers(desk: Desk) -> None:
    """Reads a venue again where the last reading was not enough."""
    for role in ROLES:
        due = desk.read_at[role]
        if due is None or not desk.up[role]:
            continue
        if desk.now < due:
            desk.wake(due)
        else:
            desk.read_barrier(role)
    if desk.mismatches >= _MISMATCHES:
        desk.stop(4, "a position at the venue is not what our fills add up to")


# --------------------------------------------------------------------------- the run as a whole


def start(desk: Desk) -> None:
    """Both venues have been read, and agree with a ledger of zero."""
    if all(desk.live.values()):
        desk.enter(Phase.RUNNING, "both venues are read")


def recover(desk: Desk) -> None:
    """Back to work when everything is known again."""
    if all(desk.live.values()) and not desk.doubtful and not desk.owing:
        desk.enter(desk.resume, "everything is known again")
    elif desk.now - desk.phase_since > desk.config.recover_limit:
        desk.stop(4, "no recovery")


def run(desk: Desk) -> None:
    """Ends the work when it is done, or has cost too much."""
    over = session_over_limit(desk.facts)
    if over:
        desk.stop(4, over)
    elif not all(desk.live.values()):
        desk.resume = desk.phase
        desk.enter(Phase.RECOVERING, "a venue must be read")
    elif desk.cycle is None and _goal_reached(desk):
        if (desk.pair_open or desk.residue) and desk.config.on_complete == "flatten":
            desk.enter(Phase.REDUCING, "done; closing the pair")
        else:
            desk.stop(0, "done")


def _goal_reached(desk: Desk) -> bool:
    config = desk.config
    done = desk.attempts if config.count == "attempts" else desk.successes
    volume = config.target_volume
    return done >= config.iterations or (volume is not None and desk.ledger.volume >= volume)


def reduce(desk: Desk) -> None:
    """Closes the pair: patiently as a maker, then by taking."""
    if not all(desk.live.values()):
        desk.resume = desk.phase
        desk.enter(Phase.RECOVERING, "a venue must be read")
        return
    idle = desk.cycle is None and not desk.active
    if idle and not desk.pair_open and not _absorbable(desk):
        if desk.residue:
            desk.note("a neutral pair too small to be closed stays open", urgent=True)
        desk.stop(0, "done")
    elif desk.now - desk.phase_since > desk.config.flatten_patience:
        _take_to_close(desk)


def _absorbable(desk: Desk) -> bool:
    return desk.residue and desk.absorbing < _ABSORB_TRIES


def _take_to_close(desk: Desk) -> None:
    slot, cycle = desk.slot, desk.cycle
    if desk.flatten_misses >= _FLATTEN_MISSES:
        desk.stop(4, "the pair could not be closed")
    elif cycle is not None and cycle.kind is Kind.MAKER:
        cycle.over, cycle.reason = True, "patience is over"
        if slot is not None:
            desk.cancel(slot, cycle.reason)
    else:
        flatten(desk)


def drain(desk: Desk) -> None:
    """Nothing under way, nothing owed, the pair as wanted, verified by query: then the end."""
    settled = not desk.active and not desk.owing and desk.cycle is None
    late = desk.now - desk.phase_since > desk.config.drain_limit
    if desk.stops > 2:
        _finish(desk, 5 if desk.owing else desk.exit_code)
    elif not settled:
        if late and desk.owing:
            expose(desk, f"still exposed {desk.config.drain_limit:g} s after: {desk.exit_reason}")
    elif _pair_to_close(desk):
        flatten(desk)
    elif all(desk.verified.values()):
        if not desk.ending:
            _finish(desk, desk.exit_code)
    else:
        _verify(desk)


def _pair_to_close(desk: Desk) -> bool:
    wanted = desk.exit_code == 6 and desk.config.on_exit == "flatten" and desk.stops < 2
    return wanted and desk.pair_open and desk.flatten_misses < _FLATTEN_MISSES


def _verify(desk: Desk) -> None:
    for role in ROLES:
        if desk.up[role] and desk.read_at[role] is None and not desk.verified[role]:
            desk.read_barrier(role)
    limit = desk.config.recover_limit
    if desk.mismatches >= _MISMATCHES or desk.now - desk.phase_since > limit:
        desk.exit_reason += "; not verified by the venues"
        _finish(desk, 4)


def halt(desk: Desk) -> None:
    """Exposed: the debt worker keeps trying; a further signal ends it."""
    if desk.stops > desk.stops_before:
        _finish(desk, 5)
    elif not desk.exposed:
        desk.verified = dict.fromkeys(ROLES, False)
        desk.enter(Phase.DRAINING, "neutral again")


def _finish(desk: Desk, code: int) -> None:
    desk.exit_code = code
    for cycle in desk.ending:
        cycle.ended = desk.now - desk.config.settle_grace
    report_cycles(desk)
    desk.enter(Phase.STOPPED, desk.exit_reason)
    desk.records.append(Finish(code, desk.exit_reason))


_ALWAYS: tuple[Worker, ...] = (
    watch_orders,
    settle_orphans,
    keep_or_pull,
    work_debt,
    finish_cycle,
    report_cycles,
    read_barriers,
)

# Who works in which phase, in this order.
WORK: Mapping[Phase, tuple[Worker, ...]] = {
    Phase.STARTING: (watch_orders, read_barriers, start),
    Phase.RUNNING: (*_ALWAYS, run, quote),
    Phase.RECOVERING: (*_ALWAYS, recover),
    Phase.REDUCING: (*_ALWAYS, reduce, quote),
    Phase.DRAINING: (*_ALWAYS, drain),
    Phase.HALTED_EXPOSED: (*_ALWAYS, halt),
    Phase.STOPPED: (),
}

__all__ = [
    "MAY_PLACE",
    "STATES",
    "WORK",
    "Cycle",
    "Desk",
    "Phase",
    "Role",
    "Setup",
    "State",
    "step",
]

"""The hedge as a table: an event comes in, commands go out. Pure: no await, no clock, no logger.

Rules:

1. What an event teaches and what is done about it are two things. `intake.LEARN` names who learns
   from which event; then the workers of the phase look at all that is known and decide. So an
   event that is lost or comes twice does no harm: the next one, or the timer, finds the same work.
2. Fills make debt, debt makes hedges. Nothing is ever "marked filled".
3. Only a settled order frees what it held: the maker slot, or its share of the debt.
4. UNKNOWN is a state of its own. Such an order is reserved in full, asked about, never sent again.
5. A quote is placed from IDLE only (`desk.MAY_PLACE`). What makes us neutral is never blocked.
6. `TABLE` is the only way from one phase to another.

STARTING takes nothing for granted; RECONCILING reads both venues and makes neutral what an earlier
run left; PREFLIGHT sends orders that cannot fill; PAUSED waits for a gate; RECOVERING reads again
what was lost; REDUCING closes the pair; DRAINING pulls, settles, hedges and verifies by query;
HALTED_EXPOSED keeps trying; HALTED_FLAT verifies and ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from strategies import supervisor as on
from strategies.canary import prove, recall
from strategies.carry import book_carry
from strategies.cycle_report import report_cycles
from strategies.cycles import Cycle
from strategies.dead_man import keep_armed
from strategies.desk import MAY_PLACE, STATES, Desk, Phase, State
from strategies.due import (
    raise_alarms,
    read_barriers,
    read_for_gates,
    reconcile,
    settle_orphans,
    watch_orders,
)
from strategies.external import judge
from strategies.fences import fence_doubtful
from strategies.hedging import work_debt
from strategies.intake import LEARN
from strategies.maker import finish_cycle, keep_or_pull, quote
from strategies.probe import probe_hedge
from strategies.setup import Setup
from strategies.streams import listen, renew_in_time, watch_book
from strategies.words import Command, Event, Role, SetTimer

Worker: TypeAlias = Callable[[Desk], None]

# The backstop: a level-triggered worker that missed its wake-up looks again after this.
_TICK = 0.25
# No timer is set nearer: one that fires a rounding error early would be set again for ever.
_SOON = 0.001
# The tick came so late that the machine must have slept: what streams told meanwhile is lost.
_ASLEEP = 2.0


class Move(NamedTuple):
    """A way out of a phase, taken when `when` gives a reason."""

    to: Phase
    when: Callable[[Desk], str]


_EXPOSED = Move(Phase.HALTED_EXPOSED, on.exposed)
_ENDING = Move(Phase.DRAINING, on.ending)
_DARK = Move(Phase.RECOVERING, on.dark)
_LIMIT = Move(Phase.DRAINING, on.over_limit)

# From each phase, the first move that has a reason.
TABLE: Mapping[Phase, tuple[Move, ...]] = {
    Phase.STARTING: (Move(Phase.RECONCILING, on.begun),),
    Phase.RECONCILING: (
        _EXPOSED,
        _ENDING,
        Move(Phase.PREFLIGHT, on.agreed),
        Move(Phase.DRAINING, on.hopeless),
    ),
    Phase.PREFLIGHT: (
        _EXPOSED,
        _ENDING,
        Move(Phase.RECONCILING, on.dark),
        Move(Phase.RUNNING, on.proven),
    ),
    Phase.RUNNING: (
        _EXPOSED,
        _ENDING,
        _LIMIT,
        _DARK,
        Move(Phase.REDUCING, on.must_reduce),
        Move(Phase.DRAINING, on.finished),
        Move(Phase.PAUSED, on.gate_shut),
    ),
    Phase.PAUSED: (
        _EXPOSED,
        _ENDING,
        _LIMIT,
        _DARK,
        Move(Phase.REDUCING, on.must_reduce),
        Move(Phase.DRAINING, on.finished),
        Move(Phase.RUNNING, on.gates_open),
    ),
    Phase.RECOVERING: (
        _EXPOSED,
        _ENDING,
        Move(Phase.REDUCING, on.recovered_reducing),
        Move(Phase.RUNNING, on.recovered),
        Move(Phase.DRAINING, on.hopeless),
    ),
    Phase.REDUCING: (
        _EXPOSED,
        _ENDING,
        _LIMIT,
        _DARK,
        Move(Phase.DRAINING, on.reduced_for_good),
        Move(Phase.RUNNING, on.reduced),
    ),
    Phase.DRAINING: (
        _EXPOSED,
        Move(Phase.HALTED_FLAT, on.drained_to_halt),
        Move(Phase.STOPPED, on.drained),
    ),
    Phase.HALTED_EXPOSED: (
        Move(Phase.STOPPED, on.abandoned),
        Move(Phase.HALTED_FLAT, on.neutral_again),
    ),
    Phase.HALTED_FLAT: (_EXPOSED, Move(Phase.STOPPED, on.drained)),
    Phase.STOPPED: (),
}

ENTER: Mapping[Phase, Worker] = {
    Phase.RUNNING: on.tell_start,
    Phase.PAUSED: on.shut,
    Phase.DRAINING: on.forget_verification,
    Phase.HALTED_FLAT: on.tell_halt,
    Phase.STOPPED: on.finish,
}

_ALWAYS: tuple[Worker, ...] = (
    watch_book,
    watch_orders,
    fence_doubtful,
    work_debt,
    settle_orphans,
    judge,
    recall,
    keep_or_pull,
    keep_armed,
    finish_cycle,
    report_cycles,
    book_carry,
    listen,
    read_barriers,
    raise_alarms,
)
_TRADING: tuple[Worker, ...] = (*_ALWAYS, reconcile, read_for_gates, renew_in_time)

# Who works in which phase, in this order.
WORK: Mapping[Phase, tuple[Worker, ...]] = {
    Phase.STARTING: (),
    Phase.RECONCILING: _ALWAYS,
    Phase.PREFLIGHT: (*_ALWAYS, prove),
    Phase.RUNNING: (*_TRADING, quote),
    Phase.PAUSED: (*_TRADING, probe_hedge),
    Phase.RECOVERING: _ALWAYS,
    Phase.REDUCING: (*_TRADING, probe_hedge, on.take_to_close, quote),
    Phase.DRAINING: (*_ALWAYS, on.drain),
    Phase.HALTED_EXPOSED: _ALWAYS,
    Phase.HALTED_FLAT: (*_ALWAYS, on.verify),
    Phase.STOPPED: (),
}


def step(desk: Desk, event: Event, now: float) -> tuple[Desk, list[Command]]:
    """Learns from one event and decides. The desk is advanced in place and handed back.

    Commands that reach a venue come first, records of what happened after them.
    """
    return desk, react(desk, event, now) + decide(desk)


def react(desk: Desk, event: Event, now: float) -> list[Command]:
    """The first half of a step: what it teaches, and at once what is owed.

    Nothing stands between a fill and its hedge: whoever performs these commands does so before he
    asks for the second half.
    """
    slept = now - desk.now
    desk.now = now
    desk.turn += 1
    desk.wake_at = None
    if desk.phase is not Phase.STOPPED:
        if slept > _ASLEEP:
            _wake_up(desk, slept)
        LEARN[type(event)](desk, event)
        if work_debt in WORK[desk.phase]:
            work_debt(desk)
    return _taken(desk.commands)


def decide(desk: Desk) -> list[Command]:
    """The second half: everything that is not owed."""
    if desk.phase is not Phase.STOPPED:
        _work(desk)
    commands = _taken(desk.commands) + _taken(desk.records)
    if desk.phase is not Phase.STOPPED:
        desk.wake(desk.now + _TICK)
    if desk.wake_at is not None:
        commands.append(SetTimer(max(desk.wake_at, desk.now + _SOON)))
    return commands


def _taken(said: list[Command]) -> list[Command]:
    taken = list(said)
    said.clear()
    return taken


def _work(desk: Desk) -> None:
    """The phase's workers; a new phase's workers at once. A quote is never placed in a phase that
    is about to end, so the moves are looked at before the workers, too."""
    _move(desk)
    for work in WORK[desk.phase]:
        work(desk)
    if _move(desk):
        for work in WORK[desk.phase]:
            work(desk)


def _move(desk: Desk) -> bool:
    """Takes moves until none has a reason."""
    moved = False
    for _ in Phase:
        for move in TABLE[desk.phase]:
            reason = move.when(desk)
            if reason:
                desk.enter(move.to, reason)
                if move.to in ENTER:
                    ENTER[move.to](desk)
                moved = True
                break
        else:
            break
    return moved


def _wake_up(desk: Desk, slept: float) -> None:
    """The machine slept, or the loop was blocked: nothing that was known is sure any more."""
    desk.note(f"{slept:.1f} s without a look at anything", urgent=True)
    for role in desk.live:
        if desk.live[role]:
            desk.distrust(role, "time has passed unseen")
    for order in desk.active.values():
        order.forgive(slept)


__all__ = [
    "ENTER",
    "MAY_PLACE",
    "STATES",
    "TABLE",
    "WORK",
    "Cycle",
    "Desk",
    "Move",
    "Phase",
    "Role",
    "Setup",
    "State",
    "decide",
    "react",
    "step",
]

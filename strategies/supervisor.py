"""When the run goes from one phase to another, and what its ends need.

Each condition gives a reason, or "" when it does not hold; `hedge_core.TABLE` says which of them
leads where.
"""

from __future__ import annotations

from strategies.cycle_report import report_cycles
from strategies.cycles import Cycle
from strategies.desk import Desk
from strategies.external import unexplained
from strategies.guards import first_reason, reduce_reason, session_over_limit
from strategies.hedging import expose
from strategies.maker import flatten
from strategies.probe import probe_hedge
from strategies.words import ROLES, Finish, Kind

# Gates must all have been open for so long before quoting goes on.
_OPEN_SECONDS = 3.0
# What costs too much stops quotes at once, and ends the run when it has been so for so long.
_OVER_SECONDS = 1.0
_FLATTEN_MISSES = 10
# A residue is taken along by one more cycle, which may leave one again; then it is reported.
_ABSORB_TRIES = 3


# --------------------------------------------------------------------------- conditions


def begun(desk: Desk) -> str:
    return "both venues are to be read"


def exposed(desk: Desk) -> str:
    return desk.exit_reason if desk.exposed else ""


def ending(desk: Desk) -> str:
    return desk.ending


def dark(desk: Desk) -> str:
    """A private stream is lost, or what it told is in doubt."""
    roles = [role for role in ROLES if not desk.live[role]]
    return f"{' and '.join(roles)} must be read" if roles else ""


def agreed(desk: Desk) -> str:
    """Ledger and venues agree, nothing is in doubt and nothing owed."""
    return "both venues are read" if not dark(desk) and quiet(desk) else ""


def recovered(desk: Desk) -> str:
    return "" if desk.reducing else known_again(desk)


def recovered_reducing(desk: Desk) -> str:
    return known_again(desk) if desk.reducing else ""


def known_again(desk: Desk) -> str:
    known = not dark(desk) and not desk.doubtful and not desk.owing
    return "everything is known again" if known else ""


def hopeless(desk: Desk) -> str:
    """Recovery takes too long."""
    late = desk.now - desk.phase_since > desk.config.recover_limit
    if late:
        desk.stop(4, "no recovery")
    return "no recovery" if late else ""


def proven(desk: Desk) -> str:
    if desk.setup.objections:
        desk.stop(3, "; ".join(desk.setup.objections))
        return ""
    if not desk.config.canary:
        return "no canary was wanted"
    if desk.canary.failed:
        desk.stop(3, desk.canary.failed)
        return ""
    return "both canaries came back" if desk.canary.done else ""


def over_limit(desk: Desk) -> str:
    """The session has cost too much, the clocks are useless, or the journal is not kept."""
    over = session_over_limit(desk.facts)
    if not _lasts(desk, over):
        over = ""
    if desk.journal_failed:
        over = "the journal cannot be written"
    if over:
        desk.stop(4, over)
    return over


def _lasts(desk: Desk, over: str) -> bool:
    """Two books do not move at one instant: what one of them alone says is over in a moment."""
    if not over:
        desk.over_since = None
        return False
    desk.over_since = desk.now if desk.over_since is None else desk.over_since
    due = desk.over_since + _OVER_SECONDS
    desk.wake(due)
    return desk.now >= due


def gate_shut(desk: Desk) -> str:
    shut = desk.operator_pause or desk.barred or first_reason(desk.facts)
    return shut or session_over_limit(desk.facts)


def gates_open(desk: Desk) -> str:
    """All gates have held for a while."""
    if gate_shut(desk) or desk.gates_shut_at is None:
        desk.gates_shut_at = desk.now
    due = desk.gates_shut_at + _OPEN_SECONDS
    if desk.now < due:
        desk.wake(due)
        return ""
    return f"every gate has been open for {_OPEN_SECONDS:g} s"


def must_reduce(desk: Desk) -> str:
    """The pair is to be closed: the work is done, or holding costs or risks too much."""
    cycle = desk.cycle
    if cycle is None and goal_reached(desk):
        wanted = (desk.pair_open or desk.residue) and desk.config.on_complete == "flatten"
        desk.reducing = "done; closing the pair" if wanted else ""
    else:
        desk.reducing = desk.reducing or _risk(desk)
    if desk.reducing and cycle is not None and not cycle.closing:
        _give_up(desk, cycle, desk.reducing)
        return ""
    return desk.reducing


def _risk(desk: Desk) -> str:
    reason = reduce_reason(desk.facts) if desk.pair_open else ""
    if reason:
        desk.alarm("reduce", f"the pair is closed: {reason}")
    return reason


def finished(desk: Desk) -> str:
    if desk.cycle is not None or not goal_reached(desk):
        return ""
    desk.stop(0, "done")
    return "done"


def goal_reached(desk: Desk) -> bool:
    config = desk.config
    done = desk.attempts if config.count == "attempts" else desk.successes
    volume = config.target_volume
    return done >= config.iterations or (volume is not None and desk.ledger.volume >= volume)


def pair_closed(desk: Desk) -> str:
    """Nothing is left to close; what is too small to be closed is reported."""
    if desk.cycle is not None or desk.active or desk.pair_open or _absorbable(desk):
        return ""
    if desk.residue:
        desk.note("a neutral pair too small to be closed stays open", urgent=True)
    return "the pair is closed"


def reduced(desk: Desk) -> str:
    """The pair was closed for a reason that is over: the work goes on."""
    if goal_reached(desk) or not pair_closed(desk):
        return ""
    desk.reducing = ""
    return "the pair is closed; the work goes on"


def reduced_for_good(desk: Desk) -> str:
    closed = goal_reached(desk) and pair_closed(desk)
    if closed:
        desk.stop(0, "done")
        return "done"
    if desk.flatten_misses >= _FLATTEN_MISSES:
        desk.stop(4, "the pair could not be closed")
        return "the pair could not be closed"
    return ""


def drained_to_halt(desk: Desk) -> str:
    """Neutral, after a rule stopped the run."""
    return desk.exit_reason if desk.exit_code == 4 and quiet(desk) else ""


def drained(desk: Desk) -> str:
    """The venues confirm that nothing is left, or the operator waits no longer."""
    if desk.stops > 2:
        desk.exit_code = 5 if desk.owing else desk.exit_code
        return "third signal"
    if not quiet(desk) or desk.ended or _pair_to_close(desk):
        return ""
    if all(desk.verified.values()) or unexplained(desk):
        return desk.exit_reason
    if desk.now - desk.phase_since > desk.config.recover_limit:
        desk.exit_reason += "; not verified by the venues"
        if desk.exit_code != 3:
            desk.exit_code = 4
            desk.alarm("halt", desk.exit_reason, page=True)
        return desk.exit_reason
    return ""


def neutral_again(desk: Desk) -> str:
    return "" if desk.exposed or desk.active else "neutral again"


def abandoned(desk: Desk) -> str:
    """Exposed, and a signal says: leave it."""
    if desk.stops <= desk.stops_before:
        return ""
    desk.exit_code = 5
    return desk.exit_reason


def quiet(desk: Desk) -> bool:
    """Nothing of ours is under way, nothing owed."""
    return not desk.active and not desk.owing and desk.cycle is None and not desk.orphans


# --------------------------------------------------------------------------- work of the ends


def take_to_close(desk: Desk) -> None:
    """Patience with maker orders is over: close by taking."""
    if desk.now - desk.phase_since <= desk.config.flatten_patience:
        return
    cycle = desk.cycle
    if cycle is None or cycle.kind is not Kind.MAKER:
        flatten(desk)
    else:
        _give_up(desk, cycle, "patience is over")


def _give_up(desk: Desk, cycle: Cycle, why: str) -> None:
    """Ends an attempt as soon as its quote is gone."""
    cycle.over, cycle.reason = True, why
    if desk.slot is not None:
        desk.cancel(desk.slot, why)


def drain(desk: Desk) -> None:
    """Waits for what is under way, closes the pair if that is wanted, and asks the venues."""
    late = desk.now - desk.phase_since > desk.config.drain_limit
    if not quiet(desk):
        if late and (desk.owing or desk.active):
            expose(desk, f"still exposed {desk.config.drain_limit:g} s after: {desk.exit_reason}")
    elif _pair_to_close(desk):
        probe_hedge(desk)
        flatten(desk)
    else:
        verify(desk)


def verify(desk: Desk) -> None:
    """Asks both venues whether they see what we believe."""
    for role in ROLES:
        if desk.up[role] and desk.read_at[role] is None and not desk.verified[role]:
            desk.read_barrier(role)


def _pair_to_close(desk: Desk) -> bool:
    asked = desk.flatten_asked or desk.config.on_exit == "flatten"
    wanted = desk.exit_code == 6 and asked and desk.stops < 2
    return wanted and desk.pair_open and desk.flatten_misses < _FLATTEN_MISSES


def _absorbable(desk: Desk) -> bool:
    return desk.residue and desk.absorbing < _ABSORB_TRIES


# --------------------------------------------------------------------------- on entering


def forget_verification(desk: Desk) -> None:
    desk.verified = dict.fromkeys(ROLES, False)


def tell_start(desk: Desk) -> None:
    if "start" not in desk.alarmed:
        desk.alarmed["start"] = desk.now
        desk.alarm("start", f"{desk.config.stem} runs")


def shut(desk: Desk) -> None:
    desk.gates_shut_at = desk.now


def tell_halt(desk: Desk) -> None:
    forget_verification(desk)
    desk.alarm("halt", desk.exit_reason, page=True)


def finish(desk: Desk) -> None:
    """The last word: cycles that wait for their fills are reported as they are."""
    waited = desk.now - desk.config.settle_grace
    for cycle in desk.ended:
        cycle.ended = waited
    desk.untold = dict.fromkeys(desk.untold, waited)
    report_cycles(desk)
    desk.alarm("stop", f"ended with {desk.exit_code}: {desk.exit_reason}")
    desk.records.append(Finish(desk.exit_code, desk.exit_reason))

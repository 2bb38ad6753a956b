"""Positions that changed without us: a manual trade, a liquidation, deleveraging.

A difference between a venue's position and our fills is a suspicion first. A fill may be on its
way, and a reading may be stale; so it must last, be read twice by query with every fill of the
session read alongside, and nothing of ours may be under way there.

What is then done:

- A leg of ours that shrank, whoever did it: the other leg is reduced by as much, and the run ends.
- Anything else: by policy. `halt` leaves it alone, makes ours neutral and ends; `adopt` leaves it
  alone and goes on; `neutralise` treats it as ours.
"""

from __future__ import annotations

from decimal import Decimal

from mpdex.types import Fill
from strategies.desk import Desk, Phase
from strategies.ledger import ZERO, signed
from strategies.pending import Suspicion
from strategies.tracking import Tracked
from strategies.words import ROLES, Role

_READS = 2
# How long a difference must last: a fill that is late is found by then, and a lagging reading too.
_LASTS, _LASTS_EXPLAINED = 3.0, 0.5
_REREAD_EXPLAINED = 0.3
# A venue may answer with the position of seconds ago: after a fill of ours that is no difference.
_LAGS = 10.5
# A streamed position may run ahead of its fill for a moment, or behind it.
_STREAM_GRACE = 3.0


def observe(desk: Desk, role: Role, position: Decimal) -> bool:
    """Compares a position that was read with our fills; whether they agree."""
    streamed = desk.seen_position.get(role)
    if streamed is not None:  # what was asked for is newer
        desk.seen_position[role] = (position, desk.now)
    difference = position - desk.expected(role)
    suspicion = desk.suspicions.get(role)
    if not difference:
        desk.suspicions.pop(role, None)
        desk.agreed_at[role] = desk.now
        return True
    if suspicion is not None and suspicion.difference == difference:
        suspicion.reads += 1
        return False
    newer = Suspicion(difference, desk.now)
    if suspicion is not None:
        newer.explained, newer.lost = suspicion.explained, suspicion.lost
        newer.theirs = suspicion.theirs
    if streamed is not None and streamed[0] == position:
        newer.reads, newer.since = _READS, streamed[1]  # the stream had said the same
    desk.suspicions[role] = newer
    desk.note(
        f"{role} position is {position}, our fills say {desk.expected(role)}",
        urgent=not busy(desk, role),
    )
    return False


def explain(desk: Desk, role: Role, fill: Fill) -> None:
    """A fill that is not ours was seen there: look at once.

    What it took of a leg that we held at that moment is our loss, whatever we trade meanwhile.
    """
    suspicion = desk.suspicions.setdefault(role, Suspicion(ZERO, desk.now, reads=0))
    suspicion.explained = True
    size, ours = signed(fill["side"], fill["size"]), _held_at(desk, role, fill["timestamp_ms"])
    suspicion.theirs += size
    if size * ours < 0:
        suspicion.lost += min(abs(size), abs(ours)).copy_sign(size)
    desk.distrust(role, "somebody else's order traded")


def _held_at(desk: Desk, role: Role, time_ms: int) -> Decimal:
    """Our position when somebody else's order traded: it is told late, and ours trade on."""
    since = sum((size for at_ms, size in desk.booked[role] if at_ms >= time_ms), ZERO)
    return desk.ledger.position(role) - since


def reread_after(desk: Desk, role: Role) -> float:
    """Seconds until the next reading of a venue that does not agree."""
    suspicion = desk.suspicions.get(role)
    explained = suspicion is not None and suspicion.explained
    return _REREAD_EXPLAINED if explained else desk.config.reread


def busy(desk: Desk, role: Role) -> bool:
    """Whether a difference may still be explained by something of ours."""
    return any(order.role == role for order in desk.active.values()) or bool(desk.orphans)


def within_reach(desk: Desk, role: Role, position: Decimal) -> bool:
    """Whether a position differs from our fills by no more than our open orders may have traded.

    What strangers' fills explain, what is greater, and what has lasted so long that a fill of ours
    would have been read by now is somebody else's doing: it says nothing of the fate of an order.
    """
    difference, suspicion = position - desk.expected(role), desk.suspicions.get(role)
    if suspicion is not None:
        difference -= suspicion.theirs
        if desk.now - suspicion.since > _LAGS:
            return False
    rests = [signed(o.side, o.remaining) for o in desk.active.values() if o.role == role]
    lowest = sum((rest for rest in rests if rest < 0), ZERO)
    highest = sum((rest for rest in rests if rest > 0), ZERO)
    return bool(difference) and lowest <= difference <= highest


def lasting(desk: Desk, role: Role) -> bool:
    """Whether a second reading says the same, and nothing is under way that trades at once: a quote
    that rests explains no difference."""
    suspicion = desk.suspicions.get(role)
    trading = any(o.role == role and o.immediate for o in desk.active.values())
    return suspicion is not None and suspicion.reads >= _READS and not trading


def compare_streams(desk: Desk) -> None:
    """A streamed position that stays different from our fills is a reason to ask."""
    for role in ROLES:
        seen = desk.seen_position.get(role)
        if seen is None or not desk.live[role]:
            continue
        position, at = seen
        if position == desk.expected(role):
            continue
        due = max(at, desk.ledger.moved_at) + _STREAM_GRACE
        if desk.now < due:
            desk.wake(due)
        elif not any(o.role == role and o.immediate for o in desk.active.values()):
            desk.distrust(role, f"its stream says {position}, our fills {desk.expected(role)}")


def judge(desk: Desk) -> None:
    """Accepts suspicions that have lasted; all of them together, so that a pair that was closed by
    hand is seen as one."""
    if not desk.suspicions or not all(_ripe(desk, role) for role in desk.suspicions):
        return
    if desk.phase is Phase.RECONCILING or unexplained(desk):
        _judge_at_start(desk)
        return
    changes, text = dict(desk.suspicions), _differences(desk)
    desk.suspicions.clear()
    damaged = [role for role, suspicion in changes.items() if _take(desk, role, suspicion)]
    desk.alarm("external", text, page=True)
    if damaged or desk.config.on_external == "halt":
        _reduce(desk, damaged, f"external change: {text}")
        desk.stop(4, f"external change: {text}")
    for role in changes:
        desk.distrust(role, "after an external change")


def unexplained(desk: Desk) -> bool:
    """Whether the run ends because it found what earlier runs cannot have left."""
    return desk.exit_code == 3 and bool(desk.suspicions)


def _judge_at_start(desk: Desk) -> None:
    """It happened while nobody looked: the operator says whose it is."""
    if desk.config.adopt_baseline != "keep":
        desk.stop(3, f"unexplained: {_differences(desk)}; --adopt-baseline keep or close goes on")
        return
    desk.note(f"left alone: {_differences(desk)}", urgent=True)
    for role, suspicion in desk.suspicions.items():
        desk.baseline[role] = desk.baseline.get(role, ZERO) + suspicion.difference
        desk.distrust(role, "its baseline is another")
    desk.suspicions.clear()


def _ripe(desk: Desk, role: Role) -> bool:
    suspicion = desk.suspicions[role]
    if busy(desk, role) or suspicion.reads < _READS:
        return False
    if not suspicion.explained and desk.now < desk.ledger.moved_at + _LAGS:
        return False
    return desk.now - suspicion.since >= (_LASTS_EXPLAINED if suspicion.explained else _LASTS)


def _take(desk: Desk, role: Role, suspicion: Suspicion) -> bool:
    """Books a change by policy; whether a leg of ours shrank."""
    difference, ours = suspicion.difference, desk.ledger.position(role)
    lost = ZERO
    if suspicion.lost * difference > 0:
        lost = min(abs(difference), abs(suspicion.lost)).copy_sign(difference)
    if ours * difference < 0:
        lost = max(abs(lost), min(abs(difference), abs(ours))).copy_sign(difference)
    rest = difference - lost
    adopted = lost + (rest if desk.config.on_external == "neutralise" else ZERO)
    if adopted:
        mid = desk.last_mid.get(role, (ZERO, 0.0))[0]
        desk.ledger.adopt(role, adopted, mid, desk.now)
    desk.baseline[role] = desk.baseline.get(role, ZERO) + difference - adopted
    return bool(lost)


def _reduce(desk: Desk, damaged: list[Role], why: str) -> None:
    """What is left of the pair is closed where it is: never opened again at the damaged venue."""
    if damaged == ["hedge"]:
        desk.episode.must_unwind = desk.episode.fatal = why
    desk.episode.reduce_only = bool(damaged)


def _differences(desk: Desk) -> str:
    return ", ".join(
        f"{role} holds {desk.expected(role) + s.difference} where our fills say "
        f"{desk.expected(role)}"
        for role, s in desk.suspicions.items()
    )


def nameless(desk: Desk, role: Role) -> list[Tracked]:
    """Orders whose id has not been told: a fill of an unknown order may be one of theirs."""
    return [o for o in desk.active.values() if o.role == role and not o.id and not o.settled]

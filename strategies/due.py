"""Looks at what is due: answers about orders, readings of the venues, words to the operator."""

from __future__ import annotations

import math

from mpdex.types import Lane
from mpdex.utils.orders import News, State
from strategies import external
from strategies.booking import ASK_AFTER, hear
from strategies.cycle_report import inferred
from strategies.desk import Desk, Phase
from strategies.tracking import Tracked
from strategies.words import ROLES, CancelAll, Kind, Query, Read, Reading, Role

_ORPHAN_SECONDS = 2.0
# Silence proves something once the venue takes a request no more; the proof itself takes so long.
_PROOF_SECONDS = 5.0
# An immediate order may be told of as open for a moment before its end is.
_RESTS_SECONDS = 0.5
# A venue whose orders are worked by an engine of its own takes its time.
_POLLED_RESTS_SECONDS = 5.0
# A cancel that has not worked by then: the venue is read, and the operator told.
_CANCEL_ALARM = 7.0
# Seconds between two readings that only gates look at.
_READINGS: dict[Reading, float] = {"account": 60.0, "clock": 60.0, "funding": 600.0}
_MINUTE = 60.0
# An open leg is seen this often, told or asked for: whoever took it away unseen leaves us exposed.
# So is an order that rests.
_UNSEEN_SECONDS = 15.0
# How long a history may take to have a fill that no stream tells.
_HISTORY_SECONDS = 1.0


# --------------------------------------------------------------------------- orders under way


def watch_orders(desk: Desk) -> None:
    """Asks about orders whose fate is due to be known."""
    for order in tuple(desk.active.values()):
        _watch(desk, order)


def _watch(desk: Desk, order: Tracked) -> None:
    _expect_answer(desk, order)
    _probe(desk, order)
    _expect_cancel(desk, order)
    _expect_fate(desk, order)
    if order.asking and _lane(desk, order) < order.lane:
        ask(desk, order)  # the limits may have kept the question, and they let an urgent one go
    if order.ask_at is None or order.asking:
        return
    if desk.now < order.ask_at:
        desk.wake(order.ask_at)
        return
    ask(desk, order)


def ask(desk: Desk, order: Tracked) -> None:
    """Asks what became of an order; late, its absence counts only beside a position that agrees."""
    order.asking, order.ask_at, order.looked = True, None, desk.now
    order.lane = _lane(desk, order)
    since = order.sent_ms - int(desk.config.fill_overlap * 1000)
    desk.say(
        Query(
            order.role,
            order.client_id,
            order.id,
            max(since, desk.setup.began_ms),
            order.lane,
            position=order.unconfirmed or desk.now > order.absent_from,
        )
    )


def _expect_answer(desk: Desk, order: Tracked) -> None:
    """A missing answer is UNKNOWN after the time an answer takes; a taker that rests is pulled."""
    if order.immediate and order.state.resting:
        _pull_taker(desk, order)
    elif order.state is State.SENT:
        _expect_word(desk, order)


def _expect_word(desk: Desk, order: Tracked) -> None:
    """What was taken in where no stream will tell what becomes of it, is asked about meanwhile."""
    due = order.sent + desk.setup.acks[order.role]
    asked = order.asking or order.ask_at is not None
    untold = order.named is not None and order.role in desk.setup.polled
    if asked and not untold:
        return
    if desk.now >= due:
        hear(desk, order, News.DOUBT, "no answer in time")
        return
    desk.wake(due)
    if untold and not asked:
        order.ask_at = desk.now + ASK_AFTER[0]


def _pull_taker(desk: Desk, order: Tracked) -> None:
    polled = order.role in desk.setup.polled
    due = order.sent + (_POLLED_RESTS_SECONDS if polled else _RESTS_SECONDS)
    if desk.now < due:
        desk.wake(due)
    else:
        desk.cancel(order, "it should never rest")


def _probe(desk: Desk, order: Tracked) -> None:
    """An order that was acknowledged and of which nothing was heard since may not be there; and of
    one that rests a stream may have lost what it should have told."""
    if not order.state.resting or order.asking or order.ask_at is not None:
        return
    due = _probe_due(desk, order)
    if desk.now < due:
        desk.wake(due)
    else:
        order.ask_at = desk.now


def _probe_due(desk: Desk, order: Tracked) -> float:
    """The position is as good a word on a fill as the order's own."""
    if not order.sources:
        polled = order.role in desk.setup.polled
        pause = ASK_AFTER[0] if polled else desk.config.order_probe
        return max(order.sent, order.looked) + pause
    position, at = desk.seen_position.get(order.role, (None, 0.0))
    agreed = at if position == desk.expected(order.role) else 0.0
    return max(order.seen, order.looked, agreed) + _UNSEEN_SECONDS


def _expect_cancel(desk: Desk, order: Tracked) -> None:
    if order.cancel_first is None:
        return
    desk.cancel(order, "again")
    if order.cancel_at is not None:
        desk.wake(order.cancel_at)
    if order.ask_at is None and not order.asking:
        order.ask_at = max(order.cancel_first + desk.config.cancel_ack, desk.now)
    if not order.heard:
        return  # nothing says that it lives: that is `_expect_fate`'s
    waited = desk.now - order.cancel_first
    if waited > desk.config.cancel_hard:
        desk.stop(4, f"a {order.kind} order does not go away")
    elif waited > _CANCEL_ALARM and not order.barred:
        order.barred = True
        desk.alarm("cancel", f"the {order.kind} order on {order.role} does not go away", page=True)
        if desk.config.exclusive:
            desk.say(CancelAll(order.role))
        desk.distrust(order.role, f"its {order.kind} order does not go away")


def _expect_fate(desk: Desk, order: Tracked) -> None:
    """An order whose fate stays open: somebody is called, and the venue is read."""
    if not order.doubtful:
        order.doubted_at, order.escalated = None, False
        return
    if order.doubted_at is None:
        order.doubted_at = desk.now
    bound = desk.setup.bound(order.role, immediate=order.immediate)
    due = order.doubted_at + min(bound, desk.config.weak_bound) + _PROOF_SECONDS
    if order.escalated:
        return
    if desk.now < due:
        desk.wake(due)
        return
    order.escalated = True
    text = f"the fate of a {order.kind} order on {order.role} is not known"
    desk.alarm("unknown", text, page=True)
    desk.distrust(order.role, text)


def _lane(desk: Desk, order: Tracked) -> Lane:
    """Urgent once it keeps us exposed for long."""
    since = desk.episode.since
    late = since is not None and desk.now - since > desk.config.hedge_soft
    return Lane.HEDGE if late and order.kind is not Kind.MAKER else Lane.QUERY


def settle_orphans(desk: Desk) -> None:
    """A fill that stays nobody's was somebody else's."""
    for orphan in tuple(desk.orphans):
        due = orphan.at + _ORPHAN_SECONDS
        if desk.now < due and external.nameless(desk, orphan.role):
            desk.wake(due)
            continue
        desk.orphans.remove(orphan)
        fill = orphan.fill
        desk.foreign.add(f"{orphan.role}:{fill['id']}")
        desk.note(f"foreign fill on {orphan.role}: {fill['side']} {fill['size']}", urgent=True)
        external.explain(desk, orphan.role, fill)


# --------------------------------------------------------------------------- readings


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


def reconcile(desk: Desk) -> None:
    """Compares with the venues now and then, whatever the streams say.

    Streamed positions are compared as they come, for nothing; a venue without them is asked more
    often, and so is one whose stream has not shown an open leg for a while: a stream that loses
    what it should tell looks like one that has nothing to tell. Fills that no stream tells are
    asked for when their cycle is over.
    """
    external.compare_streams(desk)
    for role in ROLES:
        asked = desk.reconciled.setdefault(role, desk.now)
        full, light = asked + desk.config.reconcile_full, _light_due(desk, role, asked)
        untold = _untold_due(desk, role)
        if desk.now < min(full, light, untold):
            desk.wake(min(full, light, untold))
        elif desk.live[role] and not _in_flight(desk):
            resting = desk.now >= full or role not in desk.seen_position
            desk.reconcile(role, resting=resting, fills=desk.now >= untold)


def _light_due(desk: Desk, role: Role, asked: float) -> float:
    """When the position alone is due to be looked at."""
    seen, asked = desk.seen_position.get(role), desk.glanced.get(role, asked)
    if seen is None:
        return asked + desk.config.reconcile_light
    if not desk.ledger.position(role):
        return math.inf
    return max(seen[1], asked) + _UNSEEN_SECONDS


def _untold_due(desk: Desk, role: Role) -> float:
    """When fills are due to be asked for, so that cycles are reported with them and their fees."""
    if role not in desk.setup.polled:
        return math.inf
    cycles = (c for c in desk.ended if any(order.role == role for order in inferred(desk, c)))
    ended = min((cycle.ended for cycle in cycles), default=math.inf)
    return max(ended, desk.glanced.get(role, -math.inf)) + _HISTORY_SECONDS


def _in_flight(desk: Desk) -> bool:
    """While something changes positions, a comparison says nothing."""
    return desk.owing or any(order.immediate for order in desk.active.values())


def read_for_gates(desk: Desk) -> None:
    """Asks for margin, clocks and funding."""
    for role in ROLES:
        for what, pause in _READINGS.items():
            due = desk.read_due.setdefault((role, what), desk.now + pause)
            if desk.now < due:
                desk.wake(due)
            elif desk.live[role]:
                desk.read_due[role, what] = desk.now + pause
                desk.say(Read(role, what))


# --------------------------------------------------------------------------- the operator


def raise_alarms(desk: Desk) -> None:
    """Tells the operator what lasts too long, and that nothing happens."""
    _silence(desk)
    _long_pause(desk)
    if desk.exposed and _alarm_due(desk, "exposed", _MINUTE):
        text = f"{desk.exit_reason}; exposure {desk.ledger.exposure}"
        desk.alarm("exposed", text, page=True)


def _alarm_due(desk: Desk, topic: str, pause: float) -> bool:
    last = desk.alarmed.get(topic)
    if last is not None and desk.now < last + pause:
        desk.wake(last + pause)
        return False
    desk.alarmed[topic] = desk.now
    return True


def _silence(desk: Desk) -> None:
    last = max(desk.filled_at, desk.setup.started, desk.alarmed.get("silence", 0.0))
    due = last + desk.config.silence
    if desk.now < due:
        desk.wake(due)
        return
    desk.alarmed["silence"] = desk.now
    waiting = desk.waiting_for or desk.why
    desk.alarm("silence", f"no fill for {desk.config.silence:g} s; {waiting}")


def _long_pause(desk: Desk) -> None:
    if desk.phase is not Phase.PAUSED:
        desk.pause_told = False
    elif not desk.pause_told and desk.now - desk.phase_since > _MINUTE:
        desk.pause_told = True
        desk.alarm("pause", f"paused for a minute: {desk.why}")

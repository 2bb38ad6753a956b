"""What an event teaches. Nothing is decided here; `LEARN` names who takes which event.

Orders and fills are booked in `booking`, whatever channel they came by.
Absence is evidence only late: "not found" counts when the venue can no longer accept the request,
three times, with time in between and fills asked for alongside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mpdex.types import Order, OrderStatus
from mpdex.utils.orders import News, State
from strategies import dead_man, external, fences, refusals, streams
from strategies.booking import (
    ASK_AFTER,
    free,
    free_unreported,
    hear,
    name_order,
    prove_gone,
    take_fill,
    take_order,
)
from strategies.desk import Desk
from strategies.ledger import ZERO
from strategies.tracking import Tracked
from strategies.words import (
    AccountRead,
    Answered,
    ArmFailed,
    BookTick,
    CancelAcked,
    CancelFailed,
    ClockRead,
    Event,
    Fenced,
    FillSeen,
    FundingRead,
    JournalFailed,
    Kind,
    LoginEnds,
    MarketRead,
    NotAnswered,
    OperatorAsked,
    OrderSeen,
    OutcomeNotKnown,
    PlaceAcked,
    PlaceRefused,
    PositionSeen,
    Refusal,
    Role,
    Snapshot,
    SnapshotFailed,
    Source,
    StopAsked,
    StreamBack,
    StreamEnds,
    StreamLost,
    Timer,
)

# A cancel that was acknowledged without an end is asked about after this.
_ASK_AFTER_CANCEL = 0.15
_BOUND_MARGIN = 0.5  # clock skew and the way there
_ABSENT_TIMES, _ABSENT_APART = 3, 0.3
# A report, or a position, may lag behind an end by this much.
_LATE_SECONDS = 3.0
# An answer may be so old: what ended since is no contradiction.
_SETTLED_SECONDS = 2.0


# --------------------------------------------------------------------------- answers to commands


def _acked(desk: Desk, event: PlaceAcked) -> None:
    order = desk.known.get((event.role, event.client_id))
    if order is not None:
        name_order(desk, order, event.order["id"])
    report: Order = {**event.order, "client_order_id": event.client_id}
    take_order(desk, event.role, report, None, event.refusal)


def _refused(desk: Desk, event: PlaceRefused) -> None:
    order = desk.active.get((event.role, event.client_id))
    if order is None:
        return
    if event.refusal is Refusal.DUPLICATE_ID:
        # An earlier copy of this very order may be live: the answer is about that one.
        hear(desk, order, News.DOUBT, event.detail)
        return
    hear(desk, order, News.REJECT, event.detail)
    if order.settled:
        free(desk, order)
        refusals.refused(desk, order, event)


def _not_known(desk: Desk, event: OutcomeNotKnown) -> None:
    order = desk.active.get((event.role, event.client_id))
    if order is not None:
        hear(desk, order, News.DOUBT, event.detail or "no answer")


def _cancel_acked(desk: Desk, event: CancelAcked) -> None:
    """A hint: what was filled by then counts, that it is the end must be reported or asked."""
    if event.order is not None:
        report: Order = {**event.order, "client_order_id": event.client_id}
        take_order(desk, event.role, {**report, "status": OrderStatus.PENDING}, None)
    order = desk.active.get((event.role, event.client_id))
    if order is not None:
        order.ask_at = desk.now + _ASK_AFTER_CANCEL


def _cancel_failed(desk: Desk, event: CancelFailed) -> None:
    order = desk.active.get((event.role, event.client_id))
    if order is None:
        return
    if event.not_found:
        hear(desk, order, News.CANCEL_GONE, event.detail)
    else:
        order.ask_at = desk.now + ASK_AFTER[0]


def _answered(desk: Desk, event: Answered) -> None:
    for fill in event.fills:
        take_fill(desk, event.role, fill, "query")
    order = desk.active.get((event.role, event.client_id))
    if order is None:
        if event.order is not None:  # it has settled; what is told of it still counts
            report: Order = {**event.order, "client_order_id": event.client_id}
            take_order(desk, event.role, report, "query")
        return
    order.asking = False
    agrees = event.position is None or event.position == desk.expected(event.role)
    doubt = not agrees and external.within_reach(desk, event.role, event.position or ZERO)
    _weigh(desk, order, event.order, "query", doubt=doubt, refusal=event.refusal)
    if event.position is not None and agrees:
        _confirm(desk, order)


def _weigh(
    desk: Desk,
    order: Tracked,
    report: Order | None,
    source: Source,
    *,
    doubt: bool,
    refusal: Refusal | None = None,
) -> None:
    """`doubt`: the position at the venue may be what it is because this order traded."""
    if report is not None:
        known: Order = {**report, "client_order_id": order.client_id}
        take_order(desk, order.role, known, source, refusal)
    else:
        _absent(desk, order, doubt=doubt)
    if not order.settled:
        order.ask_at = _next_question(desk, order)


def _confirm(desk: Desk, order: Tracked) -> None:
    """It ended, and the venue goes on telling no believable amount: the position vouches for ours,
    once a report that is only late would have come."""
    if not order.unconfirmed or order.ended_at is None:
        return
    if desk.now >= order.ended_at + _LATE_SECONDS:
        desk.note(
            f"{order.kind} {order.client_id} filled {order.cum}, by the position", urgent=True
        )
        order.settle()
        free_unreported(desk, order)


def _absent(desk: Desk, order: Tracked, *, doubt: bool) -> None:
    order.unverified = False
    spaced = desk.now - order.absent_at >= _ABSENT_APART or not order.absent
    if desk.now > order.absent_from + _BOUND_MARGIN and spaced and not doubt:
        order.absent += 1
        order.absent_at = desk.now
    if order.absent >= _ABSENT_TIMES:
        prove_gone(desk, order)
    else:
        hear(desk, order, News.NOT_FOUND, "the venue does not find it")


def _next_question(desk: Desk, order: Tracked) -> float | None:
    if order.state.resting and not order.immediate:
        return None
    counts_from = order.absent_from + _BOUND_MARGIN
    if desk.now > counts_from and (order.absent or order.state is State.UNKNOWN):
        return desk.now + _ABSENT_APART
    order.asked += 1
    due = desk.now + ASK_AFTER[min(order.asked, len(ASK_AFTER) - 1)]
    return min(due, counts_from) if desk.now < counts_from else due


def _not_answered(desk: Desk, event: NotAnswered) -> None:
    order = desk.active.get((event.role, event.client_id))
    if order is not None:
        order.asking = False
        order.ask_at = _next_question(desk, order)


# --------------------------------------------------------------------------- the rest


def _fill_seen(desk: Desk, event: FillSeen) -> None:
    take_fill(desk, event.role, event.fill, event.source)


def _order_seen(desk: Desk, event: OrderSeen) -> None:
    take_order(desk, event.role, event.order, event.source, event.refusal)


def _tick(desk: Desk, event: BookTick) -> None:
    own = desk.lessons.own(desk.now) if event.role == "primary" else None
    if not desk.lessons.see(event, own):
        return
    desk.ticks[event.role] = event
    mid = event.mid
    if mid is not None:
        desk.last_mid[event.role] = (mid, event.at)


def _timer(desk: Desk, event: Timer) -> None:
    """Time itself teaches nothing; the workers look at what is due."""


def _lost(desk: Desk, event: StreamLost) -> None:
    role = event.role
    desk.note(f"{role} stream lost: {event.reason}", urgent=True)
    desk.up[role] = desk.live[role] = desk.verified[role] = False
    desk.reading[role] = False
    desk.seen_position.pop(role, None)
    desk.lessons.books.forget(role)
    streams.lost(desk, role)
    for order in [o for o in desk.active.values() if o.role == role]:
        hear(desk, order, News.LOST, "its stream was lost")


def _back(desk: Desk, event: StreamBack) -> None:
    desk.up[event.role], desk.up_since[event.role] = True, desk.now
    desk.note(f"{event.role} stream is back")
    desk.read_barrier(event.role)


def _snapshot(desk: Desk, event: Snapshot) -> None:
    role = event.role
    if not desk.reading[role]:
        return  # of a connection that was lost again meanwhile
    desk.reading[role] = False
    desk.read_once.add(role)
    for fill in event.fills:
        take_fill(desk, role, fill, "barrier")
    _recall(desk, event)
    agrees = external.observe(desk, role, event.position)
    doubt = external.within_reach(desk, role, event.position)
    for client_id, report in event.orders.items():
        order = desk.active.get((role, client_id))
        if order is not None:
            _weigh(desk, order, report, "barrier", doubt=doubt)
            if agrees:
                _confirm(desk, order)
    _open_orders(desk, event)
    _accept(desk, role, agrees)


def _recall(desk: Desk, event: Snapshot) -> None:
    """Orders that had ended, asked about again: what they filled beyond their end's word counts."""
    for client_id, report in event.orders.items():
        order = desk.known.get((event.role, client_id))
        if order is not None and order.settled and report is not None:
            known: Order = {**report, "client_order_id": client_id}
            take_order(desk, event.role, known, "barrier")


def _open_orders(desk: Desk, event: Snapshot) -> None:
    """Ours that should not be there are canceled; a quote that is not there is asked about."""
    for stray in event.strays:
        _adopt_stray(desk, event.role, stray)
    if event.open_ids is None:
        return
    for order in desk.active.values():
        here = order.role == event.role and order.state.resting and not order.immediate
        gone = here and order.client_id not in event.open_ids
        if gone and not order.asking and desk.now - order.sent > _SETTLED_SECONDS:
            order.ask_at = desk.now


def _adopt_stray(desk: Desk, role: Role, report: Order) -> None:
    """An open order with our mark that nobody asked about: of an earlier run, or thought gone."""
    order = desk.find(role, report["client_order_id"], report["id"])
    if order is None:
        order = desk.adopt(role, report)
        desk.note(f"an order of an earlier run rests on {role}: {order.client_id}", urgent=True)
    elif order.settled:
        if desk.now < order.settled_at + _SETTLED_SECONDS:
            return  # the list was read before it ended
        order.revive()
        desk.active[order.key] = order
    take_order(desk, role, report, "barrier")
    if order.kind is not Kind.MAKER or order is not desk.slot or not order.state.resting:
        desk.cancel(order, "it should not rest")


def _accept(desk: Desk, role: Role, agrees: bool) -> None:
    """Live, and verified, if nothing of this venue is in doubt."""
    doubtful = any(o.doubtful for o in desk.active.values() if o.role == role)
    if agrees and not doubtful:
        desk.verified[role] = True
        desk.live[role] = desk.up[role]
        return
    if agrees and desk.live[role]:
        return  # an order is in doubt: its own questions end that
    desk.read_at[role] = desk.now + external.reread_after(desk, role)
    if not agrees and (not external.busy(desk, role) or external.lasting(desk, role)):
        desk.distrust(role, "its position is not what our fills say")


def _snapshot_failed(desk: Desk, event: SnapshotFailed) -> None:
    desk.reading[event.role] = False
    if not desk.live[event.role] or not desk.verified[event.role]:
        desk.read_at[event.role] = desk.now + desk.config.reread


def _position_seen(desk: Desk, event: PositionSeen) -> None:
    desk.seen_position[event.role] = (event.position, desk.now)


def _login_ends(desk: Desk, event: LoginEnds) -> None:
    desk.login_ends[event.role] = event.at


def _account_read(desk: Desk, event: AccountRead) -> None:
    """A venue tells the leverage of a position only while there is one: the last word holds."""
    before = desk.accounts.get(event.role)
    if event.leverage is None and before is not None:
        event = replace(event, leverage=before.leverage)
    desk.accounts[event.role] = event
    desk.accounts_at[event.role] = desk.now


def _clock_read(desk: Desk, event: ClockRead) -> None:
    desk.skew_ms[event.role] = event.skew_ms


def _funding_read(desk: Desk, event: FundingRead) -> None:
    desk.funding[event.role] = event


def _market_read(desk: Desk, event: MarketRead) -> None:
    """Only what our words say of it: its record may have the last price in it, too."""
    before = desk.setup.markets[event.role]
    if {**event.market, "raw": None} != {**before, "raw": None}:
        desk.note(f"{event.role} changed its market", urgent=True)
        desk.setup.markets[event.role] = event.market


def _journal_failed(desk: Desk, event: JournalFailed) -> None:
    if not desk.journal_failed:
        desk.journal_failed = True
        desk.alarm("journal", f"the journal cannot be written: {event.detail}", page=True)


def _operator(desk: Desk, event: OperatorAsked) -> None:
    desk.note(f"operator {event.who} asks for: {event.what}", urgent=True)
    match event.what:
        case "pause":
            desk.operator_pause = "paused by the operator"
        case "resume":
            desk.operator_pause = ""
        case "drain":
            desk.stop(6, "drained by the operator")
        case "flatten":
            desk.flatten_asked = True
            desk.stop(6, "flattened by the operator")


def _stop_asked(desk: Desk, event: StopAsked) -> None:
    desk.stops = max(desk.stops, event.times)
    desk.stop(6, "interrupted")


LEARN: Mapping[type[Event], Callable[[Desk, Any], None]] = {
    FillSeen: _fill_seen,
    OrderSeen: _order_seen,
    PlaceAcked: _acked,
    PlaceRefused: _refused,
    OutcomeNotKnown: _not_known,
    CancelAcked: _cancel_acked,
    CancelFailed: _cancel_failed,
    Answered: _answered,
    NotAnswered: _not_answered,
    Fenced: fences.fenced,
    BookTick: _tick,
    Timer: _timer,
    StreamLost: _lost,
    StreamBack: _back,
    StreamEnds: streams.ends,
    LoginEnds: _login_ends,
    Snapshot: _snapshot,
    SnapshotFailed: _snapshot_failed,
    PositionSeen: _position_seen,
    AccountRead: _account_read,
    ClockRead: _clock_read,
    FundingRead: _funding_read,
    MarketRead: _market_read,
    ArmFailed: dead_man.not_granted,
    JournalFailed: _journal_failed,
    OperatorAsked: _operator,
    StopAsked: _stop_asked,
}

"""What an event teaches. Nothing is decided here; `LEARN` names who takes which event.

Every fill passes through `take_fill`, whatever channel it came by: no other code books one.
Absence is evidence only late: "not found" counts when the venue can no longer accept the request,
three times, with time in between and fills asked for alongside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from mpdex.types import Fill, Order, OrderStatus
from mpdex.utils.orders import Advice, News, State
from strategies import alterations, external, late_fees, refusals, streams
from strategies.cycles import Cycle, tally
from strategies.desk import Desk
from strategies.ledger import ZERO, counted
from strategies.pending import Orphan
from strategies.tracking import Tracked
from strategies.words import (
    AccountRead,
    Answered,
    BookTick,
    CancelAcked,
    CancelFailed,
    ClockRead,
    Event,
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
    Settled,
    Snapshot,
    SnapshotFailed,
    Source,
    StopAsked,
    StreamBack,
    StreamEnds,
    StreamLost,
    Timer,
    Trade,
)

# Questions about one order: soon, then patiently.
_ASK_AFTER = (0.2, 0.4, 0.8, 1.6, 2.0)
# News asked about at once: it cannot be the whole truth.
_ASK_NOW = (News.REJECT, News.CANCEL_GONE)
# A cancel that was acknowledged without an end is asked about after this.
_ASK_AFTER_CANCEL = 0.15
_BOUND_MARGIN = 0.5  # clock skew and the way there
_ABSENT_TIMES, _ABSENT_APART = 3, 0.3
# A report, or a position, may lag behind an end by this much.
_LATE_SECONDS = 3.0
# A post-only order that takes may be a venue's mistake once.
_TAKEN = 2
# An answer may be so old: what ended since is no contradiction.
_SETTLED_SECONDS = 2.0


def take_fill(desk: Desk, role: Role, fill: Fill, source: Source) -> None:
    """Books a fill of ours, once."""
    order = desk.find(role, fill["client_order_id"], fill["order_id"])
    if order is None:
        _nobodys(desk, role, fill, source)
        return
    if source == "stream":
        desk.unheard.pop(order.key, None)
    if fill["id"] in order.fills:
        late_fees.complete(desk, order, fill, _cycle_of(desk, order))
        return
    late_fees.expect(desk, order, fill)
    added, advice = order.fill(fill["id"], fill["size"])
    in_sums = counted(fill, desk.setup.markets[role]["quote"])
    desk.ledger.take(
        role,
        in_sums,
        desk.now,
        side=order.side,
        replaced=fill["size"] - added,
        inferred_price=order.synthetic_price,
    )
    desk.newest_ms[role] = max(desk.newest_ms[role], fill["timestamp_ms"])
    _name(desk, order, fill["order_id"])
    order.absent = 0
    desk.filled_at = desk.now
    if order.kind is Kind.MAKER:
        desk.last_fill_ms = fill["timestamp_ms"]
        _judge_maker_fill(desk, order, fill, late=advice is Advice.LATE)
    latency = _latency_ms(order, fill["timestamp_ms"])
    _book(desk, order, in_sums, latency)
    desk.lessons.fill(order, fill, desk.setup.markets[role], desk.now, source)
    if not order.told:
        desk.records.append(_trade(desk, order, fill, source, advice is Advice.LATE, latency))
    order.told = order.told and bool(order.synthetic)
    _free(desk, order)


def _nobodys(desk: Desk, role: Role, fill: Fill, source: Source) -> None:
    """A fill of an order that is not known: its acknowledgement may come, or it is not ours."""
    known = f"{role}:{fill['id']}" in desk.foreign
    waiting = any(orphan.fill["id"] == fill["id"] for orphan in desk.orphans)
    if fill["timestamp_ms"] >= desk.setup.began_ms and not known and not waiting:
        desk.orphans.append(Orphan(role, fill, source, desk.now))
        for order in external.nameless(desk, role):
            if not order.asking:
                order.ask_at = desk.now


def _judge_maker_fill(desk: Desk, order: Tracked, fill: Fill, *, late: bool) -> None:
    """What a maker fill may tell about the venue, beside that something traded."""
    slot = desk.slot
    if late and slot is not None and slot is not order:
        desk.cancel(slot, "a late fill of an earlier quote")
    if order.cum > order.size:
        desk.alarm("overfill", f"the venue filled {order.cum} of an order of {order.size}")
        desk.stop(4, "a venue filled more than was ordered")
    if fill["side"] != order.side:
        desk.stop(4, "a venue filled the other side of an order")
    if fill["liquidity"] == "taker":
        desk.taken += 1
        desk.note("a post-only order took liquidity", urgent=True)
        if desk.taken >= _TAKEN:
            desk.stop(4, "the primary does not keep post-only")


def take_order(
    desk: Desk, role: Role, report: Order, source: Source | None, refusal: Refusal | None = None
) -> None:
    """Learns from a report on an order of ours; others are none of our business.

    Args:
        source: None: an acknowledgement, which proves nothing about the streams.
        refusal: why it was rejected, if it was.
    """
    order = desk.find(role, report["client_order_id"], report["id"])
    if order is None or alterations.is_copy(desk, order, report):
        return
    _name(desk, order, report["id"])
    order.unverified, order.absent = False, 0
    if source is not None:
        order.sources.add(source)
    settled = order.settled
    alterations.believe(desk, order, report)
    added, advice = order.report(report["status"], report["filled"])
    streams.shown(desk, order, report, source, added)
    if order.unconfirmed and order.ended_at is None:
        order.ended_at = desk.now
    if added:
        _infer(desk, order, report, added)
    if settled:
        return
    _heed(desk, order, advice, desk.now)
    _free(desk, order)
    if order.settled and not order.cum and not order.canceling:
        refusals.ended_unfilled(desk, order, report, refusal)


def _name(desk: Desk, order: Tracked, order_id: str) -> None:
    if order_id and not order.id:
        order.id = order_id
        desk.by_id[order.role, order_id] = order.key
        adopted = [o for o in desk.orphans if o.fill["order_id"] == order_id]
        desk.orphans = [o for o in desk.orphans if o not in adopted]
        for orphan in adopted:
            take_fill(desk, orphan.role, orphan.fill, orphan.source)


def _infer(desk: Desk, order: Tracked, report: Order, added: Decimal) -> None:
    """The report knows of more than the fills so far: it counts now, the fill replaces it later."""
    price = report["average_price"] or order.price or ZERO
    desk.ledger.infer(order.role, order.side, added, price, desk.now)
    before = order.synthetic - added
    order.synthetic_price = (order.synthetic_price * before + price * added) / order.synthetic
    if order.kind is Kind.MAKER:
        desk.last_fill_ms = report["timestamp_ms"] or desk.setup.wall_ms(desk.now)
    if _cycle_of(desk, order) is None:
        desk.untold[order.key] = desk.now
    _mark_first_fill(desk, order)


def hear(desk: Desk, order: Tracked, news: News, why: str) -> None:
    """Learns what brings no amount, and does what the table advises."""
    before = order.state
    advice = order.hear(news)
    if order.state is State.UNKNOWN and before is not State.UNKNOWN:
        desk.note(f"{order.kind} {order.client_id} is UNKNOWN: {why}")
        if not order.immediate:
            desk.cancel(order, "its fate is not known")
    soon = desk.now if news in _ASK_NOW else order.ask_at or desk.now + _ASK_AFTER[0]
    _heed(desk, order, advice, soon)


def _heed(desk: Desk, order: Tracked, advice: Advice, soon: float) -> None:
    match advice:
        case Advice.QUERY:
            order.ask_at = soon
        case Advice.ODD:
            desk.note(f"{order.kind} {order.client_id} was refused after it was {order.state}")
            order.ask_at = soon
        case Advice.UNVERIFIED:
            order.unverified, order.ask_at = True, soon
        case Advice.FOUND_OPEN if not order.immediate:
            desk.cancel(order, "it rests after all")


def _free(desk: Desk, order: Tracked) -> None:
    """A settled order holds nothing; after one that left debt, a newer book is waited for.

    One that left none says nothing about the book: the next fill's hedge must not wait for it.
    """
    if not order.settled:
        return
    if desk.active.pop(order.key, None) is None:
        return
    order.settled_at = desk.now
    if order.kind in (Kind.HEDGE, Kind.UNWIND) and desk.episode.since is not None:
        _judge_attempt(desk, order)


def _judge_attempt(desk: Desk, order: Tracked) -> None:
    """Whether it did what was owed when it was sent; what is owed beyond that is newer."""
    episode = desk.episode
    if order.cum < order.size:
        episode.fresh_after = desk.now
        episode.attempts += order.kind is Kind.HEDGE
    elif order.kind is Kind.HEDGE and episode.since is not None:
        episode.attempts, episode.since = 0, max(episode.since, order.sent)


# --------------------------------------------------------------------------- accounting


def _book(desk: Desk, order: Tracked, fill: Fill, latency: int | None) -> None:
    cycle = _cycle_of(desk, order)
    if cycle is None:
        return
    _mark_first_fill(desk, order)
    tally(cycle, order.kind, fill)
    if order.kind is Kind.HEDGE:
        cycle.hedge_latency_ms = latency


def _mark_first_fill(desk: Desk, order: Tracked) -> None:
    cycle = _cycle_of(desk, order)
    if cycle is None:
        return
    cycle.exposure.update(desk.ledger.exposure, desk.now)
    if cycle.first_fill is None and order.kind in (Kind.MAKER, Kind.FLATTEN):
        cycle.first_fill = desk.now


def _cycle_of(desk: Desk, order: Tracked) -> Cycle | None:
    if desk.cycle is not None and desk.cycle.number == order.cycle:
        return desk.cycle
    return next((c for c in desk.ended if c.number == order.cycle), None)


def _latency_ms(order: Tracked, fill_ms: int) -> int | None:
    if order.kind is not Kind.HEDGE or order.trigger_ms is None:
        return None
    return fill_ms - order.trigger_ms


def _trade(
    desk: Desk, order: Tracked, fill: Fill, source: Source, late: bool, latency: int | None
) -> Trade:
    return Trade(
        cycle=order.cycle,
        role=order.role,
        purpose=order.kind,
        side=fill["side"],
        size=fill["size"],
        price=fill["price"],
        fee=fill["fee"],
        fee_asset=fill["fee_asset"],
        liquidity=fill["liquidity"],
        order_id=fill["order_id"],
        client_id=order.client_id,
        trade_id=fill["id"],
        source=source,
        late=late,
        decision_price=order.decision_price,
        latency_ms=latency,
        exposure=desk.ledger.exposure,
        timestamp_ms=fill["timestamp_ms"],
    )


def inferred_trade(desk: Desk, order: Tracked) -> Trade:
    """The record of executed size that no fill has told within the grace."""
    order.told = True
    fill = Fill(
        id="",
        order_id=order.id,
        client_order_id=order.client_id,
        symbol=order.symbol,
        side=order.side,
        price=order.synthetic_price,
        size=order.synthetic,
        fee=None,
        fee_asset="",
        liquidity="maker" if order.kind is Kind.MAKER else "taker",
        timestamp_ms=desk.setup.wall_ms(desk.now),
        raw=None,
    )
    _book(desk, order, fill, None)
    return _trade(desk, order, fill, "cum", False, None)


# --------------------------------------------------------------------------- answers to commands


def _acked(desk: Desk, event: PlaceAcked) -> None:
    order = desk.known.get((event.role, event.client_id))
    if order is not None:
        _name(desk, order, event.order["id"])
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
        _free(desk, order)
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
        order.ask_at = desk.now + _ASK_AFTER[0]


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
        _settled(desk, order)


def _settled(desk: Desk, order: Tracked) -> None:
    """By evidence of ours: for the journal, since no report says it."""
    desk.records.append(Settled(order.role, order.client_id, order.cum))
    _free(desk, order)


def _absent(desk: Desk, order: Tracked, *, doubt: bool) -> None:
    order.unverified = False
    spaced = desk.now - order.absent_at >= _ABSENT_APART or not order.absent
    if desk.now > order.bound + _BOUND_MARGIN and spaced and not doubt:
        order.absent += 1
        order.absent_at = desk.now
    if order.absent >= _ABSENT_TIMES:
        desk.note(f"{order.kind} {order.client_id} is proven gone")
        order.report(OrderStatus.EXPIRED, order.cum)
        _settled(desk, order)
        if order.kind is Kind.HEDGE and not order.cum:
            desk.episode.never_arrived()
    else:
        hear(desk, order, News.NOT_FOUND, "the venue does not find it")


def _next_question(desk: Desk, order: Tracked) -> float | None:
    if order.state.resting and not order.immediate:
        return None
    counts_from = order.bound + _BOUND_MARGIN
    if desk.now > counts_from and (order.absent or order.state is State.UNKNOWN):
        return desk.now + _ABSENT_APART
    order.asked += 1
    due = desk.now + _ASK_AFTER[min(order.asked, len(_ASK_AFTER) - 1)]
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
    if event.market != desk.setup.markets[event.role]:
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
    JournalFailed: _journal_failed,
    OperatorAsked: _operator,
    StopAsked: _stop_asked,
}

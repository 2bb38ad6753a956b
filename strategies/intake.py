"""What an event teaches. Nothing is decided here; `LEARN` names who takes which event.

Every fill passes through `take_fill`, whatever channel it came by: no other code books one.
Absence is evidence only late: "not found" counts when the venue can no longer accept the request,
three times, with time in between and fills asked for alongside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from mpdex.types import Fill, Order, OrderStatus
from mpdex.utils.orders import Advice, News, State
from strategies import refusals
from strategies.desk import Cycle, Desk, Orphan, Phase
from strategies.ledger import ZERO
from strategies.tracking import Tracked
from strategies.words import (
    Answered,
    BookTick,
    CancelAcked,
    CancelFailed,
    Event,
    FillSeen,
    Kind,
    NotAnswered,
    OrderSeen,
    OutcomeNotKnown,
    PlaceAcked,
    PlaceRefused,
    Role,
    Snapshot,
    SnapshotFailed,
    Source,
    StopAsked,
    StreamBack,
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
_ORPHAN_SECONDS = 2.0


def take_fill(desk: Desk, role: Role, fill: Fill, source: Source) -> None:
    """Books a fill of ours, once."""
    order = desk.find(role, fill["client_order_id"], fill["order_id"])
    if order is None:
        if fill["timestamp_ms"] >= desk.setup.started_ms:
            desk.orphans.append(Orphan(role, fill, source, desk.now))
            desk.wake(desk.now + _ORPHAN_SECONDS)
        return
    if fill["id"] in order.fills:
        return
    added, advice = order.fill(fill["id"], fill["size"])
    desk.ledger.take(
        role,
        fill,
        desk.now,
        replaced=fill["size"] - added,
        inferred_price=order.synthetic_price,
    )
    desk.newest_ms[role] = max(desk.newest_ms[role], fill["timestamp_ms"])
    _name(desk, order, fill["order_id"])
    order.absent = 0
    if order.kind is Kind.MAKER:
        desk.last_fill_ms = fill["timestamp_ms"]
    latency = _latency_ms(order, fill["timestamp_ms"])
    _book(desk, order, fill, latency)
    if not order.told:
        desk.records.append(_trade(desk, order, fill, source, advice is Advice.LATE, latency))
    order.told = order.told and bool(order.synthetic)
    _free(desk, order)


def take_order(desk: Desk, role: Role, report: Order) -> None:
    """Learns from a report on an order of ours; others are none of our business."""
    order = desk.find(role, report["client_order_id"], report["id"])
    if order is None:
        return
    _name(desk, order, report["id"])
    order.unverified, order.absent = False, 0
    settled = order.settled
    added, advice = order.report(report["status"], report["filled"])
    if added:
        _infer(desk, order, report, added)
    if settled:
        return
    _heed(desk, order, advice, desk.now)
    _free(desk, order)
    if order.settled and order.kind is Kind.MAKER and not order.canceling and not order.cum:
        refusals.external_end(desk, report)


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
    desk.active.pop(order.key, None)
    left_debt = order.cum < order.size and order.kind in (Kind.HEDGE, Kind.UNWIND)
    if left_debt and desk.episode.since is not None:
        desk.episode.fresh_after = desk.now


# --------------------------------------------------------------------------- accounting


def _book(desk: Desk, order: Tracked, fill: Fill, latency: int | None) -> None:
    cycle = _cycle_of(desk, order)
    if cycle is None:
        return
    _mark_first_fill(desk, order)
    size, paid, fee = fill["size"], fill["size"] * fill["price"], fill["fee"] or ZERO
    match order.kind:
        case Kind.HEDGE:
            cycle.hedged += size
            cycle.hedge_paid += paid
            cycle.hedge_latency_ms = latency
        case Kind.UNWIND:
            cycle.unwound += size
            cycle.unwind_paid += paid
        case _:
            cycle.filled += size
            cycle.paid += paid
    if fill["liquidity"] == "maker":
        cycle.maker_fee += fee
    else:
        cycle.taker_fee += fee


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
    return next((c for c in desk.ending if c.number == order.cycle), None)


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
    take_order(desk, event.role, {**event.order, "client_order_id": event.client_id})


def _refused(desk: Desk, event: PlaceRefused) -> None:
    order = desk.active.get((event.role, event.client_id))
    if order is None:
        return
    hear(desk, order, News.REJECT, event.detail)
    if order.settled:
        desk.active.pop(order.key, None)
        refusals.refused(desk, order, event)


def _not_known(desk: Desk, event: OutcomeNotKnown) -> None:
    order = desk.active.get((event.role, event.client_id))
    if order is not None:
        hear(desk, order, News.DOUBT, event.detail or "no answer")


def _cancel_acked(desk: Desk, event: CancelAcked) -> None:
    if event.order is not None:
        take_order(desk, event.role, {**event.order, "client_order_id": event.client_id})
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
        return
    order.asking = False
    _weigh(desk, order, event.order)


def _weigh(desk: Desk, order: Tracked, report: Order | None) -> None:
    if report is not None:
        take_order(desk, order.role, {**report, "client_order_id": order.client_id})
    else:
        _absent(desk, order)
    if not order.settled:
        order.ask_at = _next_question(desk, order)


def _absent(desk: Desk, order: Tracked) -> None:
    order.unverified = False
    spaced = desk.now - order.absent_at >= _ABSENT_APART or not order.absent
    if desk.now > order.bound + _BOUND_MARGIN and spaced:
        order.absent += 1
        order.absent_at = desk.now
    if order.absent >= _ABSENT_TIMES:
        desk.note(f"{order.kind} {order.client_id} is proven gone")
        order.report(OrderStatus.EXPIRED, order.cum)
        _free(desk, order)
    else:
        hear(desk, order, News.NOT_FOUND, "the venue does not find it")


def _next_question(desk: Desk, order: Tracked) -> float | None:
    if order.state.resting and not order.immediate:
        return None
    if desk.now > order.bound + _BOUND_MARGIN and (order.absent or order.state is State.UNKNOWN):
        return desk.now + _ABSENT_APART
    order.asked += 1
    return desk.now + _ASK_AFTER[min(order.asked, len(_ASK_AFTER) - 1)]


def _not_answered(desk: Desk, event: NotAnswered) -> None:
    order = desk.active.get((event.role, event.client_id))
    if order is not None:
        order.asking = False
        order.ask_at = _next_question(desk, order)


# --------------------------------------------------------------------------- the rest


def _fill_seen(desk: Desk, event: FillSeen) -> None:
    take_fill(desk, event.role, event.fill, event.source)


def _order_seen(desk: Desk, event: OrderSeen) -> None:
    take_order(desk, event.role, event.order)


def _tick(desk: Desk, event: BookTick) -> None:
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
    for order in [o for o in desk.active.values() if o.role == role]:
        hear(desk, order, News.LOST, "its stream was lost")
    if desk.phase in (Phase.RUNNING, Phase.REDUCING):
        desk.resume = desk.phase
        desk.enter(Phase.RECOVERING, f"{role} stream lost")


def _back(desk: Desk, event: StreamBack) -> None:
    desk.up[event.role] = True
    desk.note(f"{event.role} stream is back")
    desk.read_barrier(event.role)


def _snapshot(desk: Desk, event: Snapshot) -> None:
    role = event.role
    if not desk.reading[role]:
        return  # of a connection that was lost again meanwhile
    desk.reading[role] = False
    for fill in event.fills:
        take_fill(desk, role, fill, "barrier")
    for client_id, report in event.orders.items():
        order = desk.active.get((role, client_id))
        if order is not None:
            _weigh(desk, order, report)
    position = event.position - desk.setup.baseline[role]
    if _accepted(desk, role, position):
        desk.verified[role] = True
        desk.live[role] = desk.up[role]
        desk.mismatches = 0
    else:
        desk.read_at[role] = desk.now + desk.config.reread


def _accepted(desk: Desk, role: Role, position: Decimal) -> bool:
    if any(o.doubtful for o in desk.active.values() if o.role == role):
        return False
    if position != desk.ledger.position(role):
        # A fill may be on its way; only a lasting difference is one (see `hedge_core`).
        if not any(o.role == role for o in desk.active.values()):
            desk.mismatches += 1
            desk.note(
                f"{role} position is {position}, fills say {desk.ledger.position(role)}",
                urgent=True,
            )
        return False
    return True


def _snapshot_failed(desk: Desk, event: SnapshotFailed) -> None:
    desk.reading[event.role] = False
    desk.read_at[event.role] = desk.now + desk.config.reread


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
    Snapshot: _snapshot,
    SnapshotFailed: _snapshot_failed,
    StopAsked: _stop_asked,
}

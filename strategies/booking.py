"""Books what is told of our orders: fills and reports, from whatever channel, each once.

Every fill passes through `take_fill`: no other code books one. A report that knows of more than the
fills so far counts at once, and the fill replaces it when it comes.
"""

from __future__ import annotations

from decimal import Decimal

from mpdex.types import Fill, Order, OrderStatus
from mpdex.utils.orders import Advice, News, State
from strategies import alterations, external, late_fees, refusals, streams
from strategies.cycles import Cycle, tally
from strategies.desk import Desk
from strategies.ledger import ZERO, counted, signed
from strategies.pending import Orphan
from strategies.tracking import Tracked
from strategies.words import (
    Kind,
    Refusal,
    Role,
    Settled,
    Source,
    Trade,
)

# Questions about one order: soon, then patiently.
ASK_AFTER = (0.2, 0.4, 0.8, 1.6, 2.0)
# News asked about at once: it cannot be the whole truth.
_ASK_NOW = (News.REJECT, News.CANCEL_GONE)
# A post-only order that takes may be a venue's mistake once.
_TAKEN = 2


def take_fill(desk: Desk, role: Role, fill: Fill, source: Source) -> None:
    """Books a fill of ours, once."""
    order = desk.find(role, fill["client_order_id"], fill["order_id"])
    if order is None and desk.setup.is_lost(role, fill["client_order_id"], fill["timestamp_ms"]):
        order = desk.adopt_fill(role, fill)
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
    if added:
        desk.booked[role].append((fill["timestamp_ms"], signed(order.side, added)))
    name_order(desk, order, fill["order_id"])
    order.absent = 0
    desk.filled_at = desk.now
    if order.kind is Kind.MAKER:
        desk.last_fill_ms = fill["timestamp_ms"]
        _judge_maker_fill(desk, order, fill, late=advice is Advice.LATE)
    latency = _latency_ms(order, fill["timestamp_ms"])
    _book(desk, order, in_sums, latency)
    desk.lessons.fill(order, fill, desk.setup.markets[role], desk.now, source)
    if not order.told:
        late, exposure = advice is Advice.LATE, desk.ledger.exposure
        desk.records.append(
            trade_of(order, fill, source, late=late, latency=latency, exposure=exposure)
        )
    order.told = order.told and bool(order.synthetic)
    free(desk, order)


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
    name_order(desk, order, report["id"])
    order.unverified, order.absent = False, 0
    if source is not None:
        order.sources.add(source)
        order.seen = desk.now
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
    free(desk, order)
    if order.settled and not order.cum and not order.canceling:
        refusals.ended_unfilled(desk, order, report, refusal)


def name_order(desk: Desk, order: Tracked, order_id: str) -> None:
    if order_id and not order.id:
        order.id, order.named = order_id, desk.now
        desk.by_id[order.role, order_id] = order.key
        adopted = [o for o in desk.orphans if o.fill["order_id"] == order_id]
        desk.orphans = [o for o in desk.orphans if o not in adopted]
        for orphan in adopted:
            take_fill(desk, orphan.role, orphan.fill, orphan.source)


def _infer(desk: Desk, order: Tracked, report: Order, added: Decimal) -> None:
    """The report knows of more than the fills so far: it counts now, the fill replaces it later."""
    price = report["average_price"] or order.price or ZERO
    desk.ledger.infer(order.role, order.side, added, price, desk.now)
    at_ms = report["timestamp_ms"] or desk.setup.wall_ms(desk.now)
    desk.booked[order.role].append((at_ms, signed(order.side, added)))
    before = order.synthetic - added
    order.synthetic_price = (order.synthetic_price * before + price * added) / order.synthetic
    if order.kind is Kind.MAKER:
        desk.last_fill_ms = at_ms
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
    soon = desk.now if news in _ASK_NOW else order.ask_at or desk.now + ASK_AFTER[0]
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


def free(desk: Desk, order: Tracked) -> None:
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


def free_unreported(desk: Desk, order: Tracked) -> None:
    """By evidence of ours: for the journal, since no report says it."""
    desk.records.append(Settled(order.role, order.client_id, order.cum))
    free(desk, order)


def prove_gone(desk: Desk, order: Tracked) -> None:
    """It never arrived, or left nothing behind: what was heard of it is all there is."""
    desk.note(f"{order.kind} {order.client_id} is proven gone")
    order.report(OrderStatus.EXPIRED, order.cum)
    free_unreported(desk, order)
    if order.kind is Kind.HEDGE and not order.cum:
        desk.episode.never_arrived()


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


def trade_of(
    order: Tracked,
    fill: Fill,
    source: Source,
    *,
    late: bool,
    latency: int | None,
    exposure: Decimal,
) -> Trade:
    """The record of a booked fill. `exposure`: net, with it."""
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
        exposure=exposure,
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
    exposure = desk.ledger.exposure
    return trade_of(order, fill, "cum", late=False, latency=None, exposure=exposure)

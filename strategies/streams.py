"""Streams that say nothing any more, and streams that are about to end.

A connection may stay open while the account's channel on it has gone silent: pings are answered,
prices flow, own orders are told by nobody. What a venue has answered about an order must therefore
come by its stream, too. If it does not, the streams are made anew, and the venue is read. And what
the public book says about a quote of ours must agree with what we believe of it.

A connection that the venue will end is made anew at a good time: nothing rests, nothing is owed,
and no pair is open, unless the end is near.
"""

from __future__ import annotations

from decimal import Decimal

from mpdex.types import Order, OrderStatus
from strategies.desk import Desk
from strategies.tracking import Tracked
from strategies.words import ROLES, BookTick, Kind, Renew, Role, Source, StreamEnds

# Seconds by which a stream may lag behind an answer.
_LAG = 3.0
# Seconds by which the news of a fill may lag behind the book.
_MISSING = 1.0
# Seconds before its end, or parts of its life if that is less, from which a connection is renewed
# as soon as no pair is open, and as soon as nothing is under way. A minute before its end it is
# made anew without us.
_EARLY, _EARLY_PART = 900.0, 0.25
_LATE, _LATE_PART = 180.0, 0.2


def shown(desk: Desk, order: Tracked, report: Order, source: Source | None, added: Decimal) -> None:
    """A report on an order: the stream's own, or one that it must tell, too.

    Args:
        added: what the report knows to have traded beyond everything before it.
    """
    if source in ("stream", "cum"):
        desk.unheard.pop(order.key, None)
        return
    if order.role in desk.setup.polled or order.kind is Kind.CANARY:  # it looks for itself
        return
    rests = report["status"] is OrderStatus.OPEN and not order.sources & {"stream", "cum"}
    if (rests or added) and desk.live[order.role]:  # of what was before, no stream tells
        desk.unheard.setdefault(order.key, desk.now)


def lost(desk: Desk, role: Role) -> None:
    """Nothing can be expected of a stream that is down, nor about what happened meanwhile."""
    desk.stream_ends.pop(role, None)
    for key in [key for key in desk.unheard if key[0] == role]:
        del desk.unheard[key]


def ends(desk: Desk, event: StreamEnds) -> None:
    desk.stream_ends[event.role] = event.at


def listen(desk: Desk) -> None:
    """Finds streams that do not tell of what has been answered."""
    for key, since in tuple(desk.unheard.items()):
        due = since + _LAG
        if desk.now < due:
            desk.wake(due)
        elif desk.up[key[0]]:
            renew(desk, key[0], f"silent about an order for {_LAG:g} s")


def watch_book(desk: Desk) -> None:
    """A quote that was in the public book and is not any more has traded, or is gone: ask."""
    order, tick = desk.slot, desk.ticks.get("primary")
    if order is None or tick is None or order.immediate or order.canceling:
        return
    there = in_book(tick, order) if order.state.resting else None
    if there:
        order.in_book, order.missing_since = True, None
    elif there is False and order.in_book:
        order.missing_since = order.missing_since or desk.now
        due = order.missing_since + _MISSING
        if desk.now < due:
            desk.wake(due)
        elif not order.asking and order.ask_at is None:
            order.in_book, order.ask_at = False, desk.now
            desk.note("the book does not show our quote any more")


def in_book(tick: BookTick, order: Tracked) -> bool | None:
    """Whether a level can hold an order; None: that far the levels at hand do not reach."""
    levels = tick.bids if order.side == "buy" else tick.asks
    if not levels or order.price is None:
        return None
    for price, size in levels:
        if price == order.price:
            return size >= order.remaining
    worst = levels[-1][0]
    within = order.price > worst if order.side == "buy" else order.price < worst
    return False if within else None


def renew_in_time(desk: Desk) -> None:
    """Renews what is about to end, if this is a good time for it."""
    for role in ROLES:
        at = desk.stream_ends.get(role)
        if at is None or not desk.up[role] or desk.active or desk.owing or desk.cycle is not None:
            continue
        life = at - desk.up_since.get(role, desk.setup.started)
        early, late = min(_EARLY, life * _EARLY_PART), min(_LATE, life * _LATE_PART)
        if desk.now >= at - (late if desk.pair_open else early):
            renew(desk, role, f"would end in {at - desk.now:.0f} s")


def renew(desk: Desk, role: Role, why: str) -> None:
    """Has the venue's own streams made anew; it is not live before it has been read."""
    desk.note(f"{role} stream is renewed: {why}", urgent=True)
    lost(desk, role)
    desk.live[role] = desk.verified[role] = False
    desk.reading[role] = False
    desk.say(Renew(role, why))

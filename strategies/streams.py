"""Streams that say nothing any more, and streams that are about to end.

A connection may stay open while the account's channel on it has gone silent: pings are answered,
prices flow, own orders are told by nobody. What a venue has answered about an order must therefore
come by its stream, too. If it does not, the streams are made anew, and the venue is read.

A connection that the venue will end is made anew at a good time: nothing rests, nothing is owed,
and no pair is open, unless the end is near.
"""

from __future__ import annotations

from mpdex.types import Order, OrderStatus
from strategies.desk import Desk
from strategies.tracking import Tracked
from strategies.words import ROLES, Renew, Role, Source, StreamEnds

# Seconds by which a stream may lag behind an answer.
_LAG = 3.0
# Seconds before its end from which a connection is renewed as soon as nothing is open, and as soon
# as nothing is under way. Made anew it is without us a minute before.
_EARLY, _LATE = 900.0, 180.0


def shown(desk: Desk, order: Tracked, report: Order, source: Source | None) -> None:
    """Something other than the stream has told that an order lives, or has traded."""
    if source in ("stream", "cum"):
        desk.unheard.pop(order.key, None)
        return
    tells = report["status"] is OrderStatus.OPEN or report["filled"] > 0
    if tells and not order.sources & {"stream", "cum"} and desk.up[order.role]:
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


def renew_in_time(desk: Desk) -> None:
    """Renews what is about to end, if this is a good time for it."""
    for role in ROLES:
        at = desk.stream_ends.get(role)
        if at is None or not desk.up[role] or desk.active or desk.owing or desk.cycle is not None:
            continue
        if desk.now >= at - (_LATE if desk.pair_open else _EARLY):
            renew(desk, role, f"would end in {at - desk.now:.0f} s")


def renew(desk: Desk, role: Role, why: str) -> None:
    """Has the venue's own streams made anew; it is not live before it has been read."""
    desk.note(f"{role} stream is renewed: {why}", urgent=True)
    lost(desk, role)
    desk.live[role] = desk.verified[role] = False
    desk.reading[role] = False
    desk.say(Renew(role, why))

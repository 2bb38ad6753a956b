"""Nonce fences: an order of which nobody knows whether it arrived is made unable to arrive.

A venue takes each nonce once. Whoever uses up the nonce of an order with something that does
nothing knows in one round trip what else takes the order's whole time bound: if the venue took it,
the order never landed; if it says the nonce was used, nothing more can land and the next answers
about the order are final.
"""

from __future__ import annotations

from mpdex.utils.orders import State
from strategies.booking import prove_gone
from strategies.desk import Desk
from strategies.tracking import Tracked
from strategies.words import Fence, Fenced

# Without an answer it is tried again after this.
_PAUSE = 0.5


def fence_doubtful(desk: Desk) -> None:
    """Fences every order whose fate is not known, where the venue has such means."""
    for order in desk.active.values():
        if not _to_be_fenced(desk, order):
            continue
        if desk.now < order.fence_at:
            desk.wake(order.fence_at)
            continue
        order.fencing = True
        desk.say(Fence(order.role, order.client_id))


def _to_be_fenced(desk: Desk, order: Tracked) -> bool:
    unknown = order.role in desk.setup.fences and order.state is State.UNKNOWN
    return unknown and not (order.heard or order.fencing or order.fenced)


def fenced(desk: Desk, event: Fenced) -> None:
    """What the fence has shown; absence counts from now on, not from the order's own bound."""
    order = desk.active.get((event.role, event.client_id))
    if order is None:
        return
    order.fencing = False
    if event.never is None:
        order.fence_at = desk.now + _PAUSE
        return
    order.fenced = True
    order.bound = min(order.bound, desk.now)
    if event.never and not order.heard:
        prove_gone(desk, order)
    elif not order.asking:
        order.ask_at = desk.now

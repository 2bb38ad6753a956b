"""What a venue made of an order: another size, another price than it was sent with.

What the venue has is what can fill: more is believed at once, less at the order's end, for until
then it is reserved. The venue's rules may have changed: they are asked for. A quote that became
larger, or rests elsewhere, is taken back; so are both of two, where a request was passed on twice.
"""

from __future__ import annotations

from mpdex.types import Order
from strategies.desk import Desk
from strategies.tracking import Tracked
from strategies.words import Cancel, Read


def believe(desk: Desk, order: Tracked, report: Order) -> None:
    """Takes over what a report says about an order beside how it is going."""
    before = order.size
    due = report["size"] > before or report["status"].terminal
    if due and order.resize(report["size"]):
        _tell(desk, order, f"size {order.size} instead of {before}")
        step = desk.setup.markets[order.role]["step"]
        if abs(order.size - before) > step:
            desk.say(Read(order.role, "market"))
        if order.size > before:
            _take_back(desk, order)
    price = report["price"]
    if order.immediate or price is None or price == order.price:
        return
    _tell(desk, order, f"price {price} instead of {order.price}")
    order.price = price
    _take_back(desk, order)


def is_copy(desk: Desk, order: Tracked, report: Order) -> bool:
    """Whether a report is about a second order under the same client id; it is taken back then."""
    if not order.id or report["id"] in ("", order.id):
        return False
    if not report["status"].terminal:
        desk.say(Cancel(order.role, "", report["id"]))
        _take_back(desk, order)
        desk.distrust(order.role, f"it took {order.kind} {order.client_id} twice")
    return True


def _tell(desk: Desk, order: Tracked, what: str) -> None:
    desk.note(f"{order.role} changed {order.kind} {order.client_id}: {what}", urgent=True)


def _take_back(desk: Desk, order: Tracked) -> None:
    if not order.state.ended and not order.immediate:
        desk.cancel(order, "the venue changed it")

"""A hedge venue that failed must prove itself before the next quote: an order that cannot fill.

A venue in post-only mode, or one that was down, refuses it; one that is back ends it unfilled.
"""

from __future__ import annotations

from strategies.canary import hedge_probe_price
from strategies.desk import Desk
from strategies.words import Kind

_PAUSE = 5.0


def probe_hedge(desk: Desk) -> None:
    """Sends a probe now and then while the hedge venue is barred; `intake` hears how it ends."""
    if not desk.barred:
        desk.barred_since = None
        return
    desk.barred_since = desk.now if desk.barred_since is None else desk.barred_since
    if desk.active or desk.owing or not all(desk.live.values()):
        return
    if desk.probe is not None:
        _judge(desk)
        return
    if desk.now < desk.probe_after:
        desk.wake(desk.probe_after)
        return
    size_and_price = hedge_probe_price(desk)
    if size_and_price is None:
        return
    if "hedge" in desk.setup.weak:  # it has no order that cannot fill; its book must do
        desk.barred = ""
        return
    size, price = size_and_price
    desk.probe = desk.place("hedge", Kind.CANARY, "buy", size, price)


def _judge(desk: Desk) -> None:
    """The probe has settled: ended by the matching engine, refused, or never seen again."""
    probe, desk.probe = desk.probe, None
    if probe is None or probe.key in desk.active:
        return
    if probe.refused in ("", "no_match") and not probe.absent:
        desk.note(f"the hedge venue works again: {desk.barred}")
        desk.barred = ""
        return
    desk.probe_after = desk.now + _PAUSE
    if desk.now - (desk.barred_since or desk.now) > desk.config.closed_limit:
        desk.stop(4, f"the hedge venue did not come back: {desk.barred}")

"""The venue's own switch for a trader who is not there any more: it cancels a quote left behind.

It is armed only while a quote rests, and moved on at half of its life. It cancels orders, never
positions, so it is a backstop and nothing is built on it.
"""

from __future__ import annotations

from strategies.desk import Desk
from strategies.words import Arm, ArmFailed


def keep_armed(desk: Desk) -> None:
    """Arms, moves on, disarms, if the operator wants the switch and the venue grants it."""
    seconds = desk.config.dead_man
    if seconds is None or desk.dead_man_refused:
        return
    if desk.slot is None:
        if desk.armed_at is not None:
            desk.armed_at = None
            desk.say(Arm("primary", None))
        return
    due = desk.now if desk.armed_at is None else desk.armed_at + seconds / 2
    if desk.now < due:
        desk.wake(due)
        return
    desk.armed_at = desk.now
    desk.say(Arm("primary", seconds))


def not_granted(desk: Desk, event: ArmFailed) -> None:
    """Told once; quoting goes on without it."""
    desk.armed_at = None
    if not desk.dead_man_refused:
        desk.dead_man_refused = True
        desk.note(f"{event.role} has no dead man's switch for us: {event.detail}", urgent=True)

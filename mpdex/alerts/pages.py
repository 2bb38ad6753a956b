"""What is said once, what is repeated, and until when. Pure: times come in, in monotonic seconds.

A text said twice within a minute is one. A page about a halt or an exposure is repeated every
minute until "resolved"; while it is open, what changes in its text waits for the next repetition,
so that a phone rings once a minute and not at every attempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mpdex.alerts.channels import Alarming

EVERY = 60.0
REPEATED = frozenset({"exposed", "halt"})
RESOLVED = "resolved"
_REMEMBERED = 256


class Heard(NamedTuple):
    """What to do with an alarm: write it down, send it away."""

    record: bool
    send: bool


class Again(NamedTuple):
    """A page that is still open, and for how many seconds."""

    topic: str
    text: str
    standing: int


@dataclass(slots=True)
class _Open:
    text: str
    since: float
    due: float


class Pages:
    """The memory behind it. Attributes: due: when something is to be repeated; None: nothing is."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._said: dict[tuple[str, str], float] = {}

    @property
    def due(self) -> float | None:
        return min((page.due for page in self._open.values()), default=None)

    def hear(self, alarm: Alarming, now: float) -> Heard:
        """Takes a new alarm."""
        if alarm.topic == RESOLVED:
            self._close()
        new = self._is_new(alarm, now)
        if not (alarm.page and alarm.topic in REPEATED):
            return Heard(new, new)
        page = self._open.get(alarm.topic)
        if page is not None:
            page.text = alarm.text
            return Heard(new, send=False)
        self._open[alarm.topic] = _Open(alarm.text, now, now + EVERY)
        self._forget(RESOLVED)
        return Heard(new, send=True)

    def repeat(self, now: float) -> list[Again]:
        """The pages whose minute is over."""
        again = []
        for topic, page in self._open.items():
            if page.due <= now:
                page.due = now + EVERY
                again.append(Again(topic, page.text, round(now - page.since)))
        return again

    def _close(self) -> None:
        self._open.clear()
        self._forget(*REPEATED)

    def _is_new(self, alarm: Alarming, now: float) -> bool:
        key = (alarm.topic, alarm.text)
        if now - self._said.get(key, -EVERY) < EVERY:
            return False
        if len(self._said) >= _REMEMBERED:
            self._said = {one: at for one, at in self._said.items() if now - at < EVERY}
        if len(self._said) >= _REMEMBERED:
            del self._said[next(iter(self._said))]
        self._said[key] = now
        return True

    def _forget(self, *topics: str) -> None:
        self._said = {key: at for key, at in self._said.items() if key[0] not in topics}

"""Client order ids: ours to recognise, never the same twice.

An id is a tag in the top bits and, below it, a counter that follows the clock. It ticks in the
finest unit of time that takes most of a year to wrap in the bits a venue leaves; an id asked for
sooner than one tick after the last takes the next number. So a restart continues above whatever
ran before.
"""

from __future__ import annotations

from mpdex.types import ClientIdForm
from mpdex.utils.clock import Clock

_TAG_BITS = 4
_TAG = 0b1011  # any value would do; it is how our orders are told from a user's own
_WRAP_NS = 300 * 86_400 * 10**9  # 300 days: longer than any venue keeps an order open


class ClientIds:
    """Makes ids for one account at one venue."""

    def __init__(self, form: ClientIdForm, clock: Clock) -> None:
        span = (form.high - form.low + 1).bit_length() - 1
        self._bits = span - _TAG_BITS
        self._low = form.low
        self._clock = clock
        self._unit_ns = max(_WRAP_NS >> self._bits, 1)
        self._last = -1

    def new(self) -> str:
        """The next id, as decimal text."""
        now = self._clock.now_ns() // self._unit_ns
        self._last = max(self._last + 1, now)
        counter = self._last & ((1 << self._bits) - 1)
        return str(self._low + (_TAG << self._bits | counter))

    def ours(self, client_id: str | None) -> bool:
        """Whether an id was made here, by this or an earlier run."""
        if not client_id or not client_id.isdecimal():
            return False
        return (int(client_id) - self._low) >> self._bits == _TAG

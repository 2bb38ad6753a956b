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
        self._form = form
        self._clock = clock
        self._unit_ns = max(_WRAP_NS >> self._bits, 1)
        self._last = -1

    def new(self) -> str:
        """The next id, in the venue's text."""
        now = self._clock.now_ns() // self._unit_ns
        self._last = max(self._last + 1, now)
        counter = self._last & ((1 << self._bits) - 1)
        number = self._form.low + (_TAG << self._bits | counter)
        match self._form.text:
            case "decimal":
                return str(number)
            case "hex":
                return f"0x{number:032x}"
            case "uuid":
                return uuid_text(number)

    def ours(self, client_id: str | None) -> bool:
        """Whether an id was made here, by this or an earlier run."""
        number = self._number(client_id or "")
        return number is not None and (number - self._form.low) >> self._bits == _TAG

    def made_ms(self, client_id: str) -> int | None:
        """When an id was made; None where it was not made here, or has no room for the time."""
        number = self._number(client_id)
        if number is None or self._unit_ns > 1 or not self.ours(client_id):
            return None
        return ((number - self._form.low) & ((1 << self._bits) - 1)) // 1_000_000

    def _number(self, client_id: str) -> int | None:
        """None: not of this form, so not made here."""
        try:
            match self._form.text:
                case "decimal":
                    return int(client_id) if client_id.isdecimal() else None
                case "hex":
                    return int(client_id, 16) if len(client_id) == 34 else None
                case "uuid":
                    return int(client_id.replace("-", ""), 16) if len(client_id) == 36 else None
        except ValueError:
            return None


def uuid_text(number: int) -> str:
    """Without the module `uuid`: it takes longer to import than all of this library."""
    digits = f"{number:032x}"
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(parts)

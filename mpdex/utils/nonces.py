"""Numbers that a venue takes once: which one a command gets, and what its fate says about the next.

One allocator serves every object that signs with the same key in this process; two processes with
one key are told apart by nobody, so each needs a key of its own.
"""

from __future__ import annotations

from typing import Protocol
from weakref import WeakValueDictionary


class Nonces(Protocol):
    """Gives numbers, and hears what became of them.

    Attributes:
        ready: False: the venue has to be asked for the next number first (`start`).
    """

    @property
    def ready(self) -> bool: ...

    def take(self, now_ms: int) -> int | None:
        """The next number; None while it is not known."""
        ...

    def start(self, number: int) -> None:
        """The venue's own word for the number that comes next."""
        ...

    def spare(self, nonce: int) -> None:
        """The venue refused a command without counting its number."""
        ...

    def doubt(self) -> None:
        """Nobody knows whether the last numbers were counted, or the venue expected another."""
        ...


class ClockNonces:
    """Milliseconds, one more than the last where the clock is too slow. Nothing is ever asked."""

    ready = True

    def __init__(self) -> None:
        self._last = 0

    def take(self, now_ms: int) -> int:
        self._last = max(now_ms, self._last + 1)
        return self._last

    def start(self, number: int) -> None:
        self._last = max(self._last, number - 1)

    def spare(self, nonce: int) -> None:
        """A gap does no harm."""

    def doubt(self) -> None:
        """Neither does a number that was used: the next one is higher."""


class CountedNonces:
    """One after the other without a gap, as the venue counts them."""

    def __init__(self) -> None:
        self._next: int | None = None

    @property
    def ready(self) -> bool:
        return self._next is not None

    def take(self, now_ms: int) -> int | None:
        number = self._next
        if number is not None:
            self._next = number + 1
        return number

    def start(self, number: int) -> None:
        """Ignored where numbers are being given out: an answer may be older than they are."""
        if self._next is None:
            self._next = number

    def spare(self, nonce: int) -> None:
        """It is given out again; where later ones are on their way, the venue is asked."""
        self._next = nonce if self._next == nonce + 1 else None

    def doubt(self) -> None:
        self._next = None


_BY_KEY: WeakValueDictionary[tuple[type, str], Nonces] = WeakValueDictionary()


def nonces_of(kind: type[ClockNonces] | type[CountedNonces], key: str) -> Nonces:
    """The allocator of one signing key, by a name of it that is no secret (its address)."""
    found = _BY_KEY.get((kind, key))
    if found is None:
        found = _BY_KEY[kind, key] = kind()
    return found

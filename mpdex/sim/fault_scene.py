"""What fault rules look at, and what they act on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from mpdex.sim.exchange import SimExchange

Numbers = Mapping[str, Decimal] | Callable[[str], Decimal | None]


@dataclass(frozen=True, slots=True)
class Situation:
    """What a rule may look at.

    Attributes:
        words: flags that hold ("reduce_only", "fill", "crosses", "hedge").
        numbers: for `when`: position, open_orders, fills, size, price; or what finds them.
        payload: of a frame; a flag holds, too, where it is a text value in there.
    """

    venue: str
    op: str
    side: str = ""
    transport: str = "rest"
    words: frozenset[str] = frozenset()
    numbers: Numbers | None = None
    payload: bytes = b""

    def is_a(self, flags: Iterable[str]) -> bool:
        return all(flag in self.words or self._says(flag) for flag in flags)

    def _says(self, flag: str) -> bool:
        value = rb'"%s"(?!\s*:)' % re.escape(flag.encode())  # not the name of a field
        return bool(re.search(value, self.payload, re.IGNORECASE))

    def number(self, name: str) -> Decimal | None:
        if callable(self.numbers):
            return self.numbers(name)
        return (self.numbers or {}).get(name)


class Wire(Protocol):
    """The part of a venue's server that faults act on."""

    exchange: SimExchange

    def disconnect(self, op: str, refuse_for: float) -> None:
        """Drop the sockets of a class and refuse new ones for some seconds."""
        ...

    def silence(self, op: str, seconds: float) -> None:
        """Nothing goes out on the sockets of a class; they stay open."""
        ...

    def replay(self, op: str, count: int) -> None:
        """Tell the newest frames of a class again on the next socket of it."""
        ...

    def limit(self, count: int, seconds: float) -> None:
        """One limit for all requests of a client; 0: the venue's own again."""
        ...

    def expire_sessions(self) -> None:
        """Whoever is logged in is not any more."""
        ...

"""What a market source says, and what may be done to any source.

Prices and sizes are integers of 1e-8; the exchange snaps them to its own grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple, Protocol

from mpdex.sim.board import Quote
from mpdex.types import Side


class Print(NamedTuple):
    """A public trade, in units of 1e-8."""

    price: int
    size: int
    taker: Side


class Move(NamedTuple):
    """Something that happens `at_ns` after the start."""

    at_ns: int
    what: Quote | Print


class Source(Protocol):
    """One market as others make it; every call of `moves` tells the same story again."""

    def moves(self) -> Iterator[Move]:
        """Moves in order of time."""
        ...


class BasisLag:
    """Another venue's view of a source: dearer by a basis, later by a lag.

    Args:
        basis_bps: added to every price.
        lag_ms: added to every time.
    """

    def __init__(self, source: Source, basis_bps: Decimal = Decimal(0), lag_ms: int = 0) -> None:
        self._source = source
        self._ppm = int(basis_bps * 100)
        self._lag_ns = lag_ms * 1_000_000

    def moves(self) -> Iterator[Move]:
        first = True
        for at_ns, what in self._source.moves():
            if first:
                yield Move(0, _scaled(what, self._ppm))  # a book from the start, not from the lag
                first = False
            yield Move(at_ns + self._lag_ns, _scaled(what, self._ppm))


def _scaled(what: Quote | Print, ppm: int) -> Quote | Print:
    if not ppm:
        return what
    if isinstance(what, Print):
        return what._replace(price=_scale(what.price, ppm))
    bids = [(_scale(price, ppm), size) for price, size in what.bids]
    return Quote(bids, [(_scale(price, ppm), size) for price, size in what.asks], what.full)


def _scale(price: int, ppm: int) -> int:
    return price * (1_000_000 + ppm) // 1_000_000

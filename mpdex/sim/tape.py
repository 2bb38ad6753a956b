"""Recorded markets: gzip JSON Lines, one event a line, ordered by time.

`{"t": ns, "k": "book" | "bbo", "b": [[price, size]], "a": …}` and
`{"t": ns, "k": "trade", "p": price, "q": size, "s": side of the taker}`.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mpdex.sim.board import Quote
from mpdex.sim.moves import Move, Print, Source
from mpdex.types import Side


class _Line(msgspec.Struct):
    t: int
    k: str
    b: list[tuple[str, str]] = []
    a: list[tuple[str, str]] = []
    p: str = "0"
    q: str = "0"
    s: str = "buy"


class Tape:
    """A recording: gzip JSON Lines of books, best levels and trades.

    Args:
        path: the recording.
        repeat: start again when it ends; prices are then shifted so that they do not leap.
        grain_ns: moves are told on this time grid; a trade keeps its place in the order.
    """

    def __init__(
        self, path: Path | str, *, repeat: bool = True, grain_ns: int = 10_000_000
    ) -> None:
        self._path = Path(path)
        self._repeat = repeat
        self._grain = grain_ns
        self._lines: list[Move] = []
        self.start_ns = 0
        self.end_ns = 0

    def load(self) -> Tape:
        """Read the file, once; moves are then at nanoseconds since the epoch."""
        if not self._lines:
            read = msgspec.json.Decoder(_Line).decode
            with gzip.open(self._path, "rb") as file:
                self._lines = [_to_move(read(line)) for line in file if line.strip()]
            self.start_ns, self.end_ns = self._lines[0].at_ns, self._lines[-1].at_ns
        return self

    def drift(self) -> int:
        """By how much the mid price rose from the first book to the last."""
        self.load()
        last = next(
            m.what for m in reversed(self._lines) if isinstance(m.what, Quote) and _whole(m.what)
        )
        return _mid(last) - _mid(self._first_book())

    def _first_book(self) -> Quote:
        return next(m.what for m in self._lines if isinstance(m.what, Quote) and _whole(m.what))

    def moves(self) -> Iterator[Move]:
        self.load()
        return self.play(self.start_ns, self.end_ns - self.start_ns + self._grain, self.drift())

    def play(self, start_ns: int, period_ns: int, drift: int) -> Iterator[Move]:
        """Moves of one round after another, each `period_ns` later and lower by `drift`."""
        self.load()
        base = offset = 0
        yield Move(0, self._first_book())  # a book from the start, whenever the tape has its first
        while True:
            for at_ns, what in self._lines:
                at = (at_ns - start_ns) // self._grain * self._grain + base
                yield Move(at, _shifted(what, offset) if offset else what)
            if not self._repeat:
                return
            base += period_ns
            offset += drift


class TapePair:
    """Two recordings of the same minutes: the basis, the lead and the lag between them stay."""

    def __init__(self, first: Tape, second: Tape) -> None:
        self._tapes = (first, second)

    @property
    def sources(self) -> tuple[Source, Source]:
        first, second = self._tapes
        return _Aligned(self._tapes, first), _Aligned(self._tapes, second)


class _Aligned:
    def __init__(self, pair: tuple[Tape, Tape], tape: Tape) -> None:
        self._pair = pair
        self._tape = tape

    def moves(self) -> Iterator[Move]:
        first, second = (tape.load() for tape in self._pair)
        start = min(first.start_ns, second.start_ns)
        period = max(first.end_ns, second.end_ns) - start + 10_000_000
        return self._tape.play(start, period, first.drift())


def _to_move(line: _Line) -> Move:
    if line.k == "trade":
        taker: Side = "buy" if line.s == "buy" else "sell"
        return Move(line.t, Print(_units(line.p), _units(line.q), taker))
    bids = [(_units(p), _units(q)) for p, q in line.b]
    asks = [(_units(p), _units(q)) for p, q in line.a]
    return Move(line.t, Quote(bids, asks, line.k == "book"))


def _units(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole + part.ljust(8, "0")[:8])


def _whole(quote: Quote) -> bool:
    return quote.full and bool(quote.bids and quote.asks)


def _mid(quote: Quote) -> int:
    return (quote.bids[0][0] + quote.asks[0][0]) // 2


def _shifted(what: Quote | Print, offset: int) -> Quote | Print:
    if isinstance(what, Print):
        return what._replace(price=what.price + offset)
    bids = [(price + offset, size) for price, size in what.bids]
    return Quote(bids, [(price + offset, size) for price, size in what.asks], what.full)

"""Where the outside market of a simulated venue comes from, and the stage that plays it.

Sources are in `walk` (made up), `tape` (recorded) and `moves` (`BasisLag`); all are offered here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from typing import NamedTuple

from mpdex.sim.board import Quote
from mpdex.sim.exchange import SimExchange
from mpdex.sim.moves import BasisLag, Move, Print, Source
from mpdex.sim.tape import Tape, TapePair
from mpdex.sim.walk import SyntheticWalk, default_walk

__all__ = [
    "BasisLag",
    "Feed",
    "Move",
    "Print",
    "Source",
    "Stage",
    "SyntheticWalk",
    "Tape",
    "TapePair",
    "default_walk",
]


class Feed(NamedTuple):
    """A source and the market it drives."""

    exchange: SimExchange
    symbol: str
    source: Source


class Stage:
    """Plays feeds on the running loop's time, with timers and without a task.

    Args:
        feeds: who is driven by what.
        speed: seconds of market in one second of loop time.
    """

    def __init__(self, feeds: Iterable[Feed], *, speed: float = 1.0) -> None:
        self._players = [_Player(feed, speed) for feed in feeds]

    def start(self) -> None:
        """Play what belongs to time 0 at once, so that every book exists, then go on."""
        for player in self._players:
            player.start()

    def close(self) -> None:
        for player in self._players:
            player.close()


class _Player:
    def __init__(self, feed: Feed, speed: float) -> None:
        self._exchange, self._symbol, source = feed
        self._moves = source.moves()
        self._speed = speed
        self._started = 0.0
        self._next: Move | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._started = asyncio.get_running_loop().time()
        self._next = next(self._moves, None)
        self._run()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = None

    def _run(self) -> None:
        loop = asyncio.get_running_loop()
        # Rounded up by a microsecond: a timer may be a hair early in floating point.
        now_ns = math.ceil((loop.time() - self._started) * self._speed * 1e9) + 1000
        move = self._next
        while move is not None and move.at_ns <= now_ns:
            self._apply(move.what)
            move = next(self._moves, None)
        self._next = move
        if move is not None:
            due = self._started + move.at_ns / 1e9 / self._speed
            self._timer = loop.call_at(due, self._run)

    def _apply(self, what: Quote | Print) -> None:
        if isinstance(what, Quote):
            self._exchange.on_quote(self._symbol, what)
        else:
            self._exchange.on_trade(self._symbol, *what)

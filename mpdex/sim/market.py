"""Where the outside market of a simulated venue comes from.

A source yields moves: books, best levels and trades of others, at times since its start. `Stage`
plays any number of sources into exchanges. Prices and sizes are integers of 1e-8; the exchange
snaps them to its own grid.
"""

from __future__ import annotations

import asyncio
import gzip
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from mpdex.sim.board import UNIT, Quote
from mpdex.sim.engine import OTHER, SIGN
from mpdex.sim.exchange import SimExchange
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


# --------------------------------------------------------------------------- made up


class SyntheticWalk:
    """A seeded market: calm stretches, small jumps, trades from both sides.

    The price rests for about `hold` seconds, then jumps by about `jump_bps`; it also gives way by
    a level when trades have eaten the best one. Trades alternate between the sides, about
    `trades_per_second` together, so that a queue of a few units at the best price passes in some
    seconds. These are choices, not measurements.

    Args:
        seed: equal seeds give equal markets.
        start_price: in quote currency.
        tick: grid of the walk.
        scale: size of a typical level is 1 to 5 times this, in coins.
    """

    def __init__(
        self,
        seed: int = 1,
        start_price: Decimal = Decimal(3000),
        *,
        tick: Decimal = Decimal("0.01"),
        scale: Decimal = Decimal(1),
        trades_per_second: float = 3.0,
        hold: float = 2.0,
        jump_bps: float = 0.2,
        refresh: float = 0.2,
        levels: int = 10,
    ) -> None:
        self._seed = seed
        self._start = int(start_price / tick)
        self._tick = int(tick * UNIT)
        self._scale = int(scale * UNIT)
        self._rates = (trades_per_second, 1 / hold, 1 / refresh)
        self._jump_ticks = max(self._start * jump_bps / 10_000, 1.0)
        self._levels = levels

    def moves(self) -> Iterator[Move]:
        walk = _Walk(random.Random(self._seed), self._start, self._scale, self._levels)
        yield Move(0, walk.quote(self._tick))
        rng, now = walk.rng, 0.0
        total = sum(self._rates)
        trades, jumps, _ = (rate / total for rate in self._rates)
        while True:
            now += rng.expovariate(total)
            at, dice = int(now * 1e9), rng.random()
            if dice < trades:
                yield Move(at, walk.trade(self._tick))
                if not walk.gave_way():
                    continue
            elif dice < trades + jumps:
                walk.jump(self._jump_ticks)
            else:
                walk.refresh()
            yield Move(at, walk.quote(self._tick))


class _Walk:
    """State of a walk: the best bid in ticks, the spread, and two lists of sizes."""

    def __init__(self, rng: random.Random, start: int, scale: int, levels: int) -> None:
        self.rng = rng
        self._start = start
        self._scale = scale
        self._bid = start
        self._spread = 1
        self._sides: dict[Side, list[tuple[int, int]]] = {"buy": [], "sell": []}
        self._count = levels
        self._taker: Side = "buy"
        self._redraw("buy", "sell")

    def quote(self, tick: int) -> Quote:
        ask = self._bid + self._spread
        bids = [((self._bid - away) * tick, size) for away, size in self._sides["buy"]]
        asks = [((ask + away) * tick, size) for away, size in self._sides["sell"]]
        return Quote(bids, asks, True)

    def trade(self, tick: int) -> Print:
        """The other side's turn; about a third of a typical level."""
        hit = self._taker
        taker = self._taker = OTHER[hit]
        size = int(self._scale * min(self.rng.lognormvariate(-0.7, 0.8), 3.0))
        price = self._bid if hit == "buy" else self._bid + self._spread
        away, left = self._sides[hit][0]
        self._sides[hit][0] = (away, max(left - size, 0))
        return Print(price * tick, size, taker)

    def gave_way(self) -> bool:
        """A best level is used up: the price moves by a tick and the level is new."""
        for side, step in SIGN.items():
            if self._sides[side][0][1] <= self._scale // 20:
                self._bid += step
                self._redraw("buy", "sell")
                return True
        return False

    def jump(self, ticks: float) -> None:
        """Move by about so much, a little more often back to the start than away from it."""
        pull = max(-0.2, min(0.2, (self._start - self._bid) / self._start * 10))
        step = max(round(self.rng.expovariate(1 / ticks)), 1)
        self._bid += step if self.rng.random() < 0.5 + pull else -step
        self._spread = self.rng.choice((1, 1, 1, 2, 2, 3))
        self._redraw("buy", "sell")

    def refresh(self) -> None:
        """Sizes behind the best change; the best ones drift back to a usual size."""
        for side, levels in self._sides.items():
            away, best = levels[0]
            self._redraw(side)
            drawn = self._sides[side][0][1]
            self._sides[side][0] = (away, (best * 3 + drawn) // 4)

    def _redraw(self, *sides: Side) -> None:
        for side in sides:
            away, levels = 0, []
            for _ in range(self._count):
                levels.append((away, int(self._scale * self.rng.uniform(1.0, 5.0))))
                away += self.rng.randint(1, 3)
            self._sides[side] = levels


# --------------------------------------------------------------------------- recorded


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


def _scaled(what: Quote | Print, ppm: int) -> Quote | Print:
    if not ppm:
        return what
    if isinstance(what, Print):
        return what._replace(price=_scale(what.price, ppm))
    bids = [(_scale(price, ppm), size) for price, size in what.bids]
    return Quote(bids, [(_scale(price, ppm), size) for price, size in what.asks], what.full)


def _scale(price: int, ppm: int) -> int:
    return price * (1_000_000 + ppm) // 1_000_000


# --------------------------------------------------------------------------- playing


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


def default_walk(coin: str, seed: int) -> SyntheticWalk:
    """A walk for a coin, at a price and a depth of the right order of magnitude.

    Raises: KeyError for a coin that has none.
    """
    price, tick, scale = _COINS[coin]
    return SyntheticWalk(seed, Decimal(price), tick=Decimal(tick), scale=Decimal(scale))


_COINS: dict[str, Sequence[str]] = {
    "ETH": ("3000", "0.01", "1"),
    "BTC": ("90000", "0.1", "0.05"),
    "SOL": ("140", "0.01", "20"),
}

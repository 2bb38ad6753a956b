"""Markets for the laboratory: quick ones, so that a cycle takes a second, and awkward ones.

`quick` is made for rows of the matrix: a quote at the best price fills within about half a second,
and the book is told about once a second instead of ten times. `brisk` is made for very many runs:
every trade hits both sides, the hedge venue's book moves only when it is told, and now and then
nobody trades for some seconds, so that quotes are taken back. Those are choices for speed; the wire
format and the matching are the simulator's own. All rates here are choices, not measurements.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from mpdex.errors import UsageError
from mpdex.sim.board import UNIT, Quote
from mpdex.sim.moves import Move, Print

_SPELLINGS = (
    "quick, brisk, walk, still, jitter, trend:BPS_PER_SECOND, pair:FILE,FILE or "
    "tape:FILE[,bps[,ms]]"
)
_LULL = (3.0, 9.0)  # seconds without a trade
_PRICES = {
    "ETH": ("3000", "0.01", "1"),
    "BTC": ("90000", "0.1", "0.05"),
    "SOL": ("140", "0.01", "20"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabMarket:
    """A seeded market of few words.

    Attributes:
        price, tick, scale: of the coin; a level holds one to five times the scale.
        told: seconds between two tellings of the book.
        traded: mean seconds between two trades, each of which empties the best level; 0: none.
        drift_bps: by which the price runs each second.
        jump_bps: by which it moves at most with each telling.
        jitter: the best prices step by a tick and back with each telling.
        brisk: trades hit both sides, and are not seen on the hedge venue.
        lull: chance that the next trade is some seconds away.
    """

    seed: int = 1
    price: Decimal = Decimal(3000)
    tick: Decimal = Decimal("0.01")
    scale: Decimal = Decimal(1)
    told: float = 0.9
    traded: float = 0.35
    drift_bps: Decimal = Decimal(0)
    jump_bps: Decimal = Decimal("0.2")
    jitter: bool = False
    brisk: bool = False
    lull: float = 0.0
    levels: int = 5

    def moves(self) -> Iterator[Move]:
        """The same story for the same seed."""
        story = _Story(self, random.Random(self.seed))
        dice = random.Random(f"{self.seed} trades") if self.brisk else story.rng
        yield Move(0, story.quote())
        next_told, next_trade = self.told, self._pause(dice)
        while True:
            if next_trade is None or next_told <= next_trade:
                story.walk(next_told)
                yield Move(_ns(next_told), story.quote())
                next_told += self.told
            else:
                for what in story.traded(dice):
                    yield Move(_ns(next_trade), what)
                next_trade += self._pause(dice) or 0.0

    def _pause(self, dice: random.Random) -> float | None:
        if self.lull and dice.random() < self.lull:
            return dice.uniform(*_LULL)
        return dice.uniform(0.4, 1.6) * self.traded if self.traded else None

    def untraded(self) -> LabMarket:
        """The same prices, and nobody trades."""
        return replace(self, traded=0.0, lull=0.0)


class _Story:
    """Where the price is, in ticks."""

    def __init__(self, market: LabMarket, rng: random.Random) -> None:
        self.rng = rng
        self._market = market
        self._tick = int(market.tick * UNIT)
        self._scale = int(market.scale * UNIT)
        self._start = int(market.price / market.tick)
        self._reach = int(self._start * market.jump_bps / 10_000)
        self._offset = 0  # by jumps; pulled back, so that the price stays about where it began
        self._bid = self._start
        self._last = Quote((), (), True)

    def walk(self, seconds: float) -> None:
        market = self._market
        drift = int(self._start * market.drift_bps * Decimal(round(seconds * 1000)) / 10_000_000)
        if market.jitter:
            self._offset = 1 - self._offset
        elif self._reach:
            self._offset = self._offset * 9 // 10 + self.rng.randint(-self._reach, self._reach)
        self._bid = self._start + self._offset + drift

    def quote(self) -> Quote:
        count = range(self._market.levels)
        bids = [((self._bid - 2 * away) * self._tick, self._size()) for away in count]
        asks = [((self._bid + 2 + 2 * away) * self._tick, self._size()) for away in count]
        self._last = Quote(bids, asks, True)
        return self._last

    def traded(self, dice: random.Random) -> list[Print | Quote]:
        """Somebody takes all of one best level, each side alike, or of both; then all is as new."""
        size = self._scale * 6
        sold = Print(self._bid * self._tick, size, "sell")
        bought = Print((self._bid + 2) * self._tick, size, "buy")
        if self._market.brisk:
            return [sold, bought, self._last]
        return [sold if dice.random() < 0.5 else bought, self.quote()]

    def _size(self) -> int:
        return int(self._scale * self.rng.uniform(1.0, 5.0))


def read_market(text: str, *, seed: int, ticker: str) -> dict[str, Any]:
    """What `mpdex.sim.run.start` takes for a market, from its spelling.

    Raises: UsageError.
    """
    kind, _, rest = text.partition(":")
    price, tick, scale = _PRICES.get(ticker, _PRICES["ETH"])
    basic: dict[str, Any] = {
        "price": Decimal(price),
        "tick": Decimal(tick),
        "scale": Decimal(scale),
        "seed": seed,
    }
    match kind:
        case "quick":
            return {"source": LabMarket(**basic)}
        case "brisk":
            return {"source": LabMarket(**basic, brisk=True, lull=0.05)}
        case "still":
            return {"source": LabMarket(**basic, traded=0.0, jump_bps=Decimal(0))}
        case "jitter":
            return {"source": LabMarket(**basic, told=0.05, jitter=True)}
        case "trend":
            return {"source": LabMarket(**basic, drift_bps=_number(text, rest), told=0.2)}
        case "walk" if not rest:
            return {"source": None}
        case "pair" | "tape":
            return _recorded(text)
    raise UsageError(f"{text!r}: give {_SPELLINGS}")


def _recorded(text: str) -> dict[str, Any]:
    from mpdex.stage import read_source

    source, basis = read_source(text)
    return {"source": source, **basis}


def _number(text: str, digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation as error:
        raise UsageError(f"{text!r}: {digits!r} is not a number of bps a second") from error


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)

"""A made-up market from a seed. Its rates are choices, not measurements."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from decimal import Decimal

from mpdex.sim.board import UNIT, Quote
from mpdex.sim.engine import OTHER, SIGN
from mpdex.sim.moves import Move, Print
from mpdex.types import Side


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

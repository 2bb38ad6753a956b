"""Where to quote, how much, and when to move: pure arithmetic.

Prices are compared along the way to the other side of the book: for a buy "nearer" is higher, for
a sell it is lower. Basis and cost enter as `gate`, the most eager price that is still allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from mpdex.types import Market, Side
from mpdex.utils.precision import common_step, price_step, snap_price, snap_size
from strategies.ledger import ZERO
from strategies.words import BookTick, Level

_BPS = Decimal(10_000)
# A tick of an ETH-like market is about 0.03 bps: distances are the larger of ticks and bps.
_HOLD_BPS = Decimal("0.3")
_DEPTH_TICKS, _DEPTH_BPS = 3, Decimal(1)
# Improve by a tick only where joining would mean waiting behind this many times our size.
_LONG_QUEUE = 5
_BEHIND_SECONDS = 0.4
_ALONE_SECONDS = 1.0


class Move(StrEnum):
    """What to do with a resting quote."""

    HOLD = "hold"
    GATE = "gate breached"
    BEHIND = "behind the best"
    STAGE = "more eager with age"
    ALONE = "alone at the best"


@dataclass(frozen=True, slots=True)
class View:
    """One side of a book, without our own order, as a quote of `side` sees it."""

    side: Side
    market: Market
    near: Level | None
    far: Decimal

    @property
    def sign(self) -> int:
        return 1 if self.side == "buy" else -1

    @property
    def tick(self) -> Decimal:
        """Of the prices around here: a limit of figures makes it coarser than the market's own."""
        return price_step(self.far, self.market)

    def nearer(self, price: Decimal, ticks: int = 1) -> Decimal:
        return price + self.sign * ticks * self.tick

    def ahead(self, price: Decimal, other: Decimal) -> Decimal:
        """How much nearer to the other side `price` is than `other`."""
        return self.sign * (price - other)

    @property
    def hold_distance(self) -> Decimal:
        return max(self.tick, self.far * _HOLD_BPS / _BPS)

    @property
    def step_back(self) -> int:
        """Ticks to keep away where that is asked for: as far as a quote may lag and be held."""
        return int(self.hold_distance / self.tick)

    @property
    def depth(self) -> Decimal:
        return max(_DEPTH_TICKS * self.tick, self.far * _DEPTH_BPS / _BPS)


def look(tick: BookTick, side: Side, market: Market, own: Level | None) -> View | None:
    """The book as a quote of `side` sees it; None while the other side is empty."""
    own_side, other = (tick.bids, tick.asks) if side == "buy" else (tick.asks, tick.bids)
    if not other:
        return None
    return View(side, market, _best_of_others(own_side, own), other[0][0])


def _best_of_others(levels: Sequence[Level], own: Level | None) -> Level | None:
    for price, size in levels:
        left = size - own[1] if own is not None and own[0] == price else size
        if left > 0:
            return price, left
    return None


def stage(age: float, fill_timeout: float) -> int:
    """0 join the best, 1 a tick better, 2 as eager as allowed."""
    return min(int(3 * age / fill_timeout), 2)


@dataclass(frozen=True, slots=True)
class Mood:
    """How eager a quote is.

    Attributes:
        at_stage: of its age; see `stage`.
        gate: the most eager price still allowed; None: any.
        shy: ticks to stay away from the other side, after refusals for crossing.
        wide: keep a step behind the best, since fills there have done harm.
        leads: a tick before the others is enough, where a quote stood far before them.
    """

    at_stage: int = 0
    gate: Decimal | None = None
    shy: int = 0
    wide: bool = False
    leads: bool = False


def quote_price(view: View, size: Decimal, mood: Mood) -> Decimal | None:
    """Price of a new quote; None where none makes sense: far behind the best it would only cost
    requests."""
    cap = view.nearer(view.far, -1)
    if mood.gate is not None and view.ahead(cap, mood.gate) > 0:
        cap = mood.gate
    cap = view.nearer(cap, -mood.shy)
    if view.near is None:
        return snap_price(cap, view.market, view.side)
    best, queue = view.near
    if view.ahead(best, cap) > view.depth:
        return None
    wanted = _candidate(view, best, queue, size, mood, cap)
    price = wanted if view.ahead(cap, wanted) > 0 else cap
    return snap_price(price, view.market, view.side)


def _candidate(
    view: View, best: Decimal, queue: Decimal, size: Decimal, mood: Mood, cap: Decimal
) -> Decimal:
    if mood.wide:
        return view.nearer(best, -view.step_back)
    if mood.at_stage >= 2:
        return cap
    inside = view.ahead(view.far, best) >= 2 * view.tick
    eager = mood.at_stage == 1 or mood.leads or queue > _LONG_QUEUE * size
    return view.nearer(best) if inside and eager else best


@dataclass(slots=True)
class Rest:
    """What a resting quote remembers between two looks at the book."""

    price: Decimal
    at_stage: int
    behind_since: float | None = None
    alone_since: float | None = None


def judge(rest: Rest, view: View, size: Decimal, mood: Mood, now: float) -> Move:
    """Hold a resting quote, or move it and why."""
    at_stage = mood.at_stage
    if mood.gate is not None and view.ahead(rest.price, mood.gate) > view.hold_distance:
        return Move.GATE
    lag = view.ahead(view.near[0], rest.price) if view.near is not None else ZERO
    rest.behind_since = _since(rest.behind_since, lag > view.hold_distance, now)
    behind = _lasted(rest.behind_since, now, _BEHIND_SECONDS)
    if behind and _gain(rest, view, size, mood) >= view.hold_distance:
        return Move.BEHIND
    if at_stage > rest.at_stage:
        if _gain(rest, view, size, mood) >= view.tick:
            return Move.STAGE
        rest.at_stage = at_stage
    rest.alone_since = _since(rest.alone_since, at_stage < 2 and -lag > view.depth, now)
    if _lasted(rest.alone_since, now, _ALONE_SECONDS):
        return Move.ALONE
    return Move.HOLD


def _gain(rest: Rest, view: View, size: Decimal, mood: Mood) -> Decimal:
    """How much nearer a new quote would be: where the gate holds it back, nothing is gained, and
    the place in the queue would be lost."""
    better = quote_price(view, size, mood)
    return ZERO if better is None else view.ahead(better, rest.price)


def at_best(rest: Rest, view: View) -> bool:
    """Whether nobody is nearer to the other side."""
    return view.near is None or view.ahead(rest.price, view.near[0]) >= 0


def _since(since: float | None, holds: bool, now: float) -> float | None:
    if not holds:
        return None
    return now if since is None else since


def _lasted(since: float | None, now: float, seconds: float) -> bool:
    return since is not None and now - since >= seconds


# --------------------------------------------------------------------------- size


# Steps are few and asked about at every event.
_common_step = lru_cache(common_step)


def lattice(primary: Market, hedge: Market) -> Decimal:
    """The smallest size both venues can trade exactly."""
    return _common_step(primary["step"], hedge["step"])


def clip(size: Decimal, exposure: Decimal, side: Side, primary: Market, hedge: Market) -> Decimal:
    """The largest quote that keeps the net exposure within `size` and on the hedge's step.

    Zero where there is none.
    """
    sign = 1 if side == "buy" else -1
    quantity = snap_size(max(size - sign * exposure, ZERO), primary["step"])
    quantity = min(quantity, snap_size(size, primary["step"]))
    tries = int(lattice(primary, hedge) / primary["step"])
    for _ in range(tries):
        if quantity <= 0 or (exposure + sign * quantity) % hedge["step"] == 0:
            break
        quantity -= primary["step"]
    return max(quantity, ZERO)


def through(reference: Decimal, side: Side, band_bps: Decimal, market: Market) -> Decimal:
    """A limit that fills as far as `band_bps` beyond the reference, rounded to reach it."""
    factor = 1 + band_bps / _BPS if side == "buy" else 1 - band_bps / _BPS
    return snap_price(reference * factor, market, side, toward=True)

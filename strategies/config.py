"""Every option of a hedge run, with its default and unit.

Defaults are those of the specification's timing table; a number without a reason of its own is
explained there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal, get_args

from mpdex.errors import UsageError
from strategies.limits import Limits
from strategies.words import ROLES, Role

Count = Literal["attempts", "fills"]
Direction = Literal["alternate", "basis", "funding", "long-first", "short-first"]
Gate = Literal["roundtrip", "strict", "no-loss", "off"]
Mode = Literal["sim", "dry", "live"]
Quoting = Literal["adaptive", "static"]
Ending = Literal["flatten", "neutral"]
External = Literal["halt", "adopt", "neutralise"]
Baseline = Literal["refuse", "keep", "close"]

ZERO = Decimal(0)
# Moved on at half of its life; venues want it some seconds ahead.
_DEAD_MAN_LEAST = 10.0


@dataclass(frozen=True, slots=True)
class FeeRates:
    """What the operator says a venue charges, in bps of the traded value; negative: received.

    None: he does not say.
    """

    maker: Decimal | None = None
    taker: Decimal | None = None


def read_fees(maker: str, taker: str) -> dict[Role, FeeRates]:
    """Assumed fees as the command line says them: "1" for both venues, "1,2.5" for each.

    Raises: UsageError.
    """
    makers, takers = _pair("maker", maker), _pair("taker", taker)
    return {
        role: FeeRates(*rates)
        for role, *rates in zip(ROLES, makers, takers, strict=True)
        if any(rate is not None for rate in rates)
    }


def _pair(kind: str, text: str) -> list[Decimal | None]:
    parts: list[str | None] = list(text.split(",")) if text else [None]
    if len(parts) > len(ROLES):
        raise UsageError(f"{kind} fee {text!r}: give one number, or one for each of two venues")
    try:
        rates = [None if part is None else Decimal(part) for part in parts]
    except InvalidOperation:
        raise UsageError(
            f"{kind} fee {text!r}: give bps such as 2.5, or -0.1 for a rebate"
        ) from None
    return rates * len(ROLES) if len(rates) == 1 else rates


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeConfig:
    """What to trade, how often, and how patiently. Times in seconds, sizes in coins.

    Attributes:
        size: of one clip; also the bound of the net exposure.
        iterations: cycles to do, counted as `count` says.
        count: "attempts" counts every cycle, "fills" only those in which the maker traded.
        target_volume: stop after this traded value, both venues together; None: no target.
        max_loss: stop when the session has lost more, in quote currency; None: no stop.
        gate: which cost a quote may have. "roundtrip" looks at the pair of an opening and a
            closing, so that a lasting difference of the two prices costs nothing; "strict" looks
            at each trade alone; "no-loss" is roundtrip at a cost of zero, closing included, however
            long that takes; "off" asks nothing, and sets the session's cost cap aside.
        max_cost_bps: most that a cycle may cost, fees included, in bps of its value on the primary.
        max_position: most coins held on the primary; more than `size` lets several openings of one
            direction follow each other. None: `size`.
        close_patience: in this time the cost allowed for closing grows to twice `max_cost_bps`.
        fill_timeout: age at which a quote is judged; an attempt lasts at most twice as long.
        quoting: "static" joins the best price once and takes the quote back at the timeout,
            whatever the book says: what adaptive quoting is measured against.
        direction: which side opens when no pair is open: the other one than last time, the one with
            the higher edge, the one that receives funding, or always the same.
        on_complete: what to do with an open pair when the work is done.
        on_exit: the same after a first interrupt.
        on_external: what a position change that is not ours leads to.
        adopt_baseline: what to do with positions found at the start: refuse to run, keep them (they
            are then no part of the run), or close them first.
        resume: go on counting where the last run of this pair stopped.
        force: start although the last runs crashed quickly one after another.
        dead_man: seconds after which the primary cancels what rests there if this program is not
            heard of any more; None: not asked of the venue.
        exclusive: nobody else trades on these accounts, so everything open may be canceled.
        leverage: set on both venues and read back before the run; None: what is set stays.
        canary: try both venues with orders that cannot fill before the first quote.
        assumed_fees: by role, used where the venue does not tell its fees.
        reconcile_light, reconcile_full: seconds between two looks at positions and open orders,
            and between two that ask for everything.
        silence: seconds without a fill after which the operator is told.
        closed_limit: seconds for which a venue may refuse every order before the run ends.
        primary_symbol, hedge_symbol: the venue's own spelling where the coin is not enough.
        limits: numbers of the gates.
    """

    primary: str
    hedge: str
    ticker: str
    size: Decimal
    iterations: int = 10
    count: Count = "attempts"
    target_volume: Decimal | None = None
    max_loss: Decimal | None = None
    gate: Gate = "roundtrip"
    max_cost_bps: Decimal = Decimal(8)
    max_position: Decimal | None = None
    close_patience: float = 1800.0
    fill_timeout: float = 10.0
    quoting: Quoting = "adaptive"
    direction: Direction = "alternate"
    on_complete: Ending = "flatten"
    on_exit: Ending = "neutral"
    on_external: External = "halt"
    adopt_baseline: Baseline = "refuse"
    resume: bool = False
    force: bool = False
    dead_man: float | None = None
    exclusive: bool = False
    leverage: Decimal | None = None
    canary: bool = True
    assumed_fees: Mapping[Role, FeeRates] = field(default_factory=dict)
    mode: Mode = "sim"
    logs: Path = Path("logs")
    primary_symbol: str | None = None
    hedge_symbol: str | None = None

    # how long an answer may take before it counts as not known
    ack_socket: float = 1.5
    ack_rest: float = 3.0
    order_probe: float = 2.0  # an acknowledged order that no report follows is asked about
    cancel_ack: float = 2.0
    cancel_hard: float = 20.0
    weak_bound: float = 30.0  # of a venue that tells no bound of its own
    weak_taker_bound: float = 20.0  # the same while exposed, which must not last 30 s

    # the hedge
    hedge_soft: float = 3.0
    hedge_hard: float = 8.0
    hedge_attempts: int = 5
    hedge_failures: int = 2
    hedge_bands_bps: tuple[Decimal, ...] = (Decimal(20), Decimal(50), Decimal(100))
    unwind_bands_bps: tuple[Decimal, ...] = (Decimal(10), Decimal(30), Decimal(100))

    # the quote
    cool_down: float = 0.2
    failure_cool_down: float = 5.0
    requotes_per_minute: int = 30
    requotes_per_fill: int = 20
    requote_pause: float = 30.0
    post_only_rejects_per_second: int = 3

    # what must hold for a quote to be placed or kept
    book_age: float = 2.0
    max_spread_bps: Decimal = Decimal(30)
    max_distance: Decimal = Decimal("0.05")  # of the two mids, as a fraction

    limits: Limits = field(default_factory=Limits)

    # looking again
    reconcile_light: float = 15.0
    reconcile_full: float = 60.0
    silence: float = 600.0

    # getting well, and ending
    recover_limit: float = 120.0
    closed_limit: float = 600.0
    reread: float = 1.0
    drain_limit: float = 20.0
    flatten_patience: float = 60.0
    fill_overlap: float = 60.0
    settle_grace: float = 5.0

    def __post_init__(self) -> None:
        for broken, sentence in (*self._numbers(), *self._choices()):
            if broken:
                raise UsageError(sentence)

    def _numbers(self) -> Iterator[tuple[bool, str]]:
        yield self.size <= 0, f"size {self.size} is not positive; give a size such as 0.01"
        yield self.iterations < 1, f"{self.iterations} iterations: give 1 or more"
        yield (
            self.fill_timeout <= 0,
            f"fill timeout {self.fill_timeout}: give seconds above 0",
        )
        yield (
            self.dead_man is not None and self.dead_man < _DEAD_MAN_LEAST,
            f"dead man's switch after {self.dead_man} s: give {_DEAD_MAN_LEAST:g} or more",
        )
        yield (
            self.primary == self.hedge,
            f"{self.primary} cannot hedge itself; name two different venues",
        )
        yield (
            self.max_cost_bps < 0,
            f"maximum cost of {self.max_cost_bps} bps: give 0 or more; --gate no-loss is 0",
        )
        yield (
            self.leverage is not None and self.leverage <= 0,
            f"leverage {self.leverage}: give a number above 0",
        )
        yield (
            self.position_limit < self.size,
            f"maximum position {self.max_position} is below the size of one clip, {self.size}",
        )
        yield (
            self.close_patience <= 0,
            f"close patience {self.close_patience}: give seconds above 0",
        )
        for name in ("target_volume", "max_loss"):
            bound = getattr(self, name)
            yield (
                bound is not None and bound <= 0,
                f"{name.replace('_', ' ')} {bound}: give an amount above 0, or leave it out",
            )

    def _choices(self) -> Iterator[tuple[bool, str]]:
        for name, choices in _CHOICES.items():
            chosen, known = getattr(self, name), get_args(choices)
            yield (
                chosen not in known,
                f"{name.replace('_', '-')} {chosen!r}: choose {', '.join(known)}",
            )

    @property
    def position_limit(self) -> Decimal:
        """Most coins held on the primary."""
        return self.size if self.max_position is None else self.max_position

    @property
    def cost_limit_bps(self) -> Decimal | None:
        """Most that an opening may cost; None: anything."""
        match self.gate:
            case "off":
                return None
            case "no-loss":
                return ZERO
            case _:
                return self.max_cost_bps

    @property
    def stem(self) -> str:
        """How the files of this pair begin."""
        return f"2dex_{self.primary}_{self.hedge}_{self.ticker}"


_CHOICES: Mapping[str, Any] = {
    "count": Count,
    "direction": Direction,
    "gate": Gate,
    "on_complete": Ending,
    "on_exit": Ending,
    "on_external": External,
    "adopt_baseline": Baseline,
    "mode": Mode,
    "quoting": Quoting,
}

"""Every option of a hedge run, with its default and unit.

Defaults are those of the specification's timing table; a number without a reason of its own is
explained there.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

from mpdex.errors import UsageError

Direction = Literal["alternate", "long-first", "short-first"]
Mode = Literal["sim", "dry", "live"]
Ending = Literal["flatten", "neutral"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeConfig:
    """What to trade, how often, and how patiently. Times in seconds, sizes in coins.

    Attributes:
        size: of one clip; also the bound of the net exposure.
        iterations: cycles to do, counted as `count` says.
        count: "attempts" counts every cycle, "fills" only those in which the maker traded.
        target_volume: stop after this traded value, both venues together; None: no target.
        max_loss: stop when the session has lost more, in quote currency; None: no stop.
        fill_timeout: age at which a quote is judged; an attempt lasts at most twice as long.
        direction: which side opens when no pair is open.
        on_complete: what to do with an open pair when the work is done.
        on_exit: the same after a first interrupt.
        keep_baseline: start although positions exist; they are then no part of the run.
        primary_symbol, hedge_symbol: the venue's own spelling where the coin is not enough.
    """

    primary: str
    hedge: str
    ticker: str
    size: Decimal
    iterations: int = 10
    count: Literal["attempts", "fills"] = "attempts"
    target_volume: Decimal | None = None
    max_loss: Decimal | None = None
    fill_timeout: float = 10.0
    direction: Direction = "alternate"
    on_complete: Ending = "flatten"
    on_exit: Ending = "neutral"
    keep_baseline: bool = False
    mode: Mode = "sim"
    logs: Path = Path("logs")
    primary_symbol: str | None = None
    hedge_symbol: str | None = None

    # how long an answer may take before it counts as not known
    ack_socket: float = 1.5
    ack_rest: float = 3.0
    cancel_ack: float = 2.0
    cancel_hard: float = 20.0
    weak_bound: float = 30.0  # of a venue that tells no bound of its own

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

    # getting well, and ending
    recover_limit: float = 120.0
    reread: float = 1.0
    drain_limit: float = 20.0
    flatten_patience: float = 60.0
    fill_overlap: float = 60.0
    settle_grace: float = 5.0

    def __post_init__(self) -> None:
        for broken, sentence in (
            (self.size <= 0, f"size {self.size} is not positive; give a size such as 0.01"),
            (self.iterations < 1, f"{self.iterations} iterations: give 1 or more"),
            (self.fill_timeout <= 0, f"fill timeout {self.fill_timeout}: give seconds above 0"),
            (
                self.primary == self.hedge,
                f"{self.primary} cannot hedge itself; name two different venues",
            ),
        ):
            if broken:
                raise UsageError(sentence)

    @property
    def stem(self) -> str:
        """How the files of this pair begin."""
        return f"2dex_{self.primary}_{self.hedge}_{self.ticker}"

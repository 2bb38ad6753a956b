"""How a benchmark stays honest on a noisy machine.

Subject, peers and floor run in one process, in batches of at most a few milliseconds, round robin
with the order rotated; what is reported is the median over rounds of the ratio to the floor of the
same round. Each candidate is checked before it is timed. If the floor itself is restless the run is
repeated, at most three times, and then called too noisy, neither passed nor failed. What can be
counted is counted instead: counts have no noise and are the gates.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

ROUNDS = 21
BATCH_SECONDS = 0.003
# The floor's own spread over rounds above which a run says nothing.
MAX_P90_OVER_P50 = 1.6
MAX_IQR = 0.25
TRIES = 3

Candidate = Callable[[], object]


@dataclass
class Row:
    """One line of the table. `verdict`: ok, missed, too noisy, or - where nothing is judged.

    bound: what the gate holds where the target is not reached yet, so that it gets no worse.
    """

    name: str
    subject: str
    value: float
    unit: str
    target: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    noisy: bool = False
    bound: float | None = None

    @property
    def over(self) -> bool:
        """Whether a gate on this row is closed."""
        bound = self.target if self.bound is None else self.bound
        return bound is not None and self.value > bound

    @property
    def verdict(self) -> str:
        if self.target is None:
            return "-"
        if self.noisy:
            return "too noisy"
        return "ok" if self.value <= self.target else "missed"


def side_by_side(
    name: str,
    floor: Candidate,
    candidates: Mapping[str, Candidate],
    targets: Mapping[str, float],
    *,
    rounds: int = ROUNDS,
) -> list[Row]:
    """Ratios of each candidate to the floor, in calls."""
    for _ in range(TRIES):
        times = _measure({"floor": floor, **candidates}, rounds)
        noisy = restless(times["floor"])
        if not noisy:
            break
    return [
        ratio_row(name, key, times[key], times["floor"], targets.get(key), noisy)
        for key in candidates
    ]


def ratio_row(
    name: str,
    subject: str,
    mine: list[float],
    floor: list[float],
    target: float | None,
    noisy: bool,
) -> Row:
    """The median of per-round ratios; absolute times are told, never judged."""
    ratios = sorted(a / b for a, b in zip(mine, floor, strict=True))
    return Row(
        name,
        subject,
        round(statistics.median(ratios), 3),
        "x floor",
        target,
        {
            "us": round(statistics.median(mine) * 1e6, 2),
            "floor_us": round(statistics.median(floor) * 1e6, 2),
            "iqr": [round(q, 3) for q in _quartiles(ratios)],
            "rounds": len(ratios),
            "ratios": [round(r, 3) for r in ratios],
        },
        noisy,
    )


def restless(floor: list[float]) -> bool:
    """Whether the machine was too busy for the floor itself to be steady."""
    ordered = sorted(floor)
    middle = statistics.median(ordered)
    low, high = _quartiles(ordered)
    ninth = ordered[int(len(ordered) * 0.9)]
    return ninth / middle > MAX_P90_OVER_P50 or (high - low) / middle > MAX_IQR


def count(
    name: str,
    subject: str,
    value: float,
    target: float | None,
    unit: str = "",
    bound: float | None = None,
) -> Row:
    """A number without noise."""
    return Row(name, subject, value, unit or "count", target, bound=bound)


def _measure(candidates: Mapping[str, Candidate], rounds: int) -> dict[str, list[float]]:
    calls = {name: _calls_per_batch(run) for name, run in candidates.items()}
    times: dict[str, list[float]] = {name: [] for name in candidates}
    names = list(candidates)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for turn in range(rounds):
            shift = turn % len(names)
            for name in names[shift:] + names[:shift]:
                times[name].append(_batch(candidates[name], calls[name]))
    finally:
        gc.enable()
        gc.unfreeze()
    return times


def _calls_per_batch(run: Candidate) -> int:
    calls = 1
    while _batch(run, calls) * calls < BATCH_SECONDS:
        calls *= 2
    return calls


def _batch(run: Candidate, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


def _quartiles(ordered: list[float]) -> tuple[float, float]:
    low, _, high = statistics.quantiles(ordered, n=4)
    return low, high

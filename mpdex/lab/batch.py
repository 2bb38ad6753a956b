"""Many random scenarios in several processes, each started once; what fails is made small and kept.

report = run_batch(200, seed=1, cycles=50, jobs=2, keep=Path("failing"))
"""

from __future__ import annotations

import gc
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from mpdex.lab.draw import draw, shrink
from mpdex.lab.run import Verdict, play
from mpdex.lab.scenario import Scenario, dumps
from mpdex.utils.virtual_loop import run_virtual

log = logging.getLogger("mpdex")
_COLLECT_EVERY = 25  # runs; collecting all the time costs a tenth
_MEMORY = Path("/dev/shm")  # a folder in memory, where there is one


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one seed, in plain values.

    Attributes:
        rules: those that are enough to fail, if it failed.
        error: of the laboratory itself, "" for none.
    """

    seed: int
    outcome: str
    violations: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    text: str = ""
    idle: int = 0
    error: str = ""

    @property
    def failed(self) -> bool:
        return bool(self.violations or self.error)


@dataclass(slots=True)
class Report:
    """The sum of a batch."""

    seeds: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failed: list[Found] = field(default_factory=list)
    rules: int = 0
    idle: int = 0

    def add(self, found: Found) -> None:
        self.seeds += 1
        self.outcomes[found.outcome] += 1
        self.rules += len(found.rules)
        self.idle += found.idle
        if found.failed:
            self.failed.append(found)


def run_batch(
    count: int,
    *,
    seed: int,
    cycles: int,
    jobs: int = 0,
    keep: Path | None = None,
    tell: Callable[[Found], None] | None = None,
) -> Report:
    """Plays `count` mixtures, from `seed` on.

    Args:
        jobs: processes; 0: as many as there are processors.
        keep: where failing scenarios are written, as they shrank.
        tell: called with each failing seed, when it is known.
    """
    report = Report()
    for found in _each(range(seed, seed + count), cycles, jobs or os.cpu_count() or 1):
        report.add(found)
        if found.failed:
            if keep is not None and found.text:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"seed-{found.seed}.toml").write_text(found.text, encoding="utf-8")
            if tell is not None:
                tell(found)
    return report


def _each(seeds: range, cycles: int, jobs: int) -> Iterator[Found]:
    work = ((seed, cycles) for seed in seeds)
    if jobs == 1 or len(seeds) == 1:
        with quiet():
            yield from map(_judge, work)
        return
    # Spawned, not forked: a fork would share this process' event loops and sockets.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin) as pool:
        yield from pool.map(_judge, work, chunksize=4)


def _begin() -> None:
    """Once a process: what every run needs is imported by importing this module."""
    gc.freeze()
    gc.disable()
    log.propagate = False


@contextmanager
def quiet() -> Iterator[None]:
    """What the bot logs is in its own file, and nowhere else."""
    before, log.propagate = log.propagate, False
    try:
        yield
    finally:
        log.propagate = before


def _judge(work: tuple[int, int]) -> Found:
    seed, cycles = work
    if not seed % _COLLECT_EVERY:
        gc.collect()
    scenario = draw(seed, cycles=cycles)
    try:
        verdict = play_once(scenario)
        if verdict.ok:
            rules = tuple(verdict.fired)
            return Found(seed, verdict.outcome, rules=rules, idle=len(verdict.idle))
        small = shrink(scenario, lambda fewer: not play_once(fewer).ok)
    except Exception as error:  # noqa: BLE001  (the edge of a worker: one bad seed is one line)
        text = dumps(scenario)
        return Found(seed, "error", rules=scenario.rules, text=text, error=f"{error!r}")
    violations = tuple(str(v) for v in verdict.violations)
    return Found(seed, verdict.outcome, violations, small.rules, dumps(small))


def play_once(scenario: Scenario) -> Verdict:
    """Plays a scenario in a folder that is gone afterwards."""
    with _folder() as folder:
        return run_virtual(play(scenario, folder))


@contextmanager
def _folder() -> Iterator[Path]:
    where = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="mpdex-lab-", dir=where) as folder:
        yield Path(folder)

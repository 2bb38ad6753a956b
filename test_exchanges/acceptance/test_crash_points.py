"""Killed, or interrupted, at every line of the journal: what is true afterwards.

The enumeration runs in virtual time, where a killed bot's sockets are shut and its files are as
they were at that instant; `tools/crash_points.py` does the same with real processes and SIGKILL.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.lab.run import Lab, Verdict, play
from mpdex.lab.scenario import make
from mpdex.utils.journal import replay
from mpdex.utils.virtual_loop import run_virtual

ROOT = Path(__file__).resolve().parents[2]
STEM = "2dex_grvt_backpack_ETH"
CYCLES = 2
# As in the tool: the second cycle is unwound, so that the pair is closed by taking at the end.
RULES = [f"H.place.side(sell).nth({n}) -> reject(PRICE_BAND)" for n in (1, 2, 3)]
OPTIONS: dict[str, Any] = {
    "resume": True,
    "force": True,
    "gate": "off",
    "direction": "short-first",
    "fill_timeout": 3.0,
    "flatten_patience": 0.0,
}
Deed = Callable[[Lab], None]
MOMENTS = ("before", "after")


@dataclass
class Strike:
    """Does something at the nth line of a start of the bot."""

    deed: Deed
    points: Sequence[tuple[str, int]]
    written: Counter[int] = field(default_factory=Counter)  # lines, by start
    done: int = 0

    def join(self, lab: Lab) -> None:
        reached = lab.disk._reached

        def watch(when: str, kind: str, fields: dict[str, Any]) -> None:
            self.written[lab.starts] += when == "before"
            reached(when, kind, fields)
            place = lab.starts - 1
            here = (when, self.written[lab.starts])
            if lab.alive and place < len(self.points) and self.points[place] == here:
                self.done += 1
                self.deed(lab)

        lab.disk._reached = watch


def strike(logs: Path, deed: Deed, *points: tuple[str, int]) -> tuple[Verdict, Strike]:
    strike = Strike(deed, points)
    scenario = make(rules=RULES, cycles=CYCLES, config=OPTIONS)
    return run_virtual(play(scenario, logs, ready=strike.join)), strike


def lines_of(logs: Path) -> list[dict[str, Any]]:
    return list(replay(logs / f"{STEM}_events.jsonl"))


def trouble(verdict: Verdict, logs: Path, *, interrupted: bool = False) -> list[str]:
    """What is not as it should be."""
    found = [str(violation) for violation in verdict.violations]
    held = (verdict.position("P"), verdict.position("H"))
    if sum(held) or (any(held) and not interrupted):
        found.append(f"positions {held}")
    wanted = (0, 6) if interrupted else (0,)
    if verdict.exit_code not in wanted:
        found.append(f"ended with {verdict.exit_codes}: {verdict.summary.get('reason')}")
    lines = lines_of(logs)
    cycles = [line for line in lines if line["kind"] == "cycle"]
    if len({line["cycle"] for line in cycles}) != len(cycles):
        found.append(f"cycles {[line['cycle'] for line in cycles]}")
    counted = sum(line["counts"] for line in cycles)
    if counted != verdict.summary["attempts"] or (counted != CYCLES and not interrupted):
        found.append(f"{counted} attempts, the summary says {verdict.summary['attempts']}")
    with (logs / f"{STEM}_trades.csv").open(newline="") as file:
        rows = [
            (row["venue"], row["client_id"], Decimal(row["qty"])) for row in csv.DictReader(file)
        ]
    truth = [
        (name, fill.order.client_id, fill.size)
        for leg, name in (("P", "grvt"), ("H", "backpack"))
        for fill in verdict.fills(leg)  # type: ignore[arg-type]
    ]
    if sorted(rows) != sorted(truth):
        found.append(f"rows {rows}, fills {truth}")
    return found


def sweep(
    tmp_path: Path, deed: Deed, lines: int, first: Sequence[tuple[str, int]] = (), **judged: bool
) -> tuple[int, dict[str, list[str]]]:
    """Strikes at each line; how often it did, and what went wrong where."""
    strikes, wrong = 0, {}
    for number in range(1, lines + 1):
        for moment in MOMENTS:
            logs = tmp_path / f"{moment}-{number}"
            verdict, struck = strike(logs, deed, *first, (moment, number))
            strikes += struck.done > len(first)
            if found := trouble(verdict, logs, **judged):
                wrong[f"{moment} {number}"] = found
    return strikes, wrong


@pytest.fixture
def reference(tmp_path: Path) -> list[dict[str, Any]]:
    """The lines of a run that nobody disturbs; it has every kind of order."""
    logs = tmp_path / "reference"
    verdict, _ = strike(logs, Lab.kill)
    assert trouble(verdict, logs) == []
    lines = lines_of(logs)
    purposes = {line["purpose"] for line in lines if line["kind"] == "intent"}
    assert purposes == {"canary", "maker", "hedge", "unwind", "flatten"}
    return lines


@pytest.mark.slow
def test_killed_at_every_line(tmp_path: Path, reference: list[dict[str, Any]]) -> None:
    kills, wrong = sweep(tmp_path, Lab.kill, len(reference))
    assert wrong == {}
    assert kills == 2 * len(reference)


@pytest.mark.slow
@pytest.mark.parametrize("purpose", ["maker", "hedge", "unwind"])
def test_killed_again_at_every_line_of_the_recovery(
    tmp_path: Path, reference: list[dict[str, Any]], purpose: str
) -> None:
    """After an order was written down and before it was sent, and then while that is found out."""
    place = next(n for n, x in enumerate(reference, 1) if x.get("purpose") == purpose)
    first = ("after", place)
    _, once = strike(tmp_path / "once", Lab.kill, first)
    lines = lines_of(tmp_path / "once")[place:]
    recovery = next(n for n, x in enumerate(lines, 1) if "-> running" in x.get("text", ""))
    assert once.written[2] == len(lines)
    kills, wrong = sweep(tmp_path, Lab.kill, recovery, [first])
    assert wrong == {}
    assert kills == 2 * recovery


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_interrupted_at_every_line(
    tmp_path: Path, reference: list[dict[str, Any]], times: int
) -> None:
    """SIGTERM or SIGINT, once or twice, whatever is under way."""

    def interrupt(lab: Lab) -> None:
        for _ in range(times):
            lab.stop.ask()

    signals, wrong = sweep(tmp_path, interrupt, len(reference), interrupted=True)
    assert wrong == {}
    assert signals == 2 * len(reference)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks, and waits for processes by descriptor")
@pytest.mark.parametrize("words", [(), ("--again", "intent", "hedge")], ids=["once", "again"])
def test_killed_for_real(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "tools/crash_points.py", "--hands", "16", "--keep", str(tmp_path), *words],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 wrong" in done.stdout

"""`mpdex scenario`: one scenario from a file, or many random ones."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mpdex.errors import UsageError
from mpdex.lab.batch import Found, Report, quiet, run_batch
from mpdex.lab.run import Verdict, play
from mpdex.lab.scenario import load
from mpdex.utils.virtual_loop import run_virtual

_TAIL = 12  # lines of the journal that are shown


def run_file(file: Path, *, logs: Path | None = None, as_json: bool = False) -> int:
    """Plays a scenario and prints the oracle's verdict; 1 on a violation, else 0.

    Args:
        logs: where the bot's files go; a folder that is gone afterwards if left out.

    Raises: UsageError.
    """
    scenario = load(file)
    with ExitStack() as stack:
        stack.enter_context(quiet())
        if logs is None:
            logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mpdex-scenario-")))
        verdict = run_virtual(play(scenario, logs))
    told = verdict_dict(verdict)
    sys.stdout.write(json.dumps(told, indent=2) + "\n" if as_json else _text(verdict))
    return 0 if verdict.ok and verdict.expected() else 1


def run_random(
    count: int,
    *,
    seed: int = 1,
    cycles: int = 50,
    jobs: int = 0,
    keep: Path | None = None,
    as_json: bool = False,
) -> int:
    """Plays random mixtures, one line for each that fails and a summary; 1 if any fails."""
    for value, name in ((count, "--random"), (cycles, "--cycles")):
        if value < 1:
            raise UsageError(f"{name} {value}: give 1 or more")

    def tell(found: Found) -> None:
        if not as_json:
            sys.stdout.write(_line(found))
            sys.stdout.flush()

    report = run_batch(count, seed=seed, cycles=cycles, jobs=jobs, keep=keep, tell=tell)
    told = _report_dict(report)
    sys.stdout.write(json.dumps(told, indent=2) + "\n" if as_json else _summary(report))
    return 1 if report.failed else 0


def verdict_dict(verdict: Verdict) -> dict[str, Any]:
    """Plain values, for JSON."""
    return {
        "scenario": verdict.scenario.name,
        "ok": verdict.ok,
        "expected": verdict.expected(),
        "outcome": verdict.outcome,
        "exit_codes": verdict.exit_codes,
        "violations": [{"id": v.id, "at": v.at, "text": v.text} for v in verdict.violations],
        "fired": verdict.fired,
        "never_fired": verdict.idle,
        "seconds": round(verdict.seconds, 3),
        "time_to_flat": round(verdict.to_flat, 3),
        "worst_exposure": str(verdict.worst),
        "phases": [[round(at, 3), phase] for at, phase in verdict.phases],
        "reason": verdict.summary.get("reason", ""),
        "requests": {" ".join(key): count for key, count in sorted(verdict.counts.items())},
        "journal": verdict.tail[-_TAIL:],
    }


def _text(verdict: Verdict) -> str:
    scenario = verdict.scenario
    codes = ", ".join("killed" if c is None else str(c) for c in verdict.exit_codes)
    good = "holds" if verdict.ok else "VIOLATED"
    lines = [
        f"{scenario.name}: the oracle's word: {good}; outcome {verdict.outcome}",
        *(f"  {violation}" for violation in verdict.violations),
    ]
    if not verdict.expected():
        lines.append(f"  expected {' or '.join(scenario.expect)}, not {verdict.outcome}")
    lines += [f"  rule fired {n} times: {rule}" for rule, n in verdict.fired.items() if n]
    lines += [f"  rule NEVER fired: {rule}" for rule in verdict.idle]
    lines += [
        f"  exit {codes} after {verdict.seconds:.1f} simulated seconds; "
        f"exposed for {verdict.to_flat:.3f} s at most, by {verdict.worst} at most",
        f"  {verdict.summary.get('reason', '')}",
        "last lines of the journal:",
        *(f"  {line}" for line in verdict.tail[-_TAIL:]),
    ]
    return "\n".join(lines) + "\n"


def _line(found: Found) -> str:
    what = found.error or "; ".join(found.violations[:2])
    rules = " | ".join(found.rules)
    return f"seed {found.seed}: {what} [{rules}]\n"


def _summary(report: Report) -> str:
    outcomes = ", ".join(f"{name} {count}" for name, count in report.outcomes.most_common())
    return f"{report.seeds} seeds, {len(report.failed)} failed; outcomes: {outcomes}\n"


def _report_dict(report: Report) -> dict[str, Any]:
    return {
        "seeds": report.seeds,
        "outcomes": dict(report.outcomes),
        "failed": [
            {
                "seed": found.seed,
                "violations": list(found.violations),
                "rules": list(found.rules),
                "error": found.error,
            }
            for found in report.failed
        ],
    }

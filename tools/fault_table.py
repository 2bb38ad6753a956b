"""Writes docs/faults.md from what the tests of the fault matrix recorded, or compares it.

    pytest test_exchanges/faults && python tools/fault_table.py
    python tools/fault_table.py --check      # only ids and outcomes: times differ between machines

Every test with the marker `fault` leaves a line of JSON (test_exchanges/faults/conftest.py); of a
test that ran several times the last line counts, and one that is gone from its file counts no more.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RECORDS = Path(os.environ.get("MPDEX_FAULT_ROWS", ROOT / ".fault_rows.jsonl"))
PAGE = ROOT / "docs" / "faults.md"
GROUPS = {
    "OE": "Order entry",
    "FL": "Fills",
    "HG": "Hedge leg",
    "WS": "Streams",
    "RL": "REST and rate limits",
    "AU": "Authentication and keys",
    "MD": "Market data",
    "PS": "Precision and symbols",
    "PR": "Process, machine, clock, disk",
    "AC": "Account, margin, manual action",
    "ST": "Strategy",
    "C": "Combinations",
}
HEAD = """# The fault matrix

What happens to the hedge when a venue, the wire, the machine or its owner does something wrong.
Each row is one or more tests in `test_exchanges/faults/`, played on simulated venues in virtual
time and judged by the oracle of `mpdex/lab/oracle.py`, which sees only what is true at the venues.
This page is written by `tools/fault_table.py` from the last run.

Outcomes: **R** goes on trading by itself, **D** the same after a pause, **HF** halted and flat,
**HE** halted with exposure, and loudly; *stopped* is an end that was asked for, *refused* and
*config* are ends before the first order, *killed* is a process that was not started again. A dash
stands for a row that needs no run of the hedge. *Flat within* is the longest that exposure lasted
in any of the row's runs, *worst* the greatest exposure, in clips.
"""
_NAME = re.compile(r"::test_[a-z]+_\d+_?(?P<words>\w*)")


@dataclass
class Row:
    """One id of the matrix, over all its tests."""

    id: str
    tier: int = 1
    words: list[str] = field(default_factory=list)
    tests: int = 0
    failed: list[str] = field(default_factory=list)
    outcomes: set[str] = field(default_factory=set)
    to_flat: float = 0.0
    worst: Decimal = Decimal(0)

    def add(self, record: dict[str, Any]) -> None:
        self.tier = record["tier"]
        self.tests += 1
        if record["result"] != "passed":
            self.failed.append(record["test"])
        found = _NAME.search(record["test"])
        words = found["words"].replace("_", " ") if found else ""
        if words and words not in self.words:
            self.words.append(words)
        for run in record["runs"]:
            self.outcomes.add(run["outcome"])
            self.to_flat = max(self.to_flat, run["to_flat"])
            self.worst = max(self.worst, Decimal(run["worst"]) / Decimal(run["size"]))

    @property
    def outcome(self) -> str:
        return ", ".join(sorted(self.outcomes)) or "-"

    @property
    def line(self) -> str:
        what = "; ".join(self.words)
        flat = f"{self.to_flat:.1f} s" if self.outcomes else "-"
        worst = f"{self.worst:.2f}".rstrip("0").rstrip(".") if self.outcomes else "-"
        return (
            f"| {self.id} | T{self.tier} | {what} | {self.tests} | {self.outcome} "
            f"| {flat} | {worst} |"
        )


def read_records(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The last record of every test that still exists."""
    newest: dict[str, dict[str, Any]] = {}
    for line in lines:
        record = json.loads(line)
        newest[record["test"]] = record
    return [record for test, record in newest.items() if _exists(test)]


def _exists(test: str) -> bool:
    """Whether the file still has a test of that name."""
    file, _, name = test.partition("::")
    path = ROOT / file
    wanted = name.partition("[")[0].rpartition("::")[2]
    return path.exists() and f"def {wanted}(" in path.read_text(encoding="utf-8")


def rows_of(records: Iterable[dict[str, Any]]) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for record in sorted(records, key=lambda r: (r["id"], r["test"])):
        rows.setdefault(record["id"], Row(record["id"])).add(record)
    return rows


def page_of(rows: dict[str, Row]) -> str:
    """The whole page."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows.values():
        groups[row.id.partition("-")[0]].append(row)
    order = [*GROUPS, *sorted(groups.keys() - GROUPS.keys())]
    return "\n".join([HEAD, *(_group(name, groups[name]) for name in order if groups[name])])


def _group(name: str, rows: list[Row]) -> str:
    lines = [
        f"## {name}: {GROUPS.get(name, name)}",
        "",
        "| ID | tier | what is shown | tests | outcome | flat within | worst |",
        "|---|---|---|---|---|---|---|",
        *(row.line for row in rows),
        "",
    ]
    return "\n".join(lines)


def told_of(page: str) -> dict[str, str]:
    """Id -> outcomes, as a page has them."""
    cells = (line.split("|") for line in page.splitlines() if re.match(r"\| [A-Z]{1,2}-\d", line))
    return {cell[1].strip(): cell[5].strip() for cell in cells}


def differences(rows: dict[str, Row], page: str) -> Iterator[str]:
    """What a page gets wrong about the rows."""
    told, true = told_of(page), {row.id: row.outcome for row in rows.values()}
    for id in sorted(told.keys() | true.keys()):
        if told.get(id) != true.get(id):
            yield f"{id}: the page says {told.get(id, 'nothing')}, the tests {true.get(id, 'none')}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args(arguments).check
    if not RECORDS.exists():
        sys.stderr.write(f"{RECORDS} is not there; run: pytest test_exchanges/faults\n")
        return 2
    rows = rows_of(read_records(RECORDS.read_text(encoding="utf-8").splitlines()))
    failed = [test for row in rows.values() for test in row.failed]
    sys.stderr.write("".join(f"failed: {test}\n" for test in failed))
    if check:
        found = list(differences(rows, PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""))
        sys.stderr.write("".join(f"{line}\n" for line in found))
        return 1 if found or failed else 0
    PAGE.write_text(page_of(rows), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}: {len(rows)} rows\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

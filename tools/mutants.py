"""A test of the tests: each rule that keeps a fill from being lost is broken, one at a time.

python tools/mutants.py            every mutant
python tools/mutants.py settle     only this one

For each mutant a copy of the project is made, one rule is taken out of it, and the fault matrix is
played until a scenario fails. A mutant that no scenario notices ends the script with 1, as does a
rule that is no longer written as this file has it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MATRIX = "test_exchanges/faults"


@dataclass(frozen=True)
class Mutant:
    """One rule, as it stands and as it is broken.

    Attributes:
        changes: (file, as it stands, broken), each found exactly once.
        scenarios: rows of the matrix that are about it, for `pytest -k`.
    """

    rule: str
    changes: tuple[tuple[str, str, str], ...]
    scenarios: str


MUTANTS = (
    Mutant(
        "dedupe",
        (
            (
                "strategies/booking.py",
                '    if fill["id"] in order.fills:\n',
                '    if fill["id"] in order.fills and desk.unpaid:\n',
            ),
            (
                "mpdex/utils/orders.py",
                "        if trade_id in self.fills:\n            return Outcome()\n",
                "",
            ),
        ),
        "fl_09 or fl_10 or fl_11",
    ),
    Mutant(
        "reservation",
        (
            (
                "strategies/tracking.py",
                "        if self.kind in (Kind.HEDGE, Kind.UNWIND):\n",
                "        if self.kind in (Kind.HEDGE, Kind.UNWIND) and not self.doubtful:\n",
            ),
        ),
        "hg_06 or hg_07 or hg_08 or hg_20",
    ),
    Mutant(
        "settle",
        (
            (
                "strategies/intake.py",
                "        order.ask_at = desk.now + _ASK_AFTER_CANCEL\n",
                "        order.report(OrderStatus.CANCELED, order.cum)\n"
                "        free(desk, order)\n",
            ),
        ),
        "oe_12 or oe_16 or oe_23",
    ),
    Mutant(
        "journal before send",
        (
            (
                "strategies/driver.py",
                "        if not self._scribe.intent(command, self.desk):\n"
                '            why = "the journal could not take it down"\n'
                "            self.feed(PlaceRefused("
                "role, order.client_id, Refusal.NOT_SENT, why))\n"
                "            return\n",
                "        asyncio.get_running_loop().call_later(\n"
                "            0.001, self._scribe.intent, command, self.desk\n"
                "        )\n",
            ),
        ),
        "pr_03 or pr_04 or pr_09",
    ),
    Mutant(
        "not found",
        (
            (
                "strategies/intake.py",
                "    if desk.now > order.absent_from + _BOUND_MARGIN and spaced and not doubt:\n",
                "    if spaced:\n",
            ),
        ),
        "oe_03 or oe_14 or hg_15",
    ),
)


def caught(mutant: Mutant) -> bool:
    """Whether a scenario fails on the broken project."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        files = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout.split("\0")  # fmt: skip
        for name in filter(None, files):
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).exists():
                shutil.copy2(ROOT / name, target)
        for name, stands, broken in mutant.changes:
            _change(copy / name, stands, broken)
        return _fails(copy, mutant.scenarios)


def _change(file: Path, stands: str, broken: str) -> None:
    text = file.read_text()
    if text.count(stands) != 1:
        raise SystemExit(f"{file.name} does not have these lines once any more:\n{stands}")
    file.write_text(text.replace(stands, broken))


def _fails(project: Path, scenarios: str) -> bool:
    """Plays the rows about the rule; if they do not notice, the whole matrix."""
    return any(_play(project, *chosen) == 1 for chosen in (["-k", scenarios], []))


def _play(project: Path, *options: str) -> int:
    """Exit code of pytest: 0 all passed, 1 a scenario failed."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", MATRIX]
    environment = {**os.environ, "MPDEX_SHARED": str(_shared())}
    return subprocess.run(
        [*command, *options], cwd=project, env=environment, check=False, capture_output=True
    ).returncode


def _shared() -> Path:
    return Path(os.environ.get("MPDEX_SHARED", ROOT.parent / "shared"))


def main(arguments: list[str]) -> int:
    known = [mutant.rule for mutant in MUTANTS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    told = "of a mutant: " + ", ".join(f'"{rule}"' for rule in known) + "; all without one"
    parser.add_argument("names", nargs="*", metavar="NAME", help=told)
    names = parser.parse_args(arguments).names
    if unknown := sorted(set(names) - set(known)):
        parser.error(f"there is no mutant {', '.join(unknown)}")
    chosen = [mutant for mutant in MUTANTS if not names or mutant.rule in names]
    if _play(ROOT, "-k", " or ".join(mutant.scenarios for mutant in chosen)) != 0:
        sys.stdout.write("these scenarios do not pass as things stand\n")
        return 1
    survived = 0
    for mutant in chosen:
        found = caught(mutant)
        survived += not found
        sys.stdout.write(f"{mutant.rule}: {'caught' if found else 'SURVIVED'}\n")
        sys.stdout.flush()
    return int(bool(survived))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

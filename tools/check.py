"""Every check of the project, by hand and in CI alike.

python tools/check.py              all of them, in order; stops at the first that fails
python tools/check.py lint types   only these
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
BIN = Path(sys.executable).parent

CHECKS: dict[str, list[list[str]]] = {
    "lint": [
        [PYTHON, "-m", "ruff", "check", "."],
        [PYTHON, "-m", "ruff", "format", "--check", "."],
        [PYTHON, "tools/house_rules.py"],
        [PYTHON, "tools/repeats.py"],
        [PYTHON, "tools/hedge_tables.py", "--check"],
        [PYTHON, "tools/venue_table.py", "--check"],
    ],
    "types": [[PYTHON, "-m", "mypy"]],
    "arrows": [[str(BIN / "lint-imports"), "--no-cache"]],
    "secrets": [[PYTHON, "tools/secret_scan.py"]],
    "counts": [[PYTHON, "-m", "bench", "--counts"]],
    "tests": [
        [PYTHON, "-m", "pytest", "-q", "-n", "auto", "--dist", "loadfile"],
        [PYTHON, "tools/fault_table.py", "--check"],
    ],
    # Before a release it is ten thousand: `mpdex scenario --random 10000 --seed 10000`.
    "mixtures": [[PYTHON, "-m", "mpdex", "scenario", "--random", "200", "--seed", "1"]],
    "mutants": [[PYTHON, "tools/mutants.py"]],
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        sys.stderr.write(f"unknown check {unknown[0]!r}; known: {', '.join(CHECKS)}\n")
        return 2
    for name in names or CHECKS:
        for command in CHECKS[name]:
            sys.stdout.write(f"== {name}: {' '.join(Path(part).name for part in command)}\n")
            sys.stdout.flush()
            code = subprocess.run(command, cwd=ROOT, check=False).returncode
            if code:
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""No six lines twice among venues: what two of them share lives once.

    python tools/repeats.py        exit code 1, and the places, if any run of lines stands twice

Imports, comments, docstrings and blank lines do not count, nor do lines of brackets alone.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The simulator shares nothing with what it judges, so each side is looked at by itself.
SIDES = (("wrappers", "mpdex/utils"), ("mpdex/sim",))
RUN = 6
_BRACKETS = frozenset("()[]{},:")

Line = tuple[int, str]


def code_lines(path: Path) -> list[Line]:
    """(number, text without indentation) of what counts."""
    text = path.read_text(encoding="utf-8")
    skipped: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom) or _is_docstring(node):
            skipped.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if number not in skipped and _counts(line.strip())
    ]


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _counts(line: str) -> bool:
    return bool(line) and not line.startswith("#") and not set(line) <= _BRACKETS


def repeats(places: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Pairs of places that begin the same run, each run reported once by its beginning."""
    runs: defaultdict[tuple[str, ...], list[tuple[Path, int, int]]] = defaultdict(list)
    for path in sorted(path for place in places for path in (ROOT / place).rglob("*.py")):
        lines = code_lines(path)
        for index in range(len(lines) - RUN + 1):
            window = tuple(text for _, text in lines[index : index + RUN])
            runs[window].append((path, index, lines[index][0]))
    seen: set[tuple[Path, int, Path, int]] = set()
    for standing in runs.values():
        for one, other in pairwise(standing):
            (a, i, line), (b, j, twin) = one, other
            if (a, i - 1, b, j - 1) not in seen:
                yield f"{a.relative_to(ROOT)}:{line}", f"{b.relative_to(ROOT)}:{twin}"
            seen.add((a, i, b, j))


def main() -> int:
    found = sorted(pair for side in SIDES for pair in repeats(side))
    for one, other in found:
        sys.stdout.write(f"{one} repeats {other}\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())

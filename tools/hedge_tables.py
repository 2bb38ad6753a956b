"""Writes the tables of docs/hedge.md from the hedge's own tables; `--check` only compares.

python tools/hedge_tables.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from strategies.hedge_core import MAY_PLACE, STATES, TABLE, WORK  # noqa: E402
from strategies.intake import LEARN  # noqa: E402

DOC = ROOT / "docs" / "hedge.md"
BEGIN = "<!-- tables: made by tools/hedge_tables.py from the code -->\n"
END = "<!-- end of tables -->\n"


def tables() -> str:
    states = [
        (state.value, ", ".join(sorted(kind.value for kind in MAY_PLACE[state])) or "nothing")
        for state, _ in STATES
    ]
    phases = [
        (phase.value, ", ".join(worker.__name__ for worker in workers) or "nothing")
        for phase, workers in WORK.items()
    ]
    events = [(event.__name__, learn.__name__.lstrip("_")) for event, learn in LEARN.items()]
    moves = [
        (f"{phase.value} to {move.to.value}", move.when.__name__.replace("_", " "))
        for phase, row in TABLE.items()
        for move in row
    ]
    return (
        _diagram()
        + _table(
            "What leads from one phase to the next (the first that holds)", ("", "when"), moves
        )
        + _table("What is at risk (the first that holds)", ("state", "may send"), states)
        + _table("What the run is doing", ("phase", "workers, in order"), phases)
        + _table("What can happen", ("event", "learned by"), events)
    )


def _diagram() -> str:
    """The phases as Mermaid draws them."""
    lines = [
        f"    {_node(phase)} --> {_node(move.to)}: {move.when.__name__.replace('_', ' ')}"
        for phase, row in TABLE.items()
        for move in row
    ]
    head = ["```mermaid", "stateDiagram-v2", f"    [*] --> {_node(next(iter(TABLE)))}"]
    return "\n## The phases of a run\n\n" + "\n".join([*head, *lines, "```"]) + "\n"


def _node(phase: str) -> str:
    return str(phase).replace(" ", "_")


def _table(title: str, head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    lines = [f"| {a} | {b} |" for a, b in [head, ("---", "---"), *rows]]
    return f"\n## {title}\n\n" + "\n".join(lines) + "\n\n"


def main(arguments: list[str]) -> int:
    text = DOC.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    made = before + BEGIN + tables() + END + after
    if arguments == ["--check"]:
        return int(made != text)
    DOC.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

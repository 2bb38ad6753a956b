"""python -m bench [NAME ...] [--counts] [--out FILE]: a table on the screen, JSON in a file.

NAME selects by prefix (`sign`, `hedge.calls`). `--counts` runs what has no noise and fails when a
count is over its bound; that is what CI gates on. The bound is the target, or where that is missed
today, what was reached.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import distributions
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.harness import Row

# benchmark -> (module:function, whether it only counts)
SUITE: dict[str, tuple[str, bool]] = {
    "import.package": ("bench.imports:package", False),
    "import.modules": ("bench.imports:modules", True),
    "import.ready_to_sign": ("bench.imports:ready_to_sign", False),
    "import.connected": ("bench.imports:connected", False),
    "sign.evm": ("bench.sign:evm", False),
    "sign.ed25519": ("bench.sign:ed25519", False),
    "sign.lighter": ("bench.sign:lighter", False),
    "sign.stark": ("bench.sign:stark", False),
    "sign.counts": ("bench.sign:counts", True),
    "book.apply": ("bench.book:apply", False),
    "book.frame": ("bench.book:frame", False),
    "ws.roundtrip": ("bench.ws:roundtrip", False),
    "ws.paced_cpu": ("bench.ws:paced_cpu", False),
    "http.order": ("bench.http:order", False),
    "http.connections": ("bench.http:connections", True),
    "hedge.fill_to_order": ("bench.hedge:fill_to_order", False),
    "hedge.decision": ("bench.hedge:decision", False),
    "hedge.hops": ("bench.hedge:hops", True),
    "hedge.calls": ("bench.hedge:calls", True),
    "loop.stall": ("bench.stall:stall", False),
}
OUT = Path(__file__).parent / "results" / "latest.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--counts", action="store_true")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    rows = [row for function in _chosen(options.names, options.counts) for row in function()]
    _write(rows, options.out)
    _print(rows)
    return int(options.counts and any(row.over for row in rows))


def _chosen(names: list[str], counts: bool) -> list[Callable[[], list[Row]]]:
    found = []
    for name, (where, only_counts) in SUITE.items():
        if counts and not only_counts:
            continue
        if names and not name.startswith(tuple(names)):
            continue
        module, _, function = where.partition(":")
        found.append(getattr(import_module(module), function))
    return found


def _write(rows: list[Row], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "python": sys.version,
        "machine": platform.platform(),
        "versions": {d.metadata["Name"]: d.version for d in distributions()},
        "rows": [{**asdict(row), "verdict": row.verdict} for row in rows],
    }
    out.write_text(json.dumps(record, indent=1, sort_keys=True))


def _print(rows: list[Row]) -> None:
    table = Table("benchmark", "subject", "value", "target", "verdict", "scale")
    for row in rows:
        scale = f"{row.detail['us']:g} / {row.detail['floor_us']:g} us" if row.detail else ""
        target = "" if row.target is None else f"<= {row.target:g}"
        value = f"{row.value:g} {row.unit}"
        table.add_row(row.name, row.subject, value, target, row.verdict, scale)
    Console(width=120).print(table)


if __name__ == "__main__":
    sys.exit(main())

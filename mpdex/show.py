"""Records on a terminal: a table for people, one JSON document for programs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from mpdex.errors import MpdexError


def show(title: str, records: Any, as_json: bool) -> None:
    """Writes a record, or a list of records, to standard output."""
    if as_json:
        sys.stdout.write(_json(records) + "\n")
        return
    rows = records if isinstance(records, Sequence) else [records]
    console = Console()
    if not rows:
        console.print(f"{title}: nothing to show")
    for row in rows:
        console.print(_table(title, row))


def show_error(error: MpdexError, as_json: bool) -> None:
    """One sentence to standard error, or a JSON object with the class and the sentence."""
    if as_json:
        record = {"error": type(error).__name__, "venue": error.venue, "detail": str(error)}
        sys.stderr.write(_json(record) + "\n")
    else:
        sys.stderr.write(f"{error}\n")


def _table(title: str, row: Mapping[str, Any]) -> Table:
    table = Table(title=title, show_header=False, title_justify="left")
    for key, value in _lines(row):
        table.add_row(key, value)
    return table


def _lines(row: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for key, value in row.items():
        name = f"{prefix}{key}"
        if key == "raw":
            continue
        if isinstance(value, Mapping):
            lines += _lines(value, f"{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for number, item in enumerate(value, 1):
                lines += _lines(item, f"{name} {number}.")
        elif isinstance(value, list):
            lines.append((name, ", ".join(map(str, value)) or "none"))
        else:
            lines.append((name, "-" if value is None else str(value)))
    return lines


def _json(records: Any) -> str:
    return msgspec.json.encode(records, enc_hook=str).decode()

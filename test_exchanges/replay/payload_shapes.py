"""Shapes of payloads, to compare what a simulated venue renders with what was recorded.

A payload is compared place by place. Null goes with anything; amounts are told from times and from
words, JSON numbers from text, but for those that the source of a recording quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

FORMS = (("amount", r"-?\d+(\.\d+)?"), ("time", r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*"))


def recordings(shared: Path, venue: str) -> dict[str, Any]:
    """Every recorded payload of a venue, by the name of its file."""
    folder = shared / "recorded" / venue
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


def shape(value: Any, quoted: Collection[str] = ()) -> dict[str, str]:
    """Place -> kind of everything in a payload; of a list only the first element counts.

    Args:
        quoted: keys whose whole numbers some sources put in quotes.
    """
    return dict(_places(value, "", quoted))


def _places(value: Any, name: str, quoted: Collection[str]) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _places(inner, f"{name}.{key}", quoted)
        case list():
            yield name, "list"
            for inner in value[:1]:
                yield from _places(inner, f"{name}[]", quoted)
        case _:
            yield name, _kind_of(value, name.rpartition(".")[2] in quoted)


def _kind_of(value: Any, quoted: bool) -> str:
    if not isinstance(value, str):
        return type(value).__name__
    for kind, form in FORMS:
        if re.fullmatch(form, value):
            return "int" if kind == "amount" and quoted and "." not in value else kind
    return "word"


def lacking(wanted: dict[str, str], found: dict[str, str], allowed: set[str]) -> list[str]:
    """Places of one payload that the other does not have; null and empty lists have no inside."""
    blank = [name for name in found if _is_blank(name, found)]
    return [
        name
        for name in wanted.keys() - found.keys()
        if not allowed & set(re.split(r"[.\[\]]+", name))
        and not name.startswith(tuple(f"{place}{mark}" for place in blank for mark in ".["))
        and not any(other.startswith(f"{name}.") for other in found)
    ]


def _is_blank(name: str, found: dict[str, str]) -> bool:
    if found[name] != "list":
        return found[name] == "NoneType"
    return not any(other.startswith(f"{name}[]") for other in found)


def kinds_that_differ(recorded: dict[str, str], made: dict[str, str]) -> list[str]:
    return [
        f"{place}: {made[place]}, recorded {kind}"
        for place, kind in recorded.items()
        if place in made and "NoneType" not in (kind, made[place]) and kind != made[place]
    ]

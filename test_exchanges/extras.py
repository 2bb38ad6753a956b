"""What the project's extras install, as pyproject.toml says it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def required(lines: Iterable[str], *, here: bool) -> set[str]:
    """Distributions of some requirement lines; `here`: those for this machine alone."""
    found: set[str] = set()
    for line in map(Requirement, lines):
        if here and line.marker is not None and not line.marker.evaluate():
            continue
        if line.name == PROJECT["name"]:
            for extra in line.extras:
                found |= required(EXTRAS[extra], here=here)
        else:
            found.add(canonicalize_name(line.name))
    return found

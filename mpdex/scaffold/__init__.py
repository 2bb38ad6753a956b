"""A new venue as a package of its own: `mpdex new-venue NAME`.

The templates beside this file are a complete, installable package whose translations raise
`Unsupported` until they are filled in; its conformance suite says what is still missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

from exchange_factory import venue_names
from mpdex.errors import UsageError

# Template -> file of the package, below its folder.
_FILES: Mapping[str, str] = {
    "pyproject.toml.tmpl": "pyproject.toml",
    "README.md.tmpl": "README.md",
    "quality.toml.tmpl": "${package}/quality.toml",
    "package.py.tmpl": "${package}/__init__.py",
    "exchange.py.tmpl": "${package}/exchange.py",
    "stream.py.tmpl": "${package}/stream.py",
    "sim.py.tmpl": "${package}/sim.py",
    "keys.py.tmpl": "keys/copy.pk_${module}.py",
    "test.py.tmpl": "tests/test_${module}.py",
}
_NAME = re.compile(r"[a-z][a-z0-9]*([._][a-z0-9]+)*")


def create(name: str, folder: Path) -> list[Path]:
    """Writes the package `mpdex_<name>` into a folder.

    Args:
        name: as the factory will spell it, such as "acme" or "acme.pro".

    Returns: the files, in the order they were written.
    Raises: UsageError if the name is none, or taken, or if the package is there already.
    """
    words = _words(name)
    root = folder / words["package"]
    if root.exists():
        raise UsageError(f"{root} exists already; choose another folder, or remove it first")
    return [_write(path, text) for path, text in _filled(root, words)]


def _words(name: str) -> dict[str, str]:
    """What the templates' words stand for."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a venue name; use lower-case letters and digits, such as 'acme'"
        )
    if name in venue_names():
        raise UsageError(f"{name!r} is a venue already; choose another name")
    module = name.replace(".", "_")
    title = "".join(part.capitalize() for part in module.split("_"))
    package, key = f"mpdex_{module}", f"{module.upper()}_KEY"
    host = module.replace("_", "-")
    words = {"name": name, "module": module, "Title": title, "package": package, "KEY": key}
    return {**words, "host": host}


def _filled(root: Path, words: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    templates = files(__package__)
    for template, place in _FILES.items():
        text = templates.joinpath(template).read_text(encoding="utf-8")
        yield root / Template(place).substitute(words), Template(text).substitute(words)


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path

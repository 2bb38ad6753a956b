"""The extra of each venue in the README: it installs what the venue imports, and nothing else."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import NamedTuple

import pytest
from acceptance.venue_rows import ROOT, claims
from extras import EXTRAS, PROJECT, required
from packaging.utils import canonicalize_name

import exchange_factory
from exchange_factory import VENUES, load
from mpdex.errors import MissingDependency

# Each stands for an engine or a service that any venue may be used with.
SHARED = ("websockets", "proxy", "keyring", "uvloop")
ALL = "*"
# What every venue is made of; it asks for nothing of one venue's, or the venue declares it.
CORE = ("multi_perp_dex", "mpdex.dex", "mpdex.testing", "exchange_factory")
IMPERSONATION = "mpdex.utils.curl_transport"


@cache
def own_file(module: str) -> Path | None:
    """Of a module of this project."""
    place = ROOT / module.replace(".", "/")
    files = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((file for file in files if file.exists()), None)


def foreign(*modules: str) -> set[str]:
    """Foreign modules that these import, at whatever time, by themselves or through others."""
    queue: list[tuple[str, set[str]]] = [(module, {ALL}) for module in modules]
    wanted: dict[str, set[str]] = {}
    found: set[str] = set()
    while queue:
        module, names = queue.pop()
        file, known = own_file(module), wanted.setdefault(module, set())
        if file is None and own_file(module.partition(".")[0]) is None:
            found.add(module.partition(".")[0])
        elif file is not None and not module.startswith(CORE) and names - known:
            known |= names
            queue += imports(file, known)
    return found - sys.stdlib_module_names


class Part(NamedTuple):
    """A statement of a module: which function it is, what it uses and imports."""

    function: str
    used: set[str]
    imports: list[tuple[str, set[str]]]


@cache
def parts(file: Path) -> list[Part]:
    return [
        Part(
            part.name if isinstance(part, ast.FunctionDef) else "",
            {name.id for name in ast.walk(part) if isinstance(name, ast.Name)},
            list(imports_in(part)),
        )
        for part in ast.parse(file.read_text(encoding="utf-8")).body
    ]


def imports(file: Path, wanted: set[str]) -> Iterator[tuple[str, set[str]]]:
    """(module, what of it) of each import; in functions, of those that somebody uses."""
    for part in parts(file):
        used = set().union(*(other.used for other in parts(file) if other is not part))
        if not part.function or {part.function, ALL} & (wanted | used):
            yield from part.imports


def imports_in(part: ast.AST) -> Iterator[tuple[str, set[str]]]:
    for node in ast.walk(part):
        match node:
            case ast.Import():
                yield from ((alias.name, {ALL}) for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                yield module, {alias.name for alias in node.names}
                yield from ((f"{module}.{a.name}", {ALL}) for a in node.names if own_file(module))
            case ast.Call(func=ast.Name(id="find_spec"), args=[ast.Constant(value=str(name))]):
                yield name, {ALL}


@pytest.mark.parametrize("venue", VENUES)
def test_the_extra_installs_what_the_venue_imports_and_nothing_else(venue: str) -> None:
    found = re.fullmatch(r"`mpdex\[(\w+)\]`", claims(venue).extra)
    assert found, "no extra is named"
    extra = EXTRAS[found[1]]
    module = VENUES[venue].where.partition(":")[0]
    modules = foreign(module, *([IMPERSONATION] if load(venue).SPEC.impersonates else ()))
    owners = packages_distributions()
    needed = {canonicalize_name(owners.get(name, [name])[0]) for name in modules}
    base = required(PROJECT["dependencies"], here=False)
    base |= required((line for name in base for line in requires(name) or ()), here=True)
    for shared in SHARED:
        base |= required(EXTRAS[shared], here=False)
    assert needed - base <= required(extra, here=False), "it imports what is not installed"
    assert required(extra, here=True) <= needed, "what is installed is not imported"


@pytest.mark.parametrize("venue", VENUES)
def test_whoever_lacks_the_extra_is_told_its_name(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def import_module(name: str) -> None:
        raise ImportError(f"no module for {name}", name="something_foreign")

    monkeypatch.setattr(exchange_factory, "import_module", import_module)
    with pytest.raises(MissingDependency) as caught:
        load(venue)
    assert claims(venue).extra.strip("`") in str(caught.value)

"""mpdex: what it exports, and that importing it costs nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from importlib.resources import files

import pytest

import mpdex

# What the developer guide imports, and the name it has here.
GUIDE = {
    "MultiPerpDex",
    "MultiPerpDexMixin",
    "create_exchange",
    "symbol_create",
    "SYMBOL_FORMATS",
    "BaseWSClient",
}
HEAVY = ("aiohttp", "msgspec", "picows", "wrappers", "asyncio", "multi_perp_dex", "coincurve")


def loaded_by(statement: str) -> set[str]:
    """Modules that `statement` adds to those of a bare interpreter."""
    code = (
        "import sys; before = set(sys.modules)\n"
        f"{statement}\n"
        "after = set(sys.modules) - before\n"
        "import json; print(json.dumps(sorted(after)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_loads_next_to_nothing() -> None:
    loaded = loaded_by("import mpdex")
    assert "mpdex" in loaded
    assert len(loaded) <= 10, sorted(loaded)
    assert not [name for name in loaded if name.partition(".")[0] in HEAVY]


@pytest.mark.parametrize("statement", ["dir(mpdex)", "mpdex.__all__", "hasattr(mpdex, 'no_such')"])
def test_looking_around_loads_nothing_more(statement: str) -> None:
    assert loaded_by(f"import mpdex; {statement}") == loaded_by("import mpdex")


@pytest.mark.parametrize("module", ["mpdex.types", "mpdex.errors", "mpdex.utils.clock"])
def test_the_words_of_the_core_need_no_other_package(module: str) -> None:
    tops = {name.partition(".")[0] for name in loaded_by(f"import {module}")}
    assert tops - {"mpdex"} <= set(sys.stdlib_module_names) | {"__mp_main__"}


@pytest.mark.parametrize("name", sorted(mpdex._EXPORTS))
def test_every_export_is_there(name: str) -> None:
    value = getattr(mpdex, name)
    assert value is getattr(import_module(mpdex._EXPORTS[name]), name)
    assert name in dir(mpdex)
    assert name in mpdex.__all__


def test_the_guides_names_are_exported() -> None:
    assert set(mpdex.__all__) >= GUIDE
    assert len(mpdex.__all__) == len(set(mpdex.__all__))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such"):
        mpdex.no_such  # noqa: B018


def test_the_package_is_typed_and_has_a_version() -> None:
    assert mpdex.__version__.count(".") == 2
    assert files("mpdex").joinpath("py.typed").is_file()

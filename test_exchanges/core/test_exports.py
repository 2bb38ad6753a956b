"""mpdex: what it exports, that importing it costs nothing, and a venue no more than its own."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from importlib import import_module
from importlib.resources import files

import pytest
from extras import EXTRAS, ROOT, required
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mpdex
from exchange_factory import VENUES

# What the developer guide imports, and the name it has here.
GUIDE = {
    "MultiPerpDex",
    "MultiPerpDexMixin",
    "create_exchange",
    "symbol_create",
    "SYMBOL_FORMATS",
    "BaseWSClient",
}
# Module -> what installs it. Of a venue's libraries none may be missing here.
LIBRARIES = {
    "Crypto": "pycryptodome",
    "aiohttp": "aiohttp",
    "base58": "base58",
    "btclib_libsecp256k1": "btclib-libsecp256k1",
    "coincurve": "coincurve",
    "curl_cffi": "curl_cffi",
    "fast_stark_crypto": "fast-stark-crypto",
    "lighter": "lighter-sdk",
    "nacl": "PyNaCl",
    "picows": "picows",
    "rich": "rich",
    "sha3": "safe-pysha3",
    "typer": "typer",
    "websockets": "websockets",
}
HEAVY = {"msgspec", "wrappers", "asyncio", "multi_perp_dex", *LIBRARIES}


@cache
def loaded_by(statement: str) -> set[str]:
    """Modules that `statement` adds to those of a bare interpreter."""
    code = (
        "import sys; before = set(sys.modules)\n"
        f"{statement}\n"
        "after = set(sys.modules) - before\n"
        "import json; print(json.dumps(sorted(after)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def tops(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_importing_loads_next_to_nothing() -> None:
    loaded = loaded_by("import mpdex")
    assert "mpdex" in loaded
    assert len(loaded) <= 10, sorted(loaded)
    assert not tops(loaded) & HEAVY


@pytest.mark.parametrize("statement", ["dir(mpdex)", "mpdex.__all__", "hasattr(mpdex, 'no_such')"])
def test_looking_around_loads_nothing_more(statement: str) -> None:
    assert loaded_by(f"import mpdex; {statement}") == loaded_by("import mpdex")


@pytest.mark.parametrize("module", ["mpdex.types", "mpdex.errors", "mpdex.utils.clock"])
def test_the_words_of_the_core_need_no_other_package(module: str) -> None:
    loaded = tops(loaded_by(f"import {module}"))
    assert loaded - {"mpdex"} <= set(sys.stdlib_module_names) | {"__mp_main__"}


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


# --------------------------------------------------------------------------- venues

# The class, its clients, and an order signed with keys of its own; nothing is sent.
SIGNED = """
from bench.parties import sign_one
from exchange_factory import load
dex = load({venue!r})(read_only=True)
dex.streams(), dex.poller()
sign_one({venue!r})
"""


def extra_of(venue: str) -> set[str]:
    return required(EXTRAS[VENUES[venue].extra], here=False)


@pytest.mark.parametrize("venue", VENUES)
def test_a_venue_loads_no_library_but_its_own(venue: str) -> None:
    loaded = tops(loaded_by(SIGNED.format(venue=venue)))
    own = extra_of(venue)
    found = {name for name in LIBRARIES if name in loaded}
    assert {name for name in found if canonicalize_name(LIBRARIES[name]) not in own} == set()
    assert not found & {"aiohttp", "curl_cffi", "picows"}, "before the first request"


@pytest.mark.parametrize("venue", VENUES)
def test_a_venue_loads_no_other_venue(venue: str) -> None:
    modules = {name: VENUES[name].where.partition(":")[0] for name in VENUES}
    loaded = loaded_by(SIGNED.format(venue=venue))
    assert modules[venue] in loaded
    for module in set(modules.values()) - {modules[venue]}:
        found = [name for name in loaded if name == module or name.startswith(f"{module}_")]
        assert not found


def test_every_library_of_a_venue_is_looked_for() -> None:
    every = set().union(*(extra_of(venue) for venue in VENUES))
    assert every <= {canonicalize_name(name) for name in LIBRARIES.values()}


@pytest.mark.parametrize("library", ["coincurve", "fast-stark-crypto"])
def test_what_has_no_wheels_for_a_python_is_not_asked_for_there(library: str) -> None:
    lines = [Requirement(line) for extra in EXTRAS.values() for line in extra]
    found = [line.marker for line in lines if line.name == library]
    assert found
    for marker in found:
        assert marker is not None
        assert marker.evaluate({"python_version": "3.13", "platform_machine": "arm64"})
        assert not marker.evaluate({"python_version": "3.14", "platform_machine": "arm64"})

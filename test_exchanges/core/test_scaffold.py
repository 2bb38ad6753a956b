"""A scaffolded venue: complete, installable, found by the factory, and failing until filled in."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import exchange_factory
from mpdex.errors import UnknownVenue, Unsupported, UsageError
from mpdex.scaffold import create
from mpdex.sim.run import start
from mpdex.utils.translation import Translation
from mpdex.utils.virtual_loop import run_virtual

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    create("acme.pro", tmp_path)
    return tmp_path / "mpdex_acme_pro"


@pytest.fixture
def installed(package: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """As if by pip: its packages can be imported, its entry points are known."""
    monkeypatch.syspath_prepend(package)
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    points = [
        EntryPoint(name, value, group)
        for group, entries in project["entry-points"].items()
        for name, value in entries.items()
    ]

    def entry_points(**wanted: str) -> list[EntryPoint]:
        return [p for p in points if all(getattr(p, k) == v for k, v in wanted.items())]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    monkeypatch.setattr("mpdex.sim.venues.entry_points", entry_points)
    yield package
    for name in [name for name in sys.modules if name.startswith("mpdex_acme_pro")]:
        del sys.modules[name]


def test_everything_arrives_together(tmp_path: Path) -> None:
    paths = create("acme", tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in paths} == {
        "mpdex_acme/pyproject.toml",
        "mpdex_acme/README.md",
        "mpdex_acme/keys/copy.pk_acme.py",
        "mpdex_acme/mpdex_acme/__init__.py",
        "mpdex_acme/mpdex_acme/exchange.py",
        "mpdex_acme/mpdex_acme/stream.py",
        "mpdex_acme/mpdex_acme/sim.py",
        "mpdex_acme/mpdex_acme/quality.toml",
        "mpdex_acme/tests/test_acme.py",
    }
    for path in paths:
        assert "$" not in path.read_text(), f"{path} has a word that is not filled in"


def test_every_verb_is_there_to_be_filled_in(package: Path) -> None:
    tree = ast.parse((package / "mpdex_acme_pro" / "exchange.py").read_text())
    [exchange] = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    there = {node.name for node in exchange.body if isinstance(node, ast.FunctionDef)}
    optional = {"encode_cancel_all", "decode_reason", "encode_login", "decode_login"}
    optional |= {"encode_market_details", "decode_market_details", "continue_login", "wire_name"}
    optional |= {"encode_countersign", "decode_countersign", "decode_placement"}
    optional |= {"encode_account", "decode_account", "make_session", "decode_page"}
    optional |= {"encode_challenge", "decode_challenge", "encode_proof"}
    optional |= {"encode_session_check", "decode_session_check"}
    optional |= {"make_nonces", "encode_next_nonce", "decode_next_nonce", "spares_nonce"}
    optional |= {"encode_fence", "encode_schedule_cancel", "encode_orders_after"}
    optional |= {"decode_headers", "poller"}
    optional |= {"encode_requests_left", "decode_requests_left"}
    assert there == {n for n in vars(Translation) if n[0] not in "_BS"} - optional


def test_it_is_in_our_style(package: Path) -> None:
    rules = ["--isolated", "--no-cache", "--line-length=100"]
    for command in (["check", "--select=E,F,I,B,UP"], ["format", "--check"]):
        arguments = [sys.executable, "-m", "ruff", *command, *rules, "."]
        done = subprocess.run(arguments, cwd=package, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_factory_finds_it(installed: Path) -> None:
    assert "acme.pro" in exchange_factory.venue_names()
    assert exchange_factory.load("acme.pro").__name__ == "AcmeProExchange"
    assert exchange_factory.symbol_create("acme.pro", "ETH") == "ETH-PERP"
    with pytest.raises(Unsupported):
        exchange_factory.symbol_create("acme.pro", "ETH", is_spot=True)
    with pytest.raises(UnknownVenue, match=r"acme\.pro"):
        exchange_factory.load("acme.prx")


def test_it_says_what_is_missing_and_leaves_nothing_open(installed: Path) -> None:
    async def play() -> None:
        async with await start(["acme.pro"], coins=("ETH",)) as world:
            options: dict[str, Any] = {"endpoints": world.endpoints["acme.pro"]}
            keys = world.credentials["acme.pro"]
            assert keys == world.venues["acme.pro"].credentials()
            with pytest.raises(Unsupported, match=r"acme\.pro: markets"):
                await exchange_factory.create_exchange("acme.pro", {**keys, **options})
            assert not world.counts

    run_virtual(play())


def test_its_conformance_suite_fails_until_it_is_filled_in(package: Path) -> None:
    _register(package)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(package), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=package,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    said = "the venue cannot be opened yet: acme.pro: markets is not offered here"
    assert done.stdout.count(said) > 40, done.stdout
    passed = [word for word in done.stdout.split("\n")[-2].split(", ") if "passed" in word]
    assert all(int(word.split()[0]) <= 4 for word in passed), "a venue that can do nothing passes"


def _register(package: Path) -> None:
    """What an installer writes, so that another process finds the entry points."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    info = package / "mpdex_acme_pro-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mpdex-acme-pro\nVersion: 0.1.0\n")
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    "name", ["", "Acme", "acme-pro", "1inch", "acme..x", ".acme", "acme pro", "../acme", "acme/x"]
)
def test_a_bad_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a venue name; use lower-case"):
        create(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(exchange_factory.VENUES))
def test_a_taken_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a venue already"):
        create(name, tmp_path)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    first = create("acme", tmp_path)[0]
    first.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        create("acme", tmp_path)
    assert first.read_text() == "mine"

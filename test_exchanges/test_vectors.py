"""Signing vectors made by the venues' own SDKs, through our encoders and signers.

`pytest test_exchanges --vectors DIR` runs every *.json of the same form in DIR besides our own.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from exchange_factory import VENUES

MODULES = {entry.where.partition(":")[0].rpartition(".")[2] for entry in VENUES.values()}
OWN = Path(__file__).parent / "vectors"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folders = [OWN]
    extra = metafunc.config.getoption("--vectors")
    if extra:
        folders.append(Path(extra))
    files = [file for folder in folders for file in sorted(folder.glob("*.json"))]
    cases = [
        pytest.param(vectors["venue"], case, id=f"{file.parent.name}/{file.stem}:{case['name']}")
        for file in files
        for vectors in [json.loads(file.read_text())]
        for case in vectors["cases"]
    ]
    metafunc.parametrize(("venue", "case"), cases)


def test_vector(venue: str, case: dict[str, Any]) -> None:
    if venue not in MODULES:
        pytest.skip(f"{venue} is not among the venues of this version")
    import_module(f"vectors.runner_{venue}").check(case)

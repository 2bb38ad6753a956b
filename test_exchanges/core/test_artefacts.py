"""test_exchanges.artefacts: the search itself finds what it must."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from acceptance.pair import opened
from artefacts import Artefacts, watched

from mpdex.utils.virtual_loop import run_virtual


@pytest.fixture
def artefacts() -> Artefacts:
    """Of a world whose keys are noted."""
    noted = Artefacts()

    async def main() -> None:
        async with opened():
            pass

    with watched(noted):
        run_virtual(main())
    return noted


def test_keys_of_a_world_are_noted(artefacts: Artefacts) -> None:
    assert len(artefacts.secrets) >= 3


@pytest.mark.parametrize("form", ['{{"key": "{}"}}', "at {} it failed", "key={}\n"])
def test_a_key_in_a_file_is_found(artefacts: Artefacts, tmp_path: Path, form: str) -> None:
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep" / "events.jsonl"
    file.write_text("nothing here\n")
    artefacts.search(tmp_path)
    assert artefacts.found == []
    file.write_text(form.format(max(artefacts.secrets)))
    artefacts.search(tmp_path)
    file.unlink()
    assert artefacts.found == [str(file)]


def test_a_key_in_a_warning_is_found(artefacts: Artefacts) -> None:
    record = logging.makeLogRecord({"name": "mpdex", "msg": f"refused {max(artefacts.secrets)}"})
    artefacts.emit(record)
    assert artefacts.found == ["the log, mpdex"]

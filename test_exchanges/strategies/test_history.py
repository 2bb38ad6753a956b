"""strategies.history: which files are read, and what becomes of those that are of no use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpdex.utils.journal import Journal
from strategies import history
from strategies.history import put_large_aside, read_past
from strategies.outputs import journal_path
from strategies.restart import CannotResume, Past
from test_exchanges.strategies.test_lock import Stopped
from test_exchanges.strategies.test_restart import T0, WHERE, Story, settings

FIXTURES = Path(__file__).parent / "journals"


def write(folder: Path, story: Story) -> Path:
    config = settings(logs=folder)
    clock = Stopped(T0)
    journal = Journal(journal_path(config), clock=clock)
    for line in story.lines:
        clock.ms = line["ts_ns"] // 1_000_000
        journal.write(line["kind"], **{k: v for k, v in line.items() if k not in ("kind", "ts_ns")})
    journal.close()
    return journal.path


def past_of(folder: Path, now_ms: int = T0 + 60_000, **options: Any) -> Past:
    return read_past(settings(logs=folder, **options), WHERE, Stopped(now_ms))


def test_no_file_is_no_past(tmp_path: Path) -> None:
    assert past_of(tmp_path) == Past()


def test_a_torn_end_is_dropped_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, Story().session().intent("m1").fill("m1", "0.2").fill("m1", "0.1"))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 40)
    assert str(past_of(tmp_path).held["primary"]) == "0.2"
    assert "torn" in caplog.text


def test_a_damaged_middle_is_refused_and_put_aside_by_force(tmp_path: Path) -> None:
    path = write(tmp_path, Story().session().intent("m1").fill("m1"))
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"size":"0.5"', b'"size":"0.6"', 1))
    with pytest.raises(CannotResume, match="damaged") as refused:
        past_of(tmp_path)
    assert "--force" in str(refused.value)
    past = past_of(tmp_path, force=True)
    assert past.lost
    assert not path.exists()
    (aside,) = tmp_path.glob("*damaged*")
    assert aside.stat().st_size == len(content)
    assert past_of(tmp_path) == Past()


@pytest.mark.parametrize("name", ["unfinished-0", "newer-9"])
def test_a_file_of_another_version_is_refused_with_the_way_out(tmp_path: Path, name: str) -> None:
    path = journal_path(settings(logs=tmp_path))
    path.write_bytes((FIXTURES / f"{name}.jsonl").read_bytes())
    with pytest.raises(CannotResume, match="--force"):
        past_of(tmp_path)
    assert past_of(tmp_path, force=True).lost


def test_a_file_of_the_first_version_that_ended_is_no_past(tmp_path: Path) -> None:
    path = journal_path(settings(logs=tmp_path))
    path.write_bytes((FIXTURES / "finished-0.jsonl").read_bytes())
    assert past_of(tmp_path) == Past()


def test_a_large_file_is_put_aside_and_remembered_for_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story().session().intent("m1").order("m1", "filled", "0.5").finish(0)
    write(tmp_path, story)
    config = settings(logs=tmp_path)
    put_large_aside(config, Stopped(T0))
    assert journal_path(config).exists()
    monkeypatch.setattr(history, "_LARGE", 100)
    put_large_aside(config, Stopped(T0 + 60_000))
    assert not journal_path(config).exists()
    monkeypatch.undo()
    again = Story()
    again.now_ms = T0 + 60_000
    write(tmp_path, again.session("b").finish(0))
    assert set(past_of(tmp_path, T0 + 70_000).orders) == {("primary", "m1")}
    assert past_of(tmp_path, T0 + 90_000_000).orders == {}

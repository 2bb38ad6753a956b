"""`mpdex scenario`: what it prints, what it keeps, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mpdex.cli import app
from mpdex.errors import UsageError
from mpdex.lab import batch
from mpdex.lab.batch import Found, Report, run_batch
from mpdex.lab.command import run_file, run_random
from mpdex.lab.oracle import Oracle
from mpdex.lab.scenario import load

GOOD = 'rules = ["H.place.nth(1) -> drop_response"]\ncycles = 2\nexpect = "R"\n'


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    file = tmp_path / "lost.toml"
    file.write_text(GOOD)
    return file


def test_a_verdict_for_people(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_file(scenario) == 0
    told = capsys.readouterr().out
    assert "lost: the oracle's word: holds; outcome R" in told
    assert "rule fired 1 times: H.place.nth(1) -> drop_response" in told
    assert '"kind":"finish"' in told


def test_a_verdict_for_programs_and_the_bot_s_files(
    scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_file(scenario, logs=tmp_path / "kept", as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["expected"], told["outcome"]) == (True, True, "R")
    assert told["fired"] == {"H.place.nth(1) -> drop_response": 1}
    assert told["requests"]["backpack rest place"] >= 2
    assert list((tmp_path / "kept").glob("*_events.jsonl"))


def test_an_outcome_that_was_not_expected_is_a_failure(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario.write_text(GOOD.replace('"R"', '"HF"'))
    assert run_file(scenario) == 1
    assert "expected HF, not R" in capsys.readouterr().out


def test_a_violation_is_a_failure(
    scenario: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Oracle, "judge_requests", lambda self, *_: self.violate("O9", "planted"))
    assert run_file(scenario) == 1
    told = capsys.readouterr().out
    assert "VIOLATED" in told
    assert "O9 at" in told
    assert "planted" in told


def test_a_rule_that_never_fired_is_told(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario.write_text('rules = ["H.place.nth(90) -> drop_response"]\ncycles = 2\n')
    assert run_file(scenario) == 0
    assert "NEVER fired: H.place.nth(90)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give a scenario file or --random N"),
        (["FILE", "--random", "3"], "and not both"),
        (["absent.toml"], "absent.toml"),
        (["--random", "-1"], "--random -1"),
        (["--random", "1", "--cycles", "0"], "--cycles 0"),
    ],
)
def test_what_cannot_be_played_is_one_sentence(
    scenario: Path, arguments: list[str], words: str
) -> None:
    told = [str(scenario) if word == "FILE" else word for word in arguments]
    result = CliRunner().invoke(app, ["scenario", *told])
    assert result.exit_code == 2
    assert words in result.output


def test_the_command_ends_with_the_verdict(scenario: Path) -> None:
    result = CliRunner().invoke(app, ["scenario", str(scenario), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["scenario"] == "lost"


# --------------------------------------------------------------------------- many


def test_random_mixtures_are_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    code = run_random(3, seed=4, cycles=2, jobs=1)
    told = capsys.readouterr().out
    assert "3 seeds, " in told
    assert code in (0, 1)


def test_several_processes_find_what_one_finds() -> None:
    alone = run_batch(6, seed=20, cycles=2, jobs=1)
    together = run_batch(6, seed=20, cycles=2, jobs=2)
    assert alone.outcomes == together.outcomes
    assert [f.seed for f in alone.failed] == [f.seed for f in together.failed]
    assert alone.seeds == together.seeds == 6


def test_a_failing_seed_is_told_shrunk_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The planted flaw needs no rule, so every scenario shrinks to none."""
    monkeypatch.setattr(Oracle, "judge_requests", lambda self, *_: self.violate("O9", "planted"))
    assert run_random(2, seed=1, cycles=2, jobs=1, keep=tmp_path / "failing") == 1
    told = capsys.readouterr().out
    assert "seed 1: " in told
    assert "planted" in told
    assert "2 seeds, 2 failed" in told
    kept = load(tmp_path / "failing" / "seed-1.toml")
    assert (kept.seed, kept.cycles, kept.rules) == (1, 2, ())


def test_the_same_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Oracle, "judge_requests", lambda self, *_: self.violate("O9", "planted"))
    assert run_random(1, seed=1, cycles=2, jobs=1, as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["seeds"] == 1
    assert told["failed"][0]["seed"] == 1
    assert told["failed"][0]["rules"] == []


def test_a_laboratory_that_breaks_is_a_failing_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("no world")

    monkeypatch.setattr(batch, "play_once", broken)
    report = run_batch(1, seed=1, cycles=2, jobs=1)
    assert report.failed[0].error == "RuntimeError('no world')"


def test_a_report_counts() -> None:
    report = Report()
    report.add(Found(1, "R", rules=("a", "b"), idle=1))
    report.add(Found(2, "HF", violations=("O1 at 1s: x",)))
    assert (report.seeds, report.rules, report.idle) == (2, 2, 1)
    assert [found.seed for found in report.failed] == [2]


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(UsageError, match="--random 0"):
        run_random(0)

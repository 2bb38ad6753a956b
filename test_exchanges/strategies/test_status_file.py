"""strategies.status_file: written whole, seldom, and judged by its age."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from mpdex.errors import UsageError
from strategies.config import HedgeConfig
from strategies.driver import HedgeResult, Status
from strategies.status_file import StatusFile, read_statuses

D = Decimal
STATUS = Status(
    phase="running",
    state="quoting",
    attempts=3,
    iterations=10,
    successes=2,
    primary=D("0.50"),
    hedge=D("-0.50"),
    debt=D(0),
    volume=D("2000"),
    result=D("-0.7"),
    quote="buy 0.5 @ 2000",
    waiting_for="",
)


class Hand:
    """A clock that is moved by hand."""

    seconds = 1_767_225_600.0

    def monotonic(self) -> float:
        return self.seconds

    def now_ns(self) -> int:
        return self.now_ms() * 1_000_000

    def now_ms(self) -> int:
        return round(self.seconds * 1000)


def make(folder: Path, clock: Hand) -> StatusFile:
    config = HedgeConfig(primary="p", hedge="h", ticker="ETH", size=D("0.5"), logs=folder / "logs")
    return StatusFile(config, clock=clock)


def test_a_reader_sees_how_the_run_stands(tmp_path: Path) -> None:
    clock = Hand()
    make(tmp_path, clock)(STATUS)
    clock.seconds += 3
    (found,) = read_statuses(tmp_path / "logs", clock)
    assert found["file"] == "2dex_p_h_ETH_status.json"
    assert (found["state_of_file"], found["age_seconds"]) == ("live", 3)
    assert (found["phase"], found["primary"], found["quote"]) == (
        "running",
        "0.50",
        "buy 0.5 @ 2000",
    )
    assert (found["primary_venue"], found["ticker"], found["mode"]) == ("p", "ETH", "sim")


def test_it_is_replaced_at_most_once_a_second_and_as_a_whole(tmp_path: Path) -> None:
    clock = Hand()
    file = make(tmp_path, clock)
    seen = []
    for attempt in range(50):
        file(replace(STATUS, attempts=attempt))
        seen.append(json.loads(file.path.read_text())["attempts"])
        clock.seconds += 0.125
    assert sorted(set(seen)) == [0, 8, 16, 24, 32, 40, 48]
    assert [path.name for path in file.path.parent.iterdir()] == [file.path.name]


def test_a_run_that_is_silent_is_stale_and_one_that_ended_is_not(tmp_path: Path) -> None:
    clock = Hand()
    file = make(tmp_path, clock)
    file(STATUS)
    clock.seconds += 16
    assert read_statuses(tmp_path / "logs", clock)[0]["state_of_file"] == "stale"
    file.end(HedgeResult(4, {"reason": "cost cap", "position_primary": "0", "attempts": 4}))
    clock.seconds += 9000
    (found,) = read_statuses(tmp_path / "logs", clock)
    assert (found["state_of_file"], found["exit_code"], found["reason"]) == ("ended", 4, "cost cap")
    assert (found["attempts"], found["successes"], found["primary"]) == (4, 2, "0")
    assert (found["phase"], found["quote"]) == ("stopped", "")


def test_a_run_that_never_began_leaves_the_file_of_another_alone(tmp_path: Path) -> None:
    clock = Hand()
    make(tmp_path, clock)(STATUS)
    make(tmp_path, clock).end(HedgeResult(2, {"reason": "locked"}))
    assert read_statuses(tmp_path / "logs", clock)[0]["state_of_file"] == "live"


def test_a_disk_that_says_no_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = Hand()
    (tmp_path / "logs").write_text("a file where the folder should be")
    file = make(tmp_path, clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            file(STATUS)
            clock.seconds += 2
    assert len(caplog.messages) == 1
    assert "status file cannot be written" in caplog.messages[0]


def test_what_is_not_there_or_no_status_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no hedge has written its status in"):
        read_statuses(tmp_path)
    (tmp_path / "x_status.json").write_text("[]")
    with pytest.raises(UsageError, match=r"x_status\.json is not the status of a hedge"):
        read_statuses(tmp_path)


def test_the_newest_comes_first(tmp_path: Path) -> None:
    clock = Hand()
    for name in ("one", "two", "three"):
        config = HedgeConfig(primary="p", hedge="h", ticker=name, size=D(1), logs=tmp_path)
        StatusFile(config, clock=clock)(STATUS)
        clock.seconds += 5
    assert [one["ticker"] for one in read_statuses(tmp_path, clock)] == ["three", "two", "one"]

"""mpdex.utils.journal"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.types import Lane, OrderStatus
from mpdex.utils import journal as module
from mpdex.utils.journal import Journal, JournalBusy, JournalDamaged, NullJournal, replay

EPOCH_NS = 1_700_000_000_000_000_000


class Ticks:
    """A clock that moves a nanosecond each time it is read."""

    def __init__(self) -> None:
        self.read = 0

    def monotonic(self) -> float:
        return 0.0

    def now_ns(self) -> int:
        self.read += 1
        return EPOCH_NS + self.read

    def now_ms(self) -> int:
        return EPOCH_NS // 1_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "hedge.jsonl"


def journal(path: Path) -> Journal:
    return Journal(path, clock=Ticks())


def fill(path: Path, count: int = 3) -> None:
    book = journal(path)
    for number in range(count):
        book.write("place", n=number)
    book.close()


def test_lines_come_back_as_they_were_written(path: Path) -> None:
    book = journal(path)
    book.write("place", cid="7", price=Decimal("0.10"), status=OrderStatus.OPEN, lane=Lane.HEDGE)
    book.write("note", text='quote " newline \n and ☃', nested={"a": [1, None, True]}, ratio=0.5)
    book.close()
    first, second = replay(path)
    assert first == {
        "seq": 1,
        "ts_ns": EPOCH_NS + 1,
        "kind": "place",
        "cid": "7",
        "price": "0.10",
        "status": "open",
        "lane": 1,
    }
    assert second["text"] == 'quote " newline \n and ☃'
    assert second["nested"] == {"a": [1, None, True]}
    assert second["ratio"] == Decimal("0.5")
    assert (second["seq"], second["ts_ns"]) == (2, EPOCH_NS + 2)


def test_every_line_is_plain_json_in_a_file_of_ones_own(path: Path) -> None:
    fill(path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["n"] for line in lines] == [0, 1, 2]
    assert all(len(line["crc"]) == 8 for line in lines)
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0


def test_a_line_is_with_the_kernel_when_write_returns(path: Path) -> None:
    book = journal(path)
    book.write("place")
    assert len(list(replay(path))) == 1
    book.write("ack")
    assert [line["kind"] for line in replay(path)] == ["place", "ack"]
    book.close()


def test_lines_survive_a_killed_process(path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from mpdex.utils.clock import SystemClock\n"
        "from mpdex.utils.journal import Journal\n"
        "book = Journal(sys.argv[1], clock=SystemClock())\n"
        "for n in range(100): book.write('place', n=n)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    died = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert died.returncode != 0
    assert [line["n"] for line in replay(path)] == list(range(100))


def test_a_journal_is_continued_where_it_ended(path: Path) -> None:
    fill(path)
    book = journal(path)
    assert book.seq == 3
    book.write("again")
    book.close()
    assert [line["seq"] for line in replay(path)] == [1, 2, 3, 4]


@pytest.mark.parametrize("cut", [1, 2, 10, 30])
def test_a_torn_end_is_dropped_and_told(
    path: Path, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    fill(path)
    os.truncate(path, path.stat().st_size - cut)
    with caplog.at_level(logging.WARNING):
        assert [line["seq"] for line in replay(path)] == [1, 2]
    assert "line 3 is torn" in caplog.text


@pytest.mark.parametrize("cut", [1, 2, 10, 30])
def test_continuing_cuts_a_torn_end_off(path: Path, cut: int) -> None:
    fill(path)
    os.truncate(path, path.stat().st_size - cut)
    fill(path, 2)
    assert [line["seq"] for line in replay(path)] == [1, 2, 3, 4]


def test_a_file_of_one_torn_line_starts_anew(path: Path) -> None:
    fill(path, 1)
    os.truncate(path, 20)
    assert list(replay(path)) == []
    fill(path, 1)
    assert [line["seq"] for line in replay(path)] == [1]


def test_an_empty_journal_has_no_lines(path: Path) -> None:
    journal(path).close()
    assert list(replay(path)) == []


def test_long_lines_are_found_again(path: Path) -> None:
    book = journal(path)
    book.write("small")
    book.write("big", text="x" * 200_000)
    book.close()
    os.truncate(path, path.stat().st_size - 5)
    book = journal(path)
    assert book.seq == 1
    book.write("big", text="y" * 200_000)
    book.close()
    assert journal(path).seq == 2


@pytest.mark.parametrize("position", [5, 60])
def test_a_changed_byte_in_the_middle_stops_the_replay(path: Path, position: int) -> None:
    fill(path)
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    with pytest.raises(JournalDamaged, match="line 1"):
        list(replay(path))


def test_a_missing_line_stops_the_replay(path: Path) -> None:
    fill(path)
    first, _, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + third)
    with pytest.raises(JournalDamaged, match="seq 3, not 2"):
        list(replay(path))


def test_half_a_line_on_a_full_disk_is_taken_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = journal(path)
    book.write("first")
    real = os.write
    with monkeypatch.context() as patched:
        patched.setattr(module.os, "write", lambda fd, data: real(fd, data[:20]))
        with pytest.raises(OSError, match="full"):
            book.write("second")
    book.write("third")
    book.close()
    assert [(line["seq"], line["kind"]) for line in replay(path)] == [(1, "first"), (2, "third")]


def test_a_refused_write_leaves_the_number_free(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = journal(path)

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module.os, "write", full)
        with pytest.raises(OSError, match="No space"):
            book.write("first")
    book.write("second")
    book.close()
    assert [line["seq"] for line in replay(path)] == [1]


def test_what_json_cannot_say_is_refused_and_not_written(path: Path) -> None:
    book = journal(path)
    with pytest.raises(TypeError):
        book.write("bad", thing=object())
    book.write("good")
    book.close()
    assert [line["kind"] for line in replay(path)] == ["good"]


def test_sync_reaches_the_disk_and_close_does_so_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(module, "_flush", flushed.append)
    book = journal(path)
    book.write("place")
    assert flushed == []
    book.sync()
    assert len(flushed) == 1
    book.close()
    book.close()
    assert len(flushed) == 2
    with pytest.raises(OSError, match="descriptor"):
        book.write("late")


def test_the_null_journal_counts_and_keeps_nothing() -> None:
    book: Any = NullJournal()
    book.write("place", price=Decimal(1), thing=object())
    book.sync()
    book.close()
    assert book.seq == 1


def test_two_writers_of_one_file_are_one_too_many(path: Path) -> None:
    first = journal(path)
    with pytest.raises(JournalBusy, match="folder of its own"):
        journal(path)
    first.close()
    second = journal(path)
    second.write("place")
    second.close()
    assert [line["seq"] for line in replay(path)] == [1]


def test_a_journal_that_need_not_last_waits_for_no_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(module, "_flush", flushed.append)
    book = Journal(path, clock=Ticks(), durable=False)
    book.write("place")
    book.sync()
    book.close()
    assert flushed == []
    assert len(list(replay(path))) == 1

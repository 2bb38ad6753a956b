"""strategies.lock"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from strategies import lock
from strategies.lock import Held, Leg, Locks, lock_folder

LEGS = (Leg("p", "a1", "ETH/USD"), Leg("h", "a2", "ETH-PERP"))
NOW_MS = 1_767_225_600_000


class Stopped:
    """A clock that a test moves."""

    def __init__(self, now_ms: int = NOW_MS) -> None:
        self.ms = now_ms

    def monotonic(self) -> float:
        return 0.0

    def now_ms(self) -> int:
        return self.ms

    def now_ns(self) -> int:
        return self.ms * 1_000_000


def take(folder: Path, legs: tuple[Leg, ...] = LEGS, now_ms: int = NOW_MS) -> Locks:
    return Locks(folder, legs, owner="run", clock=Stopped(now_ms))


def write(folder: Path, **told: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LEGS[0].file).write_text(json.dumps(told))


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    return child.pid


def test_a_second_run_is_told_who_and_where(tmp_path: Path) -> None:
    first = take(tmp_path)
    with pytest.raises(Held) as held:
        take(tmp_path)
    assert f"process {os.getpid()}" in str(held.value)
    assert LEGS[1].file in str(held.value)
    first.release()
    take(tmp_path).release()


def test_one_leg_in_common_is_enough_and_the_other_is_let_go(tmp_path: Path) -> None:
    first = take(tmp_path, (LEGS[0],))
    with pytest.raises(Held):
        take(tmp_path)
    take(tmp_path, (LEGS[1],)).release()
    first.release()


@pytest.mark.parametrize(
    "other", [LEGS[0]._replace(account="b"), LEGS[0]._replace(symbol="BTC")], ids=str
)
def test_another_account_or_market_is_none_of_ours(tmp_path: Path, other: Leg) -> None:
    first = take(tmp_path, (LEGS[0],))
    take(tmp_path, (other,)).release()
    first.release()


def test_the_holder_s_heartbeat_is_in_the_file(tmp_path: Path) -> None:
    clock = Stopped()
    locks = Locks(tmp_path, LEGS, owner="run", clock=clock)
    clock.ms += 1000
    locks.beat()
    for leg in LEGS:
        told = json.loads((tmp_path / leg.file).read_text())
        assert told == {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "owner": "run",
            "since_ms": NOW_MS,
            "beat_ms": NOW_MS + 1000,
        }
    locks.release()
    assert [(tmp_path / leg.file).read_bytes() for leg in LEGS] == [b"", b""]


def test_a_killed_holder_is_in_nobody_s_way(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from mpdex.utils.clock import SystemClock\n"
        "from strategies.lock import Leg, Locks\n"
        "legs = [Leg('p', 'a1', 'ETH/USD')]\n"
        "locks = Locks(Path(sys.argv[1]), legs, owner='dead', clock=SystemClock())\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    died = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert json.loads((tmp_path / LEGS[0].file).read_text())["owner"] == "dead"
    take(tmp_path).release()


@pytest.mark.parametrize(("age_ms", "free"), [(1_000, False), (31_000, True)], ids=["fresh", "old"])
def test_another_machine_s_heartbeat_decides(tmp_path: Path, age_ms: int, free: bool) -> None:
    write(tmp_path, pid=1, host="elsewhere", beat_ms=NOW_MS - age_ms)
    if free:
        take(tmp_path).release()
        return
    with pytest.raises(Held, match="process 1 on elsewhere"):
        take(tmp_path)


@pytest.mark.parametrize(
    ("alive", "age_ms", "free"),
    [(True, 31_000, False), (True, 1_000, False), (False, 1_000, False), (False, 31_000, True)],
)
def test_without_system_locks_stale_is_a_dead_process_and_an_old_heartbeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alive: bool, age_ms: int, free: bool
) -> None:
    monkeypatch.setattr(lock, "lock_file", lambda fd: None)
    pid = os.getpid() if alive else dead_pid()
    write(tmp_path, pid=pid, host=socket.gethostname(), beat_ms=NOW_MS - age_ms)
    if free:
        take(tmp_path).release()
        return
    with pytest.raises(Held):
        take(tmp_path)


def test_a_file_that_says_nothing_readable_is_free(tmp_path: Path) -> None:
    (tmp_path / LEGS[0].file).write_text("{")
    take(tmp_path).release()


def test_the_folder_is_the_machine_s_not_the_run_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPDEX_LOCK_DIR", "/somewhere")
    assert lock_folder() == Path("/somewhere")
    monkeypatch.delenv("MPDEX_LOCK_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert lock_folder() == Path("/state/mpdex/locks")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    assert lock_folder() == Path.home() / ".local/state/mpdex/locks"

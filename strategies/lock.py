"""One run at a time for each venue, account and market of this machine.

The lock is a small file that tells who holds it. Holding it means a system lock on that file, which
ends with its process however that ends; so a file left by a dead process is in nobody's way. Where
the system lock does not reach (another machine on a shared folder, a file system without locks),
the holder's heartbeat in the file decides: stale is one whose process is dead, as far as can be
seen from here, and whose heartbeat is old.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from mpdex.errors import UsageError
from mpdex.utils.clock import Clock
from mpdex.utils.file_lock import lock_file

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
# A running hedge says so once a second; this many are never missed by one that lives.
_OLD_MS = 30_000
_ODD = re.compile(r"[^A-Za-z0-9_.-]+")


class Leg(NamedTuple):
    """What a run has to itself. `account`: a name for it that is no secret."""

    venue: str
    account: str
    symbol: str

    @property
    def file(self) -> str:
        return _ODD.sub("_", f"{self.venue}-{self.account}-{self.symbol}") + ".lock"


class Held(UsageError):
    """Somebody else has the lock."""


def lock_folder() -> Path:
    """Where all runs of one user meet: `MPDEX_LOCK_DIR`, or the folder for state."""
    told = os.environ.get("MPDEX_LOCK_DIR")
    if told:
        return Path(told)
    state = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(state or Path.home() / ".local" / "state") / "mpdex" / "locks"


class Locks:
    """The locks of both legs, all or none.

    Args:
        owner: name of the run, for whoever meets the lock.

    Raises: Held; OSError where the folder cannot be written.
    """

    def __init__(self, folder: Path, legs: Iterable[Leg], *, owner: str, clock: Clock) -> None:
        self._clock = clock
        self._owner = owner
        self._since_ms = clock.now_ms()
        self._fds: list[int] = []
        folder.mkdir(parents=True, exist_ok=True)
        try:
            for leg in sorted(set(legs)):
                self._fds.append(_taken(folder / leg.file, leg, clock.now_ms()))
        except BaseException:
            self.release()
            raise
        self.beat()

    def beat(self) -> None:
        """Says that the run lives."""
        line = msgspec.json.encode(
            {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "owner": self._owner,
                "since_ms": self._since_ms,
                "beat_ms": self._clock.now_ms(),
            }
        )
        for fd in self._fds:
            os.lseek(fd, 0, os.SEEK_SET)
            os.write(fd, line)
            os.ftruncate(fd, len(line))

    def release(self) -> None:
        """Lets go; the files stay, empty."""
        fds, self._fds = self._fds, []
        for fd in fds:
            os.ftruncate(fd, 0)
            os.close(fd)


def _taken(path: Path, leg: Leg, now_ms: int) -> int:
    fd = os.open(path, _FLAGS, 0o600)
    told = _told(fd)
    locked = lock_file(fd)
    if locked is False or not _stale(told, now_ms, sure=bool(locked)):
        os.close(fd)
        raise Held(
            f"{leg.symbol} on this account of {leg.venue} is traded by process "
            f"{told.get('pid', '?')} on {told.get('host', '?')} (lock {path}); stop that one first"
        )
    return fd


def _told(fd: int) -> dict[str, Any]:
    """What the last holder wrote; nothing where that cannot be read."""
    os.lseek(fd, 0, os.SEEK_SET)
    try:
        return msgspec.json.decode(os.read(fd, 4096), type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


def _stale(told: dict[str, Any], now_ms: int, *, sure: bool) -> bool:
    """Whether nobody holds it any more. `sure`: the system says so for this machine."""
    here = told.get("host") == socket.gethostname()
    if not told or (here and sure):
        return True
    return now_ms - told.get("beat_ms", 0) > _OLD_MS and not (here and _lives(told.get("pid", 0)))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # there, and somebody else's
    return True

"""What was decided and seen, one JSON line each, written before it is acted on.

A line is in the kernel's hands when `write` returns: it survives the death of the process, and
after `sync` that of the machine. Every line carries its number, its time and a checksum, so that a
torn end is recognised and nothing damaged is taken for the truth.

    {"seq":1,"ts_ns":1700000000000000000,"kind":"place",...,"crc":"5ad1f003"}
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

import msgspec

from mpdex.errors import MpdexError, UsageError
from mpdex.utils.clock import Clock
from mpdex.utils.file_lock import lock_file

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
_TAIL = len(b',"crc":"00000000"}')
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
_CHUNK = 1 << 16


class JournalDamaged(MpdexError):
    """A line in the middle does not hold: something else than a crash has touched the file."""


class JournalBusy(UsageError):
    """Another process is writing the same file."""


class Writer(Protocol):
    """What the rest of the code may do with a journal."""

    seq: int

    @property
    def durable(self) -> bool: ...

    def write(self, kind: str, **fields: Any) -> None: ...

    def sync(self) -> None: ...

    def close(self) -> None: ...


class Journal:
    """Appends to one file; a file that exists is continued, without its torn end.

    Args:
        durable: `sync` waits for the disk; without, it does nothing.

    Attributes:
        seq: number of the last line.

    Raises:
        JournalBusy: another process has it open.
        OSError: where the disk says no, from any method. The line is then not in the file.
    """

    def __init__(self, path: str | Path, *, clock: Clock, durable: bool = True) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.durable = durable
        self._clock = clock
        self._fd = os.open(self.path, _FLAGS, 0o600)
        if lock_file(self._fd) is False:
            os.close(self._fd)
            raise JournalBusy(
                f"another process writes {self.path}; give this run a folder of its own"
            )
        self.seq = self._continue()

    def write(self, kind: str, **fields: Any) -> None:
        """One line. Decimals become text; a field that JSON cannot say raises TypeError."""
        seq = self.seq + 1
        said = _encode({"seq": seq, "ts_ns": self._clock.now_ns(), "kind": kind, **fields})
        line = b'%b,"crc":"%08x"}\n' % (said[:-1], crc32(said))
        if os.write(self._fd, line) != len(line):
            self._take_back()
        self.seq = seq

    def sync(self) -> None:
        """Returns when everything written is on the disk; may be called on another thread."""
        if self.durable:
            _flush(self._fd)

    def close(self) -> None:
        """Syncs and closes; a second call does nothing."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            try:
                if self.durable:
                    _flush(fd)
            finally:
                os.close(fd)

    def _continue(self) -> int:
        """Cuts a torn end off; the number of the last line that holds."""
        end, line = _last_line(self._fd)
        if end < os.fstat(self._fd).st_size:
            os.ftruncate(self._fd, end)
        return 0 if line is None else int(line["seq"])

    def _take_back(self) -> None:
        """The disk took half a line; without it the file is as it was."""
        end, _ = _last_line(self._fd)
        os.ftruncate(self._fd, end)
        raise OSError(f"{self.path}: the disk is full")


class NullJournal:
    """Counts and forgets."""

    durable = False

    def __init__(self) -> None:
        self.seq = 0

    def write(self, kind: str, **fields: Any) -> None:
        self.seq += 1

    def sync(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def replay(path: str | Path) -> Iterator[dict[str, Any]]:
    """The lines in order, `crc` left out. A torn end is dropped and logged.

    Raises:
        JournalDamaged: a line before the last does not hold, or a number is missing.
    """
    expected = None
    with Path(path).open("rb") as file:
        for number, raw in enumerate(file, 1):
            line = _checked(raw)
            if line is None:
                _judge_damage(path, number, torn=not file.read(1))
                return
            if expected is not None and line["seq"] != expected:
                raise JournalDamaged(f"{path}: line {number} has seq {line['seq']}, not {expected}")
            expected = line["seq"] + 1
            yield line


def _flush(fd: int) -> None:
    """macOS and Windows have no fdatasync."""
    getattr(os, "fdatasync", os.fsync)(fd)


def _judge_damage(path: str | Path, number: int, *, torn: bool) -> None:
    if not torn:
        raise JournalDamaged(f"{path}: line {number} is damaged and others follow it")
    log.warning("%s: line %d is torn and was dropped", path, number)


def _checked(raw: bytes) -> dict[str, Any] | None:
    """The line without its checksum, or None if it does not hold."""
    if not raw.endswith(b'"}\n'):
        return None
    said, tail = raw[: -_TAIL - 1] + b"}", raw[-_TAIL - 1 :]
    if tail != b',"crc":"%08x"}\n' % crc32(said):
        return None
    try:
        return _decode(said)
    except msgspec.MsgspecError:
        return None


def _last_line(fd: int) -> tuple[int, dict[str, Any] | None]:
    """Where the last line that holds ends, and that line; (0, None) if there is none."""
    end = os.fstat(fd).st_size
    while end > 0:
        start = _line_start(fd, end)
        line = _checked(_read(fd, start, end))
        if line is not None:
            return end, line
        end = start
    return 0, None


def _line_start(fd: int, end: int) -> int:
    """Where the line begins that ends (with or without its newline) at `end`."""
    stop = end - 1
    while stop > 0:
        start = max(0, stop - _CHUNK)
        found = _read(fd, start, stop).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        stop = start
    return 0


def _read(fd: int, start: int, end: int) -> bytes:
    os.lseek(fd, start, os.SEEK_SET)
    return os.read(fd, end - start)

"""One process of the bot: started, watched at the points where it may die, killed, frozen.

Everything lives in one Python process on one virtual loop. What belongs to the bot is told from
what belongs to the venues by a context variable: every timer and callback that the bot's code makes
inherits it. A killed bot sends nothing more, because its sockets are shut in the kernel at that
instant (what it had sent before arrives), and writes nothing more, because its files are put back
to what they were then.
"""

from __future__ import annotations

import asyncio
import heapq
import io
import os
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from mpdex.utils.journal import Journal

BOT: ContextVar[bool] = ContextVar("bot", default=False)


class Disk:
    """Between the journal and its file.

    Attributes:
        full: what a write meets; None: nothing.
    """

    def __init__(self, reached: Callable[[str, str, dict[str, Any]], None]) -> None:
        self.full: str | None = None
        self._reached = reached

    @contextmanager
    def watched(self) -> Iterator[None]:
        """While it lasts, every line of every journal passes through here."""
        write = Journal.write

        def watched(journal: Journal, kind: str, **fields: Any) -> None:
            journal.durable = False  # nothing here survives a power cut: why wait for a disk
            self._reached("before", kind, fields)
            if self.full is not None:
                raise OSError(self.full)
            write(journal, kind, **fields)
            self._reached("after", kind, fields)

        setattr(Journal, "write", watched)  # noqa: B010  (a method is replaced on purpose)
        try:
            yield
        finally:
            setattr(Journal, "write", write)  # noqa: B010


class Files:
    """A folder as it is now, to be put back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept = {path: path.read_bytes() for path in _files(folder)}

    def put_back(self) -> None:
        """Undo whatever was written since."""
        for path in _files(self._folder):
            if path not in self._kept:
                path.unlink()
        for path, content in self._kept.items():
            if not path.exists() or path.read_bytes() != content:
                path.write_bytes(content)


@contextmanager
def overheard() -> Iterator[io.StringIO]:
    """What this process prints meanwhile, which is printed afterwards."""
    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            yield said
    finally:
        sys.stderr.write(said.getvalue())


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def shut_sockets(ports: Iterable[int]) -> set[int]:
    """Shut every socket of this process that leads to one of these ports; their own ports.

    What was written before still arrives; nothing can be written after.
    """
    shut = set()
    for _, end in _client_sockets(set(ports)):
        with end:
            shut.add(end.getsockname()[1])
            end.shutdown(socket.SHUT_RDWR)
    return shut


def _client_sockets(ports: set[int]) -> Iterator[tuple[int, socket.socket]]:
    """(file descriptor, a second handle on the same socket)."""
    for key in list(_selector().get_map().values()):
        try:
            end = socket.socket(fileno=os.dup(key.fd))
        except OSError:
            continue  # no socket: the loop's own pipe
        try:
            leads = end.getpeername()[1] in ports
        except (OSError, IndexError):
            leads = False
        if leads:
            yield key.fd, end
        else:
            end.close()


def _selector() -> Any:
    return vars(asyncio.get_running_loop())["_selector"]


def suspend(seconds: float, ports: Iterable[int]) -> None:
    """Freeze the bot: its timers are put off, its sockets are not read; the venues go on."""
    loop: Any = asyncio.get_running_loop()
    resume = loop.time() + seconds
    for handle in loop._scheduled:
        if _of_bot(handle) and handle._when < resume:
            handle._when = resume
    heapq.heapify(loop._scheduled)
    for handle in [h for h in loop._ready if _of_bot(h)]:
        loop._ready.remove(handle)
        loop.call_at(resume, handle._run)
    _mute(set(ports), seconds)


def _of_bot(handle: Any) -> bool:
    return not handle.cancelled() and bool(handle._context.get(BOT, False))


def _mute(ports: set[int], seconds: float) -> None:
    selector = _selector()
    muted = []
    for fd, end in _client_sockets(ports):
        end.close()
        muted.append(selector.get_map()[fd])
    for key in muted:
        selector.unregister(key.fd)

    def hear_again() -> None:
        for key in muted:
            selector.register(key.fd, key.events, key.data)

    asyncio.get_running_loop().call_later(seconds, hear_again)

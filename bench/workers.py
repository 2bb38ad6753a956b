"""Processes of a benchmark: each pinned to a core, asked in turn, answering in JSON lines.

A subject that shares its process with whoever measures it would be measured with it. So servers run
on the last core and clients on the first, and only one client is asked at a time.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

ROOT = Path(__file__).resolve().parent.parent
# name -> module:function; called with the arguments as JSON, it yields answers to questions.
WORKERS = {
    "echo": "bench.servers:echo",
    "doubles": "bench.doubles:serve",
    "ws": "bench.ws:client",
    "http": "bench.http:client",
    "hedge": "bench.hedge:client",
    "stall": "bench.stall:client",
    "world": "bench.stall:world",
}


class Worker:
    """A process of ours; a context manager.

    Attributes:
        ready: what it said when it was.
    """

    def __init__(self, name: str, *arguments: Any, core: int = -1) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.workers", name, str(core), json.dumps(arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ready = self._answer()

    def ask(self, *question: Any) -> Any:
        """One answer to one question."""
        self._to.write(json.dumps(question) + "\n")
        self._to.flush()
        return self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._to.close()
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def _to(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker ended with {self._process.wait()}")
        return json.loads(line)


def pin(core: int) -> None:
    """To one of the cores we may use, counted from the first or, below zero, from the last."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core]})


def questions() -> Iterator[list[Any]]:
    """What the parent asks, one at a time."""
    for line in sys.stdin:
        yield json.loads(line)


def say(answer: Any) -> None:
    """To the parent."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection during a turn; before it, for the last one's."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def main() -> None:
    name, core, arguments = sys.argv[1:]
    pin(int(core))
    module, _, function = WORKERS[name].partition(":")
    run: Callable[..., None] = getattr(import_module(module), function)
    run(*json.loads(arguments))


if __name__ == "__main__":
    main()

"""A file that says how a run stands, for whoever is not at its terminal.

`<stem>_status.json` is replaced as a whole at most once a second, so that a reader never sees half
of it; `mpdex status` reads it. Its times are the machine's own, in simulated time too: they answer
whether the writer is alive.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mpdex.errors import UsageError
from mpdex.utils.clock import Clock, SystemClock

if TYPE_CHECKING:
    from strategies.config import HedgeConfig
    from strategies.hedge import HedgeResult, Status

log = logging.getLogger("mpdex.hedge")

_EVERY = 1.0
# A run that lives writes once a second; a machine under load may be late.
_STALE_SECONDS = 15.0
_SUFFIX = "_status.json"
# What the summary of a run knows better than the last look at it.
_FINAL = {
    "attempts": "attempts",
    "successes": "successes",
    "primary": "position_primary",
    "hedge": "position_hedge",
    "debt": "imbalance",
    "volume": "volume",
    "result": "result",
}


class StatusFile:
    """Keeps the file of one run. An instance is what `run_hedge` takes as `progress`."""

    def __init__(self, config: HedgeConfig, *, clock: Clock | None = None) -> None:
        self.path = config.logs / f"{config.stem}{_SUFFIX}"
        self._clock = clock or SystemClock()
        self._about = {"pid": os.getpid(), "mode": config.mode, "size": config.size}
        self._pair = {
            "primary_venue": config.primary,
            "hedge_venue": config.hedge,
            "ticker": config.ticker,
        }
        self._last: dict[str, Any] = {}
        self._written: float | None = None
        self._broken = False

    def __call__(self, status: Status) -> None:
        self._last = asdict(status)
        now = self._clock.monotonic()
        if self._written is None or now - self._written >= _EVERY:
            self._written = now
            self._write({"ended": False})

    def end(self, result: HedgeResult) -> None:
        """The last word of a run that had a first one."""
        if self._written is None:
            return
        summary = result.summary
        known = {ours: summary[name] for ours, name in _FINAL.items() if name in summary}
        over = {"phase": "stopped", "state": "", "quote": "", "waiting_for": "", **known}
        reason = str(summary.get("reason", ""))
        self._write({**over, "ended": True, "exit_code": result.exit_code, "reason": reason})

    def _write(self, more: Mapping[str, Any]) -> None:
        """A disk that says no is told once: nothing of the hedge depends on this file."""
        said = {
            "written_ms": self._clock.now_ms(), **self._pair, **self._about, **self._last, **more
        }  # fmt: skip
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(msgspec.json.encode(said) + b"\n")
            draft.replace(self.path)
        except OSError as error:
            if not self._broken:
                self._broken = True
                log.warning("the status file cannot be written: %s", error.strerror)


def read_statuses(folder: Path, clock: Clock | None = None) -> list[dict[str, Any]]:
    """What every run in a folder of logs says of itself, the newest first.

    Each has `age_seconds` and `state_of_file`: "live", "ended", or "stale" where a run that did not
    end has not written for a while: it hangs, or was killed.

    Raises: UsageError when there is none, or one cannot be read.
    """
    now = (clock or SystemClock()).now_ms()
    found = [_judged(path, now) for path in folder.glob(f"*{_SUFFIX}")]
    if not found:
        raise UsageError(f"no hedge has written its status in {folder}; --logs names its folder")
    return sorted(found, key=lambda one: one["age_seconds"])


def _judged(path: Path, now_ms: int) -> dict[str, Any]:
    try:
        said = dict(json.loads(path.read_bytes()))
        age = max(now_ms - int(said.pop("written_ms")), 0) // 1000
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path} is not the status of a hedge: {error}") from error
    stale = "stale" if age > _STALE_SECONDS else "live"
    return {
        "file": path.name,
        "state_of_file": "ended" if said.get("ended") else stale,
        "age_seconds": age,
        **said,
    }

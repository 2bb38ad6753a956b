"""The journal's files: reading what earlier runs left, and putting old files aside."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from mpdex.utils.clock import Clock
from mpdex.utils.journal import JournalDamaged, replay
from strategies.config import HedgeConfig
from strategies.outputs import journal_path
from strategies.restart import CannotResume, Past, fold

log = logging.getLogger("mpdex.hedge")

# About 200,000 lines, which take a second to read at a start.
_LARGE = 64_000_000
_DAY_NS = 86_400 * 10**9


def read_past(config: HedgeConfig, where: Mapping[str, Any], clock: Clock) -> Past:
    """What earlier runs of this pair left.

    Args:
        where: mode, accounts and markets; sessions of others in the same file are passed over.

    Raises: CannotResume, with what to do about it.
    """
    path = journal_path(config)
    if not path.exists():
        return Past()
    try:
        return fold(_lines(path, clock), where, clock.now_ms())
    except (JournalDamaged, CannotResume) as error:
        if not config.force:
            raise CannotResume(
                f"{error}; --force puts the file aside and goes by what the venues hold"
            ) from error
        aside = _put_aside(path, f"damaged-{clock.now_ms()}")
        log.warning("%s; it is kept as %s", error, aside)
        return Past(lost=True)


def put_large_aside(config: HedgeConfig, clock: Clock) -> None:
    """Begins a new file where the old one is large; for a start that has nothing to recover."""
    path = journal_path(config)
    if path.exists() and path.stat().st_size > _LARGE:
        _put_aside(path, f"{clock.now_ms():015}")


def _put_aside(path: Path, name: str) -> Path:
    aside = path.with_name(f"{path.stem}.{name}.jsonl")
    path.rename(aside)
    return aside


def _lines(path: Path, clock: Clock) -> Iterator[Mapping[str, Any]]:
    """The lines of the file, after those of the one before it while that is less than a day old."""
    current = replay(path)
    first = next(current, None)
    if first is None:
        return iter(())
    older: Iterator[Mapping[str, Any]] = iter(())
    before = sorted(path.parent.glob(f"{path.stem}.[0-9]*.jsonl"))
    if before and clock.now_ns() - first["ts_ns"] < _DAY_NS:
        older = replay(before[-1])
    return chain(older, [first], current)

"""Faults of our own: a turn that breaks, a question that is cut off, a disk that is full.

Whatever breaks, and whenever: the run pulls its quote, hedges what is filled and ends, flat.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import get_ident
from typing import Any, NoReturn

import pytest

from mpdex.utils.journal import Journal, replay
from strategies import driver
from strategies.outputs import Outputs
from strategies.questions import Questions
from strategies.words import (
    BookTick,
    CancelAcked,
    Event,
    FillSeen,
    OrderSeen,
    PlaceAcked,
    Snapshot,
    Timer,
)
from test_exchanges.strategies.test_hedge import Stage, assert_flat, play

STEM = "2dex_p_h_ETH"


def slow_fills(stage: Stage) -> None:
    """Fills come in two parts, and quotes are pulled now and then."""
    stage.primary.auto_fill = lambda request: [(0.5, request.size / 2), (1.0, request.size / 2)]


def broken_at(monkeypatch: pytest.MonkeyPatch, which: Callable[[Event], bool]) -> list[Event]:
    """The core breaks on these events; the list of those it broke on."""
    react, broke = driver.react, list[Event]()

    def breaking(desk: Any, event: Event, now: float) -> Any:
        if which(event):
            broke.append(event)
            raise RuntimeError("this was not thought of")
        return react(desk, event, now)

    monkeypatch.setattr(driver, "react", breaking)
    return broke


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize(
    "kind", [FillSeen, OrderSeen, PlaceAcked, CancelAcked, Snapshot, BookTick, Timer]
)
def test_a_turn_that_breaks_ends_the_run_flat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Event], nth: int
) -> None:
    seen: Counter[type] = Counter()

    def which(event: Event) -> bool:
        seen[type(event)] += 1
        return type(event) is kind and seen[kind] == nth

    broke = broken_at(monkeypatch, which)
    result, stage = play(tmp_path, slow_fills, fill_timeout=2.0, iterations=6)
    if broke:
        assert result.exit_code == 4
        assert "this was not thought of" in result.summary["reason"]
        assert result.summary["verified"] is True
    assert stage.primary.position + stage.hedge.position == 0
    assert stage.primary.live() == stage.hedge.live() == []


def test_a_core_that_stays_broken_is_replaced_by_the_guard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fills = 0

    def which(event: Event) -> bool:
        nonlocal fills
        fills += isinstance(event, FillSeen)
        return fills > 0

    broken_at(monkeypatch, which)
    result, stage = play(tmp_path, slow_fills)
    assert result.exit_code == 4
    assert stage.primary.fills
    assert stage.primary.position + stage.hedge.position == 0
    assert stage.primary.live() == stage.hedge.live() == []


def test_a_guard_that_cannot_help_is_ended_by_signals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fills = 0

    def which(event: Event) -> bool:
        nonlocal fills
        fills += isinstance(event, FillSeen)
        return fills > 0

    broken_at(monkeypatch, which)

    def arrange(stage: Stage) -> None:
        slow_fills(stage)
        stage.later(10, setattr, stage.primary, "can_read", False)
        stage.primary.on_execution = lambda: setattr(stage.primary, "can_read", False)
        for second in (300, 301):
            stage.later(second, stage.stop.ask)

    result, stage = play(tmp_path, arrange)
    assert result.exit_code == 5
    assert stage.primary.position


# --------------------------------------------------------------------------- questions


@pytest.mark.parametrize("error", [RuntimeError("a bug"), asyncio.CancelledError()], ids=repr)
@pytest.mark.parametrize("name", ["placed", "canceled", "about", "everything", "reading"])
def test_a_question_that_breaks_down_is_asked_again_or_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException
) -> None:
    question = getattr(Questions, name)
    calls: list[object] = []

    async def breaking(self: Questions, command: Any, *rest: Any) -> Any:
        answer = await question(self, command, *rest)
        calls.append(command)
        if len(calls) == 2:
            raise error
        return answer

    monkeypatch.setattr(Questions, name, breaking)
    result, stage = play(tmp_path, slow_fills, fill_timeout=2.0, iterations=6)
    wanted = 4 if isinstance(error, RuntimeError) and len(calls) > 1 else 0
    assert result.exit_code == wanted, result.summary
    assert stage.primary.position + stage.hedge.position == 0
    assert stage.primary.live() == stage.hedge.live() == []


def test_an_order_that_breaks_on_its_way_is_unknown_until_it_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was sent, and then our own code failed: nobody may take it for refused."""

    def arrange(stage: Stage) -> None:
        submit = stage.hedge.submit_order
        sent: list[object] = []

        def breaking(order: Any, **options: Any) -> Any:
            answer = submit(order, **options)
            sent.append(order)
            if len(sent) == 1:
                answer.close()
                raise TypeError("a signer that breaks")
            return answer

        monkeypatch.setattr(stage.hedge, "submit_order", breaking)

    result, stage = play(tmp_path, arrange)
    assert result.exit_code == 4
    assert len(stage.hedge.sent) == len(stage.primary.fills)
    assert stage.primary.position + stage.hedge.position == 0


# --------------------------------------------------------------------------- the disk


def full_from(monkeypatch: pytest.MonkeyPatch, line: int) -> None:
    write, count = Journal.write, 0

    def filling(journal: Journal, kind: str, **fields: Any) -> None:
        nonlocal count
        count += 1
        if count >= line:
            raise OSError(28, "No space left on device")
        write(journal, kind, **fields)

    monkeypatch.setattr(Journal, "write", filling)


@pytest.mark.parametrize("line", range(2, 60, 3))
def test_a_disk_that_fills_up_ends_the_run_hedged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: int
) -> None:
    full_from(monkeypatch, line)
    result, stage = play(tmp_path, slow_fills)
    assert result.exit_code == 4, result.summary
    assert "journal" in result.summary["reason"]
    assert_neutral(stage)
    assert len(list(replay(tmp_path / f"{STEM}_events.jsonl"))) == line - 1


def test_no_quote_leaves_without_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full_from(monkeypatch, 2)
    result, stage = play(tmp_path)
    assert result.exit_code == 4
    assert stage.primary.sent == []


def test_a_disk_that_is_full_at_the_start_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_from(monkeypatch, 1)
    result, stage = play(tmp_path)
    assert result.exit_code == 3
    assert "No space left" in result.summary["reason"]
    assert stage.primary.sent == []


def test_tables_that_cannot_be_written_end_the_run_hedged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Outputs, *rest: Any) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Outputs, "trade", refuse)
    monkeypatch.setattr(Outputs, "summary", refuse)
    result, stage = play(tmp_path)
    assert result.exit_code == 4
    assert_neutral(stage)


def assert_neutral(stage: Stage) -> None:
    assert stage.primary.position + stage.hedge.position == 0
    assert stage.primary.live() == stage.hedge.live() == []


# --------------------------------------------------------------------------- beside the run


def test_a_status_that_cannot_be_shown_disturbs_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[object] = []

    def refuse(self: Any) -> NoReturn:
        shown.append(self)
        raise ValueError("no terminal")

    monkeypatch.setattr(driver.Driver, "status", refuse)
    result, stage = play(tmp_path)
    assert result.exit_code == 0
    assert len(shown) == 1
    assert_flat(stage)


def test_hedges_reach_the_disk_without_being_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, threads = Journal.sync, list[int]()

    def counting(journal: Journal) -> None:
        threads.append(get_ident())
        sync(journal)

    monkeypatch.setattr(Journal, "sync", counting)
    result, stage = play(tmp_path)
    assert result.exit_code == 0
    quotes = len([order for order in stage.primary.sent if order.post_only])
    assert threads.count(get_ident()) == 1 + quotes  # the header, and each quote
    assert len(set(threads)) > 1

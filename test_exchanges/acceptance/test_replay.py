"""ST-01: on recorded books, at one cost cap, adaptive quoting fills where a static quote waits."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from mpdex.errors import UsageError
from mpdex.replay import Replay, compare, worst
from mpdex.stage import World
from strategies.config import HedgeConfig

TAPES = [
    ("standx_BTC_20260106_14.jsonl.gz", "0.05"),
    ("standx_BTC_20260107_09.jsonl.gz", "0.05"),
]
CAP = Decimal(8)


def config(size: str, iterations: int, ticker: str = "ETH") -> HedgeConfig:
    return HedgeConfig(
        primary="grvt",
        hedge="backpack",
        ticker=ticker,
        size=Decimal(size),
        iterations=iterations,
        max_cost_bps=CAP,
    )


@pytest.mark.parametrize(("tape", "size"), TAPES)
def test_adaptive_quotes_fill_half_where_static_ones_fill_a_quarter(
    shared: Path, tmp_path: Path, tape: str, size: str
) -> None:
    file = shared / "tapes" / tape
    if not file.exists():
        pytest.skip(f"no recording at {file}")
    world = World(f"tape:{file}", seed=1, coin="BTC")
    static, adaptive = compare(Replay(config(size, 60, "BTC"), world, logs=tmp_path))
    assert worst([static, adaptive]) == 0
    assert float(static["fill_rate"]) <= 0.3  # chance
    assert float(adaptive["fill_rate"]) >= 0.5  # chance
    assert static["requotes"] <= adaptive["requotes"]
    for record in (static, adaptive):
        assert record["attempts"] == 60
        assert Decimal(record["cost_bps"]) < CAP
    assert Decimal(adaptive["cost_bps"]) - Decimal(static["cost_bps"]) < Decimal("0.5")
    for quoting in ("static", "adaptive"):
        assert (tmp_path / quoting / "2dex_grvt_backpack_BTC_cycles.csv").stat().st_size


def test_both_runs_are_told_and_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    records = compare(Replay(config("0.01", 3), World("walk", seed=1), static_timeout=4.0))
    assert [(r["quoting"], r["fill_timeout"]) for r in records] == [
        ("static", 4.0),
        ("adaptive", 10.0),
    ]
    assert all(record["exit_code"] == 0 for record in records)
    assert not list(tmp_path.iterdir())


def test_a_source_that_cannot_be_read_is_a_sentence() -> None:
    with pytest.raises(UsageError, match="no-such-file"):
        compare(Replay(config("0.01", 3), World("tape:no-such-file")))

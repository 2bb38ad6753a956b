"""ST-01: on recorded books, at one cost cap, adaptive quoting fills where a static quote waits."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from mpdex.errors import UsageError
from mpdex.replay import Replay, compare, worst
from mpdex.stage import World
from strategies.config import HedgeConfig

# A market in which a static quote mostly waits, as the plan's own records have it (16.7 %); and a
# busy one, whose two sides are of two venues at the same moments.
QUIET = ("tape", ["standx_BTC_20260106_14"], "BTC", "0.05", 60, 0.3)
BUSY = ("pair", ["binance-usdm_ETH_20240808", "binance-cm_ETH_20240808"], "ETH", "3", 30, 0.9)
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


@pytest.mark.parametrize(
    ("kind", "tapes", "coin", "size", "cycles", "most"), [QUIET, BUSY], ids=["quiet", "busy"]
)
def test_adaptive_quotes_fill_more_than_half_at_the_same_cost(
    shared: Path,
    tmp_path: Path,
    kind: str,
    tapes: list[str],
    coin: str,
    size: str,
    cycles: int,
    most: float,
) -> None:
    files = [shared / "tapes" / f"{tape}.jsonl.gz" for tape in tapes]
    if not all(file.exists() for file in files):
        pytest.skip(f"no recordings at {files[0].parent}")
    world = World(f"{kind}:{','.join(map(str, files))}", seed=1, coin=coin)
    static, adaptive = compare(Replay(config(size, cycles, coin), world, logs=tmp_path))
    assert worst([static, adaptive]) == 0, (static["reason"], adaptive["reason"])
    assert float(static["fill_rate"]) <= most  # chance
    assert float(adaptive["fill_rate"]) >= max(0.5, float(static["fill_rate"]) + 0.1)  # chance
    for record in (static, adaptive):
        assert record["attempts"] == cycles
        assert Decimal(record["cost_bps"]) < CAP
    assert Decimal(adaptive["cost_bps"]) - Decimal(static["cost_bps"]) < Decimal("0.5")
    for quoting in ("static", "adaptive"):
        assert (tmp_path / quoting / f"2dex_grvt_backpack_{coin}_cycles.csv").stat().st_size


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

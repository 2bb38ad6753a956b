"""The doctor: the same checks, nothing changed, and a verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mpdex.cli import app
from mpdex.stage import DoctorRun, World, run_doctor
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import run_virtual
from strategies.config import HedgeConfig
from strategies.doctor import Diagnosis, diagnose
from test_exchanges.strategies.fake_dex import FakeDex

D = Decimal
EPOCH = 1_767_225_600 * 10**9


def examine(
    folder: Path,
    arrange: Callable[[FakeDex], None] = lambda there: None,
    alerts: dict[str, str] | None = None,
    **options: Any,
) -> tuple[Diagnosis, list[FakeDex]]:
    config = HedgeConfig(
        primary="p", hedge="h", ticker="ETH", size=D("0.5"), logs=folder, **options
    )

    async def main() -> tuple[Diagnosis, list[FakeDex]]:
        clock = LoopClock(asyncio.get_running_loop(), EPOCH)
        venues = [FakeDex("p", clock), FakeDex("h", clock)]
        arrange(venues[1])
        for venue in venues:
            venue.beat()
        pair = {"primary": venues[0], "hedge": venues[1]}
        return await diagnose(config, pair, clock, alerts), venues  # type: ignore[arg-type]

    return run_virtual(main())


def test_a_healthy_pair_is_ready_and_nothing_was_sent(tmp_path: Path) -> None:
    found, venues = examine(tmp_path)
    assert found.ready
    assert found.table()["verdict"] == "ready"
    assert "it breaks even at a maker fee of -5.20 bps" in found.table()["cost"]
    assert all(venue.sent == [] for venue in venues)


def test_problems_and_warnings_are_marked(tmp_path: Path) -> None:
    def arrange(there: FakeDex) -> None:
        there.unsignable, there.skew_ms = "sell", 600.0

    found, _ = examine(tmp_path, arrange, {"file": "", "telegram": "401"})
    table = found.table()
    assert table["verdict"] == "not ready"
    assert table["hedge signing"].startswith("problem: h: a sell order cannot be signed")
    assert table["hedge clock"].startswith("warning: clock +600 ms")
    assert table["alerts"] == "file is reached; warning: telegram is not reached: 401"


def test_leverage_is_not_set_only_looked_at(tmp_path: Path) -> None:
    found, venues = examine(tmp_path, leverage=D(3))
    assert found.ready
    assert [venue.leverage for venue in venues] == [D(10), D(10)]
    assert found.table()["hedge leverage"] == "warning: leverage is 10; a run would set 3"


def test_the_record_has_levels_and_costs(tmp_path: Path) -> None:
    record = examine(tmp_path)[0].record()
    assert record["ready"] is True
    assert {check["level"] for check in record["checks"]} == {"ok"}
    assert record["cost"]["cost_bps"] == D("4.2")
    assert record["cost"]["break_even_bps"] == D("-5.2")


# --------------------------------------------------------------------------- on simulated venues


@pytest.mark.parametrize(
    ("option", "word", "code"),
    [
        ([], "ready", 0),
        (["--hedge-symbol", "ETH-PERP"], "nearest: ETH_USDC_PERP", 3),
        (["--size", "0.015"], "use 0.01 or 0.02", 3),
        (["--size", "0"], "not positive", 2),
    ],
)
def test_the_command(tmp_path: Path, option: list[str], word: str, code: int) -> None:
    common = ["doctor", "--primary", "grvt", "--hedge", "backpack", "--ticker", "ETH"]
    size = [] if "--size" in option else ["--size", "0.1"]
    where = ["--logs", str(tmp_path), "--json"]
    done = CliRunner().invoke(app, [*common, *size, *option, *where])
    assert done.exit_code == code, done.output
    assert word in done.output


def test_orders_stay_at_home_and_books_are_steady(tmp_path: Path) -> None:
    config = HedgeConfig(
        primary="grvt", hedge="backpack", ticker="ETH", size=D("0.1"), logs=tmp_path
    )
    found = run_doctor(DoctorRun(config, World(seed=3)))
    assert found.ready
    assert found.table()["primary book"] == found.table()["hedge book"] == "good for 5 s"
    assert not list(tmp_path.iterdir())

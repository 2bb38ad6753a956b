"""strategies.outputs: the tables after a run that was cut off; files that cannot be finished."""

from __future__ import annotations

import csv
import logging
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.utils.journal import replay
from strategies.outputs import CYCLE_COLUMNS, TRADE_COLUMNS, Outputs, journal_path
from strategies.words import CycleDone, Kind, Trade
from test_exchanges.strategies.test_lock import Stopped
from test_exchanges.strategies.test_restart import T0, settings

D = Decimal
HEADER: dict[str, Any] = {
    "resumed": False,
    "held": {"primary": "0", "hedge": "0"},
    "mids": {"primary": "2000", "hedge": "2000"},
}
TRADE = Trade(
    cycle=1,
    role="primary",
    purpose=Kind.MAKER,
    side="buy",
    size=D("0.5"),
    price=D(2000),
    fee=None,
    fee_asset="USD",
    liquidity="maker",
    order_id="o1",
    client_id="m1",
    trade_id="t1",
    source="stream",
    late=False,
    decision_price=D(2001),
    latency_ms=None,
    exposure=D("0.5"),
    timestamp_ms=T0,
)
CYCLE = CycleDone(
    cycle=1,
    started_ms=T0,
    ended_ms=T0 + 1000,
    direction="buy",
    closing=False,
    counts=True,
    size=D("0.5"),
    filled=D("0.5"),
    hedged=D("0.5"),
    unwound=D(0),
    primary_price=D(2000),
    hedge_price=D(1999),
    raw_spread_bps=None,
    basis_bps=None,
    edge_bps=None,
    cost_bps=None,
    maker_fee=D(0),
    taker_fee=D("0.5"),
    requotes=0,
    time_to_fill_ms=500,
    hedge_latency_ms=60,
    max_exposure=D("0.5"),
    exposure_seconds=D("0.03"),
    outcome="filled",
    reason="",
)


def opened(folder: Path) -> Outputs:
    out = Outputs(settings(logs=folder), Stopped(T0), "s1")
    out.begin(HEADER)
    return out


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"2dex_p_h_ETH_{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def line(folder: Path, kind: str) -> dict[str, Any]:
    path = journal_path(settings(logs=folder))
    return [x for x in replay(path) if x["kind"] == kind][-1]


def cut_last_row(folder: Path, name: str, torn: int = 0) -> None:
    """What a process leaves that dies before the row, or a machine that dies in it."""
    path = folder / f"2dex_p_h_ETH_{name}.csv"
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-1]) + whole[-1][:torn])


def test_rows_are_with_the_system_at_once(tmp_path: Path) -> None:
    out = opened(tmp_path)
    assert tuple(rows(tmp_path, "trades")) == ()
    out.trade(TRADE)
    out.cycle(CYCLE, {})
    (trade,), (cycle,) = rows(tmp_path, "trades"), rows(tmp_path, "cycles")
    assert (tuple(trade), tuple(cycle)) == (TRADE_COLUMNS, CYCLE_COLUMNS)
    assert (trade["client_id"], cycle["cycle"]) == ("m1", "1")
    out.close()


@pytest.mark.parametrize("torn", [0, 17])
@pytest.mark.parametrize("trade_id", ["t1", ""], ids=["a fill", "what no fill told"])
def test_the_last_rows_are_written_again_where_they_are_missing(
    tmp_path: Path, torn: int, trade_id: str
) -> None:
    out = opened(tmp_path)
    out.trade(replace(TRADE, client_id="m0", trade_id="t0"))
    out.trade(replace(TRADE, trade_id=trade_id))
    out.cycle(replace(CYCLE, cycle=7), {})
    out.close()
    wanted = {name: rows(tmp_path, name) for name in ("trades", "cycles")}
    for name in wanted:
        cut_last_row(tmp_path, name, torn)
    for _ in range(2):
        out = Outputs(settings(logs=tmp_path), Stopped(T0), "s1")
        out.catch_up(line(tmp_path, "trade"), line(tmp_path, "cycle"))
        out.close()
        assert {name: rows(tmp_path, name) for name in wanted} == wanted


def test_the_report_goes_on_from_what_was_found(tmp_path: Path) -> None:
    out = Outputs(settings(logs=tmp_path), Stopped(T0), "s1")
    out.begin({**HEADER, "held": {"primary": "0.5", "hedge": "-0.5"}})
    out.trade(replace(TRADE, side="sell", price=D(2010), liquidity="taker", fee=D(1)))
    out.trade(replace(TRADE, role="hedge", purpose=Kind.HEDGE, fee=D(1)))
    summary = out.report.summary(0, 0)
    out.close()
    assert summary["position_primary"] == summary["position_hedge"] == "0"
    assert D(summary["result"]) == D(3)  # half a coin found at 2000, sold at 2010, fees of 2
    assert D(summary["volume"]) == D(2005)


def test_one_file_that_cannot_be_finished_keeps_no_other_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    out = opened(tmp_path)
    out.trade(TRADE)

    def refuse() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(out._trades_file, "close", refuse)
    with caplog.at_level(logging.ERROR):
        out.close()
    assert "not complete" in caplog.text
    with pytest.raises(OSError, match="descriptor"):
        out.journal.write("late")
    monkeypatch.undo()
    out._trades_file.close()


def test_what_is_written_can_be_read_back(tmp_path: Path) -> None:
    out = opened(tmp_path)
    out.trade(TRADE)
    out.close()
    told = line(tmp_path, "trade")
    assert all(key in told for key in asdict(TRADE))

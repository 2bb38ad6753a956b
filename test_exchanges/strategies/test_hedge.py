"""The driver on two venues in memory: what a run does, and what it survives."""

from __future__ import annotations

import asyncio
import csv
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.errors import (
    AuthError,
    InsufficientMargin,
    OrderRejected,
    OutcomeUnknown,
    PostOnlyWouldCross,
    SymbolRefused,
    TransportError,
)
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import run_virtual
from strategies.config import HedgeConfig
from strategies.hedge import HedgeResult, Status, Stop, run_hedge
from strategies.outputs import CYCLE_COLUMNS, TRADE_COLUMNS
from test_exchanges.strategies.fake_dex import ZERO, FakeDex, Plan, market

D = Decimal
EPOCH = 1_767_225_600 * 10**9
# What the questions before the run take here: margin, leverage, clock, fees and funding, 40 ms
# each, of both venues.
CHECKS = 0.4
BEFORE = {"/collateral", "/leverage", "/time", "/fees", "/funding"}


@dataclass
class Stage:
    """Two venues, and a watch on the worst exposure at the venues themselves."""

    primary: FakeDex
    hedge: FakeDex
    stop: Stop
    worst: Decimal = ZERO

    def __post_init__(self) -> None:
        self.primary.on_execution = self.hedge.on_execution = self._look

    def _look(self) -> None:
        self.worst = max(self.worst, abs(self.exposure))

    @property
    def exposure(self) -> Decimal:
        return self.primary.position + self.hedge.position

    def later(self, seconds: float, call: Callable[..., object], *args: object) -> None:
        asyncio.get_running_loop().call_later(CHECKS + seconds, call, *args)


def fills_whole(request: Any) -> list[tuple[float, Decimal]]:
    return [(0.5, request.size)]


def play(
    folder: Path,
    arrange: Callable[[Stage], None] = lambda stage: None,
    *,
    limit: float = 3600,
    **options: Any,
) -> tuple[HedgeResult, Stage]:
    """Runs to the end on a clock that jumps."""
    options = {"size": D("0.5"), "iterations": 4, "canary": False, "gate": "off", **options}
    config = HedgeConfig(primary="p", hedge="h", ticker="ETH", logs=folder, **options)

    async def main() -> tuple[HedgeResult, Stage]:
        clock = LoopClock(asyncio.get_running_loop(), EPOCH)
        stage = Stage(
            FakeDex("p", clock, auto_fill=fills_whole),
            FakeDex("h", clock, "rest", market(step=D("0.0001"), min_size=D("0.0001"))),
            Stop(),
        )
        arrange(stage)
        stage.primary.beat()
        stage.hedge.beat()

        shown: list[Status] = []
        async with asyncio.timeout(limit):
            result = await run_hedge(
                config,
                stage.primary,
                stage.hedge,
                clock=clock,
                rng=random.Random(1),
                stop=stage.stop,
                progress=shown.append,
            )
        assert len(shown) <= clock.monotonic() + 1
        return result, stage

    return run_virtual(main())


def assert_flat(stage: Stage) -> None:
    assert (stage.primary.position, stage.hedge.position) == (0, 0)
    assert not stage.primary.live()
    assert not stage.hedge.live()
    assert stage.primary.max_live <= 1
    assert stage.worst <= D("0.5")


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"2dex_p_h_ETH_{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


# --------------------------------------------------------------------------- the normal course


def test_a_run_ends_flat_with_its_files(tmp_path: Path) -> None:
    result, stage = play(tmp_path)
    assert result.exit_code == 0
    assert_flat(stage)
    summary = json.loads((tmp_path / "2dex_p_h_ETH_summary.json").read_text())
    assert summary == json.loads(json.dumps(result.summary))
    assert (summary["attempts"], summary["successes"], summary["fill_rate"]) == (4, 4, "1.0000")
    assert summary["verified"] is True
    assert summary["imbalance"] == "0"
    assert Decimal(summary["volume"]) == sum(
        fill["price"] * fill["size"] for fill in stage.primary.fills + stage.hedge.fills
    )
    assert "## Definitions" in (tmp_path / "2dex_p_h_ETH_summary.md").read_text()
    assert "finished with 0" in (tmp_path / "2dex_p_h_ETH_log.txt").read_text()
    assert (tmp_path / "2dex_p_h_ETH_events.jsonl").stat().st_size


def test_the_tables_have_the_columns_and_a_row_for_each_fill(tmp_path: Path) -> None:
    _, stage = play(tmp_path)
    trades, cycles = rows(tmp_path, "trades"), rows(tmp_path, "cycles")
    assert tuple(trades[0]) == TRADE_COLUMNS
    assert tuple(cycles[0]) == CYCLE_COLUMNS
    assert len(trades) == len(stage.primary.fills) + len(stage.hedge.fills) == 8
    assert {row["source"] for row in trades} == {"stream"}
    assert [row["outcome"] for row in cycles] == ["filled"] * 4
    assert [row["direction"] for row in cycles] == ["buy", "sell", "sell", "buy"]
    assert all(row["hedge_latency_ms"] for row in cycles)


def test_a_filled_cycle_costs_one_rest_call_and_no_question(tmp_path: Path) -> None:
    _, stage = play(tmp_path, iterations=20)
    asked = {path for method, path in stage.hedge.rest_counts if method == "GET"}
    assert stage.hedge.rest_counts["POST", "/order"] == 20
    assert not stage.primary.rest_counts["POST", "/order"]
    assert stage.hedge.rest_counts["GET", "/order"] == 0
    # the barrier at the start and the one at the end, and the position before all
    assert asked == {*BEFORE, "/orders", "/fills", "/positions"}
    for path in asked:
        count = stage.hedge.rest_counts["GET", path]
        assert count == 1 if path in BEFORE else count in (2, 3)


def test_each_part_of_a_fill_is_hedged(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        stage.primary.auto_fill = lambda request: [
            (0.5 + n / 5, request.size / 5) for n in range(5)
        ]

    result, stage = play(tmp_path, arrange, iterations=2)
    assert result.exit_code == 0
    assert_flat(stage)
    assert len(stage.hedge.fills) == 10


def test_an_open_pair_is_flattened_at_the_end(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        filled: list[object] = []

        def once(request: Any) -> list[tuple[float, Decimal]]:
            filled.append(request)
            return [(0.5, request.size)] if len(filled) == 1 else []

        stage.primary.auto_fill = once

    result, stage = play(tmp_path, arrange, iterations=1)
    assert result.exit_code == 0
    assert_flat(stage)
    assert rows(tmp_path, "trades")[-2]["role"] == "flatten"
    assert result.summary["attempts"] == 1


def test_a_part_filled_quote_that_grows_old_is_pulled(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        stage.primary.auto_fill = lambda request: [
            (0.5, (request.size * D("0.4")).quantize(D("0.01")))
        ]

    result, stage = play(tmp_path, arrange, iterations=2)
    assert result.exit_code == 0
    assert_flat(stage)
    assert result.summary["outcomes"]["partial"] >= 2


def test_unfilled_attempts_count(tmp_path: Path) -> None:
    result, stage = play(
        tmp_path, lambda stage: setattr(stage.primary, "auto_fill", None), iterations=3
    )
    assert (result.exit_code, result.summary["attempts"], result.summary["successes"]) == (0, 3, 0)
    assert result.summary["outcomes"] == {"unfilled": 3}
    assert_flat(stage)


# --------------------------------------------------------------------------- refusals


def test_a_crossing_quote_is_quoted_again(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        stage.primary.plans = [Plan(error=PostOnlyWouldCross("would cross")) for _ in range(5)]

    result, stage = play(tmp_path, arrange, iterations=1)
    assert (result.exit_code, result.summary["successes"]) == (0, 1)
    assert_flat(stage)


@pytest.mark.parametrize("fill", [D(0), D("0.2"), D("0.0001")])
def test_a_hedge_that_fills_in_part_goes_on(tmp_path: Path, fill: Decimal) -> None:
    def arrange(stage: Stage) -> None:
        stage.hedge.plans = [Plan(fill=fill), Plan(fill=fill)]

    result, stage = play(tmp_path, arrange, iterations=1)
    assert result.exit_code == 0
    assert_flat(stage)
    first, second, third = (order.price for order in stage.hedge.sent[:3])
    assert first is not None
    assert second is not None
    assert third is not None
    assert first > second > third  # a sell, through wider and wider bands


def test_a_hedge_refused_once_is_tried_again(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        stage.hedge.plans = [Plan(error=OrderRejected("no match"))]

    result, stage = play(tmp_path, arrange, iterations=2)
    assert (result.exit_code, result.summary["successes"]) == (0, 2)
    assert_flat(stage)


def test_a_hedge_without_margin_is_unwound_and_the_run_halts(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        stage.hedge.plans = [Plan(error=InsufficientMargin("no margin")) for _ in range(50)]

    result, stage = play(tmp_path, arrange)
    assert result.exit_code == 4
    assert "no margin" in result.summary["reason"]
    assert_flat(stage)
    assert len(stage.hedge.sent) == 1
    assert result.summary["outcomes"] == {"unwound": 1}


def test_two_failed_hedges_in_a_row_halt(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        stage.hedge.plans = [Plan(fill=D(0)) for _ in range(50)]

    result, stage = play(tmp_path, arrange)
    assert result.exit_code == 4
    assert_flat(stage)
    hedges = [order for order in stage.hedge.sent if order.size == D("0.5")]
    assert len(hedges) == 10, "beside them a probe, which is smaller"
    assert result.summary["outcomes"] == {"unwound": 2}


def test_a_hedge_venue_that_cannot_be_reached_is_unwound(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        stage.hedge.plans = [Plan(error=TransportError("refused")) for _ in range(50)]

    result, stage = play(tmp_path, arrange)
    assert result.exit_code == 0, "a probe finds the venue again, and the work goes on"
    assert_flat(stage)


def test_a_revoked_key_on_the_primary_halts(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        stage.primary.plans = [Plan(error=AuthError("revoked"))]

    result, stage = play(tmp_path, arrange)
    assert (result.exit_code, len(stage.primary.sent)) == (4, 1)
    assert "revoked" in result.summary["reason"]


# --------------------------------------------------------------------------- not known


def test_a_quote_whose_answer_is_lost_is_found_and_pulled(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        stage.primary.plans = [Plan(answer=False, report=False)]

    result, stage = play(tmp_path, arrange, iterations=2)
    assert result.exit_code == 0
    assert_flat(stage)


def test_a_quote_that_never_arrived_is_proven_gone_after_its_bound(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        stage.primary.plans = [Plan(land=False)]

    result, stage = play(tmp_path, arrange, iterations=2)
    assert result.exit_code == 0
    assert_flat(stage)
    log = (tmp_path / "2dex_p_h_ETH_log.txt").read_text()
    assert "proven gone" in log


@pytest.mark.parametrize("late", [0.5, 1.2, 1.9])
def test_a_hedge_that_lands_late_is_not_sent_twice(tmp_path: Path, late: float) -> None:
    def arrange(stage: Stage) -> None:
        stage.hedge.plans = [Plan(lands_late=late, report=False)]

    result, stage = play(tmp_path, arrange, iterations=1)
    assert result.exit_code == 0
    assert_flat(stage)
    assert len(stage.hedge.sent) == 2  # the hedge, and the one that closes


def test_a_hedge_whose_request_was_lost_is_sent_again_after_the_bound(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        stage.hedge.plans = [Plan(land=False)]

    result, stage = play(tmp_path, arrange, iterations=1)
    assert result.exit_code == 0
    assert_flat(stage)


def test_half_a_minute_is_enough_where_nothing_bounds_a_lost_hedge(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        stage.hedge.SPEC = replace(stage.hedge.SPEC, request_bound_ms=None)
        stage.hedge.plans = [Plan(land=False)]

    result, stage = play(tmp_path, arrange, iterations=1)
    assert result.exit_code == 0
    assert_flat(stage)
    made, undone = (fill["timestamp_ms"] for fill in stage.primary.fills[:2])
    assert 20_000 < undone - made < 25_000


def test_a_lost_cancel_is_repeated(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        stage.primary.auto_fill = None
        stage.primary.cancel_lost = 2

    result, stage = play(tmp_path, arrange, iterations=1)
    assert result.exit_code == 0
    assert_flat(stage)


@pytest.mark.parametrize("delay", [19.9, 20.0, 20.01, 20.02, 20.03, 20.05])
def test_a_fill_that_races_the_cancel_is_hedged_once(tmp_path: Path, delay: float) -> None:
    def arrange(stage: Stage) -> None:
        stage.primary.auto_fill = lambda request: [(delay, request.size)]

    result, stage = play(tmp_path, arrange, iterations=2)
    assert result.exit_code == 0
    assert_flat(stage)


# --------------------------------------------------------------------------- connections


@pytest.mark.parametrize("side", ["primary", "hedge"])
@pytest.mark.parametrize("at", [0.3, 0.52, 0.56, 0.6, 1.0])
def test_a_dropped_stream_is_survived(tmp_path: Path, side: str, at: float) -> None:
    def arrange(stage: Stage) -> None:
        dex: FakeDex = getattr(stage, side)
        stage.later(at, dex.drop)
        stage.later(at + 4, dex.back)

    result, stage = play(tmp_path, arrange, iterations=3)
    assert result.exit_code == 0
    assert_flat(stage)


def test_a_fill_nobody_told_is_found_at_the_barrier(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        stage.primary.plans = [Plan(report=False)]
        stage.later(0.3, stage.primary.drop)
        stage.later(4, stage.primary.back)

    result, stage = play(tmp_path, arrange, iterations=1)
    assert result.exit_code == 0
    assert_flat(stage)


# --------------------------------------------------------------------------- the end


def test_an_interrupt_leaves_a_neutral_pair(tmp_path: Path) -> None:
    result, stage = play(tmp_path, lambda stage: stage.later(0.4, stage.stop.ask), iterations=100)
    assert result.exit_code == 6
    assert stage.exposure == 0
    assert not stage.primary.live()
    assert result.summary["verified"] is True


@pytest.mark.parametrize("at", [0.53, 0.55, 0.57, 0.59, 0.9, 1.3])
def test_an_interrupt_at_any_moment_is_clean(tmp_path: Path, at: float) -> None:
    result, stage = play(
        tmp_path,
        lambda stage: stage.later(at, stage.stop.ask),
        iterations=100,
        on_exit="flatten",
    )
    assert result.exit_code == 6
    assert_flat(stage)


def test_a_foreign_fill_stops_the_run(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        def somebody_trades() -> None:
            stage.primary.position += 1
            stage.primary._tell(
                "fill",
                {
                    "id": "x",
                    "order_id": "theirs",
                    "client_order_id": None,
                    "symbol": "ETH-PERP",
                    "side": "buy",
                    "price": D(2000),
                    "size": D(1),
                    "fee": None,
                    "fee_asset": "",
                    "liquidity": "taker",
                    "timestamp_ms": stage.primary.clock.now_ms(),
                    "raw": None,
                },
            )

        stage.later(0.3, somebody_trades)

    result, stage = play(tmp_path, arrange)
    assert result.exit_code == 4
    assert stage.exposure == 1, "ours is neutral, theirs is theirs"


def test_both_venues_failing_is_exposed_until_a_signal(tmp_path: Path) -> None:
    def arrange(stage: Stage) -> None:
        stage.hedge.plans = [Plan(fill=D(0)) for _ in range(500)]
        stage.primary.plans = [Plan(), *(Plan(error=OrderRejected("no")) for _ in range(500))]
        stage.later(100, stage.stop.ask)

    result, stage = play(tmp_path, arrange)
    assert result.exit_code == 5
    assert len(stage.hedge.sent) > 10


# --------------------------------------------------------------------------- refused at the start


@pytest.mark.parametrize(
    ("arrange", "options", "words"),
    [
        (lambda s: None, {"hedge_symbol": "ETH-WRONG"}, "nearest: ETH-PERP"),
        (lambda s: None, {"size": D("0.001")}, "use 0.01 or more"),
        (lambda s: None, {"size": D("0.015")}, "use 0.01"),
        (lambda s: s.hedge.quote("3000", "3001"), {}, "not the same asset"),
        (lambda s: setattr(s.hedge, "position", D(1)), {}, "already holds 1"),
        (lambda s: setattr(s.hedge, "can_read", False), {}, "cannot be reached"),
    ],
)
def test_what_cannot_work_is_refused_before_any_order(
    tmp_path: Path, arrange: Callable[[Stage], None], options: dict[str, Any], words: str
) -> None:
    result, stage = play(tmp_path, arrange, **options)
    assert result.exit_code == 3
    assert words in result.summary["reason"]
    assert not stage.primary.sent
    assert not stage.hedge.sent


def test_an_outcome_unknown_is_no_refusal() -> None:
    assert not issubclass(OutcomeUnknown, TransportError)


def test_a_quiet_market_leaves_no_order_connection_idle(tmp_path: Path) -> None:
    def nobody_trades(stage: Stage) -> None:
        stage.primary.auto_fill = None
        stage.later(100, stage.stop.ask)

    result, stage = play(tmp_path, nobody_trades, iterations=100)
    assert result.exit_code == 6
    assert stage.hedge.warmed + stage.hedge.rest_counts.total() >= 3


def test_a_residue_below_the_minimum_value_is_taken_along(tmp_path: Path) -> None:
    """0.02 stay of a closing cycle, less than the venue takes: the next cycle has to help."""

    def most_of_the_second(stage: Stage) -> None:
        sizes = iter([D("0.5"), D("0.48")])
        stage.primary.market = market(min_notional=D(100))
        stage.primary.auto_fill = lambda request: [(0.5, next(sizes, request.size))]

    result, stage = play(tmp_path, most_of_the_second, iterations=2, fill_timeout=2.0)
    assert result.exit_code == 0
    assert_flat(stage)
    filled = [Decimal(row["filled"]) for row in rows(tmp_path, "cycles")]
    assert filled == [D("0.5"), D("0.48"), D("0.5"), D("0.48")]


# --------------------------------------------------------------------------- before the first quote


def test_canaries_come_back_and_the_run_goes_on(tmp_path: Path) -> None:
    result, stage = play(tmp_path, canary=True)
    assert result.exit_code == 0
    assert_flat(stage)
    first, *_ = stage.hedge.sent
    assert (first.time_in_force, stage.hedge.orders[first.client_id].filled) == ("IOC", 0)
    assert (result.summary["attempts"], result.summary["successes"]) == (4, 4)


def test_a_hedge_venue_that_refuses_every_order_ends_the_run_before_it_began(
    tmp_path: Path,
) -> None:
    """HG-01: the symbol is listed, and still no order is taken."""

    def arrange(stage: Stage) -> None:
        stage.hedge.plans = [Plan(error=SymbolRefused("unknown market", venue="h"))] * 9

    result, stage = play(tmp_path, arrange, canary=True)
    assert result.exit_code == 3
    assert "--hedge-symbol" in result.summary["reason"]
    assert stage.primary.sent == []
    assert len(stage.hedge.sent) == 1

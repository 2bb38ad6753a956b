"""The strategy itself: ST-01 to ST-14 of the fault matrix."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import random
from decimal import Decimal
from pathlib import Path

import pytest
from faults.moments import (
    EACH_FILLS,
    FIRST_FILLS,
    STILL,
    fills_of,
    journal,
    resting,
    sent,
    until,
)
from faults.telling import (
    CALM,
    SWAPPED,
    alarms,
    began,
    ended,
    hedges,
    quotes,
    said,
    total,
    traded_at,
)
from typer.testing import CliRunner

from exchange_factory import create_exchange
from mpdex.cli import app
from mpdex.lab import lab as lab_run
from mpdex.lab.run import Lab, Verdict
from strategies.hedge import HedgeResult, run_hedge

D = Decimal
SIZE = D("0.1")


def positions(verdict: Verdict) -> list[Decimal]:
    """What was held on the primary after each execution there."""
    held, found = D(0), []
    for fill in verdict.fills("P"):
        held += fill.size if fill.order.side == "buy" else -fill.size
        found.append(held)
    return found


def cycles(verdict: Verdict) -> list[dict]:
    return journal(verdict, "cycle")


# --------------------------------------------------------------------------- the quote


@pytest.mark.fault("ST-01", tier=1)
def test_st_01_where_a_static_quote_waits_an_adaptive_one_fills(shared):
    """The same recorded book twice, at one cost cap, by the command that anybody may try it with;
    longer recordings are replayed by the acceptance tests."""
    tape = shared / "tapes" / "standx_BTC_20260106_14.jsonl.gz"
    if not tape.exists():
        pytest.skip(f"no recording at {tape}")
    command = f"replay --source tape:{tape} --ticker BTC --size 0.05 --iter 24 --json"
    done = CliRunner().invoke(app, command.split())
    assert done.exit_code == 0, done.output
    static, adaptive = json.loads(done.stdout)
    assert (static["quoting"], adaptive["quoting"]) == ("static", "adaptive")
    assert static["attempts"] == adaptive["attempts"] == 24
    assert D(static["fill_rate"]) < D("0.3")
    assert D(adaptive["fill_rate"]) >= D("0.5")
    assert D(adaptive["cost_bps"]) < D(static["cost_bps"]) + D("0.5") < 8


@pytest.mark.fault("ST-02", tier=1)
def test_st_02_a_book_that_jitters_does_not_move_the_quote(row):
    """The best prices step by a tick and back twenty times a second; it trades seldom enough."""
    verdict = row(source="jitter", cycles=12, outcome="R")
    filled = [c for c in cycles(verdict) if D(c["filled"])]
    moves = sum(c["requotes"] for c in cycles(verdict))
    assert len(filled) >= 10
    assert moves <= 20 * len(filled)
    times = [began(q) for q in quotes(verdict)]
    assert max(sum(t <= other < t + 60 for other in times) for t in times) <= 30 + len(filled)


@pytest.mark.fault("ST-02", tier=1)
def test_st_02_where_nobody_trades_the_budgets_hold(row):
    """A minute and a half of a book that flees from the quote, and nobody takes it."""

    async def flee(lab: Lab) -> None:
        for _ in range(180):
            lab.faults.add("X.move(1)")
            await asyncio.sleep(0.5)

    verdict = row(
        during=flee,
        source=STILL,
        fill_timeout=60,
        cycles=2,
        gate="off",
        direction="long-first",
        timeout=300,
    )
    times = [began(q) for q in quotes(verdict)]
    assert len(times) > 20, "it follows the book"
    assert max(sum(t <= other < t + 60 for other in times) for t in times) <= 31
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert max(gaps) > 25, "after twenty moves without a fill it rests"


@pytest.mark.fault("ST-03", tier=1)
def test_st_03_fills_that_prices_run_away_from_make_quotes_retreat_and_rest(row):
    """Prices fall by 1.5 bps a second, and only purchases are made: each loses within seconds."""
    verdict = row(
        source="trend:-1.5",
        size="0.01",
        max_position="1",
        direction="long-first",
        gate="off",
        cycles=80,
        on_complete="neutral",
        outcome="D",
        timeout=1800,
    )
    assert D(verdict.summary["markout_1s_bps"]) < 0
    assert D(verdict.summary["markout_5s_bps"]) < -4
    assert said(verdict, "prices run away after our fills")
    times = [traded_at(f) for f in fills_of(verdict, "P", "maker")]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert max(gaps) > 55


@pytest.mark.fault("ST-04", tier=1)
@pytest.mark.parametrize("basis", [-10, 10])
def test_st_04_a_lasting_basis_is_no_gain_and_the_position_stays_within_a_clip(row, basis):
    """One direction looks better by twice the basis, and the other worse: the pair has it not."""
    verdict = row(basis_bps=basis, cycles=8, direction="basis", outcome="R")
    held = positions(verdict)
    assert max(abs(p) for p in held) == verdict.scenario.size
    done = [c for c in cycles(verdict) if c["outcome"] == "filled"]
    opened, closed = [c for c in done if not c["closing"]], [c for c in done if c["closing"]]
    assert len(opened) == len(closed) == 4
    assert all(abs(abs(D(c["raw_spread_bps"])) - 10) < 3 for c in done)
    pair = D(opened[0]["raw_spread_bps"]) + D(closed[0]["raw_spread_bps"])
    assert abs(pair) < 3, "what one brings the other takes"
    assert all(D(c["edge_bps"]) < 0 for c in done), "fees are all that is left"
    assert D(verdict.summary["result"]) < 0


@pytest.mark.fault("ST-04", tier=1)
def test_st_04_the_report_tells_what_pairs_cost(row):
    verdict = row(basis_bps=-10, cycles=4, outcome="R")
    pairs = verdict.summary["pairs"]
    assert pairs["closed"] == 2
    costs = [D(c["cost_bps"]) for c in cycles(verdict)]
    assert abs(D(pairs["cost_bps"]) - sum(costs) / 2) < D("0.1")


@pytest.mark.fault("ST-06", tier=1)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["grvt", "backpack"])
def test_st_06_all_of_an_overfill_is_hedged_at_once_and_ends_the_run(row, pair):
    """One and a half clips: nothing of it is within anybody's tolerance."""
    verdict = row(
        "P.place.maker.nth(1) -> fill(1.5q, at=resting)",
        tags=["contradiction"],
        outcome="HF",
        **CALM,
        **pair,
    )
    filled, hedged = total(verdict.fills("P")), total(verdict.fills("H"))
    assert filled == hedged == D("1.5") * verdict.scenario.size
    last = verdict.fills("P")[-1]
    assert traded_at(verdict.fills("H")[-1]) - traded_at(last) < 1
    assert "filled more than was ordered" in verdict.summary["reason"]
    assert len(quotes(verdict)) == 1


@pytest.mark.fault("ST-07", tier=1)
@pytest.mark.parametrize("count", ["attempts", "fills"])
def test_st_07_a_cycle_without_its_hedge_is_no_success(row, count):
    verdict = row(
        EACH_FILLS,
        "H.place.hedge -> reject(SYMBOL)",
        outcome="HF",
        count=count,
        **CALM,
    )
    assert total(verdict.fills("P")) > 0
    assert verdict.summary["successes"] == 0
    assert D(verdict.summary["fill_rate"] or 0) == 0
    assert [c["outcome"] for c in cycles(verdict) if D(c["filled"])] == ["unwound"]


@pytest.mark.fault("ST-07", tier=1)
def test_st_07_only_what_was_hedged_counts(row):
    """The second of three is unwound; it is made good by a fourth."""
    verdict = row(
        "H.place.hedge.nth(2) -> reject(NONCE) x 1",
        "H.place.hedge.nth(3) -> reject(NONCE) x 1",
        "H.place.hedge.nth(4) -> reject(NONCE) x 1",
        cycles=3,
        count="fills",
        outcome="D",
    )
    outcomes = [c["outcome"] for c in cycles(verdict) if c["counts"]]
    assert outcomes.count("filled") == verdict.summary["successes"] == 3
    assert "unwound" in outcomes


# --------------------------------------------------------------------------- dust, closing, fees


@pytest.mark.fault("ST-05", tier=1)
@pytest.mark.parametrize("seed", [1, 2])
def test_st_05_dust_stays_below_one_hedge_and_is_taken_along(row, seed):
    """Quotes fill by one to four lots, where the hedge venue takes five at least. A hundred cycles
    here; the thousand are played by the combinations."""
    dice = random.Random(seed)

    async def nibble(lab: Lab) -> None:
        exchange = lab.truth["P"].exchange
        while True:
            quote = await resting(lab)
            await asyncio.sleep(0.05)
            if quote.live:
                exchange.fill(quote, min(D("0.01") * dice.randint(0, 4), quote.remaining))
            await until(lambda quote=quote: not quote.live)

    verdict = row(
        during=nibble,
        markets={"H": {"min_size": "0.05", "step": "0.01"}},
        cycles=100,
        source=STILL,
        fill_timeout=0.3,
        on_complete="neutral",
        outcome="R",
        timeout=1200,
        seed=seed,
    )
    least = D("0.05")
    rests = exposures(verdict)
    assert max(abs(e) for e in rests) < least
    assert len([e for e in rests if e]) > 20, "there was dust"
    assert total(verdict.fills("P")) > 20 * least
    assert all(o.size >= least for o in hedges(verdict))
    assert D(verdict.summary["imbalance"]) == verdict.position("P") + verdict.position("H")
    assert verdict.worst < verdict.scenario.size + least


def exposures(verdict: Verdict) -> list[Decimal]:
    """What was not neutral whenever a cycle had ended."""
    moves = sorted(
        (fill.time_ns, fill.size if fill.order.side == "buy" else -fill.size)
        for leg in ("P", "H")
        for fill in verdict.fills(leg)
    )
    ends = [line["ts_ns"] for line in cycles(verdict)]
    return [sum((size for at, size in moves if at <= end), D(0)) for end in ends]


@pytest.mark.fault("ST-08", tier=2)
@pytest.mark.parametrize(("cost", "closes"), [("8", True), ("4.9", False)])
def test_st_08_a_pair_that_no_quote_closes_is_closed_by_taking(row, cost, closes):
    """After the patience both legs are taken, if that costs no more than a quote may cost by then:
    10 bps, where a quote may cost 16, or 9.8."""
    verdict = row(
        FIRST_FILLS,
        source=STILL,
        fill_timeout=10,
        cycles=5,
        max_cost_bps=cost,
        basis_bps=0,
        close_patience=30,
        flatten_patience=5,
        on_complete="neutral",
        outcome="R",
    )
    taken = sent(verdict, "P", "flatten")
    assert bool(taken) is closes
    if closes:
        (close,) = taken
        assert 30 < began(close) - traded_at(verdict.fills("P")[0]) < 50
        assert began(hedges(verdict)[1]) - began(close) < 1
        (told,) = alarms(verdict, "reduce")
        assert "for a quote to close it" in told
    assert abs(verdict.position("P")) == (0 if closes else verdict.scenario.size)


@pytest.mark.fault("ST-09", tier=2)
@pytest.mark.parametrize(
    ("leg", "kind", "pair"), [("H", "taker", {}), ("P", "maker", SWAPPED)], ids=["taker", "maker"]
)
def test_st_09_fees_in_another_asset_are_reported_apart(row, leg, kind, pair):
    """No price of that asset is known here, so they are no part of any sum in quote currency, and
    what quotes are judged by stays the schedule that the venue tells."""
    verdict = row(f"{leg}.ws_private.fill -> mutate(N=XYZ)", cycles=4, outcome="R", **pair)
    trades = journal(verdict, "trade")
    fees = [D(t["fee"]) for t in trades if t["fee_asset"] == "XYZ"]
    assert len(fees) == 4
    assert D(verdict.summary["other_fees"]["XYZ"]) == sum(fees) > 0
    told = D(verdict.summary["maker_fees"]) + D(verdict.summary["taker_fees"])
    assert told == sum(D(t["fee"]) for t in trades if t["fee_asset"] != "XYZ")
    assert [D(c[f"{kind}_fee"]) for c in cycles(verdict)] == [0] * 4


@pytest.mark.fault("ST-10", tier=2)
def test_st_10_two_unwinds_in_a_row_are_enough(row):
    """Each costs two taker fees: the third one is not tried."""
    verdict = row(EACH_FILLS, "H.place.hedge -> reject(NONCE)", outcome="HF", **CALM)
    assert len(sent(verdict, "P", "unwind")) == 2
    assert len([q for q in quotes(verdict) if q.filled]) == 2
    first, second = [q for q in quotes(verdict) if q.filled]
    assert began(second) - ended(first) > 5, "it waits after the first one"
    assert verdict.position("P") == verdict.position("H") == 0


@pytest.mark.fault("ST-12", tier=2)
@pytest.mark.parametrize("depth", ["0.2q", "1.5q"])
def test_st_12_a_quote_is_pulled_when_the_hedge_gets_thin(row, depth):
    """Too little for the clip; or enough, but less than twice the clip within reach."""

    async def thin(lab: Lab) -> None:
        quote = await resting(lab)
        coins = verdict_size(depth, quote.size)
        lab.faults.add(f"H.thin({coins}, 6s)")
        thinned.append(lab.clock.monotonic())

    thinned: list[float] = []
    verdict = row(during=thin, outcome="D", **{**CALM, "fill_timeout": 20, "cycles": 1})
    first, second = quotes(verdict)[:2]
    assert first.status.value == "canceled"
    assert ended(first) - thinned[0] < 0.5
    assert began(second) - thinned[0] > 6


def verdict_size(text: str, size: Decimal) -> Decimal:
    return D(text.removesuffix("q")) * size


# --------------------------------------------------------------------------- limits


@pytest.mark.fault("ST-11", tier=1)
@pytest.mark.parametrize("filled", ["0.5q", "q"])
def test_st_11_a_loss_limit_that_is_met_in_mid_cycle_lets_the_hedge_be_finished(row, filled):
    """The hedge takes a while, in which the price runs: the limit is met before it has traded."""
    verdict = row(
        f"P.place.maker.nth(1) -> fill({filled}, at=resting)",
        "H.place.hedge.nth(1) -> delay(1200)",
        "P.trade.nth(1) -> X.move(-30)",
        max_loss="0.2",
        gate="off",
        outcome="HF",
        **CALM,
    )
    assert "reached the limit of 0.2" in verdict.summary["reason"]
    assert verdict.position("P") + verdict.position("H") == 0
    assert total(verdict.fills("H")) == total(verdict.fills("P")) > 0
    assert verdict.to_flat < 5
    assert len(quotes(verdict)) == 1
    halted = next(at for at, phase in verdict.phases if phase == "draining")
    assert traded_at(verdict.fills("H")[-1]) > began(hedges(verdict)[0]) - 1.3
    assert halted < verdict.seconds


@pytest.mark.fault("ST-11", tier=1)
def test_st_11_the_cost_cap_of_a_session_ends_it(row):
    """One hedge finds the price 45 bps away for a moment: that costs more than two cycles may."""
    verdict = row(
        EACH_FILLS,
        "H.place.hedge.nth(1) -> move(-45, 150ms)",
        outcome="HF",
        **CALM,
    )
    assert "more than all cycles may cost together" in verdict.summary["reason"]
    assert total(verdict.fills("H")) == total(verdict.fills("P")) == verdict.scenario.size
    assert len(quotes(verdict)) == 1


# --------------------------------------------------------------------------- one's own orders


@pytest.mark.fault("ST-13", tier=1)
@pytest.mark.parametrize("late", ["delay(600)", "drop_request", "ack_ok"])
def test_st_13_the_quote_is_gone_before_an_unwind(row, late):
    """Half of it has traded, the hedge venue takes nothing, and the rest of it still stands there
    because its cancel is late, lost, or not done."""
    verdict = row(
        "P.place.maker.nth(1) -> fill(0.5q, at=resting)",
        "H.halt(post_only).between(0, 20s)",
        f"P.cancel.nth(1) -> {late}",
        outcome="D",
        **{**CALM, "fill_timeout": 4},
    )
    quote = quotes(verdict)[0]
    (unwind,) = sent(verdict, "P", "unwind")
    assert unwind.side != quote.side
    assert began(unwind) >= ended(quote)
    assert quote.filled == unwind.filled == D("0.5") * quote.size
    assert [o for o in verdict.orders("P") if o.reason == "self_trade"] == []


@pytest.mark.fault("ST-13", tier=1)
@pytest.mark.parametrize("swapped", [False, True], ids=["same", "the other way round"])
def test_st_13_two_strategies_do_not_share_an_account(row, monkeypatch, tmp_path, swapped):
    """The second one, of another size and in another folder, is refused while the first one runs;
    and one after the other they may."""
    locked(monkeypatch, tmp_path / "locks")
    second: list[HedgeResult] = []

    async def run_another(lab: Lab) -> None:
        await resting(lab)
        before = len(lab.truth["P"].orders) + len(lab.truth["H"].orders)
        second.append(await another(lab, tmp_path / "other", swapped=swapped))
        made = len(lab.truth["P"].orders) + len(lab.truth["H"].orders) - before
        second.append(HedgeResult(made, {}))

    verdict = row(FIRST_FILLS, during=run_another, outcome="R", **{**CALM, "fill_timeout": 5})
    refused, made = second
    assert refused.exit_code == 2
    assert "is traded by process" in refused.summary["reason"]
    assert made.exit_code == 0, "it placed nothing"
    assert row(cycles=1, outcome="R").exit_code == 0
    assert verdict.exit_code == 0


def locked(monkeypatch, folder: Path) -> None:
    """Runs find each other by their accounts, as they do outside of the laboratory."""

    async def run(config, primary, hedge, **more):
        return await run_hedge(config, primary, hedge, **more, locks=folder)

    monkeypatch.setattr("mpdex.lab.lab.run_hedge", run)


async def another(lab: Lab, logs: Path, *, swapped: bool) -> HedgeResult:
    """A second strategy on the same accounts."""
    scenario = dataclasses.replace(lab.scenario, size=D("0.2"))
    if swapped:
        places = {"primary": scenario.hedge, "hedge": scenario.primary}
        scenario = dataclasses.replace(scenario, **places)
    dexes = []
    for leg in ("P", "H"):
        name = scenario.roles[leg]
        keys = {**lab.world.credentials[name], "endpoints": lab.world.endpoints[name]}
        dexes.append(await create_exchange(name, keys, clock=lab.bot_clock))
    try:
        config = scenario.options(logs)
        clock, rng = lab.bot_clock, random.Random(2)
        return await lab_run.run_hedge(config, *dexes, clock=clock, rng=rng)
    finally:
        for dex in dexes:
            await dex.close()


@pytest.mark.fault("ST-14", tier=1)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["grvt", "backpack"])
@pytest.mark.parametrize("direction", ["long-first", "short-first"])
def test_st_14_an_unwind_of_a_failed_closing_opens_the_leg_again(row, direction, pair):
    verdict = row(
        EACH_FILLS,
        "H.place.hedge.nth(2) -> reject(MARGIN)",
        outcome="HF",
        direction=direction,
        **CALM,
        **pair,
    )
    (unwind,) = sent(verdict, "P", "unwind")
    assert unwind.reduce_only is False
    assert unwind.filled == unwind.size == verdict.scenario.size
    assert unwind.side == quotes(verdict)[0].side
    assert verdict.to_flat < 2
    assert abs(verdict.position("P")) == abs(verdict.position("H")) == verdict.scenario.size


@pytest.mark.fault("ST-14", tier=1)
@pytest.mark.parametrize("direction", ["long-first", "short-first"])
def test_st_14_an_unwind_of_a_failed_opening_says_that_it_only_reduces(row, direction):
    verdict = row(
        EACH_FILLS,
        "H.place.hedge.nth(1) -> reject(MARGIN)",
        outcome="HF",
        direction=direction,
        **CALM,
    )
    (unwind,) = sent(verdict, "P", "unwind")
    assert unwind.reduce_only is True
    assert verdict.position("P") == verdict.position("H") == 0

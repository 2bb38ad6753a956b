"""The hedge leg: HG-01 to HG-23 of the fault matrix."""

from __future__ import annotations

import ast
import asyncio
import csv
from decimal import Decimal
from pathlib import Path

import pytest
from faults.moments import fills_of, journal, resting, seconds_at, sent
from faults.telling import alarms, began, ended, hedges, quotes, said, traded_at
from hypothesis import given
from hypothesis import strategies as st

from mpdex.lab.run import Lab, Verdict
from mpdex.lab.trail import Intent, read_lines
from mpdex.sim.records import Traded
from mpdex.types import OrderStatus
from mpdex.utils.precision import plain, snap_size
from wrappers.grvt_auth import units

D = Decimal
T_UNKNOWN = 10.0  # seconds within which the fate of an order must be known
HARD = 8.0  # seconds of exposure after which hedging gives way to unwinding
ROOT = Path(__file__).resolve().parents[2]


def meant(verdict: Verdict, purpose: str) -> list[Intent]:
    """Orders that the bot meant to send, whether they arrived or not."""
    assert verdict.trail is not None
    return [i for i in verdict.trail.intents.values() if i.purpose == purpose]


def limits(verdict: Verdict, purpose: str) -> list[dict]:
    """Price and decision price of the orders of a purpose, oldest first."""
    return [line for line in journal(verdict, "intent") if line["purpose"] == purpose]


def reach_bps(line: dict) -> Decimal:
    """How far beyond its decision price an order may trade, in bps."""
    price, decided = D(line["price"]), D(line["decision"])
    return abs(price - decided) / decided * 10_000


def flat(verdict: Verdict) -> bool:
    return verdict.position("P") + verdict.position("H") == 0


def seconds_of(intent: Intent) -> float:
    return seconds_at(intent.at_ns)


def pages(verdict: Verdict) -> list[str]:
    return [a["topic"] for a in journal(verdict, "alarm") if a["page"]]


# --------------------------------------------------------------------------- refused


@pytest.mark.fault("HG-01", tier=1)
def test_hg_01_a_wrong_symbol_stops_the_run_before_anything_is_placed(row):
    verdict = row("H.place -> reject(SYMBOL)", outcome=3)
    assert verdict.orders("P") == []
    assert verdict.orders("H") == []
    assert "symbol" in verdict.summary["reason"].lower()


@pytest.mark.fault("HG-01", tier=1)
def test_hg_01_a_symbol_refused_at_run_time_is_not_tried_again(row):
    verdict = row("H.place.between(60s, 1h) -> reject(SYMBOL)", cycles=200, outcome="HF")
    refused = [i for i in meant(verdict, "hedge") if i.client_id not in _ids(verdict, "H")]
    assert len(refused) == 1
    assert len(sent(verdict, "P", "unwind")) == 1
    assert flat(verdict)
    last = seconds_of(refused[0])
    assert [q for q in meant(verdict, "maker") if seconds_of(q) > last] == []
    assert verdict.to_flat < 1.0
    assert "halt" in pages(verdict)


def _ids(verdict: Verdict, leg: str) -> set[str]:
    return {order.client_id for order in verdict.orders(leg)}  # type: ignore[arg-type]


@pytest.mark.fault("HG-02", tier=1)
def test_hg_02_a_hedge_without_margin_is_unwound(row):
    verdict = row("H.place.hedge -> reject(MARGIN)", cycles=6, outcome="HF")
    assert len(meant(verdict, "hedge")) == 1
    assert len(sent(verdict, "P", "unwind")) == 1
    assert flat(verdict)
    assert len(quotes(verdict)) == 1
    assert verdict.to_flat < 1.0


@pytest.mark.fault("HG-02", tier=1)
def test_hg_02_nothing_is_quoted_without_margin_for_two_clips(row):
    """Headroom for 2 x size is asked for before the first quote."""

    async def impoverish(lab: Lab) -> None:
        account = next(iter(lab.truth["H"].exchange.accounts.values()))
        account.cash = D(2)  # less than two clips of 30 at 20 times leverage need

    verdict = row(during=impoverish, cycles=2, outcome=3)
    assert verdict.orders("P") == []
    assert "free, 2 clips need" in verdict.summary["reason"]


@pytest.mark.fault("HG-16", tier=1)
@pytest.mark.parametrize("kind", ["PERMISSION", "SYMBOL", "OI_CAP"])
def test_hg_16_what_cannot_get_better_is_not_tried_again(row, kind):
    verdict = row(f"H.place.hedge -> reject({kind})", cycles=6, outcome="HF")
    assert len(meant(verdict, "hedge")) == 1
    assert len(sent(verdict, "P", "unwind")) == 1
    assert flat(verdict)
    assert verdict.to_flat < 1.0


@pytest.mark.fault("HG-09", tier=1)
def test_hg_09_a_refused_price_comes_nearer_twice_and_then_it_is_unwound(row):
    verdict = row("H.place.hedge -> reject(PRICE_BAND)", cycles=6, outcome="HF")
    reaches = [reach_bps(line) for line in limits(verdict, "hedge")]
    first = reaches[:3]
    assert len(reaches) == 6
    assert len(sent(verdict, "P", "unwind")) == 2
    assert first[0] > first[1] > first[2]
    assert flat(verdict)
    assert verdict.to_flat < 2.0


@pytest.mark.fault("HG-09", tier=1)
def test_hg_09_a_price_inside_the_band_is_taken(row):
    """The band is narrower than the first limit, and nobody told: the second or third is inside."""

    async def narrow(lab: Lab) -> None:
        await resting(lab)
        lab.truth["H"].exchange.change_market(lab.truth["H"].symbol, band=D("0.0007"))

    verdict = row(during=narrow, cycles=4, outcome="R")
    assert meant(verdict, "unwind") == []
    refused = [o for o in hedges(verdict) if o.status is OrderStatus.REJECTED]
    assert {o.reason for o in refused} == {"band"}
    assert len(hedges(verdict)) - len(refused) == len(fills_of(verdict, "P", "maker"))


@pytest.mark.fault("HG-10", tier=1)
def test_hg_10_in_a_post_only_mode_it_is_unwound_and_a_canary_brings_it_back(row):
    verdict = row("H.halt(post_only).between(2s, 302s)", cycles=10, timeout=900, outcome="D")
    unwinds = sent(verdict, "P", "unwind")
    assert len(unwinds) == 1
    assert verdict.to_flat < 1.0
    probes = [o for o in sent(verdict, "H", "canary") if began(o) > began(unwinds[0])]
    assert len(probes) > 30
    assert {o.reason for o in probes[:-1]} == {"market"}
    back = probes[-1]
    assert back.reason == "ioc"
    assert began(back) - began(unwinds[0]) > 250.0
    later = [q for q in quotes(verdict) if began(q) > began(unwinds[0])]
    assert later
    assert all(began(q) > ended(back) for q in later)
    assert flat(verdict)


# --------------------------------------------------------------------------- bands


@pytest.mark.fault("HG-03", tier=1)
def test_hg_03_a_book_that_runs_away_is_followed_band_by_band(row):
    verdict = row(
        "H.place.hedge.side(sell).nth(1) -> move(-30)",
        "H.place.hedge.side(sell).nth(2) -> move(-60)",
        "H.place.hedge.side(sell).nth(3) -> move(-60)",
        cycles=2,
        gate="off",
        outcome="D",
        timeout=900,
    )
    first = [line for line in limits(verdict, "hedge") if line["side"] == "sell"][:3]
    assert [round(reach_bps(line)) for line in first] == [20, 50, 100]
    decided = [D(line["decision"]) for line in first]
    assert decided[0] > decided[1] > decided[2]  # each on a newer book
    assert verdict.to_flat < 2.0
    assert flat(verdict)


@pytest.mark.fault("HG-03", tier=1)
def test_hg_03_after_a_while_an_unwind_that_is_cheaper_is_taken(row):
    """Each attempt takes a second, and the book runs away from it: the soft limit passes."""
    verdict = row(
        *(f"H.place.hedge.nth({n}) -> delay(900), move(-110)" for n in range(1, 5)),
        cycles=2,
        direction="long-first",
        gate="off",
        outcome="D",
        timeout=900,
    )
    assert len(sent(verdict, "P", "unwind")) == 1
    assert flat(verdict)
    assert any("dearer than an unwind" in text for text in alarms(verdict, "unwind"))
    assert 3.0 < verdict.to_flat < HARD


@pytest.mark.fault("HG-04", tier=1)
def test_hg_04_what_an_ioc_left_is_sent_at_once(row):
    verdict = row("H.place.hedge.nth(1) -> thin(0.3q, 250ms)", cycles=4, outcome="R")
    first, second = hedges(verdict)[:2]
    assert first.filled == D("0.3") * first.size
    assert second.size == first.size - first.filled  # what is owed, not the clip again
    assert began(second) - ended(first) < 0.5
    assert flat(verdict)
    assert meant(verdict, "unwind") == []


@pytest.mark.fault("HG-05", tier=1)
def test_hg_05_a_hedge_that_rests_is_canceled_and_then_counted(row):
    verdict = row(
        "H.place.hedge.nth(1) -> mutate(tif=GTC), move(-60)", cycles=4, gate="off", outcome="D"
    )
    first, *others = hedges(verdict)
    assert first.status is OrderStatus.CANCELED
    assert others
    assert all(began(o) >= ended(first) for o in others)
    assert ended(first) - began(first) < 1.5  # no waiting for it to fill by itself
    assert flat(verdict)


@pytest.mark.fault("HG-05", tier=1)
def test_hg_05_a_resting_hedge_that_fills_while_it_is_canceled_counts_once(row):
    verdict = row(
        "H.place.hedge.nth(1) -> mutate(tif=GTC), move(-60)",
        "H.cancel -> fill(q, at=after_cancel_send)",
        cycles=4,
        gate="off",
        outcome="D",
    )
    first, second = hedges(verdict)[:2]
    assert first.filled == first.size
    assert second.side != first.side or began(second) - ended(first) > 1.0  # of the next cycle
    assert flat(verdict)


@pytest.mark.fault("HG-21", tier=2)
def test_hg_21_a_limit_bounds_what_a_hedge_may_cost(row):
    """40 bps against us is beyond the first band: nothing trades there, the second band does."""
    verdict = row("H.place.hedge.side(sell).nth(1) -> move(-40)", cycles=2, gate="off", outcome="D")
    first, second = [o for o in hedges(verdict) if o.side == "sell"][:2]
    assert first.filled == 0
    assert second.filled == second.size
    for fill in fills_of(verdict, "H", "hedge"):
        inside = fill.price >= fill.order.price
        assert inside if fill.order.side == "sell" else fill.price <= fill.order.price


@pytest.mark.fault("HG-21", tier=2)
def test_hg_21_three_bad_fills_in_a_row_pause_the_quotes(row):
    """Each hedge fills 12 bps worse than it was decided, twice what is usual and more."""
    verdict = row(
        "H.place.hedge.side(sell) -> move(-12)",
        "H.place.hedge.side(buy) -> move(12)",
        cycles=5,
        gate="off",
        outcome="D",
        timeout=900,
    )
    assert said(verdict, "hedges lose far more than usual")
    times = [began(o) for o in hedges(verdict)]
    assert times[3] - times[2] > 55.0  # a pause of a minute after the third
    assert times[1] - times[0] < 30.0
    assert flat(verdict)


# --------------------------------------------------------------------------- silence


@pytest.mark.fault("HG-06", tier=1)
@pytest.mark.parametrize("deaf", [False, True])
def test_hg_06_a_hedge_without_an_answer_is_not_sent_again(row, deaf):
    """Deaf: the stream does not tell of it either, and only a query finds the fill."""
    deafness = ", H.ws_private.silence(4s)" if deaf else ""
    verdict = row(f"H.place.hedge.nth(1) -> drop_response{deafness}", cycles=4, outcome="R")
    first, second = hedges(verdict)[:2]
    assert first.filled == first.size
    later = [q for q in quotes(verdict) if began(q) > ended(first)]
    assert began(second) > began(later[0])  # the next hedge belongs to the next quote
    assert len(hedges(verdict)) == len(fills_of(verdict, "P", "maker"))
    sources = {t["source"] for t in journal(verdict, "trade") if t["client_id"] == first.client_id}
    assert sources <= ({"query", "barrier"} if deaf else {"stream"})
    assert flat(verdict)


@pytest.mark.fault("HG-07", tier=1)
def test_hg_07_a_lost_hedge_is_proven_gone_and_sent_anew(row):
    verdict = row("H.place.hedge.nth(1) -> drop_request", cycles=4, outcome="R")
    lost, again = meant(verdict, "hedge")[:2]
    assert lost.client_id not in _ids(verdict, "H")
    assert seconds_of(again) - seconds_of(lost) <= T_UNKNOWN
    assert again.client_id != lost.client_id
    assert again.size == lost.size
    between = [q for q in quotes(verdict) if seconds_of(lost) < began(q) < seconds_of(again)]
    assert between == []
    assert verdict.worst == verdict.scenario.size
    assert flat(verdict)
    assert meant(verdict, "unwind") == []


@pytest.mark.fault("HG-08", tier=1)
def test_hg_08_nothing_is_ever_marked_as_filled(row, tmp_path):
    verdict = row(
        "H.place.hedge.nth(2) -> drop_response, H.ws_private.silence(35s)", cycles=5, outcome="R"
    )
    true = {str(fill.trade_id) for fill in verdict.fills("H")}
    rows = _trades(tmp_path)
    assert {r["trade_id"] for r in rows if r["role"] == "hedge"} == true
    assert len([r for r in rows if r["role"] == "hedge"]) == len(true)
    asked = [q for q in journal(verdict, "note") if "UNKNOWN" in q["text"]]
    assert asked
    assert len(meant(verdict, "hedge")) == len(true)
    assert flat(verdict)


def _trades(folder: Path) -> list[dict[str, str]]:
    (file,) = folder.rglob("*_trades.csv")
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


# --------------------------------------------------------------------------- venues that fail


@pytest.mark.fault("HG-11", tier=1)
def test_hg_11_an_empty_book_is_priced_from_what_was_known(row):
    verdict = row("P.trade.nth(1) -> H.thin(0, 4s)", cycles=4, outcome="D")
    assert alarms(verdict, "book")
    fill = fills_of(verdict, "P", "maker")[0]
    blind = list(limits(verdict, "hedge"))[1:5]
    assert all(round(reach_bps(line)) == 100 for line in blind)  # the widest band
    assert verdict.to_flat < HARD
    assert flat(verdict)
    dry = [q for q in quotes(verdict) if 0 < began(q) - traded_at(fill) < 4.0]
    assert dry == []


@pytest.mark.fault("HG-11", tier=1)
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_hg_11_one_empty_side_keeps_from_quoting(row, side):
    verdict = row(f"P.trade.nth(2) -> H.thin(0, {side}, 20s)", cycles=4, outcome="D")
    fill = fills_of(verdict, "P", "maker")[1]
    empty = [q for q in quotes(verdict) if 0.2 < began(q) - traded_at(fill) < 20.0]
    assert empty == []
    assert flat(verdict)


async def _shut_hedge_venue(lab: Lab, seconds: float) -> None:
    """From the first execution on the primary: nobody is let in, not even to be refused."""
    traded = asyncio.Event()
    lab.truth["P"].exchange.listen(lambda _: traded.set(), Traded)
    await traded.wait()
    host = lab.world.server.hosts[lab.venue("H")]
    await host.shut()
    await asyncio.sleep(seconds)
    await host.open_again()
    await asyncio.Event().wait()


@pytest.mark.fault("HG-12", tier=1)
def test_hg_12_a_venue_that_is_down_is_left_after_the_limit(row):
    """Refused connections: nothing can have arrived there, so it is unwound in seconds."""
    verdict = row(
        "P.place.maker.nth(1) -> fill(0.5q, at=resting)",
        source="still",
        fill_timeout=4,
        during=lambda lab: _shut_hedge_venue(lab, 60.0),
        cycles=3,
        outcome="D",
    )
    (fill,) = fills_of(verdict, "P", "maker")[:1]
    unwinds = sent(verdict, "P", "unwind")
    assert len(unwinds) == 1
    assert verdict.to_flat < HARD
    assert ended(fill.order) - traded_at(fill) <= 0.5  # the rest of the quote is pulled
    assert fill.order.status is OrderStatus.CANCELED
    later = [q for q in quotes(verdict) if began(q) > traded_at(fill)]
    probes = [o for o in sent(verdict, "H", "canary") if began(o) > 60.0]
    assert probes
    assert later
    assert began(later[0]) > ended(probes[0])
    assert flat(verdict)


@pytest.mark.fault("HG-12", tier=1)
def test_hg_12_a_hedge_on_its_way_to_a_venue_that_went_down_is_not_doubled(row):
    """It may have arrived, so nothing is unwound on a guess: somebody is called, and it waits."""
    verdict = row("P.trade.nth(1) -> H.halt(down, 60s)", cycles=4, outcome="D")
    assert "unknown" in pages(verdict)
    first = fills_of(verdict, "P", "maker")[0]
    made = meant(verdict, "hedge") + meant(verdict, "unwind")
    early = [i for i in made if seconds_of(i) < traded_at(first) + 60.0]
    assert len(early) == 1
    assert flat(verdict)
    (unwind,) = sent(verdict, "P", "unwind")
    later = [q for q in quotes(verdict) if began(q) > began(unwind)]
    probes = [o for o in sent(verdict, "H", "canary") if began(o) > began(unwind)]
    assert probes
    assert began(later[0]) > ended(probes[0])  # it has proven itself first


@pytest.mark.fault("HG-13", tier=1)
@pytest.mark.parametrize("seed", range(4))
def test_hg_13_an_error_of_the_venue_leaves_the_fate_open(row, seed):
    """The venue acts on about half of the orders that it answers with 500."""
    verdict = row(
        "H.place.hedge.between(0s, 5m) -> http(500, 'oops', accept=0.5)",
        "H.query_order.prob(0.3) -> http(500)",
        cycles=6,
        seed=seed,
        outcome=("R", "HF"),
        idle=True,
        timeout=900,
    )
    assert flat(verdict)
    unwound = sum((o.filled for o in sent(verdict, "P", "unwind")), D(0))
    arrived = _ids(verdict, "H")
    lost = sum((i.size for i in meant(verdict, "hedge") if i.client_id not in arrived), D(0))
    assert unwound <= lost  # only what was proven not to be hedged


@pytest.mark.fault("HG-14", tier=1)
def test_hg_14_exposed_and_alone_it_calls_for_help_and_keeps_trying(row):
    verdict = row(
        "P.place.maker.nth(1) -> fill(0.5q, at=resting)",
        "H.place.hedge.nth(1) -> drop_request, X.halt(down, 120s)",
        source="still",
        cycles=4,
        outcome="HE",
        timeout=900,
    )
    assert "halted exposed" in verdict.visited
    assert pages(verdict).count("exposed") >= 2
    assert alarms(verdict, "resolved")
    quote = quotes(verdict)[0]
    assert quote.status is OrderStatus.CANCELED
    dark = traded_at(fills_of(verdict, "P", "maker")[0])
    assert 120.0 < ended(quote) - dark < 130.0
    others = [o for o in verdict.orders("P") if began(o) > dark]
    assert all(began(o) >= ended(quote) for o in others)  # its cancel was the first thing sent
    assert flat(verdict)
    assert len(quotes(verdict)) == 1
    lines = (verdict.trail.file).read_bytes().splitlines()
    assert len(lines) == len(list(read_lines(verdict.trail.file)))


@pytest.mark.fault("HG-15", tier=1)
def test_hg_15_nothing_is_unwound_before_the_hedge_is_proven_dead(row):
    verdict = row("H.place.hedge.nth(1) -> delay(9000, land=true)", cycles=4, outcome="R")
    first = meant(verdict, "hedge")[0]
    others = list(meant(verdict, "hedge")[1:] + meant(verdict, "unwind"))
    assert seconds_of(others[0]) - seconds_of(first) > 5.0  # the request was valid for so long
    assert flat(verdict)
    assert verdict.worst == verdict.scenario.size


@pytest.mark.fault("HG-15", tier=1)
def test_hg_15_a_late_hedge_that_should_be_dead_is_repaired_by_the_same_loop(row):
    """The venue ignores how long the request was valid, and executes it after it was replaced."""

    async def ignore_time(lab: Lab) -> None:
        venue = lab.world.venues[lab.venue("H")]
        venue._check_time = lambda stamp, window: None
        await asyncio.Event().wait()

    verdict = row(
        "H.place.hedge.nth(1) -> delay(9000, land=true)",
        during=ignore_time,
        cycles=30,
        tags=["contradiction"],
        outcome=("R", "HF"),
    )
    first = meant(verdict, "hedge")[0]
    late = next(o for o in hedges(verdict) if o.client_id == first.client_id)
    assert late.filled == late.size
    assert began(late) - seconds_of(first) > 8.9
    assert flat(verdict)
    back = next(o for o in hedges(verdict) if began(o) > began(late))
    assert back.side != late.side
    assert began(back) - began(late) < 1.0


@pytest.mark.fault("HG-19", tier=1)
def test_hg_19_slow_hedges_stop_the_quotes_and_not_the_hedging(row):
    """Two of the last twenty beyond a second make the 95th percentile; then a minute of rest."""
    verdict = row(
        "H.place.hedge.nth(1) -> delay(2500), X.move(-80)",  # nothing is left inside the first band
        "H.place.hedge.nth(2) -> delay(2500)",
        "H.place.hedge.nth(3) -> delay(2500)",
        cycles=4,
        direction="long-first",
        gate="off",
        outcome="D",
        timeout=900,
    )
    assert said(verdict, "hedges are slow")
    first, second, third = hedges(verdict)[:3]
    assert not first.filled
    assert second.filled
    assert third.filled
    later = [q for q in quotes(verdict) if began(q) > began(third)]
    assert later
    assert began(later[0]) - began(third) > 55.0
    cost = D(journal(verdict, "cycle")[0]["cost_bps"])
    assert 70 < cost < 100  # the move is booked as it was
    assert verdict.to_flat < HARD
    assert flat(verdict)


@pytest.mark.fault("HG-20", tier=1)
def test_hg_20_only_what_is_new_is_hedged_while_a_hedge_is_unknown(row):
    verdict = row(
        "P.place.maker.nth(1) -> fill(0.5q, at=resting)",
        "H.place.hedge.nth(1) -> drop_response, H.ws_private.silence(9s)",
        "P.cancel.nth(1) -> fill(0.5q, at=after_cancel_send)",
        source="still",
        cycles=1,
        on_complete="neutral",
        outcome="R",
    )
    quote = quotes(verdict)[0]
    first, second = hedges(verdict)[:2]
    assert len(hedges(verdict)) == 2
    assert quote.filled == quote.size
    assert first.size == second.size == quote.size / 2
    pulled = [line for line in journal(verdict, "cancel") if line["client_id"] == quote.client_id]
    assert seconds_at(pulled[0]["ts_ns"]) < began(second)  # the quote was pulled first
    known = [t for t in journal(verdict, "trade") if t["client_id"] == first.client_id]
    assert all(seconds_at(t["ts_ns"]) > began(second) for t in known)
    assert flat(verdict)


# --------------------------------------------------------------------------- sizes


@pytest.mark.fault("HG-17", tier=2)
def test_hg_17_a_refused_reduce_only_is_looked_at_and_then_left_out(row):
    """The position is what we believe, so the flag is the venue's mistake, or its rounding."""
    verdict = row(
        "H.place.hedge -> reject(MARGIN)",
        "P.place.unwind.reduce_only -> reject(REDUCE_ONLY)",
        cycles=4,
        outcome="HF",
    )
    first, second = limits(verdict, "unwind")
    assert first["reduce_only"]
    assert not second["reduce_only"]
    assert first["size"] == second["size"]
    assert verdict.to_flat < 2.0
    assert flat(verdict)


@pytest.mark.fault("HG-17", tier=2)
def test_hg_17_a_smaller_position_makes_the_order_smaller(row):
    """Half of the leg was taken away unseen, so the reduce-only order is too large: the venue is
    read before another is sent, and what is sent then is what is left. (A venue that trims such
    orders by itself gives the same.)"""
    verdict = row(
        "H.place.hedge -> reject(MARGIN), P.adl(0.5q)",
        "P.place.unwind.nth(1) -> reject(REDUCE_ONLY)",
        source="still",
        cycles=4,
        tags=["external"],
        outcome="HF",
        during=_fill_first_quote,
    )
    unwinds = sent(verdict, "P", "unwind")
    assert unwinds
    assert sum(o.filled for o in unwinds) == verdict.scenario.size / 2
    assert verdict.position("P") == 0 == verdict.position("H")


async def _fill_first_quote(lab: Lab) -> None:
    quote = await resting(lab)
    lab.truth["P"].exchange.fill(quote, quote.size)
    await asyncio.Event().wait()


@pytest.mark.fault("HG-18", tier=1)
def test_hg_18_a_hedge_is_exact_to_the_lot(row):
    verdict = row(
        "P.place.maker -> fill(0.03, at=resting)",
        size="0.07",
        source="still",
        fill_timeout=2,
        cycles=4,
        outcome="D",
    )
    assert verdict.worst <= D("0.07")
    assert flat(verdict)
    made = fills_of(verdict, "P", "maker")
    assert {fill.size for fill in made} == {D("0.03")}
    assert all(order.filled == D("0.03") for order in hedges(verdict))


@pytest.mark.fault("HG-18", tier=1)
@given(
    step=st.sampled_from(["1", "0.5", "0.1", "0.25", "0.01", "0.004", "0.0001", "0.00000001"]),
    lots=st.integers(min_value=1, max_value=10**9),
)
def test_hg_18_no_size_on_the_lot_is_changed_on_its_way_to_the_wire(step, lots):
    """Over all lots: what is owed is sent exactly, and its text and its signed integer say so."""
    lot = D(step)
    owed = lots * lot
    assert snap_size(owed, lot) == owed
    assert D(plain(owed)) == owed
    assert "E" not in plain(owed)
    assert units(owed, 9) == lots * int(lot * 10**9)


@pytest.mark.fault("HG-22", tier=1)
def test_hg_22_unwinds_are_sized_by_fills_and_not_by_positions(row):
    """Both venues answer with positions of ten seconds ago, all the time."""
    verdict = row(
        "X.query_positions -> stale(10s)",
        *(f"H.place.hedge.nth({n}) -> reject(MARKET_STATE)" for n in (3, 8, 13)),
        cycles=30,
        outcome="D",
        timeout=900,
    )
    unwinds = sent(verdict, "P", "unwind")
    assert len(unwinds) == 3
    for unwind in unwinds:
        before = [f for f in fills_of(verdict, "P", "maker") if traded_at(f) < began(unwind)]
        assert unwind.size == unwind.filled == before[-1].size
        assert unwind.side != before[-1].order.side
    assert "external" not in pages(verdict)
    assert flat(verdict)
    assert verdict.worst == verdict.scenario.size


# --------------------------------------------------------------------------- one way in


@pytest.mark.fault("HG-23", tier=2)
def test_hg_23_only_one_module_books_a_fill():
    """Nothing else may call what moves the ledger. Positions that changed without us are adopted
    by `external`; at a restart, `restart` books again what had been written down."""
    allowed = {
        "take": {"booking", "restart"},  # the latter from the lines that were written then
        "infer": {"booking", "restart"},
        "adopt": {"external", "restart"},
        "_move": {"ledger"},
    }
    found = {name: set() for name in allowed}
    for path in sorted((ROOT / "strategies").glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                name, owner = call.func.attr, ast.unparse(call.func.value)
                if name in found and (owner.endswith("ledger") or name == "_move"):
                    found[name].add(path.stem)
    assert "booking" in found["take"] & found["infer"]
    assert all(found[name] <= allowed[name] for name in allowed)


@pytest.mark.fault("HG-23", tier=2)
def test_hg_23_too_many_failures_book_nothing(row):
    """A quote that no cancel removes ends the run; nothing is made up about it."""
    verdict = row(
        "P.cancel.maker -> ack_ok + truth keep",
        source="still",
        fill_timeout=2,
        cycles=4,
        outcome="HF/HE",
        timeout=400,
        allow=("O8", "END"),
    )
    assert verdict.fills("P") == []
    assert verdict.fills("H") == []
    assert journal(verdict, "trade") == []
    assert meant(verdict, "hedge") == []

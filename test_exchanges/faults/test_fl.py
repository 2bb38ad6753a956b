"""Fills: FL-01 to FL-19 of the fault matrix."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from faults.moments import journal, resting, seconds_at, sent
from faults.telling import (
    CALM,
    ENTRY,
    LIGHT,
    SOON,
    SWAPPED,
    alarms,
    at_once,
    began,
    booked,
    ended,
    hedged_within,
    hedges,
    held_up,
    on_quote,
    one_after_another,
    quotes,
    said,
    told_exactly,
    total,
    traded_at,
)

from mpdex.sim.records import SimOrder

pytestmark = pytest.mark.adapter

D = Decimal
PAIRS = pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["grvt", "backpack"])
ONCE = {**CALM, "cycles": 1, "fill_timeout": 10}


def neutral(verdict):
    return verdict.position("P") + verdict.position("H") == 0


def trades(verdict, order):
    """Booked executions of an order: (trade id, size)."""
    lines = journal(verdict, "trade")
    return [(t["trade_id"], D(t["size"])) for t in lines if t["client_id"] == order.client_id]


@pytest.mark.fault("FL-01", tier=1)
@PAIRS
def test_fl_01_a_part_is_hedged_at_once_and_the_rest_goes_on_resting(row, pair):
    verdict = row("P.place.nth(1) -> fill(0.4q, at=resting)", outcome="R", **ONCE, **pair)
    (quote,) = quotes(verdict)
    fill = verdict.fills("P")[0]
    assert hedged_within(verdict, fill) < SOON
    assert total(verdict.fills("H")) == fill.size == D("0.4") * quote.size
    assert ended(quote) - traded_at(fill) > 10  # as long as an attempt lasts


@pytest.mark.fault("FL-01", tier=1)
def test_fl_01_the_rest_is_pulled_when_its_hedge_has_trouble(row):
    verdict = row(
        "P.place.nth(1) -> fill(0.4q, at=resting)",
        "H.place.nth(1) -> drop_request",
        outcome="R",
        **ONCE,
    )
    quote = quotes(verdict)[0]
    fill = verdict.fills("P")[0]
    assert ended(quote) - traded_at(fill) < 5
    assert neutral(verdict)


# By its step: not every venue has another minimum, or tells it.
MICRO = {"P": {"step": "0.001", "min_size": "0.001"}, "H": {"step": "0.01", "min_size": "0.01"}}


@pytest.mark.fault("FL-02", tier=1)
def test_fl_02_fills_below_the_hedge_minimum_add_up(row):
    """Twenty-five tenths of the minimum: two hedges, and half a minimum that the next one nets."""
    verdict = row(
        "P.place.nth(1) -> fill(0.1*min_H, at=resting) x 25",
        "P.place.nth(2) -> fill(q, at=resting)",
        markets=MICRO,
        size="0.03",
        outcome="R",
        **{**CALM, "fill_timeout": 3},
    )
    first, second, netting = hedges(verdict)
    assert (first.size, second.size) == (D("0.01"), D("0.01"))
    assert netting.size == D("0.02")
    assert len(verdict.fills("P")) == 26
    assert verdict.worst <= D("0.02")
    assert verdict.position("P") == verdict.position("H") == 0


@pytest.mark.fault("FL-02", tier=1)
def test_fl_02_what_is_left_at_the_end_is_below_the_minimum(row):
    verdict = row(
        "P.place.nth(1) -> fill(0.1*min_H, at=resting) x 25",
        markets=MICRO,
        size="0.03",
        outcome="R",
        **{**CALM, "fill_timeout": 3, "cycles": 1},
    )
    assert abs(verdict.position("P") + verdict.position("H")) < D("0.01")


@pytest.mark.fault("FL-03", tier=1)
@PAIRS
def test_fl_03_a_part_and_then_our_cancel(row, pair):
    verdict = row("P.place.nth(1) -> fill(0.5q, at=resting)", outcome="R", **CALM, **pair)
    first, later = quotes(verdict)[:2]
    assert first.status == "canceled"
    assert total(verdict.fills("H")) == first.filled == first.size / 2
    assert len(hedges(verdict)) == 1
    assert began(later) > ended(first)
    assert later.size == first.filled, "what closes the pair"


@pytest.mark.fault("FL-04", tier=1)
@PAIRS
def test_fl_04_a_lost_fill_counts_by_the_cumulative_amount_of_the_end(row, pair):
    """The stream loses all that tells of the fill; two seconds later the venue cancels the order
    and says how much it had filled. The true fill, found later, replaces the difference."""
    verdict = row(
        "P.ws_private.between(20ms, 1900ms) -> lose(0)",
        "P.place.nth(1) -> fill(0.5q, at=resting)",
        "P.at(2s) -> cancel_all()",
        outcome="R",
        **ONCE,
        **pair,
    )
    quote = quotes(verdict)[0]
    assert total(verdict.fills("H")) == quote.filled == quote.size / 2
    (trade,) = trades(verdict, quote)
    assert trade == (trade[0], quote.filled)
    assert trade[0], "the true fill, not the difference"
    assert verdict.to_flat < 3


@pytest.mark.fault("FL-05", tier=1)
@PAIRS
def test_fl_05_a_fill_while_the_cancel_is_on_its_way_is_hedged_once(row, pair):
    verdict = row("P.cancel.nth(1) -> fill(q, at=after_cancel_send)", outcome="R", **CALM, **pair)
    (fill,) = verdict.fills("P")
    assert hedged_within(verdict, fill) < SOON
    assert len(hedges(verdict)) == 1
    assert total(verdict.fills("H")) == fill.size
    assert one_after_another(quotes(verdict))


@pytest.mark.fault("FL-06", tier=1)
@PAIRS
@pytest.mark.parametrize("delay", ["1s", "6s", "45s", "10m"])
def test_fl_06_a_fill_that_is_reported_long_after_the_end_is_honored(row, delay, pair):
    """The venue said canceled, and then that it had filled. Where a position or an order tells of
    it earlier than the fill's own report, the bot does not wait for that."""
    verdict = row(
        f"P.cancel.nth(1) -> fill(q, at=after_cancel_ack, report_delay={delay})",
        tags=["contradiction"],
        outcome="R",
        **{**CALM, "cycles": 6},
        **pair,
    )
    late = quotes(verdict)[0]
    (fill,) = verdict.fills("P")
    assert fill.order is late
    assert booked(verdict, late) == late.filled == late.size
    assert total(verdict.fills("H")) == fill.size
    assert len(hedges(verdict)) == 1
    assert verdict.to_flat < (2 if delay == "1s" else LIGHT + 5)
    assert said(verdict, "pull maker: a late fill") or delay != "1s"


@pytest.mark.fault("FL-06", tier=1)
@PAIRS
def test_fl_06_a_fill_ten_minutes_after_the_end_pulls_the_new_quote_and_is_hedged_first(row, pair):
    verdict = row(
        "P.cancel.nth(1) -> fill(q, at=after_cancel_ack, after=10m)",
        tags=["contradiction"],
        outcome="R",
        timeout=2000,
        **{**CALM, "fill_timeout": 80, "cycles": 6},
        **pair,
    )
    late, *others = quotes(verdict)
    (fill,) = verdict.fills("P")
    assert fill.order is late
    assert traded_at(fill) - began(late) > 600
    assert hedged_within(verdict, fill) < SOON
    (resting,) = [q for q in others if began(q) < traded_at(fill) < ended(q)]
    assert ended(resting) - traded_at(fill) < ENTRY
    assert said(verdict, "pull maker: a late fill of an earlier quote")
    assert any(t["late"] for t in journal(verdict, "trade"))


@pytest.mark.fault("FL-07", tier=1)
@PAIRS
def test_fl_07_a_fill_before_the_answer_needs_no_answer(row, pair):
    """The answer to the placement comes half a second after the fill."""
    verdict = row(
        "P.place.nth(1) -> fill(0.4q, at=before_place_ack), stale_snapshot(500)",
        outcome="R",
        **ONCE,
        **pair,
    )
    fill = verdict.fills("P")[0]
    assert hedged_within(verdict, fill) < at_once(verdict)
    assert total(verdict.fills("H")) == fill.size
    (quote,) = quotes(verdict)
    assert ended(quote) - began(quote) > 10, "the late answer changed nothing"


@pytest.mark.fault("FL-08", tier=1)
@PAIRS
@pytest.mark.parametrize("answer", ["drop_response", "stale_snapshot(1500)"])
def test_fl_08_a_fill_without_our_id_finds_its_order_by_the_venues(row, answer, pair):
    """Nothing has told the venue's id yet: the order is asked about at once."""
    verdict = row(
        f"P.place.nth(1) -> fill(q, at=before_place_ack), {answer}",
        "P.ws_private.fill -> mutate(cid=None)",
        during=on_quote(1, "P.ws_private.order.between(0, 1s) -> lose(0)"),
        outcome="R",
        **ONCE,
        **pair,
    )
    (fill,) = verdict.fills("P")
    assert hedged_within(verdict, fill) < SOON
    assert booked(verdict, fill.order) == fill.size
    assert not said(verdict, "foreign fill")


@pytest.mark.fault("FL-09", tier=1)
@PAIRS
def test_fl_09_a_fill_told_twice_counts_once(row, pair):
    """Every frame twice, a reconnection, and the last fifty frames again."""
    verdict = row(
        "X.ws_private.fill -> duplicate(0)",
        "X.ws_private.order -> duplicate(0)",
        "P.ws_private.at(2s) -> disconnect(1s), replay(50)",
        "H.ws_private.at(4s) -> disconnect(1s), replay(50)",
        cycles=12,
        outcome="R",
        **pair,
    )
    assert total(verdict.fills("P")) == total(verdict.fills("H"))
    assert len(journal(verdict, "trade")) == len(verdict.fills("P")) + len(verdict.fills("H"))


@pytest.mark.fault("FL-09", tier=1)
@PAIRS
def test_fl_09_nor_does_a_restart_count_it_again(row, pair):
    """Killed after a fill was written down, before its hedge; the venue tells of it again."""
    verdict = row("crash(after_fill_recv, maker)", cycles=3, outcome="R", resume=True, **pair)
    assert len(verdict.exit_codes) == 2
    assert total(verdict.fills("P")) == total(verdict.fills("H"))
    keys = [(t["role"], t["client_id"], t["trade_id"]) for t in journal(verdict, "trade")]
    assert len(keys) == len(set(keys)) == len(verdict.fills("P")) + len(verdict.fills("H"))


@pytest.mark.fault("FL-10", tier=1)
@PAIRS
def test_fl_10_two_reports_of_the_whole_without_a_trade_id_are_one_fill(row, pair):
    """No execution is ever told, only orders, and each twice."""
    verdict = row(
        "P.ws_private.order -> duplicate(0)",
        "P.ws_private.fill -> lose(0)",
        cycles=4,
        outcome="R",
        **pair,
    )
    assert total(verdict.fills("P")) == total(verdict.fills("H"))
    assert verdict.worst <= verdict.scenario.size


@pytest.mark.fault("FL-11", tier=1)
@PAIRS
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_fl_11_orders_and_executions_tell_the_same_in_any_order(row, seed, pair):
    """Whichever is told first counts, the other one confirms it. What is finer than the hedge's
    lot is left."""
    verdict = row(
        "X.ws_private.between(0, 60s) -> reorder(2)",
        "P.place.maker -> fill(0.4q, at=resting)",
        cycles=4,
        seed=seed,
        outcome="R",
        **pair,
    )
    left = total(verdict.fills("P")) - total(verdict.fills("H"))
    assert abs(left) < verdict.truth["H"].market.step
    for quote in quotes(verdict):
        assert booked(verdict, quote) == quote.filled


@pytest.mark.fault("FL-12", tier=1)
@PAIRS
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_fl_12_an_end_before_the_last_fill_forgets_nothing(row, seed, pair):
    """Five frames are held back and told in another order; what is held back for long is asked."""
    verdict = row(
        "P.ws_private.between(0, 60s) -> reorder(5)",
        "P.place.nth(1) -> fill(0.3q, at=resting)",
        "P.cancel.nth(1) -> fill(0.3q, at=after_cancel_send)",
        seed=seed,
        outcome="R",
        **CALM,
        **pair,
    )
    assert total(verdict.fills("P")) == total(verdict.fills("H"))
    for quote in quotes(verdict):
        assert booked(verdict, quote) == quote.filled
    assert one_after_another(quotes(verdict))


@pytest.mark.fault("FL-14", tier=1)
@PAIRS
@pytest.mark.parametrize("size", ["+size", "-size"])
def test_fl_14_somebody_elses_fill_is_never_ours(row, size, pair):
    """A trade by hand while our quote rests. It stays what it is: no part of our fills or volume;
    ours is pulled, and the run ends."""
    verdict = row(
        f"P.at(1s) -> manual_trade({size})",
        tags=["external"],
        outcome="HF",
        **ONCE,
        **pair,
    )
    assert alarms(verdict, "external")
    assert journal(verdict, "trade") == []
    assert verdict.summary["volume"] in ("0", "0.00", 0)
    (quote,) = quotes(verdict)
    assert ended(quote) - began(quote) < 1 + 5
    assert hedges(verdict) == []


@pytest.mark.fault("FL-14", tier=1)
@PAIRS
def test_fl_14_nor_is_the_fill_of_a_second_bots_order(row, pair):
    """It rests at our price under an id of its own, and fills. We leave the rest of it alone, and
    what it traded, too: that is its exposure, not ours (O2)."""

    async def compete(lab):
        quote = await resting(lab, 1)
        theirs = SimOrder(
            account=quote.account,
            symbol=quote.symbol,
            side=quote.side,
            size=2 * quote.size,
            price=quote.price,
            client_id="99",
        )
        lab.own(theirs)
        await asyncio.sleep(0.5)
        lab.truth["P"].exchange.fill(theirs, quote.size)

    verdict = row(during=compete, tags=["external"], outcome="HF", allow=("O2",), **ONCE, **pair)
    theirs = next(order for order in verdict.orders("P") if order.client_id == "99")
    assert theirs.live
    assert journal(verdict, "trade") == []
    assert hedges(verdict) == []
    assert said(verdict, "foreign fill on primary")


@pytest.mark.fault("FL-15", tier=1)
@PAIRS
@pytest.mark.parametrize(
    "lost",
    ["P.ws_private.fill -> lose(1)", "P.ws_private.between(40ms, 2s) -> lose(0)"],
    ids=["the fill", "all that tells of it"],
)
def test_fl_15_a_fill_that_a_healthy_stream_lost_is_found(row, lost, pair):
    verdict = row(
        lost, "P.place.nth(1) -> fill(q, at=resting, after=100ms)", outcome="R", **ONCE, **pair
    )
    (fill,) = verdict.fills("P")
    assert hedged_within(verdict, fill) < LIGHT
    assert booked(verdict, fill.order) == fill.size


@pytest.mark.fault("FL-15", tier=1)
@PAIRS
def test_fl_15_so_is_a_part_while_the_rest_goes_on_resting(row, pair):
    verdict = row(
        "P.ws_private.between(40ms, 2s) -> lose(0)",
        "P.place.nth(1) -> fill(0.4q, at=resting, after=100ms)",
        outcome="R",
        **{**ONCE, "fill_timeout": 30},
        **pair,
    )
    fill = verdict.fills("P")[0]
    assert hedged_within(verdict, fill) < LIGHT + SOON
    assert neutral(verdict)


@pytest.mark.fault("FL-16", tier=1)
@PAIRS
def test_fl_16_a_position_that_knows_of_a_fill_before_us_counts_for_nothing(row, pair):
    """Positions are read every second, the fill is told after three. (Where reads lag, they wait
    after a command; so does the fill.)"""
    pause = 50 + row.kind("P", **pair).SPEC.reads_lag_ms
    verdict = row(
        f"P.place.nth(1) -> fill(q, at=resting, after={pause}ms, report_delay=3s)",
        reconcile_full=1,
        reconcile_light=1,
        outcome="R",
        **ONCE,
        **pair,
    )
    (fill,) = verdict.fills("P")
    assert said(verdict, "our fills say 0"), "the position was read before the fill was told"
    assert total(verdict.fills("H")) == fill.size
    assert len(hedges(verdict)) == 1
    assert booked(verdict, fill.order) == fill.size


@pytest.mark.fault("FL-17", tier=1)
@PAIRS
def test_fl_17_ten_pieces_in_fifty_milliseconds_are_hedged_exactly(row, pair):
    """What is under way is reserved: a second order is sent for what came since, and what comes
    while two are under way waits for one of them. None of them counts as a failed attempt."""
    verdict = row(
        "P.place.nth(1) -> fill(q/10, at=resting) x 10 at 5ms", outcome="R", **ONCE, **pair
    )
    assert len(verdict.fills("P")) == 10
    assert total(verdict.fills("H")) == total(verdict.fills("P"))
    assert len(hedges(verdict)) < 8
    assert not sent(verdict, "P", "unwind")
    intents = [i for i in journal(verdict, "intent") if i["purpose"] == "hedge"]
    assert len({i["price"] for i in intents}) == 1, "nothing failed: no wider band"
    assert max(_under_way(verdict)) <= 2
    assert verdict.to_flat < SOON + held_up(verdict)


def _under_way(verdict):
    """How many hedges were under way when each was sent."""
    spans = [(seconds_at(o.created_ns), seconds_at(o.updated_ns)) for o in hedges(verdict)]
    for began_at, _ in spans:
        yield sum(a <= began_at < b or a == began_at for a, b in spans)


@pytest.mark.fault("FL-18", tier=2)
@PAIRS
def test_fl_18_a_fill_larger_than_the_order_is_hedged_and_ends_the_run(row, pair):
    verdict = row(
        "P.place.nth(1) -> fill(1.5q, at=resting)",
        tags=["contradiction"],
        outcome="HF",
        **{**CALM, "cycles": 5},
        **pair,
    )
    assert (
        total(verdict.fills("H")) == total(verdict.fills("P")) == D("1.5") * verdict.scenario.size
    )
    assert verdict.to_flat < SOON
    assert alarms(verdict, "overfill")
    assert alarms(verdict, "halt")
    assert len(quotes(verdict)) == 1


@pytest.mark.fault("FL-18", tier=2)
@PAIRS
def test_fl_18_a_fill_on_the_wrong_side_is_hedged_and_ends_the_run(row, pair):
    """The venue sold where it was told to buy."""
    verdict = row(
        "P.place.nth(1) -> X.move(5), mutate(side=sell, post_only=False)",
        tags=["contradiction"],
        outcome="HF",
        **{**CALM, "cycles": 5},
        **pair,
    )
    assert verdict.position("P") == -verdict.scenario.size
    assert verdict.position("H") == verdict.scenario.size
    assert verdict.to_flat < SOON
    assert "side" in verdict.summary["reason"]


@pytest.mark.fault("FL-19", tier=1)
@PAIRS
def test_fl_19_fills_are_read_page_after_page_to_the_last(row, monkeypatch, pair):
    """Thirty fills while the stream is down, told two a page. (Where nothing else tells that a page
    was cut, its size does.)"""
    kind = row.kind("P", **pair)
    if hasattr(kind, "FILLS_PAGE"):
        monkeypatch.setattr(kind, "FILLS_PAGE", 2)
    verdict = row(
        "P.place.nth(1) -> fill(q/30, at=resting) x 30 at 20ms",
        "P.ws_private.disconnect(3s).at(40ms)",
        "P.cancel.maker -> drop_request x 1",
        "P.query_fills -> page(2)",
        "P.query_order.between(0, 3s) -> http(503)",
        size="0.9",
        outcome="R",
        **ONCE,
        **pair,
    )
    assert len(verdict.fills("P")) == 30
    assert total(verdict.fills("H")) == total(verdict.fills("P"))
    (quote,) = {fill.order.client_id: fill.order for fill in verdict.fills("P")}.values()
    assert len(trades(verdict, quote)) == 30
    assert verdict.counts[verdict.scenario.primary, "rest", "query_fills"] >= 15


@pytest.mark.fault("FL-13", tier=2)
@PAIRS
@pytest.mark.parametrize("missing", ["fee=None", "price=None, fee=None"])
def test_fl_13_no_hedge_waits_for_a_price_or_a_fee(row, missing, pair):
    """The books are completed when the same fill is read with its fee."""
    verdict = row(
        f"P.ws_private.fill -> mutate({missing})",
        "P.place.nth(1) -> fill(q, at=resting)",
        outcome="R",
        **ONCE,
        **pair,
    )
    (fill,) = verdict.fills("P")
    assert hedged_within(verdict, fill) < at_once(verdict)
    (trade,) = [t for t in journal(verdict, "trade") if t["client_id"] == fill.order.client_id]
    told = [line["fee"] for line in journal(verdict, "fee")]
    (fee,) = [fee for fee in (trade["fee"], *told) if fee is not None]
    assert told_exactly(fee, fill)
    assert verdict.summary["fees_unknown"] == 0

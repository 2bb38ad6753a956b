"""Combinations of faults: C-01 to C-10 of the fault matrix; found in the wild, or a step away."""

from __future__ import annotations

import asyncio
import dataclasses
from decimal import Decimal

import pytest
from faults.moments import (
    EACH_FILLS,
    FIRST_FILLS,
    STILL,
    fills_of,
    journal,
    notes,
    resting,
    sent,
    to_hedge,
    until,
)
from faults.telling import (
    CALM,
    SOON,
    SWAPPED,
    asked_at,
    began,
    booked,
    ended,
    hedged_within,
    hedges,
    on_cancel,
    on_hedge,
    one_after_another,
    quotes,
    total,
    traded_at,
)

from mpdex.types import OrderStatus

D = Decimal
PAIRS = pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])


def neutral(verdict):
    return verdict.position("P") + verdict.position("H") == 0


@pytest.mark.fault("C-01", tier=1)
@PAIRS
def test_c_01_a_cancel_that_was_only_acknowledged_and_a_fill_while_nobody_listens(row, pair):
    """OE-12 and WS-01: the cancel is acknowledged and not done, the stream is lost right after, and
    the order fills in the gap."""
    verdict = row(
        "P.cancel.nth(1) -> ack_ok, fill(q, at=after_cancel_ack, after=2s)",
        "P.cancel.between(0s, 60s) -> ack_ok x 3",
        during=on_cancel(1, "P.ws_private.disconnect(4s).at(150ms)"),
        outcome="R",
        idle=True,
        **CALM,
        **pair,
    )
    fill = verdict.fills("P")[0]
    assert fill.order is quotes(verdict)[0]
    assert hedged_within(verdict, fill) < 5.0, "when the venue could be asked again at the latest"
    assert one_after_another(quotes(verdict))
    assert len(hedges(verdict)) == 1
    assert neutral(verdict)


@pytest.mark.fault("C-02", tier=1)
@pytest.mark.parametrize(
    ("pair", "again"), [(SWAPPED, 1.0), (SWAPPED, 4.0), ({}, 4.0)], ids=["rest", "late", "socket"]
)
@pytest.mark.parametrize("fills", [True, False])
def test_c_02_an_order_that_lands_after_the_process_has_died(row, pair, again, fills):
    """OE-03 and PR-02: the order lands two seconds after the next run has begun, or before that; in
    either case the first questions find nothing. It rests, or it fills as it lands."""
    what = ", fill(q, at=before_place_ack)" if fills else ""
    verdict = row(
        f"P.place.maker.nth(1) -> delay(3s, land=true){what}",
        "P.query_order -> not_found x 2",
        "proc.crash(after_send, maker)",
        outcome="R",
        restart_after=again,
        **{**CALM, "size": "0.05"},
        **pair,
    )
    assert verdict.exit_codes == [None, 0]
    first = intents(verdict, "maker")[0]["client_id"]
    late = next(order for order in quotes(verdict) if order.client_id == first)
    assert began(late) - asked_at(verdict, first) > 2.5
    assert one_after_another(quotes(verdict)), "no quote before its fate was known"
    assert late.filled == booked(verdict, late) == (D("0.05") if fills else 0)
    if fills:
        assert hedged_within(verdict, verdict.fills("P")[0]) < again + 2.0
    else:
        assert late.reason == "client", "it was pulled"
    assert neutral(verdict)


@pytest.mark.fault("C-02", tier=1)
def test_c_02_a_cancel_that_overtakes_the_order_ends_it(row):
    """Where a venue remembers cancels for a while, the next run's first words reach it before the
    order does, which then never comes to life."""
    verdict = row(
        "P.place.maker.nth(1) -> delay(3s, land=true)",
        "proc.crash(after_send, maker)",
        outcome="R",
        **CALM,
    )
    first = intents(verdict, "maker")[0]["client_id"]
    assert first not in [order.client_id for order in quotes(verdict) if order.filled or order.live]
    assert one_after_another(quotes(verdict))
    assert neutral(verdict)


@pytest.mark.fault("C-03", tier=1)
@pytest.mark.parametrize("lost", ["drop_response", "drop_request"])
def test_c_03_a_hedge_that_nothing_can_be_learned_about_for_a_while(row, lost):
    """HG-06, WS-02 and RL-02: its answer is lost, its stream is down, and questions are over the
    limit. Until one of them tells, nothing is sent in its place."""
    seconds = 3
    verdict = row(
        f"H.place.hedge.nth(1) -> {lost}",
        during=on_hedge(
            1,
            f"H.query_*.between(0s, {seconds}s) -> http(429, retry_after=1)",
            "H.ws_private.disconnect(4s)",
        ),
        cycles=4,
        outcome="D",
    )
    first = asked_at(verdict, next(iter(hedge_ids(verdict))))
    again = asked_at(verdict, hedge_ids(verdict)[1])
    assert again - first > seconds
    made = total(fills_of(verdict, "P", "maker")) - total(fills_of(verdict, "P", "unwind"))
    assert total(fills_of(verdict, "H", "hedge")) == made
    assert max(to_hedge(verdict)) < (SOON if lost == "drop_response" else 12.0)
    assert neutral(verdict)


def hedge_ids(verdict):
    """Client ids of the hedges that were meant to be sent, oldest first."""
    return [line["client_id"] for line in journal(verdict, "intent") if line["purpose"] == "hedge"]


@pytest.mark.fault("C-04", tier=1)
def test_c_04_crumbs_on_one_side_and_halves_on_the_other(row):
    """FL-02, HG-04 and ST-05: quotes fill in ten parts, each of them less than a hedge can be, and
    every third hedge finds half of what it needs. Twenty cycles; the thousand are ST-05's."""
    verdict = row(
        "P.place.maker -> fill(q/10) x 10 at 60ms",
        "H.place.hedge.every(3) -> thin(0.01, 100ms)",
        source=STILL,
        cycles=20,
        markets={"H": {"step": D("0.01"), "min_size": D("0.03")}},
        outcome="R",
    )
    assert neutral(verdict)
    assert min(order.size for order in hedges(verdict)) >= D("0.03")
    assert any(order.filled < order.size for order in hedges(verdict))
    cycles = journal(verdict, "cycle")
    assert sum(cycle["counts"] for cycle in cycles) == 20
    assert not [cycle for cycle in cycles if cycle["outcome"] in ("unwound", "failed")]
    assert all(order.status is not OrderStatus.REJECTED for order in verdict.orders("H"))


@pytest.mark.fault("C-05", tier=1)
def test_c_05_a_venue_that_comes_back_knows_nobody(row):
    """HG-12 and AU-01: the hedge is down for a minute from the instant of a fill, and its sessions
    are over when it returns. The hedge went out by the way that was left and was cut off: while the
    venue is gone nobody can know whether it arrived, so nothing is unwound before that is proven. A
    new login and a probe bring the run back."""
    verdict = row(
        "P.trade.maker.nth(2) -> H.halt(down, 60s), H.expire",
        cycles=6,
        outcome="D",
        timeout=900,
        **SWAPPED,
    )
    assert len(sent(verdict, "P", "unwind")) == 1
    assert 60.0 < verdict.to_flat < 65.0, "as soon as it is proven"
    assert verdict.counts["grvt", "rest", "auth"] >= 2
    unwound = ended(sent(verdict, "P", "unwind")[0])
    later = [order for order in quotes(verdict) if began(order) > unwound]
    probe = sent(verdict, "H", "canary")[-1]
    assert unwound < began(probe) < began(later[0]), "not before it has proven itself"
    assert neutral(verdict)


@pytest.mark.fault("C-06", tier=1)
@PAIRS
def test_c_06_asleep_while_the_quote_fills_and_expires(row, pair):
    """PR-07 and OE-21: a part fills before the machine sleeps, another part while it does, and the
    venue ends the order in between; after waking up all of it is found and hedged once."""

    async def during(lab):
        quote = await resting(lab, 2)
        lab.faults.add("P.fill(0.3q)")
        lab.faults.add("P.fill(0.4q).at(3s)")
        await until(lambda: quote.filled)
        lab.faults.add("proc.suspend(30000)")
        await until(lambda: not quote.live)
        lab.faults.add(EACH_FILLS)

    verdict = row(
        FIRST_FILLS,
        "P.place.maker.nth(2) -> mutate(expires=6s)",
        source=STILL,
        cycles=3,
        fill_timeout=20,
        outcome="D",
        during=during,
        **pair,
    )
    expired = quotes(verdict)[1]
    assert expired.reason == "expired"
    assert expired.filled == booked(verdict, expired) == D("0.7") * expired.size
    assert "without a look at anything" in notes(verdict)
    assert one_after_another(quotes(verdict))
    assert max(to_hedge(verdict)) < 36.0, "five seconds after waking up at most"
    assert neutral(verdict)


@pytest.mark.fault("C-07", tier=1)
def test_c_07_one_leg_is_taken_while_the_other_cannot_be_reached(row):
    """AC-01 and HG-12: the pair's long leg is liquidated, the short one is naked, and its venue is
    down for a minute. Somebody is called at once, and the leg is closed when that can be done."""

    async def during(lab):
        await until(lambda: lab.truth["H"].position)
        await asyncio.sleep(2)
        lab.faults.add("H.halt(down, 60s)")
        lab.faults.add("P.liquidate(all)")

    verdict = row(
        FIRST_FILLS,
        source=STILL,
        cycles=4,
        tags=["external"],
        outcome=("HF", "HE"),
        during=during,
        timeout=900,
    )
    (taken,) = [traded_at(fill) for fill in verdict.fills("P") if not fill.order.client_id]
    pages = [a for a in journal(verdict, "alarm") if a["page"]]
    assert pages
    assert neutral(verdict)
    assert verdict.to_flat < 75.0
    assert not [order for order in quotes(verdict) if began(order) > taken + SOON]


@pytest.mark.fault("C-08", tier=1)
def test_c_08_a_ghost_book_a_storm_of_refusals_and_a_shrinking_budget(row, monkeypatch):
    """MD-06, OE-07 and RL-05: the book is lost while prices move, every quote of the next five
    seconds would cross, and each request costs one of what is left."""
    from strategies.questions import Questions

    ask = Questions._account
    seen = {}

    async def account(self, role):
        read = await ask(self, role)
        left = seen["left"]() if role == "primary" and "left" in seen else 10_000
        return dataclasses.replace(read, requests_left=left)

    monkeypatch.setattr(Questions, "_account", account)

    async def during(lab):
        await resting(lab, 2)
        before = spent(lab)
        seen["left"] = lambda: 400 - (spent(lab) - before)
        lab.faults.add("P.ws_public.disconnect(3s)")
        lab.faults.add("X.move(-50).at(1s)")
        lab.faults.add("P.place.maker.between(3s, 14s) -> reject(POST_ONLY)")

    def spent(lab):
        return sum(lab.world.counts["grvt", "ws", op] for op in ("place", "cancel"))

    verdict = row(
        EACH_FILLS,
        source=STILL,
        cycles=400,
        outcome=6,
        timeout=120,
        during=during,
        allow=("END",),
    )
    tried = [asked_at(verdict, line["client_id"]) for line in intents(verdict, "maker")]
    busiest = max(sum(1 for at in tried if since <= at < since + 1) for since in tried)
    assert busiest <= 3 + 1
    moved = [order for order in quotes(verdict)[2:] if order.status is not OrderStatus.REJECTED]
    assert all(abs(order.price - D(2985)) < 1 for order in moved), "no ghost was quoted against"
    assert seen["left"]() > 0
    assert "requests" in "".join(notes(verdict))
    assert max(to_hedge(verdict)) < SOON
    assert neutral(verdict)


def intents(verdict, purpose):
    return [line for line in journal(verdict, "intent") if line["purpose"] == purpose]


@pytest.mark.fault("C-09", tier=1)
def test_c_09_killed_again_and_again_while_fills_come_in(row):
    """PR-05 and FL-06: the quote fills in parts, one before the first crash, one after each start;
    two recoveries are killed. What the third finds is hedged, once."""
    verdict = row(
        "P.place.maker.nth(1) -> fill(0.3q, at=resting, after=300ms)",
        "proc.crash(after_fill_recv, maker)",
        "proc.crash(in_recovery)",
        "P.fill(0.3q, at=after_restart)",
        source=STILL,
        cycles=2,
        fill_timeout=3,
        on_complete="neutral",
        outcome="R",
        force=True,
    )
    assert verdict.exit_codes == [None, None, 0]
    made = total(verdict.fills("P"))
    assert made >= D("0.06")
    assert total(verdict.fills("H")) == made
    first = quotes(verdict)[0]
    assert booked(verdict, first) == first.filled
    assert neutral(verdict)


@pytest.mark.fault("C-10", tier=1)
@pytest.mark.parametrize("at", ["2s", "7s", "9500ms"])
def test_c_10_a_late_hedge_and_a_human_who_helps(row, at):
    """HG-15 and AC-03: the hedge is on its way for nine seconds, although its request is valid for
    five; the operator sees a naked leg and sells by hand: before the bot gives the hedge up, after
    it has acted, or after the hedge has arrived all the same."""

    async def ignore_time(lab):
        venue = lab.world.venues[lab.venue("H")]
        venue._check_time = lambda stamp, window: None
        await until(lambda: lab.truth["P"].fills)
        lab.faults.add(f"H.manual_trade(-0.1).at({at})")

    verdict = row(
        FIRST_FILLS,
        "H.place.hedge.nth(1) -> delay(9000, land=true)",
        source=STILL,
        during=ignore_time,
        cycles=4,
        direction="long-first",
        tags=["contradiction", "external"],
        outcome=("HF", "HE"),
    )
    assert {a["topic"] for a in journal(verdict, "alarm") if a["page"]} >= {"external", "halt"}
    assert verdict.position("P") + verdict.position("H") == D("-0.1"), "his trade, and nothing else"
    made = total(fills_of(verdict, "P", "maker")) - total(fills_of(verdict, "P", "unwind"))
    sides = [(f.size if f.order.side == "sell" else -f.size) for f in ours(verdict, "H")]
    assert sum(sides) == made, "of ours, each is offset once"
    (helped,) = [traded_at(fill) for fill in verdict.fills("H") if not fill.order.client_id]
    assert not [order for order in quotes(verdict) if began(order) > helped + SOON]


def ours(verdict, leg):
    return [fill for fill in verdict.fills(leg) if fill.order.client_id]

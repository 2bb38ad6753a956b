"""The account and what others do to it: AC-01 to AC-16 of the fault matrix."""

from __future__ import annotations

import asyncio
import dataclasses
from decimal import Decimal

import pytest
from faults.moments import FIRST_FILLS, STILL, fills_of, journal, resting, sent, until
from faults.telling import CALM, SWAPPED, alarms, began, ended, hedges, quotes, said, traded_at

from exchange_factory import load
from mpdex.lab.run import Lab, Verdict
from mpdex.lab.truth import Leg
from mpdex.sim.records import SimFill, SimOrder
from strategies.checks import check_pair
from strategies.config import HedgeConfig
from strategies.findings import Findings

D = Decimal
EXTERNAL = ["external"]
# One pair opens and then waits to be closed: nobody trades by himself.
OPEN = {"source": STILL, "fill_timeout": 2, "cycles": 4}
SURVIVOR: dict[Leg, tuple[Leg, str]] = {"P": ("H", "hedge"), "H": ("P", "unwind")}


def by_force(verdict: Verdict, leg: Leg) -> SimFill:
    """The execution that no order of the bot's made."""
    (fill,) = [f for f in verdict.fills(leg) if not f.order.client_id]
    return fill


def pages(verdict: Verdict) -> list[str]:
    return [a["topic"] for a in journal(verdict, "alarm") if a["page"]]


def account(lab: Lab, leg: Leg):
    return next(iter(lab.truth[leg].exchange.accounts.values()))


async def opened(lab: Lab) -> None:
    """The first pair is open, and neutral."""
    await until(lambda: lab.truth["P"].position and not lab.truth.exposure)


def closed_alone(verdict: Verdict, leg: Leg, fill: SimFill, *, seen: bool = True) -> SimOrder:
    """The one order that reduced the other leg after one was taken away; nothing was quoted then.

    Args:
        seen: nothing was quoted since it was taken, either.
    """
    other, purpose = SURVIVOR[leg]
    (order,) = [o for o in sent(verdict, other, purpose) if began(o) > traded_at(fill)]
    assert order.reduce_only
    assert order.filled == order.size == fill.size
    since = traded_at(fill) if seen else began(order)
    assert not [q for q in quotes(verdict) if began(q) > since]
    return order


# --------------------------------------------------------------------------- a leg is taken away


@pytest.mark.fault("AC-01", tier=1)
@pytest.mark.parametrize("leg", ["P", "H"])
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["grvt", "backpack"])
def test_ac_01_when_one_leg_is_liquidated_the_other_is_reduced(row, leg, pair):
    verdict = row(FIRST_FILLS, f"{leg}.liquidate(all)", outcome="HF", tags=EXTERNAL, **OPEN, **pair)
    taken = by_force(verdict, leg)
    order = closed_alone(verdict, leg, taken)
    assert ended(order) - traded_at(taken) <= 2
    assert verdict.position("P") == verdict.position("H") == 0
    assert {"external", "halt"} <= set(pages(verdict))


@pytest.mark.fault("AC-01", tier=1)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_ac_01_a_liquidation_that_no_stream_told_of_is_found(row, leg):
    """Neither the fill nor the position is told: an open leg is looked at every 25 s."""
    verdict = row(
        FIRST_FILLS,
        f"{leg}.liquidate(all)",
        f"{leg}.ws_private.between(500ms, 10m) -> lose(0)",
        outcome="HF",
        tags=EXTERNAL,
        **OPEN,
    )
    taken = by_force(verdict, leg)
    order = closed_alone(verdict, leg, taken, seen=False)
    assert ended(order) - traded_at(taken) <= 30
    assert verdict.position("P") == verdict.position("H") == 0
    assert {"external", "halt"} <= set(pages(verdict))


@pytest.mark.fault("AC-02", tier=1)
@pytest.mark.parametrize("leg", ["P", "H"])
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["grvt", "backpack"])
def test_ac_02_what_deleveraging_takes_is_reduced_on_the_other_leg(row, leg, pair):
    verdict = row(FIRST_FILLS, f"{leg}.adl(0.4q)", outcome="HF", tags=EXTERNAL, **OPEN, **pair)
    taken = by_force(verdict, leg)
    order = closed_alone(verdict, leg, taken)
    assert order.size == D("0.4") * verdict.scenario.size
    assert ended(order) - traded_at(taken) <= 2
    assert verdict.position("P") == -verdict.position("H") == D("0.6") * verdict.scenario.size


# --------------------------------------------------------------------------- by hand

HANDS = [("P", "q"), ("P", "-q"), ("H", "q"), ("H", "-q"), ("P", "0.5q"), ("H", "-0.5q")]


@pytest.mark.fault("AC-03", tier=1)
@pytest.mark.parametrize(("leg", "size"), HANDS)
def test_ac_03_a_trade_by_hand_ends_the_run_and_ours_is_neutral(row, leg, size):
    """What the operator added stays his; of what he took away the other leg is reduced."""
    verdict = row(FIRST_FILLS, f"{leg}.manual_trade({size})", outcome="HF", tags=EXTERNAL, **OPEN)
    hand = by_force(verdict, leg)
    assert not [q for q in quotes(verdict) if began(q) > traded_at(hand)]
    assert {"external", "halt"} <= set(pages(verdict))
    ours = verdict.position("P") + verdict.position("H")
    his = hand.size if hand.order.side == "buy" else -hand.size
    takes = his < 0 if leg == "P" else his > 0  # we are long on P and short on H
    if takes:
        closed_alone(verdict, leg, hand)
        assert ours == 0
    else:
        assert [o for o in verdict.orders("H") if began(o) > traded_at(hand)] == []
        assert ours == his
    booked = [t["trade_id"] for t in journal(verdict, "trade")]
    assert str(hand.trade_id) not in booked


@pytest.mark.fault("AC-03", tier=1)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_ac_03_adopted_it_stays_and_the_run_goes_on(row, leg):
    verdict = row(
        f"{leg}.manual_trade(q)" if leg == "P" else f"{leg}.manual_trade(-q)",
        outcome="R",
        tags=EXTERNAL,
        on_external="adopt",
        cycles=4,
    )
    hand = by_force(verdict, leg)
    his = hand.size if hand.order.side == "buy" else -hand.size
    assert len([q for q in quotes(verdict) if began(q) > traded_at(hand)]) > 2
    assert verdict.position(leg) == his
    assert verdict.position("H" if leg == "P" else "P") == 0


@pytest.mark.fault("AC-03", tier=1)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_ac_03_neutralised_it_is_offset_and_the_run_goes_on(row, leg):
    """It is half of a clip and adds to the leg, so the pair is larger from then on."""
    verdict = row(
        FIRST_FILLS,
        f"{leg}.manual_trade(0.5q)" if leg == "P" else f"{leg}.manual_trade(-0.5q)",
        outcome="R",
        tags=EXTERNAL,
        on_external="neutralise",
        flatten_patience=5,
        **OPEN,
    )
    hand = by_force(verdict, leg)
    (repair, *_) = [o for o in hedges(verdict) if began(o) > traded_at(hand)]
    assert repair.filled == hand.size
    assert ended(repair) - traded_at(hand) < 6
    assert [q for q in quotes(verdict) if began(q) > ended(repair)]
    assert verdict.position("P") == verdict.position("H") == 0


@pytest.mark.fault("AC-04", tier=1)
def test_ac_04_a_pair_closed_by_hand_is_one_neutral_change(row):
    verdict = row(
        FIRST_FILLS,
        "P.manual_trade(-q)",
        "H.manual_trade(q)",
        outcome="HF",
        tags=EXTERNAL,
        **OPEN,
    )
    hand = by_force(verdict, "H")
    after = [o for leg in ("P", "H") for o in verdict.orders(leg) if began(o) > traded_at(hand)]
    assert after == [], "there was nothing left to trade"
    assert verdict.position("P") == verdict.position("H") == 0
    assert "primary" in verdict.summary["reason"]
    assert "hedge" in verdict.summary["reason"]
    assert {"external", "halt"} <= set(pages(verdict))


# --------------------------------------------------------------------------- orders of others


CANCELS = [
    ([], "R"),
    (["P.cancel.nth(1) -> ack_ok", "P.cancel.nth(2) -> drop_request"], "R"),
    (["P.cancel.between(0, 25s) -> ack_ok"], "HF"),
    (["crash(after_ack, maker)"], "R"),
    ([FIRST_FILLS, "H.place.hedge -> reject(MARGIN)"], "HF"),
]


@pytest.mark.fault("AC-05", tier=1)
@pytest.mark.parametrize(("rules", "outcome"), CANCELS)
def test_ac_05_orders_of_the_user_survive_all_our_cancels(row, rules, outcome):
    """One far below and one far above, on both venues, with an id and without one."""
    others: list[SimOrder] = []

    async def place(lab: Lab) -> None:
        for leg in ("P", "H"):
            truth = lab.truth[leg]
            mark = truth.exchange.mark(truth.symbol)
            for side, share, client_id in (("buy", "0.9", ""), ("sell", "1.1", "777")):
                price = (mark * D(share)).quantize(truth.market.tick)
                order = SimOrder(
                    account=account(lab, leg).name,
                    symbol=truth.symbol,
                    side=side,
                    size=D("0.1"),
                    price=price,
                    client_id=client_id,
                )
                others.append(lab.own(order))

    verdict = row(*rules, during=place, outcome=outcome, restart_after=0.01, **CALM)
    assert len(others) == 4
    assert all(order.live for order in others)
    assert [o for o in quotes(verdict) if o.reason == "client" or o.filled]


# --------------------------------------------------------------------------- margin


@pytest.mark.fault("AC-06", tier=1)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_ac_06_a_leg_that_nears_liquidation_is_closed_with_the_other(row, leg):
    """Long here, short there: the pair loses nothing by it, but one account runs dry. Where it is
    the hedge's, the quote that closes is held back by a thin book, else it fills as prices rise."""
    sign = -1 if leg == "P" else 1

    async def drain(lab: Lab) -> None:
        account(lab, leg).cash = D(33)  # 11 % of the pair's value
        await opened(lab)
        if leg == "H":
            lab.faults.add("H.thin(0.15)")
        await asyncio.sleep(70)  # margin has been read since
        for _ in range(28):
            lab.faults.add(f"X.move({sign * 25})")
            await asyncio.sleep(5)

    verdict = row(
        FIRST_FILLS,
        during=drain,
        **{**OPEN, "fill_timeout": 600, "cycles": 2},
        flatten_patience=5,
        leverage="20",
        outcome=("D", "6"),
    )
    assert verdict.position("P") == verdict.position("H") == 0
    assert [f for f in verdict.fills(leg) if f.order.reason == "liquidation"] == []
    (told,) = [text for text in alarms(verdict, "reduce") if "would be liquidated" in text]
    assert "move collateral there from" in told
    assert "liquidated 4." in told


@pytest.mark.fault("AC-06", tier=1)
def test_ac_06_no_pair_is_opened_near_liquidation(row):
    """Between 8 and 5 % nothing is opened, and nothing is closed in haste."""

    async def drain(lab: Lab) -> None:
        await opened(lab)
        account(lab, "H").cash = D(24)

    verdict = row(
        FIRST_FILLS,
        during=drain,
        **{**OPEN, "fill_timeout": 60, "cycles": 2},
        max_position="0.2",
        leverage="50",
        on_complete="neutral",
        outcome="D",
    )
    read = began(quotes(verdict)[0]) + 62
    assert len(quotes(verdict)) > 1
    assert [q for q in quotes(verdict) if began(q) > read] == []
    assert said(verdict, "hedge would be liquidated")
    assert "reducing" not in verdict.visited


@pytest.mark.fault("AC-07", tier=1)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_ac_07_a_pair_is_closed_without_any_free_margin(row, leg):
    """At five times leverage a clip ties up 60; 30 of equity are left when it is to be closed."""
    free: list[Decimal] = []

    async def drain(lab: Lab) -> None:
        await opened(lab)
        truth = lab.truth[leg]
        holder = account(lab, leg)
        holder.cash = D(30)
        free.append(truth.exchange.free(holder.name))
        await asyncio.sleep(70)  # margin has been read since
        truth_p = lab.truth["P"]
        quote = await resting(lab)
        truth_p.exchange.fill(quote, quote.size)

    verdict = row(
        FIRST_FILLS,
        during=drain,
        **{**OPEN, "fill_timeout": 60, "cycles": 2},
        leverage="5",
        outcome="R",
    )
    assert free
    assert free[0] < 0
    assert verdict.position("P") == verdict.position("H") == 0
    assert len(fills_of(verdict, "P", "maker")) == 2


# --------------------------------------------------------------------------- funding


@pytest.mark.fault("AC-09", tier=1)
@pytest.mark.parametrize(
    ("direction", "rate"), [("long-first", "-50 bps"), ("short-first", "50 bps")]
)
def test_ac_09_a_pair_that_funding_bleeds_is_closed_before_it_is_due(row, direction, rate):
    """The hedge pays 50 bps at the end of the hour; closing by taking costs far less."""
    verdict = row(
        FIRST_FILLS,
        f"H.fund({rate})",
        source=STILL,
        direction=direction,
        fill_timeout=310,
        cycles=2,
        outcome="R",
        timeout=3600,
    )
    (told,) = alarms(verdict, "reduce")
    assert "funding of 50" in told
    assert "is dearer than closing" in told
    assert verdict.position("P") == verdict.position("H") == 0
    assert max(traded_at(f) for f in verdict.fills("H")) < 3600


@pytest.mark.fault("AC-09", tier=1)
@pytest.mark.parametrize(("direction", "sides"), [("long-first", set()), ("funding", {"sell"})])
def test_ac_09_no_pair_is_opened_that_would_have_to_pay(row, direction, sides):
    """It waits for the payment to be over; or opens the other way round, which receives."""

    async def fund(lab: Lab) -> None:
        lab.truth["H"].exchange.fund(D("-0.005"))
        await asyncio.sleep(25)
        lab.stop.ask()

    verdict = row(during=fund, cycles=50, direction=direction, on_exit="flatten", outcome=6)
    opening = [c for c in journal(verdict, "cycle") if not c["closing"] and D(c["filled"])]
    assert {c["direction"] for c in opening} == sides


# --------------------------------------------------------------------------- settings


@pytest.mark.fault("AC-10", tier=1)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_ac_10_a_leverage_that_was_not_set_is_seen(row, leg):
    """The venue says yes and does nothing."""
    verdict = row(f"{leg}.leverage -> ignore", leverage="7", outcome=3)
    assert verdict.orders("P") == verdict.orders("H") == []
    role = "primary" if leg == "P" else "hedge"
    assert f"{role}: leverage is" in verdict.summary["reason"]
    assert "not 7" in verdict.summary["reason"]


@pytest.mark.fault("AC-12", tier=1)
@pytest.mark.parametrize("policy", ["refuse", "keep", "close"])
@pytest.mark.parametrize("leg", ["P", "H"])
def test_ac_12_a_position_from_before_is_refused_kept_or_closed(row, leg, policy):
    async def hold(lab: Lab) -> None:
        truth = lab.truth[leg]
        truth.exchange.manual_trade(account(lab, leg).name, truth.symbol, D("0.15"))

    kept = policy != "close"
    verdict = row(
        during=None if kept else hold,
        cycles=2,
        adopt_baseline=policy,
        baseline={leg: "0.15"} if kept else {},
        outcome=3 if policy == "refuse" else "R",
        tags=[] if kept else EXTERNAL,
        allow=() if kept else ("O5", "O6", "O8"),
    )
    truth = verdict.truth
    held = truth[leg].position + truth[leg].baseline
    assert held == (D("0.15") if kept else 0)
    if policy == "refuse":
        assert "adopt-baseline" in verdict.summary["reason"]
        assert quotes(verdict) == []
    else:
        assert len(fills_of(verdict, "P", "maker")) >= 2
        assert D(verdict.summary["imbalance"]) == 0


@pytest.mark.fault("AC-16", tier=1)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["grvt", "backpack"])
def test_ac_16_one_order_book_under_two_names_is_refused(row, monkeypatch, pair):
    """A venue says whose book it trades on; front ends of one exchange will name the same."""
    for name in ("grvt", "backpack"):
        venue = load(name)
        monkeypatch.setattr(venue, "SPEC", dataclasses.replace(venue.SPEC, order_book="acme"))
    verdict = row(outcome=3, cycles=1, **pair)
    assert verdict.orders("P") == verdict.orders("H") == []
    assert "one order book, acme" in verdict.summary["reason"]


BOOKS = [("", "", True), ("acme", "", True), ("acme", "other", True), ("acme", "acme", False)]


@pytest.mark.fault("AC-16", tier=1)
@pytest.mark.parametrize(("here", "there", "fine"), [*BOOKS, ("backpack", "", False)])
def test_ac_16_books_are_compared_by_their_names(here, there, fine):
    """A venue that names no book has one of its own, of its own name."""
    specs = {
        "primary": dataclasses.replace(load("grvt").SPEC, order_book=here),
        "hedge": dataclasses.replace(load("backpack").SPEC, order_book=there),
    }
    found = Findings()
    check_pair(HedgeConfig(primary="grvt", hedge="backpack", ticker="ETH", size=D(1)), specs, found)
    assert (found.problems == []) is fine

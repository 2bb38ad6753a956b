"""The account and what others do to it: AC-01 to AC-16 of the fault matrix."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from decimal import Decimal

import pytest
from faults.moments import FIRST_FILLS, STILL, fills_of, journal, resting, sent, until
from faults.telling import CALM, SWAPPED, alarms, began, ended, hedges, quotes, said, traded_at

from exchange_factory import load
from mpdex.lab.run import Lab, Verdict
from mpdex.lab.truth import Leg
from mpdex.sim.board import UNIT, Quote
from mpdex.sim.records import SimFill, SimOrder
from mpdex.sim.run import EPOCH_NS
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


NULLS = {
    "P": ["query_balance -> mutate(total_equity=None, available_balance=None)"],
    "H": [
        "query_balance -> mutate(netEquity=None)",
        "query_balance -> mutate(netEquityAvailable=)",
    ],
}


@pytest.mark.fault("AC-08", tier=2)
@pytest.mark.parametrize(
    "rule", [f"{leg}.{rule}" for leg, rules in NULLS.items() for rule in rules]
)
def test_ac_08_margin_that_is_not_told_is_not_taken_for_enough(row, rule):
    verdict = row(rule, outcome=3)
    assert verdict.orders("P") == verdict.orders("H") == []


@pytest.mark.fault("AC-08", tier=2)
@pytest.mark.parametrize("value", ["None", "0"])
def test_ac_08_without_a_liquidation_price_a_bound_by_equity_stands_in(row, value):
    """It is missing in every answer and frame. Equity of 9 % keeps from enlarging the pair, and
    equity of 5 % closes it; then nothing is opened any more."""

    async def drain(lab: Lab) -> None:
        await opened(lab)
        account(lab, "P").cash = D(24)
        await asyncio.sleep(70)
        assert not lab.faults.idle
        account(lab, "P").cash = D(15)

    verdict = row(
        FIRST_FILLS,
        f"P.query_positions -> mutate(liquidation={value})",
        f"P.ws_private -> mutate(liquidation={value})",
        during=drain,
        **{**OPEN, "fill_timeout": 70, "cycles": 3},
        leverage="50",
        outcome="D",
        flatten_patience=5,
    )
    assert said(verdict, "primary would be liquidated") or alarms(verdict, "reduce")
    assert verdict.position("P") == verdict.position("H") == 0


@pytest.mark.fault("AC-08", tier=2)
def test_ac_08_margin_that_is_not_told_any_more_keeps_from_opening(row):
    """After three readings in vain what was told before is not known any more; it is told again
    three minutes later."""

    async def hide(lab: Lab) -> None:
        await resting(lab)
        lab.faults.add("H.query_balance.between(0, 380s) -> mutate(netEquity=None)")

    verdict = row(
        during=hide,
        source=STILL,
        fill_timeout=60,
        cycles=4,
        outcome="D",
    )
    times = [began(q) for q in quotes(verdict)]
    hidden = [t for t in times if times[0] + 205 < t < times[0] + 375]
    assert hidden == []
    assert max(times) > times[0] + 380
    assert said(verdict, "the margin of hedge has not been told for")


# --------------------------------------------------------------------------- funding


@pytest.mark.fault("AC-09", tier=1)
def test_ac_09_a_pair_that_funding_bleeds_is_closed_before_it_is_due(row):
    """The hedge pays 50 bps at the end of the hour; closing by taking costs far less."""
    verdict = row(
        FIRST_FILLS,
        "H.fund(-50 bps)",
        source=STILL,
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
@pytest.mark.parametrize("rate", [D("-0.0005"), D("0.0005")])
def test_ac_09_what_a_pair_pays_or_receives_is_booked(row, monkeypatch, rate):
    """Five basis points are less than closing costs, so the pair is kept. The hour is over 400 s
    after the start: long enough for a pair to be opened before."""
    for module in ("mpdex.sim.run", "mpdex.lab.lab"):
        monkeypatch.setattr(f"{module}.EPOCH_NS", EPOCH_NS + 3200 * 10**9)

    async def told_at_the_start(lab: Lab) -> None:
        lab.truth["H"].exchange.fund(rate)

    verdict = row(
        FIRST_FILLS,
        during=told_at_the_start,
        source=STILL,
        fill_timeout=200,
        cycles=2,
        on_complete="neutral",
        outcome="R",
    )
    (line,) = [told for told in journal(verdict, "funding") if told["role"] == "hedge"]
    (holder,) = verdict.truth["H"].exchange.accounts.values()
    assert abs(D(line["amount"]) - holder.funding) < D("0.001")
    assert (holder.funding < 0) is (rate < 0), "we are short there"
    told = D(verdict.summary["funding"])
    assert abs(told - holder.funding) < D("0.001")
    fees = D(verdict.summary["maker_fees"]) + D(verdict.summary["taker_fees"])
    result = told - fees - D(verdict.summary["spread_cost"])
    assert abs(D(verdict.summary["result"]) - result) < D("0.001")


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


@pytest.mark.fault("AC-11", tier=2)
@pytest.mark.parametrize("venue", ["grvt", "backpack"])
def test_ac_11_an_account_that_keeps_long_and_short_apart_is_refused(row, monkeypatch, venue):
    """Neither venue has such a mode today: this is what a venue that has one will tell."""
    exchange = load(venue)
    decode = exchange.decode_leverage_info

    def apart(self, answer, market):
        return {**decode(self, answer, market), "position_mode": "hedge"}

    monkeypatch.setattr(exchange, "decode_leverage_info", apart)
    verdict = row(outcome=3)
    assert verdict.orders("P") == verdict.orders("H") == []
    assert "switch it to one-way" in verdict.summary["reason"]


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


@pytest.mark.fault("AC-13", tier=2)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["grvt", "backpack"])
def test_ac_13_at_a_limit_of_the_venue_the_maker_waits(row, pair):
    verdict = row("P.place.maker.between(0, 17s) -> reject(OI_CAP)", cycles=2, outcome="R", **pair)
    tries = [i for i in verdict.trail.intents.values() if i.purpose == "maker"]
    times = [i.at_ns / 1e9 for i in tries]
    assert [round(b - a) for a, b in itertools.pairwise(times)][:3] == [5, 5, 5]
    assert len(hedges(verdict)) == len(fills_of(verdict, "P", "maker")) > 0


@pytest.mark.fault("AC-13", tier=2)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["grvt", "backpack"])
def test_ac_13_at_a_limit_of_the_hedge_venue_it_is_unwound(row, pair):
    verdict = row(FIRST_FILLS, "H.place.hedge -> reject(OI_CAP)", outcome="HF", **CALM, **pair)
    (unwind,) = sent(verdict, "P", "unwind")
    assert unwind.filled == verdict.scenario.size
    assert hedges(verdict) == []
    assert verdict.to_flat < 2


@pytest.mark.fault("AC-14", tier=2)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_ac_14_a_withdrawal_shuts_the_gate_at_the_next_reading(row, leg):
    """Nine tenths are gone: not enough for two more clips. Later they are back."""

    async def move_money(lab: Lab) -> None:
        account(lab, leg).cash = D(400)
        await resting(lab)
        lab.faults.add(f"{leg}.withdraw(90%)")
        moved.append(lab.clock.monotonic())
        await asyncio.sleep(100)
        account(lab, leg).cash = D(400)

    moved: list[float] = []
    verdict = row(
        during=move_money,
        source=STILL,
        size="0.3",
        leverage="20",
        fill_timeout=8,
        cycles=14,
        outcome="D",
    )
    times = [began(q) for q in quotes(verdict)]
    shut = [t for t in times if moved[0] + 61 < t < moved[0] + 100]
    assert shut == []
    assert max(times) > moved[0] + 100
    assert said(verdict, "of free margin, 2 clips need")


@pytest.mark.fault("AC-15", tier=2)
def test_ac_15_other_positions_of_the_account_count(row):
    """Somebody holds another coin there, and loses: what is left is no room for two clips."""

    async def hold_another(lab: Lab) -> None:
        exchange = lab.truth["P"].exchange
        symbol = next(s for s, m in exchange.markets.items() if m.coin == "BTC")
        account(lab, "P").cash = D(300)
        price = 90_000 * UNIT
        exchange.on_quote(symbol, Quote([(price, UNIT)], [(price + UNIT, UNIT)], True))
        exchange.manual_trade(account(lab, "P").name, symbol, D("0.01"))
        await resting(lab)
        lost.append(lab.clock.monotonic())
        exchange.move(D(-3000), symbol)

    lost: list[float] = []
    verdict = row(
        during=hold_another, source=STILL, leverage="20", fill_timeout=8, cycles=10, outcome=6,
        timeout=240,
    )  # fmt: skip
    assert said(verdict, "other positions share the margin: BTC")
    assert said(verdict, "of free margin, 2 clips need")
    assert [q for q in quotes(verdict) if began(q) > lost[0] + 61] == []


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

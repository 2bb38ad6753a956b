"""Edges, gates, allowed cost, fees and slippage: by the table of the specification."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpdex.types import Fees
from strategies.config import FeeRates, HedgeConfig
from strategies.costs import (
    SLIPPAGE_FLOOR,
    Costs,
    Rates,
    Terms,
    allowed_cost,
    edge,
    gate_price,
    rates_of,
    session_cap,
)
from strategies.limits import Limits
from test_exchanges.strategies.fake_dex import market

D = Decimal
LIMITS = Limits()


def config(**changes: Any) -> HedgeConfig:
    return HedgeConfig(**{"primary": "p", "hedge": "h", "ticker": "X", "size": D(1), **changes})


def fees(maker: str, taker: str, *, assumed: bool = False) -> Fees:
    return Fees(symbol="X", maker=D(maker), taker=D(taker), assumed=assumed, raw=None)


def terms(**changes: str) -> Terms:
    facts = {"mid": "2000", "sell": "1999", "buy": "2001", "basis": "0", "fixed": "5", **changes}
    return Terms(**{name: D(number) for name, number in facts.items()})


# --------------------------------------------------------------------------- edge and gate

# Bought at 2000 and sold for 1999, that is 5 bps; 5 more are fees. A primary that is usually
# dearer by 2 makes a purchase better by 10 bps, and a sale worse by as much.
EDGES = [
    ("buy", "2000", "0", "-10"),
    ("buy", "1999", "0", "-5"),
    ("sell", "2000", "0", "-10"),
    ("sell", "2001", "0", "-5"),
    ("buy", "2000", "2", "0"),
    ("sell", "2000", "2", "-20"),
    ("buy", "2000", "-2", "-20"),
    ("sell", "2000", "-2", "0"),
]


@pytest.mark.parametrize(("side", "price", "basis", "bps"), EDGES)
def test_edge(side: Any, price: str, basis: str, bps: str) -> None:
    assert edge(side, D(price), terms(basis=basis)) == D(bps)


@pytest.mark.parametrize("price", ["1998", "2000", "2003.5"])
def test_the_basis_moves_cost_between_directions_and_hides_none(price: str) -> None:
    def both(basis: str) -> Decimal:
        seen = terms(basis=basis)
        return edge("buy", D(price), seen) + edge("sell", D(price), seen)

    assert both("0") == both("7") == both("-3.25")


@given(
    side=st.sampled_from(["buy", "sell"]),
    basis=st.integers(-500, 500).map(lambda n: D(n) / 100),
    fixed=st.integers(-300, 1500).map(lambda n: D(n) / 100),
    limit=st.integers(0, 3000).map(lambda n: D(n) / 100),
)
def test_the_gate_is_the_most_eager_price_that_costs_no_more(
    side: Any, basis: Decimal, fixed: Decimal, limit: Decimal
) -> None:
    seen = Terms(D(2000), D("1999.37"), D("2000.41"), basis, fixed)
    price = gate_price(side, seen, limit, market())
    nearer = price + (D("0.01") if side == "buy" else D("-0.01"))
    assert price % D("0.01") == 0
    assert edge(side, price, seen) >= -limit
    assert edge(side, nearer, seen) < -limit


ALLOWED: list[tuple[dict[str, Any], float | None, str, str | None]] = [
    ({}, None, "0", "8"),
    ({}, 0.0, "0", "8"),
    ({}, 900.0, "0", "12"),
    ({}, 1800.0, "0", "16"),
    ({}, 9000.0, "0", "16"),
    ({}, 0.0, "8", "8"),
    ({}, 0.0, "8.1", "16"),
    ({}, 0.0, "-50", "8"),
    ({"gate": "strict"}, 900.0, "0", "12"),
    ({"gate": "no-loss"}, None, "0", "0"),
    ({"gate": "no-loss"}, 9000.0, "50", "0"),
    ({"gate": "off"}, None, "0", None),
    ({"gate": "off"}, 9000.0, "0", None),
    ({"max_cost_bps": D(4), "close_patience": 60.0}, 30.0, "0", "6"),
]


@pytest.mark.parametrize(("changes", "closing", "funding", "bps"), ALLOWED)
def test_allowed_cost(
    changes: dict[str, Any], closing: float | None, funding: str, bps: str | None
) -> None:
    allowed = allowed_cost(config(**changes), closing, D(funding))
    assert allowed == (None if bps is None else D(bps))


def test_what_a_session_may_lose_is_a_quarter_more_than_its_cycles_may_cost() -> None:
    assert session_cap(config(iterations=10), D(2000)) == D("1.25") * 11 * 2000 * 8 / 10_000
    assert session_cap(config(gate="no-loss"), D(2000)) == session_cap(config(), D(2000))
    assert session_cap(config(gate="off"), D(2000)) is None


# --------------------------------------------------------------------------- fees

RATES = [
    (fees("-0.0001", "0.0005"), FeeRates(D(9), D(9)), Rates(D(-1), D(5))),
    (fees("0", "0.0004", assumed=True), None, Rates(D(0), D(4))),
    (fees("0", "0.0004", assumed=True), FeeRates(maker=D("1.5")), Rates(D("1.5"), D(4))),
    (None, FeeRates(D(-1), D(3)), Rates(D(-1), D(3))),
    (None, None, Rates(D(2), D(5))),
]


@pytest.mark.parametrize(("told", "said", "rates"), RATES)
def test_who_is_believed_about_fees(told: Fees | None, said: FeeRates | None, rates: Rates) -> None:
    assert rates_of(told, said) == rates


def known_costs() -> Costs:
    return Costs.of(config(), {"primary": fees("0", "0.0004"), "hedge": fees("0.0002", "0.0005")})


def test_a_quote_pays_the_maker_fee_here_and_the_taker_fee_there() -> None:
    assert known_costs().fixed == 0 + 5 + SLIPPAGE_FLOOR
    assert known_costs().taking == 4 + 5 + 2 * SLIPPAGE_FLOOR


def test_the_first_fill_decides_about_a_fee_and_later_ones_correct_it() -> None:
    costs = known_costs()
    costs.learn_fee("primary", "maker", D("-0.02"), D(200))
    assert costs.rates["primary"] == Rates(D(-1), D(4))
    costs.learn_fee("primary", "maker", D("0.08"), D(200))
    assert costs.rates["primary"].maker == 0
    costs.learn_fee("primary", "maker", D(1), D(0))
    assert costs.rates["primary"].maker == 0


# --------------------------------------------------------------------------- slippage


def lose(costs: Costs, cycle: int, bps: str, now: float = 0.0) -> None:
    costs.learn_hedge(cycle, "buy", D(1), D(2000) * (1 + D(bps) / 10_000), D(2000))
    costs.end_cycle(cycle, LIMITS, now)


@pytest.mark.parametrize(("side", "price"), [("buy", "2001"), ("sell", "1999")])
def test_a_worse_price_than_decided_is_slippage(side: Any, price: str) -> None:
    costs = known_costs()
    costs.learn_hedge(1, side, D(2), D(price), D(2000))
    costs.end_cycle(1, LIMITS, 0.0)
    assert costs.slipped == 1  # a fifth of 5 bps


def test_slippage_is_never_taken_for_less_than_the_floor() -> None:
    costs = known_costs()
    lose(costs, 1, "-3")
    assert costs.slipped < 0
    assert costs.slippage == SLIPPAGE_FLOOR


def test_a_cycle_without_a_hedge_teaches_nothing() -> None:
    costs = known_costs()
    costs.end_cycle(1, LIMITS, 0.0)
    assert costs.slipped == 0


def test_three_bad_hedges_in_a_row_are_a_pause() -> None:
    costs = known_costs()
    lose(costs, 1, "40")
    lose(costs, 2, "40")
    assert costs.paused_until == 0
    lose(costs, 3, "40", now=100.0)
    assert costs.paused_until == 160
    assert costs.bad_cycles == 0


def test_a_good_hedge_in_between_is_no_row() -> None:
    costs = known_costs()
    for cycle, bps in enumerate(["40", "40", "0", "40", "40"]):
        lose(costs, cycle, bps)
    assert costs.paused_until == 0


def test_a_little_more_than_nothing_is_not_bad() -> None:
    costs = known_costs()
    for cycle in range(5):
        lose(costs, cycle, "0.9")
    assert costs.paused_until == 0

"""mpdex.utils.precision"""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpdex.errors import BadOrder
from mpdex.types import Market, Side
from mpdex.utils.precision import (
    check_order,
    common_step,
    plain,
    snap_price,
    snap_size,
    to_decimal,
)

D = Decimal


def market(**facts: Any) -> Market:
    known: dict[str, Any] = {
        "symbol": "ETH-PERP",
        "coin": "ETH",
        "quote": "USDC",
        "kind": "perp",
        "tick": D("0.01"),
        "step": D("0.01"),
        "min_size": D("0.02"),
        "min_notional": D(100),
        "max_size": D(50),
        "multiplier": D(1),
        "max_leverage": None,
        "significant_figures": None,
        "price_band": None,
        "active": True,
        "raw": None,
    }
    return Market(**{**known, **facts})  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0.10", "0.10"), (3, "3"), (D("1E-7"), "1E-7"), (0.1, "0.1"), (1e-9, "1E-9"), (" 2 ", "2")],
)
def test_numbers_become_the_decimal_they_are_written_as(value: Any, expected: str) -> None:
    assert str(to_decimal(value)) == expected


@pytest.mark.parametrize(
    "value",
    ["", "ten", "1,5", float("nan"), float("inf"), D("sNaN"), "-Infinity", True, None, b"1"],
)
def test_what_is_not_a_finite_number_is_refused(value: Any) -> None:
    with pytest.raises(BadOrder):
        to_decimal(value)


@pytest.mark.parametrize(
    ("number", "text"),
    [("1E-7", "0.0000001"), ("1.5E+3", "1500"), ("0.10", "0.10"), ("-0.00", "0"), ("-2.5", "-2.5")],
)
def test_plain_text_never_has_an_exponent(number: str, text: str) -> None:
    assert plain(D(number)) == text


@pytest.mark.parametrize(
    ("size", "step", "expected"),
    [
        ("1.239", "0.01", "1.23"),
        ("0.009", "0.01", "0.00"),
        ("7", "2.5", "5.0"),
        ("129", "1E+1", "120"),
        ("1.23", "0.01", "1.23"),
    ],
)
def test_sizes_snap_down(size: str, step: str, expected: str) -> None:
    assert snap_size(D(size), D(step)) == D(expected)


@pytest.mark.parametrize(
    ("side", "toward", "expected"),
    [
        ("buy", False, "100.12"),
        ("sell", False, "100.13"),
        ("buy", True, "100.13"),
        ("sell", True, "100.12"),
    ],
)
def test_prices_snap_away_from_the_other_side_unless_told(
    side: Side, toward: bool, expected: str
) -> None:
    assert snap_price(D("100.125"), market(), side, toward=toward) == D(expected)


def test_a_price_on_the_grid_stays() -> None:
    for side in ("buy", "sell"):
        assert snap_price(D("100.12"), market(), side) == D("100.12")


@pytest.mark.parametrize(
    ("price", "side", "expected"),
    [
        ("1234.567", "buy", "1234.5"),
        ("1234.567", "sell", "1234.6"),
        ("0.00123456", "buy", "0.0012345"),
        ("9.99996", "sell", "10"),
        ("123456.7", "sell", "123457"),  # whole prices are allowed whatever their length
        ("1.23", "buy", "1.23"),
    ],
)
def test_significant_figures_coarsen_the_grid(price: str, side: Side, expected: str) -> None:
    fine = market(tick=D("0.0000001"), significant_figures=5)
    assert snap_price(D(price), fine, side) == D(expected)


def test_the_tick_still_counts_where_figures_would_allow_more() -> None:
    assert snap_price(D("1.239"), market(significant_figures=5), "buy") == D("1.23")


numbers = st.decimals("0.000001", "99999999", places=6, allow_nan=False)
steps = st.sampled_from([D(s) for s in ("0.0001", "0.01", "0.05", "0.5", "1", "2.5", "1E+1")])


@given(numbers, steps)
def test_snapping_is_exact_and_moves_less_than_a_step(number: Decimal, step: Decimal) -> None:
    low = snap_price(number, market(tick=step), "buy")
    high = snap_price(number, market(tick=step), "sell")
    assert low <= number <= high
    assert high - low in (0, step)
    assert low % step == high % step == 0
    assert low == snap_size(number, step)


def test_the_callers_context_does_not_matter() -> None:
    with localcontext() as context:
        context.prec = 5
        assert snap_size(D("123456789.129"), D("0.01")) == D("123456789.12")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("0.01", "0.0001", "0.01"), ("0.4", "0.6", "1.2"), ("5", "0.3", "15"), ("1E+1", "4", "20")],
)
def test_a_common_step_is_a_multiple_of_both(first: str, second: str, expected: str) -> None:
    assert common_step(D(first), D(second)) == common_step(D(second), D(first)) == D(expected)


@pytest.mark.parametrize(("size", "price"), [("0.05", "2000"), ("0.02", "5000.01"), ("50", None)])
def test_orders_inside_all_bounds_pass(size: str, price: str | None) -> None:
    check_order(market(), D(size), None if price is None else D(price))


@pytest.mark.parametrize(
    ("size", "price", "fix"),
    [
        ("0.01", "20000", "use 0.02 or more"),
        ("0", "20000", "use 0.02 or more"),
        ("-1", "20000", "use 0.02 or more"),
        ("51", "2000", "use 50 or less"),
        ("0.055", "2000", "use 0.05"),
        ("1", "2000.005", "use 2000.00"),
        ("1", "0", "above 0"),
        ("0.02", "3000", "use a size of 0.04 or more"),
    ],
)
def test_orders_outside_a_bound_are_refused_with_the_fix(size: str, price: str, fix: str) -> None:
    with pytest.raises(BadOrder, match=fix) as caught:
        check_order(market(), D(size), D(price))
    assert "ETH-PERP" in caught.value.detail


def test_the_size_a_refusal_names_is_accepted() -> None:
    facts, price = market(step=D("0.003"), min_size=D("0.003")), D("1999.99")
    with pytest.raises(BadOrder, match=r"use a size of (\S+) or more") as caught:
        check_order(facts, D("0.003"), price)
    named = caught.value.detail.rsplit("size of ", 1)[1].split()[0]
    check_order(facts, D(named), price)


def test_absent_bounds_are_no_bounds() -> None:
    check_order(market(min_notional=None, max_size=None), D(10000), D("0.01"))


def test_a_market_without_a_step_is_an_error_not_a_crash() -> None:
    with pytest.raises(BadOrder, match="incomplete"):
        snap_size(D(1), D(0))

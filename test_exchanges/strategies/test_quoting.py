"""Prices, moves, sizes and sides."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.quoting import (
    Move,
    Rest,
    at_best,
    clip,
    judge,
    lattice,
    look,
    next_side,
    quote_price,
    stage,
    through,
)
from strategies.words import BookTick
from test_exchanges.strategies.fake_dex import market

D = Decimal


def tick(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> BookTick:
    def levels(side: list[tuple[str, str]]) -> tuple[tuple[Decimal, Decimal], ...]:
        return tuple((D(price), D(size)) for price, size in side)

    return BookTick("primary", levels(bids), levels(asks), 0.0)


WIDE = tick([("100.00", "1"), ("99.90", "5")], [("100.05", "1"), ("100.20", "5")])
TIGHT = tick([("100.00", "1")], [("100.01", "1")])


def view(book: BookTick = WIDE, side: Any = "buy", own: Any = None) -> Any:
    seen = look(book, side, market(), own)
    assert seen is not None
    return seen


@pytest.mark.parametrize(
    ("side", "at_stage", "price"),
    [
        ("buy", 0, "100.00"),
        ("buy", 1, "100.01"),
        ("buy", 2, "100.04"),
        ("sell", 0, "100.05"),
        ("sell", 1, "100.04"),
        ("sell", 2, "100.01"),
    ],
)
def test_a_quote_grows_more_eager_with_age(side: str, at_stage: int, price: str) -> None:
    assert quote_price(view(side=side), D(1), at_stage) == D(price)


@pytest.mark.parametrize("at_stage", [0, 1, 2])
@pytest.mark.parametrize(("side", "price"), [("buy", "100.00"), ("sell", "100.01")])
def test_a_quote_never_crosses(side: str, price: str, at_stage: int) -> None:
    assert quote_price(view(TIGHT, side), D(1), at_stage) == D(price)


def test_a_long_queue_is_improved_upon() -> None:
    assert quote_price(view(), D("0.1"), 0) == D("100.01")


def test_no_quote_far_behind_the_best() -> None:
    assert quote_price(view(), D(1), 2, gate=D("99.5")) is None


def test_a_gate_caps_the_price() -> None:
    assert quote_price(view(), D(1), 2, gate=D("100.02")) == D("100.02")


def test_refusals_make_shy() -> None:
    assert quote_price(view(TIGHT), D(1), 0, shy=1) == D("99.99")


def test_our_own_order_is_not_the_best_of_others() -> None:
    assert view(own=(D("100.00"), D(1))).near == (D("99.90"), D(5))
    assert view(own=(D("100.00"), D("0.4"))).near == (D("100.00"), D("0.6"))


def test_an_empty_other_side_is_no_view() -> None:
    assert look(tick([("1", "1")], []), "buy", market(), None) is None


def test_stages_by_age() -> None:
    assert [stage(age, 9.0) for age in (0.0, 2.9, 3.0, 6.0, 9.0, 20.0)] == [0, 0, 1, 2, 2, 2]


def test_a_quote_behind_the_best_moves_after_a_while() -> None:
    rest = Rest(D("99.90"), 0)
    assert judge(rest, view(), D(1), 0, 10.0) is Move.HOLD
    assert judge(rest, view(), D(1), 0, 10.3) is Move.HOLD
    assert judge(rest, view(), D(1), 0, 10.5) is Move.BEHIND


def test_a_quote_that_catches_up_is_held() -> None:
    rest = Rest(D("99.90"), 0)
    judge(rest, view(), D(1), 0, 10.0)
    judge(rest, view(tick([("99.90", "1")], [("100.05", "1")])), D(1), 0, 10.3)
    assert judge(rest, view(), D(1), 0, 10.5) is Move.HOLD


def test_a_quote_alone_at_the_best_steps_back() -> None:
    rest, alone = Rest(D("100.00"), 0), view(own=(D("100.00"), D(1)))
    assert judge(rest, alone, D(1), 0, 10.0) is Move.HOLD
    assert judge(rest, alone, D(1), 0, 11.0) is Move.ALONE


def test_a_new_stage_moves_only_for_a_better_price() -> None:
    assert judge(Rest(D("100.00"), 0), view(), D(1), 1, 10.0) is Move.STAGE
    assert judge(Rest(D("100.00"), 0), view(TIGHT), D(1), 1, 10.0) is Move.HOLD


def test_a_breached_gate_moves_at_once() -> None:
    assert judge(Rest(D("100.00"), 0), view(), D(1), 0, 10.0, gate=D("99")) is Move.GATE


def test_at_best() -> None:
    assert at_best(Rest(D("100.00"), 0), view())
    assert not at_best(Rest(D("99.99"), 0), view())


# --------------------------------------------------------------------------- size and side


@given(
    size=st.integers(1, 500).map(lambda n: D(n) / 100),
    dust=st.integers(-20, 20).map(lambda n: D(n) / 1000),
    side=st.sampled_from(["buy", "sell"]),
)
def test_a_clip_keeps_within_size_and_on_the_step_of_the_hedge(
    size: Decimal, dust: Decimal, side: Any
) -> None:
    primary, hedge = market(step=D("0.001")), market(step=D("0.01"))
    quantity = clip(size, dust, side, primary, hedge)
    after = dust + (quantity if side == "buy" else -quantity)
    assert 0 <= quantity <= size
    assert quantity % primary["step"] == 0
    if quantity:
        assert abs(after) <= max(size, abs(dust))
        assert after % hedge["step"] == 0


def test_the_lattice_is_the_common_step() -> None:
    assert lattice(market(step=D("0.02")), market(step=D("0.03"))) == D("0.06")


def test_sides_alternate_and_an_open_pair_is_closed() -> None:
    step = D("0.01")
    assert next_side("alternate", D(0), step, None) == ("buy", False)
    assert next_side("alternate", D(0), step, "buy") == ("sell", False)
    assert next_side("alternate", D(1), step, "buy") == ("sell", True)
    assert next_side("alternate", D(-1), step, "sell") == ("buy", True)
    assert next_side("short-first", D(0), step, "sell") == ("sell", False)


def test_what_is_too_small_to_be_closed_is_taken_along() -> None:
    smallest = D("0.01")
    assert next_side("long-first", D("0.001"), smallest, "buy") == ("sell", False)
    assert next_side("alternate", D("-0.001"), smallest, "sell") == ("buy", False)


def test_through_reaches_at_least_the_band() -> None:
    assert through(D("100.001"), "buy", D(20), market()) == D("100.21")
    assert through(D("100.001"), "sell", D(20), market()) == D("99.80")

"""Prices, moves and sizes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.quoting import (
    Mood,
    Move,
    Rest,
    at_best,
    clip,
    judge,
    lattice,
    look,
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
    assert quote_price(view(side=side), D(1), Mood(at_stage)) == D(price)


@pytest.mark.parametrize("at_stage", [0, 1, 2])
@pytest.mark.parametrize(("side", "price"), [("buy", "100.00"), ("sell", "100.01")])
def test_a_quote_never_crosses(side: str, price: str, at_stage: int) -> None:
    assert quote_price(view(TIGHT, side), D(1), Mood(at_stage)) == D(price)


def test_a_long_queue_is_improved_upon() -> None:
    assert quote_price(view(), D("0.1"), Mood(0)) == D("100.01")


def test_no_quote_far_behind_the_best() -> None:
    assert quote_price(view(), D(1), Mood(2, gate=D("99.5"))) is None


def test_a_gate_caps_the_price() -> None:
    assert quote_price(view(), D(1), Mood(2, gate=D("100.02"))) == D("100.02")


def test_refusals_make_shy() -> None:
    assert quote_price(view(TIGHT), D(1), Mood(shy=1)) == D("99.99")


@pytest.mark.parametrize(("side", "price"), [("buy", "99.99"), ("sell", "100.06")])
@pytest.mark.parametrize("at_stage", [0, 1, 2])
def test_quotes_that_do_harm_keep_a_step_behind(side: str, price: str, at_stage: int) -> None:
    assert quote_price(view(side=side), D("0.1"), Mood(at_stage, wide=True)) == D(price)


@pytest.mark.parametrize("price", ["100.00", "99.99"])
def test_a_step_behind_is_near_enough_to_be_held(price: str) -> None:
    rest = Rest(D(price), 0)
    for now in (10.0, 11.0, 12.0):
        assert judge(rest, view(), D(1), Mood(wide=True), now) is Move.HOLD


def test_a_step_back_from_far_ahead_is_a_tick_before_the_others() -> None:
    others = view(own=(D("100.00"), D(1)))
    assert quote_price(others, D(1), Mood()) == D("99.90")
    assert quote_price(others, D(1), Mood(leads=True)) == D("99.91")


COARSE = tick([("3000.0", "1"), ("2999.8", "5")], [("3000.3", "1")])


@pytest.mark.parametrize(
    ("side", "mood", "price"),
    [
        ("buy", Mood(1), "3000.1"),
        ("buy", Mood(2), "3000.2"),
        ("buy", Mood(2, shy=1), "3000.1"),
        ("sell", Mood(1), "3000.2"),
        ("sell", Mood(2, shy=2), "3000.3"),
        ("buy", Mood(wide=True), "2999.9"),
    ],
)
def test_a_limit_of_figures_makes_the_tick(side: Any, mood: Mood, price: str) -> None:
    """A tick of 0.01 in the market's facts, and five figures: a step at 3000 is 0.1."""
    seen = look(COARSE, side, {**market(), "significant_figures": 5}, None)
    assert seen is not None
    assert seen.hold_distance == D("0.1")
    assert quote_price(seen, D(1), mood) == D(price)


def test_the_gate_leaves_a_little_room_to_a_resting_quote() -> None:
    rest = Rest(D("100.00"), 0)
    assert judge(rest, view(), D(1), Mood(gate=D("99.99")), 10.0) is Move.HOLD
    assert judge(rest, view(), D(1), Mood(gate=D("99.98")), 10.0) is Move.GATE


def test_our_own_order_is_not_the_best_of_others() -> None:
    assert view(own=(D("100.00"), D(1))).near == (D("99.90"), D(5))
    assert view(own=(D("100.00"), D("0.4"))).near == (D("100.00"), D("0.6"))


def test_an_empty_other_side_is_no_view() -> None:
    assert look(tick([("1", "1")], []), "buy", market(), None) is None


def test_stages_by_age() -> None:
    assert [stage(age, 9.0) for age in (0.0, 2.9, 3.0, 6.0, 9.0, 20.0)] == [0, 0, 1, 2, 2, 2]


def test_a_quote_behind_the_best_moves_after_a_while() -> None:
    rest = Rest(D("99.90"), 0)
    assert judge(rest, view(), D(1), Mood(0), 10.0) is Move.HOLD
    assert judge(rest, view(), D(1), Mood(0), 10.3) is Move.HOLD
    assert judge(rest, view(), D(1), Mood(0), 10.5) is Move.BEHIND


def test_a_quote_that_catches_up_is_held() -> None:
    rest = Rest(D("99.90"), 0)
    judge(rest, view(), D(1), Mood(0), 10.0)
    judge(rest, view(tick([("99.90", "1")], [("100.05", "1")])), D(1), Mood(0), 10.3)
    assert judge(rest, view(), D(1), Mood(0), 10.5) is Move.HOLD


def test_a_quote_alone_at_the_best_steps_back() -> None:
    rest, alone = Rest(D("100.00"), 0), view(own=(D("100.00"), D(1)))
    assert judge(rest, alone, D(1), Mood(0), 10.0) is Move.HOLD
    assert judge(rest, alone, D(1), Mood(0), 11.0) is Move.ALONE


def test_a_new_stage_moves_only_for_a_better_price() -> None:
    assert judge(Rest(D("100.00"), 0), view(), D(1), Mood(1), 10.0) is Move.STAGE
    assert judge(Rest(D("100.00"), 0), view(TIGHT), D(1), Mood(1), 10.0) is Move.HOLD


def test_a_breached_gate_moves_at_once() -> None:
    assert judge(Rest(D("100.00"), 0), view(), D(1), Mood(gate=D("99")), 10.0) is Move.GATE


def test_at_best() -> None:
    assert at_best(Rest(D("100.00"), 0), view())
    assert not at_best(Rest(D("99.99"), 0), view())


# --------------------------------------------------------------------------- size


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


def test_through_reaches_at_least_the_band() -> None:
    assert through(D("100.001"), "buy", D(20), market()) == D("100.21")
    assert through(D("100.001"), "sell", D(20), market()) == D("99.80")

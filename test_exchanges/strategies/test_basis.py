"""The rolling basis: the same numbers as the definition gives, and how far they are trusted."""

from __future__ import annotations

import json
import statistics
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.basis import Basis, deviation_of, gap_bps, median_of
from strategies.limits import Limits

D = Decimal
LIMITS = Limits()
HOUSE = D(2000)


def fed(gaps: list[str], seconds: float = 0.25) -> Basis:
    basis = Basis(LIMITS)
    for number, gap in enumerate(gaps):
        basis.learn(HOUSE, HOUSE - HOUSE * D(gap) / 10_000, number * seconds)
    return basis


def test_a_dearer_primary_is_a_positive_basis() -> None:
    assert gap_bps(D(2000), D(1999)) == 5
    assert gap_bps(D(2000), D(2001)) == -5


@given(st.lists(st.integers(-40, 40).map(D), min_size=1, max_size=60))
def test_median_and_deviation_are_those_of_the_definition(numbers: list[Decimal]) -> None:
    ordered = sorted(numbers)
    center = statistics.median(ordered)
    assert median_of(ordered) == center
    assert deviation_of(ordered, center) == statistics.median(abs(x - center) for x in ordered)


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=120), st.floats(0.25, 30.0))
def test_the_window_holds_what_is_young_enough(gaps: list[int], apart: float) -> None:
    basis = fed([str(gap) for gap in gaps], apart)
    last = (len(gaps) - 1) * apart
    young = [D(g) for n, g in enumerate(gaps) if n * apart >= last - LIMITS.basis_window]
    assert basis.count == len(young)
    assert basis.median == statistics.median(young)
    center = basis.median
    assert basis.mad == statistics.median(abs(gap - center) for gap in young)


def test_samples_are_a_quarter_of_a_second_apart() -> None:
    basis = fed(["4"] * 10, seconds=0.1)
    assert basis.count == 4


@pytest.mark.parametrize(
    ("samples", "guessed", "known", "margin"),
    [(0, False, False, "0.5"), (7, False, False, "0.5"), (8, True, False, "0.5"),
     (59, True, False, "0.5"), (60, True, True, "0")],
)  # fmt: skip
def test_trust_grows_with_samples(samples: int, guessed: bool, known: bool, margin: str) -> None:
    basis = fed(["4"] * samples)
    assert (basis.guessed, basis.known, basis.margin) == (guessed, known, D(margin))


def test_a_leap_of_the_basis_is_unusual_and_becomes_the_usual() -> None:
    basis = fed(["10"] * 100)
    assert basis.unusual(D("12.9")) == ""
    assert "usually 10.0" in basis.unusual(D(50))
    learned = fed(["10"] * 100 + ["50"] * 120)
    assert learned.median == 50
    assert learned.unusual(D(50)) == ""


def test_a_basis_that_scatters_is_none() -> None:
    basis = fed(["-10", "0", "10", "20"] * 20)
    assert basis.mad > 8
    assert "scatters" in basis.unusual(basis.median)


def test_nothing_is_unusual_before_the_usual_is_known() -> None:
    assert fed(["10"] * 59).unusual(D(500)) == ""


def test_a_dump_is_plain_data_and_is_gone_on_from() -> None:
    basis = fed([str(n % 7) for n in range(2000)])
    dump = json.loads(json.dumps(basis.dump(500.0)))
    assert len(dump["bps"]) <= 240
    later = Basis(LIMITS)
    later.restore(dump, now=3.0, elapsed=20.0)
    assert later.known
    assert later.median == basis.median
    later.learn(HOUSE, HOUSE, 3.0)
    assert later.count > 150


def test_an_old_dump_is_forgotten() -> None:
    basis, later = fed(["4"] * 100), Basis(LIMITS)
    later.restore(basis.dump(25.0), now=0.0, elapsed=400.0)
    assert later.count == 0
    assert not later.guessed


def test_an_empty_dump_is_empty() -> None:
    assert Basis(LIMITS).dump(1.0) == {"ages": [], "bps": []}

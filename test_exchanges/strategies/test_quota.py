"""The budget of requests: slower as it shrinks, and an end to quoting before it is gone."""

from __future__ import annotations

import pytest

from strategies.limits import Limits
from strategies.quota import Budget, forecast

LIMITS = Limits()


@pytest.mark.parametrize(
    ("left", "needed", "short"),
    [(None, 9999, False), (200, 0, False), (199, 0, True), (999, 500, True), (1000, 500, False)],
)
def test_what_must_be_left(left: int | None, needed: int, short: bool) -> None:
    assert bool(Budget(left, needed).short(LIMITS)) is short


@pytest.mark.parametrize(
    ("left", "allowed"), [(None, 30), (5000, 30), (2000, 30), (1100, 15), (200, 0), (50, 0)]
)
def test_requotes_become_fewer(left: int | None, allowed: int) -> None:
    assert Budget(left, 0).requotes(30, LIMITS) == allowed


def test_the_forecast_goes_on_as_it_went() -> None:
    assert forecast(10, 0, 0) == 20
    assert forecast(10, 5, 15) == 80

"""Mark-outs: signs, times, the step away, the pause."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from strategies.limits import Limits
from strategies.markout import Markouts

D = Decimal
LIMITS = Limits()


def after(fills: int, bps: str, marks: Markouts | None = None, start: float = 0.0) -> Markouts:
    """So many purchases, each of which gains so much within 5 s."""
    marks = marks or Markouts(LIMITS)
    for number in range(fills):
        at = start + number * 10
        marks.filled("buy", D(2000), at)
        marks.learn(D(2000) * (1 + D(bps) / 10_000), at + 5)
    return marks


@pytest.mark.parametrize(("side", "gain"), [("buy", D(5)), ("sell", D(-5))])
def test_a_purchase_gains_when_the_price_rises(side: Any, gain: Decimal) -> None:
    marks = Markouts(LIMITS)
    marks.filled(side, D(2000), 10.0)
    marks.learn(D(2000), 10.9)
    assert not marks.soon
    marks.learn(D("2000.2"), 11.0)
    marks.learn(D(2001), 15.0)
    assert list(marks.soon) == [gain / 5]
    assert list(marks.late) == [gain]


def test_nineteen_bad_fills_are_no_judgement() -> None:
    assert not after(19, "-9").wide


def test_twenty_bad_fills_make_wide_and_twenty_more_a_pause() -> None:
    marks = after(20, "-4.1")
    assert marks.wide
    assert marks.paused_until == 0
    after(19, "-4.1", marks, 300.0)
    assert marks.paused_until == 0
    after(1, "-4.1", marks, 900.0)
    assert marks.paused_until == 905 + LIMITS.markout_pause


def test_at_the_limit_nothing_happens() -> None:
    assert not after(40, "-4").wide


def test_good_fills_end_the_step_away() -> None:
    marks = after(20, "-9")
    assert not after(20, "1", marks, 300.0).wide


def test_the_mean_of_the_last_twenty_counts() -> None:
    marks = after(20, "2")
    after(12, "-8", marks, 300.0)
    assert not marks.wide
    after(1, "-8", marks, 500.0)
    assert marks.wide


def test_the_summary_tells_both_means() -> None:
    assert Markouts(LIMITS).summary() == {"markout_1s_bps": None, "markout_5s_bps": None}
    assert after(2, "3").summary()["markout_5s_bps"] == "3.0000"

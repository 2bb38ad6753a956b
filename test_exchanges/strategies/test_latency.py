"""Slow hedges: one is an accident, two of twenty a pause."""

from __future__ import annotations

from strategies.latency import Latencies
from strategies.limits import Limits

LIMITS = Limits()


def taught(*seconds: float) -> Latencies:
    latencies = Latencies(LIMITS)
    for number, taken in enumerate(seconds):
        latencies.learn(taken, float(number))  # seconds
    return latencies


def test_quick_hedges_are_no_reason() -> None:
    assert taught(*[1.0] * 50).paused_until == 0


def test_one_slow_hedge_is_an_accident() -> None:
    assert taught(0.1, 9.0, 0.1).paused_until == 0


def test_two_slow_hedges_are_a_pause_that_begins_anew() -> None:
    latencies = taught(0.1, 1.1, 0.1, 1.1)
    assert latencies.paused_until == 3.0 + LIMITS.hedge_pause
    assert not latencies.recent


def test_an_accident_is_forgotten_after_twenty() -> None:
    assert taught(9.0, *[0.1] * 19, 9.0).paused_until == 0
    assert taught(9.0, *[0.1] * 18, 9.0).paused_until > 0

"""Which side comes next, by policy and position."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from strategies.directions import Situation, choose

D = Decimal
BUY, SELL = ("buy", False), ("sell", False)
EDGES = (D(-3), D(-5))

FLAT: list[tuple[Any, dict[str, Any], tuple[str, bool]]] = [
    ("alternate", {}, BUY),
    ("alternate", {"last_opening": "buy"}, SELL),
    ("alternate", {"last_opening": "sell"}, BUY),
    ("long-first", {"last_opening": "buy"}, BUY),
    ("short-first", {"last_opening": "sell"}, SELL),
    ("basis", {"edges": EDGES, "last_opening": "buy"}, BUY),
    ("basis", {"edges": EDGES[::-1]}, SELL),
    ("basis", {"last_opening": "buy"}, SELL),
    ("funding", {"receiving": "sell", "last_opening": "sell"}, SELL),
    ("funding", {"receiving": "buy"}, BUY),
    ("funding", {"last_opening": "buy"}, SELL),
]


def situation(position: str, **changes: Any) -> Situation:
    return Situation(position=D(position), smallest=D("0.01"), **changes)


@pytest.mark.parametrize(("policy", "changes", "chosen"), FLAT)
def test_a_policy_is_asked_when_nothing_is_open(
    policy: Any, changes: dict[str, Any], chosen: tuple[str, bool]
) -> None:
    assert choose(policy, situation("0", **changes)) == chosen


POLICIES = ["alternate", "basis", "funding", "long-first", "short-first"]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("position", "full", "chosen"),
    [
        ("1", True, ("sell", True)),
        ("-1", True, ("buy", True)),
        ("1", False, ("buy", False)),
        ("-1", False, ("sell", False)),
        ("0.001", False, ("sell", False)),
        ("-0.001", True, ("buy", False)),
    ],
)
def test_what_is_open_is_enlarged_up_to_the_limit_and_then_closed(
    policy: Any, position: str, full: bool, chosen: tuple[str, bool]
) -> None:
    assert choose(policy, situation(position, full=full, last_opening="buy")) == chosen

"""Mixtures are functions of their seed; what fails shrinks to what matters."""

from __future__ import annotations

import random

import pytest

from mpdex.lab.draw import MOST_RULES, TABLE, _filled, draw, rows_of, shrink
from mpdex.lab.scenario import Scenario, dumps, loads, make


def test_a_seed_is_always_the_same_scenario() -> None:
    assert draw(7) == draw(7)
    assert draw(7).rules != draw(8).rules or draw(7).seed != draw(8).seed
    assert loads(dumps(draw(7))) == draw(7)


def test_mixtures_have_none_to_four_rules_and_every_row_is_drawn() -> None:
    drawn = [rows_of(seed)[1] for seed in range(1500)]
    assert {len(rows) for rows in drawn} == set(range(MOST_RULES + 1))
    assert {row for rows in drawn for row in rows} == set(TABLE)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.row} {row.text}")
def test_every_row_of_the_table_is_a_rule_whatever_is_drawn(row) -> None:
    rng = random.Random(row.text)
    for _ in range(20):
        make(rules=[_filled(row.text, rng, 50.0, 50)])


def test_a_third_crash_is_never_drawn() -> None:
    """It would be refused, and rightly."""
    for seed in range(3000):
        assert sum(rule.startswith("proc.crash") for rule in draw(seed).rules) <= 2


def test_tags_follow_from_the_rules() -> None:
    for seed in range(300):
        scenario = draw(seed)
        foreign = ("manual_trade", "liquidate", "adl")
        external = any(word in rule for rule in scenario.rules for word in foreign)
        assert ("external" in scenario.tags) == external


def test_shrinking_leaves_what_is_needed_to_fail() -> None:
    rules = ["disk.full", "H.halt(down)", "P.place -> drop_response", "X.move(30)"]
    asked: list[tuple[str, ...]] = []

    def fails(scenario: Scenario) -> bool:
        asked.append(scenario.rules)
        return {"H.halt(down)", "X.move(30)"} <= set(scenario.rules)

    small = shrink(make(rules=rules), fails)
    assert small.rules == ("H.halt(down)", "X.move(30)")
    assert len(asked) < 12


def test_what_fails_without_any_rule_shrinks_to_nothing() -> None:
    assert shrink(make(rules=["disk.full", "X.move(30)"]), lambda _: True).rules == ()

"""What docs/scenarios.md shows can be played."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mpdex.lab.scenario import CLASSES, TAGS, loads
from mpdex.sim.fault_rules import parse_rule
from mpdex.sim.fault_words import (
    FILTERS,
    OPS,
    PHASES,
    POINTS,
    PROCESS_ACTIONS,
    REQUEST_ACTIONS,
    STREAM_ACTIONS,
    TRUTH_ACTIONS,
)

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")
RULES = [
    rule
    for rule in re.findall(r"`((?:[PHX]|proc|disk|clock)\.[^`]+)`", PAGE)
    if "POINT" not in rule
]


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_shown_can_be_read(rule: str) -> None:
    assert parse_rule(rule).actions


def test_the_example_can_be_read() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    scenario = loads(example)
    assert scenario.rules
    assert scenario.config == {"fill_timeout": 5.0}


def test_every_word_of_the_language_is_told() -> None:
    actions = REQUEST_ACTIONS | STREAM_ACTIONS | TRUTH_ACTIONS | PROCESS_ACTIONS
    words = set(OPS) | FILTERS | set(PHASES) | POINTS | actions | set(CLASSES) | TAGS
    told = set(re.findall(r"\w+", PAGE))
    assert words - told == set()

"""wrappers/quality.toml: complete, and true as far as the tree shows it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from exchange_factory import VENUES, load
from mpdex.scaffold import create
from mpdex.sim.venues import SIM_VENUES

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "test_exchanges"
QUALITY: dict[str, Any] = tomllib.loads((ROOT / "wrappers" / "quality.toml").read_text())
RULES = QUALITY["rules"]
# What a rule that is done leaves behind.
TRACES = {
    "shapes": "test_exchanges/test_{module}.py",
    "simulated": "mpdex/sim/venues/{module}.py",
    "vectors": "test_exchanges/vectors/{module}.json",
    "recorded": "test_exchanges/replay/test_{module}_replay.py",
    "reference": "test_exchanges/reference/test_{module}_sdk.py",
    "keys": "keys/copy.pk_{name}.py",
}


def module_of(venue: str) -> str:
    """The venue's name in file names."""
    return VENUES[venue].where.partition(":")[0].rpartition(".")[2]


def test_every_venue_is_listed_and_no_other() -> None:
    assert set(QUALITY) - {"rules"} == set(VENUES)


@pytest.mark.parametrize("venue", sorted(VENUES))
def test_every_rule_has_an_answer(venue: str) -> None:
    assert QUALITY[venue].keys() == RULES.keys()
    for rule, answer in QUALITY[venue].items():
        if isinstance(answer, dict):
            assert list(answer) == ["exempt"], f"{venue}.{rule}"
            assert len(answer["exempt"].split()) >= 3, f"{venue}.{rule} is exempt without a reason"
        else:
            assert answer in ("done", "todo"), f"{venue}.{rule} is {answer!r}"


@pytest.mark.parametrize("venue", sorted(VENUES))
@pytest.mark.parametrize("rule", sorted(TRACES))
def test_what_is_done_is_there(venue: str, rule: str) -> None:
    trace = ROOT / TRACES[rule].format(module=module_of(venue), name=venue.replace(".", "_"))
    assert trace.exists() or QUALITY[venue][rule] != "done", f"{trace} is missing"


@pytest.mark.parametrize("venue", sorted(VENUES))
def test_a_simulated_end_is_registered(venue: str) -> None:
    assert venue in SIM_VENUES or QUALITY[venue]["simulated"] != "done"


@pytest.mark.parametrize("venue", sorted(VENUES))
def test_facts_are_dated(venue: str) -> None:
    modules = [load(venue), *load(venue).streams()]
    for module in {kind.__module__.replace(".", "/") + ".py" for kind in modules}:
        docstring = (ROOT / module).read_text().split('"""')[1]
        assert "Source" in docstring, f"{module} names no source"
        assert "read 20" in docstring, f"{module} does not say when its source was read"


def test_a_new_venue_begins_with_the_same_rules(tmp_path: Path) -> None:
    create("newcomer", tmp_path)
    file = tmp_path / "mpdex_newcomer" / "mpdex_newcomer" / "quality.toml"
    fresh = tomllib.loads(file.read_text())
    assert fresh == {"newcomer": dict.fromkeys(RULES, "todo")}

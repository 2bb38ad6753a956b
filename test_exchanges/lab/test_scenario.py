"""Scenarios are read with one clear sentence for what is wrong, and written as they are read."""

from __future__ import annotations

from decimal import Decimal as D
from pathlib import Path

import pytest

from mpdex.errors import UsageError
from mpdex.lab.scenario import dumps, load, loads, make

WHOLE = """
name = "a whole one"
rules = [
    "H.place.nth(1) -> http(429, retry_after=1)",
    "P.place -> http(200, '{\\"code\\": 1}')",
]
primary = "backpack"
hedge = "grvt"
ticker = "BTC"
size = "0.02"
cycles = 7
source = "trend:0.5"
seed = 9
timeout = 120
tags = ["external"]
expect = ["HF", 5]
planted = ["canary"]
restart_after = 2.5
restarts = 3
basis_bps = "-1.5"
lag_ms = 40

[config]
fill_timeout = 5
max_loss = 20
direction = "long-first"
hedge_bands_bps = [5, 10]

[markets.P]
step = "0.005"
min_notional = 10

[credentials.H]
api_key = "wrong"

[baseline]
P = "0.3"
"""


def test_every_key_is_read_in_its_own_type() -> None:
    scenario = loads(WHOLE)
    assert scenario.size == D("0.02")
    assert scenario.timeout == scenario.limit == 120.0
    assert scenario.tags == {"external"}
    assert scenario.expect == ("HF", "5")
    assert scenario.roles == {"P": "backpack", "H": "grvt"}
    assert scenario.markets == {"P": {"step": D("0.005"), "min_notional": D(10)}}
    assert scenario.baseline == {"P": D("0.3")}
    config = scenario.options(Path("somewhere"))
    assert (config.fill_timeout, config.max_loss) == (5.0, D(20))
    assert config.hedge_bands_bps == (D(5), D(10))
    assert config.iterations == 7
    assert config.logs == Path("somewhere")
    assert [rule.venue for rule in scenario.parsed()] == ["H", "P"]


def test_what_is_written_is_what_is_read() -> None:
    scenario = loads(WHOLE)
    assert loads(dumps(scenario)) == scenario
    assert dumps(make()) == "\n"
    assert loads(dumps(make(rules=["disk.full"], expect="R"))) == make(
        rules=["disk.full"], expect="R"
    )


def test_defaults_are_the_plan_s_pair_for_ten_cycles() -> None:
    scenario = make()
    assert scenario.roles == {"P": "grvt", "H": "backpack"}
    assert (scenario.ticker, scenario.cycles, scenario.expect) == ("ETH", 10, ())
    assert scenario.limit > 60 * 10


def test_rules_may_be_lines_of_text_with_comments() -> None:
    scenario = make(rules="# first\nH.halt(down)\n\n  disk.full  \n")
    assert scenario.rules == ("H.halt(down)", "disk.full")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour = 'red'", "no such key 'colour'"),
        ("cycles = 0", "cycles 0"),
        ("cycles = true", "cycles"),
        ("cycles = 'many'", "cycles: cannot be 'many'"),
        ("size = 'big'", "size: cannot be 'big'"),
        ("size = 0", "size 0 is not positive"),
        ("rules = ['P.place -> explode']", "rules: in fault rule 'P.place -> explode'"),
        ("rules = 'P.halt(sideways)'", "halt takes"),
        ("tags = ['odd']", "tags: no such 'odd'; there are contradiction, external"),
        ("expect = 'fine'", "expect: 'fine' is neither"),
        ("source = 'moon'", "source: 'moon': give quick"),
        ("source = 'trend:up'", "source: 'trend:up'"),
        ("source = 'tape:/nowhere'", "source: --source tape:/nowhere"),
        ("[config]\ncolour = 1", "config: the hedge has no option 'colour'"),
        ("[config]\nfill_timeout = 'soon'", "config: fill_timeout cannot be 'soon'"),
        ("[config]\nfill_timeout = 0", "config: fill timeout 0.0"),
        ("[markets.P]\ncolour = 1", "markets: a market has no 'colour'"),
        ("[markets.Q]\ntick = 1", "markets: no such 'Q'; there are H, P"),
        ("[baseline]\nP = 'much'", "baseline: cannot be"),
        ("hedge = 'grvt'", "config: grvt cannot hedge itself"),
        ("rules = [", "not TOML"),
    ],
)
def test_one_bad_key_is_one_clear_sentence(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        loads(text)
    assert words in caught.value.detail
    assert "\n" not in caught.value.detail


def test_a_file_names_itself(tmp_path: Path) -> None:
    file = tmp_path / "answer-lost.toml"
    file.write_text("cycles = 2")
    assert load(file).name == "answer-lost"
    file.write_text("cycles = 0")
    with pytest.raises(UsageError, match=r"answer-lost\.toml: cycles 0"):
        load(file)
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "absent.toml")

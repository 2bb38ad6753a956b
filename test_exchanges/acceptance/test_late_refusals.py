"""An order that is accepted and refused seconds later: a refusal to the hedge, not a lost order."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.moments import journal, sent

from mpdex.lab.run import Lab, play
from mpdex.lab.scenario import make
from mpdex.sim.venues.standx import StandxSim
from mpdex.utils.virtual_loop import run_virtual


@pytest.mark.parametrize("after", [0.05, 2.0, 5.0])
def test_a_late_refusal_of_a_quote_is_told_as_one(tmp_path: Path, after: float) -> None:
    """5 s: later than the answer is waited for, and sooner than an order is given up."""

    def ready(lab: Lab) -> None:
        venue = lab.world.venues["standx"]
        assert isinstance(venue, StandxSim)
        venue.calls.result_after = after

    rule = "P.place.maker.nth(2) -> reject(POST_ONLY)"
    scenario = make(name="late", cycles=2, primary="standx", hedge="backpack", rules=[rule])
    verdict = run_virtual(play(scenario, tmp_path, ready=ready))
    told = "\n".join([*map(str, verdict.violations), *verdict.tail])
    assert (verdict.violations, verdict.idle, verdict.outcome) == ([], [], "R"), told
    intents = journal(verdict, "intent")
    second, third = [line for line in intents if line["purpose"] == "maker"][1:3]
    waited = (third["ts_ns"] - second["ts_ns"]) / 1e9
    assert waited < after + 1.0, "a lost order is waited for much longer"
    notes = [line["text"] for line in journal(verdict, "note")]
    assert not [text for text in notes if "proven gone" in text]
    assert len([order for order in sent(verdict, "P", "maker") if order.filled]) >= 2

"""Orders of the bot on a venue that takes no client ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpdex.lab.run import play
from mpdex.lab.scenario import make
from mpdex.utils.virtual_loop import run_virtual


@pytest.mark.parametrize("hedge", ["treadfi.hyperliquid", "variational"])
def test_orders_without_ids_of_ours_are_known_by_what_was_meant(tmp_path: Path, hedge: str) -> None:
    """A rule finds the hedge by its purpose, and what was refused leaves its intent to nobody."""
    scenario = make(
        rules=["H.place.hedge.nth(2) -> reject(PRICE_BAND)"],
        hedge=hedge,
        cycles=4,
    )
    verdict = run_virtual(play(scenario, tmp_path))
    assert (verdict.violations, verdict.idle, verdict.outcome) == ([], [], "R")
    trail = verdict.trail
    assert trail is not None
    meant = [i for i in trail.intents.values() if i.role == "hedge"]
    orders = verdict.orders("H")
    assert not {o.client_id for o in orders} & set(trail.intents), "they bear ids of their own"
    named = [trail.intent_of(order) for order in orders]
    assert named == [*meant[:1], *meant[2:]], "one order each, but for the second"
    assert [i.size for i in named if i] == [o.size for o in orders]

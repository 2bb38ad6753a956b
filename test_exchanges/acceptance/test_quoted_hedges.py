"""A hedge that is quoted first: the quote ends, moves or never comes, and no leg stays alone.

The venue's own rules make each of them, between the quote and its acceptance.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from faults.moments import sent

from mpdex.lab.run import Lab, Verdict, play
from mpdex.lab.scenario import make
from mpdex.sim.venues import variational_wire as wire
from mpdex.sim.venues.variational import VariationalSim
from mpdex.utils.virtual_loop import run_virtual

ALWAYS = 10**6
Trouble = Callable[[VariationalSim, Callable[[], bool]], None]


def expired(venue: VariationalSim, due: Callable[[], bool]) -> None:
    """Refused at the acceptance: it is too old."""
    accept = venue.desk.accept

    def too_late(account: str, fields: Any) -> Any:
        if due():
            raise wire.Refusal(wire.QUOTE_EXPIRED)
        return accept(account, fields)

    venue.desk.accept = too_late  # type: ignore[method-assign]


def moved(venue: VariationalSim, due: Callable[[], bool]) -> None:
    """Taken, and not cleared: meanwhile the price is worse than the slippage allows."""
    accept = venue.desk.accept

    def worse(account: str, fields: Any) -> Any:
        order = accept(account, fields)
        if due():
            order.raw["worst"] = Decimal(0) if order.side == "buy" else Decimal(10**9)
        return order

    venue.desk.accept = worse  # type: ignore[method-assign]


def far(venue: VariationalSim, due: Callable[[], bool]) -> None:
    """Quoted, and too far from the mark to be accepted: the order is never sent."""
    answer = venue.market.indicative

    def wide(quote: Any) -> Any:
        told = answer(quote)
        if due():
            mark = Decimal(told["mark_price"])
            told |= {"bid": f"{mark * Decimal('0.9'):.2f}", "ask": f"{mark * Decimal('1.1'):.2f}"}
        return told

    venue.market.indicative = wide  # type: ignore[method-assign]


def unquoted(venue: VariationalSim, due: Callable[[], bool]) -> None:
    """Nobody quotes."""
    quote = venue.desk.quote

    def none(fields: Any, account: str) -> Any:
        if account and due():
            raise wire.Refusal(wire.NO_QUOTE)
        return quote(fields, account)

    venue.desk.quote = none  # type: ignore[method-assign]


def hedged(logs: Path, trouble: Trouble, first: int) -> Verdict:
    """Four cycles; the first so many hedges after the first quote came get into trouble."""

    def ready(lab: Lab) -> None:
        venue = lab.world.venues["variational"]
        assert isinstance(venue, VariationalSim)
        left = first

        def due() -> bool:
            nonlocal left
            if not lab.truth["P"].fills or not left:
                return False
            left -= 1
            return True

        trouble(venue, due)

    scenario = make(name="quoted", cycles=4, primary="grvt", hedge="variational")
    return run_virtual(play(scenario, logs, ready=ready))


@pytest.mark.parametrize("trouble", [expired, moved, far, unquoted], ids=lambda one: one.__name__)
@pytest.mark.parametrize(("first", "outcome"), [(1, "R"), (2, "R"), (ALWAYS, "HF")])
def test_no_leg_stays_alone(tmp_path: Path, trouble: Trouble, first: int, outcome: str) -> None:
    """Asked anew while there is time; then the quote that was filled is unwound where it filled."""
    verdict = hedged(tmp_path, trouble, first)
    told = "\n".join([*map(str, verdict.violations), *verdict.tail])
    assert verdict.violations == [], told
    assert verdict.outcome == outcome, told
    assert verdict.position("P") + verdict.position("H") == 0
    assert verdict.worst <= verdict.scenario.size
    assert verdict.to_flat < 5
    hedges = sent(verdict, "H", "hedge")
    filled = [order for order in hedges if order.filled]
    assert len(filled) == (0 if first == ALWAYS else verdict.scenario.cycles)
    assert trouble is moved or filled == hedges, "what was not accepted is no order"
    assert bool(sent(verdict, "P", "unwind")) is (first == ALWAYS)

"""What rows of the matrix wait for, and what they look up afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from mpdex.lab.run import Lab, Verdict
from mpdex.lab.trail import read_lines
from mpdex.lab.truth import Leg
from mpdex.sim.records import SimFill, SimOrder


async def until(holds: Callable[[], Any], *, seconds: float = 300.0) -> Any:
    """Returns what `holds` gives, once that is something. (The time is virtual.)"""
    async with asyncio.timeout(seconds):
        while not (found := holds()):  # noqa: ASYNC110  (any condition)
            await asyncio.sleep(0.005)
    return found


def sent(of: Lab | Verdict, leg: Leg, purpose: str) -> list[SimOrder]:
    """Orders of a purpose ("maker", "hedge", "unwind", ...) that a venue has seen, oldest first."""
    assert of.trail is not None
    assert of.truth is not None
    of.trail.read()
    intent_of = of.trail.intent_of
    return [
        order
        for order in of.truth[leg].orders
        if (intent := intent_of(order)) is not None and intent.purpose == purpose
    ]


async def resting(lab: Lab, number: int = 1) -> SimOrder:
    """The quote that is the n-th to come to rest, as soon as it does, before it trades."""
    return await until(lambda: _resting(lab, number))  # type: ignore[no-any-return]


def _resting(lab: Lab, number: int) -> SimOrder | None:
    quotes = sent(lab, "P", "maker")
    if len(quotes) < number:
        return None
    newest = quotes[-1]
    return newest if newest.live and not newest.filled else None


def journal(verdict: Verdict, kind: str) -> list[dict[str, Any]]:
    """Lines of a kind that the bot wrote, oldest first."""
    assert verdict.trail is not None
    return [line for line in read_lines(verdict.trail.file) if line.get("kind") == kind]


def notes(verdict: Verdict) -> str:
    return "\n".join(line["text"] for line in journal(verdict, "note"))


def fills_of(verdict: Verdict, leg: Leg, purpose: str) -> list[SimFill]:
    wanted = sent(verdict, leg, purpose)
    return [fill for fill in verdict.fills(leg) if fill.order in wanted]


def seconds_at(time_ns: int) -> float:
    """Simulated seconds since the start, of a time of the venues."""
    from mpdex.sim.run import EPOCH_NS

    return (time_ns - EPOCH_NS) / 1e9


def to_hedge(verdict: Verdict) -> list[float]:
    """Seconds from each execution on the primary to the neutral pair that followed."""
    moves = sorted(
        (fill.time_ns, fill.size if fill.order.side == "buy" else -fill.size)
        for leg in ("P", "H")
        for fill in verdict.fills(leg)
    )
    net, since, found = Decimal(0), None, []
    for at, size in moves:
        net += size
        if net and since is None:
            since = at
        elif not net and since is not None:
            found.append((at - since) / 1e9)
            since = None
    return found


# On a `still` market nobody trades by himself: these fill the first quote, or each from then on.
STILL = "still"
FIRST_FILLS = "P.place.maker.nth(1) -> fill(q, at=resting, after=300ms)"
EACH_FILLS = "P.place.maker -> fill(q, at=resting, after=300ms)"
SLOWLY = "P.place.maker -> fill(q, at=resting, after=7s)"

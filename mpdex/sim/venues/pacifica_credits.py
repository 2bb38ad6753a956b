"""What requests to the simulated Pacifica cost, and how answers say what is left.

Counted in tenths of a credit, as headers show them. How the cost of a history grows with its
length is UNVERIFIED.

Source: docs.pacifica.fi, "Rate limits"; read 2026-11-21.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from mpdex.sim.venue import Budget, SimRequest
from mpdex.sim.venues.pacifica_wire import LONGEST_PAGE, USUAL_PAGE
from mpdex.types import Json, Limit

CREDIT, CANCELLATION = 10, 5
HEAVY = ("/orders/history", "/trades/history", "/funding/history")
CANCELS = ("/orders/cancel", "/orders/cancel_all")
LIMITS: Mapping[str, Limit] = {
    "address": Limit(100 * CREDIT, 60.0),
    "key": Limit(300 * CREDIT, 60.0),
}


def cost(request: SimRequest, *, with_key: bool) -> int:
    """Of a request, in tenths of a credit."""
    if request.path.endswith(CANCELS):
        return CANCELLATION
    if not request.path.endswith(HEAVY):
        return CREDIT
    least, most = (1, 4) if with_key else (3, 12)
    asked = request.query.get("limit", str(USUAL_PAGE))
    length = int(asked) if asked.isdigit() else USUAL_PAGE
    return min(max(least, math.ceil(most * length / LONGEST_PAGE)), most) * CREDIT


def headers(budget: Budget | None) -> dict[str, str]:
    """Of an answer; none where nothing was counted."""
    if budget is None:
        return {}
    count, seconds = budget.limit.count, int(budget.limit.seconds)
    return {
        "ratelimit": f'"credits";r={budget.left};t={refreshed_in(budget)}',
        "ratelimit-policy": f'"credits";q={count};w={seconds}',
    }


def on_socket(budget: Budget) -> dict[str, Json]:
    """The same in an answer to a call."""
    return {"r": budget.left, "q": budget.limit.count, "t": refreshed_in(budget)}


def refreshed_in(budget: Budget) -> int:
    """Seconds until all credits are back."""
    share = 1 - budget.left / budget.limit.count
    return math.ceil(share * budget.limit.seconds)

"""What the rows about orders and fills look up afterwards, in truth and in the journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise

from faults.moments import journal, notes, seconds_at, sent

from exchange_factory import load
from mpdex.lab.run import Lab, Verdict
from mpdex.lab.truth import Leg
from mpdex.sim.records import SimFill, SimOrder
from mpdex.sim.venue import SimRequest
from mpdex.utils.translation import Translation

# A market in which nobody trades and an attempt ends after two seconds: only rules fill quotes.
CALM = {"source": "still", "fill_timeout": 1, "cycles": 2, "on_complete": "neutral"}
# The same pair the other way round. Of the first pair, orders of the primary go by socket, and here
# by REST, where they are answered at once.
SWAPPED = {"swapped": True}
# In this time a hedge has been sent and has executed, network included (invariant I2).
SOON = 1.0
# A venue that bounds no resting order's request: its fate stays open for so long (HEDGE 11).
WEAK = 30.0
ENTRY = 0.2  # seconds from a decision to the venue, and more
POSITION_GRACE = 3.0  # seconds for which a position may differ from what fills say
LIGHT = 15.0  # seconds between two looks at what a stream should tell (HEDGE 11)
MILLIONTH = Decimal("0.000001")
# Venues that number the frames about an account: one that is missing is missed.
NUMBERED = frozenset({"grvt", "extended"})


def quotes(verdict: Verdict) -> list[SimOrder]:
    return sent(verdict, "P", "maker")


def hedges(verdict: Verdict) -> list[SimOrder]:
    return sent(verdict, "H", "hedge")


def began(order: SimOrder) -> float:
    """Simulated seconds at which the venue took it in."""
    return seconds_at(order.created_ns)


def ended(order: SimOrder) -> float:
    """Simulated seconds of its last change."""
    return seconds_at(order.updated_ns)


def traded_at(fill: SimFill) -> float:
    return seconds_at(fill.time_ns)


def asked_at(verdict: Verdict, client_id: str) -> float:
    """Simulated seconds at which the bot meant to send an order."""
    assert verdict.trail is not None
    return seconds_at(verdict.trail.intents[client_id].at_ns)


def one_after_another(orders: Sequence[SimOrder]) -> bool:
    """Whether each was sent only after the one before had ended at the venue."""
    return all(a.updated_ns <= b.created_ns for a, b in pairwise(orders))


def total(fills: Sequence[SimFill]) -> Decimal:
    return sum((fill.size for fill in fills), Decimal(0))


def proof_takes(verdict: Verdict) -> float:
    """Seconds before absence can prove anything of a quote: what the venue bounds its request to,
    nothing where its nonce can be used up, `WEAK` where there is neither."""
    if fences(verdict):
        return 0.0
    bound_ms = load(verdict.scenario.primary).SPEC.request_bound_ms
    return WEAK if bound_ms is None else bound_ms / 1000


def fences(verdict: Verdict) -> bool:
    """Whether the primary takes a nonce once, so that an order of which nobody knows whether it
    arrived can be made unable to arrive."""
    return load(verdict.scenario.primary).make_nonces is not Translation.make_nonces


def kept_out(verdict: Verdict, number: int) -> bool:
    """Whether the n-th quote was proven gone before it could land late, and never did."""
    meant = [i for i in verdict.trail.intents.values() if i.purpose == "maker"][number - 1]
    landed = {verdict.trail.name_of(order) for order in verdict.orders("P")}
    proven = said(verdict, f"{meant.client_id} is proven gone")
    return proven and meant.client_id not in landed and one_after_another(quotes(verdict))


def booked(verdict: Verdict, order: SimOrder) -> Decimal:
    """Coins that the trades in the journal say were filled of an order."""
    trades = journal(verdict, "trade")
    name = verdict.trail.name_of(order)
    sizes = [Decimal(t["size"]) for t in trades if t["client_id"] == name]
    return sum(sizes, Decimal(0))


def at_once(verdict: Verdict) -> float:
    """Seconds in which a fill is hedged where nothing is in the way."""
    return ENTRY + held_up(verdict)


def held_up(verdict: Verdict) -> float:
    """Seconds for which the hedge venue makes orders wait that may take, whatever for."""
    assert verdict.truth is not None
    exchange = verdict.truth["H"].exchange
    return exchange.latency.taker_delay + exchange.behind


def compared_after(verdict: Verdict) -> float:
    """Seconds after which what the hedge venue filled beyond its orders is noticed by the position,
    where no stream tells of fills."""
    streams = load(verdict.scenario.hedge).streams()
    return 0.0 if any("fills" in stream.CHANNELS for stream in streams) else POSITION_GRACE


def told_exactly(fee: str, fill: SimFill) -> bool:
    """Whether a fee is the true one, as exactly as a venue writes it: to a millionth."""
    return abs(Decimal(fee) - fill.fee) < MILLIONTH


def hedged_within(verdict: Verdict, fill: SimFill) -> float:
    """Seconds from a fill on the primary to the end of the first hedge that executed after it."""
    after = [f for f in verdict.fills("H") if f.time_ns >= fill.time_ns]
    return traded_at(after[0]) - traded_at(fill)


def unknown(verdict: Verdict, order: SimOrder | None = None) -> float | None:
    """When the bot first noted that it did not know the fate of an order; None: it never did."""
    about = "is UNKNOWN" if order is None else f"{order.client_id} is UNKNOWN"
    found = [line["ts_ns"] for line in journal(verdict, "note") if about in line["text"]]
    return seconds_at(found[0]) if found else None


def said(verdict: Verdict, text: str) -> bool:
    return text in notes(verdict)


def alarms(verdict: Verdict, topic: str) -> list[str]:
    return [a["text"] for a in journal(verdict, "alarm") if a["topic"] == topic]


def on_quote(number: int, *rules: str) -> Callable[[Lab], object]:
    """A `during` that puts rules into force at the instant the n-th quote arrives at the venue."""
    return on_arrival("P", "place", "maker", number, lambda lab: _add(lab, rules))


def on_cancel(number: int, *rules: str) -> Callable[[Lab], object]:
    """The same for the n-th cancel of a quote."""
    return on_arrival("P", "cancel", "maker", number, lambda lab: _add(lab, rules))


def on_hedge(number: int, *rules: str) -> Callable[[Lab], object]:
    """The same for the n-th hedge order."""
    return on_arrival("H", "place", "hedge", number, lambda lab: _add(lab, rules))


def _add(lab: Lab, rules: Sequence[str]) -> None:
    for rule in rules:
        lab.faults.add(rule)


def on_arrival(
    leg: Leg, op: str, purpose: str, number: int, do: Callable[[Lab], object]
) -> Callable[[Lab], object]:
    """A `during` that does something when the n-th request of a kind comes in, before it acts."""

    async def during(lab: Lab) -> None:
        count = 0
        name = lab.venue(leg)
        host = lab.world.server.hosts[name]

        def hear(_: str, which: str, request: SimRequest) -> None:
            nonlocal count
            if which == op and _purpose(lab, host.client_id_of(request)) == purpose:
                count += 1
                if count == number:
                    do(lab)

        host.arrivals.append(hear)

    return during


def _purpose(lab: Lab, client_id: str) -> str:
    lab.trail.read()
    intent = lab.trail.intents.get(client_id)
    return "" if intent is None else intent.purpose

"""What must hold before a quote is placed, and while it rests. Guards may only stop.

Each guard looks at the same facts and gives a reason, or "" when it has none. Hedging and
unwinding are never asked of them: reducing exposure is not blocked by anything here. A further gate
is one more function in `GATES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from strategies.config import HedgeConfig
from strategies.words import ROLES, BookTick, Role

_BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the guards judge."""

    config: HedgeConfig
    now: float
    ticks: Mapping[Role, BookTick]
    live: Mapping[Role, bool]
    worth: Decimal


Guard: TypeAlias = Callable[[Facts], str]


def streams_live(facts: Facts) -> str:
    dark = [role for role in ROLES if not facts.live[role]]
    return f"streams of {' and '.join(dark)} are down" if dark else ""


def books_valid(facts: Facts) -> str:
    for role in ROLES:
        trouble = book_trouble(facts.ticks.get(role), facts.now, facts.config.book_age)
        if trouble:
            return f"{role} book {trouble}"
    return ""


def book_trouble(tick: BookTick | None, now: float, oldest: float) -> str:
    """Why a book cannot be relied on; "" if it can."""
    if tick is None or not tick.bids or not tick.asks:
        return "has an empty side"
    if tick.bids[0][0] >= tick.asks[0][0]:
        return "is crossed"
    if now - tick.at > oldest:
        return f"is older than {oldest:g} s"
    return ""


def hedge_deep_enough(facts: Facts) -> str:
    tick = facts.ticks["hedge"]
    return "hedge book is too thin for the clip" if tick.buy is None or tick.sell is None else ""


def spread_sane(facts: Facts) -> str:
    tick = facts.ticks["primary"]
    bid, ask = tick.bids[0][0], tick.asks[0][0]
    wide = (ask - bid) / bid * _BPS
    return f"primary spread is {wide:.1f} bps" if wide > facts.config.max_spread_bps else ""


def same_asset(facts: Facts) -> str:
    here, there = facts.ticks["primary"].mid, facts.ticks["hedge"].mid
    if here is None or there is None or abs(here - there) > here * facts.config.max_distance:
        return f"mids are too far apart: {here} and {there}"
    return ""


GATES: tuple[Guard, ...] = (
    streams_live,
    books_valid,
    hedge_deep_enough,
    spread_sane,
    same_asset,
)


def first_reason(facts: Facts) -> str:
    """Why no quote may be placed or kept; "" if one may. Later guards rely on earlier ones."""
    for guard in GATES:
        reason = guard(facts)
        if reason:
            return reason
    return ""


def session_over_limit(facts: Facts) -> str:
    """Why the session must end; "" if it need not."""
    limit = facts.config.max_loss
    if limit is not None and facts.worth <= -limit:
        return f"loss of {-facts.worth:.2f} reached the limit of {limit}"
    return ""

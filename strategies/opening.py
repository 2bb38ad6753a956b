"""The beginning of a run: what earlier ones left, what the venues are like, where it goes on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from mpdex.errors import MpdexError
from mpdex.types import Market
from mpdex.utils.clock import Clock
from strategies.config import HedgeConfig
from strategies.desk import Desk
from strategies.flatten import Hands, flatten
from strategies.history import put_large_aside, read_past
from strategies.ledger import ZERO
from strategies.lock import Leg
from strategies.preflight import Refused, examine
from strategies.restart import VERSION, CannotResume, Past, restore, taken_over
from strategies.setup import Setup
from strategies.venue import Venue
from strategies.words import ROLES, Role

Venues = Mapping[Role, Venue]
# A saved basis is of use for so long.
_BASIS_MS = 300_000
# An order that makes neutral trades within its bound, and its intent is on the disk soon after.
_ABOUT_MS = 60_000


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a run begins.

    Attributes:
        header: the first line of its journal.
        past: what it takes over.
    """

    setup: Setup
    desk: Desk
    session: str
    header: Mapping[str, Any]
    past: Past


async def legs_of(config: HedgeConfig, venues: Venues) -> dict[Role, Leg]:
    """What the run has to itself; nothing where a market is not known: preflight tells why."""
    wanted = {"primary": config.primary_symbol, "hedge": config.hedge_symbol}
    legs: dict[Role, Leg] = {}
    for role in ROLES:
        venue = venues[role]
        try:
            symbol = wanted[role] or await venue.find_symbol(config.ticker)
        except MpdexError:
            return {}
        legs[role] = Leg(venue.SPEC.name, venue.account_id, symbol)
    return legs


async def open_run(
    config: HedgeConfig,
    venues: Venues,
    clock: Clock,
    rng: random.Random,
    legs: Mapping[Role, Leg],
    *,
    ephemeral: bool,
) -> Opening:
    """Looks back, examines, and sets the desk up.

    Raises: Refused, CannotResume; UsageError.
    """
    where: dict[str, str] = {role: "/".join(leg) for role, leg in legs.items()}
    where["mode"] = config.mode
    past = Past() if ephemeral or not legs else read_past(config, where, clock)
    if past.crash_loop(clock.now_ms()) and not config.force:
        raise CannotResume(
            f"{len(past.crashes)} runs crashed, the last ones within ten minutes: look at the log, "
            "then start with --force"
        )
    if config.adopt_baseline == "close" and legs:
        await _close_first(config, venues, clock, legs, past)
        past = past.closed(clock.now_ms())
    setup = await examine(config, venues, clock, past)
    past = taken_over(config, past, setup.held)
    if past.finished:
        put_large_aside(config, clock)
    if past.session:
        setup = replace(setup, session_ms=past.began_ms, is_lost=_forgotten(venues, past))
    resumed = config.resume and bool(past.session)
    session = past.session if resumed else f"{setup.started_ms:x}-{rng.getrandbits(16):04x}"
    mids = {role: _mid(venues[role], setup.markets[role]) for role in ROLES}
    header = _header(setup, past, session, where, mids, resumed=resumed, carries=not ephemeral)
    desk = restore(setup, past, clock.monotonic(), resume=resumed, mids=mids)
    _remember_basis(desk, past)
    return Opening(setup, desk, session, header, past)


def _header(
    setup: Setup,
    past: Past,
    session: str,
    where: Mapping[str, Any],
    mids: Mapping[Role, Decimal],
    *,
    resumed: bool,
    carries: bool,
) -> dict[str, Any]:
    config = setup.config
    return {
        "v": VERSION,
        "session": session,
        "previous": past.session,
        "resumed": resumed,
        "carries": carries,
        "where": where,
        "primary": config.primary,
        "hedge": config.hedge,
        "ticker": config.ticker,
        "size": config.size,
        "iterations": config.iterations,
        "count": config.count,
        "direction": config.direction,
        "baseline": setup.baseline,
        "quotes": {role: setup.markets[role]["quote"] for role in ROLES},
        "held": past.held,
        "mids": mids,
        "attempts": past.attempts if resumed else 0,
        "successes": past.successes if resumed else 0,
        "started_ms": setup.started_ms,
    }


def _forgotten(venues: Venues, past: Past) -> Callable[[Role, str | None, int], bool]:
    """Orders with our mark from about the time of the last line: a power cut took their intents."""
    first_ms, last_ms = past.last_ms - _ABOUT_MS, past.last_ms + _ABOUT_MS

    def is_lost(role: Role, client_id: str | None, at_ms: int) -> bool:
        cut_off = past.code is None and not past.emptied
        return cut_off and first_ms <= at_ms <= last_ms and venues[role].owns(client_id)

    return is_lost


def _remember_basis(desk: Desk, past: Past) -> None:
    if past.basis is None:
        return
    age_ms = desk.setup.started_ms - past.basis["ts_ns"] // 1_000_000
    if 0 <= age_ms < _BASIS_MS:
        desk.lessons.books.basis.restore(past.basis, desk.now, age_ms / 1000)


async def _close_first(
    config: HedgeConfig, venues: Venues, clock: Clock, legs: Mapping[Role, Leg], past: Past
) -> None:
    """`--adopt-baseline close`: whatever is there, ours or not, is closed before the run."""
    last_ms = max((order.sent_ms for order in past.unsettled), default=0)
    weak_ms = last_ms + config.weak_bound * 1000  # what was sent then can no longer arrive
    await asyncio.sleep(max(weak_ms - clock.now_ms(), 0) / 1000)
    try:
        outcome = await flatten(await hands_on(venues, legs, clock, exclusive=config.exclusive))
    except MpdexError as error:
        raise Refused([str(error)]) from error
    if not outcome.flat:
        raise Refused([f"{role} could not be closed: {why}" for role, why in outcome.left.items()])


async def hands_on(
    venues: Venues, legs: Mapping[Role, Leg], clock: Clock, *, exclusive: bool
) -> dict[Role, Hands]:
    """For closing without a run. Raises: MpdexError."""
    hands: dict[Role, Hands] = {}
    for role in ROLES:
        market = await venues[role].get_market(legs[role].symbol)
        hands[role] = Hands(venues[role], market, clock, exclusive=exclusive)
    return hands


def _mid(venue: Venue, market: Market) -> Decimal:
    """Preflight has seen that there is one; what it is worth a moment later decides nothing."""
    bbo = venue.book(market["symbol"]).bbo()
    if bbo["bid"] is None or bbo["ask"] is None:
        return ZERO
    return (bbo["bid"] + bbo["ask"]) / 2

"""What is asked before the first order. Every check runs; all that fail are told at once.

Facts are read here and judged in `strategies.checks`. A run that has an earlier run's exposure to
close is not kept from that by what only speaks against opening: it starts, makes it neutral, and
then ends with those problems.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from mpdex.errors import AuthError, MpdexError, TransportError, UsageError
from mpdex.types import Topic
from mpdex.utils.clock import Clock
from mpdex.utils.orderbook import Book
from strategies import checks
from strategies.checks import Reading, market_only, plain, signed_position
from strategies.config import HedgeConfig
from strategies.costs import Costs
from strategies.findings import Findings
from strategies.ledger import ZERO
from strategies.outlook import Outlook, Prices, outlook
from strategies.restart import Past, baseline_of, goes_on, objections
from strategies.setup import Setup
from strategies.steady import wait_steady
from strategies.venue import Venue
from strategies.words import ROLES, AccountRead, ClockRead, Event, FundingRead, Role

T = TypeVar("T")
Venues = Mapping[Role, Venue]

# A run writes a few megabytes a day.
_DISK_BYTES = 50_000_000


class Refused(Exception):
    """The run cannot start. `problems` are sentences that name the fix."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


@dataclass(slots=True)
class Inspection:
    """Everything found out. `started`, `started_ms`: one moment, from which on fills are ours."""

    config: HedgeConfig
    venues: Venues
    readings: dict[Role, Reading]
    started: float
    started_ms: int
    found: Findings = field(default_factory=Findings)
    outlook: Outlook | None = None

    @property
    def held(self) -> dict[Role, Decimal]:
        return {role: self.readings[role].held or ZERO for role in ROLES}


async def examine(
    config: HedgeConfig, venues: Venues, clock: Clock, past: Past | None = None
) -> Setup:
    """Inspects, and says how the run may begin; leaves the streams running.

    Args:
        past: what earlier runs left, where that is to be gone on with.

    Raises: Refused.
    """
    past = past or Past()
    seen = await inspect(config, venues, clock, past, steady=config.canary and past.finished)
    going_on = not past.finished and goes_on(config, past, seen.held)
    problems = seen.found.lasting if going_on else seen.found.problems
    if problems:
        raise Refused(problems)
    return _setup(seen, past)


async def inspect(
    config: HedgeConfig,
    venues: Venues,
    clock: Clock,
    past: Past | None = None,
    *,
    steady: bool = True,
    change: bool = True,
) -> Inspection:
    """Every check, in turn; one that fails does not keep others from being made.

    Args:
        steady: wait until both books have been good for some seconds.
        change: the leverage that is wanted may be set.
    """
    readings = {role: Reading(role, venues[role].SPEC) for role in ROLES}
    seen = Inspection(config, venues, readings, clock.monotonic(), clock.now_ms())
    found = seen.found
    checks.check_pair(config, {role: readings[role].spec for role in ROLES}, found)
    for role in ROLES:
        await _read_market(seen, role)
    listed = [role for role in ROLES if readings[role].market is not None]
    if len(listed) == len(ROLES):
        markets = {role: market for role, r in readings.items() if (market := r.market)}
        checks.check_sizes(config, markets, found)
    for role in listed:
        await _read_account(seen, role, past or Past(), change=change)
        await _start_streams(seen, role)
    if steady:
        books = {role: book for role in ROLES if (book := _book_of(seen, role)) is not None}
        await wait_steady(venues, books, clock, found)
    for role in listed:
        _look_at_book(seen, role)
        _prove_signing(seen, role)
    checks.check_prices(config, readings, found)
    for reading in readings.values():
        checks.check_clock(config, reading, found)
        checks.check_leverage(config, reading, found, asked=change)
        checks.check_margin(config, reading, found)
        checks.check_liquidation(config, reading, found)
        checks.check_session(reading, clock.now_ms(), found)
        checks.check_orders(config, reading, found)
    held = objections(config, past or Past(), seen.held, seen.started_ms)
    found.judge("positions", held, "nothing is in the way")
    _look_ahead(seen)
    found.judge("disk", _disk(config.logs), f"{config.logs} can be written")
    return seen


# --------------------------------------------------------------------------- reading


async def _read_market(seen: Inspection, role: Role) -> None:
    config, venue = seen.config, seen.venues[role]
    wanted = config.primary_symbol if role == "primary" else config.hedge_symbol
    try:
        symbol = wanted or await venue.find_symbol(config.ticker)
        market = await venue.get_market(symbol)
    except MpdexError as error:
        seen.found.refuse("market", str(error), role)
        return
    if not market["active"]:
        text = f"{symbol} does not trade now; try again later"
        seen.found.refuse("market", text, role)
    else:
        text = f"{symbol}, tick {plain(market['tick'])}, step {plain(market['step'])}"
        seen.found.ok("market", text, role)
    seen.readings[role].market = market


async def _read_account(seen: Inspection, role: Role, past: Past, *, change: bool) -> None:
    reading, venue = seen.readings[role], seen.venues[role]
    assert reading.market is not None
    symbol, wanted = reading.market["symbol"], seen.config.leverage
    reading.positions = await _ask(seen, role, "positions", venue.get_positions, need=True)
    reading.collateral = await _ask(seen, role, "margin", venue.get_collateral, need=True)
    reading.leverage = await _ask(seen, role, "leverage", lambda: venue.get_leverage_info(symbol))
    told = None if reading.leverage is None else reading.leverage["leverage"]
    if change and wanted is not None and told != wanted:
        reading.leverage = await _ask(
            seen, role, "leverage", lambda: venue.update_leverage(symbol, wanted), need=True
        )
    reading.skew_ms = await _ask(seen, role, "clock", venue.get_clock_skew)
    reading.fees = await _ask(seen, role, "fees", lambda: venue.get_fees(symbol))
    reading.funding = await _ask(seen, role, "funding", lambda: venue.get_funding_rate(symbol))
    reading.session_expires_ms = venue.session_expires_ms
    orders = await _ask(seen, role, "orders", lambda: venue.read_open_orders(symbol), need=True)
    marked = [id for o in orders or () if venue.owns(id := o["client_order_id"])]
    reading.ours = sum((role, id) not in past.orders for id in marked)


async def _ask(
    seen: Inspection,
    role: Role,
    check: str,
    question: Callable[[], Awaitable[T]],
    *,
    need: bool = False,
) -> T | None:
    """An answer, or a finding. A venue that refuses the keys, or is not there, is asked no more."""
    reading = seen.readings[role]
    if reading.silent:
        return None
    try:
        return await question()
    except (AuthError, TransportError) as error:
        reading.silent = str(error)
        fix = "check its keys" if isinstance(error, AuthError) else "check the network"
        seen.found.refuse(check, f"{error}; {fix}", role)
    except UsageError as error:  # not offered, or no keys: `dry` needs none
        seen.found.warn(check, f"not told: {error.detail}", role)
    except MpdexError as error:
        if need:
            seen.found.refuse(check, str(error), role)
        else:
            seen.found.warn(check, f"not told: {error}", role)
    return None


async def _start_streams(seen: Inspection, role: Role) -> None:
    reading, venue = seen.readings[role], seen.venues[role]
    assert reading.market is not None
    account = [c for c in ("orders", "fills", "positions") if c in venue.stream_channels]
    topics = [Topic("book", reading.market["symbol"]), *map(Topic, account)]
    if role == "primary" and "fills" not in account:
        text = f"{venue.SPEC.name} does not stream own fills; use it as --hedge only"
        seen.found.refuse("streams", text, role)
    # As deep as the gates look: where a venue quotes for a size, there is no more to see.
    depth = seen.config.size / seen.config.limits.depth_share
    try:
        venue.size_book(reading.market["symbol"], depth)
        await venue.start_streams(topics)
    except MpdexError as error:
        seen.found.refuse("streams", str(error), role)
        reading.silent = reading.silent or str(error)
    else:
        live = ", ".join(topic.channel for topic in topics)
        seen.found.ok("streams", f"live: {live}", role)


def _look_at_book(seen: Inspection, role: Role) -> None:
    book = _book_of(seen, role)
    if book is None:
        return
    bbo = book.bbo() if not book.stale else None
    if bbo is None or bbo["bid"] is None or bbo["ask"] is None:
        text = f"{book.symbol} has no two-sided book now; try again later"
        seen.found.refuse("book", text, role)
        return
    seen.readings[role].mid = (bbo["bid"] + bbo["ask"]) / 2


def _book_of(seen: Inspection, role: Role) -> Book | None:
    """None: it is not subscribed."""
    market = seen.readings[role].market
    try:
        return None if market is None else seen.venues[role].book(market["symbol"])
    except MpdexError:  # the stream could not be started, which is told
        return None


def _prove_signing(seen: Inspection, role: Role) -> None:
    reading, venue = seen.readings[role], seen.venues[role]
    if reading.market is None or reading.mid is None:
        return
    try:
        venue.prove_signing(reading.market["symbol"], reading.mid)
    except MpdexError as error:
        seen.found.refuse("signing", f"{error}; check the key and the installation", role)
    else:
        seen.found.ok("signing", "orders of both sides can be signed", role)


# --------------------------------------------------------------------------- costs, disk


def _look_ahead(seen: Inspection) -> None:
    """What a cycle should cost, and whether that is within what is allowed."""
    config = seen.config
    told = {role: seen.readings[role].fees for role in ROLES}
    prices = {role: found for role in ROLES if (found := _prices(seen, role)) is not None}
    if len(prices) < len(ROLES):
        return
    assumed = tuple(role for role in ROLES if (fees := told[role]) is None or fees["assumed"])
    seen.outlook = ahead = outlook(Costs.of(config, told), prices, assumed)
    limit = config.cost_limit_bps
    if limit is not None and ahead.cost > limit:
        text = f"{ahead}; --max-cost-bps allows {plain(limit)}: nothing would be quoted now"
        seen.found.warn("cost", text)
    else:
        seen.found.ok("cost", str(ahead))


def _prices(seen: Inspection, role: Role) -> Prices | None:
    book = _book_of(seen, role)
    if book is None or book.stale:
        return None
    bbo, size = book.bbo(), seen.config.size
    if bbo["bid"] is None or bbo["ask"] is None:
        return None
    return Prices(
        bid=bbo["bid"],
        ask=bbo["ask"],
        buy=book.vwap("buy", size) or bbo["ask"],
        sell=book.vwap("sell", size) or bbo["bid"],
    )


def _disk(folder: Path) -> list[str]:
    """Whether the journal can be kept: without it nothing is begun."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return [f"{folder} cannot be written; name another folder with --logs"]
    free = shutil.disk_usage(place).free
    if free < _DISK_BYTES:
        return [f"{folder} has {free // 1_000_000} MB left; make room, or name another --logs"]
    return []


# --------------------------------------------------------------------------- the setup


def _setup(seen: Inspection, past: Past) -> Setup:
    config, venues, readings = seen.config, seen.venues, seen.readings
    markets = {role: market for role, r in readings.items() if (market := r.market)}
    return Setup(
        config=config,
        markets=markets,
        bounds={role: _bound(config, venues[role], role) for role in ROLES},
        taker_bounds={role: _taker_bound(config, venues[role]) for role in ROLES},
        acks={role: _ack(config, venues[role]) for role in ROLES},
        baseline=baseline_of(config, past, seen.held),
        held=seen.held,
        new_id={role: venues[role].new_client_id for role in ROLES},
        started=seen.started,
        started_ms=seen.started_ms,
        fees={role: readings[role].fees for role in ROLES},
        weak=frozenset(role for role in ROLES if readings[role].spec.canary == "weak"),
        silent=frozenset(role for role in ROLES if not readings[role].spec.reports_unfilled_ioc),
        fences=frozenset(role for role in ROLES if venues[role].can_fence),
        polled=frozenset(role for role in ROLES if "orders" not in venues[role].stream_channels),
        market_only=frozenset(role for role in ROLES if market_only(readings[role].spec)),
        readings=tuple(event for role in ROLES for event in _events(readings[role])),
        notes=(*seen.found.problems, *seen.found.warnings),
        objections=tuple(seen.found.problems),
    )


def _events(reading: Reading) -> list[Event]:
    """What the gates would ask for first, told already."""
    role = reading.role
    events: list[Event] = []
    if reading.collateral is not None:
        free, equity = reading.collateral["available"], reading.collateral["total"]
        events.append(AccountRead(role, free, equity, reading.reach))
    if reading.skew_ms is not None:
        events.append(ClockRead(role, reading.skew_ms))
    if reading.funding is not None:
        rate, due_ms = reading.funding["rate"], reading.funding["next_funding_ms"]
        events.append(FundingRead(role, rate, due_ms))
    return events


def _bound(config: HedgeConfig, venue: Venue, role: Role) -> float:
    """On the hedge venue every order must trade at once; on the primary the quote decides."""
    spec = venue.SPEC
    bound_ms = (role == "hedge" and spec.immediate_bound_ms) or spec.request_bound_ms
    return config.weak_bound if bound_ms is None else bound_ms / 1000


def _taker_bound(config: HedgeConfig, venue: Venue) -> float:
    bound_ms = venue.SPEC.immediate_bound_ms or venue.SPEC.request_bound_ms
    return config.weak_taker_bound if bound_ms is None else bound_ms / 1000


def _ack(config: HedgeConfig, venue: Venue) -> float:
    return config.ack_socket if venue.SPEC.order_route == "ws" else config.ack_rest


__all__ = ["Inspection", "Refused", "examine", "inspect", "plain", "signed_position"]

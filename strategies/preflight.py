"""What is asked before the first order. Every check runs; all that fail are told at once."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from mpdex.errors import MpdexError
from mpdex.types import Market, Position, Topic
from mpdex.utils import precision
from mpdex.utils.clock import Clock
from mpdex.utils.precision import snap_size
from strategies.config import HedgeConfig
from strategies.desk import Setup
from strategies.ledger import ZERO
from strategies.quoting import lattice
from strategies.restart import Past, baseline_of, objections
from strategies.venue import Venue
from strategies.words import ROLES, Role

# A notional minimum is judged at a price that may move a little before the order arrives.
_NOTIONAL_MARGIN = Decimal("1.02")
Venues = Mapping[Role, Venue]


class Refused(Exception):
    """The run cannot start. `problems` are sentences that name the fix."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def plain(number: Decimal) -> str:
    """Without the zeros that come from the finer of two steps."""
    return precision.plain(number.normalize())


async def examine(
    config: HedgeConfig, venues: Venues, clock: Clock, past: Past | None = None
) -> Setup:
    """Markets, sizes, abilities, positions, books; leaves the streams running.

    Args:
        past: what earlier runs left, where that is to be gone on with.

    Raises: Refused.
    """
    past = past or Past()
    markets = await _markets(config, venues)
    problems = _abilities(config, venues) + _sizes(config, markets)
    if problems:
        raise Refused(problems)
    started, started_ms = clock.monotonic(), clock.now_ms()
    try:
        held = {role: await _position(venues[role], markets[role]) for role in ROLES}
        await _start_streams(venues, markets)
        mids = {role: _mid(venues[role], markets[role]) for role in ROLES}
    except MpdexError as error:
        raise Refused([str(error)]) from error
    problems = objections(config, past, held, started_ms) + _values(config, markets, mids)
    if problems:
        raise Refused(problems)
    return Setup(
        config=config,
        markets=markets,
        bounds={role: _bound(config, venues[role], role) for role in ROLES},
        taker_bounds=_taker_bounds(venues),
        acks={role: _ack(config, venues[role]) for role in ROLES},
        baseline=baseline_of(config, past, held),
        held=held,
        new_id={role: venues[role].new_client_id for role in ROLES},
        started=started,
        started_ms=started_ms,
    )


async def _markets(config: HedgeConfig, venues: Venues) -> dict[Role, Market]:
    found: dict[Role, Market] = {}
    problems = []
    wanted = {"primary": config.primary_symbol, "hedge": config.hedge_symbol}
    for role in ROLES:
        try:
            symbol = wanted[role] or await venues[role].find_symbol(config.ticker)
            found[role] = await venues[role].get_market(symbol)
        except MpdexError as error:
            problems.append(f"{role}: {error}")
    if problems:
        raise Refused(problems)
    return found


def _abilities(config: HedgeConfig, venues: Venues) -> list[str]:
    problems = []
    primary, hedge = venues["primary"].SPEC, venues["hedge"].SPEC
    if "post_only" not in primary.supports:
        problems.append(f"{config.primary} has no post-only orders; choose another --primary")
    if primary.fragile:
        problems.append(f"{config.primary} may break without notice; use it as --hedge only")
    problems += [
        f"{spec.name} has no immediate-or-cancel orders; choose another venue"
        for spec in (primary, hedge)
        if "ioc" not in spec.supports
    ]
    return problems


def _sizes(config: HedgeConfig, markets: Mapping[Role, Market]) -> list[str]:
    step = lattice(markets["primary"], markets["hedge"])
    least = max(step, *(_up(markets[role]["min_size"], step) for role in ROLES))
    size = config.size
    problems = []
    if size < least:
        problems.append(f"size {plain(size)} is below the minimum; use {plain(least)} or more")
    elif snap_size(size, step) != size:
        problems.append(
            f"size {plain(size)} is not a multiple of {plain(step)}, the common step of both "
            f"venues; use {plain(snap_size(size, step))}"
        )
    for role in ROLES:
        largest = markets[role]["max_size"]
        if largest is not None and size > largest:
            problems.append(f"size {plain(size)} is above the {role} maximum of {plain(largest)}")
    return problems


def _up(size: Decimal, step: Decimal) -> Decimal:
    snapped = snap_size(size, step)
    return snapped if snapped == size else snapped + step


def _values(
    config: HedgeConfig, markets: Mapping[Role, Market], mids: Mapping[Role, Decimal]
) -> list[str]:
    here, there = mids["primary"], mids["hedge"]
    if abs(here - there) > here * config.max_distance:
        return [f"mids are {plain(here)} and {plain(there)}: these are not the same asset"]
    problems = []
    for role in ROLES:
        least = markets[role]["min_notional"]
        if least is None:
            continue
        enough = _up(least * _NOTIONAL_MARGIN / mids[role], markets[role]["step"])
        if config.size < enough:
            problems.append(
                f"size {plain(config.size)} is worth less than the {role} minimum of "
                f"{plain(least)} {markets[role]['quote']}; use {plain(enough)} or more"
            )
    return problems


async def _position(venue: Venue, market: Market) -> Decimal:
    return signed_position(await venue.get_positions(), market["symbol"])


def signed_position(positions: list[Position], symbol: str) -> Decimal:
    """Positive is long; a market that is not listed is flat."""
    for position in positions:
        if position["symbol"] == symbol:
            return position["size"] if position["side"] == "long" else -position["size"]
    return ZERO


async def _start_streams(venues: Venues, markets: Mapping[Role, Market]) -> None:
    for role in ROLES:
        symbol = markets[role]["symbol"]
        await venues[role].start_streams([Topic("book", symbol), Topic("orders"), Topic("fills")])


def _mid(venue: Venue, market: Market) -> Decimal:
    bbo = venue.book(market["symbol"]).bbo()
    if bbo["bid"] is None or bbo["ask"] is None:
        raise Refused([f"{market['symbol']} has no two-sided book now; try again later"])
    return (bbo["bid"] + bbo["ask"]) / 2


def _bound(config: HedgeConfig, venue: Venue, role: Role) -> float:
    """On the hedge venue every order must trade at once; on the primary the quote decides."""
    spec = venue.SPEC
    bound_ms = (role == "hedge" and spec.immediate_bound_ms) or spec.request_bound_ms
    return config.weak_bound if bound_ms is None else bound_ms / 1000


def _taker_bounds(venues: Venues) -> dict[Role, float]:
    bounds_ms = {role: venues[role].SPEC.immediate_bound_ms for role in ROLES}
    return {role: ms / 1000 for role, ms in bounds_ms.items() if ms is not None}


def _ack(config: HedgeConfig, venue: Venue) -> float:
    return config.ack_socket if venue.SPEC.order_route == "ws" else config.ack_rest

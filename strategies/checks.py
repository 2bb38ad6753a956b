"""The checks before a run, over what was read. Pure: readings in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from mpdex.types import Collateral, Fees, FundingRate, LeverageInfo, Market, Position, VenueSpec
from mpdex.utils import precision
from mpdex.utils.precision import snap_size
from strategies.config import HedgeConfig
from strategies.findings import Findings
from strategies.ledger import ZERO
from strategies.quoting import lattice
from strategies.words import ROLES, Role

# A notional minimum is judged at a price that may move a little before the order arrives.
_NOTIONAL_MARGIN = Decimal("1.02")
# A login that nothing here can renew must outlive the first part of a run (FAULTS AU-05).
_SESSION_MS = 600_000
# Where a venue tells neither liquidation price nor leverage bound: kept margin of its own.
_HALF, _MAINTENANCE = Decimal("0.5"), Decimal("0.05")


@dataclass(slots=True)
class Reading:
    """What one venue said; None: it did not, or was not asked.

    Attributes:
        ours: how many open orders of the market bear this program's mark.
        silent: why it is asked nothing more.
    """

    role: Role
    spec: VenueSpec
    market: Market | None = None
    positions: list[Position] | None = None
    collateral: Collateral | None = None
    leverage: LeverageInfo | None = None
    fees: Fees | None = None
    funding: FundingRate | None = None
    skew_ms: float | None = None
    mid: Decimal | None = None
    session_expires_ms: int | None = None
    ours: int = 0
    silent: str = ""
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def held(self) -> Decimal | None:
        """The position, signed."""
        if self.market is None or self.positions is None:
            return None
        return signed_position(self.positions, self.market["symbol"])

    @property
    def reach(self) -> Decimal | None:
        """Leverage in force: the account's, cut by the market's bound; None: nobody tells."""
        told = [self.leverage["leverage"], self.leverage["max_leverage"]] if self.leverage else []
        bounds = [*told, self.market and self.market["max_leverage"]]
        return min((bound for bound in bounds if bound), default=None)


Readings = Mapping[Role, Reading]


def plain(number: Decimal) -> str:
    """Without the zeros that come from the finer of two steps."""
    return precision.plain(number.normalize())


def signed_position(positions: list[Position], symbol: str) -> Decimal:
    """Positive is long; a market that is not listed is flat."""
    for position in positions:
        if position["symbol"] == symbol:
            return position["size"] if position["side"] == "long" else -position["size"]
    return ZERO


# --------------------------------------------------------------------------- venues and sizes


def check_pair(config: HedgeConfig, specs: Mapping[Role, VenueSpec], found: Findings) -> None:
    """Whether these two venues can be a pair at all."""
    found.judge("order book", _same_book(config, specs), "two order books")
    found.judge("order types", _missing_orders(config, specs), "post-only, and immediate on both")


def _same_book(config: HedgeConfig, specs: Mapping[Role, VenueSpec]) -> Iterator[str]:
    books = {specs[role].order_book or specs[role].name for role in ROLES}
    if len(books) == 1:
        yield (
            f"{config.primary} and {config.hedge} trade on one order book, {books.pop()}: the run "
            "would trade with itself; choose venues with books of their own"
        )


def _missing_orders(config: HedgeConfig, specs: Mapping[Role, VenueSpec]) -> Iterator[str]:
    primary = specs["primary"]
    if "post_only" not in primary.supports:
        yield f"{config.primary} has no post-only orders; choose another --primary"
    if primary.fragile:
        yield f"{config.primary} may break without notice; use it as --hedge only"
    if "ioc" not in primary.supports:
        yield f"{config.primary} has no immediate-or-cancel orders; choose another --primary"
    if not {"ioc", "market"} & specs["hedge"].supports:
        yield f"{config.hedge} has no immediate orders; choose another --hedge"


def market_only(spec: VenueSpec) -> bool:
    """Whether an immediate order can have no limit there."""
    return "ioc" not in spec.supports


def check_sizes(config: HedgeConfig, markets: Mapping[Role, Market], found: Findings) -> None:
    """Whether the size can be traded on both grids without a rest."""
    step = lattice(markets["primary"], markets["hedge"])
    good = f"{plain(config.size)} on a common step of {plain(step)}"
    found.judge("size", _sizes(config, markets, step), good)


def _sizes(config: HedgeConfig, markets: Mapping[Role, Market], step: Decimal) -> Iterator[str]:
    least = max(step, *(_up(markets[role]["min_size"], step) for role in ROLES))
    size = config.size
    if size < least:
        yield f"size {plain(size)} is below the minimum; use {plain(least)} or more"
    elif snap_size(size, step) != size:
        lower = snap_size(size, step)
        nearest = f"{plain(lower)} or {plain(lower + step)}" if lower >= least else plain(least)
        yield (
            f"size {plain(size)} is not a multiple of {plain(step)}, the common step of both "
            f"venues; use {nearest}"
        )
    for role in ROLES:
        largest = markets[role]["max_size"]
        if largest is not None and size > largest:
            yield f"size {plain(size)} is above the {role} maximum of {plain(largest)}"


def _up(size: Decimal, step: Decimal) -> Decimal:
    snapped = snap_size(size, step)
    return snapped if snapped == size else snapped + step


def check_prices(config: HedgeConfig, readings: Readings, found: Findings) -> None:
    """One asset on both venues, and a size worth enough."""
    mids = {role: readings[role].mid for role in ROLES}
    here, there = mids["primary"], mids["hedge"]
    if here is None or there is None:
        return
    if abs(here - there) > here * config.max_distance:
        found.refuse(
            "asset",
            f"mids are {plain(here)} and {plain(there)}: these are not the same asset; name the "
            "right market with --primary-symbol or --hedge-symbol",
        )
        return
    apart = abs(here - there) / here * 10_000
    found.ok("asset", f"mids {plain(here)} and {plain(there)}, {apart:.1f} bps apart")
    for role in ROLES:
        found.judge("value", _value(config, readings[role]), "above the minimum", role)


def _value(config: HedgeConfig, reading: Reading) -> Iterator[str]:
    market, mid = reading.market, reading.mid
    assert market is not None
    assert mid is not None
    least = market["min_notional"]
    if least is None:
        return
    enough = _up(least * _NOTIONAL_MARGIN / mid, market["step"])
    if config.size < enough:
        yield (
            f"size {plain(config.size)} is worth less than the minimum of {plain(least)} "
            f"{market['quote']}; use {plain(enough)} or more"
        )


# --------------------------------------------------------------------------- accounts


def check_clock(config: HedgeConfig, reading: Reading, found: Findings) -> None:
    """A signature made by a wrong clock is refused, or lives longer than it should."""
    skew, limits, role = reading.skew_ms, config.limits, reading.role
    if skew is None:
        return
    text = f"clock {skew:+.0f} ms from here"
    if abs(skew) > limits.skew_halt_ms:
        fix = "set this machine's clock (ntp)"
        found.refuse("clock", f"{text}; {fix}", role, opening=True)
    elif abs(skew) > limits.skew_pause_ms:
        found.warn("clock", f"{text}: no quotes until it is within {limits.skew_pause_ms:g}", role)
    else:
        found.ok("clock", text, role)


def check_leverage(config: HedgeConfig, reading: Reading, found: Findings, *, asked: bool) -> None:
    """What the venue really has set, whatever was asked of it. `asked`: it was."""
    info, role = reading.leverage, reading.role
    if info is None:
        return
    if info["position_mode"] == "hedge":
        found.refuse(
            "position mode",
            "the account keeps long and short apart (hedge mode); switch it to one-way",
            role,
            opening=True,
        )
    wanted = config.leverage
    if wanted is not None and info["leverage"] != wanted:
        told = "is not told" if info["leverage"] is None else f"is {plain(info['leverage'])}"
        if not asked:
            found.warn("leverage", f"leverage {told}; a run would set {plain(wanted)}", role)
            return
        text = f"leverage {told}, not {plain(wanted)}; set it on the venue, or leave --leverage out"
        found.refuse("leverage", text, role, opening=True)
    elif info["leverage"] is None:
        found.warn("leverage", "leverage is not told", role)
    else:
        mode = info["margin_mode"] or "unknown"
        found.ok("leverage", f"{plain(info['leverage'])}x, margin mode {mode}", role)


def check_margin(config: HedgeConfig, reading: Reading, found: Findings) -> None:
    """Room for several clips, so that no hedge is refused for want of margin."""
    collateral, mid, role = reading.collateral, reading.mid, reading.role
    if collateral is None or mid is None:
        return
    clips, free = config.limits.margin_clips, collateral["available"]
    needed = clips * config.size * mid / (reading.reach or 1)
    text = f"{free:.2f} {collateral['currency']} free, {clips} clips need {needed:.2f}"
    if free >= needed:
        found.ok("margin", text, role)
    elif config.mode == "dry":
        found.warn("margin", f"{text}: enough for paper only", role)
    else:
        found.refuse("margin", f"{text}; deposit, or use a smaller --size", role, opening=True)


def check_liquidation(config: HedgeConfig, reading: Reading, found: Findings) -> None:
    """Positions of the account, ours or not, must be far from being taken away."""
    if reading.positions is None or reading.market is None:
        return
    others = [p for p in reading.positions if p["symbol"] != reading.market["symbol"]]
    if others:
        names = ", ".join(position["symbol"] for position in others)
        found.warn("margin", f"other positions share the margin: {names}", reading.role)
    for position in reading.positions:
        _check_distance(config, reading, position, found)


def _check_distance(
    config: HedgeConfig, reading: Reading, position: Position, found: Findings
) -> None:
    least, symbol = config.limits.liquidation_open, position["symbol"]
    distance = liquidation_distance(position, reading)
    if distance is None:
        text = f"{symbol}: how far liquidation is cannot be known; close it first"
        found.refuse("liquidation", text, reading.role, opening=True)
    elif distance < least:
        text = f"{symbol} would be liquidated {distance:.1%} from here; deposit, or reduce it"
        found.refuse("liquidation", text, reading.role, opening=True)
    else:
        found.ok("liquidation", f"{symbol} {distance:.1%} away", reading.role)


def liquidation_distance(position: Position, reading: Reading) -> Decimal | None:
    """As a fraction of the price; to where equity is surely left if the venue does not tell."""
    price = position["mark_price"] or position["entry_price"]
    if position["liquidation_price"]:
        return abs(price - position["liquidation_price"]) / price
    if reading.collateral is None or reading.positions is None:
        return None
    prices = [p["mark_price"] or p["entry_price"] for p in reading.positions]
    sizes = [p["size"] for p in reading.positions]
    value = sum((size * at for size, at in zip(sizes, prices, strict=True)), ZERO)
    kept = _HALF / reading.reach if reading.reach else _MAINTENANCE
    return reading.collateral["total"] / value - kept


def check_orders(config: HedgeConfig, reading: Reading, found: Findings) -> None:
    """Orders with our mark: those of a run that was interrupted are known, others may be somebody's
    who trades this account now."""
    if not reading.ours:
        return
    text = f"{reading.ours} open orders are of this program, and no journal here tells of them"
    if config.exclusive:
        found.warn("orders", f"{text}; they will be canceled", reading.role)
        return
    fix = "stop the run that made them, cancel them (mpdex flatten), or say --exclusive"
    found.refuse("orders", f"{text}; {fix}", reading.role, opening=True)


def check_session(reading: Reading, now_ms: int, found: Findings) -> None:
    """A login that cannot be renewed here must last."""
    if reading.session_expires_ms is None:
        return
    left_ms = reading.session_expires_ms - now_ms
    text = f"the login lasts {left_ms // 60_000} more minutes"
    if left_ms < _SESSION_MS and reading.spec.fragile:
        found.refuse("session", f"{text}; log in anew first", reading.role, opening=True)
    else:
        found.ok("session", text, reading.role)

"""What is owed is sent: hedge on H, or unwind on P. Level-triggered: it looks and decides.

    debt D = -(E + R): exposure, less what is under way. UNKNOWN orders are reserved in full.
    hedge: IOC limits on H through bands of 20, 50, 100 bps, each attempt on a newer book.
    unwind: IOC limits on P, after too many attempts, too long, or a refusal that time cannot cure,
            and only when the quote is proven gone.
    exposed: neither worked; both venues in turn until one does.

Quoting fails closed, hedging degrades open: without a valid book the price comes from the last
mid, or from the other venue, with the widest band.
"""

from __future__ import annotations

from decimal import Decimal

from mpdex.types import Side
from mpdex.utils.precision import snap_size
from strategies.desk import NEUTRALIZING, Desk, Phase
from strategies.guards import book_trouble
from strategies.pending import Episode
from strategies.quoting import through
from strategies.words import ROLES, Halt, Kind, Role

# A second hedge may be under way for debt that arose since the first.
_IN_FLIGHT = 2
# How long an attempt waits for a book newer than the last one's end.
_FRESH = 0.25
_UNWINDS = 5
_EXPOSED_QUICK, _EXPOSED_SLOW, _EXPOSED_TRIES = 2.0, 10.0, 10
_LAST_MID_AGE = 2.0
# A venue that cannot be read so long after a restart is waited for no longer.
_READ_FIRST = 5.0
# A limit may be refused for its price; each time the next one is half as far away.
_NEAREST = 4
# Part of a venue's own bound that is used: the mark it is measured from is not the mid.
_OF_BAND = Decimal("0.8")
_BPS = Decimal(10_000)
# An unwind costs a cycle; it must be cheaper by this much to be worth it.
_CLEARLY_BPS = Decimal(3)


def work_debt(desk: Desk) -> None:
    """Sends what is owed, if anything is."""
    if _unread(desk):
        return
    episode, debt = desk.episode, desk.debt
    if _out_of_reach(desk):
        expose(desk, "neither venue can be reached")
    if abs(debt) < desk.dust:
        if not desk.has(*NEUTRALIZING):
            _close_episode(desk)
        return
    if episode.since is None:
        episode.since = desk.now
    if desk.exposed:
        _alternate(desk, debt)
    elif _must_unwind(desk) or _cheaper_to_unwind(desk, debt):
        _unwind(desk, debt)
    else:
        _hedge(desk, debt)


def _unread(desk: Desk) -> bool:
    """Whether a venue may know of a hedge that a power cut has made us forget: it is read first."""
    going_on = desk.phase is Phase.RECONCILING and desk.setup.session_ms is not None
    due = desk.phase_since + _READ_FIRST
    if not going_on or len(desk.read_once) == len(ROLES) or desk.now > due:
        return False
    desk.wake(due)
    return True


def _out_of_reach(desk: Desk) -> bool:
    """Exposed, or not known to be neutral, for long, and no venue tells anything."""
    since = desk.episode.since
    dark = since is not None and not any(desk.up.values())
    return dark and desk.now - (since or 0.0) > desk.config.hedge_hard


def _hedge(desk: Desk, debt: Decimal) -> None:
    episode = desk.episode
    in_flight = sum(1 for _ in desk.orders(Kind.HEDGE))
    if in_flight >= _IN_FLIGHT or not _may_try(desk, "hedge"):
        return
    bands = desk.config.hedge_bands_bps
    _send(desk, "hedge", Kind.HEDGE, debt, bands[min(episode.attempts, len(bands) - 1)])


def _must_unwind(desk: Desk) -> str:
    episode, config = desk.episode, desk.config
    if not episode.must_unwind and not desk.has(Kind.HEDGE):
        if episode.attempts >= config.hedge_attempts:
            episode.must_unwind = f"{episode.attempts} attempts to hedge failed"
        elif episode.since is not None and desk.now - episode.since > config.hedge_hard:
            episode.must_unwind = f"exposed for {config.hedge_hard:g} s"
    return episode.must_unwind


def _cheaper_to_unwind(desk: Desk, debt: Decimal) -> bool:
    """After a while, an unwind that is clearly cheaper than the next band on H is taken."""
    episode, config = desk.episode, desk.config
    if episode.since is None or desk.has(Kind.HEDGE) or episode.reduce_only:
        return False
    if desk.now - episode.since <= config.hedge_soft or not episode.attempts:
        return False
    side: Side = "buy" if debt > 0 else "sell"
    there, sound = reference_price(desk, "hedge", side)
    here, valid = reference_price(desk, "primary", side)
    basis = desk.basis_median
    if there is None or here is None or not sound or not valid or basis is None:
        return False
    bands = config.hedge_bands_bps
    band = bands[min(episode.attempts, len(bands) - 1)]
    sign = 1 if side == "buy" else -1
    dearer = sign * (there - (here - basis)) / here * _BPS
    if dearer + band <= config.unwind_bands_bps[0] + _CLEARLY_BPS:
        return False
    episode.must_unwind = "the hedge had become dearer than an unwind"
    return True


def _unwind(desk: Desk, debt: Decimal) -> None:
    episode = desk.episode
    slot = desk.slot
    if slot is not None:
        desk.cancel(slot, "the quote must be gone before an unwind")
        return
    if desk.has(Kind.UNWIND) or not _may_try(desk, "primary"):
        return
    if episode.unwinds >= _UNWINDS:
        expose(desk, f"{episode.unwinds} attempts to unwind after {episode.must_unwind}")
        return
    bands = desk.config.unwind_bands_bps
    band = bands[min(episode.unwinds, len(bands) - 1)]
    episode.unwinds += 1
    if not _send(desk, "primary", Kind.UNWIND, debt, band):
        episode.not_before = desk.now + _FRESH
        desk.wake(episode.not_before)


def expose(desk: Desk, why: str) -> None:
    """Neither venue makes us neutral: call for help, and keep trying both."""
    if desk.exposed:
        return
    desk.exposed = True
    desk.stops_before = desk.stops
    desk.stop(4, why)
    desk.alarmed.pop("exposed", None)
    desk.say(Halt(why, exposed=True))


def _alternate(desk: Desk, debt: Decimal) -> None:
    episode = desk.episode
    if desk.slot is not None:
        desk.cancel(desk.slot, "exposed")
    if desk.has(Kind.HEDGE, Kind.UNWIND) or desk.now < episode.not_before:
        desk.wake(max(episode.not_before, desk.now))
        return
    tries = episode.attempts + episode.unwinds
    pause = _EXPOSED_QUICK if tries < _EXPOSED_TRIES else _EXPOSED_SLOW
    episode.not_before = desk.now + pause
    widest = _widest(desk)
    if tries % 2 == 0 or desk.slot is not None:
        if not _send(desk, "hedge", Kind.HEDGE, debt, widest):
            episode.attempts += 1
    else:
        episode.unwinds += 1
        _send(desk, "primary", Kind.UNWIND, debt, widest)


def _may_try(desk: Desk, role: Role) -> bool:
    """Whether the pause is over and the book is newer than the last attempt's end."""
    episode = desk.episode
    if desk.now < episode.not_before:
        desk.wake(episode.not_before)
        return False
    if episode.read_first is not None and not desk.live[episode.read_first]:
        return False
    episode.read_first = None
    if episode.fresh_after is None:
        return True
    tick = desk.ticks.get(role)
    newer = tick is not None and tick.at > episode.fresh_after
    if not newer and desk.now < episode.fresh_after + _FRESH:
        desk.wake(episode.fresh_after + _FRESH)
        return False
    return True


def _send(desk: Desk, role: Role, kind: Kind, debt: Decimal, band: Decimal) -> bool:
    """Places an IOC for the debt; False where that venue cannot take it."""
    market = desk.setup.markets[role]
    side: Side = "buy" if debt > 0 else "sell"
    size = snap_size(abs(debt), market["step"])
    if market["max_size"] is not None:
        size = min(size, market["max_size"])
    reference, sound = reference_price(desk, role, side)
    if reference is None or size < max(market["min_size"], market["step"]):
        return False
    price = _limit(desk, role, side, reference, band if sound else _widest(desk))
    if market["min_notional"] is not None and size * price < market["min_notional"]:
        return False
    if not sound:
        _tell_blind(desk, role, reference)
    desk.place(
        role,
        kind,
        side,
        size,
        None if role in desk.setup.market_only else price,
        reduce_only=_flagged(desk, kind) and _shrinks(desk, role, side, size),
        decision=reference,
    )
    return True


def _widest(desk: Desk) -> Decimal:
    return max(desk.config.hedge_bands_bps)


def _limit(desk: Desk, role: Role, side: Side, reference: Decimal, band: Decimal) -> Decimal:
    """So far beyond the reference as the ladder says and the venue's own bound allows."""
    market = desk.setup.markets[role]
    nearer = min(desk.episode.band_refusals[role], _NEAREST)
    price = through(reference, side, band / 2**nearer, market)
    mid, allowed = desk.last_mid.get(role), market["price_band"]
    if mid is None or not allowed:
        return price
    edge = through(mid[0], side, allowed * _OF_BAND * _BPS, market)
    return min(price, edge) if side == "buy" else max(price, edge)


def _tell_blind(desk: Desk, role: Role, reference: Decimal) -> None:
    """Without a valid book the price is an estimate: somebody should know, once."""
    if not desk.episode.blind:
        desk.episode.blind = True
        desk.alarm("book", f"no valid book of {role}; its orders are priced at {reference}")


def _flagged(desk: Desk, kind: Kind) -> bool:
    """Hedges carry no reduce-only flag, but for the close of a leg that was left alone."""
    return kind is Kind.UNWIND or desk.episode.reduce_only


def _shrinks(desk: Desk, role: Role, side: Side, size: Decimal) -> bool:
    """Reduce-only only where it is true: after a failed close the unwind opens the leg again."""
    position = desk.ledger.position(role)
    reduces = position > 0 if side == "sell" else position < 0
    return reduces and size <= abs(position) and not desk.episode.no_reduce_only


def reference_price(desk: Desk, role: Role, side: Side) -> tuple[Decimal | None, bool]:
    """(what the clip costs there, whether that comes from a valid book)."""
    tick = desk.ticks.get(role)
    if tick is not None and not book_trouble(tick, desk.now, desk.config.book_age):
        clip = tick.buy if side == "buy" else tick.sell
        levels = tick.asks if side == "buy" else tick.bids
        return (clip or levels[-1][0]), True
    mid, at = desk.last_mid.get(role, (None, 0.0))
    if mid is not None and desk.now - at < _LAST_MID_AGE:
        return mid, False
    other: Role = "primary" if role == "hedge" else "hedge"
    there = desk.last_mid.get(other)
    if there is None:
        return mid, False
    basis = desk.basis_median or Decimal(0)
    return (there[0] - basis if role == "hedge" else there[0] + basis), False


def _close_episode(desk: Desk) -> None:
    """Neutral again: count how it went."""
    episode = desk.episode
    if episode.since is None:
        neutral_again(desk)
        return
    desk.episode = Episode()
    neutral_again(desk)
    if not episode.must_unwind:
        desk.failures = 0
        return
    desk.alarm("unwind", f"unwound on the primary: {episode.must_unwind}")
    desk.failures += 1
    desk.barred = desk.barred or episode.must_unwind
    desk.quote_after = desk.now + desk.config.failure_cool_down
    if desk.cycle is not None:
        desk.cycle.outcome, desk.cycle.reason = "unwound", episode.must_unwind
    if episode.fatal or desk.failures >= desk.config.hedge_failures:
        why = episode.fatal or f"{desk.failures} hedges in a row failed"
        desk.stop(4, f"hedge: {why}")


def neutral_again(desk: Desk) -> None:
    """Ends the state of exposure, once nothing is owed and nothing may still make exposure."""
    if not desk.exposed or desk.slot is not None:
        return
    desk.exposed = False
    desk.say(Halt("neutral again", exposed=False))
    desk.alarm("resolved", "neutral again")

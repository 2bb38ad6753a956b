"""What a definite "no" means, by class of refusal and kind of order.

A refusal is an end: nothing happened. What follows is a pause, another try, an unwind, or the end
of the run. A class that is not in a table is treated as the table's last row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from mpdex.types import Order, OrderStatus
from strategies.desk import Desk
from strategies.hedging import expose
from strategies.tracking import Tracked
from strategies.words import Kind, PlaceRefused, Read, Refusal

# The venue said no for a reason that time may cure.
_PAUSE = 5.0
# Nothing left this machine: a connection is being made again.
_RECONNECT = 0.25
_VENUE_DOWN = 2.0
_BAND_TRIES = 2
# How often the same hedge is tried again at once after a refusal that the next request mends.
_REPEATS = {Refusal.SESSION: 1, Refusal.NONCE: 2}
# Market facts take about this long to be read; asked for again this soon they would not help.
_READ_TIME, _GRID_AGE = 0.5, 60.0

Handler: TypeAlias = Callable[[Desk, PlaceRefused], None]


def refused(desk: Desk, order: Tracked, event: PlaceRefused) -> None:
    """Takes note of a refusal."""
    desk.note(f"{order.kind} refused: {event.refusal}: {event.detail}")
    order.refused = event.refusal
    handler = _TABLES[order.kind].get(event.refusal, _TABLES[order.kind][Refusal.OTHER])
    handler(desk, event)


def ended_unfilled(desk: Desk, order: Tracked, report: Order, refusal: Refusal | None) -> None:
    """An order ended unfilled without our asking: refused late, or ended by the venue.

    An immediate order that found nothing ends so, too, and that is no refusal.
    """
    reason = report["reason"] or "no reason given"
    rejected = report["status"] is OrderStatus.REJECTED
    crossed = refusal is Refusal.POST_ONLY or (refusal is None and not rejected)
    if order.kind is Kind.MAKER and crossed:
        desk.note(f"maker {report['status']} by the venue: {reason}")
        desk.rejects.append(desk.now)
    elif refusal is not None or rejected:
        event = PlaceRefused(order.role, order.client_id, refusal or Refusal.OTHER, reason)
        refused(desk, order, event)


def _requote(desk: Desk, event: PlaceRefused) -> None:
    desk.rejects.append(desk.now)


def _pause_quotes(desk: Desk, event: PlaceRefused) -> None:
    """Tried again after a while; a market that takes none for long may never do so again."""
    desk.closed_since = desk.now if desk.closed_since is None else desk.closed_since
    if desk.now - desk.closed_since > desk.config.closed_limit:
        _stop_quoting(desk, event)
        return
    wait = _RECONNECT if event.refusal is Refusal.NOT_SENT else event.retry_after or _PAUSE
    desk.quote_after = desk.now + wait
    if desk.cycle is not None:
        desk.cycle.reason = event.refusal


def _stop_quoting(desk: Desk, event: PlaceRefused) -> None:
    desk.stop(4, f"{event.role} refuses orders: {event.detail or event.refusal}")


def _look_up_quote_grid(desk: Desk, event: PlaceRefused) -> None:
    """Market facts may have changed: they are asked for once; a second refusal is ours."""
    if desk.now - desk.grid_asked < _GRID_AGE:
        _stop_quoting(desk, event)
        return
    desk.grid_asked = desk.now
    desk.say(Read(event.role, "market"))
    desk.quote_after = desk.now + _READ_TIME


def _next_band(desk: Desk, event: PlaceRefused) -> None:
    desk.episode.fresh_after = desk.now


def _nearer(desk: Desk, event: PlaceRefused) -> None:
    """The venue bounds prices more narrowly than it tells: the next limit is half as far away."""
    episode = desk.episode
    episode.band_refusals[event.role] += 1
    episode.fresh_after = desk.now
    if episode.band_refusals[event.role] > _BAND_TRIES:
        episode.must_unwind = "price band"
    else:
        episode.attempts = 0


def _wait_or_unwind(desk: Desk, event: PlaceRefused) -> None:
    episode = desk.episode
    wait = event.retry_after or 1.0
    began = desk.now if episode.since is None else episode.since
    if desk.now + wait > began + desk.config.hedge_hard:
        episode.must_unwind = "rate limit"
    else:
        episode.not_before = desk.now + wait


def _venue_down(desk: Desk, event: PlaceRefused) -> None:
    episode = desk.episode
    if episode.down_since is None:
        episode.down_since = desk.now
    if desk.now - episode.down_since >= _VENUE_DOWN:
        episode.must_unwind = desk.barred = "hedge venue is down"
    episode.attempts = 0
    episode.not_before = desk.now + _RECONNECT


def _try_once_more(desk: Desk, event: PlaceRefused) -> None:
    """The library logs in again before the next request, or takes another nonce; a proof may also
    have been refused for its time, so the clocks are compared."""
    episode = desk.episode
    if event.refusal is Refusal.NONCE:
        desk.say(Read(event.role, "clock"))
    episode.repeats += 1
    if episode.repeats > _REPEATS[event.refusal]:
        episode.must_unwind = f"{event.refusal}: {event.detail}"
    episode.attempts = max(episode.attempts - 1, 0)


def _look_up_hedge_grid(desk: Desk, event: PlaceRefused) -> None:
    episode = desk.episode
    if episode.grid_asked:
        episode.must_unwind = f"{event.refusal}: {event.detail}"
        return
    episode.grid_asked = True
    episode.not_before = desk.now + _READ_TIME
    desk.say(Read(event.role, "market"))


def _unwind_until_it_works(desk: Desk, event: PlaceRefused) -> None:
    """A mode of the venue: it ends some day, and a probe finds out."""
    desk.episode.must_unwind = desk.barred = f"hedge venue: {event.refusal}: {event.detail}"


def _unwind_and_stop(desk: Desk, event: PlaceRefused) -> None:
    desk.episode.must_unwind = desk.episode.fatal = f"{event.refusal}: {event.detail}"


def _primary_down(desk: Desk, event: PlaceRefused) -> None:
    """Nothing was sent, so it was no attempt; but when that lasts, neither venue takes orders."""
    episode = desk.episode
    if episode.primary_down_since is None:
        episode.primary_down_since = desk.now
    if desk.now - episode.primary_down_since >= _VENUE_DOWN:
        expose(desk, "no connection to the primary for an unwind")
    episode.unwinds = max(episode.unwinds - 1, 0)
    episode.not_before = desk.now + _RECONNECT


def _unwind_nearer(desk: Desk, event: PlaceRefused) -> None:
    desk.episode.band_refusals[event.role] += 1
    _unwind_again(desk, event)


def _unwind_again(desk: Desk, event: PlaceRefused) -> None:
    desk.episode.fresh_after = desk.now
    desk.episode.not_before = desk.now + (event.retry_after or _RECONNECT)


def _read_position_first(desk: Desk, event: PlaceRefused) -> None:
    """The position may be another than we believe; if it is not, the flag is left out."""
    desk.episode.no_reduce_only = True
    desk.episode.read_first = event.role
    desk.distrust(event.role, "reduce-only was refused")


def _tell_canary(desk: Desk, event: PlaceRefused) -> None:
    """Whoever sent it looks at it."""
    desk.canary.refusal = event.detail


_QUOTE: Mapping[Refusal, Handler] = {
    Refusal.POST_ONLY: _requote,
    Refusal.SYMBOL: _stop_quoting,
    Refusal.PERMISSION: _stop_quoting,
    Refusal.PRECISION: _look_up_quote_grid,
    Refusal.OTHER: _pause_quotes,
}

_HEDGE: Mapping[Refusal, Handler] = {
    Refusal.NO_MATCH: _next_band,
    Refusal.PRICE_BAND: _nearer,
    Refusal.RATE: _wait_or_unwind,
    Refusal.NOT_SENT: _venue_down,
    Refusal.NONCE: _try_once_more,
    Refusal.SESSION: _try_once_more,
    Refusal.PRECISION: _look_up_hedge_grid,
    Refusal.REDUCE_ONLY: _read_position_first,
    Refusal.VENUE_MODE: _unwind_until_it_works,
    Refusal.SYMBOL: _unwind_and_stop,
    Refusal.MARGIN: _unwind_and_stop,
    Refusal.LIMIT: _unwind_and_stop,
    Refusal.PERMISSION: _unwind_and_stop,
    Refusal.OTHER: _next_band,
}

_UNWIND: Mapping[Refusal, Handler] = {
    Refusal.REDUCE_ONLY: _read_position_first,
    Refusal.PRICE_BAND: _unwind_nearer,
    Refusal.NOT_SENT: _primary_down,
    Refusal.OTHER: _unwind_again,
}

_TABLES: Mapping[Kind, Mapping[Refusal, Handler]] = {
    Kind.MAKER: _QUOTE,
    Kind.FLATTEN: _QUOTE,
    Kind.HEDGE: _HEDGE,
    Kind.UNWIND: _UNWIND,
    Kind.CANARY: {Refusal.OTHER: _tell_canary},
}

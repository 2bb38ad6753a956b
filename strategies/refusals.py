"""What a definite "no" means, by class of refusal and kind of order.

A refusal is an end: nothing happened. What follows is a pause, another try, an unwind, or the end
of the run. A class that is not in a table is treated as the table's last row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from mpdex.types import Order
from strategies.desk import Desk
from strategies.tracking import Tracked
from strategies.words import Kind, PlaceRefused, Refusal

# The venue said no for a reason that time may cure.
_PAUSE = 5.0
# Nothing left this machine: a connection is being made again.
_RECONNECT = 0.25
_VENUE_DOWN = 2.0
_BAND_TRIES = 2

Handler: TypeAlias = Callable[[Desk, PlaceRefused], None]


def refused(desk: Desk, order: Tracked, event: PlaceRefused) -> None:
    """Takes note of a refusal."""
    desk.note(f"{order.kind} refused: {event.refusal}: {event.detail}")
    handler = _TABLES[order.kind].get(event.refusal, _TABLES[order.kind][Refusal.OTHER])
    handler(desk, event)


def external_end(desk: Desk, report: Order) -> None:
    """A quote ended unfilled without our asking: refused late, or canceled by the venue."""
    desk.note(f"maker {report['status']} by the venue: {report['reason'] or 'no reason given'}")
    desk.rejects.append(desk.now)


def _requote(desk: Desk, event: PlaceRefused) -> None:
    desk.rejects.append(desk.now)


def _pause_quotes(desk: Desk, event: PlaceRefused) -> None:
    wait = _RECONNECT if event.refusal is Refusal.NOT_SENT else event.retry_after or _PAUSE
    desk.quote_after = desk.now + wait
    if desk.cycle is not None:
        desk.cycle.reason = event.refusal


def _stop_quoting(desk: Desk, event: PlaceRefused) -> None:
    desk.stop(4, f"primary refuses orders: {event.detail or event.refusal}")


def _next_band(desk: Desk, event: PlaceRefused) -> None:
    desk.episode.fresh_after = desk.now


def _same_band(desk: Desk, event: PlaceRefused) -> None:
    episode = desk.episode
    episode.band_refusals += 1
    episode.fresh_after = desk.now
    if episode.band_refusals > _BAND_TRIES:
        episode.must_unwind = "price band"
    else:
        episode.attempts = 0


def _wait_or_unwind(desk: Desk, event: PlaceRefused) -> None:
    episode = desk.episode
    wait = event.retry_after or 1.0
    began = desk.now if episode.since is None else episode.since
    if desk.now + wait > began + desk.config.hedge_hard:
        episode.must_unwind = "rate limit"
    episode.not_before = desk.now + wait


def _venue_down(desk: Desk, event: PlaceRefused) -> None:
    episode = desk.episode
    if episode.down_since is None:
        episode.down_since = desk.now
    if desk.now - episode.down_since >= _VENUE_DOWN:
        episode.must_unwind = "hedge venue is down"
    episode.attempts = 0
    episode.not_before = desk.now + _RECONNECT


def _unwind_and_stop(desk: Desk, event: PlaceRefused) -> None:
    desk.episode.must_unwind = desk.episode.fatal = f"{event.refusal}: {event.detail}"


def _unwind_again(desk: Desk, event: PlaceRefused) -> None:
    desk.episode.fresh_after = desk.now
    desk.episode.not_before = desk.now + _RECONNECT


def _drop_reduce_only(desk: Desk, event: PlaceRefused) -> None:
    desk.episode.no_reduce_only = True


_QUOTE: Mapping[Refusal, Handler] = {
    Refusal.POST_ONLY: _requote,
    Refusal.PERMISSION: _stop_quoting,
    Refusal.PRECISION: _stop_quoting,
    Refusal.OTHER: _pause_quotes,
}

_HEDGE: Mapping[Refusal, Handler] = {
    Refusal.PRICE_BAND: _same_band,
    Refusal.RATE: _wait_or_unwind,
    Refusal.NOT_SENT: _venue_down,
    Refusal.MARGIN: _unwind_and_stop,
    Refusal.PERMISSION: _unwind_and_stop,
    Refusal.PRECISION: _unwind_and_stop,
    Refusal.VENUE_MODE: _unwind_and_stop,
    Refusal.OTHER: _next_band,
}

_UNWIND: Mapping[Refusal, Handler] = {
    Refusal.REDUCE_ONLY: _drop_reduce_only,
    Refusal.OTHER: _unwind_again,
}

_TABLES: Mapping[Kind, Mapping[Refusal, Handler]] = {
    Kind.MAKER: _QUOTE,
    Kind.FLATTEN: _QUOTE,
    Kind.HEDGE: _HEDGE,
    Kind.UNWIND: _UNWIND,
}

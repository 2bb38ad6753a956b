"""Orders that cannot fill, before the first quote: what works for them works for a hedge.

    hedge    an immediate order far below the market. It must end unfilled.
    primary  a post-only order far below the market, then its cancel. It must open and end.

Both must be seen where the run will look: on the private stream and by a query. An acknowledgement
alone proves nothing: the account that trades may not be the one that is read. This proves symbol,
signature, permission, precision, account and wiring, and costs nothing. The hedge venue goes first:
nothing is sent to the primary before an order on the hedge venue has come back.

A venue without such orders ("weak") only has its account read back.

A canary is an order like any other: one whose fate is not known is resolved, one that fills is
hedged, and then the run does not start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

from mpdex.types import Lane, Market
from mpdex.utils.precision import snap_price, snap_size
from strategies.tracking import Tracked
from strategies.words import Kind, Query, Read, Refusal, Role

if TYPE_CHECKING:
    from strategies.desk import Desk

# How far from the market: nothing falls so far at once, and few bands are narrower.
_DISTANCE = Decimal("0.05")
# Part of a venue's band that is used: the mark it is measured from is not the best bid.
_OF_BAND = Decimal("0.8")
# A notional minimum may be judged at a price a little below ours.
_NOTIONAL_MARGIN = Decimal("1.02")
# Seconds in which the stream, and a query, must show what was acknowledged: a query may be answered
# with what was true some seconds ago.
_PATIENCE = 6.0
_ASK_EVERY = 0.5
_READ_EVERY = 2.0
# Seconds for one venue, whatever keeps it.
_LIMIT = 60.0
_TRIES, _PAUSE = 3, 1.0
_ORDER: tuple[Role, Role] = ("hedge", "primary")
_PREFLIGHT = "preflight"  # `Phase.PREFLIGHT`, whose module is made of this one

# The next try may go better.
_PASSING = frozenset(
    {Refusal.RATE, Refusal.NOT_SENT, Refusal.SESSION, Refusal.NONCE, Refusal.POST_ONLY}
)
_FIXES: Mapping[str, str] = {
    Refusal.SYMBOL: "name the right one with --primary-symbol or --hedge-symbol",
    Refusal.PERMISSION: "check the key, its permission to trade, and what the venue wants approved",
    Refusal.MARGIN: "deposit collateral, or free some",
    Refusal.LIMIT: "close other orders or positions there",
    Refusal.VENUE_MODE: "the market takes no such orders now; try again later",
    Refusal.PRICE_BAND: "its price band is narrower than it tells; run with --no-canary",
}


@dataclass(slots=True)
class Canary:
    """How far the canaries are.

    Attributes:
        done: both came back. failed: why the run cannot start; "" if nothing speaks against it.
        refusal: what the venue said of the last one that it refused.
        proven: venues that are through.
        since: when the one under way began; ended: when its order settled.
        opened: the private stream showed it resting. missed: it did not in time.
        reach: part of the usual distance that a venue's band turned out to allow.
    """

    done: bool = False
    failed: str = ""
    refusal: str = ""
    proven: set[Role] = field(default_factory=set)
    since: float | None = None
    order: Tracked | None = None
    opened: bool = False
    missed: bool = False
    ended: float | None = None
    asked: float | None = None
    tries: int = 0
    not_before: float = 0.0
    reach: dict[Role, Decimal] = field(default_factory=dict)


def prove(desk: Desk) -> None:
    """Takes the canaries one step further."""
    canary = desk.canary
    if canary.done or canary.failed:
        return
    role = next((role for role in _ORDER if role not in canary.proven), None)
    if role is None:
        canary.done = True
        return
    if canary.since is None:
        canary.since = desk.now
    if desk.now - canary.since > _LIMIT:
        _fail(desk, role, f"not through after {_LIMIT:g} s{_missing_text(desk, role)}")
    elif role in desk.setup.weak:
        _read_back(desk, role)
    elif canary.order is None:
        _send(desk, role)
    elif canary.order.cum:
        _fail(desk, role, f"it filled at {canary.order.price}, where nothing should trade")
    elif canary.order.settled:
        _judge(desk, canary.order)
    else:
        _watch(desk, canary.order)


def recall(desk: Desk) -> None:
    """A canary that rests is taken back as soon as something else is going on."""
    if desk.phase == _PREFLIGHT:
        return
    for order in desk.orders(Kind.CANARY):
        if not order.immediate:
            desk.cancel(order, f"{desk.phase}")


def hedge_probe_price(desk: Desk) -> tuple[Decimal, Decimal] | None:
    """(size, price) of a buy on the hedge venue that cannot fill; None without a book."""
    return harmless(desk, "hedge")


def harmless(desk: Desk, role: Role) -> tuple[Decimal, Decimal] | None:
    """(size, price) of a buy that cannot fill: far below, inside the band, above the minimums."""
    tick, market = desk.ticks.get(role), desk.setup.markets[role]
    if tick is None or not tick.bids or not tick.asks:
        return None
    band = market["price_band"]
    distance = _DISTANCE if band is None else min(_DISTANCE, band * _OF_BAND)
    reach = distance * desk.canary.reach.get(role, Decimal(1))
    price = snap_price(tick.bids[0][0] * (1 - reach), market, "buy")
    return _least(market, price), price


def _least(market: Market, price: Decimal) -> Decimal:
    """The smallest order that the venue takes at that price."""
    size = max(market["min_size"], market["step"])
    if market["min_notional"]:
        enough = market["min_notional"] * _NOTIONAL_MARGIN / price / market["step"]
        size = max(size, enough.to_integral_value(ROUND_CEILING) * market["step"])
    return snap_size(size, market["step"])


# --------------------------------------------------------------------------- one canary


def _send(desk: Desk, role: Role) -> None:
    canary = desk.canary
    if desk.now < canary.not_before:
        desk.wake(canary.not_before)
        return
    probe = harmless(desk, role)
    if probe is None or desk.active or desk.owing or not all(desk.live.values()):
        return
    size, price = probe
    rests = role == "primary"
    canary.order = desk.place(role, Kind.CANARY, "buy", size, price, post_only=rests)
    canary.opened = canary.missed = False
    canary.ended = canary.asked = None
    canary.refusal = ""


def _watch(desk: Desk, order: Tracked) -> None:
    """A resting one is canceled once the stream has shown it, or when that takes too long."""
    canary = desk.canary
    if order.immediate or order.cancel_first is not None:
        return
    due = order.sent + _PATIENCE
    if order.state.resting and _streamed(order):
        canary.opened = True
        order.sources.clear()  # from here on they are about its end
        desk.cancel(order, "the canary has been seen")
    elif desk.now >= due:
        canary.missed = True
        desk.cancel(order, "the private stream did not show the canary")
    else:
        desk.wake(due)


def _judge(desk: Desk, order: Tracked) -> None:
    """It has ended: as it should, refused, or unseen."""
    canary = desk.canary
    if canary.ended is None:
        canary.ended = desk.now
    if order.refused:
        _refused(desk, order)
    elif desk.phase_since > order.sent:
        _again(desk, order.role, "its stream was lost meanwhile")
    elif not order.id and not order.sources and not canary.missed:
        _again(desk, order.role, "it never arrived")
    elif not order.immediate and not canary.opened and _streamed(order):
        _again(desk, order.role, "it was shown late")
    elif not any(_missing(desk, order)):
        _through(desk, order.role)
    elif desk.now - canary.ended > _PATIENCE:
        _fail(desk, order.role, f"acknowledged{_missing_text(desk, order.role)}")
    else:
        _ask(desk, order)


def _missing(desk: Desk, order: Tracked) -> Iterator[str]:
    """What has not shown it yet."""
    if not order.immediate and not desk.canary.opened:
        yield "the private stream did not show it open"
    elif not _streamed(order) and not (order.immediate and order.role in desk.setup.silent):
        yield "the private stream did not show its end"
    if not order.sources & {"query", "barrier"}:
        yield "a query does not find it"


def _missing_text(desk: Desk, role: Role) -> str:
    order = desk.canary.order
    missing = "" if order is None else " and ".join(_missing(desk, order))
    hint = "orders may go to another account than the one that is read; check its id"
    return f", but {missing}; {hint}" if missing else ""


def _streamed(order: Tracked) -> bool:
    return bool(order.sources & {"stream", "cum"})


def _ask(desk: Desk, order: Tracked) -> None:
    """Asks for an order that has ended, until the venue shows it: histories lag."""
    canary = desk.canary
    if order.sources & {"query", "barrier"}:
        return
    if canary.asked is not None and desk.now < canary.asked + _ASK_EVERY:
        desk.wake(canary.asked + _ASK_EVERY)
        return
    canary.asked = desk.now
    since = max(order.sent_ms - int(desk.config.fill_overlap * 1000), desk.setup.began_ms)
    desk.say(Query(order.role, order.client_id, order.id, since, Lane.QUERY))


def _refused(desk: Desk, order: Tracked) -> None:
    canary, refusal = desk.canary, order.refused
    if refusal == Refusal.NO_MATCH and order.immediate:
        _through(desk, order.role)
    elif refusal == Refusal.PRICE_BAND and canary.tries + 1 < _TRIES:
        canary.reach[order.role] = canary.reach.get(order.role, Decimal(1)) / 2
        _again(desk, order.role, "its price was outside the band")
    elif refusal in _PASSING:
        _again(desk, order.role, f"{refusal}: {canary.refusal}")
    else:
        fix = _FIXES.get(refusal, "")
        said = f"refused ({refusal}): {canary.refusal}"
        _fail(desk, order.role, f"{said}; {fix}" if fix else said)


def _again(desk: Desk, role: Role, why: str) -> None:
    canary = desk.canary
    canary.tries += 1
    if canary.tries >= _TRIES:
        _fail(desk, role, f"{canary.tries} times in vain; the last time {why}")
        return
    desk.note(f"canary on {role} again: {why}")
    canary.order = None
    canary.not_before = desk.now + _PAUSE
    desk.wake(canary.not_before)


def _read_back(desk: Desk, role: Role) -> None:
    """The account of a venue that has no harmless order, and its quote, which is its book."""
    canary = desk.canary
    if canary.asked is None:
        desk.accounts.pop(role, None)
    elif role in desk.accounts and role in desk.ticks:
        _through(desk, role)
        return
    if canary.asked is None or desk.now >= canary.asked + _READ_EVERY:
        canary.asked = desk.now
        desk.say(Read(role, "account"))
    desk.wake(canary.asked + _READ_EVERY)


def _through(desk: Desk, role: Role) -> None:
    desk.note(f"canary on {role}: came back")
    before = desk.canary
    desk.canary = Canary(proven={*before.proven, role}, reach=before.reach)
    desk.wake(desk.now)


def _fail(desk: Desk, role: Role, why: str) -> None:
    canary = desk.canary
    name = desk.config.primary if role == "primary" else desk.config.hedge
    canary.failed = f"canary on {name}: {why}"
    desk.note(canary.failed, urgent=True)
    order = canary.order
    if order is not None and not order.settled and not order.immediate:
        desk.cancel(order, "the canary failed")

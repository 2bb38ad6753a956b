"""Making two accounts flat, or neutral, by asking the venues alone: no journal, core or stream.

Every order here reduces a position that was just read, is immediate and has a price limit; after
each the positions are read again. So nothing has to be remembered, and a request whose answer is
lost costs time and never a second position: reduce-only orders close at most what is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

from mpdex.errors import MpdexError, OrderNotFound, OutcomeUnknown, TransportError
from mpdex.types import CancelRequest, Lane, Market, Order, OrderRequest, Side, TimeInForce
from mpdex.utils.clock import Clock
from mpdex.utils.precision import snap_size
from strategies.checks import market_only
from strategies.ledger import ZERO
from strategies.preflight import plain, signed_position
from strategies.quoting import through
from strategies.venue import Venue
from strategies.words import ROLES, Role

log = logging.getLogger("mpdex.hedge")

_BANDS_BPS = (Decimal(20), Decimal(50), Decimal(100))
_ROUNDS = 12
_PAUSE = 0.5
# An order is asked to go away so often and so long before it counts as one that stays.
_CANCELS, _GONE_SECONDS = 3, 10.0
# A request whose answer was lost can arrive for so long after the venue's own bound.
_MARGIN = 0.5
_WEAK_BOUND = 30.0


@dataclass(slots=True)
class Outcome:
    """What `flatten` found and left.

    Attributes:
        before, after: signed positions in coins; `after` None: not known.
        canceled: client ids of the orders that were taken back.
        left: why a position is still there, by role.
    """

    before: dict[Role, Decimal]
    after: dict[Role, Decimal | None]
    canceled: dict[Role, list[str]]
    left: dict[Role, str] = field(default_factory=dict)

    @property
    def flat(self) -> bool:
        return all(self.after[role] == 0 for role in ROLES)

    def summary(self) -> dict[str, Any]:
        """For a reader or a program."""
        return {
            "flat": self.flat,
            **{f"before_{role}": plain(self.before[role]) for role in ROLES},
            **{f"after_{role}": _told(self.after[role]) for role in ROLES},
            **{f"canceled_{role}": len(self.canceled[role]) for role in ROLES},
            **{f"left_{role}": self.left[role] for role in self.left},
        }


class Hands:
    """The few things done to one market of one venue.

    Args:
        exclusive: nobody else trades there, so every open order may be canceled.
    """

    def __init__(
        self, venue: Venue, market: Market, clock: Clock, *, exclusive: bool = False
    ) -> None:
        self._venue = venue
        self._market = market
        self._clock = clock
        self._exclusive = exclusive

    async def cancel_ours(self) -> list[str]:
        """Cancels until none of ours is open. Raises: TransportError if one stays."""
        gone: dict[str, None] = {}
        deadline = self._clock.monotonic() + _GONE_SECONDS
        for turn in count():
            orders = await self._open()
            if not orders:
                break
            if turn >= _CANCELS and self._clock.monotonic() > deadline:
                left = ", ".join(order["id"] for order in orders)
                raise TransportError(f"{self._market['symbol']}: orders {left} stay open")
            for order in orders:
                gone[order["client_order_id"] or order["id"]] = None
                await self._cancel(order)
            await asyncio.sleep(_PAUSE)
        return list(gone)

    async def position(self) -> Decimal:
        """Signed, asked of the venue."""
        return signed_position(await self._venue.get_positions(), self._market["symbol"])

    async def steady_position(self) -> Decimal:
        """The same twice in a row, with time in between: what an answer may lag behind is over."""
        before = await self.position()
        while True:
            await asyncio.sleep(_PAUSE)
            now = await self.position()
            if now == before:
                return now
            before = now

    async def take(self, signed: Decimal, band_bps: Decimal, *, reduce_only: bool = True) -> str:
        """Buys (positive) or sells with one immediate order; why it was not sent, or "".

        Returns when the order is over, or can no longer arrive.
        """
        side: Side = "buy" if signed > 0 else "sell"
        market = self._market
        size = snap_size(abs(signed), market["step"])
        if market["max_size"] is not None:
            size = min(size, market["max_size"])
        book = await self._venue.get_orderbook(market["symbol"])
        levels = book["asks" if side == "buy" else "bids"]
        if size < market["min_size"]:
            return f"{plain(abs(signed))} is below the minimum of {plain(market['min_size'])}"
        if not levels:
            return f"nobody to {side} from"
        price = through(levels[0][0], side, band_bps, market)
        request = OrderRequest(
            symbol=market["symbol"],
            side=side,
            size=size,
            price=None if market_only(self._venue.SPEC) else price,
            client_id=self._venue.new_client_id(),
            reduce_only=reduce_only,
            time_in_force=TimeInForce.IOC,
        )
        return await self._send(request)

    async def _send(self, request: OrderRequest) -> str:
        try:
            await self._venue.submit_order(request, lane=Lane.HEDGE)
        except OutcomeUnknown as error:
            await self._outlive(request.client_id)
            return str(error)
        except MpdexError as error:
            return str(error)
        return ""

    async def _outlive(self, client_id: str) -> None:
        """Until the order can no longer arrive: its nonce is used up, or its time."""
        spec = self._venue.SPEC
        bound_ms = spec.immediate_bound_ms or spec.request_bound_ms
        over = self._clock.monotonic() + (bound_ms / 1000 if bound_ms else _WEAK_BOUND) + _MARGIN
        while (left := over - self._clock.monotonic()) > 0:
            if not self._venue.can_fence:
                await asyncio.sleep(left)
                return
            try:
                await self._venue.fence_order(self._market["symbol"], client_id)
                return
            except MpdexError as error:
                log.warning("order %s could not be fenced: %s", client_id, error)
                await asyncio.sleep(min(_PAUSE, left))

    async def _open(self) -> list[Order]:
        orders = await self._venue.get_open_orders(self._market["symbol"])
        mine = self._venue.owns
        return [o for o in orders if self._exclusive or mine(o["client_order_id"])]

    async def _cancel(self, order: Order) -> None:
        try:
            await self._venue.submit_cancel(
                CancelRequest(
                    symbol=order["symbol"],
                    order_id=order["id"],
                    client_id=order["client_order_id"] or "",
                )
            )
        except OrderNotFound:
            log.info("order %s was gone already", order["id"])
        except (OutcomeUnknown, TransportError) as error:
            log.warning("cancel of %s: %s", order["id"], error)


async def flatten(
    hands: Mapping[Role, Hands],
    confirm: Callable[[Mapping[Role, Decimal]], bool] = lambda positions: True,
) -> Outcome:
    """Takes back our orders and closes both positions.

    Args:
        confirm: shown the positions before anything is closed; False leaves them.

    Raises: MpdexError if it cannot be known what is there; nothing was closed then.
    """
    canceled = {role: await hands[role].cancel_ours() for role in ROLES}
    before = {role: await hands[role].position() for role in ROLES}
    outcome = Outcome(before, dict(before), canceled)
    if not any(before.values()):
        return outcome
    if not confirm(before):
        outcome.left = {role: "not confirmed" for role in ROLES if before[role]}
        return outcome
    for turn in range(_ROUNDS):
        outcome.left = {}
        for role in _larger_first(outcome.after):
            await _close(hands[role], role, outcome, _BANDS_BPS[min(turn, len(_BANDS_BPS) - 1)])
        outcome.after = {role: await _read(hands[role]) for role in ROLES}
        if outcome.flat:
            break
        await asyncio.sleep(_PAUSE)
    return outcome


async def neutralize(hands: Mapping[Role, Hands], baseline: Mapping[Role, Decimal]) -> bool:
    """Makes what was traded here neutral when nothing else works any more; whether it is.

    The hedge venue first, then the primary, in turn. `baseline` is left alone.
    """
    for turn in range(_ROUNDS):
        role = ROLES[1 - turn % 2]
        try:
            for each in ROLES:
                await hands[each].cancel_ours()
            held = {r: await hands[r].steady_position() - baseline.get(r, ZERO) for r in ROLES}
            exposure = sum(held.values(), ZERO)
            if not exposure:
                return True
            log.warning("neutralizing %s on the %s venue", plain(exposure), role)
            # Not reduce-only: a hedge opens a position, and the sum was just read.
            why = await hands[role].take(-exposure, _BANDS_BPS[-1], reduce_only=False)
        except MpdexError as error:
            why = str(error)
        if why:
            log.error("%s: %s", role, why)
        await asyncio.sleep(_PAUSE)
    return False


def _larger_first(positions: Mapping[Role, Decimal | None]) -> Sequence[Role]:
    return sorted(ROLES, key=lambda role: -abs(positions[role] or ZERO))


async def _close(hands: Hands, role: Role, outcome: Outcome, band_bps: Decimal) -> None:
    position = outcome.after[role]
    if position == 0:
        return
    try:
        if position is None:
            position = await hands.position()
        why = await hands.take(-position, band_bps) if position else ""
    except MpdexError as error:
        why = str(error)
    if why:
        outcome.left[role] = why


async def _read(hands: Hands) -> Decimal | None:
    try:
        return await hands.position()
    except MpdexError as error:
        log.warning("%s", error)
        return None


def _told(position: Decimal | None) -> str | None:
    return None if position is None else plain(position)

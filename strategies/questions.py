"""What is asked of a venue while the hedge runs, and which event each answer is.

Every coroutine here gives an event, whatever the venue did: a question without an answer is news,
too. None: nothing follows from it.
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Mapping
from typing import Any

from mpdex.errors import MpdexError, OrderNotFound, Unsupported, UsageError, VenueError
from mpdex.types import Fill, Market, Order, OrderStatus
from mpdex.utils.throttle import hurried
from strategies.preflight import signed_position
from strategies.venue import Venue, failure, refusal_class
from strategies.words import (
    AccountRead,
    Answered,
    Arm,
    ArmFailed,
    Cancel,
    CancelAcked,
    CancelAll,
    CancelFailed,
    ClockRead,
    Event,
    Fence,
    Fenced,
    FundingRead,
    MarketRead,
    NotAnswered,
    Place,
    PlaceAcked,
    Query,
    Read,
    Recover,
    Refusal,
    Role,
    Snapshot,
    SnapshotFailed,
)

log = logging.getLogger("mpdex.hedge")


class Questions:
    """Asks two venues about one market each."""

    def __init__(self, venues: Mapping[Role, Venue], markets: Mapping[Role, Market]) -> None:
        self._venues = venues
        self._symbols = {role: market["symbol"] for role, market in markets.items()}

    async def placed(self, command: Place, answer: Coroutine[Any, Any, Order]) -> Event:
        """What the venue said to an order."""
        try:
            order = await answer
        except MpdexError as error:
            return failure(command, error)
        refusal = self.refusal(command.role, order)
        return PlaceAcked(command.role, command.order.client_id, order, refusal)

    async def canceled(self, command: Cancel, answer: Coroutine[Any, Any, Order | None]) -> Event:
        """What the venue said to a cancel."""
        role, client_id = command.role, command.client_id
        try:
            order = await answer
        except OrderNotFound as error:
            return CancelFailed(role, client_id, True, str(error))
        except MpdexError as error:
            return CancelFailed(role, client_id, False, str(error))
        return CancelAcked(role, client_id, order)

    async def about(self, command: Query) -> Event:
        """One order; where it is not found, what else may tell of it."""
        role, client_id = command.role, command.client_id
        venue, symbol = self._venues[role], self._symbols[role]
        fills: list[Fill] = []
        position = None
        try:
            with hurried(command.lane):
                order = await self._order(role, client_id, command.order_id)
                if order is None:
                    fills = await venue.get_fills(symbol, since=command.since_ms)
                if command.position and (order is None or order["status"].terminal):
                    position = signed_position(await venue.get_positions(), symbol)
        except MpdexError as error:
            log.warning("no answer about order %s: %s", client_id, error)
            return NotAnswered(role, client_id)
        refusal = None if order is None else self.refusal(role, order)
        return Answered(role, client_id, order, tuple(fills), position, refusal)

    async def fenced(self, command: Fence) -> Event:
        """What using up the order's nonce has shown."""
        role, client_id = command.role, command.client_id
        never: bool | None = None
        try:
            never = await self._venues[role].fence_order(self._symbols[role], client_id)
        except MpdexError as error:
            log.warning("order %s could not be fenced: %s", client_id, error)
        return Fenced(role, client_id, never)

    async def armed(self, command: Arm) -> Event | None:
        """No news is good news."""
        try:
            await self._venues[command.role].schedule_cancel(command.seconds)
        except (UsageError, VenueError) as error:
            return ArmFailed(command.role, str(error))
        except MpdexError as error:
            log.warning("the dead man's switch was not moved on: %s", error)
        return None

    async def everything(self, command: Recover) -> Event:
        """The barrier of one venue."""
        role, venue = command.role, self._venues[command.role]
        symbol = self._symbols[role]
        fills: list[Fill] = []
        try:
            orders = {
                client_id: await self._order(role, client_id, order_id)
                for client_id, order_id in command.orders.items()
            }
            resting = await venue.read_open_orders(symbol) if command.resting else []
            if command.since_ms is not None:
                fills = await venue.get_fills(symbol, since=command.since_ms)
            position = signed_position(await venue.get_positions(), symbol)
        except MpdexError as error:
            log.warning("%s could not be read: %s", role, error)
            return SnapshotFailed(role, str(error))
        ours = [o for o in resting if venue.owns(o["client_order_id"])]
        strays = tuple(o for o in ours if o["client_order_id"] not in command.orders)
        ids = frozenset(o["client_order_id"] or "" for o in resting) if command.resting else None
        return Snapshot(role, orders, tuple(fills), position, strays, ids)

    async def reading(self, command: Read) -> Event | None:
        """What only gates look at; silence is no news."""
        role, venue = command.role, self._venues[command.role]
        symbol = self._symbols[role]
        try:
            match command.what:
                case "account":
                    return await self._account(role)
                case "clock":
                    return ClockRead(role, await venue.get_clock_skew())
                case "funding":
                    rate = await venue.get_funding_rate(symbol)
                    return FundingRead(role, rate["rate"], rate["next_funding_ms"])
                case "market":
                    await venue.load_markets()
                    return MarketRead(role, await venue.get_market(symbol))
        except Unsupported as error:
            log.info("%s", error)
        except MpdexError as error:
            log.warning("%s of %s is not known now: %s", command.what, role, error)
        return None

    async def swept(self, command: CancelAll) -> None:
        """What came of it, the orders themselves tell."""
        try:
            await self._venues[command.role].cancel_orders(self._symbols[command.role])
        except MpdexError as error:
            log.warning("open orders on %s could not be canceled: %s", command.role, error)

    def refusal(self, role: Role, order: Order) -> Refusal | None:
        """Why an order was rejected, where its venue tells that with the order."""
        if order["status"] is not OrderStatus.REJECTED and not order["reason"]:
            return None
        return refusal_class(self._venues[role].decode_reason(order["reason"] or ""))

    async def _account(self, role: Role) -> AccountRead:
        venue, symbol = self._venues[role], self._symbols[role]
        collateral = await venue.get_collateral()
        position = await venue.get_position(symbol)
        if position is not None and position["liquidation_price"] is None:  # not told by the stream
            positions = await venue.get_positions()
            position = next((p for p in positions if p["symbol"] == symbol), None)
        return AccountRead(
            role,
            collateral["available"],
            collateral["total"],
            position["leverage"] if position else None,
            position["liquidation_price"] if position else None,
            await venue.get_requests_left(),
        )

    async def _order(self, role: Role, client_id: str, order_id: str) -> Order | None:
        """None: the venue knows no such order now."""
        try:
            return await self._venues[role].get_order(
                self._symbols[role], order_id or None, client_order_id=client_id
            )
        except OrderNotFound:
            return None

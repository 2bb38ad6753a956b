"""Orders on a venue that knows them by its own ids alone.

Ours are kept here, so that a client id finds its order although the venue does not know it, and a
cancel finds the order's id although its answer was lost.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from mpdex.dex.orders import OrderMethods
from mpdex.errors import (
    AuthError,
    OrderRejected,
    RateLimited,
    TransportError,
    UsageError,
)
from mpdex.types import CancelRequest, Lane, Order, OrderRequest
from mpdex.utils.unnamed_orders import UnnamedLog, UnnamedOrders

# After these an order never was, and never will be.
_NEVER = (AuthError, OrderRejected, RateLimited, TransportError, UsageError)


class UnnamedOrderMethods(OrderMethods):
    """Goes first among a wrapper's bases."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._unnamed = UnnamedOrders(self.name, self.client_ids.made_ms, self._notes())

    def _notes(self) -> UnnamedLog | None:
        """What earlier runs have noted, where anything is kept."""
        if self._kept is None:
            return None
        return UnnamedLog(self._kept.path(self.account_id).with_suffix(".orders"))

    def submit_order(
        self, order: OrderRequest, *, lane: Lane = Lane.QUOTE
    ) -> Coroutine[Any, Any, Order]:
        placed = super().submit_order(order, lane=lane)
        self._unnamed.note(order, self.venue_clock.now_ms())
        return self._named(placed, order)

    async def _named(self, placed: Coroutine[Any, Any, Order], order: OrderRequest) -> Order:
        try:
            told = await placed
        except _NEVER:
            self._unnamed.forget(order.client_id)
            raise
        self._unnamed.name(order.client_id, told["id"])
        return told

    def submit_cancel(self, cancel: CancelRequest) -> Coroutine[Any, Any, Order | None]:
        known = cancel.order_id or self._unnamed.order_id_of(cancel.client_id)
        if known or not cancel.client_id:
            return super().submit_cancel(cancel)
        return self._found_and_canceled(cancel)

    async def _found_and_canceled(self, cancel: CancelRequest) -> Order | None:
        """Raises: OrderNotFound, OutcomeUnknown as `get_order`; then nothing was sent."""
        order = await self.get_order(cancel.symbol, client_order_id=cancel.client_id)
        return await super().submit_cancel(replace(cancel, order_id=order["id"]))

"""What both venues behind TreadFi do with parent orders beyond translating them.

The names of orders are kept here, so that a client id finds its order although TreadFi may not know
it, and a cancel finds the order's id although its answer was lost.

Sources: those of `mpdex.utils.common_treadfi`; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from functools import cached_property
from typing import Any

from mpdex.errors import (
    AuthError,
    OrderRejected,
    RateLimited,
    TransportError,
    UsageError,
)
from mpdex.types import CancelRequest, Lane, LeverageInfo, Number, Order, OrderRequest
from mpdex.utils.precision import to_decimal
from mpdex.utils.treadfi_base import TreadfiBase, whole_leverage
from mpdex.utils.treadfi_parents import ParentLog, ParentOrders
from multi_perp_dex import MultiPerpDexMixin

# After these an order never was, and never will be.
_NEVER = (AuthError, OrderRejected, RateLimited, TransportError, UsageError)


class TreadfiOrders(TreadfiBase, MultiPerpDexMixin):
    """Goes before the venue beneath among a wrapper's bases."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._linked_id = ""  # TreadFi's id of the account

    @cached_property
    def _parents(self) -> ParentOrders:  # type: ignore[override]
        """With what earlier runs have noted, where anything is kept."""
        if self._kept is None:
            return ParentOrders(self.name)
        path = self._kept.path(self.account_id).with_suffix(".orders")
        return ParentOrders(self.name, ParentLog(path))

    def submit_order(
        self, order: OrderRequest, *, lane: Lane = Lane.QUOTE
    ) -> Coroutine[Any, Any, Order]:
        placed = super().submit_order(order, lane=lane)
        self._parents.note(order, self.venue_clock.now_ms())
        return self._named(placed, order)

    async def _named(self, placed: Coroutine[Any, Any, Order], order: OrderRequest) -> Order:
        try:
            told = await placed
        except _NEVER:
            self._parents.forget(order.client_id)
            raise
        self._parents.name(order.client_id, told["id"])
        return told

    def submit_cancel(self, cancel: CancelRequest) -> Coroutine[Any, Any, Order | None]:
        known = cancel.order_id or self._parents.order_id_of(cancel.client_id)
        if known or not cancel.client_id:
            return super().submit_cancel(cancel)
        return self._found_and_canceled(cancel)

    async def _found_and_canceled(self, cancel: CancelRequest) -> Order | None:
        """Raises: OrderNotFound, OutcomeUnknown as `get_order`; then nothing was sent."""
        order = await self.get_order(cancel.symbol, client_order_id=cancel.client_id)
        return await super().submit_cancel(replace(cancel, order_id=order["id"]))

    async def update_leverage(self, symbol: str, leverage: Number) -> LeverageInfo:
        """Sets the leverage, leaves the margin mode as it is, and reads both back."""
        market = self._markets[symbol]
        wanted = whole_leverage(to_decimal(leverage), self.name)
        if not self._linked_id:
            self._linked_id = self.decode_linked(await self._private(self.route.account()))
        mode = (await self.get_leverage_info(symbol))["margin_mode"] or "cross"
        if market["raw"].get("onlyIsolated") or market["raw"].get("isolated_only"):
            mode = "isolated"
        await self._command(self.route.leverage(self._linked_id, symbol, wanted, mode))
        return await self.get_leverage_info(symbol)

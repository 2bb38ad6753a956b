"""What both venues behind TreadFi do with parent orders beyond translating them.

Sources: those of `mpdex.utils.common_treadfi`; read 2026-11-21.
"""

from __future__ import annotations

from typing import Any

from mpdex.dex.unnamed import UnnamedOrderMethods
from mpdex.types import LeverageInfo, Number
from mpdex.utils.precision import to_decimal
from mpdex.utils.treadfi_base import TreadfiBase, whole_leverage
from multi_perp_dex import MultiPerpDexMixin


class TreadfiOrders(UnnamedOrderMethods, TreadfiBase, MultiPerpDexMixin):
    """Goes before the venue beneath among a wrapper's bases."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._linked_id = ""  # TreadFi's id of the account

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

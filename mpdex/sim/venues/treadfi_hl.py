"""The simulated TreadFi in front of Hyperliquid: a browser's session, and nothing by a token.

Sources: those of `treadfi_app`; read 2026-11-21.
"""

from __future__ import annotations

from decimal import Decimal

from mpdex.sim.records import ZERO, SimMarket
from mpdex.sim.venues.hyperliquid import HyperliquidSim
from mpdex.sim.venues.treadfi_front import TreadfiFront
from mpdex.sim.venues.treadfi_login import Account


class TreadfiHlSim(TreadfiFront, HyperliquidSim):
    """Hyperliquid's wire, and TreadFi's."""

    name = "treadfi.hyperliquid"
    BENEATH = "Hyperliquid"

    @property
    def linked(self) -> str:
        return self.address

    def account_of(self, account: Account, market: SimMarket) -> str:
        """A builder's dex has a pool of its own."""
        return self.exchange.pool(account.beneath, market)

    def set_leverage(
        self, account: Account, market: SimMarket, leverage: int, isolated: bool | None
    ) -> str:
        name = self.account_of(account, market)
        key = account.beneath, market.symbol
        changes = isolated is not None and isolated != (key in self.actions.isolated)
        if changes and self.exchange.accounts[name].size(market.symbol):
            return "Cannot switch leverage type with open position."
        if isolated and not self.exchange.twist.keep_leverage:
            self.actions.isolated.setdefault(key, ZERO)
        elif changes and not self.exchange.twist.keep_leverage:
            self.actions.isolated.pop(key, None)
        self.exchange.set_leverage(name, market.symbol, Decimal(leverage))
        return ""

    def credentials(self) -> dict[str, str]:
        return {**self.login_keys(), "account_address": self.address}

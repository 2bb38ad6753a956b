"""The simulated TreadFi in front of Pacifica: a browser's session, and the API with its tokens.

Sources: those of `treadfi_app`; docs.tread.fi, "Pacifica"; read 2026-11-21.
"""

from __future__ import annotations

from functools import cached_property

from mpdex.sim.records import SimMarket
from mpdex.sim.venues.pacifica import PacificaSim
from mpdex.sim.venues.pacifica_wire import Refusal
from mpdex.sim.venues.treadfi_front import TreadfiFront
from mpdex.sim.venues.treadfi_login import Account


class TreadfiPcSim(TreadfiFront, PacificaSim):
    """Pacifica's wire, and TreadFi's."""

    name = "treadfi.pacifica"
    BENEATH = "Pacifica"
    TOKENS = True
    BY_NAME = True

    @property
    def linked(self) -> str:
        return next(iter(self.exchange.accounts))

    def account_of(self, account: Account, market: SimMarket) -> str:
        return account.beneath

    def set_leverage(
        self, account: Account, market: SimMarket, leverage: int, isolated: bool | None
    ) -> str:
        fields = {"symbol": market.symbol, "leverage": leverage, "is_isolated": isolated}
        try:
            self.accounts.update_leverage(account.beneath, fields)
            if isolated not in (None, self.accounts.isolated(account.beneath, market.symbol)):
                self.accounts.update_margin_mode(account.beneath, fields)
        except Refusal as refusal:
            return refusal.fault.message
        return ""

    @cached_property
    def token(self) -> str:
        return self.app.logins.issue_token(self.user)

    def credentials(self) -> dict[str, str]:
        """The token, and what a session needs in its place."""
        return {**self.login_keys(), "account": self.linked, "token": self.token}

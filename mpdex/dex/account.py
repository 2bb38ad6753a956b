"""Positions, collateral, leverage, fills."""

from __future__ import annotations

from mpdex.dex.commands import Commands
from mpdex.types import Collateral, LeverageInfo, Number, Position, Topic
from mpdex.utils.precision import to_decimal


class AccountMethods(Commands):
    """The account."""

    async def get_position(self, symbol: str) -> Position | None:
        """The open position, or None when the market is flat.

        Raises: TransportError when it cannot be known; never a guess.
        """
        market = self._markets[symbol]
        if self.feeds.account.synced and self.feeds.live(Topic("positions")):
            return self.feeds.account.position(symbol)
        positions = self.decode_positions(await self._private(self.encode_positions(market)))
        return next((p for p in positions if p["symbol"] == symbol), None)

    async def get_positions(self) -> list[Position]:
        """Every open position of the account, asked of the venue."""
        return self.decode_positions(await self._private(self.encode_positions(None)))

    async def get_collateral(self) -> Collateral:
        """Equity and free collateral of the account."""
        return self.decode_collateral(await self._private(self.encode_collateral()))

    async def get_leverage_info(self, symbol: str) -> LeverageInfo:
        """What leverage is set, and the bound."""
        market = self._markets[symbol]
        answer = await self._private(self.encode_leverage_info(market))
        return self.decode_leverage_info(answer, market)

    async def get_requests_left(self) -> int | None:
        """Order commands that the account may still send; None: no such quota here."""
        request = self.encode_requests_left()
        if request is None:
            return None
        return self.decode_requests_left(await self._private(request))

    async def update_leverage(self, symbol: str, leverage: Number) -> LeverageInfo:
        """Sets the leverage and reads it back."""
        market = self._markets[symbol]
        now_ns = self.venue_clock.now_ns()
        await self._command(self.encode_leverage(market, to_decimal(leverage), now_ns))
        await self._caught_up()
        return await self.get_leverage_info(symbol)

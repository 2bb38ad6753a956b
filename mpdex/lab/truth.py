"""The pair as it truly is: both venues' own books, never the bot's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

from mpdex.sim.exchange import SimExchange
from mpdex.sim.records import ZERO, SimFill, SimMarket, SimOrder

Leg: TypeAlias = Literal["P", "H"]
LEGS: tuple[Leg, Leg] = ("P", "H")
# A hedge must be worth a little more than the venue's minimum (HEDGE section 2, `dust_cap`).
_NOTIONAL_MARGIN = Decimal("1.02")


@dataclass(frozen=True, slots=True)
class LegTruth:
    """One venue's market of the pair. `baseline`: what was held before the run."""

    exchange: SimExchange
    symbol: str
    baseline: Decimal = ZERO

    @property
    def market(self) -> SimMarket:
        return self.exchange.markets[self.symbol]

    @property
    def position(self) -> Decimal:
        """Signed coins that came since the start, of every account."""
        held = (account.size(self.symbol) for account in self.exchange.accounts.values())
        return sum(held, ZERO) - self.baseline

    @property
    def foreign(self) -> Decimal:
        """Signed coins of trades made by hand since the start."""
        by_hand = (f for f in self.fills if not f.order.client_id and not f.order.reason)
        return sum((_signed(f) for f in by_hand), ZERO) - self.baseline

    @property
    def orders(self) -> list[SimOrder]:
        """Every order that was ever accepted or rejected, oldest first."""
        return [o for o in self.exchange.orders.values() if o.symbol == self.symbol]

    @property
    def live(self) -> list[SimOrder]:
        exchange = self.exchange
        return [o for a in exchange.accounts for o in exchange.open_orders(a, self.symbol)]

    @property
    def fills(self) -> list[SimFill]:
        """Executions, oldest first."""
        exchange = self.exchange
        return [f for a in exchange.accounts for f in exchange.fills(a, symbol=self.symbol)]


class PairTruth:
    """Both legs."""

    def __init__(self, legs: Mapping[Leg, LegTruth]) -> None:
        self.legs = dict(legs)

    def __getitem__(self, leg: Leg) -> LegTruth:
        return self.legs[leg]

    @property
    def exposure(self) -> Decimal:
        """Net coins of both venues, without what was there before."""
        return self.legs["P"].position + self.legs["H"].position

    @property
    def own_exposure(self) -> Decimal:
        """The same without what somebody else traded by hand on these accounts, if that is less."""
        foreign = sum((leg.foreign for leg in self.legs.values()), ZERO)
        return min(self.exposure, self.exposure - foreign, key=abs)

    @property
    def dust(self) -> Decimal:
        """The smallest hedge that can be sent now."""
        leg = self.legs["H"]
        market, mark = leg.market, leg.exchange.mark(leg.symbol)
        least = max(market.min_size, market.step)
        if market.min_notional and mark:
            least = max(least, market.min_notional * _NOTIONAL_MARGIN / mark)
        return least


def _signed(fill: SimFill) -> Decimal:
    return fill.size if fill.order.side == "buy" else -fill.size


def find_leg(
    exchange: SimExchange, ticker: str, symbol: str | None = None, baseline: Decimal = ZERO
) -> LegTruth:
    """The perpetual of a coin, or the market that is named if there is one of that name."""
    if symbol in exchange.markets:
        return LegTruth(exchange, str(symbol), baseline)
    perps = [m.symbol for m in exchange.markets.values() if m.kind == "perp" and m.coin == ticker]
    return LegTruth(exchange, perps[0] if perps else next(iter(exchange.markets)), baseline)

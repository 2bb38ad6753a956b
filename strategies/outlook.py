"""What a cycle should cost today, before the first order. Pure.

A cycle is one fill of the maker and its hedge. The basis is left out: over an opening and a closing
it cancels. Positive is a cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from strategies.costs import BPS, Costs
from strategies.words import Role


@dataclass(frozen=True, slots=True)
class Prices:
    """One book as the clip sees it: best levels, and the average price of the clip each way."""

    bid: Decimal
    ask: Decimal
    buy: Decimal
    sell: Decimal

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.ask) / 2


@dataclass(frozen=True, slots=True)
class Outlook:
    """Expected cost of a cycle in bps of its value, and of what it is made.

    Attributes:
        maker_fee, taker_fee, slippage: of the primary, of the hedge, of the hedge's price.
        earned: half the primary's spread, which a maker gets.
        crossed: what the clip pays beyond the hedge's mid.
        assumed: roles whose fees nobody told.
    """

    maker_fee: Decimal
    taker_fee: Decimal
    slippage: Decimal
    earned: Decimal
    crossed: Decimal
    assumed: tuple[Role, ...]

    @property
    def cost(self) -> Decimal:
        return self.maker_fee + self.taker_fee + self.slippage + self.crossed - self.earned

    @property
    def break_even(self) -> Decimal:
        """The maker fee at which a cycle costs nothing; negative is a rebate."""
        return self.maker_fee - self.cost

    def __str__(self) -> str:
        guess = f" (assumed on {' and '.join(self.assumed)})" if self.assumed else ""
        return (
            f"a cycle costs {self.cost:.2f} bps: maker {self.maker_fee:.2f} + taker "
            f"{self.taker_fee:.2f}{guess} + slippage {self.slippage:.2f} + crossing "
            f"{self.crossed:.2f} - half spread {self.earned:.2f}; it breaks even at a maker fee of "
            f"{self.break_even:.2f} bps"
        )


def outlook(costs: Costs, prices: Mapping[Role, Prices], assumed: tuple[Role, ...]) -> Outlook:
    """From the rates and the books of this moment."""
    here, there = prices["primary"], prices["hedge"]
    crossing = (there.buy - there.sell) / 2
    return Outlook(
        maker_fee=costs.rates["primary"].maker,
        taker_fee=costs.rates["hedge"].taker,
        slippage=costs.slippage,
        earned=(here.ask - here.bid) / 2 / here.mid * BPS,
        crossed=crossing / there.mid * BPS,
        assumed=assumed,
    )

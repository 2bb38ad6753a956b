"""Money of the accounts of one venue: cash, positions, fees, funding, margin, liquidation.

Cross margin, one-way positions, one collateral currency. Initial margin is notional / leverage,
maintenance margin is a fixed fraction of notional (`SimMarket.maintenance`); an account is
liquidated when its equity falls under the sum of the latter. Spot trades move coins and cash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from mpdex.sim.records import ZERO, SimMarket
from mpdex.types import Side


@dataclass(slots=True)
class Holding:
    """A perpetual position: signed size and average entry."""

    size: Decimal = ZERO
    entry: Decimal = ZERO
    realized: Decimal = ZERO
    funding: Decimal = ZERO
    fees: Decimal = ZERO
    updated_ns: int = 0

    def apply(self, signed: Decimal, price: Decimal) -> Decimal:
        """Trade `signed` coins at a price.

        Returns: what the closed part realised, in quote currency, before fees.
        """
        closed = self._closed_by(signed)
        pnl = -closed * (price - self.entry)
        size = self.size + signed
        if not closed:
            self.entry = (self.entry * abs(self.size) + price * abs(signed)) / abs(size)
        elif size * signed > 0:
            self.entry = price  # turned around: the rest is a new position
        elif not size:
            self.entry = ZERO
        self.size = size
        self.realized += pnl
        return pnl

    def _closed_by(self, signed: Decimal) -> Decimal:
        """Part of `signed` that closes, with its sign."""
        if self.size * signed >= 0:
            return ZERO
        part = min(abs(signed), abs(self.size))
        return part if signed > 0 else -part


@dataclass(slots=True)
class SimAccount:
    """One account of one venue."""

    name: str
    cash: Decimal
    coins: dict[str, Decimal] = field(default_factory=dict)
    leverage: dict[str, Decimal] = field(default_factory=dict)
    holdings: dict[str, Holding] = field(default_factory=dict)
    fees: Decimal = ZERO
    realized: Decimal = ZERO
    funding: Decimal = ZERO
    volume: Decimal = ZERO
    liquidated: bool = False

    def size(self, symbol: str) -> Decimal:
        """Signed position, 0 where there is none."""
        holding = self.holdings.get(symbol)
        return holding.size if holding else ZERO


class Ledger:
    """All accounts of a venue.

    Args:
        markets: of the venue.
        mark: mark price of a symbol.
    """

    def __init__(self, markets: Iterable[SimMarket], mark: Callable[[str], Decimal]) -> None:
        self.markets = {market.symbol: market for market in markets}
        self.accounts: dict[str, SimAccount] = {}
        self._mark = mark

    def open_account(self, name: str, cash: Decimal) -> SimAccount:
        account = self.accounts[name] = SimAccount(name, cash)
        return account

    def trade(
        self, name: str, symbol: str, side: Side, size: Decimal, price: Decimal, fee: Decimal
    ) -> Decimal:
        """Book an execution.

        Returns: realised profit before the fee.
        """
        account, market = self.accounts[name], self.markets[symbol]
        signed = size if side == "buy" else -size
        account.cash -= fee
        account.fees += fee
        account.volume += size * price
        if market.kind == "spot":
            account.cash -= signed * price
            account.coins[market.coin] = account.coins.get(market.coin, ZERO) + signed
            return ZERO
        holding = account.holdings.setdefault(symbol, Holding())
        pnl = holding.apply(signed, price)
        holding.fees += fee
        account.cash += pnl
        account.realized += pnl
        return pnl

    def fund(self, symbol: str, rate: Decimal) -> list[str]:
        """Pay one interval of funding at a fraction of notional; positive: longs pay.

        Returns: accounts that held the market.
        """
        paid = []
        for account in self.accounts.values():
            size = account.size(symbol)
            if size:
                amount = -size * self._mark(symbol) * rate
                account.holdings[symbol].funding += amount
                account.cash += amount
                account.funding += amount
                paid.append(account.name)
        return paid

    # ---------------------------------------------------------------- margin

    def leverage(self, name: str, symbol: str) -> Decimal:
        """Leverage in force: the account's own, else the market's greatest."""
        return self.accounts[name].leverage.get(symbol, self.markets[symbol].max_leverage)

    def unrealized(self, name: str, symbol: str | None = None) -> Decimal:
        """Of one market, or of all."""
        holdings = self.accounts[name].holdings
        symbols = holdings if symbol is None else [symbol] if symbol in holdings else []
        return sum((holdings[s].size * (self._mark(s) - holdings[s].entry) for s in symbols), ZERO)

    def equity(self, name: str) -> Decimal:
        """Cash and unrealised profit; coins of spot markets do not count as margin."""
        return self.accounts[name].cash + self.unrealized(name)

    def initial_margin(self, name: str) -> Decimal:
        """Of the positions; open orders are added by the exchange."""
        account = self.accounts[name]
        return sum(
            (
                abs(h.size) * self._mark(symbol) / self.leverage(name, symbol)
                for symbol, h in account.holdings.items()
                if h.size
            ),
            ZERO,
        )

    def maintenance_margin(self, name: str) -> Decimal:
        account = self.accounts[name]
        return sum(
            (
                abs(h.size) * self._mark(symbol) * self.markets[symbol].maintenance
                for symbol, h in account.holdings.items()
                if h.size
            ),
            ZERO,
        )

    def must_liquidate(self, name: str) -> bool:
        """Equity is under maintenance margin while something is held."""
        needed = self.maintenance_margin(name)
        return needed > 0 and self.equity(name) < needed

    def liquidation_price(self, name: str, symbol: str) -> Decimal | None:
        """Mark at which this market alone would bring the account down; None: never, or flat.

        Solves equity(p) = maintenance(p) with the other marks where they are.
        """
        size, market = self.accounts[name].size(symbol), self.markets[symbol]
        if not size:
            return None
        mark = self._mark(symbol)
        spare = self.equity(name) - self.maintenance_margin(name)
        slope = size - abs(size) * market.maintenance
        price = mark - spare / slope
        return price if price > 0 else None

"""The truth of the simulated Hyperliquid: its markets, its pools of money, its rules of refusal.

An address has one account of the exchange; builder dexs have a pool of their own beside it, named
`<address> <dex>`. Spot USDC is a coin among coins. Once an account is unified, everything is one
pool. Not simulated: the isolation of isolated margin (its mode is told, its risk is cross), margin
tiers, and the tenths of a second that a block takes.

Source: hyperliquid.gitbook.io, trading pages, and live payloads; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from itertools import count
from typing import Any

from mpdex.sim import evm
from mpdex.sim.engine import Resting
from mpdex.sim.exchange import SimExchange
from mpdex.sim.ledger import Ledger, SimAccount
from mpdex.sim.models import FeeModel, LatencyModel
from mpdex.sim.records import ZERO, SimFill, SimMarket, SimOrder
from mpdex.types import Liquidity, OrderStatus, Side, TimeInForce
from mpdex.utils.clock import Clock

USDC = "USDC"
FIRST_LEVERAGE = Decimal(20)
FUNDING = Decimal("0.0000125")  # an hour's base rate
MIN_VALUE = Decimal(10)
PERP_FEES = FeeModel(maker=Decimal("0.00015"), taker=Decimal("0.00045"))
SPOT_FEES = FeeModel(maker=Decimal("0.0004"), taker=Decimal("0.0007"))
GROWTH_FEES = Decimal("0.2")  # of a builder dex: twice the fee, and a tenth in growth mode
CENT = Decimal("0.000001")  # fees are told in millionths


def _perp(coin: str, index: int, decimals: int, leverage: int, table: int) -> SimMarket:
    return SimMarket(
        symbol=coin,
        coin=coin,
        quote=USDC,
        tick=Decimal(1).scaleb(decimals - 6),
        step=Decimal(1).scaleb(-decimals),
        min_size=Decimal(1).scaleb(-decimals),
        min_notional=MIN_VALUE,
        significant=5,
        max_leverage=Decimal(leverage),
        maintenance=1 / Decimal(2 * leverage),
        funding_hours=1,
        info={"dex": "", "asset": index, "decimals": decimals, "table": table},
    )


def _spot(name: str, index: int, decimals: int, *, base: str, moves: str) -> SimMarket:
    return SimMarket(
        symbol=name,
        coin=moves,
        quote=USDC,
        kind="spot",
        tick=Decimal(1).scaleb(decimals - 8),
        step=Decimal(1).scaleb(-decimals),
        min_size=Decimal(1).scaleb(-decimals),
        min_notional=MIN_VALUE,
        significant=5,
        max_leverage=Decimal(1),
        info={"asset": 10_000 + index, "decimals": decimals, "token": base},
    )


def _xyz(name: str, place: int, decimals: int, *, moves: str) -> SimMarket:
    perp = _perp(moves, 110_000 + place, decimals, 20, 20)
    return replace(perp, symbol=f"xyz:{name}", info={**perp.info, "dex": "xyz"})


# Ids, decimals and leverage as live in September 2026. The outside markets of three coins move
# everything here: the coin of a market says which one.
MARKETS = (
    _perp("ETH", 1, 4, 25, 55),
    _perp("BTC", 0, 5, 40, 56),
    _perp("SOL", 5, 2, 20, 54),
    _xyz("XYZ100", 0, 4, moves="BTC"),
    _spot("@151", 151, 4, base="UETH", moves="ETH"),
    _spot("PURR/USDC", 0, 0, base="PURR", moves="SOL"),
)
DEXS = ("", "xyz")


class PoolLedger(Ledger):
    """Spot trades move coins against the coin USDC; against cash where an account is unified."""

    def __init__(self, exchange: HyperliquidExchange, markets: Iterable[SimMarket]) -> None:
        super().__init__(markets, exchange.mark)
        self._unified = exchange.unified
        self.costs: dict[tuple[str, str], Decimal] = {}  # (account, coin) -> paid for what is held

    def trade(
        self, name: str, symbol: str, side: Side, size: Decimal, price: Decimal, fee: Decimal
    ) -> Decimal:
        """Book an execution. Who buys spot pays the fee in the coins received."""
        market = self.markets[symbol]
        if market.kind != "spot":
            return super().trade(name, symbol, side, size, price, fee)
        account = self.accounts[name]
        account.volume += size * price
        account.fees += fee
        received = size - fee / price if side == "buy" else -size
        pnl = self._move(account, market.coin, received, price)
        self.pay(account, -size * price if side == "buy" else size * price - fee)
        account.realized += pnl
        return pnl

    def _move(self, account: SimAccount, coin: str, received: Decimal, price: Decimal) -> Decimal:
        """Coins in or out, at the average cost of those held; returns what a sale realised."""
        held, cost = account.coins.get(coin, ZERO), self.costs.get((account.name, coin), ZERO)
        average = cost / held if held else price
        account.coins[coin] = held + received
        paid = received * (price if received > 0 else average)
        self.costs[account.name, coin] = cost + paid
        return -received * (price - average) if received < 0 else ZERO

    def pay(self, account: SimAccount, amount: Decimal) -> None:
        """Spot USDC in or out."""
        if account.name in self._unified:
            account.cash += amount
        else:
            account.coins[USDC] = account.coins.get(USDC, ZERO) + amount


class HyperliquidExchange(SimExchange):
    """One exchange whose accounts are addresses.

    Attributes:
        wallets: throwaway private keys, by address.
        unified: addresses whose money is one pool.
        costs: (address, spot coin) -> what was paid for those held.
    """

    def __init__(self, name: str, clock: Clock, rng: random.Random, latency: LatencyModel) -> None:
        self.wallets: dict[str, int] = {}
        self.unified: set[str] = set()
        super().__init__(
            name,
            clock=clock,
            markets=MARKETS,
            fees=PERP_FEES,
            latency=replace(latency, taker_delay=0.0),
            rng=rng,
            order_ids=map(str, count(rng.randrange(4 * 10**11, 6 * 10**11))).__next__,
        )
        ledger = self.ledger = PoolLedger(self, MARKETS)
        self.costs = ledger.costs
        for board in self.boards.values():
            board.funding_rate = FUNDING
            board.engine.on_own = self._cancel_own

    # ---------------------------------------------------------------- accounts

    def open_wallet(self, rng: random.Random, balance: Decimal) -> str:
        """A new address with perp USDC; spot and builder dexs are empty."""
        key = rng.randrange(1, evm.N)
        address = evm.address_of(key)
        self.wallets[address] = key
        self.open_pools(address, balance)
        return address

    def open_pools(self, address: str, balance: Decimal) -> None:
        for dex in DEXS:
            self.add_account(pool_name(address, dex), ZERO if dex else balance, FIRST_LEVERAGE)

    def pool(self, address: str, market: SimMarket) -> str:
        """Name of the account that an address trades a market with."""
        return self.pool_of(address, market.info.get("dex", ""))

    def pool_of(self, address: str, dex: str) -> str:
        return address if address in self.unified else pool_name(address, dex)

    def pools_of(self, address: str) -> list[str]:
        """Names of all accounts of an address."""
        return [pool_name(address, dex) for dex in DEXS]

    def unify(self, address: str) -> None:
        """From now on all money of an address is one pool. Positions stay where they are."""
        account = self.accounts[address]
        self.unified.add(address)
        account.cash += account.coins.pop(USDC, ZERO)
        for dex in DEXS[1:]:
            other = self.accounts[pool_name(address, dex)]
            account.cash += other.cash
            other.cash = ZERO

    def separate(self, address: str) -> None:
        """The opposite; the money stays with the first dex."""
        self.unified.discard(address)

    # ---------------------------------------------------------------- spot money

    def balance(self, address: str, coin: str) -> Decimal:
        """Coins of the spot side."""
        return self.accounts[address].coins.get(coin, ZERO)

    def held(self, address: str, coin: str) -> Decimal:
        """What open spot orders hold back of a coin."""
        total = ZERO
        for order in self._live[address].values():
            market = self.markets[order.symbol]
            if market.kind == "spot" and order.side == "sell" and market.coin == coin:
                total += order.remaining
            elif market.kind == "spot" and order.side == "buy" and coin == USDC:
                total += order.remaining * self._price_or_mark(order)
        return total

    def _order_margin(self, order: SimOrder) -> Decimal:
        spot = self.markets[order.symbol].kind == "spot"
        if spot and order.account not in self.unified:
            return ZERO
        return super()._order_margin(order)

    def _affordable(self, order: SimOrder) -> bool:
        market = self.markets[order.symbol]
        if market.kind != "spot" or (order.side == "buy" and order.account in self.unified):
            return super()._affordable(order)
        coin = USDC if order.side == "buy" else market.coin
        needed = order.size * self._price_or_mark(order) if order.side == "buy" else order.size
        return needed <= self.balance(order.account, coin) - self.held(order.account, coin)

    # ---------------------------------------------------------------- rules

    def _refusal(self, order: SimOrder) -> str:
        market = self.markets[order.symbol]
        problem = market.problem(order.size, order.price)
        if problem == "notional" and not self._closes(order):
            return "spot_notional" if market.kind == "spot" else "notional"
        if problem == "tick":
            return "tick"
        reason = super()._refusal(order)
        if reason == "margin" and market.kind == "spot":
            return "funds"
        return reason or self._idle(order)

    def _idle(self, order: SimOrder) -> str:
        """An immediate order that meets nobody never lives."""
        immediate = order.tif is not TimeInForce.GTC and order.price is not None
        meets = immediate and self.crosses(order.symbol, order.side, self._price_or_mark(order))
        return "ioc" if immediate and not meets else ""

    def _closes(self, order: SimOrder) -> bool:
        """UNVERIFIED: closing a whole position is exempt from the smallest value."""
        return order.reduce_only and order.size >= self._reducible(order) > 0

    def _cancel_own(self, maker: Resting) -> bool:
        """Self-trade: the resting order ends, the taker goes on."""
        self._end(self.orders[maker.id], OrderStatus.CANCELED, "self_trade")
        return True

    def fee_of(self, order: SimOrder, notional: Decimal, liquidity: Liquidity) -> Decimal:
        market = self.markets[order.symbol]
        model = SPOT_FEES if market.kind == "spot" else PERP_FEES
        fee = model.fee(notional, liquidity)
        if market.info.get("dex"):
            fee *= GROWTH_FEES
        return (fee + self.builder_fee(order, notional)).quantize(CENT, ROUND_CEILING)

    def builder_fee(self, order: SimOrder, notional: Decimal) -> Decimal:
        """What the builder that an order names gets; nothing for buying spot."""
        spot = self.markets[order.symbol].kind == "spot"
        rate: Decimal = order.raw.get("builder_rate", ZERO)
        return ZERO if spot and order.side == "buy" else notional * rate


def pool_name(address: str, dex: str) -> str:
    return f"{address} {dex}" if dex else address


def owner_of(account: str) -> str:
    """The address that an account belongs to."""
    return account.partition(" ")[0]


def signed(fill: SimFill) -> Decimal:
    return fill.size if fill.order.side == "buy" else -fill.size


def start(
    name: str, clock: Clock, rng: random.Random, latency: LatencyModel, **money: Any
) -> HyperliquidExchange:
    """An exchange with one account: so much in perps, in spot USDC and in the builder dex."""
    exchange = HyperliquidExchange(name, clock, rng, latency)
    address = exchange.open_wallet(rng, money["perps"])
    exchange.accounts[address].coins[USDC] = money["spot"]
    exchange.accounts[pool_name(address, DEXS[1])].cash = money["xyz"]
    return exchange

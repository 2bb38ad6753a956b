"""The markets of the simulated StandX, whose wallets it knows, and what matching refuses.

Source: docs.standx.com, "Perps HTTP API", symbol info; live facts of BTC-USD and HYPE-USD as public
clients report them; read 2026-11-21.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Unpack

from mpdex.sim import evm
from mpdex.sim.exchange import SimExchange
from mpdex.sim.exchange_state import Surroundings
from mpdex.sim.models import FeeModel
from mpdex.sim.records import ZERO, SimMarket, SimOrder
from mpdex.sim.venues import standx_crypto as crypto

BALANCE = Decimal(100_000)
FIRST_LEVERAGE = Decimal(10)  # `def_leverage`
BAND = Decimal("0.3")  # of the mark. UNVERIFIED which price the ratios are of
HOURLY_RATE = Decimal("0.0000125")
MOST_OPEN = 100
FIRST_POSITION = 15


def _market(coin: str, tick: str, step: str, least: str, most: int) -> SimMarket:
    return SimMarket(
        symbol=f"{coin}-USD",
        coin=coin,
        quote="DUSD",
        tick=Decimal(tick),
        step=Decimal(step),
        min_size=Decimal(least),
        max_size=Decimal(most),
        max_leverage=Decimal(40),
        maintenance=Decimal("0.0125"),  # half of the initial margin at the greatest leverage
        band=BAND,
        funding_hours=1,
        info={"max_position": Decimal(10 * most)},
    )


# BTC as seen live. ETH's prices and open interest seen live have 2 and 4 decimals; SOL is not known
# to be listed and has the grid of HYPE, whose minimum is larger than its lot (UNVERIFIED).
MARKETS = (
    _market("ETH", "0.01", "0.0001", "0.001", 1000),
    _market("BTC", "0.01", "0.0001", "0.0001", 100),
    _market("SOL", "0.001", "0.01", "0.1", 10_000),
)


class StandxTruth(SimExchange):
    """The truth of StandX. Accounts are named as its rows name their user: chain and address.

    Attributes:
        wallets: private key of each account that was there from the start.
        modes: "isolated" by (account, symbol) where an account has chosen so. The margin of all
            positions is shared in truth: this is a label.
        added: margin that was moved to an isolated position, by (account, symbol); likewise.
    """

    def __init__(self, name: str, **given: Unpack[Surroundings]) -> None:
        super().__init__(
            name,
            markets=MARKETS,
            fees=FeeModel(maker=Decimal("0.0001"), taker=Decimal("0.0004")),
            order_ids=map(str, count(given["rng"].randrange(10**10, 2 * 10**10))).__next__,
            **given,
        )
        self.wallets: dict[str, int] = {}
        self.modes: dict[tuple[str, str], str] = {}
        self.added: dict[tuple[str, str], Decimal] = {}
        self._position_ids: dict[tuple[str, str], int] = {}
        for board in self.boards.values():
            board.funding_rate = HOURLY_RATE

    def open_wallet(self, number: int) -> str:
        """A funded account of a new throwaway wallet."""
        key = crypto.throwaway_wallet(number)
        name = f"bsc_{evm.address_of(key)}"
        self.wallets[name] = key
        self.add_account(name, BALANCE, FIRST_LEVERAGE)
        return name

    def mode(self, account: str, symbol: str) -> str:
        return self.modes.get((account, symbol), "cross")

    def position_id(self, account: str, symbol: str) -> int:
        """Of an account in a market, flat or not; the same for good."""
        known = self._position_ids
        return known.setdefault((account, symbol), FIRST_POSITION + len(known))

    def isolated_margin(self, account: str, symbol: str) -> Decimal:
        """What an isolated position holds; 0 for a cross one."""
        position = self.position(account, symbol)
        if self.mode(account, symbol) == "cross" or not position.size:
            return ZERO
        own = abs(position.size) * position.entry / position.leverage
        return own + self.added.get((account, symbol), ZERO)

    def locked(self, order: SimOrder) -> Decimal:
        """Margin that an open order holds back."""
        return self._order_margin(order) if order.live else ZERO

    def reducible(self, order: SimOrder) -> Decimal:
        """What a reduce-only order may be: the position less what others already reduce."""
        pending = (
            other.remaining
            for other in self.open_orders(order.account, order.symbol)
            if other.reduce_only and other.side == order.side and other is not order
        )
        return self._reducible(order) - sum(pending, ZERO)

    def _refusal(self, order: SimOrder) -> str:
        return super()._refusal(order) or self._own_refusal(order)

    def _own_refusal(self, order: SimOrder) -> str:
        if order.reduce_only:
            return "reduce_only" if order.size > self.reducible(order) else ""
        if len(self.open_orders(order.account)) >= MOST_OPEN:
            return "open_orders"
        signed = order.size if order.side == "buy" else -order.size
        after = self.accounts[order.account].size(order.symbol) + signed
        return "cap" if abs(after) > self.markets[order.symbol].info["max_position"] else ""

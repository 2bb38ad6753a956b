"""The markets of the simulated Pacifica, its one sequence of numbers, and how it matches.

Source: docs.pacifica.fi, "Markets", "Order types", "Self-trade prevention", "Changelog"; live
facts of BTC in a recorded `GET /info`; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from itertools import count

from mpdex.sim.engine import Resting
from mpdex.sim.exchange import SimExchange
from mpdex.sim.listing import usdc_market
from mpdex.sim.models import FeeModel, LatencyModel
from mpdex.sim.records import SimMarket
from mpdex.sim.venues import pacifica_crypto as crypto
from mpdex.types import OrderStatus
from mpdex.utils.clock import Clock

BALANCE = Decimal(100_000)
HOURLY_RATE = Decimal("0.0000125")
LEAST, MOST = Decimal(10), Decimal(5_000_000)  # USD of one order
HIGHEST_PRICE = Decimal(1_000_000)


def _market(coin: str, tick: str, step: str, leverage: int) -> SimMarket:
    """A perpetual; with leverage 1 the spot market of a coin.

    Maintenance margin is half of the initial one at the greatest leverage.
    """
    perp = leverage > 1
    return usdc_market(
        coin,
        coin if perp else f"{coin}-USDC",
        tick,
        step,
        kind="perp" if perp else "spot",
        min_notional=LEAST,
        max_leverage=Decimal(leverage),
        maintenance=Decimal("0.5") / leverage,
    )


# BTC as recorded live; tick and lot of the others follow prices and sizes in official samples.
MARKETS = (
    _market("ETH", "0.1", "0.0001", 50),
    _market("BTC", "1", "0.00001", 50),
    _market("SOL", "0.01", "0.01", 20),
    _market("ETH", "0.1", "0.001", 1),
)


class PacificaTruth(SimExchange):
    """The truth of Pacifica: a newcomer ends the resting orders of its own account that it meets.

    Attributes:
        owners: key pairs of the accounts' owners.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Clock,
        rng: random.Random,
        latency: LatencyModel,
        markets: Iterable[SimMarket] = MARKETS,
    ) -> None:
        self._numbers = map(str, count(rng.randrange(10**9, 2 * 10**9)))
        super().__init__(
            name,
            clock=clock,
            markets=tuple(markets),
            fees=FeeModel(maker=Decimal("0.00015"), taker=Decimal("0.0004")),
            latency=latency,
            rng=rng,
            order_ids=self._numbers.__next__,
        )
        self.owners: dict[str, crypto.KeyPair] = {}
        for board in self.boards.values():
            board.engine.on_own = self._take_away
            board.funding_rate = HOURLY_RATE if board.market.kind == "perp" else Decimal(0)

    def open_owner(self, purpose: str) -> str:
        """A funded account under an address whose key is known here.

        Returns: its address, which is its name.
        """
        owner = crypto.throwaway_keys(purpose)
        self.owners[owner.address] = owner
        self.add_account(owner.address, BALANCE)
        return owner.address

    def set_speed_bump(self, seconds: float) -> None:
        """How long orders that may take wait before they are matched."""
        self.latency = replace(self.latency, taker_delay=seconds)

    def next_number(self) -> int:
        """The next of the sequence that numbers orders and frames alike (`li`)."""
        return int(next(self._numbers))

    def _take_away(self, piece: Resting) -> bool:
        """A newcomer of the same account has met this order: it ends, the newcomer goes on."""
        self._end(self.orders[piece.id], OrderStatus.CANCELED, "self_trade")
        return True

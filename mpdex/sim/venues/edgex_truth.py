"""The markets of the simulated EdgeX, its accounts of both generations, and its engine.

The engine looks at an order a moment after the gateway has taken it. What it does not let in (a
post-only order that would take, a reduce-only order without a position) ends as canceled, not as
refused. What it matches is "censored" afterwards: only then it is booked.

Source: edgex-1.gitbook.io, "Order API", metadata as recorded in 2024; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import Unpack

from mpdex.sim.engine_behind import EngineBehind
from mpdex.sim.exchange_state import Surroundings
from mpdex.sim.models import FeeModel
from mpdex.sim.records import OrderChanged, SimMarket, SimOrder
from mpdex.sim.venues.edgex_generations import GENERATIONS, Generation
from mpdex.types import OrderStatus

BALANCE = Decimal(100_000)
RATE = Decimal("0.00005")  # of an interval, as most contracts had it live
ENGINE_BEHIND = 0.01  # seconds; perp-dex-tools finds a crossing post-only order ended after ten ms
CENSOR_BEHIND = 0.008  # seconds; ten ms in a recorded fill
FIRST_ID = 793_000_000_000_000_000  # ids of September 2026 are about here
MOST_AWAY = Decimal("0.05")  # of the oracle's price
COLLATERAL_SCALE = 10**6


def _market(number: int, coin: str, tick: str, step: str, most: int, digits: int) -> SimMarket:
    """The synthetic's id is its name and its digits, in ASCII, as those of BTC and ETH are."""
    synthetic = f"{coin}-{digits}".encode().ljust(15, b"\0")
    return SimMarket(
        symbol=f"{coin}USDC",
        coin=coin,
        quote="USDC",
        tick=Decimal(tick),
        step=Decimal(step),
        min_size=Decimal(step),
        max_size=Decimal(most),
        max_leverage=Decimal(50),
        maintenance=Decimal("0.005"),
        funding_hours=4,
        info={
            "number": number,
            "digits": digits,
            "synthetic": int.from_bytes(synthetic, "big"),
            "max_position": Decimal(most) * Decimal("1.2"),
        },
    )


# BTC and ETH as recorded (v1, 2024; BTC's grid also live on v2); SOL is assumed.
MARKETS = (
    _market(2, "ETH", "0.01", "0.01", 500, 9),
    _market(1, "BTC", "0.1", "0.001", 50, 10),
    _market(3, "SOL", "0.01", "0.1", 5000, 7),
)


class EdgexTruth(EngineBehind):
    """The truth of EdgeX. Accounts are account ids in text, one of each generation.

    Attributes:
        generations: of each account.
        modes: margin mode in the venue's number, by (account, symbol). The margin of all positions
            is shared in truth: this is a label.
        settings_hook: called with the account whose settings have changed.
    """

    behind = ENGINE_BEHIND
    refused = OrderStatus.CANCELED

    def __init__(self, name: str, **given: Unpack[Surroundings]) -> None:
        super().__init__(
            name,
            markets=MARKETS,
            fees=FeeModel(maker=Decimal("0.00018"), taker=Decimal("0.00038")),
            order_ids=map(str, count(FIRST_ID + given["rng"].randrange(10**12))).__next__,
            **given,
        )
        self.remembers = True
        self.generations: dict[str, Generation] = {}
        self.modes: dict[tuple[str, str], str] = {}
        self.settings_hook: Callable[[str], None] = lambda _: None
        for generation in GENERATIONS:
            account = str(FIRST_ID // 2 + self.rng.randrange(10**15))
            self.generations[account] = generation
            self.add_account(account, BALANCE)
        for board in self.boards.values():
            board.funding_rate = RATE

    def account_of(self, generation: Generation) -> str:
        return next(name for name, own in self.generations.items() if own is generation)

    def market_of(self, generation: Generation, contract_id: object) -> SimMarket | None:
        """None where the generation has no such contract."""
        markets = self.markets.values()
        return next((m for m in markets if generation.contract_id(m) == contract_id), None)

    def set_leverage(self, account: str, symbol: str, leverage: Decimal) -> None:
        super().set_leverage(account, symbol, leverage)
        self.settings_hook(account)

    def cancel_soon(self, order: SimOrder) -> None:
        """From now on it is CANCELING; it can still be filled."""
        if not self.twist.keep_on_cancel:
            order.raw["canceling"] = True
            self.tell(order)
        super().cancel_soon(order)

    def tell(self, order: SimOrder) -> None:
        """Its state has changed in the venue's words, but not in ours."""
        self._emit(OrderChanged(order, "accepted", self.clock.now_ns()))

    def _enter(self, order: SimOrder) -> None:
        if order.status is OrderStatus.PENDING:
            self.tell(order)
        super()._enter(order)

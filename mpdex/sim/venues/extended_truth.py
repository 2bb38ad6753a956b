"""The markets of the simulated Extended, and its engine, which is behind what REST answers.

An order that REST has taken has an id and is nowhere yet. A moment later the engine takes it into
the book, or refuses it with a reason that only the account's stream tells. Cancels wait in the same
line. What REST tells of orders is behind the engine by another moment.

Source: api.docs.extended.exchange, "Order management"; clients that see 404 right after placing;
live facts of BTC-USD in a recorded `GET /info/markets`; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Unpack

from mpdex.sim.engine_behind import EngineBehind
from mpdex.sim.exchange_state import Surroundings
from mpdex.sim.models import FeeModel
from mpdex.sim.records import ZERO, SimMarket, SimOrder
from mpdex.sim.venues.extended_crypto import L2Config
from mpdex.types import Liquidity, OrderStatus

BALANCE = Decimal(100_000)
HOURLY_RATE = Decimal("0.000013")
ENGINE_BEHIND = 0.02  # seconds; UNVERIFIED, like the next: nobody has measured either
REST_BEHIND_NS = 100_000_000
FIRST_ID = 2_104_498_657_029_000_000  # ids of 2026 are above 2**53
MOST_ORDERS = 200  # open, of a market
MOST_AWAY = Decimal("0.05")  # of the mark, for limit and for market orders alike
MOST_LIMIT_VALUE, MOST_MARKET_VALUE = Decimal(15_000_000), Decimal(3_000_000)
MOST_POSITION_VALUE = Decimal(60_000_000)
# (position value up to, initial margin as a fraction of it), as BTC-USD had them
TIERS = tuple((Decimal(4_000_000) * n, Decimal("0.02") * n) for n in range(1, 16))


def _market(coin: str, tick: str, step: str, smallest: str, digits: int) -> SimMarket:
    """The synthetic's id is its name and its digits, in ASCII, as that of BTC is."""
    name = f"{coin}-{digits}".encode().ljust(15, b"\0")
    return SimMarket(
        symbol=f"{coin}-USD",
        coin=coin,
        quote="USD",
        tick=Decimal(tick),
        step=Decimal(step),
        min_size=Decimal(smallest),
        max_leverage=Decimal(50),
        maintenance=Decimal("0.01"),  # UNVERIFIED: half of the smallest initial margin
        funding_hours=1,
        info={"l2": L2Config(int.from_bytes(name, "big"), 10**digits)},
    )


# BTC as recorded live; grids of the others and their digits on the chain are assumed.
MARKETS = (
    _market("ETH", "0.1", "0.001", "0.01", 5),
    _market("BTC", "1", "0.00001", "0.0001", 6),
    _market("SOL", "0.01", "0.01", "0.1", 3),
)


class ExtendedTruth(EngineBehind):
    """The truth of Extended. Accounts are account ids in text."""

    behind = ENGINE_BEHIND

    def __init__(self, name: str, **given: Unpack[Surroundings]) -> None:
        given["latency"] = replace(given["latency"], taker_delay=0.0)
        super().__init__(
            name,
            markets=MARKETS,
            fees=FeeModel(maker=ZERO, taker=Decimal("0.00025")),
            order_ids=map(str, count(FIRST_ID + given["rng"].randrange(10**12))).__next__,
            **given,
        )
        self.remembers = True
        for board in self.boards.values():
            board.funding_rate = HOURLY_RATE

    # ---------------------------------------------------------------- asked by the venue

    @contextmanager
    def lagging(self) -> Iterator[None]:
        """Orders are read inside as they were a moment ago."""
        twist, then = self.twist, self.clock.now_ns() - REST_BEHIND_NS
        known = then if twist.as_of_ns is None else min(then, twist.as_of_ns)
        self.twist = replace(twist, as_of_ns=known)
        try:
            yield
        finally:
            self.twist = twist

    # ---------------------------------------------------------------- the engine

    def verdict(self, order: SimOrder) -> str:
        """An order that is replaced ends even where the new one is not let in."""
        return self._replace(order) or super().verdict(order)

    def _replace(self, order: SimOrder) -> str:
        before: SimOrder | None = order.raw.get("replaces")
        if before is None:
            return ""
        if not before.live:
            return "no_previous"
        self._end(before, OrderStatus.CANCELED, "replaced")
        return ""

    def _doom(self, order: SimOrder, status: OrderStatus, seconds: float) -> None:
        """Nothing is told of an order that the engine has not taken."""
        self.timers.after(
            seconds, lambda: self._end(order, status, "post_only") if order.live else None
        )

    def fee_of(self, order: SimOrder, notional: Decimal, liquidity: Liquidity) -> Decimal:
        """The venue's fee, and that of the builder the order names."""
        builder: Decimal = order.raw.get("builder_fee", ZERO)
        return super().fee_of(order, notional, liquidity) + notional * builder

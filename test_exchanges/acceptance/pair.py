"""The plan's pair on simulated venues, in virtual time, with the truth beside it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from exchange_factory import create_exchange
from mpdex.sim.records import SimFill, Traded
from mpdex.sim.run import Running, start
from mpdex.utils.clock import Clock
from multi_perp_dex import Exchange
from strategies.config import HedgeConfig
from strategies.hedge import HedgeResult, Stop, run_hedge

PRIMARY, HEDGE = "grvt", "backpack"
ZERO = Decimal(0)
Change = Any


@dataclass
class Pair:
    """Two venues, open, and what is true at them."""

    world: Running
    primary: Exchange
    hedge: Exchange
    stop: Stop = field(default_factory=Stop)
    worst: Decimal = ZERO
    flat_after: list[float] = field(default_factory=list)  # seconds of each exposure
    _since: float | None = None

    def __post_init__(self) -> None:
        for exchange in self.world.exchanges.values():
            exchange.listen(self._look, Traded)

    @property
    def exposure(self) -> Decimal:
        """Net coins over both venues and every account, by the venues' own books."""
        held = [
            position.size
            for exchange in self.world.exchanges.values()
            for account in exchange.accounts
            for position in exchange.positions(account)
        ]
        return sum(held, ZERO)

    def fills(self, venue: str) -> list[SimFill]:
        exchange = self.world.exchanges[venue]
        return [fill for account in exchange.accounts for fill in exchange.fills(account, 0)]

    def orders(self, venue: str) -> list[Any]:
        exchange = self.world.exchanges[venue]
        return [o for account in exchange.accounts for o in exchange.order_history(account)]

    def live_orders(self) -> list[Any]:
        return [
            order
            for exchange in self.world.exchanges.values()
            for account in exchange.accounts
            for order in exchange.open_orders(account)
        ]

    def _look(self, event: object) -> None:
        exposure, now = abs(self.exposure), self.world.clock.monotonic()
        self.worst = max(self.worst, exposure)
        if exposure and self._since is None:
            self._since = now
        elif not exposure and self._since is not None:
            self.flat_after.append(now - self._since)
            self._since = None

    async def run(self, logs: Path, *, locks: Path | None = None, **changes: Change) -> HedgeResult:
        options = {"size": Decimal("0.01"), "iterations": 10, **changes}
        config = HedgeConfig(primary=PRIMARY, hedge=HEDGE, ticker="ETH", logs=logs, **options)
        return await run_hedge(
            config,
            self.primary,
            self.hedge,
            clock=self.world.clock,
            rng=random.Random(7),
            stop=self.stop,
            locks=locks,
        )


def key_params(world: Running, venue: str, **changes: str) -> dict[str, Any]:
    return {**world.credentials[venue], **changes, "endpoints": world.endpoints[venue]}


@asynccontextmanager
async def opened(
    *, keys: Mapping[str, Mapping[str, str]] | None = None, **world_options: Any
) -> AsyncIterator[Pair]:
    """A world and both venues of the pair in it."""
    async with await start([PRIMARY, HEDGE], **world_options) as world:
        clock: Clock = world.clock
        dexes = []
        try:
            for venue in (PRIMARY, HEDGE):
                params = key_params(world, venue, **(keys or {}).get(venue, {}))
                dex = await create_exchange(venue, params, clock=clock)
                dexes.append(dex)
            yield Pair(world, *dexes)
        finally:
            for dex in dexes:
                await dex.close()

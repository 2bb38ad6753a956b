"""Funding on the simulated venues: paid when its interval ends, by whoever holds a position."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import pairwise

from mpdex.sim.run import start
from mpdex.utils.virtual_loop import run_virtual

HOUR = 3600.0
ETH = {"grvt": "ETH_USDT_Perp", "backpack": "ETH_USDC_PERP"}


def test_each_venue_pays_at_its_own_interval() -> None:
    async def main() -> dict[str, list[Decimal]]:
        told: dict[str, list[Decimal]] = {venue: [] for venue in ETH}
        async with await start(list(ETH), coins=()) as world:
            for venue, exchange in world.exchanges.items():
                account = next(iter(exchange.accounts))
                exchange.boards[ETH[venue]].mark = Decimal(3000)
                exchange.boards[ETH[venue]].funding_rate = Decimal("0.0001")
                exchange.ledger.trade(
                    account, ETH[venue], "buy", Decimal(1), Decimal(3000), Decimal(0)
                )
            for _ in range(9):
                await asyncio.sleep(HOUR)
                for venue, exchange in world.exchanges.items():
                    account = exchange.accounts[next(iter(exchange.accounts))]
                    told[venue].append(account.funding)
        return told

    told = run_virtual(main())
    assert told["grvt"][:7] == [0] * 7
    assert told["grvt"][8] < 0, "a long pays when the rate is positive"
    backpack = told["backpack"]
    assert backpack[0] < 0
    assert [b - a for a, b in pairwise(backpack)] == [backpack[0]] * 8

"""Markets as most venues list them: settled in USDC, funded hourly, the smallest size one step."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mpdex.sim.records import SimMarket


def usdc_market(coin: str, symbol: str, tick: str, step: str, **facts: Any) -> SimMarket:
    """A perpetual, or what `facts` (fields of `SimMarket`) say instead."""
    usual = {"quote": "USDC", "min_size": Decimal(step), "funding_hours": 1}
    grid = {"tick": Decimal(tick), "step": Decimal(step)}
    return SimMarket(coin=coin, symbol=symbol, **{**usual, **grid, **facts})

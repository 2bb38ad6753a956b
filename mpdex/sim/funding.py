"""Funding is paid when its interval ends, on every perpetual of every venue.

Intervals begin at midnight UTC, as the venues' own do; the rate is whatever the exchange says then.
"""

from __future__ import annotations

from collections.abc import Iterable

from mpdex.sim.exchange import SimExchange
from mpdex.sim.models import Timers
from mpdex.sim.records import SimMarket
from mpdex.utils.clock import Clock

_HOUR_NS = 3600 * 10**9


class FundingSchedule:
    """Pays funding until it is closed."""

    def __init__(self, exchanges: Iterable[SimExchange], clock: Clock) -> None:
        self._exchanges = list(exchanges)
        self._clock = clock
        self._timers = Timers()

    def start(self) -> None:
        for exchange in self._exchanges:
            for market in exchange.markets.values():
                if market.kind == "perp":
                    interval = market.funding_hours * _HOUR_NS
                    self._wait(exchange, market, (self._clock.now_ns() // interval + 1) * interval)

    def close(self) -> None:
        self._timers.close()

    def _wait(self, exchange: SimExchange, market: SimMarket, due_ns: int) -> None:
        left = (due_ns - self._clock.now_ns()) / 1e9
        self._timers.after(left, lambda: self._pay(exchange, market, due_ns))

    def _pay(self, exchange: SimExchange, market: SimMarket, due_ns: int) -> None:
        exchange.fund(exchange.funding_rate(market.symbol), market.symbol)
        self._wait(exchange, market, due_ns + market.funding_hours * _HOUR_NS)

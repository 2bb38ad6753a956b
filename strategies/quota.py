"""Requests as a budget, on venues that count them over the life of an account.

Hedges and cancels are never asked of it: it only makes quoting slower, and in the end stops it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from strategies.limits import Limits

# From so many times the reserve on, requotes are as free as the configuration lets them.
_PLENTY = 10


@dataclass(frozen=True, slots=True)
class Budget:
    """What one venue still allows.

    Attributes:
        left: requests; None: the venue does not count them.
        forecast: requests that the rest of the run is expected to need.
    """

    left: int | None
    forecast: int

    def short(self, limits: Limits) -> str:
        """Why nothing more may be quoted; "" if something may."""
        if self.left is None:
            return ""
        least = max(limits.quota_left, limits.quota_forecast * self.forecast)
        return f"{self.left} requests are left, {least} are needed" if self.left < least else ""

    def requotes(self, per_minute: int, limits: Limits) -> int:
        """Requotes allowed in a minute: fewer as the reserve comes nearer."""
        if self.left is None:
            return per_minute
        spare = Decimal(self.left - limits.quota_left) / (limits.quota_left * (_PLENTY - 1))
        return int(per_minute * min(max(spare, Decimal(0)), Decimal(1)))


def forecast(cycles_left: int, cycles: int, requotes: int) -> int:
    """A quote and a cancel for each cycle, and two for each requote at the rate so far."""
    moves = 2 * requotes / cycles if cycles else 0
    return int(cycles_left * (2 + moves))

"""Funding payments of the accounts of one venue, read off its positions."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from mpdex.sim.records import SimPosition


class FundingTally:
    """Remembers what funding has brought so far, so that each change is one payment."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Decimal] = defaultdict(Decimal)

    def take(self, position: SimPosition) -> Decimal:
        """What the position received since it was last asked about; negative: paid."""
        key = (position.account, position.symbol)
        received = position.funding - self._known[key]
        self._known[key] = position.funding
        return received

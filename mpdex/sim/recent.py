"""What everybody has seen of the markets of one simulated venue: recent trades and index prices."""

from __future__ import annotations

from collections import defaultdict, deque
from decimal import Decimal

from mpdex.sim.records import MarkChanged, PublicTrade, SimEvent


class Recent:
    """Remembers events for later answers.

    Args:
        most: trades of a market that are kept.

    Attributes:
        trades: oldest first, by symbol.
        index: index price, by symbol.
    """

    def __init__(self, most: int) -> None:
        self.trades: dict[str, deque[PublicTrade]] = defaultdict(lambda: deque(maxlen=most))
        self.index: dict[str, Decimal] = {}

    def note(self, event: SimEvent) -> None:
        match event:
            case PublicTrade(symbol):
                self.trades[symbol].append(event)
            case MarkChanged(symbol, _, index):
                self.index[symbol] = index

"""What the run has learned from books and fills: prices, fees, slippage, latency, mark-outs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from mpdex.types import Fees, Fill, Market
from strategies.books import Books, Own
from strategies.config import HedgeConfig
from strategies.costs import Costs, Terms
from strategies.latency import Latencies
from strategies.markout import Markouts
from strategies.tracking import Tracked
from strategies.words import BookTick, Kind, Role, Source

_BPS = Decimal(10_000)
_ZERO = Decimal(0)
# Books lag behind the news about our own orders.
_ECHO = 0.5


@dataclass(slots=True)
class Lessons:
    """Everything the guards and prices are made of that takes time to know.

    Attributes:
        full: the position limit was reached and the pair has not been closed since.
        full_since: monotonic; when closing began. None: it has not.
        last_quote, quoted_at: the latest quote, and when it was last seen in its slot.
        moves: requotes in all; unfilled_moves: since a quote traded last.
    """

    config: HedgeConfig
    books: Books
    costs: Costs
    markouts: Markouts
    latencies: Latencies
    full: bool = False
    full_since: float | None = None
    last_quote: Tracked | None = None
    quoted_at: float = 0.0
    moves: int = 0
    unfilled_moves: int = 0

    @classmethod
    def of(cls, config: HedgeConfig, fees: Mapping[Role, Fees | None]) -> Lessons:
        limits = config.limits
        return cls(
            config=config,
            books=Books.by(limits),
            costs=Costs.of(config, fees),
            markouts=Markouts(limits),
            latencies=Latencies(limits),
        )

    def own(self, now: float) -> Own | None:
        """What a book of the primary may show of ours, for a moment after its end, too."""
        quote = self.last_quote
        if quote is None or quote.price is None or now - self.quoted_at > _ECHO:
            return None
        return Own(quote.side, quote.price, quote.size - quote.cum)

    def see(self, tick: BookTick, own: Own | None) -> bool:
        """Takes a book; False where it is not to be believed yet."""
        believed = self.books.see(tick, own)
        if believed and tick.role == "primary" and tick.role in self.books.mids:
            self.markouts.learn(self.books.mids["primary"], tick.at)
        return believed

    def fill(self, order: Tracked, fill: Fill, market: Market, now: float, source: Source) -> None:
        """Takes a fill of ours; one that had to be asked for tells nothing about latency."""
        price, size = fill["price"], fill["size"]
        self.fee(order.role, fill, market)
        if order.kind is Kind.MAKER:
            self.unfilled_moves = 0
            self.markouts.filled(order.side, price, now)
        elif order.kind is Kind.HEDGE:
            if source == "stream":
                # a fill that is told late was not slow
                executed = (fill["timestamp_ms"] - order.sent_ms) / 1000
                self.latencies.learn(min(now - order.sent, max(executed, 0.0)), now)
            if order.decision_price:
                decided = order.decision_price
                self.costs.learn_hedge(order.cycle, order.side, size, price, decided)

    def fee(self, role: Role, fill: Fill, market: Market) -> None:
        """Takes what a fill of ours cost, where it tells that."""
        if fill["fee"] is not None and fill["fee_asset"] == market["quote"]:
            value = fill["price"] * fill["size"]
            self.costs.learn_fee(role, fill["liquidity"], fill["fee"], value)

    def turn(self, *, full: bool, now: float) -> None:
        """Notes whether the pair is on its way back to nothing."""
        if full and not self.full:
            self.full_since = now
        elif not full:
            self.full_since = None
        self.full = full

    def terms(self, hedge: BookTick) -> Terms | None:
        """What the edge of a quote depends on now; None: it cannot be known."""
        mid = self.books.mids.get("primary")
        if mid is None or hedge.sell is None or hedge.buy is None:
            return None
        basis = self.books.basis
        strict = self.config.gate == "strict"
        return Terms(
            mid=mid,
            sell=hedge.sell,
            buy=hedge.buy,
            basis=_ZERO if strict else basis.median * mid / _BPS,
            fixed=self.costs.fixed + (_ZERO if strict else basis.margin),
        )

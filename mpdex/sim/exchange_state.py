"""What one simulated venue is at this moment, and how it is read.

`ExchangeState` holds everything and changes nothing; commands and executions are in
`exchange_core`, the public class in `exchange`.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, TypedDict

from mpdex.sim.board import Board, BookFeed
from mpdex.sim.engine import Match, Resting
from mpdex.sim.ledger import Holding, Ledger, SimAccount
from mpdex.sim.models import FeeModel, LatencyModel, Pipe, Timers
from mpdex.sim.records import (
    EVENTS,
    ZERO,
    Halt,
    Level,
    OrderChanged,
    SimEvent,
    SimFill,
    SimMarket,
    SimOrder,
    SimPosition,
)
from mpdex.types import OrderStatus, Side
from mpdex.utils.clock import Clock


@dataclass(slots=True, kw_only=True)
class Twist:
    """How a fault bends the next command; see `SimExchange.twist`.

    Attributes:
        fields: attributes of the order that the venue gets wrong ("post_only": False).
        lose_order: the order is acknowledged and never enters the book.
        fate: (status, seconds): acknowledged as pending, ended so after a while, never matched.
        keep_on_cancel: the cancel is acknowledged, the order lives on.
        as_of_ns: positions, orders and fills are answered as they were then; 0: as if there had
            never been any.
        keep_leverage: a change of leverage is acknowledged and does nothing.
        page: most rows of one answer to a query; for the venue module to respect.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    lose_order: bool = False
    fate: tuple[OrderStatus, float] | None = None
    keep_on_cancel: bool = False
    keep_leverage: bool = False
    as_of_ns: int | None = None
    page: int | None = None


class Surroundings(TypedDict):
    """What a venue's truth is given by who starts it."""

    clock: Clock
    rng: random.Random
    latency: LatencyModel


class ExchangeState(ABC):
    """One venue's truth.

    Args:
        name: factory name of the venue.
        order_ids: makes the venue's order ids; decimal counters by default.

    Attributes:
        behind: seconds for which an order that was taken in waits to be judged.
        accounts: by name; see `add_account`.
        newest: the order of the last `place`.
        halted: "", "post_only", "cancel_only" or "down".
        halt_hooks: called when that changes.
        order_hooks: called with each new order, before it is judged.
        twist: bends commands while set; the server sets and clears it around one handler call.
        remembers: what orders were like is kept, for answers that are stale.
        report_delay: seconds by which events are held back (a fault), 0 normally.
    """

    behind: ClassVar[float] = 0.0

    def __init__(
        self,
        name: str,
        *,
        clock: Clock,
        markets: Sequence[SimMarket],
        fees: FeeModel | None = None,
        latency: LatencyModel | None = None,
        rng: random.Random | None = None,
        order_ids: Callable[[], str] | None = None,
    ) -> None:
        self.name = name
        self.clock = clock
        self.fees = fees or FeeModel()
        self.latency = latency or LatencyModel()
        self.rng = rng or random.Random(0)
        self.timers = Timers()
        self.boards = {
            market.symbol: Board(market, self._matcher(market.symbol), clock.now_ns)
            for market in markets
        }
        self.markets = {market.symbol: market for market in markets}
        self.ledger = Ledger(markets, self.mark)
        self.orders: dict[str, SimOrder] = {}
        self.newest: SimOrder | None = None
        self.halted: Halt = ""
        self.halt_hooks: list[Callable[[Halt], None]] = []
        self.order_hooks: list[Callable[[SimOrder], None]] = []
        self.twist = Twist()
        self.report_delay = 0.0
        self.remembers = False
        self._orders_past: dict[str, list[tuple[int, SimOrder]]] = defaultdict(list)
        self._held: Pipe[SimEvent] = Pipe(self._tell)
        self._witnesses: dict[type, list[Callable[[SimEvent], None]]] = defaultdict(list)
        self._listeners: dict[type, list[Callable[[SimEvent], None]]] = {e: [] for e in EVENTS}
        self._resting: dict[str, Resting] = {}
        self._by_client: dict[tuple[str, str], SimOrder] = {}
        self._live: dict[str, dict[str, SimOrder]] = defaultdict(dict)
        self._fills: dict[str, list[SimFill]] = defaultdict(list)
        self._past: dict[tuple[str, str], list[SimPosition]] = defaultdict(list)
        self._expiries: list[tuple[int, str]] = []
        self._order_ids = order_ids or map(str, range(1, 1 << 62)).__next__
        self._trade_ids = iter(range(1, 1 << 62))

    # ---------------------------------------------------------------- accounts and listeners

    @property
    def accounts(self) -> dict[str, SimAccount]:
        return self.ledger.accounts

    def add_account(
        self, name: str, balance: Decimal, leverage: Decimal | None = None
    ) -> SimAccount:
        """Open an account with so much of the quote currency, and a leverage that is set already,
        as far as each market allows it."""
        account = self.ledger.open_account(name, balance)
        if leverage is not None:
            for symbol, market in self.markets.items():
                account.leverage[symbol] = min(leverage, market.max_leverage)
        return account

    def listen(self, call: Callable[[SimEvent], None], *kinds: type) -> None:
        """Call for every event of these kinds (`BookChanged` comes from `book_feed` only)."""
        for kind in kinds or EVENTS:
            self._listeners[kind].append(call)

    def witness(self, call: Callable[[SimEvent], None], *kinds: type) -> None:
        """Call for events of accounts the moment they are true, however late they are reported."""
        for kind in kinds:
            self._witnesses[kind].append(call)

    def book_feed(self, symbol: str) -> BookFeed:
        return BookFeed(self.boards[symbol])

    def close(self) -> None:
        """Take back every timer."""
        self._held.close()
        self.timers.close()

    # ---------------------------------------------------------------- reading

    def order(
        self, account: str, *, order_id: str | None = None, client_id: str | None = None
    ) -> SimOrder | None:
        """An order by either id, live or not; of equal client ids the newest."""
        self.expire_due()
        if order_id:
            order = self.orders.get(order_id)
        else:
            order = self._by_client.get((account, client_id or ""))
        if order is None or order.account != account:
            return None
        return self.told(order)

    def told(self, order: SimOrder) -> SimOrder | None:
        """An order as queries show it now: as it is, but for a fault."""
        if self.twist.as_of_ns is None:
            return order
        then = [o for at, o in self._orders_past[order.order_id] if at <= self.twist.as_of_ns]
        return then[-1] if then else None

    def tells(self, time_ns: int) -> bool:
        """Whether queries know of what happened at a time."""
        return self.twist.as_of_ns is None or time_ns <= self.twist.as_of_ns

    def open_orders(self, account: str, symbol: str | None = None) -> list[SimOrder]:
        """Live orders, oldest first."""
        self.expire_due()
        if self.twist.as_of_ns is not None:
            past = [self.told(o) for o in self.orders.values() if o.account == account]
            return [o for o in past if o and o.live and symbol in (None, o.symbol)]
        return [o for o in self._live[account].values() if symbol in (None, o.symbol)]

    def order_history(self, account: str, symbol: str | None = None) -> list[SimOrder]:
        """Every order that was ever accepted or rejected, oldest first."""
        told = (self.told(o) for o in self.orders.values() if o.account == account)
        return [o for o in told if o is not None and symbol in (None, o.symbol)]

    def fills(self, account: str, since_ns: int = 0, symbol: str | None = None) -> list[SimFill]:
        """Executions, oldest first."""
        return [
            f
            for f in self._fills[account]
            if f.time_ns >= since_ns and symbol in (None, f.order.symbol) and self.tells(f.time_ns)
        ]

    def position(self, account: str, symbol: str) -> SimPosition:
        """A position; size 0 when flat."""
        if self.twist.as_of_ns is not None:
            return self._position_then(account, symbol, self.twist.as_of_ns)
        holding = self.accounts[account].holdings.get(symbol, Holding())
        return SimPosition(
            account,
            symbol,
            holding.size,
            holding.entry,
            self.mark(symbol),
            self.ledger.unrealized(account, symbol),
            holding.realized,
            holding.funding,
            self.ledger.leverage(account, symbol),
            self.ledger.liquidation_price(account, symbol),
            holding.updated_ns,
        )

    def positions(self, account: str) -> list[SimPosition]:
        """Positions that are not flat."""
        held = [self.position(account, symbol) for symbol in self.accounts[account].holdings]
        return [position for position in held if position.size]

    def book(self, symbol: str, depth: int | None = None) -> tuple[list[Level], list[Level], int]:
        """(bids, asks, seq), best first, our resting orders included."""
        board = self.boards[symbol]
        bids, asks = (
            [(board.price(t), board.size(n)) for t, n in board.engine.levels(side, depth)]
            for side in ("buy", "sell")
        )
        return bids, asks, board.seq

    def best(self, symbol: str) -> tuple[Decimal | None, Decimal | None]:
        """Best bid and ask prices, ours included."""
        board = self.boards[symbol]
        bid, ask = board.engine.best("buy"), board.engine.best("sell")
        return (
            None if bid is None else board.price(bid),
            None if ask is None else board.price(ask),
        )

    def mark(self, symbol: str) -> Decimal:
        """Mark price: the middle of the outside book, on the grid; 0 before the first book."""
        return self.boards[symbol].mark

    def funding_rate(self, symbol: str) -> Decimal:
        """Of the current interval, a fraction of notional; positive: longs pay."""
        return self.boards[symbol].funding_rate

    def equity(self, account: str) -> Decimal:
        return self.ledger.equity(account)

    def free(self, account: str) -> Decimal:
        """Equity that no position and no open order needs."""
        held = sum((self._order_margin(o) for o in self._live[account].values()), ZERO)
        return self.ledger.equity(account) - self.ledger.initial_margin(account) - held

    def crosses(self, symbol: str, side: Side, price: Decimal) -> bool:
        """Whether a limit price would take at once."""
        board = self.boards[symbol]
        return board.engine.crosses(side, board.ticks(price))

    # ---------------------------------------------------------------- inside

    def _matcher(self, symbol: str) -> Callable[[Match], None]:
        return lambda match: self._on_match(symbol, match)

    @abstractmethod
    def _on_match(self, symbol: str, match: Match) -> None:
        """An execution in a market, while it happens."""

    @abstractmethod
    def expire_due(self) -> None:
        """End every order whose time is over."""

    def _reducible(self, order: SimOrder) -> Decimal:
        """Coins by which an order of this side can reduce the position."""
        size = self.accounts[order.account].size(order.symbol)
        return -size if order.side == "buy" else size

    def _order_margin(self, order: SimOrder) -> Decimal:
        """Margin that the part which opens needs; what reduces needs none."""
        market = self.markets[order.symbol]
        if market.kind == "spot":
            spends = order.side == "buy"
            return order.remaining * self._price_or_mark(order) if spends else ZERO
        opening = order.remaining - max(self._reducible(order), ZERO)
        if order.reduce_only or opening <= 0:
            return ZERO
        leverage = self.ledger.leverage(order.account, order.symbol)
        return opening * self._price_or_mark(order) / leverage

    def _price_or_mark(self, order: SimOrder) -> Decimal:
        return self.mark(order.symbol) if order.price is None else order.price

    def _position_then(self, account: str, symbol: str, at_ns: int) -> SimPosition:
        past = [p for p in self._past[account, symbol] if p.updated_ns <= at_ns]
        if past:
            return past[-1]
        mark, leverage = self.mark(symbol), self.ledger.leverage(account, symbol)
        return SimPosition(
            account, symbol, ZERO, ZERO, mark, ZERO, ZERO, ZERO, leverage, None, at_ns
        )

    def _emit(self, event: SimEvent) -> None:
        if self.remembers and isinstance(event, OrderChanged):
            self._orders_past[event.order.order_id].append((event.time_ns, copy(event.order)))
        for call in self._witnesses.get(type(event), ()):
            call(event)
        if self.report_delay:
            self._held.push(event, self.report_delay)
        else:
            self._tell(event)

    def _tell(self, event: SimEvent) -> None:
        for call in self._listeners[type(event)]:
            call(event)

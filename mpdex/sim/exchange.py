"""The truth of one simulated venue: what really happened to every order of every account.

A venue module asks it to `place` and `cancel`, reads it, and hears its events; a market source
drives its outside book. Everything happens at once and in order; waiting is the server's.
Faults reach the truth in two ways: methods of the second half of `SimExchange` act at once, and a
`Twist` bends the next command.
"""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mpdex.sim.board import Board, BookFeed, Quote
from mpdex.sim.engine import Match, Resting
from mpdex.sim.ledger import Holding, Ledger, SimAccount
from mpdex.sim.models import FeeModel, LatencyModel, Pipe, Timers
from mpdex.sim.records import (
    EVENTS,
    ZERO,
    BookChanged,
    Cause,
    Halt,
    Level,
    MarkChanged,
    OrderChanged,
    PositionChanged,
    PublicTrade,
    SimEvent,
    SimFill,
    SimMarket,
    SimOrder,
    SimPosition,
    Traded,
)
from mpdex.types import Liquidity, OrderStatus, Side, TimeInForce
from mpdex.utils.clock import Clock

__all__ = [
    "BookChanged",
    "BookFeed",
    "MarkChanged",
    "OrderChanged",
    "PositionChanged",
    "PublicTrade",
    "Quote",
    "SimEvent",
    "SimExchange",
    "SimFill",
    "SimMarket",
    "SimOrder",
    "SimPosition",
    "Traded",
    "Twist",
]

MARK_EVERY_NS = 1_000_000_000  # venues publish marks about once a second


@dataclass(slots=True, kw_only=True)
class Twist:
    """How a fault bends the next command; see `SimExchange.twist`.

    Attributes:
        fields: attributes of the order that the venue gets wrong ("post_only": False).
        lose_order: the order is acknowledged and never enters the book.
        fate: (status, seconds): acknowledged as pending, ended so after a while, never matched.
        keep_on_cancel: the cancel is acknowledged, the order lives on.
        as_of_ns: positions are answered as they were then.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    lose_order: bool = False
    fate: tuple[OrderStatus, float] | None = None
    keep_on_cancel: bool = False
    as_of_ns: int | None = None


class SimExchange:
    """One venue's truth.

    Args:
        name: factory name of the venue.
        order_ids: makes the venue's order ids; decimal counters by default.

    Attributes:
        accounts: by name; see `add_account`.
        newest: the order of the last `place`.
        halted: "", "post_only", "cancel_only" or "down".
        halt_hooks: called when that changes.
        twist: bends commands while set; the server sets and clears it around one handler call.
        report_delay: seconds by which events are held back (a fault), 0 normally.
    """

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
        self.twist = Twist()
        self.report_delay = 0.0
        self._held: Pipe[SimEvent] = Pipe(self._tell)
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

    def add_account(self, name: str, balance: Decimal) -> SimAccount:
        """Open an account with so much of the quote currency."""
        return self.ledger.open_account(name, balance)

    def listen(self, call: Callable[[SimEvent], None], *kinds: type) -> None:
        """Call for every event of these kinds (`BookChanged` comes from `book_feed` only)."""
        for kind in kinds or EVENTS:
            self._listeners[kind].append(call)

    def book_feed(self, symbol: str) -> BookFeed:
        return BookFeed(self.boards[symbol])

    def close(self) -> None:
        """Take back every timer."""
        self._held.close()
        self.timers.close()

    # ---------------------------------------------------------------- commands

    def place(self, order: SimOrder) -> SimOrder:
        """Match an order, rest what remains, and tell everybody.

        The market's grid is not checked here (`SimMarket.problem`); everything that depends on
        the state of the venue is. The same object is returned, changed: `status` and `reason`
        say what became of it.
        """
        self.expire_due()
        for name, value in self.twist.fields.items():
            setattr(order, name, value)
        order.order_id = order.order_id or self._order_ids()
        order.created_ns = order.updated_ns = self.clock.now_ns()
        self.orders[order.order_id] = self.newest = order
        reason = self._refusal(order)
        if reason:
            return self._end(order, OrderStatus.REJECTED, reason)
        self._register(order)
        if self.twist.lose_order:
            order.status = OrderStatus.OPEN
            self.drop_order(order)
        elif self.twist.fate:
            self._doom(order, *self.twist.fate)
        elif self.latency.taker_delay and not order.post_only:
            self.timers.after(self.latency.taker_delay, lambda: self._enter(order))
        else:
            self._enter(order)
        return order

    def cancel(
        self,
        account: str,
        *,
        order_id: str | None = None,
        client_id: str | None = None,
        reason: str = "client",
    ) -> SimOrder | None:
        """End a live order.

        Returns: the order, or None if no live order has that id.
        """
        self.expire_due()
        order = self.order(account, order_id=order_id, client_id=client_id)
        if order is None or not order.live:
            return None
        if not self.twist.keep_on_cancel:
            self._end(order, OrderStatus.CANCELED, reason)
        return order

    def cancel_all(
        self, account: str, symbol: str | None = None, reason: str = "client"
    ) -> list[SimOrder]:
        """End every live order of an account, in one market or in all."""
        orders = self.open_orders(account, symbol)
        for order in orders:
            self.cancel(account, order_id=order.order_id, reason=reason)
        return orders

    def expire_due(self) -> None:
        """End every order whose time is over."""
        now = self.clock.now_ns()
        while self._expiries and self._expiries[0][0] <= now:
            order = self.orders[heapq.heappop(self._expiries)[1]]
            if order.live:
                self._end(order, OrderStatus.EXPIRED, "expired")

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
        return order if order is not None and order.account == account else None

    def open_orders(self, account: str, symbol: str | None = None) -> list[SimOrder]:
        """Live orders, oldest first."""
        self.expire_due()
        return [o for o in self._live[account].values() if symbol in (None, o.symbol)]

    def order_history(self, account: str, symbol: str | None = None) -> list[SimOrder]:
        """Every order that was ever accepted or rejected, oldest first."""
        return [
            o for o in self.orders.values() if o.account == account and symbol in (None, o.symbol)
        ]

    def fills(self, account: str, since_ns: int = 0, symbol: str | None = None) -> list[SimFill]:
        """Executions, oldest first."""
        return [
            f
            for f in self._fills[account]
            if f.time_ns >= since_ns and symbol in (None, f.order.symbol)
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

    # ---------------------------------------------------------------- from the market sources

    def on_quote(self, symbol: str, quote: Quote) -> None:
        """A new outside book, or a new best level a side."""
        board = self.boards[symbol]
        board.apply(quote)
        now = self.clock.now_ns()
        if now - board.mark_ns >= MARK_EVERY_NS or not board.mark:
            self._remark(board, now)

    def on_trade(self, symbol: str, price: int, size: int, taker: Side) -> None:
        """A public trade of others, in units of 1e-8."""
        board = self.boards[symbol]
        ticks, lots = board.snap_trade(price, size, taker)
        board.engine.trade(ticks, lots, taker)
        self._publish_trade(board, ticks, lots, taker)

    def _publish_trade(self, board: Board, ticks: int, lots: int, taker: Side) -> None:
        if self._listeners[PublicTrade]:
            price, size = board.price(ticks), board.size(lots)
            number, now = next(self._trade_ids), self.clock.now_ns()
            self._emit(PublicTrade(board.market.symbol, price, size, taker, number, now))

    def _remark(self, board: Board, now: int) -> None:
        mid = board.mid()
        if mid is None:
            return
        board.mark, board.mark_ns = mid, now
        symbol = board.market.symbol
        if self._listeners[MarkChanged]:
            self._emit(MarkChanged(symbol, mid, mid, now))
        self.expire_due()
        for name, account in self.accounts.items():
            if account.size(symbol) and self.ledger.must_liquidate(name):
                self._bankrupt(name)

    def _bankrupt(self, name: str) -> None:
        self.accounts[name].liquidated = True
        self.cancel_all(name, reason="liquidation")
        for position in self.positions(name):
            self.liquidate(name, position.symbol, abs(position.size))

    # ---------------------------------------------------------------- inside of place

    def _refusal(self, order: SimOrder) -> str:
        """Why the state of the venue refuses an order; "" if it does not."""
        if self._halt_refuses(order):
            return "market"
        if self._outside_band(order):
            return "band"
        if order.reduce_only and self._reducible(order) <= 0:
            return "reduce_only"
        priced = order.post_only and order.price is not None
        if priced and self.crosses(order.symbol, order.side, self._price_or_mark(order)):
            return "post_only"
        return "" if self._affordable(order) else "margin"

    def _halt_refuses(self, order: SimOrder) -> bool:
        return self.halted in ("cancel_only", "down") or (
            self.halted == "post_only" and not order.post_only
        )

    def _outside_band(self, order: SimOrder) -> bool:
        band, mark = self.markets[order.symbol].band, self.mark(order.symbol)
        if band is None or order.price is None or not mark:
            return False
        away = order.price / mark - 1
        return away > band if order.side == "buy" else away < -band

    def _reducible(self, order: SimOrder) -> Decimal:
        """Coins by which an order of this side can reduce the position."""
        size = self.accounts[order.account].size(order.symbol)
        return -size if order.side == "buy" else size

    def _affordable(self, order: SimOrder) -> bool:
        market = self.markets[order.symbol]
        if market.kind == "spot" and order.side == "sell":
            coins = self.accounts[order.account].coins.get(market.coin, ZERO)
            return coins >= order.size
        needed = self._order_margin(order)
        return not needed or needed <= self.free(order.account)

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

    def _register(self, order: SimOrder) -> None:
        self._live[order.account][order.order_id] = order
        if order.client_id:
            self._by_client[order.account, order.client_id] = order
        if order.expires_ns is not None:
            heapq.heappush(self._expiries, (order.expires_ns, order.order_id))

    def _doom(self, order: SimOrder, status: OrderStatus, seconds: float) -> None:
        """Acknowledge now, end later: a venue that decides after it has answered."""
        self._emit(OrderChanged(order, "accepted", order.updated_ns))
        self.timers.after(
            seconds, lambda: self._end(order, status, "post_only") if order.live else None
        )

    def _enter(self, order: SimOrder) -> None:
        """Into the book: take, then rest or end."""
        if not order.live:
            return
        order.status = OrderStatus.OPEN
        self._emit(OrderChanged(order, "accepted", self.clock.now_ns()))
        board = self.boards[order.symbol]
        limit = None if order.price is None else board.ticks(order.price)
        wanted = order.remaining
        if order.reduce_only:
            wanted = min(wanted, self._reducible(order))
        piece = Resting(order.order_id, order.account, order.side, limit or 0, board.lots(wanted))
        if order.tif is TimeInForce.FOK and board.engine.available(order.side, limit) < piece.lots:
            self._end(order, OrderStatus.CANCELED, "fok")
            return
        alone = order.post_only or board.engine.take(piece, limit)
        if order.live:
            self._settle(order, piece, "" if alone else "self_trade")

    def _settle(self, order: SimOrder, piece: Resting, stopped: str) -> None:
        """What happens to the part that did not execute at once."""
        if stopped:
            reason = stopped
        elif order.price is None:
            reason = "market"
        elif order.tif is not TimeInForce.GTC:
            reason = "ioc"
        elif not piece.lots:
            reason = "reduce_only"
        else:
            self._resting[order.order_id] = piece
            self.boards[order.symbol].engine.rest(piece)
            return
        self._end(order, OrderStatus.CANCELED, reason)

    def _end(self, order: SimOrder, status: OrderStatus, reason: str) -> SimOrder:
        piece = self._resting.pop(order.order_id, None)
        if piece is not None:
            self.boards[order.symbol].engine.remove(piece)
        self._live[order.account].pop(order.order_id, None)
        order.status, order.reason, order.updated_ns = status, reason, self.clock.now_ns()
        cause: Cause = "rejected" if status is OrderStatus.REJECTED else "ended"
        self._emit(OrderChanged(order, cause, order.updated_ns))
        return order

    # ---------------------------------------------------------------- executions

    def _matcher(self, symbol: str) -> Callable[[Match], None]:
        return lambda match: self._on_match(symbol, match)

    def _on_match(self, symbol: str, match: Match) -> None:
        board = self.boards[symbol]
        price, size = board.price(match.ticks), board.size(match.lots)
        if match.maker is not None:
            self._execute(self.orders[match.maker.id], price, size, "maker")
        if match.taker is not None:
            self._execute(self.orders[match.taker.id], price, size, "taker")
            self._publish_trade(board, match.ticks, match.lots, match.taker.side)

    def _execute(
        self, order: SimOrder, price: Decimal, size: Decimal, liquidity: Liquidity
    ) -> SimFill:
        fee = self.fees.fee(price * size, liquidity)
        pnl = self.ledger.trade(order.account, order.symbol, order.side, size, price, fee)
        now = self.clock.now_ns()
        order.filled += size
        order.quote_filled += price * size
        order.fees += fee
        order.updated_ns = now
        fill = SimFill(next(self._trade_ids), order, price, size, fee, liquidity, now, pnl)
        self._fills[order.account].append(fill)
        if order.live and not order.remaining:
            order.status = OrderStatus.FILLED
            self._live[order.account].pop(order.order_id, None)
            self._resting.pop(order.order_id, None)
        self._moved(order.account, order.symbol)
        self._emit(Traded(fill))
        self._emit(OrderChanged(order, "filled", now))
        self._trim_reducers(order.account, order.symbol)
        return fill

    def _trim_reducers(self, account: str, symbol: str) -> None:
        """Resting reduce-only orders shrink with the position and end with it."""
        for order in list(self._live[account].values()):
            piece = self._resting.get(order.order_id)
            if piece is None or not order.reduce_only or order.symbol != symbol:
                continue
            board = self.boards[symbol]
            board.engine.shrink(piece, board.lots(max(self._reducible(order), ZERO)))
            if not piece.lots:
                self._end(order, OrderStatus.CANCELED, "reduce_only")

    def _moved(self, account: str, symbol: str) -> None:
        """Record and tell a position after a change."""
        holding = self.accounts[account].holdings.get(symbol)
        if holding is None:
            return
        holding.updated_ns = self.clock.now_ns()
        twist, self.twist = self.twist, Twist()
        position = self.position(account, symbol)
        self.twist = twist
        self._past[account, symbol].append(position)
        self._emit(PositionChanged(position))

    def _position_then(self, account: str, symbol: str, at_ns: int) -> SimPosition:
        past = [p for p in self._past[account, symbol] if p.updated_ns <= at_ns]
        if past:
            return past[-1]
        mark, leverage = self.mark(symbol), self.ledger.leverage(account, symbol)
        return SimPosition(
            account, symbol, ZERO, ZERO, mark, ZERO, ZERO, ZERO, leverage, None, at_ns
        )

    def _emit(self, event: SimEvent) -> None:
        if self.report_delay:
            self._held.push(event, self.report_delay)
        else:
            self._tell(event)

    def _tell(self, event: SimEvent) -> None:
        for call in self._listeners[type(event)]:
            call(event)

    # ---------------------------------------------------------------- truth faults

    def fill(self, order: SimOrder, size: Decimal) -> SimFill | None:
        """Somebody trades with this order now, at its price, whatever its place in the queue.

        An order that has ended is filled all the same: a late fill is one that the venue had
        matched before it acknowledged the end.

        Returns: the execution; None where nothing was left.
        """
        before = len(self._fills[order.account])
        piece = self._resting.get(order.order_id)
        board = self.boards[order.symbol]
        if piece is not None:
            board.engine.hit(piece, board.lots(size))
        elif order.remaining > 0:
            price = self._price_or_mark(order)
            self._execute(order, price, min(size, order.remaining), "maker")
        fills = self._fills[order.account]
        return fills[-1] if len(fills) > before else None

    def move(self, bps: Decimal, symbol: str | None = None) -> None:
        """Shift the outside book of a market, or of all, from now on."""
        for board in self._chosen(symbol):
            board.shift_ppm += int(bps * 100)
            self._reapply(board)

    def thin(
        self, depth: Decimal | None, side: Side | None = None, symbol: str | None = None
    ) -> None:
        """Leave at most `depth` coins on a side of the outside book, or on both; None: all."""
        for board in self._chosen(symbol):
            for which in (side,) if side else ("buy", "sell"):
                board.depth_cap[which] = None if depth is None else board.lots(depth)
            self._reapply(board)

    def halt(self, mode: Halt) -> None:
        """Change what the venue accepts; "" is normal trading."""
        self.halted = mode
        for hook in self.halt_hooks:
            hook(mode)

    def liquidate(self, account: str, symbol: str, size: Decimal | None = None) -> None:
        """Close a position, or `size` of it, at the mark."""
        self._close_by_force(account, symbol, size, "liquidation")

    def adl(self, account: str, symbol: str, size: Decimal) -> None:
        """Deleverage: close `size` of a position at the mark."""
        self._close_by_force(account, symbol, size, "adl")

    def manual_trade(self, account: str, symbol: str, signed: Decimal) -> SimFill:
        """The owner trades by hand, at the mark, without an id of ours."""
        side: Side = "buy" if signed > 0 else "sell"
        return self._by_force(account, symbol, side, abs(signed), "")

    def fund(self, rate: Decimal, symbol: str | None = None) -> None:
        """Pay one interval of funding now."""
        for board in self._chosen(symbol):
            board.funding_rate = rate
            for name in self.ledger.fund(board.market.symbol, rate):
                self._moved(name, board.market.symbol)

    def drop_order(self, order: SimOrder) -> None:
        """An order vanishes without a report."""
        piece = self._resting.pop(order.order_id, None)
        if piece is not None:
            self.boards[order.symbol].engine.remove(piece)
        self._live[order.account].pop(order.order_id, None)
        order.status, order.reason = OrderStatus.EXPIRED, "dropped"

    def set_leverage(self, account: str, symbol: str, leverage: Decimal) -> None:
        """Set an account's leverage in a market (clients reach it through the venue module)."""
        self.accounts[account].leverage[symbol] = leverage
        self._moved(account, symbol)

    def _close_by_force(self, account: str, symbol: str, size: Decimal | None, reason: str) -> None:
        held = self.accounts[account].size(symbol)
        amount = abs(held) if size is None else min(size, abs(held))
        if amount:
            self._by_force(account, symbol, "sell" if held > 0 else "buy", amount, reason)

    def _by_force(
        self, account: str, symbol: str, side: Side, size: Decimal, reason: str
    ) -> SimFill:
        now = self.clock.now_ns()
        order = SimOrder(
            account=account, symbol=symbol, side=side, size=size, order_id=self._order_ids()
        )
        order.created_ns, order.reason, order.status = now, reason, OrderStatus.OPEN
        self.orders[order.order_id] = order
        return self._execute(order, self.mark(symbol), size, "taker")

    def _chosen(self, symbol: str | None) -> list[Board]:
        return list(self.boards.values()) if symbol is None else [self.boards[symbol]]

    def _reapply(self, board: Board) -> None:
        board.apply(board.last)
        self._remark(board, self.clock.now_ns())

"""What happens in one simulated venue: orders enter, match, end; the market moves.

Everything happens at once and in order. The rules of matching are the engine's, those of money
the ledger's; here is what a venue adds: who may place what, and who is told.
"""

from __future__ import annotations

import heapq
from decimal import Decimal

from mpdex.sim.board import Board, Quote
from mpdex.sim.engine import Match, Resting
from mpdex.sim.exchange_state import ExchangeState, Twist
from mpdex.sim.records import (
    ZERO,
    Cause,
    MarkChanged,
    OrderChanged,
    PositionChanged,
    PublicTrade,
    SimFill,
    SimOrder,
    Traded,
)
from mpdex.types import Liquidity, OrderStatus, Side, TimeInForce

MARK_EVERY_NS = 1_000_000_000  # venues publish marks about once a second


class ExchangeCore(ExchangeState):
    """Commands, the outside market, executions."""

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
        self._take_in(order)
        reason = self._refusal(order)
        if reason:
            known = self._by_client.get((order.account, order.client_id))
            if order.client_id and (known is None or not known.live):
                self._by_client[order.account, order.client_id] = order
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

    def amend(self, order: SimOrder, size: Decimal, price: Decimal) -> None:
        """Give a live order another size and price under its id; it is matched and queues again.

        What has executed stays; an order of no more than that ends.
        """
        order.size, order.price, order.updated_ns = size, price, self.clock.now_ns()
        if order.status is OrderStatus.PENDING:
            return  # not in the book yet
        piece = self._resting.pop(order.order_id, None)
        if piece is not None:
            self.boards[order.symbol].engine.remove(piece)
        if order.remaining > 0:
            self._enter(order)
        else:
            self._end(order, OrderStatus.CANCELED, "client")

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

    def _take_in(self, order: SimOrder) -> None:
        """It has an id and a time from now on, whatever becomes of it."""
        order.order_id = order.order_id or self._order_ids()
        order.created_ns = order.updated_ns = self.clock.now_ns()
        self.orders[order.order_id] = self.newest = order
        for hook in self.order_hooks:
            hook(order)

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
        return (
            self.halted in ("cancel_only", "market", "down")
            or (self.halted == "post_only" and not order.post_only)
            or (self.halted == "reduce_only" and not order.reduce_only)
        )

    def _outside_band(self, order: SimOrder) -> bool:
        band, mark = self.markets[order.symbol].band, self.mark(order.symbol)
        if band is None or order.price is None or not mark:
            return False
        away = order.price / mark - 1
        return away > band if order.side == "buy" else away < -band

    def _affordable(self, order: SimOrder) -> bool:
        market = self.markets[order.symbol]
        if market.kind == "spot" and order.side == "sell":
            coins = self.accounts[order.account].coins.get(market.coin, ZERO)
            return coins >= order.size
        needed = self._order_margin(order)
        return not needed or needed <= self.free(order.account)

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
        fee = self.fee_of(order, price * size, liquidity)
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

    def fee_of(self, order: SimOrder, notional: Decimal, liquidity: Liquidity) -> Decimal:
        """What an execution costs, in quote currency."""
        return self.fees.fee(notional, liquidity)

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

    # ---------------------------------------------------------------- what nobody asked for

    def liquidate(self, account: str, symbol: str, size: Decimal | None = None) -> None:
        """Close a position, or `size` of it, at the mark."""
        self._close_by_force(account, symbol, size, "liquidation")

    def drop_order(self, order: SimOrder) -> None:
        """An order vanishes without a report."""
        piece = self._resting.pop(order.order_id, None)
        if piece is not None:
            self.boards[order.symbol].engine.remove(piece)
        self._live[order.account].pop(order.order_id, None)
        order.status, order.reason = OrderStatus.EXPIRED, "dropped"

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

"""The truth of one simulated venue: what really happened to every order of every account.

A venue module asks it to `place` and `cancel`, reads it, and hears its events; a market source
drives its outside book. Everything happens at once and in order; waiting is the server's.
Faults reach the truth in two ways: the methods here act at once, and a `Twist` bends the next
command.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from mpdex.sim.board import Board, BookFeed, Quote
from mpdex.sim.exchange_core import ExchangeCore
from mpdex.sim.exchange_state import Twist
from mpdex.sim.records import (
    BookChanged,
    Halt,
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
from mpdex.types import Side

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


class SimExchange(ExchangeCore):
    """One venue's truth.

    The constructor and the readings are `ExchangeState`'s, `place` and `cancel` are
    `ExchangeCore`'s; the methods here are what befalls a venue: faults, and its owner's hand.
    """

    def fill(self, order: SimOrder, size: Decimal) -> SimFill | None:
        """Somebody trades with this order now, at its price, whatever its place in the queue.

        An order that has ended is filled all the same: a late fill is one that the venue had
        matched before it acknowledged the end. What is more than the order's own size is filled,
        too: a venue that overfills.

        Returns: the execution; None where nothing was left.
        """
        before = len(self._fills[order.account])
        board = self.boards[order.symbol]
        size = board.size(board.lots(size))  # nobody trades parts of a lot
        surplus = size - order.size
        size = min(size, order.remaining)
        piece = self._resting.get(order.order_id)
        if piece is not None:
            board.engine.hit(piece, board.lots(size))
        elif size > 0:
            self._execute(order, self._price_or_mark(order), size, "maker")
        if surplus > 0:
            self._execute(order, self._price_or_mark(order), surplus, "maker")
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

    def set_leverage(self, account: str, symbol: str, leverage: Decimal) -> None:
        """Set an account's leverage in a market (clients reach it through the venue module)."""
        if self.twist.keep_leverage:
            return
        self.accounts[account].leverage[symbol] = leverage
        self._moved(account, symbol)

    def change_market(self, symbol: str, **fields: Any) -> None:
        """The venue changes facts of a market (tick, step, minimums) while it trades.

        A new grid ends what rests on the old one.
        """
        market = replace(self.markets[symbol], **fields)
        board = self.boards[symbol]
        if {"tick", "step"} & fields.keys():
            for account in self.accounts:
                self.cancel_all(account, symbol, reason="market")
            board.engine.set_book({}, {})
        self.markets[symbol] = self.ledger.markets[symbol] = market
        board.adopt(market)
        self._reapply(board)

    def _chosen(self, symbol: str | None) -> list[Board]:
        return list(self.boards.values()) if symbol is None else [self.boards[symbol]]

    def _reapply(self, board: Board) -> None:
        board.apply(board.last)
        self._remark(board, self.clock.now_ns())

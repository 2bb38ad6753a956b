"""Paper orders on live books: what `--mode dry` trades on.

Nothing is sent. A taker order is filled from the book as it is, level by level; a resting order is
filled, whole and at its own price, when the other side of the book reaches it. That is pessimistic
(no queue, no trade at our price counts), so a dry run shows at least what a live one would do.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from itertools import count
from typing import Any

from mpdex.errors import OrderNotFound, PostOnlyWouldCross
from mpdex.types import (
    CancelRequest,
    Collateral,
    Fees,
    Fill,
    FundingRate,
    Lane,
    LeverageInfo,
    Liquidity,
    Market,
    Number,
    Order,
    OrderBook,
    OrderRequest,
    OrderStatus,
    Position,
    PositionUpdate,
    TimeInForce,
    Topic,
    VenueSpec,
)
from mpdex.utils.feeds import PRIVATE, Stop
from mpdex.utils.orderbook import Book
from multi_perp_dex import Exchange

ZERO = Decimal(0)


class PaperVenue:
    """An exchange object whose data is live and whose orders exist here only.

    Args:
        dex: whose books are read.
        fees: rates to book; None where the account's own are not known.
    """

    def __init__(self, dex: Exchange, fees: Fees | None) -> None:
        self._dex = dex
        self._fees = fees
        self._ids = count(1)
        self._orders: dict[str, Order] = {}  # by client id
        self._resting: dict[str, Order] = {}
        self._fills: list[Fill] = []
        self._positions: dict[str, Decimal] = defaultdict(Decimal)
        self._entries: dict[str, Decimal] = defaultdict(Decimal)
        self._watched: dict[str, Stop] = {}
        self._on_fills: list[tuple[str, Callable[[Fill], None]]] = []
        self._on_orders: list[tuple[str, Callable[[Order], None]]] = []
        self._on_positions: list[tuple[str, Callable[[PositionUpdate], None]]] = []

    # ----------------------------------------------------------------- the live part

    @property
    def SPEC(self) -> VenueSpec:
        return self._dex.SPEC

    @property
    def rest_counts(self) -> Counter[tuple[str, str]]:
        return self._dex.rest_counts

    @property
    def ws_supported(self) -> dict[str, bool]:
        return {"get_position": False}

    @property
    def can_fence(self) -> bool:
        """An order on paper is never in doubt."""
        return False

    @property
    def stream_channels(self) -> frozenset[str]:
        return frozenset({"book", "orders", "fills", "positions"})

    @property
    def account_id(self) -> str:
        return f"paper-{self._dex.account_id}"

    @property
    def session_expires_ms(self) -> int | None:
        return self._dex.session_expires_ms

    def owns(self, client_id: str | None) -> bool:
        return client_id in self._orders

    def decode_reason(self, reason: str) -> type[Exception] | None:
        """Nothing is refused here after it was taken."""
        return None

    async def warm(self) -> None:
        """Paper needs no connection."""

    async def freshen(self) -> None:
        await self._dex.freshen()

    @property
    def streams_end_at(self) -> float | None:
        """Paper has no account stream."""
        return None

    def renew_streams(self, reason: str) -> bool:
        return False

    async def find_symbol(self, coin: str) -> str:
        return await self._dex.find_symbol(coin)

    async def get_market(self, symbol: str) -> Market:
        return await self._dex.get_market(symbol)

    async def get_funding_rate(self, symbol: str) -> FundingRate:
        return await self._dex.get_funding_rate(symbol)

    async def get_clock_skew(self) -> float:
        return await self._dex.get_clock_skew()

    async def get_collateral(self) -> Collateral:
        """The account's own, which paper trades do not move."""
        return await self._dex.get_collateral()

    async def get_leverage_info(self, symbol: str) -> LeverageInfo:
        return await self._dex.get_leverage_info(symbol)

    async def update_leverage(self, symbol: str, leverage: Number) -> LeverageInfo:
        """Changes nothing: the account is not the paper's."""
        return await self.get_leverage_info(symbol)

    async def get_fees(self, symbol: str) -> Fees:
        """The account's own, or else the rates that are booked here."""
        if self._fees is None:
            return await self._dex.get_fees(symbol)
        return Fees(**{**self._fees, "symbol": symbol})

    def prove_signing(self, symbol: str, price: Decimal) -> None:
        """Nothing is signed on paper, but a live run with these keys would be."""
        if not self._dex.read_only:
            self._dex.prove_signing(symbol, price)

    async def get_orderbook(self, symbol: str, depth: int = 10) -> OrderBook:
        return await self._dex.get_orderbook(symbol, depth)

    def size_book(self, symbol: str, size: Number) -> None:
        self._dex.size_book(symbol, size)

    async def start_streams(self, topics: Sequence[Topic]) -> None:
        """Subscribes to the public ones; the private ones are ours."""
        await self._dex.start_streams([t for t in topics if t.channel not in PRIVATE])

    def book(self, symbol: str) -> Book:
        return self._dex.book(symbol)

    def on_orderbook(self, symbol: str, callback: Callable[[Book], None]) -> Stop:
        return self._dex.on_orderbook(symbol, callback)

    def on_gap(self, symbol: str, callback: Callable[[Book], None]) -> Stop:
        return self._dex.on_gap(symbol, callback)

    def on_stream(self, callback: Callable[[Any], None]) -> Stop:
        return self._dex.on_stream(callback)

    async def fence_order(self, symbol: str, client_order_id: str) -> bool:
        return self._find(None, client_order_id) is None

    async def schedule_cancel(self, seconds: Number | None) -> None:
        """Paper vanishes with the program that holds it."""

    async def get_requests_left(self) -> int | None:
        """Orders on paper cost no requests."""
        return None

    def new_client_id(self) -> str:
        return self._dex.new_client_id()

    # ----------------------------------------------------------------- the paper part

    def on_fills(self, callback: Callable[[Fill], None], symbol: str = "") -> Stop:
        return _subscribe(self._on_fills, symbol, callback)

    def on_orders(self, callback: Callable[[Order], None], symbol: str = "") -> Stop:
        return _subscribe(self._on_orders, symbol, callback)

    def on_positions(self, callback: Callable[[PositionUpdate], None], symbol: str = "") -> Stop:
        return _subscribe(self._on_positions, symbol, callback)

    def submit_order(
        self, order: OrderRequest, *, lane: Lane = Lane.QUOTE
    ) -> Coroutine[Any, Any, Order]:
        """Takes what the book offers now, or rests. Events follow in the loop's next turn."""
        if order.symbol not in self._watched:
            self._watched[order.symbol] = self.on_orderbook(order.symbol, self._match)
        paper = self._new(order)
        levels = self._crossed(paper)
        if order.post_only and levels:
            return _refused(PostOnlyWouldCross("would cross", venue=self.SPEC.name))
        self._orders[order.client_id] = paper
        for price, size in levels:
            self._fill(paper, price, min(size, paper["size"] - paper["filled"]), "taker")
        if paper["status"] is OrderStatus.OPEN and paper["time_in_force"] is not TimeInForce.GTC:
            self._end(paper, OrderStatus.EXPIRED)
        elif paper["status"] is OrderStatus.OPEN:
            self._resting[order.client_id] = paper
            self._soon(self._on_orders, order.symbol, paper.copy())
        return _answered(paper)

    def submit_cancel(self, cancel: CancelRequest) -> Coroutine[Any, Any, Order | None]:
        order = self._find(cancel.order_id, cancel.client_id)
        if order is None or order["status"].terminal:
            return _refused(OrderNotFound("not open", venue=self.SPEC.name))
        self._end(order, OrderStatus.CANCELED)
        return _answered(order)

    async def cancel_orders(
        self, symbol: str, open_orders: Sequence[Order] | None = None
    ) -> list[Order]:
        """Ends the given orders, or all of one market."""
        wanted = await self.get_open_orders(symbol) if open_orders is None else open_orders
        resting = (self._resting.get(order["client_order_id"] or "") for order in wanted)
        ended = [order for order in resting if order is not None]
        for order in ended:
            self._end(order, OrderStatus.CANCELED)
        return ended

    async def get_order(
        self, symbol: str, order_id: str | None = None, *, client_order_id: str | None = None
    ) -> Order:
        order = self._find(order_id, client_order_id)
        if order is None:
            raise OrderNotFound(f"no paper order on {symbol}", venue=self.SPEC.name)
        return order.copy()

    async def get_open_orders(self, symbol: str | None = None) -> list[Order]:
        return [
            order.copy() for order in self._resting.values() if symbol in (None, order["symbol"])
        ]

    read_open_orders = get_open_orders

    async def get_fills(self, symbol: str | None = None, since: int = 0) -> list[Fill]:
        return [
            fill
            for fill in self._fills
            if fill["timestamp_ms"] >= since and symbol in (None, fill["symbol"])
        ]

    async def load_markets(self) -> None:
        """Market facts are the venue's."""
        await self._dex.load_markets()

    async def get_position(self, symbol: str) -> Position | None:
        return next((p for p in await self.get_positions() if p["symbol"] == symbol), None)

    async def get_positions(self) -> list[Position]:
        return [self._position(symbol, size) for symbol, size in self._positions.items() if size]

    # ----------------------------------------------------------------- matching

    def _match(self, book: Book) -> None:
        for order in tuple(self._resting.values()):
            price = order["price"]
            if order["symbol"] == book.symbol and price is not None and self._crossed(order):
                self._fill(order, price, order["size"] - order["filled"], "maker")

    def _crossed(self, order: Order) -> list[tuple[Decimal, Decimal]]:
        """Levels of the other side that the order reaches, as far as it needs them."""
        book = self.book(order["symbol"])
        if book.stale:
            return []
        levels = book.levels(100)["asks" if order["side"] == "buy" else "bids"]
        rest, found = order["size"] - order["filled"], []
        for price, size in levels:
            if rest <= 0 or not _reaches(order, price):
                break
            found.append((price, size))
            rest -= size
        return found

    def _fill(self, order: Order, price: Decimal, size: Decimal, liquidity: Liquidity) -> None:
        rate = self._fees and self._fees["maker" if liquidity == "maker" else "taker"]
        symbol, now_ms = order["symbol"], self._dex.clock.now_ms()
        fill = Fill(
            id=str(next(self._ids)),
            order_id=order["id"],
            client_order_id=order["client_order_id"],
            symbol=symbol,
            side=order["side"],
            price=price,
            size=size,
            fee=None if rate is None else price * size * rate,
            fee_asset="",
            liquidity=liquidity,
            timestamp_ms=now_ms,
            raw=None,
        )
        self._fills.append(fill)
        signed = size if order["side"] == "buy" else -size
        self._hold(symbol, signed, price)
        paid = (order["average_price"] or ZERO) * order["filled"] + price * size
        order["filled"] += size
        order["average_price"] = paid / order["filled"]
        self._soon(self._on_fills, symbol, fill)
        self._tell_position(symbol, now_ms)
        if order["filled"] == order["size"]:
            self._end(order, OrderStatus.FILLED)

    def _hold(self, symbol: str, signed: Decimal, price: Decimal) -> None:
        """What grows a position moves its entry price; what closes it does not."""
        held, entry = self._positions[symbol], self._entries[symbol]
        now = held + signed
        if held * signed >= 0:
            self._entries[symbol] = (entry * held + price * signed) / now
        elif held * now < 0:
            self._entries[symbol] = price
        self._positions[symbol] = now

    def _end(self, order: Order, status: OrderStatus) -> None:
        order["status"] = status
        self._resting.pop(order["client_order_id"] or "", None)
        self._soon(self._on_orders, order["symbol"], order.copy())

    def _tell_position(self, symbol: str, now_ms: int) -> None:
        size = self._positions[symbol]
        position = self._position(symbol, size) if size else None
        self._soon(self._on_positions, symbol, PositionUpdate(symbol, size, position, now_ms))

    def _soon(
        self, wanted: list[tuple[str, Callable[[Any], None]]], symbol: str, item: Any
    ) -> None:
        loop = asyncio.get_running_loop()
        for only, callback in wanted:
            if only in ("", symbol):
                loop.call_soon(callback, item)

    def _find(self, order_id: str | None, client_id: str | None) -> Order | None:
        if client_id:
            return self._orders.get(client_id)
        return next((o for o in self._orders.values() if o["id"] == order_id), None)

    def _new(self, order: OrderRequest) -> Order:
        return Order(
            id=f"paper-{next(self._ids)}",
            client_order_id=order.client_id,
            symbol=order.symbol,
            side=order.side,
            type="market" if order.price is None else "limit",
            price=order.price,
            size=order.size,
            filled=ZERO,
            average_price=None,
            status=OrderStatus.OPEN,
            time_in_force=order.time_in_force,
            post_only=order.post_only,
            reduce_only=order.reduce_only,
            reason="",
            timestamp_ms=self._dex.clock.now_ms(),
            raw=None,
        )

    def _position(self, symbol: str, size: Decimal) -> Position:
        return Position(
            symbol=symbol,
            side="long" if size > 0 else "short",
            size=abs(size),
            entry_price=self._entries[symbol],
            mark_price=None,
            unrealized_pnl=None,
            liquidation_price=None,
            leverage=None,
            raw=None,
        )


def _reaches(order: Order, price: Decimal) -> bool:
    limit = order["price"]
    if limit is None:
        return True
    return price <= limit if order["side"] == "buy" else price >= limit


def _subscribe(
    wanted: list[tuple[str, Callable[[Any], None]]], symbol: str, callback: Callable[[Any], None]
) -> Stop:
    entry = (symbol, callback)
    wanted.append(entry)
    return lambda: wanted.remove(entry)


async def _answered(order: Order) -> Order:
    return order.copy()


async def _refused(error: Exception) -> Any:
    raise error

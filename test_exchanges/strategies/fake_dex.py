"""A venue in memory with the verbs the hedge uses, and a script for what goes wrong.

Truth (orders, fills, positions) and report (answers, callbacks) are apart: a fault sits between
the two. Everything is late by `latency`, on the loop's own clock.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mpdex.errors import (
    MpdexError,
    OrderNotFound,
    OutcomeUnknown,
    TransportError,
    UnknownSymbol,
    UsageError,
    VenueError,
)
from mpdex.types import (
    BookUpdate,
    CancelRequest,
    Collateral,
    Fees,
    Fill,
    FundingRate,
    Lane,
    LeverageInfo,
    Market,
    Number,
    Order,
    OrderBook,
    OrderRequest,
    OrderStatus,
    Position,
    PositionUpdate,
    StreamDown,
    StreamUp,
    Topic,
    VenueSpec,
)
from mpdex.utils.clock import Clock
from mpdex.utils.orderbook import Book

D = Decimal
ZERO, MAKER_FEE, TAKER_FEE = D(0), D("-0.0001"), D("0.0005")
WEALTH, LEVERAGE = D(100_000), D(10)
FAR = D("0.01")


def market(symbol: str = "ETH-PERP", **changes: Any) -> Market:
    facts: dict[str, Any] = {
        "symbol": symbol,
        "coin": "ETH",
        "quote": "USD",
        "kind": "perp",
        "tick": D("0.01"),
        "step": D("0.01"),
        "min_size": D("0.01"),
        "min_notional": None,
        "max_size": None,
        "multiplier": D(1),
        "max_leverage": None,
        "significant_figures": None,
        "price_band": None,
        "active": True,
        "raw": None,
    }
    return Market(**{**facts, **changes})  # type: ignore[typeddict-item]


def whole_market(symbol: str) -> Market:
    """One that trades whole coins, for stories told in small numbers."""
    return market(symbol, coin="X", step=D(1), min_size=D(1))


@dataclass
class Plan:
    """What happens to one placement.

    Attributes:
        land: the request arrives. lands_late: seconds on top.
        answer: the acknowledgement arrives.
        error: refused with this.
        fill: executed size of a taker; None: all of it.
        report: fills and order reports are streamed.
    """

    land: bool = True
    lands_late: float = 0.0
    answer: bool = True
    error: MpdexError | None = None
    fill: Decimal | None = None
    report: bool = True


@dataclass
class Truth:
    request: OrderRequest
    id: str
    filled: Decimal = ZERO
    status: OrderStatus = OrderStatus.OPEN
    report: bool = True


@dataclass
class FakeDex:
    name: str
    clock: Clock
    route: str = "ws"
    market: Market = field(default_factory=market)
    latency: float = 0.02
    bound_ms: int | None = 2000
    maker_fee: Decimal = MAKER_FEE
    taker_fee: Decimal = TAKER_FEE
    plans: list[Plan] = field(default_factory=list)
    auto_fill: Callable[[OrderRequest], Sequence[tuple[float, Decimal]]] | None = None
    cancel_lost: int = 0
    can_read: bool = True
    equity: Decimal = WEALTH
    free: Decimal = WEALTH
    leverage: Decimal | None = LEVERAGE
    liquidation: Decimal | None = None
    position_mode: str | None = "one-way"
    funding: Decimal = ZERO
    funding_due_ms: int | None = None
    skew_ms: float = 0.0
    session_expires_ms: int | None = None
    streams_end_at: float | None = None
    unsignable: str = ""
    can_fence: bool = False
    requests_left: int | None = None
    switch_refused: str = ""
    stream_channels: frozenset[str] = frozenset({"book", "orders", "fills", "positions"})
    stubborn: bool = False  # says yes to a leverage, and keeps its own
    spec: dict[str, Any] = field(default_factory=dict)
    on_execution: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.SPEC = VenueSpec(
            name=self.name,
            endpoints={},
            credentials=(),
            supports=frozenset({"post_only", "ioc", "reduce_only"}),
            order_route=self.route,  # type: ignore[arg-type]
            request_bound_ms=self.bound_ms,
            **self.spec,
        )
        self.rest_counts: Counter[tuple[str, str]] = Counter()
        self.warmed = 0
        self.freshened = 0
        self.renewals: list[str] = []
        self.switch: list[Number | None] = []
        self.book_sizes: dict[str, Number] = {}
        self.orders: dict[str, Truth] = {}
        self.fills: list[Fill] = []
        self.position = D(0)
        self.max_live = 0
        self.sent: list[OrderRequest] = []
        self._ids = itertools.count(1)
        self._books: dict[str, Book] = {}
        self._callbacks: dict[str, list[Callable[[Any], None]]] = defaultdict(list)
        self._sequence = itertools.count(1)
        self.quote("2000.00", "2000.05")

    # ----------------------------------------------------------------- the test's hand

    def quote(self, bid: str, ask: str, size: str = "50") -> None:
        book = self._books.setdefault(self.market["symbol"], Book(self.market["symbol"]))
        number = next(self._sequence)
        book.apply(
            BookUpdate(book.symbol, [(bid, size)], [(ask, size)], number, number, True, None)
        )
        self._tell("book", book)

    def beat(self, seconds: float = 0.5) -> None:
        """The book is said again and again, as on a live venue."""
        self._tell("book", self._books[self.market["symbol"]])
        asyncio.get_running_loop().call_later(seconds, self.beat, seconds)

    def drop(self, reason: str = "test") -> None:
        self._tell("stream", StreamDown(reason))

    def back(self) -> None:
        self._tell("stream", StreamUp(2))

    def live(self) -> list[Truth]:
        return [order for order in self.orders.values() if not order.status.terminal]

    def trade(self, client_id: str, size: Decimal) -> None:
        """Somebody takes our resting order; nothing if it is gone."""
        order = self.orders.get(client_id)
        if order is None or order.status.terminal:
            return
        self._execute(order, min(size, order.request.size - order.filled), "maker")

    # ----------------------------------------------------------------- verbs

    async def freshen(self) -> None:
        self.freshened += 1

    def renew_streams(self, reason: str) -> bool:
        self.renewals.append(reason)
        return False

    async def warm(self) -> None:
        self.warmed += 1

    async def find_symbol(self, coin: str) -> str:
        if coin != self.market["coin"]:
            raise UnknownSymbol(f"no market {coin!r}; nearest: {self.market['symbol']}")
        return self.market["symbol"]

    async def get_market(self, symbol: str) -> Market:
        if symbol != self.market["symbol"]:
            raise UnknownSymbol(f"no market {symbol!r}; nearest: {self.market['symbol']}")
        return self.market

    @property
    def ws_supported(self) -> dict[str, bool]:
        return {"get_position": False}

    @property
    def account_id(self) -> str:
        return f"account-of-{self.name}"

    async def fence_order(self, symbol: str, client_order_id: str) -> bool:
        await self._read("/fence")
        return client_order_id not in self.orders

    async def schedule_cancel(self, seconds: Number | None) -> None:
        await self._read("/switch")
        if self.switch_refused:
            raise VenueError(self.switch_refused, venue=self.name)
        self.switch.append(seconds)

    async def get_requests_left(self) -> int | None:
        return self.requests_left

    def owns(self, client_id: str | None) -> bool:
        return (client_id or "").startswith(self.name)

    def new_client_id(self) -> str:
        return f"{self.name}{next(self._ids)}"

    def book(self, symbol: str) -> Book:
        return self._books[symbol]

    async def get_orderbook(self, symbol: str, depth: int = 10) -> OrderBook:
        await self._read("/book")
        return self._books[symbol].levels(depth)

    def size_book(self, symbol: str, size: Number) -> None:
        self.book_sizes[symbol] = size

    async def start_streams(self, topics: Sequence[Topic]) -> None:
        wanted = {"book", "orders", "fills"} & self.stream_channels
        assert {topic.channel for topic in topics} >= wanted

    def on_orderbook(self, symbol: str, callback: Callable[[Book], None]) -> Callable[[], None]:
        return self._on("book", callback)

    def on_gap(self, symbol: str, callback: Callable[[Book], None]) -> Callable[[], None]:
        return self._on("gap", callback)

    def on_fills(self, callback: Callable[[Fill], None], symbol: str = "") -> Callable[[], None]:
        return self._on("fill", callback)

    def on_orders(self, callback: Callable[[Order], None], symbol: str = "") -> Callable[[], None]:
        return self._on("order", callback)

    def on_positions(
        self, callback: Callable[[PositionUpdate], None], symbol: str = ""
    ) -> Callable[[], None]:
        return self._on("position", callback)

    def on_stream(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        return self._on("stream", callback)

    def submit_order(
        self, order: OrderRequest, *, lane: Lane = Lane.QUOTE
    ) -> Coroutine[Any, Any, Order]:
        self.sent.append(order)
        if self.route == "rest":
            self.rest_counts["POST", "/order"] += 1
        plan = self.plans.pop(0) if self.plans else Plan()
        landed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if plan.error is None and plan.land:
            self._later(self.latency + plan.lands_late, self._land, order, plan, landed)
        return self._answer(order, plan, landed)

    async def _answer(self, order: OrderRequest, plan: Plan, landed: asyncio.Future[None]) -> Order:
        if plan.error is not None:
            await asyncio.sleep(2 * self.latency)
            raise plan.error
        if not plan.answer or not plan.land or plan.lands_late:
            await asyncio.sleep(1)
            raise OutcomeUnknown("no answer", venue=self.name)
        await landed
        await asyncio.sleep(self.latency)
        return self._render(self.orders[order.client_id])

    def submit_cancel(self, cancel: CancelRequest) -> Coroutine[Any, Any, Order | None]:
        if self.route == "rest":
            self.rest_counts["DELETE", "/order"] += 1
        return self._cancel(cancel)

    async def _cancel(self, cancel: CancelRequest) -> Order | None:
        await asyncio.sleep(self.latency)
        if self.cancel_lost:
            self.cancel_lost -= 1
            await asyncio.sleep(1)
            raise OutcomeUnknown("no answer", venue=self.name)
        order = self.orders.get(cancel.client_id)
        if order is None or order.status.terminal:
            await asyncio.sleep(self.latency)
            raise OrderNotFound("not open", venue=self.name)
        order.status = OrderStatus.CANCELED
        self._report("order", order)
        await asyncio.sleep(self.latency)
        return None

    async def get_order(
        self, symbol: str, order_id: str | None = None, *, client_order_id: str | None = None
    ) -> Order:
        await self._read("/order")
        order = self.orders.get(client_order_id or "")
        if order is None:
            raise OrderNotFound("never heard of it", venue=self.name)
        return self._render(order)

    async def get_open_orders(self, symbol: str | None = None) -> list[Order]:
        await self._read("/orders")
        return [self._render(order) for order in self.live()]

    async def read_open_orders(self, symbol: str | None = None) -> list[Order]:
        return await self.get_open_orders(symbol)

    async def get_collateral(self) -> Collateral:
        await self._read("/collateral")
        return Collateral(
            total=self.equity, available=self.free, unrealized_pnl=None, currency="USD", raw=None
        )

    async def get_leverage_info(self, symbol: str) -> LeverageInfo:
        await self._read("/leverage")
        return LeverageInfo(
            symbol=symbol,
            leverage=self.leverage,
            max_leverage=D(50),
            margin_mode="cross",
            position_mode=self.position_mode,  # type: ignore[typeddict-item]
            raw=None,
        )

    async def update_leverage(self, symbol: str, leverage: Number) -> LeverageInfo:
        if not self.stubborn:
            self.leverage = Decimal(leverage)
        return await self.get_leverage_info(symbol)

    async def get_funding_rate(self, symbol: str) -> FundingRate:
        await self._read("/funding")
        return FundingRate(
            symbol=symbol,
            rate=self.funding,
            interval_hours=D(8),
            next_funding_ms=self.funding_due_ms,
            raw=None,
        )

    async def get_clock_skew(self) -> float:
        await self._read("/time")
        return self.skew_ms

    async def get_fees(self, symbol: str) -> Fees:
        await self._read("/fees")
        return Fees(
            symbol=symbol, maker=self.maker_fee, taker=self.taker_fee, assumed=False, raw=None
        )

    def prove_signing(self, symbol: str, price: Decimal) -> None:
        if self.unsignable:
            raise UsageError(f"a {self.unsignable} order cannot be signed", venue=self.name)

    async def get_fills(self, symbol: str | None = None, since: int = 0) -> list[Fill]:
        await self._read("/fills")
        return [fill for fill in self.fills if fill["timestamp_ms"] >= since]

    async def load_markets(self) -> None:
        await self._read("/markets")

    async def get_position(self, symbol: str) -> Position | None:
        return next((p for p in await self.get_positions() if p["symbol"] == symbol), None)

    async def get_positions(self) -> list[Position]:
        await self._read("/positions")
        if not self.position:
            return []
        return [
            Position(
                symbol=self.market["symbol"],
                side="long" if self.position > 0 else "short",
                size=abs(self.position),
                entry_price=D(2000),
                mark_price=None,
                unrealized_pnl=None,
                liquidation_price=self.liquidation,
                leverage=None,
                raw=None,
            )
        ]

    async def _read(self, path: str) -> None:
        self.rest_counts["GET", path] += 1
        await asyncio.sleep(2 * self.latency)
        if not self.can_read:
            raise TransportError("cannot be reached", venue=self.name)

    # ----------------------------------------------------------------- truth

    def _land(self, request: OrderRequest, plan: Plan, landed: asyncio.Future[None]) -> None:
        order = Truth(request, id=f"o{len(self.orders) + 1}", report=plan.report)
        self.orders[request.client_id] = order
        if request.post_only:
            self.max_live = max(self.max_live, len([o for o in self.live() if o.request.post_only]))
            self._report("order", order)
            takers = self.auto_fill(request) if self.auto_fill and self._near(request) else ()
            for delay, size in takers:
                self._later(delay, self.trade, request.client_id, size)
        else:
            size = request.size if plan.fill is None else min(plan.fill, request.size)
            if size and self._near(request):
                self._execute(order, size, "taker")
            if not order.status.terminal:
                order.status = OrderStatus.CANCELED
                self._report("order", order)
        if not landed.done():
            landed.set_result(None)

    def _near(self, request: OrderRequest) -> bool:
        """Whether anybody would trade with it; a canary's price nobody would."""
        bbo = self._books[request.symbol].bbo()
        assert request.price is not None
        assert bbo["bid"] is not None
        away = request.price / bbo["bid"] - 1
        return (away if request.side == "buy" else -away) > -FAR

    def _execute(self, order: Truth, size: Decimal, liquidity: Any) -> None:
        request = order.request
        order.filled += size
        if order.filled == request.size:
            order.status = OrderStatus.FILLED
        self.position += size if request.side == "buy" else -size
        self.on_execution()
        price = self._price(request, liquidity)
        rate = self.maker_fee if liquidity == "maker" else self.taker_fee
        fill = Fill(
            id=f"t{len(self.fills) + 1}",
            order_id=order.id,
            client_order_id=request.client_id,
            symbol=request.symbol,
            side=request.side,
            price=price,
            size=size,
            fee=price * size * rate,
            fee_asset="USD",
            liquidity=liquidity,
            timestamp_ms=self.clock.now_ms(),
            raw=None,
        )
        self.fills.append(fill)
        if order.report:
            self._later(self.latency, self._tell, "fill", fill)
            update = PositionUpdate(request.symbol, self.position, None, fill["timestamp_ms"])
            self._later(self.latency, self._tell, "position", update)
        self._report("order", order)

    def _price(self, request: OrderRequest, liquidity: str) -> Decimal:
        assert request.price is not None
        if liquidity == "maker":
            return request.price
        bbo = self._books[request.symbol].bbo()
        best = bbo["ask"] if request.side == "buy" else bbo["bid"]
        assert best is not None
        return best

    # ----------------------------------------------------------------- report

    def _render(self, order: Truth) -> Order:
        request = order.request
        return Order(
            id=order.id,
            client_order_id=request.client_id,
            symbol=request.symbol,
            side=request.side,
            type="limit",
            price=request.price,
            size=request.size,
            filled=order.filled,
            average_price=None,
            status=order.status,
            time_in_force=request.time_in_force,
            post_only=request.post_only,
            reduce_only=request.reduce_only,
            reason="",
            timestamp_ms=self.clock.now_ms(),
            raw=None,
        )

    def _report(self, kind: str, order: Truth) -> None:
        if order.report:
            self._later(self.latency, self._tell, kind, self._render(order))

    def _on(self, kind: str, callback: Callable[[Any], None]) -> Callable[[], None]:
        self._callbacks[kind].append(callback)
        return lambda: self._callbacks[kind].remove(callback)

    def _tell(self, kind: str, item: object) -> None:
        for callback in tuple(self._callbacks[kind]):
            callback(item)

    def _later(self, seconds: float, call: Callable[..., None], *args: Any) -> None:
        asyncio.get_running_loop().call_later(seconds, call, *args)

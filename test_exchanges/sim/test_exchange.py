"""The truth of a venue: what becomes of orders, and who is told."""

from __future__ import annotations

import asyncio
from decimal import Decimal as D
from typing import Any

import pytest

from mpdex.sim.exchange import (
    BookChanged,
    MarkChanged,
    OrderChanged,
    PositionChanged,
    PublicTrade,
    Quote,
    SimExchange,
    SimMarket,
    SimOrder,
    Traded,
    Twist,
)
from mpdex.sim.models import FeeModel, LatencyModel
from mpdex.types import OrderStatus, TimeInForce
from mpdex.utils.virtual_loop import run_virtual

U = 10**8
ETH = SimMarket(
    symbol="ETH",
    coin="ETH",
    quote="USD",
    tick=D("0.5"),
    step=D("0.1"),
    min_size=D("0.1"),
    min_notional=D(10),
    max_size=D(1000),
    band=D("0.05"),
)
SPOT = SimMarket(
    symbol="SPOT",
    coin="ETH",
    quote="USD",
    tick=D("0.5"),
    step=D("0.1"),
    min_size=D("0.1"),
    kind="spot",
)


class HandClock:
    def __init__(self) -> None:
        self.ns = 10**18

    def monotonic(self) -> float:
        return self.ns / 1e9

    def now_ns(self) -> int:
        return self.ns

    def now_ms(self) -> int:
        return self.ns // 10**6


class World:
    def __init__(self, **kwargs: Any) -> None:
        self.clock = HandClock()
        self.exchange = SimExchange(
            "toy",
            clock=self.clock,
            markets=[ETH, SPOT],
            fees=FeeModel(D("0.0001"), D("0.0005")),
            **kwargs,
        )
        self.exchange.add_account("a", D(10_000))
        self.exchange.add_account("b", D(10_000))
        self.events: list[Any] = []
        self.exchange.listen(self.events.append)
        self.quote([(100, 2), (99, 5)], [(101, 2), (102, 5)])
        self.exchange.on_quote("SPOT", _quote([(100, 2)], [(101, 2)]))
        self.events.clear()

    def quote(self, bids: list[tuple[float, float]], asks: list[tuple[float, float]]) -> None:
        self.exchange.on_quote("ETH", _quote(bids, asks))

    def trade(self, price: float, size: float, taker: str) -> None:
        self.exchange.on_trade("ETH", int(price * U), int(size * U), taker)

    def order(self, side: str, size: str, price: str | None, **kwargs: Any) -> SimOrder:
        kwargs = {"account": "a", "symbol": "ETH", **kwargs}
        order = SimOrder(side=side, size=D(size), price=D(price) if price else None, **kwargs)
        return self.exchange.place(order)

    def said(self) -> list[str]:
        return [e.cause if isinstance(e, OrderChanged) else type(e).__name__ for e in self.events]


def _quote(bids: list[tuple[float, float]], asks: list[tuple[float, float]]) -> Quote:
    return Quote(
        [(int(p * U), int(q * U)) for p, q in bids],
        [(int(p * U), int(q * U)) for p, q in asks],
        True,
    )


@pytest.fixture
def world() -> World:
    return World()


def test_a_maker_rests_and_fills(world: World) -> None:
    order = world.order("buy", "1", "100", post_only=True, client_id="7")
    assert order.status is OrderStatus.OPEN
    assert world.exchange.order("a", client_id="7") is order
    world.trade(100, 2.4, "sell")
    assert (order.filled, order.status) == (D("0.4"), OrderStatus.OPEN)
    world.trade(100, 5, "sell")
    assert order.status is OrderStatus.FILLED
    assert [f.liquidity for f in world.exchange.fills("a")] == ["maker", "maker"]
    assert world.exchange.position("a", "ETH").size == D(1)
    assert world.exchange.accounts["a"].fees == D("0.01")
    assert world.exchange.open_orders("a") == []


def test_events_come_in_order(world: World) -> None:
    world.order("buy", "3", "101")
    assert world.said() == [
        "accepted",
        "PositionChanged",
        "Traded",
        "filled",
        "PublicTrade",
    ]
    assert isinstance(world.events[2], Traded)
    assert isinstance(world.events[1], PositionChanged)
    assert world.events[1].position.size == D(2)
    assert isinstance(world.events[4], PublicTrade)


def test_a_crossing_post_only_is_rejected(world: World) -> None:
    order = world.order("buy", "1", "101", post_only=True)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, "post_only")
    assert world.said() == ["rejected"]


def test_ioc_fok_and_market_remainders(world: World) -> None:
    ioc = world.order("buy", "3", "101", tif=TimeInForce.IOC)
    assert (ioc.filled, ioc.status, ioc.reason) == (D(2), OrderStatus.CANCELED, "ioc")
    fok = world.order("sell", "3", "100", tif=TimeInForce.FOK)
    assert (fok.filled, fok.status, fok.reason) == (D(0), OrderStatus.CANCELED, "fok")
    market = world.order("sell", "9", None)
    assert (market.filled, market.reason) == (D(7), "market")
    assert market.average == (D(200) + D(99) * 5) / 7


def test_the_refusals(world: World) -> None:
    assert world.order("buy", "1", "110").reason == "band"
    assert world.order("sell", "1", "94").reason == "band"
    assert world.order("buy", "1", "100", reduce_only=True).reason == "reduce_only"
    assert world.order("buy", "3000", "100").reason == "margin"
    world.exchange.halt("post_only")
    assert world.order("buy", "1", "101").reason == "market"
    assert world.order("buy", "1", "99", post_only=True).status is OrderStatus.OPEN


def test_reduce_only_stops_at_flat(world: World) -> None:
    world.order("buy", "1", "101")
    order = world.order("sell", "1.5", "100", reduce_only=True)
    assert (order.filled, order.reason) == (D(1), "reduce_only")
    assert world.exchange.positions("a") == []


def test_a_resting_reduce_only_order_never_turns_the_position(world: World) -> None:
    world.order("buy", "1", "101")
    closing = world.order("sell", "1", "103", reduce_only=True)
    world.order("sell", "1", "100")
    assert world.exchange.positions("a") == []
    assert (closing.filled, closing.status, closing.reason) == (
        D(0),
        OrderStatus.CANCELED,
        "reduce_only",
    )


def test_two_accounts_trade_and_one_does_not_trade_with_itself(world: World) -> None:
    maker = world.order("sell", "1", "100.5", account="b")
    own = world.order("buy", "0.4", "100.5", account="b")
    assert (own.status, own.reason) == (OrderStatus.CANCELED, "self_trade")
    world.order("buy", "0.4", "100.5")
    assert maker.filled == D("0.4")
    assert world.exchange.position("a", "ETH").size == -world.exchange.position("b", "ETH").size


def test_cancel_and_cancel_all(world: World) -> None:
    first = world.order("buy", "1", "99", client_id="1")
    second = world.order("buy", "1", "98")
    assert world.exchange.cancel("a", client_id="1") is first
    assert (first.status, first.reason) == (OrderStatus.CANCELED, "client")
    assert world.exchange.cancel("a", client_id="1") is None
    assert world.exchange.cancel("b", order_id=second.order_id) is None
    assert world.exchange.cancel_all("a") == [second]
    bids, _, _ = world.exchange.book("ETH")
    assert bids == [(D(100), D(2)), (D(99), D(5))]


def test_orders_expire(world: World) -> None:
    order = world.order("buy", "1", "99", expires_ns=world.clock.ns + 5)
    world.clock.ns += 6
    assert world.exchange.open_orders("a") == []
    assert (order.status, order.reason) == (OrderStatus.EXPIRED, "expired")


def test_open_orders_bind_margin(world: World) -> None:
    before = world.exchange.free("a")
    world.order("buy", "10", "100")
    assert before - world.exchange.free("a") == D(50)
    world.order("buy", "10", "100", reduce_only=False, account="b")
    assert world.exchange.free("b") == D(9950)


def test_liquidation_closes_at_the_mark(world: World) -> None:
    world.quote([(100, 2000)], [(101, 2000)])
    world.order("buy", "900", "101")
    world.clock.ns += 2 * 10**9
    world.quote([(80, 2000)], [(81, 2000)])
    assert world.exchange.positions("a") == []
    assert world.exchange.accounts["a"].liquidated
    assert world.exchange.fills("a")[-1].order.reason == "liquidation"


def test_levels_fall_onto_the_grid(world: World) -> None:
    world.quote([(100.4, 1.04), (100.2, 1.0), (99.9, 1)], [(100.6, 1), (100.9, 2)])
    bids, asks, _ = world.exchange.book("ETH")
    assert bids == [(D("100.0"), D("2.0")), (D("99.5"), D("1.0"))]
    assert asks == [(D("101.0"), D("3.0"))]


def test_prices_of_so_many_figures_only(world: World) -> None:
    world.exchange.change_market("ETH", tick=D("0.01"), significant=5)
    world.quote([(3000.19, 1), (3000.11, 1), (999.87, 1)], [(3000.21, 2), (123456.7, 3)])
    bids, asks, _ = world.exchange.book("ETH")
    assert bids == [(D("3000.1"), D(2)), (D("999.87"), D(1))]
    assert asks == [(D("3000.3"), D(2)), (D(123457), D(3))]
    market = world.exchange.markets["ETH"]
    problems = [market.problem(D(1), D(p)) for p in ("3000.1", "3000.11", "999.87", "123456.7")]
    assert problems == ["", "tick", "", "tick"]


def test_a_book_feed_joins_changes(world: World) -> None:
    feed = world.exchange.book_feed("ETH")
    assert feed.take() is None
    order = world.order("buy", "1", "100.5")
    world.quote([(100, 2)], [(101, 3), (102, 5)])
    change = feed.take()
    assert isinstance(change, BookChanged)
    assert change.bids == [(D("100.5"), D("1.0")), (D("99.0"), D(0))]
    assert change.asks == [(D("101.0"), D("3.0"))]
    assert change.seq == world.exchange.book("ETH")[2]
    world.exchange.cancel("a", order_id=order.order_id)
    later = feed.take()
    assert later is not None
    assert (later.prev_seq, later.bids) == (change.seq, [(D("100.5"), D(0))])
    feed.close()
    world.quote([(90, 2)], [(91, 3)])
    assert feed.take() is None


def test_marks_come_once_a_second(world: World) -> None:
    world.quote([(100, 2)], [(102, 2)])
    assert world.events == []
    world.clock.ns += 10**9
    world.quote([(100, 2)], [(102, 2)])
    assert [type(e) for e in world.events] == [MarkChanged]
    assert world.exchange.mark("ETH") == D(101)


def test_spot_needs_what_it_sells(world: World) -> None:
    assert world.order("sell", "1", "100", symbol="SPOT").reason == "margin"
    world.order("buy", "1", "101", symbol="SPOT")
    assert world.order("sell", "1", "100", symbol="SPOT").status is OrderStatus.FILLED
    assert world.exchange.accounts["a"].coins == {"ETH": D(0)}


def test_truth_faults(world: World) -> None:
    order = world.order("buy", "1", "99")
    assert world.exchange.fill(order, D("0.4")) is not None
    assert order.filled == D("0.4")
    world.exchange.cancel("a", order_id=order.order_id)
    late = world.exchange.fill(order, D("0.3"))
    assert late is not None
    assert (order.filled, order.status) == (D("0.7"), OrderStatus.CANCELED)
    world.exchange.manual_trade("a", "ETH", D("-0.2"))
    world.exchange.adl("a", "ETH", D("0.1"))
    assert world.exchange.position("a", "ETH").size == D("0.4")
    world.exchange.liquidate("a", "ETH")
    assert world.exchange.positions("a") == []
    world.exchange.thin(D("0.5"), "sell")
    assert world.exchange.book("ETH")[1] == [(D("101.0"), D("0.5"))]
    world.exchange.thin(None)
    world.exchange.move(D(100))
    assert world.exchange.best("ETH") == (D("101.0"), D("102.5"))
    world.exchange.fund(D("0.001"))
    assert world.exchange.funding_rate("ETH") == D("0.001")


def test_a_dropped_order_is_gone_without_a_word(world: World) -> None:
    order = world.order("buy", "1", "99")
    world.events.clear()
    world.exchange.drop_order(order)
    assert (world.events, world.exchange.open_orders("a")) == ([], [])


def test_twists(world: World) -> None:
    world.exchange.twist = Twist(fields={"post_only": False})
    assert world.order("buy", "1", "101", post_only=True).status is OrderStatus.FILLED
    world.exchange.twist = Twist(lose_order=True)
    world.order("buy", "1", "99")
    assert world.exchange.open_orders("a") == []
    world.exchange.twist = Twist()
    kept = world.order("buy", "1", "99")
    world.exchange.twist = Twist(keep_on_cancel=True)
    assert world.exchange.cancel("a", order_id=kept.order_id) is kept
    assert kept.live


def test_positions_as_they_were(world: World) -> None:
    world.clock.ns += 100
    world.order("buy", "1", "101")
    world.exchange.twist = Twist(as_of_ns=world.clock.ns - 1)
    assert world.exchange.positions("a") == []
    world.exchange.twist = Twist(as_of_ns=world.clock.ns)
    assert world.exchange.position("a", "ETH").size == D(1)


def test_a_taker_waits_for_its_delay_and_fates_come_late() -> None:
    async def story() -> None:
        world = World(latency=LatencyModel(taker_delay=0.025))
        order = world.order("buy", "1", "101")
        assert order.status is OrderStatus.PENDING
        await asyncio.sleep(0.03)
        assert order.status is OrderStatus.FILLED
        world.exchange.twist = Twist(fate=(OrderStatus.REJECTED, 0.3))
        doomed = world.order("buy", "1", "99")
        assert doomed.live
        await asyncio.sleep(0.31)
        assert doomed.status is OrderStatus.REJECTED
        world.order("buy", "1", "101")
        world.exchange.close()

    run_virtual(story())


def test_held_back_reports() -> None:
    async def story() -> None:
        world = World()
        order = world.order("buy", "1", "99")
        world.events.clear()
        world.exchange.report_delay = 6.0
        world.exchange.fill(order, D(1))
        world.exchange.report_delay = 0.0
        assert world.events == []
        assert world.exchange.position("a", "ETH").size == D(1)
        await asyncio.sleep(6.1)
        assert world.said() == ["PositionChanged", "Traded", "filled"]

    run_virtual(story())


@pytest.mark.parametrize(
    ("size", "price", "problem"),
    [
        ("0.1", "100", ""),
        ("0.05", "100", "size"),
        ("1001", "100", "max_size"),
        ("0.15", "100", "step"),
        ("1", "-1", "price"),
        ("1", "100.25", "tick"),
        ("0.1", "50", "notional"),
        ("0.1", None, ""),
    ],
)
def test_the_grid(size: str, price: str | None, problem: str) -> None:
    assert ETH.problem(D(size), D(price) if price else None) == problem

"""The hedge of a fill that follows another closely: nothing of the first one holds it back."""

from __future__ import annotations

import itertools
from decimal import Decimal

from mpdex.types import Fill, Order, OrderRequest, OrderStatus, TimeInForce
from strategies.config import HedgeConfig
from strategies.desk import Desk
from strategies.hedge_core import step
from strategies.setup import Setup
from strategies.words import (
    ROLES,
    BookTick,
    Event,
    FillSeen,
    Kind,
    OrderSeen,
    Place,
    PlaceAcked,
    Role,
    Snapshot,
    StreamBack,
    Timer,
)
from test_exchanges.strategies.fake_dex import whole_market

D = Decimal
SIZE = D(10)


class Play:
    """A core whose orders fill as soon as the play says so; its books never move."""

    def __init__(self) -> None:
        names = itertools.count(1)
        self.trades = itertools.count(1)
        self.now = 0.0
        config = HedgeConfig(
            primary="p",
            hedge="h",
            ticker="X",
            size=SIZE,
            iterations=10,
            cool_down=0.001,
            canary=False,
            gate="off",
        )
        self.desk = Desk(
            Setup(
                config=config,
                markets={role: whole_market(role) for role in ROLES},
                bounds=dict.fromkeys(ROLES, 2.0),
                acks=dict.fromkeys(ROLES, 0.5),
                baseline=dict.fromkeys(ROLES, D(0)),
                new_id=dict.fromkeys(ROLES, lambda: f"c{next(names)}"),
                started=0.0,
                started_ms=1_000_000,
            )
        )
        self.places: list[Place] = []
        for role in ROLES:
            level = ((D(100), D(1000)),), ((D("100.02"), D(1000)),)
            self.feed(BookTick(role, *level, self.now, D("100.02"), D(100)))
        for role in ROLES:
            self.feed(StreamBack(role))
            self.feed(Snapshot(role, {}, (), D(0)))

    def feed(self, event: Event) -> None:
        self.now += 0.002
        _, commands = step(self.desk, event, self.now)
        self.places += [command for command in commands if isinstance(command, Place)]

    def take(self, kind: Kind) -> OrderRequest:
        """The one order placed since the last call."""
        (place,) = self.places
        self.places.clear()
        assert place.kind is kind
        return place.order

    def report(self, request: OrderRequest, filled: Decimal) -> Order:
        done = filled == request.size
        return Order(
            id=f"v{request.client_id}",
            client_order_id=request.client_id,
            symbol=request.symbol,
            side=request.side,
            type="limit",
            price=request.price,
            size=request.size,
            filled=filled,
            average_price=request.price if filled else None,
            status=OrderStatus.FILLED if done else OrderStatus.OPEN,
            time_in_force=TimeInForce.GTC,
            post_only=request.post_only,
            reduce_only=False,
            reason="",
            timestamp_ms=1_000_000,
            raw=None,
        )

    def fill(self, role: Role, request: OrderRequest) -> None:
        assert request.price is not None
        fill = Fill(
            id=f"t{next(self.trades)}",
            order_id=f"v{request.client_id}",
            client_order_id=request.client_id,
            symbol=request.symbol,
            side=request.side,
            price=request.price,
            size=request.size,
            fee=D(0),
            fee_asset="USD",
            liquidity="maker" if role == "primary" else "taker",
            timestamp_ms=1_000_000,
            raw=None,
        )
        self.feed(FillSeen(role, fill))


def test_a_late_report_of_the_last_hedge_does_not_make_the_next_one_wait_for_a_book() -> None:
    play = Play()
    maker = play.take(Kind.MAKER)
    play.feed(PlaceAcked("primary", maker.client_id, play.report(maker, D(0))))
    play.fill("primary", maker)
    hedge = play.take(Kind.HEDGE)
    play.feed(PlaceAcked("hedge", hedge.client_id, play.report(hedge, SIZE)))
    play.fill("hedge", hedge)
    play.feed(OrderSeen("primary", play.report(maker, SIZE)))
    play.feed(Timer())
    second = play.take(Kind.MAKER)
    play.feed(OrderSeen("hedge", play.report(hedge, SIZE)))  # nothing new
    play.feed(PlaceAcked("primary", second.client_id, play.report(second, D(0))))
    play.fill("primary", second)
    assert play.take(Kind.HEDGE).size == SIZE

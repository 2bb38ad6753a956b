"""A small model of both venues: it holds the truth, and the mail between it and the core."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from decimal import Decimal

from mpdex.types import Fill, Market, Order, OrderRequest, OrderStatus
from strategies.config import HedgeConfig
from strategies.desk import Desk
from strategies.hedge_core import step
from strategies.setup import Setup
from strategies.words import (
    ROLES,
    Answered,
    BookTick,
    Cancel,
    CancelAcked,
    CancelFailed,
    Event,
    Fence,
    Fenced,
    FillSeen,
    Finish,
    Kind,
    OrderSeen,
    OutcomeNotKnown,
    Place,
    PlaceAcked,
    PlaceRefused,
    Query,
    Recover,
    Refusal,
    Role,
    Snapshot,
    StreamBack,
    Timer,
    Trade,
)
from test_exchanges.strategies.fake_dex import whole_market

D = Decimal
ZERO = D(0)
SIZE = D(10)
BOUND = 2.0


@dataclass
class Truth:
    """An order as it really is."""

    role: Role
    kind: Kind
    request: OrderRequest
    id: str
    sent: float
    landed: bool = False
    filled: Decimal = ZERO
    over: bool = False
    answered: bool = False
    refused: bool = False

    @property
    def live(self) -> bool:
        return self.landed and not self.over

    @property
    def rest(self) -> Decimal:
        return self.request.size - self.filled

    @property
    def status(self) -> OrderStatus:
        if not self.over:
            return OrderStatus.OPEN
        return OrderStatus.FILLED if not self.rest else OrderStatus.CANCELED


class World:
    """Truth of both venues, and the mail between them and the core."""

    def __init__(self, fences: frozenset[Role] = frozenset()) -> None:
        self.now = 0.0
        self.ids = itertools.count(1)
        names = itertools.count(1)
        markets: dict[Role, Market] = {role: whole_market(role) for role in ROLES}
        self.desk = Desk(
            Setup(
                config=HedgeConfig(
                    primary="p",
                    hedge="h",
                    ticker="X",
                    size=SIZE,
                    iterations=10**6,
                    canary=False,
                    gate="off",
                ),
                markets=markets,
                bounds=dict.fromkeys(ROLES, BOUND),
                acks=dict.fromkeys(ROLES, 0.5),
                baseline=dict.fromkeys(ROLES, ZERO),
                new_id=dict.fromkeys(ROLES, lambda: f"c{next(names)}"),
                started=0.0,
                started_ms=1_000_000,
                fences=fences,
            )
        )
        self.orders: dict[str, Truth] = {}
        self.fills: dict[Role, list[Fill]] = {role: [] for role in ROLES}
        self.mail: list[Event] = []
        self.up = dict.fromkeys(ROLES, True)
        self.deaf = False  # cancels are acknowledged and not done
        self.finished: Finish | None = None
        self.trades: list[Trade] = []
        self.placed: list[Place] = []
        self.foreign: dict[Role, Decimal] = dict.fromkeys(ROLES, ZERO)

    # ----------------------------------------------------------------- the core

    def feed(self, event: Event) -> None:
        before = self.owed()
        _, commands = step(self.desk, event, self.now)
        for command in commands:
            self.perform(command, before)

    def perform(self, command: object, before: bool) -> None:
        match command:
            case Place(role, kind, order, _, _):
                self.placed.append(command)
                if kind is Kind.MAKER:
                    self.check_quote_allowed()
                truth = Truth(role, kind, order, f"o{next(self.ids)}", self.now)
                self.orders[order.client_id] = truth
            case Cancel(role, client_id, _):
                self.take_cancel(role, client_id)
            case Query(role, client_id, _, _, _):
                self.mail.append(self.answer(role, client_id))
            case Fence(role, client_id):
                self.mail.append(self.fence(role, client_id))
            case Recover(role, orders, since_ms):
                said = self.snapshot(role, tuple(orders))
                self.mail.append(said if since_ms is not None else replace(said, fills=()))
            case Finish():
                self.finished = command
            case Trade():
                self.trades.append(command)

    def check_quote_allowed(self) -> None:
        """I4 and I5, on the truth as far as it can be known at the time of placing."""
        assert not [o for o in self.orders.values() if o.kind is Kind.MAKER and self.may_live(o)]
        assert self.exposure == 0 or self.unreported()
        assert all(self.desk.live.values())

    def fence(self, role: Role, client_id: str) -> Fenced:
        """What has not landed by now cannot land any more."""
        order = self.orders[client_id]
        never = not order.landed and not order.refused
        order.refused = order.refused or never
        return Fenced(role, client_id, never)

    def may_live(self, order: Truth) -> bool:
        on_its_way = not order.landed and not order.refused and self.now <= order.sent + BOUND
        return order.live or on_its_way

    # ----------------------------------------------------------------- the venues

    @property
    def exposure(self) -> Decimal:
        return sum((self.position(role) for role in ROLES), ZERO)

    def position(self, role: Role) -> Decimal:
        return sum(
            (f["size"] if f["side"] == "buy" else -f["size"] for f in self.fills[role]),
            self.foreign[role],
        )

    def owed(self) -> bool:
        return self.exposure != 0

    def unreported(self) -> bool:
        return any(isinstance(event, FillSeen | OrderSeen | Answered) for event in self.mail)

    def land(self, order: Truth, share: int) -> None:
        """The request arrives in time; a taker trades `share` tenths at once."""
        if order.landed or order.refused or self.now > order.sent + BOUND:
            return
        order.landed = True
        if order.kind is not Kind.MAKER:
            self.execute(order, (order.request.size * share / 10).to_integral_value())
            order.over = True
        self.report(order)

    def execute(self, order: Truth, size: Decimal) -> None:
        size = min(size, order.rest)
        if size <= 0:
            return
        order.filled += size
        fill = Fill(
            id=f"t{next(self.ids)}",
            order_id=order.id,
            client_order_id=order.request.client_id,
            symbol=order.role,
            side=order.request.side,
            price=order.request.price or ZERO,
            size=size,
            fee=ZERO,
            fee_asset="USD",
            liquidity="maker" if order.kind is Kind.MAKER else "taker",
            timestamp_ms=1_000_000 + int(self.now * 1000),
            raw=None,
        )
        self.fills[order.role].append(fill)
        if not order.rest:
            order.over = True
        if self.up[order.role]:
            self.mail.append(FillSeen(order.role, fill))
        self.report(order)

    def report(self, order: Truth) -> None:
        if self.up[order.role]:
            self.mail.append(OrderSeen(order.role, self.render(order)))

    def render(self, order: Truth) -> Order:
        return Order(
            id=order.id,
            client_order_id=order.request.client_id,
            symbol=order.role,
            side=order.request.side,
            type="limit",
            price=order.request.price,
            size=order.request.size,
            filled=order.filled,
            average_price=None,
            status=order.status,
            time_in_force=order.request.time_in_force,
            post_only=order.request.post_only,
            reduce_only=False,
            reason="",
            timestamp_ms=None,
            raw=None,
        )

    def take_cancel(self, role: Role, client_id: str) -> None:
        order = self.orders[client_id]
        if not order.live:
            self.mail.append(CancelFailed(role, client_id, True))
            return
        if self.deaf:
            self.mail.append(CancelAcked(role, client_id))
            return
        order.over = True
        self.mail.append(CancelAcked(role, client_id))
        self.report(order)

    def answer(self, role: Role, client_id: str) -> Answered:
        order = self.orders[client_id]
        return Answered(
            role,
            client_id,
            self.render(order) if order.landed else None,
            tuple(f for f in self.fills[role] if f["order_id"] == order.id),
            self.position(role),
        )

    def refuse(self, order: Truth, refusal: Refusal) -> None:
        """The venue says no, and means it."""
        order.refused = order.answered = True
        self.feed(PlaceRefused(order.role, order.request.client_id, refusal, "as it likes"))

    def snapshot(self, role: Role, client_ids: tuple[str, ...]) -> Snapshot:
        orders = {
            client_id: self.render(self.orders[client_id])
            if self.orders[client_id].landed
            else None
            for client_id in client_ids
        }
        return Snapshot(role, orders, tuple(self.fills[role]), self.position(role))

    def tick(self) -> None:
        for role in ROLES:
            levels = ((D("99.99"), D(50)),), ((D("100.01"), D(50)),)
            self.feed(BookTick(role, *levels, self.now, D("100.01"), D("99.99")))

    def deliver(self, index: int) -> None:
        if self.mail:
            self.feed(self.mail.pop(index % len(self.mail)))

    def acknowledge(self, order: Truth, *, known: bool) -> None:
        order.answered = True
        client_id = order.request.client_id
        if known and order.landed:
            self.feed(PlaceAcked(order.role, client_id, self.render(order)))
        else:
            self.feed(OutcomeNotKnown(order.role, client_id))

    def settle_down(self, seconds: float = 60.0) -> None:
        """No more faults: everything lands, answers and reports in order."""
        self.deaf = False
        for role in ROLES:
            if not self.up[role]:
                self.up[role] = True
                self.feed(StreamBack(role))
        end = self.now + seconds
        while self.now < end:
            self.now += 0.1
            self.tick()
            for order in tuple(self.orders.values()):
                if not order.landed:
                    self.land(order, 10)
            for order in tuple(self.orders.values()):
                if not order.answered:
                    self.acknowledge(order, known=True)
            while self.mail:
                self.deliver(0)
            self.feed(Timer())

"""The core against venues that do anything they like, in any order.

A small model of both venues holds the truth; hypothesis decides when requests land, when answers
and reports arrive, what fills, what is lost. After every step the invariants of the specification
are checked on the truth, not on what the core believes.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mpdex.types import Fill, Market, Order, OrderRequest, OrderStatus
from strategies.config import HedgeConfig
from strategies.desk import Desk, Phase, Setup, State
from strategies.hedge_core import MAY_PLACE, WORK, step
from strategies.words import (
    ROLES,
    Answered,
    BookTick,
    Cancel,
    CancelAcked,
    CancelFailed,
    Event,
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
    StreamLost,
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

    def __init__(self) -> None:
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
            )
        )
        self.orders: dict[str, Truth] = {}
        self.fills: dict[Role, list[Fill]] = {role: [] for role in ROLES}
        self.mail: list[Event] = []
        self.up = dict.fromkeys(ROLES, True)
        self.deaf = False  # cancels are acknowledged and not done
        self.finished: Finish | None = None
        self.trades: list[Trade] = []

    # ----------------------------------------------------------------- the core

    def feed(self, event: Event) -> None:
        before = self.owed()
        _, commands = step(self.desk, event, self.now)
        for command in commands:
            self.perform(command, before)

    def perform(self, command: object, before: bool) -> None:
        match command:
            case Place(role, kind, order, _, _):
                if kind is Kind.MAKER:
                    self.check_quote_allowed()
                truth = Truth(role, kind, order, f"o{next(self.ids)}", self.now)
                self.orders[order.client_id] = truth
            case Cancel(role, client_id, _):
                self.take_cancel(role, client_id)
            case Query(role, client_id, _, _, _):
                self.mail.append(self.answer(role, client_id))
            case Recover(role, orders, _):
                self.mail.append(self.snapshot(role, tuple(orders)))
            case Finish():
                self.finished = command
            case Trade():
                self.trades.append(command)

    def check_quote_allowed(self) -> None:
        """I4 and I5, on the truth as far as it can be known at the time of placing."""
        assert not [o for o in self.orders.values() if o.kind is Kind.MAKER and self.may_live(o)]
        assert self.exposure == 0 or self.unreported()
        assert all(self.desk.live.values())

    def may_live(self, order: Truth) -> bool:
        return order.live or (not order.landed and self.now <= order.sent + BOUND)

    # ----------------------------------------------------------------- the venues

    @property
    def exposure(self) -> Decimal:
        return sum((self.position(role) for role in ROLES), ZERO)

    def position(self, role: Role) -> Decimal:
        return sum(
            (f["size"] if f["side"] == "buy" else -f["size"] for f in self.fills[role]), ZERO
        )

    def owed(self) -> bool:
        return self.exposure != 0

    def unreported(self) -> bool:
        return any(isinstance(event, FillSeen | OrderSeen | Answered) for event in self.mail)

    def land(self, order: Truth, share: int) -> None:
        """The request arrives in time; a taker trades `share` tenths at once."""
        if order.landed or self.now > order.sent + BOUND:
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
        )

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


class AnythingGoes(RuleBasedStateMachine):
    """I1, I3, I4, I5 (placement), and: no fill is ever lost."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.tick()
        for role in ROLES:
            self.world.feed(StreamBack(role))
        while self.world.mail:
            self.world.deliver(0)
        self.world.tick()

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.3, 1.0, 3.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds
        self.world.feed(Timer())

    @rule()
    def books_move(self) -> None:
        self.world.now += 0.01
        self.world.tick()

    @rule(index=st.integers(0, 20), share=st.integers(0, 10))
    def request_lands(self, index: int, share: int) -> None:
        waiting = [o for o in self.world.orders.values() if not o.landed]
        if waiting:
            self.world.land(waiting[index % len(waiting)], share)

    @rule(size=st.integers(1, 10))
    def quote_trades(self, size: int) -> None:
        for order in self.world.orders.values():
            if order.kind is Kind.MAKER and order.live:
                self.world.execute(order, D(size))

    @rule(index=st.integers(0, 20))
    def mail_arrives(self, index: int) -> None:
        self.world.deliver(index)

    @precondition(lambda self: bool(self.world.mail))
    @rule(index=st.integers(0, 20))
    def mail_comes_twice(self, index: int) -> None:
        mail = self.world.mail
        item = mail[index % len(mail)]
        if isinstance(item, FillSeen | OrderSeen):
            mail.append(item)

    @rule(index=st.integers(0, 20), known=st.booleans())
    def answer_arrives(self, index: int, known: bool) -> None:
        waiting = [o for o in self.world.orders.values() if not o.answered]
        if waiting:
            self.world.acknowledge(waiting[index % len(waiting)], known=known)

    @rule(deaf=st.booleans())
    def cancels_do_nothing(self, deaf: bool) -> None:
        self.world.deaf = deaf

    @rule(role=st.sampled_from(ROLES))
    def stream_drops(self, role: Role) -> None:
        if self.world.up[role]:
            self.world.up[role] = False
            self.world.mail = [
                m for m in self.world.mail if not isinstance(m, FillSeen | OrderSeen)
            ]
            for other in ROLES:
                if self.world.up[other]:
                    for fill in self.world.fills[other]:
                        self.world.mail.append(FillSeen(other, fill))
            self.world.feed(StreamLost(role))

    @rule(role=st.sampled_from(ROLES))
    def stream_returns(self, role: Role) -> None:
        if not self.world.up[role]:
            self.world.up[role] = True
            self.world.feed(StreamBack(role))

    @invariant()
    def never_more_than_one_clip(self) -> None:
        world = self.world
        resting = sum(
            (o.rest for o in world.orders.values() if o.kind is Kind.MAKER and world.may_live(o)),
            ZERO,
        )
        assert abs(world.exposure) <= SIZE
        assert abs(world.exposure) + resting <= 2 * SIZE
        assert resting <= SIZE

    @invariant()
    def never_hedged_twice(self) -> None:
        """I3: what hedges and unwinds could still add never passes what is owed."""
        world = self.world
        pending = sum(
            (
                o.rest if o.request.side == "buy" else -o.rest
                for o in world.orders.values()
                if o.kind in (Kind.HEDGE, Kind.UNWIND) and world.may_live(o)
            ),
            ZERO,
        )
        if world.exposure > 0:
            assert -world.exposure <= pending <= 0
        elif world.exposure < 0:
            assert 0 <= pending <= -world.exposure
        else:
            assert pending == 0

    def teardown(self) -> None:
        world = self.world
        world.settle_down()
        if world.finished is None:
            world.desk.stop(6, "the test is over")
            world.settle_down(30)
        assert world.finished is not None
        assert world.exposure == 0
        for role in ROLES:
            assert world.desk.ledger.position(role) == world.position(role)
        assert not [o for o in world.orders.values() if o.live]


TestAnythingGoes = AnythingGoes.TestCase
TestAnythingGoes.settings = settings(
    max_examples=150,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


# --------------------------------------------------------------------------- evidence


def quoting_world() -> tuple[World, Truth]:
    """A quote was sent; nothing is known of it yet."""
    world = World()
    world.tick()
    for role in ROLES:
        world.feed(StreamBack(role))
    while world.mail:
        world.deliver(0)
    world.feed(Timer())
    (quote,) = world.orders.values()
    return world, quote


def not_found(world: World, quote: Truth, times: int) -> None:
    for _ in range(times):
        world.now += 0.35
        world.feed(Answered("primary", quote.request.client_id, None))


def test_not_found_proves_nothing_before_the_bound() -> None:
    world, quote = quoting_world()
    world.feed(OutcomeNotKnown("primary", quote.request.client_id))
    not_found(world, quote, 5)
    assert world.now < BOUND
    assert world.desk.slot is not None
    world.now = BOUND + 0.6
    not_found(world, quote, 2)
    assert world.desk.slot is not None
    not_found(world, quote, 1)
    assert world.desk.slot is None


def test_answers_too_close_together_count_once() -> None:
    world, quote = quoting_world()
    world.feed(OutcomeNotKnown("primary", quote.request.client_id))
    world.now = BOUND + 1
    for _ in range(5):
        world.now += 0.05
        world.feed(Answered("primary", quote.request.client_id, None))
    assert world.desk.slot is not None


def test_a_cancel_that_is_acknowledged_frees_nothing() -> None:
    world, quote = quoting_world()
    world.land(quote, 0)
    world.deliver(0)
    world.feed(CancelAcked("primary", quote.request.client_id))
    assert world.desk.slot is not None
    world.execute(quote, D(4))
    world.deliver(0)
    assert [o.request.size for o in world.orders.values() if o.kind is Kind.HEDGE] == [D(4)]


def test_a_late_refusal_ends_the_doubt() -> None:
    world, quote = quoting_world()
    client_id = quote.request.client_id
    world.feed(OutcomeNotKnown("primary", client_id))
    assert world.desk.doubtful
    world.feed(PlaceRefused("primary", client_id, Refusal.POST_ONLY))
    assert world.desk.slot is None
    assert len(world.desk.rejects) == 1


def test_a_refusal_of_what_was_reported_is_asked_about() -> None:
    world, quote = quoting_world()
    world.land(quote, 0)
    world.deliver(0)
    world.feed(PlaceRefused("primary", quote.request.client_id, Refusal.POST_ONLY))
    assert world.desk.slot is not None
    assert [type(event) for event in world.mail] == [Answered]


def test_a_report_counts_at_once_and_its_fill_moves_nothing() -> None:
    world, quote = quoting_world()
    world.land(quote, 0)
    world.execute(quote, D(4))
    fill, report = world.mail[-2:]
    world.feed(report)
    assert world.desk.ledger.position("primary") == 4
    assert not world.trades
    world.feed(fill)
    assert world.desk.ledger.position("primary") == 4
    assert [trade.size for trade in world.trades] == [D(4)]


def test_no_quote_while_the_rest_of_a_hedge_is_owed() -> None:
    world, quote = quoting_world()
    world.land(quote, 0)
    world.execute(quote, D(4))
    while world.mail:
        world.deliver(0)
    quote.over = True  # canceled by the venue, with six of ten left to quote
    world.report(quote)
    (hedge,) = (o for o in world.orders.values() if o.kind is Kind.HEDGE)
    world.land(hedge, 5)
    while world.mail:
        world.deliver(0)
    world.feed(Timer())
    assert world.desk.owing
    assert not world.desk.active
    assert [o.kind for o in world.orders.values()] == [Kind.MAKER, Kind.HEDGE]
    world.now += 0.3
    world.tick()
    assert [o.kind for o in world.orders.values()][2:] == [Kind.HEDGE]


# --------------------------------------------------------------------------- the tables


def test_every_state_and_phase_has_its_row() -> None:
    assert set(MAY_PLACE) == set(State)
    assert set(WORK) == set(Phase)


def test_a_quote_may_be_placed_from_idle_only() -> None:
    assert [state for state, kinds in MAY_PLACE.items() if Kind.MAKER in kinds] == [State.IDLE]


def test_what_makes_neutral_may_be_sent_wherever_something_can_be_owed() -> None:
    for state in (State.HEDGING, State.UNSURE, State.UNWINDING, State.HALTED):
        assert Kind.HEDGE in MAY_PLACE[state]


def test_a_placement_against_the_table_is_a_fault() -> None:
    desk = World().desk
    with pytest.raises(AssertionError, match="the table forbids it"):
        desk.place("primary", Kind.MAKER, "buy", D(1), D(100))


def test_the_same_events_give_the_same_commands() -> None:
    def run() -> list[str]:
        world, said = World(), []
        for event in (StreamBack("primary"), StreamBack("hedge"), Timer()):
            said += [str(command) for command in step(world.desk, event, 1.0)[1]]
        return said

    assert run() == run()
    assert any("Recover" in line for line in run())

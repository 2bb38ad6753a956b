"""The core against venues that do anything they like, in any order: invariants I1 to I11.

Hypothesis decides when requests land, when answers and reports arrive, what fills, what is lost or
refused, when the operator speaks and when the machine sleeps. After every step the invariants of
the specification are checked on the truth, not on what the core believes. I6 is about bytes and
lines, which the core does not see: the driver's tests and the oracle hold it.
"""

from __future__ import annotations

from decimal import Decimal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from strategies.desk import Phase
from strategies.words import (
    ROLES,
    AccountRead,
    Answered,
    ClockRead,
    FillSeen,
    JournalFailed,
    Kind,
    NotAnswered,
    OperatorAsked,
    OrderSeen,
    PositionSeen,
    Refusal,
    Role,
    Snapshot,
    SnapshotFailed,
    StopAsked,
    StreamBack,
    StreamLost,
    Timer,
)
from test_exchanges.strategies.core_world import SIZE, Truth, World

D = Decimal
ZERO = D(0)
# T_flat of the specification, and what the last answers and the pause between attempts add.
FLAT_WITHIN = 30.0

REFUSALS = [
    Refusal.POST_ONLY,
    Refusal.MARGIN,
    Refusal.PRICE_BAND,
    Refusal.VENUE_MODE,
    Refusal.RATE,
    Refusal.NONCE,
    Refusal.NO_MATCH,
    Refusal.NOT_SENT,
    Refusal.OTHER,
]


class AnyVenues(RuleBasedStateMachine):
    """What any venue, network and operator may do."""

    fences: frozenset[Role] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.fences)
        self.world.tick()
        for role in ROLES:
            self.world.feed(StreamBack(role))
        while self.world.mail:
            self.world.deliver(0)
        self.world.tick()

    # ----------------------------------------------------------------- time

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.3, 1.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds
        self.world.feed(Timer())

    @rule(seconds=st.sampled_from([2.5, 30.0]))
    def the_machine_sleeps(self, seconds: float) -> None:
        self.world.now += seconds
        self.world.feed(Timer())

    @rule()
    def books_move(self) -> None:
        self.world.now += 0.01
        self.world.tick()

    # ----------------------------------------------------------------- orders

    def _waiting(self) -> list[Truth]:
        return [o for o in self.world.orders.values() if not o.landed and not o.refused]

    @rule(index=st.integers(0, 20), share=st.integers(0, 10))
    def request_lands(self, index: int, share: int) -> None:
        waiting = self._waiting()
        if waiting:
            self.world.land(waiting[index % len(waiting)], share)

    @rule(index=st.integers(0, 20), refusal=st.sampled_from(REFUSALS))
    def request_is_refused(self, index: int, refusal: Refusal) -> None:
        waiting = [o for o in self._waiting() if not o.answered]
        if waiting:
            self.world.refuse(waiting[index % len(waiting)], refusal)

    @rule(size=st.integers(1, 10))
    def quote_trades(self, size: int) -> None:
        for order in self.world.orders.values():
            if order.kind is Kind.MAKER and order.live:
                self.world.execute(order, D(size))

    @rule(index=st.integers(0, 20), known=st.booleans())
    def answer_arrives(self, index: int, known: bool) -> None:
        waiting = [o for o in self.world.orders.values() if not o.answered]
        if waiting:
            self.world.acknowledge(waiting[index % len(waiting)], known=known)

    @rule(deaf=st.booleans())
    def cancels_do_nothing(self, deaf: bool) -> None:
        self.world.deaf = deaf

    # ----------------------------------------------------------------- mail

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

    @precondition(lambda self: bool(self.world.mail))
    @rule(index=st.integers(0, 20))
    def a_question_fails(self, index: int) -> None:
        """I8: no answer is no knowledge."""
        mail = self.world.mail
        item = mail[index % len(mail)]
        before = {role: self.world.desk.ledger.position(role) for role in ROLES}
        if isinstance(item, Answered):
            mail.remove(item)
            self.world.feed(NotAnswered(item.role, item.client_id))
        elif isinstance(item, Snapshot):
            mail.remove(item)
            self.world.feed(SnapshotFailed(item.role, "no answer"))
        assert before == {role: self.world.desk.ledger.position(role) for role in ROLES}

    @rule(role=st.sampled_from(ROLES))
    def position_is_streamed(self, role: Role) -> None:
        if self.world.up[role]:
            self.world.feed(PositionSeen(role, self.world.position(role)))

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

    # ----------------------------------------------------------------- operator, gates, disk

    @rule(what=st.sampled_from(["pause", "resume"]))
    def operator_speaks(self, what: str) -> None:
        self.world.feed(OperatorAsked(what))  # type: ignore[arg-type]

    @rule(role=st.sampled_from(ROLES), free=st.sampled_from([ZERO, D(10**6), None]))
    def margin_is_read(self, role: Role, free: Decimal | None) -> None:
        self.world.feed(AccountRead(role, free, D(10**6), D(10)))

    @rule(role=st.sampled_from(ROLES), skew=st.sampled_from([0.0, 700.0]))
    def clock_is_read(self, role: Role, skew: float) -> None:
        self.world.feed(ClockRead(role, skew))

    @rule(end=st.sampled_from([StopAsked(1), JournalFailed("full"), OperatorAsked("flatten")]))
    @precondition(lambda self: self.world.now > 20)
    def something_ends_it(self, end: StopAsked | JournalFailed | OperatorAsked) -> None:
        self.world.feed(end)

    # ----------------------------------------------------------------- what always holds

    @invariant()
    def i1_never_more_than_one_clip(self) -> None:
        world = self.world
        resting = sum(
            (o.rest for o in world.orders.values() if o.kind is Kind.MAKER and world.may_live(o)),
            ZERO,
        )
        assert abs(world.exposure) <= SIZE
        assert resting <= SIZE
        assert abs(world.exposure) + resting <= 2 * SIZE

    @invariant()
    def i3_never_hedged_twice(self) -> None:
        """What hedges and unwinds could still add never passes what is owed."""
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

    @invariant()
    def i4_one_maker_order(self) -> None:
        """I5, what must hold when one is placed, is checked by the world as it takes the order."""
        makers = [o for o in self.world.orders.values() if o.kind is Kind.MAKER]
        assert len([o for o in makers if self.world.may_live(o)]) <= 1

    @invariant()
    def i7_an_id_is_used_once(self) -> None:
        ids = [place.order.client_id for place in self.world.placed]
        assert len(ids) == len(set(ids))

    @invariant()
    def i9_exact_numbers_on_the_grid(self) -> None:
        for place in self.world.placed[-2:]:
            market = self.world.desk.setup.markets[place.role]
            assert isinstance(place.order.size, Decimal)
            assert place.order.size % market["step"] == 0
            assert place.order.price is not None
            assert place.order.price % market["tick"] == 0

    def teardown(self) -> None:
        """I2, I10, I11: neutral in time when faults end, whatever gates say, and a clean end."""
        world = self.world
        if world.finished is not None and world.finished.code == 5:
            return  # exposed, and told by a signal to leave it
        world.settle_down(FLAT_WITHIN)
        assert world.exposure == 0 or world.desk.phase is Phase.HALTED_EXPOSED
        world.settle_down(60)
        if world.finished is None:
            world.desk.stop(6, "the test is over")
            world.settle_down(60)
        assert world.finished is not None
        assert world.exposure == 0
        for role in ROLES:
            assert world.desk.ledger.position(role) == world.position(role)
        assert not [o for o in world.orders.values() if o.live]


class VenuesWithNonces(AnyVenues):
    """The same, and an order in doubt can be kept from landing."""

    fences = frozenset(ROLES)


TestAnyVenues = AnyVenues.TestCase
TestVenuesWithNonces = VenuesWithNonces.TestCase
TestAnyVenues.settings = TestVenuesWithNonces.settings = settings(
    max_examples=150,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

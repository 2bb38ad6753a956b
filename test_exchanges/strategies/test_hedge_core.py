"""The core: what a table row means, one by one. Everything at once: `test_invariants`."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mpdex.types import Order, OrderStatus
from strategies.desk import Phase, State
from strategies.hedge_core import MAY_PLACE, TABLE, WORK, step
from strategies.words import (
    ROLES,
    Alarm,
    Answered,
    CancelAcked,
    FillSeen,
    Kind,
    OrderSeen,
    OutcomeNotKnown,
    PlaceAcked,
    PlaceRefused,
    Refusal,
    StopAsked,
    StreamBack,
    Timer,
)
from test_exchanges.strategies.core_world import BOUND, Truth, World

D = Decimal


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


def test_what_was_told_of_has_arrived_and_is_gone_when_it_is_not_found() -> None:
    """However long the venue would have taken its request; an answer may lag behind the word."""
    world, quote = quoting_world()
    world.desk.active["primary", quote.request.client_id].bound = 600.0
    world.land(quote, 0)
    world.deliver(0)
    told = world.now
    not_found(world, quote, 5)
    assert world.now < told + 5
    assert world.desk.slot is not None
    world.now = told + 5.6
    not_found(world, quote, 3)
    assert world.desk.slot is None


@pytest.mark.parametrize(("name", "gone"), [("77", True), ("", False)])
def test_only_what_was_given_a_name_has_arrived(name: str, gone: bool) -> None:
    """A venue that names an order in its answer has it; one that only says "received" may have it
    on its way yet, for as long as any request."""
    world, quote = quoting_world()
    client_id = quote.request.client_id
    world.desk.active["primary", client_id].bound = 600.0
    answer: Order = {**world.render(quote), "id": name, "status": OrderStatus.PENDING}
    world.feed(PlaceAcked("primary", client_id, answer))
    not_found(world, quote, 5)
    assert world.desk.slot is not None
    world.now += 5
    not_found(world, quote, 3)
    assert (world.desk.slot is None) is gone


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


def test_an_end_that_makes_no_sense_is_settled_by_a_position_that_agrees() -> None:
    """The venue says "filled" of an order of which it has told four of ten."""
    world, quote = quoting_world()
    world.land(quote, 0)
    world.execute(quote, D(4))
    report = next(event for event in world.mail if isinstance(event, OrderSeen))
    order = {**report.order, "filled": D(4), "status": OrderStatus.FILLED}
    world.mail.clear()

    def answer(position: Decimal | None) -> None:
        world.feed(Answered("primary", quote.request.client_id, order, position=position))

    answer(None)
    slot = world.desk.slot
    assert slot is not None
    assert slot.unconfirmed
    world.now += 1
    answer(D(4))
    assert world.desk.slot is slot, "the report of the rest may only be late"
    world.now += 3
    answer(D(10))
    assert world.desk.slot is slot, "the position says otherwise"
    answer(D(4))
    assert slot.settled
    assert slot.cum == 4


def test_a_fill_of_an_unknown_order_has_the_nameless_ones_asked_about_at_once() -> None:
    world, quote = quoting_world()
    world.land(quote, 0)
    world.execute(quote, D(4))
    seen = next(event for event in world.mail if isinstance(event, FillSeen))
    world.mail.clear()
    world.feed(FillSeen("primary", {**seen.fill, "client_order_id": None}))
    assert [type(event) for event in world.mail] == [Answered]
    world.deliver(0)
    assert world.desk.ledger.position("primary") == 4
    assert not world.desk.orphans


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
    assert set(TABLE) == set(Phase)


def test_every_phase_can_be_reached_and_all_but_the_last_be_left() -> None:
    reached = {Phase.STARTING} | {move.to for row in TABLE.values() for move in row}
    assert reached == set(Phase)
    assert [phase for phase, row in TABLE.items() if not row] == [Phase.STOPPED]


def test_what_is_exposed_comes_before_everything_else() -> None:
    for phase in (Phase.RUNNING, Phase.PAUSED, Phase.RECOVERING, Phase.REDUCING, Phase.DRAINING):
        assert TABLE[phase][0].to is Phase.HALTED_EXPOSED


def test_somebody_is_called_where_the_venues_do_not_confirm_the_end() -> None:
    """A clean end is what both venues agree to; here none of them answers any more."""
    world = World()
    world.tick()
    for role in ROLES:
        world.feed(StreamBack(role))
    world.feed(StopAsked(1))
    world.mail.clear()
    alarms: list[Alarm] = []
    while world.finished is None:
        world.now += 1
        _, commands = step(world.desk, Timer(), world.now)
        alarms += [command for command in commands if isinstance(command, Alarm)]
        for command in commands:
            world.perform(command, False)
        world.mail.clear()
    assert world.finished.code == 4
    assert [alarm.text for alarm in alarms if alarm.page] == [world.finished.reason]
    assert "not verified by the venues" in world.finished.reason


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

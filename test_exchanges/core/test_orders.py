"""The order table, and amounts under reports in any order."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpdex.types import OrderStatus
from mpdex.utils.orders import (
    ENDED,
    LIVE,
    TABLE,
    Advice,
    News,
    Outcome,
    State,
    TrackedOrder,
    advise,
    step,
)

D = Decimal
SIZE = D("1.0")

amounts = st.integers(0, 12).map(lambda n: D(n) / 10)
fills = st.tuples(st.just("fill"), st.integers(0, 5), amounts.filter(bool))
reports = st.tuples(st.just("report"), st.sampled_from(OrderStatus), st.none() | amounts)
plain = st.sampled_from([n for n in News if n not in (News.FILL, News.FILL_ALL)])
news = st.tuples(st.just("hear"), plain, st.none())
stories = st.lists(fills | reports | news, max_size=25)


def order(state: State = State.SENT, size: Decimal = SIZE) -> TrackedOrder:
    return TrackedOrder(client_id="7", symbol="X", side="buy", size=size, state=state)


def tell(tracked: TrackedOrder, told: tuple[str, object, object]) -> Outcome:
    kind, first, second = told
    if kind == "fill":
        # One trade has one size, however often it is told.
        return tracked.fill(f"t{first}", D(first + 1) / 10)  # type: ignore[operator]
    if kind == "report":
        return tracked.report(first, second)  # type: ignore[arg-type]
    return Outcome(advice=tracked.hear(first))  # type: ignore[arg-type]


# --------------------------------------------------------------------------- the table


def test_every_pair_is_in_the_table() -> None:
    assert set(TABLE) == {(state, news) for state in State for news in News}


@pytest.mark.parametrize("heard", News)
@pytest.mark.parametrize("state", sorted(ENDED))
def test_ended_never_lives_again(state: State, heard: News) -> None:
    after = step(state, heard)
    assert after in (state, State.SETTLED)
    assert (after is State.SETTLED) == (state is State.SETTLED or heard is News.SETTLE)


@pytest.mark.parametrize("state", sorted(LIVE))
@pytest.mark.parametrize(
    ("heard", "end"),
    [
        (News.END_FILLED, State.FILLED),
        (News.END_CANCELED, State.CANCELED),
        (News.END_REJECTED, State.REJECTED),
        (News.END_EXPIRED, State.EXPIRED),
        (News.FILL_ALL, State.FILLED),
    ],
)
def test_the_end_is_believed_in_every_live_state(state: State, heard: News, end: State) -> None:
    assert step(state, heard) is end


@pytest.mark.parametrize("state", sorted(LIVE))
def test_nothing_but_a_send_makes_it_sent(state: State) -> None:
    assert (step(state, News.SENT) is State.SENT) == (state in (State.JOURNALED, State.SENT))


@pytest.mark.parametrize(
    ("state", "heard", "after", "advice"),
    [
        (State.SENT, News.ACK, State.OPEN, Advice.NOTHING),
        (State.SENT, News.SOFT_ACK, State.SENT, Advice.NOTHING),
        (State.SENT, News.DOUBT, State.UNKNOWN, Advice.QUERY),
        (State.SENT, News.LOST, State.UNKNOWN, Advice.QUERY),
        (State.SENT, News.CANCEL_SENT, State.SENT, Advice.NOTHING),
        (State.SENT, News.CANCEL_GONE, State.SENT, Advice.QUERY),
        (State.JOURNALED, News.LOST, State.UNKNOWN, Advice.QUERY),
        (State.OPEN, News.DOUBT, State.OPEN, Advice.QUERY),
        (State.OPEN, News.NOT_FOUND, State.UNKNOWN, Advice.NOTHING),
        (State.CANCELED, News.NOT_FOUND, State.CANCELED, Advice.NOTHING),
        (State.OPEN, News.LOST, State.OPEN, Advice.UNVERIFIED),
        (State.OPEN, News.REJECT, State.OPEN, Advice.ODD),
        (State.OPEN, News.CANCEL_ACK, State.OPEN, Advice.NOTHING),
        (State.PARTIAL, News.CANCEL_GONE, State.PARTIAL, Advice.QUERY),
        (State.CANCEL_SENT, News.CANCEL_ACK, State.CANCEL_SENT, Advice.NOTHING),
        (State.CANCEL_SENT, News.CANCEL_GONE, State.CANCEL_SENT, Advice.QUERY),
        (State.CANCEL_SENT, News.FILL, State.CANCEL_SENT, Advice.NOTHING),
        (State.CANCEL_SENT, News.REPORT_OPEN, State.CANCEL_SENT, Advice.NOTHING),
        (State.CANCEL_SENT, News.DOUBT, State.UNKNOWN, Advice.QUERY),
        (State.UNKNOWN, News.SOFT_ACK, State.UNKNOWN, Advice.NOTHING),
        (State.UNKNOWN, News.DOUBT, State.UNKNOWN, Advice.NOTHING),
        (State.UNKNOWN, News.REPORT_OPEN, State.OPEN, Advice.FOUND_OPEN),
        (State.UNKNOWN, News.FILL, State.PARTIAL, Advice.NOTHING),
        (State.SETTLED, News.FILL, State.SETTLED, Advice.LATE),
    ],
)
def test_rows(state: State, heard: News, after: State, advice: Advice) -> None:
    assert (step(state, heard), advise(state, heard)) == (after, advice)


# --------------------------------------------------------------------------- any story


@given(stories)
def test_what_is_known_only_grows(story: list[tuple[str, object, object]]) -> None:
    tracked, ledger = order(), D(0)
    for told in story:
        cum, state = tracked.cum, tracked.state
        outcome = tell(tracked, told)
        ledger += outcome.added
        assert outcome.added >= 0
        assert tracked.cum == cum + outcome.added == ledger
        assert 0 <= tracked.synthetic <= tracked.cum
        if state.ended:
            assert tracked.state in (state, State.SETTLED)
        if tracked.state is State.OPEN:
            assert not tracked.cum
        if tracked.cum >= tracked.size:
            assert tracked.state is State.SETTLED


@given(stories)
def test_told_twice_adds_nothing(story: list[tuple[str, object, object]]) -> None:
    tracked = order()
    for told in story:
        tell(tracked, told)
        assert tell(tracked, told).added == 0


@given(st.permutations(range(4)), st.permutations(range(4)), st.booleans())
def test_fills_and_reports_in_any_order_add_up_to_the_truth(
    trades: list[int], cums: list[int], reports_first: bool
) -> None:
    """Each of four trades is told by its id and by the cumulative fill after it."""
    sizes = [D("0.1"), D("0.2"), D("0.3"), D("0.15")]
    true_cum = [sum(sizes[: n + 1], D(0)) for n in range(4)]
    by_trade = [("fill", n) for n in trades]
    by_cum = [("cum", n) for n in cums]
    tracked, ledger = order(), D(0)
    for kind, n in by_cum + by_trade if reports_first else by_trade + by_cum:
        if kind == "fill":
            ledger += tracked.fill(f"t{n}", sizes[n]).added
        else:
            ledger += tracked.report(OrderStatus.OPEN, true_cum[n]).added
        assert ledger <= true_cum[-1]
    assert ledger == tracked.cum == D("0.75")
    assert tracked.synthetic == 0
    outcome = tracked.report(OrderStatus.CANCELED, D("0.75"))
    assert outcome == Outcome()
    assert tracked.state is State.SETTLED
    assert not tracked.contradicted


# --------------------------------------------------------------------------- single cases


def test_fill_before_the_answer() -> None:
    tracked = order()
    assert tracked.fill("a", D("0.4")) == Outcome(D("0.4"))
    assert tracked.state is State.PARTIAL
    assert tracked.hear(News.ACK) is Advice.NOTHING
    assert tracked.state is State.PARTIAL
    assert tracked.remaining == D("0.6")


def test_lost_partial_fill_is_made_up_by_the_end_and_replaced_by_the_true_one() -> None:
    tracked = order(State.OPEN)
    tracked.id = "v1"
    assert tracked.report(OrderStatus.CANCELED, D("0.5")) == Outcome(D("0.5"))
    assert (tracked.state, tracked.synthetic_id) == (State.SETTLED, "v1:0.5")
    assert tracked.fill("a", D("0.3")) == Outcome()
    assert tracked.fill("b", D("0.2")) == Outcome()
    assert (tracked.cum, tracked.synthetic) == (D("0.5"), 0)
    assert tracked.fill("c", D("0.1")) == Outcome(D("0.1"), Advice.LATE)


def test_two_filled_reports_without_trade_ids() -> None:
    tracked = order(State.OPEN)
    assert tracked.report(OrderStatus.FILLED, SIZE).added == SIZE
    assert tracked.report(OrderStatus.FILLED, SIZE) == Outcome()
    assert tracked.state is State.SETTLED


def test_end_without_amount_asks_and_stays_unconfirmed() -> None:
    tracked = order(State.CANCEL_SENT)
    assert tracked.report(OrderStatus.CANCELED, None).advice is Advice.QUERY
    assert tracked.state is State.CANCELED
    assert tracked.unconfirmed
    assert tracked.remaining == SIZE  # only a settled order frees what it holds
    assert tracked.fill("a", D("0.2")) == Outcome(D("0.2"))  # not late: nobody vouched yet
    assert tracked.report(OrderStatus.CANCELED, D("0.2")) == Outcome()
    assert tracked.state is State.SETTLED
    assert not tracked.unconfirmed


def test_an_end_below_the_known_fills_removes_none() -> None:
    tracked = order(State.OPEN)
    tracked.fill("a", D("0.4"))
    assert tracked.report(OrderStatus.CANCELED, D("0.1")) == Outcome(D(0), Advice.QUERY)
    assert (tracked.state, tracked.cum, tracked.contradicted) == (State.CANCELED, D("0.4"), True)
    tracked.settle()
    assert tracked.state is State.SETTLED


def test_an_end_below_the_known_fills_is_believed_when_told_twice() -> None:
    tracked = order(State.OPEN)
    tracked.fill("a", D("0.4"))
    tracked.report(OrderStatus.CANCELED, D("0.1"))
    assert tracked.report(OrderStatus.CANCELED, D("0.1")) == Outcome()
    assert (tracked.state, tracked.cum) == (State.SETTLED, D("0.4"))


def test_filled_with_less_than_the_size_is_not_the_whole_truth() -> None:
    tracked = order(State.OPEN)
    for _ in range(2):
        assert tracked.report(OrderStatus.FILLED, D("0.4")).advice is Advice.QUERY
        assert (tracked.state, tracked.remaining) == (State.FILLED, D("0.6"))
    assert tracked.report(OrderStatus.FILLED, SIZE).added == D("0.6")
    assert tracked.settled


@pytest.mark.parametrize("state", [State.SENT, State.UNKNOWN])
def test_a_cancel_tells_nothing_of_an_order_nobody_has_heard_of(state: State) -> None:
    tracked = order(state)
    assert tracked.hear(News.CANCEL_SENT) is Advice.NOTHING
    assert tracked.state is state
    tracked.report(OrderStatus.OPEN, D("0.2"))
    assert tracked.state is State.CANCEL_SENT  # it rests, and its cancel is out


def test_an_older_open_report_is_no_contradiction() -> None:
    tracked = order(State.OPEN)
    tracked.fill("a", D("0.4"))
    assert tracked.report(OrderStatus.OPEN, D("0.1")) == Outcome()
    assert (tracked.state, tracked.contradicted) == (State.PARTIAL, False)


def test_more_than_the_order_is_booked_and_flagged() -> None:
    tracked = order(State.OPEN)
    assert tracked.fill("a", D("1.5")).added == D("1.5")
    assert tracked.contradicted
    assert tracked.state is State.SETTLED


def test_a_definite_reject_settles_what_has_no_fills() -> None:
    tracked = order()
    assert tracked.hear(News.REJECT) is Advice.NOTHING
    assert tracked.state is State.SETTLED


def test_a_reject_of_a_filled_order_is_asked_about() -> None:
    tracked = order(State.CANCEL_SENT)
    tracked.fill("a", D("0.4"))
    tracked.hear(News.LOST)
    assert tracked.hear(News.REJECT) is Advice.QUERY
    assert (tracked.state, tracked.cum) == (State.REJECTED, D("0.4"))


def test_found_open_with_a_fill_is_still_found_open() -> None:
    tracked = order(State.UNKNOWN)
    assert tracked.report(OrderStatus.OPEN, D("0.2")) == Outcome(D("0.2"), Advice.FOUND_OPEN)
    assert tracked.state is State.PARTIAL


def test_the_last_fill_after_the_cancel_settles() -> None:
    tracked = order(State.OPEN)
    tracked.report(OrderStatus.CANCELED, None)
    assert tracked.fill("a", SIZE) == Outcome(SIZE)
    assert tracked.state is State.SETTLED


def test_the_venue_may_have_the_order_at_another_size() -> None:
    tracked = order(size=D(2))
    tracked.fill("1", D("0.5"))
    assert not tracked.resize(D(2))
    assert not tracked.resize(D(0))
    assert not tracked.resize(D("0.4"))
    assert tracked.resize(D("0.5"))
    tracked.report(OrderStatus.FILLED, D("0.5"))
    assert tracked.settled

"""mpdex.utils.throttle"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpdex.types import Lane, Limit
from mpdex.utils.clock import LoopClock
from mpdex.utils.throttle import Throttle, hurried
from mpdex.utils.virtual_loop import run_virtual

CANCEL, HEDGE, QUERY, QUOTE = Lane
WINDOW = 1.11  # a window of one second with its slack and grain


def throttle(count: int = 10, seconds: float = 1.0) -> Throttle:
    clock = LoopClock(asyncio.get_running_loop(), 0)
    return Throttle({"order": Limit(count, seconds)}, clock=clock)


def virtual(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        run_virtual(test())

    run.__name__ = test.__name__
    return run


def now() -> float:
    return asyncio.get_running_loop().time()


@virtual
async def test_takes_until_the_open_part_is_gone_and_leaves_the_reserve() -> None:
    bucket = throttle()
    assert [bucket.try_acquire("order", 1, QUOTE) for _ in range(8)] == [True] * 7 + [False]
    assert not bucket.try_acquire("order", 1, QUERY)
    assert [bucket.try_acquire("order", 1, HEDGE) for _ in range(2)] == [True, True]
    assert bucket.try_acquire("order", 1, CANCEL)
    assert not bucket.try_acquire("order", 1, CANCEL)
    assert bucket.spent == {("order", QUOTE): 7, ("order", HEDGE): 2, ("order", CANCEL): 1}


@virtual
async def test_what_is_hurried_may_use_the_reserve() -> None:
    bucket = throttle()
    assert bucket.try_acquire("order", 7, QUERY)
    with hurried(HEDGE):
        assert bucket.try_acquire("order", 1, QUERY)
        await bucket.acquire("order", 1, QUOTE)
        assert bucket.try_acquire("order", 1, CANCEL)
        assert not bucket.try_acquire("order", 1, QUERY), "the reserve is gone, too"
    assert bucket.spent == {("order", QUERY): 7, ("order", HEDGE): 2, ("order", CANCEL): 1}
    await asyncio.sleep(WINDOW)
    assert [bucket.try_acquire("order", 1, QUERY) for _ in range(8)] == [True] * 7 + [False]


@virtual
async def test_weights_count() -> None:
    bucket = throttle()
    assert bucket.try_acquire("order", 5, QUERY)
    assert not bucket.try_acquire("order", 3, QUERY)
    assert bucket.try_acquire("order", 2, QUERY)
    assert bucket.spent["order", QUERY] == 7


@virtual
async def test_units_come_back_one_window_after_they_were_spent() -> None:
    bucket = throttle(count=2)
    assert bucket.try_acquire("order", 1, HEDGE)
    await asyncio.sleep(0.5)
    assert bucket.try_acquire("order", 1, HEDGE)
    started = now()
    await bucket.acquire("order", 1, HEDGE)
    assert now() - started == pytest.approx(WINDOW - 0.5, abs=0.001)
    await bucket.acquire("order", 1, HEDGE)
    assert now() - started == pytest.approx(WINDOW, abs=0.001)


@virtual
async def test_waiters_go_by_lane_then_by_arrival() -> None:
    bucket = throttle(count=1)
    served: list[str] = []

    async def wait(name: str, lane: Lane) -> None:
        await bucket.acquire("order", 1, lane)
        served.append(name)

    assert bucket.try_acquire("order", 1, CANCEL)
    async with asyncio.TaskGroup() as group:
        for name, lane in [
            ("q1", QUOTE),
            ("h1", HEDGE),
            ("q2", QUOTE),
            ("r", QUERY),
            ("c", CANCEL),
        ]:
            group.create_task(wait(name, lane))
        await asyncio.sleep(0)
        group.create_task(wait("h2", HEDGE))
    assert served == ["c", "h1", "h2", "r", "q1", "q2"]
    assert now() == pytest.approx(6 * WINDOW, abs=0.01)


@virtual
async def test_nobody_overtakes_a_waiter_of_equal_urgency_but_the_urgent_do() -> None:
    bucket = throttle()
    assert bucket.try_acquire("order", 5, QUERY)
    async with asyncio.TaskGroup() as group:
        group.create_task(bucket.acquire("order", 4, QUERY))
        await asyncio.sleep(0)
        assert not bucket.try_acquire("order", 1, QUERY)  # fits, but somebody is waiting
        assert not bucket.try_acquire("order", 1, QUOTE)
        assert bucket.try_acquire("order", 1, HEDGE)


@virtual
async def test_a_canceled_waiter_lets_the_next_one_go() -> None:
    bucket = throttle()
    assert bucket.try_acquire("order", 5, QUERY)
    async with asyncio.TaskGroup() as group:
        heavy = group.create_task(bucket.acquire("order", 7, QUERY))
        await asyncio.sleep(0)
        light = group.create_task(bucket.acquire("order", 1, QUERY))
        await asyncio.sleep(0)
        heavy.cancel()
        await light
        assert now() == 0.0
    assert bucket.spent["order", QUERY] == 6


@virtual
async def test_a_penalty_freezes_the_lane_hit_and_the_less_urgent() -> None:
    bucket = throttle()
    bucket.penalize("order", QUERY, 5.0)
    assert not bucket.try_acquire("order", 1, QUOTE)
    assert not bucket.try_acquire("order", 1, QUERY)
    assert bucket.try_acquire("order", 1, HEDGE)
    assert bucket.try_acquire("order", 1, CANCEL)
    await bucket.acquire("order", 1, QUERY)
    assert now() == pytest.approx(5.0, abs=0.001)
    assert bucket.try_acquire("order", 1, QUOTE)


@virtual
async def test_a_shorter_penalty_does_not_lift_a_longer_one() -> None:
    bucket = throttle()
    bucket.penalize("order", CANCEL, 5.0)
    bucket.penalize("order", CANCEL, 1.0)
    await bucket.acquire("order", 1, CANCEL)
    assert now() == pytest.approx(5.0, abs=0.001)


@virtual
async def test_a_penalty_holds_those_already_waiting() -> None:
    bucket = throttle(count=1)
    assert bucket.try_acquire("order", 1, QUERY)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(bucket.acquire("order", 1, QUERY))
        await asyncio.sleep(0.5)
        bucket.penalize("order", QUERY, 10.0)
        await waiting
    assert now() == pytest.approx(10.5, abs=0.001)


@virtual
async def test_a_scope_without_a_limit_is_counted_and_can_be_frozen() -> None:
    bucket = throttle()
    assert all(bucket.try_acquire("public", 100, QUOTE) for _ in range(50))
    assert bucket.spent["public", QUOTE] == 5000
    bucket.penalize("public", QUOTE, 2.0)
    await bucket.acquire("public", 1, QUOTE)
    assert now() == pytest.approx(2.0, abs=0.001)


@virtual
async def test_a_weight_above_the_count_waits_for_an_empty_bucket_and_goes() -> None:
    bucket = throttle(count=3)
    assert bucket.try_acquire("order", 1, CANCEL)
    await bucket.acquire("order", 5, QUOTE)
    assert now() == pytest.approx(WINDOW, abs=0.001)


@virtual
async def test_scopes_do_not_touch_each_other() -> None:
    clock = LoopClock(asyncio.get_running_loop(), 0)
    bucket = Throttle({"a": Limit(1, 60.0), "b": Limit(1, 60.0)}, clock=clock)
    assert bucket.try_acquire("a", 1, CANCEL)
    assert bucket.try_acquire("b", 1, CANCEL)
    assert not bucket.try_acquire("a", 1, CANCEL)


@virtual
async def test_a_share_leaves_the_rest_to_others() -> None:
    clock = LoopClock(asyncio.get_running_loop(), 0)
    bucket = Throttle({"order": Limit(10, 1.0), "few": Limit(1, 1.0)}, clock=clock, share=0.5)
    assert [bucket.try_acquire("order", 1, CANCEL) for _ in range(6)] == [True] * 5 + [False]
    assert bucket.try_acquire("few", 1, QUOTE), "never less than one"


@virtual
async def test_what_others_have_used_is_not_ours_and_comes_back() -> None:
    bucket = throttle()
    assert bucket.try_acquire("order", 2, CANCEL)
    bucket.observe("order", 3)
    assert [bucket.try_acquire("order", 1, CANCEL) for _ in range(4)] == [True] * 3 + [False]
    bucket.observe("order", 9)
    assert not bucket.try_acquire("order", 1, CANCEL), "more than we knew of is no news"
    bucket.observe("nobody limits this", 0)
    assert bucket.try_acquire("nobody limits this", 1, QUOTE)
    await asyncio.sleep(WINDOW)
    assert bucket.try_acquire("order", 10, CANCEL)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 0.4), st.integers(1, 4), st.sampled_from(list(Lane))), max_size=40
    )
)
def test_no_window_ever_holds_more_than_the_count(
    arrivals: list[tuple[float, int, Lane]],
) -> None:
    sent: list[tuple[float, int]] = []

    async def scenario() -> None:
        bucket = throttle(count=8)

        async def go(weight: int, lane: Lane) -> None:
            await bucket.acquire("order", weight, lane)
            sent.append((now(), weight))

        async with asyncio.TaskGroup() as group:
            for pause, weight, lane in arrivals:
                await asyncio.sleep(pause)
                group.create_task(go(weight, lane))

    run_virtual(scenario())
    assert len(sent) == len(arrivals)
    for start, _ in sent:
        assert sum(weight for at, weight in sent if start <= at <= start + 1.0) <= 8

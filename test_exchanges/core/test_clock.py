"""mpdex.utils.clock"""

from __future__ import annotations

import asyncio

import pytest

from mpdex.utils.clock import LoopClock, SystemClock, VenueClock
from mpdex.utils.virtual_loop import VirtualLoop, run_virtual

EPOCH_NS = 1_700_000_000_000_000_000


def test_the_system_clock_agrees_with_itself() -> None:
    clock = SystemClock()
    before, milliseconds, after = clock.now_ns(), clock.now_ms(), clock.now_ns()
    assert before // 1_000_000 <= milliseconds <= after // 1_000_000
    assert clock.monotonic() <= clock.monotonic()


def test_a_loop_clock_counts_from_its_epoch() -> None:
    async def scenario() -> None:
        clock = LoopClock(asyncio.get_running_loop(), EPOCH_NS)
        assert clock.now_ns() == EPOCH_NS
        await asyncio.sleep(1.5)
        assert clock.monotonic() == pytest.approx(1.5, abs=1e-5)
        assert clock.now_ms() - EPOCH_NS // 1_000_000 in (1500, 1501)

    run_virtual(scenario())


def test_skew_moves_the_wall_clock_and_not_the_monotonic_one() -> None:
    loop = VirtualLoop()
    clock = LoopClock(loop, EPOCH_NS)
    clock.skew_ns = -2_000_000_000
    assert clock.now_ms() == EPOCH_NS // 1_000_000 - 2000
    assert clock.monotonic() == 0.0
    loop.close()


def test_a_venue_s_time_is_the_machine_s_unless_that_is_far_off() -> None:
    class Machine:
        def monotonic(self) -> float:
            return 7.0

        def now_ns(self) -> int:
            return 5_000_000_000_000

        def now_ms(self) -> int:
            return self.now_ns() // 1_000_000

    clock = VenueClock(Machine())
    clock.correct(400.0)
    assert (clock.monotonic(), clock.now_ms()) == (7.0, 5_000_000)
    clock.correct(-3_600_000.0)
    assert clock.now_ms() == 1_400_000
    assert clock.now_ns() == 1_400_000_000_000
    clock.correct(0.0)
    assert clock.now_ms() == 5_000_000

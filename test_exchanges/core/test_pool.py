"""mpdex.utils.pool"""

from __future__ import annotations

import asyncio
import gc
import random

import pytest

from mpdex.errors import TransportError
from mpdex.utils.pool import Lease, Pool, pool_of_loop
from mpdex.utils.virtual_loop import run_virtual


class Line:
    """Opens in a second, closes in a second; counts how many of it are open."""

    open_now = 0
    opened = 0

    @classmethod
    async def open(cls) -> Line:
        await asyncio.sleep(1.0)
        cls.open_now += 1
        cls.opened += 1
        return cls()

    async def close(self) -> None:
        await asyncio.sleep(1.0)
        type(self).open_now -= 1


@pytest.fixture(autouse=True)
def _fresh_count() -> None:
    Line.open_now = Line.opened = 0


def test_concurrent_users_share_one_client_and_the_last_closes_it() -> None:
    async def scenario() -> None:
        pool = Pool()
        leases = await asyncio.gather(*(pool.acquire("a", Line.open) for _ in range(4)))
        assert Line.opened == 1
        assert len({id(lease.client) for lease in leases}) == 1
        for lease in leases[:-1]:
            await lease.release()
        assert Line.open_now == 1
        await leases[-1].release()
        assert Line.open_now == 0
        assert len(pool) == 0

    run_virtual(scenario())


def test_keys_are_apart() -> None:
    async def scenario() -> None:
        pool = Pool()
        first, second = await asyncio.gather(
            pool.acquire("a", Line.open), pool.acquire(("b", 1), Line.open)
        )
        assert first.client is not second.client
        assert len(pool) == 2
        await first.release()
        assert Line.open_now == 1
        await second.release()

    run_virtual(scenario())


def test_a_second_release_of_one_lease_takes_nothing_from_others() -> None:
    async def scenario() -> None:
        pool = Pool()
        mine, theirs = [await pool.acquire("a", Line.open) for _ in range(2)]
        await mine.release()
        await mine.release()
        assert Line.open_now == 1
        await theirs.release()
        assert Line.open_now == 0

    run_virtual(scenario())


def test_acquiring_while_it_closes_waits_and_opens_a_new_one() -> None:
    async def scenario() -> None:
        pool = Pool()
        first = await pool.acquire("a", Line.open)
        async with asyncio.TaskGroup() as group:
            closing = group.create_task(first.release())
            await asyncio.sleep(0.5)
            acquiring = group.create_task(pool.acquire("a", Line.open))
            await closing
            assert Line.open_now == 0
        second = acquiring.result()
        assert second.client is not first.client
        assert (Line.open_now, Line.opened) == (1, 2)
        await second.release()
        assert len(pool) == 0

    run_virtual(scenario())


def test_a_broken_factory_leaves_nothing_behind() -> None:
    async def broken() -> Line:
        await asyncio.sleep(1.0)
        raise TransportError("refused")

    async def scenario() -> None:
        pool = Pool()
        with pytest.raises(TransportError):
            await pool.acquire("a", broken)
        assert len(pool) == 0
        lease = await pool.acquire("a", Line.open)
        await lease.release()

    run_virtual(scenario())


def test_after_a_broken_factory_the_next_in_line_uses_its_own() -> None:
    async def broken() -> Line:
        await asyncio.sleep(1.0)
        raise TransportError("refused")

    async def scenario() -> None:
        pool = Pool()
        failed, lease = await asyncio.gather(
            pool.acquire("a", broken), pool.acquire("a", Line.open), return_exceptions=True
        )
        assert isinstance(failed, TransportError)
        assert isinstance(lease, Lease)
        await lease.release()
        assert len(pool) == 0

    run_virtual(scenario())


def test_a_canceled_acquire_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        pool = Pool()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(pool.acquire("a", Line.open))
            await asyncio.sleep(0)
            second = group.create_task(pool.acquire("a", Line.open))
            await asyncio.sleep(0.5)
            first.cancel()
            await asyncio.sleep(0.1)
            second.cancel()
        assert len(pool) == 0
        assert Line.open_now == 0

    run_virtual(scenario())


def test_a_client_that_fails_to_close_is_gone_all_the_same() -> None:
    class Stuck(Line):
        async def close(self) -> None:
            raise TransportError("already gone")

    async def scenario() -> None:
        pool = Pool()
        lease = await pool.acquire("a", Stuck.open)
        with pytest.raises(TransportError):
            await lease.release()
        assert len(pool) == 0
        await (await pool.acquire("a", Line.open)).release()

    run_virtual(scenario())


def test_a_lease_is_a_context() -> None:
    async def scenario() -> None:
        async with await Pool().acquire("a", Line.open) as line:
            assert isinstance(line, Line)
        assert Line.open_now == 0

    run_virtual(scenario())


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_users_opens_one_at_a_time_and_ends_empty(seed: int) -> None:
    rng = random.Random(seed)

    async def user(pool: Pool) -> None:
        for _ in range(5):
            await asyncio.sleep(rng.uniform(0, 3))
            async with await pool.acquire("a", Line.open):
                assert Line.open_now == 1
                await asyncio.sleep(rng.uniform(0, 2))

    async def scenario() -> None:
        pool = Pool()
        async with asyncio.TaskGroup() as group:
            for _ in range(6):
                group.create_task(user(pool))
        assert len(pool) == 0
        assert Line.open_now == 0

    run_virtual(scenario())


def test_every_loop_has_its_own_pool() -> None:
    async def pools() -> tuple[Pool, bool]:
        return pool_of_loop(), pool_of_loop() is pool_of_loop()

    (first, same), (second, _) = run_virtual(pools()), run_virtual(pools())
    assert same
    assert first is not second
    gc.collect()

"""mpdex.utils.session"""

from __future__ import annotations

import asyncio

import pytest

from mpdex.errors import AuthError
from mpdex.types import Session
from mpdex.utils.clock import LoopClock
from mpdex.utils.session import SessionKeeper
from mpdex.utils.virtual_loop import run_virtual

HOUR_MS = 3_600_000


class Venue:
    """Logs in after one second, for one hour."""

    def __init__(self) -> None:
        self.clock = LoopClock(asyncio.get_running_loop(), 0)
        self.logins = 0
        self.refuses = False
        self.keeper = SessionKeeper(self.login, clock=self.clock)

    async def login(self) -> Session:
        self.logins += 1
        number = self.logins
        await asyncio.sleep(1.0)
        if self.refuses:
            raise AuthError("key unknown", venue="acme")
        return Session({"Cookie": f"token-{number}"}, self.clock.now_ms() + HOUR_MS)


def test_concurrent_callers_share_one_login() -> None:
    async def scenario() -> None:
        venue = Venue()
        assert venue.keeper.current is None
        sessions = await asyncio.gather(*(venue.keeper.ensure() for _ in range(5)))
        assert venue.logins == 1
        assert all(session is sessions[0] for session in sessions)
        assert venue.keeper.current is sessions[0]
        assert await venue.keeper.ensure() is sessions[0]

    run_virtual(scenario())


def test_a_session_is_renewed_a_minute_before_it_ends() -> None:
    async def scenario() -> None:
        venue = Venue()
        first = await venue.keeper.ensure()
        await asyncio.sleep(3600 - 61)
        assert await venue.keeper.ensure() is first
        await asyncio.sleep(1.5)
        assert await venue.keeper.ensure() is not first
        assert venue.logins == 2

    run_virtual(scenario())


def test_whoever_follows_is_told_of_each_new_session() -> None:
    async def scenario() -> None:
        venue, told = Venue(), list[Session]()
        venue.keeper.followers.append(told.append)
        first = await venue.keeper.ensure()
        assert await venue.keeper.ensure() is first
        venue.keeper.invalidate(first)
        second = await venue.keeper.ensure()
        assert told == [first, second]
        venue.refuses = True
        venue.keeper.invalidate(second)
        with pytest.raises(AuthError):
            await venue.keeper.ensure()
        assert told == [first, second]

    run_virtual(scenario())


def test_an_old_session_is_renewed_ahead_of_time_while_it_still_serves() -> None:
    async def scenario() -> None:
        venue = Venue()
        first = await venue.keeper.ensure()
        await asyncio.sleep(0.6 * 3600)
        await venue.keeper.freshen()
        assert venue.logins == 1
        await asyncio.sleep(0.2 * 3600)
        async with asyncio.TaskGroup() as group:
            group.create_task(venue.keeper.freshen())
            group.create_task(venue.keeper.freshen())
            await asyncio.sleep(0.5)
            assert await venue.keeper.ensure() is first
        assert venue.logins == 2
        assert await venue.keeper.ensure() is not first

    run_virtual(scenario())


def test_nobody_logs_in_only_to_be_fresh() -> None:
    async def scenario() -> None:
        venue = Venue()
        await venue.keeper.freshen()
        assert venue.logins == 0

    run_virtual(scenario())


def test_a_session_without_an_end_is_kept() -> None:
    async def scenario() -> None:
        logins = 0

        async def login() -> Session:
            nonlocal logins
            logins += 1
            return Session({})

        loop = asyncio.get_running_loop()
        keeper = SessionKeeper(login, clock=LoopClock(loop, 0))
        await keeper.ensure()
        await asyncio.sleep(10**6)
        await keeper.ensure()
        assert logins == 1

    run_virtual(scenario())


def test_only_the_session_that_was_refused_is_dropped() -> None:
    async def scenario() -> None:
        venue = Venue()
        old = await venue.keeper.ensure()
        venue.keeper.invalidate(old)
        new = await venue.keeper.ensure()
        venue.keeper.invalidate(old)  # a late refusal of the old one
        assert venue.keeper.current is new
        assert venue.logins == 2

    run_virtual(scenario())


def test_a_refused_login_reaches_all_who_wait_and_is_not_remembered() -> None:
    async def scenario() -> None:
        venue = Venue()
        venue.refuses = True
        waiting = [venue.keeper.ensure() for _ in range(3)]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [AuthError] * 3
        assert venue.logins == 1
        venue.refuses = False
        assert (await venue.keeper.ensure()).headers == {"Cookie": "token-2"}

    run_virtual(scenario())


def test_a_canceled_login_is_taken_over_by_the_next_in_line() -> None:
    async def scenario() -> None:
        venue = Venue()
        async with asyncio.TaskGroup() as group:
            leader = group.create_task(venue.keeper.ensure())
            await asyncio.sleep(0)
            follower = group.create_task(venue.keeper.ensure())
            await asyncio.sleep(0.5)
            leader.cancel()
        assert leader.cancelled()
        assert follower.result().headers == {"Cookie": "token-2"}

    run_virtual(scenario())


def test_a_canceled_follower_does_not_disturb_the_login() -> None:
    async def scenario() -> None:
        venue = Venue()
        async with asyncio.TaskGroup() as group:
            leader = group.create_task(venue.keeper.ensure())
            await asyncio.sleep(0)
            follower = group.create_task(venue.keeper.ensure())
            await asyncio.sleep(0.5)
            follower.cancel()
        assert leader.result() is venue.keeper.current
        assert venue.logins == 1

    run_virtual(scenario())


def test_a_broken_login_does_not_lock_the_door() -> None:
    async def scenario() -> None:
        venue = Venue()

        async def broken() -> Session:
            raise KeyError("token")

        keeper = SessionKeeper(broken, clock=venue.clock)
        for _ in range(2):
            with pytest.raises(KeyError):
                await keeper.ensure()

    run_virtual(scenario())

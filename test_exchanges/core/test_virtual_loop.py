"""mpdex.utils.virtual_loop"""

from __future__ import annotations

import asyncio
import socket

import pytest

from mpdex.utils.clock import SystemClock
from mpdex.utils.virtual_loop import run_virtual

DAY = 86_400.0


def test_a_virtual_day_passes_at_once() -> None:
    async def day() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await asyncio.sleep(DAY)
        return started, loop.time()

    real = SystemClock()
    began = real.monotonic()
    started, ended = run_virtual(day())
    assert ended - started == pytest.approx(DAY, abs=1e-3)
    assert real.monotonic() - began < 5.0


def test_timers_fire_in_order_and_at_their_time() -> None:
    async def scenario() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        fired: list[tuple[str, float]] = []
        for name, delay in [("c", 3.0), ("a", 0.001), ("b", 2.0), ("b2", 2.0)]:
            loop.call_later(delay, lambda name=name: fired.append((name, loop.time())))
        await asyncio.sleep(10)
        return fired

    fired = run_virtual(scenario())
    assert [name for name, _ in fired] == ["a", "b", "b2", "c"]
    assert [at for _, at in fired] == pytest.approx([0.001, 2.0, 2.0, 3.0], abs=1e-5)


def test_a_timeout_is_virtual_too() -> None:
    async def scenario() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run_virtual(scenario()) == pytest.approx(3600, abs=1e-3)


def test_a_late_hour_does_not_stop_short_timers() -> None:
    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(365 * DAY)
        started = loop.time()
        for _ in range(100):
            await asyncio.sleep(1e-4)
        return loop.time() - started

    assert run_virtual(scenario()) == pytest.approx(0.01, rel=0.1)


def test_bytes_on_loopback_arrive_before_a_timeout_of_theirs() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for number in range(200):
            async with asyncio.timeout(0.5):
                writer.write(b"%03d" % number)
                assert await reader.readexactly(3) == b"%03d" % number
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return loop.time()

    assert run_virtual(scenario()) < 0.5  # nothing ever had to wait


def test_a_loop_without_timers_waits_for_its_sockets() -> None:
    async def scenario() -> bytes:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        near.setblocking(False)
        reading = loop.sock_recv(near, 10)
        done = loop.run_in_executor(None, far.send, b"late")
        try:
            return await reading
        finally:
            await done
            near.close()
            far.close()

    assert run_virtual(scenario()) == b"late"


def test_each_run_starts_at_zero_and_gives_its_result() -> None:
    async def scenario() -> float:
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(5)
        return now

    assert [run_virtual(scenario()) for _ in range(2)] == [0.0, 0.0]


def test_an_exception_comes_out() -> None:
    async def scenario() -> None:
        await asyncio.sleep(1)
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_virtual(scenario())

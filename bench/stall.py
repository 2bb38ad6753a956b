"""How long the loop keeps others waiting while it hedges, loses a connection and reads anew.

A heartbeat each millisecond notes how late it comes, first on the idle loop, then on the same loop
with a hedge on simulated venues whose streams are cut twice, so that it reconnects and reads
positions, orders and fills anew. What is judged is the difference: the machine's
own pauses are in both.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from bench.harness import TRIES, Row
from bench.hedge import PAIR, hedge_once
from bench.parties import SYMBOLS
from bench.workers import Worker, questions, say
from exchange_factory import create_exchange
from mpdex.sim.run import start
from mpdex.types import Topic
from mpdex.utils.clock import SystemClock

BEAT = 0.001
CYCLES = 10
IDLE_SECONDS = 4.0
TARGET_MS = 5.0
# Above this at the 99.9th percentile the idle loop itself says that the machine is too busy.
IDLE_LIMIT_MS = 10.0


def stall() -> list[Row]:
    """Lateness of a heartbeat, over that of an idle loop."""
    with Worker("world", PAIR) as venues, Worker("stall", venues.ready, core=0) as worker:
        for _ in range(TRIES):
            idle, busy = worker.ask("idle"), worker.ask("busy")
            noisy = _high(idle) > IDLE_LIMIT_MS
            if not noisy:
                break
    name = "loop.stall"
    return [
        Row(name, "p99.9 over idle", _over(_high(busy), _high(idle)), "ms", TARGET_MS, noisy=noisy),
        Row(name, "longest, idle loop", round(idle[-1], 2), "ms"),
        Row(name, "longest, hedging", round(busy[-1], 2), "ms"),
        Row(name, "beats, hedging", len(busy), "beats"),
    ]


def _high(ordered: list[float]) -> float:
    return ordered[int(len(ordered) * 0.999)]


def _over(busy: float, idle: float) -> float:
    return round(max(busy - idle, 0.0), 2)


# --------------------------------------------------------------------------- the client's process


def client(venues: dict[str, Any]) -> None:
    """The worker: sorted lateness of each beat, in milliseconds."""
    logging.getLogger("mpdex.hedge").propagate = False
    logging.getLogger("wrappers").setLevel(logging.ERROR)  # it says that a connection was cut
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as folder:
        dexes = [runner.run(_opened(venue, venues[venue])) for venue in PAIR]
        say("ready")
        for (what,) in questions():
            idle = what == "idle"
            say(runner.run(_beaten(asyncio.sleep(IDLE_SECONDS) if idle else _busy(dexes, folder))))
        for dex in dexes:
            runner.run(dex.close())


async def _opened(venue: str, options: dict[str, Any]) -> Any:
    """With its sockets: what is loaded once, at the start, is no stall of a session."""
    dex: Any = await create_exchange(venue, options)
    await dex.start_streams([Topic("book", SYMBOLS[venue]), Topic("orders"), Topic("fills")])
    return dex


async def _beaten(work: Coroutine[Any, Any, None]) -> list[float]:
    loop = asyncio.get_running_loop()
    late: list[float] = []
    over = False

    def beat(due: float) -> None:
        now = loop.time()
        late.append((now - due) * 1000)
        if not over:
            loop.call_at(now + BEAT, beat, now + BEAT)

    beat(loop.time())
    try:
        await work
    finally:
        over = True
    return sorted(late)


async def _busy(dexes: list[Any], folder: str) -> None:
    loop = asyncio.get_running_loop()
    for number, dex in enumerate(dexes, 1):
        loop.call_later(2.0 * number, _cut, dex)
    await hedge_once(dexes, CYCLES, Path(folder))


def _cut(dex: Any) -> None:
    """The lines are gone, as it looks from here."""
    for lease in dex._leases.values():
        lease.client._drop("cut by the benchmark")


# --------------------------------------------------------------------------- the venues' process


def world(venues: list[str]) -> None:
    """The worker: simulated venues in real time. It says what each is opened with."""
    asyncio.run(_world(venues))


async def _world(venues: list[str]) -> None:
    async with await start(venues, seed=1, clock=SystemClock()) as running:
        for venue in running.venues.values():
            type(venue).limits = {}  # programs start once; here one does each second
        say({v: {**running.credentials[v], "endpoints": running.endpoints[v]} for v in venues})
        await asyncio.get_running_loop().run_in_executor(None, lambda: list(questions()))

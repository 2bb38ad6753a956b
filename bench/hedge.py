"""From a fill's frame to the hedge's bytes: how long, over how many hops, for how many calls.

`hedge.fill_to_order` is the whole stack: the strategy's driver, both wrappers, ledger, journal,
signature, REST or socket; the hedge is signed on the fill. Venues are doubles in a process of their
own; events come 1-3 ms apart, so that caches are as cold as in life. The floor is a raw relay that
answers any bytes with ready bytes, in the same process as the client and asked in turn. Plain TCP
for both.

`hedge.hops` counts, in that same client, what lies between the frame and the write. `hedge.calls`
counts on the simulated venues, in simulated time, with their limits enforced.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.double_parts import ORDER_CALL, ORDER_LINES
from bench.harness import ROUNDS, TRIES, Row, count, ratio_row, restless
from bench.parties import COIN, credentials
from bench.workers import Worker, questions, say, uncollected
from exchange_factory import load
from mpdex.types import Limit
from mpdex.utils.clock import SystemClock
from mpdex.utils.virtual_loop import run_virtual
from strategies.config import HedgeConfig
from strategies.hedge import HedgeResult, Status, run_hedge

PAIR = ("grvt", "backpack")
EVENTS = 20  # a turn
# pair -> target: a REST venue through aiohttp; two whose orders are signed on the Stark curve.
PAIRS = {PAIR: 2.8, ("grvt", "extended"): 8.0, ("grvt", "paradex"): 8.0}
TAIL_TARGET = 1.5
HOP_TARGETS = {
    "tasks of the product": 1,
    "loop turns": 1,
    "queue hops": 0,
    "executor hops": 0,
    "wait_for": 0,
    "fsync": 0,
}
# Before Python 3.12 aiohttp writes a body in a task of its own, which costs a second turn.
HOP_BOUNDS = {"loop turns": 2}
Pair = tuple[str, str]
CYCLES = 300
# A decision that takes longer than this on a laptop is a fault of ours, whatever the venue does.
DECISIONS, DECISION_TARGET = 500, 5.0
# What a cycle needs when state comes by stream and GRVT's orders go by socket: the hedge is the
# one REST call; the socket carries one create, and one more pair of frames for each requote.
REST_A_FILL, SOCKET_A_QUOTE = 1, 1


def fill_to_order() -> list[Row]:
    """GRVT's fill to another venue's order."""
    return [row for pair, target in PAIRS.items() for row in _fill_to_order(pair, target)]


def _fill_to_order(venues_of: Pair, target: float) -> list[Row]:
    with _processes(venues_of) as (venues, worker):
        for _ in range(TRIES):
            times = _turns(venues, worker)
            noisy = restless([statistics.median(turn) for turn in times["relay"]])
            if not noisy:
                break
    middles = {name: [statistics.median(turn) for turn in turns] for name, turns in times.items()}
    name, pair = "hedge.fill_to_order", "-".join(venues_of)
    every = sorted(seconds for turn in times["hedge"] for seconds in turn)
    tail = every[int(len(every) * 0.9)] / statistics.median(every)
    return [
        ratio_row(name, pair, middles["hedge"], middles["relay"], target, noisy),
        Row(name, f"{pair}: p90", round(tail, 2), "x own p50", TAIL_TARGET, noisy=noisy),
    ]


def hops() -> list[Row]:
    """The most of ten fills."""
    return [row for pair in PAIRS for row in _hops_of(pair)]


def _hops_of(pair: Pair) -> list[Row]:
    with _processes(pair) as (_, worker):
        found = worker.ask("hops", 10)
    if found.pop("fills") < 10:
        raise RuntimeError("hedge.hops: a fill was not followed to its order")
    name, where = "hedge.hops", "-".join(pair)
    return [
        count(
            name, f"{where}: {what}", most, HOP_TARGETS.get(what), "a hedge", HOP_BOUNDS.get(what)
        )
        for what, most in found.items()
    ]


def decision() -> list[Row]:
    """Inside the client: from the fill's frame to the hedge's bytes, events 1-3 ms apart."""
    return [row for pair in PAIRS for row in _decision_of(pair)]


def _decision_of(pair: Pair) -> list[Row]:
    with _processes(pair) as (_, worker):
        taken = sorted(seconds * 1000 for seconds in worker.ask("decision", DECISIONS))
    if len(taken) < DECISIONS:
        raise RuntimeError("hedge.decision: a fill was not followed to its order")
    name, where = "hedge.decision", "-".join(pair)
    p99 = taken[int(len(taken) * 0.99)]
    return [
        Row(name, f"{where}: p50", round(statistics.median(taken), 3), "ms"),
        Row(name, f"{where}: p99", round(p99, 3), "ms", DECISION_TARGET),
    ]


@contextmanager
def _processes(pair: Pair) -> Iterator[tuple[Worker, Worker]]:
    """The venues', and the client's that hedges on two of them."""
    with Worker("doubles") as venues, Worker("hedge", venues.ready, pair, core=0) as worker:
        yield venues, worker


def _turns(venues: Worker, worker: Worker) -> dict[str, list[list[float]]]:
    times: dict[str, list[list[float]]] = {"relay": [], "hedge": []}
    for turn in range(ROUNDS + 1):
        names = list(times) if turn % 2 else list(times)[::-1]
        for name in names:
            worker.ask(name, EVENTS)
            found = venues.ask()
            if turn:
                times[name].append(found)
    return times


# --------------------------------------------------------------------------- the client's process


def client(doubles: dict[str, Any], pair: list[str]) -> None:
    """The worker."""
    logging.getLogger("mpdex.hedge").propagate = False  # its words are in the run's own log
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as folder:
        dexes = [runner.run(_opened(venue, doubles["urls"][venue])) for venue in pair]
        relay = runner.run(_relay(*doubles["relay"]))
        cold = Path(folder), 0.001
        say("ready")
        for what, amount in questions():
            run = relay(amount) if what == "relay" else hedge_once(dexes, amount, *cold)
            if what == "hops":
                with _hops() as most:
                    runner.run(run)
                say(most)
            elif what == "decision":
                with _timed() as taken, uncollected():
                    runner.run(run)
                say(taken)
            else:
                with uncollected():
                    runner.run(run)
                say(None)
        for dex in dexes:
            runner.run(dex.close())


async def _opened(venue: str, urls: dict[str, str]) -> Any:
    """The product's class; only its limits are wider, since a turn is many orders in a second."""
    kind: Any = load(venue)
    limits = {scope: Limit(10**6, limit.seconds) for scope, limit in kind.SPEC.limits.items()}
    wide = type(kind.__name__, (kind,), {"SPEC": replace(kind.SPEC, limits=limits)})
    return await wide(**credentials(venue), endpoints=urls).init()


def _config(dexes: list[Any], iterations: int, folder: Path, **more: Any) -> HedgeConfig:
    return HedgeConfig(
        primary=dexes[0].name,
        hedge=dexes[1].name,
        ticker=COIN,
        size=Decimal("0.05"),
        iterations=iterations,
        mode="live",
        logs=folder,
        canary=False,
        gate="off",
        **more,
    )


async def hedge_once(
    dexes: list[Any], iterations: int, folder: Path, cool_down: float = 0.2
) -> None:
    """A run of the strategy to its end, which must be a good one."""
    config = _config(dexes, iterations, folder, cool_down=cool_down)
    clock = SystemClock()
    result = await run_hedge(config, *dexes, clock=clock, rng=random.Random(1))
    if result.exit_code:
        raise RuntimeError(f"the hedge ended with {result.exit_code}: {result.summary}")


async def _relay(feed: int, orders: int) -> Callable[[int], Any]:
    """The floor: bytes in, ready bytes out."""
    loop = asyncio.get_running_loop()
    ready = b"x" * 420

    class Orders(asyncio.Protocol):
        taken: asyncio.Future[None]

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.write = transport.write

        def data_received(self, data: bytes) -> None:
            self.taken.set_result(None)

    class Feed(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.write = transport.write

        def data_received(self, data: bytes) -> None:
            out.write(ready)

    _, out = await loop.create_connection(Orders, "127.0.0.1", orders)
    _, source = await loop.create_connection(Feed, "127.0.0.1", feed)

    async def many(events: int) -> None:
        for _ in range(events):
            out.taken = loop.create_future()
            source.write(b"F")
            await out.taken

    return many


# --------------------------------------------------------------------------- counting hops


class _Path:
    """What happens between one fill's frame and the hedge's first bytes."""

    def __init__(self) -> None:
        self.open = False
        self.found: Counter[str] = Counter()
        self.most: dict[str, int] = {
            "fills": 0,
            "tasks of aiohttp": 0,
            **dict.fromkeys(HOP_TARGETS, 0),
        }

    def begin(self) -> None:
        self.open, self.found = True, Counter()

    def end(self) -> None:
        if not self.open:
            return
        self.open = False
        self.most["fills"] += 1
        for what, times in self.found.items():
            self.most[what] = max(self.most[what], times)

    def counting(self, what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.found[what] += self.open
            return function(*arguments, **named)

        return call

    def task(self, loop: Any, work: Any, **named: Any) -> Any:
        if self.open:
            library = "aiohttp" in work.cr_code.co_filename
            self.found["tasks of aiohttp" if library else "tasks of the product"] += 1
        return asyncio.Task(work, loop=loop, **named)


@contextmanager
def _followed(began: Callable[[], object], ended: Callable[[], object]) -> Iterator[None]:
    """A fill's frame is seen where it is decoded, its hedge where it is handed to a socket."""
    from asyncio import selector_events

    from mpdex.utils.socket.picows_engine import PicowsSocket
    from wrappers.grvt_ws_client import GrvtTradeStream

    plain: Any = vars(selector_events)["_SelectorSocketTransport"]
    decode, write, send = GrvtTradeStream.decode, plain.write, PicowsSocket.send
    call = ORDER_CALL.encode()

    def seen(self: Any, frame: bytes) -> Any:
        if frame.startswith(b'{"stream":"v1.fill"'):
            began()
        return decode(self, frame)

    def written(self: Any, data: bytes) -> None:
        if bytes(data[:40]).startswith(ORDER_LINES):
            ended()
        write(self, data)

    def sent(self: Any, data: bytes) -> None:
        if call in data[:60]:
            ended()
        send(self, data)

    with (
        patch.object(GrvtTradeStream, "decode", seen),
        patch.object(plain, "write", written),
        patch.object(PicowsSocket, "send", sent),
    ):
        yield


@contextmanager
def _timed() -> Iterator[list[float]]:
    """Seconds from each fill's frame to the first bytes of its hedge."""
    began: list[float] = []
    taken: list[float] = []

    def end() -> None:
        if began:
            taken.append(time.perf_counter() - began.pop())

    with _followed(lambda: began.append(time.perf_counter()), end):
        yield taken


@contextmanager
def _hops() -> Iterator[dict[str, int]]:
    """Wraps the loop's own doors."""
    from asyncio import base_events

    path = _Path()
    loops: Any = base_events.BaseEventLoop
    wait_for = asyncio.wait_for  # noqa: TID251  (to count it)
    create = loops.create_task

    def created(self: Any, work: Any, **named: Any) -> Any:
        return path.task(self, work, **named)

    with (
        _followed(path.begin, path.end),
        patch.object(loops, "create_task", created),
        patch.object(loops, "_run_once", path.counting("loop turns", loops._run_once)),
        patch.object(
            loops, "run_in_executor", path.counting("executor hops", loops.run_in_executor)
        ),
        patch.object(asyncio, "wait_for", path.counting("wait_for", wait_for)),
        patch.object(
            asyncio.Queue, "put_nowait", path.counting("queue hops", asyncio.Queue.put_nowait)
        ),
        patch.object(os, "fsync", path.counting("fsync", os.fsync)),
        patch.object(os, "fdatasync", path.counting("fsync", os.fdatasync)),
    ):
        yield path.most
    assert loops.create_task is create


# --------------------------------------------------------------------------- counting calls


def calls() -> list[Row]:
    """What 100 cycles cost on the simulated venues, their documented limits enforced."""
    with tempfile.TemporaryDirectory() as folder:
        spent = run_virtual(_cycles(CYCLES, Path(folder)))
    name = "hedge.calls"
    return [
        count(name, f"{CYCLES} cycles: 429s", spent.refused, 0, "refused"),
        count(name, "hedge orders by REST", spent.orders("backpack", "rest"), None, "a run"),
        count(name, "of them over one a fill", spent.rest_excess, 0, "calls"),
        count(name, "quote frames on the socket", spent.orders("grvt", "ws"), None, "a run"),
        count(name, "of them over the least", spent.socket_excess, 0, "frames"),
        count(name, "quotes by REST", spent.orders("grvt", "rest"), 0, "calls"),
        count(name, "status reads in a cycle", spent.status_reads, 0, "calls"),
        count(name, "other reads, venue and minute", spent.reads_a_minute, 4, "calls"),
    ]


class Spent:
    """What the venues counted in one run.

    Args:
        counts: (venue, "rest" or "ws", operation) -> how often it arrived after the start.
        trading: the same while the run traded, without what start and end verify; and how long.
        refused: answers that said "too many requests".
        crossed: quotes that the venue refused because the market had moved through them.
        fills: executions on the primary, each of which must be hedged.
    """

    def __init__(
        self,
        counts: Counter[Any],
        trading: tuple[Counter[Any], float],
        refused: int,
        crossed: int,
        fills: int,
        result: HedgeResult,
    ) -> None:
        self._counts = counts
        self._trading, self._seconds = trading
        self._crossed = crossed
        self._fills = fills
        self._summary = result.summary
        self.refused = refused
        if result.exit_code:
            raise RuntimeError(f"hedge.calls: the run ended with {result.summary}")
        if result.summary["cycles"] < CYCLES:
            raise RuntimeError(f"hedge.calls: {result.summary['cycles']} cycles of {CYCLES}")

    def orders(self, venue: str, route: str) -> int:
        """Commands: places and cancels."""
        return sum(self._counts[venue, route, op] for op in ("place", "cancel"))

    @property
    def rest_excess(self) -> int:
        return max(0, self.orders("backpack", "rest") - REST_A_FILL * self._fills)

    @property
    def socket_excess(self) -> int:
        """Creates beyond one a cycle, one after each cancel and one after each refusal to cross.

        A cancel may lose its race against the fill; then nothing is created in its place.
        """
        places, cancels = (self._counts["grvt", "ws", op] for op in ("place", "cancel"))
        needed = SOCKET_A_QUOTE * int(self._summary["cycles"]) + cancels + self._crossed
        return max(0, places - needed)

    @property
    def status_reads(self) -> int:
        """Orders asked for one by one: what polling would do."""
        return sum(self._counts[venue, "rest", "query_order"] for venue in PAIR)

    @property
    def reads_a_minute(self) -> float:
        """Reconciles: the busier of the two venues."""
        reads = max(
            sum(
                times
                for (where, route, op), times in self._trading.items()
                if where == venue and route == "rest" and op.startswith("query_")
            )
            for venue in PAIR
        )
        return round(reads / max(self._seconds / 60, 1.0), 2)


async def _cycles(cycles: int, folder: Path) -> Spent:
    from exchange_factory import create_exchange
    from mpdex.sim.host import VenueHost
    from mpdex.sim.records import OrderChanged
    from mpdex.sim.run import start

    refused = 0
    over_limit = VenueHost._over_limit

    def counted(self: VenueHost, request: Any) -> float:
        nonlocal refused
        wait = over_limit(self, request)
        refused += wait > 0
        return wait

    with patch.object(VenueHost, "_over_limit", counted):
        async with await start(PAIR, seed=1) as world:
            dexes: list[Any] = [
                await create_exchange(
                    venue, world.credentials[venue], endpoints=world.endpoints[venue],
                    clock=world.clock,
                )
                for venue in PAIR
            ]  # fmt: skip
            crossed: set[str] = set()
            world.exchanges["grvt"].listen(
                lambda event: _note_crossed(event, crossed), OrderChanged
            )
            before = world.counts.copy()
            seen: list[tuple[float, Counter[Any]]] = []

            def watch(status: Status) -> None:
                if status.phase == "running":
                    seen.append((world.clock.monotonic(), world.counts.copy()))

            result = await run_hedge(
                _config(dexes, cycles, folder),
                *dexes,
                clock=world.clock,
                rng=random.Random(1),
                progress=watch,
            )
            counts = world.counts - before
            (first, began), (last, ended) = seen[0], seen[-1]
            for dex in dexes:
                await dex.close()
    grvt = world.exchanges["grvt"]
    fills = sum(len(grvt.fills(account)) for account in grvt.accounts)
    trading = (ended - began, last - first)
    return Spent(counts, trading, refused, len(crossed), fills, result)


def _note_crossed(event: Any, crossed: set[str]) -> None:
    if event.order.reason == "post_only":
        crossed.add(event.order.client_id)

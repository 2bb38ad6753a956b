"""A WebSocket connection over TLS: its round trip, and its CPU when a frame comes each millisecond.

The subject is the whole connection of the product (`VenueStream`: socket, liveness, quarantine,
decode), on each of its two engines; the floor is a raw asyncio protocol that moves as many bytes.
Client and server are processes of their own, on cores of their own; the client's candidates are
asked in turn.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from bench.harness import ROUNDS, TRIES, Row, ratio_row, restless
from bench.servers import FRAME
from bench.workers import Worker, questions, say, uncollected
from mpdex.errors import MissingDependency
from mpdex.types import Event, Topic
from wrappers.venue_stream import VenueStream

MESSAGE = b"x" * 100
TRIPS = 100  # a turn
PACED = 150  # frames a turn
CANDIDATES = ("floor", "picows", "websockets")
TARGETS = {"ws.roundtrip": 1.05, "ws.paced_cpu": 1.1}


def roundtrip() -> list[Row]:
    """100 bytes there and back."""
    return _rows("ws.roundtrip", "trips", TRIPS)


def paced_cpu() -> list[Row]:
    """CPU of the client's process for each 300-byte frame."""
    return _rows("ws.paced_cpu", "paced", PACED)


def _rows(name: str, what: str, amount: int) -> list[Row]:
    with Worker("echo") as server, Worker("ws", server.ready, core=0) as worker:
        names = [name for name in CANDIDATES if name in worker.ready]
        for _ in range(TRIES):
            times = _turns(worker, names, what, amount)
            noisy = restless(times["floor"])
            if not noisy:
                break
    target = {"picows": TARGETS[name]}
    return [
        ratio_row(name, f"mpdex on {key}", times[key], times["floor"], target.get(key), noisy)
        for key in names[1:]
    ]


def _turns(worker: Worker, names: Sequence[str], what: str, amount: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(ROUNDS + 1):
        shift = turn % len(names)
        for name in [*names[shift:], *names[:shift]]:
            seconds = worker.ask(name, what, amount)
            if turn:  # the first one warms
                times[name].append(seconds)
    return times


# --------------------------------------------------------------------------- the client's process


class Talker(Protocol):
    """A connection under test. `heard` is called with the length of what has arrived."""

    heard: Callable[[int], None]

    def send(self, data: bytes) -> None: ...


class Raw(asyncio.Protocol):
    """The floor."""

    heard: Callable[[int], None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.send = transport.write

    def data_received(self, data: bytes) -> None:
        self.heard(len(data))


class Stream(VenueStream):
    """The product's connection to a venue that says nothing we know."""

    ACKS_SUBSCRIBE = False
    heard: Callable[[int], None]

    def wire_topic(self, topic: Topic) -> str:
        return topic.channel

    def encode_subscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return []

    def encode_unsubscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return []

    def decode(self, frame: bytes) -> Iterable[Event]:
        self.heard(len(frame))
        return ()


def client(ports: dict[str, Any]) -> None:
    """The worker: connects each candidate, says which there are, and lets one work at a time."""
    with asyncio.Runner() as runner:
        talkers = runner.run(_connect(ports))
        say(list(talkers))
        for name, what, amount in questions():
            work = _trips if what == "trips" else _paced
            with uncollected():
                seconds = runner.run(work(talkers[name], amount))
            say(seconds)
        runner.run(_close(talkers))


async def _connect(ports: dict[str, Any]) -> dict[str, Any]:
    context = trust(ports["authority"])
    loop = asyncio.get_running_loop()
    _, raw = await loop.create_connection(Raw, "127.0.0.1", ports["raw"], ssl=context)
    talkers: dict[str, Any] = {"floor": raw}
    for engine in CANDIDATES[1:]:
        stream = Stream(
            url=f"wss://127.0.0.1:{ports['wss']}",
            engine=engine,  # type: ignore[arg-type]
            ssl_context=context,
        )
        try:
            await stream.connect()
        except MissingDependency:
            continue  # a peer that is not installed is left out
        else:
            talkers[engine] = stream
    return talkers


async def _close(talkers: dict[str, Any]) -> None:
    for talker in talkers.values():
        if isinstance(talker, VenueStream):
            await talker.close()


async def _trips(talker: Talker, amount: int) -> float:
    """Median seconds of a round trip."""
    done = asyncio.get_running_loop().create_future()
    times: list[float] = []
    clock = time.perf_counter
    begun, left = clock(), len(MESSAGE)

    def heard(length: int) -> None:
        nonlocal begun, left
        left -= length
        if left:
            return
        times.append(clock() - begun)
        if len(times) == amount:
            done.set_result(None)
        else:
            begun, left = clock(), len(MESSAGE)
            talker.send(MESSAGE)

    talker.heard = heard
    talker.send(MESSAGE)
    await done
    return statistics.median(times)


async def _paced(talker: Talker, amount: int) -> float:
    """CPU seconds a frame."""
    done = asyncio.get_running_loop().create_future()
    left = amount * len(FRAME)

    def heard(length: int) -> None:
        nonlocal left
        left -= length
        if not left:
            done.set_result(None)

    talker.heard = heard
    begun = time.process_time()
    talker.send(b"P%d" % amount)
    await done
    return (time.process_time() - begun) / amount


def trust(authority: str) -> Any:
    """A TLS context that trusts the throwaway authority."""
    import ssl

    return ssl.create_default_context(cafile=authority)

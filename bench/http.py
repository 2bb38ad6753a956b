"""An order by HTTPS over a kept connection: `RestTransport` beside a raw asyncio protocol.

The floor writes a request that was built before and parses the answer's body; the subject goes the
whole way of an order, except the curve operation, which `sign.*` measures: limit, body, signing
hook with five headers, aiohttp, decoded answer, error mapping. `aiohttp bare` is the client that
the subject stands on, so what lies between the two is the product's own.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from bench.harness import ROUNDS, TRIES, Row, count, ratio_row, restless
from bench.servers import request_length
from bench.workers import Worker, questions, say, uncollected
from mpdex.types import Limit, Request, VenueSpec
from mpdex.utils.clock import SystemClock
from mpdex.utils.rest import RestTransport
from mpdex.utils.throttle import Throttle

PATH = "/api/v1/order"
ORDERS = 60  # a turn
CANDIDATES = ("floor", "mpdex", "aiohttp bare")
TARGET = 2.3
BODY = msgspec.json.encode(
    {
        "clientId": 1234567890,
        "orderType": "Limit",
        "price": "2999.17",
        "quantity": "0.05",
        "side": "Ask",
        "symbol": "ETH_USDC_PERP",
        "timeInForce": "IOC",
        "note": "x" * 260,
    }
)
HEADERS = {
    "X-API-Key": "k" * 44,
    "X-Signature": "s" * 88,
    "X-Timestamp": "1790000000000",
    "X-Window": "5000",
    "Content-Type": "application/json; charset=utf-8",
}
SPEC = VenueSpec(name="bench", endpoints={}, credentials=(), limits={"default": Limit(10**9, 60.0)})
_decode = msgspec.json.Decoder().decode


def order() -> list[Row]:
    """Latency of one order, one at a time."""
    with Worker("echo") as server, Worker("http", server.ready, core=0) as worker:
        for _ in range(TRIES):
            times = _turns(worker)
            noisy = restless(times["floor"])
            if not noisy:
                break
    return [
        ratio_row("http.order", "mpdex", times["mpdex"], times["floor"], TARGET, noisy),
        ratio_row("http.order", "aiohttp bare", times["aiohttp bare"], times["floor"], None, noisy),
    ]


def connections() -> list[Row]:
    """Connections opened by 200 orders after the first."""
    with Worker("echo") as server, Worker("http", server.ready, core=0) as worker:
        worker.ask("mpdex", 1)
        before = worker.ask("connections", 0)
        worker.ask("mpdex", 200)
        opened = worker.ask("connections", 0) - before
    if not before:
        raise RuntimeError("http.connections: the first one was not counted")
    return [count("http.connections", "200 orders", opened, 0, "new connections")]


def _turns(worker: Worker) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    for turn in range(ROUNDS + 1):
        shift = turn % len(CANDIDATES)
        for name in CANDIDATES[shift:] + CANDIDATES[:shift]:
            seconds = worker.ask(name, ORDERS)
            if turn:
                times[name].append(seconds)
    return times


# --------------------------------------------------------------------------- the client's process


class Raw(asyncio.Protocol):
    """The floor: one request out, one answer in."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""
        self._answer: asyncio.Future[bytes] | None = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        whole = request_length(self._buffer)  # an answer has the same shape
        if whole and len(self._buffer) >= whole and self._answer is not None:
            answer, self._buffer = self._buffer, b""
            self._answer.set_result(answer)

    async def ask(self, request: bytes) -> bytes:
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer


def client(ports: dict[str, Any]) -> None:
    """The worker. aiohttp reads the trusted authority from the environment when it is imported."""
    os.environ["SSL_CERT_FILE"] = ports["authority"]
    with asyncio.Runner() as runner:
        rest = transport(f"https://127.0.0.1:{ports['http']}")
        candidates, close = runner.run(_candidates(ports, rest))
        say(list(candidates))
        for name, amount in questions():
            if name == "connections":
                say(rest.connections_opened)
            else:
                with uncollected():
                    seconds = runner.run(_many(candidates[name], amount))
                say(seconds)
        runner.run(close())
        runner.run(rest.close())


def transport(url: str) -> RestTransport:
    """The product's, with a signing hook that signs nothing new."""

    def sign(request: Request, now_ms: int) -> Request:
        """Built as the venues build it."""
        r = request
        return Request(
            r.method, r.path, r.json, r.query, r.host, r.signed, r.scope, r.weight, r.lane,
            r.command, r.call, r.body, {**r.headers, **HEADERS},
        )  # fmt: skip

    def judge(status: int, answer: Any, request: Request) -> Exception | None:
        return None if status < 400 else RuntimeError(f"HTTP {status}")

    clock = SystemClock()
    return RestTransport(
        SPEC,
        {"rest": url},
        clock=clock,
        throttle=Throttle(SPEC.limits, clock=clock),
        sign=sign,
        decode_error=judge,
        rng=random.Random(1),
    )


async def _candidates(
    ports: dict[str, Any], rest: RestTransport
) -> tuple[
    dict[str, Callable[[], Coroutine[Any, Any, Any]]], Callable[[], Coroutine[Any, Any, None]]
]:
    import aiohttp

    from bench.ws import trust

    url = f"https://127.0.0.1:{ports['http']}{PATH}"
    loop = asyncio.get_running_loop()
    _, raw = await loop.create_connection(
        Raw, "127.0.0.1", ports["http"], ssl=trust(ports["authority"])
    )
    lines = [f"POST {PATH} HTTP/1.1", f"Host: 127.0.0.1:{ports['http']}"]
    lines += [f"{name}: {value}" for name, value in HEADERS.items()]
    lines.append(f"Content-Length: {len(BODY)}")
    request = "\r\n".join([*lines, "", ""]).encode() + BODY
    prepared = Request("POST", PATH, signed=True, command=True, body=BODY)
    session = aiohttp.ClientSession()

    async def floor() -> Any:
        return _decode((await raw.ask(request)).split(b"\r\n\r\n", 1)[1])

    async def mpdex() -> Any:
        return await rest.send(prepared)

    async def bare() -> Any:
        async with session.post(url, data=BODY, headers=HEADERS) as response:
            return _decode(await response.read())

    candidates = {"floor": floor, "mpdex": mpdex, "aiohttp bare": bare}
    answers = [await run() for run in candidates.values()]
    if any(answer != answers[0] for answer in answers):
        raise RuntimeError(f"http.order: the candidates differ: {answers}")
    return candidates, session.close


async def _many(one: Callable[[], Awaitable[Any]], amount: int) -> float:
    """Median seconds."""
    times = []
    for _ in range(5 if amount > 5 else 0):
        await one()
    for _ in range(amount):
        begun = time.perf_counter()
        await one()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)

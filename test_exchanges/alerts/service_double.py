"""A service on loopback that answers as told, and the other things that alert tests share."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from mpdex.alerts import AlertConfig, Alerts
from mpdex.alerts.config import Telegram
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import run_virtual
from strategies.words import Alarm

EPOCH = 1_767_225_600
TOKEN = "123456:" + "planted" * 3
CHAT = 4711
EXPOSED = Alarm("exposed", "0.5 ETH long", page=True)

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Service:
    """Keeps what was posted, with the loop's time; `replies` go one by one, the last for ever."""

    url: str = ""
    replies: list[Reply] = field(default_factory=list)
    seen: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def texts(self) -> list[str]:
        return [body.get("text") or body.get("content", "") for _, _, body in self.seen]

    @property
    def times(self) -> list[float]:
        return [at for at, _, _ in self.seen]

    async def wait_posts(self, count: int) -> None:
        while len(self.seen) < count:
            self.arrived.clear()
            await self.arrived.wait()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((now(), request.path, await request.json()))
        self.headers.append(dict(request.headers))
        self.arrived.set()
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return await reply(request)


def says(body: str = '{"ok": true}', status: int = 200, **headers: str) -> Reply:
    async def reply(_: web.Request) -> web.StreamResponse:
        spelled = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(
            text=body, status=status, content_type="application/json", headers=spelled
        )

    return reply


async def stalls(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(600)
    return web.Response()


async def drops(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


@asynccontextmanager
async def served(handler: Reply) -> AsyncIterator[str]:
    """The URL at which a handler answers everything."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def service(*replies: Reply) -> AsyncIterator[Service]:
    double = Service(replies=list(replies) or [says()])
    async with served(double.handle) as url:
        double.url = url
        yield double


def telegram(url: str, **options: Any) -> AlertConfig:
    return AlertConfig(telegram=Telegram(TOKEN, str(CHAT), url=url, **options))


def clock() -> LoopClock:
    return LoopClock(asyncio.get_running_loop(), EPOCH * 10**9)


def make(config: AlertConfig, **options: Any) -> Alerts:
    return Alerts(
        config, **{"clock": clock(), "rng": random.Random(1), "run": "p/h ETH", **options}
    )


@asynccontextmanager
async def working(alerts: Alerts) -> AsyncIterator[Alerts]:
    """With its workers; afterwards they must have ended by themselves."""
    async with asyncio.timeout(3600), asyncio.TaskGroup() as group:
        for worker in alerts.workers():
            group.create_task(worker)
        try:
            yield alerts
        finally:
            alerts.finish()


def about_delivery(log: pytest.LogCaptureFixture) -> list[str]:
    return [text for record in log.records if "reach" in (text := record.getMessage())]


def now() -> float:
    return asyncio.get_running_loop().time()


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a test in virtual time; its arguments stay pytest's."""

    def run(**arguments: Any) -> None:
        run_virtual(test(**arguments))

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    return run

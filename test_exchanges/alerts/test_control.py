"""mpdex.alerts.control: long polling, against a Bot API on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from mpdex.alerts import Alerts
from test_exchanges.alerts.service_double import (
    CHAT,
    EPOCH,
    TOKEN,
    make,
    now,
    served,
    telegram,
    virtual,
    working,
)

ME, STRANGER = 77, 13


@dataclass
class Bot:
    """A Bot API: keeps updates until they are confirmed, and what was sent."""

    url: str = ""
    updates: list[dict[str, Any]] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    polls: list[float] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    failures: list[web.Response] = field(default_factory=list)
    forgetful: bool = False  # for three polls it tells everything again, and twice
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    last: int = 100

    def say(self, text: str, user: int = ME, *, age: int = 0) -> None:
        self.last += 1
        message = {
            "message_id": self.last,
            "from": {"id": user, "is_bot": False},
            "chat": {"id": user},
            "date": EPOCH + int(now()) - age,
            "text": text,
        }
        self.updates.append({"update_id": self.last, "message": message})
        self.changed.set()

    @property
    def texts(self) -> list[str]:
        return [body["text"] for body in self.sent]

    async def wait_sent(self, count: int) -> None:
        while len(self.sent) < count:
            self.changed.clear()
            await self.changed.wait()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        match request.path.removeprefix(f"/bot{TOKEN}"):
            case "/getMe":
                return result({"id": 1, "is_bot": True, "username": "DeskBot"})
            case "/getUpdates":
                return await self.poll(body)
            case "/sendMessage":
                self.sent.append(body)
                self.changed.set()
                return result({"message_id": 1})
        return web.json_response({"ok": False, "description": "Not Found"}, status=404)

    async def poll(self, body: dict[str, Any]) -> web.StreamResponse:
        self.offsets.append(body["offset"])
        self.polls.append(now())
        assert body["allowed_updates"] == ["message"]
        if self.failures:
            return self.failures.pop(0)
        if not self.forgetful:
            self.updates = [one for one in self.updates if one["update_id"] >= body["offset"]]
        try:
            async with asyncio.timeout(body["timeout"]):
                while not self.updates:
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            pass
        found = self.updates * 2 if self.forgetful else self.updates
        self.forgetful = self.forgetful and len(self.polls) < 3
        return result(found)


def result(value: Any) -> web.Response:
    return web.json_response({"ok": True, "result": value})


def refuses(status: int, text: str, **parameters: int) -> web.Response:
    body = {"ok": False, "description": text, "parameters": parameters}
    return web.json_response(body, status=status)


@dataclass
class Stage:
    bot: Bot
    alerts: Alerts
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def wanted(self) -> list[str]:
        return [what for what, _ in self.asked]


@asynccontextmanager
async def listening(*allow: int, **options: Any) -> AsyncIterator[Stage]:
    bot = Bot()
    async with served(bot.handle) as url:
        bot.url = url
        alerts = make(telegram(url, allow=frozenset(allow or (ME,))), **options)
        stage = Stage(bot, alerts)
        alerts.attend(lambda what, who: stage.asked.append((what, who)), lambda: "running 3/10")
        async with working(alerts):
            yield stage


@virtual
async def test_a_command_is_done_and_answered_where_it_was_said() -> None:
    async with listening() as stage:
        await asyncio.sleep(40)
        stage.bot.say("/status")
        stage.bot.say("/pause")
        await stage.bot.wait_sent(2)
    assert stage.asked == [("pause", f"telegram user {ME}")]
    assert stage.bot.texts[0] == "running 3/10"
    assert [body["chat_id"] for body in stage.bot.sent] == [ME, ME]
    assert CHAT != ME


@virtual
async def test_each_update_is_confirmed_and_done_once() -> None:
    async with listening() as stage:
        stage.bot.forgetful = True
        stage.bot.say("/pause")
        await asyncio.sleep(60)
        assert stage.bot.polls[2] < 1
        stage.bot.say("/resume")
        await asyncio.sleep(60)
    assert stage.wanted == ["pause", "resume"]
    assert stage.bot.offsets[0] == 0
    assert stage.bot.offsets[-1] == 103
    assert not stage.bot.updates


@virtual
async def test_nobody_off_the_list_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as stage:
        for text in ("/drain", "/flatten", "/flatten 0000", "/status"):
            stage.bot.say(text, STRANGER)
        await asyncio.sleep(30)
        stage.bot.say("/pause")
        await stage.bot.wait_sent(1)
    assert stage.wanted == ["pause"]
    assert len(stage.bot.sent) == 1
    told = [text for text in caplog.messages if str(STRANGER) in text]
    assert told == [
        f"telegram: user {STRANGER} in chat {STRANGER} is not on the allow-list and is not heard"
    ]


@virtual
async def test_what_was_said_while_nobody_listened_is_dropped_with_a_note() -> None:
    async with listening() as stage:
        stage.bot.say("/drain", age=30)
        stage.bot.say("/flatten", age=90)
        await stage.bot.wait_sent(1)
        await asyncio.sleep(100)
    assert stage.asked == []
    assert stage.bot.texts == [
        "not done, for it was sent before this run or over a minute ago: /drain, /flatten"
    ]


@virtual
async def test_flatten_is_confirmed_in_the_chat() -> None:
    async with listening() as stage:
        stage.bot.say("/flatten")
        await stage.bot.wait_sent(1)
        assert stage.asked == []
        stage.bot.say(f"/flatten {stage.bot.texts[0].split()[-1]}")
        await stage.bot.wait_sent(2)
    assert stage.wanted == ["flatten"]


@virtual
async def test_errors_are_waited_out_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as stage:
        stage.bot.failures = [
            refuses(409, "Conflict: another getUpdates"),
            web.Response(status=502, text="<html>"),
            refuses(429, "Too Many Requests", retry_after=30),
        ]
        await asyncio.sleep(45)
        stage.bot.say("/pause")
        await stage.bot.wait_sent(1)
    gaps = [later - at for at, later in zip(stage.bot.polls, stage.bot.polls[1:], strict=False)]
    for gap, pause in zip(gaps, (1, 2, 30), strict=False):
        assert pause <= gap <= pause + 1
    assert [text for text in caplog.messages if "telegram commands" in text] == [
        "telegram commands are not heard: HTTP 409 Conflict: another getUpdates",
        "telegram commands are heard again",
    ]
    assert stage.wanted == ["pause"]


@virtual
async def test_a_service_that_comes_back_is_heard_again() -> None:
    """Neither a refused connection nor an answer of another shape ends the listening."""
    async with listening() as stage:
        stage.bot.failures = [
            web.json_response({"ok": True, "result": {"not": "a list"}}),
            web.json_response({"ok": True, "result": [{"update_id": "x", "message": 5}]}),
            web.json_response({"ok": True}),
        ]
        await asyncio.sleep(30)
        stage.bot.say("/drain")
        await stage.bot.wait_sent(1)
    assert stage.wanted == ["drain"]


@virtual
async def test_a_callback_that_fails_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as stage:
        stage.alerts._status = lambda: "fine"
        control = stage.alerts._control
        assert control is not None
        await asyncio.sleep(1)
        assert control._commands is not None
        control._commands._status = lambda: str(1 / 0)
        stage.bot.say("/status")
        await asyncio.sleep(10)
        stage.bot.say("/pause")
        await stage.bot.wait_sent(1)
    assert stage.wanted == ["pause"]
    assert "telegram commands are not heard: ZeroDivisionError" in caplog.messages


@virtual
async def test_the_end_waits_for_no_poll() -> None:
    async with listening() as stage:
        await asyncio.sleep(30)
        ended = now()
    assert now() - ended < 0.2
    assert len(stage.bot.polls) == 2


@virtual
async def test_without_an_allow_list_nothing_is_read() -> None:
    bot = Bot()
    async with served(bot.handle) as url:
        alerts = make(telegram(url))
        alerts.attend(lambda what, who: None, str)
        async with working(alerts):
            await asyncio.sleep(100)
    assert not bot.polls

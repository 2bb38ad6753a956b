"""mpdex.alerts as a whole, against services on loopback: delivery, repetition, and every outage."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from mpdex.alerts import AlertConfig
from mpdex.alerts.config import Discord, Telegram, Webhook
from mpdex.alerts.sender import FLUSH
from strategies.words import Alarm
from test_exchanges.alerts.service_double import (
    CHAT,
    EPOCH,
    EXPOSED,
    TOKEN,
    Reply,
    about_delivery,
    drops,
    make,
    now,
    says,
    service,
    stalls,
    telegram,
    virtual,
    working,
)

START = Alarm("start", "begins")
RESOLVED = Alarm("resolved", "neutral again")
HOOK_SECRET = "hushhush" * 4


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def everything_logged(log: pytest.LogCaptureFixture) -> str:
    """Tracebacks and chained errors included."""
    formatter = logging.Formatter()
    return "\n".join(formatter.format(record) for record in log.records)


# --------------------------------------------------------------------------- delivery


@virtual
async def test_every_channel_gets_an_alarm_in_its_own_form(tmp_path: Path) -> None:
    async with service() as chat, service(says("", 204)) as room, service(says("thanks")) as hook:
        config = AlertConfig(
            "rig 1",
            tmp_path / "sub" / "alerts.jsonl",
            Telegram(TOKEN, str(CHAT), url=chat.url),
            Discord(f"{room.url}/api/webhooks/1/{HOOK_SECRET}", "@here"),
            Webhook(f"{hook.url}/take/?key={HOOK_SECRET}", "Bearer word"),
        )
        async with working(make(config)) as alerts:
            alerts.say(EXPOSED)
            for one in (chat, room, hook):
                await one.wait_posts(1)
        await alerts.close()
    text = "[rig 1 p/h ETH] EXPOSED: 0.5 ETH long"
    assert chat.seen[0][1] == f"/bot{TOKEN}/sendMessage"
    assert (chat.texts, chat.seen[0][2]["chat_id"]) == ([text], CHAT)
    assert room.seen[0][1] == f"/api/webhooks/1/{HOOK_SECRET}"
    assert room.texts == [f"@here {text}"]
    assert hook.seen[0][1] == "/take/"
    assert hook.headers[0]["Authorization"] == "Bearer word"
    assert [hook.seen[0][2]] == lines(tmp_path / "sub" / "alerts.jsonl")
    assert hook.seen[0][2]["at_ms"] == EPOCH * 1000


@virtual
async def test_a_page_is_repeated_until_it_is_resolved(tmp_path: Path) -> None:
    async with service() as chat, working(make(telegram(chat.url), file=tmp_path / "a")) as alerts:
        alerts.say(EXPOSED)
        await asyncio.sleep(150)
        alerts.say(RESOLVED)
        await asyncio.sleep(600)
    assert [round(at) for at in chat.times] == [0, 60, 120, 150]
    assert chat.texts[1] == "[p/h ETH] EXPOSED (for 1 min now): 0.5 ETH long"
    assert chat.texts[3] == "[p/h ETH] resolved: neutral again"
    assert [line["standing"] for line in lines(tmp_path / "a")] == [0, 60, 120, 0]


@virtual
async def test_the_last_words_are_delivered_before_the_workers_end() -> None:
    async with service() as chat:
        alerts = make(telegram(chat.url))
        async with working(alerts):
            alerts.say(Alarm("stop", "ended with 0"))
    assert chat.texts == ["[p/h ETH] stop: ended with 0"]


@virtual
async def test_what_is_said_at_once_waits_for_no_worker() -> None:
    async with service(says(status=500), says()) as chat:
        alerts = make(telegram(chat.url))
        await alerts.say_now(Alarm("stop", "did not begin"))
        await alerts.say_now(Alarm("stop", "did not begin"))
        await alerts.close()
    assert chat.texts == ["[p/h ETH] stop: did not begin"] * 2


# --------------------------------------------------------------------------- outages


async def no_such_host(*_: object, **__: object) -> Any:
    raise socket.gaierror(-2, "Name or service not known")


@virtual
async def test_with_every_channel_down_log_and_file_have_the_alarm_and_nothing_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PR-17: a 500, a name that is not known, a port where nobody is, and no answer at all."""
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo

    async def look_up(host: str, *rest: Any, **named: Any) -> Any:
        return await (no_such_host if host == "nowhere.test" else real)(host, *rest, **named)

    monkeypatch.setattr(loop, "getaddrinfo", look_up)
    for room_url in (f"https://nowhere.test/{HOOK_SECRET}", f"http://127.0.0.1:1/{HOOK_SECRET}"):
        async with service(says("", 500)) as chat, service(stalls) as hook:
            file = tmp_path / f"{len(room_url)}.jsonl"
            config = AlertConfig(
                file=file,
                telegram=Telegram(TOKEN, str(CHAT), url=chat.url),
                discord=Discord(room_url),
                webhook=Webhook(f"{hook.url}/{HOOK_SECRET}"),
            )
            caplog.clear()
            async with working(make(config)) as alerts:
                await asyncio.sleep(1)
                before = now()
                alerts.say(EXPOSED)
                assert now() == before
                assert lines(file)[0]["text"] == "0.5 ETH long"
                assert "[p/h ETH] EXPOSED: 0.5 ETH long" in caplog.messages
                await asyncio.sleep(400)
                ended = now()
            assert now() - ended <= FLUSH + 0.1
            told = about_delivery(caplog)
            assert len([text for text in told if "do not reach" in text]) == 3
            assert len([text for text in told if "never reached" in text]) == 3
            assert [line["standing"] for line in lines(file)][:3] == [0, 60, 120]


@virtual
async def test_a_silent_service_does_not_keep_another_waiting() -> None:
    async with service(stalls) as chat, service(says("", 204)) as room:
        config = AlertConfig(
            telegram=Telegram(TOKEN, str(CHAT), url=chat.url),
            discord=Discord(f"{room.url}/{HOOK_SECRET}"),
        )
        async with working(make(config)) as alerts:
            alerts.say(EXPOSED)
            await room.wait_posts(1)
            assert now() < 1


# --------------------------------------------------------------------------- the file


@virtual
async def test_a_disk_that_says_no_is_told_once_and_hurts_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with service() as chat:
        alerts = make(telegram(chat.url), file=tmp_path / "a")
        async with working(alerts):
            monkeypatch.setattr(os, "write", full)
            alerts.say(START)
            alerts.say(EXPOSED)
            await chat.wait_posts(2)
            monkeypatch.undo()
            alerts.say(RESOLVED)
        await alerts.close()
    told = [text for text in caplog.messages if "cannot be written" in text]
    assert told == [f"alarms cannot be written down: {tmp_path / 'a'}: No space left on device"]
    assert [line["topic"] for line in lines(tmp_path / "a")] == ["resolved"]
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


@virtual
async def test_odd_text_of_a_venue_breaks_nothing(tmp_path: Path) -> None:
    async with service() as chat, working(make(telegram(chat.url), file=tmp_path / "a")) as alerts:
        alerts.say(Alarm("unwind", 'said "\udcff\n\x00" & <b>'))
        await chat.wait_posts(1)
    assert chat.texts == ['[p/h ETH] unwind: said "?\n\x00" & <b>']
    assert lines(tmp_path / "a")[0]["text"] == 'said "?\n\x00" & <b>'


# --------------------------------------------------------------------------- the test message


@virtual
async def test_proving_says_which_channels_fail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = says('{"ok": false, "description": "Bad Request: chat not found"}', 400)
    async with service(refusal) as chat, service(says("", 204)) as room:
        config = AlertConfig(
            telegram=Telegram(TOKEN, str(CHAT), url=chat.url),
            discord=Discord(f"{room.url}/{HOOK_SECRET}"),
        )
        alerts = make(config, file=tmp_path / "a")
        problems = await alerts.prove()
        await alerts.close()
    text = "HTTP 400 Bad Request: chat not found"
    assert problems == {"file": "", "telegram": text, "discord": ""}
    assert about_delivery(caplog) == [f"alarms do not reach telegram: {text}"]
    assert room.texts == ["[p/h ETH] test: alarms of this run reach you here"]


# --------------------------------------------------------------------------- secrets


async def echoes(request: web.Request) -> web.StreamResponse:
    """A service that repeats what it was asked, as an error page may."""
    text = f"no such path {request.rel_url} {request.headers.get('Authorization')}"
    return web.json_response({"ok": False, "description": text, "message": text}, status=400)


@pytest.mark.parametrize("reply", [says("", 500), stalls, drops, echoes, None])
@virtual
async def test_no_failure_shows_a_secret(
    reply: Reply | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """AU-06: planted secrets in every address, every way to fail, everything that is kept."""
    caplog.set_level(logging.DEBUG)
    secrets = (TOKEN, HOOK_SECRET, "Bearer planted-word")
    async with service(reply or says()) as double:
        url = double.url if reply else "http://127.0.0.1:1"
        config = AlertConfig(
            file=tmp_path / "a",
            telegram=Telegram(TOKEN, str(CHAT), frozenset({CHAT}), url),
            discord=Discord(f"{url}/api/{HOOK_SECRET}/"),
            webhook=Webhook(f"{url}/hook?key={HOOK_SECRET}", secrets[2]),
        )
        alerts = make(config)
        problems = await alerts.prove()
        alerts.attend(lambda what, who: None, str)
        async with working(alerts):
            for text in secrets:
                alerts.say(Alarm("halt", f"somebody wrote {text} into a reason", page=True))
                alerts.say(Alarm("unwind", f"and {text}"))
            await asyncio.sleep(100)
        transports = [one._http for one in alerts._senders]
        await alerts.close()
    kept = [
        everything_logged(caplog),
        (tmp_path / "a").read_text(),
        repr([alerts, config, problems, alerts._senders]),
        repr([list(one.counts) for one in transports]),
        *(json.dumps(body) for _, path, body in double.seen),
    ]
    assert problems.keys() == {"file", "telegram", "discord", "webhook"}
    assert all(problems[name] for name in ("telegram", "discord", "webhook"))
    assert about_delivery(caplog)
    for secret in (TOKEN, TOKEN.partition(":")[2], HOOK_SECRET, "planted-word"):
        assert not [text for text in kept if secret in text]

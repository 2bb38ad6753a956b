"""mpdex.alerts.sender: retries, urgency, bounds and ends of one channel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from mpdex.alerts.sender import FLUSH
from strategies.words import Alarm
from test_exchanges.alerts.service_double import (
    EXPOSED,
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


@virtual
async def test_a_channel_may_want_pages_only() -> None:
    async with service() as chat, working(make(telegram(chat.url, pages_only=True))) as alerts:
        alerts.say(START)
        alerts.say(EXPOSED)
        await chat.wait_posts(1)
    assert chat.texts == ["[p/h ETH] EXPOSED: 0.5 ETH long"]


@virtual
async def test_a_failing_service_is_tried_again_and_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    replies = [says("oops", 500), drops, says("{}", 502), says("<html>", 200), says()]
    async with service(*replies) as chat, working(make(telegram(chat.url))) as alerts:
        alerts.say(EXPOSED)
        await chat.wait_posts(5)
        await asyncio.sleep(5)
    gaps = [later - at for at, later in zip(chat.times, chat.times[1:], strict=False)]
    for gap, pause in zip(gaps, (1, 2, 4, 8), strict=True):
        assert pause <= gap <= pause + 0.6
    assert about_delivery(caplog) == [
        "alarms do not reach telegram: HTTP 500, and not Telegram's answer",
        "alarms reach telegram again; 0 were lost",
    ]


@pytest.mark.parametrize(
    "reply",
    [
        says('{"ok": false, "parameters": {"retry_after": 42}}', 429),
        says('{"ok": false}', 429, Retry_After="42"),
    ],
    ids=["body", "header"],
)
@virtual
async def test_a_service_is_left_alone_for_as_long_as_it_asks(reply: Reply) -> None:
    async with service(reply, says()) as chat, working(make(telegram(chat.url))) as alerts:
        alerts.say(START)
        await asyncio.sleep(30)
        alerts.say(EXPOSED)
        await chat.wait_posts(3)
    assert chat.times[1] == pytest.approx(42, abs=0.1)
    assert chat.texts[1:] == ["[p/h ETH] EXPOSED: 0.5 ETH long", "[p/h ETH] start: begins"]


@virtual
async def test_a_page_overtakes_and_cuts_a_pause_short() -> None:
    replies = [says("", 500), says("", 500), says()]
    async with service(*replies) as chat, working(make(telegram(chat.url))) as alerts:
        alerts.say(START)
        await chat.wait_posts(2)  # the next attempt would come 2 s later
        await asyncio.sleep(0.5)
        alerts.say(EXPOSED)
        await chat.wait_posts(4)
    assert chat.times[2] - chat.times[1] == pytest.approx(0.5, abs=0.1)
    assert [text.split()[2] for text in chat.texts] == ["start:", "start:", "EXPOSED:", "start:"]


@virtual
async def test_what_cannot_be_delivered_is_given_up_in_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with service(says("", 503)) as chat, working(make(telegram(chat.url))) as alerts:
        alerts.say(START)
        await asyncio.sleep(1800)
        assert 5 <= len(chat.seen) <= 8
        assert chat.times[-1] <= 65
    assert about_delivery(caplog) == [
        "alarms do not reach telegram: HTTP 503, and not Telegram's answer",
        "1 alarms never reached telegram",
    ]


@virtual
async def test_a_refusal_for_good_is_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    reply = says('{"ok": false, "description": "Unauthorized"}', 401)
    async with service(reply) as chat, working(make(telegram(chat.url))) as alerts:
        alerts.say(START)
        alerts.say(EXPOSED)
        await asyncio.sleep(30)
    assert len(chat.seen) == 2
    assert about_delivery(caplog)[0] == "alarms do not reach telegram: HTTP 401 Unauthorized"


@virtual
async def test_the_queue_is_bounded_and_keeps_the_pages() -> None:
    replies = [says("", 500)] * 3 + [says()]
    async with service(*replies) as chat, working(make(telegram(chat.url))) as alerts:
        await asyncio.sleep(1)
        alerts.say(EXPOSED)
        for number in range(5000):
            alerts.say(Alarm("unwind", str(number)))
        (sender,) = alerts._senders
        assert sender.waiting == 100
        await chat.wait_posts(103)
    assert chat.texts[3] == "[p/h ETH] EXPOSED: 0.5 ETH long"
    assert chat.texts[-1] == "[p/h ETH] unwind: 4999"


@virtual
async def test_of_a_standing_page_only_the_newest_waits() -> None:
    async with service(says("", 500)) as chat, working(make(telegram(chat.url))) as alerts:
        alerts.say(EXPOSED)
        await asyncio.sleep(1000)
        (sender,) = alerts._senders
        assert sender.waiting == 1
        chat.replies = [says()]
        await asyncio.sleep(100)
    assert "(for 17 min now)" in chat.texts[-2] or "(for 16 min now)" in chat.texts[-2]


@pytest.mark.parametrize("reply", [says("", 500), stalls, drops, says("<html>")])
@virtual
async def test_a_service_that_is_down_delays_the_end_by_seconds_only(reply: Reply) -> None:
    async with service(reply) as chat:
        alerts = make(telegram(chat.url))
        async with working(alerts):
            alerts.say(EXPOSED)
            await chat.wait_posts(1)
            began = now()
        assert now() - began <= FLUSH + 0.1
    assert chat.seen


@virtual
async def test_a_fault_of_our_own_costs_one_message(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service() as chat, working(make(telegram(chat.url))) as alerts:
        (sender,) = alerts._senders
        judged = sender._channel.judge
        verdicts: list[Callable[[Any], Any]] = [lambda answer: 1 / 0, judged]
        channel = type("Broken", (), {})()
        for name in ("name", "encode", "pages_only"):
            setattr(channel, name, getattr(sender._channel, name))
        channel.judge = lambda answer: verdicts.pop(0)(answer)
        monkeypatch.setattr(sender, "_channel", channel)
        alerts.say(START)
        alerts.say(Alarm("unwind", "next"))
        await chat.wait_posts(2)
    assert "telegram: an alarm met ZeroDivisionError" in caplog.messages

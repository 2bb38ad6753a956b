"""mpdex.alerts.channels: what is sent, and what an answer means."""

from __future__ import annotations

import pytest

from mpdex.alerts.channels import (
    Failure,
    Message,
    decode_discord,
    decode_telegram,
    decode_webhook,
    discord_channel,
    encode_discord,
    encode_telegram,
    encode_webhook,
    telegram_channel,
    webhook_channel,
)
from mpdex.alerts.config import Discord, Telegram, Webhook
from mpdex.utils.rest import Answer

PAGE = Message("exposed", "0.5 ETH long", page=True, run="rig p/h ETH", at_ms=7)
CALM = Message("start", "begins")


def answer(status: int, body: str = "", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, body.encode())


def test_a_page_reads_as_one_and_says_how_long_it_stands() -> None:
    assert str(PAGE) == "[rig p/h ETH] EXPOSED: 0.5 ETH long"
    again = Message("exposed", "0.5 ETH long", page=True, standing=180)
    assert str(again) == "EXPOSED (for 3 min now): 0.5 ETH long"
    assert str(CALM) == "start: begins"
    assert str(Message("reply", "fine", run="rig", chat="7")) == "fine"


def test_telegram_rings_for_pages_and_answers_alone() -> None:
    request = encode_telegram(PAGE, "-1007")
    assert (request.method, request.path, request.command) == ("POST", "/sendMessage", False)
    assert request.json == {
        "chat_id": -1007,
        "text": str(PAGE),
        "disable_notification": False,
        "link_preview_options": {"is_disabled": True},
    }
    assert encode_telegram(CALM, "@room").json["disable_notification"] is True
    assert encode_telegram(CALM, "@room").json["chat_id"] == "@room"
    assert encode_telegram(Message("reply", "x", chat="9"), "1").json["chat_id"] == 9


def test_discord_calls_somebody_for_a_page_and_nobody_otherwise() -> None:
    assert encode_discord(PAGE, mention="@here").json == {
        "content": f"@here {PAGE}",
        "allowed_mentions": {"parse": ["everyone", "roles", "users"]},
    }
    calm = encode_discord(Message("start", "@everyone up"), mention="@here").json
    assert calm == {"content": "start: @everyone up", "allowed_mentions": {"parse": []}}


def test_a_webhook_gets_a_record() -> None:
    request = encode_webhook(PAGE, "/", "Bearer word")
    assert request.json == {
        "at_ms": 7,
        "run": "rig p/h ETH",
        "topic": "exposed",
        "text": "0.5 ETH long",
        "page": True,
        "standing": 0,
    }
    assert request.headers == {"Authorization": "Bearer word"}
    assert not encode_webhook(PAGE).headers


def test_long_texts_are_cut_to_what_a_service_takes() -> None:
    long = Message("halt", "x" * 9000)
    for text, limit in (
        (encode_telegram(long, "1").json["text"], 4096),
        (encode_discord(long).json["content"], 2000),
    ):
        assert len(text) == limit
        assert text.endswith("(cut)")


@pytest.mark.parametrize(
    ("given", "meaning"),
    [
        (answer(200, '{"ok": true, "result": {}}'), None),
        (
            answer(
                429, '{"ok": false, "description": "Too Many", "parameters": {"retry_after": 7}}'
            ),
            Failure("HTTP 429 Too Many", after=7),
        ),
        (answer(429, '{"ok": false}', Retry_After="3"), Failure("HTTP 429", after=3)),
        (answer(502, "<html>"), Failure("HTTP 502, and not Telegram's answer")),
        (answer(200, "<html>sign in"), Failure("HTTP 200, and not Telegram's answer")),
        (answer(200, "[]"), Failure("HTTP 200, and not Telegram's answer")),
        (
            answer(401, '{"ok": false, "description": "Unauthorized"}'),
            Failure("HTTP 401 Unauthorized", again=False),
        ),
    ],
)
def test_what_telegram_answers(given: Answer, meaning: Failure | None) -> None:
    assert decode_telegram(given) == meaning


@pytest.mark.parametrize(
    ("given", "meaning"),
    [
        (answer(204), None),
        (
            answer(429, '{"message": "slow", "retry_after": 0.5, "global": false}'),
            Failure("HTTP 429 slow", after=0.5),
        ),
        (answer(429, "cut off", Retry_After="soon"), Failure("HTTP 429")),
        (answer(404, '{"message": "Unknown Webhook"}'), Failure("HTTP 404 Unknown Webhook", False)),
        (answer(302), Failure("HTTP 302", again=False)),
        (answer(500), Failure("HTTP 500")),
    ],
)
def test_what_discord_answers(given: Answer, meaning: Failure | None) -> None:
    assert decode_discord(given) == meaning


@pytest.mark.parametrize(
    ("status", "again"), [(408, True), (503, True), (400, False), (301, False)]
)
def test_what_a_webhook_answers(status: int, again: bool) -> None:
    assert decode_webhook(answer(200)) is None
    assert decode_webhook(answer(status)) == Failure(f"HTTP {status}", again)


def test_no_address_is_in_a_request_or_a_printed_channel() -> None:
    secret = "planted" * 4
    made = [
        telegram_channel(Telegram(f"1:{secret}", "7")),
        discord_channel(Discord(f"https://d.test/{secret}/")),
        webhook_channel(Webhook(f"https://w.test/{secret}", f"Bearer {secret}")),
    ]
    for channel in made:
        assert secret in channel.url
        assert secret not in repr(channel)
        assert secret not in str(channel.encode(PAGE))
    assert [one.encode(PAGE).path for one in made] == ["/sendMessage", "/", ""]

"""mpdex.alerts.commands: who is heard, what is done, what is asked twice."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from mpdex.alerts.commands import Commands, Reply, Said, decode_updates

NOW = 1_767_225_600
ME, CHAT, STRANGER = 77, -500, 13
SAID = Said(1, CHAT, ME, bot=False, date=NOW + 10, text="/status")


class Desk:
    """What was asked for."""

    def __init__(self, *allow: int) -> None:
        self.asked: list[tuple[str, str]] = []
        self.commands = Commands(
            frozenset(allow or (ME,)),
            name="DeskBot",
            started=NOW,
            rng=random.Random(1),
            ask=lambda what, who: self.asked.append((what, who)),
            status=lambda: "running 3/10",
        )

    def say(self, text: str, at: int = NOW + 10, **change: Any) -> list[Reply]:
        return self.commands.hear([replace(SAID, text=text, date=at, **change)], at)

    def word(self) -> str:
        (reply,) = self.say("/flatten")
        return reply.text.split()[-1]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("/pause", "pause"),
        ("/resume", "resume"),
        ("/drain", "drain"),
        ("/PAUSE now please", "pause"),
        ("/pause@deskbot", "pause"),
    ],
)
def test_a_command_is_handed_on_and_answered(text: str, asked: str) -> None:
    desk = Desk()
    (reply,) = desk.say(text)
    assert desk.asked == [(asked, f"telegram user {ME}")]
    assert (reply.chat, reply.note) == (CHAT, False)
    assert reply.text


def test_status_is_answered_and_asks_for_nothing() -> None:
    desk = Desk()
    assert desk.say("/status") == [Reply(CHAT, "running 3/10")]
    assert not desk.asked


@pytest.mark.parametrize("text", ["good morning", "", "  ", "pause", "/pause@otherbot", "drain!"])
def test_talk_and_words_for_other_bots_are_nothing(text: str) -> None:
    desk = Desk()
    assert desk.say(text) == []
    assert not desk.asked


def test_an_unknown_command_gets_the_list() -> None:
    desk = Desk()
    (reply,) = desk.say("/sell")
    assert "/flatten" in reply.text
    assert not desk.asked


# --------------------------------------------------------------------------- who


def test_a_stranger_is_logged_once_and_never_answered() -> None:
    desk = Desk()
    (note,) = desk.say("/drain", user=STRANGER)
    assert note == Reply(
        None, f"user {STRANGER} in chat {CHAT} is not on the allow-list and is not heard", note=True
    )
    assert desk.say("/flatten", user=STRANGER) == []
    assert desk.say("talk", user=STRANGER) == []
    assert len(desk.say("/pause", user=STRANGER + 1)) == 1
    assert not desk.asked


def test_strangers_are_remembered_up_to_a_bound() -> None:
    desk = Desk()
    notes = [desk.say("/pause", user=number) for number in range(1000, 5000)]
    assert len([note for note in notes if note]) == 1000


def test_an_allowed_chat_speaks_with_every_mouth_but_a_bots() -> None:
    desk = Desk(CHAT)
    desk.say("/pause", user=STRANGER)
    assert desk.say("/drain", user=STRANGER, chat=-501)[0].chat is None
    assert desk.say("/drain", user=14, bot=True)[0].chat is None
    assert [what for what, _ in desk.asked] == ["pause"]


# --------------------------------------------------------------------------- when


@pytest.mark.parametrize(
    ("sent", "heard"), [(NOW - 1, NOW + 5), (NOW + 10, NOW + 71)], ids=["before", "lain"]
)
def test_what_lay_about_is_not_done_but_told(sent: int, heard: int) -> None:
    desk = Desk()
    batch = [replace(SAID, text=text, date=sent) for text in ("/drain", "/flatten 1", "talk")]
    (reply,) = desk.commands.hear(batch, heard)
    assert reply == Reply(
        CHAT,
        "not done, for it was sent before this run or over a minute ago: /drain, /flatten",
        note=True,
    )
    assert not desk.asked


def test_many_late_words_make_one_note() -> None:
    desk = Desk()
    (reply,) = desk.commands.hear([replace(SAID, date=0)] * 90, NOW)
    assert reply.text.endswith("/status, /status, /status, /status, /status and 85 more")


def test_a_minute_old_is_still_fresh() -> None:
    desk = Desk()
    desk.commands.hear([replace(SAID, text="/pause", date=NOW)], NOW + 60)
    assert desk.asked


# --------------------------------------------------------------------------- flatten


def test_flatten_wants_its_word() -> None:
    desk = Desk()
    word = desk.word()
    assert not desk.asked
    (reply,) = desk.say(f"/flatten {word}", NOW + 70)
    assert desk.asked == [("flatten", f"telegram user {ME}")]
    assert reply.text.startswith("flattening")


def test_a_word_works_once() -> None:
    desk = Desk()
    word = desk.word()
    desk.say(f"/flatten {word}")
    (reply,) = desk.say(f"/flatten {word}")
    assert "not confirmed" in reply.text
    assert len(desk.asked) == 1


def test_a_word_is_over_after_a_minute() -> None:
    desk = Desk()
    word = desk.word()
    (reply,) = desk.say(f"/flatten {word}", NOW + 71)
    assert reply.text.startswith("too late")
    assert not desk.asked


def test_a_wrong_word_takes_the_right_one_with_it() -> None:
    desk = Desk()
    word = desk.word()
    assert "not confirmed" in desk.say("/flatten maybe")[0].text
    assert "not confirmed" in desk.say(f"/flatten {word}")[0].text
    assert not desk.asked


@pytest.mark.parametrize("other", [{"user": ME + 1}, {"chat": CHAT - 1}])
def test_only_who_asked_may_confirm_and_only_there(other: dict[str, int]) -> None:
    desk = Desk(ME, ME + 1)
    word = desk.word()
    assert "not confirmed" in desk.say(f"/flatten {word}", **other)[0].text
    assert not desk.asked


def test_words_differ() -> None:
    desk = Desk()
    assert len({desk.word() for _ in range(20)}) > 15


# --------------------------------------------------------------------------- updates


def update(number: int, **message: Any) -> dict[str, Any]:
    body = {
        "message_id": 5,
        "from": {"id": ME, "is_bot": False, "first_name": "Op"},
        "chat": {"id": CHAT, "type": "group"},
        "date": NOW,
        "text": "/status",
    }
    return {"update_id": number, "message": {**body, **message}}


def test_updates_become_what_was_said() -> None:
    said, following = decode_updates([update(8), update(9, text="/pause")])
    assert said == [
        Said(8, CHAT, ME, False, NOW, "/status"),
        Said(9, CHAT, ME, False, NOW, "/pause"),
    ]
    assert following == 10


def test_updates_of_other_kinds_are_passed_over_and_confirmed() -> None:
    nameless = update(4)
    del nameless["message"]["from"]
    others = [
        {"update_id": 2, "edited_message": update(2)["message"]},
        update(3, text=None),
        nameless,
        update(5, date="today"),
        "nonsense",
        {"message": {}},
    ]
    assert decode_updates(others) == ([], 6)
    assert decode_updates([]) == decode_updates(None) == ([], None)


def test_a_bot_is_known_as_one() -> None:
    said, _ = decode_updates([update(1, **{"from": {"id": 5, "is_bot": True}})])
    assert said[0].bot

"""mpdex.alerts.pages: once, again, and no more."""

from __future__ import annotations

from mpdex.alerts.pages import Again, Heard, Pages
from strategies.words import Alarm

EXPOSED = Alarm("exposed", "0.5 long", page=True)
RESOLVED = Alarm("resolved", "neutral again")
BOTH, NEITHER, RECORD = Heard(True, True), Heard(False, False), Heard(True, False)


def test_the_same_text_within_a_minute_is_one() -> None:
    pages = Pages()
    alarm = Alarm("unwind", "twice")
    assert [pages.hear(alarm, at) for at in (0.0, 59.9, 60.0)] == [BOTH, NEITHER, BOTH]
    assert pages.hear(Alarm("unwind", "something else"), 61.0) == BOTH
    assert pages.due is None


def test_a_page_is_repeated_until_it_is_resolved() -> None:
    pages = Pages()
    assert pages.hear(EXPOSED, 10.0) == BOTH
    assert pages.due == 70.0
    assert pages.repeat(69.9) == []
    assert pages.repeat(70.0) == [Again("exposed", "0.5 long", 60)]
    assert pages.repeat(130.5) == [Again("exposed", "0.5 long", 120)]
    assert pages.hear(RESOLVED, 140.0) == BOTH
    assert pages.due is None
    assert pages.repeat(999.0) == []


def test_an_open_page_rings_once_a_minute_whatever_its_text() -> None:
    pages = Pages()
    pages.hear(EXPOSED, 0.0)
    assert pages.hear(Alarm("exposed", "0.4 long", page=True), 2.0) == RECORD
    assert pages.repeat(60.0) == [Again("exposed", "0.4 long", 60)]


def test_what_opens_again_is_told_again_at_once() -> None:
    pages = Pages()
    for at in (0.0, 5.0, 10.0):
        assert pages.hear(EXPOSED, at) == BOTH
        assert pages.hear(RESOLVED, at + 1) == BOTH


def test_two_pages_stand_beside_each_other() -> None:
    pages = Pages()
    pages.hear(EXPOSED, 0.0)
    pages.hear(Alarm("halt", "cost cap", page=True), 30.0)
    assert pages.due == 60.0
    assert [again.topic for again in pages.repeat(95.0)] == ["exposed", "halt"]


def test_only_halts_and_exposures_are_repeated() -> None:
    pages = Pages()
    assert pages.hear(Alarm("external", "a foreign fill", page=True), 0.0) == BOTH
    assert pages.hear(Alarm("halt", "not a page"), 0.0) == BOTH
    assert pages.due is None


def test_what_is_remembered_is_bounded() -> None:
    pages = Pages()
    for number in range(2000):
        assert pages.hear(Alarm("unwind", str(number)), number / 1000) == BOTH
    assert len(pages._said) <= 256
    assert pages.hear(Alarm("unwind", "1999"), 3.0) == NEITHER

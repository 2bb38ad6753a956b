"""Client order ids: inside the venue's form, never twice, ours to recognise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpdex.types import ClientIdForm
from mpdex.utils.client_ids import ClientIds

FORMS = [
    ClientIdForm(1, 2**32 - 1),
    ClientIdForm(1, 2**48 - 1),
    ClientIdForm(2**63, 2**64 - 1),
    ClientIdForm(0, 2**128 - 1),
]
DAY = 86_400 * 10**9


class Time:
    """A clock that stands where it is put."""

    def __init__(self, now_ns: int = 1_767_225_600 * 10**9) -> None:
        self.now = now_ns

    def monotonic(self) -> float:
        return self.now / 1e9

    def now_ns(self) -> int:
        return self.now

    def now_ms(self) -> int:
        return self.now // 1_000_000


@pytest.mark.parametrize("form", FORMS)
def test_ids_are_in_the_form_and_never_the_same(form: ClientIdForm) -> None:
    ids = ClientIds(form, Time())
    made = [ids.new() for _ in range(10_000)]
    assert len(set(made)) == len(made)
    assert all(form.low <= int(id) <= form.high for id in made)
    assert all(id.isdecimal() and str(int(id)) == id for id in made)


@given(st.integers(0, 2**63), st.sampled_from(FORMS))
def test_any_time_gives_an_id_in_the_form(now_ns: int, form: ClientIdForm) -> None:
    ids = ClientIds(form, Time(now_ns))
    id = ids.new()
    assert form.low <= int(id) <= form.high
    assert ids.ours(id)


@pytest.mark.parametrize("form", FORMS)
def test_a_restart_continues_above(form: ClientIdForm) -> None:
    time = Time()
    before = [ClientIds(form, time).new()]
    for _ in range(50):
        time.now += DAY // 50
        before.append(ClientIds(form, time).new())
    assert len(set(before)) == len(before)


@pytest.mark.parametrize("form", FORMS)
def test_a_clock_that_goes_back_makes_no_old_id(form: ClientIdForm) -> None:
    time = Time()
    ids = ClientIds(form, time)
    made = [ids.new()]
    for step in (DAY, -DAY, -DAY, DAY, 0):
        time.now += step
        made.append(ids.new())
    assert len(set(made)) == len(made)


def test_ids_grow_with_time_where_there_is_room() -> None:
    time = Time()
    ids = ClientIds(FORMS[2], time)
    made = []
    for _ in range(100):
        made.append(int(ids.new()))
        time.now += 1_000_000_000
    assert made == sorted(made)


@pytest.mark.parametrize("form", FORMS)
def test_ours_are_recognised_by_another_run(form: ClientIdForm) -> None:
    time = Time()
    id = ClientIds(form, time).new()
    time.now += 30 * DAY
    assert ClientIds(form, time).ours(id)


@pytest.mark.parametrize("id", [None, "", "abc", "0xb", "-5", "1.5", "0", "7", "12345"])
def test_a_users_own_are_not_ours(id: str | None) -> None:
    assert not ClientIds(FORMS[0], Time()).ours(id)


def test_an_id_of_a_larger_form_is_not_ours() -> None:
    assert not ClientIds(FORMS[0], Time()).ours(ClientIds(FORMS[2], Time()).new())


@pytest.mark.parametrize("text", ["decimal", "hex", "uuid"])
def test_an_id_with_room_for_it_tells_when_it_was_made(text: Any) -> None:
    time = Time()
    ids = ClientIds(ClientIdForm(0, 2**128 - 1, text), time)
    own = ids.new()
    time.now += 7 * DAY
    assert ids.made_ms(own) == 1_767_225_600_000
    assert ids.made_ms("somebody's") is None
    short = ClientIds(ClientIdForm(1, 2**48 - 1), time)
    assert short.made_ms(short.new()) is None

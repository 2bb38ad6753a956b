"""Kept sessions: what is written comes back, and nobody else can read it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mpdex.errors import UsageError
from mpdex.types import Session
from mpdex.utils.session_store import SessionStore, sessions_folder

SESSION = Session({"Cookie": "sessionid=very-secret-words"}, expires_ms=1_700_000_000_000)
posix = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")


@pytest.fixture
def store(tmp_path: Path) -> SessionStore:
    return SessionStore("acme", tmp_path / "private" / "sessions")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_session_comes_back_by_account(store: SessionStore) -> None:
    assert store.load("one") is None
    store.save("one", SESSION)
    assert store.load("one") == SESSION
    assert store.load("two") is None
    store.save("one", Session({"Cookie": "newer"}))
    assert store.load("one") == Session({"Cookie": "newer"}, None)
    store.forget("one")
    store.forget("one")
    assert store.load("one") is None


def test_nothing_but_the_session_is_left_in_the_folder(store: SessionStore) -> None:
    store.save("one", SESSION)
    store.save("one", SESSION)
    path = store.path("one")
    assert [file.name for file in path.parent.iterdir()] == ["acme-one.json"]


@posix
def test_file_and_folder_are_the_owners_alone_whatever_the_umask(store: SessionStore) -> None:
    before = os.umask(0)
    try:
        store.save("one", SESSION)
    finally:
        os.umask(before)
    assert mode(store.path("one")) == 0o600
    assert mode(store.path("one").parent) == 0o700


@posix
@pytest.mark.parametrize("loose", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused_and_not_shown(
    store: SessionStore, loose: int
) -> None:
    store.save("one", SESSION)
    store.path("one").chmod(loose)
    with pytest.raises(UsageError, match="chmod 600") as refused:
        store.load("one")
    assert "very-secret" not in str(refused.value)


@posix
def test_a_folder_that_others_can_enter_is_refused(store: SessionStore) -> None:
    store.save("one", SESSION)
    store.path("one").parent.chmod(0o755)
    with pytest.raises(UsageError, match="chmod 700"):
        store.load("one")
    with pytest.raises(UsageError, match="chmod 700"):
        store.save("one", SESSION)


def test_a_damaged_file_says_so_without_its_words(store: SessionStore) -> None:
    store.save("one", SESSION)
    store.path("one").write_text('{"headers": {"Cookie": "very-secret-words"')
    with pytest.raises(UsageError, match="cannot be read") as refused:
        store.load("one")
    assert "very-secret" not in f"{refused.value} {refused.value.__cause__}"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        SessionStore("acme", tmp_path / "file" / "sessions").save("one", SESSION)


def test_the_folder_is_beside_the_keys_unless_it_is_named(tmp_path: Path) -> None:
    assert sessions_folder({}) == Path("keys/sessions")
    assert sessions_folder({"MPDEX_KEYS_DIR": "/elsewhere"}) == Path("/elsewhere/sessions")
    given = {"MPDEX_KEYS_DIR": "/elsewhere", "MPDEX_SESSIONS_DIR": str(tmp_path)}
    assert sessions_folder(given) == tmp_path

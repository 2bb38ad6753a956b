"""mpdex.utils.keys"""

from __future__ import annotations

import ast
import io
import logging
import os
import sys
import traceback
import types
from pathlib import Path

import pytest

from mpdex.alerts.config import SECRETS as ALERT_SECRETS
from mpdex.errors import MissingCredentials
from mpdex.utils import keys
from mpdex.utils.keys import Credentials, SecretFilter, load_credentials, redact, variable

SECRET = "0x" + "5ec0de" * 10
NAMES = ("api_key", "private_key")
TEMPLATES = Path(__file__).resolve().parents[2] / "keys"


@pytest.fixture(autouse=True)
def ring(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """A keyring in memory, so that no test asks the machine's own."""
    held: dict[tuple[str, str], str] = {}
    errors = types.ModuleType("keyring.errors")
    errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined]
    module = types.ModuleType("keyring")
    module.errors = errors  # type: ignore[attr-defined]
    module.get_password = lambda service, user: held.get((service, user))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", module)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    monkeypatch.setattr(keys, "find_spec", lambda name: object())
    return held


def write(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "pk_acme_x.py"
    path.write_text(text)
    path.chmod(mode)
    return path


def load(folder: Path, optional: tuple[str, ...] = (), **environ: str) -> Credentials:
    return load_credentials("acme.x", NAMES, optional, environ=environ, directory=folder)


def test_the_environment_comes_before_the_file_and_the_file_before_the_keyring(
    tmp_path: Path, ring: dict[tuple[str, str], str]
) -> None:
    write(tmp_path, 'ACME_X_KEY = {"api_key": "file-1", "private_key": "file-2"}')
    ring["mpdex", "acme.x.api_key"] = "ring-1"
    ring["mpdex", "acme.x.passphrase"] = "ring-3"
    found = load(tmp_path, ("passphrase", "label"), MPDEX_ACME_X_API_KEY="env-1")
    assert dict(found) == {
        "api_key": "env-1",
        "private_key": "file-2",
        "passphrase": "ring-3",
    }


def test_an_empty_value_is_an_absent_one(tmp_path: Path, ring: dict[tuple[str, str], str]) -> None:
    write(tmp_path, 'ACME_X_KEY = {"api_key": "", "private_key": None}')
    ring["mpdex", "acme.x.api_key"] = "ring-1"
    ring["mpdex", "acme.x.private_key"] = "ring-2"
    assert load(tmp_path, MPDEX_ACME_X_API_KEY="")["api_key"] == "ring-1"


def test_what_is_missing_is_named_with_every_place_it_may_be_put(tmp_path: Path) -> None:
    with pytest.raises(MissingCredentials) as caught:
        load(tmp_path, MPDEX_ACME_X_API_KEY="k-123456")
    message = str(caught.value)
    assert "private_key missing" in message
    assert "MPDEX_ACME_X_PRIVATE_KEY" in message
    assert "keys/copy.pk_acme_x.py" in message
    assert "api_key" not in message.replace("MPDEX_ACME_X_PRIVATE_KEY", "")
    assert "k-123456" not in message


def test_the_folder_can_be_named_in_the_environment(tmp_path: Path) -> None:
    write(tmp_path, 'ACME_X_KEY: dict[str, str] = {"api_key": "1", "private_key": 2}')
    environ = {"MPDEX_KEYS_DIR": str(tmp_path)}
    assert dict(load_credentials("acme.x", NAMES, environ=environ)) == {
        "api_key": "1",
        "private_key": "2",
    }


def test_the_process_environment_is_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MPDEX_ACME_X_API_KEY", "one")
    monkeypatch.setenv("MPDEX_ACME_X_PRIVATE_KEY", "two")
    monkeypatch.chdir(tmp_path)
    assert load_credentials("acme.x", NAMES)["private_key"] == "two"


@pytest.mark.skipif(os.name != "posix", reason="permissions of this kind are POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_file_open_to_others_is_refused_with_the_fix(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path, 'ACME_X_KEY = {"api_key": "1", "private_key": "2"}', mode)
    with pytest.raises(MissingCredentials, match="chmod 600") as caught:
        load(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"ACME_X_KEY = {{'private_key': '{SECRET}'",
        f"ACME_X_KEY = dict(private_key='{SECRET}')",
        f"ACME_X_KEY = '{SECRET}'",
        f"OTHER_KEY = {{'private_key': '{SECRET}'}}",
        f"raise SystemExit('{SECRET}')",
        f"ACME_X_KEY = {{'private_key': open('/etc/{SECRET}')}}",
    ],
)
def test_a_file_is_data_and_its_errors_do_not_quote_it(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(MissingCredentials, match="ACME_X_KEY") as caught:
        load(tmp_path)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "").write_bytes(b"\xff\xfe\x00secret")
    with pytest.raises(MissingCredentials, match="cannot be read"):
        load(tmp_path)


def test_a_keyring_that_fails_or_is_not_installed_has_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(service: str, user: str) -> str:
        raise sys.modules["keyring.errors"].KeyringError("locked")

    monkeypatch.setattr(sys.modules["keyring"], "get_password", locked)
    with pytest.raises(MissingCredentials):
        load(tmp_path)
    monkeypatch.setattr(keys, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "keyring")
    with pytest.raises(MissingCredentials):
        load(tmp_path)


def test_credentials_do_not_print_their_values() -> None:
    held = Credentials("acme", {"api_key": SECRET})
    shown = f"{held} {held!r} {[held]}"
    assert SECRET not in shown
    assert "api_key" in shown
    assert not hasattr(held, "__dict__")


def test_variables_are_spelled_one_way() -> None:
    assert variable("treadfi.hl", "api_key") == "MPDEX_TREADFI_HL_API_KEY"


def test_redacting_hides_both_spellings_and_leaves_short_words() -> None:
    text = f"key {SECRET} or {SECRET[2:]} of id 42"
    assert redact(text, [SECRET, "42", ""]) == "key *** or *** of id 42"


def test_a_secret_inside_another_does_not_leave_its_rest() -> None:
    assert redact("abcdefgh-long-tail", ["abcdef", "abcdefgh-long-tail"]) == "***"


def test_a_log_never_shows_a_secret() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    hide = SecretFilter([SECRET])
    hide.add(["session-token"])
    handler.addFilter(hide)
    logger = logging.getLogger("test.keys")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        logger.error("sent %s with %r", {"k": SECRET}, "session-token", stack_info=True)
        try:
            raise ValueError(SECRET)
        except ValueError:
            logger.exception("failed")
    finally:
        logger.removeHandler(handler)
    written = stream.getvalue()
    assert "sent {'k': '***'} with '***'" in written
    assert "ValueError: ***" in written
    assert SECRET[2:] not in written
    assert "session-token" not in written.replace('"session-token"', "")


@pytest.mark.parametrize(
    ("venue", "names"),
    [
        ("grvt", ["api_key", "private_key", "sub_account_id"]),
        ("backpack", ["api_key", "secret_key"]),
        ("alerts", list(ALERT_SECRETS)),
    ],
)
def test_templates_are_empty_and_name_every_key(venue: str, names: list[str]) -> None:
    (statement,) = ast.parse((TEMPLATES / f"copy.pk_{venue}.py").read_text()).body
    assert isinstance(statement, ast.Assign)
    assert ast.unparse(statement.targets[0]) == f"{venue.upper()}_KEY"
    assert ast.literal_eval(statement.value) == dict.fromkeys(names, "")
    readme = (TEMPLATES / "README.md").read_text()
    assert all(f"`{name}`" in readme for name in names)

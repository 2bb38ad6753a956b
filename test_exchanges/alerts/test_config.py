"""mpdex.alerts.config: what an operator may write, and what he is told when he may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpdex.alerts.config import TELEGRAM, AlertConfig, Discord, Telegram, Webhook, read_config
from mpdex.errors import MissingCredentials, UsageError

TOKEN = "123456:" + "planted" * 3
HOOK = "https://discord.test/api/webhooks/1234567890/" + "hushhush" * 4
FULL = """
label = "rig 1"

[file]
path = "elsewhere/alerts.jsonl"

[telegram]
chat = -100123
allow = [1, 2]
pages_only = true

[discord]
mention = "@here"

[webhook]
"""
SECRETS = {
    "MPDEX_ALERTS_TELEGRAM_TOKEN": TOKEN,
    "MPDEX_ALERTS_DISCORD_URL": HOOK,
    "MPDEX_ALERTS_WEBHOOK_URL": "http://10.0.0.5/hook",
}


def read(folder: Path, text: str, **environ: str) -> AlertConfig:
    file = folder / "alerts.toml"
    file.write_text(text)
    return read_config(str(file), environ=environ, directory=folder)


def test_a_file_says_which_channels_and_the_environment_has_their_secrets(tmp_path: Path) -> None:
    config = read(tmp_path, FULL, **SECRETS)
    assert config == AlertConfig(
        "rig 1",
        Path("elsewhere/alerts.jsonl"),
        Telegram(TOKEN, "-100123", frozenset({1, 2}), TELEGRAM, pages_only=True),
        Discord(HOOK, "@here"),
        Webhook("http://10.0.0.5/hook"),
    )


def test_secrets_may_be_in_the_key_file(tmp_path: Path) -> None:
    keys = tmp_path / "pk_alerts.py"
    keys.write_text(f'ALERTS_KEY = {{"telegram_token": "{TOKEN}", "telegram_chat": "7"}}')
    keys.chmod(0o600)
    config = read(tmp_path, "[telegram]")
    assert config.telegram == Telegram(TOKEN, "7")


def test_without_a_choice_there_is_nothing_beyond_this_machine(tmp_path: Path) -> None:
    assert read_config(environ=SECRETS, directory=tmp_path) == AlertConfig()
    assert not read_config("off", environ={"MPDEX_ALERTS": "default"}).remote


def test_the_environment_may_choose(tmp_path: Path) -> None:
    environ = {**SECRETS, "MPDEX_ALERTS": "default", "MPDEX_ALERTS_TELEGRAM_CHAT": "7"}
    config = read_config(environ=environ, directory=tmp_path)
    assert config.telegram == Telegram(TOKEN, "7")
    assert config.discord == Discord(HOOK)
    assert config.webhook is not None
    assert config.local() == AlertConfig()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[telegramm]", r"'telegramm' is unknown; known are label, file, telegram, discord, webh"),
        ('[telegram]\nchat = 1\ntoken = "x"', r"\[telegram\]: 'token' is unknown.*environment"),
        ("[telegram]\nchat = 1.5", r"\[telegram\]: chat is not the id of a chat"),
        ("[telegram]\nchat = true", r"chat is not the id of a chat"),
        ("[telegram]", r"\[telegram\]: chat is missing"),
        ('[telegram]\nchat = 1\nallow = ["7"]', r"allow is not a list of ids"),
        ("[telegram]\nchat = 1\nallow = 7", r"allow is not a list of ids"),
        ('[telegram]\nchat = 1\nurl = "http://far.test"', r"in the clear; give an https"),
        ("telegram = 1", r"telegram is not a table \[telegram\]"),
        ("label = 1", r"label is not a text"),
        ("[discord]\npages_only = 1", r"\[discord\]: pages_only is not true or false"),
        ("not toml", r"is not a TOML file; docs/alerts.md has one"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as error:
        read(tmp_path, text, **SECRETS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("TELEGRAM_TOKEN", "no/token", "not what @BotFather gives"),
        ("DISCORD_URL", "discord.test/api/no", "not a URL"),
        ("DISCORD_URL", "http://discord.test/no", "in the clear"),
        ("DISCORD_URL", "https://discord.test/no where", "not a URL"),
        ("WEBHOOK_URL", "https://[no", "not a URL"),
        ("WEBHOOK_URL", "https://host.test:no/", "not a URL"),
        ("WEBHOOK_URL", "ftp://host.test/no", "not a URL"),
    ],
)
def test_a_secret_that_cannot_be_right_is_not_quoted(
    tmp_path: Path, name: str, value: str, told: str
) -> None:
    with pytest.raises(UsageError, match=told) as error:
        read(tmp_path, FULL, **{**SECRETS, f"MPDEX_ALERTS_{name}": value})
    assert value not in str(error.value)


def test_a_missing_secret_is_named_with_its_places(tmp_path: Path) -> None:
    with pytest.raises(MissingCredentials, match=r"MPDEX_ALERTS_DISCORD_URL.*copy\.pk_alerts\.py"):
        read(tmp_path, "[discord]")


def test_half_of_telegram_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Telegram needs telegram_chat, too"):
        read_config("default", environ=SECRETS, directory=tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none.toml cannot be read"):
        read_config(str(tmp_path / "none.toml"), environ={})


def test_secrets_are_not_printed_and_all_known(tmp_path: Path) -> None:
    environ = {**SECRETS, "MPDEX_ALERTS_WEBHOOK_AUTHORIZATION": "Bearer hidden-word"}
    config = read(tmp_path, FULL, **environ, MPDEX_ALERTS_PROXY="http://u:hide@h:1")
    for secret in ("planted", "hushhush", "10.0.0.5", "hidden-word", "u:hide"):
        assert secret not in repr(config)
        assert any(secret in known for known in config.secrets), secret
    assert "hushhush" * 4 in config.secrets  # alone, too: it is what lets somebody in

"""Which channels an operator wants: a TOML file says which, the environment has the secrets.

    label = "rig 1"

    [file]
    path = "logs/alerts.jsonl"

    [telegram]
    chat = 123456789
    allow = [123456789]

    [discord]
    mention = "@here"

    [webhook]
    pages_only = true

Tokens and URLs that are secrets (`telegram_token`, `discord_url`, `webhook_url`,
`webhook_authorization`, `proxy`) are looked for where the keys of a venue are: MPDEX_ALERTS_<NAME>,
keys/pk_alerts.py, the OS keyring.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from mpdex.errors import UsageError
from mpdex.utils.keys import load_credentials

VARIABLE = "MPDEX_ALERTS"
TELEGRAM = "https://api.telegram.org"
_OWNER = "alerts"  # under which the secrets are kept
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_TELLING = 16
_TOKEN = re.compile(r"\d+:[\w-]+", re.ASCII)
SECRETS = (
    "telegram_token",
    "telegram_chat",
    "discord_url",
    "webhook_url",
    "webhook_authorization",
    "proxy",
)

Table: TypeAlias = Mapping[str, Any]
Secrets: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Telegram:
    """A bot and the chat it writes to.

    Attributes:
        allow: ids of users or chats that may give commands; none: it only writes.
        url: of the Bot API, which can be a server of one's own.
    """

    token: str = field(repr=False)
    chat: str
    allow: frozenset[int] = frozenset()
    url: str = TELEGRAM
    pages_only: bool = False


@dataclass(frozen=True, slots=True)
class Discord:
    """A webhook of a Discord channel. `mention`: whom a page calls, such as @here or <@&id>."""

    url: str = field(repr=False)
    mention: str = ""
    pages_only: bool = False


@dataclass(frozen=True, slots=True)
class Webhook:
    """Any address that takes a JSON POST. `authorization`: value of that header, if needed."""

    url: str = field(repr=False)
    authorization: str = field(default="", repr=False)
    pages_only: bool = False


@dataclass(frozen=True, slots=True)
class AlertConfig:
    """The channels beside the log.

    Attributes:
        label: which machine or account speaks; before every text.
        file: the lines of all alarms; None: beside the files of the run.
        proxy: by which the services are reached; a URL as venues take it.
    """

    label: str = ""
    file: Path | None = None
    telegram: Telegram | None = None
    discord: Discord | None = None
    webhook: Webhook | None = None
    proxy: str = field(default="", repr=False)

    @property
    def remote(self) -> bool:
        """Whether anything leaves this machine."""
        return any((self.telegram, self.discord, self.webhook))

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be shown nowhere."""
        found = [self.proxy]
        if self.telegram is not None:
            found.append(self.telegram.token)
        for hook in (self.discord, self.webhook):
            if hook is not None:
                found += _parts(hook.url)
        if self.webhook is not None:
            found.append(self.webhook.authorization)
        return tuple(secret for secret in found if secret)

    def local(self) -> AlertConfig:
        """The same without what leaves this machine."""
        return replace(self, telegram=None, discord=None, webhook=None)


def read_config(
    choice: str = "",
    *,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> AlertConfig:
    """The channels of a choice.

    Args:
        choice: a TOML file; "default" for every channel whose secrets are found; "off" for log and
            file alone; "" for what MPDEX_ALERTS names, and "off" where it names nothing.
        environ, directory: as in `load_credentials`.

    Raises: UsageError, in one sentence.
    """
    variables = os.environ if environ is None else environ
    choice = choice or variables.get(VARIABLE, "") or "off"
    if choice == "off":
        return AlertConfig()

    def secrets(*names: str) -> Secrets:
        required = [name for name in names if not name.endswith("?")]
        optional = [name[:-1] for name in names if name.endswith("?")]
        return load_credentials(_OWNER, required, optional, environ=variables, directory=directory)

    if choice == "default":
        return _found(secrets(*(f"{name}?" for name in SECRETS)))
    return _settled(_Section(choice, "", _read(Path(choice))), secrets)


def _found(secrets: Secrets) -> AlertConfig:
    """Every channel that has what it needs."""
    token, chat = secrets.get("telegram_token", ""), secrets.get("telegram_chat", "")
    if bool(token) != bool(chat):
        missing = "telegram_chat" if token else "telegram_token"
        raise UsageError(f"alerts: Telegram needs {missing}, too; keys/copy.pk_alerts.py names it")
    hook, discord = secrets.get("webhook_url", ""), secrets.get("discord_url", "")
    return AlertConfig(
        telegram=Telegram(_token(token), chat) if token else None,
        discord=Discord(_address("discord_url", discord)) if discord else None,
        webhook=_webhook(secrets, pages_only=False) if hook else None,
        proxy=secrets.get("proxy", ""),
    )


def _settled(root: _Section, secrets: Callable[..., Secrets]) -> AlertConfig:
    label = root.text("label")
    tables = {name: root.table(name) for name in ("file", "telegram", "discord", "webhook")}
    root.end()
    file, telegram, discord, webhook = tables.values()
    config = AlertConfig(
        label=label,
        file=_file(file) if file else None,
        telegram=_telegram(telegram, secrets) if telegram else None,
        discord=_discord(discord, secrets) if discord else None,
        webhook=_hook(webhook, secrets) if webhook else None,
    )
    return replace(config, proxy=secrets("proxy?").get("proxy", "") if config.remote else "")


def _parts(url: str) -> list[str]:
    """The URL and those parts of it that are long enough to be what keeps others out."""
    parts = urlsplit(url)
    pieces = [parts.path, parts.query, *parts.path.split("/")]
    return [url, *(piece for piece in pieces if len(piece) >= _TELLING)]


def _file(table: _Section) -> Path | None:
    path = table.text("path")
    table.end()
    return Path(path) if path else None


def _telegram(table: _Section, secrets: Callable[..., Secrets]) -> Telegram:
    chat, allow = table.chat("chat"), table.ids("allow")
    url, pages_only = table.text("url") or TELEGRAM, table.flag("pages_only")
    table.end()
    found = secrets("telegram_token", "telegram_chat?")
    chat = chat or found.get("telegram_chat", "")
    if not chat:
        raise table.wrong("chat is missing; give the id of the chat that alarms go to")
    url = _address("[telegram] url", url).rstrip("/")
    return Telegram(_token(found["telegram_token"]), chat, allow, url, pages_only)


def _discord(table: _Section, secrets: Callable[..., Secrets]) -> Discord:
    mention, pages_only = table.text("mention"), table.flag("pages_only")
    table.end()
    return Discord(
        _address("discord_url", secrets("discord_url")["discord_url"]), mention, pages_only
    )


def _hook(table: _Section, secrets: Callable[..., Secrets]) -> Webhook:
    pages_only = table.flag("pages_only")
    table.end()
    return _webhook(secrets("webhook_url", "webhook_authorization?"), pages_only)


def _webhook(secrets: Secrets, pages_only: bool) -> Webhook:
    url = _address("webhook_url", secrets["webhook_url"], plain=True)
    return Webhook(url, secrets.get("webhook_authorization", ""), pages_only)


def _token(text: str) -> str:
    """The token, if it can be one: it becomes a part of a URL."""
    if not _TOKEN.fullmatch(text):
        raise UsageError("alerts: telegram_token is not what @BotFather gives (123456:letters)")
    return text


def _address(name: str, url: str, *, plain: bool = False) -> str:
    """The URL, if it can be one; never quoted in the complaint, for it is a secret.

    Args:
        plain: http is allowed beyond this machine.
    """
    try:
        parts = urlsplit(url)
        good = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or parts.scheme not in ("http", "https") or not url.isascii() or " " in url:
        raise UsageError(f"alerts: {name} is not a URL that begins with https://")
    if parts.scheme == "http" and not plain and parts.hostname not in _LOOPBACK:
        raise UsageError(f"alerts: {name} would send a secret in the clear; give an https:// URL")
    return url


def _read(path: Path) -> Table:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"alerts: {path} cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):  # quotes the line, which may be a secret
        raise UsageError(f"alerts: {path} is not a TOML file; docs/alerts.md has one") from None


class _Section:
    """One table of the file; what nobody asked for is a mistake."""

    def __init__(self, file: str, name: str, values: Table) -> None:
        self._file = file
        self._name = name
        self._values = dict(values)
        self._asked: list[str] = []

    def text(self, key: str) -> str:
        return str(self._take(key, str, "a text", ""))

    def flag(self, key: str) -> bool:
        return bool(self._take(key, bool, "true or false", False))

    def chat(self, key: str) -> str:
        """An id, or the @name of a public chat."""
        value = self._values.get(key, "")
        if isinstance(value, int) and not isinstance(value, bool):
            self._values[key] = str(value)
        return str(self._take(key, str, "the id of a chat", ""))

    def ids(self, key: str) -> frozenset[int]:
        values = self._take(key, list, "a list of ids", [])
        if not all(isinstance(one, int) and not isinstance(one, bool) for one in values):
            raise self.wrong(f"{key} is not a list of ids; ids are whole numbers without quotes")
        return frozenset(values)

    def table(self, key: str) -> _Section | None:
        if key not in self._values:
            self._asked.append(key)
            return None
        return _Section(self._file, key, self._take(key, dict, f"a table [{key}]", {}))

    def end(self) -> None:
        """Raises: UsageError if something is left."""
        for key in self._values:
            raise self.wrong(
                f"{key!r} is unknown; known are {', '.join(self._asked)}"
                " (secrets belong into the environment or keys/pk_alerts.py)"
            )

    def wrong(self, what: str) -> UsageError:
        where = f" [{self._name}]" if self._name else ""
        return UsageError(f"alerts: {self._file}{where}: {what}")

    def _take(self, key: str, kind: type, form: str, default: Any) -> Any:
        self._asked.append(key)
        value = self._values.pop(key, default)
        if not isinstance(value, kind):
            raise self.wrong(f"{key} is not {form}")
        return value

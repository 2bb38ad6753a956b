"""One alarm as each service wants it, and what the service's answer means. Pure.

Sources, all UNVERIFIED against the services themselves:
    core.telegram.org/bots/api, "Making requests", sendMessage, ResponseParameters
    docs.discord.com/developers/resources/webhook, Execute Webhook; topics/rate-limits
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from mpdex.alerts.config import AlertConfig, Discord, Telegram, Webhook
from mpdex.errors import ProtocolError
from mpdex.types import Json, Request
from mpdex.utils.rest import Answer

_TELEGRAM_TEXT = 4096
_DISCORD_TEXT = 2000
_CUT = " (cut)"
# Other answers to a POST than these are for good: asking again gives the same.
_PASSING = (408, 425, 429)


class Alarming(Protocol):
    """What an alarm has; the hedge's own word for it fits."""

    @property
    def topic(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def page(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to say.

    Attributes:
        run: who speaks, such as the label and the pair.
        at_ms: when it was first said, since the epoch.
        standing: seconds a page has been open when it is repeated; 0: the first time.
        chat: whom a reply is for; "" for alarms.
    """

    topic: str
    text: str
    page: bool = False
    run: str = ""
    at_ms: int = 0
    standing: int = 0
    chat: str = ""

    def __str__(self) -> str:
        """As a person reads it."""
        if self.chat:
            return self.text
        who = f"[{self.run}] " if self.run else ""
        topic = self.topic.upper() if self.page else self.topic
        still = f" (for {_duration(self.standing)} now)" if self.standing else ""
        return f"{who}{topic}{still}: {self.text}"


@dataclass(frozen=True, slots=True)
class Failure:
    """Not delivered.

    Attributes:
        reason: without secrets of the address.
        again: whether another attempt can help.
        after: seconds the service wants to be left alone; None: it does not say.
    """

    reason: str
    again: bool = True
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """A service, ready to be sent to.

    Attributes:
        url: the secret part of every address is here, so that no request has it in its path.
    """

    name: str
    url: str = field(repr=False)
    encode: Callable[[Message], Request] = field(repr=False)
    judge: Callable[[Answer], Failure | None] = field(repr=False)
    pages_only: bool = False


def channels_of(config: AlertConfig) -> list[Channel]:
    """Those that leave this machine."""
    channels = []
    if config.telegram is not None:
        channels.append(telegram_channel(config.telegram))
    if config.discord is not None:
        channels.append(discord_channel(config.discord))
    if config.webhook is not None:
        channels.append(webhook_channel(config.webhook))
    return channels


# --------------------------------------------------------------------------- Telegram


def telegram_channel(config: Telegram) -> Channel:
    return Channel(
        "telegram",
        telegram_url(config),
        lambda message: encode_telegram(message, config.chat),
        decode_telegram,
        config.pages_only,
    )


def telegram_url(config: Telegram) -> str:
    """Where the bot's methods are; the token is part of it."""
    return f"{config.url}/bot{config.token}"


def encode_telegram(message: Message, chat: str) -> Request:
    """Plain text: nothing in it can be mistaken for markup. Only pages ring."""
    body = {
        "chat_id": _chat(message.chat or chat),
        "text": _cut(str(message), _TELEGRAM_TEXT),
        "disable_notification": not (message.page or message.chat),
        "link_preview_options": {"is_disabled": True},
    }
    return Request("POST", "/sendMessage", json=body)


def _chat(chat: str) -> int | str:
    """An id, or the @name of a public chat."""
    return int(chat) if chat.removeprefix("-").isdecimal() else chat


def decode_telegram(answer: Answer) -> Failure | None:
    """Telegram says `ok` in every answer of its own; anything else is something in between."""
    body = _body(answer)
    if not isinstance(body, dict) or not isinstance(body.get("ok"), bool):
        return Failure(f"HTTP {answer.status}, and not Telegram's answer")
    if body["ok"]:
        return None
    parameters = body.get("parameters")
    told = parameters.get("retry_after") if isinstance(parameters, dict) else None
    return _failure(answer, str(body.get("description", "")), told)


# --------------------------------------------------------------------------- Discord


def discord_channel(config: Discord) -> Channel:
    path = "/" if config.url.endswith("/") else ""
    return Channel(
        "discord",
        config.url,
        lambda message: encode_discord(message, path, config.mention),
        decode_discord,
        config.pages_only,
    )


def encode_discord(message: Message, path: str = "", mention: str = "") -> Request:
    """`mention` goes before a page; a text alone calls nobody, whatever is in it."""
    calls = bool(mention and message.page)
    body = {
        "content": _cut(f"{mention} {message}" if calls else str(message), _DISCORD_TEXT),
        "allowed_mentions": {"parse": ["everyone", "roles", "users"] if calls else []},
    }
    return Request("POST", path, json=body)


def decode_discord(answer: Answer) -> Failure | None:
    if 200 <= answer.status < 300:
        return None
    body = _body(answer)
    known = body if isinstance(body, dict) else {}
    return _failure(answer, str(known.get("message", "")), known.get("retry_after"))


# --------------------------------------------------------------------------- webhook


def webhook_channel(config: Webhook) -> Channel:
    path = "/" if config.url.endswith("/") else ""
    return Channel(
        "webhook",
        config.url,
        lambda message: encode_webhook(message, path, config.authorization),
        decode_webhook,
        config.pages_only,
    )


def encode_webhook(message: Message, path: str = "", authorization: str = "") -> Request:
    headers = {"Authorization": authorization} if authorization else {}
    return Request("POST", path, json=record(message), headers=headers)


def decode_webhook(answer: Answer) -> Failure | None:
    return None if 200 <= answer.status < 300 else _failure(answer, "", None)


def record(message: Message) -> dict[str, str | int | bool]:
    """An alarm for programs: what a webhook gets, and a line of the file."""
    return {
        "at_ms": message.at_ms,
        "run": message.run,
        "topic": message.topic,
        "text": message.text,
        "page": message.page,
        "standing": message.standing,
    }


# --------------------------------------------------------------------------- answers


def _failure(answer: Answer, detail: str, told: Json) -> Failure:
    status = answer.status
    reason = f"HTTP {status} {detail}".rstrip()
    if status in _PASSING or status >= 500:
        return Failure(reason, after=_seconds(told) or _seconds(answer.headers.get("Retry-After")))
    return Failure(reason, again=False)


def _seconds(told: Json) -> float | None:
    """A number of seconds in whatever form; None where it is none."""
    try:
        return max(float(told), 0.0) or None  # seconds
    except (TypeError, ValueError):
        return None


def _body(answer: Answer) -> Json:
    try:
        return answer.json()
    except ProtocolError:
        return None


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - len(_CUT)] + _CUT


def _duration(seconds: int) -> str:
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min"

"""Who may say what to a running hedge, and what is answered. Pure: times and chance come in.

Everybody who knows a bot's name can write to it, so only ids of the allow-list are heard; the
others get no answer and their words are not read. What was said before this run, or lay about for
a minute, is not done: a "drain" meant for yesterday's run must not end today's.

Source: the forms of Telegram's Bot API (Update, Message). UNVERIFIED against the service itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mpdex.types import Json

Order: TypeAlias = Literal["pause", "resume", "drain", "flatten"]
Ask: TypeAlias = Callable[[Order, str], None]

FRESH = 60  # seconds
CONFIRM = 60.0  # seconds
_STRANGERS = 1000
_DONE: dict[str, tuple[Order, str]] = {
    "pause": ("pause", "pausing: the quote is pulled, fills are still hedged"),
    "resume": ("resume", "resuming as soon as every gate holds"),
    "drain": ("drain", "draining: no new quote, what is open is hedged, then the run ends"),
}
_HELP = "known: /status /pause /resume /drain /flatten"


@dataclass(frozen=True, slots=True)
class Said:
    """One text message. `date`: seconds since the epoch, by Telegram's clock."""

    id: int
    chat: int
    user: int
    bot: bool
    date: int
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back. `note`: and into the log."""

    chat: int | None
    text: str
    note: bool = False


def decode_updates(result: Json) -> tuple[list[Said], int | None]:
    """Text messages in order, and the id that comes after the last update, of whatever kind."""
    updates = [one for one in result if isinstance(one, dict)] if isinstance(result, list) else []
    ids = [one["update_id"] for one in updates if isinstance(one.get("update_id"), int)]
    said = [_said(one["update_id"], one.get("message")) for one in updates if "update_id" in one]
    return [one for one in said if one is not None], max(ids) + 1 if ids else None


def _said(update: int, message: Json) -> Said | None:
    match message:
        case {
            "text": str(text),
            "date": int(date),
            "chat": {"id": int(chat)},
            "from": {"id": int(user), **sender},
        }:
            return Said(update, chat, user, bool(sender.get("is_bot")), date, text)
    return None


class Commands:
    """The operator's side of a chat.

    Args:
        allow: ids of users, or of chats whose every member may speak.
        name: of the bot, without @; a command for another bot is none for this one.
        started: seconds since the epoch; what is older is not done.
        ask: told what an operator wants, and who.
        status: what /status answers.
    """

    def __init__(
        self,
        allow: frozenset[int],
        *,
        name: str,
        started: int,
        rng: random.Random,
        ask: Ask,
        status: Callable[[], str],
    ) -> None:
        self._allow = allow
        self._name = name.lower()
        self._started = started
        self._rng = rng
        self._ask = ask
        self._status = status
        self._strangers: set[int] = set()
        self._open: dict[tuple[int, int], tuple[str, float]] = {}  # (chat, user): word, until

    def hear(self, batch: Sequence[Said], now: int) -> list[Reply]:
        """Does what may be done, in order. `now`: seconds since the epoch."""
        replies: list[Reply] = []
        late: dict[int, list[str]] = {}
        for said in batch:
            if not self._may(said):
                replies += self._stranger(said)
                continue
            words = self._words(said.text)
            if words and (said.date < self._started or now - said.date > FRESH):
                late.setdefault(said.chat, []).append(words[0])
            elif words:
                replies.append(Reply(said.chat, self._answer(said, words, now)))
        return replies + [_too_late(chat, words) for chat, words in late.items()]

    def _may(self, said: Said) -> bool:
        return not said.bot and bool({said.user, said.chat} & self._allow)

    def _stranger(self, said: Said) -> list[Reply]:
        """Worth one line of the log, and no answer."""
        if said.user in self._strangers or len(self._strangers) >= _STRANGERS:
            return []
        self._strangers.add(said.user)
        who = f"user {said.user} in chat {said.chat}"
        return [Reply(None, f"{who} is not on the allow-list and is not heard", note=True)]

    def _words(self, text: str) -> list[str]:
        """The command without its slash and what follows; empty for talk, or another bot's."""
        first, *rest = text.split() or [""]
        command, _, bot = first.lower().partition("@")
        if not command.startswith("/") or (bot and bot != self._name):
            return []
        return [command[1:], *rest]

    def _answer(self, said: Said, words: list[str], now: int) -> str:
        command = words[0][:20]
        if command == "status":
            return self._status()
        if command == "flatten":
            return self._flatten(said, words[1:], now)
        if command not in _DONE:
            return _HELP
        order, answer = _DONE[command]
        self._ask(order, _who(said))
        return answer

    def _flatten(self, said: Said, rest: list[str], now: int) -> str:
        """Asks for a word first: it trades at market."""
        word, until = self._open.pop((said.chat, said.user), ("", 0.0))
        if not rest:
            word = f"{self._rng.randrange(10_000):04}"
            self._open[said.chat, said.user] = (word, now + CONFIRM)
            return f"this closes both legs at market; to confirm, send within 60 s: /flatten {word}"
        if not word or rest != [word]:
            return "not confirmed, nothing is done; send /flatten to begin again"
        if now > until:
            return "too late, nothing is done; send /flatten to begin again"
        self._ask("flatten", _who(said))
        return "flattening: both legs are closed, then the run ends"


def _who(said: Said) -> str:
    return f"telegram user {said.user}"


def _too_late(chat: int, words: list[str]) -> Reply:
    told = ", ".join(f"/{word[:20]}" for word in words[:5])
    more = f" and {len(words) - 5} more" if len(words) > 5 else ""
    text = f"not done, for it was sent before this run or over a minute ago: {told}{more}"
    return Reply(chat, text, note=True)

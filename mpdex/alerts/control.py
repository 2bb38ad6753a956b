"""Reads the bot's messages by long polling; `Commands` says what they mean.

An update is confirmed by asking for the next one, so each is handled once, also where Telegram
tells it twice. Errors are waited out, told once.

Source: the forms of Telegram's Bot API (getMe, getUpdates). UNVERIFIED against the service itself.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator

from mpdex.alerts.channels import decode_telegram, telegram_url
from mpdex.alerts.commands import Ask, Commands, Reply, decode_updates
from mpdex.alerts.config import Telegram
from mpdex.alerts.sender import plainly, transport_to
from mpdex.errors import MpdexError
from mpdex.types import Json, Request
from mpdex.utils.backoff import delays
from mpdex.utils.clock import Clock

log = logging.getLogger("mpdex.alerts")

_POLL = 25  # seconds a poll may wait for something to be said
_GRACE = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_LONGEST_BAN = 300.0


class _NoAnswer(Exception):
    """Telegram did not answer, or said no. `after`: seconds it asks for."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Control:
    """The ear of the bot.

    Args:
        reply: takes an answer to somebody.
        hide: takes secrets out of a text.
    """

    def __init__(
        self,
        config: Telegram,
        *,
        clock: Clock,
        rng: random.Random,
        reply: Callable[[Reply], None],
        hide: Callable[[str], str],
        proxy: str = "",
    ) -> None:
        self._config = config
        self._clock = clock
        self._rng = rng
        self._reply = reply
        self._hide = hide
        self._http = transport_to(
            "telegram control",
            telegram_url(config),
            clock=clock,
            rng=rng,
            proxy=proxy,
            timeout=_POLL + _GRACE,
        )
        self._started = clock.now_ms() // 1000
        self._offset = 0
        self._deaf = False
        self._commands: Commands | None = None
        self._pauses = self._new_pauses()
        self._closing = False
        self._end: asyncio.Timeout | None = None

    async def work(self, ask: Ask, status: Callable[[], str]) -> None:
        """Listens until `finish`. Never raises."""
        try:
            async with asyncio.timeout(None) as self._end:
                while not self._closing:
                    await self._turn(ask, status)
        except TimeoutError:
            pass
        finally:
            self._end = None
            await self._http.close()

    def finish(self) -> None:
        """Hears nothing any more."""
        if self._end is not None and not self._closing:
            self._end.reschedule(asyncio.get_running_loop().time())
        self._closing = True

    # ----------------------------------------------------------------- listening

    async def _turn(self, ask: Ask, status: Callable[[], str]) -> None:
        """One poll, or the pause after one that failed."""
        try:
            if self._commands is None:
                self._commands = await self._begin(ask, status)
            await self._listen(self._commands)
        except _NoAnswer as error:
            self._tell_deaf(str(error))
            pause = max(next(self._pauses), min(error.after or 0.0, _LONGEST_BAN))
        except Exception as error:  # noqa: BLE001  (the edge: a command must not end the hedge)
            self._tell_deaf(type(error).__name__)
            pause = next(self._pauses)
        else:
            self._pauses = self._new_pauses()
            return
        await asyncio.sleep(pause)

    def _new_pauses(self) -> Iterator[float]:
        return delays(_FIRST_PAUSE, _LONGEST_PAUSE, rng=self._rng)

    async def _begin(self, ask: Ask, status: Callable[[], str]) -> Commands:
        """Learns the bot's own name."""
        me = await self._call("/getMe", {})
        return Commands(
            self._config.allow,
            name=str(me.get("username", "")) if isinstance(me, dict) else "",
            started=self._started,
            rng=self._rng,
            ask=ask,
            status=status,
        )

    async def _listen(self, commands: Commands) -> None:
        """One poll and what follows from it."""
        body = {"offset": self._offset, "timeout": _POLL, "allowed_updates": ["message"]}
        said, following = decode_updates(await self._call("/getUpdates", body))
        self._tell_well()
        new = {one.id: one for one in said if one.id >= self._offset}
        self._offset = max(self._offset, following or 0)
        for reply in commands.hear([*new.values()], self._clock.now_ms() // 1000):
            if reply.note:
                log.warning("telegram: %s", reply.text)
            if reply.chat is not None:
                self._reply(reply)

    async def _call(self, path: str, body: Json) -> Json:
        """The result of a method. Raises: _NoAnswer."""
        try:
            answer = await self._http.send_raw(Request("POST", path, json=body))
        except MpdexError as error:
            raise _NoAnswer(self._hide(plainly(error))) from None
        failure = decode_telegram(answer)
        if failure is not None:
            raise _NoAnswer(self._hide(failure.reason), failure.after)
        return answer.json().get("result")

    # ----------------------------------------------------------------- told once

    def _tell_deaf(self, reason: str) -> None:
        if not self._deaf:
            self._deaf = True
            log.warning("telegram commands are not heard: %s", reason)

    def _tell_well(self) -> None:
        if self._deaf:
            self._deaf = False
            log.warning("telegram commands are heard again")

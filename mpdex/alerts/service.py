"""All channels of a run behind one `say`, which returns at once and never fails.

It makes no task: whoever owns a task group starts one for each of `workers`, and says `finish`
when the run is over; the workers then end by themselves within seconds.

    alerts = Alerts(read_config("default"), clock=clock, rng=rng, run="acme/apex ETH")
    for worker in alerts.workers():
        group.create_task(worker)
    alerts.say(Alarm("exposed", "0.5 ETH long", page=True))
    ...
    alerts.finish()
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from mpdex.alerts.channels import Alarming, Message, channels_of, record
from mpdex.alerts.commands import Ask, Reply
from mpdex.alerts.config import AlertConfig
from mpdex.alerts.control import Control
from mpdex.alerts.pages import Pages
from mpdex.alerts.sender import Sender
from mpdex.utils.clock import Clock
from mpdex.utils.keys import redact

log = logging.getLogger("mpdex.alerts")

_CALM = frozenset({"start", "stop", "resolved", "test"})
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND


class Alerts:
    """The channels of one run.

    Attributes:
        secrets: for the log's filter.

    Args:
        run: who speaks, such as the pair; the label of the configuration comes before it.
        file: where the lines go if the configuration does not say; None: nowhere.
    """

    def __init__(
        self,
        config: AlertConfig,
        *,
        clock: Clock,
        rng: random.Random,
        run: str = "",
        file: Path | None = None,
    ) -> None:
        self.secrets = config.secrets
        self._clock = clock
        self._run = " ".join(part for part in (config.label, run) if part)
        self._file = _LineFile(config.file or file)
        self._pages = Pages()
        self._changed = asyncio.Event()
        self._closing = False
        self._senders = [
            Sender(one, clock=clock, rng=rng, hide=self._hide, proxy=config.proxy)
            for one in channels_of(config)
        ]
        self._control: Control | None = None
        if config.telegram is not None and config.telegram.allow:
            self._control = Control(
                config.telegram,
                clock=clock,
                rng=rng,
                reply=self._reply,
                hide=self._hide,
                proxy=config.proxy,
            )
        self._ask: Ask | None = None
        self._status: Callable[[], str] = str

    def say(self, alarm: Alarming) -> None:
        """To the log and the file now, to the other channels soon."""
        heard = self._pages.hear(alarm, self._clock.monotonic())
        message = self._message(alarm.topic, alarm.text, alarm.page)
        if heard.record:
            self._write(message)
        if heard.send:
            self._send(message)
        self._changed.set()

    def attend(self, ask: Ask, status: Callable[[], str]) -> None:
        """Hears the operator from now on. Before `workers`.

        Args:
            ask: told what is wanted (pause, resume, drain, flatten), and who wants it.
            status: one text on how the run stands.
        """
        self._ask, self._status = ask, status

    def workers(self) -> list[Coroutine[Any, Any, None]]:
        """One for each channel, one for repetitions, one for commands; none ends or hurts another.

        Each is to be started, once.
        """
        work = [self._repeat(), *(sender.work() for sender in self._senders)]
        if self._control is not None and self._ask is not None:
            work.append(self._control.work(self._ask, self._status))
        return work

    def finish(self) -> None:
        """The run is over: what waits is tried for a few seconds more, then the workers end."""
        self._closing = True
        self._changed.set()
        if self._control is not None:
            self._control.finish()
        for sender in self._senders:
            sender.finish()

    async def prove(self) -> dict[str, str]:
        """Says a test on every channel; what is wrong with each, "" where nothing is.

        The log has a warning for each that is broken.
        """
        test = self._message("test", "alarms of this run reach you here", page=False)
        problems = {"file": self._file.append(record(test))} if self._file.path else {}
        problems |= await self._send_now(test)
        for name, problem in problems.items():
            if problem:
                log.warning("alarms do not reach %s: %s", name, problem)
        return problems

    async def say_now(self, alarm: Alarming) -> None:
        """Says it and returns when each channel was tried once; for when no worker runs."""
        message = self._message(alarm.topic, alarm.text, alarm.page)
        self._write(message)
        await self._send_now(message)

    async def close(self) -> None:
        """Gives all connections back; where the workers ran, they did."""
        for sender in self._senders:
            await sender.close()
        self._file.close()

    # ----------------------------------------------------------------- out

    async def _repeat(self) -> None:
        """Says open pages again when their minute is over."""
        while not self._closing:
            self._changed.clear()
            for again in self._pages.repeat(self._clock.monotonic()):
                message = self._message(again.topic, again.text, True, again.standing)
                self._write(message)
                self._send(message)
            await self._until(self._pages.due)

    async def _until(self, due: float | None) -> None:
        """That moment, or something new."""
        wait = None if due is None else max(due - self._clock.monotonic(), 0.0)
        try:
            async with asyncio.timeout(wait):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _write(self, message: Message) -> None:
        """The two places that need nobody else."""
        level = logging.INFO if message.topic in _CALM else logging.WARNING
        log.log(logging.CRITICAL if message.page else level, "%s", message)
        self._file.append(record(message))

    def _send(self, message: Message) -> None:
        for sender in self._senders:
            sender.post(message)

    async def _send_now(self, message: Message) -> dict[str, str]:
        """What is wrong with each channel, "" where nothing is."""
        return {sender.name: await sender.send_once(message) for sender in self._senders}

    def _reply(self, reply: Reply) -> None:
        for sender in self._senders:
            if sender.name == "telegram":
                sender.post(Message("reply", reply.text, run=self._run, chat=str(reply.chat)))

    def _message(self, topic: str, text: str, page: bool, standing: int = 0) -> Message:
        text = self._hide(text).encode(errors="replace").decode()  # what a venue said may be odd
        return Message(topic, text, page, self._run, self._clock.now_ms(), standing=standing)

    def _hide(self, text: str) -> str:
        return redact(text, self.secrets)


class _LineFile:
    """Appends JSON lines to a file that is made when the first one comes."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._fd: int | None = None
        self._broken = False

    def append(self, line: object) -> str:
        """What is wrong, "" where nothing is; the log is told once."""
        if self.path is None:
            return ""
        try:
            os.write(self._opened(self.path), msgspec.json.encode(line) + b"\n")
        except OSError as error:
            return self._tell(f"{self.path}: {error.strerror}")
        self._broken = False
        return ""

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _tell(self, problem: str) -> str:
        if not self._broken:
            self._broken = True
            log.warning("alarms cannot be written down: %s", problem)
        return problem

    def _opened(self, path: Path) -> int:
        if self._fd is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, _FLAGS, 0o600)
        return self._fd

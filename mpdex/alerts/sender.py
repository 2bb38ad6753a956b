"""One channel: what waits for it, how often it is tried, and that its silence is told once.

Nothing here reaches another channel or the hedge: `post` only puts a message into a queue of
bounded length, and whatever goes wrong ends in a line of the log.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mpdex.alerts.channels import Channel, Failure, Message
from mpdex.errors import MpdexError
from mpdex.types import Lane, VenueSpec
from mpdex.utils.backoff import delays
from mpdex.utils.clock import Clock
from mpdex.utils.rest import RestTransport
from mpdex.utils.throttle import Throttle

log = logging.getLogger("mpdex.alerts")

# How long a message is worth trying; a page that stands is said again every minute anyway.
_PATIENCE = 60.0
_PAGE_PATIENCE = 300.0
# A service that asks for more is not believed: the next attempt tells.
_LONGEST_BAN = 300.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
# At the end of a run: what is left is tried this much longer, this often.
FLUSH = 3.0
_FLUSH_PAUSE = 0.5
_WAITING = 100
_ATTEMPT = 10.0


class _NoLimit(Throttle):
    """The sender itself waits after a "too many", for as long as the body says."""

    def penalize(self, scope: str, lane: Lane, seconds: float) -> None:
        pass


def transport_to(
    name: str,
    url: str,
    *,
    clock: Clock,
    rng: random.Random,
    proxy: str = "",
    timeout: float = _ATTEMPT,
) -> RestTransport:
    """HTTP to one service: nothing signed, nothing limited, nothing judged."""
    return RestTransport(
        VenueSpec(name=name, endpoints={}, credentials=()),
        {"rest": url},
        clock=clock,
        throttle=_NoLimit({}, clock=clock),
        sign=lambda request, now_ms: request,
        decode_error=lambda status, answer, request: None,
        proxy=proxy or None,
        timeout=timeout,
        rng=rng,
    )


def plainly(error: MpdexError) -> str:
    """The error in words, without the request."""
    return error.detail.partition(" [")[0]


@dataclass(slots=True)
class _Waiting:
    message: Message
    until: float


class Sender:
    """Delivers to one channel, pages first.

    Args:
        hide: takes secrets out of a text.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        clock: Clock,
        rng: random.Random,
        hide: Callable[[str], str],
        proxy: str = "",
    ) -> None:
        self.name = channel.name
        self._channel = channel
        self._clock = clock
        self._rng = rng
        self._hide = hide
        self._http = transport_to(channel.name, channel.url, clock=clock, rng=rng, proxy=proxy)
        self._waiting: list[_Waiting] = []
        self._lost = 0
        self._ill = False
        self._pauses = self._new_pauses()
        self._work = asyncio.Event()
        self._hurry = asyncio.Event()
        self._closing = False
        self._end: asyncio.Timeout | None = None

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def post(self, message: Message) -> None:
        """Queues a message; of a page that stands only the newest text waits."""
        if self._channel.pages_only and not (message.page or message.chat):
            return
        if message.page:
            self._waiting = [one for one in self._waiting if not _replaces(message, one.message)]
            self._hurry.set()
        patience = _PAGE_PATIENCE if message.page else _PATIENCE
        self._waiting.append(_Waiting(message, self._clock.monotonic() + patience))
        if len(self._waiting) > _WAITING:
            self._drop(self._least_urgent())
        self._work.set()

    async def send_once(self, message: Message) -> str:
        """Sends it once, now; what is wrong, "" where nothing is."""
        failure = await self._attempt(message)
        return failure.reason if failure is not None else ""

    async def work(self) -> None:
        """Delivers until `finish`, then what it still can. Never raises."""
        try:
            async with asyncio.timeout(None) as self._end:
                self._limit_end()
                await self._deliver_all()
        except TimeoutError:
            pass
        finally:
            self._end = None
            self._lost += len(self._waiting)
            self._waiting.clear()
            self._tell_lost()
            await self.close()

    def finish(self) -> None:
        """No more is to come; `work` ends soon."""
        self._closing = True
        self._work.set()
        self._hurry.set()
        self._limit_end()

    async def close(self) -> None:
        """Gives the connections back."""
        await self._http.close()

    # ----------------------------------------------------------------- delivering

    async def _deliver_all(self) -> None:
        while True:
            while not self._waiting:
                if self._closing:
                    return
                self._work.clear()
                await self._work.wait()
            one = self._next()
            try:
                await self._deliver(one)
            except Exception as error:  # noqa: BLE001  (the edge: an alarm must not end the hedge)
                log.error("%s: an alarm met %s", self.name, type(error).__name__)
                self._drop(one)

    async def _deliver(self, one: _Waiting) -> None:
        if not self._closing:
            self._hurry.clear()
        failure = await self._attempt(one.message)
        if failure is None:
            self._remove(one)
            self._well()
            return
        self._tell_ill(failure)
        if not failure.again:
            self._drop(one)
            return
        self._drop_late()
        if failure.after is None:
            await self._pause(next(self._pauses))
        else:
            await asyncio.sleep(min(failure.after, _LONGEST_BAN))

    async def _attempt(self, message: Message) -> Failure | None:
        try:
            answer = await self._http.send_raw(self._channel.encode(message))
        except MpdexError as error:
            return Failure(self._hide(plainly(error)))
        failure = self._channel.judge(answer)
        if failure is None:
            return None
        return Failure(self._hide(failure.reason), failure.again, failure.after)

    async def _pause(self, seconds: float) -> None:
        """Cut short by a new page, and by the end."""
        if self._closing:
            await asyncio.sleep(_FLUSH_PAUSE)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            pass

    def _limit_end(self) -> None:
        """Sets the deadline, once there is an end and work that it is for."""
        if self._closing and self._end is not None and self._end.when() is None:
            self._end.reschedule(asyncio.get_running_loop().time() + FLUSH)

    # ----------------------------------------------------------------- the queue

    def _next(self) -> _Waiting:
        return next((one for one in self._waiting if one.message.page), self._waiting[0])

    def _least_urgent(self) -> _Waiting:
        return next((one for one in self._waiting if not one.message.page), self._waiting[0])

    def _remove(self, one: _Waiting) -> None:
        self._waiting = [other for other in self._waiting if other is not one]

    def _drop(self, one: _Waiting) -> None:
        self._remove(one)
        self._lost += 1

    def _drop_late(self) -> None:
        now = self._clock.monotonic()
        for one in [one for one in self._waiting if one.until <= now]:
            self._drop(one)

    # ----------------------------------------------------------------- told once

    def _new_pauses(self) -> Iterator[float]:
        return delays(_FIRST_PAUSE, _LONGEST_PAUSE, rng=self._rng)

    def _tell_ill(self, failure: Failure) -> None:
        if not self._ill:
            self._ill = True
            log.warning("alarms do not reach %s: %s", self.name, failure.reason)

    def _well(self) -> None:
        self._pauses = self._new_pauses()
        if self._ill:
            self._ill = False
            log.warning("alarms reach %s again; %d were lost", self.name, self._lost)
            self._lost = 0

    def _tell_lost(self) -> None:
        if self._lost:
            log.warning("%d alarms never reached %s", self._lost, self.name)


def _replaces(new: Message, old: Message) -> bool:
    return old.page and old.topic == new.topic and old.chat == new.chat

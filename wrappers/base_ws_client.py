"""The life of one WebSocket connection: connect, greet, listen, lose it, come back.

One object, one owner task. The first connection and every later one are the same lines, proxy and
session included. A loss is seen by consumers the moment it happens, and nothing of an old
connection is handed over after it.

A subclass says what to do with a message, how to subscribe again, and what a ping looks like (the
three abstract methods); all timings are class attributes. Venue streams build on `VenueStream`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Coroutine, Iterator
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec

from mpdex.errors import MpdexError, RateLimited, TransportError
from mpdex.types import Json, Session, Topic
from mpdex.utils.backoff import delays
from mpdex.utils.clock import Clock, SystemClock
from mpdex.utils.door import Door
from mpdex.utils.socket import Engine, HandshakeRefused, Hooks, Socket, connect
from mpdex.utils.socket.pulse import Pulse
from mpdex.utils.socket.quarantine import Quarantine

if TYPE_CHECKING:
    from mpdex.utils.session import SessionKeeper

log = logging.getLogger("mpdex.stream")

_decode_json = msgspec.json.Decoder(float_hook=Decimal).decode

# Messages a slow `_handle_message` may fall behind by before its data is called stale.
_BACKLOG = 10_000
_REPLACE_EVERY = 60.0  # seconds
# Of a server that pings at a known interval: three, and half of one for the way.
_PINGS_MISSED = 3.5


class State(StrEnum):
    CLOSED = "closed"  # not started, closed, or never connected
    CONNECTING = "connecting"
    OPEN = "open"  # connected, authenticated, subscribed again


class ConnectionOptions(TypedDict, total=False):
    """What every connection takes, for subclasses that pass it on."""

    proxy: str | None
    url: str | None
    clock: Clock | None
    rng: random.Random | None
    engine: Engine
    session: SessionKeeper | None
    name: str
    door: Door | None
    ssl_context: ssl.SSLContext | None


class BaseWSClient(ABC):
    """A connection that comes back until it is closed.

    Args:
        proxy: `http://user:password@host:port` (CONNECT tunnel) or `socks5://...`.
        url: in place of `WS_URL`.
        clock: for ages; the loop's own timers do the waiting.
        rng: jitter of the waiting times.
        engine: "picows" or "websockets".
        session: asked for a valid session before each handshake; see `handshake_headers`.
        name: in logs and errors.
        door: shared by all connections to a venue, which counts their attempts together.
        ssl_context: in place of the system's trust.

    Attributes:
        state: where the connection is.
        generation: counts connections; an event belongs to the one it came from.
        quarantine: counts what could not be understood.
    """

    WS_URL: str = ""
    WS_CONNECT_TIMEOUT: float = 10.0  # seconds for the handshake, and again for the greeting
    PING_INTERVAL: float | None = None  # None: never send a ping of any kind
    PING_FAIL_THRESHOLD: int = 2  # pings in a row without any frame
    RECV_TIMEOUT: float | None = None  # None: silence is no reason to reconnect
    # Seconds between the server's own pings, where it is known to ping: where several of them do
    # not come the connection is dead, whatever it has to say. None: it makes no promise.
    SERVER_PINGS: float | None = None
    RECONNECT_MIN: float = 1.0
    RECONNECT_MAX: float = 8.0
    CONNECT_MAX_ATTEMPTS: int = 6  # for the first connection; later ones are tried for ever
    MAX_AGE: float | None = None  # seconds after which the venue ends any connection
    RENEW_AHEAD: float = 60.0  # seconds before its end at which a connection is made anew
    ENDS_WITH_SESSION: bool = True  # False: whoever is let in once may stay
    FOLLOWS_SESSION: bool = False  # True: made anew as soon as there is a newer session

    HOST: str = "ws"  # key into the venue's endpoints
    CHANNELS: frozenset[str] = frozenset()  # of `Topic.channel`
    PRIVATE: bool = False
    ACKS_SUBSCRIBE: bool = True

    def __init__(
        self,
        *,
        proxy: str | None = None,
        url: str | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        engine: Engine = "picows",
        session: SessionKeeper | None = None,
        name: str = "",
        door: Door | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self.session = session
        self.name = name or type(self).__name__
        self.state = State.CLOSED
        self.generation = 0
        self.quarantine = Quarantine(self.name, self.clock, self._drop)
        self._proxy = proxy
        self._url = url or self.WS_URL
        self._rng = rng or random.Random()
        self._engine = engine
        self._door = door
        self._ssl_context = ssl_context
        self._running = self._closed = False
        self._replaced = -_REPLACE_EVERY  # when its owner was replaced last
        self._task: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None
        self._first: asyncio.Future[None] | None = None
        self._link: Link | None = None
        self._inbox: asyncio.Queue[tuple[Link, bytes]] = asyncio.Queue(_BACKLOG)

    # ------------------------------------------------------------------ what a subclass says

    @abstractmethod
    async def _handle_message(self, data: Json) -> None:
        """One message, parsed; awaited in order, never two at a time."""

    @abstractmethod
    async def _resubscribe(self) -> None:
        """Greet a new connection: authenticate, and subscribe to what was subscribed."""

    @abstractmethod
    def _build_ping_message(self) -> str | bytes | None:
        """What to send every PING_INTERVAL; None for a protocol ping frame."""

    @classmethod
    def path_of(cls, topic: Topic) -> str:
        """What follows the endpoint in a topic's address; "": one connection serves all topics."""
        return ""

    def handshake_headers(self) -> dict[str, str]:
        """Headers of the handshake; the session is valid when this is asked."""
        session = self.session and self.session.current
        return dict(session.headers) if session else {}

    @classmethod
    def patience(cls) -> float | None:
        """Seconds without any frame, pings included, that mean a dead connection; None: none do."""
        if cls.RECV_TIMEOUT is not None or cls.SERVER_PINGS is None:
            return cls.RECV_TIMEOUT
        return cls.SERVER_PINGS * _PINGS_MISSED

    def _receive(self, link: Link, frame: bytes) -> None:
        """A frame, in the callback that read it. Here it waits its turn for `_handle_message`."""
        try:
            self._inbox.put_nowait((link, frame))
        except asyncio.QueueFull:
            self._drop("messages come faster than they are handled")

    def _on_up(self) -> None:  # noqa: B027  (optional)
        """The connection is open and greeted."""

    def _on_down(self, reason: str, *, was_open: bool) -> None:  # noqa: B027  (optional)
        """The connection is gone; called at once, before anything is tried again."""

    # ------------------------------------------------------------------ what a user calls

    async def connect(self) -> None:
        """Return when the connection is open; it then comes back by itself until `close`.

        Raises: TransportError after CONNECT_MAX_ATTEMPTS; at once what no retry can mend
            (UsageError, AuthError of the login).
        """
        if self._task is None or self._task.done():
            self._running, self._closed = True, False
            self.state = State.CONNECTING
            self._first = asyncio.get_running_loop().create_future()
            self._first.add_done_callback(_retrieve)
            self._begin()
        assert self._first is not None
        await asyncio.shield(self._first)

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._own(), name=self.name)  # noqa: TID251  (owner)
        self._task.add_done_callback(self._owner_ended)

    def _owner_ended(self, task: asyncio.Task[None]) -> None:
        """An owner that breaks is replaced, once a minute; a connection without one is dead."""
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        log.error("%s: the connection's owner broke", self.name, exc_info=error)
        now = self.clock.monotonic()
        connected = self._first is not None and self._first.done() and not self._first.exception()
        if connected and not self._closed and now >= self._replaced + _REPLACE_EVERY:
            self._replaced = now
            self._running, self.state = True, State.CONNECTING
            self._begin()

    async def close(self) -> None:
        """Close, and wait until nothing of the connection is left."""
        self._running, self._closed = False, True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self.state = State.CLOSED
            self._settle_first(TransportError("closed", venue=self.name))

    @property
    def connected(self) -> bool:
        """Whether it is open now; `state` says what else it may be."""
        return self.state is State.OPEN

    @property
    def ends_at(self) -> float | None:
        """When the connection ends by itself, its session over or its age reached, in the clock's
        monotonic seconds; None: it does not, or there is none."""
        return None if self._link is None else self._link.ends_at

    def renew(self, reason: str) -> bool:
        """Make the connection anew, without waiting for its end. False: it is not open.

        For consumers that is a loss like any other: a drop, and a return.
        """
        link = self._link
        if link is None or not self.connected:
            return False
        link.planned = True
        self._drop(reason)
        return True

    def send(self, data: bytes | str) -> None:
        """Write one text message now.

        Raises: TransportError when there is no connection; then nothing was sent.
        """
        if self._link is None or self._link.socket is None:
            raise TransportError("not connected", venue=self.name)
        self._link.socket.send(data)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something about this connection beside it, such as reading a snapshot.

        If it fails the connection is made again, since what it was to learn is not known.
        """
        if self._group is None or self._link is None:
            work.close()
            return
        self._group.create_task(self._beside(self._link, work))

    async def _beside(self, link: Link, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except MpdexError as error:
            if link is self._link:
                self._drop(str(error))

    # ------------------------------------------------------------------ the owner task

    async def _own(self) -> None:
        failure: Exception | None = None
        followers = self.session.followers if self.session and self.FOLLOWS_SESSION else []
        followers.append(self._follow)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                reader = group.create_task(self._read())
                failure = await self._serve()
                reader.cancel()
        finally:
            followers.remove(self._follow)
            self._running = False
            self._group = None
            link = self._link
            self._drop("closed")
            self.state = State.CLOSED
            if link is not None:
                await link.wait_closed()
            self._settle_first(failure or TransportError("closed", venue=self.name))

    async def _read(self) -> None:
        while True:
            link, frame = await self._inbox.get()
            if link is self._link:
                with self.quarantine:
                    await self._handle_message(_decode_json(frame))

    async def _serve(self) -> Exception:
        """Connect, stay until it is lost, wait, again; ends only if the first one never comes."""
        loop = asyncio.get_running_loop()
        self._waits = self._new_waits()
        while isinstance(link := await self._reconnect_with_backoff(), Link):
            opened = loop.time()
            await link.lost
            await link.wait_closed()
            if loop.time() - opened > self.RECONNECT_MAX:  # a good one: forget earlier troubles
                self._waits = self._new_waits()
            if not link.planned:
                await asyncio.sleep(next(self._waits))
        return link

    def _new_waits(self) -> Iterator[float]:
        return delays(self.RECONNECT_MIN, self.RECONNECT_MAX, rng=self._rng)

    async def _reconnect_with_backoff(self) -> Link | Exception:
        """Try until a connection is greeted; the error when the first one is given up."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._do_reconnect()
            except Exception as error:  # noqa: BLE001  (edge of the owner task: it outlives them all)
                self._drop(str(error))
                if not self._may_retry(error, attempt):
                    return error
                pause = max(next(self._waits), getattr(error, "retry_after", None) or 0.0)
                level = logging.DEBUG if isinstance(error, MpdexError) else logging.ERROR
                log.log(level, "%s: attempt %d failed: %s", self.name, attempt, error)
            await asyncio.sleep(pause)

    async def _do_reconnect(self) -> Link:
        """One connection up to its greeting: the same lines for the first and for any other."""
        self.generation += 1
        link = self._link = Link(self)
        if self.session is not None:
            link.session = await self.session.ensure()
        try:
            link.socket = await self._enter(link)
        except HandshakeRefused as error:
            if error.status in (401, 403):
                self._forget_session(link)
            raise
        link.pulse.start()
        await self._greet(link)
        link.foresee_end()
        self._come_up()
        return link

    async def _enter(self, link: Link) -> Socket:
        def connect_now() -> Awaitable[Socket]:
            return connect(
                self._url,
                link.hooks,
                headers=self.handshake_headers(),
                proxy=self._proxy,
                timeout=self.WS_CONNECT_TIMEOUT,
                engine=self._engine,
                ssl_context=self._ssl_context,
            )

        return await (
            connect_now() if self._door is None else self._door.enter(connect_now, self._rng)
        )

    async def _greet(self, link: Link) -> None:
        try:
            async with asyncio.timeout(self.WS_CONNECT_TIMEOUT):
                if link is self._link:
                    await self._resubscribe()
        except TimeoutError as error:
            raise TransportError("the venue did not confirm in time", venue=self.name) from error
        if link is not self._link:
            link.end()
            raise TransportError(await link.lost, venue=self.name)

    def _come_up(self) -> None:
        self.state = State.OPEN
        if self._first is not None and self._first.done():
            log.info("%s: connected again", self.name)
        self._on_up()
        self._settle_first(None)

    # ------------------------------------------------------------------ losing it

    def _drop(self, reason: str) -> None:
        """End the connection now; whoever has to know is told before this returns."""
        link, self._link = self._link, None
        if link is None:
            return
        was_open = self.state is State.OPEN
        self.state = State.CONNECTING if self._running else State.CLOSED
        link.end(reason)
        if was_open and self._running:
            log.warning("%s: connection lost: %s", self.name, reason)
        self._on_down(reason, was_open=was_open)

    def _recycle_session(self) -> None:
        """The venue refuses the session: the next connection is made with a new one."""
        if self.session is not None and self._link is not None:
            self._forget_session(self._link)
            self._drop("the session was refused")

    def _follow(self, session: Session) -> None:
        """There is a new session: a connection that was made with another is made anew."""
        link = self._link
        if link is not None and link.session is not None and link.session != session:
            link.planned = True
            self._drop("its session was replaced")

    def _forget_session(self, link: Link) -> None:
        if self.session is not None and link.session is not None:
            self.session.invalidate(link.session)

    def _ping(self) -> None:
        message = self._build_ping_message()
        if self._link is not None and self._link.socket is not None:
            if message is None:
                self._link.socket.ping()
            else:
                self._link.socket.send(message)

    def _may_retry(self, error: Exception, attempt: int) -> bool:
        if self._first is None or self._first.done():
            return True
        passing = isinstance(error, TransportError | RateLimited)
        return passing and attempt < self.CONNECT_MAX_ATTEMPTS

    def _settle_first(self, error: Exception | None) -> None:
        """Answer whoever waits in `connect`, once."""
        if self._first is None or self._first.done():
            return
        if error is None:
            self._first.set_result(None)
        else:
            self._first.set_exception(error)


class Link:
    """One connection of a client: its socket, its life signs, its end."""

    def __init__(self, client: BaseWSClient) -> None:
        self._client = client
        self.socket: Socket | None = None
        self.session: Session | None = None
        self.planned = False  # ended here, to be made anew at once
        self.ends_at: float | None = None
        self._renewal: asyncio.TimerHandle | None = None
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.hooks = Hooks(self._on_frame, self._on_close, self._on_control, self._on_control)
        self.pulse = Pulse(
            silence=client.patience(),
            interval=client.PING_INTERVAL,
            misses=client.PING_FAIL_THRESHOLD,
            ping=client._ping,
            dead=client._drop,
        )

    def _on_frame(self, frame: bytes) -> None:
        if self is self._client._link:  # an old connection has nothing to say
            self.pulse.heard()
            self._client._receive(self, frame)

    def _on_control(self, payload: bytes) -> None:
        self.pulse.heard()

    def _on_close(self, reason: str) -> None:
        if self is self._client._link:
            self._client._drop(reason)

    def foresee_end(self) -> None:
        """Has the connection made anew before the venue ends it."""
        client, lives = self._client, []
        if client.MAX_AGE is not None:
            lives.append(client.MAX_AGE)
        session = self.session if client.ENDS_WITH_SESSION else None
        if session is not None and session.expires_ms is not None:
            lives.append((session.expires_ms - client.clock.now_ms()) / 1000)
        if not lives:
            return
        left = max(min(lives), 0.0)
        self.ends_at = client.clock.monotonic() + left
        pause = max(left - client.RENEW_AHEAD, left / 2)
        loop = asyncio.get_running_loop()
        self._renewal = loop.call_later(pause, client.renew, "it would end soon")

    def end(self, reason: str = "") -> None:
        self.pulse.stop()
        if self._renewal is not None:
            self._renewal.cancel()
        if self.socket is not None:
            self.socket.close()
        if not self.lost.done():
            self.lost.set_result(reason)

    async def wait_closed(self) -> None:
        if self.socket is not None:
            await self.socket.wait_closed()


def _retrieve(future: asyncio.Future[None]) -> None:
    """Nobody may be waiting any more; that is no reason to complain."""
    if not future.cancelled():
        future.exception()

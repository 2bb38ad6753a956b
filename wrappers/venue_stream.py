"""A venue's stream: topics in our words, calls with answers, events to listeners.

A venue adds translations only (`encode_*`, `decode`, `wire_topic`). A frame goes from the socket's
callback through `decode` to every listener in one synchronous run: no queue, no task.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Unpack

import msgspec

from mpdex.errors import (
    AuthError,
    MpdexError,
    OutcomeUnknown,
    SessionEnded,
    TransportError,
    Unsupported,
)
from mpdex.types import Event, Json, Reply, Request, StreamDown, StreamUp, Subscribed, Topic
from mpdex.utils.markets import MarketList
from wrappers.base_ws_client import BaseWSClient, ConnectionOptions, Link, State

log = logging.getLogger("mpdex.stream")

Listener = Callable[[Event], None]


class VenueStream(BaseWSClient):
    """One connection to a venue, shared by whoever needs its topics.

    Args:
        keys: credentials, for venues that sign on the socket; never printed.
        markets: what the venue lists, for frames that do not name a market by its symbol.

    Attributes:
        listeners: called in order with every event, `StreamUp` and `StreamDown` included. What
            came from a connection is no longer known to be true after its `StreamDown`.
    """

    CALL_TIMEOUT = 10.0  # seconds until a call or a subscription counts as unanswered
    AUTH_TOPIC = ""  # `Subscribed(AUTH_TOPIC)` confirms `encode_auth`; "": not confirmed

    def __init__(
        self,
        *,
        keys: Mapping[str, str] | None = None,
        markets: MarketList | None = None,
        **options: Unpack[ConnectionOptions],
    ) -> None:
        super().__init__(**options)
        self.keys: Mapping[str, str] = keys or {}
        self.markets = MarketList(self.name) if markets is None else markets
        self.listeners: list[Listener] = []
        self._ids = itertools.count(1)
        self._topics: dict[str, _Subscription] = {}  # by the venue's text
        self._auth: _Subscription | None = None
        self._greeted = False  # authenticated, so that topics may be asked for
        self._calls: dict[int, _Call] = {}  # in order of their deadlines
        self._deadline: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------------ what a venue says

    @abstractmethod
    def wire_topic(self, topic: Topic) -> str:
        """The venue's text for a topic, as its confirmation has it."""

    @abstractmethod
    def encode_subscribe(self, topics: Sequence[Topic]) -> bytes | list[bytes]:
        """Frames that ask for topics; ids come from `request_id(topics)`."""

    @abstractmethod
    def encode_unsubscribe(self, topics: Sequence[Topic]) -> bytes | list[bytes]:
        """Frames that end topics; ids come from `request_id()`."""

    @abstractmethod
    def decode(self, frame: bytes) -> Iterable[Event]:
        """What a frame says. A refusal is a `Reply` with the id it answers, 0 if it has none."""

    def encode_auth(self) -> list[bytes]:
        """Frames that authenticate a new connection, where headers do not."""
        return []

    def encode_ping(self) -> bytes | None:
        """A ping in the venue's own form; None: a protocol ping frame."""
        return None

    def encode_call(self, request: Request, id: int) -> bytes:
        """The frame of a request over the socket."""
        raise Unsupported(f"{request} does not go over the socket", venue=self.name)

    def request_id(self, topics: Iterable[Topic] = ()) -> int:
        """A fresh id; a `Reply` with it settles the subscription of these topics."""
        id = next(self._ids)
        for topic in topics:
            entry = self._topics.get(self.wire_topic(topic))
            if entry is not None:
                entry.request = id
        return id

    # ------------------------------------------------------------------ topics

    async def subscribe(self, topic: Topic) -> None:
        """Return when the venue confirmed, or after sending where it never does.

        Every `subscribe` is undone by one `unsubscribe`; only the first and the last are sent.
        While the connection is being made again, this waits for it.

        Raises: TransportError on a drop or after CALL_TIMEOUT, VenueError if refused; nothing is
            then subscribed for this caller.
        """
        if self.state is State.CLOSED:
            raise TransportError("not connected", venue=self.name, request=str(topic))
        entry = self._entry(topic)
        entry.users += 1
        try:
            async with asyncio.timeout(self.CALL_TIMEOUT):
                await entry.wait()
        except TimeoutError as error:
            self._release(entry)
            raise TransportError(
                f"no confirmation within {self.CALL_TIMEOUT:g} s",
                venue=self.name,
                request=entry.wire,
            ) from error
        except (MpdexError, asyncio.CancelledError):
            self._release(entry)
            raise

    async def unsubscribe(self, topic: Topic) -> None:
        """Give back one `subscribe`."""
        entry = self._topics.get(self.wire_topic(topic))
        if entry is not None:
            self._release(entry)

    def resubscribe(self, topic: Topic) -> None:
        """Ask again for a topic, so that its snapshot is sent again (a book with a gap).

        Nothing happens where that is already asked for, or is as soon as there is a connection.
        """
        entry = self._topics.get(self.wire_topic(topic))
        if entry is None or not self._greeted or not entry.confirmed.done():
            return
        self._send_all(self.encode_unsubscribe([entry.topic]))
        entry.reset()
        self._ask([entry])

    def _entry(self, topic: Topic) -> _Subscription:
        wire = self.wire_topic(topic)
        entry = self._topics.get(wire)
        if entry is None:
            entry = self._topics[wire] = _Subscription(topic, wire)
            try:
                if self._greeted:
                    self._ask([entry])
            except MpdexError:
                del self._topics[wire]
                raise
        return entry

    def _release(self, entry: _Subscription) -> None:
        entry.users -= 1
        if entry.users > 0 or self._topics.get(entry.wire) is not entry:
            return
        del self._topics[entry.wire]
        if self._greeted:
            self._send_all(self.encode_unsubscribe([entry.topic]))

    def _ask(self, entries: Sequence[_Subscription]) -> None:
        self._send_all(self.encode_subscribe([entry.topic for entry in entries]))
        if not self.ACKS_SUBSCRIBE:
            for entry in entries:
                entry.confirm()

    def _send_all(self, frames: bytes | list[bytes]) -> None:
        for frame in [frames] if isinstance(frames, bytes) else frames:
            self.send(frame)

    def _pending(self) -> list[_Subscription]:
        """What the venue has not confirmed yet on this connection."""
        entries = [self._auth, *self._topics.values()]
        return [entry for entry in entries if entry is not None and not entry.confirmed.done()]

    # ------------------------------------------------------------------ calls

    def call(self, request: Request) -> asyncio.Future[Json]:
        """Write a request now; the future has the body of its answer.

        The future raises VenueError when refused, and without an answer (a drop, CALL_TIMEOUT)
        OutcomeUnknown for a command and TransportError for anything else.

        Raises: TransportError when the connection is not open; then nothing was sent.
        """
        if self.state is not State.OPEN:
            raise TransportError("not connected", venue=self.name, request=str(request))
        loop = asyncio.get_running_loop()
        id = next(self._ids)
        self.send(self.encode_call(request, id))
        call = _Call(loop.create_future(), request, loop.time() + self.CALL_TIMEOUT)
        self._calls[id] = call
        if self._deadline is None:
            self._deadline = loop.call_at(call.deadline, self._expire)
        return call.future

    def _expire(self) -> None:
        """The one deadline timer: end what is overdue, wait for the next."""
        self._deadline = None
        loop = asyncio.get_running_loop()
        while self._calls:
            id, call = next(iter(self._calls.items()))
            if call.deadline > loop.time():
                self._deadline = loop.call_at(call.deadline, self._expire)
                return
            del self._calls[id]
            call.fail(f"no answer within {self.CALL_TIMEOUT:g} s", self.name)

    # ------------------------------------------------------------------ frames

    def _receive(self, link: Link, frame: bytes) -> None:
        with self.quarantine:
            for event in self.decode(frame):
                if link is not self._link:
                    return
                self._tell(event)
                if isinstance(event, Reply):
                    self._settle(event)
                elif isinstance(event, Subscribed):
                    self._confirm(event.wire_topic)

    def _tell(self, event: Event) -> None:
        for listener in tuple(self.listeners):
            with self.quarantine:
                listener(event)

    def _confirm(self, wire: str) -> None:
        if self._auth is not None and wire == self._auth.wire:
            self._auth.confirm()
        elif wire in self._topics:
            self._topics[wire].confirm()

    def _settle(self, reply: Reply) -> None:
        call = self._calls.pop(reply.id, None)
        if call is not None:
            call.settle(reply)
        elif reply.error is None:
            self._confirm_request(reply.id)
        else:
            self._refuse_request(reply.id, reply.error)
        if isinstance(reply.error, SessionEnded):
            self._recycle_session()

    def _confirm_request(self, id: int) -> None:
        for entry in self._pending():
            if entry.request == id:
                entry.confirm()

    def _refuse_request(self, id: int, error: Exception) -> None:
        """A refusal without an id is of whatever waits: the venue does not say what it meant."""
        refused = [entry for entry in self._pending() if id in (0, entry.request)]
        for entry in refused:
            entry.refuse(error)
            if not entry.granted:
                self._topics.pop(entry.wire, None)
        if refused:
            return
        log.warning("%s: the venue refused something that nobody waits for: %s", self.name, error)
        if isinstance(error, AuthError) and self.session is None:
            self._drop("a subscription was refused")  # and the venue confirms none: ask them again

    # ------------------------------------------------------------------ the connection's life

    async def _handle_message(self, data: Json) -> None:
        """A message from elsewhere than the socket, as if it had come from there."""
        if self._link is not None:
            self._receive(self._link, msgspec.json.encode(data))

    async def _read(self) -> None:
        """Frames are handled where they arrive."""

    def _build_ping_message(self) -> bytes | None:
        return self.encode_ping()

    async def _resubscribe(self) -> None:
        """Authenticate, then ask for every topic again; return when the venue has confirmed."""
        frames = self.encode_auth()
        if frames:
            self._auth = _Subscription(Topic("auth"), self.AUTH_TOPIC)
            self._send_all(frames)
            if self.AUTH_TOPIC:
                await self._auth.wait()
        self._greeted = True
        entries = list(self._topics.values())
        if entries:
            self._ask(entries)
        for entry in entries:
            await entry.wait()

    def _on_up(self) -> None:
        self._tell(StreamUp(self.generation))

    def _on_down(self, reason: str, *, was_open: bool) -> None:
        self._greeted = False
        self._fail_calls(reason)
        for entry in self._pending():
            entry.refuse(TransportError(reason, venue=self.name, request=entry.wire))
        self._auth = None
        for entry in self._topics.values():
            entry.reset()
        if was_open:
            self._tell(StreamDown(reason))

    def _fail_calls(self, reason: str) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.fail(reason, self.name)


class _Subscription:
    """One of the venue's topics: how many want it, and whether this connection has it."""

    def __init__(self, topic: Topic, wire: str) -> None:
        self.topic = topic
        self.wire = wire
        self.users = 0
        self.request = -1  # id of the frame that asked
        self.granted = False  # on some connection
        self.reset()

    def reset(self) -> None:
        self.confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def wait(self) -> None:
        await asyncio.shield(self.confirmed)

    def confirm(self) -> None:
        self.granted = True
        if not self.confirmed.done():
            self.confirmed.set_result(None)

    def refuse(self, error: Exception) -> None:
        if not self.confirmed.done():
            self.confirmed.set_exception(error)
            self.confirmed.exception()  # whether anybody waits or not


class _Call(NamedTuple):
    """A request on its way."""

    future: asyncio.Future[Json]
    request: Request
    deadline: float

    def settle(self, reply: Reply) -> None:
        if self.future.done():
            return
        if reply.error is None:
            self.future.set_result(reply.body)
        else:
            self.future.set_exception(reply.error)

    def fail(self, reason: str, venue: str) -> None:
        if not self.future.done():
            kind = OutcomeUnknown if self.request.command else TransportError
            self.future.set_exception(kind(reason, venue=venue, request=str(self.request)))

"""The far end of one venue's wire: what a venue module has to say, and nothing else.

The server owns sockets, latency, limits, faults and counting; a `SimVenue` is translation between
wire and truth: `verify` and `parse_` on the way in, `render_` on the way out. Handlers are plain
functions that act on the exchange at once.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from mpdex.sim.exchange import BookFeed, SimExchange
from mpdex.sim.models import LatencyModel, Timers
from mpdex.sim.records import (
    MarkChanged,
    OrderChanged,
    PositionChanged,
    SimEvent,
    SimOrder,
    Traded,
)
from mpdex.types import Json, Limit
from mpdex.utils.clock import Clock

_decode = msgspec.json.Decoder(float_hook=str).decode


@dataclass(frozen=True)
class SimRequest:
    """One REST request as it arrived. Header names are lower case."""

    method: str
    path: str
    query_text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    remote: str = "127.0.0.1"

    @cached_property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.query_text, keep_blank_values=True))

    @cached_property
    def json(self) -> Json:
        """The body decoded; floats stay text. None for an empty body.

        Raises: msgspec.DecodeError.
        """
        return _decode(self.body) if self.body else None


@dataclass(frozen=True, slots=True)
class SimReply:
    """One REST answer. `body`: bytes and text go as they are, anything else as JSON.

    `cookies`: a `Set-Cookie` header each, beside those of `headers`.
    """

    body: Json = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = ""
    cookies: tuple[str, ...] = ()

    def encode(self) -> tuple[bytes, str]:
        """The bytes and their content type."""
        match self.body:
            case bytes():
                return self.body, self.content_type or "application/json"
            case str():
                return self.body.encode(), self.content_type or "text/plain"
            case _:
                return msgspec.json.encode(self.body), self.content_type or "application/json"


Handler: TypeAlias = Callable[[SimRequest], SimReply]


class Budget(NamedTuple):
    """What the last request left of a limit, for venues that say so in their answers."""

    left: int
    limit: Limit


class SimConnection(Protocol):
    """One socket of a client, as a venue module sees it.

    Attributes:
        private: which faults it meets (`ws_private` or `ws_public`); set by the venue.
        account: whose it is; "" until known.
        topics: scratch for subscriptions, by the venue's own key.
        state: scratch for anything else.
        pack: makes the binary frame that goes out instead of a text; None from it: it stays text.
    """

    id: int
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    private: bool
    account: str
    topics: dict[str, Any]
    state: dict[str, Any]
    pack: Callable[[bytes], bytes | None] | None

    @property
    def open(self) -> bool:
        """False once either end has closed."""
        ...

    def send(self, frame: Json, kind: str = "") -> None:
        """Push a frame after the stream latency, in order; text as it is, else as JSON.

        Args:
            frame: text, bytes of text, or a JSON value.
            kind: "order", "fill", "position", "book", "bbo", "trade", "mark", "ack" or
                "snapshot"; faults choose by it.
        """
        ...

    def ping(self, payload: bytes = b"") -> None:
        """Send a ping frame."""
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame after what was already pushed, then close."""
        ...


class SimVenue(ABC):
    """Base of every simulated venue.

    Attributes:
        name: as the factory spells the venue.
        ws_paths: where sockets are accepted.
        limits: scope -> documented limit; `scope_of` says what counts where.
        interests: events that reach `render_event` beside book changes.
        book_interval: seconds between two book frames of a market (conflation).
        ping_every, pong_within: server pings in seconds and when silence closes; None: never.
        fields: neutral field of a frame -> the venue's key, for the fault `mutate`
            (cid, price, size, fee, side, status, bid, ask, bids, asks, ts).
        answer_fields: the same for answers to requests (also position, liquidation, leverage,
            tick, step, min_size), where they differ from `fields`.
        takes_ids_twice: a client id may be used again while its order lives.
        dates_books: frames of a book say when they were made.
        session_lost: the next signed request is refused once; of venues without sessions.
        budget: of the request that is being answered; None where nothing limits it.
    """

    name: ClassVar[str]
    ws_paths: ClassVar[tuple[str, ...]] = ()
    limits: ClassVar[Mapping[str, Limit]] = {}
    interests: ClassVar[tuple[type, ...]] = (OrderChanged, Traded, PositionChanged, MarkChanged)
    book_interval: ClassVar[float] = 0.1
    ping_every: ClassVar[float | None] = None
    pong_within: ClassVar[float | None] = None
    fields: ClassVar[Mapping[str, str]] = {}
    answer_fields: ClassVar[Mapping[str, str]] = {}
    takes_ids_twice: ClassVar[bool] = False
    dates_books: ClassVar[bool] = True
    session_lost = False
    budget: Budget | None = None

    def __init__(
        self,
        exchange: SimExchange,
        *,
        clock: Clock,
        rng: random.Random,
        latency: LatencyModel,
        timers: Timers,
    ) -> None:
        self.exchange = exchange
        self.clock = clock
        self.rng = rng
        self.latency = latency
        self.timers = timers  # timers.after(seconds, call): the venue's own delays
        self._feeds: dict[str, BookFeed] = {}
        self._watchers: dict[str, int] = {}
        exchange.listen(self.render_event, *self.interests)

    # ---------------------------------------------------------------- said by the venue

    @classmethod
    @abstractmethod
    def make_exchange(cls, clock: Clock, rng: random.Random, latency: LatencyModel) -> SimExchange:
        """The venue's truth: its markets, fees and one funded account."""

    @abstractmethod
    def routes(self) -> Iterable[tuple[str, str, Handler]]:
        """(method, path, handler) of every REST call; `/*` at the end of a path is any one part."""

    @abstractmethod
    def endpoints(self, port: int) -> dict[str, str]:
        """Endpoint keys as the client's, with loopback URLs."""

    @abstractmethod
    def credentials(self) -> dict[str, str]:
        """Throwaway keys that this venue accepts, by the names a client takes."""

    @abstractmethod
    def render_event(self, event: SimEvent) -> None:
        """Push an event to the connections that asked for it."""

    @abstractmethod
    def render_reject(self, request: SimRequest, kind: str, code: str) -> SimReply:
        """The venue's own refusal of a class, for the fault `reject`.

        Args:
            request: what is refused.
            kind: "POST_ONLY", "MARGIN", "REDUCE_ONLY", "PRICE_BAND", "NOT_FOUND", "NONCE",
                "DUPLICATE_CID", "PERMISSION", "SYMBOL", "PRECISION", "AUTH", "OI_CAP",
                "MARKET_STATE" or "RATE".
            code: overrides the venue's code for the class; "" keeps it.
        """

    @abstractmethod
    def render_rate_limited(self, request: SimRequest, retry_after: float) -> SimReply:
        """The venue's answer to a request over a limit."""

    @abstractmethod
    def op_of(self, request: SimRequest) -> str:
        """Fault op: place cancel amend query_order query_open query_fills query_positions
        query_balance meta auth; "" for anything else."""

    # ---------------------------------------------------------------- said where it applies

    def other_credentials(self) -> Iterable[dict[str, str]]:
        """Other sets of keys that it accepts, for those clients who have another way in."""
        return ()

    def scope_of(self, request: SimRequest) -> tuple[str, str, int]:
        """(scope, whose bucket, weight); scope "" is not limited."""
        return "", "", 1

    def describe(self, request: SimRequest) -> Mapping[str, str]:
        """What faults may choose a request by: side, symbol, size, price, client_id, order_id,
        reduce_only ("true"), post_only ("true"), as far as the request says them."""
        return {}

    def accept_ws(self, conn: SimConnection) -> SimReply | None:
        """A handshake on `conn.path`; a reply refuses it (401, 404), None accepts."""
        return None

    def subprotocols(self, conn: SimConnection) -> tuple[str, ...]:
        """Those that a handshake which has been accepted may choose from."""
        return ()

    def accept_message(self, conn: SimConnection, text: str) -> Json | None:
        """A text frame. The value returned is the direct answer; None: there is none.

        Direct answers go out after the response latency and may be lost by faults; everything
        else is `conn.send`.
        """
        return None

    def request_of_message(self, conn: SimConnection, text: str) -> SimRequest | None:
        """The REST request that a call over the socket stands for, for limits and faults."""
        return None

    def wrap_reply(self, conn: SimConnection, text: str, reply: SimReply) -> Json:
        """A refusal made for REST, dressed as the answer to the call `text`."""
        return reply.body

    def hush(self, conn: SimConnection, text: str) -> None:  # noqa: B027  (optional)
        """The answer to the call `text` was lost; one who answers twice loses the second, too."""

    def is_mixed(self, path: str) -> bool:
        """Whether sockets on a path carry what is public and what is private alike."""
        return len(self.ws_paths) == 1

    def render_silence(self, conn: SimConnection) -> Json | None:
        """The frame to a client that has not answered pings for too long, before the close."""
        return None

    def close_ws(self, conn: SimConnection) -> None:  # noqa: B027  (optional, does nothing)
        """A connection is gone; books it watched are released by the venue here."""

    def told_id(self, order: SimOrder) -> str:
        """What clients know an order by; another one than the truth's where somebody stands
        between them and it."""
        return order.order_id

    def issued(self) -> Iterable[str]:
        """Tokens given to clients so far; secrets like the keys they were given for."""
        return ()

    def expire_sessions(self) -> None:
        """Whoever is logged in is not any more; without sessions, one request is refused."""
        self.session_lost = True

    def render_not_found(self, request: SimRequest) -> SimReply:
        """The answer on a path nobody serves."""
        return SimReply({"error": "not found"}, 404)

    # ---------------------------------------------------------------- offered to the venue

    def watch_book(self, symbol: str) -> None:
        """From now on `render_event` gets a conflated `BookChanged` of the market."""
        self._watchers[symbol] = self._watchers.get(symbol, 0) + 1
        if symbol not in self._feeds:
            feed = self._feeds[symbol] = self.exchange.book_feed(symbol)
            self.timers.after(self.book_interval, lambda: self._publish(symbol, feed))

    def unwatch_book(self, symbol: str) -> None:
        """One watcher less; the last one stops the feed."""
        self._watchers[symbol] -= 1
        if not self._watchers[symbol]:
            self._feeds.pop(symbol).close()

    def flush_book(self, symbol: str) -> None:
        """Publish what has changed now, for instance just before a snapshot is rendered."""
        feed = self._feeds.get(symbol)
        change = feed.take() if feed else None
        if change:
            self.render_event(change)

    def _publish(self, symbol: str, feed: BookFeed) -> None:
        if self._feeds.get(symbol) is feed:
            self.flush_book(symbol)
            self.timers.after(self.book_interval, lambda: self._publish(symbol, feed))


class Calls(Protocol):
    """Reads the calls that come over a socket, and dresses their answers."""

    def accept(self, conn: SimConnection, text: str) -> Json | None: ...
    def request_of(self, conn: SimConnection, text: str) -> SimRequest | None: ...
    def wrap(self, conn: SimConnection, text: str, reply: SimReply) -> Json: ...


class Pushes(Protocol):
    """Knows who asked for what."""

    def forget(self, conn: SimConnection) -> None: ...


class CallingVenue(SimVenue):
    """A venue whose sockets take calls as well as subscriptions."""

    @abstractmethod
    def ends(self) -> tuple[Calls, Pushes]:
        """Who answers a socket, and who pushes to it."""

    def close_ws(self, conn: SimConnection) -> None:
        self.ends()[1].forget(conn)

    def accept_message(self, conn: SimConnection, text: str) -> Json | None:
        return self.ends()[0].accept(conn, text)

    def request_of_message(self, conn: SimConnection, text: str) -> SimRequest | None:
        return self.ends()[0].request_of(conn, text)

    def wrap_reply(self, conn: SimConnection, text: str, reply: SimReply) -> Json:
        return self.ends()[0].wrap(conn, text, reply)

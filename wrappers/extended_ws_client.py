"""Extended, streams of version 1: one socket for each topic, whose name is in its address.

There are two generations. Version 2 carries every topic on one socket, but the public documentation
does not know it, and there a missing message puts everything in doubt. Here a socket counts its own
messages (`seq`: 1, 2, 3...; snapshots and changes without content count, too), so that the numbers
of a book's socket are the book's own, and a flood or a gap in one takes nothing else down. After a
gap the socket is made anew, as it begins with a snapshot. Opening one is all there is to subscribe.

The server pings every 15 s and wants a pong within 10 s; a market may be silent for long, so pings
are what tells a live connection. `User-Agent` is obligatory: without it the answer is 403.

Sources: api.docs.extended.exchange, "Public WebSocket streams", "Private WebSocket streams"; frames
of 2026-09-28; x10-python-trading-starknet 2.6.0; read 2026-11-21.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec

from mpdex.errors import AuthError, VenueError
from mpdex.types import (
    BboUpdate,
    BookUpdate,
    Event,
    FillUpdate,
    Json,
    MarkUpdate,
    OrderUpdate,
    PositionUpdate,
    Reply,
    Topic,
)
from mpdex.utils.precision import plain
from wrappers.base_ws_client import Link
from wrappers.extended_auth import VENUE
from wrappers.extended_wire import decode_fill, decode_order, decode_position
from wrappers.venue_stream import VenueStream

_MARKET_PATHS: Final = {
    "book": "/orderbooks/{}",
    "bbo": "/orderbooks/{}?depth=1",
    "mark": "/prices/mark/{}",
}
_ACCOUNT: Final = "/account"
_AGENT: Final = {"User-Agent": "mpdex"}
_DELTA: Final = b'{"type":"DELTA"'
_KEPT: Final = 1000  # messages: more than a book's socket says between two snapshots, in a minute
_BEST: Final = "1"  # depth of a frame that has the best bid and offer only
_ZERO: Final = Decimal(0)
# Past the argument handling of a NamedTuple's constructor: books are most of what comes.
_book_update: Final[Callable[[tuple[Any, ...]], BookUpdate]] = partial(tuple.__new__, BookUpdate)


class _Frame(msgspec.Struct, gc=False):
    """Frames hold no reference cycles, so the collector need not look at them."""


class _Level(_Frame):
    """`q`: the size in a snapshot, what came or went in a change."""

    p: str
    q: str
    c: str = ""


class _Sides(_Frame):
    m: str
    b: list[_Level]
    a: list[_Level]
    d: str = "f"


class _BookFrame(_Frame):
    data: _Sides
    ts: int
    seq: int


class _Change(_Frame):
    """`c`: the size after the change."""

    p: str
    c: str


class _Changes(_Frame):
    m: str
    b: list[_Change]
    a: list[_Change]


class _ChangeFrame(_Frame):
    data: _Changes
    ts: int
    seq: int


class _Price(_Frame):
    """Its own time is 0 on live frames."""

    m: str
    p: Decimal


class _PriceFrame(_Frame):
    data: _Price
    ts: int


class _Head(_Frame):
    type: str | None = None
    error: str | None = None


class _AccountFrame(_Frame):
    """Any message of the account; one may hold several sections."""

    data: dict[str, Json] | list[Json] | None = None
    ts: int = 0
    seq: int = 0
    error: str | None = None


_book = msgspec.json.Decoder(_BookFrame).decode
_change = msgspec.json.Decoder(_ChangeFrame).decode
_price = msgspec.json.Decoder(_PriceFrame).decode
_head = msgspec.json.Decoder(_Head).decode
_account = msgspec.json.Decoder(_AccountFrame, float_hook=Decimal).decode


class _Totals:
    """Sizes of one book by price, for a server that tells only what came or went.

    Until November 2025 the documentation knew no `c`.
    """

    def __init__(self) -> None:
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}

    def load(self, sides: _Sides) -> None:
        for sizes, levels in ((self._bids, sides.b), (self._asks, sides.a)):
            sizes.clear()
            sizes.update((Decimal(level.p), Decimal(level.q)) for level in levels)

    def add(self, sides: _Sides) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Bids and asks that changed, with their sizes now."""
        return _summed(self._bids, sides.b), _summed(self._asks, sides.a)


def _summed(sizes: dict[Decimal, Decimal], levels: Iterable[_Level]) -> list[tuple[str, str]]:
    told = []
    for level in levels:
        price = Decimal(level.p)
        total = Decimal(level.c) if level.c else sizes.get(price, _ZERO) + Decimal(level.q)
        sizes[price] = total
        told.append((level.p, plain(total)))
    return told


class ExtendedWSClient(VenueStream):
    """One market's book, best prices or mark: whichever the address names."""

    WS_URL = "wss://api.starknet.extended.exchange/stream.extended.exchange/v1"
    HOST = "ws"
    CHANNELS = frozenset(_MARKET_PATHS)
    PRIVATE = False
    ACKS_SUBSCRIBE = False
    PING_INTERVAL = None
    RECV_TIMEOUT = 45.0  # three of the server's pings

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._totals: _Totals | None = None  # where the server does not tell them
        self._early: deque[tuple[Link, bytes]] = deque(maxlen=_KEPT)

    @classmethod
    def path_of(cls, topic: Topic) -> str:
        return _MARKET_PATHS[topic.channel].format(topic.symbol)

    def wire_topic(self, topic: Topic) -> str:
        return self.path_of(topic)

    def encode_subscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        """Nothing: the address has said it."""
        return []

    def encode_unsubscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return []

    async def subscribe(self, topic: Topic) -> None:
        """Whoever is first hears what the connection began with before this returns."""
        await super().subscribe(topic)
        while self._early:
            super()._receive(*self._early.popleft())

    def _receive(self, link: Link, frame: bytes) -> None:
        """Nobody listens yet when the first snapshot comes, as it comes unasked."""
        if self._topics:
            super()._receive(link, frame)
        else:
            self._early.append((link, frame))

    def _on_down(self, reason: str, *, was_open: bool) -> None:
        self._early.clear()
        super()._on_down(reason, was_open=was_open)

    def resubscribe(self, topic: Topic) -> None:
        """With a pause before the next attempt that grows, should the gap be there again."""
        if self.connected:
            self._drop("messages are missing")

    def handshake_headers(self) -> dict[str, str]:
        return dict(_AGENT)

    def decode(self, frame: bytes) -> Iterable[Event]:
        """Events of one frame; types that no topic of ours has say nothing.

        Raises: msgspec's errors for a frame that is not what it should be.
        """
        if frame.startswith(_DELTA):
            return self._changed(frame)
        head = _head(frame)
        match head.type:
            case "SNAPSHOT":
                return (self._whole(_book(frame)),)
            case "DELTA":
                return self._changed(frame)
            case "MP":
                data = _price(frame)
                return (MarkUpdate(data.data.m, data.data.p, None, data.ts),)
        return _refused(head.error)

    def _whole(self, message: _BookFrame) -> Event:
        sides = message.data
        if sides.d == _BEST:
            return _best(sides, message.ts)
        if self._totals is not None:
            self._totals.load(sides)
        bids = [(level.p, level.q) for level in sides.b]
        asks = [(level.p, level.q) for level in sides.a]
        return BookUpdate(sides.m, bids, asks, message.seq, message.seq, True, message.ts)

    def _changed(self, frame: bytes) -> Iterable[Event]:
        if self._totals is not None:
            return (self._added(self._totals, _book(frame)),)
        try:
            message = _change(frame)
        except msgspec.ValidationError:
            return self._begin_to_add(_book(frame))
        data, seq = message.data, message.seq
        bids = [(level.p, level.c) for level in data.b]
        asks = [(level.p, level.c) for level in data.a]
        return (_book_update((data.m, bids, asks, seq, seq, False, message.ts)),)

    def _begin_to_add(self, message: _BookFrame) -> Iterable[Event]:
        """Without sizes in the changes they are added up, from the next snapshot on."""
        self._totals = _Totals()
        self._drop(f"changes of {message.data.m} do not tell sizes")
        return ()

    def _added(self, totals: _Totals, message: _BookFrame) -> Event:
        sides, seq = message.data, message.seq
        bids, asks = totals.add(sides)
        return BookUpdate(sides.m, bids, asks, seq, seq, False, message.ts)


def _best(sides: _Sides, time_ms: int) -> BboUpdate:
    bid, ask = (side[0] if side else None for side in (sides.b, sides.a))
    return BboUpdate(
        sides.m,
        bid.p if bid else "",
        bid.q if bid else "",
        ask.p if ask else "",
        ask.q if ask else "",
        time_ms,
    )


class ExtendedAccountClient(ExtendedWSClient):
    """Own orders, fills and positions. A connection begins with open orders and positions.

    A gap leaves the account unknown, so the connection is made anew and the account is read.
    """

    CHANNELS = frozenset({"orders", "fills", "positions"})
    PRIVATE = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._seq = 0  # of this connection's last message; 0: none yet

    @classmethod
    def path_of(cls, topic: Topic) -> str:
        return _ACCOUNT

    def handshake_headers(self) -> dict[str, str]:
        return {**_AGENT, "X-Api-Key": self.keys["api_key"].strip()}

    def decode(self, frame: bytes) -> Iterable[Event]:
        message = _account(frame)
        if message.error is not None:
            return _refused(message.error)
        data = message.data
        if not isinstance(data, dict) or not self._follows(message.seq):
            return ()
        return list(_events(data, message.ts))

    def _follows(self, seq: int) -> bool:
        """False: it was said already, or something before it was not."""
        before = self._seq
        self._seq = max(seq, before)
        if before and seq > before + 1:
            self._drop(f"{seq - before - 1} messages are missing")
            return False
        return seq > before

    def _on_down(self, reason: str, *, was_open: bool) -> None:
        self._seq = 0
        super()._on_down(reason, was_open=was_open)


def _events(data: dict[str, Json], time_ms: int) -> Iterator[Event]:
    for entry in data.get("trades") or ():
        yield FillUpdate(decode_fill(entry))
    for entry in data.get("orders") or ():
        yield OrderUpdate(decode_order(entry))
    for entry in data.get("positions") or ():
        yield _position(entry, time_ms)


def _position(entry: Json, time_ms: int) -> PositionUpdate:
    position = decode_position(entry)
    if position is None:
        return PositionUpdate(entry["market"], _ZERO, None, time_ms)
    size = position["size"] if position["side"] == "long" else -position["size"]
    return PositionUpdate(position["symbol"], size, position, time_ms)


def _refused(error: str | None) -> tuple[Event, ...]:
    """UNVERIFIED: what a stream says with `error`, and when; the SDK knows the field."""
    if not error:
        return ()
    kind = AuthError if "auth" in error.lower() or "key" in error.lower() else VenueError
    return (Reply(0, error=kind(error[:300], venue=VENUE, request="stream")),)

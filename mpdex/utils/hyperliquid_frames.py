"""Hyperliquid's stream: what is asked for, and what its frames say.

Books come whole each time, up to 20 levels a side; nothing is numbered, and a block's time never
goes back. There is no stream of positions and, it seems, no report of a partial fill: a fill tells
the position that it began from, and brings the order that it belongs to up to date.

The server closes a socket on which it has said nothing for 60 s, so a quiet one is pinged; the
answer is what keeps it open.

Source: hyperliquid.gitbook.io, "Websocket"; frames captured live in 2025 and 2026; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from mpdex.errors import MissingCredentials, RateLimited, VenueError
from mpdex.types import (
    BboUpdate,
    Event,
    Fill,
    FillUpdate,
    Json,
    MarkUpdate,
    Order,
    OrderStatus,
    OrderUpdate,
    Position,
    PositionUpdate,
    Reply,
    Request,
    Subscribed,
    Topic,
)
from mpdex.utils.common_hyperliquid import (
    FAMILY,
    checked,
    decode_fill,
    decode_order,
    decode_positions,
    named_address,
)
from mpdex.utils.frames import Frame, book_update
from mpdex.utils.markets import MarketList

MARKET_CHANNELS: Final = {"book": "l2Book", "bbo": "bbo", "mark": "activeAssetCtx"}
ACCOUNT_CHANNELS: Final = {
    "orders": "orderUpdates",
    "fills": "userFills",
    "positions": "allDexsClearinghouseState",
}
_SPOT_MARK: Final = "activeSpotAssetCtx"  # what a spot market's data comes as
_PING: Final = b'{"method":"ping"}'
_BOOK: Final = b'{"channel":"l2Book"'
_BBO: Final = b'{"channel":"bbo"'
_REMEMBERED: Final = 10_000  # open orders; the venue has no account with more than 5,000
_PENDING: Final = "too many pending post requests"
_ALREADY: Final = "Already subscribed: "
_NO_NEWS: Final = ("Already unsubscribed: ",)


class _Level(Frame):
    px: str
    sz: str


class _Book(Frame):
    coin: str
    time: int
    levels: tuple[list[_Level], list[_Level]]


class _Bbo(Frame):
    coin: str
    time: int
    bbo: tuple[_Level | None, _Level | None]


class _BookFrame(Frame):
    data: _Book


class _BboFrame(Frame):
    data: _Bbo


class _Message(Frame):
    channel: str = ""
    data: Json = None


_book = msgspec.json.Decoder(_BookFrame).decode
_bbo = msgspec.json.Decoder(_BboFrame).decode
_message = msgspec.json.Decoder(_Message, float_hook=Decimal).decode


class HyperliquidFrames:
    """Encoders and decoders of a venue's stream on Hyperliquid; goes before `VenueStream`."""

    PING_INTERVAL: float | None = 50.0
    RECV_TIMEOUT: float | None = 60.0

    keys: Mapping[str, str]
    markets: MarketList

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._account = _AccountFrames(self)

    @property
    def read_address(self) -> str:
        """Whose orders, fills and positions are asked for. Raises: MissingCredentials."""
        address = named_address(self.keys)
        if not address:
            raise MissingCredentials("account_address is needed to hear an account", venue=FAMILY)
        return address

    # ------------------------------------------------------------------ out

    def wire_topic(self, topic: Topic) -> str:
        """As its confirmation is read: what, and of which market; accounts come whole."""
        return _name(self._subscription(topic))

    def encode_subscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return self._frames("subscribe", topics)

    def encode_unsubscribe(self, topics: Sequence[Topic]) -> list[bytes]:
        return self._frames("unsubscribe", topics)

    def encode_ping(self) -> bytes:
        return _PING

    def encode_call(self, request: Request, id: int) -> bytes:
        """An action as it would go by REST, around its final bytes."""
        payload = request.body or msgspec.json.encode(request.json)
        return b'{"method":"post","id":%d,"request":{"type":"action","payload":%b}}' % (id, payload)

    def _frames(self, method: str, topics: Sequence[Topic]) -> list[bytes]:
        asked = {self.wire_topic(topic): topic for topic in topics}
        return [
            msgspec.json.encode({"method": method, "subscription": self._subscription(topic)})
            for topic in asked.values()
        ]

    def _subscription(self, topic: Topic) -> dict[str, str]:
        kind = MARKET_CHANNELS.get(topic.channel)
        if kind is None:
            return {"type": ACCOUNT_CHANNELS[topic.channel], "user": self.read_address}
        return {"type": kind, "coin": self.markets.wire_of(topic.symbol)}

    # ------------------------------------------------------------------ in

    def decode(self, frame: bytes) -> Iterable[Event]:
        """Events of one frame; a channel that is not ours says nothing.

        Raises: msgspec's errors or ProtocolError for a frame that is not as documented.
        """
        if frame.startswith(_BOOK):
            return self._decode_book(frame)
        if frame.startswith(_BBO):
            return self._decode_bbo(frame)
        if not frame.startswith(b"{"):
            return ()  # an older server's greeting is no JSON
        return self._decode_message(_message(frame), frame)

    def _decode_book(self, frame: bytes) -> Iterable[Event]:
        data = _book(frame).data
        bids, asks = data.levels
        time_ms = data.time
        return (
            book_update(
                (
                    self.markets.symbol_of(data.coin),
                    [(level.px, level.sz) for level in bids],
                    [(level.px, level.sz) for level in asks],
                    time_ms,
                    time_ms,
                    True,
                    time_ms,
                )
            ),
        )

    def _decode_bbo(self, frame: bytes) -> Iterable[Event]:
        data = _bbo(frame).data
        (bid, bid_size), (ask, ask_size) = map(_texts, data.bbo)
        symbol = self.markets.symbol_of(data.coin)
        return (BboUpdate(symbol, bid, bid_size, ask, ask_size, data.time),)

    def _decode_message(self, message: _Message, frame: bytes) -> Iterable[Event]:
        data = message.data
        match message.channel:
            case "activeAssetCtx" | "activeSpotAssetCtx":
                return (self._mark(data),)
            case "orderUpdates":
                return self._account.orders(data)
            case "userFills":
                return self._account.fills(data)
            case "allDexsClearinghouseState":
                return self._account.states(data)
            case "post":
                return (_reply(data),)
            case "subscriptionResponse":
                return _confirmed(data)
            case "error":
                return _refused(str(data))
            case "l2Book":  # in unusual spelling
                return self._decode_book(frame)
            case "bbo":
                return self._decode_bbo(frame)
        return ()

    @checked
    def _mark(self, data: Json) -> MarkUpdate:
        context = data["ctx"]
        index = context.get("oraclePx")
        return MarkUpdate(
            self.markets.symbol_of(data["coin"]),
            Decimal(context["markPx"]),
            None if index is None else Decimal(index),
            None,
        )


class _AccountFrames:
    """Orders, fills and positions, each brought up to date by what is said about the others."""

    def __init__(self, stream: HyperliquidFrames) -> None:
        self._stream = stream
        self._orders: dict[str, _Resting] = {}  # by the venue's id, oldest first
        self._positions: dict[str, Position] = {}  # by symbol
        self._moved_ms: dict[str, int] = {}  # symbol -> time of its last fill

    def _symbol_of(self, wire: str) -> str:
        return self._stream.markets.symbol_of(wire)

    @checked
    def orders(self, data: Json) -> list[Event]:
        return [OrderUpdate(self._order(entry)) for entry in data]

    def _order(self, entry: Json) -> Order:
        time_ms = entry["statusTimestamp"]
        order = decode_order(entry["order"], self._symbol_of, entry["status"], time_ms)
        known = self._orders.pop(order["id"], None)
        if known is not None:
            order = known.completed(order)
        if not order["status"].terminal:
            self._orders[order["id"]] = known.of(order) if known else _Resting(order)
            if len(self._orders) > _REMEMBERED:
                del self._orders[next(iter(self._orders))]
        return order

    @checked
    def fills(self, data: Json) -> list[Event]:
        """The first message repeats old fills; those of a drop are read back by REST."""
        if data.get("isSnapshot"):
            return []
        events: list[Event] = []
        for entry in data["fills"]:
            fill = decode_fill(entry, self._symbol_of)
            events.append(FillUpdate(fill))
            known = self._orders.get(fill["order_id"])
            if known is not None and known.take(fill):
                events.append(OrderUpdate(known.order))
            moved = self._moved(entry, fill)
            if moved is not None:
                events.append(moved)
        return events

    def _moved(self, entry: Json, fill: Fill) -> PositionUpdate | None:
        """The position after a fill; None where its entry price cannot be known yet."""
        symbol, size = fill["symbol"], fill["size"]
        if _is_spot(entry["coin"]):
            return None
        self._moved_ms[symbol] = fill["timestamp_ms"]
        before = Decimal(entry["startPosition"])
        after = before + (size if fill["side"] == "buy" else -size)
        held = self._positions.pop(symbol, None)
        if not after:
            return PositionUpdate(symbol, after, None, fill["timestamp_ms"])
        if before and (held is None or _signed(held) != before):
            return None
        position = _after(held, before, after, fill)
        self._positions[symbol] = position
        return PositionUpdate(symbol, after, position, fill["timestamp_ms"])

    @checked
    def states(self, data: Json) -> list[Event]:
        """Every position of every dex, and an end for each that is not among them any more."""
        events: list[Event] = []
        open_now: dict[str, Position] = {}
        times: dict[str, int] = {}
        for dex, state in data["clearinghouseStates"]:
            times[dex] = int(state["time"])
            open_now.update((p["symbol"], p) for p in decode_positions(state, self._symbol_of))
        for symbol in {**self._positions, **open_now}:
            position = open_now.get(symbol)
            time_ms = times.get(_dex_of(position or self._positions[symbol]))
            if time_ms is None or time_ms < self._moved_ms.get(symbol, 0):
                continue
            if position is None:
                del self._positions[symbol]
                events.append(PositionUpdate(symbol, Decimal(0), None, time_ms))
            else:
                self._positions[symbol] = position
                events.append(PositionUpdate(symbol, _signed(position), position, time_ms))
        return events


class _Resting:
    """An open order, and what its fills add up to since it was first heard of.

    The first report holds what had filled by then.
    """

    __slots__ = ("_first", "_later", "_notional", "_seen", "_size", "order")

    def __init__(self, order: Order) -> None:
        self.order = self._first = order
        self._seen: set[str] = set()
        self._size = self._later = self._notional = Decimal(0)

    def of(self, order: Order) -> _Resting:
        self.order = order
        return self

    def take(self, fill: Fill) -> bool:
        """Whether the order is further filled than was known."""
        if fill["id"] in self._seen:
            return False
        self._seen.add(fill["id"])
        self._size += fill["size"]
        self._notional += fill["size"] * fill["price"]
        if fill["timestamp_ms"] > (self._first["timestamp_ms"] or 0):
            self._later += fill["size"]
        before, self.order = self.order, self.completed(self.order)
        return self.order["filled"] > before["filled"]

    def completed(self, order: Order) -> Order:
        """With the filled size as far as it is known, and the average where that is all of it."""
        filled = max(order["filled"], self._size, self._first["filled"] + self._later)
        average = self._notional / filled if filled and filled == self._size else None
        status = order["status"]
        if status is OrderStatus.OPEN and filled >= order["size"]:
            status = OrderStatus.FILLED
        return {**order, "filled": filled, "average_price": average, "status": status}


def _after(held: Position | None, before: Decimal, after: Decimal, fill: Fill) -> Position:
    """A position that a fill opened, turned, enlarged or reduced."""
    price = fill["price"]
    if held is not None and before * after > 0:
        price = held["entry_price"]
        if abs(after) > abs(before):
            price = (price * abs(before) + fill["price"] * fill["size"]) / abs(after)
    return Position(
        symbol=fill["symbol"],
        side="long" if after > 0 else "short",
        size=abs(after),
        entry_price=price,
        mark_price=None,
        unrealized_pnl=None,
        liquidation_price=None,
        leverage=None if held is None else held["leverage"],
        raw=fill["raw"],
    )


def _signed(position: Position) -> Decimal:
    return position["size"] if position["side"] == "long" else -position["size"]


def _dex_of(position: Position) -> str:
    """The dex is in the venue's name of a market: "xyz:TSLA"."""
    dex, colon, _ = str(position["raw"]["coin"]).partition(":")
    return dex if colon else ""


def _is_spot(coin: str) -> bool:
    return coin.startswith("@") or "/" in coin


def _texts(level: _Level | None) -> tuple[str, str]:
    return ("", "") if level is None else (level.px, level.sz)


def _name(subscription: Mapping[str, Json]) -> str:
    kind, coin = subscription["type"], subscription.get("coin")
    return f"{kind} {coin}" if coin else str(kind)


def _confirmed(data: Json) -> Iterable[Event]:
    """The venue repeats a subscription with its own defaults added."""
    if data.get("method") != "subscribe":
        return ()
    return (Subscribed(_name(data["subscription"])),)


@checked
def _reply(data: Json) -> Reply:
    """The body is what REST would have answered; a failure is told as text."""
    response = data["response"]
    payload = response["payload"]
    if response["type"] == "error":
        payload = {"status": "error", "response": payload}
    return Reply(int(data["id"]), body=payload)


def _refused(text: str) -> Iterable[Event]:
    """A refusal without an id, but for one; a topic asked for twice is there."""
    if text.startswith(_ALREADY):
        return (Subscribed(_name(msgspec.json.decode(text.removeprefix(_ALREADY)))),)
    if text.startswith(_NO_NEWS):
        return ()
    if text.startswith(_PENDING):
        id = text.rpartition("id=")[2]
        error = RateLimited(_PENDING, venue=FAMILY, raw=text, code=_PENDING)
        return (Reply(int(id) if id.isdecimal() else 0, error=error),)
    return (Reply(0, error=VenueError(text[:300], venue=FAMILY, raw=text)),)

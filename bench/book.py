"""Books: the container beside the cheapest that is right, and the way from a frame to a best price.

The floor of `book.apply` keeps texts in a dict and finds a level's place with one bisect of floats;
it checks neither sequence numbers nor spellings. The floor of `book.frame` is msgspec decoding the
same frame into structs of its own, with nothing done after; for a binary frame, the JSON frame that
says the same. Where nothing is streamed, the frame is the answer that is asked for once a second,
and nothing is judged. A peer that is not installed is left out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

import msgspec

from bench.frames import (
    FIRST,
    Market,
    backpack_book,
    book_updates,
    edgex_book,
    extended_book,
    grvt_book,
    hyperliquid_book,
    lighter_book,
    make_market,
    pacifica_book,
    paradex_book,
    paradex_json_book,
    standx_book,
    variational_quotes,
)
from bench.harness import Row, side_by_side
from bench.parties import SYMBOLS, credentials, exchange, market_list
from mpdex.types import BookUpdate
from mpdex.utils.orderbook import Book
from wrappers import paradex_sbe

T = TypeVar("T")

APPLY_TARGET = 1.5
FRAME_TARGET = 4.0
DEPTHS = (100, 1000)


def apply() -> list[Row]:
    """One message applied, best read once after it; whole streams, again and again."""
    rows = []
    for depth in DEPTHS:
        market = make_market(depth)
        makers = {f"mpdex, {depth} levels": _Subject, **_peers(depth)}
        candidates = {name: _replay(make, market) for name, make in makers.items()}
        floor = _replay(_Lazy, market)
        targets = {f"mpdex, {depth} levels": APPLY_TARGET}
        rows += side_by_side("book.apply", floor, candidates, targets)
    return rows


def frame() -> list[Row]:
    """One frame of each venue through its stream's `decode`, into the book, best read."""
    market = make_market()
    return [row for name in _SPELLINGS for row in _frame_of(name, market)]


def _frame_of(name: str, market: Market) -> list[Row]:
    venue, _, _ = name.partition(" ")
    stream, book = _stream(venue), Book(SYMBOLS[venue])
    spelling = _SPELLINGS[name]
    frames = spelling.frames(market, stream.markets.wire_of(book.symbol))
    book.apply(BookUpdate(book.symbol, market.bids, market.asks, FIRST, FIRST, True, None))
    decode, apply, best = stream.decode, book.apply, book.best

    def one(data: bytes) -> tuple[str, str, str, str]:
        for event in decode(data):
            apply(event)
        return best()

    def rewind() -> None:
        """The count begins anew; the levels are back where they were."""
        _forget(stream)
        book._next = FIRST + 1

    top = [one(data) for data in frames][market.wandered - 1]
    _check(f"book.frame {name}", top, market.best)
    rewind()
    run = _round_and_round(one, frames, rewind)
    read = msgspec.json.Decoder(spelling.floor).decode
    if spelling.plain is not None:
        frames = spelling.plain(market, stream.markets.wire_of(book.symbol))
    floor = _round_and_round(read, frames, lambda: None)
    targets = {} if spelling.target is None else {name: spelling.target}
    return side_by_side("book.frame", floor, {name: run}, targets)


def _replay(make: Callable[[], Any], market: Market) -> Callable[[], object]:
    """A candidate that takes one change a call and tells its best price."""
    start, *changes = book_updates(market, SYMBOLS["grvt"])
    book = make()
    book.apply(start)
    apply, best = book.apply, book.best

    def one(update: BookUpdate) -> Any:
        apply(update)
        return best()

    def rewind() -> None:
        book._next = FIRST + 1

    top = [one(update) for update in changes][market.wandered - 1]
    _check(f"book.apply {make.__name__}", top, market.best)
    rewind()
    return _round_and_round(one, changes, rewind)


def _round_and_round(
    one: Callable[[T], object], items: Sequence[T], rewind: Callable[[], None]
) -> Callable[[], object]:
    """One item a call, from the first again after the last."""
    source = iter(items)

    def run() -> object:
        nonlocal source
        for item in source:
            return one(item)
        rewind()
        source = iter(items)
        return one(next(source))

    return run


def _check(what: str, top: Sequence[Any], best: Sequence[str]) -> None:
    found = [Decimal(str(top[0])), Decimal(str(top[2]))]
    if found != [Decimal(price) for price in best]:
        raise RuntimeError(f"{what}: the best is {found}, not {best}")


# --------------------------------------------------------------------------- subject and floor


class _Subject(Book):
    """The project's book, under the one constructor that all candidates share."""

    def __init__(self) -> None:
        super().__init__(SYMBOLS["grvt"])


class _LazySide:
    def __init__(self, sign: float) -> None:
        self.sign = sign
        self.sizes: dict[str, str] = {}
        self.keys: list[float] = []
        self.texts: list[str] = []

    def change(self, levels: Any) -> None:
        sizes, keys, texts, sign = self.sizes, self.keys, self.texts, self.sign
        for price, size in levels:
            if size == "0":
                if sizes.pop(price, None) is not None:
                    at = bisect_left(keys, float(price) * sign)
                    del keys[at], texts[at]
            elif price in sizes:
                sizes[price] = size
            else:
                sizes[price] = size
                key = float(price) * sign
                at = bisect_left(keys, key)
                keys.insert(at, key)
                texts.insert(at, price)


class _Lazy:
    """The reference: texts in a dict, floats where a level appears or vanishes."""

    def __init__(self) -> None:
        self.bids, self.asks = _LazySide(1.0), _LazySide(-1.0)

    def apply(self, update: BookUpdate) -> None:
        self.bids.change(update.bids)
        self.asks.change(update.asks)

    def best(self) -> tuple[str, str, str, str]:
        bid, ask = self.bids.texts[-1], self.asks.texts[-1]
        return bid, self.bids.sizes[bid], ask, self.asks.sizes[ask]


# --------------------------------------------------------------------------- peers


class _Sorted:
    """sortedcontainers of floats, as most Python bots have it."""

    def __init__(self) -> None:
        from sortedcontainers import SortedDict

        self.bids, self.asks = SortedDict(), SortedDict()

    def apply(self, update: BookUpdate) -> None:
        for side, levels in ((self.bids, update.bids), (self.asks, update.asks)):
            for price, size in levels:
                amount = float(size)
                if amount:
                    side[float(price)] = amount
                else:
                    side.pop(float(price), None)

    def best(self) -> tuple[Any, ...]:
        bid, ask = self.bids.peekitem(-1), self.asks.peekitem(0)
        return bid[0], bid[1], ask[0], ask[1]


class _Resorted:
    """A dict of floats whose sides are sorted whole after each message."""

    def __init__(self) -> None:
        self.sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
        self.sorted: list[list[tuple[float, float]]] = [[], []]

    def apply(self, update: BookUpdate) -> None:
        for side, levels in zip(self.sides, (update.bids, update.asks), strict=True):
            for price, size in levels:
                amount = float(size)
                if amount:
                    side[float(price)] = amount
                else:
                    side.pop(float(price), None)
        self.sorted = [
            sorted(self.sides[0].items(), reverse=True),
            sorted(self.sides[1].items()),
        ]

    def best(self) -> tuple[Any, ...]:
        (bid, bid_size), (ask, ask_size) = self.sorted[0][0], self.sorted[1][0]
        return bid, bid_size, ask, ask_size


def _peers(depth: int) -> dict[str, Callable[[], Any]]:
    found: dict[str, Callable[[], Any]] = {f"dict resorted, {depth} levels": _Resorted}
    try:
        import sortedcontainers  # noqa: F401  (whether it is here)
    except ImportError:
        return found
    return {f"sortedcontainers, {depth} levels": _Sorted, **found}


# --------------------------------------------------------------------------- frames


class _Plain(msgspec.Struct, gc=False):
    pass


class _GrvtLevel(_Plain):
    price: str
    size: str


class _GrvtFeed(_Plain):
    bids: list[_GrvtLevel]
    asks: list[_GrvtLevel]


class _GrvtFrame(_Plain):
    sequence_number: str
    feed: _GrvtFeed


class _BackpackData(_Plain):
    a: list[tuple[str, str]]
    b: list[tuple[str, str]]
    U: int
    u: int


class _BackpackFrame(_Plain):
    data: _BackpackData


class _HyperliquidLevel(_Plain):
    px: str
    sz: str


class _HyperliquidData(_Plain):
    levels: tuple[list[_HyperliquidLevel], list[_HyperliquidLevel]]
    time: int


class _HyperliquidFrame(_Plain):
    data: _HyperliquidData


class _LighterBook(_Plain):
    asks: list[_GrvtLevel]
    bids: list[_GrvtLevel]
    nonce: int
    begin_nonce: int


class _LighterFrame(_Plain):
    order_book: _LighterBook


class _PacificaLevel(_Plain):
    p: str
    a: str


class _PacificaData(_Plain):
    l: tuple[list[_PacificaLevel], list[_PacificaLevel]]  # noqa: E741  (the venue's name)
    li: int


class _PacificaFrame(_Plain):
    data: _PacificaData


class _ExtendedLevel(_Plain):
    p: str
    c: str


class _ExtendedData(_Plain):
    b: list[_ExtendedLevel]
    a: list[_ExtendedLevel]


class _ExtendedFrame(_Plain):
    data: _ExtendedData
    seq: int


class _EdgexLevel(_Plain):
    price: str
    size: str


class _EdgexRecord(_Plain):
    startVersion: str
    endVersion: str
    bids: list[_EdgexLevel]
    asks: list[_EdgexLevel]


class _EdgexContent(_Plain):
    data: list[_EdgexRecord]


class _EdgexFrame(_Plain):
    content: _EdgexContent


class _StandxData(_Plain):
    symbol: str
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class _StandxFrame(_Plain):
    data: _StandxData
    seq: int


class _ParadexLevel(_Plain):
    side: str
    price: str
    size: str


class _ParadexData(_Plain):
    inserts: list[_ParadexLevel]
    updates: list[_ParadexLevel]
    deletes: list[_ParadexLevel]
    seq_no: int


class _ParadexParams(_Plain):
    data: _ParadexData


class _ParadexFrame(_Plain):
    params: _ParadexParams


class _Quote(_Plain):
    qty: str
    bid: str
    ask: str
    timestamp: str


class _Spelling(NamedTuple):
    """How a venue writes a market, by its name on the wire; and the least that reads a frame.

    plain: the same in JSON, where `frames` are not.
    """

    frames: Callable[[Market, str], list[bytes]]
    floor: type[_Plain]
    plain: Callable[[Market, str], list[bytes]] | None = None
    target: float | None = FRAME_TARGET


_HYPERLIQUID = _Spelling(hyperliquid_book, _HyperliquidFrame)
_PACIFICA = _Spelling(pacifica_book, _PacificaFrame)
# By venue; a second way of one venue has a word more.
_SPELLINGS = {
    "grvt": _Spelling(lambda market, wire: grvt_book(market, wire)[1:], _GrvtFrame),
    "backpack": _Spelling(backpack_book, _BackpackFrame),
    "hyperliquid": _HYPERLIQUID,
    "superstack": _HYPERLIQUID,
    "treadfi.hyperliquid": _HYPERLIQUID,
    "lighter": _Spelling(lighter_book, _LighterFrame),
    "pacifica": _PACIFICA,
    "treadfi.pacifica": _PACIFICA,
    "paradex": _Spelling(paradex_book, _ParadexFrame, plain=paradex_json_book),
    "paradex JSON": _Spelling(paradex_json_book, _ParadexFrame),
    "extended": _Spelling(extended_book, _ExtendedFrame),
    "standx": _Spelling(standx_book, _StandxFrame),
    "edgex": _Spelling(edgex_book, _EdgexFrame),
    "variational": _Spelling(variational_quotes, _Quote, target=None),
}


class _Polled:
    """A venue that streams no book: its answer goes the way that the poller sends it."""

    def __init__(self, dex: Any) -> None:
        self.markets = market_list(dex)
        self._market = self.markets[SYMBOLS[dex.name]]
        self._read = dex.decode_book

    def decode(self, answer: bytes) -> tuple[BookUpdate]:
        return (self._read(_parse(answer), self._market),)


_parse = msgspec.json.Decoder(float_hook=Decimal).decode  # as `mpdex.utils.transport` has it


def _stream(venue: str) -> Any:
    """The client that serves books."""
    dex = exchange(venue)
    if dex.poller() is not None:
        return _Polled(dex)
    [kind] = [stream for stream in dex.streams() if "book" in stream.CHANNELS]
    return kind(keys=credentials(venue), markets=market_list(dex))


def _forget(stream: Any) -> None:
    """Where the stream counts its frames, that count begins anew, as on a new connection; and no
    text is remembered that a market in life would not repeat."""
    if hasattr(stream, "_sequences"):
        stream._sequences.clear()
    paradex_sbe._level.cache_clear()

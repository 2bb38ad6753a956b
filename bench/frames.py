"""Frames in each venue's wire format, made from one seeded market.

The market is a random walk of level changes: most are sizes near the top, some levels come, some
go, and the best moves with them. All venues spell the same changes, so whoever ends on another best
price has made a mistake.

Some venues tell what changed, others the whole book each time, as far as they show it.

Sources of the formats: api-docs.grvt.io, "Orderbook" stream; docs.backpack.exchange, "Depth"
stream; hyperliquid.gitbook.io, "l2Book"; apidocs.lighter.xyz, "Order Book"; docs.pacifica.fi,
"Orderbook"; api.docs.extended.exchange, "Order book stream", and frames of 2026-09-28;
docs.standx.com, "Subscribe to Depth Book"; edgex-1.gitbook.io, "WebSocket API";
docs.paradex.trade, "order_book" channel and "Binary Encoding (SBE)"; Magicianhax/
variational-trading-api c1f63b9, `test/fixtures` (the quote); read 2026-11-21.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from struct import pack
from typing import NamedTuple

import msgspec

from mpdex.types import BookUpdate

TICK_DIGITS = 2
START = 307_280  # ticks: 3072.80
FIRST = 872_634_876  # sequence number of the first change
START_MS = 1_790_000_000_000

Level = tuple[str, str]


class Change(NamedTuple):
    """Levels of one message, sizes absolute, "0" where a level is gone."""

    bids: list[Level]
    asks: list[Level]


class Market(NamedTuple):
    """A snapshot, best first, and what follows it; the changes end where they began.

    best: bid and ask after the first `wandered` changes; the rest leads back to the snapshot, so
        that a book can go round without being loaded again.
    """

    bids: list[Level]
    asks: list[Level]
    changes: list[Change]
    wandered: int
    best: tuple[str, str]


class _Side:
    """One side in ticks; `away` is the direction from the best into the book."""

    def __init__(self, rng: random.Random, away: int, depth: int) -> None:
        self._rng = rng
        self._away = away
        self._depth = depth
        self.levels: dict[int, str] = {}
        price = START
        for _ in range(depth):
            price += away * rng.choice((1, 1, 2, 3))
            self.levels[price] = self._size()

    def best(self) -> int:
        return min(self.levels) if self._away > 0 else max(self.levels)

    def change(self, other: int) -> Level:
        """One change that neither crosses the other side nor lets the depth drift away."""
        rng, prices = self._rng, sorted(self.levels, reverse=self._away < 0)
        price = prices[min(int(rng.expovariate(0.12)), len(prices) - 1)]
        kind = rng.random()
        if kind < 0.16 and len(prices) > self._depth * 0.8:
            del self.levels[price]
            return _text(price), "0"
        if kind < 0.32 and len(prices) < self._depth * 1.2:
            nearer = price - self._away * rng.choice((1, 1, 2))
            if (other - nearer) * self._away < 0:
                price = nearer
        self.levels[price] = self._size()
        return _text(price), self.levels[price]

    def told(self) -> list[Level]:
        prices = sorted(self.levels, reverse=self._away < 0)
        return [(_text(price), self.levels[price]) for price in prices]

    def _size(self) -> str:
        return f"{self._rng.expovariate(0.4) + 0.001:.4f}"


def make_market(depth: int = 100, messages: int = 512, seed: int = 7) -> Market:
    """About five changes a message, as on a busy venue."""
    rng = random.Random(seed)
    bids, asks = _Side(rng, -1, depth), _Side(rng, 1, depth)
    told_bids, told_asks = bids.told(), asks.told()
    changes = []
    for _ in range(messages):
        change = Change([], [])
        for _ in range(max(1, round(rng.gauss(5, 1.7)))):
            if rng.random() < 0.5:
                change.bids.append(bids.change(asks.best()))
            else:
                change.asks.append(asks.change(bids.best()))
        changes.append(change)
    best = _text(bids.best()), _text(asks.best())
    way_back = [Change([level], []) for level in _difference(bids.told(), told_bids)]
    way_back += [Change([], [level]) for level in _difference(asks.told(), told_asks)]
    for part in range(0, len(way_back), 5):
        bunch = way_back[part : part + 5]
        changes.append(
            Change([b for c in bunch for b in c.bids], [a for c in bunch for a in c.asks])
        )
    return Market(told_bids, told_asks, changes, messages, best)


def _difference(now: Sequence[Level], wanted: Sequence[Level]) -> list[Level]:
    """The changes that make the one into the other, the vanishing ones first."""
    have, want = dict(now), dict(wanted)
    gone = [(price, "0") for price in have if price not in want]
    return gone + [(price, size) for price, size in want.items() if have.get(price) != size]


def book_updates(market: Market, symbol: str) -> list[BookUpdate]:
    """The changes without a wire; the snapshot first."""
    start = BookUpdate(symbol, market.bids, market.asks, FIRST, FIRST, True, START_MS)
    return [
        start,
        *(
            BookUpdate(symbol, bids, asks, number, number, False, START_MS)
            for number, (bids, asks) in enumerate(market.changes, FIRST + 1)
        ),
    ]


def grvt_book(market: Market, symbol: str) -> list[bytes]:
    """`v1.book.d`; the snapshot is number 0."""
    frames = [_grvt(symbol, 0, FIRST, market.bids, market.asks)]
    for number, (bids, asks) in enumerate(market.changes, FIRST + 1):
        frames.append(_grvt(symbol, number, number - 1, bids, asks))
    return frames


def backpack_book(market: Market, symbol: str) -> list[bytes]:
    """`depth`; the snapshot is not of the stream, so changes only."""
    return [
        _encode(
            {
                "stream": f"depth.{symbol}",
                "data": {
                    "e": "depth",
                    "E": START_MS * 1000 + number,
                    "s": symbol,
                    "a": [_zero(level, "0.0000") for level in asks],
                    "b": [_zero(level, "0.0000") for level in bids],
                    "U": number,
                    "u": number,
                    "T": START_MS * 1000 + number,
                },
            }
        )
        for number, (bids, asks) in enumerate(market.changes, FIRST + 1)
    ]


def hyperliquid_book(market: Market, coin: str) -> list[bytes]:
    """`l2Book`: the best twenty of each side after each change."""
    return [
        _encode(
            {
                "channel": "l2Book",
                "data": {
                    "coin": coin,
                    "time": START_MS + number,
                    "levels": [
                        [{"px": price, "sz": size, "n": 3} for price, size in side]
                        for side in sides
                    ],
                },
            }
        )
        for number, sides in enumerate(_whole(market, 20), 1)
    ]


def pacifica_book(market: Market, symbol: str) -> list[bytes]:
    """`book`: the best ten of each side after each change."""
    return [
        _encode(
            {
                "channel": "book",
                "data": {
                    "l": [
                        [{"a": size, "n": 3, "p": price} for price, size in side] for side in sides
                    ],
                    "s": symbol,
                    "t": START_MS + number,
                    "li": number,
                },
            }
        )
        for number, sides in enumerate(_whole(market, 10), FIRST + 1)
    ]


def standx_book(market: Market, symbol: str) -> list[bytes]:
    """`depth_book`: twenty of each side after each change; here the best comes last."""
    return [
        _encode(
            {
                "seq": number,
                "channel": "depth_book",
                "symbol": symbol,
                "data": {"asks": sides[1][::-1], "bids": sides[0][::-1], "symbol": symbol},
            }
        )
        for number, sides in enumerate(_whole(market, 20), FIRST + 1)
    ]


def paradex_book(market: Market, symbol: str) -> list[bytes]:
    """`order_book`, binary: fifteen of each side after each change."""
    frames = []
    for number, (bids, asks) in enumerate(_whole(market, 15), FIRST + 1):
        best = *_units(bids[0]), *_units(asks[0])
        block = pack("<qqB9q", (START_MS + number) * 1000, number, 0, *best, 0, *best)
        name = pack("B", len(symbol)) + symbol.encode()
        head = pack("<4H", len(block), 3, 1, 3)
        frames.append(head + block + _group(bids) + _group(asks) + name)
    return frames


def _group(levels: Sequence[Level]) -> bytes:
    entries = b"".join([pack("<qq", *_units(level)) for level in levels])
    return pack("<HH", 16, len(levels)) + entries


def _units(level: Level) -> tuple[int, int]:
    """Price and size in units of 10**-8."""
    price, size = (int(Decimal(text).scaleb(8)) for text in level)
    return price, size


def paradex_json_book(market: Market, symbol: str) -> list[bytes]:
    """The same, for whoever does not ask for binary frames."""
    return [
        _encode(
            {
                "jsonrpc": "2.0",
                "method": "subscription",
                "params": {
                    "channel": f"order_book.{symbol}.snapshot@15@50ms",
                    "data": {
                        "seq_no": number,
                        "market": symbol,
                        "last_updated_at": START_MS + number,
                        "update_type": "s",
                        "inserts": [
                            {"side": side, "price": price, "size": size}
                            for side, levels in zip(("BUY", "SELL"), sides, strict=True)
                            for price, size in levels
                        ],
                        "updates": [],
                        "deletes": [],
                    },
                },
            }
        )
        for number, sides in enumerate(_whole(market, 15), FIRST + 1)
    ]


def variational_quotes(market: Market, coin: str) -> list[bytes]:
    """`quotes/simple`: no book, but the two prices of one size; asked for, not streamed."""
    return [
        _encode(
            {
                "instrument": {
                    "underlying": coin,
                    "instrument_type": "perpetual_future",
                    "settlement_asset": "USDC",
                    "funding_interval_s": 3600,
                },
                "qty": "0.05",
                "bid": bids[0][0],
                "ask": asks[0][0],
                "mark_price": bids[0][0],
                "index_price": asks[0][0],
                "timestamp": f"2026-09-21T14:13:20.{number:06d}Z",
                "qty_limits": dict.fromkeys(("bid", "ask"), _QUANTITIES),
            }
        )
        for number, (bids, asks) in enumerate(_whole(market, 1), 1)
    ]


_QUANTITIES = {"min_qty_tick": "0.00001", "min_qty": "0.00004", "max_qty": "1600"}


def extended_book(market: Market, symbol: str) -> list[bytes]:
    """`DELTA`: what came or went (here always one coin), and the size after it."""
    return [
        _encode(
            {
                "type": "DELTA",
                "data": {
                    "t": "DELTA",
                    "m": symbol,
                    "b": [{"q": "1.0000", "p": price, "c": size} for price, size in bids],
                    "a": [{"q": "1.0000", "p": price, "c": size} for price, size in asks],
                    "d": "f",
                },
                "ts": START_MS + number,
                "seq": number,
            }
        )
        for number, (bids, asks) in enumerate(market.changes, FIRST + 1)
    ]


def edgex_book(market: Market, contract: str) -> list[bytes]:
    """`depth`: changes; each starts with the last number of the one before."""
    channel = f"depth.{contract}.200"
    return [
        _encode(
            {
                "type": "quote-event",
                "channel": channel,
                "content": {
                    "channel": channel,
                    "dataType": "changed",
                    "data": [
                        {
                            "startVersion": str(number - 1),
                            "endVersion": str(number),
                            "level": 200,
                            "contractId": contract,
                            "contractName": "ETHUSDC",
                            "asks": [{"price": price, "size": size} for price, size in asks],
                            "bids": [{"price": price, "size": size} for price, size in bids],
                            "depthType": "CHANGED",
                        }
                    ],
                },
            }
        )
        for number, (bids, asks) in enumerate(market.changes, FIRST + 1)
    ]


def lighter_book(market: Market, index: str) -> list[bytes]:
    """`order_book`: changes; each names the one before."""
    return [
        _encode(
            {
                "channel": f"order_book:{index}",
                "offset": number,
                "order_book": {
                    "code": 0,
                    "asks": [_lighter_level(level) for level in asks],
                    "bids": [_lighter_level(level) for level in bids],
                    "offset": number,
                    "nonce": number,
                    "begin_nonce": number - 1,
                    "last_updated_at": (START_MS + number) * 1000,
                },
                "timestamp": START_MS + number,
                "type": "update/order_book",
            }
        )
        for number, (bids, asks) in enumerate(market.changes, FIRST + 1)
    ]


def _whole(market: Market, depth: int) -> Iterator[tuple[list[Level], list[Level]]]:
    """Both sides after each change, best first."""
    sides = dict(market.bids), dict(market.asks)
    for change in market.changes:
        for side, levels in zip(sides, change, strict=True):
            side.update(levels)
            for price in [price for price, size in levels if size == "0"]:
                side.pop(price, None)
        bids, asks = (sorted(side.items(), key=_price) for side in sides)
        yield bids[: -depth - 1 : -1], asks[:depth]


def _price(level: Level) -> Decimal:
    return Decimal(level[0])


def _lighter_level(level: Level) -> dict[str, str]:
    price, size = _zero(level, "0.0000")
    return {"price": price, "size": size}


def _grvt(
    symbol: str, number: int, before: int, bids: Sequence[Level], asks: Sequence[Level]
) -> bytes:
    return _encode(
        {
            "stream": "v1.book.d",
            "selector": f"{symbol}@50",
            "sequence_number": str(number),
            "feed": {
                "event_time": str(START_MS * 10**6 + number),
                "instrument": symbol,
                "bids": [_grvt_level(level) for level in bids],
                "asks": [_grvt_level(level) for level in asks],
            },
            "prev_sequence_number": str(before),
        }
    )


def _grvt_level(level: Level) -> dict[str, object]:
    price, size = _zero(level, "0.0")
    return {"price": price, "size": size, "num_orders": 3}


def _zero(level: Level, spelled: str) -> Level:
    """A level that is gone, as the venue writes it."""
    return level if level[1] != "0" else (level[0], spelled)


def _text(ticks: int) -> str:
    return f"{ticks // 100}.{ticks % 100:02d}"


_encode = msgspec.json.Encoder().encode

"""The table of venues in the README: each claim in it, held against what goes over the wire.

The rows are read as text, and what they say is asked of the simulated venue by way of the client:
a claim is proven by bytes that arrived there or came from there. What a row does not claim must be
refused before anything is sent, so that a claim which is missing is found, too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest
from acceptance.venue_rows import (
    COIN,
    COUNTERSIGNED,
    POLLED,
    QUOTED,
    arrivals,
    claims,
    listed,
    on_stage,
)

from exchange_factory import VENUES
from mpdex.conformance.stage import FAR, Stage, until
from mpdex.errors import Unsupported
from mpdex.sim.records import SimOrder
from mpdex.sim.venue import SimRequest
from mpdex.sim.venues.lighter import HASH_ONLY
from mpdex.types import (
    BboUpdate,
    BookUpdate,
    FillUpdate,
    MarkUpdate,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Topic,
)

# Every word that a cell may have, and what it means.
FLAGS: dict[str, dict[str, Any]] = {
    "post-only": {"post_only": True},
    "reduce-only": {"is_reduce_only": True},
    "market": {"price": None},
    "IOC": {"time_in_force": "IOC"},
    "FOK": {"time_in_force": "FOK"},
    "slippage": {"slippage_bps": 20},
}
EVENTS: dict[str, Any] = {
    "book": BookUpdate,
    "bbo": BboUpdate,
    "mark": MarkUpdate,
    "orders": OrderUpdate,
    "fills": FillUpdate,
    "positions": PositionUpdate,
}
PUBLIC = ("book", "bbo", "mark")


@pytest.fixture(autouse=True)
def _quick_proofs(monkeypatch: pytest.MonkeyPatch) -> None:
    """That signatures are right, each venue's own tests see."""
    monkeypatch.setenv(HASH_ONLY, "1")


# --------------------------------------------------------------------------- what a test sees


def payload(request: SimRequest) -> dict[str, str]:
    """Every field of a request by its path; text that holds fields is read, too."""
    body = request.body.decode()
    return dict(_fields("", [request.method, request.path, request.query_text, body]))


_read = msgspec.json.Decoder(float_hook=str).decode


def _fields(path: str, value: Any) -> Iterator[tuple[str, str]]:
    inner = _opened(value) if isinstance(value, str) else value
    if isinstance(inner, Mapping):
        for name, part in inner.items():
            yield from _fields(f"{path}.{name}", part)
    elif isinstance(inner, list):
        for number, part in enumerate(inner):
            yield from _fields(f"{path}.{number}", part)
    else:
        yield path, str(inner)


def _opened(text: str) -> Any:
    if text[:1] in ("{", "["):
        return _read(text) if text[-1:] in ("}", "]") else text
    return dict(parse_qsl(text)) if re.match(r"\w+=[^=]*&", text) else text


def heard_by(kind: type[Any]) -> tuple[type[Any], list[Any]]:
    """The venue's class with sockets that keep what they decode from each frame."""
    events: list[Any] = []

    def keeping(stream: type[Any]) -> type[Any]:
        def decode(self: Any, frame: bytes) -> list[Any]:
            found = list(stream.decode(self, frame))
            events.extend(found)
            return found

        return type(stream.__name__, (stream,), {"decode": decode})

    kept = tuple(keeping(stream) for stream in kind.streams())
    return type(kind.__name__, (kind,), {"streams": classmethod(lambda cls: kept)}), events


# --------------------------------------------------------------------------- markets


@pytest.mark.parametrize("venue", VENUES)
def test_the_listing_has_perpetuals_in_that_currency(venue: str) -> None:
    kinds, _, currency = claims(venue).markets.partition("; ")

    async def prove(stage: Stage) -> None:
        told: list[Any] = []

        def decode_markets(dex: Any, answers: Any) -> Any:
            told.append(answers)
            return stage.kind.decode_markets(dex, answers)

        dex = await stage.open(type("Kept", (stage.kind,), {"decode_markets": decode_markets}))
        assert stage.count("meta") >= 1
        symbols = await dex.get_available_symbols()
        assert COIN in dex.available_symbols
        payload = msgspec.json.encode(told[-1]).decode()
        for symbol in symbols["perp"]:
            market = await dex.get_market(symbol)
            assert dex.wire_name(market) in payload or market["coin"] in payload
            assert (market["kind"], market["quote"]) == ("perp", currency)
        assert symbols["perp"]
        assert "perpetuals" in listed(kinds)

    on_stage(venue, prove)


@pytest.mark.parametrize("venue", VENUES)
def test_spot_is_traded_where_it_is_claimed_and_refused_elsewhere(venue: str) -> None:
    claimed = "spot" in listed(claims(venue).markets)

    async def prove(stage: Stage) -> None:
        dex = await stage.open()
        told = arrivals(stage)
        if not claimed:
            with stage.nothing_sent(), pytest.raises(Unsupported):
                await dex.find_symbol(COIN, "spot")
            with stage.nothing_sent(), pytest.raises(Unsupported):
                await dex.get_market(f"{COIN}/USDC")
            assert (await dex.get_available_symbols())["spot"] == []
            return
        symbols = await dex.get_available_symbols()
        symbol = next(s for s in symbols["spot"] if COIN in s)
        market = await dex.get_market(symbol)
        size = max(market["min_size"], stage.unit) * 4
        await dex.create_order(symbol, "buy", size)
        [placed] = [one for one in told if one.op == "place"]
        wire = stage.world.venues[stage.name].describe(placed.request)
        assert stage.truth.markets[wire["symbol"]].kind == "spot"
        [order] = stage.truth.order_history(stage.account)
        assert (stage.truth.markets[order.symbol].kind, order.size) == ("spot", size)

    on_stage(venue, prove)


# --------------------------------------------------------------------------- the route of orders


@pytest.mark.parametrize("venue", VENUES)
def test_orders_go_by_the_route_that_is_claimed(venue: str) -> None:
    route, *hops = listed(claims(venue).orders)
    wire = {"WebSocket": "ws", "REST": "rest"}[route]

    async def prove(stage: Stage) -> None:
        dex = await stage.open()
        await stage.rest(dex)  # logins and first nonces are behind us
        before = stage.counts
        await stage.rest(dex)
        placed = {way: n for (_, way, op), n in (stage.counts - before).items() if op == "place"}
        assert placed == {wire: 1}

    on_stage(venue, prove)
    assert set(hops) <= {COUNTERSIGNED, QUOTED}


@pytest.mark.parametrize("venue", VENUES)
def test_somebody_is_asked_before_an_order_where_that_is_claimed(venue: str) -> None:
    hops = listed(claims(venue).orders)[1:]
    asked_at = {"limit": COUNTERSIGNED in hops, "market": COUNTERSIGNED in hops or QUOTED in hops}

    async def prove(stage: Stage) -> None:
        dex = await stage.open()
        await stage.rest(dex)
        for kind, price in (("limit", stage.price("buy", FAR)), ("market", None)):
            told = arrivals(stage)
            size = stage.unit * 3  # nobody else's
            await dex.create_order(stage.symbol, "buy", size, price)
            number = next(n for n, one in enumerate(told) if one.op == "place")
            words = f"{size.normalize():f}"
            before = [one for one in told[:number] if words in payload(one.request).values()]
            assert len(before) == asked_at[kind], f"{kind}: {[str(one) for one in told]}"

    on_stage(venue, prove)


# --------------------------------------------------------------------------- order flags


TAKING = ("market", "IOC", "FOK", "slippage")
TURNS = 3
NEAR = Decimal("0.001")  # a price follows the mark from one order to the next


class Pen:
    """Places orders of one kind and reads what arrived of them."""

    def __init__(self, stage: Stage, dex: Any, flag: str) -> None:
        self._stage, self._dex = stage, dex
        self._told = arrivals(stage)
        self._side = "sell" if flag == "reduce-only" else "buy"
        self._away = -FAR if flag in TAKING else FAR

    async def write(self, **options: Any) -> tuple[dict[str, str], SimOrder]:
        """The payload of one order, and the order that the venue made of it."""
        stage = self._stage
        known = stage.truth.order_history(stage.account)
        self._told.clear()
        options.setdefault("price", stage.price(self._side, self._away))
        await self._dex.create_order(stage.symbol, self._side, stage.unit, **options)

        def fresh() -> list[SimOrder]:
            history = stage.truth.order_history(stage.account)
            return [order for order in history if not any(order is one for one in known)]

        await until(fresh, "the venue has the order")
        await asyncio.sleep(3)  # what it decides late; and the next has another time stamp
        [order], [placed] = fresh(), [one for one in self._told if one.op == "place"]
        assert order.status is not OrderStatus.REJECTED, order.reason
        return payload(placed.request), order


async def unflagged(stage: Stage, dex: Any, flag: str) -> dict[str, Any]:
    """The order beside which one with the flag is laid."""
    if flag != "slippage":
        return {}
    try:
        await dex.create_order(stage.symbol, "buy", stage.unit, **FLAGS[flag])
    except Unsupported:  # not of a market order, but of one that takes up to a price
        return {"time_in_force": "IOC"}
    return {"price": None}


def same(one: str | None, other: str | None) -> bool:
    """Equal, or numbers so near to each other that the market or the clock moved between them."""
    if one is None or other is None or one == other:
        return one == other
    try:
        first, second = Decimal(one), Decimal(other)
    except InvalidOperation:
        return False
    return bool(first) and abs(second / first - 1) < NEAR


def differing(payloads: list[dict[str, str]]) -> set[str]:
    """Fields that are not the same in all of them."""
    names = set().union(*payloads)
    first = payloads[0]
    return {n for n in names if not all(same(first.get(n), one.get(n)) for one in payloads)}


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("venue", VENUES)
def test_a_flag_is_on_the_wire_where_it_is_claimed_and_refused_elsewhere(
    venue: str, flag: str
) -> None:
    claimed = flag in listed(claims(venue).flags)

    async def prove(stage: Stage) -> None:
        dex = await stage.open()
        if claimed:
            await _flagged(stage, dex, flag)
            return
        orders: list[dict[str, Any]] = [{"price": stage.price("buy", FAR)}]
        if flag == "slippage":  # of whichever order a venue would take it with
            immediate = {"price": stage.price("buy", -FAR), "time_in_force": "IOC"}
            orders += [{"price": None}, immediate]
        for options in orders:
            with stage.nothing_sent(), pytest.raises(Unsupported):
                await dex.create_order(
                    stage.symbol, "buy", stage.unit, **{**options, **FLAGS[flag]}
                )

    on_stage(venue, prove)


async def _flagged(stage: Stage, dex: Any, flag: str) -> None:
    """With and without by turns: what differs as often as the flag does is what the flag sets, and
    what differs from one order to the next (ids, times, signatures) is nobody's."""
    stage.truth.manual_trade(stage.account, stage.true_symbol, stage.unit * 20)
    plain = await unflagged(stage, dex, flag)
    pen = Pen(stage, dex, flag)
    turns = [
        (await pen.write(**plain), await pen.write(**{**plain, **FLAGS[flag]}))
        for _ in range(TURNS)
    ]
    bare, flagged = ([turn[side][0] for turn in turns] for side in (0, 1))
    by_flag = differing([bare[0], flagged[0]]) - differing(bare) - differing(flagged)
    assert by_flag, f"nothing on the wire says {flag}"
    for (_, without), (_, with_it) in turns:
        _check_taken(flag, without, with_it)


def _check_taken(flag: str, without: SimOrder, with_it: SimOrder) -> None:
    """The venue read the flag, and nothing else that differs."""
    own = {
        "post-only": ("post_only",),
        "reduce-only": ("reduce_only",),
        "IOC": ("tif",),
        "FOK": ("tif",),
    }.get(flag, ("tif", "price"))
    for name in {"symbol", "side", "size", "price", "tif", "post_only", "reduce_only"} - {*own}:
        assert getattr(without, name) == getattr(with_it, name), f"{flag} changes {name}"
    if flag in TAKING:
        assert with_it.filled == with_it.size
    else:
        assert with_it.status is OrderStatus.OPEN
        assert (getattr(without, own[0]), getattr(with_it, own[0])) == (False, True)


# --------------------------------------------------------------------------- streams


def happened(event: Any, channel: str, symbol: str) -> bool:
    """Whether it is of the channel and of the market."""
    if not isinstance(event, EVENTS[channel]):
        return False
    told = {"orders": "order", "fills": "fill"}.get(channel)
    return bool((getattr(event, told)["symbol"] if told else event.symbol) == symbol)


@pytest.mark.parametrize("channel", EVENTS)
@pytest.mark.parametrize("venue", VENUES)
def test_a_stream_is_pushed_where_it_is_claimed_and_refused_elsewhere(
    venue: str, channel: str
) -> None:
    words = listed(claims(venue).streams)
    assert set(words) <= {*EVENTS, POLLED}
    if channel == "book" and POLLED in words:
        on_stage(venue, _polled, lively=True)
        return

    async def prove(stage: Stage) -> None:
        kind, events = heard_by(stage.kind)
        dex = await stage.open(kind)
        topic = Topic(channel, stage.symbol if channel in PUBLIC else "")
        if channel not in words:
            with stage.nothing_sent(), pytest.raises(Unsupported):
                await dex.start_streams([topic])
            return
        await dex.start_streams([topic])
        events.clear()
        if channel not in PUBLIC:
            await dex.create_order(stage.symbol, "buy", stage.unit)
        asked = arrivals(stage)
        await until(
            lambda: any(happened(event, channel, stage.symbol) for event in events),
            f"an event of {channel} is decoded from a frame",
        )
        if channel == "book":
            await asyncio.sleep(5)
            assert not asked, "asked for, not pushed"
            assert not dex.book(stage.symbol).levels(1)["indicative"]

    on_stage(venue, prove, lively=True)


async def _polled(stage: Stage) -> None:
    """Asked for again and again, over no socket, and marked as what it is."""
    dex = await stage.open()
    await dex.start_streams([Topic("book", stage.symbol)])
    asked = arrivals(stage)
    books: list[Any] = []
    dex.on_orderbook(stage.symbol, lambda book: books.append(book.levels(1)))
    await asyncio.sleep(10)
    assert stage.connections == 0
    assert 5 <= len(books) <= len(asked)
    assert len({one.request.path for one in asked}) == 1
    assert all(book["indicative"] and len(book["bids"]) == 1 for book in books)

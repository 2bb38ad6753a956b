"""What a conformance test stands on: one simulated venue, a still market, and clients of it.

Everything of a test lives on one virtual loop: sockets are real, on loopback, and waiting costs
nothing. When a test ends, nothing may be left of its clients: no task, no connection, no error in
the log, no secret either.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from decimal import ROUND_CEILING, Decimal
from typing import Any, ClassVar, TypeVar

import pytest

from exchange_factory import load
from mpdex.conformance.shapes import shaped
from mpdex.errors import OrderNotFound, Unsupported
from mpdex.sim.exchange import SimExchange, SimOrder
from mpdex.sim.market import Move, Source, default_walk
from mpdex.sim.run import Running, start
from mpdex.sim.venue import SimRequest, SimVenue
from mpdex.types import Market, Order, OrderStatus, PositionUpdate, StreamDown, StreamUp, Topic
from mpdex.utils.precision import snap_price
from mpdex.utils.virtual_loop import run_virtual

T = TypeVar("T")
PRIVATE = ("orders", "fills", "positions")
FAR = Decimal("0.01")  # from the mark: inside every venue's price band, outside every book here


class Suite:
    """What a venue's test class declares.

    Attributes:
        venue: as the factory spells it.
        coin: a coin that the venue and its simulated end trade.
        unsupported: public methods that the venue does not have, such as "get_funding_rate"; that
            they raise `Unsupported` is tested too. Flags are declared in the venue's SPEC.
        untold: of "post_only", "average_price": what the venue does not say of a resting order.
        late: of `conformance.orders.REFUSALS`, those that come after the acknowledgement, as an end
            of the order.
        whole_books: every frame of a book is all of it, so that none can be missing.
        spot_coin: what the spot market calls the coin, where that is another name.
        recorded: folder of recorded payloads; its ws_*.json must be understood.
        exchange_class, sim_class: in place of what the factory and the simulator find by name.
    """

    venue: ClassVar[str] = ""
    coin: ClassVar[str] = "ETH"
    unsupported: ClassVar[frozenset[str]] = frozenset()
    untold: ClassVar[frozenset[str]] = frozenset()
    late: ClassVar[frozenset[str]] = frozenset()
    whole_books: ClassVar[bool] = False
    spot_coin: ClassVar[str] = ""
    recorded: ClassVar[str] = ""
    exchange_class: ClassVar[type[Any] | None] = None
    sim_class: ClassVar[type[SimVenue] | None] = None

    def kind(self) -> type[Any]:
        """The venue's class."""
        return self.exchange_class or load(self.venue)

    def sim(self) -> type[SimVenue] | str:
        return self.sim_class or self.venue or self.kind().SPEC.name

    def market_source(self, *, lively: bool) -> Source:
        """The outside market: one that moves, or one in which nothing happens."""
        walk = default_walk(self.coin, 1)
        return walk if lively else Still(walk)

    def need(self, *methods: str) -> None:
        """Skip where the venue declares that it does not have one of these."""
        for method in methods:
            if method in self.unsupported:
                pytest.skip(f"declared: no {method}")

    def need_flag(self, *flags: str) -> None:
        """Skip where the venue's SPEC does not have one of these."""
        for flag in flags:
            if flag not in self.kind().SPEC.supports:
                pytest.skip(f"declared: no {flag}")


class Still:
    """The first book of a market, for ever."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def moves(self) -> Iterator[Move]:
        yield next(self._source.moves())


class Heard:
    """What the callbacks of one exchange object said."""

    def __init__(self, dex: Any) -> None:
        self.orders: list[Order] = []
        self.fills: list[Any] = []
        self.positions: list[PositionUpdate] = []
        self.stream: list[StreamDown | StreamUp] = []
        dex.on_orders(self.orders.append)
        dex.on_fills(self.fills.append)
        dex.on_positions(self.positions.append)
        dex.on_stream(self.stream.append)

    def is_down(self) -> bool:
        return any(isinstance(event, StreamDown) for event in self.stream)

    def is_back(self) -> bool:
        return bool(self.stream) and isinstance(self.stream[-1], StreamUp)

    def of(self, order: Order) -> list[Order]:
        """Reports on one order."""
        return [o for o in self.orders if o["client_order_id"] == order["client_order_id"]]

    def taken(self, order: Order) -> list[Order]:
        """Those since the venue has decided on it."""
        return [o for o in self.of(order) if o["status"] is not OrderStatus.PENDING]

    def filled(self) -> Decimal:
        return sum((fill["size"] for fill in self.fills), Decimal(0))


class Stage:
    """One venue with its truth, and what tests do again and again.

    Attributes:
        truth: what really happened at the venue.
        account: the name there of the account that the keys belong to.
        symbol, market: the perpetual under test, once a client is open.
    """

    def __init__(self, suite: Suite, world: Running) -> None:
        self.kind = suite.kind()
        self.world = world
        [self.name] = world.exchanges
        self.truth: SimExchange = world.exchanges[self.name]
        self.keys = world.credentials[self.name]
        self.endpoints = world.endpoints[self.name]
        named = self.keys.get(self.kind.SPEC.account, "")
        self.account = named if named in self.truth.accounts else next(iter(self.truth.accounts))
        self.coin = suite.coin
        self.symbol = ""
        self.market: Market
        self._opened: list[Any] = []

    # ---------------------------------------------------------------- clients

    async def open(self, kind: type[Any] | None = None, **options: Any) -> Any:
        """An initialised exchange object; options go over what makes it reach this stage."""
        dex = self.make(kind, **options)
        try:
            await dex.init()
        except Unsupported as error:
            pytest.fail(f"the venue cannot be opened yet: {error}")
        self.symbol = await dex.find_symbol(self.coin)
        self.market = await dex.get_market(self.symbol)
        return dex

    def make(self, kind: type[Any] | None = None, **options: Any) -> Any:
        """The object only, as its constructor leaves it; closed when the test ends."""
        own = {"endpoints": self.endpoints, "clock": self.world.clock, "rng": random.Random(1)}
        keys = {} if options.get("read_only") else self.keys
        dex = (kind or self.kind)(**{**keys, **own, **options})
        self._opened.append(dex)
        return dex

    async def hear(self, dex: Any) -> Heard:
        """Subscribes to the account; everything said from now on is kept."""
        heard = Heard(dex)
        await dex.start_streams([Topic(channel) for channel in PRIVATE if self.has(channel)])
        return heard

    def has(self, channel: str) -> bool:
        return any(channel in stream.CHANNELS for stream in self.kind.streams())

    async def close(self) -> None:
        for dex in self._opened:
            await dex.close()

    # ---------------------------------------------------------------- sizes and prices

    @property
    def unit(self) -> Decimal:
        """A small size that every order here may have."""
        price, step = self.truth.mark(self.true_symbol), self.market["step"]
        away = max(FAR, (self.kind.SPEC.market_bound_bps or Decimal(0)).scaleb(-4))
        value = (self.market["min_notional"] or Decimal(0)) / (price * (1 - away))
        steps = max(self.market["min_size"], value) / step
        return steps.to_integral_value(ROUND_CEILING) * step

    def price(self, side: str, away: Decimal) -> Decimal:
        """On the grid, a fraction away from the mark: negative is better for the other side."""
        mark = self.truth.mark(self.true_symbol)
        wanted = mark * (1 - away if side == "buy" else 1 + away)
        return snap_price(wanted, self.market, "buy" if side == "buy" else "sell")

    # ---------------------------------------------------------------- orders

    async def rest(self, dex: Any, side: str = "buy", units: int = 2, **options: Any) -> Order:
        """An order that rests far from the market, as the venue acknowledged it."""
        if "post_only" in self.kind.SPEC.supports:
            options.setdefault("post_only", True)
        price = self.price(side, FAR)
        order = await dex.create_order(self.symbol, side, self.unit * units, price, **options)
        placed: Order = shaped(order, Order)
        return placed

    async def take(self, dex: Any, side: str, units: int = 1, **options: Any) -> Order:
        """Takes liquidity and waits until the order has ended."""
        options.setdefault("time_in_force", "IOC")
        price = self.price(side, -FAR)
        order = await dex.create_order(self.symbol, side, self.unit * units, price, **options)
        return await self.ended(dex, order)

    async def ended(self, dex: Any, order: Order) -> Order:
        """The order once the venue says that it has ended."""
        return await self.found(dex, order, lambda now: now["status"].terminal)

    async def found(
        self, dex: Any, order: Order, wanted: Callable[[Order], bool] = lambda _: True
    ) -> Order:
        """The order by query, once it is as wanted."""
        async with _limit(60.0, "the order is not as wanted by query"):
            while True:
                try:
                    now: Order = await dex.get_order(
                        order["symbol"], client_order_id=order["client_order_id"]
                    )
                    if wanted(now):
                        shaped(now, Order)
                        return now
                except OrderNotFound:  # histories lag
                    pass
                await asyncio.sleep(0.2)

    @property
    def true_symbol(self) -> str:
        """What the truth calls the market; a venue in front of another spells it in its own way."""
        if self.symbol in self.truth.markets:
            return self.symbol
        perps = (m for m in self.truth.markets.values() if m.kind == "perp")
        return next(market.symbol for market in perps if market.coin == self.coin)

    def id_of(self, true: SimOrder) -> str:
        """What clients know a true order by."""
        return self.world.venues[self.name].told_id(true)

    def true_order(self, order: Order) -> SimOrder:
        found = self.truth.order(self.account, client_id=order["client_order_id"] or "")
        if found is None:  # the venue was not told our name for it
            told = self.truth.order_history(self.account)
            found = next((one for one in told if self.id_of(one) == order["id"]), None)
        assert found is not None, "the venue has no such order"
        return found

    def net(self) -> Decimal:
        """The true position, signed."""
        return self.truth.accounts[self.account].size(self.true_symbol)

    # ---------------------------------------------------------------- the venue

    def faults(self, rules: str) -> None:
        self.world.faults.add(rules)

    def count(self, *ops: str) -> int:
        """How often requests of a kind arrived, by whatever route; of any kind by default."""
        return sum(n for (_, _, op), n in self.world.counts.items() if not ops or op in ops)

    @property
    def counts(self) -> Counter[tuple[str, str, str]]:
        return Counter(self.world.counts)

    @property
    def connections(self) -> int:
        """Sockets that are open at the venue."""
        return len(self.world.server.hosts[self.name].connections)

    def requests(self) -> list[SimRequest]:
        """Those that arrive from now on; the list grows."""
        told: list[SimRequest] = []
        host = self.world.server.hosts[self.name]
        host.arrivals.append(lambda _venue, _op, request: told.append(request))
        return told

    @contextmanager
    def nothing_sent(self) -> Iterator[None]:
        before = self.counts
        yield
        assert self.counts == before, f"something was sent: {self.counts - before}"

    def secrets(self) -> list[str]:
        """What no text may show: the keys (not the ids), and the sessions made with them."""
        open_names = ("_id", "address", self.kind.SPEC.account or "_id")
        hidden = [v for name, v in self.keys.items() if not name.endswith(open_names)]
        for dex in self._opened:
            keeper = vars(dex).get("_session")
            session = keeper and keeper.current
            hidden += session.headers.values() if session else ()
        short = [text.removeprefix("0x") for text in hidden]
        return [text for text in short if len(text) >= 16]  # an account id is no secret

    def check_clean(self, *texts: object) -> None:
        """No secret in any of these."""
        for text in map(str, texts):
            for secret in self.secrets():
                assert secret not in text, "a secret is shown: " + text.replace(secret, "***")


# --------------------------------------------------------------------------- waiting


async def until(
    condition: Callable[[], object], what: str, *, seconds: float = 60.0, step: float = 0.01
) -> None:
    """Returns when the condition holds; fails with `what` when it does not in time."""
    async with _limit(seconds, what):
        while not condition():  # noqa: ASYNC110  (any condition; the time is virtual)
            await asyncio.sleep(step)


async def some(iterator: AsyncIterator[T], count: int = 1) -> list[T]:
    """The first values of an iterator, which is then closed."""
    async with aclosing(iterator) as values:  # type: ignore[type-var]
        return [await anext(values) for _ in range(count)]


@asynccontextmanager
async def _limit(seconds: float, what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        pytest.fail(f"not within {seconds:g} s: {what}")


# --------------------------------------------------------------------------- running


def staged(*, lively: bool = False) -> Callable[[Callable[..., Awaitable[None]]], Any]:
    """Runs an async test with a fresh `stage`, in virtual time, and looks at what it leaves."""

    def decorate(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
        def run(self: Suite, **arguments: Any) -> None:
            async def play() -> None:
                await _play(self, functools.partial(test, self, **arguments), lively)

            run_virtual(play())

        functools.update_wrapper(run, test)
        del run.__dict__["__wrapped__"]  # it would look like a test with a fixture `stage`
        signature = inspect.signature(test)
        kept = [p for name, p in signature.parameters.items() if name != "stage"]
        run.__dict__["__signature__"] = signature.replace(parameters=kept)
        return run

    return decorate


async def _play(suite: Suite, test: Callable[..., Awaitable[None]], lively: bool) -> None:
    source = suite.market_source(lively=lively)
    with _log() as records:
        async with await start([suite.sim()], source=source, coins=(suite.coin,)) as world:
            stage = Stage(suite, world)
            try:
                await test(stage=stage)
            finally:
                await stage.close()
            await until(lambda: not stage.connections, "every socket is closed", seconds=5)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks are left: {left}"
        _check_log(stage, records)


class _Keep(logging.Handler):
    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)


@contextmanager
def _log() -> Iterator[list[logging.LogRecord]]:
    """Everything that is logged meanwhile, whatever the level."""
    records: list[logging.LogRecord] = []
    handler = _Keep(records)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield records
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def _check_log(stage: Stage, records: Sequence[logging.LogRecord]) -> None:
    form = logging.Formatter()
    stage.check_clean(*(form.format(record) for record in records))
    errors = [form.format(record) for record in records if record.levelno >= logging.ERROR]
    assert not errors, "errors were logged:\n" + "\n".join(errors)

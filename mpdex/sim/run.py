"""Start a simulated world: venues by name, one market for all of them, faults, a control port."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Self

from mpdex.sim.exchange import SimExchange
from mpdex.sim.faults import FaultBook
from mpdex.sim.host import Counts
from mpdex.sim.market import BasisLag, Feed, Source, Stage, Tape, TapePair, default_walk
from mpdex.sim.models import LatencyModel, Timers
from mpdex.sim.server import SimServer
from mpdex.sim.venue import SimVenue
from mpdex.sim.venues import load_venue
from mpdex.utils.clock import Clock, LoopClock, SystemClock

EPOCH_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z, where virtual time begins
COINS = ("ETH", "BTC", "SOL")

# What makes the hedge cost something: the second venue is a little cheaper and a little late. Both
# numbers are assumed: two large venues are a few basis points apart and follow within a breath.
BASIS_BPS = Decimal(-4)
LAG_MS = 80


class Running:
    """A simulated world that runs; an async context manager.

    Attributes:
        server: behind it.
        exchanges: the truth, by venue.
        endpoints, credentials: what a client of each venue is to be made with.
        faults: add rules here.
        clock: the world's.
    """

    def __init__(self, server: SimServer, clock: Clock) -> None:
        self.server = server
        self.clock = clock
        self.faults = server.faults
        self.exchanges: dict[str, SimExchange] = {}
        self.endpoints: dict[str, dict[str, str]] = {}
        self.credentials: dict[str, dict[str, str]] = {}
        for name, host in server.hosts.items():
            self.exchanges[name] = host.exchange
            self.endpoints[name] = host.venue.endpoints(host.port)
            self.credentials[name] = host.venue.credentials()

    @property
    def venues(self) -> dict[str, SimVenue]:
        return {name: host.venue for name, host in self.server.hosts.items()}

    @property
    def control_url(self) -> str:
        return self.server.control.url

    @property
    def counts(self) -> Counts:
        return self.server.counts

    async def close(self) -> None:
        """Stop everything; nothing is left running."""
        await self.server.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()


async def start(
    venues: Sequence[str | type[SimVenue]],
    *,
    source: Source | TapePair | Mapping[str, Source] | None = None,
    seed: int = 1,
    clock: Clock | None = None,
    coins: Sequence[str] = COINS,
    basis_bps: Decimal = BASIS_BPS,
    lag_ms: int = LAG_MS,
    latency: LatencyModel | None = None,
    faults: str = "",
    speed: float = 1.0,
    ports: Mapping[str, int] | None = None,
    control_port: int = 0,
) -> Running:
    """Start venues on free loopback ports, driven by one market.

    Args:
        venues: names of the simulated venues, or their classes; the first is `P` and the second
            `H` in fault rules.
        source: a walk for each coin by default. One source drives the first coin of every
            venue, the second venue with `basis_bps` and `lag_ms`; a `TapePair` drives the first
            coin of the first two venues as it is; a mapping gives each venue its own.
        clock: of the running loop at a fixed epoch by default.
        coins: which markets get a market at all.
        faults: rules, one a line.

    Raises: UnknownVenue; BadRule.
    """
    clock = clock or LoopClock(asyncio.get_running_loop(), EPOCH_NS)
    latency = latency or LatencyModel()
    rng = random.Random(seed)
    classes = [load_venue(v) if isinstance(v, str) else v for v in venues]
    worlds = [_make(cls, clock, random.Random(rng.random()), latency) for cls in classes]
    names = [venue.name for venue in worlds]
    book = FaultBook(
        faults, clock=clock, rng=random.Random(seed), roles=dict(zip("PH", names, strict=False))
    )
    feeds = _feeds(worlds, source, seed, coins, _Basis(basis_bps, lag_ms))
    stage = Stage(feeds, speed=speed)
    server = SimServer(worlds, stage=stage, faults=book, clock=clock, rng=rng)
    try:
        await server.start(ports, control_port)
    except BaseException:
        await server.close()
        raise
    return Running(server, clock)


async def serve(
    venues: Sequence[str],
    *,
    seed: int = 1,
    tape: Sequence[Path] = (),
    ports: Mapping[str, int] | None = None,
    control_port: int = 0,
    faults: str = "",
    speed: float = 1.0,
) -> Running:
    """The same in real time, for people and other programs: wall clock, fixed ports, tapes by path.

    Args:
        tape: none (a walk), one (drives all venues) or two (the first two venues).
    """
    return await start(
        venues,
        source=read_tapes(tape),
        seed=seed,
        clock=SystemClock(),
        faults=faults,
        speed=speed,
        ports=ports,
        control_port=control_port,
    )


def read_tapes(paths: Sequence[Path]) -> Source | TapePair | None:
    """A source of so many recordings."""
    tapes = [Tape(path).load() for path in paths]
    if len(tapes) > 1:
        return TapePair(tapes[0], tapes[1])
    return tapes[0] if tapes else None


class _Basis:
    """How the venues after the first see the first one's market."""

    def __init__(self, basis_bps: Decimal, lag_ms: int) -> None:
        self._basis_bps = basis_bps
        self._lag_ms = lag_ms

    def view(self, source: Source, place: int) -> Source:
        """The source as the venue in this place sees it: each a basis and a lag further."""
        if not place:
            return source
        return BasisLag(source, self._basis_bps * place, self._lag_ms * place)


def _make(cls: type[SimVenue], clock: Clock, rng: random.Random, latency: LatencyModel) -> SimVenue:
    exchange = cls.make_exchange(clock, rng, latency)
    return cls(exchange, clock=clock, rng=rng, latency=latency, timers=Timers())


def _feeds(
    venues: Sequence[SimVenue],
    source: Source | TapePair | Mapping[str, Source] | None,
    seed: int,
    coins: Sequence[str],
    basis: _Basis,
) -> list[Feed]:
    feeds = []
    for place, venue in enumerate(venues):
        for number, coin in enumerate(coins):
            chosen = _chosen(source, venue.name, place, basis) if not number else None
            chosen = chosen or basis.view(default_walk(coin, seed + number), place)
            feeds += [
                Feed(venue.exchange, market.symbol, chosen)
                for market in venue.exchange.markets.values()
                if market.coin == coin
            ]
    return feeds


def _chosen(
    source: Source | TapePair | Mapping[str, Source] | None,
    name: str,
    place: int,
    basis: _Basis,
) -> Source | None:
    match source:
        case None:
            return None
        case TapePair():
            return source.sources[min(place, 1)]
        case Mapping():
            return source.get(name)
        case _:
            return basis.view(source, place)

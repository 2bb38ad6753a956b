"""Serves a set of simulated venues on loopback ports, with a control port and a market behind.

What a venue module needs is in `mpdex.sim.venue`; the names are offered here too.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Self

from mpdex.sim.control import Control
from mpdex.sim.faults import FaultBook
from mpdex.sim.funding import FundingSchedule
from mpdex.sim.host import Counts, VenueHost
from mpdex.sim.market import Stage
from mpdex.sim.venue import Handler, SimConnection, SimReply, SimRequest, SimVenue
from mpdex.utils.clock import Clock

__all__ = [
    "Counts",
    "Handler",
    "SimConnection",
    "SimReply",
    "SimRequest",
    "SimServer",
    "SimVenue",
    "VenueHost",
]


class SimServer:
    """Venues, the market that drives them, and the control port. An async context manager.

    Args:
        venues: each with its own exchange.
        stage: plays the market; started with the server.
        faults: rules in force.

    Attributes:
        hosts: by venue name.
        counts: (venue, "rest" or "ws", op) -> how often it arrived.
    """

    def __init__(
        self,
        venues: Iterable[SimVenue],
        *,
        stage: Stage,
        faults: FaultBook,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self.counts: Counts = Counter()
        self.stage = stage
        self.faults = faults
        self.hosts = {
            venue.name: VenueHost(venue, clock=clock, rng=rng, faults=faults, counts=self.counts)
            for venue in venues
        }
        exchanges = [host.exchange for host in self.hosts.values()]
        self.funding = FundingSchedule(exchanges, clock)
        self.control = Control(self.hosts, faults=faults, counts=self.counts)

    async def start(self, ports: Mapping[str, int] | None = None, control_port: int = 0) -> None:
        """Play the market, then listen; ports not named are free ones."""
        self.stage.start()
        self.funding.start()
        for name, host in self.hosts.items():
            await host.start((ports or {}).get(name, 0))
        await self.control.start(control_port)
        self.faults.start()

    async def close(self) -> None:
        """Cut every socket and stop every timer; nothing is left running."""
        self.stage.close()
        self.funding.close()
        self.faults.close()
        for host in self.hosts.values():
            await host.close()
        await self.control.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

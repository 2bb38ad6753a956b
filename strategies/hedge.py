"""A run of the hedge from preflight to its files: examine, drive, report."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping

from mpdex.alerts import Alerts
from mpdex.errors import UsageError
from mpdex.utils.clock import Clock
from strategies.config import HedgeConfig
from strategies.desk import Setup
from strategies.driver import Driver, HedgeResult, Status
from strategies.outputs import Outputs
from strategies.preflight import Refused, examine
from strategies.venue import Venue
from strategies.words import (
    Role,
    StopAsked,
)


class Stop:
    """How the operator asks for an end; each further time is more urgent."""

    def __init__(self) -> None:
        self.times = 0
        self._tell: Callable[[int], None] | None = None

    def ask(self) -> None:
        """For a signal handler or another task of the same loop."""
        self.times += 1
        if self._tell is not None:
            self._tell(self.times)

    def listen(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        if self.times:
            tell(self.times)


async def run_hedge(
    config: HedgeConfig,
    primary: Venue,
    hedge: Venue,
    *,
    clock: Clock,
    rng: random.Random,
    stop: Stop | None = None,
    progress: Callable[[Status], None] | None = None,
    secrets: Iterable[str] = (),
    alerts: Alerts | None = None,
) -> HedgeResult:
    """Runs the hedge to its end; the exchanges stay open and belong to the caller.

    Args:
        rng: names the session.
        progress: called about once a second.
        secrets: taken out of the log file, should anything ever put them there.
        alerts: told what the operator must know; it hears his commands while the run lasts.
    """
    venues: dict[Role, Venue] = {"primary": primary, "hedge": hedge}
    try:
        setup = await examine(config, venues, clock)
    except Refused as refused:
        return HedgeResult(3, {"reason": str(refused), "problems": refused.problems})
    except UsageError as error:
        return HedgeResult(2, {"reason": str(error), "problems": [str(error)]})
    session = f"{setup.started_ms:x}-{rng.getrandbits(16):04x}"
    out = Outputs(config, clock, session, secrets)
    try:
        return await _drive(setup, venues, clock, out, stop or Stop(), progress, alerts)
    finally:
        out.close()


async def _drive(
    setup: Setup,
    venues: Mapping[Role, Venue],
    clock: Clock,
    out: Outputs,
    stop: Stop,
    progress: Callable[[Status], None] | None,
    alerts: Alerts | None,
) -> HedgeResult:
    async with asyncio.TaskGroup() as group:
        driver = Driver(setup, venues, clock, out, group, progress, alerts)
        driver.listen()
        stop.listen(lambda times: driver.feed(StopAsked(times)))
        try:
            await driver.finished
        finally:
            driver.close()
    return driver.result()


__all__ = ["HedgeResult", "Status", "Stop", "run_hedge"]

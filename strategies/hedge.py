"""A run of the hedge from its locks to its files: open, drive, report."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from mpdex.alerts import Alerts
from mpdex.errors import UsageError
from mpdex.utils.clock import Clock
from strategies.config import HedgeConfig
from strategies.driver import Driver, HedgeResult, Status
from strategies.lock import Locks
from strategies.opening import Opening, legs_of, open_run
from strategies.outputs import Outputs
from strategies.preflight import Refused
from strategies.restart import CannotResume
from strategies.venue import Venue
from strategies.words import Role, StopAsked


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
    locks: Path | None = None,
    ephemeral: bool = False,
) -> HedgeResult:
    """Runs the hedge to its end; the exchanges stay open and belong to the caller.

    To end it early, `stop` it. Canceling it is a crash like any other: the next run on the same
    folder finds what it left, and makes that neutral first.

    Args:
        rng: names the session.
        progress: called about once a second.
        secrets: taken out of the log file, should anything ever put them there.
        alerts: told what the operator must know; it hears his commands while the run lasts.
        locks: folder in which runs on the same accounts find each other; None: nobody else can.
        ephemeral: the accounts exist for this run only: nothing is left of an earlier one, and
            nothing of this one need outlive it.
    """
    venues: dict[Role, Venue] = {"primary": primary, "hedge": hedge}
    stop = stop or Stop()
    held: Locks | None = None
    with ExitStack() as stack:
        try:
            legs = await legs_of(config, venues)
            if locks is not None:
                held = Locks(locks, legs.values(), owner=config.stem, clock=clock)
                stack.callback(held.release)
            opening = await open_run(config, venues, clock, rng, legs, ephemeral=ephemeral)
            if stop.times and opening.past.finished:
                return HedgeResult(6, {"reason": "interrupted before the first order"})
            out = _outputs(config, clock, opening, secrets, durable=not ephemeral)
            stack.callback(out.close)
        except (Refused, CannotResume) as error:
            problems = error.problems if isinstance(error, Refused) else [str(error)]
            return HedgeResult(3, {"reason": str(error), "problems": problems})
        except UsageError as error:
            return HedgeResult(2, {"reason": str(error), "problems": [str(error)]})
        return await _drive(opening, venues, clock, out, stop, _beating(held, progress), alerts)


def _outputs(
    config: HedgeConfig, clock: Clock, opening: Opening, secrets: Iterable[str], *, durable: bool
) -> Outputs:
    """Opens the files and writes what an interrupted run could not write any more."""
    past = opening.past
    with ExitStack() as stack:
        try:
            out = Outputs(
                config, clock, opening.session, secrets, report=past.report, durable=durable
            )
            stack.callback(out.close)
            out.catch_up(past.trade, past.cycle)
            out.begin(opening.header)
            for trade in past.untold.values():
                out.trade(trade)
        except OSError as error:
            raise Refused([f"{config.logs} cannot be written: {error.strerror}"]) from error
        stack.pop_all()
    return out


async def _drive(
    opening: Opening,
    venues: Mapping[Role, Venue],
    clock: Clock,
    out: Outputs,
    stop: Stop,
    progress: Callable[[Status], None],
    alerts: Alerts | None,
) -> HedgeResult:
    async with asyncio.TaskGroup() as group:
        setup, desk = opening.setup, opening.desk
        driver = Driver(setup, venues, clock, out, group, progress, alerts, desk)
        driver.listen()
        stop.listen(lambda times: driver.feed(StopAsked(times)))
        try:
            await driver.finished
        finally:
            driver.close()
    return driver.result()


def _beating(
    locks: Locks | None, progress: Callable[[Status], None] | None
) -> Callable[[Status], None]:
    """Shows the status, and that the holder of the locks lives."""

    def show(status: Status) -> None:
        if locks is not None:
            locks.beat()
        if progress is not None:
            progress(status)

    return show


__all__ = ["HedgeResult", "Status", "Stop", "run_hedge"]

"""Where a command trades: a simulated world of its own, a running one, or the real venues.

The code of a command is the same in all three; only endpoints, keys and one guard differ.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange_factory import create_exchange, load, venue_names
from mpdex.errors import MissingCredentials, MpdexError, UsageError
from mpdex.utils.clock import Clock, SystemClock
from mpdex.utils.keys import load_credentials
from mpdex.utils.virtual_loop import VirtualLoop
from multi_perp_dex import Exchange

if TYPE_CHECKING:
    from mpdex.alerts import AlertConfig, Alerts
    from mpdex.sim.run import Running
    from strategies.config import HedgeConfig
    from strategies.doctor import Diagnosis
    from strategies.hedge import HedgeResult, Status
    from strategies.progress import Progress
    from strategies.venue import Venue

Dexes = dict[str, Exchange]


# --------------------------------------------------------------------------- opening


@dataclass(frozen=True)
class World:
    """What a simulated world is made of, as the command line says it.

    Attributes:
        coin: the one whose market a recording is played into, if there is such a market.
    """

    source: str = "walk"
    seed: int = 1
    faults: str = ""
    coin: str = "ETH"

    @property
    def coins(self) -> list[str]:
        from mpdex.sim.run import COINS

        return sorted(COINS, key=lambda coin: coin != self.coin)


@asynccontextmanager
async def opened(
    names: Sequence[str],
    mode: str,
    *,
    at: Path | None = None,
    world: World | None = None,
    **options: Any,
) -> AsyncIterator[Dexes]:
    """The venues, open; all of them where no name is given.

    Args:
        mode: "sim", "dry" (live data, every command refused) or "live".
        at: a file with the JSON line of a running simulator, to join it; dry mode can, too.
        options: of every exchange object.

    Raises: UsageError; TransportError if a venue does not answer.
    """
    if mode == "live" and at is not None:
        raise UsageError("--mode live trades on the real venues; leave --at out")
    async with AsyncExitStack() as stack:
        clock: Clock = SystemClock()
        params: Mapping[str, Mapping[str, Any] | None]
        if at is not None:
            params = _joined(at, names)
        elif mode != "sim":
            params = dict.fromkeys(names or configured())
        else:
            running = await stack.enter_async_context(await _own_world(names, world or World()))
            clock = running.clock
            params = {name: _key_params(running, name) for name in running.endpoints}
        dexes: Dexes = {}
        for name, keys in params.items():
            dex = await create_exchange(name, keys, clock=clock, **options)
            stack.push_async_callback(dex.close)
            if mode == "dry":
                dex.block_orders("dry mode sends no orders")
            dexes[name] = dex
        yield dexes


def _own(exclusive: bool) -> dict[str, Any]:
    """What exchange objects are told about the account; a plug-in need not know of it unasked."""
    return {"exclusive": True} if exclusive else {}


def configured() -> list[str]:
    """Venues whose credentials are found. Raises: MissingCredentials when there is none."""
    found = []
    for name in venue_names():
        spec = load(name).SPEC
        try:
            load_credentials(name, spec.credentials, spec.optional_credentials)
        except MissingCredentials:
            continue
        found.append(name)
    if not found:
        raise MissingCredentials("no venue is configured; keys/README.md says how")
    return found


async def _own_world(names: Sequence[str], world: World) -> Running:
    from mpdex.sim.run import start
    from mpdex.sim.venues import SIM_VENUES

    for name in names:
        load(name)  # so that an unknown venue is told with the nearest name
    source, basis = read_source(world.source)
    return await start(
        list(names) or list(SIM_VENUES),
        source=source,
        seed=world.seed,
        coins=world.coins,
        faults=world.faults,
        **basis,
    )


def _key_params(running: Running, name: str) -> dict[str, Any]:
    return {**running.credentials[name], "endpoints": running.endpoints[name]}


def _joined(file: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    try:
        venues = json.loads(file.read_text().splitlines()[0])["venues"]
        known = {n: {**v["credentials"], "endpoints": v["endpoints"]} for n, v in venues.items()}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UsageError(f"{file} is not the JSON line of `mpdex sim`: {error}") from error
    missing = [name for name in names if name not in known]
    if missing:
        raise UsageError(f"{file} has no {missing[0]}; it has {', '.join(sorted(known))}")
    return {name: known[name] for name in names or known}


def read_source(text: str) -> tuple[Any, dict[str, Any]]:
    """The market of a simulated world from its spelling on the command line.

    walk; pair:FILE,FILE; tape:FILE[,basis_bps[,lag_ms]]. Raises: UsageError.
    """
    from mpdex.sim.run import read_tapes

    kind, _, rest = text.partition(":")
    parts = [part for part in rest.split(",") if part]
    try:
        match kind, parts:
            case "walk", []:
                return None, {}
            case "pair", [one, two]:
                return read_tapes([Path(one), Path(two)]), {}
            case "tape", [one, *basis] if len(basis) <= 2:
                numbers = dict(zip(("basis_bps", "lag_ms"), basis, strict=False))
                told: dict[str, Any] = {}
                if "basis_bps" in numbers:
                    told["basis_bps"] = Decimal(numbers["basis_bps"])
                if "lag_ms" in numbers:
                    told["lag_ms"] = int(numbers["lag_ms"])
                return read_tapes([Path(one)]), told
    except (OSError, ValueError, InvalidOperation) as error:
        raise UsageError(f"--source {text}: {error}") from error
    raise UsageError(
        f"--source {text!r}: give walk, pair:FILE,FILE or tape:FILE[,basis_bps[,lag_ms]]"
    )


# --------------------------------------------------------------------------- commands


async def on_each(
    action: Callable[[Exchange], Awaitable[Any]],
    names: Sequence[str],
    *,
    mode: str,
    at: Path | None,
) -> tuple[list[Any], list[MpdexError]]:
    """An action on every venue; one that fails does not keep it from the others."""
    results: list[Any] = []
    failures: list[MpdexError] = []
    async with opened(names, mode, at=at) as dexes:
        for name, dex in dexes.items():
            try:
                result = await action(dex)
            except MpdexError as error:
                failures.append(error)
            else:
                results += result if isinstance(result, list) else [{"venue": name, **result}]
    return results, failures


def serve(names: Sequence[str], *, world: World, control_port: int = 0) -> int:
    """Runs simulated venues in real time until SIGINT or SIGTERM; one JSON line says where."""
    return asyncio.run(_serve(names, world, control_port))


async def _serve(names: Sequence[str], world: World, control_port: int) -> int:
    from mpdex.sim.run import start

    source, basis = read_source(world.source)
    running = await start(
        names,
        source=source,
        seed=world.seed,
        clock=SystemClock(),
        faults=world.faults,
        control_port=control_port,
        **basis,
    )
    async with running:
        venues = {
            name: {"endpoints": running.endpoints[name], "credentials": running.credentials[name]}
            for name in running.endpoints
        }
        sys.stdout.write(json.dumps({"venues": venues, "control": running.control_url}) + "\n")
        sys.stdout.flush()
        await _until_signal()
    return 0


def _stop_signals() -> Iterator[signal.Signals]:
    """A closed terminal is an interrupt, too, unless the run was meant to outlive it (nohup)."""
    yield from (signal.SIGINT, signal.SIGTERM)
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        yield hangup


async def _until_signal() -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    await asked.wait()


# --------------------------------------------------------------------------- flatten


@dataclass(frozen=True)
class FlattenRun:
    """Closing both legs without a run and without a journal.

    Attributes:
        symbols: the venues' own spelling, where the coin is not enough.
        exclusive: every open order is canceled, not only ours.
        force: although a run holds the locks.
    """

    primary: str
    hedge: str
    ticker: str
    mode: str = "sim"
    at: Path | None = None
    symbols: tuple[str | None, str | None] = (None, None)
    exclusive: bool = False
    force: bool = False


async def run_flatten(
    run: FlattenRun, confirm: Callable[[Mapping[Any, Decimal]], bool]
) -> tuple[dict[str, Any], int]:
    """Takes back our orders and closes both positions; (what was done, exit code).

    Raises: UsageError while a run holds one of the legs; MpdexError if a venue does not answer.
    """
    from strategies.flatten import Hands, flatten
    from strategies.lock import Leg, Locks, lock_folder

    async with (
        opened([run.primary, run.hedge], run.mode, at=run.at, **_own(run.exclusive)) as dexes,
        AsyncExitStack() as s,
    ):
        venues = {"primary": dexes[run.primary], "hedge": dexes[run.hedge]}
        hands: dict[Any, Hands] = {}
        legs = []
        for (role, dex), wanted in zip(venues.items(), run.symbols, strict=True):
            symbol = wanted or await dex.find_symbol(run.ticker)
            market = await dex.get_market(symbol)
            hands[role] = Hands(dex, market, dex.clock, exclusive=run.exclusive)
            legs.append(Leg(dex.name, dex.account_id, symbol))
        if not run.force and (run.mode == "live" or run.at is not None):
            clock = dexes[run.primary].clock
            s.callback(Locks(lock_folder(), legs, owner="flatten", clock=clock).release)
        outcome = await flatten(hands, confirm)
    return outcome.summary(), 0 if outcome.flat else 5


# --------------------------------------------------------------------------- doctor


@dataclass(frozen=True)
class DoctorRun:
    """The checks of a hedge run, and nothing else."""

    config: HedgeConfig
    world: World
    at: Path | None = None
    alerts: str = ""


def run_doctor(run: DoctorRun) -> Diagnosis:
    """Raises: UsageError; MpdexError where a venue cannot even be opened."""
    alone = run.config.mode == "sim" and run.at is None
    proven = asyncio.run(prove_alerts(run.alerts)) if run.alerts else None
    with asyncio.Runner(loop_factory=VirtualLoop if alone else _fastest_loop()) as runner:
        try:
            return runner.run(_diagnose(run, proven))
        except MpdexError as error:
            if not isinstance(error, UsageError):
                error.exit_code = 3  # type: ignore[attr-defined]  # no run could begin
            raise


async def _diagnose(run: DoctorRun, proven: Mapping[str, str] | None) -> Diagnosis:
    """On the real venues orders are blocked: nothing but questions leaves this machine."""
    from strategies.doctor import diagnose

    config = run.config
    names = [config.primary, config.hedge]
    where = "sim" if config.mode == "sim" else "dry"
    async with opened(names, where, at=run.at, world=run.world) as dexes:
        venues: dict[Any, Exchange] = {
            "primary": dexes[config.primary],
            "hedge": dexes[config.hedge],
        }
        return await diagnose(config, venues, dexes[config.primary].clock, proven)


# --------------------------------------------------------------------------- the hedge


@dataclass(frozen=True)
class HedgeRun:
    """One run of the hedge as the command line asks for it.

    Attributes:
        pace: "fast" lets simulated time jump, "real" lets it pass.
        quiet: no progress on the terminal.
        alerts: which channels the operator has, as `mpdex.alerts.read_config` takes it.
    """

    config: HedgeConfig
    world: World
    pace: str = "fast"
    at: Path | None = None
    quiet: bool = False
    alerts: str = ""

    @property
    def alone(self) -> bool:
        """Its accounts exist for this run only: in a world of its own, or on paper."""
        return self.config.mode == "dry" or (self.config.mode == "sim" and self.at is None)

    @property
    def jumps(self) -> bool:
        return self.config.mode == "sim" and self.at is None and self.pace == "fast"


def run_hedge(run: HedgeRun) -> HedgeResult:
    """Runs it to its end. Raises: UsageError."""
    if run.pace not in ("fast", "real"):
        raise UsageError(f"--pace is fast or real, not {run.pace!r}")
    factory = VirtualLoop if run.jumps else _fastest_loop()
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_hedge(run))


async def _hedge(run: HedgeRun) -> HedgeResult:
    from strategies import hedge
    from strategies.lock import lock_folder
    from strategies.status_file import StatusFile

    config = run.config
    channels = _channels(run)
    status_file = StatusFile(config)
    stop = hedge.Stop()
    loop = asyncio.get_running_loop()
    for number in _stop_signals():
        loop.add_signal_handler(number, stop.ask)
    names = [config.primary, config.hedge]
    try:
        own = _own(config.exclusive)
        async with opened(names, config.mode, at=run.at, world=run.world, **own) as dexes:
            clock = dexes[config.primary].clock
            venues = [await _tradable(dexes[name], config.mode) for name in names]
            secrets = [key for dex in dexes.values() for key in dex.keys.values()]
            with _progress(run) as show:
                async with _alerts(channels, config, clock) as alerts:
                    result = await hedge.run_hedge(
                        config,
                        *venues,
                        clock=clock,
                        rng=random.Random(run.world.seed if config.mode == "sim" else None),
                        locks=None if run.alone else lock_folder(),
                        ephemeral=run.alone,
                        stop=stop,
                        progress=_both(show, status_file),
                        secrets=[*secrets, *alerts.secrets],
                        alerts=alerts,
                    )
                    await _tell_refusal(alerts, result)
            status_file.end(result)
            return result
    except MpdexError as error:
        if not isinstance(error, UsageError):
            error.exit_code = 3  # type: ignore[attr-defined]  # nothing was placed yet
        raise


def _channels(run: HedgeRun) -> AlertConfig:
    """Raises: UsageError; also for a channel beyond this machine in a time that jumps."""
    from mpdex.alerts import read_config

    channels = read_config(run.alerts)
    if not (run.jumps and channels.remote):
        return channels
    if run.alerts:
        raise UsageError("--alerts: simulated time jumps over every answer; add --pace real")
    return channels.local()


@asynccontextmanager
async def _alerts(
    channels: AlertConfig, config: HedgeConfig, clock: Clock
) -> AsyncIterator[Alerts]:
    """Proven as far as they can be; a broken one is a warning."""
    from mpdex.alerts import Alerts

    alerts = Alerts(
        channels,
        clock=clock,
        rng=random.Random(),
        run=f"{config.primary}/{config.hedge} {config.ticker} {config.mode}",
        file=config.logs / f"{config.stem}_alerts.jsonl",
    )
    try:
        if channels.remote:
            await alerts.prove()
        yield alerts
    finally:
        await alerts.close()


async def _tell_refusal(alerts: Alerts, result: HedgeResult) -> None:
    """A run that did not begin is news for whoever is not at the terminal."""
    if "problems" in result.summary:
        from strategies.words import Alarm

        await alerts.say_now(Alarm("stop", f"did not begin: {result.summary['reason']}"))


async def prove_alerts(choice: str) -> dict[str, str]:
    """Says a test on every channel; what is wrong with each, "" where nothing is.

    Args:
        choice: as for a hedge; "" without MPDEX_ALERTS means every channel that can be found.

    Raises: UsageError.
    """
    from mpdex.alerts import Alerts, read_config
    from mpdex.alerts.config import VARIABLE

    channels = read_config(choice or os.environ.get(VARIABLE, "") or "default")
    if not channels.remote:
        raise UsageError("no alert channel is configured; docs/alerts.md says how")
    alerts = Alerts(channels, clock=SystemClock(), rng=random.Random())
    try:
        return await alerts.prove()
    finally:
        await alerts.close()


def _both(*shown: Callable[[Status], None]) -> Callable[[Status], None]:
    def show(status: Status) -> None:
        for one in shown:
            one(status)

    return show


async def _tradable(dex: Exchange, mode: str) -> Venue:
    """The exchange itself, or in dry mode paper on its books."""
    if mode != "dry":
        return dex
    from mpdex.paper import PaperVenue

    symbols = dex.available_symbols.values()
    fees = None if dex.read_only else await dex.get_fees(next(iter(symbols)))
    return PaperVenue(dex, fees)


def _progress(run: HedgeRun) -> Progress:
    from rich.console import Console

    from strategies.progress import Progress

    return Progress(Console(stderr=True, quiet=run.quiet))


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if find_spec("uvloop") is None:
        return None
    import uvloop

    return uvloop.new_event_loop

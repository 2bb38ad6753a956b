"""The command line: arguments in, tables or JSON out; what is done is elsewhere.

Exit codes, the same for every command:

    0  done
    1  a venue refused or did not answer
    2  the arguments or the configuration are wrong; nothing was sent
    3  preflight or reconciliation refused; nothing was placed
    4  the hedge halted, flat
    5  the hedge halted with exposure
    6  interrupted, and ended cleanly
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import wraps
from importlib import import_module
from inspect import Parameter, Signature, signature
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, TypeAlias, get_type_hints

import typer

from mpdex.errors import MpdexError, UsageError
from mpdex.show import show, show_error

Dex: TypeAlias = Any  # a multi_perp_dex.Exchange; nothing of a venue is imported for `--help`

app = typer.Typer(
    name="mpdex",
    help="One interface to perpetual-futures DEXs, and a delta-neutral hedge on top.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is not a number") from None


Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Mode = Annotated[str, typer.Option(help="sim, dry (live data, no orders) or live.")]
Confirm = Annotated[
    str, typer.Option(help="With --mode live: the word 'live', instead of a prompt.")
]
At = Annotated[
    Path | None,
    typer.Option(help="Join the simulator whose JSON line is in this file (sim and dry)."),
]
Venues = Annotated[
    str,
    typer.Option(help="Comma-separated; all configured venues if left out.", show_default=False),
]
Coin = Annotated[str | None, typer.Option(help="Such as ETH; every coin if left out.")]
Faults = Annotated[
    Path | None, typer.Option(help="Fault rules for the simulated venues, one a line.")
]
AlertChoice = Annotated[
    str,
    typer.Option(
        "--alerts", help="A TOML file, default (every channel whose secrets are found) or off."
    ),
]
Size = Annotated[Decimal, typer.Option(parser=_decimal, metavar="COINS")]
Leverage = Annotated[
    Decimal | None,
    typer.Option(
        parser=_decimal, metavar="TIMES", help="Set on both venues and read back before the run."
    ),
]
FeeBps = Annotated[
    str,
    typer.Option(
        metavar="BPS[,BPS]",
        help="Where a venue does not tell: of primary and hedge, or of both; a rebate is negative.",
    ),
]
Price = Annotated[Decimal | None, typer.Option(parser=_decimal, metavar="PRICE")]


# --------------------------------------------------------------------------- accounts


def _where(
    *,
    venues: Venues = "",
    mode: Mode = "sim",
    at: At = None,
    confirm: Confirm = "",
    as_json: Json = False,
) -> None:
    """The options that every command on accounts has."""


def on_venues(action: Callable[..., Awaitable[Any]]) -> Callable[..., None]:
    """Makes an action on one venue a command on every configured one, with the options above."""
    name = action.__name__

    @wraps(action)
    def command(**options: Any) -> None:
        where = {option: options.pop(option) for option in signature(_where).parameters}
        _on_each(name, lambda dex: action(dex, **options), **where)

    own = _resolved(action)[1:]  # the venue is not an option
    command.__signature__ = Signature([*own, *_resolved(_where)])  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in [*own, *_resolved(_where)]}
    app.command(name)(command)
    return command


def _resolved(function: Callable[..., Any]) -> list[Parameter]:
    hints = get_type_hints(function, include_extras=True)
    parameters = signature(function).parameters.values()
    return [parameter.replace(annotation=hints[parameter.name]) for parameter in parameters]


@on_venues
async def check(dex: Dex) -> Any:
    """Collateral, positions and unrealised profit of every configured venue."""
    return await actions().check(dex)


@on_venues
async def order(
    dex: Dex,
    *,
    coin: Annotated[str, typer.Option(help="Such as ETH.")] = "ETH",
    side: Annotated[str, typer.Option(help="buy or sell.")] = "buy",
    size: Size = Decimal("0.01"),
    price: Price = None,
    post_only: Annotated[bool, typer.Option("--post-only")] = False,
    reduce_only: Annotated[bool, typer.Option("--reduce-only")] = False,
    time_in_force: Annotated[str | None, typer.Option("--tif", help="GTC, IOC or FOK.")] = None,
) -> Any:
    """Create one order on every configured venue; without a price it is a market order."""
    return await actions().order(
        dex,
        coin,
        side,
        size,
        price=price,
        post_only=post_only,
        is_reduce_only=reduce_only,
        time_in_force=time_in_force,
    )


@on_venues
async def close(dex: Dex, *, coin: Coin = None) -> Any:
    """Cancel open orders and close positions at market."""
    return await actions().close(dex, coin)


@on_venues
async def cancel(dex: Dex, *, coin: Coin = None) -> Any:
    """Cancel open orders."""
    return await actions().cancel(dex, coin)


@on_venues
async def pnl(
    dex: Dex, *, days: Annotated[int, typer.Option(help="How far back fills are read.")] = 1
) -> Any:
    """Fills, traded notional and fees of the last days, and unrealised profit now."""
    return await actions().pnl(dex, days)


@on_venues
async def symbols(dex: Dex) -> Any:
    """Every symbol each venue trades, asked of the venue."""
    return await actions().symbols(dex)


@app.command()
def login(
    venue: Annotated[str, typer.Argument(help="One that signs in with a browser's wallet.")],
    port: Annotated[int, typer.Option(help="Of the page on this machine; 0: any free one.")] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Sign in with the wallet of a browser; the session is kept in a private file."""
    from mpdex.login import log_in

    def settle() -> int:
        done = asyncio.run(log_in(venue, port=port, browser=browser, at=at, announce=_tell))
        show("login", done, as_json)
        return 0

    _exit_with(settle, as_json)


# --------------------------------------------------------------------------- the hedge


@app.command()
def hedge(
    primary: Annotated[str, typer.Option(help="Venue of the maker order.")],
    hedge: Annotated[str, typer.Option(help="Venue of the taker hedge.")],
    ticker: Annotated[str, typer.Option(help="Coin, such as ETH.")],
    size: Size,
    iterations: Annotated[int, typer.Option("--iter", help="Cycles to do.")] = 10,
    fill_timeout: Annotated[float, typer.Option(help="Seconds a quote may wait.")] = 10.0,
    count: Annotated[str, typer.Option(help="What --iter counts: attempts or fills.")] = "attempts",
    gate: Annotated[str, typer.Option(help="Cost of a quote: roundtrip, strict, no-loss, off.")] = (
        "roundtrip"
    ),
    max_cost_bps: Annotated[
        Decimal, typer.Option(parser=_decimal, metavar="BPS", help="Most that a cycle may cost.")
    ] = Decimal(8),
    close_patience: Annotated[
        float, typer.Option(help="Seconds in which closing may come to cost twice as much.")
    ] = 1800.0,
    max_position: Annotated[
        Decimal | None,
        typer.Option(parser=_decimal, metavar="COINS", help="Held at most; --size if left out."),
    ] = None,
    direction: Annotated[
        str, typer.Option(help="alternate, basis, funding, long-first or short-first.")
    ] = "alternate",
    on_complete: Annotated[str, typer.Option(help="Open pair at the end: flatten or neutral.")] = (
        "flatten"
    ),
    on_exit: Annotated[str, typer.Option(help="Open pair at an interrupt: flatten or neutral.")] = (
        "neutral"
    ),
    on_external: Annotated[
        str, typer.Option(help="A position changed by others: halt, adopt or neutralise.")
    ] = "halt",
    adopt_baseline: Annotated[
        str, typer.Option(help="Positions found at the start: refuse, keep or close.")
    ] = "refuse",
    target_volume: Annotated[
        Decimal | None, typer.Option(parser=_decimal, metavar="QUOTE", help="Stop after so much.")
    ] = None,
    max_loss: Annotated[
        Decimal | None, typer.Option(parser=_decimal, metavar="QUOTE", help="Stop at this loss.")
    ] = None,
    fee_maker_bps: FeeBps = "",
    fee_taker_bps: FeeBps = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on counting where the last run stopped.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Start although the last runs crashed.")
    ] = False,
    dead_man: Annotated[
        float | None,
        typer.Option(help="Seconds without us after which the primary cancels our quote."),
    ] = None,
    exclusive: Annotated[
        bool, typer.Option("--exclusive", help="Nobody else trades here: cancel-all is allowed.")
    ] = False,
    leverage: Leverage = None,
    canary: Annotated[
        bool, typer.Option("--canary/--no-canary", help="Try both venues before the first quote.")
    ] = True,
    primary_symbol: Annotated[str | None, typer.Option(help="The venue's own spelling.")] = None,
    hedge_symbol: Annotated[str | None, typer.Option(help="The venue's own spelling.")] = None,
    logs: Annotated[Path, typer.Option(help="Where CSV, journal, summary and log go.")] = Path(
        "logs"
    ),
    source: Annotated[
        str, typer.Option(help="Sim market: walk, pair:FILE,FILE, or tape:FILE[,basis_bps,lag_ms].")
    ] = "walk",
    seed: Annotated[int, typer.Option(help="Of the simulated market and latency.")] = 1,
    faults: Faults = None,
    pace: Annotated[str, typer.Option(help="Sim time: fast (it jumps) or real.")] = "fast",
    alerts: AlertChoice = "",
    mode: Mode = "sim",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same as --mode dry.")] = False,
    at: At = None,
    confirm: Confirm = "",
    as_json: Json = False,
) -> None:
    """Rest post-only orders on one venue and hedge every fill at once on the other."""
    from mpdex.stage import HedgeRun, World, run_hedge

    def settle() -> int:
        from strategies.config import HedgeConfig, read_fees

        config = HedgeConfig(
            primary=primary,
            hedge=hedge,
            ticker=ticker,
            size=size,
            iterations=iterations,
            fill_timeout=fill_timeout,
            count=count,  # type: ignore[arg-type]
            gate=gate,  # type: ignore[arg-type]
            max_cost_bps=max_cost_bps,
            close_patience=close_patience,
            max_position=max_position,
            direction=direction,  # type: ignore[arg-type]
            on_complete=on_complete,  # type: ignore[arg-type]
            on_exit=on_exit,  # type: ignore[arg-type]
            on_external=on_external,  # type: ignore[arg-type]
            adopt_baseline=adopt_baseline,  # type: ignore[arg-type]
            target_volume=target_volume,
            max_loss=max_loss,
            assumed_fees=read_fees(fee_maker_bps, fee_taker_bps),
            resume=resume,
            force=force,
            exclusive=exclusive,
            dead_man=dead_man,
            leverage=leverage,
            canary=canary,
            primary_symbol=primary_symbol,
            hedge_symbol=hedge_symbol,
            logs=logs,
            mode="dry" if dry_run else mode,  # type: ignore[arg-type]
        )
        _ask_for_live(config.mode, confirm)
        world = World(source, seed, _text(faults), ticker)
        result = run_hedge(HedgeRun(config, world, pace=pace, at=at, quiet=as_json, alerts=alerts))
        if "problems" in result.summary and not as_json:
            sys.stderr.write(f"{result.summary['reason']}\n")
        else:
            show("hedge", result.summary, as_json)
        return result.exit_code

    _exit_with(settle, as_json)


@app.command()
def doctor(
    primary: Annotated[str, typer.Option(help="Venue of the maker order.")],
    hedge: Annotated[str, typer.Option(help="Venue of the taker hedge.")],
    ticker: Annotated[str, typer.Option(help="Coin, such as ETH.")],
    size: Size,
    primary_symbol: Annotated[str | None, typer.Option(help="The venue's own spelling.")] = None,
    hedge_symbol: Annotated[str | None, typer.Option(help="The venue's own spelling.")] = None,
    max_cost_bps: Annotated[
        Decimal, typer.Option(parser=_decimal, metavar="BPS", help="Most that a cycle may cost.")
    ] = Decimal(8),
    leverage: Leverage = None,
    fee_maker_bps: FeeBps = "",
    fee_taker_bps: FeeBps = "",
    logs: Annotated[Path, typer.Option(help="Where a run would write.")] = Path("logs"),
    source: Annotated[str, typer.Option(help="As for hedge.")] = "walk",
    seed: Annotated[int, typer.Option(help="Of the simulated market and latency.")] = 1,
    faults: Faults = None,
    alerts: AlertChoice = "",
    mode: Mode = "sim",
    at: At = None,
    as_json: Json = False,
) -> None:
    """Make every check of a hedge, without an order; also what a cycle would cost."""
    from mpdex.stage import DoctorRun, World, run_doctor

    def settle() -> int:
        from strategies.config import HedgeConfig, read_fees

        config = HedgeConfig(
            primary=primary,
            hedge=hedge,
            ticker=ticker,
            size=size,
            primary_symbol=primary_symbol,
            hedge_symbol=hedge_symbol,
            max_cost_bps=max_cost_bps,
            leverage=leverage,
            assumed_fees=read_fees(fee_maker_bps, fee_taker_bps),
            logs=logs,
            mode=mode,  # type: ignore[arg-type]
        )
        found = run_doctor(
            DoctorRun(config, World(source, seed, _text(faults), ticker), at, alerts)
        )
        show("doctor", found.record() if as_json else found.table(), as_json)
        return 0 if found.ready else 3

    _exit_with(settle, as_json)


@app.command()
def flatten(
    primary: Annotated[str, typer.Option(help="Venue of the maker order.")],
    hedge: Annotated[str, typer.Option(help="Venue of the taker hedge.")],
    ticker: Annotated[str, typer.Option(help="Coin, such as ETH.")],
    primary_symbol: Annotated[str | None, typer.Option(help="The venue's own spelling.")] = None,
    hedge_symbol: Annotated[str | None, typer.Option(help="The venue's own spelling.")] = None,
    exclusive: Annotated[
        bool, typer.Option("--exclusive", help="Cancel every open order, not only ours.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Close without asking.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Although a run is active.")] = False,
    mode: Mode = "sim",
    at: At = None,
    confirm: Confirm = "",
    as_json: Json = False,
) -> None:
    """Cancel our orders and close both positions; needs neither the bot nor its journal."""
    from mpdex.stage import FlattenRun, run_flatten

    def settle() -> int:
        _ask_for_live(mode, confirm)
        symbols = (primary_symbol, hedge_symbol)
        run = FlattenRun(primary, hedge, ticker, mode, at, symbols, exclusive, force)
        done, code = asyncio.run(run_flatten(run, lambda held: yes or _ask_to_close(held)))
        show("flatten", done, as_json)
        return code

    _exit_with(settle, as_json)


@app.command()
def status(
    logs: Annotated[Path, typer.Option(help="Where the hedge writes its files.")] = Path("logs"),
    as_json: Json = False,
) -> None:
    """How each hedge stands, by the file it keeps; ends with 1 if one is stale."""

    def settle() -> int:
        from strategies.status_file import read_statuses

        found = read_statuses(logs)
        show("status", found, as_json)
        return int(any(one["state_of_file"] == "stale" for one in found))

    _exit_with(settle, as_json)


@app.command("alert-test")
def alert_test(alerts: AlertChoice = "", as_json: Json = False) -> None:
    """Say a test on every alert channel; ends with 1 if one is not reached."""
    from mpdex.stage import prove_alerts

    def settle() -> int:
        problems = asyncio.run(prove_alerts(alerts))
        show("alerts", {name: text or "reached" for name, text in problems.items()}, as_json)
        return int(any(problems.values()))

    _exit_with(settle, as_json)


@app.command()
def replay(
    source: Annotated[
        str, typer.Option(help="pair:FILE,FILE, tape:FILE[,basis_bps,lag_ms], walk.")
    ],
    iterations: Annotated[int, typer.Option("--iter", help="Cycles of each run.")] = 60,
    primary: Annotated[str, typer.Option(help="Simulated venue of the maker order.")] = "grvt",
    hedge: Annotated[str, typer.Option(help="Simulated venue of the hedge.")] = "backpack",
    ticker: Annotated[str, typer.Option(help="Coin the recording is of.")] = "ETH",
    size: Size = Decimal("0.1"),
    fill_timeout: Annotated[float, typer.Option(help="Of the adaptive quote, seconds.")] = 10.0,
    static_timeout: Annotated[float, typer.Option(help="Of the static quote, seconds.")] = 5.0,
    gate: Annotated[str, typer.Option(help="As for hedge, the same in both runs.")] = "roundtrip",
    max_cost_bps: Annotated[
        Decimal, typer.Option(parser=_decimal, metavar="BPS", help="The same in both runs.")
    ] = Decimal(8),
    seed: Annotated[int, typer.Option(help="Of the simulated latency.")] = 1,
    logs: Annotated[
        Path | None, typer.Option(help="Keep the files of both runs here; else nowhere.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Play one recording twice, to the adaptive quote and to one that waits 5 s; compare both."""
    from mpdex.replay import Replay, compare, worst
    from mpdex.stage import World

    def settle() -> int:
        from strategies.config import HedgeConfig

        config = HedgeConfig(
            primary=primary,
            hedge=hedge,
            ticker=ticker,
            size=size,
            iterations=iterations,
            fill_timeout=fill_timeout,
            gate=gate,  # type: ignore[arg-type]
            max_cost_bps=max_cost_bps,
        )
        world = World(source, seed, coin=ticker)
        records = compare(Replay(config, world, static_timeout, logs))
        show("replay", records, as_json)
        return worst(records)

    _exit_with(settle, as_json)


# --------------------------------------------------------------------------- simulator, scaffold


@app.command()
def sim(
    venues: Annotated[str, typer.Option(help="Comma-separated.")] = "grvt,backpack",
    source: Annotated[str, typer.Option(help="As for hedge.")] = "walk",
    seed: Annotated[int, typer.Option()] = 1,
    coin: Annotated[str, typer.Option(help="Whose market a recording is played into.")] = "ETH",
    faults: Faults = None,
    control_port: Annotated[int, typer.Option(help="0: any free port.")] = 0,
    as_json: Json = False,
) -> None:
    """Run simulated venues until interrupted; prints one JSON line with endpoints and keys."""
    from mpdex.stage import World, serve

    def settle() -> int:
        world = World(source, seed, _text(faults), coin)
        return serve(_names(venues), world=world, control_port=control_port)

    _exit_with(settle, as_json)


@app.command()
def scenario(
    file: Annotated[Path | None, typer.Argument(help="A scenario in TOML.")] = None,
    count: Annotated[
        int, typer.Option("--random", help="Instead of a file: so many random mixtures of faults.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Of the first mixture; each next is one more.")] = 1,
    cycles: Annotated[int, typer.Option(help="Of each mixture.")] = 50,
    jobs: Annotated[int, typer.Option(help="Processes; 0: as many as processors.")] = 0,
    keep: Annotated[
        Path | None, typer.Option(help="Where failing mixtures are written, made small.")
    ] = None,
    logs: Annotated[Path | None, typer.Option(help="Keep the bot's files of FILE here.")] = None,
    as_json: Json = False,
) -> None:
    """Play faults against the hedge on simulated venues; ends with 1 if the oracle objects."""
    from mpdex.lab.command import run_file, run_random

    def settle() -> int:
        if (file is None) == (count == 0):
            raise UsageError("give a scenario file or --random N, and not both")
        if file is not None:
            return run_file(file, logs=logs, as_json=as_json)
        return run_random(count, seed=seed, cycles=cycles, jobs=jobs, keep=keep, as_json=as_json)

    _exit_with(settle, as_json)


@app.command("new-venue")
def new_venue(
    name: Annotated[str, typer.Argument(help="As the factory will spell it.")],
    folder: Annotated[Path, typer.Option(help="Where the package is made.")] = Path(),
    as_json: Json = False,
) -> None:
    """Scaffold a venue: wrapper, stream, simulated end, test, key template."""
    from mpdex.scaffold import create

    def settle() -> int:
        show("new-venue", {"created": [str(path) for path in create(name, folder)]}, as_json)
        return 0

    _exit_with(settle, as_json)


# --------------------------------------------------------------------------- entries


def main() -> None:
    """The console script `mpdex`."""
    app()


def main_hedge() -> None:
    """`python hedge_mode.py …`: the hedge command under the plan's name."""
    app(["hedge", *sys.argv[1:]], prog_name="hedge_mode.py")


def main_by_module() -> None:
    """`python main.py --module check …`: the command named after --module."""
    arguments = sys.argv[1:]
    for place, text in enumerate(arguments):
        if text == "--module" and place + 1 < len(arguments):
            rest = arguments[:place] + arguments[place + 2 :]
            app([arguments[place + 1], *rest], prog_name="main.py")
        if text.startswith("--module="):
            rest = arguments[:place] + arguments[place + 1 :]
            app([text.partition("=")[2], *rest], prog_name="main.py")
    app(arguments or ["--help"], prog_name="main.py")


def actions() -> ModuleType:
    """Imported late, so that `--help` needs no venue."""
    return import_module("mpdex.actions")


def _on_each(
    title: str,
    action: Callable[[Any], Awaitable[Any]],
    *,
    venues: str,
    mode: str,
    at: Path | None,
    confirm: str,
    as_json: bool,
) -> None:
    from mpdex.stage import on_each

    def settle() -> int:
        _ask_for_live(mode, confirm)
        results, failures = asyncio.run(on_each(action, _names(venues), mode=mode, at=at))
        show(title, results, as_json)
        for error in failures:
            show_error(error, as_json)
        return max((exit_code(error) for error in failures), default=0)

    _exit_with(settle, as_json)


def _tell(text: str) -> None:
    typer.echo(text, err=True)


def _names(venues: str) -> list[str]:
    return [name.strip() for name in venues.split(",") if name.strip()]


def _text(file: Path | None) -> str:
    try:
        return file.read_text() if file is not None else ""
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error


def _ask_for_live(mode: str, confirm: str) -> None:
    if mode not in ("sim", "dry", "live"):
        raise UsageError(f"--mode is sim, dry or live, not {mode!r}")
    if mode != "live" or confirm == "live":
        return
    if not sys.stdin.isatty():
        raise UsageError("--mode live trades real money; add --confirm live to run unattended")
    if typer.prompt("This trades real money. Type 'live' to go on", default="") != "live":
        raise UsageError("not confirmed; nothing was sent")


def _ask_to_close(held: Mapping[Any, Decimal]) -> bool:
    """Shows both positions and asks. Raises: UsageError where nobody can answer."""
    told = ", ".join(f"{role} {size.normalize():f}" for role, size in held.items())
    if not sys.stdin.isatty():
        raise UsageError(f"{told}: add --yes to close them unattended")
    return typer.confirm(f"Open now: {told}. Close both?", err=True)


def _exit_with(settle: Callable[[], int], as_json: bool) -> None:
    try:
        code = settle()
    except MpdexError as error:
        show_error(error, as_json)
        code = exit_code(error)
    raise typer.Exit(code)


def exit_code(error: MpdexError) -> int:
    """What a failure ends the process with; an error may carry its own (`exit_code`)."""
    own: int | None = getattr(error, "exit_code", None)
    return own if own is not None else 2 if isinstance(error, UsageError) else 1

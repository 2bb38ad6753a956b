"""Kills the hedge at every line of its journal, starts it again, and asks the venues for the truth.

    python tools/crash_points.py                       # every line of a run
    python tools/crash_points.py --again intent hedge  # every line of the recovery after that one

A reference run tells how many lines there are. Then, for each of them, twice (just before the line
is written, and just after): simulated venues of its own in a process of their own, in real time;
the hedge in another process, which sends itself SIGKILL there; a second start that is to finish
the work with `--resume`. What is true at the end comes from the simulator's control port:

    both positions are zero, and no order of ours is open;
    on each venue every order has its intent in the journal, written before the order arrived;
    what the hedge venue filled is what the primary filled, for every cycle and in sum;
    cycles and attempts go on counting; each fill has one row in the trades file.

Ends with 1 if any of that fails anywhere.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

from mpdex.lab.source import LabMarket
from mpdex.sim.models import LatencyModel
from mpdex.sim.run import start
from mpdex.stage import HedgeRun, World, run_hedge
from mpdex.utils.clock import SystemClock
from mpdex.utils.journal import Journal, replay
from strategies import steady, supervisor
from strategies.config import HedgeConfig

# What a process would import when it needs it: here once, for all of them.
for name in ("strategies.hedge", "wrappers.grvt", "wrappers.backpack", "mpdex.sim.venues.grvt"):
    import_module(name)
for name in ("mpdex.sim.venues.backpack", "mpdex.utils.socket", "mpdex.utils.rest", "aiohttp"):
    import_module(name)

PRIMARY, HEDGE, COIN = "grvt", "backpack", "ETH"
CYCLES = 2
# The second cycle closes the pair, and its hedge is refused until it is unwound; so the pair is
# closed by taking at the end.
RULES = "\n".join(f"H.place.side(sell).nth({n}) -> reject(PRICE_BAND)" for n in (1, 2, 3))
MOMENTS = ("before", "after")
# Milliseconds instead of the usual tens, and no waiting where nothing is waited for.
LATENCY = LatencyModel(request=0.002, response=0.002, stream=0.002, jitter=0.001)
QUICK: dict[str, Any] = {
    "gate": "off",
    "direction": "short-first",
    "fill_timeout": 2.0,
    "flatten_patience": 0.0,
    "cool_down": 0.01,
    "failure_cool_down": 0.01,
    "reread": 0.1,
    "settle_grace": 0.5,
}
BRIEF = 0.1  # seconds that books and gates are watched, instead of 5 and 3
PATIENCE = 60  # seconds for any process
TOO_LATE = 98


@dataclass(frozen=True, slots=True)
class Point:
    """Where a process dies: before or after its nth line."""

    moment: str
    line: int

    def __str__(self) -> str:
        return f"{self.moment} {self.line}"


@dataclass(slots=True)
class Result:
    """What became of one victim.

    Attributes:
        label: of the line it died at; "" if it did not.
        died: how many of its processes did.
        wrong: what should not be.
        lines: that the last process wrote; recovery: until it quoted again.
    """

    points: Sequence[Point]
    label: str = ""
    died: int = 0
    wrong: list[str] = field(default_factory=list)
    lines: int = 0
    recovery: int = 0


# --------------------------------------------------------------------------- processes


def fork(work: Callable[[], int]) -> int:
    """A child process that does it; its id. What this process has imported it need not import."""
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        if not os.environ.get("CRASH_POINTS_TALK"):
            os.dup2(sink, 2)
        code = work()
    finally:
        os._exit(code)


def wait(pid: int) -> int | None:
    """Its exit code; None if it killed itself."""
    ended = os.pidfd_open(pid)
    try:
        in_time, _, _ = select.select([ended], [], [], PATIENCE)
    finally:
        os.close(ended)
    if not in_time:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if not in_time:
        return TOO_LATE
    return None if code < 0 else code


def venues(folder: Path, ready: int) -> int:
    """Simulated venues until SIGTERM; a byte on `ready` says that they listen."""

    async def serve() -> None:
        asked = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
        world = await start(
            [PRIMARY, HEDGE],
            source=LabMarket(traded=0.1),
            clock=SystemClock(),
            coins=[COIN],
            latency=LATENCY,
            faults=RULES,
        )
        async with world:
            found = {
                name: {"endpoints": world.endpoints[name], "credentials": world.credentials[name]}
                for name in world.endpoints
            }
            line = json.dumps({"venues": found, "control": world.control_url})
            (folder / "venues.json").write_text(line + "\n")
            os.write(ready, b".")
            await asked.wait()

    asyncio.run(serve())
    return 0


@contextlib.contextmanager
def world(folder: Path) -> Iterator[str]:
    """Venues in a process of their own; their control port."""
    reading, writing = os.pipe()
    pid = fork(lambda: venues(folder, writing))
    os.close(writing)
    try:
        if not os.read(reading, 1):
            raise RuntimeError("the simulated venues did not start")
        yield json.loads((folder / "venues.json").read_text())["control"]
    finally:
        os.close(reading)
        os.kill(pid, signal.SIGTERM)
        wait(pid)


def hedge(folder: Path, point: Point | None) -> int:
    """The hedge as the command line runs it, but for where it dies."""
    os.environ["MPDEX_LOCK_DIR"] = str(folder / "locks")
    setattr(steady, "STEADY_SECONDS", BRIEF)  # noqa: B010
    setattr(supervisor, "_OPEN_SECONDS", BRIEF)  # noqa: B010
    if point is not None:
        die_at(point)
    config = HedgeConfig(
        primary=PRIMARY,
        hedge=HEDGE,
        ticker=COIN,
        size=Decimal("0.01"),
        iterations=CYCLES,
        resume=True,
        logs=folder / "logs",
        **QUICK,
    )
    run = HedgeRun(config, World(), pace="real", at=folder / "venues.json", quiet=True)
    return run_hedge(run).exit_code


def die_at(point: Point) -> None:
    """SIGKILL by its own hand, which the line's number knows when."""
    write, count = Journal.write, 0

    def watched(journal: Journal, kind: str, **fields: Any) -> None:
        nonlocal count
        count += 1
        if point == Point("before", count):
            os.kill(os.getpid(), signal.SIGKILL)
        write(journal, kind, **fields)
        if point == Point("after", count):
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(Journal, "write", watched)  # noqa: B010  (a method is replaced on purpose)


# --------------------------------------------------------------------------- one victim


def play(points: Sequence[Point], keep: Path | None = None) -> Result:
    """Starts, kills and starts again; the last start is left alone."""
    result = Result(points)
    folder = Path(tempfile.mkdtemp(prefix="crash-", dir=keep))
    try:
        with world(folder) as control:
            before = 0
            for point in (*points, None):
                before = len(journal(folder))
                code = wait(fork(lambda p=point: hedge(folder, p)))  # type: ignore[misc]
                result.died += code is None
                if code is not None:
                    break
            lines = journal(folder)
            result.lines = len(lines) - before
            result.recovery = until_running(lines[before:])
            result.label = label_at(folder, points) if result.died else ""
            if code != 0:
                result.wrong.append(f"the last start ended with {code}")
            with urllib.request.urlopen(f"{control}/truth", timeout=PATIENCE) as answer:
                truth = json.load(answer, parse_float=Decimal)["venues"]
            result.wrong += judge(truth, lines, folder)
    finally:
        if keep is None or not result.wrong:
            shutil.rmtree(folder)
        else:
            result.wrong.append(f"kept in {folder}")
    return result


def journal(folder: Path) -> list[dict[str, Any]]:
    path = folder / "logs" / f"2dex_{PRIMARY}_{HEDGE}_{COIN}_events.jsonl"
    return list(replay(path)) if path.exists() else []


def until_running(lines: Sequence[dict[str, Any]]) -> int:
    notes = [n for n, x in enumerate(lines, 1) if "-> running" in x.get("text", "")]
    return notes[0] if notes else len(lines)


def label_at(folder: Path, points: Sequence[Point]) -> str:
    """What the first victim died at: the kind of line, and of the order it is about."""
    lines, first = journal(folder), points[0]
    place = first.line - 1 if first.moment == "after" else first.line - 2
    return label(lines[place], lines) if 0 <= place < len(lines) else "nothing"


def label(line: dict[str, Any], lines: Sequence[dict[str, Any]]) -> str:
    purposes = {one["client_id"]: one["purpose"] for one in lines if one["kind"] == "intent"}
    client_id = line.get("client_id") or line.get("client_order_id")
    about = line.get("purpose") or purposes.get(client_id, "")
    return f"{line['kind']} {about}".strip()


# --------------------------------------------------------------------------- truth


def judge(truth: dict[str, Any], lines: Sequence[dict[str, Any]], folder: Path) -> list[str]:
    """What is not as it should be."""
    wrong = []
    fills: dict[str, list[dict[str, Any]]] = {}
    intents = {one["client_id"]: one for one in lines if one["kind"] == "intent"}
    for venue, accounts in truth.items():
        fills[venue] = [fill for account in accounts.values() for fill in account["fills"]]
        for account in accounts.values():
            wrong += [f"{venue} holds {p['size']}" for p in account["positions"] if num(p["size"])]
            for order in account["orders"]:
                wrong += judge_order(venue, order, intents)
    wrong += judge_hedges(fills, intents)
    wrong += judge_counters(lines)
    trades = folder / "logs" / f"2dex_{PRIMARY}_{HEDGE}_{COIN}_trades.csv"
    with trades.open(newline="") as file:
        rows = Counter((row["venue"], row["trade_id"]) for row in csv.DictReader(file))
    true = Counter((venue, str(fill["id"])) for venue, some in fills.items() for fill in some)
    if rows.total() != true.total() or max(rows.values(), default=0) > 1:
        wrong.append(f"{rows.total()} rows of trades, {true.total()} fills")
    return wrong


def judge_order(venue: str, order: dict[str, Any], intents: dict[str, Any]) -> list[str]:
    wrong = []
    intent = intents.get(order["client_id"])
    if order["status"] in ("open", "pending"):
        wrong.append(f"{venue}: order {order['client_id']} is open")
    if intent is None:
        wrong.append(f"{venue}: order {order['client_id']} has no intent")
    elif intent["ts_ns"] > order["created_ns"]:
        wrong.append(f"{venue}: order {order['client_id']} is older than its intent")
    return wrong


def judge_hedges(fills: dict[str, list[dict[str, Any]]], intents: dict[str, Any]) -> list[str]:
    """Each venue's fills, signed, by cycle and in sum: one is the mirror of the other."""
    sums: Counter[Any] = Counter()
    for some in fills.values():
        for fill in some:
            intent = intents.get(fill["client_id"], {"cycle": None})
            signed = num(fill["size"]) if fill["side"] == "buy" else -num(fill["size"])
            sums[intent["cycle"]] += signed  # type: ignore[assignment]
            sums["all"] += signed  # type: ignore[assignment]
    return [f"cycle {cycle}: {left} more bought than sold" for cycle, left in sums.items() if left]


def judge_counters(lines: Sequence[dict[str, Any]]) -> list[str]:
    cycles = [line for line in lines if line["kind"] == "cycle"]
    numbers = [line["cycle"] for line in cycles]
    wrong = []
    if len(set(numbers)) != len(numbers):
        wrong.append(f"cycles are numbered {numbers}")
    attempts = sum(line["counts"] for line in cycles)
    if attempts != CYCLES:
        wrong.append(f"{attempts} attempts of {CYCLES}")
    if lines and lines[-1]["kind"] not in ("finish", "note", "alarm"):
        wrong.append(f"the journal ends with {lines[-1]['kind']}")
    return wrong


def num(text: Any) -> Decimal:
    return Decimal(str(text))


# --------------------------------------------------------------------------- all of them


def play_all(victims: Sequence[Sequence[Point]], hands: int, keep: Path | None) -> list[Result]:
    """Shares the victims out to so many processes."""
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        pids = [
            fork(lambda h=hand: work(victims[h::hands], Path(folder) / str(h), keep))  # type: ignore[misc]
            for hand in range(hands)
        ]
        for pid in pids:
            _, status = os.waitpid(pid, 0)
            if status:
                raise RuntimeError(f"a worker ended with {os.waitstatus_to_exitcode(status)}")
        results = []
        for hand in range(hands):
            for line in (Path(folder) / str(hand)).read_text().splitlines():
                told = json.loads(line)
                points = [Point(*point) for point in told.pop("points")]
                results.append(Result(points, **told))
    return results


def work(victims: Sequence[Sequence[Point]], out: Path, keep: Path | None) -> int:
    with out.open("w") as file:
        for points in victims:
            told = play(points, keep)
            line = {
                "points": [(point.moment, point.line) for point in points],
                "label": told.label,
                "died": told.died,
                "wrong": told.wrong,
                "lines": told.lines,
                "recovery": told.recovery,
            }
            file.write(json.dumps(line) + "\n")
            file.flush()
    return 0


def every(lines: int, *, before: Sequence[Point] = ()) -> list[list[Point]]:
    """A victim for each line and moment."""
    return [[*before, Point(m, n)] for n in range(1, lines + 1) for m in MOMENTS]


def find(words: Sequence[str], keep: Path | None) -> Point:
    """Just after the first line of a reference run that is described by these words."""
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="crash-", dir=keep))
        stack.callback(shutil.rmtree, folder)
        with world(folder):
            wait(fork(lambda: hedge(folder, None)))
        lines = journal(folder)
    for place, line in enumerate(lines, 1):
        if label(line, lines) == " ".join(words):
            return Point("after", place)
    raise SystemExit(f"a reference run has no line {' '.join(words)!r}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hands", type=int, default=6, help="victims at a time")
    parser.add_argument("--again", nargs="+", help="die there first, then during the recovery")
    parser.add_argument("--keep", type=Path, help="folder for what failed")
    options = parser.parse_args(arguments)
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    began = SystemClock().monotonic()
    first = [find(options.again, options.keep)] if options.again else []
    reference = play(first, options.keep)
    if reference.wrong:
        sys.stdout.write(f"reference: {'; '.join(reference.wrong)}\n")
        return 1
    lines = reference.recovery if first else reference.lines
    results = play_all(every(lines, before=first), options.hands, options.keep)
    return report(results, lines, len(first), SystemClock().monotonic() - began)


def report(results: Sequence[Result], lines: int, before: int, seconds: float) -> int:
    """A table by what the victims died at, and a sum."""
    died = [result for result in results if result.died > before]
    table: Counter[str] = Counter(result.label for result in died)
    for name, count in sorted(table.items()):
        sys.stdout.write(f"{count:5}  {name}\n")
    failed = [result for result in results if result.wrong]
    for result in failed:
        where = ", then ".join(map(str, result.points))
        sys.stdout.write(f"{where} ({result.label}): {'; '.join(result.wrong)}\n")
    sys.stdout.write(
        f"{len(died)} kills at {lines} lines, {len(results) - len(died)} ran to their end before, "
        f"{len(failed)} wrong, {seconds:.0f} s\n"
    )
    return int(bool(failed) or not died)


if __name__ == "__main__":
    sys.exit(main())

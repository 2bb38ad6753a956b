"""What a program pays before its first order: time, memory and modules of an import.

Every sample is a fresh interpreter with compiled bytecode and a warm page cache; what is compared
is CPU time, beside an import of what any asynchronous program needs. Modules and memory are those
that come on top of a bare interpreter.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bench.harness import TRIES, Row, count, ratio_row, restless
from bench.parties import VENUES
from bench.workers import Worker
from exchange_factory import find_entry

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 15

FLOOR = "import asyncio, json, ssl, decimal, dataclasses, typing, enum"
PACKAGE = "import mpdex"
# The factory's way to an object, and one order signed; a network is never touched.
READY = """
from bench.parties import sign_one
sign_one({venue!r})
"""
CONNECTED = """
import asyncio, json
from exchange_factory import create_exchange, symbol_create
from mpdex.types import Topic
async def main():
    dex = await create_exchange({venue!r}, json.loads({options!r}))
    symbol = symbol_create({venue!r}, "ETH")
    private = [c for c in ("orders", "fills", "positions") if c in dex.stream_channels]
    await dex.start_streams([Topic("book", symbol), *map(Topic, private[:1])])
    assert not dex.book(symbol).stale
    return dex
async def end(dex):
    await dex.close()
runner = asyncio.Runner()
dex = runner.run(main())
"""
CHILD = """
import sys, time
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
before, memory, start = set(sys.modules), resident(), time.process_time()
exec(sys.argv[1])
spent = time.process_time() - start
held = (resident() - memory) / 2**20
added = sorted(set(sys.modules) - before)
import json
print(json.dumps([spent, held, added]))
if "runner" in globals():
    runner.run(end(dex))
    runner.close()
"""

# Nothing is sent before the first request, so none of these is loaded either.
SENDERS = frozenset({"asyncio", "aiohttp", "picows", "curl_cffi"})
MODULES = 130  # ready to sign; asyncio would be 103 by itself
TARGETS = {
    "import.package": {"ratio": 0.05, "modules": 10, "MiB": 1},
    "import.ready_to_sign": {"ratio": 1.0, "modules": MODULES, "MiB": 12, "foreign": 0},
    "import.connected": {"ratio": 5.0, "MiB": 30},
}


class Sample(NamedTuple):
    seconds: float
    mib: float
    modules: frozenset[str]


def package() -> list[Row]:
    """`import mpdex` alone."""
    return _timed("import.package", {"mpdex": PACKAGE})


def ready_to_sign() -> list[Row]:
    """Up to the first signed order, for each venue."""
    return _timed("import.ready_to_sign", {venue: READY.format(venue=venue) for venue in VENUES})


def connected() -> list[Row]:
    """Up to an open socket with a live book and a used REST connection, for each venue.

    The other end is the simulated venue, in a process of its own.
    """
    with Worker("world", VENUES) as world:
        codes = {
            venue: CONNECTED.format(venue=venue, options=json.dumps(world.ready[venue]))
            for venue in VENUES
        }
        return _timed("import.connected", codes)


def modules() -> list[Row]:
    """The counts among them: modules loaded, and none of another venue."""
    name = "import.modules"
    _sample(PACKAGE)  # compiles
    rows = [count(name, "mpdex", len(_sample(PACKAGE).modules), 10, "modules")]
    for venue in VENUES:
        code = READY.format(venue=venue)
        _sample(code)
        found = _sample(code).modules
        rows += [
            count(name, f"{venue} ready to sign", len(found), MODULES, "modules"),
            count(name, f"{venue}: of other venues", len(_foreign(venue, found)), 0, "modules"),
            count(name, f"{venue}: of what sends", len(found & SENDERS), 0, "modules"),
        ]
    return rows


def _foreign(venue: str, found: frozenset[str]) -> set[str]:
    others = {_module(other) for other in VENUES} - {_module(venue)}
    names = tuple(name for other in others for name in (f"{other}.", f"{other}_"))
    return {module for module in found if f"{module}.".startswith(names)}


def _module(venue: str) -> str:
    return find_entry(venue).where.partition(":")[0]


def _timed(name: str, codes: Mapping[str, str]) -> list[Row]:
    everything = {"floor": FLOOR, **codes}
    for code in everything.values():
        _sample(code)  # compiles, and warms the page cache
    for _ in range(TRIES):
        samples = _rounds(everything)
        floor = [sample.seconds for sample in samples["floor"]]
        noisy = restless(floor)
        if not noisy:
            break
    rows = []
    for subject in codes:
        rows += _rows(name, subject, samples[subject], floor, noisy)
    return rows


def _rounds(codes: Mapping[str, str]) -> dict[str, list[Sample]]:
    names = list(codes)
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    for turn in range(ROUNDS):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            samples[name].append(_sample(codes[name]))
    return samples


def _rows(
    name: str, subject: str, samples: list[Sample], floor: list[float], noisy: bool
) -> list[Row]:
    targets = TARGETS[name]
    mine = [sample.seconds for sample in samples]
    mib = round(statistics.median(sample.mib for sample in samples), 1)
    return [
        ratio_row(name, subject, mine, floor, targets["ratio"], noisy),
        count(name, f"{subject}: memory", mib, targets["MiB"], "MiB"),
        count(
            name, f"{subject}: modules", len(samples[-1].modules), targets.get("modules"), "modules"
        ),
    ]


def _sample(code: str) -> Sample:
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, code],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the sample failed:\n{done.stderr}")
    seconds, mib, found = json.loads(done.stdout.splitlines()[-1])
    return Sample(seconds, mib, frozenset(found))

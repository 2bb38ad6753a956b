"""The stage of the fault matrix: `row` plays a scenario, asserts what always holds, and records it.

    @pytest.mark.fault("OE-01", tier=1)
    def test_oe_01_an_answer_lost_is_not_a_failure(row):
        verdict = row("P.place.nth(3) -> drop_response", cycles=6, outcome="R")
        assert len(verdict.orders("P")) >= 6

What a row plays ends up in docs/faults.md (tools/fault_table.py).
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exchange_factory import load
from mpdex.lab.run import Lab, Verdict, play
from mpdex.lab.scenario import Scenario, make
from mpdex.sim.venue import SimVenue
from mpdex.sim.venues import SIM_VENUES, load_venue
from mpdex.sim.venues.lighter import HASH_ONLY
from mpdex.utils.translation import Translation
from mpdex.utils.virtual_loop import run_virtual

ROOT = Path(__file__).resolve().parents[2]
RECORDS = Path(os.environ.get("MPDEX_FAULT_ROWS", ROOT / ".fault_rows.jsonl"))
_FIELDS = {f.name for f in dataclasses.fields(Scenario)}

During = Callable[[Lab], Awaitable[None]]


FIRST = ("grvt", "backpack")


class Row:
    """Plays scenarios of one row of the matrix; see `__call__`."""

    def __init__(self, logs: Path, name: str, pair: tuple[str, str] = FIRST) -> None:
        self._logs = logs
        self._name = name
        self._pair = pair
        self.verdicts: list[Verdict] = []

    def kind(self, leg: str, *, swapped: bool = False) -> type[Any]:
        """The class of the venue that is "P" or "H"."""
        primary, hedge = reversed(self._pair) if swapped else self._pair
        return load(primary if leg == "P" else hedge)

    def need(self, leg: str, offer: str) -> None:
        """Skip where a venue does not offer something.

        Args:
            offer: a word of `VenueSpec.supports`, a channel of its streams, "private_streams", or
                "canary": an order that cannot fill.
        """
        kind = self.kind(leg)
        channels = {channel for stream in kind.streams() for channel in stream.CHANNELS}
        private = {"private_streams"} if self.hears(leg) else set()
        canary = {"canary"} if kind.SPEC.canary == "full" else set()
        if offer not in kind.SPEC.supports | channels | private | canary:
            pytest.skip(f"declared: {kind.SPEC.name} has no {offer.replace('_', ' ')}")

    def hears(self, leg: str) -> bool:
        """Whether a stream tells what happens to the account; elsewhere it is asked for."""
        return any(stream.PRIVATE for stream in self.kind(leg).streams())

    def need_login(self, leg: str, *, swapped: bool = False) -> None:
        """Skip where requests are each proven by themselves, and no session can end."""
        name = self.kind(leg, swapped=swapped).SPEC.name
        if load_venue(name).expire_sessions is SimVenue.expire_sessions:
            pytest.skip(f"declared: {name} has no login")

    def logs_in(self, leg: str, *, swapped: bool = False) -> bool:
        """Whether the venue is asked for a session; elsewhere what ends is made here, anew."""
        return self.kind(leg, swapped=swapped).encode_login is not Translation.encode_login

    def __call__(
        self,
        *rules: str,
        outcome: str | int | list[int] | tuple[str, ...] = (),
        during: During | None = None,
        allow: tuple[str, ...] = (),
        idle: bool = False,
        swapped: bool = False,
        **options: Any,
    ) -> Verdict:
        """Plays a scenario and asserts: no violation, every rule fired, the outcome is right.

        Args:
            rules: fault rules, one each.
            outcome: class ("R", "D", "HF", "HE", "HF/HE") or exit codes, any of which is right.
            during: run beside the bot, from before its first start; canceled when the bot ends.
            allow: ids of the oracle that are asserted by the test itself.
            idle: some rule may remain without effect.
            swapped: the pair's venues change places; skipped where the second must not quote.
            options: any key of `Scenario` (cycles, size, source, seed, timeout, tags, markets,
                credentials, planted, baseline, restarts, restart_after, ...); every other one is an
                option of `HedgeConfig`.
        """
        config = {name: value for name, value in options.items() if name not in _FIELDS}
        keys = {name: value for name, value in options.items() if name in _FIELDS}
        primary, hedge = reversed(self._pair) if swapped else self._pair
        if not may_quote(primary):
            pytest.skip(f"declared: {primary} is never a primary")
        places = {"primary": primary, "hedge": hedge}
        scenario = make(
            **{"name": self._name, "rules": list(rules), "expect": outcome, **places, **keys},
            config={**config, **keys.pop("config", {})},
        )
        folder = self._logs / f"run{len(self.verdicts)}"
        verdict = run_virtual(_beside(scenario, folder, during))
        self.verdicts.append(verdict)
        told = _told(verdict)
        assert [v for v in verdict.violations if v.id not in allow] == [], told
        assert idle or verdict.idle == [], f"never fired: {verdict.idle}\n{told}"
        assert verdict.expected(), f"{verdict.outcome} is not {scenario.expect}\n{told}"
        return verdict


async def _beside(scenario: Scenario, logs: Path, during: During | None) -> Verdict:
    if during is None:
        return await play(scenario, logs)
    async with asyncio.TaskGroup() as group:
        helpers: list[asyncio.Task[Any]] = []

        def ready(lab: Lab) -> None:
            helpers.append(group.create_task(during(lab)))  # type: ignore[arg-type]

        verdict = await play(scenario, logs, ready=ready)
        for helper in helpers:
            helper.cancel()
    return verdict


def _told(verdict: Verdict) -> str:
    lines = [f"{v}" for v in verdict.violations]
    lines += [
        f"exit codes {verdict.exit_codes}, {verdict.outcome}, {verdict.seconds:.1f} s",
        f"phases {verdict.phases}",
        f"summary {verdict.summary.get('reason')}",
        *verdict.tail,
    ]
    return "\n".join(lines)


@pytest.fixture
def row(request: pytest.FixtureRequest, tmp_path: Path) -> Row:
    """See `Row.__call__`."""
    stage = Row(tmp_path, request.node.name, getattr(request, "param", FIRST))
    request.node.stash[_PLAYED] = stage.verdicts
    return stage


@pytest.fixture(autouse=True)
def _quick_proofs(monkeypatch: pytest.MonkeyPatch) -> None:
    """That signatures are right, the venue's own tests see; in plain Python it is slow to check."""
    monkeypatch.setenv(HASH_ONLY, "1")


def may_quote(venue: str) -> bool:
    """Whether a venue may be the primary of a pair."""
    spec = load(venue).SPEC
    return not spec.fragile and "post_only" in spec.supports


def pairs() -> list[tuple[str, str]]:
    """The first pair, and for every other venue one with it in the place that it may take."""
    others = [name for name in SIM_VENUES if name not in FIRST]
    return [FIRST, *((v, FIRST[1]) if may_quote(v) else (FIRST[0], v) for v in others)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Rows about adapters are played with every venue, and swapped ones on its other side."""
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    if "row" in metafunc.fixturenames and "adapter" in marks and "first_pair" not in marks:
        found = pairs()
        metafunc.parametrize("row", found, indirect=True, ids=["-".join(pair) for pair in found])


_PLAYED = pytest.StashKey[list[Verdict]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """One line of JSON for each test of the matrix, whichever worker ran it."""
    report = yield
    marker = item.get_closest_marker("fault")
    if marker is not None and report.when == "call" and report.outcome != "skipped":
        _record(item, marker, report.outcome)
    return report


def _course(verdict: Verdict) -> str:
    """The outcome, and whether it was exposed for good on the way there."""
    exposed = "halted exposed" in verdict.visited and verdict.outcome != "HE"
    return f"HE then {verdict.outcome}" if exposed else verdict.outcome


def _record(item: pytest.Item, marker: pytest.Mark, result: str) -> None:
    verdicts = item.stash.get(_PLAYED, [])
    line = {
        "id": marker.args[0],
        "tier": marker.kwargs.get("tier", 1),
        "test": item.nodeid,
        "result": result,
        "runs": [
            {
                "rules": list(v.scenario.rules),
                "outcome": _course(v),
                "exit_codes": v.exit_codes,
                "to_flat": round(v.to_flat, 3),
                "worst": str(v.worst),
                "size": str(v.scenario.size),
            }
            for v in verdicts
        ],
    }
    with RECORDS.open("a", encoding="utf-8") as file:  # O_APPEND: one write is one line
        file.write(json.dumps(line) + "\n")

"""The tables of venues in the READMEs, read as text, and the stage on which they are proven."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mpdex.conformance.stage import Stage, Suite, staged
from mpdex.sim.venue import SimRequest

ROOT = Path(__file__).resolve().parents[2]
README, KOREAN = ROOT / "README.md", ROOT / "README.ko.md"
PAGES, KEYS = ROOT / "docs" / "venues" / "README.md", ROOT / "keys" / "README.md"
COIN = "ETH"

# Words of cells; those of flags and streams are where they are proven.
POLLED = "book (polled quotes)"
COUNTERSIGNED, QUOTED = "signed elsewhere first", "market orders quoted first"
FRAGILE, UNTRIED = "fragile: hedge leg only", "not yet tried live"


@cache
def table(path: Path) -> dict[str, list[str]]:
    """venue -> cells of its row, the first one left out."""
    text = path.read_text(encoding="utf-8")
    made = text.partition("<!-- venues: made by tools/venue_table.py -->")[2]
    lines = made.partition("<!-- end of venues -->")[0].strip().splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]
    return {re.findall(r"`([^`]+)`", row[0])[0]: row[1:] for row in rows}


def listed(cell: str) -> list[str]:
    return [word for word in re.split(r"[,;] ", cell) if word]


def quoted(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


class Claims(NamedTuple):
    """A row of the README."""

    markets: str
    orders: str
    flags: str
    streams: str
    extra: str
    note: str


def claims(venue: str) -> Claims:
    return Claims(*table(README)[venue])


class Keys(NamedTuple):
    """A row of keys/README.md."""

    needed: tuple[str, ...]
    choices: list[tuple[str, ...]]
    by_login: bool
    optional: tuple[str, ...]

    @property
    def least(self) -> list[tuple[str, ...]]:
        """Sets that should be enough."""
        return [(*self.needed, *choice) for choice in self.choices or [()]]


def keys_of(venue: str) -> Keys:
    needed, choices, optional = table(KEYS)[venue]
    sets = [quoted(choice) for choice in choices.split(" or ") if choice]
    login = ("mpdex login",)
    given = [names for names in sets if names != login]
    return Keys(quoted(needed), given, login in sets, quoted(optional))


class _OneVenue(Suite):
    """What a stage is made for."""

    def __init__(self, venue: str) -> None:
        self.venue = venue  # type: ignore[misc]
        self.coin = COIN  # type: ignore[misc]


def on_stage(
    venue: str, prove: Callable[[Stage], Awaitable[None]], *, lively: bool = False
) -> None:
    """Plays a proof with the simulated venue, in virtual time; see `staged`."""

    async def play(self: Suite, stage: Stage) -> None:
        await prove(stage)

    staged(lively=lively)(play)(_OneVenue(venue))


class Arrived(NamedTuple):
    """A request, as the venue got it, and what it is there."""

    op: str
    request: SimRequest


def arrivals(stage: Stage) -> list[Arrived]:
    """Every request that arrives from now on."""
    told: list[Arrived] = []
    host = stage.world.server.hosts[stage.name]
    host.arrivals.append(lambda _, op, request: told.append(Arrived(op, request)))
    return told

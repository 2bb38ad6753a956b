"""strategies.opening: what a run begins with."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.utils.clock import LoopClock
from mpdex.utils.journal import Journal
from mpdex.utils.virtual_loop import run_virtual
from strategies.config import HedgeConfig
from strategies.opening import Opening, legs_of, open_run
from strategies.outputs import journal_path
from strategies.restart import CannotResume
from strategies.words import Role
from test_exchanges.strategies.fake_dex import FakeDex
from test_exchanges.strategies.test_hedge import EPOCH

D = Decimal


class Venues:
    """Two of them in memory, and a journal that an earlier run wrote there."""

    def __init__(self, folder: Path) -> None:
        self.clock = LoopClock(asyncio.get_running_loop(), EPOCH)
        self.dexes: dict[Role, FakeDex] = {
            "primary": FakeDex("p", self.clock),
            "hedge": FakeDex("h", self.clock),
        }
        self.config = HedgeConfig(
            primary="p", hedge="h", ticker="ETH", size=D("0.5"), logs=folder, canary=False
        )

    async def open(self, *, ephemeral: bool = False, **changes: Any) -> Opening:
        config = replace(self.config, **changes)
        legs = await legs_of(config, self.dexes)
        return await open_run(
            config, self.dexes, self.clock, random.Random(1), legs, ephemeral=ephemeral
        )

    def write(self, opening: Opening, *lines: tuple[str, dict[str, Any]]) -> None:
        journal = Journal(journal_path(self.config), clock=self.clock)
        journal.write("session", **opening.header)
        for kind, fields in lines:
            journal.write(kind, **fields)
        journal.close()


def on_stage(folder: Path, play: Callable[[Venues], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        await play(Venues(folder))

    run_virtual(main())


def basis(count: int) -> tuple[str, dict[str, Any]]:
    return "basis", {
        "ages": [str(number / 4) for number in range(count, 0, -1)],
        "bps": ["4"] * count,
    }


@pytest.mark.parametrize(("minutes", "known"), [(2, True), (6, False)])
def test_a_young_basis_is_not_learned_again(tmp_path: Path, minutes: int, known: bool) -> None:
    async def play(venues: Venues) -> None:
        venues.write(await venues.open(), basis(240))
        await asyncio.sleep(60 * minutes)
        opening = await venues.open()
        assert opening.desk.lessons.books.basis.known is known
        if known:
            assert opening.desk.lessons.books.basis.median == 4

    on_stage(tmp_path, play)


def test_a_name_goes_on_with_resume_and_is_new_without(tmp_path: Path) -> None:
    async def play(venues: Venues) -> None:
        first = await venues.open()
        venues.write(first)
        resumed, fresh = await venues.open(resume=True), await venues.open()
        assert resumed.session == first.session != fresh.session
        assert fresh.header["previous"] == resumed.header["previous"] == first.session
        assert (resumed.header["resumed"], fresh.header["resumed"]) == (True, False)

    on_stage(tmp_path, play)


def test_accounts_of_this_run_only_have_no_past(tmp_path: Path) -> None:
    async def play(venues: Venues) -> None:
        for _ in range(3):
            venues.write(await venues.open(force=True))
        with pytest.raises(CannotResume, match="--force"):
            await venues.open()
        opening = await venues.open(ephemeral=True)
        assert opening.past.session == ""
        assert opening.header["carries"] is False

    on_stage(tmp_path, play)


def test_another_mode_has_another_past(tmp_path: Path) -> None:
    async def play(venues: Venues) -> None:
        venues.write(await venues.open(mode="sim"))
        assert (await venues.open(mode="live")).past.session == ""
        assert (await venues.open(mode="sim")).past.session

    on_stage(tmp_path, play)


def test_the_desk_begins_now_and_not_when_the_checks_did(tmp_path: Path) -> None:
    async def play(venues: Venues) -> None:
        opening = await venues.open()
        assert opening.desk.now == venues.clock.monotonic()
        assert opening.setup.started <= opening.desk.now

    on_stage(tmp_path, play)


def test_legs_are_known_by_account_and_symbol(tmp_path: Path) -> None:
    async def play(venues: Venues) -> None:
        legs = await legs_of(venues.config, venues.dexes)
        assert legs["primary"] == ("p", "account-of-p", "ETH-PERP")
        assert await legs_of(replace(venues.config, ticker="NOPE"), venues.dexes) == {}

    on_stage(tmp_path, play)

"""Every ordered pair of venues, as a newcomer would run it.

    python hedge_mode.py --primary A --hedge B --ticker ETH --size 0.01 --iter 10

A pair that may run ends flat with 0; any other is refused with the reason before the first order.
Which is which follows from what the venues declare.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import mpdex.sim.run
from exchange_factory import load
from mpdex.cli import main_hedge
from mpdex.sim.run import Running
from mpdex.sim.venue import SimVenue
from mpdex.sim.venues import SIM_VENUES, load_venue

PAIRS = list(itertools.permutations(SIM_VENUES, 2))
# What a refused pair is told; the first that applies.
ONE_BOOK, FRAGILE, NO_POST_ONLY = "one order book", "use it as --hedge only", "no post-only"


def refusal(primary: str, hedge: str) -> str:
    """Why a pair may not run, in a part of the sentence; "" if it may."""
    maker, taker = load(primary).SPEC, load(hedge).SPEC
    if (maker.order_book or maker.name) == (taker.order_book or taker.name):
        return ONE_BOOK
    if maker.fragile:
        return FRAGILE
    return "" if "post_only" in maker.supports else NO_POST_ONLY


Change = Callable[[Running], None]


def run(
    primary: str,
    hedge: str,
    logs: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Change = lambda world: None,
) -> Any:
    """The exit code, and the truth of the world that the command made for itself.

    Args:
        change: what is done to that world before anybody trades in it.
    """
    worlds: list[Running] = []
    start = mpdex.sim.run.start

    async def kept(*arguments: Any, **options: Any) -> Running:
        worlds.append(await start(*arguments, **options))
        change(worlds[-1])
        return worlds[-1]

    monkeypatch.setattr(mpdex.sim.run, "start", kept)
    options = f"--primary {primary} --hedge {hedge} --ticker ETH --size 0.01 --iter 10 --json"
    monkeypatch.setattr(sys, "argv", ["hedge_mode.py", *options.split(), "--logs", str(logs)])
    with pytest.raises(SystemExit) as ended:
        main_hedge()
    [world] = worlds
    return ended.value.code, world


def truth(world: Running) -> tuple[Decimal, int, int]:
    """(net coins over both venues, orders that rest, orders ever placed)."""
    held, resting, placed = Decimal(0), 0, 0
    for exchange in world.exchanges.values():
        for account in exchange.accounts:
            held += sum((p.size for p in exchange.positions(account)), Decimal(0))
            resting += len(exchange.open_orders(account))
            placed += len(exchange.order_history(account))
    return held, resting, placed


@pytest.mark.parametrize(("primary", "hedge"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_a_pair_ends_flat_or_is_refused_with_the_reason(
    primary: str,
    hedge: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    why = refusal(primary, hedge)
    code, world = run(primary, hedge, tmp_path, monkeypatch)
    said = capsys.readouterr()
    if why:
        assert code in (2, 3), said.err[-2000:]
        assert why in said.out + said.err
        assert truth(world)[2] == 0, "orders were placed"
        return
    check_done(code, json.loads(said.out), world)


def check_done(code: int, summary: dict[str, Any], world: Running) -> None:
    held, resting, placed = truth(world)
    assert code == 0, summary
    assert summary["verified"] is True
    assert summary["cycles"] >= 10
    assert summary["other_fees"] == {}, "fees that no sum has"
    assert held == resting == 0
    assert placed >= 20


OTHER_KEYS = [
    pair
    for venue in SIM_VENUES
    if load_venue(venue).other_credentials is not SimVenue.other_credentials
    for leg in (0, 1)
    for pair in [one for one in PAIRS if one[leg] == venue and not refusal(*one)][:1]
]


@pytest.mark.parametrize(
    ("primary", "hedge"), OTHER_KEYS, ids=["-".join(pair) for pair in OTHER_KEYS]
)
def test_a_pair_trades_with_other_keys_too(
    primary: str, hedge: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of an account of another generation, or another way into the same; each leg's in turn."""
    done: set[tuple[str, ...]] = set()

    def change(world: Running) -> None:
        """Gives keys whose names were not given yet."""
        for venue, keys in world.credentials.items():
            for other in world.venues[venue].other_credentials():
                names = (venue, *sorted(other))
                if other.keys() != keys.keys() and names not in done:
                    world.credentials[venue] = other
                    done.add(names)
                    return

    before = -1
    while before != len(done):
        before = len(done)
        with pytest.MonkeyPatch.context() as patch:
            code, world = run(primary, hedge, tmp_path / str(before), patch, change)
        check_done(code, json.loads(capsys.readouterr().out), world)
    assert done


def test_the_matrix_has_pairs_of_both_kinds() -> None:
    reasons = {refusal(primary, hedge) for primary, hedge in PAIRS}
    assert reasons >= {"", ONE_BOOK, FRAGILE}

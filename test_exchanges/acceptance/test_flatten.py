"""`mpdex flatten`: our orders gone and both legs closed, with nothing but the venues to ask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from acceptance.pair import HEDGE, PRIMARY, Pair, opened
from acceptance.test_processes import clean_environment, fetch, run, simulator

from mpdex.sim.records import SimOrder
from mpdex.utils.clock import SystemClock
from mpdex.utils.virtual_loop import run_virtual
from strategies.flatten import Hands, Outcome, flatten, neutralize
from strategies.lock import Leg, Locks
from strategies.words import Role

__all__ = ["simulator"]
D = Decimal
LONG, SHORT = {"primary": D("0.02"), "hedge": D("-0.02")}, {"primary": D(0), "hedge": D("-0.05")}


async def hands(pair: Pair, *, exclusive: bool = False) -> dict[Role, Hands]:
    found: dict[Role, Hands] = {}
    for role, dex in (("primary", pair.primary), ("hedge", pair.hedge)):
        market = await dex.get_market(await dex.find_symbol("ETH"))
        found[role] = Hands(dex, market, pair.world.clock, exclusive=exclusive)  # type: ignore[index]
    return found


async def hold(pair: Pair, wanted: dict[str, Decimal]) -> None:
    for role, dex in (("primary", pair.primary), ("hedge", pair.hedge)):
        size = wanted[role]
        if size:
            symbol = await dex.find_symbol("ETH")
            await dex.create_order(symbol, "buy" if size > 0 else "sell", abs(size))


async def rest(pair: Pair, client_id: str | None = None) -> str:
    """A resting buy on the primary, far from the market; its client id."""
    symbol = await pair.primary.find_symbol("ETH")
    mark = await pair.primary.get_mark_price(symbol)
    order = await pair.primary.create_order(
        symbol, "buy", D("0.01"), mark * D("0.98"), "limit", client_order_id=client_id
    )
    return order["client_order_id"] or ""


def on_stage(play: Callable[[Pair], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def main() -> None:
        async with opened(**options) as pair:
            await asyncio.sleep(1)
            await play(pair)

    run_virtual(main())


@pytest.mark.parametrize("held", [LONG, SHORT], ids=["pair", "one leg"])
def test_both_legs_are_closed_reduce_only(held: dict[str, Decimal]) -> None:
    async def play(pair: Pair) -> None:
        await hold(pair, held)
        await rest(pair)
        outcome = await flatten(await hands(pair))
        assert outcome.flat
        assert outcome.before == held
        assert len(outcome.canceled["primary"]) == 1
        assert pair.live_orders() == []
        assert [p for x in pair.world.exchanges.values() for a in x.accounts for p in x.positions(a)
                if p.size] == []  # fmt: skip
        closing: list[SimOrder] = [o for v in (PRIMARY, HEDGE) for o in pair.orders(v)]
        closing = [o for o in closing if o.reduce_only]
        assert {o.tif for o in closing} == {"IOC"}
        assert sum(o.filled for o in closing) == sum(abs(size) for size in held.values())

    on_stage(play)


def test_nothing_is_closed_without_consent() -> None:
    async def play(pair: Pair) -> None:
        await hold(pair, LONG)
        shown: list[Any] = []
        outcome = await flatten(await hands(pair), lambda held: bool(shown.append(held)))
        assert shown == [LONG]
        assert not outcome.flat
        assert outcome.left == dict.fromkeys(("primary", "hedge"), "not confirmed")
        assert await pair.primary.get_positions() != []

    on_stage(play)


@pytest.mark.parametrize("exclusive", [False, True])
def test_orders_of_others_are_only_touched_where_there_are_no_others(exclusive: bool) -> None:
    async def play(pair: Pair) -> None:
        ours = await rest(pair)
        theirs = await rest(pair, str(2**63 + 5))
        outcome = await flatten(await hands(pair, exclusive=exclusive))
        left = [order.client_id for order in pair.live_orders()]
        assert left == ([] if exclusive else [theirs])
        assert len(outcome.canceled["primary"]) == 1 + exclusive
        assert ours not in left

    on_stage(play)


@pytest.mark.parametrize(
    "rule",
    [
        "H.place.nth(1) -> drop_response",
        "H.place.nth(1) -> drop_request",
        "P.place.nth(1) -> drop_response",
        "H.place.nth(1) -> reject(PRICE_BAND)",
        "P.cancel.nth(1) -> drop_request",
        "H.query_positions.nth(2) -> http(500)",
    ],
)
def test_a_lost_answer_costs_time_and_no_second_position(rule: str) -> None:
    async def play(pair: Pair) -> None:
        await hold(pair, LONG)
        await rest(pair)
        pair.world.faults.add(rule)
        outcome = await flatten(await hands(pair))
        assert outcome.flat
        assert pair.exposure == 0
        assert pair.live_orders() == []

    on_stage(play)


def test_what_is_left_is_told_with_the_reason() -> None:
    async def play(pair: Pair) -> None:
        await hold(pair, LONG)
        pair.world.faults.add("H.place -> reject(PERMISSION)")
        outcome: Outcome = await flatten(await hands(pair))
        assert not outcome.flat
        assert set(outcome.left) == {"hedge"}
        summary = outcome.summary()
        assert summary["after_primary"] == "0"
        assert summary["after_hedge"] == "-0.02"
        assert summary["left_hedge"]

    on_stage(play)


@pytest.mark.parametrize(
    "rule", ["", "H.place -> reject(PERMISSION)", "H.place.nth(1) -> drop_response"]
)
def test_the_guard_makes_neutral_what_is_beyond_the_baseline(rule: str) -> None:
    async def play(pair: Pair) -> None:
        await hold(pair, {"primary": D("0.05"), "hedge": D("-0.03")})
        await rest(pair)
        pair.world.faults.add(rule)
        assert await neutralize(await hands(pair), {"primary": D("0.01"), "hedge": D(0)})
        assert pair.exposure == D("0.01")
        assert pair.live_orders() == []

    on_stage(play)


def test_the_command(simulator: dict[str, Any], tmp_path: Path) -> None:
    at = ["--at", simulator["file"], "--json"]
    pair = ["--primary", PRIMARY, "--hedge", HEDGE, "--ticker", "ETH"]
    locks = {"MPDEX_LOCK_DIR": str(tmp_path / "locks")}
    assert (
        run("main.py", "--module", "order", "--coin", "ETH", "--size", "0.02", *at).returncode == 0
    )
    unattended = run("-m", "mpdex", "flatten", *pair, *at, **locks)
    assert unattended.returncode == 2
    assert "--yes" in unattended.stdout + unattended.stderr
    with ExitStack() as stack:
        venues = json.loads(Path(simulator["file"]).read_text())["venues"]
        leg = account_leg(venues[PRIMARY])
        held = Locks(tmp_path / "locks", [leg], owner="a run", clock=SystemClock())
        stack.callback(held.release)
        refused = run("-m", "mpdex", "flatten", *pair, "--yes", *at, **locks)
        assert refused.returncode == 2
        assert "stop that one first" in refused.stdout + refused.stderr
        forced = run("-m", "mpdex", "flatten", *pair, "--yes", "--force", *at, **locks)
    assert forced.returncode == 0, forced.stdout + forced.stderr
    done = json.loads(forced.stdout)
    assert (done["before_primary"], done["after_primary"]) == ("0.02", "0")
    truth = fetch(f"{simulator['control']}/truth")["venues"]
    assert all(p["size"] in ("0", 0) for v in truth.values() for a in v.values()
               for p in a["positions"])  # fmt: skip
    again = run("-m", "mpdex", "flatten", *pair, *at, **locks)
    assert again.returncode == 0
    assert clean_environment()


def account_leg(venue: dict[str, Any]) -> Leg:
    """The leg that a run on this venue would lock."""
    from wrappers.grvt import GrvtExchange

    dex = GrvtExchange(**venue["credentials"], endpoints=venue["endpoints"])
    return Leg(PRIMARY, dex.account_id, "ETH_USDT_Perp")

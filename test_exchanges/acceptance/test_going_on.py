"""Runs after runs on the same accounts and folder: what is refused, gone on with, or closed."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from acceptance.pair import HEDGE, PRIMARY, Pair, key_params, opened

from exchange_factory import create_exchange
from mpdex.lab.process import Files, shut_sockets
from mpdex.utils.journal import Journal, replay
from mpdex.utils.virtual_loop import run_virtual
from strategies.hedge import HedgeResult, Stop
from strategies.lock import Leg, Locks
from strategies.words import Role

D = Decimal
STEM = f"2dex_{PRIMARY}_{HEDGE}_ETH"
QUICK: dict[str, Any] = {"gate": "off", "canary": False, "fill_timeout": 3.0}


def on_stage(play: Callable[[Pair], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with opened() as pair:
            await play(pair)

    run_virtual(main())


async def run(pair: Pair, logs: Path, **changes: Any) -> HedgeResult:
    pair.stop = Stop()
    async with asyncio.timeout(3600):
        return await pair.run(logs, **{**QUICK, **changes})


def held(pair: Pair, venue: str) -> Decimal:
    exchange = pair.world.exchanges[venue]
    return sum((p.size for a in exchange.accounts for p in exchange.positions(a)), D(0))


def trade_by_hand(pair: Pair, venue: str, size: str) -> None:
    exchange = pair.world.exchanges[venue]
    symbol = {PRIMARY: "ETH_USDT_Perp", HEDGE: "ETH_USDC_PERP"}[venue]
    exchange.manual_trade(next(iter(exchange.accounts)), symbol, D(size))


async def until_pair(pair: Pair, logs: Path, **changes: Any) -> HedgeResult:
    """A run that the operator stops while a pair is open."""
    loop = asyncio.get_running_loop()

    def look() -> None:
        if held(pair, PRIMARY) and not pair.exposure:
            pair.stop.ask()
        else:
            loop.call_later(0.05, look)

    loop.call_later(1.0, look)
    return await run(pair, logs, iterations=50, on_exit="neutral", **changes)


async def killed(pair: Pair, logs: Path, at: str = "intent") -> None:
    """A run of its own that is gone at the instant at which its second hedge is written down.

    Args:
        at: or filled.
    """
    world, loop = pair.world, asyncio.get_running_loop()
    hosts = world.server.hosts.values()
    write, died, kept, hedges = Journal.write, loop.create_future(), list[Files](), 0

    def dying(journal: Journal, kind: str, **fields: Any) -> None:
        nonlocal hedges
        write(journal, kind, **fields)
        hedges += kind == at and fields["role"] == "hedge"
        if hedges == 2 and not kept:
            kept.append(Files(logs))
            served = shut_sockets(host.port for host in hosts)
            for host in hosts:
                host.serves = lambda port: port in served
            died.set_result(None)

    dexes = [
        await create_exchange(venue, key_params(world, venue), clock=world.clock)
        for venue in (PRIMARY, HEDGE)
    ]
    own = replace(pair, primary=dexes[0], hedge=dexes[1])
    with patch.object(Journal, "write", dying):
        task = loop.create_task(run(own, logs, iterations=50, force=True))
        await died
        task.cancel()
        await asyncio.wait([task])
        for dex in dexes:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await dex.close()
    kept[0].put_back()
    for host in hosts:
        host.serves = lambda _: True


def headers(logs: Path) -> list[dict[str, Any]]:
    return [x for x in replay(logs / f"{STEM}_events.jsonl") if x["kind"] == "session"]


# --------------------------------------------------------------------------- a pair left open


def test_a_pair_left_open_is_refused_then_gone_on_with(tmp_path: Path) -> None:
    async def play(pair: Pair) -> None:
        first = await until_pair(pair, tmp_path)
        assert first.exit_code == 6
        assert held(pair, PRIMARY) == -held(pair, HEDGE) != 0
        refused = await run(pair, tmp_path, iterations=4)
        assert refused.exit_code == 3
        for way in ("--resume", "--adopt-baseline keep", "--adopt-baseline close"):
            assert way in refused.summary["reason"]
        done = await run(pair, tmp_path, iterations=first.summary["attempts"] + 3, resume=True)
        assert done.exit_code == 0, done.summary
        assert done.summary["attempts"] == first.summary["attempts"] + 3
        assert D(done.summary["volume"]) > D(first.summary["volume"])
        assert held(pair, PRIMARY) == held(pair, HEDGE) == 0
        names = [header["session"] for header in headers(tmp_path)]
        assert len(names) == 2
        assert len(set(names)) == 1

    on_stage(play)


def test_a_pair_left_open_can_be_left_alone(tmp_path: Path) -> None:
    async def play(pair: Pair) -> None:
        await until_pair(pair, tmp_path)
        before = {venue: held(pair, venue) for venue in (PRIMARY, HEDGE)}
        done = await run(pair, tmp_path, iterations=2, adopt_baseline="keep")
        assert done.exit_code == 0, done.summary
        assert {venue: held(pair, venue) for venue in (PRIMARY, HEDGE)} == before
        assert done.summary["attempts"] == 2
        assert headers(tmp_path)[-1]["previous"] == headers(tmp_path)[0]["session"]

    on_stage(play)


@pytest.mark.parametrize("by_hand", [False, True], ids=["by the run", "by hand"])
def test_a_pair_left_open_can_be_closed_first(tmp_path: Path, by_hand: bool) -> None:
    async def play(pair: Pair) -> None:
        await until_pair(pair, tmp_path)
        options = {} if by_hand else {"adopt_baseline": "close"}
        if by_hand:
            for venue in (PRIMARY, HEDGE):
                trade_by_hand(pair, venue, str(-held(pair, venue)))
        done = await run(pair, tmp_path, iterations=2, **options)
        assert done.exit_code == 0, done.summary
        assert held(pair, PRIMARY) == held(pair, HEDGE) == 0

    on_stage(play)


# --------------------------------------------------------------------------- after a crash


@pytest.mark.parametrize("resume", [False, True])
def test_what_a_killed_run_left_is_made_neutral_first(tmp_path: Path, resume: bool) -> None:
    async def play(pair: Pair) -> None:
        await killed(pair, tmp_path)
        assert pair.exposure
        done = await run(pair, tmp_path, iterations=6, resume=resume)
        assert done.exit_code == 0, done.summary
        assert held(pair, PRIMARY) == held(pair, HEDGE) == 0
        assert pair.live_orders() == []
        one, two = headers(tmp_path)
        assert (two["previous"], two["resumed"]) == (one["session"], resume)
        assert (two["session"] == one["session"]) is resume
        written = [x for x in replay(tmp_path / f"{STEM}_events.jsonl") if x["kind"] == "cycle"]
        numbers = [line["cycle"] for line in written]
        assert len(numbers) == len(set(numbers))
        assert sum(line["counts"] for line in written) == (6 if resume else 7)

    on_stage(play)


def test_a_difference_that_our_fills_do_not_explain_is_refused_with_the_ways_out(
    tmp_path: Path,
) -> None:
    async def play(pair: Pair) -> None:
        await killed(pair, tmp_path)
        trade_by_hand(pair, HEDGE, "0.3")
        refused = await run(pair, tmp_path, iterations=4, resume=True)
        assert refused.exit_code == 3, refused.summary
        assert "--adopt-baseline" in refused.summary["reason"]
        assert held(pair, HEDGE) + held(pair, PRIMARY) == D("0.3")  # ours is neutral
        kept = await run(pair, tmp_path, iterations=4, resume=True, adopt_baseline="keep")
        assert kept.exit_code == 0, kept.summary
        assert (held(pair, PRIMARY), held(pair, HEDGE)) == (0, D("0.3"))

    on_stage(play)


def test_a_difference_can_be_closed_first(tmp_path: Path) -> None:
    async def play(pair: Pair) -> None:
        await killed(pair, tmp_path)
        trade_by_hand(pair, HEDGE, "0.3")
        done = await run(pair, tmp_path, iterations=4, resume=True, adopt_baseline="close")
        assert done.exit_code == 0, done.summary
        assert held(pair, PRIMARY) == held(pair, HEDGE) == 0

    on_stage(play)


@pytest.mark.parametrize("twice", [False, True], ids=["once", "and killed again"])
def test_a_hedge_whose_intent_a_power_cut_took_is_not_made_again(
    tmp_path: Path, twice: bool
) -> None:
    async def play(pair: Pair) -> None:
        await killed(pair, tmp_path, "fill")
        assert pair.exposure == 0
        path = tmp_path / f"{STEM}_events.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        wanted = b'"kind":"intent","role":"hedge"'
        hedges = [n for n, line in enumerate(lines) if wanted in line]
        path.write_bytes(b"".join(lines[: hedges[1]]))
        if twice:
            await killed(pair, tmp_path, "fill")
        done = await run(pair, tmp_path, iterations=4 + 4 * twice, resume=True)
        assert done.exit_code == 0, done.summary
        assert held(pair, PRIMARY) == held(pair, HEDGE) == 0
        cycles = {x["client_id"]: x["cycle"] for x in replay(path) if x["kind"] == "intent"}
        sums: Counter[int] = Counter()
        for fill in pair.fills(PRIMARY) + pair.fills(HEDGE):
            signed = fill.size if fill.order.side == "buy" else -fill.size
            sums[cycles[fill.order.client_id]] += signed  # type: ignore[assignment]
        assert set(sums.values()) == {0}, sums
        assert len(pair.fills(HEDGE)) == len(pair.fills(PRIMARY))

    on_stage(play)


def test_a_lost_journal_is_rebuilt_from_the_venues_by_force(tmp_path: Path) -> None:
    async def play(pair: Pair) -> None:
        await killed(pair, tmp_path)
        path = tmp_path / f"{STEM}_events.jsonl"
        path.write_bytes(path.read_bytes().replace(b'"role":"primary"', b'"role":"hedge"', 1))
        refused = await run(pair, tmp_path, iterations=2)
        assert refused.exit_code == 3
        assert "--force" in refused.summary["reason"]
        done = await run(pair, tmp_path, iterations=2, force=True)
        assert done.exit_code == 0, done.summary
        assert held(pair, PRIMARY) == held(pair, HEDGE) == 0
        assert pair.live_orders() == []

    on_stage(play)


def test_three_crashes_in_ten_minutes_are_enough(tmp_path: Path) -> None:
    async def play(pair: Pair) -> None:
        for _ in range(3):
            await killed(pair, tmp_path)
        refused = await run(pair, tmp_path, iterations=1)
        assert refused.exit_code == 3
        assert "--force" in refused.summary["reason"]
        done = await run(pair, tmp_path, iterations=1, force=True)
        assert done.exit_code == 0, done.summary
        assert pair.exposure == 0

    on_stage(play)


def test_after_hours_the_fills_of_others_are_paged_through_and_left_alone(tmp_path: Path) -> None:
    """More foreign fills than a page of history holds, and one of ours before them."""

    async def play(pair: Pair) -> None:
        await killed(pair, tmp_path)
        for number in range(1100):
            trade_by_hand(pair, PRIMARY, "0.01" if number % 2 else "-0.01")
        await asyncio.sleep(600)
        done = await run(pair, tmp_path, iterations=4, resume=True)
        assert done.exit_code == 0, done.summary
        assert held(pair, PRIMARY) == held(pair, HEDGE) == 0

    on_stage(play)


# --------------------------------------------------------------------------- a second one


def test_a_second_run_on_one_leg_is_refused(tmp_path: Path) -> None:
    async def play(pair: Pair) -> None:
        symbol = await pair.hedge.find_symbol("ETH")
        leg = Leg(HEDGE, pair.hedge.account_id, symbol)
        other = Locks(tmp_path / "locks", [leg], owner="other", clock=pair.world.clock)
        refused = await run(pair, tmp_path, locks=tmp_path / "locks")
        assert refused.exit_code == 2
        assert "stop that one first" in refused.summary["reason"]
        assert pair.orders(PRIMARY) == []
        other.release()
        done = await run(pair, tmp_path, iterations=1, locks=tmp_path / "locks")
        assert done.exit_code == 0
        assert [path.read_bytes() for path in (tmp_path / "locks").iterdir()] == [b"", b""]

    on_stage(play)


def test_a_stop_before_the_first_order_ends_at_once(tmp_path: Path) -> None:
    async def play(pair: Pair) -> None:
        pair.stop.ask()
        result = await pair.run(tmp_path, **QUICK)
        assert result.exit_code == 6
        assert pair.orders(PRIMARY) == []
        assert not any(tmp_path.iterdir())  # noqa: ASYNC240

    on_stage(play)


def test_the_header_says_what_runs_where(tmp_path: Path) -> None:
    async def play(pair: Pair) -> None:
        await run(pair, tmp_path, iterations=1)

    on_stage(play)
    (header,) = headers(tmp_path)
    assert header["v"] == 1
    roles: tuple[Role, Role] = ("primary", "hedge")
    for role, venue, symbol in zip(
        roles, (PRIMARY, HEDGE), ("ETH_USDT_Perp", "ETH_USDC_PERP"), strict=True
    ):
        assert header["where"][role].split("/")[::2] == [venue, symbol]
    assert header["where"]["mode"] == "sim"
    assert json.dumps(header["baseline"]) == '{"primary": "0", "hedge": "0"}'

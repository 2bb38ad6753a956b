"""The oracle finds each of the ten things that must not happen, and nothing in a good course."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from lab.bench import Bench, on_bench

Play = Callable[[Bench], Any]


def hedged_cycle(bench: Bench, size: str = "0.1") -> None:
    """A quote fills and is hedged, and everything is written down."""
    quote = bench.place("P", "maker", "buy", size)
    bench.fill(quote, size)
    bench.hear("P", quote)
    hedge = bench.place("H", "hedge", "sell", size)
    bench.hear("H", hedge)


def test_a_good_course_is_not_objected_to(tmp_path: Path) -> None:
    def play(bench: Bench) -> None:
        bench.phase("starting", "running")
        hedged_cycle(bench)
        quote = bench.place("P", "maker", "sell", "0.1")
        bench.fill(quote, "0.05")
        bench.hear("P", quote)
        bench.place("H", "hedge", "buy", "0.05")
        bench.cancel(quote)
        quote = bench.place("P", "maker", "sell", "0.05")
        bench.fill(quote, "0.05")
        bench.place("H", "hedge", "buy", "0.05")
        bench.book("P")
        bench.book("H")
        true = {leg: sum(f.price * f.size for f in bench.truth[leg].fills) for leg in ("P", "H")}
        bench.end(volume_primary=str(true["P"]), volume_hedge=str(true["H"]))

    assert on_bench(tmp_path, play) == []


def too_much_at_once(bench: Bench) -> None:
    bench.fill(bench.place("P", "maker", "buy", "0.12"), "0.12")


def a_quote_on_top_of_exposure(bench: Bench) -> None:
    quote = bench.place("P", "maker", "buy", "0.1")
    bench.fill(quote, "0.1")
    bench.place("P", "maker", "buy", "0.1")


def two_quotes(bench: Bench) -> None:
    bench.place("P", "maker", "buy", "0.05")
    bench.place("P", "maker", "sell", "0.05")


def hedged_twice(bench: Bench) -> None:
    hedged_cycle(bench)
    bench.place("H", "hedge", "sell", "0.1")


def hedged_by_more_than_a_lot_too_much(bench: Bench) -> None:
    bench.fill(bench.place("P", "maker", "buy", "0.1"), "0.1")
    bench.place("H", "hedge", "sell", "0.102")


def never_meant(bench: Bench) -> None:
    bench.place("P", "maker", "buy", "0.05", intent=False)


def quoting_while_paused(bench: Bench) -> None:
    bench.phase("running", "paused")

    def later() -> None:
        bench.place("P", "maker", "buy", "0.05")

    asyncio.get_running_loop().call_later(1.0, later)


def quoting_while_it_owes(bench: Bench) -> None:
    quote = bench.place("P", "maker", "buy", "0.04")
    bench.fill(quote, "0.04")
    bench.hear("P", quote)
    bench.place("P", "maker", "buy", "0.04")


def quoting_without_a_stream(bench: Bench) -> None:
    bench.away["H"] = 1.0
    bench.place("P", "maker", "buy", "0.05")


@pytest.mark.parametrize(
    ("play", "found"),
    [
        (too_much_at_once, ["O1"]),
        (a_quote_on_top_of_exposure, ["O1"]),
        (two_quotes, ["O3"]),
        (hedged_twice, ["O4"]),
        (hedged_by_more_than_a_lot_too_much, ["O4"]),
        (never_meant, ["O6"]),
        (quoting_while_it_owes, ["O7"]),
        (quoting_without_a_stream, ["O7"]),
    ],
)
def test_a_misdeed_is_found_when_it_happens(tmp_path: Path, play: Play, found: list[str]) -> None:
    assert on_bench(tmp_path, play) == found


def test_a_quote_in_the_wrong_phase_is_found(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        quoting_while_paused(bench)
        await asyncio.sleep(2.0)

    assert on_bench(tmp_path, play) == ["O7"]


def test_a_phase_noted_in_the_turn_of_the_quote_counts(tmp_path: Path) -> None:
    def play(bench: Bench) -> None:
        bench.write("intent", role="primary", purpose="maker", client_id="c1", side="buy", size="1")
        bench.phase("paused", "running")
        bench.place("P", "maker", "buy", "0.05", intent=False)

    assert on_bench(tmp_path, play) == []


def test_a_contradicting_venue_is_allowed_twice_the_size_and_no_more(tmp_path: Path) -> None:
    def play(bench: Bench) -> None:
        bench.fill(bench.place("P", "maker", "buy", "0.2"), "0.2")

    def more(bench: Bench) -> None:
        play(bench)
        bench.fill(bench.place("P", "maker", "buy", "0.02"), "0.02")

    tags = frozenset({"contradiction"})
    assert on_bench(tmp_path / "a", play, tags=tags) == []
    assert "O1" in on_bench(tmp_path / "b", more, tags=tags)


# --------------------------------------------------------------------------- O2


async def exposed(bench: Bench, seconds: float = 40.0) -> None:
    bench.fill(bench.place("P", "maker", "buy", "0.1"), "0.1")
    await asyncio.sleep(seconds)


def test_exposure_that_stays_is_found(tmp_path: Path) -> None:
    assert on_bench(tmp_path, exposed) == ["O2"]


def test_exposure_is_not_judged_while_a_fault_acts(tmp_path: Path) -> None:
    assert on_bench(tmp_path, exposed, quiet_at=15.0) == []
    assert on_bench(tmp_path / "longer", lambda b: exposed(b, 50.0), quiet_at=15.0) == ["O2"]


def test_exposure_ends_with_its_hedge(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        await exposed(bench, 25.0)
        bench.place("H", "hedge", "sell", "0.1")
        await asyncio.sleep(20.0)

    assert on_bench(tmp_path, play) == []


def halted(bench: Bench, *, page: bool) -> None:
    bench.phase("running", "halted exposed")
    bench.write("alarm", topic="exposed", text="look", page=page)


def test_halted_exposed_needs_a_page_and_further_attempts(tmp_path: Path) -> None:
    async def play(bench: Bench, *, page: bool, tries: bool) -> None:
        halted(bench, page=page)
        bench.fill(bench.place("P", "maker", "buy", "0.1", intent=False), "0.1")
        for _ in range(60):
            await asyncio.sleep(1.0)
            bench.asked += tries

    def ids(name: str, **how: bool) -> list[str]:
        found = on_bench(tmp_path / name, lambda bench: play(bench, **how))
        return [one for one in found if one == "O2"]

    assert ids("loud", page=True, tries=True) == []
    assert ids("silent", page=False, tries=True) == ["O2"]
    assert ids("idle", page=True, tries=False) == ["O2"]


def test_a_process_that_is_down_is_not_judged_until_it_is_back(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        bench.alive = False
        await exposed(bench, 100.0)
        assert bench.found == []
        bench.alive = True
        await asyncio.sleep(40.0)

    assert on_bench(tmp_path, play) == ["O2"]


# --------------------------------------------------------------------------- at the end


def lost_a_fill(bench: Bench) -> None:
    hedged_cycle(bench)
    bench.book("P")


def booked_the_wrong_side(bench: Bench) -> None:
    hedged_cycle(bench)
    bench.book("P")
    bench.book("H", side="buy")


def forgot_a_fee(bench: Bench) -> None:
    hedged_cycle(bench)
    bench.book("P")
    bench.book("H", fee=D(0))


@pytest.mark.parametrize("play", [lost_a_fill, booked_the_wrong_side, forgot_a_fee])
def test_a_ledger_that_is_not_the_truth_is_found(tmp_path: Path, play: Play) -> None:
    def ended(bench: Bench) -> None:
        play(bench)
        bench.end()

    assert on_bench(tmp_path, ended) == ["O5"]


def test_a_fee_that_was_never_told_is_no_lie(tmp_path: Path) -> None:
    def play(bench: Bench) -> None:
        hedged_cycle(bench)
        bench.book("P", fee=None)
        bench.book("H")
        bench.end()

    assert on_bench(tmp_path, play) == []


@pytest.mark.parametrize("code", [0, 4, 6])
def test_a_clean_end_leaves_nothing(tmp_path: Path, code: int) -> None:
    def order_left(bench: Bench) -> None:
        bench.place("P", "maker", "buy", "0.05")
        bench.end(code)

    def exposure_left(bench: Bench) -> None:
        bench.fill(bench.place("P", "maker", "buy", "0.05"), "0.05")
        bench.book("P")
        bench.end(code)

    assert on_bench(tmp_path / "order", order_left) == ["O8"]
    assert on_bench(tmp_path / "exposure", exposure_left) == ["O2"]


def test_a_report_that_is_not_the_truth_is_found(tmp_path: Path) -> None:
    def play(bench: Bench) -> None:
        hedged_cycle(bench)
        bench.book("P")
        bench.book("H")
        bench.end(volume_primary="299.9", volume_hedge="1000")

    assert on_bench(tmp_path, play) == ["O8"]


def test_what_a_killed_or_exposed_bot_leaves_is_not_called_clean(tmp_path: Path) -> None:
    def play(bench: Bench) -> None:
        bench.fill(bench.place("P", "maker", "buy", "0.05"), "0.05")
        bench.end(5)

    assert on_bench(tmp_path, play) == []


def test_what_somebody_else_does_is_not_ours(tmp_path: Path) -> None:
    def play(bench: Bench) -> None:
        stranger = bench.place("P", "maker", "buy", "0.05", intent=False)
        bench.oracle.foreign.add(stranger.order_id)
        bench.truth["P"].exchange.manual_trade("a", "ETH", D("0.1"))
        bench.end()

    def known(bench: Bench) -> None:
        bench.oracle.foreign.add("77")
        order = bench.truth["P"].exchange
        from mpdex.sim.exchange import SimOrder

        order.place(
            SimOrder(account="a", symbol="ETH", side="buy", size=D("0.05"), price=D(2999),
                     order_id="77", client_id="mine")
        )  # fmt: skip
        order.manual_trade("a", "ETH", D("0.1"))
        bench.end()

    tags = frozenset({"external"})
    assert on_bench(tmp_path / "unknown", play, tags=tags) == ["O6"]
    assert on_bench(tmp_path / "known", known, tags=tags) == []


def test_a_failing_disk_excuses_what_makes_neutral_and_no_quote(tmp_path: Path) -> None:
    def hedge(bench: Bench) -> None:
        bench.fill(bench.place("P", "maker", "buy", "0.05"), "0.05")
        bench.place("H", "hedge", "sell", "0.05", intent=False)

    assert on_bench(tmp_path / "hedge", hedge, disk_fails=True) == []
    assert on_bench(tmp_path / "quote", never_meant, disk_fails=True) == ["O6"]


# --------------------------------------------------------------------------- O9, O10


def test_requests_over_a_limit_are_found_unless_they_were_injected(tmp_path: Path) -> None:
    assert on_bench(tmp_path / "a", lambda b: b.oracle.judge_requests(1, False)) == ["O9"]
    assert on_bench(tmp_path / "b", lambda b: b.oracle.judge_requests(1, True)) == []
    assert on_bench(tmp_path / "c", lambda b: b.oracle.judge_requests(0, False)) == []


def test_a_secret_in_any_text_is_found_and_not_repeated(tmp_path: Path) -> None:
    def play(bench: Bench) -> None:
        texts = [("log.txt", "order sent"), ("trades.csv", "x,hush-hush,y")]
        bench.oracle.judge_secrets(texts, ["hush-hush", ""])
        assert "hush" not in str(bench.oracle.violations[0])
        assert "trades.csv" in str(bench.oracle.violations[0])

    assert on_bench(tmp_path, play) == ["O10"]

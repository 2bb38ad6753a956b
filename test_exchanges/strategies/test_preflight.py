"""The checks before a run, on two venues in memory: each failure by its sentence, all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.errors import AuthError, TransportError, Unsupported, VenueError
from mpdex.types import Collateral, Position, VenueSpec
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import run_virtual
from strategies.checks import Reading, liquidation_distance
from strategies.config import HedgeConfig
from strategies.ledger import Ledger
from strategies.preflight import Inspection, Refused, examine, inspect
from strategies.restart import Past
from strategies.setup import Setup
from strategies.words import ROLES, AccountRead, ClockRead, FundingRead
from test_exchanges.strategies.fake_dex import FakeDex, market

D = Decimal
EPOCH = 1_767_225_600 * 10**9
Arrange = Callable[[FakeDex, FakeDex], None]


def on_stage(arrange: Arrange, folder: Path, options: dict[str, Any], act: Any) -> Any:
    """Two venues whose books beat, and something done with them in time that jumps."""
    options = {"size": D("0.5"), "logs": folder, **options}
    config = HedgeConfig(primary="p", hedge="h", ticker="ETH", **options)

    async def main() -> Any:
        clock = LoopClock(asyncio.get_running_loop(), EPOCH)
        here = FakeDex("p", clock)
        there = FakeDex("h", clock, "rest", market(step=D("0.0001"), min_size=D("0.0001")))
        arrange(here, there)
        here.beat()
        there.beat()
        return await act(config, {"primary": here, "hedge": there}, clock)

    return run_virtual(main())


def nothing(here: FakeDex, there: FakeDex) -> None:
    """As it should be."""


def look(folder: Path, arrange: Arrange = nothing, **options: Any) -> Inspection:
    seen = on_stage(arrange, folder, options, inspect)
    assert isinstance(seen, Inspection)
    return seen


def begin(
    folder: Path, arrange: Arrange = nothing, past: Past | None = None, **options: Any
) -> Setup:
    async def act(config: HedgeConfig, venues: Any, clock: LoopClock) -> Setup:
        return await examine(config, venues, clock, past)

    setup = on_stage(arrange, folder, options, act)
    assert isinstance(setup, Setup)
    return setup


def levels(seen: Inspection) -> dict[tuple[str, str], str]:
    return {(finding.check, finding.where): finding.level for finding in seen.found}


# --------------------------------------------------------------------------- the good case


def test_every_check_is_made_and_told(tmp_path: Path) -> None:
    seen = look(tmp_path)
    assert seen.found.problems == []
    assert seen.found.warnings == []
    pair = {"order book", "order types", "size", "asset", "positions", "cost", "disk"}
    each = {"market", "streams", "signing", "clock", "leverage", "margin", "value", "book"}
    assert set(levels(seen)) == {(c, "") for c in pair} | {(c, r) for c in each for r in ROLES}


def test_what_is_read_once_need_not_be_asked_again(tmp_path: Path) -> None:
    def arrange(here: FakeDex, there: FakeDex) -> None:
        there.skew_ms, here.funding, here.funding_due_ms = 120.0, D("0.0003"), 1_767_230_000_000

    setup = begin(tmp_path, arrange)
    assert ClockRead("hedge", 120.0) in setup.readings
    assert FundingRead("primary", D("0.0003"), 1_767_230_000_000) in setup.readings
    assert AccountRead("primary", D(100_000), D(100_000), D(10)) in setup.readings
    fees = setup.fees["hedge"]
    assert fees is not None
    assert (fees["taker"], fees["assumed"]) == (D("0.0005"), False)


def test_each_question_is_asked_once(tmp_path: Path) -> None:
    def act(config: HedgeConfig, venues: Any, clock: LoopClock) -> Any:
        async def run() -> Any:
            await inspect(config, venues, clock)
            return [venues[role].rest_counts for role in ROLES]

        return run()

    for counts in on_stage(nothing, tmp_path, {}, act):
        assert set(counts.values()) == {1}
        assert counts.total() == 7


def test_the_cost_of_a_cycle_and_its_break_even(tmp_path: Path) -> None:
    ahead = look(tmp_path).outlook
    assert ahead is not None
    assert (ahead.maker_fee, ahead.taker_fee, ahead.assumed) == (D(-1), D(5), ())
    assert ahead.earned == ahead.crossed  # both books are alike
    assert ahead.cost == D("4.2")
    assert ahead.break_even == D("-5.2")


def test_a_cost_above_what_is_allowed_is_a_warning(tmp_path: Path) -> None:
    seen = look(tmp_path, max_cost_bps=D(2))
    assert seen.found.problems == []
    assert "nothing would be quoted" in seen.found.warnings[0]
    assert look(tmp_path, max_cost_bps=D(2), gate="off").found.warnings == []


# --------------------------------------------------------------------------- one thing wrong


def sized(**facts: Any) -> Arrange:
    def arrange(here: FakeDex, there: FakeDex) -> None:
        there.market = market(**facts)

    return arrange


def venue(**facts: Any) -> Arrange:
    """Facts of the hedge venue."""

    def arrange(here: FakeDex, there: FakeDex) -> None:
        for name, value in facts.items():
            setattr(there, name, value)

    return arrange


def spec(**facts: Any) -> Arrange:
    def arrange(here: FakeDex, there: FakeDex) -> None:
        there.SPEC = replace(there.SPEC, **facts)

    return arrange


def priced(bid: str, ask: str) -> Arrange:
    return lambda here, there: there.quote(bid, ask)


def brands_of_one_book(here: FakeDex, there: FakeDex) -> None:
    here.SPEC = replace(here.SPEC, order_book="deep")
    there.SPEC = replace(there.SPEC, order_book="deep")


WRONG: list[tuple[str, Arrange, dict[str, Any], str]] = [
    ("PS-01 no such market", nothing, {"hedge_symbol": "ETH-USD"}, "nearest: ETH-PERP"),
    ("PS-03 another asset", priced("5990", "6000"), {}, "not the same asset"),
    ("PS-02 a thousand of them", priced("2.000", "2.001"), {}, "not the same asset"),
    ("PS-05 lots without a rest", sized(step=D("0.004")), {"size": D("0.01")}, "use 0.02"),
    ("PS-05 nearest sizes", sized(step=D("0.004")), {"size": D("0.05")}, "use 0.04 or 0.06"),
    ("PS-04 below the value", sized(min_notional=D(2000)), {}, "use 1.02 or more"),
    ("above the largest", sized(max_size=D("0.1")), {}, "above the hedge maximum of 0.1"),
    ("market closed", sized(active=False), {}, "does not trade now"),
    ("AC-16 one order book", brands_of_one_book, {}, "trade on one order book, deep"),
    ("no IOC", spec(supports=frozenset({"post_only"})), {}, "no immediate orders"),
    ("AU-08 signer", venue(unsignable="sell"), {}, "a sell order cannot be signed"),
    ("AU-04 clock", venue(skew_ms=-2500.0), {}, "clock -2500 ms from here; set this machine"),
    ("AC-11 hedge mode", venue(position_mode="hedge"), {}, "switch it to one-way"),
    ("AC-10 leverage", venue(stubborn=True), {"leverage": D(5)}, "leverage is 10, not 5"),
    ("margin", venue(free=D(150)), {}, "150.00 USD free, 2 clips need 200.00"),
    ("AC-12 position", venue(position=D("0.3")), {}, "hedge already holds 0.3"),
    ("AU-07 unreachable", venue(can_read=False), {}, "cannot be reached; check the network"),
]


@pytest.mark.parametrize(
    ("arrange", "options", "sentence"),
    [case[1:] for case in WRONG],
    ids=[case[0].replace(" ", "-") for case in WRONG],
)
def test_one_thing_wrong(
    tmp_path: Path, arrange: Arrange, options: dict[str, Any], sentence: str
) -> None:
    seen = look(tmp_path, arrange, **options)
    (problem,) = seen.found.problems
    assert sentence in problem


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    def arrange(here: FakeDex, there: FakeDex) -> None:
        here.unsignable, here.skew_ms = "buy", 9000.0
        there.free, there.position = D(1), D("-0.2")

    with pytest.raises(Refused) as refused:
        begin(tmp_path, arrange, size=D("0.505"), hedge_symbol=None)
    text = str(refused.value)
    words = ("cannot be signed", "+9000 ms", "clips need", "already holds -0.2", "multiple of")
    assert all(word in text for word in words), text
    assert len(refused.value.problems) == len(words)


def test_a_wrong_symbol_sends_nothing_anywhere(tmp_path: Path) -> None:
    """Acceptance 5: the incident, as far as a list of markets can tell."""
    venues: dict[str, FakeDex] = {}

    def keep(here: FakeDex, there: FakeDex) -> None:
        venues.update(here=here, there=there)

    with pytest.raises(Refused, match="no market"):
        begin(tmp_path, keep, hedge_symbol="ETH-USD")
    assert venues["here"].sent == []
    assert venues["there"].sent == []


def test_a_small_skew_is_a_warning_and_reaches_the_gates(tmp_path: Path) -> None:
    seen = look(tmp_path, venue(skew_ms=700.0))
    assert seen.found.problems == []
    assert "no quotes until" in seen.found.warnings[0]
    assert ClockRead("hedge", 700.0) in begin(tmp_path, venue(skew_ms=700.0)).readings


def test_the_leverage_that_is_wanted_is_set_and_read_back(tmp_path: Path) -> None:
    seen = look(tmp_path, leverage=D(5))
    assert seen.found.problems == []
    assert all(reading.reach == D(5) for reading in seen.readings.values())


def test_leverage_that_is_not_told_is_a_warning(tmp_path: Path) -> None:
    seen = look(tmp_path, venue(leverage=None))
    assert seen.found.warnings == ["hedge: leverage is not told"]


def test_paper_needs_no_margin(tmp_path: Path) -> None:
    seen = look(tmp_path, venue(free=D(0)), mode="dry")
    assert seen.found.problems == []
    assert "enough for paper only" in seen.found.warnings[0]


def test_kept_positions_must_be_far_from_liquidation(tmp_path: Path) -> None:
    held = {"position": D("0.5"), "liquidation": D(1900)}
    problems = look(tmp_path, venue(**held), adopt_baseline="keep").found.problems
    assert problems == ["hedge: ETH-PERP would be liquidated 5.0% from here; deposit, or reduce it"]
    held["liquidation"] = D(1500)
    assert look(tmp_path, venue(**held), adopt_baseline="keep").found.problems == []


def test_a_login_that_ends_soon_and_cannot_be_renewed(tmp_path: Path) -> None:
    """AU-05."""
    soon = EPOCH // 10**6 + 300_000

    def arrange(here: FakeDex, there: FakeDex) -> None:
        there.SPEC, there.session_expires_ms = replace(there.SPEC, fragile=True), soon

    (problem,) = look(tmp_path, arrange).found.problems
    assert "log in anew" in problem
    assert look(tmp_path, venue(session_expires_ms=soon)).found.problems == []


def test_a_disk_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    (problem,) = look(tmp_path / "file" / "logs").found.problems
    assert "cannot be written; name another folder with --logs" in problem


# --------------------------------------------------------------------------- what does not answer


def answers(error: Exception) -> Any:
    async def refuse(*args: object) -> Any:
        raise error

    return refuse


def test_refused_keys_are_told_once_and_not_tried_again(tmp_path: Path) -> None:
    seen = look(tmp_path, venue(get_positions=answers(AuthError("bad key", venue="h"))))
    (problem,) = seen.found.problems
    assert problem == "hedge: h: bad key; check its keys"


def test_what_only_warns_may_be_missing(tmp_path: Path) -> None:
    def arrange(here: FakeDex, there: FakeDex) -> None:
        there.get_clock_skew = answers(Unsupported("no clock"))  # type: ignore[method-assign]
        there.get_fees = answers(VenueError("not today"))  # type: ignore[method-assign]

    seen = look(tmp_path, arrange)
    assert seen.found.problems == []
    assert seen.found.warnings == ["hedge: not told: no clock", "hedge: not told: not today"]
    assert seen.outlook is not None
    assert seen.outlook.assumed == ("hedge",)


def test_a_margin_nobody_tells_is_no_margin(tmp_path: Path) -> None:
    seen = look(tmp_path, venue(get_collateral=answers(VenueError("not today"))))
    assert seen.found.problems == ["hedge: not today"]


def test_a_stream_that_cannot_be_started(tmp_path: Path) -> None:
    seen = look(tmp_path, venue(start_streams=answers(TransportError("no socket"))))
    assert seen.found.problems == ["hedge: no socket"]


# --------------------------------------------------------------------------- books


def timed(folder: Path, arrange: Arrange, **options: Any) -> tuple[float, Inspection]:
    async def act(config: HedgeConfig, venues: Any, clock: LoopClock) -> tuple[float, Inspection]:
        seen = await inspect(config, venues, clock)
        return clock.monotonic() - seen.started, seen

    result: tuple[float, Inspection] = on_stage(arrange, folder, options, act)
    return result


def test_books_must_be_good_for_five_seconds(tmp_path: Path) -> None:
    seconds, seen = timed(tmp_path, nothing)
    assert seen.found.problems == []
    assert 5.0 < seconds < 6.0


def test_a_break_begins_the_time_anew(tmp_path: Path) -> None:
    def arrange(here: FakeDex, there: FakeDex) -> None:
        asyncio.get_running_loop().call_later(3.0, there.drop)

    seconds, seen = timed(tmp_path, arrange)
    assert seen.found.problems == []
    assert 8.0 <= seconds < 9.0


def test_a_crossed_book_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    seconds, seen = timed(tmp_path, priced("2000.10", "2000.00"))
    assert "hedge: its book was not good for long enough; try again later" in seen.found.problems
    assert 20.0 < seconds < 22.0


# --------------------------------------------------------------------------- after a crash


def crashed(held: Decimal) -> Past:
    """A run that was killed between a fill and its hedge."""
    ledger = Ledger()
    ledger.accounts["primary"].position = held
    return Past(session="before", ledger=ledger, last_ms=EPOCH // 10**6, started_ms=EPOCH // 10**6)


def test_what_speaks_against_opening_does_not_keep_exposure_from_being_closed(
    tmp_path: Path,
) -> None:
    def arrange(here: FakeDex, there: FakeDex) -> None:
        here.position, there.free, there.skew_ms = D("0.5"), D(0), 5000.0

    with pytest.raises(Refused):
        begin(tmp_path, arrange)
    setup = begin(tmp_path, arrange, crashed(D("0.5")))
    assert len(setup.objections) == 2
    assert set(setup.objections) <= {*setup.notes}


def test_but_keys_that_cannot_sign_do(tmp_path: Path) -> None:
    def arrange(here: FakeDex, there: FakeDex) -> None:
        here.position, there.unsignable = D("0.5"), "sell"

    with pytest.raises(Refused, match="cannot be signed"):
        begin(tmp_path, arrange, crashed(D("0.5")))


# --------------------------------------------------------------------------- distances


def held_at(price: str, size: str = "1", liquidation: str | None = None) -> Position:
    return Position(
        symbol="ETH-PERP",
        side="long",
        size=D(size),
        entry_price=D(price),
        mark_price=None,
        unrealized_pnl=None,
        liquidation_price=None if liquidation is None else D(liquidation),
        leverage=None,
        raw=None,
    )


@pytest.mark.parametrize(
    ("position", "equity", "distance"),
    [
        (held_at("2000", liquidation="1800"), None, D("0.1")),
        (held_at("2000"), D(1000), D("0.45")),  # less half the initial margin at 10x
        (held_at("2000", liquidation="0"), D(1000), D("0.45")),  # a placeholder is no price
        (held_at("2000"), None, None),
    ],
)
def test_where_the_venue_does_not_tell_equity_bounds_the_distance(
    position: Position, equity: Decimal | None, distance: Decimal | None
) -> None:
    """AC-08."""
    reading = Reading("hedge", VenueSpec(name="h", endpoints={}, credentials=()))
    reading.positions, reading.market = [position], market(max_leverage=D(10))
    if equity is not None:
        reading.collateral = Collateral(
            total=equity, available=equity, unrealized_pnl=None, currency="USD", raw=None
        )
    assert liquidation_distance(position, reading) == distance

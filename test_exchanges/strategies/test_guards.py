"""Each gate closes for its own reason, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from strategies.basis import Basis
from strategies.books import Books
from strategies.config import HedgeConfig
from strategies.costs import Costs
from strategies.guards import (
    BASICS,
    GATES,
    Facts,
    book_trouble,
    budget_of,
    closing_bps,
    first_reason,
    holding_bps,
    reduce_reason,
    session_over_limit,
)
from strategies.latency import Latencies
from strategies.ledger import Ledger
from strategies.limits import Limits
from strategies.markout import Markouts
from strategies.words import ROLES, AccountRead, BookTick, FundingRead, Role
from test_exchanges.strategies.fake_dex import market

D = Decimal
NOW, NOW_MS = 100.0, 1_000_000
LIMITS = Limits()
HOUR = 3_600_000
SOON = NOW_MS + 299_000
Change = Callable[[Facts], None]


def book(role: Role, bid: str, ask: str, **changes: Any) -> BookTick:
    facts: dict[str, Any] = {
        "bids": ((D(bid), D(50)),),
        "asks": ((D(ask), D(50)),),
        "at": NOW,
        "buy": D(ask),
        "sell": D(bid),
        "buy_depth": D(50),
        "sell_depth": D(50),
    }
    return BookTick(role, **{**facts, **changes})


def well(**options: Any) -> Facts:
    """A market in which nothing speaks against a quote."""
    config = HedgeConfig(**{"primary": "p", "hedge": "h", "ticker": "X", "size": D(1), **options})
    basis = Basis(LIMITS)
    for number in range(80):
        basis.learn(D(2000), D(2000), number / 4)
    facts = Facts(
        config=config,
        markets={role: market() for role in ROLES},
        now=NOW,
        now_ms=NOW_MS,
        ticks={},
        live=dict.fromkeys(ROLES, True),
        mids={role: (D(2000), NOW) for role in ROLES},
        ledger=Ledger(),
        books=Books(LIMITS, basis),
        costs=Costs.of(config, {}),
        markouts=Markouts(LIMITS),
        latencies=Latencies(LIMITS),
        accounts={},
        account_age={},
        skew_ms={},
        funding={},
        side="buy",
        opening=True,
        closing_for=None,
        cycles=0,
        cycles_left=10,
        requotes=0,
    )
    for role in ROLES:
        show(facts, book(role, "1999.9", "2000.1"))
    return facts


def show(facts: Facts, tick: BookTick) -> None:
    facts.books.see(tick)
    facts.ticks = {**facts.ticks, tick.role: tick}


def hold(facts: Facts, size: str) -> None:
    facts.ledger.accounts["primary"].position = D(size)
    facts.ledger.accounts["hedge"].position = -D(size)


# --------------------------------------------------------------------------- changes


def stream_down(facts: Facts) -> None:
    facts.live = {"primary": True, "hedge": False}


def side_empty(facts: Facts) -> None:
    show(facts, book("primary", "1999.9", "2000.1", asks=()))


def book_old(facts: Facts) -> None:
    show(facts, book("hedge", "1999.9", "2000.1", at=NOW - 2.1))


def crossed_for(seconds: float) -> Change:
    def change(facts: Facts) -> None:
        show(facts, book("hedge", "2000.2", "2000.1", at=NOW - seconds))
        show(facts, book("hedge", "2000.2", "2000.1"))

    return change


def leap(facts: Facts) -> None:
    facts.books.see(book("hedge", "2100", "2100.2"))


def frozen(facts: Facts) -> None:
    show(facts, book("primary", "1999.9", "2000.1", at=NOW - 1.1))
    show(facts, book("hedge", "2001.1", "2001.3"))


def no_clip(facts: Facts) -> None:
    show(facts, book("hedge", "1999.9", "2000.1", buy=None))


def depth(coins: str) -> Change:
    def change(facts: Facts) -> None:
        show(facts, book("hedge", "1999.9", "2000.1", sell_depth=D(coins)))

    return change


def spread(half: str) -> Change:
    def change(facts: Facts) -> None:
        show(facts, book("primary", str(2000 - D(half)), str(2000 + D(half))))

    return change


def other_asset(facts: Facts) -> None:
    facts.ticks = {**facts.ticks, "hedge": book("hedge", "2200", "2200.2")}


def basis_new(facts: Facts) -> None:
    facts.books.basis = Basis(LIMITS)


def basis_leaps(facts: Facts) -> None:
    show(facts, book("hedge", "1999", "1999.2"))


def paused(part: str, until: float) -> Change:
    def change(facts: Facts) -> None:
        getattr(facts, part).paused_until = until

    return change


def skew(ms: float) -> Change:
    def change(facts: Facts) -> None:
        facts.skew_ms = {"hedge": ms}

    return change


def unread(seconds: float) -> Change:
    def change(facts: Facts) -> None:
        account()(facts)
        facts.account_age = {"hedge": seconds}

    return change


def account(role: Role = "hedge", **changes: Any) -> Change:
    known: dict[str, Any] = {"free": D(100_000), "equity": D(100_000), "leverage": D(10), **changes}

    def change(facts: Facts) -> None:
        facts.accounts = {**facts.accounts, role: AccountRead(role, **known)}

    return change


def held(*changes: Change, size: str = "1") -> Change:
    def change(facts: Facts) -> None:
        hold(facts, size)
        for part in changes:
            part(facts)

    return change


def closing(*changes: Change) -> Change:
    def change(facts: Facts) -> None:
        held(*changes)(facts)
        facts.opening, facts.side = False, "sell"

    return change


def funding(rate: str, due_ms: int | None) -> Change:
    def change(facts: Facts) -> None:
        facts.funding = {"primary": FundingRead("primary", D(rate), due_ms)}

    return change


def login(seconds: float) -> Change:
    def change(facts: Facts) -> None:
        facts.logins = {"hedge": NOW + seconds}

    return change


def late(facts: Facts) -> None:
    """It has just come, and was three seconds on the way."""
    show(facts, book("hedge", "1999.9", "2000.1", lag=3.0))


LIQUIDATION: dict[str, Any] = {"liquidation": D(1840)}

SHUT: dict[str, tuple[Change, str]] = {
    "stream down": (stream_down, "streams of hedge are down"),
    "one side empty": (side_empty, "primary book has an empty side"),
    "old": (book_old, "hedge book is older than 2 s"),
    "crossed": (crossed_for(0.3), "hedge book is crossed"),
    "leapt": (leap, "hedge price leapt"),
    "frozen": (frozen, "primary book is silent while the hedge moved 6.0 bps"),
    "no clip": (no_clip, "too thin for the clip"),
    "thin": (depth("1.9"), "more than 50% of the hedge's depth"),
    "wide": (spread("3.1"), "primary spread is 31.0 bps"),
    "other asset": (other_asset, "mids are too far apart"),
    "basis new": (basis_new, "the basis is not known yet"),
    "basis leaps": (basis_leaps, "the basis is 4.5 bps, usually 0.0"),
    "slow hedges": (paused("latencies", NOW + 1), "hedges are slow"),
    "dear hedges": (paused("costs", NOW + 1), "hedges lose far more than usual"),
    "toxic": (paused("markouts", NOW + 1), "prices run away after our fills"),
    "skew": (skew(501.0), "the clock of hedge is 501 ms off"),
    "skew back": (skew(-501.0), "the clock of hedge is -501 ms off"),
    "quota": (account(requests_left=199), "hedge: 199 requests are left, 200 are needed"),
    "login": (login(599.0), "the login on hedge ends in 599 s"),
    "late": (late, "hedge book is older than 2 s"),
    "margin": (account(free=D(399)), "hedge has 399.00 of free margin, 2 clips need 400.00"),
    "margin untold for long": (
        unread(201.0),
        "the margin of hedge has not been told for 201 s",
    ),
    "margin untold": (account(free=None, equity=None), "hedge does not tell its free margin"),
    "margin by equity": (held(account(free=None, equity=D(500))), "hedge has 300.00 of free"),
    "liquidation": (held(account(liquidation=D(1841))), "hedge would be liquidated 8.0%"),
    "liquidation by equity": (held(account(equity=D(200))), "hedge would be liquidated 5.0%"),
    "liquidation untold": (held(account(equity=None)), "does not tell how far liquidation is"),
    "funding soon": (funding("0.000101", SOON), "funding of 1.0 bps is due"),
    "funding dear": (funding("0.0013", NOW_MS + HOUR), "funding of 13.0 bps is due"),
}

OPEN: dict[str, Change] = {
    "nothing": lambda facts: None,
    "crossed for a moment": crossed_for(0.2),
    "just deep enough": depth("2"),
    "depth not looked at": lambda facts: show(
        facts, book("hedge", "1999.9", "2000.1", buy_depth=None, sell_depth=None)
    ),
    "just narrow enough": spread("2.99"),
    "pauses over": paused("latencies", NOW),
    "skew bearable": skew(500.0),
    "margin enough": account(free=D(401)),
    "no position, no liquidation": account(equity=None),
    "liquidation far": held(account(**LIQUIDATION)),
    "closing with no margin": closing(account(free=D(-5))),
    "closing near liquidation": closing(account(liquidation=D(1990))),
    "closing before funding": closing(funding("0.005", SOON)),
    "funding received": funding("-0.005", SOON),
    "funding later": funding("0.0005", SOON + 2000),
    "funding without a time": funding("0.05", None),
    "quota enough": account(requests_left=200),
    "login long enough": login(600.0),
    "closing before the login ends": closing(login(10.0)),
}


@pytest.mark.parametrize(("change", "reason"), SHUT.values(), ids=SHUT)
def test_a_gate_shuts(change: Change, reason: str) -> None:
    facts = well()
    change(facts)
    assert reason in first_reason(facts)


@pytest.mark.parametrize("change", OPEN.values(), ids=OPEN)
def test_a_gate_stays_open(change: Change) -> None:
    facts = well()
    change(facts)
    assert first_reason(facts) == ""


def test_each_gate_has_its_own_reason() -> None:
    """A gate that no change above can shut would not be one."""
    shut_by = set()
    for change, _ in SHUT.values():
        facts = well()
        change(facts)
        shut_by |= {gate for gate in GATES if _objects(gate, facts)}
    assert shut_by == set(GATES)


def _objects(gate: Callable[[Facts], str], facts: Facts) -> bool:
    try:
        return bool(gate(facts))
    except (LookupError, TypeError):  # of a book that an earlier gate has refused
        return False


def test_who_asks_for_no_cost_needs_no_basis() -> None:
    facts = well(gate="off")
    basis_new(facts)
    assert first_reason(facts) == ""


def test_closing_by_taking_asks_only_for_a_market() -> None:
    facts = well()
    for change in (paused("markouts", NOW + 1), basis_leaps, skew(900.0), depth("0.5")):
        change(facts)
    assert first_reason(facts) != ""
    assert first_reason(facts, BASICS) == ""


def test_a_considered_quote_is_judged_by_its_own_side() -> None:
    facts = well()
    funding("0.005", SOON)(facts)
    assert first_reason(facts.of("buy", opening=True)) != ""
    assert first_reason(facts.of("sell", opening=True)) == ""
    assert first_reason(facts.of("buy", opening=False)) == ""


def test_the_forecast_makes_quota_short_before_it_is_gone() -> None:
    facts = well()
    facts.cycles_left = 1000
    account(requests_left=3999)(facts)
    assert "4000 are needed" in first_reason(facts)
    assert budget_of(facts, None).left is None


@pytest.mark.parametrize(
    ("tick", "trouble"),
    [
        (None, "has an empty side"),
        (book("hedge", "2", "1"), "is crossed"),
        (book("hedge", "1", "2", at=NOW - 3), "is older than 2 s"),
        (book("hedge", "1", "2"), ""),
    ],
)
def test_what_is_wrong_with_a_book(tick: BookTick | None, trouble: str) -> None:
    assert book_trouble(tick, NOW, 2.0) == trouble


# --------------------------------------------------------------------------- ends


WAITING = "it has waited 1800 s for a quote to close it; taking costs 11.4 bps"


@pytest.mark.parametrize(
    ("config", "waited", "reason"),
    [
        ({}, None, ""),
        ({}, 1799.0, ""),
        ({}, 1800.0, WAITING),
        ({"gate": "off"}, 1800.0, WAITING),
        ({"gate": "no-loss"}, 1800.0, ""),
        ({"max_cost_bps": D("5.6")}, 1800.0, ""),
        ({"max_cost_bps": D("5.8")}, 1800.0, WAITING),
    ],
)
def test_a_pair_that_no_quote_closes_is_taken_after_the_patience(
    config: dict[str, Any], waited: float | None, reason: str
) -> None:
    facts = well()
    held()(facts)
    facts.config = replace(facts.config, **config)
    facts.closing_for = waited
    assert reduce_reason(facts) == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (held(), ""),
        (held(account(liquidation=D(1899))), ""),
        (
            held(account(liquidation=D(1901))),
            "hedge would be liquidated 5.0% from here; move collateral there from primary",
        ),
        (held(account(equity=None)), ""),
        (held(funding("0.0010", SOON)), ""),
        (held(funding("0.0013", SOON)), "funding of 13.0 bps is dearer than closing for 11.4"),
        (held(funding("0.0013", SOON), size="-1"), ""),
        (funding("0.0013", SOON), ""),
    ],
)
def test_what_closes_a_pair_before_its_time(change: Change, reason: str) -> None:
    facts = well()
    change(facts)
    assert reduce_reason(facts) == reason


def test_holding_and_closing_in_bps() -> None:
    facts = well()
    held(funding("0.0003", SOON))(facts)
    assert holding_bps(facts) == 3
    assert round(closing_bps(facts), 3) == D("11.4")  # two fees of 5, slippage, half spreads


@pytest.mark.parametrize(
    ("worth", "options", "reason"),
    [
        ("-21.9", {}, ""),
        ("-22.1", {}, "loss of 22.10 is more than all cycles may cost together, 22.00"),
        ("-22.1", {"gate": "off"}, ""),
        ("-5", {"max_loss": D(5)}, "loss of 5.00 reached the limit of 5"),
        ("-4.9", {"max_loss": D(5)}, ""),
        ("30", {"max_loss": D(5)}, ""),
    ],
)
def test_what_a_session_may_lose(worth: str, options: dict[str, Any], reason: str) -> None:
    facts = well(**options)
    facts.ledger.accounts["hedge"].cash = D(worth)
    assert session_over_limit(facts) == reason


def test_a_clock_far_off_ends_the_session() -> None:
    facts = well()
    skew(-2001.0)(facts)
    assert session_over_limit(facts) == "the clock of hedge is -2001 ms off"

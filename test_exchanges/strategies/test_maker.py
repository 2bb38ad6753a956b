"""The maker slot on two venues that do what they are told: when a quote is placed, held, moved."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mpdex.types import Fill, Order, OrderRequest, OrderStatus
from strategies.config import HedgeConfig
from strategies.costs import edge
from strategies.desk import Desk, Phase
from strategies.hedge_core import step
from strategies.limits import Limits
from strategies.setup import Setup
from strategies.words import (
    ROLES,
    AccountRead,
    BookTick,
    Cancel,
    CancelAcked,
    CycleDone,
    Event,
    FillSeen,
    FundingRead,
    Kind,
    OrderSeen,
    Place,
    PlaceAcked,
    Recover,
    Role,
    Snapshot,
    StreamBack,
    Timer,
)
from test_exchanges.strategies.fake_dex import market

D = Decimal
# The basis is guessed from one sample here: these stories are about what follows.
LIMITS = replace(Limits(), basis_first=1)
FREE: dict[str, Any] = {
    "fees": {
        role: {"symbol": "", "maker": D(0), "taker": D("0.0005"), "assumed": False, "raw": None}
        for role in ROLES
    }
}


class Rig:
    """A desk, and venues that take orders at once; quotes fill when the test says so."""

    def __init__(self, **options: Any) -> None:
        names, self.ids = itertools.count(1), itertools.count(1)
        config: dict[str, Any] = {
            "primary": "p",
            "hedge": "h",
            "ticker": "X",
            "size": D("0.1"),
            "limits": LIMITS,
            "canary": False,
            "cool_down": 0.0,
        }
        self.desk = Desk(
            Setup(
                config=HedgeConfig(**{**config, **options}),
                markets={"primary": market("P"), "hedge": market("H")},
                bounds=dict.fromkeys(ROLES, 2.0),
                acks=dict.fromkeys(ROLES, 1.0),
                baseline=dict.fromkeys(ROLES, D(0)),
                new_id=dict.fromkeys(ROLES, lambda: f"c{next(names)}"),
                started=0.0,
                started_ms=1_000_000,
                **FREE,
            )
        )
        self.now = 0.0
        self.quotes: list[Place] = []
        self.takers: list[Place] = []
        self.pulled: list[float] = []
        self.done: list[CycleDone] = []
        self.books: dict[Role, tuple[str, str]] = dict.fromkeys(ROLES, ("2000.00", "2000.05"))
        self.held: dict[Role, Decimal] = dict.fromkeys(ROLES, D(0))
        for role in ROLES:
            self.feed(StreamBack(role))

    # ----------------------------------------------------------------- time and books

    def pass_time(self, seconds: float, until: Callable[[], object] = lambda: False) -> None:
        """Books are told again every 100 ms."""
        end = self.now + seconds
        while self.now < end - 1e-9 and not until():
            self.now = round(self.now + 0.1, 6)
            for role in ("hedge", "primary"):
                self.feed(self.tick(role))

    def quote(self) -> OrderRequest:
        """Waits for the next quote."""
        before = len(self.quotes)
        self.pass_time(30, lambda: len(self.quotes) > before)
        assert len(self.quotes) > before, (self.desk.phase, self.desk.why, self.desk.waiting_for)
        return self.quotes[-1].order

    def tick(self, role: Role) -> BookTick:
        bid, ask = (D(price) for price in self.books[role])
        few = D("0.3")
        levels = [[(bid, few), (bid - 1, D(9))], [(ask, few), (ask + 1, D(9))]]
        slot = self.desk.slot
        if slot is not None and role == "primary" and slot.price is not None:
            side = levels[0 if slot.side == "buy" else 1]
            if all(price != slot.price for price, _ in side):
                side.append((slot.price, slot.remaining))
                side.sort(reverse=slot.side == "buy")
        bids, asks = levels
        return BookTick(role, tuple(bids), tuple(asks), self.now, ask, bid, D(50), D(50))

    def rise(self, steps: int) -> None:
        """Both markets rise, step by step: each leaves a quote behind."""
        for _ in range(steps):
            for role in ROLES:
                bid, ask = self.books[role]
                self.books[role] = (str(D(bid) + D("0.1")), str(D(ask) + D("0.1")))
            self.pass_time(2)

    def move(self, role: Role, bid: str, ask: str) -> None:
        self.books[role] = (bid, ask)
        self.feed(self.tick(role))

    # ----------------------------------------------------------------- venues

    def feed(self, event: Event) -> None:
        _, commands = step(self.desk, event, self.now)
        for command in commands:
            self.perform(command)

    def perform(self, command: object) -> None:
        match command:
            case Place():
                self.take_place(command)
            case Cancel(role, client_id, _):
                self.pulled.append(self.now)
                order = self.desk.known[role, client_id]
                self.feed(CancelAcked(role, client_id))
                self.report(role, client_id, order.cum, OrderStatus.CANCELED)
            case Recover(role):
                self.feed(Snapshot(role, {}, (), self.held[role]))
            case CycleDone():
                self.done.append(command)

    def take_place(self, place: Place) -> None:
        client_id = place.order.client_id
        if place.order.post_only:
            self.quotes.append(place)
            self.feed(PlaceAcked(place.role, client_id, self.order(place.role, client_id, D(0))))
            self.report(place.role, client_id, D(0), OrderStatus.OPEN)
        else:
            self.takers.append(place)
            self.trade(place.role, client_id, place.order.size)

    def fill(self, size: str | None = None) -> None:
        """Somebody takes the resting quote, or so much of it."""
        slot = self.desk.slot
        assert slot is not None
        self.trade("primary", slot.client_id, slot.remaining if size is None else D(size))

    def trade(self, role: Role, client_id: str, size: Decimal) -> None:
        order = self.desk.known[role, client_id]
        total = order.cum + size
        self.held[role] += size if order.side == "buy" else -size
        price = order.price if order.price is not None and not order.immediate else D(2000)
        fill = Fill(
            id=f"t{next(self.ids)}",
            order_id=client_id,
            client_order_id=client_id,
            symbol=order.symbol,
            side=order.side,
            price=price,
            size=size,
            fee=D(0),
            fee_asset="none",
            liquidity="taker" if order.immediate else "maker",
            timestamp_ms=1_000_000 + int(self.now * 1000),
            raw=None,
        )
        self.feed(FillSeen(role, fill))
        status = OrderStatus.FILLED if total >= order.size else OrderStatus.OPEN
        self.report(role, client_id, total, status)

    def report(self, role: Role, client_id: str, cum: Decimal, status: OrderStatus) -> None:
        self.feed(OrderSeen(role, self.order(role, client_id, cum, status)))

    def order(
        self, role: Role, client_id: str, cum: Decimal, status: OrderStatus = OrderStatus.OPEN
    ) -> Order:
        order = self.desk.known[role, client_id]
        return Order(
            id=client_id,
            client_order_id=client_id,
            symbol=order.symbol,
            side=order.side,
            type="limit",
            price=order.price,
            size=order.size,
            filled=cum,
            average_price=order.price,
            status=status,
            time_in_force="GTC",  # type: ignore[typeddict-item]
            post_only=not order.immediate,
            reduce_only=False,
            reason="",
            timestamp_ms=1_000_000 + int(self.now * 1000),
            raw=None,
        )


def quoting(**options: Any) -> Rig:
    rig = Rig(**options)
    rig.quote()
    return rig


def prices(rig: Rig) -> list[Decimal | None]:
    return [place.order.price for place in rig.quotes]


# --------------------------------------------------------------------------- the cost gate


def test_a_quote_costs_no_more_than_is_allowed() -> None:
    rig = Rig(max_cost_bps=D(4))
    rig.pass_time(20)
    assert rig.quotes == []
    assert rig.desk.waiting_for == "any buy near the market costs more than 4 bps"
    assert rig.desk.cycles == rig.desk.attempts == 0


def test_without_a_gate_it_may_cost_anything() -> None:
    assert quoting(gate="off", max_cost_bps=D(0)).quotes


def test_strict_looks_at_one_trade_alone() -> None:
    apart: dict[Role, tuple[str, str]] = {
        "hedge": ("1999.00", "1999.05"),
        "primary": ("2000.00", "2000.05"),
    }
    for gate, quotes in (("roundtrip", 1), ("strict", 0)):
        rig = Rig(gate=gate)
        rig.books = dict(apart)
        rig.pass_time(10)
        assert bool(rig.quotes) is bool(quotes)


def test_the_record_has_the_edge_and_the_basis_of_the_gate() -> None:
    rig = Rig()
    rig.books["hedge"] = ("1999.00", "1999.05")
    price = rig.quote().price
    cycle, terms = rig.desk.cycle, rig.desk.lessons.terms(rig.desk.ticks["hedge"])
    assert cycle is not None
    assert price is not None
    assert terms is not None
    assert cycle.edge_bps == edge("buy", price, terms)
    assert cycle.basis_bps == rig.desk.lessons.books.basis.median == D("4.9999")
    rig.fill()
    rig.pass_time(1, lambda: rig.done)
    assert rig.done[0].basis_bps == cycle.basis_bps
    assert rig.done[0].edge_bps == cycle.edge_bps


def test_a_breached_gate_pulls_in_the_same_breath() -> None:
    rig = quoting()
    rig.move("hedge", "1999.00", "1999.05")
    assert rig.pulled == [rig.now]


def test_the_gate_caps_the_most_eager_price() -> None:
    rig = Rig(max_cost_bps=D("5.2"))
    rig.books["primary"] = ("2000.00", "2000.20")
    rig.books["hedge"] = ("2000.05", "2000.10")
    rig.quote()
    rig.pass_time(9.9)
    assert max(price for price in prices(rig) if price is not None) <= D("2000.08")


# --------------------------------------------------------------------------- hold, move, end


def test_at_the_best_a_quote_is_held_once_more_and_then_over() -> None:
    rig = Rig()
    rig.books["primary"] = rig.books["hedge"] = ("2000.00", "2000.01")
    rig.quote()
    began = rig.now
    rig.pass_time(60, lambda: rig.pulled)
    assert rig.pulled == [pytest.approx(began + 20, abs=0.11)]
    assert rig.done[-1].requotes == 0
    assert rig.done[-1].reason == "fill timeout"
    assert rig.desk.attempts == 1


def test_a_static_quote_is_taken_back_at_the_timeout() -> None:
    rig = quoting(quoting="static", fill_timeout=5.0)
    began = rig.now
    rig.books["primary"] = ("2000.03", "2000.05")
    rig.pass_time(60, lambda: rig.pulled)
    assert rig.pulled == [pytest.approx(began + 5, abs=0.11)]
    assert (rig.done[-1].requotes, rig.done[-1].reason) == (0, "fill timeout")


def test_a_quote_grows_more_eager_with_age() -> None:
    rig = quoting()
    rig.pass_time(9.9)
    assert prices(rig) == [D("2000.00"), D("2000.01"), D("2000.04")]


def test_a_quote_far_ahead_of_the_others_steps_back_to_a_tick_before_them() -> None:
    rig = Rig(fill_timeout=60.0)
    rig.books["hedge"] = ("2000.00", "2000.05")
    rig.quote()
    rig.books["primary"] = ("1999.50", "2000.05")
    rig.pass_time(2)
    assert prices(rig) == [D("2000.00"), D("1999.51")]


def test_requotes_of_a_minute_are_limited() -> None:
    rig = quoting(requotes_per_minute=3, fill_timeout=100.0)
    rig.rise(8)
    assert len(rig.desk.requotes) == 3


def test_fewer_requests_left_mean_fewer_requotes() -> None:
    rig = quoting(requotes_per_minute=30, fill_timeout=100.0)
    rig.feed(AccountRead("primary", D(100_000), D(100_000), D(10), None, requests_left=380))
    rig.rise(11)
    assert len(rig.desk.requotes) == 3


def test_many_requotes_without_a_fill_are_followed_by_a_rest() -> None:
    rig = quoting(requotes_per_fill=3, requotes_per_minute=100, fill_timeout=1000.0)
    rig.rise(5)
    assert len(rig.quotes) == 3
    rested = rig.pulled[-1]
    rig.pass_time(40, lambda: len(rig.quotes) > 3)
    assert rig.now - rested >= 30


# --------------------------------------------------------------------------- guards at work


def test_a_book_that_crosses_for_a_moment_keeps_a_quote_and_places_none() -> None:
    rig = quoting()
    rig.move("hedge", "2000.06", "2000.05")
    rig.pass_time(0.2)
    assert rig.pulled == []
    rig.pass_time(0.2)
    assert len(rig.pulled) == 1
    assert len(rig.quotes) == 1


def test_nothing_is_placed_from_a_crossed_book() -> None:
    rig = Rig(limits=replace(LIMITS, crossed_for=1000.0))
    rig.books["primary"] = ("2000.05", "2000.05")
    rig.pass_time(5)
    assert rig.quotes == []


def test_a_single_leap_moves_no_price() -> None:
    rig = quoting(gate="off")
    before = rig.desk.ticks["primary"]
    rig.move("primary", "2100.00", "2100.05")
    assert rig.desk.ticks["primary"] == before
    assert len(rig.quotes) == 1
    assert rig.pulled == [rig.now]


def test_quotes_that_did_harm_keep_a_step_behind() -> None:
    rig = Rig()
    rig.desk.lessons.markouts.wide = True
    assert rig.quote().price == D("1999.94")


# --------------------------------------------------------------------------- sides and sizes


def fill_next(rig: Rig) -> OrderRequest:
    order = rig.quote()
    rig.fill()
    return order


def test_a_pair_is_opened_and_closed_and_then_opened_the_other_way() -> None:
    rig = Rig()
    orders = [fill_next(rig) for _ in range(4)]
    assert [order.side for order in orders] == ["buy", "sell", "sell", "buy"]
    assert {order.size for order in orders} == {D("0.1")}
    assert rig.held == {"primary": D(0), "hedge": D(0)}


def test_openings_follow_each_other_up_to_the_limit() -> None:
    rig = Rig(max_position=D("0.25"), direction="short-first")
    sides = [fill_next(rig).side for _ in range(6)]
    assert sides == ["sell", "sell", "buy", "buy", "sell", "sell"]


def test_closing_never_turns_a_pair_over() -> None:
    rig = Rig()
    rig.quote()
    rig.fill("0.03")
    rig.pass_time(25, lambda: rig.quotes[-1].order.side == "sell")
    assert rig.quotes[-1].order.size == D("0.03")


def test_the_side_with_the_higher_edge_is_chosen() -> None:
    for hedge, side in ((("2000.10", "2000.15"), "buy"), (("1999.90", "1999.95"), "sell")):
        rig = Rig(direction="basis", gate="strict")
        rig.books["hedge"] = hedge
        assert rig.quote().side == side


def test_the_side_that_is_paid_is_chosen_and_the_other_not_opened_before_a_payment() -> None:
    due = FundingRead("primary", D("0.0009"), 1_000_000 + 200_000)
    rig = Rig(direction="funding")
    rig.feed(due)
    assert rig.quote().side == "sell"
    stubborn = Rig(direction="long-first")
    stubborn.feed(due)
    stubborn.pass_time(5)
    assert stubborn.quotes == []
    assert stubborn.desk.waiting_for == "funding of 9.0 bps is due"


def test_the_gate_of_closing_relaxes() -> None:
    rig = Rig(max_cost_bps=D("5.5"), close_patience=60.0)
    fill_next(rig)
    rig.books["hedge"] = ("1999.72", "2000.33")  # 1.4 bps dearer than the opening
    rig.pass_time(4)
    assert [place.order.side for place in rig.quotes] == ["buy"]
    rig.pass_time(60, lambda: len(rig.quotes) > 1)
    assert rig.quotes[-1].order.side == "sell"


def test_taking_closes_although_a_quote_would_be_unwise() -> None:
    rig = Rig(iterations=1, flatten_patience=1.0)
    fill_next(rig)
    rig.desk.lessons.markouts.paused_until = 10_000.0
    rig.pass_time(10, lambda: rig.desk.phase is Phase.STOPPED)
    assert [place.kind for place in rig.takers] == [Kind.HEDGE, Kind.FLATTEN, Kind.HEDGE]
    assert rig.held == {"primary": D(0), "hedge": D(0)}


def test_a_pause_does_not_end_an_attempt() -> None:
    rig = quoting()
    number = rig.desk.cycles
    rig.move("hedge", "2000.06", "2000.05")
    rig.pass_time(0.5)
    assert rig.desk.phase is Phase.PAUSED
    rig.books["hedge"] = ("2000.00", "2000.05")
    rig.pass_time(5, lambda: len(rig.quotes) > 1)
    assert rig.desk.cycles == number
    rig.feed(Timer())
    assert rig.desk.attempts == 0

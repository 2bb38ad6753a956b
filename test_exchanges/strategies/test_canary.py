"""Canaries on venues that keep to a script: how each failure is told, and what is never sent."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from mpdex.types import Fill, Market, Order, OrderRequest, OrderStatus, TimeInForce
from strategies.canary import harmless
from strategies.config import HedgeConfig
from strategies.desk import Desk, Phase
from strategies.hedge_core import step
from strategies.setup import Setup
from strategies.words import (
    ROLES,
    AccountRead,
    Answered,
    BookTick,
    Cancel,
    CancelAcked,
    Event,
    FillSeen,
    Finish,
    Kind,
    OrderSeen,
    OutcomeNotKnown,
    Place,
    PlaceAcked,
    PlaceRefused,
    Query,
    Read,
    Recover,
    Refusal,
    Role,
    SetTimer,
    Snapshot,
    StreamBack,
    StreamLost,
    Timer,
)
from test_exchanges.strategies.fake_dex import market

D = Decimal
ZERO = D(0)
WAY, INFINITY = 0.02, 1e9
BID, ASK = D("2000.00"), D("2000.05")


@dataclass
class Habits:
    """How a venue treats canaries.

    Attributes:
        refusals: the first placements are refused so.
        lost: so many first placements never arrive. deaf: none is ever acknowledged.
        streams, answers: what it tells of orders: on the private stream, and when asked.
        fills: an immediate order trades, against all reason.
        stays: a cancel is acknowledged only.
    """

    refusals: list[Refusal] = field(default_factory=list)
    lost: int = 0
    streams: Callable[[OrderStatus], bool] = lambda status: True
    answers: bool = True
    fills: bool = False


@dataclass
class Known:
    request: OrderRequest
    id: str
    status: OrderStatus = OrderStatus.OPEN
    filled: Decimal = ZERO


class Rig:
    """The core and two scripted venues in virtual time."""

    def __init__(self, setup: dict[str, Any] | None = None, **markets: Market) -> None:
        names = itertools.count(1)
        self.desk = Desk(
            Setup(
                config=HedgeConfig(primary="here", hedge="there", ticker="ETH", size=D("0.1")),
                markets={role: markets.get(role, market()) for role in ROLES},
                bounds=dict.fromkeys(ROLES, 2.0),
                acks=dict.fromkeys(ROLES, 0.5),
                baseline=dict.fromkeys(ROLES, ZERO),
                new_id=dict.fromkeys(ROLES, lambda: f"c{next(names)}"),
                started=0.0,
                started_ms=1_000_000,
                **(setup or {}),
            )
        )
        self.habits = {role: Habits() for role in ROLES}
        self.now = 0.0
        self.sent: list[Place] = []
        self.asked: list[object] = []
        self.orders: dict[str, Known] = {}
        self.fills: dict[Role, list[Fill]] = {role: [] for role in ROLES}
        self.finished: Finish | None = None
        self._order = itertools.count()
        self._mail: list[tuple[float, int, Event]] = []
        self._timer = INFINITY
        self._next_books = 0.0

    def run(self) -> Rig:
        """Until the canaries are through, or the run has ended."""
        for role in ROLES:
            self.post(StreamBack(role))
        while self.now < 100.0 and self.finished is None and not self.desk.canary.done:
            self.turn()
        return self

    def turn(self) -> None:
        """The next thing that happens: a message, the timer, or books every quarter second."""
        times = [self._next_books, self._timer]
        if self._mail and self._mail[0][0] <= min(times):
            self.now, _, event = heapq.heappop(self._mail)
            self.feed(event)
        elif self._timer < self._next_books:
            self.now, self._timer = self._timer, INFINITY
            self.feed(Timer())
        else:
            self.now, self._next_books = self._next_books, self._next_books + 0.25
            self.books()

    def books(self) -> None:
        for role in ROLES:
            self.feed(BookTick(role, ((BID, D(5)),), ((ASK, D(5)),), self.now, ASK, BID))

    def post(self, event: Event, after: float = WAY) -> None:
        heapq.heappush(self._mail, (self.now + after, next(self._order), event))

    def feed(self, event: Event) -> None:
        _, commands = step(self.desk, event, self.now)
        for command in commands:
            self.perform(command)

    # ----------------------------------------------------------------- both venues

    def perform(self, command: object) -> None:
        match command:
            case Place():
                self.sent.append(command)
                self.take(command)
            case Cancel(role, client_id, _):
                self.end(role, client_id, OrderStatus.CANCELED)
                self.post(CancelAcked(role, client_id))
            case Query(role, client_id):
                known = self.orders.get(client_id) if self.habits[role].answers else None
                order = known and self.render(known)
                self.asked.append(command)
                self.post(Answered(role, client_id, order, *self.seen(role)))
            case Recover(role, orders):
                told = {c: self.render(self.orders[c]) for c in orders if c in self.orders}
                self.post(Snapshot(role, told, *self.seen(role)))
            case Read(role, "account"):
                self.asked.append(command)
                self.post(AccountRead(role, D(1000), D(1000)))
            case SetTimer(at):
                self._timer = min(self._timer, at)
            case Finish():
                self.finished = command

    def take(self, place: Place) -> None:
        role, request, habits = place.role, place.order, self.habits[place.role]
        if habits.refusals:
            refusal = habits.refusals.pop(0)
            self.post(PlaceRefused(role, request.client_id, refusal, f"says {refusal}"))
        elif habits.lost:
            habits.lost -= 1
            self.post(OutcomeNotKnown(role, request.client_id, "silence"), 0.4)
        else:
            known = Known(request, f"o{len(self.orders)}")
            self.orders[request.client_id] = known
            pending = {**self.render(known), "status": OrderStatus.PENDING}
            self.post(PlaceAcked(role, request.client_id, pending))  # type: ignore[arg-type]
            if not request.post_only:
                self.trade_or_end(role, known)
            else:
                self.stream(role, known)

    def trade_or_end(self, role: Role, known: Known) -> None:
        request = known.request
        assert request.price is not None
        far = request.side == "buy" and request.price < ASK
        if far and not self.habits[role].fills:
            self.end(role, request.client_id, OrderStatus.EXPIRED)
            return
        known.filled, known.status = request.size, OrderStatus.FILLED
        fill = Fill(
            id=f"t{len(self.fills[role])}",
            order_id=known.id,
            client_order_id=request.client_id,
            symbol=request.symbol,
            side=request.side,
            price=request.price,
            size=request.size,
            fee=ZERO,
            fee_asset="USD",
            liquidity="taker",
            timestamp_ms=1_000_000 + int(self.now * 1000),
            raw=None,
        )
        self.fills[role].append(fill)
        self.post(FillSeen(role, fill))
        self.stream(role, known)

    def end(self, role: Role, client_id: str, status: OrderStatus) -> None:
        known = self.orders.get(client_id)
        if known is not None and not known.status.terminal:
            known.status = status
            self.stream(role, known)

    def stream(self, role: Role, known: Known) -> None:
        if self.habits[role].streams(known.status):
            self.post(OrderSeen(role, self.render(known)))

    def seen(self, role: Role) -> tuple[tuple[Fill, ...], Decimal]:
        return tuple(self.fills[role]), self.held(role)

    def held(self, role: Role) -> Decimal:
        fills = self.fills[role]
        return sum((f["size"] if f["side"] == "buy" else -f["size"] for f in fills), ZERO)

    def render(self, known: Known) -> Order:
        request = known.request
        return Order(
            id=known.id,
            client_order_id=request.client_id,
            symbol=request.symbol,
            side=request.side,
            type="limit",
            price=request.price,
            size=request.size,
            filled=known.filled,
            average_price=None,
            status=known.status,
            time_in_force=request.time_in_force,
            post_only=request.post_only,
            reduce_only=False,
            reason="",
            timestamp_ms=None,
            raw=None,
        )

    def canaries(self, role: Role) -> list[OrderRequest]:
        return [p.order for p in self.sent if p.role == role and p.kind is Kind.CANARY]


def never(status: OrderStatus) -> bool:
    return False


def only_open(status: OrderStatus) -> bool:
    return status is OrderStatus.OPEN


# --------------------------------------------------------------------------- both come back


def test_one_order_on_each_venue_the_hedge_first() -> None:
    rig = Rig().run()
    assert rig.desk.canary.done
    assert rig.desk.phase in (Phase.RUNNING, Phase.PAUSED)  # gates have the next word
    (probe,), (rest,) = rig.canaries("hedge"), rig.canaries("primary")
    assert rig.sent[0].role == "hedge"
    assert (probe.time_in_force, probe.post_only) == (TimeInForce.IOC, False)
    assert (rest.time_in_force, rest.post_only) == (TimeInForce.GTC, True)
    assert not any(known.filled for known in rig.orders.values())
    assert all(known.status.terminal for known in rig.orders.values())


def test_it_takes_less_than_a_second_and_one_question_a_venue() -> None:
    rig = Rig().run()
    assert rig.now < 1.0
    assert len(rig.asked) == 2


@pytest.mark.parametrize(
    ("facts", "size", "price"),
    [
        ({}, "0.01", "1900.00"),
        ({"price_band": D("0.02")}, "0.01", "1968.00"),
        ({"price_band": D("0.10")}, "0.01", "1900.00"),
        ({"min_notional": D(100)}, "0.06", "1900.00"),
        ({"min_size": D("0.03")}, "0.03", "1900.00"),
        ({"tick": D(7)}, "0.01", "1897"),
    ],
)
def test_far_from_the_market_inside_the_band_above_the_minimums(
    facts: dict[str, Any], size: str, price: str
) -> None:
    rig = Rig(hedge=market(**facts)).run()
    (probe,) = rig.canaries("hedge")
    assert (probe.size, probe.price) == (D(size), D(price))


def test_without_a_two_sided_book_there_is_no_harmless_price() -> None:
    rig = Rig()
    assert harmless(rig.desk, "hedge") is None
    rig.desk.ticks["hedge"] = BookTick("hedge", ((BID, D(1)),), (), 0.0)
    assert harmless(rig.desk, "hedge") is None


def test_no_match_said_as_a_refusal_is_as_good() -> None:
    rig = Rig()
    rig.habits["hedge"].refusals = [Refusal.NO_MATCH]
    assert rig.run().desk.canary.done


def test_a_venue_whose_stream_is_silent_about_such_orders() -> None:
    rig = Rig({"silent": frozenset({"hedge"})})
    rig.habits["hedge"].streams = never
    assert rig.run().desk.canary.done


def test_a_weak_venue_only_has_its_account_read_back() -> None:
    rig = Rig({"weak": frozenset({"hedge"})}).run()
    assert rig.desk.canary.done
    assert rig.canaries("hedge") == []
    assert Read("hedge", "account") in rig.asked


# --------------------------------------------------------------------------- what is wrong


def failure(rig: Rig) -> str:
    """Why the run ended, which it did with 3 and without any trade on the primary."""
    assert rig.run().finished is not None, rig.desk.canary
    assert rig.finished is not None
    assert rig.finished.code == 3
    assert rig.fills["primary"] == []
    assert all(known.status.terminal for known in rig.orders.values())
    assert not [place for place in rig.sent if place.kind is Kind.MAKER]
    return rig.finished.reason


@pytest.mark.parametrize(
    ("refusal", "word"),
    [
        (Refusal.SYMBOL, "--hedge-symbol"),
        (Refusal.PERMISSION, "permission to trade"),
        (Refusal.MARGIN, "collateral"),
        (Refusal.VENUE_MODE, "later"),
        (Refusal.PRECISION, "says precision"),
    ],
)
def test_a_hedge_venue_that_refuses_every_order(refusal: Refusal, word: str) -> None:
    """HG-01, AU-03: the primary is never sent anything."""
    rig = Rig()
    rig.habits["hedge"].refusals = [refusal] * 9
    reason = failure(rig)
    assert reason.startswith("canary on there: refused")
    assert word in reason
    assert [place.role for place in rig.sent] == ["hedge"]


def test_a_primary_that_refuses() -> None:
    rig = Rig()
    rig.habits["primary"].refusals = [Refusal.PERMISSION] * 9
    assert failure(rig).startswith("canary on here: refused (permission): says permission")


@pytest.mark.parametrize("role", ROLES)
def test_the_private_stream_says_nothing(role: Role) -> None:
    """AU-07: acknowledged is not enough."""
    rig = Rig()
    rig.habits[role].streams = never
    reason = failure(rig)
    assert "the private stream did not show" in reason
    assert "another account" in reason


def test_the_end_of_the_resting_one_is_not_streamed() -> None:
    rig = Rig()
    rig.habits["primary"].streams = only_open
    assert "did not show its end" in failure(rig)


@pytest.mark.parametrize("role", ROLES)
def test_a_query_that_finds_nothing(role: Role) -> None:
    """AU-07: orders go to one account, questions to another."""
    rig = Rig()
    rig.habits[role].answers = False
    assert "a query does not find it" in failure(rig)


def test_one_that_fills_is_hedged_and_ends_the_run() -> None:
    rig = Rig()
    rig.habits["hedge"].fills = True
    assert "it filled" in failure(rig)
    assert rig.held("hedge") == 0
    assert [place.kind for place in rig.sent] == [Kind.CANARY, Kind.HEDGE]


# --------------------------------------------------------------------------- what passes


@pytest.mark.parametrize("refusal", [Refusal.RATE, Refusal.NOT_SENT, Refusal.SESSION])
def test_what_may_pass_is_tried_again(refusal: Refusal) -> None:
    rig = Rig()
    rig.habits["hedge"].refusals = [refusal]
    rig.run()
    assert rig.desk.canary.done
    assert len(rig.canaries("hedge")) == 2


def test_but_not_for_ever() -> None:
    rig = Rig()
    rig.habits["primary"].refusals = [Refusal.RATE] * 9
    assert "3 times in vain" in failure(rig)


def test_a_narrow_band_brings_it_nearer() -> None:
    rig = Rig()
    rig.habits["hedge"].refusals = [Refusal.PRICE_BAND]
    rig.run()
    assert rig.desk.canary.done
    assert [probe.price for probe in rig.canaries("hedge")] == [D("1900.00"), D("1950.00")]


@pytest.mark.parametrize("role", ROLES)
def test_one_that_is_lost_is_proven_gone_before_the_next(role: Role) -> None:
    rig = Rig()
    rig.habits[role].lost = 1
    rig.run()
    assert rig.desk.canary.done
    assert len(rig.canaries(role)) == 2
    assert rig.now > 2.5  # its bound, and the silence after it


@pytest.mark.parametrize("role", ROLES)
def test_a_stream_lost_meanwhile_is_no_verdict(role: Role) -> None:
    """What rests is taken back: the run cannot be read while it is there."""
    rig = Rig()
    rig.post(StreamLost(role, "test"), 0.3)
    rig.post(StreamBack(role), 1.5)
    rig.habits[role].streams = lambda status: rig.now > 1.5
    rig.run()
    assert rig.desk.canary.done
    first, second = rig.canaries(role)
    assert rig.orders[first.client_id].status.terminal
    assert rig.orders[second.client_id].status.terminal


def test_without_any_book_it_is_given_up() -> None:
    rig = Rig()
    rig.books = lambda: None  # type: ignore[method-assign]
    assert "not through after 60 s" in failure(rig)
    assert rig.sent == []

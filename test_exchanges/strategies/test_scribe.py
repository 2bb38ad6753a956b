"""strategies.scribe: what is written, when, and what a full disk keeps from leaving."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mpdex.types import Fill, Lane, Order, OrderRequest, OrderStatus, TimeInForce
from strategies.cycles import Cycle
from strategies.desk import Desk
from strategies.ledger import Exposure
from strategies.scribe import Scribe
from strategies.words import (
    Answered,
    CancelAcked,
    FillSeen,
    Kind,
    Place,
    PlaceAcked,
    PlaceRefused,
    Refusal,
    Role,
    Snapshot,
    StreamBack,
    Timer,
)
from test_exchanges.strategies.test_restart import T0, setup_at

D = Decimal


class Paper:
    """A journal in memory."""

    durable = True

    def __init__(self) -> None:
        self.seq = 0
        self.lines: list[dict[str, Any]] = []
        self.synced = 0
        self.full = False
        self.stuck = False

    def write(self, kind: str, **fields: Any) -> None:
        if self.full:
            raise OSError("No space left on device")
        self.lines.append({"kind": kind, **fields})

    def sync(self) -> None:
        if self.stuck:
            raise OSError("Input/output error")
        self.synced = len(self.lines)

    def close(self) -> None:
        """Nothing to do."""

    def kinds(self) -> list[str]:
        return [line["kind"] for line in self.lines]


class Office:
    """A scribe, its paper, and what it complained about."""

    def __init__(self) -> None:
        self.paper = Paper()
        self.failures: list[OSError] = []
        self.scribe = Scribe(self.paper, self.failures.append)
        self.desk = Desk(setup_at(0.0, T0))


def fill(trade_id: str = "t1", client_id: str = "m1") -> Fill:
    return Fill(
        id=trade_id,
        order_id="o1",
        client_order_id=client_id,
        symbol="ETH",
        side="buy",
        price=D(2000),
        size=D("0.5"),
        fee=None,
        fee_asset="",
        liquidity="maker",
        timestamp_ms=T0,
        raw={"long": "text"},
    )


def order(client_id: str | None = "m1", status: OrderStatus = OrderStatus.OPEN) -> Order:
    return Order(
        id="o1",
        client_order_id=client_id,
        symbol="ETH",
        side="buy",
        type="limit",
        price=D(2000),
        size=D("0.5"),
        filled=D(0),
        average_price=None,
        status=status,
        time_in_force=TimeInForce.GTC,
        post_only=True,
        reduce_only=False,
        reason="",
        timestamp_ms=T0,
        raw=None,
    )


def place(kind: Kind, role: Role = "primary") -> Place:
    request = OrderRequest(symbol="ETH", side="buy", size=D("0.5"), price=D(2000), client_id="m1")
    return Place(role, kind, request, Lane.QUOTE, 1)


def test_a_fill_is_written_whoever_tells_it_and_once() -> None:
    office = Office()
    office.scribe.hear(FillSeen("primary", fill()), office.desk)
    known = office.desk.adopt("primary", order())
    known.fill("t1", D("0.5"))
    office.scribe.hear(Answered("primary", "m1", None, (fill(), fill("t2"))), office.desk)
    office.scribe.hear(Snapshot("primary", {}, (fill(), fill("t3")), D(0)), office.desk)
    assert [(line["id"], line["source"]) for line in office.paper.lines] == [
        ("t1", "stream"),
        ("t2", "query"),
        ("t3", "barrier"),
    ]
    assert all("raw" not in line for line in office.paper.lines)


def test_every_report_on_an_order_is_written_under_our_id() -> None:
    office = Office()
    for event in (
        PlaceAcked("primary", "m1", order(None)),
        CancelAcked("primary", "m1", order(None)),
        Answered("primary", "m1", order(None)),
        Snapshot("primary", {"m1": order(None), "m2": None}, (), D(0)),
    ):
        office.scribe.hear(event, office.desk)
    assert office.paper.kinds() == ["order"] * 4
    assert {line["client_order_id"] for line in office.paper.lines} == {"m1"}


def test_an_order_with_our_mark_gets_the_intent_it_lost() -> None:
    office = Office()
    stray = order("s1")
    office.scribe.hear(Snapshot("primary", {}, (), D(0), (stray,)), office.desk)
    office.desk.adopt("primary", stray)
    office.scribe.hear(Snapshot("primary", {}, (), D(0), (stray,)), office.desk)
    (line,) = office.paper.lines
    assert (line["kind"], line["client_id"], line["post_only"]) == ("intent", "s1", True)


def test_a_refusal_is_written_with_its_class() -> None:
    office = Office()
    office.scribe.hear(PlaceRefused("hedge", "h1", Refusal.MARGIN, "no"), office.desk)
    assert office.paper.lines == [
        {"kind": "refused", "role": "hedge", "client_id": "h1", "refusal": "margin", "detail": "no"}
    ]


def test_what_passes_is_not_written_and_the_rest_is() -> None:
    office = Office()
    office.scribe.hear(Timer(), office.desk)
    office.scribe.hear(StreamBack("hedge"), office.desk)
    assert [line["what"] for line in office.paper.lines] == ["StreamBack"]


def test_an_order_that_makes_exposure_waits_for_the_disk_and_a_hedge_does_not() -> None:
    for kind, synced in ((Kind.MAKER, 1), (Kind.FLATTEN, 1), (Kind.HEDGE, 0), (Kind.UNWIND, 0)):
        office = Office()
        assert office.scribe.intent(place(kind), office.desk)
        assert office.paper.synced == synced
        assert office.scribe.behind is not bool(synced)


def test_a_hedge_s_lines_are_synced_later_and_elsewhere() -> None:
    office = Office()
    office.scribe.intent(place(Kind.HEDGE), office.desk)
    sync = office.scribe.take_synced()
    assert not office.scribe.behind
    sync()
    assert office.paper.synced == 1


@pytest.mark.parametrize("trouble", ["full", "stuck"])
def test_a_broken_disk_stops_what_makes_exposure_and_nothing_else(trouble: str) -> None:
    office = Office()
    setattr(office.paper, trouble, True)
    assert not office.scribe.intent(place(Kind.MAKER), office.desk)
    assert len(office.failures) == 1
    assert office.scribe.intent(place(Kind.HEDGE), office.desk)
    assert office.scribe.write("note", text="x") is (trouble == "stuck")


def test_the_first_order_of_a_cycle_tells_what_the_cycle_is() -> None:
    office = Office()
    office.desk.cycle = Cycle(
        number=1,
        kind=Kind.MAKER,
        side="buy",
        closing=True,
        size=D("0.5"),
        started=0.0,
        aged_from=0.0,
        exposure=Exposure(),
        counts=False,
    )
    office.scribe.intent(place(Kind.MAKER), office.desk)
    office.scribe.intent(place(Kind.HEDGE, "hedge"), office.desk)
    attempts = [line["attempt"] for line in office.paper.lines]
    assert attempts == [{"closing": True, "counts": False, "size": D("0.5")}, None]


def test_a_change_by_others_is_written_when_it_is_one() -> None:
    office = Office()
    office.scribe.external(office.desk)
    office.scribe.external(office.desk)
    assert office.paper.lines == []
    office.desk.ledger.adopt("primary", D("-0.3"), D(2000), 1.0)
    office.desk.baseline["hedge"] = D("0.1")
    office.scribe.external(office.desk)
    office.scribe.external(office.desk)
    (line,) = office.paper.lines
    assert line["adopted"]["primary"] == (D("-0.3"), D(600))
    assert line["baseline"]["hedge"] == D("0.1")

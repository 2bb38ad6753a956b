"""Fees that come after their fills: `strategies.late_fees`."""

from __future__ import annotations

from decimal import Decimal

from mpdex.types import Fill
from strategies.hedge_core import step
from strategies.report import Report
from strategies.words import FeeTold, FillSeen, Recover, Trade
from test_exchanges.strategies.core_world import Truth, World
from test_exchanges.strategies.test_hedge_core import quoting_world

D = Decimal


def filled(fee: Decimal | None) -> tuple[World, Truth, Fill]:
    """A quote that filled; its frame tells this fee."""
    world, quote = quoting_world()
    world.land(quote, 0)
    world.execute(quote, D(4))
    told = next(event for event in world.mail if isinstance(event, FillSeen))
    world.mail.clear()
    return world, quote, {**told.fill, "fee": fee}


def hear(world: World, fill: Fill) -> list[object]:
    """Feeds a fill; what was recorded of it."""
    _, commands = step(world.desk, FillSeen("primary", fill, "barrier"), world.now)
    return [c for c in commands if isinstance(c, Trade | FeeTold)]


def test_a_fill_without_a_fee_is_booked_at_once_and_completed_once() -> None:
    world, quote, fill = filled(None)
    (trade,) = hear(world, fill)
    assert isinstance(trade, Trade)
    assert trade.fee is None
    assert world.desk.ledger.position("primary") == 4
    key = ("primary", quote.request.client_id, fill["id"])
    assert world.desk.unpaid == {key: fill["timestamp_ms"]}
    assert hear(world, fill) == []

    (told,) = hear(world, {**fill, "fee": D("0.3")})
    assert isinstance(told, FeeTold)
    assert (told.fee, told.trade_id) == (D("0.3"), fill["id"])
    assert world.desk.ledger.accounts["primary"].fees == D("0.3")
    assert world.desk.ledger.position("primary") == 4
    assert not world.desk.unpaid
    assert hear(world, {**fill, "fee": D("0.3")}) == []


def test_a_fee_that_was_told_is_not_added_again() -> None:
    world, _, fill = filled(D("0.2"))
    hear(world, fill)
    assert hear(world, fill) == []
    assert world.desk.ledger.accounts["primary"].fees == D("0.2")


def test_a_fee_in_another_asset_is_told_and_is_part_of_no_sum() -> None:
    world, _, fill = filled(None)
    hear(world, fill)
    (told,) = hear(world, {**fill, "fee": D(7), "fee_asset": "POINTS"})
    assert isinstance(told, FeeTold)
    assert world.desk.ledger.accounts["primary"].fees == 0


def test_readings_reach_back_to_the_oldest_fill_without_a_fee() -> None:
    world, _, fill = filled(None)
    hear(world, fill)
    world.desk.newest_ms["primary"] = fill["timestamp_ms"] + 3_600_000
    world.desk.reading["primary"] = False
    world.desk.read_barrier("primary")
    recover = world.desk.commands[-1]
    assert isinstance(recover, Recover)
    assert recover.since_ms == max(fill["timestamp_ms"], world.desk.setup.began_ms)


def test_the_report_counts_a_fee_when_it_is_told() -> None:
    report = Report()
    trade = {
        "kind": "trade", "role": "primary", "side": "buy", "size": "1", "price": "10", "fee": None,
        "fee_asset": "USD", "liquidity": "maker", "late": False, "latency_ms": None,
    }  # fmt: skip
    report.add(trade)
    assert report.legs["primary"].fees_unknown == 1
    report.add({**trade, "kind": "fee", "fee": "0.1"})
    assert report.legs["primary"].fees_unknown == 0
    assert report.fees == D("0.1")
    assert report.legs["primary"].fills == 1

"""What books and fills teach, each part by the right fill and no other."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mpdex.types import Fill
from mpdex.utils.orders import State
from strategies.books import Own
from strategies.config import HedgeConfig
from strategies.lessons import Lessons
from strategies.tracking import Tracked
from strategies.words import BookTick, Kind, Role
from test_exchanges.strategies.fake_dex import market

D = Decimal


def lessons(**options: Any) -> Lessons:
    config = HedgeConfig(**{"primary": "p", "hedge": "h", "ticker": "X", "size": D(1), **options})
    return Lessons.of(config, {})


def order(kind: Kind, **changes: Any) -> Tracked:
    facts: dict[str, Any] = {
        "role": "primary" if kind is Kind.MAKER else "hedge",
        "kind": kind,
        "client_id": "c",
        "symbol": "X",
        "side": "buy",
        "size": D(1),
        "price": D(2000),
        "immediate": kind is not Kind.MAKER,
        "cycle": 1,
        "sent": 10.0,
        "sent_ms": 10_000,
        "bound": 12.0,
        "state": State.OPEN,
        "decision_price": D(2000),
    }
    return Tracked(**{**facts, **changes})


def fill(
    price: str = "2000", fee: str | None = "1", asset: str = "USD", at_ms: int = 12_000
) -> Fill:
    return Fill(
        id="t",
        order_id="o",
        client_order_id="c",
        symbol="X",
        side="buy",
        price=D(price),
        size=D(1),
        fee=None if fee is None else D(fee),
        fee_asset=asset,
        liquidity="maker",
        timestamp_ms=at_ms,
        raw=None,
    )


def book(role: Role, bid: str, ask: str, at: float = 0.0) -> BookTick:
    levels = ((D(bid), D(5)),), ((D(ask), D(5)),)
    return BookTick(role, *levels, at, D(ask), D(bid))


@pytest.mark.parametrize(
    ("told", "bps"),
    [(fill(fee="1"), "5"), (fill(fee=None), "2"), (fill(asset="TOKEN"), "2")],
    ids=["told", "not told yet", "in another asset"],
)
def test_a_fee_in_the_quote_currency_is_learned(told: Fill, bps: str) -> None:
    known = lessons()
    known.fill(order(Kind.MAKER), told, market(), 12.0, "stream")
    assert known.costs.rates["primary"].maker == D(bps)


def test_a_quote_that_trades_is_marked_out_and_ends_the_count_of_moves() -> None:
    known = lessons()
    known.unfilled_moves = 7
    known.fill(order(Kind.MAKER), fill(), market(), 12.0, "stream")
    known.see(book("primary", "2000.9", "2001.1", at=17.0), None)
    assert known.unfilled_moves == 0
    assert list(known.markouts.late) == [5]
    assert not known.latencies.recent


@pytest.mark.parametrize(("source", "heard"), [("stream", [2.0]), ("query", [])])
def test_only_what_the_stream_tells_has_a_latency(source: Any, heard: list[float]) -> None:
    known = lessons()
    known.fill(order(Kind.HEDGE), fill("2000.4"), market(), 12.0, source)
    assert list(known.latencies.recent) == heard
    known.costs.end_cycle(1, known.config.limits, 12.0)
    assert known.costs.slipped == D("0.4")  # a fifth of 2 bps
    assert not known.markouts.late


def test_what_is_told_late_was_not_slow() -> None:
    known = lessons()
    known.fill(order(Kind.HEDGE), fill(at_ms=10_050), market(), 18.0, "stream")
    assert list(known.latencies.recent) == [0.05]


def test_the_way_back_begins_once() -> None:
    known = lessons()
    known.turn(full=True, now=5.0)
    known.turn(full=True, now=9.0)
    assert (known.full, known.full_since) == (True, 5.0)
    known.turn(full=False, now=10.0)
    assert (known.full, known.full_since) == (False, None)


def test_a_book_may_show_a_quote_of_ours_for_a_moment_after_its_end() -> None:
    known = lessons()
    assert known.own(0.0) is None
    known.last_quote, known.quoted_at = order(Kind.MAKER, cum=D("0.4")), 10.0
    assert known.own(10.5) == Own("buy", D(2000), D("0.6"))
    assert known.own(10.6) is None


@pytest.mark.parametrize(
    ("gate", "basis", "fixed"), [("roundtrip", "2", "7.7"), ("strict", "0", "7.2")]
)
def test_terms_of_a_quote(gate: str, basis: str, fixed: str) -> None:
    known, hedge = lessons(gate=gate), book("hedge", "1997.9", "1998.1")
    assert known.terms(hedge) is None
    known.see(hedge, None)
    known.see(book("primary", "1999.9", "2000.1"), None)
    terms = known.terms(hedge)
    assert terms is not None
    assert (terms.mid, terms.sell, terms.buy) == (D(2000), D("1997.9"), D("1998.1"))
    assert (terms.basis, terms.fixed) == (D(basis), D(fixed))
    assert known.terms(BookTick("hedge", (), (), 0.0)) is None

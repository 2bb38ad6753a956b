"""Money of simulated accounts, by hand-made numbers."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from mpdex.sim.ledger import Ledger
from mpdex.sim.models import FeeModel
from mpdex.sim.records import SimMarket

PERP = SimMarket(
    symbol="ETH", coin="ETH", quote="USD", tick=D("0.1"), step=D("0.01"), min_size=D("0.01")
)
SPOT = SimMarket(
    symbol="ETH_SPOT",
    coin="ETH",
    quote="USD",
    tick=D("0.1"),
    step=D("0.01"),
    min_size=D("0.01"),
    kind="spot",
)


class Book:
    def __init__(self) -> None:
        self.mark = D(100)
        self.ledger = Ledger([PERP, SPOT], lambda symbol: self.mark)
        self.account = self.ledger.open_account("a", D(1000))

    def trade(self, side: str, size: str, price: str, fee: str = "0") -> D:
        return self.ledger.trade("a", "ETH", side, D(size), D(price), D(fee))


@pytest.fixture
def book() -> Book:
    return Book()


def test_entry_is_the_average_of_what_opened(book: Book) -> None:
    book.trade("buy", "1", "100")
    book.trade("buy", "3", "104")
    holding = book.account.holdings["ETH"]
    assert (holding.size, holding.entry) == (D(4), D(103))


def test_closing_realises_and_keeps_the_entry(book: Book) -> None:
    book.trade("buy", "2", "100")
    assert book.trade("sell", "1", "110", "0.5") == D(10)
    assert book.account.holdings["ETH"].entry == D(100)
    assert book.account.cash == D("1009.5")
    assert book.account.fees == D("0.5")


def test_turning_round_realises_the_old_and_opens_the_new(book: Book) -> None:
    book.trade("sell", "1", "100")
    assert book.trade("buy", "3", "90") == D(10)
    holding = book.account.holdings["ETH"]
    assert (holding.size, holding.entry) == (D(2), D(90))


def test_flat_is_flat(book: Book) -> None:
    book.trade("sell", "1", "100")
    book.trade("buy", "1", "100")
    assert book.account.holdings["ETH"].entry == 0
    assert book.ledger.initial_margin("a") == 0
    assert book.ledger.liquidation_price("a", "ETH") is None


@pytest.mark.parametrize(("side", "paid"), [("buy", D(-2)), ("sell", D(2))])
def test_longs_pay_positive_funding(book: Book, side: str, paid: D) -> None:
    book.trade(side, "2", "100")
    assert book.ledger.fund("ETH", D("0.01")) == ["a"]
    assert book.account.cash == D(1000) + paid
    assert book.account.funding == paid


def test_margin_follows_leverage_and_mark(book: Book) -> None:
    book.trade("buy", "10", "100")
    assert book.ledger.initial_margin("a") == D(50)  # 20 times at most
    book.account.leverage["ETH"] = D(5)
    book.mark = D(110)
    assert book.ledger.initial_margin("a") == D(220)
    assert book.ledger.unrealized("a", "ETH") == D(100)
    assert book.ledger.equity("a") == D(1100)


def test_the_liquidation_price_is_where_liquidation_begins(book: Book) -> None:
    book.trade("buy", "50", "100")
    price = book.ledger.liquidation_price("a", "ETH")
    assert price is not None
    book.mark = price + D("0.001")
    assert not book.ledger.must_liquidate("a")
    book.mark = price - D("0.001")
    assert book.ledger.must_liquidate("a")


def test_a_short_is_liquidated_above(book: Book) -> None:
    book.trade("sell", "50", "100")
    price = book.ledger.liquidation_price("a", "ETH")
    assert price is not None
    assert price > 100


def test_spot_moves_coins_and_cash(book: Book) -> None:
    book.ledger.trade("a", "ETH_SPOT", "buy", D(2), D(100), D(1))
    assert (book.account.cash, book.account.coins) == (D(799), {"ETH": D(2)})
    assert book.account.holdings == {}


def test_fees_are_fractions_of_notional() -> None:
    fees = FeeModel(D("-0.0001"), D("0.0005"))
    assert fees.fee(D(1000), "maker") == D("-0.1")
    assert fees.fee(D(1000), "taker") == D("0.5")

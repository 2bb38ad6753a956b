"""Which book is believed: leaps, crossings, silence, and our own quote in it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from strategies.books import Books, Own, best_of_others, crossed
from strategies.limits import Limits
from strategies.words import BookTick

D = Decimal
LIMITS = Limits()


def tick(role: Any, bid: str, ask: str, at: float = 0.0, behind: str = "1") -> BookTick:
    bids = ((D(bid), D(1)), (D(bid) - D(behind), D(5)))
    asks = ((D(ask), D(1)), (D(ask) + D(behind), D(5)))
    return BookTick(role, bids, asks, at)


def test_our_own_quote_is_no_part_of_the_market() -> None:
    book = tick("primary", "2000", "2002")
    others = best_of_others(book, Own("buy", D(2000), D(1)))
    assert others == (D(1999), D(2002))
    assert best_of_others(book, Own("buy", D(2000), D("0.4"))) == (D(2000), D(2002))
    assert best_of_others(book, Own("sell", D(2000), D(1))) == (D(2000), D(2002))
    assert best_of_others(BookTick("primary", (), book.asks, 0.0)) is None


def test_the_basis_is_learned_without_our_quote() -> None:
    books = Books.by(LIMITS)
    books.see(tick("hedge", "1998", "2000"))
    books.see(tick("primary", "2000", "2002"), Own("buy", D(2000), D(1)))
    assert books.mids == {"hedge": D(1999), "primary": D("2000.5")}
    assert books.gap == books.basis.median == D("7.4981")


def test_a_leap_is_believed_when_it_is_repeated() -> None:
    books = Books.by(LIMITS)
    assert books.see(tick("hedge", "2000", "2001"))
    assert not books.see(tick("hedge", "2100", "2101"))
    assert books.mids["hedge"] == D("2000.5")
    assert books.see(tick("hedge", "2102", "2103"))
    assert books.mids["hedge"] == D("2102.5")
    assert not books.suspects


def test_a_spike_of_one_update_changes_nothing() -> None:
    books = Books.by(LIMITS)
    books.see(tick("hedge", "2000", "2001"))
    assert not books.see(tick("hedge", "1900", "1901"))
    assert books.suspects
    assert books.see(tick("hedge", "2000", "2001"))
    assert not books.suspects


def test_less_than_a_leap_is_believed_at_once() -> None:
    books = Books.by(LIMITS)
    books.see(tick("hedge", "2000", "2001"))
    assert books.see(tick("hedge", "2050", "2051"))


def test_after_a_lost_stream_everything_is_news() -> None:
    books = Books.by(LIMITS)
    books.see(tick("hedge", "2000", "2001"))
    books.forget("hedge")
    assert books.see(tick("hedge", "3000", "3001"))


@pytest.mark.parametrize(("bid", "ask", "odd"), [("1", "2", False), ("2", "2", True)])
def test_crossed_and_locked(bid: str, ask: str, odd: bool) -> None:
    assert crossed(tick("hedge", bid, ask)) is odd


def test_since_when_a_book_is_crossed_and_that_it_teaches_nothing() -> None:
    books = Books.by(LIMITS)
    books.see(tick("hedge", "2000", "2001", 1.0))
    books.see(tick("hedge", "2001", "2001", 2.0))
    books.see(tick("hedge", "2002", "2001", 2.5))
    assert books.crossed_since == {"hedge": 2.0}
    assert books.mids["hedge"] == D("2000.5")
    books.see(tick("hedge", "2000", "2001", 3.0))
    assert not books.crossed_since


@pytest.mark.parametrize(
    ("to", "silent", "frozen"),
    [("2001.5", 1.1, True), ("2001.5", 0.9, False), ("2000.9", 5.0, False), ("1998.5", 1.1, True)],
)
def test_a_silent_book_beside_a_moving_one(to: str, silent: float, frozen: bool) -> None:
    books = Books.by(LIMITS)
    books.see(tick("hedge", "2000", "2000.1"))
    books.see(tick("primary", "2000", "2000.1"))
    books.see(tick("hedge", to, str(D(to) + D("0.1"))))
    assert bool(books.frozen("primary", silent)) is frozen


def test_a_hedge_that_is_silent_is_no_better() -> None:
    books = Books.by(LIMITS)
    books.see(tick("primary", "2000", "2000.1"))
    books.see(tick("hedge", "2000", "2000.1"))
    books.see(tick("primary", "2001.5", "2001.6"))
    assert "hedge book is silent" in books.frozen("hedge", 1.1)
    assert books.frozen("primary", 1.1) == ""


def test_a_side_with_nobody_but_us_is_hollow() -> None:
    books = Books.by(LIMITS)
    alone = BookTick("primary", ((D(2000), D(1)),), ((D(2001), D(1)),), 0.0)
    books.see(alone, Own("buy", D(2000), D(1)))
    assert books.hollow == {"primary"}
    books.see(tick("primary", "2000", "2001"))
    assert not books.hollow


def test_nothing_is_frozen_before_both_have_spoken() -> None:
    books = Books.by(LIMITS)
    books.see(tick("primary", "2000", "2001"))
    assert books.frozen("primary", 9.0) == ""
    assert books.gap is None


def test_the_usual_difference_is_a_price_once_it_is_guessed() -> None:
    books = Books.by(LIMITS)
    books.see(tick("hedge", "1998", "2000"))
    for number in range(7):
        books.see(tick("primary", "1999", "2001", number / 4))
    assert books.usual_difference is None
    books.see(tick("primary", "1999", "2001", 7 / 4))
    assert books.usual_difference == 1

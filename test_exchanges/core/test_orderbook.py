"""The book against a naive one of Decimals, whatever the spelling, the losses and the order."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpdex.errors import NotSynced, ProtocolError
from mpdex.types import BookUpdate, OrderBook
from mpdex.utils.orderbook import BUFFERED, RESTARTED, ZEROS, Book

D = Decimal
Levels = Iterable[tuple[str, str]]


def snapshot(bids: Levels, asks: Levels, last: int = 0) -> BookUpdate:
    return BookUpdate("X", bids, asks, last, last, True, 1)


def change(first: int, last: int | None = None, bids: Levels = (), asks: Levels = ()) -> BookUpdate:
    return BookUpdate("X", bids, asks, first, first if last is None else last, False, first)


class Naive:
    """Two dictionaries of Decimals, sorted on every read."""

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}

    def apply(self, bids: Levels, asks: Levels) -> None:
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for price, size in levels:
                if D(size):
                    side[D(price)] = D(size)
                else:
                    side.pop(D(price), None)

    def levels(self) -> OrderBook:
        return OrderBook(
            symbol="X",
            bids=sorted(self.bids.items(), reverse=True),
            asks=sorted(self.asks.items()),
            timestamp_ms=None,
            indicative=False,
        )


def check(book: Book, naive: Naive) -> None:
    """Everything the book can be asked."""
    expected, got = naive.levels(), book.levels()
    assert (got["bids"], got["asks"]) == (expected["bids"], expected["asks"])
    top = [side[0] if side else (None, None) for side in (expected["bids"], expected["asks"])]
    bbo = book.bbo()
    assert [(bbo["bid"], bbo["bid_size"]), (bbo["ask"], bbo["ask_size"])] == top
    assert [D(text) if text else None for text in book.best()] == [*top[0], *top[1]]
    bid, ask = top[0][0], top[1][0]
    assert book.crossed == (bid is not None and ask is not None and bid >= ask)


# --------------------------------------------------------------------------- spelling

ticks = st.integers(1, 60)
spellings = st.sampled_from(
    ["{:f}", "{:.2f}", "{:.4f}", "0{:f}", "{:.3E}", "+{:f}", "{:.8f}", "{:e}"]
)
prices = st.builds(lambda tick, form: form.format(D(tick) / 4), ticks, spellings)
sizes = st.one_of(
    st.sampled_from(sorted(ZEROS)),
    st.builds(lambda n, form: form.format(D(n) / 1000), st.integers(1, 9999), spellings),
)
sides = st.lists(st.tuples(prices, sizes), max_size=12)
messages = st.tuples(sides, sides)


@given(messages, st.lists(messages, max_size=15))
def test_any_spelling_gives_the_naive_book(
    first: tuple[list[tuple[str, str]], list[tuple[str, str]]],
    later: list[tuple[list[tuple[str, str]], list[tuple[str, str]]]],
) -> None:
    book, naive = Book("X"), Naive()
    assert book.apply(snapshot(*first, last=1))
    naive.apply(*first)
    check(book, naive)
    for number, (bids, asks) in enumerate(later, 2):
        assert book.apply(change(number, bids=bids, asks=asks))
        naive.apply(bids, asks)
        check(book, naive)


@given(st.sampled_from(sorted(ZEROS)))
def test_zero_is_zero(text: str) -> None:
    assert D(text) == 0
    assert float(text) == 0


@pytest.mark.parametrize(
    "zero", ["0", "0.0", "0.00000", "0E-8", "0e-18", "-0.0", "0.", ".00", "000"]
)
def test_zero_in_any_spelling_removes(zero: str) -> None:
    book = Book("X")
    book.apply(snapshot([("1.0", "2")], [("2.0", "2")], 1))
    book.apply(change(2, bids=[("1.00", zero)]))
    assert book.best() == ("", "", "2.0", "2")
    assert book.bbo()["bid"] is None
    assert not book.crossed


def test_another_spelling_is_the_same_level() -> None:
    book = Book("X")
    book.apply(snapshot([("1.0", "2")], [], 1))
    book.apply(change(2, bids=[("1.00", "3")]))
    book.apply(change(3, bids=[("1", "4")]))
    assert book.levels()["bids"] == [(D(1), D(4))]
    assert book.best() == ("1", "4", "", "")


def test_a_side_said_twice_counts_as_said_last() -> None:
    book = Book("X")
    book.apply(snapshot([("1", "2"), ("3", "1"), ("1.0", "5"), ("3", "0")], []))
    assert book.levels()["bids"] == [(D(1), D(5))]


@pytest.mark.parametrize("price", ["nan", "inf", "-inf", "", "abc"])
@pytest.mark.parametrize("side", ["bids", "asks"])
def test_what_is_not_a_price_makes_it_stale_and_is_said(price: str, side: str) -> None:
    book = Book("X")
    book.apply(snapshot([("1", "2")], [("2", "2")], 1))
    with pytest.raises(ProtocolError, match="X"):
        book.apply(change(2, **{side: [(price, "1")]}))  # type: ignore[arg-type]
    assert book.stale
    with pytest.raises(NotSynced):
        book.best()


def test_what_is_not_a_size_is_said_on_reading() -> None:
    book = Book("X")
    book.apply(snapshot([("1", "much")], []))
    with pytest.raises(ProtocolError, match="much"):
        book.levels()


def test_prices_that_floats_cannot_tell_apart_are_refused() -> None:
    book = Book("X")
    book.apply(snapshot([("1.00000000000000001", "2")], [], 1))
    with pytest.raises(ProtocolError, match="digits"):
        book.apply(change(2, bids=[("1.00000000000000002", "2")]))
    assert book.stale


def test_a_change_that_ends_before_it_begins_is_refused() -> None:
    book = Book("X")
    book.apply(snapshot([], [], 5))
    with pytest.raises(ProtocolError, match="from number 7 to 6"):
        book.apply(change(7, 6))


# --------------------------------------------------------------------------- sequence


class Venue:
    """A market whose every state is remembered: changes of one to three numbers each."""

    def __init__(self, widths: list[int]) -> None:
        self.changes: list[BookUpdate] = []
        self.states: dict[int, OrderBook] = {}
        self._naive, number = Naive(), 10
        self.numbers = [number]
        self.states[number] = self._naive.levels()
        for index, width in enumerate(widths):
            bids = [(str(index % 5 + 1), str(index % 4))]
            asks = [(str(index % 3 + 10), str(index % 5))]
            self.changes.append(change(number + 1, number + width, bids, asks))
            number += width
            self._naive.apply(bids, asks)
            self.numbers.append(number)
            self.states[number] = self._naive.levels()

    def snapshot(self, index: int) -> BookUpdate:
        number = self.numbers[index]
        state = self.states[number]
        bids = [(str(price), str(size)) for price, size in state["bids"]]
        asks = [(str(price), str(size)) for price, size in state["asks"]]
        return snapshot(bids, asks, number)


fates = st.sampled_from(["once", "once", "once", "twice", "lost", "repeat"])


@given(st.lists(st.tuples(st.integers(1, 3), fates), max_size=30), st.data())
def test_it_is_a_true_state_of_the_venue_or_stale(
    story: list[tuple[int, str]], data: st.DataObject
) -> None:
    """Changes are lost, doubled and repeated; snapshots come when they like, old or ahead."""
    venue, book = Venue([width for width, _ in story]), Book("X")
    reached = 0
    for index, (_, fate) in enumerate(story):
        deliveries = {"lost": 0, "twice": 2}.get(fate, 1)
        for _ in range(deliveries):
            book.apply(venue.changes[index])
        if fate == "repeat":
            book.apply(venue.changes[data.draw(st.integers(0, index))])
        if data.draw(st.booleans()):
            book.apply(venue.snapshot(data.draw(st.integers(0, len(story)))))
        if book.stale:
            assert book.sequence is None
            reached = 0
            continue
        sequence, levels = book.sequence, book.levels()
        assert sequence is not None
        assert sequence >= reached
        assert (levels["bids"], levels["asks"]) == (
            venue.states[sequence]["bids"],
            venue.states[sequence]["asks"],
        )
        reached = sequence


@given(st.lists(st.integers(1, 3), min_size=1, max_size=20), st.data())
def test_a_snapshot_anywhere_in_the_buffer_joins(widths: list[int], data: st.DataObject) -> None:
    venue, book = Venue(widths), Book("X")
    seen = data.draw(st.integers(0, len(widths)))
    for update in venue.changes[:seen]:
        assert not book.apply(update)
    taken = data.draw(st.integers(0, len(widths)))
    assert book.apply(venue.snapshot(taken))
    assert book.sequence == venue.numbers[max(seen, taken)]
    for update in venue.changes[seen:]:
        assert book.apply(update)
    assert book.sequence == venue.numbers[-1]
    assert book.levels()["bids"] == venue.states[venue.numbers[-1]]["bids"]


def test_reads_raise_until_a_snapshot() -> None:
    book = Book("X")
    reads = [book.best, book.bbo, book.levels, lambda: book.vwap("buy", D(1))]
    reads += [lambda: book.depth_within("buy", 1), lambda: book.crossed]
    for read in reads:
        with pytest.raises(NotSynced, match="X"):
            read()
    assert book.apply(snapshot([], []))
    for read in reads:
        read()


def test_a_gap_makes_it_stale_until_a_snapshot_that_reaches_the_kept_changes() -> None:
    book = Book("X")
    assert book.apply(snapshot([("1", "1")], [], 5))
    assert book.apply(change(6, bids=[("1", "2")]))
    assert not book.apply(change(8, bids=[("1", "4")]))
    assert (book.stale, book.gaps) == (True, 1)
    assert not book.apply(change(9, bids=[("2", "1")]))
    assert not book.apply(snapshot([("1", "2")], [], 6))  # too old: 7 is in neither
    assert book.apply(snapshot([("1", "3")], [], 7))
    assert book.levels()["bids"] == [(D(2), D(1)), (D(1), D(4))]
    assert (book.sequence, book.gaps) == (9, 1)


def test_old_changes_are_ignored_and_an_overlap_is_applied() -> None:
    book = Book("X")
    book.apply(snapshot([("1", "1")], [], 5))
    assert book.apply(change(4, 5, bids=[("1", "9")]))
    assert book.apply(change(4, 7, bids=[("1", "2")]))
    assert book.best()[:2] == ("1", "2")
    assert book.sequence == 7


def test_a_hole_among_the_kept_changes_is_found() -> None:
    book = Book("X")
    for number in (3, 4, 6, 7):
        book.apply(change(number, bids=[(str(number), "1")]))
    assert not book.apply(snapshot([], [], 2))
    assert not book.apply(snapshot([], [], 4))
    assert book.apply(snapshot([], [], 5))
    assert [price for price, _ in book.levels()["bids"]] == [D(7), D(6)]


def test_the_buffer_is_bounded() -> None:
    book = Book("X")
    for number in range(1, BUFFERED + 11):
        book.apply(change(number))
    assert not book.apply(snapshot([], [], 9))
    assert book.apply(snapshot([], [], 10))
    assert book.sequence == BUFFERED + 10


def test_an_unnumbered_snapshot_begins_the_stream() -> None:
    book = Book("X")
    book.apply(change(500, bids=[("9", "9")]))
    assert book.apply(snapshot([("1", "1")], []))
    assert book.sequence is None
    assert book.levels()["bids"] == [(D(1), D(1))]
    assert book.apply(change(1061214, bids=[("1", "2")]))
    assert book.apply(change(1061215, bids=[("1", "3")]))
    assert book.best()[1] == "3"
    assert not book.apply(change(1061217))


def test_an_unnumbered_snapshot_begins_any_count() -> None:
    book = Book("X")
    book.apply(snapshot([], []))
    book.apply(change(900))
    assert book.apply(snapshot([], []))
    assert all(book.apply(change(number)) for number in range(1, 2 * RESTARTED))
    assert book.sequence == 2 * RESTARTED - 1


def test_an_older_snapshot_does_not_turn_a_good_book_back() -> None:
    book = Book("X")
    book.apply(snapshot([("1", "1")], [], 5))
    book.apply(change(6, bids=[("1", "2")]))
    assert book.apply(snapshot([("1", "1")], [], 5))
    assert (book.best()[1], book.sequence) == ("2", 6)
    assert book.apply(snapshot([("1", "7")], [], 8))
    assert (book.best()[1], book.sequence) == ("7", 8)


def test_a_venue_that_counts_anew_is_noticed() -> None:
    book = Book("X")
    book.apply(snapshot([("1", "1")], []))
    book.apply(change(900))
    told = [book.apply(change(number)) for number in range(1, RESTARTED + 1)]
    assert told == [True] * (RESTARTED - 1) + [False]
    assert book.gaps == 1
    assert book.apply(snapshot([("1", "5")], [], RESTARTED))
    assert book.apply(change(RESTARTED + 1, bids=[("1", "6")]))


def test_a_venue_that_counts_anew_is_noticed_while_stale() -> None:
    book = Book("X")
    for number in (900, 901, *range(1, RESTARTED + 1)):
        book.apply(change(number))
    assert book.apply(snapshot([], [], RESTARTED))
    assert book.gaps == 0


def test_single_repeats_are_no_new_count() -> None:
    book = Book("X")
    book.apply(snapshot([], [], 1))
    for number in range(2, 40):
        assert book.apply(change(number))
        assert book.apply(change(max(2, number - 5)))


def test_a_stream_behind_its_snapshot_is_no_new_count() -> None:
    book = Book("X")
    book.apply(snapshot([("1", "1")], [], 50))
    assert all(book.apply(change(number, bids=[("1", "9")])) for number in range(40, 51))
    assert book.best()[1] == "1"
    assert book.apply(change(51, bids=[("1", "2")]))
    assert book.best()[1] == "2"


def test_reset_forgets() -> None:
    book = Book("X")
    book.apply(snapshot([("1", "1")], [], 5))
    book.reset()
    assert book.stale
    assert not book.apply(change(6))
    assert book.apply(snapshot([("1", "1")], [], 3)) is False
    assert book.apply(snapshot([("1", "1")], [], 5))


def test_times() -> None:
    book = Book("X")
    book.apply(snapshot([], [], 5), 1.5)
    assert (book.updated_ms, book.received) == (1, 1.5)
    book.apply(change(6), 2.5)
    assert (book.updated_ms, book.received) == (6, 2.5)
    book.apply(change(6), 3.5)
    assert (book.updated_ms, book.received) == (6, 2.5)


# --------------------------------------------------------------------------- reading


@pytest.fixture
def book() -> Book:
    book = Book("X")
    book.apply(
        snapshot(
            [("99.5", "4"), ("100", "1"), ("99", "2")],
            [("101", "1"), ("102", "2"), ("103", "3")],
            1,
        )
    )
    return book


def test_depth_of_levels(book: Book) -> None:
    assert book.levels(1) == OrderBook(
        symbol="X",
        bids=[(D(100), D(1))],
        asks=[(D(101), D(1))],
        timestamp_ms=1,
        indicative=False,
    )
    assert len(book.levels(2)["asks"]) == 2
    assert len(book.levels(50)["asks"]) == 3


@pytest.mark.parametrize(
    ("side", "size", "average"),
    [
        ("buy", "1", D(101)),
        ("buy", "2", D("101.5")),
        ("buy", "6", D(614) / 6),
        ("buy", "6.0001", None),
        ("sell", "0.5", D(100)),
        ("sell", "3", (D(100) + 2 * D("99.5")) / 3),
    ],
)
def test_vwap(book: Book, side: str, size: str, average: Decimal | None) -> None:
    assert book.vwap(side, D(size)) == average  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("side", "bps", "size"),
    [
        ("sell", 0, "1"),
        ("sell", 49, "1"),
        ("sell", 50, "5"),
        ("sell", 100, "7"),
        ("buy", 99, "1"),
        ("buy", 100, "3"),
        ("buy", 1000, "6"),
    ],
)
def test_depth_within(book: Book, side: str, bps: int, size: str) -> None:
    assert book.depth_within(side, D(bps)) == D(size)  # type: ignore[arg-type]


def test_an_empty_side_holds_nothing(book: Book) -> None:
    book.apply(snapshot([], [("101", "1")], 2))
    assert book.vwap("sell", D(1)) is None
    assert book.depth_within("sell", 100) == 0
    assert book.best() == ("", "", "101", "1")


def test_crossed(book: Book) -> None:
    assert not book.crossed
    book.apply(change(2, bids=[("101.0", "1")]))
    assert book.crossed

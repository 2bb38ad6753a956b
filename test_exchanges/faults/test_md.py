"""Market data: MD-01 to MD-10 of the fault matrix."""

from __future__ import annotations

from decimal import Decimal

import pytest
from faults.moments import EACH_FILLS, FIRST_FILLS, STILL, journal, resting, to_hedge, until
from faults.telling import began, ended, hedges, quotes

from mpdex.types import OrderStatus

D = Decimal
LEGS = pytest.mark.parametrize("leg", ["P", "H"])
AGE = 2.0  # seconds after which a book is too old to quote from
FROZEN = 1.25  # and when the other venue moves on meanwhile
OPEN = 3.0  # seconds for which every gate must have held before quotes come back


def after_the_second(*rules, lasts=0.0, seen=None):
    """A `during`: rules from the moment the second quote rests; later quotes fill.

    `seen` is told when they began, when the quote was gone, and when they ended, in seconds.
    """

    async def during(lab):
        quote = await resting(lab, 2)
        seen["at"] = lab.clock.monotonic()
        for rule in rules:
            lab.faults.add(rule)
        await until(lambda: not quote.live)
        seen["gone"] = lab.clock.monotonic()
        seen["end"] = seen["at"] + lasts
        seen["quote"] = quote
        lab.faults.add(EACH_FILLS)

    return during


def quoted(verdict, since, until_):
    """Quotes that arrived between two moments."""
    return [order for order in quotes(verdict) if since < began(order) < until_]


def pauses(verdict):
    return "\n".join(line["text"] for line in journal(verdict, "note") if "paused" in line["text"])


@pytest.mark.fault("MD-01", tier=1)
@LEGS
def test_md_01_a_gap_makes_the_book_unknown_at_once(row, leg):
    """One frame is missing: the next one tells, the quote is pulled, and the book is asked anew."""
    seen = {}
    during = after_the_second(f"{leg}.ws_public.book -> gap(1)", seen=seen)
    verdict = row(FIRST_FILLS, source=STILL, cycles=3, outcome="R", during=during)
    assert seen["gone"] - seen["at"] < 2.5, "two tellings of the book and one cancel"
    assert not seen["quote"].filled
    assert "has an empty side" in pauses(verdict)
    assert quoted(verdict, seen["gone"], seen["gone"] + OPEN - 0.5) == []
    assert len(to_hedge(verdict)) == len(hedges(verdict))


@pytest.mark.fault("MD-01", tier=1)
def test_md_01_what_is_owed_is_hedged_without_a_book(row):
    """The hedge's book has a gap, and its snapshot does not come: the price is an estimate."""

    async def during(lab):
        await resting(lab, 2)
        lab.faults.add("H.meta.between(0s, 8s) -> http(500)")
        lab.faults.add("H.ws_public.book -> gap(1)")
        book = await until(lambda: lab.faults.rules[-1].fired)
        assert book
        lab.faults.add("P.fill(q).at(0s)")
        lab.faults.add(EACH_FILLS)

    verdict = row(FIRST_FILLS, source=STILL, cycles=3, outcome="D", during=during, idle=True)
    assert max(to_hedge(verdict)) < 1.0


@pytest.mark.fault("MD-02", tier=1)
@pytest.mark.parametrize(
    ("leg", "lost"),
    [("P", "P.ws_public.snapshot -> lose(2)"), ("H", "H.meta -> http(500) x 4")],
)
def test_md_02_a_change_is_never_taken_for_a_book(row, leg, lost):
    """After the gap the answer with the snapshot is lost, too; only changes come. Prices have moved
    meanwhile: whoever laid the changes over the old book, or took them for one, would show."""
    seen = {}
    gap = f"{leg}.ws_public.book -> gap(1)"
    during = after_the_second(lost, gap, "X.move(20).at(3s)", seen=seen)
    verdict = row(FIRST_FILLS, source=STILL, cycles=3, outcome="D", during=during)
    later = quoted(verdict, seen["gone"], 1e9)
    assert later, "a new snapshot was asked for until it came"
    for order in later:
        assert abs(order.price - D(3006)) < D("0.5"), "at the price of the new book"
    assert {order.status for order in quotes(verdict)} == {OrderStatus.FILLED, OrderStatus.CANCELED}
    assert max(to_hedge(verdict)) < 1.0


@pytest.mark.fault("MD-03", tier=1)
@LEGS
def test_md_03_nothing_is_quoted_from_a_crossed_book(row, leg):
    """Bids where asks should be, for five seconds: and since a book is kept by changes, wrong
    levels would stay in it for ever if it were not asked for anew."""
    seen = {}
    crossed = f"{leg}.ws_public.book.between(0s, 5s) -> mutate(bid>=ask)"
    during = after_the_second(crossed, lasts=5.0, seen=seen)
    verdict = row(FIRST_FILLS, source=STILL, cycles=3, outcome="D", during=during)
    assert seen["gone"] - seen["at"] < 0.9 + 0.25 + 0.5, "a telling, a moment's doubt, a cancel"
    assert "is crossed" in pauses(verdict)
    assert quoted(verdict, seen["gone"], seen["end"]) == []
    assert max(to_hedge(verdict)) < 1.0


@pytest.mark.fault("MD-04", tier=1)
@LEGS
@pytest.mark.parametrize("moves", [True, False])
def test_md_04_a_silent_book_is_not_the_market(row, leg, moves):
    """The socket lives; the other venue moves on. Within a second more the quote is gone, and
    without any movement when the book is too old."""
    seen = {}
    other = "H" if leg == "P" else "P"
    rules = [f"{leg}.ws_public.silence(20s)"] + [f"{other}.move(30).at(500ms)"] * moves
    during = after_the_second(*rules, lasts=20.0, seen=seen)
    verdict = row(FIRST_FILLS, source=STILL, cycles=3, outcome="D", during=during, timeout=900)
    latest = seen["at"] + (FROZEN if moves else AGE)
    assert quoted(verdict, latest, seen["end"]) == []
    before = quoted(verdict, 0.0, latest)
    assert max(ended(order) for order in before) < latest + 0.3
    assert max(to_hedge(verdict)) < 1.0


@pytest.mark.fault("MD-05", tier=1)
@LEGS
@pytest.mark.parametrize("side", ["buy", "sell", "both"])
def test_md_05_half_a_book_is_no_book(row, leg, side):
    """Our own quote does not make up for a side that nobody else is on."""
    seen = {}
    thin = "thin(0)" if side == "both" else f"thin(0, {side})"
    during = after_the_second(f"{leg}.{thin}.between(0s, 6s)", lasts=6.0, seen=seen)
    verdict = row(FIRST_FILLS, source=STILL, cycles=3, outcome="D", during=during)
    assert seen["gone"] - seen["at"] < 0.5
    assert "has an empty side" in pauses(verdict)
    assert quoted(verdict, seen["gone"], seen["end"]) == []
    assert all(D(line["price"]) > 0 for line in journal(verdict, "intent"))


@pytest.mark.fault("MD-06", tier=1)
@LEGS
@pytest.mark.parametrize("bps", [50, -50])
def test_md_06_a_new_connection_begins_with_an_empty_book(row, leg, bps):
    """All levels change while the socket is down: what was there before would be a ghost, in front
    of one side or the other."""
    seen = {}
    rules = (f"{leg}.ws_public.disconnect(3s)", f"X.move({bps}).at(1s)")
    during = after_the_second(*rules, lasts=3.0, seen=seen)
    verdict = row(FIRST_FILLS, source=STILL, cycles=3, outcome="D", during=during)
    price = D(3000) * (1 + D(bps) / 10_000)
    assert quoted(verdict, seen["gone"], seen["end"]) == []
    assert quoted(verdict, seen["end"], 1e9)
    for order in quoted(verdict, seen["end"], 1e9):
        assert abs(order.price - price) < D("0.5")
    assert {order.status for order in quotes(verdict)} == {OrderStatus.FILLED, OrderStatus.CANCELED}
    intents = [line for line in journal(verdict, "intent") if line["purpose"] == "hedge"]
    decided = [D(line["decision"]) for line in intents]
    there = price * (1 - D(4) / 10_000)
    assert all(abs(value - there) < D("0.5") for value in decided[1:])


@pytest.mark.fault("MD-07", tier=1)
@pytest.mark.parametrize("bps", [40, -40])
def test_md_07_a_basis_that_jumps_is_learned_anew(row, bps):
    """At the instant of a fill the hedge's price leaps: that fill is hedged, nothing new is quoted
    until the median has followed."""
    seen = {}

    async def during(lab):
        await until(lambda: len(lab.truth["P"].fills) >= 12)
        seen["at"] = lab.clock.monotonic()
        lab.faults.add(f"H.move({bps})")

    verdict = row(cycles=24, outcome="D", during=during, timeout=1800)
    assert "the basis is" in pauses(verdict)
    assert not quoted(verdict, seen["at"] + 1.5, seen["at"] + 8.0)
    assert quoted(verdict, seen["at"] + 8.0, 1e9)
    assert max(to_hedge(verdict)) < 2.0


@pytest.mark.fault("MD-08", tier=2)
@LEGS
@pytest.mark.parametrize("bps", [350, -350, 100])
def test_md_08_one_wild_update_moves_no_quote(row, leg, bps):
    """A slip of somebody's finger, gone after a tenth of a second. On the primary it may take our
    quote on its way; what is hedged then is hedged at the price there is."""
    spike = f"{leg}.move({bps}, 100ms)"

    async def during(lab):
        await resting(lab, 2)
        lab.faults.add(spike)

    verdict = row(cycles=4, outcome="D", during=during, timeout=900)
    for order in quotes(verdict):
        assert abs(order.price - D(3000)) < D(3), "within ten bps of where the market was"
    assert max(to_hedge(verdict)) < 1.0


@pytest.mark.fault("MD-09", tier=2)
def test_md_09_a_quote_does_not_outbid_itself(row):
    """The spread is twenty ticks wide and nobody else moves: the quote joins the best, goes a tick
    before it, and at last as near as it may. It never takes its own price for a rival's."""
    verdict = row(
        source=STILL,
        markets={"P": {"tick": "0.001"}},
        fill_timeout=15,
        cycles=1,
        outcome="R",
        gate="off",
        timeout=120,
    )
    prices = [order.price for order in quotes(verdict)]
    assert prices[0] <= D("3000.001")
    assert len(prices) <= 3, prices


@pytest.mark.fault("MD-10", tier=2)
@LEGS
@pytest.mark.parametrize("factor", ["*1000", "*0.001"])
def test_md_10_a_time_in_other_units_is_no_time(row, leg, factor):
    """Days from now, either way: such news has no age, and no quote rests on it."""
    seen = {}
    mutated = f"{leg}.ws_public.book.between(0s, 6s) -> mutate(ts={factor})"
    during = after_the_second(mutated, lasts=6.0, seen=seen)
    verdict = row(FIRST_FILLS, source=STILL, cycles=3, outcome="D", during=during)
    assert seen["gone"] - seen["at"] < 1.5
    assert "is older than" in pauses(verdict)
    assert quoted(verdict, seen["gone"], seen["end"]) == []

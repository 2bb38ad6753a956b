"""Notes, books and the other texts: what a pair is refused for, and that every table agrees."""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from acceptance.venue_rows import (
    COIN,
    COUNTERSIGNED,
    FRAGILE,
    KEYS,
    KOREAN,
    PAGES,
    POLLED,
    QUOTED,
    README,
    ROOT,
    UNTRIED,
    Arrived,
    arrivals,
    claims,
    listed,
    on_stage,
    table,
)

from exchange_factory import VENUES, load
from mpdex.conformance.stage import Stage
from strategies.checks import check_pair
from strategies.config import HedgeConfig
from strategies.findings import Findings

KOREAN_WORDS = {
    "perpetuals": "무기한",
    "spot": "현물",
    COUNTERSIGNED: "외부 서명 후",
    QUOTED: "시장가는 견적 후",
    POLLED: "book (견적 폴링)",
    FRAGILE: "취약: 헤지 전용",
    UNTRIED: "실거래 미검증",
}


# --------------------------------------------------------------------------- notes and books


def problems(primary: str, hedge: str) -> str:
    """What the hedge says of a pair before it asks anybody."""
    found, specs = Findings(), {"primary": load(primary).SPEC, "hedge": load(hedge).SPEC}
    config = HedgeConfig(primary=primary, hedge=hedge, ticker=COIN, size=Decimal(1))
    check_pair(config, specs, found)  # type: ignore[arg-type]
    return "\n".join(found.problems)


def book_of(venue: str) -> str:
    """By docs/venues/README.md."""
    book = table(PAGES)[venue][2]
    return venue if book == "its own" else book


@pytest.mark.parametrize("venue", VENUES)
def test_a_fragile_venue_is_refused_as_a_primary_and_no_other_is(venue: str) -> None:
    fragile = FRAGILE in listed(claims(venue).note)
    others = [other for other in VENUES if book_of(other) != book_of(venue)]
    assert len(others) > 1
    for other in others:
        assert ("use it as --hedge only" in problems(venue, other)) == fragile


@pytest.mark.parametrize("venue", VENUES)
def test_what_was_not_tried_live_is_said(venue: str) -> None:
    quality = tomllib.loads((ROOT / "wrappers" / "quality.toml").read_text(encoding="utf-8"))
    words = listed(claims(venue).note)
    assert (UNTRIED in words) == (quality[venue]["live"] != "done")
    assert set(words) <= {FRAGILE, UNTRIED}


@cache
def listing_requests(venue: str) -> frozenset[tuple[str, str, bytes]]:
    """What is asked of a venue for its markets."""
    told: list[Arrived] = []

    async def look(stage: Stage) -> None:
        dex = await stage.open()
        kept = arrivals(stage)
        await dex.load_markets()
        told.extend(kept)

    on_stage(venue, look)
    assert told
    return frozenset((a.request.method, a.request.path, a.request.body) for a in told)


@pytest.mark.parametrize("venue", VENUES)
def test_venues_of_one_book_list_the_same_markets_and_are_no_pair(venue: str) -> None:
    others = [other for other in VENUES if other != venue]
    shared = any(book_of(other) == book_of(venue) for other in others)
    assert (table(PAGES)[venue][2] == "its own") != shared
    for other in others:
        one_book = book_of(venue) == book_of(other)
        assert bool(listing_requests(venue) & listing_requests(other)) == one_book, other
        assert ("one order book" in problems(venue, other)) == one_book, other


# --------------------------------------------------------------------------- the other texts


@pytest.mark.parametrize("path", [README, KOREAN, PAGES, KEYS], ids=lambda path: path.parent.name)
def test_each_table_has_every_venue_once(path: Path) -> None:
    assert list(table(path)) == list(VENUES)
    assert path.read_text(encoding="utf-8").count("<!-- venues: made by") == 1


@pytest.mark.parametrize("venue", VENUES)
def test_the_korean_table_says_the_same(venue: str) -> None:
    told = [
        {KOREAN_WORDS.get(word, word) for word in listed(cell)} for cell in table(README)[venue]
    ]
    assert [set(listed(cell)) for cell in table(KOREAN)[venue]] == told


@pytest.mark.parametrize("venue", VENUES)
def test_the_list_of_pages_says_the_same_and_has_the_page(venue: str) -> None:
    markets, orders, _, page = table(PAGES)[venue]
    assert (markets, orders) == (claims(venue).markets, claims(venue).orders)
    links = re.findall(r"\]\(([^)]+)\)", page)
    links += re.findall(rf"\[`{re.escape(venue)}`\]\(docs/venues/([^)]+)\)", README.read_text())
    assert len(links) == 2
    assert all(f"`{venue}`" in (PAGES.parent / link).read_text() for link in links)

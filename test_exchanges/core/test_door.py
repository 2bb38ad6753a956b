"""One budget of attempts for all connections to a venue."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise

import pytest
from core.ws_double import virtually

from mpdex.errors import TransportError
from mpdex.utils.door import Door, door_of_loop
from mpdex.utils.socket import HandshakeRefused

RNG = random.Random(3)


class Venue:
    """Turns away so many, then lets in. `knocks`: when each came."""

    def __init__(self, *refusals: Exception) -> None:
        self.refusals = list(refusals)
        self.knocks: list[float] = []

    async def connect(self) -> str:
        self.knocks.append(asyncio.get_running_loop().time())
        if self.refusals:
            raise self.refusals.pop(0)
        return "inside"


async def insist(door: Door, venue: Venue) -> str:
    while True:
        try:
            return await door.enter(venue.connect, RNG)
        except HandshakeRefused:
            continue


@virtually
async def test_all_wait_for_the_one_who_was_turned_away() -> None:
    door, venue = Door(), Venue(*(HandshakeRefused(429) for _ in range(5)))
    assert await asyncio.gather(*(insist(door, venue) for _ in range(3))) == ["inside"] * 3
    first = [at for at in venue.knocks if at == venue.knocks[0]]
    later = venue.knocks[len(first) :]
    pauses = [b - a for a, b in pairwise(later)]
    assert len(venue.knocks) == 8 == door.knocks
    assert all(pause >= 1.0 for pause in pauses[: 5 - len(first)]), "one at a time, each later"
    assert pauses[5 - len(first) :] == pytest.approx([0.0, 0.0], abs=0.01), "open for everybody"


@virtually
async def test_the_venue_s_own_pause_is_kept() -> None:
    door, venue = Door(), Venue(HandshakeRefused(429, retry_after=30.0))
    await insist(door, venue)
    assert venue.knocks[1] - venue.knocks[0] >= 30.0


@virtually
async def test_other_failures_are_nobody_else_s_business() -> None:
    door, venue = Door(), Venue(TransportError("refused"), HandshakeRefused(401))
    with pytest.raises(TransportError):
        await door.enter(venue.connect, RNG)
    with pytest.raises(HandshakeRefused):
        await door.enter(venue.connect, RNG)
    assert await door.enter(venue.connect, RNG) == "inside"
    assert venue.knocks == [venue.knocks[0]] * 3


@virtually
async def test_a_venue_has_one_door_for_each_way_out() -> None:
    assert door_of_loop(("grvt", None)) is door_of_loop(("grvt", None))
    assert door_of_loop(("grvt", None)) is not door_of_loop(("grvt", "socks5://there"))

"""Paradex passes what every venue passes, in each encoding; run as a script, its vectors too."""

from __future__ import annotations

import asyncio

import pytest
from checkout import recorded, run_as_script

from mpdex.conformance.stage import Stage, staged, until
from mpdex.errors import SessionEnded, TransportError
from mpdex.sim.venues.paradex import ParadexSim
from mpdex.testing import VenueConformance

REFUSED = "reject(PERMISSION, INVALID_TOKEN)"


class TestParadex(VenueConformance):
    venue = "paradex"
    whole_books = True
    late = frozenset({"MARGIN", "PRICE_BAND", "REDUCE_ONLY"})
    recorded = recorded("paradex")

    @staged()
    async def test_a_token_refused_with_an_order_is_not_used_again(self, stage: Stage) -> None:
        dex = await stage.open()
        heard = await stage.hear(dex)
        logins = stage.count("auth")
        stage.faults(f"P.place.nth(1) -> {REFUSED}")
        with pytest.raises(SessionEnded):
            await stage.rest(dex)
        await until(heard.is_back, "the socket is made anew")
        await stage.rest(dex)
        assert stage.count("auth") == logins + 1

    @staged()
    async def test_a_login_that_fails_once_is_made_again(self, stage: Stage) -> None:
        """Ahead of the token's end, where the old one still serves, and after it, with the socket
        lost as well."""
        dex = await stage.open()
        heard = await stage.hear(dex)
        await stage.rest(dex)
        first = dex.session_expires_ms
        await asyncio.sleep(215)
        stage.faults("P.auth.nth(1) -> http(503, '{}')")
        with pytest.raises(TransportError):
            await dex.freshen()
        assert (await dex.get_positions(), dex.session_expires_ms) == ([], first)
        await dex.freshen()
        assert dex.session_expires_ms > first + 200_000
        assert not heard.is_down(), "the socket stays"
        await asyncio.sleep(310)
        stage.faults("P.auth.nth(1) -> http(503, '{}')\nP.ws_private -> disconnect(0s)")
        await until(heard.is_down, "the socket is lost")
        await until(heard.is_back, "it comes back with a token that holds")
        await stage.rest(dex)


class Text(ParadexSim):
    """Speaks JSON alone, as the venue did before September 2026."""

    offers_json = True
    highest_version = 0


class TestParadexInText(TestParadex):
    sim_class = Text


class Older(ParadexSim):
    """The first schema, and private channels in JSON as the documentation has them."""

    highest_version = 1
    packs_private = False


class TestParadexOfTheFirstSchema(TestParadex):
    sim_class = Older


if __name__ == "__main__":
    raise SystemExit(run_as_script(__file__))

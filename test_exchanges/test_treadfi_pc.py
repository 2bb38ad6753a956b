"""TreadFi on Pacifica passes what every venue passes, by token and by session; run as a script, its
vectors too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import treadfi_suite
from checkout import recorded, run_as_script

from mpdex.conformance.stage import Stage, staged
from mpdex.errors import AuthError, OutcomeUnknown
from mpdex.testing import VenueConformance
from mpdex.types import OrderStatus
from wrappers.treadfi_pc import TreadfiPcExchange

SUPPORTS = TreadfiPcExchange.SPEC.supports


class BySession(TreadfiPcExchange):
    """Logged in with a wallet, although the stage has a token, too."""

    SPEC = replace(TreadfiPcExchange.SPEC, supports=SUPPORTS - {"client_order_id"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "token": ""})


class OnPacifica(VenueConformance):
    venue = "treadfi.pacifica"
    unsupported = frozenset({"get_clock_skew"})
    recorded = recorded("treadfi_pc")
    whole_books = True


class TestTreadfiPc(treadfi_suite.OwnFills, OnPacifica):
    """By token."""

    @staged()
    async def test_no_login_is_made(self, stage: Stage) -> None:
        dex = await stage.open()
        await stage.rest(dex)
        await dex.get_collateral()
        assert stage.count("auth") == 0
        assert dex.session_expires_ms is None

    @staged()
    async def test_a_token_that_nobody_gave_is_refused(self, stage: Stage) -> None:
        dex = await stage.open(token="0" * 40)
        with pytest.raises(AuthError, match="Invalid token"):
            await stage.rest(dex)

    @staged()
    async def test_an_order_of_an_earlier_run_is_found_by_the_clients_id(
        self, stage: Stage
    ) -> None:
        dex = await stage.open()
        stage.faults("P.place.nth(1) -> drop_response(silence)")
        with pytest.raises(OutcomeUnknown) as caught:
            await stage.rest(dex)
        own, later = caught.value.client_order_id, await stage.open()
        order = await later.get_order(stage.symbol, client_order_id=own)
        assert order["status"] is OrderStatus.OPEN
        await later.cancel_order(stage.symbol, client_order_id=own)
        assert stage.truth.open_orders(stage.account) == []


class TestTreadfiPcBySession(treadfi_suite.BySession, OnPacifica):
    exchange_class = BySession

    @staged()
    async def test_a_session_takes_no_client_ids_by_itself(self, stage: Stage) -> None:
        dex = await stage.open(TreadfiPcExchange, token="")
        assert dex.SPEC.supports == SUPPORTS - {"client_order_id"}
        assert TreadfiPcExchange.SPEC.supports == SUPPORTS


if __name__ == "__main__":
    raise SystemExit(run_as_script(__file__))

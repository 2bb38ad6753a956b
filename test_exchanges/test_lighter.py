"""Lighter passes what every venue passes; run as a script, its signing vectors too."""

import asyncio

import pytest
from checkout import recorded, run_as_script

from mpdex.conformance.stage import FAR, Stage, staged, until
from mpdex.errors import NonceRefused, OrderNotFound, OutcomeUnknown
from mpdex.testing import VenueConformance
from mpdex.types import OrderStatus


class TestLighter(VenueConformance):
    venue = "lighter"
    recorded = recorded("lighter")

    @staged()
    async def test_a_fence_keeps_out_an_order_that_was_lost(self, stage: Stage) -> None:
        dex = await stage.open()
        stage.faults("P.place.nth(1) -> drop_request(silence)")
        own = await _in_doubt(dex, stage)
        await dex.fence_order(stage.symbol, own)
        with pytest.raises(OrderNotFound):
            await dex.get_order(stage.symbol, client_order_id=own)
        assert stage.truth.order_history(stage.account) == []
        assert stage.count("cancel") == 1, "the fence sets the dead man's switch to what it is"
        await stage.found(dex, await stage.rest(dex))

    @staged()
    async def test_a_fence_keeps_out_what_an_earlier_run_has_lost(self, stage: Stage) -> None:
        """It lands after all: its number, which nobody knows any more, is too low by then."""
        dex = await stage.open()
        stage.faults("P.place.nth(1) -> delay(15s)")
        own = await _in_doubt(dex, stage)
        dex._sent_nonces.clear()
        await dex.fence_order(stage.symbol, own)
        await stage.found(dex, await stage.rest(dex))
        await asyncio.sleep(20)
        with pytest.raises(OrderNotFound):
            await dex.get_order(stage.symbol, client_order_id=own)
        assert len(stage.truth.order_history(stage.account)) == 1

    @staged()
    async def test_a_fence_leaves_alone_what_has_landed(self, stage: Stage) -> None:
        dex = await stage.open()
        stage.faults("P.place.nth(1) -> drop_response(silence)")
        own = await _in_doubt(dex, stage)
        await dex.fence_order(stage.symbol, own)
        found = await dex.get_order(stage.symbol, client_order_id=own)
        assert found["status"] is OrderStatus.OPEN
        await stage.found(dex, await stage.rest(dex))

    @staged()
    async def test_a_fence_keeps_the_dead_mans_switch(self, stage: Stage) -> None:
        dex = await stage.open(exclusive=True)
        await dex.schedule_cancel(600)
        stage.faults("P.place.nth(1) -> drop_request(silence)")
        await dex.fence_order(stage.symbol, await _in_doubt(dex, stage))
        await stage.found(dex, await stage.rest(dex))
        await until(lambda: not stage.truth.open_orders(stage.account), "it strikes", seconds=700)

    @staged()
    async def test_a_refused_nonce_is_asked_for_anew(self, stage: Stage) -> None:
        dex = await stage.open()
        stage.faults("P.place.nth(2) -> reject(NONCE)")
        await stage.rest(dex)
        with pytest.raises(NonceRefused):
            await stage.rest(dex)
        await until(lambda: stage.truth.open_orders(stage.account), "the first order rests")
        await dex.get_open_orders()  # nonces are told once they have been executed
        assert (await stage.rest(dex))["status"] is OrderStatus.PENDING

    @staged()
    async def test_a_cancel_of_which_only_the_nonce_was_refused_is_sent_again(
        self, stage: Stage
    ) -> None:
        dex = await stage.open()
        order = await stage.rest(dex)
        await stage.found(dex, order)
        stage.faults("P.cancel.nth(1) -> reject(NONCE)")
        await dex.cancel_order(stage.symbol, client_order_id=order["client_order_id"])
        assert stage.count("cancel") == 2
        await until(lambda: not stage.truth.open_orders(stage.account), "it is canceled")

    @staged()
    async def test_a_refusal_by_the_front_spares_the_nonce(self, stage: Stage) -> None:
        dex = await stage.open()
        await stage.rest(dex)
        nonces = dex._nonces
        before = nonces.take(0)
        nonces.spare(before)
        stage.faults("P.place.nth(1) -> reject(MARGIN)")
        with pytest.raises(Exception, match="margin"):
            await stage.rest(dex)
        assert nonces.take(0) == before
        nonces.spare(before)
        await stage.found(dex, await stage.rest(dex))

    @staged()
    async def test_while_the_socket_is_lost_orders_go_by_rest(self, stage: Stage) -> None:
        dex = await stage.open()
        heard = await stage.hear(dex)
        await stage.rest(dex)
        stage.faults("P.ws_* -> disconnect(5s)")
        await until(heard.is_down, "the drop is visible")
        placed = await stage.rest(dex, "sell")
        assert dex.rest_counts["POST", "/api/v1/sendTx"] == 1
        assert stage.true_order(placed).size == placed["size"]
        await until(heard.is_back, "the stream is back")
        await stage.rest(dex)
        assert dex.rest_counts["POST", "/api/v1/sendTx"] == 1

    @staged()
    async def test_who_is_alone_cancels_a_market_by_one_transaction(self, stage: Stage) -> None:
        dex = await stage.open(exclusive=True)
        spot = await dex.find_symbol(self.coin, "spot")
        kept = await dex.create_order(spot, "buy", stage.unit, stage.price("buy", FAR))
        placed = [await stage.rest(dex, side) for side in ("buy", "sell")]
        assert len(await dex.cancel_orders(stage.symbol)) == len(placed)
        await until(lambda: len(stage.truth.open_orders(stage.account)) == 1, "two are canceled")
        [left] = stage.truth.open_orders(stage.account)
        assert (left.client_id, stage.count("cancel")) == (kept["client_order_id"], 1)


async def _in_doubt(dex: object, stage: Stage) -> str:
    """The client id of an order without an answer."""
    with pytest.raises(OutcomeUnknown) as caught:
        await stage.rest(dex)
    return caught.value.client_order_id


if __name__ == "__main__":
    raise SystemExit(run_as_script(__file__))

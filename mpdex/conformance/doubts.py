"""Commands without an answer: what happened is not known, is not guessed, and is not repeated."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mpdex.conformance.shapes import shaped
from mpdex.conformance.stage import FAR, Stage, Suite, staged, until
from mpdex.errors import OrderNotFound, OutcomeUnknown, TransportError
from mpdex.types import Order, OrderStatus, Position

LOSSES = ("silence", "reset")


class Doubts(Suite):
    """Three answers, never two."""

    @pytest.mark.parametrize("how", LOSSES)
    @staged()
    async def test_accepted_but_the_answer_is_lost(self, stage: Stage, how: str) -> None:
        dex = await stage.open()
        stage.faults(f"P.place.nth(1) -> drop_response({how})")
        unknown = await _place_in_doubt(dex, stage)
        found = await stage.found(dex, unknown, lambda o: o["status"] is OrderStatus.OPEN)
        [true] = stage.truth.order_history(stage.account)
        assert found["id"] == stage.id_of(true)
        assert stage.count("place") == 1, "a command was sent twice"

    @pytest.mark.parametrize("how", LOSSES)
    @staged()
    async def test_lost_before_the_venue_saw_it(self, stage: Stage, how: str) -> None:
        dex = await stage.open()
        stage.faults(f"P.place.nth(1) -> drop_request({how})")
        unknown = await _place_in_doubt(dex, stage)
        with pytest.raises(OrderNotFound):
            await dex.get_order(stage.symbol, client_order_id=unknown["client_order_id"])
        assert stage.truth.order_history(stage.account) == []
        assert stage.count("place") == 1, "a command was sent twice"

    @pytest.mark.parametrize("page", ["", "<html>Bad gateway</html>"])
    @staged()
    async def test_an_answer_that_cannot_be_read_is_no_answer(
        self, stage: Stage, page: str
    ) -> None:
        if stage.kind.SPEC.order_route != "rest":
            pytest.skip("declared: orders do not go by REST")
        dex = await stage.open()
        for status in (500, 502, 503):
            stage.faults(f"P.place.nth(1) -> http({status}, '{page}', accept=true)")
            unknown = await _place_in_doubt(dex, stage)
            await stage.found(dex, unknown)
        assert len(stage.truth.order_history(stage.account)) == stage.count("place") == 3

    @pytest.mark.parametrize("how", LOSSES)
    @staged()
    async def test_a_cancel_without_an_answer_is_not_repeated(self, stage: Stage, how: str) -> None:
        dex = await stage.open()
        placed = await stage.rest(dex)
        await until(lambda: stage.truth.open_orders(stage.account), "the order rests")
        stage.faults(f"P.cancel.nth(1) -> drop_response({how})")
        with pytest.raises(OutcomeUnknown):
            await dex.cancel_order(stage.symbol, client_order_id=placed["client_order_id"])
        ended = await stage.ended(dex, placed)
        assert ended["status"] is OrderStatus.CANCELED
        assert stage.count("cancel") == 1, "a command was sent twice"

    @staged()
    async def test_a_venue_that_is_down_is_no_flat_account(self, stage: Stage) -> None:
        dex = await stage.open()
        stage.truth.manual_trade(stage.account, stage.true_symbol, stage.unit)
        stage.faults("P.halt(down)")
        calls = (dex.get_position, dex.get_open_orders, dex.get_mark_price)
        for call in calls:
            with pytest.raises(TransportError):
                await call(stage.symbol)
        with pytest.raises(TransportError):
            await dex.get_collateral()
        stage.world.faults.clear()
        position = shaped(await dex.get_position(stage.symbol), Position)
        assert position["size"] == stage.unit

    @staged()
    async def test_a_read_is_asked_again_after_a_hiccup(self, stage: Stage) -> None:
        dex = await stage.open()
        for trouble in ("http(503)", "reject(RATE)", "drop_request(reset)"):
            before = stage.count("query_positions")
            stage.faults(f"P.query_positions.nth(1) -> {trouble}")
            assert await dex.get_position(stage.symbol) is None
            assert stage.count("query_positions") == before + 2
            stage.world.faults.clear()


async def _place_in_doubt(dex: Any, stage: Stage) -> Order:
    """Places an order whose outcome must not be known; what to ask for it with."""
    given = "client_order_id" in stage.kind.SPEC.supports
    named = {"client_order_id": dex.new_client_id()} if given else {}
    price: Decimal = stage.price("buy", FAR)
    with pytest.raises(OutcomeUnknown) as caught:
        await dex.create_order(stage.symbol, "buy", stage.unit, price, **named)
    own = caught.value.client_order_id
    assert dex.owns(own), "the error does not say which order it is about"
    assert not named or own == named["client_order_id"], "the error is about another order"
    assert caught.value.venue == stage.name
    stage.check_clean(caught.value, repr(caught.value), caught.value.raw)
    asked: Any = {"symbol": stage.symbol, "client_order_id": own}
    return asked  # type: ignore[no-any-return]

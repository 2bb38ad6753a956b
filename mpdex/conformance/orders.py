"""Orders from placing to their end: resting, taking, partly filled, refused, closed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from mpdex.conformance.shapes import shaped
from mpdex.conformance.stage import FAR, Stage, Suite, staged, until
from mpdex.errors import (
    AuthError,
    BadOrder,
    InsufficientMargin,
    MarketUnavailable,
    OrderNotFound,
    OrderRejected,
    PostOnlyWouldCross,
    PriceOutOfBand,
    RateLimited,
    ReduceOnlyRefused,
    Unsupported,
    VenueError,
)
from mpdex.types import Fill, Order, OrderStatus, Position, TimeInForce

ZERO = Decimal(0)
# What the venue says in its own words, and the one class that it is here.
REFUSALS = {
    "MARGIN": InsufficientMargin,
    "REDUCE_ONLY": ReduceOnlyRefused,
    "PRICE_BAND": PriceOutOfBand,
    "MARKET_STATE": MarketUnavailable,
    "AUTH": AuthError,
    "RATE": RateLimited,
    "PRECISION": VenueError,
}


class Orders(Suite):
    """Commands that are answered."""

    # ---------------------------------------------------------------- before sending

    @staged()
    async def test_an_order_under_the_minimum_is_refused_before_sending(self, stage: Stage) -> None:
        dex = await stage.open()
        least, price = stage.market["min_size"], stage.price("buy", FAR)
        for size in (least / 2, least * 0, -least, stage.market["step"] / 10):
            with stage.nothing_sent(), pytest.raises(BadOrder):
                await dex.create_order(stage.symbol, "buy", size, price)
        with stage.nothing_sent(), pytest.raises(BadOrder, match=f"use {least.normalize():f}"):
            await dex.create_order(stage.symbol, "buy", least / 2, price)

    @staged()
    async def test_contradictions_are_refused_before_sending(self, stage: Stage) -> None:
        dex = await stage.open()
        price = stage.price("buy", FAR)
        contradictions = (
            {"side": "up", "price": price},
            {"side": "buy", "price": None, "order_type": "limit"},
            {"side": "buy", "price": price, "order_type": "stop"},
            {"side": "buy", "price": price, "post_only": True, "time_in_force": "IOC"},
            {"side": "buy", "price": price, "time_in_force": "DAY"},
            {"side": "buy", "price": -price},
            {"side": "buy", "price": "dear"},
        )
        for options in contradictions:
            with stage.nothing_sent(), pytest.raises(BadOrder):
                await dex.create_order(stage.symbol, amount=stage.unit, **options)
        for call in (dex.cancel_order, dex.get_order):
            with stage.nothing_sent(), pytest.raises(BadOrder):
                await call(stage.symbol)

    # ---------------------------------------------------------------- resting

    @staged()
    async def test_a_resting_order_is_found_by_both_ids_and_canceled(self, stage: Stage) -> None:
        self.need("get_order")
        dex = await stage.open()
        placed = await stage.rest(dex)
        assert placed["status"] in (OrderStatus.PENDING, OrderStatus.OPEN)
        found = await stage.found(dex, placed, lambda o: o["status"] is OrderStatus.OPEN)
        true = stage.true_order(placed)
        assert found["id"] == stage.id_of(true)
        assert (found["side"], found["type"], found["size"]) == ("buy", "limit", true.size)
        assert (found["price"], found["filled"]) == (true.price, ZERO)
        assert found["time_in_force"] is TimeInForce.GTC
        told = "post_only" in stage.kind.SPEC.supports and "post_only" not in self.untold
        assert found["post_only"] == told
        assert not found["reduce_only"]
        assert found["average_price"] is None
        assert (await dex.get_order(stage.symbol, found["id"]))["id"] == found["id"]
        for symbol in (stage.symbol, None):
            [resting] = await dex.get_open_orders(symbol)
            assert shaped(resting, Order)["id"] == found["id"]
        answer = await dex.cancel_order(stage.symbol, found["id"])
        assert answer is None or shaped(answer, Order)["status"] is OrderStatus.CANCELED
        ended = await stage.ended(dex, placed)
        assert (ended["status"], ended["filled"]) == (OrderStatus.CANCELED, ZERO)
        assert await dex.get_open_orders(stage.symbol) == []
        assert stage.count("place", "cancel") == 2

    @staged()
    async def test_an_order_is_canceled_by_the_clients_id(self, stage: Stage) -> None:
        self.need_flag("client_order_id")
        dex = await stage.open()
        own = dex.new_client_id()
        placed = await stage.rest(dex, "sell", client_order_id=own)
        assert placed["client_order_id"] == own
        await until(lambda: stage.truth.open_orders(stage.account), "the order rests")
        assert stage.true_order(placed).client_id == own
        await dex.cancel_order(stage.symbol, client_order_id=own)
        await until(lambda: not stage.truth.open_orders(stage.account), "the order is canceled")

    @staged()
    async def test_all_orders_of_one_market_are_canceled(self, stage: Stage) -> None:
        dex = await stage.open()
        placed = [await stage.rest(dex, side) for side in ("buy", "buy", "sell")]
        await until(lambda: len(stage.truth.open_orders(stage.account)) == 3, "three orders rest")
        canceled = await dex.cancel_orders(stage.symbol)
        assert {o["client_order_id"] for o in canceled} == {o["client_order_id"] for o in placed}
        await until(lambda: not stage.truth.open_orders(stage.account), "all are canceled")
        assert await dex.cancel_orders(stage.symbol) == []

    @staged()
    async def test_the_given_orders_are_canceled_and_no_other(self, stage: Stage) -> None:
        dex = await stage.open()
        first, second = [await stage.rest(dex, side) for side in ("buy", "sell")]
        found = await stage.found(dex, first, lambda o: o["status"] is OrderStatus.OPEN)
        await dex.cancel_orders(stage.symbol, [found])
        await stage.ended(dex, first)
        [left] = stage.truth.open_orders(stage.account)
        assert left is stage.true_order(second)

    @staged()
    async def test_an_order_that_never_was_is_not_found(self, stage: Stage) -> None:
        self.need("get_order")
        dex = await stage.open()
        another = await stage.rest(dex)  # in the history, where it must not be taken for the other
        await dex.cancel_orders(stage.symbol)
        await stage.ended(dex, another)
        nobody = dex.new_client_id()
        with pytest.raises(OrderNotFound):
            await dex.get_order(stage.symbol, client_order_id=nobody)
        with suppress(OrderNotFound):  # some venues acknowledge any cancel
            assert await dex.cancel_order(stage.symbol, client_order_id=nobody) is None

    @staged()
    async def test_sizes_and_prices_are_put_on_the_grid(self, stage: Stage) -> None:
        dex = await stage.open()
        step, tick = stage.market["step"], stage.market["tick"]
        for side, sign in (("buy", 1), ("sell", -1)):
            price = stage.price(side, FAR)
            order = await dex.create_order(
                stage.symbol, side, stage.unit + step * 2 / 3, price + sign * tick / 3
            )
            true = stage.true_order(order)
            assert (true.size, true.price) == (stage.unit, price), "an order got dearer or larger"

    # ---------------------------------------------------------------- post-only

    @staged()
    async def test_post_only_that_would_cross_is_refused_and_takes_nothing(
        self, stage: Stage
    ) -> None:
        self.need_flag("post_only")
        dex = await stage.open()
        for side in ("buy", "sell"):
            price = stage.price(side, -FAR)
            try:
                order = await dex.create_order(
                    stage.symbol, side, stage.unit, price, post_only=True
                )
            except PostOnlyWouldCross:
                continue
            ended = await stage.ended(dex, order)
            assert ended["status"] is OrderStatus.REJECTED
            assert dex.decode_reason(ended["reason"]) is PostOnlyWouldCross, ended["reason"]
        await asyncio.sleep(2)
        assert stage.truth.fills(stage.account) == []
        assert stage.truth.open_orders(stage.account) == []

    # ---------------------------------------------------------------- taking

    @staged()
    async def test_taking_moves_the_position_and_closing_ends_it(self, stage: Stage) -> None:
        self.need("get_fills")
        self.need_flag("ioc", "market")
        dex = await stage.open()
        for side, units, expected in (("buy", 3, "long"), ("sell", 5, "short")):
            ended = await stage.take(dex, side, units)
            assert (ended["status"], ended["filled"]) == (OrderStatus.FILLED, stage.unit * units)
            assert ended["average_price"] is not None or "average_price" in self.untold
            position = shaped(await dex.get_position(stage.symbol), Position)
            assert (position["side"], position["size"]) == (expected, abs(stage.net()))
            await self._check_fills(dex, stage, ended)
        closing = await dex.close_position(stage.symbol, position)
        assert closing["side"] == "buy"
        assert (await stage.ended(dex, closing))["status"] is OrderStatus.FILLED
        assert await dex.get_position(stage.symbol) is None
        assert stage.net() == 0

    @staticmethod
    async def _check_fills(dex: object, stage: Stage, order: Order) -> None:
        """The fills of an order are those of the truth, and sum up to it."""
        told: list[Fill] = await dex.get_fills(stage.symbol)  # type: ignore[attr-defined]
        fills = [shaped(f, Fill) for f in told if f["order_id"] == order["id"]]
        facts = stage.truth.fills(stage.account)
        true = [fact for fact in facts if stage.id_of(fact.order) == order["id"]]
        assert sum(f["size"] for f in fills) == order["filled"]
        assert [(f["price"], f["size"]) for f in fills] == [(f.price, f.size) for f in true]
        for fill, fact in zip(fills, true, strict=True):
            assert (fill["side"], fill["liquidity"]) == (order["side"], "taker")
            assert fill["symbol"] == stage.symbol
            assert fill["client_order_id"] in (order["client_order_id"], None)
            assert fill["fee"] is None or abs(fill["fee"] - fact.fee) < Decimal("0.000001")
            assert abs(fill["timestamp_ms"] - fact.time_ns // 1_000_000) <= 1

    @staged()
    async def test_a_market_order_fills_at_once(self, stage: Stage) -> None:
        self.need_flag("market")
        dex = await stage.open()
        placed = await dex.create_order(stage.symbol, "sell", stage.unit)
        ended = await stage.ended(dex, shaped(placed, Order))
        if stage.kind.SPEC.market_bound_bps is None:
            assert (ended["type"], ended["price"]) == ("market", None)
        else:
            assert ended["price"] is None or ended["price"] < stage.truth.mark(stage.true_symbol)
        assert (ended["status"], stage.net()) == (OrderStatus.FILLED, -stage.unit)

    @staged()
    async def test_an_ioc_order_takes_what_there_is_and_ends(self, stage: Stage) -> None:
        self.need_flag("ioc")
        dex = await stage.open()
        stage.truth.thin(stage.unit, "sell", stage.true_symbol)
        best = stage.truth.best(stage.true_symbol)[1]
        placed = await dex.create_order(
            stage.symbol, "buy", stage.unit * 3, best, time_in_force="IOC"
        )
        ended = await stage.ended(dex, placed)
        assert ended["filled"] == stage.net() == stage.unit
        assert ended["status"] in (OrderStatus.CANCELED, OrderStatus.EXPIRED)

    @staged()
    async def test_a_fok_order_fills_whole_or_not_at_all(self, stage: Stage) -> None:
        self.need_flag("fok")
        dex = await stage.open()
        stage.truth.thin(stage.unit * 2, "sell", stage.true_symbol)
        best = stage.truth.best(stage.true_symbol)[1]
        for units, filled in ((3, 0), (2, 2)):
            try:
                placed = await dex.create_order(
                    stage.symbol, "buy", stage.unit * units, best, time_in_force="FOK"
                )
                await stage.ended(dex, placed)
            except OrderRejected:
                assert not filled, "an order that could fill was refused"
            assert stage.net() == stage.unit * filled

    @staged()
    async def test_a_slippage_bound_is_taken_with_some_order(self, stage: Stage) -> None:
        self.need_flag("slippage_bps")
        dex = await stage.open()
        price = stage.price("buy", -FAR)
        try:
            placed = await dex.create_order(stage.symbol, "buy", stage.unit, slippage_bps=50)
        except Unsupported:
            placed = await dex.create_order(
                stage.symbol, "buy", stage.unit, price, time_in_force="IOC", slippage_bps=50
            )
        await stage.ended(dex, placed)
        assert stage.net() == stage.unit

    @staged()
    async def test_reduce_only_reduces_and_never_opens(self, stage: Stage) -> None:
        self.need_flag("reduce_only", "ioc")
        dex = await stage.open()
        await self._try_reducing(dex, stage)
        assert stage.net() == 0, "reduce-only opened a position"
        await stage.take(dex, "buy", 2)
        await self._try_reducing(dex, stage)
        assert 0 <= stage.net() <= stage.unit * 2, "reduce-only turned the position"
        order = await stage.take(dex, "sell", 1, is_reduce_only=True) if stage.net() else None
        assert order is None or order["reduce_only"]

    @staticmethod
    async def _try_reducing(dex: object, stage: Stage) -> None:
        """Sells three units reduce-only; the venue may trim it, refuse it, end it or drop it."""
        if stage.kind.SPEC.reports_dropped:
            with suppress(ReduceOnlyRefused):
                await stage.take(dex, "sell", 3, is_reduce_only=True)
            return
        price, size = stage.price("sell", -FAR), stage.unit * 3
        options: Any = {"time_in_force": "IOC", "is_reduce_only": True}
        with suppress(ReduceOnlyRefused):
            await dex.create_order(stage.symbol, "sell", size, price, **options)  # type: ignore[attr-defined]
        await asyncio.sleep(2)

    @staged()
    async def test_a_partly_filled_order_keeps_what_it_filled(self, stage: Stage) -> None:
        dex = await stage.open()
        placed = await stage.rest(dex, units=4)
        await until(lambda: stage.truth.open_orders(stage.account), "the order rests")
        stage.truth.fill(stage.true_order(placed), stage.unit)
        partly = await stage.found(dex, placed, lambda o: o["filled"] > 0)
        assert (partly["filled"], partly["status"]) == (stage.unit, OrderStatus.OPEN)
        average = None if "average_price" in self.untold else placed["price"]
        assert partly["average_price"] == average
        await dex.cancel_order(stage.symbol, partly["id"])
        ended = await stage.ended(dex, placed)
        assert (ended["filled"], ended["status"]) == (stage.unit, OrderStatus.CANCELED)
        assert stage.net() == stage.unit

    @staged()
    async def test_all_fills_since_a_time_are_read_once_over_all_pages(self, stage: Stage) -> None:
        self.need("get_fills")
        dex = await stage.open()
        for number in range(1100):
            sign = 1 if number % 2 else -1
            stage.truth.manual_trade(stage.account, stage.true_symbol, sign * stage.unit)
            await asyncio.sleep(0.002)
        true = stage.truth.fills(stage.account)
        start = true[40].time_ns // 1_000_000
        for since, first in ((0, 0), (start, 40)):
            fills = await dex.get_fills(stage.symbol, since)
            assert len({shaped(fill, Fill)["id"] for fill in fills}) == len(fills), "one twice"
            told = [(fill["timestamp_ms"], fill["side"]) for fill in fills]
            assert told == [(f.time_ns // 1_000_000, f.order.side) for f in true[first:]]

    # ---------------------------------------------------------------- refused

    @pytest.mark.parametrize("kind", sorted(REFUSALS))
    @staged()
    async def test_each_refusal_has_its_class_and_is_not_repeated(
        self, stage: Stage, kind: str
    ) -> None:
        dex = await stage.open()
        stage.faults(f"P.place -> reject({kind})")
        if kind in self.late:
            ended = await stage.ended(dex, await stage.rest(dex))
            assert (ended["status"], ended["filled"]) == (OrderStatus.REJECTED, ZERO)
            assert dex.decode_reason(ended["reason"]) is REFUSALS[kind], ended["reason"]
        else:
            with pytest.raises(REFUSALS[kind]) as caught:
                await stage.rest(dex)
            assert caught.value.venue == stage.name
            assert caught.value.code, "the venue's own code is lost"
            assert stage.truth.order_history(stage.account) == []
        assert stage.count("place") == 1, "a refused order was sent again"

    @staged()
    async def test_a_spot_order_moves_the_coins(self, stage: Stage) -> None:
        self.need_flag("spot", "market")
        dex = await stage.open()
        symbol = await dex.find_symbol(self.spot_coin or self.coin, "spot")
        market, account = await dex.get_market(symbol), stage.truth.accounts[stage.account]
        assert market["kind"] == "spot"
        before, size = account.coins.get(self.coin, ZERO), max(market["min_size"], stage.unit)
        for side, units, net in (("buy", 4, 4), ("sell", 3, 1)):
            await stage.ended(dex, await dex.create_order(symbol, side, size * units))
            held = account.coins.get(self.coin, ZERO) - before
            assert abs(held - size * net) <= size / 10  # the fee may be taken in coins
        assert await dex.get_position(stage.symbol) is None

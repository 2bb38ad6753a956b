"""Paper orders on live books: what fills, at what price, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest
from acceptance.pair import key_params

from exchange_factory import create_exchange
from mpdex.errors import OrderNotFound, PostOnlyWouldCross
from mpdex.paper import PaperVenue
from mpdex.sim.run import start
from mpdex.types import CancelRequest, Fees, OrderRequest, OrderStatus, TimeInForce, Topic
from mpdex.utils.virtual_loop import run_virtual

D = Decimal
ETH = "ETH_USDT_Perp"
FEES = Fees(symbol=ETH, maker=D("-0.0001"), taker=D("0.0005"), assumed=True, raw=None)
Play = Callable[[PaperVenue, Any], Coroutine[Any, Any, None]]


def on_paper(play: Play) -> None:
    """Plays on a simulated venue's books; afterwards the venue itself has seen no order."""

    async def main() -> None:
        async with await start(["grvt"]) as world:
            params = key_params(world, "grvt")
            async with await create_exchange("grvt", params, clock=world.clock) as dex:
                dex.block_orders("paper only")
                paper = PaperVenue(dex, FEES)
                await paper.start_streams([Topic("book", ETH), Topic("fills")])
                await play(paper, world.exchanges["grvt"])
            exchange = world.exchanges["grvt"]
            assert all(exchange.order_history(account) == [] for account in exchange.accounts)

    run_virtual(main())


def order(paper: PaperVenue, side: Any, size: str, price: Decimal, **flags: Any) -> OrderRequest:
    return OrderRequest(
        symbol=ETH, side=side, size=D(size), price=price, client_id=paper.new_client_id(), **flags
    )


def test_a_taker_pays_each_level_it_reaches_and_rests_nothing() -> None:
    async def play(paper: PaperVenue, exchange: Any) -> None:
        fills: list[Any] = []
        paper.on_fills(fills.append)
        asks = paper.book(ETH).levels(5)["asks"]
        reach = sum((size for _, size in asks[:2]), D(0))
        wanted = order(paper, "buy", str(reach + 1), asks[1][0], time_in_force=TimeInForce.IOC)
        done = await paper.submit_order(wanted)
        await asyncio.sleep(0)
        assert done["status"] is OrderStatus.EXPIRED
        assert done["filled"] == reach
        assert [(fill["price"], fill["size"]) for fill in fills] == asks[:2]
        assert fills[0]["fee"] == asks[0][0] * asks[0][1] * FEES["taker"]
        paid = sum((price * size for price, size in asks[:2]), D(0))
        assert done["average_price"] is not None
        assert done["average_price"] * reach == pytest.approx(paid)
        (position,) = await paper.get_positions()
        assert (position["side"], position["size"]) == ("long", reach)

    on_paper(play)


def test_a_quote_fills_at_its_price_when_the_market_comes() -> None:
    async def play(paper: PaperVenue, exchange: Any) -> None:
        told: list[Any] = []
        paper.on_orders(told.append)
        bid = paper.book(ETH).levels(1)["bids"][0][0]
        quote = order(paper, "buy", "0.5", bid - 5, post_only=True)
        resting = await paper.submit_order(quote)
        assert (resting["status"], resting["filled"]) == (OrderStatus.OPEN, 0)
        exchange.move(D(-100))
        await asyncio.sleep(2)
        assert [report["status"] for report in told] == [OrderStatus.OPEN, OrderStatus.FILLED]
        (fill,) = await paper.get_fills(ETH)
        assert (fill["price"], fill["size"], fill["liquidity"]) == (bid - 5, D("0.5"), "maker")
        assert fill["fee"] is not None
        assert fill["fee"] < 0
        with pytest.raises(OrderNotFound):
            await paper.submit_cancel(CancelRequest(symbol=ETH, client_id=quote.client_id))

    on_paper(play)


def test_a_crossing_quote_is_refused_and_a_canceled_one_never_fills() -> None:
    async def play(paper: PaperVenue, exchange: Any) -> None:
        ask = paper.book(ETH).levels(1)["asks"][0][0]
        with pytest.raises(PostOnlyWouldCross):
            await paper.submit_order(order(paper, "buy", "0.5", ask, post_only=True))
        quote = order(paper, "sell", "0.5", ask + 5, post_only=True)
        await paper.submit_order(quote)
        await paper.submit_cancel(CancelRequest(symbol=ETH, client_id=quote.client_id))
        exchange.move(D(100))
        await asyncio.sleep(2)
        found = await paper.get_order(ETH, client_order_id=quote.client_id)
        assert found["status"] is OrderStatus.CANCELED
        assert await paper.get_positions() == []

    on_paper(play)


def test_closing_leaves_the_entry_price_and_flipping_starts_anew() -> None:
    async def play(paper: PaperVenue, exchange: Any) -> None:
        async def take(side: Any, size: str) -> Decimal:
            far = D(10_000) if side == "buy" else D(1)
            await paper.submit_order(order(paper, side, size, far, time_in_force=TimeInForce.IOC))
            return (await paper.get_fills(ETH))[-1]["price"]

        entry = await take("buy", "0.4")
        await take("sell", "0.1")
        (position,) = await paper.get_positions()
        assert (position["size"], position["entry_price"]) == (D("0.3"), entry)
        turned = await take("sell", "0.5")
        (position,) = await paper.get_positions()
        assert (position["side"], position["size"]) == ("short", D("0.2"))
        assert position["entry_price"] == turned

    on_paper(play)

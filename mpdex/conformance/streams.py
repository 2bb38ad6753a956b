"""What is heard: books, own orders, fills and positions, across drops, gaps and repetitions."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from mpdex.conformance.proxy import CountingProxy
from mpdex.conformance.shapes import check_bbo, check_book, shaped
from mpdex.conformance.stage import Stage, Suite, some, staged, until
from mpdex.types import Fill, Order, OrderStatus, Position, Topic


class Streams(Suite):
    """Sockets of the venue."""

    def need_channel(self, *channels: str) -> None:
        """Skip where no stream of the venue carries one of these."""
        carried = frozenset().union(*(stream.CHANNELS for stream in self.kind().streams()))
        for channel in channels:
            if channel not in carried:
                pytest.skip(f"declared: no stream of {channel}")

    # ---------------------------------------------------------------- account

    @staged()
    async def test_an_orders_life_is_heard(self, stage: Stage) -> None:
        self.need_channel("orders", "fills")
        dex = await stage.open()
        heard = await stage.hear(dex)
        placed = await stage.rest(dex, units=3)
        await until(lambda: heard.taken(placed), "the order is heard")
        stage.truth.fill(stage.true_order(placed), stage.unit)
        await until(lambda: heard.fills, "the fill is heard")
        await dex.cancel_order(stage.symbol, client_order_id=placed["client_order_id"])
        await until(lambda: heard.of(placed)[-1]["status"].terminal, "the end is heard")
        first, last = (shaped(heard.taken(placed)[place], Order) for place in (0, -1))
        true = stage.true_order(placed)
        assert (first["status"], first["filled"]) == (OrderStatus.OPEN, Decimal(0))
        assert (last["status"], last["filled"]) == (OrderStatus.CANCELED, stage.unit)
        assert {order["id"] for order in heard.of(placed)} == {true.order_id}
        [fill] = [shaped(fill, Fill) for fill in heard.fills]
        assert (fill["order_id"], fill["price"]) == (true.order_id, true.price)
        assert (fill["size"], fill["liquidity"]) == (stage.unit, "maker")

    @staged()
    async def test_reads_are_answered_from_the_streams(self, stage: Stage) -> None:
        self.need_channel("orders", "fills", "positions")
        dex = await stage.open()
        await stage.hear(dex)
        placed = await stage.rest(dex, units=3)
        await until(lambda: stage.truth.open_orders(stage.account), "the order rests")
        stage.truth.fill(stage.true_order(placed), stage.unit)
        await asyncio.sleep(1)
        with stage.nothing_sent():
            position = shaped(await dex.get_position(stage.symbol), Position)
            [order] = await dex.get_open_orders(stage.symbol)
        assert (position["side"], position["size"]) == ("long", stage.unit)
        assert (order["filled"], order["id"]) == (stage.unit, stage.true_order(placed).order_id)
        stage.truth.manual_trade(stage.account, stage.true_symbol, -stage.unit)
        await asyncio.sleep(1)
        with stage.nothing_sent():
            assert await dex.get_position(stage.symbol) is None

    @staged()
    async def test_frames_said_twice_count_once(self, stage: Stage) -> None:
        self.need_channel("orders", "fills")
        dex = await stage.open()
        heard = await stage.hear(dex)
        stage.faults("P.ws_private -> duplicate(0)")
        placed = await stage.rest(dex, units=3)
        await until(lambda: heard.of(placed), "the order is heard")
        for _ in range(3):
            stage.truth.fill(stage.true_order(placed), stage.unit)
            await asyncio.sleep(0.5)
        await until(lambda: heard.of(placed)[-1]["status"].terminal, "the end is heard")
        await asyncio.sleep(2)
        assert len(heard.fills) == 3
        assert len({fill["id"] for fill in heard.fills}) == 3
        ended = [order for order in heard.of(placed) if order["status"].terminal]
        assert len(ended) == 1, "the end was told twice"

    @staged()
    async def test_a_fill_while_the_stream_was_down_is_told_once(self, stage: Stage) -> None:
        self.need_channel("orders", "fills")
        dex = await stage.open()
        heard = await stage.hear(dex)
        placed = await stage.rest(dex, units=2)
        await until(lambda: heard.of(placed), "the order is heard")
        stage.truth.fill(stage.true_order(placed), stage.unit)
        await until(lambda: heard.fills, "the first fill is heard")
        stage.faults("P.ws_private -> disconnect(4s)")
        await until(heard.is_down, "the drop is visible")
        stage.truth.fill(stage.true_order(placed), stage.unit)
        await asyncio.sleep(2)
        assert len(heard.fills) == 1, "heard through a socket that is gone"
        await until(heard.is_back, "the stream is back")
        await asyncio.sleep(20)
        assert [fill["size"] for fill in heard.fills] == [stage.unit, stage.unit]
        assert len({fill["id"] for fill in heard.fills}) == 2
        position = shaped(await dex.get_position(stage.symbol), Position)
        assert (position["side"], position["size"]) == ("long", stage.unit * 2)
        assert await dex.get_open_orders(stage.symbol) == []
        assert len(heard.stream) == 2, f"one drop and one return, not {heard.stream}"

    @staged()
    async def test_a_fill_in_a_silence_is_told_once(self, stage: Stage) -> None:
        """The socket stays open and says nothing: noticed late, and then read back."""
        self.need_channel("orders", "fills")
        dex = await stage.open()
        heard = await stage.hear(dex)
        placed = await stage.rest(dex, units=2)
        await until(lambda: heard.of(placed), "the order is heard")
        stage.faults("P.ws_private -> silence(400s)")
        await asyncio.sleep(1)
        stage.truth.fill(stage.true_order(placed), stage.unit)
        await until(heard.is_down, "the silence is noticed", seconds=200)
        stage.world.faults.clear()
        await until(heard.is_back, "the stream is back")
        await asyncio.sleep(20)
        assert [fill["size"] for fill in heard.fills] == [stage.unit]

    @staged()
    async def test_fills_from_before_are_not_told_after_a_drop(self, stage: Stage) -> None:
        self.need_channel("orders", "fills")
        dex = await stage.open()
        stage.truth.manual_trade(stage.account, stage.true_symbol, stage.unit)
        await asyncio.sleep(20)
        heard = await stage.hear(dex)
        stage.faults("P.ws_* -> disconnect(1s)")
        await until(heard.is_back, "the stream is back")
        await asyncio.sleep(20)
        assert heard.fills == [], "a fill of an earlier time was told as news"

    @staged()
    async def test_the_account_is_read_back_although_the_first_answer_fails(
        self, stage: Stage
    ) -> None:
        self.need_channel("orders", "fills")
        dex = await stage.open()
        heard = await stage.hear(dex)
        placed = await stage.rest(dex, units=2)
        await until(lambda: heard.of(placed), "the order is heard")
        stage.faults("P.query_* .between(0, 30s) -> http(503)")
        stage.faults("P.ws_* -> disconnect(1s)")
        await until(heard.is_down, "the drop is visible")
        stage.truth.fill(stage.true_order(placed), stage.unit)
        await asyncio.sleep(20)
        assert heard.fills == [], "the account cannot be known yet"
        await until(heard.is_back, "the state is known again", seconds=200)
        assert [fill["size"] for fill in heard.fills] == [stage.unit]

    @staged()
    async def test_the_streams_go_on_after_a_drop(self, stage: Stage) -> None:
        self.need_channel("orders", "fills")
        dex = await stage.open()
        heard = await stage.hear(dex)
        for times in (1, 2):
            stage.faults("P.ws_* -> disconnect(1s)")
            await until(lambda t=times: len(heard.stream) == 2 * t, "down and up")  # type: ignore[misc]
            stage.world.faults.clear()
            await stage.take(dex, "buy")
            await until(lambda t=times: heard.filled() == stage.unit * t, "the fill is heard")  # type: ignore[misc]

    # ---------------------------------------------------------------- market

    @staged(lively=True)
    async def test_the_book_follows_the_market(self, stage: Stage) -> None:
        self.need_channel("book")
        dex = await stage.open()
        await dex.start_streams([Topic("book", stage.symbol)])
        for _ in range(5):
            await asyncio.sleep(3)
            await until(lambda: _same_book(dex, stage), "the book is the venue's", step=0.001)
        with stage.nothing_sent():
            check_book(await dex.get_orderbook(stage.symbol, 5), 5)

    @staged(lively=True)
    async def test_a_gap_makes_the_book_stale_until_it_has_recovered(self, stage: Stage) -> None:
        self.need_channel("book")
        if self.whole_books:
            pytest.skip("declared: every frame is a whole book")
        dex = await stage.open()
        await dex.start_streams([Topic("book", stage.symbol)])
        book = dex.book(stage.symbol)
        for _ in range(2):
            stage.faults("P.ws_public.book -> gap(1)")
            await until(lambda: book.stale, "a gap is noticed", step=0.001)
            await until(lambda: not book.stale, "the book recovers by itself", step=0.001)
            await until(lambda: _same_book(dex, stage), "the book is the venue's", step=0.001)

    @staged(lively=True)
    async def test_a_drop_makes_the_book_stale_until_it_has_recovered(self, stage: Stage) -> None:
        self.need_channel("book")
        dex = await stage.open()
        await dex.start_streams([Topic("book", stage.symbol), Topic("bbo", stage.symbol)])
        book = dex.book(stage.symbol)
        stage.faults("P.ws_* -> disconnect(2s)")
        await until(lambda: book.stale, "a drop is noticed", step=0.001)
        await until(lambda: not book.stale, "the book recovers by itself")
        await until(lambda: _same_book(dex, stage), "the book is the venue's", step=0.001)

    @staged(lively=True)
    async def test_marks_are_heard(self, stage: Stage) -> None:
        self.need_channel("mark")
        dex = await stage.open()
        await dex.start_streams([Topic("mark", stage.symbol)])
        await asyncio.sleep(5)
        with stage.nothing_sent():
            mark = await dex.get_mark_price(stage.symbol)
        assert abs(mark / stage.truth.mark(stage.true_symbol) - 1) < stage.market["tick"]

    # ---------------------------------------------------------------- watching

    @staged(lively=True)
    async def test_books_and_quotes_are_watched_and_called_back(self, stage: Stage) -> None:
        self.need_channel("book", "bbo")
        dex = await stage.open()
        books: list[Any] = []
        quotes: list[Any] = []
        stop = dex.on_orderbook(stage.symbol, books.append)
        dex.on_bbo(stage.symbol, quotes.append)
        for book in await some(dex.watch_orderbook(stage.symbol, 5), 3):
            check_book(book, 5)
        for quote in await some(dex.watch_bbo(stage.symbol), 3):
            check_bbo(quote)
        assert len(books) >= 2
        assert len(quotes) >= 2
        stop()
        count = len(books)
        await asyncio.sleep(3)
        assert len(books) == count, "called back after it was stopped"

    @staged()
    async def test_orders_fills_and_positions_are_watched(self, stage: Stage) -> None:
        self.need_channel("orders", "fills", "positions")
        dex = await stage.open()
        heard = await stage.hear(dex)
        orders, fills, positions, _ = await asyncio.gather(
            some(dex.watch_orders(stage.symbol), 1),
            some(dex.watch_fills(stage.symbol), 1),
            some(dex.watch_positions(stage.symbol), 1),
            stage.take(dex, "buy"),
        )
        assert orders == heard.orders[:1]
        assert fills == heard.fills[:1]
        assert positions == heard.positions[:1]
        assert positions[0].size == stage.unit

    # ---------------------------------------------------------------- connections

    @staged()
    async def test_two_objects_of_one_account_share_their_connections(self, stage: Stage) -> None:
        self.need_channel("orders", "fills")
        first, second = await stage.open(), await stage.open()
        await stage.hear(first)
        alone = stage.connections
        heard = await stage.hear(second)
        assert stage.connections == alone, "the second object opened its own connection"
        await first.close()
        assert stage.connections == alone, "the first one out closed what the second uses"
        await stage.take(second, "buy")
        await until(lambda: heard.fills, "the second still hears")
        stage.faults("P.ws_* -> disconnect(1s)")
        await until(heard.is_back, "the second comes back after a drop")
        stage.world.faults.clear()
        await stage.take(second, "sell")
        await until(lambda: len(heard.fills) == 2, "the second still hears")
        await second.close()
        await until(lambda: not stage.connections, "the last one out closes")

    @staged()
    async def test_a_session_that_ends_is_renewed(self, stage: Stage) -> None:
        self.need_channel("fills")
        expire = getattr(stage.world.venues[stage.name], "expire_sessions", None)
        if expire is None:
            pytest.skip("declared: no sessions")
        before = asyncio.all_tasks()
        first, second = await stage.open(), await stage.open()
        await stage.hear(first)
        heard = await stage.hear(second)
        expire()
        assert await first.get_positions() == await second.get_positions() == []
        await first.close()
        expire()
        stage.faults("P.ws_* -> disconnect(1s)")
        await until(heard.is_back, "the stream is back, with a new session")
        stage.world.faults.clear()
        await stage.take(second, "buy")
        await until(lambda: heard.fills, "the second still hears")
        await second.close()
        await until(lambda: asyncio.all_tasks() == before, "every connection is closed", seconds=5)

    @staged(lively=True)
    async def test_closing_leaves_no_task_and_no_connection(self, stage: Stage) -> None:
        before = asyncio.all_tasks()
        dex = await stage.open()
        channels = [c for c in ("book", "bbo", "mark") if stage.has(c)]
        await dex.start_streams([Topic(channel, stage.symbol) for channel in channels])
        await stage.hear(dex)
        await stage.rest(dex)
        await dex.close()
        await until(lambda: not stage.connections, "its sockets are closed", seconds=5)
        await until(lambda: asyncio.all_tasks() == before, "its tasks have ended", seconds=5)
        await dex.close()  # a second time does nothing

    @staged()
    async def test_a_proxy_is_used_on_the_first_connection_and_on_every_other(
        self, stage: Stage
    ) -> None:
        self.need_channel("orders", "fills")
        async with CountingProxy() as proxy:
            dex = await stage.open(proxy=proxy.url)
            heard = await stage.hear(dex)
            assert proxy.requests, "requests went round the proxy"
            first = len(proxy.tunnels)
            assert first == stage.counts[stage.name, "ws", "connect"], "a socket went round it"
            stage.faults("P.ws_* -> disconnect(1s)")
            await until(heard.is_back, "the stream is back")
            assert len(proxy.tunnels) > first, "the reconnect went round the proxy"
            await stage.take(dex, "buy")
            await until(lambda: heard.fills, "the fill is heard")
            stage.check_clean(dex, repr(dex))
            assert "hidden-word" not in f"{dex!r} {dex.feeds!r}"
            await dex.close()

    @staged()
    async def test_the_second_socket_engine_says_the_same(self, stage: Stage) -> None:
        self.need_channel("orders", "fills")
        pytest.importorskip("websockets")
        dex = await stage.open(engine="websockets")
        heard = await stage.hear(dex)
        await stage.take(dex, "buy")
        await until(lambda: heard.fills, "the fill is heard")
        stage.faults("P.ws_* -> disconnect(1s)")
        await until(heard.is_back, "the stream is back")


def _same_book(dex: Any, stage: Stage) -> bool:
    """Whether the client's book is, at this moment, the venue's."""
    book = dex.book(stage.symbol)
    if book.stale:
        return False
    bids, asks, _ = stage.truth.book(stage.true_symbol, 5)
    levels = book.levels(5)
    return (levels["bids"], levels["asks"]) == (bids, asks)

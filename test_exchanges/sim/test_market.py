"""Sources and the stage: equal stories from equal seeds, real tapes, fills in seconds."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from decimal import Decimal as D
from itertools import islice, pairwise
from pathlib import Path

import pytest

from mpdex.sim.board import UNIT, Quote
from mpdex.sim.exchange import SimExchange, SimMarket, SimOrder
from mpdex.sim.market import (
    BasisLag,
    Feed,
    Move,
    Print,
    Stage,
    SyntheticWalk,
    Tape,
    TapePair,
    default_walk,
)
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import run_virtual

ETH = SimMarket(
    symbol="ETH", coin="ETH", quote="USD", tick=D("0.01"), step=D("0.01"), min_size=D("0.01")
)


def _exchange(name: str = "toy", market: SimMarket = ETH) -> SimExchange:
    clock = LoopClock(asyncio.get_running_loop(), 10**18)
    exchange = SimExchange(name, clock=clock, markets=[market])
    exchange.add_account("a", D(100_000))
    return exchange


class Script:
    """A source that tells what it was given."""

    def __init__(self, *moves: Move) -> None:
        self._moves = moves

    def moves(self) -> Iterator[Move]:
        return iter(self._moves)


def _quote(bid: int, ask: int) -> Quote:
    return Quote([(bid * UNIT, UNIT)], [(ask * UNIT, UNIT)], True)


def test_a_walk_is_its_seed() -> None:
    first, again, other = (list(islice(SyntheticWalk(s).moves(), 500)) for s in (3, 3, 4))
    assert first == again
    assert first != other


def test_a_walk_is_a_market() -> None:
    moves = list(islice(SyntheticWalk(5).moves(), 4000))
    quotes = [m.what for m in moves if isinstance(m.what, Quote)]
    trades = [m.what for m in moves if isinstance(m.what, Print)]
    assert [m.at_ns for m in moves] == sorted(m.at_ns for m in moves)
    assert all(q.bids[0][0] < q.asks[0][0] <= q.bids[0][0] + 3 * UNIT // 100 for q in quotes)
    assert {a.taker for a in trades} == {"buy", "sell"}
    assert all(a.taker != b.taker for a, b in pairwise(trades))
    seconds = moves[-1].at_ns / 1e9
    assert 2.0 < len(trades) / seconds < 4.0


def test_a_basis_and_a_lag() -> None:
    source = Script(Move(0, _quote(100, 101)), Move(5, Print(100 * UNIT, UNIT, "sell")))
    moves = list(BasisLag(source, D(10), 2).moves())
    assert moves[0] == Move(0, moves[1].what)
    assert moves[1].at_ns == 2_000_000
    assert isinstance(moves[1].what, Quote)
    assert moves[1].what.bids[0][0] == 100 * UNIT + UNIT // 10
    assert moves[2] == Move(2_000_005, Print(100 * UNIT + UNIT // 10, UNIT, "sell"))


def test_the_stage_plays_in_time() -> None:
    async def story() -> list[D]:
        exchange = _exchange()
        script = Script(Move(0, _quote(100, 101)), Move(2 * 10**9, _quote(200, 201)))
        stage = Stage([Feed(exchange, "ETH", script)], speed=2.0)
        stage.start()
        seen = [exchange.best("ETH")[0]]
        await asyncio.sleep(0.9)
        seen.append(exchange.best("ETH")[0])
        await asyncio.sleep(0.2)
        seen.append(exchange.best("ETH")[0])
        stage.close()
        return seen

    assert run_virtual(story()) == [D(100), D(100), D(200)]


def test_a_closed_stage_is_still() -> None:
    async def story() -> None:
        exchange = _exchange()
        stage = Stage([Feed(exchange, "ETH", SyntheticWalk(1))])
        stage.start()
        stage.close()
        before = exchange.book("ETH")
        await asyncio.sleep(60)
        assert exchange.book("ETH") == before

    run_virtual(story())


def test_a_maker_at_the_best_bid_fills_in_seconds() -> None:
    async def one(seed: int) -> float | None:
        exchange = _exchange()
        stage = Stage([Feed(exchange, "ETH", SyntheticWalk(seed))])
        stage.start()
        await asyncio.sleep(5)
        filled = asyncio.Event()
        order = _bid(exchange)
        exchange.listen(lambda event: filled.set() if not order.remaining else None)
        started = exchange.clock.monotonic()
        try:
            async with asyncio.timeout(60):
                while not filled.is_set():
                    try:
                        async with asyncio.timeout(2):
                            await filled.wait()
                    except TimeoutError:
                        exchange.cancel("a", order_id=order.order_id)
                        if order.remaining:
                            order = _bid(exchange)
        finally:
            stage.close()
        return exchange.clock.monotonic() - started

    def _bid(exchange: SimExchange) -> SimOrder:
        price = exchange.best("ETH")[0]
        return exchange.place(
            SimOrder(
                account="a", symbol="ETH", side="buy", size=D("0.5"), price=price, post_only=True
            )
        )

    waits = [run_virtual(one(seed)) for seed in range(30)]
    assert sorted(waits)[15] < 6.0
    assert max(waits) < 60.0


@pytest.fixture
def small_tape(tmp_path: Path) -> Path:
    lines = [
        {"t": 1_000_000_000, "k": "book", "b": [["100", "1"], ["99", "2"]], "a": [["101", "1"]]},
        {"t": 1_500_000_000, "k": "trade", "p": "100", "q": "0.5", "s": "sell"},
        {"t": 1_700_000_000, "k": "bbo", "b": [["100.5", "3"]], "a": [["101", "1"]]},
        {"t": 2_000_000_000, "k": "book", "b": [["102.25", "1"]], "a": [["103.25", "1"]]},
    ]
    path = tmp_path / "tape.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return path


def test_a_tape_repeats_without_a_leap(small_tape: Path) -> None:
    tape = Tape(small_tape)
    start, *moves = islice(tape.moves(), 9)
    assert (start.at_ns, start.what) == (0, moves[0].what)
    assert [m.at_ns for m in moves[:4]] == [0, 500_000_000, 700_000_000, 1_000_000_000]
    assert moves[1].what == Print(100 * UNIT, UNIT // 2, "sell")
    assert tape.drift() == 225 * UNIT // 100
    first = moves[4].what
    assert isinstance(first, Quote)
    assert (moves[4].at_ns, first.bids[0]) == (1_010_000_000, (10225 * UNIT // 100, UNIT))
    assert len(list(Tape(small_tape, repeat=False).moves())) == 5


def test_a_tape_drives_a_book(small_tape: Path) -> None:
    async def story() -> None:
        exchange = _exchange()
        stage = Stage([Feed(exchange, "ETH", Tape(small_tape))])
        stage.start()
        assert exchange.book("ETH")[0] == [(D(100), D(1)), (D(99), D(2))]
        await asyncio.sleep(0.6)
        assert exchange.book("ETH")[0][0] == (D(100), D("0.5"))
        await asyncio.sleep(0.2)
        assert exchange.book("ETH")[0] == [(D("100.5"), D(3)), (D(100), D("0.5")), (D(99), D(2))]
        stage.close()

    run_virtual(story())


def test_a_pair_keeps_its_basis_over_rounds(small_tape: Path) -> None:
    first, second = TapePair(Tape(small_tape), Tape(small_tape)).sources
    assert list(islice(first.moves(), 12)) == list(islice(second.moves(), 12))


def test_the_recorded_pair_plays(shared: Path) -> None:
    folder = shared / "tapes"
    usdm = folder / "binance-usdm_ETH_20240808.jsonl.gz"
    cm = folder / "binance-cm_ETH_20240808.jsonl.gz"
    if not usdm.exists() or not cm.exists():
        pytest.skip("no recorded pair")

    async def story() -> None:
        one, two = _exchange("one"), _exchange("two")
        sources = TapePair(Tape(usdm), Tape(cm)).sources
        stage = Stage([Feed(one, "ETH", sources[0]), Feed(two, "ETH", sources[1])])
        stage.start()
        crossed = 0
        for _ in range(700):  # two rounds and a bit
            await asyncio.sleep(1)
            for exchange in (one, two):
                bid, ask = exchange.best("ETH")
                assert bid is not None
                assert ask is not None
                crossed += bid >= ask
        assert crossed == 0
        assert abs(one.mark("ETH") / two.mark("ETH") - 1) < D("0.005")
        stage.close()

    run_virtual(story())


def test_every_default_coin_has_a_walk() -> None:
    for coin in ("ETH", "BTC", "SOL"):
        first = next(default_walk(coin, 1).moves())
        assert isinstance(first.what, Quote)

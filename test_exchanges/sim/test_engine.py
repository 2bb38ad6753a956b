"""Matching rules, one test a rule, and a property: lots are neither made nor lost."""

from __future__ import annotations

import random

import pytest

from mpdex.sim.engine import Match, MatchingEngine, Resting


class Desk:
    """An engine that remembers its matches."""

    def __init__(self) -> None:
        self.matches: list[Match] = []
        self.engine = MatchingEngine(self.matches.append)
        self.engine.set_book({100: 10, 99: 20}, {102: 10, 103: 20})

    def rest(self, side: str, ticks: int, lots: int, account: str = "a", id: str = "1") -> Resting:
        order = Resting(id, account, side, ticks, lots)
        self.engine.rest(order)
        return order

    def take(self, side: str, lots: int, limit: int | None, account: str = "t") -> Resting:
        order = Resting("taker", account, side, limit or 0, lots)
        self.engine.take(order, limit)
        return order


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_resting_order_waits_behind_the_queue(desk: Desk) -> None:
    order = desk.rest("buy", 100, 5)
    assert order.ahead == 10
    desk.engine.trade(100, 10, "sell")
    assert (order.ahead, order.lots, desk.matches) == (0, 5, [])
    desk.engine.trade(100, 3, "sell")
    assert order.lots == 2
    assert desk.matches == [Match(order, None, 100, 3)]


def test_a_taker_goes_on_where_the_venue_takes_its_own_order_away(desk: Desk) -> None:
    own = desk.rest("sell", 101, 5, account="t")
    assert desk.take("buy", 3, 102).lots == 3

    def take_away(order: Resting) -> bool:
        return desk.engine.remove(order)

    desk.engine.on_own = take_away
    taker = desk.take("buy", 3, 102)
    assert (taker.lots, desk.matches) == (0, [Match(None, taker, 102, 3)])
    assert own not in desk.engine.halves["sell"].orders


def test_a_trade_that_eats_queue_and_order_at_once(desk: Desk) -> None:
    order = desk.rest("sell", 102, 5)
    desk.engine.trade(102, 12, "buy")
    assert order.lots == 3


def test_two_orders_at_one_price_fill_in_order_of_time(desk: Desk) -> None:
    first = desk.rest("buy", 100, 4, id="1")
    second = desk.rest("buy", 100, 4, account="b", id="2")
    desk.engine.trade(100, 16, "sell")
    assert (first.lots, second.lots) == (0, 2)


def test_a_trade_through_the_price_ignores_the_queue(desk: Desk) -> None:
    order = desk.rest("buy", 100, 5)
    desk.engine.trade(99, 2, "sell")
    assert desk.matches == [Match(order, None, 100, 2)]


def test_a_shrinking_level_shrinks_the_queue_in_proportion(desk: Desk) -> None:
    order = desk.rest("buy", 100, 5)
    desk.engine.set_book({100: 4, 99: 20}, {102: 10})
    assert order.ahead == 4
    desk.engine.set_book({100: 8, 99: 20}, {102: 10})
    assert order.ahead == 4  # newcomers stand behind
    desk.engine.set_book({100: 4, 99: 20}, {102: 10})
    assert order.ahead == 2


def test_a_trade_and_the_update_that_shows_it_count_once(desk: Desk) -> None:
    order = desk.rest("buy", 100, 5)
    desk.engine.trade(100, 6, "sell")
    desk.engine.set_book({100: 4, 99: 20}, {102: 10})
    assert order.ahead == 4


def test_an_unknown_depth_keeps_its_queue(desk: Desk) -> None:
    order = desk.rest("buy", 99, 5)
    desk.engine.set_book({110: 1, 109: 1}, {112: 10})
    assert order.ahead == 20


def test_the_other_side_reaching_the_price_fills(desk: Desk) -> None:
    order = desk.rest("buy", 100, 5)
    desk.engine.set_book({98: 5}, {100: 3, 101: 9})
    assert (order.lots, desk.matches[-1].ticks) == (2, 100)
    desk.engine.set_best("sell", 99, 7)
    assert order.lots == 0


def test_crossing_liquidity_is_shared_by_our_orders(desk: Desk) -> None:
    first, second = desk.rest("buy", 100, 5), desk.rest("buy", 100, 5, id="2")
    desk.engine.set_book({98: 5}, {100: 7})
    assert (first.lots, second.lots) == (0, 3)


def test_a_taker_eats_levels_in_order_and_they_stay_eaten(desk: Desk) -> None:
    taker = desk.take("buy", 15, 103)
    assert taker.lots == 0
    assert [(m.ticks, m.lots) for m in desk.matches] == [(102, 10), (103, 5)]
    assert list(desk.engine.levels("sell", None)) == [(103, 15)]
    desk.engine.set_best("sell", 102, 4)
    assert desk.engine.best("sell") == 102


def test_a_taker_stops_at_its_limit(desk: Desk) -> None:
    assert desk.take("sell", 15, 100).lots == 5
    assert desk.take("sell", 15, 100).lots == 15


def test_accounts_trade_with_each_other_but_not_with_themselves(desk: Desk) -> None:
    maker = desk.rest("sell", 101, 5)
    other = desk.take("buy", 2, 101, account="b")
    assert (other.lots, maker.lots) == (0, 3)
    assert desk.matches[-1] == Match(maker, other, 101, 2)
    own = Resting("x", "a", "buy", 102, 2)
    assert desk.engine.take(own, 102) is False
    assert (own.lots, maker.lots) == (2, 3)


def test_crosses_and_available(desk: Desk) -> None:
    assert desk.engine.crosses("buy", 102)
    assert not desk.engine.crosses("buy", 101)
    assert desk.engine.crosses("sell", 100)
    assert desk.engine.available("buy", 102) == 10
    assert desk.engine.available("buy", None) == 30


def test_a_better_best_clears_what_it_crosses(desk: Desk) -> None:
    desk.engine.set_best("buy", 102, 5)
    assert desk.engine.best("sell") == 103
    assert desk.engine.best("buy") == 102


def test_feeds_hear_every_changed_level(desk: Desk) -> None:
    changed: set[int] = set()
    desk.engine.halves["buy"].touched.append(changed)
    desk.rest("buy", 101, 1)
    desk.engine.set_book({100: 10, 99: 21}, {102: 10})
    assert changed == {-101, -99}


def test_lots_are_neither_made_nor_lost() -> None:
    rng = random.Random(7)
    filled = 0
    total = 0

    def count(match: Match) -> None:
        nonlocal filled
        filled += match.lots * ((match.maker is not None) + (match.taker is not None))

    engine = MatchingEngine(count)
    orders: list[Resting] = []
    for number in range(3000):
        mid = 100 + rng.randint(-3, 3)
        engine.set_book(
            {mid - 1 - i: rng.randint(1, 9) for i in range(4)},
            {mid + 1 + i: rng.randint(1, 9) for i in range(4)},
        )
        side = rng.choice(("buy", "sell"))
        price = mid + rng.randint(-3, 3)
        order = Resting(str(number), rng.choice("abc"), side, price, rng.randint(1, 9))
        total += order.lots
        stopped = not engine.take(order, price)
        if order.lots and not stopped:
            engine.rest(order)
        orders.append(order)
        engine.trade(mid + rng.choice((-1, 1)), rng.randint(1, 5), rng.choice(("buy", "sell")))
        if rng.random() < 0.3:
            engine.remove(rng.choice(orders))
        bid, ask = engine.best("buy"), engine.best("sell")
        assert bid is None or ask is None or bid < ask or stopped
        for half in engine.halves.values():
            assert sum(half.own.values()) == sum(o.lots for o in half.orders)
            assert all(o.lots > 0 and o.ahead >= 0 for o in half.orders)
    assert 0 < filled <= total

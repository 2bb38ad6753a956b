"""What faults do: to the truth of a venue, to answers, to frames, and when they wait to do it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Coroutine
from decimal import Decimal as D
from types import SimpleNamespace
from typing import Any

import pytest
from sim.backpack_stage import Stage as BackpackStage
from sim.backpack_stage import staged, taker
from sim.grvt_stage import Stage as GrvtStage

from mpdex.sim.acts import Job, Performer
from mpdex.sim.exchange import Quote, SimExchange, SimMarket, SimOrder, Twist
from mpdex.sim.fault_rules import Action, parse_rule
from mpdex.sim.faults import FaultBook, Situation
from mpdex.sim.records import Traded
from mpdex.sim.stream_faults import bend
from mpdex.sim.truth_acts import Measures, apply_truth
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.types import OrderStatus
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import run_virtual

U = 10**8
ETH = SimMarket(
    symbol="ETH", coin="ETH", quote="USD", tick=D("0.5"), step=D("0.1"), min_size=D("0.1")
)


class Wire:
    """A venue as faults know it; what is done to its connections is noted."""

    def __init__(self, clock: LoopClock) -> None:
        self.exchange = SimExchange("toy", clock=clock, markets=[ETH])
        self.exchange.add_account("a", D(10_000))
        self.exchange.on_quote("ETH", Quote([(100 * U, 9 * U)], [(101 * U, 9 * U)], True))
        self.calls: list[tuple[Any, ...]] = []

    def disconnect(self, op: str, refuse_for: float) -> None:
        self.calls.append(("disconnect", op, refuse_for))

    def silence(self, op: str, seconds: float) -> None:
        self.calls.append(("silence", op, seconds))

    def replay(self, op: str, count: int) -> None:
        self.calls.append(("replay", op, count))

    def limit(self, count: int, seconds: float) -> None:
        self.calls.append(("limit", count, seconds))

    def expire_sessions(self) -> None:
        self.calls.append(("expire",))


class Pair:
    """Two venues and a book of rules over them."""

    def __init__(self, rules: str = "", *, waits: bool = False) -> None:
        self.clock = LoopClock(asyncio.get_running_loop(), 10**18)
        roles = {"P": "one", "H": "two"}
        self.book = FaultBook(clock=self.clock, rng=random.Random(1), roles=roles)
        self.wires = {name: Wire(self.clock) for name in ("one", "two")}
        for name, wire in self.wires.items():
            self.book.attach(name, wire)
        if waits:
            self.book.wait()
        self.book.add(rules)

    @property
    def one(self) -> SimExchange:
        return self.wires["one"].exchange

    @property
    def two(self) -> SimExchange:
        return self.wires["two"].exchange

    def order(self, size: str = "1", side: Any = "buy", price: str = "99") -> SimOrder:
        return self.one.place(
            SimOrder(account="a", symbol="ETH", side=side, size=D(size), price=D(price))
        )

    def ask(self, op: str, **kwargs: Any) -> list[str]:
        return [a.name for a in self.book.on_request(Situation("one", op, **kwargs))]

    def close(self) -> None:
        self.book.close()
        self.one.close()
        self.two.close()


def told(story: Callable[[Pair], Coroutine[Any, Any, None]], rules: str = "", **how: Any) -> None:
    async def main() -> None:
        pair = Pair(rules, **how)
        try:
            await story(pair)
        finally:
            pair.close()

    run_virtual(main())


# --------------------------------------------------------------------------- fills


def test_a_fill_in_pieces_at_their_times() -> None:
    async def story(pair: Pair) -> None:
        order = pair.order("1")
        pair.book.add("P.fill(q/10) x 4 at 5ms")
        assert order.filled == D("0.1")
        await asyncio.sleep(0.012)
        assert order.filled == D("0.3")
        await asyncio.sleep(1)
        assert order.filled == D("0.4")

    told(story)


def test_a_fill_waits_for_an_order() -> None:
    async def story(pair: Pair) -> None:
        pair.book.add("P.fill(0.5q)")
        await asyncio.sleep(3)
        order = pair.order("1")
        await asyncio.sleep(0.1)
        assert order.filled == D("0.5")

    told(story)


def test_a_fill_of_an_ended_order_and_of_more_than_it() -> None:
    async def story(pair: Pair) -> None:
        late, wrong = pair.order("1"), pair.order("1")
        pair.one.cancel("a", order_id=late.order_id)
        pair.one.fill(late, D("0.4"))
        assert (late.filled, late.status) == (D("0.4"), OrderStatus.CANCELED)
        pair.one.fill(wrong, D("1.5"))
        assert wrong.filled == D("1.5")
        assert pair.one.position("a", "ETH").size == D("1.9")

    told(story)


def test_a_fill_after_the_restart_is_of_the_newest_order_dead_or_alive() -> None:
    async def story(pair: Pair) -> None:
        order = pair.order("1")
        pair.one.cancel("a", order_id=order.order_id)
        assert order.filled == 0
        pair.book.restarted()
        assert order.filled == D("0.5")

    told(story, "fill(0.5q, at=after_restart)")


@pytest.mark.parametrize(("reason", "filled"), [("client", D(1)), ("post_only", D(0))])
def test_what_was_refused_is_not_filled_whatever_its_end_is_called(reason: str, filled: D) -> None:
    async def story(pair: Pair) -> None:
        orders: list[SimOrder] = []

        def act() -> dict[str, str]:
            order = pair.order("1")
            pair.one.cancel("a", order_id=order.order_id)
            order.reason = reason
            orders.append(order)
            return {}

        venue: Any = SimpleNamespace(exchange=pair.one)
        performer = Performer(venue, pair.one.timers, random.Random(1), lambda *_: None, dict)
        answers: list[Any] = []
        job = Job(SimRequest("POST", "/"), "place", act, answers.append)
        performer.perform(job, parse_rule("P.place -> fill(q, at=resting)").actions)
        await asyncio.sleep(1)
        assert answers == [{}]
        assert [order.filled for order in orders] == [filled]

    told(story)


def test_a_late_report_is_true_at_once_and_told_later() -> None:
    async def story(pair: Pair) -> None:
        heard: list[float] = []
        seen: list[float] = []
        pair.one.listen(lambda _: heard.append(pair.clock.monotonic()), Traded)
        pair.one.witness(lambda _: seen.append(pair.clock.monotonic()), Traded)
        pair.order("1")
        pair.book.add("P.fill(q, report_delay=6s)")
        assert pair.one.position("a", "ETH").size == D(1)
        await asyncio.sleep(7)
        assert seen == [0.0]
        assert heard == pytest.approx([6.0])

    told(story)


# --------------------------------------------------------------------------- states


def test_states_end_with_their_time() -> None:
    async def story(pair: Pair) -> None:
        pair.book.add("H.halt(down, 60s)\nP.thin(0.5) 10s\nP.move(100).between(1s, 2s)")
        assert pair.two.halted == "down"
        assert pair.one.book("ETH")[0] == [(D(100), D("0.5"))]
        assert pair.book.acting_until == pytest.approx(60.0)
        await asyncio.sleep(1.5)
        assert pair.one.best("ETH")[0] == D(101)
        await asyncio.sleep(1)
        assert pair.one.best("ETH")[0] == D(100)
        await asyncio.sleep(10)
        assert pair.one.book("ETH")[0] == [(D(100), D(9))]
        await asyncio.sleep(60)
        assert pair.two.halted == ""

    told(story)


@pytest.mark.parametrize(
    ("mode", "plain", "reducing"),
    [("market", "rejected", "rejected"), ("reduce_only", "rejected", "open")],
)
def test_a_halted_market_refuses(mode: str, plain: str, reducing: str) -> None:
    async def story(pair: Pair) -> None:
        pair.one.fill(pair.order("1"), D(1))
        pair.book.add(f"P.halt({mode})")
        assert pair.order("1").status.value == plain
        order = SimOrder(
            account="a", symbol="ETH", side="sell", size=D(1), price=D(110), reduce_only=True
        )
        assert pair.one.place(order).status.value == reducing

    told(story)


def test_a_market_changes_its_grid_and_ends_what_rests_on_the_old_one() -> None:
    async def story(pair: Pair) -> None:
        order = pair.order("1")
        pair.book.add("P.meta -> change(step=0.2, min_size=0.4)")
        assert order.status is OrderStatus.CANCELED
        market = pair.one.markets["ETH"]
        assert (market.step, market.min_size) == (D("0.2"), D("0.4"))
        assert pair.one.book("ETH")[0] == [(D(100), D("9.0"))]
        kept = pair.order("0.4")
        pair.book.add("P.change(min_size=0.2)")
        assert kept.live

    told(story)


def test_money_is_withdrawn_and_orders_are_swept() -> None:
    async def story(pair: Pair) -> None:
        orders = [pair.order("1"), pair.order("2")]
        pair.book.add("P.withdraw(90%)\nP.cancel_all(report_delay=2s)\nX.fund(50 bps)")
        assert pair.one.accounts["a"].cash == D(1000)
        assert all(not order.live for order in orders)
        assert pair.one.funding_rate("ETH") == D("0.005")

    told(story)


def test_sizes_are_relative_to_the_order_at_hand() -> None:
    async def story(pair: Pair) -> None:
        action = parse_rule("P.place -> thin(0.3q)").actions[0]
        apply_truth(pair.one, action, Measures(order=D(2)))
        assert pair.one.book("ETH")[0] == [(D(100), D("0.6"))]
        apply_truth(pair.one, action, Measures(clip=D(1)))
        assert pair.one.book("ETH")[0] == [(D(100), D("0.3"))]
        assert pair.book.measures.units["min_H"] == D("0.1")

    told(story)


# --------------------------------------------------------------------------- who and when


def test_actions_on_the_other_venue_and_on_connections() -> None:
    async def story(pair: Pair) -> None:
        order = pair.order("1")
        pair.one.fill(order, D("0.4"))
        assert pair.two.halted == ""
        await asyncio.sleep(0)
        pair.one.fill(order, D("0.4"))
        await asyncio.sleep(0.001)
        assert pair.two.halted == "down"
        assert pair.wires["two"].calls == [
            ("disconnect", "ws_private", 4.0),
            ("expire",),
            ("replay", "ws_private", 20),
        ]
        await asyncio.sleep(61)
        assert pair.two.halted == ""

    rule = "P.trade.nth(2) -> H.halt(down, 60s), H.disconnect(4s), H.expire, H.replay(20)"
    told(story, rule)


def test_a_true_trade_is_told_by_its_side_and_purpose() -> None:
    async def story(pair: Pair) -> None:
        pair.book.purpose_of = lambda _venue, _client_id: "maker"
        pair.one.fill(pair.order("1"), D(1))
        await asyncio.sleep(0.001)
        assert [rule.fired for rule in pair.book.rules] == [0, 1]

    told(story, "P.trade.side(sell) -> H.expire\nP.trade.maker -> H.expire")


def test_sockets_are_cut_twice() -> None:
    async def story(pair: Pair) -> None:
        await asyncio.sleep(0.1)
        assert pair.wires["one"].calls == [("disconnect", "ws_private", 0.0)] * 2

    told(story, "P.ws_private -> disconnect(0) x 2 at 10ms")


def test_a_limit_holds_for_its_window() -> None:
    async def story(pair: Pair) -> None:
        await asyncio.sleep(6)
        assert pair.wires["one"].calls == [("limit", 10, 1.0), ("limit", 0, 0.0)]

    told(story, "P.limit(10, 1s).between(1s, 5s)")


def test_a_session_ends_after_a_while() -> None:
    async def story(pair: Pair) -> None:
        await asyncio.sleep(299)
        assert pair.wires["one"].calls == []
        await asyncio.sleep(2)
        assert pair.wires["one"].calls == [("expire",)]

    told(story, "P.auth.expire(5m)")


def test_orders_before_the_trading_do_not_count() -> None:
    async def story(pair: Pair) -> None:
        canary, hedge = frozenset({"canary"}), frozenset({"hedge"})
        assert pair.ask("place", words=canary) == ["keep"]  # not counted, so of all orders
        assert pair.ask("place", words=hedge) == ["keep", "drop_request"]
        assert pair.ask("place", words=hedge) == ["keep"]
        assert pair.ask("cancel", words=canary) == ["not_found"]

    rules = "P.place -> keep\nP.place.nth(1) -> drop_request\nP.cancel.canary.nth(1) -> not_found"
    told(story, rules)


def test_times_wait_for_the_beginning_and_the_rest_for_its_release() -> None:
    async def story(pair: Pair) -> None:
        frame = Situation("one", "ws_private", words=frozenset({"order"}))
        await asyncio.sleep(100)
        assert pair.ask("place") == []
        assert pair.two.halted == ""
        assert pair.book.on_stream(frame) == []
        pair.book.begin()
        assert pair.ask("place") == ["keep"]
        pair.book.add("H.move(100)")  # from now on, at once
        assert pair.two.best("ETH")[0] == D(101)
        await asyncio.sleep(11)
        assert pair.ask("place") == []
        assert pair.two.halted == ""
        pair.book.release()
        assert pair.two.halted == "down"
        assert [a.name for a in pair.book.on_stream(frame)] == ["lose"]
        assert pair.book.on_stream(frame) == []

    rules = "P.place.between(0, 10s) -> keep\nH.halt(down)\nP.ws_private -> lose(1)"
    told(story, rules, waits=True)


def test_the_opening_of_a_stream_is_bent_only_by_name() -> None:
    async def story(pair: Pair) -> None:
        def bent(kind: str) -> list[str]:
            frame = Situation("one", "ws_private", words=frozenset({kind}))
            return [a.name for a in pair.book.on_stream(frame)]

        assert bent("ack") == bent("snapshot") == []
        assert bent("order") == ["mutate"]
        pair.book.add("P.ws_private.ack -> lose(1)")
        assert bent("ack") == ["lose"]

    told(story, "P.ws_private -> mutate(cid=None)")


def test_a_frame_is_chosen_by_what_it_says() -> None:
    async def story(pair: Pair) -> None:
        def bent(payload: bytes) -> list[str]:
            frame = Situation("one", "ws_private", words=frozenset({"order"}), payload=payload)
            return [a.name for a in pair.book.on_stream(frame)]

        assert bent(b'{"status":"PARTIALLY_FILLED"}') == []
        assert bent(b'{"status":"Filled"}') == ["duplicate"]
        assert bent(b'{"filled":"0"}') == [], "the name of a field says nothing"

    told(story, "P.ws_private -> duplicate(FILLED)")


def test_a_process_comes_to_its_points() -> None:
    async def story(pair: Pair) -> None:
        def at(point: str, *words: str) -> list[str]:
            return [a.name for a in pair.book.reached(point, frozenset(words))]

        assert at("after_send", "canary") == []
        assert at("after_send", "maker") == []
        assert at("after_send", "hedge") == ["crash"]
        assert at("after_send", "hedge") == []  # once, if it does not say how often
        assert [at("after_ack") for _ in range(4)] == [["signal"], ["signal"], [], []]

    rules = "crash(after_send, hedge)\nproc.signal(TERM, after_ack) x 2"
    told(story, rules)


def test_process_rules_are_performed_by_whoever_runs_the_process() -> None:
    async def story(pair: Pair) -> None:
        done: list[tuple[str, bool, float]] = []
        pair.book.perform_process = lambda rule, action, begins: done.append(
            (action.name, begins, pair.clock.monotonic())
        )
        pair.book.add("disk.full.between(1s, 3s)\nproc.suspend(5s).at(2s)")
        await asyncio.sleep(10)
        assert done == [
            ("full", True, pytest.approx(1.0)),
            ("suspend", True, pytest.approx(2.0)),
            ("full", False, pytest.approx(3.0)),
        ]

    told(story)


# --------------------------------------------------------------------------- answers


def test_stale_answers_are_what_was_true_then() -> None:
    async def story(pair: Pair) -> None:
        pair.book.add("P.query_* -> stale(5s)")
        early = pair.order("1")
        await asyncio.sleep(10)
        pair.one.fill(early, D("0.4"))
        pair.order("2")
        pair.one.twist = Twist(as_of_ns=pair.clock.now_ns() - 5 * 10**9)
        known = pair.one.order("a", order_id=early.order_id)
        assert known is not None
        assert (known.filled, early.filled) == (0, D("0.4"))
        assert [o.size for o in pair.one.open_orders("a")] == [D(1)]
        assert [o.size for o in pair.one.order_history("a")] == [D(1)]
        assert pair.one.fills("a") == pair.one.positions("a") == []
        pair.one.twist = Twist(as_of_ns=0)  # empty
        assert pair.one.order("a", order_id=early.order_id) is None
        assert pair.one.open_orders("a") == []
        pair.one.twist = Twist()
        assert len(pair.one.open_orders("a")) == 2

    told(story)


def test_a_change_of_leverage_may_do_nothing() -> None:
    async def story(pair: Pair) -> None:
        pair.one.twist = Twist(keep_leverage=True)
        pair.one.set_leverage("a", "ETH", D(3))
        assert pair.one.ledger.leverage("a", "ETH") == ETH.max_leverage

    told(story)


def bent(frame: bytes, text: str, fields: dict[str, str]) -> Any:
    action = parse_rule(f"P.ws_private -> {text}").actions[0]
    (out,) = bend(None, frame, [action], fields=fields, rng=random.Random(1))  # type: ignore[arg-type]
    return out


def test_frames_are_changed_in_the_type_they_have() -> None:
    fields = {"ts": "E", "status": "X", "cid": "c", "price": "p"}
    frame = json.dumps({"data": {"E": 1700, "X": "Filled", "c": 7, "p": "3000.5"}}).encode()
    told = json.loads(bent(frame, "mutate(ts=*1000, status=ODD, cid=None, price=*2)", fields))
    assert told == {"data": {"E": 1_700_000, "X": "ODD", "c": None, "p": "6001.0"}}
    assert bent(b"abcdef", "corrupt", fields) == b"abc"


def test_a_crossed_book_has_its_sides_changed() -> None:
    frame = b'{"b":[["99","1"]],"a":[["101","2"]],"T":1}'
    told = json.loads(bent(frame, "mutate(bid>=ask)", {"bids": "b", "asks": "a"}))
    assert told == {"b": [["101", "2"]], "a": [["99", "1"]], "T": 1}


async def _grvt_pages(stage: GrvtStage) -> None:
    for _ in range(5):
        assert stage.create(stage.taker("buy", "0.1")).status == 200
    await asyncio.sleep(1)
    every = stage.trades("fill_history", kind=["PERPETUAL"])["result"]
    stage.exchange.twist = Twist(page=2)
    pages, cursor = [], ""
    while not pages or cursor:
        answer = stage.trades("fill_history", kind=["PERPETUAL"], cursor=cursor)
        pages.append(answer["result"])
        cursor = answer["next"]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [fill for page in pages for fill in page] == every


def test_pages_of_grvt_are_cut_and_can_be_followed() -> None:
    async def main() -> None:
        stage = GrvtStage()
        try:
            await _grvt_pages(stage)
        finally:
            stage.timers.close()
            stage.exchange.close()

    run_virtual(main())


@staged
async def test_pages_of_backpack_are_cut_and_can_be_followed(stage: BackpackStage) -> None:
    for _ in range(5):
        stage.done("POST /api/v1/order", taker())
    every = stage.get("/wapi/v1/history/fills")
    stage.exchange.twist = Twist(page=2)
    pages = [stage.get("/wapi/v1/history/fills", offset=str(at)) for at in (0, 2, 4)]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [fill for page in pages for fill in page] == every


def test_a_venue_without_sessions_refuses_one_signed_request() -> None:
    @staged
    async def play(stage: BackpackStage) -> None:
        assert not stage.venue.session_lost
        stage.venue.expire_sessions()
        assert stage.venue.session_lost
        assert list(stage.venue.issued()) == []

    play()


def test_a_session_ends_and_its_token_is_remembered_as_a_secret() -> None:
    async def main() -> None:
        stage = GrvtStage()
        stage.venue.expire_sessions()
        path = "/trades/full/v1/positions"
        reply: SimReply = stage.post(path, {"sub_account_id": stage.account})
        assert reply.status == 401
        (token,) = stage.venue.issued()
        assert token in stage.headers["cookie"]
        stage.timers.close()
        stage.exchange.close()

    run_virtual(main())


def test_actions_say_how_long_they_act() -> None:
    def lasts(text: str) -> float:
        return parse_rule(text).actions[0].lasts

    assert lasts("P.ws_private -> disconnect(4s)") == 4.0
    assert lasts("P.place -> delay(9000, land=true)") == 9.0
    assert lasts("P.fill(q, report_delay=45s)") == 45.0
    assert lasts("P.place -> http(429, retry_after=1)") == 0.0
    assert Action("move", ("60",)).lasts == 0.0

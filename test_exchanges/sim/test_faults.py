"""The fault language and the book: what fires, when, and what it does to the truth."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal as D

import pytest

from mpdex.sim.exchange import Quote, SimExchange, SimMarket, SimOrder
from mpdex.sim.fault_rules import Action, BadRule, parse_rule, parse_seconds, parse_size
from mpdex.sim.faults import FaultBook, Situation
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import run_virtual

U = 10**8
ETH = SimMarket(
    symbol="ETH", coin="ETH", quote="USD", tick=D("0.5"), step=D("0.1"), min_size=D("0.1")
)


class FakeWire:
    def __init__(self, clock: LoopClock) -> None:
        self.exchange = SimExchange("toy", clock=clock, markets=[ETH])
        self.exchange.add_account("a", D(10_000))
        quote = Quote([(100 * U, 9 * U)], [(101 * U, 9 * U)], True)
        self.exchange.on_quote("ETH", quote)
        self.calls: list[tuple[str, str, float]] = []

    def disconnect(self, op: str, refuse_for: float) -> None:
        self.calls.append(("disconnect", op, refuse_for))

    def silence(self, op: str, seconds: float) -> None:
        self.calls.append(("silence", op, seconds))


class Lab:
    def __init__(self, rules: str = "") -> None:
        self.clock = LoopClock(asyncio.get_running_loop(), 10**18)
        self.book = FaultBook(
            rules, clock=self.clock, rng=random.Random(1), roles={"P": "one", "H": "two"}
        )
        self.wires = {name: FakeWire(self.clock) for name in ("one", "two")}
        for name, wire in self.wires.items():
            self.book.attach(name, wire)
        self.book.start()

    def ask(self, op: str, venue: str = "one", **kwargs: object) -> list[str]:
        return [a.name for a in self.book.on_request(Situation(venue, op, **kwargs))]  # type: ignore[arg-type]

    def order(self, size: str = "1") -> SimOrder:
        exchange = self.wires["one"].exchange
        return exchange.place(
            SimOrder(account="a", symbol="ETH", side="buy", size=D(size), price=D(99))
        )


# Every line of the injection column that is a rule of its own (not a phrase) must be readable.
LINES = """
P.place.nth(3) -> drop_response
P.place -> delay(4000, land=true)
P.query_order.between(0,4s) -> not_found
P.place.transport(ws) -> drop_response
P.place -> ack_then(REJECTED, 300)
P.place -> http(200, '{"code": [1, 2]}'), delay(5)
P.when(crosses).place -> reject(POST_ONLY)
P.place.between(0,10s) -> reject(POST_ONLY)
P.place -> mutate(post_only=False)
H.place.nth(1) -> reject(NONCE)
P.cancel -> ack_ok + truth keep
fill(q, at=after_cancel_send)
fill(0.4q, resting)
fill(q, after_cancel_ack, report_delay=6s)
P.ws_private.fill -> lose(1)
P.ws_private -> mutate(cid=None)
P.ws_private -> reorder(5)
P.ws_private -> stale_snapshot(1500)
X.ws_* -> disconnect(10s)
P.ws_private -> handshake(429, 5)
P.* -> http(403)
H.place -> http(429, retry_after=1)
H.move(60)
H.thin(0.3q)
H.halt(post_only)
P.liquidate(all)
H.adl(0.4q)
P.manual_trade(+size)
X.fund(0.005)
P.place.reduce_only -> reject(REDUCE_ONLY)
P.place[nth(2)] -> drop_request
H.query_positions -> stale(10s)
P.query_fills -> page(2)
clock.skew(3000)
clock.step(3600000)
disk.full
crash(after_fill_recv)
proc.signal(TERM)
suspend(30000)
""".strip().splitlines()


@pytest.mark.parametrize("line", LINES)
def test_every_form_can_be_read(line: str) -> None:
    rule = parse_rule(line)
    assert rule.actions
    assert rule.op


@pytest.mark.parametrize(
    "line",
    ["", "P.place", "P.place -> explode", "P.place -> delay(", "P.ws_public -> reject(X)", "-> x"],
)
def test_nonsense_is_refused_with_its_text(line: str) -> None:
    with pytest.raises(BadRule, match="in fault rule"):
        parse_rule(line)


def test_a_rule_in_parts() -> None:
    rule = parse_rule("H.place.side(buy).nth(2) -> http(429, retry_after=1), delay(2s)")
    assert (rule.venue, rule.op) == ("H", "place")
    assert [f.name for f in rule.filters] == ["side", "nth"]
    assert rule.actions[0] == Action("http", ("429",), {"retry_after": "1"})
    assert rule.actions[1].seconds() == 2.0


def test_times_and_sizes() -> None:
    assert [parse_seconds(t) for t in ("4s", "500", "500ms", "2m")] == [4.0, 0.5, 0.5, 120.0]
    assert [parse_size(t, D(2)) for t in ("q", "0.5q", "0.3", "all", "+size", "-q")] == [
        D(2),
        D(1),
        D("0.3"),
        D(2),
        D(2),
        D(-2),
    ]
    with pytest.raises(BadRule):
        parse_seconds("soon")


def test_filters() -> None:
    async def story() -> None:
        lab = Lab(
            """
            # the third, every second, a side, a word, a predicate, a window
            P.place.nth(3) -> drop_response
            P.cancel.every(2) -> keep
            P.amend.side(buy) -> drop_request
            H.place.reduce_only -> reject(REDUCE_ONLY)
            P.query_open.when(position != 0) -> not_found
            X.meta.between(1s, 2s) -> http(500)
            """
        )
        assert [lab.ask("place") for _ in range(4)] == [[], [], ["drop_response"], []]
        assert [lab.ask("cancel") for _ in range(4)] == [[], ["keep"], [], ["keep"]]
        assert lab.ask("amend", side="sell") == []
        assert lab.ask("amend", side="buy") == ["drop_request"]
        assert lab.ask("place", "two", words=frozenset()) == []
        assert lab.ask("place", "two", words=frozenset({"reduce_only"})) == ["reject"]
        assert lab.ask("query_open", numbers={"position": D(0)}) == []
        assert lab.ask("query_open", numbers={"position": D(1)}) == ["not_found"]
        assert lab.ask("meta") == []
        await asyncio.sleep(1.5)
        assert lab.ask("meta") == lab.ask("meta", "two") == ["http"]
        await asyncio.sleep(1)
        assert lab.ask("meta") == []

    run_virtual(story())


def test_chances_are_seeded() -> None:
    async def story() -> list[bool]:
        lab = Lab("P.place.prob(0.5, 7) -> drop_request")
        return [bool(lab.ask("place")) for _ in range(40)]

    first, second = run_virtual(story()), run_virtual(story())
    assert first == second
    assert 8 < sum(first) < 32


def test_counted_actions_run_out() -> None:
    async def story() -> None:
        lab = Lab("P.ws_private.fill -> lose(2)")
        fill = Situation("one", "ws_private", words=frozenset({"fill"}))
        order = Situation("one", "ws_private", words=frozenset({"order"}))
        assert lab.book.on_stream(order) == []
        assert [len(lab.book.on_stream(fill)) for _ in range(3)] == [1, 1, 0]

    run_virtual(story())


def test_truth_acts_at_once_or_in_its_window() -> None:
    async def story() -> None:
        lab = Lab("H.halt(down).between(10s, 70s)")
        one, two = lab.wires["one"].exchange, lab.wires["two"].exchange
        lab.book.add("P.move(100)")
        assert one.best("ETH")[0] == D(101)
        assert two.best("ETH")[0] == D(100)
        lab.book.add("X.thin(0.5)")
        assert two.book("ETH")[0] == [(D(100), D("0.5"))]
        await asyncio.sleep(11)
        assert two.halted == "down"
        await asyncio.sleep(60)
        assert two.halted == ""
        lab.book.add("H.halt(post_only)")
        lab.book.clear()
        assert two.halted == ""
        assert two.book("ETH")[0] == [(D(100), D(9))]
        assert lab.book.idle

    run_virtual(story())


def test_truth_on_positions() -> None:
    async def story() -> None:
        lab = Lab()
        exchange = lab.wires["one"].exchange
        order = lab.order()
        lab.book.add("grvt.fill(1)".replace("grvt", "one"))
        assert order.filled == D(1)
        lab.book.add("P.adl(0.4q)")
        assert exchange.position("a", "ETH").size == D("0.6")
        lab.book.add("P.manual_trade(-0.1)")
        lab.book.add("P.set_leverage(3)")
        assert exchange.position("a", "ETH").leverage == D(3)
        lab.book.add("P.liquidate(all)")
        assert exchange.positions("a") == []
        dropped = lab.order()
        lab.book.add("P.drop_order")
        assert not dropped.live

    run_virtual(story())


def test_sockets_are_dropped_at_their_time() -> None:
    async def story() -> None:
        lab = Lab("X.ws_* -> disconnect(10s)\nP.ws_private.between(5s, 6s) -> silence(60s)")
        assert lab.wires["one"].calls == [("disconnect", "ws_*", 10.0)]
        assert lab.wires["two"].calls == [("disconnect", "ws_*", 10.0)]
        await asyncio.sleep(5.5)
        assert lab.wires["one"].calls[1:] == [("silence", "ws_private", 60.0)]
        assert lab.book.on_stream(Situation("one", "ws_private")) == []

    run_virtual(story())


def test_process_rules_are_for_others() -> None:
    async def story() -> None:
        lab = Lab("clock.skew(3000)\ncrash(after_send)\nP.place -> drop_request")
        assert [(r.venue, r.actions[0].name) for r in lab.book.process_rules] == [
            ("clock", "skew"),
            ("proc", "crash"),
        ]
        assert lab.clock.skew_ns == 3_000_000_000
        lab.book.add("clock.step(-1000)")
        assert lab.clock.skew_ns == 2_000_000_000

    run_virtual(story())

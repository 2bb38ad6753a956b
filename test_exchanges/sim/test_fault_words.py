"""Every injection of the fault matrix can be said, in its own words and in looser ones."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from mpdex.sim.fault_rules import BadRule, Rule, parse_rule, parse_rules
from mpdex.sim.fault_words import (
    parse_bps,
    parse_rate,
    parse_seconds,
    parse_signed_ms,
    parse_size,
)

# One line for each cell of the column "Inject" that the rules can say.
CELLS = r"""
P.place.nth(3) -> drop_response
P.place.nth(3) -> drop_response(reset)
P.place -> drop_request
P.place -> delay(4000, land=true)
P.query_order.between(0,4s) -> not_found
P.place.transport(ws) -> drop_response
P.place -> ack_then(REJECTED, 300)
P.place -> ack_then(none)
P.place -> http(200, '{"code":…}')
P.place -> http(200, '<html>')
P.when(crosses).place -> reject(POST_ONLY)
P.place.when(crosses) -> ack_then(CANCELED,50)
P.place.between(0,10s) -> reject(POST_ONLY)
P.place -> mutate(post_only=False)
P.place.nth(2) -> reject(DUPLICATE_CID)
H.place.nth(1) -> reject(NONCE)
P.cancel -> ack_ok + truth keep
P.cancel -> ack_ok + truth keep, fill(q, at=after_cancel_ack)
fill(q, at=after_cancel_ack)
fill(q, at=after_cancel_send)
P.cancel -> reject(NOT_FOUND)
P.place -> delay(800)
P.cancel -> drop_response
P.cancel.every(1) -> ack_ok + truth keep
P.place -> ack_ok, drop_order
P.place -> ack_ok + truth drop_order
P.place -> mutate(qty=floor)
P.place.nth(2) -> mutate(expires=5s), fill(0.5q, resting, after=4990)
P.cancel_all.between(5s, 6s)
P.cancel_all(report_delay=3s)
P.place -> duplicate(1)
fill(0.4q, resting)
P.fill(0.1*min_H) x 25
fill(0.1*min_H, resting) x 25
fill(0.5q, resting)
P.ws_private -> lose(fill)
fill(q, after_cancel_send)
fill(q, after_cancel_ack, report_delay=45s)
fill(q, before_place_ack)
P.place -> delay(500)
P.ws_private -> mutate(cid=None)
P.ws_private.fill -> duplicate(1)
P.ws_private -> disconnect(1s) + replay 50
P.ws_private -> duplicate(FILLED)
P.ws_private -> reorder(5)
P.ws_private -> mutate(price=None, fee=None)
P.manual_trade(+size)
P.ws_private.fill -> lose(1)
fill(q/10) x 10 at 5 ms
P.place.nth(2) -> fill(q/10, resting) x 10 at 5ms
fill(1.5q)
P.query_fills -> page(2)
H.place -> reject(SYMBOL)
H.place.between(60s) -> reject(SYMBOL)
H.place -> reject(MARGIN)
H.place.every(1) -> move(60) x 3
H.move(60)
H.thin(0.3q)
H.place -> mutate(tif=GTC)
H.place.nth(1) -> drop_response
H.place.nth(1) -> drop_request
H.ws_private -> silence(35s)
H.place -> reject(PRICE_BAND)
H.halt(post_only)
H.halt(post_only) 5 min
H.thin(0)
H.halt(down) 60 s
P.trade.nth(2) -> H.halt(down, 60s)
H.place -> http(500, accept=0.5)
X.halt(down) 120 s
X.halt(down).between(10s, 130s)
H.place -> delay(9000, land=true)
H.place.every(1) -> reject(PERMISSION)
P.place.reduce_only -> reject(REDUCE_ONLY)
H.place -> delay(3000)
X.move(80)
H.move(40)
H.query_positions -> stale(10s)
P.ws_private -> disconnect(4s)
H.place.nth(2) -> ws_private.disconnect(4s)
H.place.nth(2) -> disconnect(4s)
P.ws_private -> silence(60s)
P.ws_private -> disconnect(1s)
auth -> http(401) once
P.auth -> http(401)
P.query_positions -> delay(3000)
stale_snapshot(1500)
P.query_positions -> stale_snapshot(1500)
P.ws_private -> disconnect(0) x 2 at 10ms
X.ws_* -> disconnect(10s)
handshake(429) x 5
P.ws_* -> handshake(403)
P.ws_private -> corrupt(1)
P.ws_private.order -> mutate(status=NONSENSE)
suspend(3000)
auth.expire(5m)
H.auth.expire
P.ws_private -> disconnect(1s)
H.place.nth(1) -> http(429, retry_after=1)
H.place.nth(1) -> http(429, retry_after=30)
P.cancel -> http(429) x 3
P.* -> http(403)
P.*.between(0, 5m) -> http(403)
P.limit(50, 1h)
X.limit(10, 1s)
P.place -> http(502, accept=true)
query_positions -> stale(5s)
query_positions -> http(500) x 6
P.query_positions -> http(200, 'null')
query_* -> delay(8000)
query_order -> stale(3s)
H.* -> http(401)
P.place -> reject(PERMISSION)
clock.skew(3000)
P.query_* -> empty
ws_public -> gap(1)
P.ws_public.snapshot -> lose(1)
P.ws_public -> mutate(bid>=ask)
mutate(bid>=ask)
ws_public -> silence(20s)
move(30)
P.thin(0, buy)
P.thin(0, sell) 20s
H.move(-40)
P.move(300).between(10s, 10100ms)
P.ws_public -> mutate(ts=*1000)
P.meta.between(20s, 1h) -> change(step=0.02)
P.change(min_size=0.02)
P.place -> reject(PRECISION)
P.ws_private -> mutate(status=PENDING_TRIGGER)
P.halt(market)
signal(TERM)
proc.signal(TERM).between(4s, 5s)
proc.crash(after_fill_recv)
crash(after_send) x 3
crash(after_send, hedge)
crash(after_hedge_send)
crash(in_recovery) x 5
suspend(30000)
clock.step(3600000)
disk.full
disk.readonly
disk.tear(40)
signal(KILL)
P.liquidate(all)
H.adl(0.4q)
manual_trade(-size)
X.move(+700 bps)
P.query_positions -> mutate(liquidation=None)
fund(50 bps)
P.set_leverage -> ignore
P.set_leverage(2)
P.withdraw(90%)
P.place -> reject(OI_CAP)
H.thin(0.2q)
H.place.prob(0.3, 7) -> http(500)
P.place.nth(1) -> http(429, retry_after=1)
fill(q, at=after_restart)
""".strip().splitlines()


@pytest.mark.parametrize("line", CELLS)
def test_every_cell_can_be_said(line: str) -> None:
    rule = parse_rule(line)
    assert rule.actions
    assert rule.op


def whole(line: str) -> tuple[str, str, tuple[str, ...], list[str]]:
    rule = parse_rule(line)
    return rule.venue, rule.op, rule.flags, [a.name for a in rule.actions]


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("query_positions -> stale(5s)", ("P", "query_positions", (), ["stale"])),
        ("ws_public -> gap(1)", ("P", "ws_public", (), ["gap"])),
        ("auth.expire(5m)", ("P", "truth", (), ["expire"])),
        ("H.auth.expire", ("H", "truth", (), ["expire"])),
        ("disk.full", ("disk", "truth", (), ["full"])),
        ("full", ("disk", "truth", (), ["full"])),
        ("step(5s)", ("clock", "truth", (), ["step"])),
        ("signal(TERM)", ("proc", "truth", (), ["signal"])),
        ("crash(after_send, hedge)", ("proc", "after_send", ("hedge",), ["crash"])),
        ("P.ws_private -> lose(fill)", ("P", "ws_private", ("fill",), ["lose"])),
        ("P.ws_private -> duplicate(FILLED)", ("P", "ws_private", ("FILLED",), ["duplicate"])),
        ("stale_snapshot(1500)", ("P", "*", ("snapshot",), ["stale_snapshot"])),
        ("mutate(bid>=ask)", ("P", "ws_public", (), ["mutate"])),
        ("handshake(429) x 5", ("P", "ws_*", (), ["handshake"])),
        ("P.set_leverage -> ignore", ("P", "leverage", (), ["ignore"])),
        ("P.set_leverage(2)", ("P", "truth", (), ["set_leverage"])),
        ("H.meta -> change(step=0.05)", ("H", "truth", (), ["change"])),
        ("H.query_order -> stale(3s)", ("H", "query_order", (), ["stale"])),
        ("  H . place . nth( 2 )  ->  reject( MARGIN ) ", ("H", "place", (), ["reject"])),
    ],
)
def test_what_a_rule_leaves_open_is_filled_in(
    line: str, parts: tuple[str, str, tuple[str, ...], list[str]]
) -> None:
    assert whole(line) == parts


def test_an_action_may_be_of_the_other_venue() -> None:
    rule = parse_rule("P.trade.nth(2) -> H.halt(down, 60s), X.ws_*.disconnect(4s), drop_order")
    assert [(a.venue, a.op, a.name) for a in rule.actions] == [
        ("H", "", "halt"),
        ("X", "ws_*", "disconnect"),
        ("", "", "drop_order"),
    ]


@pytest.mark.parametrize(
    ("line", "limit", "times", "every"),
    [
        ("P.cancel -> http(429) x 3", 3, 3, 0.05),
        ("auth -> http(401) once", 1, 1, 0.05),
        ("P.fill(q/10) x 10 at 5 ms", None, 10, 0.005),
        ("P.fill(q/10, times=4, every=2s)", None, 4, 2.0),
        ("P.ws_private -> disconnect(0) x 2 at 10ms", None, 2, 0.01),
        ("P.place -> drop_request", None, None, 0.05),
        ("crash(after_send)", 1, None, 0.05),
        ("crash(after_send).every(2)", None, None, 0.05),
    ],
)
def test_how_often(line: str, limit: int | None, times: int | None, every: float) -> None:
    rule = parse_rule(line)
    action = rule.actions[0]
    assert (rule.times, action.times, action.every) == (limit, times, every)


def test_how_long() -> None:
    def span(line: str) -> float:
        return parse_rule(line).actions[0].span

    assert span("H.halt(down, 60s)") == span("H.halt(down) 60 s") == span("H.halt(60s)") == 60.0
    assert span("H.halt(post_only) for 5 min") == 300.0
    assert span("P.thin(0, buy, 2s)") == span("P.thin(0.3q) 2s") == 2.0
    assert span("H.move(60)") == span("H.halt(down)") == 0.0


def test_windows() -> None:
    def window(line: str) -> tuple[float, float] | None:
        return parse_rule(line).window

    assert window("H.halt(down).between(10s, 70s)") == (10.0, 70.0)
    assert window("H.halt(down).at(10s)") == window("H.halt(down).between(10s)") == (10.0, 10.0**9)
    assert window("H.halt(down)") is None


def test_numbers() -> None:
    assert parse_seconds("5 min") == 300.0
    assert parse_signed_ms("-3s") == D(-3000)
    assert parse_bps("+700 bps") == D(700)
    assert parse_rate("50 bps") == parse_rate("0.5%") == parse_rate("0.005") == D("0.005")
    units = {"min_H": D("0.2"), "lot_P": D("0.01")}
    sizes = ["q/10", "0.1*min_H", ".5 q", "2lot_P", "-0.5q", "1.5", "min_H/2", ""]
    assert [parse_size(text, D(4), units) for text in sizes] == [
        D("0.4"),
        D("0.02"),
        D(2),
        D("0.02"),
        D(-2),
        D("1.5"),
        D("0.1"),
        D(4),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("P.place -> halt(sideways)", "halt takes"),
        ("P.place -> fill(q, at=noon)", "no such phase 'noon'"),
        ("P.fill(lots)", "not a unit of size: 'lots'"),
        ("P.fill(+)", "not a size"),
        ("P.place -> ack_then(MARRIED)", "no such event 'married'"),
        ("P.place.nth(two) -> keep", "nth takes a whole number"),
        ("P.place.between(9s, 3s) -> keep", "ends before it begins"),
        ("P.place.side(left) -> keep", "side takes buy, sell"),
        ("P.place.prob(often) -> keep", "not a number"),
        ("proc.crash(at_noon)", "no such point 'at_noon'"),
        ("proc.signal(HUP)", "signal takes INT, KILL, TERM"),
        ("P.ws_private -> disconnect(soon)", "not a time"),
        ("P.ws_private -> lose(1.5)", "lose takes a whole number"),
        ("H.move(far)", "not a number"),
        ("P.place -> drop_request thrice", "cannot read"),
        ("P.place -> http(500", "a bracket is not closed"),
        ("P.trade -> reject(MARGIN)", "'reject' is not an action of trade"),
        ("disk.halt(down)", "'halt' is not an action"),
    ],
)
def test_nonsense_is_refused_with_what_is_wrong(line: str, words: str) -> None:
    with pytest.raises(BadRule) as caught:
        parse_rule(line)
    assert words in caught.value.detail
    assert line in caught.value.detail


def test_many_rules_with_comments() -> None:
    rules: list[Rule] = parse_rules("# nothing\n\nP.place -> keep\n  disk.full\n")
    assert [rule.text for rule in rules] == ["P.place -> keep", "disk.full"]

"""Order entry: OE-01 to OE-24 of the fault matrix."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from itertools import pairwise

import pytest
from faults.moments import fills_of, journal, notes, seconds_at, sent
from faults.telling import (
    CALM,
    ENTRY,
    SOON,
    SWAPPED,
    alarms,
    asked_at,
    began,
    booked,
    compared_after,
    ended,
    fences,
    hedged_within,
    hedges,
    kept_out,
    on_quote,
    one_after_another,
    proof_takes,
    quotes,
    said,
    told_exactly,
    total,
    unknown,
)

from exchange_factory import load
from mpdex.lab.run import Lab
from mpdex.sim.venues import load_venue
from mpdex.utils.translation import Translation

pytestmark = pytest.mark.adapter

PAIRS = pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])
BOUND = 5.0  # of the venue that bounds them
CLOSED = 5.0  # the pause after a venue has said that it does not trade now
RESOLVED = 4.0  # three spaced questions, as quick as the venue's limits let them be

LOST = {
    "no answer": "drop_response",
    "reset": "drop_response(reset)",
    "502": "http(502, '<html>bad gateway</html>', accept=true)",
    "504": "http(504, '', accept=true)",
}


@pytest.mark.fault("OE-01", tier=1)
@PAIRS
@pytest.mark.parametrize("lost", LOST.values(), ids=LOST.keys())
def test_oe_01_an_answer_lost_is_not_a_failure(row, lost, pair):
    verdict = row(f"P.place.nth(3) -> {lost}", cycles=4, outcome="R", **pair)
    assert one_after_another(quotes(verdict))
    for quote in quotes(verdict):
        assert booked(verdict, quote) == quote.filled
    assert total(verdict.fills("P")) == total(verdict.fills("H"))


@pytest.mark.fault("OE-01", tier=1)
@PAIRS
def test_oe_01_without_answer_and_event_it_is_unknown_until_it_is_found(row, pair):
    """The stream says nothing of it either: it is canceled by its id, and its fill is found."""
    verdict = row(
        "P.place.nth(1) -> drop_response, fill(0.4q, at=resting)",
        during=on_quote(1, "P.ws_private.between(0, 4s) -> lose(0)"),
        size="0.05",
        outcome="R",
        **CALM,
        **pair,
    )
    lost = quotes(verdict)[0]
    assert unknown(verdict, lost) is not None
    assert one_after_another(quotes(verdict))
    assert lost.filled == booked(verdict, lost) == Decimal("0.02")
    assert verdict.to_flat < 5


@pytest.mark.fault("OE-02", tier=1)
@PAIRS
def test_oe_02_a_request_that_never_arrived_is_proven_dead_not_assumed_so(row, pair):
    verdict = row("P.place.nth(2) -> drop_request", cycles=3, outcome="R", **pair)
    lost = [i for i in verdict.trail.intents.values() if i.purpose == "maker"][1]
    assert lost.client_id not in {order.client_id for order in verdict.orders("P")}
    assert said(verdict, f"{lost.client_id} is proven gone")
    waited = began(quotes(verdict)[1]) - asked_at(verdict, lost.client_id)
    assert proof_takes(verdict) < waited < proof_takes(verdict) + RESOLVED


@pytest.mark.fault("OE-03", tier=1)
@PAIRS
@pytest.mark.parametrize("fills", ["", ", fill(q, at=before_place_ack)"], ids=["rests", "fills"])
def test_oe_03_an_order_that_lands_after_we_gave_up_is_found(row, pair, fills):
    """It lands after 4 s; until then every query says that there is no such order. Where its nonce
    can be used up it never lands, and that is known at once."""
    verdict = row(
        f"P.place.nth(1) -> delay(4s, land=true){fills}",
        during=on_quote(1, "P.query_order.between(0, 4s) -> not_found"),
        outcome="R",
        size="0.05",
        **CALM,
        **pair,
    )
    if fences(verdict):
        assert kept_out(verdict, 1)
        assert first_wait(verdict) < SOON + RESOLVED
        return
    late = quotes(verdict)[0]
    assert began(late) - asked_at(verdict, late.client_id) > 4
    assert unknown(verdict, late) is not None
    assert one_after_another(quotes(verdict))
    assert late.filled == booked(verdict, late) == (Decimal("0.05") if fills else 0)
    assert ended(late) - began(late) < 4, "it was not pulled"
    assert total(verdict.fills("P")) == total(verdict.fills("H"))


def first_wait(verdict):
    """Seconds from the first quote to the one that followed it."""
    first, second = [i.at_ns for i in verdict.trail.intents.values() if i.purpose == "maker"][:2]
    return (second - first) / 1e9


@pytest.mark.fault("OE-04", tier=1)
@pytest.mark.parametrize("lost", ["drop_response", "drop_response(reset)", "drop_request(reset)"])
def test_oe_04_no_intent_is_sent_again_by_another_way(row, lost):
    """Where orders have a socket to themselves, others go by REST while it is down: not this."""
    arrived: Counter[str] = Counter()
    kind = row.kind("P")

    async def count(lab: Lab) -> None:
        def hear(venue, op, request):
            if op == "place":
                arrived[lab.world.server.hosts[venue].client_id_of(request)] += 1

        for host in lab.world.server.hosts.values():
            host.arrivals.append(hear)

    way, other = ("ws", "rest") if kind.SPEC.order_route == "ws" else ("rest", "ws")
    verdict = row(f"P.place.transport({way}).nth(2) -> {lost}", cycles=3, outcome="R", during=count)
    others = verdict.counts[verdict.scenario.primary, other, "place"]
    assert others == 0 or orders_alone(kind)
    assert set(arrived.values()) == {1}
    assert set(arrived) == set(verdict.trail.intents)


def orders_alone(kind):
    """Whether a venue's orders have a socket to themselves."""
    return any({"commands"} == stream.CHANNELS for stream in kind.streams())


@pytest.mark.fault("OE-05", tier=1)
@PAIRS
def test_oe_05_a_refusal_that_comes_after_the_acknowledgement_is_heeded(row, pair):
    verdict = row("P.place.nth(2) -> ack_then(REJECTED, 300)", cycles=3, outcome="R", **pair)
    refused = quotes(verdict)[1]
    assert refused.status == "rejected"
    assert one_after_another(quotes(verdict))
    assert quotes(verdict)[2].created_ns > refused.updated_ns
    assert unknown(verdict, refused) is None


@pytest.mark.fault("OE-05", tier=1)
@PAIRS
def test_oe_05_an_acknowledgement_that_nothing_follows_becomes_unknown(row, pair):
    verdict = row("P.place.nth(2) -> ack_then(none)", cycles=3, outcome="R", **pair)
    lost = quotes(verdict)[1]
    assert one_after_another(quotes(verdict))
    waited = asked_at(verdict, quotes(verdict)[2].client_id) - asked_at(verdict, lost.client_id)
    assert 1 < waited < missed_within(verdict, lost.client_id)


def missed_within(verdict, client_id):
    """Seconds after which an order that was acknowledged is known to be none. One that has a name
    has arrived, and its end may be told; where neither is so, any request may yet come."""
    named = any(o["id"] for o in journal(verdict, "order") if o["client_order_id"] == client_id)
    told = load(verdict.scenario.primary).SPEC.reports_dropped
    return RESOLVED + (BOUND if named or told else max(BOUND, proof_takes(verdict)))


BODIES = {
    "error in 200": 'http(200, \'{"code": 1002, "message": "internal"}\', accept=%s)',
    "page": "http(200, '<html><body>busy</body></html>', accept=%s)",
    "empty": "http(200, '', accept=%s)",
    "other shape": "http(200, '{\"ok\": true}', accept=%s)",
}


@pytest.mark.fault("OE-06", tier=1)
@PAIRS
@pytest.mark.parametrize("acts", ["true", "false"], ids=["it acted", "it did not"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_oe_06_an_unreadable_answer_is_neither_yes_nor_no(row, body, acts, pair):
    verdict = row(f"P.place.nth(2) -> {body % acts}", cycles=3, outcome="R", **pair)
    assert one_after_another(quotes(verdict))
    intents = [i for i in verdict.trail.intents.values() if i.purpose == "maker"]
    doubted = intents[1].client_id
    landed = [o for o in verdict.orders("P") if o.client_id == doubted]
    assert bool(landed) is (acts == "true")
    if not landed:
        assert said(verdict, f"{doubted} is UNKNOWN")
        assert said(verdict, f"{doubted} is proven gone")
    assert total(verdict.fills("P")) == total(verdict.fills("H"))


@pytest.mark.fault("OE-06", tier=1)
@pytest.mark.parametrize("acts", ["true", "false"], ids=["it acted", "it did not"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_oe_06_an_unreadable_answer_to_a_hedge_does_not_double_it(row, body, acts):
    """Where nothing proves in time that it did not act, the fill is undone instead."""
    verdict = row(f"H.place.nth(2) -> {body % acts}", cycles=2, outcome="R")
    undone = fills_of(verdict, "P", "unwind")
    assert total(fills_of(verdict, "P", "maker")) == total(verdict.fills("H")) + total(undone)
    assert not undone or (acts == "false" and unbounded(verdict.scenario.hedge))
    doubted = [i for i in verdict.trail.intents.values() if i.purpose == "hedge"][1].client_id
    known = {verdict.trail.name_of(order) for order in hedges(verdict)}
    assert (doubted in known) is (acts == "true")


def unbounded(venue):
    """Whether a request to it may come at any time."""
    spec = load(venue).SPEC
    return spec.request_bound_ms is None and spec.immediate_bound_ms is None


@pytest.mark.fault("OE-07", tier=1)
@pytest.mark.parametrize(
    ("refusal", "pair"),
    [
        ("reject(POST_ONLY)", {}),
        ("reject(POST_ONLY)", SWAPPED),
        ("ack_then(CANCELED, 50)", {}),
        ("ack_then(CANCELED, 50)", SWAPPED),
    ],
    ids=["socket", "rest", "accepted first, socket", "accepted first, rest"],
)
def test_oe_07_a_quote_that_would_cross_waits_for_a_newer_book(row, refusal, pair):
    """Books are silent for a second and a half after the refusal: so long is there no new quote."""
    verdict = row(
        f"P.place.nth(2) -> {refusal}",
        during=on_quote(2, "P.ws_public -> silence(1500)"),
        cycles=3,
        outcome="R",
        **pair,
    )
    placed = [i.at_ns for i in verdict.trail.intents.values() if i.purpose == "maker"]
    assert placed[2] - placed[1] > 1.4e9
    assert {c["outcome"] for c in journal(verdict, "cycle")} == {"filled"}


@pytest.mark.fault("OE-08", tier=1)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])
def test_oe_08_a_storm_of_post_only_refusals_costs_three_a_second_at_most(row, pair):
    """After three of them the price is a tick farther from the market."""
    calm = {**CALM, "fill_timeout": 10, "cycles": 1}
    storm = on_quote(1, "P.place.between(0, 6s) -> reject(POST_ONLY)")
    verdict = row(during=storm, outcome="R", **calm, **pair)
    placed = [i for i in journal(verdict, "intent") if i["purpose"] == "maker"]
    times = [i["ts_ns"] / 1e9 for i in placed]
    assert len(placed) > 4
    assert max(sum(t <= other < t + 1 for other in times) for t in times) <= 3
    assert Decimal(placed[3]["price"]) < Decimal(placed[0]["price"])
    assert placed[3]["side"] == "buy"
    assert journal(verdict, "cycle")[0]["requotes"] < 3, "a refusal is no move of the quote"


@pytest.mark.fault("OE-09", tier=2)
def test_oe_09_a_quote_that_took_is_hedged_and_its_true_fee_booked(row):
    verdict = row("P.place.nth(1) -> X.move(-5), mutate(post_only=False)", **{**CALM, "cycles": 1})
    took = verdict.fills("P")[0]
    assert took.liquidity == "taker"
    assert hedged_within(verdict, took) < SOON
    trade = next(t for t in journal(verdict, "trade") if t["role"] == "primary")
    assert took.fee > 0
    assert told_exactly(trade["fee"], took)
    assert said(verdict, "a post-only order took liquidity")
    assert verdict.exit_code == 0


@pytest.mark.fault("OE-09", tier=2)
def test_oe_09_a_venue_that_does_it_twice_is_left(row):
    verdict = row(
        "P.place.nth(1) -> X.move(-5), mutate(post_only=False)",
        "P.place.nth(2) -> X.move(5), mutate(post_only=False)",
        outcome="HF",
        **{**CALM, "cycles": 5},
    )
    assert "post-only" in verdict.summary["reason"]
    assert len(quotes(verdict)) == 2
    assert alarms(verdict, "halt")


@pytest.mark.fault("OE-10", tier=1)
@PAIRS
def test_oe_10_a_duplicate_id_means_that_an_earlier_copy_may_live(row, pair):
    """The order did land; the answer is to a second copy of the same request. It rests until what
    is asked, or the stream, tells of it."""
    verdict = row(
        "P.place.nth(2) -> reject(DUPLICATE_CID, accept=true), fill(0.5q, at=before_place_ack)",
        cycles=2,
        outcome="R",
        **pair,
    )
    landed = quotes(verdict)[1]
    assert booked(verdict, landed) == landed.filled > 0
    assert one_after_another(quotes(verdict))


@pytest.mark.fault("OE-10", tier=1)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])
def test_oe_10_no_copy_is_sent_before_the_first_is_proven_dead(row, pair):
    verdict = row("P.place.nth(2) -> reject(DUPLICATE_CID)", cycles=2, outcome="R", **pair)
    refused = [i for i in verdict.trail.intents.values() if i.purpose == "maker"][1]
    assert said(verdict, f"{refused.client_id} is UNKNOWN")
    assert said(verdict, f"{refused.client_id} is proven gone")


@pytest.mark.fault("OE-10", tier=1)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])
def test_oe_10_ids_are_never_used_again_not_even_by_the_next_run(row, pair):
    verdict = row("crash(after_send, maker)", cycles=2, restart_after=0.01, outcome="R", **pair)
    assert len(verdict.exit_codes) == 2
    ids = [(i["role"], i["client_id"]) for i in journal(verdict, "intent")]
    assert len(ids) == len(set(ids))


@pytest.mark.fault("OE-11", tier=1)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["backpack", "grvt"])
@pytest.mark.parametrize("times", [1, 2])
def test_oe_11_a_refused_nonce_is_mended_by_the_next_request(row, times, pair):
    """While the maker's cancel is under way. Neither venue shares a signing key with the other; one
    allocator for each key is what a venue with sequential nonces adds."""
    verdict = row(
        "P.cancel.nth(1) -> fill(0.5q, at=after_cancel_send)",
        f"H.place.hedge -> reject(NONCE) x {times}",
        outcome="R",
        **CALM,
        **pair,
    )
    fill = verdict.fills("P")[0]
    assert hedged_within(verdict, fill) < SOON
    assert total(verdict.fills("H")) == total(verdict.fills("P"))
    assert not sent(verdict, "P", "unwind")
    intents = [i for i in journal(verdict, "intent") if i["purpose"] == "hedge"]
    assert len(intents) == times + 1
    assert len({i["client_id"] for i in intents}) == times + 1


@pytest.mark.fault("OE-11", tier=1)
def test_oe_11_a_nonce_that_is_refused_for_ever_leads_to_an_unwind(row):
    """Who has no nonces, and no words about them, is asked as often as after any other refusal."""
    verdict = row(
        "P.place.nth(1) -> fill(0.5q, at=resting)",
        "H.place.hedge -> reject(NONCE) x 5",
        outcome="R",
        idle=True,
        **CALM,
    )
    tries = len([i for i in journal(verdict, "intent") if i["purpose"] == "hedge"])
    assert tries == (3 if said(verdict, "hedge refused: nonce") else 5)
    assert said(verdict, "hedge refused: nonce") or not has_nonces(verdict.scenario.hedge)
    assert total(f for f in verdict.fills("H")) == 0
    assert verdict.position("P") == 0
    assert verdict.to_flat < 3


def has_nonces(venue):
    return load(venue).make_nonces is not Translation.make_nonces


@pytest.mark.fault("OE-12", tier=1)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])
def test_oe_12_an_acknowledged_cancel_is_a_hint_and_the_order_may_still_fill(row, pair):
    """Two cancels are acknowledged and not done; the order fills two seconds after the first."""
    verdict = row(
        "P.cancel.nth(1) -> ack_ok, fill(q, at=after_cancel_ack, after=2s)",
        "P.cancel.nth(2) -> ack_ok",
        outcome="R",
        **CALM,
        **pair,
    )
    fill = verdict.fills("P")[0]
    assert fill.order is quotes(verdict)[0]
    assert hedged_within(verdict, fill) < SOON
    assert one_after_another(quotes(verdict))
    assert len(hedges(verdict)) == 1


@pytest.mark.fault("OE-13", tier=1)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])
def test_oe_13_a_cancel_that_finds_nothing_is_a_probable_fill(row, pair):
    """The fill is reported three seconds late; it is asked for, and hedged, long before."""
    verdict = row(
        "P.cancel.nth(1) -> fill(q, at=after_cancel_send, report_delay=3s)",
        outcome="R",
        **CALM,
        **pair,
    )
    fill = verdict.fills("P")[0]
    assert hedged_within(verdict, fill) < SOON
    assert one_after_another(quotes(verdict))
    assert total(verdict.fills("H")) == fill.size
    assert booked(verdict, fill.order) == fill.size


@pytest.mark.fault("OE-14", tier=1)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])
def test_oe_14_a_cancel_that_overtakes_its_order_is_repeated(row, pair):
    """The hedge venue's stream, or else the primary's book, drops a tenth of a second after the
    order has left. Where its nonce can be used up in time, that is done, and it never lands."""
    dropped = "H.ws_private" if row.hears("H") else "P.ws_public"
    verdict = row(
        "P.place.nth(1) -> delay(800)",
        during=on_quote(1, f"{dropped}.at(100) -> disconnect(300)"),
        outcome="R",
        **{**CALM, "fill_timeout": 10, "cycles": 1},
        **pair,
    )
    if fences(verdict) and kept_out(verdict, 1):
        return
    late = quotes(verdict)[0]
    first, *_ = [c["ts_ns"] for c in journal(verdict, "cancel") if c["client_id"] == late.client_id]
    assert first < late.created_ns
    assert late.status == "canceled"
    assert ended(late) - began(late) < 4
    assert one_after_another(quotes(verdict))


@pytest.mark.fault("OE-15", tier=1)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])
@pytest.mark.parametrize("lost", ["drop_response", "drop_request"])
def test_oe_15_a_cancel_without_an_answer_is_repeated_until_the_end_is_known(row, lost, pair):
    verdict = row(
        f"P.cancel.nth(1) -> {lost}", f"P.cancel.nth(2) -> {lost}", outcome="R", idle=True,
        **CALM, **pair,
    )  # fmt: skip
    assert one_after_another(quotes(verdict))
    first = quotes(verdict)[0]
    times = [c["ts_ns"] for c in journal(verdict, "cancel") if c["client_id"] == first.client_id]
    if lost == "drop_request":
        assert [round((b - a) / 1e9) for a, b in pairwise(times)][:2] == [1, 2]
    assert first.status == "canceled"


@pytest.mark.fault("OE-16", tier=1)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])
def test_oe_16_a_cancel_that_never_works_ends_the_run_with_a_page(row, pair):
    """For half a minute every cancel is acknowledged and none is done. Neither venue has a switch
    that cancels what a silent client left."""
    verdict = row(
        "P.cancel.between(0, 32s) -> ack_ok", outcome="HF", **{**CALM, "drain_limit": 60}, **pair
    )
    (quote,) = quotes(verdict)
    times = [
        c["ts_ns"] / 1e9 for c in journal(verdict, "cancel") if c["client_id"] == quote.client_id
    ]
    assert [round(b - a) for a, b in pairwise(times)][:4] == [1, 2, 4, 4]
    draining = next(at for at, phase in verdict.phases if phase == "draining")
    assert 20 < draining - seconds_at(int(times[0] * 1e9)) < 22
    pages = [a for a in journal(verdict, "alarm") if a["page"]]
    assert seconds_at(pages[0]["ts_ns"]) < draining
    assert "does not go away" in verdict.summary["reason"]


@pytest.mark.fault("OE-16", tier=1)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])
def test_oe_16_what_is_filled_meanwhile_is_hedged(row, pair):
    """The order that does not go away fills after half of the time."""
    verdict = row(
        "P.cancel.between(0, 16s) -> ack_ok",
        "P.fill(q).at(15s)",
        outcome="R",
        **CALM,
        **pair,
    )
    fill = verdict.fills("P")[0]
    assert hedged_within(verdict, fill) < SOON
    assert fill.order is quotes(verdict)[0]


@pytest.mark.fault("OE-17", tier=2)
@pytest.mark.parametrize("tries", [1, 3])
def test_oe_17_a_cancel_that_says_yes_and_sends_nothing_convinces_nobody(row, monkeypatch, tries):
    """What an adapter must do is in the conformance suite; this is the run on a broken one."""
    told = []
    kind = row.kind("P")
    send = kind.submit_cancel

    def say_yes(self, cancel):
        told.append(cancel.client_id)
        if 1 < len(told) <= tries + 1:  # the first is the canary's
            return _yes()
        return send(self, cancel)

    async def _yes():
        return None

    monkeypatch.setattr(kind, "submit_cancel", say_yes)
    verdict = row(outcome="R", **CALM)
    assert told.count(quotes(verdict)[0].client_id) == tries + 1
    assert one_after_another(quotes(verdict))
    assert {quote.status for quote in quotes(verdict)} == {"canceled"}


@pytest.mark.fault("OE-18", tier=2)
def test_oe_18_a_quote_moves_by_cancel_settle_and_place_never_by_an_amendment(row):
    """Neither venue has an amendment that keeps the order; one that has it adds the capability."""
    verdict = row(
        "P.at(1s) -> X.move(4)", "P.at(3s) -> X.move(4)", outcome="R", **{**CALM, "fill_timeout": 5}
    )
    assert journal(verdict, "cycle")[0]["requotes"] >= 1
    assert one_after_another(quotes(verdict))
    assert {op for _, _, op in verdict.counts if "amend" in op} == set()
    assert {quote.status for quote in quotes(verdict)} == {"canceled"}


@pytest.mark.fault("OE-19", tier=2)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])
def test_oe_19_an_acknowledged_order_that_never_was_is_found_out(row, pair):
    verdict = row("P.place.nth(1) -> ack_ok", outcome="R", **CALM, **pair)
    first, second, *_ = [i for i in journal(verdict, "intent") if i["purpose"] == "maker"]
    waited = (second["ts_ns"] - first["ts_ns"]) / 1e9
    assert 1.5 < waited < missed_within(verdict, first["client_id"])
    assert said(verdict, f"{first['client_id']} is UNKNOWN")


@pytest.mark.fault("OE-19", tier=2)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])
def test_oe_19_a_resting_order_that_disappears_is_missed(row, pair):
    """By the public book, in which its size is missing, or by the sweep of open orders."""
    verdict = row(
        "P.drop_order.at(2s)", outcome="R", **{**CALM, "fill_timeout": 20, "cycles": 1}, **pair
    )
    gone, replaced = quotes(verdict)[:2]
    assert gone.reason == "dropped"
    assert began(replaced) - began(gone) < 2 + BOUND + RESOLVED


HUNDREDTHS = {leg: {"step": "0.01", "min_size": "0.01"} for leg in ("P", "H")}


@pytest.mark.fault("OE-20", tier=2)
def test_oe_20_a_size_that_the_venue_rounded_is_the_orders_size(row):
    verdict = row(
        "P.place.nth(1) -> mutate(qty=floor), fill(q, at=resting)",
        size="0.15",
        markets=HUNDREDTHS,
        outcome="R",
        **CALM,
    )
    rounded = quotes(verdict)[0]
    assert rounded.filled == rounded.size == booked(verdict, rounded) == Decimal("0.10")
    told = f"{rounded.client_id}: size 0.10* instead of 0.15"
    assert re.search(told, notes(verdict))
    assert began(quotes(verdict)[1]) - ended(rounded) < SOON
    assert quotes(verdict)[1].size == Decimal("0.05"), "the rest of the clip"
    assert verdict.counts[verdict.scenario.primary, "rest", "meta"] > _meta_calls(row), (
        "the market is read again"
    )


def _meta_calls(row):
    verdict = row(outcome="R", **CALM)
    return verdict.counts[verdict.scenario.primary, "rest", "meta"]


@pytest.mark.fault("OE-20", tier=2)
def test_oe_20_a_hedge_that_the_venue_rounded_is_followed_by_its_rest(row):
    verdict = row(
        "P.place.nth(1) -> fill(q, at=resting)",
        "H.place.nth(1) -> mutate(qty=floor)",
        size="0.15",
        markets=HUNDREDTHS,
        outcome="R",
        **CALM,
        **SWAPPED,
    )
    assert [order.filled for order in hedges(verdict)] == [Decimal("0.10"), Decimal("0.05")]
    assert verdict.to_flat < SOON


@pytest.mark.fault("OE-20", tier=2)
def test_oe_20_a_quote_that_rests_elsewhere_than_asked_is_taken_back(row):
    verdict = row("P.place.nth(1) -> mutate(price=2999.90)", outcome="R", **CALM)
    moved = quotes(verdict)[0]
    assert moved.price == Decimal("2999.90")
    assert ended(moved) - began(moved) < ENTRY
    assert one_after_another(quotes(verdict))


@pytest.mark.fault("OE-21", tier=2)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])
@pytest.mark.parametrize("report", ["", ", report_delay=2s"], ids=["in time", "two seconds late"])
def test_oe_21_a_fill_just_before_the_orders_own_end_counts(row, pair, report):
    verdict = row(
        f"P.place.nth(1) -> mutate(expires=5s), fill(0.5q, at=resting, after=4990ms{report})",
        outcome="R",
        **{**CALM, "fill_timeout": 10, "cycles": 1},
        **pair,
    )
    expired = quotes(verdict)[0]
    assert expired.reason == "expired"
    assert booked(verdict, expired) == expired.filled == expired.size / 2
    assert total(verdict.fills("H")) == expired.filled
    assert one_after_another(quotes(verdict))
    assert verdict.to_flat < (4 if report else SOON)


@pytest.mark.fault("OE-22", tier=1)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])
@pytest.mark.parametrize("report", ["", "report_delay=3s"], ids=["told", "told late"])
def test_oe_22_a_venue_that_cancels_everything_leads_to_a_new_quote(row, pair, report):
    """Where its reason is that it does not trade now, that is waited for."""
    verdict = row(
        f"P.at(2s) -> cancel_all({report})",
        outcome="R",
        **{**CALM, "fill_timeout": 10, "cycles": 1},
        **pair,
    )
    gone, replaced = quotes(verdict)[:2]
    assert gone.reason == "market"
    assert not [c for c in journal(verdict, "cancel") if c["client_id"] == gone.client_id]
    closed = said(verdict, "maker refused: venue_mode")
    assert began(replaced) - ended(gone) < 4 + CLOSED * closed
    assert len(journal(verdict, "cycle")) == 1, "it is no end of the attempt"


CHAOS = (
    "P.cancel.maker.prob(0.25, 1) -> delay(1s)",
    "P.cancel.maker.prob(0.15, 2) -> delay(5s)",
    "P.place.maker.prob(0.3, 3) -> fill(0.3q, at=before_place_ack)",
    "P.place.maker.prob(0.3, 4) -> fill(0.4q, at=resting)",
    "P.place.maker.prob(0.1, 7) -> fill(q, at=resting)",
    "P.cancel.maker.prob(0.3, 5) -> fill(0.5q, at=after_cancel_send)",
    "P.cancel.maker.prob(0.3, 6) -> fill(0.5q, at=after_cancel_ack)",
)


@pytest.mark.fault("OE-23", tier=1)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])
@pytest.mark.parametrize(("source", "seed"), [("still", 1), ("quick", 2)])
def test_oe_23_there_is_one_quote_whatever_cancels_take(row, pair, source, seed):
    """Sixty cycles here; ten thousand are a command of their own. A fill after an acknowledged
    cancel contradicts the venue's own word, hence the tag."""
    verdict = row(
        *CHAOS,
        source=source,
        cycles=60,
        size=1,
        seed=seed,
        fill_timeout=0.5,
        tags=["contradiction"],
        outcome="R",
        **pair,
    )
    assert len(quotes(verdict)) >= 60
    assert len(verdict.fills("P")) > 40


@pytest.mark.fault("OE-24", tier=2)
def test_oe_24_a_request_passed_on_twice_is_one_order_where_ids_are_unique(row):
    if takes_ids_twice(row):
        pytest.skip(f"declared: {row.kind('P').SPEC.name} takes an id twice")
    verdict = row("P.place.nth(2) -> duplicate(1)", cycles=3, outcome="R")
    ids = [order.client_id for order in quotes(verdict)]
    assert len(ids) == len(set(ids))
    assert not said(verdict, "twice")


@pytest.mark.fault("OE-24", tier=2)
def test_oe_24_a_hedge_executed_twice_is_undone(row):
    """The venue did more than it was told; what nobody can prevent is repaired at once, or as soon
    as the position tells of it. (Without ids of ours a second order is a stranger's.)"""
    row.need("H", "client_order_id")
    verdict = row(
        "P.place.nth(1) -> fill(q, at=resting)",
        "H.place.nth(1) -> duplicate(1)",
        outcome="R",
        tags=["contradiction"],
        **CALM,
    )
    assert verdict.to_flat < 2 * SOON + compared_after(verdict)
    assert verdict.position("H") == -verdict.position("P")


@pytest.mark.fault("OE-24", tier=2)
def test_oe_24_both_of_two_copies_are_taken_back_where_they_are_not(row):
    """For the moment until the bot hears of it there are two: no client can prevent that (O3)."""
    pair = {} if takes_ids_twice(row) else SWAPPED
    verdict = row("P.place.nth(1) -> duplicate(1)", outcome="R", allow=("O3",), **CALM, **pair)
    one, two, *later = quotes(verdict)
    assert one.client_id == two.client_id
    assert max(ended(one), ended(two)) - began(one) < ENTRY
    assert one_after_another([two, *later])


def takes_ids_twice(row):
    return load_venue(row.kind("P").SPEC.name).takes_ids_twice


@pytest.mark.fault("OE-16", tier=1)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["socket", "rest"])
@pytest.mark.parametrize("exclusive", [True, False])
def test_oe_16_everything_is_canceled_only_where_nobody_else_trades(row, exclusive, pair):
    """Cancels of this one order are not done for 10 s; one of all orders would be, where the venue
    has such a thing: elsewhere all orders are canceled one by one."""
    verdict = row(
        "P.cancel.maker.between(0, 10s) -> ack_ok",
        exclusive=exclusive,
        outcome="R",
        **CALM,
        **pair,
    )
    first = quotes(verdict)[0]
    assert len(journal(verdict, "cancel_all")) == exclusive
    at_once = load(verdict.scenario.primary).encode_cancel_all is not Translation.encode_cancel_all
    assert (ended(first) - began(first) < 12) is (exclusive and at_once)
    assert one_after_another(quotes(verdict))

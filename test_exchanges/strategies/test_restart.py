"""strategies.restart: what lines come to, and how a run goes on from them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.utils.orders import State
from strategies.config import HedgeConfig
from strategies.desk import Desk
from strategies.restart import (
    CannotResume,
    Past,
    baseline_of,
    fold,
    objections,
    restore,
    taken_over,
)
from strategies.setup import Setup
from strategies.words import Cancel, Kind, Role
from test_exchanges.strategies.fake_dex import market

D = Decimal
WHERE = {"mode": "live", "primary": "p/1/ETH", "hedge": "h/2/ETH"}
T0 = 1_767_225_600_000
ZEROS: dict[Role, Decimal] = {"primary": D(0), "hedge": D(0)}


class Story:
    """Lines, each a second after the last."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.now_ms = T0

    def say(self, kind: str, **fields: Any) -> Story:
        self.now_ms += 1000
        texts = {k: str(v) if isinstance(v, Decimal) else v for k, v in fields.items()}
        self.lines.append({"kind": kind, "ts_ns": self.now_ms * 1_000_000, **texts})
        return self

    def session(self, name: str = "a", **changes: Any) -> Story:
        header = {
            "v": 1,
            "session": name,
            "resumed": False,
            "carries": True,
            "where": WHERE,
            "baseline": {"primary": "0", "hedge": "0"},
            "held": {"primary": "0", "hedge": "0"},
            "mids": {"primary": "2000", "hedge": "2000"},
        }
        return self.say("session", **{**header, **changes})

    def intent(self, cid: str, purpose: str = "maker", side: str = "buy", **changes: Any) -> Story:
        role = changes.pop("role", "hedge" if purpose == "hedge" else "primary")
        attempt = {"closing": False, "counts": True, "size": "0.5"}
        told: dict[str, Any] = {
            "role": role,
            "purpose": purpose,
            "cycle": 1,
            "client_id": cid,
            "symbol": "ETH",
            "side": side,
            "size": "0.5",
            "price": "2000",
            "post_only": purpose == "maker",
            "reduce_only": False,
            "decision": "2000",
            "attempt": attempt if purpose in ("maker", "flatten") else None,
        }
        return self.say("intent", **{**told, **changes})

    def fill(self, cid: str | None, size: str = "0.5", side: str = "buy", **changes: Any) -> Story:
        told: dict[str, Any] = {
            "role": "primary",
            "source": "stream",
            "id": f"t{len(self.lines)}",
            "order_id": f"o-{cid}",
            "client_order_id": cid,
            "symbol": "ETH",
            "side": side,
            "price": "2000",
            "size": size,
            "fee": "0.1",
            "fee_asset": "USD",
            "liquidity": "maker",
            "timestamp_ms": self.now_ms,
        }
        return self.say("fill", **{**told, **changes})

    def order(self, cid: str | None, status: str, filled: str = "0", **changes: Any) -> Story:
        told: dict[str, Any] = {
            "role": "primary",
            "id": f"o-{cid}",
            "client_order_id": cid,
            "status": status,
            "size": "0.5",
            "filled": filled,
            "average_price": None,
        }
        return self.say("order", **{**told, **changes})

    def trade(self, cid: str, place: int = -1) -> Story:
        fill = self.lines[place]
        return self.say(
            "trade",
            role=fill["role"],
            order_id=fill["order_id"],
            trade_id=fill["id"],
            client_id=cid,
            size=fill["size"],
            price=fill["price"],
            side=fill["side"],
            fee=fill["fee"],
            liquidity=fill["liquidity"],
            late=False,
            latency_ms=None,
        )

    def cycle(self, number: int = 1, **changes: Any) -> Story:
        told = {
            "cycle": number,
            "direction": "buy",
            "closing": False,
            "counts": True,
            "filled": "0.5",
            "outcome": "filled",
            "requotes": 0,
            "max_exposure": "0.5",
            "exposure_seconds": "1",
        }
        return self.say("cycle", **{**told, **changes})

    def finish(self, code: int = 0, **changes: Any) -> Story:
        return self.say("finish", code=code, reason="done", verified=True, **changes)

    def past(self) -> Past:
        return fold(self.lines, WHERE, self.now_ms)


def setup_at(now: float, wall_ms: int, **changes: Any) -> Setup:
    config = HedgeConfig(primary="p", hedge="h", ticker="ETH", size=D("0.5"), **changes)
    return Setup(
        config=config,
        markets={"primary": market("ETH"), "hedge": market("ETH")},
        bounds={"primary": 5.0, "hedge": 2.0},
        taker_bounds={"primary": 1.0},
        acks={"primary": 1.5, "hedge": 1.5},
        baseline=ZEROS,
        new_id={"primary": str, "hedge": str},
        started=now,
        started_ms=wall_ms,
    )


def desk_of(past: Past, *, resume: bool = True, later_ms: int = 0) -> Desk:
    setup = setup_at(100.0, past.last_ms + later_ms)
    mids: dict[Role, Decimal] = {"primary": D(2000), "hedge": D(1999)}
    return restore(setup, past, 100.0, resume=resume, mids=mids)


# --------------------------------------------------------------------------- lines


def test_a_killed_run_leaves_its_fill_and_its_doubt() -> None:
    story = Story().session().intent("m1").order("m1", "open").fill("m1", "0.2")
    story.intent("h1", "hedge", "sell", size="0.2")
    past = story.past()
    assert past.held == {"primary": D("0.2"), "hedge": D(0)}
    assert {order.client_id: order.cum for order in past.unsettled} == {"m1": D("0.2"), "h1": D(0)}
    assert past.code is None
    assert not past.finished
    assert past.crashes == [past.last_ms]


def test_fills_count_once_whatever_brings_them() -> None:
    story = Story().session().intent("m1").fill("m1", "0.2", id="t1").fill("m1", "0.2", id="t1")
    story.order("m1", "canceled", "0.3").fill("m1", "0.1", id="t2", client_order_id=None)
    past = story.past()
    assert past.held["primary"] == D("0.3")
    assert past.unsettled == []
    assert past.ledger.accounts["primary"].fees == D("0.2")


def test_the_venue_s_id_is_enough() -> None:
    story = Story().session().intent("m1").order("m1", "open")
    story.fill(None, "0.5", order_id="o-m1")
    assert story.past().held["primary"] == D("0.5")


def test_what_nobody_here_ordered_is_not_ours() -> None:
    story = Story().session().intent("m1").fill("x9", "3").order("x9", "filled", "3")
    assert story.past().held == ZEROS


def test_a_definite_refusal_settles_and_a_duplicate_id_does_not() -> None:
    for refusal, left in (("margin", 0), ("duplicate_id", 1)):
        story = Story().session().intent("h1", "hedge", "sell")
        story.say("refused", role="hedge", client_id="h1", refusal=refusal, detail="no")
        assert len(story.past().unsettled) == left


def test_a_clean_end_settles_everything_and_keeps_the_pair() -> None:
    story = Story().session().intent("m1").fill("m1").intent("h1", "hedge", "sell")
    story.fill("h1", "0.5", "sell", role="hedge").intent("m2").finish(6)
    past = story.past()
    assert past.finished
    assert past.pair_open
    assert past.held == {"primary": D("0.5"), "hedge": D("-0.5")}
    assert past.crashes == []


@pytest.mark.parametrize("code", [3, 5])
def test_an_end_that_settled_nothing_is_no_end(code: int) -> None:
    past = Story().session().intent("m1").fill("m1").finish(code).past()
    assert not past.finished
    assert past.crashes == []


def test_positions_are_carried_from_session_to_session_and_counters_by_wish() -> None:
    story = Story().session("a").intent("m1").fill("m1").cycle().finish(6)
    held = {"primary": "0.5", "hedge": "0"}
    assert story.past().attempts == 1
    resumed = Story()
    resumed.lines = [*story.lines]
    resumed.now_ms = story.now_ms
    past = resumed.session("a", resumed=True, held=held).cycle(2).past()
    assert (past.attempts, past.successes, past.held["primary"]) == (2, 2, D("0.5"))
    fresh = story.session("b", held=held, mids={"primary": "2100", "hedge": "2100"}).cycle(2)
    past = fresh.past()
    assert (past.attempts, past.held["primary"]) == (1, D("0.5"))
    assert past.ledger.accounts["primary"].cash == D(-1050)


def test_a_session_that_carries_nothing_forgets_all_but_the_crashes() -> None:
    story = Story().session("a").intent("m1").fill("m1").session("b", carries=False)
    past = story.past()
    assert past.held == ZEROS
    assert past.orders == {}
    assert len(past.crashes) == 2


def test_sessions_of_another_account_are_passed_over() -> None:
    story = Story().session("a").intent("m1").fill("m1", "0.2")
    other = {**WHERE, "mode": "sim"}
    story.session("b", where=other, carries=False).intent("m2").fill("m2", "7").finish(0)
    past = story.past()
    assert past.session == "a"
    assert past.held["primary"] == D("0.2")


def test_changes_by_others_are_carried_with_the_baseline() -> None:
    story = Story().session().intent("m1").fill("m1")
    told: dict[str, Any] = {
        "baseline": {"primary": "0.1", "hedge": "0"},
        "adopted": {"primary": ["-0.3", "600"], "hedge": ["0", "0"]},
    }
    story.say("external", **told)
    told["adopted"] = {"primary": ["-0.4", "800"], "hedge": ["0", "0"]}
    past = story.say("external", **told).past()
    assert past.held["primary"] == D("0.1")
    assert past.expected("primary") == D("0.2")
    assert past.ledger.accounts["primary"].cash == D(-200)


def test_fills_without_a_row_are_told_again() -> None:
    story = Story().session().intent("m1").fill("m1", "0.2").trade("m1").fill("m1", "0.3")
    (trade,) = story.past().untold.values()
    assert (trade.size, trade.purpose, trade.exposure) == (D("0.3"), Kind.MAKER, D("0.5"))


def test_orders_are_remembered_for_a_day() -> None:
    story = Story().session().intent("m1").order("m1", "filled", "0.5").intent("m2")
    assert set(fold(story.lines, WHERE, story.now_ms).orders) == {
        ("primary", "m1"),
        ("primary", "m2"),
    }
    later = fold(story.lines, WHERE, story.now_ms + 86_500_000)
    assert set(later.orders) == {("primary", "m2")}


def test_a_crash_loop_is_three_in_ten_minutes() -> None:
    story = Story().session("a").session("b").session("c")
    past = story.past()
    assert past.crash_loop(story.now_ms)
    assert not past.crash_loop(story.now_ms + 600_000)
    assert not Story().session("a").session("b").finish(0).past().crash_loop(story.now_ms)


def test_an_older_format_is_refused_unless_it_ended() -> None:
    old = Story().intent("m1")
    with pytest.raises(CannotResume, match="flatten"):
        old.past()
    assert old.finish(0).past() == Past()


def test_a_newer_format_is_refused() -> None:
    with pytest.raises(CannotResume, match="another version"):
        Story().session(v=2).past()


def test_the_last_of_a_kind_is_kept_for_rows_and_basis() -> None:
    story = Story().session().intent("m1").fill("m1").trade("m1").cycle()
    past = story.say("basis", ages=[1], bps=["4"]).past()
    assert past.trade is not None
    assert past.cycle is not None
    assert past.basis is not None
    assert past.report.cycles == 1


# --------------------------------------------------------------------------- what is found


def settings(**changes: Any) -> HedgeConfig:
    return HedgeConfig(primary="p", hedge="h", ticker="ETH", size=D("0.5"), **changes)


def pair_left() -> Past:
    story = Story().session().intent("m1").fill("m1").intent("h1", "hedge", "sell")
    return story.fill("h1", "0.5", "sell", role="hedge").finish(6).past()


PAIR: dict[Role, Decimal] = {"primary": D("0.5"), "hedge": D("-0.5")}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "--resume"),
        ({"resume": True}, ""),
        ({"adopt_baseline": "keep"}, ""),
    ],
)
def test_a_pair_left_open_needs_a_word(options: dict[str, Any], words: str) -> None:
    past, config = pair_left(), settings(**options)
    told = objections(config, past, PAIR, past.last_ms)
    assert bool(told) == bool(words)
    assert all(words in sentence for sentence in told)
    if "resume" in options:
        assert taken_over(config, past, PAIR).held == PAIR
        assert baseline_of(config, past, PAIR) == ZEROS
    if "adopt_baseline" in options:
        assert taken_over(config, past, PAIR).held == ZEROS
        assert baseline_of(config, past, PAIR) == PAIR


def test_a_pair_that_somebody_closed_is_gone() -> None:
    past = pair_left()
    for config in (settings(), settings(resume=True)):
        assert objections(config, past, ZEROS, past.last_ms) == []
        assert taken_over(config, past, ZEROS).held == ZEROS


def test_after_a_crash_the_core_makes_out_whose_a_position_is() -> None:
    past = Story().session().intent("m1").fill("m1").past()
    assert objections(settings(), past, PAIR, past.last_ms) == []
    assert taken_over(settings(), past, ZEROS).held["primary"] == D("0.5")  # a reading may lag


def test_a_late_fill_after_a_clean_end_is_ours_for_a_day() -> None:
    past = Story().session().intent("m1").order("m1", "canceled").finish(0).past()
    held = {**ZEROS, "primary": D("0.5")}
    assert objections(settings(), past, held, past.last_ms + 1000) == []
    assert set(taken_over(settings(), past, held).orders) == {("primary", "m1")}
    (told,) = objections(settings(), past, held, past.last_ms + 86_400_001)
    assert "primary already holds 0.5" in told


def test_a_lost_journal_leaves_what_the_venues_hold() -> None:
    past = Past(lost=True)
    assert objections(settings(), past, PAIR, T0) == []
    assert taken_over(settings(), past, PAIR).held == PAIR
    kept = settings(adopt_baseline="keep")
    assert baseline_of(kept, past, PAIR) == PAIR
    assert taken_over(kept, past, PAIR).held == ZEROS


# --------------------------------------------------------------------------- going on


def test_every_open_order_is_unknown_and_its_bound_counts_from_its_intent() -> None:
    story = Story().session().intent("m1").order("m1", "open").intent("h1", "hedge", "sell")
    story.intent("u1", "unwind", "sell")
    desk = desk_of(story.past(), later_ms=10_000)
    orders = {order.client_id: order for order in desk.active.values()}
    assert {order.state for order in orders.values()} == {State.UNKNOWN}
    assert orders["h1"].sent == pytest.approx(100 - 11)
    assert orders["h1"].bound == pytest.approx(100 - 11 + 2)
    assert orders["u1"].bound == pytest.approx(100 - 10 + 1)
    assert [c.client_id for c in desk.commands if isinstance(c, Cancel)] == ["m1"]
    assert sum(order.reserved for order in orders.values()) == D(-1)
    assert desk.debt == 0, "nothing is owed, whatever they may still do"


def test_counters_go_on_with_resume_and_begin_anew_without() -> None:
    story = Story().session().intent("m1").fill("m1").cycle().intent("m2", cycle=2)
    for resume, attempts in ((True, 1), (False, 0)):
        desk = desk_of(story.past(), resume=resume)
        assert desk.attempts == desk.successes == attempts
        assert desk.cycles == 2
        assert desk.cycle is not None
        assert desk.cycle.counts is resume
        assert desk.last_opening == "buy"


def test_an_interrupted_cycle_has_what_it_traded() -> None:
    story = Story().session().intent("m1").fill("m1", "0.2").intent("h1", "hedge", "sell")
    desk = desk_of(story.fill("h1", "0.2", "sell", role="hedge", liquidity="taker").past())
    cycle = desk.cycle
    assert cycle is not None
    assert (cycle.filled, cycle.hedged, cycle.maker_fee, cycle.taker_fee) == (
        D("0.2"),
        D("0.2"),
        D("0.1"),
        D("0.1"),
    )
    assert cycle.over
    assert cycle.first_fill == pytest.approx(100 - 2)
    assert len(cycle.keys) == 2


def test_cycles_that_waited_for_their_line_are_counted_once() -> None:
    story = Story().session().intent("m1").fill("m1").intent("m2", cycle=2)
    desk = desk_of(story.past())
    assert [cycle.number for cycle in desk.ended] == [1]
    assert (desk.attempts, desk.successes) == (1, 1)
    assert desk.cycle is not None
    assert desk.cycle.number == 2


def test_what_was_held_is_worth_nothing_new_without_resume() -> None:
    desk = desk_of(Story().session().intent("m1").fill("m1").past(), resume=False)
    account = desk.ledger.accounts["primary"]
    assert (account.position, account.cash, account.volume) == (D("0.5"), D(-1000), D(0))
    assert desk.ledger.exposure_record.now == D("0.5")


def test_fills_are_asked_for_from_a_minute_before_the_first_doubt() -> None:
    story = Story().session().intent("m1").order("m1", "open").past()
    assert story.began_ms == T0 + 1000 - 60_000
    done = pair_left()
    assert done.began_ms == done.last_ms - 60_000


def test_nothing_left_is_an_empty_desk() -> None:
    desk = restore(setup_at(5.0, T0), Past(), 5.0, resume=True, mids=ZEROS)
    assert (desk.active, desk.cycle, desk.attempts) == ({}, None, 0)
    assert replace(desk.ledger).exposure == 0


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    """The lines above are those of a real run: it is folded to the same end."""
    from mpdex.utils.journal import replay
    from test_exchanges.strategies.test_hedge import play

    result, stage = play(tmp_path, iterations=3)
    lines = list(replay(tmp_path / "2dex_p_h_ETH_events.jsonl"))
    header = lines[0]
    past = fold(lines, header["where"], lines[-1]["ts_ns"] // 1_000_000)
    assert past.finished
    assert past.held == {"primary": stage.primary.position, "hedge": stage.hedge.position}
    assert (past.attempts, past.successes) == (
        result.summary["attempts"],
        result.summary["successes"],
    )
    assert past.untold == {}
    assert past.open_cycles == {}

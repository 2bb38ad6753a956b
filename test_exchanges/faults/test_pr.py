"""Process, machine, clock and disk: PR-01 to PR-17 of the fault matrix."""

from __future__ import annotations

import pytest
from faults.moments import (
    EACH_FILLS,
    FIRST_FILLS,
    SLOWLY,
    STILL,
    fills_of,
    notes,
    resting,
    seconds_at,
    sent,
    to_hedge,
    until,
)


def balanced(verdict):
    """What the maker filled is what was hedged or unwound, and nothing else was traded."""
    assert not verdict.truth.exposure
    made = sum(fill.size for fill in fills_of(verdict, "P", "maker"))
    back = sum(fill.size for fill in fills_of(verdict, "P", "unwind"))
    assert sum(fill.size for fill in fills_of(verdict, "H", "hedge")) <= made
    return made - back


@pytest.mark.fault("PR-01", tier=1)
@pytest.mark.parametrize(
    "moment",
    [
        "before_journal, maker",
        "after_send, maker",
        "after_ack, maker",
        "after_fill_recv, maker",
        "after_send, hedge",
        "after_ack, hedge",
        "after_fill_recv, hedge",
    ],
)
def test_pr_01_a_signal_at_any_moment_ends_clean(row, moment):
    """Half of each hedge fills at first, and the quote in two parts."""
    verdict = row(
        f"proc.signal(TERM, {moment})",
        "H.place.hedge.every(2) -> thin(0.5q)",
        cycles=6,
        outcome=6,
        idle=True,
    )
    asked = next(at for at, phase in verdict.phases if phase == "draining")
    assert verdict.seconds - asked < 20.0
    assert balanced(verdict) >= 0


@pytest.mark.fault("PR-01", tier=1)
@pytest.mark.parametrize("on_exit", ["neutral", "flatten"])
def test_pr_01_what_stays_open_is_what_was_asked_for(row, on_exit):
    async def during(lab):
        await until(lambda: lab.truth["P"].position and not lab.truth.exposure)
        lab.stop.ask()

    verdict = row(cycles=6, outcome=6, during=during, on_exit=on_exit)
    assert bool(verdict.position("P")) is (on_exit == "neutral")
    assert not verdict.truth.exposure


@pytest.mark.fault("PR-02", tier=1)
@pytest.mark.parametrize("down", [1.0, 60.0, 3600.0])
def test_pr_02_killed_between_fill_and_hedge(row, down):
    verdict = row(
        "proc.crash(after_fill_recv, maker)",
        cycles=4,
        restart_after=down,
        outcome="R",
        timeout=8000,
    )
    assert verdict.exit_codes == [None, 0]
    assert balanced(verdict) == sum(f.size for f in fills_of(verdict, "H", "hedge"))
    again = max(at for at, phase in verdict.phases if phase == "reconciling")
    owed = [seconds_at(f.time_ns) for f in verdict.fills("H") if seconds_at(f.time_ns) > again]
    assert min(owed) - again < 5.0, "the first thing it did"


@pytest.mark.fault("PR-03", tier=1)
@pytest.mark.parametrize("order", ["maker", "hedge", "unwind"])
@pytest.mark.parametrize("lost", [False, True])
def test_pr_03_killed_between_sending_and_the_answer(row, order, lost):
    """The order arrived, or it did not: the next run finds out before it does anything."""
    leg = "H" if order == "hedge" else "P"
    rules = [f"proc.crash(after_send, {order})"]
    if lost:
        rules.append(f"{leg}.place.{order}.nth(1) -> drop_request")
    if order == "unwind":
        rules.append("H.place.nth(2) -> reject(MARGIN)")
    outcome = ["R", "D", "HF"] if order == "unwind" else "R"
    verdict = row(*rules, cycles=4, outcome=outcome)
    assert verdict.exit_codes[0] is None
    balanced(verdict)
    assert "UNKNOWN" in notes(verdict) or "proven gone" in notes(verdict) or not lost


@pytest.mark.fault("PR-04", tier=1)
def test_pr_04_killed_after_the_hedge_was_sent(row):
    verdict = row("proc.crash(after_hedge_send)", cycles=4, outcome="R")
    assert verdict.exit_codes == [None, 0]
    assert balanced(verdict) == sum(f.size for f in fills_of(verdict, "H", "hedge"))


@pytest.mark.fault("PR-05", tier=1)
def test_pr_05_a_crash_loop_ends(row):
    """Every recovery is killed: after three crashes in ten minutes it does not start again."""
    verdict = row(
        "proc.crash(after_fill_recv, maker)",
        "proc.crash(in_recovery) x 5",
        cycles=4,
        outcome=3,
        allow=("O2",),
    )
    assert verdict.exit_codes == [None, None, None, 3]
    assert "--force" in verdict.summary["reason"]
    assert len(sent(verdict, "H", "hedge")) <= len(verdict.fills("P"))


@pytest.mark.fault("PR-05", tier=1)
def test_pr_05_recovery_may_be_killed_at_any_time(row):
    verdict = row(
        "proc.crash(after_fill_recv, maker)",
        "proc.crash(in_recovery) x 5",
        cycles=4,
        outcome="R",
        force=True,
    )
    assert verdict.exit_codes == [None] * 6 + [0]
    assert balanced(verdict) == sum(f.size for f in fills_of(verdict, "H", "hedge"))


@pytest.mark.fault("PR-07", tier=1)
def test_pr_07_a_machine_that_slept_looks_at_everything_again(row):
    async def during(lab):
        quote = await resting(lab, 2)
        lab.faults.add("proc.suspend(30000)")
        lab.faults.add("P.fill(q).at(10s)")
        await until(lambda: not quote.live)
        lab.faults.add(EACH_FILLS)

    verdict = row(FIRST_FILLS, source=STILL, cycles=4, outcome="D", during=during)
    assert "without a look at anything" in notes(verdict)
    assert "recovering" in verdict.visited
    balanced(verdict)
    assert max(to_hedge(verdict)) < 25.0, "five seconds after waking up at most"


@pytest.mark.fault("PR-08", tier=1)
@pytest.mark.parametrize("hours", [1, -1])
def test_pr_08_a_jump_of_the_wall_clock_moves_no_timer(row, hours):
    """The machine's clock is set by an hour while a quote rests. It is noticed at once, and ends
    the run by the rule for clocks; what has to be sent until then carries the venues' time."""
    jumped = {}

    async def during(lab):
        await resting(lab, 3)
        jumped["at"] = lab.clock.monotonic()
        lab.bot_clock.skew_ns += hours * 3_600_000_000_000
        lab.faults.add("P.fill(q).at(10ms)")

    verdict = row(SLOWLY, source=STILL, cycles=20, outcome="HF", during=during)
    assert "clock" in verdict.summary["reason"]
    assert verdict.seconds - jumped["at"] < 5.0
    assert balanced(verdict) == sum(f.size for f in fills_of(verdict, "H", "hedge"))
    assert max(to_hedge(verdict)) < 1.0
    ids = [order.client_id for leg in ("P", "H") for order in verdict.orders(leg)]
    assert len(ids) == len(set(ids))


@pytest.mark.fault("PR-09", tier=1)
@pytest.mark.parametrize("disk", ["disk.full", "disk.readonly"])
def test_pr_09_a_disk_that_takes_nothing_more(row, disk):
    """Nothing new is begun, what is owed is hedged all the same, and the run halts."""
    failed = {}

    async def during(lab):
        await resting(lab, 3)
        lab.faults.add(disk)
        failed["at"] = lab.clock.monotonic()

    verdict = row(cycles=20, outcome="HF", during=during)
    assert "journal" in verdict.summary["reason"]
    assert not verdict.truth.exposure
    late = [o for o in verdict.orders("P") if o.post_only]
    assert not [o for o in late if seconds_at(o.created_ns) > failed["at"] + 1.0]


@pytest.mark.fault("PR-13", tier=2)
def test_pr_13_killed_by_whoever(row):
    verdict = row("proc.signal(KILL, after_hedge_send)", cycles=4, outcome="R")
    assert verdict.exit_codes == [None, 0]
    balanced(verdict)


@pytest.mark.fault("PR-14", tier=2)
@pytest.mark.parametrize("damage", ["torn", "garbled"])
def test_pr_14_the_end_of_the_journal_is_torn(row, damage):
    """Forty bytes are missing, or nonsense: dropped and told; the venues say what is true."""

    async def during(lab):
        await until(lambda: lab.starts == 1 and lab.alive)
        await until(lambda: not lab.alive and lab._files is None)
        file = lab.trail.file
        content = file.read_bytes()
        end = b"" if damage == "torn" else b'{"seq":1,"kind":"fi\n'
        file.write_bytes(content[:-40] + end)

    verdict = row(
        "proc.crash(after_fill_recv, maker)",
        cycles=4,
        restart_after=2,
        during=during,
        outcome="R",
        allow=("O5",),
    )
    assert verdict.exit_codes == [None, 0]
    assert not verdict.truth.exposure

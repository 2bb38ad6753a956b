"""Process, machine, clock and disk: PR-01 to PR-17 of the fault matrix."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import inspect
import itertools
import pkgutil
import random
import runpy
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web
from alerts.service_double import served
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

from exchange_factory import create_exchange, load
from mpdex.alerts import AlertConfig, Alerts
from mpdex.alerts.config import Discord, Telegram, Webhook
from mpdex.sim.records import SimOrder
from mpdex.utils.client_ids import ClientIds
from strategies.cycles import Cycle
from strategies.driver import Driver
from strategies.hedge import run_hedge
from strategies.tracking import Tracked
from wrappers.base_ws_client import Link


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
@pytest.mark.parametrize("down", [1.0, 300.0])
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


@contextmanager
def standing_still(lab):
    """The market makes a pause, and goes on where it was."""
    players, began = lab.world.server.stage._players, lab.clock.monotonic()
    for player in players:
        player._timer.cancel()
    yield
    for player in players:
        player._started += lab.clock.monotonic() - began
        player._run()


@pytest.mark.fault("PR-06", tier=1)
def test_pr_06_hours_and_five_hundred_foreign_trades_later(row):
    """Killed with a quote at rest, which fills while it is down; then somebody else trades five
    hundred times on the account. Fills come a page of 40 at a time; ours is on the last one."""

    async def during(lab):
        quote = await resting(lab, 2)
        lab.kill()
        with standing_still(lab):  # nobody looks at the market, and six hours of it take a while
            await asyncio.sleep(21_590)
        exchange = lab.truth["P"].exchange
        exchange.fill(quote, quote.size)
        for number in range(500):
            size = quote.size if number % 2 else -quote.size
            exchange.manual_trade(quote.account, quote.symbol, size)
        lab.faults.add("P.query_fills -> page(40)")
        lab.faults.add(EACH_FILLS)

    verdict = row(
        FIRST_FILLS,
        source=STILL,
        cycles=3,
        restart_after=21_600,
        timeout=30_000,
        during=during,
        outcome="R",
        tags=["external"],
    )
    assert verdict.exit_codes == [None, 0]
    assert verdict.counts["grvt", "rest", "query_fills"] > 12, "page by page"
    assert not verdict.truth.exposure


@pytest.mark.fault("PR-10", tier=1)
def test_pr_10_a_second_run_on_the_same_accounts_is_refused(row, monkeypatch, tmp_path):
    """By its lock, whatever its folder is; nothing of the first one is touched."""
    locks = tmp_path / "locks"
    monkeypatch.setattr("mpdex.lab.lab.run_hedge", partial(run_hedge, locks=locks))
    second = {}

    async def during(lab):
        quote = await resting(lab, 2)
        config = dataclasses.replace(lab.config, logs=tmp_path / "elsewhere")
        dexes = [
            await create_exchange(
                lab.venue(leg),
                {**lab.keys(leg), "endpoints": lab.world.endpoints[lab.venue(leg)]},
                clock=lab.bot_clock,
            )
            for leg in ("P", "H")
        ]
        second["result"] = await run_hedge(
            config, *dexes, clock=lab.bot_clock, rng=random.Random(9), locks=locks
        )
        second["alive"] = quote.live
        for dex in dexes:
            await dex.close()
        lab.faults.add(EACH_FILLS)
        lab.faults.add("P.fill(q)")

    verdict = row(FIRST_FILLS, source=STILL, cycles=3, outcome="R", during=during)
    assert second["result"].exit_code == 2
    assert "is traded by process" in second["result"].summary["reason"]
    assert second["alive"]
    assert len(sent(verdict, "P", "maker")) <= 5


@pytest.mark.fault("PR-10", tier=1)
def test_pr_10_an_order_of_ours_that_no_journal_knows_starts_nothing(row):
    """It bears our mark: another machine may be trading this account."""

    async def during(lab):
        exchange = lab.truth["P"].exchange
        ids = ClientIds(load("grvt").SPEC.client_id, lab.clock)
        market = lab.truth["P"].market
        stray = SimOrder(
            account=next(iter(exchange.accounts)),
            symbol=market.symbol,
            side="buy",
            size=market.min_size * 10,
            price=Decimal(2950),
            client_id=ids.new(),
            post_only=True,
        )
        lab.stray = lab.own(stray)
        await asyncio.sleep(1000)

    verdict = row(cycles=3, outcome=3, during=during)
    assert "order" in verdict.summary["reason"]
    assert not sent(verdict, "P", "maker")
    assert verdict.truth["P"].live, "whose it is, is not known: it is left alone"


@pytest.mark.fault("PR-11", tier=1)
@pytest.mark.parametrize("nth", [1, 2, 5])
@pytest.mark.parametrize(
    "broken",
    [
        "strategies.questions.Questions.placed",
        "strategies.questions.Questions.canceled",
        "strategies.questions.Questions.about",
        "strategies.questions.Questions.everything",
        "strategies.questions.Questions.reading",
        "strategies.scribe.Scribe.hear",
        "strategies.outputs.Outputs.trade",
        "strategies.outputs.Outputs.cycle",
        "mpdex.utils.feeds.Feeds._on_fill",
        "mpdex.utils.feeds.Feeds._on_order",
        "mpdex.utils.feeds.Feeds._on_book",
        "mpdex.utils.orderbook.Book.vwap",
    ],
)
def test_pr_11_an_error_of_our_own_leaves_nothing_behind(row, monkeypatch, broken, nth):
    """Whatever breaks, whenever: no order stays, nothing is owed, and the exit tells."""
    where, _, name = broken.rpartition(".")
    owner = pkgutil.resolve_name(where.replace(".", ":", 0))
    whole, calls = getattr(owner, name), itertools.count(1)

    def breaks():
        return armed and next(calls) == nth

    def breaking(*args, **kwargs):
        if breaks():
            raise RuntimeError("this was not thought of")
        return whole(*args, **kwargs)

    async def breaking_later(*args, **kwargs):
        answer = await whole(*args, **kwargs)
        if breaks():
            raise RuntimeError("this was not thought of")
        return answer

    armed = []
    if inspect.iscoroutinefunction(whole):
        breaking = breaking_later
    monkeypatch.setattr(owner, name, breaking)

    async def during(lab):
        await resting(lab, 2)
        armed.append(True)

    unwritten = ("O5",) if broken.endswith("Outputs.trade") else ()
    verdict = row(
        cycles=12, fill_timeout=1, outcome=["R", "D", "HF"], during=during, allow=unwritten
    )
    assert not verdict.truth.exposure
    assert not verdict.truth["P"].live
    assert not verdict.truth["H"].live


@pytest.mark.fault("PR-11", tier=1)
def test_pr_11_nothing_but_an_entry_point_ends_the_process(monkeypatch, tmp_path):
    rules = runpy.run_path("tools/house_rules.py")
    shipped = rules["files"]()
    assert not [text for path in shipped for text in rules["findings"](path) if ": exit:" in text]
    careless = Path("strategies") / "careless.py"
    (tmp_path / "strategies").mkdir()
    (tmp_path / careless).write_text("import sys\n\nsys.exit(1)\n")
    monkeypatch.setitem(rules["findings"].__globals__, "ROOT", tmp_path)
    assert any(": exit:" in text for text in rules["findings"](tmp_path / careless))


@pytest.mark.fault("PR-12", tier=1)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_pr_12_a_connection_whose_owner_breaks_gets_another(row, monkeypatch, leg):
    """A bug of our own in the task that owns a socket: seen, told, and mended once."""

    async def during(lab):
        await resting(lab, 2)
        venue = lab.venue(leg)
        wait = Link.wait_closed

        async def wait_closed(link):
            if link._client.name == venue and link._client.PRIVATE:
                monkeypatch.setattr(Link, "wait_closed", wait)
                raise RuntimeError("this was not thought of")
            await wait(link)

        monkeypatch.setattr(Link, "wait_closed", wait_closed)
        lab.faults.add(f"{leg}.ws_private.disconnect(0s)")

    verdict = row(cycles=6, outcome="R", during=during)
    assert "recovering" in verdict.visited
    assert f"{'primary' if leg == 'P' else 'hedge'} stream lost" in notes(verdict)


@pytest.mark.fault("PR-12", tier=1)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_pr_12_a_connection_that_stays_dead_ends_the_run(row, leg):
    """Its task is taken away from outside: that is somebody's will, and the run ends without it."""

    async def during(lab):
        await resting(lab, 2)
        for task in asyncio.all_tasks():
            if task.get_name() == lab.venue(leg):
                task.cancel()

    verdict = row(cycles=6, outcome="HF", during=during)
    assert "recovering" in verdict.visited
    assert not verdict.truth.exposure


@pytest.mark.fault("PR-12", tier=1)
def test_pr_12_questions_that_are_cut_off_are_asked_again(row):
    """Every task of the run but its own is canceled, every half second."""

    async def during(lab):
        await resting(lab, 1)
        while True:
            await asyncio.sleep(0.5)
            for task in asyncio.all_tasks():
                if "_answered" in repr(task.get_coro()):
                    task.cancel()

    verdict = row(cycles=8, outcome="R", during=during)
    assert not verdict.truth.exposure


@pytest.mark.fault("PR-13", tier=2)
def test_pr_13_a_word_in_the_chat_drains(row):
    """The chat maps to the same word as the console: no process is ever killed from there."""

    async def during(lab):
        await resting(lab, 3)
        driver = next(o for o in gc.get_objects() if isinstance(o, Driver) and not o._closed)
        driver._hear_operator("drain", "chat")

    verdict = row(cycles=20, outcome=6, during=during)
    assert "drained by the operator" in verdict.summary["reason"]
    assert not verdict.truth.exposure


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


@pytest.mark.fault("PR-15", tier=2)
@pytest.mark.parametrize(
    ("journal_of", "outcome"),
    [("finished-0", "R"), ("unfinished-0", 3), ("newer-9", 3)],
)
def test_pr_15_the_journal_of_another_version(row, journal_of, outcome):
    """Finished: nothing of it matters. Unfinished, or newer: refused, and left as it is."""
    fixture = Path("test_exchanges/strategies/journals") / f"{journal_of}.jsonl"
    kept = {}

    async def during(lab):
        kept["file"] = lab.trail.file
        lab.trail.file.write_bytes(fixture.read_bytes())

    verdict = row(cycles=2, outcome=outcome, during=during)
    assert kept["file"].read_bytes().startswith(fixture.read_bytes())
    if outcome == 3:
        assert "version" in verdict.summary["reason"]
        assert not verdict.orders("P")


@pytest.mark.fault("PR-16", tier=2)
def test_pr_16_what_is_remembered_is_bounded(row, monkeypatch):
    """What a run keeps of its past has a bound; here it is a hundred orders. (The acceptance tests
    do a thousand cycles with the real one.)"""
    monkeypatch.setattr("strategies.desk._REMEMBERED", 100)
    monkeypatch.setattr("strategies.outputs._LOG_BYTES", 20_000)
    counts = {}

    async def during(lab):
        for cycles in (60, 180):
            await until(lambda n=cycles: len(sent(lab, "P", "maker")) >= n)
            gc.collect()
            counts[cycles] = sum(isinstance(o, KEPT) for o in gc.get_objects())

    verdict = row(cycles=185, outcome="R", during=during)
    assert counts[180] <= counts[60] + 60, "a third of what one would be that keeps everything"
    logs = list(verdict.trail.file.parent.glob("*_log.txt*"))
    assert len(logs) > 1
    assert max(file.stat().st_size for file in logs) <= 20_000


KEPT = (Tracked, Cycle)


@pytest.mark.fault("PR-17", tier=2)
def test_pr_17_alarms_find_a_way(row, monkeypatch):
    """Of three channels one answers 500, one has no address, and one works: it is told, nobody
    waits, and the file has every line."""
    channels = {}

    async def handle(request):
        channels.setdefault(request.path, []).append(await request.json())
        return web.Response(status=500 if request.path == "/broken" else 200, text="{}")

    async def hedge(config, *dexes, clock, rng, **options):
        async with served(handle) as url:
            told = AlertConfig(
                webhook=Webhook(url + "/works"),
                discord=Discord(url + "/broken"),
                telegram=Telegram("123456:nobody-is-there", "1", url="http://nowhere.invalid"),
            )
            file = config.logs / "alerts.jsonl"
            alerts = Alerts(told, clock=clock, rng=random.Random(1), run="pair", file=file)
            try:
                return await run_hedge(
                    config, *dexes, clock=clock, rng=rng, alerts=alerts, **options
                )
            finally:
                await alerts.close()
                channels["file"] = file.read_text()

    monkeypatch.setattr("mpdex.lab.lab.run_hedge", hedge)
    verdict = row("H.place.nth(2) -> reject(MARGIN)", cycles=4, outcome="HF")
    assert len(channels["/broken"]) > 1, "tried again"
    texts = [str(body) for body in channels["/works"]]
    for topic in ("start", "unwind", "halt"):
        assert any(topic in text for text in texts), topic
        assert topic in channels["file"]
    assert max(to_hedge(verdict)) < 2.0, "nobody waited for it"

"""The laboratory plays: crashes, restarts, frozen processes, failing disks, bots that misbehave."""

from __future__ import annotations

import asyncio
from decimal import Decimal as D
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mpdex.errors import UsageError
from mpdex.lab.process import Files, shut_sockets, suspend
from mpdex.lab.run import Lab, Verdict, play
from mpdex.lab.scenario import make
from mpdex.sim.records import SimOrder
from mpdex.utils.virtual_loop import run_virtual
from strategies.driver import Driver
from strategies.scribe import Scribe


def played(tmp_path: Path, *rules: str, ready: Any = None, **options: Any) -> Verdict:
    scenario = make(rules=list(rules), **{"cycles": 4, **options})
    return run_virtual(play(scenario, tmp_path, ready=ready))


def test_an_undisturbed_run(tmp_path: Path) -> None:
    verdict = played(tmp_path)
    assert (verdict.ok, verdict.outcome, verdict.exit_codes) == (True, "R", [0])
    assert verdict.position("P") == verdict.position("H") == 0
    assert 0 < verdict.worst <= D("0.1")
    assert 0 < verdict.to_flat < 0.25
    assert verdict.counts["backpack", "rest", "place"] == len(verdict.orders("H"))
    assert '"kind":"finish"' in verdict.tail[-1]
    assert {"running", "draining", "stopped"} <= verdict.visited
    assert sum(f.size for f in verdict.fills("P")) == sum(f.size for f in verdict.fills("H"))


def test_a_seed_is_the_same_run_every_time(tmp_path: Path) -> None:
    rules = ("P.ws_private.between(1s, 2s) -> disconnect(2s)", "H.place.prob(0.3) -> drop_response")
    runs = [played(tmp_path / name, *rules, seed=5) for name in ("a", "b")]
    one, two = ([(o.client_id, o.created_ns) for o in run.orders("P")] for run in runs)
    assert one == two
    assert runs[0].seconds == runs[1].seconds


POINTS = [
    "before_journal",
    "after_journal",
    "after_send",
    "after_ack",
    "after_fill_recv",
    "after_hedge_send",
    "in_recovery",
]


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_leaves_what_was_sent_and_written_and_nothing_else(
    tmp_path: Path, point: str
) -> None:
    """The bot is not started again: what is left is what the dead process left."""
    verdict = played(tmp_path, f"proc.crash({point})", restarts=0)
    assert verdict.exit_codes == [None]
    assert verdict.outcome == "killed"
    assert verdict.idle == []
    assert verdict.trail is not None
    last = verdict.trail.file.read_text().splitlines()[-1]
    maker = [i for i in verdict.trail.intents.values() if i.purpose == "maker"]
    sent = {o.client_id for o in verdict.orders("P")}
    match point:
        case "before_journal":
            assert maker == []
        case "after_journal":
            assert '"kind":"intent"' in last
            assert len(maker) == 1
            assert maker[0].client_id not in sent
        case "after_send":
            assert maker[0].client_id in sent
            assert maker[0].client_id not in verdict.trail._ids.values()  # never heard of again
        case "after_ack":
            assert '"kind":"order"' in last
            assert maker[0].client_id in sent
        case "after_fill_recv":
            assert '"kind":"fill"' in last
            assert verdict.position("P") != 0
            assert verdict.position("H") == 0
        case "after_hedge_send":
            assert verdict.position("P") + verdict.position("H") == 0
            assert verdict.trail.booked("hedge") == []


@pytest.mark.parametrize("point", POINTS)
def test_after_a_crash_the_bot_is_started_again_and_neutral(tmp_path: Path, point: str) -> None:
    verdict = played(tmp_path, f"proc.crash({point})", restart_after=2)
    assert verdict.exit_codes == [None, 0], verdict.summary
    assert verdict.violations == []
    assert verdict.position("P") + verdict.position("H") == 0


def test_a_kill_at_a_time_and_a_torn_journal(tmp_path: Path) -> None:
    verdict = played(tmp_path, "disk.tear(40)", "proc.signal(KILL).between(1s, 2s)")
    assert verdict.exit_codes[0] is None
    assert verdict.exit_codes[-1] == 0, verdict.summary
    assert verdict.fired == {"disk.tear(40)": 1, "proc.signal(KILL).between(1s, 2s)": 1}


@pytest.mark.parametrize("name", ["TERM", "INT"])
def test_a_signal_drains(tmp_path: Path, name: str) -> None:
    verdict = played(tmp_path, f"proc.signal({name})", cycles=50)
    assert (verdict.exit_code, verdict.outcome) == (6, "stopped")
    assert verdict.ok


def test_a_frozen_process_reads_nothing_and_sends_nothing(tmp_path: Path) -> None:
    verdict = played(tmp_path, "proc.suspend(5s).between(1s, 2s)", cycles=8)
    assert verdict.exit_code == 0
    created = sorted(o.created_ns for leg in ("P", "H") for o in verdict.orders(leg))
    assert max((b - a) / 1e9 for a, b in pairwise(created)) >= 5.0


@pytest.mark.parametrize("rule", ["disk.full", "disk.readonly"])
def test_a_disk_that_takes_no_lines_stops_new_quotes(tmp_path: Path, rule: str) -> None:
    verdict = played(tmp_path, rule, cycles=10)
    assert verdict.exit_code == 4, verdict.summary
    assert verdict.violations == []


def test_clock_rules_are_about_the_bot_s_clock(tmp_path: Path) -> None:
    clocks: list[Lab] = []
    played(tmp_path, "clock.step(90s).between(1s, 600s)", ready=clocks.append, timeout=60)
    (lab,) = clocks
    assert lab.bot_clock.skew_ns == 90 * 10**9
    assert lab.clock.skew_ns == 0  # type: ignore[attr-defined]


def test_times_count_from_the_first_quote(tmp_path: Path) -> None:
    labs: list[Lab] = []
    verdict = played(tmp_path, "H.halt(down).between(500ms, 2s)", ready=labs.append, cycles=6)
    assert verdict.idle == []
    (rule,) = labs[0].faults.rules
    assert rule.added == labs[0].began
    assert labs[0].began is not None
    assert labs[0].began > 1.0


def test_a_rule_that_never_fired_is_told(tmp_path: Path) -> None:
    verdict = played(tmp_path, "H.place.nth(99) -> reject(MARGIN)")
    assert verdict.idle == ["H.place.nth(99) -> reject(MARGIN)"]


def test_markets_and_positions_are_arranged(tmp_path: Path) -> None:
    verdict = played(
        tmp_path,
        markets={"P": {"step": "0.02", "min_size": "0.02"}},
        baseline={"P": "0.3"},
        config={"adopt_baseline": "keep"},
        size="0.1",
    )
    assert verdict.exit_code == 0, verdict.summary
    assert verdict.position("P") == 0
    assert all(o.size % D("0.02") == 0 for o in verdict.orders("P") if o.client_id)
    assert verdict.truth is not None
    assert verdict.truth["P"].exchange.accounts.popitem()[1].size("ETH_USDT_Perp") == D("0.3")


def test_wrong_keys_are_refused_and_stay_secret(tmp_path: Path) -> None:
    secret = "x" * 43 + "="
    verdict = played(tmp_path, credentials={"H": {"secret_key": secret}})
    assert verdict.exit_code in (2, 3)
    assert verdict.outcome in ("config", "refused")
    assert verdict.violations == []


def test_planted_words_are_looked_for_everywhere(tmp_path: Path) -> None:
    verdict = played(tmp_path, planted=["2dex_grvt_backpack_ETH runs"])
    assert {v.id for v in verdict.violations} == {"O10"}


def test_a_run_without_end_is_ended_and_found(tmp_path: Path) -> None:
    verdict = played(tmp_path, "P.place.maker -> reject(POST_ONLY)", timeout=60, cycles=1000)
    assert "END" in {v.id for v in verdict.violations} or verdict.outcome in ("D", "stopped")
    assert verdict.seconds < 60 + 70


def test_orders_of_somebody_else_are_placed_and_left_alone(tmp_path: Path) -> None:
    placed: list[SimOrder] = []

    def ready(lab: Lab) -> None:
        account = next(iter(lab.truth["P"].exchange.accounts))
        order = SimOrder(
            account=account, symbol=lab.truth["P"].symbol, side="buy", size=D(1), price=D(2000)
        )
        lab.after(0.1, lambda: placed.append(lab.own(order)))

    verdict = played(tmp_path, ready=ready)
    assert verdict.ok
    assert placed[0].live


# --------------------------------------------------------------------------- a bot that misbehaves


def test_a_bot_that_sends_before_it_writes_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scribe, "intent", lambda *_: True)
    assert "O6" in {v.id for v in played(tmp_path, timeout=60).violations}


def test_a_bot_that_hedges_twice_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Driver._place

    def twice(self: Driver, command: Any) -> None:
        place(self, command)
        if command.kind == "hedge" and not getattr(self, "doubled", False):
            self.doubled = True  # type: ignore[attr-defined]
            import dataclasses

            order = dataclasses.replace(
                command.order, client_id=f"{int(command.order.client_id) + 1}"
            )
            place(self, dataclasses.replace(command, order=order))

    monkeypatch.setattr(Driver, "_place", twice)
    assert "O4" in {v.id for v in played(tmp_path, timeout=60).violations}


# --------------------------------------------------------------------------- process


def test_files_are_put_back(tmp_path: Path) -> None:
    kept, changed = tmp_path / "kept", tmp_path / "changed"
    kept.write_text("as it is")
    changed.write_text("before")
    files = Files(tmp_path)
    changed.write_text("before and after")
    kept.unlink()
    (tmp_path / "new").write_text("not there")
    files.put_back()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {
        "kept": "as it is",
        "changed": "before",
    }


def test_a_shut_socket_delivers_what_was_sent_and_nothing_after() -> None:
    async def main() -> bytes:
        got = bytearray()
        done = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            got.extend(await reader.read())
            writer.close()
            done.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"before")
        own = writer.get_extra_info("sockname")[1]
        assert shut_sockets([port]) == {own}
        writer.write(b"after")
        await done.wait()
        writer.transport.abort()
        server.close()
        return bytes(got)

    assert run_virtual(main()) == b"before"


def test_suspending_leaves_others_alone() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        rang: list[float] = []
        loop.call_later(1.0, lambda: rang.append(loop.time()))
        suspend(10.0, [])
        await asyncio.sleep(2.0)
        return rang[0]

    assert run_virtual(main()) == pytest.approx(1.0)


def test_a_scenario_that_cannot_be_set_up_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        run_virtual(play(make(primary="nowhere"), tmp_path))

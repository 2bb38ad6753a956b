"""REST and rate limits: RL-01 to RL-12 of the fault matrix."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import re
from collections import deque

import pytest
from aiohttp import web
from faults.moments import (
    EACH_FILLS,
    FIRST_FILLS,
    SLOWLY,
    STILL,
    fills_of,
    journal,
    notes,
    resting,
    seconds_at,
    sent,
    to_hedge,
    until,
)

from mpdex.sim.host import LIMITED
from mpdex.types import Limit, Request, VenueSpec
from mpdex.utils.clock import LoopClock
from mpdex.utils.rest import RestTransport
from mpdex.utils.throttle import Throttle
from mpdex.utils.virtual_loop import run_virtual


def calls(verdict, venue, transport="rest"):
    """Requests that reached a venue, by op."""
    return {
        op: number
        for (name, way, op), number in verdict.counts.items()
        if (name, way) == (venue, transport)
    }


@pytest.mark.fault("RL-01", tier=1)
def test_rl_01_a_steady_cycle_asks_nothing(row):
    """At ten requests a second for everything. (A thousand cycles are in the acceptance tests.)"""
    verdict = row("X.limit(10, 1s)", cycles=100, outcome="R")
    assert not any(op == LIMITED for _, _, op in verdict.counts)
    primary, hedge = calls(verdict, "grvt"), calls(verdict, "backpack")
    hedges = len(sent(verdict, "H", "hedge"))
    assert hedges >= 100
    assert hedge.pop("place") == hedges + 1, "one call for each hedge, and the canary"
    assert not {"place", "cancel"} & primary.keys(), "the primary takes orders on its socket"
    minutes = verdict.seconds / 60
    for asked in (primary, hedge):
        assert sum(asked.values()) < 25 + 8 * minutes, "start, end, and a few a minute"
    quotes = len(sent(verdict, "P", "maker"))
    assert calls(verdict, "grvt", "ws")["cancel"] <= quotes


@pytest.mark.fault("RL-02", tier=1)
@pytest.mark.parametrize("body", ["''", '\'{"code": "TOO_MANY_REQUESTS", "message": ""}\''])
def test_rl_02_a_hedge_over_the_limit_waits_as_long_as_it_may(row, body):
    rule = f"H.place.nth(2) -> http(429, {body}, retry_after=1)"
    verdict = row(rule, cycles=4, outcome="R")
    assert not sent(verdict, "P", "unwind")
    assert "UNKNOWN" not in notes(verdict), "a definite refusal"
    assert 1.0 < max(to_hedge(verdict)) < 2.0


@pytest.mark.fault("RL-02", tier=1)
def test_rl_02_a_hedge_that_would_wait_too_long_is_unwound(row):
    verdict = row("H.place.nth(2) -> http(429, retry_after=30)", cycles=4, outcome="D")
    assert len(sent(verdict, "P", "unwind")) == 1
    assert max(to_hedge(verdict)) < 8.0
    (refused,) = [seconds_at(order.created_ns) for order in sent(verdict, "P", "unwind")]
    quotes = [seconds_at(order.created_ns) for order in sent(verdict, "P", "maker")]
    assert not [at for at in quotes if refused < at < refused + 29.0], "no quote without a hedge"


@pytest.mark.fault("RL-02", tier=1)
@pytest.mark.parametrize("lost", ["drop_request", "drop_response"])
@pytest.mark.parametrize(
    ("row", "leg"),
    [(("pacifica", "backpack"), "P"), (("backpack", "pacifica"), "H")],
    indirect=["row"],
    ids=["primary", "hedge"],
)
def test_rl_02_a_small_budget_is_kept_for_what_is_urgent(row, leg, lost):
    """A hundred credits a minute, and a question about an order costs eleven: what became of a
    hedge is asked at the cost of what can wait."""
    verdict = row(
        f"{leg}.place.nth(2) -> {lost}",
        cycles=4,
        outcome=["R", "D"],
        credentials={leg: {"api_config_key": ""}},
    )
    assert not any(op == LIMITED for _, _, op in verdict.counts)
    assert max(to_hedge(verdict)) < 8.0


@pytest.mark.fault("RL-03", tier=1)
@pytest.mark.parametrize("retry_after", ["", ", retry_after=2"])
def test_rl_03_a_cancel_over_the_limit_is_repeated(row, retry_after):
    async def during(lab):
        await resting(lab, 2)
        lab.faults.add(f"P.cancel -> http(429, '{{\"code\": 1006}}'{retry_after}) x 3")
        await until(lambda: lab.world.counts["grvt", "ws", "cancel"] >= 5)
        lab.faults.add(EACH_FILLS)

    verdict = row(FIRST_FILLS, source=STILL, cycles=3, fill_timeout=2, outcome="R", during=during)
    first, second = sent(verdict, "P", "maker")[1:3]
    assert second.created_ns > first.updated_ns, "no quote before the old one is gone"
    assert not journal(verdict, "halt")


@pytest.mark.fault("RL-04", tier=2)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_rl_04_a_banned_address_is_a_venue_that_is_down(row, leg):
    """A wall answers 403 to everything for a minute: nothing is quoted, and nobody hammers."""
    seen = {}

    async def during(lab):
        await resting(lab, 2)
        seen["at"] = lab.clock.monotonic()
        host = lab.world.server.hosts[lab.venue(leg)]
        before = host.asked
        for rule in BANNED:
            lab.faults.add(rule.format(leg=leg, seconds=60))
        await until(lambda: lab.clock.monotonic() > seen["at"] + 60)
        seen["asked"] = host.asked - before

    verdict = row(cycles=4, outcome="D", during=during)
    assert seen["asked"] < 120, "a request now and then"
    quotes = [seconds_at(order.created_ns) for order in sent(verdict, "P", "maker")]
    assert not [at for at in quotes if seen["at"] + 1 < at < seen["at"] + 60]


BANNED = (
    "{leg}.*.between(0s, {seconds}s) -> http(403, '<html>forbidden</html>')",
    "{leg}.ws_*.between(0s, {seconds}s) -> handshake(403)",
    "{leg}.ws_private.disconnect(0s)",
    "{leg}.ws_public.disconnect(0s)",
)


@pytest.mark.fault("RL-04", tier=2)
def test_rl_04_a_ban_for_longer_than_anybody_waits_ends_the_run(row):
    async def during(lab):
        await resting(lab, 2)
        for rule in BANNED:
            lab.faults.add(rule.format(leg="P", seconds=300))

    row(cycles=4, outcome="HF", during=during)


@pytest.mark.fault("RL-05", tier=1)
@pytest.mark.parametrize("leg", ["primary", "hedge"])
def test_rl_05_requests_are_a_budget(row, monkeypatch, leg):
    """Each request costs one of what is left. (The pair at hand has no such quota; a venue with one
    tells it with its account, and this is what then follows.)"""
    from strategies.questions import Questions

    left = {leg: 260}
    ask = Questions._account

    async def account(self, role):
        read = await ask(self, role)
        return dataclasses.replace(read, requests_left=left.get(role))

    monkeypatch.setattr(Questions, "_account", account)

    async def during(lab):
        await resting(lab, 2)
        await asyncio.sleep(70)
        left[leg] = 150

    verdict = row(
        SLOWLY, source=STILL, cycles=40, outcome=6, timeout=250, during=during, allow=("END",)
    )
    assert f"{leg}: 150 requests are left" in notes(verdict)
    assert len(sent(verdict, "P", "maker")) < 40
    made = sum(fill.size for fill in fills_of(verdict, "P", "maker"))
    assert sum(fill.size for fill in fills_of(verdict, "H", "hedge")) == made


@pytest.mark.fault("RL-06", tier=1)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("leg", ["P", "H"])
def test_rl_06_an_error_after_the_order_was_taken(row, leg, status):
    verdict = row(f"{leg}.place.nth(2) -> http({status}, accept=true)", cycles=3, outcome="R")
    made = sum(fill.size for fill in fills_of(verdict, "P", "maker"))
    assert sum(fill.size for fill in fills_of(verdict, "H", "hedge")) == made


@pytest.mark.fault("RL-07", tier=1)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_rl_07_positions_of_five_seconds_ago_prove_nothing(row, leg):
    """All along, and a barrier in the middle of it."""

    async def during(lab):
        await resting(lab, 3)
        lab.faults.add(f"{leg}.ws_private.disconnect(500ms)")

    verdict = row(f"{leg}.query_positions -> stale(5s)", cycles=6, outcome="R", during=during)
    assert not journal(verdict, "halt")
    assert "external" not in {line["topic"] for line in journal(verdict, "alarm")}


@pytest.mark.fault("RL-08", tier=1)
@pytest.mark.parametrize(
    "failure", ["http(500) x 6", "http(200, 'null') x 6", "http(200, '{}') x 6", "empty x 2"]
)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_rl_08_a_question_without_an_answer_is_not_zero(row, leg, failure):
    """With a pair open, positions cannot be read: nobody takes that for flat."""

    async def during(lab):
        await until(lambda: len(sent(lab, "H", "hedge")) == 1 and not lab.truth.exposure)
        lab.faults.add(f"{leg}.query_positions -> {failure}")
        lab.faults.add(f"{leg}.ws_private.disconnect(500ms)")

    verdict = row(cycles=4, outcome="R", during=during)
    assert not journal(verdict, "halt")
    assert not sent(verdict, "P", "unwind")
    assert len(sent(verdict, "H", "hedge")) == len(fills_of(verdict, "H", "hedge"))


@pytest.mark.fault("RL-09", tier=1)
def test_rl_09_slow_answers_hold_nobody_up(row):
    """Every question takes eight seconds (four where a request expires after five); hedges go on
    as if nothing were the matter."""

    async def during(lab):
        await resting(lab, 1)
        for leg, delay in (("P", 8000), ("H", 4000)):
            for op in ("query_positions", "query_open", "query_fills", "query_balance"):
                lab.faults.add(f"{leg}.{op} -> delay({delay})")

    verdict = row(SLOWLY, source=STILL, cycles=12, outcome="R", during=during, idle=True)
    assert sum(verdict.fired.values()) > 18
    assert verdict.summary["worst_loop_lag_ms"] <= 200
    assert max(to_hedge(verdict)) < 0.25


@pytest.mark.fault("RL-09", tier=1)
def test_rl_09_a_loop_that_stands_still_is_told(row):
    verdict = row("proc.suspend(900)", cycles=4, outcome="R")
    assert "the loop stood still for" in notes(verdict)
    assert verdict.summary["worst_loop_lag_ms"] > 200


class Forgetful:
    """An HTTP server that resets a connection which was idle for a minute, at its next request."""

    def __init__(self):
        self.answered = []
        self.reset = 0

    async def serve(self, reader, writer):
        loop, idle_since = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if loop.time() - idle_since > 60:
                    self.reset += 1
                    writer.transport.abort()
                    return
                size = re.search(rb"content-length: (\d+)", head.lower())
                await reader.readexactly(int(size[1]) if size else 0)
                self.answered.append(head.split()[0].decode())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
                writer.write(b"Content-Length: 2\r\n\r\n{}")
                idle_since = loop.time()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@pytest.mark.fault("RL-10", tier=2)
@pytest.mark.parametrize("idle", [30.0, 49.0, 61.0, 300.0])
def test_rl_10_no_order_goes_out_on_a_connection_that_was_forgotten(idle, monkeypatch):
    """Our connections end before the other end forgets them; an order then opens a new one."""

    async def scenario():
        # The client looks at the machine's clock, where time here is virtual.
        monkeypatch.setattr("aiohttp.connector.monotonic", asyncio.get_running_loop().time)
        venue = Forgetful()
        server = await asyncio.start_server(venue.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        clock = LoopClock(asyncio.get_running_loop(), 0)
        spec = VenueSpec(name="acme", endpoints={}, credentials=())
        rest = RestTransport(
            spec,
            {"rest": f"http://127.0.0.1:{port}"},
            clock=clock,
            throttle=Throttle({}, clock=clock),
            sign=lambda request, _: request,
            decode_error=lambda *_: None,
            rng=random.Random(1),
        )
        for request in (READ, PLACE):
            await rest.send(request)
            await asyncio.sleep(idle)
            assert await rest.send(PLACE) == {}
            await asyncio.sleep(idle)
        await rest.close()
        server.close()
        assert venue.reset == 0
        assert venue.answered == ["GET", "POST", "POST", "POST"]

    run_virtual(scenario())


READ = Request("GET", "/read")
PLACE = Request("POST", "/orders", json={"size": "0.10"}, command=True)


@pytest.mark.fault("RL-10", tier=2)
def test_rl_10_a_reset_repeats_a_question_and_never_an_order(row):
    verdict = row(
        "H.place.nth(2) -> drop_request(reset)",
        "H.query_positions.nth(1) -> drop_request(reset)",
        cycles=4,
        outcome="R",
    )
    ids = [order.client_id for order in sent(verdict, "H", "hedge")]
    assert len(ids) == len(set(ids)) == 4
    assert "could not be read" not in notes(verdict)


@pytest.mark.fault("RL-11", tier=2)
def test_rl_11_two_programs_share_one_limit():
    """Ten a second for both. One keeps to its share; the other sees in the answers what is left,
    and leaves it to the first."""

    async def scenario():
        clock = LoopClock(asyncio.get_running_loop(), 0)
        window = deque()

        def left():
            while window and window[0] <= clock.monotonic() - 1.0:
                window.popleft()
            return 10 - len(window)

        refused = []

        async def handle(_):
            if left() <= 0:
                refused.append(clock.monotonic())
                return web.Response(status=429, text="{}")
            window.append(clock.monotonic())
            return web.json_response({}, headers={"X-RateLimit-Remaining": str(left())})

        runner = web.ServerRunner(web.Server(handle, access_log=None))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        done = {}

        async def program(name, share):
            limits = {"default": Limit(10, 1.0)}
            rest = RestTransport(
                VenueSpec(name="acme", endpoints={}, credentials=(), limits=limits),
                {"rest": f"http://127.0.0.1:{port}"},
                clock=clock,
                throttle=Throttle(limits, clock=clock, share=share),
                sign=lambda request, _: request,
                decode_error=lambda *_: None,
                rng=random.Random(1),
            )
            for number in range(60):
                await rest.send(READ)
                done[name] = number + 1
            await rest.close()

        async with asyncio.TaskGroup() as group:
            group.create_task(program("modest", 0.5))
            group.create_task(program("watchful", 1.0))
        await runner.cleanup()
        assert done == {"modest": 60, "watchful": 60}
        assert len(refused) <= 2, "next to none of 120"

    run_virtual(scenario())


@pytest.mark.fault("RL-12", tier=2)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_rl_12_an_old_answer_takes_nothing_back(row, leg):
    """Orders are asked about because their answers are lost, and the answers are 3 s old."""
    verdict = row(
        f"{leg}.place.every(2) -> drop_response",
        f"{leg}.query_order -> stale(3s)",
        size="0.02",
        cycles=6,
        outcome="R",
    )
    made = sum(fill.size for fill in fills_of(verdict, "P", "maker"))
    assert sum(fill.size for fill in fills_of(verdict, "H", "hedge")) == made
    assert len(verdict.trail.trades) == len(verdict.fills("P")) + len(verdict.fills("H"))

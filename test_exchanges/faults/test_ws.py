"""Streams: WS-01 to WS-16 of the fault matrix."""

from __future__ import annotations

import asyncio
import json
import random
from itertools import pairwise
from operator import attrgetter

import pytest
from core.ws_double import PING, PONG, Server
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
from faults.telling import LIGHT, NUMBERED, on_quote

from exchange_factory import create_exchange
from mpdex.conformance.proxy import CountingProxy
from mpdex.sim.acts import Lost
from mpdex.sim.run import EPOCH_NS, start
from mpdex.sim.venues import load_venue
from mpdex.types import Topic
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import run_virtual
from wrappers.backpack_ws_client import BackpackAccountClient
from wrappers.extended_ws_client import ExtendedWSClient
from wrappers.grvt_ws_client import GrvtMarketStream
from wrappers.hyperliquid_ws_client import HyperliquidMarketClient, HyperliquidWSClient
from wrappers.pacifica_ws_client import PacificaAccountClient
from wrappers.paradex_ws_client import ParadexMarketStream
from wrappers.superstack_ws_client import SuperstackAccountClient

pytestmark = pytest.mark.adapter


@pytest.mark.fault("WS-01", tier=1)
@pytest.mark.parametrize("lost", [False, True])
def test_ws_01_a_fill_in_the_gap_of_the_primary_is_found(row, lost):
    """The quote fills while its stream is down: before its cancel arrives, or without one."""
    seen = {}

    async def during(lab):
        await resting(lab, 2)
        if lost:
            lab.faults.add("P.cancel -> drop_request x 2")
            lab.faults.add("P.fill(q).at(2s)")
        else:
            lab.faults.add("P.cancel.nth(1) -> fill(q, at=after_cancel_send)")
        calls = lab.world.counts[lab.venue("P"), "rest", "cancel"]
        lab.faults.add("P.ws_private.disconnect(4s)")
        seen["at"] = lab.clock.monotonic()
        await until(lambda: lab.world.counts[lab.venue("P"), "rest", "cancel"] > calls)
        seen["pulled"] = lab.clock.monotonic()
        lab.faults.add(EACH_FILLS)

    verdict = row(FIRST_FILLS, source=STILL, cycles=4, outcome="R", during=during)
    assert seen["pulled"] - seen["at"] < 0.1, "pulled at once, by the route that is left"
    assert len(to_hedge(verdict)) == 4
    assert max(to_hedge(verdict)) < 2.0, "hedged without waiting for the socket"
    assert "recovering" in verdict.visited


@pytest.mark.fault("WS-02", tier=1)
@pytest.mark.parametrize("answer", ["", ", drop_response"])
def test_ws_02_a_hedge_in_flight_outlives_its_stream(row, answer):
    row.need("H", "private_streams")
    verdict = row(f"H.place.nth(2) -> ws_private.disconnect(4s){answer}", cycles=4, outcome="R")
    hedged = sum(fill.size for fill in fills_of(verdict, "H", "hedge"))
    assert hedged == sum(fill.size for fill in fills_of(verdict, "P", "maker"))
    assert len(sent(verdict, "H", "hedge")) == 4, "nothing was sent twice"
    assert "hedge stream lost" in notes(verdict)
    assert "recovering" in verdict.visited


@pytest.mark.fault("WS-03", tier=1)
def test_ws_03_a_half_open_socket_is_found_out(row):
    """No data, no close: our own pings go unanswered; what is missing meanwhile is asked for."""
    silent = {}

    async def during(lab):
        await resting(lab, 2)
        silent["at"] = lab.clock.monotonic()
        connects = lab.world.counts[lab.venue("P"), "ws", "connect"]
        lab.faults.add("P.ws_private.silence(60s)")
        lab.faults.add("P.fill(q).at(1s)")
        lab.faults.add(EACH_FILLS)
        await until(lambda: lab.world.counts[lab.venue("P"), "ws", "connect"] > connects)
        silent["again"] = lab.clock.monotonic()

    verdict = row(FIRST_FILLS, source=STILL, cycles=6, outcome="R", during=during)
    assert silent["again"] - silent["at"] < 60.0, "not waited out"
    assert max(to_hedge(verdict)) < 30.0


@pytest.mark.fault("WS-04", tier=1)
@pytest.mark.parametrize("again", ["P.auth -> http(401) once", "P.auth -> http(500) x 2"])
def test_ws_04_a_connection_without_its_login_is_not_live(row, again):
    """The session is over when the socket comes back: an unauthenticated one is accepted all the
    same, and only a refused subscription tells. Where the client makes its proof itself, it makes
    another."""
    row.need_login("P")
    asked = row.logs_in("P")

    async def during(lab):
        await resting(lab, 2)
        if asked:
            lab.faults.add(again)
        lab.faults.add("P.auth.expire")
        lab.faults.add("P.ws_private.disconnect(1s)")

    verdict = row(cycles=4, outcome="R", during=during)
    logins = verdict.counts[verdict.scenario.primary, "rest", "auth"]
    assert logins >= 3 * asked, "a new login after the refused one"
    assert "recovering" in verdict.visited


# What the subscription to an account's orders has in it.
OWN_ORDERS = {
    "grvt": '"v1.order"',
    "backpack": "account.orderUpdate",
    "hyperliquid": '"orderUpdates"',
    "superstack": '"orderUpdates"',
    "lighter": "account_all_orders",
    "pacifica": "account_order_updates",
    "paradex": '"orders.ALL"',
    "standx": '"order"',
}


@pytest.mark.fault("WS-04", tier=1)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_ws_04_a_subscription_nobody_confirmed_is_none(row, leg):
    """After the loss one of the venue's confirmations is missing. Where a venue confirms, the
    connection is made again; where it confirms nothing, what is answered about the first order and
    not told by the stream gives it away; until then quotes are sent in good faith."""

    row.need(leg, "orders")
    kind = row.kind(leg)
    if any(stream.path_of(Topic("orders")) for stream in kind.streams() if stream.PRIVATE):
        pytest.skip(f"declared: {kind.SPEC.name} is told by the address what is wanted")
    wanted = OWN_ORDERS[kind.SPEC.name]

    async def during(lab):
        await resting(lab, 2)
        host = lab.world.server.hosts[lab.venue(leg)]
        accept, ignored = host.venue.accept_message, []

        def deaf(conn, text):
            if not ignored and "subscribe" in text.lower() and wanted in text:
                ignored.append(text)
                return Lost.SILENCE
            return accept(conn, text)

        host.venue.accept_message = deaf
        lab.faults.add(f"{leg}.ws_private.disconnect(0s)")
        await until(lambda: ignored)

    unconfirmed = ("O7",) if leg == "H" else ()
    verdict = row(cycles=20, outcome="R", during=during, allow=unconfirmed)
    assert verdict.counts[verdict.scenario.roles[leg], "ws", "connect"] >= 4, "made again"
    assert max(to_hedge(verdict)) < 5.0


@pytest.mark.fault("WS-05", tier=1)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_ws_05_nothing_is_quoted_before_the_first_snapshot(row, leg):
    verdict = row(
        f"{leg}.query_positions -> delay(3000) x 2",
        f"{leg}.query_open -> delay(3000) x 2",
        cycles=2,
        outcome="R",
    )
    first = min(order.created_ns for order in verdict.orders("P"))
    assert seconds_at(first) > 6.0


@pytest.mark.fault("WS-06", tier=1)
def test_ws_06_a_snapshot_of_yesterday_takes_nothing_back(row):
    """Half of the quote fills and is told; then the stream is lost, and for seconds every answer is
    older than that fill."""

    async def during(lab):
        quote = await resting(lab, 2)
        lab.faults.add("P.fill(0.5q)")
        await until(lambda: len(sent(lab, "H", "hedge")) == 2)
        for op in ("query_positions", "query_open", "query_order", "query_fills"):
            lab.faults.add(f"P.{op}.between(0s, 4s) -> stale(1500)")
        lab.faults.add("P.ws_private.disconnect(200ms)")
        await until(lambda: not quote.live)
        lab.faults.add(EACH_FILLS)

    verdict = row(
        FIRST_FILLS, source=STILL, size="0.02", cycles=3, outcome="R", during=during, idle=True
    )
    for old in ("query_positions", "query_order", "query_fills"):
        assert verdict.fired[f"P.{old}.between(0s, 4s) -> stale(1500)"]
    made = sum(fill.size for fill in fills_of(verdict, "P", "maker"))
    assert sum(fill.size for fill in fills_of(verdict, "H", "hedge")) == made
    assert len(verdict.trail.trades) == len(verdict.fills("P")) + len(verdict.fills("H"))
    assert not journal(verdict, "halt")


@pytest.mark.fault("WS-07", tier=1)
def test_ws_07_two_losses_within_ten_milliseconds_leave_one_connection(row):
    most = {"P": 0, "H": 0}

    async def during(lab):
        await resting(lab, 2)
        for leg in most:
            lab.faults.add(f"{leg}.ws_private.disconnect(0s)")
            lab.faults.add(f"{leg}.ws_private.disconnect(0s).at(10ms)")
        while True:
            for leg in most:
                most[leg] = max(most[leg], len(private_sockets(lab, leg)))
            await asyncio.sleep(0.001)

    verdict = row(cycles=4, outcome="R", during=during)
    assert most == {leg: sum(s.PRIVATE for s in row.kind(leg).streams()) for leg in most}
    fills = [(t["role"], t["client_id"], t["trade_id"]) for t in journal(verdict, "trade")]
    assert len(fills) == len(set(fills)) == 8


@pytest.mark.fault("WS-08", tier=1)
def test_ws_08_both_venues_lost_together(row):
    """Where there are no sockets, no request gets through."""
    lost, heard = {}, row.hears("H")

    async def during(lab):
        quote = await resting(lab, 2)
        lost["at"] = lab.clock.monotonic()
        lab.faults.add("X.ws_private.disconnect(10s)")
        lab.faults.add("X.ws_public.disconnect(10s)")
        if not heard:
            lab.faults.add("H.*.between(0s, 10s) -> drop_request(reset)")
        lab.faults.add(EACH_FILLS)
        await until(lambda: not quote.live)
        lost["pulled"] = lab.clock.monotonic()
        await until(lambda: private_sockets(lab, "P"))
        await until(lambda: not heard or private_sockets(lab, "H"))
        lost["back"] = lab.clock.monotonic()

    verdict = row(FIRST_FILLS, source=STILL, cycles=4, outcome="R", during=during)
    assert lost["pulled"] - lost["at"] < 0.5
    assert lost["back"] - lost["at"] > 10.0
    quotes = [seconds_at(order.created_ns) for order in sent(verdict, "P", "maker")]
    assert not [at for at in quotes if lost["at"] < at < lost["back"]]
    assert "recovering" in verdict.visited


def private_sockets(lab, leg):
    """Open sockets of a venue that carry the news of the account."""
    host = lab.world.server.hosts[lab.venue(leg)]
    return [c for c in host.connections.values() if c.open and c.private]


@pytest.mark.fault("WS-09", tier=2)
def test_ws_09_a_reconnect_storm_knocks_once_for_all_channels(row):
    """All sockets of the primary are lost and five handshakes refused: one attempt at a time, each
    later, whichever socket makes it."""
    knocks = []

    async def during(lab):
        await resting(lab, 2)
        counts, before = lab.world.counts, lab.world.counts[lab.venue("P"), "ws", "connect"]
        lab.faults.add("P.ws_* -> handshake(429) x 5")
        lab.faults.add("P.ws_private.disconnect(0s)")
        lab.faults.add("P.ws_public.disconnect(0s)")
        while True:
            now = counts[lab.venue("P"), "ws", "connect"]
            knocks.extend([lab.clock.monotonic()] * (now - before))
            before = now
            await asyncio.sleep(0.005)

    verdict = row(cycles=4, outcome="D", during=during)
    sockets = len(row.kind("P").streams())
    assert len(knocks) == 5 + sockets, "five refused, and one for each socket"
    pauses = [after - before for before, after in pairwise(knocks[1:6])]
    assert all(pause >= 1.0 for pause in pauses)
    assert max(pauses) >= 4.0, "later each time"
    assert "recovering" in verdict.visited


class PingsEveryTen(BackpackAccountClient):
    PING_INTERVAL = 10.0


class IdlesAtThirty(GrvtMarketStream):
    PING_INTERVAL = None
    RECV_TIMEOUT = None


async def no_pings_wanted(peer):
    """Pings every 60 s, and ends whoever sends one itself."""

    async def ping():
        while True:
            peer.send(b"", PING)
            await asyncio.sleep(60)

    async with asyncio.TaskGroup() as group:
        pinging = group.create_task(ping())
        while (await peer.receive())[0] != PING:
            pass
        pinging.cancel()
    peer.say_goodbye(1008, "no client pings")


async def pings_wanted(peer):
    """Ends whoever sends nothing for 60 s."""
    while True:
        try:
            async with asyncio.timeout(60):
                kind, payload = await peer.receive()
        except TimeoutError:
            peer.say_goodbye(1008, "idle")
            return
        if kind == PING:
            peer.send(payload, PONG)


def pongs_wanted(every, within):
    """Pings so often, and ends whoever has not answered for so long; looked at with each ping."""

    async def rule(peer):
        heard = asyncio.get_running_loop().time()

        async def read():
            nonlocal heard
            while True:
                kind, payload = await peer.receive()
                heard = asyncio.get_running_loop().time() if kind == PONG else heard
                if kind == PING:
                    peer.send(payload, PONG)

        async with asyncio.TaskGroup() as group:
            reader = group.create_task(read())
            while asyncio.get_running_loop().time() - heard <= within:
                peer.send(b"", PING)
                await asyncio.sleep(every)
            reader.cancel()
        peer.say_goodbye(1008, "no pong")

    return rule


async def words_wanted(peer):
    """Ends whoever has not asked for a word of its own for 60 s; a protocol ping is no word."""
    while True:
        try:
            async with asyncio.timeout(60):
                while json.loads(await peer.text()) != {"method": "ping"}:
                    pass
        except TimeoutError:
            peer.say_goodbye(1000, "Inactive")
            return
        peer.send('{"channel":"pong"}')


class KeepsSilent(HyperliquidWSClient):
    PING_INTERVAL = None
    RECV_TIMEOUT = None


class PingsByProtocol(PacificaAccountClient):
    RECV_TIMEOUT = None

    def encode_ping(self):
        return None


@pytest.mark.fault("WS-10", tier=1)
@pytest.mark.parametrize(
    ("stream", "rule", "lives"),
    [
        (BackpackAccountClient, no_pings_wanted, True),
        (BackpackAccountClient, pongs_wanted(60, 120), True),
        (GrvtMarketStream, pings_wanted, True),
        (HyperliquidMarketClient, words_wanted, True),
        (HyperliquidWSClient, words_wanted, True),
        (SuperstackAccountClient, words_wanted, True),
        (PacificaAccountClient, words_wanted, True),
        (ParadexMarketStream, pongs_wanted(55, 60), True),
        (ExtendedWSClient, pongs_wanted(15, 25), True),
        (PingsEveryTen, no_pings_wanted, False),
        (IdlesAtThirty, pings_wanted, False),
        (KeepsSilent, words_wanted, False),
        (PingsByProtocol, words_wanted, False),
    ],
)
def test_ws_10_each_venue_is_pinged_as_it_wants(stream, rule, lives):
    """Servers that enforce their rule, for ten minutes. The last streams break it on purpose, and
    are ended: the servers do enforce it. A venue to come adds its line."""

    async def scenario():
        async with Server(rule) as server:
            client = stream(url=server.url, keys={}, rng=random.Random(1))
            await client.connect()
            await asyncio.sleep(600)
            generation = client.generation
            await client.close()
        return generation

    assert (run_virtual(scenario()) == 1) is lives


@pytest.mark.fault("WS-11", tier=1)
@pytest.mark.parametrize(
    "bad", ["corrupt(1)", "mutate(status=PENDING_TRIGGER)", "mutate(size=None)", "mutate(side=7)"]
)
def test_ws_11_a_frame_nobody_understands_harms_nobody(row, bad):
    """One is put aside: the first that tells of the first quote. (Where a venue numbers its frames,
    one that cannot be read at all is a gap, and a gap in the account's own news ends the
    connection.)"""
    told = on_quote(1, f"P.ws_private.order.nth(1) -> {bad}")
    verdict = row(cycles=4, outcome="R", during=told)
    assert len(sent(verdict, "H", "hedge")) == 4
    missed = bad.startswith("corrupt") and verdict.scenario.primary in NUMBERED
    assert ("primary stream lost" in notes(verdict)) is missed


@pytest.mark.fault("WS-11", tier=1)
def test_ws_11_three_such_frames_in_ten_seconds_end_the_stream(row):
    async def during(lab):
        await resting(lab, 2)
        lab.faults.add("P.ws_private.order -> corrupt(3)")

    verdict = row(cycles=6, outcome="R", during=during)
    assert "primary stream lost" in notes(verdict)
    assert "recovering" in verdict.visited


@pytest.mark.fault("WS-12", tier=2)
def test_ws_12_a_consumer_that_stood_still_believes_no_old_news(row):
    """Three seconds in which nothing is read; what waited is old when it is read."""
    verdict = row("proc.suspend(3000)", cycles=4, outcome="R")
    assert "without a look at anything" in notes(verdict)
    assert "recovering" in verdict.visited


@pytest.mark.fault("WS-12", tier=2)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_ws_12_live_data_is_as_old_as_the_venue_says(row, leg):
    """Every frame of a book comes, one by one, three seconds late; so does the answer where books
    are asked for. Where none says when it was made only the silence before them tells: what comes
    after it passes for new."""
    late, streams = {}, row.kind(leg).streams()
    told = "ws_public.book" if any("book" in stream.CHANNELS for stream in streams) else "meta"

    async def during(lab):
        quote = await resting(lab, 2)
        lab.faults.add(f"{leg}.{told}.between(0s, 20s) -> stale_snapshot(3s)")
        late["at"] = lab.clock.monotonic()
        await until(lambda: not quote.live)
        late["pulled"] = lab.clock.monotonic()

    verdict = row(FIRST_FILLS, source=STILL, cycles=2, outcome="D", during=during)
    assert late["pulled"] - late["at"] < 3.5
    assert f"{'primary' if leg == 'P' else 'hedge'} book is older than 2 s" in notes(verdict)
    if not load_venue(verdict.scenario.roles[leg]).dates_books:
        return
    quotes = [seconds_at(order.created_ns) for order in sent(verdict, "P", "maker")]
    assert not [at for at in quotes if late["pulled"] < at < late["at"] + 20]


@pytest.mark.fault("WS-13", tier=2)
def test_ws_13_every_connection_takes_the_proxy():
    """Lost twice, each socket comes back by the same way; so does every request."""

    async def scenario():
        clock = LoopClock(asyncio.get_running_loop(), EPOCH_NS)
        async with (
            await start(["grvt", "backpack"], coins=["ETH"]) as world,
            CountingProxy() as proxy,
        ):
            for venue, symbol in (("grvt", "ETH_USDT_Perp"), ("backpack", "ETH_USDC_PERP")):
                host = world.server.hosts[venue]
                params = {**world.credentials[venue], "endpoints": world.endpoints[venue]}
                dex = await create_exchange(venue, {**params, "proxy": proxy.url}, clock=clock)
                await dex.start_streams([Topic("book", symbol), Topic("orders"), Topic("fills")])
                for _ in range(2):
                    for conn in list(host.connections.values()):
                        conn.abort()
                    await asyncio.sleep(10)
                    assert len([c for c in host.connections.values() if c.open]) == 2
                await dex.get_positions()
                await dex.close()
                address = f"127.0.0.1:{host.port}"
                through = proxy.tunnels.count(address) + proxy.requests.count(address)
                sockets = world.counts[venue, "ws", "connect"]
                assert sockets == 6, "two sockets, each made three times"
                assert through == sockets + dex._rest.connections_opened

    run_virtual(scenario())


@pytest.mark.fault("WS-14", tier=1)
def test_ws_14_a_shared_socket_outlives_the_first_to_leave():
    """Two strategies on one account share its sockets; one leaves, one comes while they close."""

    async def scenario():
        clock = LoopClock(asyncio.get_running_loop(), EPOCH_NS)
        async with await start(["backpack"], coins=["ETH"]) as world:
            params = {**world.credentials["backpack"], "endpoints": world.endpoints["backpack"]}
            topics = [Topic("book", "ETH_USDC_PERP"), Topic("orders"), Topic("fills")]
            host, counts = world.server.hosts["backpack"], world.counts

            async def user():
                dex = await create_exchange("backpack", dict(params), clock=clock)
                await dex.start_streams(topics)
                return dex

            first, second = await user(), await user()
            told = []
            second.on_orderbook("ETH_USDC_PERP", told.append)
            assert counts["backpack", "ws", "connect"] == 2, "shared"
            await first.close()
            before = len(told)
            await asyncio.sleep(5)
            assert len(told) > before, "the other one still hears"
            assert len(host.connections) == 2
            async with asyncio.TaskGroup() as group:
                group.create_task(second.close())
                third = group.create_task(user())
            assert not third.result().book("ETH_USDC_PERP").stale
            await third.result().close()
            await asyncio.sleep(3)
            assert not host.connections, "the last one out closes"

    run_virtual(scenario())


@pytest.mark.fault("WS-15", tier=2)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_ws_15_silence_about_our_own_orders_is_noticed(row, leg):
    """The socket lives and pings are answered, but nothing of the account is told any more. Until
    that is noticed a fill is found by the public book, where that shows it, or by the next look."""
    row.need(leg, "orders")
    seen = {}

    async def during(lab):
        await resting(lab, 2)
        counts, key = lab.world.counts, (lab.venue(leg), "ws", "connect")
        (rule,) = lab.faults.add(f"{leg}.ws_private -> lose(0)")
        before, seen["at"] = counts[key], lab.clock.monotonic()
        await until(lambda: counts[key] > before)
        seen["again"] = lab.clock.monotonic()
        lab.faults.rules.remove(rule)

    verdict = row(cycles=20, outcome="R", during=during)
    assert seen["again"] - seen["at"] < 10.0
    assert "stream is renewed: silent about an order" in notes(verdict)
    assert max(to_hedge(verdict)) < LIGHT


@pytest.mark.fault("WS-15", tier=2)
@pytest.mark.first_pair
def test_ws_15_a_session_is_renewed_before_it_ends(row, monkeypatch):
    """Five minutes of life: a new login at 70 % of it, and new sockets before its end."""
    monkeypatch.setattr("mpdex.sim.venues.grvt.SESSION_SECONDS", 300)
    logins = []

    async def during(lab):
        counts = lab.world.counts
        while True:
            if counts["grvt", "rest", "auth"] > len(logins):
                logins.append(lab.clock.monotonic())
            await asyncio.sleep(0.05)

    verdict = row(SLOWLY, source=STILL, cycles=45, outcome="R", during=during)
    assert len(logins) >= 2
    assert 200 < logins[1] - logins[0] < 270, "in time, and not at every turn"
    assert "1000" not in notes(verdict)
    assert verdict.seconds > 330


@pytest.mark.fault("WS-16", tier=2)
def test_ws_16_a_planned_end_is_met_at_a_good_time(row, monkeypatch):
    """The venue ends every connection at a known age: ours is made anew before, when flat."""
    for stream in filter(attrgetter("PRIVATE"), row.kind("P").streams()):
        monkeypatch.setattr(stream, "MAX_AGE", 400.0)
    lost = []

    async def during(lab):
        before = private_sockets(lab, "P")
        while True:
            now = private_sockets(lab, "P")
            if any(socket not in now for socket in before):
                quotes = list(lab.truth["P"].live)
                lost.append((lab.clock.monotonic(), quotes, lab.truth["P"].position))
            before = now
            await asyncio.sleep(0.05)

    row(SLOWLY, source=STILL, cycles=45, outcome="R", during=during)
    times = [at for at, _, _ in lost]
    assert times
    assert 300 < times[0] < 350, "as soon as it makes sense"
    assert all(not quotes and not position for _, quotes, position in lost[:1])

"""The life of a connection, for a subclass written as the developer guide shows."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from core.ws_double import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    HttpProxy,
    Peer,
    Server,
    SocksProxy,
    until,
    virtually,
)

from mpdex.errors import AuthError, MissingCredentials, RateLimited, TransportError
from mpdex.types import Session
from mpdex.utils.clock import LoopClock
from mpdex.utils.session import SessionKeeper
from mpdex.utils.socket import Engine, HandshakeRefused
from wrappers.base_ws_client import BaseWSClient, Link, State


class GuideClient(BaseWSClient):
    """Three methods, as the guide has them."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("clock", LoopClock(asyncio.get_running_loop(), 0))
        super().__init__(rng=random.Random(7), **options)
        self.messages: list[Any] = []
        self.downs: list[str] = []
        self.greetings = 0
        self.handle: Callable[[Any], Any] = self.messages.append

    async def _handle_message(self, data: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        self.handle(data)

    async def _resubscribe(self) -> None:
        self.greetings += 1
        self.send(json.dumps({"subscribe": "book"}))

    def _build_ping_message(self) -> str | None:
        return None

    def _on_down(self, reason: str, *, was_open: bool) -> None:
        self.downs.append(reason)


class Pinging(GuideClient):
    PING_INTERVAL = 10.0


class TextPinging(Pinging):
    def _build_ping_message(self) -> str | None:
        return '{"channel":"ping"}'


class Listening(GuideClient):
    RECV_TIMEOUT = 60.0


async def talk(peer: Peer) -> None:
    """Read for ever."""
    while True:
        await peer.receive()


@pytest.fixture(params=["picows", "websockets"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.param


def test_defaults_are_the_guide_s() -> None:
    assert BaseWSClient.WS_URL == ""
    assert BaseWSClient.WS_CONNECT_TIMEOUT == 10.0
    assert BaseWSClient.PING_INTERVAL is None
    assert BaseWSClient.PING_FAIL_THRESHOLD == 2
    assert BaseWSClient.RECV_TIMEOUT is None
    assert (BaseWSClient.RECONNECT_MIN, BaseWSClient.RECONNECT_MAX) == (1.0, 8.0)
    assert BaseWSClient.CONNECT_MAX_ATTEMPTS == 6
    assert BaseWSClient.__abstractmethods__ == {
        "_handle_message",
        "_resubscribe",
        "_build_ping_message",
    }


@virtually
async def test_messages_are_parsed_and_handled_in_order(engine: Engine) -> None:
    async def count(peer: Peer) -> None:
        assert json.loads(await peer.text()) == {"subscribe": "book"}
        for number in range(20):
            peer.send(f'{{"n":{number},"price":3000.10}}')
        await talk(peer)

    async with Server(count) as server:
        client = GuideClient(url=server.url, engine=engine)
        assert client.state is State.CLOSED
        await client.connect()
        assert (client.state, client._running) == (State.OPEN, True)
        await until(lambda: len(client.messages) == 20)
        await client.close()
    assert [message["n"] for message in client.messages] == list(range(20))
    assert client.messages[0]["price"] == Decimal("3000.10")
    assert (client.state, client._running, client.downs) == (State.CLOSED, False, ["closed"])


@virtually
async def test_ws_url_of_the_class_is_used() -> None:
    async with Server(talk) as server:
        venue = type("Venue", (GuideClient,), {"WS_URL": server.url})
        client = venue()
        await client.connect()
        await client.close()
    assert len(server.accepted) == 1


@virtually
async def test_a_lost_connection_comes_back(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mpdex.stream")
    async with Server(talk) as server:
        client = GuideClient(url=server.url, engine=engine, name="acme")
        await client.connect()
        server.accepted[0].cut()
        await until(lambda: client.downs)
        assert client.state is State.CONNECTING
        with pytest.raises(TransportError, match="not connected"):
            client.send("x")
        await until(lambda: client.state is State.OPEN)
        await client.close()
    assert (client.generation, client.greetings) == (2, 2)
    assert client.downs == ["connection lost without a close frame", "closed"]
    assert [record.getMessage() for record in caplog.records] == [
        "acme: connection lost: connection lost without a close frame",
        "acme: connected again",
    ]


@virtually
async def test_waiting_times_grow_with_jitter_up_to_the_maximum() -> None:
    loop = asyncio.get_running_loop()
    times: list[float] = []

    async with Server(talk) as server:
        client = GuideClient(url=server.url)
        await client.connect()
        real = client._do_reconnect

        async def failing() -> Any:
            times.append(loop.time())
            if len(times) < 10:
                raise TransportError("down")
            return await real()

        client._do_reconnect = failing  # type: ignore[method-assign]
        server.accepted[0].say_goodbye(1001)
        await until(lambda: len(times) == 10, seconds=200)
        await until(lambda: client.state is State.OPEN)
        await client.close()
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    expected = [2, 4, 8, 8, 8, 8, 8, 8, 8]  # the first second passed before the first attempt
    assert all(low <= gap <= low + 0.51 for gap, low in zip(gaps, expected, strict=True))
    assert len(set(gaps)) > 5  # jitter


@virtually
async def test_a_flapping_connection_is_not_hammered() -> None:
    """Accepted and closed at once, again and again: the waiting times grow all the same."""

    async def flap(peer: Peer) -> None:
        await peer.text()
        peer.say_goodbye(1013, "try again later")

    async with Server(flap) as server:
        client = GuideClient(url=server.url)
        await client.connect()
        await asyncio.sleep(80)
        await client.close()
    assert 8 <= len(server.accepted) <= 14


@virtually
async def test_the_first_connection_is_given_up(engine: Engine) -> None:
    async with Server() as server:
        server.refusals = [(503, {}, "")] * 99
        client = GuideClient(url=server.url, engine=engine)
        with pytest.raises(HandshakeRefused, match="503") as caught:
            await client.connect()
        assert caught.value.status == 503
        assert len(server.peers) == client.CONNECT_MAX_ATTEMPTS
        assert (client.state, client._running) == (State.CLOSED, False)

        server.refusals = []
        await client.connect()  # it may be tried again
        assert client.state is State.OPEN
        await client.close()


@virtually
async def test_later_connections_are_tried_for_ever() -> None:
    async with Server(talk) as server:
        client = GuideClient(url=server.url)
        await client.connect()
        server.refusals = [(503, {}, "")] * 50
        server.accepted[0].cut()
        await until(lambda: len(server.accepted) == 2, seconds=3600)
        await until(lambda: client.state is State.OPEN)
        await client.close()
    assert len(server.peers) == 52


@virtually
async def test_a_429_is_obeyed() -> None:
    loop = asyncio.get_running_loop()
    async with Server(talk) as server:
        server.refusals = [(429, {"Retry-After": "30"}, "slow down")]
        client = GuideClient(url=server.url)
        await client.connect()
        assert 30 <= loop.time() < 31
        await client.close()


@pytest.mark.parametrize("make", [HttpProxy, SocksProxy])
@virtually
async def test_the_proxy_is_used_on_the_first_connection_and_on_every_other(
    engine: Engine,
    make: type[HttpProxy] | type[SocksProxy],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Server(talk) as server, make() as proxy:
        client = GuideClient(url=server.url, proxy=proxy.url, engine=engine)
        await client.connect()
        for number in (1, 2):
            server.accepted[-1].cut()
            await until(lambda: len(server.accepted) == number + 1)  # noqa: B023  (awaited here)
            await until(lambda: client.state is State.OPEN)
        await client.close()
    assert proxy.targets == [f"127.0.0.1:{server.port}"] * 3
    assert len(server.peers) == 3
    assert "s3cret" not in caplog.text


@virtually
async def test_a_refusing_proxy_shows_no_password(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Server() as server, HttpProxy() as proxy:
        client = GuideClient(
            url=server.url, proxy=proxy.url.replace("s3cret", "hunter2"), engine=engine
        )
        with pytest.raises(TransportError) as caught:
            await client.connect()
    assert server.peers == []
    assert "hunter2" not in caplog.text + str(caught.value) + repr(caught.value.__cause__)


@virtually
async def test_silence_is_a_loss_and_server_pings_are_not_silence(engine: Engine) -> None:
    loop = asyncio.get_running_loop()

    async def ping_for_ten_minutes(peer: Peer) -> None:
        for _ in range(10):
            await asyncio.sleep(55)
            peer.send("", PING)
        await talk(peer)

    async with Server(ping_for_ten_minutes) as server:
        client = Listening(url=server.url, engine=engine)
        await client.connect()
        await until(lambda: client.downs, seconds=1000)
        assert client.downs == ["nothing received for 60 s"]
        assert loop.time() == pytest.approx(610, abs=0.1)
        await client.close()


class Pinged(GuideClient):
    SERVER_PINGS = 10.0


@virtually
async def test_a_server_that_has_pinged_and_stops_is_a_loss(engine: Engine) -> None:
    """No word has to come, as long as the pings do."""
    assert (GuideClient.patience(), Listening.patience(), Pinged.patience()) == (None, 60.0, 35.0)
    loop = asyncio.get_running_loop()

    async def ping_for_ten_minutes(peer: Peer) -> None:
        for _ in range(60):
            await asyncio.sleep(10)
            peer.send("", PING)
        await talk(peer)

    async with Server(ping_for_ten_minutes) as server:
        client = Pinged(url=server.url, engine=engine)
        await client.connect()
        await until(lambda: client.downs, seconds=1000)
        assert client.downs == ["nothing received for 35 s"]
        assert loop.time() == pytest.approx(635, abs=0.1)
        await client.close()


@virtually
async def test_without_rules_nothing_is_sent_and_silence_is_fine(engine: Engine) -> None:
    """StandX closes on any ping: PING_INTERVAL None means none, of any kind."""
    received: list[tuple[int, bytes]] = []

    async def record(peer: Peer) -> None:
        while True:
            received.append(await peer.receive())

    async with Server(record) as server:
        client = GuideClient(url=server.url, engine=engine)
        await client.connect()
        await asyncio.sleep(86_400)
        assert client.state is State.OPEN
        assert received == [(TEXT, b'{"subscribe": "book"}')]
        await client.close()


@virtually
async def test_protocol_pings(engine: Engine) -> None:
    kinds: list[int] = []

    async def answer_three(peer: Peer) -> None:
        while True:
            kind, payload = await peer.receive()
            kinds.append(kind)
            if kind == PING and kinds.count(PING) <= 3:
                peer.send(payload, PONG)

    loop = asyncio.get_running_loop()
    async with Server(answer_three) as server:
        client = Pinging(url=server.url, engine=engine)
        await client.connect()
        await until(lambda: client.downs, seconds=100)
        assert client.downs == ["2 pings without an answer"]
        assert loop.time() == pytest.approx(60, abs=0.1)  # pings at 10 ... 50; 40 and 50 missed
        await client.close()
    assert kinds[:6] == [TEXT, PING, PING, PING, PING, PING]


@virtually
async def test_text_pings_and_any_frame_is_an_answer() -> None:
    pings: list[str] = []

    async def pong(peer: Peer) -> None:
        await peer.text()
        while True:
            pings.append(await peer.text())
            peer.send('{"channel":"pong"}')

    async with Server(pong) as server:
        client = TextPinging(url=server.url)
        await client.connect()
        await asyncio.sleep(605)
        await client.close()
    assert pings == ['{"channel":"ping"}'] * 60
    assert client.downs == ["closed"]


@virtually
async def test_a_bad_message_is_set_aside_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def babble(peer: Peer) -> None:
        await peer.text()
        for message in ("pong", '{"n":1}', "pong", '{"n":2}'):
            peer.send(message)
        await talk(peer)

    async with Server(babble) as server:
        client = GuideClient(url=server.url)
        await client.connect()
        await until(lambda: len(client.messages) == 2)
        assert client.state is State.OPEN
        await client.close()
    assert client.messages == [{"n": 1}, {"n": 2}]
    assert client.quarantine.counts.total() == 2
    assert len([r for r in caplog.records if "set aside" in r.getMessage()]) == 1


@virtually
async def test_three_bad_messages_in_ten_seconds_end_the_connection() -> None:
    async def babble(peer: Peer) -> None:
        await peer.text()
        for _ in range(2):
            peer.send("bad")
        await asyncio.sleep(11)
        for _ in range(3):
            peer.send("bad")
        await talk(peer)

    async with Server(babble) as server:
        client = GuideClient(url=server.url)
        await client.connect()
        await asyncio.sleep(10)
        assert client.downs == []
        await until(lambda: client.downs)
        assert client.downs == ["3 frames in 10 s could not be handled"]
        await client.close()


@virtually
async def test_a_handler_that_raises_does_not_end_the_reader() -> None:
    async def two(peer: Peer) -> None:
        await peer.text()
        peer.send("{}")
        peer.send('{"n":2}')
        await talk(peer)

    seen: list[int] = []
    async with Server(two) as server:
        client = GuideClient(url=server.url)
        client.handle = lambda data: seen.append(data["n"])
        await client.connect()
        await until(lambda: seen == [2])
        await client.close()
    assert list(client.quarantine.counts) == [
        "KeyError in test_a_handler_that_raises_does_not_end_the_reader.<locals>.<lambda>"
    ]


@virtually
async def test_messages_of_an_old_connection_are_dropped() -> None:
    """Two are queued when the connection goes; neither is handled after it."""
    gate = asyncio.Event()

    class Slow(GuideClient):
        async def _handle_message(self, data: dict[str, Any]) -> None:
            self.messages.append(data)
            await gate.wait()

    async def three(peer: Peer) -> None:
        await peer.text()
        first = len(server.accepted) == 1
        for number in range(3 if first else 1):
            peer.send(json.dumps({"n": number if first else "new"}))
        if first:
            peer.say_goodbye(1001)
        await talk(peer)

    async with Server(three) as server:
        client = Slow(url=server.url)
        await client.connect()
        await until(lambda: client.downs)
        gate.set()
        await until(lambda: len(client.messages) == 2)
        await client.close()
    assert client.messages == [{"n": 0}, {"n": "new"}]


@virtually
async def test_a_slow_handler_makes_the_connection_go_not_the_memory() -> None:
    async def flood(peer: Peer) -> None:
        await peer.text()
        for _ in range(10_100):
            peer.send("{}")
        await talk(peer)

    class Stuck(GuideClient):
        async def _handle_message(self, data: dict[str, Any]) -> None:
            await asyncio.Event().wait()

    async with Server(flood) as server:
        client = Stuck(url=server.url)
        await client.connect()
        await until(lambda: client.downs)
        assert client.downs == ["messages come faster than they are handled"]
        await client.close()


@virtually
async def test_close_while_connecting_and_twice() -> None:
    async with Server() as server:
        server.refusals = [(503, {}, "")] * 99
        client = GuideClient(url=server.url)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_outcome(client.connect()))
            await asyncio.sleep(1.5)
            await client.close()
            await client.close()
        assert str(waiting.result()).endswith("closed")
        assert client.state is State.CLOSED
        attempts = len(server.peers)
        await asyncio.sleep(100)
        assert len(server.peers) == attempts


@virtually
async def test_close_before_the_owner_has_run() -> None:
    client = GuideClient(url="ws://127.0.0.1:1")
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(_outcome(client.connect()))
        group.create_task(client.close())
    assert str(waiting.result()).endswith("closed")
    assert client.state is State.CLOSED


async def _outcome(call: Any) -> Exception | None:
    try:
        await call
    except TransportError as error:
        return error
    return None


@virtually
async def test_two_callers_of_connect_share_one_connection() -> None:
    async with Server(talk) as server:
        client = GuideClient(url=server.url)
        await asyncio.gather(client.connect(), client.connect())
        await client.connect()
        await client.close()
    assert len(server.peers) == 1


@virtually
async def test_close_leaves_no_task_and_says_goodbye(engine: Engine) -> None:
    goodbyes: list[int] = []

    async def record(peer: Peer) -> None:
        while True:
            kind, _ = await peer.receive()
            goodbyes.append(kind)

    async with Server(record) as server:
        before = asyncio.all_tasks()
        client = GuideClient(url=server.url, engine=engine)
        await client.connect()
        await client.close()
        await until(lambda: CLOSE in goodbyes)
        assert {task.get_name() for task in asyncio.all_tasks() - before} & {"GuideClient"} == set()


@virtually
async def test_an_error_nobody_foresaw_does_not_end_the_owner(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(GuideClient):
        async def _resubscribe(self) -> None:
            self.greetings += 1
            if self.greetings == 2:
                raise KeyError("topic")

    async with Server(talk) as server:
        client = Broken(url=server.url)
        await client.connect()
        server.accepted[0].cut()
        await until(lambda: client.greetings == 3)
        await until(lambda: client.state is State.OPEN)
        await client.close()
    assert any(record.levelno == logging.ERROR for record in caplog.records)


@virtually
async def test_an_error_of_the_program_is_told_at_once_by_connect() -> None:
    class Broken(GuideClient):
        async def _resubscribe(self) -> None:
            raise MissingCredentials("no key")

    async with Server(talk) as server:
        client = Broken(url=server.url)
        with pytest.raises(MissingCredentials):
            await client.connect()
    assert len(server.peers) == 1


@virtually
async def test_a_greeting_that_hangs_is_a_failed_attempt() -> None:
    class Hanging(GuideClient):
        async def _resubscribe(self) -> None:
            self.greetings += 1
            if self.greetings < 3:
                await asyncio.Event().wait()

    async with Server(talk) as server:
        client = Hanging(url=server.url)
        await client.connect()
        assert client.generation == 3
        await client.close()


# ------------------------------------------------------------------------- sessions


class Logins:
    """A login that counts."""

    def __init__(self, *, lasts_ms: int | None = None) -> None:
        self.count = 0
        self.clock = LoopClock(asyncio.get_running_loop(), 0)
        self.errors: list[Exception] = []
        self.keeper = SessionKeeper(self.login, clock=self.clock)
        self.lasts_ms = lasts_ms

    async def login(self) -> Session:
        self.count += 1
        if self.errors:
            raise self.errors.pop(0)
        expires = self.lasts_ms and self.clock.now_ms() + self.lasts_ms
        return Session({"Cookie": f"token={self.count}"}, expires)


@virtually
async def test_each_handshake_has_a_valid_session() -> None:
    logins = Logins(lasts_ms=3_600_000)
    async with Server(talk) as server:
        client = GuideClient(url=server.url, session=logins.keeper)
        await client.connect()
        for seconds in (10, 7200):
            await asyncio.sleep(seconds)
            seen = len(server.accepted)
            server.accepted[-1].cut()
            await until(lambda: len(server.accepted) == seen + 1)  # noqa: B023  (awaited here)
            await until(lambda: client.state is State.OPEN)
        await client.close()
    cookies = [peer.headers["cookie"] for peer in server.peers]
    assert cookies == ["token=1", "token=1", "token=2", "token=3", "token=3"]


@virtually
async def test_an_owner_that_breaks_is_replaced_once_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bug in the task that owns the connection must not leave it dead and silent."""
    broken = [RuntimeError("a bug"), RuntimeError("again")]
    wait = Link.wait_closed

    async def wait_closed(link: Link) -> None:
        if broken:
            raise broken.pop(0)
        await wait(link)

    async with Server(talk) as server:
        client = GuideClient(url=server.url)
        await client.connect()
        monkeypatch.setattr(Link, "wait_closed", wait_closed)
        server.accepted[-1].cut()
        await until(lambda: len(server.accepted) == 2)
        await until(lambda: client.connected)
        server.accepted[-1].cut()
        await until(lambda: client.state is State.CLOSED)
        await asyncio.sleep(120)
        assert len(server.accepted) == 2, "twice in a minute: it stays closed"
        await client.close()


class Resident(GuideClient):
    ENDS_WITH_SESSION = False


@virtually
async def test_whoever_was_let_in_may_stay_longer_than_the_session() -> None:
    logins = Logins(lasts_ms=300_000)
    async with Server(talk) as server:
        client = Resident(url=server.url, session=logins.keeper)
        await client.connect()
        await asyncio.sleep(3600)
        assert (len(server.accepted), logins.count, client.ends_at) == (1, 1, None)
        server.accepted[-1].cut()
        await until(lambda: len(server.accepted) == 2)
        assert logins.count == 2, "it comes back with a session that holds"
        await client.close()


class Mortal(GuideClient):
    MAX_AGE = 3600.0


@virtually
async def test_a_connection_is_made_anew_before_the_venue_ends_it() -> None:
    async with Server(talk) as server:
        client = Mortal(url=server.url)
        await client.connect()
        assert client.ends_at == pytest.approx(3600.0, abs=1)
        began = asyncio.get_running_loop().time()
        await until(lambda: len(server.accepted) == 2, seconds=7200)
        assert asyncio.get_running_loop().time() - began == pytest.approx(3540.0, abs=2)
        await until(lambda: client.connected)
        assert client.downs == ["it would end soon"]
        assert client.renew("a good time") is True
        assert client.renew("twice") is False
        await until(lambda: client.connected)
        assert len(server.accepted) == 3
        await client.close()
        assert client.ends_at is None


class Following(GuideClient):
    FOLLOWS_SESSION = True


@virtually
async def test_a_new_session_makes_the_connection_anew() -> None:
    logins = Logins()
    async with Server(talk) as server:
        client = Following(url=server.url, session=logins.keeper)
        await client.connect()
        old = await logins.keeper.ensure()
        logins.keeper.invalidate(old)
        assert client.connected, "an end alone is none of its business"
        await logins.keeper.ensure()
        assert client.downs == ["its session was replaced"]
        await until(lambda: client.connected)
        await client.close()
        assert logins.keeper.followers == []
    assert [peer.headers["cookie"] for peer in server.peers] == ["token=1", "token=2"]


@virtually
async def test_a_refused_session_is_replaced() -> None:
    logins = Logins()
    async with Server(talk) as server:
        server.refusals = [(401, {}, "")]
        client = GuideClient(url=server.url, session=logins.keeper)
        await client.connect()
        await client.close()
    assert [peer.headers["cookie"] for peer in server.peers] == ["token=1", "token=2"]


@virtually
async def test_refused_credentials_are_told_at_once() -> None:
    logins = Logins()
    logins.errors = [AuthError("bad key")]
    async with Server(talk) as server:
        client = GuideClient(url=server.url, session=logins.keeper)
        with pytest.raises(AuthError):
            await client.connect()
    assert (logins.count, server.peers) == (1, [])


@virtually
async def test_a_login_that_fails_later_is_tried_again() -> None:
    logins = Logins(lasts_ms=200_000)
    async with Server(talk) as server:
        client = GuideClient(url=server.url, session=logins.keeper)
        await client.connect()
        await asyncio.sleep(100)
        logins.errors = [AuthError("maintenance"), RateLimited("slow", retry_after=20.0)]
        await until(lambda: len(server.accepted) == 2, seconds=200)
        assert asyncio.get_running_loop().time() > 160
        await client.close()
    assert logins.count == 4

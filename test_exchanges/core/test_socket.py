"""The seam: both engines, the same behaviour, over real loopback sockets."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from dataclasses import dataclass, field

import pytest
import trustme
from core.ws_double import (
    BINARY,
    CLOSE,
    CONTINUATION,
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

from mpdex.errors import TransportError, UsageError
from mpdex.utils.socket import (
    CLOSE_SECONDS,
    MAX_MESSAGE,
    Engine,
    Fragments,
    HandshakeRefused,
    Hooks,
    Socket,
    connect,
    describe_close,
)
from mpdex.utils.socket.pulse import Pulse


@pytest.fixture(params=["picows", "websockets"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.param


@dataclass
class Ears:
    """Everything a connection said."""

    frames: list[bytes] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    pings: list[bytes] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)

    @property
    def hooks(self) -> Hooks:
        return Hooks(self.frames.append, self.closed.append, self.pings.append, self.pongs.append)


async def finish(socket: Socket) -> None:
    socket.close()
    await socket.wait_closed()


@virtually
async def test_text_goes_there_and_back(engine: Engine) -> None:
    ears = Ears()
    async with Server() as server:
        socket = await connect(server.url, ears.hooks, engine=engine)
        socket.send('{"a":1}')
        socket.send(b'{"b":2}')
        await until(lambda: len(ears.frames) == 2)
        await finish(socket)
    assert ears.frames == [b'{"a":1}', b'{"b":2}']
    assert all(type(frame) is bytes for frame in ears.frames)


@virtually
async def test_frames_sent_with_the_handshake_are_not_lost(engine: Engine) -> None:
    async def greet(peer: Peer) -> None:
        for number in range(50):
            peer.send(str(number))
        await peer.gone()

    ears = Ears()
    async with Server(greet) as server:
        socket = await connect(server.url, ears.hooks, engine=engine)
        await until(lambda: len(ears.frames) == 50)
        await finish(socket)
    assert ears.frames == [str(number).encode() for number in range(50)]


@virtually
async def test_a_kept_frame_is_a_copy(engine: Engine) -> None:
    """picows lends its read buffer; the next frame overwrites it."""

    async def two(peer: Peer) -> None:
        peer.send("x" * 5000)
        await peer.text()
        peer.send("y" * 5000)
        await peer.gone()

    ears = Ears()
    async with Server(two) as server:
        socket = await connect(server.url, ears.hooks, engine=engine)
        await until(lambda: ears.frames)
        socket.send("next")
        await until(lambda: len(ears.frames) == 2)
        await finish(socket)
    assert ears.frames == [b"x" * 5000, b"y" * 5000]


@virtually
async def test_fragments_are_joined_and_control_frames_may_come_between(engine: Engine) -> None:
    async def fragments(peer: Peer) -> None:
        peer.send('{"a":', TEXT, fin=False)
        peer.send("in between", PING)
        peer.send('"b', CONTINUATION, fin=False)
        peer.send("", CONTINUATION, fin=False)
        peer.send('c"}', CONTINUATION)
        peer.send("whole")
        peer.send(b"\x00", BINARY, fin=False)
        peer.send(b"\x01", CONTINUATION)
        await peer.gone()

    ears = Ears()
    async with Server(fragments) as server:
        socket = await connect(server.url, ears.hooks, engine=engine)
        await until(lambda: len(ears.frames) == 3)
        await finish(socket)
    assert ears.frames == [b'{"a":"bc"}', b"whole", b"\x00\x01"]
    assert ears.pings == [b"in between"]


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([("lost", CONTINUATION, True)], id="continuation-of-nothing"),
        pytest.param([("a", TEXT, False), ("b", TEXT, True)], id="text-inside-a-message"),
    ],
)
@virtually
async def test_fragments_out_of_order_end_the_connection(
    engine: Engine, frames: list[tuple[str, int, bool]]
) -> None:
    codes: list[bytes] = []

    async def wrong(peer: Peer) -> None:
        for payload, kind, fin in frames:
            peer.send(payload, kind, fin=fin)
        kind, payload_back = await peer.receive()
        assert kind == CLOSE
        codes.append(payload_back[:2])

    ears = Ears()
    async with Server(wrong) as server:
        socket = await connect(server.url, ears.hooks, engine=engine)
        await socket.wait_closed()
        await until(lambda: codes)
    assert codes == [(1002).to_bytes(2)]
    assert ears.frames == []
    assert ears.closed[0].startswith("closed here: 1002")


@virtually
async def test_pings_are_answered_and_pongs_reported(engine: Engine) -> None:
    answers: list[tuple[int, bytes]] = []

    async def ping(peer: Peer) -> None:
        peer.send("are you there", PING)
        answers.append(await peer.receive())
        kind, payload = await peer.receive()
        assert kind == PING
        peer.send(payload, PONG)
        await peer.gone()

    ears = Ears()
    async with Server(ping) as server:
        socket = await connect(server.url, ears.hooks, engine=engine)
        await until(lambda: ears.pings)
        socket.ping(b"and you")
        await until(lambda: ears.pongs)
        await finish(socket)
    assert answers == [(PONG, b"are you there")]
    assert (ears.pings, ears.pongs, ears.frames) == ([b"are you there"], [b"and you"], [])


@pytest.mark.parametrize("size", [125, 126, 65535, 65536, 3 * 2**20])
@virtually
async def test_sizes(engine: Engine, size: int) -> None:
    ears = Ears()
    async with Server() as server:
        socket = await connect(server.url, ears.hooks, engine=engine)
        socket.send(b"z" * size)
        await until(lambda: ears.frames)
        await finish(socket)
    assert ears.frames == [b"z" * size]


@virtually
async def test_a_frame_beyond_the_limit_ends_the_connection(engine: Engine) -> None:
    async def flood(peer: Peer) -> None:
        peer.send(b"z" * (MAX_MESSAGE + 1))
        await peer.gone()

    ears = Ears()
    async with Server(flood) as server:
        socket = await connect(server.url, ears.hooks, engine=engine)
        await until(lambda: ears.closed)
        await socket.wait_closed()
    assert ears.frames == []
    assert ears.closed[0].startswith("closed here: 1009")


@pytest.mark.parametrize(
    ("code", "text"), [(1000, "bye"), (1001, "going away"), (1008, ""), (4001, "session expired")]
)
@virtually
async def test_close_code_and_reason_are_told_once(engine: Engine, code: int, text: str) -> None:
    ears = Ears()

    async def leave(peer: Peer) -> None:
        peer.say_goodbye(code, text)
        await peer.gone()

    async with Server(leave) as server:
        socket = await connect(server.url, ears.hooks, engine=engine)
        await socket.wait_closed()
        socket.close()
    assert ears.closed == [f"closed by the server: {code} {text}".rstrip()]


@virtually
async def test_a_cut_line_is_told(engine: Engine) -> None:
    async def cut(peer: Peer) -> None:
        await peer.text()
        peer.cut()

    ears = Ears()
    async with Server(cut) as server:
        socket = await connect(server.url, ears.hooks, engine=engine)
        socket.send("go")
        await socket.wait_closed()
    assert ears.closed == ["connection lost without a close frame"]


@virtually
async def test_close_says_goodbye_and_hands_over_nothing_more(engine: Engine) -> None:
    heard: list[tuple[int, bytes]] = []

    async def listen(peer: Peer) -> None:
        heard.append(await peer.receive())

    ears = Ears()
    async with Server(listen) as server:
        socket = await connect(server.url, ears.hooks, engine=engine)
        socket.close()
        socket.close()
        socket.send("too late")
        socket.ping()
        server.accepted[0].send("also too late")
        await socket.wait_closed()
        await until(lambda: heard)
    assert heard == [(CLOSE, (1000).to_bytes(2))]
    assert ears.frames == []
    assert ears.closed == ["closed here: 1000"]


@virtually
async def test_a_peer_that_reads_nothing_cannot_hold_close(engine: Engine) -> None:
    async def deaf(peer: Peer) -> None:
        peer._reader._transport.pause_reading()
        await asyncio.Event().wait()

    ears = Ears()
    loop = asyncio.get_running_loop()
    async with Server(deaf) as server:
        socket = await connect(server.url, ears.hooks, engine=engine)
        for _ in range(40):
            socket.send(b"z" * 2**20)
        started = loop.time()
        await finish(socket)
        assert loop.time() - started <= CLOSE_SECONDS + 0.1
    assert len(ears.closed) == 1


@virtually
async def test_handshake_carries_headers_and_path(engine: Engine) -> None:
    async with Server() as server:
        headers = {"Cookie": "gravity=abc", "X-Account": "1"}
        socket = await connect(server.url, Ears().hooks, headers=headers, engine=engine)
        await finish(socket)
    peer = server.peers[0]
    assert peer.path == "/stream"
    assert (peer.headers["cookie"], peer.headers["x-account"]) == ("gravity=abc", "1")
    assert "sec-websocket-extensions" not in peer.headers  # no compression


@virtually
async def test_no_engine_writes_out_headers_or_messages(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the level of the application's own log is."""
    caplog.set_level(1)
    async with Server() as server:
        headers = {"X-Api-Key": "s3cret-key"}
        socket = await connect(server.url, Ears().hooks, headers=headers, engine=engine)
        socket.send('{"token":"s3cret-token"}')
        await finish(socket)
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    ("status", "headers", "retry_after"),
    [
        (401, {}, None),
        (403, {}, None),
        (429, {"Retry-After": "7"}, 7.0),
        (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        (302, {"Location": "ws://127.0.0.1:1/elsewhere"}, None),
    ],
)
@virtually
async def test_a_refused_handshake_has_its_status(
    engine: Engine, status: int, headers: dict[str, str], retry_after: float | None
) -> None:
    async with Server() as server:
        server.refusals.append((status, headers, "no entry"))
        with pytest.raises(HandshakeRefused) as caught:
            await connect(server.url, Ears().hooks, engine=engine)
    assert (caught.value.status, caught.value.retry_after) == (status, retry_after)
    assert isinstance(caught.value, TransportError)
    assert caught.value.__cause__ is not None
    assert len(server.peers) == 1  # a redirect is not followed


@virtually
async def test_nobody_listens(engine: Engine) -> None:
    async with Server() as server:
        url = server.url
    with pytest.raises(TransportError) as caught:
        await connect(url, Ears().hooks, engine=engine)
    assert isinstance(caught.value.__cause__, OSError)


@virtually
async def test_a_server_that_hangs_up_in_the_handshake(engine: Engine) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        ears = Ears()
        with pytest.raises(TransportError):
            await connect(f"ws://127.0.0.1:{port}", ears.hooks, engine=engine)
    assert ears.closed == []


@virtually
async def test_a_server_that_never_answers(engine: Engine) -> None:
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        left.set()

    loop = asyncio.get_running_loop()
    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(TransportError, match="within 3 s"):
            await connect(url, Ears().hooks, timeout=3.0, engine=engine)
        assert loop.time() == pytest.approx(3.0, abs=0.1)
        async with asyncio.timeout(1):
            await left.wait()  # the line is not left open


@pytest.fixture(scope="module")
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


@virtually
async def test_tls(engine: Engine, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    ears = Ears()
    async with Server(tls=tls[0]) as server:
        socket = await connect(server.url, ears.hooks, engine=engine, ssl_context=tls[1])
        socket.send("secret")
        await until(lambda: ears.frames)
        await finish(socket)
    assert ears.frames == [b"secret"]


@virtually
async def test_tls_without_trust(
    engine: Engine, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async with Server(tls=tls[0]) as server:
        with pytest.raises(TransportError) as caught:
            await connect(server.url, Ears().hooks, engine=engine)
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


@pytest.mark.parametrize("make", [HttpProxy, SocksProxy])
@pytest.mark.parametrize("secure", [False, True])
@virtually
async def test_through_a_proxy(
    engine: Engine,
    make: type[HttpProxy] | type[SocksProxy],
    secure: bool,
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    ears = Ears()
    async with Server(tls=tls[0] if secure else None) as server, make() as proxy:
        socket = await connect(
            server.url,
            ears.hooks,
            proxy=proxy.url,
            engine=engine,
            ssl_context=tls[1] if secure else None,
        )
        socket.send("tunnel")
        await until(lambda: ears.frames)
        await finish(socket)
    assert ears.frames == [b"tunnel"]
    assert proxy.targets == [f"127.0.0.1:{server.port}"]


@pytest.mark.parametrize("make", [HttpProxy, SocksProxy])
@virtually
async def test_a_proxy_that_refuses_is_no_leak(
    engine: Engine, make: type[HttpProxy] | type[SocksProxy]
) -> None:
    async with Server() as server, make() as proxy:
        wrong = proxy.url.replace("s3cret", "hunter2")
        with pytest.raises(TransportError) as caught:
            await connect(server.url, Ears().hooks, proxy=wrong, engine=engine)
    assert (proxy.targets, server.peers) == ([], [])
    error: BaseException | None = caught.value
    while error is not None:
        assert "hunter2" not in repr(error)
        error = error.__cause__


@pytest.mark.parametrize("proxy", ["ftp://u:hunter2@h:1", "user:hunter2@h:1", "http://"])
async def test_a_proxy_that_is_none(engine: Engine, proxy: str) -> None:
    with pytest.raises(UsageError, match="http://user:password@host:port") as caught:
        await connect("ws://127.0.0.1:1", Ears().hooks, proxy=proxy, engine=engine)
    assert "hunter2" not in str(caught.value)


async def test_a_url_that_is_none(engine: Engine) -> None:
    with pytest.raises(TransportError):
        await connect("http://127.0.0.1:1", Ears().hooks, engine=engine)


def test_importing_the_seam_imports_no_engine() -> None:
    code = (
        "import sys, mpdex.utils.socket, wrappers.venue_stream\n"
        "assert not {'picows', 'websockets', 'aiohttp'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_fragments_have_a_limit() -> None:
    fragments = Fragments()
    half = b"z" * (MAX_MESSAGE // 2 + 1)
    assert fragments.feed(half, first=True, last=False) is None
    with pytest.raises(ValueError, match="too large"):
        fragments.feed(half, first=False, last=True)


def test_describe_close() -> None:
    theirs, ours = (1001, "x"), (1000, "")
    assert describe_close(theirs, ours, received_first=True) == "closed by the server: 1001 x"
    assert describe_close(theirs, ours, received_first=False) == "closed here: 1000"
    assert describe_close(theirs, None, received_first=False) == "closed by the server: 1001 x"
    assert "without a close frame" in describe_close(None, None, received_first=False)


class Heart:
    """A pulse with its ears open."""

    def __init__(self, *, silence: float | None, interval: float | None) -> None:
        self.pings: list[float] = []
        self.dead: list[tuple[float, str]] = []
        self.loop = asyncio.get_running_loop()
        self.pulse = Pulse(
            silence=silence,
            interval=interval,
            misses=2,
            ping=lambda: self.pings.append(self.loop.time()),
            dead=lambda reason: self.dead.append((self.loop.time(), reason)),
        )
        self.pulse.start()


@virtually
async def test_silence_is_measured_from_the_last_frame() -> None:
    heart = Heart(silence=60.0, interval=None)
    for _ in range(10):
        await asyncio.sleep(45)
        heart.pulse.heard()
    assert heart.dead == []
    await asyncio.sleep(100)
    assert heart.dead == [(pytest.approx(510.0), "nothing received for 60 s")]
    assert heart.pings == []


@virtually
async def test_frames_arm_no_timer() -> None:
    heart = Heart(silence=60.0, interval=None)
    before = len(asyncio.get_running_loop()._scheduled)  # type: ignore[attr-defined]
    for _ in range(1000):
        heart.pulse.heard()
    assert len(asyncio.get_running_loop()._scheduled) == before  # type: ignore[attr-defined]
    heart.pulse.stop()


@virtually
async def test_missed_pings_end_it_and_any_frame_excuses_them() -> None:
    heart = Heart(silence=None, interval=10.0)
    await asyncio.sleep(25)
    heart.pulse.heard()
    await asyncio.sleep(100)
    assert heart.pings == [pytest.approx(t) for t in (10, 20, 30, 40)]
    assert heart.dead == [(pytest.approx(50.0), "2 pings without an answer")]


@virtually
async def test_no_rules_no_timers() -> None:
    heart = Heart(silence=None, interval=None)
    await asyncio.sleep(86_400)
    assert (heart.pings, heart.dead) == ([], [])

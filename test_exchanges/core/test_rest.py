"""mpdex.utils.rest, against a small server on loopback."""

from __future__ import annotations

import asyncio
import builtins
import inspect
import random
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from mpdex.errors import (
    AuthError,
    MissingDependency,
    MpdexError,
    OrderNotFound,
    OutcomeUnknown,
    ProtocolError,
    RateLimited,
    TransportError,
    VenueError,
)
from mpdex.types import Json, Lane, Limit, Request, Session, VenueSpec
from mpdex.utils.clock import LoopClock
from mpdex.utils.rest import Answer, RestTransport
from mpdex.utils.session import SessionKeeper
from mpdex.utils.throttle import Throttle
from mpdex.utils.virtual_loop import run_virtual

READ = Request("GET", "/read")
PLACE = Request("POST", "/orders", json={"size": "0.10"}, command=True, lane=Lane.HEDGE)
PASSWORD = "hush" * 2
CANCEL = Request("DELETE", "/orders", json={"id": "7"}, command=True, lane=Lane.CANCEL)
COMMANDS = pytest.mark.parametrize("command", [PLACE, CANCEL], ids=["POST", "DELETE"])

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Venue:
    """Answers with the queued replies, the last one again and again, and keeps what it saw."""

    port: int
    replies: list[Reply]
    seen: list[Seen] = field(default_factory=list)
    transport: RestTransport = field(init=False)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(Seen(request.method, request.raw_path, request.headers.copy(), body))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return await reply(request)


def says(
    body: str = "{}", status: int = 200, kind: str = "application/json", **headers: str
) -> Reply:
    async def reply(_: web.Request) -> web.StreamResponse:
        spelled = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(text=body, status=status, content_type=kind, headers=spelled)

    return reply


async def drops(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def resets(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def stalls(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def breaks_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"id":')
    assert request.transport is not None
    request.transport.close()
    return response


def decode_error(status: int, answer: Json, request: Request) -> MpdexError | None:
    if isinstance(answer, dict) and answer.get("failed"):
        return VenueError("hidden no", venue="acme", request=str(request))
    if status < 400:
        return None
    kinds: dict[int, type[MpdexError]] = {401: AuthError, 404: OrderNotFound, 429: RateLimited}
    if answer == {"code": "CAP"}:
        return VenueError("too many open orders", venue="acme")
    if answer == {"flat": True} or answer == {}:
        return None
    return kinds.get(status, VenueError)("no", venue="acme")


@asynccontextmanager
async def venue(*replies: Reply, **options: Any) -> AsyncIterator[Venue]:
    server = Venue(0, list(replies) or [says()])
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port = runner.addresses[0][1]
    server.transport = transport(f"http://127.0.0.1:{server.port}", **options)
    try:
        yield server
    finally:
        await server.transport.close()
        await runner.cleanup()


def transport(url: str, **options: Any) -> RestTransport:
    clock = LoopClock(asyncio.get_running_loop(), 1_700_000_000_000_000_000)
    settings: dict[str, Any] = {
        "clock": clock,
        "throttle": Throttle({}, clock=clock),
        "sign": lambda request, now_ms: request,
        "decode_error": decode_error,
        "rng": random.Random(1),
    }
    spec = options.pop("spec", VenueSpec(name="acme", endpoints={}, credentials=()))
    return RestTransport(spec, {"rest": url}, **{**settings, **options})


def now() -> float:
    return asyncio.get_running_loop().time()


def virtual(test: Callable[..., Any]) -> Callable[..., None]:
    """Runs a test in virtual time; its arguments stay pytest's."""

    def run(**arguments: Any) -> None:
        run_virtual(test(**arguments))

    run.__name__ = test.__name__
    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    return run


# --------------------------------------------------------------------------- what travels


@virtual
async def test_numbers_arrive_exactly() -> None:
    text = '{"price": 0.1000000000000000055, "size": 12, "id": 18446744073709551615, "t": "1.50"}'
    async with venue(says(text)) as acme:
        answer = await acme.transport.send(READ)
    assert answer == {
        "price": Decimal("0.1000000000000000055"),
        "size": 12,
        "id": 18446744073709551615,
        "t": "1.50",
    }


@virtual
async def test_the_signed_bytes_are_the_bytes_sent() -> None:
    signed: list[tuple[bytes, int]] = []

    def sign(request: Request, now_ms: int) -> Request:
        signed.append((request.body, now_ms))
        return request.with_headers(**{"X-Sig": "proof"})

    async with venue(sign=sign) as acme:
        await acme.transport.send(replace(PLACE, signed=True))
        await acme.transport.send(PLACE)
    first, second = acme.seen
    assert first.body == signed[0][0] == b'{"size":"0.10"}'
    assert signed[0][1] == 1_700_000_000_000 + int(now() * 1000)
    assert first.headers["X-Sig"] == "proof"
    assert first.headers["Content-Type"] == "application/json"
    assert "X-Sig" not in second.headers
    assert len(signed) == 1


@virtual
async def test_a_query_goes_out_letter_by_letter() -> None:
    spelled = {"symbol": "ETH_USDC", "cursor": "a%2Bb+c:d,e", "from": "1"}
    async with venue() as acme:
        await acme.transport.send(replace(READ, query=spelled))
        await acme.transport.send(Request("GET", "/orders/a%2Fb"))
    assert [seen.target for seen in acme.seen] == [
        "/read?symbol=ETH_USDC&cursor=a%2Bb+c:d,e&from=1",
        "/orders/a%2Fb",
    ]


@virtual
async def test_a_body_made_beforehand_is_left_alone() -> None:
    async with venue() as acme:
        await acme.transport.send(Request("POST", "/x", body=b'{ "a" : 1 }'))
    assert acme.seen[0].body == b'{ "a" : 1 }'


@virtual
async def test_no_cookie_is_kept_and_no_redirect_followed() -> None:
    moved = says("{}", 302, Location="/elsewhere", Set_Cookie="id=1")
    async with venue(moved) as acme:
        await acme.transport.send(READ)
        await acme.transport.send(READ)
    assert [seen.target for seen in acme.seen] == ["/read", "/read"]
    assert all("Cookie" not in seen.headers for seen in acme.seen)


@virtual
async def test_one_connection_is_kept_and_warmed() -> None:
    async with venue() as acme:
        await acme.transport.warm()
        assert acme.transport.connections_opened == 1
        for _ in range(5):
            await acme.transport.send(PLACE)
            await acme.transport.send(READ)
        assert acme.transport.connections_opened == 1
        assert acme.transport.counts == {
            ("HEAD", "/"): 1,
            ("POST", "/orders"): 5,
            ("GET", "/read"): 5,
        }


@virtual
async def test_a_closed_transport_opens_again() -> None:
    async with venue() as acme:
        await acme.transport.send(READ)
        await acme.transport.close()
        await acme.transport.close()
        await acme.transport.send(READ)
        assert acme.transport.connections_opened == 2


@virtual
async def test_many_paths_do_not_pile_up() -> None:
    async with venue() as acme:
        for number in range(600):
            acme.transport._url(Request("GET", f"/orders/{number}"))
        assert len(acme.transport._urls) <= 512


# --------------------------------------------------------------------------- refusals


@virtual
async def test_a_refusal_is_the_venues_own_error() -> None:
    async with venue(says('{"code": 1}', 404), says('{"failed": true}')) as acme:
        with pytest.raises(OrderNotFound):
            await acme.transport.send(PLACE)
        with pytest.raises(VenueError, match="hidden no"):
            await acme.transport.send(PLACE)
        assert len(acme.seen) == 2


@virtual
async def test_an_answer_that_is_no_error_to_the_venue_is_an_answer() -> None:
    async with venue(says('{"flat": true}', 404)) as acme:
        assert await acme.transport.send(READ) == {"flat": True}


@virtual
async def test_plain_text_is_an_answer_to_a_read_only() -> None:
    async with venue(says("pong", kind="text/plain")) as acme:
        assert await acme.transport.send(READ) == "pong"
        with pytest.raises(OutcomeUnknown):
            await acme.transport.send(PLACE)


@virtual
async def test_an_acknowledgement_may_be_empty() -> None:
    async with venue(says("", 202), says("", 204), says("", 200)) as acme:
        assert await acme.transport.send(CANCEL) is None
        assert await acme.transport.send(CANCEL) is None
        with pytest.raises(OutcomeUnknown):
            await acme.transport.send(CANCEL)
        assert await acme.transport.send(Request("PATCH", "/settings", json={})) is None


@virtual
async def test_a_venue_may_acknowledge_without_a_word() -> None:
    spec = VenueSpec(
        name="acme", endpoints={}, credentials=(), silent_methods=frozenset({"DELETE"})
    )
    async with venue(says("", 200), spec=spec) as acme:
        assert await acme.transport.send(CANCEL) is None
        with pytest.raises(OutcomeUnknown):
            await acme.transport.send(PLACE)


@pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/json"])
@pytest.mark.parametrize("status", [200, 403])
@pytest.mark.parametrize("page", ["<html>Attention</html>", "", '{"id": 1', "[" * 200_000])
@virtual
async def test_an_unreadable_answer_is_never_a_plain_no(status: int, page: str, kind: str) -> None:
    async with venue(says(page, status, kind)) as acme:
        with pytest.raises(ProtocolError) as read:
            await acme.transport.send(READ)
        with pytest.raises(OutcomeUnknown) as placed:
            await acme.transport.send(PLACE)
        assert len(acme.seen) == 2
    assert read.value.request == "GET /read"
    assert placed.value.request == "POST /orders"
    assert placed.value.venue == "acme"


@virtual
async def test_a_number_beyond_decimal_is_unreadable() -> None:
    async with venue(says('{"price": 1.5e99999999999999999999}')) as acme:
        with pytest.raises(ProtocolError):
            await acme.transport.send(READ)


# --------------------------------------------------------------------------- no answer


@COMMANDS
@pytest.mark.parametrize(
    "fault", [drops, resets, stalls, breaks_off, says("{}", 500), says("", 503)]
)
@virtual
async def test_a_command_without_an_answer_is_unknown_and_sent_once(
    command: Request, fault: Reply
) -> None:
    async with venue(says(), fault) as acme:
        await acme.transport.send(READ)  # a kept connection: the case where clients retry
        with pytest.raises(OutcomeUnknown) as caught:
            await acme.transport.send(command)
        assert caught.value.request == str(command)
        assert len(acme.seen) == 2
        assert now() <= 11


@pytest.mark.parametrize("fault", [drops, resets, breaks_off, says("{}", 500), says("busy", 503)])
@virtual
async def test_a_read_is_repeated_twice_with_pauses(fault: Reply) -> None:
    async with venue(fault, fault, says('{"n": 1}')) as acme:
        assert await acme.transport.send(READ) == {"n": 1}
        assert acme.transport.counts["GET", "/read"] == len(acme.seen) == 3
        assert 0.75 <= now() <= 1.3


@virtual
async def test_a_read_gives_up_after_three_attempts() -> None:
    async with venue(says('{"why": "maintenance"}', 503)) as acme:
        with pytest.raises(TransportError, match="HTTP 503") as caught:
            await acme.transport.send(READ)
        assert len(acme.seen) == 3
    assert not isinstance(caught.value, OutcomeUnknown)
    assert caught.value.raw == '{"why": "maintenance"}'


@virtual
async def test_every_attempt_has_its_deadline() -> None:
    async with venue(stalls, timeout=4.0) as acme:
        with pytest.raises(TransportError, match="no answer within 4 s"):
            await acme.transport.send(READ)
        assert 12.0 < now() < 14.0


@COMMANDS
@virtual
async def test_a_refused_connection_sent_nothing(command: Request) -> None:
    async with venue() as acme:
        port = acme.port
    alone = transport(f"http://127.0.0.1:{port}")
    with pytest.raises(TransportError, match=r"cannot connect to 127\.0\.0\.1"):
        await alone.send(command)
    await alone.close()


# --------------------------------------------------------------------------- limits


@virtual
async def test_a_429_is_waited_out_as_long_as_the_venue_asks() -> None:
    async with venue(says('{"c": 1}', 429, Retry_After="7"), says('{"n": 1}')) as acme:
        assert await acme.transport.send(READ) == {"n": 1}
        assert now() == pytest.approx(7.0, abs=0.1)


@virtual
async def test_the_standard_header_tells_how_long_to_wait() -> None:
    over = says('{"c": 1}', 429, RateLimit='"credits";r=0;t=9')
    async with venue(over, says('{"n": 1}')) as acme:
        assert await acme.transport.send(READ) == {"n": 1}
        assert now() == pytest.approx(9.0, abs=0.1)


@pytest.mark.parametrize(
    "told", [{"X_RateLimit_Remaining": "10"}, {"RateLimit": '"credits"; r=10; t=32'}]
)
@virtual
async def test_what_is_left_of_a_limit_is_taken_from_the_venue(told: dict[str, str]) -> None:
    """Somebody else has used the rest."""
    clock = LoopClock(asyncio.get_running_loop(), 0)
    throttle = Throttle({"default": Limit(100, 60.0)}, clock=clock)
    async with venue(says("{}", **told), clock=clock, throttle=throttle) as acme:
        await acme.transport.send(READ)
        assert throttle.try_acquire("default", 10, Lane.HEDGE)
        assert not throttle.try_acquire("default", 1, Lane.HEDGE)


@virtual
async def test_without_a_wish_the_pause_doubles() -> None:
    async with venue(says('{"c": 1}', 429), says("<html>", 429, "text/html"), says()) as acme:
        await acme.transport.send(READ)
        assert 3.0 <= now() <= 4.1


@virtual
async def test_a_429_holds_the_less_urgent_but_not_the_more_urgent() -> None:
    async with venue(says('{"c": 1}', 429, Retry_After="60"), says()) as acme:
        with pytest.raises(RateLimited) as caught:
            await acme.transport.send(READ)  # not worth waiting for
        assert caught.value.retry_after == 60
        await acme.transport.send(PLACE)
        assert now() < 1
        await acme.transport.send(READ)
        assert now() == pytest.approx(60, abs=0.1)


@virtual
async def test_a_command_over_the_limit_is_refused_once() -> None:
    async with venue(says('{"c": 1}', 429, Retry_After="2")) as acme:
        with pytest.raises(RateLimited) as caught:
            await acme.transport.send(PLACE)
        assert caught.value.retry_after == 2
        assert len(acme.seen) == 1


@pytest.mark.parametrize("page", [says("{}", 429), says("<html>", 429, "text/html")])
@virtual
async def test_a_429_that_the_venue_does_not_explain_refuses_a_command_too(page: Reply) -> None:
    async with venue(page) as acme:
        with pytest.raises(RateLimited):
            await acme.transport.send(PLACE)
        assert len(acme.seen) == 1


@virtual
async def test_a_429_that_is_no_rate_limit_freezes_nothing() -> None:
    async with venue(says('{"code": "CAP"}', 429), says()) as acme:
        with pytest.raises(VenueError, match="open orders"):
            await acme.transport.send(READ)
        await acme.transport.send(READ)
        assert now() < 0.1


@virtual
async def test_a_request_waits_for_its_limit_and_is_signed_afterwards() -> None:
    clock = LoopClock(asyncio.get_running_loop(), 0)
    signed: list[int] = []

    def sign(request: Request, now_ms: int) -> Request:
        signed.append(now_ms)
        return request

    throttle = Throttle({"order": Limit(1, 1.0)}, clock=clock)
    async with venue(clock=clock, throttle=throttle, sign=sign) as acme:
        for _ in range(2):
            await acme.transport.send(replace(PLACE, scope="order", signed=True))
    assert signed[0] < 100
    assert signed[1] >= 1_100


# --------------------------------------------------------------------------- sessions


def keeper(tokens: list[str]) -> SessionKeeper:
    async def login() -> Session:
        return Session({"Cookie": tokens.pop(0)})

    return SessionKeeper(login, clock=LoopClock(asyncio.get_running_loop(), 0))


@virtual
async def test_signed_requests_carry_the_session_and_others_do_not() -> None:
    async with venue(session=keeper(["t=1"])) as acme:
        await acme.transport.send(READ)
        await acme.transport.send(replace(READ, signed=True))
        await acme.transport.send(replace(PLACE, signed=True))
    assert [seen.headers.get("Cookie") for seen in acme.seen] == [None, "t=1", "t=1"]


@virtual
async def test_a_read_with_a_refused_session_logs_in_again_once() -> None:
    no = says('{"c": 1}', 401)
    async with venue(no, says('{"n": 1}'), no, session=keeper(["t=1", "t=2", "t=3"])) as acme:
        assert await acme.transport.send(replace(READ, signed=True)) == {"n": 1}
        with pytest.raises(AuthError):
            await acme.transport.send(replace(READ, signed=True))
    assert [seen.headers["Cookie"] for seen in acme.seen] == ["t=1", "t=2", "t=2", "t=3"]


@virtual
async def test_a_command_with_a_refused_session_is_not_repeated() -> None:
    no = says('{"c": 1}', 401)
    async with venue(no, says(), session=keeper(["t=1", "t=2"])) as acme:
        with pytest.raises(AuthError):
            await acme.transport.send(replace(PLACE, signed=True))
        assert len(acme.seen) == 1
        await acme.transport.send(replace(PLACE, signed=True))
    assert acme.seen[1].headers["Cookie"] == "t=2"


@virtual
async def test_a_refused_login_is_not_tried_again() -> None:
    logins = 0

    async def login() -> Session:
        nonlocal logins
        logins += 1
        raise AuthError("unknown key", venue="acme")

    session = SessionKeeper(login, clock=LoopClock(asyncio.get_running_loop(), 0))
    async with venue(session=session) as acme:
        with pytest.raises(AuthError, match="unknown key"):
            await acme.transport.send(replace(READ, signed=True))
    assert logins == 1
    assert acme.seen == []


@virtual
async def test_a_login_sees_status_headers_and_body() -> None:
    async def reply(_: web.Request) -> web.StreamResponse:
        response = web.json_response({"status": "failure"}, status=401)
        response.headers.add("Set-Cookie", "gravity=secret-token; Max-Age=60")
        response.headers.add("Set-Cookie", "bot=1; Max-Age=30")
        return response

    async with venue(reply, session=keeper([])) as acme:
        answer = await acme.transport.send_raw(Request("POST", "/login", json={"api_key": "k"}))
    assert answer.status == 401
    assert answer.json() == {"status": "failure"}
    assert answer.headers["set-cookie"] == "gravity=secret-token; Max-Age=60, bot=1; Max-Age=30"
    assert "secret-token" not in repr(answer)
    assert acme.seen[0].body == b'{"api_key":"k"}'


@virtual
async def test_a_login_over_the_limit_is_held_next_time() -> None:
    async with venue(says("{}", 429, Retry_After="9"), says()) as acme:
        answer = await acme.transport.send_raw(READ)
        assert answer.status == 429
        await acme.transport.send_raw(READ)
        assert now() == pytest.approx(9.0, abs=0.1)


def test_an_answer_that_is_not_json_says_so() -> None:
    with pytest.raises(ProtocolError, match="HTTP 200"):
        Answer(200, {}, b"<html>").json()


# --------------------------------------------------------------------------- proxies


@virtual
async def test_an_http_proxy_carries_the_request_and_its_password_stays_out_of_errors() -> None:
    async with venue(says('{"n": 1}')) as proxy:
        behind = transport(
            "http://acme.invalid", proxy=f"http://me:{PASSWORD}@127.0.0.1:{proxy.port}"
        )
        assert await behind.send(READ) == {"n": 1}
        await behind.close()
        assert proxy.seen[0].target == "http://acme.invalid/read"
        assert proxy.seen[0].headers["Proxy-Authorization"].startswith("Basic ")
        port = proxy.port
    dead = transport("http://acme.invalid", proxy=f"http://me:{PASSWORD}@127.0.0.1:{port}")
    with pytest.raises(TransportError) as caught:
        await dead.send(PLACE)
    await dead.close()
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


@asynccontextmanager
async def served(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A server for one connection; gives its port."""
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(reader, writer)
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    await ended.wait()
    server.close()
    await server.wait_closed()


async def refuses_tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    asked = await reader.readuntil(b"\r\n\r\n")
    assert asked.startswith(b"CONNECT acme.invalid:443 ")
    writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


async def relays(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """SOCKS5 without a password, and the venue behind it."""
    await reader.readexactly(3)
    writer.write(b"\x05\x00")
    head = await reader.readexactly(5)
    await reader.readexactly(head[4] + 2)
    writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" + b'{"n":1}')


@virtual
async def test_a_proxy_that_refuses_the_tunnel_sent_nothing() -> None:
    async with served(refuses_tunnel) as port:
        behind = transport("https://acme.invalid", proxy=f"http://me:{PASSWORD}@127.0.0.1:{port}")
        with pytest.raises(TransportError, match="ClientHttpProxyError") as caught:
            await behind.send(PLACE)
        await behind.close()
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


@virtual
async def test_a_socks_proxy_carries_the_request() -> None:
    async with served(relays) as port:
        behind = transport("http://acme.invalid", proxy=f"socks5://127.0.0.1:{port}")
        assert await behind.send(READ) == {"n": 1}
        assert behind.connections_opened == 1
        await behind.close()
    dead = transport("http://acme.invalid", proxy=f"socks5://me:{PASSWORD}@127.0.0.1:{port}")
    with pytest.raises(TransportError) as caught:
        await dead.send(PLACE)
    await dead.close()
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


@virtual
async def test_a_socks_proxy_without_its_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "aiohttp_socks":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependency, match=r"pip install 'mpdex\[proxy\]'"):
        await transport("http://acme.invalid", proxy="socks5://127.0.0.1:1").send(READ)


def test_aiohttp_is_loaded_by_the_first_request_only() -> None:
    code = "import sys, mpdex.utils.rest; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@virtual
async def test_nesting_ends_no_process_whatever_limit_others_have_set() -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)  # as packages of Ethereum do when they are imported
    try:
        async with venue(says("[" * 200_000)) as acme:
            with pytest.raises(ProtocolError):
                await acme.transport.send(READ)
        assert sys.getrecursionlimit() == 100_000
    finally:
        sys.setrecursionlimit(before)

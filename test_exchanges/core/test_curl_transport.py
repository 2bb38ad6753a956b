"""mpdex.utils.curl_transport: everything that the usual transport passes, and what is its own.

Its transfers run on the virtual loop like anything else; one test shows them in real time.
"""

from __future__ import annotations

import asyncio
import builtins
import traceback
from typing import Any

import pytest
from core import test_rest as usual
from core.test_rest import (
    COMMANDS,
    PASSWORD,
    PLACE,
    READ,
    drops,
    refuses_tunnel,
    says,
    served,
    stalls,
    transport,
    venue,
    virtual,
)

from mpdex.errors import MissingDependency, OutcomeUnknown, RateLimited, TransportError
from mpdex.types import Request, VenueSpec
from mpdex.utils.curl_transport import CurlTransport

# About aiohttp, not about what a transport does.
_ITS_OWN = {
    "test_a_proxy_that_refuses_the_tunnel_sent_nothing",
    "test_a_socks_proxy_without_its_package_names_the_extra",
    "test_many_paths_do_not_pile_up",
}
for _name in dir(usual):
    if _name.startswith("test_") and _name not in _ITS_OWN:
        globals()[_name] = getattr(usual, _name)

CHROME = VenueSpec(name="acme", endpoints={}, credentials=(), impersonates="chrome")


@pytest.fixture(autouse=True)
def _by_curl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usual, "RestTransport", CurlTransport)


@COMMANDS
@virtual
async def test_what_libcurl_would_send_again_is_sent_once(command: Request) -> None:
    """A kept connection that ends without an answer: the order may have arrived."""
    async with venue(says(), drops) as acme:
        await acme.transport.send(READ)
        with pytest.raises(OutcomeUnknown):
            await acme.transport.send(command)
        assert [seen.method for seen in acme.seen] == ["GET", command.method]
        assert acme.seen[1].body == command_body(command)


def command_body(command: Request) -> bytes:
    return b'{"size":"0.10"}' if command.method == "POST" else b'{"id":"7"}'


@virtual
async def test_an_order_without_a_body_is_not_sent_at_all() -> None:
    async with venue() as acme:
        with pytest.raises(AssertionError, match="sent twice"):
            await acme.transport.send(Request("POST", "/orders", command=True))
        assert acme.seen == []


@virtual
async def test_it_looks_like_a_browser() -> None:
    async with venue(spec=CHROME) as acme:
        await acme.transport.send(READ)
        await acme.transport.send(Request("GET", "/read", headers={"Accept": "*/*"}))
    first, second = acme.seen
    assert "Chrome/" in first.headers["User-Agent"]
    assert "Google Chrome" in first.headers["Sec-CH-UA"]
    assert "Upgrade" not in first.headers
    assert second.headers["Accept"] == "*/*"


@virtual
async def test_a_proxy_that_refuses_sent_nothing() -> None:
    async with served(refuses_tunnel) as port:
        behind = transport("https://acme.invalid", proxy=f"http://me:{PASSWORD}@127.0.0.1:{port}")
        with pytest.raises(TransportError, match=r"cannot connect to acme\.invalid") as caught:
            await behind.send(PLACE)
        await behind.close()
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


@virtual
async def test_a_wait_that_the_venues_words_name_is_kept() -> None:
    def decode_error(status: int, answer: Any, request: Request) -> RateLimited | None:
        return RateLimited("wait", retry_after=answer["wait"]) if status == 429 else None

    busy = says('{"wait": 7}', 429)
    async with venue(busy, says(), decode_error=decode_error) as acme:
        await acme.transport.send(READ)
        assert usual.now() >= 7
        assert len(acme.seen) == 2


@virtual
async def test_headers_are_judged_before_the_body() -> None:
    def decode_headers(status: int, headers: Any, request: Request) -> TransportError | None:
        return TransportError("a wall") if headers.get("cf-mitigated") == "challenge" else None

    wall = says("<html>", 503, "text/html", cf_mitigated="challenge")
    async with venue(wall, decode_headers=decode_headers) as acme:
        with pytest.raises(TransportError, match="a wall"):
            await acme.transport.send(PLACE)
    async with venue(says("<html>", 503, "text/html"), decode_headers=decode_headers) as acme:
        with pytest.raises(OutcomeUnknown):
            await acme.transport.send(PLACE)


def test_in_real_time_it_is_the_same() -> None:
    async def play() -> None:
        before = asyncio.all_tasks()
        async with venue(says('{"n": 0.5}'), stalls, timeout=0.3, spec=CHROME) as acme:
            assert str(await acme.transport.send(READ)) == "{'n': Decimal('0.5')}"
            with pytest.raises(OutcomeUnknown, match=r"no answer within 0\.3 s"):
                await acme.transport.send(PLACE)
            assert len(acme.seen) == 2
            await acme.transport.close()
            assert not [task for task in asyncio.all_tasks() - before if "curl" in repr(task)]

    asyncio.run(play())


@virtual
async def test_without_its_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def broken(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("curl_cffi"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(MissingDependency, match=r"pip install 'mpdex\[acme\]'"):
        await transport("http://127.0.0.1:1").send(READ)

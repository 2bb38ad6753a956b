"""The local page for a wallet's signature: whom it serves, what it takes, and that it is gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from mpdex.errors import UsageError
from mpdex.types import Challenge, WalletProof
from mpdex.utils.login_page import LoginPage, read_proof

ADDRESS = "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1"
SIGNATURE = "0x" + "ab" * 65
TEXT = "Sign in to Acme with nonce: <b>7</b>"
Visit = Callable[[aiohttp.ClientSession, str], Awaitable[Any]]


def visited(visit: Visit, address: str = ADDRESS) -> tuple[Any, WalletProof, str]:
    """What a visitor saw, the proof that the page gave back, and where the page was."""

    async def play() -> tuple[Any, WalletProof, str]:
        page, opened = LoginPage("acme", Challenge(TEXT, "7", address)), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(page.ask(lambda _: opened.set(), seconds=5))
            await opened.wait()
            async with aiohttp.ClientSession() as http:
                seen = await visit(http, page.url)
                with suppress(aiohttp.ClientError):  # the page is gone where the visitor signed
                    await send(http, page.url)
        return seen, asking.result(), page.url

    return asyncio.run(play())


async def send(
    http: aiohttp.ClientSession, url: str, body: Any = (ADDRESS, SIGNATURE), **headers: str
) -> tuple[int, str]:
    json_type = {"Content-Type": "application/json"}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with http.post(f"{url}proof", data=data, headers=json_type | headers) as answer:
        return answer.status, await answer.text()


async def status(http: aiohttp.ClientSession, url: str, **headers: str) -> int:
    async with http.get(url, headers=headers) as answer:
        return answer.status


def test_the_page_shows_the_text_and_takes_the_signature() -> None:
    async def visit(http: aiohttp.ClientSession, url: str) -> tuple[str, str, int]:
        async with http.get(url) as answer:
            page, policy = await answer.text(), answer.headers["Content-Security-Policy"]
        taken, _ = await send(http, url)
        return page, policy, taken

    (page, policy, taken), proof, url = visited(visit)
    assert "Sign in to Acme with nonce: &lt;b&gt;7&lt;/b&gt;" in page
    assert "<b>7" not in page
    assert taken == 200
    assert proof == WalletProof(ADDRESS, SIGNATURE)
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert urlsplit(url).hostname == "127.0.0.1"


def test_it_listens_on_loopback_alone_and_is_gone_afterwards() -> None:
    async def visit(http: aiohttp.ClientSession, url: str) -> None:
        with pytest.raises(aiohttp.ClientError):
            await status(http, url.replace("127.0.0.1", "127.0.0.2"))

    _, _, url = visited(visit)

    async def again() -> None:
        async with aiohttp.ClientSession() as http:
            await status(http, url)

    with pytest.raises(aiohttp.ClientError):
        asyncio.run(again())


def test_the_address_is_another_one_each_time_and_no_short_one() -> None:
    async def visit(http: aiohttp.ClientSession, url: str) -> None:
        return None

    urls = [urlsplit(visited(visit)[2]).path for _ in range(2)]
    assert urls[0] != urls[1]
    assert all(len(path.strip("/")) >= 43 for path in urls)


def test_who_does_not_know_the_secret_is_turned_away() -> None:
    async def visit(http: aiohttp.ClientSession, url: str) -> list[int]:
        root = url.rsplit("/", 2)[0]
        guesses = [f"{root}/", f"{root}/guess/", f"{root}/{'x' * 43}/"]
        return [await status(http, guess) for guess in guesses] + [
            (await send(http, f"{root}/guess/"))[0]
        ]

    assert visited(visit)[0] == [403] * 4


def test_a_name_that_was_made_to_point_here_is_turned_away() -> None:
    async def visit(http: aiohttp.ClientSession, url: str) -> list[int]:
        port = urlsplit(url).port
        names = ["evil.example", f"evil.example:{port}", f"localhost:{port}", "127.0.0.1"]
        return [await status(http, url, Host=name) for name in names]

    assert visited(visit)[0] == [403] * 4


def test_a_foreign_page_cannot_send_in_the_users_place() -> None:
    other = "0x" + "22" * 20

    async def visit(http: aiohttp.ClientSession, url: str) -> list[int]:
        strange = [(await send(http, url, Origin=o))[0] for o in ("https://evil.example", "null")]
        plain = (await send(http, url, **{"Content-Type": "text/plain"}))[0]
        return [*strange, plain]

    seen, proof, _ = visited(visit)
    assert seen == [403, 403, 400]
    assert proof.address != other


def test_an_unusable_answer_is_said_and_the_page_goes_on() -> None:
    async def visit(http: aiohttp.ClientSession, url: str) -> list[tuple[int, str]]:
        bodies: tuple[Any, ...] = (
            b"{",
            [ADDRESS],
            [ADDRESS, "0x12"],
            ["0x12", SIGNATURE],
            ["0x" + "22" * 20, SIGNATURE],
            b'["' + b"a" * 5000 + b'"]',
        )
        return [await send(http, url, body) for body in bodies]

    seen, proof, _ = visited(visit)
    assert [code for code, _ in seen] == [400] * 6
    assert "not as" in seen[4][1]
    assert proof == WalletProof(ADDRESS, SIGNATURE)


def test_other_paths_and_verbs_are_not_there() -> None:
    async def visit(http: aiohttp.ClientSession, url: str) -> list[int]:
        async with http.put(f"{url}proof") as put:
            return [put.status, await status(http, f"{url}else"), await status(http, f"{url}proof")]

    assert visited(visit)[0] == [404, 404, 404]


def test_any_address_will_do_where_none_is_named() -> None:
    async def visit(http: aiohttp.ClientSession, url: str) -> tuple[int, str]:
        return await send(http, url, ["0x" + "33" * 20, SIGNATURE])

    assert visited(visit, address="")[1].address == "0x" + "33" * 20


def test_a_signature_may_come_without_its_prefix() -> None:
    body = json.dumps([ADDRESS.lower(), "ab" * 65]).encode()
    assert read_proof(body, ADDRESS) == WalletProof(ADDRESS.lower(), "ab" * 65)


def test_nobody_signing_is_told() -> None:
    async def wait() -> None:
        await LoginPage("acme", Challenge(TEXT, "7")).ask(lambda _: None, seconds=0.01)

    with pytest.raises(UsageError, match="nobody signed in time"):
        asyncio.run(wait())


def test_a_port_in_use_is_told() -> None:
    async def both() -> None:
        first, opened = LoginPage("acme", Challenge(TEXT, "7")), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(first.ask(lambda _: opened.set(), seconds=5))
            await opened.wait()
            port = urlsplit(first.url).port
            with pytest.raises(UsageError, match=r"port \d+ is taken"):
                await LoginPage("acme", Challenge(TEXT, "8"), port=port or 0).ask(lambda _: None)
            asking.cancel()

    asyncio.run(both())

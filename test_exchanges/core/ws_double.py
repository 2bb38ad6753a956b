"""A WebSocket server and two proxies that do exactly what a test says, on loopback.

The server writes frames byte by byte (no library), so that it can also write what a library would
refuse to: fragments, wrong opcodes, silence.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Self

from mpdex.utils.virtual_loop import run_virtual

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def virtually(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on a `VirtualLoop`: waiting costs nothing."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_virtual(test(*args, **kwargs))

    return run


async def until(condition: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Return when the condition holds. (In virtual time a step costs nothing.)"""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  (any condition; the time is virtual)
            await asyncio.sleep(0.01)


class Peer:
    """One accepted connection, from the server's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.path = ""
        self.headers: dict[str, str] = {}

    async def handshake(self, refusal: tuple[int, dict[str, str], str] | None) -> bool:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        request, *lines = head.strip().split("\r\n")
        self.path = request.split()[1]
        self.headers = {
            name.lower(): value for name, value in (line.split(": ", 1) for line in lines)
        }
        if refusal is not None:
            self._refuse(*refusal)
            return False
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self._writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        return True

    def _refuse(self, status: int, headers: dict[str, str], body: str) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._writer.write(
            f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}\r\n{lines}\r\n{body}".encode()
        )

    def send(self, payload: bytes | str, kind: int = TEXT, *, fin: bool = True) -> None:
        data = payload.encode() if isinstance(payload, str) else payload
        size = len(data)
        if size < 126:
            length = bytes([size])
        elif size < 65536:
            length = b"\x7e" + size.to_bytes(2)
        else:
            length = b"\x7f" + size.to_bytes(8)
        self._writer.write(bytes([(0x80 if fin else 0) | kind]) + length + data)

    async def receive(self) -> tuple[int, bytes]:
        """(opcode, payload) of the next frame. Raises IncompleteReadError at the end."""
        first, second = await self._reader.readexactly(2)
        size = second & 0x7F
        if size > 125:
            size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8))
        mask = await self._reader.readexactly(4)
        masked = await self._reader.readexactly(size)
        repeated = mask * (size // 4 + 1)
        data = int.from_bytes(masked) ^ int.from_bytes(repeated[:size])
        return first & 0x0F, data.to_bytes(size)

    async def text(self) -> str:
        """The next text message."""
        while True:
            kind, payload = await self.receive()
            if kind == TEXT:
                return payload.decode()

    def say_goodbye(self, code: int, reason: str = "") -> None:
        self.send(code.to_bytes(2) + reason.encode(), CLOSE)

    def cut(self) -> None:
        self._writer.transport.abort()

    async def gone(self) -> None:
        """Read until the client has left."""
        try:
            while True:
                await self.receive()
        except (asyncio.IncompleteReadError, ConnectionError):
            return


Script = Callable[[Peer], Awaitable[None]]


async def echo(peer: Peer) -> None:
    while True:
        kind, payload = await peer.receive()
        if kind == CLOSE:
            peer.send(payload, CLOSE)
            return
        if kind == TEXT:
            peer.send(payload)


class _Tcp:
    """A loopback listener whose handlers end with it."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.handle(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("a double says what it does")


class Server(_Tcp):
    """Plays `script` on each connection.

    Attributes:
        refusals: (status, headers, body) for the next handshakes, in order.
        peers: every handshake, in order, refused ones included.
        accepted: those that were not refused.
    """

    def __init__(self, script: Script = echo, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.script = script
        self.refusals: list[tuple[int, dict[str, str], str]] = []
        self.peers: list[Peer] = []
        self.accepted: list[Peer] = []

    @property
    def url(self) -> str:
        return f"{'wss' if self._tls else 'ws'}://127.0.0.1:{self.port}/stream"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        self.peers.append(peer)
        if await peer.handshake(self.refusals.pop(0) if self.refusals else None):
            self.accepted.append(peer)
            await self.script(peer)


class HttpProxy(_Tcp):
    """CONNECT, for `user` with `password`; `targets` is where it was asked to go."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    @property
    def url(self) -> str:
        return f"http://user:s3cret@127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        credentials = base64.b64encode(b"user:s3cret").decode()
        if f"Proxy-Authorization: Basic {credentials}" not in head:
            writer.write(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n"
                b"Content-Length: 0\r\n\r\n"
            )
            return
        target = head.split()[1]
        self.targets.append(target)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await _tunnel(reader, writer, int(target.rpartition(":")[2]))


class SocksProxy(_Tcp):
    """SOCKS5 with user name and password (RFC 1928, RFC 1929), IPv4 targets."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    @property
    def url(self) -> str:
        return f"socks5://user:s3cret@127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        assert 2 in await reader.readexactly(count), "the client offers no password"
        writer.write(b"\x05\x02")
        await reader.readexactly(1)
        user = await reader.readexactly((await reader.readexactly(1))[0])
        password = await reader.readexactly((await reader.readexactly(1))[0])
        if (user, password) != (b"user", b"s3cret"):
            writer.write(b"\x01\x01")
            return
        writer.write(b"\x01\x00")
        head = await reader.readexactly(4)
        assert head == b"\x05\x01\x00\x01", "CONNECT to an IPv4 address"
        host = ".".join(str(byte) for byte in await reader.readexactly(4))
        port = int.from_bytes(await reader.readexactly(2))
        self.targets.append(f"{host}:{port}")
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        await _tunnel(reader, writer, port)


async def _tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.TaskGroup() as group:
        group.create_task(_pipe(reader, inner_writer))
        group.create_task(_pipe(inner_reader, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()

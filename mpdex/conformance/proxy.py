"""A proxy on loopback that counts: CONNECT tunnels, and requests with the whole address."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class CountingProxy:
    """Passes bytes on and remembers to where. An async context manager.

    Attributes:
        tunnels, requests: "host:port" of each CONNECT, and of each plain connection.
    """

    def __init__(self) -> None:
        self.tunnels: list[str] = []
        self.requests: list[str] = []
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return f"http://user:hidden-word@{host}:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.decode().split(" ", 2)
            tunnel = method == "CONNECT"
            where = target if tunnel else urlsplit(target).netloc
            (self.tunnels if tunnel else self.requests).append(where)
            host, _, port = where.partition(":")
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            self._writers.add(far_writer)
            if tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                far_writer.write(head)
            await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # either end may go at any time
        finally:
            writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes until the end, and then the end."""
    try:
        while data := await reader.read(65_536):
            writer.write(data)
    finally:
        writer.close()

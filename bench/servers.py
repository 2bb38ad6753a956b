"""The far end of `ws.*` and `http.*`: as little as possible, so that the client is measured.

Over TLS: a WebSocket echo, a raw protocol that echoes bytes, and an HTTP responder. A message that
begins with P asks for so many frames, one a millisecond.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

import trustme
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from bench.workers import questions, say

FRAME = b'{"stream":"depth.ETH_USDC_PERP","data":"'.ljust(298, b"x") + b'"}'
ANSWER = b'{"id":"114575844","status":"Filled","executedQuantity":"0.05"}'.ljust(160)
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER)
) + ANSWER


class Echo(WSListener):
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
            return
        data = frame.get_payload_as_bytes()
        if data[:1] == b"P":
            pace(lambda: transport.send(WSMsgType.TEXT, FRAME), int(data[1:]))
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
            transport.send(frame.msg_type, data)


class RawEcho(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if data[:1] == b"P":
            pace(lambda: self._transport.write(FRAME), int(data[1:]))
        else:
            self._transport.write(data)


class Http(asyncio.Protocol):
    """Answers each request with the same body; a request may come in pieces."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (whole := request_length(self._buffer)) and len(self._buffer) >= whole:
            self._buffer = self._buffer[whole:]
            self._transport.write(RESPONSE)


def request_length(data: bytes) -> int:
    """Of the first request in `data`, head and body; 0 while its head is not complete."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return 0
    _, found, rest = data[:end].lower().partition(b"content-length:")
    return end + 4 + (int(rest.split(b"\r\n", 1)[0]) if found else 0)


def pace(send: Callable[[], object], frames: int) -> None:
    """One frame a millisecond."""
    loop = asyncio.get_running_loop()
    if frames:
        send()
        loop.call_later(0.001, pace, send, frames - 1)


def echo() -> None:
    """The worker. It says its ports and where the authority's certificate is."""
    with tempfile.TemporaryDirectory() as folder:
        authority = Path(folder) / "ca.pem"
        asyncio.run(_serve(authority))


async def _serve(authority: Path) -> None:
    context = _certify(authority)
    loop = asyncio.get_running_loop()
    sockets = await ws_create_server(lambda _: Echo(), "127.0.0.1", 0, ssl=context)
    raw = await loop.create_server(RawEcho, "127.0.0.1", 0, ssl=context)
    http = await loop.create_server(Http, "127.0.0.1", 0, ssl=context)
    ports = {
        "wss": sockets.sockets[0].getsockname()[1],
        "raw": raw.sockets[0].getsockname()[1],
        "http": http.sockets[0].getsockname()[1],
    }
    say({**ports, "authority": str(authority)})
    await loop.run_in_executor(None, lambda: list(questions()))


def _certify(authority: Path) -> ssl.SSLContext:
    """A throwaway authority and a certificate of its for loopback."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(authority))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    return context

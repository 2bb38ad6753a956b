"""`websockets` behind the seam: its protocol without its queue, so frames arrive synchronously.

Source: websockets 15 to 17 (`asyncio.client.ClientConnection`, the sans-I/O `protocol`);
read 2026-11-21.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from functools import partial
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as client_connect
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import OPEN

from mpdex.errors import TransportError
from mpdex.utils.socket import (
    CLOSE_SECONDS,
    MAX_MESSAGE,
    Fragments,
    HandshakeRefused,
    Hooks,
    describe_close,
)

# At DEBUG the library writes out handshakes and frames: sessions and signatures.
_log = logging.getLogger("mpdex.websockets")
_log.setLevel(logging.INFO)


class _Connection(ClientConnection):
    """The library's connection, with frames handed over where they are parsed."""

    def __init__(self, *args: Any, hooks: Hooks, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hooks = hooks
        self._fragments = Fragments()
        self._cut: asyncio.TimerHandle | None = None

    def process_event(self, event: Any) -> None:
        if self.response is None:
            super().process_event(event)
        elif self._cut is None:
            self._on_frame(event)

    def _on_frame(self, frame: Frame) -> None:
        payload = bytes(frame.data)
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY | Opcode.CONT:
                first = frame.opcode is not Opcode.CONT
                message = self._fragments.feed(payload, first=first, last=frame.fin)
                if message is not None:
                    self._hooks.on_frame(message)
            case Opcode.PING:
                self._hooks.on_ping(payload)
            case Opcode.PONG:
                self._hooks.on_pong(payload)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._cut is None and self.response is not None and self.protocol.close_expected():
            self._hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._cut is not None:
            self._cut.cancel()
        if self.response is not None and self.protocol.handshake_exc is None:
            self._hooks.on_close(_reason(self.protocol))

    def say_goodbye(self, code: int) -> None:
        if self._cut is None:
            if self.protocol.state is OPEN:
                self.protocol.send_close(code)
                self.send_data()
            self._hang_up()

    def _hang_up(self) -> None:
        """Close, and cut the line if the other side does not let go."""
        self._cut = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)
        self.transport.close()


class WebsocketsSocket:
    """One connection, as the seam has it; the library's own verbs are coroutines."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def send(self, data: bytes | str) -> None:
        if self._connection.protocol.state is OPEN:
            self._connection.protocol.send_text(data.encode() if isinstance(data, str) else data)
            self._connection.send_data()

    def ping(self, payload: bytes = b"") -> None:
        if self._connection.protocol.state is OPEN:
            self._connection.protocol.send_ping(payload)
            self._connection.send_data()

    def close(self, code: int = 1000) -> None:
        self._connection.say_goodbye(code)

    async def wait_closed(self) -> None:
        await asyncio.shield(self._connection.connection_lost_waiter)


class _Connect(client_connect):
    def process_redirect(self, exc: Exception) -> Exception:
        """Headers carry a session: they go to the host they were meant for, or nowhere."""
        return exc


async def connect(
    url: str,
    hooks: Hooks,
    headers: Mapping[str, str] | None,
    proxy: str | None,
    ssl_context: ssl.SSLContext | None,
) -> WebsocketsSocket:
    options: dict[str, Any] = {} if ssl_context is None else {"ssl": ssl_context}
    create: Any = partial(_Connection, hooks=hooks)
    try:
        connection = await _Connect(
            url,
            additional_headers=headers,
            user_agent_header=None,
            proxy=proxy,
            compression=None,
            open_timeout=None,
            ping_interval=None,
            close_timeout=CLOSE_SECONDS,
            max_size=MAX_MESSAGE,
            create_connection=create,
            logger=_log,
            **options,
        )
    except InvalidStatus as error:
        raise _refused(error.response) from error
    except WebSocketException as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from error
    assert isinstance(connection, _Connection)
    return WebsocketsSocket(connection)


def _refused(response: Response) -> TransportError:
    after = response.headers.get("Retry-After", "")
    body = bytes(response.body or b"")[:200].decode(errors="replace")
    return HandshakeRefused(
        response.status_code,
        retry_after=float(after) if after.isdigit() else None,  # seconds
        raw=body or None,
    )


def _reason(protocol: ClientProtocol) -> str:
    return describe_close(
        _pair(protocol.close_rcvd),
        _pair(protocol.close_sent),
        received_first=bool(protocol.close_rcvd_then_sent),
    )


def _pair(close: Close | None) -> tuple[int, str] | None:
    return None if close is None else (int(close.code), close.reason)

"""picows behind the seam. It hands over frames in place, so payloads are copied and joined here.

Source: picows 2.3 (`ws_connect`, `WSListener`, `WSTransport`); read 2026-11-21.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)
from picows.picows import WSCloseInfo
from python_socks import ProxyError

from mpdex.errors import TransportError
from mpdex.utils.socket import (
    CLOSE_SECONDS,
    MAX_MESSAGE,
    Fragments,
    HandshakeRefused,
    Hooks,
    describe_close,
)

# Below DEBUG the library writes out handshakes, with sessions and API keys; at INFO, what we tell.
_log = logging.getLogger("mpdex.picows")
_log.setLevel(logging.WARNING)

TEXT, BINARY, CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
DATA = (TEXT, BINARY, CONTINUATION)
PING, PONG = WSMsgType.PING, WSMsgType.PONG


class PicowsSocket(WSListener):
    """One connection; listener and socket in one."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._fragments = Fragments()
        self._transport: WSTransport | None = None
        self._open = False
        self._cut: asyncio.TimerHandle | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._open = True

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if not self._open or transport.is_close_frame_sent:
            return  # picows goes on parsing after it has refused a frame
        kind = frame.msg_type
        payload = frame.get_payload_as_bytes()
        if kind in DATA:
            self._on_data(payload, kind != CONTINUATION, frame.fin)
        elif kind == PING:
            transport.send_pong(payload)
            self._hooks.on_ping(payload)
        elif kind == PONG:
            self._hooks.on_pong(payload)
        else:
            self._finish(_echoed(payload))

    def _on_data(self, payload: bytes, first: bool, last: bool) -> None:
        try:
            message = self._fragments.feed(payload, first=first, last=last)
        except ValueError:
            self._finish(WSCloseCode.PROTOCOL_ERROR)
            return
        if message is not None:
            self._hooks.on_frame(message)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._open = False
        if self._cut is not None:
            self._cut.cancel()
        self._hooks.on_close(_reason(transport))

    def send(self, data: bytes | str) -> None:
        if self._transport is not None:
            self._transport.send(TEXT, data)

    def ping(self, payload: bytes = b"") -> None:
        if self._transport is not None:
            self._transport.send_ping(payload)

    def close(self, code: int = 1000) -> None:
        if self._open:
            self._finish(WSCloseCode(code))

    def _finish(self, code: WSCloseCode) -> None:
        """Say goodbye, close, and cut the line if the other side does not let go."""
        self._open = False
        transport = self._transport
        assert transport is not None
        transport.send_close(code)
        loop = asyncio.get_running_loop()
        self._cut = loop.call_later(CLOSE_SECONDS, transport.disconnect, False)
        transport.disconnect()

    async def wait_closed(self) -> None:
        if self._transport is None:
            return
        try:
            await self._transport.wait_disconnected()
        except WSError:  # what went wrong has been told by `on_close`
            return


async def connect(
    url: str,
    hooks: Hooks,
    headers: Mapping[str, str] | None,
    proxy: str | None,
    handshake_seconds: float,
    ssl_context: ssl.SSLContext | None,
) -> PicowsSocket:
    """Open a connection.

    A handshake that is canceled midway is ended by picows' own timer, `handshake_seconds` after it
    began: picows shows its transport to nobody before the handshake is complete.
    """
    try:
        _, listener = await ws_connect(
            lambda: PicowsSocket(hooks),
            url,
            ssl_context=ssl_context,
            websocket_handshake_timeout=handshake_seconds,
            enable_auto_pong=False,  # answered above, so that pings count as life
            max_frame_size=MAX_MESSAGE,
            extra_headers=headers,
            max_redirects=0,
            proxy=proxy,
            logger_name=_log,
        )
    except WSHandshakeError as error:
        raise _refused(error) from error
    except (WSError, ProxyError) as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from error
    if not isinstance(listener, PicowsSocket):  # picows returns None here, and no exception
        raise ConnectionError("closed by the server during the handshake")
    return listener


def _refused(error: WSHandshakeError) -> TransportError:
    response = error.response
    if response is None or response.status == 101:
        return TransportError(f"WebSocket handshake failed: {error}")
    after = response.headers.get("Retry-After", "")
    body = (error.raw_body or b"")[:200].decode(errors="replace")
    return HandshakeRefused(
        int(response.status),
        retry_after=float(after) if after.isdigit() else None,  # seconds
        raw=body or None,
    )


def _echoed(payload: bytes) -> WSCloseCode:
    """The code to answer a close frame with: its own, where picows knows it."""
    code = int.from_bytes(payload[:2])
    return WSCloseCode(code) if code in _CODES else WSCloseCode.OK


_CODES = frozenset(code.value for code in WSCloseCode if code is not WSCloseCode.NO_INFO)


def _reason(transport: WSTransport) -> str:
    close = transport.close_handshake
    if close is None:
        return describe_close(None, None, received_first=True)
    return describe_close(
        _pair(close.recv), _pair(close.sent), received_first=bool(close.recv_then_sent)
    )


def _pair(info: WSCloseInfo | None) -> tuple[int, str] | None:
    return None if info is None else (info.code.value, info.reason or "")

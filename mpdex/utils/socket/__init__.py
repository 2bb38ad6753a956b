"""A WebSocket connection behind four verbs: `connect`, `send`, `on_frame`, `close`.

Everything above this seam sees whole messages as bytes, handed over in the callback that read
them, and our own exceptions. Two engines stand behind it: picows (the default; fastest, but it
hands over frames, not messages) and `websockets` (the second opinion). One suite holds both to the
same behaviour, so either can replace the other.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias
from urllib.parse import urlsplit

from mpdex.errors import MissingDependency, TransportError, UsageError

Engine: TypeAlias = Literal["picows", "websockets"]

# A venue's largest frame seen in recordings is a 1 MB book snapshot; beyond this it is a mistake.
MAX_MESSAGE = 16 * 2**20
# How long a polite close may take before the connection is cut.
CLOSE_SECONDS = 1.0

PROXY_SCHEMES = frozenset({"http", "https", "socks4", "socks5", "socks5h"})


class Socket(Protocol):
    """An open connection. Writing never waits: bytes go to the kernel or to its buffer."""

    def send(self, data: bytes | str) -> None:
        """One text message; ignored once the connection is closing (`on_close` tells)."""

    def ping(self, payload: bytes = b"") -> None:
        """One protocol ping, at most 125 bytes."""

    def close(self, code: int = 1000) -> None:
        """Say goodbye and close; no more frames are handed over. May be called twice."""

    async def wait_closed(self) -> None:
        """Return when the transport is gone; at most `CLOSE_SECONDS` after `close`."""


def _ignore(payload: bytes) -> None:
    """A hook nobody asked for."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the owner of a connection wants to hear. Called from the protocol's own callback.

    Attributes:
        on_frame: a whole message, text or binary.
        on_close: once, with the reason in words; nothing is called after it. It may be called
            before `connect` has returned.
        on_ping, on_pong: control frames, for liveness; a ping has been answered already.
    """

    on_frame: Callable[[bytes], None]
    on_close: Callable[[str], None]
    on_ping: Callable[[bytes], None] = _ignore
    on_pong: Callable[[bytes], None] = _ignore


class HandshakeRefused(TransportError):
    """The server answered the handshake with an HTTP error.

    Attributes:
        status: HTTP status, 401 for a session that has ended.
        retry_after: seconds the server asks to wait, None where it does not say.
    """

    def __init__(
        self, status: int, *, retry_after: float | None = None, raw: str | None = None
    ) -> None:
        self.status = status
        self.retry_after = retry_after
        super().__init__(f"WebSocket handshake refused with HTTP {status}", raw=raw)


class Fragments:
    """Joins continuation frames into messages (RFC 6455, section 5.4)."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._open = False

    def feed(self, payload: bytes, *, first: bool, last: bool) -> bytes | None:
        """The whole message with its last frame, None before that.

        Raises: ValueError for a frame out of order or a message that is too large.
        """
        if first == self._open:
            raise ValueError("fragment out of order")
        if first and last:
            return payload
        self._size += len(payload)
        if self._size > MAX_MESSAGE:
            raise ValueError("message too large")
        self._parts.append(payload)
        self._open = not last
        return self._take() if last else None

    def _take(self) -> bytes:
        message = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return message


def describe_close(
    received: tuple[int, str] | None, sent: tuple[int, str] | None, *, received_first: bool
) -> str:
    """Why a connection ended, from the close frames that went over it."""
    first, who = (received, "by the server") if received_first else (sent, "here")
    if first is None:
        first, who = (sent, "here") if received_first else (received, "by the server")
    if first is None:
        return "connection lost without a close frame"
    code, text = first
    return f"closed {who}: {code} {text}".rstrip()


async def connect(
    url: str,
    hooks: Hooks,
    *,
    headers: Mapping[str, str] | None = None,
    proxy: str | None = None,
    timeout: float = 10.0,  # noqa: ASYNC109  (bounds the engine's own steps)
    engine: Engine = "picows",
    ssl_context: ssl.SSLContext | None = None,
) -> Socket:
    """Open a connection, through a proxy where one is given; redirects are not followed.

    Args:
        headers: of the handshake.
        proxy: `http://user:password@host:port` (CONNECT) or `socks5://...`; it appears in no
            exception.
        timeout: seconds for everything up to the accepted handshake.
        ssl_context: in place of the system's trust, for tests and private authorities.

    Raises: TransportError, of which HandshakeRefused has the HTTP status; UsageError for a proxy
        that is not one; MissingDependency.
    """
    secret = _check_proxy(proxy)
    try:
        async with asyncio.timeout(timeout):
            if engine == "picows":
                from mpdex.utils.socket import picows_engine

                return await picows_engine.connect(url, hooks, headers, proxy, timeout, ssl_context)
            from mpdex.utils.socket import websockets_engine

            return await websockets_engine.connect(url, hooks, headers, proxy, ssl_context)
    except ImportError as error:
        raise MissingDependency(
            f"WebSocket engine {engine!r} or its proxy support is not installed: "
            f"pip install 'mpdex[websockets]'"
        ) from error
    except TimeoutError as error:
        raise TransportError(f"no WebSocket handshake within {timeout:g} s") from error
    except OSError as error:
        raise _transport_error(error, secret) from _clean(error, secret)


def _check_proxy(proxy: str | None) -> str:
    """The proxy's password, which no message may show; "" where there is none."""
    if proxy is None:
        return ""
    parts = urlsplit(proxy)
    if parts.scheme not in PROXY_SCHEMES or not parts.hostname:
        raise UsageError("proxy must look like http://user:password@host:port or socks5://...")
    return parts.password or ""


def _transport_error(error: Exception, secret: str) -> TransportError:
    text = f"{type(error).__name__}: {error}"
    return TransportError(text.replace(secret, "***") if secret else text)


def _clean(error: Exception, secret: str) -> Exception | None:
    """The cause, unless showing it would show the password."""
    return None if secret and secret in str(error) else error

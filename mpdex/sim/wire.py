"""One socket of a simulated venue: frames in order, late by a latency, and breakable.

aiohttp does the handshake and parses what comes in. What goes out is written here, frame by frame
and synchronously, because faults need to lose, double, hold and cut single frames.

Source: RFC 6455, sections 5.2 (frames) and 7.4 (close codes).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mpdex.sim.models import LatencyModel, Pipe, Timers
from mpdex.types import Json

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
CLOSE_PATIENCE = 2.0  # seconds a client has to answer a close frame


def encode_frame(opcode: int, payload: bytes) -> bytes:
    """An unmasked, unfragmented frame, as servers send them."""
    size = len(payload)
    first = 0x80 | opcode
    if size < 126:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


class Connection:
    """The server's end of one socket; what venue modules know as `SimConnection`.

    Args:
        query: of the handshake.
        before_send: asked for every frame; returns the frames to send instead.
    """

    def __init__(
        self,
        number: int,
        path: str,
        headers: Mapping[str, str],
        *,
        query: Mapping[str, str],
        latency: LatencyModel,
        rng: random.Random,
        before_send: Callable[[Connection, bytes, str], list[bytes]],
    ) -> None:
        self.id = number
        self.path = path
        self.headers = headers
        self.query = query
        self.private = False
        self.account = ""
        self.topics: dict[str, Any] = {}
        self.state: dict[str, Any] = {}
        self.pack: Callable[[bytes], bytes | None] | None = None
        self.timers = Timers()
        self.held: list[bytes] = []  # frames that wait to be reordered
        self.closing = False
        self._latency = latency
        self._rng = rng
        self._before_send = before_send
        self._transport: asyncio.WriteTransport | None = None
        self._out: Pipe[bytes] = Pipe(self._write)
        self._silent_until = 0.0
        self._early: list[bytes] = []  # written before the handshake was done
        self.heard()

    def attach(self, transport: asyncio.WriteTransport) -> None:
        """The handshake is done; frames can leave."""
        self._transport = transport
        early, self._early = self._early, []
        for frame in early:
            self._write(frame)

    def heard(self) -> None:
        """The client has answered a ping."""
        self._heard_at = asyncio.get_running_loop().time()

    def quiet_for(self) -> float:
        """Seconds since the last pong, or since the start."""
        return asyncio.get_running_loop().time() - self._heard_at

    @property
    def open(self) -> bool:
        return not self.closing and not (self._transport and self._transport.is_closing())

    @property
    def silent(self) -> bool:
        """Half open: bytes still come in, none go out."""
        return asyncio.get_running_loop().time() < self._silent_until

    # ---------------------------------------------------------------- for the venue module

    def send(self, frame: Json, kind: str = "") -> None:
        """Push a frame after the stream latency, in order; text as it is, else as JSON."""
        if self.open:
            for payload in self._before_send(self, encode_payload(frame), kind):
                self.push(payload, self._latency.stream)

    def ping(self, payload: bytes = b"") -> None:
        """Send a ping frame."""
        self._frame(PING, payload)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame after what was already pushed, then close."""
        if not self.open:
            return
        self.closing = True
        self._out.push(encode_frame(CLOSE, code.to_bytes(2, "big") + reason.encode()), 0.0)
        self.timers.after(CLOSE_PATIENCE, self.abort)

    # ---------------------------------------------------------------- for the server

    def push(self, payload: bytes, base: float) -> None:
        """Put a frame on the way."""
        self._out.push(self._packed(payload), self._latency.draw(base, self._rng))

    def push_late(self, payload: bytes, seconds: float) -> None:
        """Put a frame on the way that others may overtake."""
        self.timers.after(seconds, lambda: self._write(self._packed(payload)))

    def pong(self, payload: bytes) -> None:
        self._frame(PONG, payload)

    def silence(self, seconds: float) -> None:
        self._silent_until = asyncio.get_running_loop().time() + seconds

    def hang_up(self) -> None:
        """Both ends have said goodbye."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection without a close frame."""
        self.closing = True
        self._out.close()
        if self._transport is not None:
            self._transport.abort()

    def dispose(self) -> None:
        """Take back every timer."""
        self.closing = True
        self._out.close()
        self.timers.close()

    def _packed(self, payload: bytes) -> bytes:
        """A text frame, or the binary one that this connection has instead."""
        packed = self.pack(payload) if self.pack else None
        return encode_frame(TEXT, payload) if packed is None else encode_frame(BINARY, packed)

    def _frame(self, opcode: int, payload: bytes) -> None:
        self._out.push(encode_frame(opcode, payload), 0.0)

    def _write(self, frame: bytes) -> None:
        transport = self._transport
        if transport is None:
            self._early.append(frame)
        elif not transport.is_closing() and not self.silent:
            transport.write(frame)


def encode_payload(frame: Json) -> bytes:
    """Text and bytes as they are, anything else as JSON."""
    match frame:
        case bytes():
            return frame
        case str():
            return frame.encode()
        case _:
            return msgspec.json.encode(frame)

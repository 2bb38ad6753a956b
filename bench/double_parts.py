"""What the doubles of venues share: the stopwatch, prices, ways to write."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from picows import WSMsgType, WSTransport

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode
BEST_BID, BEST_ASK = "2999.99", "3000.01"
# Of a hedge: how the order begins that is waited for.
ORDER_LINES = (b"POST /api/v1/order ", b"POST /extended/user/order ")
ORDER_CALL = "order.create"


class Stopwatch:
    """Times from a fill's frame to the order it causes."""

    def __init__(self) -> None:
        self._sent = 0.0
        self._times: list[float] = []

    def sent(self) -> None:
        self._sent = time.perf_counter()

    def came(self) -> None:
        if self._sent:
            self._times.append(time.perf_counter() - self._sent)
            self._sent = 0.0

    def take(self) -> list[float]:
        times, self._times = self._times, []
        return times


class Surroundings(Protocol):
    """What a double that hedges is handed."""

    watch: Stopwatch

    def later(self, call: Callable[..., object], *arguments: Any) -> None:
        """In a moment, as long as a venue takes for what it does next."""

    def hedged(self) -> None:
        """The quote's venue says its last of the quote."""


class HedgeDouble(Protocol):
    """A double of a venue that hedges, beside the two that are one."""

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Of a REST request: status and body."""

    def opened(self, transport: WSTransport, path: str) -> None:
        """Somebody is on a socket."""

    def hear(self, transport: WSTransport, message: dict[str, Any]) -> None:
        """A message came."""

    def gone(self, transport: WSTransport) -> None:
        """A client, maybe of another venue, left."""

    def publish(self) -> None:
        """The book is as it was."""


def send(transport: WSTransport, frame: dict[str, Any]) -> None:
    transport.send(WSMsgType.TEXT, encode(frame))


def now_ms() -> int:
    return time.time_ns() // 10**6  # noqa: TID251  (a venue's clock)

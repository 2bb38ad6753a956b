"""Pacifica, stream: market data on one socket, the account and its orders on another.

Both are of one kind; they are kept apart so that a flood of books cannot take down what orders go
by. Nothing is signed but the orders themselves.

Sources: docs.pacifica.fi, "Websocket", "Trading operations"; read 2026-11-21.
"""

from __future__ import annotations

import msgspec

from mpdex.types import Request
from mpdex.utils.pacifica_frames import ACCOUNT_SOURCES, MARKET_SOURCES, PacificaFrames, call_id
from wrappers.venue_stream import VenueStream


class PacificaWSClient(PacificaFrames, VenueStream):
    """Books, quotes and marks."""

    WS_URL = "wss://ws.pacifica.fi/ws"
    HOST = "ws"
    CHANNELS = frozenset(MARKET_SOURCES)
    PRIVATE = False

    def encode_call(self, request: Request, id: int) -> bytes:
        """The signed body of the REST call, under the name of the operation."""
        body = request.body or msgspec.json.encode(request.json)
        name = request.call.encode()
        return b'{"id":"%b","params":{"%b":%b}}' % (call_id(id).encode(), name, body)


class PacificaAccountClient(PacificaWSClient):
    """Order entry, own orders, fills and positions."""

    CHANNELS = frozenset(ACCOUNT_SOURCES)
    PRIVATE = True

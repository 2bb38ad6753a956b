"""TreadFi on Pacifica, stream: Pacifica's market data, and the account's positions there.

Pacifica's orders and fills are those of TreadFi's children, which name no parent, so they are left
out. TreadFi's own socket of orders (for tokens alone) is not used: neither what it confirms nor
what it says at first is documented, so a silence there could not be told from a loss.

Sources: docs.pacifica.fi, "Websocket"; docs.tread.fi, "Websocket Reference"; read 2026-11-21.
"""

from __future__ import annotations

from mpdex.utils.pacifica_frames import MARKET_SOURCES, PacificaFrames
from wrappers.venue_stream import VenueStream


class TreadfiPcMarketClient(PacificaFrames, VenueStream):
    """Books, quotes and marks."""

    WS_URL = "wss://ws.pacifica.fi/ws"
    HOST = "ws"
    CHANNELS = frozenset(MARKET_SOURCES)
    PRIVATE = False


class TreadfiPcPositionClient(TreadfiPcMarketClient):
    """Positions, whoever opened them."""

    CHANNELS = frozenset({"positions"})
    PRIVATE = True

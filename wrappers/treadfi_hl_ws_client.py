"""TreadFi on Hyperliquid, stream: Hyperliquid's market data, and the account's positions there.

TreadFi has no stream of its own for this route. Hyperliquid's orders and fills are those of
TreadFi's children, which name no parent, so they are left out.

Source: hyperliquid.gitbook.io, "Websocket"; read 2026-11-21.
"""

from __future__ import annotations

from mpdex.utils.hyperliquid_frames import MARKET_CHANNELS, HyperliquidFrames
from wrappers.venue_stream import VenueStream


class TreadfiHlMarketClient(HyperliquidFrames, VenueStream):
    """Books, quotes and marks."""

    WS_URL = "wss://api.hyperliquid.xyz/ws"
    HOST = "ws"
    CHANNELS = frozenset(MARKET_CHANNELS)
    PRIVATE = False


class TreadfiHlPositionClient(TreadfiHlMarketClient):
    """Positions, whoever opened them."""

    CHANNELS = frozenset({"positions"})
    PRIVATE = True

"""Superstack, streams: Hyperliquid's own, by the account's address. Superstack has none.

The second hop of a command goes over the account's socket: the signed body, as it came.

Sources: docs.superstack.xyz, "Exchange Endpoint"; hyperliquid.gitbook.io, "Websocket";
read 2026-11-21.
"""

from __future__ import annotations

from mpdex.utils.hyperliquid_frames import (
    ACCOUNT_CHANNELS,
    MARKET_CHANNELS,
    HyperliquidFrames,
)
from wrappers.venue_stream import VenueStream

_URL = "wss://api.hyperliquid.xyz/ws"


class SuperstackWSClient(HyperliquidFrames, VenueStream):
    """Books, quotes and marks."""

    WS_URL = _URL
    HOST = "ws"
    CHANNELS = frozenset(MARKET_CHANNELS)
    PRIVATE = False


class SuperstackAccountClient(HyperliquidFrames, VenueStream):
    """Order entry, own orders, fills and positions. Nothing is proved: an address says it all."""

    WS_URL = _URL
    HOST = "ws"
    CHANNELS = frozenset(ACCOUNT_CHANNELS)
    PRIVATE = True

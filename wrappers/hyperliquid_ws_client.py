"""Hyperliquid, sockets: one for market data, one for order entry and what happens to the account.

What is said on them is the family's (`HyperliquidFrames`). There is no login: an account's channels
are asked for by its address, and an order carries its own signature, wrapped as `post` and answered
by the same id. Kept apart so that a flood of books cannot hold back an order.

The server closes a socket on which it was silent for 60 s, so both ping every 50 s.

Source: hyperliquid.gitbook.io, "Websocket", "Post requests", "Timeouts and heartbeats";
read 2026-11-21.
"""

from __future__ import annotations

from mpdex.utils.hyperliquid_frames import ACCOUNT_CHANNELS, MARKET_CHANNELS, HyperliquidFrames
from wrappers.venue_stream import VenueStream


class HyperliquidMarketClient(HyperliquidFrames, VenueStream):
    """Books, quotes and marks."""

    WS_URL = "wss://api.hyperliquid.xyz/ws"
    HOST = "ws"
    CHANNELS = frozenset(MARKET_CHANNELS)
    PRIVATE = False


class HyperliquidWSClient(HyperliquidFrames, VenueStream):
    """Order entry, own orders, fills and positions of one account."""

    WS_URL = "wss://api.hyperliquid.xyz/ws"
    HOST = "ws"
    CHANNELS = frozenset(ACCOUNT_CHANNELS)
    PRIVATE = True

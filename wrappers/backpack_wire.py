"""Backpack, words: what REST and the stream spell alike.

Source: docs.backpack.exchange, "Orders", "Streams"; read 2026-11-21.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from mpdex.errors import ProtocolError
from mpdex.types import OrderStatus, Side
from wrappers.backpack_auth import VENUE

SIDES: Final[dict[str, Side]] = {"Bid": "buy", "Ask": "sell"}
STATUSES: Final = {
    "New": OrderStatus.OPEN,
    "PartiallyFilled": OrderStatus.OPEN,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELED,
    "Expired": OrderStatus.EXPIRED,
    "TriggerPending": OrderStatus.PENDING,
    "TriggerFailed": OrderStatus.REJECTED,
}


def status_of(word: str, size: Decimal, filled: Decimal) -> OrderStatus:
    """Our status for the venue's word. What was executed outranks how the end is called.

    Raises: ProtocolError for a word that is not known.
    """
    status = STATUSES.get(word)
    if status is None:
        raise ProtocolError(f"unknown order status {word!r}", venue=VENUE)
    return OrderStatus.FILLED if status.terminal and 0 < size <= filled else status


def side_of(word: str) -> Side:
    """Raises: ProtocolError for a word that is not known."""
    side = SIDES.get(word)
    if side is None:
        raise ProtocolError(f"unknown side {word!r}", venue=VENUE)
    return side


def average(filled: Decimal, quote_filled: Decimal) -> Decimal | None:
    """Average price of what was executed, None if nothing was."""
    return quote_filled / filled if filled else None

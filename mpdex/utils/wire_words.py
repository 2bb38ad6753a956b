"""Venues' words, looked up in tables of ours."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar

from mpdex.errors import ProtocolError
from mpdex.types import OrderStatus

T = TypeVar("T")


def known(words: Mapping[str, T], word: str, what: str, venue: str) -> T:
    """Ours for a venue's word. Raises: ProtocolError for a word that is not in the table."""
    try:
        return words[word]
    except KeyError:
        raise ProtocolError(f"unknown {what} {word!r}", venue=venue) from None


def outcome(status: OrderStatus, size: Decimal, filled: Decimal) -> OrderStatus:
    """What was executed outranks how the venue calls the end."""
    return OrderStatus.FILLED if status.terminal and 0 < size <= filled else status

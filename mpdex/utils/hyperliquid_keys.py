"""What a user of Hyperliquid's books gives beside a key, and until when an order of his holds.

Source: hyperliquid.gitbook.io, "Exchange endpoint", "Builder codes"; read 2026-11-21.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from mpdex.errors import UsageError
from mpdex.types import Json

MAX_BUILDER_FEE: Final = 100  # tenths of a basis point, on perpetuals
_ADDRESS: Final = re.compile("0x[0-9a-f]{40}")
_NAMED: Final = ("account_address", "vault_address", "builder")
_PLACING: Final = frozenset({"order", "modify", "batchModify"})


def checked_address(text: str, name: str, venue: str) -> str:
    """In the one spelling that is hashed: lower case. Raises: UsageError."""
    address = text.strip().lower()
    if not _ADDRESS.fullmatch(address):
        raise UsageError(f"{name} is not an address: 0x and 40 hexadecimal digits", venue=venue)
    return address


def checked_keys(keys: Mapping[str, str], venue: str) -> dict[str, str]:
    """With addresses as they are hashed, and a builder with its fee or without both.

    Raises: UsageError.
    """
    named = {name: keys[name] for name in _NAMED if keys.get(name)}
    fee = str(keys.get("builder_fee") or "")
    if bool(fee) != ("builder" in named):
        raise UsageError("builder and builder_fee belong together; give both or none", venue=venue)
    if fee and not (fee.isdecimal() and 0 < int(fee) <= MAX_BUILDER_FEE):
        raise UsageError(
            f"builder_fee is a whole number of tenths of a basis point, up to {MAX_BUILDER_FEE}",
            venue=venue,
        )
    return {**keys, **{n: checked_address(text, n, venue) for n, text in named.items()}}


def expires_ms(
    action: Mapping[str, Json], now_ms: int, usual_ms: int | None, immediate_ms: int | None
) -> int | None:
    """When an order is too late; None for anything else, and where there is no such bound.

    Args:
        usual_ms, immediate_ms: how long an order may take to arrive, and one that must trade at
            once.
    """
    if action["type"] not in _PLACING:
        return None
    bound_ms = immediate_ms if _immediate(action) else usual_ms
    return None if bound_ms is None else now_ms + bound_ms


def _immediate(action: Mapping[str, Json]) -> bool:
    """Whether every order of it must trade at once."""
    return action["type"] == "order" and all(
        order["t"].get("limit", {}).get("tif") == "Ioc" for order in action["orders"]
    )

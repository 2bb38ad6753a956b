"""What the simulated Backpack checks requests with: the signed text rebuilt, and Ed25519.

Nothing here is shared with the code that signs for a client. The signature covers neither method
nor path; the instruction stands for both.

Source: docs.backpack.exchange, "Authentication"; read 2026-11-21.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from nacl.bindings import crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from mpdex.types import Json

SUBSCRIBE = "subscribe"
INSTRUCTIONS: Mapping[tuple[str, str], str] = {
    ("POST", "/api/v1/order"): "orderExecute",
    ("POST", "/api/v1/orders"): "orderExecute",
    ("DELETE", "/api/v1/order"): "orderCancel",
    ("DELETE", "/api/v1/orders"): "orderCancelAll",
    ("GET", "/api/v1/order"): "orderQuery",
    ("GET", "/api/v1/orders"): "orderQueryAll",
    ("GET", "/wapi/v1/history/orders"): "orderHistoryQueryAll",
    ("GET", "/wapi/v1/history/fills"): "fillHistoryQueryAll",
    ("GET", "/wapi/v1/history/funding"): "fundingHistoryQueryAll",
    ("GET", "/api/v1/position"): "positionQuery",
    ("GET", "/api/v1/capital"): "balanceQuery",
    ("GET", "/api/v1/capital/collateral"): "collateralQuery",
    ("GET", "/api/v1/account"): "accountQuery",
    ("PATCH", "/api/v1/account"): "accountUpdate",
    ("GET", "/api/v1/account/limits/order"): "maxOrderQuantity",
}


class KeyPair(NamedTuple):
    """Both halves in base64: the API key is the public one, the secret is the seed."""

    api_key: str
    secret_key: str


def throwaway_keys(account: str) -> KeyPair:
    """Keys that follow from the account's number: they guard nothing, and nobody else's."""
    seed = hashlib.sha256(f"simulated backpack {account}".encode()).digest()
    public, _ = crypto_sign_seed_keypair(seed)
    return KeyPair(*(base64.b64encode(half).decode() for half in (public, seed)))


def signed_text(instruction: str, fields: Json, timestamp: str, window: str) -> str:
    """What a client has to sign. A list of orders repeats the instruction for each of them."""
    orders = fields if isinstance(fields, list) else [fields]
    pieces = [_piece(instruction, order) for order in orders]
    return f"{'&'.join(pieces)}&timestamp={timestamp}&window={window}"


def verify(api_key: str, signature: str, text: str) -> bool:
    """Whether the holder of the key signed the text."""
    try:
        public, proof = (base64.b64decode(part, validate=True) for part in (api_key, signature))
        crypto_sign_open(proof + text.encode(), public)
    except (binascii.Error, BadSignatureError, ValueError):
        return False
    return len(proof) == 64


def _piece(instruction: str, fields: Mapping[str, Json]) -> str:
    """One instruction with its fields, sorted; null is as good as not sent."""
    said = (f"{key}={_text(fields[key])}" for key in sorted(fields) if fields[key] is not None)
    return "&".join((f"instruction={instruction}", *said))


def _text(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

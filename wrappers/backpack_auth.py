"""Backpack, proof of who asks: one Ed25519 signature for each request, no session, no nonce.

The signed text is the instruction, the sorted fields, the time and the window. It covers neither
method nor path, so the instruction is found from them here. The venue has no replay protection: a
signed order sent twice inside its window can become two orders.

Source: docs.backpack.exchange, "Authentication"; read 2026-11-21.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from mpdex.errors import UsageError
from mpdex.types import Json, Request
from mpdex.utils.signing import own_signer
from mpdex.utils.signing.ed25519 import Ed25519Signer

VENUE: Final = "backpack"
WINDOW_MS: Final = 5_000  # the venue's own default
MAX_WINDOW_MS: Final = 60_000
JSON_TYPE: Final = "application/json; charset=utf-8"

INSTRUCTIONS: Final[Mapping[tuple[str, str], str]] = {
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


class BackpackAuth:
    """Signs requests and subscriptions of one API key.

    Args:
        api_key: base64 of the 32-byte public key.
        secret_key: base64 of the 32-byte seed, or of seed and public key together.
        window_ms: how long after its time stamp the venue still takes a request.

    Raises: UsageError if a key is not what it should be, the two do not belong together, or the
        window is longer than the venue allows.
    """

    def __init__(self, api_key: str, secret_key: str, window_ms: int = WINDOW_MS) -> None:
        if not 0 < window_ms <= MAX_WINDOW_MS:
            raise UsageError(f"window_ms must be 1 to {MAX_WINDOW_MS}", venue=VENUE)
        self._signer = _signer(secret_key)
        self.api_key = base64.b64encode(self._signer.public_key).decode()
        if self.api_key != api_key.strip():
            raise UsageError(
                "api_key is not the public key of secret_key; copy both again from the venue",
                venue=VENUE,
            )
        self.window_ms = window_ms
        self._window = str(window_ms)

    def __repr__(self) -> str:
        return f"BackpackAuth(api_key={self.api_key[:6]}..., window_ms={self.window_ms})"

    def sign(self, request: Request, now_ms: int) -> Request:
        """The request with its five headers; body and query stay as they are."""
        stamp = str(now_ms)
        headers = {
            "X-API-Key": self.api_key,
            "X-Signature": self._sign(self._stamped(request_text(request), stamp)),
            "X-Timestamp": stamp,
            "X-Window": self._window,
            "Content-Type": JSON_TYPE,
        }
        if request.headers:
            headers = {**request.headers, **headers}
        return request.proved(request.body, headers)

    def signing_text(self, request: Request, now_ms: int) -> str:
        """What is signed for a request, as text."""
        return self._stamped(request_text(request), str(now_ms))

    def subscription(self, now_ms: int) -> list[str]:
        """The `signature` of a subscription to private streams; it does not name the streams."""
        stamp = str(now_ms)
        signature = self._sign(self._stamped("instruction=subscribe", stamp))
        return [self.api_key, signature, stamp, self._window]

    def _stamped(self, text: str, stamp: str) -> str:
        return f"{text}&timestamp={stamp}&window={self._window}"

    def _sign(self, text: str) -> str:
        signature = self._signer.sign(text.encode())
        return binascii.b2a_base64(signature, newline=False).decode()


def request_text(request: Request) -> str:
    """Instruction and sorted fields; a batch repeats the instruction for each of its orders.

    Raises: UsageError for a request that has no instruction.
    """
    instruction = INSTRUCTIONS.get((request.method, request.path))
    if instruction is None:
        raise UsageError(f"{request} is not a signed request", venue=VENUE)
    if isinstance(request.json, list):
        return "&".join([_instructed(instruction, order) for order in request.json])
    return _instructed(instruction, request.json or request.query or {})


def _instructed(instruction: str, fields: Mapping[str, Json]) -> str:
    parts = [
        f"{name}={value if isinstance(value, str) else _plain(value)}"
        for name, value in sorted(fields.items())
        if value is not None
    ]
    return "&".join([f"instruction={instruction}", *parts])


def _plain(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _signer(secret_key: str) -> Ed25519Signer:
    return own_signer(Ed25519Signer.from_base64, secret_key.strip(), "secret_key", VENUE)

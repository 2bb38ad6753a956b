"""Pacifica, proof of who asks: an Ed25519 signature over the operation, its time and its payload.

The signer is the account itself or an agent, another key that the account has bound; the body then
names both. There is no session and no nonce: the same body could be used again inside its window,
and only its client id would tell the copy.

Sources: docs.pacifica.fi, "Signing", "API agent keys", "Operation types"; pacifica-fi/python-sdk
583661a, common/utils.py; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from mpdex.errors import UsageError
from mpdex.types import Json, Request
from mpdex.utils.signing import own_signer
from mpdex.utils.signing.base58 import encode_base58
from mpdex.utils.signing.ed25519 import SEED_BYTES, Ed25519Signer

VENUE: Final = "pacifica"
WINDOW_MS: Final = 5_000  # as the venue's own client has it; without one it would be 30 s
# An order that must trade at once is worth nothing later.
IMMEDIATE_WINDOW_MS: Final = 2_000

OPERATIONS: Final[Mapping[str, str]] = {
    "/orders/create": "create_order",
    "/orders/create_market": "create_market_order",
    "/orders/cancel": "cancel_order",
    "/orders/cancel_all": "cancel_all_orders",
    "/orders/edit": "edit_order",
    "/orders/stop/create": "create_stop_order",
    "/orders/stop/cancel": "cancel_stop_order",
    "/positions/tpsl": "set_position_tpsl",
    "/account/leverage": "update_leverage",
    "/account/margin": "update_margin_mode",
    "/account/api_keys": "list_api_keys",  # pragma: allowlist secret
    "/agent/bind": "bind_agent_wallet",
}

_encode = msgspec.json.Encoder(order="sorted").encode


class PacificaAuth:
    """Signs operations of one account.

    Args:
        account: address of the account, base58.
        private_key: base58 of seed and public key (64 bytes) or of the seed: the account's own, or
            an agent's.

    Attributes:
        agent: address of the agent; "" where the account signs itself.

    Raises: UsageError if one of them is not what it should be.
    """

    def __init__(self, account: str, private_key: str) -> None:
        _check_account(account)
        self._signer = _signer(private_key)
        signer = encode_base58(self._signer.public_key).decode()
        self.account = account
        self.agent = "" if signer == account else signer
        names = {"account": account, **({"agent_wallet": self.agent} if self.agent else {})}
        self._head = _encode(names)[:-1]

    def __repr__(self) -> str:
        by = f", agent={self.agent[:6]}..." if self.agent else ""
        return f"PacificaAuth(account={self.account[:6]}...{by})"

    def sign(self, request: Request, now_ms: int, window_ms: int = WINDOW_MS) -> Request:
        """The request with its final body. Raises: UsageError for what is no operation."""
        operation = OPERATIONS.get(request.path)
        if operation is None:
            raise UsageError(f"{request} is not a signed request", venue=VENUE)
        body = self.signed_body(operation, request.json, now_ms, window_ms)
        return request.proved(body)

    def signed_body(self, operation: str, payload: Json, now_ms: int, window_ms: int) -> bytes:
        """The payload with account, signature, time and window beside its own fields."""
        data = _encode(payload)
        message = _message(operation, data, now_ms, window_ms)
        proof = encode_base58(self._signer.sign(message))
        rest = b"}" if data == b"{}" else b"," + data[1:]
        form = b'%b,"signature":"%b","timestamp":%d,"expiry_window":%d%b'
        return form % (self._head, proof, now_ms, window_ms, rest)


def signing_text(operation: str, payload: Json, now_ms: int, window_ms: int) -> bytes:
    """What is signed: names sorted at every level, no white space."""
    return _message(operation, _encode(payload), now_ms, window_ms)


def _message(operation: str, data: bytes, now_ms: int, window_ms: int) -> bytes:
    form = b'{"data":%b,"expiry_window":%d,"timestamp":%d,"type":"%b"}'
    return form % (data, window_ms, now_ms, operation.encode())


def _check_account(account: str) -> None:
    if len(_decoded(account)) != SEED_BYTES:
        raise UsageError("account is not an address: base58 of 32 bytes", venue=VENUE)


def _signer(private_key: str) -> Ed25519Signer:
    return own_signer(Ed25519Signer, _decoded(private_key), "private_key", VENUE)


def _decoded(text: str) -> bytes:
    """Base58; nothing for what is none. No message repeats it."""
    from base58 import b58decode

    try:
        decoded: bytes = b58decode(text.strip())
    except ValueError:
        return b""
    return decoded

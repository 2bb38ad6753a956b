"""What the simulated Pacifica checks requests with: base58, the message rebuilt, and Ed25519.

Nothing here is shared with the code that signs for a client. What is signed is the operation's own
fields under `data`, with the two times and the operation's name, keys sorted at every level,
compact; the name is not sent, the path (or the key of a socket call) stands for it.

Source: docs.pacifica.fi, "Signing", "Operation types"; read 2026-11-21.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec
from nacl.bindings import crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from mpdex.sim.base58 import decode_base58 as decode_base58
from mpdex.sim.base58 import encode_base58 as encode_base58
from mpdex.types import Json

_encode = msgspec.json.Encoder(order="sorted", decimal_format="number").encode
_decode = msgspec.json.Decoder(float_hook=Decimal).decode

ENVELOPE = frozenset({"account", "agent_wallet", "signature", "timestamp", "expiry_window"})
# Operation of each signed call. Of those in OWNERS only the owner's own key may ask.
OPERATIONS: Mapping[str, str] = {
    "/orders/create": "create_order",
    "/orders/create_market": "create_market_order",
    "/orders/cancel": "cancel_order",
    "/orders/cancel_all": "cancel_all_orders",
    "/orders/edit": "edit_order",
    "/account/leverage": "update_leverage",
    "/account/margin": "update_margin_mode",
    "/agent/bind": "bind_agent_wallet",
    "/agent/revoke": "revoke_agent_wallet",
    "/agent/list": "list_agent_wallets",
    "/account/api_keys": "list_api_keys",  # pragma: allowlist secret
    "/account/api_keys/create": "create_api_key",
    "/account/api_keys/revoke": "revoke_api_key",
}
OWNERS = frozenset(
    {
        *("bind_agent_wallet", "revoke_agent_wallet", "list_agent_wallets"),
        *("list_api_keys", "create_api_key", "revoke_api_key"),
    }
)
# Here `agent_wallet` is what the owner speaks of, not who signs.
ABOUT_AGENTS = frozenset({"bind_agent_wallet", "revoke_agent_wallet"})


class KeyPair(NamedTuple):
    """A Solana key pair in base58: the address, and seed with address as wallets export them."""

    address: str
    private_key: str


def throwaway_keys(purpose: str) -> KeyPair:
    """Keys that follow from a text: they guard nothing, and nobody else's."""
    seed = hashlib.sha256(f"simulated pacifica {purpose}".encode()).digest()
    public, secret = crypto_sign_seed_keypair(seed)
    return KeyPair(encode_base58(public), encode_base58(secret))


def parse_address(value: Json) -> bytes | None:
    """The 32 bytes of a public key; None where it is none."""
    return decode_base58(value, 32) if isinstance(value, str) else None


def read_body(body: bytes) -> Json:
    """A body decoded so that every number can be written again as it was.

    Raises: msgspec.DecodeError.
    """
    return _decode(body)


def write_body(body: Json) -> bytes:
    """The same bytes again but for the order of keys and for blanks."""
    return _encode(body)


def payload_of(body: Mapping[str, Json], operation: str) -> dict[str, Json]:
    """The operation's own fields."""
    own = {name: value for name, value in body.items() if name not in ENVELOPE}
    if operation in ABOUT_AGENTS and "agent_wallet" in body:
        own["agent_wallet"] = body["agent_wallet"]
    return own


def signed_message(
    operation: str, payload: Mapping[str, Json], timestamp: int, window: int
) -> bytes:
    """The bytes that a client has to sign."""
    header = {"type": operation, "timestamp": timestamp, "expiry_window": window}
    return _encode({**header, "data": payload})


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the holder of the key signed the message."""
    try:
        crypto_sign_open(signature + message, public)
    except (BadSignatureError, ValueError):
        return False
    return True

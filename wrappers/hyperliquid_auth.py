"""Hyperliquid, proof of who asks: which key signs what, with which nonce, and until when it holds.

`private_key` signs what trades; it may be an agent's, which the account approved for that. Money is
moved by the account's own key alone, so an agent is refused for that before anything is sent.

An order ends by itself where it arrives late (`expiresAfter`). A nonce is a time in milliseconds
that a signer uses once, in any order; two programs with one key get into each other's way.

Source: hyperliquid.gitbook.io, "Nonces and API wallets", "Signing", "Exchange endpoint";
hyperliquid-python-sdk 0.24.0; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mpdex.errors import MissingCredentials
from mpdex.types import Json, Request
from mpdex.utils.common_hyperliquid import expires_ms
from mpdex.utils.hyperliquid_signing import (
    WALLET_ACTIONS,
    WITHOUT_VAULT,
    exchange_digest,
    hash_action,
    pack,
    signed_body,
    vault_bytes,
    wallet_body,
)
from mpdex.utils.nonces import ClockNonces, Nonces, nonces_of
from mpdex.utils.signing import own_signer
from mpdex.utils.signing.eip712 import EvmSigner, Signature

VENUE: Final = "hyperliquid"


class HyperliquidAuth:
    """The keys of one account.

    Args:
        private_key: of the account, or of an agent of it.
        wallet_private_key: of the account, where `private_key` is an agent's.
        vault: a vault or sub-account that is traded for.
        testnet: a signature for one network is somebody else's on the other.
        request_bound_ms, immediate_bound_ms: how long an order may take to arrive, and one that
            must trade at once.

    Attributes:
        address: of the signing key.

    Raises: UsageError if a key is malformed; its text is not repeated.
    """

    def __init__(
        self,
        private_key: str,
        *,
        wallet_private_key: str = "",
        vault: str = "",
        testnet: bool = False,
        request_bound_ms: int | None = None,
        immediate_bound_ms: int | None = None,
    ) -> None:
        self._key = _signer(private_key, "private_key")
        self._wallet = self._key
        if wallet_private_key:
            self._wallet = _signer(wallet_private_key, "wallet_private_key")
        self._testnet = testnet
        self._vault = vault.lower() or None
        self._vault_bytes = vault_bytes(self._vault)
        self._bounds_ms = (request_bound_ms, immediate_bound_ms)
        self.address = self._key.address.lower()

    def __repr__(self) -> str:
        return f"HyperliquidAuth({self.address})"

    def sign(self, request: Request, now_ms: int) -> Request:
        """The request with its final body; `request.body` is its action as JSON."""
        nonce = now_ms if request.nonce is None else request.nonce
        if request.json["type"] in WALLET_ACTIONS:
            testnet = self._testnet
            return request.proved(wallet_body(self._wallet, request.json, nonce, testnet=testnet))
        late_ms = expires_ms(request.json, now_ms, *self._bounds_ms)
        return request.proved(self.body(request.json, request.body, nonce, late_ms))

    def body(
        self, action: Mapping[str, Json], text: bytes, nonce: int, expires_ms: int | None
    ) -> bytes:
        """The signed body of an action of the exchange, whose JSON is `text`."""
        signature = self.prove(action, nonce, expires_ms)
        return signed_body(text, nonce, signature, vault=self._vault, expires_ms=expires_ms)

    def prove(self, action: Mapping[str, Json], nonce: int, expires_ms: int | None) -> Signature:
        """Of an action of the exchange, for its nonce and its end."""
        vault = b"\0" if action["type"] in WITHOUT_VAULT else self._vault_bytes
        hashed = hash_action(pack(action), nonce, vault, expires_ms)
        return self._key.sign(exchange_digest(hashed, testnet=self._testnet))

    def wallet_nonces(self, account: str) -> Nonces:
        """Of the key that moves money.

        Raises: MissingCredentials where that key is not here.
        """
        address = self._wallet.address.lower()
        if address != account:
            raise MissingCredentials(
                f"only the key of {account} moves its money, not that of {address}; "
                "give wallet_private_key (keys/copy.pk_hyperliquid.py)",
                venue=VENUE,
            )
        return nonces_of(ClockNonces, address)

    def nonces(self) -> Nonces:
        """Of the key that trades."""
        return nonces_of(ClockNonces, self.address)


def _signer(private_key: str, name: str) -> EvmSigner:
    return own_signer(EvmSigner, private_key.strip(), name, VENUE)

"""Superstack: Hyperliquid's markets, with keys that Superstack holds and signs with.

Every command takes two hops. The wallet API signs an action and gives back the body; that body
goes to Hyperliquid unchanged, by socket, or by REST while the socket is lost. Until then the venue
has heard of nothing, so a failure of the first hop is never a doubt. The nonce is the service's, so
there is no fence; what bounds an order is its expiry, which is part of what is signed.

Sources: docs.superstack.xyz, "Exchange Endpoint" and "Info Endpoint"; Superstack's Rust SDK
(November 2025); everything after the first hop is Hyperliquid's; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mpdex.errors import (
    AuthError,
    MpdexError,
    OrderRejected,
    ProtocolError,
    RateLimited,
    VenueError,
)
from mpdex.types import Json, Request, VenueSpec
from mpdex.utils.common_hyperliquid import (
    checked_address,
    checked_keys,
    expires_ms,
    named_address,
)
from mpdex.utils.hyperliquid_base import (
    CLIENT_ID,
    LIMITS,
    MARKET_BOUND_BPS,
    SUPPORTS,
    HyperliquidBase,
)
from mpdex.utils.hyperliquid_errors import ERRORS
from mpdex.utils.translation import checked as _checked
from multi_perp_dex import MultiPerpDex, MultiPerpDexMixin

if TYPE_CHECKING:
    from wrappers.venue_stream import VenueStream

VENUE: Final = "superstack"
checked = _checked(VENUE)

WALLET: Final = "wallet"  # key of the endpoint
_SIGN, _INFO = "/api/exchange", "/api/info"
# What Hyperliquid's own bounds are, and a hop more.
REQUEST_BOUND_MS, IMMEDIATE_BOUND_MS = 7_000, 5_000
# What the service adds to an action that it signs as the user's own.
_MEMBERS: Final = frozenset({"time", "nonce", "signatureChainId", "hyperliquidChain"})
_ADDED: Final = dict.fromkeys(("usdSend", "spotSend", "usdClassTransfer"), _MEMBERS)
# Refusals of the wallet API by status; any other refuses the one command that was asked for.
_REFUSALS: Final[Mapping[int, type[VenueError]]] = {
    401: AuthError,
    403: AuthError,
    429: RateLimited,
}


class SuperstackExchange(HyperliquidBase, MultiPerpDexMixin, MultiPerpDex):
    """Hyperliquid's perpetuals and spot through Superstack's wallet API.

    Args:
        dexs: builders' dexs to list besides the main one.
        options: those of `MultiPerpDexMixin`; the keys are `api_key`, and as far as wanted
            `account_address` (else asked of the wallet API), `vault_address`, `builder` with
            `builder_fee` in tenths of a basis point.

    Raises: UsageError for a malformed address, or one of builder and fee without the other.
    """

    SPEC = VenueSpec(
        name=VENUE,
        endpoints={
            WALLET: "https://wallet-service.superstack.xyz",
            "rest": "https://api.hyperliquid.xyz",
            "ws": "wss://api.hyperliquid.xyz/ws",
        },
        credentials=("api_key",),
        optional_credentials=("account_address", "vault_address", "builder", "builder_fee"),
        account="account_address",
        supports=SUPPORTS,
        limits=LIMITS,  # Hyperliquid's; none is documented for the wallet API
        errors=ERRORS,
        order_route="ws",
        countersigner=WALLET,
        client_id=CLIENT_ID,
        market_bound_bps=MARKET_BOUND_BPS,
        request_bound_ms=REQUEST_BOUND_MS,
        immediate_bound_ms=IMMEDIATE_BOUND_MS,
        order_book="hyperliquid",
    )

    @classmethod
    def streams(cls) -> tuple[type[VenueStream], ...]:
        from wrappers.superstack_ws_client import SuperstackAccountClient, SuperstackWSClient

        return SuperstackWSClient, SuperstackAccountClient

    def __init__(self, *, dexs: Sequence[str] = (), **options: Any) -> None:
        super().__init__(**options)
        self.dexs = tuple(dexs)
        self.keys = checked_keys(self.keys, VENUE)

    # ----------------------------------------------------------------- the wallet API

    def encode_account(self) -> Request:
        """Whose the key is; or, of an address that was given, whether it has an account."""
        address = named_address(self.keys)
        if address:
            return self.encode_role(address)
        return Request("GET", _INFO, host=WALLET, signed=True, scope=WALLET)

    @checked
    def decode_account(self, answer: Json) -> str:
        """Of the user's wallets only one trades: the main one on Ethereum.

        Raises: AuthError: an agent's address, or an unknown one, would be read as empty.
        """
        address = named_address(self.keys)
        if address:
            self.check_told_role(answer, address)
            return self.keys.get("account_address", "")
        [found] = [
            wallet["address"]
            for wallet in answer["user_info"]["wallets"]
            if wallet["network"] == "Ethereum" and wallet["wallet_set"] == "Main"
        ]
        return checked_address(found, "the main wallet", VENUE)

    def sign(self, request: Request, now_ms: int) -> Request:
        """The bearer key, for the wallet API alone."""
        if request.host != WALLET:
            return request
        return request.with_headers(Authorization=f"Bearer {self.keys['api_key']}")

    def encode_countersign(self, request: Request, now_ms: int) -> Request:
        """An order is signed with its expiry; a cancel is right whenever it arrives."""
        body: dict[str, Json] = {"action": request.json}
        if vault := self.keys.get("vault_address"):
            body["vaultAddress"] = vault
        late_ms = expires_ms(request.json, now_ms, REQUEST_BOUND_MS, IMMEDIATE_BOUND_MS)
        if late_ms is not None:
            body["expiresAfter"] = late_ms
        return Request(
            "POST", _SIGN, json=body, host=WALLET, signed=True, scope=WALLET, lane=request.lane
        )

    @checked
    def decode_countersign(self, answer: Json, request: Request) -> Request:
        """The payload, unchanged, unless something else was signed than was asked for."""
        payload = answer["payload"]
        self._check_payload(payload, request.json)
        body = msgspec.json.encode(payload)
        return replace(request, json=payload, body=body, signed=False)

    def _check_payload(self, payload: Json, asked: Json) -> None:
        """UNVERIFIED: that the service leaves an action as it is, and repeats vault and expiry.

        Raises: ProtocolError.
        """
        action, kind = payload["action"], asked["type"]
        added = action.keys() - asked.keys()
        if {**action, **asked} != action or added - _ADDED.get(kind, frozenset()):
            raise ProtocolError("another action was signed than was asked for", venue=VENUE)
        vault = payload.get("vaultAddress") or ""
        if vault.lower() != self.keys.get("vault_address", ""):
            raise ProtocolError("signed for another account than was asked for", venue=VENUE)
        if kind in ("order", "batchModify") and not payload.get("expiresAfter"):
            raise ProtocolError("an order was signed without its expiry", venue=VENUE)

    def decode_error(self, status: int, answer: Json, request: Request) -> MpdexError | None:
        if request.host != WALLET:
            return super().decode_error(status, answer, request)
        if status < 400:
            return None
        told = answer.get("error") if isinstance(answer, dict) else answer
        return _refusal(status, str(told), answer, request)

    def decode_page(self, status: int, text: str, request: Request) -> MpdexError | None:
        """The wallet API may refuse without JSON, too."""
        if request.host != WALLET:
            return super().decode_page(status, text, request)
        return _refusal(status, text, text, request)


def _refusal(status: int, told: str, raw: Json, request: Request) -> MpdexError:
    kind = _REFUSALS.get(status, OrderRejected if request.command else VenueError)
    detail = f"the wallet API: {told[:300]}"
    return kind(detail, venue=VENUE, raw=raw, code=str(status), request=str(request))

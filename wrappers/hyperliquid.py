"""Hyperliquid: perpetuals of its own and of builders' dexs, and spot, signed with one's own key.

What an order is and how the account is read is the family's (`HyperliquidBase`); here are the keys,
the route, and what moves money. Orders travel on the account's socket, signed as for REST.

An order without an answer is asked for by its client id; until `expiresAfter` has passed it may
still land, unless an action that does nothing uses up its nonce first (`fence_order`).

Source: hyperliquid.gitbook.io, "For developers, API"; hyperliquid-python-sdk 0.24.0;
read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from mpdex.errors import BadOrder, MissingCredentials
from mpdex.types import Json, Market, Number, Request, Session, VenueSpec
from mpdex.utils.common_hyperliquid import (
    EXCHANGE,
    checked_address,
    checked_keys,
    number_text,
)
from mpdex.utils.hyperliquid_base import (
    CLIENT_ID,
    IMMEDIATE_BOUND_MS,
    LIMITS,
    MARKET_BOUND_BPS,
    REQUEST_BOUND_MS,
    SUPPORTS,
    HyperliquidBase,
)
from mpdex.utils.hyperliquid_errors import ERRORS
from mpdex.utils.precision import to_decimal
from multi_perp_dex import MultiPerpDex, MultiPerpDexMixin
from wrappers.hyperliquid_auth import VENUE, HyperliquidAuth

if TYPE_CHECKING:
    from mpdex.utils.nonces import Nonces
    from mpdex.utils.rest import Answer
    from wrappers.venue_stream import VenueStream

TESTNET: Final = {
    "rest": "https://api.hyperliquid-testnet.xyz",
    "ws": "wss://api.hyperliquid-testnet.xyz/ws",
}
_USD_DECIMALS: Final = 6  # of a transfer; one with more fails there


class HyperliquidExchange(HyperliquidBase, MultiPerpDexMixin, MultiPerpDex):
    """Hyperliquid perpetuals and spot.

    Args:
        dexs: builders' dexs whose markets are traded besides the main one: ("xyz",).
        testnet: the other network: its addresses, unless given, and signatures for it.
        options: those of `MultiPerpDexMixin`, the keys among them: `private_key` of the account or
            of its agent; with an agent's, `account_address` (asked of the venue if left out) and,
            to move money, `wallet_private_key`; `vault_address` of a vault or sub-account to trade
            for; `builder` and `builder_fee` (tenths of a basis point), who gets a part of the fee.

    Raises: UsageError if a key or an address is malformed.
    """

    SPEC = VenueSpec(
        name=VENUE,
        endpoints={
            "rest": "https://api.hyperliquid.xyz",
            "ws": "wss://api.hyperliquid.xyz/ws",
        },
        credentials=("private_key",),
        optional_credentials=(
            "account_address",
            "vault_address",
            "wallet_private_key",
            "builder",
            "builder_fee",
        ),
        account="account_address",
        supports=SUPPORTS,
        limits=LIMITS,
        errors=ERRORS,
        order_route="ws",
        client_id=CLIENT_ID,
        market_bound_bps=MARKET_BOUND_BPS,
        request_bound_ms=REQUEST_BOUND_MS,
        immediate_bound_ms=IMMEDIATE_BOUND_MS,
        order_book=VENUE,
    )

    @classmethod
    def streams(cls) -> tuple[type[VenueStream], ...]:
        from wrappers.hyperliquid_ws_client import HyperliquidMarketClient, HyperliquidWSClient

        return HyperliquidMarketClient, HyperliquidWSClient

    def __init__(self, *, dexs: Sequence[str] = (), testnet: bool = False, **options: Any) -> None:
        if testnet:
            options["endpoints"] = {**TESTNET, **(options.get("endpoints") or {})}
        super().__init__(**options)
        self.dexs = tuple(dexs)
        self.keys = checked_keys(self.keys, VENUE)
        self._auth: HyperliquidAuth | None = None
        if not self.read_only:
            self._auth = HyperliquidAuth(
                self.keys["private_key"],
                wallet_private_key=self.keys.get("wallet_private_key", ""),
                vault=self.keys.get("vault_address", ""),
                testnet=testnet,
                request_bound_ms=self.SPEC.request_bound_ms,
                immediate_bound_ms=self.SPEC.immediate_bound_ms,
            )

    # ----------------------------------------------------------------- identity

    def own_address(self) -> str:
        return super().own_address() if self._auth is None else self._auth.address

    def sign(self, request: Request, now_ms: int) -> Request:
        """Reads are signed by nobody: they wait for `encode_login`, no more."""
        return self._signing().sign(request, now_ms) if request.path == EXCHANGE else request

    def encode_account(self) -> Request | None:
        """Whose agent the key is, unless that was given."""
        return None if self.keys.get("account_address") else self.encode_role(self.own_address())

    def decode_account(self, answer: Json) -> str:
        return self.owner_of(answer, self.own_address()).lower()

    def encode_login(self) -> Request:
        """There is no login; before the first private request the account's address is checked."""
        return self.encode_role(self._account())

    def continue_login(self, answer: Answer, request: Request, now_ms: int) -> Request | Session:
        asked: str = request.json["user"]
        self.check_role(answer, asked)
        if asked != self.read_address:
            return self.encode_role(self.read_address)
        return Session({})

    def make_nonces(self) -> Nonces:
        return self._signing().nonces()

    def encode_fence(self, nonce: int, market: Market) -> Request:
        return self.encode_action({"type": "noop"}, nonce=nonce)

    def _account(self) -> str:
        return (self.keys.get("account_address") or self.own_address()).lower()

    def _signing(self) -> HyperliquidAuth:
        if self._auth is None:
            raise MissingCredentials("private_key is needed; opened read-only", venue=VENUE)
        return self._auth

    # ----------------------------------------------------------------- money

    async def transfer_usd(self, amount: Number, *, to_perp: bool) -> None:
        """Moves USDC between the spot and the perpetual balance; of a unified account they are one.

        This and what follows is signed by the account's own key.
        Raises: MissingCredentials with an agent's key alone, before anything is sent.
        """
        text = _usd(amount)
        if self.keys.get("vault_address"):
            text += f" subaccount:{self.keys['vault_address']}"
        await self._by_wallet({"type": "usdClassTransfer", "amount": text, "toPerp": to_perp})

    async def send_usd(self, destination: str, amount: Number) -> None:
        """Sends USDC of the perpetual balance to another account."""
        await self._by_wallet({"type": "usdSend", **_to(destination), "amount": _usd(amount)})

    async def send_spot(self, destination: str, token: str, amount: Number) -> None:
        """Sends a spot token ("PURR:0xc1fb..."; name and id) to another account."""
        fields = {**_to(destination), "token": token, "amount": number_text(to_decimal(amount))}
        await self._by_wallet({"type": "spotSend", **fields})

    async def send_asset(
        self,
        destination: str,
        token: str,
        amount: Number,
        *,
        source_dex: str = "",
        destination_dex: str = "",
    ) -> None:
        """Sends a token between dexs ("": the main one; "spot") and accounts."""
        fields = {
            **_to(destination),
            "sourceDex": source_dex,
            "destinationDex": destination_dex,
            "token": token,
            "amount": number_text(to_decimal(amount)),
            "fromSubAccount": self.keys.get("vault_address", ""),
        }
        await self._by_wallet({"type": "sendAsset", **fields})

    async def withdraw(self, destination: str, amount: Number) -> None:
        """Sends USDC to an address on Arbitrum; the venue keeps 1 USD of it."""
        await self._by_wallet({"type": "withdraw3", **_to(destination), "amount": _usd(amount)})

    async def approve_builder(self, builder: str, max_fee_rate: str) -> None:
        """Lets a builder take a part of the fees, such as "0.01%", until that is changed."""
        address = checked_address(builder, "builder", VENUE)
        await self._by_wallet(
            {"type": "approveBuilderFee", "maxFeeRate": max_fee_rate, "builder": address}
        )

    async def approve_agent(self, address: str, name: str = "") -> None:
        """Lets another key trade for the account; an older one of the same name ends."""
        action = {"type": "approveAgent", "agentAddress": checked_address(address, "agent", VENUE)}
        await self._by_wallet({**action, **({"agentName": name} if name else {})})

    async def set_account_mode(self, mode: str, user: str = "") -> None:
        """How an account shares its margin: "unifiedAccount", "portfolioMargin" or "disabled".

        Args:
            user: a sub-account in place of the account that is traded for.
        """
        address = checked_address(user or self.read_address, "user", VENUE)
        fields = {"user": address, "abstraction": mode}
        await self._by_wallet({"type": "userSetAbstraction", **fields})

    async def _by_wallet(self, action: dict[str, Json]) -> None:
        await self._command(self.encode_wallet_action(action))

    def encode_wallet_action(self, action: dict[str, Json]) -> Request:
        """An action that the account itself signs; it goes by REST.

        Raises: MissingCredentials where the account's own key is not here.
        """
        nonces = self._signing().wallet_nonces(self._account())
        nonce = nonces.take(self.venue_clock.now_ms())
        return self.encode_action(action, nonce=nonce, call="")


def _to(destination: str) -> dict[str, Json]:
    return {"destination": checked_address(destination, "destination", VENUE)}


def _usd(amount: Number) -> str:
    """Raises: BadOrder for what is not an amount of USDC."""
    number = to_decimal(amount)
    exponent = number.normalize().as_tuple().exponent
    if number <= 0 or not isinstance(exponent, int) or exponent < -_USD_DECIMALS:
        raise BadOrder(f"{amount} is not an amount with {_USD_DECIMALS} decimals", venue=VENUE)
    return number_text(number)

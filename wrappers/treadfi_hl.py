"""TreadFi on Hyperliquid: its perpetuals, traded by the orders of TreadFi's web page.

Fragile: nothing of the page is documented, and it may change any day. There is no post-only order,
no immediate limit order and no client id, so it can be the taker of a hedge and nothing else: by
market orders, whose price nothing bounds. Prices, positions and balances are Hyperliquid's own, of
the account that is linked at TreadFi. The children that TreadFi sends there bear ids of its own,
so Hyperliquid's stream of orders and fills is not offered: what became of an order, TreadFi's table
tells, which may lag by some seconds.

Sources: those of `mpdex.utils.common_treadfi` and `mpdex.utils.hyperliquid_base`; the web page as a
public client of 2026-02-03 uses it; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from mpdex.errors import MissingCredentials
from mpdex.types import Json, Market, MarketKind, Number, Request, VenueSpec
from mpdex.utils.common_hyperliquid import EXCHANGE, checked_keys, number_text
from mpdex.utils.common_treadfi import APP, ERRORS, ORIGIN
from mpdex.utils.common_treadfi import LIMITS as APP_LIMITS
from mpdex.utils.hyperliquid_base import LIMITS, HyperliquidBase
from mpdex.utils.precision import to_decimal
from mpdex.utils.treadfi_base import CLIENT_ID, CREDENTIALS, KEY_CHOICES
from multi_perp_dex import MultiPerpDex, MultiPerpDexMixin
from wrappers.treadfi_orders import TreadfiOrders

if TYPE_CHECKING:
    from wrappers.venue_stream import VenueStream

VENUE: Final = "treadfi.hyperliquid"


class TreadfiHlExchange(TreadfiOrders, HyperliquidBase, MultiPerpDexMixin, MultiPerpDex):
    """Hyperliquid's perpetuals behind TreadFi.

    Args:
        dexs: builders' dexs whose markets are traded besides the main one: ("xyz",).
        options: those of `MultiPerpDexMixin`, the keys among them: `account_name` as it is called
            at TreadFi and `account_address` at Hyperliquid; to log in without a browser
            `login_private_key`, or `csrftoken` and `sessionid` of a browser that is logged in; to
            move money between spot and perpetuals `wallet_private_key`.

    Raises: UsageError if an address is malformed.
    """

    SPEC = VenueSpec(
        name=VENUE,
        endpoints={
            APP: ORIGIN,
            "rest": "https://api.hyperliquid.xyz",
            "ws": "wss://api.hyperliquid.xyz/ws",
        },
        credentials=("account_name", "account_address"),
        optional_credentials=(*CREDENTIALS, "wallet_private_key"),
        key_choices=KEY_CHOICES,
        account="account_name",
        supports=frozenset({"reduce_only", "market"}),
        limits={**LIMITS, **APP_LIMITS},
        errors=ERRORS,
        client_id=CLIENT_ID,
        fragile=True,
        order_book="hyperliquid",
        reports_unfilled_ioc=False,
        canary="weak",
        session_hosts=frozenset({APP}),
        keeps_session=True,
    )
    # Tier 0 as the page on another venue has it; for this one no page says it. UNVERIFIED.
    FEE = Decimal("0.00025")

    @classmethod
    def streams(cls) -> tuple[type[VenueStream], ...]:
        from wrappers.treadfi_hl_ws_client import TreadfiHlMarketClient, TreadfiHlPositionClient

        return TreadfiHlMarketClient, TreadfiHlPositionClient

    def __init__(self, *, dexs: Sequence[str] = (), **options: Any) -> None:
        super().__init__(**options)
        self.dexs = tuple(dexs)
        self.keys = checked_keys(self.keys, VENUE)

    # ----------------------------------------------------------------- markets

    def market_symbol(self, name: str, quote: str, kind: MarketKind) -> str:
        """A pair: "BTC:PERP-USDC", on a builder's dex "xyz_XYZ100:PERP-USDC"."""
        if kind == "spot":
            return f"{name}-{quote}"
        return f"{name.replace(':', '_', 1)}:PERP-{quote}"

    def decode_markets(self, answers: Sequence[Json]) -> list[Market]:
        """Perpetuals; what its page says of spot is that it is still to come."""
        return [market for market in super().decode_markets(answers) if market["kind"] == "perp"]

    # ----------------------------------------------------------------- money

    async def transfer_usd(self, amount: Number, *, to_perp: bool) -> None:
        """Moves USDC between the spot and the perpetual balance, past TreadFi.

        Raises: MissingCredentials without the key of the account's wallet.
        """
        request = self.encode_transfer(to_decimal(amount), to_perp, self.venue_clock.now_ms())
        await self._command(request)

    def encode_transfer(self, amount: Decimal, to_perp: bool, now_ms: int) -> Request:
        """Signed by the wallet; where the account is another address, it is a sub-account."""
        from mpdex.utils.hyperliquid_signing import wallet_body
        from mpdex.utils.signing.eip712 import EvmSigner

        secret = self.keys.get("wallet_private_key")
        if not secret:
            raise MissingCredentials("wallet_private_key is needed to move money", venue=VENUE)
        signer = EvmSigner(secret)
        text = number_text(amount)
        if signer.address.lower() != self.read_address:
            text += f" subaccount:{self.read_address}"
        action = {"type": "usdClassTransfer", "amount": text, "toPerp": to_perp}
        body = wallet_body(signer, action, now_ms, testnet=False)
        return Request("POST", EXCHANGE, body=body, command=True)


__all__ = ["TreadfiHlExchange"]

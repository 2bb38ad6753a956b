"""EdgeX v1, proof: the account's Stark key signs requests and orders.

An order is a StarkEx perpetual limit order: three hashes, of which the first two, over its assets,
are made once for a market. It expires in whole hours, long after the venue has let it go.

Sources: edgex-1.gitbook.io, "Authentication" and "L2 Signature" of v1 (2026-04-09);
edgex-python-sdk 0.3.0; read 2026-11-21.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from mpdex.errors import BadOrder
from mpdex.types import Json
from mpdex.utils.signing import own_signer
from mpdex.utils.signing.eip712 import keccak256
from mpdex.utils.signing.stark import ORDER, StarkSigner, pedersen, pedersen_fold
from wrappers.edgex_auth import (
    DAY_MS,
    HOUR_MS,
    UINT64,
    V1_KEY,
    VENUE,
    Amounts,
    Draft,
    EdgexAuth,
    amounts_of,
    number_of,
    rate_of,
)

_LIMIT_ORDER_WITH_FEES: Final = 3  # the StarkEx order type


class StarkTerms(NamedTuple):
    """What a StarkEx signature needs of a market; `buying`, `selling`: the assets, hashed."""

    units: int
    collateral_units: int
    rate: Decimal
    buying: int
    selling: int


def stark_terms_of(raw: Json) -> StarkTerms:
    """Of a market as `decode_market` leaves it."""
    collateral = raw["global"]["starkExCollateralCoin"]
    return _stark_terms(
        raw["starkExSyntheticAssetId"],
        raw["starkExResolution"],
        collateral["starkExAssetId"],
        collateral["starkExResolution"],
        raw.get("defaultTakerFeeRate"),
    )


@lru_cache(maxsize=4096)
def _stark_terms(
    coin: str, units: str, collateral: str, collateral_units: str, taker: str | None
) -> StarkTerms:
    """The fee is paid in collateral, which is what a buy sells."""
    own, paid = number_of(coin), number_of(collateral)
    return StarkTerms(
        number_of(units),
        number_of(collateral_units),
        rate_of(taker),
        pedersen_fold(paid, (own, paid)),
        pedersen_fold(own, (paid, paid)),
    )


class EdgexV1Auth(EdgexAuth):
    """The Stark key of an account of before v2. Raises: UsageError if it is none."""

    LIFE_MS = 4 * DAY_MS
    SETTLES_MS = 10 * DAY_MS

    def __init__(self, account_id: str, stark_private_key: str) -> None:
        super().__init__(account_id)
        self._signer = own_signer(StarkSigner, stark_private_key.strip(), V1_KEY, VENUE)
        self.public_key: int = self._signer.public_key

    def headers(self, stamp: str, text: str) -> dict[str, str]:
        message = int.from_bytes(keccak256(text.encode()), "big") % ORDER
        return {
            "X-edgeX-Api-Timestamp": stamp,
            "X-edgeX-Api-Signature": self.prove(message),
        }

    def socket_query(self, stamp: str) -> str:
        return f"accountId={self.account_id}"

    def sign_order(
        self, draft: Draft, raw: Json, nonce: int, expires_ms: int
    ) -> tuple[Amounts, str]:
        terms = stark_terms_of(raw)
        amounts = amounts_of(draft, terms.units, terms.collateral_units, terms.rate)
        hours = (expires_ms + self.SETTLES_MS) // HOUR_MS
        hashed = self.hash_order(amounts, terms, draft.side == "BUY", nonce, hours)
        return amounts, self.prove(hashed)

    def hash_order(
        self, amounts: Amounts, terms: StarkTerms, buying: bool, nonce: int, hours: int
    ) -> int:
        """A StarkEx perpetual limit order; it expires `hours` after the epoch."""
        coin, collateral, fee = amounts[:3]
        if max(coin, collateral, fee) > UINT64:
            raise BadOrder("more units than an order can be of", venue=VENUE)
        sold, bought = (collateral, coin) if buying else (coin, collateral)
        amounts_word = sold << 160 | bought << 96 | fee << 32 | nonce
        position = self._account
        head = _LIMIT_ORDER_WITH_FEES << 224 | position << 160 | position << 96 | position << 32
        assets = terms.buying if buying else terms.selling
        return pedersen(pedersen(assets, amounts_word), (head | hours) << 17)

    def prove(self, message: int) -> str:
        """r and s, 64 digits each."""
        r, s = self._signer.sign(message)
        return f"{r:064x}{s:064x}"

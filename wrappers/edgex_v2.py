"""EdgeX v2, proof: an HMAC of the API secret on requests, EIP-712 on orders.

A hash for an order's base, one for the order, one for both with the domain; what does not change is
hashed once. The domain names the chain and the contract, which the venue's settings tell.

Sources: edgex-1.gitbook.io, "Authentication" and "L2 Signature Guide" of v2 (2026-03-17);
edgex-python-sdk 2.0.1; read 2026-11-21.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from mpdex.errors import BadOrder
from mpdex.types import Json
from mpdex.utils.signing import own_header, own_signer
from mpdex.utils.signing.eip712 import (
    EvmSigner,
    address_word,
    digest,
    domain_separator,
    keccak256,
    type_hash,
)
from mpdex.utils.signing.hmac import hmac_sha256_hex
from wrappers.edgex_auth import (
    DAY_MS,
    HOUR_MS,
    VENUE,
    Amounts,
    Draft,
    EdgexAuth,
    amounts_of,
    nonce_of,
    number_of,
    rate_of,
)

_BASE_TYPE: Final = (
    "OrderBase(uint256 nonce,address signer,uint64 accountId,uint256 expirationTimestamp)"
)
_ORDER_TYPE: Final = (
    "LimitOrderParams(OrderBase base,int256 amountSynthetic,int256 amountCollateral,"
    "uint256 amountFee,uint64 assetIdSynthetic,uint64 assetIdCollateral,bool isBuyingSynthetic,"
    f"bytes32 parentOrderHash,uint256 subOrderIndex){_BASE_TYPE}"
)
_MARGIN_TYPE: Final = (
    "SetMarginPreferenceParams(uint64 accountId,uint64 assetId,uint8 marginMode,uint256 nonce,"
    "address signer)"
)
_BASE_HASH, _ORDER_HASH = type_hash(_BASE_TYPE), type_hash(_ORDER_TYPE)
_MARGIN_HASH: Final = type_hash(_MARGIN_TYPE)
# One 32-byte word a member: x is padding. The last two of an order, its parent's hash and its
# number among the parent's orders, are zero. Nonces have 32 bits, and times not much more.
_BASE: Final = Struct(">32s24xQ32s24xQ24xQ").pack
_ORDER: Final = Struct(">32s32s32s32s32s24xQ24xQ31x?64x").pack
_MARGIN: Final = Struct(">32s24xQ24xQ31xB24xQ32s").pack
_MARGIN_LIFE_MS: Final = 14 * DAY_MS
# Fields of an order that nothing here uses; the venue's own client sends them all.
_UNUSED: Final[Mapping[str, Json]] = {
    "triggerPrice": "",
    "triggerPriceType": "",
    "sourceKey": "",
    "isPositionTpsl": False,
    "openTpslParentOrderId": "",
    "isSetOpenTp": False,
    "openTp": None,
    "isSetOpenSl": False,
    "openSl": None,
    "extraType": "",
    "extraDataJson": "",
}


class Terms(NamedTuple):
    """What an EIP-712 signature needs of a market."""

    contract: int
    units: int
    coin: int
    coin_units: int
    rate: Decimal
    domain: bytes


def terms_of(raw: Json) -> Terms:
    """Of a market as `decode_market` leaves it."""
    coin, chain = raw["quoteCoin"], raw["global"]
    return _terms(
        raw["contractId"],
        _resolution(raw),
        coin["coinId"],
        _resolution(coin),
        raw.get("defaultTakerFeeRate"),
        raw.get("defaultMakerFeeRate"),
        chain.get("nativeChainId") or chain["chainId"],
        chain["contractAddress"],
    )


def _resolution(raw: Json) -> str:
    """The documentation calls it by its old name in places."""
    return str(raw.get("resolution") or raw["starkExResolution"])


@lru_cache(maxsize=4096)
def _terms(
    contract: str,
    units: str,
    coin: str,
    coin_units: str,
    taker: str | None,
    maker: str | None,
    chain_id: str,
    address: str,
) -> Terms:
    return Terms(
        int(contract),
        number_of(units),
        int(coin),
        number_of(coin_units),
        max(rate_of(taker), rate_of(maker)),
        domain_separator("EdgeX", "1", number_of(chain_id), address),
    )


class EdgexV2Auth(EdgexAuth):
    """An API key, and the trading key that was made with it.

    Raises: UsageError if the trading key is none, or a text cannot stand in a header.
    """

    LIFE_MS = 22 * DAY_MS
    SETTLES_MS = 8 * DAY_MS

    def __init__(
        self, account_id: str, api_key: str, passphrase: str, secret: str, signer_private_key: str
    ) -> None:
        super().__init__(account_id)
        self._api_key, self._passphrase = (
            own_header(api_key, "api_key", VENUE, barred=""),
            own_header(passphrase, "passphrase", VENUE, barred=""),
        )
        self._secret = b64encode(secret.strip().encode())  # the text itself is the key of the HMAC
        self._signer = own_signer(
            EvmSigner, signer_private_key.strip(), "signer_private_key", VENUE
        )
        self.signer: str = self._signer.address
        self._signer_word = address_word(self.signer)

    def headers(self, stamp: str, text: str) -> dict[str, str]:
        return {
            "X-edgeX-Api-Key": self._api_key,
            "X-edgeX-Passphrase": self._passphrase,
            "X-edgeX-Signature": hmac_sha256_hex(self._secret, text.encode()),
            "X-edgeX-Timestamp": stamp,
        }

    def socket_query(self, stamp: str) -> str:
        return f"accountId={self.account_id}&timestamp={stamp}"

    def order_fields(self, draft: Draft, raw: Json) -> dict[str, Json]:
        return {**super().order_fields(draft, raw), **_UNUSED}

    def sign_order(
        self, draft: Draft, raw: Json, nonce: int, expires_ms: int
    ) -> tuple[Amounts, str]:
        terms = terms_of(raw)
        amounts = amounts_of(draft, terms.units, terms.coin_units, terms.rate)
        hashed = self.hash_order(amounts, terms, draft.side == "BUY", nonce, expires_ms)
        return amounts, self.prove(terms.domain, hashed)

    def hash_order(
        self, amounts: Amounts, terms: Terms, buying: bool, nonce: int, expires_ms: int
    ) -> bytes:
        """The struct hash. What expires is the order itself, in whole seconds."""
        base = _BASE(_BASE_HASH, nonce, self._signer_word, self._account, expires_ms // 1000)
        coin, collateral, fee = (_word(amount) for amount in amounts[:3])
        packed = _ORDER(
            _ORDER_HASH,
            keccak256(base),
            coin,
            collateral,
            fee,
            terms.contract,
            terms.coin,
            buying,
        )
        return keccak256(packed)

    def prove(self, domain: bytes, struct_hash: bytes) -> str:
        """r, s, v: 130 digits without 0x."""
        return self._signer.sign(digest(domain, struct_hash)).hex[2:]

    def margin_fields(self, raw: Json, mode: int, client_id: str, now_ms: int) -> dict[str, Json]:
        """The body of `setMarginMode`. UNVERIFIED: what the numbers of the modes mean."""
        nonce, terms = nonce_of(client_id), terms_of(raw)
        hashed = self.hash_margin(terms.contract, mode, nonce)
        hour_ms = -(-now_ms // HOUR_MS) * HOUR_MS
        return {
            "accountId": self.account_id,
            "contractId": raw["contractId"],
            "marginMode": str(mode),
            "l2Nonce": str(nonce),
            "l2ExpireTime": str(hour_ms + _MARGIN_LIFE_MS),
            "signer": self.signer,
            "l2Signature": self.prove(terms.domain, hashed),
        }

    def hash_margin(self, contract: int, mode: int, nonce: int) -> bytes:
        packed = _MARGIN(_MARGIN_HASH, self._account, contract, mode, nonce, self._signer_word)
        return keccak256(packed)


def _word(amount: int) -> bytes:
    try:
        return amount.to_bytes(32, "big")
    except OverflowError:
        raise BadOrder(f"{amount} units are more than an order can be of", venue=VENUE) from None

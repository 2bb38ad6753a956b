"""Extended, proof: the API key in a header of everything private, a Stark signature in each order.

What is signed is the settlement: whole numbers of the assets' smallest units, rounded so that the
signer never gets less than was asked for (a buy up, a sell down, the fee up), until when, and a
nonce that makes it one of its kind. There is no session and no time stamp: a signed order is good
until it expires.

Sources: api.docs.extended.exchange, "Order management"; x10-python-trading-starknet 2.6.0, signing;
SNIP-12; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_UP, Context, Decimal
from hashlib import sha256
from typing import Final, NamedTuple

from mpdex.errors import BadOrder, UsageError
from mpdex.types import Json, Side
from mpdex.utils.precision import plain
from mpdex.utils.signing import own_header, own_signer
from mpdex.utils.signing.stark import ORDER, StarkSigner

VENUE: Final = "extended"
MAINNET: Final = "SN_MAIN"
TESTNET: Final = "SN_SEPOLIA"

NONCES: Final = 2**31 - 1  # from 1 on
_SETTLED_AFTER_S: Final = 14 * 86_400  # what the chain gets on top of an order's own expiry
_DOMAIN: Final = ("Perpetuals", "v0")
_REVISION: Final = "1"
_UINT32: Final = 2**32 - 1
_INT64: Final = 2**63 - 1
_EXACT: Final = Context(prec=60)
_SIDES: Final[Mapping[Side, str]] = {"buy": "BUY", "sell": "SELL"}
_ROUNDING: Final[Mapping[Side, str]] = {"buy": ROUND_CEILING, "sell": ROUND_FLOOR}


class Assets(NamedTuple):
    """What is exchanged: ids on the chain (hex), smallest units in one coin and in one USD."""

    coin: str
    coin_units: int
    collateral: str
    collateral_units: int


class Amounts(NamedTuple):
    """Smallest units that the account gets (positive) or gives; the fee is what it costs."""

    coin: int
    collateral: int
    fee: int


class Draft(NamedTuple):
    """An order before it is signed.

    Attributes:
        kind: the venue's word, "LIMIT" or "MARKET".
        time_in_force: the venue's word.
        fee: the highest rate that is accepted, as a fraction of the value.
        nonce: 1 to NONCES, another for each order.
        client_id: "": named by its hash, as the venue's own SDK does.
    """

    market: str
    assets: Assets
    kind: str
    side: Side
    size: Decimal
    price: Decimal
    time_in_force: str
    post_only: bool
    reduce_only: bool
    expires_ms: int
    fee: Decimal
    nonce: int
    client_id: str = ""
    builder_fee: Decimal = Decimal(0)


class ExtendedAuth:
    """One account (sub-account): its API key, its Stark key, its position on the chain.

    Args:
        public_key: of `private_key`, as the venue shows it.
        vault: number of the account's position.
        chain: MAINNET or TESTNET.

    Raises: UsageError if a key is not what it should be, or the two do not belong together.
    """

    def __init__(
        self, api_key: str, private_key: str, public_key: str, vault: str, chain: str = MAINNET
    ) -> None:
        self._signer = _signer(private_key)
        self.public_key = hex(self._signer.public_key)
        if self._signer.public_key != _number(public_key, "public_key", 16):
            raise UsageError(
                "public_key is not that of private_key; copy both again from the venue", venue=VENUE
            )
        self.vault = _number(vault, "vault", 10)
        if self.vault > _UINT32:
            raise UsageError(f"vault is a number up to {_UINT32}", venue=VENUE)
        self.chain = chain
        self.headers = {"X-Api-Key": own_header(api_key, "api_key", VENUE)}
        from fast_stark_crypto.fast_stark_crypto import rs_get_order_msg

        self._hash_order = rs_get_order_msg  # texts in, text out: most of them are texts already
        self._vault = str(self.vault)

    def __repr__(self) -> str:
        return f"ExtendedAuth(vault={self.vault}, {self.chain})"

    def order_hash(self, draft: Draft) -> int:
        """What is signed. Raises: BadOrder: the chain has no room for such an amount."""
        assets, amounts = draft.assets, amounts_of(draft)
        hashed = self._hash_order(
            self._vault,
            assets.coin,
            str(amounts.coin),
            assets.collateral,
            str(amounts.collateral),
            assets.collateral,
            str(amounts.fee),
            str(settlement_expires_s(draft.expires_ms)),
            str(draft.nonce),
            self.public_key,
            *_DOMAIN,
            self.chain,
            _REVISION,
        )
        return int(hashed, 16)

    def settlement(self, order_hash: int) -> dict[str, Json]:
        """The signature, and whose it is."""
        r, s = self._signer.sign(order_hash)
        return {
            "signature": {"r": hex(r), "s": hex(s)},
            "starkKey": self.public_key,
            "collateralPosition": self._vault,
        }

    def order_fields(self, draft: Draft) -> dict[str, Json]:
        """An order as it is sent, signed."""
        hashed = self.order_hash(draft)
        return {
            "id": draft.client_id or str(hashed),
            "market": draft.market,
            "type": draft.kind,
            "side": _SIDES[draft.side],
            "qty": plain(draft.size),
            "price": plain(draft.price),
            "reduceOnly": draft.reduce_only,
            "postOnly": draft.post_only,
            "timeInForce": draft.time_in_force,
            "expiryEpochMillis": draft.expires_ms,
            "fee": plain(draft.fee),
            "nonce": str(draft.nonce),
            "selfTradeProtectionLevel": "ACCOUNT",
            "settlement": self.settlement(hashed),
        }


# --------------------------------------------------------------------------- amounts


def assets_of(config: Json) -> Assets:
    """From a market's `l2Config`."""
    return Assets(
        config["syntheticId"],
        config["syntheticResolution"],
        config["collateralId"],
        config["collateralResolution"],
    )


def amounts_of(draft: Draft) -> Amounts:
    """Products first, roundings last. Raises: BadOrder: more than 64 bits hold."""
    assets, rounding = draft.assets, _ROUNDING[draft.side]
    value = _EXACT.multiply(draft.size, draft.price)
    rate = draft.fee + draft.builder_fee
    coin = _units(draft.size, assets.coin_units, rounding)
    collateral = _units(value, assets.collateral_units, rounding)
    fee = _units(_EXACT.multiply(value, rate), assets.collateral_units, ROUND_UP)
    if draft.side == "buy":
        return Amounts(coin, -collateral, fee)
    return Amounts(-coin, collateral, fee)


def settlement_expires_s(expires_ms: int) -> int:
    """Until when the chain takes it, in seconds."""
    return -(-expires_ms // 1000) + _SETTLED_AFTER_S


def nonce_of(client_id: str, now_ns: int) -> int:
    """Another for each order, as good as drawn; the expiry, too, tells two orders apart."""
    drawn = sha256(f"{client_id} {now_ns}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") % NONCES + 1


def _units(amount: Decimal, units: int, rounding: str) -> int:
    whole = int(_EXACT.multiply(amount, units).to_integral_value(rounding))
    if whole > _INT64:
        raise BadOrder(f"{plain(amount)} is more than an order can be of", venue=VENUE)
    return whole


# --------------------------------------------------------------------------- keys


def chain_of(rest_url: str) -> str:
    """The chain of the environment a host belongs to: the main one unless the name says otherwise.

    Source: api.docs.extended.exchange, "Mainnet", "Testnet"; read 2026-11-21.
    """
    host = rest_url.partition("://")[2].partition("/")[0].lower()
    return TESTNET if ".sepolia." in host else MAINNET


def private_key_from(wallet_signature: bytes) -> int:
    """The Stark key that belongs to a wallet's signature of the venue's `AccountCreation`.

    The first half of the signature, ground: hashed with 0, 1, 2... until the number is as likely as
    any other after a division by the curve's order.
    """
    seed = wallet_signature[:32].lstrip(b"\0")
    limit = 2**256 - 2**256 % ORDER
    for index in range(256):
        number = int.from_bytes(sha256(seed + bytes([index])).digest(), "big")
        if number < limit:
            return number % ORDER
    raise UsageError("no key belongs to this signature", venue=VENUE)


def _signer(private_key: str) -> StarkSigner:
    return own_signer(StarkSigner, private_key.strip(), "private_key", VENUE)


def _number(text: str, name: str, base: int) -> int:
    try:
        number = int(text.strip(), base)
    except ValueError:
        number = -1  # the error would repeat the text
    if number < 0:
        raise UsageError(f"{name} is not a number of base {base}", venue=VENUE)
    return number

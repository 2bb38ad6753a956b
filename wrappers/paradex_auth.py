"""What Paradex wants proved: the login and each order, as typed data on the Stark curve.

Typed data of SNIP-12 revision 0: lists of Pedersen hashes. What never changes (the domain, the
account, the type) is folded once, so an order costs nine hashes: six fields and the length of the
list, then the message and its length. The account is the main account's also when a subkey signs.

Sources: docs.paradex.trade, "Authentication"; paradex-py 0.8.2, message/ and account/; SNIP-12;
read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from mpdex.errors import BadOrder, UsageError
from mpdex.utils.signing import own_signer
from mpdex.utils.signing.stark import P, StarkSigner, pedersen, pedersen_fold, short_string

VENUE = "paradex"
_OWN = "private_key, the account's or a subkey's (keys/copy.pk_paradex.py),"
# How long a login may travel: the venue's own default is 30 minutes, a week the most.
LOGIN_SECONDS: Final = 1800
QUANTUM_DECIMALS: Final = 8  # of a signed price or size

# Keccak-256 of the type's text, low 250 bits; a test makes them anew.
DOMAIN_TYPE: Final = 0x98D1932052FC5137543DE5ED85B7A88555A4CD1FF5D5BFEDB62ED9B9A1F0DB
ORDER_TYPE: Final = 0xA56D5225B97B257C15AE2CB1CC0EA605381A886CD75463DB45FD2EF9FBC255
LOGIN_TYPE: Final = 0x186CDEF6B179923C411C13C11B8A825F12BF34203BDDA0A984DA9D6F2313C2
TYPES: Final = {
    DOMAIN_TYPE: "StarkNetDomain(name:felt,chainId:felt,version:felt)",
    ORDER_TYPE: ("Order(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt)"),
    LOGIN_TYPE: ("Request(method:felt,path:felt,body:felt,timestamp:felt,expiration:felt)"),
}
SIDES: Final = {"BUY": 1, "SELL": 2}
# Always this path, also where the URL ends with the public key; an empty body is 0.
_LOGIN_CALL: Final = (short_string("POST"), short_string("/v1/auth"), 0)
_VERSION: Final = 1  # the domain's "1" counts as a number, not as a text
_MESSAGE_PARTS: Final = 4


def quantums(value: Decimal) -> int:
    """`value` in units of 10**-8, exactly.

    Raises: BadOrder: it does not fit; what is signed would not equal what is sent.
    """
    scaled = value.scaleb(QUANTUM_DECIMALS)
    whole = int(scaled)
    if whole != scaled:
        raise BadOrder(f"{value} has more than {QUANTUM_DECIMALS} decimals", venue=VENUE)
    return whole


def domain_hash(chain_id: str) -> int:
    """Of the chain that `GET /system/config` names."""
    return struct_hash(DOMAIN_TYPE, (short_string("Paradex"), short_string(chain_id), _VERSION))


def struct_hash(type_hash: int, fields: Sequence[int]) -> int:
    return _closed(pedersen(0, type_hash), fields)


def _closed(start: int, fields: Sequence[int]) -> int:
    """A list whose type is folded already, ended with its length."""
    return pedersen(pedersen_fold(start, fields), 1 + len(fields))


class ParadexAuth:
    """Signs for one account, with its main key or a subkey. Its repr shows the account alone.

    Args:
        account_address: of the main account, hex.

    Attributes:
        account, public_key: hex with 0x.

    Raises: UsageError, without the key in it; MissingDependency.
    """

    __slots__ = ("_key", "_orders", "_prefix", "account", "public_key")

    def __init__(self, account_address: str, private_key: str) -> None:
        self.account = hex(_address(account_address))
        self._key = own_signer(StarkSigner, private_key, _OWN, VENUE)
        self.public_key = hex(self._key.public_key)
        self._orders = pedersen(0, ORDER_TYPE)
        self._prefix: int | None = None

    def join(self, chain_id: str) -> None:
        """From now on messages are for this chain, by the name the venue gives it."""
        parts = (short_string("StarkNet Message"), domain_hash(chain_id), int(self.account, 16))
        self._prefix = pedersen_fold(0, parts)

    def message_hash(self, struct: int) -> int:
        """Raises: UsageError: the chain is not known yet."""
        if self._prefix is None:
            raise UsageError("the venue's chain is not known; call init() first", venue=VENUE)
        return pedersen(pedersen(self._prefix, struct), _MESSAGE_PARTS)

    def hash_order(
        self, timestamp_ms: int, market: str, side: str, kind: str, size: Decimal, price: Decimal
    ) -> int:
        """The message of an order; what it is allowed to do (flags, instruction) is not signed.

        Args:
            side, kind: in the venue's words.
            price: 0 for a market order.
        """
        fields = (
            timestamp_ms,
            short_string(market),
            SIDES[side],
            short_string(kind),
            quantums(size),
            quantums(price),
        )
        return self.message_hash(_closed(self._orders, fields))

    def sign(self, message_hash: int) -> tuple[int, int]:
        return self._key.sign(message_hash)

    def login_headers(self, now_ms: int) -> dict[str, str]:
        """The proof of a login; its times are seconds."""
        now = now_ms // 1000
        end = now + LOGIN_SECONDS
        struct = struct_hash(LOGIN_TYPE, (*_LOGIN_CALL, now, end))
        return {
            "PARADEX-STARKNET-ACCOUNT": self.account,
            "PARADEX-STARKNET-SIGNATURE": signature_text(*self.sign(self.message_hash(struct))),
            "PARADEX-TIMESTAMP": str(now),
            "PARADEX-SIGNATURE-EXPIRATION": str(end),
        }

    def __repr__(self) -> str:
        return f"ParadexAuth({self.account})"


def signature_text(r: int, s: int) -> str:
    """As the venue takes it: two decimal texts in what looks like a JSON list."""
    return f'["{r}","{s}"]'


def _address(text: str) -> int:
    try:
        number = int(text, 16)
    except ValueError:
        number = 0
    if not 0 < number < P:
        raise UsageError("account_address is a Starknet address, hex (0x...)", venue=VENUE)
    return number

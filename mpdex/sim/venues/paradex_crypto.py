"""What a client of Paradex signs, rebuilt: typed data of SNIP-12 revision 0, and account addresses.

Every list is hashed with Pedersen. Text becomes a short string, the version is the number 1.

Source: docs.paradex.trade, "Authentication", "Order signing"; SNIP-12; read 2026-11-21.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from mpdex.sim.stark import pedersen_many, short_string, starknet_keccak

CHAIN_ID = "PRIVATE_SN_PARACLEAR_MAINNET"
# Class hashes of account contracts, as the venue publishes them for its test network.
PROXY_CLASS = 0x3530CC4759D78042F1B543BF797F5F3D647CDE0388C33734CF91B7F7B9314A9
ACCOUNT_CLASS = 0x41CB0280EBADAA75F996D8D92C6F265F6D040BB3BA442E5F86A554F1765244E
SCALE = 8  # decimals of sizes and prices that are signed

_ADDRESSES = 2**251 - 256
_NUMBER = r'"(0x[0-9a-fA-F]{1,64}|[0-9]{1,77})"'
_SIGNATURE = re.compile(rf"\[\s*{_NUMBER}\s*,\s*{_NUMBER}\s*\]")
_ORDER_TYPE = starknet_keccak(
    b"Order(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt)"
)
_MODIFY_TYPE = starknet_keccak(
    b"ModifyOrder(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt,id:felt)"
)
_LOGIN_TYPE = starknet_keccak(
    b"Request(method:felt,path:felt,body:felt,timestamp:felt,expiration:felt)"
)
_ONBOARDING_TYPE = starknet_keccak(b"Constant(action:felt)")
_DOMAIN_TYPE = starknet_keccak(b"StarkNetDomain(name:felt,chainId:felt,version:felt)")


@lru_cache(maxsize=4)
def domain_hash(chain_id: str) -> int:
    return pedersen_many([_DOMAIN_TYPE, short_string("Paradex"), short_string(chain_id), 1])


def message_hash(account: int, struct: Iterable[int], chain_id: str = CHAIN_ID) -> int:
    """What is signed for an account: `struct` is the type hash and the members."""
    header = [short_string("StarkNet Message"), domain_hash(chain_id), account]
    return pedersen_many([*header, pedersen_many([*struct])])


def scaled(value: Decimal) -> int:
    """In units of 1e-8, cut towards zero."""
    return int(value.scaleb(SCALE))


def order_struct(
    *,
    timestamp_ms: int,
    market: str,
    buying: bool,
    kind: str,
    size: Decimal,
    price: Decimal,
    order_id: int | None = None,
) -> list[int]:
    """Members of an order; with an order id, those of its change."""
    side = 1 if buying else 2
    members = [timestamp_ms, short_string(market), side, short_string(kind)]
    members += [scaled(size), scaled(price)]
    if order_id is None:
        return [_ORDER_TYPE, *members]
    return [_MODIFY_TYPE, *members, order_id]


def login_struct(timestamp: int, expiration: int) -> list[int]:
    """Members of a login; times in seconds. The path is this one whatever the URL."""
    path = short_string("/v1/auth")
    return [_LOGIN_TYPE, short_string("POST"), path, 0, timestamp, expiration]


def onboarding_struct() -> list[int]:
    return [_ONBOARDING_TYPE, short_string("Onboarding")]


def parse_signature(text: str) -> tuple[int, int] | None:
    """(r, s) of a list of two quoted numbers, decimal or hexadecimal; None if it is not one."""
    found = _SIGNATURE.fullmatch(text)
    return None if found is None else (_integer(found[1]), _integer(found[2]))


def _integer(text: str) -> int:
    return int(text, 16) if text.startswith("0x") else int(text)


def parse_felt(text: str) -> int | None:
    """A hexadecimal number; None for anything else."""
    return int(text, 16) if re.fullmatch(r"0x[0-9a-fA-F]{1,64}", text) else None


def address_of(public_key: int) -> int:
    """Of the account contract that a key opens.

    Source: docs.starknet.io, "Contract address".
    """
    initialize = starknet_keccak(b"initialize")
    arguments = pedersen_many([ACCOUNT_CLASS, initialize, 2, public_key, 0])
    prefix = short_string("STARKNET_CONTRACT_ADDRESS")
    return pedersen_many([prefix, 0, public_key, PROXY_CLASS, arguments]) % _ADDRESSES

"""What the simulated Hyperliquid checks signatures with: both schemes, from the action to the key.

An L1 action is hashed as msgpack with its keys in the order of the venue's own structs, followed
by nonce, vault and expiry; a phantom agent carries that hash. A user-signed action is typed data.
Nothing here is shared with the code that signs for a client.

Source: hyperliquid.gitbook.io, "Signing", and hyperliquid-python-sdk 0.24.0; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

from mpdex.sim.evm import N, keccak, recover, typed_digest, words
from mpdex.types import Json

SOURCES = {"a": "Mainnet", "b": "Testnet"}  # networks, in the two spellings
L1_CHAIN = 1337
_DOMAIN = keccak(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_AGENT = keccak(b"Agent(string source,bytes32 connectionId)")

# Members of user-signed actions, in their order, after `string hyperliquidChain`.
USER_SIGNED: Mapping[str, tuple[str, str]] = {
    "usdSend": ("UsdSend", "string destination,string amount,uint64 time"),
    "spotSend": ("SpotSend", "string destination,string token,string amount,uint64 time"),
    "withdraw3": ("Withdraw", "string destination,string amount,uint64 time"),
    "usdClassTransfer": ("UsdClassTransfer", "string amount,bool toPerp,uint64 nonce"),
    "sendAsset": (
        "SendAsset",
        "string destination,string sourceDex,string destinationDex,string token,string amount,"
        "string fromSubAccount,uint64 nonce",
    ),
    "approveAgent": ("ApproveAgent", "address agentAddress,string agentName,uint64 nonce"),
    "approveBuilderFee": ("ApproveBuilderFee", "string maxFeeRate,address builder,uint64 nonce"),
    "tokenDelegate": (
        "TokenDelegate",
        "address validator,uint64 wei,bool isUndelegate,uint64 nonce",
    ),
    "userSetAbstraction": (
        "UserSetAbstraction",
        "address user,string abstraction,uint64 nonce",
    ),
    "userDexAbstraction": ("UserDexAbstraction", "address user,bool enabled,uint64 nonce"),
}


class Signature(NamedTuple):
    """As sent; r and s may come without their leading zeros."""

    r: int
    s: int
    v: int

    def signer(self, digest: bytes) -> str | None:
        """Address (lower case) of whoever signed the digest; None where nobody can have."""
        if self.v not in (27, 28) or not (0 < self.r < N and 0 < self.s < N):
            return None
        return recover(digest, *self)


@lru_cache(maxsize=32)
def _domain_separator(name: str, chain_id: int) -> bytes:
    return keccak(_DOMAIN + keccak(name.encode()) + keccak(b"1") + words(chain_id, 0))


def action_hash(action: Json, nonce: int, vault: str | None, expires_after: int | None) -> bytes:
    """Hash of a canonical L1 action: what the phantom agent calls its connection."""
    packed = msgspec.msgpack.encode(action) + nonce.to_bytes(8, "big")
    packed += b"\x00" if vault is None else b"\x01" + bytes.fromhex(vault[2:])
    if expires_after is not None:
        packed += b"\x00" + expires_after.to_bytes(8, "big")
    return keccak(packed)


def l1_digest(connection: bytes, source: str) -> bytes:
    """What is signed for an action with this hash, on one network."""
    struct = _AGENT + keccak(source.encode()) + connection
    return typed_digest(_domain_separator("Exchange", L1_CHAIN), struct)


def user_digest(action: Mapping[str, Json]) -> bytes:
    """What is signed for a user-signed action, exactly as its members were sent."""
    name, members = USER_SIGNED[action["type"]]
    members = f"string hyperliquidChain,{members}"
    type_hash = keccak(f"HyperliquidTransaction:{name}({members})".encode())
    struct = b"".join(_encoded(action, *member.split()) for member in members.split(","))
    chain_id = int(action["signatureChainId"], 16)
    return typed_digest(
        _domain_separator("HyperliquidSignTransaction", chain_id), type_hash + struct
    )


def _encoded(action: Mapping[str, Json], kind: str, name: str) -> bytes:
    value = action[name]
    if kind == "string":
        return keccak(str(value).encode())
    return words(int(value, 16) if kind == "address" else int(value))

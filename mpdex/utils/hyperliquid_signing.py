"""Hyperliquid's two schemes of signing, over bytes: actions of the exchange, and of the wallet.

An action of the exchange (orders, cancels, leverage) is hashed as msgpack with its nonce, its vault
and its end, and that hash is signed by the account or by an agent of it. An action of the wallet
(transfers, withdrawals, approvals) is typed data that a wallet can show, signed by the account
alone. An action costs three hashes and one curve operation.

Source: hyperliquid.gitbook.io, "Signing", "Exchange endpoint"; hyperliquid-python-sdk 0.24.0,
`utils/signing.py`; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from mpdex.types import Json
from mpdex.utils.signing.eip712 import (
    EvmSigner,
    Signature,
    StructType,
    Word,
    address_word,
    bool_word,
    digest,
    domain_separator,
    keccak256,
    string_word,
    uint_word,
)

SIGNATURE_CHAIN: Final = "0x66eee"  # the SDK's, on both networks; any is taken
_NO_CONTRACT: Final = "0x" + 40 * "0"
_EXCHANGE_DOMAIN: Final = domain_separator("Exchange", "1", 1337, _NO_CONTRACT)
_AGENT: Final = StructType("Agent(string source,bytes32 connectionId)")
_MAINNET, _TESTNET = string_word("a"), string_word("b")
# The SDK leaves the vault out of the hash of these, though the body may name it.
WITHOUT_VAULT: Final = frozenset(
    {
        "setReferrer",
        "createSubAccount",
        "subAccountTransfer",
        "subAccountSpotTransfer",
        "vaultTransfer",
        "evmUserModify",
    }
)

pack = msgspec.msgpack.encode  # keeps the order of keys; integers in their shortest form


# --------------------------------------------------------------------------- the exchange


def vault_bytes(vault: str | None) -> bytes:
    """How a vault stands in the hash; one zero byte for none."""
    return b"\0" if not vault else b"\1" + bytes.fromhex(vault.removeprefix("0x"))


def hash_action(packed: bytes, nonce: int, vault: bytes, expires_ms: int | None) -> bytes:
    """`connectionId`: of a packed action, its nonce, `vault_bytes`, and the end of its life."""
    data = packed + nonce.to_bytes(8, "big") + vault
    if expires_ms is not None:
        data += b"\0" + expires_ms.to_bytes(8, "big")
    return keccak256(data)


def exchange_digest(connection_id: bytes, *, testnet: bool) -> bytes:
    """What is signed for an action of the exchange."""
    source = _TESTNET if testnet else _MAINNET
    return digest(_EXCHANGE_DOMAIN, _AGENT.hash(source, connection_id))


# --------------------------------------------------------------------------- the wallet


class WalletAction(NamedTuple):
    """Members of a typed action in their order, without the chain, which comes first in each.

    `nonce` is the member that repeats the request's nonce.
    """

    name: str
    members: tuple[tuple[str, str], ...]
    nonce: str = "nonce"

    @property
    def struct(self) -> StructType:
        return _struct(self)


WALLET_ACTIONS: Final[Mapping[str, WalletAction]] = {
    "usdSend": WalletAction(
        "UsdSend", (("string", "destination"), ("string", "amount"), ("uint64", "time")), "time"
    ),
    "spotSend": WalletAction(
        "SpotSend",
        (
            ("string", "destination"),
            ("string", "token"),
            ("string", "amount"),
            ("uint64", "time"),
        ),
        "time",
    ),
    "withdraw3": WalletAction(
        "Withdraw", (("string", "destination"), ("string", "amount"), ("uint64", "time")), "time"
    ),
    "usdClassTransfer": WalletAction(
        "UsdClassTransfer", (("string", "amount"), ("bool", "toPerp"), ("uint64", "nonce"))
    ),
    "sendAsset": WalletAction(
        "SendAsset",
        (
            ("string", "destination"),
            ("string", "sourceDex"),
            ("string", "destinationDex"),
            ("string", "token"),
            ("string", "amount"),
            ("string", "fromSubAccount"),
            ("uint64", "nonce"),
        ),
    ),
    "approveAgent": WalletAction(
        "ApproveAgent", (("address", "agentAddress"), ("string", "agentName"), ("uint64", "nonce"))
    ),
    "approveBuilderFee": WalletAction(
        "ApproveBuilderFee",
        (("string", "maxFeeRate"), ("address", "builder"), ("uint64", "nonce")),
    ),
    "userSetAbstraction": WalletAction(
        "UserSetAbstraction",
        (("address", "user"), ("string", "abstraction"), ("uint64", "nonce")),
    ),
}

_WORDS: Final[Mapping[str, Callable[[Json], Word]]] = {
    "string": string_word,
    "uint64": lambda value: uint_word(value, 64),
    "bool": bool_word,
    "address": address_word,
}


@lru_cache(maxsize=16)
def _struct(action: WalletAction) -> StructType:
    members = ",".join(f"{kind} {name}" for kind, name in action.members)
    name = f"HyperliquidTransaction:{action.name}"
    return StructType(f"{name}(string hyperliquidChain,{members})")


@lru_cache(maxsize=4)
def _wallet_domain(chain_id: str) -> Word:
    return domain_separator("HyperliquidSignTransaction", "1", int(chain_id, 16), _NO_CONTRACT)


def completed(action: Mapping[str, Json], nonce: int, *, testnet: bool) -> dict[str, Json]:
    """A wallet's action with its nonce and its network, as it is sent."""
    kind = WALLET_ACTIONS[action["type"]]
    chain = "Testnet" if testnet else "Mainnet"
    added = {kind.nonce: nonce, "signatureChainId": SIGNATURE_CHAIN, "hyperliquidChain": chain}
    return {**action, **added}


def wallet_digest(action: Mapping[str, Json]) -> bytes:
    """What is signed for a completed action of the wallet. A member left out is empty text."""
    kind = WALLET_ACTIONS[action["type"]]
    words = [_WORDS[type_](action.get(name, "")) for type_, name in kind.members]
    struct_hash = kind.struct.hash(string_word(action["hyperliquidChain"]), *words)
    return digest(_wallet_domain(action["signatureChainId"]), struct_hash)


# --------------------------------------------------------------------------- bodies


def signed_body(
    action: bytes,
    nonce: int,
    signature: Signature,
    *,
    vault: str | None = None,
    expires_ms: int | None = None,
) -> bytes:
    """The body of an action whose JSON is made already."""
    r, s, v = signature
    return b'{"action":%b,"nonce":%d,"signature":{"r":"0x%b","s":"0x%b","v":%d},%b}' % (
        action,
        nonce,
        r.hex().encode(),
        s.hex().encode(),
        v,
        _ends(vault, expires_ms),
    )


def _ends(vault: str | None, expires_ms: int | None) -> bytes:
    named = f'"{vault}"' if vault else "null"
    ends = "null" if expires_ms is None else str(expires_ms)
    return f'"vaultAddress":{named},"expiresAfter":{ends}'.encode()


def wallet_body(
    signer: EvmSigner, action: Mapping[str, Json], nonce: int, *, testnet: bool
) -> bytes:
    """The signed body of an action of the wallet."""
    whole = completed(action, nonce, testnet=testnet)
    signature = signer.sign(wallet_digest(whole))
    return signed_body(msgspec.json.encode(whole), nonce, signature)

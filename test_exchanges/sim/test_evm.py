"""Ethereum's signatures for simulated venues, against what eth-account 0.14 gave.

Its answers are written down: importing it would raise the recursion limit of the whole test run.
"""

from __future__ import annotations

import pytest

from mpdex.sim import evm

ADDRESSES = {
    1: "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf",
    0x0101: "0x25a71a07cecf1753ee65b00e0a3aaef7e0f51c0f",
    evm.N - 1: "0x80c0dbf239224071c59dd8970ab9d542e3414ab2",
}
# Key 0x0707..07 and the text below, as a wallet signs it.
WALLET = "0x4a62316623ad457f02cdc5d997ded67a383ec569"
R = 0xC24D2DF1FC56F36BC74576F945D5D72E643F751568FC3E56E50B003DDE8C193C
S = 0x2CDABBA7C996BB8E984BAC82A98142CFEF745CB56119AA97D4D555FA4C19DBAE
V = 28


@pytest.mark.parametrize(("key", "address"), ADDRESSES.items())
def test_addresses_are_those_of_the_keys(key: int, address: str) -> None:
    assert evm.address_of(key) == address


@pytest.mark.parametrize("key", ADDRESSES)
@pytest.mark.parametrize("library", [True, False])
def test_a_signature_made_here_leads_back_to_its_key(
    key: int, library: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not library:
        monkeypatch.setattr(evm, "coincurve", None)
    for text in (b"one", b"two", b"three"):
        hashed = evm.keccak(text)
        r, s, v = evm.sign(key, hashed)
        assert s <= evm.N // 2
        assert evm.recover(hashed, r, s, v) == evm.address_of(key)
        assert evm.recover(evm.keccak(text + b"!"), r, s, v) != evm.address_of(key)


def test_a_personal_message_is_recovered_as_wallets_sign_it() -> None:
    hashed = evm.personal_digest("Sign in with nonce: ä1".encode())
    assert evm.recover(hashed, R, S, V) == WALLET

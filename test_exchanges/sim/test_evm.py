"""Ethereum's signatures for simulated venues, against eth-account."""

from __future__ import annotations

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from mpdex.sim import evm

KEYS = [1, 0x0101, evm.N - 1]


@pytest.mark.parametrize("key", KEYS)
def test_addresses_are_those_of_the_keys(key: int) -> None:
    assert evm.address_of(key) == Account.from_key(key.to_bytes(32, "big")).address.lower()


@pytest.mark.parametrize("key", KEYS)
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
    wallet = Account.from_key(b"\x07" * 32)
    signed = wallet.sign_message(encode_defunct(text="Sign in with nonce: ä1"))
    hashed = evm.personal_digest("Sign in with nonce: ä1".encode())
    assert evm.recover(hashed, signed.r, signed.s, signed.v) == wallet.address.lower()

"""The name of an account that gives no key away, and which orders are ours."""

from __future__ import annotations

from typing import Any

import pytest

from wrappers.grvt import GrvtExchange

KEYS = {"api_key": "an-api-key", "private_key": "0x" + "1" * 64, "sub_account_id": "1234567890"}
TESTNET = {"trade": "https://trades.testnet.grvt.io"}


def dex(**changes: Any) -> GrvtExchange:
    return GrvtExchange(**{**KEYS, **changes})


def test_two_keys_of_one_account_have_one_name() -> None:
    assert dex().account_id == dex(api_key="another", private_key="0x" + "2" * 64).account_id


@pytest.mark.parametrize("changes", [{"sub_account_id": "1"}, {"endpoints": TESTNET}], ids=str)
def test_another_account_or_another_place_has_another(changes: dict[str, Any]) -> None:
    assert dex().account_id != dex(**changes).account_id


def test_the_name_is_short_and_holds_no_key() -> None:
    name = dex().account_id
    assert len(name) == 12
    assert not any(key in name for key in KEYS.values())


def test_our_orders_are_told_from_others() -> None:
    one = dex()
    assert one.owns(one.new_client_id())
    assert dex().owns(one.new_client_id())
    for other in (None, "", "7", str(2**63 + 5), "abc"):
        assert not one.owns(other)

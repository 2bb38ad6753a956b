"""The simulated Superstack against every recorded payload: the same keys, the same kinds of value,
and refusals word for word. No answer of `/api/exchange` was ever recorded."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpdex.sim.run import EPOCH_NS
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues.superstack_wallet import TRADING, VIEW, WalletApi

ACCOUNT = "0x" + "11" * 20


class StoppedClock:
    def now_ms(self) -> int:
        return EPOCH_NS // 10**6

    def now_ns(self) -> int:
        return EPOCH_NS

    def monotonic(self) -> float:
        return 0.0


def info(permissions: int = VIEW, key: str = "") -> SimReply:
    wallet = WalletApi(
        [ACCOUNT],
        clock=StoppedClock(),
        rng=random.Random(1),
        sign=lambda *_: None,
        chain="Mainnet",
    )
    wallet.allow(ACCOUNT, permissions, only_from=None)
    headers = {"authorization": f"Bearer {key or wallet.secret_of(ACCOUNT)}"}
    return wallet.info(SimRequest("GET", "/api/info", headers=headers))


MADE: dict[str, tuple[int, Callable[[], SimReply]]] = {
    "http_info_ok": (200, info),
    "http_error_401_invalid_api_key": (401, lambda: info(key="unknown")),
    "http_error_403_no_view_permission": (403, lambda: info(permissions=TRADING)),
}


def shape(value: Any) -> Any:
    """Keys and kinds; of a list the kinds that it holds."""
    match value:
        case dict():
            return {key: shape(one) for key, one in value.items()}
        case list():
            return {json.dumps(shape(one), sort_keys=True) for one in value}
    return type(value).__name__


@pytest.mark.parametrize("name", MADE)
def test_recording(shared: Path, name: str) -> None:
    recorded = json.loads((shared / "recorded" / "superstack" / f"{name}.json").read_text())
    status, make = MADE[name]
    reply = make()
    rendered = json.loads(reply.encode()[0])
    assert reply.status == status
    if status != 200:
        assert rendered == recorded
        return
    kinds = rendered["user_info"]["wallets"]
    rendered["user_info"]["wallets"] = [w for w in kinds if w["wallet_set"] == "Main"]
    assert shape(rendered) == shape(recorded), "a user with other wallets has an object there"
    assert rendered["api_info"]["permissions"] == recorded["api_info"]["permissions"]


def test_every_recording_is_made(shared: Path) -> None:
    files = (shared / "recorded" / "superstack").glob("*.json")
    assert {file.stem for file in files} == set(MADE)

"""Lighter's Python SDK and ccxt trade on the simulated venue, unchanged but for the addresses.

Both sign with the venue's own native library. They run in environments of their own and in real
time; what they report is asserted here, beside the venue's truth.
"""

from __future__ import annotations

import platform
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from reference.sdk import interpreter, play

from mpdex.sim.run import Running

pytestmark = pytest.mark.reference

D = Decimal
LIBRARIES = {
    ("Linux", "x86_64"): "linux-amd64.so",
    ("Linux", "aarch64"): "linux-arm64.so",
    ("Darwin", "arm64"): "darwin-arm64.dylib",
    ("Darwin", "x86_64"): "darwin-amd64.dylib",
    ("Windows", "AMD64"): "windows-amd64.dll",
}


def held(running: Running) -> Decimal:
    """Position by the venue's truth."""
    (account,) = running.exchanges["lighter"].accounts.values()
    return account.size("ETH")


def codes(report: dict[str, Any], *names: str) -> list[int]:
    """Of the replies to commands; none of them failed."""
    assert [report[name]["error"] for name in names] == [None] * len(names)
    return [report[name]["reply"]["code"] for name in names]


@pytest.fixture
def signer_of_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The native library of the SDK's environment, where ccxt finds it."""
    name = f"lighter-signer-{LIBRARIES[platform.system(), platform.machine()]}"
    found = Path(interpreter("lighter")).parent.parent.rglob(f"lighter/signers/{name}")
    monkeypatch.setenv("LIGHTER_SIGNER", str(next(found)))


async def test_the_sdk_trades() -> None:
    report, running = await play("lighter", "trade")
    assert report["checked"] is None
    done = ("placed", "modified", "canceled", "crossing", "taken", "slipping", "reduced")
    assert codes(report, *done, "leverage", "rested", "swept") == [200] * 10
    [active] = report["active"]
    assert (active["client_order_index"], active["status"]) == (1001, "open")
    assert (active["initial_base_amount"], active["order_version"]) == ("0.1000", 1)
    ends = {order["client_order_index"]: order["status"] for order in report["past"]}
    assert ends == {
        1001: "canceled",
        1002: "canceled-post-only",
        1003: "filled",
        1004: "filled",
        1005: "filled",
        1006: "canceled",
    }
    assert [order["client_order_index"] for order in report["by_id"]] == [1001, 1003]
    own = int(running.credentials["lighter"]["account_index"])
    bought = {t["bid_client_id"] for t in report["trades"] if t["bid_account_id"] == own}
    sold = {t["ask_client_id"] for t in report["trades"] if t["ask_account_id"] == own}
    assert (bought, sold) == ({1003, 1004}, {1005})
    [position] = report["account"]["positions"]
    assert (position["position"], position["sign"]) == ("0.0500", 1)
    assert position["initial_margin_fraction"] == "33.33"
    assert report["transaction"]["status"] == 2
    hashes = {trade["tx_hash"] for trade in report["trades"]}
    assert report["transaction"]["hash"] in hashes
    assert held(running) == D("0.05")


async def test_the_sdk_reads_everything() -> None:
    report, running = await play("lighter", "queries")
    assert {answer.get("code", 200) for answer in report.values()} == {200}
    assert [m["symbol"] for m in report["details"]["order_book_details"]] == ["ETH", "BTC", "SOL"]
    assert [m["symbol"] for m in report["one"]["order_book_details"]] == ["ETH"]
    assert len(report["books"]["order_books"]) == 4
    assert len(report["orders"]["bids"]) == 5
    assert report["limits"]["user_tier"] == "premium"
    [key] = report["keys"]["api_keys"]
    assert key["nonce"] == report["nonce"]["nonce"]
    assert key["account_index"] == int(running.credentials["lighter"]["account_index"])
    assert report["funding"]["position_fundings"] == []


async def test_the_sdk_is_refused() -> None:
    report, running = await play("lighter", "refusals")
    expected = {
        "small": "21706",
        "unknown": "21700",
        "twice": "21728",
        "nonce": "21104",
        "stop": "21710",
        "stranger": "21120",
    }
    for name, code in expected.items():
        assert report[name]["reply"] is None, name
        assert f"code={code} " in report[name]["error"], name
    assert codes(report, "placed", "skipping") == [200, 200]
    assert "does not match" in report["mismatch"]
    status, text = report["token"]
    assert (status, "auth" in text) == (400, True)
    assert held(running) == 0


async def test_the_sdks_socket_follows_book_and_account() -> None:
    report, running = await play("lighter", "stream")
    assert codes(report, "taken") == [200]
    assert len(report["books"]) > 1
    assert all(bids and asks for _, bids, asks in report["books"])
    account = running.credentials["lighter"]["account_index"]
    assert {name for name, *_ in report["updates"]} == {account}
    assert report["updates"][0][1] == "subscribed/account_all"
    told = [trades for _, _, _, trades in report["updates"] if trades]
    assert sum(D(trade["size"]) for trades in told for trade in trades["0"]) == D("0.05")
    last = [positions for _, _, positions, _ in report["updates"] if positions][-1]
    assert last["0"]["position"] == "0.0500"
    assert held(running) == D("0.05")


@pytest.mark.usefixtures("signer_of_the_sdk")
async def test_ccxt_trades() -> None:
    report, running = await play("lighter", "rest", name="lighter_ccxt")
    assert report["markets"] == ["BTC/USDC:USDC", "ETH/USDC", "ETH/USDC:USDC", "SOL/USDC:USDC"]
    assert (report["placed"], report["leverage"]) == (200, 200)
    assert report["active"] == ["41", "open", "buy", "limit", 0]
    assert report["position"] == ["long", 0.05, 20]
    assert "21706" in report["refused"]
    assert report["closed"] == [
        ["41", "canceled", "buy", "limit", 0],
        ["42", "closed", "buy", "market", 0.05],
        ["43", "closed", "sell", "market", 0.05],
    ]
    assert {(side, role) for side, role, _ in report["trades"]} == {
        ("buy", "taker"),
        ("sell", "taker"),
    }
    assert 99_000 < report["balance"] < 100_000
    assert (report["funding"], report["status"]) == (0.0008, "ok")
    assert held(running) == 0


@pytest.mark.usefixtures("signer_of_the_sdk")
async def test_ccxt_follows_the_market_and_the_account() -> None:
    report, running = await play("lighter", "pro", name="lighter_ccxt")
    assert all(report["book"])
    assert not report["crossed"]
    assert report["mark"] > 0
    assert report["orders"][0][:2] == ["51", "open"]
    assert held(running) == D("0.05")

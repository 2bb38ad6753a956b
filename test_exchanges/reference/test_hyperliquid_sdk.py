"""Hyperliquid's official SDK, and ccxt, trade on the simulated venue, unchanged but for addresses.

They run in an environment of their own and in real time; what they report is asserted here, beside
the venue's truth.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from reference.sdk import play

from mpdex.sim.run import Running

pytestmark = pytest.mark.reference

ETH, XYZ, SPOT = "ETH", "xyz:XYZ100", "@151"
PAIR = "ETH/USDC:USDC"
DEFAULT = {"status": "ok", "response": {"type": "default"}}
CLOID = f"0x{1001:032x}"
D = Decimal


def held(running: Running, symbol: str = ETH) -> Decimal:
    """Position by the venue's truth, of every account."""
    accounts = running.exchanges["hyperliquid"].accounts.values()
    return sum((account.size(symbol) for account in accounts), D(0))


def statuses(answer: dict[str, Any]) -> list[Any]:
    assert answer["status"] == "ok", answer
    return list(answer["response"]["data"]["statuses"])


def status(answer: dict[str, Any]) -> Any:
    [only] = statuses(answer)
    return only


async def test_the_sdk_trades_with_an_agents_key() -> None:
    report, running = await play("hyperliquid", "trade")
    assert report["assets"] == {
        "BTC": 0,
        "ETH": 1,
        "ATOM": 2,
        "MATIC": 3,
        "DYDX": 4,
        "SOL": 5,
        XYZ: 110_000,
        "PURR/USDC": 10_000,
        SPOT: 10_151,
    }
    assert report["leverage"] == DEFAULT
    assert status(report["placed"])["resting"]["cloid"] == CLOID
    assert [order["cloid"] for order in report["open"]] == [CLOID]
    assert report["found"]["order"]["status"] == "open"
    assert status(report["modified"])["resting"]["cloid"] == CLOID
    assert status(report["canceled"]) == "success"
    assert status(report["gone"])["error"].startswith("Order was never placed")
    assert status(report["crossing"])["error"].startswith("Post only order would have")
    assert status(report["small"])["error"] == "Order must have minimum value of $10. asset=1"
    assert status(report["idle"])["error"].startswith("Order could not immediately match")
    assert [next(iter(one)) for one in statuses(report["batch"])] == ["resting", "resting"]
    assert statuses(report["batch_canceled"]) == ["success", "success"]
    assert status(report["opened"])["filled"]["totalSz"] == "0.05"
    [position] = report["state"]["assetPositions"]
    assert position["position"]["szi"] == "0.05"
    assert position["position"]["leverage"] == {"type": "cross", "value": 10}
    assert status(report["closed"])["filled"]["totalSz"] == "0.05"
    assert report["flat"]["assetPositions"] == []
    assert sum(D(fill["sz"]) for fill in report["fills"]) == D("0.1")
    assert status(report["dex"])["filled"]["totalSz"] == "0.01"
    assert report["dex_state"]["assetPositions"][0]["position"]["coin"] == XYZ
    assert status(report["spot"])["filled"]["totalSz"] == "0.05"
    assert {row["coin"] for row in report["spot_state"]["balances"]} == {"USDC", "UETH"}
    assert report["late"] == {"status": "err", "response": "Action already expired"}
    assert report["scheduled"] == report["unscheduled"] == report["fence"] == DEFAULT
    assert report["stranger"]["response"].endswith("does not exist.")
    assert report["agents_withdrawal"]["response"].startswith("Must deposit")
    assert (held(running), held(running, XYZ)) == (0, D("0.01"))


async def test_the_sdk_with_the_masters_own_key() -> None:
    report, _ = await play("hyperliquid", "wallet")
    for name in ("builder", "to_spot", "sent", "spot_sent", "asset_sent", "withdrawn"):
        assert report[name] == DEFAULT, name
    for name in ("approved", "sub_funded", "unified"):
        assert report[name] == DEFAULT, name
    assert "filled" in status(report["built"])
    [fill] = report["fills"]
    assert D(fill["builderFee"]) > 0
    assert "resting" in status(report["by_new_agent"])
    assert "resting" in status(report["sub_order"])
    assert [order["coin"] for order in report["sub_open"]] == [ETH]
    assert report["not_ours"]["response"].startswith("Vault not registered: 0x5e5e")
    assert report["refused"]["response"] == "Action disabled when unified account is active"
    assert report["mode"] == "unifiedAccount"


async def test_every_question_of_the_sdk_is_answered() -> None:
    report, _ = await play("hyperliquid", "info")
    assert len(report) == 26
    assert report.pop("query_sub_accounts") is None
    for name, answer in report.items():
        assert answer is not None, name
        assert not (isinstance(answer, dict) and "error" in answer), (name, answer)
    assert report["query_user_abstraction_state"] == "default"
    assert [fill["coin"] for fill in report["user_fills"]] == [ETH]
    assert report["user_role"] == {"role": "user"}


async def test_the_sdks_streams() -> None:
    report, running = await play("hyperliquid", "stream")
    assert all(side["px"] for side in report["bbo"]["bbo"])
    assert report["l2Book"]["coin"] == report["activeAssetCtx"]["coin"] == ETH
    assert report["trades"][0]["coin"] == ETH
    assert ETH in report["allMids"]["mids"]
    assert report["activeAssetData"]["leverage"]["type"] == "cross"
    assert report["snapshot"]["isSnapshot"] is True
    told = [(int(cloid, 16), word) for cloid, word in report["events"]]
    assert told == [(7, "open"), (7, "canceled"), (8, "open"), (8, "filled")]
    assert sum(D(fill["sz"]) for fill in report["fills"]) == D("0.05")
    assert held(running) == D("0.05")


async def test_ccxt_by_rest() -> None:
    report, running = await play("hyperliquid", "ccxt")
    assert {PAIR, "BTC/USDC:USDC", "ETH/USDC", "XYZ-XYZ100/USDC:USDC"} <= set(report["markets"])
    assert report["precision"] == {"amount": 0.0001, "price": 0.1}
    assert report["balance"]["USDC"] == 100_000
    assert report["open"] == [report["placed"]]
    states = (report["found"], report["canceled"], report["fetched"])
    assert states == ("open", "success", "canceled")
    assert "Post only order would have" in report["crossing"][1]
    assert report["unknown"][0] == "OrderNotFound"
    assert report["positions"] == [[PAIR, 0.05, "long"]]
    assert report["fills"] == [[0.05, "taker", "USDC"]]
    assert (report["leverage"], report["rate"], report["fees"]) == ("ok", 0.0000125, 0.00045)
    assert report["transfer"] == DEFAULT
    assert report["spot"]["USDC"] == 20_005
    assert held(running) == D("0.05")


async def test_ccxt_by_websocket() -> None:
    report, running = await play("hyperliquid", "pro")
    assert min(report["levels"]) > 0
    assert report["ticker"] > 0
    assert report["told"] == [[report["placed"], "open"]]
    assert report["canceled"] == "success"
    assert sum(D(str(size)) for size in report["trades"]) == D("0.05")
    assert held(running) == D("0.05")

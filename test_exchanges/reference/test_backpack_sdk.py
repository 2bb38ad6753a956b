"""Backpack's Python SDK trades on the simulated venue, unchanged but for the addresses.

It runs in an environment of its own and in real time; what it reports is asserted here, beside the
venue's truth.
"""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise

import pytest
from reference.sdk import FOLDER, play

from mpdex.sim.run import Running

pytestmark = pytest.mark.reference

ETH = "ETH_USDC_PERP"
SYMBOLS = {ETH, "BTC_USDC_PERP", "SOL_USDC_PERP", "ETH_USDC"}
VECTORS = FOLDER.parent / "vectors" / "backpack.json"
D = Decimal


def held(running: Running) -> Decimal:
    """Position by the venue's truth."""
    (account,) = running.exchanges["backpack"].accounts.values()
    return account.size(ETH)


async def test_the_synchronous_classes() -> None:
    report, running = await play("backpack", "sync")
    assert report["status"]["status"] == "Ok"
    assert report["ping"] == "pong"
    assert int(report["time"]) > 1_700_000_000_000
    assert set(report["markets"]) == SYMBOLS == {row["symbol"] for row in report["tickers"]}
    assert report["ticker"]["symbol"] == ETH
    for public in ("trades", "interest", "rates"):
        assert isinstance(report[public], list)
    assert (report["placed"]["status"], report["placed"]["clientId"]) == ("New", 1001)
    assert report["open"] == [report["placed"]] == [report["found"]]
    assert report["canceled"] == {**report["placed"], "status": "Cancelled"}
    assert report["gone"]["code"] == "RESOURCE_NOT_FOUND"
    assert report["crossing"]["code"] == "INVALID_ORDER"
    assert (report["taken"]["status"], report["taken"]["executedQuantity"]) == ("Filled", "0.05")
    [position] = report["positions"]
    assert (position["symbol"], position["netQuantity"]) == (ETH, "0.05")
    assert {fill["clientId"] for fill in report["fills"]} == {"1003"}
    assert sum(D(fill["quantity"]) for fill in report["fills"]) == D("0.05")
    past = [(order["clientId"], order["status"]) for order in report["history"]]
    assert past == [(1003, "Filled"), (1001, "Cancelled")]
    assert report["stranger"] == {"code": "INVALID_CLIENT_REQUEST", "message": "Invalid signature"}
    assert held(running) == D("0.05")


async def test_the_asynchronous_classes() -> None:
    report, running = await play("backpack", "async")
    assert set(report["markets"]) == SYMBOLS
    assert [order["id"] for order in report["open"]] == [report["placed"]["id"]]
    assert report["canceled"]["status"] == "Cancelled"
    assert (report["taken"]["status"], report["taken"]["orderType"]) == ("Filled", "Market")
    assert [row["netQuantity"] for row in report["positions"]] == ["-0.05"]
    assert all(fill["side"] == "Ask" and not fill["isMaker"] for fill in report["fills"])
    assert (report["closed"]["status"], report["closed"]["reduceOnly"]) == ("Filled", True)
    assert report["flat"] == []
    assert held(running) == 0


async def test_every_method_of_the_vectors_is_answered() -> None:
    report, _ = await play("backpack", "methods")
    wanted = {
        case["input"]["call"]
        for case in json.loads(VECTORS.read_text())["cases"]
        if case["sdk_call"].startswith("bpx.account.")
    }
    assert wanted <= {name for name, _ in report["answers"]}
    for name, answer in report["answers"]:
        assert answer is not None, name
        assert not (isinstance(answer, dict) and "code" in answer), (name, answer)
        assert not isinstance(answer, str) or (name, answer) == ("update_account", "")


async def test_the_stream_with_a_subscription_that_the_sdk_signed() -> None:
    report, running = await play("backpack", "stream")
    depth = [f["data"] for f in report["public"] if f["stream"] == f"depth.{ETH}"]
    assert depth
    assert all(later["U"] == one["u"] + 1 for one, later in pairwise(depth))
    assert any(frame["stream"] == f"bookTicker.{ETH}" for frame in report["public"])
    told = [(frame["data"]["e"], frame["data"].get("c")) for frame in report["events"]]
    fills = [one for one in told if one == ("orderFill", 3002)]
    assert told == [
        ("orderAccepted", 3001),
        ("orderCancelled", 3001),
        ("orderAccepted", 3002),
        *fills,
        ("positionOpened", None),
    ]
    assert fills
    assert report["taken"]["status"] == "Filled"
    assert held(running) == D("0.05")

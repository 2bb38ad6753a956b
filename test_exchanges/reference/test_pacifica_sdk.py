"""Pacifica's Python SDK, and ccxt, trade on the simulated venue, unchanged but for the addresses.

They run in an environment of their own and in real time; what they report is asserted here, beside
the venue's truth. Both sign as an agent of the account.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from reference.sdk import play

from mpdex.sim.run import Running

pytestmark = pytest.mark.reference

D = Decimal
SYMBOLS = ["ETH", "BTC", "SOL", "ETH-USDC"]
PAIRS = {"ETH/USDC:USDC", "BTC/USDC:USDC", "SOL/USDC:USDC", "ETH/USDC"}
NAME = "00000000-0000-0000-0000-000000000001"


def held(running: Running) -> Decimal:
    """Position by the venue's truth."""
    (account,) = running.exchanges["pacifica"].accounts.values()
    return account.size("ETH")


async def test_the_sdk_trades() -> None:
    report, running = await play("pacifica", "sdk")
    assert [row["symbol"] for row in report["markets"]] == SYMBOLS
    assert [row["symbol"] for row in report["prices"]] == SYMBOLS
    assert isinstance(report["trades"], list)
    assert report["rates"]["data"][0]["funding_rate"] == "0.0000125"
    number = report["placed"]["order_id"]
    assert report["open"] == [report["found"]]
    assert (report["found"]["order_id"], report["found"]["client_order_id"]) == (number, NAME)
    assert report["edited"]["order_id"] > number
    assert report["canceled"] == {"success": True, "cancelled_count": None}
    assert report["all"]["cancelled_count"] == 1
    assert (report["crossing"]["order_status"], report["crossing"]["filled_amount"]) == (
        "rejected",
        "0",
    )
    assert (report["taken"]["order_status"], report["taken"]["filled_amount"]) == ("filled", "0.05")
    [position] = report["positions"]["positions"]
    assert (position["symbol"], position["side"], position["amount"]) == ("ETH", "bid", "0.05")
    fills = report["fills"]["data"]
    assert {fill["order_id"] for fill in fills} == {report["taken"]["order_id"]}
    assert sum(D(fill["amount"]) for fill in fills) == D("0.05")
    assert (report["closed"]["order_status"], report["closed"]["order_type"]) == (
        "filled",
        "market",
    )
    assert report["snapshot"]["positions"]["positions"] == []
    assert D(report["snapshot"]["info"]["account_equity"]) < 100_000
    history = report["history"]
    assert [row["order_status"] for row in history["data"]] == ["filled", "filled", "rejected"]
    assert history["has_more"]
    remaining, _, quota = report["budget"]
    assert 0 < remaining < quota == 100
    assert held(running) == 0


async def test_the_sdk_changes_settings_and_is_refused() -> None:
    report, running = await play("pacifica", "settings")
    assert report["before"]["margin_settings"] == []
    [chosen] = report["after"]["margin_settings"]
    assert (chosen["symbol"], chosen["leverage"], chosen["isolated"]) == ("ETH", 10, True)
    assert report["refused"] == {
        "cancel": [422, 6],
        "reduce": [422, 23],
        "agents": [403, 403],
        "bracket": [422, 51],
    }
    assert report["funding"]["data"] == []
    assert held(running) == 0


async def test_the_sdk_follows_the_account_and_the_markets() -> None:
    report, running = await play("pacifica", "stream")
    events = report["events"]
    updates = [
        (row["oe"], row["order_status"])
        for channel, rows, _ in events
        for row in rows
        if channel == "account_order_updates"
    ]
    fills = [one for one in updates if one[0] == "fulfill_market"]
    assert updates == [("make", "open"), ("cancel", "cancelled"), *fills]
    assert fills[-1] == ("fulfill_market", "filled")
    channels = [channel for channel, _, _ in events]
    first = channels.index("account_trades")
    assert channels[first - 1] == "account_order_updates"
    assert channels[-2:] == ["account_positions", "account_info"]
    numbers = [li or max((row.get("li") or 0 for row in rows), default=0) for _, rows, li in events]
    told = [number for number in numbers if number]
    assert all(later > one for one, later in pairwise(told))
    assert report["exposure"] == "0.05"
    assert held(running) == D("0.05")
    assert report["public"].keys() == {"prices", "book", "bbo", "trades"}
    assert [row["symbol"] for row in report["public"]["book"]] == ["ETH"]


async def test_ccxt_trades() -> None:
    report, running = await play("pacifica", "ccxt")
    assert set(report["markets"]) == PAIRS
    assert report["book"]["bids"][0][0] < report["book"]["asks"][0][0]
    [opened] = report["open"]
    assert (opened["id"], opened["clientOrderId"]) == (report["placed"], NAME)
    assert int(report["edited"]) > int(report["placed"])
    assert report["canceled"]["status"] == "canceled"
    assert (report["taken"]["status"], report["taken"]["filled"]) == ("closed", 0.05)
    [position] = report["positions"]
    assert (position["side"], position["contracts"]) == ("long", 0.05)
    assert sum(D(str(fill["amount"])) for fill in report["fills"]) == D("0.05")
    assert 99_000 < report["balance"]["total"] < 100_000
    assert (report["fees"]["maker"], report["fees"]["taker"]) == (0.00015, 0.0004)
    [chosen] = report["settings"]
    assert (chosen["symbol"], int(chosen["leverage"])) == ("ETH", 20)
    assert report["flat"] == []
    assert "Failed to cancel order" in report["missing"]
    assert held(running) == 0


async def test_ccxt_trades_over_the_socket() -> None:
    report, running = await play("pacifica", "pro")
    assert report["book"]["bids"][0][0] < report["book"]["asks"][0][0]
    assert report["tickers"] == ["ETH/USDC:USDC"]
    assert (report["placed"]["code"], report["placed"]["type"]) == (200, "create_order")
    number = report["placed"]["data"]["i"]
    assert [order["id"] for order in report["told"]] == [str(number)]
    assert report["canceled"]["data"] == {"I": None, "i": number, "s": "ETH"}
    assert (report["taken"]["status"], report["taken"]["filled"]) == ("closed", 0.05)
    assert report["missing"][0] == "ExchangeError"
    assert held(running) == D("-0.05")

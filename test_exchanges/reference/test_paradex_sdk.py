"""Paradex's Python SDK, and ccxt, trade on the simulated venue, unchanged but for the addresses.

They run in an environment of their own and in real time; what they report is asserted here, beside
the venue's truth. The SDK signs as a subkey and as a new account, ccxt as a new account.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from reference.sdk import play

from mpdex.sim.run import Running
from mpdex.sim.venues.paradex import ParadexSim

pytestmark = pytest.mark.reference

D = Decimal
ETH, PAIR = "ETH-USD-PERP", "ETH/USD:USDC"
SYMBOLS = [ETH, "BTC-USD-PERP", "SOL-USD-PERP"]


def held(running: Running, place: int = 0) -> Decimal:
    """Position of the first account, or of a later one, by the venue's truth."""
    return [*running.exchanges["paradex"].accounts.values()][place].size(ETH)


def state(order: dict[str, Any]) -> tuple[str, str]:
    return order["status"], order["cancel_reason"]


async def test_the_sdk_trades_as_a_subkey() -> None:
    report, running = await play("paradex", "sdk")
    assert report["state"] == {"status": "ok"}
    assert int(report["time"]["server_time"]) > 1_700_000_000_000
    assert [row["symbol"] for row in report["markets"]] == SYMBOLS
    assert [row["symbol"] for row in report["summary"]] == [ETH]
    assert D(report["bbo"]["bid"]) < D(report["bbo"]["ask"])
    assert isinstance(report["trades"], list)
    assert report["funding"][0]["funding_period_hours"] == 8
    placed = report["placed"]
    assert (placed["status"], placed["client_id"]) == ("NEW", "one")
    assert "DUPLICATED_CLIENT_ID" in report["twice"]
    assert state(report["opened"]) == ("OPEN", "")
    assert report["named"]["id"] == placed["id"] == report["open"][0]["id"]
    assert report["modified"]["request_info"]["status"] == "PENDING"
    assert D(report["moved"]["price"]) == D(placed["price"]) - 1
    assert state(report["canceled"]) == ("CLOSED", "USER_CANCELED")
    assert "CLIENT_ORDER_ID_NOT_FOUND" in report["gone"]
    assert state(report["crossed"]) == ("CLOSED", "POST_ONLY_WOULD_CROSS")
    assert (*state(report["taken"]), report["taken"]["remaining_size"]) == ("CLOSED", "", "0")
    [position] = report["positions"]
    assert (position["market"], position["side"], position["size"]) == (ETH, "LONG", "0.05")
    assert {fill["order_id"] for fill in report["fills"]} == {report["taken"]["id"]}
    assert sum(D(fill["size"]) for fill in report["fills"]) == D("0.05")
    assert report["closed"]["flags"] == ["REDUCE_ONLY"]
    assert [(row["status"], row["size"]) for row in report["flat"]] == [("CLOSED", "0")]
    assert [order["status"] for order in report["batch"]["orders"]] == ["NEW", "NEW"]
    assert report["batch"]["errors"] == [None, None]
    told = [row["status"] for row in report["unbatched"]["results"]]
    assert told == ["QUEUED_FOR_CANCELLATION", "NOT_FOUND"]
    assert report["left"] == []
    names = [row["client_id"] for row in report["history"]["results"]]
    assert (names, bool(report["history"]["next"])) == (["five", "four", "three"], True)
    account = report["account"]
    assert (account["status"], account["settlement_asset"]) == ("ACTIVE", "USDC")
    assert 99_000 < D(account["account_value"]) < 100_000
    assert report["info"]["fees"]["taker_rate"] == "0.00045"
    assert [row["token"] for row in report["balances"]] == ["USDC"]
    assert len(report["subkeys"]) == 1
    assert report["payments"] == []
    assert report["limits"]["limit"] == 600
    assert 0 < report["limits"]["remaining"] < 600
    assert held(running) == 0


async def test_the_sdk_onboards_a_new_account() -> None:
    report, running = await play("paradex", "newcomer")
    accounts = list(running.exchanges["paradex"].accounts)
    assert accounts[1:] == [report["account"]] == [report["same"]]
    assert (report["before"], report["onboarded"]) == (None, True)
    assert (*state(report["taken"]), report["taken"]["type"]) == ("CLOSED", "", "MARKET")
    assert 99_000 < D(report["value"]) < 100_000
    assert (held(running), held(running, 1)) == (0, D("0.05"))


async def test_the_sdk_enters_orders_over_the_socket() -> None:
    report, running = await play("paradex", "socket")
    assert report["connected"]
    placed = report["placed"]
    assert (placed["order"]["status"], placed["order"]["client_id"]) == ("NEW", "s1")
    assert placed["received_at"] // 1_000_000 == placed["created_at"]
    assert report["modified"]["order"]["request_info"]["request_type"] == "MODIFY_ORDER"
    assert D(report["moved"]["price"]) == D(placed["order"]["price"]) - 1
    assert report["canceled"] == {
        "order_id": placed["order"]["id"],
        "status": "QUEUED_FOR_CANCELLATION",
    }
    assert report["refused"] == [100, "ORDER_IS_CLOSED"]
    first, second = report["batch"]["results"]
    assert first["order"]["status"] == "NEW"
    assert second["error"]["error"] == "DUPLICATED_CLIENT_ID"
    assert (report["guarded"], report["all"]) == ({"enabled": True}, {"status": "ok"})
    assert report["left"] == []
    assert (*state(report["found"]), report["found"]["remaining_size"]) == ("CLOSED", "", "0")
    assert held(running) == D("0.05")


async def test_the_sdk_decodes_binary_frames() -> None:
    report, running = await play("paradex", "binary")
    assert report["connected"]
    orders = [(row["client_order_id"], *state(row)) for row in report["ORDERS"]]
    assert orders[:3] == [
        ("heard", "NEW", ""),
        ("heard", "OPEN", ""),
        ("heard", "CLOSED", "USER_CANCELED"),
    ]
    assert (orders[3], orders[-1]) == (("sold", "NEW", ""), ("sold", "CLOSED", ""))
    assert all(one["seq_no"] < later["seq_no"] for one, later in pairwise(report["ORDERS"]))
    fills = report["FILLS"]
    assert {(row["side"], row["liquidity"], row["fee_currency"]) for row in fills} == {
        ("SELL", "TAKER", "USDC")
    }
    position = report["POSITIONS"][-1]
    assert (position["side"], position["size"]) == ("SHORT", "-0.05000000")
    assert position["last_fill_id"] == fills[-1]["fill_id"]
    assert D(report["ACCOUNT"][-1]["account_value"]) < 100_000
    first, *rest = report["ORDER_BOOK"]
    assert first["pkg_type"] == "SNAPSHOT"
    assert {row["pkg_type"] for row in rest} == {"DELTA"}
    assert first["best_bid_api_price"] == first["bids"][0][0]
    assert {row["market"] for row in report["BBO"]} == {ETH}
    assert report["TRADES"][0]["trade_id_str"].isdigit()
    assert D(report["MARKETS_SUMMARY"][0]["mark_price"]) > 0
    assert report["FUNDING_DATA"][0]["funding_rate"] == "0.00010000"
    assert held(running) == D("-0.05")


async def test_the_sdk_reads_text_frames_where_they_are_offered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ParadexSim, "offers_json", True)
    report, running = await play("paradex", "text")
    assert report["connected"]
    orders = [(row["client_id"], *state(row)) for row in report["ORDERS"]]
    assert orders[:3] == [
        ("heard", "NEW", ""),
        ("heard", "OPEN", ""),
        ("heard", "CLOSED", "USER_CANCELED"),
    ]
    assert report["POSITIONS"][-1]["size"] == "-0.05"
    first, *rest = report["ORDER_BOOK"]
    assert (first["update_type"], first["updates"], first["deletes"]) == ("s", [], [])
    assert {row["update_type"] for row in rest} == {"d"}
    assert all(one["seq_no"] < later["seq_no"] for one, later in pairwise(report["ORDER_BOOK"]))
    assert report["FILLS"][-1]["client_id"] == "sold"
    assert held(running) == D("-0.05")


async def test_ccxt_trades() -> None:
    report, running = await play("paradex", "ccxt")
    assert report["markets"] == [PAIR, "BTC/USD:USDC", "SOL/USD:USDC"]
    assert report["book"]["bids"][0][0] < report["book"]["asks"][0][0]
    assert report["open"] == [report["placed"]] == [report["edited"]]
    assert report["canceled"] == {"status": "canceled", "filled": 0.0, "clientOrderId": "c1"}
    assert (report["taken"]["status"], report["taken"]["filled"]) == ("closed", 0.05)
    assert report["positions"] == [[PAIR, "long", 0.05]]
    assert sum(D(str(amount)) for _, amount, _ in report["fills"]) == D("0.05")
    assert 99_000 < report["balance"] < 100_000
    assert (report["leverage"], report["rate"]) == (5, 0.0001)
    assert report["ticker"] > 0
    assert "ORDER_ID_NOT_FOUND" in report["missing"]
    assert held(running, 1) == D("0.05")


async def test_ccxt_follows_binary_frames() -> None:
    report, running = await play("paradex", "pro")
    assert report["book"]["bids"][0][0] < report["book"]["asks"][0][0]
    assert report["ticker"] > 0
    assert report["order"] == ["closed", 0.05, "sell"]
    side, amount, same = report["fill"]
    assert (side, same) == ("sell", True)
    assert 0 < amount <= 0.05
    assert report["position"][0] == "short"
    assert 99_000 < report["balance"] < 100_000
    assert held(running, 1) == D("-0.05")

"""Extended's Python SDK, and ccxt, trade on the simulated venue, unchanged but for the addresses.

They run in an environment of their own and in real time; what they report is asserted here, beside
the venue's truth. The two sign with different nonces of the curve: the venue only verifies.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from reference.sdk import play

from mpdex.sim.run import Running

pytestmark = pytest.mark.reference

D = Decimal
SYMBOLS = {"ETH-USD", "BTC-USD", "SOL-USD"}
PAIRS = ["BTC/USDC:USDC", "ETH/USDC:USDC", "SOL/USDC:USDC"]


def held(running: Running) -> Decimal:
    """Position by the venue's truth."""
    (account,) = running.exchanges["extended"].accounts.values()
    return account.size("ETH-USD")


async def test_the_sdk_trades() -> None:
    report, running = await play("extended", "sdk")
    assert report["markets"].keys() == SYMBOLS
    assert report["assets"] == ["BTC", "ETH", "SOL", "USD"]
    assert len(report["rates"]) == 1
    assert D(report["stats"]["funding_rate"]) == D("0.000013")
    assert str(report["account"]["l2_vault"]) == running.credentials["extended"]["vault"]
    assert D(report["fees"][0]["taker_fee_rate"]) == D("0.00025")
    assert report["leverage"] == [{"market": "ETH-USD", "leverage": "10"}]
    number = report["placed"]["id"]
    assert report["placed"]["external_id"] == "sdk-1"
    assert "code 404" in report["early"]
    assert report["found"] == report["open"][0] == report["named"][0]
    assert (report["found"]["id"], report["found"]["status"]) == (number, "NEW")
    assert '"code":1134' in report["again"]
    assert [row["external_id"] for row in report["edited"]] == ["sdk-2"]
    assert report["left"] == []
    taken, crossing, *before = report["history"]
    assert (taken["status"], taken["filled_qty"]) == ("FILLED", "0.05")
    assert (crossing["status"], crossing["status_reason"]) == ("REJECTED", "POST_ONLY_FAILED")
    assert [row["status"] for row in before] == ["CANCELLED"] * 3
    assert before[-1]["status_reason"] == "ORDER_REPLACED"
    [position] = report["positions"]
    assert (position["side"], position["size"], position["status"]) == ("LONG", "0.05", "OPENED")
    assert {trade["order_id"] for trade in report["trades"]} == {taken["id"]}
    assert sum(D(trade["qty"]) for trade in report["trades"]) == D("0.05")
    assert D(report["balance"]["balance"]) < 100_000
    assert report["assets_held"][0]["asset"] == "USD"
    assert held(running) == 0


async def test_refusals_reach_the_sdk() -> None:
    report, running = await play("extended", "sdk")
    codes = {"too_much": 1136, "reduce": 1137, "poor": 1140, "unknown": 404}
    for name, code in codes.items():
        assert f'"code":{code}' in report[name], name
    assert "Unauthorized" in report["stranger"]
    assert report["flat"] == []
    [past] = report["past"]
    assert (past["exit_type"], past["side"]) == ("TRADE", "LONG")
    parts = past["realised_pnl_breakdown"]
    assert abs(sum(D(part) for part in parts.values()) - D(past["realised_pnl"])) < D("1e-5")
    orders = running.exchanges["extended"].orders.values()
    assert [order.fees > 0 for order in orders if order.raw["builder_fee"]] == [True]


async def test_the_sdk_waits_for_the_stream() -> None:
    report, running = await play("extended", "blocking")
    assert (report["placed"]["status"], report["placed"]["external_id"]) == ("NEW", "blocking-1")
    assert report["canceled_in_ms"] > 20  # the answer comes before the end
    assert report["crossing"]["status_reason"] == "POST_ONLY_FAILED"
    assert report["taken"]["type"] == "MARKET"
    assert held(running) == D("0.05")


async def test_the_streams_of_the_first_generation() -> None:
    report, _ = await play("extended", "stream")
    for book in (report["book"], report["best"]):
        assert D(book["bid"][0]["price"]) < D(book["ask"][0]["price"])
    assert len(report["best"]["bid"]) == 1
    assert report["trades"][0]["market"] == "ETH-USD"
    assert report["every"][0]["market"] in SYMBOLS
    bid, ask = map(D, report["kept"])
    assert bid < ask
    kinds = [kind for kind, _, _ in report["account"]]
    assert kinds[:3] == ["BALANCE", "POSITION", "ORDER"]
    assert {"TRADE", "POSITION"} <= set(kinds[3:])
    assert [seq for _, seq, _ in report["account"]] == list(range(1, len(kinds) + 1))
    told = [row for _, _, data in report["account"] for row in data["orders"] or ()]
    assert [row["status"] for row in told][:2] == ["NEW", "NEW"]
    assert told[-1]["status"] == "FILLED"
    last = report["account"][-1][2]
    assert (last["positions"][0]["size"], last["positions"][0]["side"]) == ("0.05", "LONG")


async def test_the_streams_of_the_second_generation() -> None:
    report, _ = await play("extended", "rpc")
    assert {"ORDERBOOKS.SNAPSHOT", "ORDERBOOKS.DELTA", "TRADES", "PRICES.MP", "PRICES.IP"} <= set(
        report["types"]
    )
    assert report["breaks"] == []
    assert report["seqs"][0] == 0
    assert all(after == before + 1 for before, after in pairwise(report["seqs"]))
    first, second = report["orders"]
    assert (first["is_snapshot"], first["orders"]) == (True, [])
    assert (second["is_snapshot"], second["orders"][0]["status"]) == (False, "NEW")
    assert len(report["listed"]) == 7
    assert set(report["listed"]) - set(report["left"]) == {"orderbooks.ETH-USD"}


async def test_ccxt_trades() -> None:
    report, running = await play("extended", "ccxt")
    assert report["markets"] == PAIRS
    assert report["leverage"] == 20
    [resting] = report["open"]
    assert (resting["clientOrderId"], resting["postOnly"]) == ("ccxt-1", True)
    assert (report["edited"]["amount"], report["edited"]["status"]) == (0.04, "open")
    assert (report["taken"]["status"], report["taken"]["filled"]) == ("closed", 0.05)
    [position] = report["positions"]
    assert (position["side"], position["contracts"], position["leverage"]) == ("long", "0.05", "20")
    assert sum(fill["amount"] for fill in report["fills"]) == 0.05
    assert {fill["takerOrMaker"] for fill in report["fills"]} == {"taker"}
    assert 0 < report["balance"]["free"] < report["balance"]["total"] < 100_000
    assert (report["fees"]["maker"], report["fees"]["taker"]) == (0, 0.00025)
    assert report["flat"] == []
    assert "New order cost exceeds available balance" in report["poor"]
    assert held(running) == 0


async def test_ccxt_listens_and_pays_a_builder() -> None:
    report, running = await play("extended", "pro")
    (bid, _), (ask, _) = report["book"]
    assert bid < ask
    assert abs(report["mark"] / bid - 1) < 0.01
    assert report["trades"] > 0
    assert report["balance"]["total"] == 100_000
    assert report["orders"] == [report["placed"]]
    number, amount, fee = report["fill"]
    assert (number, amount) == (report["placed"], 0.05)
    assert fee > 0.05 * bid * 0.00034  # the venue's 0.025 % and the builder's 0.01 %
    assert report["position"] == ["long", "0.05"]
    assert held(running) == D("0.05")

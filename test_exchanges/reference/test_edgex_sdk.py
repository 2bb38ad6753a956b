"""EdgeX's Python SDK trades on the simulated venue, unchanged but for the addresses.

Each generation has its own SDK, in an environment of its own and in real time; what they report is
asserted here, beside the venue's truth. The one of v1 draws its signatures anew on every run.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from reference.sdk import play

from mpdex.sim.run import Running
from mpdex.types import OrderStatus

pytestmark = pytest.mark.reference

D = Decimal
Report = dict[str, Any]


async def play_v1(part: str) -> tuple[Report, Running]:
    return await play("edgex", part, environment="edgex_v1", keys="credentials_v1")


def held(running: Running, place: int) -> Decimal:
    """Position by the venue's truth, of the account of v2 or, in the second place, of v1."""
    accounts = [*running.exchanges["edgex"].accounts.values()]
    return accounts[place].size("ETHUSDC")


def check_trades(report: Report, running: Running, contract: str) -> None:
    """What both generations saw alike."""
    [ticker] = report["ticker"]
    assert (ticker["contractId"], ticker["contractName"]) == (contract, report["contracts"][0])
    assert D(report["largest"]["maxBuySize"]) > 300
    number = report["placed"]["orderId"]
    [resting] = report["open"]["dataList"]
    assert (resting["id"], resting["status"], resting["clientOrderId"]) == (number, "OPEN", "sdk-1")
    assert resting["timeInForce"] == "POST_ONLY"
    assert "DUPLICATE_CLIENT_ORDER_ID" in report["again"]
    assert report["canceled"]["cancelResultMap"] == {number: "SUCCESS"}
    assert report["canceled_again"]["cancelResultMap"] == {number: "SUCCESS_ORDER_CANCELED"}
    assert report["by_name"]["cancelResultMap"] == {"sdk-3": "SUCCESS"}
    assert [*report["by_contract"]["cancelResultMap"].values()] == ["SUCCESS"]
    assert report["left"] == []
    [position] = report["held"]["positionList"]
    assert (position["contractId"], position["openSize"]) == (contract, "0.07")
    assert sum(D(fill["fillSize"]) for fill in report["fills"]) == D("0.07")
    assert {fill["direction"] for fill in report["fills"]} == {"TAKER"}
    [worth] = report["held"]["collateralAssetModelList"]
    assert 0 < D(worth["availableAmount"]) < D(worth["totalEquity"]) < 100_000
    assert report["flat"]["positionList"] == []
    assert "ORDER_SIZE_TOO_SMALL" in report["too_small"]
    assert "INVALID_SIGNATURE" in report["stranger"]
    assert "401" in report["stranger"]
    orders = {o.client_id: o for o in running.exchanges["edgex"].orders.values()}
    crossing = orders["sdk-2"]
    assert crossing.order_id == report["crossing"]["orderId"]
    assert (crossing.status, crossing.reason) == (OrderStatus.CANCELED, "post_only")
    assert held(running, 0) == held(running, 1) == 0


async def test_the_sdk_of_v2_trades() -> None:
    report, running = await play("edgex", "v2")
    check_trades(report, running, "30000002")
    assert report["contracts"] == ["ETHUSDC", "BTCUSDC", "SOLUSDC"]
    settings = report["held"]["account"]["contractIdToTradeSetting"]
    assert settings["30000002"]["maxLeverage"] == "10"
    assert report["poor"] == "INSUFFICIENT_MARGIN"
    assert report["wrong_key"] == "INVALID_L2_SIGNATURE"
    assert report["margin"] == "SUCCESS"
    [named] = report["named"]
    assert (named["status"], named["cancelReason"]) == ("CANCELED", "COULD_NOT_FILL")
    assert report["found"][0]["cancelReason"] == "USER_CANCELED"
    assert report["reducing"][0]["cancelReason"] == "REDUCE_ONLY_CANCELED"
    sold, bought, *canceled = report["history"]
    assert [row["status"] for row in canceled] == ["CANCELED"] * 4
    for row, side in ((sold, "SELL"), (bought, "BUY")):
        assert (row["side"], row["status"], row["type"]) == (side, "FILLED", "MARKET")
        assert row["cumMatchSize"] == row["cumFillSize"] == "0.07"
    assert D(report["rate"][0]["fundingRate"]) == D("0.00005")


async def test_the_sdk_of_v1_trades() -> None:
    report, running = await play_v1("v1")
    check_trades(report, running, "10000002")
    assert report["contracts"] == ["ETHUSD", "BTCUSD", "SOLUSD"]
    assert set(report["open"]["dataList"][0]["l2Signature"]) == {"r", "s", "v"}


def check_streams(report: Report, contract: str, gap: int) -> None:
    public, private = report["public"], report["private"]
    assert [frame["type"] for frame in (public[0], private[0])] == ["connected"] * 2
    assert {"pong"} <= {frame["type"] for frame in public} & {frame["type"] for frame in private}
    [error] = [frame["content"] for frame in public if frame["type"] == "error"]
    assert error == {"code": "INVALID_CONTRACT_ID", "msg": "invalid contractId:77"}
    heard = [frame["content"] for frame in public if frame["type"] == "quote-event"]
    channels = {content["channel"] for content in heard}
    assert channels == {f"ticker.{contract}", f"depth.{contract}.15", f"trades.{contract}"}
    books = [c["data"][0] for c in heard if c["channel"].startswith("depth")]
    assert [book["depthType"] for book in books][:2] == ["SNAPSHOT", "CHANGED"]
    for before, after in pairwise(books):
        assert int(after["startVersion"]) == int(before["endVersion"]) + gap
    events = [frame["content"] for frame in private if frame["type"] == "trade-event"]
    assert events[0]["event"] == "Snapshot"
    versions = [content["version"] for content in events]
    assert versions == list(range(versions[0], versions[0] + len(versions)))
    rows = [row for content in events for row in content["data"]["order"]]
    assert [row["status"] for row in rows][:2] == ["PENDING", "OPEN"]
    assert rows[-1]["status"] == "FILLED"
    assert [row["status"] for row in rows].count("FILLED") >= 2  # matched, and booked
    assert rows[-1]["cumFillSize"] == rows[-1]["cumMatchSize"] == "0.07"
    assert events[-1]["data"]["position"][0]["openSize"] == "0.07"


async def test_the_streams_of_v2() -> None:
    report, running = await play("edgex", "v2_streams")
    check_streams(report, "30000002", 0)
    assert held(running, 0) == D("0.07")


async def test_the_streams_of_v1() -> None:
    report, running = await play_v1("v1_streams")
    check_streams(report, "10000002", 1)
    assert held(running, 1) == D("0.07")

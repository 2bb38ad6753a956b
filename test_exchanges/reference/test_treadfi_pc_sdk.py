"""TreadFi's Python client trades on the simulated TreadFi, unchanged but for the address.

It runs in an environment of its own and in real time; what it reports is asserted here, beside the
venue's truth. For the calls of TreadFi's page there is no client of the vendor's.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from reference.sdk import play

from mpdex.sim.run import Running

pytestmark = pytest.mark.reference

PAIR = "ETH:PERP-USDC"
D = Decimal


async def played(part: str) -> tuple[dict[str, Any], Running]:
    return await play("treadfi.pacifica", part, name="treadfi_pc")


def held(running: Running) -> Decimal:
    """Position by the venue's truth."""
    (account,) = running.exchanges["treadfi.pacifica"].accounts.values()
    return account.size("ETH")


def assets(balances: dict[str, Any]) -> dict[str, float]:
    [account] = balances.values()
    return {row["symbol"]: row["size"] for row in account["assets"]}


async def test_orders_from_placing_to_their_end() -> None:
    report, running = await played("orders")
    placed = report["placed"]
    assert (placed["status"], placed["custom_order_id"]) == ("ACTIVE", "client-1")
    assert D(placed["target_order_qty"]) == D("0.05")
    assert report["found"] == placed
    assert [row["id"] for row in report["open"]["orders"]] == [placed["id"]]
    assert report["amended"]["id"] == placed["id"]
    assert D(report["amended"]["limit_price"]) < D(placed["limit_price"])
    assert report["canceled"] == {"message": "Successfully canceled order."}
    assert report["again"] == {"message": "Order is not active."}
    assert (report["ended"]["status"], D(report["ended"]["executed_qty"])) == ("CANCELED", 0)
    for taken in (report["bought"], report["closed"]):
        assert (taken["status"], D(taken["executed_qty"])) == ("COMPLETE", D("0.05"))
        assert D(taken["average_executed_price"]) > 0
    assert assets(report["held"])[PAIR] == 0.05
    assert PAIR not in assets(report["flat"])
    assert "minimum" in report["small"]["error"]
    assert held(running) == 0
    truth = running.exchanges["treadfi.pacifica"].orders.values()
    assert len(truth) == 4, "placed, amended, bought, closed"


async def test_every_other_method_is_answered() -> None:
    report, running = await played("calls")
    assert report["multi"]["status"] == "SUBMITTED"
    assert report["ended"] == {"message": "Successfully canceled order."}
    assert list(report["messages"]) == report["multi"]["child_order_ids"]
    assert report["leverage"] == {"message": "Leverage changed successfully."}
    [closed] = report["closed"]
    assert (closed["side"], D(closed["executed_qty"])) == ("sell", D("0.1"))
    assert len(report["everything"]["orders"]) == 3
    assert held(running) == 0


async def test_a_strangers_token_is_refused_in_words() -> None:
    report, running = await played("stranger")
    assert report["placed"] == report["balances"] == {"detail": "Invalid token."}
    assert held(running) == 0

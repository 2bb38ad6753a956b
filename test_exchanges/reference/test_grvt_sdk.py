"""The official GRVT SDK trades on the simulated venue, unchanged but for the addresses.

It runs in an environment of its own and in real time; what it reports is asserted here, beside the
venue's truth.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.sim.run import Running, serve

pytestmark = pytest.mark.reference

HERE = Path(__file__).resolve().parent
TOOL = HERE.parent.parent / "tools" / "reference_env.py"
ETH = "ETH_USDT_Perp"
SYMBOLS = ["BTC_USDT_Perp", ETH, "SOL_USDT_Perp"]
PATIENCE = 60.0  # seconds for one part, start of the interpreter included


@pytest.fixture(scope="module")
def python() -> str:
    """Interpreter of the SDK's environment; made on first use, which needs the package index."""
    made = subprocess.run(
        [sys.executable, str(TOOL), "grvt"], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, f"pip could not install the SDK:\n{made.stderr}"
    return made.stdout.strip()


async def play(python: str, part: str) -> tuple[dict[str, Any], Running]:
    """One part of the client's script against a venue of its own."""
    async with await serve(["grvt"]) as running:
        settings = {
            "endpoints": running.endpoints["grvt"],
            "credentials": running.credentials["grvt"],
        }
        # The SDK takes the cookie's expiry for local time.
        process = await asyncio.create_subprocess_exec(
            python,
            str(HERE / "grvt_client.py"),
            part,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "TZ": "UTC"},
        )
        try:
            async with asyncio.timeout(PATIENCE):
                out, err = await process.communicate(json.dumps(settings).encode())
        except TimeoutError:
            process.kill()
            await process.communicate()
            raise
        assert process.returncode == 0, err.decode()[-4000:]
        return json.loads(out), running


def held(running: Running) -> Decimal:
    """Position by the venue's truth."""
    (account,) = running.exchanges["grvt"].accounts.values()
    return account.size(ETH)


def check_pending(order: dict[str, Any]) -> None:
    assert order["order_id"] == "0x00"
    assert order["state"]["status"] == "PENDING"
    assert order["post_only"] is True


async def test_the_synchronous_class(python: str) -> None:
    report, running = await play(python, "sync")
    assert report["logged_in"] is True
    assert report["markets"] == SYMBOLS
    assert len(report["book"]["bids"]) == len(report["book"]["asks"]) == 10
    assert report["ticker"]["instrument"] == ETH
    check_pending(report["pending"])
    (resting,) = report["open"]
    assert resting["state"]["status"] == "OPEN"
    assert resting["metadata"] == report["pending"]["metadata"]
    assert report["canceled"] is True
    assert report["maker_end"]["reject_reason"] == "CLIENT_CANCEL"
    assert report["crossing_end"]["status"] == "REJECTED"
    assert report["crossing_end"]["reject_reason"] == "FAIL_POST_ONLY"
    assert report["taker_end"]["status"] == "FILLED"
    assert report["taker_end"]["traded_size"] == ["0.05"]
    (position,) = report["positions"]
    assert (position["instrument"], position["size"]) == (ETH, "0.05")
    fills = report["fills"]["result"]
    assert sum(Decimal(fill["size"]) for fill in fills) == Decimal("0.05")
    assert all(fill["is_taker"] and fill["is_buyer"] for fill in fills)
    assert Decimal(report["balance"]["USDT"]["total"]) < 100_000
    assert len(report["history"]["result"]) == 3
    assert report["refused"] == {}
    assert held(running) == Decimal("0.05")


async def test_the_asynchronous_class(python: str) -> None:
    report, running = await play(python, "async")
    assert report["logged_in"] is True
    assert report["markets"] == SYMBOLS
    check_pending(report["pending"])
    assert [order["state"]["status"] for order in report["open"]] == ["OPEN"]
    assert report["canceled"] is True
    assert report["maker_end"]["status"] == "CANCELLED"
    assert report["taker_end"]["status"] == "FILLED"
    assert [row["size"] for row in report["positions"]] == ["-0.05"]
    fills = report["fills"]["result"]
    assert sum(Decimal(fill["size"]) for fill in fills) == Decimal("0.05")
    assert report["canceled_all"] is True
    assert held(running) == Decimal("-0.05")


async def test_the_websocket_class(python: str) -> None:
    report, running = await play(python, "ws")
    assert report["logged_in"] is True
    assert report["markets"] == SYMBOLS
    assert report["subscribed"] is True
    assert report["open"]["post_only"] is True
    assert report["open"]["order_id"].startswith("0x01")
    assert report["open_state"]["order_state"]["status"] == "OPEN"
    assert report["maker_end"]["state"]["reject_reason"] == "CLIENT_CANCEL"
    assert (report["fill"]["is_taker"], report["fill"]["instrument"]) == (True, ETH)
    assert report["position"]["size"] == "0.05"
    assert len(report["book"]["bids"]) == 10
    assert report["delta"]["instrument"] == report["trade"]["instrument"] == ETH
    assert [row["size"] for row in report["positions"]] == ["0.05"]
    assert report["fills"]["result"]
    assert held(running) == Decimal("0.05")


async def test_the_raw_synchronous_class(python: str) -> None:
    report, running = await play(python, "raw_sync")
    assert report["markets"] == SYMBOLS
    assert report["logged_in"] is True
    assert (report["pending"], report["open"], report["canceled"]) == ("PENDING", "OPEN", True)
    assert report["maker_end"] == ["CANCELLED", "CLIENT_CANCEL"]
    assert report["taker_end"] == "FILLED"
    assert report["positions"] == [[ETH, "0.05"]]
    assert sum(Decimal(size) for _, size, _ in report["fills"]) == Decimal("0.05")
    assert {(id, taker) for id, _, taker in report["fills"]} == {(str(2**63 + 2), True)}
    assert 99_990 < Decimal(report["equity"]) < 100_010
    assert report["fees"] == [-1, 450]
    assert report["error"] == [True, 3031]
    assert held(running) == Decimal("0.05")


async def test_the_raw_asynchronous_class(python: str) -> None:
    report, running = await play(python, "raw_async")
    assert report["markets"] == [ETH]
    assert report["logged_in"] is True
    assert (report["pending"], report["open"], report["canceled"]) == ("PENDING", "OPEN", True)
    assert sum(Decimal(size) for _, size, _ in report["fills"]) == Decimal("0.05")
    assert report["positions"] == [[ETH, "0.05"]]
    assert report["leverage"][ETH] == "50.0"
    assert report["history"] == [[str(2**63 + 2), "FILLED"], [str(2**63 + 1), "CANCELLED"]]
    assert held(running) == Decimal("0.05")

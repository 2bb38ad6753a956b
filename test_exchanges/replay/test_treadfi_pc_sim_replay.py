"""The simulated TreadFi against every recorded payload: the same keys, the same kinds of value.

The samples are of 2023; what newer documentation says otherwise is listed with its reason.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from replay.payload_shapes import kinds_that_differ, lacking, shape
from sim.staging import stager
from sim.treadfi_stage import PAIR, Stage, on_pacifica

# Numbers then, text by the documentation of 2025.
TEXT_NOW = {".executed_qty", ".executed_notional"}


async def order(stage: Stage) -> Any:
    return stage.place(strategy="Limit", strategy_params=None)


async def multi_order(stage: Stage) -> Any:
    child = {
        "pair": PAIR,
        "side": "buy",
        "account": stage.keys["account_name"],
        "base_asset_qty": 0.1,
    }
    body = {"duration": 200, "strategy": "Market", "child_orders": [child, child]}
    return stage.done("POST", "/api/multi_orders/", body)


async def balances(stage: Stage) -> Any:
    stage.take("sell", strategy="Market")
    await asyncio.sleep(1)
    told = stage.done("GET", "/api/balances/")
    return {"test": told[stage.keys["account_name"]]}


MADE: dict[str, Callable[[Stage], Any]] = {
    "http_place_order_ok_2023": order,
    "http_place_multi_order_ok_2023": multi_order,
    "http_balances_2023": balances,
}


@pytest.mark.parametrize("name", MADE)
def test_recording(name: str, shared: Path) -> None:
    recorded = json.loads((shared / "recorded" / "treadfi_pc" / f"{name}.json").read_text())

    async def play(stage: Stage) -> None:
        stage.token = stage.keys["token"]
        made = shape(await MADE[name](stage))
        wanted = {place: kind for place, kind in shape(recorded).items() if place not in TEXT_NOW}
        assert lacking(wanted, made, set()) == []
        assert kinds_that_differ(wanted, made) == []

    stager(on_pacifica)(play)()


def test_every_recording_is_made(shared: Path) -> None:
    assert {file.stem for file in (shared / "recorded" / "treadfi_pc").glob("*.json")} == set(MADE)

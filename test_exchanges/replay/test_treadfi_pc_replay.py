"""Every recorded payload of TreadFi through the wrapper's decoders, with what must come out.

They are samples that the vendor printed in 2023, of another venue beneath; a recording without a
check fails the suite. Its newer answers, and all of its page, were never recorded.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.errors import AuthError, ProtocolError
from mpdex.types import OrderRequest, OrderStatus, Request, TimeInForce
from mpdex.utils.common_treadfi import amount, average_of, created_ms, status_of
from wrappers.treadfi_pc import TreadfiPcExchange

D = Decimal
PLACE = Request("POST", "/api/orders/", host="app", signed=True, command=True)


@pytest.fixture
def dex() -> TreadfiPcExchange:
    return TreadfiPcExchange(account_name="mock", account="1" * 32, token="0" * 40)


def order(dex: TreadfiPcExchange, answer: Any) -> None:
    meant = OrderRequest(
        symbol="ETH-USDT",
        side="buy",
        size=D(5),
        client_id="c",
        time_in_force=TimeInForce.IOC,
    )
    assert dex.decode_error(200, answer, PLACE) is None
    placed = dex.decode_placement(answer, meant)
    assert placed["id"] == "d3ca321a-d25c-4cee-8a0f-3f74d239c90d"
    assert (placed["status"], placed["filled"]) == (OrderStatus.OPEN, 0)
    assert (placed["client_order_id"], placed["average_price"]) == ("c", None)
    assert placed["timestamp_ms"] == 1_691_538_847_659
    assert dex.decode_placement([answer], meant) == placed
    assert amount(answer["limit_price"]) is amount(answer["stop_price"]) is None
    assert amount(answer["sell_token_amount"]) == D("9890.25")
    with pytest.raises(ProtocolError):  # a quantity in money: of no order of ours
        dex.decode_order(answer)


def multi_order(dex: TreadfiPcExchange, answer: Any) -> None:
    assert dex.decode_error(200, answer, PLACE) is None
    assert status_of(answer["status"], D(1), D(0)) is OrderStatus.PENDING
    assert created_ms(answer) == 1_692_088_575_366
    assert average_of(answer) is None


def balances(dex: TreadfiPcExchange, answer: Any) -> None:
    """Not read here: the money is the venue's beneath. Nor is it taken for a list of accounts."""
    assert dex.decode_error(200, answer, Request("GET", "/api/balances/", host="app")) is None
    with pytest.raises(ProtocolError):
        dex.decode_linked(answer)


CHECKS: dict[str, Callable[[TreadfiPcExchange, Any], None]] = {
    "http_place_order_ok_2023": order,
    "http_place_multi_order_ok_2023": multi_order,
    "http_balances_2023": balances,
}


@pytest.mark.parametrize("name", CHECKS)
def test_recorded(name: str, dex: TreadfiPcExchange, shared: Path) -> None:
    text = (shared / "recorded" / "treadfi_pc" / f"{name}.json").read_text()
    CHECKS[name](dex, json.loads(text, parse_float=Decimal))


def test_every_recording_has_its_check(shared: Path) -> None:
    assert {file.stem for file in (shared / "recorded" / "treadfi_pc").glob("*.json")} == set(
        CHECKS
    )
    assert not list((shared / "recorded" / "treadfi_hl").glob("*.json")), "write its replay"


def test_an_answer_without_an_id_leaves_the_order_in_doubt(dex: TreadfiPcExchange) -> None:
    meant = OrderRequest(symbol="ETH:PERP-USDC", side="buy", size=D(5), client_id="c")
    for answer in ({}, [], {"id": None}, {"id": ""}, [{"id": "a"}, {"id": "b"}]):
        with pytest.raises(ProtocolError):  # which the core makes an OutcomeUnknown of
            dex.decode_placement(answer, meant)
    with pytest.raises(AuthError):
        dex.decode_linked([])

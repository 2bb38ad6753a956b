"""What is kept of orders that a venue knows by its own ids alone."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.errors import OutcomeUnknown
from mpdex.types import Order, OrderRequest, OrderStatus, TimeInForce
from mpdex.utils.unnamed_orders import AFTER_MS, BEFORE_MS, UnnamedLog, UnnamedOrders

D = Decimal
PAIR = "ETH:PERP-USDC"
NOW_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def row(number: int, at_ms: int = NOW_MS, **over: Any) -> Order:
    told = Order(
        id=f"id-{number}",
        client_order_id=None,
        symbol=PAIR,
        side="buy",
        type="limit",
        price=D(3001),
        size=D("0.5"),
        filled=D(0),
        average_price=None,
        status=OrderStatus.OPEN,
        time_in_force=TimeInForce.GTC,
        post_only=True,
        reduce_only=False,
        reason="",
        timestamp_ms=at_ms,
        raw={},
    )
    return {**told, **over}  # type: ignore[typeddict-item]


def sent(client_id: str = "c") -> OrderRequest:
    return OrderRequest(symbol=PAIR, side="buy", size=D("0.5"), price=D(3001), client_id=client_id)


def none_made(client_id: str) -> None:
    """No id is one of ours."""


@pytest.fixture
def kept() -> UnnamedOrders:
    """One order of this run, "c"; of an earlier one, "old" is known by its id's time alone."""
    kept = UnnamedOrders("v", {"old": NOW_MS}.get)
    kept.note(sent(), NOW_MS)
    return kept


def test_the_one_row_that_fits_is_the_order(kept: UnnamedOrders) -> None:
    found = kept.find("c", PAIR, [row(1), row(2, side="sell"), row(3, size=D(1))])
    assert found is not None
    assert (found["id"], found["client_order_id"]) == ("id-1", "c")
    assert (kept.order_id_of("c"), kept.client_id_of("id-1")) == ("id-1", "c")


@pytest.mark.parametrize(
    "over",
    [
        {"side": "sell"},
        {"size": D("0.6")},
        {"price": D(3002)},
        {"price": None},
        {"symbol": "BTC:PERP-USDC"},
        {"at_ms": NOW_MS - BEFORE_MS - 1},
        {"at_ms": NOW_MS + AFTER_MS + 1},
        {"timestamp_ms": None},
    ],
    ids=str,
)
def test_what_differs_is_not_the_order(kept: UnnamedOrders, over: dict[str, Any]) -> None:
    assert kept.find("c", PAIR, [row(1, **over)]) is None
    assert kept.order_id_of("c") == ""


def test_two_rows_that_fit_are_not_told_apart(kept: UnnamedOrders) -> None:
    with pytest.raises(OutcomeUnknown, match="id-1, id-2") as caught:
        kept.find("c", PAIR, [row(1), row(2)])
    assert caught.value.client_order_id == "c"


def test_one_row_for_two_orders_is_neither(kept: UnnamedOrders) -> None:
    kept.note(sent("d"), NOW_MS + 1000)
    with pytest.raises(OutcomeUnknown):
        kept.find("c", PAIR, [row(1)])
    assert kept.find("c", PAIR, []) is None
    kept.forget("d")
    assert kept.find("c", PAIR, [row(1)]) is not None


def test_a_row_that_is_named_already_is_no_candidate(kept: UnnamedOrders) -> None:
    kept.note(sent("d"), NOW_MS)
    kept.name("d", "id-1")
    found = kept.find("c", PAIR, [row(1), row(2)])
    assert found is not None
    assert found["id"] == "id-2"


def test_an_order_long_before_is_no_rival(kept: UnnamedOrders) -> None:
    kept.note(sent("d"), NOW_MS - BEFORE_MS - AFTER_MS - 1)
    assert kept.find("c", PAIR, [row(1)]) is not None


def test_an_order_of_an_earlier_run_is_ruled_out_or_not(kept: UnnamedOrders) -> None:
    assert kept.find("old", PAIR, [row(1, NOW_MS + AFTER_MS + 1)]) is None
    assert kept.find("old", "BTC:PERP-USDC", [row(1)]) is None
    with pytest.raises(OutcomeUnknown, match="id-1"):
        kept.find("old", PAIR, [row(1, side="sell")])
    kept.name("c", "id-1")
    assert kept.find("old", PAIR, [row(1)]) is None


def test_an_order_of_nobody_here_is_no_row(kept: UnnamedOrders) -> None:
    assert kept.since_ms("stranger") is None
    assert kept.find("stranger", PAIR, [row(1)]) is None


def test_what_is_kept_is_bounded() -> None:
    kept = UnnamedOrders("v", none_made)
    for number in range(10_001):
        kept.note(sent(str(number)), NOW_MS)
        kept.name(str(number), f"id-{number}")
    assert kept.since_ms("0") is None
    assert kept.client_id_of("id-0") is None
    assert kept.client_id_of("id-10000") == "10000"


def test_what_is_noted_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "private" / "mine.orders"
    kept = UnnamedOrders("v", none_made, UnnamedLog(file))
    for client_id in "abc":
        kept.note(sent(client_id), NOW_MS)
    kept.name("a", "id-1")
    kept.forget("b")
    with file.open("ab") as torn:
        torn.write(b'{"client_id":"z","sym')
    again = UnnamedOrders("v", none_made, UnnamedLog(file))
    assert (again.order_id_of("a"), again.client_id_of("id-1")) == ("id-1", "a")
    assert again.since_ms("b") is again.since_ms("z") is None
    assert again.since_ms("c") == kept.since_ms("c")
    found = again.find("c", PAIR, [row(1), row(2)])
    assert found is not None
    assert found["id"] == "id-2"


def test_a_file_that_cannot_be_kept_stops_no_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    kept = UnnamedOrders("v", none_made, UnnamedLog(tmp_path / "file" / "mine.orders"))
    kept.note(sent(), NOW_MS)
    kept.name("c", "id-1")
    assert kept.order_id_of("c") == "id-1"
    assert "not noted for the next run" in caplog.text

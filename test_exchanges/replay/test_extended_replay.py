"""Every recorded payload of Extended through the wrapper's decoders, with what must come out.

A check is named after its file; a recording without a check fails the suite. Docs examples are
older than the live ones: their order book changes have no `c`, positions name their times
otherwise, and one order is called filled that is not.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.errors import InsufficientMargin, OrderNotFound, ProtocolError
from mpdex.types import (
    BboUpdate,
    BookUpdate,
    CancelRequest,
    Event,
    FillUpdate,
    Market,
    MarkUpdate,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Request,
    TimeInForce,
)
from wrappers.extended import ExtendedExchange, fee_cap
from wrappers.extended_auth import assets_of
from wrappers.extended_ws_client import ExtendedAccountClient, ExtendedWSClient

D = Decimal
VENUE = ExtendedExchange(read_only=True)
PLACE = Request("POST", "/user/order", signed=True, command=True)
ORDER_ID = "1784963886257016832"

# Streams of the second generation, and topics that nothing here asks for.
UNREAD_FRAMES = (
    "ws_rpc_funding_rate",
    "ws_rpc_index_price",
    "ws_rpc_list_subscriptions_ack",
    "ws_rpc_orderbook_delta",
    "ws_rpc_subscribe_orderbooks_ack",
    "ws_rpc_trades_replay",
    "ws_v1_account_balance_docs",
    "ws_v1_funding_docs",
    "ws_v1_index_price_docs",
    "ws_v1_public_trades",
    "ws_v1_public_trades_docs",
)
UNREAD_ANSWERS = (
    "http_account_info_docs",
    "http_funding_payments_docs",
    "http_market_trades_docs",
    "http_positions_history_docs",
)


class Recorded:
    """The folder of recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str) -> Any:
        return json.loads((self.folder / f"{name}.json").read_text(), parse_float=Decimal)

    def frame(self, name: str) -> bytes:
        """As it came over the wire: compact."""
        return json.dumps(self(name), separators=(",", ":")).encode()

    def market_events(self, name: str) -> list[Event]:
        return list(ExtendedWSClient(keys={}).decode(self.frame(name)))

    def account_events(self, name: str) -> list[Event]:
        return list(ExtendedAccountClient(keys={"api_key": "1"}).decode(self.frame(name)))


@pytest.fixture(scope="module")
def recorded(shared: Path) -> Recorded:
    return Recorded(shared / "recorded" / "extended")


@pytest.fixture
def btc(recorded: Recorded) -> Market:
    return VENUE.decode_markets([recorded("http_markets_btc")])[0]


def test_every_recording_has_a_check(recorded: Recorded) -> None:
    here = Path(__file__).read_text()
    names = [path.stem for path in recorded.folder.glob("*.json")]
    assert len(names) >= 40
    assert [name for name in names if f'"{name}"' not in here] == []


# --------------------------------------------------------------------------- markets


def test_a_market(recorded: Recorded) -> None:
    answers = [recorded("http_markets_btc"), recorded("http_fees_docs")]
    (btc,) = VENUE.decode_markets(answers)
    assert (btc["symbol"], btc["coin"], btc["quote"]) == ("BTC-USD", "BTC", "USD")
    assert (btc["tick"], btc["step"], btc["min_size"]) == (1, D("0.00001"), D("0.0001"))
    assert (btc["max_leverage"], btc["price_band"], btc["active"]) == (50, D("0.05"), True)
    assert (btc["min_notional"], btc["multiplier"]) == (None, 1)
    coin = "0x4254432d3600000000000000000000"
    assert assets_of(btc["raw"]["l2Config"]) == (coin, 1_000_000, "0x1", 1_000_000)
    assert fee_cap(btc, post_only=True) == 0
    assert fee_cap(btc, post_only=False) == D("0.00025")


def test_market_stats(recorded: Recorded, btc: Market) -> None:
    answer = recorded("http_market_stats_docs")
    assert VENUE.decode_mark(answer, btc) == D("3088.439710293828")
    funding = VENUE.decode_funding_rate(answer, btc)
    assert (funding["rate"], funding["interval_hours"]) == (D("-0.000059"), 1)
    assert funding["next_funding_ms"] == 1716192000000


def test_a_book_by_rest(recorded: Recorded, btc: Market) -> None:
    book = VENUE.decode_book(recorded("http_orderbook_docs"), btc)
    assert book.snapshot
    assert list(book.bids) == [("61827.7", "0.04852"), ("61820.5", "0.50274")]
    assert list(book.asks) == [("61840.3", "0.04852"), ("61864.1", "0.4998")]


# --------------------------------------------------------------------------- orders


def test_an_order_that_was_taken(recorded: Recorded) -> None:
    asked = OrderRequest(symbol="BTC-USD", side="buy", size=D(1), price=D(1), client_id="7")
    placed = VENUE.decode_placement(recorded("http_create_order_docs"), asked)
    assert (placed["id"], placed["status"]) == ("1791389621914243072", OrderStatus.PENDING)


def test_requests_of_the_documentation(recorded: Recorded, btc: Market) -> None:
    """What we send has no other names than these."""
    order = recorded("http_create_order_request_docs")
    keys = {
        "api_key": "1",
        "private_key": "0x1",
        "public_key": "0x1ef15c18599971b7beced415a40f0c7deacfd9b0d1819e03d723d8bc943cfca",
        "vault": "1",
    }
    dex = ExtendedExchange(**keys)
    asked = OrderRequest(symbol="BTC-USD", side="buy", size=D(1), price=D(1), client_id="7")
    sent = json.loads(dex.encode_order(asked, btc, 10**18).body)
    assert set(sent) <= set(order)
    assert set(sent["settlement"]) == set(order["settlement"])
    cancel = json.loads(dex.encode_cancel_all(btc).body)
    assert set(cancel) <= set(recorded("http_mass_cancel_request_docs"))
    leverage = dex.encode_leverage(btc, D(10), 0)
    assert leverage.json == recorded("http_leverage_update_request_docs")


def test_an_order_by_either_id(recorded: Recorded) -> None:
    by_id = CancelRequest(symbol="BTC-USD", order_id=ORDER_ID)
    by_client_id = CancelRequest(symbol="BTC-USD", client_id="ExtId-1")
    found = [
        VENUE.decode_order_query(recorded("http_order_by_id_docs"), by_id),
        VENUE.decode_order_query(recorded("http_orders_by_external_id_docs"), by_client_id),
        *VENUE.decode_orders(recorded("http_orders_history_docs")),
    ]
    for order in found:
        assert order is not None
        assert (order["id"], order["client_order_id"]) == (ORDER_ID, "ExtId-1")
        assert (order["status"], order["side"]) == (OrderStatus.FILLED, "buy")
        assert (order["price"], order["average_price"]) == (39000, D(39000))
        assert (order["size"], order["filled"]) == (D("0.2"), D("0.1"))
        assert order["time_in_force"] is TimeInForce.IOC


def test_open_orders(recorded: Recorded) -> None:
    (order,) = VENUE.decode_orders(recorded("http_orders_open_docs"))
    assert (order["symbol"], order["status"]) == ("ETH-USD", OrderStatus.OPEN)
    assert (order["size"], order["filled"]) == (D("0.2"), D("0.1"))
    assert order["average_price"] == D("3297.00")
    assert order["client_order_id"].startswith("25546127594798986203275731362141204865")  # type: ignore[union-attr]


def test_fills(recorded: Recorded) -> None:
    page = VENUE.decode_fills(recorded("http_trades_docs"), None)
    (fill,) = page.fills
    assert (fill["id"], fill["order_id"]) == (ORDER_ID, "9223372036854775808")
    assert (fill["price"], fill["size"], fill["fee"]) == (D("58853.4"), D("0.09"), 0)
    assert (fill["client_order_id"], fill["liquidity"]) == ("ext-1", "taker")
    assert (page.cursor, page.backwards) == (ORDER_ID, True)


def test_errors(recorded: Recorded) -> None:
    error = VENUE.decode_error(400, recorded("http_error_1140"), PLACE)
    assert type(error) is InsufficientMargin
    assert (error.code, error.detail[:9]) == ("1140", "New order")
    query = Request("GET", "/user/orders/1", signed=True)
    missing = VENUE.decode_error(404, recorded("http_error_market_not_found_docs"), query)
    assert type(missing) is OrderNotFound


# --------------------------------------------------------------------------- account


def test_positions(recorded: Recorded) -> None:
    (long,) = VENUE.decode_positions(recorded("http_positions_docs"))
    assert (long["side"], long["size"], long["entry_price"]) == ("long", D("0.1"), 39000)
    assert (long["mark_price"], long["unrealized_pnl"]) == (40000, 1000)
    assert (long["liquidation_price"], long["leverage"]) == (38200, 10)


def test_balance(recorded: Recorded) -> None:
    collateral = VENUE.decode_collateral(recorded("http_balance_docs"))
    assert (collateral["total"], collateral["available"]) == (12000, 1200)
    assert (collateral["unrealized_pnl"], collateral["currency"]) == (D("-10.1"), "USDC")


def test_fees_and_leverage(recorded: Recorded, btc: Market) -> None:
    fees = VENUE.decode_fees(recorded("http_fees_docs"), btc)
    assert (fees["maker"], fees["taker"]) == (0, D("0.00025"))
    answer = recorded("http_leverage_get_docs")
    sol: Any = {**btc, "symbol": "SOL-USD"}
    assert VENUE.decode_leverage_info(answer, sol)["leverage"] == 10
    updated = recorded("http_leverage_update_docs")
    assert VENUE.decode_error(200, updated, Request("PATCH", "/user/leverage")) is None


@pytest.mark.parametrize("name", UNREAD_ANSWERS)
def test_an_answer_to_something_else_is_refused(recorded: Recorded, name: str) -> None:
    with pytest.raises(ProtocolError):
        VENUE.decode_orders(recorded(name))


# --------------------------------------------------------------------------- streams


def test_book_frames(recorded: Recorded) -> None:
    (first,) = recorded.market_events("ws_v1_orderbook_snapshot")
    assert isinstance(first, BookUpdate)
    assert (first.symbol, first.first, first.last, first.snapshot) == ("NVDA_24_5-USD", 1, 1, True)
    assert next(iter(first.bids)) == ("224.29", "1.79")
    assert list(first.asks)[-1] == ("224.38", "8.95")
    (change,) = recorded.market_events("ws_v1_orderbook_delta")
    assert change == BookUpdate(
        "NVDA_24_5-USD",
        [("224.28", "0"), ("224.23", "0")],
        [("224.36", "0"), ("224.47", "17.90")],
        18,
        18,
        False,
        1790586509857,
    )
    (empty,) = recorded.market_events("ws_v1_orderbook_delta_empty")
    assert empty == BookUpdate("NVDA_24_5-USD", [], [], 174, 174, False, 1790586563198)
    (again,) = recorded.market_events("ws_v1_orderbook_snapshot_minutely")
    assert isinstance(again, BookUpdate)
    assert (again.snapshot, again.first, again.last) == (True, 175, 175)
    (old,) = recorded.market_events("ws_v1_orderbook_docs")
    assert isinstance(old, BookUpdate)
    assert (old.bids, old.asks) == ([("25670", "0.1")], [("25770", "0.1")])
    (none,) = recorded.market_events("ws_v1_orderbook_rfq_snapshot")
    assert isinstance(none, BookUpdate)
    assert (none.symbol, none.bids, none.asks) == ("ATOM-USD", [], [])


def test_best_prices(recorded: Recorded) -> None:
    (best,) = recorded.market_events("ws_v1_orderbook_depth1")
    assert best == BboUpdate("BTC-USD", "82588", "4.09776", "82590", "0.00011", 1790586554509)


@pytest.mark.parametrize(
    ("name", "price", "time_ms"),
    [
        ("ws_v1_mark_price", "82603.900514499997", 1790586555172),
        ("ws_v1_mark_price_docs", "25670", 1701563440000),
    ],
)
def test_marks(recorded: Recorded, name: str, price: str, time_ms: int) -> None:
    assert recorded.market_events(name) == [MarkUpdate("BTC-USD", D(price), None, time_ms)]


@pytest.mark.parametrize("name", UNREAD_FRAMES)
def test_other_frames_say_nothing(recorded: Recorded, name: str) -> None:
    assert recorded.market_events(name) == []
    assert recorded.account_events(name) == []


def test_account_frames(recorded: Recorded) -> None:
    (update,) = recorded.account_events("ws_v1_account_orders_docs")
    assert isinstance(update, OrderUpdate)
    order = update.order
    assert (order["id"], order["client_order_id"]) == (
        "1791181340771614723",
        "-1771812132822291885",
    )
    assert (order["status"], order["filled"], order["reduce_only"]) == (
        OrderStatus.OPEN,
        D("3.513"),
        True,
    )
    (fill,) = recorded.account_events("ws_v1_account_trades_docs")
    assert isinstance(fill, FillUpdate)
    assert (fill.fill["id"], fill.fill["client_order_id"]) == (ORDER_ID, "ext-1")
    (position,) = recorded.account_events("ws_v1_account_positions_docs")
    assert isinstance(position, PositionUpdate)
    assert (position.symbol, position.size) == ("BTC-USD", D("-0.3"))
    assert position.timestamp_ms == 1715886365748

"""Every recorded payload of Backpack through the wrapper's decoders, with what must come out.

A check is named after its file; a recording without a check fails the suite.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.errors import AuthError, OrderRejected, ProtocolError, VenueError
from mpdex.types import (
    BboUpdate,
    BookUpdate,
    Event,
    FillUpdate,
    Market,
    MarkUpdate,
    Order,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Reply,
    Request,
    TimeInForce,
)
from wrappers.backpack import BackpackExchange
from wrappers.backpack_ws_client import BackpackWSClient

D = Decimal
VENUE = BackpackExchange(read_only=True)
PLACE = Request("POST", "/api/v1/order", signed=True, command=True)

# Streams and answers that nothing here asks for.
UNREAD_FRAMES = {
    "ws_kline": "kline.2h.ETH_USDC",
    "ws_liquidation_doc": "liquidation",
    "ws_open_interest_doc": "openInterest.SOL_USDC_PERP",
    "ws_ticker": "ticker.ETH_USDC",
    "ws_trade": "trade.ETH_USDC_PERP",
    "ws_trade_doc": "trade.SOL_USDC",
}
UNREAD_ANSWERS = (
    "http_funding_payment_one",
    "http_funding_rates",
    "http_klines",
    "http_open_interest",
    "http_public_trade_one",
    "http_status",
    "http_trades",
)


class Recorded:
    """The folder of recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str) -> Any:
        text = (self.folder / f"{name}.json").read_text()
        return json.loads(text, parse_float=Decimal)

    def frame(self, name: str, stream: str = "") -> bytes:
        """As it came over the wire: compact, the bare data objects put back into an envelope."""
        message = json.loads((self.folder / f"{name}.json").read_text())
        if "data" not in message and "error" not in message:
            message = {"data": message, "stream": stream}
        return json.dumps(message, separators=(",", ":")).encode()


@pytest.fixture(scope="module")
def recorded(shared: Path) -> Recorded:
    return Recorded(shared / "recorded" / "backpack")


@pytest.fixture
def stream() -> BackpackWSClient:
    return BackpackWSClient(keys={})


def events(stream: BackpackWSClient, frame: bytes) -> list[Event]:
    return list(stream.decode(frame))


def market(symbol: str, kind: str = "perp") -> Market:
    entry = {
        "symbol": symbol,
        "baseSymbol": symbol.partition("_")[0],
        "quoteSymbol": "USDC",
        "marketType": kind.upper(),
        "orderBookState": "Open",
        "fundingInterval": 3_600_000,
        "filters": {
            "price": {"tickSize": "0.01"},
            "quantity": {"stepSize": "0.01", "minQuantity": "0.01", "maxQuantity": None},
        },
    }
    return VENUE.decode_markets([[entry]])[0]


def test_every_recording_has_a_check(recorded: Recorded) -> None:
    here = Path(__file__).read_text()
    names = [path.stem for path in recorded.folder.glob("*.json")]
    assert len(names) >= 50
    assert [name for name in names if f'"{name}"' not in here] == []


# --------------------------------------------------------------------------- orders


def test_answer_to_a_limit_order(recorded: Recorded) -> None:
    order = VENUE.decode_order(recorded("http_order_perp_limit_new"))
    assert order["id"] == "8284671277"
    assert (order["symbol"], order["side"], order["type"]) == ("ETH_USDC_PERP", "buy", "limit")
    assert (order["price"], order["size"], order["filled"]) == (D("4000"), D("0.001"), D(0))
    assert order["status"] is OrderStatus.OPEN
    assert order["average_price"] is None
    assert order["client_order_id"] is None
    assert order["time_in_force"] is TimeInForce.GTC
    assert (order["post_only"], order["reduce_only"]) == (False, False)
    assert order["timestamp_ms"] == 1757621458290


def test_answer_to_a_post_only_order(recorded: Recorded) -> None:
    order = VENUE.decode_order(recorded("http_order_limit_post_only_new"))
    assert order["post_only"]
    assert order["client_order_id"] == "123456789"
    assert order["timestamp_ms"] == 1753626206762


@pytest.mark.parametrize(
    ("name", "client_id", "size", "average"),
    [
        ("http_order_market_filled", None, "0.001", "3814.28"),
        ("http_order_perp_market_filled", None, "0.001", "4421.82"),
        ("http_order_perp_market_filled_client_id", "55555", "1", "0.8921"),
    ],
)
def test_answer_to_a_market_order(
    recorded: Recorded, name: str, client_id: str | None, size: str, average: str
) -> None:
    order = VENUE.decode_order(recorded(name))
    assert order["status"] is OrderStatus.FILLED
    assert (order["type"], order["price"]) == ("market", None)
    assert order["size"] == order["filled"] == D(size)
    assert order["average_price"] == D(average)
    assert order["client_order_id"] == client_id


def test_untriggered_order(recorded: Recorded) -> None:
    order = VENUE.decode_order(recorded("http_order_perp_trigger_pending"))
    assert order["status"] is OrderStatus.PENDING
    assert (order["size"], order["filled"]) == (D("0.001"), D(0))


def test_cancel(recorded: Recorded) -> None:
    order = VENUE.decode_cancel(recorded("http_cancel_order"))
    assert order is not None
    assert order["id"] == "8284661092"
    assert order["status"] is OrderStatus.CANCELED


def test_cancel_all_and_open_orders(recorded: Recorded) -> None:
    assert VENUE.decode_orders(recorded("http_cancel_all_orders_none_open")) == []
    (order,) = VENUE.decode_orders(recorded("http_open_orders"))
    assert (order["id"], order["status"]) == ("8284661092", OrderStatus.OPEN)


def test_history(recorded: Recorded) -> None:
    order: Order = VENUE.decode_order(recorded("http_history_order_cancelled"))
    assert (order["id"], order["status"]) == ("4239996998", OrderStatus.CANCELED)
    assert (order["side"], order["size"], order["price"]) == ("sell", D("0.001"), D("4500"))
    assert order["timestamp_ms"] == 1753639540897  # 2025-07-27T18:05:40.897, UTC
    assert order["reason"] == ""


def test_fills(recorded: Recorded) -> None:
    (fill,) = VENUE.decode_fills([recorded("http_fills_one")], None).fills
    assert (fill["id"], fill["order_id"]) == ("9748827", "4238907375")
    assert (fill["side"], fill["price"], fill["size"]) == ("buy", D("3826.15"), D("0.0026"))
    assert (fill["fee"], fill["fee_asset"], fill["liquidity"]) == (D("0.004974"), "USDC", "taker")
    assert fill["timestamp_ms"] == 1753637940092
    page = VENUE.decode_fills(recorded("http_fills_three_spot"), None)
    assert page.cursor == "3", "only an empty page is the end"
    assert VENUE.decode_fills([], "3").cursor is None
    assert [fill["fee_asset"] for fill in page.fills] == ["ETH", "USDC", "USDC"]
    assert [fill["side"] for fill in page.fills] == ["buy", "sell", "sell"]
    assert sum(fill["size"] for fill in page.fills) == D("0.003")


def test_errors(recorded: Recorded) -> None:
    error = VENUE.decode_error(400, recorded("http_error_invalid_order"), PLACE)
    assert type(error) is OrderRejected
    assert (error.code, error.request) == ("INVALID_ORDER", "POST /api/v1/order")
    error = VENUE.decode_error(400, recorded("http_error_trigger_fields"), PLACE)
    assert isinstance(error, VenueError)
    assert not isinstance(error, AuthError)
    assert "triggerQuantity" in error.detail


# --------------------------------------------------------------------------- markets


def test_markets(recorded: Recorded) -> None:
    spot, perp = VENUE.decode_markets([recorded("http_markets")])
    assert (spot["symbol"], spot["kind"], spot["max_leverage"]) == ("SOL_USDC", "spot", None)
    assert (perp["symbol"], perp["kind"], perp["max_leverage"]) == ("SOL_USDC_PERP", "perp", D(50))
    for entry in (spot, perp):
        assert (entry["coin"], entry["quote"], entry["active"]) == ("SOL", "USDC", True)
        assert entry["tick"] == entry["step"] == entry["min_size"] == D("0.01")
        assert (entry["min_notional"], entry["max_size"]) == (None, None)


def test_market_of_the_official_client(recorded: Recorded) -> None:
    (perp,) = VENUE.decode_markets([[recorded("http_market_sol_usdc_perp")]])
    assert perp["active"]
    assert perp["max_leverage"] == D(50)
    (equity,) = VENUE.decode_markets([[recorded("http_market_equity_spot")]])
    assert (equity["coin"], equity["active"]) == ("SPCX.US", False)


def test_mark_prices(recorded: Recorded) -> None:
    answer = recorded("http_mark_prices")
    eth = market("ETH_USDC_PERP")
    assert VENUE.decode_mark(answer, eth) == D("4307.57627888")
    rate = VENUE.decode_funding_rate([recorded("http_mark_prices_one")], market("BTC_USDC_PERP"))
    assert (rate["rate"], rate["interval_hours"]) == (D("0.0001"), D(1))
    assert rate["next_funding_ms"] == 1753113600000


def test_mark_of_a_spot_market_is_its_last_trade(recorded: Recorded) -> None:
    assert VENUE.decode_mark(recorded("http_ticker"), market("ETH_USDC", "spot")) == D("4182.41")


def test_depth(recorded: Recorded) -> None:
    book = VENUE.decode_book(recorded("http_depth_doc"), market("SOL_USDC_PERP"))
    assert book.snapshot
    assert list(book.bids) == [("20.5", "499.555"), ("20.12", "255.123")]  # best first
    assert list(book.asks) == [("21.9", "500.123"), ("22.1", "2321.11")]
    assert book.first == book.last == 1684026955123


@pytest.mark.parametrize(
    "name", ["http_depth_update_id_number_doc", "http_depth_update_id_text_doc"]
)
def test_depth_sequence_is_a_number_or_text(recorded: Recorded, name: str) -> None:
    book = VENUE.decode_book(recorded(name), market("SOL_USDC"))
    assert book.last == 94978271
    assert book.timestamp_ms == 1694687965941


# --------------------------------------------------------------------------- account


def test_positions(recorded: Recorded) -> None:
    (long,) = VENUE.decode_positions([recorded("http_position_one")])
    assert (long["symbol"], long["side"], long["size"]) == ("ETH_USDC_PERP", "long", D("0.0036"))
    assert long["entry_price"] == D("3826.8888888888888888888888889")
    assert (long["mark_price"], long["unrealized_pnl"]) == (D("3787.46813304"), D("-0.141914"))
    assert long["liquidation_price"] is None
    (short,) = VENUE.decode_positions(recorded("http_position_short"))
    assert (short["side"], short["size"]) == ("short", D("0.01"))


def test_balances(recorded: Recorded) -> None:
    assert VENUE.decode_balances(recorded("http_capital")) == {"USDC": D(120)}


@pytest.mark.parametrize("name", UNREAD_ANSWERS)
def test_an_answer_to_something_else_is_refused(recorded: Recorded, name: str) -> None:
    answer = recorded(name)
    with pytest.raises(ProtocolError):
        VENUE.decode_orders(answer if isinstance(answer, list) else [answer])


# --------------------------------------------------------------------------- streams


def test_depth_frames(recorded: Recorded, stream: BackpackWSClient) -> None:
    frame = recorded.frame("ws_depth_data_one_delete", "depth.BTC_USDC_PERP")
    (update,) = events(stream, frame)
    assert update == BookUpdate(
        "BTC_USDC_PERP",
        [("117357.0", "0.00000")],
        [],
        1662976171,
        1662976171,
        False,
        1759338824897,
    )
    (update,) = events(stream, recorded.frame("ws_depth_empty_update"))
    assert isinstance(update, BookUpdate)
    assert (update.bids, update.asks, update.last) == ([], [], 1345937436)
    (update,) = events(stream, recorded.frame("ws_depth_doc", "depth.SOL_USDC"))
    assert isinstance(update, BookUpdate)
    assert update.bids == [("18.67", "0.832"), ("18.68", "0.000")]
    assert update.asks == [("18.70", "0.000")]


def test_book_ticker_frames(recorded: Recorded, stream: BackpackWSClient) -> None:
    (update,) = events(stream, recorded.frame("ws_book_ticker"))
    assert update == BboUpdate("ETH_USDC", "3667.49", "0.0020", "3667.50", "0.4087", 1754517402450)
    (update,) = events(stream, recorded.frame("ws_book_ticker_doc", "bookTicker.SOL_USDC"))
    assert update == BboUpdate("SOL_USDC", "18.67", "2.000", "18.70", "1.000", 1694687965941)


def test_mark_price_frames(recorded: Recorded, stream: BackpackWSClient) -> None:
    (update,) = events(stream, recorded.frame("ws_mark_price", "markPrice.SOL_USDC_PERP"))
    assert update == MarkUpdate(
        "SOL_USDC_PERP", D("173.35998175"), D("173.44031179"), 1747291031914
    )
    (update,) = events(stream, recorded.frame("ws_mark_price_doc", "markPrice.SOL_USDC"))
    assert update == MarkUpdate("SOL_USDC", D("18.70"), D("19.70"), 1694687965941)


def test_order_accepted_frames(recorded: Recorded, stream: BackpackWSClient) -> None:
    frame = recorded.frame("ws_order_update_accepted_limit", "account.orderUpdate")
    order = only_order(events(stream, frame))
    assert (order["id"], order["status"]) == ("114575842681290753", OrderStatus.OPEN)
    assert (order["side"], order["type"]) == ("sell", "limit")
    assert (order["price"], order["size"], order["filled"]) == (D("178.15"), D("20.03"), D(0))
    order = only_order(events(stream, recorded.frame("ws_order_update_accepted_market")))
    assert (order["type"], order["price"], order["size"]) == ("market", None, D("0.0010"))
    assert order["timestamp_ms"] == 1754939110175


def test_fill_frame(recorded: Recorded, stream: BackpackWSClient) -> None:
    frame = recorded.frame("ws_order_update_fill_data", "account.orderUpdate.ETH_USDC")
    fill, update = events(stream, frame)
    assert isinstance(fill, FillUpdate)
    assert (fill.fill["id"], fill.fill["order_id"]) == ("2888471", "5406825793")
    assert (fill.fill["price"], fill.fill["size"]) == (D("4299.16"), D("0.0010"))
    assert (fill.fill["fee"], fill.fill["fee_asset"]) == (D("0.000001"), "ETH")
    assert fill.fill["liquidity"] == "taker"
    order = only_order([update])
    assert (order["status"], order["filled"]) == (OrderStatus.FILLED, D("0.0010"))
    assert order["average_price"] == D("4299.16")


def test_canceled_and_trigger_frames(recorded: Recorded, stream: BackpackWSClient) -> None:
    frame = recorded.frame("ws_order_update_cancelled", "account.orderUpdate")
    order = only_order(events(stream, frame))
    assert (order["id"], order["status"]) == ("114575904705282048", OrderStatus.CANCELED)
    frame = recorded.frame("ws_order_update_trigger_placed", "account.orderUpdate")
    assert only_order(events(stream, frame))["status"] is OrderStatus.PENDING


def test_order_frame_with_every_field(recorded: Recorded, stream: BackpackWSClient) -> None:
    frame = recorded.frame("ws_order_update_all_fields_doc", "account.orderUpdate.SOL_USD")
    order = only_order(events(stream, frame))
    assert (order["client_order_id"], order["post_only"]) == ("123", True)
    assert order["reason"] == "PRICE_BAND"
    assert order["filled"] == D("321")
    assert order["raw"]["I"] == "1111343026156135"


def test_position_frames(recorded: Recorded, stream: BackpackWSClient) -> None:
    update = only_position(events(stream, recorded.frame("ws_position_snapshot_short")))
    assert update.size == D("-0.01")
    assert update.position is not None
    assert (update.position["side"], update.position["size"]) == ("short", D("0.01"))
    assert update.position["entry_price"] == D("126.97")
    assert update.timestamp_ms == 1769366599828
    update = only_position(events(stream, recorded.frame("ws_position_update_opened")))
    assert (update.symbol, update.size) == ("ETH_USDC_PERP", D("0.0010"))
    frame = recorded.frame("ws_position_update_doc", "account.positionUpdate")
    update = only_position(events(stream, frame))  # numbers where live frames have text
    assert (update.symbol, update.size) == ("SOL_USDC_PERP", D(5))


def test_error_frame(recorded: Recorded, stream: BackpackWSClient) -> None:
    (reply,) = events(stream, recorded.frame("ws_error_invalid_stream"))
    assert isinstance(reply, Reply)
    assert isinstance(reply.error, VenueError)
    assert (reply.error.code, reply.error.raw["message"]) == ("4006", "Invalid stream")


@pytest.mark.parametrize("name", UNREAD_FRAMES)
def test_a_stream_never_asked_for_says_nothing(
    recorded: Recorded, stream: BackpackWSClient, name: str
) -> None:
    data = recorded(name)
    frame = {"data": data.get("data", data), "stream": UNREAD_FRAMES[name]}
    assert events(stream, json.dumps(frame, separators=(",", ":")).encode()) == []


@pytest.mark.parametrize("name", ["ws_book_ticker", "ws_depth_empty_update"])
def test_white_space_changes_nothing(
    recorded: Recorded, stream: BackpackWSClient, name: str
) -> None:
    indented = (recorded.folder / f"{name}.json").read_bytes()
    assert b"\n" in indented
    assert events(stream, indented) == events(stream, recorded.frame(name)) != []


def only_order(found: Sequence[Event]) -> Order:
    (update,) = found
    assert isinstance(update, OrderUpdate)
    return update.order


def only_position(found: Sequence[Event]) -> PositionUpdate:
    (update,) = found
    assert isinstance(update, PositionUpdate)
    return update

"""Every recorded payload of EdgeX through the wrapper's decoders, with what must come out.

A check is named after its file; a recording without a check fails the suite. Answers are those of
v1, which v2 repeats under other names for resolutions; frames named `v2_live` are single records of
live messages, put here into the envelope that they came in.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.errors import ProtocolError
from mpdex.types import (
    BboUpdate,
    BookUpdate,
    CancelRequest,
    Event,
    Market,
    MarkUpdate,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    Reply,
    Subscribed,
    Topic,
)
from mpdex.utils.markets import MarketList
from mpdex.utils.orderbook import Book
from wrappers.edgex import EdgexExchange
from wrappers.edgex_auth import nonce_of
from wrappers.edgex_v1 import stark_terms_of
from wrappers.edgex_ws_client import EdgexAccountClient, EdgexWSClient

D = Decimal
KEYS = {"account_id": "543429922991899150", "stark_private_key": "0x" + "01" * 32}
ORDER_ID = "564815695875932430"
# Topics that nothing here asks for.
UNREAD_FRAMES = ("ws_funding_rate_docs", "ws_kline", "ws_metadata_snapshot", "ws_trades_docs")
UNREAD_RECORDS = ("ws_v2_live_kline_record", "ws_v2_live_trade_record")
UNREAD_ANSWERS = ("http_v1_kline", "http_v1_max_create_order_size")
UNSENT = ("http_v1_max_create_order_size_request",)


class Recorded:
    """The folder of recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venue = EdgexExchange(**KEYS)
        listed = self.venue.decode_markets([self("http_v1_metadata")])
        self.venue._markets.replace(listed)
        self.markets = MarketList("edgex", self.venue.wire_name)
        self.markets.replace(listed)

    def __call__(self, name: str) -> Any:
        return json.loads((self.folder / f"{name}.json").read_text(), parse_float=Decimal)

    def frame(self, name: str) -> bytes:
        """As it came over the wire: compact."""
        return json.dumps(self(name), separators=(",", ":")).encode()

    def market_events(self, frame: bytes) -> list[Event]:
        return list(EdgexWSClient(keys={}, markets=self.markets).decode(frame))

    def account_events(self, frame: bytes) -> list[Event]:
        return list(EdgexAccountClient(keys=KEYS, markets=self.markets).decode(frame))

    def record(self, name: str, channel: str) -> bytes:
        """A record in its envelope."""
        content = {"channel": channel, "dataType": "changed", "data": [self(name)]}
        message = {"type": "quote-event", "channel": channel, "content": content}
        return json.dumps(message, separators=(",", ":")).encode()


@pytest.fixture(scope="module")
def recorded(shared: Path) -> Recorded:
    return Recorded(shared / "recorded" / "edgex")


@pytest.fixture
def venue(recorded: Recorded) -> EdgexExchange:
    return recorded.venue


@pytest.fixture
def btc(recorded: Recorded) -> Market:
    return recorded.markets["BTCUSD"]


def test_every_recording_has_a_check(recorded: Recorded) -> None:
    here = Path(__file__).read_text()
    names = [path.stem for path in recorded.folder.glob("*.json")]
    assert len(names) >= 40
    assert [name for name in names if f'"{name}"' not in here] == []


# --------------------------------------------------------------------------- markets


def test_markets(recorded: Recorded, btc: Market) -> None:
    assert recorded.markets.symbols("perp") == ["BTCUSD", "ETHUSD"]
    assert (btc["coin"], btc["quote"], btc["raw"]["contractName"]) == ("BTC", "USDT", "BTCUSDT")
    assert (btc["tick"], btc["step"]) == (D("0.1"), D("0.001"))
    assert (btc["min_size"], btc["max_size"]) == (D("0.001"), 50)
    assert (btc["max_leverage"], btc["price_band"], btc["active"]) == (50, D("0.05"), True)
    assert recorded.markets["ETHUSD"]["tick"] == D("0.01")
    terms = stark_terms_of(btc["raw"])
    assert terms.units == 10**10, btc["raw"]["starkExResolution"]
    assert (terms.collateral_units, terms.rate) == (10**6, D("0.00055"))


def test_prices(recorded: Recorded, venue: EdgexExchange, btc: Market) -> None:
    assert venue.decode_mark(recorded("http_v1_ticker"), btc) == D(
        "101636.3750002346932888031005859375"
    )
    assert venue.decode_server_time(recorded("http_v1_server_time")) == 1734596189305
    book = venue.decode_book(recorded("http_v1_depth"), btc)
    assert (book.snapshot, book.last) == (True, 201223747)
    assert next(iter(book.bids)) == ("101695.5", "1.710")
    assert next(iter(book.asks)) == ("101695.9", "0.579")


def test_funding(recorded: Recorded, venue: EdgexExchange, btc: Market) -> None:
    funding = venue.decode_funding_rate(recorded("http_v1_latest_funding_rate"), btc)
    assert (funding["rate"], funding["interval_hours"]) == (D("-0.00005537"), 4)
    (ticker,) = recorded("http_v1_ticker")["data"]
    assert funding["next_funding_ms"] == int(ticker["nextFundingTime"])


# --------------------------------------------------------------------------- orders


def test_an_order_that_was_taken(recorded: Recorded, venue: EdgexExchange) -> None:
    asked = OrderRequest(symbol="BTCUSD", side="buy", size=D("0.001"), price=D(1), client_id="7")
    placed = venue.decode_placement(recorded("http_v1_create_order"), asked)
    assert (placed["id"], placed["status"]) == ("564814927928230158", OrderStatus.PENDING)


def test_what_is_sent_has_the_venues_own_names(
    recorded: Recorded, venue: EdgexExchange, btc: Market
) -> None:
    theirs = recorded("http_v1_create_order_request")
    asked = OrderRequest(
        symbol="BTCUSD",
        side="buy",
        size=D(theirs["size"]),
        price=D(theirs["price"]),
        client_id=theirs["clientOrderId"],
    )
    request = venue.encode_order(asked, btc, 10**18)
    assert request.path == "/api/v1/private/order/createOrder"
    assert set(request.json) <= set(theirs)
    for name in ("contractId", "side", "type", "timeInForce", "l2Value", "l2Size", "reduceOnly"):
        assert request.json[name] == theirs[name], name
    cancel = venue.encode_cancel(CancelRequest(symbol="BTCUSD", order_id="564827797948727434"), btc)
    wanted = recorded("http_v1_cancel_order_by_id_request")
    assert {**cancel.json, "accountId": wanted["accountId"]} == wanted


def test_nonces_are_those_of_the_client_ids(recorded: Recorded) -> None:
    (found,) = recorded("http_v1_order_by_client_order_id")["data"]
    assert nonce_of(found["clientOrderId"]) == int(found["l2Nonce"])
    (update,) = recorded("ws_private_order_update")["content"]["data"]["order"]
    assert nonce_of(update["clientOrderId"]) == int(update["l2Nonce"])


def test_cancels(recorded: Recorded, venue: EdgexExchange, btc: Market) -> None:
    one = venue.encode_cancel(CancelRequest(symbol="BTCUSD", order_id="564827797948727434"), btc)
    everything = venue.encode_cancel_all(btc)
    for name, request in (
        ("http_v1_cancel_order_by_id", one),
        ("http_v1_cancel_all_order", everything),
    ):
        assert venue.decode_error(200, recorded(name), request) is None
        assert venue.decode_cancel(recorded(name)) is None


def test_open_orders(recorded: Recorded, venue: EdgexExchange) -> None:
    answer = recorded("http_v1_active_order_page")
    (order,) = venue.decode_orders(answer)
    assert (order["id"], order["client_order_id"]) == (ORDER_ID, "553364074986685")
    assert (order["symbol"], order["side"], order["status"]) == ("BTCUSD", "buy", OrderStatus.OPEN)
    assert (order["price"], order["size"], order["filled"]) == (D("97444.5"), D("0.001"), 0)
    assert (order["reason"], order["average_price"]) == ("", None)
    assert venue.encode_orders_after(answer, None) is None


def test_an_order_is_found(recorded: Recorded, venue: EdgexExchange) -> None:
    by_ours = CancelRequest(symbol="BTCUSD", client_id="9311381563209122")
    live = venue.decode_order_query(recorded("http_v1_order_by_client_order_id"), by_ours)
    assert live is not None
    assert (live["id"], live["status"]) == ("564829588270612618", OrderStatus.OPEN)
    history = recorded("http_v1_history_order_page")
    ended = venue.decode_order_query(history, CancelRequest(symbol="BTCUSD", order_id=ORDER_ID))
    assert ended is not None
    assert (ended["status"], ended["filled"]) == (OrderStatus.FILLED, D("0.001"))
    assert (ended["average_price"], ended["timestamp_ms"]) == (D("97444.5"), 1734662617992)
    assert venue.decode_order_query(history, by_ours) is None


def test_fills(recorded: Recorded, venue: EdgexExchange) -> None:
    page = venue.decode_fills(recorded("http_v1_history_order_fill_transaction_page"), None)
    (fill,) = page.fills
    assert (fill["id"], fill["order_id"]) == ("564815957260763406", ORDER_ID)
    assert (fill["price"], fill["size"], fill["fee"]) == (D("97444.5"), D("0.001"), D("0.017540"))
    assert (fill["side"], fill["liquidity"], fill["fee_asset"]) == ("buy", "maker", "USDT")
    assert (fill["timestamp_ms"], page.cursor) == (1734662617982, None)


# --------------------------------------------------------------------------- account


def test_everything_about_the_account(
    recorded: Recorded, venue: EdgexExchange, btc: Market
) -> None:
    answer = recorded("http_v1_account_asset")
    (position,) = venue.decode_positions(answer)
    assert (position["symbol"], position["side"]) == ("BTCUSD", "long")
    assert (position["size"], position["entry_price"]) == (D("0.001"), D("97444.5"))
    assert (position["liquidation_price"], position["leverage"]) == (D("82354.9"), 50)
    mark = position["mark_price"]
    assert mark is not None
    assert round(mark, 2) == D("97734.43")
    collateral = venue.decode_collateral(answer)
    assert round(collateral["total"], 6) == D("15.791239")
    assert (collateral["available"], collateral["currency"]) == (D("13.836550"), "USDT")
    assert round(collateral["unrealized_pnl"] or 0, 6) == D("0.289927")
    fees = venue.decode_fees(answer, btc)
    assert (fees["maker"], fees["taker"], fees["assumed"]) == (D("0.00018"), D("0.0005"), False)
    info = venue.decode_leverage_info(answer, btc)
    assert (info["leverage"], info["max_leverage"], info["position_mode"]) == (50, 50, "one-way")


def test_parts_of_it_say_the_same(recorded: Recorded, venue: EdgexExchange, btc: Market) -> None:
    """None of them is asked for; they are in the one answer above."""
    whole = recorded("http_v1_account_asset")["data"]
    assert recorded("http_v1_account_by_id")["data"] == whole["account"]
    assert recorded("http_v1_position_by_contract_id")["data"] == whole["positionList"]
    assert recorded("http_v1_collateral_by_coin_id")["data"] == whole["collateralList"]


@pytest.mark.parametrize("name", UNREAD_ANSWERS)
def test_an_answer_to_something_else_is_no_order(
    recorded: Recorded, venue: EdgexExchange, name: str
) -> None:
    with pytest.raises(ProtocolError):
        venue.decode_orders(recorded(name))


# --------------------------------------------------------------------------- streams


def test_books_of_v1(recorded: Recorded) -> None:
    """A change starts after the last number before it."""
    stream, book = EdgexWSClient(keys={}), Book("10000004")
    (first,) = stream.decode(recorded.frame("ws_depth_snapshot"))
    assert isinstance(first, BookUpdate)
    assert (first.symbol, first.last, first.snapshot) == ("10000004", 90595447, True)
    (change,) = stream.decode(recorded.frame("ws_depth_changed"))
    assert isinstance(change, BookUpdate)
    assert (change.first, change.last, change.snapshot) == (90595448, 90595463, False)
    assert book.apply(first)
    assert book.apply(change)
    assert book.levels(1)["bids"] == [(D("600.97"), D("14.26"))]
    assert len(book.levels()["asks"]) == 7


def test_books_of_v2(recorded: Recorded) -> None:
    frame = recorded.record("ws_v2_live_depth_record_changed", "depth.30000001.200")
    (change,) = recorded.market_events(frame)
    assert change == BookUpdate(
        "30000001", [("79031.2", "0.720")], [("79031.4", "0")], 1797029327, 1797029347, False, None
    )


def test_best_prices(recorded: Recorded) -> None:
    (best,) = recorded.market_events(recorded.frame("ws_book_ticker_docs"))
    assert best == BboUpdate("BTCUSD", "30000", "2.5", "30001", "1.8", None)


def test_marks(recorded: Recorded) -> None:
    mark = D("3.09847989119589328765869140625")
    (update,) = recorded.market_events(recorded.frame("ws_ticker_all_1s"))
    assert update == MarkUpdate("10000024", mark, D("3.097950710"), None)
    live = recorded.record("ws_v2_live_ticker_record", "ticker.30000001")
    (update,) = recorded.market_events(live)
    assert update == MarkUpdate(
        "30000001", D("79025.030809853284955708"), D("79076.6724223198"), None
    )
    bare = recorded.record("ws_v2_live_ticker_record_no_book", "ticker.30000162")
    (update,) = recorded.market_events(bare)
    assert isinstance(update, MarkUpdate)
    assert update.mark_price == D("1.169107230317320739")


def test_the_account_begins_with_a_snapshot(recorded: Recorded) -> None:
    told = recorded.account_events(recorded.frame("ws_private_snapshot"))
    assert told == [Subscribed("account")]


def test_an_order_as_the_account_tells_it(recorded: Recorded) -> None:
    (update,) = recorded.account_events(recorded.frame("ws_private_order_update"))
    assert isinstance(update, OrderUpdate)
    order = update.order
    assert (order["id"], order["client_order_id"]) == ("736936291735699983", "38704677398287624")
    assert (order["type"], order["price"], order["status"]) == (
        "market",
        None,
        OrderStatus.PENDING,
    )
    assert recorded.account_events(recorded.frame("ws_private_funding_settlement")) == []


def test_messages_about_the_connection(recorded: Recorded) -> None:
    for name in ("ws_private_connected", "ws_v2_live_connected", "ws_ping", "ws_pong"):
        assert recorded.market_events(recorded.frame(name)) == []
        assert recorded.account_events(recorded.frame(name)) == []
    assert recorded.market_events(recorded.frame("ws_v2_live_ping")) == []
    for name, channel in (
        ("ws_subscribed_docs", "ticker.10000001"),
        ("ws_v2_live_subscribed", "ticker.all.1s"),
    ):
        assert recorded.market_events(recorded.frame(name)) == [Subscribed(channel)]
    (reply,) = recorded.market_events(recorded.frame("ws_error"))
    assert isinstance(reply, Reply)
    assert "INVALID_CONTRACT_ID" in str(reply.error)


def test_what_is_subscribed_to(recorded: Recorded) -> None:
    stream = EdgexWSClient(keys={}, markets=recorded.markets)
    topics = [Topic("mark", "BTCUSD")]
    (asked,) = stream.encode_subscribe(topics)
    assert json.loads(asked) == recorded("ws_subscribe_request")
    (ended,) = stream.encode_unsubscribe(topics)
    assert json.loads(ended) == recorded("ws_unsubscribe_request")


@pytest.mark.parametrize("name", UNREAD_FRAMES)
def test_other_frames_say_nothing(recorded: Recorded, name: str) -> None:
    assert recorded.market_events(recorded.frame(name)) == []
    assert recorded.account_events(recorded.frame(name)) == []


@pytest.mark.parametrize("name", UNREAD_RECORDS)
def test_other_records_say_nothing(recorded: Recorded, name: str) -> None:
    assert recorded.market_events(recorded.record(name, "trades.30000001")) == []


@pytest.mark.parametrize("name", UNSENT)
def test_a_request_that_nothing_here_makes(recorded: Recorded, name: str) -> None:
    assert set(recorded(name)) == {"accountId", "contractId", "price"}

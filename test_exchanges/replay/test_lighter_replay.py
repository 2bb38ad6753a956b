"""Every recorded payload of Lighter through the wrapper's decoders, with what must come out.

A check is named after its file; a recording without a check fails the suite.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.errors import NonceRefused, SessionEnded, VenueError
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
    Reply,
    Request,
    Subscribed,
    TimeInForce,
)
from mpdex.utils.markets import MarketList
from mpdex.utils.orderbook import Book
from wrappers.lighter import LighterExchange
from wrappers.lighter_ws_client import LighterAccountClient

D = Decimal
PLACE = Request("POST", "/api/v1/sendTx", signed=True, command=True)

# Channels that nobody here asks for. A snapshot's channel is confirmed and nothing more.
UNREAD_FRAMES = {
    "ws_account_all_assets_spot_ccxt": (),
    "ws_account_all_assets_update": (Subscribed("account_all_assets:1234"),),
    "ws_account_all_assets_with_position": (Subscribed("account_all_assets:1234"),),
    "ws_candle_subscribed": (Subscribed("candle:0:1m"),),
    "ws_candle_update": (),
    "ws_height_update": (),
    "ws_trade_ccxt": (Subscribed("trade:0"),),
    "ws_trade_subscribed": (Subscribed("trade:0"),),
    "ws_trade_update": (),
    "ws_trade_with_liquidation_ccxt": (Subscribed("trade:0"),),
    "ws_update_account_all_assets_docs": (),
    "ws_update_notification_docs": (),
    "ws_update_trade_docs": (),
    "ws_update_user_stats_docs": (),
    "ws_user_stats_ccxt": (),
    "ws_user_stats_update": (Subscribed("user_stats:1234"),),
    "ws_user_stats_with_position": (Subscribed("user_stats:1234"),),
    "ws_connected": (),
    "ws_unsubscribed": (),
    "ws_error_30002_not_subscribed": (),
}
# Answers to questions that nobody here asks; they are successes all the same.
UNREAD_ANSWERS = (
    "http_accounts_by_l1_address_sub_accounts",
    "http_asset_details",
    "http_candles",
    "http_deposit_history",
    "http_fundings",
    "http_order_book_depth",
    "http_transfer_history",
)


class Recorded:
    """The folder of recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str) -> Any:
        text = (self.folder / f"{name}.json").read_text()
        return json.loads(text, parse_float=Decimal)

    def frame(self, name: str) -> bytes:
        """As it came over the wire: compact."""
        message = json.loads((self.folder / f"{name}.json").read_text())
        return json.dumps(message, separators=(",", ":")).encode()


@pytest.fixture(scope="module")
def recorded(shared: Path) -> Recorded:
    return Recorded(shared / "recorded" / "lighter")


@pytest.fixture
def venue(recorded: Recorded) -> LighterExchange:
    return _venue(recorded, 1077)


def _venue(recorded: Recorded, account: int) -> LighterExchange:
    """Of an account, without its keys; with the recorded markets."""
    venue = LighterExchange(read_only=True, account_index=str(account))
    venue._markets.replace(_markets(recorded))
    return venue


def _markets(recorded: Recorded) -> list[Market]:
    listing = recorded("http_order_book_details")
    listing["spot_order_book_details"] = [recorded("http_order_book_details_spot_item")]
    return LighterExchange(read_only=True).decode_markets([listing])


@pytest.fixture
def stream(recorded: Recorded) -> LighterAccountClient:
    markets = MarketList("lighter", LighterExchange(read_only=True).wire_name)
    markets.replace(_markets(recorded))
    return LighterAccountClient(keys={"account_index": "1234"}, markets=markets)


def events(stream: LighterAccountClient, frame: bytes) -> list[Event]:
    return list(stream.decode(frame))


def test_every_recording_has_a_check(recorded: Recorded) -> None:
    here = Path(__file__).read_text()
    names = [path.stem for path in recorded.folder.glob("*.json")]
    assert len(names) >= 60
    assert [name for name in names if f'"{name}"' not in here] == []


# --------------------------------------------------------------------------- markets


def test_markets(recorded: Recorded) -> None:
    perp, spot = _markets(recorded)
    assert (perp["symbol"], perp["kind"], perp["coin"], perp["quote"]) == (
        ("ETH", "perp", "ETH", "USDC")
    )
    assert (spot["symbol"], spot["kind"], spot["coin"], spot["quote"]) == (
        ("ETH/USDC", "spot", "ETH", "USDC")
    )
    assert (perp["tick"], perp["step"]) == (spot["tick"], spot["step"]) == (D("0.01"), D("0.0001"))
    assert (perp["min_size"], perp["min_notional"]) == (D("0.0050"), D(10))
    assert (spot["min_size"], spot["min_notional"]) == (D("0.0001"), D("0.000001"))
    assert (perp["max_leverage"], spot["max_leverage"]) == (D(50), None)
    assert perp["active"]
    assert spot["active"]


def test_the_short_list_has_no_margins(recorded: Recorded) -> None:
    (entry,) = recorded("http_order_books")["order_books"]
    (full,) = recorded("http_order_book_details")["order_book_details"]
    assert entry.items() <= full.items()


def test_marks(recorded: Recorded, venue: LighterExchange) -> None:
    answer = recorded("http_order_book_details")
    eth = venue._markets["ETH"]
    assert venue.decode_mark(answer, eth) == D("2361.31"), "no mark yet in May: the last trade"
    answer["order_book_details"][0]["mark_price"] = "2361.4"
    assert venue.decode_mark(answer, eth) == D("2361.4")


@pytest.mark.parametrize(
    ("name", "bid", "ask"),
    [
        ("http_order_book_orders", ("2361.17", "3.4125"), ("2361.32", "0.0317")),
        ("http_order_book_orders_2025_11", ("3429.80", "1.3237"), ("3430.00", "0.2000")),
    ],
)
def test_book_by_rest(
    recorded: Recorded,
    venue: LighterExchange,
    name: str,
    bid: tuple[str, str],
    ask: tuple[str, str],
) -> None:
    update = venue.decode_book(recorded(name), venue._markets["ETH"])
    assert (list(update.bids), list(update.asks)) == ([bid], [ask])
    assert update.snapshot


def test_funding(recorded: Recorded, venue: LighterExchange) -> None:
    rate = venue.decode_funding_rate(recorded("http_funding_rates"), venue._markets["ETH"])
    assert (rate["rate"], rate["interval_hours"]) == (D("0.000012"), D(1))


def test_status_tells_the_time_in_seconds(recorded: Recorded, venue: LighterExchange) -> None:
    assert venue.decode_server_time(recorded("http_status")) == 1763005601000


# --------------------------------------------------------------------------- orders


def test_acknowledgements_are_pending(recorded: Recorded, venue: LighterExchange) -> None:
    order = OrderRequest(symbol="ETH", side="buy", size=D("0.1"), price=D(2500), client_id="77")
    for name in ("http_send_tx_ok", "ws_jsonapi_sendtx_ok"):
        answer = recorded(name)
        assert venue.decode_error(200, answer, PLACE) is None
        placed = venue.decode_placement(answer, order)
        assert (placed["id"], placed["client_order_id"]) == ("", "77")
        assert placed["status"] is OrderStatus.PENDING
        assert venue.decode_cancel(answer) is None


def test_open_order(recorded: Recorded, venue: LighterExchange) -> None:
    (order,) = venue.decode_orders(recorded("http_orders"))
    assert (order["id"], order["client_order_id"]) == ("281476929510110", "42")
    assert (order["symbol"], order["side"], order["type"]) == ("ETH", "sell", "limit")
    assert (order["price"], order["size"], order["filled"]) == (D("2352.74"), D("0.0050"), D(0))
    assert (order["status"], order["reason"]) == (OrderStatus.OPEN, "")
    assert (order["time_in_force"], order["post_only"]) == (TimeInForce.GTC, False)
    assert (order["average_price"], order["timestamp_ms"]) == (None, 1777941383576)


@pytest.mark.parametrize("name", ["http_account_active_orders", "http_account_inactive_orders"])
def test_order_that_had_no_margin(recorded: Recorded, venue: LighterExchange, name: str) -> None:
    answer = recorded(name)
    assert venue.decode_orders(answer) == [], "it has ended"
    query = CancelRequest(symbol="ETH", order_id="281474977354074")
    order = venue.decode_order_query(answer, query)
    assert order is not None
    assert (order["status"], order["reason"]) == (
        (OrderStatus.REJECTED, "canceled-margin-not-allowed")
    )
    assert (order["type"], order["price"], order["client_order_id"]) == ("market", None, None)
    assert (order["side"], order["time_in_force"]) == ("sell", TimeInForce.IOC)
    assert order["timestamp_ms"] == 1766387932000, "this one came in seconds"
    assert venue.decode_order_query(answer, CancelRequest(symbol="ETH", client_id="1")) is None


def test_own_trade(recorded: Recorded, venue: LighterExchange) -> None:
    page = venue.decode_fills(recorded("http_trades_own"), None)
    (fill,) = page.fills
    assert (fill["id"], fill["order_id"]) == ("17609", "562949952870533")
    assert (fill["side"], fill["liquidity"]) == ("buy", "taker")
    assert (fill["price"], fill["size"]) == (D("2958.75"), D("10.2304"))
    assert (fill["fee"], fill["fee_asset"], fill["client_order_id"]) == (D(0), "USDC", None)
    assert (fill["timestamp_ms"], page.cursor) == (1766386112741, None)


@pytest.mark.parametrize(
    ("name", "maker", "client_id", "fee"),
    [
        ("http_recent_trades", 281474976639642, "410940644", D("0.000033")),
        ("http_recent_trades_2026_10", 317087, None, D(0)),
    ],
)
def test_trades_as_their_makers_would_see_them(
    recorded: Recorded, name: str, maker: int, client_id: str | None, fee: Decimal
) -> None:
    (fill,) = _venue(recorded, maker).decode_fills(recorded(name), None).fills
    assert (fill["side"], fill["liquidity"]) == ("buy", "maker")
    assert (fill["client_order_id"], fill["fee"]) == (client_id, fee)
    assert _venue(recorded, 1).decode_fills(recorded(name), None).fills == [], "somebody else's"


def test_errors(recorded: Recorded, venue: LighterExchange) -> None:
    answer = recorded("http_error_21104_invalid_nonce")
    error = venue.decode_error(400, answer, PLACE)
    assert type(error) is NonceRefused
    assert error.code == "21104"
    assert type(venue.decode_error(200, answer, PLACE)) is NonceRefused


def test_next_nonce(recorded: Recorded, venue: LighterExchange) -> None:
    assert venue.decode_next_nonce(recorded("http_next_nonce")) == 1234567890


@pytest.mark.parametrize("name", UNREAD_ANSWERS)
def test_answers_that_nobody_asks_for(
    recorded: Recorded, venue: LighterExchange, name: str
) -> None:
    assert venue.decode_error(200, recorded(name), Request("GET", "/")) is None


# --------------------------------------------------------------------------- account


def test_account(recorded: Recorded, venue: LighterExchange) -> None:
    answer = recorded("http_account_with_position")
    (position,) = venue.decode_positions(answer)
    assert (position["symbol"], position["side"]) == ("ETH", "long")
    assert (position["size"], position["entry_price"]) == (D("18.0193"), D("2669.84"))
    assert position["unrealized_pnl"] == D("6197.829558")
    assert position["liquidation_price"] == D("2191.1107231380406")
    assert position["leverage"] == 20
    collateral = venue.decode_collateral(answer)
    assert (collateral["total"], collateral["available"]) == (
        (D("15298.072264000002"), D("12582.743947"))
    )
    info = venue.decode_leverage_info(answer, venue._markets["ETH"])
    assert (info["leverage"], info["max_leverage"], info["margin_mode"]) == (D(20), D(50), "cross")


def test_account_without_positions(recorded: Recorded) -> None:
    venue = _venue(recorded, 123456)
    answer = recorded("http_account")
    assert venue.decode_positions(answer) == [], "a closed position stays listed"
    assert venue.decode_collateral(answer)["total"] == 0
    info = venue.decode_leverage_info(answer, venue._markets["ETH"])
    assert info["leverage"] == 20, "the market's default"


def test_fees(recorded: Recorded, venue: LighterExchange) -> None:
    fees = venue.decode_fees(recorded("http_account_limits"), venue._markets["ETH"])
    assert (fees["maker"], fees["taker"], fees["assumed"]) == (D(0), D(0), False)


# --------------------------------------------------------------------------- streams


def test_book(recorded: Recorded, stream: LighterAccountClient) -> None:
    confirmed, snapshot = events(stream, recorded.frame("ws_order_book_subscribed"))
    assert confirmed == Subscribed("order_book:0")
    assert isinstance(snapshot, BookUpdate)
    assert (snapshot.symbol, snapshot.snapshot, snapshot.last) == ("ETH", True, 904845)
    assert snapshot.bids == [("2000.00", "0.0200")]
    assert snapshot.asks == [("2325.00", "99.0000"), ("2341.25", "340.1028")]
    (change,) = events(stream, recorded.frame("ws_order_book_update"))
    assert isinstance(change, BookUpdate)
    assert (change.first, change.last, change.snapshot) == (9182389999, 9182390020, False)
    assert (change.asks, change.timestamp_ms) == ([("2064.54", "0.3285")], 1774884082326)


def test_a_change_follows_the_number_that_it_names(
    recorded: Recorded, stream: LighterAccountClient
) -> None:
    _, snapshot = events(stream, recorded.frame("ws_order_book_subscribed"))
    (change,) = events(stream, recorded.frame("ws_order_book_update"))
    assert isinstance(snapshot, BookUpdate)
    assert isinstance(change, BookUpdate)
    for begin, follows in ((9182389998, True), (9182389997, False)):
        book = Book("ETH")
        book.apply(snapshot._replace(last=begin))
        assert book.apply(change) is follows
        assert book.gaps == (not follows)


def test_empty_book(recorded: Recorded, stream: LighterAccountClient) -> None:
    confirmed, snapshot = events(stream, recorded.frame("ws_order_book_subscribed_empty"))
    assert confirmed == Subscribed("order_book:39")
    assert isinstance(snapshot, BookUpdate)
    assert (snapshot.symbol, snapshot.bids, snapshot.asks) == ("39", [], [])
    book = Book("39")
    assert book.apply(snapshot)


def test_book_changes_of_other_times(recorded: Recorded, stream: LighterAccountClient) -> None:
    (change,) = events(stream, recorded.frame("ws_update_order_book_docs"))
    assert isinstance(change, BookUpdate)
    assert (change.first, change.last) == (4037957035, 4037957053)
    (old,) = events(stream, recorded.frame("ws_update_order_book_ccxt"))
    assert isinstance(old, BookUpdate)
    assert old.first == old.last == 3107818665, "it does not say what it follows: a gap"


def test_quotes(recorded: Recorded, stream: LighterAccountClient) -> None:
    confirmed, first = events(stream, recorded.frame("ws_ticker_subscribed"))
    assert confirmed == Subscribed("ticker:0")
    assert first == BboUpdate("ETH", "2000.00", "0.0200", "2325.00", "99.0000", 1778138582640)
    (quote,) = events(stream, recorded.frame("ws_ticker_update"))
    assert quote == BboUpdate("ETH", "2064.30", "1.0392", "2064.48", "0.4950", 1774883844933)
    _, empty = events(stream, recorded.frame("ws_ticker_subscribed_empty"))
    assert empty == BboUpdate("39", "", "", "", "", 1778138582640)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "ws_market_stats_update_single",
            MarkUpdate("ETH", D("2064.47"), D("2064.48"), 1774883844933),
        ),
        (
            "ws_market_stats_update_all",
            MarkUpdate("ETH", D("2064.47"), D("2064.48"), 1774883844933),
        ),
        ("ws_market_stats_all_ccxt", MarkUpdate("96", D("1.15954"), D("1.15901"), None)),
        ("ws_market_stats_one_ccxt", MarkUpdate("ETH", D("3013.91"), D("3015.56"), None)),
        ("ws_update_market_stats_docs", MarkUpdate("ETH", D("3335.09"), D("3335.04"), None)),
        (
            "ws_spot_market_stats_update_single",
            MarkUpdate("ETH/USDC", D("1.000001"), D("1.000000"), 1774883844933),
        ),
        (
            "ws_spot_market_stats_update_all",
            MarkUpdate("ETH/USDC", D("1.000001"), D("1.000000"), 1774883844933),
        ),
        ("ws_update_spot_market_stats_docs", MarkUpdate("ETH/USDC", D("3031.70"), None, None)),
    ],
)
def test_mark_frames(
    recorded: Recorded, stream: LighterAccountClient, name: str, expected: MarkUpdate
) -> None:
    assert events(stream, recorded.frame(name)) == [expected]


def test_first_marks(recorded: Recorded, stream: LighterAccountClient) -> None:
    frame = recorded.frame("ws_market_stats_subscribed_single")
    mark = MarkUpdate("1", D("64356.3"), D("64400.1"), 1780546209291)
    assert events(stream, frame) == [Subscribed("market_stats:1"), mark]
    confirmed, _ = events(stream, recorded.frame("ws_spot_market_stats_subscribed_single"))
    assert confirmed == Subscribed("spot_market_stats:2048")


def test_order_report(recorded: Recorded, stream: LighterAccountClient) -> None:
    (event,) = events(stream, recorded.frame("ws_account_orders_update"))
    assert isinstance(event, OrderUpdate)
    order = event.order
    assert (order["symbol"], order["status"]) == ("ETH", OrderStatus.OPEN)
    assert (order["filled"], order["average_price"]) == (D("0.0020"), D("2352.74"))


def test_fill_report(recorded: Recorded, stream: LighterAccountClient) -> None:
    (event,) = events(stream, recorded.frame("ws_account_all_trades_update"))
    assert isinstance(event, FillUpdate)
    fill = event.fill
    assert (fill["id"], fill["order_id"]) == ("19209006902", "562947905631053")
    assert (fill["client_order_id"], fill["side"], fill["liquidity"]) == (
        ("7001011966", "buy", "taker")
    )
    assert fill["fee"] == D("0.061608")


def test_position_report(recorded: Recorded, stream: LighterAccountClient) -> None:
    (event,) = events(stream, recorded.frame("ws_account_all_positions_update"))
    assert isinstance(event, PositionUpdate)
    assert (event.symbol, event.size) == ("ETH", D("1.5000"))
    assert event.position is not None
    assert (event.position["entry_price"], event.position["leverage"]) == (D("2350.10"), D(20))


def test_answer_to_an_order(recorded: Recorded, stream: LighterAccountClient) -> None:
    (reply,) = events(stream, recorded.frame("ws_jsonapi_sendtx_ok"))
    assert isinstance(reply, Reply)
    assert (reply.id, reply.error) == (1786459718284, None)
    assert reply.body["code"] == 200


def test_refused_subscriptions(recorded: Recorded, stream: LighterAccountClient) -> None:
    (reply,) = events(stream, recorded.frame("ws_error_30005_invalid_channel"))
    assert isinstance(reply, Reply)
    assert reply.id == 0
    assert isinstance(reply.error, VenueError)
    assert not isinstance(reply.error, SessionEnded)
    again = events(stream, recorded.frame("ws_error_30003_already_subscribed"))
    assert again == [Subscribed("market_stats:all")]


@pytest.mark.parametrize("name", UNREAD_FRAMES)
def test_frames_that_nobody_asks_for(
    recorded: Recorded, stream: LighterAccountClient, name: str
) -> None:
    assert tuple(events(stream, recorded.frame(name))) == UNREAD_FRAMES[name]

"""Every recorded payload of GRVT through the wrapper's decoders, with what must come out.

A check is named after its file; a recording without a check fails the suite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mpdex.errors import AuthError, ProtocolError, VenueError
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
    Subscribed,
    TimeInForce,
)
from wrappers.grvt import GrvtExchange
from wrappers.grvt_auth import session_from
from wrappers.grvt_wire import decode_market, decode_order
from wrappers.grvt_ws_client import GrvtMarketStream, GrvtTradeStream

D = Decimal
ACCOUNT = "2147050003876484"
VENUE = GrvtExchange(read_only=True)
MARKET = GrvtMarketStream()
TRADE = GrvtTradeStream(keys={"sub_account_id": ACCOUNT})
READ = Request("POST", "/full/v1/order", host="trade")
PLACE = Request("POST", "/full/v1/create_order", host="trade", command=True)

# Streams and answers that nothing here asks for.
UNREAD_FRAMES = {
    "ws_cancel_doc": "v1.cancel",
    "ws_candle_doc": "v1.candle",
    "ws_candle_snapshot": "v1.candle",
    "ws_state_doc": "v1.state",
    "ws_ticker_d_doc": "v1.ticker.d",
    "ws_ticker_s_snapshot": "v1.ticker.s",
    "ws_trade_snapshot": "v1.trade",
    "ws_book_s_snapshot": "v1.book.s",
}
# What a client sends, and answers to requests that are not made here.
REQUESTS = (
    "http_bulk_orders_request_doc",
    "http_cancel_all_orders_request_doc",
    "http_cancel_on_disconnect_request_doc",
    "http_cancel_order_request_doc",
    "http_create_order_request_doc",
    "http_set_position_config_request_doc",
    "ws_legacy_subscribe_request_doc",
    "ws_subscribe_request_doc",
    "ws_unsubscribe_request_doc",
)
UNREAD_ANSWERS = (
    "http_currency",
    "http_funding",
    "http_funding_payment_history",
    "http_get_sub_accounts_doc",
    "http_kline_1d",
    "http_kline_1m",
    "http_set_initial_leverage",
    "http_trade_history",
)


class Recorded:
    """The folder of recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def raw(self, name: str) -> bytes:
        return (self.folder / f"{name}.json").read_bytes()

    def json(self, name: str) -> Any:
        """As the transport decodes an answer: fractions are Decimals."""
        return msgspec.json.Decoder(float_hook=D).decode(self.raw(name))

    def compact(self, name: str) -> bytes:
        """As the venue sends it: one line, keys in their order."""
        return msgspec.json.encode(msgspec.json.decode(self.raw(name)))


@pytest.fixture(scope="module")
def recorded(shared: Path) -> Recorded:
    return Recorded(shared / "recorded" / "grvt")


@pytest.fixture
def market(recorded: Recorded) -> Market:
    return decode_market(recorded.json("http_instrument_btc_usdt_perp"))


def events(stream: GrvtMarketStream | GrvtTradeStream, frame: bytes) -> list[Event]:
    """Events of a frame on a connection that has seen nothing yet."""
    stream._sequences.clear()
    return list(stream.decode(frame))


CHECKS: dict[str, Callable[[Recorded, Market], None]] = {}


def check(function: Callable[[Recorded, Market], None]) -> Callable[[Recorded, Market], None]:
    CHECKS[function.__name__] = function
    return function


# --------------------------------------------------------------------------- markets


@check
def http_all_instruments(recorded: Recorded, _: Market) -> None:
    [found] = VENUE.decode_markets([recorded.json("http_all_instruments")])
    assert (found["symbol"], found["coin"], found["quote"]) == ("AAVE_USDT_Perp", "AAVE", "USDT")
    assert (found["tick"], found["step"], found["min_size"]) == (D("0.01"), D("0.1"), D("0.1"))
    assert found["min_notional"] == D("5.0")
    assert found["kind"] == "perp"
    assert found["active"] is True


@check
def http_instrument_btc_usdt_perp(_: Recorded, market: Market) -> None:
    assert market["symbol"] == "BTC_USDT_Perp"
    assert (market["tick"], market["step"]) == (D("0.1"), D("0.001"))
    assert market["min_notional"] == D("100.0")
    assert market["raw"]["base_decimals"] == 9


@check
def http_instrument_doc(recorded: Recorded, _: Market) -> None:
    found = decode_market(recorded.json("http_instrument_doc")["result"])
    assert (found["tick"], found["min_size"]) == (D("0.01"), D("0.01"))
    assert found["min_notional"] == D("20.0")


@check
def http_book(recorded: Recorded, market: Market) -> None:
    book = VENUE.decode_book(recorded.json("http_book"), market)
    assert book.snapshot
    assert list(book.bids) == [("92336.0", "0.005")]
    assert list(book.asks) == [("92336.1", "5.711")]
    assert book.timestamp_ms == 1764777396650


@check
def http_ticker(recorded: Recorded, market: Market) -> None:
    answer = recorded.json("http_ticker")
    rate = VENUE.decode_funding_rate(answer, market)
    assert rate["rate"] == D("0.000037")
    assert rate["interval_hours"] == 8
    assert rate["next_funding_ms"] == 1764777600000
    assert VENUE.decode_mark(answer, market) == D("92697.300078773")


@check
def http_margin_rules_doc(recorded: Recorded, market: Market) -> None:
    """Not wrapped in a result, and not a refusal either."""
    answer = recorded.json("http_margin_rules_doc")
    assert VENUE.decode_error(200, answer, READ) is None
    assert VENUE.decode_market_details(answer, market)["max_leverage"] == 50


# --------------------------------------------------------------------------- orders


def same_order(order: Order, **expected: Any) -> None:
    assert {name: order[name] for name in expected} == expected  # type: ignore[literal-required]


def pending(recorded: Recorded, name: str, client_id: str, price: str, size: str) -> None:
    same_order(
        VENUE.decode_order(recorded.json(name)),
        id="",  # a placeholder is no id
        client_order_id=client_id,
        symbol="BTC_USDT_Perp",
        side="buy",
        type="limit",
        price=D(price),
        size=D(size),
        filled=D(0),
        average_price=None,
        status=OrderStatus.PENDING,
        time_in_force=TimeInForce.GTC,
        post_only=False,
        reduce_only=False,
        reason="",
    )


@check
def http_create_order_pending(recorded: Recorded, _: Market) -> None:
    pending(recorded, "http_create_order_pending", "1766076671", "50000.0", "0.001")


@check
def http_create_order_pending_full(recorded: Recorded, _: Market) -> None:
    pending(recorded, "http_create_order_pending_full", "1768237177", "70000.0", "0.002")


@check
def http_create_order_pending_trigger(recorded: Recorded, _: Market) -> None:
    pending(recorded, "http_create_order_pending_trigger", "1770274343", "73000.0", "0.002")


FILLED = {
    "id": "0x01010105034cddc7000000006621285c",
    "client_order_id": "1375879248",
    "status": OrderStatus.FILLED,
    "filled": D("0.001"),
    "average_price": D("90000.0"),
    "timestamp_ms": 1764945709704,
}


@check
def http_order_filled(recorded: Recorded, _: Market) -> None:
    same_order(VENUE.decode_order(recorded.json("http_order_filled")), **FILLED)


@check
def http_order_history_filled(recorded: Recorded, _: Market) -> None:
    [order] = VENUE.decode_orders(recorded.json("http_order_history_filled"))
    same_order(order, **FILLED)


@check
def http_open_orders_one_open(recorded: Recorded, _: Market) -> None:
    [order] = VENUE.decode_orders(recorded.json("http_open_orders_one_open"))
    same_order(
        order,
        id="0x0101010503e693410000000069530a7d",
        client_order_id="588129369",
        price=D("88123.0"),
        size=D("0.002"),
        status=OrderStatus.OPEN,
        filled=D(0),
    )


@check
def http_open_orders_empty(recorded: Recorded, _: Market) -> None:
    assert VENUE.decode_orders(recorded.json("http_open_orders_empty")) == []


@check
def http_bulk_orders_doc(recorded: Recorded, _: Market) -> None:
    """One order object is the same everywhere; this one says why although it is pending."""
    answer = recorded.json("http_bulk_orders_doc")
    same_order(
        decode_order(answer["orders"][0]),
        id="0x1234567890abcdef",
        filled=D("1.5"),
        average_price=D("60000.4"),
        status=OrderStatus.PENDING,
        reason="CLIENT_CANCEL",
    )


@check
def http_cancel_order_ack(recorded: Recorded, _: Market) -> None:
    assert VENUE.decode_cancel(recorded.json("http_cancel_order_ack")) is None
    with pytest.raises(VenueError, match="not acknowledged"):
        VENUE.decode_cancel({"result": {"ack": False}})


@check
def http_cancel_all_orders_ack(recorded: Recorded, _: Market) -> None:
    assert VENUE.decode_cancel(recorded.json("http_cancel_all_orders_ack")) is None


@check
def http_set_position_config_doc(recorded: Recorded, _: Market) -> None:
    """An ack as text, without an envelope."""
    answer = recorded.json("http_set_position_config_doc")
    assert VENUE.decode_error(200, answer, READ) is None
    assert VENUE.decode_cancel(answer) is None


@check
def http_error_doc(recorded: Recorded, _: Market) -> None:
    error = VENUE.decode_error(401, recorded.json("http_error_doc"), PLACE)
    assert isinstance(error, AuthError)
    assert error.code == "1000"
    assert error.request == "POST /full/v1/create_order"


# --------------------------------------------------------------------------- account


@check
def http_api_key_login_body(recorded: Recorded, _: Market) -> None:
    cookie = "gravity=token; Path=/; Expires=Sun, 22 Nov 2026 02:00:00 GMT; HttpOnly"
    headers = {"set-cookie": cookie, "X-Grvt-Account-Id": "ACC:1"}
    body = recorded.json("http_api_key_login_body")
    session = session_from(headers, body, 0)
    assert session.headers == {"Cookie": "gravity=token", "X-Grvt-Account-Id": "ACC:1"}
    assert session.expires_ms == 1795312800000
    with pytest.raises(ProtocolError):
        session_from({}, body, 0)


@check
def http_account_summary_no_positions(recorded: Recorded, _: Market) -> None:
    held = VENUE.decode_collateral(recorded.json("http_account_summary_no_positions"))
    assert (held["total"], held["available"], held["currency"]) == (D("15.0"), D("15.0"), "USDT")
    assert held["unrealized_pnl"] == 0


@check
def http_account_summary_doc(recorded: Recorded, _: Market) -> None:
    held = VENUE.decode_collateral(recorded.json("http_account_summary_doc"))
    assert held["total"] == held["available"] == D("123456.78")


@check
def http_positions_empty(recorded: Recorded, _: Market) -> None:
    assert VENUE.decode_positions(recorded.json("http_positions_empty")) == []


@check
def http_positions_one_long(recorded: Recorded, _: Market) -> None:
    [position] = VENUE.decode_positions(recorded.json("http_positions_one_long"))
    assert (position["side"], position["size"]) == ("long", D("0.001"))
    assert position["entry_price"] == D("90000.0")
    assert position["mark_price"] == D("89816.900008979")
    assert position["unrealized_pnl"] == D("-0.183099")
    assert position["liquidation_price"] == D("77951.450008979")
    assert position["leverage"] == D("28.0")


@check
def http_positions_doc(recorded: Recorded, _: Market) -> None:
    [position] = VENUE.decode_positions(recorded.json("http_positions_doc"))
    assert position["liquidation_price"] == D("60000.25")  # a number there, text live
    assert position["size"] == D("2635000.50")


@check
def http_fill_history_maker_rebate(recorded: Recorded, _: Market) -> None:
    page = VENUE.decode_fills(recorded.json("http_fill_history_maker_rebate"), None)
    [fill] = page.fills
    assert page.cursor is None
    assert (fill["id"], fill["liquidity"], fill["side"]) == ("65424692-2", "maker", "buy")
    assert (fill["fee"], fill["fee_asset"]) == (D("-0.00009"), "USDT")
    assert (fill["price"], fill["size"]) == (D("90000.0"), D("0.001"))
    assert fill["client_order_id"] == "1375879248"
    assert fill["timestamp_ms"] == 1764945709702


@check
def http_fill_history_two_taker(recorded: Recorded, _: Market) -> None:
    fills = VENUE.decode_fills(recorded.json("http_fill_history_two_taker"), None).fills
    assert [(fill["side"], fill["fee"]) for fill in fills] == [
        ("sell", D("0.081626")),
        ("buy", D("0.081957")),
    ]
    assert {fill["liquidity"] for fill in fills} == {"taker"}


@check
def http_funding_account_summary_doc(recorded: Recorded, market: Market) -> None:
    """Rates left out: tier 1, and said to be assumed."""
    answer = recorded.json("http_funding_account_summary_doc")
    fees = VENUE.decode_fees(answer, market)
    assert (fees["maker"], fees["taker"]) == (D("-0.000001"), D("0.00045"))
    assert fees["assumed"] is True
    answer["tier"] |= {"futures_maker_fee": -1, "futures_taker_fee": 400}
    fees = VENUE.decode_fees(answer, market)
    assert (fees["maker"], fees["taker"]) == (D("-0.000001"), D("0.0004"))
    assert fees["assumed"] is False


@check
def http_get_all_initial_leverage(recorded: Recorded, market: Market) -> None:
    answer = recorded.json("http_get_all_initial_leverage")
    unknown = VENUE.decode_leverage_info(answer, market)
    assert (unknown["leverage"], unknown["margin_mode"]) == (None, None)
    known = VENUE.decode_leverage_info(answer, {**market, "symbol": "AAVE_USDT_Perp"})
    assert (known["leverage"], known["max_leverage"]) == (D("10.0"), D("50.0"))
    assert known["margin_mode"] == "cross"


# --------------------------------------------------------------------------- streams


@check
def ws_book_d_doc(recorded: Recorded, _: Market) -> None:
    [book] = events(MARKET, recorded.compact("ws_book_d_doc"))
    assert isinstance(book, BookUpdate)
    assert (book.first, book.last, book.snapshot) == (872634876, 872634876, False)
    assert list(book.bids) == list(book.asks) == [("65038.01", "3456.78")]
    assert book.timestamp_ms == 1697788800000


@check
def ws_mini_d_delta(recorded: Recorded, _: Market) -> None:
    """What did not change is left out, and stays as it was."""
    [bbo] = events(MARKET, recorded.compact("ws_mini_d_delta"))
    assert bbo == BboUpdate("BTC_USDT_Perp", None, None, None, "5.708", 1767198266500)


@check
def ws_mini_s_snapshot(recorded: Recorded, _: Market) -> None:
    frame = recorded.compact("ws_mini_s_snapshot")
    [mark] = events(MARKET, frame)
    assert mark == MarkUpdate(
        "BTC_USDT_Perp", D("87792.25830235"), D("87806.705713684"), 1767198364309
    )
    [bbo] = events(MARKET, frame.replace(b"v1.mini.s", b"v1.mini.d"))
    assert bbo == BboUpdate("BTC_USDT_Perp", "87799.9", "0.151", "87800.0", "5.733", 1767198364309)


@check
def ws_order_open(recorded: Recorded, _: Market) -> None:
    [event] = events(TRADE, recorded.compact("ws_order_open"))
    assert isinstance(event, OrderUpdate)
    same_order(
        event.order,
        id="0x010101050390cd89000000007799a374",
        client_order_id="747860882",
        status=OrderStatus.OPEN,
        price=D("87443.0"),
        size=D("0.001"),
        filled=D(0),
        timestamp_ms=1767359366686,
    )


@check
def ws_order_doc(recorded: Recorded, _: Market) -> None:
    [event] = events(TRADE, recorded.compact("ws_order_doc"))
    assert isinstance(event, OrderUpdate)
    same_order(event.order, status=OrderStatus.PENDING, filled=D("1.5"), size=D("10.5"))


@check
def ws_fill_taker(recorded: Recorded, _: Market) -> None:
    [event] = events(TRADE, recorded.compact("ws_fill_taker"))
    assert isinstance(event, FillUpdate)
    fill = event.fill
    assert (fill["id"], fill["order_id"]) == ("74150425-1", "0x0101010503a12f6e000000007791f1bd")
    assert (fill["side"], fill["liquidity"]) == ("buy", "taker")
    assert (fill["price"], fill["size"], fill["fee"]) == (D("89473.4"), D("0.001"), D("0.040263"))
    assert fill["client_order_id"] == "99191900"


@check
def ws_fill_doc(recorded: Recorded, _: Market) -> None:
    [event] = events(TRADE, recorded.compact("ws_fill_doc"))
    assert isinstance(event, FillUpdate)
    assert event.fill["fee_asset"] == "USDT"
    assert event.fill["size"] == D("0.30")
    assert event.fill["raw"]["fee_rate"] == D("0.0003")


@check
def ws_position_snapshot(recorded: Recorded, _: Market) -> None:
    frame = recorded.compact("ws_position_snapshot")
    [event] = events(TRADE, frame)
    assert isinstance(event, PositionUpdate)
    assert (event.symbol, event.size, event.timestamp_ms) == (
        "BTC_USDT_Perp",
        D("0.001"),
        1767356959482,
    )
    assert event.position is not None
    assert event.position["leverage"] == D("20.0")
    [short] = events(TRADE, frame.replace(b'"size":"0.001"', b'"size":"-0.001"'))
    assert isinstance(short, PositionUpdate)
    assert short.position is not None
    assert (short.size, short.position["side"], short.position["size"]) == (
        D("-0.001"),
        "short",
        D("0.001"),
    )
    [closed] = events(TRADE, frame.replace(b'"size":"0.001"', b'"size":"0.0"'))
    assert isinstance(closed, PositionUpdate)
    assert (closed.size, closed.position) == (0, None)


@check
def ws_position_doc(recorded: Recorded, _: Market) -> None:
    [event] = events(TRADE, recorded.compact("ws_position_doc"))
    assert isinstance(event, PositionUpdate)
    assert event.size == D("2635000.50")


@check
def ws_rpc_create_order_reply_2024(recorded: Recorded, _: Market) -> None:
    [reply] = events(TRADE, recorded.compact("ws_rpc_create_order_reply_2024"))
    assert isinstance(reply, Reply)
    assert (reply.id, reply.error) == (2, None)
    same_order(
        VENUE.decode_order(reply.body),
        id="",
        client_order_id="123",
        status=OrderStatus.OPEN,
        average_price=None,
        timestamp_ms=1728918862633,
    )


@check
def ws_subscribe_reply(recorded: Recorded, _: Market) -> None:
    [confirmed] = events(MARKET, recorded.compact("ws_subscribe_reply"))
    assert confirmed == Subscribed("v1.mini.d/BTC_USDT_Perp@500")


@check
def ws_subscribe_reply_doc(recorded: Recorded, _: Market) -> None:
    frame = recorded.compact("ws_subscribe_reply_doc")
    [confirmed] = events(TRADE, frame)
    assert confirmed == Subscribed("v1.order/'$GRVT_SUB_ACCOUNT_ID'-BTC_USDT_Perp")


@check
def ws_unsubscribe_reply_doc(recorded: Recorded, _: Market) -> None:
    assert events(TRADE, recorded.compact("ws_unsubscribe_reply_doc")) == []


@check
def ws_legacy_subscribe_reply_doc(recorded: Recorded, _: Market) -> None:
    """The format of another path: it confirms nothing here."""
    assert events(TRADE, recorded.compact("ws_legacy_subscribe_reply_doc")) == []


@check
def ws_error_doc(recorded: Recorded, _: Market) -> None:
    [reply] = events(TRADE, recorded.compact("ws_error_doc"))
    assert isinstance(reply, Reply)
    assert (reply.id, reply.body) == (123, None)
    assert isinstance(reply.error, AuthError)
    assert reply.error.code == "1000"


@check
def ws_error_instrument_invalid(recorded: Recorded, _: Market) -> None:
    [reply] = events(MARKET, recorded.compact("ws_error_instrument_invalid"))
    assert isinstance(reply, Reply)
    assert type(reply.error) is VenueError
    assert reply.error.code == "3000"


# --------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("name", CHECKS)
def test_recorded(name: str, recorded: Recorded, market: Market) -> None:
    CHECKS[name](recorded, market)


@pytest.mark.parametrize("name", UNREAD_FRAMES)
def test_streams_never_asked_for_say_nothing(name: str, recorded: Recorded) -> None:
    frame = recorded.compact(name)
    assert f'"stream":"{UNREAD_FRAMES[name]}"'.encode() in frame
    assert events(MARKET, frame) == []
    assert events(TRADE, frame) == []


@pytest.mark.parametrize("name", UNREAD_ANSWERS)
def test_answers_are_not_mistaken_for_refusals(name: str, recorded: Recorded) -> None:
    assert VENUE.decode_error(200, recorded.json(name), READ) is None


def test_a_frame_with_white_space_is_the_same_frame(recorded: Recorded) -> None:
    for name in ("ws_fill_taker", "ws_order_open", "ws_position_snapshot"):
        assert events(TRADE, recorded.raw(name)) == events(TRADE, recorded.compact(name))
    for name in ("ws_book_d_doc", "ws_mini_d_delta", "ws_mini_s_snapshot"):
        assert events(MARKET, recorded.raw(name)) == events(MARKET, recorded.compact(name))


def test_every_recording_has_a_check(recorded: Recorded) -> None:
    known = {*CHECKS, *UNREAD_FRAMES, *UNREAD_ANSWERS, *REQUESTS}
    assert set(_names(recorded)) == known


def _names(recorded: Recorded) -> Iterator[str]:
    return (file.stem for file in recorded.folder.glob("*.json"))

"""Every recorded payload of Paradex through the wrapper's decoders, with what must come out.

A check is named after its file; a recording without a check fails the suite. Some are the venue's
own examples, whose values do not agree with each other; what counts there is that they are read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mpdex.errors import AuthError, InsufficientMargin, ProtocolError, SessionEnded, VenueError
from mpdex.types import (
    BookUpdate,
    CancelRequest,
    Event,
    FillUpdate,
    Market,
    MarkUpdate,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Reply,
    Request,
    Session,
    Subscribed,
    TimeInForce,
    Topic,
)
from wrappers.paradex import ParadexExchange
from wrappers.paradex_ws_client import ParadexAccountStream, ParadexMarketStream, ParadexStream

D = Decimal
BTC = "BTC-USD-PERP"
KEYS = {"account_address": "0x1234", "private_key": "0x5678"}
VENUE = ParadexExchange(read_only=True)
READ = Request("GET", "/account", signed=True)
PLACE = Request("POST", "/orders", signed=True, command=True, call="order.create")

# Answers to what nothing here asks for.
UNREAD_ANSWERS = (
    "http_balance",
    "http_onboarding_get",
    "http_option_summary_greeks",
    "http_orders_batch_errors",
    "http_orders_cancel_batch",
    "http_system_state",
    "http_trades",
)
# Channels that are never asked for.
UNREAD_FRAMES = ("ws_balance_or_account", "ws_funding_data", "ws_trades")


class Recorded:
    """The folder of recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str) -> Any:
        return json.loads(self.frame(name), parse_float=Decimal)

    def frame(self, name: str) -> bytes:
        return (self.folder / f"{name}.json").read_bytes()


@pytest.fixture(scope="module")
def recorded(shared: Path) -> Recorded:
    return Recorded(shared / "recorded" / "paradex")


@pytest.fixture
def market_stream() -> ParadexMarketStream:
    return ParadexMarketStream()


@pytest.fixture
def account_stream() -> ParadexAccountStream:
    return ParadexAccountStream()


def events(stream: ParadexStream, frame: bytes) -> Sequence[Event]:
    return list(stream.decode(frame))


def market(symbol: str = BTC) -> Market:
    entry = {
        "symbol": symbol,
        "base_currency": symbol.partition("-")[0],
        "quote_currency": "USD",
        "settlement_currency": "USDC",
        "order_size_increment": "0.001",
        "price_tick_size": "0.1",
        "asset_kind": "PERP",
        "funding_period_hours": 8,
    }
    return VENUE.decode_markets([{}, {"results": [entry]}])[0]


def test_every_recording_has_a_check(recorded: Recorded) -> None:
    here = Path(__file__).read_text()
    names = [path.stem for path in recorded.folder.glob("*.json")]
    assert len(names) >= 40
    assert [name for name in names if f'"{name}"' not in here] == []


# --------------------------------------------------------------------------- orders


def test_a_canceled_order(recorded: Recorded) -> None:
    order = VENUE.decode_order(recorded("http_order"))
    assert (order["id"], order["symbol"]) == ("1718941725080201704028870000", BTC)
    assert (order["side"], order["type"], order["time_in_force"]) == (
        "sell",
        "limit",
        TimeInForce.GTC,
    )
    assert (order["price"], order["size"], order["filled"]) == (D("70784.5"), D("10.153"), D(0))
    assert (order["status"], order["reason"]) == (OrderStatus.CANCELED, "USER_CANCELED")
    assert (order["average_price"], order["client_order_id"]) == (None, None)
    assert (order["post_only"], order["reduce_only"]) == (False, False)
    assert order["timestamp_ms"] == 1718958002991


@pytest.mark.parametrize("name", ["http_order_created", "http_order_modified"])
def test_an_order_as_accepted(recorded: Recorded, name: str) -> None:
    order = VENUE.decode_order(recorded(name))
    assert (order["id"], order["client_order_id"]) == ("123456", "x1234")
    assert order["status"] is OrderStatus.PENDING, "nothing is decided by the answer"
    assert (order["type"], order["price"], order["reduce_only"]) == ("market", None, True)
    assert order["average_price"] == D(26000)
    assert VENUE.decode_reason(order["reason"]) is InsufficientMargin


def test_open_orders(recorded: Recorded) -> None:
    (order,) = VENUE.decode_orders(recorded("http_orders_open"))
    assert (order["id"], order["status"]) == ("123456", OrderStatus.PENDING)


def test_the_history_is_searched_for_one_order(recorded: Recorded) -> None:
    answer = recorded("http_orders_history")
    found = VENUE.decode_order_query(answer, CancelRequest(symbol=BTC, client_id="x1234"))
    assert found is not None
    assert found["id"] == "123456"
    for wrong in ({"client_id": "x"}, {"order_id": "x1234"}):
        assert VENUE.decode_order_query(answer, CancelRequest(symbol=BTC, **wrong)) is None


def test_fills(recorded: Recorded) -> None:
    page = VENUE.decode_fills(recorded("http_fills"), None)
    assert page.cursor is None
    (fill,) = page.fills
    assert fill["id"] == "1718947571560201703986670002"
    assert fill["order_id"] == "1718947571540201703992340000"
    assert (fill["side"], fill["price"], fill["size"]) == ("buy", D("64852.9"), D("0.01"))
    assert (fill["fee"], fill["fee_asset"], fill["liquidity"]) == (D("0.1945587"), "USDC", "taker")
    assert fill["timestamp_ms"] == 1718947571569


def test_errors(recorded: Recorded) -> None:
    answer = recorded("http_error_not_onboarded")
    error = VENUE.decode_error(400, answer, READ)
    assert type(error) is AuthError
    assert (error.code, error.request) == ("NOT_ONBOARDED", "GET /account")
    assert "onboarding" in error.detail


# --------------------------------------------------------------------------- markets


def test_markets_and_their_chain(recorded: Recorded) -> None:
    venue = ParadexExchange(**KEYS)
    answers = [recorded("http_system_config_testnet"), recorded("http_markets")]
    (boden,) = venue.decode_markets(answers)
    assert (boden["symbol"], boden["coin"], boden["quote"]) == ("BODEN-USD-PERP", "BODEN", "USDC")
    assert (boden["tick"], boden["step"], boden["min_size"]) == (D("0.00001"), D(1), D(1))
    assert (boden["min_notional"], boden["max_size"]) == (D(200), D(520000))
    assert (boden["max_leverage"], boden["price_band"]) == (D(5), D("0.2"))
    assert (boden["kind"], boden["active"], boden["multiplier"]) == ("perp", True, D(1))
    joined = ParadexExchange(**KEYS)
    joined._auth.join("PRIVATE_SN_POTC_SEPOLIA")
    assert venue._auth.message_hash(1) == joined._auth.message_hash(1)


def test_a_mark_and_a_funding_rate(recorded: Recorded) -> None:
    answer = recorded("http_markets_summary")
    assert VENUE.decode_mark(answer, market()) == D("68465.17449906")
    rate = VENUE.decode_funding_rate(answer, market())
    assert (rate["rate"], rate["interval_hours"]) == (D("0.01629574927887"), D(8))
    assert rate["next_funding_ms"] is None


def test_a_book(recorded: Recorded) -> None:
    book = VENUE.decode_book(recorded("http_orderbook"), market())
    assert book == BookUpdate(
        BTC, [("68477.6", "0.1")], [("69578.2", "3.019")], 0, 0, True, 1718172538340
    )


def test_the_time(recorded: Recorded) -> None:
    assert VENUE.decode_server_time(recorded("http_system_time")) == 1681493415023


# --------------------------------------------------------------------------- account


def test_positions(recorded: Recorded) -> None:
    (long,) = VENUE.decode_positions(recorded("http_positions"))
    assert (long["symbol"], long["side"], long["size"]) == (BTC, "long", D("0.01"))
    assert long["entry_price"] == D("64839.96053748")
    assert (long["unrealized_pnl"], long["leverage"]) == (D("-2.39677214"), D(5))
    assert (long["mark_price"], long["liquidation_price"]) == (None, None)


def test_leverage(recorded: Recorded) -> None:
    info = VENUE.decode_leverage_info(recorded("http_account_margin"), market("SOL-USD-PERP"))
    assert (info["leverage"], info["margin_mode"]) == (D(50), "cross")
    unknown = VENUE.decode_leverage_info(recorded("http_account_margin"), market())
    assert (unknown["leverage"], unknown["margin_mode"]) == (None, None)


def test_the_cut_out_of_a_market_is_no_account(recorded: Recorded) -> None:
    with pytest.raises(ProtocolError):
        VENUE.decode_fees(recorded("http_account_fees"), market())


def test_the_account_as_it_is_streamed_is_what_is_answered(recorded: Recorded) -> None:
    collateral = VENUE.decode_collateral(recorded("ws_balance_or_account")["params"]["data"])
    assert (collateral["total"], collateral["available"]) == (D("1000.5"), D("900.5"))
    assert collateral["currency"] == "USDC"


@pytest.mark.parametrize("name", UNREAD_ANSWERS)
def test_an_answer_to_something_else_is_refused(recorded: Recorded, name: str) -> None:
    with pytest.raises(ProtocolError):
        VENUE.decode_orders(recorded(name))


# --------------------------------------------------------------------------- streams


def test_a_book_frame(recorded: Recorded, market_stream: ParadexMarketStream) -> None:
    (update,) = events(market_stream, recorded.frame("ws_order_book_snapshot"))
    assert update == BookUpdate(
        BTC,
        [("67629.7", "0.992")],
        [("69378.6", "3.137")],
        14127815,
        14127815,
        True,
        1718267837265,
    )


def test_a_summary_frame(recorded: Recorded, market_stream: ParadexMarketStream) -> None:
    (update,) = events(market_stream, recorded.frame("ws_markets_summary"))
    expected = MarkUpdate("ORDI-USD-PERP", D("49.80885481"), D("47.93"), 1718334307698)
    assert update == expected


def test_an_order_frame(recorded: Recorded, account_stream: ParadexAccountStream) -> None:
    (update,) = events(account_stream, recorded.frame("ws_orders"))
    assert isinstance(update, OrderUpdate)
    order = update.order
    assert (order["id"], order["client_order_id"]) == ("123456", "x1234")
    assert (order["status"], order["reduce_only"]) == (OrderStatus.PENDING, True)


def test_a_fill_frame(recorded: Recorded, account_stream: ParadexAccountStream) -> None:
    (update,) = events(account_stream, recorded.frame("ws_fills"))
    assert isinstance(update, FillUpdate)
    assert update.fill["id"] == "1718947571560201703986670001"
    assert (update.fill["price"], update.fill["size"]) == (D("64852.9"), D("0.01"))


def test_a_position_frame(recorded: Recorded, account_stream: ParadexAccountStream) -> None:
    (update,) = events(account_stream, recorded.frame("ws_positions"))
    assert isinstance(update, PositionUpdate)
    assert (update.symbol, update.size) == (BTC, D("0.01"))
    assert update.position is not None
    assert update.position["entry_price"] == D("64839.96053748")
    assert update.timestamp_ms == 1718950074249


@pytest.mark.parametrize("name", UNREAD_FRAMES)
def test_a_channel_never_asked_for_says_nothing(
    recorded: Recorded,
    market_stream: ParadexMarketStream,
    account_stream: ParadexAccountStream,
    name: str,
) -> None:
    assert events(market_stream, recorded.frame(name)) == []
    assert events(account_stream, recorded.frame(name)) == []


# --------------------------------------------------------------------------- control frames


def test_the_token_is_confirmed(recorded: Recorded, account_stream: ParadexAccountStream) -> None:
    assert events(account_stream, recorded.frame("ws_auth_ack_docs")) == [Subscribed("auth")]
    (other,) = events(account_stream, recorded.frame("ws_auth_ack"))  # that client's ids begin at 1
    assert isinstance(other, Reply)
    assert other.id == 1


@pytest.mark.parametrize("name", ["ws_subscribe_ack_docs", "ws_unsubscribe_ack_docs"])
def test_a_subscription_is_confirmed_by_its_id(
    recorded: Recorded, market_stream: ParadexMarketStream, name: str
) -> None:
    (reply,) = events(market_stream, recorded.frame(name))
    assert isinstance(reply, Reply)
    assert (reply.id, reply.error) == (recorded(name)["id"], None)


@pytest.mark.parametrize(
    ("name", "kind", "code", "id"),
    [
        ("ws_error", VenueError, "-32600", 0),
        ("ws_error_bearer_docs", SessionEnded, "40111", 0),
        ("ws_error_method_not_found_docs", VenueError, "-32601", 4),
        ("ws_error_params_docs", VenueError, "-32602", 1),
    ],
)
def test_refusals(
    recorded: Recorded,
    account_stream: ParadexAccountStream,
    name: str,
    kind: type[VenueError],
    code: str,
    id: int,
) -> None:
    (reply,) = events(account_stream, recorded.frame(name))
    assert isinstance(reply, Reply)
    assert isinstance(reply.error, kind)
    assert (reply.id, reply.error.code) == (id, code)


def test_what_is_asked_is_what_the_documentation_asks(recorded: Recorded) -> None:
    stream = ParadexMarketStream()
    (asked,) = stream.encode_subscribe([Topic("bbo", BTC)])
    (ended,) = stream.encode_unsubscribe([Topic("bbo", BTC)])
    for frame, name in (
        (asked, "ws_subscribe_request_docs"),
        (ended, "ws_unsubscribe_request_docs"),
    ):
        wanted = recorded(name)
        wanted["params"] = {"channel": f"bbo.{BTC}"}
        assert {**json.loads(frame), "id": 0} == {**wanted, "id": 0}


def test_the_token_is_shown_as_the_documentation_shows_it(recorded: Recorded) -> None:
    headers = {"Authorization": "Bearer YOUR_JWT_TOKEN"}
    stream = ParadexAccountStream()
    stream._link = SimpleNamespace(session=Session(headers))  # type: ignore[assignment]
    (frame,) = stream.encode_auth()
    assert json.loads(frame) == recorded("ws_auth_request_docs")

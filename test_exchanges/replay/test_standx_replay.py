"""Every recorded payload of StandX through the wrapper's decoders, with what must come out.

A check is named after its file; a recording without a check fails the suite.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mpdex.errors import AuthError, PostOnlyWouldCross, ProtocolError, SessionEnded
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
    PositionUpdate,
    Request,
    Subscribed,
    TimeInForce,
    Topic,
)
from mpdex.utils.rest import Answer
from wrappers.standx import StandxExchange
from wrappers.standx_auth import SignIn
from wrappers.standx_ws_client import (
    StandxAccountClient,
    StandxOrdersClient,
    StandxWSClient,
    command_frame,
)

D = Decimal
VENUE = StandxExchange(read_only=True)
WALLET = StandxExchange(wallet_private_key="0x" + "01" * 32)
PLACE = Request("POST", "/api/new_order", signed=True, command=True)
CANCEL = Request("POST", "/api/cancel_order", signed=True, command=True)
ORDER = OrderRequest(symbol="BTC-USD", side="buy", size=D("0.1"), price=D(50000), client_id="c")

# Answers and requests of calls that nothing here makes: bars, margin by market, several cancels at
# once (the answers of which have the form of one), payments of funding.
NOT_OURS = (
    "http_cancel_orders_request",
    "http_cancel_orders_response_older_docs",
    "http_change_margin_mode_request",
    "http_kline_history_response",
    "http_kline_time_response",
    "http_query_funding_history_response_docs",
    "http_query_funding_history_response_live",
    "http_query_funding_rates_response",
    "http_query_market_overview_response",
    "http_query_recent_trades_response",
    "http_query_recent_trades_response_live_trimmed",
    "http_transfer_margin_request",
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
        return json.dumps(json.loads(self.bytes(name)), separators=(",", ":")).encode()

    def bytes(self, name: str) -> bytes:
        return (self.folder / f"{name}.json").read_bytes()


@pytest.fixture(scope="module")
def recorded(shared: Path) -> Recorded:
    return Recorded(shared / "recorded" / "standx")


def events(stream: Any, frame: bytes) -> Sequence[Event]:
    return list(stream.decode(frame))


def market(recorded: Recorded) -> Market:
    return VENUE.decode_markets([recorded("http_query_symbol_info_response")])[0]


def test_every_recording_has_a_check(recorded: Recorded) -> None:
    here = Path(__file__).read_text()
    names = [path.stem for path in recorded.folder.glob("*.json")]
    assert len(names) >= 55
    assert [name for name in names if f'"{name}"' not in here] == []


@pytest.mark.parametrize("name", NOT_OURS)
def test_an_answer_to_something_else_is_no_order(recorded: Recorded, name: str) -> None:
    with pytest.raises(ProtocolError):
        VENUE.decode_order(recorded(name))


# --------------------------------------------------------------------------- signing in


def test_a_sign_in_as_documented_is_read(recorded: Recorded) -> None:
    begun = WALLET.encode_login()
    assert isinstance(begun, SignIn)
    prepared = Answer(200, {}, recorded.bytes("http_prepare_signin_response"))
    with pytest.raises(AuthError, match="nothing signed"):  # the sample's middle part is left out
        WALLET.continue_login(prepared, begun, 0)
    login = SignIn("POST", "/v1/offchain/login", signer=begun.signer)
    given = Answer(200, {}, recorded.bytes("http_login_response"))
    session = WALLET.continue_login(given, login, 1000)
    token = recorded("http_login_response")["token"]
    assert session.headers == {"Authorization": f"Bearer {token}"}  # type: ignore[union-attr]
    assert session.expires_ms == 1000 + 604_800_000  # type: ignore[union-attr]
    assert token not in repr(session)


def test_what_is_signed_names_the_wallet_and_the_key(recorded: Recorded) -> None:
    claims = recorded("http_signed_data_payload")
    assert {"address", "requestId", "message"} <= set(claims)
    assert claims["exp"] - claims["iat"] == 180


# --------------------------------------------------------------------------- orders


def test_a_documented_order_is_ours_but_for_its_targets(recorded: Recorded) -> None:
    wanted = recorded("http_new_order_request")
    ours = VENUE.encode_order(
        OrderRequest(symbol="BTC-USD", side="buy", size=D("0.1"), price=D(50000)),
        market(recorded),
        0,
    )
    targets = {name: wanted.pop(name) for name in ("tp_price", "sl_price")}
    assert ours.json == wanted
    assert not targets.keys() & ours.json.keys()


def test_documented_cancel_and_leverage(recorded: Recorded) -> None:
    cancel = CancelRequest(symbol="BTC-USD", order_id="2424844")
    request = VENUE.encode_cancel(cancel, market(recorded))
    assert request.json == recorded("http_cancel_order_request")
    leverage = VENUE.encode_leverage(market(recorded), D(10), 0)
    assert leverage.json == recorded("http_change_leverage_request")


@pytest.mark.parametrize(
    "name",
    [
        "http_cancel_order_response",
        "http_cancel_orders_response",
        "http_change_leverage_response",
        "http_change_margin_mode_response",
        "http_new_order_response",
        "http_transfer_margin_response",
    ],
)
def test_acknowledgements(recorded: Recorded, name: str) -> None:
    answer = recorded(name)
    assert VENUE.decode_error(200, answer, PLACE) is None
    placed = VENUE.decode_placement(answer, ORDER)
    assert (placed["id"], placed["status"]) == ("", OrderStatus.PENDING)
    assert VENUE.decode_cancel(answer) is None


def test_an_order_by_query(recorded: Recorded) -> None:
    order = VENUE.decode_order(recorded("http_query_order_response"))
    assert (order["id"], order["client_order_id"]) == ("1820682", "01K2BK4ZKQE0C308SRD39P8N9Z")
    assert (order["side"], order["type"], order["status"]) == ("sell", "limit", OrderStatus.OPEN)
    assert (order["price"], order["size"], order["filled"]) == (D(121900), D("0.060"), D(0))
    assert (order["time_in_force"], order["post_only"]) == (TimeInForce.GTC, False)
    assert (order["average_price"], order["timestamp_ms"]) == (None, 1754883325559)


@pytest.mark.parametrize("name", ["http_query_open_orders_response", "http_query_orders_response"])
def test_lists_of_orders(recorded: Recorded, name: str) -> None:
    """There an open order is called new."""
    (order,) = VENUE.decode_orders(recorded(name))
    assert (order["id"], order["status"]) == ("1820682", OrderStatus.OPEN)


def test_fills(recorded: Recorded) -> None:
    VENUE._markets.replace([market(recorded)])
    page = VENUE.decode_fills(recorded("http_query_trades_response"), None)
    assert page.cursor == "409870"
    (fill,) = page.fills
    assert (fill["id"], fill["order_id"], fill["side"]) == ("409870", "1820682", "sell")
    assert (fill["price"], fill["size"], fill["fee"]) == (D(121900), D("0.01"), D("0.121900"))
    assert (fill["liquidity"], fill["fee_asset"]) == ("maker", "DUSD")
    assert fill["timestamp_ms"] == 1754883379352


def test_a_refused_signature(recorded: Recorded) -> None:
    error = VENUE.decode_error(403, recorded("http_error_invalid_body_signature_live"), PLACE)
    assert type(error) is SessionEnded
    assert error.code == "403"


# --------------------------------------------------------------------------- markets, account


@pytest.mark.parametrize(
    ("name", "step", "leverage"),
    [
        ("http_query_symbol_info_response", "0.0001", 20),
        ("http_query_symbol_info_response_older_docs", "0.001", 20),
        ("http_query_symbol_info_response_live_trimmed", "0.0001", 40),
    ],
)
def test_markets(recorded: Recorded, name: str, step: str, leverage: int) -> None:
    (btc,) = VENUE.decode_markets([recorded(name)])
    assert (btc["symbol"], btc["coin"], btc["quote"]) == ("BTC-USD", "BTC", "DUSD")
    assert (btc["tick"], btc["step"], btc["min_size"]) == (D("0.01"), D(step), D(step))
    assert (btc["max_leverage"], btc["active"]) == (D(leverage), True)
    full = "live" not in name
    assert (btc["max_size"], btc["price_band"]) == ((D(100), D("0.3")) if full else (None, None))
    fees = VENUE.decode_fees(recorded(name), btc)
    assert (fees["maker"], fees["taker"], fees["assumed"]) == (D("0.0001"), D("0.0004"), False)


@pytest.mark.parametrize(
    ("name", "mark"),
    [
        ("http_query_symbol_price_response", "121602.43"),
        ("http_query_symbol_price_response_live_trimmed", "90571.76"),
    ],
)
def test_marks(recorded: Recorded, name: str, mark: str) -> None:
    assert VENUE.decode_mark(recorded(name), market(recorded)) == D(mark)


@pytest.mark.parametrize(
    ("name", "rate", "due_ms"),
    [
        ("http_query_symbol_market_response", "0.0001", 1754899200000),
        ("http_query_symbol_market_response_live_trimmed", "0.0000125", 1771923600000),
    ],
)
def test_funding(recorded: Recorded, name: str, rate: str, due_ms: int) -> None:
    told = VENUE.decode_funding_rate(recorded(name), market(recorded))
    assert (told["rate"], told["next_funding_ms"]) == (D(rate), due_ms)


def test_a_book_in_no_order(recorded: Recorded) -> None:
    update = VENUE.decode_book(recorded("http_query_depth_book_response"), market(recorded))
    assert update.snapshot
    assert list(update.bids) == [("121884.01", "0.001"), ("121884.31", "0.001")]


def test_server_time(recorded: Recorded) -> None:
    assert VENUE.decode_server_time(recorded("http_geo_region_response")) == 1761970177865


def test_positions(recorded: Recorded) -> None:
    answer = recorded("http_query_positions_response")
    (position,) = VENUE.decode_positions(answer)
    assert (position["side"], position["size"]) == ("long", D("0.940"))
    assert (position["entry_price"], position["mark_price"]) == (D("121737.96"), D("121715.05"))
    assert (position["unrealized_pnl"], position["leverage"]) == (D("-21.53540"), D(10))
    assert position["liquidation_price"] == D("112373.50")
    assert VENUE.decode_positions([{**answer[0], "qty": "0"}]) == []


def test_collateral(recorded: Recorded) -> None:
    told = VENUE.decode_collateral(recorded("http_query_balance_response"))
    assert (told["total"], told["available"]) == (D("1100028.707476657"), D("1085746.571"))
    assert (told["unrealized_pnl"], told["currency"]) == (D("10.07992"), "DUSD")


def test_leverage(recorded: Recorded) -> None:
    answer = recorded("http_query_position_config_response")
    for leverage in (10, "10"):  # as documented, and as seen live
        told = VENUE.decode_leverage_info({**answer, "leverage": leverage}, market(recorded))
        assert (told["leverage"], told["margin_mode"]) == (D(10), "cross")


# --------------------------------------------------------------------------- first socket


@pytest.mark.parametrize("name", ["ws_auth_response", "ws_auth_response_live"])
def test_signed_in(recorded: Recorded, name: str) -> None:
    assert events(StandxAccountClient(), recorded.frame(name)) == [Subscribed("auth")]


def test_a_sign_in_is_asked_for_without_streams(recorded: Recorded) -> None:
    asked = recorded("ws_auth_request")["auth"]
    assert set(asked) == {"token", "streams"}, "streams may be asked for later, too"


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("ws_subscribe_depth_book_request", Topic("book", "BTC-USD")),
        ("ws_subscribe_price_request", Topic("mark", "BTC-USD")),
        ("ws_subscribe_price_request", Topic("bbo", "BTC-USD")),
        ("ws_subscribe_order_request", Topic("orders")),
        ("ws_subscribe_position_request", Topic("positions")),
    ],
)
def test_subscriptions(recorded: Recorded, name: str, topic: Topic) -> None:
    kind = StandxWSClient if topic.symbol else StandxAccountClient
    (frame,) = kind().encode_subscribe([topic])
    assert json.loads(frame) == recorded(name)


def test_a_book_frame(recorded: Recorded) -> None:
    wanted = BookUpdate(
        "BTC-USD",
        [("121884.22", "0.001"), ("121884.52", "0.001")],
        [("121896.02", "0.839"), ("121896.32", "1.051")],
        3,
        3,
        True,
        None,
    )
    assert events(StandxWSClient(), recorded.frame("ws_depth_book")) == [wanted]


def test_price_frames(recorded: Recorded) -> None:
    mark, quote = events(StandxWSClient(), recorded.frame("ws_price"))
    at_ms = 1754897030923
    assert mark == MarkUpdate("BTC-USD", D("121897.56"), D("121890.651250"), at_ms)
    assert quote == BboUpdate("BTC-USD", "121897.95", None, "121898.05", None, at_ms)
    mark, quote = events(StandxWSClient(), recorded.frame("ws_price_live_trimmed"))
    assert mark == MarkUpdate("BTC-USD", D("90546.43"), D("90520.481"), None)
    assert quote == BboUpdate("BTC-USD", "90566", None, "90566.01", None, None)


def test_an_order_frame(recorded: Recorded) -> None:
    (update,) = events(StandxAccountClient(), recorded.frame("ws_order"))
    assert isinstance(update, OrderUpdate)
    order = update.order
    assert (order["id"], order["type"], order["price"]) == ("2547027", "market", None)
    assert (order["status"], order["filled"]) == (OrderStatus.FILLED, D("1.000"))
    assert order["average_price"] == D("121245.21")
    assert order["timestamp_ms"] == 1754906797182


def test_a_position_frame(recorded: Recorded) -> None:
    (update,) = events(StandxAccountClient(), recorded.frame("ws_position"))
    assert isinstance(update, PositionUpdate)
    assert (update.symbol, update.size) == ("BTC-USD", D("23.669"))
    assert update.position is not None
    assert update.position["entry_price"] == D("121677.65")
    assert update.position["mark_price"] is update.position["liquidation_price"] is None


@pytest.mark.parametrize("name", ["ws_balance", "ws_pong_timeout_error"])
def test_frames_that_tell_nothing_of_ours(recorded: Recorded, name: str) -> None:
    """A wallet's row is no equity; and who hears that he is put out has no connection any more."""
    assert events(StandxAccountClient(), recorded.frame(name)) == []


def test_nobody_asks_for_the_wallet(recorded: Recorded) -> None:
    asked = recorded("ws_subscribe_balance_request")["subscribe"]["channel"]
    topics = [StandxAccountClient().wire_topic(Topic(c)) for c in StandxAccountClient.CHANNELS]
    assert asked not in topics


@pytest.mark.parametrize("name", ["ws_depth_book", "ws_price", "ws_order", "ws_position"])
def test_white_space_changes_nothing(recorded: Recorded, name: str) -> None:
    kind = StandxWSClient if name in ("ws_depth_book", "ws_price") else StandxAccountClient
    assert events(kind(), recorded.bytes(name)) == events(kind(), recorded.frame(name)) != []


# --------------------------------------------------------------------------- second socket


def test_calls_have_the_documented_form(recorded: Recorded) -> None:
    wanted = recorded("ws_api_request_structure")
    header = dict.fromkeys(wanted["header"], "")
    frame = command_frame("<uuid>", "<uuid>", "<method>", b"<json string>", header)
    assert json.loads(frame) == wanted
    login = recorded("ws_api_auth_login_request")
    params = msgspec.json.encode({"token": "your.jwt.token"})
    ids = login["session_id"], login["request_id"]
    assert json.loads(command_frame(*ids, "auth:login", params)) == login


@pytest.mark.parametrize(
    "name", ["ws_api_accepted_response", "ws_api_success_response", "ws_api_rejection_response"]
)
def test_answers_to_calls_of_others_tell_nothing(recorded: Recorded, name: str) -> None:
    assert events(StandxOrdersClient(), recorded.frame(name)) == []


def test_what_a_refusal_means(recorded: Recorded) -> None:
    said = recorded("ws_api_rejection_response")
    assert type(VENUE.decode_error(200, said, PLACE)) is PostOnlyWouldCross
    assert VENUE.decode_reason(said["message"]) is PostOnlyWouldCross
    for name in ("ws_api_accepted_response", "ws_api_success_response"):
        assert VENUE.decode_error(200, recorded(name), CANCEL) is None

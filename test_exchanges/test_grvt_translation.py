"""GRVT's translations: what an order becomes, what an answer means, what a gap does."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mpdex.errors import (
    AuthError,
    BadOrder,
    DuplicateClientId,
    InsufficientMargin,
    LimitReached,
    MarketUnavailable,
    NonceRefused,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    PostOnlyWouldCross,
    PrecisionRefused,
    PriceOutOfBand,
    ProtocolError,
    RateLimited,
    ReduceOnlyRefused,
    SessionEnded,
    TransportError,
    Unsupported,
    UsageError,
    VenueError,
)
from mpdex.types import (
    BboUpdate,
    BookUpdate,
    CancelRequest,
    Lane,
    Market,
    OrderRequest,
    OrderStatus,
    Reply,
    Request,
    TimeInForce,
    Topic,
)
from mpdex.utils.orderbook import Book
from mpdex.utils.rest import Answer
from wrappers import grvt_auth as auth
from wrappers.grvt import IMMEDIATE_NS, RESTING_NS, GrvtExchange
from wrappers.grvt_wire import classify_reason, decode_market, decode_order, status_of
from wrappers.grvt_ws_client import GrvtMarketStream, GrvtTradeStream, GrvtWSClient

D = Decimal
NOW = 1_795_000_000_000_000_000
KEY = "0x" + "11" * 32
ACCOUNT = "2147050003876484"
READ = Request("POST", "/full/v1/order", host="trade")
PLACE = Request("POST", "/full/v1/create_order", host="trade", command=True)
INSTRUMENT = {
    "instrument": "ETH_USDT_Perp",
    "instrument_hash": "0x030401",
    "base": "ETH",
    "quote": "USDT",
    "kind": "PERPETUAL",
    "base_decimals": 9,
    "tick_size": "0.01",
    "min_size": "0.01",
    "min_notional": "5.0",
}
ORDER = OrderRequest(
    symbol="ETH_USDT_Perp",
    side="buy",
    size=D("0.05"),
    price=D("3072.8"),
    client_id=str(2**63 + 12345),
    post_only=True,
)
IOC = replace(ORDER, post_only=False, time_in_force=TimeInForce.IOC)
AT_MARKET = replace(IOC, price=None)


@pytest.fixture(scope="module")
def market() -> Market:
    return decode_market(INSTRUMENT)


@pytest.fixture(scope="module")
def venue() -> GrvtExchange:
    return GrvtExchange(api_key="an-api-key", private_key=KEY, sub_account_id=ACCOUNT)


def order_in(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request.body)
    order: dict[str, Any] = body["order"]
    return order


# --------------------------------------------------------------------------- orders out


def test_a_resting_order(venue: GrvtExchange, market: Market) -> None:
    request = venue.encode_order(ORDER, market, NOW)
    order = order_in(request)
    signature = order.pop("signature")
    assert order == {
        "sub_account_id": ACCOUNT,
        "is_market": False,
        "time_in_force": "GOOD_TILL_TIME",
        "post_only": True,
        "reduce_only": False,
        "legs": [
            {
                "instrument": "ETH_USDT_Perp",
                "size": "0.05",
                "limit_price": "3072.8",
                "is_buying_asset": True,
            }
        ],
        "metadata": {"client_order_id": ORDER.client_id},
    }
    assert signature["expiration"] == str(NOW + RESTING_NS)
    assert signature["chain_id"] == "325"
    assert (request.path, request.call) == ("/full/v1/create_order", "v1/create_order")
    assert (request.command, request.signed, request.lane) == (True, True, Lane.QUOTE)


def test_what_is_sent_is_what_was_signed(venue: GrvtExchange, market: Market) -> None:
    signature = order_in(venue.encode_order(ORDER, market, NOW))["signature"]
    leg = auth.Leg(auth.instrument("ETH_USDT_Perp", "0x030401", 9), D("0.05"), D("3072.8"), True)
    draft = auth.Draft(
        int(ACCOUNT),
        False,
        "GOOD_TILL_TIME",
        True,
        False,
        (leg,),
        signature["nonce"],
        int(signature["expiration"]),
        "0",
    )
    key = auth.GrvtSigner(KEY, 325)
    proof = key.prove(auth.hash_order(draft), draft.nonce, draft.expiration_ns)
    assert signature == proof._asdict()


def test_the_socket_carries_the_body_byte_for_byte(venue: GrvtExchange, market: Market) -> None:
    request = venue.encode_order(ORDER, market, NOW)
    frame = GrvtTradeStream().encode_call(request, 7)
    assert request.body in frame
    message = json.loads(frame)
    assert (message["method"], message["id"], message["jsonrpc"]) == ("v1/create_order", 7, "2.0")
    assert message["params"] == json.loads(request.body)


def test_an_immediate_order_dies_young(venue: GrvtExchange, market: Market) -> None:
    for order in (IOC, replace(IOC, time_in_force=TimeInForce.FOK), AT_MARKET):
        request = venue.encode_order(order, market, NOW)
        assert order_in(request)["signature"]["expiration"] == str(NOW + IMMEDIATE_NS)
        assert request.lane is Lane.HEDGE


def test_a_market_order_has_price_zero(venue: GrvtExchange, market: Market) -> None:
    for tif in (TimeInForce.IOC, TimeInForce.GTC):
        order = order_in(venue.encode_order(replace(AT_MARKET, time_in_force=tif), market, NOW))
        assert order["is_market"] is True
        assert order["time_in_force"] == "IMMEDIATE_OR_CANCEL"
        assert order["legs"][0]["limit_price"] == "0"


def test_numbers_are_plain(venue: GrvtExchange, market: Market) -> None:
    odd = replace(ORDER, size=D("5E-2"), price=D("3.07E+3"))
    [leg] = order_in(venue.encode_order(odd, market, NOW))["legs"]
    assert (leg["size"], leg["limit_price"]) == ("0.05", "3070")


def test_slippage_bounds_an_ioc_limit_order_only(venue: GrvtExchange, market: Market) -> None:
    bounded = replace(IOC, slippage_bps=D("20"))
    assert order_in(venue.encode_order(bounded, market, NOW))["metadata"]["slippage_bps"] == 20
    for order in (AT_MARKET, ORDER, replace(IOC, time_in_force=TimeInForce.FOK)):
        with pytest.raises(Unsupported, match="IOC limit"):
            venue.encode_order(replace(order, slippage_bps=D("20")), market, NOW)
    with pytest.raises(BadOrder):
        venue.encode_order(replace(IOC, slippage_bps=D("0.5")), market, NOW)


def test_a_size_that_cannot_be_signed_exactly_is_refused() -> None:
    assert auth.units(D("1.013"), 9) == 1_013_000_000
    with pytest.raises(BadOrder, match="more than 9 decimals"):
        auth.units(D("0.0000000001"), 9)


def test_nonces_differ_by_id_and_by_time() -> None:
    ids = {auth.nonce_of(2**63 + i, NOW) for i in range(10_000)}
    times = {auth.nonce_of(2**63, NOW + i) for i in range(10_000)}
    both = {auth.nonce_of(2**63 + i, NOW + i) for i in range(10_000)}
    assert len(ids) == len(times) == 10_000
    assert len(both) > 9_990  # the expiration differs in any case
    assert all(0 <= nonce < 2**32 for nonce in ids | times | both)


def test_the_venues_clock(venue: GrvtExchange) -> None:
    request = venue.encode_server_time()
    assert (str(request), request.host, request.signed) == ("GET /time", "market", False)
    assert venue.decode_server_time({"server_time": 1761100000000}) == 1761100000000
    with pytest.raises(ProtocolError):
        venue.decode_server_time({"code": 1006})


def test_leverage_is_signed(venue: GrvtExchange, market: Market) -> None:
    request = venue.encode_leverage(market, D(10), NOW)
    body = request.json
    assert (body["leverage"], body["margin_type"]) == ("10", "CROSS")
    stamp = (body["signature"]["nonce"], int(body["signature"]["expiration"]))
    asset = (0x030401).to_bytes(32, "big")
    hashed = auth.hash_position_config(int(ACCOUNT), asset, "CROSS", D(10), *stamp)
    assert body["signature"] == auth.GrvtSigner(KEY, 325).prove(hashed, *stamp)._asdict()
    assert request.command


def test_cancels(venue: GrvtExchange, market: Market) -> None:
    by_client = venue.encode_cancel(CancelRequest(symbol="ETH_USDT_Perp", client_id="9"), market)
    assert json.loads(by_client.body) == {
        "sub_account_id": ACCOUNT,
        "client_order_id": "9",
        "time_to_live_ms": "500",
    }
    assert (by_client.call, by_client.lane) == ("v1/cancel_order", Lane.CANCEL)
    by_id = venue.encode_cancel(CancelRequest(symbol="ETH_USDT_Perp", order_id="0x01"), market)
    assert json.loads(by_id.body) == {"sub_account_id": ACCOUNT, "order_id": "0x01"}
    everything = venue.encode_cancel_all(market)
    assert everything is not None
    assert json.loads(everything.body) == {
        "sub_account_id": ACCOUNT,
        "kind": ["PERPETUAL"],
        "base": ["ETH"],
        "quote": ["USDT"],
    }


def test_reads(venue: GrvtExchange, market: Market) -> None:
    fills = venue.encode_fills(market, 1_767_946_595_050, "more")
    assert fills.json["start_time"] == "1767946595050000000"
    assert fills.json["cursor"] == "more"
    assert not fills.command
    assert venue.encode_book(market, 11).json["depth"] == 50
    assert venue.encode_book(market, 5000).json["depth"] == 500
    assert venue.encode_positions(None).json == {
        "sub_account_id": ACCOUNT,
        "kind": ["PERPETUAL"],
    }
    assert [
        request.json
        for request in venue.encode_order_queries(
            CancelRequest(symbol="ETH_USDT_Perp", client_id="9"), market
        )
    ] == [{"sub_account_id": ACCOUNT, "client_order_id": "9"}]


def test_bad_keys_say_which_and_keep_their_secret() -> None:
    with pytest.raises(UsageError, match="trading account id"):
        GrvtExchange(api_key="a", private_key=KEY, sub_account_id="main")
    with pytest.raises(UsageError, match="private key") as caught:
        GrvtExchange(api_key="a", private_key="0xsecret", sub_account_id=ACCOUNT)
    assert "secret" not in str(caught.value)
    assert "1111" not in repr(auth.GrvtSigner(KEY, 325))


@pytest.mark.parametrize(
    ("url", "chain"),
    [
        ("https://edge.grvt.io", 325),
        ("http://127.0.0.1:8080", 325),
        ("https://edge.testnet.grvt.io", 326),
        ("https://edge.dev.gravitymarkets.io", 327),
    ],
)
def test_the_chain_follows_the_host(url: str, chain: int) -> None:
    assert auth.chain_id_of(url) == chain


# --------------------------------------------------------------------------- what an answer means


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        (1000, 401, SessionEnded),
        (1001, 403, AuthError),
        (1003, 400, VenueError),
        (1004, 404, OrderNotFound),
        (1006, 429, RateLimited),
        (1009, 503, MarketUnavailable),
        (2001, 403, NonceRefused),
        (2002, 403, AuthError),
        (2012, 400, DuplicateClientId),
        (2062, 400, PrecisionRefused),
        (2080, 400, InsufficientMargin),
        (2090, 429, LimitReached),
        (2401, 400, ReduceOnlyRefused),
        (7201, 400, PriceOutOfBand),
        (9999, 400, VenueError),
    ],
)
def test_codes(venue: GrvtExchange, code: int, status: int, kind: type[Exception]) -> None:
    body = {"code": code, "message": "no", "status": status}
    error = venue.decode_error(status, body, PLACE)
    assert type(error) is kind
    assert isinstance(error, VenueError)
    assert error.code == str(code)
    [reply] = GrvtTradeStream().decode(
        json.dumps({"error": body, "id": 3, "method": "v1/create_order"}).encode()
    )
    assert isinstance(reply, Reply)
    assert (reply.id, type(reply.error)) == (3, kind)


def test_an_internal_error_leaves_a_command_open(venue: GrvtExchange) -> None:
    body = {"code": 1002, "message": "internal", "status": 500}
    assert type(venue.decode_error(500, body, PLACE)) is OutcomeUnknown
    assert type(venue.decode_error(500, body, READ)) is TransportError
    for method, kind in (
        ("v1/create_order", OutcomeUnknown),
        ("", OutcomeUnknown),
        ("v1/order", TransportError),
    ):
        frame = json.dumps({"error": {"code": 1005}, "id": 3, "method": method}).encode()
        [reply] = GrvtTradeStream().decode(frame)
        assert isinstance(reply, Reply)
        assert type(reply.error) is kind


def test_an_answer_without_a_code_is_no_refusal(venue: GrvtExchange) -> None:
    assert venue.decode_error(200, {"result": []}, READ) is None
    assert type(venue.decode_error(401, {}, READ)) is AuthError
    assert type(venue.decode_error(418, None, READ)) is VenueError


@pytest.mark.parametrize(
    ("status", "reason", "ours"),
    [
        ("PENDING", "UNSPECIFIED", OrderStatus.PENDING),
        ("OPEN", "UNSPECIFIED", OrderStatus.OPEN),
        ("FILLED", "UNSPECIFIED", OrderStatus.FILLED),
        ("REJECTED", "FAIL_POST_ONLY", OrderStatus.REJECTED),
        ("CANCELLED", "FAIL_POST_ONLY", OrderStatus.REJECTED),
        ("CANCELLED", "CLIENT_CANCEL", OrderStatus.CANCELED),
        ("CANCELLED", "IOC_CANCEL", OrderStatus.CANCELED),
        ("CANCELLED", "EXPIRED", OrderStatus.EXPIRED),
        ("CANCELLED", "SOMETHING_NEW", OrderStatus.CANCELED),
    ],
)
def test_statuses(status: str, reason: str, ours: OrderStatus) -> None:
    assert status_of(status, reason) is ours


def test_a_word_that_matters_and_is_not_known_raises() -> None:
    with pytest.raises(ProtocolError, match="order status 'PARTIAL'"):
        status_of("PARTIAL", "UNSPECIFIED")
    with pytest.raises(ProtocolError, match="'legs'"):
        decode_order({"order_id": "0x01"})


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("FAIL_POST_ONLY", PostOnlyWouldCross),
        ("FAIL_REDUCE_ONLY", ReduceOnlyRefused),
        ("BELOW_MARGIN", InsufficientMargin),
        ("SELF_TRADE_PROTECTION", OrderRejected),
        ("INSTRUMENT_DEACTIVATED", MarketUnavailable),
        ("NO_TRADE_PERMISSION", AuthError),
        ("CLIENT_CANCEL", None),
        ("IOC_CANCEL", None),
        ("SOMETHING_NEW", None),
        ("", None),
    ],
)
def test_reasons(venue: GrvtExchange, reason: str, kind: type[Exception] | None) -> None:
    assert classify_reason(reason) is kind
    assert venue.decode_reason(reason) is kind


# --------------------------------------------------------------------------- session


def answer(status: int, body: bytes, **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): text for name, text in headers.items()}, body)


OK = b'{"location":"","status":"success"}'


def test_a_login(venue: GrvtExchange) -> None:
    request = venue.encode_login()
    assert request is not None
    assert (request.host, request.path) == ("edge", "/auth/api_key/login")
    assert request.json == {"api_key": "an-api-key"}
    cookie = (
        "other=1; Path=/, gravity=tok.en-1; Max-Age=86400; Expires=Sun, 22 Nov 2026 02:00:00 GMT"
    )
    session = venue.decode_login(
        answer(200, OK, Set_Cookie=cookie, X_Grvt_Account_Id="ACC:1"), 1000
    )
    assert session.headers == {"Cookie": "gravity=tok.en-1", "X-Grvt-Account-Id": "ACC:1"}
    assert session.expires_ms == 1000 + 86_400_000
    assert "tok.en" not in repr(session)


def test_a_refused_login_may_hide_in_a_200(venue: GrvtExchange) -> None:
    body = b'{"status":"failure","message":"unknown key"}'
    with pytest.raises(AuthError, match="unknown key"):
        venue.decode_login(answer(200, body), 0)
    with pytest.raises(AuthError, match="err_auth"):
        venue.decode_login(answer(401, b'{"code":"err_auth_user_not_logged_in"}'), 0)


def test_the_front_door_is_not_the_venue(venue: GrvtExchange) -> None:
    with pytest.raises(TransportError, match="HTTP 403"):
        venue.decode_login(answer(403, b"<html>Just a moment...</html>"), 0)
    with pytest.raises(TransportError):
        venue.decode_login(answer(502, b""), 0)
    with pytest.raises(RateLimited):
        venue.decode_login(answer(429, b""), 0)
    with pytest.raises(ProtocolError, match="without session cookie"):
        venue.decode_login(answer(200, OK), 0)


# --------------------------------------------------------------------------- streams


class Market50(GrvtMarketStream):
    """Notes a drop instead of ending a connection that it has not."""

    dropped = ""

    def _drop(self, reason: str) -> None:
        self.dropped = reason


class Trade(GrvtTradeStream):
    """As above."""

    dropped = ""

    def _drop(self, reason: str) -> None:
        self.dropped = reason


def frame(stream: str, selector: str, number: int, feed: dict[str, Any]) -> bytes:
    head = {"stream": stream, "selector": selector, "sequence_number": str(number)}
    tail = {"prev_sequence_number": str(max(number - 1, 0))}
    return json.dumps({**head, "feed": feed, **tail}, separators=(",", ":")).encode()


def book_frame(number: int, price: str = "3000.0", size: str = "1.0") -> bytes:
    level = {"price": price, "size": size, "num_orders": 1}
    feed = {"event_time": "1", "instrument": "ETH_USDT_Perp", "bids": [level], "asks": []}
    return frame("v1.book.d", "ETH_USDT_Perp@50", number, feed)


def position_frame(number: int) -> bytes:
    feed = {"instrument": "ETH_USDT_Perp", "size": "0.0", "event_time": "1"}
    return frame("v1.position", ACCOUNT, number, feed)


def confirmation(stream: str, selector: str, first: int) -> bytes:
    result = {"stream": stream, "subs": [selector], "first_sequence_number": [str(first)]}
    return json.dumps({"jsonrpc": "2.0", "result": result, "id": 1}).encode()


def bbo_frame(number: int, **fields: str) -> bytes:
    feed = {"instrument": "ETH_USDT_Perp", "event_time": "1000000", **fields}
    return frame("v1.mini.d", "ETH_USDT_Perp@0", number, feed)


def feed_book(stream: GrvtMarketStream, book: Book, *frames: bytes) -> list[bool]:
    updates = [event for data in frames for event in stream.decode(data)]
    assert all(isinstance(update, BookUpdate) for update in updates)
    return [book.apply(update) for update in updates if isinstance(update, BookUpdate)]


def test_a_count_may_begin_anywhere_after_a_snapshot() -> None:
    stream, book = Market50(), Book("ETH_USDT_Perp")
    list(stream.decode(confirmation("v1.book.d", "ETH_USDT_Perp@50", 1061214)))
    frames = (book_frame(0), book_frame(1061214, "3000.1"), book_frame(1061215, "3000.2"))
    assert feed_book(stream, book, *frames) == [True, True, True]
    assert book.bbo()["bid"] == D("3000.2")
    assert feed_book(stream, book, book_frame(1061215, "2999.0")) == []  # said twice
    assert not stream.dropped


def test_a_gap_makes_a_book_stale_and_a_snapshot_heals_it() -> None:
    stream, book = Market50(), Book("ETH_USDT_Perp")
    assert feed_book(stream, book, book_frame(0), book_frame(7), book_frame(9)) == [
        True,
        True,
        False,
    ]
    assert book.stale
    assert not stream.dropped
    list(stream.decode(confirmation("v1.book.d", "ETH_USDT_Perp@50", 12)))
    assert feed_book(stream, book, book_frame(0), book_frame(12)) == [True, True]
    assert not book.stale


def test_a_count_that_does_not_continue_ends_the_connection() -> None:
    stream = Market50()
    list(stream.decode(book_frame(1000)))
    assert list(stream.decode(book_frame(3))) == []
    assert "v1.book.d" in stream.dropped
    stream = Market50()
    list(stream.decode(confirmation("v1.book.d", "ETH_USDT_Perp@50", 12)))
    list(stream.decode(book_frame(0)))
    assert list(stream.decode(book_frame(13))) == []
    assert stream.dropped


def test_a_gap_in_an_account_stream_ends_the_connection() -> None:
    stream = Trade(keys={"sub_account_id": ACCOUNT})
    for number in (0, 0, 5, 6):
        assert len(list(stream.decode(position_frame(number)))) == 1
    assert list(stream.decode(position_frame(6))) == []
    assert not stream.dropped
    assert list(stream.decode(position_frame(8))) == []
    assert stream.dropped == f"v1.position {ACCOUNT} has a gap at 8"


def test_a_second_subscription_counts_from_its_own_beginning() -> None:
    stream = Trade(keys={"sub_account_id": ACCOUNT})
    list(stream.decode(position_frame(5)))
    list(stream.decode(confirmation("v1.position", ACCOUNT, 9)))
    assert len(list(stream.decode(position_frame(9)))) == 1
    assert not stream.dropped


def test_frames_may_overtake_the_confirmation() -> None:
    stream = Trade(keys={"sub_account_id": ACCOUNT})
    list(stream.decode(position_frame(9)))
    list(stream.decode(confirmation("v1.position", ACCOUNT, 9)))
    assert len(list(stream.decode(position_frame(10)))) == 1
    assert not stream.dropped


def test_quotes_come_in_parts() -> None:
    stream = Market50()
    [snapshot] = stream.decode(bbo_frame(0, best_bid_price="1.0", best_bid_size="2.0"))
    assert snapshot == BboUpdate("ETH_USDT_Perp", "1.0", "2.0", "", "", 1)
    [change] = stream.decode(bbo_frame(4, best_bid_size="", best_ask_price="0"))
    assert change == BboUpdate("ETH_USDT_Perp", None, "", "0", None, 1)
    assert list(stream.decode(bbo_frame(5, last_price="1.0"))) == []
    assert list(stream.decode(bbo_frame(7, best_bid_size="1"))) == []
    assert "gap at 7" in stream.dropped


async def test_subscriptions_are_one_frame_for_each_stream() -> None:
    stream = Market50()
    topics = [Topic("book", "ETH_USDT_Perp"), Topic("bbo", "A"), Topic("book", "BTC_USDT_Perp")]
    books, quotes = map(json.loads, stream.encode_subscribe(topics))
    assert books["method"] == "subscribe"
    assert books["params"] == {
        "stream": "v1.book.d",
        "selectors": ["ETH_USDT_Perp@50", "BTC_USDT_Perp@50"],
    }
    assert quotes["params"] == {"stream": "v1.mini.d", "selectors": ["A@0"]}
    assert 0 < books["id"] < quotes["id"]
    [ended] = map(json.loads, stream.encode_unsubscribe(topics[:1]))
    assert ended["method"] == "unsubscribe"


def test_account_topics_carry_the_account() -> None:
    stream = GrvtWSClient(keys={"sub_account_id": ACCOUNT})
    assert stream.wire_topic(Topic("fills")) == f"v1.fill/{ACCOUNT}"
    assert stream.wire_topic(Topic("orders", "A")) == f"v1.order/{ACCOUNT}-A"
    assert GrvtWSClient is GrvtTradeStream

"""StandX: what is refused before sending, what errors become, what recordings do not show.

The last part lives with the simulated venue: sessions that are replaced, answers in two parts.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import json
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from base58 import b58encode
from core.ws_double import PONG, Peer, Server, virtually
from nacl.signing import SigningKey, VerifyKey

from mpdex.dex.requests import sealed
from mpdex.errors import (
    AuthError,
    BadOrder,
    DuplicateClientId,
    InsufficientMargin,
    LimitReached,
    MarketUnavailable,
    MissingCredentials,
    MpdexError,
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
    SymbolRefused,
    TransportError,
    Unsupported,
    UsageError,
    VenueError,
)
from mpdex.sim.run import Running, start
from mpdex.types import (
    BookUpdate,
    CancelRequest,
    FillUpdate,
    Lane,
    MarkUpdate,
    Order,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Reply,
    Request,
    Session,
    TimeInForce,
    Topic,
)
from mpdex.utils.clock import SystemClock
from mpdex.utils.orderbook import Book
from mpdex.utils.rest import Answer
from mpdex.utils.session import SessionKeeper
from mpdex.utils.signing.base58 import decode_base58, encode_base58
from mpdex.utils.throttle import Throttle
from mpdex.utils.virtual_loop import run_virtual
from wrappers.standx import StandxExchange
from wrappers.standx_auth import RequestIds, SignIn, StandxAuth, request_signer
from wrappers.standx_ws_client import StandxAccountClient, StandxOrdersClient, StandxWSClient

D = Decimal
NOW_MS = 1_790_000_000_000
KEY = SigningKey(bytes(range(32)))
SEED = b58encode(bytes(KEY)).decode()
WALLET = "0x" + "07" * 32
OWN_ID = "b0000000-0000-0000-0000-000000000007"
PLACE = Request("POST", "/api/new_order", signed=True, command=True)
CANCEL = Request("POST", "/api/cancel_order", signed=True, command=True)
READ = Request("GET", "/api/query_balance", signed=True)


def token(**claims: Any) -> str:
    """As the venue makes them, as far as anybody but the venue can see."""
    parts = [{"alg": "HS256"}, claims, {"not": "checked here"}]
    texts = (base64.urlsafe_b64encode(msgspec.json.encode(part)).rstrip(b"=") for part in parts)
    return b".".join(texts).decode()


TOKEN = token(address="0xAbC", exp=NOW_MS // 1000 + 3600)
VENUE = StandxExchange(token=TOKEN, request_private_key=SEED)


def listed(**changes: Any) -> dict[str, Any]:
    entry = {
        "symbol": "ETH-USD",
        "base_asset": "ETH",
        "quote_asset": "DUSD",
        "price_tick_decimals": 1,
        "qty_tick_decimals": 3,
        "min_order_qty": "0.002",
        "maker_fee": "0.0001",
        "taker_fee": "0.0004",
        "enabled": True,
    }
    return {**entry, **changes}


MARKET = VENUE.decode_markets([[listed()]])[0]
VENUE._markets.replace([MARKET])


def order(**changes: Any) -> OrderRequest:
    given = {"symbol": "ETH-USD", "side": "buy", "size": D("0.50"), "client_id": OWN_ID}
    return OrderRequest(**{**given, **changes})


def encoded(**changes: Any) -> Request:
    return VENUE.encode_order(order(**changes), MARKET, NOW_MS * 10**6)


def row(**changes: Any) -> dict[str, Any]:
    entry = {
        "id": 11_545_819_148,
        "cl_ord_id": OWN_ID,
        "symbol": "ETH-USD",
        "side": "sell",
        "order_type": "limit",
        "price": "3000.0",
        "qty": "0.500",
        "fill_qty": "0.200",
        "fill_avg_price": "3000.5",
        "status": "canceled",
        "time_in_force": "alo",
        "reduce_only": True,
        "remark": "",
        "created_at": "2026-09-21T14:13:20.000123456Z",
    }
    return {**entry, **changes}


def frame(channel: str, data: Any, seq: int = 1, symbol: str = "") -> bytes:
    about = {"symbol": symbol} if symbol else {}
    return json.dumps({"seq": seq, "channel": channel, **about, "data": data}).encode()


# --------------------------------------------------------------------------- orders out


def test_a_limit_order() -> None:
    request = encoded(price=D("3000.10"), time_in_force=TimeInForce.IOC, reduce_only=True)
    assert (request.path, request.call) == ("/api/new_order", "order:new")
    assert request.json == {
        "symbol": "ETH-USD",
        "side": "buy",
        "order_type": "limit",
        "qty": "0.50",
        "price": "3000.10",
        "time_in_force": "ioc",
        "reduce_only": True,
        "cl_ord_id": OWN_ID,
    }
    assert (request.command, request.signed, request.lane) == (True, True, Lane.HEDGE)
    assert (request.weight, request.scope) == (45, "default")


def test_post_only_is_a_time_in_force_and_a_market_order_is_immediate() -> None:
    assert encoded(price=D(3000), post_only=True).json["time_in_force"] == "alo"
    assert encoded(price=D(3000)).json["time_in_force"] == "gtc"
    at_market = encoded()
    assert (at_market.json["order_type"], at_market.json["time_in_force"]) == ("market", "ioc")
    assert "price" not in at_market.json


def test_a_small_number_has_no_exponent() -> None:
    request = encoded(price=D("1E-7"), size=D("1E+3"))
    assert (request.json["price"], request.json["qty"]) == ("0.0000001", "1000")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"price": D(1), "post_only": True, "time_in_force": TimeInForce.IOC}, BadOrder),
        ({"post_only": True}, BadOrder),
        ({"price": D(1), "time_in_force": TimeInForce.FOK}, Unsupported),
        ({"slippage_bps": D(5)}, Unsupported),
    ],
)
def test_refused_before_sending(changes: dict[str, Any], error: type[UsageError]) -> None:
    with pytest.raises(error, match="standx"):
        encoded(**changes)


def test_cancels_and_queries_name_one_id_a_number_where_it_is_the_venues() -> None:
    by_id = CancelRequest(symbol="ETH-USD", order_id="11545819148", client_id=OWN_ID)
    by_client = CancelRequest(symbol="ETH-USD", client_id=OWN_ID)
    assert VENUE.encode_cancel(by_id, MARKET).json == {"order_id": 11545819148}
    assert VENUE.encode_cancel(by_client, MARKET).json == {"cl_ord_id": OWN_ID}
    (query,) = VENUE.encode_order_queries(by_id, MARKET)
    assert (query.path, query.query) == ("/api/query_order", {"order_id": "11545819148"})
    (query,) = VENUE.encode_order_queries(by_client, MARKET)
    assert query.query == {"cl_ord_id": OWN_ID}
    with pytest.raises(BadOrder):
        VENUE.encode_cancel(CancelRequest(symbol="ETH-USD", order_id="x42"), MARKET)


def test_leverage_is_a_whole_number() -> None:
    request = VENUE.encode_leverage(MARKET, D("10.0"), 0)
    assert (request.json, request.command, request.call) == (
        {"symbol": "ETH-USD", "leverage": 10},
        False,
        "",
    )
    with pytest.raises(Unsupported, match=r"2\.5"):
        VENUE.encode_leverage(MARKET, D("2.5"), 0)


def test_pages_of_fills_go_on_from_the_last_one_and_end() -> None:
    first = VENUE.encode_fills(MARKET, 1_790_000_000_123, None)
    assert first.query == {
        "limit": "500",
        "symbol": "ETH-USD",
        "start": "2026-09-21T14:13:20.123Z",
    }
    assert VENUE.encode_fills(None, 0, "7").query == {"limit": "500", "last_id": "7"}
    rows = [trade(id=1000 - n) for n in range(100)]
    page = VENUE.decode_fills({"result": rows}, None)
    assert (len(page.fills), page.cursor) == (100, "901")
    assert VENUE.decode_fills({"result": rows}, "901").cursor is None, "the same page again"
    assert VENUE.decode_fills({"result": rows[:1]}, None).cursor == "1000", "it may have been cut"
    assert VENUE.decode_fills([], "901") == ([], None, False)


# --------------------------------------------------------------------------- orders back


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({}, OrderStatus.CANCELED, ""),
        ({"fill_qty": "0.5"}, OrderStatus.FILLED, ""),
        ({"status": "open"}, OrderStatus.OPEN, ""),
        ({"status": "new"}, OrderStatus.OPEN, ""),
        ({"status": "partially_filled"}, OrderStatus.OPEN, ""),
        ({"status": "untriggered"}, OrderStatus.PENDING, ""),
        ({"status": "expired", "remark": "late"}, OrderStatus.EXPIRED, "late"),
        (
            {"status": "rejected", "fill_qty": "0", "remark": "alo order rejected"},
            OrderStatus.REJECTED,
            "alo order rejected",
        ),
    ],
)
def test_how_an_order_ends(changes: dict[str, Any], status: OrderStatus, reason: str) -> None:
    told = VENUE.decode_order(row(**changes))
    assert (told["status"], told["reason"]) == (status, reason)
    assert told["average_price"] == (D("3000.5") if told["filled"] else None)
    assert (told["id"], told["post_only"], told["reduce_only"]) == ("11545819148", True, True)
    assert told["timestamp_ms"] == 1_790_000_000_000


@pytest.mark.parametrize(
    "broken",
    [
        {"status": "sleeping"},
        {"side": "both"},
        {"fill_qty": "much"},
        {"time_in_force": "day"},
        {"created_at": "yesterday"},
        {"qty": None},
    ],
)
def test_a_row_not_understood_is_never_guessed(broken: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        VENUE.decode_order(row(**broken))


def test_a_list_with_what_has_ended_gives_what_is_open() -> None:
    rows = [row(), row(id=8, status="new"), row(id=9, status="filled", fill_qty="0.5")]
    assert [o["id"] for o in VENUE.decode_orders({"result": rows})] == ["8"]
    with pytest.raises(ProtocolError):
        VENUE.decode_orders({"message": "success"})


@pytest.mark.parametrize("answer", [None, [], {}, {"code": None}, {"code": 1}])
def test_an_answer_that_is_no_acknowledgement(answer: Any) -> None:
    with pytest.raises(ProtocolError):
        VENUE.decode_placement(answer, order())
    with pytest.raises(ProtocolError):
        VENUE.decode_cancel(answer)


# --------------------------------------------------------------------------- fills, positions


def trade(**changes: Any) -> dict[str, Any]:
    entry = {
        "id": 409870,
        "order_id": 7,
        "symbol": "ETH-USD",
        "side": "buy",
        "price": "3000",
        "qty": "0.5",
        "fee_qty": "0.15",
        "fee_asset": "DUSD",
        "created_at": "2026-09-21T14:13:20Z",
    }
    return {**entry, **changes}


@pytest.mark.parametrize(
    ("changes", "liquidity", "fee"),
    [
        ({}, "maker", "0.15"),
        ({"fee_qty": "0.6"}, "taker", "0.6"),
        ({"fee_qty": "0.3"}, "taker", "0.3"),  # of the market makers' programme
        ({"fee_qty": "-0.0375"}, "maker", "-0.0375"),
        ({"fee_qty": None}, "taker", None),
        ({"symbol": "OLD-USD"}, "taker", "0.15"),
    ],
)
def test_the_fee_tells_who_took(changes: dict[str, Any], liquidity: str, fee: str | None) -> None:
    (fill,) = VENUE.decode_fills({"result": [trade(**changes)]}, None).fills
    assert (fill["liquidity"], fill["fee"]) == (liquidity, None if fee is None else D(fee))


@pytest.mark.parametrize("when", ["time", "created_at", "updated_at"])
def test_a_fill_frame_is_read_by_whatever_names_it_has(when: str) -> None:
    entry = trade(trade_id=5)
    entry[when] = entry.pop("created_at")
    del entry["id"]
    stream = StandxAccountClient(markets=VENUE._markets)
    (event,) = stream.decode(frame("trade", entry))
    assert isinstance(event, FillUpdate)
    assert (event.fill["id"], event.fill["order_id"]) == ("5", "7")
    assert event.fill["timestamp_ms"] == 1_790_000_000_000


def position(**changes: Any) -> dict[str, Any]:
    entry = {
        "symbol": "ETH-USD",
        "qty": "-0.5",
        "entry_price": "3000",
        "leverage": "10",
        "updated_at": "2026-09-21T14:13:20.1Z",
    }
    return {**entry, **changes}


def test_a_short_is_negative_and_a_flat_row_is_none() -> None:
    short, flat = VENUE.decode_positions([position(mmr=None, liq_price=None)]), position(qty="0")
    assert [(p["side"], p["size"], p["liquidation_price"]) for p in short] == [
        ("short", D("0.5"), None)
    ]
    assert VENUE.decode_positions([flat]) == []
    (event,) = StandxAccountClient().decode(frame("position", flat))
    assert event == PositionUpdate("ETH-USD", D(0), None, 1_790_000_000_100)


def test_an_older_position_is_no_news() -> None:
    stream = StandxAccountClient()
    said = [list(stream.decode(frame("position", position(), seq))) for seq in (5, 4, 5, 6)]
    assert [len(events) for events in said] == [1, 0, 0, 1]


def test_unknown_channels_say_nothing() -> None:
    for stream in (StandxWSClient(), StandxAccountClient()):
        for channel in ("public_trade", "kline", "balance", "brand_new"):
            assert list(stream.decode(frame(channel, {"any": "thing"}))) == []


def test_the_best_level_is_found_wherever_it_stands() -> None:
    levels = {"bids": [["1", "3"], ["3", "1"], ["2", "2"]], "asks": [["9", "1"], ["4", "2"]]}
    data = {"symbol": "ETH-USD", **levels}
    (update,) = StandxWSClient().decode(frame("depth_book", data, 3, "ETH-USD"))
    assert isinstance(update, BookUpdate)
    book = Book("ETH-USD")
    assert book.apply(update)
    assert book.best() == ("3", "1", "4", "2")


def test_a_market_without_trades_has_a_mark_and_no_quote() -> None:
    prices = {"mark_price": "3000.5", "index_price": "3000", "spread": [None, "3001"]}
    mark, quote = StandxWSClient().decode(frame("price", prices, 1, "ETH-USD"))
    assert isinstance(mark, MarkUpdate)
    assert (mark.mark_price, mark.timestamp_ms) == (D("3000.5"), None)
    assert quote[1:5] == ("", None, "3001", None)


def test_a_market_that_is_not_trading_is_not_active() -> None:
    changes: list[dict[str, Any]] = [
        {"enabled": False},
        {"status": "halted"},
        {"status": "trading"},
    ]
    markets = VENUE.decode_markets([[listed(**change) for change in changes]])
    assert [m["active"] for m in markets] == [False, False, True]


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("status", "message", "request_", "kind"),
    [
        (400, "alo order rejected", PLACE, PostOnlyWouldCross),
        (400, "invalid order qty: not follow qty tick", PLACE, PrecisionRefused),
        (400, "invalid order qty", PLACE, PrecisionRefused),
        (400, "price not follow price tick", PLACE, PrecisionRefused),
        (400, "balance not enough", PLACE, InsufficientMargin),
        (400, "reduce only qty exceeds position", PLACE, ReduceOnlyRefused),
        (400, "order price out of range", PLACE, PriceOutOfBand),
        (400, "max open orders reached", PLACE, LimitReached),
        (400, "duplicate cl_ord_id", PLACE, DuplicateClientId),
        (400, "symbol is not trading", PLACE, MarketUnavailable),
        (400, "invalid symbol", PLACE, SymbolRefused),
        (400, "something new", PLACE, OrderRejected),
        (400, "something new", CANCEL, OrderNotFound),
        (400, "something new", READ, VenueError),
        (404, "order not found", CANCEL, OrderNotFound),
        (404, "order not found", Request("GET", "/api/query_order"), OrderNotFound),
        (404, "user balance not found", READ, AuthError),
        (401, "unauthorized", READ, SessionEnded),
        (401, "", PLACE, SessionEnded),
        (403, "invalid body signature", PLACE, SessionEnded),
        (403, "signature has expired", PLACE, NonceRefused),
        (403, "request expired", Request("POST", "/api/change_leverage"), AuthError),
        (403, "no access", READ, AuthError),
        (429, "anything", PLACE, RateLimited),
        (408, "timeout", PLACE, OutcomeUnknown),
        (502, "bad gateway", PLACE, OutcomeUnknown),
        (500, "internal", READ, TransportError),
    ],
)
def test_refusals(status: int, message: str, request_: Request, kind: type[Exception]) -> None:
    """The same by status, and inside a 200, as the order socket has it."""
    body = {"code": status, "message": message}
    for answered_with in (status, 200):
        error = VENUE.decode_error(answered_with, body, request_)
        assert type(error) is kind
        assert isinstance(error, MpdexError)
        assert (error.venue, error.raw) == ("standx", body)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "400", OrderRejected),
        (403, "FORBIDDEN", AuthError),
        (400, 10013, OrderRejected),
        (200, 10013, OutcomeUnknown),
        (200, "FAILED", OrderRejected),
        (502, "FAILED", OutcomeUnknown),
    ],
)
def test_a_code_that_is_no_status(status: int, code: Any, kind: type[MpdexError]) -> None:
    error = VENUE.decode_error(status, {"code": code, "message": "something new"}, PLACE)
    assert type(error) is kind
    assert not isinstance(error, VenueError) or error.code == str(code)


def test_words_without_a_status() -> None:
    assert VENUE.decode_reason("ALO order rejected") is PostOnlyWouldCross
    assert VENUE.decode_reason("balance not enough") is InsufficientMargin
    assert VENUE.decode_reason("") is VENUE.decode_reason("user") is None
    late = VENUE.decode_page(400, "invalid order qty", PLACE)
    assert type(late) is PrecisionRefused
    assert VENUE.decode_page(403, "<html>symbol</html>", PLACE) is None
    assert VENUE.decode_page(400, "nobody knows", PLACE) is None


def test_leverage_that_was_set_before_is_no_failure() -> None:
    request = VENUE.encode_leverage(MARKET, D(10), 0)
    same = {"code": 400, "message": "leverage is already 10"}
    assert VENUE.decode_error(400, same, request) is None
    assert VENUE.decode_error(400, same, PLACE) is not None


# --------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("keys", "error", "words"),
    [
        ({}, MissingCredentials, "copy.pk_standx.py"),
        ({"chain": "bsc"}, MissingCredentials, "wallet_private_key"),
        ({"token": TOKEN}, MissingCredentials, "request_private_key missing"),
        ({"request_private_key": SEED}, MissingCredentials, "token missing"),
        (
            {"token": TOKEN, "request_private_key": SEED, "wallet_private_key": WALLET},
            UsageError,
            "not both",
        ),
        ({"wallet_private_key": WALLET, "chain": "base"}, UsageError, "bsc or solana"),
        ({"wallet_private_key": "0xnone"}, UsageError, "wallet_private_key is wrong"),
        ({"wallet_private_key": "0Ol", "chain": "solana"}, UsageError, "is wrong"),
        ({"token": TOKEN, "request_private_key": "0Ol"}, UsageError, "is wrong"),
        ({"token": "a\nb", "request_private_key": SEED}, UsageError, "token has letters"),
        ({"token": "aé.b", "request_private_key": SEED}, UsageError, "token has letters"),
    ],
)
def test_keys_that_are_none(keys: dict[str, str], error: type[UsageError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        StandxExchange(**keys)
    for name in ("wallet_private_key", "request_private_key", "token"):
        assert keys.get(name, "") in ("", "0Ol", "0xnone") or keys[name] not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        SEED,
        b58encode(bytes(KEY) + bytes(KEY.verify_key)).decode(),
        bytes(KEY).hex(),
        "0x" + bytes(KEY).hex(),
        base64.b64encode(bytes(KEY)).decode(),
        f"  {SEED}\n",
    ],
)
def test_a_request_key_in_every_spelling(text: str) -> None:
    assert request_signer(text).public_key == bytes(KEY.verify_key)


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\1", bytes(range(64)), bytes(KEY)])
def test_base58_is_read_as_the_library_reads_it(data: bytes) -> None:
    text = b58encode(data).decode()
    assert decode_base58(text) == data == decode_base58(encode_base58(data).decode())


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "a b", "ä"])
def test_what_is_not_base58_is_refused_without_its_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a digit of Base58$"):
        decode_base58(text)


def test_accounts_have_names_and_no_secret_is_shown() -> None:
    wallet = StandxExchange(wallet_private_key=WALLET)
    solana = StandxExchange(wallet_private_key=SEED, chain="solana")
    address = b58encode(bytes(KEY.verify_key)).decode()
    assert wallet.account_key.startswith("bsc_0x")
    assert solana.account_key == f"solana_{address}"
    assert VENUE.account_key == "0xAbC"
    unnamed = StandxExchange(**{**VENUE.keys, "token": "opaque"})
    assert unnamed.account_id != VENUE.account_id
    begun = wallet.encode_login()
    assert isinstance(begun, SignIn)
    shown = f"{wallet!r} {begun!r} {StandxAuth(wallet.keys)!r} {StandxAuth(VENUE.keys)!r}"
    session = VENUE.make_session(NOW_MS)
    shown += f"{session!r} {StandxAuth(solana.keys)._wallet!r}"
    for secret in (WALLET[2:], SEED, TOKEN, bytes(KEY).hex()):
        assert secret not in shown


# --------------------------------------------------------------------------- signatures


def proved(request: Request, key: VerifyKey) -> str:
    """The request's own name, its signature verified over the very bytes."""
    headers = request.headers
    name, stamp = headers["x-request-id"], headers["x-request-timestamp"]
    text = f"v1,{name},{stamp},".encode() + request.body
    key.verify(text, base64.b64decode(headers["x-request-signature"]))
    return name


def test_the_bytes_that_are_sent_are_signed_and_no_name_is_used_twice() -> None:
    venue = StandxExchange(token=TOKEN, request_private_key=SEED)
    session = venue.make_session(NOW_MS)
    assert session is not None
    request = replace(sealed(encoded(price=D(3000))), headers=dict(session.headers))
    signed = [venue.sign(request, NOW_MS + n) for n in range(3)]
    assert len({proved(one, KEY.verify_key) for one in signed}) == 3
    assert signed[0].headers["x-request-timestamp"] == str(NOW_MS)
    assert signed[0].headers["x-request-sign-version"] == "v1"
    assert signed[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert signed[0].body == request.body
    changed = replace(signed[0], body=request.body.replace(b":", b": "))
    with pytest.raises(Exception, match="forged"):
        proved(changed, KEY.verify_key)


def test_reads_are_not_signed_and_nothing_is_without_keys() -> None:
    assert VENUE.sign(READ, NOW_MS) is READ
    nobody = StandxExchange(read_only=True)
    assert nobody.account_key == ""
    with pytest.raises(MissingCredentials):
        nobody.sign(sealed(encoded()), NOW_MS)


def test_names_of_requests_are_version_4_uuids() -> None:
    ids, others = RequestIds(), RequestIds()
    made = [ids.new() for _ in range(1000)] + [others.new() for _ in range(1000)]
    assert len(set(made)) == 2000
    assert {(len(name), name[14], name[19]) for name in made} == {(36, "4", "8")}


# --------------------------------------------------------------------------- signing in


def test_a_token_of_the_user_is_used_until_it_ends() -> None:
    session = VENUE.make_session(NOW_MS)
    assert session is not None
    assert (VENUE.encode_login(), session.expires_ms) == (None, NOW_MS + 3_600_000)
    with pytest.raises(AuthError, match="make a new one"):
        VENUE.make_session(NOW_MS + 3_600_000)


def signed_data(begun: SignIn, **changes: Any) -> str:
    claims = {**begun.json, "message": "standx.com wants you to sign in", **changes}
    return token(**claims)


def prepared(text: str) -> Answer:
    return Answer(200, {}, msgspec.json.encode({"success": True, "signedData": text}))


def test_each_sign_in_has_a_key_of_its_own_and_ends_in_one_pair() -> None:
    venue = StandxExchange(wallet_private_key=WALLET)
    names, pairs = set(), []
    for _ in range(3):
        begun = venue.encode_login()
        assert isinstance(begun, SignIn)
        assert (begun.host, begun.query) == ("login", {"chain": "bsc"})
        names.add(begun.json["requestId"])
        login = venue.continue_login(prepared(signed_data(begun)), begun, NOW_MS)
        assert isinstance(login, SignIn)
        assert login.json["signature"].startswith("0x")
        assert len(login.json["signature"]) == 132
        given = Answer(200, {}, msgspec.json.encode({"token": TOKEN}))
        pair = venue.continue_login(given, login, NOW_MS)
        assert isinstance(pair, Session)
        assert pair.expires_ms == NOW_MS + 3_600_000, "as the token says"
        assert b58encode(pair.key.public_key).decode() == begun.json["requestId"]
        pairs.append(pair)
    assert len(names) == 3
    request = replace(sealed(encoded()), headers=dict(pairs[-1].headers))
    proved(venue.sign(request, NOW_MS), VerifyKey(pairs[-1].key.public_key))


@pytest.mark.parametrize(
    "changes", [{"address": "0x" + "1" * 40}, {"requestId": "another"}, {"requestId": None}]
)
def test_what_is_about_somebody_else_is_not_signed(changes: dict[str, Any]) -> None:
    venue = StandxExchange(wallet_private_key=WALLET)
    begun = venue.encode_login()
    assert isinstance(begun, SignIn)
    with pytest.raises(AuthError, match="nothing signed"):
        venue.continue_login(prepared(signed_data(begun, **changes)), begun, NOW_MS)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(400, {}, b'{"code":400,"message":"invalid address"}'), AuthError),
        (Answer(200, {}, b'{"success":false}'), AuthError),
        (Answer(200, {}, b'{"success":true}'), ProtocolError),
        (Answer(429, {}, b"{}"), RateLimited),
        (Answer(502, {}, b"<html>"), TransportError),
    ],
)
def test_a_sign_in_that_fails(answer: Answer, error: type[MpdexError]) -> None:
    venue = StandxExchange(wallet_private_key=WALLET)
    begun = venue.encode_login()
    assert begun is not None
    with pytest.raises(error):
        venue.continue_login(answer, begun, NOW_MS)


@pytest.mark.parametrize("code", [400, 401, 403])
def test_a_socket_that_does_not_let_in_asks_for_a_new_sign_in(code: int) -> None:
    said = {"code": code, "message": "who are you"}
    (by_channel,) = StandxAccountClient().decode(frame("auth", said))
    assert isinstance(by_channel, Reply)
    assert type(by_channel.error) is SessionEnded
    stream = StandxOrdersClient()
    stream._login_id = "login"
    (answered,) = stream.decode(json.dumps({**said, "request_id": "login"}).encode())
    assert isinstance(answered, Reply)
    assert type(answered.error) is SessionEnded
    (crowded,) = StandxAccountClient().decode(frame("auth", {"code": 429, "message": "slow"}))
    assert isinstance(crowded, Reply)
    assert type(crowded.error) is RateLimited


def test_no_stream_pings_or_waits_for_words_and_server_pings_tell_that_it_lives() -> None:
    for stream in StandxExchange.streams():
        assert stream.PING_INTERVAL is None
        assert stream.RECV_TIMEOUT is None
        assert stream.patience() == 35.0
        assert stream(keys={}).handshake_headers() == {}
        assert stream.MAX_AGE == 86_400, "the venue closes then; we come before it"


def test_an_account_has_twenty_requests_at_once_and_some_of_them_are_for_hedges() -> None:
    def granted(request: Request, lane: Lane) -> int:
        throttle = Throttle(StandxExchange.SPEC.limits, clock=SystemClock())
        asked = (throttle.try_acquire(request.scope, request.weight, lane) for _ in range(99))
        return sum(asked)

    asked = VENUE.encode_positions(None)
    assert isinstance(asked, Request)
    assert granted(asked, Lane.QUERY) == 14
    assert granted(encoded(price=D(3000)), Lane.HEDGE) == 20
    assert granted(VENUE.encode_mark(MARKET), Lane.HEDGE) == 25


class Quiet:
    """The other end: lets in whoever signs in, pings as the venue does, notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, bytes]] = []

    async def __call__(self, peer: Peer) -> None:
        _, payload = await peer.receive()
        asked = json.loads(payload)
        if "auth" in asked:
            peer.send(frame("auth", {"code": 0, "message": "success"}))
        elif "request_id" in asked:
            peer.send(json.dumps({"code": 0, "request_id": asked["request_id"]}))
        async with asyncio.TaskGroup() as group:
            pinging = group.create_task(self._ping(peer))
            await self._listen(peer)
            pinging.cancel()

    async def _ping(self, peer: Peer) -> None:
        while True:
            await asyncio.sleep(10)
            peer.send(b"", 9)

    async def _listen(self, peer: Peer) -> None:
        try:
            while True:
                self.heard.append(await peer.receive())
        except asyncio.IncompleteReadError:
            return


@pytest.mark.parametrize("engine", ["picows", "websockets"])
@pytest.mark.parametrize("kind", StandxExchange.streams(), ids=lambda kind: kind.__name__)
@virtually
async def test_nothing_is_said_on_a_silent_socket_but_pongs(kind: Any, engine: Any) -> None:
    """For an hour, by either engine: no ping in a text, and no ping of the protocol either."""

    async def login() -> Session:
        return Session({"Authorization": f"Bearer {TOKEN}"})

    quiet = Quiet()
    async with Server(quiet) as server:
        keeper = SessionKeeper(login, clock=SystemClock()) if kind.PRIVATE else None
        stream = kind(url=server.url, engine=engine, session=keeper)
        await stream.connect()
        if not kind.PRIVATE:
            await stream.subscribe(Topic("book", "ETH-USD"))
        await asyncio.sleep(3600)
        assert stream.connected
        assert stream.generation == 1
        assert {opcode for opcode, _ in quiet.heard} == {PONG}
        assert len(quiet.heard) >= 359
        await stream.close()


# --------------------------------------------------------------------------- with the venue


Scenario = Callable[[Running, Any], Awaitable[None]]


def traded(scenario: Scenario) -> Callable[[], None]:
    """With the simulated venue and an exchange object that has heard of the account."""

    @functools.wraps(scenario)
    def run() -> None:
        async def play() -> None:
            async with await start(["standx"], coins=("ETH",)) as world:
                dex = await opened(world, **world.credentials["standx"])
                try:
                    await dex.start_streams([Topic("orders"), Topic("positions"), Topic("fills")])
                    await scenario(world, dex)
                finally:
                    await dex.close()

        run_virtual(play())

    del run.__dict__["__wrapped__"]
    return run


async def opened(world: Running, **keys: str) -> Any:
    endpoints = world.endpoints["standx"]
    return await StandxExchange(endpoints=endpoints, clock=world.clock, **keys).init()


def resting(dex: Any, price: str = "2900", **options: Any) -> Any:
    return dex.create_order("ETH-USD", "buy", "0.01", price, "limit", post_only=True, **options)


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  (any condition; the time is virtual)
            await asyncio.sleep(0.01)


def commands(dex: Any) -> Any:
    return dex._command_stream()


@traded
async def test_an_order_is_answered_with_what_became_of_it(world: Running, dex: Any) -> None:
    venue = world.venues["standx"]
    placed = await resting(dex)
    assert placed["status"] is OrderStatus.PENDING
    assert placed["raw"]["message"] == "success", "the second answer"
    with pytest.raises(PostOnlyWouldCross):
        await resting(dex, "3100")
    assert world.counts["standx", "ws", "place"] == 2
    assert len(venue.exchange.open_orders(next(iter(venue.exchange.accounts)))) == 1


@traded
async def test_a_refusal_that_comes_late_is_told_as_the_orders_end(
    world: Running, dex: Any
) -> None:
    heard: list[Order] = []
    dex.on_orders(heard.append)
    world.venues["standx"].calls.result_after = 5.0
    placed = await resting(dex, "3100")
    assert (placed["status"], placed["raw"]["message"]) == (OrderStatus.PENDING, "accepted")
    assert heard == []
    await until(lambda: heard)
    [ended] = heard
    assert (ended["client_order_id"], ended["status"]) == (
        placed["client_order_id"],
        OrderStatus.REJECTED,
    )
    assert dex.decode_reason(ended["reason"]) is PostOnlyWouldCross
    assert (ended["id"], ended["filled"], ended["size"]) == ("", D(0), D("0.01"))
    with pytest.raises(OrderNotFound):
        await dex.get_order("ETH-USD", client_order_id=placed["client_order_id"])


@traded
async def test_a_lost_connection_leaves_what_was_accepted_in_doubt(
    world: Running, dex: Any
) -> None:
    world.venues["standx"].calls.result_after = 2.0
    await resting(dex)
    stream = commands(dex)
    waiting = dex.submit_order(
        order(price=D(2900), post_only=True, size=D("0.01"), client_id=dex.new_client_id())
    )
    await asyncio.sleep(1.0)
    assert stream._asked
    stream.renew("to see what happens")
    with pytest.raises(OutcomeUnknown):
        await waiting
    assert not stream._asked
    assert stream._timer is None


@traded
async def test_without_its_socket_an_order_goes_by_rest(world: Running, dex: Any) -> None:
    await resting(dex)
    world.faults.add("standx.ws_* -> disconnect(5s)")
    await until(lambda: not commands(dex).connected)
    placed = await resting(dex)
    assert (world.counts["standx", "ws", "place"], world.counts["standx", "rest", "place"]) == (
        1,
        1,
    )
    assert placed["status"] is OrderStatus.PENDING
    refused = await resting(dex, "3100")
    assert refused["status"] is OrderStatus.PENDING, "acceptance is not the result"
    await until(lambda: commands(dex).connected)
    with pytest.raises(OrderNotFound):
        await dex.get_order("ETH-USD", client_order_id=refused["client_order_id"])


@traded
async def test_token_and_key_are_replaced_together_everywhere(world: Running, dex: Any) -> None:
    await resting(dex)
    account, orders = dex._streams["orders"], commands(dex)
    streams = [lease.client for (kind, _), lease in dex._leases.items() if kind is account]
    before = dex._session.current
    assert [s.pair for s in (*streams, orders)] == [before, before]
    world.venues["standx"].expire_sessions()
    assert await dex.get_positions() == []
    after = dex._session.current
    assert after != before
    assert after.key.public_key != before.key.public_key
    await until(lambda: orders.connected and streams[0].connected)
    assert [s.pair for s in (*streams, orders)] == [after, after]
    await resting(dex)
    await dex.update_leverage("ETH-USD", 5)
    assert world.counts["standx", "ws", "place"] == 2


@traded
async def test_a_call_is_signed_with_the_key_that_its_socket_was_opened_with(
    world: Running, dex: Any
) -> None:
    """Also where there is a newer pair, which REST has and the socket not yet."""
    await resting(dex)
    older = dex._pair
    dex._pair = replace(older, key=request_signer(SEED))
    placed = await resting(dex)
    assert placed["raw"]["message"] == "success"
    signed_in = world.counts["standx", "rest", "auth"]
    await dex.update_leverage("ETH-USD", 5)
    assert world.counts["standx", "rest", "auth"] > signed_in, "what is no pair is made anew"
    assert dex._pair is dex._session.current


@traded
async def test_numbers_of_positions_begin_anew_with_each_connection(
    world: Running, dex: Any
) -> None:
    [account] = [s for s in dex._account_streams() if isinstance(s, StandxAccountClient)]
    heard: list[Any] = []
    account.listeners.append(heard.append)
    account._position_seq = 10**6  # of a long connection
    account.renew("its day is over")
    await until(lambda: account.connected and account.generation == 2)
    await dex.create_order("ETH-USD", "buy", "0.01")
    await until(lambda: [event for event in heard if isinstance(event, PositionUpdate)])


@traded
async def test_an_old_session_is_renewed_before_its_end(world: Running, dex: Any) -> None:
    before = dex._session.current
    await dex.freshen()
    assert dex._session.current is before
    dex._session._since_ms -= 6 * 86_400_000
    dex._session.current = replace(before, expires_ms=dex.clock.now_ms() + 86_400_000)
    await dex.freshen()
    assert dex._session.current.key is not before.key
    await until(lambda: all(s.connected for s in dex._account_streams()))
    await resting(dex)


@traded
async def test_a_pair_made_beforehand_trades_by_both_routes(world: Running, dex: Any) -> None:
    venue = world.venues["standx"]
    signed_in = world.counts["standx", "rest", "auth"]
    given = await opened(world, **venue.premade_credentials())
    try:
        assert given.account_id != dex.account_id
        await resting(given)
        await given.update_leverage("ETH-USD", 7)
        assert (await given.get_leverage_info("ETH-USD"))["leverage"] == 7
        assert world.counts["standx", "rest", "auth"] == signed_in, "it has nothing to sign in with"
        venue.expire_sessions()
        with pytest.raises(AuthError):
            await given.get_positions()
    finally:
        await given.close()


@traded
async def test_an_order_that_ended_is_not_open_whatever_the_list_says(
    world: Running, dex: Any
) -> None:
    desk = world.venues["standx"].desk
    desk.open_list_lag, desk.new_order_lag = 15.0, 2.0
    first, second = await resting(dex), await resting(dex)
    await dex.cancel_order("ETH-USD", client_order_id=first["client_order_id"])
    listed = dex.decode_orders(await dex._private(dex.encode_open_orders(None)))
    assert len(listed) < 2, "the second one is too new to be listed"
    [left] = await dex.read_open_orders("ETH-USD")
    assert left["client_order_id"] == second["client_order_id"]
    listed = dex.decode_orders(await dex._private(dex.encode_open_orders(None)))
    assert len(listed) == 2, "the list goes on with what has ended"


@traded
async def test_a_dead_socket_is_noticed_by_the_pings_that_do_not_come(
    world: Running, dex: Any
) -> None:
    await resting(dex)
    stream, loop = commands(dex), asyncio.get_running_loop()
    await asyncio.sleep(600)
    assert stream.generation == 1, "silence is no reason, as long as the server pings"
    began = loop.time()
    world.faults.add("standx.ws_private -> silence(400s)")
    await until(lambda: not stream.connected)
    assert loop.time() - began <= 36


def test_a_session_has_no_key_in_its_text_or_in_what_is_compared() -> None:
    one, other = Session({"a": "b"}, 1, key="secret"), Session({"a": "b"}, 1)
    assert one == other
    assert "secret" not in repr(one)
    assert [f.name for f in fields(Session)] == ["headers", "expires_ms", "key"]


@traded
async def test_the_first_answer_is_known_in_whichever_field_it_has_its_word(
    world: Running, dex: Any
) -> None:
    """Taken for the last one, it would leave a refusal after it untold."""
    first = [{"status": "accepted"}, {"message": "accepted"}, {"message": "Order accepted"}]
    for said in first:
        stream, request = StandxOrdersClient(), named_request("r")
        stream.encode_call(request, 7)
        told = msgspec.json.encode({"code": 0, **said, "request_id": "r"})
        assert list(stream.decode(told)) == [], said
        (event,) = stream.decode(b'{"code":400,"message":"alo order rejected","request_id":"r"}')
        assert isinstance(event, OrderUpdate), said
        stream._on_down("over", was_open=False)


def named_request(name: str) -> Request:
    """A post-only order as it is about to be written."""
    headers = {"x-request-id": name, "x-request-timestamp": "1", "x-request-signature": "s"}
    return replace(sealed(encoded(price=D(3000), post_only=True)), headers=headers)


def test_a_refusal_that_nobody_waits_for_is_the_orders_end() -> None:
    """The row that a late refusal makes of what was asked for."""
    stream = StandxOrdersClient()
    request = named_request("r")
    sent = json.loads(stream.encode_call(request, 7))
    assert (sent["method"], sent["request_id"]) == ("order:new", "r")
    assert sent["params"].encode() == request.body
    assert "Authorization" not in sent["header"]
    (event,) = stream.decode(b'{"code":400,"message":"alo order rejected","request_id":"r"}')
    assert isinstance(event, OrderUpdate), "nobody waits for its answer any more"
    assert event.order["client_order_id"] == OWN_ID

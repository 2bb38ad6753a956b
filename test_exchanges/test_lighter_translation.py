"""Lighter: what is refused before sending, how transactions travel, what recordings do not show."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from core.ws_double import Peer, Server, until, virtually

from mpdex.errors import (
    AuthError,
    BadOrder,
    DuplicateClientId,
    InsufficientMargin,
    LimitReached,
    MarketUnavailable,
    MissingCredentials,
    MissingDependency,
    NoImmediateMatch,
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
from mpdex.sim.venues.lighter_crypto import public_key, verify
from mpdex.sim.venues.lighter_hash import digest, to_bytes
from mpdex.types import (
    CancelRequest,
    Event,
    Json,
    Lane,
    Limit,
    Market,
    OrderRequest,
    OrderStatus,
    Request,
    Session,
    StreamDown,
    StreamUp,
    TimeInForce,
    Topic,
)
from mpdex.utils.clock import LoopClock
from mpdex.utils.markets import MarketList
from mpdex.utils.session import SessionKeeper
from wrappers import lighter_signer
from wrappers.base_ws_client import State
from wrappers.lighter import LighterExchange
from wrappers.lighter_signer import LIFE_MS, LighterSigner
from wrappers.lighter_wire import leverage_of, time_ms
from wrappers.lighter_ws_client import LighterAccountClient, LighterWSClient

D = Decimal
SECRET = "0123456789abcdef" * 5
KEYS = {"account_index": "12345", "api_key_index": "5", "private_key": SECRET}
NOW_MS = 1_795_000_000_000
READ = Request("GET", "/api/v1/account", signed=True)
ORDER_INDEX = 2**48 + 7


def listed(**changes: Any) -> dict[str, Any]:
    entry = {
        "symbol": "ETH",
        "market_id": 0,
        "market_type": "perp",
        "status": "active",
        "min_base_amount": "0.0050",
        "min_quote_amount": "10.000000",
        "size_decimals": 4,
        "price_decimals": 2,
        "default_initial_margin_fraction": 500,
        "min_initial_margin_fraction": 200,
    }
    return {**entry, **changes}


def spot() -> dict[str, Any]:
    entry = listed(symbol="ETH/USDC", market_id=2048, market_type="spot")
    return {name: value for name, value in entry.items() if "margin" not in name}


def opened(**options: Any) -> LighterExchange:
    venue = LighterExchange(**{**KEYS, **options})
    answer = {"order_book_details": [listed()], "spot_order_book_details": [spot()]}
    venue._markets.replace(venue.decode_markets([answer]))
    return venue


@pytest.fixture
def venue() -> LighterExchange:
    return opened()


@pytest.fixture
def market(venue: LighterExchange) -> Market:
    return venue._markets["ETH"]


def order(**changes: Any) -> OrderRequest:
    given = {"symbol": "ETH", "side": "buy", "size": D("0.5"), "price": D(3000), "client_id": "7"}
    return OrderRequest(**{**given, **changes})


def placed(venue: LighterExchange, **changes: Any) -> Request:
    """An order, signed."""
    asked = order(**changes)
    request = venue.encode_order(asked, venue._markets[asked.symbol], NOW_MS * 10**6)
    return venue.sign(_numbered(request), NOW_MS)


def _numbered(request: Request) -> Request:
    return replace(request, nonce=42)


# --------------------------------------------------------------------------- orders out


@pytest.mark.parametrize(
    ("changes", "tif", "expiry"),
    [
        ({}, 1, NOW_MS + 28 * 86_400_000),
        ({"post_only": True}, 2, NOW_MS + 28 * 86_400_000),
        ({"time_in_force": TimeInForce.IOC}, 0, 0),
    ],
)
def test_how_long_an_order_may_live(
    venue: LighterExchange, market: Market, changes: dict[str, Any], tif: int, expiry: int
) -> None:
    fields = venue.encode_order(order(**changes), market, NOW_MS * 10**6).json["fields"]
    assert (fields["TimeInForce"], fields["OrderExpiry"]) == (tif, expiry)
    assert (fields["Price"], fields["BaseAmount"]) == (300_000, 5_000)
    assert (fields["MarketIndex"], fields["ClientOrderIndex"]) == (0, 7)


def test_urgency_follows_the_time_in_force(venue: LighterExchange, market: Market) -> None:
    resting = venue.encode_order(order(), market, 0)
    taking = venue.encode_order(order(time_in_force=TimeInForce.IOC), market, 0)
    assert (resting.lane, taking.lane) == (Lane.QUOTE, Lane.HEDGE)
    assert venue.encode_cancel(CancelRequest(symbol="ETH", client_id="7"), market).lane is (
        Lane.CANCEL
    )


def test_the_same_transaction_goes_both_ways(venue: LighterExchange) -> None:
    """A form by REST, an object over the socket, with one signature."""
    request = placed(venue)
    assert request.body.decode() == urlencode(request.json)
    form = parse_qs(request.body.decode(), strict_parsing=True)
    assert form["tx_type"] == ["14"]
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    stream = LighterAccountClient(keys=KEYS)
    frame = json.loads(stream.encode_call(request, 9))
    assert frame == {
        "type": "jsonapi/sendtx",
        "data": {"id": "9", "tx_type": 14, "tx_info": json.loads(form["tx_info"][0])},
    }
    assert frame["data"]["tx_info"]["Nonce"] == 42


def test_a_transaction_is_signed_with_the_accounts_key(venue: LighterExchange) -> None:
    info = json.loads(placed(venue, reduce_only=True, side="sell").json["tx_info"])
    fields = ("MarketIndex", "ClientOrderIndex", "BaseAmount", "Price", "IsAsk", "Type")
    more = ("TimeInForce", "ReduceOnly", "TriggerPrice", "OrderExpiry")
    head = [304, 14, info["Nonce"], info["ExpiredAt"], 12345, 5]
    hashed = to_bytes(digest([*head, *(info[name] for name in (*fields, *more))]))
    assert verify(public_key(SECRET), hashed, base64.b64decode(info["Sig"]))
    assert (info["IsAsk"], info["ReduceOnly"]) == (1, 1)


def test_a_command_without_a_nonce_is_never_signed(venue: LighterExchange, market: Market) -> None:
    """The library would ask the venue for one by itself, and block."""
    request = venue.encode_order(order(), market, 0)
    with pytest.raises(BadOrder, match="nonce"):
        venue.sign(request, NOW_MS)
    signer = LighterSigner(SECRET, account_index=12345, api_key_index=5, chain_id=304)
    with pytest.raises(BadOrder, match="nonce"):
        signer.sign(15, {"MarketIndex": 0, "Index": 7}, -1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"price": D("3000.001")}, "more than 2 decimals"),
        ({"size": D("0.00005")}, "more than 4 decimals"),
        ({"price": D(2**33 + 500).scaleb(-2)}, "range"),
        ({"price": D(2**32).scaleb(-2)}, "range"),
        ({"size": D(2**48).scaleb(-4)}, "range"),
        ({"client_id": str(2**48)}, "client id"),
        ({"client_id": "0"}, "client id"),
        ({"client_id": "x"}, "client id"),
        ({"post_only": True, "time_in_force": TimeInForce.IOC}, "post-only"),
    ],
)
def test_what_cannot_be_told_exactly_is_refused(
    venue: LighterExchange, market: Market, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadOrder, match=said):
        venue.encode_order(order(**changes), market, 0)


def test_the_highest_price_is_not_wrapped_around(venue: LighterExchange) -> None:
    info = json.loads(placed(venue, price=D(2**32 - 1).scaleb(-2)).json["tx_info"])
    assert info["Price"] == 2**32 - 1
    signer = LighterSigner(SECRET, account_index=12345, api_key_index=5, chain_id=304)
    with pytest.raises(BadOrder, match="Price"):
        signer.sign(14, {"Price": 2**33 + 5}, 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"price": None}, "worst price"),
        ({"slippage_bps": D(10)}, "market orders only"),
        ({"symbol": "ETH/USDC", "reduce_only": True}, "perpetuals only"),
    ],
)
def test_flags_that_cannot_be_honored_are_refused(
    venue: LighterExchange, changes: dict[str, Any], said: str
) -> None:
    asked = order(**changes)
    with pytest.raises(Unsupported, match=said):
        venue.encode_order(asked, venue._markets[asked.symbol], 0)


def test_spot_goes_by_its_own_number(venue: LighterExchange) -> None:
    info = json.loads(placed(venue, symbol="ETH/USDC").json["tx_info"])
    assert info["MarketIndex"] == 2048
    assert venue._markets.symbol_of("2048") == "ETH/USDC"


def test_cancels_by_either_id(venue: LighterExchange, market: Market) -> None:
    for cancel, index in (
        (CancelRequest(symbol="ETH", client_id="7"), 7),
        (CancelRequest(symbol="ETH", order_id=str(ORDER_INDEX), client_id="7"), ORDER_INDEX),
    ):
        request = venue.encode_cancel(cancel, market)
        assert request.json == {"tx_type": 15, "fields": {"MarketIndex": 0, "Index": index}}
    with pytest.raises(BadOrder, match="order index"):
        venue.encode_cancel(CancelRequest(symbol="ETH", order_id="7"), market)


def test_cancel_all_is_for_those_who_are_alone(venue: LighterExchange, market: Market) -> None:
    assert venue.encode_cancel_all(market) is None
    with pytest.raises(Unsupported, match="exclusive"):
        venue.encode_schedule_cancel(NOW_MS)
    alone = opened(exclusive=True)
    bulk = alone.encode_cancel_all(market)
    assert bulk is not None
    info = json.loads(alone.sign(_numbered(bulk), NOW_MS).json["tx_info"])
    assert (info["TimeInForce"], info["L2TxAttributes"]) == (0, {"5": 0}), "of this market alone"
    later = alone.encode_schedule_cancel(NOW_MS).json["fields"]
    never = alone.encode_schedule_cancel(None).json["fields"]
    assert (later["TimeInForce"], later["Time"]) == (1, NOW_MS)
    assert (never["TimeInForce"], never["Time"]) == (2, 0)


@pytest.mark.parametrize(("switch_ms", "tif"), [(0, 2), (NOW_MS, 1)])
def test_a_fence_leaves_the_dead_mans_switch_as_it_is(
    venue: LighterExchange, market: Market, switch_ms: int, tif: int
) -> None:
    venue._switch_ms = switch_ms
    fence = venue.encode_fence(41, market)
    assert (fence.nonce, fence.command) == (41, True)
    info = json.loads(venue.sign(fence, NOW_MS).json["tx_info"])
    assert (info["Nonce"], info["TimeInForce"], info["Time"]) == (41, tif, switch_ms)


@pytest.mark.parametrize(("leverage", "fraction"), [("20", 500), ("3", 3333), ("1", 10_000)])
def test_leverage_is_set_as_margin(
    venue: LighterExchange, market: Market, leverage: str, fraction: int
) -> None:
    request = venue.encode_leverage(market, D(leverage), 0)
    assert request.json["fields"]["InitialMarginFraction"] == fraction
    assert leverage_of(fraction) == D(leverage)


def test_leverage_stays_within_the_market(venue: LighterExchange, market: Market) -> None:
    for leverage in ("51", "0.5"):
        with pytest.raises(BadOrder, match="within 1 and 50"):
            venue.encode_leverage(market, D(leverage), 0)
    with pytest.raises(Unsupported):
        venue.encode_leverage(venue._markets["ETH/USDC"], D(2), 0)


def test_a_leverage_that_is_not_whole_is_told_exactly() -> None:
    assert leverage_of(4000) == D("2.5")
    assert leverage_of(666) == D(15)
    assert leverage_of(0) is None


# --------------------------------------------------------------------------- reads


def test_reads_name_the_account(venue: LighterExchange, market: Market) -> None:
    by_client, *others = venue.encode_order_queries(
        CancelRequest(symbol="ETH", client_id="7"), market
    )
    assert others == []
    assert by_client.query == {"account_index": "12345", "client_order_indexes": "7"}
    active, ended = venue.encode_order_queries(
        CancelRequest(symbol="ETH", order_id=str(ORDER_INDEX)), market
    )
    assert (active.path, ended.path) == (
        ("/api/v1/accountActiveOrders", "/api/v1/accountInactiveOrders")
    )
    assert active.query == {"account_index": "12345", "market_id": "0"}
    assert venue.encode_open_orders(None).query == {"account_index": "12345"}
    assert all(request.signed for request in (by_client, active, ended))


def test_fills_are_read_backwards(venue: LighterExchange) -> None:
    request = venue.encode_fills(None, 5, "further")
    assert request.query is not None
    assert request.query["sort_dir"] == "desc"
    assert request.query["cursor"] == "further"
    page = venue.decode_fills({"trades": [_trade()], "next_cursor": "c"}, None)
    assert (page.cursor, page.backwards) == ("c", True)
    assert venue.decode_fills({"trades": [], "next_cursor": "c"}, None).cursor is None


def test_both_sides_of_a_trade_may_be_ours(venue: LighterExchange) -> None:
    trade = _trade(ask_account_id=12345, taker_fee=196, maker_fee=28)
    sell, buy = venue.decode_fills({"trades": [trade]}, None).fills
    assert (sell["side"], sell["liquidity"], sell["fee"]) == ("sell", "maker", D("0.0084"))
    assert (buy["side"], buy["liquidity"], buy["fee"]) == ("buy", "taker", D("0.0588"))
    assert sell["order_id"] != buy["order_id"]


def _trade(**changes: Any) -> dict[str, Any]:
    trade = {
        "trade_id": 1,
        "market_id": 0,
        "size": "0.1",
        "price": "3000",
        "ask_id": ORDER_INDEX,
        "bid_id": 2**49 - 3,
        "ask_client_id": 0,
        "bid_client_id": 7,
        "ask_account_id": 1,
        "bid_account_id": 12345,
        "is_maker_ask": True,
        "timestamp": NOW_MS,
    }
    return {**trade, **changes}


def test_a_full_page_of_orders_may_cut_its_last_level(
    venue: LighterExchange, market: Market
) -> None:
    orders = [{"price": "3000", "remaining_base_amount": "0.5"}] * 2
    orders += [{"price": "2999", "remaining_base_amount": "0.1"}] * 248
    book = venue.decode_book({"bids": orders, "asks": orders[:3]}, market)
    assert list(book.bids) == [("3000", "1.0")], "how much there is at 2999 is not known"
    assert list(book.asks) == [("3000", "1.0"), ("2999", "0.1")]


def test_small_coins_are_traded_by_the_thousand(venue: LighterExchange) -> None:
    answer = {"order_book_details": [listed(symbol="1000PEPE"), listed(symbol="1INCH")]}
    pepe, inch = venue.decode_markets([answer])
    assert (pepe["symbol"], pepe["coin"], pepe["multiplier"]) == ("1000PEPE", "PEPE", D(1000))
    assert (inch["coin"], inch["multiplier"]) == ("1INCH", D(1))


def test_other_markets_are_left_out_and_hidden_ones_closed(venue: LighterExchange) -> None:
    options = listed(market_type="binary_options")
    hidden = listed(market_config={"hidden": True})
    stopped = listed(symbol="BTC", status="inactive")
    found = venue.decode_markets([{"order_book_details": [options, hidden, stopped]}])
    assert [(market["symbol"], market["active"]) for market in found] == (
        [("ETH", False), ("BTC", False)]
    )


def test_times_are_told_apart_by_their_size() -> None:
    assert {time_ms(value) for value in (1_766_387_932, 1_766_387_932_000)} == {1766387932000}
    assert time_ms(1_766_387_932_000_123) == 1766387932000


@pytest.mark.parametrize(
    ("tier", "transactions", "weight"),
    [("standard", 60, 1), ("premium", 4_000, 600), ("plus", 8_000, 600)],
)
def test_limits_are_those_of_the_tier(tier: str, transactions: int, weight: int) -> None:
    venue = opened(tier=tier)
    assert venue.limits["transactions"] == Limit(transactions, 60.0)
    assert venue.encode_fills(None, 0, None).weight == weight
    assert venue.SPEC.limits["transactions"] == Limit(60, 60.0)


def test_the_quota_is_what_the_last_answer_told(venue: LighterExchange) -> None:
    assert asyncio.run(venue.get_requests_left()) is None
    venue.decode_placement({"code": 200, "tx_hash": "ab", "volume_quota_remaining": 9}, order())
    assert asyncio.run(venue.get_requests_left()) == 9


# --------------------------------------------------------------------------- keys and tokens


@pytest.mark.parametrize(
    "changes",
    [
        {"private_key": "zz" * 40},
        {"private_key": SECRET[:-2]},
        {"account_index": "-1"},
        {"account_index": "one"},
        {"api_key_index": "255"},
        {"tier": "gold"},
    ],
)
def test_bad_keys_say_which_and_keep_their_secret(changes: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(changes))) as caught:
        opened(**changes)
    assert changes.get("private_key", SECRET) not in str(caught.value)


def test_a_key_may_have_a_prefix(venue: LighterExchange) -> None:
    prefixed = opened(private_key=f"0x{SECRET}")
    assert json.loads(placed(prefixed).json["tx_info"])["AccountIndex"] == 12345


def test_a_token_lives_just_under_eight_hours(venue: LighterExchange) -> None:
    session = venue.make_session(NOW_MS)
    assert session is not None
    token = session.headers["authorization"]
    deadline, account, key, _ = token.split(":")
    assert (account, key) == ("12345", "5")
    life = int(deadline) - NOW_MS // 1000
    assert 7.9 * 3600 < life < 8 * 3600
    assert session.expires_ms == int(deadline) * 1000
    assert token not in repr(session)


def test_nobody_signs_without_keys() -> None:
    venue = LighterExchange(read_only=True)
    assert venue.make_session(NOW_MS) is None
    body = {"tx_type": 15, "fields": {}}
    with pytest.raises(MissingCredentials):
        venue.sign(Request("POST", "/", json=body, command=True, nonce=1), 0)


def test_two_keys_in_one_place_of_the_librarys_table_are_told_apart() -> None:
    """The table is by API key and account; mainnet and testnet may have the same numbers."""
    first, second = opened(), opened(private_key="11" * 40)
    for venue, secret in ((first, SECRET), (second, "11" * 40), (first, SECRET)):
        session = venue.make_session(NOW_MS)
        assert session is not None
        message, _, proof = session.headers["authorization"].rpartition(":")
        padded = message.encode().ljust(-(-len(message) // 8) * 8, b"\0")
        words = [int.from_bytes(padded[i : i + 8], "little") for i in range(0, len(padded), 8)]
        hashed = to_bytes(digest(words))
        assert verify(public_key(secret), hashed, bytes.fromhex(proof))
    del first, second, venue
    gc.collect()


def test_the_signer_says_why_it_refuses() -> None:
    signer = LighterSigner(SECRET, account_index=12345, api_key_index=5, chain_id=304)
    with pytest.raises(BadOrder, match="refuses") as caught:
        signer.sign(15, {"MarketIndex": 0, "Index": 0}, 1)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(signer)


def test_the_library_is_loaded_without_its_package() -> None:
    code = (
        "import sys; from wrappers.lighter import LighterExchange as L; "
        f"L(**{KEYS!r}).make_session({NOW_MS}); "
        "print(sorted(n for n in sys.modules if n.partition('.')[0] in "
        "('lighter', 'aiohttp', 'pydantic', 'eth_account', 'asyncio')))"
    )
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    lighter_signer._load.cache_clear()
    try:
        monkeypatch.setattr(lighter_signer, "find_spec", lambda _: None)
        with pytest.raises(MissingDependency, match=r"pip install 'mpdex\[lighter\]'"):
            opened()
        monkeypatch.setattr("platform.machine", lambda: "riscv64")
        with pytest.raises(MissingDependency, match="riscv64"):
            opened()
    finally:
        lighter_signer._load.cache_clear()


def test_a_library_that_cannot_be_loaded_names_musl(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "signer.so"
    broken.write_bytes(b"no library")
    lighter_signer._load.cache_clear()
    try:
        monkeypatch.setattr(lighter_signer, "_path", lambda: broken)
        with pytest.raises(MissingDependency, match="musl"):
            opened()
    finally:
        lighter_signer._load.cache_clear()


def test_nonces_are_counted_per_key_and_deployment(venue: LighterExchange) -> None:
    assert venue.make_nonces() is opened().make_nonces()
    assert venue.make_nonces() is not opened(api_key_index="6").make_nonces()
    elsewhere = opened(endpoints={"rest": "https://testnet.zklighter.elliot.ai"})
    assert venue.make_nonces() is not elsewhere.make_nonces()


def test_a_late_request_is_bounded_by_the_signers_own_deadline() -> None:
    assert LighterExchange.SPEC.request_bound_ms == LIFE_MS == 599_000


# --------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (21104, NonceRefused),
        (21105, NonceRefused),
        (21120, AuthError),
        (21109, AuthError),
        (21111, MarketUnavailable),
        (21739, InsufficientMargin),
        (21301, InsufficientMargin),
        (21706, PrecisionRefused),
        (21733, PriceOutOfBand),
        (21734, PriceOutOfBand),
        (21732, ReduceOnlyRefused),
        (21740, ReduceOnlyRefused),
        (21728, DuplicateClientId),
        (21700, OrderNotFound),
        (21600, OrderNotFound),
        (21718, LimitReached),
        (21506, LimitReached),
        (21602, SymbolRefused),
        (21605, MarketUnavailable),
        (21711, OrderRejected),
        (21999, OrderRejected),
        (20001, OrderRejected),
        (23000, RateLimited),
        (30010, RateLimited),
    ],
)
def test_codes(venue: LighterExchange, market: Market, code: int, kind: type[Exception]) -> None:
    place = venue.encode_order(order(), market, 0)
    for status in (200, 400):
        error = venue.decode_error(status, {"code": code, "message": "as it is"}, place)
        assert type(error) is kind
        assert isinstance(error, VenueError)
        assert error.code == str(code)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("invalid nonce", NonceRefused),
        ("invalid signature", AuthError),
        ("Too Many Requests!", RateLimited),
        ("not enough margin to create the order", InsufficientMargin),
        ("something new", OrderRejected),
    ],
)
def test_errors_whose_code_says_nothing(
    venue: LighterExchange, market: Market, message: str, kind: type[Exception]
) -> None:
    place = venue.encode_order(order(), market, 0)
    assert type(venue.decode_error(400, {"code": 400, "message": message}, place)) is kind


def test_an_internal_error_leaves_a_command_open(venue: LighterExchange, market: Market) -> None:
    answer = {"code": 29500, "message": "internal"}
    place = venue.encode_order(order(), market, 0)
    assert type(venue.decode_error(400, answer, place)) is OutcomeUnknown
    assert type(venue.decode_error(400, answer, READ)) is TransportError


def test_a_refused_token_ends_the_session(venue: LighterExchange) -> None:
    error = venue.decode_error(400, {"code": 20013, "message": "invalid auth: expired"}, READ)
    assert type(error) is SessionEnded
    unknown = venue.decode_error(400, {"code": 20001, "message": "invalid param"}, READ)
    assert type(unknown) is VenueError


@pytest.mark.parametrize(
    ("word", "filled", "status", "kind"),
    [
        ("in-progress", "0", OrderStatus.PENDING, None),
        ("open", "0.1", OrderStatus.OPEN, None),
        ("filled", "0.5", OrderStatus.FILLED, None),
        ("canceled", "0", OrderStatus.CANCELED, None),
        ("canceled-expired", "0", OrderStatus.EXPIRED, None),
        ("canceled-post-only", "0", OrderStatus.REJECTED, PostOnlyWouldCross),
        ("canceled-reduce-only", "0", OrderStatus.REJECTED, ReduceOnlyRefused),
        ("canceled-margin-not-allowed", "0", OrderStatus.REJECTED, InsufficientMargin),
        ("canceled-margin-not-allowed", "0.1", OrderStatus.CANCELED, InsufficientMargin),
        ("canceled-position-not-allowed", "0", OrderStatus.REJECTED, LimitReached),
        ("canceled-invalid-balance", "0", OrderStatus.REJECTED, InsufficientMargin),
        ("canceled-not-enough-liquidity", "0", OrderStatus.CANCELED, NoImmediateMatch),
        ("canceled-too-much-slippage", "0", OrderStatus.CANCELED, PriceOutOfBand),
        ("canceled-self-trade", "0", OrderStatus.CANCELED, None),
        ("canceled-by-something-new", "0", OrderStatus.CANCELED, None),
    ],
)
def test_how_an_order_ends(
    venue: LighterExchange, word: str, filled: str, status: OrderStatus, kind: type[Exception]
) -> None:
    ended = venue.decode_order(_order(status=word, filled_base_amount=filled))
    assert ended["status"] is status
    assert venue.decode_reason(ended["reason"]) is kind


def test_a_word_that_matters_and_is_not_known_raises(venue: LighterExchange) -> None:
    for changes in ({"status": "pondering"}, {"time_in_force": "for-ever"}):
        with pytest.raises(ProtocolError):
            venue.decode_order(_order(**changes))


def _order(**changes: Any) -> dict[str, Any]:
    entry = {
        "order_index": ORDER_INDEX,
        "client_order_index": 7,
        "market_index": 0,
        "initial_base_amount": "0.5",
        "price": "3000.00",
        "is_ask": False,
        "filled_base_amount": "0",
        "filled_quote_amount": "0",
        "type": "limit",
        "time_in_force": "good-till-time",
        "reduce_only": False,
        "status": "open",
        "timestamp": NOW_MS,
    }
    return {**entry, **changes}


# --------------------------------------------------------------------------- sockets


class Streamed:
    """A venue that says what a test wants, and the client of its account socket."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.peers: list[Peer] = []
        self.events: list[Event] = []
        self.answer: Callable[[dict[str, Any]], Json] = lambda message: None
        self.stream: LighterAccountClient

    async def __call__(self, peer: Peer) -> None:
        self.peers.append(peer)
        peer.send('{"session_id":"1","type":"connected"}')
        while True:
            message = json.loads(await peer.text())
            self.heard.append(message)
            answer = self.answer(message)
            if answer is not None:
                peer.send(json.dumps(answer))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.heard if message["type"] == kind]

    async def said(self, message: Json) -> None:
        """Said by the venue, and heard."""
        self.peers[-1].send(json.dumps(message))
        await asyncio.sleep(0.1)

    async def ordered(self, venue: LighterExchange, count: int) -> list[asyncio.Future[Json]]:
        calls = [self.stream.call(placed(venue)) for _ in range(count)]
        await until(lambda: len(self.of("jsonapi/sendtx")) >= count)
        return calls


@asynccontextmanager
async def streamed(kind: type[LighterWSClient] = LighterAccountClient) -> AsyncIterator[Streamed]:
    double = Streamed()
    clock = LoopClock(asyncio.get_running_loop(), 0)
    venue = opened()

    async def login() -> Session:
        session = venue.make_session(clock.now_ms())
        assert session is not None
        return session

    markets = MarketList("lighter", venue.wire_name)
    markets.replace([venue._markets["ETH"], venue._markets["ETH/USDC"]])
    async with Server(double) as server:
        double.stream = kind(
            url=server.url,
            rng=random.Random(7),
            clock=clock,
            keys=KEYS,
            markets=markets,
            session=SessionKeeper(login, clock=clock) if kind.PRIVATE else None,
        )  # type: ignore[assignment]
        double.stream.listeners.append(double.events.append)
        await double.stream.connect()
        try:
            yield double
        finally:
            await double.stream.close()


def confirming(message: dict[str, Any]) -> Json:
    if message["type"] == "ping":
        return {"type": "pong"}
    if message["type"] != "subscribe":
        return None
    name, _, rest = message["channel"].partition("/")
    return {"type": f"subscribed/{name}", "channel": f"{name}:{rest}", **EMPTY}


EMPTY: dict[str, Json] = {"orders": {}, "trades": [], "positions": {}}


@virtually
async def test_private_channels_carry_a_token() -> None:
    async with streamed() as double:
        double.answer = confirming
        for channel in ("orders", "fills", "positions"):
            await double.stream.subscribe(Topic(channel))
        frames = double.of("subscribe")
        assert [frame["channel"] for frame in frames] == [
            "account_all_orders/12345",
            "account_all_trades/12345",
            "account_all_positions/12345",
        ]
        assert all(frame["auth"].startswith("28740:12345:5:") for frame in frames)
        assert "authorization" not in double.peers[0].headers
        await double.stream.unsubscribe(Topic("fills"))
        await until(lambda: double.of("unsubscribe"))
        assert double.of("unsubscribe") == [
            {"type": "unsubscribe", "channel": "account_all_trades/12345"}
        ]


@virtually
async def test_the_connection_is_made_anew_before_its_token_is_over() -> None:
    async with streamed() as double:
        double.answer = confirming
        await double.stream.subscribe(Topic("orders"))
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(7.9 * 3600)
        assert len(double.peers) == 1
        await until(lambda: len(double.peers) == 2, seconds=3600)
        assert asyncio.get_running_loop().time() - began < 8 * 3600 - 60
        await until(lambda: double.stream.state is State.OPEN)
        tokens = [frame["auth"] for frame in double.of("subscribe")]
        assert len(set(tokens)) == len(tokens) == 2


@virtually
async def test_a_token_that_the_venue_refuses_is_replaced() -> None:
    refusal: Json = {"error": {"code": 20013, "message": "invalid auth token"}}

    async with streamed() as double:
        double.answer = lambda m: refusal if len(double.peers) == 1 else confirming(m)
        with pytest.raises(SessionEnded):
            await double.stream.subscribe(Topic("orders"))
        await until(lambda: len(double.peers) == 2)
        await until(lambda: double.stream.state is State.OPEN)
        await double.stream.subscribe(Topic("orders"))


@virtually
async def test_market_channels_are_named_by_number() -> None:
    async with streamed(LighterWSClient) as double:
        double.answer = lambda m: {"type": "error", "code": 30005, "message": "Invalid Channel:"}
        for topic, channel in (
            (Topic("book", "ETH"), "order_book/0"),
            (Topic("bbo", "ETH/USDC"), "ticker/2048"),
            (Topic("mark", "ETH"), "market_stats/0"),
            (Topic("mark", "ETH/USDC"), "spot_market_stats/2048"),
        ):
            with pytest.raises(VenueError, match="Invalid Channel"):
                await double.stream.subscribe(topic)
            assert double.heard[-1] == {"type": "subscribe", "channel": channel}


@virtually
async def test_both_keep_alive_rules_are_kept() -> None:
    async with streamed() as double:
        double.answer = lambda m: {"type": "pong"} if m["type"] == "ping" else None
        await asyncio.sleep(125)
        assert len(double.of("ping")) == 4, "two minutes without a frame of ours end it"
        await double.said({"type": "ping"})
        await until(lambda: double.of("pong"))
        assert len(double.peers) == 1


@virtually
async def test_an_announced_shutdown_is_a_drop() -> None:
    async with streamed() as double:
        await double.said({"type": "shutdown", "close_in_ms": 30_000})
        await until(lambda: len(double.peers) == 2)
        await until(lambda: double.stream.state is State.OPEN)
        kinds = [type(event) for event in double.events]
        assert kinds == [StreamUp, StreamDown, StreamUp]


@virtually
async def test_answers_find_their_orders() -> None:
    async with streamed() as double:
        venue = opened()
        first, second = await double.ordered(venue, 2)
        ids = [frame["data"]["id"] for frame in double.of("jsonapi/sendtx")]
        for id, code in ((ids[1], 21104), (ids[0], 200)):
            await double.said({"type": "jsonapi/sendtx", "id": id, "code": code, "tx_hash": "a"})
        assert (await first)["code"] == 200
        assert (await second)["code"] == 21104


REFUSED = (
    {"type": "jsonapi/sendtx", "code": 21149, "message": "integrator is not approved"},
    {"type": "error", "code": 21727, "message": "invalid client order index"},
    {"error": {"code": 21702, "message": "invalid price"}},
)


@pytest.mark.parametrize("refusal", REFUSED)
def test_the_one_order_that_waits_is_the_one_refused(refusal: dict[str, Any]) -> None:
    @virtually
    async def play() -> None:
        async with streamed() as double:
            (call,) = await double.ordered(opened(), 1)
            await double.said(refusal)
            body = await call
            assert body["code"] == (refusal.get("code") or refusal["error"]["code"])

    play()


@virtually
async def test_a_refusal_without_a_name_waits_until_it_is_certain() -> None:
    """Whichever of two was refused: it is known once the other has its answer."""
    async with streamed() as double:
        first, second = await double.ordered(opened(), 2)
        await double.said(REFUSED[1])
        assert not first.done()
        assert not second.done()
        early, _ = [frame["data"]["id"] for frame in double.of("jsonapi/sendtx")]
        await double.said({"type": "jsonapi/sendtx", "id": early, "code": 200, "tx_hash": "a"})
        assert (await first)["code"] == 200
        assert (await second)["code"] == 21727


@virtually
async def test_as_many_refusals_as_orders_settle_all() -> None:
    async with streamed() as double:
        calls = await double.ordered(opened(), 2)
        for refusal in REFUSED[1:]:
            await double.said(refusal)
        assert {(await call)["code"] for call in calls} == {21727, 21702}


@virtually
async def test_a_late_refusal_is_not_taken_for_that_of_a_later_order() -> None:
    """One order was given up without an answer: whose the refusal is, nobody knows."""
    async with streamed() as double:
        (given_up,) = await double.ordered(opened(), 1)
        await asyncio.sleep(11)
        with pytest.raises(OutcomeUnknown):
            await given_up
        later = double.stream.call(placed(opened()))
        await until(lambda: len(double.of("jsonapi/sendtx")) == 2)
        began = asyncio.get_running_loop().time()
        await double.said(REFUSED[1])
        with pytest.raises(OutcomeUnknown):
            await later
        assert asyncio.get_running_loop().time() - began < 2, "it takes no longer than an answer"
        await until(lambda: len(double.peers) == 2)
        await until(lambda: double.stream.state is State.OPEN)
        (call,) = await double.ordered(opened(), 1)
        await double.said(REFUSED[1])
        assert (await call)["code"] == 21727


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "update/account_all_orbers", "channel": "account_all_orders:12345"},
        {"type": "jsonapi/sendty", "code": 200},
        {"type": "error", "message": "no code"},
        {"hello": 1},
    ],
)
def test_a_frame_of_no_known_kind_is_set_aside(frame: Json) -> None:
    """What is damaged may have been a fill: it is not to be taken for something unimportant."""
    with pytest.raises(ProtocolError):
        list(LighterAccountClient(keys=KEYS).decode(json.dumps(frame).encode()))


@virtually
async def test_trades_of_a_snapshot_are_no_news() -> None:
    async with streamed() as double:
        double.answer = lambda m: {**confirming(m), "trades": {"0": [_trade()]}}
        await double.stream.subscribe(Topic("fills"))
        kinds = {type(event).__name__ for event in double.events}
        assert kinds == {"StreamUp", "Subscribed"}

"""Every recorded payload of Hyperliquid through the wrapper's decoders, with what must come out.

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

from mpdex.errors import (
    AuthError,
    InsufficientMargin,
    LimitReached,
    MpdexError,
    NoImmediateMatch,
    NonceRefused,
    OrderNotFound,
    OrderRejected,
    PrecisionRefused,
    PriceOutOfBand,
    VenueError,
)
from mpdex.types import (
    BboUpdate,
    BookUpdate,
    CancelRequest,
    Event,
    FillUpdate,
    Market,
    MarkUpdate,
    Order,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Reply,
    Request,
    Subscribed,
    TimeInForce,
)
from mpdex.utils.common_hyperliquid import decode_order, decode_perps, decode_positions
from mpdex.utils.hyperliquid_frames import HyperliquidFrames
from mpdex.utils.rest import Answer
from wrappers.hyperliquid import HyperliquidExchange
from wrappers.hyperliquid_ws_client import HyperliquidMarketClient, HyperliquidWSClient

D = Decimal
VENUE = HyperliquidExchange(read_only=True, account_address="0x" + 40 * "a")
PLACE = Request("POST", "/exchange", json={"type": "order"}, command=True, call="post")
WANTED = OrderRequest(
    symbol="BTC", side="buy", size=D("0.02"), price=D(2000), client_id="0x" + 32 * "1"
)

# Streams and answers that nothing here asks for.
UNREAD_FRAMES = (
    "ws_active_asset_data",
    "ws_all_dexs_asset_ctxs_full",
    "ws_all_dexs_asset_ctxs_no_book",
    "ws_all_dexs_asset_ctxs_trimmed",
    "ws_all_mids",
    "ws_all_mids_hip3_dex",
    "ws_candle",
    "ws_clearinghouse_state",
    "ws_clearinghouse_state_hip3_dex_empty",
    "ws_client_ping",
    "ws_notification",
    "ws_notification_roq",
    "ws_open_orders_hip3_dex",
    "ws_pong",
    "ws_spot_state",
    "ws_trades",
    "ws_trades_roq",
    "ws_trades_zero_hash",
    "ws_twap_states",
    "ws_user_event_fill_liquidation",
    "ws_user_event_fills",
    "ws_user_event_fills_roq",
    "ws_user_event_funding",
    "ws_user_event_funding_roq",
    "ws_user_event_liquidation",
    "ws_user_event_non_user_cancel",
    "ws_user_event_twap_slice_fills",
    "ws_user_fundings_snapshot",
    "ws_user_fundings_snapshot_roq",
    "ws_user_non_funding_ledger_updates",
    "ws_user_twap_history",
    "ws_web_data3_user",
    "ws_web_data3_vault",
)
UNREAD_ANSWERS = (
    "http_all_mids",
    "http_approved_builders",
    "http_candle_snapshot",
    "http_exchange_twap_cancel_success",
    "http_exchange_twap_running",
    "http_extra_agents",
    "http_funding_history",
    "http_funding_history_hip3",
    "http_perp_dex_status",
    "http_perps_at_open_interest_cap",
    "http_portfolio",
    "http_sub_accounts",
    "http_sub_accounts_docs",
    "http_token_details",
    "http_user_dex_abstraction",
    "http_user_funding",
    "http_user_funding_2025",
    "http_user_non_funding_ledger_updates",
    "http_user_vault_equities",
)


class Recorded:
    """The folder of recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str) -> Any:
        text = (self.folder / f"{name}.json").read_text()
        return json.loads(text, parse_float=Decimal)

    def frame(self, name: str) -> bytes:
        """As it came over the wire; a bare data member is put back into its frame."""
        message = msgspec.json.decode((self.folder / f"{name}.json").read_bytes())
        if name.endswith("__data_part"):
            message = {"channel": "l2Book", "data": message}
        return msgspec.json.encode(message)


@pytest.fixture(scope="module")
def recorded(shared: Path) -> Recorded:
    return Recorded(shared / "recorded" / "hyperliquid")


@pytest.fixture
def stream() -> HyperliquidWSClient:
    return HyperliquidWSClient(keys={"account_address": VENUE.read_address})


def events(stream: HyperliquidFrames, frame: bytes) -> list[Event]:
    return list(stream.decode(frame))


def perps(meta: Any, **options: Any) -> dict[str, Market]:
    tokens = {0: "USDC", 235: "USDE", 360: "USDH"}
    return {m["symbol"]: m for m in decode_perps(meta, lambda name, _: name, tokens, **options)}


def test_every_recording_has_a_check(recorded: Recorded) -> None:
    here = Path(__file__).read_text()
    names = [path.stem for path in recorded.folder.glob("*.json")]
    assert len(names) >= 120
    assert [name for name in names if f'"{name}"' not in here] == []


# --------------------------------------------------------------------------- markets


@pytest.mark.parametrize(
    ("name", "count", "symbol", "asset", "step", "tick"),
    [
        ("http_meta_first_six", 6, "BTC", 0, "0.00001", "0.1"),
        ("http_meta_2023", None, "BTC", 0, "0.00001", "0.1"),
        ("http_meta_full_testnet", None, "SOL", 0, "0.01", "0.0001"),
    ],
)
def test_perpetuals(
    recorded: Recorded,
    name: str,
    count: int | None,
    symbol: str,
    asset: int,
    step: str,
    tick: str,
) -> None:
    meta = recorded(name)
    markets = perps(meta)
    assert len(markets) == (count or len(meta["universe"]))
    market = markets[symbol]
    assert market["raw"]["asset"] == asset
    assert (market["step"], market["tick"], market["kind"]) == (D(step), D(tick), "perp")
    assert (market["quote"], market["significant_figures"]) == ("USDC", 5)


def test_delisted_markets_count(recorded: Recorded) -> None:
    meta = recorded("http_meta_full_testnet")
    markets = perps(meta)
    delisted = [entry["name"] for entry in meta["universe"] if entry.get("isDelisted")]
    assert delisted
    assert not any(markets[name]["active"] for name in delisted)
    places = {entry["name"]: place for place, entry in enumerate(meta["universe"])}
    assert {name: market["raw"]["asset"] for name, market in markets.items()} == places


def test_builders_dexs(recorded: Recorded) -> None:
    meta, contexts = recorded("http_meta_and_asset_ctxs_hip3_trimmed")
    markets = perps(meta, dex="xyz", position=1)
    tesla = markets["xyz:TSLA"]
    assert (tesla["coin"], tesla["raw"]["asset"], tesla["raw"]["dex"]) == ("TSLA", 110_001, "xyz")
    assert VENUE.decode_mark([meta, contexts], tesla) == D(contexts[1]["markPx"])
    for place, meta in enumerate(recorded("http_all_perp_metas_trimmed")):
        [market] = perps(meta, position=place).values()
        quotes = ("USDC", "USDH", "USDE")
        assert (market["quote"], market["raw"]["asset"]) == (
            quotes[place],
            (0, 110_000, 120_000)[place],
        )


@pytest.mark.parametrize("name", ["http_perp_dexs", "http_perp_dexs_full_testnet"])
def test_lists_of_dexs(recorded: Recorded, name: str) -> None:
    listed = recorded(name)
    place, dex = next((p, d) for p, d in reversed(list(enumerate(listed))) if d is not None)
    venue = HyperliquidExchange(read_only=True, dexs=(dex["name"],))
    meta = {"universe": [{"szDecimals": 2, "name": f"{dex['name']}:X", "maxLeverage": 3}]}
    spot = recorded("http_spot_meta_trimmed")
    answers = [{"universe": []}, spot, listed, meta]
    *_, market = venue.decode_markets(answers)
    assert market["raw"]["asset"] == 100_000 + 10_000 * place


def test_spot_markets(recorded: Recorded) -> None:
    meta, contexts = recorded("http_spot_meta_and_asset_ctxs_trimmed")
    for spot in (recorded("http_spot_meta_trimmed"), meta):
        [market] = VENUE.decode_markets([{"universe": []}, spot])
        assert (market["symbol"], market["kind"]) == ("PURR/USDC", "spot")
        assert (market["step"], market["tick"]) == (D(1), D("0.00000001"))
        assert market["raw"]["asset"] == 10_000
    assert VENUE.decode_mark([meta, contexts], market) == D("0.22695")


def test_marks_and_funding(recorded: Recorded) -> None:
    answer = recorded("http_meta_and_asset_ctxs_trimmed")
    state = recorded("http_clearinghouse_state_empty")
    for place, market in enumerate(perps(answer[0]).values()):
        if place < len(answer[1]):
            told = VENUE.decode_funding_rate([answer, state], market)
            assert VENUE.decode_mark(answer, market) == D(answer[1][place]["markPx"])
            assert told["rate"] == D(answer[1][place]["funding"])
            assert told["interval_hours"] == 1
            assert told["next_funding_ms"] == 1769756400000
    assert VENUE.decode_server_time(state) == 1769754306819


@pytest.mark.parametrize("name", ["http_l2_book", "http_l2_book_five_levels", "http_l2_book_spot"])
def test_books(recorded: Recorded, name: str) -> None:
    answer = recorded(name)
    [market] = perps({"universe": [entry("BTC")]}).values()
    book = VENUE.decode_book(answer, market)
    bids, asks = list(book.bids), list(book.asks)
    assert book.snapshot
    assert book.last == book.timestamp_ms == answer["time"]
    assert D(bids[0][0]) < D(asks[0][0])
    assert bids == sorted(bids, key=lambda level: -D(level[0]))
    assert asks == sorted(asks, key=lambda level: D(level[0]))
    assert len(bids) == len(answer["levels"][0])


# --------------------------------------------------------------------------- answers to orders


@pytest.mark.parametrize(
    ("name", "order_id", "status", "filled", "average"),
    [
        ("http_exchange_order_resting", "77738308", OrderStatus.OPEN, "0", None),
        ("http_exchange_order_resting_cloid", None, OrderStatus.OPEN, "0", None),
        ("http_exchange_order_filled", "77747314", OrderStatus.FILLED, "0.02", "1891.4"),
    ],
)
def test_answers_to_an_order(
    recorded: Recorded,
    name: str,
    order_id: str | None,
    status: OrderStatus,
    filled: str,
    average: str | None,
) -> None:
    answer = recorded(name)
    assert VENUE.decode_error(200, answer, PLACE) is None
    order = VENUE.decode_placement(answer, WANTED)
    assert (order["status"], order["filled"]) == (status, D(filled))
    assert order["average_price"] == (None if average is None else D(average))
    assert order["id"] == order_id or (order_id is None and order["id"].isdecimal())
    assert order["client_order_id"] == WANTED.client_id


def test_an_order_that_filled_in_part(recorded: Recorded) -> None:
    answer = recorded("http_exchange_order_filled_cloid")
    told = answer["response"]["data"]["statuses"][0]["filled"]
    size = D(told["totalSz"])
    for force, status in (
        (TimeInForce.IOC, OrderStatus.CANCELED),
        (TimeInForce.GTC, OrderStatus.OPEN),
    ):
        more = OrderRequest(
            symbol="SOL", side="buy", size=size * 2, price=D(80), time_in_force=force
        )
        order = VENUE.decode_placement(answer, more)
        assert (order["status"], order["filled"]) == (status, size)


REFUSED: dict[str, type[MpdexError]] = {
    "http_exchange_cancel_error_already_gone": OrderNotFound,
    "http_exchange_cancel_error_docs": OrderNotFound,
    "http_exchange_err_duplicate_nonce": NonceRefused,
    "http_exchange_err_unable_to_recover_signer": AuthError,
    "http_exchange_err_unknown_wallet": AuthError,
    "http_exchange_modify_err": OrderRejected,
    "http_exchange_order_err_general": AuthError,
    "http_exchange_order_error_ioc_no_match": NoImmediateMatch,
    "http_exchange_order_error_margin": InsufficientMargin,
    "http_exchange_order_error_min_value": PrecisionRefused,
    "http_exchange_order_error_price": PriceOutOfBand,
    "http_exchange_order_error_size": PrecisionRefused,
    "http_exchange_twap_cancel_error": OrderRejected,
    "http_exchange_twap_error": OrderRejected,
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(recorded: Recorded, name: str) -> None:
    error = VENUE.decode_error(200, recorded(name), PLACE)
    assert type(error) is REFUSED[name]
    assert isinstance(error, VenueError)
    assert error.code
    assert "asset=" not in error.detail
    assert error.raw == recorded(name)


def test_cancels_that_succeed(recorded: Recorded) -> None:
    answer = recorded("http_exchange_cancel_success")
    for one in (answer, recorded("http_exchange_cancel_success_docs")):
        assert VENUE.decode_error(200, one, PLACE) is None
        assert VENUE.decode_cancel(one) is None


@pytest.mark.parametrize("name", UNREAD_ANSWERS)
def test_an_answer_never_asked_for_is_no_refusal(recorded: Recorded, name: str) -> None:
    assert VENUE.decode_error(200, recorded(name), PLACE) is None


# --------------------------------------------------------------------------- orders and fills


def test_open_orders(recorded: Recorded) -> None:
    names = ("http_frontend_open_orders", "http_frontend_open_orders_spot", "http_open_orders")
    names += ("http_open_orders_cloid",)
    for name in names:
        pages = [recorded(name)]
        if "origSz" not in pages[0][0]:
            pages = [[{**entry, "origSz": entry["sz"]} for entry in pages[0]]]  # of 2023
        orders = VENUE.decode_orders(pages)
        assert len(orders) == len(pages[0]) > 0
        assert {order["status"] for order in orders} == {OrderStatus.OPEN}
    assert orders[0]["client_order_id"] == "0x00030050c829f0770000010000000073"
    assert (orders[0]["side"], orders[1]["side"]) == ("buy", "sell")
    assert (orders[0]["price"], orders[0]["size"], orders[0]["filled"]) == (D(1500), D(1), D(0))


def test_an_order_of_the_history(recorded: Recorded) -> None:
    entries = recorded("http_historical_orders")
    found = [
        VENUE.decode_order_query(
            {"status": "order", "order": entry},
            CancelRequest(symbol="TON", order_id=str(entry["order"]["oid"])),
        )
        for entry in entries
    ]
    assert len(found) == len(entries)
    first = found[0]
    assert first is not None
    assert (first["status"], first["reason"]) == (OrderStatus.CANCELED, "iocCancelRejected")
    assert (first["time_in_force"], first["post_only"]) == (TimeInForce.IOC, False)
    assert any(order["post_only"] for order in found if order is not None)
    unknown = recorded("http_order_status_unknown_oid")
    assert VENUE.decode_order_query(unknown, CancelRequest(symbol="TON", order_id="1")) is None


def test_fills(recorded: Recorded) -> None:
    page = VENUE.decode_fills(recorded("http_user_fills"), None)
    assert page.cursor is None
    first, second = page.fills[:2]
    assert (first["symbol"], first["side"], first["liquidity"]) == ("xyz:SILVER", "sell", "taker")
    assert (first["price"], first["size"], first["fee"]) == (D("80.601"), D("0.6"), D("0.004178"))
    assert second["liquidity"] == "maker"
    assert (first["id"], first["order_id"]) == ("1031003079291799", "308800014194")
    dust = VENUE.decode_fills(recorded("http_user_fills_dust_conversion"), None).fills
    assert len({(fill["id"], fill["order_id"]) for fill in dust}) == len(dust)


# --------------------------------------------------------------------------- account


@pytest.mark.parametrize(
    "name",
    [
        "http_clearinghouse_state",
        "http_clearinghouse_state_2023",
        "http_clearinghouse_state_cross_long",
        "http_clearinghouse_state_empty",
        "http_clearinghouse_state_isolated",
        "http_clearinghouse_state_isolated_docs",
    ],
)
def test_positions_and_margin(recorded: Recorded, name: str) -> None:
    state = recorded(name)
    positions = VENUE.decode_positions([state])
    sizes = [D(entry["position"]["szi"]) for entry in state["assetPositions"]]
    assert [p["size"] for p in positions] == [abs(size) for size in sizes if size]
    assert [p["side"] == "long" for p in positions] == [size > 0 for size in sizes if size]
    for position in positions:
        assert position["mark_price"] is not None
        value = D(position["raw"]["positionValue"])
        assert abs(position["mark_price"] * position["size"] - value) < D("1e-15")
    told = VENUE.decode_collateral(["disabled", state, {"balances": []}])
    assert told["total"] == D(state["marginSummary"]["accountValue"])
    assert told["available"] == D(state["withdrawable"])


def test_a_position_by_its_words(recorded: Recorded) -> None:
    [position] = decode_positions(recorded("http_clearinghouse_state"), str)
    assert (position["symbol"], position["side"], position["size"]) == (
        "BTC",
        "long",
        D("0.00061"),
    )
    assert (position["entry_price"], position["leverage"]) == (D("82771.8"), D(20))
    assert (position["liquidation_price"], position["unrealized_pnl"]) == (None, D("-2.82848"))


def test_a_state_without_its_summary_is_not_guessed(recorded: Recorded) -> None:
    state = recorded("http_clearinghouse_state_negative_raw_usd")
    assert VENUE.decode_positions([state]) == []
    with pytest.raises(MpdexError, match="marginSummary"):
        VENUE.decode_collateral(["disabled", state, {"balances": []}])


def test_a_unified_account_is_its_spot_balance(recorded: Recorded) -> None:
    perp = recorded("http_clearinghouse_state_empty")
    spot = recorded("http_spot_clearinghouse_state")
    told = VENUE.decode_collateral(["unifiedAccount", perp, spot])
    assert (told["total"], told["available"]) == (D("0.09515412"), D("0.09515412"))
    empty = recorded("http_spot_clearinghouse_state_empty")
    assert VENUE.decode_collateral(["portfolioMargin", perp, empty])["total"] == 0
    hype = recorded("http_spot_clearinghouse_state_hype")
    assert VENUE.decode_balances(hype) == {"USDC": D("2.77363"), "HYPE": D("0.00959057")}


@pytest.mark.parametrize(
    ("name", "coin", "leverage"),
    [("http_active_asset_data", "APT", 3), ("http_active_asset_data_hip3", None, None)],
)
def test_leverage(recorded: Recorded, name: str, coin: str | None, leverage: int | None) -> None:
    answer = recorded(name)
    entry = {"name": answer["coin"], "szDecimals": 2, "maxLeverage": 10}
    [market] = perps({"universe": [entry]}).values()
    info = VENUE.decode_leverage_info(answer, market)
    assert info["symbol"] == (coin or answer["coin"])
    assert info["leverage"] == (leverage or answer["leverage"]["value"])
    assert info["margin_mode"] == answer["leverage"]["type"]
    assert info["max_leverage"] == 10


def test_quota(recorded: Recorded) -> None:
    answer = recorded("http_user_rate_limit")
    left = answer["nRequestsCap"] - answer["nRequestsUsed"]
    assert VENUE.decode_requests_left(answer) == left > 0


@pytest.mark.parametrize(
    "name", ["http_user_role", "http_user_role_sub_account", "http_user_role_vault"]
)
def test_addresses_with_an_account(recorded: Recorded, name: str) -> None:
    VENUE.check_role(answered(recorded, name), VENUE.read_address)


@pytest.mark.parametrize("name", ["http_user_role_agent", "http_user_role_missing"])
def test_addresses_without_one(recorded: Recorded, name: str) -> None:
    with pytest.raises(AuthError) as caught:
        VENUE.check_role(answered(recorded, name), VENUE.read_address)
    told = recorded(name)
    assert caught.value.code == told["role"]
    if told["role"] == "agent":
        assert told["data"]["user"] in str(caught.value)


def answered(recorded: Recorded, name: str) -> Answer:
    return Answer(200, {}, (recorded.folder / f"{name}.json").read_bytes())


# --------------------------------------------------------------------------- streams


@pytest.mark.parametrize(
    "name",
    [
        "ws_l2_book_full",
        "ws_l2_book_trimmed",
        "ws_l2_book_fast__data_part",
        "ws_l2_book_aggregated__data_part",
    ],
)
def test_book_frames(recorded: Recorded, name: str) -> None:
    frame = recorded.frame(name)
    data = msgspec.json.decode(frame)["data"]
    [book] = events(HyperliquidMarketClient(), frame)
    assert isinstance(book, BookUpdate)
    assert (book.symbol, book.last, book.snapshot) == (data["coin"], data["time"], True)
    assert list(book.bids) == [(level["px"], level["sz"]) for level in data["levels"][0]]
    assert list(book.asks) == [(level["px"], level["sz"]) for level in data["levels"][1]]


@pytest.mark.parametrize(
    ("name", "bid"), [("ws_bbo", "85811.0"), ("ws_bbo_no_bid", ""), ("ws_bbo_roq", None)]
)
def test_quote_frames(recorded: Recorded, name: str, bid: str | None) -> None:
    frame = recorded.frame(name)
    [quote] = events(HyperliquidMarketClient(), frame)
    assert isinstance(quote, BboUpdate)
    data = msgspec.json.decode(frame)["data"]
    assert quote.bid == (data["bbo"][0]["px"] if bid is None else bid)
    assert (quote.ask, quote.ask_size) == (data["bbo"][1]["px"], data["bbo"][1]["sz"])
    assert quote.timestamp_ms == data["time"]


@pytest.mark.parametrize(
    "name",
    [
        "ws_active_asset_ctx",
        "ws_active_asset_ctx_2",
        "ws_active_asset_ctx_roq",
        "ws_active_spot_asset_ctx",
    ],
)
def test_mark_frames(recorded: Recorded, name: str) -> None:
    frame = recorded.frame(name)
    data = msgspec.json.decode(frame)["data"]
    [mark] = events(HyperliquidMarketClient(), frame)
    assert isinstance(mark, MarkUpdate)
    assert (mark.symbol, mark.mark_price) == (data["coin"], D(data["ctx"]["markPx"]))
    assert (mark.index_price is None) == ("oraclePx" not in data["ctx"])


@pytest.mark.parametrize(
    ("name", "statuses", "reason"),
    [
        ("ws_order_updates_open", [OrderStatus.OPEN], ""),
        ("ws_order_updates_canceled", [OrderStatus.CANCELED], ""),
        ("ws_order_updates_open_then_filled", [OrderStatus.OPEN, OrderStatus.FILLED], ""),
        (
            "ws_order_updates_open_filled_canceled",
            [OrderStatus.OPEN, OrderStatus.FILLED, OrderStatus.CANCELED],
            "",
        ),
        (
            "ws_order_updates_min_trade_ntl_rejected",
            [OrderStatus.REJECTED],
            "minTradeNtlRejected",
        ),
        ("ws_order_updates_rejected_other", [OrderStatus.REJECTED], "perpMarginRejected"),
    ],
)
def test_order_frames(
    recorded: Recorded,
    stream: HyperliquidWSClient,
    name: str,
    statuses: list[OrderStatus],
    reason: str,
) -> None:
    orders = only_orders(events(stream, recorded.frame(name)))
    assert [order["status"] for order in orders] == statuses
    for order in orders:
        filled = order["status"] is OrderStatus.FILLED
        assert order["filled"] == (order["size"] if filled else 0)
    assert orders[-1]["reason"] == reason
    if reason:
        assert VENUE.decode_reason(reason) in (PrecisionRefused, InsufficientMargin)


def test_fill_frames(recorded: Recorded, stream: HyperliquidWSClient) -> None:
    for name in ("ws_user_fills_snapshot", "ws_user_fills_snapshot_roq"):
        assert events(stream, recorded.frame(name)) == []
    found = events(stream, recorded.frame("ws_user_fills_stream"))
    [fill] = [event.fill for event in found if isinstance(event, FillUpdate)]
    assert (fill["symbol"], fill["side"], fill["liquidity"]) == ("BTC", "buy", "taker")
    assert (fill["price"], fill["size"], fill["fee"]) == (D(86006), D("0.07905"), D("-0.067987"))


def test_position_frames(recorded: Recorded, stream: HyperliquidWSClient) -> None:
    found = events(stream, recorded.frame("ws_all_dexs_clearinghouse_state"))
    sizes = {event.symbol: event.size for event in found if isinstance(event, PositionUpdate)}
    assert sizes["SAGA"] == D("-103774.5")
    assert sizes["SOL"] == D("-212.78")
    assert len(found) == len(sizes)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ws_post_cancel_error", OrderNotFound),
        ("ws_post_cancel_success", None),
        ("ws_post_order_error_20260803", LimitReached),
        ("ws_post_order_error_min_notional", PrecisionRefused),
        ("ws_post_order_filled_cloid", None),
        ("ws_post_order_resting_cloid", None),
    ],
)
def test_answers_over_the_socket(
    recorded: Recorded, stream: HyperliquidWSClient, name: str, kind: type[Exception] | None
) -> None:
    frame = recorded.frame(name)
    [reply] = events(stream, frame)
    assert isinstance(reply, Reply)
    assert reply.id == msgspec.json.decode(frame)["data"]["id"]
    failure = VENUE.decode_error(200, reply.body, PLACE)
    assert (failure and type(failure)) == kind


def test_an_answer_that_nobody_asked_for(recorded: Recorded, stream: HyperliquidWSClient) -> None:
    """A read over the socket, under a name that promises something else."""
    [reply] = events(stream, recorded.frame("ws_active_spot_asset_ctx_roq"))
    assert isinstance(reply, Reply)
    assert reply.body["type"] == "spotMeta"


def test_confirmations(recorded: Recorded, stream: HyperliquidWSClient) -> None:
    for name in ("ws_subscription_response_bbo", "ws_subscription_response_l2_book"):
        frame = recorded.frame(name)
        asked = msgspec.json.decode(frame)["data"]["subscription"]
        assert events(stream, frame) == [Subscribed(f"{asked['type']} {asked['coin']}")]


def test_error_frame(recorded: Recorded, stream: HyperliquidWSClient) -> None:
    [reply] = events(stream, recorded.frame("ws_error_bad_request"))
    assert isinstance(reply, Reply)
    assert isinstance(reply.error, VenueError)
    assert "xsubscription" in str(reply.error)


def test_calls_have_the_documented_frame(recorded: Recorded, stream: HyperliquidWSClient) -> None:
    told = recorded("ws_client_post_action_request")
    payload = json.dumps(told["request"]["payload"]).encode()
    request = Request("POST", "/exchange", body=payload, command=True, call="post")
    assert json.loads(stream.encode_call(request, told["id"])) == told
    read = recorded("ws_client_post_info_request")
    asked = VENUE.encode_book(perps({"universe": [entry("ETH")]})["ETH"], 20).json
    assert {**read["request"]["payload"], **asked} == read["request"]["payload"]


def entry(name: str) -> dict[str, Any]:
    return {"name": name, "szDecimals": 4, "maxLeverage": 25}


@pytest.mark.parametrize("name", UNREAD_FRAMES)
def test_a_channel_never_asked_for_says_nothing(
    recorded: Recorded, stream: HyperliquidWSClient, name: str
) -> None:
    assert events(stream, recorded.frame(name)) == []


@pytest.mark.parametrize("name", ["ws_bbo", "ws_l2_book_trimmed"])
def test_white_space_changes_nothing(recorded: Recorded, name: str) -> None:
    frame = recorded.frame(name)
    client = HyperliquidMarketClient()
    assert events(client, msgspec.json.format(frame, indent=2)) == events(client, frame) != []


def only_orders(found: Sequence[Event]) -> list[Order]:
    assert all(isinstance(event, OrderUpdate) for event in found)
    return [event.order for event in found if isinstance(event, OrderUpdate)]


def test_unknown_words_are_refused(recorded: Recorded) -> None:
    order = recorded("http_historical_orders")[0]["order"]
    with pytest.raises(MpdexError, match="dancing"):
        decode_order(order, str, "dancing")

"""The simulated Lighter against every recorded payload: the same keys, the same kinds of value.

Statistics are JSON numbers, whole or not. What differs is listed with its reason; most of it is
that Lighter adds keys as time goes by, and some sources shorten.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from replay.payload_shapes import kinds_that_differ, lacking, recordings, shape
from sim.lighter_stage import BTC, CREATE, ETH, SPOT, Stage, staged

D = Decimal
Maker = Callable[[Stage], Awaitable[Any]]
CANDLES = "candles are not simulated"
NOT_SIMULATED = {
    "http_candles": CANDLES,
    "ws_candle_subscribed": CANDLES,
    "ws_candle_update": CANDLES,
    "ws_height_update": "blocks are not simulated",
    "ws_update_notification_docs": "notifications are not simulated",
    "http_deposit_history": "deposits are not simulated",
    "http_transfer_history": "transfers are not simulated",
    "http_order_book_depth": "no call of the documentation answers so",
}
# Keys that only one side has.
TWINS = {f"{side}_{name}_str" for side in ("ask", "bid") for name in ("id", "client_id")}
POSITIONS = {
    f"{role}_{name}"
    for role in ("taker", "maker")
    for name in (
        *("position_size_before", "entry_quote_before", "position_sign_changed"),
        "initial_margin_fraction_before",
    )
}
NEWER_TRADE = {*TWINS, *POSITIONS, "trade_id_str", "transaction_time", "taker_fee", "maker_fee"}
MISSING: dict[str, set[str]] = {
    "http_orders": {"next_cursor"},  # of a list with more to come
    # recentTrades tells less since October 2026
    "http_recent_trades": {
        *NEWER_TRADE,
        *("tx_hash", "block_height", "ask_client_id", "bid_client_id"),
    },
    # others' positions are not known here
    "ws_trade_ccxt": POSITIONS,
    "ws_trade_with_liquidation_ccxt": POSITIONS,
}
NEWER_ORDER = {
    *("order_flags", "order_version", "market_symbol", "market_kind"),
    *("integrator_fee_collector_index", "integrator_taker_fee", "integrator_maker_fee"),
    "transaction_time",
}
NEWER_ACCOUNT = {
    *("account_trading_mode", "transaction_time", "can_rfq", "can_rfq_market_ids", "created_at"),
    *("metadata", "pending_unlocks", "approved_integrators", "total_funding_paid_out"),
    *("cross_initial_margin_requirement", "cross_maintenance_margin_requirement", "assets"),
    "total_discount",
}
NEWER_BOOK = {"begin_nonce", "last_updated_at"}
NEWER_STATS = {"symbol", "mid_price", "base_interest_rate", "timestamp"}
NEWER_STATS |= {"open_interest_limit", "funding_clamp_small", "funding_clamp_big"}
TIERED = {"volume_quota_remaining"}  # of premium accounts, told since 2026
SWITCHES = {"is_taker_fee_enabled", "is_maker_fee_enabled"}
MORE: dict[str, set[str]] = {
    "http_account": NEWER_ACCOUNT,
    "http_account_active_orders": NEWER_ORDER,
    "http_account_inactive_orders": NEWER_ORDER,
    "http_account_with_position": NEWER_ACCOUNT,
    "http_order_book_details_spot_item": SWITCHES,
    "http_order_book_orders_2025_11": {"transaction_time"},
    "http_orders": NEWER_ORDER,
    "http_send_tx_ok": TIERED,
    "http_trades_own": NEWER_TRADE,
    "ws_account_all_assets_spot_ccxt": {"margin_mode", "margin_balance"},
    "ws_account_all_positions_update": {"timestamp"},
    "ws_account_all_trades_update": {*NEWER_TRADE, "timestamp"},
    "ws_account_orders_update": {*NEWER_ORDER, "timestamp"},
    "ws_market_stats_all_ccxt": NEWER_STATS,
    "ws_market_stats_one_ccxt": NEWER_STATS,
    "ws_market_stats_update_all": NEWER_STATS,
    "ws_market_stats_update_single": NEWER_STATS,
    "ws_trade_subscribed": {"timestamp"},
    "ws_trade_update": {"timestamp"},
    "ws_order_book_subscribed_empty": {"last_updated_at"},
    "ws_ticker_subscribed_empty": {"last_updated_at"},
    "ws_update_order_book_ccxt": NEWER_BOOK,
    "ws_trade_ccxt": {*NEWER_TRADE, "timestamp"},
    "ws_trade_with_liquidation_ccxt": {*NEWER_TRADE, "timestamp"},
}
STATISTICS = ("daily_", "last_trade_price", "open_interest", "rate")


def get(path: str, *, before: Maker | None = None, inside: str = "", **query: Any) -> Maker:
    """The answer to a public read, or the first element of a list in it."""

    async def make(stage: Stage) -> Any:
        if before is not None:
            await before(stage)
        answer = stage.get(path, **query)
        return answer[inside][0] if inside else answer

    return make


def own(name: str, before: Maker, **query: Any) -> Maker:
    async def make(stage: Stage) -> Any:
        await before(stage)
        return stage.own(name, **query)

    return make


async def resting(stage: Stage) -> Any:
    stage.place(TimeInForce=1, IsAsk=1, Price=301_000, ClientOrderIndex=42)
    await stage.sequenced()


async def unaffordable(stage: Stage) -> Any:
    stage.done(CREATE, stage.taker(Type=1, BaseAmount=50_000_000, ClientOrderIndex=0))
    await stage.sequenced()


async def long(stage: Stage) -> Any:
    stage.done(CREATE, stage.taker())
    await stage.sequenced()


async def with_coins(stage: Stage) -> Any:
    stage.done(CREATE, stage.taker(MarketIndex=SPOT))
    await stage.sequenced()


async def traded(stage: Stage) -> Any:
    stage.trade("3000.00", "0.5", "buy")
    stage.trade("2999.99", "0.25", "sell")


async def sent(stage: Stage) -> Any:
    """A cancel, which spends no quota."""
    await resting(stage)
    return stage.done(15, {"MarketIndex": ETH, "Index": 42})


async def wrong_nonce(stage: Stage) -> Any:
    return stage.send(CREATE, stage.order(), Nonce=1).body


async def by_owner(stage: Stage) -> Any:
    [account] = stage.get("/api/v1/account", by="index", value=stage.account)["accounts"]
    return stage.get("/api/v1/accountsByL1Address", l1_address=account["l1_address"])


async def the_account(stage: Stage) -> Any:
    await long(stage)
    return stage.get("/api/v1/account", by="index", value=stage.account)


async def limits(stage: Stage) -> Any:
    return stage.own("accountLimits")


async def next_nonce(stage: Stage) -> Any:
    return stage.get("/api/v1/nextNonce", account_index=stage.account, api_key_index=5)


async def usdc(stage: Stage) -> Any:
    [_, asset] = stage.get("/api/v1/assetDetails")["asset_details"]
    return {"code": 200, "asset_details": [asset]}


async def spot_item(stage: Stage) -> Any:
    return stage.get("/api/v1/orderBookDetails")["spot_order_book_details"][0]


async def perps(stage: Stage) -> Any:
    return stage.get("/api/v1/orderBookDetails", filter="perp")


# --------------------------------------------------------------------------- frames


def snapshot(channel: str, before: Maker | None = None) -> Maker:
    async def make(stage: Stage) -> Any:
        if before is not None:
            await before(stage)
        return stage.listen(_named(stage, channel)).take()[0]

    return make


def update(channel: str, then: Maker) -> Maker:
    """The last frame that something causes."""

    async def make(stage: Stage) -> Any:
        socket = stage.listen(_named(stage, channel))
        socket.take()
        await then(stage)
        await asyncio.sleep(1)
        return socket.take("update/" + channel.partition("/")[0])[-1]

    return make


def _named(stage: Stage, channel: str) -> str:
    return channel.replace("ME", stage.account)


async def moved(stage: Stage) -> Any:
    await traded(stage)
    await asyncio.sleep(2)
    stage.quote("3001.11", "3001.12")


async def level_gone(stage: Stage) -> Any:
    stage.exchange.thin(D(5), "sell", "ETH")


async def partly_filled(stage: Stage) -> Any:
    await resting(stage)
    stage.quote("3010.00", "3010.01", size="0.02")


async def greeted(stage: Stage) -> Any:
    return stage.connect().take()[0]


async def unsubscribed(stage: Stage) -> Any:
    return stage.say(stage.listen("order_book/0"), type="unsubscribe", channel="order_book/0")


async def called(stage: Stage) -> Any:
    info = json.loads(stage.info(CREATE, stage.order()))
    data = {"id": "1786459718284", "tx_type": CREATE, "tx_info": info}
    return stage.say(stage.connect(), type="jsonapi/sendtx", data=data)


def wrong(kind: str, channel: str, *known: str) -> Maker:
    async def make(stage: Stage) -> Any:
        return stage.say(stage.listen(*known), type=kind, channel=channel)

    return make


ALL_STATS, ONE_STATS = "market_stats/all", "market_stats/0"
ANSWERS: dict[str, Maker] = {
    "http_account": the_account,
    "http_account_active_orders": own("accountInactiveOrders", unaffordable),
    "http_account_inactive_orders": own("accountInactiveOrders", unaffordable),
    "http_account_limits": limits,
    "http_account_with_position": the_account,
    "http_accounts_by_l1_address_sub_accounts": by_owner,
    "http_asset_details": usdc,
    "http_error_21104_invalid_nonce": wrong_nonce,
    "http_funding_rates": get("/api/v1/funding-rates"),
    "http_fundings": get("/api/v1/fundings", market_id=ETH),
    "http_next_nonce": next_nonce,
    "http_order_book_details": perps,
    "http_order_book_details_spot_item": spot_item,
    "http_order_book_orders": get("/api/v1/orderBookOrders", market_id=ETH),
    "http_order_book_orders_2025_11": get("/api/v1/orderBookOrders", market_id=ETH),
    "http_order_books": get("/api/v1/orderBooks"),
    "http_orders": own("accountActiveOrders", resting),
    "http_recent_trades": get("/api/v1/recentTrades", before=traded, market_id=ETH),
    "http_recent_trades_2026_10": get("/api/v1/recentTrades", before=traded, market_id=ETH),
    "http_send_tx_ok": sent,
    "http_status": get("/"),
    "http_trades_own": own("trades", long),
    "ws_account_all_assets_spot_ccxt": update("account_all_assets/ME", with_coins),
    "ws_account_all_assets_update": snapshot("account_all_assets/ME"),
    "ws_account_all_assets_with_position": snapshot("account_all_assets/ME", long),
    "ws_account_all_positions_update": update("account_all_positions/ME", long),
    "ws_account_all_trades_update": update("account_all_trades/ME", long),
    "ws_account_orders_update": update("account_orders/0/ME", partly_filled),
    "ws_connected": greeted,
    "ws_error_30002_not_subscribed": wrong("unsubscribe", "order_book/0"),
    "ws_error_30003_already_subscribed": wrong("subscribe", ALL_STATS, ALL_STATS),
    "ws_error_30005_invalid_channel": wrong("subscribe", "order_book/x"),
    "ws_jsonapi_sendtx_ok": called,
    "ws_market_stats_all_ccxt": update(ALL_STATS, moved),
    "ws_market_stats_one_ccxt": update(ONE_STATS, moved),
    "ws_market_stats_subscribed_single": snapshot(f"market_stats/{BTC}"),
    "ws_market_stats_update_all": update(ALL_STATS, moved),
    "ws_market_stats_update_single": update(ONE_STATS, moved),
    "ws_order_book_subscribed": snapshot("order_book/0"),
    "ws_order_book_subscribed_empty": snapshot(f"order_book/{BTC}"),
    "ws_order_book_update": update("order_book/0", level_gone),
    "ws_spot_market_stats_subscribed_single": snapshot("spot_market_stats/2048"),
    "ws_spot_market_stats_update_all": update("spot_market_stats/all", moved),
    "ws_spot_market_stats_update_single": update("spot_market_stats/2048", moved),
    "ws_ticker_subscribed": snapshot("ticker/0"),
    "ws_ticker_subscribed_empty": snapshot(f"ticker/{BTC}"),
    "ws_ticker_update": update("ticker/0", moved),
    "ws_trade_ccxt": snapshot("trade/0", traded),
    "ws_trade_subscribed": snapshot("trade/0", traded),
    "ws_trade_update": update("trade/0", traded),
    "ws_trade_with_liquidation_ccxt": snapshot("trade/0", traded),
    "ws_unsubscribed": unsubscribed,
    "ws_update_account_all_assets_docs": update("account_all_assets/ME", with_coins),
    "ws_update_market_stats_docs": update(ONE_STATS, moved),
    "ws_update_order_book_ccxt": update("order_book/0", moved),
    "ws_update_order_book_docs": update("order_book/0", moved),
    "ws_update_spot_market_stats_docs": update("spot_market_stats/all", moved),
    "ws_update_trade_docs": update("trade/0", traded),
    "ws_update_user_stats_docs": update("user_stats/ME", long),
    "ws_user_stats_ccxt": update("user_stats/ME", long),
    "ws_user_stats_update": snapshot("user_stats/ME"),
    "ws_user_stats_with_position": snapshot("user_stats/ME", long),
}


def places(payload: Any) -> dict[str, str]:
    """The shape of a payload; one market is as good as another."""
    found = shape(payload)
    for place, kind in found.items():
        statistic = place.rpartition(".")[2].startswith(STATISTICS)
        if statistic and kind in ("int", "float"):
            found[place] = "number"
    return {re.sub(r"\.\d+(?=\.|\[|$)", ".#", place): kind for place, kind in found.items()}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_answers_and_frames_are_shaped_as_recorded(name: str, shared: Path) -> None:
    recorded = places(recordings(shared, "lighter")[name])

    @staged
    async def check(stage: Stage) -> None:
        made = places(await ANSWERS[name](stage))
        assert lacking(recorded, made, MISSING.get(name, set())) == []
        if not name.endswith("_docs"):
            assert lacking(made, recorded, MORE.get(name, set())) == []
            assert kinds_that_differ(recorded, made) == []

    check()


def test_fixed_texts_are_those_recorded(shared: Path) -> None:
    recorded = recordings(shared, "lighter")

    @staged
    async def check(stage: Stage) -> None:
        names = [name for name in ANSWERS if name.startswith(("ws_error", "http_error"))]
        for name in (*names, "ws_unsubscribed"):
            assert await ANSWERS[name](stage) == recorded[name], name
        answer = await ANSWERS["http_send_tx_ok"](stage)
        assert answer["message"] == recorded["http_send_tx_ok"]["message"]

    check()


def test_every_recording_has_a_check(shared: Path) -> None:
    assert recordings(shared, "lighter").keys() == ANSWERS.keys() | NOT_SIMULATED.keys()
    assert not ANSWERS.keys() & NOT_SIMULATED.keys()

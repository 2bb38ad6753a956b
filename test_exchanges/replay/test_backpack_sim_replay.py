"""The simulated Backpack against every recorded payload: the same keys, the same kinds of value.

A payload is compared place by place. Null goes with anything; amounts are told from times and from
words; JSON numbers from text, except where the source of a recording quotes every number (its
SOURCES.md says which are numbers on the wire). Keys must be exactly those of a live capture; what
differs is listed with its reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from replay.payload_shapes import kinds_that_differ, lacking, recordings, shape
from sim.backpack_stage import ETH, SPOT, Stage, market_order, order, staged, taker

D = Decimal
Maker = Callable[[Stage], Awaitable[Any]]
PLACE = "POST /api/v1/order"
ORDERS, POSITIONS = "account.orderUpdate", "account.positionUpdate"

TRIGGER = "trigger orders are not simulated"
STREAM = "a stream that is not simulated"
NOT_SIMULATED = {
    "http_order_perp_trigger_pending": TRIGGER,
    "ws_order_update_trigger_placed": TRIGGER,
    "ws_kline": STREAM,
    "ws_liquidation_doc": STREAM,
    "ws_open_interest_doc": STREAM,
    "ws_ticker": STREAM,
}
# JSON numbers that some sources quote.
QUOTED = {
    *("clientId", "createdAt", "tradeId", "timestamp", "trades", "id", "E", "T"),
    *("nextFundingTimestamp", "fundingInterval"),
}
# Keys that only one side has.
SPOT_SOURCE = {"borrowmarketFeeMaxMultiplier", "borrowmarketFeeMinMultiplier"}  # search-and-replace
MISSING: dict[str, set[str]] = {
    "http_markets": SPOT_SOURCE,
    "http_market_equity_spot": {"rwaMarketType"},  # of tokenised stocks
    "http_order_limit_post_only_new": {"systemOrderType"},  # not in newer answers
    "ws_order_update_cancelled": {"P", "B", "Y"},  # of a trigger order
    # of trigger and strategy orders, of an end, and of a fill, all in one message
    "ws_order_update_all_fields_doc": set("PBabjkdgYIH") | {"R"} | set("lLmnN"),
}
FILTERS = {"borrowEntryFeeMaxMultiplier", "borrowEntryFeeMinMultiplier"}
MORE: dict[str, set[str]] = {
    "http_markets": FILTERS | {"positionLimitWeight", "visible"},  # newer than the capture
    "http_market_equity_spot": {  # shortened by its authors
        *("fundingInterval", "fundingRateLowerBound", "fundingRateUpperBound", "imfFunction"),
        *("mmfFunction", "openInterestLimit", "positionLimitWeight", "maxQuantity"),
        *("maxImpactMultiplier", "minImpactMultiplier", "maxMultiplier", "minMultiplier"),
        *("maxPrice", "meanMarkPriceBand", "meanPremiumBand"),
        *FILTERS,
    },
    "ws_order_update_accepted_limit": {"y"},  # told since later in 2025
    "ws_order_update_cancelled": {"Q", "p", "y", "c"},  # of a limit order with a client id
    "ws_position_update_doc": {"l", "s"},
}


def get(path: str, *, before: Maker | None = None, one: bool = False, **query: Any) -> Maker:
    """The answer to a query, or its first element."""

    async def make(stage: Stage) -> Any:
        if before is not None:
            await before(stage)
        answer = stage.get(path, **query)
        return answer[0] if one else answer

    return make


def placed(fields: dict[str, Any]) -> Maker:
    async def make(stage: Stage) -> Any:
        return stage.done(PLACE, fields)

    return make


def refused(**fields: Any) -> Maker:
    async def make(stage: Stage) -> Any:
        return stage.ask(PLACE, order(**fields)).body

    return make


async def resting(stage: Stage) -> Any:
    return stage.place(clientId=5)


async def canceled(stage: Stage) -> Any:
    by_id = {"symbol": ETH, "orderId": (await resting(stage))["id"]}
    return stage.done("DELETE /api/v1/order", by_id)


async def nothing_canceled(stage: Stage) -> Any:
    return stage.done("DELETE /api/v1/orders", {"symbol": ETH})


async def short(stage: Stage) -> None:
    stage.done(PLACE, taker("Ask", "0.1234"))


async def funded(stage: Stage) -> None:
    await short(stage)
    stage.exchange.fund(D("0.0001"), ETH)


async def traded(stage: Stage) -> None:
    stage.trade("3000.25", "0.5", "buy")
    stage.trade("2999.75", "0.25", "sell")


async def spot_trades(stage: Stage) -> None:
    stage.done(PLACE, market_order(symbol=SPOT))
    stage.done(PLACE, market_order("Ask", "0.05", symbol=SPOT))


def told(name: str, then: Maker, *, which: int = 0, bare: bool = False) -> Maker:
    """A frame of a stream that something causes; its data alone if bare."""

    async def make(stage: Stage) -> Any:
        socket = stage.listen(name)
        await then(stage)
        await asyncio.sleep(2)
        frame = socket.take()[which]
        assert frame["stream"] == name
        return frame["data"] if bare else frame

    return make


async def moved(stage: Stage) -> None:
    await asyncio.sleep(2)
    stage.quote("3001.11", "3001.12")


async def level_gone(stage: Stage) -> None:
    stage.exchange.thin(D(5), "sell", ETH)


async def snapshot(stage: Stage) -> Any:
    await short(stage)
    await asyncio.sleep(1)
    return stage.listen(POSITIONS).take()[0]


async def wrong_stream(stage: Stage) -> Any:
    return stage.say(stage.connect(), "SUBSCRIBE", "nothing")


MARKET = get("/api/v1/markets")
DEPTH = get("/api/v1/depth", symbol=ETH, limit=5)
ANSWERS: dict[str, Maker] = {
    "http_cancel_all_orders_none_open": nothing_canceled,
    "http_cancel_order": canceled,
    "http_capital": get("/api/v1/capital"),
    "http_depth_doc": DEPTH,
    "http_depth_update_id_number_doc": DEPTH,
    "http_depth_update_id_text_doc": DEPTH,
    "http_error_invalid_order": refused(timeInForce="IOC"),
    "http_error_trigger_fields": refused(triggerPrice="2900"),
    "http_fills_one": get("/wapi/v1/history/fills", before=short, one=True),
    "http_fills_three_spot": get("/wapi/v1/history/fills", before=spot_trades),
    "http_funding_payment_one": get("/wapi/v1/history/funding", before=funded, one=True),
    "http_funding_rates": get("/api/v1/fundingRates", symbol=ETH),
    "http_history_order_cancelled": get("/wapi/v1/history/orders", before=canceled, one=True),
    "http_klines": get("/api/v1/klines", before=traded, symbol=ETH, interval="1m"),
    "http_mark_prices": get("/api/v1/markPrices"),
    "http_mark_prices_one": get("/api/v1/markPrices", one=True),
    "http_market_equity_spot": get("/api/v1/market", symbol=SPOT),
    "http_market_sol_usdc_perp": get("/api/v1/market", symbol="SOL_USDC_PERP"),
    "http_markets": MARKET,
    "http_open_interest": get("/api/v1/openInterest"),
    "http_open_orders": get("/api/v1/orders", before=resting),
    "http_order_limit_post_only_new": placed(order(symbol=SPOT, clientId=7)),
    "http_order_market_filled": placed(market_order(symbol=SPOT)),
    "http_order_perp_limit_new": placed(order(postOnly=None)),
    "http_order_perp_market_filled": placed(market_order()),
    "http_order_perp_market_filled_client_id": placed(market_order(clientId=55555)),
    "http_position_one": get("/api/v1/position", before=short, one=True),
    "http_position_short": get("/api/v1/position", before=short),
    "http_public_trade_one": get("/api/v1/trades", before=traded, one=True, symbol=ETH),
    "http_status": get("/api/v1/status"),
    "http_ticker": get("/api/v1/ticker", before=traded, symbol=ETH),
    "http_trades": get("/api/v1/trades", before=traded, symbol=ETH),
    "ws_book_ticker": told(f"bookTicker.{ETH}", moved),
    "ws_book_ticker_doc": told(f"bookTicker.{ETH}", moved, bare=True),
    "ws_depth_data_one_delete": told(f"depth.{ETH}", level_gone, bare=True),
    "ws_depth_doc": told(f"depth.{ETH}", moved, bare=True),
    "ws_depth_empty_update": told(f"depth.{ETH}", moved),
    "ws_error_invalid_stream": wrong_stream,
    "ws_mark_price": told(f"markPrice.{ETH}", moved, bare=True),
    "ws_mark_price_doc": told(f"markPrice.{ETH}", moved, bare=True),
    "ws_order_update_accepted_limit": told(ORDERS, placed(order()), bare=True),
    "ws_order_update_accepted_market": told(f"{ORDERS}.{SPOT}", spot_trades),
    "ws_order_update_all_fields_doc": told(ORDERS, resting, bare=True),
    "ws_order_update_cancelled": told(ORDERS, canceled, which=1, bare=True),
    "ws_order_update_fill_data": told(ORDERS, spot_trades, which=1, bare=True),
    "ws_position_snapshot_short": snapshot,
    "ws_position_update_doc": told(POSITIONS, short, bare=True),
    "ws_position_update_opened": told(POSITIONS, short),
    "ws_trade": told(f"trade.{ETH}", traded),
    "ws_trade_doc": told(f"trade.{ETH}", traded, bare=True),
}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_answers_and_frames_are_shaped_as_recorded(name: str, shared: Path) -> None:
    recorded = shape(recordings(shared, "backpack")[name], QUOTED)

    @staged
    async def check(stage: Stage) -> None:
        made = shape(await ANSWERS[name](stage), QUOTED)
        assert lacking(recorded, made, MISSING.get(name, set())) == []
        if not name.endswith("_doc"):
            assert lacking(made, recorded, MORE.get(name, set())) == []
            assert kinds_that_differ(recorded, made) == []

    check()


def test_error_texts_are_those_recorded(shared: Path) -> None:
    recorded = recordings(shared, "backpack")

    @staged
    async def check(stage: Stage) -> None:
        names = ("http_error_invalid_order", "http_error_trigger_fields", "ws_error_invalid_stream")
        for name in (*names, "http_status"):
            assert await ANSWERS[name](stage) == recorded[name]

    check()


def test_every_recording_has_a_check(shared: Path) -> None:
    assert recordings(shared, "backpack").keys() == ANSWERS.keys() | NOT_SIMULATED.keys()
    assert not ANSWERS.keys() & NOT_SIMULATED.keys()

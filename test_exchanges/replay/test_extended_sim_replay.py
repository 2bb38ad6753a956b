"""The simulated Extended against every recorded payload: the same keys, the same kinds of value.

A payload is compared place by place (`payload_shapes`). Most recordings are examples of the
documentation: of those only what they have and the simulator lacks is a difference, for they are
older than the venue. What differs is listed with its reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from replay.payload_shapes import kinds_that_differ, lacking, recordings, shape
from sim.extended_stage import ENGINE, ETH, READ_BACK, Stage, staged

D = Decimal
Maker = Callable[[Stage], Awaitable[Any]]
PLACE = "POST /user/order"
SELECTOR = {"market": ETH, "depth": "full", "rfqOnly": False}

REQUEST = "what a client sends"
NOT_SIMULATED = dict.fromkeys(
    (
        "http_create_order_request_docs",
        "http_leverage_update_request_docs",
        "http_mass_cancel_request_docs",
    ),
    REQUEST,
)
# Of orders with triggers and of positions with them, which are not simulated.
LEGS = {
    *("trigger", "takeProfit", "stopLoss", "tpSlType", "tpslType"),
    *("tpTriggerPrice", "tpLimitPrice", "slTriggerPrice", "slLimitPrice"),
}
MISSING: dict[str, set[str]] = {
    **dict.fromkeys(
        (
            "http_order_by_id_docs",
            "http_orders_by_external_id_docs",
            "http_orders_history_docs",
            "http_orders_open_docs",
            "http_positions_docs",
            "ws_v1_account_orders_docs",
            "ws_v1_account_positions_docs",
        ),
        LEGS,
    ),
    # documented, and in no live frame
    "ws_v1_index_price_docs": {"sourceEventId"},
    "ws_v1_mark_price_docs": {"sourceEventId"},
}


def get(call: str, before: Maker | None = None) -> Maker:
    """A whole answer, once REST tells of what came before."""

    async def make(stage: Stage) -> Any:
        if before is not None:
            await before(stage)
            await asyncio.sleep(READ_BACK)
        return stage.ask(f"GET {call}").body

    return make


async def resting(stage: Stage) -> Any:
    return await stage.place(stage.order(id="resting"))


async def taken(stage: Stage) -> Any:
    return await stage.place(stage.taker(id="taken"))


async def partly(stage: Stage) -> Any:
    stage.exchange.fill(await resting(stage), D("0.04"))


async def short(stage: Stage) -> Any:
    return await stage.place(stage.taker("SELL", "0.123"))


async def closed(stage: Stage) -> None:
    await taken(stage)
    await stage.place(stage.taker("SELL"))


async def funded(stage: Stage) -> None:
    await taken(stage)
    stage.exchange.fund(D("0.0001"), ETH)


async def traded(stage: Stage) -> None:
    stage.trade("3000", "0.5", "buy")
    stage.trade("2999.9", "0.25", "sell")


async def moved(stage: Stage) -> None:
    await asyncio.sleep(2)
    stage.quote("3001.1", "3001.3", "4")
    await asyncio.sleep(2)


async def minute(stage: Stage) -> None:
    await asyncio.sleep(61)


async def an_order_by_id(stage: Stage) -> Any:
    order = await taken(stage)
    await asyncio.sleep(READ_BACK)
    return stage.ask(f"GET /user/orders/{order.order_id}").body


async def placed(stage: Stage) -> Any:
    return stage.ask(PLACE, stage.order()).body


async def too_costly(stage: Stage) -> Any:
    return stage.ask(PLACE, stage.order(qty="2000")).body


async def no_market(stage: Stage) -> Any:
    return stage.ask("GET /info/markets/NO-USD/stats").body


async def leverage_set(stage: Stage) -> Any:
    return stage.ask("PATCH /user/leverage", {"market": ETH, "leverage": "10"}).body


def told(path: str, then: Maker, choose: Callable[[Any], bool] = bool, **query: str) -> Maker:
    """The first frame of a first-generation socket that is the one meant."""

    async def make(stage: Stage) -> Any:
        socket = stage.listen(path, **query)
        await then(stage)
        await asyncio.sleep(ENGINE)
        return next(frame for frame in socket.take() if choose(frame))

    return make


def called(method: str, **params: Any) -> Maker:
    """The answer to a call of the second generation."""

    async def make(stage: Stage) -> Any:
        socket = stage.rpc()
        stage.call(socket, "subscribe", scope="trades", selector={"market": ETH})
        socket.take()
        stage.call(socket, method, **params)
        return socket.take()[0]

    return make


def pushed(scope: str, selector: Any, then: Maker, choose: Callable[[Any], bool] = bool) -> Maker:
    """A frame of the second generation."""

    async def make(stage: Stage) -> Any:
        await traded(stage)
        socket = stage.rpc()
        stage.call(socket, "subscribe", scope=scope, selector=selector)
        await then(stage)
        return next(frame for frame in socket.take() if "seq" in frame and choose(frame))

    return make


def of(kind: str) -> Callable[[Any], bool]:
    """Frames of a type that tell something."""
    return lambda frame: frame["type"] == kind and any(frame["data"].values())


def filled(frame: Any) -> bool:
    return of("ORDER")(frame) and frame["data"]["orders"][0]["status"] == "FILLED"


def change(frame: Any) -> bool:
    """A change of both sides of a book."""
    data = frame["data"]
    return data["t"] == "DELTA" and bool(data["b"]) and bool(data["a"])


def empty(frame: Any) -> bool:
    return frame["data"]["t"] == "DELTA" and not frame["data"]["b"]


def snapshot(frame: Any) -> bool:
    return frame["data"]["t"] == "SNAPSHOT"


BOOK = f"/orderbooks/{ETH}"
ANSWERS: dict[str, Maker] = {
    "http_account_info_docs": get("/user/account/info"),
    "http_balance_docs": get("/user/balance", short),
    "http_create_order_docs": placed,
    "http_error_1140": too_costly,
    "http_error_market_not_found_docs": no_market,
    "http_fees_docs": get("/user/fees"),
    "http_funding_payments_docs": get("/user/funding/history?fromTime=0", funded),
    "http_leverage_get_docs": get(f"/user/leverage?market={ETH}"),
    "http_leverage_update_docs": leverage_set,
    "http_market_stats_docs": get(f"/info/markets/{ETH}/stats", traded),
    "http_market_trades_docs": get(f"/info/markets/{ETH}/trades", traded),
    "http_markets_btc": get("/info/markets?market=BTC-USD"),
    "http_order_by_id_docs": an_order_by_id,
    "http_orderbook_docs": get(f"/info/markets/{ETH}/orderbook"),
    "http_orders_by_external_id_docs": get("/user/orders/external/taken", taken),
    "http_orders_history_docs": get("/user/orders/history", taken),
    "http_orders_open_docs": get("/user/orders", partly),
    "http_positions_docs": get("/user/positions", short),
    "http_positions_history_docs": get("/user/positions/history", closed),
    "http_trades_docs": get("/user/trades", short),
    "ws_rpc_funding_rate": pushed("funding-rates", {"market": ETH}, minute),
    "ws_rpc_index_price": pushed("prices", {"type": "index", "market": ETH}, moved),
    "ws_rpc_list_subscriptions_ack": called("list-subscriptions"),
    "ws_rpc_orderbook_delta": pushed("orderbooks", SELECTOR, moved, change),
    "ws_rpc_subscribe_orderbooks_ack": called("subscribe", scope="orderbooks", selector=SELECTOR),
    "ws_rpc_trades_replay": pushed("trades", {"market": ETH}, moved),
    "ws_v1_account_balance_docs": told("/account", resting, of("BALANCE")),
    "ws_v1_account_orders_docs": told("/account", taken, filled),
    "ws_v1_account_positions_docs": told("/account", short, of("POSITION")),
    "ws_v1_account_trades_docs": told("/account", short, of("TRADE")),
    "ws_v1_funding_docs": told(f"/funding/{ETH}", minute),
    "ws_v1_index_price_docs": told(f"/prices/index/{ETH}", moved),
    "ws_v1_mark_price": told(f"/prices/mark/{ETH}", moved),
    "ws_v1_mark_price_docs": told(f"/prices/mark/{ETH}", moved),
    "ws_v1_orderbook_delta": told(BOOK, moved, change),
    "ws_v1_orderbook_delta_empty": told(BOOK, minute, empty),
    "ws_v1_orderbook_depth1": told(BOOK, moved, depth="1"),
    "ws_v1_orderbook_docs": told(BOOK, moved, snapshot),
    "ws_v1_orderbook_rfq_snapshot": told(f"/orderbooks/rfq/{ETH}", moved),
    "ws_v1_orderbook_snapshot": told(BOOK, moved, snapshot),
    "ws_v1_orderbook_snapshot_minutely": told(
        BOOK, minute, lambda frame: snapshot(frame) and frame["seq"] > 1
    ),
    "ws_v1_public_trades": told(f"/publicTrades/{ETH}", traded),
    "ws_v1_public_trades_docs": told(f"/publicTrades/{ETH}", traded),
}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_answers_and_frames_are_shaped_as_recorded(name: str, shared: Path) -> None:
    recorded = shape(recordings(shared, "extended")[name])

    @staged
    async def check(stage: Stage) -> None:
        made = shape(await ANSWERS[name](stage))
        assert lacking(recorded, made, MISSING.get(name, set())) == []
        if not name.endswith("_docs"):
            assert lacking(made, recorded, set()) == []
            assert kinds_that_differ(recorded, made) == []

    check()


def test_the_refusal_recorded_live_is_told_in_the_same_words(shared: Path) -> None:
    recorded = recordings(shared, "extended")["http_error_1140"]["error"]

    @staged
    async def check(stage: Stage) -> None:
        told_error = (await too_costly(stage))["error"]
        assert told_error["message"] == recorded["message"]
        assert told_error["debugInfo"].startswith("Order cost ")

    check()


def test_every_recording_has_a_check(shared: Path) -> None:
    assert recordings(shared, "extended").keys() == ANSWERS.keys() | NOT_SIMULATED.keys()
    assert not ANSWERS.keys() & NOT_SIMULATED.keys()

"""The simulated EdgeX against every recorded payload: the same keys, the same kinds of value.

A payload is compared place by place (`payload_shapes`). Examples of the documentation and messages
that it has cut are one-sided: what they have and the simulator lacks is a difference. Frames that
were captured live must be matched both ways. What differs is listed with its reason.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from replay.payload_shapes import kinds_that_differ, lacking, recordings, shape
from sim.edgex_stage import BOOKED, ENGINE, Stage, staged

D = Decimal
Maker = Callable[[Stage], Awaitable[Any]]
V1, V2 = "10000002", "30000002"  # ETH; what was recorded is mostly about BTC

REQUEST, CANDLES = "what a client sends", "candles are not simulated"
NOT_SIMULATED = {
    "http_v1_cancel_order_by_id_request": REQUEST,
    "http_v1_create_order_request": REQUEST,
    "http_v1_max_create_order_size_request": REQUEST,
    "ws_subscribe_request": REQUEST,
    "ws_unsubscribe_request": REQUEST,
    "ws_pong": REQUEST,
    "http_v1_kline": CANDLES,
    "ws_kline": CANDLES,
    "ws_v2_live_kline_record": CANDLES,
}
MISSING: dict[str, set[str]] = {
    "http_v1_metadata": {"chainList"},  # deposits are not simulated
    "ws_private_order_update": set(),
    # a market without a book, as stocks have by night: `liquidity` is told of no other
    "ws_v2_live_ticker_record_no_book": {"liquidity"},
}
# Of live captures: what the simulator has besides, for a reason.
MORE: dict[str, set[str]] = {
    "ws_v2_live_ticker_record_no_book": {
        *("contractName", "trades", "open", "close", "highTime", "lowTime", "startTime"),
        "oraclePrice",
    },
}


def get(call: str, before: Maker | None = None, **query: str) -> Maker:
    """A whole answer to a private question of v1."""

    async def make(stage: Stage) -> Any:
        if before is not None:
            await before(stage)
        return stage.ask(f"GET {call}", by=stage.v1, **query).body

    return make


def public(path: str, before: Maker | None = None, **query: str) -> Maker:
    async def make(stage: Stage) -> Any:
        if before is not None:
            await before(stage)
        asked = {**query, "contractId": V1} if not path.startswith("/meta") else {}
        return {**stage.ask("GET /nowhere").body, "data": stage.public("/api/v1", path, **asked)}

    return make


async def resting(stage: Stage) -> Any:
    order = stage.place(stage.order(by=stage.v1, clientOrderId="5033640"), by=stage.v1)
    await asyncio.sleep(ENGINE)
    return order


async def taken(stage: Stage) -> Any:
    order = stage.place(stage.taker(by=stage.v1), by=stage.v1)
    await asyncio.sleep(BOOKED)
    return order


async def short(stage: Stage) -> Any:
    """With a setting of its own."""
    setting = {"contractId": "10000001", "leverage": "20"}
    stage.done("POST /account/updateLeverageSetting", setting, by=stage.v1)
    stage.place(stage.taker("SELL", by=stage.v1), by=stage.v1)
    await asyncio.sleep(BOOKED)


async def funded(stage: Stage) -> None:
    await taken(stage)
    stage.exchange.fund(D("0.0001"), "ETHUSDC")


async def traded(stage: Stage) -> None:
    stage.trade("3000", "0.5", "buy")
    stage.trade("2999.99", "0.25", "sell")


async def moved(stage: Stage) -> None:
    await asyncio.sleep(2)
    stage.quote("3001.11", "3001.13", "4")
    await asyncio.sleep(2)


async def minute(stage: Stage) -> None:
    await asyncio.sleep(61)
    await moved(stage)


async def nothing(stage: Stage) -> None:
    await asyncio.sleep(0)


async def placed(stage: Stage) -> Any:
    return stage.ask("POST /order/createOrder", stage.order(by=stage.v1), by=stage.v1).body


def canceled(recorded_id: str, call: str) -> Maker:
    """The results of a cancel are keyed by order id: it goes by the recorded one's."""

    async def make(stage: Stage) -> Any:
        order = await resting(stage)
        body = {"orderIdList": [order.order_id]} if call.endswith("ById") else None
        answer = stage.ask(f"POST /order/{call}", body, by=stage.v1).body
        return json.loads(json.dumps(answer).replace(order.order_id, recorded_id))

    return make


async def largest(stage: Stage) -> Any:
    body = {"contractId": V1, "price": "2,999.5"}
    return stage.ask("POST /order/getMaxCreateOrderSize", body, by=stage.v1).body


def pushed(channel: str, then: Maker, kind: str = "changed") -> Maker:
    """The first data frame of a kind on a channel."""

    async def make(stage: Stage) -> Any:
        socket = stage.watch(channel)
        await then(stage)
        frames = [frame for frame in socket.take() if frame["type"] == "quote-event"]
        return next(frame for frame in frames if frame["content"]["dataType"] == kind)

    return make


def record(channel: str, then: Maker, kind: str = "changed") -> Maker:
    """One record of such a frame."""

    async def make(stage: Stage) -> Any:
        frame = await pushed(channel, then, kind)(stage)
        return frame["content"]["data"][0]

    return make


def said(*channels: str) -> Maker:
    """The last frame of a socket that has just subscribed to nothing, or to what there is not."""

    async def make(stage: Stage) -> Any:
        socket = stage.watch()
        answers = [stage.say(socket, type="subscribe", channel=name) for name in channels]
        return next(filter(None, answers), socket.take()[0])

    return make


async def acknowledged(stage: Stage) -> Any:
    return next(f for f in stage.watch(f"ticker.{V2}").take() if f["type"] == "subscribed")


async def pinged(stage: Stage) -> Any:
    socket = stage.watch()
    await asyncio.sleep(11)
    return next(frame for frame in socket.take() if frame["type"] == "ping")


def private(then: Maker, event: str) -> Maker:
    """The first event of a name on the private socket of v1."""

    async def make(stage: Stage) -> Any:
        socket = stage.listen(stage.v1)
        await then(stage)
        frames = [frame for frame in socket.take() if frame["type"] == "trade-event"]
        return next(frame for frame in frames if frame["content"]["event"] == event)

    return make


async def greeted(stage: Stage) -> Any:
    return stage.listen(stage.v1).take()[0]


async def bookless(stage: Stage) -> Any:
    return stage.public("/api/v2", "/quote/getTicker", contractId="30000003")[0]


ANSWERS: dict[str, Maker] = {
    "http_v1_account_asset": get("/account/getAccountAsset", short),
    "http_v1_account_by_id": get("/account/getAccountById", short),
    "http_v1_active_order_page": get("/order/getActiveOrderPage", resting),
    "http_v1_cancel_all_order": canceled("564828209955209354", "cancelAllOrder"),
    "http_v1_cancel_order_by_id": canceled("564827797948727434", "cancelOrderById"),
    "http_v1_collateral_by_coin_id": get("/account/getCollateralByCoinId", taken),
    "http_v1_create_order": placed,
    "http_v1_depth": public("/quote/getDepth", level="15"),
    "http_v1_history_order_fill_transaction_page": get(
        "/order/getHistoryOrderFillTransactionPage", taken
    ),
    "http_v1_history_order_page": get("/order/getHistoryOrderPage", taken),
    "http_v1_latest_funding_rate": public("/funding/getLatestFundingRate"),
    "http_v1_max_create_order_size": largest,
    "http_v1_metadata": public("/meta/getMetaData"),
    "http_v1_order_by_client_order_id": get(
        "/order/getOrderByClientOrderId", resting, clientOrderIdList="5033640"
    ),
    "http_v1_position_by_contract_id": get(
        "/account/getPositionByContractId", taken, contractIdList=V1
    ),
    "http_v1_server_time": public("/meta/getServerTime"),
    "http_v1_ticker": public("/quote/getTicker", traded),
    "ws_book_ticker_docs": pushed("bookTicker.all.1s", moved),
    "ws_depth_changed": pushed(f"depth.{V1}.200", moved),
    "ws_depth_snapshot": pushed(f"depth.{V1}.200", moved, "Snapshot"),
    "ws_error": said("ticker.77"),
    "ws_funding_rate_docs": pushed("fundingRate.all", minute),
    "ws_metadata_snapshot": pushed("metadata", nothing, "Snapshot"),
    "ws_ping": pinged,
    "ws_private_connected": greeted,
    "ws_private_funding_settlement": private(funded, "FUNDING_SETTLEMENT"),
    "ws_private_order_update": private(taken, "ORDER_UPDATE"),
    "ws_private_snapshot": private(nothing, "Snapshot"),
    "ws_subscribed_docs": acknowledged,
    "ws_ticker_all_1s": pushed("ticker.all.1s", moved),
    "ws_trades_docs": pushed(f"trades.{V1}", traded),
    "ws_v2_live_connected": said(),
    "ws_v2_live_depth_record_changed": record(f"depth.{V2}.200", moved),
    "ws_v2_live_ping": pinged,
    "ws_v2_live_subscribed": acknowledged,
    "ws_v2_live_ticker_record": record(f"ticker.{V2}", moved),
    "ws_v2_live_ticker_record_no_book": bookless,
    "ws_v2_live_trade_record": record(f"trades.{V2}", traded),
}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_answers_and_frames_are_shaped_as_recorded(name: str, shared: Path) -> None:
    recorded = shape(recordings(shared, "edgex")[name])

    @staged
    async def check(stage: Stage) -> None:
        made = shape(await ANSWERS[name](stage))
        assert lacking(recorded, made, MISSING.get(name, set())) == []
        if not name.endswith("_docs"):  # those have numbers for names
            assert kinds_that_differ(recorded, made) == []
        if "_live_" in name:
            assert lacking(made, recorded, MORE.get(name, set())) == []

    check()


def test_the_error_recorded_is_told_in_the_same_words(shared: Path) -> None:
    recorded = recordings(shared, "edgex")["ws_error"]["content"]

    @staged
    async def check(stage: Stage) -> None:
        told = await said("ticker.100000001")(stage)
        assert told["content"] == recorded

    check()


def test_every_recording_has_a_check(shared: Path) -> None:
    assert recordings(shared, "edgex").keys() == ANSWERS.keys() | NOT_SIMULATED.keys()
    assert not ANSWERS.keys() & NOT_SIMULATED.keys()

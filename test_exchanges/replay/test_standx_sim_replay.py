"""The simulated StandX against every recorded payload: the same keys, the same kinds of value.

Most recordings are examples of the documentation; where a live one differs, the simulated venue
follows the live one, and the difference is listed with its reason. Requests are recorded too: each
must be one that the venue takes.
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
from sim.standx_stage import (
    BTC,
    ETH,
    ORDERS,
    SESSION,
    Stage,
    claims_of,
    market_order,
    order,
    staged,
    taker,
)

D = Decimal
Maker = Callable[[Stage], Awaitable[Any]]

OLDER = "an answer of before May 2026"
NOT_SIMULATED = {
    "http_cancel_orders_response_older_docs": OLDER,
    "http_new_order_request": "take-profit and stop-loss orders are not simulated",
    "ws_auth_response": "live, the code is 0 and the text is in `message`",
}
# Keys that only one side has.
SHORTENED = {"base", "quote", "symbol", "time", "seq", "mid_price", "spread"}
MISSING: dict[str, set[str]] = {
    "http_query_funding_history_response_docs": {"transact_time"},  # not in live rows
}
ENVELOPE = {"code", "message"}  # live, not in the examples
MORE: dict[str, set[str]] = {
    **dict.fromkeys(
        (
            "http_query_open_orders_response",
            "http_query_orders_response",
            "http_query_trades_response",
        ),
        ENVELOPE,
    ),
    "http_query_symbol_info_response": {"status"},  # live
    "http_query_symbol_info_response_older_docs": {"status"},
    "http_query_symbol_info_response_live_trimmed": {  # cut by its author
        *("created_at", "updated_at", "depth_ticks", "enabled", "max_open_orders"),
        *("max_order_qty", "max_position_size", "price_cap_ratio", "price_floor_ratio"),
        "quote_decimals",
    },
    "http_query_symbol_price_response_live_trimmed": SHORTENED,
    "http_query_symbol_market_response_live_trimmed": {*SHORTENED, "open_interest"},
    "ws_price_live_trimmed": SHORTENED,
}
# Kinds that differ, by place.
NUMBERS = {".high_price_24h", ".low_price_24h", ".volume_24h"}  # live they are JSON numbers
OTHERWISE: dict[str, set[str]] = {
    "http_query_symbol_market_response": NUMBERS,
    "http_query_position_config_response": {".leverage"},  # live it is text
}


def get(name: str, *, before: Maker | None = None, **query: Any) -> Maker:
    """The answer to a query."""

    async def make(stage: Stage) -> Any:
        if before is not None:
            await before(stage)
        return stage.get(name, **query)

    return make


def posted(name: str, fields: Any, before: Maker | None = None) -> Maker:
    async def make(stage: Stage) -> Any:
        if before is not None:
            await before(stage)
        return json.loads(stage.post(name, fields).encode()[0])

    return make


def told(channel: str, then: Maker | None, symbol: str = "") -> Maker:
    """The last frame of a channel that something causes, or the one that it starts with."""

    async def make(stage: Stage) -> Any:
        socket = stage.connect() if symbol else stage.listen()
        about = {"symbol": symbol} if symbol else {}
        assert stage.say(socket, {"subscribe": {"channel": channel, **about}}) is None
        if then is not None:
            await then(stage)
            await asyncio.sleep(1)
        return [frame for frame in socket.take() if frame["channel"] == channel][-1]

    return make


async def resting(stage: Stage) -> Any:
    return await stage.place("sell", cl_ord_id="mine")


async def bought(stage: Stage) -> Any:
    return await stage.place(**market_order(cl_ord_id="mine"))


async def funded(stage: Stage) -> Any:
    await bought(stage)
    stage.exchange.fund(D("0.0001"), ETH)


async def isolated(stage: Stage) -> Any:
    stage.done("change_margin_mode", {"symbol": ETH, "margin_mode": "isolated"})
    await bought(stage)


async def traded(stage: Stage) -> Any:
    stage.trade("3000.25", "0.5", "buy")
    stage.trade("2999.75", "0.25", "sell")


async def traded_btc(stage: Stage) -> Any:
    stage.quote("121884.01", "121895.81", symbols=(BTC,))
    stage.trade("121895.81", "0.09", "buy", BTC)


async def overview(stage: Stage) -> Any:
    await traded(stage)
    answer = stage.get("query_market_overview")
    change = answer["symbols"][0]["price_change_pct"]
    assert change != int(change)
    return answer


async def signed_in(stage: Stage) -> Any:
    token = stage.prepare(stage.wallet.address, stage.session.request_id).body["signedData"]
    return stage.login(stage.wallet.sign(claims_of(token)["message"]), token).body


async def to_be_signed(stage: Stage) -> Any:
    return stage.prepare(stage.wallet.address, stage.session.request_id).body


async def claims(stage: Stage) -> Any:
    return claims_of((await to_be_signed(stage))["signedData"])


async def region(stage: Stage) -> Any:
    return stage.send("GET", "/geo/v1/region").body


async def unsigned(stage: Stage) -> Any:
    return stage.post("new_order", order(), x_request_signature="AAAA").body


async def rates(stage: Stage) -> Any:
    await asyncio.sleep(3600)
    now = stage.clock.now_ms()
    span = {"start_time": now - 3_600_000, "end_time": now}
    return stage.get("query_funding_rates", symbol=ETH, **span)


async def authenticated(stage: Stage) -> Any:
    socket = stage.connect()
    stage.say(socket, {"auth": {"token": stage.session.token}})
    return socket.take()[0]


async def accepted(stage: Stage) -> Any:
    return stage.call(stage.order_socket(), "order:new", order())


def result(sent: Any) -> Maker:
    async def make(stage: Stage) -> Any:
        socket = stage.order_socket()
        stage.call(socket, "order:new", sent)
        await asyncio.sleep(1)
        return socket.take()[0]

    return make


async def goodbye(stage: Stage) -> Any:
    return stage.venue.render_silence(stage.connect())


ONE, LEVERAGE = {"order_id": 5}, {"symbol": ETH, "leverage": 10}
MODE = {"symbol": ETH, "margin_mode": "cross"}
TRANSFER = {"symbol": ETH, "amount_in": "1000.0"}
BARS = {"symbol": ETH, "from": 0, "to": 2_000_000_000, "resolution": "1", "countback": 5}
ANSWERS: dict[str, Maker] = {
    "http_cancel_order_response": posted("cancel_order", {"cl_ord_id": "mine"}, resting),
    "http_cancel_orders_response": posted("cancel_orders", {"cl_ord_id_list": ["a"]}),
    "http_change_leverage_response": posted("change_leverage", LEVERAGE),
    "http_change_margin_mode_response": posted("change_margin_mode", MODE),
    "http_error_invalid_body_signature_live": unsigned,
    "http_geo_region_response": region,
    "http_kline_history_response": get("kline/history", before=traded, **BARS),
    "http_kline_time_response": get("kline/time"),
    "http_login_response": signed_in,
    "http_new_order_response": posted("new_order", order()),
    "http_prepare_signin_response": to_be_signed,
    "http_query_balance_response": get("query_balance", before=resting),
    "http_query_depth_book_response": get("query_depth_book", symbol=ETH),
    "http_query_funding_history_response_docs": get("query_funding_history", before=funded),
    "http_query_funding_history_response_live": get("query_funding_history", before=funded),
    "http_query_funding_rates_response": rates,
    "http_query_market_overview_response": overview,
    "http_query_open_orders_response": get("query_open_orders", before=resting),
    "http_query_order_response": get("query_order", before=resting, cl_ord_id="mine"),
    "http_query_orders_response": get("query_orders", before=resting),
    "http_query_position_config_response": get("query_position_config", symbol=ETH),
    "http_query_positions_response": get("query_positions", before=isolated),
    "http_query_recent_trades_response": get("query_recent_trades", before=traded, symbol=ETH),
    "http_query_recent_trades_response_live_trimmed": get(
        "query_recent_trades", before=traded, symbol=ETH
    ),
    "http_query_symbol_info_response": get("query_symbol_info", symbol=BTC),
    "http_query_symbol_info_response_live_trimmed": get("query_symbol_info"),
    "http_query_symbol_info_response_older_docs": get("query_symbol_info"),
    "http_query_symbol_market_response": get("query_symbol_market", before=traded_btc, symbol=BTC),
    "http_query_symbol_market_response_live_trimmed": get(
        "query_symbol_market", before=traded_btc, symbol=BTC
    ),
    "http_query_symbol_price_response": get("query_symbol_price", symbol=ETH),
    "http_query_symbol_price_response_live_trimmed": get("query_symbol_price", symbol=ETH),
    "http_query_trades_response": get("query_trades", before=bought),
    "http_signed_data_payload": claims,
    "http_transfer_margin_response": posted("transfer_margin", TRANSFER, isolated),
    "ws_api_accepted_response": accepted,
    "ws_api_rejection_response": result(order(price="3000.00")),
    "ws_api_success_response": result(order()),
    "ws_auth_response_live": authenticated,
    "ws_balance": told("balance", bought),
    "ws_depth_book": told("depth_book", None, ETH),
    "ws_order": told("order", bought),
    "ws_pong_timeout_error": goodbye,
    "ws_position": told("position", bought),
    "ws_price": told("price", None, ETH),
    "ws_price_live_trimmed": told("price", None, ETH),
}


async def takes_cancel(stage: Stage, body: Any) -> None:
    row = await resting(stage)
    stage.done("cancel_order", {**body, "order_id": row["id"]})


async def takes_cancels(stage: Stage, body: Any) -> None:
    stage.done("cancel_orders", body)


async def takes_leverage(stage: Stage, body: Any) -> None:
    stage.done("change_leverage", body)


async def takes_mode(stage: Stage, body: Any) -> None:
    stage.done("change_margin_mode", body)


async def takes_transfer(stage: Stage, body: Any) -> None:
    stage.quote("121884.01", "121895.81", symbols=(BTC,))
    stage.done("change_margin_mode", {"symbol": BTC, "margin_mode": "isolated"})
    await stage.place(**market_order(symbol=BTC))
    stage.done("transfer_margin", body)


async def takes_login(stage: Stage, body: Any) -> None:
    params = json.dumps({**json.loads(body["params"]), "token": stage.session.token})
    reply = stage.say(stage.connect(ORDERS), {**body, "params": params})
    assert (reply["code"], reply["request_id"]) == (0, body["request_id"])


async def takes_call(stage: Stage, body: Any) -> None:
    made = stage.session.envelope("order:new", taker(), stage.clock.now_ms())
    assert (made.keys(), made["header"].keys()) == (body.keys(), body["header"].keys())
    assert made["session_id"] == SESSION
    assert stage.say(stage.order_socket(), made)["code"] == 0


async def takes_proof(stage: Stage, body: Any) -> None:
    socket = stage.connect()
    proof = {**body["auth"], "token": stage.session.token}
    assert stage.say(socket, {"auth": proof}) is None
    assert socket.account == stage.account


async def takes_subscription(stage: Stage, body: Any) -> None:
    socket = stage.listen()
    assert stage.say(socket, body) is None
    assert [topic[0] for topic in socket.topics.values()] == [body["subscribe"]["channel"]]


TAKEN: dict[str, Callable[[Stage, Any], Awaitable[None]]] = {
    "http_cancel_order_request": takes_cancel,
    "http_cancel_orders_request": takes_cancels,
    "http_change_leverage_request": takes_leverage,
    "http_change_margin_mode_request": takes_mode,
    "http_transfer_margin_request": takes_transfer,
    "ws_api_auth_login_request": takes_login,
    "ws_api_request_structure": takes_call,
    "ws_auth_request": takes_proof,
    **{
        f"ws_subscribe_{channel}_request": takes_subscription
        for channel in ("balance", "depth_book", "order", "position", "price")
    },
}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_answers_and_frames_are_shaped_as_recorded(name: str, shared: Path) -> None:
    recorded = shape(recordings(shared, "standx")[name])

    @staged
    async def check(stage: Stage) -> None:
        made = shape(await ANSWERS[name](stage))
        assert lacking(recorded, made, MISSING.get(name, set())) == []
        assert lacking(made, recorded, MORE.get(name, set())) == []
        differ = {line.partition(": ")[0] for line in kinds_that_differ(recorded, made)}
        assert differ == OTHERWISE.get(name, set())

    check()


@pytest.mark.parametrize("name", sorted(TAKEN))
def test_requests_are_taken_as_recorded(name: str, shared: Path) -> None:
    body = recordings(shared, "standx")[name]

    @staged
    async def check(stage: Stage) -> None:
        await TAKEN[name](stage, body)

    check()


WORDS = [
    "http_error_invalid_body_signature_live",
    "http_new_order_response",
    "ws_api_accepted_response",
    "ws_api_rejection_response",
    "ws_api_success_response",
    "ws_auth_response_live",
    "ws_pong_timeout_error",
]


@pytest.mark.parametrize("name", WORDS)
def test_words_are_those_recorded(name: str, shared: Path) -> None:
    recorded = recordings(shared, "standx")[name]

    @staged
    async def check(stage: Stage) -> None:
        made = await ANSWERS[name](stage)
        changing = {"request_id", "seq"}
        assert {k: v for k, v in made.items() if k not in changing} == {
            k: v for k, v in recorded.items() if k not in changing
        }

    check()


def test_every_recording_has_a_check(shared: Path) -> None:
    checked = [ANSWERS.keys(), TAKEN.keys(), NOT_SIMULATED.keys()]
    assert recordings(shared, "standx").keys() == set().union(*checked)
    assert sum(map(len, checked)) == len(set().union(*checked))

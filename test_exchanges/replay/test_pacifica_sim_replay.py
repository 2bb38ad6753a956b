"""The simulated Pacifica against every recorded payload: the same keys, the same kinds of value.

One connector keeps its recordings with JSON numbers turned into text (their SOURCES.md says so), so
ids, times and counts are compared as numbers. What differs is listed with its reason.
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
from sim.pacifica_stage import ETH, SPOT, Stage, cid, market_order, order, staged, taker

D = Decimal
Maker = Callable[[Stage], Awaitable[Any]]
UPDATES = "account_order_updates"

TRIGGER = "trigger orders are not simulated"
CANDLES = "candles are not simulated"
CLUSTER = "an outage has a body by fault only"
NOT_SIMULATED = {
    "http_create_stop_order_ok": TRIGGER,
    "http_position_tpsl_ok": TRIGGER,
    "http_kline": CANDLES,
    "ws_candle": CANDLES,
    "ws_mark_price_candle": CANDLES,
    "http_error_500": CLUSTER,
}
# JSON numbers that one source quotes.
QUOTED = {
    *("order_id", "last_order_id", "cancelled_count", "n", "t", "fee_level", "positions_count"),
    *("orders_count", "stop_orders_count", "created_at", "updated_at"),
}
# Keys that only one side has.
MISSING: dict[str, set[str]] = {
    "ws_error_cancel": {"rl"},  # told only to a client with an API config key
}
UNIFIED = {"cross_account_equity", "spot_market_value", "spot_collateral", "spot_balances"}
MORE: dict[str, set[str]] = {
    "http_account": UNIFIED,  # recorded before unified margin
    "http_open_orders": {"trigger_price_type", "parent_id"},  # newer than the example
    "http_open_order_item": {"parent_id"},
    "http_positions_docs": {"liquidation_price"},  # newer
    "http_error_cancel_unknown_order": {"error_id"},  # newer
    "ws_bbo": {"li"},  # added on 2026-01-12
}
# Codes that were renumbered in 2026, after the recording.
RENUMBERED = {"http_error_cancel_unknown_order"}


def get(
    path: str, *, before: Maker | None = None, inside: str = "", one: bool = False, **query: Any
) -> Maker:
    """The answer to a read, or a part of it; of the account where the path is about one."""

    async def make(stage: Stage) -> Any:
        if before is not None:
            await before(stage)
        own = {"account": stage.account} if path in stage.venue.accounts.answers else {}
        answer = stage.get(path, **own, **query)
        answer = {**answer, "data": answer["data"][inside]} if inside else answer
        return answer["data"][0] if one else answer

    return make


def posted(path: str, fields: Any, *, by_owner: bool = False) -> Maker:
    async def make(stage: Stage) -> Any:
        return stage.done(path, fields, stage.owner if by_owner else stage.agent)

    return make


def refused(path: str, fields: Any, **over: Any) -> Maker:
    async def make(stage: Stage) -> Any:
        return stage.ask(path, fields, **over).body

    return make


def called(name: str, fields: Any, before: Maker | None = None) -> Maker:
    """The answer to a call over the socket."""

    async def make(stage: Stage) -> Any:
        if before is not None:
            await before(stage)
        made = fields(stage) if callable(fields) else fields
        return stage.call(stage.connect(), name, made)

    return make


async def resting(stage: Stage) -> Any:
    stage.place(client_order_id=cid(1))


async def canceled(stage: Stage) -> Any:
    await resting(stage)
    stage.done("/orders/cancel", {"symbol": ETH, "client_order_id": cid(1)})


async def held(stage: Stage) -> Any:
    await stage.take("ask", "1", client_order_id=cid(1))


async def funded(stage: Stage) -> Any:
    await held(stage)
    stage.exchange.fund(D("0.0001"), ETH)


async def chosen(stage: Stage) -> Any:
    stage.done("/account/leverage", {"symbol": ETH, "leverage": 5})


async def with_coins(stage: Stage) -> Any:
    stage.place(**taker(symbol=SPOT))
    await asyncio.sleep(1)


async def history_of_resting(stage: Stage) -> Any:
    return stage.get("/orders/history_by_id", order_id=stage.place())


async def history_of_canceled(stage: Stage) -> Any:
    number = stage.place()
    stage.done("/orders/cancel", {"symbol": ETH, "order_id": number})
    return stage.get("/orders/history_by_id", order_id=number)


async def history_of_none(stage: Stage) -> Any:
    return stage.read("/orders/history_by_id", order_id=28416222569).body


async def edited(stage: Stage) -> Any:
    await resting(stage)
    return stage.done("/orders/edit", CHANGE)


async def batch(stage: Stage) -> Any:
    orders = [("Create", order(client_order_id=cid(number))) for number in (1, 2)]
    return json.loads(stage.post("/orders/batch", stage.batch(*orders)).encode()[0])


async def failed_item(stage: Stage) -> Any:
    body = stage.batch(("Cancel", {"symbol": ETH, "order_id": 5}))
    return stage.post("/orders/batch", body).body["data"]["results"][0]


async def more_to_come(stage: Stage) -> Any:
    for price in ("2990", "2991"):
        stage.place(price=price)


async def no_access(stage: Stage) -> Any:
    request = stage.venue.render_reject
    return request(None, "PERMISSION", "").body  # type: ignore[arg-type]


async def stranger(stage: Stage) -> Any:
    body = stage.signed("/orders/create", order(), stage.owner)
    return stage.post("/orders/create", {**body, "agent_wallet": stage.account}).body


def told(source: str, then: Maker | None, **params: Any) -> Maker:
    """The last frame of a channel: the snapshot, or what something causes."""

    async def make(stage: Stage) -> Any:
        socket = stage.connect()
        stage.subscribe(socket, source, **params)
        if then is not None:
            await then(stage)
            await asyncio.sleep(2)
        return [f for f in socket.take() if f["channel"] == source][-1]

    return make


async def moved(stage: Stage) -> Any:
    await asyncio.sleep(2)
    stage.quote("3001", "3001.2")


async def traded(stage: Stage) -> Any:
    stage.trade("3000", "0.5", "buy")


async def grown(stage: Stage) -> Any:
    await stage.take("bid", "1")
    await stage.take("bid", "1")


async def gone(stage: Stage) -> Any:
    await stage.take("bid", "1")
    await stage.take("ask", "1")


async def snapshot_of_position(stage: Stage) -> Any:
    await held(stage)
    return await told("account_positions", None)(stage)


async def snapshot_of_orders(stage: Stage) -> Any:
    await resting(stage)
    return await told("account_orders", None)(stage)


async def isolated(stage: Stage) -> Any:
    stage.done("/account/margin", {"symbol": ETH, "is_isolated": True})


async def ponged(stage: Stage) -> Any:
    return stage.say(stage.connect(), {"method": "ping"})


def acknowledged(method: str) -> Maker:
    async def make(stage: Stage) -> Any:
        params = {"source": "book", "symbol": ETH, "agg_level": 1}
        socket = stage.connect()
        stage.say(socket, {"method": method, "params": params})
        return socket.take()[0]

    return make


def request_of(name: str, path: str) -> Maker:
    """A call as our test client makes it, which the venue answers with 200."""

    async def make(stage: Stage) -> Any:
        await resting(stage)
        fields = {
            "create_order": order(client_order_id=cid(2)),
            "create_market_order": market_order(client_order_id=cid(3)),
            "cancel_order": {"symbol": ETH, "client_order_id": cid(1)},
        }
        body = stage.signed(path, fields[name], stage.owner)
        message = {"id": "660065de-8f32-46ad-ba1e-83c93d3e3966", "params": {name: body}}
        assert stage.say(stage.connect(), message)["code"] == 200
        return message

    return make


async def request_of_batch(stage: Stage) -> Any:
    stage.agent = stage.owner
    number = stage.place()
    body = stage.batch(
        ("Create", order(client_order_id=cid(2))), ("Cancel", {"symbol": ETH, "order_id": number})
    )
    message = {"id": "660065de-8f32-46ad-ba1e-83c93d3e3966", "params": {"batch_orders": body}}
    assert stage.say(stage.connect(), message)["code"] == 200
    return message


def batch_call(stage: Stage) -> Any:
    return stage.batch(("Create", order(client_order_id=cid(1))), ("Create", order()))


EVERYTHING = {"all_symbols": True, "exclude_reduce_only": False}
CHANGE = {"symbol": ETH, "client_order_id": cid(1), "price": "2991", "amount": "0.1"}
MISSED = {"symbol": ETH, "order_id": 5}
ANSWERS: dict[str, Maker] = {
    "http_account": get("/account"),
    "http_account_settings": get("/account/settings", before=chosen, inside="margin_settings"),
    "http_account_unified_margin": get("/account", before=with_coins),
    "http_api_keys_create_ok": posted("/account/api_keys/create", {}, by_owner=True),
    "http_api_keys_list_empty": posted("/account/api_keys", {}, by_owner=True),
    "http_batch_cancel_failed_item": failed_item,
    "http_batch_create_ok": batch,
    "http_book": get("/book", symbol=ETH),
    "http_cancel_all_ok": posted("/orders/cancel_all", EVERYTHING),
    "http_create_market_order_ok": posted("/orders/create_market", market_order()),
    "http_edit_order_ok": edited,
    "http_error_400_agent_not_authorized": stranger,
    "http_error_400_signature": refused("/orders/create", order(), amount="0.2"),
    "http_error_403_beta_access": no_access,
    "http_error_404_order_history": history_of_none,
    "http_error_amount_too_low": refused("/orders/create", order(amount="0.0033")),
    "http_error_cancel_unknown_order": refused("/orders/cancel", MISSED),
    "http_funding_history": get("/funding/history", before=funded),
    "http_funding_rate_history": get("/funding_rate/history", symbol=ETH),
    "http_info": get("/info"),
    "http_info_prices": get("/info/prices"),
    "http_open_order_item": get("/orders", before=resting, one=True),
    "http_open_orders": get("/orders", before=resting),
    "http_order_history_by_id": history_of_resting,
    "http_order_history_by_id_docs": history_of_canceled,
    "http_orders_history": get("/orders/history", before=more_to_come, limit=1),
    "http_positions": get("/positions", before=held),
    "http_positions_docs": get("/positions", before=held),
    "http_recent_trades": get("/trades", before=traded, symbol=ETH),
    "http_trades_history": get("/trades/history", before=held),
    "ws_account_info": told("account_info", None),
    "ws_account_margin": told("account_margin", isolated),
    "ws_account_order_updates": told(UPDATES, held),
    "ws_account_orders_1": snapshot_of_orders,
    "ws_account_orders_2": told("account_orders", resting),
    "ws_account_positions_flat": told("account_positions", gone),
    "ws_account_positions_increased": told("account_positions", grown),
    "ws_account_positions_snapshot": snapshot_of_position,
    "ws_account_trades": told("account_trades", gone),
    "ws_batch_orders_ok": called("batch_orders", batch_call),
    "ws_bbo": told("bbo", moved, symbol=ETH),
    "ws_book": told("book", moved, symbol=ETH),
    "ws_cancel_all_orders_ok": called("cancel_all_orders", EVERYTHING),
    "ws_cancel_order_ok": called(
        "cancel_order", {"symbol": ETH, "client_order_id": cid(1)}, resting
    ),
    "ws_create_market_order_ok": called("create_market_order", market_order()),
    "ws_create_order_ok": called("create_order", order(client_order_id=cid(1))),
    "ws_edit_order_ok": called("edit_order", CHANGE, resting),
    "ws_error_cancel": called("cancel_order", MISSED),
    "ws_pong": ponged,
    "ws_prices": told("prices", moved),
    "ws_request_batch_orders": request_of_batch,
    "ws_request_cancel_order": request_of("cancel_order", "/orders/cancel"),
    "ws_request_create_market_order": request_of("create_market_order", "/orders/create_market"),
    "ws_request_create_order": request_of("create_order", "/orders/create"),
    "ws_subscribe_ack": acknowledged("subscribe"),
    "ws_trades": told("trades", traded, symbol=ETH),
    "ws_unsubscribe_ack": acknowledged("unsubscribe"),
}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_answers_and_frames_are_shaped_as_recorded(name: str, shared: Path) -> None:
    recorded = shape(recordings(shared, "pacifica")[name], QUOTED)

    @staged
    async def check(stage: Stage) -> None:
        made = shape(await ANSWERS[name](stage), QUOTED)
        assert lacking(recorded, made, MISSING.get(name, set())) == []
        assert lacking(made, recorded, MORE.get(name, set())) == []
        assert kinds_that_differ(recorded, made) == []

    check()


@pytest.mark.parametrize("name", sorted(name for name in ANSWERS if "error" in name))
def test_errors_are_those_recorded(name: str, shared: Path) -> None:
    recorded = recordings(shared, "pacifica")[name]

    @staged
    async def check(stage: Stage) -> None:
        made = await ANSWERS[name](stage)
        said, wanted = (words(one).replace(stage.account, "<account>") for one in (made, recorded))
        assert said == wanted
        if name not in RENUMBERED:
            assert made["code"] == recorded["code"]
            assert made.get("error_id") == recorded.get("error_id")

    check()


def words(answer: Any) -> str:
    """The text of an error, without the amount that it is about."""
    return re.sub(r"\d+\.\d+", "#", answer.get("error") or answer["err"])


def test_every_recording_has_a_check(shared: Path) -> None:
    assert recordings(shared, "pacifica").keys() == ANSWERS.keys() | NOT_SIMULATED.keys()
    assert not ANSWERS.keys() & NOT_SIMULATED.keys()

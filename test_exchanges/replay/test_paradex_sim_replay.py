"""The simulated Paradex against every recorded payload: the same keys, the same kinds of value.

Most recordings are of 2024, some are examples of the documentation; where today's API has more, or
an example was cut, it is listed with its reason.
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
from sim.paradex_stage import ETH, SOON, Stage, data, staged

D = Decimal
Maker = Callable[[Stage], Awaitable[Any]]

NOT_SIMULATED = {"http_option_summary_greeks": "options are not simulated"}
# JSON numbers that one source quotes, and amounts of which some are empty text.
QUOTED = {"paraclear_decimals"}
NEWER = {"market_kind", "max_slippage", "interest_rate", "clamp_rate", "fee_config"}
NEWER |= {"funding_period_hours", "funding_multiplier"}
BEST = {f"best_{side}_{who}" for side in ("bid", "ask") for who in ("api", "interactive")}
FILL = {"realized_pnl", "realized_funding", "account", "underlying_price", "flags"}
CUT_ORDER = {
    *("account", "avg_fill_price", "cancel_reason", "client_id", "created_at", "flags"),
    *("instruction", "last_updated_at", "published_at", "received_at", "remaining_size"),
    *("seq_no", "stp", "timestamp", "trigger_price"),
}
STREAMED_ORDER = {"published_at", "received_at", "seq_no", "stp", "timestamp", "trigger_price"}
POSITION = {
    *("account", "average_entry_price_usd", "cost", "realized_pnl", "unrealized_funding_pnl"),
    *("cached_funding_index", "last_fill_id", "seq_no"),
}
OTHER_RATES = {"interactive_fee", "rpi_fee"}
MORE: dict[str, set[str]] = {
    "http_account_fees": OTHER_RATES,
    "http_markets": NEWER,
    "http_markets_summary": {"bid_size", "ask_size"},
    "http_orderbook": BEST,
    "http_fills": FILL,
    "http_positions": {"account"},
    "http_account_margin": {"margin_methodology"},
    "http_orders_batch_errors": CUT_ORDER,
    "ws_orders": STREAMED_ORDER,
    "ws_fills": FILL,
    "ws_positions": POSITION,
    "ws_markets_summary": {"bid_size", "ask_size"},
    "ws_trades": {"seq_no"},
    "ws_auth_ack": {"usIn", "usDiff", "usOut"},
    "ws_auth_ack_docs": {"usOut"},
    "ws_subscribe_ack_docs": {"usOut"},
    "ws_unsubscribe_ack_docs": {"usOut"},
}
# Kinds that an example leaves open: an average of an order that has not filled, ids that are words.
OPEN = {
    "http_order_created": {"avg_fill_price"},
    "http_order_modified": {"avg_fill_price", "id"},
    "http_orders_cancel_batch": {"id"},
    "http_orders_history": {"avg_fill_price"},
    "http_orders_open": {"avg_fill_price"},
    "ws_markets_summary": {"price_change_rate_24h"},  # empty where nothing was traded
}


def get(path: str, *, before: Maker | None = None, **query: Any) -> Maker:
    async def make(stage: Stage) -> Any:
        if before is not None:
            await before(stage)
        return stage.get(path, **query)

    return make


async def resting(stage: Stage) -> Any:
    return await stage.settled(client_id="cid", flags=["MMP"])


async def held(stage: Stage) -> Any:
    return await stage.settled(stage.taker(client_id="cid", flags=["MMP"]))


async def traded(stage: Stage) -> Any:
    stage.trade("3000", "0.026", "buy")


async def created(stage: Stage) -> Any:
    return stage.place(client_id="cid", flags=["MMP"])


async def modified(stage: Stage) -> Any:
    order = await resting(stage)
    body = stage.change(order, price="2991")
    return stage.request("PUT", f"/orders/{order['id']}", body).body


async def canceled(stage: Stage) -> Any:
    order = await resting(stage)
    stage.request("DELETE", f"/orders/{order['id']}")
    await asyncio.sleep(SOON)
    return stage.get(f"/orders/{order['id']}")


async def batch(stage: Stage) -> Any:
    sent = [stage.order(), stage.order(size="0")]
    body = stage.request("POST", "/orders/batch", sent).body
    return {"errors": body["errors"][1:], "orders": body["orders"][:1]}


async def cancels(stage: Stage) -> Any:
    live, dead = await stage.settled(client_id="a"), await stage.settled(stage.taker())
    body = {"order_ids": [live["id"], dead["id"]], "client_order_ids": ["none"]}
    return stage.request("DELETE", "/orders/batch", body).body


async def history(stage: Stage) -> Any:
    for _ in range(3):
        await resting(stage)
        stage.request("DELETE", "/orders")
        await asyncio.sleep(SOON)
    first = stage.get("/orders-history", page_size=1)
    return stage.get("/orders-history", page_size=1, cursor=first["next"])


async def not_onboarded(stage: Stage) -> Any:
    headers = {
        **stage.subkey.login(stage.now(), stage.now() + 9),
        "paradex-starknet-account": "0x5",
    }
    return stage.request("POST", "/auth", headers=headers).body


async def onboarded(stage: Stage) -> Any:
    return stage.get("/onboarding", public_key=hex(stage.owner.public_key))


async def fees(stage: Stage) -> Any:
    market = stage.get("/markets", market=ETH)["results"][0]
    return {"results": [{key: market[key] for key in ("symbol", "fee_config")}]}


def answered(method: str, params: Any) -> Maker:
    async def make(stage: Stage) -> Any:
        sent = params or {"bearer": stage.token}
        socket = stage.connect()
        if method == "unsubscribe":
            stage.say(socket, "subscribe", params)
        answer = stage.say(socket, method, sent)
        return answer or socket.frames[0]

    return make


def told(channel: str, then: Maker | None = None) -> Maker:
    """The last frame of a channel: what there is, or what something causes."""

    async def make(stage: Stage) -> Any:
        socket = stage.authenticated()
        assert stage.say(socket, "subscribe", {"channel": channel}) is None
        if then is not None:
            await then(stage)
        assert data(socket.frames), "nothing was told"
        return socket.take()[-1]

    return make


def asked(method: str, params: dict[str, Any]) -> Maker:
    """A request as our test client makes it, which the venue answers without an error."""

    async def make(stage: Stage) -> Any:
        sent = {"bearer": stage.token} if method == "auth" else params
        message = {"jsonrpc": "2.0", "method": method, "params": sent, "id": 0}
        socket = stage.connect()
        if method == "unsubscribe":
            stage.say(socket, "subscribe", params)
        answer = stage.venue.accept_message(socket, json.dumps(message))
        assert answer is None or "result" in answer
        return message

    return make


CHANNEL = {"channel": f"bbo.{ETH}"}
ANSWERS: dict[str, Maker] = {
    "http_account_fees": fees,
    "http_account_margin": get("/account/margin"),
    "http_balance": get("/balance"),
    "http_error_not_onboarded": not_onboarded,
    "http_fills": get("/fills", before=held),
    "http_markets": get("/markets"),
    "http_markets_summary": get("/markets/summary", market="ALL"),
    "http_onboarding_get": onboarded,
    "http_order": canceled,
    "http_order_created": created,
    "http_order_modified": modified,
    "http_orderbook": get(f"/orderbook/{ETH}"),
    "http_orders_batch_errors": batch,
    "http_orders_cancel_batch": cancels,
    "http_orders_history": history,
    "http_orders_open": get("/orders", before=resting),
    "http_positions": get("/positions", before=held),
    "http_system_config_testnet": get("/system/config"),
    "http_system_state": get("/system/state"),
    "http_system_time": get("/system/time"),
    "http_trades": get("/trades", before=traded, market=ETH),
    "ws_auth_ack": answered("auth", None),
    "ws_auth_ack_docs": answered("auth", None),
    "ws_auth_request_docs": asked("auth", {}),
    "ws_balance_or_account": told("account", held),
    "ws_error": answered("subscribe", {"channel": "nothing"}),
    "ws_error_bearer_docs": answered("auth", {"bearer": "a.b.c"}),
    "ws_error_method_not_found_docs": answered("guess", {"it": 1}),
    "ws_error_params_docs": answered("subscribe", "all"),
    "ws_fills": told("fills.ALL", held),
    "ws_funding_data": told("funding_data"),
    "ws_markets_summary": told(f"markets_summary.{ETH}"),
    "ws_order_book_snapshot": told(f"order_book.{ETH}.snapshot@15@50ms"),
    "ws_orders": told("orders.ALL", held),
    "ws_positions": told("positions", held),
    "ws_subscribe_ack_docs": answered("subscribe", CHANNEL),
    "ws_subscribe_request_docs": asked("subscribe", CHANNEL),
    "ws_trades": told("trades.ALL", traded),
    "ws_unsubscribe_ack_docs": answered("unsubscribe", CHANNEL),
    "ws_unsubscribe_request_docs": asked("unsubscribe", CHANNEL),
}


def closed(name: str, places: dict[str, str]) -> dict[str, str]:
    """Without the places whose kinds an example leaves open."""
    left = OPEN.get(name, set())
    return {place: kind for place, kind in places.items() if place.rpartition(".")[2] not in left}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_answers_and_frames_are_shaped_as_recorded(name: str, shared: Path) -> None:
    recorded = shape(recordings(shared, "paradex")[name], QUOTED)

    @staged
    async def check(stage: Stage) -> None:
        made = shape(await ANSWERS[name](stage), QUOTED)
        assert lacking(recorded, made, set()) == []
        assert lacking(made, recorded, MORE.get(name, set())) == []
        assert kinds_that_differ(closed(name, recorded), made) == []

    check()


def test_errors_are_those_recorded(shared: Path) -> None:
    recorded = recordings(shared, "paradex")
    errors = [name for name in recorded if name.startswith("ws_error")]
    assert len(errors) == 4

    @staged
    async def check(stage: Stage) -> None:
        for name in errors:
            assert (await ANSWERS[name](stage))["error"] == recorded[name]["error"]
        assert await not_onboarded(stage) == recorded["http_error_not_onboarded"]

    check()


def test_every_recording_has_a_check(shared: Path) -> None:
    assert recordings(shared, "paradex").keys() == ANSWERS.keys() | NOT_SIMULATED.keys()
    assert not ANSWERS.keys() & NOT_SIMULATED.keys()

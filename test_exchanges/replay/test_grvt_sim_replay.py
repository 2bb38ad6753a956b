"""The simulated GRVT against every recorded payload: the same keys, the same JSON types.

For live captures the spelling of each text counts too: where the venue writes "0.0" or a whole
number or hexadecimal, so does the simulator. Examples from documentation have invented values and
some wrong types, so only their keys count.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sim.grvt_stage import ETH, Stage
from sim.test_grvt_sim import BUMP, staged
from sim.test_grvt_sim import position_config as position_config_body

from mpdex.sim.venues.grvt_wire import Refusal, parse_order, parse_signature

SYNTHETIC = "no candles: the simulator does not aggregate trades"
NOT_SIMULATED = {
    "http_kline_1d": SYNTHETIC,
    "http_kline_1m": SYNTHETIC,
    "ws_candle_doc": SYNTHETIC,
    "ws_candle_snapshot": SYNTHETIC,
}
# The source of these captures quotes numbers (SOURCES.md says so); the wire has JSON numbers.
QUOTED = {"num_orders", "v", "nonce"}
# Fields of newer or older versions of the venue that the simulator leaves out.
ISOLATED = {"isolated_balance", "isolated_im", "isolated_mm"}
BALANCES = {"entry_price", "realized_pnl", "unrealized_pnl", "available_to_transfer"}
LEFT_OUT: dict[str, set[str]] = {
    "ws_position_doc": ISOLATED,
    "http_positions_doc": ISOLATED,
    "http_account_summary_doc": ISOLATED
    | BALANCES
    | {"is_vault", "vault_im_additions", "sub_account_mode", "margin_balance"},
    "http_funding_account_summary_doc": BALANCES,
    "http_error_doc": {"request_id"},  # seen in documentation only
    "ws_fill_doc": {"fee_currency", "repayment_scenario", "rfq_id"},
    "http_bulk_orders_doc": {"is_split_position", "book_size"},  # null, live
    "ws_order_doc": {"is_split_position"},
    "ws_rpc_create_order_reply_2024": {"jsonrpc"},  # empty in 2024, "2.0" since
}


async def a_position(stage: Stage) -> None:
    stage.create(stage.taker(size="1.0"))
    await asyncio.sleep(BUMP)


def public(stage: Stage) -> Any:
    return stage.connect("/market-data/ws/full", logged_in=False)


async def create(stage: Stage) -> Any:
    return stage.create(stage.order()).body


async def book(stage: Stage) -> Any:
    return stage.market("book", instrument=ETH, depth=10)


async def all_instruments(stage: Stage) -> Any:
    return stage.market("all_instruments", is_active=True)


async def one_instrument(stage: Stage) -> Any:
    return stage.market("instrument", instrument=ETH)


async def bare_instrument(stage: Stage) -> Any:
    return stage.market("instrument", instrument=ETH)["result"]


async def login(stage: Stage) -> Any:
    return stage.login().body


async def bulk(stage: Stage) -> Any:
    body = {
        "sub_account_id": stage.account,
        "orders": [stage.order()],
        "client_order_i_ds": ["1"],
    }
    return stage.post("/trades/full/v2/bulk_orders", body).body


async def open_orders(stage: Stage) -> Any:
    stage.create(stage.order())
    return stage.trades("open_orders")


async def filled_order(stage: Stage) -> Any:
    order = stage.taker(is_market=False)
    stage.create(order)
    await asyncio.sleep(BUMP)
    return stage.trades("order", client_order_id=order["metadata"]["client_order_id"])


async def fill_frame(stage: Stage) -> Any:
    socket = stage.connect()
    stage.listen(socket, "v1.fill", f"{stage.account}-{ETH}")
    await a_position(stage)
    return socket.take()[0]


async def order_frame(stage: Stage) -> Any:
    socket = stage.connect()
    stage.listen(socket, "v1.order", stage.account)
    stage.create(stage.order())
    await asyncio.sleep(0.001)
    return socket.take()[0]


async def state_frame(stage: Stage) -> Any:
    socket = stage.connect()
    stage.listen(socket, "v1.state", stage.account)
    stage.create(stage.order())
    await asyncio.sleep(0.001)
    return socket.take()[0]


async def cancel_frame(stage: Stage) -> Any:
    socket = stage.connect()
    stage.listen(socket, "v1.cancel", stage.account)
    stage.trades("cancel_order", client_order_id="5")
    await asyncio.sleep(0.2)
    return socket.take()[0]


async def rpc_create(stage: Stage) -> Any:
    return stage.call(stage.connect(), "v1/create_order", {"order": stage.order()}, id=2)


async def trade_frame(stage: Stage) -> Any:
    stage.trade("3000.0", "1", "buy")
    return await snapshot("v1.trade", f"{ETH}@50")(stage)


async def mini_delta(stage: Stage) -> Any:
    socket = public(stage)
    stage.listen(socket, "v1.mini.d", f"{ETH}@500")
    socket.take()
    stage.quote("2999.99", "3000.00", "4")
    stage.exchange.move(Decimal(0), ETH)
    await asyncio.sleep(0.6)
    frame = socket.take()[0]
    frame["feed"]["index_price"] = stage.market("mini", instrument=ETH)["result"]["index_price"]
    return frame


async def book_delta(stage: Stage) -> Any:
    socket = public(stage)
    stage.listen(socket, "v1.book.d", f"{ETH}@50")
    socket.take()
    stage.quote("2999.98", "3000.01", "4")
    await asyncio.sleep(0.06)
    return socket.take()[0]


async def position_snapshot(stage: Stage) -> Any:
    await a_position(stage)
    socket = stage.connect()
    stage.listen(socket, "v1.position", f"{stage.account}-{ETH}")
    return socket.take()[0]


async def legacy_subscription(stage: Stage) -> Any:
    socket = stage.connect("/trades/ws")
    frame = {"request_id": 1, "stream": "v1.order", "feed": [stage.account], "is_full": True}
    stage.venue.accept_message(socket, json.dumps({**frame, "method": "subscribe"}))
    return socket.take()[0]


async def unsubscription(stage: Stage) -> Any:
    socket = stage.connect()
    stage.listen(socket, "v1.order", stage.account)
    params = {"stream": "v1.order", "selectors": [stage.account]}
    stage.call(socket, "unsubscribe", params, id=123)
    return socket.take()[0]


async def invalid_instrument(stage: Stage) -> Any:
    params = {"stream": "v1.mini.d", "selectors": ["X_USDT_Perp@500"]}
    return stage.call(public(stage), "subscribe", params)


async def without_session(stage: Stage) -> Any:
    params = {"stream": "v1.order", "selectors": [stage.account]}
    return stage.call(stage.connect(logged_in=False), "subscribe", params, id=123)


async def rest_error(stage: Stage) -> Any:
    return stage.post("/trades/full/v1/positions", {}, {}).body


async def position_config(stage: Stage) -> Any:
    body = position_config_body(stage, "5", "CROSS")
    return stage.post("/trades/full/v1/set_position_config", body).body


async def funding_payments(stage: Stage) -> Any:
    await a_position(stage)
    stage.exchange.fund(Decimal("0.0001"))
    return stage.trades("funding_payment_history")


async def trade_history(stage: Stage) -> Any:
    stage.trade("3000.0", "1", "buy")
    return stage.market("trade_history", instrument=ETH, limit=10)


def snapshot(stream: str, selector: str) -> Callable[[Stage], Any]:
    async def make(stage: Stage) -> Any:
        socket = public(stage)
        stage.listen(socket, stream, selector)
        return socket.take()[0]

    return make


def subscription(path: str, stream: str, selector: str) -> Callable[[Stage], Any]:
    async def make(stage: Stage) -> Any:
        socket = stage.connect(path)
        selected = selector.format(stage.account)
        stage.call(socket, "subscribe", {"stream": stream, "selectors": [selected]})
        return socket.take()[0]

    return make


def ask(name: str, *, held: bool = False, **body: Any) -> Callable[[Stage], Any]:
    async def make(stage: Stage) -> Any:
        if held:
            await a_position(stage)
        call = stage.market if name in stage.venue.market.answers else stage.trades
        return call(name, **body)

    return make


ANSWERS: dict[str, Callable[[Stage], Any]] = {
    "http_account_summary_doc": ask("account_summary", held=True),
    "http_account_summary_no_positions": ask("account_summary"),
    "http_all_instruments": all_instruments,
    "http_api_key_login_body": login,
    "http_book": book,
    "http_bulk_orders_doc": bulk,
    "http_cancel_all_orders_ack": ask("cancel_all_orders"),
    "http_cancel_order_ack": ask("cancel_order", client_order_id="5"),
    "http_create_order_pending": create,
    "http_create_order_pending_full": create,
    "http_create_order_pending_trigger": create,
    "http_currency": ask("currency"),
    "http_error_doc": rest_error,
    "http_fill_history_maker_rebate": ask("fill_history", held=True),
    "http_fill_history_two_taker": ask("fill_history", held=True),
    "http_funding": ask("funding", instrument=ETH),
    "http_funding_account_summary_doc": ask("funding_account_summary"),
    "http_funding_payment_history": funding_payments,
    "http_get_all_initial_leverage": ask("get_all_initial_leverage"),
    "http_get_sub_accounts_doc": ask("get_sub_accounts"),
    "http_instrument_btc_usdt_perp": bare_instrument,
    "http_instrument_doc": one_instrument,
    "http_margin_rules_doc": ask("margin_rules", instrument=ETH),
    "http_open_orders_empty": ask("open_orders"),
    "http_open_orders_one_open": open_orders,
    "http_order_filled": filled_order,
    "http_order_history_filled": ask("order_history", held=True),
    "http_positions_doc": ask("positions", held=True),
    "http_positions_empty": ask("positions"),
    "http_positions_one_long": ask("positions", held=True),
    "http_set_initial_leverage": ask("set_initial_leverage", instrument=ETH, leverage="10"),
    "http_set_position_config_doc": position_config,
    "http_ticker": ask("ticker", instrument=ETH),
    "http_trade_history": trade_history,
    "ws_book_d_doc": book_delta,
    "ws_book_s_snapshot": snapshot("v1.book.s", f"{ETH}@500-100"),
    "ws_cancel_doc": cancel_frame,
    "ws_error_doc": without_session,
    "ws_error_instrument_invalid": invalid_instrument,
    "ws_fill_doc": fill_frame,
    "ws_fill_taker": fill_frame,
    "ws_legacy_subscribe_reply_doc": legacy_subscription,
    "ws_mini_d_delta": mini_delta,
    "ws_mini_s_snapshot": snapshot("v1.mini.s", f"{ETH}@500"),
    "ws_order_doc": order_frame,
    "ws_order_open": order_frame,
    "ws_position_doc": position_snapshot,
    "ws_position_snapshot": position_snapshot,
    "ws_rpc_create_order_reply_2024": rpc_create,
    "ws_state_doc": state_frame,
    "ws_subscribe_reply": subscription("/market-data/ws/full", "v1.mini.d", f"{ETH}@500"),
    "ws_subscribe_reply_doc": subscription("/trades/ws/full", "v1.order", "{}-" + ETH),
    "ws_ticker_d_doc": snapshot("v1.ticker.d", f"{ETH}@500"),
    "ws_ticker_s_snapshot": snapshot("v1.ticker.s", f"{ETH}@500"),
    "ws_trade_snapshot": trade_frame,
    "ws_unsubscribe_reply_doc": unsubscription,
}


def differences(recorded: Any, made: Any, where: str, left_out: set[str], live: bool) -> list[str]:
    """What the recording has and the simulator does otherwise; more keys are allowed."""
    if isinstance(recorded, dict):
        if not isinstance(made, dict):
            return [f"{where}: {type(made).__name__} instead of an object"]
        found = []
        for key in recorded.keys() - left_out:
            if key not in made:
                found.append(f"{where}.{key}: missing")
                continue
            at = f"{where}.{key}"
            if key in QUOTED:
                found += [] if type(made[key]) is int else [f"{at}: not a JSON number"]
            else:
                found += differences(recorded[key], made[key], at, left_out, live)
        return found
    if isinstance(recorded, list):
        if not isinstance(made, list):
            return [f"{where}: {type(made).__name__} instead of a list"]
        pairs = [(recorded[0], made[0])] if recorded and made else []
        return [d for a, b in pairs for d in differences(a, b, where + "[]", left_out, live)]
    if not live:
        return []
    expected, actual = spelling(recorded), spelling(made)
    return [] if expected == actual else [f"{where}: {made!r} is {actual}, live {expected}"]


def spelling(value: Any) -> str:
    """JSON type of a scalar, and for text what kind of text."""
    if not isinstance(value, str):
        return type(value).__name__
    for kind, pattern in (("hex", "0x"), ("integer", r"-?\d+$"), ("decimal", r"-?\d+\.\d+$")):
        if re.match(pattern, value):
            return kind
    return "text"


def recorded_names(shared: Path) -> set[str]:
    return {path.stem for path in (shared / "recorded" / "grvt").glob("*.json")}


def load(shared: Path, name: str) -> Any:
    return json.loads((shared / "recorded" / "grvt" / f"{name}.json").read_text())


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_answers_and_frames_are_shaped_as_recorded(name: str, shared: Path) -> None:
    recorded = load(shared, name)

    async def check(stage: Stage) -> None:
        made = json.loads(json.dumps(await ANSWERS[name](stage)))
        live = not name.endswith("_doc")
        assert differences(recorded, made, name, LEFT_OUT.get(name, set()), live) == []

    staged(check)()


REQUESTS = ("cancel_order", "cancel_all_orders", "cancel_on_disconnect")


@pytest.mark.parametrize("name", REQUESTS)
def test_documented_requests_are_understood(name: str, shared: Path) -> None:
    body = load(shared, f"http_{name}_request_doc")

    async def check(stage: Stage) -> None:
        body["sub_account_id"] = stage.account
        assert stage.trades(name, **body)["result"] == {"ack": True}

    staged(check)()


def test_documented_orders_are_understood(shared: Path) -> None:
    order = load(shared, "http_create_order_request_doc")["order"]
    (bulk_order,) = load(shared, "http_bulk_orders_request_doc")["orders"]
    config = load(shared, "http_set_position_config_request_doc")
    for body in (order, bulk_order):
        with pytest.raises(Refusal):
            parse_order(body)  # the account id is a placeholder
        parsed = parse_order({**body, "sub_account_id": "1"})
        assert (parsed.size, parsed.price) == (Decimal("10.5"), Decimal("65038.01"))
        assert parsed.client_id == "23042"
    assert parse_signature(config["signature"]).chain_id == 325


@pytest.mark.parametrize("verb", ["subscribe", "unsubscribe"])
def test_documented_subscriptions_are_understood(verb: str, shared: Path) -> None:
    async def check(stage: Stage) -> None:
        socket = stage.connect()
        selector = f"{stage.account}-{ETH}"
        if verb == "unsubscribe":
            stage.listen(socket, "v1.order", selector)
        frame = load(shared, f"ws_{verb}_request_doc")
        params = {**frame["params"], "selectors": [selector]}
        assert stage.call(socket, frame["method"], params, frame["id"]) is None
        (told,) = socket.take()
        assert (told["id"], told["method"]) == (frame["id"], verb)
        assert told["result"]["subs" if verb == "subscribe" else "unsubs"] == [selector]

    staged(check)()


def test_the_documented_older_subscription_is_understood(shared: Path) -> None:
    async def check(stage: Stage) -> None:
        socket = stage.connect("/trades/ws")
        frame = {**load(shared, "ws_legacy_subscribe_request_doc"), "feed": [stage.account]}
        assert stage.venue.accept_message(socket, json.dumps(frame)) is None
        assert socket.take()[0]["subs"] == [stage.account]

    staged(check)()


def test_every_recording_has_a_check(shared: Path) -> None:
    requests = {name for name in recorded_names(shared) if name.endswith("_request_doc")}
    assert len(requests) == 9
    assert recorded_names(shared) - requests == set(ANSWERS) | set(NOT_SIMULATED)
    assert all(NOT_SIMULATED.values())

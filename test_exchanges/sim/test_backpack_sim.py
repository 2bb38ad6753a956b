"""The simulated Backpack against the venue's rules: proof, order life, queries, streams."""

from __future__ import annotations

import asyncio
import json
import random
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from sim.backpack_stage import (
    ETH,
    INSTRUCTIONS,
    SPOT,
    Signer,
    Stage,
    market_order,
    order,
    staged,
    taker,
)

from mpdex.sim import run
from mpdex.sim.exchange import Twist
from mpdex.sim.models import NO_LATENCY, LatencyModel
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues import backpack_crypto as crypto
from mpdex.sim.venues import load_venue
from mpdex.sim.venues.backpack import BackpackSim
from mpdex.types import OrderStatus
from mpdex.utils.virtual_loop import run_virtual

D = Decimal
VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "backpack.json"
CASES = json.loads(VECTORS.read_text())["cases"]
ORDERS, POSITIONS = "account.orderUpdate", "account.positionUpdate"
PLACE = "POST /api/v1/order"


def refusal(reply: SimReply) -> tuple[int, str, str]:
    """Status, code and message of an error answer, which has exactly two fields."""
    assert set(reply.body) == {"code", "message"}, reply.body
    return reply.status, reply.body["code"], reply.body["message"]


def code(reply: SimReply) -> str:
    return refusal(reply)[1]


# --------------------------------------------------------------------------- proof of who asks


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_sdks_signatures_are_accepted(case: dict[str, Any]) -> None:
    given, expected = case["input"], case["expected"]
    frame = expected.get("frame")
    if frame:
        key, signature, stamp, window = frame["signature"]
        text = crypto.signed_text(crypto.SUBSCRIBE, {}, stamp, window)
    else:
        instruction = crypto.INSTRUCTIONS[expected["method"], expected["path"]]
        fields = expected["body"] if expected["method"] != "GET" else expected["query"]
        key, signature = (expected["headers"][f"X-{name}"] for name in ("API-Key", "Signature"))
        stamp, window = str(given["timestamp"]), str(given["window"])
        text = crypto.signed_text(instruction, fields or {}, stamp, window)
    assert text == expected["signing_string"]
    assert crypto.verify(key, signature, text)
    assert not crypto.verify(key, signature, text + " ")


@pytest.mark.parametrize("signature", ["", "AAAA", "not base64!", "A" * 88])
def test_what_is_no_signature_is_not_accepted(signature: str) -> None:
    assert not crypto.verify(crypto.throwaway_keys("1").api_key, signature, "text")


def test_the_table_finds_it_and_keys_are_the_same_for_the_same_seed() -> None:
    assert load_venue("backpack") is BackpackSim

    async def keys(seed: int) -> dict[str, str]:
        async with await run.start(["backpack"], seed=seed) as running:
            assert running.endpoints["backpack"].keys() == {"rest", "ws"}
            return running.credentials["backpack"]

    first = run_virtual(keys(3))
    assert first == run_virtual(keys(3)) != run_virtual(keys(4))
    assert first.keys() == {"api_key", "secret_key"}


@staged
async def test_headers_are_all_needed_and_the_key_must_be_known(stage: Stage) -> None:
    for name in ("api-key", "signature", "timestamp"):
        reply = stage.ask("GET /api/v1/account", None, **{name: None})
        assert refusal(reply)[:2] == (400, "INVALID_CLIENT_REQUEST")
    stranger = crypto.throwaway_keys("somebody else").api_key
    reply = stage.ask("GET /api/v1/account", None, **{"api-key": stranger})
    assert refusal(reply)[:2] == (401, "UNAUTHORIZED")


@staged
async def test_a_wrong_signature_is_refused(stage: Stage) -> None:
    wrong = stage.signer.sign("something else")
    reply = stage.ask(PLACE, order(), signature=wrong)
    assert refusal(reply) == (400, "INVALID_CLIENT_REQUEST", "Invalid signature")
    assert stage.get("/api/v1/orders") == []


@pytest.mark.parametrize(
    ("late_ms", "window", "message"),
    [
        (0, 5000, ""),
        (4999, 5000, ""),
        (5001, 5000, "Request has expired"),
        (-5001, 5000, "Request has expired"),
        (59_000, 60_000, ""),
        (0, 60_001, "Invalid window"),
        (0, 0, "Invalid window"),
        (700_000, 5000, "Invalid timestamp: must be within 10 minutes of current time"),
    ],
)
def test_time_and_window(late_ms: int, window: int, message: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        call, now = "GET /api/v1/account", stage.clock.now_ms()
        heads = stage.signer.headers(call, None, now - late_ms, window)
        reply = stage.routes[call](SimRequest("GET", "/api/v1/account", headers=heads))
        assert (reply.body.get("message", "") if reply.status != 200 else "") == message

    check()


@staged
async def test_a_window_left_out_is_5000_in_the_text(stage: Stage) -> None:
    assert stage.ask("GET /api/v1/account", None, window=None).status == 200


@staged
async def test_a_client_id_may_be_number_or_text(stage: Stage) -> None:
    assert stage.place(clientId=1001)["clientId"] == 1001
    canceled = stage.done("DELETE /api/v1/order", {"symbol": ETH, "clientId": "1001"})
    assert (canceled["clientId"], canceled["status"]) == (1001, "Cancelled")
    for wrong in (2**32, "x", True, "-1"):
        assert code(stage.ask(PLACE, order(clientId=wrong))) == "INVALID_CLIENT_REQUEST"


@staged
async def test_a_body_that_is_no_json_or_no_object_is_refused(stage: Stage) -> None:
    for body in (b"{", b"7", b"[1]", b'"text"'):
        reply = stage.routes[PLACE](SimRequest("POST", "/api/v1/order", body=body))
        assert refusal(reply)[:2] == (400, "INVALID_CLIENT_REQUEST")


# --------------------------------------------------------------------------- placing


@staged
async def test_a_resting_order_is_new_and_can_be_asked_for(stage: Stage) -> None:
    placed = stage.place(clientId=7)
    assert (placed["status"], placed["executedQuantity"], placed["postOnly"]) == ("New", "0", True)
    assert "quoteQuantity" not in placed
    assert isinstance(placed["id"], str)
    assert isinstance(placed["createdAt"], int)
    assert stage.get("/api/v1/order", symbol=ETH, clientId=7) == placed
    assert stage.get("/api/v1/order", symbol=ETH, orderId=placed["id"]) == placed
    assert stage.get("/api/v1/orders", marketType="PERP") == [placed]
    assert stage.get("/api/v1/orders", marketType="SPOT") == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"symbol": "DOGE_USDC_PERP"}, "INVALID_SYMBOL"),
        ({"price": "2990.001"}, "INVALID_PRICE"),
        ({"quantity": "0.00015"}, "INVALID_QUANTITY"),
        ({"quantity": "0.00001"}, "INVALID_QUANTITY"),
        ({"quantity": "0"}, "INVALID_QUANTITY"),
        ({"price": "2600"}, "INVALID_PRICE"),
        ({"price": "3400", "side": "Ask"}, "INVALID_PRICE"),
        ({"quantity": "5000"}, "INSUFFICIENT_MARGIN"),
        ({"symbol": SPOT, "quantity": "50"}, "INSUFFICIENT_FUNDS"),
        ({"symbol": SPOT, "side": "Ask", "price": "3010"}, "INSUFFICIENT_FUNDS"),
        ({"reduceOnly": True}, "INVALID_ORDER"),
        ({"symbol": SPOT, "reduceOnly": True}, "INVALID_ORDER"),
        ({"timeInForce": "IOC"}, "INVALID_ORDER"),
        ({"price": 2990}, "INVALID_CLIENT_REQUEST"),
        ({"quantity": "1e-1"}, "INVALID_CLIENT_REQUEST"),
        ({"price": None}, "INVALID_CLIENT_REQUEST"),
        ({"side": "Buy"}, "INVALID_CLIENT_REQUEST"),
        ({"orderType": "Stop"}, "INVALID_CLIENT_REQUEST"),
        ({"timeInForce": "DAY"}, "INVALID_CLIENT_REQUEST"),
        ({"postOnly": "yes"}, "INVALID_CLIENT_REQUEST"),
        ({"triggerPrice": "2900"}, "INVALID_CLIENT_REQUEST"),
        ({"triggerPrice": "2900", "triggerQuantity": "1"}, "NOT_IMPLEMENTED"),
        ({"selfTradePrevention": "RejectBoth"}, "NOT_IMPLEMENTED"),
    ],
)
def test_refused_orders_leave_no_trace(changes: dict[str, Any], expected: str) -> None:
    @staged
    async def check(stage: Stage) -> None:
        socket = stage.listen(ORDERS)
        reply = stage.ask(PLACE, order(**changes))
        assert refusal(reply)[:2] == (400, expected)
        assert stage.get("/api/v1/orders") == stage.get("/wapi/v1/history/orders") == []
        await asyncio.sleep(1)
        assert socket.take() == []

    check()


@staged
async def test_a_post_only_order_that_would_take_is_refused_and_nothing_is_placed(
    stage: Stage,
) -> None:
    reply = stage.ask(PLACE, order(price="3000.00"))
    assert refusal(reply) == (400, "INVALID_ORDER", "Order would immediately match and take.")
    assert stage.get("/wapi/v1/history/orders") == []
    assert stage.place(price="2999.99")["status"] == "New"


@staged
async def test_an_ioc_remainder_expires_in_the_answer(stage: Stage) -> None:
    done = stage.done(PLACE, taker(quantity="6", price="3000.00"))
    assert (done["status"], done["executedQuantity"]) == ("Expired", "5")
    assert D(done["executedQuoteQuantity"]) == 15_000
    [past] = stage.get("/wapi/v1/history/orders")
    assert (past["status"], past["expiryReason"]) == ("Expired", "ImmediateOrCancel")


@staged
async def test_fill_or_kill_executes_all_or_nothing(stage: Stage) -> None:
    nothing = stage.done(PLACE, taker(quantity="6", price="3000.00", timeInForce="FOK"))
    assert (nothing["status"], nothing["executedQuantity"]) == ("Expired", "0")
    everything = stage.done(PLACE, taker(quantity="5", price="3000.00", timeInForce="FOK"))
    assert everything["status"] == "Filled"


@staged
async def test_a_market_order_has_the_keys_of_its_type(stage: Stage) -> None:
    done = stage.done(PLACE, market_order(clientId=55555))
    assert (done["status"], done["timeInForce"], done["clientId"]) == ("Filled", "GTC", 55555)
    assert done["quoteQuantity"] == "300"
    assert not {"price", "postOnly"} & done.keys()


@staged
async def test_a_market_order_stops_at_its_price_impact(stage: Stage) -> None:
    stage.exchange.on_quote(ETH, stage.exchange.boards[ETH].last._replace(asks=_far_asks()))
    done = stage.done(PLACE, market_order(quantity="2"))
    assert (done["status"], done["executedQuantity"]) == ("Expired", "1")
    assert stage.get("/wapi/v1/history/orders")[0]["expiryReason"] == "PriceImpact"
    stage.exchange.on_quote(ETH, stage.exchange.boards[ETH].last._replace(asks=_far_asks("0.5")))
    slip = {"slippageTolerance": "10", "slippageToleranceType": "TickSize"}
    assert stage.done(PLACE, market_order(quantity="2", **slip))["status"] == "Expired"
    history = stage.get("/wapi/v1/history/orders")
    assert history[0]["expiryReason"] == "SlippageToleranceExceeded"


def _far_asks(away: str = "60") -> list[tuple[int, int]]:
    """One coin at 3000, more so much higher."""
    near = D("3000")
    return [(int(price * 10**8), 10**8) for price in (near, near + D(away))]


@staged
async def test_a_market_order_sized_in_quote_currency_on_spot(stage: Stage) -> None:
    sized = market_order(quantity=None, quoteQuantity="100", symbol=SPOT)
    done = stage.done(PLACE, sized)
    assert (done["status"], done["executedQuantity"]) == ("Filled", "0.0333")
    assert (done["quantity"], done["quoteQuantity"]) == (None, "100")
    both = market_order(quoteQuantity="100")
    assert code(stage.ask(PLACE, both)) == "INVALID_CLIENT_REQUEST"


@staged
async def test_spot_buyers_pay_in_coins(stage: Stage) -> None:
    stage.done(PLACE, market_order(symbol=SPOT, quantity="1"))
    [fill] = stage.get("/wapi/v1/history/fills", symbol=SPOT)
    assert (fill["feeSymbol"], fill["fee"]) == ("ETH", "0.0005")
    capital = stage.get("/api/v1/capital")
    assert capital["ETH"]["available"] == "0.9995"
    assert capital["USDC"]["available"] == "97000"
    stage.place("Ask", "0.5", symbol=SPOT, price="3010")
    assert stage.get("/api/v1/capital")["ETH"]["locked"] == "0.5"
    stage.done(PLACE, taker("Ask", "0.1", symbol=SPOT))
    assert stage.get("/wapi/v1/history/fills", symbol=SPOT)[0]["feeSymbol"] == "USDC"
    assert stage.get("/api/v1/position") == []


@staged
async def test_a_taker_does_not_meet_its_own_order(stage: Stage) -> None:
    stage.quote("2990.00", "3010.00")
    own = stage.place("Ask", price="3000.00")
    done = stage.done(PLACE, taker(price="3005.00", timeInForce="GTC"))
    assert (done["status"], done["executedQuantity"]) == ("Expired", "0")
    assert stage.get("/wapi/v1/history/orders")[0]["expiryReason"] == "SelfTradePrevention"
    assert stage.get("/api/v1/order", symbol=ETH, orderId=own["id"])["status"] == "New"


@staged
async def test_reduce_only_reduces_and_no_more(stage: Stage) -> None:
    stage.done(PLACE, taker(quantity="0.3"))
    grows = stage.ask(PLACE, taker(reduceOnly=True))
    assert code(grows) == "INVALID_ORDER"
    done = stage.done(PLACE, taker("Ask", "1", reduceOnly=True))
    assert done["executedQuantity"] == "0.3"
    assert done["reduceOnly"] is True
    assert stage.get("/api/v1/position") == []


@staged
async def test_a_batch_answers_for_each_order(stage: Stage) -> None:
    good, bad = order(clientId=21), order(price="3000.00", clientId=22)
    first, second = stage.done("POST /api/v1/orders", [good, bad])
    assert (first["operation"], first["clientId"], first["status"]) == ("Ok", 21, "New")
    assert second == {
        "operation": "Err",
        "code": "INVALID_ORDER",
        "message": "Order would immediately match and take.",
    }
    assert code(stage.ask("POST /api/v1/orders", [])) == "INVALID_CLIENT_REQUEST"


@staged
async def test_a_closed_book_takes_no_orders_and_says_so(stage: Stage) -> None:
    stage.exchange.halt("cancel_only")
    assert code(stage.ask(PLACE, order())) == "TRADING_PAUSED"
    states = {market["orderBookState"] for market in stage.get("/api/v1/markets")}
    assert states == {"CancelOnly"}


# --------------------------------------------------------------------------- canceling, asking


@staged
async def test_an_ended_order_is_found_in_the_history_only(stage: Stage) -> None:
    placed = stage.place(price="2999.99")
    stage.trade("2999.98", "0.1", "sell")
    by_id = {"symbol": ETH, "orderId": placed["id"]}
    assert refusal(stage.ask("GET /api/v1/order", by_id)) == (
        404,
        "RESOURCE_NOT_FOUND",
        "Not Found",
    )
    assert refusal(stage.ask("DELETE /api/v1/order", by_id))[:2] == (404, "RESOURCE_NOT_FOUND")
    [past] = stage.get("/wapi/v1/history/orders", orderId=placed["id"])
    assert (past["status"], past["expiryReason"], past["executedQuantity"]) == (
        "Filled",
        None,
        "0.1",
    )
    assert past["createdAt"].startswith("2026-01-01T00:00:00.")


@staged
async def test_a_cancel_names_exactly_one_id_of_its_market(stage: Stage) -> None:
    placed = stage.place(clientId=5)
    both = {"symbol": ETH, "orderId": placed["id"], "clientId": 5}
    for fields in (both, {"symbol": ETH}, {"orderId": placed["id"]}):
        reply = stage.ask("DELETE /api/v1/order", fields)
        assert refusal(reply)[:2] == (400, "INVALID_CLIENT_REQUEST")
    elsewhere = {"symbol": SPOT, "orderId": placed["id"]}
    assert code(stage.ask("DELETE /api/v1/order", elsewhere)) == "RESOURCE_NOT_FOUND"
    done = stage.done("DELETE /api/v1/order", {"symbol": ETH, "orderId": placed["id"]})
    assert done == {**placed, "status": "Cancelled"}
    [past] = stage.get("/wapi/v1/history/orders")
    assert (past["status"], past["expiryReason"]) == ("Cancelled", None)


@staged
async def test_cancel_all_of_one_market(stage: Stage) -> None:
    stage.place()
    kept = stage.place(symbol=SPOT)
    canceled = stage.done("DELETE /api/v1/orders", {"symbol": ETH})
    assert [one["status"] for one in canceled] == ["Cancelled"]
    assert stage.done("DELETE /api/v1/orders", {"symbol": ETH}) == []
    assert [one["id"] for one in stage.get("/api/v1/orders")] == [kept["id"]]
    assert code(stage.ask("DELETE /api/v1/orders", {})) == "INVALID_SYMBOL"


@staged
async def test_a_cancel_that_a_fault_ignores_is_acknowledged(stage: Stage) -> None:
    placed = stage.place()
    stage.exchange.twist = Twist(keep_on_cancel=True)
    done = stage.done("DELETE /api/v1/order", {"symbol": ETH, "orderId": placed["id"]})
    assert done["status"] == "Cancelled"
    assert [one["status"] for one in stage.get("/api/v1/orders")] == ["New"]


@staged
async def test_an_order_that_a_fault_loses_is_acknowledged(stage: Stage) -> None:
    stage.exchange.twist = Twist(lose_order=True)
    assert stage.place()["status"] == "New"
    assert stage.get("/api/v1/orders") == []


@staged
async def test_an_order_ended_after_its_answer_is_told_as_expired(stage: Stage) -> None:
    socket = stage.listen(ORDERS)
    stage.exchange.twist = Twist(fate=(OrderStatus.REJECTED, 0.3))
    assert stage.place()["status"] == "New"
    await asyncio.sleep(1)
    words = [(f["data"]["e"], f["data"].get("R")) for f in socket.take()]
    assert words == [("orderAccepted", None), ("orderExpired", "PostOnlyTaker")]
    assert stage.get("/wapi/v1/history/orders")[0]["status"] == "Expired"


@staged
async def test_fills_are_filtered_and_paged(stage: Stage) -> None:
    for number in range(3):
        stage.done(PLACE, taker(quantity="0.1", clientId=number + 1))
        await asyncio.sleep(10)
    newest, *_ = fills = stage.get("/wapi/v1/history/fills")
    assert [fill["clientId"] for fill in fills] == ["3", "2", "1"]
    assert newest["timestamp"] == "2026-01-01T00:00:20.000"
    assert (newest["isMaker"], newest["fee"], newest["feeSymbol"]) == (False, "0.15", "USDC")
    begin = run.EPOCH_NS // 10**6
    recent = stage.get("/wapi/v1/history/fills", **{"from": begin + 5_000, "to": begin + 15_000})
    assert [fill["clientId"] for fill in recent] == ["2"]
    paged = stage.get("/wapi/v1/history/fills", limit=1, offset=1)
    assert [fill["clientId"] for fill in paged] == ["2"]
    by_order = stage.get("/wapi/v1/history/fills", orderId=newest["orderId"], symbol=ETH)
    assert by_order == [newest]
    oldest = stage.get("/wapi/v1/history/fills", sortDirection="Asc", limit=1)
    assert oldest[0]["clientId"] == "1"
    assert code(stage.ask("GET /wapi/v1/history/fills", {"limit": 1001})) == (
        "INVALID_CLIENT_REQUEST"
    )


@staged
async def test_fill_type_user_leaves_out_what_the_venue_did(stage: Stage) -> None:
    stage.done(PLACE, taker(quantity="0.2"))
    stage.exchange.liquidate(stage.account, ETH, D("0.1"))
    assert len(stage.get("/wapi/v1/history/fills")) == 2
    [user] = stage.get("/wapi/v1/history/fills", fillType="User")
    assert user["systemOrderType"] is None
    [forced] = stage.get("/wapi/v1/history/fills", fillType="BookLiquidation")
    assert forced["systemOrderType"] == "LiquidatePositionOnBook"


@staged
async def test_positions_are_signed_and_gone_when_flat(stage: Stage) -> None:
    assert stage.get("/api/v1/position", symbol=ETH) == []
    stage.done(PLACE, taker("Ask", "0.2"))
    [held] = stage.get("/api/v1/position")
    assert (held["netQuantity"], held["entryPrice"]) == ("-0.2", "2999.99")
    assert (held["netCost"], held["imf"]) == ("-599.998", "0.05")
    stage.place("Ask", "0.3", price="3010")
    assert stage.get("/api/v1/position")[0]["netExposureQuantity"] == "0.5"
    stage.done(PLACE, taker(quantity="0.2"))
    assert stage.get("/api/v1/position") == []


@staged
async def test_funding_is_a_payment(stage: Stage) -> None:
    stage.done(PLACE, taker(quantity="1"))
    stage.exchange.fund(D("0.0001"), ETH)
    [payment] = stage.get("/wapi/v1/history/funding", symbol=ETH)
    assert D(payment["quantity"]) == -stage.exchange.mark(ETH) * D("0.0001")
    assert (payment["symbol"], payment["userId"]) == (ETH, int(stage.account))
    assert stage.get("/api/v1/position")[0]["cumulativeFundingPayment"] == payment["quantity"]


@staged
async def test_collateral_adds_up(stage: Stage) -> None:
    stage.done(PLACE, taker(quantity="2"))
    money = stage.get("/api/v1/capital/collateral")
    assert D(money["netEquity"]) == stage.exchange.equity(stage.account)
    assert D(money["netEquityAvailable"]) + D(money["netEquityLocked"]) == D(money["netEquity"])
    assert D(money["netExposureFutures"]) == 2 * stage.exchange.mark(ETH)
    assert [asset["symbol"] for asset in money["collateral"]] == ["USDC"]


@staged
async def test_leverage_is_of_the_whole_account(stage: Stage) -> None:
    assert stage.get("/api/v1/account")["leverageLimit"] == "20"
    most = stage.get("/api/v1/account/limits/order", symbol=ETH, side="Bid", price="2990")
    reply = stage.ask("PATCH /api/v1/account", {"leverageLimit": "10", "autoLend": True})
    assert (reply.status, reply.encode()[0]) == (200, b"")
    account = stage.get("/api/v1/account")
    assert (account["leverageLimit"], account["autoLend"]) == ("10", True)
    assert (account["futuresMakerFee"], account["futuresTakerFee"]) == ("2", "5")
    half = stage.get("/api/v1/account/limits/order", symbol=ETH, side="Bid", price="2990")
    assert abs(D(most["maxOrderQuantity"]) - 2 * D(half["maxOrderQuantity"])) <= D("0.0001")
    assert stage.ask(PLACE, order(quantity=most["maxOrderQuantity"])).status == 400
    assert stage.place(quantity=half["maxOrderQuantity"])["status"] == "New"
    for wrong in ("0", "51"):
        reply = stage.ask("PATCH /api/v1/account", {"leverageLimit": wrong})
        assert code(reply) == "INVALID_CLIENT_REQUEST"


@staged
async def test_the_largest_reducing_order_is_the_position(stage: Stage) -> None:
    stage.done(PLACE, taker(quantity="0.7"))
    query = {"symbol": ETH, "side": "Ask", "reduceOnly": "true"}
    assert stage.get("/api/v1/account/limits/order", **query)["maxOrderQuantity"] == "0.7"


# --------------------------------------------------------------------------- market data


@staged
async def test_depth_ascends_on_both_sides(stage: Stage) -> None:
    book = stage.get("/api/v1/depth", symbol=ETH, limit=5)
    for side in ("bids", "asks"):
        prices = [D(price) for price, _ in book[side]]
        assert prices == sorted(prices)
        assert len(prices) == 5
    assert book["bids"][-1] == ["2999.99", "5.0000"]
    assert isinstance(book["lastUpdateId"], str)
    assert book["timestamp"] == run.EPOCH_NS // 1000
    assert code(stage.ask("GET /api/v1/depth", {"symbol": ETH, "limit": 7})) == (
        "INVALID_CLIENT_REQUEST"
    )
    assert code(stage.ask("GET /api/v1/depth", {"symbol": "X"})) == "INVALID_SYMBOL"


@staged
async def test_public_answers(stage: Stage) -> None:
    for number, price in enumerate(("3000.00", "3000.20", "2999.90")):
        stage.trade(price, f"0.{number + 1}", "sell" if number == 2 else "buy")
        await asyncio.sleep(40)
    assert stage.get("/api/v1/status") == {"message": None, "status": "Ok"}
    assert stage.get("/api/v1/ping") == "pong"
    assert stage.get("/api/v1/time") == str(stage.clock.now_ms())
    kinds = {m["symbol"]: m["marketType"] for m in stage.get("/api/v1/markets")}
    assert kinds[ETH] == "PERP"
    assert kinds[SPOT] == "SPOT"
    assert stage.get("/api/v1/market", symbol=ETH)["filters"]["price"]["tickSize"] == "0.01"
    assert {m["symbol"] for m in stage.get("/api/v1/markets", marketType="SPOT")} == {SPOT}
    ticker = stage.get("/api/v1/ticker", symbol=ETH)
    assert (ticker["firstPrice"], ticker["high"], ticker["lastPrice"]) == (
        "3000",
        "3000.2",
        "2999.9",
    )
    assert ticker in stage.get("/api/v1/tickers")
    newest, *_ = trades = stage.get("/api/v1/trades", symbol=ETH)
    assert (newest["price"], newest["isBuyerMaker"], len(trades)) == ("2999.9", True, 3)
    assert stage.get("/api/v1/trades/history", symbol=ETH, limit=1, offset=2) == [trades[2]]
    candles = stage.get("/api/v1/klines", symbol=ETH, interval="1m", startTime=0)
    assert [candle["start"] for candle in candles] == ["2026-01-01 00:00:00", "2026-01-01 00:01:00"]
    assert (candles[0]["open"], candles[0]["close"]) == ("3000", "3000.2")
    [mark] = stage.get("/api/v1/markPrices", symbol=ETH)
    assert mark["nextFundingTimestamp"] == run.EPOCH_NS // 10**6 + 3_600_000
    assert mark["markPrice"] == mark["indexPrice"] != "0"
    assert stage.get("/api/v1/fundingRates", symbol=ETH)[0]["intervalEndTimestamp"] == (
        "2026-01-01T00:00:00"
    )
    stage.done(PLACE, taker(quantity="0.2"))
    assert stage.get("/api/v1/openInterest", symbol=ETH)[0]["openInterest"] == "0.2"


# --------------------------------------------------------------------------- streams


@staged
async def test_unknown_streams_and_bad_proof_are_answered_with_an_error_frame(
    stage: Stage,
) -> None:
    socket = stage.connect()
    for name in ("nothing.ETH_USDC_PERP", "depth.DOGE_USDC", "depth", "account.orderUpdate.X"):
        answer = stage.say(socket, "SUBSCRIBE", name, f"depth.{ETH}")
        assert answer == {"id": None, "error": {"code": 4006, "message": "Invalid stream"}}
    assert socket.topics == {}
    proof = stage.signer.proof(stage.clock.now_ms())
    for wrong in (None, proof[:3], [proof[0], stage.signer.sign("x"), *proof[2:]]):
        answer = stage.say(socket, "SUBSCRIBE", ORDERS, signature=wrong)
        assert set(answer) == {"id", "error"}
    late = stage.signer.proof(stage.clock.now_ms() - 6000)
    assert stage.say(socket, "SUBSCRIBE", ORDERS, signature=late)["error"]["message"] == (
        "Request has expired"
    )
    assert socket.topics == {}
    for text in ("ping", "[]", '{"method": "SUBSCRIBE"}', '{"method": "X", "params": []}'):
        assert "error" in stage.venue.accept_message(socket, text)


@staged
async def test_the_book_can_be_kept_from_snapshot_and_events(stage: Stage) -> None:
    socket = stage.listen(f"depth.{ETH}", f"bookTicker.{ETH}", f"depth.200ms.{ETH}")
    books: dict[str, dict[D, str]] = {"b": {}, "a": {}}
    last, rng = 0, random.Random(1)
    for number in range(60):
        low = 2990 + rng.randrange(10)
        stage.quote(f"{low}.00", f"{low}.05", str(1 + rng.randrange(9)))
        if number == 20:
            snapshot = stage.get("/api/v1/depth", symbol=ETH)
            last = int(snapshot["lastUpdateId"])
            for side, key in (("b", "bids"), ("a", "asks")):
                books[side] = {D(price): size for price, size in snapshot[key]}
        await asyncio.sleep(0.013)
    await asyncio.sleep(1)
    frames = socket.take()
    events = [f["data"] for f in frames if f["stream"] == f"depth.{ETH}"]
    assert events[0]["u"] <= last
    assert len([e for e in events if e["u"] > last]) > 10
    for event in events:
        if event["u"] <= last:
            continue
        assert event["U"] == last + 1
        last = event["u"]
        for side in ("b", "a"):
            for price, size in event[side]:
                books[side].pop(D(price), None)
                if D(size):
                    books[side][D(price)] = size
    bids, asks, _ = stage.exchange.book(ETH)
    assert books["b"] == {price: f"{size:.4f}" for price, size in bids}
    assert books["a"] == {price: f"{size:.4f}" for price, size in asks}
    ticker = [f["data"] for f in frames if f["stream"] == f"bookTicker.{ETH}"][-1]
    assert (D(ticker["b"]), D(ticker["a"])) == stage.exchange.best(ETH)
    slow = [f["data"] for f in frames if f["stream"] == f"depth.200ms.{ETH}"]
    assert 3 <= len(slow) < len(events)
    assert all(b["U"] == a["u"] + 1 for a, b in pairwise(slow))


@staged
async def test_a_stream_left_is_silent(stage: Stage) -> None:
    socket = stage.listen(f"depth.{ETH}", f"trade.{ETH}")
    assert stage.say(socket, "UNSUBSCRIBE", f"depth.{ETH}", f"trade.{ETH}") is None
    stage.quote("2980.00", "2980.01")
    stage.trade("2980.00", "1", "sell")
    await asyncio.sleep(1)
    assert socket.take() == []
    again = stage.listen(f"trade.{ETH}")
    stage.venue.close_ws(again)
    stage.trade("2980.00", "1", "sell")
    assert again.take() == []


@staged
async def test_marks_and_trades_are_told(stage: Stage) -> None:
    socket = stage.listen(f"markPrice.{ETH}", f"trade.{ETH}")
    await asyncio.sleep(2)
    stage.quote("3010.00", "3010.02")
    stage.trade("3010.00", "0.5", "sell")
    mark, trade = (frame["data"] for frame in socket.take())
    assert (mark["p"], mark["e"]) == ("3010.01", "markPrice")
    assert (trade["p"], trade["q"], trade["m"]) == ("3010.00", "0.5000", True)


async def events_of(stage: Stage, socket: Any) -> list[dict[str, Any]]:
    """Everything told within a second."""
    await asyncio.sleep(1)
    return [frame["data"] for frame in socket.take()]


@staged
async def test_an_order_is_accepted_filled_in_parts_and_expired(stage: Stage) -> None:
    socket = stage.listen(f"{ORDERS}.{ETH}", POSITIONS)
    stage.done(PLACE, taker(quantity="12", price="3000.01", clientId=9))
    accepted, first, second, expired, moved = await events_of(stage, socket)
    assert (accepted["e"], accepted["X"], accepted["z"]) == ("orderAccepted", "New", "0")
    assert (first["X"], first["l"], first["z"]) == ("PartiallyFilled", "5.0000", "5")
    assert (second["X"], second["L"], second["z"]) == ("PartiallyFilled", "3000.01", "10")
    assert (expired["e"], expired["X"], expired["R"]) == (
        "orderExpired",
        "Expired",
        "ImmediateOrCancel",
    )
    assert {event["c"] for event in (accepted, first, second, expired)} == {9}
    assert {event["t"] for event in (accepted, expired)} == {None}
    fills = stage.get("/wapi/v1/history/fills")
    assert [fill["tradeId"] for fill in reversed(fills)] == [first["t"], second["t"]]
    assert (moved["e"], moved["q"]) == ("positionOpened", "10")


@staged
async def test_a_maker_fill_and_a_cancel_are_told(stage: Stage) -> None:
    socket = stage.listen(ORDERS)
    stage.place(quantity="0.4", price="2999.99")
    [resting] = stage.exchange.open_orders(stage.account)
    stage.exchange.fill(resting, D("0.1"))
    [shown] = stage.get("/api/v1/orders")
    assert (shown["status"], shown["executedQuantity"]) == ("PartiallyFilled", "0.1")
    stage.done("DELETE /api/v1/orders", {"symbol": ETH})
    accepted, fill, canceled = await events_of(stage, socket)
    assert (accepted["e"], accepted["y"], accepted["o"]) == ("orderAccepted", True, "LIMIT")
    assert (fill["e"], fill["m"], fill["n"], fill["N"]) == ("orderFill", True, "0.0599998", "USDC")
    assert (canceled["e"], canceled["X"], canceled["z"]) == ("orderCancelled", "Cancelled", "0.1")


@staged
async def test_positions_are_told_at_once_and_when_they_change(stage: Stage) -> None:
    stage.done(PLACE, taker("Ask", "0.2"))
    await asyncio.sleep(1)
    socket = stage.listen(POSITIONS, f"{POSITIONS}.{SPOT}")
    [snapshot] = (frame["data"] for frame in socket.take())
    assert "e" not in snapshot
    assert (snapshot["q"], snapshot["s"], snapshot["l"]) == ("-0.2", ETH, "0")
    stage.done(PLACE, taker("Ask", "0.1"))
    await asyncio.sleep(1)
    stage.done(PLACE, taker(quantity="0.3"))
    told = await events_of(stage, socket)
    assert [(event["e"], event["q"]) for event in told] == [
        ("positionAdjusted", "-0.3"),
        ("positionClosed", "0"),
    ]


@staged
async def test_what_the_venue_closes_is_marked(stage: Stage) -> None:
    stage.done(PLACE, taker(quantity="0.2"))
    socket = stage.listen(ORDERS)
    stage.exchange.adl(stage.account, ETH, D("0.1"))
    [fill] = await events_of(stage, socket)
    assert (fill["e"], fill["O"], fill["S"]) == ("orderFill", "ADL_AUTOCLOSE", "Ask")


# --------------------------------------------------------------------------- over the wire


class Client:
    """A client of a running simulator."""

    def __init__(self, running: run.Running, session: aiohttp.ClientSession) -> None:
        self.running = running
        self.session = session
        self.urls = running.endpoints["backpack"]
        self.signer = Signer(**running.credentials["backpack"])

    async def ask(self, call: str, fields: Any = None) -> tuple[int, Any]:
        method, path = call.split()
        heads = {}
        if call in INSTRUCTIONS:
            heads = self.signer.headers(call, fields, self.running.clock.now_ms())
        query = f"?{urlencode(fields)}" if fields and method == "GET" else ""
        body = json.dumps(fields) if fields and method != "GET" else None
        url = f"{self.urls['rest']}{path}{query}"
        async with self.session.request(method, url, data=body, headers=heads) as reply:
            return reply.status, await reply.json()

    async def socket(self, *names: str, **options: Any) -> aiohttp.ClientWebSocketResponse:
        socket = await self.session.ws_connect(self.urls["ws"], **options)
        proof = self.signer.proof(self.running.clock.now_ms())
        message = {"method": "SUBSCRIBE", "params": list(names), "signature": proof}
        await socket.send_json(message)
        return socket


def wired(test: Any, *, latency: LatencyModel | None = None, faults: str = "") -> None:
    """Run a test against a simulator on sockets, in virtual time."""

    async def play() -> None:
        async with (
            await run.start(["backpack"], seed=5, latency=latency, faults=faults) as running,
            aiohttp.ClientSession() as session,
        ):
            await test(Client(running, session))

    run_virtual(play())


def test_events_come_before_the_answer_and_after_it() -> None:
    async def race(client: Client) -> None:
        socket = await client.socket(ORDERS)
        answered_first = set()
        for number in range(1, 13):
            async with asyncio.TaskGroup() as group:
                asked = group.create_task(client.ask(PLACE, order(price="2900", clientId=number)))
                frame = await socket.receive_json()
                answered_first.add(asked.done())
            assert asked.result()[0] == 200
            assert frame["data"]["c"] == number
        assert answered_first == {True, False}

    wired(race, latency=NO_LATENCY)


def test_the_server_pings_every_minute_and_closes_on_silence() -> None:
    async def listen(client: Client) -> None:
        socket = await client.socket(f"depth.{SPOT}x", autoping=False)
        assert (await socket.receive_json())["error"]["code"] == 4006
        times = []
        while True:
            message = await socket.receive()
            if message.type is not aiohttp.WSMsgType.PING:
                break
            times.append(round(client.running.clock.monotonic()))
        assert times == [60, 120]
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        assert round(client.running.clock.monotonic()) == 180

    wired(listen)


def test_a_client_that_answers_pings_stays() -> None:
    async def listen(client: Client) -> None:
        socket = await client.socket(f"trade.{ETH}")
        async with asyncio.timeout(400):
            while client.running.clock.monotonic() < 300:
                await socket.receive_json()
        assert not socket.closed

    wired(listen)


def test_historical_market_data_is_limited_to_thirty_a_minute() -> None:
    async def ask(client: Client) -> None:
        query = {"symbol": ETH}
        replies = [await client.ask("GET /api/v1/fundingRates", query) for _ in range(36)]
        assert [status for status, _ in replies[:30]] == [200] * 30
        status, body = replies[-1]
        assert (status, body["code"]) == (429, "TOO_MANY_REQUESTS")
        assert (await client.ask("GET /api/v1/ticker", query))[0] == 200

    wired(ask, latency=NO_LATENCY)


def test_two_thousand_requests_a_minute() -> None:
    limit = BackpackSim.limits["requests"]
    assert (limit.count, limit.seconds) == (2000, 60.0)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("POST_ONLY", (400, "INVALID_ORDER")),
        ("MARGIN", (400, "INSUFFICIENT_MARGIN")),
        ("NOT_FOUND", (404, "RESOURCE_NOT_FOUND")),
        ("PERMISSION", (403, "FORBIDDEN")),
        ("RATE", (429, "TOO_MANY_REQUESTS")),
    ],
)
def test_faults_refuse_in_the_venues_words(kind: str, expected: tuple[int, str]) -> None:
    async def place(client: Client) -> None:
        status, body = await client.ask(PLACE, order(price="2900"))
        assert (status, body["code"]) == expected

    wired(place, faults=f"P.place -> reject({kind})")


def test_faults_see_orders_and_count_operations() -> None:
    async def place(client: Client) -> None:
        status, _ = await client.ask(PLACE, order(price="2900"))
        assert status == 200
        status, _ = await client.ask(PLACE, order("Ask", price="3200"))
        assert status == 403
        counts = client.running.counts
        assert counts["backpack", "rest", "place"] == 2

    wired(place, faults="P.place.side(sell) -> reject(PERMISSION)")


def test_paths_nobody_serves() -> None:
    async def ask(client: Client) -> None:
        assert (await client.ask("GET /api/v1/nothing"))[0] == 404

    wired(ask)

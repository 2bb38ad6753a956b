"""Trades on an EdgeX with its Python SDK, unchanged, and reports what it saw.

Runs in an environment of its own: `python edgex_client.py v2|v2_streams|v1|v1_streams`, with
endpoints and keys as JSON on standard input. The report is JSON on standard output; nothing is
judged here. Only the addresses are replaced. The two generations of the SDK share a name and
little else, so that each part runs where its own is installed.

Source: edgex-python-sdk 2.0.1 and 0.3.0.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import edgex_sdk as sdk

SETTLED = 0.2  # seconds after which the engine has acted, and fills are booked
PATIENCE = 20.0

given = json.load(sys.stdin)
endpoints, keys = given["endpoints"], given["credentials"]
Report = dict[str, Any]


def on_grid(price: Decimal) -> str:
    return str(price.quantize(Decimal("0.01")))


async def best(client: Any, contract: str) -> tuple[Decimal, Decimal]:
    params = sdk.GetOrderBookDepthParams(contract_id=contract, limit=15)
    answer = await client.quote.get_order_book_depth(params)
    [book] = answer["data"]
    return Decimal(book["bids"][0]["price"]), Decimal(book["asks"][0]["price"])


async def told(call: Awaitable[Any]) -> str:
    """What the SDK says of a refusal."""
    try:
        answer = await call
    except ValueError as error:
        return str(error)
    return str(answer["code"])


def order(contract: str, side: str, size: str, price: Decimal, **more: Any) -> Any:
    return sdk.CreateOrderParams(
        contract_id=contract,
        size=size,
        price=on_grid(price),
        side=sdk.OrderSide(side),
        type=sdk.OrderType.LIMIT,
        **more,
    )


async def trade(client: Any, contract: str, cancel_by_name: Callable[[str], Any]) -> Report:
    """Everything that both generations of the SDK can do."""
    metadata = (await client.get_metadata())["data"]
    report: Report = {
        "contracts": [row["contractName"] for row in metadata["contractList"]],
        "time": (await client.get_server_time())["data"],
        "ticker": (await client.get_24_hour_quote(contract))["data"],
        "before": (await client.get_account_asset())["data"],
    }
    bid, ask = await best(client, contract)
    low, high = bid * Decimal("0.98"), ask * Decimal("1.01")
    largest = await client.get_max_order_size(contract, Decimal(on_grid(low)))
    report["largest"] = largest["data"]
    post_only = {"time_in_force": sdk.TimeInForce.POST_ONLY}

    resting = order(contract, "BUY", "0.05", low, client_order_id="sdk-1", **post_only)
    report["placed"] = (await client.create_order(resting))["data"]
    again = order(contract, "BUY", "0.05", low, client_order_id="sdk-1", **post_only)
    report["again"] = await told(client.create_order(again))
    await asyncio.sleep(SETTLED)
    active = sdk.GetActiveOrderParams(size="100", filter_contract_id_list=[contract])
    report["open"] = (await client.get_active_orders(active))["data"]
    number = report["placed"]["orderId"]
    canceling = sdk.CancelOrderParams(order_id=number)
    report["canceled"] = (await client.cancel_order(canceling))["data"]
    await asyncio.sleep(SETTLED)
    report["canceled_again"] = (await client.cancel_order(canceling))["data"]

    crossing = order(contract, "BUY", "0.05", high, client_order_id="sdk-2", **post_only)
    report["crossing"] = (await client.create_order(crossing))["data"]
    for name in ("sdk-3", "sdk-4"):
        await client.create_order(order(contract, "BUY", "0.05", low, client_order_id=name))
    await asyncio.sleep(SETTLED)
    report["by_name"] = (await client.cancel_order(cancel_by_name("sdk-3")))["data"]
    everything = sdk.CancelOrderParams(contract_id=contract)
    report["by_contract"] = (await client.cancel_order(everything))["data"]
    await asyncio.sleep(SETTLED)
    report["left"] = (await client.get_active_orders(active))["data"]["dataList"]

    side = sdk.OrderSide
    bought = await client.create_market_order(contract, "0.07", side.BUY, client_order_id="sdk-5")
    await asyncio.sleep(SETTLED)
    report["held"] = (await client.get_account_asset())["data"]
    fills = sdk.OrderFillTransactionParams(filter_order_id_list=[bought["data"]["orderId"]])
    report["fills"] = (await client.get_order_fill_transactions(fills))["data"]["dataList"]
    await client.create_market_order(contract, "0.07", side.SELL, client_order_id="sdk-6")
    await asyncio.sleep(SETTLED)
    report["flat"] = (await client.get_account_asset())["data"]

    too_small = order(contract, "BUY", "0.001", low, client_order_id="sdk-7")
    report["too_small"] = await told(client.create_order(too_small))
    return report


# --------------------------------------------------------------------------- v2


def v2_client(**other: str) -> Any:
    names = {
        "api_key": keys["api_key"],
        "api_passphrase": keys["passphrase"],
        "api_secret": keys["secret"],
        "trading_private_key": keys["signer_private_key"],
    }
    return sdk.Client(endpoints["rest"], keys["account_id"], **{**names, **other})


async def trade_v2() -> Report:
    async with v2_client() as client:
        await client.account.update_leverage_setting("30000002", "10")
        report = await trade(
            client, "30000002", lambda name: sdk.CancelOrderParams(client_order_id=name)
        )
        poor = order("30000002", "BUY", "450", Decimal(2950))
        report["poor"] = await told(client.create_order(poor))
        past = sdk.GetHistoryOrderPageParams(size=100)
        report["history"] = (await client.order.get_history_order_page(past))["data"]["dataList"]
        report["named"] = (await client.order.get_orders_by_client_order_id(["sdk-2", "no"]))[
            "data"
        ]
        report["found"] = (await client.order.get_orders_by_id([report["placed"]["orderId"]]))[
            "data"
        ]
        report["rate"] = (await client.funding.get_latest_funding_rate(["30000002"]))["data"]
        margin = sdk.SetMarginModeParams(contract_id="30000002", margin_mode="1")
        report["margin"] = (await client.set_margin_mode(margin))["code"]
        reducing = order("30000002", "BUY", "0.05", Decimal(3000), reduce_only=True)
        reducing.price = report["ticker"][0]["oraclePrice"].split(".")[0]
        taken = (await client.create_order(reducing))["data"]
        await asyncio.sleep(SETTLED)
        report["reducing"] = (await client.order.get_orders_by_id([taken["orderId"]]))["data"]
    async with v2_client(api_secret=keys["secret"][::-1]) as stranger:
        report["stranger"] = await told(stranger.get_account_asset())
    async with v2_client(trading_private_key="01" * 32) as stranger:
        low = order("30000002", "BUY", "0.05", Decimal(reducing.price))
        report["wrong_key"] = await told(stranger.create_order(low))
    return report


# --------------------------------------------------------------------------- v1


def v1_client(key: str) -> Any:
    return sdk.Client(endpoints["rest_v1"], int(keys["account_id"]), key)


async def trade_v1() -> Report:
    async with v1_client(keys["stark_private_key"]) as client:
        report = await trade(client, "10000002", lambda name: sdk.CancelOrderParams(client_id=name))
    async with v1_client("01" * 32) as stranger:
        report["stranger"] = await told(stranger.get_account_asset())
    return report


# --------------------------------------------------------------------------- streams


async def listen(manager: Any, client: Any, contract: str) -> Report:
    """What the sockets tell while an order is taken."""
    public: list[Any] = []
    private: list[Any] = []
    booked, loop = asyncio.Event(), asyncio.get_running_loop()

    def hear(message: str, heard: list[Any]) -> None:
        """In the thread of a socket; its end is an empty message."""
        frame = json.loads(message) if message else {}
        if frame:
            heard.append(frame)
        if frame.get("type") == "trade-event" and frame["content"]["data"]["orderFillTransaction"]:
            loop.call_soon_threadsafe(booked.set)

    manager.get_public_client().on_message_hook(lambda message: hear(message, public))
    manager.get_private_client().on_message_hook(lambda message: hear(message, private))
    manager.connect_public()
    manager.connect_private()
    manager.subscribe_ticker(contract, lambda _: None)
    for channel in (f"depth.{contract}.15", f"trades.{contract}", "ticker.77"):
        manager.get_public_client().subscribe(channel)
    await asyncio.sleep(1.0)
    async with client:
        side = sdk.OrderSide.BUY
        await client.create_market_order(contract, "0.07", side, client_order_id="sdk-9")
    async with asyncio.timeout(PATIENCE):
        await booked.wait()
    await asyncio.sleep(1.0)
    manager.disconnect_all()
    return {"public": public, "private": private}


async def listen_v2() -> Report:
    manager = sdk.WebSocketManager(
        endpoints["ws"], keys["account_id"], keys["api_key"], keys["passphrase"], keys["secret"]
    )
    return await listen(manager, v2_client(), "30000002")


async def listen_v1() -> Report:
    key = keys["stark_private_key"]
    manager = sdk.WebSocketManager(endpoints["ws_v1"], int(keys["account_id"]), key)
    return await listen(manager, v1_client(key), "10000002")


PARTS: dict[str, Callable[[], Awaitable[Report]]] = {
    "v2": trade_v2,
    "v2_streams": listen_v2,
    "v1": trade_v1,
    "v1_streams": listen_v1,
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(PARTS[sys.argv[1]]()), default=str))

"""Trades on an Extended with its Python SDK and with ccxt, unchanged, and reports what it saw.

Runs in an environment of its own: `python extended_client.py sdk|blocking|stream|rpc|ccxt|pro`,
with endpoints and keys as JSON on standard input. The report is JSON on standard output; nothing is
judged here. Only the addresses are replaced; ccxt's builder fee is declined in one part, paid in
the other, and it does not slow itself down.

Source: x10-python-trading-starknet 2.6.0 with websockets below 14; ccxt 4.5.90.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import ccxt.pro
from x10.clients.blocking import BlockingTradingClient
from x10.clients.rest import RestApiClient
from x10.clients.stream import StreamClient
from x10.clients.streamrpc.streamrpc_client import StreamRpcClient
from x10.clients.streamrpc.subscription_params import (
    AccountParams,
    FundingRatesParams,
    OrderbooksParams,
    PricesParams,
    TradesParams,
)
from x10.config import MAINNET_CONFIG
from x10.core.stark_account import StarkPerpetualAccount
from x10.errors import SdkError
from x10.models.order import OrderSide, OrderType, TimeInForce
from x10.tools.orderbook import OrderBook
from x10.utils.date import utc_now

SYMBOL, PAIR = "ETH-USD", "ETH/USDC:USDC"
SIZE, TICK = Decimal("0.05"), Decimal("0.1")
TAKER_FEE = Decimal("0.0005")
PATIENCE = 20.0  # seconds for anything to happen
SETTLED = 0.5  # seconds after which REST tells what the engine has done
Report = dict[str, Any]

given = json.loads(sys.stdin.read())
keys, endpoints = given["credentials"], given["endpoints"]
stream_host = endpoints["ws"].removesuffix("/v1")
CONFIG = dataclasses.replace(
    MAINNET_CONFIG,
    endpoints=dataclasses.replace(
        MAINNET_CONFIG.endpoints,
        api_base_url=endpoints["rest"],
        api_base_order_management_url=endpoints["rest"],
        stream_url=endpoints["ws"],
        stream_rpc_url=f"{stream_host}/v2/rpc",
        onboarding_url=endpoints["rest"],
    ),
)


# --------------------------------------------------------------------------- the SDK


def account() -> StarkPerpetualAccount:
    return StarkPerpetualAccount(
        keys["vault"], keys["private_key"], keys["public_key"], keys["api_key"]
    )


def plain(answer: Any) -> Any:
    """Data of an answer, as JSON."""
    data = answer.data if hasattr(answer, "data") else answer
    if isinstance(data, list):
        return [one.model_dump(mode="json") for one in data]
    return data.model_dump(mode="json") if hasattr(data, "model_dump") else data


async def prices(client: RestApiClient) -> tuple[Decimal, Decimal]:
    """A bid that rests, two percent away, and one that takes."""
    book = (await client.info.get_orderbook_snapshot(market_name=SYMBOL)).data
    bid, ask = book.bid[0].price, book.ask[0].price
    return (bid * Decimal("0.98")).quantize(TICK), (ask * Decimal("1.005")).quantize(TICK)


def order(price: Decimal, side: OrderSide = OrderSide.BUY, **more: Any) -> Report:
    return {
        "market_name": SYMBOL,
        "amount_of_synthetic": SIZE,
        "price": price,
        "side": side,
        "taker_fee": TAKER_FEE,
        **more,
    }


async def refused(attempt: Awaitable[Any]) -> str:
    """What a refusal says."""
    try:
        await attempt
    except SdkError as error:
        return str(error)
    return ""


async def trade() -> Report:
    async with RestApiClient(CONFIG, account()) as client:
        report = await look_around(client)
        resting, taking = await prices(client)
        maker: Report = {"post_only": True, "external_id": "sdk-1"}
        placed = await client.place_order(**order(resting, **maker))
        report["placed"] = plain(placed)
        number = placed.data.id
        report["early"] = await refused(client.account.get_order_by_id(number))
        await asyncio.sleep(SETTLED)
        report["found"] = plain(await client.account.get_order_by_id(number))
        report["named"] = plain(await client.account.get_order_by_external_id("sdk-1"))
        report["open"] = plain(await client.account.get_open_orders(market_names=[SYMBOL]))
        report["again"] = await refused(client.place_order(**order(resting, **maker)))
        edit: Report = {"post_only": True, "previous_order_id": "sdk-1", "external_id": "sdk-2"}
        await client.place_order(**order(resting + 1, **edit))
        await asyncio.sleep(SETTLED)
        report["edited"] = plain(await client.account.get_open_orders())
        await client.orders.cancel_order_by_external_id("sdk-2")
        await client.place_order(**order(resting))
        await asyncio.sleep(SETTLED)
        await client.orders.mass_cancel(cancel_all=True)
        await asyncio.sleep(SETTLED)
        report["left"] = plain(await client.account.get_open_orders())
        await client.place_order(**order(taking, post_only=True, external_id="crossing"))
        await client.place_order(**order(taking, time_in_force=TimeInForce.IOC))
        await asyncio.sleep(SETTLED)
        report["history"] = plain(await client.account.get_orders_history())
        report["positions"] = plain(await client.account.get_positions())
        report["trades"] = plain(await client.account.get_trades(market_names=[SYMBOL]))
        report["balance"] = plain(await client.account.get_balance())
        report["assets_held"] = plain(await client.account.get_spot_balances())
        report |= await close_down(client)
    return report


async def look_around(client: RestApiClient) -> Report:
    now = utc_now()
    markets = await client.info.get_markets_dict()
    report: Report = {"markets": {name: plain(market) for name, market in markets.items()}}
    report["stats"] = plain(await client.info.get_market_statistics(market_name=SYMBOL))
    report["assets"] = sorted(await client.info.get_assets_dict())
    rates = {"start_time": now - timedelta(hours=2), "end_time": now}
    report["rates"] = plain(
        await client.info.get_funding_rates_history(market_name=SYMBOL, **rates)
    )
    report["account"] = plain(await client.account.get_account())
    report["fees"] = plain(await client.account.get_fees(market_names=[SYMBOL]))
    await client.account.update_leverage(SYMBOL, Decimal(10))
    report["leverage"] = plain(await client.account.get_leverage(market_names=[SYMBOL]))
    return report


async def close_down(client: RestApiClient) -> Report:
    resting, _ = await prices(client)
    low = (resting * Decimal("0.99")).quantize(TICK)
    builder = {"builder_fee": Decimal("0.0001"), "builder_id": 2017}
    closing: Report = {"reduce_only": True, "time_in_force": TimeInForce.IOC, **builder}
    report: Report = {}
    report["too_much"] = await refused(
        client.place_order(
            **{**order(low, OrderSide.SELL, **closing), "amount_of_synthetic": SIZE * 2}
        )
    )
    await client.place_order(**order(low, OrderSide.SELL, **closing))
    await asyncio.sleep(SETTLED)
    report["flat"] = plain(await client.account.get_positions())
    report["past"] = plain(await client.account.get_positions_history())
    report["reduce"] = await refused(client.place_order(**order(low, reduce_only=True)))
    report["poor"] = await refused(
        client.place_order(**{**order(resting), "amount_of_synthetic": Decimal(1000)})
    )
    report["unknown"] = await refused(client.orders.cancel_order(5))
    stranger = StarkPerpetualAccount(
        keys["vault"], keys["private_key"], keys["public_key"], "a key that nobody has"
    )
    async with RestApiClient(CONFIG, stranger) as other:
        report["stranger"] = await refused(other.account.get_balance())
    return report


async def block() -> Report:
    """Orders that wait for the account's stream."""
    async with RestApiClient(CONFIG) as reader:
        resting, taking = await prices(reader)
    client = await BlockingTradingClient.create(CONFIG, account())
    await asyncio.sleep(SETTLED)  # its own stream is open by then
    maker: Report = {"post_only": True, "external_id": "blocking-1"}
    report: Report = {
        "placed": plain(await client.create_and_place_order(**order(resting, **maker)))
    }
    canceled = await client.cancel_order("blocking-1")
    report["canceled_in_ms"] = canceled.operation_ms
    crossing = await client.create_and_place_order(**order(taking, post_only=True))
    report["crossing"] = plain(crossing)
    at_market: Report = {"order_type": OrderType.MARKET, "time_in_force": TimeInForce.IOC}
    report["taken"] = plain(await client.create_and_place_order(**order(taking, **at_market)))
    await client.close()
    return report


async def first(stream: Any) -> Any:
    """The next message of a stream of the first generation."""
    async with stream as socket, asyncio.timeout(PATIENCE):
        return plain(await socket.recv())


async def listen() -> Report:
    """A message of each public stream, a book that is kept, and the account's story."""
    client = StreamClient(api_url=CONFIG.endpoints.stream_url)
    report: Report = {
        "book": await first(client.subscribe_to_orderbooks(SYMBOL)),
        "best": await first(client.subscribe_to_orderbooks(SYMBOL, depth=1)),
        "trades": await first(client.subscribe_to_public_trades(SYMBOL)),
        "every": await first(client.subscribe_to_public_trades()),
    }
    book = await OrderBook.create(CONFIG, market_name=SYMBOL, start=True)
    async with RestApiClient(CONFIG, account()) as rest:
        resting, taking = await prices(rest)
        async with client.subscribe_to_account_updates(keys["api_key"]) as socket:
            events = [await socket.recv() for _ in range(3)]
            await rest.place_order(**order(resting, post_only=True))
            await rest.place_order(**order(taking, time_in_force=TimeInForce.IOC))
            async with asyncio.timeout(PATIENCE):
                while not (events[-1].data.positions and events[-1].data.balance):
                    events.append(await socket.recv())
    report["account"] = [
        [str(event.type), event.seq, event.data.model_dump(mode="json")] for event in events
    ]
    report["kept"] = [str(book.best_bid().price), str(book.best_ask().price)]
    await book.close()
    return report


async def call() -> Report:
    """The second generation: everything on one socket, in one sequence."""
    told: list[Any] = []
    breaks: list[Any] = []
    enough = asyncio.Event()

    def hear(message: Any) -> None:
        told.append(message)
        types = [one.type for one in told]
        if {"PRICES.MP", "TRADES"} <= set(types) and types.count("ACCOUNT.ORDER") > 1:
            enough.set()

    async with RestApiClient(CONFIG, account()) as rest:
        resting, _ = await prices(rest)
        number = str((await rest.account.get_account()).data.id)
        async with StreamRpcClient(
            api_url=CONFIG.endpoints.stream_rpc_url,
            on_sequence_break=lambda *gap: breaks.append(gap),
        ) as client:
            await client.ping()
            for params in (
                OrderbooksParams(market=SYMBOL),
                OrderbooksParams(market=SYMBOL, depth="1"),
                TradesParams(market=SYMBOL),
                PricesParams(price_type="mark", market=SYMBOL),
                PricesParams(price_type="index"),
                FundingRatesParams(market=SYMBOL),
                AccountParams(account=number, api_key=keys["api_key"]),
            ):
                await client.subscribe(params=params, handler=hear)
            await rest.place_order(**order(resting, post_only=True))
            async with asyncio.timeout(PATIENCE):
                await enough.wait()
            listed = await client.list_subscriptions()
            # From here on the SDK drops, uncounted, what still comes of the topic it leaves.
            seqs, broken = [message.seq for message in told], list(breaks)
            await client.unsubscribe(topic_id=f"orderbooks.{SYMBOL}")
            left = await client.list_subscriptions()
    return {
        "types": sorted({message.type for message in told}),
        "seqs": seqs,
        "orders": [m.data.model_dump(mode="json") for m in told if m.type == "ACCOUNT.ORDER"],
        "breaks": broken,
        "listed": listed,
        "left": left,
    }


# --------------------------------------------------------------------------- ccxt


def other(builder: bool) -> Any:
    exchange = ccxt.pro.extended(
        {"apiKey": keys["api_key"], "privateKey": keys["private_key"], "enableRateLimit": False}
    )
    exchange.options["builderFee"] = builder
    host = endpoints["rest"].removesuffix("/api/v1")
    exchange.urls["api"] = {"rest": host, "ws": endpoints["ws"]}
    return exchange


async def trade_ccxt(exchange: Any) -> Report:
    report: Report = {"markets": sorted(await exchange.load_markets())}
    book = await exchange.fetch_order_book(PAIR)
    resting, taking = book["bids"][0][0] * 0.98, book["asks"][0][0] * 1.005
    await exchange.set_leverage(20, PAIR)
    report["leverage"] = (await exchange.fetch_leverage(PAIR))["longLeverage"]
    maker = {"postOnly": True, "clientOrderId": "ccxt-1", "fee": "0"}
    placed = await exchange.create_order(PAIR, "limit", "buy", 0.05, resting, maker)
    await asyncio.sleep(SETTLED)
    report["open"] = await exchange.fetch_open_orders(PAIR)
    edited = await exchange.edit_order(placed["id"], PAIR, "limit", "buy", 0.04, resting)
    await asyncio.sleep(SETTLED)
    report["edited"] = await exchange.fetch_order(edited["id"], PAIR)
    await exchange.cancel_order(edited["id"], PAIR)
    await exchange.cancel_all_orders(PAIR)
    await exchange.cancel_all_orders_after(60_000)
    taken = await exchange.create_order(PAIR, "market", "buy", 0.05, taking)
    await asyncio.sleep(SETTLED)
    report["taken"] = await exchange.fetch_order(taken["id"], PAIR)
    report["positions"] = await exchange.fetch_positions([PAIR])
    report["fills"] = await exchange.fetch_my_trades(PAIR)
    report["balance"] = (await exchange.fetch_balance())["USDC"]
    report["fees"] = await exchange.fetch_trading_fee(PAIR)
    closing = {"reduceOnly": True}
    await exchange.create_order(PAIR, "market", "sell", 0.05, resting, closing)
    await asyncio.sleep(SETTLED)
    report["flat"] = await exchange.fetch_positions([PAIR])
    try:
        await exchange.create_order(PAIR, "limit", "buy", 5000, resting)
    except ccxt.InsufficientFunds as error:
        report["poor"] = str(error)
    return report


async def trade_pro(exchange: Any) -> Report:
    """The streams that ccxt has, with an order that pays a builder."""
    await exchange.load_markets()
    book = await exchange.watch_order_book(PAIR)
    taking = book["asks"][0][0] * 1.005
    for _ in range(5):  # ccxt checks the sequence by itself
        book = await exchange.watch_order_book(PAIR)
    report: Report = {"book": [book["bids"][0], book["asks"][0]]}
    report["mark"] = (await exchange.watch_mark_price(PAIR))["markPrice"]
    report["trades"] = len(await exchange.watch_trades(PAIR))
    report["balance"] = (await exchange.watch_balance())["USDC"]

    async def place() -> Any:
        await asyncio.sleep(0.2)  # by then everything is watched
        return await exchange.create_order(PAIR, "market", "buy", 0.05, taking)

    watched = (
        exchange.watch_orders(PAIR),
        exchange.watch_my_trades(PAIR),
        exchange.watch_positions([PAIR]),
        place(),
    )
    orders, trades, positions, placed = await asyncio.gather(*watched)
    report["orders"] = [row["id"] for row in orders]
    report["placed"] = placed["id"]
    report["fill"] = [trades[0]["order"], trades[0]["amount"], trades[0]["fee"]["cost"]]
    report["position"] = [positions[0]["side"], positions[0]["contracts"]]
    return report


async def with_ccxt(part: Callable[[Any], Awaitable[Report]], builder: bool) -> Report:
    exchange = other(builder)
    try:
        async with asyncio.timeout(PATIENCE * 2):
            return await part(exchange)
    finally:
        await exchange.close()


PARTS: dict[str, Callable[[], Awaitable[Report]]] = {
    "sdk": trade,
    "blocking": block,
    "stream": listen,
    "rpc": call,
    "ccxt": lambda: with_ccxt(trade_ccxt, builder=False),
    "pro": lambda: with_ccxt(trade_pro, builder=True),
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(PARTS[sys.argv[1]]()), default=str))

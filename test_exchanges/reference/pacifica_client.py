"""Trades on a Pacifica with its Python SDK and with ccxt, unchanged, and reports what it saw.

Runs in an environment of its own: `python pacifica_client.py sdk|settings|stream|ccxt|pro`, with
endpoints and keys as JSON on standard input. The report is JSON on standard output; nothing is
judged here. Only the addresses are replaced; ccxt's builder fee is declined, and neither client
slows itself down.

Source: pacifica-python-sdk 0.1.0a2; ccxt 4.5.90.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import ccxt.pro
from pacifica import (
    ConnectionEvent,
    ExposureTracker,
    LocalSigner,
    OrderRequest,
    OrderSide,
    OrderType,
    PacificaClient,
    PacificaConfig,
    StopOrder,
    TimeInForce,
)
from pacifica.exceptions import APIError

SYMBOL, PAIR = "ETH", "ETH/USDC:USDC"
SIZE = Decimal("0.05")
PATIENCE = 20.0  # seconds for anything to happen
SETTLED = 1.0  # seconds: the speed bump is over by then
Report = dict[str, Any]

given = json.loads(sys.stdin.read())
keys, endpoints = given["credentials"], given["endpoints"]


# --------------------------------------------------------------------------- the SDK


def sdk() -> PacificaClient:
    signer = LocalSigner(keys["private_key"])
    config = PacificaConfig(
        base_url=endpoints["rest"], websocket_url=endpoints["ws"], pace_reads=False
    )
    return PacificaClient(
        config, account=keys["account"], agent_wallet=signer.address, signer=signer
    )


def limit(side: str, price: Decimal, tif: str = "ALO", **more: Any) -> OrderRequest:
    return OrderRequest(
        symbol=SYMBOL,
        side=OrderSide(side),
        quantity=SIZE,
        price=price,
        time_in_force=TimeInForce(tif),
        **more,
    )


def market(side: str, **more: Any) -> OrderRequest:
    kind = {"order_type": OrderType.MARKET, "slippage_percent": Decimal("0.5")}
    return OrderRequest(symbol=SYMBOL, side=OrderSide(side), quantity=SIZE, **kind, **more)


async def prices(client: PacificaClient) -> tuple[Decimal, Decimal]:
    """A bid that rests, two percent away, and one that takes."""
    book, tick = await client.get_orderbook(SYMBOL), Decimal("0.1")
    bid, ask = book.bids[0].price, book.asks[0].price
    return (bid * Decimal("0.98")).quantize(tick), (ask * Decimal("1.005")).quantize(tick)


def plain(model: Any) -> Any:
    return model.model_dump(mode="json")


def rows(models: Any) -> list[Any]:
    return [plain(model) for model in models]


async def trade(client: PacificaClient) -> Report:
    resting, taking = await prices(client)
    report: Report = {"markets": rows(await client.get_markets())}
    report["prices"] = rows(await client.get_prices())
    report["trades"] = rows(await client.get_recent_trades(SYMBOL))
    report["rates"] = plain(await client.get_funding_rate_history(SYMBOL))
    name = UUID(int=1)
    report["placed"] = plain(await client.place_order(limit("bid", resting, client_order_id=name)))
    report["open"] = rows(await client.get_open_orders())
    report["found"] = plain(await client.get_order(client_order_id=name))
    edited = await client.edit_order(
        client_order_id=name, symbol=SYMBOL, price=resting + 1, quantity=SIZE
    )
    report["edited"] = plain(edited)
    report["canceled"] = plain(await client.cancel_order(edited.order_id, symbol=SYMBOL))
    await client.place_order(limit("bid", resting))
    report["all"] = plain(await client.cancel_all_orders(SYMBOL))
    crossing = await client.place_order(limit("bid", taking))
    report["crossing"] = plain(await client.wait_for_order(crossing.order_id))
    taken = await client.place_order(limit("bid", taking, "IOC"))
    report["taken"] = plain(await client.wait_for_order(taken.order_id, poll_interval=SETTLED))
    report["positions"] = plain(await client.get_position_snapshot())
    report["fills"] = plain(await client.get_trade_history(symbol=SYMBOL))
    closed = await client.place_order(market("ask", reduce_only=True))
    report["closed"] = plain(await client.wait_for_order(closed.order_id, poll_interval=SETTLED))
    report["snapshot"] = plain(await client.get_account_snapshot())
    report["history"] = plain(await client.get_order_history(limit=3))
    report["budget"] = client._rest.limiter.server_budget
    return report


async def refused(attempt: Awaitable[Any]) -> list[Any]:
    """Status and code of a refusal that is definite for the SDK."""
    try:
        await attempt
    except APIError as error:
        return [error.status_code, error.code]
    return []


async def settings(client: PacificaClient) -> Report:
    report: Report = {"before": await client.get_account_settings()}
    await client.update_leverage(SYMBOL, 10)
    await client.update_margin_mode(SYMBOL, isolated=True)
    report["after"] = await client.get_account_settings()
    resting, _ = await prices(client)
    bracket = limit("bid", resting, take_profit=StopOrder(stop_price=resting * 2))
    report["refused"] = {
        "cancel": await refused(client.cancel_order(5, symbol=SYMBOL)),
        "reduce": await refused(client.place_order(market("ask", reduce_only=True))),
        "agents": await refused(client._submit("/agent/list", "list_agent_wallets", {}, Any)),
        "bracket": await refused(client.place_order(bracket)),
    }
    report["funding"] = plain(await client.get_funding_history())
    return report


async def stream(client: PacificaClient) -> Report:
    """Everything that the account's socket says around three orders, and what the tracker sees."""
    resting, _ = await prices(client)
    report: Report = {"events": []}
    tracker = ExposureTracker()
    async with client.stream_account() as socket, asyncio.timeout(PATIENCE):
        async for event in socket:
            tracker.apply(event)
            if isinstance(event, ConnectionEvent):
                continue
            data = event.data if isinstance(event.data, tuple) else (event.data,)
            report["events"].append([event.channel, rows(data), event.li])
            channels = [one[0] for one in report["events"]]
            if channels == ["account_positions", "account_info"]:
                placed = await client.place_order(limit("bid", resting))
                await client.cancel_order(placed.order_id, symbol=SYMBOL)
                await client.place_order(market("bid"))
            if channels[-1] == "account_info" and "account_trades" in channels:
                break
    report["exposure"] = str(tracker.signed_quantity(SYMBOL))
    report["public"] = await public(client)
    return report


async def public(client: PacificaClient) -> Report:
    """The first frame of every channel for all."""
    found: Report = {}
    for name, socket in (
        ("prices", client.stream_prices()),
        ("book", client.stream_orderbook(SYMBOL, agg_level=10)),
        ("bbo", client.stream_bbo(SYMBOL)),
        ("trades", client.stream_trades(SYMBOL)),
    ):
        async with socket, asyncio.timeout(PATIENCE):
            async for event in socket:
                if not isinstance(event, ConnectionEvent):
                    data = event.data if isinstance(event.data, tuple) else (event.data,)
                    found[name] = rows(data)
                    break
    return found


# --------------------------------------------------------------------------- ccxt


def other() -> Any:
    exchange = ccxt.pro.pacifica(
        {
            "walletAddress": keys["account"],
            "privateKey": keys["private_key"],
            "enableRateLimit": False,
        }
    )
    exchange.options["agentAddress"] = LocalSigner(keys["private_key"]).address
    exchange.options["builderFee"] = False
    host = endpoints["rest"].removesuffix("/api/v1")
    exchange.urls["api"] = {"public": host, "private": host, "ws": {"public": endpoints["ws"]}}
    return exchange


async def trade_ccxt(exchange: Any) -> Report:
    report: Report = {"markets": list(await exchange.load_markets())}
    book = await exchange.fetch_order_book(PAIR)
    resting, taking = book["bids"][0][0] * 0.98, book["asks"][0][0] * 1.005
    report["book"] = {"bids": book["bids"], "asks": book["asks"]}
    await exchange.set_leverage(20, PAIR)
    chosen = await exchange.publicGetAccountSettings({"account": keys["account"]})
    report["settings"] = chosen["data"]["margin_settings"]
    post_only = {"timeInForce": "PO", "clientOrderId": str(UUID(int=1))}
    placed = await exchange.create_order(PAIR, "limit", "buy", 0.05, resting, post_only)
    report["open"] = await exchange.fetch_open_orders(PAIR)
    report["placed"] = placed["id"]
    edited = await exchange.edit_order(placed["id"], PAIR, "limit", "buy", 0.04, resting)
    report["edited"] = edited["id"]
    report["canceled"] = await exchange.cancel_order(edited["id"], PAIR)
    report["all"] = await exchange.cancel_all_orders(PAIR)
    taken = await exchange.create_order(PAIR, "limit", "buy", 0.05, taking, {"timeInForce": "IOC"})
    await asyncio.sleep(SETTLED)
    report["taken"] = await exchange.fetch_order(taken["id"], PAIR)
    report["positions"] = await exchange.fetch_positions([PAIR])
    report["fills"] = await exchange.fetch_my_trades(PAIR)
    report["balance"] = (await exchange.fetch_balance())["USDC"]
    report["fees"] = await exchange.fetch_trading_fee(PAIR)
    closing = [PAIR, "market", "sell", 0.05, None, {"reduceOnly": True}]
    await exchange.create_order(*closing)
    await asyncio.sleep(SETTLED)
    report["flat"] = await exchange.fetch_positions([PAIR])
    try:
        await exchange.cancel_order("5", PAIR)
    except ccxt.OrderNotFound as error:
        report["missing"] = str(error)
    return report


async def trade_pro(exchange: Any) -> Report:
    """Order entry over the socket, and the streams that ccxt has."""
    await exchange.load_markets()
    book = await exchange.watch_order_book(PAIR)
    resting = book["bids"][0][0] * 0.98
    report: Report = {"book": {"bids": book["bids"], "asks": book["asks"]}}
    report["tickers"] = list(await exchange.watch_tickers([PAIR]))

    async def place() -> Any:
        await asyncio.sleep(0.2)  # by then the orders are watched
        return await exchange.create_order_ws(
            PAIR, "limit", "buy", 0.05, resting, {"timeInForce": "PO"}
        )

    report["told"], placed = await asyncio.gather(exchange.watch_orders(PAIR), place())
    report["placed"] = placed["info"]
    canceled = await exchange.cancel_order_ws(str(placed["info"]["data"]["i"]), PAIR)
    report["canceled"] = canceled["info"]
    taken = await exchange.create_order_ws(PAIR, "market", "sell", 0.05)
    await asyncio.sleep(SETTLED)
    report["taken"] = await exchange.fetch_order(str(taken["info"]["data"]["i"]), PAIR)
    try:
        await exchange.cancel_order_ws("5", PAIR)
    except ccxt.BaseError as error:
        report["missing"] = [type(error).__name__, str(error)]
    return report


async def with_sdk(part: Callable[[PacificaClient], Awaitable[Report]]) -> Report:
    async with sdk() as client:
        return await part(client)


async def with_ccxt(part: Callable[[Any], Awaitable[Report]]) -> Report:
    exchange = other()
    try:
        return await part(exchange)
    finally:
        await exchange.close()


PARTS: dict[str, Callable[[], Awaitable[Report]]] = {
    "sdk": lambda: with_sdk(trade),
    "settings": lambda: with_sdk(settings),
    "stream": lambda: with_sdk(stream),
    "ccxt": lambda: with_ccxt(trade_ccxt),
    "pro": lambda: with_ccxt(trade_pro),
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(PARTS[sys.argv[1]]()), default=str))

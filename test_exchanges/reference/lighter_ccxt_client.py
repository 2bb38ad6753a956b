"""Trades on a Lighter with ccxt, unchanged, and reports what it saw.

Runs in an environment of its own: `python lighter_ccxt_client.py rest|pro`, with endpoints and keys
as JSON on standard input and the path of the native signer, which ccxt does not bring along, in
`LIGHTER_SIGNER`. The report is JSON on standard output; nothing is judged here. Only the addresses
are replaced; ccxt's builder fee is declined, and it does not slow itself down. It sends forms of
several parts and skips nonces.

Source: ccxt 4.5.90.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt.pro

PAIR = "ETH/USDC:USDC"
SIZE = 0.05
PATIENCE = 20.0  # seconds for anything to happen
SEQUENCED = 0.5  # seconds after which the sequencer has come to everything
Report = dict[str, Any]

given = json.loads(sys.stdin.read())
keys, endpoints = given["credentials"], given["endpoints"]


def exchange() -> Any:
    account, key = keys["account_index"], keys["api_key_index"]
    made = ccxt.pro.lighter(
        {
            "enableRateLimit": False,
            "privateKey": "0x" + "01" * 32,  # of the owner: asked for, never used
            "options": {
                "builderFee": False,
                "libraryPath": os.environ["LIGHTER_SIGNER"],
                "accountIndex": int(account),
                "apiKeyIndex": int(key),
                "auths": {account: {key: {"lighterPrivateKey": keys["private_key"]}}},
            },
        }
    )
    made.urls["api"] = {
        **dict.fromkeys(("root", "public", "private"), endpoints["rest"]),
        "ws": endpoints["ws"],
    }
    return made


async def prices(client: Any) -> tuple[float, float, float]:
    """A bid that rests, two percent away, one that takes, and an ask that takes."""
    book = await client.fetch_order_book(PAIR, 5)
    bid, ask = book["bids"][0][0], book["asks"][0][0]
    return bid * 0.98, ask * 1.005, bid * 0.995


def short(order: Report) -> list[Any]:
    return [order["clientOrderId"], order["status"], order["side"], order["type"], order["filled"]]


async def rest() -> Report:
    client = exchange()
    report: Report = {"markets": sorted(await client.load_markets())}
    resting, taking, selling = await prices(client)
    placed = await client.create_order(
        PAIR, "limit", "buy", SIZE, resting, {"postOnly": True, "clientOrderId": 41}
    )
    report["placed"] = placed["info"]["code"]
    await asyncio.sleep(SEQUENCED)
    [active] = await client.fetch_open_orders(PAIR)
    report["active"] = short(active)
    await client.cancel_order(active["id"], PAIR)
    for number, side, price in ((42, "buy", taking), (43, "sell", selling)):
        await client.create_order(
            PAIR, "market", side, SIZE, price, {"clientOrderId": number, "reduceOnly": number == 43}
        )
        await asyncio.sleep(SEQUENCED)
        if number == 42:
            [position] = await client.fetch_positions([PAIR])
            report["position"] = [position["side"], position["contracts"], position["leverage"]]
    try:
        await client.create_order(PAIR, "limit", "buy", 0.0001, resting)
    except ccxt.ExchangeError as error:
        report["refused"] = str(error)
    report["leverage"] = (await client.set_leverage(10, PAIR, {"marginMode": "cross"}))["code"]
    closed = await client.fetch_closed_orders(PAIR)
    report["closed"] = sorted(short(order) for order in closed)
    trades = await client.fetch_my_trades(PAIR)
    report["trades"] = [[t["side"], t["takerOrMaker"], t["amount"]] for t in trades]
    balance = await client.fetch_balance()
    report["balance"] = balance["USDC"]["total"]
    report["funding"] = (await client.fetch_funding_rates())[PAIR]["fundingRate"]
    report["status"] = (await client.fetch_status())["status"]
    await client.close()
    return report


async def pro() -> Report:
    """Book, ticker and trades of the market, orders and trades of the account."""
    client = exchange()
    await client.load_markets()
    async with asyncio.timeout(PATIENCE):
        first = await client.watch_order_book(PAIR)
        book = [len(first["bids"]), len(first["asks"])]
        for _ in range(10):
            later = await client.watch_order_book(PAIR)
        ticker = await client.watch_ticker(PAIR)
        _, taking, _ = await prices(client)
        watching = client.watch_orders(PAIR)
        buying = _buy(client, taking)
        orders, _ = await asyncio.gather(watching, buying)
    await client.close()
    return {
        "book": book,
        "crossed": later["bids"][0][0] >= later["asks"][0][0],
        "mark": ticker["markPrice"],
        "orders": [short(order) for order in orders],
    }


async def _buy(client: Any, price: float) -> None:
    await asyncio.sleep(SEQUENCED)
    await client.create_order(
        PAIR, "limit", "buy", SIZE, price, {"timeInForce": "IOC", "clientOrderId": 51}
    )


PARTS: dict[str, Callable[[], Awaitable[Report]]] = {"rest": rest, "pro": pro}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(PARTS[sys.argv[1]]())))

"""Trades on a Backpack with its Python SDK, unchanged, and reports what it saw.

Runs in the SDK's own environment: `python backpack_client.py sync|async|methods|stream`, with
endpoints and keys as JSON on standard input. The report is JSON on standard output; nothing is
judged here. Only the addresses are replaced. The SDK has no WebSocket: the part `stream` opens one
by itself and has the SDK sign the subscription.

Source: bpx-py 2.0.11.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import aiohttp
from bpx.account import Account
from bpx.async_.account import Account as AsyncAccount
from bpx.async_.public import Public as AsyncPublic
from bpx.base.base_account import BaseAccount
from bpx.base.base_public import BasePublic
from bpx.public import Public

ETH = "ETH_USDC_PERP"
SIZE = "0.05"
PATIENCE = 15.0  # seconds for anything to happen on the stream
STREAMS = ["account.orderUpdate", "account.positionUpdate", f"depth.{ETH}", f"bookTicker.{ETH}"]
Report = dict[str, Any]

given = json.loads(sys.stdin.read())
keys = (given["credentials"]["api_key"], given["credentials"]["secret_key"])
BaseAccount.BPX_API_URL = BasePublic.BASE_URL = given["endpoints"]["rest"] + "/"


def prices(depth: Report) -> tuple[str, str]:
    """A bid that rests, two percent away, and one that takes."""
    bid, ask = Decimal(depth["bids"][-1][0]), Decimal(depth["asks"][0][0])
    cent = Decimal("0.01")
    return str((bid * Decimal("0.98")).quantize(cent)), str((ask * Decimal("1.005")).quantize(cent))


def maker(price: str, number: int) -> Report:
    return {
        "symbol": ETH,
        "side": "Bid",
        "order_type": "Limit",
        "quantity": SIZE,
        "price": price,
        "post_only": True,
        "client_id": number,
    }


def taker(price: str, number: int, side: str = "Bid") -> Report:
    order = {**maker(price, number), "side": side, "time_in_force": "IOC"}
    del order["post_only"]
    return order


def trade_sync() -> Report:
    public, account = Public(), Account(*keys)
    report: Report = {"status": public.get_status(), "ping": public.get_ping()}
    report["time"] = public.get_time()
    report["markets"] = [row["symbol"] for row in public.get_markets()]
    report["depth"] = public.get_depth(ETH)
    report["ticker"] = public.get_ticker(ETH)
    report["tickers"] = public.get_tickers()
    report["trades"] = public.get_recent_trades(ETH)
    report["interest"] = public.get_open_interest(ETH)
    report["rates"] = public.get_funding_interval_rates(ETH)
    resting, taking = prices(report["depth"])
    report["placed"] = account.execute_order(**maker(resting, 1001))
    report["open"] = account.get_open_orders(symbol=ETH)
    report["found"] = account.get_open_order(ETH, client_id=1001)
    report["canceled"] = account.cancel_order(ETH, client_id=1001)
    report["gone"] = account.get_open_order(ETH, client_id=1001)
    report["crossing"] = account.execute_order(**maker(taking, 1002))
    report["taken"] = account.execute_order(**taker(taking, 1003))
    report["positions"] = account.get_open_positions()
    report["fills"] = account.get_fill_history(symbol=ETH)
    report["history"] = account.get_order_history(limit=10, offset=0, symbol=ETH)
    report["stranger"] = Account(keys[0], "A" * 43 + "=").get_account()
    return report


async def trade_async() -> Report:
    public, account = AsyncPublic(), AsyncAccount(*keys)
    report: Report = {"markets": [row["symbol"] for row in await public.get_markets()]}
    resting, _ = prices(await public.get_depth(ETH))
    report["placed"] = await account.execute_order(**maker(resting, 2001))
    report["open"] = await account.get_open_orders(symbol=ETH)
    report["canceled"] = await account.cancel_order(ETH, order_id=report["placed"]["id"])
    report["taken"] = await account.execute_order(
        ETH, "Ask", "Market", quantity=SIZE, client_id=2002
    )
    report["positions"] = await account.get_open_positions()
    report["fills"] = await account.get_fill_history(symbol=ETH)
    report["closed"] = await account.execute_order(
        ETH, "Bid", "Market", quantity=SIZE, reduce_only=True
    )
    report["flat"] = await account.get_open_positions()
    return report


def every_method() -> Report:
    """Each method of the account once; what it answered."""
    account = Account(*keys)
    resting, taking = prices(Public().get_depth(ETH))
    calls: list[tuple[str, Report]] = [
        ("get_account", {"window": 60_000}),
        ("update_account", {"leverage_limit": "10"}),
        ("update_account", {"leverage_limit": "5", "auto_lend": True}),
        ("execute_order", {**maker(resting, 9), "self_trade_prevention": "RejectTaker"}),
        ("get_open_order", {"symbol": ETH, "client_id": 9}),
        ("get_open_orders", {"market_type": "PERP", "symbol": ETH}),
        ("get_open_orders", {}),
        ("cancel_order", {"symbol": ETH, "client_id": 9}),
        ("execute_order", maker(resting, 10)),
        ("cancel_all_orders", {"symbol": ETH}),
        ("execute_order", taker(taking, 7)),
        ("execute_order", {**taker(resting, 8, "Ask"), "reduce_only": True}),
        (
            "execute_order",
            {
                "symbol": "ETH_USDC",
                "side": "Bid",
                "order_type": "Market",
                "quote_quantity": "100",
            },
        ),
        ("get_open_positions", {}),
        ("get_balances", {}),
        ("get_collateral", {}),
        ("get_fill_history", {"symbol": ETH, "limit": 100, "offset": 0, "from_": 1, "to": 2**41}),
        ("get_order_history", {"limit": 50, "offset": 0, "symbol": ETH}),
        ("get_funding_payments", {"symbol": ETH, "limit": 10, "offset": 20}),
        ("get_max_order_quantity", {"symbol": ETH, "side": "Bid", "price": resting}),
    ]
    return {"answers": [(name, getattr(account, name)(**arguments)) for name, arguments in calls]}


async def trade_stream() -> Report:
    account = AsyncAccount(*keys)
    now = int(await AsyncPublic().get_time())
    proof = [keys[0], account._sign({}, "subscribe", now, 5000), str(now), "5000"]
    resting, taking = prices(await AsyncPublic().get_depth(ETH))
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(given["endpoints"]["ws"]) as socket,
        asyncio.timeout(PATIENCE),
    ):
        await socket.send_json({"method": "SUBSCRIBE", "params": STREAMS, "signature": proof})
        public = [await socket.receive_json() for _ in range(20)]
        report: Report = {"public": public}
        report["placed"] = await account.execute_order(**maker(resting, 3001))
        report["canceled"] = await account.cancel_order(ETH, client_id=3001)
        report["taken"] = await account.execute_order(**taker(taking, 3002))
        report["events"] = events = []
        while not events or events[-1]["data"].get("e") != "positionOpened":
            frame = await socket.receive_json()
            if frame["stream"].startswith("account."):
                events.append(frame)
    return report


PARTS: dict[str, Callable[[], Report]] = {
    "sync": trade_sync,
    "async": lambda: asyncio.run(trade_async()),
    "methods": every_method,
    "stream": lambda: asyncio.run(trade_stream()),
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(PARTS[sys.argv[1]]()))

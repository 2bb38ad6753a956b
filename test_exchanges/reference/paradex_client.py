"""Trades on a Paradex with its Python SDK and with ccxt, unchanged, and reports what it saw.

Runs in an environment of its own: `python paradex_client.py sdk|newcomer|socket|binary|text|ccxt
|pro`, with endpoints and keys as JSON on standard input. The report is JSON on standard output;
nothing is judged here. Only the addresses are replaced. A throwaway Ethereum key makes the
newcomer's account and ccxt's.

Source: paradex-py 0.8.2; ccxt 4.5.90.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt.pro
from eth_account import Account
from paradex_py import Paradex
from paradex_py.account.subkey_account import SubkeyAccount
from paradex_py.api.api_client import ParadexApiClient
from paradex_py.api.ws_client import ParadexWebsocketChannel as Channel
from paradex_py.api.ws_client import ParadexWebsocketClient, WsRpcError
from paradex_py.common.order import Order, OrderSide, OrderType

ETH, PAIR = "ETH-USD-PERP", "ETH/USD:USDC"
SIZE = Decimal("0.05")
SETTLED = 0.3  # seconds: what was queued has happened
PATIENCE = 20.0  # seconds for anything to happen
L1_KEY = "0x" + "11" * 32
Report = dict[str, Any]

given = json.loads(sys.stdin.read())
keys, endpoints = given["credentials"], given["endpoints"]


# --------------------------------------------------------------------------- the SDK


def subkey_client() -> ParadexApiClient:
    """A client that logs in with the subkey."""
    client = ParadexApiClient(env="prod", api_base_url=endpoints["rest"])
    account = SubkeyAccount(
        config=client.fetch_system_config(),
        l2_private_key=keys["private_key"],
        l2_address=keys["account_address"],
    )
    client.init_account(account)
    return client


def prices(client: ParadexApiClient) -> tuple[Decimal, Decimal]:
    """A bid that rests, two percent away, and one that takes."""
    book = client.fetch_orderbook(ETH, params={"depth": 5})
    bid, ask, cent = Decimal(book["bids"][0][0]), Decimal(book["asks"][0][0]), Decimal("0.01")
    return (bid * Decimal("0.98")).quantize(cent), (ask * Decimal("1.005")).quantize(cent)


def maker(price: Decimal, name: str = "", **more: Any) -> Order:
    return Order(
        market=ETH,
        order_type=OrderType.Limit,
        order_side=OrderSide.Buy,
        size=SIZE,
        limit_price=price,
        client_id=name,
        instruction="POST_ONLY",
        **more,
    )


def market(side: OrderSide, name: str = "", **more: Any) -> Order:
    return Order(
        market=ETH,
        order_type=OrderType.Market,
        order_side=side,
        size=SIZE,
        client_id=name,
        instruction="IOC",
        **more,
    )


def refusal(call: Callable[[], Any]) -> str:
    try:
        call()
    except ValueError as error:
        return str(error)
    return ""


async def settled(client: ParadexApiClient, order: Report) -> Report:
    await asyncio.sleep(SETTLED)
    found: Report = client.fetch_order(order["id"])
    return found


async def trade_sdk() -> Report:
    client = subkey_client()
    report: Report = {"state": client.fetch_system_state(), "time": client.fetch_system_time()}
    report["markets"] = client.fetch_markets()["results"]
    report["summary"] = client.fetch_markets_summary({"market": ETH})["results"]
    report["bbo"] = client.fetch_bbo(ETH)
    report["trades"] = client.fetch_trades({"market": ETH})["results"]
    report["funding"] = client.fetch_funding_data({"market": ETH})["results"]
    resting, taking = prices(client)
    report["placed"] = client.submit_order(maker(resting, "one", recv_window=5000))
    report["twice"] = refusal(lambda: client.submit_order(maker(resting, "one")))
    report["opened"] = await settled(client, report["placed"])
    report["named"] = client.fetch_order_by_client_id("one")
    report["open"] = client.fetch_orders({"market": ETH})["results"]
    number = report["placed"]["id"]
    lower = maker(resting - 1, "one", order_id=number)
    report["modified"] = client.modify_order(number, lower)
    report["moved"] = await settled(client, report["placed"])
    client.cancel_order(number)
    report["canceled"] = await settled(client, report["placed"])
    report["gone"] = refusal(lambda: client.fetch_order_by_client_id("one"))
    report["crossed"] = await settled(client, client.submit_order(maker(taking)))
    report["taken"] = await settled(client, client.submit_order(market(OrderSide.Buy, "two")))
    report["positions"] = client.fetch_positions()["results"]
    report["fills"] = client.fetch_fills({"market": ETH})["results"]
    report["closed"] = await settled(
        client, client.submit_order(market(OrderSide.Sell, "three", reduce_only=True))
    )
    report["flat"] = client.fetch_positions()["results"]
    report["batch"] = client.submit_orders_batch([maker(resting, "four"), maker(resting, "five")])
    await asyncio.sleep(SETTLED)
    report["unbatched"] = client.cancel_orders_batch(client_order_ids=["four", "none"])
    client.cancel_order_by_client_id("five")
    await asyncio.sleep(SETTLED)
    report["left"] = client.fetch_orders()["results"]
    report["history"] = client.fetch_orders_history({"page_size": 3})
    report["account"] = vars(client.fetch_account_summary())
    report["info"] = client.fetch_account_info()
    report["balances"] = client.fetch_balances()["results"]
    report["subkeys"] = client.fetch_subkeys()["results"]
    report["payments"] = client.fetch_funding_payments({"market": ETH})["results"]
    report["limits"] = vars(client.last_rate_limit)
    return report


def newcomer(**how: Any) -> Paradex:
    """A new account, made of an Ethereum key; onboarded when its first login is refused."""
    return Paradex(
        env="prod",
        l1_address=Account.from_key(L1_KEY).address,
        l1_private_key=L1_KEY,
        api_base_url=endpoints["rest"],
        ws_url_override=endpoints["ws_public"],
        ws_direct_url_override=endpoints["ws"],
        **how,
    )


async def trade_newcomer() -> Report:
    """Onboards by refusal, then finds itself onboarded when it asks before."""
    first = newcomer()
    order = first.api_client.submit_order(market(OrderSide.Buy))
    again = newcomer(server_derive_address=True)
    return {
        "before": first.is_onboarded,
        "account": hex(first.account.l2_address),
        "taken": await settled(first.api_client, order),
        "onboarded": again.is_onboarded,
        "same": hex(again.account.l2_address),
        "value": vars(again.api_client.fetch_account_summary())["account_value"],
    }


# --------------------------------------------------------------------------- the SDK's sockets


def socket(client: ParadexApiClient, *, binary: bool) -> ParadexWebsocketClient:
    made = ParadexWebsocketClient(
        env="prod",
        ws_url_override=endpoints["ws"],
        api_client=client,
        sbe_enabled=binary,
        disable_reconnect=True,
    )
    made.init_account(client.account)
    return made


class Ear:
    """Keeps what is told, by channel."""

    def __init__(self, stream: ParadexWebsocketClient) -> None:
        self._stream = stream
        self._news = asyncio.Event()
        self.told: dict[str, list[Report]] = defaultdict(list)

    async def listen(self, channel: Channel, **params: str) -> None:
        async def hear(_: Any, message: Report) -> None:
            self.told[channel.name].append(message["params"]["data"])
            self._news.set()

        await self._stream.subscribe(channel, hear, params or None)

    async def until(self, done: Callable[[dict[str, list[Report]]], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not done(self.told):
                self._news.clear()
                await self._news.wait()

    async def close(self) -> None:
        """In silence: while frames come in, Python 3.11 may lose the end of the SDK's reader."""
        for name in self._stream.get_subscriptions():
            await self._stream.unsubscribe_by_name(name)
        await asyncio.sleep(SETTLED)
        await self._stream.close()


async def hear(binary: bool) -> Report:
    client = subkey_client()
    stream = socket(client, binary=binary)
    report: Report = {"connected": await stream.connect()}
    ear = Ear(stream)
    for channel in (Channel.ORDERS, Channel.FILLS):
        await ear.listen(channel, market="ALL")
    for channel in (Channel.POSITIONS, Channel.ACCOUNT):
        await ear.listen(channel)
    for channel in (Channel.BBO, Channel.TRADES, Channel.MARKETS_SUMMARY, Channel.FUNDING_DATA):
        await ear.listen(channel, market=ETH)
    book = {"market": ETH, "refresh_rate": "50ms", "feed_type": "deltas"}
    await ear.listen(Channel.ORDER_BOOK, **book)
    await ear.until(lambda told: len(told["ORDER_BOOK"]) > 5 and bool(told["FUNDING_DATA"]))
    resting, _ = prices(client)
    placed = client.submit_order(maker(resting, "heard"))
    await ear.until(lambda told: len(told["ORDERS"]) >= 2)
    client.cancel_order(placed["id"])
    await ear.until(lambda told: len(told["ORDERS"]) >= 3)
    client.submit_order(market(OrderSide.Sell, "sold"))
    await ear.until(lambda told: len(told["ORDERS"]) >= 6 and bool(told["ACCOUNT"]))
    await ear.until(lambda told: bool(told["TRADES"]))
    await ear.close()
    return {**report, **{name: rows[:40] for name, rows in ear.told.items()}}


async def trade_socket() -> Report:
    """Order entry over the socket."""
    client = subkey_client()
    stream = socket(client, binary=True)
    report: Report = {"connected": await stream.connect()}
    resting, _ = prices(client)
    report["placed"] = await stream.submit_order(maker(resting, "s1"))
    await asyncio.sleep(SETTLED)
    number = report["placed"]["order"]["id"]
    changed = maker(resting - 1, "s1", order_id=number)
    report["modified"] = await stream.modify_order(number, changed)
    await asyncio.sleep(SETTLED)
    report["moved"] = client.fetch_order(number)
    report["canceled"] = await stream.cancel_order_by_client_id("s1", ETH)
    await asyncio.sleep(SETTLED)
    try:
        await stream.cancel_order(number)
    except WsRpcError as error:
        report["refused"] = [error.code, error.data]
    report["batch"] = await stream.submit_orders_batch([maker(resting, "s2"), maker(resting, "s2")])
    report["guarded"] = await stream.cancel_on_disconnect(True)
    report["all"] = await stream.cancel_all_orders(ETH)
    await asyncio.sleep(SETTLED)
    report["left"] = client.fetch_orders()["results"]
    report["taken"] = await stream.submit_order(market(OrderSide.Buy))
    await asyncio.sleep(SETTLED)
    report["found"] = client.fetch_order(report["taken"]["order"]["id"])
    await stream.close()
    return report


# --------------------------------------------------------------------------- ccxt


def exchange() -> ccxt.pro.paradex:
    made = ccxt.pro.paradex(
        {"walletAddress": Account.from_key(L1_KEY).address, "privateKey": L1_KEY}
    )
    made.enableRateLimit = False
    made.urls["api"] = {"v1": endpoints["rest"], "ws": endpoints["ws"]}
    return made


async def trade_ccxt() -> Report:
    client = exchange()
    try:
        report: Report = {"markets": list(await client.load_markets())}
        await client.onboarding()
        book = await client.fetch_order_book(PAIR)
        resting = book["bids"][0][0] * 0.98
        named = {"postOnly": True, "clientOrderId": "c1"}
        placed = await client.create_order(PAIR, "limit", "buy", 0.05, resting, named)
        await asyncio.sleep(SETTLED)
        report["placed"], report["book"] = (
            placed["id"],
            {"bids": book["bids"], "asks": book["asks"]},
        )
        report["open"] = [order["id"] for order in await client.fetch_open_orders(PAIR)]
        edited = await client.edit_order(placed["id"], PAIR, "limit", "buy", 0.05, resting * 0.999)
        report["edited"] = edited["id"]
        await asyncio.sleep(SETTLED)
        await client.cancel_order(placed["id"], PAIR)
        await asyncio.sleep(SETTLED)
        canceled = await client.fetch_order(placed["id"], PAIR)
        report["canceled"] = {
            name: canceled[name] for name in ("status", "filled", "clientOrderId")
        }
        taken = await client.create_order(PAIR, "market", "buy", 0.05)
        await asyncio.sleep(SETTLED)
        found = await client.fetch_order(taken["id"], PAIR)
        report["taken"] = {name: found[name] for name in ("status", "filled", "average")}
        report["positions"] = [
            [row["symbol"], row["side"], row["contracts"]] for row in await client.fetch_positions()
        ]
        fills = await client.fetch_my_trades(PAIR)
        report["fills"] = [[fill["side"], fill["amount"], fill["fee"]["cost"]] for fill in fills]
        report["balance"] = (await client.fetch_balance())["USDC"]["total"]
        await client.set_leverage(5, PAIR, {"marginMode": "cross"})
        report["leverage"] = (await client.fetch_leverage(PAIR))["longLeverage"]
        report["ticker"] = (await client.fetch_ticker(PAIR))["bid"]
        report["rate"] = (await client.fetch_funding_rate(PAIR))["fundingRate"]
        report["missing"] = ""
        try:
            await client.cancel_order("5", PAIR)
        except ccxt.pro.BaseError as error:
            report["missing"] = str(error)
        return report
    finally:
        await client.close()


async def sell(client: ccxt.pro.paradex) -> None:
    """When everything else that was begun with it is subscribed."""
    await asyncio.sleep(1)
    await client.create_order(PAIR, "market", "sell", 0.05)


async def trade_pro() -> Report:
    """Binary frames, private ones too."""
    client = exchange()
    try:
        await client.load_markets()
        await client.onboarding()
        async with asyncio.timeout(PATIENCE):
            book = await client.watch_order_book(PAIR)
            ticker = await client.watch_ticker(PAIR)
            await client.authenticate()
            orders, fills, positions, balance, _ = await asyncio.gather(
                client.watch_orders(PAIR),
                client.watch_my_trades(PAIR),
                client.watch_positions([PAIR]),
                client.watch_balance(),
                sell(client),
            )
            while orders[-1]["status"] != "closed":
                orders = await client.watch_orders(PAIR)
        return {
            "book": {"bids": book["bids"][:15], "asks": book["asks"][:15]},
            "ticker": ticker["bid"],
            "order": [orders[-1]["status"], orders[-1]["filled"], orders[-1]["side"]],
            "fill": [fills[0]["side"], fills[0]["amount"], fills[0]["order"] == orders[-1]["id"]],
            "position": [positions[0]["side"], positions[0]["contracts"]],
            "balance": balance["USDC"]["total"],
        }
    finally:
        await client.close()


PARTS: dict[str, Callable[[], Report]] = {
    "sdk": lambda: asyncio.run(trade_sdk()),
    "newcomer": lambda: asyncio.run(trade_newcomer()),
    "socket": lambda: asyncio.run(trade_socket()),
    "binary": lambda: asyncio.run(hear(binary=True)),
    "text": lambda: asyncio.run(hear(binary=False)),
    "ccxt": lambda: asyncio.run(trade_ccxt()),
    "pro": lambda: asyncio.run(trade_pro()),
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(PARTS[sys.argv[1]](), default=str))

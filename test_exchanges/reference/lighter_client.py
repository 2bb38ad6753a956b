"""Trades on a Lighter with its Python SDK, unchanged, and reports what it saw.

Runs in the SDK's own environment: `python lighter_client.py trade|queries|refusals|stream`, with
endpoints and keys as JSON on standard input. The report is JSON on standard output; nothing is
judged here. Only the addresses are replaced; every signature is the native signer's.

Source: lighter-sdk 1.1.8.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from lighter import (
    AccountApi,
    ApiClient,
    Configuration,
    FundingApi,
    OrderApi,
    RootApi,
    SignerClient,
    TransactionApi,
    WsClient,
)
from lighter.exceptions import ApiException
from lighter.signer_client import create_api_key

ETH = 0
SIZE = 500  # in steps of the market: 0.05 ETH
PATIENCE = 20.0  # seconds for anything to happen
SEQUENCED = 0.5  # seconds after which the sequencer has come to everything
Report = dict[str, Any]

given = json.loads(sys.stdin.read())
keys, endpoints = given["credentials"], given["endpoints"]
ACCOUNT, KEY = int(keys["account_index"]), int(keys["api_key_index"])


def signer() -> SignerClient:
    return SignerClient(endpoints["rest"], ACCOUNT, {KEY: keys["private_key"]}, chain_id=304)


def plain(model: Any) -> Any:
    return json.loads(model.to_json())


def outcome(answer: tuple[Any, Any, Any]) -> Report:
    """What a command of the client returned: its reply or its error."""
    _, reply, error = answer
    return {"reply": plain(reply) if reply is not None else None, "error": error}


async def prices(client: SignerClient) -> tuple[int, int, int]:
    """In ticks: a bid that rests, two percent away, one that takes, and an ask that takes."""
    best = await client.get_best_price(ETH, False), await client.get_best_price(ETH, True)
    return best[1] * 98 // 100, best[0] * 1005 // 1000, best[1] * 995 // 1000


def limit(price: int, number: int, **more: Any) -> Report:
    return {
        "market_index": ETH,
        "client_order_index": number,
        "base_amount": SIZE,
        "price": price,
        "is_ask": False,
        "order_type": SignerClient.ORDER_TYPE_LIMIT,
        "time_in_force": SignerClient.ORDER_TIME_IN_FORCE_POST_ONLY,
        **more,
    }


def immediate(price: int, number: int, **more: Any) -> Report:
    tif = SignerClient.ORDER_TIME_IN_FORCE_IMMEDIATE_OR_CANCEL
    return limit(price, number, time_in_force=tif, order_expiry=0, **more)


def token(client: SignerClient) -> str:
    text, error = client.create_auth_token_with_expiry(api_key_index=KEY)
    assert error is None, error
    return text


async def trade() -> Report:
    client, api = signer(), ApiClient(Configuration(host=endpoints["rest"]))
    report: Report = {"checked": await asyncio.to_thread(client.check_client)}
    resting, taking, selling = await prices(client)
    report["placed"] = outcome(await client.create_order(**limit(resting, 1001)))
    await asyncio.sleep(SEQUENCED)
    report["modified"] = outcome(await client.modify_order(ETH, 1001, SIZE * 2, resting - 100))
    await asyncio.sleep(SEQUENCED)
    orders = OrderApi(api)
    active = await orders.account_active_orders(token(client), ACCOUNT, market_id=ETH)
    report["active"] = plain(active)["orders"]
    report["canceled"] = outcome(await client.cancel_order(ETH, 1001))
    report["crossing"] = outcome(await client.create_order(**limit(taking, 1002)))
    report["taken"] = outcome(await client.create_order(**immediate(taking, 1003)))
    report["slipping"] = outcome(
        await client.create_market_order_limited_slippage(ETH, 1004, SIZE, 0.01, False)
    )
    await asyncio.sleep(SEQUENCED)
    report["reduced"] = outcome(
        await client.create_market_order(ETH, 1005, SIZE, selling, True, reduce_only=True)
    )
    report["leverage"] = outcome(await client.update_leverage(ETH, client.CROSS_MARGIN_MODE, 3))
    report["rested"] = outcome(await client.create_order(**limit(resting, 1006)))
    report["swept"] = outcome(await client.cancel_all_orders(client.CANCEL_ALL_TIF_IMMEDIATE, 0))
    await asyncio.sleep(SEQUENCED)
    past = await orders.account_inactive_orders(token(client), ACCOUNT, 100)
    report["past"] = plain(past)["orders"]
    by_id = await orders.account_orders(token(client), "1001,1003,9", ACCOUNT)
    report["by_id"] = plain(by_id)["orders"]
    trades = await orders.trades(
        "timestamp", 100, authorization=token(client), account_index=ACCOUNT
    )
    report["trades"] = plain(trades)["trades"]
    account = await AccountApi(api).account("index", str(ACCOUNT))
    report["account"] = plain(account)["accounts"][0]
    name = report["taken"]["reply"]["tx_hash"]
    report["transaction"] = plain(await TransactionApi(api).tx("hash", name))
    await client.close()
    await api.close()
    return report


async def queries() -> Report:
    """Everything that the SDK's models read."""
    client, api = signer(), ApiClient(Configuration(host=endpoints["rest"]))
    orders, accounts = OrderApi(api), AccountApi(api)
    text = token(client)
    report: Report = {
        "status": await RootApi(api).status(),
        "info": await RootApi(api).info(),
        "books": await orders.order_books(),
        "details": await orders.order_book_details(),
        "one": await orders.order_book_details(market_id=ETH),
        "orders": await orders.order_book_orders(ETH, 5),
        "recent": await orders.recent_trades(ETH, 5),
        "assets": await orders.asset_details(),
        "rates": await FundingApi(api).funding_rates(),
        "keys": await accounts.apikeys(ACCOUNT, 255),
        "limits": await accounts.account_limits(account_index=ACCOUNT, authorization=text),
        "funding": await accounts.position_funding(ACCOUNT, 10, authorization=text),
        "nonce": await TransactionApi(api).next_nonce(ACCOUNT, KEY),
    }
    await client.close()
    await api.close()
    return {name: plain(answer) for name, answer in report.items()}


async def refusals() -> Report:
    client, api = signer(), ApiClient(Configuration(host=endpoints["rest"]))
    resting, *_ = await prices(client)
    report: Report = {
        "small": outcome(await client.create_order(**limit(resting, 1, base_amount=1))),
        "unknown": outcome(await client.cancel_order(ETH, 424242)),
        "placed": outcome(await client.create_order(**limit(resting, 5))),
        "twice": outcome(await client.create_order(**limit(resting, 5))),
        "nonce": outcome(
            await client.create_order(**limit(resting, 6), nonce=1, api_key_index=KEY)
        ),
        "stop": outcome(
            await client.create_sl_order(ETH, 8, SIZE, resting, resting, True, reduce_only=True)
        ),
        "skipping": outcome(
            await client.create_order(
                **limit(resting, 7), nonce=1_766_088_500_120, api_key_index=KEY, skip_nonce=1
            )
        ),
    }
    stranger, _, _ = create_api_key()
    other = SignerClient(endpoints["rest"], ACCOUNT, {KEY: stranger}, chain_id=304)
    report["mismatch"] = str(await asyncio.to_thread(other.check_client))
    report["stranger"] = outcome(await other.create_order(**limit(resting, 9)))
    try:
        await OrderApi(api).account_active_orders("1:2:3:00", ACCOUNT)
    except ApiException as error:
        report["token"] = [error.status, json.loads(error.body)["message"]]
    for used in (client, other, api):
        await used.close()
    return report


async def stream() -> Report:
    """Book and account by the SDK's socket client, while it trades."""
    client = signer()
    books: list[Any] = []
    updates: list[Any] = []
    bought, ready = asyncio.Event(), asyncio.Event()

    def on_book(market: str, book: Report) -> None:
        books.append([market, len(book["bids"]), len(book["asks"])])
        ready.set()

    def on_account(account: str, state: Report) -> None:
        updates.append([account, state["type"], state["positions"], state["trades"]])
        if state["type"].startswith("update") and state["positions"]:
            bought.set()

    socket = WsClient(
        ws_url=endpoints["ws"],
        order_book_ids=[ETH],
        account_ids=[ACCOUNT],
        on_order_book_update=on_book,
        on_account_update=on_account,
    )

    async def buy() -> Report:
        async with asyncio.timeout(PATIENCE):
            await ready.wait()
            _, taking, _ = await prices(client)
            taken = outcome(await client.create_order(**immediate(taking, 77)))
            await bought.wait()
        await asyncio.sleep(SEQUENCED)
        await socket.ws.close()
        return taken

    taken, _ = await asyncio.gather(buy(), socket.run_async())
    await client.close()
    return {"books": books, "updates": updates, "taken": taken}


PARTS: dict[str, Callable[[], Awaitable[Report]]] = {
    "trade": trade,
    "queries": queries,
    "refusals": refusals,
    "stream": stream,
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(PARTS[sys.argv[1]]())))

"""Trades on a TreadFi with its Python client, unchanged, and reports what it saw.

Runs in the client's own environment: `python treadfi_pc_client.py orders|calls|stranger`, with
endpoints and keys as JSON on standard input. The report is JSON on standard output; nothing is
judged here. The client swallows refusals and gives their bodies like answers.

Source: taas-api-client 1.2.9.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from threading import Event
from typing import Any

import requests
from taas_api import Client
from taas_api.data import (
    AmendOrderRequest,
    ChildOrder,
    GetOrderMessagesRequest,
    GetOrderRequest,
    PlaceMultiOrderRequest,
    PlaceOrderRequest,
    SetLeverageRequest,
)

PAIR = "ETH:PERP-USDC"
SIZE = 0.05
TRIES, PAUSE = 100, Event()  # until an order has been worked
Report = dict[str, Any]

given = json.loads(sys.stdin.read())
url, keys = given["endpoints"]["app"], given["credentials"]
name = keys["account_name"]
client = Client(url=url, auth_token=keys["token"])


def mark() -> float:
    prices = requests.get(f"{given['endpoints']['rest']}/info/prices", timeout=5).json()["data"]
    return float(next(row["mark"] for row in prices if row["symbol"] == "ETH"))


def limit(price: float, number: int) -> PlaceOrderRequest:
    return PlaceOrderRequest(
        accounts=[name],
        pair=PAIR,
        side="buy",
        strategy="Limit",
        base_asset_qty=SIZE,
        limit_price=round(price, 1),
        duration=86400,
        strategy_params={"reduce_only": False},
        custom_order_id=f"client-{number}",
    )


def market(side: str, **params: bool) -> PlaceOrderRequest:
    return PlaceOrderRequest(
        accounts=[name],
        pair=PAIR,
        side=side,
        strategy="Market",
        base_asset_qty=SIZE,
        duration=300,
        strategy_params=params,
    )


def worked(order_id: str) -> Report:
    """Once it has ended."""
    for _ in range(TRIES):
        told: Report = client.get_order_summary(order_id)
        if told["status"] in ("COMPLETE", "CANCELED"):
            return told
        PAUSE.wait(0.1)
    raise TimeoutError(order_id)


def orders() -> Report:
    """A limit order from placing to its end, and a position from opening to its end."""
    placed = client.place_order(limit(mark() * 0.98, 1))
    listed = GetOrderRequest(statuses="ACTIVE,PAUSED", account_names=name, page=1, page_size=50)
    report: Report = {
        "placed": placed,
        "found": client.get_order(placed["id"]),
        "open": client.get_all_orders(listed),
    }
    changes = {"limit_price": round(mark() * 0.97, 1)}
    report["amended"] = client.amend_order(AmendOrderRequest(placed["id"], changes))
    report["canceled"] = client.cancel_order(placed["id"])
    report["again"] = client.cancel_order(placed["id"])
    report["ended"] = client.get_order_summary(placed["id"])
    report["bought"] = worked(client.place_order(market("buy"))["id"])
    report["held"] = client.get_balances(account_names=[name])
    report["closed"] = worked(client.place_order(market("sell", reduce_only=True))["id"])
    report["flat"] = client.get_balances(account_names=[name])
    report["small"] = client.place_order(
        PlaceOrderRequest(**{**vars(limit(mark() * 0.98, 2)), "base_asset_qty": 0.0001})
    )
    return report


def calls() -> Report:
    """Every other method, each with its answer."""
    child = ChildOrder(pair=PAIR, side="buy", base_asset_qty=SIZE, account=name)
    multi = client.place_multi_order(
        PlaceMultiOrderRequest(duration=300, strategy="Market", child_orders=[child, child])
    )
    for order_id in multi["child_order_ids"]:
        worked(order_id)
    accounts = requests.get(
        f"{url}/api/accounts/", headers={"Authorization": f"Token {keys['token']}"}, timeout=5
    ).json()
    leverage = SetLeverageRequest(account_ids=[accounts[0]["id"]], pair=PAIR, leverage="50")
    return {
        "multi": multi,
        "ended": client.cancel_multi_order(multi["id"]),
        "messages": client.get_order_messages(GetOrderMessagesRequest(multi["child_order_ids"])),
        "leverage": client.set_leverage(leverage),
        "closed": [
            worked(order_id)
            for order_id in client.close_balances(10_000, account_names=[name])["order_ids"]
        ],
        "everything": client.get_all_orders(GetOrderRequest()),
    }


def stranger() -> Report:
    """With a token that nobody gave."""
    nobody = Client(url=url, auth_token="0" * 40)
    return {"placed": nobody.place_order(market("buy")), "balances": nobody.get_balances()}


PARTS: dict[str, Callable[[], Report]] = {"orders": orders, "calls": calls, "stranger": stranger}
sys.stdout.write(json.dumps(PARTS[sys.argv[1]]()))

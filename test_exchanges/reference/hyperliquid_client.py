"""Trades on a Hyperliquid with the official SDK, and with ccxt, and reports what they saw.

Runs in their own environment, `python hyperliquid_client.py trade|wallet|info|stream|ccxt|pro`,
with endpoints and keys as JSON on standard input. The report is JSON on standard output; nothing is
judged here. Both are unchanged but for the addresses. The SDK signs as on a testnet wherever it is
not on mainnet; ccxt signs for mainnet.

Source: hyperliquid-python-sdk 0.24.0, ccxt 4.5.90.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable
from typing import Any

import ccxt
import ccxt.pro
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.signing import get_timestamp_ms
from hyperliquid.utils.types import Cloid

ETH, XYZ, SPOT = "ETH", "xyz:XYZ100", "@151"
PAIR = "ETH/USDC:USDC"
SIZE = 0.05
PATIENCE = 15.0  # seconds for anything to happen on the stream
BUILDER, STRANGER = "0x" + "b1" * 20, "0x" + "5e" * 20
DEXS = ["", "xyz"]
Report = dict[str, Any]

given = json.loads(sys.stdin.read())
url, keys = given["endpoints"]["rest"], given["credentials"]
me = keys["account_address"]
agent, master = (Account.from_key(keys[f"{name}private_key"]) for name in ("", "wallet_"))
ALO, IOC, GTC = ({"limit": {"tif": tif}} for tif in ("Alo", "Ioc", "Gtc"))


def sdk(wallet: Any, vault: str | None = None) -> Exchange:
    return Exchange(wallet, url, vault_address=vault, account_address=me, perp_dexs=DEXS)


def prices(mid: float) -> tuple[float, float]:
    """A bid that rests, two percent away, and one that takes."""
    return round(mid * 0.98), round(mid * 1.005)


# --------------------------------------------------------------------------- the official SDK


def trade() -> Report:
    exchange = sdk(agent)
    info = exchange.info
    mids = info.all_mids()
    resting, taking = prices(float(mids[ETH]))
    cloid = Cloid.from_int(1001)
    report: Report = {"mids": mids, "assets": info.coin_to_asset}
    report["leverage"] = exchange.update_leverage(10, ETH)
    report["placed"] = exchange.order(ETH, True, SIZE, resting, ALO, cloid=cloid)
    report["open"] = info.open_orders(me)
    report["found"] = info.query_order_by_cloid(me, cloid)
    lower = resting - 1
    report["modified"] = exchange.modify_order(cloid, ETH, True, SIZE, lower, ALO, cloid=cloid)
    report["canceled"] = exchange.cancel_by_cloid(ETH, cloid)
    report["gone"] = exchange.cancel_by_cloid(ETH, cloid)
    report["crossing"] = exchange.order(ETH, True, SIZE, taking, ALO)
    report["small"] = exchange.order(ETH, True, 0.001, resting, GTC)
    report["idle"] = exchange.order(ETH, True, SIZE, resting, IOC)
    two = [_wire(resting, 1), _wire(lower, 2)]
    report["batch"] = exchange.bulk_orders(two)
    oids = [status["resting"]["oid"] for status in _statuses(report["batch"])]
    report["batch_canceled"] = exchange.bulk_cancel([{"coin": ETH, "oid": oid} for oid in oids])
    report["opened"] = exchange.market_open(ETH, True, SIZE)
    report["state"] = info.user_state(me)
    report["closed"] = exchange.market_close(ETH)
    report["flat"] = info.user_state(me)
    report["fills"] = info.user_fills(me)
    report["dex"] = exchange.market_open(XYZ, True, 0.01)
    report["dex_state"] = info.user_state(me, dex="xyz")
    report["spot"] = exchange.market_open(SPOT, True, SIZE)
    report["spot_state"] = info.spot_user_state(me)
    exchange.set_expires_after(1)
    report["late"] = exchange.order(ETH, True, SIZE, resting, GTC)
    exchange.set_expires_after(None)
    report["scheduled"] = exchange.schedule_cancel(get_timestamp_ms() + 60_000)
    report["unscheduled"] = exchange.schedule_cancel(None)
    report["fence"] = exchange.noop(get_timestamp_ms() + 5000)
    report["stranger"] = sdk(Account.create()).order(ETH, True, SIZE, resting, GTC)
    report["agents_withdrawal"] = exchange.withdraw_from_bridge(5, STRANGER)
    return report


def _wire(price: float, number: int) -> Report:
    return {
        "coin": ETH,
        "is_buy": True,
        "sz": SIZE,
        "limit_px": price,
        "order_type": ALO,
        "reduce_only": False,
        "cloid": Cloid.from_int(number),
    }


def _statuses(answer: Report) -> list[Any]:
    statuses: list[Any] = answer["response"]["data"]["statuses"]
    return statuses


def use_wallet() -> Report:
    """What only the master's own key may do; an agent that it approves; a sub-account."""
    exchange = sdk(master)
    report: Report = {}
    report["builder"] = exchange.approve_builder_fee(BUILDER, "0.01%")
    report["built"] = exchange.market_open(ETH, True, SIZE, builder={"b": BUILDER, "f": 10})
    report["fills"] = exchange.info.user_fills(me)
    report["to_spot"] = exchange.usd_class_transfer(5, False)
    report["sent"] = exchange.usd_transfer(3, STRANGER)
    report["spot_sent"] = exchange.spot_transfer(2, STRANGER, "USDC")
    report["asset_sent"] = exchange.send_asset(me, "", "xyz", "USDC", 4)
    report["withdrawn"] = exchange.withdraw_from_bridge(5, STRANGER)
    report["approved"], key = exchange.approve_agent("bot")
    report["by_new_agent"] = sdk(Account.from_key(key)).order(ETH, True, SIZE, 2000, GTC)
    report["sub"] = exchange.create_sub_account("second")
    sub = report["sub"]["response"]["data"]
    report["sub_funded"] = exchange.sub_account_transfer(sub, True, 1000_000_000)
    report["sub_order"] = sdk(agent, sub).order(ETH, True, SIZE, 2000, GTC)
    report["sub_open"] = exchange.info.open_orders(sub)
    report["not_ours"] = sdk(agent, STRANGER).order(ETH, True, SIZE, 2000, GTC)
    exchange.bulk_cancel([{"coin": ETH, "oid": o["oid"]} for o in exchange.info.open_orders(me)])
    report["unified"] = exchange.user_set_abstraction(me, "unifiedAccount")
    report["refused"] = exchange.usd_class_transfer(5, False)
    report["mode"] = exchange.info.query_user_abstraction_state(me)
    return report


def ask_everything() -> Report:
    """Each method of the SDK that only asks, once."""
    sdk(agent).market_open(ETH, True, SIZE)
    info = Info(url, skip_ws=True, perp_dexs=DEXS)
    hour = {"startTime": 0, "endTime": 1 << 50}
    calls: dict[str, Callable[[], Any]] = {
        "user_state": lambda: info.user_state(me),
        "spot_user_state": lambda: info.spot_user_state(me),
        "open_orders": lambda: info.open_orders(me),
        "frontend_open_orders": lambda: info.frontend_open_orders(me),
        "all_mids": lambda: info.all_mids(),
        "user_fills": lambda: info.user_fills(me),
        "user_fills_by_time": lambda: info.user_fills_by_time(me, 0),
        "meta": lambda: info.meta(),
        "meta_and_asset_ctxs": lambda: info.meta_and_asset_ctxs(),
        "perp_dexs": lambda: info.perp_dexs(),
        "spot_meta": lambda: info.spot_meta(),
        "spot_meta_and_asset_ctxs": lambda: info.spot_meta_and_asset_ctxs(),
        "funding_history": lambda: info.funding_history(ETH, 0),
        "user_funding_history": lambda: info.user_funding_history(me, 0),
        "l2_snapshot": lambda: info.l2_snapshot(ETH),
        "candles_snapshot": lambda: info.candles_snapshot(ETH, "1m", *hour.values()),
        "user_fees": lambda: info.user_fees(me),
        "query_order_by_oid": lambda: info.query_order_by_oid(me, 1),
        "query_sub_accounts": lambda: info.query_sub_accounts(me),
        "query_user_abstraction_state": lambda: info.query_user_abstraction_state(me),
        "query_user_dex_abstraction_state": lambda: info.query_user_dex_abstraction_state(me),
        "historical_orders": lambda: info.historical_orders(me),
        "user_non_funding_ledger_updates": lambda: info.user_non_funding_ledger_updates(me, 0),
        "user_role": lambda: info.user_role(me),
        "user_rate_limit": lambda: info.user_rate_limit(me),
        "extra_agents": lambda: info.extra_agents(me),
    }
    return {name: call() for name, call in calls.items()}


class Heard:
    """Frames that the SDK's callbacks were given."""

    def __init__(self) -> None:
        self.frames: list[Report] = []
        self._changed = threading.Condition()

    def note(self, frame: Report) -> None:
        with self._changed:
            self.frames.append(frame)
            self._changed.notify_all()

    def wait(self, wanted: Callable[[Report], bool]) -> Report:
        with self._changed:
            found = self._changed.wait_for(
                lambda: [frame for frame in self.frames if wanted(frame)], PATIENCE
            )
        if not found:
            raise TimeoutError("the stream did not tell it")
        return found[0]


def stream() -> Report:
    heard = Heard()
    info = Info(url, perp_dexs=DEXS)
    try:
        return _streamed(info, heard)
    finally:
        info.disconnect_websocket()


def _streamed(info: Info, heard: Heard) -> Report:
    for kind in ("orderUpdates", "userFills", "userEvents"):
        info.subscribe({"type": kind, "user": me}, heard.note)
    for kind in ("bbo", "l2Book", "trades", "activeAssetCtx"):
        info.subscribe({"type": kind, "coin": ETH}, heard.note)
    info.subscribe({"type": "allMids"}, heard.note)
    info.subscribe({"type": "activeAssetData", "user": me, "coin": ETH}, heard.note)
    report: Report = {}
    for channel in ("bbo", "l2Book", "trades", "activeAssetCtx", "allMids", "activeAssetData"):
        report[channel] = heard.wait(lambda f, c=channel: f["channel"] == c)["data"]
    report["snapshot"] = heard.wait(lambda f: f["channel"] == "userFills")["data"]
    exchange = sdk(agent)
    resting, _ = prices(float(info.all_mids()[ETH]))
    cloid = Cloid.from_int(7)
    exchange.order(ETH, True, SIZE, resting, ALO, cloid=cloid)
    exchange.cancel_by_cloid(ETH, cloid)
    exchange.market_open(ETH, True, SIZE, cloid=Cloid.from_int(8))
    heard.wait(lambda f: f["channel"] == "user" and "fills" in f["data"])
    heard.wait(lambda f: f["channel"] == "userFills" and not f["data"].get("isSnapshot"))
    report["events"] = [
        [one["order"]["cloid"], one["status"]]
        for frame in heard.frames
        if frame["channel"] == "orderUpdates"
        for one in frame["data"]
    ]
    report["fills"] = [
        fill
        for frame in heard.frames
        if frame["channel"] == "userFills" and not frame["data"].get("isSnapshot")
        for fill in frame["data"]["fills"]
    ]
    return report


# --------------------------------------------------------------------------- ccxt


def _configured(kind: Any) -> Any:
    client = kind({"walletAddress": me, "privateKey": keys["wallet_private_key"]})
    client.urls["api"] = {"public": url, "private": url, "ws": {"public": given["endpoints"]["ws"]}}
    return client


def trade_ccxt() -> Report:
    client = _configured(ccxt.hyperliquid)
    markets = client.load_markets()
    book = client.fetch_order_book(PAIR)
    resting, taking = prices(book["bids"][0][0])
    report: Report = {"markets": sorted(markets), "precision": markets[PAIR]["precision"]}
    report["balance"] = client.fetch_balance()["total"]
    params = {"postOnly": True, "clientOrderId": f"0x{5:032x}"}
    report["placed"] = client.create_order(PAIR, "limit", "buy", SIZE, resting, params)["id"]
    report["open"] = [order["id"] for order in client.fetch_open_orders(PAIR)]
    report["found"] = client.fetch_order(report["placed"], PAIR)["status"]
    report["canceled"] = client.cancel_order(report["placed"], PAIR)["info"]
    report["fetched"] = client.fetch_order(report["placed"], PAIR)["status"]
    report["crossing"] = _error(
        lambda: client.create_order(PAIR, "limit", "buy", SIZE, taking, {"postOnly": True})
    )
    report["unknown"] = _error(lambda: client.cancel_order("1", PAIR))
    report["taken"] = client.create_order(PAIR, "market", "buy", SIZE, taking)["id"]
    held = client.fetch_positions()
    report["positions"] = [(p["symbol"], p["contracts"], p["side"]) for p in held]
    report["fills"] = [
        (trade["amount"], trade["takerOrMaker"], trade["fee"]["currency"])
        for trade in client.fetch_my_trades(PAIR)
    ]
    report["leverage"] = client.set_leverage(5, PAIR, {"marginMode": "cross"})["status"]
    report["rate"] = client.fetch_funding_rate(PAIR)["fundingRate"]
    report["fees"] = client.fetch_trading_fee(PAIR)["taker"]
    report["transfer"] = client.transfer("USDC", 5, "swap", "spot")["info"]
    report["spot"] = client.fetch_balance({"type": "spot"})["total"]
    return report


def _error(call: Callable[[], Any]) -> list[str]:
    try:
        call()
    except ccxt.BaseError as error:
        return [type(error).__name__, str(error)]
    return []


async def trade_pro() -> Report:
    client = _configured(ccxt.pro.hyperliquid)
    try:
        async with asyncio.timeout(PATIENCE):
            return await _traded_pro(client)
    finally:
        await client.close()


async def _traded_pro(client: Any) -> Report:
    await client.load_markets()
    book = await client.watch_order_book(PAIR)
    report: Report = {"levels": [len(book["bids"]), len(book["asks"])]}
    resting, taking = prices(book["bids"][0][0])
    report["ticker"] = (await client.watch_ticker(PAIR))["bid"]
    told, placed = await asyncio.gather(client.watch_orders(PAIR), _place_soon(client, resting))
    report["placed"] = placed["id"]
    report["told"] = [(order["id"], order["status"]) for order in told]
    report["canceled"] = (await client.cancel_order_ws(placed["id"], PAIR))["info"]
    mine, _ = await asyncio.gather(client.watch_my_trades(PAIR), _take_soon(client, taking))
    report["trades"] = [trade["amount"] for trade in mine]
    return report


async def _place_soon(client: Any, price: float) -> Report:
    """Once the subscription has been asked for."""
    await asyncio.sleep(0.5)
    placed: Report = await client.create_order_ws(
        PAIR, "limit", "buy", SIZE, price, {"postOnly": True}
    )
    return placed


async def _take_soon(client: Any, price: float) -> None:
    await asyncio.sleep(0.5)
    await client.create_order_ws(PAIR, "market", "buy", SIZE, price)


PARTS: dict[str, Callable[[], Report]] = {
    "trade": trade,
    "wallet": use_wallet,
    "info": ask_everything,
    "stream": stream,
    "ccxt": trade_ccxt,
    "pro": lambda: asyncio.run(trade_pro()),
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(PARTS[sys.argv[1]]()))

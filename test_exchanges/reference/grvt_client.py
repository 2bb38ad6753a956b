"""Trades on a GRVT with the official SDK, unchanged, and reports what it saw.

Runs in the SDK's own environment: `python grvt_client.py sync|async|ws|raw_sync|raw_async`, with
endpoints and keys as JSON on standard input. The report is JSON on standard output; nothing is
judged here. Only the addresses are replaced, which the SDK has no argument for.

Source: grvt-pysdk 0.2.1.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

ETH = "ETH_USDT_Perp"
SIZE = Decimal("0.05")
WAIT = 10.0  # seconds for anything to happen
PAUSE = 0.25  # between two queries; five a second are allowed
Report = dict[str, Any]

settings = json.loads(sys.stdin.read())
endpoints, keys = settings["endpoints"], settings["credentials"]

import pysdk.grvt_ccxt_env as sdk_env  # noqa: E402
import pysdk.grvt_ccxt_ws as sdk_ws  # noqa: E402
from pysdk import grvt_raw_types as types  # noqa: E402
from pysdk.grvt_ccxt import GrvtCcxt  # noqa: E402
from pysdk.grvt_ccxt_env import GrvtEndpointType, GrvtEnv, GrvtWSEndpointType  # noqa: E402
from pysdk.grvt_ccxt_pro import GrvtCcxtPro  # noqa: E402
from pysdk.grvt_raw_async import GrvtRawAsync  # noqa: E402
from pysdk.grvt_raw_base import GrvtApiConfig, GrvtError  # noqa: E402
from pysdk.grvt_raw_env import GrvtEnv as RawEnv  # noqa: E402
from pysdk.grvt_raw_signing import sign_order  # noqa: E402
from pysdk.grvt_raw_sync import GrvtRawSync  # noqa: E402

PARAMETERS = {
    "api_key": keys["api_key"],
    "private_key": keys["private_key"],
    "trading_account_id": keys["sub_account_id"],
}


def redirect() -> None:
    """Point the ccxt-like classes at the venue given."""
    hosts = {
        GrvtEndpointType.EDGE: endpoints["edge"],
        GrvtEndpointType.TRADE_DATA: endpoints["trade"],
        GrvtEndpointType.MARKET_DATA: endpoints["market"],
    }
    sockets = {
        GrvtWSEndpointType.TRADE_DATA: endpoints["trade_ws"].removesuffix("/full"),
        GrvtWSEndpointType.MARKET_DATA: endpoints["market_ws"].removesuffix("/full"),
        GrvtWSEndpointType.TRADE_DATA_RPC_FULL: endpoints["trade_ws"],
        GrvtWSEndpointType.MARKET_DATA_RPC_FULL: endpoints["market_ws"],
    }
    sdk_env.get_grvt_endpoint_domains = lambda env_name: hosts
    sdk_ws.get_grvt_ws_endpoint = lambda env, endpoint_type: sockets[endpoint_type]


def prices(ticker: dict[str, Any]) -> tuple[Decimal, Decimal]:
    """A price that rests, two percent away, and one that takes."""
    bid, ask = Decimal(ticker["best_bid_price"]), Decimal(ticker["best_ask_price"])
    cent = Decimal("0.01")
    return (bid * Decimal("0.98")).quantize(cent), (ask * Decimal("1.005")).quantize(cent)


def pause() -> None:
    threading.Event().wait(PAUSE)


def until(probe: Callable[[], Any]) -> Any:
    """Ask until there is something."""
    for _ in range(int(WAIT / PAUSE)):
        found = probe()
        if found:
            return found
        pause()
    return None


async def until_async(probe: Callable[[], Awaitable[Any]]) -> Any:
    for _ in range(int(WAIT / PAUSE)):
        found = await probe()
        if found:
            return found
        await asyncio.sleep(PAUSE)
    return None


def ended(order: dict[str, Any]) -> dict[str, Any] | None:
    """State of a queried order once it is final."""
    state = order.get("result", {}).get("state", {})
    return state if state.get("status") in ("FILLED", "CANCELLED", "REJECTED") else None


# --------------------------------------------------------------------------- the ccxt-like classes


def trade_sync() -> Report:
    redirect()
    client = GrvtCcxt(GrvtEnv.PROD, parameters=PARAMETERS)
    report: Report = {"logged_in": bool(client._cookie), "markets": sorted(client.markets)}
    resting, taking = prices(client.fetch_mini_ticker(ETH))
    report["book"] = client.fetch_order_book(ETH, limit=10)
    report["ticker"] = client.fetch_ticker(ETH)
    maker = client.create_limit_order(ETH, "buy", SIZE, resting, {"post_only": True})
    id = {"client_order_id": maker["metadata"]["client_order_id"]}
    report["pending"] = maker
    report["open"] = until(lambda: client.fetch_open_orders(ETH))
    report["canceled"] = client.cancel_order(params=id)
    report["maker_end"] = until(lambda: ended(client.fetch_order(params=id)))
    crossing = client.create_limit_order(ETH, "buy", SIZE, taking, {"post_only": True})
    id = {"client_order_id": crossing["metadata"]["client_order_id"]}
    report["crossing_end"] = until(lambda: ended(client.fetch_order(params=id)))
    market = {"time_in_force": "IMMEDIATE_OR_CANCEL"}
    taker = client.create_order(ETH, "market", "buy", SIZE, None, market)
    id = {"client_order_id": taker["metadata"]["client_order_id"]}
    report["taker_end"] = until(lambda: ended(client.fetch_order(params=id)))
    report["positions"] = client.fetch_positions([ETH])
    report["fills"] = client.fetch_my_trades(ETH)
    report["balance"] = client.fetch_balance()
    report["history"] = client.fetch_order_history({"limit": 10})
    report["refused"] = client.create_limit_order(ETH, "buy", Decimal("0.001"), resting)
    return report


async def trade_async() -> Report:
    redirect()
    client = GrvtCcxtPro(GrvtEnv.PROD, parameters=PARAMETERS)
    report: Report = {"logged_in": bool(client._cookie)}
    report["markets"] = sorted(await client.load_markets() or client.markets)
    resting, taking = prices(await client.fetch_mini_ticker(ETH))
    maker = await client.create_limit_order(ETH, "sell", SIZE, taking, {"post_only": True})
    id = {"client_order_id": maker["metadata"]["client_order_id"]}
    report["pending"] = maker
    report["open"] = await until_async(lambda: client.fetch_open_orders(ETH))
    report["canceled"] = await client.cancel_order(params=id)

    async def maker_end() -> Any:
        return ended(await client.fetch_order(params=id))

    report["maker_end"] = await until_async(maker_end)
    immediate = {"time_in_force": "IMMEDIATE_OR_CANCEL"}
    taker = await client.create_limit_order(ETH, "sell", SIZE, resting, immediate)
    taker_id = {"client_order_id": taker["metadata"]["client_order_id"]}

    async def taker_end() -> Any:
        return ended(await client.fetch_order(params=taker_id))

    report["taker_end"] = await until_async(taker_end)
    report["positions"] = await client.fetch_positions([ETH])
    report["fills"] = await client.fetch_my_trades(ETH)
    report["canceled_all"] = await client.cancel_all_orders()
    await client._session.close()
    return report


class Seen:
    """Frames that the SDK's callbacks were given."""

    def __init__(self) -> None:
        self.frames: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._changed = asyncio.Condition()

    async def note(self, frame: dict[str, Any]) -> None:
        async with self._changed:
            self.frames[frame["stream"]].append(frame)
            self._changed.notify_all()

    async def wait(self, stream: str, wanted: Callable[[dict[str, Any]], bool]) -> Any:
        """The first feed of a stream that fits."""

        def find() -> Any:
            return next((f["feed"] for f in self.frames[stream] if wanted(f["feed"])), None)

        async with asyncio.timeout(WAIT), self._changed:
            await self._changed.wait_for(lambda: find() is not None)
            return find()


async def trade_ws() -> Report:
    redirect()
    client = sdk_ws.GrvtCcxtWS(
        GrvtEnv.PROD, asyncio.get_running_loop(), None, parameters=PARAMETERS
    )
    seen, report = Seen(), {"logged_in": bool(client._cookie)}
    full = GrvtWSEndpointType.TRADE_DATA_RPC_FULL
    own = {"instrument": ETH}
    await client.subscribe("order", seen.note, params=own)
    await client.subscribe("state", seen.note, ws_end_point_type=full, params=own)
    await client.subscribe("fill", seen.note, ws_end_point_type=full)
    await client.subscribe("position", seen.note, params=own)
    await client.subscribe("mini.d", seen.note, params={**own, "rate": 100})
    await client.subscribe("book.s", seen.note, params={**own, "rate": 500, "depth": 10})
    public = GrvtWSEndpointType.MARKET_DATA_RPC_FULL
    await client.subscribe("book.d", seen.note, public, {**own, "rate": 50})
    await client.subscribe("trade", seen.note, public, own)
    await client.initialize()
    report["markets"] = sorted(client.markets)
    quote = await seen.wait("v1.mini.d", lambda feed: "best_ask_price" in feed)
    resting, _ = prices(quote)

    async def subscribed() -> bool:
        old = GrvtWSEndpointType.TRADE_DATA
        return client.is_stream_subscribed(full, "state") and client.is_stream_subscribed(
            old, "order"
        )

    report["subscribed"] = await until_async(subscribed)
    placed = await client.rpc_create_limit_order(ETH, "buy", SIZE, resting, {"post_only": True})
    id = placed["params"]["order"]["metadata"]["client_order_id"]

    def reached(status: str) -> Callable[[dict[str, Any]], bool]:
        return lambda feed: (
            feed["metadata"]["client_order_id"] == id and feed["state"]["status"] == status
        )

    report["open"] = await seen.wait("v1.order", reached("OPEN"))
    report["open_state"] = await seen.wait("v1.state", lambda feed: feed["client_order_id"] == id)
    await client.rpc_cancel_order(params={"client_order_id": id})
    report["maker_end"] = await seen.wait("v1.order", reached("CANCELLED"))
    market = {"time_in_force": "IMMEDIATE_OR_CANCEL"}
    taken = await client.rpc_create_order(ETH, "market", "buy", SIZE, None, market)
    taker_id = taken["params"]["order"]["metadata"]["client_order_id"]
    report["fill"] = await seen.wait("v1.fill", lambda f: f["client_order_id"] == taker_id)
    report["position"] = await seen.wait("v1.position", lambda f: Decimal(f["size"]) == SIZE)
    report["book"] = await seen.wait("v1.book.s", lambda feed: bool(feed["bids"] and feed["asks"]))
    report["delta"] = await seen.wait("v1.book.d", lambda feed: bool(feed["bids"]))
    report["trade"] = await seen.wait("v1.trade", lambda feed: bool(feed["price"]))
    report["positions"] = await client.fetch_positions([ETH])
    report["fills"] = await client.fetch_my_trades(ETH)
    await client._session.close()
    return report


# --------------------------------------------------------------------------- the raw classes


def raw_config() -> GrvtApiConfig:
    return GrvtApiConfig(
        env=RawEnv.PROD,
        trading_account_id=keys["sub_account_id"],
        private_key=keys["private_key"],
        api_key=keys["api_key"],
        logger=None,
    )


def raw_redirect(client: Any) -> Any:
    client.md_rpc, client.td_rpc = endpoints["market"], endpoints["trade"]
    client.env.edge.rpc_endpoint = endpoints["edge"]
    return client


def raw_order(
    client: Any, instrument: Any, price: Decimal | None, number: int, expiration: int
) -> types.Order:
    """Post-only at a price, or a market order without one."""
    order = types.Order(
        sub_account_id=keys["sub_account_id"],
        time_in_force=types.TimeInForce.IMMEDIATE_OR_CANCEL
        if price is None
        else types.TimeInForce.GOOD_TILL_TIME,
        is_market=price is None,
        post_only=price is not None,
        reduce_only=False,
        legs=[
            types.OrderLeg(
                instrument=ETH,
                size=str(SIZE),
                limit_price="0" if price is None else str(price),
                is_buying_asset=True,
            )
        ],
        signature=types.Signature("", "", "", 0, str(expiration), number),
        metadata=types.OrderMetadata(client_order_id=str(2**63 + number)),
    )
    return sign_order(order, client.config, client.account, {ETH: instrument})


def raw_sync() -> Report:
    client = raw_redirect(GrvtRawSync(raw_config()))
    account = keys["sub_account_id"]
    listed = client.get_all_instruments_v1(types.ApiGetAllInstrumentsRequest(is_active=True))
    instruments = {row.instrument: row for row in listed.result}
    report: Report = {"markets": sorted(instruments)}
    mini = client.mini_ticker_v1(types.ApiMiniTickerRequest(ETH)).result
    bid = Decimal(mini.best_bid_price)
    expiration = int(mini.event_time) + 3600 * 10**9
    price = (bid * Decimal("0.98")).quantize(Decimal("0.01"))
    maker = raw_order(client, instruments[ETH], price, 1, expiration)
    pending = client.create_order_v1(types.ApiCreateOrderRequest(maker)).result
    report["pending"] = pending.state.status.value
    report["logged_in"] = client._cookie is not None
    id = maker.metadata.client_order_id
    orders = until(lambda: client.open_orders_v1(types.ApiOpenOrdersRequest(account)).result)
    report["open"] = orders[0].state.status.value
    cancel = types.ApiCancelOrderRequest(account, client_order_id=id)
    report["canceled"] = client.cancel_order_v1(cancel).result.ack

    def state_of(client_id: str) -> Any:
        answer = client.get_order_v1(types.ApiGetOrderRequest(account, client_order_id=client_id))
        final = ("FILLED", "CANCELLED", "REJECTED")
        return answer.result.state if answer.result.state.status.value in final else None

    ended_state = until(lambda: state_of(id))
    report["maker_end"] = [ended_state.status.value, ended_state.reject_reason.value]
    taker = raw_order(client, instruments[ETH], None, 2, expiration)
    client.create_order_v1(types.ApiCreateOrderRequest(taker))
    report["taker_end"] = until(lambda: state_of(taker.metadata.client_order_id)).status.value
    held = client.positions_v1(types.ApiPositionsRequest(account)).result
    report["positions"] = [[row.instrument, row.size] for row in held]
    fills = client.fill_history_v1(types.ApiFillHistoryRequest(account)).result
    report["fills"] = [[row.client_order_id, row.size, row.is_taker] for row in fills]
    summary = client.sub_account_summary_v1(types.ApiSubAccountSummaryRequest(account)).result
    report["equity"] = summary.total_equity
    tier = client.funding_account_summary_v1(types.EmptyRequest()).tier
    report["fees"] = [tier.futures_maker_fee, tier.futures_taker_fee]
    wrong = client.orderbook_levels_v1(types.ApiOrderbookLevelsRequest(ETH, 7))
    report["error"] = [isinstance(wrong, GrvtError), getattr(wrong, "code", None)]
    return report


async def raw_async() -> Report:
    client = raw_redirect(GrvtRawAsync(raw_config()))
    account = keys["sub_account_id"]
    found = await client.get_instrument_v1(types.ApiGetInstrumentRequest(ETH))
    report: Report = {"markets": [found.result.instrument]}
    book = (await client.orderbook_levels_v1(types.ApiOrderbookLevelsRequest(ETH, 10))).result
    expiration = int(book.event_time) + 3600 * 10**9
    price = (Decimal(book.bids[0].price) * Decimal("0.98")).quantize(Decimal("0.01"))
    maker = raw_order(client, found.result, price, 1, expiration)
    pending = (await client.create_order_v1(types.ApiCreateOrderRequest(maker))).result
    report["pending"] = pending.state.status.value
    report["logged_in"] = client._cookie is not None
    ask_open = types.ApiOpenOrdersRequest(account)

    async def open_orders() -> Any:
        return (await client.open_orders_v1(ask_open)).result

    report["open"] = (await until_async(open_orders))[0].state.status.value
    cancel = types.ApiCancelAllOrdersRequest(account)
    report["canceled"] = (await client.cancel_all_orders_v1(cancel)).result.ack
    taker = raw_order(client, found.result, None, 2, expiration)
    await client.create_order_v1(types.ApiCreateOrderRequest(taker))

    async def fills() -> Any:
        return (await client.fill_history_v1(types.ApiFillHistoryRequest(account))).result

    report["fills"] = [
        [row.client_order_id, row.size, row.is_taker] for row in await until_async(fills)
    ]
    held = (await client.positions_v1(types.ApiPositionsRequest(account))).result
    report["positions"] = [[row.instrument, row.size] for row in held]
    leverage = await client.get_all_initial_leverage_v1(
        types.ApiGetAllInitialLeverageRequest(account)
    )
    report["leverage"] = {row.instrument: row.leverage for row in leverage.results}
    history = await client.order_history_v1(types.ApiOrderHistoryRequest(account))
    report["history"] = [
        [row.metadata.client_order_id, row.state.status.value] for row in history.result
    ]
    await client._session.close()
    return report


PARTS: dict[str, Callable[[], Report]] = {
    "sync": trade_sync,
    "async": lambda: asyncio.run(trade_async()),
    # Not `asyncio.run`: the SDK's tasks cannot be ended, each reconnects what is closed for 10 s.
    "ws": lambda: asyncio.new_event_loop().run_until_complete(trade_ws()),
    "raw_sync": raw_sync,
    "raw_async": lambda: asyncio.run(raw_async()),
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(PARTS[sys.argv[1]]()))

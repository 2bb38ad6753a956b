"""What a user writes, checked by mypy and never run: the types of the public interface."""

from __future__ import annotations

from decimal import Decimal

from exchange_factory import create_exchange, symbol_create
from mpdex.errors import OutcomeUnknown, PostOnlyWouldCross
from mpdex.types import Fill, Order, Topic


async def quote_once(coin: str) -> Decimal:
    async with await create_exchange("backpack", {"api_key": "...", "secret_key": "..."}) as dex:
        symbol = symbol_create("backpack", coin)
        market = await dex.get_market(symbol)
        book = await dex.get_orderbook(symbol, depth=5)
        best_bid, _ = book["bids"][0]
        try:
            order = await dex.create_order(
                symbol, "buy", market["min_size"], price=best_bid, post_only=True
            )
        except PostOnlyWouldCross:
            return Decimal(0)
        except OutcomeUnknown as unknown:
            order = await dex.get_order(symbol, client_order_id=unknown.client_order_id)
        canceled: Order | None = await dex.cancel_order(symbol, order["id"])
        return (canceled or order)["filled"]


async def follow(symbol: str) -> list[Fill]:
    seen: list[Fill] = []
    dex = await create_exchange("grvt")
    stop = dex.on_fills(seen.append, symbol)
    await dex.start_streams([Topic("fills"), Topic("book", symbol)])
    async for bbo in dex.watch_bbo(symbol):
        if bbo["bid"] is not None and dex.book(symbol).vwap("buy", Decimal(1)) is not None:
            break
    stop()
    position = await dex.get_position(symbol)
    if position is not None and position["side"] == "long":
        await dex.close_position(symbol, position)
    await dex.close()
    return seen

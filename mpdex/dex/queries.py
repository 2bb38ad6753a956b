"""Questions of more than one request: the markets, the account, an order, the fills since then."""

from __future__ import annotations

from typing import Self

from mpdex.dex.requests import Requests
from mpdex.errors import OrderNotFound
from mpdex.types import BookUpdate, CancelRequest, Fill, Market, Order, Position, Reads

# How far before a silence fills are read again: histories lag, and clocks differ.
_OVERLAP_MS = 60_000


class Queries(Requests):
    """What the venue knows, put together."""

    async def init(self) -> Self:
        """Reads the venue's markets. Raises: TransportError, ProtocolError."""
        if hasattr(type(self), "SPEC"):
            await self._find_account()
            await self.load_markets()
        return self

    async def _find_account(self) -> None:
        request = None if self.read_only else self.encode_account()
        if request is not None:
            name = self.decode_account(await self._rest.send(request))
            self.keys = {**self.keys, self.SPEC.account: name}

    async def load_markets(self) -> None:
        """Asks the venue for its markets, again if asked again."""
        answers = [await self._rest.send(request) for request in self.encode_markets()]
        self._markets.replace(self.decode_markets(answers))
        self._detailed.clear()
        self.available_symbols = self._markets.by_coin("perp")

    async def _fetch_book(self, symbol: str) -> BookUpdate:
        market = self._markets[symbol]
        return self.decode_book(await self._rest.send(self.encode_book(market, 1000)), market)

    async def _fetch_account(
        self, since_ms: int | None
    ) -> tuple[list[Position], list[Order], list[Fill]]:
        positions = self.decode_positions(await self._private(self.encode_positions(None)))
        orders = await self._open_orders(None)
        if since_ms is None:
            return positions, orders, []
        return positions, orders, await self._fills_since(None, since_ms - self._unheard_ms())

    async def _open_orders(self, market: Market | None) -> list[Order]:
        """What the venue lists, as far as it is right."""
        await self._caught_up()
        asks: Reads | None = self.encode_open_orders(market)
        listed: list[Order] = []
        while asks is not None:
            answer = await self._private(asks)
            listed += self.decode_orders(answer)
            asks = self.encode_orders_after(answer, market)
        if not self.SPEC.lists_ended:
            return listed
        now = [await self._as_it_is(order) for order in listed]
        return [order for order in now if not order["status"].terminal]

    async def _as_it_is(self, listed: Order) -> Order:
        query = CancelRequest(symbol=listed["symbol"], order_id=listed["id"])
        return await self._find_order(query, self._markets[listed["symbol"]]) or listed

    async def _find_order(self, query: CancelRequest, market: Market) -> Order | None:
        """None: the venue has no such order now, in any place."""
        for request in self.encode_order_queries(query, market):
            try:
                order = self.decode_order_query(await self._private(request), query)
            except OrderNotFound:
                continue
            if order is not None:
                return order
        return None

    async def _fills_since(self, market: Market | None, since_ms: int) -> list[Fill]:
        found: dict[tuple[str, str], Fill] = {}
        cursor: str | None = None
        while True:
            answer = await self._private(self.encode_fills(market, since_ms, cursor))
            page = self.decode_fills(answer, cursor)
            found.update(((fill["id"], fill["order_id"]), fill) for fill in page.fills)
            cursor = page.cursor
            if page.backwards and any(fill["timestamp_ms"] < since_ms for fill in page.fills):
                cursor = None
            if cursor is None:
                fills = [fill for fill in found.values() if fill["timestamp_ms"] >= since_ms]
                return sorted(fills, key=lambda fill: fill["timestamp_ms"])

    def _unheard_ms(self) -> int:
        """How long before a drop was noticed the stream may have said nothing any more."""
        silence = max((stream.patience() or 0.0 for stream in self.streams()), default=0.0)
        return _OVERLAP_MS + int(silence * 1000)

    async def _caught_up(self) -> None:
        """Waits until what the last answered command did shows, where that takes time."""
        if self._answered_at is None or not self.SPEC.reads_lag_ms:
            return
        left = self._answered_at + self.SPEC.reads_lag_ms / 1000 - self.clock.monotonic()
        if left > 0:
            import asyncio

            await asyncio.sleep(left)

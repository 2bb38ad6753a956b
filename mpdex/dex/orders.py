"""Placing, canceling and finding orders, and reading fills."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from mpdex.dex.account import AccountMethods
from mpdex.dex.markets import MarketMethods
from mpdex.dex.requests import sealed
from mpdex.errors import (
    BadOrder,
    NonceRefused,
    OrderNotFound,
    OutcomeUnknown,
    ProtocolError,
    Unsupported,
    UsageError,
)
from mpdex.types import (
    CancelRequest,
    Fill,
    Json,
    Lane,
    Market,
    Number,
    Order,
    OrderRequest,
    Position,
    Side,
    TimeInForce,
    Topic,
)
from mpdex.utils.precision import check_order, snap_price, snap_size, to_decimal

# What a signer raises whose key or native library is broken. No message is repeated: it may have
# the key in it.
_UNSIGNABLE = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class OrderMethods(AccountMethods, MarketMethods):
    """Orders and fills."""

    async def create_order(
        self,
        symbol: str,
        side: str,
        amount: Number,
        price: Number | None = None,
        order_type: str = "market",
        *,
        post_only: bool = False,
        is_reduce_only: bool = False,
        time_in_force: str | None = None,
        client_order_id: str | None = None,
        slippage_bps: Number | None = None,
        lane: Lane = Lane.QUOTE,
    ) -> Order:
        """Places one order; with a price it is a limit order.

        The size is rounded down to the venue's step and the price to its tick, away from the
        market (a buy down, a sell up), so an order never costs more than was asked for.

        Args:
            amount: coins.
            time_in_force: GTC, IOC or FOK; a market order is IOC.
            client_order_id: in the venue's form; made here if left out.
            slippage_bps: bound of a market order against the mark price, where the venue can keep
                one.

        Returns: the order as acknowledged; on venues that answer before matching it is PENDING.
        Raises: UsageError before anything is sent; OrderRejected; OutcomeUnknown: the order may
            live, ask `get_order` by the error's `client_order_id`.
        """
        market = self._markets[symbol]
        if client_order_id is not None and "client_order_id" not in self.SPEC.supports:
            raise Unsupported("client_order_id is not offered here", venue=self.name)
        if price is None and order_type == "market" and self.SPEC.market_bound_bps is not None:
            if "market" not in self.SPEC.supports:
                raise Unsupported("market is not offered here", venue=self.name)
            price = await self._worst_price(market, side, slippage_bps)
            time_in_force, slippage_bps = time_in_force or TimeInForce.IOC, None
        order = self._order_request(
            market,
            side,
            amount,
            price,
            order_type,
            post_only=post_only,
            reduce_only=is_reduce_only,
            time_in_force=time_in_force,
            client_id=client_order_id,
            slippage_bps=slippage_bps,
        )
        if order.price is None and self.SPEC.market_signs_mark:
            self._refuse_unsupported(order)
            order = replace(order, mark=await self.get_mark_price(symbol))
        return await self.submit_order(order, lane=lane)

    def submit_order(
        self, order: OrderRequest, *, lane: Lane = Lane.QUOTE
    ) -> Coroutine[Any, Any, Order]:
        """The fast path of `create_order`: an order that is on the grid already.

        It is encoded, signed and, on a venue with order entry by socket, written before this
        returns. Awaiting the result gives the acknowledged order or raises as `create_order`.
        """
        market = self._markets[order.symbol]
        self._refuse_unsupported(order)
        request = self.encode_order(order, market, self.venue_clock.now_ns())
        if request.lane is not lane:
            request = replace(request, lane=lane)
        if self._nonces is not None:
            request = replace(request, client_id=order.client_id)
        return self._placed(self._command(request), order)

    async def cancel_order(
        self, symbol: str, order_id: str | None = None, *, client_order_id: str | None = None
    ) -> Order | None:
        """Asks for one cancel, by either id.

        Returns: the canceled order where the venue says so at once, None where it only
            acknowledges; the outcome is then on `watch_orders` and in `get_order`.
        Raises: OrderNotFound: it is not open (it may have filled).
        """
        return await self.submit_cancel(
            CancelRequest(symbol=symbol, order_id=order_id or "", client_id=client_order_id or "")
        )

    def submit_cancel(self, cancel: CancelRequest) -> Coroutine[Any, Any, Order | None]:
        """The fast path of `cancel_order`; see `submit_order`."""
        if not (cancel.order_id or cancel.client_id):
            raise BadOrder("a cancel needs order_id or client_order_id", venue=self.SPEC.name)
        market = self._markets[cancel.symbol]
        request = self.encode_cancel(cancel, market)
        return self._decoded(self._command(request), self.decode_cancel)

    async def cancel_orders(
        self, symbol: str, open_orders: Sequence[Order] | None = None
    ) -> list[Order]:
        """Cancels the given orders, or all of one market.

        Returns: the orders that the cancel was asked for, as far as they are known. An order that
            had ended before is left out.
        """
        market = self._markets[symbol]
        if open_orders is None:
            await self._caught_up()
            open_orders = await self.get_open_orders(symbol)
            bulk = self.encode_cancel_all(market)
            if bulk is not None:
                if open_orders:
                    await self._command(bulk)
                return list(open_orders)
        canceled = []
        for order in open_orders:
            try:
                answer = await self.cancel_order(
                    symbol, order["id"] or None, client_order_id=order["client_order_id"]
                )
            except OrderNotFound:
                continue
            canceled.append(answer or order)
        return canceled

    async def close_position(
        self, symbol: str, position: Position | None = None, *, is_reduce_only: bool = True
    ) -> Order | None:
        """Closes a position at market. None: there was none."""
        if position is None:
            await self._caught_up()
            position = await self.get_position(symbol)
        if not position:
            return None
        side = "sell" if position["side"].lower() in ("long", "buy") else "buy"
        return await self.create_order(
            symbol,
            side,
            position["size"],
            price=None,
            order_type="market",
            is_reduce_only=is_reduce_only,
        )

    async def get_order(
        self, symbol: str, order_id: str | None = None, *, client_order_id: str | None = None
    ) -> Order:
        """One order, open or ended, by either id.

        Raises: OrderNotFound: the venue has no such order now. That is not proof that it never
            will (a late request may still land).
        """
        query = CancelRequest(
            symbol=symbol, order_id=order_id or "", client_id=client_order_id or ""
        )
        if not (query.order_id or query.client_id):
            raise BadOrder("an order query needs order_id or client_order_id", venue=self.name)
        order = await self._find_order(query, self._markets[symbol])
        if order is not None:
            return order
        wanted = query.order_id or query.client_id
        raise OrderNotFound(f"no order {wanted} on {symbol}", venue=self.name)

    async def get_open_orders(self, symbol: str | None = None) -> list[Order]:
        """Open orders of one market, or of the account."""
        if symbol:
            self._markets[symbol]
        if self.feeds.account.synced and self.feeds.live(Topic("orders")):
            return self.feeds.account.open_orders(symbol)
        return await self.read_open_orders(symbol)

    async def read_open_orders(self, symbol: str | None = None) -> list[Order]:
        """The same asked of the venue, whatever a stream has said."""
        orders = await self._open_orders(self._markets[symbol] if symbol else None)
        return [order for order in orders if symbol in (None, "", order["symbol"])]

    async def get_fills(self, symbol: str | None = None, since: int = 0) -> list[Fill]:
        """Own fills at or after `since` (milliseconds since the epoch), oldest first."""
        fills = await self._fills_since(self._markets[symbol] if symbol else None, since)
        return [fill for fill in fills if symbol in (None, "", fill["symbol"])]

    @property
    def can_fence(self) -> bool:
        """Whether `fence_order` can tell what became of an order."""
        return self._nonces is not None

    async def fence_order(self, symbol: str, client_order_id: str) -> bool:
        """Uses up the nonce of an order whose outcome is not known.

        Returns: True: the order never arrived, and never will. False: its nonce was used before,
            so nothing more can arrive: it has landed, or was refused, and `get_order` tells.

        Raises: Unsupported where the venue has no such means, or the nonce was not remembered;
            TransportError, OutcomeUnknown: nothing is known yet, ask again.
        """
        market = self._markets[symbol]
        nonce = self._sent_nonces.get(client_order_id)
        if nonce is None:
            raise Unsupported(f"no nonce of order {client_order_id}", venue=self.name)
        counted = self.encode_next_nonce() is not None
        first = await self._next_nonce() if counted else nonce
        if first > nonce:
            return False
        try:
            for number in range(first, nonce + 1):  # what came before it may be missing, too
                await self._command(self.encode_fence(number, market))
        except NonceRefused:
            if counted and await self._next_nonce() <= nonce:
                raise
            return False
        if self._nonces is not None:  # the fence had a number of its own: the next one follows it
            self._nonces.doubt()
            self._nonces.start(nonce + 1)
        return True

    async def schedule_cancel(self, seconds: Number | None) -> None:
        """A dead man's switch: the venue cancels every order of the account after this time.

        Args:
            seconds: from now; asking again moves it. None: switched off.

        Raises: Unsupported; VenueError where the venue does not grant it to this account.
        """
        now_ms = self.venue_clock.now_ms()
        at_ms = None if seconds is None else now_ms + int(to_decimal(seconds) * 1000)
        await self._command(self.encode_schedule_cancel(at_ms))

    def prove_signing(self, symbol: str, price: Decimal) -> None:
        """Encodes and signs orders of both sides that are never sent.

        Args:
            price: near the market's, on either side of the grid.

        Raises: UsageError where that cannot be done: a key or a native library is unusable.
        """
        market = self._markets[symbol]
        sides: tuple[Side, Side] = ("buy", "sell")
        for side in sides:
            for immediate in (False, True):
                try:
                    sample = _sample(market, side, price, immediate, self.SPEC.supports)
                    self._sign_unsent(replace(sample, client_id=self.new_client_id()))
                except _UNSIGNABLE as error:
                    sentence = f"a {side} order cannot be signed: {type(error).__name__}"
                    raise UsageError(sentence, venue=self.name) from None

    def _sign_unsent(self, order: OrderRequest) -> None:
        market, now_ns = self._markets[order.symbol], self.venue_clock.now_ns()
        request = self.encode_order(order, market, now_ns)
        self._need_keys(request)
        if request.signed:
            self.sign(replace(sealed(request), nonce=1), self.venue_clock.now_ms())

    def new_client_id(self) -> str:
        """A client order id that no order of this account had."""
        return self.client_ids.new()

    def owns(self, client_id: str | None) -> bool:
        """Whether an order was made by this program, in this run or an earlier one."""
        return self.client_ids.ours(client_id)

    async def _worst_price(self, market: Market, side: str, bps: Number | None) -> Decimal:
        """What a market order may cost at most, where the venue needs to be told."""
        bound = self.SPEC.market_bound_bps if bps is None else to_decimal(bps)
        assert bound is not None
        mark = await self.get_mark_price(market["symbol"])
        part = bound.scaleb(-4)
        wanted = _side(side, self.name)
        return mark * (1 + part if wanted == "buy" else 1 - part)

    def _order_request(
        self,
        market: Market,
        side: str,
        amount: Number,
        price: Number | None,
        order_type: str,
        *,
        post_only: bool,
        reduce_only: bool,
        time_in_force: str | None,
        client_id: str | None,
        slippage_bps: Number | None,
    ) -> OrderRequest:
        limit = None if price is None else to_decimal(price)
        if limit is None and (order_type == "limit" or post_only):
            raise BadOrder("a limit order needs a price", venue=self.name)
        if order_type not in ("market", "limit"):
            raise BadOrder(f"order_type is market or limit, not {order_type!r}", venue=self.name)
        wanted = _side(side, self.name)
        tif = _time_in_force(time_in_force, market_order=limit is None, venue=self.name)
        if post_only and tif is not TimeInForce.GTC:
            raise BadOrder(f"a post-only order cannot be {tif}", venue=self.name)
        size = snap_size(to_decimal(amount), market["step"])
        if limit is not None:
            limit = snap_price(limit, market, wanted)
        check_order(market, size, limit)
        return OrderRequest(
            symbol=market["symbol"],
            side=wanted,
            size=size,
            price=limit,
            client_id=client_id or self.new_client_id(),
            post_only=post_only,
            reduce_only=reduce_only,
            time_in_force=tif,
            slippage_bps=None if slippage_bps is None else to_decimal(slippage_bps),
        )

    def _refuse_unsupported(self, order: OrderRequest) -> None:
        supports = self.SPEC.supports
        for flag, asked in (
            ("post_only", order.post_only),
            ("reduce_only", order.reduce_only),
            ("market", order.price is None),
            ("ioc", order.price is not None and order.time_in_force is TimeInForce.IOC),
            ("fok", order.time_in_force is TimeInForce.FOK),
            ("slippage_bps", order.slippage_bps is not None),
        ):
            if asked and flag not in supports:
                raise Unsupported(f"{flag} is not offered here", venue=self.name)

    async def _placed(self, answer: Awaitable[Json], order: OrderRequest) -> Order:
        try:
            return self.decode_placement(await answer, order)
        except OutcomeUnknown as error:
            error.client_order_id = order.client_id
            raise
        except ProtocolError as error:
            unknown = OutcomeUnknown(str(error), venue=self.name, raw=error.raw)
            unknown.client_order_id = order.client_id
            raise unknown from error

    async def _decoded(self, answer: Awaitable[Json], decode: Callable[[Json], Any]) -> Any:
        return decode(await answer)


def _sample(
    market: Market, side: Side, price: Decimal, immediate: bool, supports: frozenset[str]
) -> OrderRequest:
    """An order such as a hedge or a quote would be here."""
    at_market = immediate and "ioc" not in supports
    return OrderRequest(
        symbol=market["symbol"],
        side=side,
        size=max(market["min_size"], market["step"]),
        price=None if at_market else snap_price(price, market, side),
        post_only=not immediate and "post_only" in supports,
        time_in_force=TimeInForce.IOC if immediate else TimeInForce.GTC,
    )


def _side(side: str, venue: str) -> Side:
    match side.lower():
        case "buy" | "long":
            return "buy"
        case "sell" | "short":
            return "sell"
    raise BadOrder(f"side is buy or sell, not {side!r}", venue=venue)


def _time_in_force(text: str | None, *, market_order: bool, venue: str) -> TimeInForce:
    if text is None:
        return TimeInForce.IOC if market_order else TimeInForce.GTC
    try:
        return TimeInForce(text.upper())
    except ValueError:
        known = ", ".join(TimeInForce)
        raise BadOrder(f"time_in_force is one of {known}, not {text!r}", venue=venue) from None

"""Order entry of the simulated GRVT: every check in the documented order, then the two-step life.

A create is answered PENDING under the id "0x00", whatever the book then decides: at once for a
post-only order, after the speed bump for every other. Cancels are always acknowledged, and wait a
little for an order that has not arrived.

Source: api-docs.grvt.io, create_order, cancel_order, bulk_orders, cancel_on_disconnect; the speed
bump from the venue's trading rules; order of checks as clients observe it; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeVar

from mpdex.sim import evm
from mpdex.sim.exchange import SimExchange
from mpdex.sim.models import Timers
from mpdex.sim.records import SimMarket, SimOrder
from mpdex.sim.venues import grvt_crypto as crypto
from mpdex.sim.venues import grvt_render as render
from mpdex.sim.venues.grvt_market import chosen
from mpdex.sim.venues.grvt_wire import Refusal, WireOrder, WireSignature, parse_integer, parse_order
from mpdex.types import Json, OrderStatus, TimeInForce

K = TypeVar("K")
CHAIN_ID = 325
LONGEST_SIGNATURE_NS = 30 * 86_400 * 10**9
DEFAULT_TTL_MS, LONGEST_TTL_MS = 100, 5_000
LONGEST_COUNTDOWN_MS = 300_000
BULK = 100
REMEMBERED = 4096  # orders kept to recognise a duplicate and to find by client id
TIF = {
    "GOOD_TILL_TIME": TimeInForce.GTC,
    "IMMEDIATE_OR_CANCEL": TimeInForce.IOC,
    "FILL_OR_KILL": TimeInForce.FOK,
}
PROBLEMS = {
    "size": 2062,
    "max_size": 2081,
    "step": 2065,
    "price": 2021,
    "tick": 2064,
    "notional": 2066,
}


class OrderDesk:
    """Takes orders and cancels for the accounts of one venue.

    Args:
        signers: account -> addresses (lower case) that may sign for it.
        on_missed: told (account, client id, order id) of a cancel that ran out unused.
        on_dropped: told of an order that a waiting cancel ended before it reached the book.

    The speed bump is the exchange's `taker_delay`; orders inside it are PENDING.
    """

    def __init__(
        self,
        exchange: SimExchange,
        timers: Timers,
        signers: Mapping[str, frozenset[str]],
        *,
        on_missed: Callable[[str, str, str], None],
        on_dropped: Callable[[SimOrder], None],
    ) -> None:
        self._exchange = exchange
        self._timers = timers
        self._signers = signers
        self._on_missed = on_missed
        self._on_dropped = on_dropped
        self._signed: dict[bytes, SimOrder] = {}
        self._known: dict[tuple[str, str], SimOrder] = {}  # newest order of a client id
        self._waiting: dict[tuple[str, str], int] = {}  # cancels ahead of their order -> deadline
        self._countdown: dict[str, int] = {}  # account -> number of its last dead-man arming
        self._count = 0

    # ---------------------------------------------------------------- create

    def create(self, account: str, body: Json) -> dict[str, Json]:
        """Verify one order and take it in.

        Returns: the order as the answer shows it: PENDING, id "0x00".
        Raises: Refusal.
        """
        wire = parse_order(body)
        market = self._check_terms(account, wire)
        proof = self._check_signature(account, wire, market)
        order = self._signed.get(proof)
        if order is None:
            self._check_risk(account, wire, market)
            order = self._accept(account, wire)
            _remember(self._signed, proof, order)
            _remember(self._known, (account, wire.client_id), order)
        return render.render_order(order, render.render_pending(order), order_id="0x00")

    def _accept(self, account: str, wire: WireOrder) -> SimOrder:
        now = self._exchange.clock.now_ns()
        order = SimOrder(
            account=account,
            symbol=wire.instrument,
            side="buy" if wire.buying else "sell",
            size=wire.size,
            price=None if wire.is_market else self._limit(wire),
            order_id=self._next_id(wire),
            client_id=wire.client_id,
            tif=TIF[wire.time_in_force],
            post_only=wire.post_only,
            reduce_only=wire.reduce_only,
            expires_ns=wire.signature.expiration,
            created_ns=now,
            updated_ns=now,
            raw={"wire": wire, "taken": now},
        )
        if self._waiting.pop((account, wire.client_id), 0) >= now:
            order.status, order.reason = OrderStatus.CANCELED, "client"
            self._on_dropped(order)
        else:
            self._exchange.place(order)
        return order

    def _limit(self, wire: WireOrder) -> Decimal:
        """The limit price, no farther from the mark than the slippage cap, on the grid."""
        mark = self._exchange.mark(wire.instrument)
        if not wire.slippage_bps or not mark:
            return wire.price
        tick = self._exchange.markets[wire.instrument].tick
        away = mark * wire.slippage_bps / 10_000
        if wire.buying:
            return min(wire.price, (mark + away) // tick * tick)
        lowest = (mark - away) // tick * tick
        return max(wire.price, lowest if lowest == mark - away else lowest + tick)

    def _next_id(self, wire: WireOrder) -> str:
        """Sixteen bytes; as in captures, some of them come from the signature and the asset."""
        self._count += 1
        asset = self._exchange.markets[wire.instrument].info["instrument_hash"]
        return f"0x010101{asset[4:6]}{asset[2:4]}{wire.signature.s_text[-6:]}{self._count:016x}"

    # ---------------------------------------------------------------- checks

    def _check_terms(self, account: str, wire: WireOrder) -> SimMarket:
        if wire.sub_account_id != int(account):
            raise Refusal(2003)
        if int(wire.order_id or "0", 16):
            raise Refusal(2010)
        self._check_client_id(account, wire)
        market = self._exchange.markets.get(wire.instrument)
        if market is None:
            raise Refusal(2061)
        if wire.legs > 1:
            raise Refusal(2042)
        _check_kind(wire)
        problem = market.problem(wire.size, None if wire.is_market else wire.price)
        if problem:
            raise Refusal(PROBLEMS[problem])
        return market

    def _check_client_id(self, account: str, wire: WireOrder) -> None:
        """An id may be used again once its order has ended; the same payload is a duplicate."""
        if not wire.client_id:
            raise Refusal(2011)
        known = self.find(account, client_id=wire.client_id)
        if known and known.live and known.raw.get("wire") != wire:
            raise Refusal(2012)

    def _check_signature(self, account: str, wire: WireOrder, market: SimMarket) -> bytes:
        digest = self._digest(wire, market)
        self.verify(account, wire.signature, digest)
        return digest + wire.signature.r_text.encode()

    def _digest(self, wire: WireOrder, market: SimMarket) -> bytes:
        """What the client should have signed.

        Raises: Refusal 2065 where a number does not fit the scale it is signed in.
        """
        size = crypto.scaled(wire.size, market.info["base_decimals"])
        price = crypto.scaled(wire.price, crypto.PRICE_SCALE)
        fee = crypto.scaled(wire.builder_fee, 4)
        if size is None or price is None or fee is None:
            raise Refusal(2065)
        builder = int(wire.builder or "0", 16)
        return crypto.order_digest(
            chain_id=CHAIN_ID,
            sub_account_id=wire.sub_account_id,
            is_market=wire.is_market,
            time_in_force=crypto.TIME_IN_FORCE[wire.time_in_force],
            post_only=wire.post_only,
            reduce_only=wire.reduce_only,
            legs=[(int(market.info["instrument_hash"], 16), size, price, wire.buying)],
            nonce=wire.signature.nonce,
            expiration=wire.signature.expiration,
            builder=(builder, fee) if builder else None,
        )

    def verify(self, account: str, signature: WireSignature, digest: bytes) -> None:
        """Form, chain, time and signer of a signature, in this order.

        Raises: Refusal.
        """
        if signature.error:
            raise Refusal(signature.error)
        if signature.chain_id not in (None, 0, CHAIN_ID):
            raise Refusal(1012)
        left = signature.expiration - self._exchange.clock.now_ns()
        if left <= 0:
            raise Refusal(2001)
        if left > LONGEST_SIGNATURE_NS:
            raise Refusal(2008)
        if evm.recover(digest, signature.r, signature.s, signature.v) != signature.signer:
            raise Refusal(2002)
        if signature.signer not in self._signers[account]:
            raise Refusal(2000)

    def _check_risk(self, account: str, wire: WireOrder, market: SimMarket) -> None:
        if self._exchange.halted == "cancel_only" and not wire.reduce_only:
            raise Refusal(7304)
        held = self._exchange.accounts[account].size(market.symbol)
        reducible = -held if wire.buying else held
        if wire.reduce_only:
            _check_reduces(wire, held, reducible)
        mark = self._exchange.mark(market.symbol)
        price = mark if wire.is_market else wire.price
        if mark and market.band is not None:
            away = price / mark - 1
            if (away if wire.buying else -away) > market.band:
                raise Refusal(7201)
        needed = wire.size * price / self._exchange.ledger.leverage(account, market.symbol)
        if reducible <= 0 and needed > self._exchange.free(account):
            raise Refusal(2080)

    # ---------------------------------------------------------------- cancel

    def cancel(self, account: str, body: dict[str, Json], reason: str = "client") -> None:
        """Cancel one order by either id; by client id it waits for an order on its way.

        Raises: Refusal 3021 without an id, 2301 for too long a wait.
        """
        order_id, client_id = body.get("order_id") or "", body.get("client_order_id") or ""
        if not order_id and not client_id:
            raise Refusal(3021)
        ttl_ms = parse_integer(body.get("time_to_live_ms"), 31, DEFAULT_TTL_MS) // 100 * 100
        if ttl_ms > LONGEST_TTL_MS:
            raise Refusal(2301)
        ids = {"order_id": str(order_id)} if order_id else {"client_id": str(client_id)}
        if self._exchange.cancel(account, reason=reason, **ids) is None and client_id:
            self._wait_for(account, str(client_id), str(order_id), ttl_ms)

    def _wait_for(self, account: str, client_id: str, order_id: str, ttl_ms: int) -> None:
        key = (account, client_id)
        deadline = self._exchange.clock.now_ns() + ttl_ms * 1_000_000
        self._waiting[key] = deadline

        def run_out() -> None:
            if self._waiting.get(key) == deadline:
                del self._waiting[key]
                self._on_missed(account, client_id, order_id)

        self._timers.after(ttl_ms / 1000, run_out)

    def cancel_all(self, account: str, body: dict[str, Json], reason: str = "client_bulk") -> None:
        """Cancel what rests in the markets that the filters leave; misses what is on its way."""
        symbols = {market.symbol for market in chosen(body, self._exchange.markets.values())}
        for order in list(self._exchange.open_orders(account)):
            if order.symbol in symbols:
                self._exchange.cancel(account, order_id=order.order_id, reason=reason)

    def arm(self, account: str, body: dict[str, Json]) -> None:
        """The dead-man switch: cancel everything unless armed again within the countdown.

        Raises: Refusal 6000 above five minutes.
        """
        countdown_ms = parse_integer(body.get("countdown_time"), 63, 0)
        if countdown_ms > LONGEST_COUNTDOWN_MS:
            raise Refusal(6000)
        number = self._countdown[account] = self._countdown.get(account, 0) + 1
        if countdown_ms <= 1000:
            return

        def fire() -> None:
            if self._countdown[account] == number:
                self.cancel_all(account, {}, "disconnect")

        self._timers.after(countdown_ms // 1000, fire)

    # ---------------------------------------------------------------- bulk and queries

    def bulk(self, account: str, body: dict[str, Json]) -> dict[str, Json]:
        """Cancels first, then creates. All orders are checked before any is taken.

        Raises: Refusal; 1001 without the sub-account, 2233 over the limits.
        """
        if not body.get("sub_account_id"):
            raise Refusal(1001)
        orders = [order for order in body.get("orders") or () if order]
        by_id, by_client = (
            [id for id in body.get(key) or () if id] for key in ("order_i_ds", "client_order_i_ds")
        )
        if max(map(len, (orders, by_id, by_client))) > BULK or (by_id and by_client):
            raise Refusal(2233)
        if len({parse_order(order).instrument for order in orders}) > 1:
            raise Refusal(2233)
        ttl = {"time_to_live_ms": body.get("time_to_live_ms")}
        for id in by_id:
            self.cancel(account, {"order_id": id, **ttl}, "client_bulk")
        for id in by_client:
            self.cancel(account, {"client_order_id": id, **ttl}, "client_bulk")
        created = [self.create(account, order) for order in orders]
        for shown in created:  # live replies of this call leave these two out
            shown["builder"], shown["state"]["book_size"] = "", None
        return {"orders": created, "cancel_acks": [{"ack": True} for _ in (*by_id, *by_client)]}

    def find(self, account: str, *, order_id: str = "", client_id: str = "") -> SimOrder | None:
        """The newest order of a client id, or the one with an order id, ended ones included."""
        self._exchange.expire_due()
        known = self._known.get((account, client_id))
        if order_id:
            known = self._exchange.orders.get(order_id)
            known = known or next((o for o in self._known.values() if o.order_id == order_id), None)
        return None if known is None else self._exchange.told(known)


def _check_kind(wire: WireOrder) -> None:
    """Time in force, post-only and price, taken together."""
    if wire.time_in_force not in TIF:
        if wire.time_in_force == "RETAIL_PRICE_IMPROVEMENT":
            raise Refusal(1001)
        raise Refusal(2030)
    if wire.post_only and wire.time_in_force != "GOOD_TILL_TIME":
        raise Refusal(2032)
    if wire.is_market:
        if wire.time_in_force == "GOOD_TILL_TIME":
            raise Refusal(2030)
        if wire.price:
            raise Refusal(2020)
    elif wire.price <= 0:
        raise Refusal(2021)
    if wire.slippage_bps and (wire.is_market or wire.time_in_force != "IMMEDIATE_OR_CANCEL"):
        raise Refusal(1003)


def _check_reduces(wire: WireOrder, held: Decimal, reducible: Decimal) -> None:
    if not held:
        raise Refusal(2400)
    if reducible <= 0:
        raise Refusal(2401)
    if wire.size > reducible:
        raise Refusal(2402)


def _remember(known: dict[K, SimOrder], key: K, order: SimOrder) -> None:
    """Keep the newest; forget the oldest beyond the bound."""
    known.pop(key, None)
    known[key] = order
    if len(known) > REMEMBERED:
        del known[next(iter(known))]

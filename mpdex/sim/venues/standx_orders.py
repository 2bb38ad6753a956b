"""Order entry of the simulated StandX: what the gateway takes, what matching says, who sees what.

The gateway checks a body and acknowledges it; matching decides at once, and is heard of later. What
matching refuses never has a row. A new order is unknown to queries for a while, and an ended one
stays in the open list for a while; both were seen live, longer than the defaults here.

Source: docs.standx.com, "Perps HTTP API"; live behaviour as public bots report it; read 2026-11-21.
"""

from __future__ import annotations

import random
import string
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from mpdex.sim.records import OrderChanged, SimMarket, SimOrder
from mpdex.sim.venues import standx_render as render
from mpdex.sim.venues import standx_wire as wire
from mpdex.sim.venues.standx_truth import StandxTruth
from mpdex.sim.venues.standx_wire import Fault, Refusal, Which, WireOrder
from mpdex.types import Json, OrderStatus

NEW_ORDER_LAG = 0.2  # seconds at most; 3 were seen live
OPEN_LIST_LAG = 0.3  # seconds; 15 were seen live
JUST_ENDED_NS = 2 * 10**9  # UNVERIFIED: a cancel that comes so late is taken, then refused
# Digits and letters, less those that look alike.
_CROCKFORD = "".join(c for c in string.digits + string.ascii_uppercase if c not in "ILOU")


class Taken(NamedTuple):
    """What the gateway has acknowledged.

    Attributes:
        order: that was placed; None for a cancel.
        fault: what matching says about a cancel; None: that it worked.
    """

    order: SimOrder | None = None
    fault: Fault | None = None

    @property
    def decided(self) -> bool:
        return self.order is None or self.order.status is not OrderStatus.PENDING

    @property
    def lost(self) -> bool:
        """The order has vanished behind the gateway: nobody will say anything."""
        return self.order is not None and self.order.reason == "dropped"

    def verdict(self) -> dict[str, Json]:
        """The result, once it is decided."""
        refused = self.fault
        if self.order is not None and self.order.status is OrderStatus.REJECTED:
            refused = Fault(400, wire.REJECTED[self.order.reason])
        return refused.body if refused else {"code": 0, "message": "success"}


class OrderDesk:
    """Takes orders and cancels for the accounts of one venue, and shows them.

    Attributes:
        new_order_lag: most seconds for which queries do not know a new order.
        open_list_lag: seconds for which the open list still shows an order that has ended.

    Raises: Refusal from every command; nothing has happened then.
    """

    def __init__(self, truth: StandxTruth, rng: random.Random) -> None:
        self.new_order_lag = NEW_ORDER_LAG
        self.open_list_lag = OPEN_LIST_LAG
        self._truth = truth
        self._rng = rng
        self._gone: deque[tuple[int, SimOrder]] = deque()  # ended, and when

    # ---------------------------------------------------------------- place

    def place(self, account: str, fields: Mapping[str, Json]) -> Taken:
        """UNVERIFIED: an id may be used again, even while its order lives (the worse case)."""
        sent = wire.parse_order(fields)
        market = wire.read_symbol(fields, self._truth.markets)
        problem = market.problem(sent.qty, sent.price)
        if problem:
            raise Refusal(wire.PROBLEMS[problem])
        self._check_settings(account, sent)
        order = self._make(account, sent, market)
        self._truth.place(order)
        return Taken(order)

    def _check_settings(self, account: str, sent: WireOrder) -> None:
        """Leverage and margin mode, where an order says them, must be those in force."""
        leverage = self._truth.ledger.leverage(account, sent.symbol)
        mode = self._truth.mode(account, sent.symbol)
        if sent.leverage not in (None, leverage) or sent.margin_mode not in (None, mode):
            raise Refusal(wire.MALFORMED)

    def _make(self, account: str, sent: WireOrder, market: SimMarket) -> SimOrder:
        """A market order's row has a price that the venue sets: the best of the other side."""
        bid, ask = self._truth.best(market.symbol)
        opposite = ask if sent.side == "buy" else bid
        lag = int(self._rng.random() * self.new_order_lag * 1e9)
        return SimOrder(
            account=account,
            symbol=market.symbol,
            side=sent.side,
            size=sent.qty,
            price=sent.price,
            client_id=sent.client_id or self._ulid(),
            tif=sent.tif,
            post_only=sent.post_only,
            reduce_only=sent.reduce_only,
            raw={"seen_ns": self._truth.clock.now_ns() + lag, "price": opposite},
        )

    def _ulid(self) -> str:
        """The id that the server makes where the client gave none."""
        number = (self._truth.clock.now_ms() << 80) | self._rng.getrandbits(80)
        return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))

    # ---------------------------------------------------------------- cancel

    def cancel(self, account: str, fields: Mapping[str, Json]) -> Taken:
        """End one order; one that has just ended is taken all the same, and refused after."""
        which = wire.parse_which(fields)
        order = self._known(account, which)
        if order is None or not (order.live or self._has_just_ended(order)):
            raise Refusal(wire.NO_ORDER)
        if self._truth.cancel(account, order_id=order.order_id) is None:
            return Taken(fault=wire.NO_ORDER._replace(status=400))
        return Taken()

    def cancel_many(self, account: str, fields: Mapping[str, Json]) -> Taken:
        """UNVERIFIED: ids of no live order are passed over."""
        for which in wire.parse_many(fields):
            order = self._known(account, which)
            if order is not None:
                self._truth.cancel(account, order_id=order.order_id)
        return Taken()

    def _known(self, account: str, which: Which) -> SimOrder | None:
        """By number where there is one, else by the client's id; what has a row or will have."""
        order = self._truth.order(
            account, order_id=which.order_id or None, client_id=which.client_id or None
        )
        pending = order is not None and order.status is OrderStatus.PENDING
        return order if order is not None and (pending or render.exists(order)) else None

    def _has_just_ended(self, order: SimOrder) -> bool:
        return self._truth.clock.now_ns() - order.updated_ns < JUST_ENDED_NS

    # ---------------------------------------------------------------- what queries show

    def find(self, account: str, which: Which) -> SimOrder:
        """An order, live or not, once queries know of it."""
        order = self._known(account, which)
        if order is None or not self.is_seen(order):
            raise Refusal(wire.NO_ORDER)
        return order

    def is_seen(self, order: SimOrder) -> bool:
        appears = order.raw.get("seen_ns", 0)
        return render.exists(order) and bool(appears <= self._truth.clock.now_ns())

    def open_rows(self, account: str, symbol: str | None) -> list[dict[str, Json]]:
        """The open list, oldest first: late with what is new and with what has ended."""
        live = [order for order in self._truth.open_orders(account, symbol) if self.is_seen(order)]
        rows = [render.render_order(order, self._truth, live="new") for order in live]
        if self._truth.twist.as_of_ns is None:
            rows += [
                order.raw["row"]
                for order in self._lingering()
                if order.account == account and symbol in (None, order.symbol)
            ]
        return sorted(rows, key=lambda row: int(row["id"]))

    def note(self, event: OrderChanged) -> None:
        """Remember what the open list goes on to show."""
        order = event.order
        if order.live and render.exists(order):
            order.raw["row"] = render.render_order(order, self._truth, live="new")
        elif "row" in order.raw:
            self._gone.append((self._truth.clock.now_ns(), order))

    def _lingering(self) -> list[SimOrder]:
        since = self._truth.clock.now_ns() - int(self.open_list_lag * 1e9)
        while self._gone and self._gone[0][0] <= since:
            self._gone.popleft()
        return [order for _, order in self._gone if self.is_seen(order)]

"""What the simulated Lighter does with a transaction once its signature and nonce are right.

The front refuses what it can see (ranges, minimums, unknown orders); what the sequencer refuses is
told later: most of it by an order that ends as `canceled-...`, the rest by nothing but the failed
transaction, for which the handlers here return the name of the error.

Not simulated: trigger, TWAP and grouped orders (21710), and the self-trade behaviour "reduce".

Source: apidocs.lighter.xyz, "Trading", "Data structures, constants and errors";
elliottech/lighter-go @ 17f2d60, types/txtypes; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from mpdex.sim.engine import Resting
from mpdex.sim.exchange import SimExchange
from mpdex.sim.models import Timers
from mpdex.sim.records import ZERO, OrderChanged, SimEvent, SimMarket, SimOrder
from mpdex.sim.venues import lighter_render as render
from mpdex.sim.venues import lighter_wire as wire
from mpdex.sim.venues.lighter_market import MarketData
from mpdex.sim.venues.lighter_wire import Accepted, Refusal, Transaction
from mpdex.types import OrderStatus, Side, TimeInForce

Values = Mapping[str, int]
MOST_48, MOST_32 = 2**48 - 1, 2**32 - 1
MINUTE_MS, DAY_MS = 60_000, 86_400_000
LIMIT, MARKET = 0, 1
IOC, GTT, POST_ONLY = 0, 1, 2
NOW, SCHEDULED, ABORT = 0, 1, 2
EXPIRE_TAKER, EXPIRE_BOTH, REDUCE = 1, 2, 3
MOST_ORDERS, MOST_ORDERS_OF_MARKET = 1500, 1000
ACCIDENTAL = Decimal("0.5")  # of the mark, UNVERIFIED: the venue does not say how far is too far
RANGES = (
    ("ClientOrderIndex", MOST_48, 21727),
    ("BaseAmount", MOST_48, 21701),
    ("Price", MOST_32, 21702),
    ("IsAsk", 1, 21703),
    ("TimeInForce", POST_ONLY, 21705),
    ("ReduceOnly", 1, 21740),
    ("TriggerPrice", MOST_32, 21729),
)


class OrderDesk:
    """Executes transactions for the accounts of one venue.

    Attributes:
        handlers: by type; each returns "" or the name of what the sequencer refused.
        cancel_all_ms: when a scheduled cancel-all is due, by account.
        isolated: (account, symbol) -> USDC set aside, of markets with isolated margin.
    """

    def __init__(self, exchange: SimExchange, market: MarketData, timers: Timers) -> None:
        self._exchange = exchange
        self._market = market
        self._timers = timers
        self._asks = self._bids = 0
        self._taker_mode = 0
        self.cancel_all_ms: dict[str, int] = {}
        self.isolated: dict[tuple[str, str], Decimal] = {}
        self.set_up: dict[tuple[str, str], None] = {}  # markets with a leverage of their own
        self.handlers: dict[int, Callable[[Accepted], str]] = {
            wire.CREATE: self._create,
            wire.CANCEL: self._cancel,
            wire.CANCEL_ALL: self._cancel_all,
            wire.MODIFY: self._modify,
            wire.LEVERAGE: self._set_leverage,
            wire.MARGIN: self._move_margin,
            wire.GROUP: self._refuse_group,
        }
        exchange.witness(self._note_taker, OrderChanged)
        for board in exchange.boards.values():
            board.engine.on_own = self._meet_own

    # ---------------------------------------------------------------- create

    def _create(self, accepted: Accepted) -> str:
        sent = accepted.sent
        market = self._market.market(sent.values["MarketIndex"])
        order = self._make(sent, market)
        order.raw["hash"] = accepted.hash
        self._check_amounts(order, market)
        if accepted.protected:
            self._check_price(order)
        self._check_counts(market, order)
        self._exchange.place(order)
        if order.status is OrderStatus.REJECTED and order.reason in ("market", "reduce_only"):
            order.raw["vanished"] = True
            if order.reason == "market":
                raise Refusal(21605)
            return "AppErrInvalidReduceOnlyDirection"
        return ""

    def _make(self, sent: Transaction, market: SimMarket) -> SimOrder:
        values = sent.values
        _check_ranges(values)
        _check_kind(values, market)
        self._check_expiry(values)
        mode = sent.attributes.get(wire.SELF_TRADE, 0)
        if mode >= REDUCE:
            raise wire.invalid("self trade behavior is not simulated")
        side: Side = "sell" if values["IsAsk"] else "buy"
        order = SimOrder(
            account=str(sent.account),
            symbol=market.symbol,
            side=side,
            size=values["BaseAmount"] * market.step,
            price=values["Price"] * market.tick,
            order_id=self._next_index(side),
            client_id=str(values["ClientOrderIndex"] or ""),
            tif=TimeInForce.IOC if values["TimeInForce"] == IOC else TimeInForce.GTC,
            post_only=values["TimeInForce"] == POST_ONLY,
            reduce_only=bool(values["ReduceOnly"]),
            expires_ns=values["OrderExpiry"] * 1_000_000 or None,
        )
        order.raw.update(
            type=render.KINDS[values["Type"]],
            tif=render.TIMES[values["TimeInForce"]],
            expiry=values["OrderExpiry"],
            nonce=render.nonce_at(self._asks + self._bids),
            self_trade=mode,
            spot=market.kind == "spot",
        )
        if not order.size:  # UNVERIFIED: taken as the whole position
            order.size = abs(self._exchange.accounts[order.account].size(market.symbol))
        return order

    def _next_index(self, side: Side) -> str:
        if side == "sell":
            self._asks += 1
            return str(render.FIRST_ASK + self._asks)
        self._bids += 1
        return str(render.FIRST_BID - self._bids)

    def _check_expiry(self, values: Values) -> None:
        expiry = values["OrderExpiry"]
        if values["TimeInForce"] == IOC:
            if expiry:
                raise Refusal(21711)
            return
        ahead = expiry - self._exchange.clock.now_ms()
        if not 5 * MINUTE_MS <= ahead <= 30 * DAY_MS:
            raise Refusal(21711)

    def _check_amounts(self, order: SimOrder, market: SimMarket) -> None:
        price = order.price or ZERO
        problem = market.problem(order.size, price)
        if problem:
            raise Refusal({"price": 21702, "tick": 21702, "step": 21701}.get(problem, 21706))
        if order.size * price > market.info["limit"]:
            raise Refusal(21706)

    def _check_price(self, order: SimOrder) -> None:
        mark, price = self._exchange.mark(order.symbol), order.price or ZERO
        away = price / mark - 1 if mark else ZERO
        if (away > ACCIDENTAL) if order.side == "buy" else (away < -ACCIDENTAL):
            raise Refusal(21733)

    def _check_counts(self, market: SimMarket, order: SimOrder) -> None:
        account = order.account
        if order.client_id and self.find(account, int(order.client_id)) is not None:
            raise Refusal(21728)
        if len(self._exchange.open_orders(account)) >= MOST_ORDERS:
            raise Refusal(21717)
        if len(self._exchange.open_orders(account, market.symbol)) >= MOST_ORDERS_OF_MARKET:
            raise Refusal(21718)

    def _refuse_group(self, _: Accepted) -> str:
        raise Refusal(21710)

    # ---------------------------------------------------------------- meeting oneself

    def _note_taker(self, event: SimEvent) -> None:
        """An order is about to be matched: what it wants done about others of its account."""
        if isinstance(event, OrderChanged) and event.cause == "accepted":
            self._taker_mode = event.order.raw.get("self_trade", 0)

    def _meet_own(self, resting: Resting) -> bool:
        if self._taker_mode == EXPIRE_TAKER:
            return False
        self._exchange.cancel(resting.account, order_id=resting.id, reason="self_trade")
        return self._taker_mode != EXPIRE_BOTH

    # ---------------------------------------------------------------- find, cancel, modify

    def find(self, account: str, index: int) -> SimOrder | None:
        """An order by its own index, or below 2^48 by the client's; dead ones too."""
        if index >= render.FIRST_ASK:
            order = self._exchange.order(account, order_id=str(index))
        else:
            order = self._exchange.order(account, client_id=str(index))
        return None if order is None or order.raw.get("vanished") else order

    def _active(self, sent: Transaction) -> SimOrder:
        index = sent.values["Index"]
        if not index:
            raise Refusal(21700)
        market = self._market.market(sent.values["MarketIndex"])
        order = self.find(str(sent.account), index)
        if order is None or order.symbol != market.symbol:
            raise Refusal(21700)
        if not order.live:
            raise Refusal(21600)
        return order

    def _cancel(self, accepted: Accepted) -> str:
        order = self._active(accepted.sent)
        self._exchange.cancel(order.account, order_id=order.order_id)
        return ""

    def _modify(self, accepted: Accepted) -> str:
        """New size and price under the same index; the place in the queue is lost."""
        sent = accepted.sent
        order, values = self._active(sent), sent.values
        market = self._exchange.markets[order.symbol]
        if sent.attributes.get(wire.VERSION, 0) not in (0, order.raw.get("version", 0)):
            raise Refusal(21737)  # UNVERIFIED code
        if not 1 <= values["Price"] <= MOST_32 or values["TriggerPrice"]:
            raise Refusal(21702)
        size = values["BaseAmount"] * market.step or order.size
        price = values["Price"] * market.tick
        if market.problem(size, price):
            raise Refusal(21706)
        order.raw["version"] = order.raw.get("version", 0) + 1
        self._exchange.amend(order, size, price)
        return ""

    def _cancel_all(self, accepted: Accepted) -> str:
        sent = accepted.sent
        account, when, time = str(sent.account), sent.values["TimeInForce"], sent.values["Time"]
        if when > ABORT:
            raise Refusal(21713)
        if (when == SCHEDULED) is not bool(time):
            raise Refusal(21714)
        if when == NOW:
            self._exchange.cancel_all(account, self._symbol(sent))
        elif when == SCHEDULED:
            self._schedule(account, time)
        else:
            self.cancel_all_ms.pop(account, None)
        return ""

    def _symbol(self, sent: Transaction) -> str | None:
        number = sent.attributes.get(wire.ONE_MARKET)
        return None if number is None else self._market.market(number).symbol

    def _schedule(self, account: str, time_ms: int) -> None:
        ahead = time_ms - self._exchange.clock.now_ms()
        if not 5 * MINUTE_MS <= ahead <= 15 * DAY_MS:
            raise Refusal(21714)
        self.cancel_all_ms[account] = time_ms
        self._timers.after(ahead / 1000, lambda: self._strike(account, time_ms))

    def _strike(self, account: str, time_ms: int) -> None:
        if self.cancel_all_ms.get(account) == time_ms:
            del self.cancel_all_ms[account]
            self._exchange.cancel_all(account)

    # ---------------------------------------------------------------- leverage and margin

    def _set_leverage(self, accepted: Accepted) -> str:
        account, values = str(accepted.sent.account), accepted.sent.values
        market = self._market.market(values["MarketIndex"])
        fraction, isolated = values["InitialMarginFraction"], values["MarginMode"]
        if market.kind == "spot":
            raise Refusal(21602)
        if not market.info["least"] <= fraction <= 10_000:
            raise Refusal(21113)
        if isolated not in (0, 1):
            raise Refusal(21613)
        self._set_mode(account, market.symbol, bool(isolated))
        self._exchange.set_leverage(account, market.symbol, Decimal(10_000) / fraction)
        self.set_up[account, market.symbol] = None
        return ""

    def _set_mode(self, account: str, symbol: str, isolated: bool) -> None:
        key, busy = (account, symbol), self._exchange.open_orders(account, symbol)
        if isolated is (key in self.isolated):
            return
        if busy or self._exchange.accounts[account].size(symbol):
            raise Refusal(21132)
        if isolated:
            self.isolated[key] = ZERO
        else:
            del self.isolated[key]

    def _move_margin(self, accepted: Accepted) -> str:
        """Kept for the record only: the ledger knows cross margin."""
        account, values = str(accepted.sent.account), accepted.sent.values
        key = (account, self._market.market(values["MarketIndex"]).symbol)
        if values["Direction"] not in (0, 1):
            raise Refusal(21615)
        if key not in self.isolated or not self._exchange.accounts[account].size(key[1]):
            raise Refusal(21614)
        amount = values["USDCAmount"] * render.USDC
        self.isolated[key] += amount if values["Direction"] else -amount
        return ""


def _check_ranges(values: Values) -> None:
    for name, most, code in RANGES:
        if values[name] > most:
            raise Refusal(code)
    if values["Price"] < 1:
        raise Refusal(21702)
    if not values["BaseAmount"] and not values["ReduceOnly"]:
        raise Refusal(21701)


def _check_kind(values: Values, market: SimMarket) -> None:
    """Which fields go with which type of order."""
    kind = values["Type"]
    if kind not in (LIMIT, MARKET):
        raise Refusal(21710 if kind <= 6 else 21704)
    if values["TriggerPrice"]:
        raise Refusal(21729)
    if kind == MARKET and values["TimeInForce"] != IOC:
        raise Refusal(21705)
    if values["ReduceOnly"] and market.kind == "spot":
        raise Refusal(21740)

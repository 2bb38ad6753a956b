"""The order desk of the simulated TreadFi: parents in a table of its own, worked by children.

Each parent is worked by one child on the venue beneath: a limit order by one that rests, a market
or immediate order by one that does not. What is wrong with an order by itself is refused at once;
what the venue beneath refuses appears as the parent's end, with its reason. UNVERIFIED: which
checks are made when, and every text; and that a parent whose child ended early is CANCELED.

Not simulated: the algorithmic strategies, pausing beyond the limit, chained orders, TreadFi's fee.

Sources: docs.tread.fi, "Core Order API", "Simple Orders", "Type Reference"; taas-api-client 1.2.9;
read 2026-11-21.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal, InvalidOperation

from mpdex.sim.exchange import SimExchange
from mpdex.sim.records import ZERO, SimMarket, SimOrder
from mpdex.sim.venues.treadfi_login import Account
from mpdex.types import Json, OrderStatus, Side, TimeInForce

IDS = {
    "c94f84c7-72ef-4bc6-b13c-d2ff10bbd8eb": "Limit",
    "847de9f1-8310-4a79-b76e-8559cdfe7b81": "Market",
}
NAMES = frozenset({"Limit", "Market", "IOC"})
LIVE = frozenset({"SCHEDULED", "ACTIVE", "FINISHER", "PAUSED"})
STATUSES = LIVE | {"COMPLETE", "CANCELED"}
QUANTITIES = ("base_asset_qty", "quote_asset_qty", "sell_token_amount")
REACH = Decimal("0.005")  # from the mark, of the child of a market order. UNVERIFIED.
LONGEST_ID = 64
USER = "2"
NO_PRICE = "-1." + 20 * "0"  # as the API tells one
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Why a child did not come to be, or ended by itself.
REASONS: Mapping[str, str] = {
    "margin": "Insufficient margin to place the order",
    "reduce_only": "Reduce only order would not reduce the position",
    "band": "Price is too far away from the mark price",
    "market": "Market is halted",
    "post_only": "Order would have matched",
    "self_trade": "",
    "ioc": "",
}


class Refused(Exception):
    """A refusal at once. Attributes: body, status."""

    def __init__(self, body: Json, status: int = 400) -> None:
        super().__init__(str(body))
        self.body = body
        self.status = status


@dataclass(slots=True, eq=False)
class Parent:
    """One row of the table."""

    id: str
    account: Account
    pair: str
    side: Side
    strategy: str
    size: Decimal
    price: Decimal | None
    child: SimOrder
    created_ns: int
    sent: Mapping[str, Json] = field(default_factory=dict)
    reduce_only: bool = False
    custom_id: str = ""

    def status_of(self, child: SimOrder) -> str:
        if not child.status.terminal:
            return "ACTIVE"
        return "COMPLETE" if child.filled >= self.size else "CANCELED"


class ParentDesk:
    """All parents of one TreadFi.

    Args:
        symbols: the truth's markets by TreadFi's pair.
        beneath: name of the truth's account for a linked account and a market.
        by_name: whether strategies are taken by their names from a session, too.
        absent: how a price that there is not is told.
    """

    def __init__(
        self,
        exchange: SimExchange,
        rng: random.Random,
        symbols: Mapping[str, str],
        beneath: Callable[[Account, SimMarket], str],
        *,
        by_name: bool,
        absent: str | None = None,
    ) -> None:
        self.symbols = symbols
        self.parents: dict[str, Parent] = {}
        self._exchange = exchange
        self._rng = rng
        self.account_of = beneath
        self._by_name = by_name
        self._absent = absent
        self._by_child: dict[str, Parent] = {}

    def market(self, pair: Json) -> SimMarket:
        """Raises: Refused."""
        symbol = self.symbols.get(str(pair))
        if symbol is None:
            raise Refused({"pair": ["Unknown pair."]})
        return self._exchange.markets[symbol]

    # ---------------------------------------------------------------- place and end

    def place(self, body: Json, accounts: list[Account], *, api: bool) -> Parent:
        """Check an order, note it, and send its child.

        Args:
            api: the caller speaks to the documented API.

        Raises: Refused; nothing has happened then.
        """
        if not isinstance(body, dict):
            raise Refused({"non_field_errors": ["Invalid data."]})
        account = _account(body, accounts)
        market = self.market(body.get("pair"))
        if body.get("side") not in ("buy", "sell"):
            raise Refused({"side": [f'"{body.get("side")}" is not a valid choice.']})
        strategy = self._strategy(body, api=api)
        price = _number(body, "limit_price")
        if (price is None) != (strategy == "Market"):
            problem = "This field is required." if price is None else "Not allowed for Market."
            raise Refused({"limit_price": [problem]})
        params = body.get("strategy_params") or {}
        parent = Parent(
            self._uuid(),
            account,
            body["pair"],
            body["side"],
            strategy,
            self._size(body, market),
            price,
            SimOrder(account="", symbol=market.symbol, side=body["side"], size=ZERO),
            0,
            sent=body,
            reduce_only=params.get("reduce_only") is True,
            custom_id=self._custom_id(body),
        )
        self._check(parent, market)
        self._work(parent, market)
        return parent

    def cancel(self, parent: Parent) -> bool:
        """Whether it was there to be canceled."""
        child = parent.child
        ended = self._exchange.cancel(child.account, order_id=child.order_id)
        return ended is not None

    def amend(self, parent: Parent, changes: Mapping[str, Json]) -> None:
        """Another price or size: the child is replaced. Raises: Refused."""
        market = self.market(parent.pair)
        if parent.child.status.terminal:
            raise Refused({"error": "Order is not active."})
        price = _number(changes, "limit_price")
        size = _number(changes, "base_asset_qty")
        problem = market.problem(size or parent.size, price or parent.price)
        if problem:
            raise Refused({"error": f"Invalid {problem}."})
        self.cancel(parent)
        parent.price, parent.size = price or parent.price, size or parent.size
        self._work(parent, market)

    def find(self, order_id: str, accounts: list[Account]) -> Parent:
        """Raises: Refused where a user has no such parent, or cannot see it now."""
        parent = self.parents.get(order_id)
        seen = parent is not None and self._exchange.told(parent.child) is not None
        if parent is None or parent.account not in accounts or not seen:
            raise Refused({"detail": "Not found."}, 404)
        return parent

    def of_child(self, order: SimOrder) -> Parent | None:
        return self._by_child.get(order.order_id)

    # ---------------------------------------------------------------- inside

    def _strategy(self, body: Mapping[str, Json], *, api: bool) -> str:
        said = str(body.get("strategy"))
        name = IDS.get(said, said if api or self._by_name else "")
        if name not in NAMES:
            raise Refused({"strategy": [f"Invalid strategy {said}."]})
        return name

    def _size(self, body: Mapping[str, Json], market: SimMarket) -> Decimal:
        """In coins, whatever it was given in."""
        given = [name for name in QUANTITIES if body.get(name) is not None]
        if len(given) != 1:
            raise Refused({"error": f"Exactly one of {', '.join(QUANTITIES)} is required."})
        [name] = given
        amount = _number(body, name)
        assert amount is not None, "it is given"
        if name == "base_asset_qty" or (name == QUANTITIES[2] and body["side"] == "sell"):
            return amount
        coins = amount / (self._exchange.mark(market.symbol) or Decimal(1))
        return (coins / market.step).to_integral_value(ROUND_DOWN) * market.step

    def _custom_id(self, body: Mapping[str, Json]) -> str:
        custom = str(body.get("custom_order_id") or "")
        if len(custom) > LONGEST_ID:
            raise Refused({"custom_order_id": [f"Ensure it has at most {LONGEST_ID} characters."]})
        return custom

    def _check(self, parent: Parent, market: SimMarket) -> None:
        problem = market.problem(parent.size, parent.price)
        if problem in ("size", "notional"):
            raise Refused({"error": "Order is below the minimum quantity of the exchange."})
        if problem == "max_size":
            raise Refused({"error": "Order exceeds the maximum quantity of the exchange."})
        if problem:
            raise Refused({"error": f"Order has an invalid {problem} precision."})

    def _work(self, parent: Parent, market: SimMarket) -> None:
        """Send a child. It bears an id of its own, or the client's where that was given."""
        resting = parent.strategy == "Limit"
        child = SimOrder(
            account=self.account_of(parent.account, market),
            symbol=market.symbol,
            side=parent.side,
            size=parent.size,
            price=parent.price or self._bound(parent.side, market),
            client_id=parent.custom_id or self._uuid(),
            tif=TimeInForce.GTC if resting else TimeInForce.IOC,
            reduce_only=parent.reduce_only,
        )
        child.raw["tif"] = "Gtc" if resting else "Ioc"  # as one venue beneath tells it
        self._exchange.place(child)
        parent.child = child
        parent.created_ns = parent.created_ns or child.created_ns
        self.parents[parent.id] = self._by_child[child.order_id] = parent

    def _bound(self, side: Side, market: SimMarket) -> Decimal:
        mark = self._exchange.mark(market.symbol)
        worst = mark * (1 + REACH if side == "buy" else 1 - REACH)
        grid = market.grid(worst)
        return (worst / grid).to_integral_value(ROUND_DOWN) * grid

    def _uuid(self) -> str:
        digits = f"{self._rng.getrandbits(128):032x}"
        digits = f"{digits[:12]}4{digits[13:16]}8{digits[17:]}"
        parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        return "-".join(parts)

    # ---------------------------------------------------------------- the table

    def rows(self, accounts: list[Account], statuses: frozenset[str]) -> list[Json]:
        """Newest first; what a query cannot see now is left out."""
        found = []
        for parent in reversed(self.parents.values()):
            child = self._exchange.told(parent.child)
            if child is None or parent.account not in accounts:
                continue
            if parent.status_of(child) in statuses:
                found.append(self.render(parent))
        return found

    def render(self, parent: Parent) -> dict[str, Json]:
        """A parent as the documented order object has it, and the vendor's sample of 2023."""
        child = self._exchange.told(parent.child) or parent.child
        status = parent.status_of(child)
        return {
            "id": parent.id,
            "custom_order_id": parent.custom_id,
            "parent_order": None,
            "parent_order_id": None,
            "pair": parent.pair,
            "market_type": "perp",
            "side": parent.side,
            "accounts": [parent.account.id],
            "account_names": [parent.account.name],
            "user": USER,
            **self._render_progress(parent, child),
            **_render_times(parent, child),
            **_render_request(parent.sent),
            "limit_price": self._absent if parent.price is None else padded(parent.price),
            "stop_price": self._absent,
            "strategy": parent.strategy,
            "super_strategy": parent.strategy,
            "active": status in LIVE,
            "status": status,
            "failure_reason": _reason(child),
        }

    def _render_progress(self, parent: Parent, child: SimOrder) -> dict[str, Json]:
        base, quote = parent.pair.partition(":")[0], parent.pair.rpartition("-")[2]
        buys, average = parent.side == "buy", child.average
        spent = parent.size * (parent.price or child.average or ZERO) if buys else parent.size
        told = None if average is None else padded(average)
        return {
            "buy_token": base if buys else quote,
            "sell_token": quote if buys else base,
            "sell_token_amount": padded(spent),
            "target_order_qty": padded(parent.size),
            "target_remaining_qty": padded(parent.size - child.filled),
            "executed_qty": padded(child.filled),
            "average_executed_price": told,
            "executed_price": told,
            "executed_notional": padded(child.quote_filled),
            "pct_filled": f"{child.filled / parent.size * 100:.2f}",
            "total_fee": padded(child.fees),
        }


def _render_times(parent: Parent, child: SimOrder) -> dict[str, Json]:
    seconds = parent.sent.get("duration")
    lives = int(seconds) if isinstance(seconds, int) else 0
    return {
        "created_at": when(parent.created_ns),
        "updated_at": when(child.updated_ns),
        "time_start": when(parent.created_ns),
        "time_end": when(parent.created_ns + lives * 10**9),
        "duration": lives,
        "time_zone": "UTC",
    }


def _render_request(sent: Mapping[str, Json]) -> dict[str, Json]:
    """What is told back as it was asked for."""
    return {
        "strategy_params": sent.get("strategy_params") or {},
        "engine_passiveness": str(sent.get("engine_passiveness", "0.02")),
        "schedule_discretion": str(sent.get("schedule_discretion", "0.08")),
        "notes": sent.get("notes") or "",
        "updated_leverage": sent.get("updated_leverage"),
    }


def _reason(child: SimOrder) -> str:
    if child.status is OrderStatus.REJECTED:
        return REASONS.get(child.reason, child.reason)
    return REASONS["reduce_only"] if child.reason == "reduce_only" and not child.filled else ""


def _account(body: Mapping[str, Json], accounts: list[Account]) -> Account:
    """The one account that an order names. Raises: Refused."""
    named = body.get("accounts")
    known = {account.name: account for account in accounts}
    if not isinstance(named, list) or not named:
        raise Refused({"accounts": ["This field is required."]})
    if len(named) > 1 or named[0] not in known:
        raise Refused({"accounts": [f"Account {named[-1]} does not exist."]})
    return known[named[0]]


def _number(fields: Mapping[str, Json], name: str) -> Decimal | None:
    """A number or its text; floats arrive as text. Raises: Refused."""
    value = fields.get(name)
    if value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = ZERO
    if isinstance(value, bool) or not number.is_finite() or number <= 0:
        raise Refused({name: ["A valid positive number is required."]})
    return number


def plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def padded(number: Decimal) -> str:
    """As amounts are told: to 20 decimals."""
    return f"{number:.20f}"


def when(ns: int) -> str:
    moment = _EPOCH + timedelta(microseconds=ns // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")

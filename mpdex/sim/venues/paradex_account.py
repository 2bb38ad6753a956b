"""What an account of the simulated Paradex may be asked, and the settings that it may change.

Isolated margin is a word here: the simulator's margin is always crossed.

Source: docs.paradex.trade, API 1.132.1; live answers of 2024; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, TypeVar

from mpdex.sim.cursors import read_cursor, write_cursor
from mpdex.sim.numerals import milliseconds, number
from mpdex.sim.payments import FundingTally
from mpdex.sim.records import (
    ZERO,
    PositionChanged,
    SimEvent,
    SimFill,
    SimOrder,
    SimPosition,
    Traded,
)
from mpdex.sim.venues import paradex_render as render
from mpdex.sim.venues import paradex_wire as wire
from mpdex.sim.venues.paradex_login import KeyRing
from mpdex.sim.venues.paradex_market import MarketData
from mpdex.sim.venues.paradex_truth import ParadexTruth, long_id
from mpdex.sim.venues.paradex_wire import Refusal
from mpdex.types import Json

T = TypeVar("T")
Query = Mapping[str, str]
USUAL_PAGE, LONGEST_PAGE = 100, 5000
MARGIN_TYPES = frozenset({"CROSS", "ISOLATED"})
_SUBKEY = "trading subkey"


class Opened(NamedTuple):
    """When a position was opened, and the last fill that changed it."""

    time_ns: int = 0
    last_fill: str = ""


class AccountData:
    """Private reads and settings of the accounts of one venue.

    Attributes:
        payments: account -> funding payments, oldest first.

    Raises: Refusal from all answers.
    """

    def __init__(self, exchange: ParadexTruth, market: MarketData, keys: KeyRing) -> None:
        self._exchange = exchange
        self._market = market
        self._keys = keys
        self._funding = FundingTally()
        self._held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self._opened: dict[tuple[str, str], Opened] = defaultdict(Opened)
        self._remaining: dict[int, Decimal] = {}
        self._margin_types: dict[tuple[str, str], str] = {}
        self.payments: dict[str, list[dict[str, Json]]] = defaultdict(list)
        self.answers: dict[str, Callable[[str, Query], Json]] = {
            "/account": lambda account, _: self.render_summary(account),
            "/account/info": self.answer_info,
            "/account/profile": lambda account, _: {"account": account, "username": ""},
            "/account/margin": self.answer_margin,
            "/account/subaccounts": lambda account, _: {"results": [_subaccount(account)]},
            "/account/keys/subkeys": self.answer_subkeys,
            "/account/tokens": lambda *_: {"results": []},
            "/balance": self.answer_balance,
            "/positions": self.answer_positions,
            "/orders": self.answer_open_orders,
            "/orders-history": self.answer_order_history,
            "/fills": self.answer_fills,
            "/funding/payments": self.answer_payments,
        }
        exchange.witness(self._note, Traded, PositionChanged)

    # ---------------------------------------------------------------- heard from the truth

    def _note(self, event: SimEvent) -> None:
        match event:
            case Traded(fill):
                self._remaining[fill.trade_id] = fill.order.remaining
            case PositionChanged(position):
                self._note_position(position)

    def _note_position(self, position: SimPosition) -> None:
        key = (position.account, position.symbol)
        if self._held[key] * position.size <= 0:
            self._opened[key] = self._opened[key]._replace(time_ns=position.updated_ns)
        last = self._exchange.last_fill(position.account)
        if last is not None and last.order.symbol == position.symbol:
            self._opened[key] = self._opened[key]._replace(last_fill=render.fill_id(last))
        self._held[key] = position.size

    def take_payment(self, position: SimPosition) -> dict[str, Json] | None:
        """What funding has just brought a position, if anything; it is kept for later answers."""
        received = self._funding.take(position)
        if not received:
            return None
        now, kept = self._exchange.clock.now_ms(), self.payments[position.account]
        payment = {
            "account": position.account,
            "created_at": now,
            "fill_id": "",
            "id": long_id(now, len(kept) + 1, 5),
            "index": render.money(self._index(position.symbol)),
            "market": position.symbol,
            "payment": render.money(received),
        }
        kept.append(payment)
        return payment

    # ---------------------------------------------------------------- money

    def render_summary(self, account: str) -> dict[str, Json]:
        """Of a REST answer and of the channel `account`."""
        ledger, exchange = self._exchange.ledger, self._exchange
        equity, maintenance = ledger.equity(account), ledger.maintenance_margin(account)
        free = exchange.free(account)
        return {
            "account": account,
            "account_value": render.money(equity),
            "free_collateral": render.money(max(free, ZERO)),
            "initial_margin_requirement": render.money(equity - free),
            "maintenance_margin_requirement": render.money(maintenance),
            "margin_cushion": render.money(equity - maintenance),
            "seq_no": exchange.next_sequence(),
            "settlement_asset": render.SETTLEMENT,
            "status": "LIQUIDATION" if ledger.must_liquidate(account) else "ACTIVE",
            "total_collateral": render.money(exchange.accounts[account].cash),
            "updated_at": exchange.clock.now_ms(),
        }

    def answer_info(self, account: str, _: Query) -> Json:
        fees = self._exchange.fees
        info = {
            "account": account,
            "created_at": render.OPENED_MS,
            "fees": {"maker_rate": number(fees.maker), "taker_rate": number(fees.taker)},
            "kind": "main",
            "parent_account": "",
            "public_key": hex(self._keys.keys[account][0]),
            "username": "",
        }
        return {**info, "results": [info]}

    def answer_subkeys(self, account: str, _: Query) -> Json:
        keys = self._keys.keys[account][1:]
        return {"results": [{"name": _SUBKEY, "public_key": hex(key)} for key in keys]}

    def answer_balance(self, account: str, _: Query) -> Json:
        row = {
            "token": render.SETTLEMENT,
            "size": render.money(self._exchange.accounts[account].cash),
            "last_updated_at": self._exchange.clock.now_ms(),
        }
        return {"results": [row]}

    def answer_positions(self, account: str, _: Query) -> Json:
        """Those that were closed, too."""
        held = self._exchange.accounts[account].holdings
        rows = [self._exchange.position(account, symbol) for symbol in held]
        return {"results": [self.render_position(position) for position in rows]}

    def render_position(self, position: SimPosition) -> dict[str, Json]:
        opened = self._opened[position.account, position.symbol]
        index = self._index(position.symbol)
        return render.render_position(position, opened.time_ns, opened.last_fill, index)

    def _index(self, symbol: str) -> Decimal:
        """The funding index, as far as the simulator has one."""
        return self._market.index(symbol) * self._exchange.funding_rate(symbol)

    # ---------------------------------------------------------------- orders and histories

    def answer_open_orders(self, account: str, query: Query) -> Json:
        symbols = {market.symbol for market in self._market.chosen(query.get("market", ""))}
        orders = self._exchange.open_orders(account)
        return {"results": [self.render_order(o) for o in orders if o.symbol in symbols]}

    def render_order(self, order: SimOrder) -> dict[str, Json]:
        return render.render_order(order, self._exchange.clock.now_ms())

    def answer_order_history(self, account: str, query: Query) -> Json:
        client_id = query.get("client_id", "")
        orders = [
            order
            for order in self._exchange.order_history(account)
            if client_id in ("", order.client_id) and order.reason != "dropped"
        ]
        return self._page(
            orders, query, lambda o: (o.symbol, milliseconds(o.created_ns)), self.render_order
        )

    def answer_fills(self, account: str, query: Query) -> Json:
        fills = self._exchange.fills(account)
        return self._page(
            fills, query, lambda f: (f.order.symbol, milliseconds(f.time_ns)), self.render_fill
        )

    def render_fill(self, fill: SimFill) -> dict[str, Json]:
        remaining = self._remaining.get(fill.trade_id, ZERO)
        return render.render_fill(fill, remaining, self._market.index(fill.order.symbol))

    def answer_payments(self, account: str, query: Query) -> Json:
        def place(paid: dict[str, Json]) -> tuple[str, int]:
            return str(paid["market"]), int(paid["created_at"])

        return self._page(self.payments[account], query, place, lambda paid: paid)

    def _page(
        self,
        oldest_first: Sequence[T],
        query: Query,
        place: Callable[[T], tuple[str, int]],
        row: Callable[[T], Json],
    ) -> Json:
        """Newest first; `next` and `prev` are cursors, null where there is no such page.

        Args:
            place: market and time in milliseconds of a row.
        """
        symbols = {market.symbol for market in self._market.chosen(query.get("market", ""))}
        since, until = _integer(query, "start_at", 0), _integer(query, "end_at", 10**15)
        size = min(max(_integer(query, "page_size", USUAL_PAGE), 1), LONGEST_PAGE)
        size = min(size, self._exchange.twist.page or size)
        places = ((one, *place(one)) for one in oldest_first)
        chosen = [one for one, symbol, at in places if symbol in symbols and since <= at <= until]
        end = _place(query, len(chosen))
        start = max(end - size, 0)
        return {
            "next": write_cursor(start) if start else None,
            "prev": write_cursor(min(end + size, len(chosen))) if end < len(chosen) else None,
            "results": [row(one) for one in reversed(chosen[start:end])],
        }

    # ---------------------------------------------------------------- margin

    def answer_margin(self, account: str, query: Query) -> Json:
        markets = self._market.chosen(query.get("market", ""))
        rows = [self._setting(account, market.symbol) for market in markets]
        return {"account": account, "configs": rows, "margin_methodology": "cross_margin"}

    def set_margin(self, account: str, symbol: str, body: Json) -> Json:
        market, sent = self._market.market(symbol), wire.parse_object(body)
        leverage = wire.parse_integer(sent, "leverage")
        margin_type = wire.parse_text(sent, "margin_type", MARGIN_TYPES)
        if leverage is None or not 1 <= leverage <= market.max_leverage:
            raise Refusal("VALIDATION_ERROR", "leverage: invalid value")
        if not self._exchange.twist.keep_leverage:
            self._margin_types[account, symbol] = margin_type or "CROSS"
            self._exchange.set_leverage(account, symbol, Decimal(leverage))
        return {"account": account, **self._setting(account, symbol)}

    def _setting(self, account: str, symbol: str) -> dict[str, Json]:
        leverage = int(self._exchange.ledger.leverage(account, symbol))
        margin_type = self._margin_types.get((account, symbol), "CROSS")
        isolated = {"isolated_margin_leverage": leverage} if margin_type == "ISOLATED" else {}
        return {"market": symbol, "leverage": leverage, "margin_type": margin_type, **isolated}


# --------------------------------------------------------------------------- pages


def _subaccount(account: str) -> dict[str, Json]:
    return {"account": account, "kind": "main", "parent_account": "", "username": ""}


def _integer(query: Query, key: str, usual: int) -> int:
    text = query.get(key) or str(usual)
    if not text.isascii() or not text.isdigit():
        raise Refusal("INVALID_REQUEST_PARAMETER", f"{key}: invalid value")
    return int(text)


def _place(query: Query, size: int) -> int:
    try:
        return read_cursor(query.get("cursor", ""), size)
    except ValueError as error:
        raise Refusal("INVALID_REQUEST_PARAMETER", "cursor: invalid value") from error

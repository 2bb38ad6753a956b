"""What an account of the simulated Pacifica may be asked, and the settings that it may change.

Anybody may read any account by its address. Isolated margin is a word here: the simulator's margin
is always crossed, and coins of spot markets are no collateral.

Source: docs.pacifica.fi, "Account", "Orders", "Agents", "API config keys"; answers recorded in
2026; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, TypeVar

from mpdex.sim.numerals import number
from mpdex.sim.records import ZERO, SimFill, SimMarket, SimOrder, SimPosition
from mpdex.sim.venues import pacifica_crypto as crypto
from mpdex.sim.venues import pacifica_render as render
from mpdex.sim.venues import pacifica_wire as wire
from mpdex.sim.venues.pacifica_history import History
from mpdex.sim.venues.pacifica_market import MarketData
from mpdex.sim.venues.pacifica_truth import PacificaTruth
from mpdex.sim.venues.pacifica_wire import LONGEST_PAGE, USUAL_PAGE, Refusal, parse_count
from mpdex.types import Json

T = TypeVar("T")
Query = Mapping[str, str]
Fields = Mapping[str, Json]
MOST_KEYS = 5
DEPOSIT_LIMIT, WITHDRAW_LIMIT = "50000", "250000"


class Setting(NamedTuple):
    """What an account has chosen for one market."""

    isolated: bool
    created_ms: int
    updated_ms: int


class AccountData:
    """Reads and settings of the accounts of one venue.

    Attributes:
        agents: account -> addresses that may act for it.
        api_keys: account -> keys that raise its limits.

    Raises: Refusal from all answers.
    """

    def __init__(
        self, exchange: PacificaTruth, market: MarketData, history: History, rng: random.Random
    ) -> None:
        self._exchange = exchange
        self._market = market
        self._history = history
        self._rng = rng
        self._settings: dict[tuple[str, str], Setting] = {}
        self.agents: dict[str, list[str]] = defaultdict(list)
        self.api_keys: dict[str, list[str]] = defaultdict(list)
        self.answers: dict[str, Callable[[str, Query], Json]] = {
            "/account": self.answer_account,
            "/account/settings": self.answer_settings,
            "/positions": self.answer_positions,
            "/orders": self.answer_open_orders,
            "/orders/history": self.answer_order_history,
            "/trades/history": self.answer_fills,
            "/funding/history": self.answer_funding,
        }
        # `None` is answered with the bare word that it worked.
        self.operations: dict[str, Callable[[str, Fields], Json]] = {
            "update_leverage": self.update_leverage,
            "update_margin_mode": self.update_margin_mode,
            "bind_agent_wallet": self.bind_agent,
            "revoke_agent_wallet": self.revoke_agent,
            "list_agent_wallets": self.list_agents,
            "list_api_keys": self.list_api_keys,
            "create_api_key": self.create_api_key,
            "revoke_api_key": self.revoke_api_key,
        }

    def knows(self, account: str) -> bool:
        return account in self._exchange.accounts

    def account(self, query: Query) -> str:
        """The account that a read is about."""
        name = query.get("account")
        if crypto.parse_address(name) is None:
            raise Refusal(wire.NO_KEY)
        if not self.knows(str(name)):
            raise Refusal(wire.NO_ACCOUNT)
        return str(name)

    # ---------------------------------------------------------------- money

    def answer_account(self, account: str, _: Query) -> Json:
        ledger, exchange = self._exchange.ledger, self._exchange
        holder, free = exchange.accounts[account], render.money(self._free(account))
        spot = self._spot_value(account)
        return render.envelope(
            {
                "balance": render.money(holder.cash),
                "fee_level": 0,
                "maker_fee": number(exchange.fees.maker),
                "taker_fee": number(exchange.fees.taker),
                "account_equity": render.money(ledger.equity(account) + spot),
                "cross_account_equity": render.money(ledger.equity(account)),
                "spot_market_value": render.money(spot),
                "spot_collateral": "0",
                "available_to_spend": free,
                "available_to_withdraw": free,
                "pending_balance": "0",
                "pending_interest": "0",
                "total_margin_used": render.money(self._used(account)),
                "cross_mmr": render.money(ledger.maintenance_margin(account)),
                "positions_count": len(exchange.positions(account)),
                "orders_count": len(exchange.open_orders(account)),
                "stop_orders_count": 0,
                "spot_balances": [
                    _spot_balance(coin, amount) for coin, amount in holder.coins.items() if amount
                ],
                "updated_at": exchange.clock.now_ms(),
            }
        )

    def render_info(self, account: str) -> dict[str, Json]:
        """A frame of `account_info`."""
        ledger, exchange = self._exchange.ledger, self._exchange
        free = render.money(self._free(account))
        equity = ledger.equity(account) + self._spot_value(account)
        return {
            "ae": render.money(equity),
            "as": free,
            "aw": free,
            "b": render.money(exchange.accounts[account].cash),
            "f": 0,
            "mu": render.money(self._used(account)),
            "cm": render.money(ledger.maintenance_margin(account)),
            "oc": len(exchange.open_orders(account)),
            "pb": "0",
            "pc": len(exchange.positions(account)),
            "sc": 0,
            "t": exchange.clock.now_ms(),
        }

    def _free(self, account: str) -> Decimal:
        return max(self._exchange.free(account), ZERO)

    def _used(self, account: str) -> Decimal:
        """By positions and open orders."""
        return self._exchange.equity(account) - self._exchange.free(account)

    def _spot_value(self, account: str) -> Decimal:
        coins, exchange = self._exchange.accounts[account].coins, self._exchange
        spot = (market for market in exchange.markets.values() if market.kind == "spot")
        return sum((coins.get(m.coin, ZERO) * exchange.mark(m.symbol) for m in spot), ZERO)

    # ---------------------------------------------------------------- positions and orders

    def isolated(self, account: str, symbol: str) -> bool:
        setting = self._settings.get((account, symbol))
        return setting is not None and setting.isolated

    def positions(self, account: str) -> list[SimPosition]:
        return self._exchange.positions(account)

    def answer_positions(self, account: str, _: Query) -> Json:
        held = [
            render.render_position(
                position,
                self.isolated(account, position.symbol),
                self._history.opened_ns(account, position.symbol),
            )
            for position in self.positions(account)
        ]
        return render.envelope(held, last_order_id=self._last_number())

    def answer_open_orders(self, account: str, _: Query) -> Json:
        orders = self._exchange.open_orders(account)
        rows = [render.render_open_order(order) for order in orders]
        return render.envelope(rows, last_order_id=self._last_number())

    def _last_number(self) -> int:
        """Of the sequence, now; an answer that is stale has the last order's of then."""
        then = self._exchange.twist.as_of_ns
        if then is None:
            return self._exchange.next_number()
        orders = self._exchange.orders.values()
        return max((int(o.order_id) for o in orders if o.created_ns <= then), default=0)

    def answer_order_history(self, account: str, query: Query) -> Json:
        orders = [o for o in self._exchange.order_history(account) if self._history.existed(o)]
        return self._page(orders, query, lambda o: int(o.order_id), render.render_past_order)

    def answer_order_events(self, query: Query) -> Json:
        """Everything that happened to one order, newest first; of any account."""
        known = self._exchange.orders.get(query.get("order_id", ""))
        events = self._history.events(known) if known else []
        if not events:
            text = f"Order history not found for order ID: {query.get('order_id')}"
            raise Refusal(wire.Fault(text, 404, 404, "", 404))
        return render.envelope([render.render_event(event) for event in reversed(events)])

    # ---------------------------------------------------------------- histories

    def answer_fills(self, account: str, query: Query) -> Json:
        since = parse_count(query, "start_time", 0, 10**15)
        until = parse_count(query, "end_time", 10**15, 10**15)
        symbol = self._market.market(query["symbol"]).symbol if "symbol" in query else None
        fills = [
            fill
            for fill in self._exchange.fills(account, since * 1_000_000, symbol)
            if fill.time_ns // 1_000_000 <= until
        ]
        return self._page(fills, query, lambda fill: fill.trade_id, self._render_fill)

    def _render_fill(self, fill: SimFill) -> dict[str, Json]:
        return render.render_fill(fill, self._history.trade(fill))

    def answer_funding(self, account: str, query: Query) -> Json:
        payments = self._history.payments[account]
        return self._page(payments, query, lambda paid: paid.number, render.render_payment)

    def _page(
        self,
        oldest_first: Sequence[T],
        query: Query,
        number_of: Callable[[T], int],
        row: Callable[[T], Json],
    ) -> Json:
        """Newest first; the cursor names the last row told, so that pages stay put."""
        limit = max(parse_count(query, "limit", USUAL_PAGE, LONGEST_PAGE), 1)
        limit = min(limit, self._exchange.twist.page or limit)
        below = _read_cursor(query.get("cursor"))
        rest = [one for one in reversed(oldest_first) if below is None or number_of(one) < below]
        page, more = rest[:limit], len(rest) > limit
        return {
            "success": True,
            "data": [row(one) for one in page],
            "next_cursor": _write_cursor(number_of(page[-1])) if more else None,
            "has_more": more,
        }

    # ---------------------------------------------------------------- settings

    def answer_settings(self, account: str, _: Query) -> Json:
        """The shape of 2026. Markets as they were at first are absent."""
        rows = [
            {
                "symbol": symbol,
                "isolated": setting.isolated,
                "leverage": self._leverage(account, symbol),
                "created_at": setting.created_ms,
                "updated_at": setting.updated_ms,
            }
            for (owner, symbol), setting in self._settings.items()
            if owner == account
        ]
        return render.envelope(
            {"auto_lend_disabled": None, "margin_settings": rows, "spot_settings": []}
        )

    def _leverage(self, account: str, symbol: str) -> int:
        return int(self._exchange.ledger.leverage(account, symbol))

    def update_leverage(self, account: str, fields: Fields) -> Json:
        """Not downwards while a position is open."""
        market, leverage = self._perp(fields), wire.parse_number(fields, "leverage")
        if not 1 <= leverage <= market.max_leverage:
            raise Refusal(wire.BAD_LEVERAGE)
        lower = leverage < self._leverage(account, market.symbol)
        if lower and self._exchange.accounts[account].size(market.symbol):
            raise Refusal(wire.MARGIN_FIXED)
        if not self._exchange.twist.keep_leverage:
            self._choose(account, market.symbol, self.isolated(account, market.symbol))
            self._exchange.set_leverage(account, market.symbol, Decimal(leverage))
        return None

    def update_margin_mode(self, account: str, fields: Fields) -> Json:
        """Not while a position is open."""
        market, isolated = self._perp(fields), wire.parse_flag(fields, "is_isolated")
        if self._exchange.accounts[account].size(market.symbol):
            raise Refusal(wire.MARGIN_FIXED)
        if not self._exchange.twist.keep_leverage:
            self._choose(account, market.symbol, isolated)
        return None

    def _perp(self, fields: Fields) -> SimMarket:
        market = self._market.market(fields.get("symbol"))
        if market.kind == "spot":
            raise Refusal(wire.SPOT_MARGIN)
        return market

    def _choose(self, account: str, symbol: str, isolated: bool) -> None:
        now, before = self._exchange.clock.now_ms(), self._settings.get((account, symbol))
        created = before.created_ms if before else now
        self._settings[account, symbol] = Setting(isolated, created, now)

    # ---------------------------------------------------------------- agents and keys

    def bind_agent(self, account: str, fields: Fields) -> Json:
        agent = _agent(fields)
        if agent not in self.agents[account]:
            self.agents[account].append(agent)
        return None

    def revoke_agent(self, account: str, fields: Fields) -> Json:
        agent = _agent(fields)
        if agent not in self.agents[account]:
            raise Refusal(wire.NO_AGENT)
        self.agents[account].remove(agent)
        return None

    def list_agents(self, account: str, _: Fields) -> Json:
        """UNVERIFIED: the shape of an element."""
        return [{"agent_wallet": agent} for agent in self.agents[account]]

    def list_api_keys(self, account: str, _: Fields) -> Json:
        return {"active_api_keys": list(self.api_keys[account]), "api_key_limit": MOST_KEYS}

    def create_api_key(self, account: str, _: Fields) -> Json:
        if len(self.api_keys[account]) >= MOST_KEYS:
            raise Refusal(wire.BAD_REQUEST)
        short, long = (crypto.encode_base58(self._rng.randbytes(size)) for size in (6, 15))
        key = f"{short[:8]}_{long}"
        self.api_keys[account].append(key)
        return {"api_key": key}

    def revoke_api_key(self, account: str, fields: Fields) -> Json:
        key = fields.get("api_key")
        if key not in self.api_keys[account]:
            raise Refusal(wire.NOT_FOUND)
        self.api_keys[account].remove(str(key))
        return None

    def every_api_key(self) -> Iterable[str]:
        return (key for keys in self.api_keys.values() for key in keys)


def open_order_frames(orders: Iterable[SimOrder]) -> list[Json]:
    return [render.render_order_frame(order) for order in orders]


def _agent(fields: Fields) -> str:
    agent = fields.get("agent_wallet")
    if crypto.parse_address(agent) is None:
        raise Refusal(wire.NO_KEY)
    return str(agent)


def _spot_balance(coin: str, amount: Decimal) -> dict[str, Json]:
    return {
        "symbol": coin,
        "amount": number(amount),
        "available_to_withdraw": number(amount),
        "pending_balance": "0",
        "daily_withdraw_amount_usd": "0",
        "effective_daily_deposit_limit_usd": DEPOSIT_LIMIT,
        "effective_daily_withdraw_limit_usd": WITHDRAW_LIMIT,
    }


def _write_cursor(number: int) -> str:
    return crypto.encode_base58(number.to_bytes(8, "big"))


def _read_cursor(text: str | None) -> int | None:
    if not text:
        return None
    data = crypto.decode_base58(text, 8)
    if data is None:
        raise Refusal(wire.BAD_REQUEST)
    return int.from_bytes(data, "big")

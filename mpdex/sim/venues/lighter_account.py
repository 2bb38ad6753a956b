"""What an account may ask the simulated Lighter: orders, trades, positions, balances, limits.

An order is shown once the sequencer has come to it. Accounts and keys are public; orders, trades of
an account, limits and funding need a token.

Source: apidocs.lighter.xyz; zklighter-perps 1.0.272 openapi.json; live payloads; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from mpdex.sim.exchange import SimExchange
from mpdex.sim.payments import FundingTally
from mpdex.sim.records import ZERO, SimFill, SimOrder, SimPosition
from mpdex.sim.venues import lighter_render as render
from mpdex.sim.venues.lighter_keys import EVERY_KEY, KeyRing
from mpdex.sim.venues.lighter_market import LONGEST_PAGE, USDC_ID, MarketData, parse_count
from mpdex.sim.venues.lighter_orders import OrderDesk
from mpdex.sim.venues.lighter_wire import Refusal, invalid
from mpdex.types import Json

Query = Mapping[str, str]
MOST_IDS = 20
ASSETS = {"ETH": 1, "USDC": USDC_ID}


class Tier(NamedTuple):
    """Fees in 1e-6 of notional; requests in a minute, weighted or not."""

    name: str
    maker: int
    taker: int
    requests: int
    weighted: bool


STANDARD = Tier("standard", 0, 0, 60, False)
PREMIUM = Tier("premium", 40, 280, 24_000, True)


class AccountData:
    """Queries about the accounts of one venue.

    Args:
        delay: seconds until the sequencer has come to what the front has accepted.

    Raises: Refusal from all answers.
    """

    def __init__(
        self,
        exchange: SimExchange,
        market: MarketData,
        desk: OrderDesk,
        keys: KeyRing,
        tier: Tier,
        delay: float,
    ) -> None:
        self._exchange = exchange
        self._market = market
        self._desk = desk
        self._keys = keys
        self._tier = tier
        self._delay_ns = int(delay * 1e9)
        self._funding = FundingTally()
        self._payments: dict[str, list[dict[str, Json]]] = defaultdict(list)
        self._last: dict[tuple[str, str], SimPosition] = {}
        self._before: dict[int, render.Before] = {}
        self._earlier: dict[tuple[str, str], SimPosition] = {}
        self.public: dict[str, Callable[[Query], Json]] = {
            "/api/v1/account": self.answer_account,
            "/api/v1/accountsByL1Address": self.answer_by_owner,
            "/api/v1/apikeys": self.answer_keys,
            "/api/v1/nextNonce": self.answer_nonce,
        }
        self.private: dict[str, Callable[[str, Query], Json]] = {
            "/api/v1/accountLimits": self.answer_limits,
            "/api/v1/accountActiveOrders": self.answer_active,
            "/api/v1/accountInactiveOrders": self.answer_inactive,
            "/api/v1/accountOrders": self.answer_orders,
            "/api/v1/trades": self.answer_trades,
            "/api/v1/positionFunding": self.answer_funding,
        }

    # ---------------------------------------------------------------- heard from the truth

    def note_position(self, position: SimPosition) -> None:
        """Remember a payment of funding, if the change was one; and what was held before."""
        key = (position.account, position.symbol)
        if key in self._last:
            self._earlier[key] = self._last[key]
        self._last[key] = position
        received = self._funding.take(position)
        if received:
            self._payments[position.account].append(self._payment(position, received))

    def _payment(self, position: SimPosition, received: Decimal) -> dict[str, Json]:
        market = self._exchange.markets[position.symbol]
        return {
            "timestamp": position.updated_ns // 10**9,
            "market_id": render.market_id(market),
            "funding_id": len(self._payments[position.account]) + 1,
            "change": render.usdc(received),
            "rate": self._market.hourly_percent(market),
            "position_size": render.on_grid(abs(position.size), market.step),
            "position_side": "long" if position.size > 0 else "short",
            "discount": render.usdc(ZERO),
        }

    def note_fill(self, fill: SimFill) -> None:
        """Remember the position as it was before a trade; the change of it came first."""
        order = fill.order
        leverage = self._exchange.ledger.leverage(order.account, order.symbol)
        earlier = self._earlier.get((order.account, order.symbol))
        size, entry = (earlier.size, earlier.entry) if earlier else (ZERO, ZERO)
        fraction = render.margin_fraction(leverage)
        self._before[fill.trade_id] = render.Before(size, entry, fraction)

    # ---------------------------------------------------------------- who

    def known(self, account: str) -> str:
        """Raises: Refusal 21100."""
        if account not in self._exchange.accounts:
            raise Refusal(21100)
        return account

    def owner(self, account: str) -> str:
        """A made-up L1 address."""
        return f"0x{int(account):040x}"

    def answer_keys(self, query: Query) -> Json:
        account = self.known(query.get("account_index", ""))
        index = query.get("api_key_index", str(EVERY_KEY))
        found = self._keys.of(account, int(index) if index.isdigit() else EVERY_KEY)
        if not found:
            raise Refusal(21109)
        return {"code": 200, "api_keys": [key.rendered() for key in found]}

    def answer_nonce(self, query: Query) -> Json:
        account, index = query.get("account_index", ""), query.get("api_key_index", "")
        if not index.isdigit():
            raise invalid("api_key_index")
        return {"code": 200, "nonce": self._keys.find(self.known(account), int(index)).told}

    def answer_by_owner(self, query: Query) -> Json:
        address = query.get("l1_address", "").lower()
        own = [name for name in self._exchange.accounts if self.owner(name) == address]
        if not own:
            raise Refusal(21100)
        return {
            "code": 200,
            "l1_address": address,
            "sub_accounts": [self._short(name) for name in own],
        }

    def answer_account(self, query: Query) -> Json:
        value = query.get("value", "")
        match query.get("by"):
            case "index":
                own = [self.known(value)]
            case "l1_address":
                own = [n for n in self._exchange.accounts if self.owner(n) == value.lower()]
            case _:
                raise invalid("by")
        if not own:
            raise Refusal(21100)
        accounts = [self._detailed(a) for a in own]
        if query.get("active_only", "").lower() == "true":
            for account in accounts:
                account["positions"] = [p for p in account["positions"] if Decimal(p["position"])]
        return {"code": 200, "total": len(accounts), "accounts": accounts}

    def _short(self, account: str) -> dict[str, Json]:
        orders = self.open_orders(account)
        return {
            "code": 0,
            "account_type": 0,
            "index": int(account),
            "l1_address": self.owner(account),
            "cancel_all_time": self._desk.cancel_all_ms.get(account, 0),
            "total_order_count": len(orders),
            "total_isolated_order_count": 0,
            "pending_order_count": 0,
            "available_balance": "",
            "status": 1,
            "collateral": render.usdc(self._exchange.accounts[account].cash),
            "transaction_time": 0,
            "account_trading_mode": 1,
        }

    def _detailed(self, account: str) -> dict[str, Json]:
        ledger = self._exchange.ledger
        equity = render.usdc(ledger.equity(account))
        return {
            **self._short(account),
            "available_balance": render.usdc(self.free(account)),
            "account_index": int(account),
            "name": "",
            "description": "",
            "can_invite": True,
            "referral_points_percentage": "",
            "can_rfq": False,
            "can_rfq_market_ids": None,
            "created_at": 0,
            "metadata": {"color": ""},
            "positions": [render.render_position(held) for held in self.exposures(account)],
            "assets": self.assets(account),
            "total_asset_value": equity,
            "cross_asset_value": equity,
            "cross_initial_margin_requirement": render.usdc(ledger.initial_margin(account)),
            "cross_maintenance_margin_requirement": render.usdc(ledger.maintenance_margin(account)),
            "shares": [],
            "pending_unlocks": [],
            "approved_integrators": [],
        }

    # ---------------------------------------------------------------- money and positions

    def free(self, account: str) -> Decimal:
        return max(self._exchange.free(account), ZERO)

    def assets(self, account: str) -> list[dict[str, Json]]:
        """One pool of USDC is margin and pays for coins (UNVERIFIED: a unified account)."""
        holder, locked = self._exchange.accounts[account], self._locked(account)
        held = {**holder.coins, "USDC": holder.cash}
        return [
            render.render_asset(
                symbol, ASSETS[symbol], amount, locked[symbol], amount * (symbol == "USDC")
            )
            for symbol, amount in held.items()
        ]

    def _locked(self, account: str) -> dict[str, Decimal]:
        """What open spot orders hold back, by asset."""
        locked: dict[str, Decimal] = defaultdict(Decimal)
        for order in self._exchange.open_orders(account):
            market = self._exchange.markets[order.symbol]
            if market.kind == "spot":
                bought = order.side == "buy"
                asset = market.quote if bought else market.coin
                locked[asset] += order.remaining * ((order.price or ZERO) if bought else 1)
        return locked

    def exposures(self, account: str) -> list[render.Exposure]:
        """Positions, flat ones too where there has been one or a leverage was set."""
        held = self._exchange.accounts[account].holdings
        set_up = [symbol for owner, symbol in self._desk.set_up if owner == account]
        symbols = dict.fromkeys([*held, *set_up])
        return [self.exposure(self._exchange.position(account, s)) for s in symbols]

    def exposure(self, position: SimPosition) -> render.Exposure:
        account, symbol = position.account, position.symbol
        allocated = self._desk.isolated.get((account, symbol))
        return render.Exposure(
            position,
            self._exchange.markets[symbol],
            len(self.open_orders(account, symbol)),
            allocated is not None,
            allocated or ZERO,
        )

    def stats(self, account: str) -> dict[str, Json]:
        """`user_stats` of an account."""
        ledger = self._exchange.ledger
        equity, needed = ledger.equity(account), ledger.initial_margin(account)
        notional = sum((abs(p.size) * p.mark for p in self._exchange.positions(account)), ZERO)
        told = {
            "available_balance": render.usdc(self.free(account)),
            "buying_power": "0",
            "collateral": render.usdc(self._exchange.accounts[account].cash),
            "leverage": f"{notional / equity if equity > 0 else ZERO:.2f}",
            "margin_usage": f"{needed / equity * 100 if equity > 0 else ZERO:.2f}",
            "portfolio_value": render.usdc(equity),
        }
        return {"account_trading_mode": 1, **told, "cross_stats": told, "total_stats": told}

    # ---------------------------------------------------------------- orders

    def visible(self, order: SimOrder) -> bool:
        """Whether the sequencer has come to an order; one that it dropped is never seen."""
        lost = order.raw.get("vanished") or order.reason == "dropped"
        return not lost and order.created_ns + self._delay_ns <= self._exchange.clock.now_ns()

    def open_orders(self, account: str, symbol: str | None = None) -> list[SimOrder]:
        return [o for o in self._exchange.open_orders(account, symbol) if self.visible(o)]

    def render_orders(self, orders: Iterable[SimOrder]) -> list[dict[str, Json]]:
        return [render.render_order(o, self._exchange.markets[o.symbol]) for o in orders]

    def _past(self, account: str, query: Query) -> list[SimOrder]:
        """Ended orders, newest first."""
        wanted = self._symbol(query)
        self._exchange.expire_due()
        ended = [o for o in self._exchange.order_history(account, wanted) if not o.live]
        return [o for o in reversed(ended) if self.visible(o)]

    def _symbol(self, query: Query) -> str | None:
        number = query.get("market_id", "")
        return None if number in ("", "255") else self._market.market(number).symbol

    def answer_active(self, account: str, query: Query) -> Json:
        found = self.open_orders(account, self._symbol(query))[: self._exchange.twist.page]
        return {"code": 200, "orders": self.render_orders(found)}

    def answer_inactive(self, account: str, query: Query) -> Json:
        orders = self.render_orders(self._past(account, query))
        return {"code": 200, **self._page(orders, query, "orders", "next_cursor")}

    def answer_orders(self, account: str, query: Query) -> Json:
        """By client ids."""
        ids = query.get("client_order_indexes", "").strip("[]").split(",")
        if len(ids) > MOST_IDS or not all(one.strip().isdigit() for one in ids):
            raise invalid("client_order_indexes")
        orders = (self._exchange.order(account, client_id=one.strip()) for one in ids)
        found = [order for order in orders if order is not None and self.visible(order)]
        return {"code": 200, "orders": self.render_orders(found)}

    # ---------------------------------------------------------------- trades and funding

    def render_fill(self, fill: SimFill) -> dict[str, Json]:
        market = self._exchange.markets[fill.order.symbol]
        before = self._before.get(fill.trade_id, render.Before(ZERO, ZERO, 500))
        return render.render_fill(fill, market, before)

    def answer_trades(self, account: str, query: Query) -> Json:
        """Of an account, newest first."""
        wanted, order = self._symbol(query), query.get("order_index", "")
        since = query.get("from", "")
        fills = self._exchange.fills(
            account, int(since) * 1_000_000 if since.isdigit() else 0, wanted
        )
        found = [f for f in reversed(fills) if order in ("", f.order.order_id)]
        told = [self.render_fill(fill) for fill in found]
        return {"code": 200, **self._page(told, query, "trades", "next_cursor")}

    def answer_funding(self, account: str, query: Query) -> Json:
        wanted = query.get("market_id", "255")
        found = [
            payment
            for payment in reversed(self._payments[account])
            if wanted in ("", "255", str(payment["market_id"]))
        ]
        return {"code": 200, **self._page(found, query, "position_fundings", "next_cursor")}

    def _page(
        self, rows: list[dict[str, Json]], query: Query, name: str, cursor: str
    ) -> dict[str, Json]:
        """So many rows from a cursor on, fewer where a fault says so."""
        limit = parse_count(query, "limit", LONGEST_PAGE, LONGEST_PAGE)
        start = int(query["cursor"]) if query.get("cursor", "").isdigit() else 0
        end = start + min(limit, self._exchange.twist.page or limit)
        more = {cursor: str(end)} if end < len(rows) else {}
        return {name: rows[start:end], **more}

    # ---------------------------------------------------------------- limits

    def answer_limits(self, account: str, _: Query) -> Json:
        return {
            "code": 200,
            "max_llp_percentage": 100,
            "max_llp_amount": render.usdc(ZERO),
            "user_tier": self._tier.name,
            "can_create_public_pool": False,
            "user_tier_name": self._tier.name,
            "current_maker_fee_tick": self._tier.maker,
            "current_taker_fee_tick": self._tier.taker,
            "leased_lit": "0.00000000",
            "effective_lit_stakes": "0.00000000",
            "user_tier_last_update": 0,
        }

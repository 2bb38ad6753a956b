"""What an account may ask the simulated Backpack: orders, fills, positions, balances, settings.

Source: docs.backpack.exchange, "Account", "Capital", "Futures", "History"; read 2026-11-21.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TypeVar

from mpdex.sim.exchange import SimExchange
from mpdex.sim.payments import FundingTally
from mpdex.sim.records import ZERO, SimFill, SimMarket, SimOrder, SimPosition
from mpdex.sim.venues import backpack_render as render
from mpdex.sim.venues.backpack_market import MarketData
from mpdex.sim.venues.backpack_orders import OrderDesk
from mpdex.sim.venues.backpack_wire import (
    LONGEST_PAGE,
    SIDES,
    malformed,
    parse_amount,
    parse_count,
    parse_flag,
    parse_word,
)
from mpdex.types import Json, OrderStatus

T = TypeVar("T")
Answer = Callable[[str, Mapping[str, Json]], Json]
FIRST_LEVERAGE = Decimal(20)
MOST_LEVERAGE = Decimal(50)
SWITCHES = {
    "autoBorrowSettlements": True,
    "autoLend": False,
    "autoRealizePnl": True,
    "autoRepayBorrows": True,
}
# `fillType` -> the `systemOrderType`s it lets through; what is not here lets nothing through.
FILL_TYPES: Mapping[str, tuple[str | None, ...]] = {
    "User": (None,),
    "BookLiquidation": ("LiquidatePositionOnBook",),
    "Adl": ("LiquidatePositionOnAdl",),
    "AllLiquidation": ("LiquidatePositionOnBook", "LiquidatePositionOnAdl"),
}


class AccountData:
    """Private queries and settings of the accounts of one venue."""

    def __init__(self, exchange: SimExchange, market: MarketData, desk: OrderDesk) -> None:
        self._exchange = exchange
        self._market = market
        self._desk = desk
        self._switches: dict[str, dict[str, bool]] = defaultdict(SWITCHES.copy)
        self._limits: dict[str, Decimal] = {}
        self._payments: dict[str, list[dict[str, Json]]] = defaultdict(list)
        self._funding = FundingTally()
        self.answers: dict[tuple[str, str], Answer] = {
            ("GET", "/api/v1/order"): self.answer_order,
            ("GET", "/api/v1/orders"): self.answer_open_orders,
            ("GET", "/wapi/v1/history/orders"): self.answer_order_history,
            ("GET", "/wapi/v1/history/fills"): self.answer_fills,
            ("GET", "/wapi/v1/history/funding"): self.answer_funding,
            ("GET", "/api/v1/position"): self.answer_positions,
            ("GET", "/api/v1/capital"): self.answer_capital,
            ("GET", "/api/v1/capital/collateral"): self.answer_collateral,
            ("GET", "/api/v1/account"): self.answer_account,
            ("PATCH", "/api/v1/account"): self.update_account,
            ("GET", "/api/v1/account/limits/order"): self.answer_limit,
        }

    # ---------------------------------------------------------------- heard from the truth

    def note_fill(self, fill: SimFill) -> None:
        """Who buys spot pays the fee in the coins received, not in cash."""
        market = self._exchange.markets[fill.order.symbol]
        fee, asset = render.fee_of(fill, market)
        if asset == market.coin:
            account = self._exchange.accounts[fill.order.account]
            account.cash += fill.fee
            account.coins[asset] -= fee

    def note_position(self, position: SimPosition) -> None:
        """Remember a payment of funding, if the change was one."""
        received = self._funding.take(position)
        if received:
            payment = {
                "fundingRate": render.number(self._exchange.funding_rate(position.symbol)),
                "intervalEndTimestamp": render.iso(position.updated_ns).partition(".")[0],
                "quantity": render.number(received),
                "subaccountId": 0,
                "symbol": position.symbol,
                "userId": int(position.account),
            }
            self._payments[position.account].append(payment)

    # ---------------------------------------------------------------- orders and fills

    def answer_order(self, account: str, query: Mapping[str, Json]) -> Json:
        """Only while it rests."""
        return render.render_order(self._desk.find(account, query))

    def answer_open_orders(self, account: str, query: Mapping[str, Json]) -> Json:
        wanted = self._symbols(query)
        orders = self._exchange.open_orders(account)
        return [render.render_order(order) for order in orders if order.symbol in wanted]

    def answer_order_history(self, account: str, query: Mapping[str, Json]) -> Json:
        wanted, order_id = self._symbols(query), query.get("orderId")
        found = [
            order
            for order in self._exchange.order_history(account)
            if order.symbol in wanted and order_id in (None, order.order_id) and _existed(order)
        ]
        return [render.render_past_order(order) for order in self._page(found, query)]

    def answer_fills(self, account: str, query: Mapping[str, Json]) -> Json:
        wanted, order_id = self._symbols(query), query.get("orderId")
        since = parse_count(query, "from", 0, 10**15)
        until = parse_count(query, "to", 10**15, 10**15)
        types = FILL_TYPES.get(str(query["fillType"]), ()) if "fillType" in query else None
        found = [
            fill
            for fill in self._exchange.fills(account, since * 1_000_000)
            if fill.order.symbol in wanted
            and order_id in (None, fill.order.order_id)
            and render.milliseconds(fill.time_ns) <= until
            and (types is None or render.system_type(fill.order) in types)
        ]
        markets = self._exchange.markets
        return [render.render_fill(f, markets[f.order.symbol]) for f in self._page(found, query)]

    def answer_funding(self, account: str, query: Mapping[str, Json]) -> Json:
        wanted = self._symbols(query)
        return self._page([p for p in self._payments[account] if p["symbol"] in wanted], query)

    def _page(self, oldest_first: Iterable[T], query: Mapping[str, Json]) -> list[T]:
        """A page, shorter where a fault says so."""
        return _page(oldest_first, query)[: self._exchange.twist.page]

    def _symbols(self, query: Mapping[str, Json]) -> set[str]:
        """Markets that the filters `symbol` and `marketType` leave."""
        if "symbol" in query:
            return {self._market.market(query).symbol}
        kind = str(query.get("marketType", "")).lower()
        return {m.symbol for m in self._exchange.markets.values() if kind in ("", m.kind)}

    # ---------------------------------------------------------------- positions

    def exposure(self, position: SimPosition) -> render.Exposure:
        account, symbol = position.account, position.symbol
        holding = self._exchange.accounts[account].holdings.get(symbol)
        return render.Exposure(
            position,
            self._exchange.markets[symbol],
            10**10 + zlib.crc32(f"{account} {symbol}".encode()),
            int(account),
            holding.fees if holding else ZERO,
            self._exposed(position),
        )

    def _exposed(self, position: SimPosition) -> Decimal:
        """The larger of what the position could become either way when open orders fill."""
        bought, sold = (
            sum(
                (
                    order.remaining
                    for order in self._exchange.open_orders(position.account, position.symbol)
                    if order.side == side and not order.reduce_only
                ),
                ZERO,
            )
            for side in ("buy", "sell")
        )
        return max(abs(position.size + bought), abs(position.size - sold))

    def answer_positions(self, account: str, query: Mapping[str, Json]) -> Json:
        wanted = self._symbols(query)
        held = self._exchange.positions(account)
        return [render.render_position(self.exposure(p)) for p in held if p.symbol in wanted]

    # ---------------------------------------------------------------- money

    def answer_capital(self, account: str, _: Mapping[str, Json]) -> Json:
        holder = self._exchange.accounts[account]
        locked = self._locked(account)
        balances = {"USDC": holder.cash, **holder.coins}
        return {
            asset: {
                "available": render.number(amount - locked[asset]),
                "locked": render.number(locked[asset]),
                "staked": "0",
            }
            for asset, amount in balances.items()
        }

    def _locked(self, account: str) -> dict[str, Decimal]:
        """What open spot orders hold back, by asset."""
        locked: dict[str, Decimal] = defaultdict(Decimal)
        for order in self._exchange.open_orders(account):
            market = self._exchange.markets[order.symbol]
            if market.kind == "spot" and order.side == "buy":
                locked[market.quote] += order.remaining * (order.price or ZERO)
            elif market.kind == "spot":
                locked[market.coin] += order.remaining
        return locked

    def answer_collateral(self, account: str, _: Mapping[str, Json]) -> Json:
        """USDC alone counts; coins of spot markets are no margin here."""
        ledger, cash = self._exchange.ledger, self._exchange.accounts[account].cash
        equity, free = ledger.equity(account), self._exchange.free(account)
        held = [self.exposure(p) for p in self._exchange.positions(account)]
        notional = sum((h.exposed * h.position.mark for h in held), ZERO)
        usdc = {
            "assetMarkPrice": "1",
            "availableQuantity": render.number(cash - self._locked(account)["USDC"]),
            "balanceNotional": render.number(cash),
            "collateralValue": render.number(cash),
            "collateralWeight": "1",
            "lendQuantity": "0",
            "openOrderQuantity": render.number(self._locked(account)["USDC"]),
            "symbol": "USDC",
            "totalQuantity": render.number(cash),
        }
        return {
            "assetsValue": render.number(cash),
            "borrowLiability": "0",
            "collateral": [usdc],
            "imf": render.number(_share(ledger.initial_margin(account), notional)),
            "liabilitiesValue": "0",
            "marginFraction": render.number(_share(equity, notional)) if notional else None,
            "mmf": render.number(_share(ledger.maintenance_margin(account), notional)),
            "netEquity": render.number(equity),
            "netEquityAvailable": render.number(max(free, ZERO)),
            "netEquityLocked": render.number(equity - max(free, ZERO)),
            "netExposureFutures": render.number(notional),
            "pnlUnrealized": render.number(ledger.unrealized(account)),
            "unsettledEquity": "0",
        }

    # ---------------------------------------------------------------- settings

    def answer_account(self, account: str, _: Mapping[str, Json]) -> Json:
        """Fees in basis points; the simulator charges spot what it charges futures."""
        fees = self._exchange.fees
        maker, taker = (render.number(rate * 10_000) for rate in (fees.maker, fees.taker))
        return {
            **self._switches[account],
            "borrowLimit": "0",
            "futuresMakerFee": maker,
            "futuresTakerFee": taker,
            "leverageLimit": render.number(self.leverage(account)),
            "limitOrders": len(self._exchange.open_orders(account)),
            "liquidating": self._exchange.accounts[account].liquidated,
            "positionLimit": "4000000",
            "spotMakerFee": maker,
            "spotTakerFee": taker,
            "triggerOrders": 0,
        }

    def leverage(self, account: str) -> Decimal:
        return self._limits.get(account, FIRST_LEVERAGE)

    def update_account(self, account: str, fields: Mapping[str, Json]) -> Json:
        """One leverage for the whole account.

        Returns: an empty body.
        """
        limit = parse_amount(fields, "leverageLimit")
        switches = {name: parse_flag(fields, name) for name in SWITCHES if name in fields}
        if limit is not None and not self._exchange.twist.keep_leverage:
            if not 1 <= limit <= MOST_LEVERAGE:
                raise malformed("Invalid leverageLimit")
            self._limits[account] = limit
            self._apply_leverage(account, limit)
        self._switches[account].update(switches)
        return b""

    def _apply_leverage(self, account: str, limit: Decimal) -> None:
        for market in self._exchange.markets.values():
            if market.kind == "perp":
                leverage = min(limit, market.max_leverage)
                self._exchange.set_leverage(account, market.symbol, leverage)

    def answer_limit(self, account: str, query: Mapping[str, Json]) -> Json:
        """The largest order that margin, funds or the position to reduce allow."""
        market = self._market.market(query)
        side = parse_word(query, "side", SIDES)
        price = parse_amount(query, "price") or self._exchange.mark(market.symbol)
        size = self._exchange.accounts[account].size(market.symbol)
        reducible = max(-size if side == "buy" else size, ZERO)
        most = reducible
        if not parse_flag(query, "reduceOnly"):
            most += self._affordable(account, market, side, price)
        return {
            "maxOrderQuantity": render.number(most // market.step * market.step),
            "side": render.SIDE[side],
            "symbol": market.symbol,
        }

    def _affordable(self, account: str, market: SimMarket, side: str, price: Decimal) -> Decimal:
        if market.kind == "spot" and side == "sell":
            coins = self._exchange.accounts[account].coins.get(market.coin, ZERO)
            return coins - self._locked(account)[market.coin]
        leverage = self._exchange.ledger.leverage(account, market.symbol)
        free = max(self._exchange.free(account), ZERO)
        return free * (leverage if market.kind == "perp" else 1) / price if price else ZERO


def _share(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole).quantize(Decimal("0.00000001")) if whole else ZERO


def _existed(order: SimOrder) -> bool:
    """A refused order leaves no trace; one ended after it was taken does."""
    return order.status is not OrderStatus.REJECTED or bool(order.raw.get("taken"))


def _page(oldest_first: Iterable[T], query: Mapping[str, Json]) -> list[T]:
    """Newest first unless asked otherwise."""
    found = list(oldest_first)
    if query.get("sortDirection") != "Asc":
        found.reverse()
    limit = parse_count(query, "limit", 100, LONGEST_PAGE)
    offset = parse_count(query, "offset", 0, 10**9)
    return found[offset : offset + limit]

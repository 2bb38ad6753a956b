"""Positions, margin and balances of one address of the simulated Hyperliquid, in full.

Source: hyperliquid.gitbook.io, "Info endpoint", and live answers; read 2026-11-21.
"""

from __future__ import annotations

from decimal import Decimal

from mpdex.sim.records import ZERO, SimFill, SimMarket, SimPosition
from mpdex.sim.venues import hyperliquid_wire as wire
from mpdex.sim.venues.hyperliquid_actions import ONE_POOL, ActionDesk
from mpdex.sim.venues.hyperliquid_exchange import USDC, HyperliquidExchange
from mpdex.sim.venues.hyperliquid_market import TOKENS, MarketData
from mpdex.sim.venues.hyperliquid_render import money, number
from mpdex.types import Json


class States:
    """What is repeated in full, by query and on the streams."""

    def __init__(
        self, exchange: HyperliquidExchange, market: MarketData, actions: ActionDesk
    ) -> None:
        self._exchange = exchange
        self._market = market
        self._actions = actions
        self._opened: dict[tuple[str, str], Decimal] = {}  # funding when a position began
        self._changed: dict[tuple[str, str], Decimal] = {}  # and when it last changed

    def note(self, fill: SimFill, start: Decimal) -> None:
        """An execution that changed a position of `start`."""
        key = fill.order.account, fill.order.symbol
        holding = self._exchange.accounts[key[0]].holdings.get(key[1])
        if holding is not None:
            self._changed[key] = holding.funding
            if not start:
                self._opened[key] = holding.funding

    def knows(self, address: str) -> bool:
        return address in self._exchange.accounts

    # ---------------------------------------------------------------- perps

    def render_state(self, address: str, dex: str) -> dict[str, Json]:
        """Positions and margin of one dex; of one pool of money the margin is told by spot."""
        pooled = self._actions.mode(address) in ONE_POOL
        if not self.knows(address):
            return self._state(_summary(ZERO, ZERO, ZERO), "0.0", "0.0", [])
        account, ledger = self._exchange.pool_of(address, dex), self._exchange.ledger
        held = [
            position
            for position in self._exchange.positions(account)
            if self._exchange.markets[position.symbol].info.get("dex") == dex
        ]
        positions = [self._render_position(address, position) for position in held]
        if pooled:
            return self._state(_summary(ZERO, ZERO, ZERO), "0.0", "0.0", positions)
        notional = sum((abs(p.size) * p.mark for p in held), ZERO)
        net = sum((p.size * p.mark for p in held), ZERO)
        equity = ledger.equity(account)
        summary = _summary(equity, notional, equity - net, ledger.initial_margin(account))
        return self._state(
            summary,
            money(ledger.maintenance_margin(account)),
            money(max(self._exchange.free(account), ZERO)),
            positions,
        )

    def _state(
        self, summary: dict[str, Json], maintenance: str, withdrawable: str, positions: list[Json]
    ) -> dict[str, Json]:
        return {
            "marginSummary": summary,
            "crossMarginSummary": summary,
            "crossMaintenanceMarginUsed": maintenance,
            "withdrawable": withdrawable,
            "assetPositions": [{"type": "oneWay", "position": p} for p in positions],
            "time": self._exchange.clock.now_ms(),
        }

    def _render_position(self, address: str, position: SimPosition) -> dict[str, Json]:
        market, key = self._exchange.markets[position.symbol], (position.account, position.symbol)
        notional = abs(position.size) * position.mark
        margin = abs(position.size) * position.entry / position.leverage
        gain = position.unrealized / margin if margin else ZERO
        liquidation = position.liquidation
        return {
            "coin": position.symbol,
            "szi": number(position.size),
            "leverage": self.render_leverage(address, market),
            "entryPx": number(position.entry.quantize(Decimal("0.000001"))),
            "positionValue": money(notional),
            "unrealizedPnl": money(position.unrealized),
            "returnOnEquity": number(gain.quantize(Decimal("0.0000000001"))),
            "liquidationPx": None if liquidation is None else money(liquidation),
            "marginUsed": money(notional / position.leverage),
            "maxLeverage": int(market.max_leverage),
            "cumFunding": {
                "allTime": money(-position.funding),
                "sinceOpen": money(self._opened.get(key, ZERO) - position.funding),
                "sinceChange": money(self._changed.get(key, ZERO) - position.funding),
            },
        }

    def render_leverage(self, address: str, market: SimMarket) -> dict[str, Json]:
        """Cross or isolated; what an isolated position has put aside is told, not enforced."""
        account = self._exchange.pool(address, market)
        value = int(self._exchange.ledger.leverage(account, market.symbol))
        key = address, market.symbol
        if key not in self._actions.isolated and not market.info["dex"]:
            return {"type": "cross", "value": value}
        aside = self._actions.isolated.get(key, ZERO)
        position = self._exchange.position(account, market.symbol)
        margin = abs(position.size) * position.entry / position.leverage + aside
        raw = margin - position.size * position.entry
        return {"type": "isolated", "value": value, "rawUsd": money(raw)}

    def render_asset(self, address: str, market: SimMarket) -> dict[str, Json]:
        """Leverage of a market, and what could be traded."""
        if market.kind != "perp":
            raise wire.Malformed
        mark = self._exchange.mark(market.symbol)
        known = self.knows(address)
        leverage: dict[str, Json] = (
            self.render_leverage(address, market)
            if known
            else {"type": "cross", "value": min(20, int(market.max_leverage))}
        )
        free = self._exchange.free(self._exchange.pool(address, market)) if known else ZERO
        most = max(free, ZERO) * leverage["value"] / mark if mark else ZERO
        size = number(most // market.step * market.step)
        return {
            "user": address,
            "coin": market.symbol,
            "leverage": leverage,
            "maxTradeSzs": [size, size],
            "availableToTrade": [money(max(free, ZERO))] * 2,
            "markPx": number(mark),
        }

    # ---------------------------------------------------------------- spot

    def render_spot(self, address: str) -> dict[str, Json]:
        """USDC and coins. Of one pool of money this is where it is told."""
        if not self.knows(address):
            return {"balances": []}
        exchange, account = self._exchange, self._exchange.accounts[address]
        total, held = exchange.balance(address, USDC), exchange.held(address, USDC)
        if self._actions.mode(address) in ONE_POOL:
            total = exchange.ledger.equity(address)
            held = total - exchange.free(address)
        balances = [_balance(USDC, 0, (total, held, ZERO))]
        tokens = {market.coin: market.info["token"] for market in self._market.spots()}
        for coin, amount in account.coins.items():
            if coin != USDC:
                name = tokens[coin]
                cost = exchange.costs.get((address, coin), ZERO)
                amounts = amount, exchange.held(address, coin), cost
                balances.append(_balance(name, TOKENS[name][0], amounts))
        return {"balances": balances}


def _summary(
    equity: Decimal, notional: Decimal, raw: Decimal, margin: Decimal = ZERO
) -> dict[str, Json]:
    return {
        "accountValue": money(equity),
        "totalNtlPos": money(notional),
        "totalRawUsd": money(raw),
        "totalMarginUsed": money(margin),
    }


def _balance(coin: str, token: int, amounts: tuple[Decimal, Decimal, Decimal]) -> dict[str, Json]:
    """`amounts`: total, held back, paid for."""
    total, hold, cost = (number(a.quantize(Decimal("0.00000001"))) for a in amounts)
    return {"coin": coin, "token": token, "total": total, "hold": hold, "entryNtl": cost}

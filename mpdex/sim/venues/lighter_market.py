"""What anybody may ask the simulated Lighter: markets, books, trades, statistics, funding.

Source: apidocs.lighter.xyz; zklighter-perps 1.0.272 openapi.json; live payloads; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from mpdex.sim.exchange import SimExchange
from mpdex.sim.recent import Recent
from mpdex.sim.records import ZERO, PublicTrade, SimMarket
from mpdex.sim.venues import lighter_render as render
from mpdex.sim.venues.lighter_wire import Refusal, invalid
from mpdex.types import Json

Query = Mapping[str, str]
HOUR_MS = 3_600_000
LONGEST_BOOK, LONGEST_PAGE = 250, 100
REMEMBERED = 1000
USDC_ID = 3
CONTRACT = "0x3B4D794a66304F130a4Db8F2551B0070dfCf5ca7"  # of the exchange, as mainnet names it


def _perp(
    number: int, coin: str, tick: str, step: str, minimum: str, fractions: tuple[int, int]
) -> SimMarket:
    """Args: fractions: least initial and maintenance margin, in 1e-4."""
    least, maintenance = fractions
    return SimMarket(
        symbol=coin,
        coin=coin,
        quote="USDC",
        tick=Decimal(tick),
        step=Decimal(step),
        min_size=Decimal(minimum),
        min_notional=Decimal(10),
        max_leverage=Decimal(10_000) / least,
        maintenance=Decimal(maintenance) / 10_000,
        funding_hours=1,
        info={"id": number, "base": 0, "least": least, "limit": Decimal("281474976.710655")},
    )


# ETH and the spot market as captured live; the scales of BTC and SOL follow prices and sizes seen
# live, their minimums and margins are assumed (UNVERIFIED).
MARKETS = (
    _perp(0, "ETH", "0.01", "0.0001", "0.0050", (200, 120)),
    _perp(1, "BTC", "0.1", "0.00001", "0.00020", (200, 120)),
    _perp(2, "SOL", "0.001", "0.001", "0.050", (400, 240)),
    SimMarket(
        symbol="ETH/USDC",
        coin="ETH",
        quote="USDC",
        kind="spot",
        tick=Decimal("0.01"),
        step=Decimal("0.0001"),
        min_size=Decimal("0.0001"),
        min_notional=Decimal("0.000001"),
        max_leverage=Decimal(1),
        info={"id": 2048, "base": 1, "limit": Decimal(2_500_000)},
    ),
)


class MarketData:
    """One venue's public side: remembers trades; answers queries.

    Raises: Refusal from all answers.
    """

    def __init__(self, exchange: SimExchange) -> None:
        self._exchange = exchange
        self.recent = Recent(REMEMBERED)
        self.answers: dict[str, Callable[[Query], Json]] = {
            "/": lambda _: self._status(),
            "/info": lambda _: {"contract_address": CONTRACT},
            "/api/v1/orderBooks": self.answer_books,
            "/api/v1/orderBookDetails": self.answer_details,
            "/api/v1/orderBookOrders": self.answer_orders,
            "/api/v1/recentTrades": self.answer_trades,
            "/api/v1/funding-rates": lambda _: self._rates(),
            "/api/v1/fundings": self.answer_fundings,
            "/api/v1/assetDetails": lambda _: self._assets(),
        }

    # ---------------------------------------------------------------- facts

    def market(self, number: str | int | None) -> SimMarket:
        """The market of an id.

        Raises: Refusal 21602.
        """
        for market in self._exchange.markets.values():
            if str(render.market_id(market)) == str(number):
                return market
        raise Refusal(21602)

    def perps(self) -> list[SimMarket]:
        return [m for m in self._exchange.markets.values() if m.kind == "perp"]

    def last_price(self, symbol: str) -> Decimal:
        """Of the last trade; the mark before there was one."""
        trades = self.recent.trades[symbol]
        return trades[-1].price if trades else self._exchange.mark(symbol)

    def newest(self, symbol: str, count: int) -> list[PublicTrade]:
        return [*reversed(self.recent.trades[symbol])][:count]

    def _status(self) -> Json:
        return {"status": 200, "network_id": 1, "timestamp": self._exchange.clock.now_ms() // 1000}

    # ---------------------------------------------------------------- markets

    def _chosen(self, query: Query) -> list[SimMarket]:
        if query.get("market_id") not in (None, "", "255"):
            return [self.market(query["market_id"])]
        wanted = query.get("filter", "all")
        return [m for m in self._exchange.markets.values() if wanted in ("", "all", m.kind)]

    def answer_books(self, query: Query) -> Json:
        return {"code": 200, "order_books": [self._short(m) for m in self._chosen(query)]}

    def answer_details(self, query: Query) -> Json:
        chosen = self._chosen(query)
        return {
            "code": 200,
            "order_book_details": [self._detailed(m) for m in chosen if m.kind == "perp"],
            "spot_order_book_details": [self._detailed(m) for m in chosen if m.kind == "spot"],
        }

    def _short(self, market: SimMarket) -> dict[str, Json]:
        size, price = render.decimals(market.step), render.decimals(market.tick)
        perp = market.kind == "perp"
        return {
            "symbol": market.symbol,
            "market_id": render.market_id(market),
            "market_type": market.kind,
            "base_asset_id": market.info["base"],
            "quote_asset_id": 0 if perp else USDC_ID,
            "status": "inactive" if self._exchange.halted in ("market", "down") else "active",
            "taker_fee": "0.0000",
            "is_taker_fee_enabled": True,
            "maker_fee": "0.0000",
            "is_maker_fee_enabled": True,
            "liquidation_fee": "1.0000" if perp else "0.0000",
            "min_base_amount": render.on_grid(market.min_size, market.step),
            "min_quote_amount": render.usdc(market.min_notional or ZERO),
            "order_quote_limit": render.usdc(market.info["limit"]),
            "supported_size_decimals": size,
            "supported_price_decimals": price,
            "supported_quote_decimals": size + price,
        }

    def _detailed(self, market: SimMarket) -> dict[str, Json]:
        return {
            **self._short(market),
            "size_decimals": render.decimals(market.step),
            "price_decimals": render.decimals(market.tick),
            **(self._margins(market) if market.kind == "perp" else {}),
            "last_trade_price": _number(self.last_price(market.symbol)),
            "daily_trades_count": len(self.recent.trades[market.symbol]),
            **self._day(market),
            "daily_chart": {} if market.kind == "perp" else "{}",
        }

    def _margins(self, market: SimMarket) -> dict[str, Json]:
        maintenance = int(market.maintenance * 10_000)
        return {
            "quote_multiplier": 1,
            "default_initial_margin_fraction": 500,
            "min_initial_margin_fraction": market.info["least"],
            "maintenance_margin_fraction": maintenance,
            "closeout_margin_fraction": maintenance * 2 // 3,
            "open_interest": _number(self._open_interest(market)),
            "market_config": {
                "market_margin_mode": 0,
                "insurance_fund_account_index": 281_474_976_710_655,
                "liquidation_mode": 0,
                "force_reduce_only": self._exchange.halted == "reduce_only",
                "trading_hours": "",
                "funding_fee_discounts_enabled": False,
                "hidden": False,
                "rfq_enabled": True,
            },
            "strategy_index": 2,
        }

    def _day(self, market: SimMarket) -> dict[str, Json]:
        """Of the trades remembered, where the venue takes a day's; JSON numbers, as live."""
        trades = self.recent.trades[market.symbol]
        prices = [trade.price for trade in trades] or [self._exchange.mark(market.symbol)]
        change = (prices[-1] / prices[0] - 1) * 100 if prices[0] else ZERO
        return {
            "daily_base_token_volume": _number(sum((t.size for t in trades), ZERO)),
            "daily_quote_token_volume": _number(sum((t.size * t.price for t in trades), ZERO)),
            "daily_price_low": _number(min(prices)),
            "daily_price_high": _number(max(prices)),
            "daily_price_change": _number(round(change, 6)),
        }

    def _open_interest(self, market: SimMarket) -> Decimal:
        """What the accounts here hold: nothing is known of anybody else."""
        accounts = self._exchange.accounts.values()
        return sum((abs(account.size(market.symbol)) for account in accounts), ZERO)

    def _assets(self) -> Json:
        known = (("ETH", 1, 18, "0.00000001"), ("USDC", USDC_ID, 6, "0.000001"))
        return {
            "code": 200,
            "asset_details": [
                {
                    "asset_id": number,
                    "symbol": symbol,
                    "l1_decimals": l1,
                    "decimals": render.decimals(Decimal(step)),
                    "min_transfer_amount": render.usdc(Decimal(1)),
                    "min_withdrawal_amount": render.usdc(Decimal(1)),
                    "margin_mode": "enabled" if symbol == "USDC" else "disabled",
                    "index_price": render.usdc(self._price_of(symbol)),
                    "l1_address": f"0x{number:040x}",
                }
                for symbol, number, l1, step in known
            ],
        }

    def _price_of(self, coin: str) -> Decimal:
        return Decimal(1) if coin == "USDC" else self._exchange.mark(coin)

    # ---------------------------------------------------------------- book and trades

    def answer_orders(self, query: Query) -> Json:
        """Single orders, best first; a level of others is one order of theirs."""
        market = self.market(query.get("market_id"))
        limit = parse_count(query, "limit", LONGEST_BOOK, LONGEST_BOOK)
        bids, asks, _ = self._exchange.book(market.symbol, limit)
        expiry = self._exchange.clock.now_ms() + 28 * 24 * HOUR_MS
        sides: dict[str, list[Json]] = {
            name: [
                _anonymous(first + sign * i, on_grid, expiry)
                for i, on_grid in enumerate(render.render_levels(levels, market), 1)
            ]
            for name, levels, first, sign in (
                ("asks", asks, render.FIRST_ASK + 10**9, 1),
                ("bids", bids, render.FIRST_BID - 10**9, -1),
            )
        }
        totals = {f"total_{name}": len(rows) for name, rows in sides.items()}
        return {"code": 200, **totals, **sides}

    def answer_trades(self, query: Query) -> Json:
        market = self.market(query.get("market_id"))
        limit = parse_count(query, "limit", LONGEST_PAGE, LONGEST_PAGE)
        trades = self.newest(market.symbol, limit)
        return {"code": 200, "trades": [render.render_trade(t, market) for t in trades]}

    # ---------------------------------------------------------------- statistics, funding

    def hourly_percent(self, market: SimMarket) -> str:
        """What the streams call a funding rate."""
        return f"{self._exchange.funding_rate(market.symbol) * 100:.4f}"

    def render_stats(self, market: SimMarket) -> dict[str, Json]:
        """One market of `market_stats`, or of `spot_market_stats`."""
        bid, ask = self._exchange.best(market.symbol)
        mid = (bid + ask) / 2 if bid is not None and ask is not None else ZERO
        mark = self._exchange.mark(market.symbol)
        own = {
            "symbol": market.symbol,
            "market_id": render.market_id(market),
            "index_price": render.on_grid(self.recent.index.get(market.symbol, mark), market.tick),
            "mid_price": render.on_grid(mid, market.tick),
            "last_trade_price": render.on_grid(self.last_price(market.symbol), market.tick),
            **self._day(market),
        }
        return {**own, **self._perp_stats(market, mark)} if market.kind == "perp" else own

    def _perp_stats(self, market: SimMarket, mark: Decimal) -> dict[str, Json]:
        now, rate = self._exchange.clock.now_ms(), self.hourly_percent(market)
        return {
            "mark_price": render.on_grid(mark, market.tick),
            "open_interest": render.usdc(self._open_interest(market) * mark),
            "open_interest_limit": "72057594037927936.000000",
            "base_interest_rate": "0.0100",
            "funding_clamp_small": "0.0500",
            "funding_clamp_big": "4.0000",
            "current_funding_rate": rate,
            "funding_rate": rate,
            "funding_timestamp": now // HOUR_MS * HOUR_MS,
        }

    def _rates(self) -> Json:
        """A fraction for eight hours, as other exchanges tell theirs."""
        return {
            "code": 200,
            "funding_rates": [
                {
                    "market_id": render.market_id(market),
                    "exchange": "lighter",
                    "symbol": market.symbol,
                    "rate": _number(self._exchange.funding_rate(market.symbol) * 8),
                }
                for market in self.perps()
            ],
        }

    def answer_fundings(self, query: Query) -> Json:
        """Only the last interval's: the simulator keeps no history of rates."""
        market = self.market(query.get("market_id"))
        rate = self._exchange.funding_rate(market.symbol)
        told = {
            "timestamp": self._exchange.clock.now_ms() // HOUR_MS * HOUR_MS // 1000,
            "value": f"{abs(rate) * self._exchange.mark(market.symbol):.8f}",
            "rate": f"{abs(rate) * 100:.4f}",
            "direction": "long" if rate >= 0 else "short",
        }
        resolution = query.get("resolution", "1h")
        return {"code": 200, "resolution": resolution, "fundings": [told]}


def parse_count(query: Query, key: str, default: int, most: int) -> int:
    """A whole number of a query, from 1 on.

    Raises: Refusal 20001.
    """
    text = query.get(key, str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise invalid(key)
    return int(text)


def _anonymous(index: int, level: Json, expiry: int) -> Json:
    return {
        "order_index": index,
        "order_id": str(index),
        "owner_account_index": render.STRANGER,
        "initial_base_amount": level["size"],
        "remaining_base_amount": level["size"],
        "price": level["price"],
        "order_expiry": expiry,
        "transaction_time": 0,
    }


def _number(value: Decimal) -> Json:
    """A statistic that the venue tells as a JSON number."""
    return msgspec.Raw(f"{value:f}".encode())

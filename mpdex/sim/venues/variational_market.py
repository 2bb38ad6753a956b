"""What the simulated Variational tells everybody: assets, rules, funding, limits, statistics.

Not simulated: candles, and assets of other kinds (tokens, equities, contracts for difference).

Source: Magicianhax/variational-trading-api, `test/fixtures/*` (c1f63b9, live 2026-08-13);
docs.variational.io, "API"; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from mpdex.sim.records import ZERO, SimMarket
from mpdex.sim.venue import SimRequest
from mpdex.sim.venues import variational_wire as wire
from mpdex.sim.venues.variational_orders import Quote
from mpdex.sim.venues.variational_truth import (
    INTERVAL_SECONDS,
    LEAST_VALUE,
    VariationalTruth,
)
from mpdex.sim.venues.variational_wire import Refusal, plain, stamp
from mpdex.types import Json

YEAR = 31_536_000  # seconds: rates are told for a year
SPREAD_BPS = Decimal(4)
TIERS = (
    ("Iron", "0", "1"),
    ("Bronze", "1000000", "1.005"),
    ("Silver", "5000000", "1.01"),
    ("Gold", "25000000", "1.02"),
    ("Platinum", "100000000", "1.03"),
    ("Diamond", "750000000", "1.04"),
    ("Infinity", "2500000000", "1.05"),
)
_PRECISION = {"min_decimal_figures": 2, "max_decimal_only_figures": 4, "max_significant_figures": 6}
_LISTED = "2024-12-19T17:14:40.349953Z"
_SIZES = ("size_1k", "size_100k", "size_1m")


class MarketData:
    """Answers that need no session.

    Attributes:
        spread: a fraction by which what is told of the mark is away from the quotes.
    """

    def __init__(self, truth: VariationalTruth) -> None:
        self.spread = ZERO
        self._truth = truth

    # ---------------------------------------------------------------- assets and rules

    def assets(self, query: Mapping[str, str]) -> Json:
        wanted = query.get("cex_asset")
        markets = self._truth.markets.values()
        return {m.symbol: [self._asset(m)] for m in markets if wanted in (None, m.symbol)}

    def _asset(self, market: SimMarket) -> dict[str, Json]:
        truth, rate = self._truth, self._rate(market)
        price, long, short = truth.mark(market.symbol), *self._interest(market)
        return {
            "asset": market.symbol,
            "is_dex": False,
            "token_uri": f"https://coin-images.coingecko.com/coins/images/{market.symbol}.png",
            "listed_at": _LISTED,
            "name": market.info["name"],
            "price": plain(price),
            "fdv": "1000000000000",
            "price_change_percentage_24h": "0",
            "fdv_last_updated_at": stamp(truth.clock.now_ns()),
            "volume_24h": "350000000.00",
            "funding_rate": rate,
            "next_funding_rate": rate,
            "funding_time": self._due(),
            "index_price": plain(price),
            "funding_interval_s": INTERVAL_SECONDS,
            "open_interest": {
                "long_open_interest": plain(long * price),
                "short_open_interest": plain(short * price),
            },
            "coingecko_id": market.info["name"].lower(),
            "is_close_only_mode": market.info["closing"],
            "is_isolable": True,
            "has_perp": True,
            "instrument_type": wire.PERPETUAL,
            "asset_class": None,
        }

    def config(self, _: Mapping[str, str]) -> Json:
        return {
            "min_order_notional": plain(LEAST_VALUE),
            "max_order_notional": "1000000000000",
            "default_precision_requirements": dict(_PRECISION),
            "transfer_fee": "0.1",
            "futures_taker_fee": "0.0",
            "pool_creation_fee": "0",
            "default_margin_params": {
                "margin_mode": "simple",
                "params": {
                    "asset_params": {},
                    "default_asset_param": {
                        "futures_initial_margin": "0.2",
                        "futures_maintenance_margin": "0.1",
                        "futures_leverage": "100000000000",
                        "option_initial_margin": "0.15",
                        "option_initial_margin_min": "0.1",
                        "option_maintenance_margin": "0.075",
                    },
                    "use_default_asset_param": False,
                    "liquidation_penalty": "0.1",
                    "auto_liquidation": True,
                },
            },
            "referrals_activation_volume": "1000000",
            "referrals_extra_capacity_volume": "1000000",
        }

    def tiers(self, _: Mapping[str, str]) -> Json:
        return [
            {"id": number, "name": name, "total_volume_30d": volume, "points_rate": rate}
            for number, (name, volume, rate) in enumerate(TIERS)
        ]

    def flags(self, _: Mapping[str, str]) -> Json:
        return ["WL", "PS", "OR"]

    # ---------------------------------------------------------------- one market

    def funding(self, query: Mapping[str, str]) -> Json:
        """A prediction, for a year."""
        market = self._market(query)
        return {
            "predicted_funding_rate": self._rate(market),
            "next_funding_time": self._due(),
            "funding_interval_s": INTERVAL_SECONDS,
        }

    def risk_limits(self, query: Mapping[str, str]) -> Json:
        """Numbers, but for the two quantities."""
        market = self._market(query)
        price, long, short = self._truth.mark(market.symbol), *self._interest(market)
        return {
            "mark_price": _number(price),
            "fdv_usd": None,
            "oi_limit_usd": 3_600_000_000,
            "current_oi_usd": _number((long + short) * price),
            "skew_limit_usd": 1_800_000_000,
            "current_skew_usd": _number((long - short) * price),
            "long_qty": plain(long),
            "short_qty": plain(short),
        }

    def open_interest(self, query: Mapping[str, str]) -> Json:
        market = self._market(query)
        long, short = self._interest(market)
        told = wire.instrument(market)
        return {"instrument": told, "long_qty": plain(long), "short_qty": plain(short)}

    def _market(self, query: Mapping[str, str]) -> SimMarket:
        """By the flat form of an instrument."""
        market = self._truth.markets.get(query.get("underlying", ""))
        if market is None or query.get("instrument_type") != wire.PERPETUAL:
            raise Refusal(wire.UNSUPPORTED)
        return market

    def _rate(self, market: SimMarket) -> str:
        rate = self._truth.funding_rate(market.symbol)
        return plain((rate * YEAR / INTERVAL_SECONDS).normalize())

    def _due(self) -> str:
        now = self._truth.clock.now_ns() // 10**9
        return stamp((now // INTERVAL_SECONDS + 1) * INTERVAL_SECONDS * 10**9)[:19] + "Z"

    def _interest(self, market: SimMarket) -> tuple[Decimal, Decimal]:
        held = [account.size(market.symbol) for account in self._truth.accounts.values()]
        base = Decimal(1500)
        return (
            base + sum((size for size in held if size > 0), ZERO),
            base - sum((size for size in held if size < 0), ZERO),
        )

    # ---------------------------------------------------------------- quotes

    def quote(self, quote: Quote) -> dict[str, Json]:
        """One for everybody."""
        market = quote.market
        mark = self._truth.mark(market.symbol) * (1 + self.spread)
        limits = {
            "min_qty_tick": plain(market.step),
            "min_qty": plain(market.min_size),
            "max_qty": plain(market.max_size or ZERO),
        }
        return {
            "instrument": wire.instrument(market),
            "qty": plain(quote.size),
            "bid": plain(quote.bid),
            "ask": plain(quote.ask),
            "mark_price": plain(mark),
            "index_price": plain(mark),
            "timestamp": stamp(quote.at_ns)[:23] + "Z",
            "quote_id": quote.id,
            "qty_limits": {"bid": dict(limits), "ask": dict(limits)},
        }

    def indicative(self, quote: Quote) -> dict[str, Json]:
        """With what it would do to the account's margin. UNVERIFIED: shapes below the first."""
        truth, market = self._truth, quote.market
        leverage = truth.ledger.leverage(quote.account, market.symbol)
        value = quote.size * truth.mark(market.symbol)
        delta = {
            "initial_margin": plain((value / leverage).quantize(Decimal("0.0001"))),
            "maintenance_margin": plain((value * market.maintenance).quantize(Decimal("0.0001"))),
        }
        held = truth.ledger
        existing = {
            "initial_margin": plain(held.initial_margin(quote.account)),
            "maintenance_margin": plain(held.maintenance_margin(quote.account)),
        }
        free = plain(truth.free(quote.account) * leverage)
        needs = {
            "existing_margin": existing,
            "bid_margin_delta": delta,
            "ask_margin_delta": dict(delta),
            "bid_max_notional_delta": free,
            "ask_max_notional_delta": free,
            "estimated_fees_bid": "0",
            "estimated_fees_ask": "0",
            "estimated_liquidation_price_bid": None,
            "estimated_liquidation_price_ask": None,
        }
        asset = {"futures_initial_margin": plain(1 / leverage)}
        params = {"params": {"asset_params": {market.symbol: asset}}}
        return {**self.quote(quote), "margin_requirements": needs, "margin_params": params}

    # ---------------------------------------------------------------- statistics

    def answer_stats(self, request: SimRequest) -> Json:
        """Documented, and open to all."""
        listings = [self._listing(market) for market in self._truth.markets.values()]
        return {
            "total_volume_24h": "500000000",
            "cumulative_volume": "100000000000",
            "tvl": "50000000",
            "open_interest": "290000000",
            "num_markets": len(listings),
            "loss_refund": {"pool_size": "100000", "refunded_24h": "1000"},
            "listings": listings,
        }

    def _listing(self, market: SimMarket) -> dict[str, Json]:
        mark, row = self._truth.mark(market.symbol), self._asset(market)
        quotes: dict[str, Json] = {"updated_at": stamp(self._truth.clock.now_ns())}
        half = mark * SPREAD_BPS / 20_000
        for name in _SIZES:
            quotes[name] = {"bid": plain(mark - half), "ask": plain(mark + half)}
        return {
            "ticker": market.symbol,
            "name": row["name"],
            "mark_price": plain(mark),
            "volume_24h": row["volume_24h"],
            "open_interest": row["open_interest"],
            "funding_rate": row["funding_rate"],
            "funding_interval_s": INTERVAL_SECONDS,
            "base_spread_bps": plain(SPREAD_BPS),
            "quotes": quotes,
        }


def _number(value: Decimal) -> msgspec.Raw:
    """A JSON number."""
    return msgspec.Raw(plain(value).encode())

"""What anybody may ask the simulated Extended: markets, book, trades, rates, assets.

Not simulated: candles, RFQ markets, spot, histories of rates and of open interest.

Source: api.docs.extended.exchange, "Public REST-API"; recorded `GET /info/markets`; read
2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from mpdex.sim.numerals import number
from mpdex.sim.recent import Recent
from mpdex.sim.records import ZERO, SimMarket
from mpdex.sim.venues import extended_render as render
from mpdex.sim.venues import extended_truth as truth
from mpdex.sim.venues.extended_crypto import DOMAIN, L2Config
from mpdex.sim.venues.extended_render import ok
from mpdex.sim.venues.extended_truth import ExtendedTruth
from mpdex.sim.venues.extended_wire import Query, Refusal
from mpdex.types import Json

RECENT = 50  # trades that are kept, and that an answer has at most
HOUR_MS = 3_600_000
NAMES = {"BTC": "Bitcoin", "ETH": "Ethereum", "SOL": "Solana"}
STATUS = {"market": "DISABLED", "reduce_only": "REDUCE_ONLY"}
CREATED_MS = 1_752_829_532_673
COLLATERAL_DIGITS = 6


class MarketData:
    """One venue's public side: remembers trades and index prices; answers queries.

    Raises: Refusal from all answers.
    """

    def __init__(self, exchange: ExtendedTruth) -> None:
        self._exchange = exchange
        self.recent = Recent(RECENT)
        self.answers: dict[str, Callable[[Query], Json]] = {
            "/info/markets": self.answer_markets,
            "/info/assets": lambda _: ok([self._collateral(), *self._assets()]),
            "/info/settings": lambda _: ok({"starkExContractAddress": "0x1"}),
            "/info/starknet": lambda _: ok(DOMAIN),
        }
        for market in exchange.markets.values():
            self._offer(market)

    def _offer(self, market: SimMarket) -> None:
        """What is asked of one market."""
        base = f"/info/markets/{market.symbol}"
        self.answers |= {
            f"{base}/stats": lambda _: ok(self.render_stats(market)),
            f"{base}/orderbook": lambda _: ok(self.render_book(market)),
            f"{base}/trades": lambda _: ok(self.render_trades(market)),
            f"/info/{market.symbol}/funding": lambda query: self.answer_rates(market, query),
        }

    def market(self, symbol: Json) -> SimMarket:
        """A market. Raises: Refusal 1001."""
        found = self._exchange.markets.get(symbol) if isinstance(symbol, str) else None
        if found is None:
            raise Refusal(1001)
        return found

    def chosen(self, query: Query) -> list[SimMarket]:
        """The markets that a query names, or all."""
        named = query.every("market")
        return [self.market(n) for n in named] if named else [*self._exchange.markets.values()]

    # ---------------------------------------------------------------- answers

    def answer_markets(self, query: Query) -> Json:
        return ok([self.render_market(market) for market in self.chosen(query)])

    def answer_rates(self, market: SimMarket, query: Query) -> Json:
        """Only that of the hour: the simulator keeps no history of rates."""
        since, until = query.count("startTime", 0), query.count("endTime", 10**15)
        hour = self._exchange.clock.now_ms() // HOUR_MS * HOUR_MS
        rate = render.render_rate(market.symbol, self._exchange.funding_rate(market.symbol), hour)
        rows = [rate] if since <= hour <= until else []
        return {**ok(rows), "pagination": {"cursor": hour, "count": len(rows)}}

    # ---------------------------------------------------------------- objects

    def render_market(self, market: SimMarket) -> dict[str, Json]:
        l2: L2Config = market.info["l2"]
        status = STATUS.get(self._exchange.halted, "ACTIVE")
        return {
            "name": market.symbol,
            "type": "PERPETUAL",
            "uiName": market.symbol,
            "category": "Crypto",
            "subCategory": "L1",
            "assetName": market.coin,
            "assetPrecision": _digits(market.step),
            "collateralAssetName": "USD",
            "collateralAssetPrecision": COLLATERAL_DIGITS,
            "description": NAMES[market.coin],
            "active": status != "DISABLED",
            "isRfq": False,
            "isOffHours": False,
            "status": status,
            "tradingHours": "CONTINUOUS",
            "marketStats": self.render_stats(market),
            "tradingConfig": _trading_config(market),
            "l2Config": {
                "type": "STARKX",
                "collateralId": hex(l2.collateral_id),
                "syntheticId": hex(l2.synthetic_id),
                "syntheticResolution": l2.synthetic_resolution,
                "collateralResolution": l2.collateral_resolution,
            },
            "visibleOnUi": True,
            "referenceMarket": "null",
            "createdAt": CREATED_MS,
        }

    def render_stats(self, market: SimMarket) -> dict[str, Json]:
        """Of the trades remembered, where the venue takes a day's."""
        symbol, exchange = market.symbol, self._exchange
        trades, mark = self.recent.trades[symbol], exchange.mark(symbol)
        bid, ask = (best or mark for best in exchange.best(symbol))
        prices = [trade.price for trade in trades] or [mark]
        change = prices[-1] - prices[0]
        held = sum((abs(a.size(symbol)) for a in exchange.accounts.values()), ZERO)
        levels = [{"level": level, "rankingLowerBound": "0.0000"} for level in range(1, 5)]
        return {
            "dailyVolume": number(sum((t.price * t.size for t in trades), ZERO)),
            "dailyVolumeBase": number(sum((t.size for t in trades), ZERO)),
            "dailyPriceChange": number(change),
            "dailyPriceChangePercentage": render.rounded(change / prices[0] if mark else ZERO),
            "dailyLow": number(min(prices)),
            "dailyHigh": number(max(prices)),
            "lastPrice": number(prices[-1]),
            "askPrice": number(ask),
            "bidPrice": number(bid),
            "markPrice": number(mark),
            "indexPrice": number(self.recent.index.get(symbol, mark)),
            "fundingRate": number(exchange.funding_rate(symbol)),
            "nextFundingRate": (exchange.clock.now_ms() // HOUR_MS + 1) * HOUR_MS,
            "openInterest": number(held * mark),
            "openInterestBase": number(held),
            "deleverageLevels": {"shortPositions": levels, "longPositions": levels},
        }

    def render_book(self, market: SimMarket) -> dict[str, Json]:
        bids, asks, _ = self._exchange.book(market.symbol)
        sides = (
            [{"qty": number(size), "price": number(price)} for price, size in side]
            for side in (bids, asks)
        )
        return {"market": market.symbol, **dict(zip(("bid", "ask"), sides, strict=True))}

    def render_trades(self, market: SimMarket) -> list[dict[str, Json]]:
        return [render.render_trade(trade) for trade in self.recent.trades[market.symbol]]

    def _assets(self) -> list[dict[str, Json]]:
        return [
            _asset(place, market.coin, _digits(market.step), market.info["l2"])
            for place, market in enumerate(self._exchange.markets.values(), 2)
        ]

    @staticmethod
    def _collateral() -> dict[str, Json]:
        l2 = L2Config(1, 10**COLLATERAL_DIGITS)
        flags = {"isCollateral": True, "type": "SPOT", "canBeUsedAsCollateral": True}
        return {**_asset(1, "USD", COLLATERAL_DIGITS, l2), **flags}


def _asset(number_of: int, name: str, digits: int, l2: L2Config) -> dict[str, Json]:
    return {
        "id": number_of,
        "name": name,
        "symbol": name,
        "precision": digits,
        "isActive": True,
        "isCollateral": False,
        "starkexId": hex(l2.synthetic_id),
        "starkexResolution": l2.synthetic_resolution,
        "l1Id": hex(l2.synthetic_id),
        "l1Resolution": l2.synthetic_resolution,
        "version": 1,
        "type": "PERPETUAL",
        "canBeUsedAsCollateral": False,
    }


def _trading_config(market: SimMarket) -> dict[str, Any]:
    away = str(truth.MOST_AWAY)
    return {
        "minOrderSize": str(market.min_size),
        "minOrderSizeChange": str(market.step),
        "minPriceChange": str(market.tick),
        "maxMarketOrderValue": str(truth.MOST_MARKET_VALUE),
        "maxLimitOrderValue": str(truth.MOST_LIMIT_VALUE),
        "maxPositionValue": str(truth.MOST_POSITION_VALUE),
        "maxLeverage": str(market.max_leverage.quantize(Decimal("0.01"))),
        "hourlyFundingRateCap": "0.25",
        "openInterestLimit": "0",
        "maxNumOrders": str(truth.MOST_ORDERS),
        "limitPriceCap": away,
        "limitPriceFloor": away,
        "riskFactorConfig": [
            {"upperBound": str(bound), "riskFactor": number(factor), "isAvailableForUsers": True}
            for bound, factor in truth.TIERS
        ],
        "uPnlWithdrawable": True,
        "postWithdrawalMarginFactor": "0.1",
    }


def _digits(step: Decimal) -> int:
    return max(-step.normalize().as_tuple().exponent, 0)  # type: ignore[operator]

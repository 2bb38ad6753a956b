"""What anybody may ask the simulated Backpack: markets, book, tickers, marks, trades, candles.

Source: docs.backpack.exchange, "Markets", "Trades", "System"; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import groupby

from mpdex.sim.exchange import SimExchange
from mpdex.sim.listing import usdc_market
from mpdex.sim.recent import Recent
from mpdex.sim.records import ZERO, MarkChanged, PublicTrade, SimMarket
from mpdex.sim.venues import backpack_render as render
from mpdex.sim.venues.backpack_wire import (
    BAD_SYMBOL,
    LONGEST_PAGE,
    Refusal,
    malformed,
    parse_count,
)
from mpdex.types import Json

Query = Mapping[str, str]
DEPTHS = (5, 10, 20, 50, 100, 500, 1000)
HOUR_NS = 3_600 * 10**9
INTERVALS = {"1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600}
STATES = {"": "Open", "post_only": "PostOnly", "cancel_only": "CancelOnly", "down": "Closed"}


def _margin(base: str, factor: str) -> dict[str, str]:
    return {"base": base, "factor": factor, "type": "sqrt"}


def _market(coin: str, tick: str, step: str, *, perp: bool) -> SimMarket:
    info = {
        "imf": _margin("0.02", "0.00006") if perp else None,
        "mmf": _margin("0.0125", "0.000036") if perp else None,
        "lowest": Decimal("0.25") if perp else Decimal("0.75"),  # of the last price
        "highest": Decimal(2) if perp else Decimal("1.25"),
        "mean_band": (Decimal("0.9"), Decimal("1.1")) if perp else None,  # of the mark price
        "impact": Decimal("0.01") if perp else Decimal("0.03"),
    }
    return usdc_market(
        coin,
        f"{coin}_USDC{'_PERP' if perp else ''}",
        tick,
        step,
        kind="perp" if perp else "spot",
        max_leverage=Decimal(50) if perp else Decimal(1),
        info=info,
    )


# SOL as captured live; the tick and step of the others follow prices and sizes seen live.
MARKETS = (
    _market("ETH", "0.01", "0.0001", perp=True),
    _market("BTC", "0.1", "0.00001", perp=True),
    _market("SOL", "0.01", "0.01", perp=True),
    _market("ETH", "0.01", "0.0001", perp=False),
)


class MarketData:
    """One venue's public side: remembers trades and index prices; answers queries.

    Args:
        flush: brings the real-time stream of a book up to date, before its snapshot is taken.

    Raises: Refusal from all answers.
    """

    def __init__(self, exchange: SimExchange, flush: Callable[[str], None]) -> None:
        self._exchange = exchange
        self._flush = flush
        self.recent = Recent(LONGEST_PAGE)
        self.answers: dict[str, Callable[[Query], Json]] = {
            "/api/v1/status": lambda _: {"message": None, "status": "Ok"},
            "/api/v1/ping": lambda _: "pong",
            "/api/v1/time": lambda _: str(exchange.clock.now_ms()),
            "/api/v1/markets": self.answer_markets,
            "/api/v1/market": lambda query: self.render_market(self.market(query)),
            "/api/v1/ticker": lambda query: self.render_ticker(self.market(query)),
            "/api/v1/tickers": lambda _: [self.render_ticker(m) for m in self._chosen({})],
            "/api/v1/markPrices": self.answer_marks,
            "/api/v1/openInterest": self.answer_open_interest,
            "/api/v1/depth": self.answer_depth,
            "/api/v1/trades": self.answer_trades,
            "/api/v1/trades/history": self.answer_trades,
            "/api/v1/fundingRates": self.answer_funding_rates,
            "/api/v1/klines": self.answer_klines,
        }

    # ---------------------------------------------------------------- facts

    def market(self, query: Mapping[str, Json]) -> SimMarket:
        """The market of a query."""
        found = self._exchange.markets.get(str(query.get("symbol")))
        if found is None:
            raise Refusal(*BAD_SYMBOL)
        return found

    def _chosen(self, query: Mapping[str, Json], kind: str = "") -> list[SimMarket]:
        """One market if the query names one, else all of a kind."""
        if "symbol" in query:
            return [self.market(query)]
        return [m for m in self._exchange.markets.values() if kind in ("", m.kind)]

    def last_price(self, symbol: str) -> Decimal:
        """Of the last trade; the mark before there was one."""
        trades = self.recent.trades[symbol]
        return trades[-1].price if trades else self._exchange.mark(symbol)

    def next_funding_ms(self, market: SimMarket) -> int:
        interval = market.funding_hours * HOUR_NS
        return (self._exchange.clock.now_ns() // interval + 1) * interval // 1_000_000

    def render_mark_frame(self, event: MarkChanged) -> dict[str, Json]:
        market = self._exchange.markets[event.symbol]
        return {
            **render.stamp(event.time_ns),
            "e": "markPrice",
            "f": render.number(self._exchange.funding_rate(event.symbol)),
            "i": render.number(event.index_price),
            "n": self.next_funding_ms(market),
            "p": render.number(event.mark),
            "s": event.symbol,
        }

    # ---------------------------------------------------------------- answers

    def answer_markets(self, query: Query) -> Json:
        wanted = query.get("marketType", "").lower()
        return [self.render_market(m) for m in self._chosen({}) if wanted in ("", m.kind)]

    def render_market(self, market: SimMarket) -> dict[str, Json]:
        perp, info = market.kind == "perp", market.info
        band = info["mean_band"]
        price = {
            "borrowEntryFeeMaxMultiplier": None,
            "borrowEntryFeeMinMultiplier": None,
            "maxImpactMultiplier": str(1 + info["impact"]),
            "maxMultiplier": str(info["highest"]),
            "maxPrice": None,
            "meanMarkPriceBand": band
            and {"maxMultiplier": str(band[1]), "minMultiplier": str(band[0])},
            "meanPremiumBand": {"tolerancePct": "0.05"} if perp else None,
            "minImpactMultiplier": str(1 - info["impact"]),
            "minMultiplier": str(info["lowest"]),
            "minPrice": str(market.tick),
            "tickSize": str(market.tick),
        }
        quantity = {
            "maxQuantity": None,
            "minQuantity": str(market.min_size),
            "stepSize": str(market.step),
        }
        return {
            "baseSymbol": market.coin,
            "createdAt": "2025-01-21T06:34:54.691858",
            "filters": {"price": price, "quantity": quantity},
            "fundingInterval": market.funding_hours * 3_600_000,
            "fundingRateLowerBound": "-100" if perp else None,
            "fundingRateUpperBound": "100" if perp else None,
            "imfFunction": info["imf"],
            "marketType": market.kind.upper(),
            "mmfFunction": info["mmf"],
            "openInterestLimit": "4000000" if perp else "0",
            "orderBookState": STATES[self._exchange.halted],
            "positionLimitWeight": "1" if perp else None,
            "quoteSymbol": market.quote,
            "symbol": market.symbol,
            "visible": True,
        }

    def render_ticker(self, market: SimMarket) -> dict[str, Json]:
        """Of the trades remembered, where the venue takes a day's."""
        trades = self.recent.trades[market.symbol]
        prices = [trade.price for trade in trades] or [self._exchange.mark(market.symbol)]
        change = prices[-1] - prices[0]
        share = (change / prices[0]).quantize(Decimal("0.000001")) if prices[0] else ZERO
        return {
            "firstPrice": render.number(prices[0]),
            "high": render.number(max(prices)),
            "lastPrice": render.number(prices[-1]),
            "low": render.number(min(prices)),
            "priceChange": render.number(change),
            "priceChangePercent": render.number(share),
            "quoteVolume": render.number(sum((t.price * t.size for t in trades), ZERO)),
            "symbol": market.symbol,
            "trades": len(trades),
            "volume": render.number(sum((t.size for t in trades), ZERO)),
        }

    def answer_marks(self, query: Query) -> Json:
        return [
            {
                "fundingRate": render.number(self._exchange.funding_rate(market.symbol)),
                "indexPrice": render.number(self.recent.index.get(market.symbol, ZERO)),
                "markPrice": render.number(self._exchange.mark(market.symbol)),
                "nextFundingTimestamp": self.next_funding_ms(market),
                "symbol": market.symbol,
            }
            for market in self._chosen(query, "perp")
        ]

    def answer_open_interest(self, query: Query) -> Json:
        """What the accounts here hold: nothing is known of anybody else."""
        accounts = self._exchange.accounts.values()
        return [
            {
                "openInterest": render.number(
                    sum((abs(account.size(market.symbol)) for account in accounts), ZERO)
                ),
                "symbol": market.symbol,
                "timestamp": self._exchange.clock.now_ms(),
            }
            for market in self._chosen(query, "perp")
        ]

    def answer_depth(self, query: Query) -> Json:
        """Both sides ascend, so the best bid comes last."""
        market = self.market(query)
        limit = parse_count(query, "limit", DEPTHS[-1], DEPTHS[-1])
        if limit not in DEPTHS:
            raise malformed("Invalid limit")
        self._flush(market.symbol)
        bids, asks, seq = self._exchange.book(market.symbol, limit)
        return {
            "asks": render.render_levels(asks, market),
            "bids": render.render_levels(reversed(bids), market),
            "lastUpdateId": str(seq),
            "timestamp": self._exchange.clock.now_ns() // 1000,
        }

    def answer_trades(self, query: Query) -> Json:
        """Newest first."""
        trades = [*reversed(self.recent.trades[self.market(query).symbol])]
        limit = parse_count(query, "limit", 100, LONGEST_PAGE)
        offset = parse_count(query, "offset", 0, 10**9)
        return [render.render_trade(trade) for trade in trades[offset : offset + limit]]

    def answer_funding_rates(self, query: Query) -> Json:
        """Only the last interval's: the simulator keeps no history of rates."""
        market = self.market(query)
        ended = self.next_funding_ms(market) * 1_000_000 - market.funding_hours * HOUR_NS
        rate = render.number(self._exchange.funding_rate(market.symbol))
        time = render.iso(ended).partition(".")[0]
        return [{"fundingRate": rate, "intervalEndTimestamp": time, "symbol": market.symbol}]

    def answer_klines(self, query: Query) -> Json:
        """Of the trades remembered; intervals without a trade are left out."""
        market = self.market(query)
        seconds = INTERVALS.get(query.get("interval", ""))
        if seconds is None:
            raise malformed("Invalid interval")
        since = parse_count(query, "startTime", 0, 10**12)
        until = parse_count(query, "endTime", 10**12, 10**12)
        step = seconds * 10**9
        grouped = groupby(self.recent.trades[market.symbol], lambda trade: trade.time_ns // step)
        return [
            _candle(start * step, step, list(trades))
            for start, trades in grouped
            if since <= start * seconds <= until
        ]


def _candle(start_ns: int, length_ns: int, trades: Sequence[PublicTrade]) -> dict[str, Json]:
    prices = [trade.price for trade in trades]
    start, end = (
        render.iso(at).partition(".")[0].replace("T", " ")
        for at in (start_ns, start_ns + length_ns)
    )
    return {
        "close": render.number(prices[-1]),
        "end": end,
        "high": render.number(max(prices)),
        "low": render.number(min(prices)),
        "open": render.number(prices[0]),
        "quoteVolume": render.number(sum((t.price * t.size for t in trades), ZERO)),
        "start": start,
        "trades": len(trades),
        "volume": render.number(sum((t.size for t in trades), ZERO)),
    }
